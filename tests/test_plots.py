"""`viz.plots`: axes in and out, colours that tell apart without colour, and numbers out of anything that holds them."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest
from axes import POINTS, luminance, new_axes, rendered, settings_stay_as_they_are
from matplotlib import pyplot
from matplotlib.figure import Figure

from engine import Value
from viz import plots
from viz.canvas import COLORS, DIVERGING, MARKERS, STYLES, diverging, numbers

__all__ = ["settings_stay_as_they_are"]  # a fixture

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


# --- colours


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


# --- numbers


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
