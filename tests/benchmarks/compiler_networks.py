"""Rows of `bench_compiler` that train classifiers of pictures and a Transformer of letters."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from compiler_training import CHANCE, Adam, Array, Hand, Ours, Row, layers_of, pairs, peers

from engine.functions import dot, logsumexp

sys.path.append(str(Path(__file__).parent.parent))
import models

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
