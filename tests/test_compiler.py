"""Compiled functions: the numbers of the eager engine, for every operation and random graphs; what is refused."""

from __future__ import annotations

import copy
import gc
import math
import pickle
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import engine
import nn
from engine import OPS, Op, TracingError, Value, constant, functions
from engine.subject import reverse
from engine.testing import FUNCTIONS, Program, graphs, regime_floats

NAN = math.nan
BACKENDS = ("python", "numpy")
both = pytest.mark.parametrize("backend", BACKENDS)


def same(mine: float, true: float, size: float = 0.0, rtol: float = 1e-12) -> bool:
    """Equal to `rtol` of the true number or of the terms it is the sum of; nan and inf equal themselves."""
    if math.isnan(mine) or math.isnan(true) or math.isinf(mine) or math.isinf(true):
        return mine == true or (math.isnan(mine) and math.isnan(true))
    return abs(mine - true) <= rtol * max(abs(true), size) + 1e-300


def arguments_of(op: Op, operands: tuple[Any, ...]) -> tuple[list[float], Callable[[Sequence[Any]], list[Any]]]:
    """The numbers among the operands, and what puts others in their place."""
    if not op.variadic:
        return list(operands), list
    lists = [list(operands)] if len(op.operands) == 1 and not isinstance(operands[0], list) else list(operands)
    size = len(lists[0])
    return [x for part in lists for x in part], lambda xs: [xs[k : k + size] for k in range(0, len(xs), size)]


POINTS = [(op, point) for op in OPS.values() for point in op.special]


@both
@pytest.mark.parametrize(("op", "point"), POINTS, ids=[f"{op.name}{point}" for op, point in POINTS])
def test_every_operation_at_its_special_points(op: Op, point: tuple[Any, ...], backend: str) -> None:
    """Operands are parameters in turn, then inputs: with the eager engine's value and partials."""
    numbers, packed = arguments_of(op, point)
    leaves = [Value(x) for x in numbers]
    eager = FUNCTIONS[op.name](*packed(leaves))
    eager.backward()
    compiled = engine.compile(lambda: FUNCTIONS[op.name](*packed(leaves)), backend=backend)
    value, gradient = compiled.value_and_grad()
    assert same(value, eager.data)
    assert all(same(mine, leaf.grad) for leaf, mine in zip(compiled.parameters, gradient, strict=True))
    shift = Value(0.0)
    of_inputs = engine.compile(lambda x: FUNCTIONS[op.name](*packed(x)) + shift, backend=backend)
    assert all(same(mine, (eager + 0.0).data) for mine in of_inputs([numbers] * 3))
    assert same(of_inputs.value_and_grad([numbers])[1][0], 1.0)


def check_program(program: Program, leaves: list[float], inputs: int, batch: int, outputs: int, backend: str) -> None:
    """The first `inputs` leaves are inputs, others parameters; the last results are outputs."""
    parameters = [Value(x) for x in leaves[inputs:]]

    def function(x: list[Value]) -> list[Value]:
        return [functions.add(y, 0.0) for y in program.run(FUNCTIONS, [*x, *parameters])[-outputs:]]

    rows = [[x + 0.125 * k for x in leaves[:inputs]] for k in range(batch)]
    eager = [function([Value(x) for x in row]) for row in rows]
    everything = [v.data for row in rows for v in program.run(FUNCTIONS, [*map(Value, row), *parameters])]
    # the sine of a large number tells of its last bits only
    assume(all(not math.isfinite(v) or abs(v) < 1e3 for v in everything))
    compiled = engine.compile(function, backend=backend)
    results = compiled(rows)
    for mine, true in zip(results, eager, strict=True):
        assert all(same(float(m), t.data) for m, t in zip(mine, true, strict=True))
    for k in range(outputs):
        mean = functions.mean([row[k] for row in eager])
        value, gradient = compiled.value_and_grad(rows, of=k)
        slopes, sizes = reverse(mean, list(compiled.parameters))
        assert same(value, mean.data, sum(abs(row[k].data) for row in eager))
        assert all(same(g, t, s) for g, t, s in zip(gradient, slopes, sizes, strict=True)), (gradient, slopes)


