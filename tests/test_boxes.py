"""What stands on boxes and arrows by the options of `viz.draw`: frames, labels of arrows, names that are only text."""

from __future__ import annotations

import re
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from diagrams import SVG, active_parts, by_hand, expression, parse, perceptron, svg_of
from hypothesis import given, settings
from hypothesis import strategies as st
from labels import SHOWN
from machines import either, only
from processes import same_output

import nn
import viz
from engine import Trace, Value, functions
from viz.wording import visible

pytest.importorskip("graphviz")
pytest.importorskip("pygraphviz")
__all__ = ["either", "only"]  # fixtures


def frames(svg: str) -> dict[str, ET.Element]:
    """The frames of modules by their titles."""
    found = {}
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        if group.get("class") == "cluster":
            found["".join(group.findtext(f"{SVG}text") or "").replace("\u00a0", " ")] = group
    return found


def corners(group: ET.Element) -> tuple[float, float, float, float]:
    shape = next(child for child in group if child.get("d") or child.get("points"))
    numbers = [float(x) for x in re.findall(r"-?[\d.]+", shape.get("d") or shape.get("points") or "")]
    return min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2])


# --- frames


def test_modules_are_frames_in_frames_around_their_nodes(either: None) -> None:
    _, loss = perceptron(1, (2, 1))
    svg = svg_of(loss)
    boxes = {
        group.findtext(f"{SVG}title"): group
        for group in ET.fromstring(svg).iter(f"{SVG}g") if group.get("class") == "node"
    }  # fmt: skip
    found = frames(svg)
    assert {"layers.0", "layers.1", "neuron 0", "neuron 1"} == set(found)
    outer, inner = corners(found["layers.0"]), corners(found["neuron 1"])
    assert outer[0] < inner[0] and outer[1] < inner[1] and inner[2] < outer[2] and inner[3] < outer[3]
    inside = []
    for name, lines in parse(svg)[0].items():
        if boxes[name].find(f"{SVG}ellipse") is None:  # a constant, which stands outside
            box = corners(boxes[name])
            if (
                all(low < x for low, x in zip(inner[:2], box[:2], strict=True))
                and box[2] < inner[2]
                and box[3] < inner[3]
            ):
                inside.append(lines[0])
    names = {f"layers.0.neurons.1.{rest}" for rest in ("weight.0", "weight.1", "bias")}
    assert names < set(inside) and len(inside) == 3 + 3  # with dot, add and relu


def test_frames_can_be_left_out() -> None:
    _, loss = perceptron(1, (2, 1))
    assert not frames(svg_of(loss, show_modules=False))
    assert parse(svg_of(loss, show_modules=False)) == parse(svg_of(loss))
    collapsed = parse(svg_of(loss, show_modules=False, collapse="neuron"))[0]
    assert sorted(lines[0].rstrip() for lines in collapsed.values() if "neurons" in lines[0]) == [
        "layers.0.neurons.0", "layers.0.neurons.1", "layers.1.neurons.0",
    ]  # fmt: skip


# --- labels of arrows

LABELS = {
    "number": [["1"], ["-3"], ["2"], ["0.001341"]],
    "formula": [["1"], ["b"], ["a"], ["1 - loss ** 2"]],
    "both": [["1"], ["b = -3"], ["a = 2"], ["1 - loss ** 2 = 0.001341"]],
    "none": [[], [], [], []],
}


@pytest.mark.parametrize("edge_labels", LABELS)
def test_partials_as_numbers_and_formulas(either: None, edge_labels: str) -> None:
    _, arrows = parse(svg_of(expression(), edge_labels=edge_labels))
    assert sorted(lines for name, lines in arrows if name != "n4->n5") == sorted(LABELS[edge_labels])


def test_formulas_call_operands_as_boxes_do_and_repeated_operands_have_one_each() -> None:
    a = Value(3.0, label="a")
    _, arrows = parse(svg_of((a * a) * Value(4.0), edge_labels="formula"))
    assert arrows == [("n1->n2", ["a"]), ("n1->n2", ["a"]), ("n2->n4", ["#3"]), ("n3->n4", ["#2"])]
    squares = functions.dot([a, a], [a, Value(1.0, label="b")])
    assert [lines for _, lines in parse(svg_of(squares, edge_labels="formula"))[1]] == [["a"], ["a"], ["b"], ["a"]]


def test_formulas_at_a_moment() -> None:
    trace = Trace(expression())
    _, arrows = parse(svg_of(trace, edge_labels="both"))
    assert [line.strip() for line in dict(arrows)["n1->n3"]] == ["× b = -3", "-0.0040229"]
    assert all(not lines for _, lines in parse(svg_of(trace, edge_labels="none"))[1])


