"""What the command line works on: an expression with numbers for its variables, or a Value in a Python file."""

from __future__ import annotations

import re
import runpy
import sys
import traceback
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

from engine import Value, label, record_source
from viz.architecture import is_module
from viz.expressions import evaluate, free_names
from viz.wording import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


class TargetError(ValueError):
    """A target that gives no Value; the message is for the one who typed it."""


def value_of(target: str, assignments: Sequence[str], *, modules: bool = False) -> Any:
    """The Value that a target means.

    Args:
        target: `FILE.py:NAME`, a Value or a function of no arguments in a file, which is run; else an expression.
        assignments: `NAME=NUMBER` for each variable of an expression.
        modules: whether it may be a module as well.

    Raises:
        TargetError: there is no such file or name, or it is no Value; an assignment that is none or does not fit.
        ExpressionError: an expression that cannot be read.

    >>> value_of("tanh(w * x)", ["w=0.5", "x=0"])
    Value(0.0, grad=0.0, op='tanh')
    """
    numbers: dict[str, float] = {}
    for name, number in map(_assignment, assignments):
        if name in numbers:
            raise TargetError(f"{name} is given twice; got {number!r} after {numbers[name]!r}; give it once")
        numbers[name] = number
    file = re.fullmatch(r"(.+\.pyw?)(?::(.*))?", target.strip())
    if file and not (file[2] or "").isidentifier():
        raise TargetError(f"a file needs the name of a Value or function in it; got {visible(target)}; add :loss or so")
    if file:
        if numbers:
            raise TargetError(f"a file takes no variables; got {', '.join(map(visible, assignments))}; leave them out")
        return _from_file(Path(file[1]), file[2], modules)
    names = free_names(target, numbers)
    missing = [name for name in names if name not in numbers]
    if missing:
        rest = " ".join(f"{name}=1.5" for name in missing)
        raise TargetError(f"every variable needs a number; got none for {', '.join(missing)}; add {rest}")
    unused = [name for name in numbers if name not in names]
    if unused:
        raise TargetError(
            f"{visible(unused[0])} is no variable of the expression; these are {', '.join(names) or 'none'}"
        )
    return evaluate(target, numbers)


def _assignment(text: str) -> tuple[str, float]:
    name, is_assignment, number = text.partition("=")
    if not is_assignment or not name.strip().isidentifier():
        raise TargetError(f"variables are given as NAME=NUMBER; got {visible(text.strip())!r}; as in: w=0.5 x=2")
    try:
        return name.strip(), float(number)
    except ValueError:
        raise TargetError(
            f"{name.strip()} needs a number; got {visible(number)!r}; as in: {name.strip()}=0.5"
        ) from None


def _from_file(path: Path, name: str, modules: bool) -> Any:
    if not path.is_file():
        raise TargetError(
            f"there is no file {visible(str(path))!r}; give a path to a Python file, as in: model.py:loss"
        )
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)  # as `python model.py` has it, but not for imports of our own: there may be a cmd.py
    try:
        with record_source():
            things = _run(path, lambda: runpy.run_path(str(path), run_name="<glassgrad>"))
            if name not in things:
                raise TargetError(f"{visible(path.name)} has no {name!r}; {_offer(name, things)}")
            thing = things[name]
            if modules and is_module(thing):
                return thing
            if not isinstance(thing, Value) and callable(thing):
                thing = _run(path, thing)
    finally:
        with suppress(ValueError):  # the file may have taken it out
            sys.path.remove(folder)
    if isinstance(thing, (list, tuple)) and len(thing) == 1:
        [thing] = thing
    if not isinstance(thing, Value):
        raise TargetError(
            f"{name} in {visible(path.name)} must be a Value, or a function of no arguments that returns one; "
            f"got {type(thing).__name__}; {_offer(name, things)}"
        )
    label(**{key: found for key, found in things.items() if isinstance(found, Value)})
    return thing


def _run(path: Path, function: Callable[[], Any]) -> Any:
    """What a user's code returns; where it fails, its own part of the traceback."""
    try:
        return function()
    except SystemExit as error:
        raise TargetError(
            f"{visible(path.name)} left before it was done; got sys.exit({error.code!r}); "
            'put that under if __name__ == "__main__"'
        ) from None
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [k for k, frame in enumerate(frames) if Path(frame.filename) == path or frame.filename == str(path)]
        lines = traceback.format_list(frames[own[0] :] if own else []) + traceback.format_exception_only(error)
        raise TargetError(f"{visible(path.name)} failed:\n{''.join(lines).rstrip()}") from None


def _offer(name: str, things: dict[str, object]) -> str:
    values = [key for key, thing in things.items() if isinstance(thing, Value)]
    if not values:
        return "there are no Values in it: name a function of no arguments that returns one"
    close = get_close_matches(name, values, n=1)
    return f"did you mean {close[0]}?" if close else f"Values in it are {', '.join(values[:8])}"
