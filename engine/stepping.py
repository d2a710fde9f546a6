"""`Trace`: the forward and the reverse sweep of a graph as plain events, to be walked in either direction.

Recording makes one pass over the graph and executes nothing again; afterwards every face (a prompt, a page, a picture)
moves a cursor over the same events. The reverse sweep has one event per *contribution*, upstream gradient times partial
along one edge, in the order and the arithmetic of `Value.backward()`: the state after the last event is what
`backward()` leaves, bit for bit. No `.grad` is read or written.

This module knows nothing of how events are shown beyond one line of text, and nothing of cursors and breakpoints.
"""

from __future__ import annotations

import gc

from engine.events import Contribution, Forward
from engine.graph import topological_order
from engine.ops import CONSTANT, LEAF
from engine.paths import Path, largest_paths
from engine.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import SupportsIndex, overload

    from engine.ops import Op

    Event = Forward | Contribution
    State = dict[Value, float]
    Row = tuple[Value, Value, int, float, float, float, float]


class Trace:
    """The forward sweep of a graph, one event per node, then the reverse sweep, one event per contribution.

    Nodes come in topological order. Edges to constants carry no contribution; a repeated operand gives two.
    Under `detect_anomaly()` nothing is raised: a trace is where one looks for the first nan.

    Args:
        loss: the node to go back from.
        upstream: the gradient of that node itself.

    Attributes:
        root: the node it goes back from.
        upstream: the gradient of the root.
        nodes: every node, in topological order; event k of the forward sweep is of node k.
        values: the number of each when the trace was recorded.
        turn: how many events the forward sweep has: the index of the first contribution.

    Raises:
        TypeError: `loss` is not a Value, or `upstream` not a real number.
        RuntimeError: `loss` is a constant, as everything computed under `no_grad()` is.

    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> trace = Trace(a * b + a)
    >>> for event in trace[trace.turn :]:
    ...     print(event)
    backward  z = x + a  -> x  1 * 1 = 1  grad 0 -> 1  (1 of 1, final)
    backward  z = x + a  -> a  1 * 1 = 1  grad 0 -> 1  (1 of 2)
    backward  z = a * b  -> a  1 * -3 = -3  grad 1 -> -2  (2 of 2, final)
    backward  z = a * b  -> b  1 * 2 = 2  grad 0 -> 2  (1 of 1, final)
    """

    __slots__ = ("_arrivals", "_arrived", "_checkpoints", "_rows", "nodes", "root", "turn", "upstream", "values")

    def __init__(self, loss: Value, upstream: float = 1.0) -> None:
        if not isinstance(loss, Value):
            raise TypeError(f"a trace is recorded from a Value; got {loss!r}; pass the node, as in Trace(loss)")
        if loss.op is CONSTANT:
            raise RuntimeError(
                f"a constant has no graph to go back through: got {loss!r}; "
                "compute it from Values, and outside no_grad()"
            )
        self.root = loss
        self.upstream = Value(upstream).data
        if loss.op is LEAF:
            self.upstream += 0.0  # as backward() adds to what a leaf has: -0.0 becomes 0.0
        collecting = gc.isenabled()
        gc.disable()  # all rows stay: scanning them again and again would find nothing
        try:
            self.nodes = tuple(topological_order(loss))
            self.turn = len(self.nodes)
            self.values = {node: node._data for node in self.nodes}
            self._rows = _record(self.nodes, self.upstream)
        finally:
            if collecting:
                gc.enable()
        self._checkpoints: list[State] = []
        self._arrivals: dict[Value, list[int]] = {}
        self._arrived: list[int] = []

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, key: SupportsIndex) -> Event: ...
        @overload
        def __getitem__(self, key: slice) -> list[Event]: ...

    def __getitem__(self, key: SupportsIndex | slice) -> Event | list[Event]:
        places = range(len(self))[key]
        return self._event(places) if isinstance(places, int) else [self._event(k) for k in places]

    def _event(self, k: int) -> Event:
        """Events are made from their rows when they are looked at: recording all as objects takes twice the time."""
        return Forward(k, self.nodes[k], self.values[self.nodes[k]]) if k < self.turn else self._contribution(k)

    def _contribution(self, k: int) -> Contribution:
        row = self._rows[k - self.turn]
        expected = len(self._places()[row[1]])
        return Contribution(k, *row, self._arrived[k - self.turn], expected)

    def _places(self) -> dict[Value, list[int]]:
        """Where each node's contributions are; counted when first asked for."""
        if not self._arrivals:
            arrivals: dict[Value, list[int]] = {node: [] for node in self.nodes}
            arrived = []
            for k, row in enumerate(self._rows, self.turn):
                places = arrivals[row[1]]
                places.append(k)
                arrived.append(len(places))
            self._arrived, self._arrivals = arrived, arrivals
        return self._arrivals

    def __len__(self) -> int:
        return self.turn + len(self._rows)

    def __iter__(self) -> Iterator[Event]:
        return map(self._event, range(len(self)))

    def __repr__(self) -> str:
        return f"Trace({self.root!r}, {self.turn} nodes, {len(self) - self.turn} contributions)"

    @property
    def contributions(self) -> list[Contribution]:
        """The events of the reverse sweep."""
        return [self._contribution(k) for k in range(self.turn, len(self))]

    def state(self, k: int) -> State:
        """The gradient of every node after the first k events.

        All are 0.0 during the forward sweep; the root has its upstream gradient as soon as it is computed. Costs
        O(nodes), once a call has come as far; then use `move`.

        Args:
            k: from 0 to the number of events.

        Raises:
            IndexError: the trace has fewer events.

        >>> x = Value(3.0)
        >>> trace = Trace(x * x)
        >>> [trace.state(k)[x] for k in range(len(trace) + 1)]
        [0.0, 0.0, 0.0, 3.0, 6.0]
        """
        self._check_position(k)
        saved = self._checkpoints  # one state for every `turn` events
        if not saved:
            saved.append(dict.fromkeys(self.nodes, 0.0))
        while len(saved) * self.turn <= k:
            done = len(saved) * self.turn
            saved.append(self.move(dict(saved[-1]), done - self.turn, done))
        nearest = k // self.turn
        return self.move(dict(saved[nearest]), nearest * self.turn, k)

    def move(self, state: State, k: int, to: int) -> State:
        """Turn the state after k events into the state after `to` events, in constant time per event between them.

        Args:
            state: what `state(k)` gave; it is changed.
            k: where it stands.
            to: where to go, forwards or backwards.

        Returns:
            The same state.

        Raises:
            IndexError: the trace has fewer events.

        >>> x = Value(3.0)
        >>> trace = Trace(x.square())
        >>> state = trace.move(trace.state(3), 3, 2)
        >>> state == trace.state(2)
        True
        """
        self._check_position(k)
        self._check_position(to)
        turn, rows = self.turn, self._rows
        for _, parent, *_, after in rows[max(k - turn, 0) : max(to - turn, 0)]:
            state[parent] = after
        for _, parent, *_, before, _ in reversed(rows[max(to - turn, 0) : max(k - turn, 0)]):
            state[parent] = before
        if min(k, to) < turn <= max(k, to):
            state[self.root] = self.upstream if to >= turn else 0.0
        return state

    def _check_position(self, k: int) -> None:
        if not 0 <= k <= len(self):
            raise IndexError(f"a trace has a state after 0 to {len(self)} events; got {k!r}; use one of these numbers")

    # --- search

    def find(self, label: str | None = None, op: Op | str | None = None, line: int | str | None = None) -> list[Event]:
        """The events for which everything that is asked for holds, in order; `event.index` is the place of each.

        Args:
            label: the label of the node at work, or of the parent that a contribution goes to.
            op: the operation of the node at work, or its name.
            line: the line that made the node at work, as a number or as "file:line"; known under `record_source()`.

        Raises:
            TypeError: nothing is asked for.

        >>> a = Value(2.0, label="a")
        >>> [event.index for event in Trace((a * a).tanh()).find(op="mul")]
        [1, 4, 5]
        """
        if label is None and op is None and line is None:
            raise TypeError("find needs something to look for; got nothing; give label=, op= or line=")
        name = op if op is None or isinstance(op, str) else op.name
        return [
            event
            for event in self
            if (name is None or event.node.op.name == name)
            and (label is None or label in event.labels)
            and (line is None or _is_made_at(event.node, line))
        ]

    def why(self, node: Value) -> list[Contribution]:
        """The contributions that a node's gradient is the sum of, in order; none for the root and for constants.

        Raises:
            ValueError: the node is not in this graph.

        >>> x = Value(3.0)
        >>> [event.amount for event in Trace(x * x).why(x)]
        [3.0, 3.0]
        """
        return [self._contribution(k) for k in self.arrivals(node)]

    def arrivals(self, node: Value) -> list[int]:
        """The places in the trace of a node's contributions, in order: `why` without the events.

        Raises:
            ValueError: the node is not in this graph.

        >>> x = Value(3.0)
        >>> Trace(x * x).arrivals(x)
        [2, 3]
        """
        places = self._places()
        if node not in places:
            raise ValueError(f"the trace has no such node; got {node!r}; choose one of trace.nodes")
        return places[node]

    def paths(self, node: Value, k: int = 5) -> tuple[list[Path], float]:
        """The k paths from the root to a node that matter most, and the share of all others.

        A node's gradient is the sum, over all paths from the root to it, of the upstream gradient times the partials on
        the way. The largest products by absolute value are found without listing the paths, of which there may be
        10**30: one sweep gives the largest that can still follow from each node, and the search takes no other turns.

        Paths through a partial of zero, and products that underflow to zero, are not listed and have no share. A nan
        on the way counts as inf: such paths come first, as they make the gradient what it is. Products that are
        equal up to rounding come in any order.

        Args:
            node: any node of the graph; the root has the path of no edges.
            k: the most paths to list.

        Returns:
            The paths, largest first, and sum |product| of the paths left out / sum |product| of all: 0.0 if none is
            left out, nan if a sum is not finite.

        Raises:
            ValueError: the node is not in this graph, or k is not positive.

        >>> x = Value(3.0)
        >>> found, left_out = Trace(x * x * x + x).paths(x, k=3)
        >>> [path.product for path in found], round(left_out, 3)
        ([9.0, 9.0, 9.0], 0.036)
        """
        if k < 1:
            raise ValueError(f"the number of paths must be positive; got {k!r}; ask for k=1 or more")
        self.arrivals(node)  # raises where the node is a stranger
        found, left_out = largest_paths(self._rows, self.root, self.upstream, node, k)
        events = [[self._contribution(self.turn + place) for place in places] for _, places in found]
        return [Path(self.root, path, product) for path, (product, _) in zip(events, found, strict=True)], left_out


