"""Texts that want to be more than an expression, for both small languages of `viz`.

Run as a program (`python tests/hostile.py expressions`), it gives every text to that language and prints, as JSON, what
became of each and what the interpreter was asked to do meanwhile. It is a process of its own because an audit hook
cannot be taken out again, and because a process can be stopped if it hangs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

TOUCH = "__import__('os').system('touch pwned')"

ATTRIBUTES = [
    "().__class__", "().__class__.__bases__[0].__subclasses__()", "a.__class__", "a.__class__.__mro__[1]",
    "a.__dict__", "(1).__class__", "1.0.__class__", "1..__class__.__base__", "1.0.real", "a.grad.real",
    "a.data.hex()", "a.__init__.__globals__['__builtins__']", "a.__reduce_ex__(2)", "a.backward()",
    "a.op.value.format(a)", "(a).__getattribute__('grad')", "(a + b)._data", "(a*b).tanh()", "(a*b).grad",
    "tanh.__globals__", "tanh(a).__class__", "sum([a]).parents[0]", "abs.__self__", "abs.__self__.eval('1')",
    "min.__call__(a, b)", "node.__globals__", "node('a').__class__", "a . __class__", "a.\t__class__", "a.b.c",
    "a.b.c.d.e.f", "a._first._first", "[].append(a)", "''.join", "{}.get", "...__class__", "True.__class__",
    "None.__class__", "a.__class__ == b.__class__", "#5.__class__", "#5.grad.real", "#5.#6", "(#5).grad.x", "a.#5",
    "a[0].grad", "-a.__neg__()",
]  # fmt: skip

DUNDERS = [
    "__import__('os')", TOUCH, "__import__", "__builtins__", "__builtins__['eval']", "__name__", "__file__",
    "__debug__", "__loader__.load_module('os')", "__spec__", "__class__", "__a__", "__", "tanh(__import__)",
    "__build_class__(a, b)", "h = __import__; h", "a + __doc__", "_＿import_＿('os')", "＿＿import＿＿('os')",
    r"__\u0069mport__('os')",
]  # fmt: skip

CALLS = [
    "eval('1')", "exec('a = 1')", "compile('1', '', 'eval')", "open('pwned', 'w')", "open(a)", "print(a)", "input()",
    "breakpoint()", "exit()", "quit()", "getattr(a, 'grad')", "setattr(a, 'data', 1)", "delattr(a, 'data')",
    "globals()", "locals()", "vars()", "dir()", "type(a)", "id(a)", "object()", "super()", "memoryview(b'')",
    "range(10 ** 9)", "list(a)", "pow(2, 10 ** 9, 7, 8)", "os.system('touch pwned')", "sys.exit()", "help()",
    "(eval)('1')", "eval", "(a)(b)", "a(b)(b)", "2(a)", "tanh(a)(b)", "(tanh)(a, b)", "tanh(a, b)", "tanh()",
    "tanh(a=a)", "tanh(x=a, y=b)", "tanh(**a)", "tanh(*a)", "max(*[a, b])", "max(**{'xs': [a]})", "max()", "min()",
    "abs()", "abs(a, b)", "abs(a)(b)", "node()", "node(a)", "node('a', 'b')", "node(name='a')", "node(*'a')",
    "node('a')('b')", "node(node('a'))", "isnan()", "#5()", "#5(a)", "validate()", "define(a, b, a)", "functions(a)",
    "log(a, 2, 3)", "exp(a, base=b)",
]  # fmt: skip

COMPREHENSIONS = [
    "[x for x in a]", "[x for x in ().__class__.__bases__]", "sum(x for x in a)", "sum([x for x in a])",
    "{x for x in a}", "{x: x for x in a}", "(x for x in a)", "max(x for x in [a, b] if x)",
    "[[x for x in a] for a in b]", "[x async for x in a]", "[await x for x in a]", "[b := x for x in a]",
    "any(x == a for x in b)", "[*a, *b]", "{**a}",
]  # fmt: skip

PYTHON = [
    "lambda: 1", "(lambda: 1)()", "(lambda x: x)(a)", "lambda *a, **k: (a, k)", "tanh(lambda: a)", "abs(lambda: a)",
    "(y := a)", "tanh(y := a)", "y := a", "(a := 1) + a", "a if b else x", "a if a else b if b else x", "*a",
    "*a, *b", "*a = b", "a, b", "a,", "()", "(a, b) = b", "a[0]", "a[0:1]", "a[::1]", "a[...]", "a[a, b]",
    "[a, b][0]", "a[b]", "[]", "[a]", "[a] * 1000000000", "{}", "{a}", "{a: b}", "{a, b}", "a @ b", "a << 1000000000",
    "1 << 10 ** 10", "a >> 1", "a & b", "a | b", "a ^ b", "a ^ 2", "~a", "a -> b", "a ? b : x", "a && b", "a || b",
    "!a", "a!", "$a", "`a`", "a++", "a += 1", "a **= 9", "a = b = x", "a: float = 1", "a is b", "a is not b",
    "a in b", "a not in [b]", "True", "False", "None", "not None", "a == None", "...", "Ellipsis", "1j", "a + 1j",
    "1e400j", "await a", "yield a", "(yield)", "yield from a", "1if a else b", "1for x in a",
]  # fmt: skip

STATEMENTS = [
    "import os", "import os; os.system('touch pwned')", "from os import system", "from os import *", "def f(): pass",
    "def f(): return f()", "class A: pass", "class A(metaclass=a): a", "del a", "global a", "nonlocal a", "pass",
    "return a", "raise a", "assert a", "assert a, b", "while True: pass", "while 1: a", "for x in a: x", "if a: b",
    "with open('pwned') as f: f", "try: a\nexcept: b", "async def f(): pass", "match a:\n case b: a", "type A = a",
    "@a\ndef f(): pass", "print a", "exec 'a'", "break", "continue", "a; import os", "h = a; del h", "a\nimport os",
    "h = a; exec('h')", "a;\n" + TOUCH,
]  # fmt: skip

STRINGS = [
    "'a'", '"a"', "'a' + 'b'", "'a' * 1000000000", "'%s' % a", "'%1000000000d' % a", "'{0.__class__}'.format(a)",
    "'{}'.format", "f'{a}'", "f'{a.__class__}'", "f'{a!r:>{b}}'", "f'{__import__(\"os\")}'", "f'{a:1000000000}'",
    "rf'{a}'", "b'a'", "b'a' == a", "'a' < 'b'", "a < 'b'", "a == 'b' < 'c'", "a == 'b' or 'c'", "not 'a'", "-'a'",
    "abs('a')", "max('a', 'b')", "'a'.grad", "'a'[0]", "'abc", '"abc', "'''abc'''", '"""a"""', "'", '"', '"\\x"',
    '"\\N{no such}" == a', "a == 'x\\", "a 'b'", "'a' a", "'a' if a else 'b'", "'\0' == a", "'\u202e' == a", "t'{a}'",
]  # fmt: skip

NUMBERS = [
    "9" * 400, "9" * 5000, "9" * 9999, "0x" + "f" * 5000, "0b" + "1" * 9000, "-" + "9" * 400, "a + " + "8" * 4301,
    "1_000_" + "0" * 9000, "0777", "1__0", "0x", "0b2", "1e", "1e+", "1.2.3", "2a", "2 a", "a 2", "1_", "0o9", "1.e",
    "٣", "٣ + a", "1٣", "½", "a²", "a³", "Ⅷ", "１２", "1" + "0" * 308 + "9" * 50,
]  # fmt: skip

NESTING = [
    "(" * 300 + "a" + ")" * 300, "(" * 5000, ")" * 5000, "(" * 4999 + "a" + ")" * 4999, "[" * 5000,
    "[" * 300 + "]" * 300, "{" * 300, "-" * 300 + "a", "-" * 9000 + "a", "+" * 9000 + "a", "- " * 4900 + "a",
    "~" * 9000 + "a", "not " * 2400 + "a", "not " * 100 + "a", "abs(" * 100 + "a" + ")" * 100, "abs(" * 2000,
    "abs(" * 60 + "a" + ")" * 60, "**".join(["a"] * 100), "**".join(["9"] * 3000), "a**-" * 900 + "a",
    "a." * 4000 + "a", "a[" * 90 + "a" + "]" * 90, "a(" * 90 + "a" + ")" * 90, "lambda:" * 1000 + "a",
    "a if a else " * 700 + "a", "([{" * 100, "(-" * 90 + "a" + ")" * 90, "f'{" * 50 + "a" + "}'" * 50,
    "max(a, " * 90 + "a" + ")" * 90,
    "(a+" * 90 + "a" + ")" * 90, "(a," * 90 + ")" * 90, "#5 " * 3000, "a " * 4000, "a;" * 3000 + ";",
]  # fmt: skip

CHARACTERS = [
    "\0", "a\0", "a + \0b", "\0" * 100, "a\x01b", "a\x07", "a\x08b", "\x1b[31ma", "a\x0bb", "a\x0cb", "a\x7f",
    "a\x85b", "a\x9bb", "a\u00a0+ b", "a\u2003+ b", "a\u3000+ b", "a\u2028b", "a\u2029b", "a\u00adb", "a\u200bb",
    "\u200ba", "a\u200cb", "a\u200db", "a\u2060b", "\ufeffa", "a\ufeff", "a\u202eb", "\u202ea", "a\u202a\u202cb",
    "a\u2066b\u2069", "a\u200f", "a\u061cb", "a\ufe0f", "a\U000e0061", "\ud800", "a\udfff", "a + \udc80", "\uffff",
    "a\ufffd", "\ue000", "\U0010ffff", "a😀", "😀", "\u0301a", "a + \u0301", "a\u0301 + b", "e\u0301", "\\", "a \\",
    "a \\\n+ b", "a + \\u0062", "# comment", "a # comment", "a # " + TOUCH, "a #5#", "5#6", "a#5", "#5a", "#", "##5",
    "# 5", "#-1", "#５", "#5_0", "a\nb", "a +\nb", "(a +\n b)", "a\r+ b", "a\r\nb", "a;\nb", "a\n\n\n+ b",
    "# coding: latin-1\na",
]  # fmt: skip

LOOK_ALIKES = [
    "ａ", "ａ + b", "ｔａｎｈ(a)", "tanｈ(a)", "ａｂｓ(a)", "а + b", "tаnh(a)", "аbs(a)", "a\u0435", "ο", "αbs(a)", "ⅇ",
    "𝐚 + b", "𝑎", "ª", "ﬁ", "µ", "ℯ", "ſqrt(a)", "ſin(a)", "lοg(a)", "ехр(a)",
    "ｅｖａｌ('1')", "ｉｍｐｏｒｔ os", "ｌａｍｂｄａ: a",
    "𝚗ot a", "a × b", "a ÷ b", "a − b", "a – b", "a · b", "a·b", "a ∗ b", "a ≤ b", "a ≥ b", "a ≠ b", "（a）", "a ＋ b",
    "a ＝ b", "a ＜ b", "a，b", "a；b", "√a", "∞", "“a” == b", "‘a’", "a == ”b”", "a ＃ b",
    "a．grad", "a․grad", "abs❨a❩",
    "ab\u0131s(a)", "İ(a)", "ŋode('a')",
]  # fmt: skip

GARBAGE = [
    "", " ", "\n", "\t \r\n", ";", ";;", "a;;b", ",", "+", "*", "a +", "+ * a", "a b", "a b c", "(a", "a)", "(a]",
    "[a)", "a]", "a.", ".a", ".", "..", "a..b", "a = ", "= a", "a == ", "== a", "a < < b", "a <> b", "a and", "or a",
    "not", "a not b", "abs(a", "abs a", "|a|", "sin x", "max(a b)", "max(a,,b)", "max(,a)", "max(a=1, b)",
    "a ** ** b", "a // // b", "a %", "% a", "layers.0.bias", "a'", "nan(a)", "inf()", "a" * 10_001, " " * 10_001,
    "a + " * 2500 + "a" * 2, "a" * 10_000, "ы" * 10_000, "日" * 9_000 + "ａ", "é" * 5000 + "e\u0301", "'\"" * 4999,
    "\\" * 9999, "\"\\\"" * 3000, "unknown", "a + unknown", "max(a, unknown)", "unknown(a)", "sqr(a)", "Abs(a)",
    "a.unknown + 1 = 2",
]  # fmt: skip

IN_EXPRESSIONS = [
    "a < b", "a <= b", "a == b", "a != b", "a > b > x", "a and b", "a or b", "not a", "a.grad", "#5", "#5.grad",
    "node('a')", "node(\"a\").grad", "op == 'tanh'", "isnan(a)", "tanh", "1 + 2", "pi", "9 ** 9 ** 9", "a; b",
    "h = a; h = b; h", "h = a; a = h; a", "a = b; a", "h = h; h", "x.tanh", "sum()", "mean([])", "max([])", "var([])",
    "dot([a], [a, b])", "dot(a, b)", "dot([a])", "dot([a], [b], [x])", "sum([[a]])", "sum([a], b)", "sum(xs=a)",
    "sum(x=[a])", "sum([*a])", "max(key=a)", "clip(a, x=b)", "clip(a, middle=b)", "leaky_relu()",
    "leaky_relu(a, 1, 2)", "tanh([a])", "where(a, b)", "polygamma(a)", "softmax(a, b)", "functions.tanh(a)", "ln(a)",
    "arctan2(a, b)", "1; 2; 3", "h = 1; h",
]  # fmt: skip

IN_CONDITIONS = [
    "tanh(a)", "sum(a, b)", "h = a", "h = a; h", "a = 1", "max([a, b])", "max(xs=[a])", "abs(x=a)", "sqrt(a, b)",
    "sin(a)", "polygamma(100, a)", "clip(a, high=1)", "gamma(a)", "a.unknown", "#5.unknown", "#6", "node('unknown')",
    "node('b').x", "a.data.grad", "node('a').grad.x", "(a).b.c", "op < 1", "op + 1", "-op", "abs(op)", "op > op",
    "op.grad", "none > 1", "none + 1", "-none", "a < none", "max(a, none)", "none.grad", "number.grad",
    "1 < 2 < none", "not (none < 1)", "bare + 1", "bare < 1", "not bare", "bare == 1",
]  # fmt: skip

BOTH = [
    *ATTRIBUTES, *DUNDERS, *CALLS, *COMPREHENSIONS, *PYTHON, *STATEMENTS, *STRINGS, *NUMBERS, *NESTING, *CHARACTERS,
    *LOOK_ALIKES, *GARBAGE,
]  # fmt: skip

TEXTS = {"expressions": [*BOTH, *IN_EXPRESSIONS], "conditions": [*BOTH, *IN_CONDITIONS]}


ROOT = Path(__file__).parent.parent

NUMBERS_GIVEN = {"a": 2.0, "b": 3.0, "x": -0.5}
NAMES_GIVEN = {
    "a": {"data": 2.0, "grad": 0.5}, "b": {"data": 3.0, "grad": 0.0}, "x": -0.5, "#5": {"data": 1.0, "grad": 0.0},
    "op": "tanh", "none": None, "number": 1.0, "bare": {"grad": 1.0},
}  # fmt: skip


def outcomes(language: str) -> dict[str, list[list[object]]]:
    """What became of the texts, from a process that is stopped if it hangs; all of them take a few seconds."""
    command = [sys.executable, "-W", "error", "tests/hostile.py", language]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def _main(language: str) -> None:
    events: list[str] = []
    run = _loaded(language)
    sys.addaudithook(lambda event, arguments: events.append(f"{event} {arguments[0]}" if event == "open" else event))
    came = [_outcome(run, text) for text in TEXTS[language]]
    during = sorted(set(events))
    events.clear()
    eval("1")  # so that a hook that hears nothing is found out
    heard = sorted(set(events))
    print(json.dumps({"came": came, "during": [during], "heard": [heard]}))


def _loaded(language: str) -> Callable[[str], object]:
    """The language, with everything compiled that the engine compiles when it is first used."""
    from engine import OPS, Value, functions
    from engine.generate import method_names
    from engine.rules import evaluator
    from viz.conditions import Condition
    from viz.expressions import evaluate

    for name, op in OPS.items():
        getattr(functions, name)
        evaluator(op)
        for method in method_names(op):
            getattr(Value, method)

    def run(text: str) -> object:
        if language == "expressions":
            return evaluate(text, NUMBERS_GIVEN)
        return Condition(text).evaluate(NAMES_GIVEN.__getitem__, NAMES_GIVEN)

    _outcome(run, "\0")  # loads the codec that makes it visible
    return run


def _outcome(run: Callable[[str], object], text: str) -> list[object]:
    from viz.syntax import ExpressionError

    try:
        return ["result", repr(run(text))]
    except ExpressionError as error:
        return ["refused", error.problem, error.column, str(error)]
    except BaseException as error:
        return ["raised", repr(error)]


if __name__ == "__main__":
    _main(sys.argv[1])
