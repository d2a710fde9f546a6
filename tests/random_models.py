"""Random functions of one example, in the ways people write them: layers, rows of any length, sharing, odd corners.

Drawn by `random`: a model is its seed. What it computes is decided by the seed alone, never by a number, so that it
can be compiled; every call draws the same steps again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from engine import OPS, Value, constant, functions
from engine.compiler.batches import nested

Things = list[Any]
"""Values and numbers."""

MILD = ("tanh", "sin", "sigmoid", "relu", "square", "neg", "softplus", "gelu", "abs", "atan", "asinh", "erf")
ANY = [name for name, op in OPS.items() if not op.variadic and name != "polygamma"]
ROWS = ("sum", "mean", "dot", "prod", "max", "min", "logsumexp", "norm", "var", "softmax", "log_softmax")
SHAPES = ((), (1,), (2,), (5,), (2, 3), (3, 2), (2, 2, 2))
PLAIN = (0.5, 2.0, -1.5, 3.0, 0.1, 1.0, -1.0)
ODD = ((0.0, -0.0, 1e-3, 1e3), (0.0, 1.0, math.inf, -math.inf), (-0.0, math.nan, math.inf), (1e5, -1e-80, 1e-160))


class RandomModel:
    """A function of one example, its parameters and a batch.

    Attributes:
        parameters: the Values that it may use.
        batch: for each argument a nested list, whose first axis counts the examples.

    Args:
        seed: what decides everything.
        odd: how many of the numbers are from the corners of floats; left out, in one of five models some.
    """

    def __init__(self, seed: int, odd: float | None = None) -> None:
        chance = Random(seed)
        self.seed = seed
        self.odd = chance.choice((0.0, 0.0, 0.0, 0.0, 0.3)) if odd is None else odd
        self.corners = chance.choice(ODD)
        self.size = chance.choice((1, 1, 2, 3, 7, 7, 7, 64))
        self.parameters = [Value(self._number(chance)) for _ in range(chance.choice((0, 1, 4, 12, 30)))]
        self.shapes = [chance.choice(SHAPES) for _ in range(chance.choice((0, 1, 1, 1, 2)))]
        self.batch = tuple([self._grid(chance, shape) for _ in range(self.size)] for shape in self.shapes)
        self.steps = chance.randint(1, 8 if self.size < 64 else 3)

    def _number(self, chance: Random) -> float:
        if chance.random() < self.odd:
            return chance.choice(self.corners)
        return chance.choice(PLAIN) if chance.random() < 0.1 else round(chance.gauss(0.0, 1.0), 3)

    def _grid(self, chance: Random, shape: Sequence[int]) -> Any:
        return [self._grid(chance, shape[1:]) for _ in range(shape[0])] if shape else self._number(chance)

    def shaped(self, leaves: Sequence[Any]) -> Things:
        """The arguments of one example, from its numbers."""
        supply = iter(leaves)
        return [nested(supply, shape) for shape in self.shapes]

    def __call__(self, *example: Any) -> Any:
        chance = Random(self.seed + 1)
        inputs = leaves_of(example)
        pool = [*inputs, *self.parameters]
        for _ in range(chance.randint(0 if pool else 1, 3)):
            number = self._number(chance)
            pool.append(chance.choice((float, constant, Value))(number))
        for _ in range(self.steps):
            pool += chance.choice(STEPS)(chance, pool, self.parameters)
        return returned(chance, pool)


def leaves_of(tree: Any) -> Things:
    if isinstance(tree, (list, tuple)):
        return [leaf for part in tree for leaf in leaves_of(part)]
    return [tree]


def returned(chance: Random, pool: Things) -> Any:
    """One result, several, nested ones; now and then an input, a parameter, a number, or the same one twice."""
    recent = pool[-6:]
    picks = [chance.choice(recent if chance.random() < 0.9 else pool) for _ in range(3)]
    a, b, c = picks
    return chance.choice(
        (a, a, functions.sum(recent), [a, b], (a, [b, c]), {"first": a, "second": (b, a)}, [[a, b], [c, a]])
    )


# --- steps: each takes what there is and returns what it adds


def window(chance: Random, pool: Things, size: int) -> Things:
    """Some of them: neighbours, with a step, reversed, or picked, the latest more often."""
    pool = pool[-12:] if chance.random() < 0.5 else pool
    if chance.random() < 0.2:
        return [chance.choice(pool) for _ in range(size)]
    start, step = chance.randrange(len(pool)), chance.choice((1, 1, 1, 2, -1, 0))
    return [pool[(start + step * k) % len(pool)] for k in range(size)]


def operation(chance: Random, pool: Things, parameters: Things) -> Things:
    """One operation on a few rows of operands, of which some may be the same for all."""
    name = chance.choice(MILD if chance.random() < 0.6 else ANY)
    size = chance.choice((1, 1, 3, 6))
    columns = [window(chance, pool, size) for _ in OPS[name].operands]
    return [getattr(functions, name)(*operands) for operands in zip(*columns, strict=True)]


def rows(chance: Random, pool: Things, parameters: Things) -> Things:
    """An operation of rows, of equal length or not."""
    name = chance.choice(ROWS)
    lengths = [chance.randint(1, 5)] * 4 if chance.random() < 0.4 else [chance.randint(1, 5) for _ in range(4)]
    found: Things = []
    for length in lengths[: chance.randint(1, 4)]:
        sides = [window(chance, pool, length) for _ in range(2 if name == "dot" else 1)]
        made = getattr(functions, name)(*sides)
        found += made if isinstance(made, list) else [made]
    return found


def layer(chance: Random, pool: Things, parameters: Things) -> Things:
    """Rows of weights times some vectors, spelled in any way; weights may be tied, transposed, or the same twice."""
    width, height = (chance.randint(1, most) for most in chance.choice(((6, 5), (6, 5), (6, 5), (6, 5), (16, 12))))
    source = parameters if parameters and chance.random() < 0.8 else pool
    flat = window(chance, source, width * height)
    if chance.random() < 0.3:
        table = [flat[k::height] for k in range(height)]
    else:
        table = [flat[k * width : (k + 1) * width] for k in range(height)]
    if chance.random() < 0.2:
        table.append(table[0])
    biases = window(chance, source, len(table)) if chance.random() < 0.7 else [0] * len(table)
    spell = chance.choice(SPELLINGS)
    activation = getattr(functions, chance.choice(MILD)) if chance.random() < 0.7 else lambda x: x
    found = []
    for _ in range(chance.choice((1, 1, 2, 4))):
        x = window(chance, pool, width)
        found += [activation(spell(w, x, b)) for w, b in zip(table, biases, strict=True)]
    return found


def attention(chance: Random, pool: Things, parameters: Things) -> Things:
    """Head by head, queries meet all keys or those before them, and their shares mix values."""
    places, width, causal = chance.randint(2, 5), chance.choice((1, 4, 8)), chance.random() < 0.6
    found: Things = []
    for _ in range(chance.choice((1, 2))):
        queries, keys, values = (
            [[functions.sin(functions.add(v, 0.1 * i)) for v in window(chance, pool, width)] for i in range(places)]
            for _ in range(3)
        )
        for i, query in enumerate(queries):
            seen = i + 1 if causal else places
            shares = functions.softmax([functions.dot(query, key) for key in keys[:seen]])
            found += [functions.dot(shares, [value[k] for value in values[:seen]]) for k in range(width)]
    return [functions.sum(found[k::3]) for k in range(min(3, len(found)))] + found[-2:]


def arithmetic(chance: Random, pool: Things, parameters: Things) -> Things:
    """A chain of Python's operators."""
    total: Any = functions.add(chance.choice(pool), 0) if chance.random() < 0.5 else Value(0.0) + chance.choice(pool)
    for other in window(chance, pool, chance.randint(1, 6)):
        total = chance.choice(CHAINS)(total, other)
    return [total]


