"""How a check says what it found: as text, as records, in pytest."""

from __future__ import annotations

import json
import math
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import Value
from engine.gradcheck import GradientError, GradientReport, GradientWarning, assert_gradients, check_gradients
from engine.report import Entry

ROOT = Path(__file__).parent.parent


def verdicts(report: GradientReport) -> list[str]:
    return [entry.verdict for entry in report.entries]


def rounded(report: GradientReport) -> str:
    """The text of a report, without the sizes of errors, which depend on the platform's functions."""
    return re.sub(r"(±|verified to) \d(e-\d+)", r"\1 ...", str(report))


def product(x: Any, y: Any) -> Any:
    return x * y


# --- the report


def test_the_report_speaks_like_this() -> None:
    def loss(x: float, y: float, z: float) -> float:
        return x * x + y + max(z, 0.0)

    report = check_gradients(loss, [1.0, 2.0, 0.0], grad=lambda x, y, z: (2 * x, 0.5, 0.0))
    assert rounded(report) == (
        "gradient check FAILED: 1 of 3 inputs disagrees with finite differences of loss()  (rtol=1e-07)\n"
        "  x: ok    verified to ... relative\n"
        "  y: FAIL  claimed 0.5000000, numerical 1.0000000 ± ...\n"
        "      hint: claimed/numerical = 1/2: a factor 2 is missing\n"
        "  z: kink  slope is 0 on the left, 1 on the right; claimed 0 is a valid subgradient"
    )
    assert not report
    assert repr(report) == f"<GradientReport: {str(report).splitlines()[0]}>"


def test_arrays_show_their_worst_numbers() -> None:
    def gradient(w: Any) -> Any:
        wrong = 2 * w
        wrong[1:] += [[0.1, 0.01], [1.0, 0.001]]
        return wrong

    report = check_gradients(lambda w: np.sum(w * w), np.ones((3, 2)), grad=gradient)
    assert rounded(report) == (
        "gradient check FAILED: 1 of 1 input disagrees with finite differences of f()  (rtol=1e-07)\n"
        "  w: FAIL  4 of 6 numbers disagree\n"
        "      [2, 0] claimed 3.0000000, numerical 2.0000000 ± ...\n"
        "      [1, 0] claimed 2.1000000, numerical 2.0000000 ± ...\n"
        "      [1, 1] claimed 2.0100000, numerical 2.0000000 ± ...\n"
        "      ... and 1 more"
    )


def test_one_hint_for_all() -> None:
    report = check_gradients(lambda a, b: a * a * b, [1.5, 2.0], grad=lambda a, b: (a * b, a * a / 2))
    assert (
        str(report).splitlines()[-1] == "  hint, for all that disagree: claimed/numerical = 1/2: a factor 2 is missing"
    )
    assert str(report).count("hint") == 1


def test_many_inputs_that_agree_are_counted() -> None:
    report = check_gradients(lambda **xs: sum(xs.values()), {f"x{i}": float(i) for i in range(14)})
    assert len(str(report).splitlines()) == 12
    assert str(report).endswith("\n  ... and 4 more, ok")


def test_records_are_plain_data() -> None:
    report = check_gradients(product, [2.0, 3.0], grad=lambda x, y: (y, 1.0))
    wrong = json.loads(json.dumps(report.records()))[1]
    assert {key: wrong[key] for key in ("input", "index", "claimed", "verdict", "ok", "hint")} == {
        "input": "y",
        "index": [],
        "claimed": 1.0,
        "verdict": "fail",
        "ok": False,
        "hint": "claimed/numerical = 1/2: a factor 2 is missing",
    }
    assert abs(wrong["numerical"] - 2.0) <= wrong["error"] <= wrong["allowed"] < 1e-6
    assert set(wrong) == {
        "input",
        "index",
        "claimed",
        "numerical",
        "error",
        "allowed",
        "resolution",
        "verdict",
        "ok",
        "hint",
    }


