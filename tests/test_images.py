"""Weights and attributions as images: each number in its place, on a scale that is symmetric about zero."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from axes import ANY_NUMBERS, drawing, luminance, new_axes, rendered, settings_stay_as_they_are
from hypothesis import given
from matplotlib import pyplot

from engine import Value
from viz import plots
from viz.canvas import DIVERGING

__all__ = ["settings_stay_as_they_are"]  # a fixture


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
