"""Fills by numbers: legible on every fill, symmetric, the stronger the further from zero, and never colour alone."""

from __future__ import annotations

import itertools
import math
import xml.etree.ElementTree as ET
from typing import Any, cast

import pytest
from diagrams import SVG, expression, parse, svg_of
from hypothesis import given
from hypothesis import strategies as st

import viz
from engine import Trace, Value, constant
from viz import boxes, dot, moment
from viz.heat import DECADES, NAMES, Heat

pytest.importorskip("graphviz")
pytest.importorskip("pygraphviz")

TINY = 5e-324
AMOUNTS = [0.0, -0.0, TINY, 1e-300, 1e-9, 0.003, 0.5, 1.0, 7.0, 1e300, math.inf]
AMOUNTS += [-amount for amount in AMOUNTS] + [math.nan]


def luminance(color: str) -> float:
    """Relative luminance as WCAG 2.1 defines it."""
    parts = [int(part, 16) / 255 for part in (color[1:3], color[3:5], color[5:7])]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def looks(amounts: list[float | str], largest: float | None = None) -> list[dict[str, str]]:
    nodes: list[Value] = [Value(0.0) for _ in amounts]
    heat = Heat("x", dict(zip(nodes, amounts, strict=True)), largest)
    return [heat.look([node]) for node in nodes]


def distance(color: str) -> int:
    """From white."""
    return sum(255 - int(color[k : k + 2], 16) for k in (1, 3, 5))


@given(st.lists(st.floats(), min_size=1, max_size=20))
def test_text_can_be_read_on_every_fill(amounts: list[float]) -> None:
    for look in looks([*amounts, *AMOUNTS]):
        assert contrast(look["fillcolor"], look["fontcolor"]) >= 4.5


def test_text_can_be_read_on_every_named_colour_and_on_every_grey() -> None:
    greys = [f"#{k:02x}{k:02x}{k:02x}" for k in range(256)]
    for look in looks([*NAMES.values(), *greys]):
        assert contrast(look["fillcolor"], look["fontcolor"]) >= 4.5


def test_text_can_be_read_on_all_other_fills() -> None:
    for look in (boxes.LEAF_LOOK, boxes.MODULE_LOOK, moment.WAITING_NODE, moment.NODE_AT_WORK, boxes.CONSTANT_LOOK):
        merged = {**dot.NODE, **look}
        assert contrast(merged["fillcolor"], merged["fontcolor"]) >= 4.5
    for fill in dot.CLUSTER_FILLS:
        assert contrast(fill, dot.CLUSTER["fontcolor"]) >= 4.5 and contrast(fill, dot.EDGE["fontcolor"]) >= 4.5


def test_the_further_from_zero_the_stronger_and_signs_differ() -> None:
    scale = [0.0, *(10.0**-k for k in range(DECADES, -1, -1))]
    fills = [look["fillcolor"] for look in looks([*scale])]
    assert fills[0] == "#ffffff" and distance(fills[1]) > 15
    assert all(distance(less) < distance(more) for less, more in itertools.pairwise(fills))
    for above, below in zip(fills[1:], looks([-amount for amount in scale[1:]]), strict=True):
        red, blue = (int(above[1:3], 16), int(above[5:7], 16))
        assert red > blue and int(below["fillcolor"][1:3], 16) < int(below["fillcolor"][5:7], 16)


def test_the_scale_ends_at_the_largest_finite_number_or_where_it_is_told() -> None:
    assert looks([2.0, math.inf, math.nan])[0]["fillcolor"] == looks([1e9])[0]["fillcolor"]
    assert looks([2.0], largest=2.0) == looks([-2.0, 2.0])[1:]
    assert distance(looks([2.0], largest=200.0)[0]["fillcolor"]) < distance(looks([2.0])[0]["fillcolor"])
    assert looks([TINY, -TINY])[0]["fillcolor"] == looks([1.0])[0]["fillcolor"]


def test_what_is_not_finite_has_a_dashed_border() -> None:
    for amount in AMOUNTS:
        assert ("dashed" in looks([amount])[0].get("style", "")) == (not math.isfinite(amount))


