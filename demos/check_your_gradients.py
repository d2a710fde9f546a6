"""Five hand-written backward passes, mistakes and all, under the gradient checker.

They are the kinds of mistakes that texts on backpropagation print: a missing factor, a forgotten sigmoid derivative, a
gradient that was not summed over the batch, an error signal mixed up with a weight gradient, a derivative fed with
the wrong argument. Each is told apart, each with a hint; the corrected version passes. It is all NumPy: the checker
does not care who wrote the derivative, or in what.

    python demos/check_your_gradients.py
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from engine import GradientReport, check_gradients

Gradient = Callable[..., Any]
Parameters = dict[str, Any]


class Derivation(NamedTuple):
    """A loss with a wrong and a right gradient."""

    title: str
    what_went_wrong: str
    loss: Callable[..., Any]
    parameters: Parameters
    wrong: Gradient
    right: Gradient


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


# --- 1. one neuron: three weights, loss (t - a)^2

NEURON_INPUT, NEURON_TARGET = np.array([0.5, 2.0, 3.0]), 0.0


def neuron_loss(w: Any) -> Any:
    return (NEURON_TARGET - sigmoid(w @ NEURON_INPUT)) ** 2


def neuron_gradient(factor: float) -> Gradient:
    def gradient(w: Any) -> Any:
        a = sigmoid(w @ NEURON_INPUT)
        return {"w": -factor * (NEURON_TARGET - a) * a * (1 - a) * NEURON_INPUT}

    return gradient


# --- 2 to 5. a 2-3-1 network of sigmoids on XOR, half squared error; examples are columns

X = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
Y = np.array([[0.0, 1.0, 1.0, 0.0]])


def network_parameters() -> Parameters:
    """Fixed numbers of ordinary size, so that every run prints the same."""
    chance = np.random.default_rng(4)
    shapes = {"W1": (3, 2), "b1": (3, 1), "W2": (1, 3), "b2": (1, 1)}
    return {name: chance.normal(size=shape) for name, shape in shapes.items()}


def network(x: Any, p: Parameters) -> tuple[Any, Any, Any, Any]:
    """Pre-activations and activations of both layers."""
    z1 = p["W1"] @ x + p["b1"]
    a1 = sigmoid(z1)
    z2 = p["W2"] @ a1 + p["b2"]
    return z1, a1, z2, sigmoid(z2)


def network_loss(x: Any, y: Any) -> Callable[..., Any]:
    """J = 1/2 sum (a - y)^2."""

    def loss(**p: Any) -> Any:
        return 0.5 * np.sum((network(x, p)[-1] - y) ** 2)

    return loss


def backward(x: Any, y: Any, p: Parameters) -> Parameters:
    """The backward pass as it should be."""
    _, a1, _, a2 = network(x, p)
    delta2 = (a2 - y) * a2 * (1 - a2)
    delta1 = p["W2"].T @ delta2 * a1 * (1 - a1)
    return {
        "W1": delta1 @ x.T, "b1": delta1.sum(axis=1, keepdims=True),
        "W2": delta2 @ a1.T, "b2": delta2.sum(axis=1, keepdims=True),
    }  # fmt: skip


def right_for(x: Any, y: Any) -> Gradient:
    return lambda **p: backward(x, y, p)


def without_sigmoid_derivative(**p: Any) -> Parameters:
    """delta_out = a - y: right for cross-entropy, wrong for squared error."""
    x, y = X[:, 1:2], Y[:, 1:2]
    _, a1, _, a2 = network(x, p)
    delta2 = a2 - y
    delta1 = p["W2"].T @ delta2 * a1 * (1 - a1)
    return {"W1": delta1 @ x.T, "b1": delta1, "W2": delta2 @ a1.T, "b2": delta2}


def without_the_sum_over_the_batch(**p: Any) -> Parameters:
    """The biases' gradients keep one column for each example: (units x batch) for a bias of (units x 1)."""
    _, a1, _, a2 = network(X, p)
    delta2 = (a2 - Y) * a2 * (1 - a2)
    delta1 = p["W2"].T @ delta2 * a1 * (1 - a1)
    return {"W1": delta1 @ X.T, "b1": delta1, "W2": delta2 @ a1.T, "b2": delta2}


