"""Stacks of matrix products as NumPy calls, forward and in reverse.

Where rows are shorter than others, or do not meet, there are zeros, which shall not make nan of an infinite number on
the other side: a result that is not finite is computed again from what is there alone.
"""

from __future__ import annotations

from itertools import permutations
from math import isfinite

import numpy as np

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engine.compiler.array_memory import Memory, Operand
    from engine.compiler.instructions import Codes, Instruction

    Array = Any


class Stacked:
    """The calls of one stack. Its arrays have the axes [matrix, row, place in it, lane]."""

    def __init__(self, made: Instruction, memory: Memory, table: Callable[[Codes], Operand]) -> None:
        self.made, self.memory, self.calls, self.cells = made, memory, memory.calls, made.cells
        left, right = made.operands
        self.shape = (*left.shape[:2], right.shape[1])
        self.left, self.right = _Side(left, memory, table), _Side(right, memory, table)
        self.order = self._order()
        self.meets = np.zeros(self.shape, bool)
        self.meets.ravel()[self.cells] = True

    def _order(self) -> tuple[int, ...] | None:
        """The axes along which the results lie, if all rows meet."""
        places = np.arange(np.prod(self.shape)).reshape(self.shape)
        orders = permutations(range(3))
        return next((axes for axes in orders if np.array_equal(places.transpose(axes).ravel(), self.cells)), None)

    def _grid(self, flat: Array) -> Array | None:
        """The results, or their gradients, as a grid of all cells."""
        if self.order is None:
            return None
        shape = [self.shape[axis] for axis in self.order]
        return flat.reshape(*shape, -1).transpose(*np.argsort(self.order), 3)

    def forward(self) -> None:
        out = self.memory.result(self.made, (self.made.size,))
        whole = self._grid(out)
        grid = self._temporary(self.shape, out) if whole is None else whole
        valid = (self.left.valid, np.swapaxes(self.right.valid, 1, 2)) if self.left.short or self.right.short else None
        self._multiply(self.left.array, self.right.array.swapaxes(1, 2), grid, valid)
        if whole is None:
            self.calls.call(np.take, grid.reshape(-1, grid.shape[-1]), self.cells, axis=0, out=out, mode="clip")

    def upstream(self, flat: Array) -> Array:
        """The gradients of the results, where they are in the grid."""
        whole = self._grid(flat)
        if whole is not None:
            return whole
        grid = np.zeros((*self.shape, flat.shape[-1]), self.memory.dtype)
        self.calls.call(_put, grid.reshape(-1, flat.shape[-1]), self.cells, flat)
        return grid

    def to_left(self, upstream: Array, out: Array) -> None:
        self._back(self.left, upstream, self.meets, self.right, out)

    def to_right(self, upstream: Array, out: Array) -> None:
        self._back(self.right, upstream.swapaxes(1, 2), self.meets.swapaxes(1, 2), self.left, out)

    def _back(self, side: _Side, upstream: Array, meets: Array, other: _Side, out: Array) -> None:
        """Put what comes back to one side into an array: upstream @ the other."""
        whole = self._temporary(side.valid.shape, upstream) if side.short else out
        self._multiply(upstream, other.array, whole, None if meets.all() and not other.short else (meets, other.valid))
        if side.short:
            self.calls.call(np.take, whole.reshape(-1, whole.shape[-1]), side.places, axis=0, out=out, mode="clip")

    def _temporary(self, shape: tuple[int, ...], like: Array) -> Array:
        return self.calls.array((*shape, like.shape[-1]), self.memory.dtype)

    def _multiply(self, left: Array, right: Array, out: Array, valid: tuple[Array, Array] | None) -> None:
        """left @ right; `valid` tells which numbers are none, if some are."""
        arrays = [_lanes_first(array) for array in (left, right, out)]
        if valid is None:
            self.calls.call(np.matmul, *arrays[:2], out=arrays[2])
        else:
            self.calls.call(_multiply_valid, *arrays, valid[0][..., None] & valid[1][:, None])


class _Side:
    """The rows of one side, as a view or brought together, with zeros where there are none."""

    def __init__(self, codes: Codes, memory: Memory, table: Callable[[Codes], Operand]) -> None:
        self.memory, self.valid = memory, codes >= 0
        self.short = not self.valid.all()
        if not self.short:
            self.operand = table(codes)
            self.array = self.operand.array
            return
        [self.operand] = memory.operands([codes[self.valid]])
        self.places = np.flatnonzero(self.valid).reshape(self.operand.axes)
        lanes = self.operand.array.shape[-1]
        self.array = np.zeros((*codes.shape, lanes), memory.dtype)
        memory.calls.call(_put, self.array.reshape(-1, lanes), self.places, self.operand.array)


def _lanes_first(array: Array) -> Array:
    return array[..., 0] if array.shape[-1] == 1 else np.moveaxis(array, -1, 0)


def _put(grid: Array, places: Codes, numbers: Array) -> None:
    grid[places] = numbers


def _multiply_valid(left: Array, right: Array, out: Array, valid: Array) -> None:
    """left @ right, where terms that are not valid are zero whatever stands there."""
    np.matmul(left, right, out=out)
    if not isfinite(np.vdot(out, out)):
        terms = left[..., None] * right[..., None, :, :]
        np.add.reduce(np.where(valid, terms, 0.0), axis=-2, out=out)