def test_a_box_of_several_nodes_has_the_number_furthest_from_zero() -> None:
    a, b, c, d = [Value(0.0) for _ in range(4)]
    heat = Heat("x", {a: 1.0, b: -3.0, c: math.nan, d: -math.inf})
    assert [heat.row(nodes) for nodes in ([a, b], [a, b, d], [a, c, d], [Value(1.0)])] == ["-3", "-inf", "nan", ""]
    assert heat.look([a, b]) == heat.look([b])


# --- on diagrams


def fills(value: Any, **options: Any) -> dict[str | None, tuple[str | None, str | None]]:
    """Fill of each box, and the colour of its text."""
    found = {}
    for group in ET.fromstring(svg_of(value, **options)).iter(f"{SVG}g"):
        if group.get("class") == "node":
            text = group.find(f"{SVG}text")
            assert text is not None
            shape = next(child for child in group if child.get("fill"))
            found[group.findtext(f"{SVG}title")] = (shape.get("fill"), text.get("fill"))
    return found


def test_gradients_fill_boxes_and_have_their_signs() -> None:
    shown, _ = parse(svg_of(expression(), color="grad"))
    assert [shown[f"n{k}"][-1] for k in range(1, 7)] == [
        "grad  -0.0040229", "grad  +0.0026819", "grad   +0.001341", "10", "grad   +0.001341", "grad          +1",
    ]  # fmt: skip
    found = fills(expression(), color="grad")
    assert found["n4"][0] == "none", "a constant has no gradient"
    colors = [cast(str, found[name][0]) for name in ("n3", "n2", "n6")]
    assert sorted(colors, key=distance) == colors
    legend = "fill: grad, from -1 (blue) through 0 (white) to +1 (orange), logarithmic"
    assert legend in viz.draw(expression(), color="grad").source.replace("\u00a0", " ")


def test_the_sign_is_there_without_the_gradient() -> None:
    shown, _ = parse(svg_of(expression(), color="grad", show_grad=False))
    assert shown["n1"] == ["a", "data           2", "grad  -0.0040229"]


def test_a_function_fills_by_its_number_or_with_its_colour() -> None:
    def size(node: Value) -> float | str | None:
        return {"a": -0.5, "b": "gold", "loss": math.nan}.get(node.label or "")

    shown, _ = parse(svg_of(expression(), color=size))
    assert shown["n1"][-1] == "size        -0.5" and shown["n6"][-1] == "size         nan"
    assert shown["n2"] == parse(svg_of(expression()))[0]["n2"]
    found = fills(expression(), color=size)
    assert found["n2"] == ("#ffd700", "#000000")
    assert found["n3"] == fills(expression())["n3"]


def test_every_moment_of_a_trace_has_the_same_scale() -> None:
    a = Value(3.0, label="a")
    trace = Trace(a * a * 0.01)
    legends = {viz.draw(trace, at=k, color="grad").source.partition("fill:")[2][:60] for k in range(len(trace) + 1)}
    assert len(legends) == 1 and legends.pop()
    waiting = fills(trace, at=0, color="grad")
    assert {fill for fill, _ in waiting.values()} <= {"white", "none", "#ffffff"}


def test_hostile_names_of_functions_are_text() -> None:
    def function(node: Value) -> float:
        return node.data

    function.__name__ = '</title>"\\N\n\u202e'
    svg = svg_of(expression(), color=function)
    assert "</title>&quot;" not in svg and len(parse(svg)[0]) == 6


@pytest.mark.parametrize(
    ("color", "error", "message"),
    [
        ("data", ValueError, "color must be None, \"grad\" or a function of a node; got 'data'"),
        (3, ValueError, "got 3"),
        (lambda node: "blurple", ValueError, "there is no such colour; got 'blurple'; use '#rrggbb' or one of white"),
        (lambda node: '"] evil [', ValueError, "there is no such colour"),
        (lambda node: "#12345", ValueError, "there is no such colour"),
        (
            lambda node: [1.0],
            TypeError,
            "color must give a number, a colour or None for each node; got [1.0] for Value",
        ),
    ],
)
def test_mistakes(color: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        viz.draw(constant(1.0), color=color)
    assert message in str(caught.value)
    assert str(caught.value).count(";") >= 2


def test_constants_are_filled_too() -> None:
    source = viz.draw(Value(1.0) * 2, color=lambda node: node.data).source
    assert 'style="filled,dashed"' in source
    assert "style=dashed" in viz.draw(Value(1.0) * 2).source
