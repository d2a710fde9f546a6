"""Compiled functions beside hand-written NumPy, straight-line Python and other engines.

    python tests/benchmarks/bench_compiler.py                  # all rows, in markdown
    python tests/benchmarks/bench_compiler.py moons xor        # some; --quick for fewer rounds
    python tests/benchmarks/bench_compiler.py compilation      # microseconds per scalar node
    python tests/benchmarks/bench_compiler.py choice           # which executor the costs choose, and which is faster

Every contender trains or computes the same numbers (1e-10 apart at most in float64, 1e-4 in float32), which is checked
before it is timed. One core, processor time, contenders in turn within each round; shown are medians of rounds, and
medians of round-by-round ratios. Needs the `bench` extra; a peer that is not installed is left out.
"""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"], "1"))
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"

import argparse
import gc
import platform
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import compiler_formulas as formulas
import compiler_networks as networks
import compiler_points as points
import numpy as np
from compiler_training import Array, Row, as_values, layers_of

import engine
import nn
from engine import functions

ROWS: dict[str, Callable[[], Row]] = {
    "moons": points.moons,
    "xor": points.xor,
    "classifier32": partial(networks.classifier, (784, 64, 64, 10), 64, "float32", 1.15),
    "classifier64": partial(networks.classifier, (784, 64, 64, 10), 64, "float64", 1.15),
    "small32": partial(networks.classifier, (784, 10, 10), 32, "float32", 1.1),
    "small64": partial(networks.classifier, (784, 10, 10), 32, "float64", 1.1),
    "transformer": networks.transformer,
    "rosenbrock": formulas.rosenbrock,
    "logistic": formulas.logistic,
    "options": formulas.black_scholes,
    "lotka": formulas.lotka_volterra,
}
NAMES = ["ours", "numpy", "python", "generated", "micrograd", "torch", "jax", "autograd", "casadi"]
PEERS = NAMES[4:]
MICROSECONDS_A_NODE = 6.0
PATIENCE = 0.1  # seconds that a contender runs in a round, at least one step: caches are warm in most of them


def agreeing(row: Row, steps: int = 3) -> dict[str, Any]:
    """The contenders, made and stepped a few times; whoever computes other numbers is left out, loudly."""
    made, results = {}, {}
    for name, make in row.contenders.items():
        try:
            made[name] = make()
        except ImportError:
            continue
        count = 1 if isinstance(made[name], points.Training) else steps
        for _ in range(count):
            made[name].step()
        results[name] = made[name].result()
    true = results[row.against]
    for name, result in results.items():
        apart = float(np.max(np.abs(result - true)) / max(1.0, float(np.max(np.abs(true)))))
        if not apart <= row.tolerance:
            print(f"\n**{row.title}: {name} is {apart:.1e} apart from {row.against}**\n")
            del made[name]
    return made


def seconds(step: Callable[[], None], count: int) -> float:
    start = time.process_time()
    for _ in range(count):
        step()
    return (time.process_time() - start) / count


