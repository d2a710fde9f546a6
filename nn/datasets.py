"""Data to try models on: shapes drawn at random, real digits, the names of the elements.

Points come as lists of [x, y] with a list of their classes, in random order; noise is the standard deviation of what is
added to both coordinates. The shapes are those of scikit-learn.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

from engine.value import is_operand
from nn.data import split, whole
from nn.idx import read_idx
from nn.initializers import random_generator

Points = tuple[list[list[float]], list[int]]
Parts = tuple[tuple[Any, Any], tuple[Any, Any]]


def moons(count: int = 100, noise: float = 0.1, *, generator: Random | None = None, seed: int | None = None) -> Points:
    """Two half circles that reach into each other.

    Raises:
        ValueError: a count that is not a positive whole number, noise that is negative.

    >>> points, classes = moons(200, seed=0)
    >>> len(points), sum(classes)
    (200, 100)
    """
    upper, lower = _halves(count)
    shape = [(math.cos(angle), math.sin(angle), 0) for angle in _spaced(math.pi, upper, upper - 1)]
    shape += [(1 - math.cos(angle), 0.5 - math.sin(angle), 1) for angle in _spaced(math.pi, lower, lower - 1)]
    return _scattered(shape, noise, generator, seed)


def circles(
    count: int = 100,
    noise: float = 0.05,
    factor: float = 0.5,
    *,
    generator: Random | None = None,
    seed: int | None = None,
) -> Points:
    """A circle of radius 1, class 0, and one in it of radius `factor`, class 1.

    Raises:
        ValueError: as for `moons`.
    """
    outer, inner = _halves(count)
    shape = [(math.cos(angle), math.sin(angle), 0) for angle in _spaced(math.tau, outer, outer)]
    shape += [(factor * math.cos(angle), factor * math.sin(angle), 1) for angle in _spaced(math.tau, inner, inner)]
    return _scattered(shape, noise, generator, seed)


def spirals(
    count: int = 100,
    noise: float = 0.02,
    arms: int = 2,
    turns: float = 1.0,
    *,
    generator: Random | None = None,
    seed: int | None = None,
) -> Points:
    """Arms that wind about the origin, out to radius 1, each a class.

    Raises:
        ValueError: as for `moons`.

    >>> points, classes = spirals(90, arms=3, seed=0)
    >>> sorted(set(classes))
    [0, 1, 2]
    """
    count, arms = whole(count, "the number of points", 1), whole(arms, "the number of arms", 1)
    shape = []
    for i in range(count):
        arm, radius = i % arms, (i // arms + 1) / math.ceil(count / arms)
        angle = math.tau * (turns * radius + arm / arms)
        shape.append((radius * math.cos(angle), radius * math.sin(angle), arm))
    return _scattered(shape, noise, generator, seed)


def xor(count: int = 100, noise: float = 0.1, *, generator: Random | None = None, seed: int | None = None) -> Points:
    """The four corners of the unit square in turn; the class says whether exactly one coordinate is 1.

    Raises:
        ValueError: as for `moons`.

    >>> sorted(zip(*xor(4, 0.0)))
    [([0.0, 0.0], 0), ([0.0, 1.0], 1), ([1.0, 0.0], 1), ([1.0, 1.0], 0)]
    """
    count = whole(count, "the number of points", 1)
    corners = [(0.0, 0.0, 0), (0.0, 1.0, 1), (1.0, 0.0, 1), (1.0, 1.0, 0)]
    return _scattered([corners[i % 4] for i in range(count)], noise, generator, seed)


def _halves(count: int) -> tuple[int, int]:
    count = whole(count, "the number of points", 1)
    return count // 2, count - count // 2


def _spaced(end: float, count: int, steps: int) -> list[float]:
    return [end * i / max(steps, 1) for i in range(count)]


def _scattered(
    shape: Iterable[tuple[float, float, int]], noise: float, generator: Random | None, seed: int | None
) -> Points:
    if isinstance(noise, bool) or not is_operand(noise) or not 0 <= noise < math.inf:
        raise ValueError(f"noise is a standard deviation, which is not negative; got {noise!r}; use 0 or more")
    source = random_generator(generator, seed)
    rows = [([source.gauss(x, noise), source.gauss(y, noise)], kind) for x, y, kind in shape]
    source.shuffle(rows)
    return [point for point, _ in rows], [kind for _, kind in rows]


def digits(fraction: float = 0.2, *, flat: bool = True, seed: int = 0) -> Parts:
    """1,797 handwritten digits of 8x8 pixels, from scikit-learn: ((x, y) to train on, (x, y) to test with), arrays.

    Args:
        fraction: of each class, to test with.
        flat: examples are rows of 64 numbers; otherwise pictures [channel][row][column] with one channel.
        seed: of the split.

    Numbers are in 0..1, labels whole.

    Raises:
        ImportError: scikit-learn is not installed.

    >>> (x, y), (test_x, test_y) = digits()
    >>> x.shape, test_x.shape, float(x.max()), len(set(y.tolist()))
    ((1438, 64), (359, 64), 1.0, 10)
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(
            f"digits() reads the data of scikit-learn; got {error}; install it with pip install 'glassgrad[data]'"
        ) from None
    x, y = load_digits(return_X_y=True)
    return split(x / 16 if flat else x.reshape(-1, 1, 8, 8) / 16, y, fraction, stratify=True, seed=seed)


