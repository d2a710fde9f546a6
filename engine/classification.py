"""What a function does at a point: smooth, one-sided, a kink, a jump, or slopes without bound.

All slopes of a ladder of steps are extrapolated, and the limit with the smallest error is believed, unless something
lies inside its range of steps: limits at finer steps that contradict it, or a slope that differs left and right of x.
Then only finer steps count: a kink that is near x, but not at it, disappears, one at x stays.

This module knows samples of one function; claims and verdicts are none of its business.
"""

from __future__ import annotations

import math
from itertools import pairwise

from engine.extrapolation import CENTRAL, JUMP, ONE_SIDED, Estimate, best, error_of, extrapolate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from engine.sampling import Step, Surroundings

    Slope = Callable[[Step], float]

SAFETY = 4.0  # between the error seen and the error stated
_FINER = 0.3  # of a window's largest step: below it, steps are finer than the window's
_CLEAR = 32.0  # a jump of the slope counts from this many times the error of the slope across
_SAME = 1e-5  # slopes that agree to five digits are one slope
_RESOLVED = 0.05  # of a kink's height: an error that small at finer steps has seen that the kink is not at x
_TAIL = 6  # the finest steps, which tell what happens at x itself
_RESOLVABLE = 1e4  # a change this many times its noise shows the power of its step
_POWER = 0.02  # slopes that grow less than this power of the step are bounded
_STRAIGHT = 0.05  # how far the power may vary from step to step
_LOGARITHM = 1.05 * _POWER  # stands for logarithmic growth, less than that of any power
_JUMP_POWER = 0.98
_NO_RANGE = "no range of steps gives a usable slope"


class Derivative:
    """The derivative of a function at a point, as far as it can be told from the function's values.

    Attributes:
        value: the derivative; nan where there is none, ±inf where slopes grow without bound.
        error: a bound on its error; inf where nothing can be told.
        kind: `"smooth"`; `"one_sided"` (the function ends at x); `"kink"` (different slopes left and right);
            `"unbounded"` (slopes grow as steps shrink); `"jump"` (the function itself jumps); `"unresolved"` (no step
            gives a usable slope); `"nondeterministic"`; `"not_finite"` (the function, at x or all around it).
        left, right: the slopes on the left and on the right of a kink, at x or next to it; else nan.
        evaluations: how often the function was called.
        note: what was noticed, for people.
        scale: an ordinary slope of the function around x: what a derivative of zero is small against.
    """

    __slots__ = ("error", "evaluations", "kind", "left", "note", "right", "scale", "value")

    def __init__(
        self,
        value: float = math.nan,
        error: float = math.inf,
        kind: str = "smooth",
        left: float = math.nan,
        right: float = math.nan,
        evaluations: int = 0,
        note: str = "",
        scale: float = 0.0,
    ) -> None:
        self.value = value
        self.error = error
        self.kind = kind
        self.left = left
        self.right = right
        self.evaluations = evaluations
        self.note = note
        self.scale = scale

    def __repr__(self) -> str:
        sides = "" if math.isnan(self.left) else f", left={self.left!r}, right={self.right!r}"
        note = f", note={self.note!r}" if self.note else ""
        return (
            f"Derivative({self.value!r}, error={self.error:.2g}, kind={self.kind!r}{sides}, "
            f"evaluations={self.evaluations}{note})"
        )


def classify(around: Surroundings) -> tuple[Derivative, Estimate | None]:
    """The derivative at x, and the estimate it rests on, if any."""
    steps = around.all_steps
    around.find_stairs()
    right = not all(math.isnan(step.f_ahead) for step in steps[-_TAIL:])
    left = not all(math.isnan(step.f_behind) for step in steps[-_TAIL:])
    if not right and not left:
        return Derivative(kind="not_finite", note="f is not finite on either side of x"), None
    sides: list[Slope] = [lambda step: step.right] * right + [lambda step: step.left] * left
    steep = _without_bound(around, steps, [*sides, lambda step: step.central])
    if steep:
        return steep, None
    tables = Tables(around, steps)
    if right and left:
        return _two_sided(tables)
    limit = best(tables.right if right else tables.left)
    if limit.error == math.inf:
        return Derivative(kind="unresolved", note=_NO_RANGE), None
    note = f"one-sided: f is not defined on the {'left' if right else 'right'}"
    return Derivative(limit.value, SAFETY * limit.error, "one_sided", note=note), limit


class Tables:
    """The limits of all four kinds of slopes."""

    __slots__ = ("central", "jump", "left", "right")

    def __init__(self, around: Surroundings, steps: Sequence[Step]) -> None:
        rows = around.rows(steps)
        self.central = extrapolate(rows.central, CENTRAL)
        self.left = extrapolate(rows.left, ONE_SIDED)
        self.right = extrapolate(rows.right, ONE_SIDED)
        self.jump = extrapolate(rows.jump, JUMP)


# --- smooth, or a kink


