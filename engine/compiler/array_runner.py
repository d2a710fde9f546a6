"""Run an array program on batches: memory and calls for each number of lanes, made when it is first met."""

from __future__ import annotations

from contextvars import copy_context

import numpy as np

from engine.compiler.array_forward import Forward
from engine.compiler.array_memory import Memory
from engine.compiler.array_reverse import Reverse
from engine.compiler.array_sharing import share_memory
from engine.compiler.array_source import Calls
from engine.compiler.instructions import SHIFT, ArrayProgram

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Array = Any

_LARGE = 1 << 14  # bytes of an input, from which on it is read where it lies and not copied


class Run:
    """An array program with its memory, for one number of lanes and one output to go back from, or none.

    Attributes:
        numbers: the array of its parameters.
        forward_lines, reverse_lines: the calls, as source.
        working_memory: where everything lies that they compute, but for the gradient.
        bytes_apart: how large it would be if what is not needed any more made no room.
    """

    @np.errstate(all="ignore")  # in float32 constants may be inf
    def __init__(self, program: ArrayProgram, lanes: int, dtype: Any, of: int | None, title: str) -> None:
        self.calls = calls = Calls(dtype)
        self.program = program
        memory = Memory(program, lanes, dtype, calls)
        forward = Forward(program, memory, keep=of is not None)
        self.forward_lines, self.reverse_lines = calls.lines, []
        # by name: an output that is an input lies where the batch does
        self._outputs = [calls.name(memory.spaces[code >> SHIFT][code & 0xFFFFFFFF]) for code in program.outputs]
        self.numbers = memory.spaces[0][: program.parameters, 0]
        self._gradient = memory.gradients[0][: program.parameters, 0]
        if of is not None:
            self._output = self._outputs[of]
            self._ones = np.ones(len(calls.scope[self._output]), dtype)
            Reverse(program, memory, forward, int(program.outputs[of]))
            self.reverse_lines = calls.lines
        calls.lines = self.forward_lines + self.reverse_lines
        self.working_memory, self.bytes_apart = share_memory(calls, memory.fixed, self._outputs)
        self._function = calls.function(title)
        self._quietly = _quiet_caller()
        self._token: object = None
        self._take = [self._pointing(array) if array.nbytes >= _LARGE else _copying(array) for array in memory.inputs]

    def _pointing(self, array: Array) -> Callable[[Array], None]:
        point, gradient = self.calls.views(array), self._gradient

        def take(given: Array) -> None:
            if np.may_share_memory(given, gradient):
                given = given.copy()
            point(np.ascontiguousarray(given, array.dtype))

        return take

    def _compute(self, numbers: Any, inputs: Sequence[Array], token: object) -> None:
        """Take in what is not there already, and run: `token` stands for inputs that do not change."""
        if numbers is not self.numbers:
            self.numbers[:] = numbers
        if token is None or token is not self._token:
            for take, given in zip(self._take, inputs, strict=True):
                take(given)
            self._token = token
        self._function()

    def outputs(self, numbers: Any, inputs: Sequence[Array], token: object = None) -> list[Array]:
        """For each output, its numbers for all examples: one, if it is the same for all."""
        self._quietly(self._compute, numbers, inputs, token)
        return self.results()

    @property
    def latest(self) -> list[Array]:
        """The outputs of the last run, in arrays that the next one changes."""
        return [self.calls.scope[name] for name in self._outputs]

    def results(self) -> list[Array]:
        """The outputs of the last run."""
        return [output.copy() for output in self.latest]

    def value_and_grad(
        self, numbers: Any, inputs: Sequence[Array], token: object = None, copy: bool = True
    ) -> tuple[float, Array]:
        """The mean of the output, and its gradient; without `copy` the next call overwrites that."""
        self._quietly(self._compute, numbers, inputs, token)
        output = self.calls.scope[self._output]
        value = output.item() if len(output) == 1 else float(self._quietly(np.dot, self._ones, output)) / len(output)
        return value, self._gradient.copy() if copy else self._gradient


def _copying(array: Array) -> Callable[[Array], None]:
    def copy(given: Array) -> None:
        array[...] = given

    return copy


def _quiet_caller() -> Callable[..., Any]:
    """What calls a function so that NumPy warns of nothing: answers are those of IEEE 754."""
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":  # since then what NumPy warns of is part of a context
        context = copy_context()
        context.run(np.seterr, all="ignore")
        return context.run

    def call(function: Callable[..., Any], *arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*arguments)

    return call
