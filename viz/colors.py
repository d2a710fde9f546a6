"""Colours for terminals: whether they are wanted, and the escape sequences for them. Knows nothing of graphs."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

# Select Graphic Rendition codes (ECMA-48, 8.3.117); plain ones, so that the terminal's own theme decides.
ROLES = {"title": "1", "name": "1", "faint": "2", "good": "32", "warn": "33", "bad": "31;1", "place": "36"}


def wanted(stream: IO[str]) -> bool:
    """Whether to colour what goes to a stream: to terminals, unless NO_COLOR is set (https://no-color.org).

    >>> import io
    >>> wanted(io.StringIO())
    False
    """
    if os.environ.get("NO_COLOR"):
        return False
    is_terminal = getattr(stream, "isatty", bool)  # a stream needs no more than `write`
    return bool(os.environ.get("FORCE_COLOR")) or (is_terminal() and os.environ.get("TERM") != "dumb")


def paint(text: str, role: str, color: bool = True) -> str:
    r"""The text in the colour of its role; as it is, if colours are not wanted.

    >>> paint("nan!", "bad"), paint("nan!", "bad", color=False)
    ('\x1b[31;1mnan!\x1b[0m', 'nan!')
    """
    return f"\x1b[{ROLES[role]}m{text}\x1b[0m" if color and text else text
