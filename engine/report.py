"""What a gradient check found, as text for people and as records for programs.

This module knows derivatives, claims and verdicts; it computes none of them.
"""

from __future__ import annotations

import math

from engine.structure import path_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.classification import Derivative
    from engine.numerical import Verdict
    from engine.structure import Path

_WORDS = {"pass": "ok", "fail": "FAIL"}
_WRONG_SHOWN = 3  # numbers of one input
_RIGHT_SHOWN = 10  # inputs
_DIGITS, _MOST_DIGITS = 8, 17
#: from the mildest to the gravest: the gravest verdict of an input's numbers is the input's
_GRAVITY = ("pass", "kink", "bounded", "unbounded", "inconclusive", "fail", "not_finite", "nondeterministic")


class Entry:
    """The verdict on one number of a gradient, or on a whole input whose gradient has the wrong form.

    Attributes:
        input: the name of the input.
        index: where in it, a tuple of indices and keys; `()` for a number and for a whole input.
        claimed: the derivative that was claimed.
        found: the numerical derivative.
        judged: the verdict, and what was allowed.
        problem: what is wrong, where it is not the number.
        hint: a guess at why.
    """

    __slots__ = ("claimed", "found", "hint", "index", "input", "judged", "problem")

    def __init__(
        self, input: str, index: Path, claimed: float, found: Derivative, judged: Verdict, problem: str = ""
    ) -> None:
        self.input = input
        self.index = index
        self.claimed = claimed
        self.found = found
        self.judged = judged
        self.problem = problem
        self.hint = ""

    @property
    def verdict(self) -> str:
        return self.judged.name

    @property
    def ok(self) -> bool:
        return self.judged.ok

    @property
    def excess(self) -> float:
        """How far off, in units of what is allowed: the larger, the worse."""
        off = abs(self.claimed - self.found.value)
        return off / self.judged.allowed if off < math.inf and self.judged.allowed else math.inf

    def record(self) -> dict[str, object]:
        return {
            "input": self.input,
            "index": self.index,
            "claimed": self.claimed,
            "numerical": self.found.value,
            "error": self.found.error,
            "allowed": self.judged.allowed,
            "resolution": self.judged.resolution,
            "verdict": self.verdict,
            "ok": self.ok,
            "hint": self.hint,
        }

    def __str__(self) -> str:
        found, claimed = self.found, self.claimed
        if self.problem:
            return self.problem
        if self.verdict == "pass":
            return f"verified to {_verified([self])}"
        if self.verdict == "bounded" and found.note.startswith("not resolved"):
            return found.note
        if self.verdict == "bounded":
            return f"claimed {claimed:.3g} agrees, but only to ± {found.error:.0e}: smaller than f can show"
        if self.verdict in ("not_finite", "nondeterministic"):
            return found.note
        if self.verdict == "unbounded":
            return f"{found.note}: there is no finite derivative; claimed {claimed:g}"
        if self.verdict == "inconclusive":
            known = f"numerical {found.value:.3g} ± {found.error:.0e}" if math.isfinite(found.error) else found.note
            return f"claimed {claimed:.8g} could not be checked: {known}"
        if found.kind == "kink":
            between = min(found.left, found.right) <= claimed <= max(found.left, found.right)
            refused = "is not accepted at a kink" if between else "is not between them"
            judgement = "is a valid subgradient" if self.ok else refused
            sides = f"slope is {found.left:.7g} on the left, {found.right:.7g} on the right"
            return f"{sides}; claimed {claimed:.7g} {judgement}"
        shown_claim, shown_value = side_by_side(claimed, found.value)
        return f"claimed {shown_claim}, numerical {shown_value} ± {found.error:.0e}"


class GradientReport:
    """The verdicts on all numbers of a gradient. True if every claim may stand.

    Attributes:
        entries: one for each number that was checked.
        function: the name of the function.
        rtol, min_resolution: as they were asked for.
        notes: what else was noticed, such as a function that changes its inputs.
    """

    def __init__(
        self,
        function: str,
        entries: Sequence[Entry],
        rtol: float,
        min_resolution: float,
        notes: Sequence[str] = (),
        counted: str = "input",
    ) -> None:
        self._counted = counted
        self.function = function
        self.entries = list(entries)
        self.rtol = rtol
        self.min_resolution = min_resolution
        self.notes = list(notes)

    @property
    def ok(self) -> bool:
        return all(entry.ok for entry in self.entries)

    def __bool__(self) -> bool:
        return self.ok

    @property
    def inconclusive(self) -> bool:
        """Whether nothing is wrong, but something could not be checked."""
        return not self.ok and all(entry.ok or entry.verdict == "inconclusive" for entry in self.entries)

    @property
    def evaluations(self) -> int:
        """How often the function was called to find the numerical derivatives."""
        return sum(entry.found.evaluations for entry in self.entries)

    def records(self) -> list[dict[str, object]]:
        """The entries as dictionaries, for tables and programs."""
        return [entry.record() for entry in self.entries]

    def by_input(self) -> dict[str, list[Entry]]:
        groups: dict[str, list[Entry]] = {}
        for entry in self.entries:
            groups.setdefault(entry.input, []).append(entry)
        return groups

    def __str__(self) -> str:
        groups = self.by_input()
        return "\n".join([self._headline(groups), *_body(groups), *(f"  note: {note}" for note in self.notes)])

    def __repr__(self) -> str:
        return f"<GradientReport: {str(self).splitlines()[0]}>"

    def _headline(self, groups: dict[str, list[Entry]]) -> str:
        total = len(groups)
        wrong = sum(any(not entry.ok for entry in entries) for entries in groups.values())
        inputs = f"{total} {self._counted}{'s' if total > 1 else ''}"
        one = wrong == 1
        differences, tolerance = f"finite differences of {self.function}", f"(rtol={self.rtol:g})"
        if self.ok:
            agree = "agrees" if total == 1 else "agree"
            return f"gradient check passed: {inputs} {agree} with {differences}  {tolerance}"
        if self.inconclusive:
            which = f"{wrong} of {inputs} {'is' if one else 'are'} beyond what {differences} resolve"
            return f"gradient could not be checked: {which}  (min_resolution={self.min_resolution:g})"
        for verdict, what in (("not_finite", "finite"), ("nondeterministic", "deterministic")):
            if any(entry.verdict == verdict for entry in self.entries):
                return f"gradient check FAILED: {self.function} is not {what}"
        which = f"{wrong} of {inputs} {'disagrees' if one else 'disagree'}"
        return f"gradient check FAILED: {which} with {differences}  {tolerance}"


