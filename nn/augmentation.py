"""Pictures changed in ways that leave what they show: moved, turned, with noise.

A picture is an array or nested lists [row][column], or [channel][row][column] with all channels changed alike. Results
are arrays of float64. Between pixels, numbers are interpolated linearly along both axes; outside a picture all is 0.
"""

from __future__ import annotations

import math
from random import Random
from typing import Any

from engine.value import is_operand
from nn.data import whole
from nn.initializers import random_generator


def shift(image: Any, rows: float, columns: float) -> Any:
    """A picture moved down by rows and to the right by columns, which may be fractions or negative.

    Raises:
        ValueError: it is not a picture.

    >>> shift([[1, 2], [3, 4]], 0, 1).tolist()
    [[0.0, 1.0], [0.0, 3.0]]
    """
    return _moved(_picture(image), 0.0, rows, columns)


def rotate(image: Any, degrees: float) -> Any:
    """A picture turned about its centre, counterclockwise as one sees it.

    Raises:
        ValueError: it is not a picture.

    >>> rotate([[1, 2], [3, 4]], 90).round(12).tolist()
    [[2.0, 4.0], [1.0, 3.0]]
    """
    return _moved(_picture(image), degrees, 0.0, 0.0)


def noise(image: Any, deviation: float, *, generator: Random | None = None, seed: int | None = None) -> Any:
    """A picture with a normal random number of this deviation added to each pixel.

    Raises:
        ValueError: it is not a picture, or the deviation is negative.
    """
    picture = _picture(image)
    return picture + _draw(picture.shape, deviation, random_generator(generator, seed))


def augment(
    images: Any,
    *,
    shift: int = 0,
    degrees: float = 0.0,
    noise: float = 0.0,
    generator: Random | None = None,
    seed: int | None = None,
) -> Any:
    """Pictures, each turned, moved and noisy by random amounts of its own.

    Args:
        images: a list or an array of pictures of one size.
        shift: at most so many whole pixels along each axis, either way.
        degrees: at most so far, either way.
        noise: its standard deviation.
        generator, seed: make the amounts reproducible; give one of them.

    Raises:
        ValueError: they are not pictures, or an amount is negative.

    >>> augment([[[0.0, 0.5], [1.0, 0.5]]] * 100, shift=1, degrees=10.0, noise=0.1, seed=0).shape
    (100, 2, 2)
    """
    import numpy as np

    shift, source = whole(shift, "shift", 0), random_generator(generator, seed)
    changed = []
    for image in images:
        picture, turn = _picture(image), source.uniform(-1, 1) * _amount("degrees", degrees)
        moved = _moved(picture, turn, source.randint(-shift, shift), source.randint(-shift, shift))
        changed.append(moved + _draw(picture.shape, noise, source))
    return np.array(changed)


def _picture(image: Any) -> Any:
    import numpy as np

    picture = np.asarray(image, dtype=np.float64)
    if picture.ndim not in (2, 3) or 0 in picture.shape:
        raise ValueError(
            f"a picture has rows and columns, or channels, rows and columns; got the shape {picture.shape}; "
            "reshape it, and give one picture at a time"
        )
    return picture


def _draw(shape: tuple[int, ...], deviation: float, generator: Random) -> Any:
    import numpy as np

    return np.random.default_rng(generator.getrandbits(64)).normal(0.0, _amount("noise", deviation), shape)


def _amount(name: str, amount: float) -> float:
    if isinstance(amount, bool) or not is_operand(amount) or not 0 <= amount < math.inf:
        raise ValueError(f"pictures change by at least 0; got {name}={amount!r}; use 0 or more")
    return float(amount)


def _moved(picture: Any, degrees: float, rows: float, columns: float) -> Any:
    """Turned, then moved: each pixel is looked up where it came from."""
    import numpy as np

    middle = [(length - 1) / 2 for length in picture.shape[-2:]]
    axes = [np.arange(length) for length in picture.shape[-2:]]
    down, right = np.meshgrid(axes[0] - middle[0] - rows, axes[1] - middle[1] - columns, indexing="ij")
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return _sampled(picture, middle[0] + down * cosine + right * sine, middle[1] + right * cosine - down * sine)


def _sampled(picture: Any, row: Any, column: Any) -> Any:
    """The picture at places between pixels: the four around each, weighted by how near they are."""
    import numpy as np

    height, width = picture.shape[-2:]
    total = np.zeros(picture.shape)
    for above in (np.floor(row), np.floor(row) + 1):
        for left in (np.floor(column), np.floor(column) + 1):
            inside = (above >= 0) & (above < height) & (left >= 0) & (left < width)
            weight = (1 - abs(row - above)) * (1 - abs(column - left)) * inside
            places = np.clip(above, 0, height - 1).astype(int), np.clip(left, 0, width - 1).astype(int)
            total += weight * picture[..., places[0], places[1]]
    return total
