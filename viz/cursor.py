"""A position in a `Trace` that moves both ways: by contributions, nodes, to a node's final gradient, out of a layer.

Nothing is computed again and no gradient of the engine is touched: moving by an event takes constant time. This module
knows nothing of breakpoints and prompts.
"""

from __future__ import annotations

from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import islice

from engine.ops import CONSTANT
from viz.modules import scopes
from viz.wording import numbered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine import Trace, Value
    from engine.stepping import Event


MATCHED = 10_000  # labels that a mistyped one is compared with: more take seconds


class Cursor:
    """A position k in a trace: k events are done.

    Attributes:
        trace: the trace.
        position: how many events are done.
        state: the gradient of every node there; see `Trace.state`.
        numbers: each node's number in topological order, from 1.

    >>> from engine import Trace, Value
    >>> a = Value(3.0, label="a")
    >>> cursor = Cursor(Trace(a * a))
    >>> cursor.go(3)
    >>> cursor.state[a], cursor.event.arrived
    (3.0, 1)
    """

    def __init__(self, trace: Trace, position: int = 0) -> None:
        self.trace = trace
        self.position = position
        self.state = trace.state(position)
        self.numbers = numbered(trace.nodes)
        self.labels: dict[str, list[Value]] = {}
        for node in trace.nodes:
            if node.label:
                self.labels.setdefault(node.label, []).append(node)
        self._turns: dict[Value, int] = {}
        self._scopes: dict[Value, tuple[str, ...]] | None = None

    @property
    def event(self) -> Event | None:
        """The last event that is done; None at the start."""
        return self.trace[self.position - 1] if self.position else None

    def go(self, position: int) -> None:
        """Move to a position; an interrupt on the way leaves the cursor where it was."""
        try:
            self.trace.move(self.state, self.position, position)
        except BaseException:
            self.state = self.trace.state(self.position)
            raise
        self.position = position

    # --- where to go

    def after_node(self, position: int) -> int:
        """The position at which the node that is at work next has passed on everything."""
        return self._edge_of_block(position, +1)

    def before_node(self, position: int) -> int:
        """The position before the first event of the node at work."""
        return self._edge_of_block(position - 1, -1)

    def _edge_of_block(self, k: int, direction: int) -> int:
        """From event k in a direction, as long as events are of one node and sweep."""
        trace = self.trace
        node, first = trace[k].node, 0 if k < trace.turn else trace.turn
        end = k + direction
        while first <= end < len(trace) and k >= trace.turn and trace[end].node is node:
            end += direction
        return end if direction > 0 else end + 1

    def final(self, node: Value) -> int:
        """The position at which a node's gradient is complete."""
        arrivals = self.trace.arrivals(node)
        return arrivals[-1] + 1 if arrivals else self.trace.turn

    def turn(self, node: Value) -> int | None:
        """The event of the reverse sweep at which it is a node's turn: its first contribution; a node that passes
        nothing on has its turn when its own gradient is final. None for constants."""
        if not self._turns:
            turns: dict[Value, int] = {}
            for event in self.trace.contributions:
                turns.setdefault(event.node, event.index)
            self._turns = turns
        if node in self._turns:
            return self._turns[node]
        arrivals = self.trace.arrivals(node)
        return arrivals[-1] if arrivals else None

    def scope(self, node: Value) -> tuple[str, ...]:
        """The modules that a node belongs to, outermost first; told from the names of parameters."""
        if self._scopes is None:
            self._scopes = scopes(self.trace.nodes)
        return self._scopes[node]

    def out_of_module(self) -> tuple[str, int] | None:
        """The innermost module around the node at work that has something left to do in this sweep, and the position
        at which it has done it; None if there is none."""
        event, trace = self.event, self.trace
        if event is None:
            return None
        last = trace.turn if self.position < trace.turn else len(trace)
        for module in reversed(self.scope(event.node)):
            for k in range(last - 1, self.position - 1, -1):
                if module in self.scope(trace[k].node):
                    return module, k + 1
        return None

    def route(self, node: Value) -> list[Value]:
        """The way from the root to a node, against the largest contribution at each step."""
        way = [node]
        while arrivals := self.trace.why(way[-1]):
            way.append(max(arrivals, key=lambda event: (abs(event.amount), -event.index)).node)
        return way[::-1]

    # --- what nodes are called

    def nodes(self, name: str) -> list[Value]:
        """The nodes of a name: `#5`, a label, the end of a dotted label, or a pattern such as `layers.0.*`.

        Raises:
            LookupError: there are none.
        """
        if name.startswith("#"):
            place = name[1:]
            if place.isdecimal() and len(place) < 20 and 1 <= int(place) <= len(self.trace.nodes):
                return [self.trace.nodes[int(place) - 1]]
            raise LookupError(f"nodes are numbered #1 to #{len(self.trace.nodes)}; got {name}; `steps` lists them")
        if name in self.labels:
            return self.labels[name]
        found = [label for label in self.labels if label.endswith("." + name)]
        if not found and any(mark in name for mark in "*?["):
            found = [label for label in self.labels if fnmatchcase(label, name)]
        if found:
            return [node for label in found for node in self.labels[label]]
        raise LookupError(f"no node is called {name!r}; {self._hint(name)}")

    def node(self, name: str) -> Value:
        """The one node of a name.

        Raises:
            LookupError: there is none, or there are several.
        """
        found = self.nodes(name)
        if len(found) > 1:
            listed = ", ".join(f"#{self.numbers[node]}" for node in found[:6]) + (", ..." if len(found) > 6 else "")
            raise LookupError(f"{len(found)} nodes are called {name!r}: {listed}; name one by its number")
        return found[0]

    def _hint(self, name: str) -> str:
        close = get_close_matches(name, islice(self.labels, MATCHED), n=3)
        if close:
            return f"did you mean {' or '.join(close)}?"
        known = [label for label in self.labels if len(label) <= 40][:8]
        return f"labels here are {', '.join(known)}" if known else "nodes here have no labels: use #1, #2, ..."

    def is_computed(self, node: Value) -> bool:
        """Whether the forward sweep has come to it."""
        return self.numbers[node] <= self.position

    def is_final(self, node: Value) -> bool:
        """Whether its gradient is complete."""
        return node.op is CONSTANT or self.position >= self.final(node)
