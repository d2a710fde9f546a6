"""Compiled functions: what they take and return, whose the parameters are, and what can be asked of them."""

from __future__ import annotations

import copy
import math
import pickle
import random
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import models
import numpy as np
import pytest
from agreement import Truth, eagerly, same

import engine
import nn
from engine import Value, constant, functions
from engine.structure import flatten

NAN = math.nan
BACKENDS = ("python", "numpy")
both = pytest.mark.parametrize("backend", BACKENDS)


# --- parameters and who owns their numbers


def test_taken_parameters_are_never_stale() -> None:
    class Named(Value):
        pass

    a, b = Value(2.0, label="a"), Named(3.0)
    compiled = engine.compile(lambda x: a * x + b)
    assert compiled([1.0]) == [5.0]
    flat = compiled.take()
    flat[0] = 10.0
    b.data = 7.0
    assert (list(flat), compiled([1.0]), (a * b).data, a.label) == ([10.0, 7.0], [17.0], 70.0, "a")
    (a * b).backward()
    assert (a.grad, b.grad) == (7.0, 10.0)
    for copied in (copy.copy(a), copy.deepcopy(a), pickle.loads(pickle.dumps(a)), copy.deepcopy(a * b).parents[0]):
        assert (type(copied), copied.data) == (Value, 10.0)
        copied.data = 1.0
    assert type(copy.copy(b)) is Named
    compiled.give_back()
    compiled.give_back()
    assert (type(a), type(b), a.data, b.data) == (Value, Named, 10.0, 7.0)
    flat[0] = 0.0
    assert a.data == 10.0


def test_numbers_have_one_owner() -> None:
    a, b = Value(2.0), Value(3.0)
    first, second = engine.compile(lambda x: a * x), engine.compile(lambda x: b + a * x)
    first([1.0]), second([1.0])
    first.take()
    with pytest.raises(RuntimeError, match="let it give_back"):
        second.take()
    assert second([1.0]) == [5.0]
    first.give_back()
    assert second.take() == [p.data for p in second.parameters]
    second.give_back()


def test_new_parameters_while_taken() -> None:
    ws = [Value(1.0), Value(2.0), Value(3.0)]
    compiled = engine.compile(lambda x: functions.sum([w * v for w, v in zip(ws, x, strict=False)]))
    assert compiled([[1.0, 1.0]]) == [3.0]
    compiled.take()
    with pytest.raises(RuntimeError, match="got 1 new ones"):
        compiled([[1.0, 1.0, 1.0]])
    assert compiled([[1.0, 1.0, 1.0]]) == [6.0]
    assert compiled.value_and_grad([[5.0, 1.0]]) == (7.0, [5.0, 1.0, 0.0])


@both
def test_data_is_read_at_every_call(backend: str) -> None:
    """By two functions that share a parameter, and by what is bound; whoever has set it, and whoever has taken it."""
    a, b = Value(2.0), Value(3.0)
    one, two = (engine.compile(function, backend=backend) for function in (lambda x: a * x, lambda x: (a + b) * x))
    bound = two.bind([1.0, 1.0])
    for number in (2.0, -1.5, math.inf, 0.1):
        a.data = number
        assert one([1.0])[0] == number
        assert two([2.0])[0] == 2 * (number + 3.0)
        assert bound.value_and_grad()[0] == bound()[0] == number + 3.0
        flat = two.take()
        flat[two.parameters.index(a)] = 7.0
        assert (a.data, one([1.0])[0], bound()[0]) == (7.0, 7.0, 10.0)
        a.data = 8.0
        assert (one([1.0])[0], two([1.0])[0], bound()[1]) == (8.0, 11.0, 11.0)
        two.give_back()
    assert one.take()[0] == a.data == 8.0
    assert bound()[0] == 11.0
    one.give_back()


