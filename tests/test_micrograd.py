"""What micrograd 0.1.0 promises in its own two tests, with our import in place of its own.

Its expressions are rebuilt here; PyTorch is the oracle, as there.
"""

from __future__ import annotations

from typing import Any

import pytest
from oracles import needs_torch

from engine import Value

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]


def _relu(x: Any) -> Any:
    return x.relu()


def _sanity_check(x: Any) -> tuple[list[Any], Any]:
    z = 2 * x + 2 + x
    q = _relu(z) + z * x
    h = _relu(z * z)
    return [x], h + q + q * x


def _more_ops(a: Any, b: Any) -> tuple[list[Any], Any]:
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + _relu(b + a)
    d += 3 * d + _relu(b - a)
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    return [a, b], g


@needs_torch
@pytest.mark.parametrize(("expression", "inputs"), [(_sanity_check, [-4.0]), (_more_ops, [-4.0, 2.0])])
def test_same_values_and_gradients(expression: Any, inputs: list[float]) -> None:
    leaves, ours = expression(*map(Value, inputs))
    ours.backward()
    tensors, theirs = expression(*(torch.tensor([x], dtype=torch.float64, requires_grad=True) for x in inputs))
    theirs.backward()
    assert abs(ours.data - theirs.item()) < 1e-6
    for leaf, tensor in zip(leaves, tensors, strict=True):
        assert abs(leaf.grad - tensor.grad.item()) < 1e-6