def measured(row: Row, rounds: int) -> dict[str, list[float]]:
    """Seconds of a step for each contender, round by round; slow ones are measured in the first rounds only."""
    contenders = agreeing(row)
    counts = {name: max(1, int(PATIENCE / max(1e-7, seconds(c.step, 1)))) for name, c in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for k in range(rounds):
        for name, contender in contenders.items():
            if k < 3 or times[name][0] < 0.3:
                gc.collect()
                times[name].append(seconds(contender.step, counts[name]))
    return times


def ratio(ours: list[float], theirs: list[float]) -> float:
    """The median of round-by-round ratios: drift of the machine hits both sides of a round alike."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=False))


def show(row: Row, rounds: int) -> str:
    times = measured(row, rounds)
    medians = {name: statistics.median(found) for name, found in times.items()}
    cells = [text_of(medians[name]) if name in medians else "–" for name in NAMES]
    if "ours" not in times:
        return f"| {row.title} | {' | '.join(cells)} | – | – | <= {row.aim} | **no** |"
    against = ratio(times["ours"], times[row.against])
    best = min((medians[name], name) for name in PEERS if name in medians)[1] if medians.keys() & set(PEERS) else ""
    beside = f"{ratio(times['ours'], times[best]):.2f} ({best})" if best else "–"
    met = "yes" if against <= row.aim else "**no**"
    aim = f"<= {row.aim} of {row.against}"
    return f"| {row.title} | {' | '.join(cells)} | {against:.2f} | {beside} | {aim} | {met} |"


def text_of(found: float) -> str:
    for size, unit in ((1.0, "s"), (1e-3, "ms")):
        if found >= size:
            return f"{found / size:.3g} {unit}"
    return f"{found * 1e6:.3g} us"


def typical(work: Callable[[], object], rounds: int) -> float:
    """Seconds of processor time, the median of some rounds."""
    times = []
    for _ in range(rounds):
        gc.collect()
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times)


def compilation(largest: int) -> None:
    """Trace, compile and first gradient of the moons loss over more and more examples."""
    print("| nodes | eager, us/node | trace + compile + first gradient, us/node | of it, compiled | aim |")
    print("|---|---|---|---|---|")
    chance, sizes = np.random.default_rng(0), [1000, *(10**k for k in range(3, 7) if 10**k <= largest)]
    for k, nodes in enumerate(sizes):
        places = chance.normal(size=(max(1, nodes // 680), 2))
        values = [as_values(table) for table in layers_of(2, 16, 16, 1)]
        loss = points.scalar_moons(values, places, np.ones(len(places)))
        count = len(engine.graph.topological_order(loss()))
        rounds = max(1, min(15, 300_000 // count))
        eager = typical(loss, rounds) / count * 1e6
        whole = typical(lambda loss=loss: engine.compile(loss, backend="numpy").value_and_grad(), rounds) / count * 1e6
        met = "yes" if whole <= MICROSECONDS_A_NODE else "**no**"
        if not k:  # modules are imported, rules are read
            continue
        print(
            f"| {count:,} | {eager:.2f} | {whole:.2f} | {whole - eager:.2f} | <= {MICROSECONDS_A_NODE} {met} |",
            flush=True,
        )
    print()


def choices() -> dict[str, tuple[Any, list[tuple[Array, ...]]]]:
    """Functions of one example with batches of several sizes."""
    chance = np.random.default_rng(0)

    def network(*sizes: int, activation: str) -> Any:
        model = nn.MLP(sizes[0], sizes[1:], activation, seed=0)
        return lambda x, y: functions.square(model(x)[0] - y)

    def logistic() -> Any:
        model = nn.MLP(30, [1], seed=0)
        return lambda x, y: functions.softplus(model(x)[0] * y)

    def batches(width: int, *sizes: int) -> list[tuple[Array, ...]]:
        return [(chance.normal(size=(n, width)), chance.normal(size=n)) for n in sizes]

    digits = [(chance.random((n, 784)), np.eye(10)[chance.integers(0, 10, n)]) for n in (1, 32)]
    return {
        "2-3-1, sigmoid": (network(2, 3, 1, activation="sigmoid"), batches(2, 1, 4, 16, 32, 64, 256)),
        "2-16-16-1, relu": (network(2, 16, 16, 1, activation="relu"), batches(2, 1, 4, 32)),
        "784-10-10": (networks.models.classifier((784, 10, 10)), digits),
        "logistic, 30 inputs": (logistic(), batches(30, 1, 4, 10, 30, 100, 569)),
        "Lotka-Volterra, 20 steps": (networks.models.lotka_volterra(20), [()]),
        "Lotka-Volterra, 200 steps": (networks.models.lotka_volterra(200), [()]),
    }


def choice(rounds: int) -> None:
    """What the costs predict for either executor, what it takes, and what a wrong choice costs."""
    print("\n| function | examples | python, predicted | measured | numpy, predicted | measured | chosen | lost |")
    print("|---" * 8 + "|")
    for title, (function, batches) in choices().items():
        for batch in batches:
            made = {name: engine.compile(function, backend=name) for name in ("python", "numpy")}
            steps = {name: compiled.bind(*batch).value_and_grad for name, compiled in made.items()}
            times = {}
            for name, step in steps.items():
                count = max(1, int(PATIENCE / min(seconds(step, 1) for _ in range(3))))
                times[name] = statistics.median(seconds(step, count) for _ in range(rounds))
            size = len(batch[0]) if batch else 1
            costs = made["numpy"]._known().costs
            chosen = costs.choice(size)
            print(
                f"| {title} | {size} | {text_of(costs.python(size) * 1e-6)} | {text_of(times['python'])} "
                f"| {text_of(costs.arrays(size) * 1e-6)} | {text_of(times['numpy'])} "
                f"| {chosen} | {times[chosen] / min(times.values()):.2f} |",
                flush=True,
            )


def machine() -> str:
    found = [f"{platform.machine()}, one core", f"Python {platform.python_version()}"]
    for name in ("numpy", "scipy", "torch", "jax", "casadi", "autograd", "micrograd"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Measure compiled functions beside others.")
    known = ["compilation", *ROWS, "choice"]
    parser.add_argument("rows", nargs="*", help=f"of {', '.join(known)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller graphs")
    options = parser.parse_args(arguments)
    unknown = set(options.rows) - set(known)
    if unknown:
        parser.error(f"there is no row {min(unknown)!r}; choose from {', '.join(known)}")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])
    sys.setrecursionlimit(100_000)  # micrograd sorts by recursion
    chosen = options.rows or known
    rounds = 5 if options.quick else 15
    print(f"{machine()}; medians of {rounds} rounds\n")
    if "compilation" in chosen:  # first, as for a user: no peer is imported yet
        compilation(100_000 if options.quick else 1_000_000)
    if ROWS.keys() & set(chosen):
        print(f"| work | {' | '.join(NAMES)} | ours / hand | ours / best peer | aim | met |")
        print("|---" * (len(NAMES) + 5) + "|")
    for name in chosen:
        if name in ROWS:
            print(show(ROWS[name](), rounds), flush=True)
    if "choice" in chosen:
        choice(rounds)


if __name__ == "__main__":
    main()
