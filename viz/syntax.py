"""What the two small languages of `viz` share: the reading of a text, and errors that point at their place.

A text is read in three steps, each of which refuses what it does not know: its characters and words are checked here,
Python's own grammar makes a tree of it, and the language (`expressions.py`, `conditions.py`) goes through that tree
with a list of what it allows. Nothing of the text is ever compiled or run by Python.

This module knows nothing of Values, operations and nodes.
"""

from __future__ import annotations

import ast
import re
import unicodedata
import warnings
from difflib import get_close_matches
from keyword import iskeyword

from viz.wording import visible, width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

LENGTH_LIMIT = 10_000
LEVELS = 50  # of nesting, so that walks may recurse; long sums are no deeper than short ones
_BEFORE, _AFTER = 60, 36  # how much of a long text is shown on each side of the caret

ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.FloorDiv: "floordiv", ast.Mod: "mod",
    ast.Pow: "pow",
}  # fmt: skip
"""Python's operators, by the names of the operations."""


class ExpressionError(ValueError):
    """A text is not of the language, or cannot be computed; the message ends with the place, marked by a caret.

    Attributes:
        problem: what is wrong, what was got and what to do, in one line.
        text: the whole text.
        column: where in it, from 1; one more than its length for its end.

    >>> print(ExpressionError("an unknown name; got 'c'; give it a value", "a * c", 5))
    an unknown name; got 'c'; give it a value
      a * c
          ^
    """

    def __init__(self, problem: str, text: str, column: int) -> None:
        super().__init__(problem, text, column)
        self.problem = problem
        self.text = text
        self.column = column

    def __str__(self) -> str:
        place = self.column - 1
        before = "".join(map(visible, self.text[max(0, place - _BEFORE) : place]))
        after = "".join(map(visible, self.text[place : place + _AFTER]))
        if place > _BEFORE or len(before) > _BEFORE:
            before = "…" + before[1 - _BEFORE :]
        if len(self.text) > place + _AFTER or len(after) > _AFTER:
            after = after[: _AFTER - 1] + "…"
        return f"{self.problem}\n  {before}{after}\n  {' ' * width(before)}^"


