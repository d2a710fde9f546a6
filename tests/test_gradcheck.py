"""`check_gradients`: what it accepts, and what it finds."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from dags import dags

from engine import Value, functions, no_grad
from engine.gradcheck import GradientReport, GradientWarning, assert_gradients, check_gradients


def verdicts(report: GradientReport) -> list[str]:
    return [entry.verdict for entry in report.entries]


# --- forms of inputs and gradients


def product(x: Any, y: Any) -> Any:
    return x * y


def product_gradient(x: Any, y: Any) -> Any:
    return [y, x]


@pytest.mark.parametrize(
    "inputs",
    [
        [2.0, 3.0],
        (2, 3),
        {"x": 2.0, "y": 3.0},
        [np.float64(2.0), np.array(3.0)],
        OrderedDict(y=2.0, x=3.0),
    ],
    ids=repr,
)
def test_inputs_are_passed_by_position_or_by_name(inputs: Any) -> None:
    report = check_gradients(product, inputs)
    assert report.ok
    assert [entry.input for entry in report.entries] == list(inputs if isinstance(inputs, dict) else "xy")
    by_name = check_gradients(product, inputs, grad=lambda x, y: {"y": x, "x": y})
    in_order = check_gradients(product, [2.0, 3.0], grad=product_gradient)
    assert by_name.ok
    assert in_order.ok


def test_values_are_inputs_too() -> None:
    x = Value(2.0, label="x")
    seen = []

    def loss(a: Any, b: Any) -> Any:
        seen.append(a)
        return a * b

    assert check_gradients(loss, [x, 3.0], grad=product_gradient).ok
    assert all(type(a) is Value and a is not x and a.label == "x" for a in seen)


@pytest.mark.parametrize("kind", [float, int, Value, np.float32, np.array])
def test_one_number_is_the_only_argument(kind: Any) -> None:
    x = kind(2)
    for gradient in (
        None,
        lambda x: 3 * x**2,
        lambda x: [3 * x**2],
        lambda x: {"x": 3 * x**2},
        lambda x: np.array([float(3 * x**2)]),
    ):
        report = check_gradients(lambda x: x**3, x, grad=gradient)
        assert report.ok
        assert [(entry.input, entry.index) for entry in report.entries] == [("x", ())]


def test_arrays_stay_arrays() -> None:
    weights = np.array([[1.0, -2.0], [0.5, 3.0]])

    def loss(w: Any) -> Any:
        assert isinstance(w, np.ndarray)
        assert w.shape == (2, 2)
        return np.sum(np.tanh(w @ w.T))

    def gradient(w: Any) -> Any:
        slope = 1 - np.tanh(w @ w.T) ** 2
        return (slope + slope.T) @ w

    assert check_gradients(loss, weights, grad=gradient).ok
    assert check_gradients(loss, weights).ok  # arrays of Values
    assert check_gradients(loss, {"w": weights}, grad=lambda w: {"w": gradient(w).tolist()}).ok
    assert (
        check_gradients(loss, weights.astype(int), grad=gradient).entries[0].claimed
        == gradient(weights.astype(int))[0, 0]
    )


def test_any_nesting() -> None:
    def loss(net: Any, rate: Any) -> Any:
        hidden = [w * net["b"][0] + net["b"][1] for row in net["w"] for w in row]
        return sum(h * h for h in hidden) * rate

    net = {"w": [[1.0, 2.0], [3.0]], "b": (0.5, 0.25)}
    report = check_gradients(loss, [net, 2.0])
    assert report.ok
    assert [(entry.input, entry.index) for entry in report.entries] == [
        ("net", ("w", 0, 0)),
        ("net", ("w", 0, 1)),
        ("net", ("w", 1, 0)),
        ("net", ("b", 0)),
        ("net", ("b", 1)),
        ("rate", ()),
    ]

    def gradient(net: Any, rate: Any) -> Any:
        values = [Value(x) for x in (1.0, 2.0, 3.0, 0.5, 0.25, 2.0)]
        w0, w1, w2, b0, b1, r = values
        loss({"w": [[w0, w1], [w2]], "b": (b0, b1)}, r).backward()
        g = [value.grad for value in values]
        return {"b": np.array(g[3:5]), "w": [[Value(g[0]), g[1]], g[2:3]]}, g[5]

    assert check_gradients(loss, [net, 2.0], grad=gradient).ok


def test_names_come_from_the_function() -> None:
    def names(f: Any, inputs: Any) -> list[str]:
        return [entry.input for entry in check_gradients(f, inputs, grad=lambda *xs: [1.0] * len(xs)).entries]

    assert names(lambda a, b: a + b, [1.0, 2.0]) == ["a", "b"]
    assert names(lambda *all_of_them: sum(all_of_them), [1.0, 2.0]) == ["x0", "x1"]
    assert names(sum, [[1.0]]) == ["iterable"]
    assert names(math.hypot, [1.0]) == ["x"]  # it does not tell

    class Loss:
        def __call__(self, z: Any) -> Any:
            return z

    assert names(Loss(), 1.0) == ["z"]
    assert "of Loss()" in str(check_gradients(Loss(), 1.0))


# --- nothing is mutated


def test_nothing_is_mutated() -> None:
    x, w, hidden = Value(2.0, label="x"), np.array([1.0, 2.0]), Value(3.0)
    x.grad = hidden.grad = 7.0
    inner = hidden * 2
    inner.grad = 5.0

    def loss(x: Any, w: Any) -> Any:
        return x * inner * w[0] + hidden * w[1]

    assert check_gradients(loss, [x, w]).ok
    assert (x.data, x.grad, hidden.grad, inner.grad) == (2.0, 7.0, 7.0, 5.0)
    assert w.tolist() == [1.0, 2.0]


def test_functions_that_change_their_inputs_are_reported() -> None:
    def loss(w: Any, b: Any) -> Any:
        w[0] *= 2
        return w[0] + w[1] + b

    def gradient(w: Any, b: Any) -> Any:
        w.append(0.0)
        return [2.0, 1.0], 1.0

    report = check_gradients(loss, [[1.0, 2.0], 3.0], grad=gradient)
    assert report.ok  # every call gets fresh copies
    assert report.notes == [
        "loss() changes its inputs in place: w; work on copies of them",
        "the gradient function changes its inputs in place: w; work on copies of them",
    ]
    assert str(report).splitlines()[-1] == f"  note: {report.notes[1]}"
    with pytest.warns(GradientWarning, match="changes its inputs in place: w"):
        assert_gradients(loss, [[1.0, 2.0], 3.0], grad=lambda w, b: ([2.0, 1.0], 1.0))

    def sets_data(x: Value) -> Value:
        x.data = 5.0
        return x * 1.0

    assert check_gradients(sets_data, Value(1.0)).notes[0].startswith("sets_data() changes its inputs in place: x")


# --- the engine's gradients


def test_functions_that_leave_the_graph() -> None:
    with pytest.raises(TypeError, match="loss.. returned float .* for Values; use their methods.*or pass the gradient"):

        def loss(x: Any) -> Any:
            return math.sin(x)

        check_gradients(loss, 1.0)
    report = check_gradients(lambda a, b: a * float(b), [2.0, 3.0])
    assert [entry.hint for entry in report.entries] == [
        "",
        "claimed is exactly 0: the input is not connected to the result",
    ]
    with no_grad():
        assert not check_gradients(lambda a: a * a, 2.0).ok


def test_the_engine_on_random_expressions() -> None:
    for dag in dags(60, seed=5):
        report = check_gradients(dag, dag.point)
        assert report.ok, report


def test_infinite_contributions_are_no_allowance() -> None:
    report = check_gradients(lambda x: (x - 1).sqrt() * 0 + x * 2, 1.0)
    assert verdicts(report) == ["fail"]  # inf * 0 is nan


# --- sampling


def test_large_inputs_are_sampled_block_by_block() -> None:
    calls = []

    def loss(w: Any, b: Any, c: Any) -> Any:
        calls.append(1)
        return sum(x * x for x in w) + sum(b) * c

    inputs = [[0.1 * i - 3 for i in range(200)], [1.0, 2.0], 3.0]
    report = check_gradients(loss, inputs, max_entries=4, seed=1)
    assert report.ok
    assert [entry.input for entry in report.entries] == ["w"] * 4 + ["b"] * 2 + ["c", "a random direction"]
    again = check_gradients(loss, inputs, max_entries=4, seed=1)
    other = check_gradients(loss, inputs, max_entries=4, seed=2)
    assert [entry.index for entry in again.entries] == [entry.index for entry in report.entries]
    assert [entry.index for entry in other.entries] != [entry.index for entry in report.entries]
    small = check_gradients(loss, [[1.0], [2.0], 3.0], max_entries=4)
    assert [entry.input for entry in small.entries] == ["w", "b", "c"]


def test_no_wrong_number_hides_from_a_random_direction() -> None:
    w = [0.1 * i - 3 for i in range(200)]

    def gradient(w: Any) -> Any:
        exact = [2 * x for x in w]
        exact[77] *= 1.01
        return [exact]

    report = check_gradients(lambda w: sum(x * x for x in w), [w], grad=gradient, max_entries=2)
    assert [entry.ok for entry in report.entries] == [True, True, False]
    assert report.entries[-1].hint == "a number that was not sampled is wrong: check them all, with max_entries=None"
    nans = check_gradients(sum, [w], grad=lambda w: [[math.nan] * 200], max_entries=1)
    assert verdicts(nans) == ["fail", "fail"]


def test_hints_from_samples() -> None:
    report = check_gradients(np.sum, np.ones((20, 20)), grad=lambda w: np.full((20, 20), 0.5), max_entries=3)
    assert all("a factor 2 is missing" in entry.hint for entry in report.entries[:3])


# --- options and mistakes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": 3}, "order must be 1 or 2; got 3; use 2"),
        ({"at_kink": "left"}, "at_kink must name a rule; got 'left'; use subgradient or one-sided or fail"),
        ({"rtol": -1.0}, "rtol must not be negative; got -1.0; use 0.0"),
        ({"min_resolution": math.nan}, "min_resolution must not be negative; got nan"),
        ({"max_entries": 0}, "max_entries must be positive; got 0; use None"),
        ({"grad": (None, lambda x: 0.0)}, "second derivatives are checked by order 2 only; got 1; use order=2"),
    ],
)
def test_options_out_of_range(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_gradients(lambda x: x * x, 1.0, **options)


@pytest.mark.parametrize(
    ("f", "inputs", "gradient", "error", "message"),
    [
        (
            lambda x: [x, x],
            1.0,
            lambda x: 1.0,
            TypeError,
            "f.. must return one real number; got a list of 2; return a scalar",
        ),
        (lambda x: np.ones(3), 1.0, lambda x: 1.0, TypeError, r"got an array of shape \(3,\)"),
        (lambda x: "one", 1.0, lambda x: 1.0, TypeError, "got str 'one'"),
        (lambda x: None, 1.0, None, TypeError, "got NoneType None"),
        (lambda x: {"y": x}, 1.0, lambda x: 1.0, TypeError, "got a dict of 1"),
        (lambda: 1.0, [], None, ValueError, r"there is nothing to differentiate; got inputs \[\]; pass at least one"),
        (lambda x: x, "one", None, TypeError, "made of numbers.*; got str; bind"),
        (
            product,
            [1.0, 2.0],
            lambda x, y: {"x": 1.0, "z": 2.0},
            ValueError,
            "must name the inputs of product..: x, y; got x, z",
        ),
        (
            product,
            [1.0, 2.0],
            lambda x, y: (1.0,),
            ValueError,
            "one part for each of the 2 inputs of product..; got a tuple of 1",
        ),
        (product, [1.0, 2.0], lambda x, y: 1.0, ValueError, "got float 1.0; return them in a list"),
        (product, [1.0, 2.0], lambda x, y: (1.0, None), TypeError, "made of numbers.*; got NoneType"),
    ],
)
def test_mistakes(f: Any, inputs: Any, gradient: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        check_gradients(f, inputs, grad=gradient)


def test_errors_in_the_function_are_the_users_own() -> None:
    def loss(x: Any) -> Any:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        check_gradients(loss, 1.0)


def test_one_number_in_a_box_is_a_number() -> None:
    assert check_gradients(lambda w: w @ w.reshape(2, 1), np.array([1.0, 2.0]), grad=lambda w: 2 * w).ok
    assert check_gradients(lambda x: functions.sum([x, x]), 1.0).ok


def test_a_list_of_one_may_be_the_gradient_or_hold_it() -> None:
    for gradient in (lambda w: [2 * w[0]], lambda w: [[2 * w[0]]]):
        assert check_gradients(lambda w: w[0] ** 2, [[3.0]], grad=gradient).ok
