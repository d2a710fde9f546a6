"""Every operation, at ordinary, special and kink points, against mpmath, PyTorch and finite differences."""

from __future__ import annotations

import math
from typing import Any

import pytest
from oracles import (
    ALL_OPS,
    NOT_IN_TORCH,
    TORCH,
    TRUTH,
    close,
    flat,
    needs_torch,
    ordinary_points,
    torch_value_and_partials,
    true_partial,
    true_value,
    unflat,
)

from engine import OPS, Op, Value, functions
from engine.floats import IEEE
from engine.rules import evaluator, expand, parse, spell
from engine.testing import kink_distance


def _compute(op: Op, operands: tuple[Any, ...]) -> tuple[float, list[float]]:
    """Value and partials as a user gets them: free function on Values, gradients by backward()."""
    leaves = [Value(number) for number in flat(operands)]
    node = getattr(functions, op.name)(*unflat(op, leaves))
    assert list(node.parents) == leaves
    assert node.op is op
    node.backward()
    assert [leaf.grad for leaf in leaves] == pytest.approx(list(node.partials), rel=0, abs=0, nan_ok=True)
    return node.data, list(node.partials)


def _is_ordinary(op: Op, operands: tuple[Any, ...], k: int) -> bool:
    """Whether truth has one derivative in operand k there."""
    numbers = flat(operands)
    if not all(map(math.isfinite, numbers)) or math.isnan(true_value(op, operands)):
        return False
    if op.name in ("max", "min"):
        return sum(number == evaluator(op)(numbers)[0] for number in numbers) == 1
    if op.name == "norm":
        return any(numbers)
    if op.name == "polygamma":
        return k == 1
    if op.name == "pow" and k == 0 and operands[0] < 0:
        return operands[1] == int(operands[1])
    if op.name == "pow" and k == 1 and operands[0] <= 0:
        return False  # x ** y is complex beside a whole exponent
    try:
        return kink_distance(op, *operands) > 0.0
    except ArithmeticError:
        return False


def test_every_operation_has_an_oracle() -> None:
    assert set(TRUTH) == set(OPS)
    if TORCH:
        assert set(TORCH) | NOT_IN_TORCH == set(OPS)


@ALL_OPS
def test_value_and_partials_are_the_truth(op: Op) -> None:
    compared = 0
    for operands in [*ordinary_points(op), *op.special]:
        value, partials = _compute(op, operands)
        if all(map(math.isfinite, flat(operands))) and not (value != value and kink_distance(op, *operands) == 0):
            pole = math.isinf(value) and not op.variadic and kink_distance(op, *operands) == 0
            want = true_value(op, operands)
            assert pole or close(value, want, 1e-13), f"{op.name}{operands} is {want!r}, not {value!r}"
        for k, partial in enumerate(partials):
            if _is_ordinary(op, operands, k):
                want = true_partial(op, operands, k)
                assert close(partial, want, 1e-13), f"{op.name}{operands}, partial {k} is {want!r}, not {partial!r}"
                compared += 1
    assert compared >= 12, "the points of this operation test next to nothing"


# Where PyTorch answers otherwise, and why we do not follow: (operation, operands) -> reason.
IEEE_NAMES = {f"_{name}": function for name, function in IEEE.items()} | {"nan": math.nan, "inf": math.inf}
_CANCELS = "1 - x*x loses digits in PyTorch; mpmath agrees with us"
_OVERFLOWS = "an intermediate result over- or underflows in PyTorch; mpmath agrees with us"
UNLIKE_TORCH = {
    "asin(0.999999999,)": _CANCELS,
    "asin(-0.999999999,)": _CANCELS,
    "acos(0.999999999,)": _CANCELS,
    "acos(-0.999999999,)": _CANCELS,
    "atanh(0.999999999,)": _CANCELS,
    "atanh(-0.999999999,)": _CANCELS,
    "acosh(1.000000001,)": _CANCELS,
    "atan2(1e-200, 1e-200)": _OVERFLOWS,
    "atan2(1e+200, 1e+200)": _OVERFLOWS,
    "prod([1e-200, 1e-200, 1e+200],)": _OVERFLOWS,
    "prod([1e+200, 1e+200, 1e-200],)": _OVERFLOWS,
    "norm([1e+200, 1e+200],)": _OVERFLOWS,
    "norm([1e-200, 1e-200],)": _OVERFLOWS,
    "digamma(-3.0,)": "PyTorch's trigamma is 7e31 at its poles, not inf",
    "polygamma(1.0, -3.0)": "the same",
    "polygamma(2.0, -3.0)": "a pole between -inf and inf: nan here, a huge number there",
    "polygamma(1.0, inf)": "0 is the limit; PyTorch has nan",
    "polygamma(1.0, -inf)": "no limit; PyTorch has a number",
}
TORCH_IS_COARSE = {"digamma": 1e-9, "polygamma": 1e-9}
"""Its trigamma has ten digits."""


@needs_torch
@ALL_OPS
def test_value_and_partials_are_pytorchs(op: Op) -> None:
    if op.name in NOT_IN_TORCH:
        pytest.skip("PyTorch has no such operation")
    relative = TORCH_IS_COARSE.get(op.name, 1e-12)
    for operands in [*ordinary_points(op), *op.special]:
        where = f"{op.name}{operands}"
        if where in UNLIKE_TORCH or any(map(math.isnan, flat(operands))):
            continue  # nan has a test of its own: PyTorch hides some
        value, partials = _compute(op, operands)
        want, wanted_partials = torch_value_and_partials(op, operands)
        assert close(value, want, relative, 1e-15), f"{where} is {want!r} in PyTorch, not {value!r}"
        for k, (partial, wanted) in enumerate(zip(partials, wanted_partials, strict=True)):
            if not math.isnan(wanted):
                assert close(partial, wanted, relative, 1e-15), (
                    f"{where}[{k}] is {wanted!r} in PyTorch, not {partial!r}"
                )


