"""Examples on their way to a model: nothing lost or mixed up; shapes as others draw them; files read or refused."""

from __future__ import annotations

import gzip
import math
import re
import statistics
import struct
import sys
import tracemalloc
from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from scipy import ndimage, stats

import nn
from nn import augmentation
from nn.data import batches, split
from nn.datasets import circles, digits, element_names, mnist, moons, spirals, xor
from nn.idx import read_idx

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


def test_the_elements() -> None:
    names = element_names()
    assert len(set(names)) == 118
    known = {"carbon": 6, "iron": 26, "silver": 47, "tungsten": 74, "mercury": 80, "uranium": 92, "fermium": 100}
    assert {name: names.index(name) + 1 for name in known} == known
    names.clear()
    assert len(element_names()) == 118


# --- points


def theirs(name: str, count: int) -> set[tuple[float, float, int]]:
    from sklearn import datasets

    options = {"factor": 0.5} if name == "circles" else {}
    points, classes = getattr(datasets, f"make_{name}")(count, shuffle=False, **options)
    return {(round(x, 9) + 0.0, round(y, 9) + 0.0, int(kind)) for (x, y), kind in zip(points, classes, strict=True)}


@pytest.mark.parametrize("count", [1, 2, 3, 101, 200])
@pytest.mark.parametrize("make", [moons, circles])
def test_without_noise_shapes_are_scikit_learns(make: Any, count: int) -> None:
    points, classes = make(count, 0.0, seed=0)
    ours = {(round(x, 9) + 0.0, round(y, 9) + 0.0, kind) for (x, y), kind in zip(points, classes, strict=True)}
    if count < 3:
        assert len(points) == count
    else:
        assert ours == theirs(make.__name__, count)


@pytest.mark.parametrize("make", [moons, circles, spirals, xor])
def test_points_are_seeded_shuffled_and_as_noisy_as_told(make: Any) -> None:
    assert make(50, seed=1) == make(50, generator=Random(1)) != make(50, seed=2)
    points, classes = make(400, 0.3, seed=5)
    assert abs(sum(classes) - 200) <= 1
    assert all(type(x) is float for point in points for x in point)
    assert statistics.fmean(abs(a - b) for a, b in pairwise(classes)) > 0.3  # in random order
    # the noise is drawn in the order of the shape: the shuffled rows tell whose it was only through sorted classes
    clean = Counter(make(400, 0.0, seed=5)[1])
    assert Counter(classes) == clean
    moved = np.array(points).var(axis=0) - np.array(make(400, 0.0, seed=5)[0]).var(axis=0)
    assert moved == pytest.approx([0.09, 0.09], abs=0.05)


def test_noise_is_normal() -> None:
    points, classes = xor(4000, 0.1, seed=0)
    corners = np.round(np.clip(points, 0, 1))
    away = (np.array(points) - corners).ravel() / 0.1
    assert stats.kstest(away, "norm").pvalue > 0.01
    assert (corners.sum(axis=1) % 2 == classes).all()