@both
def test_parameters_keep_their_order(backend: str) -> None:
    """That of use, the same for the same function; those of examples of another shape come last."""
    ws = [Value(float(k)) for k in range(6)]

    def function(x: Any) -> Any:
        return functions.sum([w * v for w, v in zip(ws, x, strict=False)]) * (ws[5] if len(x) > 2 else 1.0)

    compiled, again = (engine.compile(function, backend=backend) for _ in range(2))
    seen: tuple[Value, ...] = ()
    for width in (2, 1, 3, 2, 4):
        for one in (compiled, again):
            one([[1.0] * width])
        assert compiled.parameters == again.parameters
        assert compiled.parameters[: len(seen)] == seen
        seen = compiled.parameters
        for other in range(1, width + 1):
            batch = [[0.5 + k for k in range(other)]]
            assert Truth(eagerly(function, batch), ws).differences(compiled, batch) == []
    assert set(seen) == {*ws[:4], ws[5]}


@both
def test_backward_adds_the_mean_gradient(backend: str) -> None:
    w, other = Value(2.0), Value(1.0)
    w.grad, other.grad = 10.0, 5.0
    compiled = engine.compile(lambda x: [w * x, other * w], backend=backend)
    assert compiled.backward([1.0, 2.0]) == 3.0
    assert (w.grad, other.grad) == (11.5, 5.0)
    assert compiled.backward([1.0, 2.0], of=1) == 2.0
    assert (w.grad, other.grad) == (12.5, 7.0)


@both
def test_a_function_is_recorded_once_for_each_shape(backend: str) -> None:
    calls = []

    def function(*batch: Any) -> Value:
        calls.append(batch)
        return functions.sum(flatten(batch).leaves)

    compiled = engine.compile(function, backend=backend)
    for batch, count in (
        (([1.0, 2.0],), 2), (([3.0],), 0), ((np.ones(5),), 0), ((np.eye(5, 1),), 2), (([[1.0], [2.0]],), 0),
        (([1.0, 2.0], [3.0, 4.0]), 2), ((([1.0, 2.0], [3.0, 4.0]),), 2), (([1.0, 2.0],), 0),
    ):  # fmt: skip
        calls.clear()
        compiled(*batch)
        compiled.value_and_grad(*batch)
        assert len(calls) == count, batch


# --- what a function may take and return


@both
def test_structures(backend: str) -> None:
    w = Value(2.0)

    def function(point: dict[str, Any], pair: tuple[Any, Any]) -> dict[str, Any]:
        m, (a, b) = point["m"], pair
        return {"sum": m[0][0] + m[1][1] * w, "rows": m, "pair": (a, [b * 2, [a, b]]), "number": 3}

    compiled = engine.compile(function, backend=backend)
    out = compiled({"m": [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]}, ([10, 20], np.array([100.0, 200.0])))
    assert out["sum"].tolist() == [9.0, 21.0]
    assert out["rows"].tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    a, (b, c) = out["pair"]
    assert (a.tolist(), b.tolist(), c.tolist()) == ([10.0, 20.0], [200.0, 400.0], [[10.0, 100.0], [20.0, 200.0]])
    assert out["number"].tolist() == [3.0, 3.0]
    for of, true in enumerate([15.0, 3.0]):
        assert compiled.value_and_grad({"m": [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]}, ([1, 2], [1, 2]), of=of)[0] == true
    with pytest.raises(IndexError, match="got of=99"):
        compiled.value_and_grad({"m": [[[1, 2], [3, 4]]]}, ([1], [1]), of=99)


