"""Compiled functions: what they take and return."""

from __future__ import annotations

import math
import random
import weakref
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from agreement import BACKENDS, both

import engine
import nn
from engine import Value, constant, functions
from engine.structure import flatten


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


def test_what_does_not_exist() -> None:
    for options, message in (
        ({"backend": "cuda"}, "got 'cuda'; use 'auto'"),
        ({"dtype": "float16"}, "got 'float16'; use 'float64'"),
        ({"backend": "python", "dtype": "float32"}, "use backend='numpy'"),
    ):
        with pytest.raises(ValueError, match=message):
            engine.compile(lambda x: x, **options)


@both
def test_named_tuples_are_told_apart_by_their_names(backend: str) -> None:
    """The second kind has the same shapes, but other names for them."""
    first, second = namedtuple("first", "x y"), namedtuple("second", "y x")
    compiled = engine.compile(lambda pair: pair.x - 2 * pair.y, backend=backend)
    for kind in (first, second):
        assert list(compiled(kind(x=[1.0, 2.0], y=[10.0, 20.0]))) == [-19.0, -38.0]


def test_many_sizes_of_batches() -> None:
    w = Value(2.0)
    compiled = engine.compile(lambda x: w * x, backend="numpy")
    for size in [*range(1, 14), 2, 3]:
        assert compiled(np.ones(size)).tolist() == [2.0] * size


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


def test_batches_of_one_shape_follow_each_other() -> None:
    """The second is not looked at again; what it is made of counts all the same."""
    w = Value(2.0)
    compiled = engine.compile(lambda x: w * x[0] - x[1], backend="numpy")
    first = np.arange(6.0).reshape(3, 2)
    gone = weakref.ref(first)
    np.testing.assert_array_equal(compiled(first), 2 * first[:, 0] - first[:, 1])
    others = [
        np.ones((3, 2), int),
        np.asfortranarray(first + 1),
        (first + 1)[::-1],
        (first + 2).tolist(),
        first[:2] - 1,
    ]
    del first
    for other in [*others, np.float32(0.5) * others[1], np.ma.masked_array(others[1])]:
        rows = np.array(other)
        np.testing.assert_array_equal(compiled(other), 2.0 * rows[:, 0] - rows[:, 1])
    assert gone() is None
    with pytest.raises(TypeError, match="a batch is made of numbers"):
        compiled(np.array([["a", "b"]] * 3))


@both
def test_no_arguments_may_follow_some(backend: str) -> None:
    w = Value(2.0)
    compiled = engine.compile(lambda *xs: functions.sum([w, *xs]), backend=backend)
    for batch in (([1.0, 3.0],), (), (np.array([1.0, 3.0]),), (), ([1.0], [2.0])):
        expected = [2.0 + sum(row) for row in zip(*batch, strict=True)] if batch else [2.0]
        assert list(compiled(*batch)) == expected
