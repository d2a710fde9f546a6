"""Optimizers: PyTorch's steps, the same on Values, lists and arrays; convergence, clipping, state, tiny numbers."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pytest
from oracles import needs_torch

import nn
from engine import Value
from nn import optimizer as machinery

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]


class Row(NamedTuple):
    ours: Callable[[], nn.Optimizer]
    theirs: Callable[[Any], Any]
    parabola: float = 0.1  # learning rates that suit
    rosenbrock: float = 0.001


ROWS = {
    "sgd": Row(lambda: nn.SGD(0.01), lambda p: torch.optim.SGD(p, lr=0.01)),
    "sgd decay": Row(
        lambda: nn.SGD(0.01, weight_decay=0.1), lambda p: torch.optim.SGD(p, lr=0.01, weight_decay=0.1)
    ),
    "momentum": Row(lambda: nn.SGD(0.01, 0.9), lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9), 0.02, 2e-4),
    "momentum decay": Row(
        lambda: nn.SGD(0.01, 0.9, weight_decay=0.1),
        lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=0.1), 0.02, 2e-4,
    ),
    "nesterov": Row(
        lambda: nn.SGD(0.01, 0.9, nesterov=True, weight_decay=0.1),
        lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.1), 0.02, 2e-4,
    ),
    "adagrad": Row(lambda: nn.Adagrad(0.1), lambda p: torch.optim.Adagrad(p, lr=0.1), 1.0, 0.5),
    "adagrad decay": Row(
        lambda: nn.Adagrad(weight_decay=0.1), lambda p: torch.optim.Adagrad(p, weight_decay=0.1), 1.0, 0.5
    ),
    "rmsprop": Row(lambda: nn.RMSprop(), lambda p: torch.optim.RMSprop(p), 0.01),
    "rmsprop all": Row(
        lambda: nn.RMSprop(0.02, decay=0.9, epsilon=1e-6, momentum=0.8, weight_decay=0.1),
        lambda p: torch.optim.RMSprop(p, 0.02, alpha=0.9, eps=1e-6, momentum=0.8, weight_decay=0.1), 0.002, 3e-4,
    ),
    "adam": Row(lambda: nn.Adam(), lambda p: torch.optim.Adam(p), 0.1, 0.02),
    "adam all": Row(
        lambda: nn.Adam(0.02, beta1=0.8, beta2=0.95, epsilon=1e-5, weight_decay=0.1),
        lambda p: torch.optim.Adam(p, 0.02, betas=(0.8, 0.95), eps=1e-5, weight_decay=0.1), 0.1, 0.005,
    ),
    "adamw": Row(lambda: nn.AdamW(), lambda p: torch.optim.AdamW(p), 0.1, 0.02),
    "adamw decay": Row(
        lambda: nn.AdamW(0.02, weight_decay=0.3), lambda p: torch.optim.AdamW(p, 0.02, weight_decay=0.3), 0.1, 0.02
    ),
}  # fmt: skip
ALL = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
START = [1.5, -2.0, 0.25, 3.0, -0.001]


def slopes_of(numbers: list[float]) -> list[float]:
    """Of something that is neither quadratic nor separable."""
    total = math.fsum(numbers)
    return [4 * x**3 - 3 * x + 0.5 * total for x in numbers]


def on_list(optimizer: nn.Optimizer, steps: int = 10) -> list[float]:
    numbers = START[:]
    for _ in range(steps):
        optimizer.update(numbers, slopes_of(numbers))
    return numbers


def on_array(optimizer: nn.Optimizer, steps: int = 10, dtype: str = "float64") -> list[float]:
    numbers = np.array(START, dtype)
    for _ in range(steps):
        optimizer.update(numbers, np.array(slopes_of(numbers.tolist()), dtype))
    assert numbers.dtype == dtype
    for name in optimizer.state_names:
        assert optimizer.state_dict()[name].dtype == dtype
    return numbers.tolist()


def on_values(optimizer: nn.Optimizer, steps: int = 10) -> list[float]:
    values, generator = [Value(number) for number in START], Random(0)
    for _ in range(steps):
        for value, slope in zip(values, slopes_of([value.data for value in values]), strict=True):
            value.grad = slope
        optimizer.step(generator.sample(values, len(values)))
    return [value.data for value in values]


def on_torch(make: Callable[[Any], Any], clip: Callable[[Any], None] = lambda p: None) -> list[float]:
    tensor = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = make([tensor])
    for _ in range(10):
        tensor.grad = torch.tensor(slopes_of(tensor.tolist()), dtype=torch.float64)
        clip(tensor)
        optimizer.step()
    return tensor.tolist()  # type: ignore[no-any-return]


@needs_torch
@ALL
def test_ten_steps_are_pytorchs(row: Row) -> None:
    assert on_list(row.ours()) == pytest.approx(on_torch(row.theirs), rel=1e-10, abs=1e-12)


@ALL
def test_lists_arrays_and_values_move_alike(row: Row) -> None:
    expected = on_list(row.ours())
    assert expected != START
    assert on_array(row.ours()) == pytest.approx(expected, rel=1e-12)
    assert on_values(row.ours()) == pytest.approx(expected, rel=1e-12)
    assert on_array(row.ours(), dtype="float32") == pytest.approx(expected, rel=1e-4, abs=1e-5)


@needs_torch
@pytest.mark.parametrize("limits", [{"clip_value": 0.7}, {"clip_norm": 1.5}, {"clip_value": 3.0, "clip_norm": 1.5}])
def test_clipped_steps_are_pytorchs(limits: dict[str, float]) -> None:
    def clip(tensor: Any) -> None:
        if "clip_value" in limits:
            torch.nn.utils.clip_grad_value_(tensor, limits["clip_value"])
        if "clip_norm" in limits:
            torch.nn.utils.clip_grad_norm_(tensor, limits["clip_norm"])

    expected = on_torch(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5, weight_decay=0.1), clip)
    for move in (on_list, on_array, on_values):
        got = move(nn.SGD(0.1, 0.5, weight_decay=0.1, **limits))  # type: ignore[arg-type]
        assert got == pytest.approx(expected, rel=1e-10)


@ALL
def test_a_bowl_is_descended(row: Row) -> None:
    optimizer = row.ours()
    optimizer.learning_rate, optimizer.weight_decay = row.parabola, 0.0
    numbers = [3.0, -2.0]
    for _ in range(1000):
        optimizer.update(numbers, [2 * (numbers[0] - 1.0), 6 * (numbers[1] + 0.5)])
    assert numbers == pytest.approx([1.0, -0.5], abs=0.02)


@ALL
def test_rosenbrocks_valley_is_followed(row: Row) -> None:
    optimizer = row.ours()
    optimizer.learning_rate, optimizer.weight_decay = row.rosenbrock, 0.0
    x, y = Value(-1.2), Value(1.0)
    numbers = [x.data, y.data]
    for _ in range(20_000):
        a, b = numbers
        optimizer.update(numbers, [-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)])
    assert numbers == pytest.approx([1.0, 1.0], abs=0.05)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@ALL
def test_long_arrays_move_as_their_parts_do(row: Row, dtype: str) -> None:
    count = machinery.ARRAY_BLOCK // 4 * 2 + 7
    generator = np.random.default_rng(0)
    start, gradient = generator.normal(size=(2, count)).astype(dtype)
    kept, whole, some = gradient.copy(), start.copy(), np.r_[0 : count : count // 20, count - 1]
    picked, ours, few = start[some].copy(), row.ours(), row.ours()
    for _ in range(3):
        ours.update(whole, gradient)
        few.update(picked, gradient[some])
    assert np.array_equal(whole[some], picked)
    assert np.array_equal(gradient, kept)
    assert np.count_nonzero(whole == start) < 10


def test_long_lists_move_as_short_ones_do() -> None:
    count = 3 * machinery.LIST_BLOCK + 1
    numbers, one = [1.0] * count, [1.0]
    for optimizer, moved in ((nn.Adam(), numbers), (nn.Adam(), one)):
        for _ in range(3):
            optimizer.update(moved, [0.5] * len(moved))
    assert numbers == one * count
    nn.Adam().update([], [])
    nn.Adam().update(np.zeros(0), [])


class Halving(nn.Optimizer):
    """A user's own, as pure as can be."""

    state_names = ("steps",)  # type: ignore[assignment]

    def rule(self, rate: float, iteration: int) -> machinery.Rule:
        return lambda number, slope, steps: (number / 2, steps + iteration)


