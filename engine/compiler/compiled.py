"""`compile`: a function of one example becomes a function of whole batches."""

from __future__ import annotations

from math import prod
from random import Random

from engine.compiler import recording
from engine.compiler.batches import Batch, nested
from engine.compiler.parameters import Parameters
from engine.compiler.recording import DISTRIBUTIONS, Recording
from engine.compiler.straight_line import Source, function_of
from engine.tracing import TracingError
from engine.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Rows = list[tuple[float, ...]]


def compile(
    function: Callable[..., Any] | Any, *, inputs: Sequence[Value] | None = None, seed: int | None = None
) -> Compiled:
    """Compile a function of one example, or a graph, for whole batches.

    The function is recorded when it is first called with a batch, once for each shape of examples. `Value`s that it
    closes over are its parameters. In it, an example's numbers are Values in nested lists, as deep as the arrays have
    axes behind the first; tuples and mappings of arrays are tuples and mappings of such lists.

    Args:
        function: takes one example and returns Values in lists, tuples and mappings; or such a structure itself, of a
            graph that exists.
        inputs: of a graph, the leaves whose numbers each call gives; the other leaves are parameters.
        seed: makes `random_input` reproducible.

    >>> w, b = Value(2.0), Value(0.5)
    >>> loss = compile(lambda x, y: (w * x + b - y).square())
    >>> loss([1.0, 2.0], [2.0, 4.0])
    [0.25, 0.25]
    >>> loss.value_and_grad([1.0, 2.0], [2.0, 4.0])
    (0.25, [1.5, 1.0])
    """
    return Compiled(function, inputs, seed)


class Compiled:
    """A function over batches: what `compile` returns."""

    def __init__(self, function: Any, inputs: Sequence[Value] | None, seed: int | None) -> None:
        self.function = function
        self._random = Random(seed)
        self._parameters = Parameters()
        self._plans: dict[object, Plan] = {}
        self._inputs = inputs
        if not callable(function):
            made = recording.record_graph(function, list(inputs or ()))
            self._plans["last"] = self._plan(made)
        elif inputs is not None:
            raise TypeError(
                f"only a graph is compiled with inputs=; got the function {function!r}; its arguments are its inputs"
            )

    @property
    def parameters(self) -> tuple[Value, ...]:
        """The Values that the function closes over, in the order of gradients.

        Raises:
            RuntimeError: the function has not been called yet.
        """
        self._last()
        return tuple(self._parameters.values)

    @property
    def program(self) -> Source:
        """The program of the last recording."""
        return self._last().source

    def __call__(self, *batch: Any) -> Any:
        """The function's results for each example, in arrays with a leading batch axis."""
        return self.bind(*batch)()

    def value_and_grad(self, *batch: Any, of: int = 0) -> tuple[float, list[float]]:
        """The mean of an output over the batch, and its gradient over `parameters`.

        Args:
            batch: the arguments.
            of: the number of the output, if there are several.
        """
        return self.bind(*batch).value_and_grad(of)

    def backward(self, *batch: Any, of: int = 0) -> float:
        """Add the gradient of the mean of an output to the parameters' `.grad`; returns the mean."""
        value, gradient = self.value_and_grad(*batch, of=of)
        for parameter, slope in zip(self._parameters.values, gradient, strict=True):
            parameter._grad += slope
        return value

    def bind(self, *batch: Any) -> Bound:
        """The function with its batch: read once, to be run many times while the parameters change.

        >>> w = Value(1.0)
        >>> step = compile(lambda x: (w * x - 6.0).square()).bind([2.0, 3.0])
        >>> for _ in range(100):
        ...     value, [slope] = step.value_and_grad()
        ...     w.data -= 0.05 * slope
        >>> round(w.data, 6)
        2.307692
        """
        given = Batch(batch)
        if callable(self.function):
            plan = self._plans.get(given.key)
            if plan is None:
                plan = self._plans[given.key] = self._plan(recording.record(self.function, given))
                plan.verify(given)
        else:
            plan = self._plans["last"]
            plan.check_inputs(given)
        self._plans["last"] = plan
        return Bound(plan, given)

    def take(self) -> Any:
        """Move the parameters' numbers into one flat list, in the order of `parameters`, and return it.

        From then on the list owns them: what an optimizer writes there, the Values show, and the other way round.

        >>> w = Value(1.0)
        >>> f = compile(lambda x: w * x)
        >>> f([2.0])
        [2.0]
        >>> numbers = f.take()
        >>> numbers[0] = 10.0
        >>> f([2.0]), w.data
        ([20.0], 10.0)
        >>> f.give_back()
        """
        self._last()
        return self._parameters.take(list)

    def give_back(self) -> None:
        """Move the numbers back into the Values, after `take`."""
        self._parameters.give_back()

    def _plan(self, made: Recording) -> Plan:
        return Plan(made, self._parameters, self._random, self.function)

    def _last(self) -> Plan:
        if "last" not in self._plans:
            raise RuntimeError(
                "a compiled function knows its program when it has seen a batch; got none yet; call it once"
            )
        return self._plans["last"]


