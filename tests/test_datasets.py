"""Points as others draw them, noise as told, real digits and names: all there, and seeded."""

from __future__ import annotations

import gzip
import math
import re
import statistics
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from scipy import stats
from test_idx import idx

from nn.datasets import circles, digits, element_names, mnist, moons, spirals, xor


def test_the_elements() -> None:
    names = element_names()
    assert len(set(names)) == 118
    known = {"carbon": 6, "iron": 26, "silver": 47, "tungsten": 74, "mercury": 80, "uranium": 92, "fermium": 100}
    assert {name: names.index(name) + 1 for name in known} == known
    names.clear()
    assert len(element_names()) == 118


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
