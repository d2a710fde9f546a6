"""How one recording is run: as Python or as arrays, for which batch, and checked against the function itself."""

from __future__ import annotations

from math import prod

from engine.compiler import recording
from engine.compiler.batches import array_of, nested
from engine.compiler.costs import Costs
from engine.compiler.linear import Forms
from engine.compiler.randomness import drawn, drawn_table
from engine.compiler.recording import Recording
from engine.compiler.scalars import with_output
from engine.compiler.straight_line import Source, function_of
from engine.tracing import TracingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random
    from typing import Any

    from engine.compiler.array_parts import Parts
    from engine.compiler.array_runner import Run
    from engine.compiler.batches import Batch
    from engine.compiler.instructions import ArrayProgram
    from engine.compiler.parameters import Parameters

    Rows = list[tuple[float, ...]]


class Settings:
    """What `compile` was asked for."""

    __slots__ = ("backend", "dtype", "name", "random")

    def __init__(self, backend: str, dtype: str, random: Random, name: str) -> None:
        if backend not in ("auto", "numpy", "python"):
            raise ValueError(f"there is no such backend; got {backend!r}; use 'auto', 'numpy' or 'python'")
        if dtype not in ("float64", "float32"):
            raise ValueError(f"there is no such dtype; got {dtype!r}; use 'float64' or 'float32'")
        if dtype == "float32" and backend == "python":
            raise ValueError("Python computes in float64; got dtype='float32'; use backend='numpy' for it")
        self.backend = "numpy" if dtype == "float32" else backend
        self.dtype, self.random, self.name = dtype, random, name


