"""However sums and products are spelled, the same matrices are found."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import numpy as np
import pytest
from agreement import same
from array_programs import Numbers, agree, matrices

import engine
from engine import Value, functions
from engine.subject import reverse

CHANCE = np.random.default_rng(0)
X, TARGET = CHANCE.normal(size=(5, 6)), CHANCE.normal(size=5)


def by_loop(w: Numbers, x: Numbers, b: Value) -> Any:
    total = b
    for k in range(len(w)):
        total += w[k] * x[k]
    return total


def by_loop_from_a_value(w: Numbers, x: Numbers, b: Value) -> Any:
    total = Value(0.0)
    for weight, number in zip(w, x, strict=True):
        total = total + number * weight
    return total + b


def by_helpers(w: Numbers, x: Numbers, b: Value) -> Any:
    def product(pair: tuple[Any, Any]) -> Any:
        return pair[0] * pair[1]

    return reduce(add, map(product, zip(w, x, strict=True)), b)


def by_halves(w: Numbers, x: Numbers, b: Value) -> Any:
    if len(w) == 1:
        return w[0] * x[0]
    half = len(w) // 2
    return (
        by_halves(w[:half], x[:half], b) + by_halves(w[half:], x[half:], b) + (b if len(w) == 6 or len(w) == 4 else 0)
    )


SPELLINGS: dict[str, Callable[[Numbers, Numbers, Value], Any]] = {
    "sum of products": lambda w, x, b: sum(a * c for a, c in zip(w, x, strict=True)) + b,
    "dot": lambda w, x, b: functions.dot(w, x) + b,
    "dot, the other way round": lambda w, x, b: functions.dot(x, w) + b,
    "bias first": lambda w, x, b: b + functions.dot(w, x),
    "sum from the bias": lambda w, x, b: sum((a * c for a, c in zip(w, x, strict=True)), b),
    "engine's sum": lambda w, x, b: functions.sum([*[a * c for a, c in zip(w, x, strict=True)], b]),
    "loop": by_loop,
    "loop from a Value": by_loop_from_a_value,
    "reversed": lambda w, x, b: sum(a * c for a, c in zip(reversed(w), reversed(x), strict=True)) + b,
    "minus minus": lambda w, x, b: b - -functions.dot(w, x),
    "minus of minus products": lambda w, x, b: b - sum(-a * c for a, c in zip(w, x, strict=True)),
    "helpers": by_helpers,
    "halves": by_halves,
    "half of the double": lambda w, x, b: (2 * functions.dot(w, x)) / 2 + b,
}  # fmt: skip


def network(spell: Callable[..., Any]) -> tuple[Callable[[Numbers, Any], Any], list[Value]]:
    """6-4-4-1, with the neurons' sums spelled that way (two widths alone would not find a transposed matrix)."""
    layers = [
        [([Value(v) for v in row], Value(row.sum())) for row in CHANCE.normal(size=size)]
        for size in ((4, 6), (4, 4), (1, 4))
    ]

    def loss(x: Numbers, target: Any) -> Any:
        for layer in layers[:-1]:
            x = [spell(w, x, b).tanh() for w, b in layer]
        [(w, b)] = layers[-1]
        return functions.square(spell(w, x, b) - target)

    return loss, [p for layer in layers for w, b in layer for p in (*w, b)]


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_a_layer_is_a_matrix_product_however_it_is_spelled(spell: Callable[..., Any]) -> None:
    loss, parameters = network(spell)
    compiled = engine.compile(loss, backend="numpy")
    value, gradient = compiled.value_and_grad(X, TARGET)
    program: Any = compiled.program
    assert matrices(program) == [(4, 6, 1), (4, 4, 1), (1, 4, 1)]
    assert len(program.instructions) <= 8
    assert "take" not in str(program)
    eager = functions.mean([loss([Value(v) for v in x], y) for x, y in zip(X, TARGET, strict=True)])
    slopes, sizes = reverse(eager, list(compiled.parameters))
    assert same(value, eager.data)
    assert all(same(g, t, s) for g, t, s in zip(gradient, slopes, sizes, strict=True))
    assert set(compiled.parameters) == set(parameters)


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_a_whole_batch_in_python_is_the_same_matrices(
    spell: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    loss, _ = network(spell)
    rows = [[Value(v) for v in x] for x in X]
    eager = functions.mean([loss(x, y) for x, y in zip(rows, TARGET.tolist(), strict=True)])
    leaves = [leaf for row in rows for leaf in row]
    compiled = engine.compile(eager, inputs=leaves, backend="numpy")
    value, gradient = compiled.value_and_grad(X.reshape(1, -1))
    program: Any = compiled.program
    assert matrices(program) == [(4, 6, 5), (4, 4, 5), (1, 4, 5)]
    assert len(program.instructions) <= (11 if "products" in request.node.callspec.id else 9)  # -w is computed once
    slopes, sizes = reverse(eager, list(compiled.parameters))
    assert same(value, eager.data)
    assert all(same(g, t, s) for g, t, s in zip(gradient, slopes, sizes, strict=True))


SQUARES: dict[str, Callable[[Any], Any]] = {
    "power": lambda v: v**2, "product": lambda v: v * v, "square": functions.square,
    "dot": lambda v: functions.dot([v], [v]),
}  # fmt: skip


def test_a_square_is_a_product_however_it_is_spelled() -> None:
    xs = [Value(v) for v in CHANCE.normal(size=50)]
    texts = set()
    for square in SQUARES.values():
        program = agree(
            lambda square=square: functions.sum([square(a - 1) + 3 * square(b - a) for a, b in pairwise(xs)])
        )
        texts.add(str(program))
    [text] = texts
    assert (text.count("@"), len(text.splitlines())) == (2, 5)


def test_rows_times_themselves_and_each_other() -> None:
    rows = [[Value(v) for v in row] for row in CHANCE.normal(size=(3, 4))]
    agree(lambda x: functions.sum([functions.dot(a, b) * x for a in rows for b in rows]), [1.5, -2.0])
    agree(lambda x: functions.sum([functions.dot(a, a) * x for a in rows]), [1.5, -2.0])
    agree(
        lambda x: functions.dot(rows[0], rows[0]) * functions.dot([x, x * rows[0][0]], [x, x * rows[0][0]]), [1.5, 2.0]
    )


@pytest.mark.parametrize("spell", [
    lambda number, score: 1 + -number * score, lambda number, score: 1 - number * score,
    lambda number, score: score * number * 2 + 1, lambda number, score: (number * score) * score,
], ids=["1 + -y * s", "1 - y * s", "s * y * 2 + 1", "y * s * s"])  # fmt: skip
@pytest.mark.parametrize("numbers", [[-1.0, 1.0] * 5, [0.5, 2.0, -3.0] * 4, [1.0] * 10], ids=str)
def test_factors_that_differ_by_example_split_nothing(spell: Callable[..., Any], numbers: list[float]) -> None:
    weights, bias = [Value(v) for v in CHANCE.normal(size=3)], Value(0.3)
    points = CHANCE.normal(size=(len(numbers), 3)).tolist()
    program = agree(
        lambda: functions.sum([
            spell(number, functions.dot(weights, x) + bias).relu() for number, x in zip(numbers, points, strict=True)
        ])
    )  # fmt: skip
    assert matrices(program) == [(1, 3, len(numbers))]
    assert len(program.instructions) <= 5