W, V = Value(2.0), Value(3.0)
OUTPUTS: dict[str, tuple[Callable[[Any], Any], list[Any], list[tuple[float, dict[Value, float]]]]] = {
    "parameter": (lambda x: W, [2.0, 2.0], [(2.0, {W: 1.0})]),
    "input": (lambda x: x, [1.0, 3.0], [(2.0, {})]),
    "number": (lambda x: 3, [3.0, 3.0], [(3.0, {})]),
    "constant": (lambda x: constant(4.0), [4.0, 4.0], [(4.0, {})]),
    "truth": (lambda x: True, [1.0, 1.0], [(1.0, {})]),
    "no parameters": (lambda x: x * x, [1.0, 9.0], [(5.0, {})]),
    "the same for all": (lambda x: W * V, [6.0, 6.0], [(6.0, {W: 3.0, V: 2.0})]),
    "the same twice": (lambda x: [x * W] * 2, [[2.0] * 2, [6.0] * 2], [(4.0, {W: 2.0})] * 2),
    "of all kinds": (
        lambda x: [W, x, W * x, 1.0], [[2.0, 1.0, 2.0, 1.0], [2.0, 3.0, 6.0, 1.0]],
        [(2.0, {W: 1.0}), (2.0, {W: 0.0}), (4.0, {W: 2.0}), (1.0, {W: 0.0})],
    ),
    "array": (lambda x: np.array([[x, W]]), [[[1.0, 2.0]], [[3.0, 2.0]]], [(2.0, {W: 0.0}), (2.0, {W: 1.0})]),
    "one in a list": (lambda x: [x], [[1.0], [3.0]], [(2.0, {})]),
}  # fmt: skip


@pytest.mark.parametrize(("function", "results", "means"), OUTPUTS.values(), ids=OUTPUTS)
@both
def test_outputs(function: Callable[[Any], Any], results: list[Any], means: Any, backend: str) -> None:
    compiled = engine.compile(function, backend=backend)
    for batch in ([1.0, 3.0], np.array([1.0, 3.0])):
        np.testing.assert_array_equal(compiled(batch), results)
        for of, (mean, slopes) in enumerate(means):
            value, gradient = compiled.value_and_grad(batch, of=of)
            assert value == mean
            assert dict(zip(compiled.parameters, gradient, strict=True)) == slopes
        compiled.take()[:] = [p.data for p in compiled.parameters]
        compiled.give_back()


@both
def test_results_are_the_callers_own(backend: str) -> None:
    """Later calls do not change them, and changing them changes nothing."""
    ws = [Value(1.0), Value(2.0)]
    compiled = engine.compile(lambda x: [functions.dot(ws, x), ws[0]], backend=backend)
    batches = [np.full((3, 2), number) for number in (1.0, 2.0)]
    results = [compiled(batch) for batch in batches]
    gradients = [compiled.value_and_grad(batch)[1] for batch in batches]
    before = [np.array(thing) for thing in (*results, *gradients)]
    for thing in (*results, *gradients):
        thing *= 0
    for batch, result, gradient in zip(batches, before[:2], before[2:], strict=True):
        np.testing.assert_array_equal(compiled(batch), result)
        np.testing.assert_array_equal(compiled.value_and_grad(batch)[1], gradient)
    bound = compiled.bind(batches[0])
    bound.value_and_grad()[1][0] = 99.0
    batches[0][:] = 5.0
    np.testing.assert_array_equal(bound.value_and_grad()[1], before[2])


@both
def test_a_graph_takes_its_inputs_in_one_array_or_several(backend: str) -> None:
    w, (x, y, z) = Value(2.0), (Value(1.0), Value(3.0), Value(5.0))
    compiled = engine.compile((w * x - y).square() + z, inputs=[x, y, z], backend=backend)
    for batch in (
        ([[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]],), ([1.0, 2.0], [3.0, 4.0], [5.0, 6.0]),
        (np.array([[1, 3], [2, 4]]), [5, 6]), ({"a": [1, 2], "b": [[3, 5], [4, 6]]},),
    ):  # fmt: skip
        assert list(compiled(*batch)) == [6.0, 6.0]
        value, gradient = compiled.value_and_grad(*batch)
        assert (value, list(gradient)) == (6.0, [-1.0])
        node = compiled.example(1)
        assert (node.data, node.parents[1].data, node.parents[0].grad, w.grad) == (6.0, 6.0, 1.0, 0.0)
    assert [v.data for v in (x, y, z)] == [1.0, 3.0, 5.0]
    inner = engine.compile(w * x + y, inputs=np.array([x, y]), backend=backend)
    assert list(inner([[1.0, 1.0]])) == [3.0]


