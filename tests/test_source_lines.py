"""Lines that made a node: in files, in functions, and typed at a prompt that names no lines."""

from __future__ import annotations

import linecache
import sys
from types import SimpleNamespace

import pytest

from engine import Value, record_source


class Typed:
    """Python 3.11's prompt: each statement is `<stdin>`, its lines go into readline's history before it runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.history: list[str] = []
        self.names: dict[str, object] = {"Value": Value}
        reader = SimpleNamespace(
            get_current_history_length=lambda: len(self.history),
            get_history_item=lambda k: self.history[k - 1] if 0 < k <= len(self.history) else None,
        )
        monkeypatch.setitem(sys.modules, "readline", reader)

    def run(self, statement: str) -> None:
        self.history += [line for line in statement.splitlines() if line]
        exec(compile(statement + "\n", "<stdin>", "single"), self.names)

    def line(self, name: str) -> str:
        node = self.names[name]
        assert isinstance(node, Value)
        assert node.source
        return linecache.getline(*node.source).rstrip()


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    return Typed(monkeypatch)


def test_lines_typed_at_a_prompt(typed: Typed) -> None:
    with record_source():
        typed.run("a = Value(2.0)")
        typed.run("b = a * a")
        typed.run("for i in range(2):\n    a = a + 1\n    b = b * (a +\n             1)\n")
        typed.run("def square(x):\n    return x * x\n")
        typed.run("c = square(b)")
        linecache.checkcache()
    assert typed.line("a") == "    a = a + 1"
    assert typed.line("b") == "    b = b * (a +"
    assert typed.line("c") == "c = square(b)", "the function's own lines are not known any more"


def test_statements_keep_their_names(typed: Typed) -> None:
    with record_source():
        typed.run("a = Value(2.0)")
        typed.run("b = Value(3.0)")
        typed.run("print = a, b")
    assert typed.line("a") == "a = Value(2.0)"
    assert typed.line("b") == "b = Value(3.0)"


def test_a_statement_keeps_its_lines_while_others_are_read(typed: Typed) -> None:
    typed.names["answer"] = typed.history.append  # what `input` does, and a debugger
    with record_source():
        typed.run("a = []")
        typed.run("for k in range(3):\n    a.append(Value(1.0) * k)\n    answer('quit')\n")
        typed.run("b = Value(2.0)")
    nodes = typed.names["a"]
    assert isinstance(nodes, list)
    assert {linecache.getline(*node.source) for node in nodes} == {"    a.append(Value(1.0) * k)\n"}
    assert typed.line("b") == "b = Value(2.0)"


def test_a_history_that_forgets(typed: Typed) -> None:
    """`set history-size` keeps its length the same."""
    with record_source():
        for name in "abc":
            typed.run(f"{name} = Value(2.0)")
            del typed.history[:-1]
    assert [typed.line(name) for name in "abc"] == ["a = Value(2.0)", "b = Value(2.0)", "c = Value(2.0)"]


@pytest.mark.parametrize("last", ["a +", "quit", "c = Value(2.0)"])
def test_a_history_without_the_statement(typed: Typed, last: str) -> None:
    typed.history.append(last)
    with record_source():
        exec(compile("c = Value(1.0)", "<stdin>", "single"), typed.names)
    assert typed.line("c") == "", "no line rather than a wrong one"


def test_a_prompt_without_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "readline", raising=False)
    names: dict[str, Value] = {}
    with record_source():
        exec(compile("c = Value(1.0)", "<stdin>", "single"), {"Value": Value}, names)
    assert names["c"].source == ("<stdin>", 1)


def test_a_function_of_a_prompt_called_from_a_file(typed: Typed) -> None:
    typed.run("def double(x):\n    return x * 2\n")
    double = typed.names["double"]
    assert callable(double)
    with record_source():
        node = double(Value(1.0))
    assert node.source[0] not in ("<stdin>", __file__), "the outermost statement; here it is not at the prompt"


def test_always() -> None:
    record_source.always()
    record_source.always()
    try:
        line = sys._getframe().f_lineno + 1
        node = Value(2.0) * 3
        assert node.source == (__file__, line)
        with record_source():
            assert (node * 2).source
        assert (node * 2).source
    finally:
        record_source.always(False)
        record_source.always(False)
    assert (Value(2.0) * 3).source is None
