"""`Value` as a node of a graph: what it shows, `backward()`, and the order of what it was computed from."""

from __future__ import annotations

import copy
import linecache
import math
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


# --- labels


def test_label_names_everything_in_sight() -> None:
    a, known = Value(1.0), Value(2.0, label="known")
    nested: dict[str, Any] = {"w": [Value(3.0)], "n": 3, "text": "x"}
    nested["self"] = nested
    engine.label(a=a, other=known, nested=nested)
    assert (a.label, known.label, nested["w"][0].label) == ("a", "known", "nested.w.0")


def test_labels_are_never_numbers() -> None:
    for label in ("1.2.3", "5", "--1", "nan"):
        assert label in (Value(1.0, label=label) * 2).describe()
    assert value_formula(functions.pow(-3, Value(2.0, label="v"))) == "(-3) ** v"


# --- subclasses


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


def test_subclasses_mix() -> None:
    p, v = Parameter(2.0), Value(3.0)
    for y in (p * v, v * p, functions.dot([p], [v]), functions.atan2(v, p)):
        p.grad = v.grad = 0.0
        y.backward()
        assert p.grad != 0.0 != v.grad
    assert type(copy.deepcopy(p)) is type(pickle.loads(pickle.dumps(p))) is Parameter


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
