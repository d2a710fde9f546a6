"""What goes into a compiled function and comes out: grids of numbers, in tuples and mappings.

A grid is a number, or a list of grids of one shape, or an array; an argument of a compiled function is one with a
leading batch axis. Tuples and mappings group grids and are kept as they are. This module knows nothing of programs.
"""

from __future__ import annotations

from itertools import chain
from math import prod

from engine.structure import is_array, is_mapping
from engine.value import is_operand, real

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Shape = tuple[int, ...]


class Tree:
    """Grids in tuples and mappings, taken apart.

    Args:
        tree: what to take apart.
        batch: whether every list is one grid; otherwise a list of unlike things groups grids, as a tuple does.

    Attributes:
        grids: the grids, in order.
        shapes: the shape of each.
        key: what tells trees of the same structure and shapes, to be hashed.
        are_arrays: whether a batch is nothing but a tuple of arrays.

    >>> tree = Tree(({"x": [1.0, 2.0]}, 3.0))
    >>> tree.shapes, tree.rebuild("ab")
    ([(2,), ()], ({'x': 'a'}, 'b'))
    """

    __slots__ = ("_batch", "_make", "are_arrays", "grids", "key", "shapes")

    def __init__(self, tree: Any, batch: bool = False) -> None:
        self._batch = batch
        self._make: Callable[[Iterator[Any]], Any]
        self.grids: list[Any] = []
        self.shapes: list[Shape] = []
        self.key: object
        self.are_arrays = batch and all([hasattr(part, "dtype") and not is_mapping(part) for part in tree])  # noqa: C419  # quicker
        if self.are_arrays:
            self.grids, self._make = list(tree), tuple
            self.shapes = [tuple(part.shape) for part in tree]
            self.key = ("tuple", tuple([("grid", shape[1:]) for shape in self.shapes]))
        else:
            self.key, self._make = self._apart(tree)

    def _apart(self, tree: Any) -> tuple[object, Callable[[Iterator[Any]], Any]]:
        if is_mapping(tree):
            parts = {name: self._apart(part) for name, part in tree.items()}
            key = tuple((name, part[0]) for name, part in parts.items())
            return ("mapping", key), lambda supply: {name: make(supply) for name, (_, make) in parts.items()}
        if isinstance(tree, tuple) or (isinstance(tree, list) and not (self._batch or _is_grid(tree))):
            items = [self._apart(item) for item in tree]
            kind: Any = type(tree)
            named = hasattr(tree, "_fields")  # a named tuple takes its items one by one
            return (
                (kind if named else "tuple", tuple(key for key, _ in items)),
                lambda supply: (
                    kind(*[make(supply) for _, make in items]) if named else kind([make(supply) for _, make in items])
                ),
            )
        shape = shape_of(tree)
        self.grids.append(tree)
        self.shapes.append(shape)
        return ("grid", shape[1:] if self._batch else shape), next

    def rebuild(self, grids: Any) -> Any:
        """The same structure with other grids."""
        return self._make(iter(grids))


def _is_grid(things: list[Any]) -> bool:
    """Whether a list is a rectangle of numbers, not a list of unlike things."""
    try:
        flat_grid(things, shape_of(things))
    except (TypeError, ValueError):
        return False
    return True


def shape_of(grid: Any) -> Shape:
    """The lengths along the first entries.

    >>> shape_of([[1.0, 2.0]]), shape_of(3.0)
    ((1, 2), ())
    """
    if is_array(grid):
        return tuple(grid.shape)
    shape: list[int] = []
    while isinstance(grid, (list, tuple)):
        shape.append(len(grid))
        if not grid:
            break
        grid = grid[0]
    return (*shape, *(grid.shape if is_array(grid) else ()))


def flat_grid(grid: Any, shape: Shape) -> list[Any]:
    """The numbers of a grid in row-major order.

    Raises:
        ValueError: it is not of that shape.
        TypeError: something in it is neither a number nor a Value.
    """
    rows = [grid]
    for size in shape:
        rows = [row.tolist() if is_array(row) else row for row in rows]
        for row in rows:
            if not isinstance(row, (list, tuple)) or len(row) != size:
                raise ValueError(
                    f"a batch is made of examples of one shape; got {_described(row)} where {size} numbers or rows "
                    "were before; make all examples alike"
                )
        rows = list(chain.from_iterable(rows))
    for number in rows:
        if not is_operand(number):
            raise TypeError(
                f"a batch is made of numbers; got {_described(number)}; pass nested lists or arrays of floats, all "
                "examples of one shape"
            )
    return rows


def _described(thing: Any) -> str:
    return f"{len(thing)} of them" if isinstance(thing, (list, tuple)) else f"{type(thing).__name__} {thing!r:.50}"


