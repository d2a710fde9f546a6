"""A million nodes, deep or shared: built, differentiated, shown, copied, pickled, freed. And complexity."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import tracemalloc
from collections.abc import Callable

import pytest

from engine import Value, functions
from engine.graph import topological_order

MILLION = 1_000_000


def chain(nodes: int) -> tuple[Value, Value]:
    x = y = Value(0.5)
    for _ in range(nodes // 2):
        y = -y
    for _ in range(nodes - nodes // 2):
        y = y.sin()
    return x, y


def shared(nodes: int) -> tuple[Value, Value]:
    """Each node uses the one before it twice: 2**nodes paths."""
    x = y = Value(0.5)
    for _ in range(nodes):
        y = y.maximum(y)
    return x, y


@pytest.mark.skipif(sys.gettrace() is not None, reason="takes minutes where every line is watched, as for coverage")
@pytest.mark.parametrize(("build", "gradient"), [(chain, None), (shared, 1.0)])
def test_a_million_nodes(build: Callable[[int], tuple[Value, Value]], gradient: float | None) -> None:
    gc.disable()  # rescanning the live graph would be most of the time
    try:
        x, y = build(MILLION)
        y.backward()
        assert x.grad == gradient or (gradient is None and x.grad != 0.0)
        assert repr(y).startswith("Value(")
        assert y.describe()
        assert len(topological_order(y)) == MILLION + 1
        for duplicate in (copy.deepcopy(y), pickle.loads(pickle.dumps(y))):
            assert (duplicate.data, duplicate.grad) == (y.data, y.grad)
            order = topological_order(duplicate)
            assert len(order) == MILLION + 1
            assert order[0] is not x
            assert order[0].grad == x.grad
            del order
        del duplicate
        before = sys.getallocatedblocks()
        del y
        assert sys.getallocatedblocks() < before - MILLION, "freed by reference counting alone"
    finally:
        gc.enable()


def test_no_cycles() -> None:
    """Everything is freed without the cyclic collector, after backward, an exception in it, and a copy."""

    def alive() -> int:
        return sum(type(thing) is Value for thing in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = alive()
        for _ in range(2):
            x = Value(2.0)
            loss = functions.sum([functions.softmax([x, x * x])[0], functions.dot([x, 1.0], [x, x])])
            loss.backward()
            copy.deepcopy(loss)
            pickle.loads(pickle.dumps(loss))
            with pytest.raises(TypeError):
                loss.backward("no")  # type: ignore[arg-type]
            del loss, x
        assert alive() == before
    finally:
        gc.enable()


@pytest.mark.parametrize("name", ["sum", "dot", "prod", "max", "mean", "logsumexp", "norm", "var", "min"])
def test_variadic_operations_are_linear(name: str) -> None:
    """Ten times the operands take about ten times the memory (sets grow in jumps), not a hundred times."""

    def peak(count: int) -> int:
        xs = [Value(1.0 + i / count) for i in range(count)]
        lists = (xs, xs) if name == "dot" else (xs,)
        tracemalloc.start()
        node = getattr(functions, name)(*lists)
        node.backward()
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(10)
    assert peak(20_000) < 20 * peak(2_000)


def test_work_is_linear_in_nodes_and_edges() -> None:
    """Counted, not timed: function calls and lines executed in a backward pass over a graph ten times as large."""

    def lines(nodes: int) -> int:
        _, y = shared(nodes)
        count = 0

        def trace(frame: object, event: str, argument: object) -> object:
            nonlocal count
            count += 1
            return trace

        old = sys.gettrace()
        sys.settrace(trace)  # type: ignore[arg-type]
        try:
            y.backward()
        finally:
            sys.settrace(old)
        return count

    assert lines(10_000) < 11 * lines(1_000)
