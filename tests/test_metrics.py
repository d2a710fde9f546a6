"""Metrics: scikit-learn's scores, the same batch by batch, in lists, arrays and Values."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pytest

from engine import Value
from nn import metrics


class Row(NamedTuple):
    name: str
    predictions: list[Any]
    targets: list[Any]
    sklearn: Callable[[Any, list[float], list[float]], Any]  # of its module, targets and predictions
    threshold: float | None = None

    @property
    def options(self) -> dict[str, float]:
        return {} if self.threshold is None else {"threshold": self.threshold}


def drawn() -> dict[str, list[Any]]:
    generator = Random(1)

    def rows(width: int) -> list[list[float]]:
        return [[generator.gauss(0.0, 1.0) for _ in range(width)] for _ in range(40)]

    classes = [generator.choice([0, 1, 1, 2, 4]) for _ in range(40)]  # 3 is never right
    return {
        "numbers": [number for [number] in rows(1)],
        "bits": [generator.randrange(2) for _ in range(40)],
        "several bits": [[generator.randrange(2) for _ in range(3)] for _ in range(40)],
        "triples": rows(3),
        "scores": [[*row[:3], row[3] - 9.0, row[4]] for row in rows(5)],  # and never predicted
        "classes": classes,
        "one-hot": [[float(k == c) for k in range(5)] for c in classes],
    }


DRAWN = drawn()
NUMBERS, BITS, SCORES, CLASSES = (DRAWN[name] for name in ("numbers", "bits", "scores", "classes"))
COLUMN = [[number] for number in NUMBERS]


def averaged(name: str) -> Callable[[Any, Any, Any], float]:
    def score(module: Any, targets: Any, predictions: Any) -> float:
        several = len(set(targets)) > 2
        return float(getattr(module, name)(targets, predictions, average="macro" if several else "binary"))

    return score


def plain(name: str) -> Callable[[Any, Any, Any], Any]:
    return lambda module, targets, predictions: getattr(module, name)(targets, predictions)


ROWS = [
    Row("accuracy", NUMBERS, BITS, plain("accuracy_score")),
    Row("accuracy", COLUMN, BITS, plain("accuracy_score"), -0.3),
    Row("accuracy", COLUMN, [[bit] for bit in BITS], plain("accuracy_score")),
    Row("accuracy", SCORES, CLASSES, plain("accuracy_score")),
    Row("accuracy", SCORES, [[k] for k in CLASSES], plain("accuracy_score")),
    Row("accuracy", SCORES, DRAWN["one-hot"], plain("accuracy_score")),
    Row("binary_accuracy", DRAWN["triples"], DRAWN["several bits"], plain("accuracy_score"), 0.0),
    Row("categorical_accuracy", SCORES, DRAWN["one-hot"], plain("accuracy_score")),
    Row("sparse_categorical_accuracy", SCORES, CLASSES, plain("accuracy_score")),
    *[
        Row(name, predictions, targets, averaged(f"{name}_score"))
        for name in ("precision", "recall", "f1")
        for predictions, targets in ((NUMBERS, BITS), (SCORES, CLASSES), (SCORES, DRAWN["one-hot"]))
    ],
    Row("confusion_matrix", NUMBERS, BITS, plain("confusion_matrix")),
    Row("mae", DRAWN["triples"], DRAWN["several bits"], plain("mean_absolute_error")),
    Row("mse", DRAWN["triples"], DRAWN["several bits"], plain("mean_squared_error")),
    Row("mse", COLUMN, BITS, plain("mean_squared_error")),
]
ALL = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def decided(row: Row) -> tuple[list[float], list[float]]:
    """Targets and predictions as scikit-learn takes them: classes one by one."""
    predictions, targets = np.array(row.predictions), np.array(row.targets)
    if row.name in ("mae", "mse"):
        return targets.ravel().tolist(), predictions.ravel().tolist()
    if predictions.ndim == 1 or predictions.shape[-1] == 1 or row.name == "binary_accuracy":
        threshold = 0.5 if row.threshold is None else row.threshold
        return targets.ravel().tolist(), (predictions.ravel() > threshold).astype(int).tolist()
    one_hot = targets.ndim == 2 and targets.shape[-1] > 1
    return (targets.argmax(-1) if one_hot else targets.ravel()).tolist(), predictions.argmax(-1).tolist()


@ALL
def test_scores_are_scikit_learns(row: Row) -> None:
    module = pytest.importorskip("sklearn.metrics")
    result = metrics.find(row.name)(row.predictions, row.targets, **row.options)
    assert np.array(result) == pytest.approx(np.array(row.sklearn(module, *decided(row))), rel=1e-12)


@ALL
def test_batches_lists_arrays_and_values_score_alike(row: Row) -> None:
    metric = metrics.find(row.name)
    expected = pytest.approx(np.array(metric(row.predictions, row.targets, **row.options)), rel=1e-12)
    running = metric.running(**row.options)
    for start in range(0, 40, 7):
        running.update(row.predictions[start : start + 7], np.array(row.targets[start : start + 7]))
    assert np.array(running.result()) == expected
    for kind in ("float64", "float32", object):
        numbers = np.array(row.predictions)
        given = np.vectorize(Value, otypes=[object])(numbers) if kind is object else numbers.astype(kind)
        wanted = expected if kind != "float32" else pytest.approx(expected.expected, rel=1e-6)
        assert np.array(metric(given, tuple(row.targets), **row.options)) == wanted
        assert np.array(metric(list(given), row.targets, **row.options)) == wanted
    running.reset()
    running.update(row.predictions[:1], row.targets[:1])
    once = metric(row.predictions[:1], row.targets[:1], **row.options)
    assert running.result() == once


def test_a_matrix_has_every_class() -> None:
    matrix = metrics.confusion_matrix(SCORES, CLASSES)
    assert [sum(row) for row in matrix] == [CLASSES.count(k) for k in range(5)]
    assert [row[3] for row in matrix] == [0] * 5
    assert metrics.confusion_matrix([0.9], [1]) == [[0, 0], [0, 1]]


def test_sequences_count_each_entry() -> None:
    scores = [[[0.1, 0.9], [0.8, 0.2]], [[0.3, 0.7], [0.6, 0.4]]]
    assert metrics.accuracy(scores, [[1, 1], [1, 0]]) == 0.75
    assert metrics.accuracy(np.array(scores), np.array([[1, 1], [1, 0]])) == 0.75
    assert metrics.accuracy(scores, [[[0, 1], [0, 1]], [[0, 1], [1, 0]]]) == 0.75


def test_nothing_found_is_zero() -> None:
    for metric in (metrics.precision, metrics.recall, metrics.f1):
        assert metric([0.1, 0.2], [0, 0]) == 0.0
    assert metrics.precision([0.1, 0.9], [1, 0]) == 0.0


def test_nan_is_never_right() -> None:
    assert metrics.accuracy([math.nan, math.nan], [0, 1]) == 0.0
    assert metrics.accuracy([[math.nan, 0.0], [0.0, math.nan], [1.0, 0.0]], [0, 0, 0]) == pytest.approx(1 / 3)
    assert metrics.accuracy([[math.inf, -math.inf]], [0]) == 1.0
    assert math.isnan(metrics.mse([math.nan], [0.0]))


@pytest.mark.parametrize("name", metrics.METRICS)
def test_wrong_shapes(name: str) -> None:
    metric = metrics.find(name)
    for predictions, targets in (
        ([0.1, 0.2], [1]),
        (0.1, 1),
        ([[0.1, 0.2], [0.2, 0.1]], [[1, 0]]),
        (np.zeros((3, 2)), np.zeros((3, 3))),
    ):
        with pytest.raises(ValueError, match=r"each prediction needs its target; got targets of shape .*; give lists"):
            metric(predictions, targets)
    with pytest.raises(ValueError, match="a metric needs examples; got none; update it"):
        metric.running().result()
    with pytest.raises(ValueError, match="of one shape; got 3 predictions and 2 targets in all; give lists"):
        metrics.mae([[1.0], [2.0, 3.0]], [1, 1])
    with pytest.raises(ValueError, match="of one shape; got 3 predictions and 4 targets in all; give lists"):
        metrics.mae([[1.0, 2.0], 3.0], [[1, 1], [1, 1]])
    with pytest.raises(ValueError, match="a metric needs examples"):
        metrics.accuracy([], [])


def test_targets_are_classes() -> None:
    for target in (2, -1, 0.5, math.nan):
        with pytest.raises(ValueError, match="a target counts the classes from 0; got .* with 2 classes; give each"):
            metrics.accuracy([[0.1, 0.9]], [target])


def test_metrics_by_name_or_function() -> None:
    assert metrics.find("mae") is metrics.find(metrics.mae) is metrics.mae
    assert repr(metrics.mae) == "<metric mae>"
    assert "Mean absolute error" in (metrics.mae.__doc__ or "")

    def largest(predictions: list[float], targets: list[float]) -> float:
        return max(predictions)

    running = metrics.find(largest).running()
    running.update([1.0, 2.0, 0.0], [0, 0, 0])
    running.update([6.0], [0])
    assert running.result() == 3.0
    with pytest.raises(ValueError, match=r"no metric has this name; got 'acc'; use one of \['accuracy', "):
        metrics.find("acc")
    with pytest.raises(TypeError, match="a metric is a name or a function of predictions and targets; got 3"):
        metrics.find(3)  # type: ignore[arg-type]
