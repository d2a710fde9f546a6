"""Metrics: scores of predictions, as plain numbers, for people to follow.

A metric is a function of all predictions and targets: a number or a list of them for each example, in lists or arrays.
`metric.running()` takes them batch by batch, and has the result of all so far.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, cast

from engine.structure import is_array
from nn.nested import name_of

Counts = dict[Any, float]
Options = ParamSpec("Options")
Result = TypeVar("Result")


class Metric(Generic[Options, Result]):
    """A score in two parts: counts that add up over batches, and what they come to.

    >>> accuracy([0.9, 0.2, 0.6, 0.1], [1, 0, 0, 0])
    0.75
    >>> running = accuracy.running()
    >>> running.update([0.9, 0.2], [1, 0])
    >>> running.update([0.6, 0.1], [0, 0])
    >>> running.result()
    0.75
    """

    def __init__(self, counts: Callable[Options, Counts], score: Callable[[Counts], Result]) -> None:
        update_wrapper(self, counts)
        self.counts, self.score = counts, score

    def __call__(self, *args: Options.args, **options: Options.kwargs) -> Result:
        return self.score(self.counts(*args, **options))

    def running(self, **options: Any) -> Running[Result]:
        """The same for batches, with these options of the function."""
        return Running(self, options)

    def __repr__(self) -> str:
        return f"<metric {self.counts.__name__}>"


class Running(Generic[Result]):
    """A metric of all batches so far."""

    def __init__(self, metric: Metric[..., Result], options: dict[str, Any]) -> None:
        self.metric, self.options = metric, options
        self.reset()

    def update(self, predictions: Any, targets: Any) -> None:
        """Add a batch."""
        for key, count in self.metric.counts(predictions, targets, **self.options).items():
            self._counts[key] = self._counts.get(key, 0.0) + count

    def result(self) -> Result:
        """The metric of all examples since the start, or the last `reset`.

        Raises:
            ValueError: there are none.
        """
        return self.metric.score(self._counts)

    def reset(self) -> None:
        """Forget all batches."""
        self._counts: Counts = {}


def _scored(score: Callable[[Counts], Result]) -> Callable[[Callable[Options, Counts]], Metric[Options, Result]]:
    return lambda counts: Metric(counts, score)


def _share_right(counts: Counts) -> float:
    _check_some(counts)
    return sum(counts.get((k, k), 0.0) for k in _classes_of(counts)) / sum(counts.values())


@_scored(_share_right)
def accuracy(predictions: Any, targets: Any, threshold: float = 0.5) -> Counts:
    """The share of right predictions, of the kind that the shapes tell.

    One number for each example is `binary_accuracy`; several, with one target, `sparse_categorical_accuracy`; several,
    with as many targets, `categorical_accuracy`. The threshold is for the first.

    >>> accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    0.5
    """
    shape, kind = _shape(predictions), _shape(targets)
    if len(shape) < 2 or shape[-1] == 1:
        return _binary(predictions, targets, threshold)
    if len(kind) < len(shape) or kind[-1] == 1:
        return _sparse(predictions, targets)
    return _categorical(predictions, targets)


@_scored(_share_right)
def binary_accuracy(predictions: Any, targets: Any, threshold: float = 0.5) -> Counts:
    """The share of numbers on the right side: predictions above the threshold are 1, targets above 0.5 are.

    For logits the threshold is 0. Several numbers for an example count one by one.

    >>> binary_accuracy([[2.0, -1.0], [-3.0, 0.5]], [[1, 0], [1, 1]], threshold=0.0)
    0.75
    """
    return _binary(predictions, targets, threshold)


@_scored(_share_right)
def categorical_accuracy(predictions: Any, targets: Any) -> Counts:
    """The share of examples whose largest prediction is where the largest target is; the first of equal ones.

    >>> categorical_accuracy([[0.1, 0.9], [0.8, 0.2]], [[0, 1], [0, 1]])
    0.5
    """
    return _categorical(predictions, targets)


@_scored(_share_right)
def sparse_categorical_accuracy(predictions: Any, targets: Any) -> Counts:
    """The share of examples whose largest prediction is that of the class which the target counts, from 0.

    >>> sparse_categorical_accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    0.5
    """
    return _sparse(predictions, targets)


def _binary(predictions: Any, targets: Any, threshold: float) -> Counts:
    _check_shapes(_shape(predictions), _shape(targets))
    predicted = [int(number > threshold) if number == number else NO_CLASS for number in _numbers(predictions)]
    return _tally([number > 0.5 for number in _numbers(targets)], predicted, 2)


def _categorical(predictions: Any, targets: Any) -> Counts:
    shape = _shape(predictions)
    _check_shapes(shape, _shape(targets))
    return _tally(_largest(targets), _largest(predictions), shape[-1])


def _sparse(predictions: Any, targets: Any) -> Counts:
    shape = _shape(predictions)
    _check_shapes(shape[:-1], _shape(targets))
    return _tally(_numbers(targets), _largest(predictions), shape[-1])


NO_CLASS = -1
"""What nan predicts."""


def _largest(rows: Any) -> list[int]:
    """Where each row is largest; the first of equal places."""
    if is_array(rows) and rows.dtype != object:
        import numpy as np

        places = np.where(np.isnan(rows).any(axis=-1), NO_CLASS, rows.argmax(axis=-1))
        return cast(list[int], places.ravel().tolist())
    return [
        NO_CLASS if any(map(math.isnan, numbers)) else numbers.index(max(numbers))
        for numbers in map(_numbers, _rows(rows))
    ]


def _tally(targets: Sequence[float], predictions: Sequence[int], classes: int) -> Counts:
    """How often each class was predicted for each; every class is there, if only with 0."""
    counts: Counts = Counter(_pairs(targets, predictions))  # type: ignore[assignment]  # they are floats
    for target, _ in counts:
        if target not in range(classes):
            raise ValueError(
                f"a target counts the classes from 0; got {target!r} with {classes} classes; give each its number"
            )
    return {(k, k): 0.0 for k in range(classes)} | dict(counts)


def _classes_of(counts: Counts) -> list[int]:
    return sorted({target for target, _ in counts})


def _matrix(counts: Counts) -> list[list[int]]:
    _check_some(counts)
    classes = _classes_of(counts)
    return [[int(counts.get((target, prediction), 0)) for prediction in classes] for target in classes]


@_scored(_matrix)
def confusion_matrix(predictions: Any, targets: Any, threshold: float = 0.5) -> Counts:
    """How often each class (a row) was taken for each (a column); classes as for `accuracy`.

    >>> confusion_matrix([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]], [1, 1, 0])
    [[0, 1], [1, 1]]
    """
    return accuracy.counts(predictions, targets, threshold)


def _averaged(score: Callable[[float, float, float], float]) -> Callable[[Counts], float]:
    """A score of hits, predictions and targets of a class: that of class 1 of two, else the mean over classes."""

    def over_classes(counts: Counts) -> float:
        _check_some(counts)
        classes = _classes_of(counts)
        scores = []
        for k in classes[1:] if len(classes) == 2 else classes:
            predicted = sum(count for (_, prediction), count in counts.items() if prediction == k)
            actual = sum(count for (target, _), count in counts.items() if target == k)
            if predicted or actual or len(classes) == 2:
                scores.append(score(counts[k, k], predicted, actual))
        return math.fsum(scores) / len(scores)

    return over_classes


@_scored(_averaged(lambda hits, predicted, actual: hits / predicted if predicted else 0.0))
def precision(predictions: Any, targets: Any, threshold: float = 0.5) -> Counts:
    """The share of those predicted to be of a class that are of it; 0 if none is predicted.

    Of two classes it is that of class 1, of more the mean over the classes that occur. Classes as for `accuracy`.

    >>> precision([0.9, 0.8, 0.3, 0.2], [1, 0, 1, 0])
    0.5
    """
    return accuracy.counts(predictions, targets, threshold)


@_scored(_averaged(lambda hits, predicted, actual: hits / actual if actual else 0.0))
def recall(predictions: Any, targets: Any, threshold: float = 0.5) -> Counts:
    """The share of those of a class that are predicted to be of it; 0 if there are none. Classes as for `precision`.

    >>> recall([0.9, 0.8, 0.3, 0.2], [1, 0, 1, 0])
    0.5
    """
    return accuracy.counts(predictions, targets, threshold)


@_scored(_averaged(lambda hits, predicted, actual: 2 * hits / (predicted + actual) if hits else 0.0))
def f1(predictions: Any, targets: Any, threshold: float = 0.5) -> Counts:
    """2 precision recall / (precision + recall), and 0 without hits. Classes as for `precision`.

    >>> f1([0.9, 0.8, 0.3, 0.2], [1, 0, 1, 0])
    0.5
    """
    return accuracy.counts(predictions, targets, threshold)


def _average(counts: Counts) -> float:
    _check_some(counts)
    return counts["sum"] / counts["count"]


@_scored(_average)
def mae(predictions: Any, targets: Any) -> Counts:
    """Mean absolute error: the mean of |prediction - target| over all numbers.

    >>> mae([[1.0], [3.0]], [0.0, 1.0])
    1.5
    """
    differences = _differences(predictions, targets)
    return {"sum": math.fsum(map(abs, differences)), "count": len(differences)}


@_scored(_average)
def mse(predictions: Any, targets: Any) -> Counts:
    """Mean squared error: the mean of (prediction - target)^2 over all numbers.

    >>> mse([[1.0], [3.0]], [0.0, 1.0])
    2.5
    """
    differences = _differences(predictions, targets)
    return {"sum": math.fsum([difference * difference for difference in differences]), "count": len(differences)}


def _differences(predictions: Any, targets: Any) -> list[float]:
    _check_shapes(_shape(predictions), _shape(targets))
    return [prediction - target for target, prediction in _pairs(_numbers(targets), _numbers(predictions))]


METRICS: dict[str, Metric[..., Any]] = {
    metric.counts.__name__: metric
    for metric in (accuracy, binary_accuracy, categorical_accuracy, sparse_categorical_accuracy, precision, recall, f1,
                   confusion_matrix, mae, mse)
}  # fmt: skip


def find(metric: str | Callable[[Any, Any], Any]) -> Metric[..., Any]:
    """A metric by name, or as it is; of another function, its mean over batches, weighted by their sizes.

    Raises:
        ValueError: there is none of that name.
        TypeError: neither a name nor a function.

    >>> find("recall")([1.0, 0.0], [1, 1])
    0.5
    """
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, str):
        if metric not in METRICS:
            raise ValueError(f"no metric has this name; got {metric!r}; use one of {sorted(METRICS)}")
        return METRICS[metric]
    if not callable(metric):
        raise TypeError(f"a metric is a name or a function of predictions and targets; got {metric!r}; use 'mae', say")
    function = metric

    def weighted(predictions: Any, targets: Any) -> Counts:
        return {"sum": float(function(predictions, targets)) * len(targets), "count": len(targets)}

    update_wrapper(weighted, function)
    weighted.__name__ = name_of(function)
    return Metric(weighted, _average)


def _check_some(counts: Counts) -> None:
    if not any(count for key, count in counts.items() if key != "sum"):
        raise ValueError("a metric needs examples; got none; update it with a batch first")


def _check_shapes(expected: tuple[int, ...], targets: tuple[int, ...]) -> None:
    """The same shape, but for axes of one entry at the end."""
    if not expected or _squeezed(expected) != _squeezed(targets):
        raise ValueError(
            f"each prediction needs its target; got targets of shape {targets} for predictions of {expected}; "
            "give lists or arrays with an entry for each example"
        )


def _pairs(targets: Sequence[float], predictions: Sequence[Any]) -> Iterator[tuple[float, Any]]:
    if len(targets) != len(predictions):
        raise ValueError(
            f"the examples of a batch must be of one shape; got {len(predictions)} predictions and {len(targets)} "
            "targets in all; give lists of equal lengths"
        )
    return zip(targets, predictions, strict=True)


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    while len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _shape(thing: Any) -> tuple[int, ...]:
    sizes: tuple[int, ...] = ()
    while isinstance(thing, (list, tuple)):
        sizes += (len(thing),)
        if not thing:
            return sizes
        thing = thing[0]
    return sizes + tuple(thing.shape) if is_array(thing) else sizes


def _rows(thing: Any) -> Iterator[Any]:
    """The innermost lists."""
    parts = thing.tolist() if is_array(thing) else thing
    if _shape(parts)[1:]:
        for part in parts:
            yield from _rows(part)
    else:
        yield parts


def _numbers(thing: Any) -> list[float]:
    if is_array(thing):
        import numpy as np

        return cast(list[float], np.asarray(thing, float).ravel().tolist())
    if not isinstance(thing, (list, tuple)):
        return [float(thing)]
    if _shape(thing)[1:]:
        return [number for part in thing for number in _numbers(part)]
    return list(map(float, thing))
