"""Reductions of rows, and shares of rows, as calls: of equal length, or one row after the other."""

from __future__ import annotations

from math import isfinite

import numpy as np

from engine.compiler.array_arithmetic import scale, sum_along
from engine.compiler.array_memory import Memory, Operand
from engine.compiler.array_rules import Segments, row_source
from engine.compiler.instructions import Instruction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.compiler.array_source import Calls
    from engine.compiler.instructions import Codes

    Array = Any

_NEAR_ZERO = 0.02  # a logarithm of a sum with more than this has 12 digits


class Rows:
    """Rows in one array: of shape (rows, length, lanes), or along the first axis if their lengths differ.

    What is one number of each row has the shape (rows, 1, lanes), or (rows, lanes).
    """

    def __init__(self, calls: Calls, codes: Codes, starts: Codes | None) -> None:
        self.calls, self.starts = calls, starts
        self.shape: tuple[int, ...]
        self.one: tuple[int, ...]
        if starts is None:
            self.size, self.shape, self.one = len(codes), codes.shape, (len(codes), 1)
            self.lengths = np.full(self.size, codes.shape[1])
        else:
            self.size, self.shape, self.one = len(starts), (len(codes),), (len(starts),)
            self.lengths = np.diff(np.append(starts, len(codes)))
        self.segments = Segments(self.size, self.shape[-1], starts, codes.size)
        self._row_of = np.repeat(np.arange(self.size), self.lengths)

    def temporary(self, like: Array, one: bool) -> Array:
        """Scratch memory for numbers of rows, or for one of each."""
        return self.calls.array((*(self.one if one else self.shape), like.shape[-1]), like.dtype)

    def sums(self, x: Array) -> Array:
        out = self.temporary(x, one=True)
        if self.starts is None:
            sum_along(self.calls, x, (1,), out)
        else:
            self.calls.call(np.add.reduceat, x, self.starts, axis=0, out=out)
        return out

    def largest(self, x: Array) -> Array:
        out = self.temporary(x, one=True)
        if self.starts is None:
            self.calls.call(np.maximum.reduce, x, axis=1, keepdims=True, out=out)
        else:
            self.calls.call(np.maximum.reduceat, x, self.starts, axis=0, out=out)
        return out

    def spread(self, numbers: Array) -> Array:
        """A number of each row for all of it."""
        if self.starts is None:
            return numbers
        out = self.temporary(numbers, one=False)
        self.calls.call(np.take, numbers, self._row_of, axis=0, out=out, mode="clip")
        return out

    def shares(self, x: Array, p: Array) -> tuple[Array, Array]:
        """Put softmax into p; returns the largest numbers, and the sums of exponentials of what they are more."""
        calls, peak = self.calls, self.largest(x)
        calls.call(np.subtract, x, self.spread(peak), out=p)
        calls.call(np.exp, p, out=p)
        total = self.sums(p)
        calls.call(np.divide, p, self.spread(total), out=p)
        return peak, total

    def shares_back(self, p: Array, upstream: Array, out: Array) -> None:
        """Put what comes back through shares p into an array."""
        calls, work = self.calls, self.temporary(p, one=False)
        calls.call(np.multiply, p, upstream, out=out)
        calls.call(np.multiply, p, self.spread(self.sums(out)), out=work)
        calls.call(np.subtract, out, work, out=out)


class Reductions:
    """Writes the calls of one instruction after the other; with partials kept for the reverse sweep if wanted."""

    def __init__(self, memory: Memory, keep: bool) -> None:
        self.memory, self.calls, self.keep = memory, memory.calls, keep

    def softmax(self, made: Instruction) -> tuple[Operand, Rows, Array]:
        """Returns what the reverse sweep needs: the operand, its rows and their shares."""
        calls, [codes] = self.calls, made.operands
        [operand] = self.memory.operands([codes])
        rows = Rows(calls, codes, made.starts)
        x, p = self._flat(operand).reshape(*rows.shape, -1), self.memory.result(made, rows.shape)
        rows.shares(x, p)
        calls.lines.append(f"{calls.text(_are_finite, p)} or {calls.text(rows.segments.put_shares, x, p)}")
        return operand, rows, p

    def reduction(self, made: Instruction) -> tuple[Operand, Array | None]:
        """Returns what the reverse sweep needs: the operand, and partials if they are arrays."""
        memory, calls, [codes] = self.memory, self.calls, made.operands
        [operand] = memory.operands([codes], row=1 if made.starts is not None else codes.shape[1])
        out = memory.result(made, (made.size,))
        rows = Rows(calls, codes, made.starts)
        x, kept = self._flat(operand).reshape(*rows.shape, -1), None
        if made.op.name == "sum" and made.starts is None:
            calls.call(np.add.reduce, x, axis=1, out=out)
            scale(calls, out, made.scale, out)
            return operand, None
        if self.keep and made.moves:
            kept = calls.array((*rows.shape, out.shape[-1]), memory.dtype)
        text = f"lambda x, z, s: np.copyto(z, {row_source(made.op, made.op.value)})"
        if kept is not None:
            text = f"lambda x, z, s, p: ({text[16:]}, np.copyto(p, {row_source(made.op, made.op.partials[0])}))"
        work = eval(text, {"np": np})
        work.__name__ = made.op.name + "_of_rows"
        call = calls.text(work, x, out, rows.segments, *([] if kept is None else [kept]))
        if made.op.name == "logsumexp":
            call = f"{self._logsumexp(rows, x, out, kept)} or {call}"
        calls.lines.append(call)
        scale(calls, out, made.scale, out)
        return operand, kept

    def _logsumexp(self, rows: Rows, x: Array, out: Array, kept: Array | None) -> str:
        """The quick way to logsumexp and its partials; the text says whether it was accurate."""
        calls, z = self.calls, out.reshape(*rows.one, -1)
        peak, total = rows.shares(x, rows.temporary(x, one=False) if kept is None else kept)
        calls.call(np.log, total, out=total)
        calls.call(np.add, total, peak, out=z)
        exact = np.asarray(rows.lengths == 1, out.dtype).reshape(*rows.one, 1)
        return calls.text(_are_accurate, z, exact, peak)

    def _flat(self, operand: Operand) -> Array:
        """The numbers along one axis; they are copied if their steps do not allow a view."""
        shape = (len(operand.codes), operand.array.shape[-1])
        flat = operand.array.reshape(shape)
        if not np.shares_memory(flat, operand.array):
            self.calls.call(np.copyto, flat.reshape(operand.array.shape), operand.array)
        return flat


def _are_finite(array: Array) -> bool:
    return isfinite(np.vdot(array, array))


def _are_accurate(sums: Array, exact: Array, work: Array) -> bool:
    """Whether no logarithm of a sum is near 0, where the last digits of what it is the sum of are missing."""
    np.maximum(np.absolute(sums, out=work), exact, out=work)
    return bool(np.minimum.reduce(work, axis=None) > _NEAR_ZERO)