# not -0.0: a sum of nothing but negative zeros may be either zero
NUMBERS = st.floats(-3.0, 3.0).map(lambda x: round(x, 3) + 0.0)


@settings(max_examples=250, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs(max_ops=25, leaves=NUMBERS), st.integers(0, 4), st.integers(1, 3), st.integers(1, 3))
def test_random_graphs(program: Program, inputs: int, batch: int, outputs: int) -> None:
    count = min(inputs, len(program.leaves))
    for backend in BACKENDS:
        check_program(program, program.leaves, count, batch, min(outputs, len(program.steps)), backend)


EVERY = [name for name, op in OPS.items() if name != "polygamma"]


@settings(max_examples=150, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs(EVERY, max_ops=12, leaves=regime_floats()), st.integers(0, 4))
def test_random_graphs_of_every_operation(program: Program, inputs: int) -> None:
    for backend in BACKENDS:
        check_program(program, program.leaves, min(inputs, len(program.leaves)), 2, 1, backend)


@both
def test_training_follows_the_eager_engine(backend: str) -> None:
    chance = random.Random(1)
    examples = [([chance.gauss(0, 1), chance.gauss(0, 1)], chance.random()) for _ in range(7)]
    xs, ys = [x for x, _ in examples], [y for _, y in examples]
    one, two = (nn.MLP(2, [4, 3, 1], "tanh", "sigmoid", seed=3) for _ in range(2))
    compiled = engine.compile(lambda x, y: functions.square(one(x)[0] - y), backend=backend)
    for _ in range(20):
        for model in (one, two):
            model.zero_grad()
        loss = nn.mse([two(x)[0] for x in xs], ys)
        loss.backward()
        assert same(compiled.backward(xs, ys), loss.data)
        for mine, true in zip(one.parameters(), two.parameters(), strict=True):
            assert same(mine.grad, true.grad, 1e-2)
            mine.data = true.data = true.data - 0.3 * true.grad
    assert set(compiled.parameters) == set(one.parameters())


# --- parameters and who owns their numbers


def test_taken_parameters_are_never_stale() -> None:
    class Named(Value):
        pass

    a, b = Value(2.0, label="a"), Named(3.0)
    compiled = engine.compile(lambda x: a * x + b)
    assert compiled([1.0]) == [5.0]
    flat = compiled.take()
    flat[0] = 10.0
    b.data = 7.0
    assert (list(flat), compiled([1.0]), (a * b).data, a.label) == ([10.0, 7.0], [17.0], 70.0, "a")
    (a * b).backward()
    assert (a.grad, b.grad) == (7.0, 10.0)
    for copied in (copy.copy(a), copy.deepcopy(a), pickle.loads(pickle.dumps(a)), copy.deepcopy(a * b).parents[0]):
        assert (type(copied), copied.data) == (Value, 10.0)
        copied.data = 1.0
    assert type(copy.copy(b)) is Named
    compiled.give_back()
    compiled.give_back()
    assert (type(a), type(b), a.data, b.data) == (Value, Named, 10.0, 7.0)
    flat[0] = 0.0
    assert a.data == 10.0


def test_numbers_have_one_owner() -> None:
    a, b = Value(2.0), Value(3.0)
    first, second = engine.compile(lambda x: a * x), engine.compile(lambda x: b + a * x)
    first([1.0]), second([1.0])
    first.take()
    with pytest.raises(RuntimeError, match="let it give_back"):
        second.take()
    assert second([1.0]) == [5.0]
    first.give_back()
    assert second.take() == [p.data for p in second.parameters]
    second.give_back()


