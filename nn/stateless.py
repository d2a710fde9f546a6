"""Layers without parameters: activations and functions as modules, dropout, flattening."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine import Value, random_input
from engine.functions import greater_equal, where
from engine.value import is_operand, operand
from nn import activations
from nn.activations import Activation as Function
from nn.module import Module
from nn.nested import flattened, listed, mapped, name_of


class Activation(Module):
    """An activation of every number, however nested.

    Args:
        activation: a name, or a function of a Value; see `nn.activations`.

    Raises:
        ValueError, TypeError: as `nn.activations.find`.

    >>> [value.data for value in Activation("relu")([1.0, -1.0])], Activation("tanh")
    ([1.0, 0.0], Activation(tanh))
    """

    def __init__(self, activation: str | Function) -> None:
        self.activation = activations.find(activation)

    def forward(self, inputs: Any) -> Any:
        return mapped(lambda x: self.activation(operand(x)), listed(inputs))

    def __repr__(self) -> str:
        return f"Activation({name_of(self.activation)})"


class Lambda(Module):
    """A function of a whole example as a module, such as `engine.functions.softmax`.

    Raises:
        TypeError: it cannot be called.

    >>> from engine.functions import softmax
    >>> Lambda(softmax), [value.data for value in Lambda(softmax)([0.0, 0.0])]
    (Lambda(softmax), [0.5, 0.5])
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        if not callable(function):
            raise TypeError(f"a Lambda is made of a function; got {function!r}; pass one of an example")
        self.function = function

    def forward(self, inputs: Any) -> Any:
        return self.function(inputs)

    def __repr__(self) -> str:
        return f"Lambda({name_of(self.function)})"


class Dropout(Module):
    """In training, each number becomes 0 with probability `rate`, or else is divided by 1 - rate; otherwise nothing.

    The mean stays what it is, so that evaluation needs no factor ("inverted" dropout). Compiled, every example of every
    call draws afresh.

    Args:
        rate: the probability, at least 0 and below 1.

    Raises:
        ValueError: there is no such probability.

    Reference: Srivastava et al., *Dropout: A Simple Way to Prevent Neural Networks from Overfitting*, 2014.

    >>> {value.data for value in Dropout(0.5)([3.0] * 100)} == {0.0, 6.0}
    True
    >>> Dropout(0.5).eval()([3.0])
    [3.0]
    """

    def __init__(self, rate: float) -> None:
        if isinstance(rate, bool) or not is_operand(rate) or not 0.0 <= rate < 1.0:
            raise ValueError(f"the rate of dropout is a probability below 1; got {rate!r}; try 0.5")
        self.rate = float(rate)

    def forward(self, inputs: Any) -> Any:
        if not self.training or not self.rate:
            return inputs
        return mapped(self._dropped, listed(inputs))

    def _dropped(self, x: Value | float) -> Value:
        return where(greater_equal(random_input(), self.rate), operand(x) / (1.0 - self.rate), 0.0)

    def __repr__(self) -> str:
        return f"Dropout({self.rate})"


class Flatten(Module):
    """All numbers of an example in one list, in row-major order: an image's channel by channel, row by row.

    >>> Flatten()([[[1.0, 2.0]], [[3.0, 4.0]]])
    [1.0, 2.0, 3.0, 4.0]
    """

    def forward(self, inputs: Any) -> list[Any]:
        return list(flattened(listed(inputs)))

    def __repr__(self) -> str:
        return "Flatten()"
