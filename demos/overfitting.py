"""A network that learns its few examples by heart, and what keeps it from that.

A hundred of scikit-learn's digits, some with a wrong label, as data have them: a network of 32 relus soon knows them
all, the wrong ones too, while its answers for 359 other digits become worse and worse. The gap between training and
validation loss closes with an L1 or an L2 penalty, dropout, pictures that are turned and noisy in another way each
time, and stopping early.

    python demos/overfitting.py [--epochs 40] [--runs 3] [--seed 0] [--output overfitting.svg]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

import engine
import nn
import viz
from engine import Value

EXAMPLES, WRONG, WIDTH, BATCH, LEARNING_RATE = 100, 15, 32, 25, 0.02
MEASURED: dict[str, Any] = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
NOTHING = "nothing"

Data = tuple[Any, Any]


@dataclass
class Result:
    """What became of a network: its numbers on the hundred examples and on the others, and losses by epoch."""

    training: dict[str, float]
    validation: dict[str, float]
    losses: dict[str, list[float]]

    @property
    def gap(self) -> float:
        """How much larger the loss is on examples it has not seen."""
        return self.validation["loss"] - self.training["loss"]


def few_digits(seed: int) -> tuple[Data, Data]:
    """A hundred digits, 15 of them with another digit's label; and the digits of the test set."""
    (x, y), others = nn.digits()
    chance = np.random.default_rng(seed)
    chosen = chance.permutation(len(x))[:EXAMPLES]
    labels = y[chosen]
    labels[:WRONG] = (labels[:WRONG] + chance.integers(1, 10, WRONG)) % 10
    return (x[chosen], labels), others


@dataclass
class Remedy:
    """What is done against overfitting."""

    dropout: float = 0.0
    augmented: bool = False
    penalty: Callable[[Sequence[Value]], Value] | None = None
    callbacks: Sequence[nn.Callback] = ()


REMEDIES: dict[str, Callable[[], Remedy]] = {
    NOTHING: Remedy,
    "L1": lambda: Remedy(penalty=partial(nn.l1, strength=0.006)),
    "L2": lambda: Remedy(penalty=partial(nn.l2, strength=0.01)),
    "dropout": lambda: Remedy(dropout=0.5),
    "augmentation": lambda: Remedy(augmented=True),
    "early stopping": lambda: Remedy(callbacks=[nn.EarlyStopping(patience=5)]),
}


def train(remedy: Remedy, data: Data, others: Data, epochs: int, seed: int) -> Result:
    """One network, 64-32-10. Its losses are those of the examples as they are: no penalty, no dropout, no change."""
    hidden = nn.Dense(64, WIDTH, "relu", initializer="he_normal", seed=seed)
    dropout = nn.Dropout(remedy.dropout)
    model = nn.Sequential([hidden, dropout, nn.Dense(WIDTH, 10, seed=seed + 1)])
    loss = engine.compile(lambda x, y: nn.sparse_categorical_crossentropy(model(x), y))
    x, losses = data[0].copy(), []

    def look(training: nn.Training) -> None:
        dropout.eval()
        losses.append(fmean(loss(*data)))
        dropout.train()
        if remedy.augmented:
            x[:] = changed(data[0], training.epoch)

    history = nn.fit(
        model, x, data[1], optimizer=nn.Adam(LEARNING_RATE), epochs=epochs, batch_size=BATCH, validation_data=others,
        seed=seed, progress=False, penalty=remedy.penalty, callbacks=[look, *remedy.callbacks], **MEASURED,
    )  # fmt: skip
    training, validation = (nn.evaluate(model, *part, **MEASURED) for part in (data, others))
    return Result(training, validation, {"loss": losses, "val_loss": history["val_loss"]})


def changed(x: Any, seed: int) -> Any:
    """The pictures, each turned and noisy by amounts of its own, others in each epoch."""
    return nn.augment(x.reshape(-1, 8, 8), degrees=20.0, noise=0.3, seed=seed).reshape(-1, 64)


def run(epochs: int, runs: int, seed: int) -> dict[str, list[Result]]:
    """Each remedy on the same digits from the same weights, in several runs with others each time."""
    found: dict[str, list[Result]] = {}
    with tqdm(total=len(REMEDIES) * runs, desc="training", unit="network", leave=False, disable=None) as bar:
        for k in range(seed, seed + runs):
            data, others = few_digits(k)
            for name, remedy in REMEDIES.items():
                found.setdefault(name, []).append(train(remedy(), data, others, epochs, k))
                bar.update()
    return found


def show(found: dict[str, list[Result]]) -> None:
    """The table, means over the runs."""
    print(f"{'':16s}{'loss':^32s}   {'accuracy':^22s}")
    print(f"{'remedy':16s}{'training':>10s}{'validation':>12s}{'gap':>10s}   {'training':>10s}{'validation':>12s}")
    for name, results in found.items():
        numbers = [
            fmean(part[key] for part in parts)
            for key in ("loss", "accuracy")
            for parts in ([result.training for result in results], [result.validation for result in results])
        ]
        gap = fmean(result.gap for result in results)
        print(f"{name:16s}{numbers[0]:10.3f}{numbers[1]:12.3f}{gap:10.3f}   {numbers[2]:10.3f}{numbers[3]:12.3f}")


def claims(found: dict[str, list[Result]]) -> dict[str, bool]:
    """What this demo shows, each with whether it was seen in every run."""
    plain = found[NOTHING]
    told = {
        "with nothing, training loss is less than a fifth of validation loss": all(
            5 * result.training["loss"] < result.validation["loss"] for result in plain
        )
    }
    for name in list(found)[1:]:
        pairs = list(zip(found[name], plain, strict=True))
        told[f"{name}: the gap is smaller by a quarter or more, and so is the validation loss smaller"] = all(
            result.gap < 0.75 * before.gap and result.validation["loss"] < before.validation["loss"]
            for result, before in pairs
        )
    return told


def draw(found: dict[str, list[Result]], path: Path) -> None:
    """The curves of each remedy's first run."""
    figure = Figure((12, 6.6), layout="constrained")
    axes = figure.subplots(2, 3, sharey=True).flat
    for ax, (name, [result, *_]) in zip(axes, found.items(), strict=True):
        viz.plots.curves(result.losses, ax=ax)
        ax.set_title(f"against overfitting: {name}")
    figure.savefig(path)


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; 0 if the gap opened, and every remedy closed some of it."""
    parser = argparse.ArgumentParser(description="Overfitting, and its remedies.")
    parser.add_argument("--epochs", type=int, default=40, help="(default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="each with other digits and weights (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first run (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("overfitting.svg"), help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    if min(options.epochs, options.runs) < 1:
        parser.error(f"--epochs and --runs must be at least 1; got {options.epochs} and {options.runs}; leave them out")

    found = run(options.epochs, options.runs, options.seed)
    print(f"{EXAMPLES} digits, {WRONG} with a wrong label; 64-{WIDTH}-10 relu, Adam; means of {options.runs} runs\n")
    show(found)
    print()
    told = claims(found)
    for claim, seen in told.items():
        print(f"  {'seen    ' if seen else 'NOT SEEN'}  {claim}")
    draw(found, options.output)
    print(f"\nThe curves: {options.output}")
    print(
        "The gap opened, and every remedy closed a good part of it, in every run."
        if all(told.values())
        else "Not everything was seen: try more epochs, or another seed."
    )
    return 0 if all(told.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
