"""Array programs as text: one line for each instruction, so that one look shows what happened."""

from __future__ import annotations

import numpy as np

from engine.compiler.instructions import FIRST_INPUT, SHIFT
from engine.compiler.views import blocks, common_axes, evens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from engine.compiler.instructions import ArrayProgram, Codes, Instruction


class Listing:
    """Names for everything in a program.

    `w` are the parameters, `c` the constants, `x0`, `x1` the inputs, `a1`, `a2` the results; `[4:8]` a range of them,
    `{2x4}` its shape, `take` a gather (of constants: once). `*n` after a shape stands for the lanes, one an example.
    """

    def __init__(self, program: ArrayProgram) -> None:
        self.program = program
        self._names = {id(made): f"a{k}" for k, made in enumerate(program.instructions, 1)}
        blocks = [(0, program.parameters, "w", True), (program.parameters, len(program.constants), "c", False)]
        blocks += [(made.code, made.size, self._names[id(made)], made.moves) for made in program.instructions]
        blocks += [(FIRST_INPUT + g << SHIFT, n, f"x{g}", False) for g, n in enumerate(program.inputs)]
        self._blocks = sorted(block for block in blocks if block[1])
        self._starts = np.array([start for start, *_ in self._blocks])
        self._moving = np.array([moves for *_, moves in self._blocks])

    def forward(self) -> Iterator[str]:
        for made in self.program.instructions:
            shape = "x".join(map(str, made.shape[::-1] if made.kind == "matrix" else made.shape))
            yield f"{self._names[id(made)]}{{{shape}}}{' *n' if made.lane else ''} = {self._result(made)}"
        yield f"return {', '.join(self.place(np.array([code])) for code in self.program.outputs)}"

    def _places(self, made: Instruction) -> tuple[list[str], list[str]]:
        """Where the operands and the addends lie."""
        operands, addends = evens(made)
        return (
            [self.place(codes, even) for codes, even in zip(made.operands, operands, strict=True)],
            [self.place(codes, even) for codes, even in zip(made.addends, addends, strict=True)],
        )

    def gathers(self, made: Instruction) -> bool:
        """Whether it has operands that are brought together before, in every run."""
        operands, addends = evens(made)
        places = zip(made.operands + made.addends, operands + addends, strict=True)
        return any(not even and not self.program.are_constants(codes) for codes, even in places)

    def _result(self, made: Instruction) -> str:
        operands, _ = self._places(made)
        if made.kind == "operation":
            return f"{made.op.name}({', '.join(operands)})"
        if made.kind in ("reduction", "softmax"):
            name = made.op.name if made.kind == "reduction" else made.kind
            rows = (
                f"{len(made.starts)} rows of unequal length"
                if made.starts is not None
                else f"rows of {made.operands[0].shape[1]}"
            )
            return f"{_factor(made.scale)}{name}({rows}: {operands[0]})"
        return "".join(self._terms(made))

    def _terms(self, made: Instruction) -> Iterator[str]:
        operands, addends = self._places(made)
        if operands:
            left, right = operands
            product = f"{left} {'@' if made.kind in ('matrix', 'stack') else '*'} {right}"
            if made.kind == "stack":
                product = self._stack(made, product)
            if made.starts is not None:
                product = f"sum({made.size} rows of unequal length: {product})"
            elif made.kind == "products" and made.operands[0].shape[1] > 1:
                product = f"sum(rows of {made.operands[0].shape[1]}: {product})"
            yield _factor(made.scale) + product
        for k, (weight, place) in enumerate(zip(made.weights, addends, strict=True)):
            sign = " - " if weight < 0 else " + "
            yield (sign if k or operands else sign.strip(" +")) + _factor(abs(weight)) + place

    def _stack(self, made: Instruction, product: str) -> str:
        left, right = made.operands
        count = len(left) * left.shape[1] * right.shape[1]
        some = f"{made.size} of {count} in " if made.size < count else ""
        return f"({some}{len(left)} matrices: {product})"

    def place(self, codes: Codes, even: bool = True) -> str:
        """Where numbers lie, as a range if they lie evenly."""
        flat = codes[codes >= 0]  # rows of a stack may be shorter than others
        shape = "x".join(map(str, codes.shape)) if codes.ndim > 1 else ""
        low, high = int(flat.min()), int(flat.max())
        start, size, name, _ = self._blocks[self._block_of(low)]
        ends = blocks(flat) or []
        if high >= start + size or not even:
            names = {self._blocks[k][2] for k in self._block_of(flat[:1000])}
            return f"{'' if even else 'take'}({', '.join(sorted(names))}){{{shape or len(flat)}}}"
        one = len(flat) == 1
        even = one or len(ends) == 1
        step = 0 if one else int(flat[1] - flat[0])
        inner = (
            ""
            if len(flat) == size and step in (0, 1)
            else f"[{low - start}]"
            if one
            else f"[{low - start}:{high - start + 1}]"
        )
        if even and step not in (0, 1):
            inner = f"[{low - start}:{high - start + 1}:{step}]"
        elif high == low and not one:
            return f"{name}[{low - start}]"
        spread = "" if even else f" by {common_axes(len(flat), [ends])}".replace(" by (", " as (")
        return f"{name}{inner}{f'{{{shape}}}' if shape and not one else ''}{spread if not shape else ''}"

    def _block_of(self, codes: Any) -> Any:
        """In which of the blocks a code lies, or each of them."""
        return np.searchsorted(self._starts, codes, "right") - 1

    def reverse(self) -> Iterator[str]:
        """What each instruction passes back; `d a1` is the gradient of a1."""
        for made in reversed(self.program.instructions):
            if not made.moves:
                continue
            out = f"d {self._names[id(made)]}"
            operands, addends = self._places(made)
            yield from (f"d {place} += {_factor(w)}{out}" for w, place in zip(made.weights, addends, strict=True))
            if made.kind in ("matrix", "stack", "products") and made.operands:
                left, right = operands
                by = (
                    (f"{out} @ {right}.T", f"{left}.T @ {out}")
                    if made.kind in ("matrix", "stack")
                    else (f"{out} * {right}", f"{out} * {left}")
                )
                yield f"d {left} += {_factor(made.scale)}{by[0]}"
                if self._moves(made.operands[1]):
                    yield f"d {right} += {_factor(made.scale)}{by[1]}"
            elif made.kind == "softmax":
                result = self._names[id(made)]
                yield f"d {operands[0]} += {result} * ({out} - sums of rows of {result} * {out})"
            elif made.operands:
                texts = made.op.partials * (1 if len(made.op.partials) == len(made.operands) else len(made.operands))
                for codes, place, text in zip(made.operands, operands, texts, strict=True):
                    if self._moves(codes):
                        yield f"d {place} += {out} * ({text})"

    def _moves(self, codes: Codes) -> bool:
        return bool(self._moving[self._block_of(codes[codes >= 0])].any())


def _factor(number: float) -> str:
    return "" if number == 1.0 else "-" if number == -1.0 else f"{number:.6g} * "