def test_new_parameters_while_taken() -> None:
    ws = [Value(1.0), Value(2.0), Value(3.0)]
    compiled = engine.compile(lambda x: functions.sum([w * v for w, v in zip(ws, x, strict=False)]))
    assert compiled([[1.0, 1.0]]) == [3.0]
    compiled.take()
    with pytest.raises(RuntimeError, match="got 1 new ones"):
        compiled([[1.0, 1.0, 1.0]])
    assert compiled([[1.0, 1.0, 1.0]]) == [6.0]
    assert compiled.value_and_grad([[5.0, 1.0]]) == (7.0, [5.0, 1.0, 0.0])


# --- what a function may take and return


@both
def test_structures(backend: str) -> None:
    w = Value(2.0)

    def function(point: dict[str, Any], pair: tuple[Any, Any]) -> dict[str, Any]:
        m, (a, b) = point["m"], pair
        return {"sum": m[0][0] + m[1][1] * w, "rows": m, "pair": (a, [b * 2, [a, b]]), "number": 3}

    compiled = engine.compile(function, backend=backend)
    out = compiled({"m": [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]}, ([10, 20], np.array([100.0, 200.0])))
    assert out["sum"].tolist() == [9.0, 21.0]
    assert out["rows"].tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    a, (b, c) = out["pair"]
    assert (a.tolist(), b.tolist(), c.tolist()) == ([10.0, 20.0], [200.0, 400.0], [[10.0, 100.0], [20.0, 200.0]])
    assert out["number"].tolist() == [3.0, 3.0]
    for of, true in enumerate([15.0, 3.0]):
        assert compiled.value_and_grad({"m": [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]}, ([1, 2], [1, 2]), of=of)[0] == true
    with pytest.raises(IndexError, match="got of=99"):
        compiled.value_and_grad({"m": [[[1, 2], [3, 4]]]}, ([1], [1]), of=99)


def test_a_graph_that_exists() -> None:
    w, xs = Value(2.0, label="w"), [Value(1.0), Value(3.0)]
    loss = functions.sum([(w * x - 1).square() for x in xs])
    whole = engine.compile(loss)
    assert set(whole.parameters) == {w, *xs}
    compiled = engine.compile(loss, inputs=xs)
    assert compiled.parameters == (w,)
    assert compiled.value_and_grad([[1.0, 3.0], [0.0, 0.0]]) == ((26.0 + 2.0) / 2, [(2 + 30) / 2])
    for backend in BACKENDS:
        parts = engine.compile(loss, inputs=xs, backend=backend)([1.0, 0.0], np.array([[3.0], [0.0]]))
        assert list(parts) == [26.0, 2.0]
    with pytest.raises(ValueError, match="got 1 for each example"):
        compiled([[1.0]])
    with pytest.raises(TypeError, match="only a graph"):
        engine.compile(lambda x: x, inputs=[w])


def test_leaves_made_inside_are_numbers_not_parameters() -> None:
    w = Value(3.0)

    def function(x: list[Value]) -> Value:
        total = Value(0.0)
        for each in x:
            total += w * each
        return total

    compiled = engine.compile(function)
    assert compiled.value_and_grad([[1.0, 2.0]]) == (9.0, [3.0])
    assert compiled.parameters == (w,)


