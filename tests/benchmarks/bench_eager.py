"""Nanoseconds and bytes per operation of the eager engine, beside what a user would otherwise use.

    python -m pytest tests/benchmarks/bench_eager.py --benchmark-only      # pytest-benchmark's table
    python tests/benchmarks/bench_eager.py                                 # the ratios, interleaved, in markdown

Peers: micrograd 0.1.0, a node in the style of microgpt (tuples of children and local gradients, recursive sort,
written here), and PyTorch scalars. All build the same expression and run backward; with the cyclic collector on and
off, alike for all. Needs the `bench` extra. A wide expression: recursive peers cannot go deep.
"""

from __future__ import annotations

import gc
import importlib.util
import itertools
import math
import platform
import random
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nn
from engine import Value

OPERATIONS = 100_000
HERE = Path(__file__).parent


class Node:
    """A scalar node as microgpt has it."""

    __slots__ = ("_children", "_local_grads", "data", "grad")

    def __init__(self, data: float, children: tuple[Node, ...] = (), local_grads: tuple[float, ...] = ()) -> None:
        self.data = data
        self.grad = 0.0
        self._children = children
        self._local_grads = local_grads

    def __add__(self, other: Any) -> Node:
        other = other if isinstance(other, Node) else Node(other)
        return Node(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other: Any) -> Node:
        other = other if isinstance(other, Node) else Node(other)
        return Node(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, other: float) -> Node:
        return Node(self.data**other, (self,), (other * self.data ** (other - 1),))

    def tanh(self) -> Node:
        t = math.tanh(self.data)
        return Node(t, (self,), (1 - t * t,))

    def relu(self) -> Node:
        return Node(max(0, self.data), (self,), (float(self.data > 0),))

    def __radd__(self, other: Any) -> Node:
        return self + other

    def __rmul__(self, other: Any) -> Node:
        return self * other

    def __sub__(self, other: Any) -> Node:
        return self + (-other)

    def backward(self) -> None:
        order: list[Node] = []
        visited: set[Node] = set()

        def build(node: Node) -> None:
            if node not in visited:
                visited.add(node)
                for child in node._children:
                    build(child)
                order.append(node)

        build(self)
        self.grad = 1.0
        for node in reversed(order):
            for child, local_grad in zip(node._children, node._local_grads):  # noqa: B905  # as it is written there
                child.grad += local_grad * node.grad


def _micrograd(x: float) -> Any:
    from micrograd.engine import Value as Micrograd

    Micrograd.tanh = Micrograd.relu  # it has no tanh
    return Micrograd(x)


def _torch(x: float) -> Any:
    import torch

    torch.set_num_threads(1)
    return torch.tensor(x, dtype=torch.float64, requires_grad=True)


def makers() -> dict[str, Callable[[float], Any]]:
    """A variable of each engine that is installed; each is imported when it is first used."""
    peers = {"micrograd": ("micrograd", _micrograd), "torch scalars": ("torch", _torch)}
    installed = {name: make for name, (module, make) in peers.items() if importlib.util.find_spec(module)}
    return {"glassgrad": Value, "microgpt style": Node, **installed}


