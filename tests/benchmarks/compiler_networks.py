"""Rows of `bench_compiler` that train networks: moons, XOR, classifiers, a Transformer."""

from __future__ import annotations

import sys
from functools import partial
from itertools import pairwise
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
from compiler_training import Adam, Array, Descent, Hand, Ours, Row, as_values, leaves, peers

import engine
from engine.functions import dot, logsumexp

sys.path.append(str(Path(__file__).parent.parent))
import models

CHANCE = np.random.default_rng(1)


def layers_of(*sizes: int, dtype: str = "float64") -> list[Array]:
    """Weights and biases, layer by layer."""
    tables: list[Array] = []
    for inputs, outputs in pairwise(sizes):
        tables += [CHANCE.normal(0, inputs**-0.5, (outputs, inputs)).astype(dtype), np.zeros(outputs, dtype)]
    return tables


def pairs(tables: Any) -> list[tuple[Any, Any]]:
    """Weights with their biases."""
    return list(zip(tables[::2], tables[1::2], strict=True))


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


# --- classifiers


def classifier(sizes: tuple[int, ...], batch: int, dtype: str, aim: float) -> Row:
    start = layers_of(*sizes, dtype=dtype)
    batches = [
        (
            (CHANCE.random((batch, sizes[0])) * (CHANCE.random((batch, sizes[0])) < 0.3)).astype(dtype),
            np.eye(sizes[-1], dtype=dtype)[CHANCE.integers(0, sizes[-1], batch)],
        )
        for _ in range(20)
    ]

    def peer(xp: Any, tables: list[Any], batch: Any) -> Any:
        x, target = batch
        *hidden, (w, b) = pairs(tables)
        for v, c in hidden:
            s = x @ v.T + c
            x = xp.where(s > 0, s, 0.0)
        s = x @ w.T + b
        total = xp.logsumexp(s, 1) if hasattr(xp, "logsumexp") else xp.log(xp.sum(xp.exp(s), axis=1))
        return xp.mean(total - xp.sum(target * s, axis=1))

    made = {
        "ours": lambda: Ours(scalar_classifier, start, batches, Adam(), dtype=dtype),
        "numpy": lambda: Hand(partial(classifier_by_hand, batch), start, batches, Adam()),
        **peers(peer, start, batches, Adam),
    }
    title = f"{'-'.join(map(str, sizes))}, Adam, batch {batch}, {dtype}, a step"
    return Row(title, made, "numpy", aim, 1e-10 if dtype == "float64" else 1e-4)


def scalar_classifier(*tables: Any) -> Any:
    *hidden, (weights, biases) = pairs(tables)

    def loss(x: Any, target: Any) -> Any:
        for w, b in hidden:
            x = [(dot(row, x) + bias).relu() for row, bias in zip(w, b, strict=True)]
        scores = [dot(row, x) + bias for row, bias in zip(weights, biases, strict=True)]
        return logsumexp(scores) - dot(target, scores)

    return loss


def classifier_by_hand(batch: int, tables: list[Array], slopes: list[Array]) -> Any:
    dtype = tables[0].dtype
    layers, gradients = pairs(tables), pairs(slopes)
    values = [np.empty((batch, len(b)), dtype) for _, b in layers]
    backs = [np.empty_like(v) for v in values]
    masks = [np.empty(v.shape, bool) for v in values]
    peak, total = np.empty((batch, 1), dtype), np.empty((batch, 1), dtype)

    def compute(x: Array, target: Array) -> float:
        inputs = [x, *values[:-1]]
        for k, (w, b) in enumerate(layers):
            np.matmul(inputs[k], w.T, out=values[k])
            np.add(values[k], b, out=values[k])
            if k + 1 < len(layers):
                np.maximum(values[k], 0.0, out=values[k])
        scores, d = values[-1], backs[-1]
        np.maximum.reduce(scores, axis=1, keepdims=True, out=peak)
        np.subtract(scores, peak, out=scores)
        value = -np.vdot(scores, target)
        np.exp(scores, out=d)
        np.add.reduce(d, axis=1, keepdims=True, out=total)
        value += np.log(total).sum()
        np.divide(d, total, out=d)
        np.subtract(d, target, out=d)
        np.multiply(d, 1 / batch, out=d)
        for k in range(len(layers) - 1, -1, -1):
            gw, gb = gradients[k]
            np.matmul(backs[k].T, inputs[k], out=gw)
            np.add.reduce(backs[k], axis=0, out=gb)
            if k:
                np.matmul(backs[k], layers[k][0], out=backs[k - 1])
                np.greater(inputs[k], 0.0, out=masks[k - 1])
                np.multiply(backs[k - 1], masks[k - 1], out=backs[k - 1])
        return float(value) / batch

    return compute


# --- a Transformer of one block


