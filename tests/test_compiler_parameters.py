"""Whose numbers compiled functions read and write: parameters, batches, results, gradients."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest
from agreement import Truth, both, eagerly

import engine
from engine import Value, functions


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
