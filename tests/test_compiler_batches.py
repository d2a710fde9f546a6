"""What compiled functions take and give back: batches, numbers, arrays and results, and what is refused as such."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from agreement import both

import engine
from engine import Value, constant, functions
from engine.value import real

W = Value(2.0, label="w")

BATCHES: dict[str, tuple[Sequence[Any], type[Exception], str]] = {
    "no examples": (([], []), ValueError, "no examples"),
    "no examples in an array": ((np.zeros(0), np.zeros(0)), ValueError, "no examples"),
    "lengths": (([1.0], [1.0, 2.0]), ValueError, r"got \[1, 2\]"),
    "one number": ((1.0, [1.0]), TypeError, "one number"),
    "array of one number": ((np.array(1.0), [1.0]), TypeError, "one number"),
    "nothing": ((None, [1.0]), TypeError, "got None"),
    "range": ((range(2), [1.0, 2.0]), TypeError, r"got range\(0, 2\)"),
    "ragged": (([[1.0], [1.0, 2.0]], [1.0, 2.0]), ValueError, "got 2 of them"),
    "ragged arrays": (([np.ones(1), np.ones(2)], [1.0, 2.0]), ValueError, "got 2 of them"),
    "too deep": (([1.0, [2.0]], [1.0, 2.0]), TypeError, "got 1 of them"),
    "too flat": (([[2.0], 1.0], [1.0, 2.0]), ValueError, "got float 1.0 where 1"),
    "mappings": (([{"a": 1.0}], [1.0]), TypeError, "got dict"),
}  # fmt: skip


@pytest.mark.parametrize(("batch", "kind", "message"), BATCHES.values(), ids=BATCHES)
@both
def test_wrong_batches(batch: Sequence[Any], kind: type[Exception], message: str, backend: str) -> None:
    compiled = engine.compile(lambda x, y: functions.square(y), backend=backend)
    for _ in range(2):
        with pytest.raises(kind, match=message):
            compiled(*batch)
        assert list(compiled([1.0], [3.0])) == [9.0]


def test_a_later_batch_may_be_wrong_too() -> None:
    compiled = engine.compile(lambda x: x[0] + x[1], backend="numpy")
    assert compiled([[1, 2], [3, 4]]).tolist() == [3.0, 7.0]
    with pytest.raises(ValueError, match="got 1 of them"):
        compiled([[1.0, 2.0], [3.0]])


NO_NUMBERS: dict[str, tuple[Any, str]] = {
    "text": (["1.0", "a"], "got str '1.0'"),
    "text among numbers": ([1.0, "2"], "got str '2'"),
    "array of text": (np.array(["1", "2"]), "got str '1'"),
    "bytes": ([b"1", 2.0], "got bytes"),
    "None": ([1.0, None], "got NoneType None"),
    "array of objects": (np.array([1.0, None]), "got NoneType None"),
    "complex": (np.array([1 + 2j, 2.0]), "got complex"),
    "complex without imaginary part": ([1 + 0j, 2.0], "got complex"),
    "dates": (np.array(["2020-01-01", "2020-01-02"], "datetime64[D]"), "got date"),
    "spans": (np.array([1, 2], "timedelta64[s]"), "got timedelta"),
    "masked": (np.ma.array([1.0, 2.0], mask=[False, True]), "got NoneType None"),
    "decimals": ([Decimal("1.5"), 2.0], "got Decimal"),
    "records": (np.array([(1.0, 2.0)] * 2, [("a", "f8"), ("b", "f8")]), "got 2 of them"),
}


@pytest.mark.parametrize(("batch", "message"), NO_NUMBERS.values(), ids=NO_NUMBERS)
@both
def test_what_is_no_number(batch: Any, message: str, backend: str) -> None:
    """Neither in the first batch nor in a later one."""
    compiled = engine.compile(lambda x: W * x, backend=backend)
    for _ in range(2):
        with pytest.raises(TypeError, match=message):
            compiled(batch)
        assert list(compiled([1.0])) == [2.0]
    with pytest.raises(OverflowError, match="too large for a float; got one of 1329 bits"):
        compiled([10**400, 1])


NUMBERS: dict[str, Any] = {
    "integers": [1, 2], "truths": [True, False], "Values": [Value(1.0), W], "fractions": [Fraction(1, 2), 2],
    "NumPy scalars": [np.float32(1.5), np.int8(3)], "array of Values": np.array([Value(1.0), W]),
    "array of truths": np.array([True, False]), "bytes": np.array([1, 255], np.uint8), "half": np.array([1.5, 2], "f2"),
    "single": np.array([1.5, 2], "f4"), "long": np.array([1.5, 2], np.longdouble), "large": np.array([2**63], "u8"),
    "swapped": np.array([1.5, 2], ">f8"), "every other": np.arange(6.0)[1::2], "backwards": np.arange(4.0)[::-1],
    "read only": np.broadcast_to(np.float64(3.0), 4),
}  # fmt: skip


@pytest.mark.parametrize("batch", NUMBERS.values(), ids=NUMBERS)
@both
def test_what_is_a_number(batch: Any, backend: str) -> None:
    compiled = engine.compile(lambda x: W * x, backend=backend)
    for _ in range(2):
        assert [float(y) for y in compiled(batch)] == [2.0 * float(x) for x in batch]


@both
def test_the_layout_of_an_array_does_not_matter(backend: str) -> None:
    table = np.arange(12.0).reshape(3, 4)
    compiled = engine.compile(lambda x: functions.dot(x, [W, 1.0, 1.0, W]), backend=backend)
    for array in (
        table,
        np.asfortranarray(table),
        table.repeat(2, 0)[::2],
        table[:, ::-1],
        table[::-1],
        table[:, [0] * 4],
    ):
        before = array.copy()
        array.flags.writeable = False
        assert compiled(array).tolist() == [2 * a + b + c + 2 * d for a, b, c, d in array]
        np.testing.assert_array_equal(array, before)
    assert compiled(np.lib.stride_tricks.sliding_window_view(np.arange(6.0), 4)).tolist() == [9.0, 15.0, 21.0]
    empty = engine.compile(lambda x: W + functions.sum(x), backend=backend)
    assert list(empty(np.zeros((3, 0)))) == list(empty([[], [], []])) == [2.0] * 3


@pytest.mark.parametrize("size", [2, 1000])
def test_recording_reads_the_examples_that_it_needs(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are: a table for arrays is never taken apart into Python's numbers."""
    read = []
    monkeypatch.setattr("engine.compiler.batches.real", lambda number: read.append(number) or real(number))
    compiled = engine.compile(lambda x: W * functions.sum(x), backend="numpy")
    for _ in range(3):
        compiled(np.zeros((size, 3)))
    assert 0 < len(read) <= 30
    assert compiled.example(-1).data == 0.0


