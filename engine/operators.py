"""Operations at work on Values: the nodes they make, and the methods and operators that they become.

The generated code comes here for everything out of the ordinary: numbers among the operands, corners where Python
raises, recording modes.
"""

from __future__ import annotations

from itertools import chain

from engine import anomaly, modes, tracing
from engine.generate import method_names, method_source, names_in_code
from engine.ops import OPS
from engine.rules import evaluator
from engine.source_lines import calling_line
from engine.value import Value, constant, is_operand, new, operand, shortened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from engine.ops import Op


def node_of(op: Op, parents: tuple[Value, ...], data: float, partials: tuple[float, ...]) -> Value:
    """A computed node."""
    node = new(Value)
    node._data = data
    node._grad = 0.0
    node.op = op
    node._connect(parents, partials)
    node._note = None
    return node


def record(op: Op, parents: tuple[Value, ...], data: float, partials: tuple[float, ...]) -> Value:
    """A computed node, as the modes that hold here want it."""
    active = modes.active()
    if "detect_anomaly" in active:
        anomaly.check_forward(op, parents, data)
    if "no_grad" in active:
        if "tracing" in active:
            tracing.refuse(node_of(op, parents, data, partials), "no_grad()")
        return constant(data)
    node = node_of(op, parents, data, partials)
    if "record_source" in active:
        line = calling_line()
        node._note = _notes.get(line) or _notes.setdefault(line, (None, line))
    return node


# Nodes that were made on one line share their note: the cyclic collector has less to look at.
_notes: dict[tuple[str, int], tuple[None, tuple[str, int]]] = {}


def apply(op: Op, operands: Sequence[object]) -> Value:
    """Any operation on Values and numbers, the general way: with IEEE 754's answer at every corner.

    Raises:
        TypeError: an operand is neither a Value nor a real number.

    >>> apply(OPS["div"], (1.0, Value(0.0)))
    Value(inf, grad=0.0, op='div')
    """
    parents = tuple(map(operand, operands))
    data, partials = evaluator(op)(*[parent._data for parent in parents])
    return _recorded_unless_constant(op, parents, operands, data, partials)


def _recorded_unless_constant(
    op: Op, parents: tuple[Value, ...], operands: Sequence[object], data: float, partials: Sequence[float]
) -> Value:
    entered = [parent is not thing for parent, thing in zip(parents, operands, strict=True)]
    if all(entered):
        if "detect_anomaly" in modes.active():
            anomaly.check_forward(op, parents, data)
        return constant(data)
    return record(op, parents, data, tuple(0.0 if new else p for p, new in zip(partials, entered, strict=True)))


def apply_operator(op: Op, x: object, y: object) -> Value:
    """`apply` for Python's operators: what is not a number is left to the other side."""
    return apply(op, (x, y)) if is_operand(x) and is_operand(y) else NotImplemented


def listed(things: Iterable[object], op: Op) -> tuple[object, ...]:
    """The operands of a variadic operation, as a tuple.

    Raises:
        TypeError: they cannot be iterated over.
    """
    try:
        iterator = iter(things)
    except TypeError:
        raise TypeError(
            f"{op.name} takes an iterable of values and numbers; got {shortened(things)}; write {op.name}([a, b, ...])"
        ) from None
    return tuple(iterator)


def apply_to_lists(op: Op, lists: tuple[tuple[object, ...], ...]) -> Value:
    """A variadic operation, the general way.

    Raises:
        ValueError: two lists of different length, or no operands where the result needs one.
        TypeError: an operand is neither a Value nor a real number.
    """
    lengths = [len(things) for things in lists]
    if len(set(lengths)) > 1:
        raise ValueError(
            f"{op.name} takes lists of equal length; got lengths {' and '.join(map(str, lengths))}; "
            "give each operand its partner"
        )
    if not lengths[0]:
        if op.empty is None:
            raise ValueError(f"{op.name} of no operands has no value; got an empty list; pass at least one")
        return constant(op.empty)
    operands = tuple(chain(*lists))
    parents = tuple(map(operand, operands))
    numbers = [parent._data for parent in parents]
    rows = [numbers[k : k + lengths[0]] for k in range(0, len(numbers), lengths[0])]
    data, partials = evaluator(op)(*rows)
    return _recorded_unless_constant(op, parents, operands, data, partials)


# --- methods of Value

_scope: dict[str, object] = {
    **names_in_code(),
    **{f"OP_{op.name}": op for op in OPS.values()},
    "Value": Value, "new": new, "constant": constant, "record": record,
    "apply": apply, "apply_operator": apply_operator, "apply_to_lists": apply_to_lists, "listed": listed,
    "__name__": Value.__module__,
}  # fmt: skip
modes.attach(_scope, operators=True)


def define(source: str, name: str, title: str) -> Callable[..., Any]:
    """The function `name` that generated source defines, registered so that tracebacks and debuggers can show it."""
    import linecache

    file = f"<glassgrad {title}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    made: dict[str, Callable[..., Any]] = {}
    exec(compile(source, file, "exec"), _scope, made)
    return made[name]


class _Method:
    """Stands in for a generated method until it is first looked up: `import engine` need not compile them all."""

    def __init__(self, op: Op, name: str) -> None:
        self.op, self.name = op, name

    def __get__(self, node: Value | None, owner: type[Value]) -> Any:
        method = define(method_source(self.op, self.name), self.name, f"Value.{self.name}")
        method.__qualname__ = f"Value.{self.name}"
        setattr(Value, self.name, method)
        return method.__get__(node, owner)


for _op in OPS.values():
    for _name in method_names(_op):
        setattr(Value, _name, _Method(_op, _name))


def _array_ufunc(node: Value, *given: Any, **options: Any) -> Any:
    """Stands in for the method until NumPy first meets a Value: `import engine` need not load what it takes."""
    from engine.arrays import array_ufunc

    Value.__array_ufunc__ = array_ufunc(Value, apply)
    return Value.__array_ufunc__(node, *given, **options)


Value.__array_ufunc__ = _array_ufunc
