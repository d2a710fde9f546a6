"""Random programs over shared values, run by any engine that has the functions.

A program is a list of steps `(operation, positions of its operands)`; a step may use any earlier result, any number
of times. Trees never find the bugs that matter: `=` for `+=`, a repeated operand, a wrong order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from hypothesis import strategies as st

from engine import OPS

SMOOTH = ("add", "sub", "mul", "tanh", "sigmoid", "sin", "cos", "square", "softplus", "silu", "atan", "asinh", "gelu",
          "erf", "sum", "dot", "mean", "logsumexp", "prod", "neg")  # fmt: skip
EVERYWHERE = (*SMOOTH, "relu", "abs", "maximum", "minimum", "leaky_relu", "elu", "max", "min", "norm", "hypot", "where",
              "clip", "exp", "div", "pow", "sqrt", "log", "var")  # fmt: skip


class Program(NamedTuple):
    leaves: list[float]
    steps: list[tuple[str, tuple[int, ...]]]

    def run(self, functions: Mapping[str, Callable[..., Any]], leaves: list[Any]) -> list[Any]:
        """All values, leaves first; the last is the output."""
        values = list(leaves)
        for name, positions in self.steps:
            operands = [values[i] for i in positions]
            op = OPS[name]
            if op.variadic:
                size = len(operands) // len(op.operands)
                values.append(functions[name](*(operands[k : k + size] for k in range(0, len(operands), size))))
            else:
                values.append(functions[name](*operands))
        return values


@st.composite
def programs(draw: st.DrawFn, names: tuple[str, ...] = EVERYWHERE, max_steps: int = 20) -> Program:
    """A program whose later steps prefer recent values, so that graphs are deep as well as shared."""
    number = st.floats(-3.0, 3.0).map(lambda x: round(x, 3))
    leaves = draw(st.lists(number, min_size=1, max_size=4))
    steps: list[tuple[str, tuple[int, ...]]] = []
    for _ in range(draw(st.integers(1, max_steps))):
        op = OPS[draw(st.sampled_from(names))]
        count = draw(st.integers(1, 4)) * len(op.operands) if op.variadic else len(op.operands)
        size = len(leaves) + len(steps)
        position = st.one_of(st.integers(0, size - 1), st.integers(max(0, size - 3), size - 1))
        steps.append((op.name, tuple(draw(position) for _ in range(count))))
    return Program(leaves, steps)
