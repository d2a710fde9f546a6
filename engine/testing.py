"""Hypothesis strategies for graphs, and for the operands of operations: for your own tests of things that use Values.

Needs hypothesis, which nothing else in the engine does.

>>> from hypothesis import given, settings
>>> from engine import Value
>>> @settings(max_examples=5, database=None)
... @given(graphs(max_ops=5))
... def test_my_function(program):
...     leaves = [Value(x) for x in program.leaves]
...     output = program.run(FUNCTIONS, leaves)[-1]
...     assert output.op.name
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise ImportError(
        "engine.testing needs hypothesis, which is not installed; got " + repr(error) + "; pip install hypothesis"
    ) from None

from engine import functions
from engine.floats import IEEE
from engine.ops import OPS, Op
from engine.rules import evaluator, expand, parse, spell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

REGIMES = (0.0, 1e-6, -1e-6, 1.0, -1.0, 5.5, -5.5, 20.0, -20.0, 40.0, -40.0, 100.0)
"""Where formulas change: at zero and near it, where exponentials start to vanish, where they are gone."""

DEFAULT_OPS = (
    "add", "sub", "mul", "div", "neg", "tanh", "sigmoid", "exp", "log", "sqrt", "sin", "square", "relu", "abs",
    "maximum", "softplus", "sum", "dot", "mean", "max", "logsumexp", "prod",
)  # fmt: skip


class Program(NamedTuple):
    """An expression as data: numbers for the leaves, then steps `(operation, positions of its operands)`.

    A step may use any earlier result, any number of times.

    >>> square_of_sum = Program([1.0, 2.0], [("add", (0, 1)), ("mul", (2, 2))])
    >>> square_of_sum.run(FUNCTIONS, [1.0, 2.0])[-1].data
    9.0
    """

    leaves: list[float]
    steps: list[tuple[str, tuple[int, ...]]]

    def run(self, functions: Mapping[str, Callable[..., Any]], leaves: Sequence[Any]) -> list[Any]:
        """All values, leaves first, computed by any engine with functions of these names; the last is the result."""
        values = list(leaves)
        for name, positions in self.steps:
            operands: list[Any] = [values[i] for i in positions]
            if OPS[name].variadic:
                size = len(operands) // len(OPS[name].operands)
                operands = [operands[k : k + size] for k in range(0, len(operands), size)]
            values.append(functions[name](*operands))
        return values


FUNCTIONS: dict[str, Callable[..., Any]] = {name: getattr(functions, name) for name in OPS}
"""The engine's own functions by name, for `Program.run`."""


@st.composite
def graphs(
    draw: st.DrawFn,
    ops: Sequence[str] = DEFAULT_OPS,
    max_ops: int = 20,
    share: bool = True,
    leaves: st.SearchStrategy[float] | None = None,
) -> Program:
    """Programs of up to `max_ops` operations.

    Args:
        ops: names of the operations to draw from.
        max_ops: the most operations.
        share: whether a result may be used more than once; without sharing the graph is a tree. Trees never find the
            bugs that matter: `=` for `+=`, a repeated operand, a wrong order.
        leaves: the numbers to start from; three digits in [-3, 3] if left out.

    >>> from hypothesis import find
    >>> find(graphs(["add"]), lambda program: True)
    Program(leaves=[0.0], steps=[('add', (0, 0))])
    """
    number = leaves if leaves is not None else st.floats(-3.0, 3.0).map(lambda x: round(x, 3))
    start = draw(st.lists(number, min_size=1, max_size=4))
    steps: list[tuple[str, tuple[int, ...]]] = []
    unused = list(range(len(start)))
    for _ in range(draw(st.integers(1, max_ops))):
        op = OPS[draw(st.sampled_from(list(ops)))]
        count = draw(st.integers(1, 4)) * len(op.operands) if op.variadic else len(op.operands)
        size = len(start) + len(steps)
        if share:
            # recent values are preferred, so that graphs are deep as well as shared
            position = st.one_of(st.integers(0, size - 1), st.integers(max(0, size - 3), size - 1))
            chosen = tuple(draw(position) for _ in range(count))
        elif len(unused) < count:
            break
        else:
            chosen = tuple(draw(st.permutations(unused))[:count])
            unused = [i for i in unused if i not in chosen] + [size]
        steps.append((op.name, chosen))
    return Program(start, steps)


def regime_floats() -> st.SearchStrategy[float]:
    """Numbers from every regime: 0, +-1e-6, +-1, +-5.5, +-20, +-40, 100 and ordinary ones.

    >>> from hypothesis import find
    >>> find(regime_floats(), lambda x: x > 50)
    100.0
    """
    return st.one_of(st.sampled_from(REGIMES), st.floats(-10.0, 10.0))


def safe_inputs(op: Op, margin: float = 0.05) -> st.SearchStrategy[tuple[Any, ...]]:
    """Operands at which an operation is smooth: inside its domain, at least `margin` away from its kinks.

    Of a variadic operation: lists of up to six numbers. For `polygamma`, its order is a whole number.

    >>> from hypothesis import find
    >>> find(safe_inputs(OPS["sqrt"]), lambda operands: operands[0] > 1) > (1,)
    True
    """

    def numbers(low: float, high: float) -> st.SearchStrategy[float]:
        low, high = max(low, -6.0), min(high, 6.0)
        return st.floats(low, high, exclude_min=low > -6.0, exclude_max=high < 6.0)

    if op.variadic:
        size = st.integers(1, 6)
        return size.flatmap(
            lambda n: st.tuples(*(st.lists(numbers(*interval), min_size=n, max_size=n) for interval in op.domain))
        )
    parts = [numbers(*interval) for interval in op.domain]
    if op.name == "polygamma":
        parts[0] = st.sampled_from([1.0, 2.0, 3.0])
    return st.tuples(*parts).filter(lambda operands: kink_distance(op, *operands) >= margin)


def special_points(op: Op) -> st.SearchStrategy[tuple[Any, ...]]:
    """The operands that the table lists for an operation: kinks, poles, ends of the range, infinities and nan.

    >>> from hypothesis import find
    >>> find(special_points(OPS["relu"]), lambda operands: True)
    (0.0,)
    """
    return st.sampled_from(op.special)


def kink_distance(op: Op, *operands: float) -> float:
    """How far an operation's kink expressions are from zero at a point: 0 at a kink, inf for a smooth operation.

    >>> kink_distance(OPS["relu"], 3.0), kink_distance(OPS["tanh"], 3.0)
    (3.0, inf)
    """
    if op.variadic or not op.kinks:
        return float("inf")
    scope: dict[str, Any] = {f"_{name}": function for name, function in IEEE.items()}
    scope |= dict(zip(op.operands, operands, strict=True)) | {"z": evaluator(op)(*operands)[0]}
    distances = [abs(eval(spell(expand(parse(op, kink), {}), "ieee", {}), dict(scope))) for kink in op.kinks]
    return min(0.0 if distance != distance else float(distance) for distance in distances)
