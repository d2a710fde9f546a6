"""`viz.draw` and `Diagram`: what is in the picture, whatever the labels are, and what happens without Graphviz."""

from __future__ import annotations

import itertools
import math
import os
import random
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import viz
from engine import Value, constant, functions
from engine.graph import topological_order
from viz import layout
from viz.dot import label as _label

SVG = "{http://www.w3.org/2000/svg}"

pytest.importorskip("graphviz")
pytest.importorskip("pygraphviz")

# A program `dot` for tests on machines without one: the wheel's Graphviz behind the program's options.
DOT = f"""#!/bin/sh
format=${{1#-T}}; shift
exec {sys.executable} -P -c '{layout._PYGRAPHVIZ}' "$format" "$@"
"""
SLOW = "#!/bin/sh\nexec /bin/sleep 60\n"
BROKEN = "#!/bin/sh\necho '<svg half a picture'\necho 'Format: \"svg\" not recognized' >&2\nexit 3\n"


@pytest.fixture
def only(monkeypatch, tmp_path):
    """`only(program, package)`: a machine with this script for `dot`, or none, and with the package, or not."""

    def machine(program: str | None, package: bool) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        if program:
            (folder / "dot").write_text(program)
            (folder / "dot").chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        if not package:
            monkeypatch.setitem(sys.modules, "pygraphviz", None)

    return machine


@pytest.fixture(params=["program", "package"])
def either(request, only):
    """A machine with the program `dot` alone, and one with the package pygraphviz alone."""
    only(*((DOT, False) if request.param == "program" else (None, True)))


def expression() -> Value:
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    loss = (a * b + 10).tanh()
    loss.label = "loss"
    loss.backward()
    return loss


def network() -> Value:
    """A 2-3-1 network and its squared error."""
    values = random.Random(0)
    x = [Value(1.0, "x0"), Value(0.5, "x1")]
    for layer, width in enumerate([3, 1]):
        names = [f"layers.{layer}.neurons.{k}" for k in range(width)]
        x = [
            (functions.dot([Value(values.gauss(0, 1), f"{n}.weight.{i}") for i in range(len(x))], x)
             + Value(0.0, f"{n}.bias")).sigmoid()
            for n in names
        ]  # fmt: skip
    loss = (x[0] - 1) ** 2
    loss.backward()
    return loss


def parse(svg: str) -> tuple[dict[str, list[str]], list[tuple[str, list[str]]]]:
    """The lines of text on each box, and the edges with theirs, from SVG."""
    boxes, edges = {}, []
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        lines = [(text.text or "").replace("\u00a0", " ") for text in group.findall(f"{SVG}text")]
        name = group.findtext(f"{SVG}title")
        if group.get("class") == "node":
            boxes[name] = lines
        elif group.get("class") == "edge":
            edges.append((name, lines))
    return boxes, sorted(edges)


def svg_of(value, **options) -> str:
    return viz.draw(value, **options)._repr_mimebundle_()["image/svg+xml"]


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
    code = (
        "import sys, viz; from tests.test_diagram import network; from engine import Value\n"
        "padding = [Value(k) for k in range(int(sys.argv[1]))]\n"
        "loss = network(); diagram = viz.draw(loss)\n"
        "print(diagram.source, viz.tree(loss), diagram._repr_mimebundle_()['image/svg+xml'])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code, seed],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(outputs) == 1


def test_a_deep_graph_needs_no_recursion():
    root = Value(1.0)
    for _ in range(20_000):
        root = root * 1.5
    diagram = viz.draw(root, show_constants=False)
    assert (diagram.nodes, diagram.edges) == (20_001, 20_000)
    assert diagram.source.count(" -> ") == 20_000


# --- labels are text

HOSTILE = {
    "quotes": "say \"hi\" and 'hi'",
    "quote at the end": 'x"',
    "backslash and quote": '\\"',
    "script": "</script><script>alert(1)</script>",
    "HTML": "<b>bold</b>",
    "HTML label": "<<b>bold</b>>",
    "empty HTML": "<>",
    "CDATA": "]]>",
    "comment": "<!-- --> -- /* // #",
    "record": "a|{b|c}|<port> d",
    "backslash N": r"\N",
    "nabla": r"\nabla \lambda \rho \Gamma \L \E \T \H",
    "one backslash": "\\",
    "many backslashes": "\\" * 7,
    "character reference": "&lt;b&gt; &amp; &#65; &#x41; &hearts; &",
    "entity": "&xxe;",
    "statement": '"]; n9 [URL="javascript:"]; n1 [label="',
    "keyword": "digraph",
    "number": "-4.20",
    "port": "a:b:c",
    "spaces": "a  b   c",
    "emoji": "🤖 👩‍👩‍👧",
    "Hebrew": "שלום",
    "accents": "é ∂L/∂w",
    "percent": "%s %d %n {0} {x}",
}
REPLACED = {
    "newline": ("a\nb\r\n", r"a\nb\r\n"),
    "NUL": ("a\0b", r"a\x00b"),
    "controls": ("\x01\x1f\x7f\x85", r"\x01\x1f\x7f\x85"),
    "right to left": ("\u202eabc\u200f", r"\u202eabc\u200f"),
    "surrogate": ("\udc80", r"\udc80"),
    "noncharacter": ("\ufffe\uffff", r"\ufffe\uffff"),
    "huge": ("<" * 10_000, "<" * 15 + "…" + "<" * 24),
}
LABELS = {**{name: (label, label) for name, label in HOSTILE.items()}, **REPLACED}


def test_hostile_labels_are_shown_as_text(either):
    # All in one picture: on results, on leaves and on constants.
    nodes = []
    for label, _ in LABELS.values():
        leaf, number = Value(1.0, label=label), constant(2.0)
        number.label = label
        nodes += [leaf, number]
    svg = svg_of(nodes)
    boxes, edges = parse(svg)
    shown = [text for _, text in LABELS.values() for _ in range(2)]
    assert [boxes[f"n{k}"][0] for k in range(1, len(nodes) + 1)] == shown
    assert len(boxes) == len(nodes) and not edges
    allowed = {f"{SVG}{tag}" for tag in ("svg", "g", "title", "polygon", "polyline", "path", "ellipse", "text")}
    for element in ET.fromstring(svg).iter():
        assert element.tag in allowed
        assert not any("href" in name or name.startswith("on") for name in element.attrib)


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


# --- without Graphviz, and in its trouble


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


# --- notebooks


def test_the_bundle_has_text_and_picture(either):
    diagram = viz.draw(expression())
    bundle = diagram._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/svg+xml"}
    assert bundle["text/plain"] == f"{diagram!r}\n{viz.tree(expression())}"
    assert set(diagram._repr_mimebundle_(include=["text/plain"])) == {"text/plain"}
    assert set(diagram._repr_mimebundle_(exclude=["text/plain"])) == {"image/svg+xml"}


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
