"""Vectors that are learned: one for each of several things, or for each position in a sequence."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Any

from engine import Value
from engine.functions import dot, equal
from engine.value import is_operand, operand
from nn import initializers
from nn.initializers import Initializer
from nn.module import Module
from nn.nested import listed, positive, shaped, tensor, who


class Embedding(Module):
    """A vector for each of `count` things: row k of a table for thing k.

    It takes the number of one thing; for a sequence of them, `TimeDistributed(Embedding(...))`. A list of `count`
    numbers weighs the rows: with a single 1 among zeros it picks one. In a compiled function the number is an input;
    one that is none of 0, 1, ... count - 1 picks nothing there, and gives zeros.

    Args:
        count: how many things.
        size: the length of a vector.
        initializer, generator, seed: as for `Layer`.

    Raises:
        ValueError: a count that is not a positive whole number, an unknown name; at the call, no number of a thing, or
            another number of weights.

    `weight` is [thing][feature]. Reference: Bengio et al., *A Neural Probabilistic Language Model*, 2003.

    >>> embedding = Embedding(3, 2, seed=0)
    >>> embedding(1) == list(embedding.weight[1]), embedding
    (True, Embedding(3 things -> 2))
    >>> [x.data for x in embedding([0.0, 1.0, 0.0])] == [x.data for x in embedding(1)]
    True
    """

    def __init__(
        self,
        count: int,
        size: int,
        *,
        initializer: str | Initializer = "uniform",
        generator: Random | None = None,
        seed: int | None = None,
    ) -> None:
        self.count, self.size = positive(count, "count"), positive(size, "size")
        source = initializers.random_generator(generator, seed)
        draw = partial(initializers.find(initializer), source, self.count, self.size)
        self.weight = tensor(draw, self.count, self.size)

    def forward(self, thing: Any) -> list[Value]:
        thing = listed(thing)
        if not is_operand(thing):
            wanted = f"the number of a thing, or weights for {self.count} things (TimeDistributed takes a sequence)"
            return self._weighed(shaped(self, thing, (self.count,), wanted))
        index = operand(thing)
        if not index.is_constant:  # its number must not decide, for it is another one in each example
            return self._weighed([equal(index, k) for k in range(self.count)])
        if index.data not in range(self.count):
            raise ValueError(
                f"{who(self)} has things 0 to {self.count - 1}; got {thing!r}; number them from 0, in whole numbers"
            )
        return list(self.weight[int(index.data)])

    def _weighed(self, weights: list[Value]) -> list[Value]:
        return [dot(column, weights) for column in zip(*self.weight, strict=True)]

    def __repr__(self) -> str:
        return f"Embedding({self.count} things -> {self.size})"


class PositionEmbedding(Module):
    """A learned vector for each position of a sequence, added to what stands there: attention sees no order itself.

    Args:
        length: of the longest sequence.
        size: the length of a vector.
        initializer, generator, seed: as for `Layer`.

    Raises:
        ValueError: a count that is not a positive whole number, an unknown name; at the call, another shape or a
            longer sequence.

    Reference: Gehring et al., *Convolutional Sequence to Sequence Learning*, 2017.

    >>> len(PositionEmbedding(8, 2, seed=0)([[1.0, 2.0], [3.0, 4.0]]))
    2
    """

    def __init__(
        self,
        length: int,
        size: int,
        *,
        initializer: str | Initializer = "uniform",
        generator: Random | None = None,
        seed: int | None = None,
    ) -> None:
        self.length, self.size = positive(length, "length"), positive(size, "size")
        source = initializers.random_generator(generator, seed)
        draw = partial(initializers.find(initializer), source, self.length, self.size)
        self.weight = tensor(draw, self.length, self.size)

    def forward(self, sequence: Any) -> list[list[Value]]:
        steps = shaped(self, sequence, (None, self.size), f"a sequence of vectors of {self.size} numbers")
        if len(steps) > self.length:
            raise ValueError(
                f"{who(self)} knows {self.length} positions; got {len(steps)} steps; make it longer, or the sequence "
                "shorter"
            )
        return [[x + w for x, w in zip(*pair, strict=True)] for pair in zip(steps, self.weight, strict=False)]

    def __repr__(self) -> str:
        return f"PositionEmbedding({self.length} x {self.size})"
