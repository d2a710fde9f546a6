"""`viz.draw` of a module: each parameter counted once, kinds as the module tells them, arrows where sizes fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from diagrams import parse, svg_of
from labels import HOSTILE, SHOWN
from machines import either, only

import nn
import viz
from engine import Value

pytest.importorskip("graphviz")
pytest.importorskip("pygraphviz")
__all__ = ["either", "only"]  # fixtures


class Net(nn.Module):
    """Of modules that follow each other and one that is shared."""

    def __init__(self) -> None:
        self.encoder = nn.MLP(4, [8, 3], "tanh", seed=0)
        self.head = nn.Layer(3, 2, seed=0)
        self.scale = Value(1.0)
        self.again = self.encoder.layers[0]


class Branches(nn.Module):
    """Of modules side by side: what one gives does not fit what the other takes."""

    def __init__(self) -> None:
        self.left, self.right = nn.Layer(4, 2, seed=0), nn.Layer(4, 3, seed=0)


class Tensor:
    def __init__(self, size: int) -> None:
        self.size = size

    def numel(self) -> int:
        return self.size


class Foreign:
    """A module of another library: parameters are tensors, and the last child says nothing of its sizes."""

    def __init__(self, text: str = "Foreign(\n  (0): Linear\n)", **sizes: int) -> None:
        self.text = text
        vars(self).update(sizes)
        self.inner: dict[str, Foreign] = {}

    def __repr__(self) -> str:
        return self.text

    def named_modules(self) -> Iterator[tuple[str, Any]]:
        yield "", self
        yield from self.inner.items()

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        for name in self.inner:
            yield f"{name}.weight", Tensor(6)


def foreign() -> Foreign:
    module = Foreign()
    module.inner = {"0": Foreign("Linear(2, 3)", in_features=2, out_features=3), "1": Foreign("ReLU()")}
    module.inner["2"] = Foreign("Linear(3, 2)", in_features=3, out_features=2)
    return module


MLP_TEXT = """\
MLP(2 -> 3 relu -> 1 linear)  13 parameters
layers.0  Layer(2 -> 3, relu)  9 parameters
layers.1  Layer(3 -> 1, linear)  4 parameters"""

NET_TEXT = """\
Net  76 parameters
encoder  MLP(4 -> 8 tanh -> 3 linear)  67 parameters
  layers.0  Layer(4 -> 8, tanh)  40 parameters
  layers.1  Layer(8 -> 3, linear)  27 parameters
