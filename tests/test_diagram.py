"""`viz.draw` and `Diagram`: what is in the picture, whatever the labels are, in files and in notebooks."""

from __future__ import annotations

import itertools
import math
import sys
import xml.etree.ElementTree as ET

import pytest
from diagrams import SVG, active_parts, expression, network, parse, svg_of
from hypothesis import given, settings
from hypothesis import strategies as st
from labels import HOSTILE, SHOWN
from machines import either, only
from processes import same_output

import viz
from engine import Value, constant, functions
from engine.graph import topological_order
from viz.dot import label as _label

pytest.importorskip("graphviz")
pytest.importorskip("pygraphviz")
__all__ = ["either", "only"]  # fixtures


# --- what is in the picture


def test_boxes_and_edges(either):
    boxes, edges = parse(svg_of(expression()))
    assert boxes == {
        "n1": ["a", "data           2", "grad  -0.0040229"],
        "n2": ["b", "data          -3", "grad   0.0026819"],
        "n3": ["#3", "a * b", "data          -6", "grad    0.001341"],
        "n4": ["10"],
        "n5": ["#5", "#3 + 10", "data           4", "grad    0.001341"],
        "n6": ["loss", "tanh(#5)", "data     0.99933", "grad           1"],
    }
    assert edges == [
        ("n1->n3", ["-3"]), ("n2->n3", ["2"]), ("n3->n5", ["1"]), ("n4->n5", []), ("n5->n6", ["0.001341"]),
    ]  # fmt: skip


def test_a_repeated_operand_is_one_edge_for_each_time(either):
    a = Value(3.0, label="a")
    assert parse(svg_of(a * a))[1] == [("n1->n2", ["3"])] * 2
    assert parse(svg_of(functions.sum([a, a, a])))[1] == [("n1->n2", ["1"])] * 3


@pytest.mark.parametrize("build", [expression, network])
def test_one_box_for_each_node(either, build):
    order = topological_order(build())
    boxes, edges = parse(svg_of(order[-1]))
    assert len(boxes) == len(order)
    assert len(edges) == sum(len(node.parents) for node in order)
    assert set(boxes) == {f"n{k}" for k in range(1, len(order) + 1)}


