"""Rule text -> expressions -> source -> functions.

A rule is parsed once into an `Expression` and checked there: after that it can name only operands and operations of
the table. Expressions are spelled in four styles from one routine:

- `formula`: what people read on an edge of a diagram, with the operands' own names;
- `fast`: Python source over floats whose functions may raise at the corners of their domains;
- `value`: Python source over Values, whose result is a graph again: derivatives of derivatives;
- `ieee`: the same source with functions and arithmetic that answer as IEEE 754 does.

The generated eager operators (`engine/generate.py`) are `fast` source; where that raises they hand over to
`evaluator(op)`, which is `ieee`. Common subexpressions are computed once in both.
"""

from __future__ import annotations

import _ast as ast  # the nodes alone: `ast` itself would double the time `import engine` takes

from engine.floats import FAST, IEEE
from engine.ops import OPS, Op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    # An operand's name, a number, or an operation applied to expressions: `("add", "x", ("exp", "y"))`.
    Expression = str | float | tuple["Expression", ...]

_BINARY = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.FloorDiv: "floordiv", ast.Mod: "mod",
           ast.Pow: "pow"}  # fmt: skip
_COMPARE = {ast.Lt: "less", ast.LtE: "less_equal", ast.Gt: "greater", ast.GtE: "greater_equal", ast.Eq: "equal",
            ast.NotEq: "not_equal"}  # fmt: skip
_NUMBERS = {"inf": float("inf"), "nan": float("nan")}
_LISTS = {"xs", "ys"}
_ELEMENTS = {"x", "y"}


class RuleError(ValueError):
    """A rule of the table is wrong; the message names the entry and the rule."""


# --- text -> expression


def parse(op: Op, text: str) -> Expression:
    """The expression that a rule of `op` stands for.

    Raises:
        RuleError: syntax, a name that is neither an operand nor an operation, a wrong number of arguments.

    >>> parse(OPS["div"], "-z / y")
    ('div', ('neg', 'z'), 'y')
    """
    names = {*op.operands, "z"} | ({"x", "y", "n"} if op.variadic else set())

    def fail(what: str) -> RuleError:
        return RuleError(
            f"operation {op.name!r}: {what}, in the rule {text!r}; "
            f"a rule may use {sorted(names)}, numbers and the operations of the table"
        )

    def convert(node: ast.AST) -> Expression:
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return float(number)
            case ast.Name(id=name) if name in names:
                return name
            case ast.Name(id=name) if name in _NUMBERS:
                return _NUMBERS[name]
            case ast.Name(id=name):
                raise fail(f"{name!r} is unknown")
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return -float(number)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return ("neg", convert(operand))
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _BINARY:
                return (_BINARY[type(operator)], convert(left), convert(right))
            case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in _COMPARE:
                return (_COMPARE[type(operator)], convert(left), convert(right))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                callee = OPS.get(name)
                if callee is None and name not in FAST:
                    raise fail(f"there is no operation {name!r}")
                expected = len(callee.operands) if callee else 1
                if len(arguments) != expected:
                    raise fail(f"{name} takes {expected} operands and is given {len(arguments)}")
                return (name, *(convert(argument) for argument in arguments))
        from ast import unparse

        raise fail(f"{unparse(node)!r} is not allowed")

    try:
        tree = compile(text, "<rule>", "eval", ast.PyCF_ONLY_AST)
    except SyntaxError as error:
        raise fail(f"syntax error ({error.msg})") from None
    return convert(tree.body)  # type: ignore[attr-defined]  # the node of mode "eval" has a body


