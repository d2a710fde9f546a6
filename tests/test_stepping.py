"""The stepper: every state is the engine's, nothing is touched, paths are the largest, recording is cheap."""

from __future__ import annotations

import gc
import math
import struct
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from engine import OPS, Trace, Value, constant, functions, no_grad, record_source
from engine.events import Contribution, Forward
from engine.graph import topological_order
from engine.paths import Path
from engine.testing import FUNCTIONS, Program, graphs, regime_floats

quickly = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
NAN, INF = math.nan, math.inf


def bits(state: dict[Value, float]) -> list[bytes]:
    """Gradients to compare exactly: nan equals nan, 0.0 does not equal -0.0."""
    return [b"nan" if math.isnan(x) else struct.pack("d", x) for x in state.values()]


def run(program: Program) -> Value:
    output = program.run(FUNCTIONS, [Value(x) for x in program.leaves])[-1]
    assert isinstance(output, Value)
    return output


def simulated(root: Value, upstream: float) -> list[dict[Value, float]]:
    """The state after each event, by the definition: one more contribution every time."""
    order = topological_order(root)
    state = dict.fromkeys(order, 0.0)
    states = [dict(state) for _ in order]
    state[root] = upstream
    states.append(dict(state))
    for node in reversed(order):
        for parent, partial in zip(node.parents, node.partials, strict=True):
            if not parent.is_constant:
                state[parent] += state[node] * partial
                states.append(dict(state))
    return states


# --- states


@quickly
@given(graphs(max_ops=12), regime_floats())
def test_every_state_is_the_engines(program: Program, upstream: float) -> None:
    root = run(program)
    if root.is_constant:
        return
    for node in topological_order(root):
        node._grad = 7.0
    trace = Trace(root, upstream=upstream)
    expected = simulated(root, upstream)
    assert len(trace) + 1 == len(expected)
    for k, state in enumerate(expected):
        assert bits(trace.state(k)) == bits(state)
    assert all(node.grad == 7.0 for node in trace.nodes), "recording and stepping touch no gradient"

    cursor = trace.state(0)
    for k in range(len(trace)):
        assert bits(trace.move(cursor, k, k + 1)) == bits(expected[k + 1])
    root.zero_grad()
    root.backward(upstream)
    assert bits(cursor) == bits({node: node.grad for node in trace.nodes})
    for k in range(len(trace), 0, -1):
        assert bits(trace.move(cursor, k, k - 1)) == bits(expected[k - 1])
    assert bits(cursor) == bits(dict.fromkeys(trace.nodes, 0.0))
    jump = len(trace) // 2
    assert bits(trace.move(trace.state(len(trace)), len(trace), jump)) == bits(expected[jump])


@quickly
@given(graphs(max_ops=12))
def test_contributions_tell_what_happens(program: Program) -> None:
    root = run(program)
    if root.is_constant:
        return
    trace = Trace(root)
    for event in trace.contributions:
        before, after = trace.state(event.index), trace.state(event.index + 1)
        assert event.node.parents[event.slot] is event.parent
        assert bits({event.node: event.partial}) == bits({event.node: event.node.partials[event.slot]})
        assert bits({event.node: event.upstream}) == bits({event.node: before[event.node]})
        assert bits({event.node: event.before}) == bits({event.node: before[event.parent]})
        assert bits({event.node: event.after}) == bits({event.node: after[event.parent]})
        assert bits({event.node: event.before + event.amount}) == bits({event.node: event.after})
        assert "\n" not in str(event)
        assert event.rule
    for node in trace.nodes:
        reasons = trace.why(node)
        assert [event.arrived for event in reasons] == list(range(1, len(reasons) + 1))
        assert {event.expected for event in reasons} <= {len(reasons)}
        assert [event.is_final for event in reasons] == [False] * (len(reasons) - 1) + [True] * bool(reasons)
    assert sum(len(trace.why(node)) for node in trace.nodes) == len(trace.contributions)


@pytest.mark.parametrize("upstream", [0.0, -0.0, 1, INF, NAN])
def test_a_leaf_alone(upstream: float) -> None:
    x = Value(3.0)
    trace = Trace(x, upstream)
    x.backward(upstream)
    assert len(trace) == 1
    assert bits(trace.state(1)) == bits({x: x.grad})
    assert bits(trace.state(0)) == bits({x: 0.0})


@pytest.mark.parametrize("upstream", [0.0, -0.0, INF, NAN])
@pytest.mark.parametrize("partial", [0.0, -1.0, INF, NAN])
def test_dead_units_and_broken_ones(upstream: float, partial: float) -> None:
    """Where the engine takes a shortcut, the sum is the same."""
    xs = [Value(x) for x in (1.0, -2.0, 3.0)]
    loss = functions.dot(xs, [Value(partial), *xs[:2]])
    trace = Trace(loss, upstream)
    loss.backward(upstream)
    assert bits(trace.state(len(trace))) == bits({node: node.grad for node in trace.nodes})


