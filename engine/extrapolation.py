"""Limits of slopes for vanishing steps: Richardson's extrapolation, with an error estimate that has to be earned.

A slope taken with step h is the derivative plus c1 h^p1 + c2 h^p2 + ... : slopes at several h, each a quarter of the
one before, let the first terms be eliminated one after another (L. F. Richardson, 1911; C. J. F. Ridders, *Accurate
computation of F'(x) and F'(x)F''(x)*, Advances in Engineering Software 4 (1982)). The last correction tells how much
is still missing, if the corrections shrink the way the theory says; where they do not, the whole correction counts
as error.

This module knows sequences of numbers; not where they come from.
"""

from __future__ import annotations

import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Row = tuple[float, float, float]  # step, slope, noise of that slope

RATIO = 4.0  # between a step and the next
CENTRAL = (2, 4, 6, 8, 10)  # powers of h in the error of a symmetric difference
ONE_SIDED = (1, 2, 3, 4, 5)
JUMP = (1, 3, 5, 7, 9)  # of the slope on the right minus the slope on the left

_U = 2.0**-53
_TOLERATED = 8.0  # corrections may shrink this many times less than predicted and still confirm the order
_PEERS = 4  # estimates compared with the best one
_COMPARABLE = 16.0  # peers: errors within this factor of the best


class Estimate:
    """A limit, with its error split into what was cut off (truncation) and what was rounded (noise).

    `finest` and `coarsest` are the smallest and the largest step that went into it.
    """

    __slots__ = ("coarsest", "error", "finest", "noise", "truncation", "value")

    def __init__(self, value: float, truncation: float, noise: float, finest: float, coarsest: float) -> None:
        self.value = value
        self.truncation = truncation
        self.noise = noise
        self.finest = finest
        self.coarsest = coarsest
        self.error = truncation + noise


def extrapolate(rows: Iterable[Row], powers: Sequence[int]) -> list[Estimate]:
    """All the limits that a descending ladder of slopes allows.

    A slope that is nan, or a step that is not a quarter of the one before, starts a new run.

    Args:
        rows: (step, slope, noise of the slope), from the largest step to the smallest.
        powers: the powers of the step in the error of a slope.

    >>> rows = [(h, (math.exp(h) - math.exp(-h)) / (2 * h), 1e-16 / h) for h in (0.1, 0.025, 0.00625)]
    >>> best = min(extrapolate(rows, CENTRAL), key=lambda estimate: estimate.error)
    >>> abs(best.value - 1.0) < best.error < 1e-6
    True
    """
    found: list[Estimate] = []
    run: list[_Line] = []
    for step, slope, noise in rows:
        if not math.isfinite(slope) or not math.isfinite(noise):
            run = []
            continue
        if run and not math.isclose(run[-1].step, RATIO * step, rel_tol=1e-9):
            run = []
        line = _Line(step, slope, noise + _U * abs(slope), run[-1] if run else None, powers)
        run.append(line)
        for j in range(1, len(line.values)):
            found.append(Estimate(line.values[j], line.truncation[j], line.noise[j], step, run[-1 - j].step))
    return found


class _Line:
    """One line of the extrapolation table: the slope at one step and what its predecessors make of it."""

    __slots__ = ("corrections", "noise", "step", "truncation", "values")

    def __init__(self, step: float, slope: float, noise: float, before: _Line | None, powers: Sequence[int]) -> None:
        self.step = step
        self.values, self.noise = [slope], [noise]
        self.corrections: list[float] = []
        self.truncation = [math.inf]
        if before is None:
            return
        for j in range(min(len(before.values), len(powers))):
            shrinks = RATIO ** powers[j]
            correction = self.values[j] - before.values[j]
            self.values.append(self.values[j] + correction / (shrinks - 1))
            self.noise.append((shrinks * self.noise[j] + before.noise[j]) / (shrinks - 1))
            self.corrections.append(correction)
            self.truncation.append(self._left_over(j, shrinks, before))

    def _left_over(self, j: int, shrinks: float, before: _Line) -> float:
        """The truncation error after correction j: a fraction of it only if the predicted order shows."""
        correction = abs(self.corrections[j])
        if j >= len(before.corrections):  # nothing to compare it with yet
            return correction / math.sqrt(shrinks)
        predicted = abs(before.corrections[j]) / shrinks
        if correction <= _TOLERATED * (predicted + self.noise[j]):
            return correction / (shrinks - 1)
        return correction


def best(estimates: Iterable[Estimate]) -> Estimate:
    """The estimate with the smallest error, that error raised to its distance from others nearly as good.

    Of no estimates: nan, with an infinite error.
    """
    ranked = sorted(estimates, key=error_of)[:_PEERS]
    if not ranked:
        return Estimate(math.nan, math.inf, math.inf, math.nan, math.nan)
    first = ranked[0]
    peers = [peer for peer in ranked if peer.error <= _COMPARABLE * first.error]
    spread = max(abs(peer.value - first.value) for peer in peers)
    chosen = Estimate(first.value, first.truncation, first.noise, first.finest, first.coarsest)
    chosen.error = max(first.error, spread)
    return chosen


def error_of(estimate: Estimate) -> float:
    return estimate.error
