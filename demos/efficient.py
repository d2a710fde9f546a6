"""What makes training efficient: optimizers, mini-batches, and the compiled step; each measured on real digits.

A 64-32-10 network on scikit-learn's digits, trained until its loss is below a level. Steps are the same on every
machine; seconds, and how much faster the compiled step is than the one node by node, are this machine's.

    python demos/efficient.py [--level 0.2] [--epochs 100] [--seed 0] [--output efficient.svg]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

import engine
import nn

LOSS = "sparse_categorical_crossentropy"
STYLES = ("-o", "--s", "-.^", ":D")
OPTIMIZERS: dict[str, Callable[[], nn.Optimizer]] = {
    "SGD 0.05": lambda: nn.SGD(0.05),
    "momentum 0.9": lambda: nn.SGD(0.05, momentum=0.9),
    "RMSprop 0.003": lambda: nn.RMSprop(0.003),
    "Adam 0.003": lambda: nn.Adam(0.003),
}
BATCHES = {f"batches of {size}": size for size in (8, 32, 128)} | {"all examples": 0}


class Run(NamedTuple):
    """The loss after each epoch, how many steps an epoch has, and the seconds of all."""

    losses: list[float]
    steps_per_epoch: int
    seconds: float

    @property
    def steps(self) -> int:
        return len(self.losses) * self.steps_per_epoch


def classifier(seed: int) -> nn.MLP:
    return nn.MLP(64, [32, 10], "relu", seed=seed)


def run(optimizer: nn.Optimizer, size: int, options: argparse.Namespace) -> Run:
    """Train until the loss is below the level, or the epochs are over."""
    (x, y), _ = nn.digits()
    size = size or len(x)
    start = time.perf_counter()
    level = nn.StopWhen("loss", below=options.level)
    history = nn.fit(
        classifier(options.seed), x, y, loss=LOSS, optimizer=optimizer, epochs=options.epochs, batch_size=size,
        callbacks=[level], seed=options.seed,
    )  # fmt: skip
    return Run(history["loss"], -(-len(x) // size), time.perf_counter() - start)


def show(title: str, runs: dict[str, Run], level: float) -> None:
    print(f"\n{title}\n  {'':16s}  epochs   steps   seconds")
    for name, found in runs.items():
        end = "" if found.losses[-1] < level else f"   loss {found.losses[-1]:.3f}, not there yet"
        print(f"  {name:16s}  {len(found.losses):6d}  {found.steps:6d}   {found.seconds:7.2f}{end}")


def step_times(seed: int, size: int = 32) -> tuple[float, float]:
    """Processor seconds of a step node by node, and of the same compiled."""
    (x, y), _ = nn.digits()
    x, y, model, optimizer = x[:size], y[:size], classifier(seed), nn.SGD(0.05)
    loss = nn.losses.find(LOSS)
    compiled = engine.compile(lambda image, label: loss(model(image), label))

    def eager_step() -> None:
        model.zero_grad()
        loss([model(image) for image in x.tolist()], y.tolist()).backward()
        optimizer.step(model.parameters())

    eager = timed(eager_step, 3)
    compiled.value_and_grad(x, y)
    numbers = compiled.take()
    quick = timed(lambda: optimizer.update(numbers, compiled.value_and_grad(x, y, copy=False)[1]), 200)
    compiled.give_back()
    return eager, quick


def timed(step: Callable[[], None], count: int) -> float:
    step()
    start = time.process_time()
    for _ in range(count):
        step()
    return (time.process_time() - start) / count


def draw(groups: dict[str, dict[str, Run]], times: tuple[float, float], level: float) -> Figure:
    figure = Figure((12, 4), layout="constrained")
    *lines, bars = figure.subplots(1, 3, width_ratios=[2, 2, 1])
    for ax, unit, (title, runs) in zip(lines, ("steps", "epochs"), groups.items(), strict=True):
        draw_losses(ax, runs, unit, level)
        ax.set_title(title, fontsize=10)
    milliseconds = [1000 * seconds for seconds in times]
    bars.bar(["node by node", "compiled"], milliseconds, color=["0.6", "tab:blue"])
    for k, height in enumerate(milliseconds):
        bars.text(k, height, f"{height:.2g} ms", ha="center", va="bottom")
    bars.set(yscale="log", ylim=(min(milliseconds) / 4, max(milliseconds) * 2), ylabel="milliseconds")
    bars.yaxis.set_major_formatter("{x:g}")
    bars.set_title("one step, batch of 32", fontsize=10)
    return figure


def draw_losses(ax: Axes, runs: dict[str, Run], unit: str, level: float) -> None:
    for style, (name, found) in zip(STYLES, runs.items(), strict=True):
        length = found.steps_per_epoch if unit == "steps" else 1
        ends: list[Any] = [length * (k + 1) for k in range(len(found.losses))]
        ax.plot(ends, found.losses, style, label=name, markersize=4, markevery=0.2, markerfacecolor="none")
    ax.axhline(level, color="0.5", linewidth=0.8)
    ax.set(xscale="log", yscale="log", xlabel=unit, ylabel="mean loss of the epoch")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    ax.legend(frameon=False, fontsize=8)


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; 0 if each remedy helped and the picture is written."""
    parser = argparse.ArgumentParser(description="Compare optimizers, batch sizes, and the compiled step.")
    parser.add_argument("--level", type=float, default=0.2, help="the loss to reach (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=100, help="at most (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and order (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("efficient.svg"), help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    if not options.level > 0 or options.epochs < 1:
        parser.error("--level must be positive and --epochs at least 1; leave them out for the usual numbers")

    print(f"{classifier(options.seed)} on 1438 digits, until the loss is below {options.level:g}")
    by_optimizer = {name: run(make(), 32, options) for name, make in OPTIMIZERS.items()}
    by_size = {name: run(nn.SGD(0.05), size, options) for name, size in BATCHES.items()}
    groups = {"optimizers, batches of 32": by_optimizer, "SGD 0.05, sizes of batches": by_size}
    for title, runs in groups.items():
        show(title, runs, options.level)
    eager, compiled = times = step_times(options.seed)
    print(f"\nA step of 32 digits takes {1000 * eager:.1f} ms node by node, {1000 * compiled:.3f} ms compiled:")
    print(f"the compiled one is {eager / compiled:.0f} times as fast.")
    with rc_context({"svg.hashsalt": "glassgrad"}):
        draw(groups, times, options.level).savefig(options.output, metadata={"Date": None})

    plain, *better = by_optimizer.values()
    *small, whole = by_size.values()
    helped = (
        all(found.losses[-1] < options.level and found.steps < plain.steps for found in better)
        and all(len(found.losses) < len(whole.losses) for found in small[:2])
        and compiled < eager
    )
    print(f"Better optimizers need fewer steps, mini-batches fewer epochs: {'yes' if helped else 'NOT seen'}.")
    print(f"The losses: {options.output}")
    return 0 if helped else 1


if __name__ == "__main__":
    raise SystemExit(main())
