"""The scalar program: a recorded graph as lists of positions, and the passes that tidy it.

Inputs come first, then everything else, each after its operands. A pass takes a program and gives another; nothing is
changed in place. This module knows nothing of arrays, batches or source.
"""

from __future__ import annotations

from itertools import accumulate, filterfalse
from operator import add, mul, neg, sub

from engine.graph import topological_order
from engine.ops import CONSTANT, LEAF, OPS, Op
from engine.rules import evaluator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from engine.value import Value

INPUT = Op("input", "", (), "a number of the example at hand", operands=())

SOURCES = frozenset([INPUT, LEAF, CONSTANT])
"""What is not computed: inputs, parameters, constants."""


class Scalars:
    """A program over numbers.

    Attributes:
        ops: the operation at each position; `INPUT`, `LEAF` (a parameter) or `CONSTANT` for what is not computed.
        operands: the positions of its operands; of an input or a parameter, its number among them.
        numbers: of each constant, by position.
        outputs: the positions of the results.
        inputs: how many inputs there are; they have the first positions.
        parameters: the Values whose numbers the program reads, in order.
        names: labels of Values, by position, for people.

    >>> from engine import Value
    >>> w = Value(2.0, label="w")
    >>> print(scalars_of([w * w + 1], []))
    w = parameter 0
    v1 = mul(w, w)
    v3 = add(v1, 1.0)
    return v3
    """

    __slots__ = ("inputs", "names", "numbers", "operands", "ops", "outputs", "parameters")

    def __init__(
        self,
        ops: list[Op],
        operands: list[tuple[int, ...]],
        numbers: dict[int, float],
        outputs: list[int],
        inputs: int,
        parameters: list[Value],
        names: dict[int, str],
    ) -> None:
        self.ops, self.operands, self.numbers, self.outputs = ops, operands, numbers, outputs
        self.inputs, self.parameters, self.names = inputs, parameters, names

    def __len__(self) -> int:
        return len(self.ops)

    def name(self, position: int) -> str:
        """How people call what stands at a position: its label, its number if it is a constant, or v and where."""
        if position in self.numbers:
            return repr(self.numbers[position])
        return self.names.get(position, f"v{position}")

    def __str__(self) -> str:
        lines = []
        for i, (op, operands) in enumerate(zip(self.ops, self.operands, strict=True)):
            if op is LEAF or op is INPUT:
                lines.append(f"{self.name(i)} = {'parameter' if op is LEAF else 'input'} {operands[0]}")
            elif op is not CONSTANT:
                lines.append(f"{self.name(i)} = {op.name}({', '.join(map(self.name, operands))})")
        return "\n".join([*lines, f"return {', '.join(map(self.name, self.outputs))}"])

    def moving(self, what: Op) -> list[bool]:
        """For each position, whether it is computed from an input (`INPUT`) or from a parameter (`LEAF`)."""
        if what is INPUT and not self.inputs:
            return [False] * len(self)
        moves: list[bool] = []
        move, add = moves.__getitem__, moves.append
        for op, operands in zip(self.ops, self.operands, strict=True):
            if op in SOURCES:
                add(op is what)
            elif len(operands) <= 2:
                add(move(operands[0]) or move(operands[-1]))
            else:
                add(any(map(move, operands)))
        return moves


