"""NumPy's functions on Values: the operations of the table, element by element."""

from __future__ import annotations

import numpy

from engine.ops import OPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# NumPy's names for operations of the table
_UFUNCS = {
    "subtract": "sub", "multiply": "mul", "divide": "div", "floor_divide": "floordiv", "remainder": "mod",
    "power": "pow", "negative": "neg", "absolute": "abs", "arcsin": "asin", "arccos": "acos", "arctan": "atan",
    "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "arctan2": "atan2",
}  # fmt: skip
_COMPARISONS = {"less", "less_equal", "greater", "greater_equal", "equal", "not_equal"}


def array_ufunc(value: type, apply: Callable[..., Any]) -> Callable[..., Any]:
    """The method `__array_ufunc__` of the class `value`; `apply` runs an operation of the table."""

    def boxed(item: Any) -> Any:
        if not isinstance(item, value):
            return item
        box = numpy.empty((), dtype=object)
        box[()] = item
        return box

    def apply_ufunc(self: Any, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """NumPy's functions treat a Value as the scalar it is: `np.exp(v)`, `np.float64(2) * v`, `v + array`."""
        name = _UFUNCS.get(ufunc.__name__, ufunc.__name__)
        if method == "__call__" and not options and name in OPS and name not in _COMPARISONS:
            # the table's operation for each element: NumPy's own would pick a side at a tie, or leave the graph
            if not any(isinstance(item, numpy.ndarray) for item in inputs):
                return apply(OPS[name], inputs)
            ufunc = numpy.frompyfunc(lambda *operands: apply(OPS[name], operands), len(inputs), 1)
        return getattr(ufunc, method)(*map(boxed, inputs), **options)

    return apply_ufunc
