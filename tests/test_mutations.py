"""The mutation matrix: bugs planted in the engine, and which check of the suite catches each.

Two checks stand for the suite: *graphs*, random graphs with sharing against numerical derivatives, with a second
backward pass; and *operation*, the per-operation comparison with finite differences. `MUTANTS` lists who catches what;
the test plants the bug and demands exactly that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from dags import Dag, dags
from planting import wrong_rule
from test_ops import test_partials_equal_finite_differences as check_operation

from engine import OPS, Value, backpropagation, differentiate, functions
from engine.graph import topological_order
from engine.rules import evaluator


@cache
def reference() -> list[tuple[Dag, list[float], list[float]]]:
    """Random graphs, with derivatives that no partial has touched and the tolerance they allow."""
    rows = []
    for dag in dags(60, seed=11):
        numerical = [differentiate(dag.along(i), x) for i, x in enumerate(dag.point)]
        if all(d.kind == "smooth" and d.error < 1e-6 * max(1.0, abs(d.value)) for d in numerical):
            _, paths = dag.gradient()
            rows.append((dag, [d.value for d in numerical], [1e-6 * max(1.0, p) for p in paths]))
    assert len(rows) > 30
    return rows


def check_graphs() -> None:
    """Gradients equal the numerical ones; a second pass with another upstream gradient adds its share."""
    for dag, wanted, allowed in reference():
        leaves = [Value(x) for x in dag.point]
        output = dag(*leaves)
        output.backward()
        once = [leaf.grad for leaf in leaves]
        for got, want, tolerance in zip(once, wanted, allowed, strict=True):
            assert abs(got - want) <= tolerance
        output.backward(0.5)
        for leaf, got, tolerance in zip(leaves, once, allowed, strict=True):
            assert abs(leaf.grad - 1.5 * got) <= tolerance


# --- planting


def edges(node: Value) -> list[tuple[Value, float]]:
    return list(zip(node.parents, node.partials, strict=True))


def assigns(order: list[Value]) -> None:
    for node in order:
        for parent, partial in edges(node):
            parent._grad = node._grad * partial


def counts_twice(order: list[Value]) -> None:
    for node in order:
        for parent, partial in edges(node):
            parent._grad += parent._grad + node._grad * partial


def one_edge_a_parent(order: list[Value]) -> None:
    for node in order:
        for parent, partial in dict(edges(node)).items():
            parent._grad += node._grad * partial


def forgets_the_second(order: list[Value]) -> None:
    for node in order:
        for parent, partial in edges(node)[:1]:
            parent._grad += node._grad * partial


def swaps_partials(order: list[Value]) -> None:
    for node in order:
        for parent, partial in zip(node.parents, reversed(node.partials), strict=True):
            parent._grad += node._grad * partial


def forgets_the_upstream(order: list[Value]) -> None:
    for node in order:
        for parent, partial in edges(node):
            parent._grad += partial


def adds_the_upstream(order: list[Value]) -> None:
    for node in order:
        for parent, partial in edges(node):
            parent._grad += node._grad + partial


def drops_small_gradients(order: list[Value]) -> None:
    for node in order:
        for parent, partial in edges(node):
            if abs(node._grad * partial) > 1e-3:
                parent._grad += node._grad * partial


def clips_gradients(order: list[Value]) -> None:
    for node in order:
        for parent, partial in edges(node):
            parent._grad += max(-1.0, min(1.0, node._grad * partial))


def preorder(root: Value) -> list[Value]:
    """Depth first, a node before its parents' other consumers: no topological sort."""
    order: dict[Value, None] = {}
    stack = [root]
    while stack:
        node = stack.pop()
        if node not in order:
            order[node] = None
            stack += node.parents
    return list(order)[::-1]


def breadth_first(root: Value) -> list[Value]:
    order = {root: None}
    queue = [root]
    for node in queue:
        for parent in node.parents:
            if parent not in order:
                order[parent] = None
                queue.append(parent)
    return list(order)[::-1]


def without_a_visited_set(root: Value) -> list[Value]:
    order, stack = [], [root]
    while stack and len(order) < 5000:
        node = stack.pop()
        order.append(node)
        stack += node.parents
    return order[::-1]


def parents_last(root: Value) -> list[Value]:
    return topological_order(root)[::-1]


def loses_the_last(root: Value) -> list[Value]:
    return topological_order(root)[:-1]


def sweep(function: Callable[[list[Value]], None]) -> Callable[[pytest.MonkeyPatch], object]:
    return _named(lambda patch: patch.setattr(backpropagation, "_sweep", function), function)


def order(function: Callable[[Value], list[Value]]) -> Callable[[pytest.MonkeyPatch], object]:
    return _named(lambda patch: patch.setattr(backpropagation, "topological_order", function), function)


def _named(plant: Callable[[pytest.MonkeyPatch], object], function: Any) -> Callable[[pytest.MonkeyPatch], object]:
    plant.__name__ = function.__name__
    return plant


def keeps_inner_gradients(patch: pytest.MonkeyPatch) -> None:
    """A second pass on top of the first: inner nodes keep what they had."""

    def backward(self: Value, upstream: float = 1.0) -> None:
        nodes = topological_order(self)
        self._grad += upstream
        backpropagation._sweep(nodes[::-1])

    patch.setattr(Value, "backward", backward)


def ignores_the_start(patch: pytest.MonkeyPatch) -> None:
    right = Value.backward
    patch.setattr(Value, "backward", lambda self, upstream=1.0: right(self))


