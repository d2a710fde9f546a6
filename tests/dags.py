"""Random expressions with sharing: graphs of up to 40 operations, for counting what a gradient checker sees.

Drawn by `random`, not by hypothesis: the counts are of a fixed population, nothing is to be shrunk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from engine import Value, functions
from engine.subject import reverse

ONE: list[Callable[[Any], Any]] = [
    functions.tanh, functions.sigmoid, functions.relu, functions.sin, functions.cos, functions.exp, functions.softplus,
    functions.square, functions.abs, functions.neg, functions.atan, functions.gelu, functions.silu, functions.erf,
    functions.asinh, lambda x: functions.leaky_relu(x), lambda x: functions.log(functions.abs(x) + 0.1),
    lambda x: functions.sqrt(functions.abs(x) + 0.01), lambda x: 0.5 * x, lambda x: x + 1.5,
]  # fmt: skip
TWO: list[Callable[[Any, Any], Any]] = [
    functions.add, functions.sub, functions.mul, functions.add, functions.mul, functions.div, functions.maximum,
    functions.minimum, functions.hypot,
]  # fmt: skip


class Dag:
    """A program: every step applies a function to earlier results, any of them, any number of times."""

    def __init__(self, chance: Random, operations: int) -> None:
        self.point = [chance.uniform(-2, 2) for _ in range(chance.randint(1, 4))]
        self.steps: list[tuple[Callable[..., Any], tuple[int, ...]]] = []
        for size in range(len(self.point), len(self.point) + operations):
            functions, count = (ONE, 1) if chance.random() < 0.5 else (TWO, 2)
            operands = tuple(_earlier(chance, size) for _ in range(count))
            self.steps.append((chance.choice(functions), operands))

    def __call__(self, *inputs: Any) -> Any:
        values = list(inputs)
        for function, operands in self.steps:
            values.append(function(*(values[i] for i in operands)))
        return values[-1]

    def gradient(self) -> tuple[list[float], list[float]]:
        """The engine's gradient, and the sums of |contributions| that its rounding is measured by."""
        leaves = [Value(x) for x in self.point]
        return reverse(self(*leaves), leaves)

    def along(self, index: int) -> Callable[[float], float]:
        def moved(x: float) -> float:
            inputs = [Value(x if i == index else other) for i, other in enumerate(self.point)]
            return self(*inputs).data  # type: ignore[no-any-return]

        return moved


def _earlier(chance: Random, size: int) -> int:
    """Mostly one of the last few results, so that graphs are deep; sometimes any, so that they are shared."""
    if chance.random() < 0.3:
        return chance.randrange(size)
    return size - 1 - min(int(chance.expovariate(0.35)), size - 1)


def dags(count: int, seed: int) -> Iterator[Dag]:
    """So many of them whose value and gradient are finite and depend on some input."""
    chance = Random(seed)
    while count:
        dag = Dag(chance, chance.randint(1, 40))
        gradient, paths = dag.gradient()
        value = dag(*map(Value, dag.point)).data
        if math.isfinite(value) and all(map(math.isfinite, gradient)) and any(paths):
            yield dag
            count -= 1
