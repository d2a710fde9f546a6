"""The calls that compute an array program, instruction by instruction."""

from __future__ import annotations

import numpy as np

from engine.compiler.array_arithmetic import multiply_matrices, scale
from engine.compiler.array_memory import Memory, Operand, without_last
from engine.compiler.array_reductions import Reductions
from engine.compiler.array_rules import CALLS, TRUTHS, array_rule
from engine.compiler.array_stacks import Stacked
from engine.compiler.instructions import SHIFT, ArrayProgram, Instruction
from engine.compiler.views import is_table, view

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from engine.compiler.array_source import Calls
    from engine.compiler.instructions import Codes
    from engine.rules import Expression

    Array = Any
    Axes = tuple[int, ...]


class Forward:
    """The calls that compute an array program; with partials kept for the reverse sweep if wanted."""

    def __init__(self, program: ArrayProgram, memory: Memory, keep: bool) -> None:
        self.memory, self.keep = memory, keep
        self.calls = memory.calls
        self.kept: list[Any] = []
        reductions = Reductions(memory, keep)
        self._reduction, self._softmax = reductions.reduction, reductions.softmax
        for made in program.instructions:
            self.kept.append(getattr(self, f"_{made.kind}")(made))

    def _operation(self, made: Instruction) -> Any:
        memory = self.memory
        operands = memory.operands(made.operands)
        out = memory.result(made, operands[0].axes)
        names: dict[Expression, Any] = dict(zip(made.op.operands, (o.quickest for o in operands), strict=True))
        wanted = [k for k, o in enumerate(operands) if self.keep and made.moves and memory.moves(o.codes)]
        value = array_rule(made.op, made.op.value)
        partials = {k: array_rule(made.op, made.op.partials[k]) for k in wanted}
        work = _Elements(self.calls, names, out, [value, *partials.values()])
        work.value(value, out)
        names["z"] = out
        kept = []
        for k, partial in partials.items():
            found: Any = work.number(partial)
            if found is None and isinstance(partial, str):
                found = names[partial]
            elif found is None and isinstance(partial, tuple):
                found = self.calls.array(out.shape, bool if partial[0] in TRUTHS else memory.dtype)
                work.value(partial, found)
            kept.append((operands[k], found))
        return kept

    def _products(self, made: Instruction) -> Any:
        memory, calls = self.memory, self.calls
        if made.starts is not None:
            return self._ragged_products(made)
        length = made.operands[0].shape[1] if made.operands else 1
        sizes = [1] * len(made.operands) + [length] * len(made.addends)
        operands = memory.operands(made.operands + made.addends, sizes, length)
        axes = without_last(operands[0].axes, length) if made.operands else operands[0].axes
        out = memory.result(made, axes)
        factors, addends = operands[: len(made.operands)], operands[len(made.operands) :]
        if factors:
            left, right = factors
            if length == 1:
                calls.call(np.multiply, left.array, right.array, out=out)
            else:
                terms = calls.array((*left.axes, out.shape[-1]), memory.dtype)
                calls.call(np.multiply, left.array, right.array, out=terms)
                calls.call(np.add.reduce, terms, axis=tuple(range(len(axes), len(left.axes))), out=out)
        self._add(made, out, addends, started=bool(factors))
        return factors, addends

    def _ragged_products(self, made: Instruction) -> Any:
        memory, calls = self.memory, self.calls
        factors = memory.operands(made.operands)
        addends = memory.operands(made.addends) if made.addends else []
        out = memory.result(made, (made.size,))
        terms = calls.array((len(factors[0].codes), out.shape[-1]), memory.dtype)
        left, right = factors
        calls.call(np.multiply, left.array, right.array, out=terms.reshape(*left.axes, -1))
        calls.call(np.add.reduceat, terms, made.starts, axis=0, out=out)
        self._add(made, memory.result(made, addends[0].axes) if addends else out, addends, started=True)
        return factors, addends

    def _add(self, made: Instruction, out: Array, addends: Sequence[Operand], started: bool) -> None:
        """Scale what is there and add weighted addends; the first are put there if nothing is."""
        calls = self.calls
        todo = list(zip(made.weights, [addend.quickest for addend in addends], strict=True))
        if started and made.scale == -1.0 and todo and todo[0][0] == 1.0:
            calls.call(np.subtract, todo.pop(0)[1], out, out=out)
        elif started and made.scale != 1.0:
            scale(calls, out, made.scale, out)
        elif not started and len(todo) > 1 and todo[0][0] == 1.0 and abs(todo[1][0]) == 1.0:
            (_, first), (weight, second) = todo.pop(0), todo.pop(0)
            calls.call(np.add if weight == 1.0 else np.subtract, first, second, out=out)
        elif not started:
            weight, first = todo.pop(0)
            scale(calls, first, weight, out)
        for weight, array in todo:
            if isinstance(array, float):
                weight, array = 1.0, weight * array
            elif abs(weight) != 1.0:
                scaled = calls.array(array.shape, self.memory.dtype)
                scale(calls, array, weight, scaled)
                array = scaled
            calls.call(np.subtract if weight == -1.0 else np.add, out, array, out=out)

    def _matrix(self, made: Instruction) -> Any:
        memory, calls = self.memory, self.calls
        left, right = (self._table(codes) for codes in made.operands)
        rows = made.shape[0]
        out = memory.result(made, made.shape)
        a = left.array[..., 0]
        if out.shape[-1] == 1:
            multiply_matrices(calls, right.array[..., 0], a.T, out[..., 0])
        elif rows == 1:
            multiply_matrices(calls, a, right.array[0], out[0])
        else:
            multiply_matrices(calls, a, right.array, out)
        return left, right, self._scaled_with_addends(made, out)

    def _scaled_with_addends(self, made: Instruction, out: Array) -> list[Operand]:
        addends = self.memory.operands(made.addends) if made.addends else []
        self._add(made, self.memory.result(made, addends[0].axes) if addends else out, addends, started=True)
        return addends

    def _table(self, codes: Codes) -> Operand:
        """Rows of matrices as an operand of exactly these axes."""
        flat, memory = codes.ravel(), self.memory
        even = is_table(codes)
        array = view(memory.spaces[int(flat[0]) >> SHIFT], flat, codes.shape) if even else memory.gathered(flat)
        return Operand(flat, codes.shape, even, array.reshape(*codes.shape, -1))

    def _stack(self, made: Instruction) -> Any:
        stack = Stacked(made, self.memory, self._table)
        stack.forward()
        return stack, self._scaled_with_addends(made, self.memory.result(made, (made.size,)))


