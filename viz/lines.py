"""Plots of what changes over time: losses and metrics, the gradient norms of layers."""

from __future__ import annotations

from collections.abc import Mapping
from math import hypot
from statistics import fmean

from viz.canvas import COLORS, FAINT, MARKERS, STYLES, axes_or_new, legend, literal, numbers
from viz.modules import scopes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from engine import Value
    from viz.canvas import Numbers

VALIDATION = "val_"
MARKED = 12
"""About how many points of a line carry its marker."""
EXTREMES = (1e-280, 1e150)
"""Where a logarithmic axis ends, so that its ticks are floats too; what is beyond leaves the picture."""
LABEL_SIZE = 9
LINE_HEIGHT = 1.35


def curves(history: object, *, ax: Axes | None = None, log: bool = False, xlabel: str = "epoch") -> Axes:
    """Losses and metrics over time. `val_loss` is drawn as the twin of `loss`: same colour, dashed, hollow markers.

    Gaps in a line are numbers that are nan or infinite, or not positive on a logarithmic axis; the edge of the axes is
    marked there (a cross above, a triangle below), and the legend counts them.

    Args:
        history: lists of numbers by name, all of one length, or an object that has such a mapping as `.history`.
        ax: the axes to draw on; None for a new figure.
        log: whether the vertical axis is logarithmic.
        xlabel: what is counted from 1.

    Raises:
        TypeError: it is no mapping of names to lists of numbers.
        ValueError: it is empty, or the lists are not of one length.
        ImportError: matplotlib is not installed.

    >>> from matplotlib.figure import Figure
    >>> ax = curves({"loss": [2.5, 1.0, 0.4], "val_loss": [2.6, 1.3, 0.9]}, ax=Figure().subplots(), log=True)
    >>> [(line.get_ydata().tolist(), line.get_linestyle()) for line in ax.lines]
    [([2.5, 1.0, 0.4], '-'), ([2.6, 1.3, 0.9], '--')]
    """
    series = _series(getattr(history, "history", history), "history")
    ax = axes_or_new(ax)
    _prepare(ax, series, log, xlabel)
    metrics = list(dict.fromkeys(map(_metric, series)))
    lines = {}
    for name in sorted(series, key=lambda name: (metrics.index(_metric(name)), _is_twin(name))):
        lines[name] = _line(ax, series[name], metrics.index(_metric(name)))
        if _is_twin(name):
            lines[name].set(linestyle="--", markerfacecolor=ax.get_facecolor())
    told = _mark_gaps(ax, lines)
    literal(ax.yaxis.label, ", ".join(metrics))
    if len(lines) > 1 or any(told.values()):
        legend(ax, {line: _title(name, series) + told[name] for name, line in lines.items()}, frameon=False)
    return ax


def _title(name: str, series: Mapping[str, Numbers]) -> str:
    if _is_twin(name):
        return f"{_metric(name)}, validation"
    return f"{name}, training" if VALIDATION + name in series else name


def _is_twin(name: str) -> bool:
    return name.startswith(VALIDATION) and name != VALIDATION


def _metric(name: str) -> str:
    return name.removeprefix(VALIDATION) if _is_twin(name) else name


def _series(mapping: object, what: str) -> dict[str, Numbers]:
    """Arrays of one length by name."""
    if not isinstance(mapping, Mapping):
        raise TypeError(
            f"{what} must be lists of numbers by name; got {type(mapping).__name__}; "
            "pass a mapping such as {'loss': [0.9, 0.5]}"
        )
    found = {}
    for name, entries in mapping.items():
        if not isinstance(name, str):
            raise TypeError(f"names in {what} must be strings; got {name!r}; use the name of what was measured")
        found[name] = numbers(entries, f"{what}[{name!r}]")
        if found[name].ndim != 1:
            raise ValueError(
                f"{what}[{name!r}] must be one list of numbers; got an array of shape {found[name].shape}; "
                "give each row a name of its own"
            )
    lengths = {len(entries): name for name, entries in found.items()}
    if not found:
        raise ValueError(f"{what} is empty; got no list of numbers; record at least one step, then plot")
    if len(lengths) > 1:
        told = " and ".join(f"{length} of {name!r}" for length, name in list(lengths.items())[:2])
        raise ValueError(f"lists in {what} must be of one length; got {told}; fill what was not measured with nan")
    return found