def test_derivatives_compile() -> None:
    w = Value(0.7)
    compiled = engine.compile(lambda x: engine.grad((w * x).sin() * x, x))
    value, [slope] = compiled.value_and_grad([1.5])
    x = 1.5
    assert same(value, math.sin(w.data * x) + x * w.data * math.cos(w.data * x))
    assert same(slope, 2 * x * math.cos(w.data * x) - x * x * w.data * math.sin(w.data * x))


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "comparison": (lambda x: x if x > 0 else -x, "> takes a number .* use where"),
    "reflected comparison": (lambda x: x if x > 0 else -x, "takes a number"),
    "comparison of two": (lambda x: constant(1.0) <= x, "<= takes"),
    "at least": (lambda x: x >= 1, ">= takes"),
    "truth": (lambda x: x or 1.0, "a branch or bool"),
    "float": (lambda x: x * float(x), "float.. takes"),
    "data": (lambda x: x * x.data, ".data takes a number .* use the Value itself"),
    "int": (lambda x: int(x) * x, "use engine.functions.floor"),
    "round": (lambda x: round(x) * x, "round"),
    "floor": (lambda x: math.floor(x) * x, "floor"),
    "ceil": (lambda x: math.ceil(x) * x, "ceil"),
    "trunc": (lambda x: math.trunc(x) * x, "trunc"),
    "max": (lambda x: max(x, x * 2), "takes a number"),
    "detach": (lambda x: x.detach() * x, "an input of its own"),
    "no_grad": (engine.no_grad(lambda x: x * 2), "no_grad.. takes"),
    "parameter": (lambda x, w=Value(2.0): x * float(w), "float"),  # noqa: B008  # a parameter of its own
    "python random": (lambda x: x * random.random(), "got one in .*test_compiler.py.*random_input"),
    "python gauss": (lambda x: x * random.gauss(0, 1) * engine.random_input(), "got one in .*test_compiler.py"),
    "numpy random": (lambda x: x * np.random.rand(), "random number"),
    "own random": (lambda x, g=random.Random(0): x + g.random(), "something else for another example"),  # noqa: B008
    "structure": (lambda x, seen=[]: [x] * (seen.append(0) or len(seen)), "as many Values"),
}  # fmt: skip


@pytest.mark.parametrize(("function", "message"), REFUSED.values(), ids=REFUSED)
@both
def test_what_would_freeze_one_example_is_refused(function: Callable[[Any], Any], message: str, backend: str) -> None:
    assert gc.isenabled()
    with pytest.raises(TracingError, match=message):
        engine.compile(function, backend=backend)([1.5, -2.5, 3.0])
    assert gc.isenabled()
    assert Value(2.0) > 1


def test_a_refusal_names_the_line() -> None:
    with pytest.raises(TracingError, match=r"test_compiler\.py:\d+"):
        engine.compile(lambda x: x if x > 0 else -x)([1.0])


BATCHES: dict[str, tuple[Sequence[Any], type[Exception], str]] = {
    "no examples": (([], []), ValueError, "no examples"),
    "lengths": (([1.0], [1.0, 2.0]), ValueError, r"got \[1, 2\]"),
    "one number": ((1.0, [1.0]), TypeError, "one number"),
    "ragged": (([[1.0], [1.0, 2.0]], [1.0, 2.0]), ValueError, "got 2 of them"),
    "too deep": (([1.0, [2.0]], [1.0, 2.0]), TypeError, "got 1 of them"),
    "text": (([1.0, "a"], [1.0, 2.0]), TypeError, "got str 'a'"),
}


@pytest.mark.parametrize(("batch", "kind", "message"), BATCHES.values(), ids=BATCHES)
@both
def test_wrong_batches(batch: Sequence[Any], kind: type[Exception], message: str, backend: str) -> None:
    compiled = engine.compile(lambda x, y: functions.square(y), backend=backend)
    with pytest.raises(kind, match=message):
        compiled(*batch)


def test_before_the_first_call_nothing_is_known() -> None:
    compiled = engine.compile(lambda x: x)
    with pytest.raises(RuntimeError, match="call it once"):
        compiled.parameters  # noqa: B018  # it is a property


