"""Optimizers: how parameters move along their gradients; PyTorch's formulas and defaults.

Each rule is written once, in arithmetic that floats and arrays share. What it adds to or multiplies in place is its
own number and state: on arrays that saves time, on floats it is the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Unpack

from engine.value import is_operand
from nn.optimizer import Optimizer, Options, Rule, within
from nn.schedules import Schedule


class SGD(Optimizer):
    """Gradient descent: w <- w - rate v, with v <- momentum v + dL/dw.

    Args:
        learning_rate: the step's length per unit of gradient.
        momentum: how much of its velocity a parameter keeps, from 0 to below 1; 0 is plain descent, v = dL/dw.
        nesterov: look ahead: w <- w - rate (dL/dw + momentum v).
        options: weight_decay, clip_value, clip_norm, as for every `Optimizer`.

    Raises:
        ValueError: the learning rate is not a positive number; momentum out of range, or missing for Nesterov's.

    >>> from engine import Value
    >>> w = Value(3.0)
    >>> (w * w).backward()
    >>> SGD(learning_rate=0.1).step([w])
    >>> round(w.data, 6)
    2.4

    Sutskever et al., *On the importance of initialization and momentum in deep learning*, 2013.
    """

    def __init__(
        self,
        learning_rate: float | Schedule = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.momentum, self.nesterov = within("momentum", momentum, 1.0), nesterov
        if nesterov and not momentum:
            raise ValueError("Nesterov's method looks ahead along the momentum; got momentum=0; try momentum=0.9")

    @property
    def state_names(self) -> tuple[str, ...]:
        return ("velocity",) if self.momentum else ()

    def rule(self, rate: float, iteration: int) -> Rule:
        momentum, nesterov, decay = self.momentum, self.nesterov, self.weight_decay

        def descend(number: Any, slope: Any) -> tuple[Any, ...]:
            number -= rate * (slope + decay * number if decay else slope)
            return (number,)

        def roll(number: Any, slope: Any, velocity: Any) -> tuple[Any, ...]:
            if decay:
                slope = slope + decay * number
            velocity *= momentum
            velocity += slope
            number -= rate * (slope + momentum * velocity if nesterov else velocity)
            return number, velocity

        return roll if momentum else descend


class Adagrad(Optimizer):
    """Steps that shorten where slopes were large: s <- s + g^2, w <- w - rate g / (sqrt(s) + epsilon).

    Args and errors are those of `SGD`; epsilon, a small positive number, keeps the quotient finite.

    Duchi, Hazan and Singer, *Adaptive subgradient methods for online learning and stochastic optimization*, 2011.
    """

    def __init__(
        self,
        learning_rate: float | Schedule = 0.01,
        epsilon: float = 1e-10,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.epsilon = _positive(epsilon)

    @property
    def state_names(self) -> tuple[str, ...]:
        return ("squares",)

    def rule(self, rate: float, iteration: int) -> Rule:
        epsilon, decay = self.epsilon, self.weight_decay

        def shorten(number: Any, slope: Any, squares: Any) -> tuple[Any, ...]:
            if decay:
                slope = slope + decay * number
            squares += slope * slope
            number -= rate * slope / (squares**0.5 + epsilon)
            return number, squares

        return shorten


class RMSprop(Optimizer):
    """Steps in proportion to slopes of late: s <- decay s + (1 - decay) g^2, w <- w - rate g / (sqrt(s) + epsilon).

    Args:
        decay: how much of the average of squares stays, from 0 to below 1.
        momentum: of the quotient, as in `SGD`.
        The others and the errors are those of `Adagrad`.

    Tieleman and Hinton, *Lecture 6.5: divide the gradient by a running average of its recent magnitude*, 2012.
    """

    def __init__(
        self,
        learning_rate: float | Schedule = 0.01,
        decay: float = 0.99,
        epsilon: float = 1e-8,
        momentum: float = 0.0,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.decay, self.momentum = within("decay", decay, 1.0), within("momentum", momentum, 1.0)
        self.epsilon = _positive(epsilon)

    @property
    def state_names(self) -> tuple[str, ...]:
        return ("squares", "velocity") if self.momentum else ("squares",)

    def rule(self, rate: float, iteration: int) -> Rule:
        keep, epsilon, decay, momentum = self.decay, self.epsilon, self.weight_decay, self.momentum

        def scale(number: Any, slope: Any, squares: Any, *velocity: Any) -> tuple[Any, ...]:
            if decay:
                slope = slope + decay * number
            squares *= keep
            squares += (1 - keep) * slope * slope
            change = slope / (squares**0.5 + epsilon)
            if not momentum:
                number -= rate * change
                return number, squares
            (speed,) = velocity
            speed *= momentum
            speed += change
            number -= rate * speed
            return number, squares, speed

        return scale


class Adam(Optimizer):
    """Momentum and scaling at once, corrected for their start at zero.

    m <- beta1 m + (1 - beta1) g and s <- beta2 s + (1 - beta2) g^2 at step t move a parameter by
    -rate m / (1 - beta1^t) / (sqrt(s / (1 - beta2^t)) + epsilon).

    Args:
        beta1, beta2: how much of the averages of slopes and of their squares stays, from 0 to below 1.
        The others and the errors are those of `Adagrad`.

    Kingma and Ba, *Adam: a method for stochastic optimization*, 2015.
    """

    decoupled = False

    def __init__(
        self,
        learning_rate: float | Schedule = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta1, self.beta2 = within("beta1", beta1, 1.0), within("beta2", beta2, 1.0)
        self.epsilon = _positive(epsilon)

    @property
    def state_names(self) -> tuple[str, ...]:
        return ("slopes", "squares")

    def rule(self, rate: float, iteration: int) -> Rule:
        beta1, beta2, decay, decoupled = self.beta1, self.beta2, self.weight_decay, self.decoupled
        # The state lacks the constant factors 1 - beta, which stand here: two passes over the numbers less.
        scale = math.sqrt((1 - beta2) / (1 - beta2**iteration))
        length = rate * (1 - beta1) / (1 - beta1**iteration) / scale
        epsilon = self.epsilon / scale

        def move(number: Any, slope: Any, slopes: Any, squares: Any) -> tuple[Any, ...]:
            if decay and decoupled:
                number *= 1 - rate * decay
            elif decay:
                slope = slope + decay * number
            slopes *= beta1
            slopes += slope
            squares *= beta2
            squares += slope * slope
            size = squares**0.5
            size += epsilon
            change = slopes / size
            change *= length
            number -= change
            return number, slopes, squares

        return move


class AdamW(Adam):
    """Adam with weight decay beside the gradient, not in it: first w <- (1 - rate weight_decay) w, then Adam's step.

    Args and errors are those of `Adam`; weight_decay is 0.01 unless given.

    Loshchilov and Hutter, *Decoupled weight decay regularization*, 2019.
    """

    decoupled = True
    usual_weight_decay = 0.01


def _positive(epsilon: float) -> float:
    if isinstance(epsilon, bool) or not is_operand(epsilon) or not 0 < epsilon < math.inf:
        raise ValueError(f"epsilon must be a positive number; got {epsilon!r}; try 1e-8")
    return float(epsilon)


OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {
    kind.__name__.lower(): kind for kind in (SGD, Adagrad, RMSprop, Adam, AdamW)
}


def find(optimizer: str | Optimizer) -> Optimizer:
    """A new optimizer by name, with its usual settings, or the one given.

    Raises:
        ValueError: there is none of that name.
        TypeError: neither a name nor an optimizer.

    >>> find("adam")
    Adam(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08)
    """
    if isinstance(optimizer, str):
        if optimizer.lower() not in OPTIMIZERS:
            raise ValueError(f"no optimizer has this name; got {optimizer!r}; use one of {sorted(OPTIMIZERS)}")
        return OPTIMIZERS[optimizer.lower()]()
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"an optimizer is a name or an Optimizer; got {optimizer!r}; use nn.Adam(1e-3), say")
    return optimizer
