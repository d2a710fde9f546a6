"""Optimizers: how parameters move along their gradients."""

from __future__ import annotations

import math
from collections.abc import Iterable

from engine import Value


class SGD:
    """Gradient descent: w <- w - learning_rate * dL/dw.

    Args:
        learning_rate: the step's length per unit of gradient; positive.

    Raises:
        ValueError: the learning rate is not a positive number.

    >>> w = Value(3.0)
    >>> (w * w).backward()
    >>> SGD(learning_rate=0.1).step([w])
    >>> round(w.data, 6)
    2.4
    """

    def __init__(self, learning_rate: float) -> None:
        if not (isinstance(learning_rate, (int, float)) and 0 < learning_rate < math.inf):
            raise ValueError(f"the learning rate must be a positive number; got {learning_rate!r}; try 0.1")
        self.learning_rate = learning_rate

    def step(self, parameters: Iterable[Value]) -> None:
        """Move each parameter once, against its gradient. Gradients stay: zero them before the next pass."""
        for parameter in parameters:
            parameter.data -= self.learning_rate * parameter.grad

    def __repr__(self) -> str:
        return f"SGD(learning_rate={self.learning_rate})"