@pytest.mark.parametrize("arms", [1, 2, 3, 5])
def test_spirals_turn_about_the_origin(arms: int) -> None:
    points, classes = spirals(120, 0.0, arms, turns=1.5)
    for (x, y), arm in zip(points, classes, strict=True):
        radius = math.hypot(x, y)
        assert 0 < radius <= 1 + 1e-12
        turns = math.atan2(y, x) / math.tau - 1.5 * radius - arm / arms
        assert turns - round(turns) == pytest.approx(0, abs=1e-9)
    assert Counter(classes) == dict.fromkeys(range(arms), 120 // arms)


# --- pictures


def image(*shape: int) -> Any:
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize("shape", [(5, 5), (4, 7), (3, 6, 5), (1, 1)])
@pytest.mark.parametrize("degrees", [0.0, 90.0, 180.0, -90.0, 17.0, 360.0, -123.4])
def test_rotation_is_scipys(shape: tuple[int, ...], degrees: float) -> None:
    picture = image(*shape)
    wanted = ndimage.rotate(
        picture, degrees, axes=(-1, -2), reshape=False, order=1, mode="grid-constant", prefilter=False
    )
    ours = augmentation.rotate(picture.tolist(), degrees)
    assert ours.shape == shape
    assert ours == pytest.approx(wanted, abs=1e-9)
    if degrees == 90.0 and shape[-1] == shape[-2]:
        assert ours == pytest.approx(np.rot90(picture, axes=(-2, -1)), abs=1e-12)


@pytest.mark.parametrize("shape", [(5, 5), (2, 6, 4)])
@pytest.mark.parametrize("by", [(0, 0), (1, 0), (0, -2), (0.5, 0.25), (-1.75, 3.0), (99, 0)])
def test_shifting_is_scipys(shape: tuple[int, ...], by: tuple[float, float]) -> None:
    picture = image(*shape)
    wanted = ndimage.shift(picture, (*(0,) * (len(shape) - 2), *by), order=1, mode="grid-constant", prefilter=False)
    assert augmentation.shift(picture, *by) == pytest.approx(wanted, abs=1e-12)


def test_whole_pixels_and_right_angles_are_exact() -> None:
    picture = image(4, 4)
    assert np.array_equal(augmentation.shift(picture, 1, -1)[1:, :-1], picture[:-1, 1:])
    assert np.array_equal(augmentation.rotate(picture, 0), picture)
    assert np.array_equal(picture, image(4, 4))  # the given one stays


def test_noise_has_its_deviation() -> None:
    drawn = augmentation.noise(np.zeros((100, 100)), 0.5, seed=1)
    assert stats.kstest(drawn.ravel() / 0.5, "norm").pvalue > 0.01
    assert np.array_equal(drawn, augmentation.noise(np.zeros((100, 100)), 0.5, generator=Random(1)))


@pytest.mark.parametrize("channels", [(), (2,)])
def test_every_picture_changes_its_own_way(channels: tuple[int, ...]) -> None:
    pictures = np.broadcast_to(image(*channels, 8, 8), (50, *channels, 8, 8))
    changed = nn.augment(pictures, shift=2, degrees=10.0, noise=0.01, seed=0)
    assert changed.shape == pictures.shape
    assert len({picture.tobytes() for picture in changed}) == 50
    assert np.array_equal(changed, nn.augment(list(pictures), shift=2, degrees=10.0, noise=0.01, generator=Random(0)))
    assert np.array_equal(nn.augment(pictures, seed=0), pictures)


def test_shifts_reach_both_ends_and_no_further() -> None:
    spot = np.zeros((300, 9, 9))
    spot[:, 4, 4] = 1.0
    places = np.argwhere(nn.augment(spot, shift=2, seed=0) > 0.999)[:, 1:] - 4
    assert len(places) == 300
    assert {tuple(place) for place in places.tolist()} == {(i, j) for i in range(-2, 3) for j in range(-2, 3)}


# --- IDX


CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx(array: Any) -> bytes:
    """An IDX file's bytes."""
    head = bytes([0, 0, CODES[array.dtype.str[1:]], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (0,), (0, 5), (1, 1, 1, 1, 1), (1 << 21,)])
@pytest.mark.parametrize("packed", [False, True])
def test_idx_of_every_type(tmp_path: Path, kind: str, shape: tuple[int, ...], packed: bool) -> None:
    array = np.random.default_rng(0).integers(-100 * (kind != "u1"), 100, shape).astype(kind)
    (tmp_path / "file").write_bytes(gzip.compress(idx(array), 1) if packed else idx(array))
    read = read_idx(tmp_path / "file")
    assert read.dtype == np.dtype(kind)
    assert read.dtype.isnative
    assert np.array_equal(read, array)
    assert read.shape == shape
    read[...] = 0  # it is one's own


GOOD = idx(np.arange(24, dtype="i2").reshape(2, 3, 4))
HUGE = bytes([0, 0, 8, 3]) + struct.pack(">3I", *[2**32 - 1] * 3)

BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "file is not an IDX file; got nothing at its start; that should be 00 00, a type"),
    "short magic": (GOOD[:3], "not an IDX file; got 00 00 0b at its start"),
    "foreign": (b"\x89PNG\r\n", "not an IDX file; got 89 50 4e 47 at its start"),
    "wrong first byte": (b"\x01" + GOOD[1:], "not an IDX file; got 01 00 0b 03"),
    "unknown type": (b"\0\0\x0a\x01" + GOOD[4:], "not an IDX file; got 00 00 0a 01"),
    "no axes": (b"\0\0\x08\0a", "not an IDX file; got 00 00 08 00"),
    "too many axes": (b"\0\0\x08\xff" + b"\0" * 1020, "not an IDX file; got 00 00 08 ff"),
    "no shape": (GOOD[:4], r"file is cut short; got fewer numbers than its shape \(\) has; get it again"),
    "half a shape": (GOOD[:9], "cut short"),
    "no numbers": (GOOD[:16], r"cut short; got fewer numbers than its shape \(2, 3, 4\) has"),
    "one byte less": (GOOD[:-1], "cut short"),
    "one byte more": (
        GOOD + b"\0",
        r"goes on after its numbers; got more than its shape \(2, 3, 4\) has; get it again",
    ),
    "two files": (GOOD + GOOD, "goes on after"),
    "a huge shape": (HUGE, "cut short"),
    "a huge shape of nothing": (HUGE[:4] + bytes(4) + HUGE[8:], "a shape that no array can have; got"),
    "gzip of nothing": (gzip.compress(b""), "not an IDX file; got nothing"),
    "gzip of a huge shape": (gzip.compress(HUGE), "cut short"),
    "gzip, one byte less": (gzip.compress(GOOD[:-1]), "cut short"),
    "gzip, one byte more": (gzip.compress(GOOD + b"\0"), "goes on after"),
    "gzip cut": (gzip.compress(GOOD)[:-9], r"file is damaged; got gzip that ends or goes wrong \(.*\); get it again"),
    "gzip without checksum": (gzip.compress(GOOD)[:-8], "is damaged"),
    "gzip with a wrong checksum": (gzip.compress(GOOD)[:-8] + bytes(8), "is damaged"),
    "gzip of two letters": (b"\x1f\x8b", "is damaged"),
    "gzip with something behind": (gzip.compress(GOOD) + b"more", "is damaged"),
    "gzip garbage": (gzip.compress(GOOD)[:10] + b"\xff" * 40, "is damaged"),
}


