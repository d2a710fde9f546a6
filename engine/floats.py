"""The primitives over floats, in two temperaments.

`FAST` holds Python's own functions: quick, but they raise where IEEE 754 has an answer (`math.exp(1000)`,
`math.log(0)`, `1 / 0`). `IEEE` holds the same functions with that answer. Generated operators run on `FAST` and turn
to `IEEE` when something raised, so ordinary arithmetic pays nothing for the corners.
"""

from __future__ import annotations

import math
from _operator import mul

from engine.ops import INF, NAN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PI = 3.141592653589793
_EULER_GAMMA = 0.5772156649015329

# Bernoulli numbers B2, B4, ... B16: asymptotic series of digamma and its derivatives (Abramowitz & Stegun 6.3.18,
# 6.4.11). With the argument raised to SERIES_FROM the first term left out is below 1e-17 of the sum.
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
_SERIES_FROM = 16.0

# zeta(k) - 1 for k = 2, 3, ...: enough for |e| <= 1/4 (Abramowitz & Stegun table 23.3).
_ZETA_MINUS_ONE = (
    0.64493406684822644, 0.20205690315959429, 0.082323233711138192, 0.036927755143369926, 0.01734306198444914,
    0.0083492773819228268, 0.0040773561979443394, 0.0020083928260822144, 0.00099457512781808534,
    0.00049418860411946456, 0.0002460865533080483, 0.00012271334757848915, 6.1248135058704829e-5,
    3.0588236307020494e-5, 1.5282259408651872e-5, 7.6371976378997623e-6, 3.8172932649998399e-6, 1.9082127165539389e-6,
    9.5396203387279611e-7, 4.7693298678780646e-7, 2.3845050272773299e-7, 1.1921992596531107e-7,
)  # fmt: skip


def divide(x: float, y: float) -> float:
    """x / y as IEEE 754 has it.

    >>> divide(-1.0, 0.0), divide(0.0, 0.0)
    (-inf, nan)
    """
    if y:
        return x / y
    return NAN if x == 0 or x != x else math.copysign(INF, x) * math.copysign(1.0, y)


def floor_divide(x: float, y: float) -> float:
    return x // y if y else divide(x, y)


def remainder(x: float, y: float) -> float:
    return x % y if y else NAN


def power(x: float, y: float) -> float:
    """x ** y as C's and PyTorch's `pow`: a negative base with a fractional exponent is nan, never complex.

    >>> power(-8.0, 1 / 3), power(0.0, -1.0), power(-10.0, 999.0)
    (nan, inf, -inf)
    """
    try:
        return math.pow(x, y)
    except (ValueError, OverflowError):
        if x < 0 and y != math.floor(y):
            return NAN
        return math.copysign(INF, x) if y % 2 == 1 else INF


def floor(x: float) -> float:
    return x // 1.0 if x - x == 0 else x


def maximum(xs: Sequence[float]) -> float:
    """The largest; nan if any is nan, where Python's `max` depends on the order."""
    return max(xs) if all(x == x for x in xs) else NAN


def minimum(xs: Sequence[float]) -> float:
    return min(xs) if all(x == x for x in xs) else NAN


def dot(xs: Sequence[float], ys: Sequence[float]) -> float:
    return sum(map(mul, xs, ys), 0.0)


def total(xs: Sequence[float]) -> float:
    return sum(xs, 0.0)


def logsumexp(xs: Sequence[float]) -> float:
    """log(sum(exp(x))), shifted by the largest: accurate even where the others hardly count.

    >>> logsumexp([0.0, -40.0])
    4.248354255291589e-18
    """
    peak = maximum(xs)
    if peak - peak != 0:
        return peak
    tail = total([math.exp(x - peak) for x in xs if x != peak])
    ties = sum(x == peak for x in xs)
    return peak + (math.log1p(tail) if ties == 1 else math.log(ties + tail))


def shares(xs: Sequence[float]) -> list[float]:
    """exp(x) / sum(exp(xs)) for each x: logsumexp's slopes, which its rounded value would spoil for large numbers.

    >>> shares([1e6, 1e6])
    [0.5, 0.5]
    """
    peak = max(xs)
    weights = [math.exp(x - peak) for x in xs]  # one nan makes all of them nan, by their sum
    whole = total(weights) if peak - peak == 0 else 1.0 if all(x == x for x in xs) else NAN
    return [weight / whole for weight in weights]


