"""Self-attention and Transformer blocks over sequences: lists of vectors [time][feature]."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from engine import Value
from engine.functions import add, dot, softmax
from nn import initializers
from nn.activations import Activation
from nn.initializers import Initializer
from nn.layers import MLP, Layer
from nn.module import Module
from nn.nested import mapped, positive, shaped
from nn.normalization import LayerNorm
from nn.stateless import Dropout

Vectors = list[list[Value]]
Heads = Sequence[Sequence[Value]]


class CausalSelfAttention(Module):
    """Each step of a sequence looks at itself and the steps before it, in several ways at once.

    Every head has queries q, keys k and values v, width / heads numbers each, that dense layers make of each step; it
    gives sum over s <= t of softmax_s(q_t . k_s / sqrt(width / heads)) v_s. The heads' results, side by side, go
    through a last dense layer.

    Args:
        width: how many numbers a step has.
        heads: how many ways of looking; divides the width.
        bias, initializer, generator, seed: of the four dense layers, as for `Layer`.

    Raises:
        ValueError: a count that is not a positive whole number, heads that do not divide the width; at the call,
            another shape.

    The four layers are `query`, `key`, `value` and `output`; PyTorch's `in_proj_weight` is the first three, one below
    the other, and its `out_proj` the last. Reference: Vaswani et al., *Attention Is All You Need*, 2017.

    >>> attention = CausalSelfAttention(4, 2, seed=0)
    >>> output = attention([[1.0, 0.0, 0.0, 2.0], [0.0, 1.0, 3.0, 0.0]])
    >>> len(output), len(output[0]), attention
    (2, 4, CausalSelfAttention(4 -> 4, 2 heads))
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        bias: bool = True,
        initializer: str | Initializer = "glorot_uniform",
        generator: Random | None = None,
        seed: int | None = None,
    ) -> None:
        self.width, self.heads = positive(width, "width"), positive(heads, "heads")
        if self.width % self.heads:
            raise ValueError(f"heads must divide the width; got {heads} and {width}; make width a multiple of heads")
        source = initializers.random_generator(generator, seed)
        self.query, self.key, self.value, self.output = [
            Layer(self.width, self.width, bias=bias, initializer=initializer, generator=source) for _ in range(4)
        ]

    def forward(self, sequence: Any) -> Vectors:
        steps = shaped(self, sequence, (None, self.width), f"a sequence of vectors of {self.width} numbers")
        queries, keys, values = [
            list(zip(*[self._by_head(layer(step)) for step in steps], strict=True))
            for layer in (self.query, self.key, self.value)
        ]
        heads = [list(_attended(q, k, v)) for q, k, v in zip(queries, keys, values, strict=True)]
        return [self.output([x for part in parts for x in part]) for parts in zip(*heads, strict=True)]

    def _by_head(self, vector: list[Value]) -> list[list[Value]]:
        size = self.width // self.heads
        return [vector[k : k + size] for k in range(0, self.width, size)]

    def __repr__(self) -> str:
        return f"CausalSelfAttention({self.width} -> {self.width}, {self.heads} heads)"


def _attended(queries: Heads, keys: Heads, values: Heads) -> Iterator[list[Value]]:
    """What one head gives for each step."""
    scale = 1.0 / math.sqrt(len(queries[0]))
    columns = list(zip(*values, strict=True))
    for t, query in enumerate(queries, 1):
        weights = softmax([dot(query, key) * scale for key in keys[:t]])
        yield [dot(weights, column[:t]) for column in columns]


class TransformerBlock(Module):
    """Attention and a network of two layers for each step, each normalised before and added to what went in.

    x <- x + attention(norm(x)), then x <- x + network(norm(x)): the "pre-norm" order, in which gradients reach the
    first block unchanged.

    Args:
        width: how many numbers a step has.
        heads: of the attention; divides the width.
        hidden: the width of the network's hidden layer; often four times `width`.
        activation: of that layer.
        dropout: the rate at which what is added loses numbers in training.
        initializer, generator, seed: as for `Layer`.

    Raises:
        ValueError: a number out of its range, an unknown name; at the call, another shape.

    Reference: Xiong et al., *On Layer Normalization in the Transformer Architecture*, 2020.

    >>> block = TransformerBlock(4, 2, 8, seed=0)
    >>> len(block([[1.0, 0.0, 0.0, 2.0]])[0]), block
    (4, TransformerBlock(4 -> 4, 2 heads, hidden 8))
    """

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        activation: str | Activation = "gelu",
        *,
        dropout: float = 0.0,
        initializer: str | Initializer = "glorot_uniform",
        generator: Random | None = None,
        seed: int | None = None,
    ) -> None:
        source = initializers.random_generator(generator, seed)
        self.width, self.hidden = positive(width, "width"), positive(hidden, "hidden")
        self.attention_norm = LayerNorm(width)
        self.attention = CausalSelfAttention(width, heads, initializer=initializer, generator=source)
        self.network_norm = LayerNorm(width)
        self.network = MLP(width, [hidden, width], activation, initializer=initializer, generator=source)
        self.dropout = Dropout(dropout)

    def forward(self, sequence: Any) -> Vectors:
        steps = shaped(self, sequence, (None, self.width), f"a sequence of vectors of {self.width} numbers")
        attended = self.attention([self.attention_norm(step) for step in steps])
        steps = mapped(add, steps, self.dropout(attended))
        changed = [self.network(self.network_norm(step)) for step in steps]
        return mapped(add, steps, self.dropout(changed))  # type: ignore[no-any-return]  # nested as the first

    def __repr__(self) -> str:
        return f"TransformerBlock({self.width} -> {self.width}, {self.attention.heads} heads, hidden {self.hidden})"