def test_an_optimizer_of_ones_own() -> None:
    array, value = np.array([8.0, 4.0]), Value(8.0)
    for optimizer, call in ((Halving(1.0), "update"), (Halving(1.0), "step")):
        for _ in range(3):
            optimizer.update(array, [0.0, 0.0]) if call == "update" else optimizer.step([value])
        assert list(optimizer.state_dict()["steps"]) == [6.0] * (2 if call == "update" else 1)
    assert array.tolist() == [1.0, 0.5]
    assert value.data == 1.0
    with pytest.raises(NotImplementedError, match=r"Optimizer has no rule\(\); define how a number moves"):
        nn.Optimizer(1.0).update([1.0], [1.0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@ALL
def test_no_denormal_number_stays_in_the_state(row: Row, dtype: str) -> None:
    optimizer, tiny = row.ours(), np.finfo(dtype).tiny
    numbers = np.ones(9, dtype)
    optimizer.update(numbers, np.array([10.0**-k * (-1) ** k for k in range(0, 36, 4)], dtype))
    seen, scale = 0, 1.0 if dtype == "float32" else 1e-270
    for slot in optimizer._state:
        slot *= scale
    for step in range(2, 801):
        optimizer.update(numbers, np.zeros(9, dtype))
        if step % machinery.FLUSH_EVERY == 0:
            for slot in optimizer._state:
                seen += np.count_nonzero((slot != 0) & (np.abs(slot) < tiny))
    assert seen == 0


@pytest.mark.parametrize("flushed", [True, False])
def test_averages_would_become_denormal(flushed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not flushed:
        monkeypatch.setattr(machinery, "FLUSH_EVERY", 10**9)
    optimizer, numbers = nn.SGD(0.1, 0.9), np.zeros(5, "float32")
    optimizer.update(numbers, [1.0, -1e-3, 1e-20, math.inf, math.nan])
    found = set()
    for step in range(1, 1500):
        optimizer.update(numbers, np.zeros(5, "float32"))
        slot = optimizer._state[0]
        if np.any((slot != 0) & (np.abs(slot) < np.finfo("float32").tiny)):
            found.add(step)
    assert bool(found) is not flushed
    assert not flushed or not optimizer._state[0][:3].any()
    assert np.isinf(optimizer._state[0][3])
    assert np.isnan(optimizer._state[0][4])


@ALL
def test_nan_is_not_hidden(row: Row) -> None:
    for limits in ({}, {"clip_value": 1.0}, {"clip_norm": 1.0}):
        for numbers in ([1.0, 2.0], np.array([1.0, 2.0])):
            optimizer = row.ours()
            optimizer.clip_value, optimizer.clip_norm = limits.get("clip_value"), limits.get("clip_norm")
            optimizer.update(numbers, [math.nan, 1.0])
            assert math.isnan(numbers[0])
            assert math.isnan(numbers[1]) is ("clip_norm" in limits)


@pytest.mark.parametrize("through", [json, pickle])
@ALL
def test_state_resumes_exactly(row: Row, through: Any) -> None:
    rate = nn.LinearWarmup(3, then=nn.ExponentialDecay(0.01, 0.9))
    for schedule in (None, rate):
        runs = []
        for stops in (False, True):
            optimizer, numbers = row.ours(), START[:]
            optimizer.learning_rate = schedule or 0.02
            for step in range(10):
                if stops and step == 5:
                    state = through.loads(through.dumps(optimizer.state_dict()))
                    optimizer = row.ours()
                    optimizer.learning_rate = schedule or optimizer.learning_rate
                    optimizer.load_state_dict(state)
                    assert optimizer.iterations == 5
                optimizer.update(numbers, slopes_of(numbers))
            runs.append(numbers)
        assert runs[0] == runs[1]


@ALL
def test_state_passes_between_lists_arrays_and_values(row: Row) -> None:
    first = row.ours()
    numbers = START[:]
    first.update(numbers, slopes_of(numbers))
    values, array = [Value(number) for number in numbers], np.array(numbers)
    for value, slope in zip(values, slopes_of(numbers), strict=True):
        value.grad = slope
    second, third = row.ours(), row.ours()
    for other in (second, third):
        other.load_state_dict(first.state_dict())
    second.step(values)
    third.update(array, slopes_of(numbers))
    first.update(numbers, slopes_of(numbers))
    assert [value.data for value in values] == pytest.approx(numbers, rel=1e-13)
    assert array.tolist() == pytest.approx(numbers, rel=1e-13)
    first.update(array, slopes_of(numbers))
    first.step(values)
    assert first.iterations == 4


def test_a_plateaus_state_is_kept() -> None:
    def optimizer() -> nn.SGD:
        return nn.SGD(nn.ReduceOnPlateau(1.0, factor=0.5, patience=0))

    first, second = optimizer(), optimizer()
    for loss in (1.0, 1.0):
        first.learning_rate.observe(loss)  # type: ignore[union-attr]
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert first.rate == second.rate == 0.5
    second.learning_rate.observe(0.9999999)  # type: ignore[union-attr]
    assert second.rate == 0.25


def test_states_of_other_optimizers_are_refused() -> None:
    adam = nn.Adam()
    adam.update([1.0], [1.0])
    half = {"iterations": 1, "learning_rate": 0.1, "slopes": [1.0]}
    for state in (adam.state_dict(), {}, {"iterations": 3}):
        with pytest.raises(ValueError, match=r"the state must be that of such an optimizer as SGD.*; got .*; it has"):
            nn.SGD(0.1, 0.9).load_state_dict(state)
    with pytest.raises(ValueError, match="the state must be"):
        nn.Adam().load_state_dict(half)
    nn.Adam().load_state_dict(dict(reversed(adam.state_dict().items())))
    nn.SGD(0.1, 0.9).load_state_dict(nn.Adam().state_dict())  # nothing has happened yet


def test_values_may_come_in_parts_and_twice() -> None:
    a, b = Value(1.0), Value(1.0)
    a.grad = b.grad = 1.0
    optimizer = nn.SGD(0.5, 0.5)
    optimizer.step([b])
    optimizer.step([a, b, a])
    optimizer.step(value for value in (a,))
    assert optimizer.state_dict()["velocity"] == [1.5, 1.5]
    assert (a.data, b.data) == (1.0 - 0.5 - 0.75, 1.0 - 0.5 - 0.75)
    nn.SGD(1.0, clip_norm=0.5).step([b, b])
    assert b.data == pytest.approx(-0.75)


def test_schedules_and_new_rates() -> None:
    optimizer, numbers = nn.SGD(lambda step: 1.0 / (step + 1)), [0.0]
    for expected in (-1.0, -1.5):
        assert optimizer.rate == 1.0 / (optimizer.iterations + 1)
        optimizer.update(numbers, [1.0])
        assert numbers == [expected]
    optimizer.learning_rate = 0.25
    optimizer.update(numbers, [1.0])
    assert numbers == [-1.75]
    for wrong in (-1.0, math.nan, math.inf):
        optimizer.learning_rate = lambda step, wrong=wrong: wrong  # type: ignore[misc]
        with pytest.raises(ValueError, match=r"a schedule gives learning rates from 0 on; got .* at step 3; check"):
            optimizer.update(numbers, [1.0])
    assert optimizer.iterations == 3


def test_wrong_settings() -> None:
    for make, complaint in (
        (lambda: nn.SGD(0.1, 1.0), r"momentum must be a number from 0 and below 1; got 1.0; leave it out"),
        (lambda: nn.SGD(0.1, -0.1), "momentum must be"),
        (lambda: nn.SGD(0.1, nesterov=True), r"looks ahead along the momentum; got momentum=0; try momentum=0.9"),
        (lambda: nn.SGD(0.1, weight_decay=-1.0), "weight decay must be a number from 0; got -1.0; leave"),
        (lambda: nn.Adam(0.0), "learning rate must be a positive number"),
        (lambda: nn.Adam(beta1=1.0), "beta1 must be"),
        (lambda: nn.Adam(beta2=math.nan), "beta2 must be"),
        (lambda: nn.AdamW(epsilon=0.0), "epsilon must be a positive number; got 0.0; try 1e-8"),
        (lambda: nn.RMSprop(decay="0.9"), "decay must be"),  # type: ignore[arg-type]
        (lambda: nn.Adagrad(clip_norm=0.0), "clipped to a positive limit"),
    ):
        with pytest.raises(ValueError, match=complaint):
            make()


def test_wrong_numbers() -> None:
    optimizer = nn.Adam()
    for wrong, got in (((1.0,), "tuple"), (np.array([1, 2]), "int64"), (3.0, "float")):
        with pytest.raises(TypeError, match=f"numbers move in place, .*; got {got}; convert"):
            optimizer.update(wrong, [1.0])
    with pytest.raises(ValueError, match="each number has its slope; got 2 numbers and 1 slopes; give"):
        optimizer.update([1.0, 2.0], [1.0])
    optimizer.update([1.0, 2.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="the same numbers at every update; got 1, its state is of 2; make another"):
        optimizer.update([1.0], [1.0])
    for parameters in ([1.0], [[Value(1.0)]], [Value(1.0), None], nn.Neuron(1)):
        with pytest.raises(TypeError, match=r"moves a list of Values; got .* in it; pass model.parameters\(\)"):
            optimizer.step(parameters)  # type: ignore[arg-type]


def test_optimizers_show_their_settings() -> None:
    assert (
        repr(nn.Adam(clip_norm=1.0))
        == "Adam(learning_rate=0.001, clip_norm=1.0, beta1=0.9, beta2=0.999, epsilon=1e-08)"
    )
    assert repr(nn.SGD(nn.Constant(0.5))) == "SGD(learning_rate=Constant(rate=0.5))"
