"""One hidden layer on digits, trained by `fit`, and by a training step written by hand: the same numbers.

A 784-10-10 network (relu, softmax), categorical cross-entropy of one-hot labels, Adam with learning rate 0.001, batches
of 32, 5 epochs. The step by hand is forward, loss, backward, optimizer, zero: once node by node, once compiled. The
digits are those of MNIST where a folder has its four files, else the 1,797 real ones of scikit-learn, of 64 pixels.

    python demos/training_step.py [--folder MNIST] [--examples 1438] [--epochs 5] [--seed 0] [--output steps.svg]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

import engine
import nn
import viz
from engine.functions import softmax

BATCH = 32
cross_entropy = partial(nn.categorical_crossentropy, from_logits=False)


def classifier(inputs: int, seed: int) -> nn.Sequential:
    """Probabilities of ten classes."""
    source = Random(seed)
    hidden, output = nn.Dense(inputs, 10, "relu", generator=source), nn.Dense(10, 10, generator=source)
    return nn.Sequential([hidden, output, softmax])


def by_fit(model: nn.Sequential, x: Any, y: Any, epochs: int) -> list[float]:
    """The library's loop; the order of examples stays, so that the others can have the same."""
    optimizer = nn.Adam(0.001)
    history = nn.fit(
        model, x, y, loss=cross_entropy, optimizer=optimizer, epochs=epochs, batch_size=BATCH, shuffle=False
    )
    return history["loss"]


def by_hand(model: nn.Sequential, x: Any, y: Any, epochs: int) -> list[float]:
    """Node by node: a graph for each batch."""
    optimizer, losses = nn.Adam(0.001), []
    for _ in range(epochs):
        total = 0.0
        for images, labels in nn.batches(x, y, BATCH):
            probabilities = [model(image) for image in images.tolist()]
            loss = cross_entropy(probabilities, labels.tolist())
            loss.backward()
            optimizer.step(model.parameters())
            model.zero_grad()
            total += loss.data * len(images)
        losses.append(total / len(x))
    return losses


def by_hand_compiled(model: nn.Sequential, x: Any, y: Any, epochs: int) -> list[float]:
    """The same step on arrays: the loss of one example is compiled, and its gradient is the mean over the batch."""
    compiled = engine.compile(lambda image, label: cross_entropy(model(image), label))
    optimizer, losses = nn.Adam(0.001), []
    for _ in range(epochs):
        total = 0.0
        for images, labels in nn.batches(x, y, BATCH):
            total += compiled.backward(images, labels) * len(images)
            optimizer.step(model.parameters())
            model.zero_grad()
        losses.append(total / len(x))
    return losses


WAYS: dict[str, Callable[[nn.Sequential, Any, Any, int], list[float]]] = {
    "nn.fit": by_fit,
    "by hand, node by node": by_hand,
    "by hand, compiled": by_hand_compiled,
}


def train(x: Any, y: Any, epochs: int, seed: int) -> tuple[dict[str, nn.Sequential], dict[str, list[float]]]:
    """Each way from the same first weights: the models, and their losses by epoch."""
    models = {way: classifier(x.shape[1], seed) for way in WAYS}
    losses = {}
    print(f"{models['nn.fit']}, {len(x)} digits, {epochs} epochs, seed {seed}\n")
    for way, run in WAYS.items():
        start = time.perf_counter()
        losses[way] = run(models[way], x, y, epochs)
        told = " ".join(f"{loss:.6f}" for loss in losses[way][:5])
        print(f"  {way:22s} loss {told}   in {time.perf_counter() - start:.1f} s")
    return models, losses


def largest_difference(models: dict[str, nn.Sequential]) -> float:
    """Between the weights of the first model and the same weights of the others."""
    first, *others = ([p.data for p in model.parameters()] for model in models.values())
    return max(abs(a - b) for other in others for a, b in zip(first, other, strict=True))


def accuracy(model: nn.Sequential, x: Any, y: Any) -> float:
    """The share of digits whose largest probability is that of their class."""
    return float((nn.predict(model, x).argmax(axis=1) == y).mean())


def draw(losses: dict[str, list[float]], model: nn.Sequential) -> Figure:
    """Losses on the left, one over the other; on the right what each hidden neuron looks for."""
    figure = Figure((11, 4), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1, 1.6])  # type: ignore[misc]  # it gives both
    viz.plots.curves(losses, ax=left.subplots()).set_ylabel("loss")
    right.suptitle("the weights of the ten hidden neurons: orange positive, violet negative", fontsize=10)
    tensors = dict(model.named_tensors())
    limit = max(abs(w.data) for row in tensors["0.weight"] for w in row)
    for k, (ax, row) in enumerate(zip(right.subplots(2, 5).flat, tensors["0.weight"], strict=True)):
        side = round(len(row) ** 0.5)
        rows = [[w.data for w in row[i : i + side]] for i in range(0, len(row), side)]
        ax.imshow(rows, "PuOr_r", vmin=-limit, vmax=limit)
        ax.set(xticks=[], yticks=[], title=f"neuron {k}")
    return figure


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; 0 if the three ways agree, the loss fell, and the picture is written."""
    parser = argparse.ArgumentParser(description="Train a classifier of digits by fit and by hand.")
    parser.add_argument("--folder", type=Path, help="with MNIST's four files (default: scikit-learn's digits)")
    parser.add_argument("--examples", type=int, default=1438, help="how many to train on (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--further", type=int, default=45, help="epochs of fit after that (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first weights (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("steps.svg"), help="the picture (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.epochs < 2 or options.examples < 1:
        parser.error("--epochs must be at least 2 and --examples 1; leave them out for the usual numbers")

    (x, y), (test_x, test_y) = nn.mnist(options.folder) if options.folder else nn.digits()
    x, labels = x[: options.examples].astype(float), nn.one_hot(y[: options.examples], 10)
    models, losses = train(x, labels, options.epochs, options.seed)
    apart = largest_difference(models)
    same = apart < 1e-10
    print(f"\nThe three networks' weights are {apart:.1e} apart at most: {'the same' if same else 'NOT the same'}.")
    model = models["nn.fit"]
    right = accuracy(model, test_x, test_y)
    fell = all(after < before for before, after in zip(losses["nn.fit"], losses["nn.fit"][1:], strict=False))
    print(f"The loss {'fell in every epoch' if fell else 'did NOT fall in every epoch'}; of digits they have not seen")
    print(f"they read {right:.1%}.")
    if options.further:
        nn.fit(model, x, labels, loss=cross_entropy, epochs=options.further, batch_size=BATCH, seed=options.seed)
        print(f"Trained by fit for {options.further} epochs more, it reads {accuracy(model, test_x, test_y):.1%}.")
    with rc_context({"svg.hashsalt": "glassgrad"}):
        draw(losses, model).savefig(options.output, metadata={"Date": None})
    print(f"The losses, and what the hidden neurons look for: {options.output}")
    return 0 if same and fell else 1


if __name__ == "__main__":
    raise SystemExit(main())