RESULTS: dict[str, tuple[Any, str]] = {
    "nothing": (None, "got NoneType None"), "no outputs": ([], "got list"), "no outputs at all": ((), "got tuple"),
    "text": ("a", "got str 'a'"), "complex": (1j, "got complex"), "iterator": (iter([1.0]), "got list_iterator"),
    "text among numbers": ([1.0, "a"], "got list"),
}  # fmt: skip


@pytest.mark.parametrize(("result", "message"), RESULTS.values(), ids=RESULTS)
@both
def test_wrong_results(result: Any, message: str, backend: str) -> None:
    with pytest.raises(TypeError, match=f"returns Values and numbers, .*{message}"):
        engine.compile(lambda x: result, backend=backend)([1.0])
    with pytest.raises(TypeError, match=f"returns Values and numbers, .*{message}"):
        engine.compile(result, backend=backend)


@pytest.mark.parametrize("of", [-1, 2, 1.0, "a", None])
@both
def test_outputs_that_do_not_exist(of: Any, backend: str) -> None:
    compiled = engine.compile(lambda x: [x, W * x], backend=backend)
    for _ in range(2):
        with pytest.raises(IndexError, match=f"has 2 outputs; got of={of!r}"):
            compiled.value_and_grad([1.0], of=of)
        assert compiled.value_and_grad([1.0], of=1) == compiled.value_and_grad([1.0], of=np.int64(1)) == (2.0, [1.0])


INPUTS: dict[str, tuple[Callable[[Value], Any], type[Exception], str]] = {
    "constant": (lambda x: [constant(2.0)], TypeError, "Values of it; got Value"),
    "number": (lambda x: [x, 1.0], TypeError, "Values of it; got 1.0"),
    "twice": (lambda x: [x, x], ValueError, "got 2 with repetitions"),
    "no Values": (lambda x: "ab", TypeError, "got str 'ab'"),
}


@pytest.mark.parametrize(("inputs", "kind", "message"), INPUTS.values(), ids=INPUTS)
def test_wrong_inputs_of_a_graph(inputs: Callable[[Value], Any], kind: type[Exception], message: str) -> None:
    x = Value(1.0)
    with pytest.raises(kind, match=message):
        engine.compile(W * x, inputs=inputs(x))