def test_repeated_operands_and_constants() -> None:
    x = Value(3.0, label="x")
    trace = Trace(x * x + 10)
    assert [(type(event), event.node.op.name) for event in trace] == [
        (Forward, "leaf"), (Forward, "mul"), (Forward, "constant"), (Forward, "add"),
        (Contribution, "add"), (Contribution, "mul"), (Contribution, "mul"),
    ]  # fmt: skip
    assert [(event.slot, event.before, event.after) for event in trace.why(x)] == [(0, 0.0, 3.0), (1, 3.0, 6.0)]
    assert trace.why(trace.nodes[2]) == []
    assert trace.paths(trace.nodes[2]) == ([], 0.0)
    assert trace.state(len(trace))[trace.nodes[2]] == 0.0


def test_what_was_recorded_stays() -> None:
    x = Value(3.0)
    trace = Trace(x * x)
    x.data = 100.0
    first = trace[0]
    assert isinstance(first, Forward)
    assert (first.value, trace.state(len(trace))[x]) == (3.0, 6.0)


def test_a_sequence_of_lines() -> None:
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    with record_source():
        e = a * b
    e.label = "e"
    trace = Trace(e)
    assert [str(event) for event in trace] == [
        "forward   a = 2",
        "forward   b = -3",
        "forward   e = a * b = -6",
        "backward  e = a * b  -> a  1 * -3 = -3  grad 0 -> -3  (1 of 1, final)",
        "backward  e = a * b  -> b  1 * 2 = 2  grad 0 -> 2  (1 of 1, final)",
    ]
    assert [event.index for event in trace] == list(range(len(trace)))
    assert [str(event) for event in trace[1:5:2]] == [str(trace[1]), str(trace[3])]
    assert str(trace[-1]) == str(trace[4])
    assert repr(trace) == f"Trace({e!r}, 3 nodes, 2 contributions)"
    assert repr(trace[0]) == f"Forward(0, node={a!r}, value=2.0)"
    assert repr(trace[3]) == (
        f"Contribution(3, node={e!r}, parent={a!r}, slot=0, upstream=1.0, partial=-3.0, before=0.0, after=-3.0, "
        "arrived=1, expected=1)"
    )
    assert trace[2].source == trace[3].source == e.source
    assert e.source is not None
    assert trace.contributions[0].rule == "b"


# --- search


def test_find() -> None:
    a = Value(2.0, label="a")
    with record_source():
        b = a * a
        c = b.tanh()
    c.label = "c"
    trace = Trace(c)
    file, line = b.source or ("", 0)

    def found(**wanted: Any) -> list[int]:
        return [event.index for event in trace.find(**wanted)]

    assert found(label="a") == [0, 4, 5]
    assert found(label="c") == [2, 3]
    assert found(op="mul") == found(op=OPS["mul"]) == [1, 4, 5]
    assert found(line=line) == found(line=f"{file}:{line}") == found(line=f"test_stepping.py:{line}") == [1, 4, 5]
    assert found(line=f"stepping.py:{line}") == found(line=line + 100) == found(label="x") == []
    assert found(label="a", op="mul", line=line) == [4, 5]


# --- paths


def every_path(trace: Trace, target: Value) -> list[float]:
    """The products that are not zero, by walking all paths."""
    products, stack = [], [(trace.root, trace.upstream)]
    while stack:
        node, product = stack.pop()
        if node is target and product:
            products.append(product)
        for parent, partial in zip(node.parents, node.partials, strict=True):
            if not parent.is_constant and partial:
                stack.append((parent, product * partial))
    return sorted(products, key=lambda x: -abs(x))


@quickly
@given(graphs(("add", "sub", "mul", "tanh", "relu", "sin", "maximum", "dot", "mean"), max_ops=7))
def test_paths_are_the_largest(program: Program) -> None:
    root = run(program)
    if root.is_constant:
        return
    trace = Trace(root)
    gradients = trace.state(len(trace))
    for node in trace.nodes:
        products = every_path(trace, node)
        total = sum(map(abs, products))
        for k in (1, 3, 10_000):
            paths, left_out = trace.paths(node, k)
            assert len(paths) == min(k, len(products))
            for path, product in zip(paths, products, strict=False):
                assert abs(path.product) == pytest.approx(abs(product), rel=1e-12)
            assert left_out == pytest.approx(sum(map(abs, products[k:])) / total if total else 0.0, abs=1e-12)
        assert gradients[node] == pytest.approx(sum(path.product for path in paths), abs=1e-12 * (total + 1))
        assert len({tuple(event.index for event in path.contributions) for path in paths}) == len(paths)
        for path in paths:
            assert (path.nodes[0], path.nodes[-1]) == (root, node)
            edges = [(event.node, event.parent) for event in path.contributions]
            assert edges == list(pairwise(path.nodes))


