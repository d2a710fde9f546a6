"""Arithmetic on arrays as calls: of several ways to the same numbers the quickest."""

from __future__ import annotations

from math import prod

import numpy as np

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from engine.compiler.array_source import Calls

    Array = Any

_SAFE = (1e-30, 1e30)  # numbers that may be multiplied among each other first, in float32 too


def multiply_matrices(calls: Calls, left: Array, right: Array, out: Array) -> None:
    """A product of matrices, or of stacks of them.

    `dot` is called quicker than `matmul`; but it skips zeros in vectors times a number, which may meet infinities.
    """
    if out.ndim > 2:
        calls.call(np.matmul, left, right, out=out)
    elif left.shape[1] == 1 and 1 in out.shape:
        calls.call(np.multiply, left, right, out=out)
    elif out.flags.c_contiguous:
        calls.call(np.dot, left, right, out=out)
    elif out.T.flags.c_contiguous:
        calls.call(np.dot, right.T, left.T, out=out.T)
    else:
        calls.call(np.matmul, left, right, out=out)


def scale(calls: Calls, array: Array, number: float, out: Array) -> None:
    """A number times an array."""
    if number != 1.0:  # -1 too: NumPy 2.4's `negative` reads every eighth number wrong where places have gaps
        calls.call(np.multiply, array, number, out=out)
    elif array is not out:
        calls.call(np.copyto, out, array)


def sum_along(calls: Calls, array: Array, axes: Sequence[int], out: Array) -> None:
    """Sums along axes; `out` keeps them, with length 1."""
    long = [k for k, n in enumerate(array.shape) if n > 1]
    summed = [k for k in long if k in axes]
    together = array.flags.c_contiguous and out.flags.c_contiguous and summed != []
    if together and summed == long[-len(summed) :]:
        ones = calls.ones(prod(array.shape[k] for k in summed))
        calls.call(np.dot, array.reshape(-1, len(ones)), ones, out=out.reshape(-1))
    elif together and summed == long[: len(summed)]:
        ones = calls.ones(prod(array.shape[k] for k in summed))
        calls.call(np.dot, ones, array.reshape(len(ones), -1), out=out.reshape(-1))
    else:
        calls.call(np.add.reduce, array, axis=tuple(axes), keepdims=True, out=out)


class Term:
    """Numbers times arrays, at most two, not computed yet.

    Attributes:
        numbers: several only if their product might leave the range of floats.
        arrays: broadcast to `shape`; a second one may hold truths.

    >>> Term((2, 3), [4.0]).times(0.5).numbers
    [2.0]
    """

    __slots__ = ("arrays", "numbers", "shape")

    def __init__(self, shape: tuple[int, ...], numbers: Sequence[float] = (), arrays: Sequence[Array] = ()) -> None:
        self.shape, self.arrays = shape, list(arrays)
        self.numbers = [number for number in numbers if number != 1.0 or not arrays]

    @property
    def number(self) -> float:
        return prod(self.numbers, start=1.0)

    @property
    def is_array(self) -> bool:
        """Whether it is nothing but one array of numbers."""
        return not self.numbers and len(self.arrays) == 1 and self.arrays[0].dtype != bool

    def times(self, factor: float | Array) -> Term:
        """With one more factor."""
        if not isinstance(factor, float):
            return Term(self.shape, self.numbers, [*self.arrays, factor])
        numbers = [*self.numbers, factor]
        small, large = _SAFE
        if not self.arrays or all(small < abs(number) < large for number in numbers):
            numbers = [prod(numbers)]
        return Term(self.shape, numbers, self.arrays)

    def along(self, axes: tuple[int, ...], shape: tuple[int, ...]) -> Term:
        """With other axes, of which there may be more in the end: `axes` are those of the arrays, without lanes."""
        return Term(shape, self.numbers, [array.reshape(*axes, -1) for array in self.arrays])

    def write(self, calls: Calls, out: Array) -> None:
        """Compute it, in the order of the numbers' coming."""
        numbers, arrays = self.numbers, self.arrays
        if not arrays:
            calls.call(np.copyto, out, self.number)
            return
        first, *rest = arrays
        if rest and rest[0].dtype == bool:  # a product with truths is slow: they become numbers first
            first, rest = rest[0], [first]
        if numbers or not rest:
            scale(calls, first, numbers[0] if numbers else 1.0, out)
            first = out
        elif first.dtype == bool:
            calls.call(np.copyto, out, first)
            first = out
        for number in numbers[1:]:
            scale(calls, first, number, out)
        for other in rest:
            calls.call(np.multiply, first, other, out=out)
