"""What other people's mathematics says of every operation: mpmath for truth, PyTorch for conventions.

Both are tables by operation name. `test_ops.py` demands a row in `TRUTH` for every entry of the operation table, so
no operation can be added without being tested.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import mpmath as mp
import pytest

from engine import OPS, Op
from engine.testing import kink_distance

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed: pip install -e '.[torch]'")

DIGITS = {"lgamma": 60, "digamma": 60, "polygamma": 60}
"""Enough for what cancels: tanh(300) is 1 - 1e-260. The gamma family is slow, and does not."""


def _clip(x: Any, low: Any, high: Any) -> Any:
    return min(max(x, low), high)


def _norm(xs: list[Any]) -> Any:
    return mp.sqrt(mp.fsum(x * x for x in xs))


def _var(xs: list[Any]) -> Any:
    mean = mp.fsum(xs) / len(xs)
    return mp.fsum((x - mean) ** 2 for x in xs) / len(xs)


def _lgamma(x: Any) -> Any:
    return mp.log(abs(mp.gamma(x)))


TRUTH: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "floordiv": lambda x, y: mp.floor(x / y),
    "mod": lambda x, y: x - y * mp.floor(x / y),
    "pow": lambda x, y: mp.power(x, y),
    "neg": lambda x: -x,
    "abs": abs,
    "sign": mp.sign,
    "floor": mp.floor,
    "ceil": mp.ceil,
    "square": lambda x: x**2,
    "reciprocal": lambda x: 1 / x,
    "sqrt": mp.sqrt,
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
    "exp": mp.exp,
    "expm1": mp.expm1,
    "log": mp.log,
    "log1p": lambda x: mp.log(1 + x),
    "log2": lambda x: mp.log(x, 2),
    "log10": mp.log10,
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "asin": mp.asin,
    "acos": mp.acos,
    "atan": mp.atan,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "asinh": mp.asinh,
    "acosh": mp.acosh,
    "atanh": mp.atanh,
    "atan2": mp.atan2,
    "hypot": mp.hypot,
    "erf": mp.erf,
    "erfc": mp.erfc,
    "lgamma": _lgamma,
    "digamma": mp.digamma,
    "polygamma": lambda order, x: mp.polygamma(int(order), x),
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "log_sigmoid": lambda x: -mp.log(1 + mp.exp(-x)),
    "softplus": lambda x: mp.log(1 + mp.exp(x)),
    "relu": lambda x: max(x, 0),
    "leaky_relu": lambda x, slope: x if x > 0 else slope * x,
    "elu": lambda x, alpha: x if x > 0 else alpha * mp.expm1(x),
    "selu": lambda x: (
        mp.mpf("1.0507009873554804934193349852946")
        * (x if x > 0 else mp.mpf("1.6732632423543772848170429916717") * mp.expm1(x))
    ),
    "gelu": lambda x: x * mp.erfc(-x / mp.sqrt(2)) / 2,
    "silu": lambda x: x / (1 + mp.exp(-x)),
    "mish": lambda x: x * mp.tanh(mp.log(1 + mp.exp(x))),
    "softsign": lambda x: x / (1 + abs(x)),
    "hardtanh": lambda x: _clip(x, -1, 1),
    "maximum": max,
    "minimum": min,
    "clip": _clip,
    "where": lambda condition, x, y: x if condition else y,
    "less": lambda x, y: mp.mpf(x < y),
    "less_equal": lambda x, y: mp.mpf(x <= y),
    "greater": lambda x, y: mp.mpf(x > y),
    "greater_equal": lambda x, y: mp.mpf(x >= y),
    "equal": lambda x, y: mp.mpf(x == y),
    "not_equal": lambda x, y: mp.mpf(x != y),
    "sum": mp.fsum,
    "mean": lambda xs: mp.fsum(xs) / len(xs),
    "dot": lambda xs, ys: mp.fsum(x * y for x, y in zip(xs, ys, strict=True)),
    "prod": mp.fprod,
    "max": max,
    "min": min,
    "logsumexp": lambda xs: mp.log(mp.fsum(mp.exp(x) for x in xs)),
    "norm": _norm,
    "var": _var,
}


def _torch_table() -> dict[str, Callable[..., Any]]:
    if torch is None:
        return {}
    F = torch.nn.functional
    same = (
        "abs sign floor ceil square reciprocal sqrt exp expm1 log log1p log2 log10 sin cos tan asin acos atan sinh "
        "cosh tanh asinh acosh atanh atan2 hypot erf erfc lgamma digamma sigmoid maximum minimum sum mean dot prod"
    )
    return {name: getattr(torch, name) for name in same.split()} | {
        "add": torch.add,
        "sub": torch.sub,
        "mul": torch.mul,
        "div": torch.div,
        "floordiv": lambda x, y: torch.div(x, y, rounding_mode="floor"),
        "mod": torch.remainder,
        "pow": torch.pow,
        "neg": torch.neg,
        "polygamma": lambda order, x: torch.polygamma(int(order), x),
        "log_sigmoid": F.logsigmoid,
        "softplus": lambda x: F.softplus(x, threshold=700),
        "relu": torch.relu,
        "leaky_relu": lambda x, slope: F.leaky_relu(x, float(slope.detach())),
        "elu": lambda x, alpha: F.elu(x, float(alpha.detach())),
        "selu": F.selu,
        "gelu": F.gelu,
        "silu": F.silu,
        "mish": F.mish,
        "softsign": F.softsign,
        "hardtanh": F.hardtanh,
        "clip": torch.clamp,
        "where": lambda condition, x, y: torch.where(condition != 0, x, y),
        "less": lambda x, y: (x < y).double(),
        "less_equal": lambda x, y: (x <= y).double(),
        "greater": lambda x, y: (x > y).double(),
        "greater_equal": lambda x, y: (x >= y).double(),
        "equal": lambda x, y: (x == y).double(),
        "not_equal": lambda x, y: (x != y).double(),
        "max": torch.amax,
        "min": torch.amin,
        "logsumexp": lambda xs: torch.logsumexp(xs, 0),
        "norm": lambda xs: torch.linalg.vector_norm(xs),
        "var": lambda xs: torch.var(xs, correction=0),
    }


TORCH = _torch_table()
NOT_IN_TORCH = {"cbrt"}


def ordinary_points(op: Op, count: int = 12) -> Iterator[tuple[Any, ...]]:
    """Operands drawn from the domain, away from kinks; the same ones on every run."""
    generator = random.Random(op.name)

    def draw(low: float, high: float) -> float:
        return generator.uniform(max(low, -6.0), min(high, 6.0))

    while count:
        if op.variadic:
            size = generator.randint(2, 7)
            yield tuple([draw(*interval) for _ in range(size)] for interval in op.domain)
            count -= 1
            continue
        operands = tuple(draw(*interval) for interval in op.domain)
        if op.name == "polygamma":
            operands = (float(round(operands[0])), operands[1])
        if kink_distance(op, *operands) > 0.05:
            yield operands
            count -= 1


def flat(operands: tuple[Any, ...]) -> list[float]:
    """Operands in the order of a node's parents: two lists one after the other."""
    return [number for part in operands for number in (part if isinstance(part, list) else [part])]


