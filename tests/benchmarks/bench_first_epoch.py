"""From the start of a process to the end of the first epoch: what somebody waits who runs a training script.

    python tests/benchmarks/bench_first_epoch.py [--rounds 5]            # in markdown

784-64-64-10 (relu, relu, softmax), Adam, batches of 64 of 60,000 made-up examples in files, in an order drawn at
random, with loss and accuracy over the epoch. Each contender has a process of its own and one thread; contenders take
turns in each round. Shown are medians of rounds, and medians of round-by-round ratios to ours in the same precision.
What is not installed is left out.
"""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"], "1"))
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

import argparse
import importlib.util
import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

EXAMPLES, SIZES, BATCH, RATE = 60_000, [784, 64, 64, 10], 64, 0.001
Result = tuple[float, float]


def ours(x: Any, y: Any, dtype: str) -> Result:
    from functools import partial

    import nn
    from engine.functions import softmax

    layers = [nn.Dense(784, 64, "relu"), nn.Dense(64, 64, "relu"), nn.Dense(64, 10), softmax]
    loss = partial(nn.sparse_categorical_crossentropy, from_logits=False)
    history = nn.fit(nn.Sequential(layers), x, y, loss=loss, batch_size=BATCH, metrics=["accuracy"], dtype=dtype)
    return history["loss"][0], history["accuracy"][0]


def keras(x: Any, y: Any, dtype: str) -> Result:
    import keras

    keras.config.set_floatx(dtype)
    layers = [keras.layers.Dense(64, "relu"), keras.layers.Dense(64, "relu"), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential([keras.Input((784,)), *layers])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=BATCH, verbose=0).history
    return history["loss"][0], history["accuracy"][0]


def torch(x: Any, y: Any, dtype: str) -> Result:
    import torch

    torch.set_num_threads(1)
    torch.set_default_dtype(getattr(torch, dtype))
    widths = itertools.pairwise(SIZES)
    layers = [part for a, b in widths for part in (torch.nn.Linear(a, b), torch.nn.ReLU())][:-1]
    model, loss_of = torch.nn.Sequential(*layers), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    xs, ys, total, right = torch.from_numpy(x), torch.from_numpy(y), 0.0, 0
    for places in torch.randperm(EXAMPLES).split(BATCH):
        scores = model(xs[places])
        loss = loss_of(scores, ys[places])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(places)
        right += int((scores.argmax(1) == ys[places]).sum())
    return total / EXAMPLES, right / EXAMPLES


def jax(x: Any, y: Any, dtype: str) -> Result:
    import jax
    import jax.numpy as jnp
    import numpy as np

    jax.config.update("jax_enable_x64", dtype == "float64")

    def mean_loss(w: Any, x: Any, y: Any) -> Any:
        for k, (weight, bias) in enumerate(w):
            x = x @ weight + bias
            x = jax.nn.relu(x) if k < 2 else x
        return jnp.mean(jax.nn.logsumexp(x, axis=1) - x[jnp.arange(len(y)), y]), jnp.sum(x.argmax(1) == y)

    @jax.jit
    def step(state: Any, t: Any, x: Any, y: Any) -> Any:
        w, m, v = state
        (loss, right), g = jax.value_and_grad(mean_loss, has_aux=True)(w, x, y)
        m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, m, g)
        v = jax.tree.map(lambda a, b: 0.999 * a + 0.001 * b * b, v, g)
        rate = RATE * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        return (jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-8), w, m, v), m, v), loss, right

    w, chance = [(a.astype(dtype), b.astype(dtype)) for a, b in first_weights()], np.random.default_rng()
    zeros, total, found = [(0 * a, 0 * b) for a, b in w], 0.0, 0
    state, order = (w, zeros, zeros), chance.permutation(EXAMPLES)
    for t, start in enumerate(range(0, EXAMPLES, BATCH), 1):
        places = order[start : start + BATCH]
        state, loss, right = step(state, jnp.asarray(t, dtype), x[places], y[places])
        total += float(loss) * len(places)
        found += int(right)
    return total / EXAMPLES, found / EXAMPLES


