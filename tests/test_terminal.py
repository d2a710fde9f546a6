"""`viz.tree`, and the words that every picture shares."""

from __future__ import annotations

import math
import subprocess
import sys
import unicodedata

import pytest
from diagrams import expression
from hypothesis import given
from hypothesis import strategies as st

import viz
from engine import Value, constant, functions
from engine.graph import topological_order
from viz.wording import LABEL_LIMIT, NUMBER_WIDTH, formula, number, numbered, visible

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=3 * LABEL_LIMIT)


def variables(*names: str) -> list[Value]:
    return [Value(float(k), label=name) for k, name in enumerate(names, 2)]


def repeated() -> Value:
    (a,) = variables("a")
    return a * a


def shared() -> Value:
    (a,) = variables("a")
    h = a * a
    return 3 * h + h


def shared_with_label() -> Value:
    (a,) = variables("a")
    h = a**2
    h.label = "h"
    return h - 1.5 * h


def constants() -> Value:
    (a,) = variables("a")
    rate = constant(0.5)
    rate.label = "rate"
    return functions.sum([a * rate, 7.0])


TREES = {
    "expression": (
        expression,
        """\
node                     data         grad      partial
loss = tanh(#5)       0.99933            1
└─ #5 = #3 + 10             4     0.001341     0.001341
   └─ #3 = a * b           -6     0.001341            1
      ├─ a                  2   -0.0040229           -3
      └─ b                 -3    0.0026819            2""",
    ),
    "a repeated operand has two lines": (
        repeated,
        """\
node                        data         grad      partial
#2 = a * a                     4            0
├─ a #1                        2            0            2
└─ a #1 (see above)                                      2""",
    ),
    "a shared node is printed once, with its number": (
        shared,
        """\
node                              data         grad      partial
#5 = #4 + #3                        16            0
├─ #4 = 3 * #3                      12            0            1
│  └─ #3 = a * a                     4            0            3
│     ├─ a #2                        2            0            2
│     └─ a #2 (see above)                                      2
└─ #3 (see above)                                              1""",
    ),
    "a shared node with a label": (
        shared_with_label,
        """\
node                           data         grad      partial
#6 = h - #5                      -2            0
├─ h #3 = a ** 2                  4            0            1
│  └─ a                           2            0            4
└─ #5 = 1.5 * h                   6            0           -1
   └─ h #3 (see above)                                    1.5""",
    ),
    "constants with a label, and those of a list, have lines": (
        constants,
        """\
node                          data         grad      partial
#5 = sum(#3, 7)                  8            0
├─ #3 = a * rate                 1            0            1
│  ├─ a                          2            0          0.5
│  └─ rate (constant)          0.5
└─ #4 (constant)                 7""",
    ),
}


@pytest.mark.parametrize(("build", "text"), TREES.values(), ids=TREES)
def test_tree(build, text):
    assert viz.tree(build()) == text


def test_several_results_share_what_they_share():
    (a,) = variables("a")
    h = a.exp()
    lines = viz.tree([h.sin(), h, h]).splitlines()
    assert [line[:20].rstrip() for line in lines[1:]] == [
        "#3 = sin(#2)", "└─ #2 = exp(a)", "   └─ a", "#2 (see above)",
    ]  # fmt: skip


def test_ascii_is_ascii_in_straight_columns():
    x, y = Value(1.0, label="вход"), Value(2.0, label="a" * 100)
    text = viz.tree(x * y + x, ascii=True)
    assert text.isascii()
    assert "|- #3 = " in text and "|  `- aaa" in text and "\\u0432" in text
    ends = {len(line) for line in text.splitlines()[1:] if "above" not in line}
    assert ends == {len(text.splitlines()[0]), len(text.splitlines()[1])}


@pytest.mark.parametrize("label", ["x", "ширина", "学習率", "🤖", "é", "👩‍👩‍👧"])
def test_columns_are_straight_for_every_script(label):
    (x,) = variables(label)
    lines = viz.tree(x.exp()).splitlines()

    def columns(text: str) -> int:
        """Terminals give wide characters two cells and accents none."""
        return sum(
            2 if unicodedata.east_asian_width(c) in "WF" else unicodedata.category(c) not in ("Mn", "Cf") for c in text
        )

    assert columns(lines[0]) == columns(lines[2])


LIMITS = {
    "all": ({}, 8, None),
    "depth 0": ({"depth": 0}, 1, 6),
    "depth 1": ({"depth": 1}, 3, 4),
    "depth 3": ({"depth": 3}, 8, None),
    "4 lines": ({"max_nodes": 4}, 4, 3),
    "7 lines, one of them no new node": ({"max_nodes": 7}, 7, 1),
    "8 lines": ({"max_nodes": 8}, 8, None),
    "both": ({"depth": 1, "max_nodes": 2}, 2, 5),
}


@pytest.mark.parametrize(("options", "lines", "left_out"), LIMITS.values(), ids=LIMITS)
def test_the_last_line_says_what_is_left_out(options, lines, left_out):
    a, b, c = variables("a", "b", "c")
    text = viz.tree((a * b).exp() + (a * c), **options).splitlines()[1:]
    if left_out is None:
        assert "more" not in text[-1]
    else:
        assert text.pop().startswith(f"... {left_out} more node")
    assert len(text) == lines


def test_a_node_cut_at_the_limit_of_depth_is_marked_and_printed_in_full_where_there_is_room():
    (a,) = variables("a")
    h = a.exp()
    h.label = "h"
    lines = viz.tree(h.sin().cos() + h, depth=3).splitlines()
    assert lines[4].startswith("│     └─ h #2 = exp(a) …")
    assert lines[5].startswith("└─ h #2 = exp(a) ") and "…" not in lines[5]
    assert lines[6].startswith("   └─ a ")