def mnist(folder: str | os.PathLike[str], *, flat: bool = True) -> Parts:
    """The MNIST digits in a folder: ((x, y) to train on, (x, y) to test with), arrays.

    Args:
        folder: has the four files under their usual names (`train-images-idx3-ubyte`, `t10k-labels.idx1-ubyte.gz`,
            ...), compressed or not.
        flat: examples are rows of numbers, 784 of them; otherwise pictures [channel][row][column] with one channel.

    Numbers are in 0..1, float32, labels whole.

    Raises:
        FileNotFoundError: one of them is not there.
        ValueError: one is damaged, or they do not fit each other.
    """
    train, test = (_pictures(Path(folder), part, flat) for part in ("train", "t10k"))
    return train, test


def _pictures(folder: Path, part: str, flat: bool) -> tuple[Any, Any]:
    images, labels = (read_idx(_found(folder, part, kind, axes)) for kind, axes in (("images", 3), ("labels", 1)))
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise ValueError(
            f"pictures and labels of {part} do not fit; got the shapes {images.shape} and {labels.shape}; "
            "use the files of one data set"
        )
    scaled = images.astype("float32") / 255
    return scaled.reshape(len(images), -1) if flat else scaled[:, None], labels.astype(int)


def _found(folder: Path, part: str, kind: str, axes: int) -> Path:
    names = [f"{part}-{kind}{mark}idx{axes}-ubyte{end}" for end in ("", ".gz") for mark in "-."]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(
        f"the {kind} of {part} are not in {str(folder)!r}; got no file of the names {', '.join(names)}; put one there"
    )


def element_names() -> list[str]:
    """The English names of the 118 chemical elements, in lower case, by atomic number.

    >>> names = element_names()
    >>> len(names), names[0], names[78], names[-1]
    (118, 'hydrogen', 'gold', 'oganesson')
    """
    return _ELEMENTS.split()


_ELEMENTS = """
hydrogen helium lithium beryllium boron carbon nitrogen oxygen fluorine neon sodium magnesium aluminium silicon
phosphorus sulfur chlorine argon potassium calcium scandium titanium vanadium chromium manganese iron cobalt nickel
copper zinc gallium germanium arsenic selenium bromine krypton rubidium strontium yttrium zirconium niobium molybdenum
technetium ruthenium rhodium palladium silver cadmium indium tin antimony tellurium iodine xenon caesium barium
lanthanum cerium praseodymium neodymium promethium samarium europium gadolinium terbium dysprosium holmium erbium
thulium ytterbium lutetium hafnium tantalum tungsten rhenium osmium iridium platinum gold mercury thallium lead bismuth
polonium astatine radon francium radium actinium thorium protactinium uranium neptunium plutonium americium curium
berkelium californium einsteinium fermium mendelevium nobelium lawrencium rutherfordium dubnium seaborgium bohrium
hassium meitnerium darmstadtium roentgenium copernicium nihonium flerovium moscovium livermorium tennessine oganesson
"""