class Batch:
    """The arguments of one call.

    Attributes:
        size: how many examples.
        key: tells batches of the same structure and shapes of examples.
        shapes: the shape of an example, for each grid.

    Raises:
        ValueError: arguments of different lengths, or no examples at all.
        TypeError: an argument is a single number.

    >>> batch = Batch(([[1.0, 2.0], [3.0, 4.0]], [0.0, 1.0]))
    >>> batch.size, batch.shapes, batch.rows(), batch.row(1)
    (2, [(2,), ()], [(1.0, 2.0, 0.0), (3.0, 4.0, 1.0)], (3.0, 4.0, 1.0))
    """

    __slots__ = ("_kinds", "grids", "key", "shapes", "size", "tree")

    def __init__(self, arguments: tuple[Any, ...]) -> None:
        self.tree = tree = Tree(arguments, batch=True)
        self.grids = tree.grids
        self._kinds = [(part.__class__, part.shape) for part in arguments] if tree.are_arrays else None
        if () in tree.shapes:
            raise TypeError(
                f"an argument of a compiled function is a batch; got {tree.grids[tree.shapes.index(())]!r}, one "
                "number; pass a list or an array whose first axis counts the examples"
            )
        sizes = {shape[0] for shape in tree.shapes}
        if len(sizes) > 1:
            raise ValueError(
                f"all arguments must have the same number of examples; got {sorted(sizes)}; the first axis of each "
                "counts the examples"
            )
        self.size = sizes.pop() if sizes else 1
        if not self.size:
            raise ValueError("a batch of no examples has no result; got length 0; pass at least one example")
        self.shapes = [shape[1:] for shape in tree.shapes]
        self.key, tree.grids = tree.key, []

    def followed_by(self, arguments: tuple[Any, ...]) -> Batch:
        """The next batch, which needs no second look if it is one of such arrays as well."""
        if [(part.__class__, getattr(part, "shape", ())) for part in arguments] != self._kinds:
            return Batch(arguments)
        batch = Batch.__new__(Batch)
        batch.grids, batch._kinds, batch.tree = list(arguments), self._kinds, self.tree
        batch.size, batch.shapes, batch.key = self.size, self.shapes, self.key
        return batch

    def rows(self) -> list[tuple[float, ...]]:
        """Each example's numbers, one after the other."""
        columns = []
        for grid, shape in zip(self.grids, self.shapes, strict=True):
            numbers = [real(number) for number in flat_grid(grid, (self.size, *shape))]
            width = len(numbers) // self.size
            columns.append(
                [tuple(numbers[k : k + width]) for k in range(0, len(numbers), width or 1)] or [()] * self.size
            )
        if not columns:
            return [()]
        if len(columns) == 1:
            return columns[0]
        return [tuple(chain.from_iterable(parts)) for parts in zip(*columns, strict=True)]

    def row(self, k: int) -> tuple[float, ...]:
        """One example's numbers; the others are not looked at."""
        grids = zip(self.grids, self.shapes, strict=True)
        return tuple([real(number) for grid, shape in grids for number in flat_grid(grid[k : k + 1], (1, *shape))])

    def columns(self, dtype: str) -> list[Any]:
        """For each grid, an array of shape (examples, numbers), without gaps; the given one, if it is like that."""
        import numpy as np

        made = []
        for grid, shape in zip(self.grids, self.shapes, strict=True):
            if grid.__class__ is np.ndarray and grid.dtype == dtype and grid.ndim == 2 and grid.flags.c_contiguous:
                made.append(grid)
                continue
            try:
                array = np.asarray(grid)
            except ValueError:  # of unequal rows
                array = np.array(None)
            if array.dtype.kind not in "biuf" or hasattr(grid, "mask"):  # the general way says what is wrong
                array = np.array([real(number) for number in flat_grid(grid, (self.size, *shape))])
            if dtype == "float32" and array.dtype != dtype:
                array = array_of(array, dtype)
            array = np.ascontiguousarray(array, dtype)
            made.append(array if array.ndim == 2 else array.reshape(self.size, -1))
        return made

    def check_width(self, count: int) -> None:
        """A graph takes as many numbers for each example as it has inputs, in one array or several.

        Raises:
            ValueError: there are more or fewer.
        """
        width = sum(map(prod, self.shapes))
        if width != count:
            raise ValueError(
                f"a compiled graph takes a number for each of its {count} inputs; got {width} for each example; "
                "pass arrays with that many numbers behind the batch axis"
            )

    def example(self, leaves: Iterator[Any]) -> tuple[Any, ...]:
        """The arguments for one example: nested lists of the given things."""
        grids = [nested(leaves, shape) for shape in self.shapes]
        return self.tree.rebuild(grids)  # type: ignore[no-any-return]  # arguments are a tuple


def nested(leaves: Iterator[Any], shape: Shape) -> Any:
    """Lists of that shape, filled from a supply.

    >>> nested(iter("abcd"), (2, 2))
    [['a', 'b'], ['c', 'd']]
    """
    if not shape:
        return next(leaves)
    return [nested(leaves, shape[1:]) for _ in range(shape[0])]


def array_of(numbers: Any, dtype: Any = "float64") -> Any:
    """An array; what its type cannot hold is inf."""
    import numpy as np

    if dtype == "float64":
        return np.array(numbers, np.float64)
    with np.errstate(over="ignore"):  # which takes a microsecond
        return np.array(numbers, dtype)


def joined(columns: list[Any]) -> Any:
    import numpy as np

    return np.concatenate(columns, axis=1)
