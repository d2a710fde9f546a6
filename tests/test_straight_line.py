"""Straight-line Python: its size, its limits, and corners that the sources of generated code have."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest

import engine
from engine import Value, functions
from engine.compiler.scalars import scalars_of
from engine.compiler.straight_line import function_of
from engine.subject import reverse


def check(function: Callable[..., Any], rows: list[list[float]], rtol: float = 1e-12) -> Any:
    """Compile for Python, and hold value and gradient of the mean against the eager engine; returns the program."""
    compiled = engine.compile(function, backend="python")
    value, gradient = compiled.value_and_grad(rows)
    mean = functions.mean([function([Value(x) for x in row]) for row in rows])
    slopes, sizes = reverse(mean, list(compiled.parameters))
    assert value == pytest.approx(mean.data, rel=rtol, nan_ok=True)
    for mine, true, size in zip(gradient, slopes, sizes, strict=True):
        close = abs(mine - true) <= rtol * max(size, abs(true))
        assert mine == true or close or (math.isnan(mine) and math.isnan(true)), (mine, true)
    return compiled.program


def chain(n: int) -> Callable[..., Any]:
    """One number after the other, each of the one before: x and the parameters are read in every step."""
    w, u = Value(0.3), Value(0.9)

    def function(x: list[Any]) -> Any:
        z = x[0]
        for k in range(n):
            z = u * z - (z * w + x[0] * 0.1 * (-1) ** k)
        return z

    return function


def long_sum(n: int) -> Callable[..., Any]:
    ws = [Value(math.sin(k)) for k in range(n)]
    return lambda x: functions.sum([*(w * w * x[0] for w in ws), *(x[0] - w for w in ws)])


def long_dot(n: int) -> Callable[..., Any]:
    ws = [Value(math.sin(k)) for k in range(n)]
    return lambda x: functions.dot(ws, [x[0] * (k % 7) for k in range(n)]) - functions.mean(ws) * functions.dot(ws, ws)


def plus(n: int) -> Callable[..., Any]:
    """One parameter in very many places, by single pluses and minuses."""
    w = Value(0.7)

    def function(x: list[Any]) -> Any:
        z: Any = 0.0
        for k in range(n):
            z = z + w * float(k % 3) if k % 2 else z - x[0] * w
        return z

    return function


@pytest.mark.parametrize("make", [chain, long_sum, long_dot, plus])
@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 40, 65, 130, 1500])
def test_of_any_length(make: Callable[[int], Callable[..., Any]], n: int) -> None:
    """No sum, product or nesting is so long that Python's parser gives up, nor is a sign lost between statements."""
    text = str(check(make(n), [[0.5], [-0.25], [2.0]], 1e-11))
    assert max(part.count(" + ") for part in re.split(", |\n", text)) <= 64


@pytest.mark.parametrize("backend", ["python", "numpy"])
@pytest.mark.parametrize(
    "numbers", [[800.0, 800.0, -800.0], [1e5, 1e5 - 1e-9], [1e15, 1e15 + 1], [-745.0, 0.0, 1e-17], [3e3, 2999.9999]]
)
def test_shares_of_large_scores(numbers: list[float], backend: str) -> None:
    """The slopes of logsumexp are right although its value is rounded, in the eager engine and compiled."""
    xs = [Value(x) for x in numbers]
    eager = functions.logsumexp(xs)
    eager.backward()
    value, gradient = engine.compile(lambda: functions.logsumexp(xs), backend=backend).value_and_grad()
    weights = [math.exp(x - max(numbers)) for x in numbers]
    assert value == pytest.approx(eager.data, rel=1e-15)
    for true, mine, x in zip(weights, gradient, xs, strict=True):
        assert mine == pytest.approx(true / sum(weights), rel=1e-13, abs=1e-300)
        assert x.grad == pytest.approx(true / sum(weights), rel=1e-13, abs=1e-300)