@pytest.mark.parametrize("equal", [False, True])
def test_a_ladder_of_thirty_layers(equal: bool) -> None:
    """10**30 paths; where all are equal but for rounding, a search by bounds alone would try them one by one."""
    chance, width = Random(1), 10
    x = Value(1.0)
    layer = [x * 1.0 for _ in range(width)]
    largest = [1.0] * width
    for _ in range(30):
        weights = [[0.1 if equal else chance.uniform(-1, 1) for _ in layer] for _ in layer]
        layer = [functions.dot([constant(w) for w in row], layer) for row in weights]
        largest = [max(abs(w) * m for w, m in zip(row, largest, strict=True)) for row in weights]
    trace = Trace(functions.sum(layer))
    paths, left_out = trace.paths(x, k=20)
    assert len({tuple(event.index for event in path.contributions) for path in paths}) == 20
    assert abs(paths[0].product) == pytest.approx(max(largest))
    assert all(abs(upper.product) >= abs(lower.product) for upper, lower in pairwise(paths))
    assert 0.99 < left_out <= 1.0
    shown = "sum -> dot -> dot -> dot -> dot -> ... -> dot -> mul -> leaf"
    assert repr(paths[0]) == f"Path({shown}, product={paths[0].product!r})"


def test_paths_out_of_the_range_of_floats() -> None:
    x = Value(1.0)
    up = x * 1e200 * 1e200 * 1e-300  # the product of partials overflows on the way to x, but not from the root
    paths, left_out = Trace(up + x).paths(x, k=1)
    assert [path.product for path in paths] == pytest.approx([1e100])
    assert left_out == pytest.approx(1e-100)
    vanishing = x * 1e-200 * 1e-200
    assert Trace(vanishing).paths(x) == ([], 0.0)
    assert Trace(vanishing + vanishing * 2).paths(x, k=1) == ([], 0.0)
    assert Trace(x * 0.0).paths(x) == ([], 0.0)


@pytest.mark.parametrize("partial", [NAN, INF, -INF])
def test_paths_that_are_not_finite_come_first(partial: float) -> None:
    x = Value(1.0)
    bad = x * partial
    trace = Trace(x + bad + bad * 0.0 + x * 5.0)
    paths, left_out = trace.paths(x, k=2)
    assert bits({x: paths[0].product}) == bits({x: partial})
    assert paths[1].product == 5.0
    assert math.isnan(left_out)
    everything, nothing = trace.paths(x, k=3)
    assert [path.product for path in everything[1:]] == [5.0, 1.0]
    assert nothing == 0.0


def test_the_path_to_the_root() -> None:
    loss = Value(3.0).sin()
    (path,), left_out = Trace(loss, 2.0).paths(loss)
    assert isinstance(path, Path)
    assert (path.nodes, path.contributions, path.product, left_out) == ((loss,), (), 2.0, 0.0)


# --- errors


def test_errors() -> None:
    x = Value(2.0)
    with pytest.raises(RuntimeError, match="a constant has no graph to go back through: got .*; compute it from"):
        Trace(constant(2.0))
    with no_grad(), pytest.raises(RuntimeError, match="outside no_grad"):
        Trace(x * x)
    with pytest.raises(TypeError, match="a trace is recorded from a Value; got 2.0; pass the node"):
        Trace(2.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a Value holds one real number; got str"):
        Trace(x, upstream="1")  # type: ignore[arg-type]
    trace = Trace(x * x)
    for k in (-1, 5):
        with pytest.raises(IndexError, match=f"a state after 0 to 4 events; got {k}; use one of these"):
            trace.state(k)
        with pytest.raises(IndexError, match=f"got {k}"):
            trace.move(trace.state(0), 0, k)
        with pytest.raises(IndexError, match=f"got {k}"):
            trace.move(trace.state(0), k, 0)
    with pytest.raises(IndexError):
        trace[4]
    for ask in (trace.why, trace.paths):
        with pytest.raises(ValueError, match=r"the trace has no such node; got .*; choose one of trace\.nodes"):
            ask(Value(2.0))
    with pytest.raises(ValueError, match="the number of paths must be positive; got 0; ask for k=1 or more"):
        trace.paths(x, 0)
    with pytest.raises(TypeError, match="find needs something to look for; got nothing; give label=, op= or line="):
        trace.find()


@pytest.mark.parametrize("collecting", [True, False])
def test_the_collector_is_left_as_it_was(collecting: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if collecting else gc.disable)()
        Trace(Value(2.0).sin())
        assert gc.isenabled() is collecting
        broken = Value(2.0) * 3.0
        broken._first = "no node"
        with pytest.raises(AttributeError):
            Trace(broken)
        assert gc.isenabled() is collecting
    finally:
        (gc.enable if before else gc.disable)()


# --- size


def chain(nodes: int) -> tuple[Value, Value]:
    x = y = Value(0.5)
    for _ in range(nodes // 2):
        y = (y * x).tanh()
    return x, y


def test_a_deep_chain() -> None:
    x, y = chain(50_000)
    trace = Trace(y)
    assert trace.turn == 50_001
    y.backward()
    assert trace.state(len(trace))[x] == x.grad
    assert trace.state(0)[x] == 0.0
    paths, _ = Trace(functions.sum([y, x])).paths(x, k=3)
    assert paths[0].product == 1.0
