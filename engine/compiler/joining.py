"""Which linear operations are computed inside the one that uses them, and what a whole chain of them is made of.

`+ - neg sum mean` take in every linear operand that nothing else uses; products and quotients by numbers take short
ones; other products take numbers out of their factors. This module works on scalars alone: what becomes of a form it
does not know.
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
_FAMILY = 8  # products with numbers that are like enough to be one operation, if their numbers differ
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
        self._carried: dict[int, tuple[float, int, int]] = {}  # products as a number and two factors without numbers
        self._families = _families(program)
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
        ops, operands_of = self.program.ops, self.program.operands
        scaled, carried = self._scaled, self._carried
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
                    x, y, lefts, rights = operands[0], operands[-1], left, right
                    if i in carried:
                        number, x, y = carried[i]
                        lefts, rights, _ = found.setdefault(factor * number, ([], [], []))
                    lefts.append(where[x])
                    rights.append(where[y])
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

    def _mean(self, i: int, operands: Sequence[int]) -> int:
        return sum([self._times(i, j, 1.0 / len(operands)) for j in operands])

    def _mul(self, i: int, operands: Sequence[int]) -> int:
        x, y = operands[0], operands[-1]  # of a square they are one
        parts = self._parts
        if parts[x] or parts[y]:
            for j, k in ((x, y), (y, x)) if i not in self._families else ():
                number = self.program.numbers.get(k)
                if number is not None and parts[j] and SAFE[0] < abs(number) < SAFE[1]:
                    self._scaled[i] = number, j
                    return self._times(i, j, number)
            a, j = self._factor(x)
            b, k = self._factor(y) if x != y else (a, j)
            if (j, k) != (x, y):
                self._carried[i] = a * b, j, k
                if abs(a * b) != 1.0:
                    self._spread[i] = abs(log(abs(a * b)))
        return 1

    def _factor(self, i: int) -> tuple[float, int]:
        """An operand of a product as a number times something computed elsewhere: of `-x`, -1 and x."""
        if self._parts[i] != 1 or i in self._families:
            return 1.0, i
        factor, j = self._multiple(i)
        while self.inside[j] and factor:
            number, j = self._multiple(j)
            factor *= number
        if not SAFE[0] < abs(factor) < SAFE[1]:
            return 1.0, i
        self.inside[i] = True
        return factor, j

    def _multiple(self, i: int) -> tuple[float, int]:
        """An operation of one part as a number times an operand; times none, if it is not."""
        op, operands, numbers = self.program.ops[i], self.program.operands[i], self.program.numbers
        if i in self._scaled:
            return self._scaled[i]
        if op is _NEG:
            return -1.0, operands[0]
        if op is _DIV:
            return 1.0 / numbers[operands[1]], operands[0]
        if len(operands) == 1 and op is not _SQUARE:
            return 1.0, operands[0]
        for j, k in (operands, operands[::-1]) if op is _MUL else ():
            if k in numbers:
                return numbers[k], j
        return 0.0, i

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
        if not parts or (abs(number) != 1.0 and not (parts <= _SHORT and spread < log(SAFE[1]))):
            return 1
        self.inside[j] = True
        if spread:
            self._spread[i] = max(spread, self._spread.get(i, 0.0))
        return parts


_RULES = {
    _ADD: Joins._sum, _SUB: Joins._sum, _NEG: Joins._sum, _SUM: Joins._sum, _MEAN: Joins._mean, _MUL: Joins._mul,
    _SQUARE: Joins._mul, _DIV: Joins._div, _DOT: Joins._dot,
}  # fmt: skip


def _families(program: Scalars) -> set[int]:
    """Products with numbers, where many of one kind have different numbers: those shall make a vector."""
    numbers, ops, operands_of = program.numbers, program.ops, program.operands
    found: dict[object, dict[int, float]] = {}
    if numbers:
        for i, op in enumerate(ops):
            if op is _MUL:
                x, y = operands_of[i]
                if x in numbers or y in numbers:
                    number, other = (x, y) if x in numbers else (y, x)
                    kind = () if ops[other] in SOURCES else (ops[other], *[ops[j] for j in operands_of[other][:2]])
                    found.setdefault(kind, {})[i] = numbers[number]
    families = [family for family in found.values() if len(family) >= _FAMILY and len(set(family.values())) > 1]
    return set().union(*families)


def _uses(program: Scalars) -> list[int]:
    """How many operations use each position; of outputs, more than one."""
    uses = [0] * len(program)
    computed = [operands for op, operands in zip(program.ops, program.operands, strict=True) if op not in SOURCES]
    for i in chain(chain.from_iterable(computed), program.outputs, program.outputs):
        uses[i] += 1
    return uses
