"""`viz.plots`: what is drawn is what was given, is told apart without colour, and errors help."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
import warnings
from typing import ClassVar

import matplotlib
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

import nn
from engine import Value
from viz import plots
from viz.canvas import COLORS, DIVERGING, MARKERS, STYLES, diverging, numbers
from viz.lines import LABEL_SIZE

matplotlib.use("Agg")

ANY_NUMBERS = st.lists(st.floats(-1e30, 1e30) | st.sampled_from([math.nan, math.inf, -math.inf, 0.0]), min_size=1)
NAMES = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=12)
drawing = settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])

POINTS = [[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [1.0, 2.0]]


@pytest.fixture(autouse=True)
def settings_stay_as_they_are():
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before
    pyplot.close("all")


def new_axes():
    return Figure(layout="constrained").subplots()


def rendered(ax):
    """Drawn in full, so that everything that can fail has had the chance."""
    FigureCanvasAgg(ax.figure).draw()
    return ax


def series(ax):
    """The lines that show numbers."""
    return [line for line in ax.lines if line.get_linestyle() != "None"]


def marks(ax):
    """The rows of marks at the edges, where lines have gaps."""
    return [line for line in ax.lines if line.get_linestyle() == "None"]


def luminance(color: str) -> float:
    """CIE L*, from 0 to 100: how light a colour is in grey print."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 116 * (y ** (1 / 3)) - 16 if y > 0.008856 else 903.3 * y


# --- all plots


CALLS = {
    "curves": lambda ax: plots.curves({"loss": [2.0, 1.0]}, ax=ax),
    "gradient_norms": lambda ax: plots.gradient_norms({"a": [2.0, 1.0]}, ax=ax),
    "weights": lambda ax: plots.weights([1.0, 2.0], ax=ax),
    "attribution": lambda ax: plots.attribution([[0.0, 1.0]], [[1.0, -1.0]], ax=ax),
    "decision_boundary": lambda ax: plots.decision_boundary(
        lambda p: p[0] - 0.5, POINTS, [0, 1, 0, 1], ax=ax, resolution=5
    ),
}


@pytest.mark.parametrize("plot", CALLS.values(), ids=CALLS)
def test_axes_in_and_axes_out(plot):
    ax = new_axes()
    assert plot(ax) is ax
    assert not pyplot.get_fignums(), "with axes given, no figure is made"
    first, second = plot(None), plot(None)
    assert first.figure is not second.figure
    assert len(pyplot.get_fignums()) == 2
    rendered(ax), rendered(first)
    with pytest.raises(TypeError, match=r"ax must be one Axes of matplotlib; got ndarray; .* as axes\[0\]"):
        plot(Figure().subplots(2))


@pytest.mark.parametrize("plot", CALLS.values(), ids=CALLS)
def test_without_matplotlib_the_error_says_what_to_install(plot, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"need the Python package matplotlib; .* has none; .*'glassgrad\[viz\]'"):
        plot(None)


