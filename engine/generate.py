"""The eager operators' source, written from the table.

Generated methods are as quick as hand-written ones: operands are read, z and the partials computed on Python's own
float functions, and a node is filled in, without a call in between. Everything out of the ordinary (a corner where
Python raises, an operand that is neither `Value` nor float nor int, a recording mode) goes to one general routine,
`apply`, which gives the same numbers.
"""

from __future__ import annotations

from engine.floats import FAST
from engine.rules import Body

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.ops import Op

DUNDERS = {
    "add": "add",
    "sub": "sub",
    "mul": "mul",
    "div": "truediv",
    "floordiv": "floordiv",
    "mod": "mod",
    "pow": "pow",
}
"""Operators between two numbers, by Python's name for them: each has a reflected form."""

UNARY_DUNDERS = {"neg": "__neg__", "abs": "__abs__"}


def names_in_code() -> dict[str, object]:
    """What generated code calls: primitives have an underscore, so that the function `sum` may stand beside."""
    return {**{f"_{name}": function for name, function in FAST.items()}, "inf": float("inf"), "nan": float("nan")}


def parameters(op: Op, first: str | None = None) -> str:
    """The parameter list of the function or method: operands, with their defaults.

    >>> from engine.ops import OPS
    >>> parameters(OPS["clip"], "self")
    'self, low=-inf, high=inf'
    """
    names = [f"{name}={op.defaults[name]!r}" if name in op.defaults else name for name in op.operands]
    return ", ".join([first, *names[1:]] if first else names)


def docstring(op: Op) -> str:
    """Purpose, formula, partials and range of an operation, from its entry."""
    lists = {"xs": "xs, any iterable of values and numbers", "ys": "ys, another of the same length"}
    partials = ", ".join(f"dz/d{name} = {rule}" for name, rule in zip(op.operands, op.partials, strict=True))
    ranges = [
        f"{name} in ({low:g}, {high:g})" for name, (low, high) in zip(op.operands, op.domain, strict=True)
        if (low, high) != (float("-inf"), float("inf"))
    ]  # fmt: skip
    lines = [f"{op.doc}.", "", f"z = {op.value};  {partials}."]
    lines += [f"Operands: {'; '.join(lists[name] for name in op.operands)}."] if op.variadic else []
    lines += [f"Smooth for {' and '.join(ranges)}; elsewhere the result is IEEE 754's."] if ranges else []
    return "\n    ".join(lines)


def _node(op: Op, parents: tuple[str, ...], partials: tuple[str, ...], indent: str) -> Iterator[str]:
    """The statements that make the node, when z and its partials are there.

    One or two parents, or lists of parents, are kept in slots of their own: see `Value`.
    """
    star = "*" if op.variadic else ""
    all_parents, all_partials = (f"({', '.join(star + part for part in parts)},)" for parts in (parents, partials))
    second, to_second = (parents[1], partials[1]) if len(parents) == 2 else ("None", "0.0")
    yield f"{indent}if modes_active:"
    yield f"{indent}    return record(OP_{op.name}, {all_parents}, z, {all_partials})"
    yield f"{indent}node = new(Value)"
    yield f"{indent}node._data = z"
    yield f"{indent}node._grad = 0.0"
    yield f"{indent}node.op = OP_{op.name}"
    yield f"{indent}node._first = {parents[0]}"
    yield f"{indent}node._second = {second}"
    yield f"{indent}node._to_first = {partials[0]}"
    yield f"{indent}node._to_second = {to_second}"
    yield f"{indent}node._note = None"
    yield f"{indent}return node"


def _guarded(body: Body, before: list[str], after: list[str], fallback: str, indent: str) -> Iterator[str]:
    """The arithmetic, handed to `fallback` if Python raises where IEEE 754 has an answer, or over what is no number."""
    lines = [*before, *body.lines, *after]
    if not body.raises and not any("float(" in line for line in before):
        yield from (indent + line for line in lines)
        return
    yield f"{indent}try:"
    yield from (f"{indent}    {line}" for line in lines)
    yield f"{indent}except (ArithmeticError, TypeError, ValueError):"
    yield f"{indent}    return {fallback}"


def _unary(op: Op, name: str) -> Iterator[str]:
    body = Body(op, "fast", (0,))
    yield f"def {name}(self):"
    yield f'    """{docstring(op)}"""'
    yield "    x = self._data"
    yield from _guarded(body, [], [f"to_self = {body.partials[0]}"], f"apply(OP_{op.name}, (self,))", "    ")
    yield from _node(op, ("self",), ("to_self",), "    ")


