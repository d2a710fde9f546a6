"""Lets the arrays of calls share memory: numbers that nobody reads any more make room for later ones.

While calls are written every array has memory of its own, which nobody touches. Afterwards it is known which call is
the first and the last to name it, and arrays that overlap stay together. This module knows nothing of programs.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from math import inf

import numpy as np

from engine.compiler.array_source import address
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
    spans = _spans_of_owned(calls)
    parts = _parts(spans, fixed)
    first, last = _uses(calls.lines, [name for names in parts for name in names])
    last.update(dict.fromkeys(results, len(calls.lines)))
    blocks, bottoms = [], []
    for names in parts:
        bottoms.append(min(spans[name][0] for name in names))
        size = -(-(max(spans[name][1] for name in names) - bottoms[-1]) // _ALIGNED) * _ALIGNED
        blocks.append((size, min(map(first.__getitem__, names)), max(map(last.__getitem__, names))))
    places, total = shared_places(blocks)
    memory = np.empty(total + _ALIGNED, np.uint8)
    lead = -address(memory) % _ALIGNED
    for names, bottom, place in zip(parts, bottoms, places, strict=True):
        for name in names:
            array = calls.scope[name]
            offset = lead + place + address(array) - bottom
            calls.scope[name] = np.ndarray(array.shape, array.dtype, memory, offset, array.strides)
    calls.owned = []
    return memory, sum(size for size, _, _ in blocks)


def _spans_of_owned(calls: Calls) -> dict[str, tuple[int, int]]:
    """Where the named arrays lie that calls own, or that are views of such."""
    owned = sorted(_span(array) for array in calls.owned if array.size)
    spans = {name: _span(thing) for name, thing in calls.scope.items() if isinstance(thing, np.ndarray) and thing.size}
    return {name: span for name, span in spans.items() if _is_within(owned, span[0])}


def _parts(spans: dict[str, tuple[int, int]], fixed: Iterable[Array]) -> list[list[str]]:
    """The names of what may be moved, together with what overlaps."""
    part_of = joined([*spans.values(), *[_span(array) for array in fixed if array.size]])
    parts: dict[int, list[str]] = {}
    for name, part in zip(spans, part_of, strict=False):
        parts.setdefault(part, []).append(name)
    for part in part_of[len(spans) :]:
        parts.pop(part, None)
    return list(parts.values())


def _span(array: Array) -> tuple[int, int]:
    """The addresses of its first byte and behind its last."""
    start = end = address(array)
    for length, step in zip(array.shape, array.strides, strict=True):
        if step < 0:
            start += (length - 1) * step
        else:
            end += (length - 1) * step
    return start, end + array.itemsize


def _is_within(spans: Sequence[tuple[int, int]], address: int) -> bool:
    """Whether it lies in one of the spans, which are in order."""
    at = bisect_right(spans, (address, inf))
    return at > 0 and address < spans[at - 1][1]


def _uses(lines: Sequence[str], names: Iterable[str]) -> tuple[dict[str, int], dict[str, int]]:
    """The first and the last line that mention each name."""
    first: dict[str, int] = dict.fromkeys(names, len(lines))
    last = dict.fromkeys(first, 0)
    for k, line in enumerate(lines):
        for word in _WORD.findall(line):
            if word in last:
                first[word], last[word] = min(first[word], k), k
    return first, last
