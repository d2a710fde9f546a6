"""Plot of what a classifier of two features answers everywhere: its decision boundary."""

from __future__ import annotations

from engine import no_grad
from viz.canvas import COLORS, MARKERS, axes_or_new, largest, legend, literal, numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from viz.canvas import Numbers

MARGIN = 0.1
"""How far the picture reaches beyond the points, as a share of their range."""
STRONGEST = 0.6
"""How much of its colour a region has where the answer is clearest; the points have all of it."""


def decision_boundary(
    predict: Callable[[Any], Any],
    x: object,
    y: object,
    *,
    ax: Axes | None = None,
    resolution: int = 100,
    levels: int = 4,
    threshold: float | None = None,
    vectorized: bool = False,
    names: Sequence[str] = ("x1", "x2"),
) -> Axes:
    """The regions that a classifier gives to each class, the borders between them, and the points.

    A region is darker where its score is farther ahead of all others. Points of each class have a marker of their own.
    Where a score is nan, the picture is white and hatched. Values are computed under `no_grad()`.

    Args:
        predict: gives for one point, a list of two floats, a number (of two classes; the second has those above the
            threshold) or a list of scores, one for each class: numbers or Values.
        x: the points, rows of two numbers.
        y: the class of each point: numbers or strings. Scores are in the sorted order of the classes.
        ax: the axes to draw on; None for a new figure.
        resolution: how many points are asked for along each side.
        levels: how many shades a region has.
        threshold: what parts two classes, given one number; None for the middle of the classes if they are numbers
            (0.5 for 0 and 1; 0 for -1 and 1), else 0.5.
        vectorized: whether `predict` takes all points at once, as an array of two columns, and gives a row for each.
        names: of the two features.

    Raises:
        TypeError: there is something else than numbers in the points or the answers; an option is of another type.
        ValueError: points, classes and answers do not fit together; points or all answers are not finite.
        ImportError: matplotlib is not installed.

    >>> from matplotlib.figure import Figure
    >>> ax = decision_boundary(lambda p: p[0] - p[1], [[0, 1], [1, 0]], [-1, 1], ax=Figure().subplots())
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['-1', '1']
    """
    for option, count, least in (("resolution", resolution, 2), ("levels", levels, 1)):
        if not isinstance(count, int) or isinstance(count, bool) or count < least:
            raise ValueError(f"{option} must be a whole number, at least {least}; got {count!r}; leave it out")
    points = _points(x)
    found = _classes(y, len(points))
    grids = _grid(points, resolution)
    scores = _scores(predict, grids, vectorized)
    classes = _fitting(sorted(set(found)), scores.shape[1])
    leads = _leads(scores, classes, threshold).reshape(-1, resolution, resolution)
    ax = axes_or_new(ax)
    _draw_regions(ax, grids, leads, levels)
    _draw_points(ax, points, found, classes)
    literal(ax.xaxis.label, str(names[0]))
    literal(ax.yaxis.label, str(names[1]))
    return ax


def _points(x: object) -> Numbers:
    import numpy

    points = numbers(x, "x")
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"x must be rows of two features; got an array of shape {points.shape}; choose two columns")
    if not numpy.isfinite(points).all():
        row = int(numpy.flatnonzero(~numpy.isfinite(points).all(axis=1))[0])
        raise ValueError(f"x must be finite; got {points[row].tolist()} in row {row}; leave such points out")
    return points


def _classes(y: object, count: int) -> list[Any]:
    """The class of each point, whole numbers as ints."""
    given: list[Any] = list(y) if hasattr(y, "__iter__") else [y]
    if not given or not all(isinstance(label, str) for label in given):
        array = numbers(given, "y")
        if array.size != len(given) or (array != array).any():
            raise ValueError("y must be one class for each point; got lists or nan; pass a number or a string for each")
        given = [int(label) if label.is_integer() else label for label in array.ravel().tolist()]
    if len(given) != count:
        raise ValueError(f"y must be a class for each point; got {len(given)} for {count} points; match the two")
    return given