def scalars_of(outputs: Sequence[Value], inputs: Sequence[Value], made_inside: Iterable[Value] = ()) -> Scalars:
    """The program of a graph. Leaves that are no inputs are parameters; those `made_inside` are numbers.

    A number that enters at many places stands there once.
    """
    positions = {node: i for i, node in enumerate(inputs)}
    at = positions.__getitem__
    program = Scalars(
        [INPUT] * len(inputs), [(i,) for i in range(len(inputs))], {}, [], len(inputs), [],
        {i: node.label for node, i in positions.items() if node.label},
    )  # fmt: skip
    ops, operands_of, parameters = program.ops, program.operands, program.parameters
    fixed, constants = set(made_inside), dict[object, int]()
    for node in filterfalse(positions.__contains__, topological_order(*outputs)):
        position, op, first = len(ops), node.op, node._first
        operands: tuple[int, ...] = ()
        if first.__class__ is tuple:
            operands = tuple(map(at, node.parents))
        elif first is not None:
            second = node._second
            operands = (at(first),) if second is None else (at(first), at(second))
        elif op is CONSTANT or node in fixed:
            op, number = CONSTANT, node._data
            positions[node] = earlier = constants.setdefault(number or repr(number), position)  # 0.0 is not -0.0
            if earlier != position:
                continue
            program.numbers[position] = number
        else:
            operands = (len(parameters),)
            parameters.append(node)
        positions[node] = position
        ops.append(op)
        operands_of.append(operands)
        if node._note is not None and node._note[0] and op is not CONSTANT:
            program.names[position] = node._note[0]
    program.outputs = [positions[node] for node in outputs]
    return program


def evaluated(program: Scalars, parameters: Sequence[float], inputs: Sequence[float]) -> list[float]:
    """The results for one example, operation by operation.

    >>> from engine import Value
    >>> w, x = Value(2.0), Value(3.0)
    >>> evaluated(scalars_of([w * x + 1], [x]), [10.0], [4.0])
    [41.0]
    """
    numbers: list[float] = []
    at = numbers.__getitem__
    for i, (op, operands) in enumerate(zip(program.ops, program.operands, strict=True)):
        if op in _ARITHMETIC:
            numbers.append(_ARITHMETIC[op](*map(at, operands)))
        elif op is CONSTANT:
            numbers.append(program.numbers[i])
        elif op in SOURCES:
            numbers.append((inputs if op is INPUT else parameters)[operands[0]])
        else:
            numbers.append(_computed(op, list(map(at, operands))))
    return [numbers[i] for i in program.outputs]


_ARITHMETIC: dict[Op, Callable[..., float]] = {OPS[f.__name__]: f for f in (add, sub, mul, neg)}  # what never raises


# --- passes


def tidied(program: Scalars) -> Scalars:
    """Constants folded, common subexpressions computed once, dead code left out."""
    smaller = without_repetition(with_simple_powers(with_constants_folded(program)))
    return program if smaller is program else without_dead_code(smaller)  # a graph has none


def with_constants_folded(program: Scalars) -> Scalars:
    """Operations on constants alone become constants.

    >>> from engine import Value, constant
    >>> print(with_constants_folded(scalars_of([Value(1.0, "x") * constant(2.0).exp()], [])))
    x = parameter 0
    v3 = mul(x, 7.38905609893065)
    return v3
    """
    numbers = dict(program.numbers)
    folded: dict[int, float] = {}
    if numbers:
        for i, (op, operands) in enumerate(zip(program.ops, program.operands, strict=True)):
            if operands and operands[0] in numbers and op not in SOURCES and numbers.keys() >= set(operands):
                folded[i] = numbers[i] = _computed(op, [numbers[j] for j in operands])
    if not folded:
        return program
    ops = [CONSTANT if i in folded else op for i, op in enumerate(program.ops)]
    operands_of = [() if i in folded else operands for i, operands in enumerate(program.operands)]
    names = {i: name for i, name in program.names.items() if i not in folded}
    return Scalars(ops, operands_of, numbers, program.outputs, program.inputs, program.parameters, names)


def _computed(op: Op, numbers: list[float]) -> float:
    if not op.variadic:
        return evaluator(op)(*numbers)[0]
    size = len(numbers) // len(op.operands)
    return evaluator(op)(*[numbers[k : k + size] for k in range(0, len(numbers), size)])[0]


def with_simple_powers(program: Scalars) -> Scalars:
    """x ** 2 is a square.

    >>> from engine import Value
    >>> print(with_simple_powers(scalars_of([Value(3.0, "x") ** 2], [])))
    x = parameter 0
    v2 = square(x)
    return v2
    """
    pow_, square = OPS["pow"], OPS["square"]
    if pow_ not in set(program.ops):
        return program
    ops, operands_of = list(program.ops), list(program.operands)
    for i, op in enumerate(program.ops):
        if op is pow_ and program.numbers.get(operands_of[i][1]) == 2.0:
            ops[i], operands_of[i] = square, operands_of[i][:1]
    return Scalars(
        ops, operands_of, program.numbers, program.outputs, program.inputs, program.parameters, program.names
    )


