"""Compiled functions: the numbers of the eager engine, for every operation and thousands of random models."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable, Sequence
from functools import reduce
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from agreement import BACKENDS, Truth, both, eagerly, same
from random_models import RandomModel

import engine
import nn
from engine import OPS, Op, Value, functions
from engine.structure import flatten
from engine.subject import reverse
from engine.testing import FUNCTIONS


def arguments_of(op: Op, operands: tuple[Any, ...]) -> tuple[list[float], Callable[[Sequence[Any]], list[Any]]]:
    """The numbers among the operands, and what puts others in their place."""
    if not op.variadic:
        return list(operands), list
    lists = [list(operands)] if len(op.operands) == 1 and not isinstance(operands[0], list) else list(operands)
    size = len(lists[0])
    return [x for part in lists for x in part], lambda xs: [xs[k : k + size] for k in range(0, len(xs), size)]


POINTS = [(op, point) for op in OPS.values() for point in op.special]
LANES: tuple[Callable[[int], bool], ...] = (lambda k: False, lambda k: True, lambda k: k == 0, lambda k: k > 0)


@both
@pytest.mark.parametrize(("op", "point"), POINTS, ids=[f"{op.name}{point}" for op, point in POINTS])
def test_every_operation_at_its_special_points(op: Op, point: tuple[Any, ...], backend: str) -> None:
    """Each operand the same for all examples, or of each: the eager engine's value and partials."""
    numbers, packed = arguments_of(op, point)
    for lane in LANES[: 4 if len(numbers) > 1 else 2]:
        leaves = [Value(number) for number in numbers]

        def function(x: Any, lane: Any = lane, leaves: Any = leaves) -> Value:
            return FUNCTIONS[op.name](*packed([p * x if lane(k) else p for k, p in enumerate(leaves)]))

        eager = function(Value(1.0))
        eager.backward()
        compiled = engine.compile(function, backend=backend)
        value, gradient = compiled.value_and_grad([1.0])
        assert all(same(mine, eager.data) for mine in (value, *compiled([1.0] * 3)))
        slopes = dict(zip(compiled.parameters, gradient, strict=True))
        assert all(same(slopes[leaf], leaf.grad) for leaf in leaves)


# --- random models

MODELS = int(os.environ.get("GLASSGRAD_MODELS", "400"))
"""Continuous integration asks for 3,000."""
BLOCKS = 10

Case = tuple[Any, dict[str, Any], tuple[Any, ...], list[Any]]
"""What to compile, how, for which batch, and the eager results for each example."""


def for_each(model: RandomModel) -> Case:
    return model, {}, model.batch, eagerly(model, *model.batch)


def for_each_of_an_array(model: RandomModel) -> Case:
    batch = tuple(np.asfortranarray(np.array(grid))[::-1] for grid in model.batch)
    return model, {}, batch, eagerly(model, *[grid[::-1] for grid in model.batch])


def of_a_graph(model: RandomModel) -> Case:
    """The graph of the first example, and the numbers of all."""
    rows = [flatten(example).leaves for example in zip(*model.batch, strict=True)]
    leaves = [Value(number) for number in (rows or [[]])[0]]
    graph = model(*model.shaped(leaves))
    return graph, {"inputs": leaves}, (rows,) if rows else (), eagerly(model, *model.batch)


def by_a_loop(model: RandomModel) -> Case:
    """Over the examples, in Python: a function of nothing."""

    def whole() -> list[Value]:
        results = eagerly(model, *model.batch)
        return [functions.mean(column) for column in zip(*[flatten(result).leaves for result in results], strict=True)]

    return whole, {}, (), [whole()]


CASES = (for_each, for_each_of_an_array, of_a_graph, by_a_loop)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_models(block: int) -> None:
    """Every output for every example, its mean, and the gradient of that."""
    known = []
    for seed in range(block, MODELS, BLOCKS):
        model = RandomModel(seed)
        case = CASES[seed % len(CASES)]
        subject, options, batch, results = case(model)
        truth = Truth(results, model.parameters)
        for backend in BACKENDS:
            compiled = engine.compile(subject, backend=backend, **options)
            assert truth.differences(compiled, *batch) == [], f"{case.__name__}(RandomModel({seed})), {backend}"
        known.append(truth.share_that_is_known())
    assert sum(known) > 0.9 * len(known)


