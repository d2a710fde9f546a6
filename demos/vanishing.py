"""Gradients that vanish, gradients that explode, and what brings them back.

Ten layers, two moons, plain gradient descent. Behind sigmoids, whose slope is at most 1/4, hardly any gradient comes to
the first layer: the network answers the same for every point. Weights that are too large do the opposite: one step, and
every relu is dead. Relu, leaky relu, batch normalisation and residual connections cure the first, clipping the second.

    python demos/vanishing.py [--steps 200] [--seed 0] [--output vanishing.svg]
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from matplotlib.figure import Figure
from tqdm import tqdm

import engine
import nn
import viz
from engine import Value

DEPTH, WIDTH, POINTS, LEARNING_RATE, LIMIT = 10, 10, 48, 0.2, 0.5
COIN_TOSS = math.log(2)
"""The loss of somebody who always answers 1/2."""
LEARNED = 0.5
"""A loss below it is that of a network which learned something; the best straight border gives 0.3."""
TOO_LARGE = partial(nn.initializers.normal, deviation=3 / math.sqrt(WIDTH))
"""Each layer of relus makes what it passes on twice as large; He's deviation is sqrt(2 / width)."""


@dataclass
class Case:
    """A network, how it is trained, and what was seen."""

    name: str
    activation: str = "sigmoid"
    initializer: Any = "glorot_normal"
    normalized: bool = False
    residual: bool = False
    clip_norm: float | None = None
    norms: list[float] = field(default_factory=list)
    """The gradient norm of each layer at the first step, as the step uses it."""
    losses: list[float] = field(default_factory=list)

    def model(self, seed: int) -> nn.Sequential:
        """Ten layers, the same random numbers for all."""
        generator = Random(seed)

        def hidden(inputs: int) -> nn.Module:
            dense = nn.Dense(inputs, WIDTH, initializer=self.initializer, generator=generator)
            parts: list[Any] = [dense, *([nn.BatchNorm(WIDTH)] if self.normalized else []), self.activation]
            return nn.Residual(nn.Sequential(parts)) if self.residual and inputs == WIDTH else nn.Sequential(parts)

        layers = [hidden(2), *(hidden(WIDTH) for _ in range(DEPTH - 2))]
        return nn.Sequential([*layers, nn.Dense(WIDTH, 1, initializer=self.initializer, generator=generator)])

    @property
    def learned(self) -> bool:
        """Whether its loss came down; nan has not."""
        return self.losses[-1] < LEARNED


VANISHING = "sigmoid"
EXPLODING = "weights too large"
CLIPPED = f"{EXPLODING}, clipped"


def cases() -> list[Case]:
    """The two ill networks, each before its remedies."""
    return [
        Case(VANISHING),
        Case("relu", "relu", "he_normal"),
        Case("leaky relu", "leaky_relu", "he_normal"),
        Case("sigmoid, batch norm", normalized=True),
        Case("sigmoid, residual", residual=True),
        Case(EXPLODING, "relu", TOO_LARGE),
        Case(CLIPPED, "relu", TOO_LARGE, clip_norm=LIMIT),
    ]


def train(case: Case, steps: int, seed: int) -> None:
    """Compiled gradient descent on the whole batch, which batch normalisation wants at once."""
    points, classes = nn.moons(POINTS, seed=seed)
    targets = [[float(label)] for label in classes]
    model = case.model(seed)
    optimizer, parameters = nn.SGD(LEARNING_RATE, clip_norm=case.clip_norm), model.parameters()

    def loss(xs: list[Any], ys: list[Any]) -> Value:
        return nn.binary_crossentropy(model.forward_batch(xs), ys)

    compiled = engine.compile(loss)
    for step in range(steps):
        for parameter in parameters:
            parameter.grad = 0.0
        case.losses.append(compiled.backward([points], [targets]))
        if step == 0:
            norms = layer_norms(model)
            limit = math.inf if case.clip_norm is None else case.clip_norm
            case.norms = [norm * min(1.0, limit / math.hypot(*norms)) for norm in norms]
        optimizer.step(parameters)


