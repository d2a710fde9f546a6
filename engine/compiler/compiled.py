"""`compile`: a function of one example becomes a function of whole batches."""

from __future__ import annotations

from _thread import RLock
from math import prod
from random import Random
from typing import Literal, overload

from engine.compiler import recording
from engine.compiler.batches import Batch, array_of, joined
from engine.compiler.explanation import explain
from engine.compiler.parameters import Parameters
from engine.compiler.plan import Plan, Settings
from engine.compiler.randomness import generator_of
from engine.structure import is_array
from engine.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from engine.compiler.instructions import ArrayProgram
    from engine.compiler.recording import Recording
    from engine.compiler.straight_line import Source

    Rows = list[tuple[float, ...]]


def compile(
    function: Callable[..., Any] | Any,
    *,
    inputs: Sequence[Value] | None = None,
    backend: str = "auto",
    dtype: str = "float64",
    seed: int | Random | None = None,
) -> Compiled:
    """Compile a function of one example, or a graph, for whole batches.

    The function is recorded when it is first called with a batch, once for each shape of examples. `Value`s that it
    closes over are its parameters. In it, an example's numbers are Values in nested lists, as deep as the arrays have
    axes behind the first; tuples and mappings of arrays are tuples and mappings of such lists.

    Results are those of the function to 1e-12 of the terms that they are sums of: sums are added up in another order,
    which may show in their last digits and, in arrays, in the sign of a zero.

    Args:
        function: takes one example and returns Values in lists, tuples and mappings; or such a structure itself, of a
            graph that exists.
        inputs: of a graph, the leaves whose numbers each call gives; the other leaves are parameters.
        backend: "numpy" for array programs, "python" for straight-line Python, "auto" for what the costs say.
        dtype: "float64", or "float32", which takes NumPy.
        seed: makes `random_input` reproducible: a number, or a generator to draw from.

    >>> w, b = Value(2.0), Value(0.5)
    >>> loss = compile(lambda x, y: (w * x + b - y).square())
    >>> loss([1.0, 2.0], [2.0, 4.0])
    [0.25, 0.25]
    >>> loss.value_and_grad([1.0, 2.0], [2.0, 4.0])
    (0.25, [1.5, 1.0])
    """
    name = getattr(function, "__name__", "graph")
    return Compiled(function, inputs, Settings(backend, dtype, generator_of(seed), name))