@both
def test_random_inputs_are_fresh_and_seeded(backend: str) -> None:
    def noisy(x: Value) -> Any:
        return [x + engine.random_input(), engine.random_input("normal")]

    one, two, other = (engine.compile(noisy, seed=seed, backend=backend) for seed in (1, 1, 2))
    xs = [1.0] * 500
    first, again = np.array(one(xs)), np.array(one(xs))
    assert (first != again).all()
    assert (first == np.array(two(xs))).all()
    assert (again == np.array(two(xs))).all()
    assert (first != np.array(other(xs))).all()
    uniform, normal = zip(*first, strict=True)
    assert len(set(uniform)) == len(set(normal)) == 500
    assert 1 <= min(uniform) < max(uniform) < 2
    assert abs(sum(normal) / 500) < 0.3 < 0.8 < sum(x * x for x in normal) / 500 < 1.2
    assert 0 <= engine.random_input().data < 1
    assert engine.random_input().is_constant
    with pytest.raises(ValueError, match="got 'cauchy'"):
        engine.random_input("cauchy")


@pytest.mark.parametrize("size", [1, 5, 700])
def test_random_inputs_are_the_same_however_they_are_drawn(size: int) -> None:
    """Eagerly, in Python and in arrays, call after call; and the generators are left alike."""

    def noisy(x: Value) -> Any:
        return [x * engine.random_input("normal"), x + engine.random_input(), engine.random_input("normal")]

    generators = [random.Random(3) for _ in range(3)]
    python, arrays = (
        engine.compile(noisy, seed=generator, backend=backend)
        for generator, backend in zip(generators, BACKENDS, strict=False)
    )
    for _ in range(3):
        with engine.drawing_from(generators[2]):
            rows = [noisy(Value(2.0)) for _ in range(size)]
        eager = [[float(v) for v in row] for row in rows]
        np.testing.assert_allclose(python(np.full(size, 2.0)), eager, rtol=1e-14)
        np.testing.assert_allclose(arrays(np.full(size, 2.0)), eager, rtol=1e-13)
    assert len({generator.random() for generator in generators}) == 1


def test_generators_have_a_state() -> None:
    for wrong in (3, random.SystemRandom()):
        with (
            pytest.raises(TypeError, match="come from a random.Random; got .*; use random.Random"),
            engine.drawing_from(wrong),
        ):  # type: ignore[arg-type]
            pass
    with pytest.raises(TypeError, match=r"come from a random.Random"):
        engine.compile(lambda x: x, seed=random.SystemRandom())


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
    d_v6 = d_b = d_w = total = 0.0
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


# --- backends, types, and what can be asked


def test_what_does_not_exist() -> None:
    for options, message in (
        ({"backend": "cuda"}, "got 'cuda'; use 'auto'"),
        ({"dtype": "float16"}, "got 'float16'; use 'float64'"),
        ({"backend": "python", "dtype": "float32"}, "use backend='numpy'"),
    ):
        with pytest.raises(ValueError, match=message):
            engine.compile(lambda x: x, **options)


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


def test_float32() -> None:
    model = nn.MLP(3, [8, 1], "tanh", seed=0)
    xs, ys = np.random.default_rng(0).normal(size=(9, 3)), np.ones(9)
    loss = lambda x, y: functions.square(model(x)[0] - y)  # noqa: E731
    one, two = engine.compile(loss, dtype="float32"), engine.compile(loss, backend="numpy")
    (value, gradient), (true, slopes) = one.value_and_grad(xs, ys), two.value_and_grad(xs, ys)
    assert one(xs, ys).dtype == gradient.dtype == np.float32
    assert value == pytest.approx(true, rel=1e-5)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-4, atol=1e-6)
    assert one.take().dtype == np.float32
    one.give_back()
    assert all(type(p) is Value for p in one.parameters)


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
    with pytest.raises(IndexError, match="got 2; it has 2"):
        compiled.example(2)
    with pytest.raises(IndexError, match="of=2"):
        compiled.example(0, of=2)
    xs = [Value(1.0), Value(2.0)]
    graph = engine.compile(functions.dot(xs, xs) + functions.exp(xs[0] * 2) - Value(1.0), inputs=xs, backend=backend)
    with pytest.raises(IndexError, match="it has 0"):
        graph.example(0)
    results = graph([[3.0, 4.0], [0.0, 1.0]])
    assert same(graph.example(0).data, float(results[0]))