def _grid(points: Numbers, resolution: int) -> tuple[Numbers, Numbers]:
    import numpy

    low, high = points.min(axis=0), points.max(axis=0)
    size = numpy.maximum(abs(low), abs(high))
    is_wide = high - low > 1e-9 * numpy.maximum(size, 1e-200)  # else there is no room for a grid between the two
    reach = numpy.where(is_wide, (high - low) * MARGIN, 0.5 * numpy.maximum(size, 1.0))
    sides = [numpy.linspace(a, b, resolution) for a, b in zip(low - reach, high + reach, strict=True)]
    return tuple(numpy.meshgrid(*sides))  # type: ignore[return-value]


def _scores(predict: Callable[[Any], Any], grids: tuple[Numbers, Numbers], vectorized: bool) -> Numbers:
    """A row for each point: one number, or one for each class."""
    import numpy

    spots = numpy.stack(grids, axis=-1).reshape(-1, 2)
    with no_grad():
        answers = predict(spots) if vectorized else [predict(spot) for spot in spots.tolist()]
    scores = numbers(answers, "the answers of predict")
    if scores.ndim > 2 or len(scores) != len(spots):
        raise ValueError(
            f"predict must give a number or a list of scores for each point; got an array of shape {scores.shape} "
            f"for {len(spots)} points; pass vectorized=True only if it takes all at once"
        )
    scores = scores.reshape(len(spots), -1)
    if numpy.isnan(scores).any(axis=1).all():
        raise ValueError("predict must give a number somewhere; got nan at every point; look at its parameters")
    return scores


def _fitting(classes: list[Any], columns: int) -> list[Any]:
    """A class for each score: those of the points, or all numbers from 0 where the points lack some."""
    if len(classes) == max(columns, 2):
        return classes
    if columns > 1 and set(classes) <= set(range(columns)):
        return list(range(columns))
    raise ValueError(
        f"predict must give one score for each class; got {columns} for the classes {classes}; "
        "one number is enough for two"
    )


def _leads(scores: Numbers, classes: list[Any], threshold: float | None) -> Numbers:
    """For each class, how far its score is ahead of the best other one: positive in its region."""
    import numpy

    limit = min(largest(scores), 1e300)  # differences of infinities would be no numbers
    columns = numpy.clip(scores, -limit, limit).T
    if len(columns) == 1:
        if threshold is None:
            threshold = 0.5 if isinstance(classes[0], str) else sum(classes) / 2
        return numpy.stack([threshold - columns[0], columns[0] - threshold])
    return numpy.stack([own - numpy.delete(columns, k, axis=0).max(axis=0) for k, own in enumerate(columns)])


def _draw_regions(ax: Axes, grids: tuple[Numbers, Numbers], leads: Numbers, levels: int) -> None:
    import numpy
    from matplotlib.colors import to_rgb

    unknown = numpy.isnan(leads).any(axis=0)
    if unknown.any():
        ax.contourf(*grids, unknown.astype(float), [0.5, 1.5], colors="none", hatches=["///"])
    shades = numpy.linspace(0.0, largest(leads), levels + 1)
    for k, lead in enumerate(numpy.ma.masked_invalid(leads)):
        if lead.max() <= 0:
            continue
        color = numpy.array(to_rgb(COLORS[k % len(COLORS)]))
        tints = [1 + strength * (color - 1) for strength in numpy.linspace(STRONGEST / 3, STRONGEST, levels)]
        ax.contourf(*grids, lead, shades, colors=tints)
        if lead.min() < 0:
            ax.contour(*grids, lead, [0.0], colors="black", linewidths=1.3, linestyles="solid")


def _draw_points(ax: Axes, points: Numbers, found: list[Any], classes: list[Any]) -> None:
    entries: dict[Artist, str] = {}
    for k, label in enumerate(classes):
        own = points[[entry == label for entry in found]]
        color, marker = COLORS[k % len(COLORS)], MARKERS[k % len(MARKERS)]
        scatter = ax.scatter(
            own[:, 0], own[:, 1], s=30, color=color, marker=marker, edgecolors="black", linewidths=0.7, zorder=3
        )
        entries[scatter] = str(label)
    legend(ax, entries, title="class", loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
