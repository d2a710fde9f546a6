"""The graph on a page: nodes and arrows are chosen, found, lit and collapsed, and lead to their steps and lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from pages import at, expected, gradients, network, show, small

from engine import Trace, Value
from viz.cards import Cards

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest.importorskip("graphviz")
__all__ = ["show"]  # a fixture


# --- choosing


def test_choosing_nodes_and_edges(show: Callable[..., Page]) -> None:
    trace = small()
    page = show(trace, f"#step={len(trace)}")
    names = [node.label for node in trace.nodes]
    h = names.index("h")
    page.locator(f'svg g.node[data-nodes="{h}"]').click()
    text = page.locator("#explanation").text_content() or ""
    why = trace.why(trace.nodes[h])
    assert "dloss/dh is the sum of:" in text
    assert all(f"{event.amount:+.5g}" in text for event in why)
    assert page.locator("#explanation li").count() == len(why) == 3
    page.locator("#explanation li button").first.click()
    assert at(page) == why[0].index + 1
    page.locator('svg g.node[data-nodes="0"]').hover()
    assert page.locator("svg g.near").count() > 1

    contribution = why[-1]
    tail, head = (trace.nodes.index(node) + 1 for node in (contribution.parent, contribution.node))
    edge = page.locator(f'svg g.edge[data-tail="n{tail}"][data-head="n{head}"][data-slot="{contribution.slot}"]')
    edge.locator("path").first.dispatch_event("click")
    text = page.locator("#explanation").text_content() or ""
    assert f"This is step {contribution.index + 1} (to come)" in text
    assert f"{contribution.amount:+.5g}" in text
    page.keyboard.press("Escape")
    assert "Choose a node" in (page.locator("#explanation").text_content() or "")


def test_repeated_operands_are_two_edges(show: Callable[..., Page]) -> None:
    a = Value(3.0, label="a")
    trace = Trace(a * a)
    page = show(trace)
    page.keyboard.press("End")
    assert page.locator("svg g.edge.now").get_attribute("data-slot") == "1"
    assert page.locator("svg g.edge.passed").count() == 2
    page.keyboard.press("ArrowLeft")
    assert page.locator("svg g.edge.now").get_attribute("data-slot") == "0"


def test_keyboard_in_the_graph(show: Callable[..., Page]) -> None:
    trace = small()
    page = show(trace)
    assert page.locator('svg g.node[tabindex="0"]').count() == 1
    page.locator('svg g.node[data-nodes="0"]').focus()
    for k in (1, 2, 3):
        page.keyboard.press("ArrowDown")
        assert page.evaluate("document.activeElement.dataset.nodes") == str(k)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    assert page.locator("svg g.node.chosen").get_attribute("data-nodes") == "2"
    page.keyboard.press("ArrowRight")
    assert at(page) == 1, "sideways is time"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.nodes") == "2", "one stop for the whole graph"


def test_an_arrow_for_many_contributions_says_so(show: Callable[..., Page]) -> None:
    trace = network(5)
    page = show(trace, f"#step={len(trace)}")
    page.locator('[data-show="neurons"]').click()
    page.locator(".view:not([hidden]) g.edge.now path").first.dispatch_event("click")
    text = page.locator("#explanation").text_content() or ""
    assert f"This is step {len(trace)} (done)" in text
    assert "One of 10 contributions along this arrow" in text, "5 examples, 2 inputs"


def test_no_name_is_taken_for_an_amount(show: Callable[..., Page]) -> None:
    a = Value(2.0, label="a") * 3.0
    a.label = "a = 99 on to b"
    trace = Trace(a * a)
    page = show(trace, f"#step={len(trace)}")
    page.locator('svg g.node[data-nodes="0"]').click()
    terms = page.locator("#explanation li").all_text_contents()
    assert [term.split(" from ")[0].split()[1] for term in terms] == [
        f"{e.amount:+.5g}" for e in trace.why(trace.nodes[0])
    ]


def test_source_and_table_lead_to_nodes_and_steps(show: Callable[..., Page]) -> None:
    trace = small()
    page = show(trace, f"#step={len(trace)}")
    current = page.locator("#source li.current")
    assert "h = a * b + a" in (current.text_content() or "")
    line = page.locator("#source li button", has_text="loss = h * h")
    seen = []
    for _ in range(5):
        line.click()
        [node] = page.locator("svg g.node.chosen").evaluate_all("boxes => boxes.map(box => Number(box.dataset.nodes))")
        assert trace.nodes[node].source == trace.root.source
        seen.append(node)
    made = [k for k, node in enumerate(trace.nodes) if node.source == trace.root.source]
    assert seen == [*made, made[0]], "each node of the line, in turn"
    page.locator('svg g.node[data-nodes="1"]').click()
    assert "b = Value(-3.0" in (page.locator("#source li.chosen").text_content() or "")
    assert "made inpages.py:" in (page.locator("#explanation").text_content() or "")
    page.locator("#steps tbody tr").nth(4).locator("button").click()
    assert at(page) == 5
    rows = "rows => rows.map(row => [row.className, row.getAttribute('aria-current')])"
    after = [("current", "step"), *[("after", None)] * (len(trace) - 5)]
    assert [*map(tuple, page.locator("#steps tbody tr").evaluate_all(rows))] == [("", None)] * 4 + after
    table = [row.split("\t") for row in page.locator("#steps tbody").inner_text().splitlines()]
    cards = Cards(trace)
    assert [" ".join(row).split() for row in table] == [" ".join(cards.row(k)).split() for k in range(len(trace))]


# --- finding, lighting, hiding


def test_finding(show: Callable[..., Page]) -> None:
    trace = small()
    page = show(trace)
    page.keyboard.press("/")
    page.keyboard.type("RELU")
    assert page.locator("#found").text_content() == f"1 of {len(trace.nodes)} nodes"
    page.keyboard.press("Enter")
    assert "relu" in (page.locator("#explanation .equation").text_content() or "")
    page.locator("#find").fill("pages.py:")
    assert page.locator("svg g.found").count() == sum(node.source is not None for node in trace.nodes)
    page.locator("#find").fill("zebra")
    page.keyboard.press("Enter")
    assert (page.locator("#found").text_content() or "").startswith("0 of")


def test_why_lights_the_paths(show: Callable[..., Page]) -> None:
    trace = small()
    page = show(trace, f"#step={len(trace)}")
    a = trace.nodes[0]
    page.locator('svg g.node[data-nodes="0"]').click()
    page.keyboard.press("w")
    paths, _ = trace.paths(a, 3)
    lit = {(event.node, event.slot) for path in paths for event in path.contributions}
    found = page.evaluate("[...document.querySelectorAll('svg g.edge.lit')].map(g => [g.dataset.head, g.dataset.slot])")
    assert {(trace.nodes[int(node[1:]) - 1], int(slot)) for node, slot in found} == lit
    page.keyboard.press("Escape")
    assert page.locator("svg .lit").count() == 0


def test_constants_can_be_hidden(show: Callable[..., Page]) -> None:
    page = show(small())
    constant = page.locator("svg g.node.constant").first
    assert constant.is_visible()
    page.keyboard.press("c")
    assert not constant.is_visible()


# --- views


def test_neurons_and_layers_as_one_box(show: Callable[..., Page]) -> None:
    trace = network(5)
    page = show(trace, f"#step={trace.turn + 30}")
    count = page.locator(".view:not([hidden]) g.node").count()
    assert count == len(trace.nodes)
    for name in ("neurons", "layers"):
        page.locator(f'[data-show="{name}"]').click()
        assert page.locator(f'[data-show="{name}"]').get_attribute("aria-pressed") == "true"
        boxes = page.locator(".view:not([hidden]) g.node")
        assert boxes.count() < count
        count = boxes.count()
        shown_nodes = page.evaluate(
            "[...document.querySelectorAll('.view:not([hidden]) g.node')]"
            ".flatMap(g => g.dataset.nodes.split(' ').map(Number))"
        )
        assert sorted(shown_nodes) == list(range(len(trace.nodes))), "each node is in one box"
        assert "grad" not in " ".join(boxes.all_text_contents()), (
            "a gradient of a moment is no part of a picture of all"
        )
        for key in ("ArrowRight", "ArrowLeft", "ArrowLeft"):
            page.keyboard.press(key)
            event = trace[at(page) - 1]
            now = page.locator(".view:not([hidden]) g.node.now")
            assert str(trace.nodes.index(event.node)) in (now.get_attribute("data-nodes") or "").split()
    module = page.locator(".view:not([hidden]) g.node.module").first
    module.click()
    text = page.locator("#explanation").text_content() or ""
    assert "nodes in this box:" in text
    assert "layers." in text
    page.locator("#explanation ul.sum").last.locator("button").first.click()
    assert "nodes in this box" not in (page.locator("#explanation").text_content() or "")
    page.keyboard.press("w")
    assert page.locator(".view:not([hidden]) .lit").count() > 1
    page.locator('[data-show="nodes"]').click()
    assert gradients(page) == expected(trace, at(page))


def test_a_large_network_has_views_that_can_be_laid_out(show: Callable[..., Page]) -> None:
    trace = network(30)
    assert len(trace.nodes) > 400
    page = show(trace, "#step=100")
    assert page.locator("[data-show]").all_text_contents() == ["Neurons", "Layers"]


def test_a_graph_that_cannot_be_drawn_can_be_read(show: Callable[..., Page]) -> None:
    chain = Value(0.5, label="x")
    for _ in range(250):
        chain = (chain * 0.9).tanh()
    trace = Trace(chain)
    page = show(trace, "#step=100")
    assert page.locator(".view").count() == 0
    assert "too large to be drawn" in (page.locator("#graph").text_content() or "")
    for key in ("ArrowRight", "Shift+ArrowLeft", "w", "/"):
        page.keyboard.press(key)
    page.keyboard.type("x = 0.5")
    page.keyboard.press("Enter")
    assert "dL/dx is the sum of:" in (page.locator("#explanation").text_content() or "")
    assert at(page) == 100
    assert Cards(trace).equation(trace[99].node) in (page.locator("#card").text_content() or "")
    for name in ("fit", "larger"):
        page.locator(f'[data-do="{name}"]').click()