def test_plots_are_there_without_loading_matplotlib():
    code = (
        "import sys, viz; viz.plots.curves; heavy = {'matplotlib', 'numpy', 'nn'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_neighbouring_colors_differ_in_grey_print():
    for one, other in itertools.pairwise([*COLORS, COLORS[0]]):
        assert abs(luminance(one) - luminance(other)) > 10, (one, other)
    assert all(luminance(color) < 75 for color in COLORS), "too light for white paper"


def test_no_two_of_many_lines_look_alike_without_color():
    looks = [(STYLES[k % len(STYLES)], MARKERS[k % len(MARKERS)]) for k in range(36)]
    assert len(set(looks)) == 36


def test_the_diverging_colors_tell_the_sign_apart_and_fade_to_white():
    negative, positive = luminance(DIVERGING[0]), luminance(DIVERGING[-1])
    assert positive - negative > 30
    shades = [luminance(diverging()(k / 20)) for k in range(21)]
    assert shades[:11] == sorted(shades[:11])
    assert shades[10:] == sorted(shades[10:], reverse=True)
    assert shades[10] > 99


def test_numbers_come_out_of_anything_that_holds_them():
    expected = [[1.0, 2.0], [3.0, 4.0]]
    rows = [[Value(1.0), 2], (np.float32(3), True + 3)]
    for thing in (
        rows,
        tuple(rows),
        np.array(expected),
        np.array(rows, dtype=object),
        iter(rows),
        np.array(expected, ">f4"),
    ):
        assert numbers(thing, "things").tolist() == expected


@pytest.mark.parametrize(
    ("thing", "error", "message"),
    [
        (3.0, TypeError, "must be a list of numbers; got float: 3.0; pass"),
        ("abc", TypeError, "must be a list of numbers; got str"),
        ({"a": 1}, TypeError, "must be a list of numbers; got dict"),
        ([], ValueError, "must hold at least one number; got an empty list; "),
        (np.zeros((0, 3)), ValueError, "at least one number; got an empty ndarray"),
        ([1.0, "2"], TypeError, "must hold numbers only; got str: '2' at 1; pass"),
        ([1.0, None], TypeError, "got NoneType: None at 1"),
        ([1 + 2j], TypeError, "got complex"),
        (np.array([1 + 2j]), TypeError, "got complex"),
        ([[1.0, 2.0], [3.0, object()]], TypeError, r"got object: .* at 1, 1"),
        ([[1.0, 2.0], [3.0]], TypeError, "got list: .* at 0; .* in rows of one length"),
        ([10**400], OverflowError, "too large for a float; got"),
    ],
)  # fmt: skip
def test_what_holds_no_numbers_is_told(thing, error, message):
    with pytest.raises(error, match=message):
        numbers(thing, "things")


# --- curves


@drawing
@given(st.data(), st.booleans())
def test_curves_draw_what_they_are_given(data, log):
    length = data.draw(st.integers(1, 40))
    lists = st.lists(ANY_NUMBERS.map(lambda some: some[0]), min_size=length, max_size=length)
    history = data.draw(
        st.dictionaries(NAMES | st.sampled_from(["loss", "val_loss", "_x", "$a$b$"]), lists, min_size=1, max_size=5)
    )
    ax = rendered(plots.curves(history, ax=new_axes(), log=log))
    assert sorted(repr(line.get_ydata().tolist()) for line in series(ax)) == sorted(map(repr, history.values()))
    assert all(line.get_xdata().tolist() == list(range(1, length + 1)) for line in series(ax))
    assert ax.get_yscale() == ("log" if log else "linear")


def test_validation_is_the_dashed_twin():
    class History:
        history: ClassVar = {"val_loss": [3.0, 2.0], "accuracy": [0.1, 0.2], "loss": [2.0, 1.0], "val_auc": [0.5, 0.6]}

    ax = rendered(plots.curves(History(), ax=new_axes(), xlabel="step"))
    look = {
        text.get_text(): (line.get_ydata().tolist(), line.get_color(), line.get_linestyle(), line.get_marker())
        for text, line in zip(ax.get_legend().get_texts(), series(ax), strict=True)
    }
    assert look == {
        "loss, training": ([2.0, 1.0], COLORS[0], "-", MARKERS[0]),
        "loss, validation": ([3.0, 2.0], COLORS[0], "--", MARKERS[0]),
        "accuracy": ([0.1, 0.2], COLORS[1], "-", MARKERS[1]),
        "auc, validation": ([0.5, 0.6], COLORS[2], "--", MARKERS[2]),
    }
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "loss, accuracy, auc")


def test_a_single_curve_needs_no_legend():
    ax = rendered(plots.curves({"loss": [2.0, 1.0]}, ax=new_axes()))
    assert ax.get_legend() is None
    assert ax.get_ylabel() == "loss"


@pytest.mark.parametrize(
    ("log", "entries", "expected", "words"),
    [
        (False, [1.0, math.nan, 2.0, -math.inf, 0.0], {"x": [2, 4]}, "loss (2 not finite)"),
        (True, [1.0, math.nan, 2.0, 0.0, -1.0], {"x": [2], "v": [4, 5]}, "loss (1 not finite) (2 not positive)"),
        (True, [0.0, -1.0], {"v": [1, 2]}, "loss (2 not positive)"),
        (False, [math.nan], {"x": [1]}, "loss (1 not finite)"),
    ],
)
def test_gaps_are_marked_at_the_edge_and_counted(log, entries, expected, words):
    ax = rendered(plots.curves({"loss": entries}, ax=new_axes(), log=log))
    assert {mark.get_marker(): mark.get_xdata().tolist() for mark in marks(ax)} == expected
    assert ax.get_xlim()[0] < 1 <= len(entries) < ax.get_xlim()[1]
    for mark in marks(ax):
        [height] = set(mark.get_ydata())
        assert 0 <= height <= 1
        assert (height > 0.5) == (mark.get_marker() == "x")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [words]


