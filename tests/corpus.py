"""One hundred functions, each at a point where numerical differentiation is hard, or ought to be easy.

A function is written once, over a namespace `m` that offers `exp`, `log`, ... for floats (`math`) or for mpmath's
numbers; its true derivative is mpmath's, with 50 digits. Where the derivative does not exist, a case says what may be
claimed instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import mpmath

Function = Callable[[Any, Any], Any]


class Case:
    """A function at a point.

    `claim` is what a differentiation engine says where there is a kink or a vertical tangent; else the truth is asked.
    """

    def __init__(self, name: str, function: Function, x: float, claim: float | None = None) -> None:
        self.name = name
        self.function = function
        self.x = float(x)
        self.claim = claim

    def __call__(self, x: float) -> Any:
        return self.function(x, math)

    @cached_property
    def truth(self) -> Any:
        """The derivative at x, as an mpmath number."""
        with mpmath.workdps(50):
            return mpmath.diff(
                lambda x: self.function(x, mpmath.mp), mpmath.mpf(self.x), h=mpmath.mpf(10) ** -25 * abs(self.x or 1)
            )

    @cached_property
    def right(self) -> float:
        return float(self.truth) if self.claim is None else self.claim

    @property
    def can_be_wrong(self) -> bool:
        """Whether a factor makes the claim wrong."""
        return self.claim is None and self.right != 0.0


def sigmoid(x: Any, m: Any) -> Any:
    return 1 / (1 + m.exp(-x))


def relu(x: Any) -> Any:
    return x if x > 0 else 0 * x


def leaky_relu(x: Any) -> Any:
    return x if x > 0 else 0.01 * x


def softplus(x: Any, m: Any) -> Any:
    return relu(x) + m.log1p(m.exp(-abs(x)))


def huber(x: Any) -> Any:
    return 0.5 * x * x if abs(x) <= 1 else abs(x) - 0.5


def small_network(x: Any, m: Any) -> Any:
    first, second = m.tanh(0.7 * x + 0.1), m.tanh(0.4 - 1.3 * x)
    return (sigmoid(0.5 * first - 0.8 * second + 0.2, m) - 0.3) ** 2


def cancelling_sum(x: Any, m: Any) -> Any:
    """1275 x, hidden under terms that cancel."""
    total = 0 * x
    for i in range(1, 51):
        total = total + (1e5 * i + x * i)
    for i in range(1, 51):
        total = total - 1e5 * i
    return total


def fourier_sum(x: Any, m: Any) -> Any:
    total = 0 * x
    for i in range(1, 301):
        total = total + m.sin(i * x) / i
    return total


def expanded_power(x: Any, m: Any) -> Any:
    """(x - 1)**7, multiplied out: all cancellation near 1."""
    return x**7 - 7 * x**6 + 21 * x**5 - 35 * x**4 + 35 * x**3 - 21 * x**2 + 7 * x - 1


def hinges(x: Any, m: Any) -> Any:
    total = 0 * x
    for i in range(-9, 10):
        total = total + relu(0.1 * i * x - 0.03 * i * i + 0.02)
    return total


SMOOTH = [
    Case("square", lambda x, m: x**2, 3.0),
    Case("cube", lambda x, m: x**3, -1.7),
    Case("sine", lambda x, m: m.sin(x), 1.0),
    Case("exponential", lambda x, m: m.exp(x), 0.5),
    Case("tanh", lambda x, m: m.tanh(x), 0.3),
    Case("logarithm", lambda x, m: m.log(x), 2.0),
    Case("square root", lambda x, m: m.sqrt(x), 2.0),
    Case("reciprocal", lambda x, m: 1 / x, 0.7),
    Case("arc tangent", lambda x, m: m.atan(x), 5.0),
    Case("sigmoid", sigmoid, 0.2),
    Case("softplus", softplus, -1.0),
    Case("gelu", lambda x, m: 0.5 * x * (1 + m.erf(x / m.sqrt(2))), 0.5),
    Case("damped sine", lambda x, m: x * m.sin(x) * m.exp(-x), 1.3),
    Case("logsumexp", lambda x, m: m.log(m.exp(x) + m.exp(2 * x) + m.exp(m.sin(x))), 0.4),
    Case("polynomial of degree 9", lambda x, m: x**9 - 3 * x**5 + x, 0.8),
    Case("x to the x", lambda x, m: m.exp(x * m.log(x)), 1.5),
    Case("swish", lambda x, m: x * sigmoid(x, m), -2.0),
    Case("small network", small_network, 0.6),
    Case("cosh", lambda x, m: m.cosh(x), -2.0),
    Case("constant", lambda x, m: 5.0 + 0 * x, 0.3),
    Case("square at its minimum", lambda x, m: x * x, 0.0),
    Case("cosine at its maximum", lambda x, m: m.cos(x), 0.0),
    Case("fourth power at its minimum", lambda x, m: x**4, 0.0),
    Case("loss and weight decay", lambda x, m: (m.sin(3 * x) - 0.2) ** 2 + 1e-4 * x * x, 0.5),
]

SCALES = [
    Case("exponential, large", lambda x, m: m.exp(x), 300.0),
    Case("exponential, small", lambda x, m: m.exp(x), -300.0),
    Case("exponential, near overflow", lambda x, m: m.exp(x), 709.0),
    Case("tail of a Gaussian", lambda x, m: m.exp(-x * x), 6.0),
    Case("sigmoid, saturated at 1", sigmoid, 40.0),
    Case("sigmoid, saturated at 0", sigmoid, -40.0),
    Case("tanh, saturated", lambda x, m: m.tanh(x), 15.0),
    Case("log1p near 0", lambda x, m: m.log1p(x), 1e-12),
    Case("expm1 near 0", lambda x, m: m.expm1(x), 1e-12),
    Case("logarithm near 0", lambda x, m: m.log(x), 1e-12),
    Case("logarithm at the edge of range", lambda x, m: m.log(x), 1e-300),
    Case("square root near 0", lambda x, m: m.sqrt(x), 1e-10),
    Case("power one half near 0", lambda x, m: x**0.5, 1e-6),
    Case("fast sine", lambda x, m: m.sin(1e4 * x), 0.3),
    Case("sine of a reciprocal", lambda x, m: m.sin(1 / x), 1e-3),
    Case("tangent near a pole", lambda x, m: m.tan(x), 1.5707),
    Case("tangent at a pole", lambda x, m: m.tan(x), 1.57079632),
    Case("reciprocal near its pole", lambda x, m: 1 / x, 1e-8),
    Case("x to the x near 0", lambda x, m: m.exp(x * m.log(x)), 1e-5),
    Case("sine, far out", lambda x, m: m.sin(x), 1e6),
    Case("square, far out", lambda x, m: x * x, 1e12),
    Case("logarithm, far out", lambda x, m: m.log(x), 1e15),
    Case("tenth power, far out", lambda x, m: x**10, 1e3),
    Case("large sine", lambda x, m: 1e10 * m.sin(x), 1.0),
    Case("small sine", lambda x, m: 1e-10 * m.sin(x), 1.0),
    Case("tiny cube", lambda x, m: 1e-30 * x**3, 2.0),
    Case("smoothed absolute value", lambda x, m: m.sqrt(x * x + 1e-12), 1e-7),
    Case("sharp softplus", lambda x, m: softplus(100 * x, m) / 100, 0.01),
    Case("narrow Gaussian", lambda x, m: m.exp(-((x / 1e-4) ** 2)), 1e-4),
    Case("log cosh", lambda x, m: m.log(m.cosh(x)), 20.0),
    Case("cube root near 0", lambda x, m: x ** (1 / 3), 1e-9),
    Case("steep exponential", lambda x, m: m.exp(1e3 * x), 0.01),
]

NOISE = [
    Case("sine on a large constant", lambda x, m: 1e8 + m.sin(x), 1.0),
    Case("square on a huge constant", lambda x, m: 1e12 + x * x, 1.0),
    Case("rounded to a grid", lambda x, m: (x + 1e8) - 1e8, 0.3),
    Case("sine rounded to a grid", lambda x, m: ((m.sin(x) + 1e8) - 1e8) - 0.2955, 0.3),
    Case("cancelling sum", cancelling_sum, 0.7),
    Case("Fourier sum", fourier_sum, 1.1),
    Case("1 - cos x", lambda x, m: 1 - m.cos(x), 1e-4),
    Case("(1 - cos x) / x²", lambda x, m: (1 - m.cos(x)) / x**2, 1e-3),
    Case("x - sin x", lambda x, m: x - m.sin(x), 1e-2),
    Case("x - sin x, smaller", lambda x, m: x - m.sin(x), 1e-6),
    Case("(x - 1)**7 multiplied out", expanded_power, 1.3),
    Case("(x - 1)**7 multiplied out, near 1", expanded_power, 1.01),
    Case("naive softplus", lambda x, m: m.log(1 + m.exp(x)), 30.0),
    Case("naive softmax", lambda x, m: m.exp(x) / (m.exp(x) + m.exp(m.cos(x))), 20.0),
]

NEAR_KINKS = [
    Case("relu, 1e-4 from its kink", lambda x, m: relu(x), 1e-4),
    Case("relu, 1e-7 from its kink", lambda x, m: relu(x), 1e-7),
    Case("relu, 1e-9 from its kink", lambda x, m: relu(x), -1e-9),
    Case("abs near 0", lambda x, m: abs(x), 1e-8),
    Case("abs near 0, on a constant", lambda x, m: abs(x) + 1000, 1e-6),
    Case("max near a tie", lambda x, m: max(x, 1 - x), 0.50001),
    Case("leaky relu near 0", lambda x, m: leaky_relu(x), -1e-6),
    Case("huber near its seam", lambda x, m: huber(x), 1 - 1e-7),
    Case("sum of hinges", hinges, 0.3),
    Case("clamp near its end", lambda x, m: min(max(x, 0), 1), 1 - 1e-7),
    Case("relu squared near 0", lambda x, m: relu(x) ** 2, 1e-8),
    Case("relu times cosine near 0", lambda x, m: relu(x) * m.cos(x) + 3, 1e-5),
]

AT_KINKS = [
    Case("relu at 0, slope of the left", lambda x, m: relu(x), 0.0, claim=0.0),
    Case("relu at 0, slope of the right", lambda x, m: relu(x), 0.0, claim=1.0),
    Case("abs at 0, slope between", lambda x, m: abs(x), 0.0, claim=0.0),
    Case("abs at 0, slope of the right", lambda x, m: abs(x), 0.0, claim=1.0),
    Case("max at a tie, slope of the right", lambda x, m: max(x, 1 - x), 0.5, claim=1.0),
    Case("max at a tie, slope between", lambda x, m: max(x, 1 - x), 0.5, claim=0.0),
    Case("leaky relu at 0", lambda x, m: leaky_relu(x), 0.0, claim=0.01),
    Case("relu6 at 6", lambda x, m: min(max(x, 0), 6), 6.0, claim=0.0),
    Case("absolute value and sine at 0", lambda x, m: abs(x) + m.sin(x), 0.0, claim=1.0),
]

EDGES = [
    Case("square root at 0", lambda x, m: m.sqrt(x), 0.0, claim=math.inf),
    Case("arc sine at 1", lambda x, m: m.asin(x), 1.0, claim=math.inf),
    Case("x log x at 0", lambda x, m: x * m.log(x) if x else 0 * x, 0.0, claim=-math.inf),
    Case("power three halves at 0", lambda x, m: x * m.sqrt(x), 0.0, claim=0.0),
    Case("arc cosine near 1", lambda x, m: m.acos(x), 1 - 1e-12),
    Case("circle near its end", lambda x, m: m.sqrt(1 - x * x), 1 - 1e-9),
    Case("log1p near -1", lambda x, m: m.log1p(x), -1 + 1e-10),
    Case("x log x near 0", lambda x, m: x * m.log(x), 1e-12),
    Case("power one tenth near 0", lambda x, m: x**0.1, 1e-10),
]

CORPUS = [*SMOOTH, *SCALES, *NOISE, *NEAR_KINKS, *AT_KINKS, *EDGES]

WRONG: dict[str, Callable[[float], float]] = {
    "1e-2": lambda claim: claim * 1.01,
    "1e-4": lambda claim: claim * 1.0001,
    "1e-6": lambda claim: claim * 1.000001,
    "half": lambda claim: claim / 2,
    "sign": lambda claim: -claim,
}
"""Ways for a right derivative to become wrong."""

NOTICED = {"1e-2": 79, "1e-4": 75, "1e-6": 70, "half": 80, "sign": 80}
"""How many of the 82 cases that can be wrong have to be noticed: the others hide below what float64 can show."""
