"""The table of operations: what glassgrad can differentiate, as data.

One `Op` record defines an operation completely, and everybody reads that record: the eager methods, derivatives of
any order, the compiler, the formulas on diagrams, the tests and the README. Adding an operation is one entry here and
nothing else (a new *primitive* also needs its function over floats, in `engine/floats.py`).

Rules are Python expressions as text. They may name

- the operands, and `z`, the result;
- for an operation over any number of operands, `x` (the operand at hand; `y` its partner in a `dot`), `xs` (all of
  them) and `n` (how many);
- numbers, `inf`, `nan`, arithmetic, comparisons (which are 0 or 1), and any operation of this table.

A rule that calls its own operation marks a primitive: a function that is implemented, not composed. Rules are written
in the form that keeps its accuracy at both ends of the range: `1 - tanh(x)**2` is zero from x = 19 on, the rule below
is right to the last bits. Partials are differentiated again for higher derivatives: a smooth operation has partials
without `abs` or `where` in x, and what stands in a branch is finite even where the branch is not taken.

This module knows nothing of how rules are run.
"""

from __future__ import annotations

Interval = tuple[float, float]

INF = float("inf")
NAN = float("nan")
REAL: Interval = (-INF, INF)
POSITIVE: Interval = (0.0, INF)
UNIT: Interval = (-1.0, 1.0)
ABOVE_ONE: Interval = (1.0, INF)
ABOVE_MINUS_ONE: Interval = (-1.0, INF)


class Op:
    """One operation: its value, its partials, and what a reader, a test or a picture needs to know of it.

    Attributes:
        name: the name of the free function and, unless `method` is false, of the method.
        value: the rule for the result z.
        partials: the rule for dz/d(operand), one for each operand; for a variadic operation, one for each list.
        textbook: the same as people know it, for formulas: equal away from corners, but not as accurate.
        doc: what it computes, in one line.
        operands: the operands' names; an operand with a number in `defaults` may be left out.
        symbol: what a formula shows: `+` between operands, or a function's name.
        domain: the open interval, for each operand, on which the operation is defined and smooth.
        kinks: expressions in the operands whose zeros are kinks, jumps and poles.
        special: operands worth testing, kinks included: where formulas change, cancel, overflow or end.
        variadic: operands are one list (`xs`) or two of equal length (`xs`, `ys`), not a fixed number.
        empty: the result for no operands; None if there is none.
        quick: rules for value and partials that cost less, and may overflow or give nan where the others do not.
        aliases: further method names (NumPy's ufuncs call `x.arcsin()` on an array of objects).
        method: whether `Value` has it as a method.
    """

    __slots__ = (
        "aliases", "defaults", "doc", "domain", "empty", "kinks", "method", "name", "operands", "partials", "quick",
        "special", "symbol", "textbook", "value", "variadic",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        value: str,
        partials: tuple[str, ...],
        doc: str,
        *,
        textbook: tuple[str, ...] | None = None,
        operands: tuple[str, ...] = ("x",),
        defaults: dict[str, float] | None = None,
        symbol: str | None = None,
        domain: Interval | tuple[Interval, ...] = REAL,
        kinks: tuple[str, ...] = (),
        special: tuple[object, ...] = (),
        variadic: bool = False,
        empty: float | None = None,
        quick: tuple[str, ...] = (),
        aliases: tuple[str, ...] = (),
        method: bool = True,
    ) -> None:
        self.name = name
        self.value = value
        self.partials = partials
        self.textbook = textbook or partials
        self.doc = doc
        self.operands = operands
        self.defaults = defaults or {}
        self.symbol = symbol or name
        self.domain = domain if isinstance(domain[0], tuple) else (domain,) * len(operands)
        self.kinks = kinks
        self.special = tuple(point if isinstance(point, tuple) else (point,) for point in special)
        self.variadic = variadic
        self.empty = empty
        self.quick = quick or (value, *partials)
        self.aliases = aliases
        self.method = method and not variadic

    def __repr__(self) -> str:
        return f"<Op {self.name}: {self.value}>"

    def __reduce__(self) -> str | tuple[object, ...]:
        return find, (self.name,)