@example([1.0, math.nan] * 20, False)
@example([1.0, 0.0] * 20, True)
@given(st.lists(st.sampled_from([1.0, 0.0, math.nan]), min_size=1, max_size=200), st.booleans())
@drawing
def test_no_number_is_invisible(entries, log):
    """Each is on a line, carries a marker, or is marked at an edge."""
    ax = plots.curves({"loss": entries}, ax=new_axes(), log=log)
    [line] = series(ax)
    shown = [math.isfinite(y) and (y > 0 or not log) for y in entries]
    on_lines = {k for k, (one, other) in enumerate(itertools.pairwise(shown)) if one and other}
    on_lines |= {k + 1 for k in on_lines}
    marked = {int(step) - 1 for mark in marks(ax) for step in mark.get_xdata()}
    assert on_lines | set(line.get_markevery()) | marked >= set(range(len(entries)))
    assert marked == {k for k, is_shown in enumerate(shown) if not is_shown}
    drawn = np.isfinite(ax.transData.transform(line.get_xydata())).all(axis=1)
    assert drawn.tolist() == shown, "a gap is no line to the bottom"
    assert len(line.get_markevery()) <= 12 + sum(shown) - len(on_lines)


def test_what_was_on_the_axes_stays_in_the_legend():
    ax = new_axes()
    ax.plot([1, 2], [3, 3], label="target")
    plots.curves({"loss": [2.0, 1.0], "val_loss": [2.0, 1.0]}, ax=ax)
    texts = [text.get_text() for text in rendered(ax).get_legend().get_texts()]
    assert texts == ["target", "loss, training", "loss, validation"]


@pytest.mark.parametrize(
    ("history", "error", "message"),
    [
        ({}, ValueError, "history is empty; got no list of numbers; record"),
        ([1.0, 2.0], TypeError, "history must be lists of numbers by name; got list; pass"),
        (None, TypeError, "got NoneType"),
        ({3: [1.0]}, TypeError, "names in history must be strings; got 3; "),
        ({"loss": []}, ValueError, r"history\['loss'\] must hold at least one number; got an empty list"),
        ({"loss": [1.0, "x"]}, TypeError, r"history\['loss'\] must hold numbers only; got str"),
        ({"loss": [[1.0], [2.0]]}, ValueError, r"must be one list of numbers; got an array of shape \(2, 1\); "),
        ({"loss": [1.0, 2.0], "val_loss": [1.0]}, ValueError, "got 2 of 'loss' and 1 of 'val_loss'; fill"),
    ],
)  # fmt: skip
def test_a_history_that_cannot_be_drawn(history, error, message):
    with pytest.raises(error, match=message):
        plots.curves(history)
    assert not pyplot.get_fignums(), "no empty figure is left"


# --- gradient norms


def deep_model():
    model = nn.MLP(2, [3, 3, 1], "sigmoid", seed=0)
    nn.mse(model([0.5, -1.0]), [1.0]).backward()
    return model


def test_norms_by_layer_are_those_of_all_parameters_of_the_layer():
    model = deep_model()
    norms = plots.layer_gradient_norms(model.named_parameters())
    assert list(norms) == ["layers.0", "layers.1", "layers.2"]
    for k, layer in enumerate(model.layers):
        assert norms[f"layers.{k}"] == pytest.approx(math.sqrt(sum(p.grad**2 for p in layer.parameters())))


