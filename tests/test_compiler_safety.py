"""What compiled functions refuse, and what they survive: numbers that would freeze, errors, modes, threads."""

from __future__ import annotations

import copy
import gc
import itertools
import math
import pickle
import random
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from agreement import BACKENDS, both

import engine
from engine import TracingError, Value, constant, functions
from engine.compiler import array_parts

W = Value(2.0, label="w")
times_w = engine.compile(lambda x: W * x)


def backwards(x: Value) -> Value:
    (W * x).backward()
    return x


def sets(x: Value) -> Value:
    W.data = 5.0
    return x


GENERATORS: dict[str, Callable[[], Any]] = {
    "random": random.Random(0).random, "numpy": np.random.default_rng(0).random,
    "legacy": np.random.RandomState(0).rand,
    "system": random.SystemRandom().random, "counter": iter(range(100)).__next__,
}  # fmt: skip

REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "comparison": (lambda x: x if x > 0 else -x, "> takes a number .* use where"),
    "reflected comparison": (lambda x: x if 0 <= x else -x, ">= takes"),  # noqa: SIM300  # the number comes first
    "comparison of two": (lambda x: constant(1.0) <= x, "<= takes"),
    "at least": (lambda x: x >= 1, ">= takes"),
    "truth": (lambda x: x or 1.0, "a branch or bool"),
    "float": (lambda x: x * float(x), "float.. takes"),
    "data": (lambda x: x * x.data, ".data takes a number .* use the Value itself"),
    "int": (lambda x: int(x) * x, "use engine.functions.floor"),
    "round": (lambda x: round(x) * x, "round"),
    "floor": (lambda x: math.floor(x) * x, "floor"),
    "ceil": (lambda x: math.ceil(x) * x, "ceil"),
    "trunc": (lambda x: math.trunc(x) * x, "trunc"),
    "max": (lambda x: max(x, x * 2), "takes a number"),
    "detach": (lambda x: x.detach() * x, "an input of its own"),
    "no_grad": (engine.no_grad(lambda x: x * 2), "no_grad.. takes"),
    "parameter": (lambda x, w=Value(2.0): x * float(w), "float"),  # noqa: B008  # a parameter of its own
    "python random": (lambda x: x * random.random(), "got one in .*test_compiler_safety.py.*random_input"),
    "python gauss": (lambda x: x * random.gauss(0, 1) * engine.random_input(), "got one in .*test_compiler_safety.py"),
    "numpy random": (lambda x: x * np.random.rand(), "random number"),
    "module of functions": (lambda x: math.sin(x) * x, "float"),
    "NumPy scalar": (lambda x: np.float64(x) * x, "float"),
    "sorting": (lambda x: sorted([x, W * x])[0], "< takes"),
    "gradient": (lambda x: W.grad * x, "grad takes .* use engine.grad"),
    "partial": (lambda x: (W * x).partials[0] * x, "partials takes .* use engine.grad"),
    "backward": (backwards, "backward.. takes"),
    "setting": (sets, "setting .data takes .* outside"),
    "copy": (lambda x: copy.copy(x) * W, "copy.. takes"),
    "deep copy": (lambda x: copy.deepcopy(W) * x, "deepcopy.. takes"),
    "pickle": (lambda x: pickle.loads(pickle.dumps(W)) * x, "a pickle takes"),
    "compiled": (lambda x: times_w([3.0])[0] * x, "got a call of <lambda>; call the function"),
    "compiled, of the input": (lambda x: times_w([x])[0], "got a call of"),
    "compiled inside": (lambda x: engine.compile(lambda y: y * W)([3.0])[0] * x, "got a call of"),
    "gradient of compiled": (lambda x: times_w.value_and_grad([3.0])[0] * x, "got a call of"),
    "other examples": (lambda x: x * x._data, "something else for another example"),
    "a little": (lambda x, g=random.Random(0): x + 1e-6 * g.random(), "something else"),  # noqa: B008
    "structure": (lambda x, seen=[]: [x] * (seen.append(0) or len(seen)), "as many Values"),
}  # fmt: skip


