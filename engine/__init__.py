"""glassgrad's engine: scalar automatic differentiation that one can see through.

>>> from engine import Value
>>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
>>> loss = (a * b + 10).tanh()
>>> loss.backward()
>>> round(b.grad, 6)
0.002682
"""

from engine import functions
from engine.modes import detect_anomaly, enable_grad, no_grad, record_source
from engine.naming import label
from engine.ops import OPS, Op
from engine.rules import validate
from engine.value import AnomalyError, Value, constant

validate()

__all__ = [
    "OPS",
    "AnomalyError",
    "Op",
    "Value",
    "constant",
    "detect_anomaly",
    "enable_grad",
    "functions",
    "label",
    "no_grad",
    "record_source",
]
