"""The mode in which a function of one example is recorded for compilation, and what it refuses.

The numbers of that one example must not decide anything: a comparison, a conversion or a random number drawn by Python
would be frozen into the program. They raise here, with the line and what to write instead.
"""

from __future__ import annotations

from engine.modes import Mode, active, innermost
from engine.ops import CONSTANT
from engine.source_lines import calling_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from engine.value import Value


class TracingError(TypeError):
    """A function that is being compiled lets a number decide, instead of a Value."""


class tracing(Mode):
    """Record for compilation.

    Attributes:
        leaves: the Values made from numbers meanwhile: numbers of the program, not parameters.
        draw: what `random_input` gives.
    """

    _concerns_operators = False
    _adds = frozenset({"tracing"})
    leaves: list[Value]
    draw: Callable[[str], Value]

    def __enter__(self) -> None:
        self.leaves = []
        recordings.append(self)
        super().__enter__()

    def __exit__(self, *error: object) -> None:
        recordings.remove(self)
        super().__exit__(*error)


recordings: list[tracing] = []
"""Those under way, in any thread."""


def is_tracing() -> bool:
    """Whether a function is being recorded here."""
    return bool(recordings) and innermost(tracing) is not None


def remember(leaf: Value) -> None:
    """A leaf was made while tracing."""
    innermost(tracing).leaves.append(leaf)  # type: ignore[union-attr]  # there is one


_COMPARISON = "where(greater(x, y), a, b), maximum, minimum, clip, relu, abs, max or min of engine.functions"
_INSTEAD = {
    **dict.fromkeys(("<", "<=", ">", ">=", "a branch or bool()"), _COMPARISON),
    **dict.fromkeys(
        ("round()", "int()", "math.floor()", "math.ceil()", "math.trunc()"), "engine.functions.floor or ceil"
    ),
    "no_grad()": "it on the compiled function's results, outside",
    "detach()": "a parameter or an input of its own for what shall have no gradient",
    **dict.fromkeys(("copy()", "deepcopy()", "a pickle"), "the Value itself, which nothing changes"),
    "setting .data": "it between calls, outside",
    **dict.fromkeys((".grad", ".partials", "backward()"), "engine.grad, whose result is a Value"),
}


def check(node: Value, how: str) -> None:
    """Refuse to give a number away while tracing; constants may.

    Raises:
        TracingError: the node is a variable.
    """
    if node.op is not CONSTANT and "tracing" in active():
        refuse(node, how)


def refuse(node: Value, how: str) -> NoReturn:
    file, line = calling_line()
    raise TracingError(
        f"{how} takes a number out of a function that is being compiled, and the number of one example would hold for "
        f"all; got it of {node!r} in {file}:{line}; use {_INSTEAD.get(how, 'the Value itself')}"
    )