class Plan:
    """How one recording is run."""

    def __init__(self, made: Recording, parameters: Parameters, random: Random, function: Any) -> None:
        self.recording, self.parameters, self.random, self.function = made, parameters, random, function
        self._places = parameters.places(made.scalars.parameters)
        self._functions: dict[int | None, Callable[..., Any]] = {}

    @property
    def source(self) -> Source:
        return Source(self.recording.scalars, 0)

    def run(self, rows: Rows, of: int | None) -> Any:
        function = self._functions.get(of) or self._functions.setdefault(of, self._made(of))
        numbers = self.parameters.numbers()
        if len(numbers) != len(self._places):  # another recording has more parameters
            numbers = [numbers[k] for k in self._places]
        return function(numbers, rows)

    def _made(self, of: int | None) -> Callable[..., Any]:
        count = len(self.recording.scalars.outputs)
        if of is not None and not 0 <= of < count:
            raise IndexError(f"the function has {count} outputs; got of={of}; number them from 0")
        title = f"compiled {getattr(self.function, '__name__', 'graph')}{'' if of is None else f' gradient {of}'}"
        return function_of(self.recording.scalars, of, title)

    def with_random(self, rows: Rows) -> Rows:
        """The rows, each with fresh random numbers."""
        if not self.recording.random:
            return rows
        draws = [DISTRIBUTIONS[name] for name in self.recording.random]
        return [(*row, *[draw(self.random) for draw in draws]) for row in rows]

    def check_inputs(self, given: Batch) -> None:
        """A graph takes as many numbers for each example as it has inputs."""
        count = self.recording.scalars.inputs
        width = len(given.rows()[0])
        if width != count:
            raise ValueError(
                f"a compiled graph takes a number for each of its {count} inputs; got {width} for each example; "
                "pass arrays with that many numbers behind the batch axis"
            )

    def verify(self, given: Batch) -> None:
        """Hold the program against the function itself, on the first, the middle and the last example.

        Raises:
            TracingError: they differ.
        """
        rows = given.rows()
        for k in sorted({0, given.size // 2, given.size - 1}):
            [row] = self.with_random([rows[k]])
            width = len(rows[k])
            result, values = recording.outputs_of(recording.replayed(self.function, given, row[:width], row[width:]))
            expected = [value._data for value in values]
            if result.key != self.recording.result.key:
                raise TracingError(
                    f"the structure of the results depends on the numbers; got another one for example {k} of the "
                    "batch than for the first; return as many Values for every example"
                )
            [got] = self.run([row], None)
            for number, (mine, true) in enumerate(zip(got, expected, strict=True)):
                if not (
                    mine == true or abs(mine - true) <= 1e-6 * (1.0 + abs(true)) or (mine != mine and true != true)
                ):
                    raise TracingError(
                        f"the function computes something else for another example; got {true!r} for output {number} "
                        f"of example {k}, where its program gives {mine!r}; let nothing but its arguments and "
                        "parameters enter, and random numbers by engine.random_input()"
                    )

    def results(self, rows: Rows) -> Any:
        """Each example's outputs, in the structure of the function's result, every grid with a leading batch axis."""
        table = self.run(rows, None)
        at, grids = 0, []
        for shape in self.recording.result.shapes:
            size = prod(shape)
            grids.append([nested(iter(row[at : at + size]), shape) for row in table])
            at += size
        return self.recording.result.rebuild(grids)

    def value_and_grad(self, rows: Rows, of: int) -> tuple[float, list[float]]:
        value, gradient = self.run(rows, of)
        if len(gradient) == len(self.parameters.values):  # with the usual one recording all are used, in order
            return value, gradient
        whole = [0.0] * len(self.parameters.values)
        for place, slope in zip(self._places, gradient, strict=True):
            whole[place] = slope
        return value, whole


class Bound:
    """A compiled function together with a batch, which was read once."""

    def __init__(self, plan: Plan, given: Batch) -> None:
        self._plan = plan
        self._rows = given.rows()

    def __call__(self) -> Any:
        """The results for each example, with the parameters' numbers of now."""
        return self._plan.results(self._plan.with_random(self._rows))

    def value_and_grad(self, of: int = 0) -> tuple[float, list[float]]:
        """The mean of an output and its gradient, with the parameters' numbers of now."""
        plan = self._plan
        return plan.value_and_grad(plan.with_random(self._rows) if plan.recording.random else self._rows, of)