def test_random_models_in_float32() -> None:
    known = []
    for seed in range(MODELS // 4):
        model = RandomModel(seed, odd=0.0)
        truth = Truth(eagerly(model, *model.batch), model.parameters, relative=1e-5, largest=1e15)
        compiled = engine.compile(model, dtype="float32")
        assert truth.differences(compiled, *model.batch) == [], f"RandomModel({seed}, odd=0.0)"
        known.append(truth.share_that_is_known())
    assert sum(known) > 0.9 * len(known)


@both
def test_training_follows_the_eager_engine(backend: str) -> None:
    chance = random.Random(1)
    examples = [([chance.gauss(0, 1), chance.gauss(0, 1)], chance.random()) for _ in range(7)]
    xs, ys = [x for x, _ in examples], [y for _, y in examples]
    one, two = (nn.MLP(2, [4, 3, 1], "tanh", "sigmoid", seed=3) for _ in range(2))
    compiled = engine.compile(lambda x, y: functions.square(one(x)[0] - y), backend=backend)
    for _ in range(20):
        for model in (one, two):
            model.zero_grad()
        loss = nn.mse([two(x)[0] for x in xs], ys)
        loss.backward()
        assert same(compiled.backward(xs, ys), loss.data)
        for mine, true in zip(one.parameters(), two.parameters(), strict=True):
            assert same(mine.grad, true.grad, 1e-2)
            mine.data = true.data = true.data - 0.3 * true.grad
    assert set(compiled.parameters) == set(one.parameters())


def test_derivatives_compile() -> None:
    w = Value(0.7)
    compiled = engine.compile(lambda x: engine.grad((w * x).sin() * x, x))
    value, [slope] = compiled.value_and_grad([1.5])
    x = 1.5
    assert same(value, math.sin(w.data * x) + x * w.data * math.cos(w.data * x))
    assert same(slope, 2 * x * math.cos(w.data * x) - x * x * w.data * math.sin(w.data * x))


def test_float32() -> None:
    model = nn.MLP(3, [8, 1], "tanh", seed=0)
    xs, ys = np.random.default_rng(0).normal(size=(9, 3)), np.ones(9)
    loss = lambda x, y: functions.square(model(x)[0] - y)  # noqa: E731
    one, two = engine.compile(loss, dtype="float32"), engine.compile(loss, backend="numpy")
    (value, gradient), (true, slopes) = one.value_and_grad(xs, ys), two.value_and_grad(xs, ys)
    assert one(xs, ys).dtype == gradient.dtype == np.float32
    assert value == pytest.approx(true, rel=1e-5)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-4, atol=1e-6)
    assert one.take().dtype == np.float32
    one.give_back()
    assert all(type(p) is Value for p in one.parameters)


@both
def test_shared_rows_and_gathers(backend: str) -> None:
    """Embeddings: the same parameters at several places of one instruction, in no even order."""
    table = [[Value(0.1 * i + j) for j in range(3)] for i in range(5)]
    order = [4, 0, 4, 2, 2, 2, 1]

    def function(x: Value) -> Any:
        picked = [table[i] for i in order]
        scaled = [[(v * x).sin() for v in row] for row in picked]
        return functions.sum([functions.prod(row) for row in scaled]) + functions.max(
            [v for row in scaled for v in row]
        )

    batch = [0.3, 0.7, -0.4]
    eager = functions.mean([function(Value(x)) for x in batch])
    compiled = engine.compile(function, backend=backend)
    value, gradient = compiled.value_and_grad(batch)
    slopes, sizes = reverse(eager, list(compiled.parameters))
    assert same(value, eager.data, 1.0)
    assert all(same(g, t, s + 1.0) for g, t, s in zip(gradient, slopes, sizes, strict=True))


def test_corners_are_computed_again_by_ieee() -> None:
    w = Value(-math.inf)
    compiled = engine.compile(lambda x: (w * x).sigmoid() + (x * 1000.0).exp(), backend="python")
    for _ in range(2):
        assert compiled.value_and_grad([1.0]) == (math.inf, [0.0])
        assert compiled([1.0]) == [math.inf]


@pytest.mark.parametrize("backend", ["numpy", "python"])
def test_a_sum_times_a_number_however_it_is_spelled(backend: str) -> None:
    weights = [Value(0.1 * k + 0.3) for k in range(5)]
    spellings = [
        lambda x: functions.dot([(w * x).tanh() for w in weights], [3.0] * 5),
        lambda x: functions.sum([3.0 * (w * x).tanh() for w in weights]),
        lambda x: 3.0 * functions.sum([(w * x).tanh() for w in weights]),
        lambda x: functions.dot(weights, [3.0] * 5) * x,
        lambda x: functions.dot([w.exp() for w in weights], [3.0] * 5) * x,
    ]
    for spelling in spellings:
        value, gradient = engine.compile(spelling, backend=backend).value_and_grad([1.0, 2.0])
        for w in weights:
            w.grad = 0.0
        mean = (spelling(Value(1.0)) + spelling(Value(2.0))) / 2
        mean.backward()
        assert value == pytest.approx(mean.data, rel=1e-12)
        assert list(gradient) == pytest.approx([w.grad for w in weights], rel=1e-12)


