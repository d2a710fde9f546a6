"""Record a function of one example, or an existing graph, as a scalar program.

The function is called once, with Values for the numbers of the first example. What it computes is kept as a program;
Values that it closes over are the parameters. This module knows nothing of executors.
"""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from itertools import repeat
from math import prod
from random import getstate

from engine import functions
from engine.compiler.batches import Tree, flat_grid, shape_of
from engine.compiler.linear import Forms
from engine.compiler.scalars import (
    INPUT,
    SOURCES,
    Scalars,
    scalars_of,
    tidied,
    with_parameters_ordered,
    without_dead_code,
)  # fmt: skip
from engine.modes import enable_grad
from engine.ops import CONSTANT
from engine.source_lines import calling_line
from engine.tracing import TracingError, tracing
from engine.value import Value, constant, operand

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from engine.compiler.batches import Batch


class Recording:
    """A function as a program.

    Attributes:
        scalars: the program; its inputs are the example's numbers, then the random ones.
        forms: the same with its linear parts as forms.
        random: the distribution of each random input.
        result: the structure of what the function returns.
        widths: how many inputs each grid has; the random ones come last.
        numbers: what the function returned for the example, unless random numbers are in it.
    """

    __slots__ = ("forms", "numbers", "random", "result", "scalars", "widths")

    def __init__(self, recorded: Scalars, random: list[str], result: Tree, widths: list[int]) -> None:
        self.widths = [*widths, len(random)] if random else widths
        scalars = tidied(recorded)
        self.forms = Forms(scalars)
        self.scalars = with_parameters_ordered(scalars, self.forms.order_parameters())
        self.random, self.result = random, result
        self.numbers: list[float] | None = None


def record(function: Callable[..., Any], batch: Batch) -> Recording:
    """Call the function for the first example and keep what it computes.

    Raises:
        TracingError: a number of the example decides something, or Python's random numbers enter.
        TypeError: the function returns something else than Values and numbers.
    """
    with collector_paused():
        return _recorded(function, batch)  # the graph is gone before the collector looks again


def _recorded(function: Callable[..., Any], batch: Batch) -> Recording:
    inputs = [Value(number) for number in batch.row(0)]
    random: list[str] = []
    drawn: list[Value] = []

    def draw(distribution: str) -> Value:
        random.append(distribution)
        drawn.append(Value(0.5))
        return drawn[-1]

    mode = tracing()
    mode.draw = draw
    before = _random_states()
    with mode, enable_grad():
        returned = function(*batch.example(iter(inputs)))
    if _random_states() != before:
        raise _random_error(function, batch)
    result, outputs = outputs_of(returned)
    recorded = scalars_of(outputs, [*inputs, *drawn], made_inside=mode.leaves)
    made = Recording(recorded, random, result, [prod(s) for s in batch.shapes])
    made.numbers = None if random else [output._data for output in outputs]
    return made


def outputs_of(returned: Any) -> tuple[Tree, list[Value]]:
    """The structure of a function's result, and its Values in order.

    Raises:
        TypeError: there are none, or something else than Values and numbers is among them.
    """
    result = Tree(returned)
    grids, result.grids = result.grids, []  # a structure that is kept shall not keep a graph
    try:
        leaves = [leaf for grid, shape in zip(grids, result.shapes, strict=True) for leaf in flat_grid(grid, shape)]
    except TypeError:
        leaves = []
    if not leaves:
        raise TypeError(
            "a compiled function returns Values and numbers, at least one, in lists, tuples and mappings; "
            f"got {type(returned).__name__} {returned!r:.50}; return what it computes"
        )
    return result, [operand(leaf) for leaf in leaves]


def record_graph(output: Any, inputs: Sequence[Value]) -> Recording:
    """The program of a graph that exists already.

    Raises:
        TypeError, ValueError: an input is no Value, or is given twice; the output is something else than a graph.
    """
    with collector_paused():
        result, outputs = outputs_of(output)
        leaves = flat_grid(inputs, shape_of(inputs))
        for leaf in leaves:
            if not isinstance(leaf, Value) or leaf.is_constant:
                raise TypeError(f"the inputs of a graph are Values of it; got {leaf!r}; pass those it begins with")
        if len(set(leaves)) < len(leaves):
            raise ValueError(f"each input has a number of its own; got {len(leaves)} with repetitions; pass each once")
        program = without_dead_code(scalars_of(outputs, leaves))  # an input may be computed from others
        return Recording(program, [], result, [len(leaves)] if leaves else [])


def graph_of(program: Scalars, inputs: Sequence[Value]) -> list[Value]:
    """The outputs of a program as a new graph on its parameters."""
    nodes: list[Value] = []
    for i, (op, operands) in enumerate(zip(program.ops, program.operands, strict=True)):
        if op is CONSTANT:
            nodes.append(constant(program.numbers[i]))
        elif op in SOURCES:
            nodes.append((inputs if op is INPUT else program.parameters)[operands[0]])
        else:
            size = len(operands) // len(op.operands) if op.variadic else 1
            parts = [[nodes[j] for j in operands[k : k + size]] for k in range(0, len(operands), size)]
            function = getattr(functions, op.name)
            nodes.append(function(*parts) if op.variadic else function(*[node for [node] in parts]))
    return [nodes[i] for i in program.outputs]


def replayed(function: Callable[..., Any], batch: Batch, row: Sequence[float], random: Iterable[float]) -> Any:
    """What the function returns for one example, eagerly, with these random numbers."""
    supply = iter(random)
    mode = tracing()
    mode.draw = lambda distribution: Value(next(supply))
    with collector_paused(), mode, enable_grad():
        return function(*batch.example(Value(number) for number in row))


def recomputed(
    function: Callable[..., Any], batch: Batch, row: Sequence[float], random: Iterable[float]
) -> tuple[Tree, list[float]]:
    """The structure and the numbers of what the function returns for one example."""
    with collector_paused():
        result, outputs = outputs_of(replayed(function, batch, row, random))
        numbers = [output._data for output in outputs]
        del outputs  # the graph is gone before the collector looks again
    return result, numbers


@contextmanager
def collector_paused() -> Iterator[None]:
    """No cyclic garbage collection meanwhile: it would look through the growing graph again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _random_states() -> list[object]:
    """Of Python's and NumPy's own generators, if they are in use at all."""
    states: list[object] = [getstate()]
    if "numpy.random" in sys.modules:
        kind, key, *rest = sys.modules["numpy.random"].get_state()
        states.append((kind, key.tobytes(), rest))
    return states


def _random_error(function: Callable[..., Any], batch: Batch) -> TracingError:
    """Find the line that draws a random number, by calling the function again under watch."""
    lines: list[tuple[str, int]] = []

    def watch(frame: Any, event: str, argument: Any) -> None:  # pragma: no cover  # nobody traces a profiler
        drawer = getattr(argument, "__self__", None) if event == "c_call" else None
        if not lines and drawer is not None and "andom" in f"{type(drawer).__module__}.{type(drawer).__name__}":
            while frame.f_back and ("random" in frame.f_code.co_filename.rpartition("/")[2]):
                frame = frame.f_back
            lines.append((frame.f_code.co_filename, frame.f_lineno))

    profiler = sys.getprofile()
    sys.setprofile(watch)
    try:
        replayed(function, batch, batch.row(0), repeat(0.5))
    finally:
        sys.setprofile(profiler)
    file, line = lines[0] if lines else calling_line()
    return TracingError(
        "a random number drawn by Python is the same one in every call of a compiled function; "
        f"got one in {file}:{line}; use engine.random_input(), fresh for every example"
    )