def layer_norms(model: nn.Sequential) -> list[float]:
    """The norm of the gradient of each of the ten layers, first to last."""
    return [math.hypot(*(parameter.grad for parameter in layer.parameters())) for layer in model.layers]


def show(found: list[Case]) -> None:
    """The table: gradients at the first step, losses at the first and the last."""
    steps = len(found[0].losses)
    print(f"{'':27s}{'gradient norm at step 1':^33s}  {'loss':^18s}")
    print(f"{'network':27s}{'layer 1':>11s}{'layer ' + str(DEPTH):>11s}{'ratio':>11s}  {'step 1':>9s}{steps:>9d}")
    for case in found:
        first, last = case.norms[0], case.norms[-1]
        print(
            f"{case.name:27s}{first:11.2g}{last:11.2g}{first / last:11.2g}  {case.losses[0]:9.3f}{case.losses[-1]:9.3f}"
            f"  {'learns' if case.learned else 'learns nothing'}"
        )


def claims(found: list[Case]) -> dict[str, bool]:
    """What this demo shows, each with whether it was seen."""
    by_name = {case.name: case for case in found}
    ill, wild, clipped = by_name[VANISHING], by_name[EXPLODING], by_name[CLIPPED]
    remedies = [case for case in found if case.name not in (VANISHING, EXPLODING, CLIPPED)]
    told = {
        "behind sigmoids the first layer's gradient is less than 1/10000 of the last one's":
            ill.norms[0] < 1e-4 * ill.norms[-1],
        "and nothing is learned: the loss stays that of tossing a coin": abs(ill.losses[-1] - COIN_TOSS) < 0.02,
    }  # fmt: skip
    for case in remedies:
        back = case.norms[0] > 1000 * ill.norms[0]
        told[f"{case.name}: the first layer's gradient is back, 1000 times as large, and it learns"] = (
            back and case.learned
        )
    healthy = by_name["relu"]
    told["weights too large: gradients 30 times those of a healthy network, and nothing is learned"] = (
        math.hypot(*wild.norms) > 30 * math.hypot(*healthy.norms) and not wild.learned
    )
    told[f"the same network with the gradient clipped to length {LIMIT} learns"] = (
        math.hypot(*clipped.norms) <= LIMIT and clipped.learned
    )
    return told


def draw(found: list[Case], path: Path) -> None:
    """Gradient norms from the first layer to the last, and the losses."""
    figure = Figure((13, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    viz.plots.gradient_norms({case.name: case.norms for case in found}, ax=left, xlabel="layer")
    viz.plots.curves({case.name: case.losses for case in found}, ax=right, log=True, xlabel="step")
    left.set_title("gradients at the first step")
    right.set_title("binary cross-entropy")
    right.set_ylabel("")
    right.get_legend().remove()
    figure.savefig(path)


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; 0 if gradients vanished, exploded, and every remedy helped."""
    parser = argparse.ArgumentParser(description="Vanishing and exploding gradients, and their remedies.")
    parser.add_argument("--steps", type=int, default=200, help="of gradient descent (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of points and weights (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("vanishing.svg"), help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.steps < 2:
        parser.error(f"--steps must be at least 2; got {options.steps}; 200 show it")

    found = cases()
    for case in tqdm(found, desc="training", unit="network", leave=False, disable=None):
        train(case, options.steps, options.seed)
    print(f"{DEPTH} layers of {WIDTH}, {POINTS} points of two moons, gradient descent at {LEARNING_RATE}\n")
    show(found)
    print()
    told = claims(found)
    for claim, seen in told.items():
        print(f"  {'seen    ' if seen else 'NOT SEEN'}  {claim}")
    draw(found, options.output)
    print(f"\nEach layer's gradient, and the losses: {options.output}")
    print(
        "Gradients vanished and exploded, and every remedy brought them back."
        if all(told.values())
        else "Not everything was seen: try more steps, or another seed."
    )
    return 0 if all(told.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