@pytest.mark.parametrize(("data", "text"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf"), (0.0, "0")])
def test_numbers_that_are_not_finite(data, text):
    a = Value(data)
    a.grad = data
    boxes, _ = parse(svg_of(a))
    assert boxes["n1"] == ["#1", f"data {text:>11}", f"grad {text:>11}"]


def test_boxes_keep_their_size_when_numbers_change():
    def corners(grad: float) -> list[str]:
        a = Value(2.0, label="a")
        a.grad = grad
        return [shape.get("points") for shape in ET.fromstring(svg_of(a)).iter(f"{SVG}polygon")]

    assert corners(0.0) == corners(-1.23456789e-11)


def test_kinds_of_node_differ_without_colour(either):
    shapes = {}
    for group in ET.fromstring(svg_of(expression())).iter(f"{SVG}g"):
        if group.get("class") == "node":
            tags = [child.tag.removeprefix(SVG) for child in group]
            shape = group[tags.index(next(tag for tag in tags if tag in ("polygon", "path", "ellipse")))]
            shapes[group.findtext(f"{SVG}title")] = (
                shape.tag.removeprefix(SVG), bool(shape.get("stroke-dasharray")), shape.get("stroke-width"),
            )  # fmt: skip
    assert shapes == {
        "n1": ("polygon", False, "1.5"),  # a leaf has square corners
        "n2": ("polygon", False, "1.5"),
        "n3": ("path", False, None),
        "n4": ("ellipse", True, None),  # a constant
        "n5": ("path", False, None),
        "n6": ("path", False, "2.5"),  # the result
    }


def test_options():
    loss = expression()
    boxes, edges = parse(svg_of(loss, show_constants=False))
    assert set(boxes) == {"n1", "n2", "n3", "n5", "n6"}  # numbers do not depend on what is shown
    assert "n4->n5" not in dict(edges) and boxes["n5"][1] == "#3 + 10"
    assert parse(svg_of(loss, show_grad=False))[0]["n1"] == ["a", "data           2"]
    assert list(parse(svg_of(constant(3.0), show_constants=False))[0].values()) == [["3"]]


@pytest.mark.parametrize(
    ("rankdir", "axis", "sign"), [("LR", "x", 1), ("RL", "x", -1), ("TB", "y", 1), ("BT", "y", -1)]
)
def test_rankdir(rankdir, axis, sign):
    texts = ET.fromstring(svg_of(Value(1.0, "a").exp(), rankdir=rankdir)).iter(f"{SVG}text")
    position = {text.text: float(text.get(axis)) for text in texts}
    assert sign * (position["exp(a)"] - position["a"]) > 50


def test_several_results_are_one_picture():
    a = Value(2.0, label="a")
    boxes, edges = parse(svg_of((a.exp(), a.sin(), a)))
    assert [boxes[name][1] for name in ("n2", "n3")] == ["exp(a)", "sin(a)"] and len(boxes) == 3
    assert len(edges) == 2


def test_drawing_changes_nothing_and_shows_the_moment_it_was_made():
    a = Value(2.0, label="a")
    root = a * a
    root.backward()
    states = [node.grad for node in topological_order(root)]
    diagram = viz.draw(root)
    diagram._repr_mimebundle_()
    assert [node.grad for node in topological_order(root)] == states
    source = diagram.source
    root.backward()
    a.data, a.label = 7.0, "b"
    assert diagram.source == source != viz.draw(root).source


def test_source_and_picture_have_the_same_bytes_in_every_process():
    same_output(
        "import viz; from diagrams import network; loss = network(); diagram = viz.draw(loss)\n"
        "print(diagram.source, viz.tree(loss), diagram._repr_mimebundle_()['image/svg+xml'])"
    )


def test_a_deep_graph_needs_no_recursion():
    root = Value(1.0)
    for _ in range(20_000):
        root = root * 1.5
    diagram = viz.draw(root, show_constants=False)
    assert (diagram.nodes, diagram.edges) == (20_001, 20_000)
    assert diagram.source.count(" -> ") == 20_000


# --- labels are text


def test_hostile_labels_are_shown_as_text(either):
    # All in one picture: on results, on leaves and on constants.
    nodes = []
    for label, _ in SHOWN.values():
        leaf, number = Value(1.0, label=label), constant(2.0)
        number.label = label
        nodes += [leaf, number]
    svg = svg_of(nodes)
    boxes, edges = parse(svg)
    shown = [text for _, text in SHOWN.values() for _ in range(2)]
    assert [boxes[f"n{k}"][0] for k in range(1, len(nodes) + 1)] == shown
    assert len(boxes) == len(nodes) and not edges
    assert not active_parts(svg)


@pytest.mark.parametrize("label", HOSTILE.values(), ids=HOSTILE)
def test_hostile_labels_in_formulas_are_shown_as_text(label):
    a = Value(1.0, label=label[:14])
    boxes, edges = parse(svg_of(a.exp()))
    assert boxes["n2"][1] == f"exp({label[:14]})"
    assert [name for name, _ in edges] == ["n1->n2"]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=10, max_size=30))
def test_any_labels_are_shown_as_text(labels):
    nodes = [Value(1.0, label=label) for label in labels]
    boxes, _ = parse(svg_of(nodes))
    titles = [line.split("  ")[0] for line in viz.tree(nodes, max_nodes=99).splitlines()[1:]]
    assert len(boxes) == len(nodes)
    for k, (label, line) in enumerate(zip(labels, titles, strict=True), 1):
        shown = boxes[f"n{k}"][0]
        if label.isprintable() and 0 < len(label) <= 40:
            assert shown == label
        elif label and "  " not in label.replace("\u00a0", " "):
            assert shown.rstrip() == line.replace("\u00a0", " ").rstrip()


def test_a_label_is_never_taken_for_html():
    quote = pytest.importorskip("graphviz.quoting").quote
    assert quote(_label(["<b>"])) == '"<b>"'


