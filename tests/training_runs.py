"""Small models that are trained for a few epochs, and their numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import nn
from engine import Value

MODELS: dict[str, Callable[[], nn.Module]] = {
    "perceptron": lambda: nn.MLP(2, [5, 3], "tanh", seed=0),
    "dropout": lambda: nn.Sequential([nn.Dense(2, 6, "relu", seed=0), nn.Dropout(0.4), nn.Dense(6, 3, seed=1)]),
    # no bias before a batch norm: it has no slope, and Adam would make steps of the noise
    "batch norm": lambda: nn.Sequential(
        [nn.Dense(2, 6, bias=False, seed=0), nn.BatchNorm(6), "relu", nn.Dense(6, 3, seed=1)]
    ),
    "both": lambda: nn.Sequential(
        [nn.Dense(2, 6, bias=False, seed=0), nn.BatchNorm(6), nn.Dropout(0.2), nn.Dense(6, 3, seed=1)]
    ),
    "shared": lambda: twice(nn.BatchNorm(6)),
}


def twice(norm: nn.BatchNorm) -> nn.Module:
    """One layer in two places."""
    hidden = [nn.Dense(2, 6, bias=False, seed=0), norm, "relu", nn.Dense(6, 6, bias=False, seed=1), norm]
    return nn.Sequential([*hidden, nn.Dense(6, 3, seed=2)])


OPTIMIZERS: dict[str, Callable[[], nn.Optimizer]] = {
    "sgd": lambda: nn.SGD(0.1, momentum=0.9, weight_decay=0.01),
    "adam": lambda: nn.Adam(0.01, clip_norm=1.0),
}


def trained(model: nn.Module, **options: Any) -> nn.History:
    x, y = blobs()
    settings: dict[str, Any] = {
        "x": x, "y": y,
        "loss": "sparse_categorical_crossentropy", "optimizer": OPTIMIZERS["adam"](), "epochs": 4, "batch_size": 5,
        "metrics": ["accuracy"], "validation_data": blobs(7), "seed": 3,
    }  # fmt: skip
    return nn.fit(model, **settings | options)


def blobs(count: int = 23) -> tuple[Any, Any]:
    """Points about three centres, and which one."""
    chance = np.random.default_rng(0)
    labels = chance.integers(0, 3, count)
    return chance.normal(size=(count, 2)) + 2.0 * np.eye(3)[labels][:, :2], labels


def numbers(model: nn.Module) -> list[float]:
    return [p.data for p in model.parameters()] + [b.data for _, b in model.named_buffers()]


class Halves(nn.Module):
    """A model with a parameter that nothing uses."""

    def __init__(self) -> None:
        self.idle, self.slope = Value(3.0), Value(1.0)

    def forward(self, x: Any) -> Value:
        return self.slope * x