def test_a_graph_that_exists() -> None:
    w, xs = Value(2.0, label="w"), [Value(1.0), Value(3.0)]
    loss = functions.sum([(w * x - 1).square() for x in xs])
    whole = engine.compile(loss)
    assert set(whole.parameters) == {w, *xs}
    compiled = engine.compile(loss, inputs=xs)
    assert compiled.parameters == (w,)
    assert compiled.value_and_grad([[1.0, 3.0], [0.0, 0.0]]) == ((26.0 + 2.0) / 2, [(2 + 30) / 2])
    for backend in BACKENDS:
        parts = engine.compile(loss, inputs=xs, backend=backend)([1.0, 0.0], np.array([[3.0], [0.0]]))
        assert list(parts) == [26.0, 2.0]
    with pytest.raises(ValueError, match="got 1 for each example"):
        compiled([[1.0]])
    with pytest.raises(TypeError, match="only a graph"):
        engine.compile(lambda x: x, inputs=[w])


def test_leaves_made_inside_are_numbers_not_parameters() -> None:
    w = Value(3.0)

    def function(x: list[Value]) -> Value:
        total = Value(0.0)
        for each in x:
            total += w * each
        return total

    compiled = engine.compile(function)
    assert compiled.value_and_grad([[1.0, 2.0]]) == (9.0, [3.0])
    assert compiled.parameters == (w,)


@both
def test_random_inputs_are_fresh_and_seeded(backend: str) -> None:
    def noisy(x: Value) -> Any:
        return [x + engine.random_input(), engine.random_input("normal")]

    one, two, other = (engine.compile(noisy, seed=seed, backend=backend) for seed in (1, 1, 2))
    xs = [1.0] * 500
    first, again = np.array(one(xs)), np.array(one(xs))
    assert (first != again).all()
    assert (first == np.array(two(xs))).all()
    assert (again == np.array(two(xs))).all()
    assert (first != np.array(other(xs))).all()
    uniform, normal = zip(*first, strict=True)
    assert len(set(uniform)) == len(set(normal)) == 500
    assert 1 <= min(uniform) < max(uniform) < 2
    assert abs(sum(normal) / 500) < 0.3 < 0.8 < sum(x * x for x in normal) / 500 < 1.2
    assert 0 <= engine.random_input().data < 1
    assert engine.random_input().is_constant
    with pytest.raises(ValueError, match="got 'cauchy'"):
        engine.random_input("cauchy")


@pytest.mark.parametrize("size", [1, 5, 700])
def test_random_inputs_are_the_same_however_they_are_drawn(size: int) -> None:
    """Eagerly, in Python and in arrays, call after call; and the generators are left alike."""

    def noisy(x: Value) -> Any:
        return [x * engine.random_input("normal"), x + engine.random_input(), engine.random_input("normal")]

    generators = [random.Random(3) for _ in range(3)]
    python, arrays = (
        engine.compile(noisy, seed=generator, backend=backend)
        for generator, backend in zip(generators, BACKENDS, strict=False)
    )
    for _ in range(3):
        with engine.drawing_from(generators[2]):
            rows = [noisy(Value(2.0)) for _ in range(size)]
        eager = [[float(v) for v in row] for row in rows]
        np.testing.assert_allclose(python(np.full(size, 2.0)), eager, rtol=1e-14)
        np.testing.assert_allclose(arrays(np.full(size, 2.0)), eager, rtol=1e-13)
    assert len({generator.random() for generator in generators}) == 1


def test_generators_have_a_state() -> None:
    for wrong in (3, random.SystemRandom()):
        with (
            pytest.raises(TypeError, match="come from a random.Random; got .*; use random.Random"),
            engine.drawing_from(wrong),
        ):  # type: ignore[arg-type]
            pass
    with pytest.raises(TypeError, match=r"come from a random.Random"):
        engine.compile(lambda x: x, seed=random.SystemRandom())


