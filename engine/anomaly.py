"""Where a nan or an inf first appears.

Works on nodes as they are stored; knows nothing of how they are made.
"""

from __future__ import annotations

import math

from engine.ops import CONSTANT
from engine.source_lines import calling_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.ops import Op
    from engine.value import Value


class AnomalyError(FloatingPointError):
    """A nan or an inf appeared under `detect_anomaly()`."""


def sweep_watching(order: list[Value]) -> None:
    """The reverse sweep, stopping where a gradient stops being finite."""
    for node in order:
        upstream = node._grad
        for parent, partial in zip(node.parents, node.partials, strict=True):
            before = parent._grad
            parent._grad += upstream * partial
            if parent.op is not CONSTANT and not math.isfinite(parent._grad) and math.isfinite(upstream):
                raise AnomalyError(
                    f"{node.op.name} gave the gradient {before + upstream * partial} to its operand {parent!r}: "
                    f"{before!r} plus upstream gradient {upstream!r} times partial {partial!r}{_made_at(node)}; "
                    f"the node is {node!r}; keep its operands away from this point, or clip them"
                )


def check_forward(op: Op, parents: tuple[Value, ...], data: float) -> None:
    if math.isfinite(data) or (math.isinf(data) and any(math.isinf(parent._data) for parent in parents)):
        return
    operands = ", ".join(repr(parent) for parent in parents[:10]) + (", ..." if len(parents) > 10 else "")
    file, line = calling_line()
    raise AnomalyError(
        f"{op.name} gave {data} from {operands}, at {file}:{line}; keep its operands inside its domain, or clip them"
    )


def _made_at(node: Value) -> str:
    return f", made at {node.source[0]}:{node.source[1]}" if node.source else ""