@ALL_OPS
def test_partials_equal_finite_differences(op: Op) -> None:
    """Four-point central differences: nobody's calculus."""
    step = 1e-3
    for operands in ordinary_points(op):
        _, partials = _compute(op, operands)
        numbers = flat(operands)
        for k, partial in enumerate(partials):
            if op.name == "polygamma" and k == 0:
                assert math.isnan(partial)
                continue

            def at(offset: float, k: int = k, numbers: list[float] = numbers) -> float:
                moved = [*numbers[:k], numbers[k] + offset, *numbers[k + 1 :]]
                return evaluator(op)(*unflat(op, moved))[0]

            slope = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step)
            largest = max(abs(at(step)), abs(partial), 1.0)
            assert close(partial, slope, 1e-5, 1e-6 * largest), f"{op.name}{operands}: partial {k}"


@ALL_OPS
def test_textbook_formulas_are_the_same_derivative(op: Op) -> None:
    for operands in ordinary_points(op):
        value, partials = _compute(op, operands)
        names = {**IEEE_NAMES, **dict(zip(op.operands, operands, strict=True)), "z": value}
        if op.variadic:
            names |= {"n": len(operands[0]), "x": operands[0][0], "y": operands[-1][0]}
        step = len(partials) // len(op.operands)
        for text, partial in zip(op.textbook, partials[::step], strict=True):
            got = eval(spell(expand(parse(op, text), {}), "ieee", {}), dict(names))
            got = got[0] if isinstance(got, list) else got
            assert close(partial, got, 1e-9, 1e-12), f"{op.name}{operands}: {text}"


@ALL_OPS
def test_every_way_to_call_it_agrees(op: Op) -> None:
    """Method, function, operator, Values and numbers mixed, IEEE evaluator: the same numbers to the last bit."""
    for operands in [*ordinary_points(op), *op.special]:
        value, partials = _compute(op, operands)
        ieee_value, ieee_partials = evaluator(op)(*operands)
        assert close(value, ieee_value, 0.0)
        assert all(map(close, partials, ieee_partials, [0.0] * len(partials)))
        numbers = flat(operands)
        all_numbers = getattr(functions, op.name)(*operands)
        assert all_numbers.is_constant
        assert close(all_numbers.data, value, 0.0)
        for k in range(len(numbers)):
            mixed: list[Any] = [*numbers[:k], Value(numbers[k]), *numbers[k + 1 :]]
            node = getattr(functions, op.name)(*unflat(op, mixed))
            assert close(node.data, value, 0.0)
            assert close(node.partials[k], partials[k], 0.0)
            assert [p for i, p in enumerate(node.partials) if i != k] == [0.0] * (len(numbers) - 1)
            assert [parent.is_constant for parent in node.parents] == [i != k for i in range(len(numbers))]


@ALL_OPS
def test_nan_is_never_hidden(op: Op) -> None:
    for k in range(len(op.operands)):
        if op.variadic:
            parts = [[1.0, 2.0] for _ in op.operands]
            parts[k] = [1.0, math.nan]
        elif (op.name == "where" and k == 0) or op.name in ("hypot", "pow"):
            continue  # IEEE: hypot(inf, nan) is inf, 1 ** nan and nan ** 0 are 1; a nan condition is not zero
        else:
            parts = [-1.5] * len(op.operands)  # type: ignore[list-item]
            parts[k] = math.nan  # type: ignore[call-overload]
        if op.name == "where" and k == 2:
            parts[0] = 0.0  # type: ignore[call-overload]
        value = evaluator(op)(*parts)[0]
        comparison = op.symbol in ("<", "<=", ">", ">=", "==", "!=")
        assert math.isnan(value) or comparison, f"{op.name}{tuple(parts)} is {value}"


@pytest.mark.parametrize(
    ("name", "operands", "partials"),
    [
        ("relu", (0.0,), [0.0]),
        ("abs", (0.0,), [0.0]),
        ("sqrt", (0.0,), [math.inf]),
        ("maximum", (2.0, 2.0), [0.5, 0.5]),
        ("minimum", (2.0, 2.0), [0.5, 0.5]),
        ("max", ([2.0, 2.0, 1.0, 2.0],), [1 / 3, 1 / 3, 0.0, 1 / 3]),
        ("min", ([1.0, 2.0, 1.0],), [0.5, 0.0, 0.5]),
        ("hypot", (0.0, 0.0), [0.0, 0.0]),
        ("norm", ([0.0, 0.0],), [0.0, 0.0]),
        ("pow", (0.0, 0.0), [0.0, 0.0]),
        ("hardtanh", (1.0,), [0.0]),
        ("clip", (1.0, 0.0, 1.0), [1.0, 0.0, 0.0]),
        ("leaky_relu", (0.0, 0.01), [0.01, 0.0]),
        ("prod", ([0.0, 2.0, 3.0],), [6.0, 0.0, 0.0]),
        ("sign", (0.0,), [0.0]),
    ],
)
def test_kinks_follow_the_stated_conventions(name: str, operands: tuple[Any, ...], partials: list[float]) -> None:
    assert _compute(OPS[name], operands)[1] == partials
    assert _compute(OPS["pow"], (0.0, 0.0))[0] == 1.0


def test_polygamma_needs_a_whole_order() -> None:
    for order in (1.5, -1.0, 101.0, math.nan):
        assert math.isnan(evaluator(OPS["polygamma"])(order, 2.0)[0])