def validate(table: Mapping[str, Op] = OPS) -> None:
    """Check every entry of the table: run at import.

    Raises:
        RuleError: naming the entry, for a rule that does not parse, a missing or surplus partial, a domain that does
            not fit the operands, or a value that is defined by itself without a primitive of that name.
    """
    for op in table.values():
        if not len(op.partials) == len(op.textbook) == len(op.operands):
            raise RuleError(
                f"operation {op.name!r}: it has {len(op.operands)} operands and {len(op.partials)} partials; "
                "give one rule for each operand, in order"
            )
        if len(op.domain) != len(op.operands):
            raise RuleError(
                f"operation {op.name!r}: {len(op.domain)} domains for {len(op.operands)} operands; "
                "give one interval, or one for each operand"
            )
        if op.value.startswith(op.name + "(") and op.name not in FAST and op.name != "where":
            raise RuleError(
                f"operation {op.name!r}: its value {op.value!r} calls itself, and there is no primitive of that name; "
                "write it in other operations, or add it to engine/floats.py"
            )
        for text in (op.value, *op.partials, *op.textbook, *op.quick, *op.kinks):
            parse(op, text)


def partial_texts(op: Op, count: int) -> tuple[str, ...]:
    """The partial's formula for each of `count` parents: a variadic operation repeats the one of its list.

    >>> partial_texts(OPS["dot"], 4)
    ('y', 'y', 'x', 'x')
    """
    if not op.variadic:
        return op.textbook
    return tuple(text for text in op.textbook for _ in range(count // len(op.textbook)))


# --- expression -> text

_INFIX = {"add": 5, "sub": 5, "mul": 6, "div": 6, "floordiv": 6, "mod": 6, "pow": 8, "less": 4, "less_equal": 4,
          "greater": 4, "greater_equal": 4, "equal": 4, "not_equal": 4}  # fmt: skip
_TERNARY, _UNARY, _ATOM = 1, 7, 9
_CALLS = {
    "formula": {},
    "fast": {"pow": "_power"},  # Python's own `**` turns complex for a negative base
    "value": {name: name for name in ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")},
    "ieee": {"pow": "_power", "div": "_divide", "floordiv": "_floor_divide", "mod": "_remainder"},
}
_NEVER_RAISES = {"add", "sub", "mul", "neg", "abs", "where", *_COMPARE.values()}


def spell(expression: Expression, style: str, known: Mapping[Expression, str] | Mapping[str, str]) -> str:
    """An expression as text, in the style `formula`, `fast`, `ieee` or `value`.

    `known` gives the text of names, and of subexpressions that already have a variable.

    >>> spell(("mul", ("add", "x", 1.0), "y"), "formula", {"x": "a", "y": "b"})
    '(a + 1) * b'
    """

    def inside(part: Expression, binding: int) -> str:
        text, own = write(part)
        return text if own >= binding else f"({text})"

    def write(part: Expression) -> tuple[str, int]:
        if part in known:
            return known[part], _ATOM  # type: ignore[index]  # either mapping has it
        if isinstance(part, str):
            return part, _ATOM
        if isinstance(part, float):
            return _number(part, style), _ATOM if part >= 0 else _UNARY
        name, *arguments = part
        assert isinstance(name, str)
        if name == "neg":
            return f"-{inside(arguments[0], _UNARY)}", _UNARY
        if name == "where" and style in ("fast", "ieee"):
            condition, then, otherwise = arguments
            return f"{inside(then, 2)} if {inside(condition, 2)} else {inside(otherwise, 1)}", _TERNARY
        called = _CALLS[style].get(name)
        prefix = "_" if style in ("fast", "ieee") else ""
        if name in _INFIX and called is None:
            binding = _INFIX[name]
            left, right = (binding + 1, binding) if name == "pow" else (binding, binding + 1)
            return f"{inside(arguments[0], left)} {OPS[name].symbol} {inside(arguments[1], right)}", binding
        texts = [
            inside(a, 0) if style == "formula" or a in _LISTS or not _is_reduction(name)
            else f"[{inside(a, 0)} for x in xs]"
            for a in arguments
        ]  # fmt: skip
        return f"{called or prefix + name}({', '.join(texts)})", _ATOM

    return write(expression)[0]


def formula(op: Op, text: str, names: Mapping[str, str], numbers: Mapping[str, float] | None = None) -> str:
    """A rule as people read it, with the operands' own names in place of x and y, and numbers for constants.

    >>> formula(OPS["div"], "-z / y", {"x": "a", "y": "b", "z": "c"})
    '-c / b'
    >>> formula(OPS["pow"], "y * x ** (y - 1)", {"x": "a"}, {"y": 2.0})
    '2 * a'
    """
    return spell(_simplified(parse(op, text), numbers or {}), "formula", names)


def _simplified(expression: Expression, numbers: Mapping[str, float]) -> Expression:
    """Numbers put in and subtracted, and a first power left out: `2 * a`, not `2 * a ** (2 - 1)`."""
    if isinstance(expression, str):
        return numbers.get(expression, expression)
    if isinstance(expression, float):
        return expression
    name, *parts = expression
    simple = [_simplified(part, numbers) for part in parts]
    match name, *simple:
        case "sub", float() as x, float() as y:
            return x - y
        case "pow", base, 1.0:
            return base
    return (name, *simple)


def _number(number: float, style: str) -> str:
    if style == "formula":
        return f"{number:.5g}"
    return repr(number)  # inf and nan are names in the generated code's namespace


def _is_reduction(name: str) -> bool:
    return name not in OPS or OPS[name].variadic


# --- expression -> source over floats


def expand(expression: Expression, bound: Mapping[str, Expression], over_values: bool = False) -> Expression:
    """Put arguments for names, and rules for operations, until only primitives and arithmetic remain.

    Inside a reduction `xs` becomes `x`, the element; squares become products, so that the base is computed once; and
    abs(-x) becomes abs(x), for the same reason. Over Values operations stay: each is a node.
    """
    if isinstance(expression, str):
        return bound.get(expression, expression)
    if isinstance(expression, float):
        return expression
    name, *parts = expression
    assert isinstance(name, str)
    if _is_reduction(name):
        parts = [part if part in _LISTS else expand(part, {**bound, "xs": "x"}, over_values) for part in parts]
    else:
        parts = [expand(part, bound, over_values) for part in parts]
    if over_values:
        return (name, *parts)
    if name == "abs" and isinstance(parts[0], tuple) and parts[0][0] == "neg":
        return (name, parts[0][1])
    if name == "pow" and parts[1] == 2.0:
        return ("mul", parts[0], parts[0])
    if name in FAST or name in _INFIX or name in ("neg", "where"):
        return (name, *parts)
    op = OPS[name]
    return expand(parse(op, op.value), dict(zip(op.operands, parts, strict=True)))


def _count_uses(expression: Expression, counts: dict[Expression, int]) -> None:
    """Count, for each subexpression, the places that use it; inner ones come first in `counts`."""
    if isinstance(expression, tuple):
        if expression not in counts:
            for part in expression[1:]:
                _count_uses(part, counts)
        counts[expression] = counts.get(expression, 0) + 1


def _always_evaluated(expression: Expression) -> Iterator[Expression]:
    """The subexpressions outside the branches of a `where`: only these may move to the front."""
    if isinstance(expression, tuple):
        yield expression
        for part in expression[1:2] if expression[0] == "where" else expression[1:]:
            yield from _always_evaluated(part)


def _names(expression: Expression) -> set[str]:
    """The names an expression depends on; a reduction runs over its own elements, and depends on the whole list."""
    if isinstance(expression, str):
        return {expression}
    names: set[str] = set()
    if isinstance(expression, tuple):
        for part in expression[1:]:
            names |= _names(part)
        if _is_reduction(str(expression[0])):
            names -= _ELEMENTS
    return names


class Body:
    """The statements that compute z and the wanted partials of one operation from its operands' floats.

    Attributes:
        lines: statements that assign variables, `z` among them.
        partials: by operand, an expression; of a variadic operation, one for the whole list.
        elements: of a variadic operation, an expression for one operand of the list, `x`.
        raises: whether any of it may raise.
    """

    def __init__(self, op: Op, style: str, wanted: tuple[int, ...], quick: bool = False) -> None:
        self.style = style
        over_values = style == "value"
        rules = op.quick if quick else (op.value, *op.partials)
        value = "z" if over_values else expand(parse(op, rules[0]), {})  # a node knows its own value
        partials = {k: expand(parse(op, rules[k + 1]), {}, over_values) for k in wanted}
        self._known: dict[Expression, str] = {}
        self.lines: list[str] = []

        counts: dict[Expression, int] = {}
        for root in (value, *partials.values()):
            _count_uses(root, counts)
        certain = {part for root in (value, *partials.values()) for part in _always_evaluated(root)}
        shared = [
            part for part, count in counts.items() if part in certain and part != value and self._moves(part, count, op)
        ]
        for part in shared:
            if "z" not in _names(part):
                self._assign(part, f"t{len(self._known)}")
        if not over_values:
            self._assign(value, "z")
        for part in shared:
            if "z" in _names(part):
                self._assign(part, f"t{len(self._known)}")
        self.raises = any(isinstance(part, tuple) and part[0] not in _NEVER_RAISES for part in counts)
        self.elements = {k: self._text(e) for k, e in partials.items()}
        self.partials = {k: self._vector(e, op) for k, e in partials.items()} if op.variadic else self.elements

    @staticmethod
    def _moves(part: Expression, count: int, op: Op) -> bool:
        """Whether a subexpression gets a variable: it is used twice, or would be computed again for each operand."""
        if not op.variadic:
            return count > 1
        reduces = isinstance(part, tuple) and _is_reduction(str(part[0]))
        return (count > 1 or reduces) and not _names(part) & _ELEMENTS

    def _text(self, expression: Expression) -> str:
        return spell(expression, self.style, self._known)

    def _assign(self, expression: Expression, name: str) -> None:
        self.lines.append(f"{name} = {self._text(expression)}")
        self._known[expression] = name

    def _vector(self, expression: Expression, op: Op) -> str:
        """The partials of a whole list of operands, as source of a list."""
        if expression in _ELEMENTS:
            return f"{expression}s"
        if isinstance(expression, tuple) and expression[0] not in OPS:
            return self._text(expression)
        if not _names(expression) & _ELEMENTS:
            return f"[{self._text(expression)}] * n"
        return f"[{self._text(expression)} for x in xs]"


_evaluators: dict[Op, Callable[..., tuple[float, list[float]]]] = {}


def evaluator(op: Op) -> Callable[..., tuple[float, list[float]]]:
    """A function from the operands' floats (or lists of floats) to the result and its partials. It never raises.

    >>> evaluator(OPS["div"])(1.0, 0.0)
    (inf, [inf, -inf])
    """
    if op in _evaluators:
        return _evaluators[op]
    body = Body(op, "ieee", tuple(range(len(op.operands))))
    lines = [f"def evaluate({', '.join(op.operands)}):"]
    if op.variadic:
        lines.append("    n = len(xs)")
    lines += [f"    {line}" for line in body.lines]
    partials = body.partials.values()
    lines.append(f"    return z, [{', '.join(f'*{p}' if op.variadic else p for p in partials)}]")
    namespace = {**{f"_{name}": function for name, function in IEEE.items()}, **_NUMBERS}
    exec("\n".join(lines), namespace)
    _evaluators[op] = namespace["evaluate"]  # type: ignore[assignment]
    return _evaluators[op]


_graph_rules: dict[tuple[Op, int], Callable[..., Any]] = {}


def graph_rule(op: Op, k: int, functions: Mapping[str, object]) -> Callable[..., Any]:
    """The rule of one partial over Values: from operands and result to a Value, or a number if it is one.

    Of a variadic operation: from the lists and the result to the list of partials of the k-th list. `functions` are
    the free functions by name.
    """
    if (op, k) in _graph_rules:
        return _graph_rules[op, k]
    body = Body(op, "value", (k,))
    lines = [f"def rule({', '.join(op.operands)}, z):"]
    if op.variadic:
        lines.append("    n = len(xs)")
    lines += [f"    {line}" for line in body.lines]
    lines.append(f"    return {body.partials[k]}")
    namespace: dict[str, Any] = {**functions, **_NUMBERS}
    exec("\n".join(lines), namespace)
    _graph_rules[op, k] = namespace["rule"]
    return _graph_rules[op, k]
