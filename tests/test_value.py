"""`Value`: what it accepts, what it shows, `backward()`, and how it meets Python and NumPy."""

from __future__ import annotations

import copy
import fractions
import linecache
import math
import operator
import pickle
import random
import traceback
from typing import Any

import numpy as np
import pytest

import engine
from engine import OPS, AnomalyError, Op, Value, constant, detect_anomaly, functions
from engine.formulas import operand_names, partial_formulas, value_formula
from engine.graph import consumers, leaves, topological_order
from engine.ops import CONSTANT, LEAF, find


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


def test_attributes() -> None:
    a, b = Value(2, label="a"), Value(-3.0)
    e = a * b
    assert (a.data, a.grad, a.op, a.parents, a.partials, a.label, a.source) == (2.0, 0.0, LEAF, (), (), "a", None)
    assert (e.op.name, e.parents, e.partials) == ("mul", (a, b), (-3.0, 2.0))
    a.data = np.float64(5)
    a.grad = 1
    assert (type(a.data), a.data, a.grad) == (float, 5.0, 1.0)
    assert e.partials == (-3.0, 2.0), "what was recorded stays"
    a.label = None
    assert a.label is None
    with pytest.raises(AttributeError, match="computed node cannot be set.*set the data of the leaves"):
        e.data = 1.0
    with pytest.raises(TypeError, match="one real number"):
        a.data = "1"  # type: ignore[assignment]
    with pytest.raises(TypeError, match="one real number"):
        a.grad = None  # type: ignore[assignment]
    with pytest.raises(TypeError, match="label must be a string; got 3; use label='3'"):
        Value(1.0, label=3)  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        a.colour = "red"  # type: ignore[attr-defined]


def test_repr() -> None:
    a = Value(2.0, label="a")
    assert repr(a) == "Value(2.0, grad=0.0, label='a')"
    e = a * 3
    e.label = "e"
    assert repr(e) == "Value(6.0, grad=0.0, op='mul', label='e')"
    assert repr(e.parents[1]) == "Value(3.0, constant)"
    e.parents[1].label = "three"
    assert repr(e.parents[1]) == "Value(3.0, constant, label='three')"
    assert f"{a:.2f}" == "2.00"
    assert f"{a}" == repr(a)


def test_describe() -> None:
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    with engine.record_source():
        q = a / b
    assert q.describe().splitlines()[2].startswith("  made at   " + __file__)
    assert a.describe() == "a = 2.0, a variable: a Value that somebody made from a number\n  gradient  0.0"
    assert constant(2).describe().startswith("z = 2.0, a number that entered an expression")
    assert (b * 2).describe().endswith("2 is a constant")
    many = functions.dot([Value(float(i)) for i in range(20)], [Value(1.0)] * 20).describe()
    assert "... 31 more ..." in many
    assert many.count("\n") == 2 + 9
    assert "dz/dx1 = y1 = 1.0   x1 = 0.0" in many
    assert "dz/dy20 = x20 = 19.0   y20 = 1.0" in many


def test_formulas() -> None:
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    assert value_formula(-a) == "-a"
    assert value_formula(abs(a)) == "abs(a)"
    assert value_formula(a - 2) == "a - 2"
    assert value_formula(functions.sum([a] * 9)) == "sum(a, a, a, ..., a, a)"
    assert partial_formulas(a**b, "p") == ["b * a ** (b - 1)", "p * log(a)"]
    assert partial_formulas(functions.mean([a, b])) == ["1 / 2", "1 / 2"]
    assert partial_formulas(functions.max([a, Value(0.0)])) == [
        "(a == z) / sum(x1..x2 == z)",
        "(x2 == z) / sum(x1..x2 == z)",
    ]
    assert operand_names(a * Value(1.0)) == ["a", "y"]


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
    assert (float(v), int(v), round(v), round(Value(2.345), 2)) == (
        -2.5,
        -2,
        -2,
        2.35 if round(2.345, 2) == 2.35 else 2.34,
    )
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


# --- backward


def test_backward_of_a_leaf_and_with_an_upstream_gradient() -> None:
    x = Value(2.0)
    x.backward()
    x.backward(2)
    assert x.grad == 3.0
    y = x * x
    y.backward(upstream=0.5)
    assert (x.grad, y.grad) == (5.0, 0.5)
    for wrong in ("1", None, [1.0], np.ones(2)):
        with pytest.raises(TypeError, match="one real number"):
            y.backward(wrong)  # type: ignore[arg-type]


def test_backward_of_a_constant_is_an_error() -> None:
    with engine.no_grad():
        loss = Value(2.0) * 3
    with pytest.raises(RuntimeError, match=r"no graph to go back.*got Value\(6.0, constant\); compute it from Values"):
        loss.backward()


def test_constants_never_have_a_gradient() -> None:
    x = Value(-2.0)
    for y in (x**2, x * 3, 1 / x, x * x.detach(), functions.where(1, x, 2), functions.max([x, 5])):
        y.backward()
        assert [p.grad for p in y.parents if p.is_constant]
        assert all(p.grad == 0.0 for p in y.parents if p.is_constant)


def test_a_zero_gradient_times_an_infinite_partial_is_nan_not_skipped() -> None:
    x, w = Value(math.inf), Value(1.0)
    (functions.dot([w, 1.0, w], [x, 2.0, 3.0]) * 0.0).backward()
    assert math.isnan(w.grad)
    y = Value(1.0)
    (functions.sum([y, y, y]) * 0.0).backward()
    assert y.grad == 0.0


def test_zero_grad() -> None:
    x = Value(2.0)
    y = x * x
    z = y + x
    z.backward()
    z.zero_grad()
    assert (x.grad, y.grad, z.grad) == (0.0, 0.0, 0.0)


