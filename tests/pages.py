"""Traces, their stepping pages opened in Chromium, and what one reads there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import viz
from engine import Trace, Value, functions, record_source

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


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


def expected(trace: Trace, k: int) -> list[str]:
    return [repr(gradient) for gradient in trace.state(k).values()]
