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
    places, total = [0] * len(blocks), 0
    free: list[tuple[int, int]] = []  # start and end, in order; never side by side
    leaving: list[tuple[int, int]] = []
    for k in sorted(range(len(blocks)), key=lambda k: (blocks[k][1], -blocks[k][0])):
        size, first, last = blocks[k]
        while leaving and leaving[0][0] < first:
            gone = heappop(leaving)[1]
            _release(free, places[gone], places[gone] + blocks[gone][0])
        fitting = min([(end - start, start) for start, end in free if end - start >= size], default=None)
        if fitting is not None:
            room, start = fitting
            free.remove((start, start + room))
        else:
            start = free.pop()[0] if free and free[-1][1] == total else total
            room, total = size, start + size
        if room > size:
            insort(free, (start + size, start + room))
        places[k] = start
        heappush(leaving, (last, k))
    return places, total


def _release(free: list[tuple[int, int]], start: int, end: int) -> None:
    """Give a block back, joined with free neighbours."""
    at = bisect_left(free, (start, end))
    if at < len(free) and free[at][0] == end:
        end = free.pop(at)[1]
    if at and free[at - 1][1] == start:
        at -= 1
        start = free.pop(at)[0]
    free.insert(at, (start, end))


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
