"""Copies and pickles of graphs of any depth.

Python's own `deepcopy` and `pickle` follow references by recursion, which ends near a thousand nodes. Here a whole
graph is copied or flattened by a loop. Identity is kept as one expects: nodes shared between two things that are
copied or pickled together are shared afterwards.
"""

from __future__ import annotations

from _weakref import ref as weakref

from engine.ops import Op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, TypeVar

    from engine.value import Value

    V = TypeVar("V", bound=Value)


def _unknown(root: Value, known: Mapping[int, object], leaves: bool) -> Iterator[Value]:
    """The nodes above `root`, and it, whose ids are not `known`: parents first. The caller makes each known."""
    stack = [root]
    while stack:
        node = stack[-1]
        if id(node) in known:
            stack.pop()
        elif missing := [p for p in node.parents if id(p) not in known and (leaves or p.parents)]:
            stack += missing
        else:
            stack.pop()
            yield node


def build(
    kind: type[V],
    op: Op,
    data: float,
    grad: float,
    parents: tuple[V, ...],
    partials: tuple[float, ...],
    note: Any,
    extra: dict[str, Any] | None = None,
) -> V:
    """A node from its fields."""
    node = object.__new__(kind)
    node._data, node._grad, node.op, node._note = data, grad, op, note
    node._connect(parents, partials)
    if extra:  # a subclass without slots may keep attributes of its own
        vars(node).update(extra)
    return node


def _extra(node: Value) -> dict[str, Any] | None:
    return getattr(node, "__dict__", None)


def kind_of_copy(node: V) -> type[V]:
    """The class of a copy: a parameter whose number a compiler keeps is copied as what it was before."""
    return getattr(node, "kept_as", type(node))


def shallow(node: V) -> V:
    """Another node with the same parents."""
    parents: tuple[Any, ...] = node.parents
    copy: V = build(
        kind_of_copy(node), node.op, node._data, node._grad, parents, node.partials, node._note, _extra(node)
    )
    return copy


def deep(root: V, memo: dict[int, Any]) -> V:
    """A copy of the whole graph above `root`, sharing what `memo` has copied already."""
    for node in _unknown(root, memo, leaves=True):
        memo[id(node)] = copy = shallow(node)
        copy._connect(tuple([memo[id(parent)] for parent in node.parents]), node.partials)
    return memo[id(root)]  # type: ignore[no-any-return]


class _Batch:
    """The computed nodes that one pickle meets together; flattened when the pickler comes to it.

    A pickler keeps what it has pickled alive until it is done. So a batch that is alive tells a node that is met later
    where it lies, and one that dies takes its entries with it. Leaves are pickled one by one.
    """

    def __init__(self) -> None:
        self.nodes: list[Value] = []
        self.index: dict[int, int] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        index = self.index
        rows = [
            (
                kind_of_copy(n),
                n.op,
                n._data,
                n._grad,
                tuple([index.get(id(p), p) for p in n.parents]),
                n.partials,
                n._note,
                _extra(n),
            )
            for n in self.nodes
        ]
        return _unpack, (rows,)

    def __del__(self) -> None:
        for key in self.index:
            del _batch_of[key]


_batch_of: dict[int, weakref[_Batch]] = {}
"""The living batch of a computed node, by the node's id."""


def _unpack(rows: list[tuple[Any, ...]]) -> list[Value]:
    nodes: list[Value] = []
    for kind, op, data, grad, parents, *rest in rows:
        operands = tuple(nodes[p] if isinstance(p, int) else p for p in parents)
        nodes.append(build(kind, op, data, grad, operands, *rest))
    return nodes


def _pick(nodes: list[Value], position: int) -> Value:
    return nodes[position]


def reduced(root: Value) -> tuple[Any, ...]:
    """What `pickle` stores of a node."""
    if not root.parents:
        return build, (kind_of_copy(root), root.op, root._data, root._grad, (), (), root._note, _extra(root))
    found = _batch_of.get(id(root))
    batch = found() if found else None
    if batch is None:
        batch = _Batch()
        reference = weakref(batch)
        for node in _unknown(root, _batch_of, leaves=False):
            batch.index[id(node)] = len(batch.nodes)
            batch.nodes.append(node)
            _batch_of[id(node)] = reference
    return _pick, (batch, batch.index[id(root)])