def overwrites_leaves(patch: pytest.MonkeyPatch) -> None:
    right = Value.backward

    def backward(self: Value, upstream: float = 1.0) -> None:
        for node in topological_order(self):
            node._grad = 0.0
        right(self, upstream)

    patch.setattr(Value, "backward", backward)


RULES: list[tuple[str, tuple[str, ...], str]] = [
    ("mul", ("x", "y"), "both"),
    ("sub", ("1", "1"), "both"),
    ("div", ("1 / y", "z / y"), "both"),
    ("div", ("y", "-z / y"), "both"),
    ("pow", ("y * x ** y", "z * log(x)"), "operation"),
    ("pow", ("y * x ** (y - 1)", "z"), "operation"),
    ("neg", ("1",), "both"),
    ("abs", ("1",), "both"),
    ("square", ("x",), "both"),
    ("sqrt", ("1 / z",), "both"),
    ("exp", ("1",), "both"),
    ("log", ("1 / z",), "both"),
    ("log1p", ("1 / x",), "operation"),
    ("sin", ("-cos(x)",), "both"),
    ("cos", ("sin(x)",), "both"),
    ("tan", ("1 - z * z",), "operation"),
    ("tanh", ("1 - z",), "both"),
    ("atan2", ("-x / hypot(x, y)", "y / hypot(x, y)"), "operation"),
    ("hypot", ("x", "y"), "both"),
    ("erf", ("1.1283 * exp(-x * x)",), "both"),
    ("sigmoid", ("x * (1 - x)",), "both"),
    ("softplus", ("z",), "both"),
    ("relu", ("where(x <= 0, 0.01, 1)",), "both"),
    ("leaky_relu", ("where(x > 0, slope, 1)", "where(x > 0, 0, x)"), "both"),
    ("gelu", ("0.5 * erfc(-0.7071067811865476 * x) + 0.4 * x * exp(-0.5 * x * x)",), "both"),
    ("silu", ("sigmoid(x)",), "both"),
    ("mish", ("tanh(softplus(x))",), "operation"),
    ("maximum", ("where(x < y, 1, 0)", "where(x < y, 0, 1)"), "both"),
    ("sum", ("1 / n",), "operation"),
    ("mean", ("1",), "operation"),
    ("dot", ("x", "y"), "operation"),
    ("prod", ("z",), "operation"),
    ("max", ("1",), "operation"),
    ("logsumexp", ("exp(x)",), "operation"),
    ("norm", ("x",), "operation"),
    ("var", ("2 * x / n",), "operation"),
]

ENGINE: list[tuple[Callable[..., object], str]] = [
    (sweep(assigns), "graphs"),
    (sweep(counts_twice), "graphs"),
    (sweep(one_edge_a_parent), "graphs"),
    (sweep(forgets_the_second), "both"),
    (sweep(swaps_partials), "both"),
    (sweep(forgets_the_upstream), "graphs"),
    (sweep(adds_the_upstream), "both"),
    (sweep(drops_small_gradients), "both"),
    (sweep(clips_gradients), "both"),
    (order(preorder), "graphs"),
    (order(breadth_first), "graphs"),
    (order(without_a_visited_set), "graphs"),
    (order(parents_last), "graphs"),
    (order(loses_the_last), "both"),
    (keeps_inner_gradients, "graphs"),
    (ignores_the_start, "graphs"),
    (overwrites_leaves, "graphs"),
]


def caught_by(op_names: list[str]) -> str:
    """Which of the two checks fails now."""
    found = []
    for name, checks in (
        ("graphs", [check_graphs]),
        ("operation", [lambda n=n: check_operation(OPS[n]) for n in op_names]),
    ):
        try:
            for check in checks:
                check()
        except (AssertionError, ArithmeticError, ValueError):
            found.append(name)
    return "both" if len(found) == 2 else found[0] if found else "nobody"


def test_the_engine_as_it_is_passes() -> None:
    assert caught_by(list(OPS)) == "nobody"
    assert len(RULES) + len(ENGINE) >= 30


@pytest.mark.parametrize(("name", "partials", "expected"), RULES, ids=[f"{row[0]} {row[1][-1]}" for row in RULES])
def test_a_wrong_rule(name: str, partials: tuple[str, ...], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reference()
    with wrong_rule(monkeypatch, name, *partials):
        caught = caught_by([name])
    assert caught == expected


@pytest.mark.parametrize(("plant", "expected"), ENGINE, ids=[plant.__name__ for plant, _ in ENGINE])
def test_a_wrong_engine(plant: Callable[..., object], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reference()
    plant(monkeypatch)
    caught = caught_by(["add", "mul", "div", "tanh", "relu", "dot", "sum", "exp"])
    monkeypatch.undo()
    assert caught == expected


@pytest.mark.parametrize("name", sorted({row[0] for row in RULES}))
def test_a_rule_is_right_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    partials = next(row[1] for row in RULES if row[0] == name)
    with wrong_rule(monkeypatch, name, *partials):
        caught_by([name])
    op = OPS[name]
    if not op.variadic:
        numbers = [0.3 * (k + 1) for k in range(len(op.operands))]
        node = getattr(functions, name)(*map(Value, numbers))
        assert list(node.partials) == list(evaluator(op)(*numbers)[1])


def test_nothing_stays_planted() -> None:
    check_graphs()
    assert math.isclose((Value(2.0) * Value(3.0)).partials[0], 3.0)
