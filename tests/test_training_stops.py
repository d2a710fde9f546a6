"""When training ends, and with which numbers: criteria, early stopping, interrupts, nan and errors."""

from __future__ import annotations

from typing import Any

import pytest
from training_runs import MODELS, Halves, numbers, trained

import nn
from engine import Value


def test_stop_when_it_is_good_enough() -> None:
    history = trained(MODELS["perceptron"](), epochs=500, callbacks=[nn.StopWhen("loss", below=0.3)])
    assert history["loss"][-1] < 0.3 <= history["loss"][-2]
    assert history.stopped == f"loss is below 0.3 after epoch {history.epochs}"
    history = trained(MODELS["perceptron"](), epochs=500, callbacks=[nn.StopWhen("accuracy", above=0.8)])
    assert history["accuracy"][-1] > 0.8
    with pytest.raises(ValueError, match="a criterion has one side; got below=None, above=None; give one"):
        nn.StopWhen("loss")


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
def test_early_stopping_goes_back_to_the_best(monitor: str) -> None:
    model, kept = MODELS["perceptron"](), []
    stopping = nn.EarlyStopping(monitor, patience=3)
    history = trained(
        model, epochs=300, optimizer=nn.Adam(0.2), callbacks=[stopping, lambda training: kept.append(numbers(model))]
    )
    sign = -1.0 if monitor == "val_accuracy" else 1.0
    scores = [sign * score for score in history[monitor]]
    best = scores.index(min(scores))
    assert history.epochs == best + 1 + 3
    assert history.stopped == f"{monitor} has not improved since epoch {best + 1}"
    assert numbers(model) == kept[best]


def test_early_stopping_begins_anew_with_each_run() -> None:
    """One object for two models: the second neither measures itself by the first nor takes its numbers."""
    stopping = nn.EarlyStopping("loss", patience=2)
    trained(MODELS["perceptron"](), epochs=6, callbacks=[stopping])
    alone = MODELS["dropout"]()
    trained(alone, epochs=6, optimizer=nn.SGD(1e-6), callbacks=[nn.EarlyStopping("loss", patience=2)])
    again = MODELS["dropout"]()
    trained(again, epochs=6, optimizer=nn.SGD(1e-6), callbacks=[stopping])
    assert numbers(again) == numbers(alone)


def test_early_stopping_takes_anything_for_better_than_nan() -> None:
    scores = iter([float("nan"), 3.0, 2.0, 1.0, 1.0])

    def score(predictions: Any, targets: Any) -> float:
        return next(scores)

    stopping = nn.EarlyStopping("score", patience=2, larger_is_better=False)
    options = {"epochs": 5, "batch_size": 32, "metrics": [score], "validation_data": None}
    assert trained(MODELS["perceptron"](), callbacks=[stopping], **options).stopped == ""


def test_a_plateau_lowers_the_rate() -> None:
    rate = nn.ReduceOnPlateau(0.1, factor=0.5, patience=0)
    seen: list[float] = []
    trained(
        MODELS["perceptron"](), epochs=12, optimizer=nn.SGD(rate), callbacks=[lambda t: seen.append(t.optimizer.rate)]
    )
    assert seen[0] == 0.1 > seen[-1]


@pytest.mark.parametrize("compile", [True, False])
def test_ctrl_c_keeps_the_best(compile: bool) -> None:
    model, kept = MODELS["both"](), []

    def interrupt(training: nn.Training) -> None:
        kept.append(numbers(model))
        if training.epoch == 6:
            raise KeyboardInterrupt

    history = trained(model, compile=compile, epochs=20, optimizer=nn.SGD(1.5), callbacks=[interrupt])
    best = history["val_loss"].index(min(history["val_loss"]))
    assert history.epochs == 6
    assert f"the numbers after epoch {best + 1}, the best so far, were kept" in history.stopped
    assert numbers(model) == kept[best]
    assert all(type(p) is Value for p in model.parameters())


@pytest.mark.parametrize("compile", [True, False])
def test_nan_ends_training(compile: bool) -> None:
    with pytest.warns(RuntimeWarning, match="the loss became nan in epoch .*, at step .*; lower the learning rate"):
        history = nn.fit(
            Halves(), [1e200, -1e200], [0.0, 1.0], optimizer=nn.SGD(1e10), epochs=50, batch_size=1, compile=compile
        )
    assert history.epochs < 5
    assert "nan" in history.stopped


@pytest.mark.parametrize("compile", [True, False])
def test_nan_leaves_the_best_numbers(compile: bool) -> None:
    model, kept = nn.MLP(1, [1], seed=0), []
    rates = nn.SGD(lambda step: 0.01 if step < 2 else 1e308)
    with pytest.warns(RuntimeWarning, match="the loss became nan"):
        history = nn.fit(
            model, [[5.0]], [[9.0]], optimizer=rates, epochs=9, validation_data=([[5.0]], [[9.0]]), compile=compile,
            callbacks=[lambda training: kept.append(numbers(model))],
        )  # fmt: skip
    assert history["val_loss"][0] > history["val_loss"][1] < history["val_loss"][2]
    assert numbers(model) == kept[1]
    assert "; the numbers after epoch 2, the best so far, were kept" in history.stopped


@pytest.mark.parametrize("compile", [True, False])
def test_nan_does_not_get_into_the_parameters(compile: bool) -> None:
    model = nn.MLP(1, [1], seed=0)
    before = numbers(model)
    with pytest.warns(RuntimeWarning, match="the loss became nan in epoch 1, at step 1"):
        nn.fit(model, [[float("nan")]], [[9.0]], compile=compile)
    assert numbers(model) == before


def test_an_error_gives_the_numbers_back() -> None:
    model = MODELS["perceptron"]()
    with pytest.raises(ZeroDivisionError):
        trained(model, callbacks=[lambda training: 1 / 0])
    assert all(type(p) is Value for p in model.parameters())
