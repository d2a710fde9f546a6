"""Which line of the user's program is at work, also when it was typed at a prompt.

This module knows nothing of nodes.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

_HERE = (__file__.rpartition("source_lines.py")[0], "<glassgrad")  # the engine's files, and its generated functions
_TYPED = "<stdin>"
_STATEMENT_LIMIT = 200


def calling_line() -> tuple[str, int]:
    """File and line of the first frame outside the engine."""
    frame = sys._getframe(1)
    file = frame.f_code.co_filename
    while file.startswith(_HERE) and frame.f_back:
        frame = frame.f_back
        file = frame.f_code.co_filename
    return _typed_line(frame) if file == _TYPED else (file, frame.f_lineno)


def _typed_line(frame: FrameType) -> tuple[str, int]:
    """At the prompt of Python 3.11 and 3.12 every statement is line 1 of `<stdin>`: give each a name, as later ones do.

    Its text is what readline has last. In a function that was typed earlier it is the statement that called it.
    """
    while frame.f_code.co_name != "<module>" and frame.f_back:
        frame = frame.f_back
    readline = sys.modules.get("readline")
    if frame.f_code.co_filename != _TYPED or readline is None:
        return frame.f_code.co_filename, frame.f_lineno
    import linecache

    last = readline.get_current_history_length()
    name = f"<stdin-{last}>"
    if name not in linecache.cache:
        history = [readline.get_history_item(k) or "" for k in range(max(1, last - _STATEMENT_LIMIT), last + 1)]
        lines = _statement(history, max(line or 1 for *_, line in frame.f_code.co_lines()))
        # without a time of modification an entry stays
        linecache.cache[name] = (0, None, [line + "\n" for line in lines], name)
    return name, frame.f_lineno


def _statement(history: list[str], least: int) -> list[str]:
    """The last lines of a history that make a statement of at least so many lines.

    >>> _statement(["a = 1", "for i in range(3):", "    print(", "        i)"], 3)
    ['for i in range(3):', '    print(', '        i)']
    """
    import ast

    for size in range(least, len(history) + 1):
        try:
            ast.parse("\n".join(history[-size:]) + "\n")
        except SyntaxError:
            continue
        return history[-size:]
    return history[-least:]
