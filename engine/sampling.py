"""Values of a function around a point, at steps small and large, and how far each can be trusted.

The steps form a ladder, each a quarter of the one before, around unit size and around the size of x: a function may
live on either scale. A step at which the function is not finite, or raises, has nan and breaks the ladder there, so
that the edge of a domain needs no help from anybody.

The noise of a value is never less than half a unit in its last place, and often more: whatever the function does
inside before it returns. That is measured, see `engine/noise.py`, where a verdict depends on it.

This module knows one function of one float.
"""

from __future__ import annotations

import math
from itertools import pairwise

from engine.noise import level_around

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from engine.extrapolation import Row

U = 2.0**-53  # half a unit in the last place of 1.0
BUDGET = 300  # evaluations after which no more noise is measured
_GOLDEN = (math.sqrt(5) - 1) / 2  # a ladder of exact powers of two would alias with rounding
_RUNGS = 25  # for each of the two sizes: 4**-25 of it is below the spacing of floats
_FINEST = 8  # smallest step, in units in the last place of x
_DEVIATIONS = 3.0  # noise counted, in standard deviations
_NEAR = 16.1  # noise found at this many steps from x, or nearer, counts for the step
_HALVINGS = 20  # of the step at which f begins to move: a stair that keeps its height through a factor 1e6 is one
_QUANTUM = 1e-7  # a first change of this size, relative to f, may be one stair of rounding


class Samples:
    """f, evaluated once at each place, with a count; nan where it is not finite or not defined.

    `known` are values that need no evaluation. `trouble` says why the last nan was one.
    """

    __slots__ = ("_seen", "count", "f", "trouble")

    def __init__(self, f: Callable[[float], float | complex], known: dict[float, float] | None = None) -> None:
        self.f = f
        self.count = 0
        self.trouble = ""
        self._seen = dict(known or {})

    def __call__(self, x: float) -> float:
        value = self._seen.get(x)
        if value is None:
            value = self._seen[x] = self.again(x)
        return value

    def again(self, x: float) -> float:
        """f(x), evaluated afresh."""
        if not math.isfinite(x):
            self.trouble = f"x is {x}"
            return math.nan
        self.count += 1
        try:
            value = self.f(x)
        except (ArithmeticError, ValueError) as error:  # how Python says that x is outside the domain
            self.trouble = f"f raised {type(error).__name__}: {error}"
            return math.nan
        if isinstance(value, complex):  # a negative number to a fractional power
            self.trouble = "f is complex"
            return math.nan
        if math.isfinite(value):
            return float(value)
        self.trouble = f"f is {value}"
        return math.nan


class Step:
    """f at x + ahead and at x - behind: both `size`, but for the rounding of x + size and x - size."""

    __slots__ = ("ahead", "behind", "f0", "f_ahead", "f_behind", "size")

    def __init__(self, samples: Samples, x: float, size: float) -> None:
        self.size = size
        self.ahead = (x + size) - x
        self.behind = x - (x - size)
        self.f_ahead = samples(x + size)
        self.f_behind = samples(x - size)
        self.f0 = samples(x)

    @property
    def right(self) -> float:
        return (self.f_ahead - self.f0) / self.ahead

    @property
    def left(self) -> float:
        return (self.f0 - self.f_behind) / self.behind

    @property
    def central(self) -> float:
        """The slope across, corrected for a point that rounding has put further out than the other."""
        width = self.ahead + self.behind
        lopsided = (self.ahead - self.behind) / width
        return (self.f_ahead - self.f_behind) / width - (lopsided * (self.right - self.left) if lopsided else 0.0)

    @property
    def change(self) -> float:
        """How much f moves at most, on the sides where it is finite."""
        return max((abs(f - self.f0) for f in (self.f_ahead, self.f_behind) if f == f), default=0.0)


def ladder(x: float) -> list[float]:
    """Steps around x, largest first: from a little above unit size and the size of x downwards.

    >>> steps = ladder(1000.0)
    >>> steps[0] > 1000.0, steps[-1] >= 8 * math.ulp(1000.0), round(steps[0] / steps[1], 9)
    (True, True, 4.0)
    """
    finest = _FINEST * math.ulp(x) if x else 2.0**-60
    exponents: set[int] = set()
    for size in {1.0, abs(x) or 1.0}:
        top = math.frexp(size)[1] // 2 + 1  # 4**top is 4 to 8 times the size
        exponents.update(range(top, top - _RUNGS, -1))
    steps = [_GOLDEN * 4.0**k for k in sorted(exponents, reverse=True) if -530 < k < 512]
    return [step for step in steps if step >= finest]


