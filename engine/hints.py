"""Guesses at what is wrong with a gradient, from the numbers alone.

A wrong gradient is seldom random: a factor is missing, a batch was not summed, two parameters changed places. Each
guess here is a relation between the claimed and the numerical gradient that could hardly hold by chance; where
none holds, nothing is said.

This module knows lists of numbers; it neither evaluates anything nor decides what is wrong.
"""

from __future__ import annotations

import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    Index = tuple[Any, ...]  # of integers, where there is a shape

_DIGITS = 1e-5  # to which ratios have to be constant; numerical derivatives that bad are not looked at
_LARGEST_COUNT = 10_000  # of examples or units, in factors 1/N

_NAMED = {
    2.0: "a factor 2 too many; is the loss half the squared error, or was the gradient added twice?",
    0.5: "a factor 2 is missing",
    -1.0: "the sign is wrong",
    -2.0: "the sign is wrong, and a factor 2 too many",
    -0.5: "the sign is wrong, and a factor 2 is missing",
    math.log(2): "a factor ln 2: the derivative of log2 or of 2**x",
    1 / math.log(2): "a factor 1/ln 2: the derivative of log2 or of 2**x",
    math.log(10): "a factor ln 10: the derivative of log10 or of 10**x",
    1 / math.log(10): "a factor 1/ln 10: the derivative of log10 or of 10**x",
    math.pi / 180: "a factor pi/180: degrees and radians",
    180 / math.pi: "a factor 180/pi: degrees and radians",
}


class Compared:
    """One number of a gradient: claimed, numerical, and how exact the latter is."""

    __slots__ = ("claimed", "error", "numerical")

    def __init__(self, claimed: float, numerical: float, error: float) -> None:
        self.claimed = claimed
        self.numerical = numerical
        self.error = error

    @property
    def ratio(self) -> float:
        """claimed / numerical; nan where that says nothing."""
        if not math.isfinite(self.claimed) or not abs(self.numerical) * _DIGITS > self.error:
            return math.nan
        return self.claimed / self.numerical


def _close(a: float, b: float, error: float) -> bool:
    return abs(a - b) <= error + _DIGITS * max(abs(a), abs(b))


# --- factors


def factor(pairs: Sequence[Compared], counts: Iterable[int] = ()) -> str:
    """What a constant ratio means: a named factor, the sign, a mean for a sum; "" if the ratio is not constant.

    Args:
        counts: lengths of arrays, over which a loss may be averaged: with them, one number is enough to guess.

    >>> factor([Compared(0.5, 1.0, 0.0)])
    'claimed/numerical = 1/2: a factor 2 is missing'
    >>> factor([Compared(1.0, 4.0, 0.0), Compared(2.0, 8.0, 0.0)], counts=[4])
    'claimed/numerical = 1/4: a mean over 4 where the function sums?'
    """
    ratio = _constant(pairs)
    if math.isnan(ratio) or abs(ratio - 1) <= _DIGITS:
        return ""
    if ratio == 0:
        return "claimed is exactly 0: the input is not connected to the result"
    for known, meaning in _NAMED.items():
        if abs(ratio / known - 1) <= _DIGITS:
            return f"claimed/numerical = {_as_fraction(ratio)}: {meaning}"
    whole, over = _whole(ratio), _whole(1 / ratio)
    alone = sum(not math.isnan(pair.ratio) for pair in pairs) < 2  # any one number has some ratio
    if over > 1 and (over in counts or not alone):
        return f"claimed/numerical = 1/{over}: a mean over {over} where the function sums?"
    if whole > 1 and (whole in counts or not alone):
        return f"claimed/numerical = {whole}: a sum over {whole} where the function takes the mean?"
    if alone:
        return ""
    return f"claimed/numerical = {_as_fraction(ratio)}, the same everywhere{_as_activation(1 / ratio)}"


