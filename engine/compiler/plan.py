"""How one recording is run: as Python or as arrays, for which batch, and checked against the function itself."""

from __future__ import annotations

from _thread import allocate_lock
from math import inf, prod

from engine.compiler import recording
from engine.compiler.batches import array_of, nested
from engine.compiler.costs import Costs
from engine.compiler.linear import Forms
from engine.compiler.randomness import drawn, drawn_table, one_at_a_time, undrawn
from engine.compiler.recording import Recording
from engine.compiler.scalars import evaluated, with_output
from engine.compiler.straight_line import Source, function_of
from engine.tracing import TracingError, is_tracing, recordings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
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
        self._costs: Costs | None = None
        self._places = parameters.places(made.scalars.parameters)
        self._in_order = self._places == list(range(len(self._places)))
        self._functions: dict[tuple[int | None, bool], Callable[..., Any]] = {}
        self._arrays: dict[int | None, ArrayProgram] = {}
        self._runs: dict[tuple[int, int | None, bool], Run | Parts] = {}
        self.trusted = False
        self._held: set[tuple[float, ...]] = set()  # examples for which it was held against the function
        self.latest: Run | Parts | None = None
        self._lock = allocate_lock()  # runs are made once, and their memory is for one batch at a time

    @property
    def costs(self) -> Costs:
        self._costs = self._costs or Costs(self.recording)
        return self._costs

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

    def check_output(self, of: Any) -> None:
        """
        Raises:
            IndexError: there is no such output.
        """
        count = len(self.recording.scalars.outputs)
        if not hasattr(of, "__index__") or not 0 <= of < count:
            raise IndexError(f"the function has {count} outputs; got of={of!r}; number them from 0")

    def numbers(self) -> Any:
        """The numbers of this recording's parameters.

        Raises:
            TracingError: another function is being recorded, and would keep what this one gives as it is now.
        """
        if is_tracing():
            raise TracingError(
                "a compiled function gives numbers, and those of now would hold for ever in a function that is being "
                f"compiled; got a call of {self.settings.name}; call the function that it was compiled from"
            )
        numbers = self.parameters.numbers()
        if self._in_order and len(numbers) == len(self._places):
            return numbers
        return [float(numbers[k]) for k in self._places]  # another recording has more, or came before

    def on_rows(self, rows: Rows, of: int | None, results: bool) -> Any:
        """What the straight-line program gives: results, or value and gradient, or value, gradient and results."""
        function = self._functions.get((of, results))
        if function is None:
            title = f"compiled {self.settings.name}{'' if of is None else f', gradient of output {of}'}"
            function = self._functions[of, results] = function_of(self.recording.scalars, of, title, results)
        numbers = self.parameters.flat
        as_they_are = numbers.__class__ is list and self._in_order and len(numbers) == len(self._places)
        if recordings or not as_they_are or sum(numbers).__class__ is not float:
            numbers = self.numbers()
        return function(numbers if numbers.__class__ is list else numbers.tolist(), rows)

    def on_arrays(
        self, columns: list[Any], size: int, of: int | None, results: bool, token: object = None, copy: bool = True
    ) -> Any:
        """The same of the array program, for inputs of shape (examples, numbers); `token`, `copy`: see `Run`."""
        with self._lock:
            run = self.latest = self._runs.get((size, of, results)) or self._made(size, of, results)
            if of is None:
                return run.outputs(self.numbers(), columns, token)
            found = run.value_and_grad(self.numbers(), columns, token, copy)
            return (*found, run.results()) if results else found

    def _made(self, size: int, of: int | None, results: bool) -> Run | Parts:
        """An array program with its memory."""
        from engine.compiler.array_parts import run_of

        program = self.array_program(None if results else of)
        if len(self._runs) > 8:  # a few sizes of batches come again and again
            self._runs.pop(next(iter(self._runs)))
        run = self._runs[size, of, results] = run_of(
            program, size, self.settings.dtype, None if of is None else min(of, len(program.outputs) - 1),
            self.settings.name,
        )  # fmt: skip
        return run

    def flat(self, numbers: list[float]) -> Any:
        """A flat list or array with the parameters' numbers: the one that runs use, if there is one."""
        run = self.latest
        if run is None:
            return numbers
        array = array_of(numbers, self.settings.dtype)
        if not self._in_order or len(run.numbers) != len(numbers):
            return array
        run.numbers[:] = array
        return run.numbers

    def with_random_rows(self, rows: Rows) -> Rows:
        """The rows, each with fresh random numbers."""
        names, generator = self.recording.random, self.settings.random
        if not names:
            return rows
        with one_at_a_time:
            return [(*row, *[drawn(generator, name) for name in names]) for row in rows]

    def row_to_look_at(self, row: tuple[float, ...]) -> tuple[float, ...]:
        """A row with random numbers, which the next call draws again."""
        with undrawn(self.settings.random):
            return self.with_random_rows([row])[0]

    def with_random_columns(self, columns: list[Any], size: int) -> list[Any]:
        """The inputs, and as many columns of fresh random numbers as the function asks for."""
        names = self.recording.random
        if not names:
            return columns
        with one_at_a_time:
            return [*columns, drawn_table(self.settings.random, names, size)]

    def everywhere(self, gradient: Any) -> Any:
        """A gradient over this recording's parameters as one over all of the function's."""
        count = len(self.parameters.values)
        if self._in_order and len(gradient) == count:
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

    def verify(self, function: Callable[..., Any], given: Batch) -> None:
        """Hold the recording against the function, until it has been held against it for two different examples.

        What was recorded, the first example of the first batch, is computed again only if there is no other: what
        changes of itself changes there too.

        Raises:
            TracingError: they differ.
        """
        rows = {k: given.row(k) for k in sorted({0, given.size // 2, given.size - 1})}
        recorded = {rows[0]} if not self._held and len(rows) > 1 else set()
        for k, row in rows.items():
            if row not in self._held and not (recorded and k == 0):
                self._compare(function, given, k, row)
                self._held.add(row)
        self._held |= recorded
        self.trusted = len(self._held) > 1 or not rows[0]

    def _compare(self, function: Callable[..., Any], given: Batch, k: int, row: tuple[float, ...]) -> None:
        """The k-th example, operation by operation as the function does: another order of sums would accuse it."""
        numbers = self.row_to_look_at(row)
        random = numbers[len(row) :]
        result, expected = recording.recomputed(function, given, row, random)
        if result.key != self.recording.result.key:
            raise TracingError(
                f"the structure of the results depends on the numbers; got another one for example {k} of the batch "
                "than for the first; return as many Values for every example"
            )
        got = None if self._held or k else self.recording.numbers  # it is the example that was recorded
        if got is None:
            got = evaluated(self.recording.scalars, list(map(float, self.numbers())), numbers)
        for number, (mine, true) in enumerate(zip(got, expected, strict=True)):
            alike = mine == true or (mine != mine and true != true)
            if not alike and not abs(mine - true) <= 1e-9 * (1.0 + abs(true)) < inf:
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
        table = np.empty((size, count), outputs[0].dtype)
        for k, column in enumerate(outputs[at : at + count]):
            table[:, k] = column
        return table.reshape(size, *shape)
    rows = [nested(iter(row[at : at + count]), shape) for row in outputs]
    return array_of(rows) if as_array else rows