def transformer(dtype: str = "float64") -> Row:
    start = [
        CHANCE.normal(0, 0.08, size).astype(dtype)
        for size in [(27, 16), (16, 16), (27, 16), *[(16, 16)] * 4, (64, 16), (16, 64)]
    ]
    letters = [np.array([26, *CHANCE.integers(0, 26, 6), 26]) for _ in range(20)]
    texts = [(np.eye(27, dtype=dtype)[name[:-1]], np.eye(27, dtype=dtype)[name[1:]]) for name in letters]
    mask = np.where(np.tri(7) > 0, 0.0, -1e30).astype(dtype)

    def peer(xp: Any, tables: list[Any], batch: Any) -> Any:
        (letter, place, out, query, key, value, mix, up, down), (text, targets, mask) = tables, batch

        def normed(x: Any) -> Any:
            return x * (xp.mean(x * x, axis=1) + 1e-5)[:, None] ** -0.5

        def heads(x: Any) -> Any:
            return x.reshape(-1, 4, 4).swapaxes(0, 1)

        before = normed(text @ letter + place[: len(text)])
        x = normed(before)
        shares = xp.exp(heads(x @ query.T) @ heads(x @ key.T).swapaxes(1, 2) * 0.5 + mask)
        shares = shares / xp.sum(shares, axis=2)[:, :, None]
        x = (shares @ heads(x @ value.T)).swapaxes(0, 1).reshape(-1, 16) @ mix.T + before
        hidden = normed(x) @ up.T
        scores = (xp.where(hidden > 0, hidden, 0.0) @ down.T + x) @ out.T
        return xp.mean(xp.log(xp.sum(xp.exp(scores), axis=1)) - xp.sum(scores * targets, axis=1))

    made = {
        "ours": lambda: Ours(
            lambda *tables: models.transformer(tables), start, [(x[None], y[None]) for x, y in texts], Adam(),
            dtype=dtype,
        ),
        "numpy": lambda: Hand(transformer_by_hand, start, [(*text, mask) for text in texts], Adam()),
        **peers(peer, start, [(*text, mask) for text in texts], Adam),
    }  # fmt: skip
    title = f"Transformer, 1 block, 16 wide, 4 heads, 7 letters, Adam, {dtype}, a step"
    return Row(title, made, "numpy", 1.1, 1e-10 if dtype == "float64" else 1e-4)


def transformer_by_hand(tables: list[Array], slopes: list[Array]) -> Any:
    letter, place, out, _, _, _, mix, up, down = tables
    whole, steps = (part[3].base if part[3].base is not None else part[3] for part in (tables, slopes))
    at = letter.size + place.size + out.size
    table, dtable = whole[at : at + 768].reshape(48, 16), steps[at : at + 768].reshape(48, 16)

    def normed(x: Array) -> tuple[Array, Array]:
        scale = (np.einsum("ij,ij->i", x, x)[:, None] / 16 + 1e-5) ** -0.5
        return x * scale, scale

    def back(d: Array, x: Array, scale: Array) -> Array:
        return d * scale - x * (scale**3 * (np.einsum("ij,ij->i", d, x)[:, None] / 16))

    def heads(x: Array) -> Array:
        return x.reshape(-1, 4, 4).swapaxes(0, 1)

    def compute(text: Array, targets: Array, mask: Array) -> float:
        count = len(text)
        embedded = text @ letter + place[:count]
        before, scale0 = normed(embedded)
        x, scale1 = normed(before)
        q, k, v = map(heads, np.split(x @ table.T, 3, axis=1))
        shares = np.exp(q @ k.swapaxes(1, 2) * 0.5 + mask)
        shares /= np.add.reduce(shares, axis=2, keepdims=True)
        mixed = (shares @ v).swapaxes(0, 1).reshape(-1, 16)
        middle = mixed @ mix.T + before
        y, scale2 = normed(middle)
        hidden = np.maximum(y @ up.T, 0.0)
        last = hidden @ down.T + middle
        scores = last @ out.T
        raised = np.exp(scores)
        total = np.add.reduce(raised, axis=1, keepdims=True)
        value = (np.log(total).sum() - np.vdot(scores, targets)) / count
        d = (raised / total - targets) / count
        np.matmul(d.T, last, out=slopes[2])
        dlast = d @ out
        np.matmul(dlast.T, hidden, out=slopes[8])
        dhidden = (dlast @ down) * (hidden > 0)
        np.matmul(dhidden.T, y, out=slopes[7])
        dmiddle = dlast + back(dhidden @ up, middle, scale2)
        np.matmul(dmiddle.T, mixed, out=slopes[6])
        dmixed = heads(dmiddle @ mix)
        dshares = dmixed @ v.swapaxes(1, 2)
        ds = shares * (dshares - np.add.reduce(dshares * shares, axis=2, keepdims=True)) * 0.5
        parts = ds @ k, ds.swapaxes(1, 2) @ q, shares.swapaxes(1, 2) @ dmixed
        dx = np.concatenate([part.swapaxes(0, 1).reshape(-1, 16) for part in parts], axis=1)
        np.matmul(dx.T, x, out=dtable)
        dembedded = back(dmiddle + back(dx @ table, before, scale1), embedded, scale0)
        np.matmul(text.T, dembedded, out=slopes[0])
        slopes[1][:count] = dembedded
        return float(value)

    return compute
