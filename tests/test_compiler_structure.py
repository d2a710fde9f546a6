"""The arrays are found however they are spelled: the same matrix products, few instructions, no gathers."""

from __future__ import annotations

import cProfile
import gc
import math
from collections.abc import Callable, Sequence
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import models
import numpy as np
import pytest
from agreement import same

import engine
from engine import Value, functions
from engine.compiler import array_parts, array_rules
from engine.compiler.listing import Listing
from engine.subject import reverse

Numbers = Sequence[Any]
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


def matrices(program: Any) -> list[tuple[int, ...]]:
    """The shapes of matrix products: left rows, length, right rows."""
    return [(*m.operands[0].shape, len(m.operands[1])) for m in program.instructions if m.kind == "matrix"]


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


def agree(function: Callable[..., Any], *batch: Any) -> Any:
    """Compiled with NumPy and Python alike; the array program."""
    arrays = engine.compile(function, backend="numpy")
    value, gradient = arrays.value_and_grad(*batch)
    true, slopes = engine.compile(function, backend="python").value_and_grad(*batch)
    assert same(value, true, 1.0)
    size = max(map(abs, slopes))
    assert all(same(g, t, size) for g, t in zip(gradient, slopes, strict=True))
    return arrays.program


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


# --- graphs of awkward shapes: places that overlap, cross, repeat, or have no even step

W = [Value(v) for v in CHANCE.normal(size=24)]
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


def test_a_paused_collector_stays_paused() -> None:
    gc.disable()
    try:
        engine.compile(lambda x: x)([1.0])
        assert not gc.isenabled()
    finally:
        gc.enable()


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


def test_a_batch_of_one() -> None:
    text = np.eye(27)[CHANCE.integers(0, 27, (1, 6))]
    agree(models.transformer(), text, text[:, ::-1])
    agree(models.classifier([6, 5, 4]), X[:1], np.eye(4)[:1])


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


def gathers(lines: list[str]) -> int:
    return sum(line.startswith(("take", "_copy_to_places")) for line in lines)


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