class _Elements:
    """Element-wise expressions as calls; what several use is computed once."""

    def __init__(self, calls: Calls, names: dict[Expression, Any], like: Array, roots: Iterable[Expression]) -> None:
        self.calls, self.names, self.like = calls, names, like
        self.uses: dict[Expression, int] = {}
        for root in roots:
            self._count(root)

    def _count(self, part: Expression) -> None:
        if isinstance(part, tuple):
            self.uses[part] = self.uses.get(part, 0) + 1
            if self.uses[part] == 1:
                for inner in part[1:]:
                    self._count(inner)

    def number(self, part: Expression) -> float | None:
        """An expression of nothing but numbers."""
        if isinstance(part, float):
            return part
        if isinstance(part, str):
            known = self.names[part]
            return known if isinstance(known, float) else None
        numbers = [self.number(inner) for inner in part[1:]]
        function: Any = np.where if part[0] == "where" else CALLS[str(part[0])]
        if None in numbers:
            return None
        with np.errstate(all="ignore"):
            return float(function(*numbers))

    def value(self, part: Expression, out: Array = None) -> Any:
        """The array or number of an expression, in `out` if it is given."""
        number = self.number(part)
        if number is not None and out is None:
            return number
        if part in self.names and out is None:
            return self.names[part]
        assert isinstance(part, tuple)
        name, *inner = part
        arguments = [self.value(argument) for argument in inner]
        if out is None:
            kind = bool if name in TRUTHS else self.like.dtype
            out = self.calls.array(self.like.shape, kind)
        if name == "where":
            truth, then, otherwise = arguments
            if isinstance(truth, float):
                self.calls.call(np.copyto, out, then if truth else otherwise)
                self.names[part] = out
                return out
            if truth.dtype != bool:
                true = self.calls.array(self.like.shape, bool)
                self.calls.call(np.not_equal, truth, 0.0, out=true)
                truth = true
            self.calls.call(np.copyto, out, otherwise)
            if isinstance(then, float) or (then.shape == out.shape and out.flags.c_contiguous):
                self.calls.call(np.putmask, out, truth, then)  # quicker, but it knows no broadcasting
            else:
                self.calls.call(np.copyto, out, then, where=truth)
        else:
            self.calls.call(CALLS[str(name)], *arguments, out=out)
        self.names[part] = out
        return out
