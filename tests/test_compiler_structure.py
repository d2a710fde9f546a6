"""The programs of known models: few instructions, no gathers, and what a listing says."""

from __future__ import annotations

import cProfile
import gc
import math
from itertools import pairwise
from typing import Any

import models
import numpy as np
import pytest
from agreement import same
from array_programs import Numbers, agree, gathers, matrices

import engine
from engine import Value, functions
from engine.compiler import array_parts, array_rules

CHANCE = np.random.default_rng(0)


@pytest.mark.parametrize("leaves", [True, False])
def test_moons_in_single_additions_and_products(leaves: bool) -> None:
    program = agree(models.moons(100, leaves))
    assert len(program.instructions) <= 14
    assert [shape for shape in matrices(program) if shape[1] < 100] == [(16, 2, 100), (16, 16, 100), (1, 16, 100)]


def test_a_classifier() -> None:
    program = agree(models.classifier([784, 64, 64, 10]), CHANCE.random((3, 784)), np.eye(10)[[1, 7, 1]])
    assert len(program.instructions) <= 10
    assert matrices(program) == [(64, 784, 1), (64, 64, 1), (10, 64, 1)]
    assert "take" not in str(program)


def test_a_transformer() -> None:
    text = np.eye(27)[CHANCE.integers(0, 27, (2, 6))]
    program = agree(models.transformer(), text, text[:, ::-1])
    assert len(program.instructions) <= 34
    assert (48, 16, 6) in matrices(program), "queries, keys and values are one product"
    [softmax] = [made for made in program.instructions if made.starts is not None]
    assert softmax.kind == "softmax"
    stacks = [[rows.shape for rows in made.operands] for made in program.instructions if made.kind == "stack"]
    assert stacks == [[(4, 6, 4), (4, 6, 4)], [(4, 6, 6), (4, 4, 6)]], "scores, and shares of values, head by head"


def test_a_neighbour_grid_is_views() -> None:
    """Rosenbrock's function: x[i] and x[i + 1] are ranges of the parameters."""
    xs = [Value(v) for v in CHANCE.normal(size=50)]
    program = agree(lambda: functions.sum([100 * (b - a**2) ** 2 + (1 - a) ** 2 for a, b in pairwise(xs)]))
    assert len(program.instructions) <= 9
    assert "w[1:50]" in str(program)


LISTING = """\
a1{64x1} *n = w[0:50176]{64x784} @ x0{1x784} + w[50176:50240]
a2{64} *n = relu(a1)
a3{64x1} *n = w[50240:54336]{64x64} @ a2{1x64} + w[54336:54400]
a4{64} *n = relu(a3)
a5{10x1} *n = w[54400:55040]{10x64} @ a4{1x64} + w[55040:55050]
a6{1} *n = logsumexp(rows of 10: a5{1x10})
a7{1} *n = sum(rows of 10: a5{1x10} * x1{1x10}) - a6
a8{1} *n = -a7
return a8"""


def test_one_look_shows_what_happened() -> None:
    compiled = engine.compile(models.classifier([784, 64, 64, 10]), backend="numpy")
    compiled(np.zeros((1, 784)), np.zeros((1, 10)))
    program: Any = compiled.program
    assert str(program) == LISTING
    assert program.reverse.splitlines()[:3] == [
        "d a7 += -d a8", "d a6 += -d a7", "d a5{1x10} += d a7 * x1{1x10}",
    ]  # fmt: skip


def test_a_listing_takes_work_in_proportion_to_the_program() -> None:
    """Counted in calls: of a graph twice as deep, about twice as many."""

    def calls(depth: int) -> int:
        def deep(x: Value) -> Value:
            for k in range(depth):
                x = (weights[k] * x + 0.1).sin()
            return x

        compiled = engine.compile(deep, backend="numpy")
        compiled([0.5])
        program: Any = compiled.program
        profile = cProfile.Profile()
        profile.runcall(lambda: (str(program), program.reverse))
        return sum(entry.callcount for entry in profile.getstats())

    weights = [Value(0.5) for _ in range(80)]
    assert calls(80) < 2.5 * calls(40)


def test_a_paused_collector_stays_paused() -> None:
    gc.disable()
    try:
        engine.compile(lambda x: x)([1.0])
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_batch_of_one() -> None:
    text = np.eye(27)[CHANCE.integers(0, 27, (1, 6))]
    agree(models.transformer(), text, text[:, ::-1])
    agree(models.classifier([6, 5, 4]), CHANCE.normal(size=(1, 6)), np.eye(4)[:1])


