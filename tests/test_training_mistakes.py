"""What cannot be trained is told before the first step, in three parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from training_runs import MODELS, OPTIMIZERS, trained

import nn
from engine import Value


def named_loss(predictions: Any, targets: Any) -> float:
    return 0.0


named_loss.__name__ = "loss"

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "loss": ({"loss": "mze"}, "no loss has this name; got 'mze'"),
    "optimizer": ({"optimizer": "adamant"}, "no optimizer has this name; got 'adamant'"),
    "optimizer class": ({"optimizer": nn.Adam}, "an optimizer is a name or an Optimizer; got <class"),
    "metric": ({"metrics": ["acuracy"]}, "no metric has this name"),
    "epochs": ({"epochs": 0}, "the number of epochs"),
    "batch": ({"batch_size": 0}, "the size of a batch"),
    "callback": ({"callbacks": [3]}, "a callback is a Callback or a function of the Training; got 3"),
    "callback class": ({"callbacks": [nn.EarlyStopping]}, "a callback is .*; pass an object"),
    "monitor": ({"callbacks": [nn.StopWhen("los", below=1)]}, "no such number was kept; got 'los'; there are loss"),
    "seed": ({"seed": 1.5}, "a seed is a whole number, or a random.Random to draw from; got 1.5; use seed=0"),
    "metrics": ({"metrics": "mae"}, r"metrics come in a list; got 'mae'; pass \['mae'\]"),
    "metrics alike": ({"metrics": ["mae", nn.metrics.mae]}, "each metric has a name of its own; got two of 'mae'; "),
    "metric called loss": ({"metrics": [named_loss]}, "each metric has a name of its own; got two of 'loss'; "),
    "penalty": ({"penalty": 0.01}, "a penalty is a function of the parameters; got 0.01; use partial"),
    "share": (
        {"validation_data": 0.2},
        r"validation data are examples and their targets; got 0.2; pass \(x, y\), as nn",
    ),
    "examples": (
        {"validation_data": ([1.0],)},
        r"validation data are examples and their targets; got \(\[1.0\],\); pass",
    ),
    "validation": ({"validation_data": ([], [])}, "there are no examples"),
}


@pytest.mark.parametrize(("options", "message"), WRONG.values(), ids=WRONG)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError, KeyError), match=message):
        trained(MODELS["perceptron"](), **options)


@pytest.mark.parametrize("train", [nn.fit, nn.evaluate, lambda model, x, y: nn.predict(model, x)])
def test_a_model_is_a_module(train: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="a model is a Module; got <function .*; make it the forward.. of one"):
        train(lambda x: x, [[1.0]], [1.0])


@pytest.mark.parametrize("sizes", [[3], [4, 3]])
def test_an_optimizer_of_another_model_is_refused(sizes: list[int]) -> None:
    optimizer, model = OPTIMIZERS["adam"](), MODELS["perceptron"]()
    trained(nn.MLP(2, sizes), optimizer=optimizer)
    with pytest.raises(
        ValueError, match="an optimizer goes on with the parameters that it has moved; got 33 others; make"
    ):
        trained(model, optimizer=optimizer)
    assert all(type(p) is Value for p in model.parameters())


@pytest.mark.parametrize(("x", "y"), [([], []), ([[1.0, 2.0]], []), ([[1.0, 2.0]], [0, 1])])
def test_wrong_data(x: Any, y: Any) -> None:
    with pytest.raises(ValueError, match="example"):
        nn.fit(MODELS["perceptron"](), x, y)
