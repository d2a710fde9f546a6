"""Second derivatives of a checked gradient: the claimed gradient, differentiated numerically.

Three things are looked at, and none needs the gradient of a gradient by the engine. A gradient has a symmetric
derivative, or it is the gradient of nothing. Along any direction its slope is the curvature of the function. And
where second derivatives are claimed, they are the gradient's slopes.
"""

from __future__ import annotations

from engine.checking import sample
from engine.classification import Derivative
from engine.numerical import Verdict, curvature, examine
from engine.report import Entry
from engine.sampling import Samples
from engine.structure import flatten, is_mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from engine.checking import Check
    from engine.subject import Block, Subject

_WITH_SLOPE = ("smooth", "one_sided")


def second_order(check: Check, hessian: Callable[..., Any] | None, max_entries: int | None, seed: int) -> list[Entry]:
    """Entries for second derivatives, after the first order has been checked; none where that has no numbers.

    With `max_entries`, so many rows and columns of each input are looked at.
    """
    if not check.agreeable:
        return []
    from random import Random

    chance = Random(seed)
    subject = check.subject
    chosen = [block.start + k for block in subject.blocks for k in sample(block.size, max_entries, chance)]
    gradient = _Gradient(check)
    claimed = _claimed_hessian(check.subject, hessian) if hessian else {}
    entries: list[Entry] = []
    for i in chosen:
        entries.append(gradient.curvature(i))
        entries += [gradient.symmetry(i, j) for j in chosen if j < i]
    entries += [gradient.claimed(i, j, claimed[i, j]) for i in chosen for j in chosen if claimed]
    return entries


class _Gradient:
    """The claimed gradient as a function, differentiated along single inputs; every slope once."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self.subject = check.subject
        self._places = [(block.name, path) for block in check.subject.blocks for path in block.flat.paths]
        self._values: dict[tuple[int, float], list[float]] = {}
        self._slopes: dict[tuple[int, int], Derivative] = {}

    def at(self, j: int, x: float) -> list[float]:
        """The claimed gradient where input j is x."""
        if (j, x) not in self._values:
            point = self.subject.point.copy()
            point[j] = x
            claims = self.subject.claims(point)
            self._values[j, x] = [value for claim in claims for value in claim.values or ()]
        return self._values[j, x]

    def slope(self, i: int, j: int) -> Derivative:
        """d/dj of the claimed derivative with respect to i."""
        if (i, j) not in self._slopes:
            self._slopes[i, j] = examine(Samples(lambda x: self.at(j, x)[i]), self.subject.point[j])
        return self._slopes[i, j]

    def symmetry(self, i: int, j: int) -> Entry:
        there, back = self.slope(i, j), self.slope(j, i)
        found = Derivative(back.value, back.error + there.error, back.kind, scale=max(there.scale, back.scale))
        verdict = self._agreement(there, found)
        problem = ""
        if verdict.name == "fail":
            a, b = self.subject.labels[i], self.subject.labels[j]
            problem = (
                f"d/d{b} of the claimed df/d{a} is {there.value:.7g}, d/d{a} of the claimed df/d{b} is "
                f"{back.value:.7g}: no function has this gradient"
            )
        (name_i, path_i), (name_j, path_j) = self._places[i], self._places[j]
        return Entry(f"symmetry of {name_i}, {name_j}", (*path_i, *path_j), there.value, found, verdict, problem)

    def curvature(self, i: int) -> Entry:
        slope = self.slope(i, i)
        found = curvature(Samples(self.subject.along(i)), self.subject.point[i])
        found.error += slope.error
        name, path = self._places[i]
        return Entry(f"curvature along {name}", path, slope.value, found, self._agreement(slope, found))

    def claimed(self, i: int, j: int, claimed: float) -> Entry:
        found = self.slope(i, j)
        (name_i, path_i), (name_j, path_j) = self._places[i], self._places[j]
        verdict = self.check.judge(found, claimed)
        return Entry(f"d²/d{name_i} d{name_j}", (*path_i, *path_j), claimed, found, verdict)

    def _agreement(self, slope: Derivative, found: Derivative) -> Verdict:
        """The verdict on two numerical derivatives: what cannot be resolved has been checked as far as it can be."""
        unsmooth = [d.kind for d in (slope, found) if d.kind not in _WITH_SLOPE]
        if unsmooth:
            found.note = f"not resolved: the gradient is {unsmooth[0].replace('_', ' ')} here"
            return Verdict("bounded", ok=True)
        verdict = self.check.judge(found, slope.value)
        return verdict if verdict.name in ("pass", "fail") else Verdict("bounded", True, verdict.allowed)


def _claimed_hessian(subject: Subject, hessian: Callable[..., Any]) -> dict[tuple[int, int], float]:
    """The claimed second derivatives, by flat indices."""
    result = subject.call(hessian)
    blocks = subject.blocks
    claimed: dict[tuple[int, int], float] = {}
    for a in blocks:
        for b in blocks:
            part = result if len(blocks) == 1 else _part(_part(result, a, blocks), b, blocks)
            numbers = [float(leaf) for leaf in flatten(part).leaves]
            if len(numbers) != a.size * b.size:
                raise ValueError(
                    f"second derivatives for {a.name} and {b.name} must be {a.size} times {b.size} numbers; "
                    f"got {len(numbers)}; return a part of that shape for every two inputs, in nested lists"
                )
            for k, number in enumerate(numbers):
                claimed[a.start + k // b.size, b.start + k % b.size] = number
    return claimed


def _part(whole: Any, block: Block, blocks: Sequence[Block]) -> Any:
    """The part of a mapping, or of a sequence, that belongs to an input.

    Raises:
        ValueError: there is none.
    """
    try:
        return whole[block.name if is_mapping(whole) else blocks.index(block)]
    except (LookupError, TypeError):
        raise ValueError(
            f"second derivatives must have a part for {block.name} and every other input; got {whole!r}; "
            "return nested lists in the order of the inputs, or nested mappings by name"
        ) from None
