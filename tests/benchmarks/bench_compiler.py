"""Compiled functions beside what people would otherwise use: one table, in markdown.

python tests/benchmarks/bench_compiler.py [ROW ...] [--rounds 15]

Every peer that is installed runs in the same interleaved rounds, on one thread; the ratio is the median over rounds of
our time to the peer's.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import math
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

import models

import engine
import nn
from engine import Value, functions

Work = Callable[[], object]
CHANCE = np.random.default_rng(0)


def torch_or_none() -> Any:
    if find_spec("torch") is None:
        return None
    import torch

    torch.set_num_threads(1)
    return torch


# --- rows: each yields (who, work), ours first


def moons() -> Iterator[tuple[str, Work]]:
    compiled = engine.compile(models.moons(100, leaves=False), backend="numpy")
    yield "glassgrad", compiled.bind().value_and_grad
    x, y = CHANCE.normal(size=(100, 2)), np.sign(CHANCE.normal(size=100))
    w1, b1, w2, b2, w3, b3 = (CHANCE.normal(size=s) for s in ((16, 2), 16, (16, 16), 16, (1, 16), 1))

    def by_hand() -> object:
        h1 = x @ w1.T
        h1 += b1
        np.maximum(h1, 0, out=h1)
        h2 = h1 @ w2.T
        h2 += b2
        np.maximum(h2, 0, out=h2)
        margin = 1 - y * ((h2 @ w3.T)[:, 0] + b3)
        decay = sum(float((p * p).sum()) for p in (w1, b1, w2, b2, w3, b3))
        loss = np.maximum(margin, 0).mean() + 1e-4 * decay
        d3 = (-(y * (margin > 0)) / 100)[:, None]
        d2 = d3 @ w3
        d2 *= h2 > 0
        d1 = d2 @ w2
        d1 *= h1 > 0
        rates = [d1.T @ x, d1.sum(0), d2.T @ h1, d2.sum(0), d3.T @ h2, d3.sum(0)]
        return loss, [g + 2e-4 * p for g, p in zip(rates, (w1, b1, w2, b2, w3, b3), strict=True)]

    yield "NumPy by hand", by_hand
    torch = torch_or_none()
    if torch:
        model = torch.nn.Sequential(
            torch.nn.Linear(2, 16), torch.nn.ReLU(), torch.nn.Linear(16, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1)
        ).double()
        tx, ty = torch.tensor(x), torch.tensor(y)

        def by_torch() -> object:
            model.zero_grad()
            loss = torch.relu(1 - ty * model(tx)[:, 0]).mean() + 1e-4 * sum((p * p).sum() for p in model.parameters())
            loss.backward()
            return loss

        yield "PyTorch", by_torch


def adam(numbers: Any, gradient: Any, moments: tuple[Any, Any, Any], rate: float = 1e-9) -> None:
    """One step, in place; the same for all who have arrays. So small that nobody comes to rest among denormals."""
    first, second, scratch = moments
    first *= 0.9
    np.multiply(gradient, 0.1, out=scratch)
    first += scratch
    second *= 0.999
    np.multiply(gradient, gradient, out=scratch)
    scratch *= 0.001
    second += scratch
    np.sqrt(second, out=scratch)
    scratch += 1e-8
    np.divide(first, scratch, out=scratch)
    scratch *= rate
    numbers -= scratch


def _classifier(dtype: str) -> Iterator[tuple[str, Work]]:
    sizes = [784, 64, 64, 10]
    x = CHANCE.random((64, 784)).astype(dtype)
    target = np.eye(10, dtype=dtype)[CHANCE.integers(0, 10, 64)]
    compiled = engine.compile(models.classifier(sizes), backend="numpy", dtype=dtype)
    compiled.value_and_grad(x, target)
    numbers = compiled.take()
    mine: Any = tuple(np.zeros_like(numbers) for _ in range(3))

    def ours() -> object:
        value, gradient = compiled.value_and_grad(x, target)
        adam(numbers, gradient, mine)
        return value

    yield "glassgrad", ours
    flat, grad = numbers.copy(), np.zeros_like(numbers)
    theirs: Any = tuple(np.zeros_like(flat) for _ in range(3))
    views: list[list[Any]] = []
    for array in (flat, grad):
        at, parts = 0, []
        for n, m in pairwise(sizes):
            parts += [array[at : at + n * m].reshape(m, n), array[at + n * m : at + n * m + m]]
            at += n * m + m
        views.append(parts)
    (w1, b1, w2, b2, w3, b3), slopes = views

    def by_hand() -> object:
        h1 = x @ w1.T
        h1 += b1
        np.maximum(h1, 0, out=h1)
        h2 = h1 @ w2.T
        h2 += b2
        np.maximum(h2, 0, out=h2)
        z = h2 @ w3.T
        z += b3
        z -= z.max(1, keepdims=True)
        chosen = (z * target).sum(1)
        np.exp(z, out=z)
        total = z.sum(1, keepdims=True)
        z /= total
        z -= target
        z *= 1 / len(x)
        d2 = z @ w3
        d2 *= h2 > 0
        d1 = d2 @ w2
        d1 *= h1 > 0
        for k, (upstream, below) in enumerate(((d1, x), (d2, h1), (z, h2))):
            np.matmul(upstream.T, below, out=slopes[2 * k])
            np.add.reduce(upstream, axis=0, out=slopes[2 * k + 1])
        adam(flat, grad, theirs)
        return float((np.log(total[:, 0]) - chosen).mean())

    yield "NumPy by hand", by_hand
    torch = torch_or_none()
    if torch:
        layers = [torch.nn.Linear(n, m) for n, m in pairwise(sizes)]
        model = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2]).to(
            getattr(torch, dtype)
        )
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-9)
        tx, ty = torch.tensor(x), torch.tensor(target.argmax(1))

        def by_torch() -> object:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(tx), ty)
            loss.backward()
            optimizer.step()
            return loss

        yield "PyTorch", by_torch


def classifier64() -> Iterator[tuple[str, Work]]:
    return _classifier("float64")


def classifier32() -> Iterator[tuple[str, Work]]:
    return _classifier("float32")


def xor() -> Iterator[tuple[str, Work]]:
    """10,000 full-batch steps, compilation included; no NumPy."""
    points = [(0.0, 0.0, 0.0), (0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (1.0, 1.0, 0.0)]
    xs, ys = [[x, y] for x, y, _ in points], [target for *_, target in points]
    start = [random.Random(0).uniform(-1, 1) for _ in range(13)]

    def ours() -> object:
        model = nn.MLP(2, [3, 1], "sigmoid", "sigmoid", seed=0)
        compiled = engine.compile(lambda x, y: functions.square(model(x)[0] - y), backend="python")
        step = compiled.bind(xs, ys)
        numbers = compiled.take()
        for _ in range(10_000):
            _, gradient = step.value_and_grad()
            numbers[:] = [w - 0.5 * g for w, g in zip(numbers, gradient, strict=True)]
        compiled.give_back()
        return numbers

    def by_hand() -> object:
        exp = math.exp
        a0, a1, a2, b0, b1, b2, c0, c1, c2, u0, u1, u2, u3 = start
        for _ in range(10_000):
            da0 = da1 = da2 = db0 = db1 = db2 = dc0 = dc1 = dc2 = du0 = du1 = du2 = du3 = 0.0
            for x, y, target in points:
                h = 1 / (1 + exp(-(a0 * x + a1 * y + a2)))
                i = 1 / (1 + exp(-(b0 * x + b1 * y + b2)))
                j = 1 / (1 + exp(-(c0 * x + c1 * y + c2)))
                o = 1 / (1 + exp(-(u0 * h + u1 * i + u2 * j + u3)))
                d = 0.5 * (o - target) * o * (1 - o)
                du0, du1, du2, du3 = du0 + d * h, du1 + d * i, du2 + d * j, du3 + d
                e = d * u0 * h * (1 - h)
                da0, da1, da2 = da0 + e * x, da1 + e * y, da2 + e
                e = d * u1 * i * (1 - i)
                db0, db1, db2 = db0 + e * x, db1 + e * y, db2 + e
                e = d * u2 * j * (1 - j)
                dc0, dc1, dc2 = dc0 + e * x, dc1 + e * y, dc2 + e
            a0, a1, a2 = a0 - 0.5 * da0, a1 - 0.5 * da1, a2 - 0.5 * da2
            b0, b1, b2 = b0 - 0.5 * db0, b1 - 0.5 * db1, b2 - 0.5 * db2
            c0, c1, c2 = c0 - 0.5 * dc0, c1 - 0.5 * dc1, c2 - 0.5 * dc2
            u0, u1, u2, u3 = u0 - 0.5 * du0, u1 - 0.5 * du1, u2 - 0.5 * du2, u3 - 0.5 * du3
        return u0

    yield "glassgrad", ours
    yield "Python by hand", by_hand


def rosenbrock() -> Iterator[tuple[str, Work]]:
    x = CHANCE.normal(size=1000)
    leaves = [Value(v) for v in x]
    pairs = list(pairwise(leaves))
    compiled = engine.compile(lambda: functions.sum([100 * (b - a**2) ** 2 + (1 - a) ** 2 for a, b in pairs]))
    compiled.value_and_grad()
    compiled.take()
    yield "glassgrad", compiled.bind().value_and_grad

    def by_hand() -> object:
        low, high = x[:-1], x[1:]
        gap, rest = high - low**2, 1 - low
        gradient = np.zeros_like(x)
        gradient[1:] = 200 * gap
        gradient[:-1] -= 400 * gap * low + 2 * rest
        return np.sum(100 * gap**2 + rest**2), gradient

    yield "NumPy by hand", by_hand
    torch = torch_or_none()
    if torch:
        tx = torch.tensor(x, requires_grad=True)

        def by_torch() -> object:
            tx.grad = None
            loss = (100 * (tx[1:] - tx[:-1] ** 2) ** 2 + (1 - tx[:-1]) ** 2).sum()
            loss.backward()
            return loss

        yield "PyTorch", by_torch


def logistic() -> Iterator[tuple[str, Work]]:
    x, y = CHANCE.normal(size=(569, 30)), (CHANCE.random(569) > 0.5) * 1.0
    w, b = [Value(0.1) for _ in range(30)], Value(0.0)

    def loss(row: Any, target: Any) -> Any:
        z = functions.dot(w, row) + b
        return functions.softplus(z) - target * z

    compiled = engine.compile(loss)
    compiled.value_and_grad(x, y)
    compiled.take()
    yield "glassgrad", compiled.bind(x, y).value_and_grad
    weights = np.full(30, 0.1)

    def by_hand() -> object:
        z = x @ weights + 0.0
        tail = np.exp(-np.abs(z))
        losses = np.maximum(z, 0) + np.log1p(tail) - y * z
        slope = (np.where(z >= 0, 1, tail) / (1 + tail) - y) / len(y)
        return losses.mean(), x.T @ slope, slope.sum()

    yield "NumPy by hand", by_hand


def transformer() -> Iterator[tuple[str, Work]]:
    """One text of six letters through a causal block."""
    text = np.eye(27)[CHANCE.integers(0, 27, (1, 6))]
    for name, backend in (("glassgrad", "numpy"), ("glassgrad in Python", "python")):
        compiled = engine.compile(models.transformer(), backend=backend)
        compiled.value_and_grad(text, text[:, ::-1])
        compiled.take()
        yield name, compiled.bind(text, text[:, ::-1]).value_and_grad


def recurrence() -> Iterator[tuple[str, Work]]:
    """Lotka-Volterra, 200 Runge-Kutta steps: narrow and deep."""
    for name, backend in (("glassgrad", "auto"), ("glassgrad in Python", "python")):
        compiled = engine.compile(models.lotka_volterra(200), backend=backend)
        compiled.value_and_grad()
        compiled.take()
        yield name, compiled.bind().value_and_grad


ROWS = (xor, moons, classifier64, classifier32, rosenbrock, logistic, transformer, recurrence)


def rounds_of(works: list[tuple[str, Work]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each, in turns."""
    for _, work in works:
        work()
    start = time.perf_counter()
    works[0][1]()
    repeats = max(1, int(0.02 / (time.perf_counter() - start)))
    times: dict[str, list[float]] = {name: [] for name, _ in works}
    for _ in range(rounds):
        for name, work in works:
            start = time.process_time()
            for _ in range(repeats):
                work()
            times[name].append((time.process_time() - start) / repeats)
    return times


def compilation(examples: int) -> str:
    """Microseconds for each scalar, from the call to the first result."""
    loss = models.moons(examples, leaves=False)
    start = time.process_time()
    compiled = engine.compile(loss, backend="numpy")
    compiled.value_and_grad()
    taken = time.process_time() - start
    scalars = int(compiled.explain().split(": ")[1].split()[0])
    return f"{scalars:,} scalars: {taken:.2f} s, {taken / scalars * 1e6:.1f} us each"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", choices=[[], *(row.__name__ for row in ROWS)])
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    versions = []
    for package in ("numpy", "torch", "jax", "casadi", "autograd", "micrograd"):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {', '.join(versions)}\n")
    print("| work | who | time | glassgrad / it |\n|---|---|---|---|")
    for row in ROWS:
        if not options.rows or row.__name__ in options.rows:
            times = rounds_of(list(row()), options.rounds)
            ours = times["glassgrad"]
            for name, theirs in times.items():
                ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
                print(f"| {row.__name__} | {name} | {statistics.median(theirs) * 1e6:,.0f} us | {ratio:.2f} |")
    print()
    for examples in (2, 20, 200):
        print(f"compilation of {compilation(examples)}")


if __name__ == "__main__":
    main()