def numpy(x: Any, y: Any, dtype: str) -> Result:
    import numpy as np

    w = [part.astype(dtype) for pair in first_weights() for part in pair]
    m, v, total, right = [0 * a for a in w], [0 * a for a in w], 0.0, 0
    order = np.random.default_rng().permutation(EXAMPLES)
    for t, start in enumerate(range(0, EXAMPLES, BATCH), 1):
        xs, ys = x[order[start : start + BATCH]], y[order[start : start + BATCH]]
        rows = np.arange(len(ys))
        kept = [xs]
        for k in (0, 2):
            kept.append(np.maximum(kept[-1] @ w[k] + w[k + 1], 0))
        scores = kept[-1] @ w[4] + w[5]
        right += int((scores.argmax(1) == ys).sum())
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        total -= float(np.log(shares[rows, ys]).sum())
        shares[rows, ys] -= 1
        back = shares / dtype_of(dtype)(len(ys))
        slopes: list[Any] = [None] * 6
        for k in (4, 2, 0):
            slopes[k], slopes[k + 1] = kept[k // 2].T @ back, back.sum(axis=0)
            if k:
                back = (back @ w[k].T) * (kept[k // 2] > 0)
        rate = RATE * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t)
        for a, b, c, g in zip(w, m, v, slopes, strict=True):
            b *= 0.9
            b += 0.1 * g
            c *= 0.999
            c += 0.001 * (g * g)
            a -= rate * b / (np.sqrt(c) + 1e-8)
    return total / EXAMPLES, right / EXAMPLES


def dtype_of(dtype: str) -> Any:
    import numpy as np

    return np.dtype(dtype).type


def first_weights() -> list[tuple[Any, Any]]:
    import numpy as np

    chance = np.random.default_rng()
    pairs = list(itertools.pairwise(SIZES))
    return [(chance.uniform(-1, 1, pair) * (6 / sum(pair)) ** 0.5, np.zeros(pair[1])) for pair in pairs]


def run(name: str, dtype: str, folder: str) -> None:
    """One contender, in this process: its times and what came out."""
    import numpy as np

    x, y = np.load(f"{folder}/{dtype}.npy"), np.load(f"{folder}/labels.npy")
    loss, right = CONTENDERS[name][0](x, y, dtype)
    print(time.process_time(), time.time() - float(os.environ["STARTED"]), loss, right)


CONTENDERS: dict[str, tuple[Callable[[Any, Any, str], Result], list[str]]] = {
    "ours, nn.fit": (ours, []),
    "NumPy by hand": (numpy, []),
    "torch": (torch, ["torch"]),
    "JAX": (jax, ["jax"]),
    "Keras on jax": (keras, ["keras", "jax"]),
    "Keras on torch": (keras, ["keras", "torch"]),
}


def write_examples(folder: str) -> None:
    """Noise of 784 numbers, and which of ten random directions it leans to most."""
    import numpy as np

    chance = np.random.default_rng(0)
    x = chance.random((EXAMPLES, 784))
    np.save(f"{folder}/labels.npy", (x @ chance.normal(size=(784, 10)) - 0.5).argmax(axis=1))
    for dtype in ("float32", "float64"):
        np.save(f"{folder}/{dtype}.npy", x.astype(dtype))


def measure(name: str, dtype: str, folder: str) -> list[float]:
    environment = {**os.environ, "KERAS_BACKEND": name.rpartition(" ")[2], "STARTED": str(time.time())}
    command = [sys.executable, __file__, "--one", name, dtype, folder]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return [float(number) for number in said.split()]


def table(rounds: int) -> None:
    names = [name for name, (_, needs) in CONTENDERS.items() if all(map(importlib.util.find_spec, needs))]
    rows = [(name, dtype) for dtype in ("float32", "float64") for name in names]
    found: dict[tuple[str, str], list[list[float]]] = {row: [] for row in rows}
    with tempfile.TemporaryDirectory() as folder:
        write_examples(folder)
        for _ in range(rounds):
            for row in rows:
                found[row].append(measure(*row, folder))
    print("| | precision | processor s | of ours | wall s | of ours | loss | accuracy |")
    print("|" + "---|" * 8)
    for name, dtype in rows:
        mine = found[names[0], dtype]
        columns = list(zip(*found[name, dtype], strict=True))
        cpu, wall, loss, right = map(statistics.median, columns)
        by_cpu, by_wall = (
            statistics.median(its[k] / own[k] for its, own in zip(found[name, dtype], mine, strict=True))
            for k in (0, 1)
        )
        print(
            f"| {name} | {dtype} | {cpu:.2f} | {by_cpu:.2f} | {wall:.2f} | {by_wall:.2f} | {loss:.3f} | {right:.1%} |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run(*options.one)
    else:
        table(options.rounds)