@pytest.mark.parametrize(("function", "message"), REFUSED.values(), ids=REFUSED)
@both
def test_what_would_freeze_one_example_is_refused(function: Callable[[Any], Any], message: str, backend: str) -> None:
    assert gc.isenabled()
    with pytest.raises(TracingError, match=message):
        engine.compile(function, backend=backend)([1.5, -2.5, 3.0])
    assert gc.isenabled()
    assert Value(2.0) > 1
    assert (W.data, W.grad) == (2.0, 0.0)


@both
@pytest.mark.parametrize("draw", GENERATORS.values(), ids=GENERATORS)
@pytest.mark.parametrize("batch", [(), ([1.0],), ([1.0, 1.0],), ([1.0] * 5,)], ids=lambda batch: str(len(batch)))
def test_what_changes_of_itself_is_refused(draw: Callable[[], Any], batch: Sequence[Any], backend: str) -> None:
    """Generators of one's own have no state that could be watched; an example may be the only one."""
    compiled = engine.compile(lambda *x: W * float(draw()) + sum(x), backend=backend)
    with pytest.raises(TracingError, match="something else for another example"):
        compiled(*batch)


@both
@pytest.mark.parametrize(("recorded", "later"), [*itertools.permutations([2.0, 3.0, math.inf, -math.inf, math.nan], 2)])
def test_no_number_hides_what_changes_of_itself(recorded: float, later: float, backend: str) -> None:
    numbers = iter([recorded, later, later])
    compiled = engine.compile(lambda x: W + x + next(numbers), backend=backend)
    with pytest.raises(TracingError, match="something else for another example"):
        compiled([1.0, 2.0])


def test_what_rounding_decides_accuses_nobody() -> None:
    """1e20 + 1/2 - 1e20 is 0, or 1/2 in another order; the function is what it is."""
    w = Value(0.5)
    for backend in BACKENDS:
        compiled = engine.compile(lambda x: functions.sum([x, w, -x]), backend=backend)
        assert compiled([1e20, 1.0])[1] == compiled.value_and_grad([1.0])[0] == 0.5


@both
def test_after_an_error_everything_goes_on(backend: str) -> None:
    calls = []

    def function(x: Value) -> Value:
        calls.append(x)
        y = W * x
        if len(calls) in (1, 3):
            raise KeyError(len(calls))
        return y

    compiled = engine.compile(function, backend=backend)
    for _ in range(2):  # while it is recorded, while it is verified
        with pytest.raises(KeyError):
            compiled([1.0])
        assert gc.isenabled()
        assert Value(2.0) > 1
        with pytest.raises(RuntimeError, match="call it once"):
            compiled.program  # noqa: B018  # it is a property
    assert list(compiled([1.0, 2.0])) == [2.0, 4.0]
    with pytest.raises(ValueError, match="no examples"):
        compiled([])
    assert compiled.example(1).data == 4.0
    assert compiled.parameters == (W,)


@both
def test_modes_outside_change_nothing(backend: str) -> None:
    for mode in (engine.no_grad, engine.record_source, engine.detect_anomaly):
        with mode():
            compiled = engine.compile(lambda x: W * x, backend=backend)
            assert compiled.value_and_grad([1.0, 2.0])[1][0] == 1.5


def test_a_profiler_goes_on_after_a_refusal() -> None:
    def profiler(*event: Any) -> None:
        pass

    before = sys.getprofile()
    sys.setprofile(profiler)
    try:
        with pytest.raises(TracingError, match="random number"):
            engine.compile(lambda x: x * random.random())([1.0])
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(before)


def test_a_refusal_names_the_line() -> None:
    with pytest.raises(TracingError, match=r"test_compiler_safety\.py:\d+"):
        engine.compile(lambda x: x if x > 0 else -x)([1.0])


