"""Rule text: parsing, validation, spelling, and the source that comes out of it."""

from __future__ import annotations

import re

import pytest
from oracles import ALL_OPS

from engine import OPS, Op
from engine.generate import docstring, function_source, method_names, method_source, parameters
from engine.rules import RuleError, evaluator, formula, parse, partial_texts, spell, validate


@pytest.mark.parametrize(
    ("value", "partials", "complaint"),
    [
        ("q + 1", ("1",), "operation 'thing': 'q' is unknown, in the rule 'q + 1'; a rule may use ['x', 'z']"),
        ("x +", ("1",), "operation 'thing': syntax error (invalid syntax), in the rule 'x +'"),
        ("exp(x, x)", ("1",), "exp takes 1 operands and is given 2"),
        ("magic(x)", ("1",), "there is no operation 'magic'"),
        ("x.real", ("1",), "'x.real' is not allowed"),
        ("exp(x=x)", ("1",), "'exp(x=x)' is not allowed"),
        ("(lambda: x)()", ("1",), "is not allowed"),
        ("x < 1 < 2", ("1",), "is not allowed"),
        ("True", ("1",), "'True' is not allowed"),
        ("'x'", ("1",), "is not allowed"),
        ("x if x else 0", ("1",), "is not allowed"),
        ("x", (), "operation 'thing': it has 1 operands and 0 partials; give one rule for each"),
        ("x", ("1", "1"), "it has 1 operands and 2 partials"),
        ("x", ("q",), "'q' is unknown"),
        ("thing(x)", ("1",), "its value 'thing(x)' calls itself, and there is no primitive of that name"),
    ],
)
def test_a_wrong_entry_is_an_error_that_names_it(value: str, partials: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(RuleError, match=re.escape(complaint)):
        validate({"thing": Op("thing", value, partials, "a thing")})


def test_wrong_kinks_and_domains_are_errors() -> None:
    with pytest.raises(RuleError, match="'q' is unknown"):
        validate({"thing": Op("thing", "x", ("1",), "a thing", kinks=("q",))})
    with pytest.raises(RuleError, match="2 domains for 1 operands; give one interval, or one for each"):
        validate({"thing": Op("thing", "x", ("1",), "a thing", domain=((0.0, 1.0), (0.0, 1.0)))})


@ALL_OPS
def test_rules_read_back_as_they_were_written(op: Op) -> None:
    for text in (op.value, *op.partials, *op.textbook, *op.kinks):
        again = formula(op, text, {})
        assert formula(op, again, {}) == again
        shortened = re.search(r"\d\.\d{5}|nan", text)
        assert shortened or parse(op, text) == parse(op, again)


@ALL_OPS
def test_every_operation_documents_itself(op: Op) -> None:
    assert op.value in docstring(op)
    assert all(partial in docstring(op) for partial in op.partials)
    sources = [function_source(op), *(method_source(op, name) for name in method_names(op))]
    for source in sources:
        assert docstring(op) in source
        compile(source, "generated", "exec")


def test_spelling_keeps_the_meaning() -> None:
    names = {"x": "a", "y": "b"}
    for text in ("(x + y) * x", "x - (y - x)", "x / (y / x)", "(x ** y) ** x", "x ** y ** x", "-(x + y)", "-x ** y",
                 "(-x) ** y", "x ** -y", "x % (y % x)", "-1.5 * x", "(-1.5) ** x"):  # fmt: skip
        shown = formula(OPS["add"], text, {})
        assert eval(shown, {"x": 1.25, "y": 0.5}) == eval(text, {"x": 1.25, "y": 0.5})
        assert formula(OPS["add"], text, names) == shown.replace("x", "a").replace("y", "b")
    assert spell(("where", ("less", "x", 0.0), ("neg", "x"), "x"), "fast", {}) == "-x if x < 0.0 else x"


def test_subexpressions_are_computed_once() -> None:
    assert method_source(OPS["sigmoid"], "sigmoid").count("_exp(") == 1
    assert method_source(OPS["mish"], "mish").count("_tanh(") == 1
    assert function_source(OPS["var"]).count("_sum(xs)") == 1
    assert function_source(OPS["max"]).count("_sum(") == 1


def test_nothing_moves_out_of_a_branch() -> None:
    entry = Op("thing", "where(x > 0, log(x), 0)", ("where(x > 0, log(x) + 1 / x, 0)",), "a thing")
    assert evaluator(entry)(-1.0) == (0.0, [0.0])
    assert "t0 = x > 0.0\n" in method_source(entry, "thing")
    assert not re.search(r"t\d = _log", method_source(entry, "thing"))


def test_small_pieces() -> None:
    assert parameters(OPS["leaky_relu"]) == "x, slope=0.01"
    assert partial_texts(OPS["sum"], 3) == ("1", "1", "1")
    assert partial_texts(OPS["mul"], 2) == ("y", "x")
