"""Losses: one Value that says how wrong predictions are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from engine import Value
from engine.functions import mean, square, sub


def mse(predictions: Any, targets: Any) -> Value:
    """Mean squared error: mean((prediction - target)^2) over all numbers.

    Args:
        predictions: a Value, a list of Values, or lists of lists (one for each example).
        targets: numbers or Values, nested alike.

    Raises:
        ValueError: the two are not of the same shape, or empty.

    >>> mse([Value(1.0), Value(3.0)], [0.0, 1.0]).data
    2.5
    """
    return mean([square(sub(prediction, target)) for prediction, target in _pairs(predictions, targets)])


def _pairs(predictions: Any, targets: Any, where: str = "") -> Iterator[tuple[Any, Any]]:
    nested = _is_list(predictions), _is_list(targets)
    if nested == (False, False):
        yield predictions, targets
        return
    predictions, targets = (
        list(part) if is_list else part for part, is_list in zip((predictions, targets), nested, strict=True)
    )
    sizes = [
        f"{len(part)} entries" if is_list else "one number"
        for part, is_list in zip((predictions, targets), nested, strict=True)
    ]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"predictions and targets must have the same shape; got {sizes[0]} and {sizes[1]}{where}; "
            "give each prediction its target"
        )
    for i, (prediction, target) in enumerate(zip(predictions, targets, strict=True)):
        yield from _pairs(prediction, target, f" at {i}{where.replace(' at ', ' of ')}")


def _is_list(thing: Any) -> bool:
    return isinstance(thing, Iterable) and not isinstance(thing, (str, bytes)) and getattr(thing, "shape", None) != ()
