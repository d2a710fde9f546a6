"""The paths that a gradient is the sum of: the largest of them, found without listing all.

This module knows edges and their partials, and nothing of how they are recorded or shown.
"""

from __future__ import annotations

import math
from heapq import heappop, heappush

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from engine.events import Contribution
    from engine.value import Value

    Row = tuple[Value, Value, int, float, float, *tuple[Any, ...]]  # node, parent, slot, upstream, partial
    Choices = dict[Value, list[tuple[float, float, int, Value]]]


def largest_paths(
    rows: Sequence[Row], root: Value, upstream: float, target: Value, k: int
) -> tuple[list[tuple[float, list[int]]], float]:
    """The k largest paths from the root to the target, and the share of the others; see `Trace.paths`.

    Args:
        rows: the contributions of the reverse sweep, in order: node, parent, slot, upstream gradient, partial.
        root: where paths start.
        upstream: the gradient of the root.
        target: where they end.
        k: the most paths to list.

    Returns:
        (product, places of its contributions in `rows`) for each path, and the share.

    >>> from engine import Value
    >>> x = Value(3.0)
    >>> y = x * x
    >>> largest_paths([(y, x, 0, 1.0, 3.0), (y, x, 1, 1.0, 3.0)], y, 1.0, x, 1)
    ([(3.0, [0])], 0.5)
    """
    routes, exhausted = _largest(_choices(rows, target), root, target, k)
    products = [math.prod([rows[place][4] for place in route], start=upstream) for route in routes]
    found = [pair for pair in zip(products, routes, strict=True) if pair[0]]
    found.sort(key=lambda pair: -_size(pair[0]))
    if exhausted:
        return found, 0.0
    total = _total(rows, root, target, abs(upstream))
    left = total - sum(abs(product) for product, _ in found)
    if not math.isfinite(left):
        return found, math.nan
    return found, max(0.0, left) / total if total else 0.0


class Path:
    """A way from the root to a node.

    Attributes:
        nodes: the nodes on it, the root first.
        contributions: the events of its edges; a repeated operand lies on two paths of the same nodes.
        product: the upstream gradient of the root times the partials of all edges.
    """

    __slots__ = ("contributions", "nodes", "product")

    def __init__(self, root: Value, contributions: Sequence[Contribution], product: float) -> None:
        self.nodes = (root, *(event.parent for event in contributions))
        self.contributions = tuple(contributions)
        self.product = product

    def __repr__(self) -> str:
        names = [node.label or node.op.name for node in self.nodes]
        shown = names if len(names) <= 9 else [*names[:5], "...", *names[-3:]]
        return f"Path({' -> '.join(shown)}, product={self.product!r})"


def _size(number: float) -> float:
    return math.inf if math.isnan(number) else abs(number)


def _choices(rows: Sequence[Row], target: Value) -> Choices:
    """For each node, its edges that lead to the target, best first.

    An edge is (log of the best product over it, its own log, its place in `rows`, parent). Logarithms, as products
    along deep paths leave the range of floats on the way and may come back.
    """
    choices: Choices = {}
    best = {target: 0.0}
    for place in range(len(rows) - 1, -1, -1):  # parents before the nodes that use them
        node, parent, _, _, partial, *_ = rows[place]
        if partial and parent in best:
            own = math.log(abs(partial)) if math.isfinite(partial) else math.inf
            reach = own + best[parent]
            choices.setdefault(node, []).append((reach, own, place, parent))
            best[node] = max(best.get(node, reach), reach)
    for options in choices.values():
        options.sort(key=lambda option: (-option[0], option[2]))
    return choices


def _largest(choices: Choices, root: Value, target: Value, k: int) -> tuple[list[list[int]], bool]:
    """The k best routes, best first, and whether there are no others.

    A route is the best one that leaves an earlier route at some edge for the next best edge there. So no route is made
    twice, each costs its own length, and rounding cannot mislead the search into trying routes that tie one by one.
    """
    found: list[list[int]] = []
    if root is not target and root not in choices:
        return found, True
    # (-log of its best product, tie breaker, an earlier route, how much of it is kept and where that leads, which of
    # the edges there comes next, log of the product so far)
    waiting: list[tuple[float, int, list[int], int, Value, int, float]] = [(0.0, 0, [], 0, root, 0, 0.0)]
    tie = 0
    while waiting and len(found) < k:
        _, _, earlier, length, node, rank, size = heappop(waiting)
        route = earlier[:length]
        while node is not target:
            options = choices[node]
            if rank + 1 < len(options):
                tie += 1
                heappush(waiting, (-(size + options[rank + 1][0]), tie, route, len(route), node, rank + 1, size))
            _, own, place, node = options[rank]
            route.append(place)
            rank, size = 0, size + own
        found.append(route)
    return found, not waiting


def _total(rows: Sequence[Row], root: Value, target: Value, upstream: float) -> float:
    """The sum of |product| over all paths: the reverse sweep in absolute values."""
    sums = {root: upstream}
    for node, parent, _, _, partial, *_ in rows:
        if partial and node in sums:
            sums[parent] = sums.get(parent, 0.0) + sums[node] * abs(partial)
    return sums[target]
