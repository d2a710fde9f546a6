"""Nanoseconds and bytes per operation of the eager engine, beside what a user would otherwise use.

    python -m pytest tests/benchmarks/bench_eager.py --benchmark-only      # pytest-benchmark's table
    python tests/benchmarks/bench_eager.py                                 # the ratios, interleaved, in markdown

Peers: micrograd 0.1.0, a node in the style of microgpt (tuples of children and local gradients, recursive sort,
written here), and PyTorch scalars. All build the same expression and run backward; with the cyclic collector on and
off, alike for all. Needs the `bench` extra. A wide expression: recursive peers cannot go deep.
"""

from __future__ import annotations

import gc
import math
import platform
import random
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

import nn
from engine import Value

OPERATIONS = 100_000


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


def makers() -> dict[str, Callable[[float], Any]]:
    """A variable of each engine that is installed."""
    found: dict[str, Callable[[float], Any]] = {"glassgrad": Value, "microgpt style": Node}
    try:
        from micrograd.engine import Value as Micrograd

        Micrograd.tanh = Micrograd.relu  # it has no tanh
        found["micrograd"] = Micrograd
    except ImportError:
        pass
    try:
        import torch

        torch.set_num_threads(1)
        found["torch scalars"] = lambda x: torch.tensor(x, dtype=torch.float64, requires_grad=True)
    except ImportError:
        pass
    return found


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
        for fan_in, width in zip(sizes, sizes[1:], strict=False)
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
    examples = [[generator.uniform(-1, 1), generator.uniform(-1, 1)] for _ in range(20)]
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


def import_milliseconds(code: str) -> float:
    timed = f"import time; start = time.process_time(); {code}; print((time.process_time() - start) * 1e3)"
    return float(subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True).stdout)


def main(rounds: int = 7) -> None:
    """Print the table; peers are measured in turn within each round, so drift of the machine hits all alike."""
    names = makers()
    print(
        f"{platform.processor() or platform.machine()}, Python {platform.python_version()}; medians of {rounds} rounds"
    )
    print(
        "\n| engine | collector | forward ns/op | backward ns/op | glassgrad / it | bytes/op |\n|---|---|---|---|---|---|"
    )
    size = {name: bytes_per_operation(make) for name, make in names.items()}
    for collector in ("on", "off"):
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
        for _ in range(rounds):
            for name, make in names.items():
                gc.collect()
                (gc.enable if collector == "on" else gc.disable)()
                operations = OPERATIONS if name != "torch scalars" else OPERATIONS // 10
                times[name].append(forward_and_backward(make, operations))
                gc.enable()
        ours = [sum(pair) for pair in times["glassgrad"]]
        for name, pairs in times.items():
            forward, backward = (statistics.median(pair[k] for pair in pairs) * 1e9 for k in (0, 1))
            ratio = statistics.median(o / sum(pair) for o, pair in zip(ours, pairs, strict=True))
            print(f"| {name} | {collector} | {forward:.0f} | {backward:.0f} | {ratio:.2f} | {size[name]:.0f} |")

    steps = {"values": network_of_values(*network_data()), "nodes": network_of_nodes(*network_data())}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(3 * rounds):
        for name, step in steps.items():
            start = time.process_time()
            step()
            seconds[name].append(time.process_time() - start)
    ratio = statistics.median(n / v for v, n in zip(seconds["values"], seconds["nodes"], strict=True))
    values, nodes = (statistics.median(seconds[name]) * 1e3 for name in ("values", "nodes"))
    print(
        f"\n2-16-16-1 network, 20 examples, loss and gradients: {values:.1f} ms through nn, {nodes:.1f} ms in microgpt"
    )
    print(f"style: {ratio:.1f} times faster.")
    loads = {
        code: [import_milliseconds(code) for _ in range(11)]
        for code in ("import engine", "import json", "import numpy")
    }
    print("\n" + ", ".join(f"{code}: {statistics.median(times):.1f} ms" for code, times in loads.items()))


if __name__ == "__main__":
    main()
