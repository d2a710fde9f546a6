"""Models in plain scalar Python, for the compiler: each spells out loops over numbers, as a reader would."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import nn
from engine import Value, functions
from engine.functions import dot, logsumexp

Numbers = Sequence[Any]


def matrix(chance: random.Random, rows: int, columns: int, size: float = 0.08) -> list[list[Value]]:
    return [[Value(chance.gauss(0, size)) for _ in range(columns)] for _ in range(rows)]


def moons(examples: int, leaves: bool) -> Callable[[], Value]:
    """A hinge loss over a whole batch, spelled in single + and *, with weight decay: micrograd's demo, 2-16-16-1."""
    chance = random.Random(1)
    layers = [(matrix(chance, n, m, 0.7), [Value(0.0) for _ in range(n)]) for m, n in ((2, 16), (16, 16), (16, 1))]
    points = [[chance.gauss(0, 1), chance.gauss(0, 1)] for _ in range(examples)]
    signs = [chance.choice((-1, 1)) for _ in points]

    def score(x: Numbers) -> Value:
        for k, (weights, biases) in enumerate(layers):
            sums = [
                sum((w * v for w, v in zip(row, x, strict=True)), b) for row, b in zip(weights, biases, strict=True)
            ]
            x = [s.relu() for s in sums] if k < 2 else sums
        return x[0]  # type: ignore[no-any-return]

    def loss() -> Value:
        inputs = [[Value(number) for number in point] for point in points] if leaves else points
        losses = [(1 + -sign * score(x)).relu() for sign, x in zip(signs, inputs, strict=True)]
        everything = [p for weights, biases in layers for row in [*weights, biases] for p in row]
        return sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in everything)

    return loss


def classifier(sizes: Sequence[int]) -> Callable[[Numbers, Numbers], Value]:
    """Softmax cross-entropy of a perceptron."""
    model = nn.MLP(sizes[0], sizes[1:], "relu", seed=0)

    def loss(x: Numbers, target: Numbers) -> Value:
        scores = model(x)
        return logsumexp(scores) - dot(target, scores)

    return loss


def transformer(tables: Any = None, width: int = 16, heads: int = 4) -> Callable[..., Value]:
    """One causal block over a text of one-hot letters: the mean cross-entropy of the next letter.

    `tables` are the weights; without them there are 27 letters and at most 16 places.
    """
    chance, each = random.Random(0), width // heads
    sizes = [(27, width), (16, width), (27, width), *[(width, width)] * 4, (4 * width, width), (width, 4 * width)]
    letter, place, out, query, key, value, mix, up, down = tables or [matrix(chance, *size) for size in sizes]

    def through(weights: Sequence[Numbers], x: Numbers) -> list[Any]:
        return [dot(row, x) for row in weights]

    def normed(x: Numbers) -> list[Any]:
        scale = (dot(x, x) * (1 / len(x)) + 1e-5) ** -0.5
        return [v * scale for v in x]

    def attended(q: Numbers, keys: Sequence[Numbers], values: Sequence[Numbers]) -> list[Any]:
        mixed = []
        for start in range(0, width, each):
            part = slice(start, start + each)
            shares = functions.softmax([dot(q[part], k[part]) * each**-0.5 for k in keys])
            mixed += [dot(shares, [v[j] for v in values]) for j in range(start, start + each)]
        return mixed

    def loss(text: Sequence[Numbers], targets: Sequence[Numbers]) -> Value:
        keys: list[Numbers] = []
        values: list[Numbers] = []
        losses = []
        for position, (x, target) in enumerate(zip(text, targets, strict=True)):
            embedded = [
                dot(x, column) + p for column, p in zip(zip(*letter, strict=True), place[position], strict=True)
            ]
            before = normed(embedded)
            x = normed(before)
            keys.append(through(key, x))
            values.append(through(value, x))
            x = [a + b for a, b in zip(through(mix, attended(through(query, x), keys, values)), before, strict=True)]
            hidden = [v.relu() for v in through(up, normed(x))]
            x = [a + b for a, b in zip(through(down, hidden), x, strict=True)]
            scores = through(out, x)
            losses.append(logsumexp(scores) - dot(target, scores))
        return functions.mean(losses)

    return loss


