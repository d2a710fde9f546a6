"""Linear forms: chains of `+ - * neg sum dot mean` whose intermediates have one consumer become one sum of products.

However it was spelled, `sum(w * x)`, `+=`, `dot`, bias first or last, the result is the same: scale * sum of
left * right, plus weighted addends. This module knows nothing of groups or arrays.
"""

from __future__ import annotations

from operator import gt

from engine.compiler.joining import SAFE, Joins
from engine.compiler.scalars import INPUT, SOURCES, Scalars
from engine.ops import CONSTANT, OPS, Op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.compiler.joining import Parts, Positions

    Kind = tuple[float, bool, bool]  # a factor, and whether left and right factors differ between examples
    Addend = tuple[float, int, int]  # minus its weight, its rank, its position
    Kinds = dict[Kind, tuple[Positions, Positions]]

LINEAR = Op("linear", "", (), "scale * sum of left * right, plus weighted addends", operands=())

_FEW = 4  # addends that are added one by one; more are summed in one reduction
_PARAMETER, _UNIFORM, _CONSTANT, _LANE, _INPUT = range(5)


class Node:
    """One node of a program of forms.

    Attributes:
        op: `LINEAR`, an operation of the table, or a source (`INPUT`, `LEAF`, `CONSTANT`).
        left, right: of a linear node, the positions of the factors of its products; of others, `left` are the operands.
        scale: the number that the sum of products is multiplied by; of a sum, what the sum is.
        addends, weights: further terms and their factors.
        level: one more than the highest of its operands'; 0 for sources.
        lane: whether it differs between the examples of a batch.
    """

    __slots__ = ("addends", "lane", "left", "level", "op", "right", "scale", "weights")

    def __init__(self, op: Op, left: Sequence[int], right: Sequence[int] = (), scale: float = 1.0) -> None:
        self.op, self.left, self.right, self.scale = op, left, right, scale
        self.addends: Sequence[int] = ()
        self.weights: tuple[float, ...] = ()
        self.level, self.lane = 0, op is INPUT


