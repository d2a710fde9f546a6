"""Which line of the user's program is at work, also when it was typed at a prompt.

This module knows nothing of nodes.
"""

from __future__ import annotations

import sys
from itertools import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType

_HERE = (__file__.rpartition("source_lines.py")[0], "<glassgrad")  # the engine's files, and its generated functions
_TYPED = "<stdin>"
_STATEMENT_LIMIT = 200
_numbers = count(1)
_at_work: tuple[CodeType | None, str] = None, ""  # the last statement typed, and its name


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

    Its text is what readline has last when it makes its first node: later a debugger may have read other lines. In a
    function that was typed earlier it is the statement that called it.
    """
    global _at_work
    while frame.f_code.co_name != "<module>" and frame.f_back:
        frame = frame.f_back
    code, readline = frame.f_code, sys.modules.get("readline")
    if code.co_filename != _TYPED or readline is None:
        return code.co_filename, frame.f_lineno
    if code is not _at_work[0]:
        import linecache

        last = readline.get_current_history_length()
        history = [readline.get_history_item(k) or "" for k in range(max(1, last - _STATEMENT_LIMIT), last + 1)]
        name = f"<stdin-{next(_numbers)}>"
        # without a time of modification an entry stays
        linecache.cache[name] = (0, None, [line + "\n" for line in _statement(history, code)], name)
        _at_work = code, name
    return _at_work[1], frame.f_lineno


def _statement(history: list[str], code: CodeType) -> list[str]:
    """The last lines of a history that compile to a statement; none, if the history has something else there.

    >>> lines = ["a = 1", "for i in range(3):", "    print(", "        i)"]
    >>> _statement(lines, compile("\\n".join(lines[1:]), "<stdin>", "single"))
    ['for i in range(3):', '    print(', '        i)']
    """
    for size in range(max(line or 1 for *_, line in code.co_lines()), len(history) + 1):
        try:
            read = compile("\n".join(history[-size:]) + "\n", _TYPED, "single", dont_inherit=True)
        except (SyntaxError, ValueError):
            continue
        if (read.co_code, read.co_names, read.co_consts) == (code.co_code, code.co_names, code.co_consts):
            return history[-size:]
    return []
