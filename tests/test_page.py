"""The stepping page, in a real browser: every step is the engine's state, every key works, nothing leaves the file."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser import axe, chromium

import viz
from engine import Trace, Value, functions, record_source
from engine.testing import FUNCTIONS, Program
from viz.cards import Cards, sentence
from viz.wording import number

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytest.importorskip("graphviz")
__all__ = ["chromium"]  # a fixture

HOSTILE = [
    '"quoted"', "it's", "</script><script>document.title='run'</script>",
    "<b>bold</b>", "a|b|{c}", r"\N\G\nabla", "&lt;&#60;",
    "\N{RIGHT-TO-LEFT OVERRIDE}abc", "👩‍👩‍👧 e\u0301", "x" * 10_000, "two\nlines\ttab",
    "nul\0nul", "${title}", "<!--", "]]>", "javascript:alert(1)",
    "\u2028", "\ud800", "<img src=x onerror=document.title='run'>", "--><svg onload=document.title='run'>",
]  # fmt: skip


def small() -> Trace:
    """Sharing, a repeated operand, a constant, a dead relu, known lines; labels a, b, h, loss."""
    with record_source():
        a = Value(2.0, label="a")
        b = Value(-3.0, label="b")
        h = a * b + a
        h.label = "h"
        loss = h * h + h.relu() * 3.0
        loss.label = "loss"
    return Trace(loss)


def random_program(seed: int) -> Program:
    chance = random.Random(seed)
    steps: list[tuple[str, tuple[int, ...]]] = []
    for k in range(3, 12):
        name = chance.choice(["add", "mul", "tanh", "sub", "relu", "sum", "log", "sqrt"])
        count = 1 if name in ("tanh", "relu", "log", "sqrt") else 3 if name == "sum" else 2
        steps.append((name, tuple(chance.randrange(k) for _ in range(count))))
    return Program([0.5, -1.5, 0.0], steps)


@pytest.fixture
def show(chromium: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """`show(trace, link, **context)`: the page of a trace, from a file; it must neither complain nor call out."""
    complaints: list[str] = []
    contexts = []

    def opened(trace: Trace, link: str = "", **options: Any) -> Page:
        path = viz.page(trace).save(tmp_path / "steps.html")
        context = chromium.new_context(**{"viewport": {"width": 1300, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: complaints.append(request.url) if not request.url.startswith(path.as_uri()) else None,
        )
        page.goto(path.as_uri() + link)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def at(page: Page) -> int:
    return int(page.locator("#app").get_attribute("data-step") or "")


def gradients(page: Page) -> list[str]:
    """The exact gradients that the boxes carry, in topological order."""
    found = page.evaluate(
        "[...document.querySelectorAll('[data-view=nodes] g.node')].map(g => [Number(g.dataset.nodes), g.dataset.grad])"
    )
    return [gradient for _, gradient in sorted(found)]


def shown(page: Page) -> dict[int, str]:
    """The gradients that one can read."""
    found = page.evaluate(
        "[...document.querySelectorAll('[data-view=nodes] g.node:not(.constant)')]"
        ".map(g => [Number(g.dataset.nodes), g.querySelector('.grad').textContent])"
    )
    return {node: text.replace("\u00a0", " ").removeprefix("grad").strip() for node, text in found}


def expected(trace: Trace, k: int) -> list[str]:
    return [repr(gradient) for gradient in trace.state(k).values()]


# --- the truth of every step


@pytest.mark.parametrize("seed", range(6))
def test_every_step_is_the_engines_state(show: Callable[..., Page], seed: int) -> None:
    root = random_program(seed).run(FUNCTIONS, [Value(x) for x in (0.5, -1.5, 0.0)])[-1]
    trace = Trace(root)
    cards = Cards(trace)
    page = show(trace)
    for k in range(len(trace) + 1):
        assert at(page) == k
        assert gradients(page) == expected(trace, k)
        if k:
            assert page.locator("#live").text_content() == sentence(cards.at(k))
        if k >= trace.turn:
            state = trace.state(k)
            assert shown(page) == {i: number(state[node]) for i, node in enumerate(trace.nodes) if not node.is_constant}
        card = page.locator("#card").text_content() or ""
        assert cards.at(k).equation in card
        assert all(edge.partial in card for edge in cards.at(k).edges)
        page.keyboard.press("ArrowRight")
    for k in range(len(trace), -1, -1):
        assert (at(page), gradients(page)) == (k, expected(trace, k))
        page.keyboard.press("ArrowLeft")
    chance = random.Random(seed)
    for k in (chance.randint(0, len(trace)) for _ in range(10)):
        page.evaluate(f"location.hash = '#step={k}'")
        page.locator(f'#app[data-step="{k}"]').wait_for()
        assert gradients(page) == expected(trace, k)


def test_keys(show: Callable[..., Page]) -> None:
    trace = small()
    page = show(trace)
    last = len(trace)
    for key, k in [("End", last), ("ArrowRight", last), ("Home", 0), ("ArrowLeft", 0), ("Shift+ArrowRight", 1),
                   ("End", last), ("Shift+ArrowLeft", last - 2)]:  # fmt: skip
        page.keyboard.press(key)
        assert at(page) == k, key
    from viz.cursor import Cursor

    cursor = Cursor(trace)
    page.keyboard.press("Home")
    for _ in range(last):
        if cursor.position < last:
            cursor.go(cursor.after_node(cursor.position))
        page.keyboard.press("Shift+ArrowRight")
        assert at(page) == cursor.position
    for _ in range(last):
        if cursor.position:
            cursor.go(cursor.before_node(cursor.position))
        page.keyboard.press("Shift+ArrowLeft")
        assert at(page) == cursor.position

    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "find"
    page.keyboard.type("pwc ?/")
    assert page.locator("#find").input_value() == "pwc ?/", "in a field letters are letters"
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    assert page.locator("#find").input_value() == ""
    for key, name in [("p", "predict"), ("w", "why"), ("c", "constants")]:
        button = page.locator(f'[data-do="{name}"]')
        before = button.get_attribute("aria-pressed")
        page.keyboard.press(key)
        assert button.get_attribute("aria-pressed") != before
    page.keyboard.press("Control+ArrowRight")
    assert at(page) == 0, "the browser's own keys are the browser's"


def test_letters_act_in_the_pages_own_region_only(show: Callable[..., Page]) -> None:
    page = show(small())
    page.evaluate("document.body.tabIndex = -1; document.body.focus()")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("w")
    assert at(page) == 0
    assert page.locator('[data-do="why"]').get_attribute("aria-pressed") == "false"


def test_buttons_and_scrubber(show: Callable[..., Page]) -> None:
    trace = small()
    page = show(trace)
    for name, k in [("on", 1), ("node-on", 2), ("end", len(trace)), ("back", len(trace) - 1), ("start", 0)]:
        page.locator(f'[data-do="{name}"]').click()
        assert at(page) == k
    assert page.locator('[data-do="back"]').is_disabled()
    page.locator("#scrubber").fill("7")
    assert at(page) == 7
    assert page.locator("#position").text_content() == f"step 7 of {len(trace)}"
    page.locator("#scrubber").focus()
    page.keyboard.press("ArrowRight")
    assert at(page) == 8, "one step, not two"
    before = page.locator("svg").bounding_box()
    page.locator('[data-do="larger"]').click()
    after = page.locator("svg").bounding_box()
    assert before
    assert after
    assert after["width"] > before["width"]


def test_links(show: Callable[..., Page]) -> None:
    trace = small()
    page = show(trace, "#step=9")
    assert (at(page), gradients(page)) == (9, expected(trace, 9))
    page.keyboard.press("ArrowRight")
    assert page.url.endswith("#step=10")
    for link in ("#step=99999", "#step=x", "#other"):
        page = show(trace, link)
        assert at(page) == (len(trace) if link == "#step=99999" else 0)


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


def network(examples: int) -> Trace:
    """Two layers of neurons, on several examples."""

    def neuron(name: str, inputs: list[Value]) -> Value:
        weights = parameters.setdefault(name, [Value(0.3 * k - 0.2, label=f"{name}.weight.{k}") for k in range(2)])
        bias = parameters.setdefault(f"{name}.bias", [Value(0.1, label=f"{name}.bias")])
        return (functions.dot(weights, inputs) + bias[0]).tanh()

    parameters: dict[str, list[Value]] = {}
    losses = []
    for example in range(examples):
        inputs = [Value(0.1 * example), Value(1.0 - 0.2 * example)]
        hidden = [neuron(f"layers.0.neurons.{k}", inputs) for k in range(2)]
        losses.append((neuron("layers.1.neurons.0", hidden) - 1.0) ** 2)
    return Trace(functions.mean(losses))


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


def test_finding(show: Callable[..., Page]) -> None:
    trace = small()
    page = show(trace)
    page.keyboard.press("/")
    page.keyboard.type("RELU")
    assert page.locator("#found").text_content() == f"1 of {len(trace.nodes)} nodes"
    page.keyboard.press("Enter")
    assert "relu" in (page.locator("#explanation .equation").text_content() or "")
    page.locator("#find").fill("test_page.py:")
    assert page.locator("svg g.found").count() == sum(node.source is not None for node in trace.nodes)
    page.locator("#find").fill("zebra")
    page.keyboard.press("Enter")
    assert (page.locator("#found").text_content() or "").startswith("0 of")


def test_predict_then_reveal(show: Callable[..., Page]) -> None:
    trace = small()
    page = show(trace, f"#step={trace.turn}")
    page.keyboard.press("p")
    page.keyboard.press("ArrowRight")
    assert at(page) == trace.turn, "nothing is given away"
    assert gradients(page) == expected(trace, trace.turn)
    event = trace.contributions[0]
    card = page.locator("#card").text_content() or ""
    assert "= ?" in card
    assert f"{event.amount:+.5g}" not in card
    assert "What does loss add to the gradient of" in (page.locator("#question").text_content() or "")
    page.keyboard.type(str(event.amount))
    page.keyboard.press("Enter")
    assert at(page) == trace.turn + 1
    assert (page.locator("#verdict").text_content() or "").startswith("Right: loss adds")
    page.keyboard.press("ArrowRight")
    page.keyboard.type("12345")
    page.keyboard.press("Enter")
    assert (page.locator("#verdict").text_content() or "").startswith("Not 12345: loss adds")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    assert not page.locator("#guess").is_visible()
    page.keyboard.press("p")
    page.keyboard.press("ArrowRight")
    assert at(page) == trace.turn + 3


def test_predicting_what_is_not_finite(show: Callable[..., Page]) -> None:
    trace = Trace(Value(0.0, label="x").sqrt())
    page = show(trace, f"#step={trace.turn}")
    page.keyboard.press("p")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.locator("#verdict").text_content() == "#2 adds +inf to x."


@pytest.mark.parametrize(
    ("x", "guess", "verdict"),
    [
        (0.0, "5", "Not 5: "), (0.0, "inf", "Right: "), (0.0, "-inf", "Not -inf: "), (0.0, "+Infinity", "Right: "),
        (math.nan, "nan", "Right: "), (math.nan, "what?", "Not what?: "), (math.nan, "0", "Not 0: "),
        (1e30, "5e-16", "Right: "), (1e30, "0", "Not 0: "), (1e30, "4.9e-16", "Not 4.9e-16: "),
        (math.inf, "0", "Right: "), (math.inf, "1e-13", "Not 1e-13: "),
    ],
)  # fmt: skip
def test_a_prediction_is_judged_by_its_number(show: Callable[..., Page], x: float, guess: str, verdict: str) -> None:
    trace = Trace(Value(x, label="x").sqrt())
    page = show(trace, f"#step={trace.turn}")
    page.keyboard.press("p")
    page.keyboard.press("ArrowRight")
    page.keyboard.type(guess)
    page.keyboard.press("Enter")
    assert page.locator("#verdict").text_content() == f"{verdict}#2 adds {trace[-1].amount:+.5g} to x."
    page.keyboard.press("ArrowLeft")
    assert page.locator("#verdict").text_content() == "", "it was of another step"


def test_nothing_on_the_page_gives_a_prediction_away(show: Callable[..., Page]) -> None:
    trace = small()
    page = show(trace, f"#step={trace.turn}")
    event = trace.contributions[0]
    amount, node = f"{event.amount:+.5g}", trace.nodes.index(event.parent)
    edge = page.locator(f'svg g.edge[data-tail="n{node + 1}"][data-slot="{event.slot}"] path').first
    for key in ("", "p", "ArrowRight"):
        if key:
            page.keyboard.press(key)
        is_told = not key
        page.locator(f'svg g.node[data-nodes="{node}"]').dispatch_event("click")
        assert (amount in page.locator("#explanation").inner_text()) == is_told
        edge.dispatch_event("click")
        assert (amount in page.locator("#explanation").inner_text()) == is_told
        assert (amount in page.locator("#steps").inner_text()) == is_told
    page.locator("#answer").fill("1")
    page.keyboard.press("Enter")
    assert amount in page.locator("#steps").inner_text()


@pytest.mark.parametrize("name", ["nodes", "neurons"])
def test_what_is_not_computed_yet_is_not_told(show: Callable[..., Page], name: str) -> None:
    trace = network(5)
    page = show(trace)
    page.locator(f'[data-show="{name}"]').click()
    seen = (
        "[...document.querySelectorAll('.view:not([hidden]) :is(g.edge text, text.data, text.grad)')]"
        ".filter(e => e.textContent.trim() && getComputedStyle(e).visibility !== 'hidden').length"
    )
    said = "[...document.querySelectorAll('.view:not([hidden]) g.node title')].map(e => e.textContent).join()"
    assert page.evaluate(seen) == 0
    assert "data" not in page.evaluate(said)
    page.evaluate(f"location.hash = '#step={trace.turn - 1}'")
    page.locator(f'#app[data-step="{trace.turn - 1}"]').wait_for()
    assert page.evaluate(seen) > 0
    assert "data" in page.evaluate(said)
    assert "grad" not in page.evaluate(said)


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


def test_playing(show: Callable[..., Page]) -> None:
    trace = small()
    for motion in ("reduce", "no-preference"):
        page = show(trace, reduced_motion=motion)
        page.keyboard.press(" ")
        assert page.locator('[data-do="play"]').get_attribute("aria-pressed") == "true"
        page.locator('#app[data-step="2"]').wait_for()
        page.keyboard.press(" ")
        stopped = at(page)
        page.wait_for_timeout(300)
        assert at(page) == stopped
    moving = (
        "[...document.querySelectorAll('svg *')].filter(e => getComputedStyle(e).transitionDuration !== '0s').length"
    )
    assert page.evaluate(moving) > 0
    assert show(trace, reduced_motion="reduce").evaluate(moving) == 0


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
    assert "made intest_page.py:" in (page.locator("#explanation").text_content() or "")
    page.locator("#steps tbody tr").nth(4).locator("button").click()
    assert at(page) == 5
    rows = "rows => rows.map(row => [row.className, row.getAttribute('aria-current')])"
    after = [("current", "step"), *[("after", None)] * (len(trace) - 5)]
    assert [*map(tuple, page.locator("#steps tbody tr").evaluate_all(rows))] == [("", None)] * 4 + after
    table = [row.split("\t") for row in page.locator("#steps tbody").inner_text().splitlines()]
    cards = Cards(trace)
    assert [" ".join(row).split() for row in table] == [" ".join(cards.row(k)).split() for k in range(len(trace))]


# --- everybody


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}])
@pytest.mark.parametrize("view", ["nodes", "neurons"])
def test_axe_finds_nothing_serious(show: Callable[..., Page], view: str, options: dict[str, Any]) -> None:
    source = axe()
    page = show(network(1), reduced_motion="reduce", bypass_csp=True, **options)
    page.evaluate(source)
    page.locator(f'[data-show="{view}"]').click()
    states: list[list[str]] = [[], ["?", "/", "x", "Enter"], ["Escape", "End"], ["ArrowLeft", "w"], ["Home", "p"]]
    states += [["ArrowRight"] * 3, ["ArrowRight"] * 40]
    for keys in states:
        for key in keys:
            page.keyboard.press(key)
        page.locator(".view:not([hidden]) g.node").first.dispatch_event("click")
        found = page.evaluate("axe.run().then(result => result.violations)")
        bad = [
            (v["id"], v["impact"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")
        ]
        assert not bad, keys


def test_the_picture_has_a_title_and_a_description(show: Callable[..., Page]) -> None:
    trace = small()
    page = show(trace)
    assert page.locator("svg > title").text_content() == f"The graph of {Cards(trace).equation(trace.root)}"
    assert f"{len(trace.nodes)} nodes" in (page.locator("svg > desc").text_content() or "")
    assert page.locator("#live").get_attribute("aria-live") == "polite"


def test_without_javascript(show: Callable[..., Page]) -> None:
    trace = small()
    page = show(trace, java_script_enabled=False)
    assert page.locator("svg").is_visible()
    assert page.locator("#steps tbody tr").count() == len(trace)
    assert not page.locator(".controls").is_visible()
    assert page.locator("noscript").count() == 1
    final = trace.state(len(trace))
    a = (page.locator('svg g.node[data-nodes="0"] .grad').text_content() or "").replace("\u00a0", " ")
    assert a.split() == ["grad", number(final[trace.nodes[0]])]


@pytest.mark.parametrize(("width", "height"), [(1300, 900), (650, 450), (390, 844), (320, 600)])
def test_nothing_sticks_out(show: Callable[..., Page], width: int, height: int) -> None:
    trace = network(2)
    page = show(trace, f"#step={len(trace) - 9}", viewport={"width": width, "height": height})
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    for table in (".edges-scroll", "#steps"):
        assert page.evaluate(f"(t => t.scrollWidth <= t.clientWidth)(document.querySelector('{table}'))"), table


def test_pressed_buttons_are_told_by_more_than_colour(show: Callable[..., Page]) -> None:
    page = show(small())
    for name in ("predict", "constants"):
        button = page.locator(f'[data-do="{name}"]')
        width = "e => getComputedStyle(e).borderBottomWidth"
        assert button.evaluate(width) == ("4px" if button.get_attribute("aria-pressed") == "true" else "1px")


def test_printing(show: Callable[..., Page]) -> None:
    page = show(small(), "#step=9")
    page.emulate_media(media="print", color_scheme="dark")
    ink, paper = page.evaluate("['color', 'backgroundColor'].map(name => getComputedStyle(document.body)[name])")
    assert (ink, paper) == ("rgb(27, 31, 36)", "rgb(255, 255, 255)"), "paper is white"
    assert not page.locator(".controls").is_visible()
    assert page.locator("svg").is_visible()
    assert page.locator("#steps table").is_visible()


# --- hostile names


def hostile() -> Trace:
    values = [Value(0.1 * k + 1.0, label=label) for k, label in enumerate(HOSTILE)]
    total = functions.sum([value * 2.0 for value in values])
    total.label = HOSTILE[2]
    return Trace(total)


def test_hostile_names_are_text(show: Callable[..., Page]) -> None:
    trace = hostile()
    page = show(trace)
    page.keyboard.press("End")
    assert page.title() == Cards(trace).equation(trace.root)
    assert page.locator("script").count() == 2
    assert page.locator("main img, main b, main iframe, main a").count() == 0
    assert page.locator("svg").count() == page.locator(".view > svg").count() == 2, "a label looks like a module's"
    for name in ("<b>bold</b>", "a|b|{c}", r"\N\G\nabla", "${title}", "&lt;&#60;", "javascript:alert(1)"):
        assert page.locator("svg g.node text", has_text=name).count() >= 1, name
        assert page.locator("#steps td", has_text=name).count() >= 1, name
    page.keyboard.press("/")
    page.keyboard.type("<img src=x")
    page.keyboard.press("Enter")
    assert "<img src=x" in (page.locator("#explanation").text_content() or "")
    assert page.title() != "run"


def test_hostile_titles_and_sources(tmp_path: Path, show: Callable[..., Page]) -> None:
    file = tmp_path / "</script><b>.py" if os.name != "nt" else tmp_path / "b.py"
    try:
        file.write_text("a = Value(2.0)  # </script><script>document.title = 'run'</script> \u202e <!--\nb = a * a\n")
    except OSError:  # no such names in this file system
        file = tmp_path / "b.py"
        file.write_text("a = Value(2.0)  # </script><script>document.title = 'run'</script> \u202e <!--\nb = a * a\n")
    names: dict[str, Value] = {}
    with record_source():
        exec(compile(file.read_text(), str(file), "exec"), {"Value": Value}, names)
    page = show(Trace(names["b"]), "#step=4")
    assert "</script><script>" in (page.locator("#source").text_content() or "")
    assert page.title() == "#2 = a * a" or page.title().startswith("#2")
    html = viz.page(names["b"], title="</title><script>1</script>${svg}$svg").html
    assert html.count("<script") == 2
    assert "<title>&lt;/title&gt;" in html


def test_the_policy_forbids_other_scripts(chromium: Browser, tmp_path: Path) -> None:
    html = viz.page(small()).html.replace(
        "</main>", "<script>document.title = 'run'</script><img src='http://example.org/x.png'></main>"
    )
    (tmp_path / "injected.html").write_text(html, encoding="utf-8")
    context = chromium.new_context()
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto((tmp_path / "injected.html").as_uri())
    page.wait_for_timeout(200)
    assert page.title() != "run"
    assert len(refused) >= 2
    assert all("Content Security Policy" in text for text in refused)
    context.close()


# --- files, notebooks, errors


def test_many_in_one_notebook_do_not_disturb_each_other(chromium: Browser, tmp_path: Path) -> None:
    traces = [small(), Trace(Value(2.0, label="x").exp())]
    frames = [viz.page(trace)._repr_mimebundle_()["text/html"] for trace in traces]
    (tmp_path / "notebook.html").write_text(
        f"<!DOCTYPE html><p>cell</p>{frames[0]}<p>cell</p>{frames[1]}", encoding="utf-8"
    )
    context = chromium.new_context()
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((tmp_path / "notebook.html").as_uri())
    first, second = (page.frame_locator("iframe").nth(k) for k in (0, 1))
    first.locator('[data-do="end"]').click()
    assert first.locator("#app").get_attribute("data-step") == str(len(traces[0]))
    assert second.locator("#app").get_attribute("data-step") == "0"
    second.locator('[data-do="on"]').click()
    assert first.locator("#app").get_attribute("data-step") == str(len(traces[0]))
    assert errors == []
    context.close()


def test_the_bundle_can_be_narrowed() -> None:
    page = viz.page(Value(1.0) * 2)
    assert set(page._repr_mimebundle_(include=["text/plain"])) == {"text/plain"}
    assert set(page._repr_mimebundle_(exclude=["text/plain"])) == {"text/html"}
    assert unescape(page.html).count("<main") == 1


def test_the_same_bytes_in_every_process() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests'); from test_page import small, hostile; import viz, hashlib; "
        "print([hashlib.sha256(viz.page(t).html.encode()).hexdigest() for t in (small(), hostile())])"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "2")
    }  # fmt: skip
    assert len(seen) == 1


def test_the_records_are_exact() -> None:
    trace = Trace(Value(math.pi, label="x").sin() / 3.0)
    html = viz.page(trace).html
    text = html.partition('id="records">')[2].partition("</script>")[0]
    assert "<" not in text
    records = json.loads(text)
    assert len(records["cards"]) == len(records["sentences"]) == len(trace) + 1
    assert [len(event) for event in records["events"]] == [1] * trace.turn + [9] * (len(trace) - trace.turn)
    assert [float(event[6]) for event in records["events"][trace.turn :]] == [e.after for e in trace.contributions]


def test_saving(tmp_path: Path) -> None:
    page = viz.page(Trace(Value(1.0) * 2))
    assert repr(page) == '<Page of 4 steps: .save("steps.html"), .html>'
    assert page.save(tmp_path / "steps.HTML").read_text(encoding="utf-8") == page.html
    assert repr(viz.page(Value(1.0))) == '<Page of 1 step: .save("steps.html"), .html>'
    assert "1 step of backpropagation: 1 forward, 0 backward." in viz.page(Value(1.0)).html
    with pytest.raises(ValueError, match=r"a page is saved as \.html; got 'steps.svg'; use 'steps.html'"):
        page.save("steps.svg")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        page.save(tmp_path / "no" / "steps.html")


def test_what_is_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match="a page is made of a Value or a Trace; got list; pass the loss"):
        viz.page([Value(1.0)])  # type: ignore[arg-type]
    monkeypatch.setattr("viz.pages.STEP_LIMIT", 3)
    with pytest.raises(ValueError, match="a page holds at most 3 steps; got 4; make one of a smaller part"):
        viz.page(Value(1.0) * 2)


def test_without_graphviz(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "<svg" in viz.page(small()).html, "the package alone"
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(RuntimeError, match="nothing here can lay a diagram out"):
        viz.page(small())
