"""A moment of a trace for the diagram: what each box and arrow looks like after the first k events.

Boxes and arrows keep their size through all moments of a trace, so that pictures of them lie on one another: what is
not there yet leaves its room, as the word `now` does.

This module knows what differs from moment to moment, not how a diagram is put together.
"""

from __future__ import annotations

from copy import deepcopy
from math import isfinite

from engine.events import Contribution
from engine.graph import topological_order
from viz.dot import LIGHT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine import Trace, Value

    Attributes = dict[str, str]
    Edge = tuple[Value, int]  # a node, and which of its operands

NOW = "now"

# Vermilion of Okabe and Ito's palette; what is at work has a thick border or arrow, and a word or a number, as well.
WARM = "#d55e00"
WAITING_NODE = {"color": LIGHT, "fontcolor": "#6b737c", "fillcolor": "#ffffff"}
NODE_AT_WORK = {"color": WARM, "penwidth": "3.5", "fillcolor": "#fdf0e6"}
WAITING_EDGE = {"color": LIGHT, "penwidth": "0.7"}
PASSED_EDGE = {"dir": "back", "penwidth": "1.6"}
EDGE_AT_WORK = {"dir": "back", "penwidth": "3.5", "color": WARM, "fontcolor": WARM}


class Moment:
    """The graph of a trace after its first k events.

    Attributes:
        root: of a copy of the graph, with the numbers that were recorded and the gradients of this moment.
        caption: which step it is, of how many.
        largest_gradient: the finite one furthest from zero of all moments, without its sign.

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
        contributions = trace.contributions
        self._arrivals = {(copies[event.node], event.slot): event for event in contributions}
        gradients_ever = [abs(trace.upstream), *(abs(event.after) for event in contributions)]
        self.largest_gradient = max(filter(isfinite, gradients_ever), default=0.0)
        event = trace[k - 1] if k else None
        self._at_work = copies[event.node] if event else None
        sweep = "" if event is None else ", backward" if isinstance(event, Contribution) else ", forward"
        self.caption = f"step {k} of {len(trace)}{sweep}"

    def is_waiting(self, nodes: Iterable[Value]) -> bool:
        """Whether the forward sweep has yet to compute all of them."""
        return all(self._places[node] >= self._k for node in nodes)

    def word(self, nodes: Iterable[Value]) -> str:
        """`now` if one of them is at work; else as much room."""
        return NOW if self._are_at_work(nodes) else " " * len(NOW)

    def box(self, nodes: Iterable[Value]) -> Attributes:
        """What their box has besides, or instead."""
        return NODE_AT_WORK if self._are_at_work(nodes) else WAITING_NODE if self.is_waiting(nodes) else {}

    def _are_at_work(self, nodes: Iterable[Value]) -> bool:
        return any(node is self._at_work for node in nodes)

    def arrow(self, node: Value, slot: int, partial: str) -> tuple[list[str], Attributes]:
        """The lines beside an arrow and its looks: the partial, and what has been passed on along it."""
        if (node, slot) not in self._arrivals:  # from a constant
            return [], WAITING_EDGE if self.is_waiting([node]) else {}
        event = self._arrivals[node, slot]
        partial, amount = f"× {partial}", f"{event.amount:+.5g}"
        passed = event.index < self._k
        lines = ["" if self.is_waiting([node]) else partial, amount if passed else ""]
        return _centred(lines, [partial, amount]), self._look([event.index])

    def arrows(self, edges: list[Edge], count: str) -> tuple[list[str], Attributes]:
        """The same for several edges that are one arrow: how many they are, and along how many has been passed on."""
        events = [self._arrivals[node, slot].index for node, slot in edges if (node, slot) in self._arrivals]
        if not events:  # from constants
            return [count], WAITING_EDGE if self.is_waiting(node for node, _ in edges) else {}
        passed = sum(event < self._k for event in events)
        lines = [count, f"{passed:,} passed" if passed else ""]
        return _centred(lines, [count, f"{len(events):,} passed"]), self._look(events)

    def _look(self, events: list[int]) -> Attributes:
        if self._k - 1 in events:
            return EDGE_AT_WORK
        return PASSED_EDGE if all(event < self._k for event in events) else WAITING_EDGE


def _centred(lines: list[str], room: list[str]) -> list[str]:
    """The lines, with the room that the longest one ever takes."""
    width = max(map(len, room))
    return [f" {line:^{width}} " for line in lines]
