"""Replays: a graph with other numbers is the graph computed from them; recorded gradients against differences."""

from __future__ import annotations

import math
import struct
from itertools import count, permutations
from random import Random
from typing import Any, cast

import pytest
from dags import dags
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import OPS, Op, Trace, Value, constant, functions
from engine.graph import topological_order
from engine.operators import node_of
from engine.replay import Replay, check_graph, replay
from engine.subject import reverse
from engine.testing import FUNCTIONS, Program, graphs, regime_floats

NAN = math.nan


def bits(x: float) -> bytes:
    """A number to compare exactly: nan equals nan, 0.0 does not equal -0.0."""
    return b"nan" if math.isnan(x) else struct.pack("d", x)


# --- other numbers


def results(program: Program, other: dict[int, float]) -> list[Value]:
    """All results of a program, with other numbers in some places."""
    place = count(len(program.leaves))

    def replaced(function: Any) -> Any:
        def call(*operands: Any) -> Any:
            k = next(place)
            return Value(other[k]) if k in other else function(*operands)

        return call

    leaves = [Value(other.get(k, x)) for k, x in enumerate(program.leaves)]
    return program.run({name: replaced(function) for name, function in FUNCTIONS.items()}, leaves)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(graphs(tuple(OPS), max_ops=12), st.data())
def test_a_replay_is_a_computation_from_other_numbers(program: Program, data: st.DataObject) -> None:
    recorded = results(program, {})
    order = topological_order(recorded[-1])
    places = [k for k, node in enumerate(recorded) if node in set(order) and not node.is_constant]
    other = data.draw(st.dictionaries(st.sampled_from(places), regime_floats(), max_size=3)) if places else {}
    before = [(bits(node.data), node.grad, node.partials) for node in order]

    expected = results(program, other)[-1].data
    assert bits(replay(recorded[-1], {recorded[k]: x for k, x in other.items()})) == bits(expected)
    f = Replay(recorded[-1], [recorded[k] for k in other])
    f(*[0.5] * len(other))
    assert bits(f(*other.values()).data) == bits(expected), "nothing of an earlier call is left"
    assert repr([(bits(node.data), node.grad, node.partials) for node in order]) == repr(before)


def operands_of(op: Op) -> list[tuple[Any, ...]]:
    return [point if isinstance(point, tuple) else (point,) for point in op.special]


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_every_operation(op: Op) -> None:
    """From each of its special points to each other one of the same size."""
    for here, there in permutations(operands_of(op), 2):
        wrap = (lambda part: [Value(x) for x in part]) if op.variadic else Value
        flat = [x for part in there for x in part] if op.variadic else there
        node = FUNCTIONS[op.name](*map(wrap, here))
        if len(node.parents) == len(flat):
            expected = FUNCTIONS[op.name](*map(wrap, there))
            again = Replay(node, node.parents)(*map(Value, flat))
            assert bits(again.data) == bits(expected.data)
            assert repr(again.partials) == repr(expected.partials)


def test_what_does_not_depend_on_the_change_keeps_its_recorded_number() -> None:
    a, b = Value(2.0), Value(3.0)
    product = a * b
    loss = functions.sum([product, product * a, b.exp() * 0.0])
    trace = Trace(loss)
    assert replay(loss, {a: 4.0}) == 12.0 + 48.0
    assert replay(loss, {product: 1.0}) == 1.0 + 2.0
    assert replay(loss, {product: 1.0, a: 5.0}) == 1.0 + 5.0
    assert replay(loss, {loss: 7.0}) == 7.0
    assert replay(loss, {}) == loss.data
    b.data = 100.0
    assert replay(loss, {product: 1.0}) == 3.0, "the other nodes that use b were not computed again"
    assert replay(loss, {a: 4.0}) == 400.0 + 1600.0
    assert replay(loss, {a: 4.0}, trace.values) == 60.0


def test_of_values_the_result_is_a_graph_with_the_recorded_partials_where_they_hold() -> None:
    a = Value(2.0)
    lie = node_of(OPS["square"], (a,), 4.0, (-1.0,))
    f = Replay(lie * 3, [a])
    for x, slope in ((2.0, -3.0), (5.0, 30.0)):
        moved = Value(x)
        f(moved).backward()
        assert moved.grad == slope
    assert a.grad == 0.0


