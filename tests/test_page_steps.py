"""Moving through the steps of a page: each shows the engine's state, and a prediction is judged before it is shown."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from pages import at, expected, gradients, network, show, small

from engine import Trace, Value
from engine.testing import FUNCTIONS, Program
from viz.cards import Cards, sentence
from viz.wording import number

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest.importorskip("graphviz")
__all__ = ["show"]  # a fixture


# --- the truth of every step


def random_program(seed: int) -> Program:
    chance = random.Random(seed)
    steps: list[tuple[str, tuple[int, ...]]] = []
    for k in range(3, 12):
        name = chance.choice(["add", "mul", "tanh", "sub", "relu", "sum", "log", "sqrt"])
        count = 1 if name in ("tanh", "relu", "log", "sqrt") else 3 if name == "sum" else 2
        steps.append((name, tuple(chance.randrange(k) for _ in range(count))))
    return Program([0.5, -1.5, 0.0], steps)


def shown(page: Page) -> dict[int, str]:
    """The gradients that one can read."""
    found = page.evaluate(
        "[...document.querySelectorAll('[data-view=nodes] g.node:not(.constant)')]"
        ".map(g => [Number(g.dataset.nodes), g.querySelector('.grad').textContent])"
    )
    return {node: text.replace("\u00a0", " ").removeprefix("grad").strip() for node, text in found}


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


# --- moving


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


# --- predictions


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
