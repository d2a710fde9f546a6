"""Families of matrix products, and softmax: one instruction each, whatever numbers are in it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from array_programs import Numbers, W, agree

import engine
from engine import Value, functions

CHANCE = np.random.default_rng(0)
SUM = functions.sum
MATRICES = [[[Value(v) for v in row] for row in table] for table in CHANCE.normal(size=(6, 4, 6))]


def all_meet(x: Numbers) -> Any:
    return met(x, lambda a, b: (6, True))


def some_meet(x: Numbers) -> Any:
    return met(x, lambda a, b: (6, b <= a))


def of_unequal_length(x: Numbers) -> Any:
    return met(x, lambda a, b: (a + 3, True))


def of_unequal_length_on_both_sides(x: Numbers) -> Any:
    return met(x, lambda a, b: (min(a, b) + 3, True))


def met(x: Numbers, how: Callable[[int, int], tuple[int, bool]]) -> Any:
    """Three times four rows, computed for each example, with as many columns of the same or of parameters."""
    rows = [[[(w * v).sin() for w, v in zip(row, x, strict=True)] for row in table] for table in MATRICES]
    columns = [[[w.cos() for w in row] for row in table] for table in MATRICES[:3]]
    products = []
    for others in (rows[3:], columns):
        for m in range(3):
            for a in range(4):
                for b in range(4):
                    length, meets = how(a, b)
                    if meets:
                        products.append(functions.dot(rows[m][a][:length], others[m][b][:length]) * 0.3 + W[a] * x[b])
    return SUM([p.tanh() for p in products])


@pytest.mark.parametrize("function", [all_meet, some_meet, of_unequal_length, of_unequal_length_on_both_sides],
                         ids=lambda f: f.__name__)  # fmt: skip
@pytest.mark.parametrize("examples", [1, 3])
def test_a_family_of_matrix_products_is_one_instruction(function: Callable[[Numbers], Any], examples: int) -> None:
    program = agree(function, CHANCE.normal(size=(examples, 6)))
    stacks = [made for made in program.instructions if made.kind == "stack"]
    assert len(stacks) == (1 if function is all_meet else 2), "full grids with parameters are matrices of their own"
    assert all(made.operands[0].shape == made.operands[1].shape == (3, 4, 6) for made in stacks)


@pytest.mark.parametrize("function", [some_meet, of_unequal_length, of_unequal_length_on_both_sides],
                         ids=lambda f: f.__name__)  # fmt: skip
@pytest.mark.parametrize("table", [0, 2, 4])
@pytest.mark.parametrize("row", [0, 3])
@pytest.mark.parametrize("at", [0, 5])
def test_what_does_not_meet_an_infinite_number_stays_finite(
    function: Callable[[Numbers], Any], table: int, row: int, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One number of a row is not finite: zeros that fill other rows up do not make nan of it."""
    batch, found = CHANCE.normal(size=(2, 6)), {}
    made = {backend: engine.compile(function, backend=backend) for backend in ("numpy", "python")}
    for compiled in made.values():
        compiled(batch)
    monkeypatch.setattr(MATRICES[table][row][at], "data", math.inf)
    for backend, compiled in made.items():
        found[backend] = np.concatenate([compiled(batch), compiled.value_and_grad(batch)[1]])
    assert np.isfinite(found["python"]).sum() > 20
    np.testing.assert_allclose(found["numpy"], found["python"], 1e-12, 1e-12)


SOFTMAX = functions.softmax


def equal_rows(x: Numbers) -> Any:
    return SUM([p * w for a in range(3) for p, w in zip(SOFTMAX([v + W[a] for v in x]), W, strict=False)])


def growing_rows(x: Numbers) -> Any:
    return SUM([p * w for a in range(1, 6) for p, w in zip(SOFTMAX([v * W[a] for v in x[:a]]), W, strict=False)])


def rows_of_parameters(x: Numbers) -> Any:
    return SUM([p * v for p, v in zip(SOFTMAX([W[0].exp(), *W[1:6]]), x, strict=True)])


def read_elsewhere(x: Numbers) -> Any:
    scores = [v * w for v, w in zip(x, W, strict=False)]
    return SUM(SOFTMAX(scores)[1:]) + functions.logsumexp(scores) + SUM([s * s for s in scores])


def with_equal_scores(x: Numbers) -> Any:
    return SOFTMAX([x[0] * W[0], x[0] * W[0], x[1] * W[1]])[0] * W[2]


def without_some(x: Numbers) -> Any:
    return SUM([w * p for w, p in zip(W, SOFTMAX([v * w for v, w in zip(x, W, strict=False)])[:4], strict=False)])


def of_negatives(x: Numbers) -> Any:
    total = functions.logsumexp([v * w for v, w in zip(x, W, strict=False)])
    return SUM([(total - v * w).exp() for v, w in zip(x, W, strict=False)])


SOFTMAXES = {equal_rows: 1, growing_rows: 1, rows_of_parameters: 1, read_elsewhere: 0, with_equal_scores: 0,
             without_some: 0, of_negatives: 0}  # fmt: skip


@pytest.mark.parametrize("function", SOFTMAXES, ids=lambda f: f.__name__)
def test_softmax_is_one_instruction_if_nothing_else_reads_its_parts(function: Callable[[Numbers], Any]) -> None:
    program = agree(function, CHANCE.normal(size=(3, 6)))
    assert sum(made.kind == "softmax" for made in program.instructions) == SOFTMAXES[function]
    assert sum(made.op.name == "logsumexp" for made in program.instructions) == 1 - SOFTMAXES[function]
    assert ("softmax(" in str(program)) == SOFTMAXES[function]


@pytest.mark.parametrize("score", [-np.inf, np.inf, np.nan, 1e308, -1e308, 800.0, -800.0])
@pytest.mark.parametrize("others", [[0.5, -1.0, 2.0], [-np.inf] * 3, [np.inf, 1.0, -np.inf]], ids=str)
@pytest.mark.parametrize("ragged", [True, False])
def test_softmax_answers_as_ieee_does(score: float, others: list[float], ragged: bool) -> None:
    """Beside an example of ordinary numbers; each share, and its derivatives."""
    offset = [Value(0.0) for _ in range(4)]

    def shares(x: Numbers) -> Any:
        scores = [v + b for v, b in zip(x, offset, strict=True)]
        return SOFTMAX(scores) + (SOFTMAX([s * 1.0 for s in scores[:3]]) if ragged else [])

    batch = [[0.1, 0.2, 0.3, 0.4], [score, *others]]
    arrays, python = (engine.compile(shares, backend=backend) for backend in ("numpy", "python"))
    np.testing.assert_allclose(arrays(batch), python(batch), 1e-12)
    for of in range(7 if ragged else 4):
        np.testing.assert_allclose(
            np.hstack(arrays.value_and_grad(batch, of=of)), np.hstack(python.value_and_grad(batch, of=of)), 1e-12, 1e-15
        )
