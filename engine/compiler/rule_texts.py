"""The rules of the table as templates of straight-line Python, and how expressions go into one another as text.

This module knows operations and their texts; it knows nothing of programs.
"""

from __future__ import annotations

import re
from collections import Counter

from engine.rules import Body

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.ops import Op

SUM, PRODUCT, ATOM = range(3)
"""How tightly an expression binds: what may stand in its place."""

_WORD = re.compile(r"\b[a-z]\w*")
_NUMBER = r"\d[\d.]*(?:e[-+]?\d+)?"
_FACTOR = rf"(?:{_NUMBER}|\w*\([^()]*\)|\w+(?:\[\d+\])?)"
_ATOM = re.compile(_FACTOR)
_PRODUCT = re.compile(rf"-?{_FACTOR}(?: [*/] {_FACTOR})*")
_SCALED = re.compile(rf"(-?)(?:({_NUMBER}|inf|nan)(?: ([*/]) |$))?(.*)")
_patterns: dict[tuple[Op, str, tuple[int, ...]], Pattern] = {}


class Pattern:
    """The rule of one operation with wanted partials, taken apart into templates for `%`.

    Attributes:
        before, value, after: statements, the expression of the result, and statements that may need it.
        partials: by operand.
        temporaries: the names that the statements assign.
        once: operands that are read once in all of it, and how tightly what stands in their place must bind.
        needs_result: whether a partial or a statement reads the result.
        mentions: how often the statements and the value read each name.
    """

    def __init__(self, op: Op, style: str, wanted: tuple[int, ...]) -> None:
        body = Body(op, style, wanted, quick=style == "fast")
        at = next(k for k, line in enumerate(body.lines) if line.startswith("z = "))
        before, value, after = body.lines[:at], body.lines[at][4:], body.lines[at + 1 :]
        self.temporaries = [line.split(" = ")[0] for line in before + after]
        names = {*op.operands, *self.temporaries, "z", "n", *("xy" if op.variadic else "")}
        self.before, self.after = ([_template(line, names) for line in lines] for lines in (before, after))
        self.value = _template(value, names)
        self.partials = {k: _template(text, names) for k, text in body.elements.items()}
        first = [line.split(" = ")[1] for line in before] + [value]
        others = Counter(_WORD.findall(" ".join([*after, *body.elements.values()])))
        self.mentions = Counter(_WORD.findall(" ".join([*first, *after])))
        self.needs_result = "z" in others
        self.once = {
            name: _binding(text, match.start(), match.end())
            for text in first for match in _WORD.finditer(text) for name in [match[0]]
            if name in op.operands and self.mentions[name] == 1 and name not in others
        }  # fmt: skip


def pattern(op: Op, style: str, wanted: tuple[int, ...]) -> Pattern:
    """The pattern of an operation, made once."""
    key = op, style, wanted
    if key not in _patterns:
        _patterns[key] = Pattern(*key)
    return _patterns[key]


def _template(text: str, names: set[str]) -> str:
    return _WORD.sub(lambda match: f"%({match[0]})s" if match[0] in names else match[0], text.replace("%", "%%"))


def _binding(text: str, start: int, end: int) -> int:
    """How tightly an expression must bind in place of a name in a rule."""
    before, after = text[:start], text[end : end + 3]
    if before[-1:] in ("", "(") and (after[:1] in ("", ")") or after in (" + ", " - ")):
        return SUM
    if before.endswith(("+ ", "- ", "-", "(")) or not before:
        return PRODUCT if after[:1] in ("", ")") or after in (" + ", " - ", " * ", " / ") else ATOM
    return ATOM


def bound(text: str, op: Op) -> tuple[str, int]:
    """The expression of an operation, in parentheses if it is none of the three, and how tightly it binds.

    >>> from engine.ops import OPS
    >>> bound("a + b", OPS["add"]), bound("_sin(a)", OPS["sin"]), bound("0.0 if a <= 0.0 else a", OPS["relu"])
    (('a + b', 0), ('_sin(a)', 2), ('(0.0 if a <= 0.0 else a)', 2))
    """
    if op.name in ("add", "sub", "sum", "dot"):
        return text, SUM
    if _ATOM.fullmatch(text):
        return text, ATOM
    return (text, PRODUCT) if op.name in ("mul", "neg", "mean") or _PRODUCT.fullmatch(text) else (f"({text})", ATOM)


def times(slope: tuple[float, str], partial: str, fold: bool) -> tuple[float, str]:
    """A slope times a partial: numbers are multiplied beforehand, if wanted, and a reciprocal divides.

    Other factors stay together: in another order they could overflow or underflow.

    >>> times((0.5, "share"), "2.0 * v", True), times((1.0, "d_v"), "-1.0 / v", True)
    ((1.0, 'share * v'), (-1.0, 'd_v / v'))
    >>> times((1.0, "d_v"), "z * z", True), times((1.0, "d_v"), "2.0 * v", False)
    ((1.0, 'd_v * (z * z)'), (1.0, 'd_v * (2.0 * v)'))
    """
    number, text = slope
    sign, digits, operator, rest = _SCALED.fullmatch(partial).groups()  # type: ignore[union-attr]  # it always fits
    product = number * float(f"{sign}{digits or 1}")
    kept = (operator or digits not in (None, "1.0")) and not fold
    if (
        kept
        or not 1e-99 < abs(product) < 1e99
        or (rest and not _ATOM.fullmatch(rest) and not _is_product(rest, operator))
    ):
        product, operator, rest = number, None, partial
    if rest and not _ATOM.fullmatch(rest):
        rest = f"({rest})"
    if operator == "/":
        return product, f"{text or '1.0'} / {rest}"
    return product, f"{text} * {rest}" if text and rest else text or rest


def _is_product(text: str, operator: str | None) -> bool:
    """Whether a text is one to multiply with as a whole: without sums and conditions, not below a fraction stroke."""
    return operator != "/" and bool(_PRODUCT.fullmatch(text))


def written(slope: tuple[float, str]) -> str:
    """A slope as an expression.

    >>> written((-1.0, "d_v")), written((0.5, "d_v")), written((2.0, ""))
    ('-d_v', '0.5 * d_v', '2.0')
    """
    number, text = slope
    if abs(number) == 1.0 and text:
        return text if number == 1.0 else f"-{text}"
    return f"{number!r} * {text}" if text else repr(number)


def summed(slopes: list[tuple[float, str]]) -> str:
    """The sum of slopes as an expression: what is added comes before what is subtracted.

    >>> summed([(-2.0, "a"), (1.0, "b")])
    'b - 2.0 * a'
    """
    return " + ".join([written(slope) for slope in sorted(slopes, key=_is_negative)]).replace("+ -", "- ")


def _is_negative(slope: tuple[float, str]) -> bool:
    return slope[0] < 0
