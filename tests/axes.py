"""Axes of matplotlib to draw on without a screen, and what the tests of all plots need beside them."""

from __future__ import annotations

import math

import matplotlib
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

matplotlib.use("Agg")

ANY_NUMBERS = st.lists(st.floats(-1e30, 1e30) | st.sampled_from([math.nan, math.inf, -math.inf, 0.0]), min_size=1)
drawing = settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])

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


def luminance(color: str) -> float:
    """CIE L*, from 0 to 100: how light a colour is in grey print."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 116 * (y ** (1 / 3)) - 16 if y > 0.008856 else 903.3 * y
