"""What a batch costs in either executor, estimated: NumPy pays for each call, Python for each number.

The constants were measured on one machine (see tests/benchmarks/bench_compiler.py); only their ratio matters.
"""

from __future__ import annotations

from itertools import compress

from engine.compiler.grouping import groups
from engine.compiler.scalars import INPUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.compiler.recording import Recording

PYTHON_NUMBER = 0.09  # us for an operand of an operation, forward and in reverse
ARRAY_CALL = 7.0  # us for an instruction, forward and in reverse
ARRAY_NUMBER = 0.004  # us for an operand of an operation
BATCH = 12.0  # us to take a batch in and give a gradient out


class Costs:
    """Estimated microseconds for value and gradient.

    Attributes:
        operands: how many operands the operations have: those that are the same for all examples, and of each example.
        instructions: how many groups of operations there are.
    """

    __slots__ = ("instructions", "operands")

    def __init__(self, made: Recording) -> None:
        program = made.scalars
        counts = list(map(len, program.operands))  # one each of inputs and parameters: their numbers
        lanes = sum(compress(counts, program.moving(INPUT))) - program.inputs
        self.operands = sum(counts) - program.inputs - len(program.parameters) - lanes, lanes
        self.instructions = len(groups(made.forms.nodes))

    def python(self, size: int) -> float:
        return PYTHON_NUMBER * (self.operands[0] + size * self.operands[1])

    def arrays(self, size: int) -> float:
        numbers = self.operands[0] + size * self.operands[1]
        return BATCH + ARRAY_CALL * self.instructions + ARRAY_NUMBER * numbers

    def choice(self, size: int) -> str:
        return "python" if self.python(size) <= self.arrays(size) else "numpy"