@both
def test_bound_batches_keep_what_they_read(backend: str) -> None:
    w = Value(2.0)
    xs = np.array([1.0, 2.0])
    bound = engine.compile(lambda x: w * x, backend=backend).bind(xs)
    xs[:] = 0.0
    assert list(bound()) == [2.0, 4.0]
    w.data = 3.0
    assert bound.value_and_grad() == (4.5, [1.5])


def test_large_inputs_are_read_where_they_lie() -> None:
    """Whatever array comes next, changed in place or not; and the gradient, which lies in the program, as an input."""
    weights = [Value(0.1 * k - 2.0) for k in range(40)]
    compiled = engine.compile(lambda x: functions.square(functions.dot(weights, x)), backend="numpy")
    second = engine.compile(lambda x: (functions.dot(weights, x), x[1]), backend="numpy")
    chance = np.random.default_rng(0)
    table = chance.normal(size=(60, 80))
    fixed = chance.normal(size=(60, 40))
    fixed.flags.writeable = False
    w = np.array([weight.data for weight in weights])
    for x in (fixed, table[:, :40], table[:, ::2], np.asfortranarray(fixed), fixed.astype("f4"), fixed.tolist()):
        np.testing.assert_allclose(compiled(x), (np.array(x, float) @ w) ** 2, 1e-12)
        np.testing.assert_array_equal(second(x)[1], np.array(x, float)[:, 1])
        assert second.value_and_grad(x, of=1)[0] == pytest.approx(np.mean(np.array(x, float)[:, 1]), 1e-13)
        np.testing.assert_allclose(compiled.value_and_grad(x)[1], 2 * np.mean((x @ w)[:, None] * x, 0), 1e-12, 1e-12)
    table = np.ascontiguousarray(table[:, :40])
    bound = compiled.bind(table)
    before = bound.value_and_grad()[1]
    table[:] = fixed
    assert bound.value_and_grad()[1].tolist() == before.tolist()
    assert compiled(table).tolist() == compiled(fixed).tolist()
    assert bound.value_and_grad()[1].tolist() == before.tolist()

    squares = [Value(1.0 + k) for k in range(2048)]
    halved = engine.compile(lambda x: functions.dot(squares, [w * v for w, v in zip(squares, x, strict=True)]) / 2)
    x = np.ones((1, 2048))
    for _ in range(3):
        x = halved.value_and_grad(x, copy=False)[1][None]
    np.testing.assert_allclose(x[0], [s.data**3 for s in squares], 1e-12)


def test_a_gradient_is_kept_unless_told_otherwise() -> None:
    w = Value(3.0)
    bound = engine.compile(lambda x: w * x, backend="numpy").bind([1.0, 2.0])
    (_, kept), (_, lent) = bound.value_and_grad(), bound.value_and_grad(copy=False)
    lent[:] = 0.0
    assert (kept.tolist(), bound.value_and_grad()[1].tolist()) == ([1.5], [1.5])
    assert bound.value_and_grad(copy=False)[1] is lent


def test_many_sizes_of_batches() -> None:
    w = Value(2.0)
    compiled = engine.compile(lambda x: w * x, backend="numpy")
    for size in [*range(1, 14), 2, 3]:
        assert compiled(np.ones(size)).tolist() == [2.0] * size