def check(function: Callable[..., Any], *batch: Any, parameters: Sequence[Value] = ()) -> None:
    """Compiled for both executors it is what it is eagerly."""
    truth = Truth(eagerly(function, *batch), parameters)
    for backend in BACKENDS:
        assert truth.differences(engine.compile(function, backend=backend), *batch) == [], backend


def test_products_beside_terms_of_many_factors() -> None:
    """More than four factors are a product with constants; other products stay beside it."""

    def function(x: Any, y: Any) -> Any:
        total = 3 * (x - y + y) - y
        total = (total / 2 + y) / 4 - y
        return 2 * y - total

    check(function, [0.5, -2.0], [0.3, 0.4])


@both
@pytest.mark.parametrize(("factor", "true"), [(math.inf, math.nan), (math.nan, math.nan), (0.0, 0.0)])
def test_extreme_factors_stay_where_they_are(factor: float, true: float, backend: str) -> None:
    """inf * (a + b) is not inf * a + inf * b."""
    weights = [Value(v) for v in (2.0, 0.5, -3.0, 0.5, 0.5, -4.0)]
    compiled = engine.compile(lambda: functions.sum([w * factor for w in weights]), backend=backend)
    assert same(compiled.value_and_grad()[0], true)


@pytest.mark.parametrize("count", [1, 15, 16, 17, 33])
def test_many_uses_in_each_example_and_beside_them(count: int) -> None:
    w = Value(0.3)

    def function(x: Any) -> Any:
        shared = w.exp()
        products = [shared * (x + k) for k in range(count)]
        return functions.sum([*products, *[(shared + k).sin() for k in range(count)], *[x * w] * count])

    check(function, [0.5, -2.0], parameters=[w])


LINEAR: dict[str, Callable[[list[Value], Any], Any]] = {
    "many factors beside products": lambda w, x: functions.sum(
        [w[k] * x.exp() for k in (0, 1)] + [((v * x).tanh() + 1.0) * (k + 2.0) for k, v in enumerate(w)]
    ),
    "minus a product, times": lambda w, x: -(w[0] * x) * w[1] + functions.neg(-w[2]) * -x,
    "a number out of both factors": lambda w, x: (w[0] * 3.0) * (x / 4.0) - (2.0 * (-w[1] / 5.0)) * x,
    "a square of a number times": lambda w, x: functions.square(-3.0 * w[0]) * x,
    "numbers that leave the range": lambda w, x: w[0] * x * 1e90 * 1e90 * 1e-90 * 1e-90 + (w[1] * 1e60) * (x * 1e-60),
    "sums of one": lambda w, x: functions.sum([-w[0]]) * functions.mean([x]) - functions.sum([w[1] - x]),
    "means of forms": lambda w, x: functions.mean([w[0] * x, w[1] - x, 2.0 * (w[2] + x), w[3]]),
    "twice the same": lambda w, x: (w[0] + x) - (w[0] + x) * 2.0 + (w[1] * x + w[1] * x),
    "times zero": lambda w, x: (w[0] - x) * 0.0 + (-w[1] * 0.0) * x,
    "a long chain of signs": lambda w, x: reduce(lambda z, v: -(z - v), w * 4, x),
    "long, then scaled": lambda w, x: (functions.sum([v * x for v in w * 3]) * 3.0 - x) * 0.5 / 7.0,
}  # fmt: skip


@both
@pytest.mark.parametrize("function", LINEAR.values(), ids=LINEAR)
def test_linear_parts_however_they_are_nested(function: Callable[..., Any], backend: str) -> None:
    w = [Value(0.3 * k - 0.8) for k in range(7)]
    batch = [0.7, -1.3]
    eager = functions.mean([function(w, Value(x)) for x in batch])
    compiled = engine.compile(lambda x: function(w, x), backend=backend)
    value, gradient = compiled.value_and_grad(batch)
    slopes, sizes = reverse(eager, list(compiled.parameters))
    assert same(value, eager.data, 1.0)
    assert all(same(g, t, s + 1.0) for g, t, s in zip(gradient, slopes, sizes, strict=True))