@pytest.mark.parametrize(
    ("names", "layers"),
    [
        (["layers.0.neurons.2.weight.1", "layers.0.neurons.1.bias", "layers.10.gain"], ["layers.0", "layers.10"]),
        (["encoder.layers.0.gain.3", "encoder.head.bias"], ["encoder.layers.0", "encoder.head"]),
        (["neurons.0.weight.1", "neurons.1.bias"], ["neurons"]),
        (["weight.0", "weight.1", "bias"], ["weight", "bias"]),
        (["h1.w1", "h1.w2", "o.w1"], ["h1", "o"]),
        (["", ".", "a..b", "学習.重み"], ["", "a", "学習"]),
    ],
)
def test_layers_are_told_from_names(names, layers):
    assert list(plots.layer_gradient_norms([(name, Value(1.0)) for name in names])) == layers


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=9))
def test_norms_neither_overflow_nor_vanish_on_the_way(gradients):
    parameters = [Value(0.0) for _ in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    [norm] = plots.layer_gradient_norms((f"a.w.{k}", p) for k, p in enumerate(parameters)).values()
    assert norm == pytest.approx(math.hypot(*gradients))


def test_snapshots_are_drawn_by_layer():
    model = deep_model()
    snapshot = {name: parameter.grad for name, parameter in model.named_parameters()}
    twice = {name: 2 * gradient for name, gradient in snapshot.items()}
    arrays = {"layers.0.w": np.array([[3.0, 0.0], [0.0, 4.0]]), "layers.1.w": [Value(2.0)], "layers.2.w": 0.0}
    ax = rendered(plots.gradient_norms([snapshot, twice, arrays], ax=new_axes()))
    norms = plots.layer_gradient_norms(model.named_parameters())
    drawn = [line.get_ydata().tolist() for line in series(ax)]
    assert drawn == [
        pytest.approx([norms[layer], 2 * norms[layer], last])
        for layer, last in zip(norms, [5.0, 2.0, 0.0], strict=True)
    ]
    again = plots.gradient_norms([norms, norms], ax=new_axes())
    assert [line.get_ydata().tolist() for line in series(again)] == [[norm, norm] for norm in norms.values()]


def test_a_layer_that_a_snapshot_lacks_has_a_gap():
    ax = rendered(plots.gradient_norms([{"a.w": 1.0}, {"a.w": 1.0, "b.w": -3.0}], ax=new_axes()))
    assert repr([line.get_ydata().tolist() for line in series(ax)]) == "[[1.0, 1.0], [nan, 3.0]]"


@drawing
@given(
    st.lists(
        st.lists(st.floats(1e-30, 1e30) | st.sampled_from([0.0, math.nan, math.inf]), min_size=3, max_size=3),
        min_size=1,
        max_size=9,
    )
)
def test_each_line_has_its_name_at_its_end_and_no_name_is_over_another(norms):
    layers = {f"layers.{k}": entries for k, entries in enumerate(norms)}
    ax = rendered(plots.gradient_norms(layers, ax=new_axes()))
    assert [repr(line.get_ydata().tolist()) for line in series(ax)] == list(map(repr, norms))
    assert {text.get_text() for text in ax.texts} == set(layers)
    for text in ax.texts:
        end = layers[text.get_text()][-1]
        place = (ax.transData - ax.transAxes).transform((3, end))[1] if 0 < end < math.inf else float(end != 0)
        assert text.xy[1] == pytest.approx(place)
        assert 0 <= text.xyann[1] <= 1
    boxes = sorted(Text.get_window_extent(text).intervaly.tolist() for text in ax.texts)
    least = LABEL_SIZE * ax.figure.dpi / 72 * 0.9
    assert all(upper[0] - lower[0] >= least for lower, upper in itertools.pairwise(boxes))


def test_names_follow_when_the_limits_change():
    ax = plots.gradient_norms({"a": [1.0, 1.0], "b": [1.0, 0.1]}, ax=new_axes())
    for limits, places in (((0.01, 100.0), [0.5, 0.25]), ((1.0, 10.0), [0.0, 0.0]), ((0.1, 0.5), [1.0, 0.0])):
        ax.set_ylim(limits)
        assert [text.xy[1] for text in sorted(ax.texts, key=Text.get_text)] == pytest.approx(places)
    ax.set_yscale("linear")
    ax.set_ylim(-1, 1)
    assert [text.xy[1] for text in sorted(rendered(ax).texts, key=Text.get_text)] == pytest.approx([1.0, 0.55])


def test_consecutive_layers_differ_in_style_and_marker():
    ax = rendered(plots.gradient_norms({f"l{k}": [1.0 + k, 2.0 + k] for k in range(12)}, ax=new_axes()))
    for one, other in itertools.pairwise(series(ax)):
        assert one._unscaled_dash_pattern != other._unscaled_dash_pattern
        assert one.get_marker() != other.get_marker()


def test_of_very_many_layers_as_many_are_named_as_there_is_room_for():
    ax = rendered(plots.gradient_norms({f"l{k}": [1.0 + k, 2.0 + k] for k in range(200)}, ax=new_axes()))
    assert len(series(ax)) == 200
    assert 8 <= len(ax.texts) <= 40


@pytest.mark.parametrize("norms", [[5e-324, 1.0], [5e-324, 1e-320], [1.0, 1e308], [1e-310, 1e308], [0.0, math.inf]])
def test_norms_that_have_vanished_or_exploded(norms):
    ax = rendered(plots.gradient_norms({"a": norms}, ax=new_axes()))
    low, high = ax.get_ylim()
    assert 0 < low < high < math.inf
    assert all(low < norm < high for norm in norms if 1e-280 < norm < 1e150)
    box = Text.get_window_extent(ax.texts[0])
    assert ax.bbox.y0 - box.height < box.y0 < ax.bbox.y1


@pytest.mark.parametrize(
    ("norms", "error", "message"),
    [
        ({}, ValueError, "norms_by_layer is empty"),
        ([], ValueError, "norms_by_layer is empty"),
        ([{}], ValueError, "norms_by_layer is empty"),
        ("abc", TypeError, "norms_by_layer must be lists of numbers by name; got str"),
        (3, TypeError, "got int"),
        ([1.0], TypeError, "a snapshot must be gradients by name; got float at 0; append layer_gradient_norms"),
        ({"a": [1.0, -2.0]}, ValueError, "must not be negative; got -2 for 'a'; pass"),
        ([{"a": "x"}], TypeError, "the gradient of 'a' must"),
    ],
)
def test_norms_that_cannot_be_drawn(norms, error, message):
    with pytest.raises(error, match=message):
        plots.gradient_norms(norms)


# --- images


def image(ax, k=0):
    return ax.images[k].get_array()


@pytest.mark.parametrize(
    ("values", "shape", "expected"),
    [
        ([1, 2, 3, 4, 5, 6], (2, 3), [[1, 2, 3], [4, 5, 6]]),
        ([1, 2, 3, 4, 5, 6], (3, 2), [[1, 2], [3, 4], [5, 6]]),
        ([[1, 2, 3], [4, 5, 6]], None, [[1, 2, 3], [4, 5, 6]]),
        ([[1, 2, 3]], (3, 1), [[1], [2], [3]]),
        ([1, 2, 3, 4], None, [[1, 2], [3, 4]]),
        ([1, 2, 3], None, [[1, 2, 3]]),
        ([[1], [2]], None, [[1], [2]]),
    ],
)
def test_weights_lie_row_by_row(values, shape, expected):
    for wrap in (list, np.array, np.vectorize(Value, otypes=[object])):
        ax = rendered(plots.weights(wrap(values), shape, new_axes()))
        assert image(ax).tolist() == expected
        assert ax.images[0].origin == "upper"  # the first row is on top
        written = {text.get_position(): float(text.get_text()) for text in ax.texts}
        assert written == {(c, r): v for r, row in enumerate(expected) for c, v in enumerate(row)}


@drawing
@given(ANY_NUMBERS)
def test_the_scale_is_symmetric_and_what_is_not_finite_is_crossed(values):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = rendered(plots.weights(values, (1, len(values)), new_axes()))
    low, high = ax.images[0].get_clim()
    finite = [value for value in values if math.isfinite(value)]
    assert low == -high
    largest = max(map(abs, finite), default=0.0)
    assert high == (largest if largest > 1e-280 else 1.0)
    assert image(ax).compressed().tolist() == finite
    crossed = sorted(int(x) for line in ax.lines for x in line.get_xdata())
    assert crossed == [k for k, value in enumerate(values) if not math.isfinite(value)]


def test_images_of_many_weights_are_not_written_over():
    assert not plots.weights([1.0] * 100, ax=new_axes()).texts


def test_attributions_cover_the_image_by_their_size():
    pixels, given_ = [[0.0, 0.5, 1.0], [1.0, 0.0, 0.5]], [0.0, -4.0, 1.0, 2.0, math.nan, 4.0]
    ax = rendered(plots.attribution(pixels, given_, ax=new_axes()))
    assert image(ax).tolist() == pixels
    assert image(ax, 1).filled(9).tolist() == [[0.0, -4.0, 1.0], [2.0, 9.0, 4.0]]
    assert ax.images[1].get_alpha().tolist() == [[0.0, 1.0, 0.25], [0.5, 0.0, 1.0]]
    assert ax.images[1].get_clim() == (-4.0, 4.0)
    assert [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in ax.lines] == [([1], [1])]
    flat = plots.attribution([x for row in pixels for x in row], given_, (2, 3), new_axes())
    assert image(flat).tolist() == pixels
    darkest, lightest = (ax.images[0].cmap(ax.images[0].norm(x)) for x in (0.0, 1.0))
    assert luminance(lightest) > luminance(darkest) > luminance(DIVERGING[-1]) + 10


def test_an_image_of_one_brightness_and_one_with_holes_can_be_drawn():
    rendered(plots.attribution([[2.0, 2.0]], [[0.0, 0.0]], ax=new_axes()))
    rendered(plots.attribution([[math.nan, math.nan]], [[math.inf, 1.0]], ax=new_axes()))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: plots.weights([1.0, 2.0], (2, 2)), ValueError, r"must fill the shape; got .* \(2,\) for 2 rows of 2"),
        (lambda: plots.weights([[1, 2, 3], [4, 5, 6]], (3, 2)), ValueError, r"must fill the shape; got .* \(2, 3\)"),
        (lambda: plots.weights([1.0] * 4, (-2, -2)), ValueError, "must fill the shape"),
        (lambda: plots.weights([1.0] * 4, 4), TypeError, r"shape must be two whole numbers; got 4; use shape=\(rows, "),
        (lambda: plots.weights([1.0] * 4, (2, 2, 1)), TypeError, "shape must be two whole numbers"),
        (lambda: plots.weights(np.zeros((2, 2, 2))), ValueError, r"must be rows of numbers; got .* \(2, 2, 2\)"),
        (lambda: plots.weights([]), ValueError, "weights must hold at least one number"),
        (lambda: plots.attribution([1.0] * 4, [1.0] * 3), ValueError, r"attributions must fill .* \(3,\) for 2"),
        (lambda: plots.attribution([1.0], ["a"]), TypeError, "attributions must hold numbers only; got str"),
        (lambda: plots.attribution(["a"], [1.0]), TypeError, "image must hold numbers only; got str"),
    ],
)  # fmt: skip
def test_images_that_cannot_be_drawn(call, error, message):
    with pytest.raises(error, match=message):
        call()
    assert not pyplot.get_fignums()