class Source:
    """A text whose characters and words are allowed, as Python's grammar reads it.

    Args:
        text: one line; blanks and line breaks around it do not matter.
        allowed: the symbols and keywords of the language; `"` stands for strings, `#5` for nodes by number.
        advice: what to write in place of others; "" for what cannot be read at all.

    Attributes:
        statements: the text as a tree.

    Raises:
        TypeError: it is no text.
        ExpressionError: too long, nested too deeply, characters or words that are not allowed, not Python's grammar.
    """

    def __init__(self, text: str, allowed: Collection[str], advice: Mapping[str, str]) -> None:
        if not isinstance(text, str):
            raise TypeError(f"an expression is a text; got {type(text).__name__}; pass a string such as 'tanh(a * b)'")
        self.text = text
        self._allowed = allowed
        self._advice = advice
        self._start = len(text) - len(text.lstrip(_BLANKS))
        if len(text) > LENGTH_LIMIT:
            raise self.error(LENGTH_LIMIT + 1, "a text that is too long", f"{len(text):,} characters", "write less")
        body = self._checked()
        self._bytes = body.encode()
        self.statements = self._parsed(body)
        if not self.statements:
            raise self.error(len(text) + 1, "nothing to compute", "an empty text", "write something like abs(a * b)")

    def error(self, place: ast.expr | ast.stmt | int, what: str, got: str, to_do: str) -> ExpressionError:
        """An error that points at a part of the tree, or at a column."""
        column = place if isinstance(place, int) else self.column(place)
        return ExpressionError(f"{what}; got {got}; {to_do}", self.text, column)

    def column(self, node: ast.expr | ast.stmt) -> int:
        """Where a part of the tree begins, from 1."""
        return self._column(node.col_offset)

    def _column(self, offset: int) -> int:  # the tree counts bytes
        return self._start + len(self._bytes[:offset].decode(errors="replace")) + 1

    def written(self, node: ast.expr | ast.stmt) -> str:
        """A part of the tree as it stands in the text."""
        end = self._column(node.end_col_offset or 0)
        return self.text[self._column(node.col_offset) - 1 : end - 1]

    def attribute(self, node: ast.Attribute) -> tuple[str, int]:
        """The name behind the point, and its column."""
        name = self.written(node)[-len(node.attr) :]
        return name, self._column(node.end_col_offset or 0) - len(name)

    def refusal(self, node: ast.expr | ast.stmt, to_do: str) -> ExpressionError:
        """The error for a part of the tree that the language does not allow."""
        kind = _KINDS.get(type(node), "an expression")
        return self.error(node, f"{kind} that has no place here", quoted(self.written(node)), to_do)

    def unknown(self, place: ast.expr, kind: str, name: str, known: Iterable[str], to_do: str) -> ExpressionError:
        """The error for a name that nobody knows, with those it may have been meant to be."""
        odd = [character for character in name if not character.isascii()]
        got = f"{quoted(name)}, in which there is {_named(odd[0])}" if odd else quoted(name)
        close = " or ".join(map(visible, get_close_matches(name, list(known), 3)))
        return self.error(place, f"an unknown {kind}", got, f"did you mean {close}?" if close else to_do)

    def number(self, node: ast.Constant) -> float:
        """A number of the text: all are floats."""
        if type(node.value) not in (int, float):
            raise self.refusal(node, "write real numbers and names")
        try:
            return float(node.value)  # type: ignore[arg-type]  # complex ones and strings are refused above
        except OverflowError:
            raise self.error(node, "a number too large for a float", quoted(self.written(node)), _AT_MOST) from None

    def operands(self, node: ast.BinOp) -> tuple[ast.expr, list[tuple[str, ast.expr]]]:
        """The first operand of `a + b - c`, and each operation with the operand to its right: sums may be long."""
        links = []
        first: ast.expr = node
        while isinstance(first, ast.BinOp):
            if type(first.op) not in ARITHMETIC:
                raise self.refusal(first, "write + - * / // % or **")
            links.append((ARITHMETIC[type(first.op)], first.right))
            first = first.left
        return first, links[::-1]

    # --- characters and words

    def _checked(self) -> str:
        """The text for Python's parser: without blanks around it, and with nodes such as #5 as names."""
        text, end = self.text, len(self.text.rstrip(_BLANKS))
        characters = list(text)
        for piece in _PIECES.finditer(text, self._start, end):
            start, found = piece.start(), piece.group()
            match piece.lastgroup:
                case "string":
                    self._check_string(start, found)
                case "word":
                    self._check_word(start, found)
                case "node" if "#5" in self._allowed:
                    characters[start] = "_"  # as long; `written` still has the number sign
                case "symbol" | "node" if found not in self._allowed:
                    raise self._odd_symbol(start, found[0] if piece.lastgroup == "node" else found)
        return "".join(characters[self._start : end])

    def _check_string(self, start: int, found: str) -> None:
        if '"' not in self._allowed:
            raise self.error(start + 1, "a string that has no place here", quoted(found), "write numbers and names")
        if found in _TRIPLE or self.text[start - 1 : start].isalnum():
            raise self.error(start + 1, "a string of a kind that is not known here", quoted(found), 'write "tanh"')
        for place, character in enumerate(found, start):
            if not character.isprintable() and character not in "\u200c\u200d":  # these join letters and emoji
                raise self._odd_character(place)

    def _check_word(self, start: int, word: str) -> None:
        if iskeyword(word) and word not in self._allowed:
            to_do = self._advice.get(word, "choose another name")
            raise self.error(start + 1, "a word of Python's that has no place here", quoted(word), to_do)
        if word.startswith("__"):
            raise self.error(start + 1, "a name with two underscores in front", quoted(word), "choose another name")
        if word.isascii():
            return
        for place, character in enumerate(word, start):
            before = "a" if place > start else ""
            if character in _SUBSTITUTES or not (character.isprintable() and (before + character).isidentifier()):
                raise self._odd_character(place)
        if not unicodedata.is_normalized("NFKC", word):  # Python would read it as another name
            raise self._odd_character(start + _first_that_changes(word))

    def _odd_symbol(self, start: int, symbol: str) -> ExpressionError:
        if not symbol.isprintable():
            return self._odd_character(start)
        to_do = self._advice.get(symbol, "take it out")
        return self.error(start + 1, "a sign that has no meaning here", quoted(symbol), to_do)

    def _odd_character(self, place: int) -> ExpressionError:
        character = self.text[place]
        plain = _SUBSTITUTES.get(character) or unicodedata.normalize("NFKC", character)
        if character in "\r\n":
            return self.error(place + 1, "a text of several lines", "a line break", "write one line")
        to_do = "take it out"
        if plain != character and plain.isprintable() and plain.strip():
            to_do = self._advice.get(plain, f"write {plain}")
        return self.error(place + 1, "a character that has no place here", _named(character), to_do)

    # --- grammar

    def _parsed(self, body: str) -> list[ast.stmt]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                statements = ast.parse(body).body
        except SyntaxError as error:
            raise self._syntax_error(error) from None
        except (ValueError, OverflowError, MemoryError, RecursionError):
            raise self.error(1, "a text too long or too deeply nested", f"{len(body):,} characters", _SHORTER) from None
        self._check_levels(statements)
        return statements

    def _check_levels(self, statements: list[ast.stmt]) -> None:
        pending: list[tuple[int, ast.AST]] = [(-1, statement) for statement in statements]
        while pending:
            level, node = pending.pop()
            if level > LEVELS and isinstance(node, ast.expr):
                raise self.error(node, "brackets or signs nested too deeply", f"more than {LEVELS} levels", _SHORTER)
            first = node.left if isinstance(node, ast.BinOp) else None
            pending += [(level + (part is not first), part) for part in ast.iter_child_nodes(node)]

    def _syntax_error(self, error: SyntaxError) -> ExpressionError:
        said = error.msg or ""
        end = len(self.text.rstrip(_BLANKS))
        place = min(self._start + max(error.offset or 1, 1) - 1, end)
        piece = _PIECES.match(self.text, place, end)
        got = quoted(piece.group()) if piece else "the end of the text"
        for part, what, to_do in _SYNTAX:
            if part in said:
                return self.error(place + 1, what, got, to_do)
        to_do = self._advice.get("", "is an operator, a comma or a bracket missing, or one too many?")
        return self.error(place + 1, "an expression that cannot be read from here on", got, to_do)