@both
def test_shared_rows_and_gathers(backend: str) -> None:
    """Embeddings: the same parameters at several places of one instruction, in no even order."""
    table = [[Value(0.1 * i + j) for j in range(3)] for i in range(5)]
    order = [4, 0, 4, 2, 2, 2, 1]

    def function(x: Value) -> Any:
        picked = [table[i] for i in order]
        scaled = [[(v * x).sin() for v in row] for row in picked]
        return functions.sum([functions.prod(row) for row in scaled]) + functions.max(
            [v for row in scaled for v in row]
        )

    batch = [0.3, 0.7, -0.4]
    eager = functions.mean([function(Value(x)) for x in batch])
    compiled = engine.compile(function, backend=backend)
    value, gradient = compiled.value_and_grad(batch)
    slopes, sizes = reverse(eager, list(compiled.parameters))
    assert same(value, eager.data, 1.0)
    assert all(same(g, t, s + 1.0) for g, t, s in zip(gradient, slopes, sizes, strict=True))


def test_an_array_is_shared_with_the_optimizer() -> None:
    a, b = Value(2.0), Value(3.0)
    compiled = engine.compile(
        lambda x: functions.sum([w * v for w, v in zip((a, b), x, strict=False)]), backend="numpy"
    )
    narrow, wide = np.ones((2, 1)), np.ones((2, 2))
    assert compiled(wide).tolist() == [5.0, 5.0]
    assert compiled(narrow).tolist() == [2.0, 2.0]
    flat = compiled.take()
    bound = compiled.bind(wide)
    for step in range(3):
        flat += 1.0
        assert bound().tolist() == [7.0 + 2 * step] * 2
        assert bound.value_and_grad()[0] == a.data + b.data == 7.0 + 2 * step
        assert compiled.value_and_grad(narrow)[1].tolist() == [1.0, 0.0]
    compiled.give_back()
    assert (a.data, b.data) == (5.0, 6.0)
    assert compiled(wide).tolist() == [11.0, 11.0]
    flat = compiled.take()
    assert flat.tolist() == [5.0, 6.0]
    flat[0] = 1.0
    assert compiled(wide).tolist() == [7.0, 7.0]
    compiled.give_back()


def test_a_later_batch_may_be_wrong_too() -> None:
    compiled = engine.compile(lambda x: x[0] + x[1], backend="numpy")
    assert compiled([[1, 2], [3, 4]]).tolist() == [3.0, 7.0]
    assert compiled([[Value(1.0), 2], [3, True]]).tolist() == [3.0, 4.0]
    with pytest.raises(ValueError, match="got 1 of them"):
        compiled([[1.0, 2.0], [3.0]])
    with pytest.raises(TypeError, match="got str 'a'"):
        compiled([[1.0, 2.0], [3.0, "a"]])


def test_corners_are_computed_again_by_ieee() -> None:
    w = Value(-math.inf)
    compiled = engine.compile(lambda x: (w * x).sigmoid() + (x * 1000.0).exp(), backend="python")
    for _ in range(2):
        assert compiled.value_and_grad([1.0]) == (math.inf, [0.0])
        assert compiled([1.0]) == [math.inf]


@pytest.mark.parametrize("backend", ["numpy", "python"])
def test_a_sum_times_a_number_however_it_is_spelled(backend: str) -> None:
    weights = [Value(0.1 * k + 0.3) for k in range(5)]
    spellings = [
        lambda x: functions.dot([(w * x).tanh() for w in weights], [3.0] * 5),
        lambda x: functions.sum([3.0 * (w * x).tanh() for w in weights]),
        lambda x: 3.0 * functions.sum([(w * x).tanh() for w in weights]),
        lambda x: functions.dot(weights, [3.0] * 5) * x,
        lambda x: functions.dot([w.exp() for w in weights], [3.0] * 5) * x,
    ]
    for spelling in spellings:
        value, gradient = engine.compile(spelling, backend=backend).value_and_grad([1.0, 2.0])
        for w in weights:
            w.grad = 0.0
        mean = (spelling(Value(1.0)) + spelling(Value(2.0))) / 2
        mean.backward()
        assert value == pytest.approx(mean.data, rel=1e-12)
        assert list(gradient) == pytest.approx([w.grad for w in weights], rel=1e-12)