def _scaled(pair: tuple[float, int], x: float) -> tuple[float, int]:
    """pair * x, with the binary exponent kept apart, so that no product in between overflows or underflows."""
    factor, shift = math.frexp(x)
    mantissa, exponent = math.frexp(pair[0] * factor)
    return mantissa, pair[1] + shift + exponent


def _joined(mantissa: float, exponent: int) -> float:
    try:
        return math.ldexp(mantissa, exponent)
    except OverflowError:
        return math.copysign(INF, mantissa)


def prod(xs: Sequence[float]) -> float:
    """The product, right wherever it can be represented.

    >>> prod([1e-200, 1e-200, 1e300])
    1e-100
    """
    pair = (1.0, 0)
    for x in xs:
        pair = _scaled(pair, x)
    return _joined(*pair)


def norm(xs: Sequence[float]) -> float:
    """Euclidean length; nan if any is nan, where `math.hypot` lets an inf win."""
    length = math.hypot(*xs)
    return length if length - length == 0 or all(x == x for x in xs) else NAN


def prod_of_others(xs: Sequence[float]) -> list[float]:
    """For each operand, the product of all the others, without dividing by it: zeros do no harm.

    >>> prod_of_others([2.0, 0.0, 3.0])
    [0.0, 6.0, 0.0]
    """
    before = [(1.0, 0)]
    for x in xs[:-1]:
        before.append(_scaled(before[-1], x))
    after = (1.0, 0)
    others = []
    for x, (mantissa, exponent) in zip(reversed(xs), reversed(before), strict=True):
        others.append(_joined(mantissa * after[0], exponent + after[1]))
        after = _scaled(after, x)
    return others[::-1]


def _cotangent_derivative(order: int, x: float) -> float:
    """The derivative of cot(pi x), `order` times: pi^n P_n(cot), where P_0 = c and P_(n+1) = -(1 + c^2) P_n'."""
    coefficients = [0.0, 1.0]
    for _ in range(order):
        slope = [k * c for k, c in enumerate(coefficients)][1:]
        coefficients = [-(a + b) for a, b in zip([*slope, 0.0, 0.0], [0.0, 0.0, *slope], strict=True)]
    fraction = x - round(x)
    if abs(fraction) <= 0.25:
        cotangent = 1.0 / math.tan(_PI * fraction)
    else:  # the cotangent's zero keeps its digits
        cotangent = -math.tan(_PI * (fraction - math.copysign(0.5, fraction)))
    value = 0.0
    for c in reversed(coefficients):
        value = value * cotangent + c
    return float(value * _PI**order)


def lgamma(x: float) -> float:
    """log|gamma(x)|, with all its digits near its zeros at 1 and 2, where `math.lgamma` loses them.

    There lgamma(1 + e) = -log(1 + e) + (1 - euler_gamma) e + sum (-1)^k (zeta(k) - 1) e^k / k (Abramowitz & Stegun
    6.1.33).

    >>> lgamma(2.0), lgamma(4.0) == math.lgamma(4.0)
    (0.0, True)
    """
    if not 0.75 <= x <= 2.25:
        return math.lgamma(x)
    e = x - (1.0 if x < 1.5 else 2.0)
    if abs(e) > 0.25:
        return math.lgamma(x)
    series = 0.0
    for k in range(len(_ZETA_MINUS_ONE) + 1, 1, -1):
        series = (_ZETA_MINUS_ONE[k - 2] / k - series) * e
    return (-math.log1p(e) if x < 1.5 else 0.0) + (1.0 - _EULER_GAMMA) * e + series * e


