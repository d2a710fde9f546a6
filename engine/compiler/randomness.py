"""Random numbers as inputs: the same ones from the same generator, however a function is run.

Numbers are drawn example by example, within an example in the order in which the function asks for them. Eagerly, in
straight-line Python and in arrays they are the same: NumPy goes on where Python's generator is, and gives it back.
"""

from __future__ import annotations

import math
from _thread import RLock
from contextlib import contextmanager
from contextvars import ContextVar
from operator import index
from random import Random

from engine.modes import innermost
from engine.tracing import tracing
from engine.value import Value, constant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

DISTRIBUTIONS = ("normal", "uniform")
"""What a random input may be drawn from: a number from 0 to 1, or one with mean 0 and variance 1."""

_ONE_BY_ONE = 300  # numbers, below which moving the generator's state to NumPy costs more than it saves
one_at_a_time = RLock()  # held while numbers are drawn: two threads shall not go on from the same state
_generator: ContextVar[Random | None] = ContextVar("glassgrad random numbers", default=None)


def random_input(distribution: str = "uniform") -> Value:
    """A random number as an input: in a compiled function a fresh one for every example of every call.

    Elsewhere it draws one number, as a constant. `compile(seed=...)` and `drawing_from` make the numbers reproducible.

    Args:
        distribution: "uniform" from 0 to 1, or "normal" with mean 0 and variance 1.

    Raises:
        ValueError: there is no such distribution.

    >>> 0 <= random_input().data < 1
    True
    """
    if distribution not in DISTRIBUTIONS:
        raise ValueError(
            f"a random input is drawn from a distribution; got {distribution!r}; use one of {sorted(DISTRIBUTIONS)}"
        )
    mode = innermost(tracing)
    if mode is not None:
        return mode.draw(distribution)
    generator = _generator.get()
    if generator is None:
        generator = Random()
        _generator.set(generator)
    return constant(drawn(generator, distribution))


@contextmanager
def drawing_from(generator: Random) -> Iterator[None]:
    """Let `random_input` draw from this generator: eagerly the numbers that a compiled function would have drawn.

    Args:
        generator: a `random.Random`; `compile(seed=Random(0))` draws the same numbers in the same order.

    Raises:
        TypeError: it is not a `random.Random`.

    >>> from random import Random
    >>> from engine import compile
    >>> with drawing_from(Random(0)):
    ...     eager = [random_input().data for _ in range(2)]
    >>> compile(lambda x: x + random_input(), seed=Random(0))([0.0, 0.0]) == eager
    True
    """
    token = _generator.set(checked_generator(generator))
    try:
        yield
    finally:
        _generator.reset(token)


def checked_generator(generator: Any) -> Random:
    """A generator whose state can be read; other kinds have none that NumPy could go on with."""
    if type(generator) is not Random:
        raise TypeError(f"random numbers come from a random.Random; got {generator!r}; use random.Random(0), say")
    return generator


def generator_of(seed: Any) -> Random:
    """The generator itself, or a new one with that seed; without a seed it differs from run to run.

    Raises:
        TypeError: it is neither a `random.Random` nor a whole number.

    >>> generator_of(0).random() == Random(0).random()
    True
    """
    if seed is None:
        return Random()
    if isinstance(seed, Random):
        return checked_generator(seed)
    try:
        return Random(index(seed))
    except TypeError:
        raise TypeError(
            f"a seed is a whole number, or a random.Random to draw from; got {seed!r}; use seed=0, say"
        ) from None


@contextmanager
def undrawn(generator: Random) -> Iterator[None]:
    """What is drawn meanwhile is drawn once more: a look at numbers takes none from the next call."""
    with one_at_a_time:
        before = generator.getstate()
        try:
            yield
        finally:
            generator.setstate(before)


def drawn(generator: Random, distribution: str) -> float:
    """One random number."""
    if distribution == "uniform":
        return generator.random()
    # Box and Muller, "A note on the generation of random normal deviates", 1958: of two uniform numbers, no state kept
    radius = math.sqrt(-2.0 * math.log1p(-generator.random()))
    return radius * math.cos(math.tau * generator.random())


def drawn_table(generator: Random, distributions: Sequence[str], size: int) -> Any:
    """An array with a row for each example: the numbers that `drawn` gives, in its order."""
    import numpy as np

    firsts, count = [], 0
    for distribution in distributions:
        firsts.append(count)
        count += 1 if distribution == "uniform" else 2
    table = _uniforms(generator, size * count).reshape(size, count)
    columns = table[:, firsts]
    normal = [k for k, distribution in enumerate(distributions) if distribution == "normal"]
    if normal:
        angles = math.tau * table[:, [firsts[k] + 1 for k in normal]]
        columns[:, normal] = np.sqrt(-2.0 * np.log1p(-columns[:, normal])) * np.cos(angles)
    return columns


def _uniforms(generator: Random, count: int) -> Any:
    """What `generator.random()` gives so many times: NumPy's Mersenne Twister makes the same numbers of its state."""
    import numpy as np

    if count < _ONE_BY_ONE:
        return np.array([generator.random() for _ in range(count)])
    version, (*words, at), gauss = generator.getstate()
    twister = np.random.RandomState()
    twister.set_state({"bit_generator": "MT19937", "state": {"key": words, "pos": at}})
    numbers = twister.random_sample(count)
    after: Any = twister.get_state(legacy=False)["state"]
    generator.setstate((version, (*after["key"].tolist(), after["pos"]), gauss))
    return numbers
