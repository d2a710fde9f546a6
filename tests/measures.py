"""What a gradient checker gets right and wrong, counted: on the corpus and on random expressions.

A checker is a function `(f, x, claimed, paths) -> Outcome`, so that ours and others run on the same cases.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from corpus import CORPUS, WRONG
from dags import dags

from engine.numerical import examine, judge
from engine.sampling import Samples

Function = Callable[[float], Any]


class Outcome(NamedTuple):
    accused: bool  # the claim is called wrong
    verdict: str
    evaluations: int


Checker = Callable[[Function, float, float, float], Outcome]


def ours(f: Function, x: float, claimed: float, paths: float = 0.0) -> Outcome:
    found = examine(Samples(f), x, claimed)
    verdict = judge(found, claimed, paths=paths)
    accused = not verdict.ok and verdict.name != "inconclusive"
    return Outcome(accused, verdict.name, found.evaluations)


class Counts:
    """Right claims accused, wrong claims noticed, and the cost of right ones."""

    def __init__(self, kinds: Sequence[Any]) -> None:
        self.right = 0
        self.accused: list[str] = []
        self.unsure: list[str] = []
        self.wrong = dict.fromkeys(kinds, 0)
        self.noticed = dict.fromkeys(kinds, 0)
        self.invisible = dict.fromkeys(kinds, 0)
        self.costs: list[int] = []

    def right_claim(self, name: str, outcome: Outcome) -> None:
        self.right += 1
        self.costs.append(outcome.evaluations)
        if outcome.accused:
            self.accused.append(f"{name}: {outcome.verdict}")
        elif outcome.verdict == "inconclusive":
            self.unsure.append(name)

    def wrong_claim(self, kind: Any, outcome: Outcome) -> None:
        self.wrong[kind] += 1
        self.noticed[kind] += outcome.accused

    @property
    def median_cost(self) -> float:
        return statistics.median(self.costs)


def on_corpus(check: Checker) -> Counts:
    counts = Counts(list(WRONG))
    for case in CORPUS:
        counts.right_claim(case.name, check(case, case.x, case.right, 0.0))
        if case.can_be_wrong:
            for kind, spoil in WRONG.items():
                counts.wrong_claim(kind, check(case, case.x, spoil(case.right), 0.0))
    return counts


def on_dags(check: Checker, count: int, seed: int, factors: Sequence[float] = (1e-3, 1e-6)) -> Counts:
    """One input of each expression.

    An error so small that f, moved by max(1, |x|), would not change by one unit in its last place is invisible to
    whoever has only values of f: in a saturated sigmoid's tail, say. Those are counted apart, and so are gradients
    that are nothing but their own rounding.
    """
    counts = Counts(factors)
    chance = Random(seed)
    for number, dag in enumerate(dags(count, seed)):
        gradient, paths = dag.gradient()
        i = chance.choice([i for i, path in enumerate(paths) if path])
        f, x, claim = dag.along(i), dag.point[i], gradient[i]
        counts.right_claim(f"expression {number} of seed {seed}", check(f, x, claim, paths[i]))
        unit = math.ulp(f(x)) / max(1.0, abs(x))
        for factor in factors:
            if factor * abs(claim) > unit and abs(claim) > 2.0**-50 * paths[i]:
                counts.wrong_claim(factor, check(f, x, claim * (1 + factor), paths[i]))
            else:
                counts.invisible[factor] += 1
    return counts
