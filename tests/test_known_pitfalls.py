"""What goes wrong in published engines like this one: none of it happens here.

Each row is a mistake, as code that makes it (`faulty`), and a check. The check must pass on the engine and fail on the
faulty variant: a test that could not fail would show nothing.
"""

from __future__ import annotations

import copy
import gc
import math
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from faulty import Assigns, DepthFirst, DoubleCounts, Faulty, ParentSet

from engine import Value, no_grad

Make = Callable[[float], Any]


def second_backward(make: Make) -> None:
    x = make(3.0)
    y = x * x * x
    y.backward()
    y.backward()
    assert x.grad == 54.0
    x.grad = 0.0
    y.backward()
    assert x.grad == 27.0


def used_twice(make: Make) -> None:
    a = make(3.0)
    (a + a).backward()
    assert a.grad == 2.0


def squared(make: Make) -> None:
    a = make(3.0)
    y = a * a
    y.backward()
    assert len(y.parents) == 2
    assert a.grad == 6.0


def residual(make: Make) -> None:
    x = make(2.0)
    h = x * x
    (h * 3 + h).backward()
    assert x.grad == 16.0


def leaf_changed_late(make: Make) -> None:
    x, w = make(2.0), make(5.0)
    y = x * w
    x.data = 100.0
    y.backward()
    assert w.grad == 2.0


def reflected_division(make: Make) -> None:
    assert (1.0 / make(4.0)).data == 0.25


def logarithm(make: Make) -> None:
    x = make(4.0)
    x.log().backward()
    assert x.grad == 0.25


def counted_once(make: Make) -> None:
    a, b = make(1.0), make(2.0)
    (a + b + a).backward()
    assert a.grad == 2.0


def starting_gradient(make: Make) -> None:
    x = make(3.0)
    (x * 2).backward(0.5)
    assert x.grad == 1.0


def nan_passes_relu(make: Make) -> None:
    assert math.isnan(make(math.nan).relu().data)


def power_is_ieee(make: Make) -> None:
    assert math.isnan((make(-8.0) ** (1 / 3)).data)
    assert (make(0.0) ** -1).data == math.inf
    assert (make(1e200) ** 2).data == math.inf


def division_by_zero(make: Make) -> None:
    assert (make(1.0) / make(0.0)).data == math.inf


def overflow_is_inf(make: Make) -> None:
    assert make(1000.0).exp().data == math.inf


def stable_softplus(make: Make) -> None:
    assert make(1000.0).softplus().data == 1000.0


def stable_sigmoid(make: Make) -> None:
    assert make(-1000.0).sigmoid().data == 0.0


def zero_to_the_zero(make: Make) -> None:
    x = make(0.0)
    y = x**0
    y.backward()
    assert (y.data, x.grad) == (1.0, 0.0)


def deep_backward(make: Make) -> None:
    x = y = make(1.0)
    for _ in range(5000):
        y = y + x
    y.backward()
    assert x.grad == 5001.0


def deep_copies(make: Make) -> None:
    x = y = make(1.0)
    for _ in range(5000):
        y = y + x
    copy.deepcopy(y)
    pickle.loads(pickle.dumps(y))


def a_copy_is_connected(make: Make) -> None:
    x = make(3.0)
    a, y = copy.deepcopy((x, x * 2))
    y.backward()
    assert (a.grad, x.grad) == (2.0, 0.0)


def pickles(make: Make) -> None:
    pickle.loads(pickle.dumps(make(3.0) * 2))


def arrays_stay_outside(make: Make) -> None:
    assert isinstance(make(1.0) + np.ones(2), np.ndarray)


def text_is_refused(make: Make) -> None:
    with pytest.raises(TypeError):
        make("a") + make("b")  # type: ignore[arg-type]


def freed_without_the_collector(make: Make) -> None:
    def alive() -> int:
        return sum(type(thing) is kind for thing in gc.get_objects())

    kind = type(make(1.0))
    gc.collect()
    gc.disable()
    try:
        before = alive()
        y = make(1.0) * 2
        y.backward()
        del y
        assert alive() == before
    finally:
        gc.enable()
        gc.collect()


PITFALLS: list[tuple[str, Callable[[Make], None], Make]] = [
    ("1 a second backward", second_backward, Faulty),
    ("2 = for +=", used_twice, Assigns),
    ("2 a repeated operand is one edge", squared, ParentSet),
    ("3 no topological sort", residual, DepthFirst),
    ("4 closures that read late", leaf_changed_late, Faulty),
    ("5 1.0 / x is x", reflected_division, Faulty),
    ("5 log divides by the result", logarithm, Faulty),
    ("6 double counting", counted_once, DoubleCounts),
    ("7 the starting gradient", starting_gradient, Faulty),
    ("8 relu hides nan", nan_passes_relu, Faulty),
    ("9 powers that raise or turn complex", power_is_ieee, Faulty),
    ("9 0 ** 0", zero_to_the_zero, Faulty),
    ("9 1 / 0 raises", division_by_zero, Faulty),
    ("9 exp(1000) raises", overflow_is_inf, Faulty),
    ("10 log(1 + exp(x))", stable_softplus, Faulty),
    ("10 1 / (1 + exp(-x))", stable_sigmoid, Faulty),
    ("12 recursion in backward", deep_backward, Faulty),
    ("12 recursion in copies", deep_copies, Faulty),
    ("13 deepcopy disconnects closures", a_copy_is_connected, Faulty),
    ("13 pickle raises", pickles, Faulty),
    ("14 Value + ndarray is one node", arrays_stay_outside, Faulty),
    ("14 Value('a') works", text_is_refused, Faulty),
    ("16 reference cycles", freed_without_the_collector, Faulty),
]


@pytest.mark.parametrize(("check", "faulty"), [row[1:] for row in PITFALLS], ids=[row[0] for row in PITFALLS])
def test_it_does_not_happen_here(check: Callable[[Make], None], faulty: Make) -> None:
    check(Value)
    with pytest.raises(
        (AssertionError, ArithmeticError, AttributeError, RecursionError, TypeError, pytest.fail.Exception)
    ):
        check(faulty)


def test_5_matmul_keeps_its_operands_in_order() -> None:
    rows = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]], dtype=object)
    plain = np.array([[0.0, 1.0], [1.0, 1.0]])
    numbers = np.vectorize(float, otypes=[float])
    assert (numbers(rows @ plain) == numbers(rows) @ plain).all()
    assert (numbers(plain @ rows) == plain @ numbers(rows)).all()


def test_11_an_exception_inside_no_grad() -> None:
    @contextmanager
    def forgetful() -> Iterator[None]:
        guard.__enter__()
        yield
        guard.__exit__()

    def records_after(block: Callable[[], Any]) -> bool:
        with pytest.raises(KeyError), block():
            raise KeyError
        return bool((Value(1.0) * 2).parents)

    guard = no_grad()
    assert records_after(no_grad)
    assert not records_after(forgetful)
    guard.__exit__()
    assert (Value(1.0) * 2).parents


def test_16_a_million_path_graph_is_gone_when_its_root_is() -> None:
    y = Value(1.0)
    for _ in range(20_000):
        y = y.maximum(y)
    y.backward()
    before = sys.getallocatedblocks()
    del y
    assert sys.getallocatedblocks() < before - 20_000
