"""One sigmoid neuron: its gradients by hand, by the engine and by finite differences, side by side.

Three weights, x = [0.5, 2.0, 3.0], target 0, squared error (t - a)^2, learning rate 0.1. Many texts write the error
signal of this loss as -(t - a). A factor 2 is missing there, and this demo shows what that does.

    python demos/neuron.py [--output neuron.svg]
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import nn
import viz
from engine import Value, functions, no_grad

INPUTS = [0.5, 2.0, 3.0]
TARGET = 0.0
WEIGHTS = [0.5, -0.2, 0.1]
LEARNING_RATE = 0.1
STEPS = 60


def forward(weights: list[Value]) -> tuple[Value, Value]:
    """The activation a = sigmoid(w . x) and the loss (t - a)^2."""
    inputs = [Value(x, label=f"x{i}") for i, x in enumerate(INPUTS, 1)]
    z = functions.dot(weights, inputs)
    z.label = "z"
    a = z.sigmoid()
    a.label = "a"
    loss = (TARGET - a) ** 2
    loss.label = "loss"
    return a, loss


def loss() -> Value:
    """The loss at the first weights, to step through: glassgrad step demos/neuron.py:loss"""
    return forward([Value(w, label=f"w{i}") for i, w in enumerate(WEIGHTS, 1)])[1]


def by_hand(weights: list[float], factor: float = 2.0) -> list[float]:
    """dL/dw_i = -factor (t - a) * a (1 - a) * x_i: with factor 2 the derivative of (t - a)^2; texts that write
    -(t - a) have factor 1."""
    z = sum(w * x for w, x in zip(weights, INPUTS, strict=True))
    a = 1 / (1 + math.exp(-z))
    return [-factor * (TARGET - a) * a * (1 - a) * x for x in INPUTS]


def by_difference(weights: list[float], step: float = 1e-5) -> list[float]:
    """(L(w + h) - L(w - h)) / 2h for each weight."""

    def moved(k: int, offset: float) -> float:
        with no_grad():
            return forward([Value(w + offset * (i == k)) for i, w in enumerate(weights)])[1].data

    return [(moved(k, step) - moved(k, -step)) / (2 * step) for k in range(len(weights))]


def descend(factor: float, steps: int) -> list[float]:
    """The loss at each step of gradient descent with hand-written gradients."""
    numbers, losses = list(WEIGHTS), []
    for _ in range(steps):
        with no_grad():
            losses.append(forward([Value(w) for w in numbers])[1].data)
        numbers = [w - LEARNING_RATE * g for w, g in zip(numbers, by_hand(numbers, factor), strict=True)]
    return losses


def show_gradients(weights: list[Value]) -> bool:
    """The table of gradients; whether hand, engine and difference agree."""
    numbers = [w.data for w in weights]
    right, wrong, difference = by_hand(numbers), by_hand(numbers, factor=1.0), by_difference(numbers)
    print("\ndL/dw three ways, and the formula without its factor 2:")
    print(f"  {'':4s} {'by hand':>12s} {'engine':>12s} {'difference':>12s} {'factor 1':>12s}   wrong / right")
    for k, weight in enumerate(weights):
        ratio = wrong[k] / weight.grad
        row = f"{right[k]:12.8f} {weight.grad:12.8f} {difference[k]:12.8f} {wrong[k]:12.8f}"
        print(f"  w{k + 1:<3d} {row}   {ratio:.6f}")
    agree = all(
        math.isclose(right[k], w.grad, rel_tol=1e-12) and math.isclose(difference[k], w.grad, rel_tol=1e-7)
        for k, w in enumerate(weights)
    )
    print("Hand, engine and difference agree." if agree else "They disagree.")
    return agree


def show_missing_factor() -> None:
    """Descent with the right and with half the gradient."""
    right, half = descend(2.0, STEPS), descend(1.0, 2 * STEPS)
    print("\nA gradient that is half of what it should be still points downhill, so nothing seems wrong:")
    print(f"  {'step':>6s} {'loss, right':>14s} {'loss, factor 1':>15s}")
    for step in range(0, STEPS, 10):
        print(f"  {step:6d} {right[step]:14.8f} {half[step]:15.8f}")
    late = next(step for step, loss in enumerate(half) if loss <= right[STEPS // 2])
    print(
        f"It learns as if the learning rate were {LEARNING_RATE / 2}: the loss that takes {STEPS // 2} steps with the "
        f"right gradient takes {late} without the factor.\nOnly a comparison with finite differences tells."
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; 0 if the three gradients agree."""
    parser = argparse.ArgumentParser(description="One sigmoid neuron, its gradients three ways.")
    parser.add_argument("--output", type=Path, default=Path("neuron.svg"), help="the picture (default: %(default)s)")
    options = parser.parse_args(arguments)

    weights = [Value(w, label=f"w{i}") for i, w in enumerate(WEIGHTS, 1)]
    a, loss = forward(weights)
    loss.backward()
    print(f"x = {INPUTS}, w = {WEIGHTS}, target {TARGET}: a = {a.data:.6f}, loss = {loss.data:.6f}\n")
    print(viz.tree(loss))
    agree = show_gradients(weights)
    show_missing_factor()
    path = viz.draw(loss).save(options.output)
    nn.SGD(LEARNING_RATE).step(weights)
    print(f"\nAfter one step the loss is {forward(weights)[1].data:.6f}. The graph before it: {path}")
    return 0 if agree else 1


if __name__ == "__main__":
    raise SystemExit(main())
