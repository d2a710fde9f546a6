"""Copies and pickles of graphs of any depth.

Python's own `deepcopy` and `pickle` follow references by recursion, which ends near a thousand nodes. Here a whole
graph is copied or flattened by a loop. Identity is kept as one expects: nodes shared between two things that are
copied or pickled together are shared afterwards.
"""

from __future__ import annotations

from engine.ops import Op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar
    from weakref import WeakValueDictionary

    from engine.value import Value

    V = TypeVar("V", bound=Value)


def _parents_first(root: Value, done: Callable[[Value], bool], finish: Callable[[Value], None]) -> None:
    """Call `finish` on every node above `root`, and on it, that is not `done`: parents before children."""
    stack = [root]
    while stack:
        node = stack[-1]
        missing = [] if done(node) else [parent for parent in node.parents if not done(parent)]
        if missing:
            stack.extend(missing)
            continue
        stack.pop()
        if not done(node):
            finish(node)


def build(kind: type[V], op: Op, data: float, grad: float, parents: tuple[V, ...], partials: tuple[float, ...], note: Any) -> V:
    """A node from its fields."""
    node = object.__new__(kind)
    node._data, node._grad, node.op, node.parents, node.partials, node._note = data, grad, op, parents, partials, note
    return node


def shallow(node: V) -> V:
    """Another node with the same parents."""
    return build(type(node), node.op, node._data, node._grad, node.parents, node.partials, node._note)


def deep(root: V, memo: dict[int, Any]) -> V:
    """A copy of the whole graph above `root`, sharing what `memo` has copied already."""

    def finish(node: Value) -> None:
        copy = shallow(node)
        copy.parents = tuple(memo[id(parent)] for parent in node.parents)
        memo[id(node)] = copy

    _parents_first(root, lambda node: id(node) in memo, finish)
    return memo[id(root)]  # type: ignore[no-any-return]


class _Batch:
    """The computed nodes that one pickle meets together; flattened when the pickler comes to it.

    A pickler keeps what it has pickled alive until it is done, so `_batch_of`, which holds batches weakly, tells a
    node that is met later that it lies in a batch already. Leaves are pickled one by one.
    """

    def __init__(self) -> None:
        self.nodes: list[Value] = []
        self.index: dict[int, int] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        rows = [
            (type(n), n.op, n._data, n._grad, tuple(self.index.get(id(p), p) for p in n.parents), n.partials, n._note)
            for n in self.nodes
        ]
        return _unpack, (rows,)


def _unpack(rows: list[tuple[Any, ...]]) -> list[Value]:
    nodes: list[Value] = []
    for kind, op, data, grad, parents, partials, note in rows:
        operands = tuple(nodes[p] if isinstance(p, int) else p for p in parents)
        nodes.append(build(kind, op, data, grad, operands, partials, note))
    return nodes


def _pick(nodes: list[Value], position: int) -> Value:
    return nodes[position]


_batch_of: WeakValueDictionary[int, _Batch] | None = None


def reduced(root: Value) -> tuple[Any, ...]:
    """What `pickle` stores of a node."""
    global _batch_of
    if not root.parents:
        return build, (type(root), root.op, root._data, root._grad, (), (), root._note)
    if _batch_of is None:
        from weakref import WeakValueDictionary

        _batch_of = WeakValueDictionary()
    found = _batch_of
    batch = found.get(id(root))
    if batch is None:
        batch = _Batch()

        def finish(node: Value) -> None:
            batch.index[id(node)] = len(batch.nodes)
            batch.nodes.append(node)
            found[id(node)] = batch

        _parents_first(root, lambda node: not node.parents or id(node) in found, finish)
    return _pick, (batch, batch.index[id(root)])
