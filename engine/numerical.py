"""The derivative of a function of one float, with a bound on its error, and the verdict on a claimed derivative.

Numerical differentiation is a trade: a large step cuts off too much of the function, a small one drowns in rounding,
and nobody can choose the step beforehand. So a whole ladder of steps is taken, every range of it is extrapolated to
step zero, and each limit comes with its own error: what extrapolation left over plus the noise of the values. See
`engine/sampling.py` for the steps, `engine/noise.py` for the noise, `engine/extrapolation.py` for the limits and
`engine/classification.py` for what kind of point it is.

The bound is `SAFETY` times the error that shows: an estimate, not a theorem; tested on functions chosen to break it.

This module knows functions of one float: no Values, no graphs, no arrays.
"""

from __future__ import annotations

import math
import warnings

from engine.classification import SAFETY, Derivative, Tables, classify
from engine.extrapolation import CENTRAL, best, extrapolate
from engine.sampling import BUDGET, Samples, Surroundings, U, rounding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.extrapolation import Estimate
    from engine.sampling import Step

_WINDOW = 4  # consecutive steps that may confirm a claim without the rest of the ladder
_NOTHING_BUT_NOISE = 0.1  # of all that f changes over the whole ladder
_OF_SCALE = 1e-5  # an absolute bound worth having, relative to an ordinary slope of f
_ROUNDING_OF_PATHS = 8 * U


def differentiate(f: Callable[[float], float], x: float) -> Derivative:
    """The derivative of f at x, from values of f alone, with a bound on its error.

    f is called 50 to 500 times, at x and up to about 5 max(1, |x|) away; where it raises an `ArithmeticError` or a
    `ValueError`, or where its value is nan, infinite or complex, it counts as undefined.

    Raises:
        TypeError: x, or what f returns, is not a real number.

    >>> d = differentiate(math.sin, 1.0)
    >>> abs(d.value - math.cos(1.0)) <= d.error < 1e-10
    True
    >>> d = differentiate(abs, 0.0)
    >>> d.kind, round(d.left, 6), round(d.right, 6)
    ('kink', -1.0, 1.0)
    >>> differentiate(math.sqrt, 0.0).kind
    'unbounded'
    """
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # NumPy's, outside the domain of f
        return examine(Samples(f), float(x))


def examine(samples: Samples, x: float, claimed: float = math.nan, rtol: float = 1e-7) -> Derivative:
    """The derivative at x, with no more evaluations than it takes to confirm a claim, if there is one.

    The short way may only ever say "agrees"; before anything else is said, the noise of f is measured. Samples may be
    shared between calls for one function; f is evaluated twice at its first x.
    """
    start = samples.count
    f0 = samples(x)
    if math.isnan(f0):
        return Derivative(kind="not_finite", evaluations=samples.count - start, note=samples.trouble)
    again = samples.again(x)
    if again != f0:
        note = f"two evaluations at one point gave {f0!r} and {again!r}"
        return Derivative(kind="nondeterministic", evaluations=samples.count - start, note=note)
    around = Surroundings(samples, x)
    found = _confirm(around, claimed, rtol) or _investigate(around, claimed, rtol)
    found.evaluations = samples.count - start
    return found


# --- the short way


def _confirm(around: Surroundings, claimed: float, rtol: float) -> Derivative | None:
    """The derivative, if four consecutive steps agree with the claim to rtol and see no kink."""
    if not math.isfinite(claimed):
        return None
    windows = _windows(around)
    for sizes in windows if claimed else [next(windows)]:  # at a small step, any slope may look like zero
        steps = [around.step(size) for size in sizes]
        around.find_stairs()
        tables = Tables(around, steps)
        if len(tables.central) < _WINDOW * (_WINDOW - 1) // 2:  # a gap among them
            continue
        slope, jump = best(tables.central), best(tables.jump)
        ordinary = _ordinary_slope(around, steps[0])
        scale = max(abs(claimed), abs(slope.value)) if claimed else ordinary
        error = SAFETY * slope.error
        agrees = abs(slope.value - claimed) <= (rtol * scale if claimed else error) and error <= rtol * scale
        no_kink = abs(jump.value) <= max(SAFETY * jump.error, rtol * scale) and jump.error <= 1e-3 * scale
        if agrees and no_kink:  # the noise has not been measured: the error shows how far they agree
            return Derivative(slope.value, max(error, abs(slope.value - claimed)), scale=ordinary)
    return None