# --- decision boundaries


def scattered(ax):
    """The points by class: name, marker's shape and colour, and coordinates."""
    collections = [c for c in ax.collections if isinstance(c, PathCollection)]
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    return {
        name: (c.get_paths()[0].vertices.tobytes(), tuple(c.get_facecolor()[0]), c.get_offsets().tolist())
        for name, c in zip(names, collections, strict=True)
    }


def region(ax, x, y):
    """The colour of the class whose region a place lies in, as a number in COLORS; None where there is none."""
    for filled in ax.collections:
        if isinstance(filled, PathCollection) or not getattr(filled, "filled", False):
            continue
        for path, face in zip(filled.get_paths(), filled.get_facecolors(), strict=False):
            if face[3] and path.contains_point((x, y)):
                tint = [1 - c for c in face[:3]]
                own = [[1 - c for c in to_rgb(color)] for color in COLORS]
                return max(range(len(COLORS)), key=lambda k: np.dot(tint, own[k]) / np.linalg.norm(own[k]))
    return None


def borders(ax):
    """The points of the lines between regions."""
    lines = [c for c in ax.collections if not isinstance(c, PathCollection) and not getattr(c, "filled", True)]
    return np.concatenate([path.vertices for line in lines for path in line.get_paths()] or [np.empty((0, 2))])