def test_an_interrupted_backward_leaves_the_leaves_as_they_were() -> None:
    x, w = Value(0.0), Value(3.0)
    x.grad = w.grad = 7.0
    y = functions.sqrt(x * w) * w
    with detect_anomaly(), pytest.raises(AnomalyError):
        y.backward()
    assert (x.grad, w.grad) == (7.0, 7.0)


# --- graph


def test_topological_order_visits_left_to_right_and_once() -> None:
    a, b = Value(1.0, label="a"), Value(2.0, label="b")
    c = a * b
    d = c + c
    assert topological_order(d) == [a, b, c, d]
    assert topological_order(b, d) == [b, a, c, d]
    assert topological_order() == []
    assert list(leaves(d)) == [a, b]
    assert consumers([a, b, c, d]) == {a: [c], b: [c], c: [d, d], d: []}


def test_operations_are_found_by_name() -> None:
    assert find("tanh") is OPS["tanh"]
    assert find("leaf") is LEAF
    assert find("constant") is CONSTANT
    with pytest.raises(KeyError):
        find("nothing")
    assert repr(OPS["mul"]) == "<Op mul: x * y>"
    for op in (OPS["mul"], LEAF):
        assert pickle.loads(pickle.dumps(op)) is copy.deepcopy(op) is op
    assert isinstance(OPS["mul"], Op)


# --- generated code


def test_generated_code_shows_in_tracebacks_and_debuggers() -> None:
    tanh = Value.tanh
    assert tanh.__qualname__ == "Value.tanh"
    source = linecache.getlines(tanh.__code__.co_filename)
    assert source[0] == "def tanh(self):\n"
    assert any("_tanh(x)" in line for line in source)
    assert tanh.__doc__ is not None
    assert "hyperbolic tangent" in tanh.__doc__
    try:
        functions.sum(1 / i for i in (1, 0))
    except ZeroDivisionError as error:
        text = "".join(traceback.format_exception(error))
    assert "listed(xs, OP_sum)" in text


# --- labels


def test_label_names_everything_in_sight() -> None:
    a, known = Value(1.0), Value(2.0, label="known")
    nested: dict[str, Any] = {"w": [Value(3.0)], "n": 3, "text": "x"}
    nested["self"] = nested
    engine.label(a=a, other=known, nested=nested)
    assert (a.label, known.label, nested["w"][0].label) == ("a", "known", "nested.w.0")


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
    assert (np.float64(2) > v) is False or not (np.float64(2) > v)
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


class Masked:
    """An array of NumPy's that has `_data`, as our nodes have."""

    _data = np.ones(2)


def test_foreign_objects_with_data_are_refused() -> None:
    for function in (functions.sum, functions.max, functions.logsumexp):
        with pytest.raises(TypeError, match="one real number; got Masked"):
            function([Masked()])  # type: ignore[list-item]


class Parameter(Value):
    """A subclass, as a user may write one."""

    __slots__ = ()


class Tagged(Value):
    """A subclass with attributes of its own."""


def test_a_subclass_keeps_its_attributes() -> None:
    t = Tagged(2.0)
    t.tag = "x"  # type: ignore[attr-defined]
    y = t * 2
    for again in (copy.copy, copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))):
        assert again(t).tag == "x"
        assert again(y).parents[0].tag == "x"


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


def test_labels_are_never_numbers() -> None:
    for label in ("1.2.3", "5", "--1", "nan"):
        assert label in (Value(1.0, label=label) * 2).describe()
    assert value_formula(functions.pow(-3, Value(2.0, label="v"))) == "(-3) ** v"


def test_free_functions_of_operators_refuse_what_is_no_number() -> None:
    for name in ("add", "sub", "mul", "div", "pow", "floordiv", "mod"):
        for operands in ((Value(1.0), "a"), ("a", Value(1.0)), (1.0, "a")):
            with pytest.raises(TypeError):
                getattr(functions, name)(*operands)


def test_lists_shared_between_nodes_keep_the_order() -> None:
    """A tuple of parents that is met again before its members are done."""
    a = Value(2.0)
    x = (a * 1.0, a * 3.0)
    w = (Value(1.0), Value(2.0))
    h = (functions.dot(w, x), functions.dot(w, x))
    y = functions.dot(h, x)
    order = topological_order(y)
    place = {node: k for k, node in enumerate(order)}
    assert all(place[parent] < place[node] for node in order for parent in node.parents)
    y.backward()
    assert a.grad == 112.0


def test_parents_come_first_whatever_lists_are_shared() -> None:
    """Random graphs whose sums and dots use the same tuples again and again."""
    for seed in range(300):
        chance = random.Random(seed)
        nodes = [Value(chance.uniform(-1, 1)) for _ in range(3)]
        lists = [tuple(nodes)]
        for _ in range(12):
            kind = chance.random()
            if kind < 0.3:
                lists.append(tuple(chance.choice(nodes) for _ in range(3)))
            elif kind < 0.7:
                nodes.append(functions.dot(chance.choice(lists), chance.choice(lists)))
            else:
                nodes.append(functions.sum(chance.choice(lists)))
        place = {node: k for k, node in enumerate(topological_order(nodes[-1]))}
        assert all(place[parent] < place[node] for node in place for parent in node.parents)


def test_subclasses_mix() -> None:
    p, v = Parameter(2.0), Value(3.0)
    for y in (p * v, v * p, functions.dot([p], [v]), functions.atan2(v, p)):
        p.grad = v.grad = 0.0
        y.backward()
        assert p.grad != 0.0 != v.grad
    assert type(copy.deepcopy(p)) is type(pickle.loads(pickle.dumps(p))) is Parameter
