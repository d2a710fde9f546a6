"""The NumPy calls of array programs: the arithmetic they choose, and the memory they share."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import models
import numpy as np
import pytest
from agreement import same
from array_programs import Numbers
from hypothesis import given
from hypothesis import strategies as st
from test_compiler_shapes import AWKWARD, CHANCE

import engine
import nn
from engine import Value, functions
from engine.compiler.array_arithmetic import Term, multiply_matrices, sum_along
from engine.compiler.array_source import Calls
from engine.compiler.liveness import joined, shared_places
from engine.compiler.stacks import stack_of

INF = float("inf")


def computed(write: Callable[[Calls], None]) -> None:
    calls = Calls("float64")
    write(calls)
    with np.errstate(all="ignore"):
        calls.function("test")()


@pytest.mark.parametrize("shape", [(n, k, m) for n in (1, 2, 17) for k in (1, 2, 17) for m in (1, 2, 17)], ids=str)
@pytest.mark.parametrize("orders", ["CCC", "CFC", "FCF", "FFF", "CCF"])
def test_matrix_products_multiply_zeros_too(shape: tuple[int, int, int], orders: str) -> None:
    n, k, m = shape
    left, right, out = (
        np.empty(size, order=order) for size, order in zip([(n, k), (k, m), (n, m)], orders, strict=True)
    )  # type: ignore[call-overload]
    for a, b, true in ((0.0, INF, np.nan), (INF, 0.0, np.nan), (1.0, 2.0, 2.0 * k), (-1.0, INF, -INF)):
        left[:], right[:] = a, b
        computed(lambda calls: multiply_matrices(calls, left, right, out))
        np.testing.assert_array_equal(out, np.full((n, m), true))


@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 4, 5), (3, 1, 1), (4,)], ids=str)
@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)], ids=str)
@pytest.mark.parametrize("plain", [True, False])
def test_sums(shape: tuple[int, ...], axes: tuple[int, ...], plain: bool) -> None:
    axes = tuple(axis for axis in axes if axis < len(shape))
    array = CHANCE.normal(size=shape) if plain else CHANCE.normal(size=shape[::-1]).T
    out = np.empty([1 if axis in axes else n for axis, n in enumerate(shape)])
    computed(lambda calls: sum_along(calls, array, axes, out))
    np.testing.assert_allclose(out, array.sum(axis=axes, keepdims=True), 1e-14)


@pytest.mark.parametrize("numbers", [[], [-1.0], [2.0], [1e200, 1e-200]])
@pytest.mark.parametrize("kinds", ["", "f", "t", "ff", "ft"])
def test_terms(numbers: list[float], kinds: str) -> None:
    arrays = [CHANCE.normal(size=(3, 1)) > 0 if kind == "t" else CHANCE.normal(size=(3, 2)) for kind in kinds]
    term, true = Term((3, 2)), np.ones((3, 2))
    for factor in [*arrays[:1], *numbers, *arrays[1:]]:
        term, true = term.times(factor), true * factor
    out = np.empty((3, 2))
    computed(lambda calls: term.write(calls, out))
    np.testing.assert_allclose(out, true, 1e-15)


BLOCKS = st.tuples(st.integers(1, 50), st.integers(0, 20), st.integers(0, 20)).map(lambda b: (b[0], *sorted(b[1:])))


@given(st.lists(BLOCKS, max_size=40))
def test_blocks_that_live_together_lie_apart(blocks: list[tuple[int, int, int]]) -> None:
    places, total = shared_places(blocks)
    together = [
        [k for k, (_, first, last) in enumerate(blocks) if first <= moment <= last] for moment in range(21)
    ]  # fmt: skip
    for alive in together:
        taken = sorted((places[k], places[k] + blocks[k][0]) for k in alive)
        assert all(end <= start for (_, end), (start, _) in pairwise(taken))
    needed = max((sum(blocks[k][0] for k in alive) for alive in together), default=0)
    assert needed <= total <= sum(size for size, _, _ in blocks)
    assert all(place + size <= total for place, (size, _, _) in zip(places, blocks, strict=True))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)).map(lambda s: (s[0], s[0] + s[1])), max_size=30))
def test_spans_that_overlap_are_of_one_part(spans: list[tuple[int, int]]) -> None:
    parts = joined(spans)
    touched = [
        {k for k, (start, end) in enumerate(spans) if start <= byte < end} for byte in range(70)
    ]  # fmt: skip
    for members in touched:
        assert len({parts[k] for k in members}) <= 1
    for part in set(parts):
        bytes_of = {byte for k, (start, end) in enumerate(spans) if parts[k] == part for byte in range(start, end)}
        assert len(bytes_of) == max(bytes_of) - min(bytes_of) + 1


def deep(layers: int) -> Any:
    model = nn.MLP(4, [8] * layers + [1], "tanh", seed=0)
    return engine.compile(lambda x: functions.square(model(x)[0]), backend="numpy")


def test_a_deep_network_takes_the_memory_of_what_it_remembers() -> None:
    """Forward nothing is remembered; in reverse each layer's numbers are, but not their gradients."""
    x = CHANCE.normal(size=(100, 4))
    sizes, number = {}, 100 * 8 * 8
    for layers in (5, 20):
        compiled = deep(layers)
        compiled(x)
        forward = compiled._last.latest
        compiled.value_and_grad(x)
        sizes[layers] = len(forward.working_memory), len(compiled._last.latest.working_memory)
        assert compiled._last.latest.bytes_apart > 2 * sizes[layers][1] * (layers == 20)
    assert sizes[20][0] == sizes[5][0] < 4 * number
    assert sizes[20][1] - sizes[5][1] <= 15 * 2.2 * number, "a layer keeps its results and their partials"
    assert "made no room" in compiled.explain()