ANSWERS = {
    "a number": lambda s: s,
    "a Value": Value,
    "a list of one": lambda s: [s],
    "a list of one Value": lambda s: [Value(s)],
    "two scores": lambda s: [-s, s],
    "two Values": lambda s: (Value(-s), Value(s)),
    "an array": lambda s: np.array([-s, s]),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("vectorized", [False, True])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_border_is_where_the_score_changes_sign(answer, vectorized, axis):
    border = 0.7

    def predict(point):
        assert len(point) == 2
        return answer(point[axis] - border)

    def all_at_once(points):
        assert points.shape == (64, 2)
        return [predict(point) for point in points]

    ax = new_axes()
    plots.decision_boundary(
        all_at_once if vectorized else predict, POINTS, [-1, 1, 1, -1], ax=ax, resolution=8, vectorized=vectorized
    )
    rendered(ax)
    assert borders(ax)[:, axis] == pytest.approx(border)
    before, after = ((0.1, 0.9), (0.9, 1.9))
    assert region(ax, *(before if axis == 0 else (0.2, 0.3))) == 0
    assert region(ax, *(after if axis == 0 else (0.3, 0.95))) == 1


def test_points_are_where_they_were_and_classes_differ_in_shape():
    labels = ["cat", "dog", "cat", "eel"]
    ax = rendered(plots.decision_boundary(lambda p: [p[0], p[1], 0.1], POINTS, labels, ax=new_axes(), resolution=9))
    drawn = scattered(ax)
    assert {name: points for name, (_, _, points) in drawn.items()} == {
        "cat": [POINTS[0], POINTS[2]], "dog": [POINTS[1]], "eel": [POINTS[3]],
    }  # fmt: skip
    shapes, colors, _ = zip(*drawn.values(), strict=True)
    assert len(set(shapes)) == len(set(colors)) == 3


@drawing
@example([(0.0, 0.0), (0.0, 1e-307), (1.0, 0.0)])
@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=3, max_size=7, unique=True))
def test_every_place_lies_in_the_region_of_the_best_class(centers):
    def scores(point):
        return [-((point[0] - x) ** 2) - (point[1] - y) ** 2 for x, y in centers]

    ax = new_axes()
    plots.decision_boundary(scores, centers, range(len(centers)), ax=ax, resolution=40)
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    for a, b in itertools.product((0.13, 0.42, 0.87), repeat=2):
        place = left + a * (right - left), low + b * (high - low)
        ranked = sorted(scores(place))
        if ranked[-1] - ranked[-2] > 0.5:  # away from borders, which lie between points of the grid
            assert region(ax, *place) == scores(place).index(ranked[-1])


