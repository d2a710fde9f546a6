"""Rows of `bench_compiler` that train small networks on points of the plane: moons and XOR."""

from __future__ import annotations

from functools import partial
from math import exp
from typing import Any

import numpy as np
from compiler_training import CHANCE, Array, Descent, Hand, Ours, Row, as_values, layers_of, leaves, pairs, peers

import engine
from engine.functions import dot

# --- moons: the loop of micrograd's demo, on anybody's scalars


def moons() -> Row:
    angle = CHANCE.uniform(0, np.pi, 100)
    upper = np.arange(100) % 2
    points = np.stack([np.cos(angle) + upper, np.where(upper, 0.5 - np.sin(angle), np.sin(angle))], 1)
    points += CHANCE.normal(0, 0.1, points.shape)
    signs = upper * 2.0 - 1
    start, optimizer = layers_of(2, 16, 16, 1), partial(Descent, 0.1)

    def peer(xp: Any, tables: list[Any], batch: Any) -> Any:
        x, y = batch
        (w, b), (v, c), (u, d) = pairs(tables)
        x = xp.where(x @ w.T + b > 0, x @ w.T + b, 0.0)
        x = xp.where(x @ v.T + c > 0, x @ v.T + c, 0.0)
        margins = 1 - y * (x @ u.T + d)[:, 0]
        return xp.mean(xp.where(margins > 0, margins, 0.0)) + 1e-4 * sum(xp.sum(t * t) for t in tables)

    batch = points, signs
    made = {
        "ours": lambda: Ours(lambda *tables: scalar_moons(tables, points, signs), start, [()], optimizer()),
        "numpy": lambda: Hand(moons_by_hand, start, [batch], optimizer()),
        "micrograd": lambda: MicrogradMoons(start, points, signs, 0.1),
        **peers(peer, start, [batch], optimizer, "autograd"),
    }
    return Row("moons 2-16-16-1, hinge loss, 100 examples, a step", made, "numpy", 1.1)


