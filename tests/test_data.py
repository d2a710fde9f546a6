"""Examples on their way to a model: nothing lost or mixed up."""

from __future__ import annotations

import math
from collections import Counter
from random import Random
from typing import Any

import numpy as np
import pytest

import nn
from nn import augmentation
from nn.data import batches, split
from nn.datasets import circles, element_names, moons, spirals, xor

KINDS: dict[str, Any] = {"lists": list, "arrays": np.array, "tuples": tuple}


# --- batches and splits


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("count", "size"), [(1, 1), (10, 3), (10, 10), (10, 99), (9, 3)])
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_an_epoch_has_every_example_once(kind: str, count: int, size: int, seed: int | None) -> None:
    x, y = KINDS[kind](list(range(count))), [f"label {i}" for i in range(count)]
    pieces = list(batches(x, y, size, None if seed is None else Random(seed)))
    assert [len(piece) for piece, _ in pieces] == [min(size, count - start) for start in range(0, count, size)]
    everything = [int(i) for piece, _ in pieces for i in piece]
    assert [label for _, labels in pieces for label in labels] == [f"label {i}" for i in everything]
    assert sorted(everything) == list(range(count))
    assert (seed is None) <= (everything == list(range(count)))
    assert all(isinstance(piece, np.ndarray) == (kind == "arrays") for piece, _ in pieces)


def test_epochs_are_reproducible_and_differ() -> None:
    generator, again = Random(3), Random(3)
    runs = [[list(piece) for piece, _ in batches(range(20), None, 4, g)] for g in (generator, again, generator)]
    assert runs[0] == runs[1] != runs[2]
    assert all(labels is None for _, labels in batches([1, 2, 3]))
    # the order is drawn when the epoch begins, not when it is looked at
    late = batches(range(20), None, 20, again)
    again.random()
    assert list(next(late)[0]) == [i for piece in runs[2] for i in piece]


def test_pieces_of_arrays_in_order_are_views() -> None:
    x = np.zeros((10, 2))
    assert all(np.shares_memory(piece, x) for piece, _ in batches(x, None, 4))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("count", "fraction", "held"), [(10, 0.2, 2), (2, 0.01, 1), (2, 0.99, 1), (7, 0.5, 4)])
@pytest.mark.parametrize("stratify", [False, True])
def test_a_split_parts_everything(kind: str, count: int, fraction: float, held: int, stratify: bool) -> None:
    x, y = KINDS[kind](list(range(count))), KINDS[kind]([i % 3 for i in range(count)])
    parts = split(x, y, fraction, stratify=stratify, seed=0)
    assert [len(part) for part, _ in parts] == [count - held, held]
    assert sorted(int(i) for part, _ in parts for i in part) == list(range(count))
    assert all([i % 3 for i in part] == list(labels) for part, labels in parts)
    again = split(x, y, fraction, stratify=stratify, generator=Random(0))
    assert [list(part) for part, _ in again] == [list(part) for part, _ in parts]


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("array", [False, True])
def test_a_stratified_split_keeps_the_proportions(rows: bool, array: bool) -> None:
    labels = [0] * 50 + [1] * 30 + [2] * 17 + [3] * 3
    Random(0).shuffle(labels)
    y = nn.one_hot(labels) if rows else labels
    (_, kept), (places, held) = split(range(100), np.array(y) if array else y, 0.2, stratify=True, seed=4)
    found = Counter(labels[i] for i in places)
    assert len(kept) == 80
    assert all(abs(found[label] - 0.2 * count) < 1 for label, count in Counter(labels).items())
    assert len(held) == 20
    assert split(labels, None, 0.3, seed=0) != split(labels, None, 0.3, seed=1)


