"""What compiled functions refuse: numbers that would freeze, random numbers, batches of other things."""

from __future__ import annotations

import gc
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import engine
from engine import TracingError, Value, constant, functions

both = pytest.mark.parametrize("backend", ["python", "numpy"])


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "comparison": (lambda x: x if x > 0 else -x, "> takes a number .* use where"),
    "reflected comparison": (lambda x: x if x > 0 else -x, "takes a number"),
    "comparison of two": (lambda x: constant(1.0) <= x, "<= takes"),
    "at least": (lambda x: x >= 1, ">= takes"),
    "truth": (lambda x: x or 1.0, "a branch or bool"),
    "float": (lambda x: x * float(x), "float.. takes"),
    "data": (lambda x: x * x.data, ".data takes a number .* use the Value itself"),
    "int": (lambda x: int(x) * x, "use engine.functions.floor"),
    "round": (lambda x: round(x) * x, "round"),
    "floor": (lambda x: math.floor(x) * x, "floor"),
    "ceil": (lambda x: math.ceil(x) * x, "ceil"),
    "trunc": (lambda x: math.trunc(x) * x, "trunc"),
    "max": (lambda x: max(x, x * 2), "takes a number"),
    "detach": (lambda x: x.detach() * x, "an input of its own"),
    "no_grad": (engine.no_grad(lambda x: x * 2), "no_grad.. takes"),
    "parameter": (lambda x, w=Value(2.0): x * float(w), "float"),  # noqa: B008  # a parameter of its own
    "python random": (lambda x: x * random.random(), "got one in .*test_compiler_safety.py.*random_input"),
    "python gauss": (lambda x: x * random.gauss(0, 1) * engine.random_input(), "got one in .*test_compiler_safety.py"),
    "numpy random": (lambda x: x * np.random.rand(), "random number"),
    "own random": (lambda x, g=random.Random(0): x + g.random(), "something else for another example"),  # noqa: B008
    "structure": (lambda x, seen=[]: [x] * (seen.append(0) or len(seen)), "as many Values"),
}  # fmt: skip


@pytest.mark.parametrize(("function", "message"), REFUSED.values(), ids=REFUSED)
@both
def test_what_would_freeze_one_example_is_refused(function: Callable[[Any], Any], message: str, backend: str) -> None:
    assert gc.isenabled()
    with pytest.raises(TracingError, match=message):
        engine.compile(function, backend=backend)([1.5, -2.5, 3.0])
    assert gc.isenabled()
    assert Value(2.0) > 1


def test_a_refusal_names_the_line() -> None:
    with pytest.raises(TracingError, match=r"test_compiler_safety\.py:\d+"):
        engine.compile(lambda x: x if x > 0 else -x)([1.0])


BATCHES: dict[str, tuple[Sequence[Any], type[Exception], str]] = {
    "no examples": (([], []), ValueError, "no examples"),
    "lengths": (([1.0], [1.0, 2.0]), ValueError, r"got \[1, 2\]"),
    "one number": ((1.0, [1.0]), TypeError, "one number"),
    "ragged": (([[1.0], [1.0, 2.0]], [1.0, 2.0]), ValueError, "got 2 of them"),
    "too deep": (([1.0, [2.0]], [1.0, 2.0]), TypeError, "got 1 of them"),
    "text": (([1.0, "a"], [1.0, 2.0]), TypeError, "got str 'a'"),
}


@pytest.mark.parametrize(("batch", "kind", "message"), BATCHES.values(), ids=BATCHES)
@both
def test_wrong_batches(batch: Sequence[Any], kind: type[Exception], message: str, backend: str) -> None:
    compiled = engine.compile(lambda x, y: functions.square(y), backend=backend)
    with pytest.raises(kind, match=message):
        compiled(*batch)


def test_before_the_first_call_nothing_is_known() -> None:
    compiled = engine.compile(lambda x: x)
    with pytest.raises(RuntimeError, match="call it once"):
        compiled.parameters  # noqa: B018  # it is a property


def test_a_later_batch_may_be_wrong_too() -> None:
    compiled = engine.compile(lambda x: x[0] + x[1], backend="numpy")
    assert compiled([[1, 2], [3, 4]]).tolist() == [3.0, 7.0]
    assert compiled([[Value(1.0), 2], [3, True]]).tolist() == [3.0, 4.0]
    with pytest.raises(ValueError, match="got 1 of them"):
        compiled([[1.0, 2.0], [3.0]])
    with pytest.raises(TypeError, match="got str 'a'"):
        compiled([[1.0, 2.0], [3.0, "a"]])