def _is_made_at(node: Value, line: int | str) -> bool:
    if node.source is None:
        return False
    file, number = node.source
    return number == line if isinstance(line, int) else f"/{file}:{number}".endswith(f"/{line}")


def _record(order: tuple[Value, ...], upstream: float) -> list[Row]:
    """The reverse sweep as rows (node, parent, slot, upstream, partial, before, after).

    What `_sweep` of engine/backpropagation.py does, on gradients of its own. Its shortcut for dead units adds zeros
    only, and adding a zero to a sum that started from 0.0 changes no bit.
    """
    rows: list[Row] = []
    emit = rows.append
    gradients = dict.fromkeys(order, 0.0)
    gradients[order[-1]] = upstream
    edges: Iterable[tuple[Value, float]]
    for node in reversed(order):
        first, second = node._first, node._second
        if first is None:
            continue
        if first.__class__ is tuple:
            edges = zip(node.parents, node.partials, strict=True)
        elif second is None:  # one parent or two, read from their slots: twice as fast
            edges = ((first, node._to_first),)
        else:
            edges = ((first, node._to_first), (second, node._to_second))
        passed = gradients[node]
        for slot, (parent, partial) in enumerate(edges):
            if parent.op is not CONSTANT:
                before = gradients[parent]
                gradients[parent] = after = before + passed * partial
                emit((node, parent, slot, passed, partial, before, after))
    return rows
