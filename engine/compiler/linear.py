"""Linear forms: chains of `+ - * neg sum dot mean` whose intermediates have one consumer become one sum of products.

However it was spelled, `sum(w * x)`, `+=`, `dot`, bias first or last, the result is the same: scale * sum of
left * right, plus weighted addends. This module knows nothing of groups or arrays.
"""

from __future__ import annotations

from operator import gt

from engine.compiler.scalars import INPUT, SOURCES, Scalars
from engine.ops import CONSTANT, OPS, Op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Positions = list[int]

LINEAR = Op("linear", "", (), "scale * sum of left * right, plus weighted addends", operands=())

_FEW = 4  # addends that are added one by one; more are summed in one reduction
_SHORT = 8  # parts of a form that may be multiplied by a number; a longer one is computed first
_FAMILY = 8  # products with numbers that are like enough to be one operation, if their numbers differ
_SAFE = (1e-100, 1e100)  # factors that may be multiplied among each other without leaving the range of floats
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


class _Form:
    """A linear form under way: products by factor and kinds, terms by factor."""

    __slots__ = ("flips", "products", "terms")

    def __init__(self) -> None:
        self.flips = 0  # how often a long form changed its sign: each time costs its length
        self.products: list[tuple[float, Positions, Positions]] = []
        self.terms: list[tuple[float, Positions]] = []

    def size(self) -> int:
        return len(self.products) + len(self.terms)

    def scaled(self, factor: float) -> _Form:
        if factor != 1.0:
            self.flips += self.size() > _SHORT
            self.products = [(c * factor, left, right) for c, left, right in self.products]
            self.terms = [(c * factor, ids) for c, ids in self.terms]
        return self

    def can_be_scaled(self, factor: float) -> bool:
        if self.size() > _SHORT:
            return factor == -1.0 and self.flips < _SHORT
        factors = [c * factor for c, *_ in self.products] + [c * factor for c, _ in self.terms]
        return all(_SAFE[0] < abs(c) < _SAFE[1] for c in factors)


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
        self._where = [-1] * len(program)
        self._pending: dict[int, _Form] = {}
        self._constants: dict[str, int] = {}
        self._zeros: set[int] = set()  # `sum()` begins with one
        uses = [0] * len(program)
        for op, operands in zip(program.ops, program.operands, strict=True):
            if op not in SOURCES:
                for j in operands:
                    uses[j] += 1
        for i in program.outputs:
            uses[i] += 2
        self._uses = uses
        self.families = _families(program)
        rules = {OPS[name]: rule for name, rule in _RULES.items()}
        for i, op in enumerate(program.ops):
            rule = rules.get(op)
            form = rule(self, program.operands[i]) if rule else None
            if form is not None and uses[i] == 1:
                self._pending[i] = form
            elif form is not None:
                self._where[i] = self._emit_form(form)
            elif op in SOURCES:
                self._where[i] = self._source(i, op)
            else:
                self._where[i] = self._emit(Node(op, self.positions(program.operands[i])))
        self.outputs = self.positions(program.outputs)
        self.parameters.sort(key=lambda position: self.nodes[position].left[0])

    def constant(self, number: float) -> int:
        position = self._constants.get(repr(number))
        if position is None:
            position = self._constants[repr(number)] = self._emit(Node(CONSTANT, ()), _CONSTANT)
            self.numbers[position] = number
            if number == 0.0:
                self._zeros.add(position)
        return position

    def positions(self, operands: Iterable[int]) -> Positions:
        """Where operands are computed; forms under way are finished."""
        where = self._where
        if self._pending:
            for i in operands:
                if i in self._pending:
                    where[i] = self._emit_form(self._pending.pop(i))
        return [where[i] for i in operands]

    def form_of(self, i: int, factor: float = 1.0) -> _Form:
        """An operand, times a number, as a form that may be changed."""
        form = self._pending.get(i)
        if form is not None and (factor == 1.0 or form.can_be_scaled(factor)):
            del self._pending[i]
            return form.scaled(factor)
        form = _Form()
        form.terms.append((factor, self.positions([i])))
        return form

    def factor(self, i: int) -> tuple[float, int]:
        """An operand as a number times a node: of `-x`, -1 and x."""
        form = self._pending.get(i)
        if form is not None and form.size() == 1 and self.program.operands[i] not in self.families:
            for number, [j, *others] in form.terms:
                if not others and _SAFE[0] < abs(number) < _SAFE[1]:
                    del self._pending[i]
                    return number, j
            for scale, [j, *others], [k, *_] in form.products:
                number = scale * self.numbers.get(j, self.numbers.get(k, 0.0))
                if not others and _SAFE[0] < abs(number) < _SAFE[1]:
                    del self._pending[i]
                    return number, k if j in self.numbers else j
        return 1.0, self.positions([i])[0]

    def number(self, i: int) -> float | None:
        return self.program.numbers.get(i)

    def is_pending(self, i: int) -> bool:
        return i in self._pending

    def order_parameters(self) -> list[int]:
        """Put the parameters in the order in which they are used, level by level, products before addends.

        Returns their old numbers.
        In that order the weights of a layer are a matrix, and its biases a range.
        """
        numbers = {position: number for number, position in enumerate(self.parameters)}
        order: dict[int, None] = {}
        nodes = self.nodes
        by_level: dict[int, list[Node]] = {}
        for node in nodes:
            by_level.setdefault(node.level, []).append(node)
        by_level.pop(0, None)
        for _, level in sorted(by_level.items()):
            for node in level:
                if node.left == node.right and len(node.left) > 1:  # squares of all parameters should not order them
                    continue
                order.update(dict.fromkeys([i for i in node.left if i in numbers]))
                if node.right:
                    order.update(dict.fromkeys([i for i in node.right if i in numbers]))
            for node in level:
                order.update(dict.fromkeys([i for i in node.addends if i in numbers]))
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
            nodes = self.nodes
            operands = [nodes[j] for j in {*node.left, *node.right, *node.addends}]
            node.level = 1 + max([operand.level for operand in operands])
            node.lane = any([operand.lane for operand in operands])  # noqa: C419  # a list is quicker
            rank = _LANE if node.lane else _UNIFORM
        self.nodes.append(node)
        self._rank.append(rank)
        return len(self.nodes) - 1

    def _emit_form(self, form: _Form) -> int:
        """A finished form as a node; products of several kinds, and long sums, are nodes of their own before it."""
        kinds = self._by_kind(form.products)
        terms: dict[float, Positions] = {}
        for factor, ids in form.terms:
            terms.setdefault(factor, []).extend([i for i in ids if i not in self._zeros])
        terms = {factor: ids for factor, ids in terms.items() if ids}
        for key, (left, right) in list(kinds.items()):
            number = self.numbers.get(right[0]) if len(left) > 1 else None
            if number is not None and len(set(right)) == 1:  # a sum times a number
                terms.setdefault(key[0] * number, []).extend(left)
                del kinds[key]
        if not kinds and len(terms) == 1:
            [(factor, ids)] = terms.items()
            if len(ids) > _FEW:
                return self._emit(Node(OPS["sum"], sorted(ids), scale=factor))
        many = sum(map(len, terms.values())) > _FEW
        addends: list[tuple[float, int, int]] = []
        for factor, ids in terms.items():
            if many and len(ids) > 1:
                ids = [self._emit(Node(OPS["sum"], sorted(ids)))]
            addends += [(-factor, self._rank[i], i) for i in ids]
        if len(addends) > _FEW:  # many factors: a product with constants
            left = [i for _, _, i in addends]
            right = [self.constant(-factor) for factor, _, _ in addends]
            kinds.update(self._by_kind([(1.0, left, right)]))
            addends = []
        by_length = sorted(kinds.items(), key=lambda item: len(item[1][0]))
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

    def _with_addends(self, node: Node, addends: list[tuple[float, int, int]]) -> int:
        """A finished linear node; `addends` by minus their weights. Constants have weight 1."""
        for k, (weight, rank, i) in enumerate(addends):
            if rank == _CONSTANT:
                addends[k] = (-1.0, rank, self.constant(-weight * self.numbers[i]))
        addends.sort()
        node.addends, node.weights = [i for *_, i in addends], tuple([-weight for weight, *_ in addends])
        return self._emit(node)

    def _by_kind(
        self, products: Iterable[tuple[float, Positions, Positions]]
    ) -> dict[tuple[float, bool, bool], tuple[Positions, Positions]]:
        """Products by factor and lanes, each with the more constant factor on the left, in the order of the right."""
        kinds: dict[tuple[float, bool, bool], tuple[Positions, Positions]] = {}
        rank = self._rank
        for factor, left, right in products:
            ranks_left, ranks_right = set(map(rank.__getitem__, left)), set(map(rank.__getitem__, right))
            if len(ranks_left) == len(ranks_right) == 1:
                if max(ranks_left) > max(ranks_right):
                    left, right = right, left
                    ranks_left, ranks_right = ranks_right, ranks_left
                key = (factor, max(ranks_left) >= _LANE, max(ranks_right) >= _LANE)
                lefts, rights = kinds.setdefault(key, ([], []))
                lefts += left
                rights += right
                continue
            for a, b in zip(left, right, strict=True):
                if rank[a] > rank[b]:
                    a, b = b, a
                lefts, rights = kinds.setdefault((factor, rank[a] >= _LANE, rank[b] >= _LANE), ([], []))
                lefts.append(a)
                rights.append(b)
        for key, (left, right) in kinds.items():
            if any(map(gt, right, right[1:])):
                order = sorted(range(len(right)), key=right.__getitem__)
                kinds[key] = [left[k] for k in order], [right[k] for k in order]
        return kinds


