"""How weights start: each initialiser draws one weight from a generator, given the layer's fan-in and fan-out.

With variance 1/fan-in a layer keeps the size of what it passes on (LeCun); relu halves it, hence 2/fan-in (He);
2/(fan-in + fan-out) keeps both values and gradients (Glorot).

References: LeCun et al., *Efficient BackProp*, 1998; Glorot and Bengio, *Understanding the difficulty of training deep
feedforward neural networks*, 2010; He et al., *Delving deep into rectifiers*, 2015.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from engine.compiler.randomness import generator_of

Initializer = Callable[[Random, int, int], float]


def glorot_uniform(generator: Random, fan_in: int, fan_out: int) -> float:
    """Uniform in +-sqrt(6 / (fan_in + fan_out)): for tanh and sigmoid. Keras' default."""
    return _uniform(generator, 2.0 / (fan_in + fan_out))


def glorot_normal(generator: Random, fan_in: int, fan_out: int) -> float:
    """Normal with variance 2 / (fan_in + fan_out)."""
    return generator.gauss(0.0, math.sqrt(2.0 / (fan_in + fan_out)))


def he_uniform(generator: Random, fan_in: int, fan_out: int) -> float:
    """Uniform in +-sqrt(6 / fan_in): for relu and its relatives."""
    return _uniform(generator, 2.0 / fan_in)


def he_normal(generator: Random, fan_in: int, fan_out: int) -> float:
    """Normal with variance 2 / fan_in."""
    return generator.gauss(0.0, math.sqrt(2.0 / fan_in))


def lecun_uniform(generator: Random, fan_in: int, fan_out: int) -> float:
    """Uniform in +-sqrt(3 / fan_in): for selu."""
    return _uniform(generator, 1.0 / fan_in)


def lecun_normal(generator: Random, fan_in: int, fan_out: int) -> float:
    """Normal with variance 1 / fan_in."""
    return generator.gauss(0.0, math.sqrt(1.0 / fan_in))


def normal(generator: Random, fan_in: int, fan_out: int, mean: float = 0.0, deviation: float = 0.05) -> float:
    """Normal, whatever the layer's size; `functools.partial(normal, deviation=1.0)` for another deviation."""
    return generator.gauss(mean, deviation)


def uniform(generator: Random, fan_in: int, fan_out: int, low: float = -0.05, high: float = 0.05) -> float:
    """Uniform in [low, high], whatever the layer's size."""
    return generator.uniform(low, high)


def zeros(generator: Random, fan_in: int, fan_out: int) -> float:
    """Zero: for biases. Weights that start equal stay equal."""
    return 0.0


def _uniform(generator: Random, variance: float) -> float:
    limit = math.sqrt(3.0 * variance)
    return generator.uniform(-limit, limit)


INITIALIZERS: dict[str, Initializer] = {
    function.__name__: function
    for function in (glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal, normal, uniform,
                     zeros)
}  # fmt: skip


def find(initializer: str | Initializer) -> Initializer:
    """An initialiser by name, or the function as it is.

    Raises:
        ValueError: there is none of that name.
        TypeError: neither a name nor a function.

    >>> find("zeros")(Random(0), 3, 1)
    0.0
    """
    if isinstance(initializer, str):
        if initializer not in INITIALIZERS:
            raise ValueError(f"no initializer has this name; got {initializer!r}; use one of {sorted(INITIALIZERS)}")
        return INITIALIZERS[initializer]
    if not callable(initializer):
        raise TypeError(
            f"an initializer is a name or a function of generator, fan_in and fan_out; got {initializer!r}; "
            f"use one of {sorted(INITIALIZERS)}"
        )
    return initializer


def random_generator(generator: Random | None, seed: int | None) -> Random:
    """The generator given, or a new one from the seed; without either, one that differs from run to run.

    Raises:
        ValueError: both are given.
        TypeError: `generator` is not a `random.Random`.
    """
    if generator is None:
        return generator_of(seed)
    if seed is not None:
        raise ValueError(
            f"a generator and a seed say the same twice; got generator={generator!r}, seed={seed!r}; give one"
        )
    if not isinstance(generator, Random):
        raise TypeError(f"generator must be a random.Random; got {generator!r}; use random.Random(0), or seed=0")
    return generator
