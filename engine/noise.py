"""How noisy a function of floats is: the size of its rounding errors, measured.

A computed function is a smooth one plus noise: rounding errors that change from one float to the next as if at
random. Differences of high order kill what is smooth and keep the noise (R. W. Hamming, *Introduction to Applied
Numerical Analysis*, chapter 6), and J. J. Moré and S. M. Wild, *Estimating computational noise*, SIAM J. Sci. Comput.
33 (2011), made of that an algorithm that needs seven evaluations. It is used here at several spacings, because a
function that moves in regular stairs looks smooth, or constant, at some of them.

This module knows functions and numbers, and nothing of derivatives.
"""

from __future__ import annotations

import math
from itertools import pairwise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_POINTS = 7  # evaluations for one table, as Moré and Wild recommend
_RATIO = 23.7  # between spacings: no power of two, so that stairs of rounding are met at every phase
_TABLES = 7  # tables for one place, at most
_CLOSE = 4.0  # levels within this factor of each other are a plateau (Moré and Wild)


def difference_table(values: Sequence[float]) -> tuple[float, str]:
    """The noise in equally spaced values of a function, and what the table of their differences looked like.

    For independent errors of standard deviation s, differences of order k have variance s² (2k)!/(k!)²; the orders
    at which this gives the same s three times, with differences of both signs, show the noise.

    Returns:
        a level, and one of `"noise"` (a plateau), `"stairs"` (most neighbours are equal: the spacing is too small),
        `"smooth"` (no plateau: the spacing is too large, the level is an upper bound), `"gap"` (not all finite).

    >>> difference_table([1.0, 3.0, 2.0, 2.5, 1.5, 3.5, 2.0])[1]
    'noise'
    >>> difference_table([0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0])[1]
    'stairs'
    """
    if not all(map(math.isfinite, values)):
        return 0.0, "gap"
    if sum(a == b for a, b in pairwise(values)) >= (len(values) - 1) // 2:
        return 0.0, "stairs"
    differences, variance = list(values), 1.0
    levels, crossing = [], []
    for k in range(1, len(values)):
        differences = [b - a for a, b in pairwise(differences)]
        variance *= k / (4 * k - 2)  # (k!)² / (2k)!
        levels.append(math.sqrt(variance / len(differences)) * math.hypot(*differences))
        crossing.append(min(differences) < 0 < max(differences))
    for k in range(len(levels) - 2):
        plateau = levels[k : k + 3]
        if crossing[k] and 0 < max(plateau) <= _CLOSE * min(plateau):
            return max(plateau), "noise"
    return max(levels[-2:]), "smooth"


def level_around(f: Callable[[float], float], x: float, spacing: float, widest: float, side: int = 0) -> float | None:
    """The noise of f around x: the standard deviation of its errors. None when it cannot be told.

    Tables too fine (stairs) or too coarse (smooth) move on to the next spacing; the larger of two that show a plateau
    counts, because noise that is regular at one spacing is not at the other.

    Args:
        spacing: between the points of the first table; made an odd multiple of the spacing of floats at x.
        widest: the largest spacing to try.
        side: 1 or -1 for points on one side of x only (a kink at x is not noise), 0 for both.
    """
    seen: list[float] = []
    bounds: list[float] = []
    tried: set[int] = set()
    k = 0
    while k not in tried and len(tried) < _TABLES:
        tried.add(k)
        width = _on_the_grid(spacing * _RATIO**k, x)
        if not 0 < width <= widest:
            break
        first = {0: -(_POINTS // 2), 1: 0, -1: 1 - _POINTS}[side]
        level, shape = difference_table([f(x + (first + i) * width) for i in range(_POINTS)])
        if shape == "noise":
            seen.append(level)
            if len(seen) == 2:
                break
        elif shape == "smooth":
            bounds.append(level)
            if seen:
                break
        k += 1 if shape in ("noise", "stairs") else -1
    if seen:
        return max(seen)
    return min(bounds, default=None)


def _on_the_grid(width: float, x: float) -> float:
    """The nearest odd multiple of twice the spacing of floats at x; 0.0 when that is finer than three of them.

    Odd, because rounding repeats itself at powers of two; a multiple of the spacing, so that the points are exact.
    """
    unit = 2 * math.ulp(x)
    multiple = width / unit
    if multiple >= 2.0**53:
        return width
    return (round(multiple) | 1) * unit if multiple >= 3 else 0.0
