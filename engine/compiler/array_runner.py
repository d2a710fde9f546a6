"""Run an array program on batches: memory and calls for each number of lanes, made when it is first met."""

from __future__ import annotations

import numpy as np

from engine.compiler.array_forward import Forward
from engine.compiler.array_memory import Memory
from engine.compiler.array_reverse import Reverse
from engine.compiler.array_source import Calls
from engine.compiler.instructions import SHIFT, ArrayProgram

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Array = Any


class Run:
    """An array program with its memory, for one number of lanes and one output to go back from, or none.

    Attributes:
        numbers: the array of its parameters.
    """

    def __init__(self, program: ArrayProgram, lanes: int, dtype: Any, of: int | None, title: str) -> None:
        calls = Calls()
        self.program = program
        self.memory = memory = Memory(program, lanes, dtype, calls)
        forward = Forward(program, memory, keep=of is not None)
        self.forward_lines = calls.lines
        self._forward = calls.function(f"{title}, forward")
        self._outputs = [memory.spaces[code >> SHIFT][code & 0xFFFFFFFF] for code in program.outputs]
        self._token: object = None
        self.numbers = memory.spaces[0][: program.parameters, 0]
        if of is not None:
            reverse_from = int(program.outputs[of])
            self._output = self._outputs[of]
            self._gradient = memory.gradients[0][: program.parameters, 0]
            Reverse(program, memory, forward, reverse_from)
            self._reverse = calls.function(f"{title}, reverse")
        self.reverse_lines = calls.lines

    def _take_in(self, numbers: Any, inputs: Sequence[Array], token: object) -> None:
        """Copy in what is not there already: `token` stands for inputs that do not change."""
        if numbers is not self.numbers:
            self.numbers[:] = numbers
        if token is None or token is not self._token:
            for array, given in zip(self.memory.inputs, inputs, strict=True):
                array[...] = given
            self._token = token

    def outputs(self, numbers: Any, inputs: Sequence[Array], token: object = None) -> list[Array]:
        """For each output, its numbers for all examples: one, if it is the same for all."""
        return [output.copy() for output in self.computed(numbers, inputs, token)]

    def computed(self, numbers: Any, inputs: Sequence[Array], token: object = None) -> list[Array]:
        """The same, in arrays that the next run changes."""
        self._take_in(numbers, inputs, token)
        with np.errstate(all="ignore"):  # IEEE 754 answers, and nobody is warned
            self._forward()
        return self._outputs

    def value_and_grad(self, numbers: Any, inputs: Sequence[Array], token: object = None) -> tuple[float, Array]:
        self._take_in(numbers, inputs, token)
        with np.errstate(all="ignore"):
            self._forward()
            self._reverse()
            value = float(np.add.reduce(self._output)) / len(self._output)
        return value, self._gradient.copy()
