"""Step cards and the table of steps: true at every position, readable at any size."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings

import viz
from engine import Trace, Value, constant, functions, record_source
from engine.events import Contribution
from engine.testing import FUNCTIONS, Program, graphs
from viz.cards import DONE, LEFT_OUT, TO_COME, Card, Cards
from viz.colors import paint, wanted
from viz.wording import number

quickly = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def product() -> Trace:
    """The example of the specification: d loss / d e = -2."""
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    e = a * b
    e.label = "e"
    return Trace(a - 2 * e)


def lines(trace: Trace, k: int) -> list[str]:
    return viz.card(trace, k).splitlines()


def test_the_card_of_a_product() -> None:
    with record_source():
        trace = product()
    assert lines(trace, len(trace) - 1) == [
        "step 10/11  backward  e = a * b      test_cards.py:24  e = a * b",
        "  value      e = -6   operands a = 2, b = -3",
        "  upstream   dL/de = -2  (final)",
        "  -> a   de/da = b = -3   x -2 = +6   grad 1 -> 7   (2 of 2; final)",
        "  .. b   de/db = a = 2    (to come)",
    ]
    assert lines(trace, len(trace))[-1] == "  -> b   de/db = a = 2    x -2 = -4   grad 0 -> -4   (final)"


@pytest.mark.parametrize(
    ("k", "expected"),
    [
        (
            0,
            ["step 0/11  start  #6 = a - #5", "  note       nothing is computed yet: 6 steps forward, then 5 backward"],
        ),
        (1, ["step 1/11  forward  a = 2", "  value      a = 2 (a variable)"]),
        (2, ["step 2/11  forward  #2 = 2", "  value      #2 = 2 (a constant)"]),
        (4, ["step 4/11  forward  e = a * b", "  value      e = 2 * (-3) = -6"]),
        (
            6,
            [
                "step 6/11  forward  #6 = a - #5",
                "  value      #6 = 2 - (-12) = 14",
                "  upstream   dL/d#6 = 1  (the backward sweep starts here)",
            ],
        ),
    ],
)
def test_the_card_at(k: int, expected: list[str]) -> None:
    assert lines(product(), k) == expected


@quickly
@given(graphs(max_ops=10))
def test_cards_say_what_the_engine_has(program: Program) -> None:
    root = program.run(FUNCTIONS, [Value(x) for x in program.leaves])[-1]
    if root.is_constant:
        return
    trace = Trace(root)
    cards = Cards(trace)
    for k in range(1, len(trace) + 1):
        card, event, state = cards.at(k), trace[k - 1], trace.state(k)
        assert (card.step, card.steps) == (k, len(trace))
        done = [edge for edge in card.edges if edge.status == DONE]
        for edge in done:
            contribution = trace[edge.event]
            assert isinstance(contribution, Contribution)
            assert contribution.node is event.node
            assert edge.number == number(contribution.partial)
            assert edge.gradient == f"{number(contribution.before)} -> {number(contribution.after)}"
        if isinstance(event, Contribution):
            assert done[-1].event == k - 1, "the last edge that is done is the current one"
            assert done[-1].gradient.endswith(f"-> {number(state[event.parent])}")
            assert done[-1].arrival.endswith("final") == event.is_final
            assert card.upstream.endswith(f"= {number(state[event.node])}")
            hidden = sum(edge.event for edge in card.edges if edge.status == LEFT_OUT)
            shown = sum(edge.status != LEFT_OUT for edge in card.edges)
            assert shown + hidden == sum(not parent.is_constant for parent in event.node.parents)
        else:
            assert not card.edges
            assert card.value.startswith(cards.name(event.node))
        rendered = viz.card(trace, k)
        assert all(edge.partial in rendered for edge in card.edges)


def last(node: Value) -> Card:
    trace = Trace(node)
    return Cards(trace).at(len(trace))


def x(data: float) -> Value:
    return Value(data, label="x")


FLAGS = {
    "dead relu": (lambda: x(-1.0).relu(), "partial 0: the gradient stops here", ""),
    "nan in the partial": (lambda: x(-1.0).sqrt(), "nan!", ""),
    "overflow": (lambda: (x(1.0) * 1e200) * 1e200, "inf appears here", ""),
    "inf appears": (lambda: x(0.0).sqrt(), "inf!", ""),
    "nan of inf and 0": (lambda: (x(-1.0).relu() * 1e200) * 1e200, "nan appears here", ""),
    "inf passed on": (lambda: x(1.0) * math.inf * 1.0, "inf!", ""),
    "underflow": (lambda: (x(1.0) * 1e-200) * 1e-200, "underflow to 0", ""),
    "zero upstream": (lambda: x(2.0).exp() * 0.0, "", "a gradient of zero: nothing to pass on"),
}


@pytest.mark.parametrize("case", FLAGS)
def test_flags(case: str) -> None:
    build, flag, note = FLAGS[case]
    card = last(build())
    assert card.edges[-1].flag == flag
    assert card.note == note


def test_an_overflow_of_the_sum() -> None:
    a = x(1.0)
    card = last(functions.sum([a * 1e308, a * 1e308]))
    assert card.edges[-1].flag == "inf appears here"


def test_notes_of_values_that_are_not_finite() -> None:
    trace = Trace(Value(0.0).log() * 2)
    cards = Cards(trace)
    assert [cards.at(k).note for k in (1, 2, 4)] == ["", "-inf appears here", "-inf!"]
    inf = Value(math.inf)
    for node, note in ((inf * 0, "nan appears here"), (inf * 0 + inf, "nan!"), (inf - inf, "nan appears here")):
        trace = Trace(node)
        assert Cards(trace).at(trace.turn).note == note, "where the first nan appears is what one looks for"


def test_a_repeated_operand_has_a_line_for_each_time() -> None:
    card = last(functions.mul(a := x(3.0), a))
    assert [(edge.parent, edge.gradient, edge.arrival) for edge in card.edges] == [
        ("x", "0 -> 3", "1 of 2; more to come"),
        ("x", "3 -> 6", "2 of 2; final"),
    ]
    assert card.operands == ("x = 3",)


def test_constants_have_no_edge() -> None:
    rate = constant(0.5)
    rate.label = "rate"
    card = last(functions.dot([x(2.0), 7.0], [rate, 3.0]))
    assert [edge.parent for edge in card.edges] == ["x"]
    assert card.operands == ("x = 2", "rate = 0.5")


def test_a_dot_of_784() -> None:
    weights = [Value(0.01 * k, label=f"layers.0.neurons.3.weight.{k}") for k in range(784)]
    trace = Trace(functions.dot(weights, [constant(1.0)] * 784))
    first = trace.turn
    for k, shown in {first + 1: 5, first + 2: 5, first + 400: 8, len(trace): 6, len(trace) - 3: 8}.items():
        card = Cards(trace).at(k)
        real = [edge for edge in card.edges if edge.status != LEFT_OUT]
        assert shown - 1 <= len(real) <= shown + 1
        assert len(real) + sum(edge.event for edge in card.edges if edge.status == LEFT_OUT) == 784
        assert any(edge.event == k - 1 for edge in real if edge.status == DONE), "the current one is always shown"
        assert all((edge.event < k) == (edge.status == DONE) for edge in real)
        assert max(map(len, viz.card(trace, k).splitlines())) < 150
    assert "... 779 more edges ..." in viz.card(trace)
    assert "dot(1568 operands)" in viz.card(trace)


def test_ascii_and_colours() -> None:
    greek = Value(2.0, label="θ")
    trace = Trace(greek * 3.0)
    assert "θ" in viz.card(trace)
    assert viz.card(trace, ascii=True).isascii()
    assert viz.steps(trace, ascii=True).isascii()
    colored = viz.card(trace, color=True)
    assert paint("θ", "name") in colored
    plain = colored
    for code in ("1", "2", "32", "33", "31;1", "36", "0"):
        plain = plain.replace(f"\x1b[{code}m", "")
    assert plain == viz.card(trace), "colours change nothing but colours"


def test_columns_are_aligned() -> None:
    wide, narrow = Value(2.0, label="変数"), Value(3.0, label="b")
    (first, second) = viz.card(Trace(wide * narrow)).splitlines()[-2:]
    assert first.index("grad") + 2 == second.index("grad"), "two characters take two columns each"


def test_the_table_of_steps() -> None:
    trace = product()
    table = viz.steps(trace).splitlines()
    assert len(table) == 1 + len(trace)
    assert len({row.index("grad") for row in table[:1]}) == 1
    assert table[4].split() == ["4", "e", "=", "a", "*", "b", "-6"]
    assert table[10].split()[6:] == ["a", "-2", "x", "-3", "=", "+6", "1", "->", "7", "final"]
    assert viz.steps(trace, 9, 10).splitlines()[1:] != []
    assert viz.steps(trace, -1).splitlines()[1].startswith("  11")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: viz.card(Value(1.0)), TypeError, "card shows a Trace; got Value"),  # type: ignore[arg-type]
        (lambda: viz.steps(3), TypeError, "steps shows a Trace; got int"),  # type: ignore[arg-type]
        (lambda: viz.card(product(), 12), IndexError, "positions 0 to 11; got 12"),
        (lambda: viz.card(product(), -1), IndexError, "positions 0 to 11; got -1"),
    ],
)
def test_errors(call: object, error: type[Exception], message: str) -> None:
    assert callable(call)
    with pytest.raises(error, match=message):
        call()


class Terminal:
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False),
     ({"FORCE_COLOR": "1", "TERM": "dumb"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)  # fmt: skip
def test_when_colours_are_wanted(environment: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wanted(Terminal()) is expected  # type: ignore[arg-type]


def test_to_come_is_no_claim_about_gradients() -> None:
    card = Cards(trace := product()).at(len(trace) - 1)
    pending = [edge for edge in card.edges if edge.status == TO_COME]
    assert [(edge.arithmetic, edge.gradient, edge.arrival) for edge in pending] == [("", "", "")]
