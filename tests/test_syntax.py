"""`viz.syntax`, and what both small languages have to withstand."""

from __future__ import annotations

import copy
import pickle

import pytest
from hostile import NAMES_GIVEN, NUMBERS_GIVEN, ROOT, TEXTS, outcomes
from hypothesis import given, settings
from hypothesis import strategies as st

from viz.conditions import Condition
from viz.expressions import evaluate, free_names
from viz.syntax import ExpressionError, Source
from viz.wording import width

RUN = {
    "expressions": lambda text: evaluate(text, NUMBERS_GIVEN),
    "conditions": lambda text: Condition(text).evaluate(NAMES_GIVEN.__getitem__, NAMES_GIVEN),
}
HOSTILE = [(language, text) for language, texts in TEXTS.items() for text in texts]


def refused(language: str, text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        RUN[language](text)
    return caught.value


# --- hostile texts


def test_there_are_enough_of_them():
    for texts in TEXTS.values():
        assert len(set(texts)) == len(texts) >= 200


@pytest.mark.parametrize("language", TEXTS)
def test_all_are_refused_and_nothing_runs(language):
    found = outcomes(language)
    assert [outcome[0] for outcome in found["came"]] == ["refused"] * len(TEXTS[language])
    # Parsing is all that Python may be asked to do; for the line of a syntax error it looks for the file of the text.
    assert found["during"] == [["compile", "open <unknown>"]]
    assert "exec" in found["heard"][0]
    assert not (ROOT / "pwned").exists()


@pytest.mark.parametrize(("language", "text"), HOSTILE, ids=lambda text: ascii(text)[:40])
def test_the_message_is_clear_and_points_at_the_place(language, text):
    error = refused(language, text)
    assert error.problem.count(";") >= 2 and "; got " in error.problem
    assert error.problem.isprintable() and len(error.problem) < 250
    assert 1 <= error.column <= len(text) + 1
    problem, shown, caret = str(error).split("\n")
    assert problem == error.problem
    assert caret.strip() == "^" and shown.startswith("  ") and len(shown) <= 100
    assert len(caret) <= width(shown) + 1
    if text.isascii() and text.isprintable() and len(text) <= 36:
        assert shown == "  " + text
        assert caret.index("^") == 1 + error.column


@pytest.mark.parametrize("text", ["+".join(["a"] * 4999), "*".join(["b"] * 4999)], ids=["sum", "product"])
@pytest.mark.parametrize("language", TEXTS)
def test_sums_are_as_long_as_the_parser_of_this_python_bears(language, text):
    try:
        RUN[language](text)
    except ExpressionError as error:
        assert "too long or too deeply nested" in error.problem


@pytest.mark.parametrize("language", TEXTS)
def test_the_second_check_stands_alone(language, monkeypatch):
    """With the check of characters and words taken away, the walk over the tree lets nothing new in."""
    monkeypatch.setattr(Source, "_checked", lambda source: source.text.strip())
    for text in TEXTS[language]:
        if text.isprintable():
            try:
                RUN[language](text)
            except ExpressionError:
                continue
            assert "#" in text or not text.isascii(), "comments, and letters that Python reads as others"


# --- places

PLACES = {  # the text, the column, the lines below the problem
    "first": ("$a", 1, "  $a", "  ^"),
    "blanks in front": ("  a $", 5, "    a $", "      ^"),
    "line breaks around": ("\n\na $\n", 5, r"  \n\na $\n", "        ^"),
    "the end": ("a +", 4, "  a +", "     ^"),
    "the end, blanks behind": ("a +  ", 4, "  a +  ", "     ^"),
    "empty": ("", 1, "  ", "  ^"),
    "behind Greek letters": ("θ + ζ $ a", 7, "  θ + ζ $ a", "        ^"),
    "behind wide letters": ("学習 $ a", 4, "  学習 $ a", "       ^"),
    "behind a mark without width": ("ก็ $ a", 4, "  ก็ $ a", "    ^"),
    "an unprintable character": ("a + \x1b[1m", 5, r"  a + \x1b[1m", "      ^"),
    "in the tree": ("学 + a[0]", 5, "  学 + a[0]", "       ^"),
    "an attribute": ("学 + a . tanh()", 9, "  学 + a . tanh()", "           ^"),
    "long": ("a+" * 200 + "$" + "+b" * 200, 401, f"  …{'+a' * 29}+${'+b' * 17}…", " " * 62 + "^"),
    "long, at the beginning": ("$" + "+b" * 200, 1, f"  ${'+b' * 17}…", "  ^"),
    "long, at the end": ("a+" * 200, 401, f"  …{'+a' * 29}+", " " * 62 + "^"),
    "too long": ("a" * 20_000, 10_001, f"  …{'a' * 59}{'a' * 35}…", " " * 62 + "^"),
}


@pytest.mark.parametrize(("text", "column", "shown", "caret"), PLACES.values(), ids=PLACES)
def test_places(text, column, shown, caret):
    error = refused("expressions", text)
    assert error.column == column
    assert str(error).split("\n")[1:] == [shown, caret]


NAMES = st.text("aλ学", min_size=1)


@settings(deadline=None)
@given(NAMES, NAMES)
def test_the_caret_is_below_the_place(before, after):
    error = refused("conditions", f"{before} + ${after}")
    _, shown, caret = str(error).split("\n")
    assert error.column == len(before) + 4
    assert width(shown[: shown.index("$")]) == caret.index("^")


PROBLEMS = {
    "look-alike": ("а", "an unknown name; got 'а', in which there is U+0430 CYRILLIC SMALL LETTER A; give it a value"),
    "normalised": (
        "ｔａｎｈ(a)",
        "a character that has no place here; got U+FF54 FULLWIDTH LATIN SMALL LETTER T; write t",
    ),
    "superscript": ("a²", "a character that has no place here; got U+00B2 SUPERSCRIPT TWO; write ** 2"),
    "minus": ("a − b", "a character that has no place here; got U+2212 MINUS SIGN; write -"),
    "comparison of a textbook": ("a ≤ b", "...; got U+2264 LESS-THAN OR EQUAL TO; write less_equal(a, b)"),
    "bidi": ("a\u202eb", "a character that has no place here; got U+202E RIGHT-TO-LEFT OVERRIDE; take it out"),
    "lines": ("a\n+ b", "a text of several lines; got a line break; write one line"),
    "dunder": ("a.__class__", "a name with two underscores in front; got '__class__'; choose another name"),
    "keyword": ("lambda * a", "a word of Python's that has no place here; got 'lambda'; choose another name"),
    "product": ("2a", "a number that cannot be read; got '2a'; write 2 * x for a product, ..."),
    "open": ("(a", "a bracket that is never closed; got '('; close it"),
    "closed": ("a)", "a bracket that was never opened; got ')'; ..."),
    "crossed": ("(a]", "a bracket of another kind than the one it closes; got ']'; ..."),
    "digits": ("9" * 5000, "a number too large for a float; got '999999999999999…999999999999999999999999'; ..."),
    "large": ("9" * 400, "a number too large for a float; got '999999999999999…999999999999999999999999'; ..."),
    "levels": ("-" * 51 + "a", "brackets or signs nested too deeply; got more than 50 levels; ..."),
    "levels beyond Python's": ("-" * 9000 + "a", "a text too long or too deeply nested; got 9,001 characters; ..."),
    "brackets": ("(" * 300 + "a" + ")" * 300, "brackets nested too deeply; got '('; write it in smaller parts"),
    "length": ("a" * 10_001, "a text that is too long; got 10,001 characters; write less"),
    "complex": ("1j * a", "a constant that has no place here; got '1j'; write real numbers and names"),
}


@pytest.mark.parametrize(("text", "problem"), PROBLEMS.values(), ids=PROBLEMS)
def test_problems(text, problem):
    found = refused("expressions", text).problem
    assert all(part in found for part in problem.split("..."))


@pytest.mark.parametrize("run", [evaluate, lambda text, _: Condition(text)], ids=TEXTS)
@pytest.mark.parametrize("thing", [None, 1.0, b"a", ["a"]])
def test_what_is_no_text(run, thing):
    with pytest.raises(TypeError, match="an expression is a text; got .*; pass a string"):
        run(thing, {})


def test_errors_can_be_copied_and_sent():
    error = refused("expressions", "a $ b")
    for twin in (copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert (str(twin), twin.problem, twin.text, twin.column) == (str(error), error.problem, "a $ b", 3)


# --- any text

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
SIGNS = "ab xop()[]{},;.:=<>+-*/%@^&|~!?\\#\"'\0\n\t1θаａ×²\u202e"
WORDS = [
    "none", "#5", "node", ":=", "==", "!=", "//", "**", '"a"', "'grad'", "f'{a}'", "b''", ".grad", ".data", "0.5",
    "1e400", "1j", "0x", "inf", "nan", "tanh(", "max(", "sum([", "dot(", "clip(", "abs(", "isnan(", "low=", "and", "or",
    "not", "if", "else", "for", "in", "is", "lambda", "import", "None", "True", "__class__", "...",
]  # fmt: skip
PIECES = st.sampled_from([*SIGNS, *WORDS])


@pytest.mark.parametrize("language", RUN)
@settings(deadline=None, max_examples=300)
@given(text=ANY_TEXT | st.lists(PIECES, max_size=12).map("".join) | st.lists(PIECES, max_size=12).map(" ".join))
def test_any_text_has_a_result_or_a_clear_error(language, text):
    try:
        RUN[language](text)
    except ExpressionError as error:
        test_the_message_is_clear_and_points_at_the_place(language, text)
        assert str(error) == str(refused(language, text))


@settings(deadline=None)
@given(ANY_TEXT | st.lists(PIECES, max_size=12).map(" ".join))
def test_names_are_told_of_what_can_be_read(text):
    try:
        names = free_names(text)
    except ExpressionError:
        return
    try:
        evaluate(text, dict.fromkeys(names, 1.0))
    except ExpressionError as error:
        assert "unknown name" not in error.problem
