"""Breakpoints and watchpoints on a `Cursor`, and running from one to the next, either way.

Where a stop can happen is known as soon as it is set, for the trace is recorded: running visits those places only.
This module knows nothing of prompts.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from heapq import merge
from itertools import groupby

from engine import OPS
from viz.conditions import Condition
from viz.names import CONTRIBUTION_FIELDS, Names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine import Value
    from viz.cursor import Cursor

    Place = tuple[int, Value]  # an event, and the node that it is a stop for
    Candidate = tuple[int, int, "Stop", Value]  # a position, the stop's number, the stop, the node


class Stop:
    """A breakpoint or a watchpoint.

    Attributes:
        number: its number.
        kind: `breakpoint` or `watchpoint`.
        text: what was asked for.
        places: the events at which it may stop, and the node that each is for, in order.
        condition: what has to hold there, or None.
        is_enabled, is_temporary: whether it stops at all; whether it goes when it has stopped once.
        ignore: how many times it lets pass.
        hits: how many times the condition held.
    """

    def __init__(self, number: int, kind: str, text: str, nodes: Sequence[Value], is_temporary: bool = False) -> None:
        self.number = number
        self.kind = kind
        self.text = text
        self.nodes = nodes
        self.places: list[Place] = []
        self.condition: Condition | None = None
        self.is_enabled = True
        self.is_temporary = is_temporary
        self.ignore = 0
        self.hits = 0

    def __str__(self) -> str:
        """`breakpoint 1 at op:tanh, data > 0.9`."""
        condition = f", {self.condition.text}" if self.condition else ""
        return f"{self.kind} {self.number} {'at' if self.kind == 'breakpoint' else 'of'} {self.text}{condition}"

    def candidates(self, position: int, forwards: bool) -> Iterator[Candidate]:
        """The positions at which it may stop, from a position on.

        At a breakpoint its event is the last one done, whichever way one came. Going back, a watchpoint stops when the
        change is undone: one event earlier.
        """
        after = 1 if forwards or self.kind == "breakpoint" else 0
        if forwards:
            ahead = self.places[bisect_right(self.places, position - after, key=lambda place: place[0]) :]
        else:
            ahead = self.places[: bisect_left(self.places, position - after, key=lambda place: place[0])][::-1]
        return ((k + after, self.number, self, node) for k, node in ahead)

    def holds(self, cursor: Cursor, node: Value) -> bool:
        """Whether it stops here; counts."""
        if self.condition and not self.condition.evaluate(Names(cursor, node).resolve):
            return False
        self.hits += 1
        if self.ignore:
            self.ignore -= 1
            return False
        return True


class Stops:
    """All stops on a cursor, by number.

    >>> from engine import Trace, Value
    >>> from viz.cursor import Cursor
    >>> a = Value(0.5, label="a")
    >>> cursor = Cursor(Trace((a * 2).tanh()))
    >>> stops = Stops(cursor)
    >>> print(stops.add("op:tanh, upstream == 1"))
    breakpoint 1 at op:tanh, upstream == 1
    >>> [str(stop) for stop, _ in stops.run(forwards=True)], cursor.position
    (['breakpoint 1 at op:tanh, upstream == 1'], 5)
    """

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.all: dict[int, Stop] = {}
        self._last = 0

    def add(self, text: str, *, is_temporary: bool = False) -> Stop:
        """A breakpoint: `NODE`, `op:NAME` or `FILE:LINE`, then a comma and a condition, or none.

        Raises:
            LookupError: nothing in the graph is called so.
            ExpressionError: a condition that cannot be read.
        """
        where, _, condition = (part.strip() for part in text.partition(","))
        stop = Stop(self._last + 1, "breakpoint", where, self._targets(where), is_temporary)
        self.restrict(stop, condition)
        return self._keep(stop)

    def watch(self, name: str) -> Stop:
        """A watchpoint: it stops when the gradient of a node changes.

        Raises:
            LookupError: nothing in the graph is called so.
        """
        nodes = self.cursor.nodes(name)
        stop = Stop(self._last + 1, "watchpoint", name, nodes)
        trace = self.cursor.trace
        for node in nodes:
            stop.places += [(event.index, node) for event in trace.why(node) if _differ(event.before, event.after)]
            if node is trace.root and trace.upstream:
                stop.places.append((trace.turn - 1, node))
        stop.places.sort(key=lambda place: place[0])
        return self._keep(stop)

    def _keep(self, stop: Stop) -> Stop:
        self._last = stop.number
        self.all[stop.number] = stop
        return stop

    def restrict(self, stop: Stop, condition: str) -> None:
        """Give a breakpoint its condition; an empty one takes it away.

        Raises:
            ExpressionError: it cannot be read.
            LookupError: it names what is not in the graph, or the stop is a watchpoint.
        """
        if stop.kind == "watchpoint":
            raise LookupError("a watchpoint has no condition; use a breakpoint, as in: b NODE, grad > 1")
        parsed = Condition(condition) if condition else None
        names = parsed.names if parsed else frozenset()
        Names(self.cursor).check(names)
        places = sorted(self._places(stop.nodes, names), key=lambda place: place[0])  # an interrupt changes nothing
        stop.condition, stop.places = parsed, places

    def _places(self, nodes: Sequence[Value], names: frozenset[str]) -> Iterator[Place]:
        """When it is a node's turn in each sweep; all its contributions, if the condition is about contributions.

        Gradients are known in the reverse sweep only: conditions on them do not stop in the forward sweep.
        """
        cursor, about_edges = self.cursor, bool(names & CONTRIBUTION_FIELDS)
        for node in nodes:
            if not about_edges and "grad" not in names:
                yield cursor.numbers[node] - 1, node
            turn = cursor.turn(node)
            if turn is None:
                continue
            if not about_edges:
                yield turn, node
            elif cursor.trace[turn].node is node:
                yield from ((k, node) for k in range(turn, cursor.after_node(turn)))
            else:
                yield from ((k, node) for k in cursor.trace.arrivals(node))

    def _targets(self, where: str) -> list[Value]:
        if not where:
            raise LookupError("a breakpoint needs a place; use: b NODE, b op:tanh or b model.py:12")
        cursor = self.cursor
        if where.startswith("op:"):
            return self._found(where, op=where[3:])
        try:
            return cursor.nodes(where)
        except LookupError:
            if line := re.fullmatch(r"(?:.*:)?(\d{1,9})", where):
                return self._found(where, line=where if ":" in where else int(line[1]))
            raise

    def _found(self, where: str, op: str | None = None, line: int | str | None = None) -> list[Value]:
        found = list(dict.fromkeys(event.node for event in self.cursor.trace.find(op=op, line=line)))
        if found:
            return found
        if op is not None:
            used = sorted({node.op.name for node in self.cursor.trace.nodes})
            known = "no such operation" if op not in OPS else "the graph has no such node"
            raise LookupError(f"{known}: {where}; the graph has {', '.join(used)}")
        known = (
            "are known" if any(node.source for node in self.cursor.trace.nodes) else "are not known: record_source()"
        )
        raise LookupError(f"no node was made at {where}; source lines {known}; `list` shows the one of this node")

    def run(self, *, forwards: bool) -> list[tuple[Stop, Value]]:
        """Move the cursor to the next place that a stop holds at, and return the stops that hold there, with nodes.

        If there is none the cursor comes to the end, or to the start.

        Raises:
            ExpressionError, LookupError: a condition cannot be evaluated; the cursor is there.
        """
        cursor = self.cursor
        enabled = [stop for stop in self.all.values() if stop.is_enabled and stop.places]
        ahead = merge(
            *(stop.candidates(cursor.position, forwards) for stop in enabled),
            key=lambda candidate: (candidate[0] if forwards else -candidate[0], candidate[1]),
        )
        for position, group in groupby(ahead, key=lambda candidate: candidate[0]):
            cursor.go(position)
            reached = [(stop, node) for _, _, stop, node in group if stop.holds(cursor, node)]
            if reached:
                for stop, _ in reached:
                    if stop.is_temporary:
                        self.all.pop(stop.number, None)
                return reached
        cursor.go(len(cursor.trace) if forwards else 0)
        return []


def _differ(before: float, after: float) -> bool:
    return before != after and not (math.isnan(before) and math.isnan(after))
