"""Activations, by name or as functions: any operation of one operand in the engine's table."""

from __future__ import annotations

from collections.abc import Callable

from engine import OPS, Value
from engine.generate import method_names

Activation = Callable[[Value], Value]


def linear(x: Value) -> Value:
    """No activation: x itself."""
    return x


def find(activation: str | Activation) -> Activation:
    """An activation by name, or the function as it is.

    Names are those of the operation table that need one operand: sigmoid, tanh, relu, leaky_relu, elu, selu, gelu,
    silu, mish, softplus, softsign, hardtanh, ...; and `linear`.

    Raises:
        ValueError: there is none of that name.
        TypeError: neither a name nor a function.

    >>> find("relu")(Value(-1.0)).data
    0.0
    """
    if isinstance(activation, str):
        if activation == "linear":
            return linear
        if activation not in NAMES:
            if activation in ("softmax", "log_softmax"):
                raise ValueError(
                    f"an activation sees one number, {activation} sees them all; got {activation!r}; put "
                    f"engine.functions.{activation} into a Sequential, or leave it to a loss from logits"
                )
            raise ValueError(f"no activation has this name; got {activation!r}; use one of {['linear', *NAMES]}")
        method: Activation = getattr(Value, activation)
        return method
    if not callable(activation):
        raise TypeError(f"an activation is a name or a function of a Value; got {activation!r}; use 'relu', say")
    return activation


NAMES = [op.name for op in OPS.values() if op.name in method_names(op) and len(op.operands) - len(op.defaults) == 1]
"""What `find` knows by name, besides `linear`."""
