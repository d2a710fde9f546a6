"""`viz.draw` of a trace: every moment shows exactly the state after so many events, and all have one layout."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any, cast

import pytest
from diagrams import SVG, expression, network, parse, svg_of
from labels import SHOWN
from processes import same_output

import viz
from engine import Trace, Value, constant, functions
from engine.events import Contribution
from engine.ops import CONSTANT
from viz.wording import number

pytest.importorskip("graphviz")
pytest.importorskip("pygraphviz")


def repeated() -> Value:
    a = Value(-3.0, label="a")
    rate = constant(0.1)
    rate.label = "rate"
    return functions.sum([a * a, a * rate, a])


def broken() -> Value:
    return (Value(0.0, label="zero").log() * Value(0.0, label="a long label of many words")) / 3e-200


GRAPHS = [expression, repeated, network, broken, lambda: Value(-0.0, label="alone")]


def drawn(diagram: viz.Diagram) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """From DOT, the attributes of each box, and of the arrows between each two; labels as lists of lines."""
    boxes: dict[str, Any] = {}
    arrows: dict[str, list[Any]] = {}
    for name, text in re.findall(r"^\t+(n\d+(?: -> n\d+)?) \[(.*)\]$", diagram.source, re.MULTILINE):
        pairs = re.findall(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^" ]+))', text)
        attributes: dict[str, Any] = {key: quoted or plain for key, quoted, plain in pairs}
        lines = attributes["label"].replace("\u00a0", " ").split("\\n") if "label" in attributes else []
        attributes["label"] = [" ".join(line.split()) for line in lines]
        if "->" in name:
            arrows.setdefault(name, []).append(attributes)
        else:
            boxes[name] = attributes
    return boxes, arrows


@pytest.mark.parametrize("build", GRAPHS)
def test_every_moment_shows_the_state_after_so_many_events(build: Callable[[], Value]) -> None:
    trace = Trace(build())
    names = {node: f"n{k}" for k, node in enumerate(trace.nodes, 1)}
    for k in range(len(trace) + 1):
        diagram = viz.draw(trace, at=k)
        boxes, arrows = drawn(diagram)
        gradients, event = trace.state(k), trace[k - 1] if k else None
        sweep = "" if event is None else ", backward" if isinstance(event, Contribution) else ", forward"
        assert f'" \\nstep {k} of {len(trace)}{sweep}"' in diagram.source.replace("\u00a0", " ")
        for place, node in enumerate(trace.nodes):
            lines, waiting = boxes[names[node]]["label"], place >= k
            now = event is not None and event.node is node
            if node.op is CONSTANT:
                assert lines[-2:] == ["" if waiting else number(node.data), "now" if now else ""]
            else:
                assert lines[0].endswith(" now") == now
                data, grad = ("", "") if waiting else (number(node.data), number(gradients[node]))
                assert lines[-2:] == [f"data {data}".strip(), f"grad {grad}".strip()]
            assert (boxes[names[node]].get("penwidth") == "3.5") == now
        for contribution in trace.contributions:
            node, parent, slot = contribution.node, contribution.parent, contribution.slot
            before = sum(other is parent for other in node.parents[:slot])
            arrow = arrows[f"{names[parent]} -> {names[node]}"][before]
            computed, passed = k > trace.nodes.index(node), k > contribution.index
            partial, amount = f"× {number(contribution.partial)}", f"{contribution.amount:+.5g}"
            assert arrow["label"] == [partial if computed else "", amount if passed else ""]
            width = "3.5" if k == contribution.index + 1 else "1.6" if passed else "0.7"
            assert (arrow["penwidth"], "dir" in arrow) == (width, passed)


@pytest.mark.parametrize("options", [{}, {"rankdir": "TB"}, {"color": "grad"}, {"edge_labels": "both"}])
@pytest.mark.parametrize("build", GRAPHS[:-1])
def test_boxes_stay_where_they_are(build: Callable[[], Value], options: dict[str, Any]) -> None:
    """To half a point: the picture's edge moves a little when an arrow there is turned."""

    def places(k: int) -> list[float]:
        picture = ET.fromstring(svg_of(trace, at=k, **options))
        shapes = [group[1] for group in picture.iter(f"{SVG}g") if group.get("class") == "node"]
        assert len(shapes) == len(trace.nodes)
        texts = [s.get(name, "") for s in shapes for name in ("points", "d", "cx", "cy", "rx")]
        return [
            float(number) for text in [picture.get("viewBox", ""), *texts] for number in re.findall(r"-?[\d.]+", text)
        ]

    trace = Trace(build())
    first, *others = [places(k) for k in range(0, len(trace) + 1, max(1, len(trace) // 8))]
    assert len(first) > 4 and all(other == pytest.approx(first, abs=0.5) for other in others)


def test_the_numbers_are_the_recorded_ones_and_drawing_touches_nothing() -> None:
    root = expression()
    trace = Trace(root)
    before = [(node.data, node.grad) for node in trace.nodes]
    pictures = [viz.draw(trace, at=k).source for k in range(len(trace) + 1)]
    assert [(node.data, node.grad) for node in trace.nodes] == before
    trace.nodes[0].data, trace.nodes[3].data = 77.0, 78.0
    root.zero_grad()
    assert [viz.draw(trace, at=k).source for k in range(len(trace) + 1)] == pictures


def test_the_end_is_the_default_and_options_hold() -> None:
    trace = Trace(expression())
    assert viz.draw(trace).source == viz.draw(trace, at=len(trace)).source
    diagram = viz.draw(trace, at=8, show_constants=False, show_grad=False, rankdir="TB", time_limit=3)
    boxes, arrows = drawn(diagram)
    assert set(boxes) == {"n1", "n2", "n3", "n5", "n6"}
    assert "rankdir=TB" in diagram.source and diagram.time_limit == 3
    assert boxes["n5"]["label"] == ["#5 now", "#3 + 10", "data 4"]
    assert (diagram.nodes, diagram.edges) == (5, sum(map(len, arrows.values()))) == (5, 4)


def test_the_text_for_notebooks_is_of_the_moment_too() -> None:
    a = Value(3.0, label="a")
    trace = Trace(a * a)
    assert viz.draw(trace, at=3).text.splitlines() == [
        "step 3 of 4, backward", *viz.tree(a * a).replace("           0\n", "           1\n", 1).splitlines()[:2],
        "├─ a #1                        3            3            3",
        "└─ a #1 (see above)                                      3",
    ]  # fmt: skip
    assert "step 3 of 4, backward" in viz.draw(trace, at=3)._repr_mimebundle_()["text/plain"]


def test_hostile_labels_are_shown_as_text() -> None:
    leaves = [Value(1.0, label=label) for label, _ in SHOWN.values()]
    boxes, _ = parse(svg_of(Trace(functions.sum(leaves)), at=3))
    for k, (_, shown) in enumerate(SHOWN.values(), 1):
        assert boxes[f"n{k}"][0].replace("now", "").split() == shown.split()


def test_a_picture_has_the_same_bytes_in_every_process() -> None:
    printed = same_output(
        "import viz; from diagrams import network; from engine import Trace\n"
        "trace = Trace(network()); print(*(viz.draw(trace, at=k).source for k in range(0, len(trace) + 1, 9)))"
    )
    assert len(printed) > 10_000


def test_a_deep_graph_needs_no_recursion() -> None:
    root = Value(1.0)
    for _ in range(3_000):
        root = root * 1.5
    trace = Trace(root)
    diagram = viz.draw(trace, at=len(trace) - 2, show_constants=False)
    assert (diagram.nodes, diagram.edges) == (3_001, 3_000)


@pytest.mark.parametrize(
    ("kind", "message", "make"),
    [
        (TypeError, "only a trace has moments; got at=2 without one; draw", lambda x: viz.draw(x, at=2)),
        (TypeError, "only a trace has moments; got at=0 without one", lambda x: viz.draw([x], at=0)),
        (IndexError, "after 0 to 4 events; got 5; use one of", lambda x: viz.draw(Trace(x * x), at=5)),
        (IndexError, "after 0 to 4 events; got -1; use one of", lambda x: viz.draw(Trace(x * x), at=-1)),
        (TypeError, "whole number of events; got True; use at=4", lambda x: viz.draw(Trace(x * x), at=True)),
        (TypeError, "whole number of events; got 'a'; use at=4", lambda x: viz.draw(Trace(x * x), at=cast(Any, "a"))),
        (TypeError, "got nan; use at=4", lambda x: viz.draw(Trace(x * x), at=cast(Any, math.nan))),
        (TypeError, "draw shows a Value, or a list", lambda x: viz.draw(cast(Any, [Trace(x)]))),
    ],
)
def test_errors(kind: type[Exception], message: str, make: Callable[[Value], object]) -> None:
    with pytest.raises(kind, match=message):
        make(Value(3.0))