def expression(make: Callable[[float], Any], operations: int) -> Any:
    """sum of tanh(w * x + b) in a balanced tree: 3 operations a term and 1 to add it, shared variables."""
    generator = random.Random(0)
    variables = [make(generator.uniform(-1.0, 1.0)) for _ in range(60)]
    terms = [
        (variables[i % 60] * variables[i * 7 % 59] + variables[i * 11 % 58]).tanh() for i in range(operations // 4)
    ]
    while len(terms) > 1:
        terms = [terms[i] + terms[i + 1] if i + 1 < len(terms) else terms[i] for i in range(0, len(terms), 2)]
    return terms[0]


def forward_and_backward(make: Callable[[float], Any], operations: int = OPERATIONS) -> tuple[float, float]:
    """Processor seconds per operation, forward and backward."""
    start = time.process_time()
    result = expression(make, operations)
    middle = time.process_time()
    result.backward()
    end = time.process_time()
    return (middle - start) / operations, (end - middle) / operations


def bytes_per_operation(make: Callable[[float], Any], operations: int = 20_000) -> float:
    """What one more operation allocates, after backward: Python objects only."""
    expression(make, 100).backward()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    result = expression(make, operations)
    result.backward()
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / operations


def network_of_nodes(examples: list[list[float]], targets: list[float]) -> Callable[[], Any]:
    """Loss and gradients of a 2-16-16-1 network, written out in binary operations as microgpt has them."""
    generator = random.Random(0)
    sizes = [2, 16, 16, 1]
    layers = [
        [([Node(generator.gauss(0, 0.5)) for _ in range(fan_in)], Node(0.0)) for _ in range(width)]
        for fan_in, width in itertools.pairwise(sizes)
    ]

    def step() -> Any:
        errors = []
        for x, y in zip(examples, targets, strict=True):
            values: list[Any] = [Node(number) for number in x]
            for depth, layer in enumerate(layers):
                sums = [sum((wi * xi for wi, xi in zip(w, values, strict=True)), b) for w, b in layer]
                values = [s.relu() for s in sums] if depth < 2 else sums
            errors.append((values[0] - y) ** 2)
        loss = sum(errors[1:], errors[0]) * (1 / len(errors))
        loss.backward()
        return loss

    return step


def network_of_values(examples: list[list[float]], targets: list[float]) -> Callable[[], Any]:
    """The same through `nn`: sums and dots are single nodes."""
    model = nn.MLP(2, [16, 16, 1], "relu", seed=0)

    def step() -> Any:
        loss = nn.mse([model(x)[0] for x in examples], targets)
        loss.backward()
        return loss

    return step


def network_data() -> tuple[list[list[float]], list[float]]:
    generator = random.Random(1)
    examples = [[generator.uniform(-1, 1), generator.uniform(-1, 1)] for _ in range(100)]
    return examples, [x * y for x, y in examples]


# --- under pytest-benchmark


@pytest.mark.parametrize("collector", ["on", "off"])
@pytest.mark.parametrize("name", list(makers()))
def bench_forward_and_backward(benchmark: Any, name: str, collector: str) -> None:
    make = makers()[name]
    operations = OPERATIONS if name != "torch scalars" else OPERATIONS // 10
    benchmark.extra_info["bytes per operation"] = bytes_per_operation(make)
    (gc.enable if collector == "on" else gc.disable)()
    try:
        benchmark.pedantic(forward_and_backward, args=(make, operations), rounds=3, warmup_rounds=1)
    finally:
        gc.enable()


@pytest.mark.parametrize("network", [network_of_values, network_of_nodes])
def bench_network(benchmark: Any, network: Callable[..., Callable[[], Any]]) -> None:
    benchmark(network(*network_data()))


# --- the table of ratios


def alone(code: str) -> list[float]:
    """Numbers printed by code that runs in a process of its own: nobody else's objects for the collector to visit."""
    prelude = "import gc, time; from bench_eager import *; "
    done = subprocess.run([sys.executable, "-c", prelude + code], capture_output=True, text=True, check=True, cwd=HERE)
    return [float(number) for number in done.stdout.split()]


def ratio(ours: list[float], theirs: list[float]) -> float:
    """The median of round-by-round ratios: drift of the machine hits both sides of a round alike."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def nodes_table(rounds: int) -> None:
    print(
        "| engine | collector | forward ns/op | backward ns/op | glassgrad / it | bytes/op |\n|---|---|---|---|---|---|"
    )
    size = {name: alone(f"print(bytes_per_operation(makers()[{name!r}]))")[0] for name in makers()}
    for collector, setting in (("on", "gc.enable()"), ("off", "gc.disable()")):
        times: dict[str, list[list[float]]] = {name: [] for name in size}
        for _ in range(rounds):
            for name, rows in times.items():
                count = OPERATIONS if name != "torch scalars" else OPERATIONS // 10
                first = f"make = makers()[{name!r}]; make(1.0) * 2; {setting}; "
                rows.append(alone(first + f"print(*forward_and_backward(make, {count}))"))
        ours = [sum(row) for row in times["glassgrad"]]
        for name, rows in times.items():
            forward, backward = (statistics.median(row[k] for row in rows) * 1e9 for k in (0, 1))
            share = ratio(ours, [sum(row) for row in rows])
            print(f"| {name} | {collector} | {forward:.0f} | {backward:.0f} | {share:.2f} | {size[name]:.0f} |")


def network_table(rounds: int) -> None:
    print("\n| 2-16-16-1 network, 100 examples | collector | through nn, ms | microgpt style, ms | times faster |")
    print("|---|---|---|---|---|")
    code = "s = {}(*network_data()); s(); {}; t = time.process_time(); s(); s(); print((time.process_time() - t) * 500)"
    for collector, setting in (("on", "gc.enable()"), ("off", "gc.disable()")):
        ours, theirs = [], []
        for _ in range(rounds):
            ours += alone(code.format("network_of_values", setting))
            theirs += alone(code.format("network_of_nodes", setting))
        values, nodes = statistics.median(ours), statistics.median(theirs)
        print(f"| loss and gradients | {collector} | {values:.1f} | {nodes:.1f} | {ratio(theirs, ours):.1f} |")


def main(rounds: int = 7) -> None:
    """Print the tables; peers are measured in turn within each round."""
    print(f"{platform.machine()}, Python {platform.python_version()}; medians of {rounds} rounds, a process each\n")
    nodes_table(rounds)
    network_table(rounds)
    timed = "import time; start = time.process_time(); import {}; print((time.process_time() - start) * 1e3)"
    for name in ("engine", "json", "numpy"):
        command = [sys.executable, "-c", timed.format(name)]
        runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2 * rounds)]
        print(f"\nimport {name}: {statistics.median(map(float, runs)):.1f} ms", end="")
    print()


if __name__ == "__main__":
    main()