@pytest.mark.parametrize("case", BAD)
def test_damaged_idx_files_are_refused(tmp_path: Path, case: str) -> None:
    content, message = BAD[case]
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_idx(tmp_path / "file")


@pytest.mark.parametrize("start", range(len(GOOD)))
def test_no_cut_is_read(tmp_path: Path, start: int) -> None:
    for content in (GOOD[:start], gzip.compress(GOOD)[:start]):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(ValueError, match=r".+; got .+; .+"):
            read_idx(tmp_path / "file")


BOMBS = {
    "claims": HUGE + b"\0" * 1000,
    "claims, gzip": gzip.compress(HUGE[:8] + struct.pack(">2I", 2**8, 2**8)),
    "claims and goes on": gzip.compress(HUGE + bytes(100_000_000)),
    "goes on": gzip.compress(idx(np.zeros(10, "u1")) + bytes(100_000_000)),
}


@pytest.mark.parametrize("case", BOMBS)
def test_memory_is_what_the_file_justifies(tmp_path: Path, case: str) -> None:
    (tmp_path / "file").write_bytes(BOMBS[case])
    tracemalloc.start()
    with pytest.raises(ValueError):
        read_idx(tmp_path / "file")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


def test_missing_files_are_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        read_idx(tmp_path)


def write_mnist(folder: Path, mark: str, end: str, **other: Any) -> dict[str, Any]:
    """The four files, small; `other` arrays instead of these, or None for no file."""
    made = {
        "train-images": np.random.default_rng(0).integers(0, 256, (6, 3, 2)).astype("u1"),
        "train-labels": np.arange(6, dtype="u1"),
        "t10k-images": np.full((2, 3, 2), 255, "u1"),
        "t10k-labels": np.array([9, 0], "u1"),
    } | {name.replace("_", "-"): array for name, array in other.items()}
    for name, array in made.items():
        if array is not None:
            content = gzip.compress(idx(array)) if end else idx(array)
            (folder / f"{name}{mark}idx{3 if 'images' in name else 1}-ubyte{end}").write_bytes(content)
    return made


@pytest.mark.parametrize("mark", ["-", "."])
@pytest.mark.parametrize("end", ["", ".gz"])
def test_mnist_under_all_its_names(tmp_path: Path, mark: str, end: str) -> None:
    made = write_mnist(tmp_path, mark, end)
    (x, y), (test_x, test_y) = mnist(tmp_path)
    assert np.array_equal(x, (made["train-images"] / np.float32(255)).astype("f4").reshape(6, 6))
    assert (x.dtype, test_x.tolist()) == (np.float32, [[1.0] * 6] * 2)
    assert (y.tolist(), test_y.tolist(), y.dtype.kind) == (list(range(6)), [9, 0], "i")
    (pictures, _), _ = mnist(str(tmp_path), flat=False)
    assert pictures.shape == (6, 1, 3, 2)
    assert np.array_equal(pictures.reshape(6, 6), x)


def test_mnist_tells_what_is_missing_or_odd(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match="the images of train are not in .*; got no file of the names train-images"
    ):
        mnist(tmp_path)
    write_mnist(tmp_path, "-", "", t10k_labels=None)
    with pytest.raises(FileNotFoundError, match=r"the labels of t10k are not in .*t10k-labels.idx1-ubyte.gz; put one"):
        mnist(tmp_path)
    for odd in (np.zeros(3, "u1"), np.zeros((2, 2), "u1")):
        write_mnist(tmp_path, "-", "", t10k_labels=odd)
        with pytest.raises(
            ValueError, match=rf"of t10k do not fit; got the shapes \(2, 3, 2\) and {re.escape(str(odd.shape))}"
        ):
            mnist(tmp_path)


def test_digits() -> None:
    from sklearn.datasets import load_digits

    (x, y), (test_x, test_y) = digits(0.25, seed=1)
    everything = sorted(map(tuple, np.vstack([np.c_[x * 16, y], np.c_[test_x * 16, test_y]]).tolist()))
    numbers, labels = load_digits(return_X_y=True)
    assert everything == sorted(map(tuple, np.c_[numbers, labels].tolist()))
    assert x.min() == 0.0
    assert x.max() == 1.0
    counts, held = np.bincount(y) + np.bincount(test_y), np.bincount(test_y)
    assert (abs(held - 0.25 * counts) < 1).all()
    pictures = digits(0.25, seed=1, flat=False)[0][0]
    assert np.array_equal(pictures, x.reshape(-1, 1, 8, 8))
    assert not np.array_equal(digits(0.25)[0][1], y)


def test_digits_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(
        ImportError, match=r"scikit-learn; got .*sklearn.*; install it with pip install 'glassgrad\[data\]'"
    ):
        digits()
