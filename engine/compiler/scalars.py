"""The scalar program: a recorded graph as lists of positions, and the passes that tidy it.

Inputs come first, then everything else, each after its operands. A pass takes a program and gives another; nothing is
changed in place. This module knows nothing of arrays, batches or source.
"""

from __future__ import annotations

from engine.ops import CONSTANT, LEAF, OPS, Op
from engine.rules import evaluator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.value import Value

INPUT = Op("input", "", (), "a number of the example at hand", operands=())

SOURCES = (INPUT, LEAF, CONSTANT)
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
        moves: list[bool] = []
        move = moves.__getitem__
        for op, operands in zip(self.ops, self.operands, strict=True):
            moves.append(op is what if op in SOURCES else any(map(move, operands)))
        return moves


def scalars_of(
    outputs: Sequence[Value], inputs: Sequence[Value], order: Iterable[Value] = (), made_inside: Iterable[Value] = ()
) -> Scalars:
    """The program of a graph. Leaves that are no inputs are parameters; those `made_inside` are numbers."""
    from engine.graph import topological_order

    positions = {node: i for i, node in enumerate(inputs)}
    program = Scalars(
        [INPUT] * len(inputs), [(i,) for i in range(len(inputs))], {}, [], len(inputs), [],
        {i: node.label for node, i in positions.items() if node.label},
    )  # fmt: skip
    fixed, operands_of = set(made_inside), positions.__getitem__
    add_op, add_operands = program.ops.append, program.operands.append
    for node in order or topological_order(*outputs):
        if node in positions:
            continue
        position = positions[node] = len(program.ops)
        op = node.op
        operands: tuple[int, ...] = ()
        if node._first is None:
            if op is CONSTANT or node in fixed:
                op = CONSTANT
                program.numbers[position] = node._data
            else:
                operands = (len(program.parameters),)
                program.parameters.append(node)
        else:
            operands = tuple(map(operands_of, node.parents))
        if node._note and node._note[0] and op is not CONSTANT:
            program.names[position] = node._note[0]
        add_op(op)
        add_operands(operands)
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
    for i, (op, operands) in enumerate(zip(program.ops, program.operands, strict=True)):
        if op is CONSTANT:
            numbers.append(program.numbers[i])
        elif op in SOURCES:
            numbers.append((inputs if op is INPUT else parameters)[operands[0]])
        else:
            numbers.append(_computed(op, [numbers[j] for j in operands]))
    return [numbers[i] for i in program.outputs]


# --- passes


def tidied(program: Scalars) -> Scalars:
    """Constants folded, common subexpressions computed once, dead code left out."""
    return without_dead_code(without_repetition(with_simple_powers(with_constants_folded(program))))


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
    squares = [
        i
        for i, (op, operands) in enumerate(zip(program.ops, program.operands, strict=True))
        if op is pow_ and program.numbers.get(operands[1]) == 2.0
    ]
    if not squares:
        return program
    ops, operands_of = list(program.ops), list(program.operands)
    for i in squares:
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
    first: dict[object, int] = {}
    same = list(range(len(program)))
    operands_of: list[tuple[int, ...]] = []
    moved = False
    for i, (op, operands) in enumerate(zip(program.ops, program.operands, strict=True)):
        key: object
        if op in SOURCES:
            # repr: 0.0 is not -0.0, and nan is nan
            key = repr(program.numbers[i]) if op is CONSTANT else (op, operands)
        else:
            if moved:
                operands = tuple(map(same.__getitem__, operands))
            key = (op, operands)
        same[i] = earlier = first.setdefault(key, i)
        moved = moved or earlier != i
        operands_of.append(operands)
    if not moved:
        return program
    kept = [same[i] == i for i in range(len(program))]
    return _selected(program, kept, operands_of, [same[i] for i in program.outputs])


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
    needed = [op is INPUT or op is LEAF for op in program.ops]
    for i in program.outputs:
        needed[i] = True
    for i in range(len(program) - 1, -1, -1):
        if needed[i] and program.ops[i] not in SOURCES:
            for j in program.operands[i]:
                needed[j] = True
    return program if all(needed) else _selected(program, needed, program.operands, program.outputs)


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


def _selected(
    program: Scalars, kept: Sequence[bool], operands_of: Sequence[tuple[int, ...]], outputs: Iterable[int]
) -> Scalars:
    """The positions that are kept, numbered anew."""
    new = [-1] * len(program)
    chosen = [i for i, keep in enumerate(kept) if keep]
    for position, i in enumerate(chosen):
        new[i] = position
    ops = [program.ops[i] for i in chosen]
    renamed = new.__getitem__
    return Scalars(
        ops,
        [operands_of[i] if program.ops[i] in SOURCES else tuple(map(renamed, operands_of[i])) for i in chosen],
        {new[i]: number for i, number in program.numbers.items() if kept[i]},
        [new[i] for i in outputs],
        program.inputs,
        program.parameters,
        {new[i]: name for i, name in program.names.items() if kept[i]},
    )
