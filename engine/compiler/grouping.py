"""Groups: nodes of one level and one signature, which one array operation computes.

This module decides what belongs together; how it is computed is `instructions`' concern.
"""

from __future__ import annotations

from engine.compiler.linear import LINEAR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.compiler.linear import Node


def groups(nodes: Sequence[Node]) -> list[list[int]]:
    """Nodes of one level and one signature, level by level: each is one array operation, or a few.

    >>> from engine import Value
    >>> from engine.compiler.linear import Forms
    >>> from engine.compiler.scalars import scalars_of
    >>> x, y = Value(1.0), Value(2.0)
    >>> groups(Forms(scalars_of([x.exp(), y.exp(), (x * y).exp()], [x, y])).nodes)
    [[2, 3], [4], [5]]
    """
    found: dict[tuple[object, ...], list[int]] = {}
    for i, node in enumerate(nodes):
        op = node.op
        key: tuple[object, ...]
        if not node.level:
            continue
        if op is LINEAR:
            lanes = [nodes[part[0]].lane for part in (node.left, node.right) if part]
            key = (node.level, op, node.scale, node.weights, bool(node.left), node.lane, *lanes)
            key += tuple([nodes[j].lane for j in node.addends])
        elif op.variadic:
            key = (node.level, op, node.scale, node.lane)
        else:
            key = (node.level, op, *[nodes[j].lane for j in node.left])
        found.setdefault(key, []).append(i)
    return sorted(found.values(), key=lambda group: nodes[group[0]].level)
