"""Groups: nodes of one level and one signature, which one array operation computes.

This module decides what belongs together; how it is computed is `instructions`' concern.
"""

from __future__ import annotations

from engine.compiler.linear import LINEAR
from engine.ops import OPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.compiler.linear import Node

_NONE: Mapping[int, int] = {}


def groups(nodes: Sequence[Node], shares: Mapping[int, int] = _NONE) -> list[list[int]]:
    """Nodes of one level and one signature, level by level: each is one array operation, or a few.

    `shares` are those of `softmax_shares`; what leads to them alone is left out.

    >>> from engine import Value
    >>> from engine.compiler.linear import Forms
    >>> from engine.compiler.scalars import scalars_of
    >>> x, y = Value(1.0), Value(2.0)
    >>> groups(Forms(scalars_of([x.exp(), y.exp(), (x * y).exp()], [x, y])).nodes)
    [[2, 3], [4], [5]]
    """
    found: dict[tuple[object, ...], list[int]] = {}
    hidden = {*shares.values(), *[nodes[i].left[0] for i in shares]}
    for i, node in enumerate(nodes):
        op = node.op
        key: tuple[object, ...]
        if not node.level or i in hidden:
            continue
        if i in shares:
            key = (node.level, "softmax", node.lane)
        elif op is LINEAR:
            lanes = [nodes[part[0]].lane for part in (node.left, node.right) if part]
            key = (node.level, op, node.scale, node.weights, bool(node.left), node.lane, *lanes)
            key += tuple([nodes[j].lane for j in node.addends])
        elif op.variadic:
            key = (node.level, op, node.scale, node.lane)
        else:
            key = (node.level, op, *[nodes[j].lane for j in node.left])
        found.setdefault(key, []).append(i)
    return sorted(found.values(), key=lambda group: nodes[group[0]].level)


def softmax_shares(nodes: Sequence[Node], outputs: Sequence[int]) -> dict[int, int]:
    """The nodes exp(x - logsumexp(xs)), with that logsumexp, where all xs have one and nothing else reads it.

    >>> from engine import Value, functions
    >>> from engine.compiler.linear import Forms
    >>> from engine.compiler.scalars import scalars_of
    >>> x, y = Value(1.0), Value(2.0)
    >>> forms = Forms(scalars_of(functions.softmax([x, y]), [x, y]))
    >>> softmax_shares(forms.nodes, forms.outputs)
    {4: 2, 6: 2}
    """
    exp, sums = OPS["exp"], {i for i, node in enumerate(nodes) if node.op is OPS["logsumexp"]}
    readers = _readers(nodes, sums, outputs)
    differences = _readers(nodes, {i for found in readers.values() for i in found}, outputs)
    found: dict[int, int] = {}
    for total in sums:
        parts = [nodes[i] for i in readers[total] if i >= 0]
        ends = [end for i in readers[total] for end in differences.get(i, [-1])]
        if len(ends) == len(parts) == len(readers[total]) and all(
            part.op is LINEAR and not part.left and part.weights == (1.0, -1.0) for part in parts
        ):
            whole = sorted([part.addends[0] for part in parts]) == sorted(nodes[total].left)
            if whole and all(end >= 0 and nodes[end].op is exp for end in ends):
                found.update(dict.fromkeys(ends, total))
    return dict(sorted(found.items()))


def _readers(nodes: Sequence[Node], read: set[int], outputs: Sequence[int]) -> dict[int, list[int]]:
    """Who reads each of them; -1 is whoever calls the program."""
    found: dict[int, list[int]] = {i: [] for i in read}
    for i, node in enumerate(nodes if read else ()):
        if node.level:
            for j in (*node.left, *node.right, *node.addends):
                if j in found:
                    found[j].append(i)
    for i in outputs:
        if i in found:
            found[i].append(-1)
    return found