def lotka_volterra(steps: int) -> Callable[[], Value]:
    """Hunters and prey after so many Runge-Kutta steps, four parameters: a narrow and deep graph."""
    a, b, c, d = (Value(v) for v in (1.5, 1.0, 3.0, 1.0))
    h = 0.05

    def slope(x: Any, y: Any) -> tuple[Any, Any]:
        return a * x - b * x * y, d * x * y - c * y

    def loss() -> Value:
        x: Any = Value(1.0)
        y: Any = Value(1.0)
        for _ in range(steps):
            k1 = slope(x, y)
            k2 = slope(x + h / 2 * k1[0], y + h / 2 * k1[1])
            k3 = slope(x + h / 2 * k2[0], y + h / 2 * k2[1])
            k4 = slope(x + h * k3[0], y + h * k3[1])
            x = x + h / 6 * (k1[0] + 2 * k2[0] + 2 * k3[0] + k4[0])
            y = y + h / 6 * (k1[1] + 2 * k2[1] + 2 * k3[1] + k4[1])
        return (x - 1) ** 2 + (y - 2) ** 2  # type: ignore[no-any-return]

    return loss


def xor() -> Callable[[Numbers, Value], Value]:
    """Half squared error of a 2-3-1 network of sigmoids: demos/xor.py for one example."""
    model = nn.MLP(2, [3, 1], "sigmoid", "sigmoid", seed=0)
    return lambda x, y: 0.5 * (model(x)[0] - y) ** 2


def logistic(features: int) -> Callable[[Numbers, Value], Value]:
    """Cross-entropy of a logistic regression with weight decay."""
    weights, bias = [Value(0.1 * k - 0.2) for k in range(features)], Value(0.3)

    def loss(x: Numbers, y: Value) -> Value:
        score = dot(weights, x) + bias
        return functions.softplus(score) - y * score + 0.01 * functions.sum([w**2 for w in weights])

    return loss


def rosenbrock(size: int) -> Callable[[], Value]:
    """The sum over neighbours of 100 (b - a^2)^2 + (1 - a)^2."""
    xs = [Value(0.3 * (-1) ** k + 0.01 * k) for k in range(size)]
    return lambda: functions.sum([100 * (b - a**2) ** 2 + (1 - a) ** 2 for a, b in pairwise(xs)])


def recurrence(width: int) -> Callable[[Sequence[Numbers], Value], Value]:
    """A recurrent network: the same weights at every step of a sequence, then a linear readout and squared error."""
    chance = random.Random(2)
    inward, across, out = matrix(chance, width, 2, 0.7), matrix(chance, width, width, 0.7), matrix(chance, 1, width)[0]

    def loss(sequence: Sequence[Numbers], y: Value) -> Value:
        state: list[Any] = [0.0] * width
        for x in sequence:
            state = [(dot(u, x) + dot(v, state)).tanh() for u, v in zip(inward, across, strict=True)]
        return functions.square(dot(out, state) - y)

    return loss


def convolution(channels: int) -> Callable[[Sequence[Numbers], Value], Value]:
    """3 by 3 windows over a picture, the largest of each channel, and a hinge."""
    chance = random.Random(3)
    kernels, readout = [matrix(chance, 3, 3, 0.5) for _ in range(channels)], matrix(chance, 1, channels, 0.5)[0]

    def loss(picture: Sequence[Numbers], sign: Value) -> Value:
        rows, columns = range(len(picture) - 2), range(len(picture[0]) - 2)
        window = [(a, b) for a in range(3) for b in range(3)]
        largest = [
            functions.max([sum(w[a][b] * picture[i + a][j + b] for a, b in window) for i in rows for j in columns])
            for w in kernels
        ]
        return (1 - sign * dot(readout, largest)).relu()

    return loss


def option() -> Callable[[Value, Value, Value], Value]:
    """A European call by Black and Scholes, "The pricing of options and corporate liabilities", 1973."""
    rate, volatility = Value(0.05), Value(0.2)

    def below(x: Value) -> Value:
        return 0.5 * functions.erfc(-x / 2**0.5)

    def price(spot: Value, strike: Value, years: Value) -> Value:
        spread = volatility * years.sqrt()
        first = ((spot / strike).log() + (rate + volatility**2 / 2) * years) / spread
        return spot * below(first) - strike * (-rate * years).exp() * below(first - spread)

    return price
