"""The rules of the table as NumPy calls: the same texts, bound to arrays.

Element-wise rules become calls with `out=`; rules over rows work on segments, of equal length or not.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec

import numpy as np

from engine.floats import IEEE
from engine.ops import OPS, Op
from engine.rules import expand, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engine.rules import Expression

_UFUNCS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "div": "divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "neg": "negative", "abs": "absolute", "less": "less",
    "less_equal": "less_equal", "greater": "greater", "greater_equal": "greater_equal", "equal": "equal",
    "not_equal": "not_equal", "sqrt": "sqrt", "cbrt": "cbrt", "exp": "exp", "expm1": "expm1", "log": "log",
    "log1p": "log1p", "log2": "log2", "log10": "log10", "sin": "sin", "cos": "cos", "tan": "tan", "asin": "arcsin",
    "acos": "arccos", "atan": "arctan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "asinh": "arcsinh",
    "acosh": "arccosh", "atanh": "arctanh", "atan2": "arctan2", "hypot": "hypot", "floor": "floor",
    "positive_part": "maximum", "negative_part": "minimum", "if_positive": "fmax", "if_negative": "fmin",
    "not": "logical_not",
}  # fmt: skip
_FACTORS = 100  # from 1/2 to 1, whose product float32 holds too
TRUTHS = {"less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "not"}


def _of_each(name: str) -> Callable[..., Any]:
    """A function that NumPy lacks: SciPy's if that is installed, else number by number."""
    found: list[Callable[..., Any]] = []

    def number_by_number(*arguments: Any, out: Any) -> None:
        out[...] = np.vectorize(IEEE[name], [float])(*arguments)

    def call(*arguments: Any, out: Any) -> None:
        if not found:
            scipy = name in ("erf", "erfc") and find_spec("scipy")
            found.append(getattr(import_module("scipy.special"), name) if scipy else number_by_number)
        found[0](*arguments, out=out)

    return call


CALLS: dict[str, Callable[..., Any]] = {name: getattr(np, ufunc) for name, ufunc in _UFUNCS.items()} | {
    name: _of_each(name) for name in ("erf", "erfc", "lgamma", "digamma", "polygamma")
}


@cache
def array_rule(op: Op, text: str) -> Expression:
    """A rule of the table in primitives, with what arrays do quicker put in.

    >>> array_rule(OPS["relu"], OPS["relu"].value)
    ('positive_part', 'x', 0.0)
    """
    rule = _quicker(expand(parse(op, text), {}))
    if rule == ("not", ("less_equal", "x", 0.0)) and array_rule(op, op.value) == ("positive_part", "x", 0.0):
        return ("not_equal", "z", 0.0)
    return rule


def _quicker(expression: Expression) -> Expression:
    """The same numbers without choices, of which each example's may be another: they take the most time."""
    if not isinstance(expression, tuple):
        return expression
    simple = (expression[0], *map(_quicker, expression[1:]))
    match simple:
        case ("where", ("less_equal", x, 0.0), 0.0, y) if x == y:
            return ("positive_part", x, 0.0)
        case ("where", ("greater", x, 0.0), y, 0.0) if x == y:  # 0 for no number, unlike the positive part
            return ("if_positive", x, 0.0)
        case ("where", ("less", x, 0.0), y, 0.0) if x == y:
            return ("if_negative", x, 0.0)
        case ("where", ("greater_equal", x, 0.0), 1.0, ("exp", ("neg", ("abs", y)))) if x == y:
            return ("exp", ("negative_part", x, 0.0))
        case ("where", (name, *_) as truth, 1.0, 0.0) if name in TRUTHS:
            return truth
        case ("where", (name, *_) as truth, 0.0, 1.0) if name in TRUTHS:
            return ("not", truth)
    return simple


