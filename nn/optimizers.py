"""Optimizers: how parameters move along their gradients."""

from __future__ import annotations

import math
from collections.abc import Iterable

from engine import Value
from engine.value import is_operand


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
        if isinstance(learning_rate, bool) or not is_operand(learning_rate) or not 0 < learning_rate < math.inf:
            raise ValueError(f"the learning rate must be a positive number; got {learning_rate!r}; try 0.1")
        self.learning_rate = float(learning_rate)

    def step(self, parameters: Iterable[Value]) -> None:
        """Move each parameter against its gradient, as often as it is listed. Gradients stay: zero them yourself."""
        for parameter in parameters:
            parameter.data -= self.learning_rate * parameter.grad

    def __repr__(self) -> str:
        return f"SGD(learning_rate={self.learning_rate})"
