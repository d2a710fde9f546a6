"""Optimizers on arrays beside NumPy by hand, on lists and Values beside a loop.

    python tests/benchmarks/bench_optimizers.py            # in markdown; --quick for fewer rounds

Adam on 55,050 numbers, a classifier of 784-64-64-10. "dead" is after 2,000 steps without a slope, when averages that
nobody flushes have become denormal numbers. One core, processor time, contenders in turn within each round; shown are
medians of rounds, and medians of round-by-round ratios.
"""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"], "1"))

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import compiler_training
import numpy as np

import nn
from engine import Value

COUNT = 55_050
STEPS = 32  # those between two flushes, so that each round has one


def by_hand(dtype: str, dead: bool) -> Callable[[], None]:
    optimizer, numbers, gradient = compiler_training.Adam(), *of_kind(dtype)
    optimizer.start(COUNT, dtype)
    optimizer.step(numbers, gradient)
    return settled(lambda slopes: optimizer.step(numbers, slopes), gradient, dead)


def ours(dtype: str, dead: bool) -> Callable[[], None]:
    optimizer, numbers, gradient = nn.Adam(), *of_kind(dtype)
    optimizer.update(numbers, gradient)
    return settled(lambda slopes: optimizer.update(numbers, slopes), gradient, dead)


def of_kind(dtype: str) -> tuple[Any, Any]:
    return np.zeros(COUNT, dtype), (0.01 * np.random.default_rng(0).normal(size=COUNT)).astype(dtype)


def settled(step: Callable[[Any], None], gradient: Any, dead: bool) -> Callable[[], None]:
    if dead:
        gradient = gradient * 0
        for _ in range(2000):
            step(gradient)
    return lambda: step(gradient)


def loop(optimizer: nn.Optimizer) -> Callable[[], None]:
    """The rule, number by number."""
    numbers, state = [1.0] * COUNT, [[0.0] * COUNT for _ in optimizer.state_names]

    def step() -> None:
        rule = optimizer.rule(0.001, 3)
        for k in range(COUNT):
            numbers[k], *new = rule(numbers[k], 0.5, *[slot[k] for slot in state])
            for slot, number in zip(state, new, strict=True):
                slot[k] = number

    return step


def on_list(optimizer: nn.Optimizer) -> Callable[[], None]:
    numbers, gradient = [1.0] * COUNT, [0.5] * COUNT
    return lambda: optimizer.update(numbers, gradient)


def on_values(optimizer: nn.Optimizer) -> Callable[[], None]:
    values = [Value(1.0) for _ in range(COUNT)]
    for value in values:
        value.grad = 0.5
    return lambda: optimizer.step(values)


def row(title: str, mine: Callable[[], None], other: Callable[[], None], steps: int, rounds: int) -> str:
    times: list[list[float]] = [[], []]
    for _ in range(rounds):
        for step, found in zip((mine, other), times, strict=True):
            start = time.process_time()
            for _ in range(steps):
                step()
            found.append((time.process_time() - start) / steps)
    cells = [f"{statistics.median(found) * 1e6:,.0f} us" for found in times]
    return f"| {title} | {' | '.join(cells)} | {statistics.median(a / b for a, b in zip(*times, strict=True)):.2f} |"


def main() -> None:
    rounds = 10 if "--quick" in sys.argv else 60
    print("| Adam | ours | by hand | ratio |\n|---|---|---|---|")
    for dtype in ("float32", "float64"):
        for dead in (False, True):
            title = f"{dtype}{', dead' if dead else ''}"
            print(row(title, ours(dtype, dead), by_hand(dtype, dead), STEPS, rounds))
    print("\n| 55,050 numbers | ours | a loop | ratio |\n|---|---|---|---|")
    for make in (lambda: nn.SGD(0.1), nn.Adam):
        for kind in (on_list, on_values):
            title = f"{make().__class__.__name__} {kind.__name__.replace('_', ' ')}"
            print(row(title, kind(make()), loop(make()), 1, rounds // 3))


if __name__ == "__main__":
    main()
