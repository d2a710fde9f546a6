"""Lets the arrays of calls share memory: numbers that nobody reads any more make room for later ones.

While calls are written every array has memory of its own, which nobody touches. Afterwards it is known which call is
the first and the last to name it, and arrays that overlap stay together. This module knows nothing of programs.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence

import numpy as np

from engine.compiler.liveness import joined, shared_places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.compiler.array_source import Calls

    Array = Any

_ALIGNED = 64
_WORD = re.compile(r"\w+")


def share_memory(calls: Calls, fixed: Iterable[Array], results: Iterable[str]) -> tuple[Array, int]:
    """Move what calls own into one array; returns that, and how many bytes there would be if none were shared.

    Args:
        calls: all of them.
        fixed: arrays that stay where they are, with all that overlaps them.
        results: names of what is read after the last call.
    """
    parts = _parts(calls, fixed)
    first, last = _uses(calls.lines, [name for names in parts for name in names])
    last.update(dict.fromkeys(results, len(calls.lines)))
    blocks, bottoms = [], []
    for names in parts:
        spans = [_span(calls.scope[name]) for name in names]
        bottoms.append(min(start for start, _ in spans))
        size = -(-(max(end for _, end in spans) - bottoms[-1]) // _ALIGNED) * _ALIGNED
        blocks.append((size, min(map(first.__getitem__, names)), max(map(last.__getitem__, names))))
    places, total = shared_places(blocks)
    memory = np.empty(total + _ALIGNED, np.uint8)
    lead = -memory.ctypes.data % _ALIGNED
    for names, bottom, place in zip(parts, bottoms, places, strict=True):
        for name in names:
            array = calls.scope[name]
            offset = lead + place + array.ctypes.data - bottom
            calls.scope[name] = np.ndarray(array.shape, array.dtype, memory, offset, array.strides)
    calls.owned = []
    return memory, sum(size for size, _, _ in blocks)


def _parts(calls: Calls, fixed: Iterable[Array]) -> list[list[str]]:
    """The names of what calls own and may be moved, together with what overlaps."""
    owned = sorted(_span(array) for array in calls.owned if array.size)
    names = [
        name for name, thing in calls.scope.items()
        if isinstance(thing, np.ndarray) and thing.size and _is_within(owned, thing)
    ]  # fmt: skip
    spans = [_span(calls.scope[name]) for name in names]
    part_of = joined([*spans, *[_span(array) for array in fixed if array.size]])
    parts: dict[int, list[str]] = {}
    for name, part in zip(names, part_of, strict=False):
        parts.setdefault(part, []).append(name)
    for part in part_of[len(names) :]:
        parts.pop(part, None)
    return list(parts.values())


def _span(array: Array) -> tuple[int, int]:
    """The addresses of its first byte and behind its last."""
    steps = [(n - 1) * step for n, step in zip(array.shape, array.strides, strict=True)]
    start = array.ctypes.data + sum(step for step in steps if step < 0)
    return start, start + sum(map(abs, steps)) + array.itemsize


def _is_within(spans: Sequence[tuple[int, int]], array: Array) -> bool:
    """Whether it lies in one of the spans, which are in order."""
    start = array.ctypes.data
    at = bisect_right(spans, (start, np.inf))
    return at > 0 and start < spans[at - 1][1]


def _uses(lines: Sequence[str], names: Iterable[str]) -> tuple[dict[str, int], dict[str, int]]:
    """The first and the last line that mention each name."""
    first: dict[str, int] = dict.fromkeys(names, len(lines))
    last = dict.fromkeys(first, 0)
    for k, line in enumerate(lines):
        for word in _WORD.findall(line):
            if word in last:
                first[word], last[word] = min(first[word], k), k
    return first, last
