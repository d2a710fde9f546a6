"""`Value` as a number: what it accepts, its operators and free functions, and how it meets Python and NumPy."""

from __future__ import annotations

import fractions
import math
import operator
from typing import Any

import numpy as np
import pytest

from engine import Value, functions
from engine.ops import CONSTANT


@pytest.mark.parametrize(
    "number", [2, 2.0, True, np.float64(2), np.float32(2), np.int64(2), np.bool_(True), fractions.Fraction(2)]
)
def test_real_numbers_are_accepted_and_become_floats(number: Any) -> None:
    for value in (Value(number), Value(1.0) * number, number * Value(1.0)):
        assert type(value.data) is float
        assert value.data == float(number)


@pytest.mark.parametrize(
    "thing",
    [
        "2",
        None,
        2j,
        [2.0],
        np.array([1.0, 2.0]),
        np.array(2.0),
        {},
        object(),
        b"2",
        Value,
        np.complex128(2),
        np.timedelta64(5, "s"),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_anything_else_is_an_error_that_says_what_it_got(thing: Any) -> None:
    with pytest.raises(TypeError, match=f"one real number; got {type(thing).__name__}.*; pass"):
        Value(thing)
    with pytest.raises(TypeError, match="got"):
        functions.exp(thing)
    with pytest.raises(TypeError, match="got"):
        functions.sum([Value(1.0), thing])


def test_strings_and_none_do_not_add_up() -> None:
    for thing in ("a", None, [1.0]):
        with pytest.raises(TypeError, match="unsupported operand"):
            Value(1.0) + thing  # type: ignore[operator]
        with pytest.raises(TypeError, match="unsupported operand"):
            thing - Value(1.0)  # type: ignore[operator]
    with pytest.raises(TypeError):
        assert Value(1.0) < "a"  # type: ignore[operator]


def test_an_integer_that_no_float_can_hold() -> None:
    with pytest.raises(OverflowError, match="a number too large for a float; got one of 13288 bits; use"):
        Value(10**4000)
    with pytest.raises(OverflowError):
        Value(1.0) * 10**4000


def test_a_value_in_a_value_is_refused() -> None:
    x = Value(2.0)
    for wrong in (
        lambda: Value(x),
        lambda: x.backward(x),
        lambda: setattr(x, "grad", x),
        lambda: setattr(x, "data", x),
    ):
        with pytest.raises(
            TypeError, match=r"a Value cannot hold another; got Value.*; use it as it is, its .data, or"
        ):
            wrong()


class Masked:
    """An array of NumPy's that has `_data`, as our nodes have."""

    _data = np.ones(2)


def test_foreign_objects_with_data_are_refused() -> None:
    for function in (functions.sum, functions.max, functions.logsumexp):
        with pytest.raises(TypeError, match="one real number; got Masked"):
            function([Masked()])  # type: ignore[list-item]


def test_operators_with_numbers_on_either_side() -> None:
    x = 2.5
    for symbol in (
        operator.add,
        operator.sub,
        operator.mul,
        operator.truediv,
        operator.pow,
        operator.floordiv,
        operator.mod,
    ):
        for number in (3, 0.5):
            assert symbol(Value(x), number).data == symbol(x, number)
            assert symbol(number, Value(x)).data == symbol(number, x)
            assert symbol(Value(x), Value(number)).data == symbol(x, number)
    v = Value(x)
    assert +v is v
    assert (-v).data == -x
    assert abs(Value(-x)).data == x
    w = v
    w += 1
    assert v.data == x, "+= rebinds"
    assert w.parents[0] is v


def test_comparisons_compare_data_and_equality_is_identity() -> None:
    a, b = Value(1.0), Value(2.0)
    assert a < b and a <= b and b > a and b >= a and a < 2 and a > 0 and not a > b and a <= 1
    assert a != Value(1.0)
    assert a == a
    assert len({a, Value(1.0)}) == 2
    assert max([a, b]) is b
    assert not Value(math.nan) < 1


def test_leaving_the_graph() -> None:
    v = Value(-2.5)
    assert (float(v), int(v), round(v), round(Value(2.345), 2)) == (-2.5, -2, -2, round(2.345, 2))
    assert (math.floor(v), math.ceil(v), math.trunc(v)) == (-3, -2, -2)
    assert v
    assert not Value(0.0)
    assert v.detach().is_constant
    assert v.detach().data == v.data


def test_numbers_alone_give_a_constant() -> None:
    assert functions.exp(0).op is CONSTANT
    assert functions.sum([1, 2]).op is CONSTANT
    assert functions.maximum(1, 2.0).op is CONSTANT


def test_variadic_functions_take_any_iterable() -> None:
    x = Value(3.0)
    assert functions.sum(x * i for i in range(3)).data == 9.0
    assert functions.sum({x: 1}).data == 3.0
    assert functions.max((x, 1)).partials == (1.0, 0.0)
    assert functions.dot(iter([x, 2]), np.array([1.0, 2.0])).data == 7.0
    assert functions.sum([]).data == 0.0
    assert functions.prod([]).data == 1.0
    assert functions.dot([], []).data == 0.0
    assert functions.logsumexp([]).data == -math.inf
    for name in ("max", "min", "mean", "var"):
        with pytest.raises(
            ValueError, match=f"{name} of no operands has no value; got an empty list; pass at least one"
        ):
            getattr(functions, name)([])
    with pytest.raises(ValueError, match=r"dot takes lists of equal length; got lengths 1 and 2; give each"):
        functions.dot([x], [1.0, 2.0])
    with pytest.raises(ValueError, match="equal length; got lengths 0 and 1"):
        functions.dot([], [x])
    with pytest.raises(TypeError, match=r"sum takes an iterable of values and numbers; got Value.*; write sum\(\[a, b"):
        functions.sum(x)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        functions.sum(1 / i for i in (1, 0))


def test_softmax_and_its_gradient() -> None:
    xs = [Value(1000.0), Value(999.0), Value(-1000.0)]
    ps = functions.softmax(xs)
    assert sum(p.data for p in ps) == pytest.approx(1.0, abs=1e-12)
    ps[0].backward()
    p = [v.data for v in ps]
    assert [x.grad for x in xs] == pytest.approx([p[0] * (1 - p[0]), -p[0] * p[1], 0.0])
    assert [v.data for v in functions.log_softmax([0.0, 0.0])] == [-math.log(2)] * 2


def test_functions_module_lists_and_refuses() -> None:
    assert {"exp", "softmax", "dot"} <= set(dir(functions))
    with pytest.raises(AttributeError, match="no attribute 'expo'"):
        functions.expo  # type: ignore[attr-defined]  # noqa: B018


def test_free_functions_of_operators_refuse_what_is_no_number() -> None:
    for name in ("add", "sub", "mul", "div", "pow", "floordiv", "mod"):
        for operands in ((Value(1.0), "a"), ("a", Value(1.0)), (1.0, "a")):
            with pytest.raises(TypeError):
                getattr(functions, name)(*operands)


# --- NumPy


def test_numpy_arrays_of_values() -> None:
    rows = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]], dtype=object)
    column = np.array([Value(1.0), Value(-1.0)], dtype=object)
    product = rows @ column
    assert [v.data for v in product] == [-1.0, -1.0]
    loss = (np.tanh(product) * 2 + np.exp(column)).sum()
    loss.backward()
    assert rows[0, 0].grad == pytest.approx(2 * (1 - math.tanh(-1) ** 2))
    assert [v.data for v in np.arcsin(np.array([Value(0.5)], dtype=object))] == [math.asin(0.5)]
    assert np.array([Value(1.0), Value(2.0)]).dtype == object