def _families(program: Scalars) -> set[tuple[int, ...]]:
    """Operands of products with numbers, where many of one kind have different numbers: those make a vector."""
    found: dict[object, dict[tuple[int, ...], float]] = {}
    numbers, ops, operands_of = program.numbers, program.ops, program.operands
    product = OPS["mul"]
    if numbers:
        for op, operands in zip(ops, operands_of, strict=True):
            if op is product and (operands[0] in numbers or operands[1] in numbers):
                number, other = operands if operands[0] in numbers else operands[::-1]
                key = (ops[other], *[ops[j] for j in operands_of[other][:2]]) if ops[other] not in SOURCES else ()
                found.setdefault(key, {})[operands] = numbers[number]
    families = [family for family in found.values() if len(family) >= _FAMILY and len(set(family.values())) > 1]
    return set().union(*families)


# --- what each operation is as a form


def _sum_of(forms: Iterable[_Form]) -> _Form:
    """The largest form takes the others in, so that a long chain costs what its parts do."""
    parts = list(forms)
    whole = parts[0] if len(parts) == 1 else max(parts, key=_Form.size)
    for part in parts:
        if part is not whole:
            whole.flips = max(whole.flips, part.flips)
            whole.products += part.products
            whole.terms += part.terms
    return whole


def _add(forms: Forms, operands: Sequence[int]) -> _Form:
    return _sum_of([forms.form_of(i) for i in operands])