def test_a_sum_of_negative_zeros_is_positive_where_it_shows() -> None:
    """Sums begin with 0.0, as the eager engine's do; where no sign of a zero can be seen, it is not written."""
    w = Value(-0.0)
    for total in (lambda x: functions.dot([w, w], [x, x]), lambda x: functions.sum([w, w * x, w])):
        compiled = engine.compile(lambda x, total=total: [total(x), functions.reciprocal(total(x))], backend="python")
        assert [math.copysign(1.0, y) for y in compiled([2.0])[0]] == [1.0, 1.0]
        assert "0.0 +" in str(compiled.program)
        hidden = engine.compile(lambda x, total=total: (total(x) - 1.0).tanh() + total(x).exp(), backend="python")
        assert hidden([2.0]) == [math.tanh(-1.0) + 1.0]
    assert "0.0 +" not in str(engine.compile(functions.dot([w, w], [w, w]).exp(), backend="python").program)


W, V = (0.7, -1.3)

CORNERS: dict[str, tuple[Callable[..., Any], list[list[float]]]] = {
    "a mean of a huge loss": (lambda w, v, x: 0.5 * functions.square(w * x[0]) - v, [[1e200], [1.0]]),
    "numbers that multiply to infinity": (lambda w, v, x: 1e200 * (1e200 * (w * 1e-200 * x[0] * v)), [[1e-200]]),
    "numbers that multiply to zero": (lambda w, v, x: 1e-200 * (1e-200 * (w * 1e300 * x[0] * v)), [[1e200]]),
    "division": (lambda w, v, x: 3.0 / (w * x[0]) - (v - x[0]) / w / 2.0 + (1.0 / v) * x[0], [[2.0], [-1.0]]),
    "division by zero": (lambda w, v, x: 3.0 / (w * x[0]) * v, [[0.0], [1.0]]),
    "differences of differences": (lambda w, v, x: w - (v - (w - (x[0] - v))) - -(w - v) * -x[0], [[2.0], [3.0]]),
    "factors that are the same for all": (lambda w, v, x: 0.3 * (w * v * x[0].sin() * (w - v)), [[2.0], [3.0]]),
    "no input at all": (lambda w, v, x: (w * v).sin() - 0.3 * w, [[2.0], [3.0]]),
    "an input alone": (lambda w, v, x: x[0] + 0.0 * w, [[2.0], [3.0]]),
    "a parameter alone": (lambda w, v, x: functions.add(w, 0.0) - v * 0.0, [[2.0], [3.0]]),
    "slopes of zero": (lambda w, v, x: functions.floor(w * x[0]) * v + functions.less(w, v), [[2.0], [3.0]]),
    "squares of large and small numbers": (
        lambda w, v, x: 1e-300 * functions.reciprocal(w * x[0]) + 1e-100 * ((w * 1e-250) / (v * x[0])),
        [[1e-200], [1e-250]],
    ),
    "saturated": (lambda w, v, x: (w * x[0]).sigmoid() + (v * x[0]).tanh(), [[30.0], [-900.0], [2000.0]]),
    "near a sign of tanh": (lambda w, v, x: (w * x[0]).tanh() * v, [[k / 4] for k in range(-12, 12)]),
    "lists": (
        lambda w, v, x: functions.max([w, x[0], v]) * functions.var([w * x[0], v, x[0]])
        + functions.norm([w, v * x[0]]) * functions.prod([w, v, x[0]]) - functions.logsumexp([w * x[0], v, w]),
        [[2.0], [-3.0]],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("function", "rows"), CORNERS.values(), ids=CORNERS)
def test_corners(function: Callable[..., Any], rows: list[list[float]]) -> None:
    w, v = Value(W, label="share"), Value(V, label="a name that is long")
    check(lambda x: function(w, v, x), rows)


def test_results_beside_a_gradient() -> None:
    """What the program returns without a gradient, and the gradient that it returns without results."""
    w, x, b = Value(2.0, label="w"), Value(3.0, label="x"), Value(0.5, label="b")
    program = scalars_of([(w * x + b).sin(), b.exp(), x * x, w * b], [x])
    rows = [(1.0,), (2.0,)]
    results = function_of(program, None, "results")([2.0, 0.5], rows)
    for of in range(4):
        value, gradient = function_of(program, of, "gradient")([2.0, 0.5], rows)
        assert function_of(program, of, "both", with_results=True)([2.0, 0.5], rows) == (value, gradient, results)
