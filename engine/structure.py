"""Nested inputs as one flat list of numbers, and back.

A tree is a number, a `Value`, or a list, tuple, mapping or array of trees. Arrays are recognized by what they offer
(`shape`, `dtype`, `tolist`, `astype`), so that nobody needs NumPy who does not use it.

This module knows nothing of gradients.
"""

from __future__ import annotations

import math
from itertools import product

from engine.value import is_operand

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    Key = int | str
    Path = tuple[Key, ...]


class Flat:
    """A tree, taken apart.

    Attributes:
        leaves: its numbers and Values, in order; those of arrays in row-major order.
        paths: where each was: indices and keys from the outside inwards, `()` for a tree that is a single number.
        shape: the lengths along each axis if the leaves form a full grid, `()` for a single number; else None.
    """

    __slots__ = ("_make", "leaves", "paths")

    def __init__(self, leaves: list[Any], paths: list[Path], make: Callable[[Iterator[Any]], Any]) -> None:
        self.leaves = leaves
        self.paths = paths
        self._make = make

    @property
    def shape(self) -> tuple[int, ...] | None:
        return grid_shape(self.paths)

    def rebuild(self, leaves: Iterable[Any]) -> Any:
        """A tree of the same structure, from other leaves: numbers, Values or anything else, one for each leaf.

        Mappings, lists, tuples and named tuples keep their type. An array of numbers comes back as an array of
        float64, of anything else as an array of objects. Nothing is shared with the tree that was taken apart.

        Raises:
            ValueError: too few leaves, or too many.
        """
        new = list(leaves)
        if len(new) != len(self.leaves):
            raise ValueError(
                f"the structure has a place for each of {len(self.leaves)} leaves; got {len(new)}; pass one for each"
            )
        return self._make(iter(new))


def flatten(tree: Any) -> Flat:
    """Take a tree apart.

    Raises:
        TypeError: something in it is neither a number nor a container of numbers.

    >>> flat = flatten({"w": [[1.0, 2.0]], "b": 3.0})
    >>> flat.leaves, flat.paths
    ([1.0, 2.0, 3.0], [('w', 0, 0), ('w', 0, 1), ('b',)])
    >>> flat.rebuild([10.0, 20.0, 30.0])
    {'w': [[10.0, 20.0]], 'b': 30.0}
    """
    leaves: list[Any] = []
    paths: list[Path] = []
    make = _take_apart(tree, (), leaves, paths)
    return Flat(leaves, paths, make)


def _take_apart(tree: Any, path: Path, leaves: list[Any], paths: list[Path]) -> Callable[[Iterator[Any]], Any]:
    """Append the leaves of a tree; return what makes such a tree from a supply of leaves."""
    if is_array(tree):
        return _take_array_apart(tree, path, leaves, paths)
    if is_mapping(tree):
        parts = {key: _take_apart(item, (*path, key), leaves, paths) for key, item in tree.items()}
        return lambda supply: _filled_mapping(tree, {key: make(supply) for key, make in parts.items()})
    if isinstance(tree, (list, tuple)):
        items = [_take_apart(item, (*path, i), leaves, paths) for i, item in enumerate(tree)]
        kind = type(tree)
        if hasattr(tree, "_fields"):  # a named tuple takes its items one by one
            return lambda supply: kind(*(make(supply) for make in items))
        return lambda supply: kind(make(supply) for make in items)
    if not is_operand(tree):
        raise TypeError(
            f"inputs and gradients are made of numbers, Values, lists, tuples, mappings and arrays; "
            f"got {type(tree).__name__}{f' at {path_name(path)}' if path else ''}; "
            "bind what is not differentiated beforehand, with a lambda or functools.partial"
        )
    leaves.append(tree)
    paths.append(path)
    return next


def _take_array_apart(array: Any, path: Path, leaves: list[Any], paths: list[Path]) -> Callable[[Iterator[Any]], Any]:
    items = flatten(array.tolist())  # plain numbers, nested in lists
    leaves.extend(items.leaves)
    paths.extend((*path, *inner) for inner in items.paths)
    count = len(items.leaves)

    def make(supply: Iterator[Any]) -> Any:
        if not hasattr(array, "astype"):
            raise TypeError(
                f"only arrays that offer what NumPy's do can be inputs; got {type(array).__name__}, without astype(); "
                "pass NumPy arrays or lists, and convert inside the function"
            )
        new = [next(supply) for _ in range(count)]
        numbers = all(isinstance(leaf, (float, int)) for leaf in new)
        made = array.astype(float if numbers and array.dtype != object else object, copy=True)
        for i, leaf in enumerate(new):
            made.flat[i] = leaf
        return made

    return make


def _filled_mapping(like: Any, items: dict[Any, Any]) -> Any:
    """A mapping of the type of another one, as far as it can be copied (a defaultdict keeps its default)."""
    made = like.copy() if hasattr(like, "copy") else {}
    made.update(items)
    return made


def is_array(thing: Any) -> bool:
    """Whether it is an array of at least one axis, or a box around one number that can be refilled.

    >>> is_array([1.0]), is_array(2.0)
    (False, False)
    """
    return (
        hasattr(thing, "shape")
        and hasattr(thing, "dtype")
        and hasattr(thing, "tolist")
        and (thing.shape != () or hasattr(thing, "__setitem__"))
    )


def is_mapping(thing: Any) -> bool:
    """
    >>> is_mapping({"w": 1.0}), is_mapping([1.0])
    (True, False)
    """
    return hasattr(thing, "keys") and hasattr(thing, "items")


def grid_shape(paths: Sequence[Path]) -> tuple[int, ...] | None:
    """The shape of the grid that paths fill in row-major order; None if they fill none.

    >>> grid_shape([(0, 0), (0, 1), (1, 0), (1, 1)]), grid_shape([()]), grid_shape([(0,), ("b",)])
    ((2, 2), (), None)
    """
    if not paths or not all(isinstance(key, int) for path in paths for key in path):
        return None
    shape = tuple(key + 1 for key in paths[-1] if isinstance(key, int))
    if math.prod(shape) != len(paths):
        return None
    return shape if list(product(*map(range, shape))) == list(paths) else None


def path_name(path: Path) -> str:
    """A path as people write it.

    >>> path_name(("layers", 0, 2)), path_name(())
    ("['layers'][0, 2]", '')
    """
    name = ""
    for key in path:
        if isinstance(key, int) and name.endswith("]") and not name.endswith("']"):
            name = f"{name[:-1]}, {key}]"
        else:
            name += f"[{key!r}]"
    return name