class Surroundings:
    """What is known of f around x: the ladder of steps, and the noise at each."""

    def __init__(self, samples: Samples, x: float) -> None:
        self.samples, self.x = samples, x
        self.f0 = samples(x)
        self.sizes = ladder(x)
        self.noise_at_x = 0.0
        self._steps: dict[float, Step] = {}
        self._measured: dict[tuple[float, int], float | None] = {}
        self._stairs: dict[float, float] = {}
        self._stair = 0.0
        self._first_change: dict[float, float] = {}

    def step(self, size: float) -> Step:
        found = self._steps.get(size)
        if found is None:
            found = self._steps[size] = Step(self.samples, self.x, size)
        return found

    @property
    def all_steps(self) -> list[Step]:
        return [self.step(size) for size in self.sizes]

    # --- noise

    def noise(self, step: Step) -> float:
        """How far off f may be at the ends of a step."""
        ends = [abs(f) for f in (step.f_ahead, step.f_behind, self.f0) if f == f]
        return max(self._floor(step.size), *map(rounding, ends))

    def noise_within(self, reach: float) -> float:
        """The largest noise measured at `reach` from x, or nearer."""
        found = [level for (size, _), level in self._measured.items() if level is not None and size <= reach]
        return max(found, default=0.0)

    def _floor(self, size: float) -> float:
        """The noise of a step that does not come from rounding the result.

        Noise belongs to a place, not to a step: what was measured anywhere near counts.
        """
        near = max(_NEAR * size, min(abs(self.x), 1.0) / 4)
        return max(self.noise_within(near), self._stairs.get(size, 0.0), self._stair)

    def measure_at_x(self) -> None:
        """Noise at x, on either side: the smaller one, as a kink at x is not noise."""
        if not self.x:
            return
        spacing = max(abs(self.x) * 1.618e-10, 5.3 * math.ulp(self.x))
        levels = [level_around(self.samples, self.x, spacing, abs(self.x) / 64, side) for side in (1, -1)]
        self.noise_at_x = _DEVIATIONS * min((level for level in levels if level is not None), default=0.0)

    def measure(self, size: float, sides: Iterable[int] = (1, -1)) -> bool:
        """Measure the noise at the ends of a step, where it has not been yet; whether it could be told."""
        told = False
        for side in sides:
            if (size, side) not in self._measured:
                self._measured[size, side] = self._level(self.x + side * size, size)
            told = told or self._measured[size, side] is not None
        return told

    def _level(self, y: float, size: float) -> float | None:
        if math.isnan(self.samples(y)):
            return None
        finest = 5.3 * math.ulp(y)
        spacing = min(max(abs(y) * 1.618e-10, finest), max(size / 37, finest))
        level = level_around(self.samples, y, spacing, max(size / 16, spacing))
        return None if level is None else _DEVIATIONS * level

    def survey(self) -> None:
        """Measure the noise at x and at every fourth step, left and right in turn, until nothing can be told."""
        self.measure_at_x()
        self._climb_first_stair()
        blind = 0
        side = 1
        for size in self.sizes[1::4]:
            side = -side
            blind = 0 if self.measure(size, (side,)) else blind + 1
            if blind == 3 or self.samples.count > BUDGET:
                return

    def _climb_first_stair(self) -> None:
        """Where f begins to move, halve the step again and again: a stair keeps its height, a slope does not.

        A kink at some distance, with a slope of zero before it, looks like a stair from afar.
        """
        steps = self.all_steps
        for moved, flat in pairwise(steps):
            if moved.change and not flat.change:
                sign = 1 if abs(moved.f_ahead - self.f0) == moved.change else -1
                low, high = flat.size, moved.size
                for _ in range(_HALVINGS):
                    middle = (low + high) / 2
                    change = abs(self.samples(self.x + sign * middle) - self.f0)
                    low, high = (low, middle) if change else (middle, high)
                    if change:
                        self._first_change[moved.size] = change
                return

    def find_stairs(self) -> None:
        """Where f moves in stairs of rounding: how high they are.

        On a step at which f does not move at all it may stand on a stair as high as its first change further out.
        A change that is gone again further out, to the last bit, is such a stair as well. Larger ones are real.
        """
        steps = [self._steps[size] for size in self.sizes if size in self._steps]
        largest = max((abs(f) for step in steps for f in (step.f_ahead, step.f_behind, self.f0) if f == f), default=0.0)
        quantum = _QUANTUM * largest
        first_change = 0.0
        for step in steps:
            if step.change:
                change = self._first_change.get(step.size, step.change)
                first_change = change if change <= quantum else 0.0
            else:
                self._stairs[step.size] = first_change
        for side in ([step.f_ahead for step in steps], [step.f_behind for step in steps]):
            came_back = False
            for value in side:
                change = abs(value - self.f0)
                came_back = came_back or change == 0
                if came_back and self._stair < change <= quantum:
                    self._stair = change

    # --- slopes

    def rows(self, steps: Sequence[Step]) -> Rows:
        """The slopes of these steps, each with its noise."""
        rows = Rows()
        at_x = rounding(self.f0)
        for step in steps:
            size, floor = step.size, self._floor(step.size)
            ahead, behind = max(floor, rounding(step.f_ahead)), max(floor, rounding(step.f_behind))
            both = max(ahead, behind)
            middle = at_x + self.noise_at_x
            rows.central.append((size, step.central, 2 * both / (step.ahead + step.behind)))
            rows.left.append((size, step.left, (max(behind, at_x) + middle) / step.behind))
            rows.right.append((size, step.right, (max(ahead, at_x) + middle) / step.ahead))
            rows.jump.append((size, step.right - step.left, 4 * (max(both, at_x) + self.noise_at_x) / size))
        return rows


class Rows:
    """Slopes for the extrapolation: across x, on its left, on its right, and right minus left."""

    __slots__ = ("central", "jump", "left", "right")

    def __init__(self) -> None:
        self.central: list[Row] = []
        self.left: list[Row] = []
        self.right: list[Row] = []
        self.jump: list[Row] = []


def rounding(value: float) -> float:
    """The error of a value that is rounded correctly: half a unit in its last place; none of an exact zero."""
    return max(U * abs(value), 5e-324) if value else 0.0