def test_a_seed_is_a_whole_number() -> None:
    alike = [engine.compile(lambda x: x + engine.random_input(), seed=seed)([0.0]) for seed in (3, np.int64(3))]
    assert alike[0] == alike[1]
    for wrong in (np.random.default_rng(0), "3", 3.0, [3]):
        with pytest.raises(TypeError, match=r"a seed is a whole number, or a random.Random .*; got .*; use seed=0"):
            engine.compile(lambda x: x, seed=wrong)
        with pytest.raises(TypeError, match=r"a seed is a whole number"):
            nn.MLP(2, [1], seed=wrong)


def test_the_source_is_the_program_one_would_write() -> None:
    w, b = Value(1.0, label="w"), Value(2.0, label="b")
    compiled = engine.compile(lambda x: (w * x + b).exp() * functions.square(w))
    compiled([1.0])
    assert (
        str(compiled.program)
        == """\
def compute(parameters, rows):
    w, b, = parameters
    v6 = w * w
    share = 1.0 / len(rows)
    share_1 = share * v6
    d_w = d_b = d_v6 = total = 0.0
    for x0, in rows:
        v5 = _exp(w * x0 + b)
        total += v5 * v6
        d_v6 += share * v5
        d_v4 = share_1 * v5
        d_b += d_v4
        d_w += d_v4 * x0
    return share * total, [d_w + 2.0 * d_v6 * w, d_b]"""
    )


def test_names_that_python_or_the_program_need() -> None:
    labels = ["total", "d_x", "x", "lambda", "1", "", "w.0", "w_0", "v3", "_exp", "数", "rows", "inf"]
    ws = [Value(1.0 + k, label=label) for k, label in enumerate(labels)]
    compiled = engine.compile(lambda x: functions.prod([w * x for w in ws]).log())
    value, gradient = compiled.value_and_grad([2.0])
    assert same(value, sum(math.log(2 * w.data) for w in ws))
    assert all(same(g, 1 / w.data, rtol=1e-14) for g, w in zip(gradient, compiled.parameters, strict=True))


@pytest.mark.parametrize("label", ["len", "x", "y", "z", "n", "xs", "total", "rows", "share", "parameters"])
@pytest.mark.parametrize("name", ["min", "logsumexp", "dot"])
def test_results_may_have_the_names_that_rules_use(name: str, label: str) -> None:
    w, b = Value(1.3), Value(0.7)

    def function(x: Value) -> Value:
        row = [w * x, b, x * x]
        z = getattr(functions, name)(*[row] * (2 if name == "dot" else 1))
        z.label = label
        return z * z

    compiled = engine.compile(function, backend="python")
    assert Truth(eagerly(function, [0.3, 0.9]), [w, b]).differences(compiled, [0.3, 0.9]) == []


# --- backends, types, and what can be asked


def test_what_does_not_exist() -> None:
    for options, message in (
        ({"backend": "cuda"}, "got 'cuda'; use 'auto'"),
        ({"dtype": "float16"}, "got 'float16'; use 'float64'"),
        ({"backend": "python", "dtype": "float32"}, "use backend='numpy'"),
    ):
        with pytest.raises(ValueError, match=message):
            engine.compile(lambda x: x, **options)


def test_the_costs_choose() -> None:
    """A chain is for Python, however long; a wide layer for arrays."""
    w = [[Value(0.01 * i + k) for i in range(40)] for k in range(40)]

    def wide(x: list[Value]) -> Value:
        return functions.sum([functions.dot(row, x).tanh() for row in w])

    def deep(x: list[Value]) -> Any:
        z: Any = 0.0
        for _ in range(300):
            z = (z + w[0][1] * x[0]).sin()
        return z

    batch = [[0.01 * i for i in range(40)]] * 3
    for function, kind in ((wide, np.ndarray), (deep, list)):
        compiled = engine.compile(function)
        assert isinstance(compiled(batch), kind)
        assert isinstance(compiled.value_and_grad(batch)[1], kind)
        assert isinstance(compiled.take(), kind)
        compiled.give_back()
        assert ("numpy" if kind is np.ndarray else "python") in compiled.explain()
    assert isinstance(engine.compile(deep)(np.array(batch)), np.ndarray)


