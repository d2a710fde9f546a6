"""A gradient check at work: every number of the gradient examined, judged and, where it is wrong, explained.

This module brings together the function (`engine/subject.py`), its numerical derivatives (`engine/numerical.py`) and
guesses at what went wrong (`engine/hints.py`); how the result is shown is `engine/report.py`'s business.
"""

from __future__ import annotations

import math

from engine import hints
from engine.classification import Derivative
from engine.hints import Compared
from engine.numerical import Verdict, examine, judge
from engine.report import Entry
from engine.sampling import Samples, U
from engine.structure import grid_shape, path_name
from engine.subject import Subject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random
    from typing import Any

    from engine.structure import Path
    from engine.subject import Block, Claim

AT_KINK = ("subgradient", "one-sided", "fail")
DIRECTION = "a random direction"
_NOISY_CLAIM = 1e-2  # a claim this close may be off by its own rounding
_NEIGHBOURS = (-13, -7, -2, 0, 3, 5, 11)  # in units in the last place; irregular, as rounding has patterns
_NOISE_OF_CLAIM = 8.0  # allowed, in median deviations
_WORTH_EXPLAINING = 100  # numbers of an input that are differentiated to explain a claim of another shape
_WITH_SLOPE = ("smooth", "one_sided")


class Check:
    """One function, one claimed gradient, and the tolerances."""

    def __init__(
        self,
        f: Callable[..., Any],
        inputs: Any,
        grad: Callable[..., Any] | None,
        *,
        rtol: float,
        atol: float,
        min_resolution: float,
        at_kink: str,
    ) -> None:
        self.subject = Subject(f, inputs, grad)
        self.rtol, self.atol, self.min_resolution, self.at_kink = rtol, atol, min_resolution, at_kink
        self.value = math.nan
        self.claims: list[Claim] = []

    @property
    def agreeable(self) -> bool:
        """Whether every input has a claim of its own form."""
        return bool(self.claims) and all(claim.values is not None for claim in self.claims)

    def judge(self, found: Derivative, claimed: float, paths: float = 0.0, own_noise: float = 0.0) -> Verdict:
        return judge(
            found, claimed, rtol=self.rtol, atol=self.atol, min_resolution=self.min_resolution, at_kink=self.at_kink,
            paths=paths, own_noise=own_noise,
        )  # fmt: skip

    def first_order(self, max_entries: int | None, seed: int) -> list[Entry]:
        """The entries of all inputs, with hints where they are wrong."""
        subject = self.subject
        here = Samples(lambda _: subject(subject.point))
        self.value = here(0.0)
        if math.isnan(self.value):
            found = Derivative(kind="not_finite", note=f"at these inputs, {here.trouble}")
            return [Entry(block.name, (), math.nan, found, self.judge(found, 0.0)) for block in subject.blocks]
        self.claims = subject.claims()
        from random import Random

        chance = Random(seed)
        groups = [
            self._block(block, claim, sample(block.size, max_entries, chance))
            for block, claim in zip(subject.blocks, self.claims, strict=True)
        ]
        explain(subject.blocks, self.claims, groups)
        entries = [entry for group in groups for entry in group]
        if self.agreeable and len(entries) < len(subject.point):
            entries.append(self._direction(chance))
        return entries

    # --- entries

    def _block(self, block: Block, claim: Claim, chosen: Sequence[int]) -> list[Entry]:
        if claim.values is not None:
            return [self._number(block, k, claim.values[k], claim.paths[k]) for k in chosen]
        problem = f"the claimed gradient is {_form(claim.flat.paths)}, the input is {_form(block.flat.paths)}"
        found = Derivative(kind="unresolved")
        entry = Entry(block.name, (), math.nan, found, Verdict("fail", ok=False), problem)
        shape, claimed_shape = block.flat.shape, claim.flat.shape
        if block.size <= _WORTH_EXPLAINING and shape is not None and claimed_shape is not None:
            numerical = {}
            for k, path in enumerate(block.flat.paths):
                found = self._examine(block.start + k, math.nan)
                numerical[path] = Compared(math.nan, found.value, found.error)
            claimed = dict(zip(claim.flat.paths, map(float, claim.flat.leaves), strict=True))
            entry.hint = hints.wrong_shape(claimed, claimed_shape, numerical, shape)
        return [entry]

    def _number(self, block: Block, k: int, claimed: float, paths: float) -> Entry:
        found = self._examine(block.start + k, claimed)
        verdict = self.judge(found, claimed, paths)
        if verdict.name == "fail" and abs(found.value - claimed) <= _NOISY_CLAIM * abs(found.value):
            verdict = self.judge(found, claimed, paths, self._noise_of_claim(block, k))
        return Entry(block.name, block.flat.paths[k], claimed, found, verdict)

    def _examine(self, index: int, claimed: float) -> Derivative:
        x = self.subject.point[index]
        return examine(Samples(self.subject.along(index), {x: self.value}), x, claimed, self.rtol)

    def _noise_of_claim(self, block: Block, k: int) -> float:
        """How much a claim scatters over neighbouring floats: 1 - cos(x) near 0 has few right digits.

        The median deviation from the median, so that a single step, as of a wrong derivative that switches at x, does
        not count as noise.
        """
        index = block.start + k
        x = self.subject.point[index]
        values = []
        for steps in _NEIGHBOURS:
            point = self.subject.point.copy()
            point[index] = x + steps * math.ulp(x)
            claim = self.subject.claims(point)[self.subject.blocks.index(block)]
            values.append(claim.values[k] if claim.values else math.nan)
        middle = _median(values)
        return _NOISE_OF_CLAIM * _median([abs(value - middle) for value in values])

    def _direction(self, chance: Random) -> Entry:
        """The derivative in one random direction over everything, which no wrong number can hide from."""
        point = self.subject.point
        direction = [chance.choice((-1, 1)) * chance.uniform(0.5, 1.0) * (abs(x) or 1.0) for x in point]
        gradient = [value for claim in self.claims for value in claim.values or ()]
        terms = [v * g for v, g in zip(direction, gradient, strict=True)]
        paths = [path for claim in self.claims for path in claim.paths]
        size = math.fsum(abs(v) * path for v, path in zip(direction, paths, strict=True))
        claimed = math.fsum(terms) if all(map(math.isfinite, terms)) else math.nan
        samples = Samples(self.subject.in_direction(direction), {0.0: self.value})
        found = examine(samples, 0.0, claimed, self.rtol)
        verdict = self.judge(found, claimed, size, 4 * U * math.fsum(map(abs, terms)))
        entry = Entry(DIRECTION, (), claimed, found, verdict)
        if not verdict.ok:
            entry.hint = "a number that was not sampled is wrong: check them all, with max_entries=None"
        return entry