def without_repetition(program: Scalars) -> Scalars:
    """What has the same operation and the same operands as something earlier is that.

    >>> from engine import Value
    >>> x = Value(2.0, "x")
    >>> print(without_repetition(scalars_of([x.exp() * x.exp()], [])))
    x = parameter 0
    v1 = exp(x)
    v2 = mul(v1, v1)
    return v2
    """
    numbers = [number or repr(number) for number in program.numbers.values()]  # 0.0 is not -0.0
    different = len(set(zip(program.ops, program.operands, strict=True))) + max(0, len(numbers) - 1)
    if different == len(program) and len(set(numbers)) == len(numbers):
        return program
    tables: dict[Op, dict[object, int]] = {op: {} for op in set(program.ops)}
    new: list[int] = []
    kept: list[int] = []
    operands_of: list[tuple[int, ...]] = []
    for i, (op, operands) in enumerate(zip(program.ops, program.operands, strict=True)):
        if len(kept) < i and op not in SOURCES:
            operands = tuple(map(new.__getitem__, operands))
        key: object = operands
        if op is CONSTANT:
            key = program.numbers[i] or repr(program.numbers[i])  # 0.0 is not -0.0
        position = tables[op].setdefault(key, len(kept))
        new.append(position)
        if position == len(kept):
            kept.append(i)
            operands_of.append(operands)
    return _selected(program, kept, new, operands_of)


def without_dead_code(program: Scalars) -> Scalars:
    """Only what the outputs need; inputs and parameters stay.

    >>> from engine import Value
    >>> x = Value(2.0, "x")
    >>> program = scalars_of([x.exp(), x.sin()], [])
    >>> program.outputs.pop()
    2
    >>> print(without_dead_code(program))
    x = parameter 0
    v1 = exp(x)
    return v1
    """
    ops, operands_of = program.ops, program.operands
    needed = bytearray([op is INPUT or op is LEAF for op in ops])
    for i in program.outputs:
        needed[i] = True
    for i in range(len(program) - 1, -1, -1):
        if needed[i] and ops[i] not in SOURCES:
            for j in operands_of[i]:
                needed[j] = True
    if all(needed):
        return program
    kept = [i for i, keep in enumerate(needed) if keep]
    new = list(accumulate(needed, initial=0))
    at = new.__getitem__
    return _selected(
        program, kept, new, [operands_of[i] if ops[i] in SOURCES else tuple(map(at, operands_of[i])) for i in kept]
    )


def with_parameters_ordered(program: Scalars, order: Sequence[int]) -> Scalars:
    """The same program with its parameters, given by their old numbers, in another order."""
    new = {old: number for number, old in enumerate(order)}
    operands_of = [
        (new[operands[0]],) if op is LEAF else operands
        for op, operands in zip(program.ops, program.operands, strict=True)
    ]
    parameters = [program.parameters[old] for old in order]
    return Scalars(
        program.ops, operands_of, program.numbers, program.outputs, program.inputs, parameters, program.names
    )


def with_output(program: Scalars, of: int) -> Scalars:
    """What one of the outputs needs."""
    return without_dead_code(
        Scalars(
            program.ops, program.operands, program.numbers, [program.outputs[of]], program.inputs, program.parameters,
            program.names,
        )
    )  # fmt: skip


def _selected(program: Scalars, kept: Sequence[int], new: Sequence[int], operands_of: list[tuple[int, ...]]) -> Scalars:
    """What stands at the positions that are kept, with its new operands; `new`: where each old position went."""
    numbers, names = program.numbers, program.names
    return Scalars(
        [program.ops[i] for i in kept],
        operands_of,
        {position: numbers[i] for position, i in enumerate(kept) if i in numbers},
        [new[i] for i in program.outputs],
        program.inputs,
        program.parameters,
        {position: names[i] for position, i in enumerate(kept) if i in names},
    )
