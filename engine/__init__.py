"""glassgrad's engine: scalar automatic differentiation that one can see through.

>>> from engine import Value
>>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
>>> loss = (a * b + 10).tanh()
>>> loss.backward()
>>> round(b.grad, 6)
0.002682
"""

from engine import functions
from engine.anomaly import AnomalyError
from engine.derivatives import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from engine.modes import detect_anomaly, enable_grad, no_grad, record_source
from engine.naming import label
from engine.ops import OPS, Op
from engine.rules import validate
from engine.value import Value, constant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.compiler import Compiled, TracingError, compile, drawing_from, random_input
    from engine.gradcheck import (
        GradientError,
        GradientReport,
        GradientWarning,
        assert_gradients,
        check_gradients,
        differentiate,
    )
    from engine.stepping import Trace

validate()

__all__ = [
    "OPS", "AnomalyError", "Compiled", "GradientError", "GradientReport", "GradientWarning", "Op", "Trace",
    "TracingError", "Value", "assert_gradients", "check_gradients", "compile", "constant", "detect_anomaly",
    "differentiate", "drawing_from", "enable_grad", "functions", "grad", "hessian", "hvp", "jacobian", "jvp", "label",
    "no_grad", "random_input", "record_source", "value_and_grad", "vjp",
]  # fmt: skip

_LATER = {"Trace": "engine.stepping"} | dict.fromkeys(
    ("Compiled", "TracingError", "compile", "drawing_from", "random_input"), "engine.compiler"
)


def __getattr__(name: str) -> object:
    """The compiler, the gradient checker and the stepper are imported when they are first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATER.get(name, "engine.gradcheck")), name)
