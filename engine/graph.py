"""Walks over a graph: from a node to its parents, and theirs.

This module knows how a node keeps its parents, and nothing else of it. No walk recurses, so depth is bounded by memory
alone, and each is linear in nodes plus edges.
"""

from __future__ import annotations

from itertools import filterfalse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.value import Value


def topological_order(*roots: Value) -> list[Value]:
    """Every node that the roots were computed from, and the roots, each after all its parents.

    Depth first, parents from left to right: the same graph always gives the same order.

    >>> from engine import Value
    >>> a, b = Value(2.0, label="a"), Value(3.0, label="b")
    >>> [node.label or node.op.name for node in topological_order(a * b + a)]
    ['a', 'b', 'mul', 'add']
    """
    order: list[Value] = []
    seen: set[Value] = set()
    done: set[int] = set()  # lists of parents by id, all in the order: a layer's neurons share one tuple of inputs
    stack: list[Value | None] = list(roots[::-1])
    pop, push, extend, emit, add = stack.pop, stack.append, stack.extend, order.append, seen.add
    is_seen = seen.__contains__
    while stack:
        node = pop()
        if node is None:  # all parents of the node beneath are in the order
            node = pop()
            emit(node)  # type: ignore[arg-type]  # a marker always lies on a node
            if node._first.__class__ is tuple:  # type: ignore[union-attr]
                done.add(id(node._first))  # type: ignore[union-attr]
                done.add(id(node._second))  # type: ignore[union-attr]
        elif node not in seen:
            add(node)
            first = node._first
            if first is None:
                emit(node)
                continue
            push(node)
            push(None)
            second = node._second
            if first.__class__ is tuple:
                for parents in (second, first):
                    if parents is not None and id(parents) not in done:
                        extend(filterfalse(is_seen, parents[::-1]))
            else:
                if second is not None and second not in seen:
                    push(second)
                if first not in seen:
                    push(first)
    return order


def leaves(*roots: Value) -> Iterator[Value]:
    """The nodes without parents, variables and constants, in topological order.

    >>> from engine import Value
    >>> [leaf.data for leaf in leaves(Value(2.0) * 3 + 1)]
    [2.0, 3.0, 1.0]
    """
    return (node for node in topological_order(*roots) if not node.parents)


def consumers(order: Iterable[Value]) -> dict[Value, list[Value]]:
    """For each node of an order, the nodes that use it; one that uses it twice stands there twice.

    >>> from engine import Value
    >>> a = Value(2.0)
    >>> [node.op.name for node in consumers(topological_order(a * a))[a]]
    ['mul', 'mul']
    """
    found: dict[Value, list[Value]] = {}
    for node in order:
        found[node] = []
        for parent in node.parents:
            found[parent].append(node)
    return found