def _windows(around: Surroundings) -> Iterator[list[float]]:
    """Four consecutive steps each: first where most functions are smooth, then down the whole ladder."""
    sizes = around.sizes
    tops = [max(1.0, abs(around.x)) / 16, min(1.0, abs(around.x)) / 16]
    first = [sum(size > top for size in sizes) for top in tops]
    for start in dict.fromkeys([*first, *range(first[0], len(sizes))]):
        yield sizes[start : start + _WINDOW]


def _ordinary_slope(around: Surroundings, step: Step) -> float:
    return max(step.change / step.size, abs(around.f0) / max(abs(around.x), 1.0))


# --- the long way


def _investigate(around: Surroundings, claimed: float, rtol: float) -> Derivative:
    """The derivative by the whole ladder; with the noise measured, unless the claim is plainly right without."""
    found, estimate = classify(around)
    tolerance = rtol * abs(claimed)
    plainly_right = abs(found.value - claimed) <= tolerance and found.error <= 10 * tolerance
    if found.kind != "not_finite" and not (found.kind == "smooth" and plainly_right):
        around.survey()
        found, estimate = _with_noise_measured(around)
        if found.kind == "smooth" and estimate is not None and _all_noise(around, estimate):
            note = "f varies as much between neighbouring floats as over every step tried"
            found = Derivative(found.value, kind="unresolved", note=note)
    ordinary = next(size for size in around.sizes if size <= max(1.0, abs(around.x)) / 64)
    found.scale = _ordinary_slope(around, around.step(ordinary))
    return found


def _with_noise_measured(around: Surroundings) -> tuple[Derivative, Estimate | None]:
    """Classify again and again, measuring the noise at the steps that the answer rests on, which may move it."""
    done: set[float] = set()
    while True:
        found, estimate = classify(around)
        if estimate is None or around.samples.count > BUDGET:
            return found, estimate
        finest = estimate.finest / (4.1 if found.kind == "kink" else 1.0)
        new = [size for size in around.sizes if finest <= size <= estimate.coarsest and size not in done]
        if not new:
            return found, estimate
        for size in new:
            around.measure(size)
        done.update(new)


def _all_noise(around: Surroundings, estimate: Estimate) -> bool:
    """Whether f changes no more over the whole ladder than its noise explains; a constant up to rounding is no case."""
    change = max(step.change for step in around.all_steps)
    noise = around.noise_within(max(estimate.coarsest, abs(around.x) / 4))
    return change > 1e3 * rounding(around.f0) and noise > _NOTHING_BUT_NOISE * change


# --- second derivatives


def curvature(samples: Samples, x: float) -> Derivative:
    """The second derivative at x, from the change of slope across x; with its error, like a first one.

    Only steps small enough for the first derivative count: larger ones may reach across a kink.

    >>> d = curvature(Samples(math.exp), 0.0)
    >>> abs(d.value - 1.0) <= d.error < 1e-4
    True
    """
    around = Surroundings(samples, x)
    around.survey()
    found, estimate = _with_noise_measured(around)
    if found.kind != "smooth" or estimate is None:
        return Derivative(kind=found.kind, note=found.note, evaluations=samples.count)
    rows = [(size, jump / size, noise / size) for size, jump, noise in around.rows(around.all_steps).jump]
    limits = extrapolate(rows, CENTRAL)
    limit = best(e for e in limits if e.coarsest <= 1.001 * estimate.coarsest)
    ordinary = _ordinary_slope(around, around.step(around.sizes[0]))
    # Nothing has looked for contradictions among these limits: twice the caution.
    return Derivative(limit.value, SAFETY**2 * limit.error, evaluations=samples.count, scale=ordinary)


