"""`Value`: a number that remembers how it was computed, and `backward()`.

A node stores its operands (`parents`, in order, a repeated operand twice) and the partial of itself with respect to
each (`partials`), computed when it was made. There are no closures and no cycles: what was recorded is what
`backward()` uses, whatever happens to the data of a leaf in between, and a graph is freed when its last reference
goes.

One or two parents lie in slots of their own, and so do one or two lists of them (the two sides of a dot). A node of
one or two operands is one object to Python's cyclic collector, not three: building graphs is up to 1.7 times faster.

The operators and methods come from the operation table: see `engine/ops.py` for what they compute,
`engine/generate.py` for how they are written and `engine/operators.py` for how they come here.
"""

from __future__ import annotations

import math

from engine import copying, modes, tracing
from engine.backpropagation import backpropagate
from engine.graph import topological_order
from engine.ops import CONSTANT, LEAF
from engine.source_lines import calling_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self

    from engine.generated import Methods
    from engine.ops import Op
else:
    Methods = object

new = object.__new__
modes_active = False
"""Whether any thread is in a mode: kept up to date by `modes`."""
modes.attach(globals())


class Value(Methods):
    """A scalar variable, or the result of an operation on others.

    Args:
        data: a real number (int, float, bool, NumPy real scalar); kept as a float.
        label: a name, for people: shown in `repr`, in diagrams and by the stepper.

    Attributes:
        data: the number. Only a leaf's can be set.
        grad: d root / d self, after `root.backward()`. Leaves accumulate over calls; other nodes start afresh.
        op: the operation that made it, an entry of `engine.ops.OPS`, or `LEAF` or `CONSTANT`.
        parents: the operands, in order.
        partials: d self / d parent for each of them, as numbers; 0.0 for a number that entered as a constant.
        label: the name, or None.
        source: (file, line) that made it, under `record_source()`; else None.

    Raises:
        TypeError: `data` is not a real number.

    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> loss = (a * b + 10).tanh()
    >>> loss.backward()
    >>> round(a.grad, 6), loss.op.name, (a * b).partials
    (-0.004023, 'tanh', (-3.0, 2.0))

    Arithmetic follows IEEE 754: nothing raises, 1/0 is inf and 0/0 is nan. Comparisons compare data, `==` and `hash`
    are identity, so that nodes can live in sets. Numbers that enter an expression become constants.
    """

    __slots__ = ("_data", "_first", "_grad", "_note", "_second", "_to_first", "_to_second", "op")

    if TYPE_CHECKING:
        _data: float
        _grad: float
        _note: tuple[str | None, tuple[str, int] | None] | None
        op: Op
        _first: Any  # a parent, or a tuple of parents, or None
        _second: Any  # the second parent or the parents after `_first`, or None
        _to_first: Any  # the partial, or a tuple of partials
        _to_second: Any
        __array_ufunc__: Any  # NumPy's functions, from `engine/operators.py` as the operators are

    def __init__(self, data: float, label: str | None = None) -> None:
        self._data = _own_number(data)
        self._grad = 0.0
        self.op = LEAF
        self._first = self._second = self._note = None
        self._to_first = self._to_second = 0.0
        if label is not None:
            self.label = label
        if modes_active:
            active = modes.active()
            if "record_source" in active:
                self._note = (self.label, calling_line())
            if "tracing" in active:
                tracing.remember(self)

    @property
    def parents(self) -> tuple[Value, ...]:
        return _joined(self._first, self._first, self._second)

    @property
    def partials(self) -> tuple[float, ...]:
        if modes_active:
            tracing.check(self, ".partials")
        return _joined(self._first, self._to_first, None if self._second is None else self._to_second)

    def _connect(self, parents: tuple[Value, ...], partials: tuple[float, ...]) -> None:
        """Keep parents and partials where they belong."""
        count = len(parents)
        inline = count in (1, 2)
        self._first, self._to_first = (parents[0], partials[0]) if inline else (parents or None, partials)
        self._second, self._to_second = (parents[1], partials[1]) if count == 2 else (None, 0.0)

    @property
    def data(self) -> float:
        if modes_active:
            tracing.check(self, ".data")
        return self._data

    @data.setter
    def data(self, number: float) -> None:
        if self._first is not None:
            raise AttributeError(
                f"the data of a computed node cannot be set: got {number!r} for {self!r}; "
                "set the data of the leaves and compute again"
            )
        if modes_active:
            tracing.check(self, "setting .data")
        self._data = _own_number(number)

    @property
    def grad(self) -> float:
        if modes_active:
            tracing.check(self, ".grad")
        return self._grad

    @grad.setter
    def grad(self, number: float) -> None:
        self._grad = _own_number(number)

    @property
    def label(self) -> str | None:
        return self._note[0] if self._note else None

    @label.setter
    def label(self, name: str | None) -> None:
        if name is not None and not isinstance(name, str):
            raise TypeError(f"a label must be a string; got {name!r}; use label={str(name)!r}")
        self._note = (name, self.source) if name is not None or self.source else None

    @property
    def source(self) -> tuple[str, int] | None:
        return self._note[1] if self._note else None

    @property
    def is_constant(self) -> bool:
        """Whether it is a number that entered an expression: it has no gradient."""
        return self.op is CONSTANT

    # --- backpropagation

    def backward(self, upstream: float = 1.0) -> None:
        """Add d self / d leaf to the gradient of every leaf, and set it on every node in between.

        Each node passes `upstream gradient * partial` to its parents, in reverse topological order: the chain rule.
        Leaves accumulate over calls, other nodes start from zero in each: two calls give exactly twice the gradient.
        If it raises, or is interrupted, the leaves keep the gradients they had.

        Args:
            upstream: the gradient of this node itself.

        Raises:
            TypeError: `upstream` is not a real number.
            RuntimeError: this is a constant, as everything computed under `no_grad()` is.
            AnomalyError: under `detect_anomaly()`, when a gradient becomes nan or inf.

        >>> x = Value(2.0)
        >>> h = x * x
        >>> (3 * h + h).backward()
        >>> x.grad
        16.0
        """
        start = _own_number(upstream)
        if modes_active:
            tracing.check(self, "backward()")
        if self.op is CONSTANT:
            raise RuntimeError(
                f"a constant has no graph to go back through: got {self!r}; "
                "compute it from Values, and outside no_grad()"
            )
        backpropagate(self, start)

    def zero_grad(self) -> None:
        """Set the gradient of this node, and of everything it was computed from, to zero."""
        for node in topological_order(self):
            node._grad = 0.0

    def detach(self) -> Value:
        """The same number as a constant: no gradient flows through it.

        >>> x = Value(3.0)
        >>> (x.detach() * x).backward()
        >>> x.grad
        3.0
        """
        if modes_active:
            tracing.check(self, "detach()")
        return constant(self._data)

    # --- leaving the graph

    def __float__(self) -> float:
        return _leaving(self, "float()")

    def __int__(self) -> int:
        return int(_leaving(self, "int()"))

    def __bool__(self) -> bool:
        return _leaving(self, "a branch or bool()") != 0.0

    def __round__(self, digits: int | None = None) -> float:
        return round(_leaving(self, "round()"), digits)

    def __floor__(self) -> int:
        return math.floor(_leaving(self, "math.floor()"))

    def __ceil__(self) -> int:
        return math.ceil(_leaving(self, "math.ceil()"))

    def __trunc__(self) -> int:
        return math.trunc(_leaving(self, "math.trunc()"))

    def __format__(self, spec: str) -> str:
        return format(self._data, spec) if spec else repr(self)

    def __lt__(self, other: object) -> bool:
        return _leaving(self, "<") < _leaving(other, "<") if is_operand(other) else NotImplemented

    def __le__(self, other: object) -> bool:
        return _leaving(self, "<=") <= _leaving(other, "<=") if is_operand(other) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return _leaving(self, ">") > _leaving(other, ">") if is_operand(other) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return _leaving(self, ">=") >= _leaving(other, ">=") if is_operand(other) else NotImplemented

    def __pos__(self) -> Self:
        return self

    # --- for people

    def __repr__(self) -> str:
        if self.op is CONSTANT:
            return f"Value({self._data!r}, constant{f', label={self.label!r}' if self.label else ''})"
        made = "" if self.op is LEAF else f", op={self.op.name!r}"
        named = f", label={self.label!r}" if self.label else ""
        return f"Value({self._data!r}, grad={self._grad!r}{made}{named})"

    def describe(self) -> str:
        """What this node is, over several lines: value, formula, gradient, where it was made, operands and partials.

        >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
        >>> e = a * b
        >>> e.label = "e"
        >>> print(e.describe())
        e = a * b = -6.0
          gradient  0.0
          de/da = b = -3.0   a = 2.0
          de/db = a = 2.0   b = -3.0
        """
        from engine.formulas import describe

        return describe(self)

    # --- copies and pickles

    def __copy__(self) -> Self:
        if modes_active:
            tracing.check(self, "copy()")
        return copying.shallow(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        if modes_active:
            tracing.check(self, "deepcopy()")
        return copying.deep(self, memo)

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        if modes_active:
            tracing.check(self, "a pickle")
        return copying.reduced(self)


def _leaving(thing: object, how: str) -> float:
    """The number of something that leaves the graph."""
    if modes_active and isinstance(thing, Value):
        tracing.check(thing, how)
    return real(thing)


def _joined(first_parent: Any, first: Any, second: Any) -> tuple[Any, ...]:
    """Two slots as one tuple: of single things or of tuples, as the first parent is."""
    if first_parent is None:
        return ()
    if first_parent.__class__ is tuple:
        return first if second is None else first + second  # type: ignore[no-any-return]
    return (first,) if second is None else (first, second)


# --- numbers that enter


def real(number: object) -> float:
    """A number, or a Value's number, as a float.

    Raises:
        TypeError: it is not a real number.
        OverflowError: an int that no float can hold.
    """
    if number.__class__ is float:
        return number
    if isinstance(number, Value):
        return number._data
    try:
        if _is_real(number):
            return float(number)  # type: ignore[arg-type]
    except TypeError:  # NumPy counts its time spans among the numbers
        pass
    except OverflowError:
        size = f"one of {number.bit_length()} bits" if isinstance(number, int) else shortened(number)
        raise OverflowError(f"a number too large for a float; got {size}; use at most 1.8e308") from None
    raise TypeError(
        f"a Value holds one real number; got {type(number).__name__}: {shortened(number)}; "
        "pass an int, a float or a NumPy real scalar, and make one Value for each number"
    )


def _own_number(number: object) -> float:
    """A number that is nobody's node: taking a Value's number would cut its graph off without a word."""
    if isinstance(number, Value):
        raise TypeError(
            f"a Value cannot hold another; got {shortened(number)}; use it as it is, its .data, or .detach()"
        )
    return real(number)


def _is_real(number: object) -> bool:
    if isinstance(number, (float, int)):
        return True
    from numbers import Real

    return isinstance(number, Real) or (
        type(number).__module__ == "numpy" and type(number).__name__ in ("bool", "bool_")
    )


def is_operand(thing: object) -> bool:
    """Whether it can stand in an expression: a Value or a real number."""
    return isinstance(thing, (Value, float, int)) or _is_real(thing)


def shortened(thing: object) -> str:
    """How a thing looks, in 60 characters."""
    text = repr(thing).replace("\n", " ")
    return text if len(text) <= 60 else text[:57] + "..."


def constant(number: float) -> Value:
    """A node for a number that enters an expression: it has no gradient.

    >>> constant(2)
    Value(2.0, constant)
    """
    node = new(Value)
    node._data = real(number)
    node._grad = 0.0
    node.op = CONSTANT
    node._first = node._second = node._note = None
    node._to_first = node._to_second = 0.0
    return node


def operand(thing: object) -> Value:
    """A Value as it is, a number as a constant; anything else is a TypeError."""
    return thing if isinstance(thing, Value) else constant(thing)  # type: ignore[arg-type]  # constant checks
