"""What can be asked of a compiled function: its program, what it costs, one example as a graph."""

from __future__ import annotations

import math
from typing import Any

import models
import numpy as np
import pytest
from agreement import Truth, both, eagerly, same

import engine
import nn
from engine import Value, functions


def test_the_source_is_the_program_one_would_write() -> None:
    w, b = Value(1.0, label="w"), Value(2.0, label="b")
    compiled = engine.compile(lambda x: (w * x + b).exp() * functions.square(w))
    compiled([1.0])
    assert (
        str(compiled.program)
        == """\
def compute(parameters, rows):
    w, b, = parameters
    v6 = w * w
    share = 1.0 / len(rows)
    share_1 = share * v6
    d_w = d_b = d_v6 = total = 0.0
    for x0, in rows:
        v5 = _exp(w * x0 + b)
        total += v5 * v6
        d_v6 += share * v5
        d_v4 = share_1 * v5
        d_b += d_v4
        d_w += d_v4 * x0
    return share * total, [d_w + 2.0 * d_v6 * w, d_b]"""
    )


def test_names_that_python_or_the_program_need() -> None:
    labels = ["total", "d_x", "x", "lambda", "1", "", "w.0", "w_0", "v3", "_exp", "数", "rows", "inf"]
    ws = [Value(1.0 + k, label=label) for k, label in enumerate(labels)]
    compiled = engine.compile(lambda x: functions.prod([w * x for w in ws]).log())
    value, gradient = compiled.value_and_grad([2.0])
    assert same(value, sum(math.log(2 * w.data) for w in ws))
    assert all(same(g, 1 / w.data, rtol=1e-14) for g, w in zip(gradient, compiled.parameters, strict=True))


@pytest.mark.parametrize("label", ["len", "x", "y", "z", "n", "xs", "total", "rows", "share", "parameters"])
@pytest.mark.parametrize("name", ["min", "logsumexp", "dot"])
def test_results_may_have_the_names_that_rules_use(name: str, label: str) -> None:
    w, b = Value(1.3), Value(0.7)

    def function(x: Value) -> Value:
        row = [w * x, b, x * x]
        z = getattr(functions, name)(*[row] * (2 if name == "dot" else 1))
        z.label = label
        return z * z

    compiled = engine.compile(function, backend="python")
    assert Truth(eagerly(function, [0.3, 0.9]), [w, b]).differences(compiled, [0.3, 0.9]) == []


def test_the_costs_choose() -> None:
    """A chain is for Python, however long; a wide layer for arrays."""
    w = [[Value(0.01 * i + k) for i in range(40)] for k in range(40)]

    def wide(x: list[Value]) -> Value:
        return functions.sum([functions.dot(row, x).tanh() for row in w])

    def deep(x: list[Value]) -> Any:
        z: Any = 0.0
        for _ in range(300):
            z = (z + w[0][1] * x[0]).sin()
        return z

    batch = [[0.01 * i for i in range(40)]] * 3
    for function, kind in ((wide, np.ndarray), (deep, list)):
        compiled = engine.compile(function)
        assert isinstance(compiled(batch), kind)
        assert isinstance(compiled.value_and_grad(batch)[1], kind)
        assert isinstance(compiled.take(), kind)
        compiled.give_back()
        assert ("numpy" if kind is np.ndarray else "python") in compiled.explain()
    assert isinstance(engine.compile(deep)(np.array(batch)), np.ndarray)


def test_an_explanation_names_matrices_rows_and_gathers() -> None:
    ws = [Value(float(k), label=f"w{k}") for k in range(20)]

    def function(x: list[Value]) -> Any:
        layer = [functions.dot(ws[k : k + 4], x) for k in range(0, 16, 4)]
        return functions.logsumexp(layer) * functions.logsumexp(layer[:2]) + functions.prod(
            [layer[2], layer[0], layer[3]]
        )

    compiled = engine.compile(function, backend="numpy")
    compiled([[1.0, 2.0, 3.0, 4.0]])
    text = compiled.explain()
    assert "1 of them matrix products:\n  a1{4x1} *n = w{4x4} @ x0{1x4}" in text
    assert "logsumexp(2 rows of unequal length: take(a1){6})" in text
    assert "no even step" in text
    assert "asked for: numpy" in text


def test_an_explanation_says_when_a_batch_runs_in_parts() -> None:
    w = Value(2.0)
    compiled = engine.compile(lambda x: w * x.sin(), backend="numpy")
    compiled([1.0])
    assert "in parts" not in compiled.explain()
    compiled(np.ones(300_000))
    assert "The batch runs in parts of" in compiled.explain()


def test_a_transformer_in_text() -> None:
    """Heads are stacks of matrices, forward and back; shares know their slopes."""
    compiled = engine.compile(models.transformer(), backend="numpy")
    text = [[[float(k == letter) for k in range(27)] for letter in (3, 1, 4, 1, 5, 9)]]
    compiled(text, text)
    program: Any = compiled.program
    assert "4 matrices: " in str(program)
    assert "sums of rows of" in program.reverse


@both
def test_an_example_is_a_scalar_graph(backend: str) -> None:
    model = nn.MLP(2, [3, 1], "tanh", seed=0)
    compiled = engine.compile(lambda x: [model(x)[0].square(), 7.0], backend=backend)
    batch = [[1.0, 2.0], [3.0, 4.0]]
    values = compiled(batch)
    node = compiled.example(1)
    assert same(node.data, float(values[1][0]))
    assert node.parents[0].grad == node.partials[0]
    assert all(p.grad == 0.0 for p in model.parameters())
    assert compiled.example(-1, of=1).is_constant
    assert compiled.example(np.int64(-1), of=np.int8(1)).data == 7.0
    for k in (2, 1.0, None):
        with pytest.raises(IndexError, match=f"got {k!r}; it has 2"):
            compiled.example(k)  # type: ignore[arg-type]
    with pytest.raises(IndexError, match="of=2"):
        compiled.example(0, of=2)
    xs = [Value(1.0), Value(2.0)]
    graph = engine.compile(functions.dot(xs, xs) + functions.exp(xs[0] * 2) - Value(1.0), inputs=xs, backend=backend)
    with pytest.raises(IndexError, match="it has 0"):
        graph.example(0)
    results = graph([[3.0, 4.0], [0.0, 1.0]])
    assert same(graph.example(0).data, float(results[0]))


@both
def test_a_look_at_an_example_draws_no_numbers_of_the_next_call(backend: str) -> None:
    looked_at, other = [
        engine.compile(lambda x: x + engine.random_input("normal"), backend=backend, seed=1) for _ in range(2)
    ]
    assert list(looked_at([0.0, 0.0])) == list(other([0.0, 0.0]))
    node = looked_at.example(0)
    results = list(looked_at([0.0, 0.0]))
    assert results == list(other([0.0, 0.0]))
    assert node.data == results[0]