def find(name: str) -> Op:
    """The operation of that name: a table entry, or one of the two kinds of node that no rule made.

    Raises:
        KeyError: there is none of that name.

    >>> find("mul").partials
    ('y', 'x')
    """
    return OPS[name] if name in OPS else {LEAF.name: LEAF, CONSTANT.name: CONSTANT}[name]


LEAF = Op("leaf", "", (), "a variable: a Value that somebody made from a number", operands=())
CONSTANT = Op("constant", "", (), "a number that entered an expression: it has no gradient", operands=())

XY = ("x", "y")
XS = ("xs",)

# 1/sqrt(2) and 1/sqrt(2 pi); erfc, not 1 + erf, so that the left tail keeps its digits.
_GELU_VALUE = "0.5 * x * erfc(-0.7071067811865476 * x)"
_GELU_PARTIAL = "0.5 * erfc(-0.7071067811865476 * x) + 0.3989422804014327 * x * exp(-0.5 * x * x)"

_TABLE = (
    # --- arithmetic
    Op("add", "x + y", ("1", "1"), "sum of two numbers", operands=XY, symbol="+",
       special=((0.0, 0.0), (1e308, 1e308), (1.0, -1.0), (INF, -INF), (INF, 1.0), (NAN, 1.0))),
    Op("sub", "x - y", ("1", "-1"), "difference", operands=XY, symbol="-",
       special=((0.0, 0.0), (1e308, -1e308), (1.0, 1.0), (INF, INF), (NAN, 1.0))),
    Op("mul", "x * y", ("y", "x"), "product", operands=XY, symbol="*",
       special=((0.0, 3.0), (1e200, 1e200), (1e-200, 1e-200), (0.0, INF), (NAN, 0.0))),
    Op("div", "x / y", ("1 / y", "-z / y"), "quotient", operands=XY, symbol="/", kinks=("y",),
       special=((0.0, 2.0), (1.0, 0.0), (-1.0, 0.0), (0.0, 0.0), (1e-200, 1e-200), (1e200, 1e-200), (1.0, INF),
                (INF, INF), (NAN, 1.0))),
    Op("floordiv", "x // y", ("0", "0"), "quotient rounded down, as Python's", operands=XY, symbol="//",
       kinks=("y", "(x % y) * (y - x % y)"),
       special=((7.0, 2.0), (-7.0, 2.0), (7.0, -2.0), (1.0, 0.1), (1.0, 0.0), (0.0, 0.0), (NAN, 2.0))),
    Op("mod", "x % y", ("1", "-(x // y)"), "remainder with the divisor's sign, as Python's", operands=XY, symbol="%",
       kinks=("y", "(x % y) * (y - x % y)"),
       special=((7.5, 2.0), (-7.5, 2.0), (7.5, -2.0), (0.0, 3.0), (1.0, 0.0), (NAN, 2.0))),
    Op("pow", "x ** y", ("y * x ** (y - (y != 0))", "z * log(x + (x == 0) * (y >= 0))"),
       "power", operands=XY, symbol="**",
       textbook=("y * x ** (y - 1)", "z * log(x)"),
       domain=(POSITIVE, REAL), kinks=("x",),
       special=((0.0, 0.0), (0.0, 0.5), (0.0, 1.0), (0.0, 2.0), (0.0, -1.0), (-8.0, 3.0), (-8.0, 2.0), (-8.0, -1.0),
                (-8.0, 1 / 3), (2.0, 0.0), (-2.0, 0.0), (1e200, 2.0), (-1e200, 3.0), (1e-200, 2.0), (1e-200, -2.0),
                (2.0, 0.5), (1.0, NAN), (NAN, 2.0), (INF, 2.0), (2.0, -INF))),
    Op("neg", "-x", ("-1",), "negative", symbol="-", special=(0.0, 1e308, INF, NAN)),
    Op("abs", "abs(x)", ("sign(x)",), "absolute value; the slope at 0 is 0", kinks=("x",),
       special=(0.0, -0.0, 1e-300, -1e300, -INF, NAN)),
    Op("sign", "where(x > 0, 1, where(x < 0, -1, x))", ("0",), "-1, 0 or 1", kinks=("x",),
       special=(0.0, -3.0, INF, NAN)),
    Op("floor", "floor(x)", ("0",), "largest integer that is not larger",
       kinks=("(x - floor(x)) * (floor(x + 1) - x)",),
       special=(0.0, 2.0, -0.5, 1e300, INF, -INF, NAN)),
    Op("ceil", "-floor(-x)", ("0",), "smallest integer that is not smaller",
       kinks=("(x - floor(x)) * (floor(x + 1) - x)",),
       special=(0.0, 2.0, -0.5, 1e300, INF, -INF, NAN)),
    Op("square", "x * x", ("2 * x",), "x squared", special=(0.0, -3.0, 1e200, 1e-200, NAN)),
    Op("reciprocal", "1 / x", ("-z * z",), "1/x", kinks=("x",), special=(0.0, -0.0, 1e200, -1e-200, INF, NAN)),
    Op("sqrt", "sqrt(x)", ("0.5 / z",), "square root; the slope at 0 is inf", domain=POSITIVE, kinks=("x",),
       special=(0.0, 1e-300, 1e300, 4.0, -1.0, INF, NAN)),
    Op("cbrt", "cbrt(x)", ("1 / (3 * z * z)",), "real cube root", kinks=("x",),
       special=(0.0, -27.0, 1e-300, -1e300, INF, NAN)),
    # --- exponentials and logarithms
    Op("exp", "exp(x)", ("z",), "e to the power x", special=(0.0, 1.0, -700.0, 709.0, 1000.0, -1000.0, INF, -INF, NAN)),
    Op("expm1", "expm1(x)", ("exp(x)",), "exp(x) - 1, accurate near 0",
       special=(0.0, 1e-12, -1e-12, -40.0, 709.0, 1000.0, -INF, NAN)),
    Op("log", "log(x)", ("1 / x",), "natural logarithm", domain=POSITIVE, kinks=("x",),
       special=(0.0, 1.0, 1e-300, 1e300, -1.0, INF, NAN)),
    Op("log1p", "log1p(x)", ("1 / (1 + x)",), "log(1 + x), accurate near 0", domain=ABOVE_MINUS_ONE,
       kinks=("1 + x",), special=(0.0, 1e-12, -1e-12, -0.9999999, 1e300, -1.0, -2.0, INF, NAN)),
    Op("log2", "log2(x)", ("1.4426950408889634 / x",), "logarithm to base 2", domain=POSITIVE, kinks=("x",),
       special=(0.0, 1.0, 8.0, 1e-300, -1.0, INF, NAN)),
    Op("log10", "log10(x)", ("0.4342944819032518 / x",), "logarithm to base 10", domain=POSITIVE, kinks=("x",),
       special=(0.0, 1.0, 1000.0, 1e-300, -1.0, INF, NAN)),
    # --- circular and hyperbolic functions
    Op("sin", "sin(x)", ("cos(x)",), "sine of x in radians", special=(0.0, 1.5, -3.0, 1e6, INF, NAN)),
    Op("cos", "cos(x)", ("-sin(x)",), "cosine of x in radians", special=(0.0, 1.5, -3.0, 1e6, INF, NAN)),
    Op("tan", "tan(x)", ("1 + z * z",), "tangent of x in radians", kinks=("cos(x)",),
       special=(0.0, 1.5, 1.5707, -3.0, INF, NAN)),
    Op("asin", "asin(x)", ("1 / sqrt((1 - x) * (1 + x))",), "inverse sine, in radians", domain=UNIT,
       textbook=("1 / sqrt(1 - x ** 2)",),
       kinks=("(1 - x) * (1 + x)",), aliases=("arcsin",),
       special=(0.0, 0.999999999, -0.999999999, 1.0, -1.0, 2.0, NAN)),
    Op("acos", "acos(x)", ("-1 / sqrt((1 - x) * (1 + x))",), "inverse cosine, in radians", domain=UNIT,
       textbook=("-1 / sqrt(1 - x ** 2)",),
       kinks=("(1 - x) * (1 + x)",), aliases=("arccos",),
       special=(0.0, 0.999999999, -0.999999999, 1.0, -1.0, 2.0, NAN)),
    Op("atan", "atan(x)", ("1 / (1 + x * x)",), "inverse tangent, in radians", textbook=("1 / (1 + x ** 2)",),
       aliases=("arctan",),
       special=(0.0, 1e-10, 1e10, -1e200, INF, NAN)),
    Op("sinh", "sinh(x)", ("cosh(x)",), "hyperbolic sine", special=(0.0, 1e-10, 20.0, -700.0, 1000.0, -INF, NAN)),
    Op("cosh", "cosh(x)", ("sinh(x)",), "hyperbolic cosine", special=(0.0, 1e-10, 20.0, -700.0, 1000.0, -INF, NAN)),
    Op("tanh", "tanh(x)", ("4 * sigmoid(2 * x) * sigmoid(-(2 * x))",), "hyperbolic tangent",
       textbook=("1 - z ** 2",),
       quick=("tanh(x)", "where(z * z < 0.98, 1 - z * z, 1 / cosh(x) / cosh(x))"),
       special=(0.0, 1e-10, 20.0, -20.0, 300.0, -1000.0, INF, NAN)),
    Op("asinh", "asinh(x)", ("1 / hypot(x, 1)",), "inverse hyperbolic sine", textbook=("1 / sqrt(x ** 2 + 1)",),
       aliases=("arcsinh",),
       special=(0.0, 1e-10, -1e10, 1e200, INF, NAN)),
    Op("acosh", "acosh(x)", ("1 / (sqrt(x - 1) * sqrt(x + 1))",), "inverse hyperbolic cosine", domain=ABOVE_ONE,
       textbook=("1 / sqrt(x ** 2 - 1)",),
       kinks=("x - 1",), aliases=("arccosh",), special=(1.0, 1.000000001, 1e200, 0.5, INF, NAN)),
    Op("atanh", "atanh(x)", ("1 / ((1 - x) * (1 + x))",), "inverse hyperbolic tangent", domain=UNIT,
       textbook=("1 / (1 - x ** 2)",),
       kinks=("(1 - x) * (1 + x)",), aliases=("arctanh",),
       special=(0.0, 1e-10, 0.999999999, -0.999999999, 1.0, -1.0, 2.0, NAN)),
    Op("atan2", "atan2(x, y)", ("y / hypot(x, y) / hypot(x, y)", "-x / hypot(x, y) / hypot(x, y)"),
       "angle of the point (y, x), in radians: the ordinate comes first, as everywhere", operands=XY,
       textbook=("y / (x ** 2 + y ** 2)", "-x / (x ** 2 + y ** 2)"),
       kinks=("hypot(x, y)", "hypot(x, abs(y) - y)"), aliases=("arctan2",),
       special=((1.0, 1.0), (1.0, -1.0), (-1.0, 0.0), (0.0, 2.0), (1e200, 1e200), (1e-200, 1e-200), (1.0, INF),
                (NAN, 1.0))),
    Op("hypot", "hypot(x, y)", ("x / (z + (z == 0))", "y / (z + (z == 0))"),
       "length of (x, y), without overflow; the slope at the origin is 0", operands=XY, kinks=("z",),
       textbook=("x / z", "y / z"),
       special=((0.0, 0.0), (3.0, 4.0), (1e200, 1e200), (1e-200, 1e-200), (-1.0, 0.0), (INF, 1.0), (NAN, 1.0))),
    # --- special functions
    Op("erf", "erf(x)", ("1.1283791670955126 * exp(-x * x)",), "error function",
       special=(0.0, 1e-10, -1.0, 5.5, 30.0, INF, -INF, NAN)),
    Op("erfc", "erfc(x)", ("-1.1283791670955126 * exp(-x * x)",), "1 - erf(x), accurate for large x",
       special=(0.0, 1e-10, -1.0, 5.5, 26.0, 30.0, INF, -INF, NAN)),
    Op("lgamma", "lgamma(x)", ("digamma(x)",), "logarithm of |gamma(x)|", domain=POSITIVE,
       kinks=("where(x > 0, x, (x - floor(x)) * (floor(x + 1) - x))",),
       special=(0.5, 1.0, 2.0, 1.0 + 1e-9, 1.0 - 1e-14, 2.0 - 1e-9, 2.2, 1.26, 3.0, 10.25, 1e-10, -1e-12, 1e10,
                -2.5, 0.0,
                -3.0, INF, -INF, NAN)),
    Op("digamma", "digamma(x)", ("polygamma(1, x)",), "derivative of lgamma", domain=POSITIVE,
       kinks=("where(x > 0, x, (x - floor(x)) * (floor(x + 1) - x))",),
       special=(0.5, 1.0, 3.0, 10.25, 1e-10, 1e10, -2.5, -20.25, -1e-12, 0.0, -3.0, INF,
                -INF, NAN)),
    Op("polygamma", "polygamma(order, x)", ("nan", "polygamma(order + 1, x)"),
       "derivative of digamma, `order` times (a whole number: there is no derivative in it)", operands=("order", "x"),
       domain=((1.0, 3.0), POSITIVE), kinks=("where(x > 0, x, (x - floor(x)) * (floor(x + 1) - x))",), method=False,
       special=((1.0, 0.5), (1.0, 10.25), (2.0, 3.0), (3.0, 1e-3), (2.0, 1e6), (1.0, -2.5), (2.0, -7.25), (0.0, 2.0),
                (1.0, -3.0), (2.0, -3.0), (1.0, INF), (1.0, -INF), (1.0, NAN))),
    # --- activations
    Op("sigmoid", "where(x >= 0, 1, exp(-abs(x))) / (1 + exp(-abs(x)))",
       ("z * sigmoid(-x)",), "logistic function 1 / (1 + exp(-x))",
       textbook=("z * (1 - z)",), quick=("1 / (1 + exp(-x))", "exp(-x) * z * z"),
       special=(0.0, 20.0, -20.0, 40.0, -700.0, 1000.0, -1000.0, INF, -INF, NAN)),
    Op("log_sigmoid", "where(x < 0, x, 0) - log1p(exp(-abs(x)))", ("sigmoid(-x)",), "log(sigmoid(x)), for any x",
       special=(0.0, 20.0, -20.0, 40.0, -1000.0, 1000.0, INF, -INF, NAN)),
    Op("softplus", "where(x > 0, x, 0) + log1p(exp(-abs(x)))", ("sigmoid(x)",), "log(1 + exp(x)), for any x",
       special=(0.0, 19.0, -20.0, 40.0, -700.0, 1000.0, -1000.0, INF, -INF, NAN)),
    Op("relu", "where(x <= 0, 0, x)", ("where(x <= 0, 0, 1)",), "the positive part; the slope at 0 is 0",
       kinks=("x",), special=(0.0, 1e-300, -1e-300, 5.0, INF, -INF, NAN)),
    Op("leaky_relu", "where(x > 0, x, slope * x)", ("where(x > 0, 1, slope)", "where(x > 0, 0, x)"),
       "x, or slope * x where x is not positive", operands=("x", "slope"), defaults={"slope": 0.01}, kinks=("x",),
       special=((0.0, 0.01), (-3.0, 0.01), (3.0, 0.2), (-1e-300, 0.5), (NAN, 0.01))),
    Op("elu", "where(x > 0, x, alpha * expm1(x))",
       ("where(x > 0, 1, alpha * exp(where(x > 0, 0, x)))", "expm1(where(x > 0, 0, x))"),
       "x, or alpha * (exp(x) - 1) where x is not positive", operands=("x", "alpha"), defaults={"alpha": 1.0},
       kinks=("x",), special=((0.0, 1.0), (-1e-10, 1.0), (-40.0, 1.5), (800.0, 1.0), (-INF, 1.0), (NAN, 1.0))),
    Op("selu", "1.0507009873554805 * where(x > 0, x, 1.6732632423543772 * expm1(x))",
       ("1.0507009873554805 * where(x > 0, 1, 1.6732632423543772 * exp(where(x > 0, 0, x)))",),
       "elu scaled so that layers keep mean 0 and variance 1", kinks=("x",),
       special=(0.0, -1e-10, -40.0, 800.0, -INF, NAN)),
    Op("gelu", _GELU_VALUE, (_GELU_PARTIAL,), "x times the normal distribution function (the exact form)",
       special=(0.0, 1.0, -1.0, -5.5, 20.0, -20.0, 800.0, NAN)),
    Op("silu", "x * sigmoid(x)", ("sigmoid(x) * (1 + x * sigmoid(-x))",), "x * sigmoid(x), also called swish",
       special=(0.0, 1.0, 20.0, -20.0, -700.0, 1000.0, NAN)),
    Op("mish", "x * tanh(softplus(x))",
       ("tanh(softplus(x)) + x * sigmoid(x) * (1 - tanh(softplus(x))) * (1 + tanh(softplus(x)))",),
       "x * tanh(softplus(x))", special=(0.0, 1.0, 19.0, -20.0, -700.0, 1000.0, NAN)),
    Op("softsign", "x / (1 + abs(x))", ("1 / (1 + abs(x)) ** 2",), "x / (1 + |x|)",
       special=(0.0, 1e-10, 20.0, -1e100, NAN)),
    Op("hardtanh", "where(x <= -1, -1, where(x >= 1, 1, x))", ("where(abs(x) >= 1, 0, 1)",),
       "x limited to [-1, 1]; the slope at the corners is 0", kinks=("abs(x) - 1",),
       special=(0.0, 1.0, -1.0, 0.999999, 5.0, -INF, NAN)),
    # --- choices
    Op("maximum", "where(x > y, x, where(x <= y, y, x + y))",
       ("where(x < y, 0, where(x == y, 0.5, 1))", "where(y < x, 0, where(x == y, 0.5, 1))"),
       "the larger of two; a tie shares the gradient", operands=XY, kinks=("x - y",),
       special=((1.0, 2.0), (2.0, 2.0), (0.0, -0.0), (INF, 1.0), (NAN, 1.0), (1.0, NAN))),
    Op("minimum", "where(x < y, x, where(x >= y, y, x + y))",
       ("where(x > y, 0, where(x == y, 0.5, 1))", "where(y > x, 0, where(x == y, 0.5, 1))"),
       "the smaller of two; a tie shares the gradient", operands=XY, kinks=("x - y",),
       special=((1.0, 2.0), (2.0, 2.0), (0.0, -0.0), (-INF, 1.0), (NAN, 1.0), (1.0, NAN))),
    Op("clip", "minimum(maximum(x, low), high)",
       ("where((x < low) + (x > high), 0, 1)", "where((x < low) * (low < high), 1, 0)",
        "where((x > high) + (high < low), 1, 0)"),
       "x limited to [low, high]; at a bound the gradient is x's", operands=("x", "low", "high"),
       defaults={"low": -INF, "high": INF}, kinks=("x - low", "x - high", "low - high"),
       special=((0.5, 0.0, 1.0), (0.0, 0.0, 1.0), (1.0, 0.0, 1.0), (-3.0, 0.0, 1.0), (3.0, 0.0, 1.0), (3.0, 2.0, 1.0),
                (0.0, 2.0, 1.0), (3.0, -INF, 2.0), (3.0, 0.0, INF), (NAN, 0.0, 1.0))),
    Op("where", "where(condition, x, y)", ("0", "where(condition, 1, 0)", "where(condition, 0, 1)"),
       "x where the condition is not zero, else y", operands=("condition", "x", "y"), kinks=("condition",),
       method=False, special=((1.0, 2.0, 3.0), (0.0, 2.0, 3.0), (-1.0, 2.0, NAN), (0.0, INF, 3.0))),
    *(
        Op(name, f"where(x {symbol} y, 1, 0)", ("0", "0"), f"1 where x {symbol} y, else 0", operands=XY, symbol=symbol,
           kinks=("x - y",), method=False, special=((1.0, 2.0), (2.0, 1.0), (2.0, 2.0), (NAN, 1.0), (INF, INF)))
        for name, symbol in (("less", "<"), ("less_equal", "<="), ("greater", ">"), ("greater_equal", ">="),
                             ("equal", "=="), ("not_equal", "!="))
    ),
    # --- any number of operands
    Op("sum", "sum(xs)", ("1",), "sum of any number of values, one node", operands=XS, variadic=True, empty=0.0,
       special=([1.0], [1.0, -1.0, 2.0], [1e308, 1e308], [INF, -INF], [NAN, 1.0])),
    Op("mean", "sum(xs) / n", ("1 / n",), "arithmetic mean", operands=XS, variadic=True,
       special=([1.0], [1.0, -1.0, 2.0], [INF, 1.0], [NAN, 1.0])),
    Op("dot", "dot(xs, ys)", ("y", "x"), "sum of products of two equally long lists, one node", operands=("xs", "ys"),
       variadic=True, empty=0.0,
       special=(([1.0], [2.0]), ([1.0, -1.0, 2.0], [0.5, 3.0, 0.0]), ([1e200, 1.0], [1e200, 1.0]), ([0.0], [INF]),
                ([NAN, 1.0], [1.0, 1.0]))),
    Op("prod", "prod(xs)", ("prod_of_others(xs)",), "product of any number of values", operands=XS, variadic=True,
       empty=1.0,
       special=([3.0], [2.0, 0.0, 3.0], [0.0, 0.0, 3.0], [1e-200, 1e-200, 1e200], [1e200, 1e200, 1e-200],
                [1e300, 0.7, 1e-320],
                [NAN, 0.0])),
    Op("max", "max(xs)", ("(x == z) / sum(xs == z)",), "largest of any number; ties share the gradient equally",
       operands=XS, variadic=True, special=([3.0], [1.0, 2.0, 0.5], [2.0, 2.0, 1.0], [INF, 1.0], [1.0, NAN, 2.0])),
    Op("min", "min(xs)", ("(x == z) / sum(xs == z)",), "smallest of any number; ties share the gradient equally",
       operands=XS, variadic=True, special=([3.0], [1.0, 2.0, 0.5], [0.5, 2.0, 0.5], [-INF, 1.0], [1.0, NAN, 2.0])),
    Op("logsumexp", "logsumexp(xs)", ("shares(xs)",), "log(sum(exp(x))), without overflow", operands=XS,
       variadic=True, empty=-INF, textbook=("exp(x - z)",),
       special=([3.0], [1.0, 2.0, 0.5], [1000.0, 999.0], [0.0, -40.0], [-1000.0, -1000.0], [800.0, 800.0, -800.0],
                [-INF, 1.0], [INF, 1.0], [NAN, 1.0])),
    Op("norm", "norm(xs)", ("x / (z + (z == 0))",),
       "Euclidean length, without overflow; the slope at the origin is 0", operands=XS, variadic=True, empty=0.0,
       textbook=("x / z",),
       special=([-3.0], [3.0, -4.0], [0.0, 0.0], [1e200, 1e200], [1e-200, 1e-200], [INF, 1.0], [INF, NAN], [NAN, 1.0])),
    Op("var", "sum((xs - mean(xs)) ** 2) / n", ("2 * (x - mean(xs)) / n",),
       "variance: the mean squared distance from the mean", operands=XS, variadic=True,
       special=([3.0], [1.0, 2.0, 4.0], [100.0, 101.0, 98.0], [NAN, 1.0])),
)  # fmt: skip

OPS: dict[str, Op] = {op.name: op for op in _TABLE}
"""Every operation by name, in the order of the documentation."""