@pytest.mark.parametrize("scores", [
    [1.0, 2.0, 3.0], [-40.0, 0.0, -50.0], [-1.0, -1.5, -1.2], [1e308, -1e308, 0.0], [800.0, 800.0, -800.0],
    [np.inf, 0.0, 1.0], [-np.inf, 2.0, 1.0], [-np.inf] * 3, [np.nan, 1.0, 2.0],
])  # fmt: skip
def test_logsumexp_keeps_its_digits(scores: list[float]) -> None:
    """Alone in its batch, and beside an example that is computed the quick way."""
    offset = Value(0.0)

    def loss(x: Numbers) -> Any:
        return functions.logsumexp([v + offset for v in x])

    for batch in ([scores], [scores, [5.0, 6.0, 7.0]]):
        true, [slope] = engine.compile(loss, backend="python").value_and_grad(batch)
        value, [got] = engine.compile(loss, backend="numpy").value_and_grad(batch)
        np.testing.assert_allclose([value, got], [true, slope], 1e-13, 0.0)


def test_scattered_constants_are_brought_together_once() -> None:
    compiled = engine.compile(models.moons(100, leaves=False), backend="numpy")
    compiled.value_and_grad()
    text, lines = str(compiled.program), compiled._last.latest.forward_lines  # type: ignore[union-attr]
    assert text.count("take(c)") > 0
    assert gathers(lines) == 0


@pytest.mark.parametrize("scipy", [True, False])
def test_error_functions_with_and_without_scipy(scipy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if scipy:
        pytest.importorskip("scipy")
    else:
        monkeypatch.setattr(array_rules, "find_spec", lambda name: None)
    xs, out = np.array([-30.0, -1.0, -1e-300, 0.0, 0.3, 2.0, 10.0, 26.0, np.inf, np.nan]), np.empty(10)
    for name in ("erf", "erfc"):
        array_rules._of_each(name)(xs, out=out)
        np.testing.assert_allclose(out, [getattr(math, name)(x) for x in xs], 1e-13, 0.0)


def options(s: Any, k: Any, t: Any, r: Any, v: Any) -> Any:
    """Black and Scholes' price and four of its derivatives: few nodes of a kind, and none beside each other."""
    spread = v * t.sqrt()
    d1 = ((s / k).log() + (r + v * v / 2) * t) / spread
    below = [functions.erfc(d / -math.sqrt(2)) / 2 for d in (d1, d1 - spread)]
    price = s * below[0] - k * (-r * t).exp() * below[1]
    return price, *engine.grad(price, [s, t, r, v])


def test_few_results_are_computed_apart_where_their_operands_lie() -> None:
    batch = [CHANCE.uniform(low, high, 7) for low, high in ((80, 120), (80, 120), (0.1, 2), (0, 0.05), (0.1, 0.6))]
    compiled = engine.compile(options, backend="numpy")
    columns = compiled(*batch)
    lines = compiled._last.latest.forward_lines  # type: ignore[union-attr]
    assert gathers(lines) == 0
    for k, column in enumerate(columns):
        for number, row in zip(column, np.transpose(batch).tolist(), strict=True):
            assert same(float(number), options(*map(Value, row))[k].data, 1.0)


def test_a_large_batch_runs_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three parts, of which the last is one example; one output is the same for all examples."""
    monkeypatch.setattr(array_parts, "_FEWEST", 2)
    monkeypatch.setattr(array_parts, "CACHE", 0)
    w = Value(0.5)

    def both(x: Any, y: Any) -> Any:
        return (w * x[0] - x[1]).square() * y, w.exp()

    x, y = CHANCE.normal(size=(5, 2)), CHANCE.normal(size=5)
    parts, python = (engine.compile(both, backend=backend) for backend in ("numpy", "python"))
    for of in (0, 1):
        value, gradient = parts.value_and_grad(x, y, of=of)
        true, slopes = python.value_and_grad(x, y, of=of)
        assert same(value, true, 1.0)
        assert same(gradient[0], slopes[0], 1.0)
    assert isinstance(parts._last.latest, array_parts.Parts)  # type: ignore[union-attr]
    np.testing.assert_allclose(parts(x, y), python(x.tolist(), y.tolist()), 1e-13)
    numbers = parts.take()
    numbers[0] = 2.0
    np.testing.assert_allclose(parts(x, y), python(x.tolist(), y.tolist()), 1e-13)
    parts.give_back()
    signs = engine.compile(lambda x: w * x, backend="numpy")
    assert math.isnan(signs.value_and_grad([math.inf, 1.0, 1.0, 1.0, -math.inf])[1][0])