def sample(size: int, most: int | None, chance: Random) -> Sequence[int]:
    """Which of so many numbers to check: all, or `most` of them at random."""
    return range(size) if most is None or most >= size else sorted(chance.sample(range(size), most))


def _median(values: Sequence[float]) -> float:
    ranked = sorted(values)
    return (ranked[(len(ranked) - 1) // 2] + ranked[len(ranked) // 2]) / 2


def _form(paths: Sequence[Path]) -> str:
    """A structure, for people.

    >>> _form([()]), _form([(0, 0), (0, 1)]), _form([("w",), ("b",)])
    ('a number', 'of shape (1, 2)', "a structure of 2 numbers (['w'], ['b'])")
    """
    shape = grid_shape(paths)
    if shape == ():
        return "a number"
    if shape is not None:
        return f"of shape {shape}"
    shown = ", ".join(map(path_name, paths[:4])) + (", ..." if len(paths) > 4 else "")
    return f"a structure of {len(paths)} numbers ({shown})"


# --- explanations


def explain(blocks: Sequence[Block], claims: Sequence[Claim], groups: Sequence[Sequence[Entry]]) -> None:
    """Give wrong entries the first hint that holds for their input."""
    compared = [_compared(entries) for entries in groups]
    counts = {n for block in blocks for n in block.flat.shape or ()}
    wrong = [i for i, entries in enumerate(groups) if any(_is_wrong(entry) for entry in entries)]
    everywhere = ""
    if len(wrong) > 1:
        everywhere = hints.factor([pair for i in wrong for pair in compared[i].values()], counts)
    complete = {
        block.name: list(pairs.values())
        for block, pairs in zip(blocks, compared, strict=True)
        if len(pairs) == block.size
    }
    for claim, (entry, *_) in zip(claims, groups, strict=True):
        if entry.problem and not entry.hint:  # of another form: perhaps that of another input
            entry.hint = hints.misplaced([float(leaf) for leaf in claim.flat.leaves], complete)
    for i in wrong:
        block, pairs, claim = blocks[i], compared[i], claims[i]
        others = {name: numbers for name, numbers in complete.items() if name != block.name}
        here = [entry for entry in groups[i] if _is_wrong(entry)]
        inputs = [float(x) for x, path in zip(block.flat.leaves, block.flat.paths, strict=True) if path in pairs]
        guesses = (
            everywhere,
            hints.factor(list(pairs.values()), counts),
            hints.transposed(pairs, block.flat.shape or ()),
            hints.misplaced(claim.values or [], others),
            hints.per_axis(pairs, block.flat.shape or ()),
            hints.penalty(list(pairs.values()), inputs),
            hints.factor([pairs[entry.index] for entry in here if entry.index in pairs], counts),
        )
        for entry in here:
            entry.hint = entry.hint or next((guess for guess in guesses if guess), "")


def _is_wrong(entry: Entry) -> bool:
    return entry.verdict == "fail" and not entry.problem


def _compared(entries: Sequence[Entry]) -> dict[Any, Compared]:
    return {
        entry.index: Compared(entry.claimed, entry.found.value, entry.found.error)
        for entry in entries
        if entry.found.kind in _WITH_SLOPE and not entry.problem
    }
