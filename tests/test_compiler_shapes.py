"""Graphs of awkward shapes: places that overlap, cross, repeat, or have no even step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from agreement import same
from array_programs import Numbers, W, gathers, matrices

import engine
from engine import Value, functions
from engine.compiler.listing import Listing
from engine.subject import reverse

CHANCE = np.random.default_rng(0)
SUM = functions.sum


def convolution(x: Numbers) -> Any:
    """Overlapping windows."""
    return SUM([(SUM([W[k] * x[i + k] for k in range(3)]) + W[9]).sin() for i in range(4)]) * SUM(
        [functions.maximum(a, b) * c for a, b, c in zip(W, W[1:], W[2:], strict=False)]
    )


def windows(x: Numbers) -> Any:
    return SUM([functions.logsumexp(W[i : i + 4]) * x[i] for i in range(6)])


def crossing(x: Numbers) -> Any:
    """One operand repeats in blocks of 3, the other in blocks of 2: no axes suit both."""
    clipped = [functions.clip(W[i], W[6 + i // 3], W[9 + i // 2]) for i in range(6)]
    gaps = functions.prod([W[k] for k in (0, 2, 4, 7, 9, 11, 14, 16, 18, 21, 23)])
    return SUM([w.exp() for w in W]) * SUM([v * x[0] for v in clipped]) * gaps


def outer(x: Numbers) -> Any:
    return SUM([functions.hypot(W[i], x[j] * W[8]).exp() for i in range(4) for j in range(3)])


def triangle(x: Numbers) -> Any:
    """Not every row meets every column."""
    columns = [[W[3 * i + k] for k in range(3)] for i in range(4)]
    rows = [[x[k].sin() * (j + 1) for k in range(3)] for j in range(4)]
    return SUM([functions.dot(columns[i], rows[j]).tanh() for i in range(4) for j in range(i + 1)])


def parts(x: Numbers) -> Any:
    """Two layers side by side, with different inputs, each large enough for a matrix of its own."""
    halves = ([v.sin() for v in x[:3]] * 3, [v.cos() for v in x[3:]] * 3)
    weights = [[[W[(i * 9 + j + k) % 24] * (1 + k) for k in range(9)] for j in range(8)] for i in range(2)]
    return SUM([functions.dot(row, half).tanh() for half, rows in zip(halves, weights, strict=True) for row in rows])


def twice(x: Numbers) -> Any:
    """The same product, spelled in two orders: it is no grid."""
    a = functions.dot(W[:4], x[:4]) + W[5]
    b = SUM([v * w for v, w in zip(reversed(x[:4]), reversed(W[:4]), strict=True)]) + W[6]
    return (a.sin() * b.sin()).exp()


def ragged(x: Numbers) -> Any:
    lanes = [v.sin() * W[9] for v in x]
    sums = [functions.dot(lanes[: i + 2], [v * v for v in lanes[: i + 2]]) + W[i] for i in range(4)]
    return SUM([functions.prod(lanes[: i + 1]) * s for i, s in enumerate(sums)]) + functions.norm(
        W[:3]
    ) * functions.norm(W)


def weighted(x: Numbers) -> Any:
    """Many addends with factors of their own, and divisions by numbers."""
    halves = [(W[2 * k] + W[2 * k + 1]) * 0.5**k for k in range(6)]
    return (SUM(halves) + x[0].exp() / 3 + x[1] / 7) * (W[0] / 1e-200 * 1e-200) - (W[3] * 1e150 + W[4]) * 1e-150


def mixed(x: Numbers) -> Any:
    """Rows of numbers of both kinds: the same for all examples, and of each."""
    return functions.max([W[0], x[0] * W[1], W[2] * 2, x[1].sin()]) * functions.logsumexp([x[2], W[3], W[4].exp()])


def scattered(x: Numbers) -> Any:
    return (
        SUM([SUM([W[7 * i % 24].sin() * x[i % 6], W[5 * i % 24].cos()]) for i in range(20)])
        + SUM(W[::3])
        + SUM(W[::-2])
    )


def long(x: Numbers) -> Any:
    return functions.prod([1 + 0.01 * W[i % 24] * (1 + i % 7) for i in range(600)]) * x[0] + 0.0


def alternating(x: Numbers) -> Any:
    total: Any = x[0]
    for i in range(60):
        total = -(total + W[i % 24] * x[i % 6])
    return total.sin() - -(-(total * 2.0) / 4.0)


def holes(x: Numbers) -> Any:
    """Results that depend on parameters beside others that do not, and gradients that come to every other one."""
    waves = [(w * x[0]).sin() for w in W]
    every = SUM([functions.maximum(waves[k], x[1]) for k in range(0, 24, 2)])
    return every * SUM([v * k for k, v in enumerate(waves)]) + (-x[2] * 2) * W[0] + (-W[1] * 2) * (x[3] + W[2])


def nothing(x: Numbers) -> Any:
    """Parameters that do not matter, and an output that is an input."""
    return x[0]


AWKWARD = (convolution, windows, crossing, outer, triangle, parts, twice, ragged, weighted, mixed, scattered, long,
           alternating, holes, nothing)  # fmt: skip


@pytest.mark.parametrize("function", AWKWARD, ids=lambda f: f.__name__)
def test_awkward_shapes(function: Callable[[Numbers], Any]) -> None:
    batch = CHANCE.normal(size=(3, 6))
    eager = functions.mean([function([Value(v) for v in x]) for x in batch])
    compiled = engine.compile(function, backend="numpy")
    value, gradient = compiled.value_and_grad(batch)
    slopes, sizes = reverse(eager, list(compiled.parameters))
    assert same(value, eager.data, 1.0)
    assert all(same(g, t, s + 1e-3) for g, t, s in zip(gradient, slopes, sizes, strict=True))
    text = str(compiled.program) + compiled.explain()
    assert text.count("return ") == 1
    program: Any = compiled.program
    assert program.reverse.count("\n") >= -1
    listing = Listing(program)
    told = any(map(listing.gathers, program.instructions))
    assert told == (gathers(compiled._last.latest.forward_lines) > 0) == ("Gathered first" in compiled.explain())  # type: ignore[union-attr]


def test_two_layers_side_by_side_are_two_matrices() -> None:
    compiled = engine.compile(parts, backend="numpy")
    compiled(np.ones((1, 6)))
    assert [shape[:2] for shape in matrices(compiled.program)] == [(8, 9), (8, 9)]
