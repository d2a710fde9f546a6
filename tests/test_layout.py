"""Layouts without Graphviz, with a broken or a slow one, and the advice that helps then."""

from __future__ import annotations

import math
import random
import sys
import time

import pytest
from diagrams import expression, parse, svg_of
from machines import BROKEN, SLOW, only

import viz
from engine import Value, functions
from viz import layout

pytest.importorskip("graphviz")
pytest.importorskip("pygraphviz")
__all__ = ["only"]  # a fixture


def test_without_any_layout(only, tmp_path):
    only(None, False)
    diagram = viz.draw(expression())
    with pytest.raises(RuntimeError) as caught:
        diagram.save(tmp_path / "graph.svg")
    for part in ("found neither", "pip install 'glassgrad[viz]'", "viz.tree(value)", '.save("graph.dot")'):
        assert part in str(caught.value)
    assert not (tmp_path / "graph.svg").exists()
    diagram.save(tmp_path / "graph.dot")


def test_a_broken_program_is_replaced_by_the_package(only):
    only(BROKEN, True)
    assert len(parse(svg_of(expression()))[0]) == 6


def test_files_in_the_current_folder_do_not_stand_in_for_modules(only, tmp_path, monkeypatch):
    only(None, True)
    (tmp_path / "pygraphviz.py").write_text("raise SystemExit('taken for the package')")
    monkeypatch.chdir(tmp_path)
    assert len(parse(svg_of(expression()))[0]) == 6


def test_what_a_broken_program_said_is_told(only, tmp_path):
    only(BROKEN, False)
    with pytest.raises(RuntimeError, match='dot ended with 3: Format: "svg" not recognized; install it'):
        viz.draw(expression()).save(tmp_path / "graph.svg")


SYSTEMS = {
    "Debian": ("linux", {"ID": "debian"}, "or sudo apt install graphviz;"),
    "Mint": ("linux", {"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}, "or sudo apt install graphviz;"),
    "Fedora": ("linux", {"ID": "fedora"}, "or sudo dnf install graphviz;"),
    "Rocky": ("linux", {"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "or sudo dnf install graphviz;"),
    "unknown": ("linux", {"ID": "haiku"}, "or Graphviz from https://graphviz.org/download;"),
    "no release file": ("linux", None, "or Graphviz from https://graphviz.org/download;"),
    "macOS": ("darwin", None, "or brew install graphviz;"),
    "Windows": ("win32", None, "or winget install graphviz (or: choco install graphviz);"),
}


@pytest.mark.parametrize(("system", "release", "line"), SYSTEMS.values(), ids=SYSTEMS)
def test_the_line_that_installs_it_here(monkeypatch, system, release, line):
    def read() -> dict[str, str]:
        if release is None:
            raise OSError("no such file")
        return release

    monkeypatch.setattr(layout.sys, "platform", system)
    monkeypatch.setattr("platform.freedesktop_os_release", read)
    assert line in layout.advice()


def test_without_the_package_graphviz(monkeypatch):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(ImportError, match=r"needs the Python package graphviz; .*; install it with: pip install"):
        viz.draw(Value(1.0))
    assert viz.tree(Value(1.0))


def tangle() -> Value:
    """A graph that Graphviz needs minutes for."""
    choose = random.Random(0).sample
    nodes = [Value(1.0) for _ in range(10)]
    for _ in range(4000):
        x, y = choose(nodes, 2)
        nodes.append(x * y)
    return functions.sum(nodes)


@pytest.mark.parametrize("machine", [(SLOW, True), (None, True)], ids=["program", "package"])
def test_the_layout_is_stopped_and_the_text_is_kept(only, tmp_path, machine):
    only(*machine)
    diagram = viz.draw(tangle(), time_limit=60)
    start = time.monotonic()
    with pytest.raises(TimeoutError) as caught:
        diagram.save(tmp_path / "graph.svg", time_limit=1.5)
    assert time.monotonic() - start < 10
    for part in (
        "took longer than 1.5 s",
        "4,011 boxes",
        'collapse="auto"',
        "smaller part",
        "time_limit=",
        ".dot",
        "viz.tree(value)",
    ):
        assert part in str(caught.value)
    assert str(tmp_path / "graph.svg.dot") in str(caught.value)
    assert (tmp_path / "graph.svg.dot").read_text(encoding="utf-8") == diagram.source
    assert not (tmp_path / "graph.svg").exists()


@pytest.mark.parametrize("time_limit", [60, math.inf])
def test_time_limits(time_limit):
    assert "image/svg+xml" in viz.draw(Value(1.0), time_limit=time_limit)._repr_mimebundle_()


@pytest.mark.parametrize(
    ("machine", "reason"),
    [((None, False), "found neither"), ((BROKEN, False), "not recognized"), ((SLOW, False), "took longer")],
    ids=["none", "broken", "slow"],
)
def test_the_bundle_never_raises(only, machine, reason):
    only(*machine)
    bundle = viz.draw(expression(), time_limit=0.3)._repr_mimebundle_()
    assert set(bundle) == {"text/plain"}
    assert "loss = tanh(#5)" in bundle["text/plain"] and reason in bundle["text/plain"]
