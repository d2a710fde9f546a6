"""The reverse program of an array program: derived instruction by instruction, last to first.

The reverse of a matrix product is two matrix products, of a gather a sum over equal places, of a shared operand a sum
along its axis. The first contribution to a place is written there, later ones are added; only what gets its first
contribution by addition is set to zero before.
"""

from __future__ import annotations

import numpy as np

from engine.compiler.array_forward import Forward
from engine.compiler.array_memory import Memory, Operand
from engine.compiler.array_rules import Segments
from engine.compiler.array_source import Calls
from engine.compiler.array_stacks import Stacked
from engine.compiler.instructions import LANES, SHIFT, UNIFORM, ArrayProgram, Instruction
from engine.compiler.linear import LINEAR
from engine.compiler.views import free_axes, view

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engine.compiler.instructions import Codes

    Array = Any

_PLACE = 0xFFFFFFFF


class Reverse:
    """The calls of the reverse sweep from one output."""

    def __init__(self, program: ArrayProgram, memory: Memory, forward: Forward, output: int) -> None:
        self.memory, self.calls = memory, memory.calls
        self._touched = [np.zeros(len(array), bool) for array in memory.gradients]
        self._cleared = [np.zeros(len(array), bool) for array in memory.gradients]
        self.calls.lines = []
        space, place = output >> SHIFT, output & _PLACE
        if space <= LANES:  # else it is an input
            self._touched[space][place] = True
            self.calls.call(memory.gradients[space][place].fill, 1.0 / memory.gradients[space].shape[1])
        for made, kept in zip(reversed(program.instructions), reversed(forward.kept), strict=True):
            if made.moves:
                self._clear_rest(made)
                getattr(self, f"_{made.kind}")(made, kept)
                self.calls.release()
        self._cleared[UNIFORM][: program.parameters] |= ~self._touched[UNIFORM][: program.parameters]
        lines, self.calls.lines = self.calls.lines, []
        self._clear()
        self.calls.lines += lines

    def _clear(self) -> None:
        for gradients, cleared in zip(self.memory.gradients, self._cleared, strict=True):
            edges = np.flatnonzero(np.diff(np.concatenate([[False], cleared, [False]]).astype(np.int8)))
            runs = edges.reshape(-1, 2)
            if len(runs) > 1:
                self.calls.call(_set_zero, gradients, np.flatnonzero(cleared))
            else:
                for start, end in runs:
                    self.calls.call(gradients[start:end].fill, 0.0)

    def _clear_rest(self, made: Instruction) -> None:
        """Results that no gradient has come to, because they depend on no parameter, have gradient zero."""
        space, block = made.code >> SHIFT, slice(made.code & _PLACE, (made.code & _PLACE) + made.size)
        self._cleared[space][block] |= ~self._touched[space][block]

    def _contribute(self, operand: Operand, make: Callable[[Array | None], Array], own_axes: int = 0) -> None:
        """Add a contribution to the operand's gradient.

        `make` computes it, with the operand's axes and as many lanes as the instruction has; into the array it is
        given, if any. `own_axes`: how many leading axes it has beyond the operand's, to be summed over.
        """
        codes, memory = operand.codes, self.memory
        if not memory.moves(codes):
            return
        if not operand.even:
            self._scatter(operand, make(None))
            return
        space = int(codes[0]) >> SHIFT
        gradients = memory.gradients[space]
        free = free_axes(codes, operand.axes)
        places = codes & _PLACE
        first = not self._touched[space][places].any()
        target = view(gradients, codes, operand.axes)
        injective = len(np.unique(codes)) * int(np.prod([operand.axes[k] for k in free])) == len(codes)
        if not injective:
            self._scatter(operand, make(None))
            return
        if first and not free:
            made = make(target)
            if made is not target:
                self._write(made, target, add=False)
        else:
            made = make(None)
            if free:
                shape = (*(1 if k in free else n for k, n in enumerate(operand.axes)), made.shape[-1])
                summed = self.calls.temporary(shape, memory.dtype)
                self.calls.call(np.add.reduce, made, axis=free, keepdims=1, out=summed)
                made = summed
                target = target[tuple(slice(0, 1) if k in free else slice(None) for k in range(len(operand.axes)))]
            self._write(made, target, add=not first)
        self._mark(space, places, first)

    def _write(self, made: Array, target: Array, add: bool) -> None:
        """A contribution into its place; summed over the lanes if there is one place for all."""
        calls = self.calls
        if made.shape[-1] != target.shape[-1]:
            if not add:
                calls.call(np.add.reduce, made, axis=-1, keepdims=1, out=target)
                return
            summed = calls.temporary((*made.shape[:-1], 1), self.memory.dtype)
            calls.call(np.add.reduce, made, axis=-1, keepdims=1, out=summed)
            made = summed
        if add:
            calls.call(np.add, target, made, out=target)
        else:
            calls.call(np.copyto, target, made)

    def _mark(self, space: int, places: Array, written: bool) -> None:
        if not written:
            self._cleared[space][places[~self._touched[space][places]]] = True
        self._touched[space][places] = True

    def _scatter(self, operand: Operand, made: Array) -> None:
        """Contributions to gathered places: sums over those that are equal, then one addition each."""
        spaces = operand.codes >> SHIFT
        for space in (UNIFORM, LANES):
            where = np.flatnonzero(spaces == space)
            if not len(where) or not self.memory.moves(operand.codes[where]):
                continue
            places = operand.codes[where] & _PLACE
            order = np.argsort(places, kind="stable")
            targets, starts = np.unique(places[order], return_index=True)
            gradients = self.memory.gradients[space]
            self.calls.call(
                _add_at_places, gradients, targets, made, where[order], starts, int(len(targets) < len(where))
            )
            self._mark(space, targets, False)

    # --- by kind of instruction

    def _times(self, upstream: Array, factor: Any, axes: tuple[int, ...]) -> Callable[[Array | None], Array]:
        """What computes upstream * factor."""

        def make(out: Array | None) -> Array:
            if isinstance(factor, float) and factor == 1.0:
                return upstream
            if out is None or out.shape != upstream.shape:
                out = self.calls.temporary(np.broadcast_shapes(upstream.shape, (*axes, 1)), self.memory.dtype)
            self.calls.call(np.multiply, upstream, factor, out=out)
            return out

        return make

    def _operation(self, made: Instruction, kept: list[tuple[Operand, Any]]) -> None:
        for operand, partial in kept:
            upstream = self.memory.result(made, operand.axes, gradient=True)
            self._contribute(operand, self._times(upstream, partial, operand.axes))

    def _scaled_upstream(self, made: Instruction, upstream: Array) -> Array:
        scale = made.scale * (2.0 if _is_square(made) else 1.0)
        if scale == 1.0:
            return upstream
        scaled = self.calls.temporary(upstream.shape, self.memory.dtype)
        self.calls.call(np.multiply, upstream, scale, out=scaled)
        return scaled

    def _addends(self, made: Instruction, addends: list[Operand]) -> None:
        for weight, addend in zip(made.weights, addends, strict=True):
            upstream = self.memory.result(made, addend.axes, gradient=True)
            self._contribute(addend, self._times(upstream, weight, addend.axes))

    def _products(self, made: Instruction, kept: tuple[list[Operand], list[Operand]]) -> None:
        factors, addends = kept
        self._addends(made, addends)
        if not factors:
            return
        left, right = factors
        if made.starts is not None:
            whole = self.memory.result(made, (made.size,), gradient=True)
            rows = np.repeat(np.arange(made.size), np.diff(np.append(made.starts, len(left.codes))))
            spread = self.calls.temporary((len(left.codes), whole.shape[-1]), self.memory.dtype)
            self.calls.call(np.take, whole, rows, axis=0, out=spread, mode="clip")
            upstream = self._scaled_upstream(made, spread).reshape(*left.axes, -1)
        else:
            length = made.operands[0].shape[1]
            outer = left.axes
            while length > 1:
                length //= outer[-1]
                outer = outer[:-1]
            upstream = self._scaled_upstream(made, self.memory.result(made, outer, gradient=True))
            upstream = upstream.reshape(*outer, *[1] * (len(left.axes) - len(outer)), -1)
        self._contribute(left, self._times(upstream, right.array, left.axes))
        if not _is_square(made):
            self._contribute(right, self._times(upstream, left.array, right.axes))

    def _matrix(self, made: Instruction, kept: tuple[Operand, Operand, list[Operand]]) -> None:
        left, right, addends = kept
        self._addends(made, addends)
        rows = made.shape[0]
        upstream = self._scaled_upstream(made, self.memory.result(made, made.shape, gradient=True))
        a, calls, dtype = left.array[..., 0], self.calls, self.memory.dtype

        def to_left(out: Array | None) -> Array:
            if out is None:
                out = calls.temporary((*left.axes, 1), dtype)
            table = out[..., 0]
            if upstream.shape[-1] == 1:
                _multiply_matrices(calls, upstream[..., 0].T, right.array[..., 0], table)
            elif rows == 1:
                calls.call(np.matmul, upstream[0], right.array[0].T, out=table)
            else:
                parts = calls.temporary((rows, *left.axes), dtype)
                calls.call(np.matmul, upstream, right.array.swapaxes(1, 2), out=parts)
                calls.call(np.add.reduce, parts, axis=0, out=table)
            return out

        def to_right(out: Array | None) -> Array:
            if out is None:
                out = calls.temporary((*right.axes, upstream.shape[-1]), dtype)
            if upstream.shape[-1] == 1:
                _multiply_matrices(calls, upstream[..., 0], a, out[..., 0])
            elif rows == 1:
                calls.call(np.matmul, a.T, upstream[0], out=out[0])
            else:
                calls.call(np.matmul, a.T, upstream, out=out)
            return out

        self._contribute(left, to_left)
        if not _is_square(made):
            self._contribute(right, to_right)

    def _stack(self, made: Instruction, kept: tuple[Stacked, list[Operand]]) -> None:
        stack, addends = kept
        self._addends(made, addends)
        upstream = stack.upstream(self._scaled_upstream(made, self.memory.result(made, (made.size,), gradient=True)))
        self._contribute(stack.left.operand, lambda out: stack.to_left(upstream, out))
        self._contribute(stack.right.operand, lambda out: stack.to_right(upstream, out))

    def _softmax(self, made: Instruction, kept: tuple[Operand, Segments, Array]) -> None:
        operand, segments, shares = kept
        upstream = self.memory.result(made, shares.shape[:-1], gradient=True)

        def make(out: Array | None) -> Array:
            if out is None or not out.flags.c_contiguous:
                out = self.calls.temporary((*operand.axes, shares.shape[-1]), self.memory.dtype)
            self.calls.call(segments.shares_back, shares, upstream, out.reshape(shares.shape))
            return out

        self._contribute(operand, make)

    def _reduction(self, made: Instruction, kept: tuple[Operand, Any]) -> None:
        operand, partials = kept
        whole = self.memory.result(made, (made.size,), gradient=True)
        upstream = self._scaled_upstream(made, whole)
        count = len(operand.codes)
        shape = (*operand.axes, whole.shape[-1])
        if made.starts is None:
            upstream = upstream.reshape(made.size, 1, -1)
            grid: tuple[int, ...] = (made.size, count // made.size, -1)
        else:
            rows = np.repeat(np.arange(made.size), np.diff(np.append(made.starts, count)))
            spread = self.calls.temporary((count, whole.shape[-1]), self.memory.dtype)
            self.calls.call(np.take, upstream, rows, axis=0, out=spread, mode="clip")
            upstream, grid = spread, (count, -1)

        def make(out: Array | None) -> Array:
            if out is None or out.shape != shape or not out.flags.c_contiguous:
                out = self.calls.temporary(shape, self.memory.dtype)
            if partials is None:
                self.calls.call(np.copyto, out.reshape(grid), upstream)
            else:
                self.calls.call(np.multiply, partials.reshape(grid), upstream, out=out.reshape(grid))
            return out

        self._contribute(operand, make)


def _multiply_matrices(calls: Calls, left: Array, right: Array, out: Array) -> None:
    """A matrix product; an outer product is quicker by broadcasting."""
    calls.call(np.multiply if left.shape[1] == 1 else np.matmul, left, right, out=out)


def _is_square(made: Instruction) -> bool:
    """Whether it multiplies rows with themselves: then both factors get one contribution, twice as large."""
    if len(made.operands) != 2 or made.kind == "stack" or (made.kind == "matrix" and len(made.operands[0]) > 1):
        return False
    left, right = made.operands
    return made.op is LINEAR and bool(np.array_equal(left, right))


def _set_zero(array: Array, places: Codes) -> None:
    array[places] = 0.0


def _add_at_places(gradients: Array, targets: Codes, made: Array, order: Codes, starts: Codes, repeated: float) -> None:
    parts = made.reshape(-1, made.shape[-1])[order]
    if repeated:
        parts = np.add.reduceat(parts, starts, axis=0)
    if parts.shape[1] != gradients.shape[1]:
        parts = parts.sum(axis=1, keepdims=True)
    gradients[targets] += parts
