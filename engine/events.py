"""The events of a `Trace`: a node is computed, a node passes its gradient on to a parent.

Plain records; texts are made when they are asked for. This module knows nothing of how events are recorded.
"""

from __future__ import annotations

from engine.formulas import operand_names, partial_formulas, value_formula
from engine.ops import CONSTANT, LEAF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.value import Value


class Forward:
    """A node is computed.

    Attributes:
        index: its place in the trace.
        node: the node.
        value: its number when the trace was recorded.

    >>> from engine import Trace, Value
    >>> print(Trace(Value(2.0, label="a") / 4)[2])
    forward   z = a / 4 = 0.5
    """

    __slots__ = ("index", "node", "value")

    def __init__(self, index: int, node: Value, value: float) -> None:
        self.index = index
        self.node = node
        self.value = value

    @property
    def source(self) -> tuple[str, int] | None:
        """File and line that made the node, if it was made under `record_source()`."""
        return self.node.source

    @property
    def labels(self) -> tuple[str | None, ...]:
        """The label of the node, in a tuple."""
        return (self.node.label,)

    def __str__(self) -> str:
        return f"forward   {_equation(self.node)}{self.value:g}"

    def __repr__(self) -> str:
        return f"Forward({self.index}, node={self.node!r}, value={self.value!r})"


class Contribution:
    """A node passes its gradient on along one edge: upstream times partial is added to the gradient of a parent.

    Attributes:
        index: its place in the trace.
        node: the node that passes its gradient on; that gradient is final.
        parent: the node that receives.
        slot: which operand of the node the parent is, from 0.
        upstream: the gradient of the node.
        partial: d node / d parent in this slot, as recorded when the node was made.
        before: the gradient of the parent up to here.
        after: and from here on.
        arrived: how many of the parent's contributions have arrived, this one included.
        expected: how many it gets in all.

    >>> from engine import Trace, Value
    >>> event = Trace(Value(2.0, label="a") / Value(4.0, label="b"))[-1]
    >>> event.rule, event.partial, event.amount, event.before, event.after, event.is_final
    ('-z / b', -0.125, -0.125, 0.0, -0.125, True)
    """

    __slots__ = (
        "after", "arrived", "before", "expected", "index", "node", "parent", "partial", "slot", "upstream",
    )  # fmt: skip

    def __init__(
        self, index: int, node: Value, parent: Value, slot: int, upstream: float, partial: float, before: float,
        after: float, arrived: int, expected: int,
    ) -> None:  # fmt: skip
        self.index = index
        self.node = node
        self.parent = parent
        self.slot = slot
        self.upstream = upstream
        self.partial = partial
        self.before = before
        self.after = after
        self.arrived = arrived
        self.expected = expected

    @property
    def amount(self) -> float:
        """Upstream times partial: what is added."""
        return self.upstream * self.partial

    @property
    def is_final(self) -> bool:
        """Whether the parent's gradient is complete with this one."""
        return self.arrived == self.expected

    @property
    def rule(self) -> str:
        """The rule of the partial, with the operands' names in it; the node is `z` if it has no label."""
        return partial_formulas(self.node, self.node.label or "z")[self.slot]

    @property
    def source(self) -> tuple[str, int] | None:
        """File and line that made the node, if it was made under `record_source()`."""
        return self.node.source

    @property
    def labels(self) -> tuple[str | None, ...]:
        """The labels of the node and the parent."""
        return (self.node.label, self.parent.label)

    def __str__(self) -> str:
        final = ", final" if self.is_final else ""
        return (
            f"backward  {_equation(self.node)[:-3]}  -> {operand_names(self.node)[self.slot]}  "
            f"{self.upstream:g} * {self.partial:g} = {self.amount:g}  grad {self.before:g} -> {self.after:g}  "
            f"({self.arrived} of {self.expected}{final})"
        )

    def __repr__(self) -> str:
        return (
            f"Contribution({self.index}, node={self.node!r}, parent={self.parent!r}, slot={self.slot}, "
            f"upstream={self.upstream!r}, partial={self.partial!r}, before={self.before!r}, after={self.after!r}, "
            f"arrived={self.arrived}, expected={self.expected})"
        )


def _equation(node: Value) -> str:
    """`e = a * b = `, to be followed by a number."""
    name = node.label or "z"
    return f"{name} = " if node.op is LEAF or node.op is CONSTANT else f"{name} = {value_formula(node)} = "