def test_a_deep_chain_needs_no_recursion() -> None:
    x = y = Value(0.5)
    for _ in range(30_000):
        y = (y + x) * 0.5
    assert replay(y, {x: 0.25}) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("kind", "message", "call"),
    [
        (ValueError, "no such node; got .*; choose one that", lambda a, c, z: replay(z, {Value(1.0): 2.0})),
        (ValueError, "no such node; got .*; choose one that", lambda a, c, z: check_graph(a.exp(), [z])),
        (ValueError, "a constant stays what it is; got .*; choose a var", lambda a, c, z: replay(z, {c: 2.0})),
        (TypeError, "only a Value can be computed again; got 3.0; pass", lambda a, c, z: replay(cast(Any, 3.0), {})),
        (TypeError, "only a Value can be computed again; got 3.0; pass", lambda a, c, z: check_graph(cast(Any, 3.0))),
        (TypeError, "holds one real number; got str", lambda a, c, z: replay(z, {a: cast(Any, "2")})),
        (TypeError, "for each of 1 nodes; got 2; pass all", lambda a, c, z: Replay(z, [a])(1.0, 2.0)),
        (ValueError, "no gradient to check; got no variables for", lambda a, c, z: check_graph(c)),
        (ValueError, "no gradient to check", lambda a, c, z: check_graph(z, [])),
    ],
)
def test_errors(kind: type[Exception], message: str, call: Any) -> None:
    a, c = Value(2.0), constant(3.0)
    with pytest.raises(kind, match=message):
        call(a, c, a * c)


# --- recorded gradients against differences


def test_right_gradients_of_variables_and_inner_nodes_are_not_accused() -> None:
    chance = Random(5)
    for dag in dags(60, seed=8):
        leaves = [Value(x) for x in dag.point]
        root = dag(*leaves)
        for node in topological_order(root):
            node.grad = 7.0
        inner = [node for node in topological_order(root) if node.parents]
        for report in (check_graph(root), check_graph(root, chance.sample(inner, min(4, len(inner))))):
            assert all(entry.ok or entry.verdict == "inconclusive" for entry in report.entries), report
        assert all(node.grad == 7.0 for node in topological_order(root))


def test_wrong_partials_are_found() -> None:
    """One recorded partial is made 1 % wrong: every gradient that shows it is accused, and no other."""
    chance, accused = Random(6), 0
    for dag in dags(40, seed=9):
        root = dag(*map(Value, dag.point))
        nodes = [node for node in topological_order(root) if not node.is_constant]
        right, paths = reverse(root, nodes)
        sure = [entry.verdict == "pass" for entry in check_graph(root, nodes).entries]
        node = chance.choice([node for node in nodes if node.parents])
        slot = chance.randrange(len(node.partials))
        node._connect(node.parents, tuple(p * (1.01 if k == slot else 1) for k, p in enumerate(node.partials)))
        wrong, _ = reverse(root, nodes)
        for k, entry in enumerate(check_graph(root, nodes).entries):
            if sure[k] and abs(wrong[k] - right[k]) > 1e-5 * paths[k]:
                assert entry.verdict == "fail", entry
                accused += 1
            elif sure[k] and wrong[k] == right[k]:
                assert entry.ok, entry
    assert accused > 100


def test_a_report_on_a_wrong_partial() -> None:
    a, b = Value(2.0, label="a"), Value(3.0, label="b")
    wrong = node_of(OPS["square"], (a,), 4.0, (2.0,))
    loss = wrong * b
    loss.label = "loss"
    headline, found, hint, _ = str(check_graph(loss)).splitlines()
    assert headline.startswith("gradient check FAILED: 1 of 2 inputs disagrees with finite differences of loss()")
    assert found.startswith("  a: FAIL  claimed 6.000000, numerical 12.000000 ± ")
    assert hint == "      hint: claimed/numerical = 1/2: a factor 2 is missing"
    assert check_graph(loss, [wrong, loss]).ok, "above the mistake gradients are right"


def test_options_and_recorded_numbers_reach_the_check() -> None:
    a = Value(0.0, label="a")
    loss = a.relu()
    assert [entry.verdict for entry in check_graph(loss).entries] == ["kink"]
    assert not check_graph(loss, at_kink="fail").ok
    trace = Trace(loss)
    a.data = 5.0
    assert [entry.verdict for entry in check_graph(loss, values=trace.values).entries] == ["kink"]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["w", "b", None], ["w", "b", "x3"]),
        ([None, None], ["x1", "x2"]),
        (["w", "w", "w (2)", "w"], ["w", "w (2)", "w (2) (2)", "w (3)"]),
        (["x2", None], ["x2", "x2 (2)"]),
    ],
)
def test_names_stay_distinct(labels: list[str | None], names: list[str]) -> None:
    leaves = [Value(1.0 + k, label=label) for k, label in enumerate(labels)]
    report = check_graph(functions.prod(leaves))
    assert [entry.input for entry in report.entries] == names
    assert report.ok


def test_names_in_reports_stay_on_their_line() -> None:
    nodes = [
        Value(2.0, label="two\nlines"),
        Value(3.0, label="long" * 100),
        Value(4.0, label="w"),
        Value(5.0, label="w"),
    ]
    report = str(check_graph(nodes[0] * nodes[1] + nodes[2] * nodes[3]))
    assert len(report.splitlines()) == 5
    assert r"two\nlines:" in report
    assert f"{'long' * 25}...:" in report
    assert "w (2):" in report