def test_an_explanation_names_matrices_rows_and_gathers() -> None:
    ws = [Value(float(k), label=f"w{k}") for k in range(20)]

    def function(x: list[Value]) -> Any:
        layer = [functions.dot(ws[k : k + 4], x) for k in range(0, 16, 4)]
        return functions.logsumexp(layer) * functions.logsumexp(layer[:2]) + functions.prod(
            [layer[2], layer[0], layer[3]]
        )

    compiled = engine.compile(function, backend="numpy")
    compiled([[1.0, 2.0, 3.0, 4.0]])
    text = compiled.explain()
    assert "1 of them matrix products:\n  a1{4x1} *n = w{4x4} @ x0{1x4}" in text
    assert "logsumexp(2 rows of unequal length: take(a1){6})" in text
    assert "no even step" in text
    assert "asked for: numpy" in text


@both
def test_an_example_is_a_scalar_graph(backend: str) -> None:
    model = nn.MLP(2, [3, 1], "tanh", seed=0)
    compiled = engine.compile(lambda x: [model(x)[0].square(), 7.0], backend=backend)
    batch = [[1.0, 2.0], [3.0, 4.0]]
    values = compiled(batch)
    node = compiled.example(1)
    assert same(node.data, float(values[1][0]))
    assert node.parents[0].grad == node.partials[0]
    assert all(p.grad == 0.0 for p in model.parameters())
    assert compiled.example(-1, of=1).is_constant
    assert compiled.example(np.int64(-1), of=np.int8(1)).data == 7.0
    for k in (2, 1.0, None):
        with pytest.raises(IndexError, match=f"got {k!r}; it has 2"):
            compiled.example(k)  # type: ignore[arg-type]
    with pytest.raises(IndexError, match="of=2"):
        compiled.example(0, of=2)
    xs = [Value(1.0), Value(2.0)]
    graph = engine.compile(functions.dot(xs, xs) + functions.exp(xs[0] * 2) - Value(1.0), inputs=xs, backend=backend)
    with pytest.raises(IndexError, match="it has 0"):
        graph.example(0)
    results = graph([[3.0, 4.0], [0.0, 1.0]])
    assert same(graph.example(0).data, float(results[0]))


@both
def test_a_look_at_an_example_draws_no_numbers_of_the_next_call(backend: str) -> None:
    looked_at, other = [
        engine.compile(lambda x: x + engine.random_input("normal"), backend=backend, seed=1) for _ in range(2)
    ]
    assert list(looked_at([0.0, 0.0])) == list(other([0.0, 0.0]))
    node = looked_at.example(0)
    results = list(looked_at([0.0, 0.0]))
    assert results == list(other([0.0, 0.0]))
    assert node.data == results[0]


@both
def test_named_tuples_are_told_apart_by_their_names(backend: str) -> None:
    """The second kind has the same shapes, but other names for them."""
    first, second = namedtuple("first", "x y"), namedtuple("second", "y x")
    compiled = engine.compile(lambda pair: pair.x - 2 * pair.y, backend=backend)
    for kind in (first, second):
        assert list(compiled(kind(x=[1.0, 2.0], y=[10.0, 20.0]))) == [-19.0, -38.0]


@both
def test_bound_batches_keep_what_they_read(backend: str) -> None:
    w = Value(2.0)
    xs = np.array([1.0, 2.0])
    bound = engine.compile(lambda x: w * x, backend=backend).bind(xs)
    xs[:] = 0.0
    assert list(bound()) == [2.0, 4.0]
    w.data = 3.0
    assert bound.value_and_grad() == (4.5, [1.5])