head  Layer(3 -> 2, linear)  8 parameters"""

# module, depth, its text, boxes, arrows, and the first line of the caption
MODULES: dict[str, tuple[Any, int | None, str, list[str], list[str], str]] = {
    "perceptron": (nn.MLP(2, [3, 1], seed=0), None, MLP_TEXT, ["m1", "m2"], ["m1->m2"], "MLP: 13 parameters"),
    "one level": (nn.MLP(2, [3, 1], seed=0), 1, MLP_TEXT, ["m1", "m2"], ["m1->m2"], "MLP: 13 parameters"),
    "closed": (nn.MLP(2, [3, 1], seed=0), 0, MLP_TEXT.splitlines()[0], ["m0"], [], "MLP: 13 parameters"),
    "nested and shared": (
        Net(), None, NET_TEXT, ["m2", "m3", "m4"], ["m2->m3", "m3->m4"],
        "Net: 76 parameters, 1 of them outside these boxes",
    ),
    "nested, closed": (
        Net(), 1, "\n".join(NET_TEXT.splitlines()[:2] + NET_TEXT.splitlines()[-1:]), ["m1", "m2"], ["m1->m2"],
        "Net: 76 parameters, 1 of them outside these boxes",
    ),
    "branches": (
        Branches(), None,
        "Branches  25 parameters\nleft  Layer(4 -> 2, linear)  10 parameters\n"
        "right  Layer(4 -> 3, linear)  15 parameters",
        ["m1", "m2"], [], "Branches: 25 parameters",
    ),
    "a neuron": (
        nn.Neuron(2, "tanh", seed=0), None, "Neuron(2 inputs, tanh)  3 parameters", ["m0"], [], "Neuron: 3 parameters"
    ),
    "foreign": (
        foreign(), None,
        "Foreign  18 parameters\n0  Linear(2, 3)  6 parameters\n1  ReLU  6 parameters\n2  Linear(3, 2)  6 parameters",
        ["m1", "m2", "m3"], ["m1->m2", "m2->m3"], "Foreign: 18 parameters",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MODULES)
def test_boxes_arrows_and_counts(either: None, case: str) -> None:
    module, depth, text, names, pairs, caption = MODULES[case]
    diagram = viz.draw(module, depth=depth)
    assert diagram.text == text
    svg = diagram._repr_mimebundle_()["image/svg+xml"]
    boxes, arrows = parse(svg)
    inside = {name: lines for name, lines in boxes.items() if name not in ("input", "output")}
    assert sorted(inside) == names
    shown = [[part.rstrip() for part in lines] for lines in inside.values()]
    assert all([line.strip() for line in text.splitlines()].count("  ".join(lines)) == 1 for lines in shown)
    assert [name for name, _ in arrows if "put" not in name] == pairs
    assert caption in svg.replace("&#160;", " ").replace("\u00a0", " ")


def test_neurons_stand_side_by_side_between_inputs_and_outputs() -> None:
    boxes, arrows = parse(svg_of(nn.MLP(1, [2, 1], seed=0), depth=2))
    names = {" ".join(lines[0].split()): name for name, lines in boxes.items()}
    assert {"1 input", "1 output", "neuron 0", "neuron 1"} == set(names)
    assert len(arrows) == 2 + 2 + 1


def test_the_counts_of_all_boxes_add_up() -> None:
    model = nn.MLP(5, [4, 3, 2], seed=0)
    for depth in (0, 1, 2):
        boxes, _ = parse(svg_of(model, depth=depth))
        counts = [int(lines[-1].split()[0]) for name, lines in boxes.items() if name.startswith("m")]
        assert sum(counts) == len(model.parameters())


def test_layers_come_from_top_to_bottom_unless_told_otherwise() -> None:
    model = nn.MLP(2, [3, 1], seed=0)
    assert "rankdir=TB" in viz.draw(model).source
    assert "rankdir=LR" in viz.draw(model, rankdir="LR").source


def test_hostile_names_are_text(either: None) -> None:
    module = Foreign()
    module.inner = {f"m{k}": Foreign(text) for k, (text, _) in enumerate(SHOWN.values())}
    boxes, _ = parse(svg_of(module))
    assert len(boxes) == len(SHOWN)
    for k, (text, shown) in enumerate(SHOWN.values(), 1):
        if "\n" not in text and len(text) <= 40:
            assert boxes[f"m{k}"][1].rstrip() == shown
    module.inner = {text.replace(".", ""): Foreign("Same()") for text, _ in SHOWN.values()}
    boxes, _ = parse(svg_of(module))
    shown = {lines[0].rstrip() for lines in boxes.values()}
    assert {text for text in HOSTILE.values() if "." not in text and len(text) <= 40} <= shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at": 3}, "at is for graphs; got at=3 with a module; draw what it computed"),
        ({"collapse": "layer"}, "collapse is for graphs; got collapse='layer' with a module"),
        ({"color": "grad"}, "color is for graphs"),
        ({"depth": "1"}, "depth must be a whole number of levels; got '1'; use depth=1"),
        ({"depth": True}, "depth must be a whole number of levels; got True"),
    ],
)
def test_mistakes(options: Any, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        viz.draw(nn.Neuron(2, seed=0), **options)
    assert message in str(caught.value)


def test_a_class_of_modules_is_no_module_and_a_graph_has_no_depth() -> None:
    with pytest.raises(TypeError, match="draw shows a Value"):
        viz.draw(nn.MLP)
    with pytest.raises(TypeError, match="only a module has a depth; got depth=1 without one"):
        viz.draw(Value(1.0), depth=1)


def test_many_arrows_are_straight_and_the_advice_is_concrete() -> None:
    diagram = viz.draw(nn.MLP(2, [12, 12, 1], seed=0), depth=2)
    assert "splines=line" in diagram.source and "depth=1" in diagram.advice
