"""Decision boundaries: every place lies in the region of its class, and the border where the score changes sign."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from axes import POINTS, drawing, new_axes, rendered, settings_stay_as_they_are
from hypothesis import example, given
from hypothesis import strategies as st
from matplotlib import pyplot
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb

import nn
from engine import Value
from viz import plots
from viz.canvas import COLORS

__all__ = ["settings_stay_as_they_are"]  # a fixture


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
