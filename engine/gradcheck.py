"""Check a gradient, the engine's or anybody's, against numerical derivatives with error bounds.

A check has to be believed: it never accuses a right gradient and misses no wrong one that it could have seen. So a
claim is not compared with a difference quotient of some fixed step up to some guessed tolerance, but with a
derivative that states its own error (see `engine/numerical.py`); where that error is too large to tell, the report
says so instead of passing.

>>> def loss(x, y):
...     return (x - y) ** 2
>>> def gradient(x, y):
...     return (x - y), -2 * (x - y)
>>> print(check_gradients(loss, [3.0, 2.5], grad=gradient))  # doctest: +ELLIPSIS
gradient check FAILED: 1 of 2 inputs disagrees with finite differences of loss()  (rtol=1e-07)
  x: FAIL  claimed 0.5000000, numerical 1.0000000 ± ...
      hint: claimed/numerical = 1/2: a factor 2 is missing
  y: ok    verified to ... relative
"""

from __future__ import annotations

import warnings

from engine.checking import AT_KINK, Check
from engine.classification import Derivative
from engine.numerical import differentiate
from engine.report import GradientReport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = [
    "Derivative", "GradientError", "GradientReport", "GradientWarning", "assert_gradients", "check_gradients",
    "differentiate",
]  # fmt: skip


class GradientError(AssertionError):
    """A gradient is wrong, or could not be checked. `report` has the details."""

    def __init__(self, report: GradientReport) -> None:
        super().__init__(str(report))
        self.report = report


class GradientWarning(UserWarning):
    """A gradient could be bounded only, or the function did something it should not."""


def assert_gradients(f: Callable[..., Any], inputs: Any, **options: Any) -> None:
    """Raise unless `check_gradients`, with the same arguments, finds nothing wrong.

    Raises:
        GradientError: a gradient disagrees, the function is not deterministic or not finite, or nothing can be told:
            then the first line says "could not be checked". The message is the report.

    Warns:
        GradientWarning: a gradient agrees, but only an absolute bound is known; or f or grad changes its inputs.

    >>> from engine import Value
    >>> assert_gradients(lambda a, b: (a * b + 10).tanh(), [2.0, -4.0])
    """
    __tracebackhide__ = True  # pytest shows the report, not this function
    report = check_gradients(f, inputs, **options)
    if not report:
        raise GradientError(report)
    if report.notes or any(entry.verdict == "bounded" for entry in report.entries):
        warnings.warn(str(report), GradientWarning, stacklevel=2)


def check_gradients(
    f: Callable[..., Any],
    inputs: Any,
    *,
    grad: Callable[..., Any] | tuple[Callable[..., Any] | None, Callable[..., Any]] | None = None,
    order: int = 1,
    rtol: float = 1e-7,
    atol: float = 0.0,
    min_resolution: float = 1e-3,
    at_kink: str = "subgradient",
    max_entries: int | None = None,
    seed: int = 0,
) -> GradientReport:
    """Compare a gradient with numerical derivatives, number by number.

    A claim is wrong if |claimed - numerical| > error + rtol max(|claimed|, |numerical|) + atol, where `error` bounds
    the error of the numerical derivative. It passes if that shows it to a relative precision of `min_resolution`.

    Args:
        f: any function that returns one real number, from floats, Values, NumPy arrays or nested structures.
        inputs: a list or tuple is passed as positional arguments, a mapping as keyword arguments, anything else (a
            number, a Value, an array) as the only argument. A function of one list takes `[the_list]`. Every call
            gets fresh copies.
        grad: called like f; returns the gradient: one part for each input, in a sequence or in a mapping by name, in
            any nesting of numbers, Values and arrays. None: the engine differentiates f, which then gets Values.
        order: 2 checks the second derivatives too: the claimed gradient, differentiated numerically, has to be
            symmetric and to give the curvature of f. `grad` may then be a pair (gradient, second derivatives) of
            functions; the second returns, for inputs i and j, a part of shape shape(i) + shape(j), in nested lists
            if there are several inputs.
        rtol, atol: further tolerances; for a claim of lower precision than float64.
        min_resolution: the relative precision that a pass has to show.
        at_kink: what may be claimed where left and right slopes differ: "subgradient", any slope between them;
            "one-sided", either of the two; "fail", nothing.
        max_entries: of an input with more numbers than that, check only so many, chosen at random; and the
            derivative in one random direction over everything.
        seed: of that choice.

    Raises:
        TypeError: inputs or gradients are not made of numbers, f does not return one, or leaves the graph.
        ValueError: options out of range; grad returns parts that do not belong to the inputs.

    >>> bool(check_gradients(lambda x: x ** 3, 2.0, grad=lambda x: 3 * x ** 2))
    True
    """
    gradient, hessian = grad if isinstance(grad, tuple) else (grad, None)
    _require(order in (1, 2), "order must be 1 or 2", order, "2 for second derivatives too")
    _require(hessian is None or order == 2, "second derivatives are checked by order 2 only", order, "order=2")
    _require(at_kink in AT_KINK, "at_kink must name a rule", at_kink, " or ".join(AT_KINK))
    _require(max_entries is None or max_entries > 0, "max_entries must be positive", max_entries, "None for all")
    for name, tolerance in (("rtol", rtol), ("atol", atol), ("min_resolution", min_resolution)):
        _require(tolerance >= 0, f"{name} must not be negative", tolerance, "0.0 for no tolerance at all")
    check = Check(f, inputs, gradient, rtol=rtol, atol=atol, min_resolution=min_resolution, at_kink=at_kink)
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # NumPy's, outside the domain of f
        entries = check.first_order(max_entries, seed)
        if order == 2:
            from engine.second_order import second_order

            entries += second_order(check, hessian, max_entries, seed)
    counted = "input" if order == 1 else "derivative"
    return GradientReport(check.subject.name, entries, rtol, min_resolution, check.subject.notes, counted)


def _require(holds: bool, wrong: str, got: object, instead: str) -> None:
    if not holds:
        raise ValueError(f"{wrong}; got {got!r}; use {instead}")
