"""`nn.fit` and its like: compiled training equals eager training, and what is reported meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from training_runs import MODELS, OPTIMIZERS, Halves, blobs, numbers, trained

import nn
from engine import Value


@pytest.mark.parametrize("backend", ["numpy", "python"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", MODELS)
def test_compiled_training_is_eager_training(name: str, optimizer: str, backend: str) -> None:
    """Step for step, with a short last batch, the same random numbers, and penalties."""
    one, other = MODELS[name](), MODELS[name]()
    options = {"penalty": partial(nn.l2, strength=1e-3)}
    eager = trained(one, compile=False, optimizer=OPTIMIZERS[optimizer](), **options)
    compiled = trained(other, backend=backend, optimizer=OPTIMIZERS[optimizer](), **options)
    np.testing.assert_allclose(numbers(other), numbers(one), rtol=1e-10, atol=1e-12)
    assert eager.history.keys() == compiled.history.keys() == {"loss", "accuracy", "val_loss", "val_accuracy"}
    for key in eager:
        np.testing.assert_allclose(compiled[key], eager[key], rtol=1e-10)
    assert all(type(p) is Value for p in other.parameters())
    assert eager["loss"][-1] < eager["loss"][0]


def test_what_is_random_follows_from_the_seed() -> None:
    runs = [trained(MODELS["dropout"](), seed=seed)["loss"] for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
    again = [trained(MODELS["dropout"](), seed=None)["loss"] for _ in range(2)]
    assert again[0] != again[1]


def test_a_hand_written_loop_is_fit() -> None:
    """Forward, loss, backward, step, zero_grad: eagerly and compiled."""
    import engine

    x, y = blobs()
    models = [MODELS["perceptron"]() for _ in range(3)]
    loss = nn.losses.find("sparse_categorical_crossentropy")
    trained(models[0], epochs=2)
    compiled = engine.compile(lambda x, y: loss(models[2](x), y))
    for model in models[1:]:
        optimizer = OPTIMIZERS["adam"]()
        for epoch in range(2):
            for xs, ys in nn.batches(x, y, 5, Random(f"3: order of epoch {epoch}")):
                model.zero_grad()
                if model is models[1]:
                    nn.losses.find("sparse_categorical_crossentropy")([model(row) for row in xs], ys).backward()
                else:
                    compiled.backward(xs, ys)
                optimizer.step(model.parameters())
    for model in models[1:]:
        np.testing.assert_allclose(numbers(model), numbers(models[0]), rtol=1e-10)


def test_an_optimizer_goes_on_where_it_was() -> None:
    """Twice two epochs with one optimizer are four, whatever computes them."""
    whole, optimizer = MODELS["perceptron"](), OPTIMIZERS["adam"]()
    trained(whole, shuffle=False)
    parted = MODELS["perceptron"]()
    trained(parted, optimizer=optimizer, shuffle=False, epochs=2)
    trained(parted, optimizer=optimizer, shuffle=False, epochs=2, compile=False)
    np.testing.assert_allclose(numbers(parted), numbers(whole), rtol=1e-10)
    assert optimizer.iterations == 20


def compiled_and_eager(make: Callable[[], nn.Module], x: Any, y: Any, **options: Any) -> list[list[float]]:
    """The numbers of a model after either kind of training."""
    models = [make(), make()]
    for model, compile in zip(models, (True, False), strict=True):
        nn.fit(model, x, y, batch_size=2, epochs=2, optimizer=nn.SGD(0.1), seed=0, compile=compile, **options)
    return list(map(numbers, models))


def test_eager_training_moves_what_the_first_batch_does_not_use() -> None:
    """The rows of an embedding that only later batches look up."""
    things, y = list(range(6)), [float(k) for k in range(6)]
    compiled, eager = compiled_and_eager(
        lambda: nn.Sequential([nn.Embedding(6, 2, seed=0), nn.Dense(2, 1, seed=1)]), things, y
    )
    assert eager == pytest.approx(compiled, rel=1e-10)


def test_what_a_callback_does_to_the_numbers_counts() -> None:
    def halve(training: nn.Training) -> None:
        for parameter in training.model.parameters():
            parameter.data /= 2

    compiled, eager = compiled_and_eager(lambda: nn.MLP(1, [1], seed=0), [[1.0], [2.0]], [1.0, 2.0], callbacks=[halve])
    assert eager == pytest.approx(compiled, rel=1e-12)


def test_state_stays_with_its_parameters_through_loops_and_fit() -> None:
    """By hand some of them, in another order; then all by `fit`, then some by hand again: as if never by `fit`."""
    x, y = blobs()
    models, optimizers = [MODELS["perceptron"]() for _ in range(2)], [OPTIMIZERS["sgd"]() for _ in range(2)]
    loss = nn.losses.find("sparse_categorical_crossentropy")

    def by_hand(model: nn.Module, optimizer: nn.Optimizer, places: slice) -> None:
        model.zero_grad()
        loss([model(row) for row in x.tolist()], y.tolist()).backward()
        optimizer.step(model.parameters()[places])

    for model, optimizer in zip(models, optimizers, strict=True):
        by_hand(model, optimizer, slice(None, 5, -1))
        if model is models[0]:
            trained(model, optimizer=optimizer, epochs=1, batch_size=len(x), validation_data=None)
        else:
            by_hand(model, optimizer, slice(None))
        by_hand(model, optimizer, slice(7, 20))
    np.testing.assert_allclose(numbers(models[0]), numbers(models[1]), rtol=1e-10)


class Branching(nn.Module):
    """A model that decides by numbers, which only eager training can follow."""

    def __init__(self) -> None:
        self.below, self.above = Value(1.0), Value(1.0)

    def forward(self, x: float) -> Value:
        return (self.above if x > 0.0 else self.below) * x


def test_parameters_that_turn_up_later_are_not_passed_over() -> None:
    message = "fit finds the parameters that it trains by the first batch; got another one, 'below', later; let"
    with pytest.raises(ValueError, match=message):
        nn.fit(Branching(), [1.0, -1.0], [2.0, 2.0], batch_size=1, shuffle=False, compile=False)


@pytest.mark.parametrize("compile", [True, False])
def test_parameters_that_nothing_uses_stay(compile: bool) -> None:
    model, optimizer = Halves(), nn.SGD(0.1, momentum=0.9, weight_decay=0.5)
    nn.fit(model, [1.0, 2.0], [2.0, 4.0], optimizer=optimizer, compile=compile, epochs=2, seed=0)
    assert model.idle.data == 3.0 != model.slope.data
    assert optimizer.state_dict()["velocity"][0] == 0.0 != optimizer.state_dict()["velocity"][1]


def test_foreign_values_are_refused() -> None:
    outside = Value(2.0)
    with pytest.raises(ValueError, match="training moves the model's parameters alone; got .*2.0.*; make it"):
        nn.fit(Halves(), [1.0], [2.0], loss=lambda output, target: (output * outside - target).square())


def test_one_number_in_and_out() -> None:
    model = Halves()
    history = nn.fit(model, np.arange(8.0), 2 * np.arange(8.0), optimizer=nn.SGD(0.01), epochs=60, seed=0)
    assert model.slope.data == pytest.approx(2.0)
    assert history["loss"][-1] < 1e-9
    np.testing.assert_allclose(nn.predict(model, np.arange(8.0)), 2 * np.arange(8.0))
    assert nn.predict(model, [1.0, 2.0]) == [model.slope.data, 2 * model.slope.data]
    assert isinstance(nn.predict(model, np.arange(2.0)), np.ndarray)


@pytest.mark.parametrize("compile", [True, False])
def test_logits_of_two_classes(compile: bool) -> None:
    """Targets may be numbers or lists of one; a logit of 0 lies between the classes."""
    x = [[-3.0], [-1.0], [1.0], [3.0]]
    histories = []
    for y in ([0, 0, 1, 1], [[0], [0], [1], [1]]):
        model = nn.MLP(1, [1], initializer="zeros")
        model.layers[0].neurons[0].weight[0].data = 0.1
        options = {"loss": "binary_crossentropy", "metrics": ["accuracy"], "compile": compile}
        histories.append(nn.fit(model, x, y, optimizer=nn.SGD(1e-9), seed=0, **options).history)
        assert nn.evaluate(model, x, y, **options)["accuracy"] == 1.0
    assert histories[0] == histories[1]
    assert histories[0]["accuracy"] == [1.0]


def test_evaluation_leaves_modes_and_sees_new_numbers() -> None:
    model = MODELS["both"]()
    trained(model)
    assert model.training
    x, y = blobs(9)
    assert model.layers[0].training  # type: ignore[attr-defined]
    found = [
        nn.evaluate(model, x, y, loss="sparse_categorical_crossentropy", metrics=["accuracy"], compile=compile)
        for compile in (True, False)
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-12)
    np.testing.assert_allclose(nn.predict(model, x), nn.predict(model, x, compile=False), rtol=1e-12)
    model.eval()
    nn.predict(model, x)
    assert not model.training


@pytest.mark.parametrize("compile", [True, False])
def test_labels_that_are_no_classes_are_told(compile: bool) -> None:
    """Compiled, they make the loss nan, of which nobody would guess the reason."""
    x, y = blobs()
    with pytest.raises(ValueError, match="a target counts the classes from 0; got 3.* with 3 classes; give each class"):
        trained(MODELS["perceptron"](), x=x, y=y + 1, metrics=[], compile=compile)


def test_the_sign_of_a_margin_is_the_decision() -> None:
    model = nn.MLP(1, [1], bias=False)
    model.layers[0].neurons[0].weight[0].data = 0.1
    for loss in ("hinge", "squared_hinge"):
        found = nn.evaluate(model, [[1.0], [2.0], [-1.0], [-2.0]], [1, 1, -1, 1], loss=loss, metrics=["accuracy"])
        assert found["accuracy"] == 0.75


def test_numbers_of_numpy_are_seeds_too(tmp_path: Path) -> None:
    checkpoint = nn.Checkpoint(tmp_path / "run")
    runs = [trained(MODELS["dropout"](), seed=seed, callbacks=[checkpoint]) for seed in (np.int64(3), 3)]
    assert runs[0].history == runs[1].history
    runs = [trained(MODELS["dropout"](), seed=Random(seed)) for seed in (3, 3, 4)]
    assert runs[0].history == runs[1].history != runs[2].history


def test_metrics_that_are_no_numbers_are_shown(capfd: pytest.CaptureFixture[str]) -> None:
    history = trained(MODELS["perceptron"](), metrics=["confusion_matrix"], progress=True)
    assert "confusion_matrix=[[" in capfd.readouterr().err
    assert "confusion_matrix [[" in repr(history)


def test_progress(capfd: pytest.CaptureFixture[str]) -> None:
    trained(MODELS["perceptron"](), progress=True)
    shown = capfd.readouterr().err
    assert "epoch 4/4" in shown
    assert "20/20" in shown
    assert "val_accuracy=" in shown
    trained(MODELS["perceptron"]())  # nobody looks at a terminal
    assert capfd.readouterr() == ("", "")


def test_a_history_says_what_it_has() -> None:
    history = nn.History({"loss": [1.0, 0.5]})
    assert list(history) == ["loss"]
    assert history.last == {"loss": 0.5}
    history.stopped = "enough"
    assert repr(history) == "History(2 epochs, loss 0.5; enough)"
    assert nn.History().epochs == 0
