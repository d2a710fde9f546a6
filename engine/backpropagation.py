"""The reverse sweep: the chain rule, from one node to all that it was computed from.

Works on nodes as they are stored; knows nothing of how they are made.
"""

from __future__ import annotations

import math

from engine import anomaly, modes
from engine.graph import topological_order
from engine.ops import CONSTANT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.value import Value


def backpropagate(root: Value, upstream: float) -> None:
    """Add d root / d leaf times `upstream` to the gradient of every leaf, and set it on every node in between.

    If it raises, or is interrupted, the leaves keep the gradients they had.
    """
    order = topological_order(root)
    leaves = [node for node in order if node._first is None]
    before = [leaf._grad for leaf in leaves]
    order.reverse()
    try:
        for node in order:
            node._grad = 0.0
        root._grad = upstream
        if "detect_anomaly" in modes.active():
            anomaly.sweep_watching(order)
        else:
            _sweep(order)
        after = [0.0 if leaf.op is CONSTANT else leaf._grad + old for leaf, old in zip(leaves, before, strict=True)]
    except BaseException:
        for leaf, old in zip(leaves, before, strict=True):
            leaf._grad = old
        raise
    for leaf, gradient in zip(leaves, after, strict=True):
        leaf._grad = gradient


def _sweep(order: list[Value]) -> None:
    """Pass every node's gradient on to its parents; `order` has the root first."""
    for node in order:
        first, second, upstream = node._first, node._second, node._grad
        if first is None:
            continue
        if first.__class__ is tuple:
            if not upstream and math.isfinite(sum(node._to_first) + sum(node._to_second or ())):
                continue  # a dead unit adds 0 * partial = 0 everywhere: half of a relu network does
            for parent, partial in zip(first, node._to_first, strict=True):
                parent._grad += upstream * partial
            if second is not None:
                for parent, partial in zip(second, node._to_second, strict=True):
                    parent._grad += upstream * partial
        else:
            first._grad += upstream * node._to_first
            if second is not None:
                second._grad += upstream * node._to_second