def test_ids_differ_between_pictures_and_agree_between_runs():
    def ids(value: Value) -> list[str]:
        return [element.get("id") for element in ET.fromstring(svg_of(value)).iter() if element.get("id")]

    first, second = ids(expression()), ids(network())
    assert len(first) == len(set(first)) == 1 + 6 + 5
    assert not set(first) & set(second)
    assert first == ids(expression())


# --- files

MAGIC = {
    "svg": b"<?xml",
    "png": b"\x89PNG\r\n",
    "pdf": b"%PDF",
    "dot": b"digraph glassgrad {",
    "gv": b"digraph glassgrad {",
}


@pytest.mark.parametrize("extension", [*MAGIC, "SVG"])
def test_the_extension_is_the_format(either, tmp_path, extension):
    path = tmp_path / f"the graph.{extension}"
    assert viz.draw(expression()).save(str(path)) == path
    assert path.read_bytes().startswith(MAGIC[extension.lower()])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bin", path.name]


@pytest.mark.parametrize("name", ["graph", "graph.jpeg", "graph.", ".svg", "graph.svg.exe"])
def test_an_unknown_extension_lists_the_choices(tmp_path, name):
    with pytest.raises(ValueError, match=r"one of \.svg, \.png, \.pdf, \.dot, \.gv; got .*; use '.*\.svg'"):
        viz.draw(Value(1.0)).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such folder .*; got .*; make '.*nowhere' first"):
        viz.draw(Value(1.0)).save(tmp_path / "nowhere" / "graph.svg")


@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch, failure):
    path = tmp_path / "graph.dot"
    path.write_text("old")

    def fail(self, content):
        self.touch()
        raise failure

    monkeypatch.setattr("pathlib.Path.write_bytes", fail)
    with pytest.raises(type(failure)):
        viz.draw(Value(1.0)).save(path)
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a privilege there")
def test_saving_to_a_symbolic_link_writes_what_it_points_to(tmp_path):
    (tmp_path / "link.dot").symlink_to(tmp_path / "target.dot")
    viz.draw(Value(1.0)).save(tmp_path / "link.dot")
    assert (tmp_path / "link.dot").is_symlink() and "digraph" in (tmp_path / "target.dot").read_text()


# --- notebooks


def test_the_bundle_has_text_and_picture(either):
    diagram = viz.draw(expression())
    bundle = diagram._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/svg+xml"}
    assert bundle["text/plain"] == f"{diagram!r}\n{viz.tree(expression())}"
    assert set(diagram._repr_mimebundle_(include=["text/plain"])) == {"text/plain"}
    assert set(diagram._repr_mimebundle_(exclude=["text/plain"])) == {"image/svg+xml"}


# --- mistakes

WRONG = {
    "number": (3.0, {}, TypeError, "got float"),
    "text": ("loss", {}, TypeError, "got str"),
    "mixed": ((Value(1.0), 2.0), {}, TypeError, "got float at position 1 of the tuple"),
    "empty": ((), {}, ValueError, "got an empty tuple"),
    "rankdir": (Value(1.0), {"rankdir": "left"}, ValueError, "one of LR, RL, TB, BT; got 'left'"),
    "text time": (Value(1.0), {"time_limit": "10"}, TypeError, "got '10'"),
    "no time": (Value(1.0), {"time_limit": 0}, ValueError, "got 0"),
    "nan time": (Value(1.0), {"time_limit": math.nan}, ValueError, "got nan"),
}


@pytest.mark.parametrize(("value", "options", "error", "message"), WRONG.values(), ids=WRONG)
def test_mistakes(value, options, error, message):
    with pytest.raises(error) as caught:
        viz.draw(value, **options)
    assert message in str(caught.value)
    assert str(caught.value).count(";") == 2


def test_repr_counts_in_words():
    a = Value(1.0)
    texts = [repr(viz.draw(value)) for value in (a, a.exp(), a * a)]
    counts = ["1 box and 0 arrows", "2 boxes and 1 arrow", "2 boxes and 2 arrows"]
    assert [count in text for count, text in itertools.zip_longest(counts, texts)] == [True] * 3