_BLANKS = " \t\r\n"
_TRIPLE = ('"""', "'''")
_AT_MOST = "use at most 1.8e308"
_SHORTER = "write it in smaller parts"

_PIECES = re.compile(
    r"""(?P<string>\"{3}|'{3}|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"|(?P<node>(?<![\w.])\#[0-9]+(?!\w))"
    r"|(?P<number>\.?[0-9](?:[eE][+-]|[A-Za-z0-9_.])*)"
    r"|(?P<word>(?:[A-Za-z_]|[^\x00-\x7f])(?:\w|[^\x00-\x7f])*)"
    r"|[ \t]+|(?P<symbol>\*\*|//|[=!<>:]=|->|<<|>>|.)",
    re.DOTALL,
)

_SUBSTITUTES = {
    "×": "*", "·": "*", "⋅": "*", "∙": "*", "∗": "*", "÷": "/", "∕": "/", "−": "-", "–": "-", "—": "-", "²": "** 2",
    "³": "** 3", "√": "sqrt", "∞": "inf", "≤": "<=", "≥": ">=", "≠": "!=", "“": '"', "”": '"', "‘": '"', "’": '"',
}  # fmt: skip

_SYNTAX = (  # what is in Python's message, and how it is said here
    ("never closed", "a bracket that is never closed", "close it"),
    ("unmatched", "a bracket that was never opened", "take it out, or open one before"),
    ("does not match", "a bracket of another kind than the one it closes", "close ( with ) and [ with ]"),
    ("too many nested", "brackets nested too deeply", _SHORTER),
    ("unterminated", "a string that does not end", "close it with the mark it began with"),
    ("unicode error", "a string with a wrong escape", r"write \\ for one backslash"),
    ("digits) for integer", "a number too large for a float", _AT_MOST),
    ("literal", "a number that cannot be read", "write 2 * x for a product, and numbers like 0.5 or 1e-3"),
)

_KINDS: dict[type[ast.AST], str] = {
    ast.Attribute: "an attribute", ast.Subscript: "an index", ast.Starred: "a star", ast.List: "a list",
    ast.Tuple: "a tuple", ast.Constant: "a constant", ast.Call: "a call", ast.Compare: "a comparison",
    ast.Assign: "an assignment", ast.AugAssign: "an assignment",
}  # fmt: skip


def quoted(text: str) -> str:
    """A piece of a text in a message."""
    return f"'{visible(text)}'"


def _named(character: str) -> str:
    """The Unicode name, for characters that look like others or like nothing."""
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()


def _first_that_changes(word: str) -> int:
    return next(k for k in range(len(word)) if not unicodedata.is_normalized("NFKC", word[: k + 1]))