MISTAKES: list[tuple[Any, type[Exception], str]] = [
    (lambda: batches([], []), ValueError, "there are no examples; got 0 of them; give at least one"),
    (lambda: batches([1], [1, 2]), ValueError, "each example needs its target; got 1 in x and 2 in y; make"),
    (lambda: batches(3), TypeError, "examples come in a list or an array; got 3 for x; put them"),
    (lambda: batches("abc"), TypeError, "examples come in a list or an array; got 'abc' for x"),
    (lambda: batches([1], (i for i in [1])), TypeError, "got <generator .* for y; put"),
    (lambda: batches(np.array(3.0)), TypeError, "list or an array"),
    (lambda: batches([1], size=0), ValueError, "the size of a batch must be a whole number; got 0; use 1 or more"),
    (lambda: batches([1], size=2.5), ValueError, "got 2.5; use 1 or more"),
    (lambda: batches([1], generator=3), TypeError, "generator must be a random.Random; got 3"),
    (lambda: split([1]), ValueError, "a split needs two examples; got 1; give more"),
    (lambda: split([1, 2], fraction=1.0), ValueError, "lies between 0 and 1; got 1.0; use 0.2"),
    (lambda: split([1, 2], fraction="half"), ValueError, "got 'half'"),
    (lambda: split([1, 2], fraction=math.nan), ValueError, "got nan"),
    (lambda: split([1, 2], stratify=True), ValueError, "what to stratify by; got no y; give the labels"),
    (lambda: nn.one_hot([0, 3], 3), ValueError, "labels lie below the number of classes, 3; got 3; give more"),
    (lambda: nn.one_hot([0, -1]), ValueError, "a label must be a whole number; got -1; use 0 or more"),
    (lambda: nn.one_hot([0.5]), ValueError, "a label must be a whole number; got 0.5"),
    (lambda: nn.one_hot([0], 0), ValueError, "the number of classes must be a whole number; got 0"),
    (lambda: nn.Standardizer().transform([1.0]), RuntimeError, r"got none so far; call fit\(x\)"),
    (lambda: nn.Standardizer().fit([[1.0], [1.0, 2.0]]), ValueError, "examples must be numbers, as many in each; got"),
    (lambda: nn.Standardizer().fit([["a"]]), ValueError, "examples must be numbers"),
    (lambda: nn.Standardizer().fit([]), ValueError, "there are no examples"),
    (lambda: nn.Standardizer().fit([[1.0], [math.inf]]), ValueError, "finite numbers; got inf in example 1; leave"),
    (lambda: nn.Standardizer().fit([[1.0, 2.0]]).transform([[1.0]]), ValueError, r"shape \(2,\); got \(1, 1\); give"),
    (lambda: nn.Alphabet(["a.b"]), ValueError, "the boundary must not occur in the words; got '.'; choose another"),
    (lambda: nn.Alphabet(["ab"]).encode("abc"), ValueError, "got 'c' in 'abc'; it has '.ab'"),
    (lambda: nn.Alphabet(["ab"]).decode([3]), ValueError, "symbols are numbered below 3; got 3; use"),
    (lambda: nn.Alphabet(["ab"]).contexts(["ab"], 0), ValueError, "the length of a context must be"),
    (lambda: moons(0), ValueError, "the number of points must be a whole number; got 0; use 1"),
    (lambda: spirals(2.0), ValueError, "got 2.0; use 1 or more"),
    (lambda: spirals(2, arms=0), ValueError, "the number of arms must be a whole number; got 0; use 1 or more"),
    (lambda: circles(10, -1.0), ValueError, "noise is a standard deviation, which is not negative; got -1.0"),
    (lambda: xor(10, math.nan), ValueError, "got nan; use 0 or more"),
    (lambda: moons(10, seed=1, generator=Random(1)), ValueError, "say the same twice"),
    (lambda: augmentation.shift([1.0], 1, 1), ValueError, r"a picture has rows and.* got the shape \(1,\); resh"),
    (lambda: augmentation.rotate(np.zeros((1, 2, 3, 4)), 1), ValueError, "give one picture at a time"),
    (lambda: augmentation.noise([[1.0]], -1.0), ValueError, "pictures change by at least 0; got noise=-1.0; use"),
    (lambda: nn.augment([[[1.0]]], degrees=-1.0), ValueError, "got degrees=-1.0; use 0 or more"),
    (lambda: nn.augment([[[1.0]]], shift=0.5), ValueError, "shift must be a whole number; got 0.5; use 0 or more"),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(MISTAKES)))
def test_mistakes_are_told(case: int) -> None:
    make, kind, message = MISTAKES[case]
    with pytest.raises(kind, match=message):
        make()


