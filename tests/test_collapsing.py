"""Which nodes are one box: every node in one, modules as their labels say, and what is repeated outside once."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from graphlib import CycleError, TopologicalSorter
from typing import Any

import pytest
from diagrams import by_hand, parse, perceptron, svg_of
from hypothesis import given
from hypothesis import strategies as st
from machines import either, only

import nn
import viz
from engine import Trace, Value, constant, functions
from engine.graph import topological_order
from engine.testing import FUNCTIONS, graphs
from viz.collapsing import MOST_ARROWS, MOST_BOXES, SIMILAR, bundles, collapsed, loops

pytest.importorskip("graphviz")
pytest.importorskip("pygraphviz")
__all__ = ["either", "only"]  # fixtures

LEVELS: list[Any] = [None, "neuron", "layer", "auto", 0, 1, 2]


def texts(value: Any, **options: Any) -> list[str]:
    """The first line of each box, from the picture; nodes without a label are all `#`."""
    boxes, _ = parse(svg_of(value, **options))
    return sorted(re.sub(r"#\d+", "#", " ".join(lines[0].split())) for lines in boxes.values())


def check(root: Value, level: Any) -> None:
    """Every node is in one box, and every edge in an arrow or a box."""
    order = topological_order(root)
    groups, _ = collapsed(order, [root], level)
    assert Counter(node for group in groups for node in group.nodes) == Counter(order)
    inside = {node: k for k, group in enumerate(groups) for node in group.nodes}
    edges = Counter((inside[parent], inside[node]) for node in order for parent in node.parents)
    found = bundles(groups)
    assert {pair: len(some) for pair, some in found.items()} == {p: n for p, n in edges.items() if p[0] != p[1]}
    assert all(node.parents[slot] is parent for some in found.values() for parent, node, slot in some)
    assert groups[inside[root]].is_one or groups[inside[root]].module
    # similar nodes do the same with the same boxes
    for group in groups:
        if not group.module and len(group.nodes) > 1:
            assert len(group.last) >= SIMILAR and len({node.op for node in group.last}) == 1


@pytest.mark.parametrize("level", LEVELS)
@given(program=graphs(max_ops=30), labels=st.lists(st.sampled_from(["", "a", "m.w", "m.neurons.0.w", "m.n.0.b"])))
def test_every_node_is_in_one_box_and_every_edge_is_kept(level: Any, program: Any, labels: list[str]) -> None:
    leaves = [Value(x) for x in program.leaves]
    for leaf, text in zip(leaves, labels, strict=False):
        leaf.label = text
    results = program.run(FUNCTIONS, leaves)
    check(next(result for result in reversed(results) if isinstance(result, Value)), level)


@pytest.mark.parametrize("level", LEVELS)
def test_the_same_of_networks(level: Any) -> None:
    check(perceptron(5, (3, 2, 1))[1], level)
    check(by_hand(5, (3, 2, 1)), level)


# --- modules


class Deep(nn.Module):
    """Layers of neurons beside a module without any, inside another one."""

    def __init__(self) -> None:
        self.encoder = nn.MLP(2, [2, 1], "tanh", seed=0)
        self.gain = Scale()

    def forward(self, x: Any) -> Value:
        return self.gain(self.encoder(x)[0])


class Scale(nn.Module):
    def __init__(self) -> None:
        self.factor = Value(2.0)

    def forward(self, x: Value) -> Value:
        return self.factor * x


def deep() -> Value:
    return Deep()([Value(1.0, label="x"), Value(2.0, label="y")]).square()


ENCODER = "encoder.layers"
TITLES: dict[str, tuple[Callable[[], Value], Any, list[str]]] = {
    "one box for each layer": (
        lambda: perceptron(10)[1], "layer",
        ["#", "10 constants", "10 times square(layers.2 - y)", "20 inputs",
         *(f"layers.{k} × 10" for k in range(3))],
    ),
    "chosen": (
        lambda: by_hand(10), "auto",
        ["#", "0.1", "10 constants", "10 times (layers.2 - y) ** 2", "10 times x + y", "20 inputs",
         *(f"layers.{k} × 10" for k in range(3))],
    ),
    "one sample": (
        lambda: perceptron(1, (2, 1))[1], "layer", ["#", "#", "#", "0", "1.2882", "1.4494", "layers.0", "layers.1"]
    ),
    "neurons": (
        lambda: perceptron(4, (2, 1))[1], "neuron",
        ["#", "4 constants", "4 times square(…1.neurons.0 - y)", "8 inputs", *["neuron 0 × 4"] * 2, "neuron 1 × 4"],
    ),
    "neurons without a layer": (
        lambda: functions.sum(nn.Layer(2, 2, seed=0)([1.0, 2.0])), "layer", ["#", "1", "2", "neurons"],
    ),
    "of neurons, a layer, and nothing inside": (deep, "layer", ["gain", "layers.0", "layers.1", "x", "y"]),
    "numbers of activations are no inputs": (
        lambda: functions.max([nn.MLP(1, [2], "linear", lambda x: x.leaky_relu(0.2), seed=0)([0.5])[0] for _ in "ab"]),
        "layer", ["#", "0.5", "0.5", "layers.0"],
    ),
    "innermost": (deep, "neuron", ["gain", "neuron 0", "neuron 0", "neuron 1", "x", "y"]),
    "outermost": (deep, 0, ["encoder", "gain", "x", "y"]),
    "one level open": (deep, 1, ["#", "#", "gain.factor", "layers.0", "layers.1", "x", "y"]),
    "small graphs stay open": (lambda: Value(1.0, label="x").exp(), "auto", ["#", "x"]),
}  # fmt: skip


@pytest.mark.parametrize("case", TITLES)
def test_titles_of_boxes(case: str) -> None:
    build, level, expected = TITLES[case]
    assert texts(build(), collapse=level) == sorted(expected)


def test_a_module_says_what_it_is() -> None:
    model, loss = perceptron(10)
    boxes, arrows = parse(svg_of(loss, collapse="layer"))
    lines = {text[0].strip(): [line.strip() for line in text] for text in boxes.values()}
    for k, (flow, contents, size) in enumerate(
        [("2 -> 16 relu", "48 parameters, 16 dot, 16 add, 16 relu", 528),
         ("16 -> 16 relu", "272 parameters, 16 dot, 16 add, 16 relu", 752),
         ("16 -> 1", "17 parameters, 1 dot, 1 add", 37)]
    ):  # fmt: skip
        _, shape, *parts, nodes, gradient = lines[f"layers.{k} × 10"]
        norm = math.sqrt(sum(p.grad**2 for p in model.layers[k].parameters()))
        assert (shape, " ".join(parts), nodes) == (flow, contents, f"{size} nodes")
        assert float(gradient.removeprefix("|grad|")) == pytest.approx(norm, rel=1e-4)
    assert sorted(text for _, text in arrows) == sorted(
        [[f"{count} edges"] for count in ("320", "2,560", "160", "10", "10", "10")]
    )


def test_the_nodes_of_a_box_add_up_to_the_graph() -> None:
    for build in (lambda: perceptron(10)[1], lambda: by_hand(10)):
        root = build()
        order = topological_order(root)
        groups, level = collapsed(order, [root], "auto")
        assert level == "layer" and len(groups) <= MOST_BOXES and len(bundles(groups)) <= MOST_ARROWS
        paths = Counter(node.label.rpartition(".neurons")[0] for node in order if node.label)
        for group in groups:
            if group.module:
                assert sum(bool(node.label) for node in group.nodes) == paths[group.module]


def test_a_large_graph_is_drawn(either: None) -> None:
    diagram = viz.draw(by_hand(10), collapse="auto")
    assert (diagram.nodes, diagram.edges) == (9, 8)
    bundle = diagram._repr_mimebundle_()
    assert len(parse(bundle["image/svg+xml"])[0]) == 9
    shown = diagram.source.replace("\u00a0", " ")
    assert 'one box for every layer and all similar nodes: 9 boxes for 6,820 nodes (collapse=\\"auto\\" chose' in shown


# --- what stands outside


def many(make: Callable[[int], Value], count: int = SIMILAR) -> Value:
    return functions.sum([make(k) for k in range(count)])


X = Value(3.0, label="x")
SIMILAR_NODES: dict[str, tuple[Callable[[], Value], list[str]]] = {
    "three are a few": (lambda: many(lambda k: Value(1.0).exp(), 3), ["#", "#", "#", "#", "#", "#", "#"]),
    "four are many": (lambda: many(lambda k: Value(1.0).exp()), ["#", "4 leaves", "4 times exp(x)"]),
    "operations differ": (
        lambda: many(lambda k: Value(1.0).exp() if k % 2 else Value(1.0).sin(), 6),
        ["#", "#", "#", "#", "#", "#", "#", "#", "#", "#", "#", "#", "#"],
    ),
    "labels differ": (lambda: many(lambda k: Value(1.0, label="abcd"[k])), ["#", "a", "b", "c", "d"]),
    "labels with numbers": (lambda: many(lambda k: Value(1.0, label=f"x.{k}")), ["#", "x.0 … x.3"]),
    "one operand in common": (lambda: many(lambda k: X * Value(1.0)), ["#", "4 leaves", "4 times x * y", "x"]),
    "one number": (lambda: many(lambda k: X**2), ["#", "4 times x ** 2", "x"]),
    "numbers that differ": (lambda: many(lambda k: X * k), ["#", "4 constants", "4 times x * y", "x"]),
    "a number that others use": (
        lambda: functions.sum([many(lambda k: X * TWO), many(lambda k: X.exp() - TWO)]),
        ["#", "#", "#", "2", "4 times exp(x)", "4 times x * 2", "4 times x - 2", "x"],
    ),
    "a chain": (
        lambda: many(lambda k: ((X - k) ** 2 + 1).log()), ["#", "4 constants", "4 times log(((x - y) ** 2) + 1)", "x"],
    ),
    "a chain that is used on its way": (
        lambda: functions.sum([h for k in range(4) for h in (lambda e: (e, e.sin()))(X.exp())]),
        ["#", "4 times exp(x)", "4 times sin(x)", "x"],
    ),
}  # fmt: skip
TWO = constant(2.0)


@pytest.mark.parametrize("case", SIMILAR_NODES)
def test_similar_nodes(case: str) -> None:
    build, expected = SIMILAR_NODES[case]
    assert texts(build(), collapse=0) == sorted(expected)


def test_a_running_sum_is_one_box_however_long_and_the_result_is_not_in_it() -> None:
    for count in (5, 500):
        total: Value = sum(X.exp() for _ in range(count))
        assert texts(total, collapse=0) == [
            "#",
            f"{count - 1} times x + y",
            f"{count} times exp(x)",
            "x",
        ]


def test_data_and_gradients_are_ranges() -> None:
    values = [Value(float(k), label=f"x.{k}") for k in range(5)]
    functions.sum([x * x for x in values]).backward()
    boxes, _ = parse(svg_of(functions.sum([x * x for x in values]), collapse=0))
    assert any(lines[2:] == ["data                 0 … 4", "grad                 0 … 8"] for lines in boxes.values())
    values[2].data = math.nan
    boxes, _ = parse(svg_of(functions.sum(values), collapse=0))
    assert any(lines[2] == "data                   nan" for lines in boxes.values())


def test_long_graphs_need_no_recursion() -> None:
    root = Value(1.0)
    for _ in range(5_000):
        root = (root * 1.5).tanh()
    diagram = viz.draw(root, collapse="auto")
    assert diagram.source.count(" -> ") == diagram.edges
    assert viz.draw(many(lambda k: chain(X, 3_000)), collapse=0).nodes == 3


def chain(node: Value, length: int) -> Value:
    for _ in range(length):
        node = node.tanh()
    return node


# --- loops


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] != pair[1]), unique=True))
def test_without_the_arrows_that_lead_back_there_is_no_loop(pairs: list[tuple[int, int]]) -> None:
    back = loops(pairs)

    def has_loop(some: list[tuple[int, int]]) -> bool:
        sorter: TopologicalSorter[int] = TopologicalSorter()
        for tail, head in some:
            sorter.add(head, tail)
        try:
            sorter.prepare()
        except CycleError:
            return True
        return False

    assert back <= set(pairs)
    assert bool(back) == has_loop(pairs)
    assert not has_loop([pair for pair in pairs if pair not in back])


def test_a_layer_that_is_used_again_and_again(either: None) -> None:
    cell = nn.MLP(2, [3, 1], "tanh", seed=0)
    state = Value(0.0, label="start")
    for x in (0.5, -1.0, 2.0, 1.0, 3.0):
        state = cell([state - 1, x])[0]
    for level in ("layer", 0, "auto"):
        diagram = viz.draw(state.square(), collapse=level)
        assert len(parse(diagram._repr_mimebundle_()["image/svg+xml"])[0]) == diagram.nodes
    assert "constraint=false" in viz.draw(state.square(), collapse="layer").source


# --- moments


def test_a_moment_marks_the_box_of_the_node_at_work_and_has_its_gradients() -> None:
    model, loss = perceptron(4, (2, 1))
    trace = Trace(loss)
    layer = {parameter: k for k in range(2) for parameter in model.layers[k].parameters()}
    order = list(trace.nodes)
    groups, _ = collapsed(order, [loss], "layer")
    inside = {node: k for k, group in enumerate(groups) for node in group.nodes}
    for at in range(0, len(trace) + 1, 7):
        boxes, arrows = parse(svg_of(trace, at=at, collapse="layer"))
        lines = {" ".join(text[0].replace(" now", "").split()): text for text in boxes.values()}
        state = trace.state(at)
        marked = [title for title, text in lines.items() if any("now" in line for line in text)]
        work = groups[inside[trace[at - 1].node]] if at else None
        assert len(marked) == bool(work)
        if work and work.module:
            assert marked == [f"{work.module} × 4"]
        for k in range(2):
            norm = math.sqrt(sum(state[parameter] ** 2 for parameter, place in layer.items() if place == k))
            shown = lines[f"layers.{k} × 4"][-1].removeprefix("|grad|").strip()
            waiting = all(
                order.index(node) >= at for node in order if inside[node] == inside[model.layers[k].parameters()[0]]
            )
            assert shown == "" if waiting else float(shown) == pytest.approx(norm, rel=1e-4)
        done = [event for event in trace.contributions if event.index < at]
        passed = Counter((inside[event.parent], inside[event.node]) for event in done)
        counts = sorted(n for pair, n in passed.items() if pair[0] != pair[1])
        told = [line.split() for _, text in arrows for line in text]
        assert sorted(int(words[0]) for words in told if words[1:] == ["passed"]) == counts


def test_boxes_stay_where_they_are_through_all_moments() -> None:
    trace = Trace(perceptron(4, (2, 1))[1])

    def places(k: int) -> list[float]:
        svg = svg_of(trace, at=k, collapse="layer", color="grad")
        return [float(x) for found in re.findall(r'<(?:polygon|path|ellipse) [^>]*?(?:points|d)="([^"]*)"', svg)
                for x in re.findall(r"-?[\d.]+", found)][:40]  # fmt: skip

    first, *others = [places(k) for k in range(0, len(trace) + 1, 25)]
    assert first and all(other == pytest.approx(first, abs=0.5) for other in others)


@pytest.mark.parametrize("collapse", ["all", "", True, False, -1, 1.5, [], "0"])
def test_levels_that_are_none(collapse: Any) -> None:
    with pytest.raises(
        ValueError, match=r"collapse must be one of None, neuron, layer, auto, or a number .*; got .*; use"
    ):
        viz.draw(Value(1.0), collapse=collapse)