def test_cost() -> None:
    calls = []

    def f(x: float, y: float) -> float:
        calls.append((x, y))
        return math.sin(x) * y

    report = check_gradients(f, [1.0, 2.0], grad=lambda x, y: (y * math.cos(x), math.sin(x)))
    assert report.evaluations == len(calls) - 1 == 18


# --- verdicts


@pytest.mark.parametrize(
    ("f", "x", "gradient", "verdict", "ok", "text"),
    [
        (
            abs,
            0.0,
            lambda x: 2.0,
            "fail",
            False,
            "slope is -1 on the left, 1 on the right; claimed 2 is not between them",
        ),
        (math.sqrt, 0.0, lambda x: math.inf, "unbounded", True, "there is no finite derivative; claimed inf"),
        (math.sqrt, 0.0, lambda x: 0.0, "unbounded", False, "x: FAIL  slopes grow like the step to the power -0.5"),
        (lambda x: 1 + math.exp(-x), 40.0, lambda x: -math.exp(-x), "bounded", True, "agrees, but only to ±"),
        (
            lambda x: math.sin(1e18 * x) + 3,
            0.7,
            lambda x: 1.0,
            "inconclusive",
            False,
            "claimed 1 could not be checked: f varies",
        ),
        (lambda x: x, 1.0, lambda x: math.nan, "fail", False, "claimed nan, numerical 1"),
        (lambda x: x, 1.0, lambda x: math.inf, "fail", False, "claimed inf, numerical 1"),
        (
            lambda x: 1 / x,
            0.0,
            lambda x: 1.0,
            "not_finite",
            False,
            "x: not finite  at these inputs, f raised ZeroDivisionError",
        ),
        (lambda x: x**0.5, -1.0, lambda x: 1.0, "not_finite", False, "at these inputs, f is complex"),
        (
            lambda x: 1.0 if x == 1 else math.nan,
            1.0,
            lambda x: 1.0,
            "not_finite",
            False,
            "f is not finite on either side of x",
        ),
        (
            lambda x: x + random.random(),
            1.0,
            lambda x: 1.0,
            "nondeterministic",
            False,
            "two evaluations at one point gave",
        ),
        (
            lambda x: x * 1e-300,
            1.0,
            lambda x: 2e-300,
            "fail",
            False,
            "claimed 2.0000000e-300, numerical 1.0000000e-300",
        ),
        (lambda x: x, 1.0, lambda x: 1.000001, "fail", False, "claimed 1.00000100, numerical 1.00000000"),
        (lambda x: x * 1e12, 1.0, lambda x: 2e12, "fail", False, "claimed 2.0000000e+12, numerical 1.0000000e+12"),
    ],
)
def test_verdicts(f: Any, x: float, gradient: Any, verdict: str, ok: bool, text: str) -> None:
    report = check_gradients(f, x, grad=gradient)
    assert verdicts(report) == [verdict]
    assert report.ok is report.entries[0].ok is ok
    assert text in str(report)


def test_first_lines() -> None:
    def first(f: Any, x: float, gradient: Any) -> str:
        return str(check_gradients(f, x, grad=gradient)).splitlines()[0]

    end = "with finite differences of f()  (rtol=1e-07)"
    assert first(lambda x: x, 1.0, lambda x: 1.0) == f"gradient check passed: 1 input agrees {end}"
    assert first(lambda x: x, 1.0, lambda x: 2.0) == f"gradient check FAILED: 1 of 1 input disagrees {end}"
    assert first(lambda x: 1 / x, 0.0, lambda x: 2.0) == "gradient check FAILED: f() is not finite"
    assert first(lambda x: random.random(), 0.0, lambda x: 2.0) == "gradient check FAILED: f() is not deterministic"
    assert first(lambda x: math.sin(1e18 * x), 0.7, lambda x: 1.0) == (
        "gradient could not be checked: 1 of 1 input is beyond what finite differences of f() resolve  "
        "(min_resolution=0.001)"
    )


