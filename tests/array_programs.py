"""What tests ask of array programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from agreement import same

import engine
from engine import Value

Numbers = Sequence[Any]
W = [Value(number) for number in np.random.default_rng(0).normal(size=24)]


def matrices(program: Any) -> list[tuple[int, ...]]:
    """The shapes of matrix products: left rows, length, right rows."""
    return [(*m.operands[0].shape, len(m.operands[1])) for m in program.instructions if m.kind == "matrix"]


def agree(function: Callable[..., Any], *batch: Any) -> Any:
    """Compiled with NumPy and Python alike; the array program."""
    arrays = engine.compile(function, backend="numpy")
    value, gradient = arrays.value_and_grad(*batch)
    true, slopes = engine.compile(function, backend="python").value_and_grad(*batch)
    assert same(value, true, 1.0)
    size = max(map(abs, slopes))
    assert all(same(g, t, size) for g, t in zip(gradient, slopes, strict=True))
    return arrays.program


def gathers(lines: list[str]) -> int:
    return sum(line.startswith(("take", "_copy_to_places")) for line in lines)
