"""What is known of the gradient of each place, while the reverse program is made.

A gradient is written down as late as possible: until then it may be a number, the same for all examples, or a multiple
of an array that is there already. The first contribution to a place is written there, later ones are added.
"""

from __future__ import annotations

from math import prod

import numpy as np

from engine.compiler.array_arithmetic import Term, sum_along
from engine.compiler.instructions import LANES, SHIFT, UNIFORM, ArrayProgram, Instruction
from engine.compiler.views import different, free_axes, view

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engine.compiler.array_memory import Memory, Operand
    from engine.compiler.instructions import Codes

    Array = Any
    Contribution = Term | Callable[[Array], None]

_PLACE = 0xFFFFFFFF


class Gradients:
    """The gradients of uniform numbers and of those of each example."""

    def __init__(self, program: ArrayProgram, memory: Memory) -> None:
        self.memory, self.calls = memory, memory.calls
        sizes = [len(array) for array in memory.gradients]
        self._parameters = program.parameters
        self._known = [np.zeros(size, bool) for size in sizes]
        self._is_number = [np.zeros(size, bool) for size in sizes]
        self._number = [np.zeros(size) for size in sizes]
        self._lent: dict[int, Term] = {}  # by the code of a block
        self._block = {made.code: made for made in program.instructions}
        self._block_of = [np.zeros(size, np.int64) for size in sizes]
        for made in program.instructions:
            self._block_of[made.code >> SHIFT][_places(made)] = made.code

    def start(self, code: int) -> None:
        """What the gradient is of: the mean of these numbers."""
        space, place = code >> SHIFT, code & _PLACE
        if space <= LANES:  # else it is an input
            self._add_number(space, np.array([place]), 1.0 / self.memory.gradients[space].shape[1])

    def of(self, made: Instruction) -> Term | None:
        """The gradient of an instruction's results, one after the other; None if nothing depends on them."""
        space, places = made.code >> SHIFT, _places(made)
        block, numbers = self.memory.gradients[space][places], self._number[space][places]
        if not self._known[space][places].any():
            return None
        if self._is_number[space][places].all() and len(set(map(repr, numbers.tolist()))) == 1:
            return Term(block.shape, [float(numbers[0])])
        if made.code in self._lent:
            return self._lent[made.code]
        self._write_down(space, places)
        return Term(block.shape, (), [block])

    def add(self, operand: Operand, made: Contribution, lanes: int) -> None:
        """A contribution of so many lanes: a term, or what writes one into an array with the operand's axes."""
        codes, memory = operand.codes, self.memory
        if not memory.moves(codes):
            return
        shape = (*operand.axes, lanes)
        free = free_axes(codes, operand.axes) if operand.even else ()
        if not operand.even or different(codes) * prod(shape[k] for k in free) != len(codes):
            self._scatter(codes, self._computed(made, shape))
            return
        space, places = int(codes[0]) >> SHIFT, codes & _PLACE
        if lanes != memory.gradients[space].shape[1]:
            free = (*free, len(operand.axes))
        one = tuple(1 if k in free else n for k, n in enumerate(shape))
        if isinstance(made, Term) and not made.arrays:
            made = Term(one, [made.number * prod(shape[k] for k in free)])
            if (self._is_number[space][places] | ~self._known[space][places]).all():
                self._add_number(space, places, made.number)
                return
            free = ()
        if not free and isinstance(made, Term) and self._lend(codes, made):
            return
        target = view(memory.gradients[space], codes, operand.axes)[tuple(slice(n) for n in one)]
        before = self._before(space, places, target)
        if free:
            full = self._computed(made, shape)
            made = lambda out: sum_along(self.calls, full, free, out)  # noqa: E731
        self._write(made, target, before)

    def finish(self) -> None:
        """Write down what has not been yet of the parameters' gradients."""
        self._write_down(UNIFORM, slice(0, self._parameters))

    # --- what is not written down

    def _add_number(self, space: int, places: Codes, number: float) -> None:
        before = np.where(self._is_number[space][places], self._number[space][places], -0.0)
        self._number[space][places] = before + number
        self._is_number[space][places] = self._known[space][places] = True

    def _lend(self, codes: Codes, made: Term) -> bool:
        """Let the gradient of a whole block be a term, if its array is like the block and stays as it is."""
        block = self._block.get(int(codes[0]))
        if block is None or block.size != len(codes) or not _are_in_order(codes) or len(made.arrays) != 1:
            return False
        known, [array] = self._known[block.code >> SHIFT][_places(block)], made.arrays
        plain = array.shape == made.shape and array.flags.c_contiguous and array.dtype != bool
        if known.any() or not plain:
            return False
        self._lent[block.code] = made.along((block.size,), (block.size, array.shape[-1]))
        known[:] = True
        return True

    # --- what is

    def _before(self, space: int, places: Codes, target: Array) -> Array | None:
        """The gradients in these places, which are written down, to be added to; None if nothing has come there."""
        known = self._known[space]
        if not known[places].any():
            known[places] = True
            return None
        code = int(space << SHIFT) + int(places[0])
        lent = self._lent.get(code)
        if lent and lent.is_array and _are_in_order(places) and len(places) == self._block[code].size:
            return self._lent.pop(code).arrays[0].reshape(target.shape)
        self._write_down(space, places)
        return target

    def _write_down(self, space: int, places: Codes | slice) -> None:
        """Write down the gradients in these places: zeros, where nothing has come to."""
        gradients, numbers, is_number = self.memory.gradients[space], self._number[space], self._is_number[space]
        for code in np.unique(self._block_of[space][places]).tolist() if self._lent else ():
            if code in self._lent:
                self._lent.pop(code).write(self.calls, gradients[_places(self._block[code])])
        where = np.arange(places.start, places.stop) if isinstance(places, slice) else np.unique(places)
        where = where[is_number[where] | ~self._known[space][where]]
        if len(where):
            self._fill(gradients, where, numbers[where])
        self._known[space][places], is_number[places] = True, False

    def _fill(self, gradients: Array, places: Codes, numbers: Array) -> None:
        first, last = int(places[0]), int(places[-1])
        same = len(set(map(repr, numbers.tolist()))) == 1
        column = float(numbers[0]) if same else np.array(numbers[:, None], self.memory.dtype)
        if last - first + 1 == len(places):
            self.calls.call(np.copyto, gradients[first : last + 1], column)
        else:
            self.calls.call(_put, gradients[first : last + 1], places - first, column)

    def _computed(self, made: Contribution, shape: tuple[int, ...]) -> Array:
        """An array with a contribution, of that shape."""
        if isinstance(made, Term) and made.is_array and made.arrays[0].shape == shape:
            return made.arrays[0]
        array = self.calls.array(shape, self.memory.dtype)
        self._write(made, array)
        return array

    def _write(self, made: Contribution, target: Array, before: Array | None = None) -> None:
        """Put a contribution, or the sum of it and what was before, into an array."""
        if before is not None:
            operation: Any = np.add
            if isinstance(made, Term) and made.numbers == [-1.0]:
                operation, made = np.subtract, Term(made.shape, (), made.arrays)
            array = made.arrays[0] if isinstance(made, Term) and made.is_array else self._computed(made, target.shape)
            self.calls.call(operation, before, array, out=target)
        elif isinstance(made, Term):
            made.write(self.calls, target)
        else:
            made(target)

    def _scatter(self, codes: Codes, made: Array) -> None:
        """Contributions to gathered places: sums over those that are equal, then one addition each."""
        spaces = codes >> SHIFT
        for space in (UNIFORM, LANES):
            where = np.flatnonzero(spaces == space)
            if len(where) and self.memory.moves(codes[where]):
                places = codes[where] & _PLACE
                order = np.argsort(places, kind="stable")
                targets, starts, counts = np.unique(places[order], return_index=True, return_counts=True)
                parts = self._brought_together(made, where[order])
                if made.shape[-1] != self.memory.gradients[space].shape[1]:
                    parts = self._summed(parts, 1)
                self._add_to(space, targets, self._sums(parts, starts, counts))

    def _brought_together(self, made: Array, order: Codes) -> Array:
        if not made.flags.c_contiguous:
            table = self.calls.array(made.shape, self.memory.dtype)
            self.calls.call(np.copyto, table, made)
            made = table
        parts = self.calls.array((len(order), made.shape[-1]), self.memory.dtype)
        self.calls.call(np.take, made.reshape(-1, made.shape[-1]), order, axis=0, out=parts, mode="clip")
        return parts

    def _summed(self, array: Array, axis: int) -> Array:
        shape = tuple(1 if k == axis else n for k, n in enumerate(array.shape))
        out = self.calls.array(shape, self.memory.dtype)
        sum_along(self.calls, array, (axis,), out)
        return out

    def _sums(self, parts: Array, starts: Codes, counts: Codes) -> Array:
        """Of rows that belong to the same place."""
        if len(starts) == len(parts):
            return parts
        if (counts == counts[0]).all():
            return self._summed(parts.reshape(len(starts), -1, parts.shape[1]), 1).reshape(len(starts), -1)
        out = self.calls.array((len(starts), parts.shape[1]), self.memory.dtype)
        self.calls.call(np.add.reduceat, parts, starts, axis=0, out=out)
        return out

    def _add_to(self, space: int, places: Codes, sums: Array) -> None:
        """Put sums into different places in order, or add them."""
        first, end = int(places[0]), int(places[-1]) + 1
        target = self.memory.gradients[space][first:end]
        if end - first == len(places):
            before = self._before(space, places, target)
            self._write(Term(sums.shape, (), [sums]), target, before)
        else:
            known = self._before(space, places, target[: len(places)]) is not None
            self.calls.call(_add_at if known else _put, target, places - first, sums)


def _places(made: Instruction) -> slice:
    return slice(made.code & _PLACE, (made.code & _PLACE) + made.size)


def _are_in_order(codes: Codes) -> bool:
    return bool((np.diff(codes) == 1).all())


def _put(gradients: Array, places: Codes, numbers: Array) -> None:
    gradients[places] = numbers


def _add_at(gradients: Array, places: Codes, numbers: Array) -> None:
    gradients[places] += numbers