class Compiled:
    """A function over batches: what `compile` returns."""

    def __init__(self, function: Any, inputs: Sequence[Value] | None, settings: Settings) -> None:
        self.function = function
        self._settings = settings
        self._parameters = Parameters()
        self._plans: dict[object, Plan] = {}
        self._last: Plan | None = None
        self._size = 1
        self._given: Batch | None = None
        self._lock = RLock()
        if not callable(function):
            self._last = self._plan(recording.record_graph(function, () if inputs is None else inputs))
        elif inputs is not None:
            raise TypeError(
                f"only a graph is compiled with inputs=; got the function {function!r}; its arguments are its inputs"
            )

    @property
    def parameters(self) -> tuple[Value, ...]:
        """The Values that the function closes over, in the order of gradients: that of use, layer by layer.

        Raises:
            RuntimeError: the function has not been called yet.
        """
        self._known()
        return tuple(self._parameters.values)

    @property
    def program(self) -> Source | ArrayProgram:
        """What ran last: straight-line Python, or an array program. To be printed.

        Raises:
            RuntimeError: nothing has run yet.
        """
        plan = self._known()
        return plan.array_program() if plan.backend(self._size) == "numpy" else plan.source

    def explain(self) -> str:
        """What was grouped, what became matrix products, what is gathered and why, and what each backend would cost.

        >>> w = Value(1.0)
        >>> f = compile(lambda x: w * x)
        >>> f([2.0])
        [2.0]
        >>> print(f.explain())
        <lambda>: 3 scalars, of them 1 inputs and 1 parameters; 1 remain in linear forms.
        A batch of 1: about 1 us in Python, 10 us in arrays (1 groups); chosen: python.
        """
        return explain(self._known(), self._size)

    def example(self, k: int, of: int = 0) -> Value:
        """The scalar graph of one example of the last batch, to look at and step through: an output, eagerly computed.

        Its nodes have the gradients of `backward()`; the parameters' own `.grad` are left as they were. Its random
        numbers are those of the first example of the next call, which draws them again; an array that was given is
        read as it is now.

        Args:
            k: the number of the example.
            of: the number of the output.

        >>> w = Value(2.0, label="w")
        >>> f = compile(lambda x: (w * x).exp())
        >>> values = f([0.0, 1.0])
        >>> node = f.example(1)
        >>> node.op.name, node.parents[0].grad == node.data, w.grad
        ('exp', True, 0.0)
        """
        plan, given = self._known(), self._given
        if given is None or not hasattr(k, "__index__") or not -given.size <= k < given.size:
            raise IndexError(
                f"there is no such example in the last batch; got {k!r}; it has {given.size if given else 0} of them"
            )
        plan.check_output(of)
        row = plan.row_to_look_at(given.row(k % given.size))
        width = sum(map(prod, given.shapes))
        if callable(self.function):
            _, outputs = recording.outputs_of(recording.replayed(self.function, given, row[:width], row[width:]))
        else:
            outputs = recording.graph_of(plan.recording.scalars, [Value(number) for number in row])
        before = [parameter._grad for parameter in self._parameters.values]
        if not outputs[of].is_constant:
            outputs[of].backward()
        for parameter, slope in zip(self._parameters.values, before, strict=True):
            parameter._grad = slope
        return outputs[of]

    def __call__(self, *batch: Any) -> Any:
        """The function's results for each example: grids with a leading batch axis.

        They are arrays if an argument is one or NumPy was chosen to compute them, else lists.
        """
        return self._bound(batch)()

    @overload
    def value_and_grad(
        self, *batch: Any, of: int = 0, has_aux: Literal[False] = False, copy: bool = True
    ) -> tuple[float, Any]: ...
    @overload
    def value_and_grad(
        self, *batch: Any, of: int = 0, has_aux: Literal[True], copy: bool = True
    ) -> tuple[tuple[float, Any], Any]: ...
    def value_and_grad(self, *batch: Any, of: int = 0, has_aux: bool = False, copy: bool = True) -> tuple[Any, Any]:
        """The mean of an output over the batch, and its gradient over `parameters`, a list or an array.

        Args:
            batch: the arguments.
            of: the number of the output, if there are several.
            has_aux: whether the results for each example are wanted too, from the same run: the mean is then a pair of
                the mean and what calling the function returns.
            copy: whether the gradient is yours to keep. A training loop needs none: without, it may be an array that
                the next call overwrites.

        >>> w = Value(2.0)
        >>> f = compile(lambda x: (w * x, x + 1))
        >>> f.value_and_grad([1.0, 3.0], has_aux=True)
        ((4.0, ([2.0, 6.0], [2.0, 4.0])), [2.0])

        Raises:
            TracingError: in the function a number of one example decides something.
            ValueError, TypeError: a batch of no examples, of unlike ones, or of something else than numbers.
            IndexError: there is no such output.
        """
        return self._bound(batch).value_and_grad(of, has_aux, copy)

    def backward(self, *batch: Any, of: int = 0) -> float:
        """Add the gradient of the mean of an output to the parameters' `.grad`; returns the mean."""
        value, gradient = self.value_and_grad(*batch, of=of, copy=False)
        slopes = gradient if isinstance(gradient, list) else gradient.tolist()
        for parameter, slope in zip(self._parameters.values, slopes, strict=True):
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
        return self._bound(batch).kept()

    def _bound(self, batch: tuple[Any, ...]) -> Bound:
        given = self._given.followed_by(batch) if self._given else Batch(batch)
        if callable(self.function):
            plan = self._plans.get(given.key)
            if plan is None or not plan.trusted:
                with self._lock:  # another thread may record it just now
                    plan = self._verified(given)
        else:
            plan = self._known()
            given.check_width(plan.recording.scalars.inputs)
        bound = Bound(plan, given)
        self._last, self._size, self._given = plan, given.size, given
        return bound

    def _verified(self, given: Batch) -> Plan:
        """The plan for batches like that, held against the function; no random numbers of a call are drawn for it."""
        plan = self._plans.pop(given.key, None) or self._plan(recording.record(self.function, given))
        plan.verify(self.function, given)
        self._plans[given.key] = plan
        return plan

    def take(self) -> Any:
        """Move the parameters' numbers into one flat list or array, in the order of `parameters`, and return it.

        From then on it owns them: what an optimizer writes there, the Values show, and the other way round. It is an
        array if the last call ran on arrays, else a list.

        >>> w = Value(1.0)
        >>> f = compile(lambda x: w * x)
        >>> f([2.0])
        [2.0]
        >>> numbers = f.take()
        >>> numbers[0] = 10.0
        >>> f([2.0]), w.data
        ([20.0], 10.0)
        >>> f.give_back()

        Raises:
            RuntimeError: the function has not been called yet, or another one has taken some of the numbers.
        """
        return self._parameters.take(self._known().flat)

    def give_back(self) -> None:
        """Move the numbers back into the Values, after `take`, whose array later calls may overwrite."""
        self._parameters.give_back()

    def _plan(self, made: Recording) -> Plan:
        return Plan(made, self._parameters, self._settings)

    def _known(self) -> Plan:
        if self._last is None:
            raise RuntimeError(
                "a compiled function knows its program when it has seen a batch; got none yet; call it once"
            )
        return self._last


