"""The array program: a few instructions over arrays, found in forms by levels, groups and matrices.

Every number has a code: its space (uniform numbers, numbers of each example, an input) and its place there. Groups are
placed so that operands are mostly ranges of places with even steps. This module plans; it executes nothing.
"""

from __future__ import annotations

from copy import copy
from itertools import chain
from math import prod

import numpy as np

from engine.compiler.grouping import groups, softmax_shares
from engine.compiler.linear import LINEAR, Forms
from engine.compiler.stacks import connected, numbered, stack_of
from engine.compiler.views import different, even_parts, is_even

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from engine.compiler.linear import Node

    Codes = np.ndarray[Any, np.dtype[np.int64]]

UNIFORM, LANES, FIRST_INPUT = 0, 1, 2
"""Spaces: what is the same for all examples (parameters first), what is computed for each, then the inputs."""

SHIFT = 32
_FEW = 16  # results that may be computed in parts
_GATHER = 2  # calls that a gathered operand costs
_SMALL = 64  # products in a grid, below which many small matrices are better one element-wise instruction


class Instruction:
    """One array operation.

    Attributes:
        kind: "matrix" (products of every row of `left` with every row of `right`), "products" (row by row),
            "stack" (matrix by matrix, of some rows with some), "operation" (element by element), "reduction" (of rows),
            "softmax" (of rows, with a result for each operand).
        op: the operation of the table, or `LINEAR`.
        operands: codes of the operands: one array for each; of rows, flat with `starts` if they differ in length.
        starts: where ragged rows begin; else None.
        cells: of a stack, the places of its results among [matrix, row of left, row of right]. Its operands have three
            axes, with -1 where a row is shorter.
        scale, weights, addends: of linear instructions and sums, see `linear.Node`.
        shape: of the result: (rows of right, rows of left) of a matrix, else (size,).
        code: of the first result; the others follow.
        lane: whether the result differs between examples.
        moves: whether it depends on a parameter.
    """

    __slots__ = (
        "addends", "cells", "code", "kind", "lane", "moves", "op", "operands", "scale", "shape", "starts", "weights",
    )  # fmt: skip

    def __init__(self, kind: str, node: Node, operands: list[Codes], shape: tuple[int, ...]) -> None:
        self.kind, self.op, self.operands, self.shape = kind, node.op, operands, shape
        self.scale, self.weights, self.lane = node.scale, node.weights, node.lane
        self.addends: list[Codes] = []
        self.starts: Codes | None = None
        self.cells: Codes = np.zeros(0, np.int64)
        self.code, self.moves = 0, False

    @property
    def size(self) -> int:
        return prod(self.shape)

    def part(self, part: slice) -> Instruction:
        """The same for some of its results."""
        made = copy(self)
        made.operands = [codes[part] for codes in self.operands]
        made.addends = [codes[part] for codes in self.addends]
        made.shape, made.code = (part.stop - part.start,), self.code + part.start
        return made