def digamma(x: float) -> float:
    """The derivative of lgamma, by recurrence, asymptotic series and reflection (Abramowitz & Stegun 6.3).

    >>> digamma(1.0)
    -0.5772156649015329
    """
    if x == 0:
        return math.copysign(INF, -x)
    if x - x != 0:
        return x if x != -INF else NAN
    if x < 0:
        return NAN if x == math.floor(x) else digamma(1.0 - x) - _PI * _cotangent_derivative(0, x)
    if x == 1.0:
        return -_EULER_GAMMA
    shift = []
    while x < _SERIES_FROM:
        shift.append(1.0 / x)
        x += 1.0
    square = 1.0 / (x * x)
    terms = [math.log(x), -0.5 / x]
    scale = 1.0
    for k, bernoulli in enumerate(_BERNOULLI, 1):
        scale *= square
        terms.append(-bernoulli * scale / (2 * k))
    return math.fsum([*terms, *(-term for term in shift)])


def polygamma(order: float, x: float) -> float:
    """The derivative of digamma, `order` times: nan unless `order` is a whole number from 0 to 100.

    >>> polygamma(1.0, 1.0)          # pi**2 / 6
    1.6449340668482264
    """
    if order == 0:
        return digamma(x)
    if not 0 < order <= 100 or order != math.floor(order) or x != x or x == -INF:
        return NAN
    if x == INF:
        return 0.0
    n = int(order)
    sign = -1.0 if n % 2 == 0 else 1.0
    if x <= 0:
        if x == math.floor(x):
            return INF if n % 2 else NAN
        # psi_n(1 - x) + (-1)^(n+1) psi_n(x) = (-1)^n pi d^n/dx^n cot(pi x)
        return sign * (-sign * _PI * _cotangent_derivative(n, x) - polygamma(order, 1.0 - x))
    factorial = math.gamma(n)
    terms = []
    while x < _SERIES_FROM + n:
        terms.append(n * factorial * power(x, -n - 1.0))
        x += 1.0
    rising = factorial * power(x, -n)
    terms += [rising, 0.5 * n * rising / x]
    for k, bernoulli in enumerate(_BERNOULLI, 1):
        rising *= (2 * k + n - 1) * (2 * k + n - 2) / (2 * k * (2 * k - 1) * x * x)  # (2k+n-1)! / (2k)! / x**(2k+n)
        terms.append(bernoulli * rising)
    return sign * math.fsum(terms)


def _with_corners(
    function: Callable[[float], float], poles: dict[float, float], beyond: float
) -> Callable[[float], float]:
    """`function`, with IEEE's answer where Python's raises: a value at each pole, nan outside, inf on overflow."""

    def ieee(x: float) -> float:
        try:
            return function(x)
        except ValueError:
            return poles.get(x, beyond)
        except OverflowError:
            return math.copysign(INF, x) if function is math.sinh else INF

    return ieee


FAST: dict[str, Callable[..., object]] = {
    name: getattr(math, name)
    for name in (
        "sqrt", "cbrt", "exp", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan",
        "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "atan2", "hypot", "erf", "erfc",
    )
} | {"lgamma": lgamma}  # fmt: skip
"""Python's own functions, which raise at the corners."""

_POLES: dict[str, dict[float, float]] = {
    "log": {0.0: -INF}, "log2": {0.0: -INF}, "log10": {0.0: -INF},
    "log1p": {-1.0: -INF}, "atanh": {1.0: INF, -1.0: -INF},
}  # fmt: skip

IEEE: dict[str, Callable[..., object]] = {
    name: _with_corners(function, _POLES.get(name, {}), INF if name == "lgamma" else NAN)  # type: ignore[arg-type]
    if name not in ("atan2", "hypot")  # the rest take one float, these two never raise
    else function
    for name, function in FAST.items()
}  # fmt: skip
"""The same functions with IEEE 754's answers, and arithmetic that never raises."""

_BOTH: dict[str, Callable[..., object]] = {
    "abs": abs, "floor": floor, "digamma": digamma, "polygamma": polygamma, "sum": total, "dot": dot,
    "prod": prod, "max": maximum, "min": minimum, "logsumexp": logsumexp,
    "norm": norm, "prod_of_others": prod_of_others, "shares": shares,
}  # fmt: skip
FAST |= _BOTH | {"power": math.pow}
IEEE |= _BOTH | {"divide": divide, "floor_divide": floor_divide, "remainder": remainder, "power": power}
