"""`no_grad`, `enable_grad`, `record_source`, `detect_anomaly`: scope, nesting, threads, tasks, decorators."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from functools import partial

import pytest

from engine import (
    AnomalyError,
    TracingError,
    Value,
    detect_anomaly,
    enable_grad,
    functions,
    no_grad,
    operators,
    record_source,
    value,
)
from engine.modes import active
from engine.tracing import tracing


def recording() -> bool:
    return bool((Value(2.0) * 3).parents)


def test_no_grad_records_nothing_and_ends() -> None:
    with no_grad():
        for result in (Value(2.0) * 3, Value(2.0).exp(), functions.sum([Value(1.0)]), functions.clip(Value(1.0), 0, 1)):
            assert result.is_constant
            assert result.parents == ()
    assert recording()


def test_operators_know_of_a_mode_only_if_it_concerns_them() -> None:
    """Recording for compilation is as quick as recording: the flag that operators test stays down."""
    scope = vars(operators)["_scope"]
    for mode, concerns in ((tracing, False), (enable_grad, False), (no_grad, True), (record_source, True)):
        with mode():
            assert (scope["modes_active"], value.modes_active) == (concerns, True)
        assert (scope["modes_active"], value.modes_active) == (False, False)
    with tracing(), no_grad(), pytest.raises(TracingError, match="no_grad"):
        Value(2.0) * 3


def test_an_exception_inside_ends_it_too() -> None:
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert recording()
    assert active() == frozenset()


def test_modes_nest() -> None:
    with no_grad():
        with no_grad():
            assert not recording()
        assert not recording()
        with enable_grad():
            assert recording()
            with no_grad():
                assert not recording()
        assert not recording()
    assert recording()
    again = no_grad()
    with again, again:
        assert not recording()
    assert recording()


def test_each_thread_has_its_own_modes() -> None:
    inside, done = threading.Event(), threading.Event()
    seen: list[bool] = []

    def other() -> None:
        with no_grad():
            inside.set()
            done.wait(10)
            seen.append(recording())

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(10)
    assert recording(), "the other thread's no_grad is not ours"
    done.set()
    thread.join()
    assert seen == [False]


def test_each_task_has_its_own_modes() -> None:
    seen: dict[str, bool] = {}

    async def silent() -> None:
        with no_grad():
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            seen["silent"] = recording()

    async def loud() -> None:
        await asyncio.sleep(0)
        seen["loud"] = recording()
        await asyncio.sleep(0)

    async def both() -> None:
        await asyncio.gather(silent(), loud())

    asyncio.run(both())
    assert seen == {"silent": False, "loud": True}


@no_grad()
def decorated(scale: float, *, times: int = 1) -> bool:
    """Purpose."""
    return recording() and bool(scale * times)


def test_decorated_function() -> None:
    assert decorated(2.0, times=3) is False
    assert decorated.__name__ == "decorated"
    assert decorated.__doc__ == "Purpose."
    assert recording()


def test_decorated_coroutine() -> None:
    @no_grad()
    async def inner() -> bool:
        await asyncio.sleep(0)
        return recording()

    assert asyncio.run(inner()) is False
    assert recording()


def test_decorated_generator_leaves_its_caller_alone() -> None:
    log: list[object] = []

    @no_grad()
    def inner() -> Generator[bool, object, str]:
        try:
            log.append((yield recording()))
            yield recording()
        except KeyError:
            log.append("caught")
            yield recording()
        finally:
            log.append(recording())
        return "end"

    generator = inner()
    assert next(generator) is False
    assert recording()
    assert generator.send("sent") is False
    assert generator.throw(KeyError()) is False
    with pytest.raises(StopIteration, match="end"):
        next(generator)
    assert log == ["sent", "caught", False]
    abandoned = inner()
    next(abandoned)
    abandoned.close()
    assert log[-1] is False
    assert recording()


def test_a_generator_closed_elsewhere_does_no_harm() -> None:
    def inside() -> Iterator[int]:
        with no_grad():
            yield 1

    generator = inside()
    thread = threading.Thread(target=lambda: next(generator))
    thread.start()
    thread.join()
    generator.close()
    assert recording()


def test_async_generators_are_refused() -> None:
    async def stream() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(TypeError, match="no_grad cannot decorate an async generator; got .*; write a `with` block"):
        no_grad()(stream)


def test_record_source() -> None:
    with record_source():
        a = Value(2.0, label="a")
        b = a * 3; line = 0  # noqa: E702  # fmt: skip
        total = functions.sum([a, b])
        computed = functions.sum(a * i for i in range(2))
    assert a.source == (__file__, test_record_source.__code__.co_firstlineno + 2)
    assert b.source == (__file__, test_record_source.__code__.co_firstlineno + 3 + line)
    assert total.source is not None
    assert total.source[1] == b.source[1] + 1
    assert computed.parents[0].source is not None
    assert computed.parents[0].source[0] == __file__
    assert a.label == "a"
    b.label = "b"
    assert b.source is not None
    assert (a * 3).source is None


def test_detect_anomaly_forward() -> None:
    x = Value(-1.0, label="x")
    with detect_anomaly():
        with pytest.raises(AnomalyError, match=r"log gave nan from Value\(-1.0.*label='x'.*test_modes.py:\d+; keep"):
            x.log()
        with pytest.raises(AnomalyError, match="div gave -inf"):
            x / 0
        with pytest.raises(AnomalyError, match="sum gave nan.*, ..., at"):
            functions.sum([x] * 11 + [float("nan")])
        masked = Value(float("-inf")) - 1.0
        assert masked.exp().data == 0.0
        assert functions.logsumexp([masked, x]).data == -1.0
    assert (x / 0).data == float("-inf")


def test_detect_anomaly_backward_names_the_line() -> None:
    with record_source():
        x = Value(0.0, label="x")
        y = x.sqrt()
    with (
        detect_anomaly(),
        pytest.raises(AnomalyError, match=r"sqrt gave the gradient inf to its operand .*'x'.*made at .*test_modes.py:"),
    ):
        (y * 2).backward()
    with detect_anomaly():
        quiet = Value(3.0) ** 2
        quiet.backward()
    with detect_anomaly(), pytest.raises(AnomalyError, match="keep its operands"):
        Value(0.0).sqrt().backward()


def test_a_sum_of_finite_contributions_that_overflows_is_an_anomaly() -> None:
    w = Value(0.0)
    y = w * 1.2e308 + w * 1.2e308
    with detect_anomaly(), pytest.raises(AnomalyError, match="gave the gradient inf to its operand"):
        y.backward()
    assert w.grad == 0.0
    with detect_anomaly(), pytest.raises(AnomalyError, match="log gave -inf"):
        functions.log(0.0)


def test_modes_that_are_left_in_another_order() -> None:
    def inside() -> Iterator[int]:
        with record_source():
            yield 1

    generator = inside()
    with no_grad():
        next(generator)
        assert not recording()
    assert recording(), "the generator's mode is still open, ours is not"
    assert active() == {"record_source"}
    generator.close()
    assert active() == frozenset()


def test_a_task_that_outlives_the_block_it_was_made_in() -> None:
    async def late() -> tuple[bool, bool]:
        await asyncio.sleep(0.01)
        return recording(), bool(Value(1000.0).exp().parents)

    async def main() -> tuple[bool, bool]:
        with no_grad():
            task = asyncio.create_task(late())
        return await task

    assert asyncio.run(main()) == (True, True)


def test_stacked_and_indirect_decorations() -> None:
    @no_grad()
    @detect_anomaly()
    def stream() -> Iterator[frozenset[str]]:
        yield active()

    assert next(iter(stream())) == {"no_grad", "detect_anomaly", "record_source"}

    async def inner(scale: float) -> bool:
        await asyncio.sleep(0)
        return recording()

    assert asyncio.run(no_grad()(partial(inner, 2.0))()) is False  # type: ignore[arg-type]

    @no_grad
    def bare() -> bool:
        return recording()

    assert bare() is False
    assert recording()