def scalar_moons(tables: Any, points: Array, signs: Array, make: Any = None) -> Any:
    """The loss of the whole batch in single `+` and `*`."""

    def neuron(w: Any, b: Any, x: Any, last: bool) -> Any:
        activation = sum((wi * xi for wi, xi in zip(w, x, strict=True)), b)
        return activation if last else activation.relu()

    def score(x: Any) -> Any:
        for layer, (weights, biases) in enumerate(pairs(tables)):
            x = [neuron(w, b, x, layer == 2) for w, b in zip(weights, biases, strict=True)]
        return x[0]

    def loss() -> Any:
        inputs = [list(map(make, row)) if make else row for row in points.tolist()]
        scores = list(map(score, inputs))
        losses = [(1 + -yi * scorei).relu() for yi, scorei in zip(signs.tolist(), scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        everything = [p for weights, biases in pairs(tables) for row in [*weights, biases] for p in row]
        return data_loss + 1e-4 * sum(p * p for p in everything)

    return loss


class MicrogradMoons:
    def __init__(self, start: list[Array], points: Array, signs: Array, rate: float) -> None:
        from micrograd.engine import Value

        def values(table: Array) -> Any:
            return [values(row) for row in table] if table.ndim else Value(float(table))

        tables = [values(table) for table in start]
        self.flat = [p for t in tables for row in t for p in (row if isinstance(row, list) else [row])]
        self.loss, self.rate, self.losses = scalar_moons(tables, points, signs, Value), rate, []

    def step(self) -> None:
        loss = self.loss()
        for p in self.flat:
            p.grad = 0
        loss.backward()
        for p in self.flat:
            p.data -= self.rate * p.grad
        self.losses.append(loss.data)

    def result(self) -> Array:
        return np.concatenate([self.losses, [p.data for p in self.flat]])


def moons_by_hand(tables: list[Array], slopes: list[Array]) -> Any:
    (w1, b1), (w2, b2), (w3, b3) = pairs(tables)
    (g1, c1), (g2, c2), (g3, c3) = pairs(slopes)
    h1, h2, d1, d2 = (np.empty((100, 16)) for _ in range(4))
    s, m = np.empty((100, 1)), np.empty(100)
    flat, gradient = (part[0].base if part[0].base is not None else part[0] for part in (tables, slopes))

    def compute(x: Array, y: Array) -> float:
        np.matmul(x, w1.T, out=h1)
        np.add(h1, b1, out=h1)
        np.maximum(h1, 0.0, out=h1)
        np.matmul(h1, w2.T, out=h2)
        np.add(h2, b2, out=h2)
        np.maximum(h2, 0.0, out=h2)
        np.matmul(h2, w3.T, out=s)
        np.add(s, b3, out=s)
        np.multiply(s[:, 0], y, out=m)
        np.subtract(1.0, m, out=m)
        np.maximum(m, 0.0, out=m)
        value = np.add.reduce(m) / 100 + 1e-4 * flat.dot(flat)
        np.multiply(m > 0, y, out=s[:, 0])
        np.multiply(s, -0.01, out=s)
        np.matmul(s.T, h2, out=g3)
        np.add.reduce(s, axis=0, out=c3)
        np.multiply(s, w3, out=d2)
        np.multiply(d2, h2 > 0, out=d2)
        np.matmul(d2.T, h1, out=g2)
        np.add.reduce(d2, axis=0, out=c2)
        np.matmul(d2, w2, out=d1)
        np.multiply(d1, h1 > 0, out=d1)
        np.matmul(d1.T, x, out=g1)
        np.add.reduce(d1, axis=0, out=c1)
        np.add(gradient, 2e-4 * flat, out=gradient)
        return float(value)

    return compute


# --- XOR: 10,000 steps, from nothing

XS = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
YS = [0.0, 1.0, 1.0, 0.0]


class Training:
    """A contender whose step is a whole training, with everything that it takes to begin."""

    def __init__(self, make: Any, steps: int) -> None:
        self.make, self.steps = make, steps

    def step(self) -> None:
        self.trained = self.make()
        for _ in range(self.steps):
            self.trained.step()

    def result(self) -> Array:
        return self.trained.result()[-13:]


def xor(steps: int = 10_000) -> Row:
    start, optimizer = [CHANCE.normal(size=t.shape) for t in layers_of(2, 3, 1)], partial(Descent, 0.4)
    batch = np.array(XS), np.array(YS)

    def numpy(tables: list[Array], slopes: list[Array]) -> Any:
        def compute(x: Array, y: Array) -> float:
            w, b, v, c = tables
            h = 1 / (1 + np.exp(-(x @ w.T + b)))
            o = 1 / (1 + np.exp(-(h @ v[0] + c)))
            d = (o - y) * o * (1 - o) / 4
            e = np.outer(d, v[0]) * h * (1 - h)
            slopes[0][:], slopes[1][:], slopes[2][:], slopes[3][:] = e.T @ x, e.sum(0), d @ h, d.sum()
            return 0.0

        return compute

    def peer(xp: Any, tables: list[Any], batch: Any) -> Any:
        (w, b, v, c), (x, y) = tables, batch
        h = 1 / (1 + xp.exp(-(x @ w.T + b)))
        o = 1 / (1 + xp.exp(-((h @ v.T)[:, 0] + c)))
        return 0.5 * xp.mean((o - y) ** 2)

    inner = {
        "numpy": lambda: Hand(numpy, start, [batch], optimizer()),
        **peers(peer, start, [batch], optimizer),
    }
    made: dict[str, Any] = {name: lambda make=make: Training(make, steps) for name, make in inner.items()}
    made["ours"], made["python"] = lambda: XorByUs(start, steps), lambda: XorByHand(start, steps)
    return Row(f"XOR 2-3-1, {steps:,} full-batch steps with compilation", made, "python", 1.3)


class XorByUs:
    """The whole training: compile, and descend on the flat numbers."""

    def __init__(self, start: list[Array], steps: int) -> None:
        self.start, self.steps = start, steps

    def step(self) -> None:
        w, b, v, c = [as_values(table) for table in self.start]

        def loss(x: Any, y: Any) -> Any:
            hidden = [(dot(row, x) + bias).sigmoid() for row, bias in zip(w, b, strict=True)]
            return 0.5 * ((dot(v[0], hidden) + c[0]).sigmoid() - y) ** 2

        compiled = engine.compile(loss)
        training = compiled.bind(XS, YS)
        numbers = compiled.take()
        for _ in range(self.steps):
            _, gradient = training.value_and_grad()
            for k, slope in enumerate(gradient):
                numbers[k] -= 0.4 * slope
        compiled.give_back()
        self.last = [value.data for table in (w, b, v, c) for value in leaves(table)]

    def result(self) -> Array:
        return np.array(self.last)


class XorByHand:
    """The whole training in local variables."""

    def __init__(self, start: list[Array], steps: int) -> None:
        self.start, self.steps = np.concatenate([t.ravel() for t in start]).tolist(), steps

    def step(self) -> None:
        a, b, c, d, e, f, g, h, i, j, k, m, n = self.start
        examples = [(*x, y) for x, y in zip(XS, YS, strict=True)]
        for _ in range(self.steps):
            da = db = dc = dd = de = df = dg = dh = di = dj = dk = dm = dn = 0.0
            for x, y, t in examples:
                p = 1 / (1 + exp(-(a * x + b * y + g)))
                q = 1 / (1 + exp(-(c * x + d * y + h)))
                r = 1 / (1 + exp(-(e * x + f * y + i)))
                o = 1 / (1 + exp(-(j * p + k * q + m * r + n)))
                u = (o - t) * o * (1 - o)
                dj += u * p
                dk += u * q
                dm += u * r
                dn += u
                v = u * j * p * (1 - p)
                da += v * x
                db += v * y
                dg += v
                v = u * k * q * (1 - q)
                dc += v * x
                dd += v * y
                dh += v
                v = u * m * r * (1 - r)
                de += v * x
                df += v * y
                di += v
            a, b, c, d = a - 0.1 * da, b - 0.1 * db, c - 0.1 * dc, d - 0.1 * dd
            e, f, g, h = e - 0.1 * de, f - 0.1 * df, g - 0.1 * dg, h - 0.1 * dh
            i, j, k, m, n = i - 0.1 * di, j - 0.1 * dj, k - 0.1 * dk, m - 0.1 * dm, n - 0.1 * dn
        self.last = [a, b, c, d, e, f, g, h, i, j, k, m, n]

    def result(self) -> Array:
        return np.array(self.last)
