"""Walks over a graph: from a node to its parents, and theirs.

Anything with a `parents` tuple is a node; this module knows nothing else of it. No walk recurses, so depth is
bounded by memory alone, and each is linear in nodes plus edges.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Protocol, Self, TypeVar

    class Node(Protocol):
        """What a walk needs of a node."""

        @property
        def parents(self) -> tuple[Self, ...]: ...

    N = TypeVar("N", bound=Node)


def topological_order(*roots: N) -> list[N]:
    """Every node that the roots were computed from, and the roots, each after all its parents.

    Depth first, parents from left to right: the same graph always gives the same order.

    >>> from engine import Value
    >>> a, b = Value(2.0, label="a"), Value(3.0, label="b")
    >>> [node.label or node.op.name for node in topological_order(a * b + a)]
    ['a', 'b', 'mul', 'add']
    """
    order: list[N] = []
    seen: set[N] = set()
    stack: list[N | None] = list(roots[::-1])
    pop, push, extend, emit, add = stack.pop, stack.append, stack.extend, order.append, seen.add
    while stack:
        node = pop()
        if node is None:  # all parents of the node beneath are in the order
            emit(pop())  # type: ignore[arg-type]  # a marker always lies on a node
        elif node not in seen:
            add(node)
            parents = node.parents
            if parents:
                push(node)
                push(None)
                extend(parents[::-1])
            else:
                emit(node)
    return order


def leaves(*roots: N) -> Iterator[N]:
    """The nodes without parents, variables and constants, in topological order.

    >>> from engine import Value
    >>> [leaf.data for leaf in leaves(Value(2.0) * 3 + 1)]
    [2.0, 3.0, 1.0]
    """
    return (node for node in topological_order(*roots) if not node.parents)


def consumers(order: Iterable[N]) -> dict[N, list[N]]:
    """For each node of an order, the nodes that use it; one that uses it twice stands there twice.

    >>> from engine import Value
    >>> a = Value(2.0)
    >>> [node.op.name for node in consumers(topological_order(a * a))[a]]
    ['mul', 'mul']
    """
    found: dict[N, list[N]] = {}
    for node in order:
        found[node] = []
        for parent in node.parents:
            found[parent].append(node)
    return found
