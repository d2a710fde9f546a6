"""Random graphs with sharing: gradients equal PyTorch's and the truth."""

from __future__ import annotations

import math
import os
from typing import Any

import mpmath as mp
from hypothesis import HealthCheck, assume, given, settings
from oracles import TORCH, TRUTH, needs_torch

from engine import OPS, Value
from engine.graph import topological_order
from engine.testing import FUNCTIONS, Program, graphs

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

SMOOTH = ("add", "sub", "mul", "tanh", "sigmoid", "sin", "cos", "square", "softplus", "silu", "atan", "asinh", "gelu",
          "erf", "sum", "dot", "mean", "logsumexp", "prod", "neg")  # fmt: skip
EVERYWHERE = (*SMOOTH, "relu", "abs", "maximum", "minimum", "leaky_relu", "elu", "max", "min", "norm", "hypot", "where",
              "clip", "exp", "div", "pow", "sqrt", "log", "var")  # fmt: skip
EXAMPLES = int(os.environ.get("GLASSGRAD_EXAMPLES", "300"))
"""Continuous integration asks for 2,000."""

generously = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def _accurate_tanh(x: Any) -> Any:
    """With a derivative that keeps its digits: PyTorch's own, 1 - z**2, has lost five of them at x = 6."""
    sign = torch.where(x >= 0, 1.0, -1.0)
    e = torch.exp(-2 * sign * x)
    return sign * -torch.expm1(-2 * sign * x) / (1 + e)


def path_sum(output: Value) -> dict[Value, float]:
    """For each node, the sum of |path products|: what rounding errors of its gradient are measured by."""
    order = topological_order(output)
    total = dict.fromkeys(order, 0.0)
    total[output] = 1.0
    for node in reversed(order):
        for parent, partial in zip(node.parents, node.partials, strict=True):
            total[parent] += abs(total[node] * partial)
    return total


def gradients(program: Program) -> tuple[list[Value], Value]:
    leaves = [Value(x) for x in program.leaves]
    values = program.run(FUNCTIONS, leaves)
    assume(all(abs(value.data) < 1e6 and all(abs(p) < 1e6 for p in value.partials) for value in values))
    values[-1].backward()
    return leaves, values[-1]


@needs_torch
@generously
@given(graphs(EVERYWHERE))
def test_gradients_are_pytorchs(program: Program) -> None:
    leaves, output = gradients(program)
    tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in program.leaves]
    stacked = {
        name: (lambda *lists, f=function: f(*(torch.stack(xs) for xs in lists))) if OPS[name].variadic else function
        for name, function in TORCH.items()
    }
    stacked["leaky_relu"] = lambda x, slope: torch.where(x > 0, x, slope * x)  # PyTorch's take no tensor there
    stacked["elu"] = lambda x, alpha: torch.where(x > 0, x, alpha * torch.expm1(torch.clamp(x, max=0)))
    stacked["var"] = lambda xs: torch.var(torch.stack(xs), correction=0)
    stacked["tanh"] = _accurate_tanh
    stacked["sigmoid"] = lambda x: 0.5 + 0.5 * _accurate_tanh(0.5 * x)
    # PyTorch's hypot has slope nan at the origin, its norm has 0, as ours
    stacked["hypot"] = lambda x, y: torch.linalg.vector_norm(torch.stack([x, y]))
    result = program.run(stacked, list(tensors))[-1]
    assert math.isclose(output.data, result.item(), rel_tol=1e-9, abs_tol=1e-9)
    if result.requires_grad:
        result.backward()
    sizes = path_sum(output)
    for leaf, tensor in zip(leaves, tensors, strict=True):
        want = 0.0 if tensor.grad is None else tensor.grad.item()
        assert abs(leaf.grad - want) <= 1e-11 * max(1.0, sizes.get(leaf, 0.0)), program


@generously
@given(graphs(SMOOTH, max_ops=10))
def test_gradients_are_the_truth(program: Program) -> None:
    leaves, output = gradients(program)
    sizes = path_sum(output)
    with mp.workdps(50):
        exact = [mp.mpf(x) for x in program.leaves]
        for k, leaf in enumerate(leaves):

            def along(x: object, k: int = k) -> object:
                return program.run(TRUTH, [*exact[:k], x, *exact[k + 1 :]])[-1]

            want = float(mp.diff(along, exact[k], h=mp.mpf(10) ** -20))
            assert abs(leaf.grad - want) <= 1e-11 * max(1.0, sizes.get(leaf, 0.0)), program


@generously
@given(graphs(EVERYWHERE))
def test_twice_is_exactly_twice(program: Program) -> None:
    leaves, output = gradients(program)
    once = [leaf.grad for leaf in leaves]
    inner = {node: node.grad for node in topological_order(output) if node.parents}
    output.backward()
    assert [leaf.grad for leaf in leaves] == [2 * g for g in once]
    assert {node: node.grad for node in inner} == inner