class ArrayProgram:
    """Instructions in order, and where everything lies.

    Attributes:
        instructions: in order of execution.
        sizes: how many numbers each space has.
        constants: of the uniform space: places and numbers.
        outputs: codes of the results.
        apart: how many groups of few results became several instructions, to save gathers.
        parameters: how many; they have the first places of the uniform space.
    """

    def __init__(self, forms: Forms, inputs: Sequence[int]) -> None:
        """`inputs` are the numbers of inputs in each grid of a batch."""
        self.inputs = list(inputs)
        self.parameters = len(forms.parameters)
        self.instructions: list[Instruction] = []
        self.apart = 0
        self._nodes = forms.nodes
        self._codes = codes = np.full(len(forms.nodes), -1, np.int64)
        codes[forms.parameters] = np.arange(self.parameters)
        codes[forms.inputs] = [(FIRST_INPUT + g << SHIFT) + k for g, n in enumerate(inputs) for k in range(n)]
        numbers = list(forms.numbers)
        codes[numbers] = self.parameters + np.arange(len(numbers))
        self.constants = np.array([forms.numbers[i] for i in numbers])
        self._next = [self.parameters + len(numbers), 0]
        self._moving = np.zeros(len(forms.nodes), bool)
        self._moving[forms.parameters] = True
        self._shares = softmax_shares(forms.nodes, forms.outputs)
        for group in groups(forms.nodes, self._shares):
            self._lower(group)
        self.sizes = [*self._next, *inputs]
        self.outputs = codes[forms.outputs]

    def __str__(self) -> str:
        from engine.compiler.listing import Listing

        return "\n".join(Listing(self).forward())

    @property
    def reverse(self) -> str:
        """What each instruction passes back to its operands, last to first, as text."""
        from engine.compiler.listing import Listing

        return "\n".join(Listing(self).reverse())

    # --- groups to instructions

    def _lower(self, group: list[int]) -> None:
        node = self._nodes[group[0]]
        if group[0] in self._shares:
            self._lower_softmax(group)
        elif node.op is not LINEAR and not node.op.variadic:
            self._place(Instruction("operation", node, self._columns(group), (len(group),)), group)
        elif node.op is not LINEAR:
            self._lower_rows("reduction", group)
        elif not node.left:
            self._place(Instruction("products", node, [], (len(group),)), group)
        else:
            self._lower_products(group)

    def _columns(self, group: list[int]) -> list[Codes]:
        table = self._codes[np.array([self._nodes[i].left for i in group])]
        return list(table.T)

    def _lower_products(self, group: list[int]) -> None:
        """Rows of equal length that make full grids are matrices; all the others are one instruction."""
        by_length: dict[int, list[int]] = {}
        for i in group:
            by_length.setdefault(len(self._nodes[i].left), []).append(i)
        rest: list[int] = []
        for length, members in by_length.items():
            grids = self._grids(members) if length > 1 and self._is_uniform(members[0]) else None
            for rows in grids or ():
                self._lower_matrix(rows)
            rest += members if grids is None else []
        if rest and not self._lower_stack(rest):
            self._lower_rows("products", rest)

    def _is_uniform(self, i: int) -> bool:
        return not self._nodes[self._nodes[i].left[0]].lane

    def _grids(self, members: list[int]) -> list[list[list[int]]] | None:
        """The members as full grids [row of right][row of left], if they are any: connected parts of who meets whom."""
        left = numbered(self._rows(members, "left"))
        right = numbered(self._rows(members, "right"))
        part = connected(left, right)
        found: dict[int, dict[tuple[int, int], int]] = {}
        for i, a, b in zip(members, left, right, strict=True):
            if (b, a) in found.setdefault(part[a], {}):
                return None
            found[part[a]][b, a] = i
        grids = []
        for cells in found.values():
            columns, rows = sorted({a for _, a in cells}), sorted({b for b, _ in cells})
            if len(columns) * len(rows) != len(cells):
                return None
            grids.append([[cells[b, a] for a in columns] for b in rows])
        work = len(members) * len(self._nodes[members[0]].left)
        return grids if len(grids) == 1 or work >= _SMALL * len(grids) else None

    def _rows(self, members: list[int], side: str) -> Codes:
        rows: Codes = self._codes[np.array([getattr(self._nodes[i], side) for i in members])]
        return rows

    def _lower_matrix(self, grid: list[list[int]]) -> None:
        left = self._rows(grid[0], "left")
        right = self._rows([row[0] for row in grid], "right")
        columns = np.argsort(right[0], kind="stable")
        left, right = left[:, columns], right[:, columns]
        by_left, by_right = np.argsort(left[:, 0], kind="stable"), np.argsort(right[:, 0], kind="stable")
        ordered = [grid[b][a] for b in by_right for a in by_left]
        made = Instruction(
            "matrix", self._nodes[ordered[0]], [left[by_left], right[by_right]], (len(by_right), len(by_left))
        )
        self._place(made, ordered, sort=False)

    def _lower_stack(self, group: list[int]) -> bool:
        """A family of matrix products, if the rows are one."""
        nodes = [self._nodes[i] for i in group]
        if all(len(node.left) == 1 for node in nodes):
            return False
        found = stack_of([self._codes[node.left] for node in nodes], [self._codes[node.right] for node in nodes])
        if found is None:
            return False
        cells = found.in_order()
        made = Instruction("stack", self._nodes[group[0]], [found.left, found.right], (len(group),))
        made.cells = cells
        self._place(made, [group[k] for k in found.cells.ravel()[cells]], sort=False)
        return True

    def _lower_rows(self, kind: str, group: list[int]) -> None:
        """Products or a reduction of rows, which may differ in length."""
        nodes = self._nodes
        sides = ["left", "right"] if kind == "products" else ["left"]
        first = [self._codes[[getattr(nodes[i], side)[0] for i in group]] for side in sides]
        order = np.lexsort(first[::-1])
        group = [group[k] for k in order]
        lengths = np.array([len(nodes[i].left) for i in group])
        rows = [[getattr(nodes[i], side) for i in group] for side in sides]
        if kind == "reduction":  # in any order the result is the same
            rows = [[sorted(row, key=self._codes.__getitem__) for row in rows[0]]]
        flat = [self._codes[np.fromiter(chain.from_iterable(side), np.int64, lengths.sum())] for side in rows]
        made = Instruction(kind, nodes[group[0]], [], (len(group),))
        made.operands = [self._in_rows(made, codes, lengths) for codes in flat]
        self._place(made, group, sort=False)

    def _in_rows(self, made: Instruction, flat: Codes, lengths: Codes) -> Codes:
        if (lengths == lengths[0]).all():
            return flat.reshape(len(lengths), -1)
        made.starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        return flat

    def _lower_softmax(self, group: list[int]) -> None:
        """Rows of shares, each read from what is raised: the differences and sums between are never computed."""
        nodes, codes = self._nodes, self._codes
        rows: dict[int, list[tuple[int, int]]] = {}
        for i in group:
            raised = nodes[nodes[i].left[0]].addends[0]
            rows.setdefault(self._shares[i], []).append((int(codes[raised]), i))
        for total, row in rows.items():
            self._moving[[nodes[i].left[0] for _, i in row]] = self._moving[nodes[total].left].any()
        ordered = sorted(map(sorted, rows.values()))
        made = Instruction("softmax", nodes[group[0]], [], (len(group),))
        flat = np.array([code for row in ordered for code, _ in row])
        made.operands = [self._in_rows(made, flat, np.array(list(map(len, ordered))))]
        self._place(made, [i for row in ordered for _, i in row], sort=False)

    def _place(self, made: Instruction, group: list[int], sort: bool = True) -> None:
        """Give the results their places, in the order of their operands; in parts if that saves gathers."""
        nodes = self._nodes
        columns = np.array([nodes[i].addends for i in group], np.int64).reshape(len(group), -1).T
        made.addends = list(self._codes[columns])
        if sort and len(group) > 1:
            keys = made.operands + made.addends
            order = np.lexsort(sorted(keys, key=different))
            group = [group[k] for k in order]
            made.operands = [column[order] for column in made.operands]
            made.addends = [column[order] for column in made.addends]
        operands = [j for i in group for part in (nodes[i].left, nodes[i].right, nodes[i].addends) for j in part]
        made.moves = bool(self._moving[operands].any())
        self._moving[group] = made.moves
        self._codes[group] = self._new_places(made)
        self.instructions += self._in_parts(made)

    def _new_places(self, made: Instruction) -> Codes:
        space = LANES if made.lane else UNIFORM
        made.code = (space << SHIFT) + self._next[space]
        self._next[space] += made.size
        return made.code + np.arange(made.size)

    def _in_parts(self, made: Instruction) -> list[Instruction]:
        """The instruction, or several that do the same on operands that lie evenly, if that costs less than gathers."""
        columns = made.operands + made.addends
        if made.kind not in ("operation", "products") or made.starts is not None or made.size > _FEW:
            return [made]
        gathered = sum(not is_even(column) and not self.are_constants(column) for column in columns)
        parts = even_parts(columns) if gathered else []
        length = made.operands[0].shape[1] if made.kind == "products" and made.operands else 1
        if 1 < len(parts) <= 1 + _GATHER * gathered:
            self.apart += 1
            return [made.part(part) for part in parts]
        if 1 < length <= 1 + _GATHER * gathered:
            self.apart += 1
            return self._added(made)
        return [made]

    def _added(self, made: Instruction) -> list[Instruction]:
        """Rows of products, one product after the other."""
        pairs = list(zip(*(np.hsplit(side, side.shape[1]) for side in made.operands), strict=True))
        steps = [copy(made) for _ in pairs]
        for k, (step, pair) in enumerate(zip(steps, pairs, strict=True)):
            step.operands = list(pair)
            if k:
                before = steps[k - 1]
                step.addends, step.weights = [self._new_places(before)], (1.0,)
        return steps

    def are_constants(self, codes: Codes) -> bool:
        """Whether they never change."""
        return bool(((codes >= self.parameters) & (codes < self.parameters + len(self.constants))).all())