def test_many_arrows_of_a_network_have_no_text_and_the_caption_says_so() -> None:
    _, loss = perceptron(1)
    source = viz.draw(loss, collapse="neuron").source.replace("\u00a0", " ")
    assert "308 arrows are too many for partials beside them" in source and "splines=line" in source
    assert not re.search(r" -> .*label=", source)
    few = viz.draw(perceptron(1, (2, 1))[1], collapse="neuron").source.replace("\u00a0", " ")
    assert "too many" not in few and "splines" not in few


@pytest.mark.parametrize("edge_labels", ["numbers", "", None, 3])
def test_labels_that_are_none(edge_labels: Any) -> None:
    with pytest.raises(ValueError, match="edge_labels must be one of number, formula, both, none; got .*; use"):
        viz.draw(Value(1.0), edge_labels=edge_labels)


# --- hostile names


def named(name: str) -> Value:
    """A neuron in a module of that name."""
    w = Value(2.0, label=f"{name}.neurons.0.weight.0")
    return (w * Value(1.0, label=name[:30])).tanh()


@pytest.mark.parametrize("collapse", [None, "neuron", "layer", 0, "auto"])
def test_hostile_names_of_modules_are_text(either: None, collapse: Any) -> None:
    names = [name for name, _ in SHOWN.values() if "." not in name and len(name) < 100]
    svg = svg_of([named(name) for name in names], collapse=collapse, edge_labels="both", color="grad")
    boxes, arrows = parse(svg)
    titles = (
        set(frames(svg)) if collapse in (None, "neuron", "auto") else {lines[0].rstrip() for lines in boxes.values()}
    )
    assert {visible(name).rstrip() for name in names} <= {title.rstrip() for title in titles}
    assert len(arrows) == len(names) * (3 if collapse is None else 1) or collapse == "auto"
    assert not active_parts(svg)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=12), st.sampled_from(["neuron", "layer", 0, 1, "auto"]))
def test_any_names_of_modules(names: list[str], collapse: Any) -> None:
    diagram = viz.draw([named(name) for name in names], collapse=collapse, edge_labels="formula")
    assert len(parse(diagram._repr_mimebundle_()["image/svg+xml"])[0]) == diagram.nodes


# --- the same everywhere


def test_the_same_bytes_in_every_process() -> None:
    printed = same_output(
        "import viz; from diagrams import by_hand, perceptron; from engine import Trace\n"
        "model, loss = perceptron(5, (3, 2, 1))\n"
        "for level in (None, 'neuron', 'layer', 'auto', 0, 1, 2):\n"
        "    for root in (loss, by_hand(5, (3, 1))):\n"
        "        print(viz.draw(root, collapse=level, color='grad', edge_labels='both').source)\n"
        "print(viz.draw(Trace(loss), at=99, collapse='layer').source, viz.draw(model).source)"
    )
    assert len(printed) > 100_000


@pytest.mark.parametrize("options", [{"collapse": "auto", "color": "grad"}, {"edge_labels": "both"}])
def test_without_any_layout(only: Any, tmp_path: Path, options: dict[str, Any]) -> None:
    only(None, False)
    _, loss = perceptron(5, (2, 1))
    diagram = viz.draw(loss, **options)
    for drawn in (diagram, viz.draw(nn.MLP(2, [2, 1], seed=0))):
        with pytest.raises(RuntimeError, match="found neither"):
            drawn.save(tmp_path / "graph.svg")
        bundle = drawn._repr_mimebundle_()
        assert set(bundle) == {"text/plain"} and "There is no picture" in bundle["text/plain"]
    assert diagram.save(tmp_path / "graph.dot").read_text().startswith("digraph")


# --- too much


@pytest.mark.skipif(sys.platform == "win32", reason="scripts and process groups")
def test_programs_that_the_layout_started_end_with_it(only: Any, tmp_path: Path) -> None:
    note = tmp_path / "started"
    only(f"#!/bin/sh\n/bin/sleep 60 &\necho $! > {note}.part; /bin/mv {note}.part {note}\nwait\n", False)
    with pytest.raises(TimeoutError):
        viz.draw(expression()).save(tmp_path / "graph.svg", time_limit=1.0)
    started = int(note.read_text())
    for _ in range(100):  # until it is gone, or waits for its end to be noticed
        status = Path(f"/proc/{started}/stat")
        if not status.exists() or status.read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    pytest.fail("the program still runs")


def test_the_advice_proposes_to_collapse(tmp_path: Path) -> None:
    root = by_hand(10)
    with pytest.raises(TimeoutError) as caught:
        viz.draw(root, time_limit=0.5).save(tmp_path / "graph.svg")
    assert 'draw it with collapse="auto" or collapse="layer"' in str(caught.value)
    assert (tmp_path / "graph.svg.dot").exists()
    assert 'collapse="auto"' not in viz.draw(root, collapse="layer").advice
