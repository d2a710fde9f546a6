"""What a batch costs in either executor, estimated: NumPy pays for each call, Python for each number.

The constants fit what `tests/benchmarks/bench_compiler.py choice` measured on one machine; only their ratios matter.
"""

from __future__ import annotations

from itertools import compress

from engine.compiler.grouping import groups
from engine.compiler.scalars import INPUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.compiler.recording import Recording

PYTHON_CALL = 1.0  # us to check the numbers and call the function
PYTHON_PARAMETER = 0.05  # us to unpack a parameter and return its slope
PYTHON_NUMBER = 0.026  # us for an operand of an operation, forward and in reverse
ARRAY_BATCH = 6.0  # us to take a batch in and give a gradient out
ARRAY_CALL = 4.0  # us for a group of operations, forward and in reverse
ARRAY_NUMBER = 0.0006  # us for an operand of an operation


class Costs:
    """Estimated microseconds for value and gradient.

    Attributes:
        operands: how many operands the operations have: those that are the same for all examples, and of each example.
        parameters: how many there are.
        instructions: how many groups of operations there are.
    """

    __slots__ = ("instructions", "operands", "parameters")

    def __init__(self, made: Recording) -> None:
        program = made.scalars
        counts = list(map(len, program.operands))  # one each of inputs and parameters: their numbers
        lanes = sum(compress(counts, program.moving(INPUT))) - program.inputs
        self.parameters = len(program.parameters)
        self.operands = sum(counts) - program.inputs - self.parameters - lanes, lanes
        self.instructions = len(groups(made.forms.nodes))

    def numbers(self, size: int) -> int:
        """How many operands are read for so many examples."""
        return self.operands[0] + size * self.operands[1]

    def python(self, size: int) -> float:
        return PYTHON_CALL + PYTHON_PARAMETER * self.parameters + PYTHON_NUMBER * self.numbers(size)

    def arrays(self, size: int) -> float:
        return ARRAY_BATCH + ARRAY_CALL * self.instructions + ARRAY_NUMBER * self.numbers(size)

    def choice(self, size: int) -> str:
        return "python" if self.python(size) <= self.arrays(size) else "numpy"
