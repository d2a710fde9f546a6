"""Breakpoints and watchpoints: they stop exactly where a walk step by step would, in both directions."""

from __future__ import annotations

import math
import sys
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import Trace, Value, record_source
from engine.events import Contribution
from engine.testing import FUNCTIONS, Program, graphs
from viz.cursor import Cursor
from viz.stops import Stops
from viz.syntax import ExpressionError

quickly = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def traced(program: Program) -> Trace | None:
    root = program.run(FUNCTIONS, [Value(x) for x in program.leaves])[-1]
    if root.is_constant:
        return None
    trace = Trace(root)
    for k, node in enumerate(trace.nodes):
        node.label = f"n{k % 4}"
    return trace


def turns(trace: Trace, node: Value) -> set[int]:
    """By definition: the node is computed; it makes its first contribution, or, if it makes none, gets its last."""
    own = [event.index for event in trace.contributions if event.node is node]
    got = [event.index for event in trace.contributions if event.parent is node]
    return {trace.nodes.index(node), *(own[:1] or got[-1:])}


def changes(trace: Trace, node: Value) -> set[int]:
    """The events at which the gradient of a node changes."""
    states = [trace.state(k)[node] for k in range(len(trace) + 1)]
    return {
        k
        for k in range(len(trace))
        if states[k] != states[k + 1] and not (math.isnan(states[k]) and math.isnan(states[k + 1]))
    }


def visited(stops: Stops, *, forwards: bool) -> list[int]:
    """All positions at which running stops."""
    found = []
    while stops.run(forwards=forwards):
        found.append(stops.cursor.position)
    return found


@quickly
@given(graphs(max_ops=10), st.randoms(use_true_random=False))
def test_running_stops_where_stepping_would(program: Program, chance: Random) -> None:
    trace = traced(program)
    if trace is None:
        return
    stops = Stops(Cursor(trace))
    op = chance.choice(trace.nodes).op.name
    label = chance.choice(trace.nodes).label or ""
    watched = chance.choice([node for node in trace.nodes if not node.is_constant])
    number = trace.nodes.index(watched) + 1
    stops.add(f"op:{op}")
    stops.add(label)
    stops.watch(f"#{number}")
    stops.add("#1")
    del stops.all[4]

    at = {k + 1 for node in trace.nodes if node.op.name == op or node.label == label for k in turns(trace, node)}
    changed = changes(trace, watched)
    assert visited(stops, forwards=True) == sorted(at | {k + 1 for k in changed})
    assert stops.cursor.position == len(trace)
    assert visited(stops, forwards=False) == sorted((at | changed) - {len(trace)}, reverse=True)
    assert stops.cursor.position == 0
    assert stops.cursor.state == trace.state(0)


@quickly
@given(graphs(max_ops=10))
def test_conditions_on_contributions_hold_where_they_stop(program: Program) -> None:
    trace = traced(program)
    if trace is None:
        return
    stops = Stops(Cursor(trace))
    computed = {node.op.name for node in trace.nodes if node.parents}
    for op in computed:
        stops.add(f"op:{op}, partial > 0 and before != after")
    expected = [
        event.index + 1
        for event in trace.contributions
        if event.partial > 0 and event.before != event.after and event.node.op.name in computed
    ]
    assert visited(stops, forwards=True) == expected


@quickly
@given(graphs(max_ops=10))
def test_conditions_on_gradients_hold_where_they_stop(program: Program) -> None:
    trace = traced(program)
    if trace is None:
        return
    stops = Stops(Cursor(trace))
    for k in range(len(trace.nodes)):
        stops.add(f"#{k + 1}, abs(grad) < 1e-3")
    expected = set()
    for node in trace.nodes:
        for k in turns(trace, node) - set(range(trace.turn)):
            if abs(trace.state(k + 1)[node]) < 1e-3:
                expected.add(k + 1)
    assert visited(stops, forwards=True) == sorted(expected)


LINE = 0


def small() -> Stops:
    global LINE
    with record_source():
        LINE = sys._getframe().f_lineno + 4
        a = Value(2.0, label="a")
        b = Value(-1.0, label="layers.0.bias")
        c = Value(0.0, label="layers.1.bias")
        loss = (a * b).relu() + a * c
    loss.label = "loss"
    return Stops(Cursor(Trace(loss)))


PLACES = {
    "a": 2,  # it is computed, and its gradient is final
    "#3": 2,
    "layers.0.bias": 2,
    "0.bias": 2,
    "layers.*.bias": 4,
    "bias": 4,
    "op:mul": 4,
    "op:leaf": 6,
    "op:relu, grad == 0": 1,
    "op:mul, partial != 0": 4,
    "a, after > 100": 2,
    "a, data > 0": 2,
    "test_stops.py:LINE": 8,
    "LINE": 8,
}


@pytest.mark.parametrize("text", PLACES)
def test_places(text: str) -> None:
    stops = small()
    asked = text.replace("LINE", str(LINE))
    stop = stops.add(asked)
    assert len(stop.places) == PLACES[text]
    assert str(stop) == f"breakpoint 1 at {asked}"