class Forms:
    """A scalar program whose linear parts are forms.

    Attributes:
        nodes: sources first as they come, every node after its operands.
        outputs: positions of the results.
        numbers: of constants, by position.
        parameters: the positions of the parameters, in their order.

    >>> from engine import Value
    >>> from engine.compiler.scalars import scalars_of
    >>> w, v, b, x = (Value(1.0, label=name) for name in "wvbx")
    >>> forms = Forms(scalars_of([b - (-(w * x) - v * x)], [x]))
    >>> form = forms.nodes[-1]
    >>> form.op.name, form.scale, len(form.left), form.weights
    ('linear', 1.0, 2, (1.0,))
    """

    def __init__(self, program: Scalars) -> None:
        self.program = program
        self.nodes: list[Node] = []
        self.numbers: dict[int, float] = {}
        self.parameters: list[int] = []
        self.inputs: list[int] = []
        self._rank: list[int] = []
        self._levels: list[int] = []
        self._constants: dict[str, int] = {}
        self._zeros: set[int] = set()  # `sum()` begins with one
        joins = Joins(program)
        where = [-1] * len(program)
        for i, op in enumerate(program.ops):
            if joins.inside[i]:
                continue
            if joins.linear[i]:
                where[i] = self._emit_form(joins.parts(i, where, self.constant))
            elif op in SOURCES:
                where[i] = self._source(i, op)
            else:
                where[i] = self._emit(Node(op, [where[j] for j in program.operands[i]]))
        self.outputs = [where[i] for i in program.outputs]
        self.parameters.sort(key=lambda position: self.nodes[position].left[0])

    def constant(self, number: float) -> int:
        text = repr(number)
        position = self._constants.get(text)
        if position is None:
            position = self._constants[text] = self._emit(Node(CONSTANT, ()), _CONSTANT)
            self.numbers[position] = number
            if number == 0.0:
                self._zeros.add(position)
        return position

    def order_parameters(self) -> list[int]:
        """Put the parameters in the order in which they are used, level by level, products before addends.

        Returns their old numbers.
        In that order the weights of a layer are a matrix, and its biases a range.
        """
        numbers = {position: number for number, position in enumerate(self.parameters)}
        is_parameter = numbers.__contains__
        order: dict[int, None] = {}
        by_level: dict[int, list[Node]] = {}
        for node in self.nodes:
            if node.level:
                by_level.setdefault(node.level, []).append(node)
        for _, level in sorted(by_level.items()):
            for node in level:
                if node.left == node.right and len(node.left) > 1:  # squares of all parameters should not order them
                    continue
                order.update(dict.fromkeys(filter(is_parameter, node.left)))
                order.update(dict.fromkeys(filter(is_parameter, node.right)))
            for node in level:
                if node.addends:
                    order.update(dict.fromkeys(filter(is_parameter, node.addends)))
        order.update(dict.fromkeys(self.parameters))
        found = [numbers[i] for i in order]
        self.parameters = list(order)
        return found

    # --- finished nodes

    def _source(self, i: int, op: Op) -> int:
        if op is CONSTANT:
            return self.constant(self.program.numbers[i])
        position = self._emit(Node(op, self.program.operands[i]), _INPUT if op is INPUT else _PARAMETER)
        (self.inputs if op is INPUT else self.parameters).append(position)
        return position

    def _emit(self, node: Node, rank: int | None = None) -> int:
        if rank is None:
            operands = [*node.left, *node.right, *node.addends]
            node.level = max(map(self._levels.__getitem__, operands), default=0) + 1
            node.lane = max(map(self._rank.__getitem__, operands), default=0) >= _LANE
            rank = _LANE if node.lane else _UNIFORM
        self.nodes.append(node)
        self._levels.append(node.level)
        self._rank.append(rank)
        return len(self.nodes) - 1

    def _emit_form(self, parts: Parts) -> int:
        """A finished form as a node; products of several kinds, and long sums, are nodes of their own before it."""
        kinds: Kinds = {}
        terms: dict[float, Positions] = {}
        for factor, (left, right, ids) in parts.items():
            if left:
                self._add_by_kind(kinds, factor, left, right)
            if self._zeros:
                ids = [i for i in ids if i not in self._zeros]
            if ids:
                terms[factor] = ids
        for key, (left, right) in list(kinds.items()):
            number = self.numbers.get(right[0]) if len(left) > 1 else None
            # a sum times a number
            if number is not None and SAFE[0] < abs(number) < SAFE[1] and len(set(right)) == 1:
                terms.setdefault(key[0] * number, []).extend(left)
                del kinds[key]
        if not kinds and len(terms) == 1:
            [(factor, ids)] = terms.items()
            if len(ids) > _FEW:
                return self._emit(Node(OPS["sum"], sorted(ids), scale=factor))
        addends = self._addends(terms)
        if len(addends) > _FEW:  # many factors: a product with constants
            left = [i for _, _, i in addends]
            right = [self.constant(-factor) for factor, _, _ in addends]
            self._add_by_kind(kinds, 1.0, left, right)
            addends = []
        return self._emit_products(kinds, addends)

    def _addends(self, terms: dict[float, Positions]) -> list[Addend]:
        """Terms as addends; if they are many, those of one factor are summed before."""
        many = sum(map(len, terms.values())) > _FEW
        addends: list[Addend] = []
        for factor, ids in terms.items():
            if many and len(ids) > 1:
                ids = [self._emit(Node(OPS["sum"], sorted(ids)))]
            addends += [(-factor, self._rank[i], i) for i in ids]
        return addends

    def _emit_products(self, kinds: Kinds, addends: list[Addend]) -> int:
        """The longest kind of products, to which the others and the addends are added."""
        by_length = _in_order(kinds)
        lanes = any(i >= _LANE for _, i, _ in addends) or any(key[2] for key, _ in by_length)
        if lanes and by_length and not by_length[-1][0][2]:
            by_length.append(((0.0, True, True), ([], [])))  # the sum of products is the same for all examples
        for (factor, *_), (left, right) in by_length[:-1]:
            i = self._emit(Node(LINEAR, left, right, factor))
            addends.append((-1.0, self._rank[i], i))
        node = Node(LINEAR, (), ())
        if by_length and by_length[-1][1][0]:
            (factor, *_), (left, right) = by_length[-1]
            node = Node(LINEAR, left, right, abs(factor))
            if factor < 0 and len(left) == 1:
                node.scale = factor
            elif factor < 0:  # with and without a minus it shall be one matrix: the minus comes after it
                positive = self._with_addends(node, [(-weight, rank, i) for weight, rank, i in addends])
                return self._with_addends(Node(LINEAR, (), ()), [(1.0, self._rank[positive], positive)])
        return self._with_addends(node, addends)

    def _with_addends(self, node: Node, addends: list[Addend]) -> int:
        """A finished linear node. Constants have weight 1."""
        for k, (weight, rank, i) in enumerate(addends):
            if rank == _CONSTANT:
                addends[k] = (-1.0, rank, self.constant(-weight * self.numbers[i]))
        addends.sort()
        node.addends, node.weights = [i for *_, i in addends], tuple([-weight for weight, *_ in addends])
        return self._emit(node)

    def _add_by_kind(self, kinds: Kinds, factor: float, left: Positions, right: Positions) -> None:
        """Add products to those of the same factor and lanes, the more constant factor on the left."""
        rank = self._rank
        of_left, of_right = set(map(rank.__getitem__, left)), set(map(rank.__getitem__, right))
        if min(of_left) > max(of_right):
            left, right, of_left, of_right = right, left, of_right, of_left
        if max(of_left) <= min(of_right) and _are_alike(of_left) and _are_alike(of_right):
            lefts, rights = kinds.setdefault((factor, max(of_left) >= _LANE, max(of_right) >= _LANE), ([], []))
            lefts += left
            rights += right
            return
        for a, b in zip(left, right, strict=True):
            if rank[a] > rank[b]:
                a, b = b, a
            lefts, rights = kinds.setdefault((factor, rank[a] >= _LANE, rank[b] >= _LANE), ([], []))
            lefts.append(a)
            rights.append(b)


def _are_alike(ranks: set[int]) -> bool:
    """Whether all of them differ between examples, or none."""
    return len(ranks) == 1 or min(ranks) >= _LANE or max(ranks) < _LANE


def _in_order(kinds: Kinds) -> list[tuple[Kind, tuple[Positions, Positions]]]:
    """Kinds from few products to many, each in the order of the right factors."""
    for key, (left, right) in kinds.items():
        if len(right) > 1 and any(map(gt, right, right[1:])):
            order = sorted(range(len(right)), key=right.__getitem__)
            kinds[key] = [left[k] for k in order], [right[k] for k in order]
    return sorted(kinds.items(), key=lambda item: len(item[1][0]))