class Segments:
    """Rows that lie one after the other in an array: how to reduce them, and how to spread a row's number over it.

    Rows of equal length are arrays of shape (rows, length, lanes); others lie along the first axis.

    >>> Segments(2, 3, None).sum(np.arange(6.0).reshape(2, 3, 1)).tolist()
    [[3.0], [12.0]]
    >>> Segments(2, 0, np.array([0, 1]), 3).sum(np.arange(3.0)[:, None]).tolist()
    [[0.0], [3.0]]
    """

    def __init__(self, rows: int, length: int, starts: Any, total: int = 0) -> None:
        self.rows, self.length, self.starts = rows, length, starts
        if starts is None:
            self.lengths: Any = float(length)
        else:
            self.lengths = np.diff(np.append(starts, total))[:, None]
            self._row_of = np.repeat(np.arange(rows), self.lengths[:, 0])

    def _reduced(self, ufunc: Any, x: Any) -> Any:
        if self.starts is not None:
            return ufunc.reduceat(x, self.starts, axis=0)
        return ufunc.reduce(x, axis=1)

    def spread(self, z: Any) -> Any:
        if not isinstance(z, np.ndarray):
            return z
        return z[:, None] if self.starts is None else z[self._row_of]

    def sum(self, x: Any) -> Any:
        return self._reduced(np.add, x * 1.0 if x.dtype == bool else x)

    def mean(self, x: Any) -> Any:
        return self.sum(x) / self.lengths

    def max(self, x: Any) -> Any:
        return self._reduced(np.maximum, x)

    def min(self, x: Any) -> Any:
        return self._reduced(np.minimum, x)

    def logsumexp(self, x: Any) -> Any:
        peak = self.max(x)
        over = self.spread(peak)
        tail = x - over
        others = tail != 0.0
        np.exp(tail, out=tail)
        tail *= others  # the largest itself counts as 1: what is far below it must not be lost beside it
        ties = self.lengths - self.sum(others)
        return np.where(np.isfinite(peak), peak + np.log1p(self.sum(tail) + (ties - 1.0)), peak)

    def shares(self, x: Any) -> Any:
        peak = self.max(x)
        weights = np.exp(x - self.spread(peak))
        return weights / self.spread(np.where(np.isfinite(peak), self.sum(weights), 1.0))

    def put_shares(self, x: Any, p: Any) -> None:
        """Put exp(x - logsumexp(x)) into p, whatever x is."""
        np.exp(np.subtract(x, self.spread(self.logsumexp(x)), out=p), out=p)

    def norm(self, x: Any) -> Any:
        size = np.abs(x)
        peak = self.max(size)
        unit = np.where((peak == 0) | np.isinf(peak), 1.0, peak)
        length = np.sqrt(self.sum(np.square(x / self.spread(unit)))) * unit
        return np.where(peak == 0, 0.0, length)

    def prod(self, x: Any) -> Any:
        return np.ldexp(*self._product(*np.frexp(x)))

    def _product(self, mantissa: Any, exponent: Any) -> tuple[Any, Any]:
        """The product with its exponent apart; of long rows, of the products of their parts."""
        if (self.length if self.starts is None else self.lengths.max()) <= _FACTORS:
            return self._reduced(np.multiply, mantissa), self._reduced(np.add, exponent)
        axis, starts = (1, [0]) if self.starts is None else (0, self.starts)
        ends = [*starts[1:], mantissa.shape[axis]]
        parts = np.concatenate([np.arange(start, end, _FACTORS) for start, end in zip(starts, ends, strict=True)])
        mantissa, shift = np.frexp(np.multiply.reduceat(mantissa, parts, axis=axis))
        exponent = np.add.reduceat(exponent, parts, axis=axis) + shift
        first = None if self.starts is None else np.searchsorted(parts, starts)
        return Segments(self.rows, len(parts), first, len(parts))._product(mantissa, exponent)

    def prod_of_others(self, x: Any) -> Any:
        if self.starts is None:
            (before, shift), (after, other) = _products_before(x), _products_before(x[:, ::-1])
            return np.ldexp(before * after[:, ::-1], shift + other[:, ::-1])
        others = np.empty_like(x)
        for start, length in zip(self.starts, self.lengths[:, 0], strict=True):
            row = slice(start, start + length)
            others[row] = Segments(1, length, None).prod_of_others(x[None, row])[0]
        return others


def _products_before(x: Any) -> tuple[Any, Any]:
    """For each number of a row the product of those before it, with its exponent apart."""
    mantissas, exponents = np.frexp(np.ones_like(x))
    factors, powers = np.frexp(x)
    for k in range(0, x.shape[1] - 1, _FACTORS):
        part = slice(k, min(k + _FACTORS, x.shape[1] - 1))
        after = slice(k + 1, part.stop + 1)
        products = np.multiply.accumulate(factors[:, part], axis=1) * mantissas[:, k : k + 1]
        mantissas[:, after], shift = np.frexp(products)
        exponents[:, after] = np.add.accumulate(powers[:, part], axis=1) + exponents[:, k : k + 1] + shift
    return mantissas, exponents


def row_source(op: Op, text: str) -> str:
    """A rule over rows as source: of `x` (all operands), `z` (the results), `s` (the segments) and `np`.

    >>> row_source(OPS["max"], OPS["max"].partials[0])
    '((x == s.spread(z)) / s.spread(s.sum((x == s.spread(z)))))'
    """
    source, is_row = _row_text(parse(op, text))
    return source if text == op.value or not is_row else f"s.spread({source})"


def _row_text(expression: Expression) -> tuple[str, bool]:
    """Source, and whether it has one number for each row."""
    if isinstance(expression, float):
        return repr(expression), False
    if isinstance(expression, str):
        return {"xs": ("x", False), "n": ("s.lengths", True), "z": ("z", True)}.get(expression, (expression, False))
    name, *parts = expression
    if str(name) not in OPS or OPS[str(name)].variadic:
        text, is_row = _row_text(parts[0])
        return f"s.{name}({text})", name not in ("prod_of_others", "shares")
    texts = [_row_text(part) for part in parts]
    is_row = all(row or _is_number(text) for text, row in texts) and any(row for _, row in texts)
    words = [text if is_row or not row else f"s.spread({text})" for text, row in texts]
    if len(words) == 2 and name != "pow":
        return f"({words[0]} {OPS[str(name)].symbol} {words[1]})", is_row
    return f"np.{_UFUNCS[str(name)]}({', '.join(words)})", is_row


def _is_number(text: str) -> bool:
    return text.replace(".", "").replace("-", "").isdigit()