def _prepare(ax: Axes, series: Mapping[str, Numbers], log: bool, xlabel: str) -> None:
    import numpy
    from matplotlib.ticker import MaxNLocator

    if log:
        ax.set_yscale("log", nonpositive="mask")
        entries = numpy.concatenate(list(series.values()))
        drawn = entries[numpy.isfinite(entries) & (entries > 0)]
        low, high = numpy.clip((drawn.min(), drawn.max()) if drawn.size else (1.0, 1.0), *EXTREMES)
        if low in EXTREMES or high in EXTREMES or not drawn.size:  # matplotlib finds no limits then
            ax.set_ylim(low / 10, high * 10)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    literal(ax.xaxis.label, xlabel)
    ax.grid(True, axis="y", color=FAINT, alpha=0.3, linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)


def _line(ax: Axes, series: Numbers, k: int) -> Line2D:
    """Draw a series in the k-th colour and marker; numbers that no line leads to have a marker in any case."""
    import numpy

    steps = numpy.arange(1, len(series) + 1)
    shown = numpy.isfinite(series) & ((series > 0) | (ax.get_yscale() != "log"))
    drawn = numpy.concatenate(([False], shown, [False]))
    alone = drawn[1:-1] & ~drawn[:-2] & ~drawn[2:]
    often = steps % -(-len(series) // MARKED) == 0
    color, marker = COLORS[k % len(COLORS)], MARKERS[k % len(MARKERS)]
    [line] = ax.plot(steps, series, color=color, marker=marker, linewidth=1.8, markersize=5)
    ax.update_datalim([(1, 0), (len(series), 0)], updatey=False)  # numbers that are not drawn have their place too
    line.set_markevery([int(i) for i in numpy.flatnonzero(alone | often)])
    return line


def _mark_gaps(ax: Axes, lines: Mapping[str, Line2D]) -> dict[str, str]:
    """Marks at the edges where lines have gaps, one row below the other; what a legend says of them."""
    import numpy
    from matplotlib.lines import Line2D

    told = dict.fromkeys(lines, "")
    rows = {"x": 0.985, "v": 0.015}
    for name, line in lines.items():
        steps, series = (numpy.asarray(data, float) for data in line.get_data())
        finite = numpy.isfinite(series)
        low = finite & (series <= 0) & (ax.get_yscale() == "log")
        for gaps, sign, word in ((~finite, "x", "finite"), (low, "v", "positive")):
            count = numpy.count_nonzero(gaps)
            if count:
                told[name] += f" ({count} not {word})"
                marks = Line2D(steps[gaps], [rows[sign]] * count, color=line.get_color(), linestyle="none")
                marks.set(marker=sign, markersize=5, transform=ax.get_xaxis_transform())
                ax.add_artist(marks)
                rows[sign] += -0.03 if sign == "x" else 0.03
    return told


class LayerNorms(dict[str, float]):
    """A gradient norm for each layer, at one moment."""


def layer_gradient_norms(named_parameters: Iterable[tuple[str, Value]]) -> LayerNorms:
    """The Euclidean norm of each layer's gradient now: sqrt(sum of .grad^2 over its parameters).

    The layer of `layers.0.neurons.2.weight.1` is `layers.0`: the innermost module but neurons. A parameter in none goes
    by the first part of its name.

    Args:
        named_parameters: names and Values, as `model.named_parameters()` gives.

    >>> from engine import Value
    >>> w, v = Value(2.0), Value(3.0)
    >>> (3 * w + 4 * v).backward()
    >>> layer_gradient_norms([("hidden.weight.0", w), ("hidden.weight.1", v)])
    {'hidden': 5.0}
    """
    return _by_layer({name: parameter.grad for name, parameter in named_parameters})


def _by_layer(gradients: Mapping[str, object]) -> LayerNorms:
    from engine import Value

    parts: dict[str, list[float]] = {}
    leaves = scopes([Value(0.0, label=name) for name in gradients])
    for (name, gradient), scope in zip(gradients.items(), leaves.values(), strict=True):
        modules = [path for path in scope if path.split(".")[-2:-1] != ["neurons"]]
        entries = numbers(gradient if hasattr(gradient, "__iter__") else [gradient], f"the gradient of {name!r}")
        parts.setdefault(modules[-1] if modules else name.partition(".")[0], []).append(hypot(*entries.flat))
    return LayerNorms({layer: hypot(*norms) for layer, norms in parts.items()})


def gradient_norms(norms_by_layer: object, *, ax: Axes | None = None, xlabel: str = "step") -> Axes:
    """The size of each layer's gradient over time, on a logarithmic axis: whether gradients vanish or explode.

    Every layer has its name at the end of its line. Where a norm is 0, the lower edge is marked; where it is nan or
    infinite, the upper.

    Args:
        norms_by_layer: lists of norms by layer; or a list over time of what `layer_gradient_norms` gives, or of
            gradients by parameter name, which are taken together by layer as there.
        ax: the axes to draw on; None for a new figure.
        xlabel: what is counted from 1.

    Raises:
        TypeError: it is neither, or something in it is no number.
        ValueError: it is empty, a norm is negative, or lists are not of one length.
        ImportError: matplotlib is not installed.

    >>> from matplotlib.figure import Figure
    >>> ax = gradient_norms({"first": [1e-4, 2e-4], "last": [0.5, 0.4]}, ax=Figure().subplots())
    >>> ax.get_yscale(), [text.get_text() for text in ax.texts]
    ('log', ['last', 'first'])
    """
    series = _series(_over_time(norms_by_layer), "norms_by_layer")
    for name, norms in series.items():
        if (norms < 0).any():
            raise ValueError(
                f"a norm must not be negative; got {norms[norms < 0][0]:g} for {name!r}; pass sizes of gradients"
            )
    ax = axes_or_new(ax)
    _prepare(ax, series, True, xlabel)
    lines = {}
    for k, (name, norms) in enumerate(series.items()):
        lines[name] = _line(ax, norms, k)
        lines[name].set_linestyle(STYLES[k % len(STYLES)])
    _mark_gaps(ax, lines)
    ax.set_ylabel("Euclidean norm of the gradient")
    _name_at_the_end(ax, lines)
    return ax


def _over_time(snapshots: object) -> object:
    """Lists of norms by layer, of a list of snapshots; a layer that one of them lacks has nan there."""
    if isinstance(snapshots, (Mapping, str)) or not hasattr(snapshots, "__iter__"):
        return snapshots
    moments = []
    for k, snapshot in enumerate(snapshots):
        if not isinstance(snapshot, Mapping):
            raise TypeError(
                f"a snapshot must be gradients by name; got {type(snapshot).__name__} at {k}; "
                "append layer_gradient_norms(model.named_parameters()) after each backward()"
            )
        moments.append(snapshot if isinstance(snapshot, LayerNorms) else _by_layer(snapshot))
    layers = dict.fromkeys(layer for moment in moments for layer in moment)
    return {layer: [moment.get(layer, float("nan")) for moment in moments] for layer in layers}


def _name_at_the_end(ax: Axes, lines: dict[str, Line2D]) -> None:
    """Write each line's name to the right of its end, no name over another; as many as there is room for."""
    ax.margins(x=0.02)
    room = LABEL_SIZE * LINE_HEIGHT / (ax.bbox.height * 72 / ax.figure.dpi)
    named = sorted(lines.items(), key=lambda item: -_end(ax, item[1])[1])
    texts = {}
    for name, line in named[:: -(-len(named) // max(int(1 / room), 1))]:
        arrow = {"arrowstyle": "-", "color": line.get_color(), "linewidth": 0.8, "relpos": (0, 0.5)}
        texts[line] = ax.annotate(
            "-", (0, 0), (1.05, 0), "axes fraction", "axes fraction", arrow, annotation_clip=False, va="center",
            fontsize=LABEL_SIZE, color=ax.xaxis.label.get_color(),
        )  # fmt: skip
        literal(texts[line], name)

    def place(ax: Axes) -> None:
        ends = sorted(((*_end(ax, line), text) for line, text in texts.items()), key=lambda end: -end[1])
        for (x, y, text), height in zip(ends, _spread([y for _, y, _ in ends], room), strict=True):
            text.xy, text.xyann = (x, y), (1.05, height)

    place(ax)
    for change in ("xlim_changed", "ylim_changed"):
        ax.callbacks.connect(change, place)


def _end(ax: Axes, line: Line2D) -> tuple[float, float]:
    """Where a line ends, as fractions of the axes; at the edge if its last number is not in the picture."""
    from numpy import asarray, isnan

    step, norm = (float(asarray(data)[-1]) for data in line.get_data())
    ax.get_ylim()  # matplotlib finds limits when they are asked for
    x, y = (ax.transData - ax.transAxes).transform((step, norm))
    return float(x), 1.0 if isnan(y) else min(max(float(y), 0.0), 1.0)


def _spread(heights: Sequence[float], room: float) -> list[float]:
    """Heights, falling, moved as little as can be until neighbours are `room` apart, all within [0, 1].

    >>> [round(height, 2) for height in _spread([0.9, 0.52, 0.5, 0.0], 0.1)]
    [0.9, 0.56, 0.46, 0.0]
    """
    # With k * room added they only have to fall; the nearest falling numbers are means of neighbours.
    blocks: list[list[float]] = []
    for k, height in enumerate(heights):
        blocks.append([height + k * room])
        while len(blocks) > 1 and fmean(blocks[-2]) < fmean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    falling = [fmean(block) for block in blocks for _ in block]
    least = (len(heights) - 1) * room
    return [min(max(height, least), 1.0) - k * room for k, height in enumerate(falling)]
