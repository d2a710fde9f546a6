"""Losses: PyTorch's values and gradients, extremes, shapes, and the same when compiled."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pytest
from oracles import needs_torch

import engine
import nn
from engine import Value
from nn import losses

try:
    import torch

    F = torch.nn.functional
except ImportError:
    torch = F = None  # type: ignore[assignment]

CLASSES = 4


class Row(NamedTuple):
    loss: Callable[..., Value]
    predictions: str
    targets: str
    theirs: Callable[[Any, Any], Any]  # of tensors (examples, classes)


def clamped(shares: Any) -> Any:
    return shares.clamp(1e-7, 1 - 1e-7)


def log_shares(shares: Any) -> Any:
    return clamped(shares / shares.sum(-1, keepdim=True)).log()


def entropy(t: Any) -> Any:
    return -torch.special.xlogy(t, t).sum(-1).mean()


def signed(t: Any) -> Any:
    return torch.where(t == 0, -1.0, t)


ROWS = {
    "mse": Row(nn.mse, "scores", "numbers", lambda x, t: F.mse_loss(x, t)),
    "mae": Row(nn.mae, "scores", "numbers", lambda x, t: F.l1_loss(x, t)),
    "huber": Row(nn.huber, "scores", "numbers", lambda x, t: F.huber_loss(x, t)),
    "huber 0.3": Row(
        partial(nn.huber, delta=0.3), "scores", "numbers", lambda x, t: F.huber_loss(x, t, delta=0.3)
    ),
    "binary": Row(
        nn.binary_crossentropy, "scores", "binary", lambda x, t: F.binary_cross_entropy_with_logits(x, t)
    ),
    "binary of shares": Row(
        partial(nn.binary_crossentropy, from_logits=False), "shares", "binary",
        lambda x, t: F.binary_cross_entropy(clamped(x), t),
    ),
    "categorical": Row(
        nn.categorical_crossentropy, "scores", "distribution", lambda x, t: F.cross_entropy(x, t)
    ),
    "categorical of shares": Row(
        partial(nn.categorical_crossentropy, from_logits=False), "shares", "distribution",
        lambda x, t: -(t * log_shares(x)).sum(-1).mean(),
    ),
    "sparse": Row(
        nn.sparse_categorical_crossentropy, "scores", "class", lambda x, t: F.cross_entropy(x, t.long())
    ),
    "sparse of shares": Row(
        partial(nn.sparse_categorical_crossentropy, from_logits=False), "shares", "class",
        lambda x, t: F.nll_loss(log_shares(x), t.long()),
    ),
    "kl": Row(
        nn.kl_divergence, "scores", "distribution",
        lambda x, t: F.kl_div(F.log_softmax(x, -1), t, reduction="batchmean"),
    ),
    "kl of shares": Row(
        partial(nn.kl_divergence, from_logits=False), "shares", "distribution",
        lambda x, t: -(t * log_shares(x)).sum(-1).mean() - entropy(t),
    ),
    "hinge": Row(nn.hinge, "scores", "sign", lambda x, t: torch.relu(1 - signed(t) * x).mean()),
    "squared hinge": Row(
        nn.squared_hinge, "scores", "sign", lambda x, t: torch.relu(1 - signed(t) * x).square().mean()
    ),
}  # fmt: skip
ALL = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)

MAKE: dict[str, Callable[[Random], Any]] = {
    "scores": lambda r: [r.gauss(0.0, 2.0) for _ in range(CLASSES)],
    "numbers": lambda r: [r.gauss(0.0, 2.0) for _ in range(CLASSES)],
    "shares": lambda r: [r.random() for _ in range(CLASSES)],
    "binary": lambda r: [r.choice([0.0, 1.0, 0.3]) for _ in range(CLASSES)],
    "sign": lambda r: [r.choice([0.0, 1.0, -1.0]) for _ in range(CLASSES)],
    "distribution": lambda r: r.choice([[0.0, 1.0, 0.0, 0.0], [0.1, 0.2, 0.3, 0.4], [0.5, 0.0, 0.0, 0.5]]),
    "class": lambda r: r.randrange(CLASSES),
}


def drawn(row: Row, examples: int = 5) -> tuple[Any, Any]:
    generator = Random(3)
    return [MAKE[row.predictions](generator) for _ in range(examples)], [
        MAKE[row.targets](generator) for _ in range(examples)
    ]


def value_and_slopes(loss: Any, predictions: Any, targets: Any) -> tuple[float, list[list[float]]]:
    values = [[Value(number) for number in example] for example in predictions]
    result = loss(values, targets)
    result.backward()
    return result.data, [[value.grad for value in example] for example in values]


def torch_value_and_slopes(row: Row, predictions: Any, targets: Any) -> tuple[float, list[list[float]]]:
    tensor = torch.tensor(predictions, dtype=torch.float64, requires_grad=True)
    result = row.theirs(tensor, torch.tensor(targets, dtype=torch.float64))
    result.backward()
    return result.item(), tensor.grad.tolist()


@needs_torch
@ALL
def test_losses_are_pytorchs(row: Row) -> None:
    predictions, targets = drawn(row)
    value, slopes = value_and_slopes(row.loss, predictions, targets)
    their_value, their_slopes = torch_value_and_slopes(row, predictions, targets)
    assert value == pytest.approx(their_value, rel=1e-12)
    assert np.array(slopes) == pytest.approx(np.array(their_slopes), rel=1e-10, abs=1e-14)


@needs_torch
@ALL
def test_extremes_are_finite_and_pytorchs(row: Row) -> None:
    predictions: Any = {
        "scores": [[1000.0, -1000.0, 0.0, 5.0], [-1000.0] * 4, [1000.0] * 4, [0.0] * 4],
        "shares": [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.5, 1.0], [1e-9, 1 - 1e-9, 0.0, 1.0], [1.0] * 4],
    }[row.predictions]
    choices: Any = {
        "numbers": [[0.0, 1e6, -1e6, 5.0]],
        "binary": [[0.0] * 4, [1.0] * 4, [0.5] * 4],
        "sign": [[-1.0] * 4, [1.0] * 4],
        "distribution": [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.25] * 4],
        "class": [0, 1, 3],
    }[row.targets]
    for target in choices:
        value, slopes = value_and_slopes(row.loss, predictions, [target] * 4)
        their_value, their_slopes = torch_value_and_slopes(row, predictions, [target] * 4)
        assert math.isfinite(value)
        assert value == pytest.approx(their_value, rel=1e-10, abs=1e-12)
        assert np.array(slopes) == pytest.approx(np.array(their_slopes), rel=1e-8, abs=1e-12)


def test_far_out_logits_keep_their_digits() -> None:
    for prediction, target in ((40.0, 1.0), (-40.0, 0.0)):
        x = Value(prediction)
        loss = nn.binary_crossentropy(x, target)
        loss.backward()
        assert loss.data == pytest.approx(math.exp(-40.0), rel=1e-12, abs=0.0)
        assert abs(x.grad) == pytest.approx(math.exp(-40.0), rel=1e-12, abs=0.0)


@ALL
def test_lists_of_examples_give_the_mean(row: Row) -> None:
    predictions, targets = drawn(row)
    alone = [row.loss(list(map(Value, x)), t).data for x, t in zip(predictions, targets, strict=True)]
    whole = row.loss([list(map(Value, x)) for x in predictions], targets).data
    assert whole == pytest.approx(sum(alone) / len(alone), rel=1e-12)
    deeper = row.loss([[list(map(Value, x)) for x in predictions]] * 2, np.array([targets] * 2)).data
    assert deeper == pytest.approx(whole, rel=1e-12)
    assert row.loss(np.array(predictions), np.array(targets)).data == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "python"])
@ALL
def test_compiled_is_eager(row: Row, backend: str) -> None:
    predictions, targets = drawn(row, 6)
    weights = [Value(0.9 + 0.1 * k) for k in range(CLASSES)]

    def loss(x: Any, t: Any) -> Value:
        return row.loss([w * number for w, number in zip(weights, x, strict=True)], t)

    compiled = engine.compile(loss, backend=backend)
    value, slopes = compiled.value_and_grad(np.array(predictions), np.array(targets, dtype=float))
    eager = loss(predictions[0], targets[0])
    for x, t in zip(predictions[1:], targets[1:], strict=True):
        eager = eager + loss(x, t)
    (eager / 6).backward()
    by_weight = dict(zip(compiled.parameters, slopes, strict=True))
    assert value == pytest.approx(eager.data / 6, rel=1e-12)
    assert [by_weight[w] for w in weights] == pytest.approx([w.grad for w in weights], rel=1e-11, abs=1e-14)


@pytest.mark.parametrize("target", [2, 2.0, np.int64(2), np.float32(2), np.array(2), [2], np.array([2]), Value(2.0)])
def test_spellings_of_a_class(target: Any) -> None:
    scores = [Value(number) for number in (0.5, -1.0, 2.0, 0.0)]
    expected = nn.categorical_crossentropy(scores, [0.0, 0.0, 1.0, 0.0]).data
    assert nn.sparse_categorical_crossentropy(scores, target).data == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("target", [-1, 4, 1.5, math.nan, "1", None])
def test_what_is_no_class(target: Any) -> None:
    scores = [Value(0.0)] * 4
    with pytest.raises(ValueError, match="a target counts the classes from 0; got .* with 4 classes; give each class"):
        nn.sparse_categorical_crossentropy(scores, target)


def test_a_computed_target_that_is_no_class_gives_nan() -> None:
    for from_logits in (True, False):
        loss = nn.sparse_categorical_crossentropy([Value(0.5)] * 4, Value(4.0), from_logits)
        assert math.isnan(loss.data)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_wrong_shapes(name: str) -> None:
    loss, x = losses.find(name), Value(1.0)
    for predictions, targets in (
        ([[x, x], [x, x]], [1.0]),
        ([[x, x]], [[1.0], [1.0]]),
        ([x, x], [1.0, 0.0, 0.0]),
        ([x, x], []),
        ([x, x], [[1.0], [0.0]]),
    ):
        with pytest.raises(ValueError, match=r"predictions and targets must have the same shape; got .*; give each"):
            loss(predictions, targets)


@pytest.mark.parametrize(
    ("name", "target", "message"),
    [
        ("sparse_categorical_crossentropy", [0.0, 1.0, 0.0],
         r"a target is the number of a class here; got \[0.0, 1.0, 0.0\]; use categorical_crossentropy for a "),
        ("categorical_crossentropy", 1,
         "a target has a number for each class here; got 1; use sparse_categorical_crossentropy for the number of the"),
        ("kl_divergence", 1, "a target has a number for each class here; got 1; use sparse_"),
    ],
)  # fmt: skip
def test_the_other_form_of_targets_is_named(name: str, target: Any, message: str) -> None:
    for predictions, targets in (([Value(1.0)] * 3, target), ([[Value(1.0)] * 3], [target])):
        with pytest.raises(ValueError, match=message.replace("; use", ".*; use")):
            losses.find(name)(predictions, targets)


@pytest.mark.parametrize("name", ["categorical_crossentropy", "sparse_categorical_crossentropy", "kl_divergence"])
def test_classes_are_lists(name: str) -> None:
    x = Value(1.0)
    for predictions, targets in ((x, 1.0), ([], []), ([[x, x], x], [[1.0, 0.0], 1.0])):
        with pytest.raises(ValueError, match=r"must be a list with a number for each class; got .*; of a single"):
            losses.find(name)(predictions, targets if name[0] != "s" else [0] * 2)


def test_targets_may_have_gradients() -> None:
    x, t = [Value(0.3), Value(-0.2)], [Value(1.0), Value(0.0)]
    nn.kl_divergence(x, t).backward()
    assert all(math.isfinite(part.grad) for part in x + t)
    assert t[0].grad == pytest.approx(1 - (0.3 - math.log(math.exp(0.3) + math.exp(-0.2))))


def test_delta_is_positive() -> None:
    for delta in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match=r"delta must be a positive number; got .*; leave it out"):
            nn.huber(Value(1.0), 0.0, delta)


@pytest.mark.parametrize("backend", ["numpy", "python"])
def test_penalties(backend: str) -> None:
    numbers = [1.5, -2.0, 0.0]
    weights = [Value(number) for number in numbers]
    assert nn.l1(iter(weights), 0.5).data == 1.75
    assert nn.l2(iter(weights), 0.5).data == 3.125
    assert nn.l2([]).data == nn.l1([]).data == 0.0
    compiled = engine.compile(lambda x: nn.l1(weights, 0.5) + nn.l2(weights, 0.25) + x * weights[0], backend=backend)
    value, slopes = compiled.value_and_grad([0.0, 2.0])
    assert value == pytest.approx(1.75 + 1.5625 + 1.5)
    assert dict(zip(compiled.parameters, slopes, strict=True)) == {
        weights[0]: 0.5 + 0.75 + 1.0, weights[1]: -0.5 - 1.0, weights[2]: 0.0
    }  # fmt: skip


def test_losses_by_name_or_function() -> None:
    assert all(losses.find(name) is getattr(nn, name) for name in losses.LOSSES)
    assert {row.loss for row in ROWS.values() if not isinstance(row.loss, partial)} == set(losses.LOSSES.values())
    assert losses.find(math.hypot) is math.hypot
    with pytest.raises(ValueError, match=r"no loss has this name; got 'cross'; use one of \['binary_crossentropy', "):
        losses.find("cross")
    with pytest.raises(TypeError, match="a loss is a name or a function of prediction and target; got 3"):
        losses.find(3)  # type: ignore[arg-type]