CHAINS: tuple[Callable[[Any, Any], Any], ...] = (
    lambda t, v: t + v, lambda t, v: v - t, lambda t, v: t - v, lambda t, v: t * v, lambda t, v: -t + v * 2,
    lambda t, v: t / 4 - v, lambda t, v: t * 0.5 + v, lambda t, v: (t - v) ** 2, lambda t, v: t - -v,
    lambda t, v: t + 1, lambda t, v: 3 * (t + v), lambda t, v: t / (2 + functions.square(v)), lambda t, v: t * t + v,
    lambda t, v: t * -1.0 - 0.0 * v,
)  # fmt: skip


def halves(w: Things, x: Things) -> Any:
    if len(w) == 1:
        return w[0] * x[0]
    half = len(w) // 2
    return halves(w[:half], x[:half]) + halves(w[half:], x[half:])


def products(w: Things, x: Things) -> Things:
    return [a * b for a, b in zip(w, x, strict=True)]


SPELLINGS: tuple[Callable[[Things, Things, Any], Any], ...] = (
    lambda w, x, b: functions.dot(w, x) + b,
    lambda w, x, b: b + functions.dot(x, w),
    lambda w, x, b: sum(products(w, x)) + functions.add(b, 0.0),
    lambda w, x, b: sum(products(x, w), functions.add(b, 0)),
    lambda w, x, b: functions.sum([*products(w, x), b]),
    lambda w, x, b: functions.add(halves(w, x), b),
    lambda w, x, b: functions.sub(b, -functions.dot(w, x)),
    lambda w, x, b: functions.sub(sum(products(w[::-1], x[::-1])), -b),
    lambda w, x, b: functions.dot(w, x) * 2 / 2 + b,
    lambda w, x, b: functions.mean(products(w, x)) * len(w) - b,
    lambda w, x, b: -functions.dot(w, x) * 0.5,
    lambda w, x, b: functions.dot([*w, 1.0], [*x, b]),
)
STEPS = (*(operation, rows, layer) * 6, *(arithmetic,) * 3, attention)
