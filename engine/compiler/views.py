"""Codes as views: ranges of places with even steps, along several axes.

Several operands of one instruction must agree on the axes: `common_axes` finds the coarsest that suit all.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from engine.compiler.instructions import Codes, Instruction

_MOST_AXES = 5
_SMALL = 1000  # codes that Python's sets count quicker than NumPy


def blocks(codes: Codes) -> list[int] | None:
    """The sizes of the blocks, from small to large, that repeat with an even step; None if there are too many.

    >>> blocks(np.array([0, 1, 2, 10, 11, 12])), blocks(np.array([4, 4, 5, 5])), blocks(np.array([0, 1, 3]))
    ([3, 6], [2, 4], None)
    """
    found: list[int] = []
    size = 1
    while len(codes) > 1:
        steps = np.diff(codes)
        uneven = np.flatnonzero(steps != steps[0])
        run = int(uneven[0]) + 1 if len(uneven) else len(codes)
        if len(codes) % run or len(found) == _MOST_AXES:
            return None
        rows = codes.reshape(-1, run)
        if (rows - rows[:, :1] != rows[0] - rows[0, 0]).any():
            return None
        size *= run
        found.append(size)
        codes = rows[:, 0]
    return found


def is_even(codes: Codes) -> bool:
    """Whether they are of one space and make a view."""
    return is_one_space(codes) and blocks(codes.ravel()) is not None


def is_grid(codes: Codes) -> bool:
    """Whether the step is even along each of their axes.

    >>> is_grid(np.array([[0, 1], [10, 11]])), is_grid(np.array([[0, 1], [10, 12]]))
    (True, False)
    """
    places: tuple[Codes, ...] = np.indices(codes.shape, sparse=True)
    even = sum(step * place for step, place in zip(steps(codes, codes.shape), places, strict=True))
    return bool((codes == codes.flat[0] + even).all())


def steps(codes: Codes, axes: tuple[int, ...]) -> list[int]:
    """By how much they grow from the first place to the next along each axis; by nothing if there is no next.

    >>> steps(np.array([0, 1, 10, 11]), (2, 2, 1))
    [10, 1, 0]
    """
    flat, found, inner = codes.ravel(), [], codes.size
    for length in axes:
        inner //= length
        found.append(int(flat[inner] - flat[0]) if length > 1 else 0)
    return found


def different(codes: Codes) -> int:
    """How many different ones there are."""
    if codes.size > _SMALL:  # `unique` takes five times as long
        return 1 + int(np.count_nonzero(np.diff(np.sort(codes, axis=None))))
    return len(set(codes.ravel().tolist()))


def even_parts(columns: list[Codes]) -> list[slice]:
    """The fewest runs of rows such that all columns are even in each.

    >>> even_parts([np.array([0, 1, 5, 6]), np.array([7, 8, 9, 10])])
    [slice(0, 2, None), slice(2, 4, None)]
    """
    parts, start, size = [], 0, len(columns[0])
    while start < size:
        stop = start + 1
        while stop < size and all(is_even(column[start : stop + 1]) for column in columns):
            stop += 1
        parts.append(slice(start, stop))
        start = stop
    return parts


def common_axes(size: int, all_blocks: Iterable[list[int]]) -> tuple[int, ...] | None:
    """Axes, the last one running fastest, whose lengths multiply up to all blocks; None if blocks cross.

    >>> common_axes(12, [[3, 12], [6, 12]]), common_axes(6, [[3, 6], [2, 6]])
    ((2, 2, 3), None)
    """
    ends = sorted({1, size, *(end for found in all_blocks for end in found)})
    if any(large % small for small, large in pairwise(ends)):
        return None
    return tuple(large // small for small, large in pairwise(ends))[::-1] or (1,)


def shared_axes(flats: list[Codes], times: list[int], row: int) -> tuple[tuple[int, ...], list[bool]]:
    """Axes on which one instruction reads all its operands, and which of them are views; the others are gathered.

    `times` says how often each code of an operand counts; the axes make up rows of length `row`.

    >>> shared_axes([np.arange(6), np.array([0, 5, 1, 6, 2, 7]), np.array([4, 1, 0, 3, 3, 9])], [1, 1, 1], 1)
    ((3, 2), [True, True, False])
    """
    found = [blocks(flat) if is_one_space(flat) else None for flat in flats]
    while True:
        wanted = [[end * n for end in ends] for ends, n in zip(found, times, strict=True) if ends]
        axes = common_axes(len(flats[0]) * times[0], [[row], *wanted])
        if axes is not None:
            return axes, [ends is not None for ends in found]
        worst = max((k for k, ends in enumerate(found) if ends), key=lambda k: len(found[k] or ()))
        found[worst] = None  # one after the other is gathered


def is_one_space(codes: Codes) -> bool:
    spaces = codes.ravel() >> 32
    return bool((spaces == spaces[0]).all())


def is_table(codes: Codes) -> bool:
    """Whether rows of matrices are a view of exactly these axes, each number in it once."""
    return is_one_space(codes) and different(codes) == codes.size and is_grid(codes)


def evens(made: Instruction) -> tuple[list[bool], list[bool]]:
    """Which operands and which addends of an instruction are read where they lie; the others are gathered."""
    count, flats = len(made.operands), [codes[codes >= 0] for codes in made.operands + made.addends]
    if made.kind == "products" and made.starts is None:
        length = made.operands[0].shape[1] if made.operands else 1
        found = shared_axes(flats, [1] * count + [length] * len(made.addends), length)[1]
        return found[:count], found[count:]
    addends = shared_axes(flats[count:], [1] * len(made.addends), 1)[1] if made.addends else []
    if made.kind not in ("matrix", "stack"):
        return shared_axes(flats[:count], [1] * count, 1)[1], addends
    tables = zip(made.operands, flats, strict=False)
    return [is_table(codes) if codes.size == flat.size else is_even(flat) for codes, flat in tables], addends


def view(array: Any, codes: Codes, axes: tuple[int, ...]) -> Any:
    """The numbers at evenly placed codes of a space, as a view of these axes and those behind the array's first."""
    start = int(codes.flat[0]) & 0xFFFFFFFF
    strides = [step * array.strides[0] for step in steps(codes, axes)]
    return np.lib.stride_tricks.as_strided(array[start:], (*axes, *array.shape[1:]), (*strides, *array.strides[1:]))


def free_axes(codes: Codes, axes: tuple[int, ...]) -> tuple[int, ...]:
    """The axes along which the code does not change."""
    return tuple(axis for axis, step in enumerate(steps(codes, axes)) if axes[axis] > 1 and step == 0)