def test_what_may_be_claimed_at_a_kink() -> None:
    def check(claim: float, rule: str) -> GradientReport:
        return check_gradients(lambda x: max(x, 0.0), 0.0, grad=lambda x: claim, at_kink=rule)

    assert [check(0.5, rule).ok for rule in ("subgradient", "one-sided", "fail")] == [True, False, False]
    assert [check(1.0, rule).ok for rule in ("subgradient", "one-sided", "fail")] == [True, True, False]
    assert "claimed 0.5 is not accepted at a kink" in str(check(0.5, "one-sided"))


def test_a_claim_may_be_off_by_its_own_rounding() -> None:
    report = check_gradients(lambda x: x - math.sin(x), 1e-6, grad=lambda x: 1 - math.cos(x))
    assert report.ok
    x = Value(-1e-3)
    assert check_gradients(lambda x: x / x, x).ok  # two paths that cancel
    report = check_gradients(math.sin, 0.3, grad=lambda x: math.cos(x) + (1e-4 if x <= 0.3 else -1e-4))
    assert verdicts(report) == ["fail"]  # a claim that switches at x is not noise


def test_a_claim_that_cannot_be_repeated_nearby_gets_no_allowance() -> None:
    def gradient(w: Any) -> Any:
        return np.cos(w) * 1.001 if w[0] == 0.3 else np.zeros(3)

    assert verdicts(check_gradients(lambda w: float(np.sin(w[0])), np.array([0.3]), grad=gradient)) == ["fail"]


# --- pytest


def test_assert_gradients() -> None:
    assert_gradients(product, [2.0, 3.0], grad=lambda x, y: [y, x])
    with pytest.raises(GradientError, match="gradient check FAILED: 2 of 2 inputs disagree") as caught:
        assert_gradients(product, [2.0, 3.0], grad=lambda x, y: (x, y))
    assert isinstance(caught.value, AssertionError)
    assert str(caught.value) == str(caught.value.report)
    with pytest.raises(GradientError, match="^gradient could not be checked: 1 of 1 input"):
        assert_gradients(lambda x: math.sin(1e18 * x), 0.7, grad=lambda x: 1.0)
    with pytest.warns(GradientWarning, match="bounded"):
        assert_gradients(lambda x: 1 + math.exp(-x), 40.0, grad=lambda x: -math.exp(-x))


SAMPLE = """
from engine.gradcheck import assert_gradients

def loss(x, y):
    return (x - y) ** 2

def test_gradient():
    assert_gradients(loss, [3.0, 2.5], grad=lambda x, y: ((x - y), -2 * (x - y)))
"""


def test_a_failing_assertion_in_pytest_prints_the_report_and_nothing_of_the_engine(tmp_path: Path) -> None:
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-c",
        "/dev/null",
        "--rootdir",
        ".",
        "test_sample.py",
    ]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    printed = [line[8:] for line in done.stdout.splitlines() if line.startswith("E   ")]  # E, and the indentation
    report = check_gradients(lambda x, y: (x - y) ** 2, [3.0, 2.5], grad=lambda x, y: ((x - y), -2 * (x - y)))
    expected = str(report).replace(" f()", " loss()").splitlines()
    assert [line.removeprefix("engine.gradcheck.GradientError: ") for line in printed] == expected
    assert not [line for line in done.stdout.splitlines() if line.startswith(("engine/", str(ROOT)))]


def test_an_entry_says_what_it_is() -> None:
    (entry,) = check_gradients(lambda x: x * x, 3.0).entries
    assert isinstance(entry, Entry)
    assert re.fullmatch(r"verified to (\de-\d\d relative|the last bit)", str(entry))
    exact = check_gradients(lambda x: 0.0 * x, 3.0, grad=lambda x: 0.0)
    assert str(exact.entries[0]) == "verified to the last bit"