def chain(length: int) -> Value:
    root = Value(1.0, label="x")
    for _ in range(length):
        root = root + 1.0
    return root


def test_a_deep_graph_needs_no_recursion_and_no_wide_lines():
    text = viz.tree(chain(50_000), max_nodes=500)
    assert text.endswith("... 49,501 more nodes (depth=None, max_nodes=500)")
    assert max(map(len, text.splitlines())) < 160
    assert "\n499… " in text


WRONG = {
    "number": (3.0, {}, TypeError, "got float"),
    "None": (None, {}, TypeError, "got NoneType"),
    "mixed list": ([Value(1.0), "x"], {}, TypeError, "got str at position 1 of the list"),
    "nested": ([[Value(1.0)]], {}, TypeError, "got list at position 0"),
    "empty": ([], {}, ValueError, "got an empty list"),
    "generator": ((v for v in [Value(1.0)]), {}, TypeError, "got generator"),
    "depth": (Value(1.0), {"depth": -1}, ValueError, "depth must be at least 0; got -1; use depth=10"),
    "real depth": (Value(1.0), {"depth": 1.5}, TypeError, "depth must be a whole number; got 1.5"),
    "max_nodes": (Value(1.0), {"max_nodes": 0}, ValueError, "max_nodes must be at least 1; got 0"),
    "true": (Value(1.0), {"max_nodes": True}, TypeError, "max_nodes must be a whole number; got True"),
}


@pytest.mark.parametrize(("value", "options", "error", "message"), WRONG.values(), ids=WRONG)
def test_mistakes(value, options, error, message):
    with pytest.raises(error) as caught:
        viz.tree(value, **options)
    assert message in str(caught.value)
    assert str(caught.value).count(";") == 2


# --- words that every picture shares


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (2.0, "2"), (-0.0, "-0"), (12345.0, "12345"), (1 / 3, "0.33333"), (-1.23456789e-12, "-1.2346e-12"),
        (1e16, "1e+16"), (math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf"),
    ],
)  # fmt: skip
def test_numbers(amount, text):
    assert number(amount) == text


@given(st.floats(1e-99, 9e99) | st.floats(-9e99, -1e-99))
def test_numbers_fit_their_column_and_keep_five_digits(amount):
    assert len(number(amount)) <= NUMBER_WIDTH
    assert float(number(amount)) == pytest.approx(amount, rel=1e-4)


LONG = "layers.0.neurons.12.weight.1"
FORMULAS = {
    "labels": (lambda a, b: a * b, "a * b"),
    "numbers of nodes": (lambda a, b: (a * b).tanh() / (a - b), "#4 / #5"),
    "constants": (lambda a, b: a**2, "a ** 2"),
    "three operands": (lambda a, b: a.clip(-1.0, b), "clip(a, -1, b)"),
    "sign": (lambda a, b: -a, "-a"),
    "list": (lambda a, b: functions.sum([a, b, a]), "sum(a, b, a)"),
    "long list": (lambda a, b: functions.sum([a] * 20), "sum(a, a, a, ..., a, a)"),
    "long names in a list": (lambda a, b: functions.dot([Value(1.0, LONG)] * 3, [a, b, a]), "dot(6 operands)"),
    "dotted names": (lambda a, b: a * Value(1.0, LONG), "a * …12.weight.1"),
    "long names": (lambda a, b: a * Value(1.0, "abcdefghijklmnopqrstuvwxyz"), "a * abcde…stuvwxyz"),
    "control characters": (lambda a, b: a * Value(1.0, "x\n"), r"a * x\n"),
}


@pytest.mark.parametrize(("build", "text"), FORMULAS.values(), ids=FORMULAS)
def test_formulas(build, text):
    node = build(*variables("a", "b"))
    assert formula(node, numbered(topological_order(node))) == text


LABELS = {
    "plain": ("loss", "loss"),
    "newline": ("a\nb", r"a\nb"),
    "tab": ("a\tb", r"a\tb"),
    "NUL": ("a\0", r"a\x00"),
    "escape sequence": ("\x1b[31mred", r"\x1b[31mred"),
    "C1 control": ("\x9b", r"\x9b"),
    "right to left override": ("\u202egnp", r"\u202egnp"),
    "right to left mark": ("a\u200fb", r"a\u200fb"),
    "byte order mark": ("\ufeffa", r"\ufeffa"),
    "line separator": ("a\u2028b", r"a\u2028b"),
    "lone surrogate": ("\ud800", r"\ud800"),
    "noncharacter": ("\uffff", r"\uffff"),
    "emoji": ("👩‍👩‍👧", "👩‍👩‍👧"),
    "Hebrew": ("שלום", "שלום"),
    "Chinese with a wide space": ("学\u3000習", "学\u3000習"),
    "huge": ("a" * 5000 + "z" * 5000, "a" * 15 + "…" + "z" * 24),
    "huge, of controls": ("\0" * 10_000, (r"\x00" * 10)[:15] + "…" + (r"\x00" * 10)[-24:]),
}


@pytest.mark.parametrize(("label", "text"), LABELS.values(), ids=LABELS)
def test_labels(label, text):
    assert visible(label) == text
    assert viz.tree(Value(1.0, label=label)).splitlines()[1].startswith(text)


@given(ANY_TEXT)
def test_any_label_becomes_one_short_line_that_can_be_encoded(label):
    text = visible(label)
    assert len(text) <= LABEL_LIMIT
    assert len(text.splitlines()) <= 1
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in text)
    text.encode()
    assert visible(text) == text


def test_importing_viz_imports_no_heavy_package():
    code = (
        "import sys, viz\n"
        "heavy = {'graphviz', 'pygraphviz', 'matplotlib', 'numpy', 'subprocess', 'typing', 'nn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
