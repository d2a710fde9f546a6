"""Where the numbers of an array program lie, for one number of lanes, and what instructions read of them.

Uniform numbers have one lane. Arrays are allocated once and worked on in place.
"""

from __future__ import annotations

import numpy as np

from engine.compiler.instructions import LANES, SHIFT, UNIFORM, ArrayProgram, Instruction
from engine.compiler.views import shared_axes, view

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from engine.compiler.array_source import Calls
    from engine.compiler.instructions import Codes

    Array = Any
    Axes = tuple[int, ...]


class Memory:
    """The arrays of a program for one number of lanes: numbers, and gradients of what is computed."""

    def __init__(self, program: ArrayProgram, lanes: int, dtype: Any, calls: Calls) -> None:
        self.program, self.dtype, self.calls = program, dtype, calls
        widths = [1, lanes]
        # an input lies as it comes, example by example: matrix products do not mind, and nothing is transposed
        self.inputs = [np.zeros((lanes, size), dtype) for size in program.inputs]
        self.spaces = [calls.array((size, width), dtype) for size, width in zip(program.sizes, widths, strict=False)]
        self.spaces += [array.T for array in self.inputs]
        constants = program.parameters + len(program.constants)
        self.spaces[UNIFORM][program.parameters : constants, 0] = program.constants
        self.gradients = [calls.array((size, width), dtype) for size, width in zip(program.sizes, widths, strict=False)]
        self.fixed = [self.spaces[UNIFORM][:constants], self.gradients[UNIFORM][: program.parameters]]
        self.moving = [np.zeros(size, bool) for size in program.sizes]
        self.moving[UNIFORM][: program.parameters] = True
        for made in program.instructions:
            self.moving[made.code >> SHIFT][(made.code & 0xFFFFFFFF) :][: made.size] = made.moves

    def result(self, made: Instruction, axes: Axes, gradient: bool = False) -> Array:
        """The block of an instruction's results, or of their gradients."""
        array = (self.gradients if gradient else self.spaces)[made.code >> SHIFT]
        start = made.code & 0xFFFFFFFF
        return array[start : start + made.size].reshape(*axes, -1)

    def moves(self, codes: Codes) -> bool:
        return any(self.moving[space][codes[codes >> SHIFT == space] & 0xFFFFFFFF].any() for space in (UNIFORM, LANES))

    def operands(self, all_codes: Sequence[Codes], repeats: Sequence[int] = (), row: int = 1) -> list[Operand]:
        """Operands of one size with common axes, some of which make up rows of length `row`.

        `repeats` says how often each code of an operand counts: an addend of rows is one number for each row.
        """
        flats = [codes.ravel() for codes in all_codes]
        times = list(repeats) or [1] * len(flats)
        axes, evens = shared_axes(flats, times, row)
        made = []
        for flat, n, even in zip(flats, times, evens, strict=True):
            own = without_last(axes, n)
            array = (
                view(self.spaces[int(flat[0]) >> SHIFT], flat, own) if even else self.gathered(flat).reshape(*own, -1)
            )
            made.append(Operand(flat, own, even, array))
            if (flat == flat[0]).all() and self._are_constants(flat[:1]):
                made[-1].number = float(self.program.constants[flat[0] - self.program.parameters])
        return made

    def gathered(self, flat: Codes) -> Array:
        """A copy of scattered numbers, brought together before the instruction."""
        spaces = flat >> SHIFT
        lanes = max(self.spaces[space].shape[1] for space in np.unique(spaces))
        if self._are_constants(flat):
            return self.spaces[UNIFORM][flat]
        array = self.calls.array((len(flat), lanes), self.dtype)
        for space in np.unique(spaces):
            where = np.flatnonzero(spaces == space)
            places = flat[where] & 0xFFFFFFFF
            first = int(places.min())
            source, places = self.spaces[space][first : int(places.max()) + 1], places - first
            if len(where) == len(flat):
                self.calls.call(np.take, source, places, axis=0, out=array, mode="clip")
            else:
                self.calls.call(_copy_to_places, array, where, source, places)
        return array

    def _are_constants(self, codes: Codes) -> bool:
        first = self.program.parameters
        return bool(((codes >= first) & (codes < first + len(self.program.constants))).all())


def without_last(axes: Axes, count: int) -> Axes:
    """Leading axes, without the last ones, whose lengths multiply up to `count`."""
    while count > 1:
        count //= axes[-1]
        axes = axes[:-1]
    return axes


def _copy_to_places(array: Array, where: Array, source: Array, places: Array) -> None:
    array[where] = source[places]


class Operand:
    """What an instruction reads: codes along its axes, as a view if they are even, else gathered.

    `array` has the instruction's axes and one for lanes. If all is one constant, it is `number` too.
    """

    __slots__ = ("array", "axes", "codes", "even", "number")

    def __init__(self, codes: Codes, axes: Axes, even: bool, array: Array) -> None:
        self.codes, self.axes, self.even, self.array = codes, axes, even, array
        self.number: float | None = None

    @property
    def quickest(self) -> Array | float:
        return self.array if self.number is None else self.number
