"""Stacks: families of equal-shaped matrix products, found in rows of products that meet in groups.

Attention has them: for each head, every query meets the keys before it, and shares meet values. Rows may be of unequal
length and need not all meet: what is missing is zero. This module finds them; how they are computed it does not know.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.compiler.instructions import Codes


class Stack:
    """Rows by matrix, and who meets whom.

    Attributes:
        left, right: codes as [matrix, row, place in it], -1 where the row is shorter.
        cells: the numbers of the given pairs of rows as [matrix, row of left, row of right], -1 if they do not meet.
    """

    def __init__(self, left: Codes, right: Codes, cells: Codes) -> None:
        self.left, self.right, self.cells = left, right, cells

    def in_order(self) -> Codes:
        """Where cells are that are none of -1: row by row, or along whichever axes keep the order of the pairs."""
        if (self.cells >= 0).all():
            places = np.arange(self.cells.size).reshape(self.cells.shape)
            for axes in permutations(range(3)):
                if (np.diff(self.cells.transpose(axes).ravel()) > 0).all():
                    return places.transpose(axes).ravel()
        return np.flatnonzero(self.cells >= 0)


_SMALL = 64  # products, below which one element-wise instruction does as well
_WASTE = 2.5  # how many products may be computed for each that is wanted


def stack_of(left: list[Codes], right: list[Codes]) -> Stack | None:
    """The pairs of rows as one stack of matrix products, if that is what they are.

    >>> rows, columns = np.arange(32).reshape(2, 16), np.arange(100, 164).reshape(4, 16)
    >>> found = stack_of([rows[k // 2] for k in range(4)], list(columns))
    >>> found.left.shape, found.right.shape, found.cells.tolist()
    ((2, 1, 16), (2, 2, 16), [[[0, 1]], [[2, 3]]])
    """
    wanted = sum(map(len, left))
    if wanted < _SMALL or wanted == len(left):
        return None
    whole_left, whole_right = _longest(left), _longest(right)
    if whole_left is None or whole_right is None:
        return None
    starts = [(int(a[0]), int(b[0])) for a, b in zip(left, right, strict=True)]
    part = connected([a for a, _ in starts], [b for _, b in starts])
    found: dict[int, dict[tuple[int, int], int]] = {}
    for k, (a, b) in enumerate(starts):
        if len(left[k]) != min(len(whole_left[a]), len(whole_right[b])):
            return None
        if found.setdefault(part[a], {}).setdefault((a, b), k) != k:
            return None
    sides = [(sorted({a for a, _ in cells}), sorted({b for _, b in cells})) for cells in found.values()]
    shapes = {(len(rows), len(columns)) for rows, columns in sides}
    length = max(map(len, whole_left.values()))
    if len(shapes) > 1 or shapes == {(1, 1)} or len(sides) * np.prod([*shapes]) * length > _WASTE * wanted:
        return None
    sides.sort()
    cells = [[[found[part[rows[0]]].get((a, b), -1) for b in columns] for a in rows] for rows, columns in sides]
    return Stack(
        np.array([[_padded(whole_left[a], length) for a in rows] for rows, _ in sides]),
        np.array([[_padded(whole_right[b], length) for b in columns] for _, columns in sides]),
        np.array(cells),
    )


def _longest(rows: list[Codes]) -> dict[int, Codes] | None:
    """By first code, the longest row, if all that begin so are beginnings of it."""
    found: dict[int, Codes] = {}
    for row in sorted({row.tobytes(): row for row in rows}.values(), key=len, reverse=True):
        whole = found.setdefault(int(row[0]), row)
        if not np.array_equal(whole[: len(row)], row):
            return None
    return found


def _padded(row: Codes, length: int) -> Codes:
    return np.concatenate([row, np.full(length - len(row), -1)])


def numbered(rows: Codes) -> list[int]:
    """For each row, the number of rows like it that came first."""
    seen: dict[bytes, int] = {}
    return [seen.setdefault(row.tobytes(), len(seen)) for row in np.ascontiguousarray(rows)]


def connected(left: Sequence[int], right: Sequence[int]) -> dict[int, int]:
    """For each left row the number of its connected part, where rows that meet are connected."""
    above: dict[int, int] = {}

    def root(x: int) -> int:
        while above.setdefault(x, x) != x:
            above[x] = above[above[x]]
            x = above[x]
        return x

    for a, b in zip(left, right, strict=True):
        above[root(a)] = root(-1 - b)
    return {a: root(a) for a in set(left)}
