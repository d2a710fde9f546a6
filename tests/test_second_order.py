"""Second derivatives, from the claimed gradient alone."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from engine.gradcheck import GradientReport, check_gradients


def verdicts(report: GradientReport) -> list[str]:
    return [entry.verdict for entry in report.entries]


def cubic(x: Any, y: Any) -> Any:
    return x * x * y + y * y * y


def cubic_gradient(x: Any, y: Any) -> Any:
    return 2 * x * y, x * x + 3 * y * y


def cubic_hessian(x: Any, y: Any) -> Any:
    return [[2 * y, 2 * x], [2 * x, 6 * y]]


@pytest.mark.parametrize("gradient", [None, cubic_gradient])
def test_second_order(gradient: Any) -> None:
    report = check_gradients(cubic, [1.5, 0.5], grad=gradient, order=2)
    assert report.ok
    assert [entry.input for entry in report.entries] == [
        "x",
        "y",
        "curvature along x",
        "curvature along y",
        "symmetry of y, x",
    ]
    assert str(report).startswith("gradient check passed: 5 derivatives agree with finite differences of cubic()")
    claimed = check_gradients(cubic, [1.5, 0.5], grad=(gradient, cubic_hessian), order=2)
    assert claimed.ok
    assert [entry.input for entry in claimed.entries[5:]] == ["d²/dx dx", "d²/dx dy", "d²/dy dx", "d²/dy dy"]
    by_name = check_gradients(
        cubic,
        {"x": 1.5, "y": 0.5},
        order=2,
        grad=(gradient, lambda x, y: {"x": {"x": 2 * y, "y": 2 * x}, "y": {"x": 2 * x, "y": 6 * y}}),
    )
    assert by_name.ok


def test_wrong_second_derivatives() -> None:
    wrong = check_gradients(cubic, [1.5, 0.5], grad=(None, lambda x, y: [[2 * y, 2 * x], [2 * x, 3 * y]]), order=2)
    assert [entry.input for entry in wrong.entries if not entry.ok] == ["d²/dy dy"]


def test_a_gradient_that_is_right_at_one_point_only() -> None:
    report = check_gradients(lambda x, y: x * y, [1.0, 1.0], grad=lambda x, y: (x * y * y, x), order=2)
    wrong = {entry.input: str(entry) for entry in report.entries if not entry.ok}
    assert set(wrong) == {"curvature along x", "symmetry of y, x"}
    assert re.search(
        r"d/dx of the claimed df/dy is 1, d/dy of the claimed df/dx is 2: no function has this gradient",
        wrong["symmetry of y, x"],
    )


def test_second_order_of_arrays() -> None:
    matrix = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, -1.0], [0.0, -1.0, 1.0]])

    def form(v: Any) -> Any:
        return 0.5 * v @ matrix @ v

    report = check_gradients(form, np.array([1.0, 2.0, 3.0]), grad=(lambda v: matrix @ v, lambda v: matrix), order=2)
    assert report.ok
    assert [entry.index for entry in report.entries[3:9]] == [(0,), (1,), (1, 0), (2,), (2, 0), (2, 1)]
    assert len(report.entries) == 18
    sampled = check_gradients(form, np.array([1.0, 2.0, 3.0]), grad=lambda v: matrix @ v, order=2, max_entries=1)
    assert [entry.input for entry in sampled.entries] == ["v", "a random direction", "curvature along v"]


def test_second_order_where_there_is_none() -> None:
    report = check_gradients(lambda x: max(x, 0.0) ** 2, 0.0, grad=lambda x: 2 * max(x, 0.0), order=2)
    assert verdicts(report) == ["pass", "bounded"]
    assert "not resolved: the gradient is kink here" in str(report)
    assert len(check_gradients(lambda x: x, 1.0, grad=lambda x: [1.0, 2.0], order=2).entries) == 1
    assert verdicts(check_gradients(lambda x: 1 / x, 0.0, grad=lambda x: 1.0, order=2)) == ["not_finite"]


def test_curvature_that_cannot_be_resolved_is_bounded() -> None:
    report = check_gradients(lambda x: 1 + x * 1e-14, 1.0, grad=lambda x: 1e-14 + 1e-18 * x, order=2)
    assert report.entries[1].verdict == "bounded"


@pytest.mark.parametrize(
    ("hessian", "message"),
    [
        (lambda x, y: [[1.0, 2.0], [3.0]], "must have a part for y and every other input"),
        (lambda x, y: 1.0, "must have a part for x and every other input; got 1.0; return nested lists"),
        (lambda x, y: [[1.0, [2.0, 3.0]], [1.0, 1.0]], "for x and y must be 1 times 1 numbers; got 2; return"),
    ],
)
def test_mistakes_in_second_derivatives(hessian: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_gradients(cubic, [1.5, 0.5], grad=(None, hessian), order=2)