def test_large_inputs_are_read_where_they_lie() -> None:
    """Whatever array comes next, changed in place or not; and the gradient, which lies in the program, as an input."""
    weights = [Value(0.1 * k - 2.0) for k in range(40)]
    compiled = engine.compile(lambda x: functions.square(functions.dot(weights, x)), backend="numpy")
    second = engine.compile(lambda x: (functions.dot(weights, x), x[1]), backend="numpy")
    chance = np.random.default_rng(0)
    table = chance.normal(size=(60, 80))
    fixed = chance.normal(size=(60, 40))
    fixed.flags.writeable = False
    w = np.array([weight.data for weight in weights])
    for x in (fixed, table[:, :40], table[:, ::2], np.asfortranarray(fixed), fixed.astype("f4"), fixed.tolist()):
        np.testing.assert_allclose(compiled(x), (np.array(x, float) @ w) ** 2, 1e-12)
        np.testing.assert_array_equal(second(x)[1], np.array(x, float)[:, 1])
        assert second.value_and_grad(x, of=1)[0] == pytest.approx(np.mean(np.array(x, float)[:, 1]), 1e-13)
        np.testing.assert_allclose(compiled.value_and_grad(x)[1], 2 * np.mean((x @ w)[:, None] * x, 0), 1e-12, 1e-12)
    table = np.ascontiguousarray(table[:, :40])
    bound = compiled.bind(table)
    before = bound.value_and_grad()[1]
    table[:] = fixed
    assert bound.value_and_grad()[1].tolist() == before.tolist()
    assert compiled(table).tolist() == compiled(fixed).tolist()
    assert bound.value_and_grad()[1].tolist() == before.tolist()

    squares = [Value(1.0 + k) for k in range(2048)]
    halved = engine.compile(lambda x: functions.dot(squares, [w * v for w, v in zip(squares, x, strict=True)]) / 2)
    x = np.ones((1, 2048))
    for _ in range(3):
        x = halved.value_and_grad(x, copy=False)[1][None]
    np.testing.assert_allclose(x[0], [s.data**3 for s in squares], 1e-12)


def test_a_gradient_is_kept_unless_told_otherwise() -> None:
    w = Value(3.0)
    bound = engine.compile(lambda x: w * x, backend="numpy").bind([1.0, 2.0])
    (_, kept), (_, lent) = bound.value_and_grad(), bound.value_and_grad(copy=False)
    lent[:] = 0.0
    assert (kept.tolist(), bound.value_and_grad()[1].tolist()) == ([1.5], [1.5])
    assert bound.value_and_grad(copy=False)[1] is lent


def test_many_sizes_of_batches() -> None:
    w = Value(2.0)
    compiled = engine.compile(lambda x: w * x, backend="numpy")
    for size in [*range(1, 14), 2, 3]:
        assert compiled(np.ones(size)).tolist() == [2.0] * size


def test_an_array_is_shared_with_the_optimizer() -> None:
    a, b = Value(2.0), Value(3.0)
    compiled = engine.compile(
        lambda x: functions.sum([w * v for w, v in zip((a, b), x, strict=False)]), backend="numpy"
    )
    narrow, wide = np.ones((2, 1)), np.ones((2, 2))
    assert compiled(wide).tolist() == [5.0, 5.0]
    assert compiled(narrow).tolist() == [2.0, 2.0]
    flat = compiled.take()
    bound = compiled.bind(wide)
    for step in range(3):
        flat += 1.0
        assert bound().tolist() == [7.0 + 2 * step] * 2
        assert bound.value_and_grad()[0] == a.data + b.data == 7.0 + 2 * step
        assert compiled.value_and_grad(narrow)[1].tolist() == [1.0, 0.0]
    compiled.give_back()
    assert (a.data, b.data) == (5.0, 6.0)
    assert compiled(wide).tolist() == [11.0, 11.0]
    flat = compiled.take()
    assert flat.tolist() == [5.0, 6.0]
    flat[0] = 1.0
    assert compiled(wide).tolist() == [7.0, 7.0]
    compiled.give_back()


