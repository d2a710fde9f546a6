"""Normalisation: numbers brought to mean 0 and variance 1, then scaled and shifted by parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import cycle
from typing import Any

from engine import Value
from engine.functions import mean, reciprocal, sqrt, square, var
from engine.modes import innermost
from engine.tracing import tracing
from engine.value import is_operand
from nn.module import Module
from nn.nested import flattened, listed, mapped, positive, shape_of, shaped, tensor, who


class BatchNorm(Module):
    """Each feature over the examples of a batch: (x - mean) / sqrt(variance + eps) * weight + bias.

    An example is a vector, or an image [channel][row][column], whose channels are the features. In training the mean
    and the variance are the batch's, over its examples and, of images, over rows and columns: call `forward_batch`. In
    evaluation they are the running ones, which each batch moves: r <- (1 - momentum) r + momentum * batch's, with the
    unbiased variance (PyTorch's convention; Keras' momentum is 1 minus this one).

    Args:
        features: how many numbers or channels.
        momentum: how far a batch moves the running statistics, from 0 to 1.
        eps: what keeps the root from 0; not negative.

    Raises:
        ValueError: a number out of its range; at the call, another shape, or a single number per feature in training.
        RuntimeError: at the call, a single example in training.

    Reference: Ioffe and Szegedy, *Batch Normalization*, 2015.

    >>> norm = BatchNorm(1)
    >>> [[round(y.data, 3) for y in example] for example in norm.forward_batch([[1.0], [3.0]])]
    [[-1.0], [1.0]]
    >>> norm.running_mean[0].data, norm.running_var[0].data, norm
    (0.2, 1.1, BatchNorm(1 features))
    """

    buffers = ("running_mean", "running_var")
    couples_examples = True

    def __init__(self, features: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        self.features = positive(features, "features")
        self.momentum, self.eps = _number(momentum, "momentum", 1.0), _number(eps, "eps", math.inf)
        self.weight, self.bias = tensor(lambda: 1.0, self.features), tensor(float, self.features)
        self.running_mean, self.running_var = tensor(float, self.features), tensor(lambda: 1.0, self.features)
        self.observed: tuple[list[Value], ...] = ()
        self._trace: tracing | None = None

    def forward(self, inputs: Any) -> Any:
        if self.training:
            raise RuntimeError(
                f"{who(self)} normalises over a batch in training; got a single example; use forward_batch, or eval()"
            )
        return self._normalized(self._channels(inputs), self.running_mean, self.running_var)

    def forward_batch(self, examples: Sequence[Any]) -> list[Any]:
        if not self.training:
            return [self.forward(example) for example in examples]
        batch = [self._channels(example) for example in examples]
        features = [list(flattened(numbers)) for numbers in zip(*batch, strict=True)]
        count = len(features[0]) if features else 0
        if count < 2:
            raise ValueError(
                f"{who(self)} takes the variance of each feature in training; got {count} number of each; give "
                "forward_batch more examples, or use eval()"
            )
        means, variances = [mean(numbers) for numbers in features], [var(numbers) for numbers in features]
        observed = means, [variance * (count / (count - 1)) for variance in variances]
        if trace := innermost(tracing):
            before = self.observed if self._trace is trace else ()  # a layer may stand in several places
            self.observed, self._trace = (*before, *observed), trace
        else:
            self.observe(mapped(lambda statistic: statistic.data, observed))
        return [self._normalized(example, means, variances) for example in batch]

    def observe(self, statistics: Sequence[Sequence[float]]) -> None:
        """Move the running statistics towards a batch's means and unbiased variances; then towards the next one's.

        >>> norm = BatchNorm(1, momentum=0.5)
        >>> norm.observe(([2.0], [3.0]))
        >>> norm.running_mean[0].data, norm.running_var[0].data
        (1.0, 2.0)
        """
        for running, batch in zip(cycle((self.running_mean, self.running_var)), statistics, strict=False):
            for statistic, number in zip(running, batch, strict=True):
                statistic.data += self.momentum * (float(number) - statistic.data)

    def _channels(self, inputs: Any) -> list[Any]:
        is_image = len(shape_of(listed(inputs))) > 1
        wanted = f"{self.features} numbers, or {self.features} channels of rows and columns"
        sizes = (self.features, None, None) if is_image else (self.features,)
        return shaped(self, inputs, sizes, wanted)  # type: ignore[no-any-return]  # a list: there is an axis

    def _normalized(self, example: list[Any], means: Sequence[Any], variances: Sequence[Any]) -> list[Any]:
        normalized = []
        for numbers, center, variance, weight, bias in zip(
            example, means, variances, self.weight, self.bias, strict=True
        ):
            factor = weight / sqrt(variance + self.eps)
            normalized.append(mapped(lambda x: (x - center) * factor + bias, numbers))  # noqa: B023  # used at once
        return normalized

    def __getstate__(self) -> Any:
        """Copies and pickles go without the graph of a recorded batch."""
        kept: Any = super().__getstate__()  # attributes, and slots
        return kept[0] | {"observed": (), "_trace": None}, kept[1]

    def __repr__(self) -> str:
        return f"BatchNorm({self.features} features)"


class LayerNorm(Module):
    """A vector over its own numbers: (x - mean) / sqrt(variance + eps) * weight + bias, one weight and bias for each.

    Args:
        features: how many numbers.
        eps: what keeps the root from 0; not negative.

    Raises:
        ValueError: a number out of its range; at the call, another number of numbers.

    Reference: Ba, Kiros and Hinton, *Layer Normalization*, 2016.

    >>> [round(y.data, 3) for y in LayerNorm(2)([1.0, 3.0])]
    [-1.0, 1.0]
    """

    def __init__(self, features: int, eps: float = 1e-5) -> None:
        self.features, self.eps = positive(features, "features"), _number(eps, "eps", math.inf)
        self.weight, self.bias = tensor(lambda: 1.0, self.features), tensor(float, self.features)

    def forward(self, inputs: Any) -> list[Value]:
        numbers = shaped(self, inputs, (self.features,), f"{self.features} numbers")
        center = mean(numbers)
        factor = reciprocal(sqrt(var(numbers) + self.eps))
        return [(x - center) * factor * w + b for x, w, b in zip(numbers, self.weight, self.bias, strict=True)]

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.features,)

    def __repr__(self) -> str:
        return f"LayerNorm({self.features} features)"


class RMSNorm(Module):
    """A vector over its own numbers, left where it is: x / sqrt(mean(x^2) + eps) * weight, one weight for each.

    Args and errors are those of `LayerNorm`.

    Reference: Zhang and Sennrich, *Root Mean Square Layer Normalization*, 2019.

    >>> [round(y.data, 3) for y in RMSNorm(2)([3.0, 3.0])]
    [1.0, 1.0]
    """

    def __init__(self, features: int, eps: float = 1e-5) -> None:
        self.features, self.eps = positive(features, "features"), _number(eps, "eps", math.inf)
        self.weight = tensor(lambda: 1.0, self.features)

    def forward(self, inputs: Any) -> list[Value]:
        numbers = shaped(self, inputs, (self.features,), f"{self.features} numbers")
        factor = reciprocal(sqrt(mean([square(x) for x in numbers]) + self.eps))
        return [x * factor * w for x, w in zip(numbers, self.weight, strict=True)]

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.features,)

    def __repr__(self) -> str:
        return f"RMSNorm({self.features} features)"


def _number(number: float, what: str, most: float) -> float:
    if isinstance(number, bool) or not is_operand(number) or not 0.0 <= number <= most:
        raise ValueError(f"{what} must be a number from 0 to {most:g}; got {number!r}; leave it out for the usual one")
    return float(number)