# --- the verdict


class Verdict:
    """What a numerical derivative says about a claimed one.

    Attributes:
        name: `"pass"`; `"fail"`; `"kink"` (left and right slopes differ, and the claim is as good as any between them);
            `"unbounded"` (there is no finite derivative); `"bounded"` (agrees, but only an absolute bound is known);
            `"inconclusive"`; `"nondeterministic"`; `"not_finite"`.
        ok: whether the claim may stand.
        allowed: how far the claim may be off.
        resolution: to what relative precision it was verified.
    """

    __slots__ = ("allowed", "name", "ok", "resolution")

    def __init__(self, name: str, ok: bool, allowed: float = math.nan, resolution: float = math.nan) -> None:
        self.name = name
        self.ok = ok
        self.allowed = allowed
        self.resolution = resolution

    def __repr__(self) -> str:
        return f"Verdict({self.name!r}, ok={self.ok}, allowed={self.allowed:.2g}, resolution={self.resolution:.2g})"


def judge(
    found: Derivative,
    claimed: float,
    *,
    rtol: float = 1e-7,
    atol: float = 0.0,
    min_resolution: float = 1e-3,
    at_kink: str = "subgradient",
    paths: float = 0.0,
    own_noise: float = 0.0,
) -> Verdict:
    """The verdict on a claimed derivative: wrong if |claimed - value| > error + rtol max(|claimed|, |value|) + atol.

    Args:
        found: what `examine` found.
        min_resolution: a pass has to be verified to this relative precision.
        at_kink: what may be claimed at a kink: `"subgradient"`, any slope from the left one to the right one;
            `"one-sided"`, either of the two; `"fail"`, nothing.
        paths: the sum of |contributions| over all paths of a graph that made the claim: reverse accumulation rounds
            by a few units in the last place of that, which shows where contributions cancel.
        own_noise: further rounding of the claim, if it is known.

    >>> judge(Derivative(2.0, 1e-9), 2.0).name, judge(Derivative(2.0, 1e-9), 2.002).name
    ('pass', 'fail')
    """
    if found.kind in ("nondeterministic", "not_finite"):
        return Verdict(found.kind, ok=False)
    if math.isnan(claimed):
        return Verdict("fail", ok=False)
    if found.kind in ("unbounded", "jump"):
        return Verdict("unbounded", ok=math.isinf(claimed) and found.value != -claimed)
    if found.kind == "unresolved":
        return Verdict("inconclusive", ok=False)
    rounding_of_claim = _ROUNDING_OF_PATHS * paths + own_noise
    if found.kind == "kink":
        return _at_kink(found, claimed, rtol, atol + rounding_of_claim, at_kink)
    size = max(abs(claimed), abs(found.value))
    off = abs(claimed - found.value)
    allowed = found.error + rtol * size + atol + rounding_of_claim
    if not off <= allowed or math.isinf(claimed):
        return Verdict("fail", False, allowed, found.error / size)
    scale = max(found.scale, paths)
    if claimed == 0.0:
        size = max(size, scale)
    resolution = found.error / size if size else (math.inf if found.error else 0.0)
    if resolution <= min_resolution:
        return Verdict("pass", True, allowed, resolution)
    if found.error <= _OF_SCALE * scale:
        return Verdict("bounded", True, allowed, resolution)
    return Verdict("inconclusive", False, allowed, resolution)


def _at_kink(found: Derivative, claimed: float, rtol: float, slack: float, at_kink: str) -> Verdict:
    low, high = sorted((found.left, found.right))
    allowed = found.error + rtol * max(abs(low), abs(high), abs(claimed)) + slack
    if at_kink == "subgradient":
        off = max(low - claimed, claimed - high, 0.0)
    elif at_kink == "one-sided":
        off = min(abs(claimed - low), abs(claimed - high))
    else:
        off = math.inf
    return Verdict("kink", True, allowed) if off <= allowed else Verdict("fail", False, allowed)
