"""A moment of a trace for the diagram: what each box and arrow looks like after the first k events.

Boxes and arrows keep their size through all moments of a trace, so that pictures of them lie on one another: what is
not there yet leaves its room, as the word `now` does.

This module knows what differs from moment to moment, not how a diagram is put together.
"""

from __future__ import annotations

from copy import deepcopy

from engine.events import Contribution
from engine.graph import topological_order
from viz.wording import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine import Trace, Value

    Attributes = dict[str, str]

NOW = "now"

# Vermilion of Okabe and Ito's palette; what is at work has a thick border or arrow, and a word or a number, as well.
WARM, LIGHT = "#d55e00", "#c4cbd3"
WAITING_NODE = {"color": LIGHT, "fontcolor": LIGHT, "fillcolor": "#ffffff"}
NODE_AT_WORK = {"color": WARM, "penwidth": "3.5", "fillcolor": "#fdf0e6"}
WAITING_EDGE = {"color": LIGHT, "penwidth": "0.7"}
PASSED_EDGE = {"dir": "back", "penwidth": "1.6"}
EDGE_AT_WORK = {"dir": "back", "penwidth": "3.5", "color": WARM, "fontcolor": WARM}


class Moment:
    """The graph of a trace after its first k events.

    Attributes:
        root: of a copy of the graph, with the numbers that were recorded and the gradients of this moment.
        caption: which step it is, of how many.

    Raises:
        TypeError: k is not a whole number.
        IndexError: the trace has fewer events.

    >>> from engine import Trace, Value
    >>> moment = Moment(Trace(Value(2.0, label="a") * 3), 4)
    >>> moment.caption, moment.root.parents[0]
    ('step 4 of 4, backward', Value(2.0, grad=3.0, label='a'))
    """

    def __init__(self, trace: Trace, k: int) -> None:
        if not isinstance(k, int) or isinstance(k, bool):
            raise TypeError(f"at must be a whole number of events; got {k!r}; use at={len(trace)} for the end")
        gradients = trace.state(k)
        self.root = deepcopy(trace.root)
        copies = dict(zip(trace.nodes, topological_order(self.root), strict=True))
        for node, copied in copies.items():
            copied.grad = gradients[node]
            if not copied.parents:
                copied.data = trace.values[node]
        self._k = k
        self._places = {copied: place for place, copied in enumerate(copies.values())}
        self._arrivals = {(copies[event.node], event.slot): event for event in trace.contributions}
        event = trace[k - 1] if k else None
        self._at_work = copies[event.node] if event else None
        sweep = "" if event is None else ", backward" if isinstance(event, Contribution) else ", forward"
        self.caption = f"step {k} of {len(trace)}{sweep}"

    def is_waiting(self, node: Value) -> bool:
        """Whether the forward sweep has yet to compute it."""
        return self._places[node] >= self._k

    def word(self, node: Value) -> str:
        """`now` if it is at work; else as much room."""
        return NOW if node is self._at_work else " " * len(NOW)

    def node(self, node: Value) -> Attributes:
        """What its box has besides, or instead."""
        return NODE_AT_WORK if node is self._at_work else WAITING_NODE if self.is_waiting(node) else {}

    def edge(self, node: Value, slot: int) -> tuple[str, Attributes]:
        """The label of an arrow and its looks: the partial, and what has been passed on along it."""
        if (node, slot) not in self._arrivals:  # from a constant
            return "", WAITING_EDGE if self.is_waiting(node) else {}
        event = self._arrivals[node, slot]
        partial, amount = f"× {number(event.partial)}", f"{event.amount:+.5g}"
        passed = event.index < self._k
        lines = ["" if self.is_waiting(node) else partial, amount if passed else ""]
        width = max(len(partial), len(amount))
        look = EDGE_AT_WORK if event.index == self._k - 1 else PASSED_EDGE if passed else WAITING_EDGE
        return "\n".join(f" {line:^{width}} " for line in lines), look
