"""Numerical derivatives with error bounds: the corpus, every kind of point, noise, verdicts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from corpus import CORPUS, NOTICED, Case
from measures import Counts, on_corpus, on_dags, ours

from engine.classification import Derivative
from engine.extrapolation import CENTRAL, best, extrapolate
from engine.noise import difference_table, level_around
from engine.numerical import curvature, differentiate, examine, judge
from engine.sampling import Samples, ladder, rounding

INF, NAN = math.inf, math.nan


# --- the corpus, and random graphs


@pytest.fixture(scope="module")
def corpus_counts() -> Counts:
    return on_corpus(ours)


def test_the_corpus_is_what_the_numbers_are_about() -> None:
    assert len(CORPUS) == len({case.name for case in CORPUS}) == 100
    assert sum(case.can_be_wrong for case in CORPUS) == 82


def test_no_right_derivative_of_the_corpus_is_accused(corpus_counts: Counts) -> None:
    assert corpus_counts.right == 100
    assert corpus_counts.accused == []
    assert corpus_counts.unsure == ["(x - 1)**7 multiplied out, near 1"]  # 1e-12, in terms of size 1


@pytest.mark.parametrize("kind", NOTICED)
def test_wrong_derivatives_of_the_corpus_are_noticed(corpus_counts: Counts, kind: str) -> None:
    assert corpus_counts.wrong[kind] == 82
    assert corpus_counts.noticed[kind] >= NOTICED[kind]


@pytest.mark.parametrize("case", [case for case in CORPUS if case.claim is None], ids=lambda case: case.name)
def test_the_error_bound_holds(case: Case) -> None:
    found = differentiate(case, case.x)
    assert abs(found.value - float(case.truth)) <= found.error
    confirmed = examine(Samples(case), case.x, case.right)
    assert abs(confirmed.value - float(case.truth)) <= confirmed.error


def test_random_expressions_raise_no_alarm_and_hide_nothing() -> None:
    counts = on_dags(ours, 150, seed=1)
    assert counts.accused == counts.unsure == []
    assert counts.noticed[1e-3] >= 0.99 * counts.wrong[1e-3] > 125
    assert counts.noticed[1e-6] >= 0.98 * counts.wrong[1e-6] > 125
    assert counts.median_cost <= 12


# --- kinds of points


def test_a_kink_has_two_slopes() -> None:
    found = differentiate(lambda x: max(-x, 3 * x), 0.0)
    assert found.kind == "kink"
    assert abs(found.left + 1) <= found.error
    assert abs(found.right - 3) <= found.error


def test_a_kink_nearby_is_seen_past_and_noted() -> None:
    found = differentiate(lambda x: abs(x) + 1000, 1e-6)
    assert found.kind == "smooth"
    assert abs(found.left + 1) < 1e-4 > abs(found.right - 1)
    assert abs(found.value - 1) <= found.error < 1e-5
    assert "slope changes from -1 to 1" in found.note


@pytest.mark.parametrize(
    ("f", "x", "value", "note"),
    [
        (math.sqrt, 0.0, INF, "the step to the power -0.5"),
        (lambda x: -math.cbrt(x), 0.0, -INF, "the step to the power -0.667"),
        (lambda x: math.sqrt(abs(x)), 0.0, NAN, "power"),
        (lambda x: x * math.log(x) if x else 0.0, 0.0, -INF, "the logarithm of the step"),
        (lambda x: 1e4 + (x * math.log(x) if x else 0.0), 0.0, -INF, "the logarithm of the step"),
    ],
    ids=["square root", "cube root", "cusp", "x log x", "x log x on a constant"],
)
def test_slopes_without_bound(f: Callable[[float], float], x: float, value: float, note: str) -> None:
    found = differentiate(f, x)
    assert found.kind == "unbounded"
    assert found.value == value or (math.isnan(value) and math.isnan(found.value))
    assert note in found.note


def test_a_jump_is_no_slope() -> None:
    found = differentiate(math.floor, 2.0)
    assert (found.kind, found.value, found.note) == ("jump", INF, "f jumps at x")


@pytest.mark.parametrize(("x", "side"), [(0.0, "left"), (1.0, "right")])
def test_a_domain_that_ends_at_x(x: float, side: str) -> None:
    found = differentiate(lambda t: (t * (1 - t)) ** 1.5 + t, x)  # complex outside [0, 1]
    assert found.kind == "one_sided"
    assert abs(found.value - 1) <= found.error < 1e-3
    assert found.note == f"one-sided: f is not defined on the {side}"


def test_a_point_without_neighbours() -> None:
    found = differentiate(lambda x: 1.0 if x == 2.0 else NAN, 2.0)
    assert (found.kind, found.note) == ("not_finite", "f is not finite on either side of x")


@pytest.mark.parametrize(
    ("f", "x", "note"),
    [
        (lambda x: 1 / x, 0.0, "f raised ZeroDivisionError: float division by zero"),
        (math.log, -1.0, "f raised ValueError: "),
        (lambda x: INF, 0.0, "f is inf"),
        (lambda x: x**0.5, -1.0, "f is complex"),
        (lambda x: x, INF, "x is inf"),
    ],
)
def test_a_function_that_is_not_finite_at_x(f: Callable[[float], Any], x: float, note: str) -> None:
    found = differentiate(f, x)
    assert found.kind == "not_finite"
    assert found.note.startswith(note)


def test_other_errors_of_the_function_are_its_own() -> None:
    with pytest.raises(KeyError):
        differentiate(lambda x: {}["x"], 1.0)
    with pytest.raises(TypeError):
        differentiate(lambda x: "one", 1.0)  # type: ignore[arg-type, return-value]


def test_a_function_that_is_not_deterministic() -> None:
    values = iter(range(1000))
    found = differentiate(lambda x: float(next(values)), 1.0)
    assert (found.kind, found.evaluations) == ("nondeterministic", 2)
    assert found.note == "two evaluations at one point gave 0.0 and 1.0"


def test_nothing_but_noise_is_not_resolved() -> None:
    def hash_like(x: float) -> float:
        return math.sin(1e18 * x) + 3

    found = differentiate(hash_like, 0.7)
    assert (found.kind, found.error) == ("unresolved", INF)
    assert "varies as much between neighbouring floats" in found.note


@pytest.mark.parametrize("sides", [(1, -1), (1,), (-1,)])
def test_no_range_of_steps_may_be_usable(sides: tuple[int, ...]) -> None:
    finite = {1.0, *(1.0 + side * ladder(1.0)[-1] for side in sides)}
    found = differentiate(lambda x: 1.0 if x in finite else NAN, 1.0)
    assert (found.kind, found.note) == ("unresolved", "no range of steps gives a usable slope")


def test_warnings_of_numpy_outside_the_domain_are_not_the_users_concern() -> None:
    assert differentiate(np.log, 0.1).kind == "smooth"  # pytest is told to make errors of warnings


@pytest.mark.parametrize("x", [0.0, 5e-324, -1e-310, 1e-300, 1e300, -1.7e308, 2**53 + 1.0])
def test_extreme_points(x: float) -> None:
    for slope in (1.0, -(2.0**-20), 2.0**20 if abs(x) < 1e300 else 0.5):
        found = differentiate(lambda t, slope=slope: slope * t, x)  # type: ignore[misc]
        assert found.kind == "smooth"
        assert abs(found.value - slope) <= found.error <= 1e-6 * abs(slope)


def test_values_near_the_ends_of_the_range() -> None:
    for scale in (1e-300, 5e-310, 1e300):
        found = differentiate(lambda x, scale=scale: scale * math.sin(x), 1.0)  # type: ignore[misc]
        assert abs(found.value - scale * math.cos(1.0)) <= found.error <= max(1e-6 * scale, 1e-320)


def test_stairs_of_rounding_are_noise_however_flat() -> None:
    def stairs(x: float) -> float:
        return ((1.5 * x + 1e6) - 1e6) * 1e-3

    found = differentiate(stairs, 0.0)
    assert abs(found.value - 1.5e-3) <= found.error
    assert not judge(found, 0.0).ok


def test_a_derivative_describes_itself() -> None:
    assert repr(Derivative(2.0, 1e-9, evaluations=10)) == "Derivative(2.0, error=1e-09, kind='smooth', evaluations=10)"
    kink = Derivative(0.5, 0.0, "kink", 0.0, 1.0, 52, "seen")
    assert repr(kink) == "Derivative(0.5, error=0, kind='kink', left=0.0, right=1.0, evaluations=52, note='seen')"
    assert repr(judge(Derivative(1.0, 0.0), 1.0)) == "Verdict('pass', ok=True, allowed=1e-07, resolution=0)"


# --- what the parts do


def test_noise_is_measured_within_a_factor() -> None:
    chance = np.random.default_rng(0)
    for level in (1e-12, 1e-3):
        table: dict[float, float] = {}

        def noisy(x: float, level: float = level, table: dict[float, float] = table) -> float:
            return math.sin(x) + table.setdefault(x, level * chance.standard_normal())

        for side in (-1, 0, 1):
            found = level_around(noisy, 1.0, 1e-10, 1e-2, side)
            assert found is not None
            assert level / 4 < found < 4 * level


def test_noise_that_cannot_be_told() -> None:
    assert level_around(lambda x: NAN, 1.0, 1e-10, 1e-2) is None
    assert level_around(lambda x: 1.0, 1.0, 1e-10, 1e-2) is None
    assert level_around(math.exp, 1.0, 1e-20, 1e-2) is None  # finer than floats are
    assert level_around(math.sin, 0.0, 0.1, 1.0) is not None  # floats at 0 are finer than anything


def test_difference_tables() -> None:
    assert difference_table([1.0, NAN, 2.0]) == (0.0, "gap")
    level, shape = difference_table([math.exp(0.1 * i) for i in range(7)])
    assert shape == "smooth"
    assert level < 1e-6


def test_an_extrapolation_of_nothing_knows_nothing() -> None:
    nothing = best(extrapolate([(1.0, 2.0, 0.0), (0.5, NAN, 0.0), (0.25, 2.0, 0.0)], CENTRAL))
    assert math.isnan(nothing.value)
    assert nothing.error == INF


def test_an_order_that_does_not_show_is_not_believed() -> None:
    steps = [4.0**-k for k in range(6)]
    honest = best(extrapolate([(h, 1 + h * h, 0.0) for h in steps], CENTRAL))
    assert abs(honest.value - 1) <= honest.error < 1e-6
    slow = best(extrapolate([(h, 1 + h**0.5, 0.0) for h in steps], CENTRAL))
    assert abs(slow.value - 1) <= 4 * slow.error


def test_rounding_of_zero_is_nothing() -> None:
    assert [rounding(value) for value in (0.0, 1.0, -4.0, 1e-320)] == [0.0, 2.0**-53, 2.0**-51, 5e-324]


def test_curvature() -> None:
    for f, x, truth in ((math.sin, 1.0, -math.sin(1.0)), (lambda x: 3 * x, 2.0, 0.0), (math.log, 1e-3, -1e6)):
        found = curvature(Samples(f), x)
        assert abs(found.value - truth) <= found.error < 1e-2 * max(abs(truth), 1.0)
    assert curvature(Samples(abs), 0.0).kind == "kink"


# --- verdicts

SMOOTH = Derivative(2.0, 1e-9, scale=1.0)
KINK = Derivative(0.5, 1e-9, "kink", left=0.0, right=1.0)
UP = Derivative(INF, 0.0, "unbounded")


@pytest.mark.parametrize(
    ("found", "claimed", "options", "verdict"),
    [
        (SMOOTH, 2.0, {}, ("pass", True)),
        (SMOOTH, 2.00001, {}, ("fail", False)),
        (SMOOTH, 2.00001, {"rtol": 1e-4}, ("pass", True)),
        (SMOOTH, 2.00001, {"atol": 1e-4}, ("pass", True)),
        (SMOOTH, 2.00001, {"paths": 1e12}, ("pass", True)),
        (SMOOTH, 2.00001, {"own_noise": 1e-4}, ("pass", True)),
        (SMOOTH, 2.0, {"min_resolution": 1e-12}, ("bounded", True)),
        (Derivative(2.0, 0.1, scale=1.0), 2.0, {}, ("inconclusive", False)),
        (Derivative(0.0, 1e-9, scale=1.0), 0.0, {}, ("pass", True)),
        (Derivative(0.0, 0.0), 0.0, {}, ("pass", True)),
        (Derivative(0.0, 1e-9), 0.0, {}, ("inconclusive", False)),
        (Derivative(0.0, 0.0), 1e-300, {}, ("fail", False)),
        (Derivative(1e-12, 1e-11, scale=1.0), 1e-12, {}, ("bounded", True)),
        (Derivative(1e-12, 1e-11), 1e-12, {}, ("inconclusive", False)),
        (Derivative(1e-12, 1e-11), 1e-12, {"paths": 1.0}, ("bounded", True)),
        (SMOOTH, NAN, {}, ("fail", False)),
        (SMOOTH, INF, {}, ("fail", False)),
        (KINK, 0.0, {}, ("kink", True)),
        (KINK, 0.3, {}, ("kink", True)),
        (KINK, 1.1, {}, ("fail", False)),
        (KINK, 1.0, {"at_kink": "one-sided"}, ("kink", True)),
        (KINK, 0.3, {"at_kink": "one-sided"}, ("fail", False)),
        (KINK, 1.0, {"at_kink": "fail"}, ("fail", False)),
        (UP, INF, {}, ("unbounded", True)),
        (UP, -INF, {}, ("unbounded", False)),
        (UP, 0.0, {}, ("unbounded", False)),
        (UP, NAN, {}, ("fail", False)),
        (Derivative(NAN, 0.0, "unbounded"), -INF, {}, ("unbounded", True)),
        (Derivative(kind="jump"), 0.0, {}, ("unbounded", False)),
        (Derivative(kind="unresolved"), 1.0, {}, ("inconclusive", False)),
        (Derivative(kind="not_finite"), 1.0, {}, ("not_finite", False)),
        (Derivative(kind="nondeterministic"), NAN, {}, ("nondeterministic", False)),
    ],
)
def test_verdicts(found: Derivative, claimed: float, options: dict[str, Any], verdict: tuple[str, bool]) -> None:
    judged = judge(found, claimed, **options)
    assert (judged.name, judged.ok) == verdict