@pytest.mark.parametrize("function", AWKWARD, ids=lambda f: f.__name__)
def test_nothing_is_read_that_this_call_has_not_written(function: Callable[[Numbers], Any]) -> None:
    batch = CHANCE.normal(size=(3, 6))
    compiled = engine.compile(function, backend="numpy")
    value, gradient = compiled.value_and_grad(batch)
    run: Any = compiled._last.latest  # type: ignore[union-attr]
    run.working_memory.fill(255)
    run._gradient.fill(np.nan)
    again, slopes = compiled.value_and_grad(batch)
    assert same(again, value)
    np.testing.assert_array_equal(slopes, gradient)


def test_what_is_no_stack() -> None:
    """Rows that are shorter than both they begin, and pairs that are there twice."""
    left, right = np.arange(32), np.arange(100, 132)
    assert stack_of([left, left], [right, right + 50]) is not None
    assert stack_of([left, left, left[:16]], [right, right + 50, right[:16]]) is None
    assert stack_of([left, left], [right, right]) is None


@pytest.mark.parametrize("version", ["1.26.4", np.__version__])
def test_nothing_warns_whatever_numpy_does(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "__version__", version)
    w = Value(2.0)
    value, gradient = engine.compile(lambda x: (w / x).log(), backend="numpy").value_and_grad([0.0, -1.0])
    assert math.isnan(value)
    assert len(gradient) == 1


def test_a_choice_that_is_made_already() -> None:
    w = Value(2.0)
    for truth, expected in ((1.0, 6.0), (0.0, 5.0)):
        compiled = engine.compile(lambda x, truth=truth: functions.where(truth, w * x, x + 2.0), backend="numpy")
        assert compiled([3.0]).tolist() == [expected]


def test_explanations_of_large_batches() -> None:
    w = Value(2.0)
    compiled = engine.compile(lambda x: (w * x).sin(), backend="numpy")
    compiled(np.zeros(400_000))
    assert "runs in parts of" in compiled.explain()


def test_listings_of_attention() -> None:
    """A stack of matrices and a softmax, forwards and back."""
    loss = models.transformer()
    text, targets = np.eye(27)[None, :7], np.eye(27)[None, 1:8]
    compiled = engine.compile(loss, backend="numpy")
    compiled.value_and_grad(text, targets)
    assert "matrices: " in str(compiled.program)
    assert "softmax" in str(compiled.program)
    assert "sums of rows of" in compiled.program.reverse  # type: ignore[union-attr]  # an array program
    assert "KB" in compiled.explain()
