"""Plots of numbers that lie on a grid: the weights of a neuron, attributions over an image."""

from __future__ import annotations

from viz.canvas import axes_or_new, diverging, grid, largest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from viz.canvas import Numbers

SIZE = (4.4, 3.6)
WRITTEN = 64
"""Up to how many numbers are written into their cells."""
LIGHTENED = 3


def weights(values: object, shape: tuple[int, int] | None = None, ax: Axes | None = None) -> Axes:
    """Weights as an image: white is 0, orange positive, blue negative, on a scale that is symmetric around 0.

    Up to 64 are written in their cells. Cells that hold nan or an infinity are grey and crossed.

    Args:
        values: numbers or Values, flat or as rows.
        shape: rows and columns; None for rows as they are, for n rows of n * n numbers, else for one row.
        ax: the axes to draw on; None for a new figure.

    Raises:
        TypeError: they are not numbers, or the shape is no pair of whole numbers.
        ValueError: there are none, or not as many as the shape holds.
        ImportError: matplotlib is not installed.

    >>> from matplotlib.figure import Figure
    >>> ax = weights([0.5, -2.0, 1.0], ax=Figure().subplots())
    >>> ax.images[0].get_array().tolist(), ax.images[0].get_clim()
    ([[0.5, -2.0, 1.0]], (-2.0, 2.0))
    """
    from numpy.ma import masked_invalid

    array = grid(values, shape, "weights")
    ax = axes_or_new(ax, SIZE)
    limit = largest(array)
    picture = ax.imshow(masked_invalid(array), diverging(), vmin=-limit, vmax=limit, interpolation="nearest")
    ax.figure.colorbar(picture, ax=ax, label="weight")
    _finish(ax, array)
    if array.size <= WRITTEN:
        _write(ax, array, limit)
    return ax


def _finish(ax: Axes, *arrays: Numbers) -> None:
    """Cross what is not finite; no ticks: places are not quantities."""
    import numpy

    ax.set(xticks=[], yticks=[])
    for array in arrays:
        rows, columns = numpy.nonzero(~numpy.isfinite(array))
        if rows.size:
            ax.plot(columns, rows, "kx", markersize=5)


def _write(ax: Axes, array: Numbers, limit: float) -> None:
    import numpy

    size = min(9.0, 60 / max(array.shape))
    for (row, column), weight in numpy.ndenumerate(array):
        if numpy.isfinite(weight):
            color = "white" if weight < -0.45 * limit else "black"
            ax.text(column, row, f"{weight:.2g}", ha="center", va="center", fontsize=size, color=color)


def attribution(
    image: object, attributions: object, shape: tuple[int, int] | None = None, ax: Axes | None = None
) -> Axes:
    """What each pixel did to a result, over the image: orange where it raised it, blue where it lowered it.

    The image is in light greys; attributions cover it the more, the larger they are. Pixels and
    attributions that are nan or infinite are crossed.

    Args:
        image: brightness of the pixels, numbers or Values, flat or as rows.
        attributions: a number for each pixel, such as its gradient.
        shape: rows and columns; None for those of the image, see `weights`.
        ax: the axes to draw on; None for a new figure.

    Raises:
        TypeError: they are not numbers, or the shape is no pair of whole numbers.
        ValueError: there are none, or not as many attributions as pixels.
        ImportError: matplotlib is not installed.

    >>> from matplotlib.figure import Figure
    >>> ax = attribution([[0.0, 1.0]], [[-3.0, 1.5]], ax=Figure().subplots())
    >>> ax.images[1].get_array().tolist(), ax.images[1].get_alpha().tolist()
    ([[-3.0, 1.5]], [[1.0, 0.5]])
    """
    import numpy
    from matplotlib.cm import ScalarMappable
    from numpy.ma import masked_invalid

    pixels = grid(image, shape, "image")
    array = grid(attributions, (pixels.shape[0], pixels.shape[1]), "attributions")
    ax = axes_or_new(ax, SIZE)
    finite = pixels[numpy.isfinite(pixels)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    # The darkest pixel is light grey: on black, no colour of an attribution could be seen.
    ax.imshow(masked_invalid(pixels), "gray", vmin=low - LIGHTENED * ((high - low) or 1), vmax=high)
    limit = largest(array)
    alpha = numpy.where(numpy.isfinite(array), numpy.abs(array) / limit, 0.0)
    picture = ax.imshow(masked_invalid(array), diverging(), vmin=-limit, vmax=limit, alpha=alpha)
    ax.figure.colorbar(ScalarMappable(picture.norm, picture.cmap), ax=ax, label="attribution")
    _finish(ax, pixels, array)
    return ax
