"""Gradient checkers side by side: what they accuse wrongly, what they miss, and what they cost.

    python tests/benchmarks/gradcheck_table.py                     # everything; some six minutes
    python tests/benchmarks/gradcheck_table.py --expressions 500   # a quick look

Every checker sees the same functions, points and claims: the hundred functions of `tests/corpus.py`, and random
expressions with sharing (`tests/dags.py`). PyTorch's and SciPy's run with their default steps and tolerances; SciPy's
`check_grad` returns a distance, which is held against 1e-6 of the claim, or 1e-6 where that is less than 1.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from measures import Checker, Counts, Function, Outcome, on_corpus, on_dags, ours  # noqa: E402  # from the folder above

SCIPY_TOLERANCE = 1e-6


class Counted:
    """A function that counts its calls, and is nan where it raises, as arrays would have it."""

    def __init__(self, f: Function) -> None:
        self.f = f
        self.calls = 0

    def __call__(self, x: float) -> float:
        self.calls += 1
        try:
            value = self.f(x)
        except (ArithmeticError, ValueError):
            return float("nan")
        return float("nan") if isinstance(value, complex) else float(value)


def pytorch() -> Checker:
    """`torch.autograd.gradcheck` of a function whose backward is the claim."""
    import torch

    class Claimed(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, f: Function, claimed: float) -> Any:
            ctx.claimed = claimed
            return torch.tensor(f(x.item()), dtype=torch.float64)

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:  # type: ignore[override]
            return upstream * ctx.claimed, None, None

    def check(f: Function, x: float, claimed: float, paths: float) -> Outcome:
        counted = Counted(f)
        point = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        agrees = torch.autograd.gradcheck(lambda t: Claimed.apply(t, counted, claimed), (point,), raise_exception=False)
        return Outcome(not agrees, "pass" if agrees else "fail", counted.calls)

    return check


def scipy() -> Checker:
    """`scipy.optimize.check_grad`."""
    import numpy
    from scipy.optimize import check_grad

    def check(f: Function, x: float, claimed: float, paths: float) -> Outcome:
        counted = Counted(f)
        off = check_grad(lambda point: counted(float(point[0])), lambda point: numpy.array([claimed]), [x])
        agrees = off <= SCIPY_TOLERANCE * max(1.0, abs(claimed))
        return Outcome(not agrees, "pass" if agrees else "fail", counted.calls)

    return check


def share(part: int, whole: int) -> str:
    return f"{part} of {whole}" + (f" ({part / whole:.2%})" if whole > 100 else "")


def rows(corpus: Counts, expressions: Counts) -> list[tuple[str, str]]:
    return [
        ("corpus: right derivatives accused", share(len(corpus.accused), corpus.right)),
        ("corpus: right, but could not be checked", share(len(corpus.unsure), corpus.right)),
        *((f"corpus: wrong noticed, {kind}", share(corpus.noticed[kind], corpus.wrong[kind])) for kind in corpus.wrong),
        ("corpus: median evaluations, right ones", f"{corpus.median_cost:g}"),
        ("expressions: right gradients accused", share(len(expressions.accused), expressions.right)),
        ("expressions: right, but could not be checked", share(len(expressions.unsure), expressions.right)),
        *(
            (f"expressions: wrong noticed, {kind:g}", share(expressions.noticed[kind], expressions.wrong[kind]))
            for kind in expressions.wrong
        ),
        *((f"expressions: not counted, {kind:g} is invisible", str(n)) for kind, n in expressions.invisible.items()),
        ("expressions: median evaluations, right ones", f"{expressions.median_cost:g}"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--expressions", type=int, default=10_000, help="how many random expressions (default 10000)")
    parser.add_argument("--seed", type=int, default=1, help="of the expressions (default 1)")
    options = parser.parse_args()
    checkers = {"glassgrad": lambda: ours, "torch gradcheck": pytorch, "scipy check_grad": scipy}
    columns: dict[str, list[tuple[str, str]]] = {}
    for name, make in checkers.items():
        try:
            check = make()
        except ImportError as missing:
            print(f"{name}: skipped, {missing}")
            continue
        start = time.perf_counter()
        with warnings.catch_warnings(action="ignore"):
            columns[name] = rows(on_corpus(check), on_dags(check, options.expressions, options.seed))
        columns[name].append(("time", f"{time.perf_counter() - start:.0f} s"))
    print(" " * 46, *(f"{name:>24}" for name in columns))
    for line in zip(*columns.values(), strict=True):
        print(f"{line[0][0]:46}", *(f"{number:>24}" for _, number in line))


if __name__ == "__main__":
    main()
