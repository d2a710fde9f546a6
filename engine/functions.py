"""Free functions: one for every operation of the table, and a few that are composed of them.

They take Values and numbers alike; of numbers alone they give a constant. Sums, dots and their like are single nodes,
however many operands they have.

>>> from engine import Value
>>> x = Value(0.0, label="x")
>>> dot([x, 2.0], [3.0, x]).op.name, exp(x).data, maximum(x, 1.0).data
('dot', 1.0, 1.0)
"""

from __future__ import annotations

from engine import functions
from engine.generate import function_source
from engine.operators import define
from engine.ops import OPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.generated import *  # noqa: F403  # the table's functions, for type checkers
    from engine.value import Value

__all__ = [*OPS, "log_softmax", "softmax"]


def __getattr__(name: str) -> object:
    """The table's functions are compiled when they are first asked for."""
    if name not in OPS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    function = define(function_source(OPS[name]), name, f"functions.{name}")
    function.__module__ = __name__
    globals()[name] = function
    return function


def __dir__() -> list[str]:
    return __all__


def log_softmax(xs: Iterable[Value | float]) -> list[Value]:
    """Logarithms of the softmax: x - logsumexp(xs) for each x. Never overflows.

    >>> [round(v.data, 4) for v in log_softmax([1.0, 1.0])]
    [-0.6931, -0.6931]
    """
    things = list(xs)
    total = functions.logsumexp(things)
    return [functions.sub(x, total) for x in things]


def softmax(xs: Iterable[Value | float]) -> list[Value]:
    """Positive numbers of sum 1: exp(x) / sum(exp(xs)) for each x. Never overflows.

    >>> [round(v.data, 9) for v in softmax([1000.0, 1000.0])]
    [0.5, 0.5]
    """
    return [functions.exp(x) for x in log_softmax(xs)]
