"""What the checker guesses from a wrong gradient."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from engine.gradcheck import check_gradients

CLAIMS: list[tuple[str, Any, Any, Any, str]] = [
    # name, f, inputs, claimed gradient, hint
    ("factor 2 missing", lambda x: x * x, 3.0, lambda x: x, "claimed/numerical = 1/2: a factor 2 is missing"),
    (
        "factor 2 too many",
        lambda x: x * x / 2,
        3.0,
        lambda x: 2 * x,
        "a factor 2 too many; is the loss half the squared",
    ),
    ("sign", lambda x: x * x, 3.0, lambda x: -2 * x, "claimed/numerical = -1: the sign is wrong"),
    (
        "sign and 2",
        lambda x: x * x,
        3.0,
        lambda x: -x,
        "claimed/numerical = -1/2: the sign is wrong, and a factor 2 is missing",
    ),
    ("log2", math.log2, 3.0, lambda x: 1 / x, "a factor ln 2"),
    ("zero", lambda x: x * x, 3.0, lambda x: 0.0, "claimed is exactly 0: the input is not connected to the result"),
    (
        "mean for sum",
        lambda w: sum(x * x for x in w),
        [[1.0, 2.0, 3.0]],
        lambda w: [[2 * x / 3 for x in w]],
        "1/3: a mean over 3 where the function sums?",
    ),
    (
        "sum for mean",
        lambda w: sum(x * x for x in w) / 3,
        [[1.0, 2.0, 3.0]],
        lambda w: [[2 * x for x in w]],
        "= 3: a sum over 3 where the function takes the mean?",
    ),
    (
        "one mean for sum",
        lambda w, b: sum(w) + b * 4,
        [[1.0, 2.0, 3.0, 4.0], 1.0],
        lambda w, b: ([1.0] * 4, 1.0),
        "1/4: a mean over 4",
    ),
    (
        "constant factor",
        lambda w: sum(x * x for x in w),
        [[1.0, 2.0]],
        lambda w: [[x * 2 * 0.19 for x in w]],
        "= 0.19, the same everywhere; the missing factor is 5.26316",
    ),
    (
        "one in three",
        lambda w: sum(x * x for x in w),
        [[1.0, 2.0, 3.0]],
        lambda w: [[2.0, 4.0, -6.0]],
        "claimed/numerical = -1: the sign is wrong",
    ),
    (
        "L2 penalty",
        lambda w: sum(x**3 + 0.05 * x * x for x in w),
        [[1.0, -2.0, 0.0]],
        lambda w: [[3 * x * x for x in w]],
        "claimed = 0.1 * input: the gradient of an L2 penalty is missing",
    ),
    (
        "L1 penalty",
        lambda w: sum(x**3 for x in w),
        [[1.0, -2.0]],
        lambda w: [[3 * x * x + math.copysign(0.5, x) for x in w]],
        "claimed = -0.5 * sign(input): the gradient of an L1 penalty is too many",
    ),
    ("no relation", lambda w: sum(x * x for x in w), [[1.0, 2.0, 5.0]], lambda w: [[1.0, 1.0, 1.0]], ""),
]


@pytest.mark.parametrize(
    ("f", "inputs", "gradient", "hint"), [row[1:] for row in CLAIMS], ids=[row[0] for row in CLAIMS]
)
def test_hints(f: Any, inputs: Any, gradient: Any, hint: str) -> None:
    report = check_gradients(f, inputs, grad=gradient)
    wrong = [entry for entry in report.entries if not entry.ok]
    assert wrong
    assert {entry.verdict for entry in wrong} == {"fail"}
    assert all(hint in entry.hint for entry in wrong)
    assert hint or not any(entry.hint for entry in wrong)
    assert ("hint" in str(report)) == bool(hint)


X = np.random.default_rng(0).normal(size=(3, 5))
TARGET = np.random.default_rng(1).uniform(size=(2, 5))
W, B = np.array([[0.3, -0.5, 0.2], [0.7, 0.1, -0.9]]), np.array([0.1, -0.2])


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def neurons(w: Any, b: Any, x: Any = X, target: Any = TARGET) -> Any:
    """Half the squared error of two sigmoid neurons over a batch."""
    return 0.5 * np.sum((sigmoid(w @ x + b[:, None]) - target) ** 2)


def neurons_gradient(w: Any, b: Any, x: Any = X, target: Any = TARGET) -> Any:
    a = sigmoid(w @ x + b[:, None])
    delta = (a - target) * a * (1 - a)
    return delta @ x.T, delta.sum(axis=1)


def network_hints(gradient: Any, f: Any = neurons) -> dict[str, str]:
    report = check_gradients(f, {"w": W, "b": B}, grad=gradient)
    return {entry.input: entry.hint for entry in report.entries if not entry.ok}


def test_a_right_network_passes() -> None:
    assert check_gradients(neurons, [W, B], grad=neurons_gradient).ok


def test_a_batch_that_is_not_summed() -> None:
    def gradient(w: Any, b: Any) -> Any:
        a = sigmoid(w @ X + b[:, None])
        delta = (a - TARGET) * a * (1 - a)
        return {"w": delta @ X.T, "b": delta}

    assert network_hints(gradient) == {"b": "its sum over axis 1 agrees: the gradient is not summed over the batch"}
    report = check_gradients(neurons, {"w": W, "b": B}, grad=gradient)
    assert "b: FAIL  the claimed gradient is of shape (2, 5), the input is of shape (2,)" in str(report)


def test_a_missing_activation_derivative() -> None:
    one, target = X[:, :1], TARGET[:, :1]

    def gradient(w: Any, b: Any) -> Any:
        delta = sigmoid(w @ one + b[:, None]) - target  # right for cross-entropy
        return {"w": delta @ one.T, "b": delta.sum(axis=1)}

    hints = network_hints(gradient, lambda w, b: neurons(w, b, one, target))
    assert "constant along each row (" in hints["w"]
    assert "an activation derivative?" in hints["w"]

    def single(w: Any) -> Any:
        return 0.5 * (sigmoid(w @ one[:, 0]) - 0.3) ** 2

    output = sigmoid(W[0] @ one[:, 0])
    report = check_gradients(single, W[0], grad=lambda w: (sigmoid(w @ one[:, 0]) - 0.3) * one[:, 0])
    assert f"of a sigmoid at output {min(output, 1 - output):.4g} or " in report.entries[0].hint
    assert "right without it for cross-entropy" in report.entries[0].hint

    def cell(w: Any) -> Any:
        return np.tanh(w @ one[:, 0])

    slope = 1 - np.tanh(0.1 * W[0] @ one[:, 0]) ** 2
    assert slope > 0.25
    report = check_gradients(cell, 0.1 * W[0], grad=lambda w: one[:, 0])
    assert f"of a tanh at output ±{math.sqrt(1 - slope):.4g}" in report.entries[0].hint
    assert "sigmoid" not in report.entries[0].hint


def test_columns() -> None:
    hints = network_hints(lambda w, b: (2 * w * [1.0, 2.0, 3.0], 2 * b), lambda w, b: np.sum(w * w) + np.sum(b * b))
    assert hints == {
        "w": "claimed/numerical is constant along each column (1, 2, 3): "
        "a factor of the column is wrong, an activation derivative?"
    }
    holes = np.array([[1.0, 2.0, 0.0], [3.0, 4.0, 5.0]])
    report = check_gradients(lambda w: np.sum(w * w), holes, grad=lambda w: 2 * w * [[3.0], [5.0]])
    assert "constant along each row (3, 5)" in report.entries[0].hint
    wide = np.arange(1.0, 11.0).reshape(2, 5)
    report = check_gradients(lambda w: np.sum(w * w), wide, grad=lambda w: 2 * w * np.arange(1, 6))
    assert "(1, 2, 3, 4, ...)" in report.entries[-1].hint


SQUARE = np.array([[1.0, 2.0], [3.0, 5.0]])


def test_places() -> None:
    def loss(a: Any, b: Any) -> Any:
        return np.sum(a**2) + np.sum(b**3)

    swapped = check_gradients(loss, [SQUARE, 2 * SQUARE], grad=lambda a, b: (3 * b**2, 2 * a))
    assert [entry.hint for entry in swapped.entries][::4] == [
        "it agrees with the gradient of b: were they swapped?",
        "it agrees with the gradient of a: were they swapped?",
    ]
    turned = check_gradients(loss, [SQUARE, SQUARE], grad=lambda a, b: (2 * a.T, 3 * b**2))
    assert turned.entries[1].hint == "it is transposed: claimed[i, j] agrees with numerical[j, i]"
    mixed = check_gradients(
        lambda w, b: np.sum((w * [[1.0, 3.0]]).sum(axis=1) + b),
        [SQUARE, B],
        grad=lambda w, b: (np.ones((2, 1)) * [[1.0, 3.0]], np.ones((2, 1)) * [[1.0, 3.0]]),
    )
    assert mixed.entries[-1].hint == "it agrees with the gradient of w: were they swapped?"


@pytest.mark.parametrize(
    ("claimed", "problem", "hint"),
    [
        (lambda w: 2 * w.reshape(3, 1), "of shape (3, 1)", "the numbers agree: reshape it from (3, 1) to (3,)"),
        (lambda w: np.outer(w, [0.5, 1.5]), "of shape (3, 2)", "its sum over axis 1 agrees"),
        (
            lambda w: np.outer(2 * w, [0.5, 1.5]),
            "of shape (3, 2)",
            "its mean over axis 1 agrees: the gradient is not averaged",
        ),
        (lambda w: [[1.0], [2.0, 3.0]], "a structure of 3 numbers ([0, 0], [1, 0], [1, 1])", ""),
        (
            lambda w: {f"p{i}": x for i, x in enumerate([*w, *w])},
            "a structure of 6 numbers (['p0'], ['p1'], ['p2'], ['p3'], ...)",
            "",
        ),
        (lambda w: 7.0, "a number", ""),
    ],
    ids=["column", "outer", "mean", "ragged", "mapping", "number"],
)
def test_wrong_forms(claimed: Any, problem: str, hint: str) -> None:
    report = check_gradients(lambda w: np.sum(w**2), {"w": np.array([1.0, 2.0, 3.0])}, grad=lambda w: {"w": claimed(w)})
    (entry,) = report.entries
    assert str(entry) == f"the claimed gradient is {problem}, the input is of shape (3,)"
    assert hint in entry.hint
    assert hint or not entry.hint


def test_more_wrong_forms() -> None:
    rectangle = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    report = check_gradients(lambda w: np.sum(w**2), rectangle, grad=lambda w: 2 * w.T)
    assert report.entries[0].hint == "its transpose agrees"
    report = check_gradients(np.sum, rectangle, grad=lambda w: 1.0)
    assert "it is not broadcast to the input's shape" in report.entries[0].hint
    large = np.ones((11, 10))
    report = check_gradients(np.sum, large, grad=lambda w: np.ones((10, 11)))
    assert not report.ok
    assert report.entries[0].hint == ""  # too many numbers to differentiate for a guess
