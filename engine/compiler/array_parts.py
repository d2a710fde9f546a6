"""Large batches part by part: what one part works on stays in the processor's cache.

This module knows how many numbers a program keeps for each example, and nothing of what it computes.
"""

from __future__ import annotations

import numpy as np

from engine.compiler.array_runner import Run
from engine.compiler.instructions import FIRST_INPUT, LANES, SHIFT, UNIFORM, ArrayProgram

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    Array = Any

CACHE = 2**20  # bytes that a part may work on
_FEWEST = 1024  # examples in a part: each call costs as much as hundreds of numbers


def run_of(program: ArrayProgram, lanes: int, dtype: Any, of: int | None, title: str) -> Run | Parts:
    """The program for a batch of so many examples, in parts if it is large."""
    part = part_of(program, lanes, dtype, of is not None)
    return Run(program, lanes, dtype, of, title) if part == lanes else Parts(program, lanes, part, dtype, of, title)


def part_of(program: ArrayProgram, lanes: int, dtype: Any, gradients: bool) -> int:
    """How many examples run at a time: all, or as many as the cache takes."""
    kept = program.sizes[LANES] * (1 + gradients) + sum(program.sizes[FIRST_INPUT:])
    part = max(_FEWEST, CACHE // (np.dtype(dtype).itemsize * max(1, kept)))
    return lanes if lanes <= 2 * part else part


class Parts:
    """An array program run on one part of a batch after the other: used as a `Run` is.

    >>> from engine import Value
    >>> from engine.compiler.linear import Forms
    >>> from engine.compiler.scalars import scalars_of
    >>> w, x = Value(2.0), Value(3.0)
    >>> program = ArrayProgram(Forms(scalars_of([w * x * x], [x])), [1])
    >>> Parts(program, 5, 2, "float64", 0, "").value_and_grad([10.0], [np.arange(5.0)[:, None]])
    (60.0, array([6.]))
    """

    def __init__(self, program: ArrayProgram, lanes: int, part: int, dtype: Any, of: int | None, title: str) -> None:
        self._lanes, self._part, self._dtype = lanes, part, dtype
        sizes = {min(part, lanes - start) for start in range(0, lanes, part)}
        self._runs = {size: Run(program, size, dtype, of, title) for size in sizes}
        self.numbers = self._runs[part].numbers
        self._differs = [code >> SHIFT != UNIFORM for code in program.outputs]

    def _parts(self, inputs: Sequence[Array]) -> Iterator[tuple[slice, Run, list[Array]]]:
        for start in range(0, self._lanes, self._part):
            part = slice(start, min(start + self._part, self._lanes))
            yield part, self._runs[part.stop - start], [given[part] for given in inputs]

    def outputs(self, numbers: Any, inputs: Sequence[Array], token: object = None) -> list[Array]:
        """For each output, its numbers for all examples: one, if it is the same for all."""
        self._begin()
        for part, run, given in self._parts(inputs):
            run.outputs(numbers, given)
            self._keep(part, run)
        return self._whole

    def results(self) -> list[Array]:
        """The same, of the last run."""
        return self._whole

    def _begin(self) -> None:
        self._whole = [np.empty(self._lanes if lane else 1, self._dtype) for lane in self._differs]

    def _keep(self, part: slice, run: Run) -> None:
        for one, lane, output in zip(self._whole, self._differs, run.latest, strict=True):
            one[part if lane else slice(None)] = output

    @np.errstate(invalid="ignore", over="ignore")  # the parts' slopes may be inf and -inf
    def value_and_grad(
        self, numbers: Any, inputs: Sequence[Array], token: object = None, copy: bool = True
    ) -> tuple[float, Array]:
        """The mean of the output over all examples, and its gradient: an array of its own."""
        value, gradient = 0.0, np.zeros(len(self.numbers), self._dtype)
        self._begin()
        for part, run, given in self._parts(inputs):
            share = (part.stop - part.start) / self._lanes
            mean, slope = run.value_and_grad(numbers, given, copy=False)
            value += share * mean
            gradient += share * slope
            self._keep(part, run)
        return value, gradient