def _constant(pairs: Sequence[Compared]) -> float:
    """The ratio that all pairs share, of those that say something; nan if there is none."""
    ratios = [pair.ratio for pair in pairs if not math.isnan(pair.ratio)]
    if not ratios:
        return math.nan
    middle = sorted(ratios)[len(ratios) // 2]
    shared = all(_close(pair.claimed, middle * pair.numerical, pair.error * max(1.0, abs(middle))) for pair in pairs)
    return middle if shared else math.nan


def _whole(number: float) -> int:
    """The whole number that it is, up to rounding; 0 if it is none, or too large to be a count."""
    nearest = round(number) if abs(number) <= _LARGEST_COUNT else 0
    return nearest if abs(nearest) > 1 and abs(number / nearest - 1) <= _DIGITS else 0


def _as_fraction(ratio: float) -> str:
    if over := _whole(1 / ratio):
        return f"{'-' if over < 0 else ''}1/{abs(over)}"
    return str(_whole(ratio) or f"{ratio:.6g}")


def _as_activation(missing: float) -> str:
    """A missing factor that may be a sigmoid's derivative a(1 - a) or a tanh's 1 - a²."""
    text = f"; the missing factor is {missing:.6g}"
    if not 0 < missing < 1:
        return text
    tanh = math.sqrt(1 - missing)
    text += f", which would be the derivative of a tanh at output ±{tanh:.4g}"
    if missing <= 0.25:
        sigmoid = (1 - math.sqrt(1 - 4 * missing)) / 2
        text += f", or of a sigmoid at output {sigmoid:.4g} or {1 - sigmoid:.4g} (right without it for cross-entropy)"
    return text


def per_axis(pairs: Mapping[Index, Compared], shape: Sequence[int]) -> str:
    """Ratios that are constant along rows, or along columns, but differ between them.

    >>> grid = {(i, j): Compared((i + 1.0) * (j + 2), j + 2.0, 0.0) for i in range(2) for j in range(3)}
    >>> per_axis(grid, (2, 3))
    'claimed/numerical is constant along each row (1, 2): a factor of the row is wrong, an activation derivative?'
    """
    if len(shape) != 2:
        return ""
    for axis, name in ((0, "row"), (1, "column")):
        lines: dict[int, list[Compared]] = {}
        for index, pair in pairs.items():
            if not math.isnan(pair.ratio):
                lines.setdefault(index[axis], []).append(pair)
        ratios = [_constant(line) for line in lines.values()]
        if len(ratios) < 2 or any(len(line) < 2 for line in lines.values()) or any(map(math.isnan, ratios)):
            continue
        shown = ", ".join(f"{ratio:.4g}" for ratio in ratios[:4]) + (", ..." if len(ratios) > 4 else "")
        return (
            f"claimed/numerical is constant along each {name} ({shown}): "
            f"a factor of the {name} is wrong, an activation derivative?"
        )
    return ""


def penalty(pairs: Sequence[Compared], inputs: Sequence[float]) -> str:
    """A difference that is proportional to the inputs, or to their signs: a weight penalty.

    >>> penalty([Compared(1.0, 1.2, 0.0), Compared(5.0, 4.6, 0.0)], [2.0, -4.0])
    'numerical - claimed = 0.1 * input: the gradient of an L2 penalty is missing'
    """
    differences = [pair.numerical - pair.claimed for pair in pairs]
    usable = [x for x in inputs if x]
    if len({abs(x) for x in usable}) < 2 or not all(map(math.isfinite, differences)):
        return ""
    for power, name, text in ((1, "L2", "input"), (0, "L1", "sign(input)")):
        terms = [math.copysign(abs(x) ** power, x) if x else 0.0 for x in inputs]
        top = max(range(len(terms)), key=lambda i: abs(terms[i]))
        weight = differences[top] / terms[top]
        if weight and all(
            abs(d - weight * t) <= pair.error + 1e-4 * abs(weight * t)
            for d, t, pair in zip(differences, terms, pairs, strict=True)
        ):
            what = "is missing" if weight > 0 else "is too many"
            return f"numerical - claimed = {weight:.6g} * {text}: the gradient of an {name} penalty {what}"
    return ""


# --- shapes


def wrong_shape(
    claimed: Mapping[Index, float],
    claimed_shape: Sequence[int],
    numerical: Mapping[Index, Compared],
    shape: Sequence[int],
) -> str:
    """What a claim of another shape would have to undergo to agree.

    >>> claimed = {(0, 0): 1.0, (0, 1): 2.0}
    >>> wrong_shape(claimed, (1, 2), {(0,): Compared(0.0, 3.0, 0.0)}, (1,))
    'its sum over axis 1 agrees: the gradient is not summed over the batch'
    """
    flat = [pair.numerical for pair in numerical.values()]
    errors = [pair.error for pair in numerical.values()]

    def agrees(values: Sequence[float]) -> bool:
        return len(values) == len(flat) and all(map(_close, values, flat, errors))

    if agrees(list(claimed.values())):
        return f"the numbers agree: reshape it from {tuple(claimed_shape)} to {tuple(shape)}"
    if agrees(_transposed(claimed)):
        return "its transpose agrees"
    if len(flat) > 1 and len(claimed) == 1 and agrees(list(claimed.values()) * len(flat)):
        return "every number of the input has this gradient: it is not broadcast to the input's shape"
    for axis in range(len(claimed_shape)):
        sums = _summed(claimed, axis)
        if agrees(sums):
            return f"its sum over axis {axis} agrees: the gradient is not summed over the batch"
        if agrees([total / claimed_shape[axis] for total in sums]):
            return f"its mean over axis {axis} agrees: the gradient is not averaged over the batch"
    return ""


def _transposed(values: Mapping[Index, float]) -> list[float]:
    return [values[index] for index in sorted(values, key=lambda index: index[::-1])]


def _summed(values: Mapping[Index, float], axis: int) -> list[float]:
    sums: dict[Index, float] = {}
    for index, value in values.items():
        rest = index[:axis] + index[axis + 1 :]
        sums[rest] = sums.get(rest, 0.0) + value
    return list(sums.values())


# --- places


def transposed(pairs: Mapping[Index, Compared], shape: Sequence[int]) -> str:
    """Whether a square claim agrees once its axes are swapped.

    >>> grid = {(i, j): Compared(10.0 * j + i, 10.0 * i + j, 0.0) for i in range(2) for j in range(2)}
    >>> transposed(grid, (2, 2))
    'it is transposed: claimed[i, j] agrees with numerical[j, i]'
    """
    if len(shape) != 2 or shape[0] != shape[1] or len(pairs) != shape[0] * shape[1]:
        return ""
    if all(_close(pairs[j, i].claimed, pair.numerical, pair.error) for (i, j), pair in pairs.items()):
        return "it is transposed: claimed[i, j] agrees with numerical[j, i]"
    return ""


def misplaced(claimed: Sequence[float], others: Mapping[str, Sequence[Compared]]) -> str:
    """Whether a claim is another input's gradient.

    >>> misplaced([3.0, 4.0], {"b": [Compared(0.0, 3.0, 0.0), Compared(0.0, 4.0, 0.0)]})
    'it agrees with the gradient of b: were they swapped?'
    """
    if not any(claimed):
        return ""
    for name, pairs in others.items():
        if len(pairs) == len(claimed) and all(
            _close(value, pair.numerical, pair.error) for value, pair in zip(claimed, pairs, strict=True)
        ):
            return f"it agrees with the gradient of {name}: were they swapped?"
    return ""
