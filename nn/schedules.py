"""Schedules: learning rates that change with the step, which counts from 0, as an optimizer's `iterations` do.

Any function of the step serves as one; these are records, which show themselves, compare and pickle. Wrong settings
are a ValueError.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.value import is_operand

Schedule = Callable[[int], float]


class _Settings:
    def __post_init__(self) -> None:
        for name, setting in vars(self).items():
            if isinstance(setting, ReduceOnPlateau):
                raise ValueError(
                    f"a plateau is noticed by the outermost schedule; got {self!r}; put the others into it"
                )
            if name in ("every", "steps"):
                fits, kind = isinstance(setting, int) and setting >= 1, "a whole number from 1"
            else:
                fits, kind = is_operand(setting) and 0 <= setting < math.inf, "a number from 0"
            if not (fits or callable(setting) or setting is None):
                raise ValueError(f"{name} must be {kind}; got {self!r}; see help(nn.{type(self).__name__})")


@dataclass(frozen=True)
class Constant(_Settings):
    """The same rate at every step.

    >>> Constant(0.1)(1000)
    0.1
    """

    rate: float

    def __call__(self, step: int) -> float:
        return self.rate


@dataclass(frozen=True)
class StepDecay(_Settings):
    """Times the factor once in so many steps: rate factor^floor(step / every).

    >>> [StepDecay(1.0, every=2, factor=0.5)(step) for step in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    rate: float
    every: int
    factor: float = 0.1

    def __call__(self, step: int) -> float:
        return self.rate * _power(self.factor, step // self.every)


def _power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except OverflowError:  # an optimizer says what is wrong with such a rate
        return math.inf


@dataclass(frozen=True)
class ExponentialDecay(_Settings):
    """Times the factor in so many steps, smoothly: rate factor^(step / every).

    >>> [ExponentialDecay(1.0, 0.25, every=2)(step) for step in range(3)]
    [1.0, 0.5, 0.25]
    """

    rate: float
    factor: float
    every: int = 1

    def __call__(self, step: int) -> float:
        return self.rate * _power(self.factor, step / self.every)


@dataclass(frozen=True)
class CosineDecay(_Settings):
    """Half a wave down, then level: final + (rate - final) (1 + cos(pi step / steps)) / 2.

    >>> [round(CosineDecay(1.0, steps=4)(step), 3) for step in range(6)]
    [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]

    Loshchilov and Hutter, *SGDR: stochastic gradient descent with warm restarts*, 2017.
    """

    rate: float
    steps: int
    final: float = 0.0

    def __call__(self, step: int) -> float:
        wave = math.cos(math.pi * min(step, self.steps) / self.steps)
        return self.final + (self.rate - self.final) * (1 + wave) / 2


@dataclass(frozen=True)
class LinearWarmup(_Settings):
    """Up to a rate in so many even steps, (step + 1) / steps of it; then another schedule, from its step 0 on.

    Args:
        steps: how many.
        then: a schedule, or a rate that stays.

    >>> [LinearWarmup(2, then=StepDecay(1.0, every=1, factor=0.5))(step) for step in range(5)]
    [0.5, 1.0, 1.0, 0.5, 0.25]
    """

    steps: int
    then: float | Schedule

    def __call__(self, step: int) -> float:
        if step >= self.steps:
            return _at(self.then, step - self.steps)
        return _at(self.then, 0) * (step + 1) / self.steps


@dataclass
class ReduceOnPlateau(_Settings):
    """A rate that shrinks when a value, such as the validation loss, has stopped improving.

    Args:
        rate: to begin with; a number or a schedule.
        factor: what it is multiplied by.
        patience: how many values in a row may be no better than the best before it is.
        threshold: what counts as better, in proportion to the best value.
        minimum: the rate below which it does not go.
        higher_is_better: whether the value is a score, not a loss.

    >>> rate = ReduceOnPlateau(1.0, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.5):
    ...     rate.observe(loss)
    >>> rate(0)
    0.5
    """

    rate: float | Schedule
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    minimum: float = 0.0
    higher_is_better: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._best = -math.inf if self.higher_is_better else math.inf
        self._worse, self._scale = 0, 1.0

    def __call__(self, step: int) -> float:
        return max(_at(self.rate, step) * self._scale, self.minimum)

    def observe(self, value: float) -> None:
        """Take note of one more value, usually once an epoch; nan is no improvement."""
        value = float(value)
        best, sign = self._best, 1.0 if self.higher_is_better else -1.0
        margin = self.threshold * abs(best) if math.isfinite(best) else 0.0
        if sign * (value - best) > margin:
            self._best, self._worse = value, 0
            return
        self._worse += 1
        if self._worse > self.patience:
            self._scale *= self.factor
            self._worse = 0

    def state_dict(self) -> dict[str, Any]:
        """What it has made of the values so far."""
        return {"best": self._best, "worse": self._worse, "scale": self._scale}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict`."""
        self._best, self._worse, self._scale = state["best"], state["worse"], state["scale"]


def _at(schedule: float | Schedule, step: int) -> float:
    return schedule(step) if callable(schedule) else schedule