def test_before_the_first_call_nothing_is_known() -> None:
    compiled = engine.compile(lambda x: x)
    with pytest.raises(RuntimeError, match="call it once"):
        compiled.parameters  # noqa: B018  # it is a property


def test_the_recorded_example_is_not_computed_again() -> None:
    """Others are, until the program has been held against one; it is itself if there is no other."""
    w, seen = Value(2.0), []

    def function(x: Value) -> Any:
        seen.append(x._data)
        return w * x

    cases = [([[1.0, 2.0, 3.0], [4.0]], [1.0, 2.0, 3.0]), ([[1.0], [1.0], [5.0], [6.0]], [1.0, 1.0, 5.0])]
    for batches, computed in cases:
        compiled = engine.compile(function)
        for batch in batches:
            assert compiled(batch) == [2.0 * x for x in batch]
        assert seen == computed
        seen.clear()
    compiled = engine.compile(lambda: function(w))
    assert compiled() == compiled() == [4.0]
    assert seen == [2.0, 2.0]


def test_a_recorded_graph_is_not_kept() -> None:
    def count() -> int:
        gc.collect()
        return sum(type(thing) is Value for thing in gc.get_objects())

    w = Value(2.0)
    before = count()
    compiled = engine.compile(lambda x: [(w * x).sin(), x.exp()])
    compiled([1.0, 2.0])
    assert count() == before


def test_without_numpy_its_generators_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "numpy.random")
    assert engine.compile(lambda x: W * x, backend="python")([1.0]) == [2.0]


@both
def test_threads_share_a_compiled_function(backend: str) -> None:
    weights = [Value(0.1 * k) for k in range(40)]

    def function(x: Sequence[Value]) -> Value:
        return functions.dot(weights, x).tanh() + functions.logsumexp([w * v for w, v in zip(weights, x, strict=True)])

    batches = list(np.random.default_rng(0).normal(size=(4, 100, 40)))
    true = [engine.compile(function, backend=backend).value_and_grad(batch) for batch in batches]
    shared, start = engine.compile(function, backend=backend), threading.Barrier(len(batches))
    wrong: list[Any] = []

    def work(k: int) -> None:
        start.wait()
        for _ in range(25):
            value, gradient = shared.value_and_grad(batches[k])
            if value != true[k][0] or list(gradient) != list(true[k][1]):
                wrong.append(k)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(k,)) for k in range(len(batches))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not wrong
    assert len(shared.parameters) == len(weights)


def test_threads_record_a_function_once() -> None:
    calls, start = [], threading.Barrier(4)

    def function(x: Value) -> Value:
        calls.append(threading.get_ident())
        time.sleep(0.01)  # the others come meanwhile
        return W * x

    compiled = engine.compile(function)

    def work() -> None:
        start.wait()
        compiled([1.0])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 2, "recorded, and verified"
    assert compiled.parameters == (W,)


def test_threads_share_a_run_that_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a cache that is full: two that made room in it at the same time got in each other's way."""
    made = []
    make = array_parts.run_of

    def slowly(*arguments: Any) -> Any:
        made.append(arguments[1])
        time.sleep(0.05)
        return make(*arguments)

    compiled = engine.compile(lambda x: W * x, backend="numpy")
    for size in range(1, 11):
        compiled([3.0] * size)
    monkeypatch.setattr(array_parts, "run_of", slowly)
    threads = [threading.Thread(target=compiled, args=([3.0] * 20,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [20]


def test_threads_draw_different_random_numbers() -> None:
    compiled = engine.compile(lambda x: x + engine.random_input(), seed=0, backend="numpy")
    zeros = np.zeros(2000)
    drawn = [compiled(zeros)]
    threads = [threading.Thread(target=lambda: drawn.extend([compiled(zeros) for _ in range(100)])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(np.unique(drawn)) == np.size(drawn) == 401 * 2000
