"""Derivatives of any order: against PyTorch's double backward, finite differences, and each other."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from oracles import ALL_OPS, TORCH, close, flat, needs_torch, ordinary_points, unflat
from test_random_graphs import path_sum

import engine
from engine import OPS, Op, Value, functions, grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from engine.graph import topological_order
from engine.testing import FUNCTIONS, Program, graphs

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

TWICE_SMOOTH = ("add", "sub", "mul", "tanh", "sigmoid", "sin", "cos", "square", "softplus", "silu", "atan", "asinh",
                "gelu", "erf", "sum", "dot", "mean", "logsumexp", "prod", "neg", "var", "exp", "mish")  # fmt: skip
quickly = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def function_of(program: Program) -> Any:
    """The program as a function of its leaves."""
    return lambda *leaves: program.run(FUNCTIONS, list(leaves))[-1]


def tame(program: Program, limit: float = 50.0) -> None:
    values = program.run(FUNCTIONS, [Value(x) for x in program.leaves])
    assume(all(abs(value.data) < limit for value in values))
    assume(max(path_sum(values[-1]).values()) < limit)


def numbers(tree: Any) -> Any:
    """Values as numbers, in the same structure."""
    return [numbers(part) for part in tree] if isinstance(tree, (list, tuple)) else tree.data


# --- first and second derivatives of every operation


@ALL_OPS
def test_grad_is_backward(op: Op) -> None:
    """The rule over Values gives the number that was stored, wherever that is a number."""
    for operands in [*ordinary_points(op), *op.special]:
        leaves = [Value(number) for number in flat(operands)]
        node = getattr(functions, op.name)(*unflat(op, leaves))
        gradient = grad(node, leaves)
        for partial, slope in zip(node.partials, gradient, strict=True):
            assert close(slope.data, partial, 1e-13, 1e-300) or _underflows(op, operands), f"{op.name}{operands}"


def _underflows(op: Op, operands: Any) -> bool:
    """Products of Values are plain products: they do not keep exponents apart, as the operation does."""
    return op.name == "prod" and any(abs(x) < 1e-100 or abs(x) > 1e100 for x in operands[0])


@ALL_OPS
def test_second_derivatives_equal_finite_differences_of_first(op: Op) -> None:
    if op.name == "polygamma":
        pytest.skip("no derivative in its order")
    step = 1e-4
    for operands in ordinary_points(op, 4):
        start = flat(operands)
        rows = hessian(lambda *leaves: getattr(functions, op.name)(*unflat(op, list(leaves))), start)

        def slopes(moved: list[float]) -> list[float]:
            leaves = [Value(x) for x in moved]
            getattr(functions, op.name)(*unflat(op, leaves)).backward()
            return [leaf.grad for leaf in leaves]

        for k in range(len(start)):
            up, down = ([x + sign * step * (i == k) for i, x in enumerate(start)] for sign in (1, -1))
            for j, (a, b) in enumerate(zip(slopes(up), slopes(down), strict=True)):
                want = (a - b) / (2 * step)
                assert close(rows[j][k].data, want, 1e-4, 1e-5 * (1 + abs(a))), f"{op.name}{operands} [{j}][{k}]"


@pytest.mark.parametrize(
    ("name", "third"), [("tanh", -2.0), ("sigmoid", -0.125), ("softplus", 0.0), ("log_sigmoid", 0.0)]
)
def test_smooth_operations_are_smooth_at_zero(name: str, third: float) -> None:
    """Rules with |x| in them would give 0: the third derivative at 0 is where that shows."""
    x = Value(0.0)
    y = getattr(functions, name)(x)
    assert grad(grad(grad(y, x), x), x).data == pytest.approx(third, abs=1e-15)


@pytest.mark.parametrize(
    ("expression", "first", "second"),
    [
        (lambda x: x.relu(), 0.0, 0.0),
        (lambda x: abs(x), 0.0, 0.0),
        (lambda x: x**2, 0.0, 2.0),
        (lambda x: x**0, 0.0, 0.0),
        (lambda x: x**1, 1.0, 0.0),
        (lambda x: functions.maximum(x, x * 2), 1.5, 0.0),
        (lambda x: functions.hypot(x, x), 0.0, 1.0 * 2),
        (lambda x: functions.prod([x, x, 2.0]), 0.0, 4.0),
        (lambda x: functions.max([x, 0.0]), 0.5, 0.0),
        (lambda x: x.sqrt(), math.inf, -math.inf),
    ],
)
def test_kinks_keep_their_conventions(expression: Any, first: float, second: float) -> None:
    x = Value(0.0)
    slope = grad(expression(x), x)
    assert slope.data == first
    assert grad(slope, x).data == second


# --- random graphs


@needs_torch
@quickly
@given(graphs(TWICE_SMOOTH, max_ops=8))
def test_second_derivatives_are_pytorchs(program: Program) -> None:
    tame(program)
    stacked = {
        name: (lambda *lists, f=f: f(*(torch.stack(xs) for xs in lists))) if OPS[name].variadic else f
        for name, f in TORCH.items()
    }
    tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in program.leaves]
    output = program.run(stacked, list(tensors))[-1]
    first = torch.autograd.grad(output, tensors, create_graph=True, allow_unused=True) if output.requires_grad else []
    ours = hessian(function_of(program), program.leaves)
    scale = max([1.0, *(abs(entry.data) for row in ours for entry in row)])
    for j, slope in enumerate(first):
        rows = [None] * len(tensors)
        if slope is not None and slope.requires_grad:
            rows = torch.autograd.grad(slope, tensors, retain_graph=True, allow_unused=True)
        for k, entry in enumerate(rows):
            want = 0.0 if entry is None else entry.item()
            assert abs(ours[j][k].data - want) <= 1e-10 * scale


@quickly
@given(graphs(TWICE_SMOOTH, max_ops=8), st.randoms(use_true_random=False))
def test_products_with_the_derivatives(program: Program, random: Any) -> None:
    """Hessians are symmetric; hvp is Hessian times vector; jvp is vjp transposed; grad is backward."""
    tame(program)
    f, start = function_of(program), program.leaves
    rows = np.array(numbers(hessian(f, start)), dtype=float)
    scale = 1e-10 * max(1.0, float(np.abs(rows).max()))
    assert np.allclose(rows, rows.T, rtol=0, atol=scale)
    v = [random.uniform(-1, 1) for _ in start]
    assert np.allclose(numbers(hvp(f, start, v)[1]), rows @ v, rtol=0, atol=scale * len(v))

    value, gradient = value_and_grad(f, start)
    leaves = [Value(x) for x in start]
    output = f(*leaves)
    output.backward()
    sizes = path_sum(output)
    for leaf, slope in zip(leaves, gradient, strict=True):
        assert abs(leaf.grad - slope.data) <= 1e-12 * max(1.0, sizes.get(leaf, 0.0))
    assert value.data == output.data

    def several(*xs: Value) -> list[Value]:
        return program.run(FUNCTIONS, list(xs))[-3:]

    outputs, moves = jvp(several, start, v)
    w = [random.uniform(-1, 1) for _ in outputs]
    pulled = vjp(several, start, w)[1]
    forward = sum(a * b for a, b in zip(numbers(moves), w, strict=True))
    reverse = sum(a * b for a, b in zip(numbers(pulled), v, strict=True))
    matrix = np.array(numbers(jacobian(several, start)), dtype=float)
    size = 1e-11 * max(1.0, float(np.abs(matrix).sum()))
    assert abs(forward - reverse) <= size
    assert np.allclose(matrix @ v, numbers(moves), rtol=0, atol=size)


@quickly
@given(graphs(TWICE_SMOOTH, max_ops=5))
def test_third_derivatives_equal_differences_of_second(program: Program) -> None:
    tame(program, 10.0)
    f = function_of(program)

    def second(offset: float) -> Value:
        leaves = [Value(program.leaves[0] + offset), *map(Value, program.leaves[1:])]
        slope = grad(f(*leaves), leaves[0])
        return grad(slope, leaves[0])

    x = Value(program.leaves[0])
    third = grad(grad(grad(f(x, *map(Value, program.leaves[1:])), x), x), x).data
    step = 1e-4
    difference = (second(step).data - second(-step).data) / (2 * step)
    wide = (second(2 * step).data - second(-2 * step).data) / (4 * step)
    assume(abs(difference - wide) < 1e-5 * max(1.0, abs(difference)))  # the difference itself has converged
    assert third == pytest.approx(difference, rel=1e-4, abs=1e-4)


# --- Rosenbrock


def rosenbrock(*xs: Any) -> Any:
    """sum 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2; smallest, 0, at (1, ..., 1). H. H. Rosenbrock, 1960."""
    return functions.sum([100 * (b - a**2) ** 2 + (1 - a) ** 2 for a, b in itertools.pairwise(xs)])


def test_rosenbrocks_hessian_in_ten_variables() -> None:
    x = [(-1.0) ** i * (0.3 + 0.1 * i) for i in range(10)]
    want = np.zeros((10, 10))
    for i in range(9):
        want[i, i] += 1200 * x[i] ** 2 - 400 * x[i + 1] + 2
        want[i, i + 1] = want[i + 1, i] = -400 * x[i]
        want[i + 1, i + 1] += 200
    got = np.array(numbers(hessian(rosenbrock, x)), dtype=float)
    assert np.allclose(got, want, rtol=1e-13, atol=1e-10)


def test_newtons_method_from_the_classic_start() -> None:
    x = [-1.2, 1.0]
    for _ in range(8):
        gradient = np.array(numbers(value_and_grad(rosenbrock, x)[1]))
        x = list(np.array(x) - np.linalg.solve(np.array(numbers(hessian(rosenbrock, x)), dtype=float), gradient))
    assert x == pytest.approx([1.0, 1.0], abs=1e-12)


# --- structure, sharing, errors


def test_results_have_the_structure_of_the_inputs() -> None:
    def f(w: Any, b: Any) -> Value:
        return functions.dot(w[0], w[1]) + b["b"]

    inputs = {"w": [[1.0, 2.0], (3.0, 4.0)], "b": {"b": 5.0}}
    value, gradient = value_and_grad(f, inputs)
    assert value.data == 16.0
    assert [g.data for g in gradient["w"][0]] == [3.0, 4.0]
    assert isinstance(gradient["w"][1], tuple)
    assert gradient["b"]["b"].data == 1.0
    rows = hessian(f, inputs)
    assert rows["w"][0][1]["w"][1][1].data == 1.0
    assert rows["b"]["b"]["b"]["b"].data == 0.0
    array = value_and_grad(lambda a: functions.sum((a * a).ravel()), np.array([[1.0, 2.0]]))[1]
    assert array.shape == (1, 2)
    assert array[0, 1].data == 4.0
    table = jacobian(lambda x, y: {"sum": x + y, "pair": (x, 3.0)}, [1.0, 2.0])
    assert table["sum"][1].data == 1.0
    assert [entry.data for entry in table["pair"][1]] == [0.0, 0.0]


def test_disconnected_inputs_give_zero() -> None:
    x, y = Value(2.0), Value(3.0)
    assert grad(x * 2, [x, y, x * 5])[1].data == 0.0
    assert numbers(jvp(lambda a, b: [a, 1.0], [1.0, 2.0], [0.0, 1.0])[1]) == [0.0, 0.0]
    assert grad(x, x).data == 1.0
    assert grad(x * y, x, upstream=10.0).data == 30.0
    assert grad(x * y, x, upstream=y).data == 9.0


def test_inner_nodes_and_repeated_inputs() -> None:
    x = Value(2.0)
    h = x * x
    y = h * h * h
    slopes = grad(y, {"h": h, "x": [x, x]})
    assert slopes["h"].data == 3 * 4.0**2
    assert numbers(slopes["x"]) == [6 * 2.0**5] * 2
    assert jvp(lambda a: a * a, h, 1.0)[1].data == 8.0


def test_nothing_else_changes() -> None:
    x = Value(2.0)
    x.grad = 7.0
    y = x**3
    hessian(lambda a: a**3, x)
    grad(y, x)
    assert (x.grad, y.grad) == (7.0, 0.0)
    assert grad(y, x).op.name == "mul"


def test_the_graph_of_a_gradient_is_small() -> None:
    """No nodes for factors of one, and shared subexpressions once: linear in the graph."""
    w = [Value(0.1 * i) for i in range(100)]
    gradient = grad(functions.dot(w, w) + functions.prod(w[1:]), w)
    assert len(topological_order(*gradient)) < 600
    y = Value(1.0)
    x = y
    for _ in range(2000):
        y = y.sin() + y
    assert math.isfinite(grad(y, x).data)


def test_errors() -> None:
    x = Value(1.0)
    for call, complaint in (
        (lambda: grad(3.0, x), "grad differentiates a Value; got 3.0; pass the node"),  # type: ignore[arg-type]
        (lambda: grad(x, 3.0), "with respect to Values; got 3.0; pass the nodes themselves"),
        (lambda: grad(x, "x"), "inputs and gradients are made of numbers"),
        (lambda: hessian(lambda a: [a, a], 1.0), "needs a function of one number; <lambda> returns 2 of them"),
        (lambda: value_and_grad(lambda a: [a], [1.0]), "returns 1 of them in a structure; return one Value"),
    ):
        with pytest.raises(TypeError, match=complaint):
            call()
    for product in (lambda: hvp(rosenbrock, [1.0, 2.0], [1.0]), lambda: jvp(rosenbrock, [1.0, 2.0], 1.0)):
        with pytest.raises(ValueError, match=r"must have one number for each of 2 places; got 1 in another structure"):
            product()


def test_lazy_names() -> None:
    assert engine.check_gradients(lambda a: a**2, 3.0)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        engine.nothing  # type: ignore[attr-defined]  # noqa: B018
