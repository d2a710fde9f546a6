"""What all plots share: axes to draw on, colours that everybody tells apart, numbers out of whatever holds them.

Colours are those of Okabe and Ito, for all kinds of sight, in an order in which neighbours differ in grey print too;
nothing is told by colour alone. Everything is set on the artists: the user's matplotlib settings stay as they are.

This module knows nothing of what is plotted.
"""

from __future__ import annotations

import sys

from engine.value import real
from viz.wording import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    import numpy
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.text import Text

    Numbers = numpy.ndarray[Any, numpy.dtype[numpy.float64]]

COLORS = ("#0072b2", "#e69f00", "#009e73", "#56b4e9", "#d55e00", "#000000", "#cc79a7")
STYLES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
FAINT = "#8c959f"

# From nearly black through blue to white, on to orange and vermilion: in grey print the negative end is the darker one.
DIVERGING = ("#00304d", "#0072b2", "#ffffff", "#e69f00", "#d55e00")

SIZE = (5.6, 3.8)
"""Inches of a new figure: a column of text."""


def axes_or_new(ax: Axes | None, size: tuple[float, float] = SIZE) -> Axes:
    """The axes to draw on, those of a new figure for None.

    Raises:
        ImportError: matplotlib is not installed.
        TypeError: it is not one Axes.
    """
    try:
        from matplotlib import pyplot
        from matplotlib.axes import Axes
    except ImportError as error:
        raise ImportError(
            f"plots need the Python package matplotlib; {sys.executable or 'this Python'} has none; "
            "install it with: pip install 'glassgrad[viz]'"
        ) from error
    if ax is None:
        return pyplot.subplots(figsize=size, layout="constrained")[1]
    if not isinstance(ax, Axes):
        raise TypeError(
            f"ax must be one Axes of matplotlib; got {type(ax).__name__}; "
            "of several that subplots() gave pass one, as axes[0]"
        )
    return ax


def numbers(thing: object, what: str) -> Numbers:
    """Numbers or Values, in nested lists or arrays, as an array of floats.

    Raises:
        TypeError: it is no list, or something in it is no real number.
        ValueError: there is nothing in it.

    >>> from engine import Value
    >>> numbers([[1, Value(2.0)], [True, 4.5]], "weights")
    array([[1. , 2. ],
           [1. , 4.5]])
    """
    import numpy

    array: numpy.ndarray[Any, Any]
    if hasattr(thing, "__array__"):
        array = numpy.asarray(thing)
    elif isinstance(thing, (str, bytes, dict)) or not hasattr(thing, "__iter__"):
        raise TypeError(f"{what} must be a list of numbers; got {_said(thing)}; pass a list, an array or Values")
    else:
        try:
            array = numpy.asarray(list(thing), dtype=object)
        except ValueError:  # some ragged lists; others become arrays of lists
            raise ValueError(f"{what} must have rows of one length; got rows of several; fill or cut them") from None
    if not array.size:
        raise ValueError(f"{what} must hold at least one number; got an empty {type(thing).__name__}; pass some")
    if array.dtype.kind in "buif":
        return array.astype(float)
    found = numpy.empty(array.shape)
    for place in numpy.ndindex(array.shape):
        try:
            found[place] = real(array[place])
        except TypeError:
            where = ", ".join(map(str, place))
            raise TypeError(
                f"{what} must hold numbers only; got {_said(array[place])} at {where}; pass ints, floats or Values, "
                "in rows of one length"
            ) from None
    return found


def _said(thing: object) -> str:
    return f"{type(thing).__name__}: {visible(repr(thing))}"


def grid(thing: object, shape: tuple[int, int] | None, what: str) -> Numbers:
    """Numbers as rows and columns: of the shape given, else as they are nested; a flat list of n * n as n rows.

    Raises:
        TypeError, ValueError: as `numbers`; or they do not fit the shape.

    >>> grid([1, 2, 3, 4], None, "weights").shape, grid([1, 2, 3], None, "weights").shape
    ((2, 2), (1, 3))
    """
    from math import isqrt

    array = numbers(thing, what)
    if shape is None:
        if array.ndim == 1:
            side = isqrt(array.size)
            return array.reshape((side, side) if side * side == array.size else (1, -1))
        if array.ndim != 2:
            raise ValueError(
                f"{what} must be rows of numbers; got an array of shape {array.shape}; pass one image, or shape="
            )
        return array
    try:
        rows, columns = (int(size) for size in shape)
    except (TypeError, ValueError):
        raise TypeError(f"shape must be two whole numbers; got {shape!r}; use shape=(rows, columns)") from None
    flat = array.ndim == 1 or min(array.shape) == 1
    if min(rows, columns) < 1 or rows * columns != array.size or not (flat or array.shape == (rows, columns)):
        raise ValueError(
            f"{what} must fill the shape; got an array of shape {array.shape} for {rows} rows of {columns}; "
            "pass the shape of the image they belong to"
        )
    return array.reshape(rows, columns)


def diverging() -> Colormap:
    """White at 0, orange above, blue below and darker at its end; grey where there is no number."""
    from matplotlib.colors import LinearSegmentedColormap

    colors = LinearSegmentedColormap.from_list("glassgrad", DIVERGING)
    return colors.with_extremes(bad=FAINT)


def largest(array: Numbers) -> float:
    """The largest finite magnitude: the end of a scale with 0 in its middle. 1 if all are zero."""
    import numpy

    magnitudes = numpy.abs(array[numpy.isfinite(array)])
    end = float(magnitudes.max(initial=0.0))
    return end if end > 1e-280 else 1.0  # matplotlib's scales take less for 0


def literal(text: Text, words: str) -> None:
    """Show just these words: matplotlib would read dollars as mathematics."""
    text.set_parse_math(False)
    text.set_text(visible(words))


def legend(ax: Axes, names: Mapping[Artist, str], **options: Any) -> None:
    """A legend of these artists, after those that the axes had names for already."""
    before = zip(*ax.get_legend_handles_labels(), strict=True)
    entries = {**{artist: name for artist, name in before if artist not in names}, **names}
    box = ax.legend([*entries], ["-"] * len(entries), **options)
    for text, name in zip(box.get_texts(), entries.values(), strict=True):
        literal(text, name)  # set afterwards: matplotlib leaves names out that begin with an underscore