def test_numpy_scalars_and_arrays_on_either_side() -> None:
    v = Value(3.0)
    for result in (
        np.float64(2) * v,
        v * np.float64(2),
        np.float32(2) * v,
        np.int64(2) * v,
        np.array(2.0) * v,
        v * np.array(2.0),
    ):
        assert isinstance(result, Value)
        assert result.data == 6.0
    for result in (v + np.array([1.0, 2.0]), np.array([1.0, 2.0]) + v):
        assert isinstance(result, np.ndarray)
        assert result.dtype == object
        assert [type(item) for item in result] == [Value, Value]
        assert [item.data for item in result] == [4.0, 5.0]
    assert np.exp(v).op.name == "exp"
    assert not np.float64(2) > v
    array = np.array([v, v], dtype=object)
    array += v
    assert [item.data for item in array] == [6.0, 6.0]


def test_numpys_functions_are_the_tables() -> None:
    v = Value(2.0)
    both = np.maximum(v, v * 1.0)
    both.backward()
    assert v.grad == 1.0
    assert both.op.name == "maximum"
    assert np.hypot(3.0, Value(4.0)).data == 5.0
    assert np.arctan2(1.0, Value(1.0)).data == math.atan2(1.0, 1.0)
    assert np.isnan(float(np.floor(Value(math.nan))))
    row = np.minimum(np.array([1.0, 3.0]), v)
    assert [item.data for item in row] == [1.0, 2.0]
    assert all(isinstance(item, Value) for item in row)
    assert isinstance(np.multiply.outer(np.array([1.0, 2.0]), v), np.ndarray)
    assert np.less(v, 3.0)
