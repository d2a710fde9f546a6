"""The stepping page as a file: for everybody to read, safe from hostile names, the same bytes everywhere."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser import axe
from pages import network, show, small
from processes import same_output

import viz
from engine import Trace, Value, functions, record_source
from viz.cards import Cards
from viz.wording import number

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytest.importorskip("graphviz")
__all__ = ["show"]  # a fixture


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

HOSTILE = [
    '"quoted"', "it's", "</script><script>document.title='run'</script>",
    "<b>bold</b>", "a|b|{c}", r"\N\G\nabla", "&lt;&#60;",
    "\N{RIGHT-TO-LEFT OVERRIDE}abc", "👩‍👩‍👧 e\u0301", "x" * 10_000, "two\nlines\ttab",
    "nul\0nul", "${title}", "<!--", "]]>", "javascript:alert(1)",
    "\u2028", "\ud800", "<img src=x onerror=document.title='run'>", "--><svg onload=document.title='run'>",
]  # fmt: skip


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
    same_output(
        "from pages import small; from test_page import hostile; import viz\n"
        "print(*(viz.page(trace).html for trace in (small(), hostile())))"
    )


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
