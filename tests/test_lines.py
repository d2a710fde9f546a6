"""Curves and gradient norms: each number is on a line or marked where it is none, and each line tells its name."""

from __future__ import annotations

import itertools
import math
from typing import ClassVar

import numpy as np
import pytest
from axes import ANY_NUMBERS, drawing, new_axes, rendered, settings_stay_as_they_are
from hypothesis import example, given
from hypothesis import strategies as st
from matplotlib import pyplot
from matplotlib.text import Text

import nn
from engine import Value
from viz import plots
from viz.canvas import COLORS, MARKERS
from viz.lines import LABEL_SIZE

__all__ = ["settings_stay_as_they_are"]  # a fixture

NAMES = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=12)


def series(ax):
    """The lines that show numbers."""
    return [line for line in ax.lines if line.get_linestyle() != "None"]


def marks(ax):
    """The rows of marks at the edges, where lines have gaps."""
    return [line for line in ax.lines if line.get_linestyle() == "None"]


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
