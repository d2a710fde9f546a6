"""Memory shared by blocks that are not needed at the same time. This module knows nothing of arrays or programs."""

from __future__ import annotations

from bisect import bisect_left, insort
from heapq import heappop, heappush

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def shared_places(blocks: Sequence[tuple[int, int, int]]) -> tuple[list[int], int]:
    """Where blocks lie, and how much memory that takes.

    Args:
        blocks: the size of each, and when it is first and last used.

    >>> shared_places([(10, 0, 1), (20, 1, 2), (5, 2, 3), (5, 2, 4)])
    ([0, 10, 0, 5], 30)
    """
    places, total, free = [0] * len(blocks), 0, _Free()
    leaving: list[tuple[int, int]] = []
    for k in sorted(range(len(blocks)), key=lambda k: (blocks[k][1], -blocks[k][0])):
        size, first, last = blocks[k]
        while leaving and leaving[0][0] < first:
            gone = heappop(leaving)[1]
            free.add(places[gone], places[gone] + blocks[gone][0])
        places[k], end = free.take(size, total)
        if end > places[k] + size:
            free.add(places[k] + size, end)
        total = max(total, places[k] + size)
        heappush(leaving, (last, k))
    return places, total


class _Free:
    """Free memory: spans in order of place, never side by side, and in order of size."""

    def __init__(self) -> None:
        self._spans: list[tuple[int, int]] = []
        self._sizes: list[tuple[int, int]] = []  # and starts

    def add(self, start: int, end: int) -> None:
        """Give a span back, joined with free neighbours."""
        at = bisect_left(self._spans, (start, end))
        if at < len(self._spans) and self._spans[at][0] == end:
            _, end = self._pop(at)
        if at and self._spans[at - 1][1] == start:
            start, _ = self._pop(at - 1)
        insort(self._spans, (start, end))
        insort(self._sizes, (end - start, start))

    def take(self, size: int, total: int) -> tuple[int, int]:
        """The smallest span that is large enough; else one that ends, or begins, at the total."""
        at = bisect_left(self._sizes, (size, 0))
        if at < len(self._sizes):
            return self._pop(bisect_left(self._spans, (self._sizes[at][1], 0)))
        return self._pop(-1) if self._spans and self._spans[-1][1] == total else (total, total)

    def _pop(self, at: int) -> tuple[int, int]:
        start, end = self._spans.pop(at)
        del self._sizes[bisect_left(self._sizes, (end - start, start))]
        return start, end


def joined(spans: Sequence[tuple[int, int]]) -> list[int]:
    """For each span, the number of its part: spans that overlap are of one part.

    >>> joined([(0, 4), (10, 12), (3, 8)])
    [0, 1, 0]
    """
    part_of, part, reach = [0] * len(spans), -1, -1
    for k in sorted(range(len(spans)), key=spans.__getitem__):
        start, end = spans[k]
        if start >= reach:
            part += 1
        reach = max(reach, end)
        part_of[k] = part
    return part_of