@pytest.mark.parametrize(
    ("labels", "threshold", "border"),
    [([0, 1], None, 0.5), ([-1, 1], None, 0.0), ([2.0, 3.0], None, 2.5), (["a", "b"], None, 0.5), ([0, 1], 0.25, 0.25)],
)
def test_the_threshold_between_two_classes(labels, threshold, border):
    points = [[-1.0, 0.0], [4.0, 1.0]]
    ax = plots.decision_boundary(lambda p: p[0], points, labels, ax=new_axes(), resolution=30, threshold=threshold)
    assert borders(ax)[:, 0] == pytest.approx(border)


def test_a_shade_for_each_level_and_classes_without_points():
    ax = plots.decision_boundary(
        lambda p: [p[0], 1 - p[0], -9.0], POINTS, [0, 1, 0, 1], ax=new_axes(), resolution=9, levels=3
    )
    filled = [c for c in rendered(ax).collections if getattr(c, "filled", False)]
    assert [len(c.get_facecolors()) for c in filled] == [3, 3]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0", "1", "2"]


def test_places_without_an_answer_are_hatched_and_infinite_scores_are_no_obstacle():
    def scores(point):
        return [math.nan, 0.0] if point[0] > 0.5 else [math.copysign(math.inf, point[1] - 1.01), 0.0]

    ax = plots.decision_boundary(scores, POINTS, [0, 1, 0, 1], ax=new_axes(), resolution=9)
    assert any(any(c.hatches) for c in rendered(ax).collections if hasattr(c, "hatches"))
    assert region(ax, 0.9, 1.0) is None
    assert (region(ax, 0.1, 1.9), region(ax, 0.1, 0.1)) == (0, 1)