def _two_sided(tables: Tables) -> tuple[Derivative, Estimate | None]:
    kink: _Window | None = None
    candidates = tables.central
    while candidates:
        window = _Window(tables, candidates)
        if not window.slope_jumps and not window.contradicting:
            return _seen_past(kink, window)
        if window.slope_jumps and kink is None:
            if window.one_slope and not window.contradicting:
                gap = abs(window.right.value - window.left.value)
                return Derivative(window.slope.value, SAFETY * window.slope.error + gap), window.slope
            if window.two_slopes:
                kink = window
        candidates = [estimate for estimate in candidates if estimate.coarsest <= window.limit_for_finer]
    if kink is None:
        return Derivative(kind="unresolved", note=_NO_RANGE), None
    return kink.as_kink(), kink.slope


def _seen_past(kink: _Window | None, window: _Window) -> tuple[Derivative, Estimate]:
    """Smooth, if finer steps resolve a slope where coarser ones saw a kink."""
    found = Derivative(window.slope.value, SAFETY * window.slope.error)
    if kink is None:
        return found, window.slope
    left, right = kink.left.value, kink.right.value
    if found.error >= _RESOLVED * abs(right - left):
        return kink.as_kink(), kink.slope
    found.left, found.right = left, right
    found.note = f"the slope changes from {left:.3g} to {right:.3g} within {window.slope.coarsest:.1g} of x"
    return found, window.slope


class _Window:
    """The best slope across among some candidates, and what else is known within its range of steps."""

    def __init__(self, tables: Tables, candidates: Iterable[Estimate]) -> None:
        centre = min(candidates, key=error_of)

        def inside(estimates: Iterable[Estimate]) -> Estimate:
            return best(
                e for e in estimates if e.coarsest <= 1.001 * centre.coarsest and e.finest >= centre.finest / 4.1
            )

        self.slope = inside(candidates)
        self.left, self.right, jump = inside(tables.left), inside(tables.right), inside(tables.jump)
        self.slope_jumps = abs(jump.value) > max(SAFETY * jump.error, _CLEAR * centre.error)
        finest_of_window = _FINER * centre.coarsest
        self.contradicting = [
            e
            for e in tables.central
            if e.coarsest <= finest_of_window
            and abs(e.value - centre.value) > SAFETY * (SAFETY * e.error + centre.error)
        ]
        #: only candidates whose steps all stay within this are still to be believed
        self.limit_for_finer = finest_of_window
        if self.contradicting and not self.slope_jumps:
            self.limit_for_finer = 1.001 * max(e.coarsest for e in self.contradicting)
        self._gap = abs(self.right.value - self.left.value)
        self._gap_error = SAFETY * (self.right.error + self.left.error)
        self._same = _SAME * max(abs(self.right.value), abs(self.left.value))

    @property
    def two_slopes(self) -> bool:
        """Left and right slopes differ beyond their errors, and in their first five digits."""
        return self._gap > max(self._gap_error, self._same)

    @property
    def one_slope(self) -> bool:
        """They are shown to be equal to five digits."""
        return self._gap + self._gap_error <= self._same

    def as_kink(self) -> Derivative:
        error = SAFETY * max(self.left.error, self.right.error)
        return Derivative(self.slope.value, error, "kink", self.left.value, self.right.value)


# --- slopes without bound


def _without_bound(around: Surroundings, steps: Sequence[Step], slopes: Sequence[Slope]) -> Derivative | None:
    """Slopes that follow a negative power of the step, if any of these do; the last one gives the sign."""
    laws = [_power_law(around, steps, slope) for slope in slopes]
    power = max(law[0] for law in laws)
    if power <= _POWER:
        return None
    towards = [math.copysign(math.inf, sign) for law_power, sign in laws if law_power > _POWER]
    value = towards[0] if len(set(towards)) == 1 else math.nan
    if power > _JUMP_POWER:
        return Derivative(value, 0.0, "jump", note="f jumps at x")
    growth = "the logarithm of the step" if power == _LOGARITHM else f"the step to the power {-power:.3g}"
    return Derivative(value, 0.0, "unbounded", note=f"slopes grow like {growth}")


def _power_law(around: Surroundings, steps: Sequence[Step], slope: Slope) -> tuple[float, float]:
    """(p, a slope) if slopes grow like h**-p over the finest steps that show them; (0, 0) if they follow no power."""
    clear = [(s.size, slope(s)) for s in steps if abs(slope(s)) * s.size > _RESOLVABLE * around.noise(s)][-_TAIL:]
    if len(clear) < 4:
        return 0.0, 0.0
    sizes, heights = [math.log2(h) for h, _ in clear], [math.log2(abs(k)) for _, k in clear]
    powers = [-(heights[i + 1] - heights[i]) / (sizes[i + 1] - sizes[i]) for i in range(len(clear) - 1)]
    size, last = clear[-1]
    for step in steps:  # the next finer one: where the law predicts a change that would show, it has to show
        if step.size < 0.99 * size:
            predicted = abs(last) * (size / step.size) ** powers[-1] * step.size
            if not math.isnan(slope(step)) and predicted > SAFETY * _RESOLVABLE * around.noise(step):
                return 0.0, 0.0
            break
    growth = [abs(b[1]) - abs(a[1]) for a, b in pairwise(clear)]
    if 0 < max(growth) < (1 + _POWER) * min(growth):  # the same amount with every step
        return _LOGARITHM, last
    if max(powers) - min(powers) < _STRAIGHT:
        return sum(powers) / len(powers), last
    return 0.0, 0.0