def with_a_weight_gradient_for_delta(**p: Any) -> Parameters:
    """delta = dL/dy dy/dz dz/dW: the output layer's weight gradient, taken for the error of the hidden layer."""
    x, y = X[:, 1:2], Y[:, 1:2]
    _, a1, _, a2 = network(x, p)
    delta2 = (a2 - y) * a2 * (1 - a2)
    delta1 = (delta2 * a1).T  # dz/dW = a1; it should be W2.T delta2 a1 (1 - a1), a column
    return {"W1": delta1.T @ x.T, "b1": delta1, "W2": delta2 @ a1.T, "b2": delta2}


def with_the_derivative_of_the_wrong_argument(**p: Any) -> Parameters:
    """x (1 - x) is the sigmoid's derivative if x is the activation; here it gets the pre-activation."""

    def sigmoid_derivative(x: Any) -> Any:
        return x * (1 - x)

    x, y = X[:, 3:], Y[:, 3:]
    z1, a1, _, a2 = network(x, p)
    delta2 = (a2 - y) * sigmoid_derivative(a2)
    delta1 = p["W2"].T @ delta2 * sigmoid_derivative(z1)
    return {"W1": delta1 @ x.T, "b1": delta1, "W2": delta2 @ a1.T, "b2": delta2}


def derivations() -> list[Derivation]:
    """The five."""
    one_x, one_y, parameters = X[:, 1:2], Y[:, 1:2], network_parameters()
    one, batch = network_loss(one_x, one_y), network_loss(X, Y)
    return [
        Derivation(
            "One neuron, loss (t - a)^2", "its derivative is coded as -(t - a): a factor 2 is missing",
            neuron_loss, {"w": np.array([0.5, -0.2, 0.1])}, neuron_gradient(1.0), neuron_gradient(2.0),
        ),
        Derivation(
            "2-3-1 network, one example", "delta_out = a - y lacks sigmoid'(z_out), right for cross-entropy",
            one, parameters, without_sigmoid_derivative, right_for(one_x, one_y),
        ),
        Derivation(
            "2-3-1 network, batch of four", "the biases' gradients are not summed over the batch",
            batch, parameters, without_the_sum_over_the_batch, right_for(X, Y),
        ),
        Derivation(
            "2-3-1 network, one example", "dL/dy dy/dz dz/dW is taken for the hidden layer's error",
            one, parameters, with_a_weight_gradient_for_delta, right_for(one_x, one_y),
        ),
        Derivation(
            "2-3-1 network, one example", "sigmoid' = x (1 - x) is given the pre-activation",
            network_loss(X[:, 3:], Y[:, 3:]), parameters,
            with_the_derivative_of_the_wrong_argument, right_for(X[:, 3:], Y[:, 3:]),
        ),
    ]  # fmt: skip


def check(derivation: Derivation) -> tuple[GradientReport, GradientReport]:
    """The reports on the wrong and on the right gradient."""
    wrong, right = (
        check_gradients(derivation.loss, derivation.parameters, grad=gradient)
        for gradient in (derivation.wrong, derivation.right)
    )
    return wrong, right


def main() -> int:
    """Run the demo; 0 if every mistake is caught and every correction passes."""
    caught = 0
    for number, derivation in enumerate(derivations(), 1):
        wrong, right = check(derivation)
        print(f"{number}. {derivation.title}\n   The mistake: {derivation.what_went_wrong}.\n")
        print("\n".join(f"   {line}" for line in str(wrong).splitlines()))
        print(f"\n   corrected: {str(right).splitlines()[0]}\n")
        caught += not wrong.ok and right.ok
    print(f"{caught} of 5 mistakes caught, and their corrections pass.")
    return 0 if caught == 5 else 1


if __name__ == "__main__":
    raise SystemExit(main())
