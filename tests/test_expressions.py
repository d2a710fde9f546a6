"""`viz.expressions`: graphs from text."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine import OPS, Value, constant, functions
from engine.formulas import value_formula
from engine.graph import topological_order
from viz.expressions import evaluate, free_names
from viz.syntax import ExpressionError

GIVEN = {"a": 2.0, "b": -3.0, "c": 0.5, "x": 0.25}


def same(x: float, y: float) -> bool:
    return x == y or (x != x and y != y)


VALUES = {
    "a * b + 1": -5.0,
    "  a\n": 2.0,
    "a;": 2.0,
    "+a - -b": -1.0,
    "-a ** 2": -4.0,
    "2 ** -a": 0.25,
    "2 ** a ** 3": 256.0,
    "a - b - c": 4.5,
    "7 // a % 2": 1.0,
    "1_000 * a + 0x10": 2016.0,
    "inf * a": math.inf,
    "nan * a": math.nan,
    "pi * a": 2 * math.pi,
    "e ** a": math.e**2,
    "a / 0": math.inf,
    "(a - a) / 0": math.nan,
    "9 ** 9 ** 9 ** 9 + a": math.inf,
    "a ** 9 ** 9 ** 9": math.inf,
    "a ** 1e308 ** 1e308": math.inf,
    "1e400 * a": math.inf,
    "tanh(a)": math.tanh(2.0),
    "sum(a, b, c)": -0.5,
    "sum([a, b, c])": -0.5,
    "sum((a, b, c))": -0.5,
    "sum(xs=[a, b])": -1.0,
    "sum(a)": 2.0,
    "sum([]) + a": 2.0,
    "dot([a, b], [c, 2])": -5.0,
    "dot(ys=[1, 2], xs=(a, b))": -4.0,
    "max(a, b)": 2.0,
    "min([a, b, 1])": -3.0,
    "leaky_relu(b, slope=0.5)": -1.5,
    "leaky_relu(b, 0.5)": -1.5,
    "clip(a, high=1)": 1.0,
    "where(less(a, b), 1, 2 * a)": 4.0,
    "polygamma(1, a)": math.pi**2 / 6 - 1,
    "polygamma(1e308, a)": math.nan,
    "digamma(-1e300 * a)": math.nan,
    "h = a * b; tanh(h) + h": math.tanh(-6.0) - 6.0,
    "k = 3; a ** k": 8.0,
    "loss = a * b": -6.0,
    "+".join(["a"] * 500): 1000.0,
    "-" * 50 + "a": 2.0,
    "(" * 150 + "a" + ")" * 150: 2.0,
}


@pytest.mark.parametrize(("text", "value"), VALUES.items(), ids=lambda part: str(part)[:40])
def test_values(text, value):
    assert evaluate(text, GIVEN).data == pytest.approx(value, rel=1e-14, nan_ok=True)


@pytest.mark.parametrize("name", OPS)
def test_every_operation_of_the_table(name):
    given = {letter: Value(GIVEN[letter], label=letter) for letter in "acx"}
    x, a, c = given["x"], given["a"], given["c"]
    op, count = OPS[name], len(OPS[name].operands)
    operands = (([x, a], [c, x]) if op.variadic else (x, a, c))[:count]
    text = ", ".join((("[x, a]", "(c, x)") if op.variadic else ("x", "a", "c"))[:count])
    expected = getattr(functions, name)(*operands)
    found = evaluate(f"{name}({text})", given)
    assert found.op is op and found.parents == expected.parents
    assert repr((found.data, found.partials)) == repr((expected.data, expected.partials))


def formulas(root: Value) -> list[str]:
    return [node.label or value_formula(node) for node in topological_order(root) if not node.is_constant]


def test_the_graph_shares_what_has_a_name_and_numbers_are_constants():
    root = evaluate("h = w * x; k = 2 * 3; tanh(h) + h * k", {"w": 2, "x": 0.5})
    assert formulas(root) == ["w", "x", "h", "tanh(h)", "h * 6", "x + y"]
    root.backward()
    h = root.parents[0].parents[0]
    assert h.label == "h" and h.grad == pytest.approx(1 - math.tanh(1.0) ** 2 + 6)


def test_a_number_becomes_one_value_and_a_value_stays_itself():
    a = Value(2.0)
    root = evaluate("a * n + n", {"a": a, "n": 3, "unused": "no number"})
    assert root.parents[0].parents[0] is a and a.label is None
    assert root.parents[0].parents[1] is root.parents[1] and root.parents[1].label == "n"
    assert evaluate("a", {"a": a}) is a


def test_labels_that_are_there_stay():
    a = Value(2.0, label="mine")
    assert evaluate("h = a; h * 1", {"a": a}).parents[0].label == "mine"
    assert evaluate("h = a * a; g = h; g", {"a": a}).label == "h"


def test_a_variable_hides_the_number_and_not_the_function_of_its_name():
    assert evaluate("e + pi", {"e": 1.0, "pi": 2.0}).data == 3.0
    assert evaluate("max(max, sum)", {"max": 1.0, "sum": 2.0}).data == 2.0


def test_modes_hold():
    with engine.no_grad():
        assert evaluate("a * b", GIVEN).is_constant
    assert evaluate("a * b", {"a": constant(2.0), "b": 3.0}).data == 6.0
    with engine.detect_anomaly(), pytest.raises(engine.AnomalyError):
        evaluate("log(a - 3)", GIVEN)


@pytest.mark.parametrize("thing", ["2.0", None, [1.0], 1j])
def test_a_variable_that_is_no_number(thing):
    with pytest.raises(TypeError, match="a Value holds one real number"):
        evaluate("a", {"a": thing})


FREE = {
    "w * x + b": ["w", "x", "b"],
    "b + a + b": ["b", "a"],
    "h = w * x; tanh(h) + h * b": ["w", "x", "b"],
    "inf + nan + pi + e": [],
    "tanh(tanh) + clip(x, low=low)": ["tanh", "x", "low"],
    "θ * 学習": ["θ", "学習"],
    "a - (b - c) ** d // f": ["a", "b", "c", "d", "f"],
}


@pytest.mark.parametrize(("text", "names"), FREE.items(), ids=FREE)
def test_free_names(text, names):
    assert free_names(text) == names


PROBLEMS = {
    "(a * b).tanh()": (9, "got 'tanh'; write tanh(...)"),
    "a < b": (3, "got '<'; write less(a, b)"),
    "a == b": (3, "got '=='; write equal(a, b)"),
    "a if b else c": (3, "got 'if'; write where(c, x, y)"),
    "a ^ 2": (3, "got '^'; write x ** 2"),
    "a @ b": (3, "got '@'; write dot([a, b], [c, d])"),
    "sqr(a)": (1, "an unknown function; got 'sqr'; did you mean sqrt or square?"),
    "a + tahn(b)": (5, "an unknown function; got 'tahn'; did you mean"),
    "ln(a)": (1, "an unknown function; got 'ln'; write log"),
    "arcsin(a)": (1, "an unknown function; got 'arcsin'; write asin"),
    "a(b)": (1, "an unknown function; got 'a'; write * for a product"),
    "2(a)": (1, "a call of something that is no function; got '2'; write * for a product"),
    "tanh * a": (1, "a function without operands; got 'tanh'; write tanh(...)"),
    "hidden = a; hiden": (13, "an unknown name; got 'hiden'; did you mean hidden?"),
    "zeta + a": (1, "an unknown name; got 'zeta'; give it a value"),
    "1 + 2": (1, "an expression without variables; got 3; let a name occur in it"),
    "h = a; 1 + 2": (8, "an expression without variables; got 3;"),
    "sum([])": (1, "an expression without variables; got 0;"),
    "a + mean([])": (5, "mean of no operands has no value; got an empty list; pass at least one"),
    "dot([a], [b, c])": (1, "dot takes lists of equal length; got lengths 1 and 2;"),
    "dot(a, b)": (5, "dot does not take these operands; got 'a' for a list; write dot([a, b], [c, d])"),
    "sum([a], b)": (10, "got 2 operands; write sum([a, b])"),
    "sum()": (1, "got none for xs; write sum([a, b])"),
    "tanh(a, b)": (9, "got 2 operands; write tanh(x)"),
    "clip(low=1)": (1, "got none for x; write clip(x, low=-inf, high=inf)"),
    "clip(a, x=1)": (11, "got a second operand 'x'; write clip("),
    "clip(a, **b)": (11, "got an unknown operand '**'; write clip("),
    "a[0]": (1, "an index that has no place here; got 'a[0]'; give each number a name"),
    "sum(*a)": (5, "a star that has no place here; got '*a'; write the operands one by one"),
    "[a, b]": (1, "a list that has no place here; got '[a, b]'; lists are operands of sum([a, b])"),
    "a; b": (1, "an expression that has no place here; got 'a'; give it a name"),
    "h = a; h = b; h": (8, "a name that has a value already; got 'h'; choose another name"),
    "a = b; a": (1, "a name that has a value already; got 'a'; choose another name"),
    "h += a": (1, "an assignment that has no place here; got 'h += a'; write h = a * b;"),
}


@pytest.mark.parametrize(("text", "expected"), PROBLEMS.items(), ids=PROBLEMS)
def test_problems(text, expected):
    column, problem = expected
    with pytest.raises(ExpressionError) as caught:
        evaluate(text, GIVEN)
    assert problem in caught.value.problem
    assert caught.value.column == column


# --- Python is the oracle

FUNCTIONS = {name: getattr(functions, name) for name in ("tanh", "exp", "abs", "relu", "maximum", "hypot", "pow")}
NUMBERS = st.sampled_from(["0", "1", "2.5", "1e-3", "7", "1e200", "inf"]).map("<{}>".format)
OPERATORS = st.sampled_from([" + ", " - ", " * ", " / ", " // ", " % ", " ** ", "-", "*", "**"])


def longer(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return (
        st.tuples(parts, OPERATORS, parts).map("".join)
        | st.tuples(st.sampled_from(["-", "+", "- "]), parts).map("".join)
        | parts.map("({})".format)
        | st.builds("{}({})".format, st.sampled_from(["tanh", "exp", "abs", "relu"]), parts)
        | st.builds("{}({}, {})".format, st.sampled_from(["maximum", "hypot", "pow"]), parts, parts)
    )


EXPRESSIONS = st.recursive(st.sampled_from("abc") | NUMBERS, longer, max_leaves=12).map("{} + a".format)


@settings(deadline=None, max_examples=300)
@given(EXPRESSIONS, st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3))
def test_expressions_mean_what_python_means(text, numbers):
    """The oracle's numbers, in angle brackets, are constants: Python's own raise where floats have inf."""
    ours, theirs = ({n: Value(x, label=n) for n, x in zip("abc", numbers, strict=True)} for _ in range(2))
    found = evaluate(text.replace("<", "").replace(">", ""), ours)
    names = {"constant": constant, "inf": math.inf, **FUNCTIONS, **theirs}
    expected = eval(text.replace("<", "constant(").replace(">", ")"), names)
    assert same(found.data, expected.data)
    found.backward()
    expected.backward()
    for name in "abc":
        assert same(ours[name].grad, theirs[name].grad), name