class Plan:
    """One recording, and the programs made of it."""

    def __init__(self, made: Recording, parameters: Parameters, settings: Settings) -> None:
        self.recording, self.parameters, self.settings = made, parameters, settings
        self.costs = Costs(made)
        self._places = parameters.places(made.scalars.parameters)
        self._functions: dict[int | None, Callable[..., Any]] = {}
        self._arrays: dict[int | None, ArrayProgram] = {}
        self._runs: dict[tuple[int, int | None], Run | Parts] = {}
        self.unverified: Callable[..., Any] | None = None
        self.verified: tuple[float, ...] | None = None  # the only example so far
        self.latest: Run | Parts | None = None

    def backend(self, size: int) -> str:
        """Which executor runs a batch of so many examples."""
        return self.costs.choice(size) if self.settings.backend == "auto" else self.settings.backend

    @property
    def source(self) -> Source:
        """The straight-line program of the first output and its gradient."""
        return Source(self.recording.scalars, 0)

    def array_program(self, of: int | None = None) -> ArrayProgram:
        """The array program of all outputs, or of what one of them needs."""
        made = self.recording
        which = of if len(made.scalars.outputs) > 1 else None
        if which not in self._arrays:
            from engine.compiler.instructions import ArrayProgram

            forms = made.forms if which is None else Forms(with_output(made.scalars, which))
            self._arrays[which] = ArrayProgram(forms, made.widths)
        return self._arrays[which]

    def check_output(self, of: int | None) -> None:
        count = len(self.recording.scalars.outputs)
        if of is not None and not 0 <= of < count:
            raise IndexError(f"the function has {count} outputs; got of={of}; number them from 0")

    def numbers(self) -> Any:
        """The numbers of this recording's parameters."""
        numbers = self.parameters.numbers()
        if len(numbers) != len(self._places):  # another recording has more
            return [numbers[k] for k in self._places]
        return numbers

    def on_rows(self, rows: Rows, of: int | None) -> Any:
        """What the straight-line program gives."""
        function = self._functions.get(of)
        if function is None:
            self.check_output(of)
            title = f"compiled {self.settings.name}{'' if of is None else f', gradient of output {of}'}"
            function = self._functions[of] = function_of(self.recording.scalars, of, title)
        numbers = self.numbers()
        return function(numbers if numbers.__class__ is list else numbers.tolist(), rows)

    def run(self, size: int, of: int | None) -> Run | Parts:
        """The array program of so many examples, back from one output."""
        run = self._runs.get((size, of))
        if run is None:
            from engine.compiler.array_parts import run_of

            self.check_output(of)
            program = self.array_program(of)
            if len(self._runs) > 8:  # a few sizes of batches come again and again
                self._runs.pop(next(iter(self._runs)))
            run = self._runs[size, of] = run_of(
                program, size, self.settings.dtype, None if of is None else min(of, len(program.outputs) - 1),
                self.settings.name,
            )  # fmt: skip
        self.latest = run
        return run

    def flat(self, numbers: list[float]) -> Any:
        """A flat list or array with the parameters' numbers: the one that runs use, if there is one."""
        run = self.latest
        if run is None:
            return numbers
        if len(run.numbers) != len(numbers):
            return array_of(numbers, self.settings.dtype)
        run.numbers[:] = numbers
        return run.numbers

    def with_random_rows(self, rows: Rows) -> Rows:
        """The rows, each with fresh random numbers."""
        names, generator = self.recording.random, self.settings.random
        return [(*row, *[drawn(generator, name) for name in names]) for row in rows] if names else rows

    def with_random_columns(self, columns: list[Any], size: int) -> list[Any]:
        """The inputs, and as many columns of fresh random numbers as the function asks for."""
        names = self.recording.random
        return [*columns, drawn_table(self.settings.random, names, size)] if names else columns

    def everywhere(self, gradient: Any) -> Any:
        """A gradient over this recording's parameters as one over all of the function's."""
        count = len(self.parameters.values)
        if len(gradient) == count:
            return gradient
        whole = [0.0] * count if isinstance(gradient, list) else array_of([0.0] * count, gradient.dtype)
        for place, slope in zip(self._places, gradient, strict=True):
            whole[place] = slope
        return whole

    def results(self, outputs: Any, size: int, as_arrays: bool) -> Any:
        """Rows of outputs, or columns of them as arrays, in the structure of the function's result."""
        at, grids = 0, []
        for shape in self.recording.result.shapes:
            count = prod(shape)
            grids.append(_grid(outputs, at, count, shape, size, as_arrays))
            at += count
        return self.recording.result.rebuild(grids)

    def compare(
        self, given: Batch, k: int, row: Sequence[float], random: Sequence[float], got: Sequence[float]
    ) -> None:
        """Hold what the program gives for the k-th example against the function itself.

        Raises:
            TracingError: they differ.
        """
        result, values = recording.outputs_of(recording.replayed(self.unverified or (lambda: None), given, row, random))
        if result.key != self.recording.result.key:
            raise TracingError(
                f"the structure of the results depends on the numbers; got another one for example {k} of the batch "
                "than for the first; return as many Values for every example"
            )
        self.hold(k, got, [value._data for value in values])

    def hold(self, k: int, got: Sequence[float], expected: Sequence[float]) -> None:
        """Hold what the program gives for the k-th example against the function's numbers.

        Raises:
            TracingError: they differ.
        """
        allowed = 1e-3 if self.settings.dtype == "float64" else 1e-1  # sums are in another order
        for number, (mine, true) in enumerate(zip(got, expected, strict=True)):
            if abs(mine - true) > allowed * (1.0 + abs(true)) or (mine == mine) != (true == true):
                raise TracingError(
                    f"the function computes something else for another example; got {true!r} for output {number} of "
                    f"example {k}, where its program gives {mine!r}; let nothing but its arguments and parameters "
                    "enter, and random numbers by engine.random_input()"
                )


def _grid(outputs: Any, at: int, count: int, shape: tuple[int, ...], size: int, as_array: bool) -> Any:
    """One grid of the result, for all examples."""
    if not isinstance(outputs[0], tuple):
        import numpy as np

        if not shape and len(outputs[at]) == size:
            return outputs[at]
        columns = [np.broadcast_to(column, size) for column in outputs[at : at + count]]
        return np.stack(columns, 1).reshape(size, *shape)
    rows = [nested(iter(row[at : at + count]), shape) for row in outputs]
    return array_of(rows) if as_array else rows
