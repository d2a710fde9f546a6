"""Gradients that are too large, made smaller."""

from __future__ import annotations

import math
from typing import Any

from engine.structure import is_array
from engine.value import is_operand


def clip_by_value(gradient: Any, limit: float) -> Any:
    """Each slope limited to [-limit, limit]; nan stays nan.

    Args:
        gradient: a list of floats or an array, which is not changed.
        limit: a positive number.

    Raises:
        ValueError: the limit is not positive.

    >>> clip_by_value([3.0, -0.5, -7.0], 1.0)
    [1.0, -0.5, -1.0]
    """
    check_limit(limit)
    if is_array(gradient):
        return gradient.clip(-limit, limit)
    return [min(max(slope, -limit), limit) for slope in gradient]


def clip_by_norm(gradient: Any, limit: float) -> Any:
    """The gradient times min(1, limit / (norm + 1e-6)), norm being its Euclidean length; nan anywhere makes all nan.

    Args and errors are those of `clip_by_value`.

    >>> clip_by_norm([3.0, 4.0], 10.0)
    [3.0, 4.0]
    >>> [round(slope, 6) for slope in clip_by_norm([3.0, 4.0], 1.0)]
    [0.6, 0.8]

    Pascanu, Mikolov and Bengio, *On the difficulty of training recurrent neural networks*, 2013.
    """
    check_limit(limit)
    factor = limit / (_norm(gradient) + 1e-6)
    if factor >= 1.0:
        return gradient
    return gradient * factor if is_array(gradient) else [slope * factor for slope in gradient]


def _norm(gradient: Any) -> float:
    if not is_array(gradient):
        return math.nan if any(map(math.isnan, gradient)) else math.hypot(*gradient)
    import numpy as np

    with np.errstate(over="ignore"):
        norm = float(np.linalg.norm(gradient.astype(float)))
    return math.hypot(*gradient.tolist()) if norm == math.inf or norm < 1e-140 else norm  # squares out of range


def check_limit(limit: float) -> None:
    """
    Raises:
        ValueError: it is not a positive number.
    """
    if isinstance(limit, bool) or not is_operand(limit) or not limit > 0:
        raise ValueError(f"gradients are clipped to a positive limit; got {limit!r}; try 1.0")