def _sub(forms: Forms, operands: Sequence[int]) -> _Form:
    return _sum_of([forms.form_of(operands[0]), forms.form_of(operands[1], -1.0)])


def _neg(forms: Forms, operands: Sequence[int]) -> _Form:
    return forms.form_of(operands[0], -1.0)


def _mean(forms: Forms, operands: Sequence[int]) -> _Form:
    return _sum_of([forms.form_of(i, 1.0 / len(operands)) for i in operands])


def _mul(forms: Forms, operands: Sequence[int]) -> _Form:
    x, y = operands[0], operands[-1]  # of a square they are one
    form = _Form()
    if not (forms.is_pending(x) or forms.is_pending(y)):
        left, right = forms.positions([x, y])
        form.products.append((1.0, [left], [right]))
        return form
    for i, j in ((x, y), (y, x)) if operands not in forms.families else ():
        number = forms.number(j)
        if number is not None and forms.is_pending(i) and _SAFE[0] < abs(number) < _SAFE[1]:
            return forms.form_of(i, number)
    a, left = forms.factor(x)
    b, right = forms.factor(y) if x != y else (a, left)
    form.products.append((a * b, [left], [right]))
    return form


def _div(forms: Forms, operands: Sequence[int]) -> _Form | None:
    x, y = operands
    number = forms.number(y)
    if number is None or not _SAFE[0] < abs(number) < _SAFE[1]:
        return None
    if forms.is_pending(x):
        return forms.form_of(x, 1.0 / number)
    form = _Form()
    form.products.append((1.0, forms.positions([x]), [forms.constant(1.0 / number)]))
    return form


def _dot(forms: Forms, operands: Sequence[int]) -> _Form:
    size = len(operands) // 2
    form = _Form()
    positions = forms.positions(operands)
    form.products.append((1.0, positions[:size], positions[size:]))
    return form


_RULES = {
    "add": _add, "sub": _sub, "neg": _neg, "sum": _add, "mean": _mean, "mul": _mul, "div": _div, "dot": _dot,
    "square": _mul,
}  # fmt: skip
