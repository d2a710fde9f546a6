"""Which linear operations are computed inside the one that uses them, and what a whole chain of them is made of.

`+ - neg sum mean` take in every linear operand that nothing else uses; products and quotients by numbers take short
ones; other products take minus signs. This module works on scalars alone: what becomes of a form it does not know.
"""

from __future__ import annotations

from itertools import chain
from math import log

from engine.compiler.scalars import SOURCES, Scalars
from engine.ops import OPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Positions = list[int]
    Parts = dict[float, tuple[Positions, Positions, Positions]]

_SHORT = 8  # parts of a form that may be multiplied by a number; a longer one is computed first
SAFE = (1e-100, 1e100)  # factors that may be multiplied among each other without leaving the range of floats
_ADD, _SUB, _NEG, _SUM, _MEAN, _MUL, _SQUARE, _DIV, _DOT = (
    OPS[name] for name in ("add", "sub", "neg", "sum", "mean", "mul", "square", "div", "dot")
)


class Joins:
    """The linear operations of a program, and which of them join their users.

    Attributes:
        linear: for each position, whether it is a linear operation.
        inside: for each position, whether it is computed as a part of the only operation that uses it.

    >>> from engine import Value
    >>> from engine.compiler.scalars import scalars_of
    >>> w, x, b = Value(1.0), Value(2.0), Value(3.0)
    >>> joins = Joins(scalars_of([(w * x + b).exp()], [x]))
    >>> list(joins.linear), list(joins.inside)
    ([0, 0, 1, 0, 1, 0], [0, 0, 1, 0, 0, 0])
    """

    def __init__(self, program: Scalars) -> None:
        self.program = program
        self.linear, self.inside = bytearray(len(program)), bytearray(len(program))
        self._parts = [0] * len(program)  # of a linear operation with one user: of how many parts it is made
        self._scaled: dict[int, tuple[float, int]] = {}  # products of a number and such a one
        self._spread: dict[int, float] = {}  # how many powers of e its factors may be away from 1
        self._minus: set[int] = set()  # such ones that are minus something, or minus minus
        uses, linear, parts = _uses(program), self.linear, self._parts
        for i, (op, operands) in enumerate(zip(program.ops, program.operands, strict=True)):
            if op in _RULES:
                count = _RULES[op](self, i, operands)
                linear[i] = count > 0
                if uses[i] == 1:
                    parts[i] = count

    def parts(self, root: int, where: Sequence[int], constant: Callable[[float], int]) -> Parts:
        """What a linear operation is the sum of, by factor: left and right factors of products, and terms.

        Args:
            root: the operation.
            where: the names of what is computed elsewhere; negative for what is inside, and for the root.
            constant: gives a number a name.
        """
        ops, operands_of, scaled = self.program.ops, self.program.operands, self._scaled
        found: Parts = {}
        work = {1.0: [root]}
        while work:
            factor, stack = work.popitem()
            left, right, terms = found.setdefault(factor, ([], [], []))
            while stack:
                i = stack.pop()
                if where[i] >= 0:
                    terms.append(where[i])
                    continue
                op, operands = ops[i], operands_of[i]
                if op is _ADD or op is _SUM:
                    stack += operands[::-1]
                elif i in scaled:
                    number, j = scaled[i]
                    work.setdefault(factor * number, []).append(j)
                elif op is _MUL or op is _SQUARE:
                    x, y = operands[0], operands[-1]
                    if where[x] >= 0 <= where[y]:
                        left.append(where[x])
                        right.append(where[y])
                    else:
                        self._add_signed(found, factor, x, y, where)
                elif op is _DOT:
                    half = len(operands) // 2
                    left += [where[j] for j in operands[:half]]
                    right += [where[j] for j in operands[half:]]
                elif op is _DIV:
                    left.append(where[operands[0]])
                    right.append(constant(1.0 / self.program.numbers[operands[1]]))
                elif op is _MEAN:
                    work.setdefault(factor * (1.0 / len(operands)), []).extend(operands[::-1])
                else:  # neg, or sub
                    work.setdefault(-factor, []).append(operands[-1])
                    stack += operands[:-1]
        return found

    def _add_signed(self, found: Parts, factor: float, x: int, y: int, where: Sequence[int]) -> None:
        """A product of which some factors are minus something."""
        operands_of = self.program.operands
        while where[x] < 0:
            x, factor = operands_of[x][0], -factor
        while where[y] < 0:
            y, factor = operands_of[y][0], -factor
        left, right, _ = found.setdefault(factor, ([], [], []))
        left.append(where[x])
        right.append(where[y])

    # --- what each operation does to its operands; how many parts it has then, none if it is not linear

    def _sum(self, i: int, operands: Sequence[int]) -> int:
        parts, inside, count = self._parts, self.inside, 0
        for j in operands:
            if parts[j]:
                inside[j] = True
                count += parts[j]
            else:
                count += 1
        if self._spread:
            self._spread[i] = max([self._spread.get(j, 0.0) for j in operands])
        return count

    def _neg(self, i: int, operands: Sequence[int]) -> int:
        [j] = operands
        if not self._parts[j] or j in self._minus:
            self._minus.add(i)
        return self._sum(i, operands)

    def _mean(self, i: int, operands: Sequence[int]) -> int:
        return sum([self._times(i, j, 1.0 / len(operands)) for j in operands])

    def _mul(self, i: int, operands: Sequence[int]) -> int:
        x, y = operands[0], operands[-1]  # of a square they are one
        parts = self._parts
        if parts[x] or parts[y]:
            for j, k in ((x, y), (y, x)):
                number = self.program.numbers.get(k)
                if number is not None and parts[j] and SAFE[0] < abs(number) < SAFE[1]:
                    self._scaled[i] = number, j
                    return self._times(i, j, number)
            for j in (x, y):
                self.inside[j] |= j in self._minus
        return 1

    def _div(self, i: int, operands: Sequence[int]) -> int:
        x, y = operands
        number = self.program.numbers.get(y)
        if number is None or not SAFE[0] < abs(number) < SAFE[1]:
            return 0
        if self._parts[x]:
            self._scaled[i] = 1.0 / number, x
        return self._times(i, x, 1.0 / number)

    def _dot(self, i: int, operands: Sequence[int]) -> int:
        return 1

    def _times(self, i: int, j: int, number: float) -> int:
        """How many parts j times a number has in i: a form joins i if it is short, and its factors stay floats."""
        parts = self._parts[j]
        spread = self._spread.get(j, 0.0) + abs(log(abs(number)))
        if not parts or (abs(number) != 1.0 and (parts > _SHORT or spread > log(SAFE[1]))):
            return 1
        self.inside[j] = True
        if spread:
            self._spread[i] = max(spread, self._spread.get(i, 0.0))
        return parts


_RULES = {
    _ADD: Joins._sum, _SUB: Joins._sum, _NEG: Joins._neg, _SUM: Joins._sum, _MEAN: Joins._mean, _MUL: Joins._mul,
    _SQUARE: Joins._mul, _DIV: Joins._div, _DOT: Joins._dot,
}  # fmt: skip


def _uses(program: Scalars) -> list[int]:
    """How many operations use each position; of outputs, more than one."""
    uses = [0] * len(program)
    computed = [operands for op, operands in zip(program.ops, program.operands, strict=True) if op not in SOURCES]
    for i in chain(chain.from_iterable(computed), program.outputs, program.outputs):
        uses[i] += 1
    return uses
