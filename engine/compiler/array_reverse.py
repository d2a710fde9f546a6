"""The reverse program of an array program: derived instruction by instruction, last to first.

The reverse of a matrix product is two matrix products, of a gather a sum over equal places, of a shared operand a sum
along its axis.
"""

from __future__ import annotations

import numpy as np

from engine.compiler.array_arithmetic import Term, multiply_matrices
from engine.compiler.array_forward import Forward
from engine.compiler.array_gradients import Gradients
from engine.compiler.array_memory import Memory, Operand, without_last
from engine.compiler.array_reductions import Rows
from engine.compiler.array_stacks import Stacked
from engine.compiler.instructions import ArrayProgram, Instruction
from engine.compiler.linear import LINEAR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Array = Any


class Reverse:
    """The calls of the reverse sweep from one output."""

    def __init__(self, program: ArrayProgram, memory: Memory, forward: Forward, output: int) -> None:
        self.memory, self.calls = memory, memory.calls
        self.gradients = Gradients(program, memory)
        self.calls.lines = []
        self.gradients.start(output)
        for made, kept in zip(reversed(program.instructions), reversed(forward.kept), strict=True):
            upstream = self.gradients.of(made) if made.moves else None
            if upstream is not None:
                getattr(self, f"_{made.kind}")(made, kept, upstream)
        self.gradients.finish()

    def _add(self, operand: Operand, made: Term) -> None:
        self.gradients.add(operand, made, made.shape[-1])

    def _operation(self, made: Instruction, kept: list[tuple[Operand, Any]], upstream: Term) -> None:
        for operand, partial in kept:
            shape = (*operand.axes, upstream.shape[-1])
            self._add(operand, upstream.along(operand.axes, shape).times(partial))

    def _products(self, made: Instruction, kept: tuple[list[Operand], list[Operand]], upstream: Term) -> None:
        factors, addends = kept
        self._addends(made, addends, upstream)
        if not factors:
            return
        left, right = factors
        spread = self._along_rows(made, left, upstream).times(_scale(made))
        self._add(left, spread.times(right.array))
        if not _is_square(made):
            self._add(right, spread.times(left.array))

    def _addends(self, made: Instruction, addends: list[Operand], upstream: Term) -> None:
        for weight, addend in zip(made.weights, addends, strict=True):
            self._add(addend, upstream.along(addend.axes, (*addend.axes, upstream.shape[-1])).times(weight))

    def _along_rows(self, made: Instruction, operand: Operand, upstream: Term) -> Term:
        """The gradient of rows' results for each number of a row."""
        count, lanes = len(operand.codes), upstream.shape[-1]
        shape = (*operand.axes, lanes)
        if made.starts is None:
            outer = without_last(operand.axes, count // made.size)
            inner = (1,) * (len(operand.axes) - len(outer))
            return upstream.along(outer + inner, shape)
        if not upstream.arrays:
            return upstream.along((), shape)
        rows = np.repeat(np.arange(made.size), np.diff(np.append(made.starts, count)))
        spread = self.calls.array((count, lanes), self.memory.dtype)
        self.calls.call(np.take, upstream.arrays[0], rows, axis=0, out=spread, mode="clip")
        return Term(shape, upstream.numbers, [spread.reshape(shape)])

    def _matrix(self, made: Instruction, kept: tuple[Operand, Operand, list[Operand]], upstream: Term) -> None:
        left, right, addends = kept
        self._addends(made, addends, upstream)
        upstream = upstream.times(_scale(made))
        if made.size == 1 and not upstream.arrays:  # a product of two rows
            lanes = upstream.shape[-1]
            self._add(left, upstream.along((), (*left.axes, lanes)).times(right.array))
            if not _is_square(made):
                self._add(right, upstream.along((), (*right.axes, lanes)).times(left.array))
            return
        table = self._array(upstream).reshape(*made.shape, -1)
        self.gradients.add(left, self._to_left(made, table, right, left), 1)
        if not _is_square(made):
            self.gradients.add(right, self._to_right(table, left), table.shape[-1])

    def _array(self, term: Term) -> Array:
        if term.is_array:
            return term.arrays[0]
        if not term.arrays:
            return np.full(term.shape, term.number, self.memory.dtype)
        array = self.calls.array(term.shape, self.memory.dtype)
        term.write(self.calls, array)
        return array

    def _to_left(self, made: Instruction, table: Array, right: Operand, left: Operand) -> Callable[[Array], None]:
        calls, rows = self.calls, made.shape[0]

        def write(out: Array) -> None:
            if table.shape[-1] == 1:
                multiply_matrices(calls, table[..., 0].T, right.array[..., 0], out[..., 0])
            elif rows == 1:
                multiply_matrices(calls, table[0], right.array[0].T, out[..., 0])
            else:
                parts = calls.array((rows, *left.axes), self.memory.dtype)
                calls.call(np.matmul, table, right.array.swapaxes(1, 2), out=parts)
                calls.call(np.add.reduce, parts, axis=0, out=out[..., 0])

        return write

    def _to_right(self, table: Array, left: Operand) -> Callable[[Array], None]:
        calls, a = self.calls, left.array[..., 0]

        def write(out: Array) -> None:
            if table.shape[-1] == 1:
                multiply_matrices(calls, table[..., 0], a, out[..., 0])
            elif len(table) == 1:
                multiply_matrices(calls, a.T, table[0], out[0])
            else:
                calls.call(np.matmul, a.T, table, out=out)

        return write

    def _stack(self, made: Instruction, kept: tuple[Stacked, list[Operand]], upstream: Term) -> None:
        stack, addends = kept
        self._addends(made, addends, upstream)
        grid = stack.upstream(self._array(upstream.times(made.scale)))
        lanes = grid.shape[-1]
        self.gradients.add(stack.left.operand, lambda out: stack.to_left(grid, out), lanes)
        self.gradients.add(stack.right.operand, lambda out: stack.to_right(grid, out), lanes)

    def _softmax(self, made: Instruction, kept: tuple[Operand, Rows, Array], upstream: Term) -> None:
        operand, rows, shares = kept
        slopes = self._array(upstream).reshape(shares.shape)

        def write(out: Array) -> None:
            flat = out if out.flags.c_contiguous else self.calls.array(out.shape, self.memory.dtype)
            rows.shares_back(shares, slopes, flat.reshape(shares.shape))
            if flat is not out:
                self.calls.call(np.copyto, out, flat)

        self.gradients.add(operand, write, shares.shape[-1])

    def _reduction(self, made: Instruction, kept: tuple[Operand, Any], upstream: Term) -> None:
        operand, partials = kept
        spread = self._along_rows(made, operand, upstream).times(made.scale)
        if partials is not None:
            spread = spread.times(partials.reshape(*operand.axes, -1))
        self._add(operand, spread)


def _scale(made: Instruction) -> float:
    return made.scale * (2.0 if _is_square(made) else 1.0)


def _is_square(made: Instruction) -> bool:
    """Whether it multiplies rows with themselves: then both factors get one contribution, twice as large."""
    if len(made.operands) != 2 or made.kind == "stack" or (made.kind == "matrix" and len(made.operands[0]) > 1):
        return False
    left, right = made.operands
    return made.op is LINEAR and bool(np.array_equal(left, right))