@pytest.mark.parametrize("answer", [0.5, 7.0, [3.0, 3.0], [1.0, 0.0]])
def test_the_same_answer_everywhere(answer):
    rendered(plots.decision_boundary(lambda p: answer, POINTS, [0, 1, 1, 0], ax=new_axes(), resolution=4))


@pytest.mark.parametrize("x", [[1.0, 1.0], [0.0, 0.0], [-1e20, -1e20], [1e9, 1e9 + 1e-6], [0.0, 1e-300]])
def test_points_that_do_not_differ_have_room_around_them(x):
    points = [[x[0], 1.0], [x[1], 2.0]]
    ax = rendered(plots.decision_boundary(lambda p: p[1] - 1, points, [0, 1], ax=new_axes(), resolution=4))
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    assert left < min(x) <= max(x) < right
    assert (low, high) == pytest.approx((0.9, 2.1))


def test_nothing_is_recorded_and_gradients_stay():
    model, nodes = nn.MLP(2, [3, 1], seed=0), []

    def predict(point):
        [score] = model(point)
        nodes.append(score)
        return score

    ax = plots.decision_boundary(predict, POINTS, [0, 1, 1, 0], ax=new_axes(), resolution=100, names=("a$b$", "_c"))
    rendered(ax)
    assert len(nodes) == 10_000
    assert not any(node.parents for node in nodes)
    assert model(POINTS[0])[0].parents, "recording goes on afterwards"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("a$b$", "_c")


BOUNDARY_ERRORS = {
    "flat points": ({"x": [1.0, 2.0]}, ValueError, r"x must be rows of two features; got an array of shape \(2,\)"),
    "three features": ({"x": [[1, 2, 3]] * 4}, ValueError, r"rows of two features; got an array of shape \(4, 3\)"),
    "no points": ({"x": [], "y": []}, ValueError, "x must hold at least one number"),
    "text": ({"x": [["a", 1]]}, TypeError, "x must hold numbers only; got str: 'a' at 0, 0"),
    "a point at nan": ({"x": [*POINTS[:3], [0, math.nan]]}, ValueError, r"x must be finite; got \[0.0, nan\] in row 3"),
    "too few classes": ({"y": [0, 1]}, ValueError, "a class for each point; got 2 for 4 points; match"),
    "a class of nan": ({"y": [0, 1, 0, math.nan]}, ValueError, "one class for each point; got lists or nan"),
    "one-hot": ({"y": [[0, 1]] * 4}, ValueError, "one class for each point; got lists or nan"),
    "classes mixed": ({"y": [0, "a", 1, 1]}, TypeError, "y must hold numbers only; got str"),
    "one class": ({"y": [1] * 4}, ValueError, r"one score for each class; got 1 for the classes \[1\]; "),
    "one number for three": ({"y": [0, 1, 2, 0]}, ValueError, r"got 1 for the classes \[0, 1, 2\]; one number is"),
    "scores for strings": ({"y": list("abca"), "predict": lambda p: [1] * 4}, ValueError, "got 4 for the classes"),
    "ragged": ({"predict": lambda p: [1.0] * (1 + (p[0] > 0))}, (TypeError, ValueError), "the answers of predict"),
    "nothing": ({"predict": lambda p: None}, TypeError, "predict must hold numbers only; got NoneType"),
    "nan": ({"predict": lambda p: math.nan}, ValueError, "must give a number somewhere; got nan"),
    "too deep": ({"predict": lambda p: [[1.0, 2.0]]}, ValueError, r"got .* \(25, 1, 2\) for 25 points"),
    "not vectorized": ({"vectorized": True}, ValueError, r"got an array of shape \(2,\) for 25 points; pass"),
    "resolution": ({"resolution": 1}, ValueError, "resolution must be a whole number, at least 2; got 1"),
    "levels": ({"levels": 2.5}, ValueError, "levels must be a whole number, at least 1; got 2.5"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "error", "message"), BOUNDARY_ERRORS.values(), ids=BOUNDARY_ERRORS)
def test_boundaries_that_cannot_be_drawn(change, error, message):
    arguments = {"predict": lambda p: p[0], "x": POINTS, "y": [0, 1, 0, 1], "resolution": 5} | change
    with pytest.raises(error, match=message):
        plots.decision_boundary(**arguments)
    assert not pyplot.get_fignums()