class Bound:
    """A compiled function together with a batch, which was read once."""

    def __init__(self, plan: Plan, given: Batch) -> None:
        self._plan, self._given = plan, given
        self._arrays = plan.backend(given.size) == "numpy"
        self._token: object = None
        self._wants_arrays = self._arrays or any(map(is_array, given.grids))
        if self._arrays:
            self._columns = given.columns(plan.settings.dtype)
            if len(self._columns) > len(plan.recording.widths):  # a graph has one grid of inputs, or none
                self._columns = [joined(self._columns) for _ in plan.recording.widths]
        else:
            self._rows = given.rows()

    def kept(self) -> Bound:
        """The same, whatever becomes of the arrays that were given."""
        if self._arrays:
            self._columns = [column.copy() for column in self._columns]
            self._token = None if self._plan.recording.random else self
        return self

    def __call__(self) -> Any:
        """The results for each example, with the parameters' numbers of now."""
        return self._plan.results(self._outputs(), self._given.size, self._wants_arrays)

    def _outputs(self) -> Any:
        plan = self._plan
        if not self._arrays:
            return plan.on_rows(plan.with_random_rows(self._rows), None, True)
        size = self._given.size
        return plan.on_arrays(plan.with_random_columns(self._columns, size), size, None, True, self._token)

    def value_and_grad(self, of: int = 0, has_aux: bool = False, copy: bool = True) -> tuple[Any, Any]:
        """The mean of an output and its gradient, with the parameters' numbers of now; see `Compiled`."""
        plan = self._plan
        if of or of.__class__ is not int:  # there is always a first one
            plan.check_output(of)
        if self._arrays:
            size = self._given.size
            columns = plan.with_random_columns(self._columns, size)
            found = plan.on_arrays(columns, size, of, has_aux, self._token, copy)
            gradient = plan.everywhere(found[1])
        else:
            rows = plan.with_random_rows(self._rows) if plan.recording.random else self._rows
            found = plan.on_rows(rows, of, has_aux)
            gradient = plan.everywhere(array_of(found[1]) if self._wants_arrays else found[1])
        if not has_aux:
            return found[0], gradient
        return (found[0], plan.results(found[2], self._given.size, self._wants_arrays)), gradient