def test_a_minus_that_others_need_too() -> None:
    """A product takes minus signs in; it takes them from nobody."""
    w = Value(0.3)

    def function(x: Any) -> Any:
        minus = -x.exp()
        return [minus, (x + w) * minus, minus.sin()]

    check(function, [0.5, -2.0], parameters=[w])


@both
@pytest.mark.parametrize("batch", [[math.inf, -math.inf], [math.nan, 1.0], [1e308, 1e308], [1e-320, 1e-320], [0.0] * 3])
def test_nobody_is_warned(batch: list[float], backend: str) -> None:
    """Answers are those of IEEE 754; warnings are errors here."""
    w = Value(1.0)
    for function in (lambda x: w * x, lambda x: w / x, lambda x: (w * x).log() - (x * w).exp()):
        compiled = engine.compile(function, backend=backend)
        mean = functions.mean([function(x) for x in batch])
        assert same(compiled.value_and_grad(batch)[0], mean.data)
        assert all(same(mine, function(x).data) for mine, x in zip(compiled(batch), batch, strict=True))


def test_what_float32_cannot_hold_is_inf() -> None:
    """Constants, inputs and parameters; a number too small is 0."""
    w = Value(1e300)
    compiled = engine.compile(lambda x: [w, functions.maximum(x, 1e300), x * -1e300, x, x * 0.5], dtype="float32")
    infinities = [math.inf, math.inf, -math.inf, math.inf, math.inf]
    for batch in ([1e300], np.array([1e300]), np.array([1e300], ">f8")):
        np.testing.assert_array_equal(compiled(batch), [infinities])
    assert compiled.value_and_grad([1.0])[0] == math.inf
    assert compiled.take()[0] == math.inf
    compiled.give_back()
    np.testing.assert_array_equal(compiled([1e-300]), [[math.inf, math.inf, math.nan, 0.0, 0.0]])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize(("count", "at_once"), [*((k, 100) for k in (1, 2, 100, 101, 102, 250)), (250, 3)])
def test_products_of_many_factors(
    count: int, at_once: int, ragged: bool, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right wherever they can be represented, and so are their slopes: large factors first, then small ones."""
    monkeypatch.setattr("engine.compiler.array_rules._FACTORS", at_once)
    large = 1e200 if dtype == "float64" else 1e20
    ws = [Value(large if k < count // 2 else 1.0 / large) for k in range(count)]
    if count % 2:
        ws[-1].data = 0.75

    def function(x: Any) -> Any:
        rows = [[w * x for w in ws], [w * x for w in ws[::-1]], *([ws[:3], ws[-1:]] if ragged else [])]
        return [functions.prod(row) for row in rows]

    compiled = engine.compile(function, backend="numpy", dtype=dtype)
    rtol = 1e-12 if dtype == "float64" else 1e-5
    true = [product.data for product in function(Value(1.0))]
    if dtype == "float32":
        true = [product if abs(product) < 1e38 else math.inf for product in true]
    np.testing.assert_allclose(compiled([1.0, 1.0]), [true] * 2, rtol)
    for of in range(2):
        product = function(Value(1.0))[of]
        for w in ws:
            w.grad = 0.0
        product.backward()
        slopes = dict(zip(compiled.parameters, compiled.value_and_grad([1.0], of=of)[1], strict=True))
        np.testing.assert_allclose([slopes[w] for w in ws], [w.grad for w in ws], rtol)


@pytest.mark.parametrize("step", range(1, 10))
def test_places_with_any_step(step: int) -> None:
    """NumPy 2.4's `negative` reads every eighth number wrong, if it does not write side by side."""
    ws = [Value(0.1 * k) for k in range(64)]

    def function() -> Any:
        return functions.logsumexp(ws) - functions.dot(ws[1:8:3], ws[30 : 30 + 3 * step : step])

    check(function, parameters=ws)


@pytest.mark.parametrize("numbers", list(permutations([3.0, math.inf, math.nan])), ids=str)
def test_no_number_hides_in_a_row(numbers: tuple[float, ...]) -> None:
    """The slopes of logsumexp are no numbers if an operand is none, wherever it stands and whatever is beside it."""
    ws = [Value(number) for number in numbers]
    functions.logsumexp(ws).backward()
    assert all(math.isnan(w.grad) for w in ws)
    for backend in BACKENDS:
        compiled = engine.compile(lambda: functions.logsumexp(ws) + functions.logsumexp(ws[:2]), backend=backend)
        assert all(map(math.isnan, compiled.value_and_grad()[1]))
