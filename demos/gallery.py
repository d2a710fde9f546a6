"""The pictures of the README, each of a real computation.

    python demos/gallery.py [--output gallery] [PICTURE ...]

- `neuron.svg`: one neuron in the middle of backpropagation;
- `network.svg`: a small network, with its gradients;
- `layers.svg`: a larger one on ten examples, each layer as one box;
- `steps.html`: a page to step through the small one, and `page.png`, what it looks like (that needs Chromium);
- `boundary.svg`: how a network parts two moons, and its error on the way there;
- `vanishing.svg`: gradients that vanish layer by layer behind sigmoids, and do not behind relus.

It takes ten seconds. The README shows those in `demos/gallery`.
"""

from __future__ import annotations

import argparse
import math
import shutil
from pathlib import Path
from random import Random

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tqdm import trange

import nn
import viz
from engine import Trace, Value, functions, record_source


def neuron(path: Path) -> None:
    """tanh(w . x + b) and its squared error, when backpropagation has come to the weighted sum."""
    x = [Value(0.5, label="x1"), Value(-1.0, label="x2")]
    w = [Value(0.8, label="w1"), Value(-0.6, label="w2")]
    total = functions.dot(w, x) + Value(0.1, label="b")
    total.label = "z"
    output = total.tanh()
    output.label = "a"
    loss = (output - 0.3).square()
    loss.label = "loss"
    trace = Trace(loss)
    [weighted, *_] = trace.find(op="dot", label="w1")
    viz.draw(trace, at=weighted.index + 1).save(path)


def network(path: Path) -> None:
    """A 2-2-1 network, its loss on one example, and every gradient."""
    loss = small_loss()
    loss.backward()
    viz.draw(loss, show_constants=False).save(path)


def small_loss() -> Value:
    model = nn.MLP(2, [2, 1], "tanh", seed=3)
    loss = nn.mse(model([Value(0.5, label="x1"), Value(-1.0, label="x2")]), [1.0])
    loss.label = "loss"
    return loss


def layers(path: Path) -> None:
    """A 2-16-16-1 network on ten examples: 1,400 nodes in a handful of boxes."""
    model = nn.MLP(2, [16, 16, 1], "tanh", seed=0)
    loss = error(model, *two_moons(10, Random(0)))
    loss.label = "loss"
    loss.backward()
    viz.draw(loss, collapse="layer").save(path)


def steps(path: Path) -> None:
    """The page on the small network."""
    with record_source():
        loss = small_loss()
    viz.page(loss, title="A network of two layers").save(path)


def page(path: Path) -> None:
    """How the page looks in the middle of backpropagation; left out where there is no browser."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        browser = None
    if browser is None:
        print(f"{path} needs playwright and Chromium: left out")
        return
    with sync_playwright() as driver:
        window = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        tab = window.new_page(viewport={"width": 1200, "height": 860})
        tab.goto(f"{path.with_name('steps.html').resolve().as_uri()}#step=33")
        tab.screenshot(path=path)
        window.close()


def two_moons(count: int, generator: Random) -> tuple[list[list[float]], list[int]]:
    """Points of two half circles that reach into one another, with noise; class -1 above, 1 below."""
    points, classes = [], []
    for k in range(count):
        angle = math.pi * generator.random()
        above = [math.cos(angle), math.sin(angle)]
        center = above if k % 2 == 0 else [1 - above[0], 0.5 - above[1]]
        points.append([coordinate + generator.gauss(0, 0.1) for coordinate in center])
        classes.append(-1 if k % 2 == 0 else 1)
    return points, classes


def boundary(path: Path) -> None:
    """A 2-8-8-1 network trained on sixty points, and its error on sixty others."""
    generator = Random(1)
    known, unknown = two_moons(60, generator), two_moons(60, generator)
    model = nn.MLP(2, [8, 8, 1], "tanh", seed=0)
    history = nn.fit(
        model, *known, optimizer=nn.SGD(0.1), epochs=600, batch_size=60, shuffle=False, validation_data=unknown
    )
    figure, (left, right) = side_by_side()
    viz.plots.decision_boundary(model, *known, ax=left, resolution=80)
    viz.plots.curves(history, ax=right, log=True, xlabel="step of gradient descent")
    left.set_title("two moons and the border between them")
    right.set_title("mean squared error")
    save(figure, path)


def vanishing(path: Path) -> None:
    """Gradient norms by layer of two networks of eight layers, one of sigmoids, one of relus."""
    points, classes = two_moons(12, Random(0))
    figure, axes = side_by_side()
    for ax, activation, initializer in zip(axes, ("sigmoid", "relu"), ("glorot_normal", "he_normal"), strict=True):
        model = nn.MLP(2, [8] * 7 + [1], activation, initializer=initializer, seed=0)
        norms = [gradients(model, points, classes) for _ in trange(40, unit="step", leave=False, disable=None)]
        viz.plots.gradient_norms(norms, ax=ax, xlabel="step of gradient descent")
        ax.set(title=f"eight layers, {activation}", ylim=(1e-5, 3))
    save(figure, path)


def error(model: nn.MLP, points: list[list[float]], classes: list[int]) -> Value:
    """Mean squared error."""
    return nn.mse([model(point)[0] for point in points], classes)


def gradients(model: nn.MLP, points: list[list[float]], classes: list[int]) -> dict[str, float]:
    """A step of gradient descent; returns the gradient norms of its layers."""
    model.zero_grad()
    error(model, points, classes).backward()
    nn.SGD(0.01).step(model.parameters())
    return viz.plots.layer_gradient_norms(model.named_parameters())


def side_by_side() -> tuple[Figure, list[Axes]]:
    """A figure of two axes, as wide as a page."""
    figure = Figure((10, 3.9), layout="constrained")
    return figure, list(figure.subplots(1, 2))


def save(figure: Figure, path: Path) -> None:
    """The same bytes each time: no date, no random names inside."""
    with rc_context({"svg.hashsalt": "glassgrad"}):
        figure.savefig(path, metadata={"Date": None})


PICTURES = {
    "neuron.svg": neuron,
    "network.svg": network,
    "layers.svg": layers,
    "steps.html": steps,
    "page.png": page,
    "boundary.svg": boundary,
    "vanishing.svg": vanishing,
}


def main(arguments: list[str] | None = None) -> None:
    """Make every picture."""
    parser = argparse.ArgumentParser(description="Make the pictures of the README.")
    parser.add_argument("--output", type=Path, default=Path("gallery"), help="the folder (default: %(default)s)")
    parser.add_argument("pictures", nargs="*", metavar="PICTURE", help=f"some of {', '.join(PICTURES)} (default: all)")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.pictures if name not in PICTURES]:
        parser.error(f"there is no picture {unknown[0]}; choose from {', '.join(PICTURES)}")
    options.output.mkdir(parents=True, exist_ok=True)
    for name in options.pictures or PICTURES:
        path = options.output / name
        PICTURES[name](path)
        if path.exists():
            print(path)


if __name__ == "__main__":
    main()
