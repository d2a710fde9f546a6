"""Handwritten digits, read by 784-64-64-10: relu, relu, softmax, trained by Adam on batches of 64.

The digits are those of MNIST where a folder has its four files (5 epochs), else the 1,797 real ones of scikit-learn,
which have 64 pixels in place of 784 (50 epochs, since there are so few). The picture shows loss and accuracy, and test
digits with what the network says.

    python demos/digits.py [--folder MNIST] [--epochs 50] [--seed 0] [--output digits.svg]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import nn
import viz
from engine.functions import softmax

AIM = 0.96
"""The share of test digits to get right."""
WRONG_SHOWN = 9
ROWS, COLUMNS = 4, 6


def classifier(inputs: int, seed: int) -> nn.Sequential:
    """Scores of ten classes that are probabilities."""
    source = Random(seed)
    return nn.Sequential([
        nn.Dense(inputs, 64, "relu", generator=source),
        nn.Dense(64, 64, "relu", generator=source),
        nn.Dense(64, 10, generator=source),
        softmax,
    ])  # fmt: skip


def train(model: nn.Sequential, known: Any, unknown: Any, epochs: int, seed: int) -> nn.History:
    """Every epoch is measured on the test digits; nothing is chosen by that."""
    history = nn.fit(
        model,
        *known,
        loss=partial(nn.sparse_categorical_crossentropy, from_logits=False),
        optimizer="adam",
        metrics=["accuracy"],
        epochs=epochs,
        batch_size=64,
        validation_data=unknown,
        seed=seed,
    )
    print("\n  epoch     loss   accuracy   of test digits")
    for epoch in sorted({round(i * (epochs - 1) / 9) for i in range(10)}):
        loss, right, tested = (history[name][epoch] for name in ("loss", "accuracy", "val_accuracy"))
        print(f"  {epoch + 1:5d}   {loss:.4f}     {right:6.2%}           {tested:6.2%}")
    return history


def draw(history: nn.History, pictures: Any, said: Sequence[int], labels: Sequence[int]) -> Figure:
    """Curves on the left; on the right wrong digits first, framed and crossed, and then right ones."""
    figure = Figure((11, 5), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1, 1.15])  # type: ignore[misc]  # it gives both
    for ax, name in zip(left.subplots(2, 1), ("loss", "accuracy"), strict=True):
        viz.plots.curves({key: history[key] for key in (name, f"val_{name}")}, ax=ax, log=name == "loss")
    wrong = [k for k, label in enumerate(labels) if said[k] != label]
    shown = wrong[:WRONG_SHOWN]
    shown += [k for k in range(len(labels)) if k not in wrong][: ROWS * COLUMNS - len(shown)]
    right.suptitle(f"test digits: {len(wrong)} of {len(labels)} are read wrong, marked by x", fontsize=10)
    for k, ax in zip(shown, right.subplots(ROWS, COLUMNS).flat, strict=False):
        show(ax, pictures[k], said[k], labels[k])
    return figure


def show(ax: Axes, pixels: Any, said: int, label: int) -> None:
    side = math.isqrt(len(pixels))
    ax.imshow(pixels.reshape(side, side), cmap="gray_r", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[])
    if said == label:
        ax.set_title(f"{said}", fontsize=9)
        return
    ax.set_title(f"x {said}, is {label}", fontsize=9, color="firebrick", fontweight="bold")
    ax.spines[:].set(color="firebrick", linewidth=2.5)


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; 0 if enough test digits are read and the picture is written."""
    parser = argparse.ArgumentParser(description="Train a network of two hidden layers to read digits.")
    parser.add_argument("--folder", type=Path, help="with MNIST's four files (default: scikit-learn's digits)")
    parser.add_argument("--epochs", type=int, help="(default: 5 for MNIST, else 50)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and order (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("digits.svg"), help="the picture (default: %(default)s)")
    options = parser.parse_args(arguments)
    epochs = options.epochs if options.epochs is not None else 5 if options.folder else 50
    if epochs < 1:
        parser.error(f"--epochs must be at least 1; got {epochs}; leave it out for the usual number")

    known, unknown = nn.mnist(options.folder) if options.folder else nn.digits()
    model = classifier(known[0].shape[1], options.seed)
    print(f"{model}\n{len(known[0])} digits to train on, {len(unknown[0])} to test with, seed {options.seed}")
    history = train(model, known, unknown, epochs, options.seed)
    said, labels = nn.predict(model, unknown[0]).argmax(axis=1).tolist(), unknown[1].tolist()
    right = sum(map(int.__eq__, said, labels))
    with rc_context({"svg.hashsalt": "glassgrad"}):
        draw(history, unknown[0], said, labels).savefig(options.output, metadata={"Date": None})
    share = right / len(labels)
    print(f"\nAfter {epochs} epochs it reads {right} of {len(labels)} digits it has not seen, {share:.2%}.")
    print(f"The aim of {AIM:.0%} is {'reached' if share >= AIM else 'not reached: try more epochs'}.")
    print(f"The curves, and some digits with what the network says: {options.output}")
    return 0 if share >= AIM else 1


if __name__ == "__main__":
    raise SystemExit(main())
