"""Which pixels made the network see a three: attributions, drawn over the digit.

A 64-32-10 network learns scikit-learn's digits. Then the score of the class it answers is differentiated with respect
to the pixels of a test digit. Gradient x input says what each pixel adds near where it is; integrated gradients, the
mean gradient on the straight way from a black picture times the input, share out the whole difference of the scores:
they are complete, which is checked for every digit of the test set.

    python demos/attributions.py [--epochs 15] [--path 100] [--seed 0] [--output attributions.svg]

Sundararajan, Taly and Yan, *Axiomatic Attribution for Deep Networks*, 2017.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import engine
import nn
import viz
from engine import Value, functions

SHOWN = 4
"""How many digits are drawn."""


def trained(epochs: int, seed: int) -> tuple[nn.Module, Any, Any, float]:
    """The network, the test set, and how much of it the network knows. Gelu is smooth, which the integral likes."""
    (x, y), (pictures, labels) = nn.digits()
    model = nn.MLP(64, [32, 10], "gelu", seed=seed)
    cross_entropy = "sparse_categorical_crossentropy"
    nn.fit(model, x, y, loss=cross_entropy, optimizer=nn.Adam(0.01), epochs=epochs, seed=seed)
    found = nn.evaluate(model, pictures, labels, loss=cross_entropy, metrics=["accuracy"])
    return model.eval(), pictures, labels, found["accuracy"]


def score_and_slopes(model: nn.Module) -> engine.Compiled:
    """Of a picture and a class (a one among zeros): the class's score, and its gradient with respect to the pixels.

    `engine.grad` inside a compiled function: the gradient is a graph like any other, and becomes matrix products.
    """

    def compute(pixels: list[Value], chosen: list[Value]) -> tuple[Value, Any]:
        score = functions.dot(chosen, model(pixels))
        return score, engine.grad(score, pixels)

    return engine.compile(compute)


def gradient_times_input(compute: engine.Compiled, pictures: Any, chosen: Any) -> Any:
    """x_i * dscore/dx_i."""
    return pictures * compute(pictures, chosen)[1]


def integrated_gradients(compute: engine.Compiled, pictures: Any, chosen: Any, steps: int) -> Any:
    """x_i times the mean over t in [0, 1] of dscore/dx_i at t x, by the midpoint rule: the black picture is 0."""
    total = np.zeros(pictures.shape)
    for k in range(steps):
        total += compute(pictures * ((k + 0.5) / steps), chosen)[1]
    return pictures * total / steps


def draw(pictures: Any, answers: Any, rows: dict[str, Any], path: Path) -> None:
    """A column for each of some digits, of different classes; a row for each method."""
    chosen = [int(np.flatnonzero(answers == digit)[0]) for digit in (3, 0, 7, 4) if digit in answers][:SHOWN]
    figure = Figure((3.2 * len(chosen), 2.7 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), len(chosen), squeeze=False)
    for line, (name, attributions) in zip(axes, rows.items(), strict=True):
        for ax, k in zip(line, chosen, strict=True):
            viz.plots.attribution(pictures[k], attributions[k], ax=ax)
            ax.set_title(f"{name}: {answers[k]}", fontsize=9)
    figure.savefig(path)


def table(attributions: Any) -> str:
    """Numbers of 8 rows of pixels."""
    return "\n".join("  " + " ".join(f"{number:+5.1f}" for number in row) for row in attributions.reshape(8, 8))


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; 0 if the network knows digits and integrated gradients are complete."""
    parser = argparse.ArgumentParser(description="Input attributions of digits.")
    parser.add_argument("--epochs", type=int, default=15, help="(default: %(default)s)")
    parser.add_argument("--path", type=int, default=100, help="points from black to the digit (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the weights (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("attributions.svg"), help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    if min(options.epochs, options.path) < 1:
        parser.error(f"--epochs and --path must be at least 1; got {options.epochs} and {options.path}; leave them out")

    model, pictures, labels, accuracy = trained(options.epochs, options.seed)
    answers = nn.predict(model, pictures).argmax(axis=1)
    chosen = nn.one_hot(answers, 10)
    compute = score_and_slopes(model)
    black = compute(np.zeros(pictures.shape), chosen)[0]
    difference = compute(pictures, chosen)[0] - black
    near = gradient_times_input(compute, pictures, chosen)
    along = integrated_gradients(compute, pictures, chosen, options.path)

    print(f"{model}: {accuracy:.1%} of {len(labels)} test digits right\n")
    print(f"Integrated gradients of the score for {answers[0]}, pixel by pixel, of a digit that is {labels[0]}:")
    print(table(along[0]))
    apart = {name: abs(found.sum(axis=1) - difference) for name, found in
             (("gradient x input", near), ("integrated gradients", along))}  # fmt: skip
    print(f"\nThe score is {difference[0]:.6f} more than that of a black picture. Attributions add up to")
    for name, found in (("gradient x input", near), ("integrated gradients", along)):
        print(f"  {name:22s}{found[0].sum():12.6f}   apart by {apart[name].max():.1e} at most over all test digits")
    complete = bool(apart["integrated gradients"].max() < 1e-3)
    is_good = accuracy > 0.9
    draw(pictures, answers, {"gradient x input": near, "integrated gradients": along}, options.output)
    print(f"\nAttributions over digits: {options.output}")
    print("Integrated gradients are complete." if complete else "Integrated gradients are not complete: more --path.")
    if not is_good:
        print("The network does not know digits: more --epochs.")
    return 0 if complete and is_good else 1


if __name__ == "__main__":
    raise SystemExit(main())
