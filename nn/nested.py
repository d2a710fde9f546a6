"""Nested lists of numbers: what goes into layers and comes out, and what weights are made of."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from engine import Value
from engine.value import operand

if TYPE_CHECKING:
    from nn.module import Module

Number = Value | float


def shape_of(grid: Any) -> tuple[int | None, ...]:
    """The lengths along each axis of nested lists; None where they differ, and the axes behind it are left out.

    >>> shape_of([[1.0, 2.0], [3.0, 4.0]]), shape_of(3.0), shape_of([[1.0], [2.0, 3.0]])
    ((2, 2), (), (2, None))
    """
    shape: list[int | None] = []
    level = [grid]
    while level and any(isinstance(part, (list, tuple)) for part in level):
        lengths = {len(part) if isinstance(part, (list, tuple)) else None for part in level}
        shape.append(lengths.pop() if len(lengths) == 1 else None)
        if shape[-1] is None:
            break
        level = list(chain.from_iterable(level))
    return tuple(shape)


def mapped(function: Callable[..., Any], grid: Any, *others: Any) -> Any:
    """Lists nested as the first, of what a function makes of each number, and of those at its place in the others.

    >>> mapped(max, [[1, 5]], [[2, 3]])
    [[2, 5]]
    """
    if isinstance(grid, (list, tuple)):
        return [mapped(function, *parts) for parts in zip(grid, *others, strict=True)]
    return function(grid, *others)


def flattened(grid: Any) -> Iterator[Any]:
    """The numbers in row-major order.

    >>> list(flattened([[1, 2], [3, 4]]))
    [1, 2, 3, 4]
    """
    if isinstance(grid, (list, tuple)):
        for part in grid:
            yield from flattened(part)
    else:
        yield grid


def tensor(draw: Callable[[], float], *shape: int) -> Any:
    """New parameters as nested tuples of that shape; each starts with a number that is drawn for it."""
    if not shape:
        return Value(draw())
    # tuples: the same objects in every graph, so a walk looks through them once
    return tuple([tensor(draw, *shape[1:]) for _ in range(shape[0])])


def listed(inputs: Any) -> Any:
    """An array as nested lists; other things as they are."""
    return inputs.tolist() if hasattr(inputs, "tolist") else inputs


def shaped(module: Module, inputs: Any, sizes: tuple[int | None, ...], wanted: str) -> Any:
    """The inputs as nested lists of Values, numbers as constants, when they have the shape that a module takes.

    Args:
        module: who takes them, for the message.
        inputs: nested lists, or an array.
        sizes: the lengths along each axis; None is any but 0.
        wanted: the same in words.

    Raises:
        ValueError: they have another shape.
    """
    grid = listed(inputs)
    shape = shape_of(grid)
    if len(shape) != len(sizes) or not all(
        have and want in (None, have) for have, want in zip(shape, sizes, strict=True)
    ):
        raise ValueError(
            f"{who(module)} takes {wanted}; got {_described(grid, shape)}; match the input to the layer, or the layer "
            "to it"
        )
    return mapped(operand, grid)


def _described(grid: Any, shape: tuple[int | None, ...]) -> str:
    if not shape:
        return f"{grid!r:.60}"
    return "lists of unlike lengths" if None in shape else f"{' x '.join(map(str, shape))} numbers"


def who(module: Module) -> str:
    """A module in a message: its path and what it is."""
    return f"{module.path} {module!r}" if module.path else repr(module)


def positive(count: int, what: str) -> int:
    """A count as an int.

    Raises:
        ValueError: it is not a positive whole number.
    """
    if isinstance(count, bool) or not hasattr(count, "__index__") or operator.index(count) < 1:
        raise ValueError(f"{what} must be a positive whole number; got {count!r}; use 1 or more")
    return operator.index(count)


def name_of(function: Callable[..., Any]) -> str:
    """What a function is called in a `repr`: never by where it lies in memory, for checkpoints compare models by it."""
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "__name__", type(function).__name__)