def _body(groups: dict[str, list[Entry]]) -> list[str]:
    """Every input that needs attention, and the first ones that do not."""
    quiet = [name for name, entries in groups.items() if all(entry.verdict == "pass" for entry in entries)]
    hidden = set(quiet[_RIGHT_SHOWN:])
    shown = {name: entries for name, entries in groups.items() if name not in hidden}
    word_width = max(len(_word(entries)) for entries in shown.values())
    name_width = max(map(len, shown)) + 1
    hints = {name: _hint(entries) for name, entries in shown.items()}
    wrong = [name for name in shown if any(not entry.ok for entry in shown[name])]
    common = len(wrong) > 1 and len({hints[name] for name in wrong}) == 1
    lines = []
    for name, entries in shown.items():
        first, *more = _summary(entries)
        lines.append(f"  {name + ':':{name_width}} {_word(entries):{word_width}}  {first}")
        lines += [f"      {line}" for line in more]
        if hints[name] and not common:
            lines.append(f"      hint: {hints[name]}")
    if hidden:
        lines.append(f"  ... and {len(hidden)} more, ok")
    if common and hints[wrong[0]]:
        lines.append(f"  hint, for all that disagree: {hints[wrong[0]]}")
    return lines


def _gravest(entries: Sequence[Entry]) -> Entry:
    return max(entries, key=lambda entry: (not entry.ok, _GRAVITY.index(entry.verdict), entry.excess))


def _word(entries: Sequence[Entry]) -> str:
    gravest = _gravest(entries)
    if gravest.verdict == "unbounded" and not gravest.ok:
        return "FAIL"
    return _WORDS.get(gravest.verdict, gravest.verdict.replace("_", " "))


def _hint(entries: Sequence[Entry]) -> str:
    """The hints of an input's numbers, each once."""
    return "; ".join(dict.fromkeys(entry.hint for entry in entries if entry.hint))


def _summary(entries: Sequence[Entry]) -> list[str]:
    """What there is to say of one input: a line, and more lines for the worst of its numbers."""
    if len(entries) == 1:
        return [_placed(entries[0])]
    notable = [entry for entry in entries if entry.verdict != "pass"]
    if not notable:
        return [f"{len(entries)} numbers verified to {_verified(entries)}"]
    verdict = _gravest(entries).verdict
    worst = sorted((e for e in notable if e.verdict == verdict), key=lambda entry: -entry.excess)
    lines = [f"{len(worst)} of {len(entries)} numbers{' disagree' if verdict == 'fail' else ''}"]
    lines += [_placed(entry) for entry in worst[:_WRONG_SHOWN]]
    if len(worst) > _WRONG_SHOWN:
        lines.append(f"... and {len(worst) - _WRONG_SHOWN} more")
    return lines


def _placed(entry: Entry) -> str:
    return f"{path_name(entry.index)} {entry}".strip()


def _verified(entries: Sequence[Entry]) -> str:
    worst = max(entry.judged.resolution for entry in entries)
    return f"{worst:.0e} relative" if worst else "the last bit"


def side_by_side(a: float, b: float) -> tuple[str, str]:
    """Two numbers with the same decimals, enough to tell them apart.

    >>> side_by_side(0.5, 1.0), side_by_side(2.0, 2.00000000002)
    (('0.5000000', '1.0000000'), ('2.000000000000', '2.000000000020'))
    >>> side_by_side(1e-12, 2e-12), side_by_side(3.0, 3.0)
    (('1.0000000e-12', '2.0000000e-12'), ('3.0000000', '3.0000000'))
    """
    size = max(abs(a), abs(b))
    if not 0 < size < math.inf:
        return f"{a:g}", f"{b:g}"
    digits = _DIGITS
    if a != b:
        digits = min(max(_DIGITS, 2 - math.floor(math.log10(abs(a / size - b / size)))), _MOST_DIGITS)
    exponent = math.floor(math.log10(size))
    if -5 < exponent < _DIGITS:
        decimals = max(digits - 1 - exponent, 0)
        return f"{a:.{decimals}f}", f"{b:.{decimals}f}"
    return f"{a:.{digits - 1}e}", f"{b:.{digits - 1}e}"