class Table:
    """Numbers that are found by labels, as in pandas."""

    def __init__(self, numbers: Any, labels: list[int]) -> None:
        self.numbers, self.labels, self.shape = np.array(numbers), labels, np.shape(numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, key: Any) -> Any:
        return type(self)(self.numbers[places := [self.labels.index(label) for label in key]], places)

    def to_numpy(self) -> Any:
        return self.numbers

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.numbers.astype(dtype)

    tolist = astype = to_numpy


class Column(Table):
    """A table whose numbers are of one type."""

    dtype = np.dtype(float)


@pytest.mark.parametrize("kind", [Table, Column])
def test_rows_of_tables_are_counted_by_their_places(kind: type[Table]) -> None:
    """Their labels may be shuffled, as after a split."""
    column = kind([[0.0], [1.0], [2.0], [3.0]], [3, 1, 0, 2])
    (x, y), (test_x, test_y) = split(np.arange(4), column, 0.5, seed=0)
    pieces = [*batches(np.arange(4), column, 2, Random(0)), (x, y), (test_x, test_y), *batches(column, np.arange(4), 2)]
    assert all(isinstance(part, np.ndarray) and part.ravel().tolist() == t.ravel().tolist() for part, t in pieces)
    assert nn.predict(nn.MLP(1, [1], initializer="zeros"), column).tolist() == [[0.0]] * 4
    assert isinstance(nn.Standardizer().fit(column).transform(column), np.ndarray)
    if kind is Column:
        assert nn.metrics.mae([0.0, 1.0, 2.0, 5.0], column) == 0.5
    with pytest.raises(TypeError, match="examples come in a list or an array; got 3 for x; put them into a list"):
        nn.predict(nn.MLP(1, [1]), 3)


# --- numbers


@pytest.mark.parametrize("shape", [(50,), (50, 4), (50, 2, 3)])
@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e150])
def test_standardizing_is_what_scikit_learn_does(shape: tuple[int, ...], scale: float) -> None:
    from sklearn.preprocessing import StandardScaler

    x = np.random.default_rng(0).normal(3.0, 2.0, shape)
    scaler = nn.Standardizer().fit(x * scale)
    theirs = StandardScaler().fit_transform(x.reshape(len(x), -1)).reshape(shape)
    assert scaler.transform(x * scale) == pytest.approx(theirs, abs=1e-12)
    assert scaler.inverse(scaler.transform(x * scale)) == pytest.approx(x * scale, rel=1e-13, abs=1e-13 * scale)
    assert scaler.transform((x * scale).tolist()) == scaler.transform(x * scale).tolist()
    assert np.array_equal(scaler.transform(x[7] * scale), scaler.transform(x * scale)[7])


@pytest.mark.parametrize("number", [0.1, 1e16 + 2, -1e300, 0.0, 3.0])
def test_constant_columns_stay(number: float) -> None:
    scaler = nn.Standardizer().fit([[number, float(i)] for i in range(7)])
    assert scaler.transform([[number, 3.0]]) == [[0.0, 0.0]]
    assert scaler.inverse([[0.0, 0.0]]) == [[number, 3.0]]
    assert scaler.deviation.tolist() == [1.0, 2.0]


def test_one_hot() -> None:
    assert nn.one_hot([1, 0], 3) == [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    assert nn.one_hot([]) == []
    labels = np.array([2, 0, 1], dtype=np.uint8)
    assert np.array_equal(nn.one_hot(labels), np.eye(3)[labels])
    assert nn.one_hot(np.array([], dtype=int), 3).shape == (0, 3)


def test_an_alphabet() -> None:
    words = element_names()
    alphabet = nn.Alphabet(words)
    assert alphabet.symbols == [".", *"abcdefghiklmnoprstuvwxyz"]  # no name has a j or a q
    assert all(alphabet.decode(alphabet.encode(word)) == word for word in words)
    contexts, targets = alphabet.contexts(words, 3)
    assert len(contexts) == len(targets) == sum(len(word) + 1 for word in words)
    text = [alphabet.decode([*context, target]) for context, target in zip(contexts, targets, strict=True)]
    assert text[:9] == ["...h", "..hy", ".hyd", "hydr", "ydro", "drog", "roge", "ogen", "gen."]