def _binary(op: Op, name: str, reflected: bool, fallback: str) -> Iterator[str]:
    """A method of two operands. `other` may be a number: a constant, whose partial is 0 and never computed."""
    mine, theirs = reversed(op.operands) if reflected else op.operands
    parents, partials = ("self", "other"), ("to_self", "to_other")
    if reflected:
        parents, partials = parents[::-1], partials[::-1]
    default = op.defaults.get(theirs)
    yield f"def {name}(self, {'other' if default is None else f'{theirs}={default!r}'}):"
    yield f'    """{docstring(op)}"""'
    if default is not None:
        yield f"    other = {theirs}"
    yield f"    {mine} = self._data"
    yield "    kind = other.__class__"
    if not reflected:
        both = Body(op, "fast", (0, 1))
        yield "    if kind is Value:"
        yield f"        {theirs} = other._data"
        assign = [f"to_self = {both.partials[0]}", f"to_other = {both.partials[1]}"]
        yield from _guarded(both, [], assign, fallback, "        ")
    one = Body(op, "fast", (1 if reflected else 0,))
    [partial] = one.partials.values()
    yield f"    {'if' if reflected else 'elif'} kind is float or kind is int:"
    yield from _guarded(one, [f"{theirs} = float(other)"], [f"to_self = {partial}"], fallback, "        ")
    yield f"        other, to_other = constant({theirs}), 0.0"
    yield "    else:"
    yield f"        return {fallback}"
    yield from _node(op, parents, partials, "    ")


def _general(op: Op, name: str) -> Iterator[str]:
    yield f"def {name}({parameters(op, 'self')}):"
    yield f'    """{docstring(op)}"""'
    yield f"    return apply(OP_{op.name}, ({', '.join(['self', *op.operands[1:]])}))"


def _variadic(op: Op) -> Iterator[str]:
    """A function of one list, or of two equally long ones: one node, however many operands."""
    body = Body(op, "fast", tuple(range(len(op.operands))))
    yield f"def {op.name}({', '.join(op.operands)}):"
    yield f'    """{docstring(op)}"""'
    fallback = f"apply_to_lists(OP_{op.name}, ({', '.join(f'{name}_' for name in op.operands)},))"
    for name in op.operands:
        other = f"tuple({name}) if {name}.__class__ is list else listed({name}, OP_{op.name})"
        yield f"    {name}_ = {name} if {name}.__class__ is tuple else {other}"
    yield "    try:"
    for name in op.operands:
        yield f"        {name} = [x._data for x in {name}_]"
    yield "    except AttributeError:  # numbers among the values"
    yield f"        return {fallback}"
    yield "    n = len(xs)"
    yield f"    if not n{' or n != len(ys)' if len(op.operands) > 1 else ''}:"
    yield f"        return {fallback}"
    assign = [
        f"to_{name} = tuple({partial})" for name, partial in zip(op.operands, body.partials.values(), strict=True)
    ]
    yield from _guarded(body, [], assign, fallback, "    ")
    yield "    if z.__class__ is not float:  # something else that has _data"
    yield f"        return {fallback}"
    parents, partials = (tuple(pattern % name for name in op.operands) for pattern in ("%s_", "to_%s"))
    yield from _node(op, parents, partials, "    ")


def _function(op: Op) -> Iterator[str]:
    """The free function of a fixed number of operands: the method, or the general routine if the first is a number."""
    arguments = ", ".join(op.operands)
    yield f"def {op.name}({parameters(op)}):"
    yield f'    """{docstring(op)}"""'
    method = method_names(op)
    if op.name in DUNDERS:  # Python's operator: it knows what to say when one side is no number
        yield f"    if x.__class__ is Value or y.__class__ is Value:\n        return x {op.symbol} y"
    elif method:
        rest = ", ".join(op.operands[1:])
        yield f"    if {op.operands[0]}.__class__ is Value:"
        yield f"        return {op.operands[0]}.{method[0]}({rest})"
    yield f"    return apply(OP_{op.name}, ({arguments},))"


def method_names(op: Op) -> list[str]:
    """The methods of `Value` that an operation provides; the reflected operator, and aliases, come last.

    >>> from engine.ops import OPS
    >>> method_names(OPS["mul"]), method_names(OPS["asin"]), method_names(OPS["sum"])
    (['__mul__', '__rmul__'], ['asin', 'arcsin'], [])
    """
    if op.name in DUNDERS:
        return [f"__{DUNDERS[op.name]}__", f"__r{DUNDERS[op.name]}__"]
    if op.name in UNARY_DUNDERS:
        return [UNARY_DUNDERS[op.name], *(["abs"] if op.name == "abs" else [])]
    return [op.name, *op.aliases] if op.method else []


def method_source(op: Op, name: str) -> str:
    """The source of one method."""
    if op.name in DUNDERS:
        reflected = name.startswith("__r")
        arguments = "other, self" if reflected else "self, other"
        return "\n".join(_binary(op, name, reflected, f"apply_operator(OP_{op.name}, {arguments})"))
    if len(op.operands) == 1:
        return "\n".join(_unary(op, name))
    if len(op.operands) == 2:
        return "\n".join(_binary(op, name, False, f"apply(OP_{op.name}, (self, other))"))
    return "\n".join(_general(op, name))


def function_source(op: Op) -> str:
    """The source of the free function of an operation."""
    return "\n".join(_variadic(op) if op.variadic else _function(op))