WRONG = {
    "": (LookupError, "a breakpoint needs a place"),
    "aa": (LookupError, "no node is called 'aa'; did you mean a?"),
    "zebra": (LookupError, "labels here are a, layers.0.bias"),
    "nothing.*": (LookupError, "no node is called"),
    "#99": (LookupError, "nodes are numbered #1 to #7; got #99"),
    "#0": (LookupError, "nodes are numbered"),
    "#99999999999999999999999": (LookupError, "nodes are numbered"),
    "#x": (LookupError, "nodes are numbered"),
    "op:tan": (LookupError, "the graph has no such node: op:tan; the graph has add, leaf, mul, relu"),
    "op:frob": (LookupError, "no such operation: op:frob"),
    "nowhere.py:3": (LookupError, "no node was made at nowhere.py:3; source lines are known"),
    "a, grad >": (ExpressionError, "cannot be read"),
    "a, foo > 1": (LookupError, "no node is called 'foo'"),
    "a, __import__('os')": (ExpressionError, ""),
    "a, grad.real": (ExpressionError, ""),
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_breakpoint(text: str) -> None:
    error, message = WRONG[text]
    stops = small()
    with pytest.raises(error) as caught:
        stops.add(text)
        stops.run(forwards=True)
    assert message in str(caught.value)
    assert len(stops.all) <= 1


def test_nodes_without_source_and_labels() -> None:
    stops = Stops(Cursor(Trace(Value(1.0) * 2)))
    with pytest.raises(LookupError, match=r"source lines are not known: record_source\(\)"):
        stops.add("model.py:3")
    with pytest.raises(LookupError, match="nodes here have no labels: use #1, #2"):
        stops.add("a")


def test_temporary_ignored_disabled() -> None:
    a = Value(2.0, label="a")
    stops = Stops(Cursor(Trace(a * a * a * a)))
    once = stops.add("op:mul", is_temporary=True)
    always = stops.add("op:mul")
    assert [stop.number for stop, _ in stops.run(forwards=True)] == [1, 2]
    assert list(stops.all) == [2]
    always.ignore = 2
    stops.run(forwards=True)
    assert stops.cursor.trace[stops.cursor.position - 1].node is stops.cursor.trace.root, "it let two nodes pass"
    assert (once.hits, always.hits, always.ignore) == (1, 4, 0)
    always.is_enabled = False
    assert stops.run(forwards=True) == []
    assert stops.cursor.position == len(stops.cursor.trace)
    assert stops.add("a").number == 3, "numbers are not used twice"


def test_a_condition_that_cannot_be_told_stops_there() -> None:
    stops = small()
    stops.add("op:relu, label > 1")
    with pytest.raises(ExpressionError):
        stops.run(forwards=True)
    assert stops.cursor.event is not None
    assert stops.cursor.event.node.op.name == "relu"


def test_watchpoints_have_no_condition() -> None:
    stops = small()
    watch = stops.watch("a")
    with pytest.raises(LookupError, match="a watchpoint has no condition"):
        stops.restrict(watch, "grad > 1")


def test_the_watch_of_the_root_sees_its_start() -> None:
    stops = small()
    stops.watch("loss")
    assert stops.run(forwards=True)
    assert stops.cursor.position == stops.cursor.trace.turn
    assert stops.cursor.state[stops.cursor.trace.root] == 1.0
    assert stops.run(forwards=True) == []
    assert stops.run(forwards=False)
    assert stops.cursor.state[stops.cursor.trace.root] == 0.0


# --- the cursor itself


@quickly
@given(
    graphs(max_ops=10), st.lists(st.tuples(st.sampled_from(["next", "rn", "step", "rs", "final"]), st.integers(0, 30)))
)
def test_moves(program: Program, moves: list[tuple[str, int]]) -> None:
    trace = traced(program)
    if trace is None:
        return
    cursor = Cursor(trace)

    def block(k: int) -> tuple[int, Value]:
        """Events of one block have the same: the sweep, and in the backward sweep the node."""
        return (0, trace.nodes[k]) if k < trace.turn else (1, trace[k].node)

    for move, number in moves:
        k = cursor.position
        node = trace.nodes[number % len(trace.nodes)]
        if move == "next" and k < len(trace):
            to = cursor.after_node(k)
            assert all(block(i) == block(k) for i in range(k, to))
            assert to == len(trace) or block(to) != block(k)
        elif move == "rn" and k > 0:
            to = cursor.before_node(k)
            assert all(block(i) == block(k - 1) for i in range(to, k))
            assert to == 0 or block(to - 1) != block(k - 1)
        elif move == "final" and not node.is_constant:
            to = cursor.final(node)
            assert trace.state(to)[node] == trace.state(len(trace))[node] or math.isnan(trace.state(to)[node])
            assert to == trace.turn or isinstance(trace[to - 1], Contribution)
        else:
            to = min(k + 1, len(trace)) if move == "step" else max(k - 1, 0)
        cursor.go(to)
        assert list(map(repr, cursor.state.values())) == list(map(repr, trace.state(to).values()))
        assert all(cursor.is_final(n) == (n.is_constant or to >= cursor.final(n)) for n in trace.nodes)


@quickly
@given(graphs(max_ops=12))
def test_routes_lead_from_the_root(program: Program) -> None:
    trace = traced(program)
    if trace is None:
        return
    cursor = Cursor(trace)
    for node in trace.nodes:
        if node.is_constant:
            continue
        route = cursor.route(node)
        assert (route[0], route[-1]) == (trace.root, node)
        assert all(below in above.parents for above, below in pairwise(route))


def test_an_interrupt_leaves_the_cursor_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    a = Value(2.0, label="a")
    trace = Trace(a * a)
    cursor = Cursor(trace, 3)

    def interrupted(self: Trace, state: dict[Value, Any], k: int, to: int) -> None:
        state[a] = 99.0
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Trace, "move", interrupted)
        patched.setattr(Trace, "state", lambda self, k: {a: 2.0, trace.root: 1.0})
        with pytest.raises(KeyboardInterrupt):
            cursor.go(4)
    assert (cursor.position, cursor.state[a]) == (3, 2.0)