@both
def test_results_beside_a_gradient(backend: str) -> None:
    """They are those of a call, and the gradient is that without them; also of a batch that runs in parts."""
    model, shift = nn.MLP(3, [8, 5], "tanh", seed=0), Value(0.5)

    def loss(x: list[Value], y: Value) -> Any:
        scores = model(x)
        return functions.square(scores[0] - y), scores, {"exp": [scores[1].exp(), y], "same": scores[2] * 0.0 + shift}

    compiled = engine.compile(loss, backend=backend)
    for size in (1, 4, 8_000 if backend == "numpy" else 9):
        xs, ys = np.random.default_rng(0).normal(size=(size, 3)), np.arange(size) / size
        (value, results), gradient = compiled.value_and_grad(xs, ys, has_aux=True)
        mean, slopes = compiled.value_and_grad(xs, ys)
        assert value == pytest.approx(mean, rel=1e-12)
        np.testing.assert_allclose(gradient, slopes, rtol=1e-10, atol=1e-14)
        for mine, true in zip(flatten(results).leaves, flatten(compiled(xs, ys)).leaves, strict=True):
            assert mine == pytest.approx(true, rel=1e-12)


def test_a_transformer_in_text() -> None:
    """Heads are stacks of matrices, forward and back; shares know their slopes."""
    compiled = engine.compile(models.transformer(), backend="numpy")
    text = [[[float(k == letter) for k in range(27)] for letter in (3, 1, 4, 1, 5, 9)]]
    compiled(text, text)
    program: Any = compiled.program
    assert "4 matrices: " in str(program)
    assert "sums of rows of" in program.reverse


def test_an_explanation_says_when_a_batch_runs_in_parts() -> None:
    compiled = engine.compile(lambda x: W * x.sin(), backend="numpy")
    compiled([1.0])
    assert "in parts" not in compiled.explain()
    compiled(np.ones(300_000))
    assert "The batch runs in parts of" in compiled.explain()


def test_uniform_numbers_alone() -> None:
    compiled = engine.compile(lambda x: x + engine.random_input(), backend="numpy", seed=0)
    assert 1.0 < compiled(np.ones(400)).min() < compiled(np.ones(400)).max() < 2.0


def test_numpy_1_is_quiet_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before NumPy 2 what it warns of was no part of a context."""
    monkeypatch.setattr(np, "__version__", "1.26.4")
    compiled = engine.compile(lambda x: W / x, backend="numpy")
    assert compiled.value_and_grad([0.0, 1.0])[0] == math.inf


@both
def test_a_graph_without_inputs_takes_examples_without_numbers(backend: str) -> None:
    w = Value(2.0)
    compiled = engine.compile(w * 3.0, backend=backend)
    assert list(compiled()) == [6.0]
    assert list(compiled(np.zeros((4, 0)))) == [6.0] * 4
    assert compiled.value_and_grad(np.zeros((4, 0)), [[]] * 4) == (6.0, [3.0])


def test_numpys_floats_do_not_get_into_python() -> None:
    """They would warn where Python's raise: neither those that an optimizer puts into a list, nor those of an array."""
    ws = [Value(0.5 + k) for k in range(40)]

    def function(x: Any) -> Any:
        return functions.sum([functions.dot(ws, x).tanh() * w for w in ws]) if len(x) > 2 else ws[3] / x[0]

    listed, of_array = (engine.compile(function, backend=backend) for backend in ("python", "auto"))
    for compiled in (listed, of_array):
        compiled(np.ones((30, 40)))
        taken = compiled.take()
        for k in range(40):
            taken[k] = np.float64(taken[k])
        results = compiled([[0.0], [2.0]])
        assert results == [math.inf, 1.75]
        assert {type(number) for number in results} == {float}
        assert compiled.value_and_grad([[0.0]])[0] == math.inf
        compiled.give_back()
    assert isinstance(taken, np.ndarray)
