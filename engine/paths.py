"""The paths that a gradient is the sum of: the largest of them, found without listing all.

This module knows contributions, and nothing of how they are recorded or shown.
"""

from __future__ import annotations

import math
from heapq import heappop, heappush

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.events import Contribution
    from engine.value import Value


def largest_paths(
    contributions: list[Contribution], root: Value, upstream: float, target: Value, k: int
) -> tuple[list[Path], float]:
    """The k largest paths from the root to the target, and the share of the others; see `Trace.paths`.

    >>> from engine import Trace
    >>> from engine.value import Value
    >>> x = Value(3.0)
    >>> trace = Trace(x * x)
    >>> largest_paths(trace.contributions, trace.root, 1.0, x, 1)
    ([Path(mul -> leaf, product=3.0)], 0.5)
    """
    routes, exhausted = _largest(_choices(contributions, target), root, target, k)
    paths = [path for route in routes if (path := Path(root, upstream, route)).product]
    paths.sort(key=lambda path: -_size(path.product))
    if exhausted:
        return paths, 0.0
    total = _total(contributions, root, target, abs(upstream))
    left = total - sum(abs(path.product) for path in paths)
    if not math.isfinite(left):
        return paths, math.nan
    return paths, max(0.0, left) / total if total else 0.0


class Path:
    """A way from the root to a node.

    Attributes:
        nodes: the nodes on it, the root first.
        contributions: the events of its edges; a repeated operand lies on two paths of the same nodes.
        product: the upstream gradient of the root times the partials of all edges.
    """

    __slots__ = ("contributions", "nodes", "product")

    def __init__(self, root: Value, upstream: float, contributions: list[Contribution]) -> None:
        self.contributions = tuple(contributions)
        self.nodes = (root, *(edge.parent for edge in contributions))
        self.product = math.prod([edge.partial for edge in contributions], start=upstream)

    def __repr__(self) -> str:
        names = [node.label or node.op.name for node in self.nodes]
        shown = names if len(names) <= 9 else [*names[:5], "...", *names[-3:]]
        return f"Path({' -> '.join(shown)}, product={self.product!r})"


def _size(number: float) -> float:
    return math.inf if math.isnan(number) else abs(number)


def _choices(contributions: list[Contribution], target: Value) -> dict[Value, list[tuple[float, float, Contribution]]]:
    """For each node, its edges that lead to the target, best first: (log of the best product, own log, edge).

    Logarithms, as products along deep paths leave the range of floats on the way and may come back.
    """
    choices: dict[Value, list[tuple[float, float, Contribution]]] = {}
    best = {target: 0.0}
    for edge in reversed(contributions):  # parents before the nodes that use them
        if edge.partial and edge.parent in best:
            own = math.inf if not math.isfinite(edge.partial) else math.log(abs(edge.partial))
            reach = own + best[edge.parent]
            choices.setdefault(edge.node, []).append((reach, own, edge))
            best[edge.node] = max(best.get(edge.node, reach), reach)
    for options in choices.values():
        options.sort(key=lambda option: (-option[0], option[2].slot))
    return choices


def _largest(
    choices: dict[Value, list[tuple[float, float, Contribution]]], root: Value, target: Value, k: int
) -> tuple[list[list[Contribution]], bool]:
    """The k best routes, best first, and whether there are no others.

    A route is the best one that leaves an earlier route at some edge for the next best edge there. So no route is made
    twice, each costs its own length, and rounding cannot mislead the search into trying routes that tie one by one.
    """
    found: list[list[Contribution]] = []
    if root is not target and root not in choices:
        return found, True
    waiting: list[tuple[float, int, list[Contribution], int, int, float]] = [(0.0, 0, [], 0, 0, 0.0)]
    tie = 0
    while waiting and len(found) < k:
        _, _, earlier, length, rank, size = heappop(waiting)
        route = earlier[:length]
        node = route[-1].parent if route else root
        while node is not target:
            options = choices[node]
            if rank + 1 < len(options):
                tie += 1
                heappush(waiting, (-(size + options[rank + 1][0]), tie, route, len(route), rank + 1, size))
            _, own, edge = options[rank]
            route.append(edge)
            node, rank, size = edge.parent, 0, size + own
        found.append(route)
    return found, not waiting


def _total(contributions: list[Contribution], root: Value, target: Value, upstream: float) -> float:
    """The sum of |product| over all paths: the reverse sweep in absolute values."""
    sums = {root: upstream}
    for edge in contributions:
        if edge.partial and edge.node in sums:
            sums[edge.parent] = sums.get(edge.parent, 0.0) + sums[edge.node] * abs(edge.partial)
    return sums[target]