def unflat(op: Op, numbers: list[Any]) -> tuple[Any, ...]:
    """The inverse of `flat`."""
    if not op.variadic:
        return tuple(numbers)
    size = len(numbers) // len(op.operands)
    return tuple(numbers[k : k + size] for k in range(0, len(numbers), size))


def true_value(op: Op, operands: tuple[Any, ...]) -> float:
    """The result for finite operands at 60 digits, rounded; nan where there is no real one, inf at a pole."""
    with mp.workdps(DIGITS.get(op.name, 700)):
        try:
            exact = [mp.mpf(number) for number in flat(operands)]
            return _rounded(TRUTH[op.name](*unflat(op, exact)))
        except (ValueError, ZeroDivisionError):
            return math.nan


def true_partial(op: Op, operands: tuple[Any, ...], k: int) -> float:
    """The derivative in operand k at 60 digits, by mpmath's numerical differentiation, rounded.

    The operand moves in proportion to itself, so that huge and tiny ones are resolved alike.
    """
    digits = DIGITS.get(op.name, 700)
    with mp.workdps(2 * digits):
        exact = [mp.mpf(number) for number in flat(operands)]
        scale = exact[k] or mp.mpf(1)

        def along(t: Any) -> Any:
            moved = [*exact[:k], exact[k] + scale * t, *exact[k + 1 :]]
            return TRUTH[op.name](*unflat(op, moved))

        return _rounded(mp.diff(along, mp.mpf(0), h=mp.mpf(10) ** -(digits // 2)) / scale)


def _rounded(number: Any) -> float:
    if isinstance(number, mp.mpc):
        return float(number.real) if number.imag == 0 else math.nan
    return float(number)


def torch_value_and_partials(op: Op, operands: tuple[Any, ...]) -> tuple[float, list[float]]:
    """PyTorch's result and gradients in float64; nan for an operand it does not differentiate."""
    leaves = [torch.tensor(part, dtype=torch.float64, requires_grad=True) for part in operands]
    result = TORCH[op.name](*leaves)
    partials: list[float] = []
    if result.requires_grad:
        result.backward()
    for leaf in leaves:
        missing = torch.full_like(leaf, math.nan)
        partials += (missing if leaf.grad is None else leaf.grad).reshape(-1).tolist()
    return result.item(), partials


def close(got: float, want: float, relative: float, absolute: float = 0.0) -> bool:
    """Equal, both nan, or as near as asked; below the normal range one unit of the last place is always near."""
    if math.isnan(want) or math.isinf(want) or math.isnan(got):
        return got == want or (math.isnan(got) and math.isnan(want))
    return abs(got - want) <= relative * abs(want) + absolute + 5e-324


ALL_OPS = pytest.mark.parametrize("op", list(OPS.values()), ids=list(OPS))
