"""Losses: one Value that says how wrong predictions are; and penalties on parameters.

A loss takes the prediction for one example, a Value or a list of them, and its target, nested alike; lists of examples
give the mean over all. All are finite for predictions up to 1e150, compile, and take Values as targets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from engine import Value, functions
from engine.functions import (
    add,
    clip,
    div,
    dot,
    equal,
    greater,
    log,
    log_sigmoid,
    logsumexp,
    mean,
    mul,
    neg,
    relu,
    square,
    sub,
    where,
)  # fmt: skip

Loss = Callable[[Any, Any], Value]

LEAST = 1e-7
"""Probabilities are clipped to [LEAST, 1 - LEAST], as Keras does: one of 0 has a finite loss, and no slope."""


def mse(predictions: Any, targets: Any) -> Value:
    """Mean squared error: mean((prediction - target)^2) over all numbers.

    Args:
        predictions: a Value, a list of Values, or lists of lists (one for each example).
        targets: numbers or Values, nested alike.

    Raises:
        ValueError: the two are not of the same shape, or empty.

    >>> mse([Value(1.0), Value(3.0)], [0.0, 1.0]).data
    2.5
    """
    return mean([square(sub(prediction, target)) for prediction, target in _pairs(predictions, targets)])


def mae(predictions: Any, targets: Any) -> Value:
    """Mean absolute error: mean(|prediction - target|) over all numbers; the slope at 0 is 0.

    Args and errors are those of `mse`.

    >>> mae([Value(1.0), Value(3.0)], [0.0, 1.0]).data
    1.5
    """
    return mean([functions.abs(sub(prediction, target)) for prediction, target in _pairs(predictions, targets)])


def huber(predictions: Any, targets: Any, delta: float = 1.0) -> Value:
    """Mean of d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2), with d = prediction - target.

    Args:
        predictions, targets: as for `mse`.
        delta: where squares become lines; positive.

    Raises:
        ValueError: as for `mse`; delta is not positive.

    >>> huber([Value(0.5), Value(3.0)], [0.0, 0.0]).data
    1.3125

    Huber, *Robust estimation of a location parameter*, 1964.
    """
    if not delta > 0:
        raise ValueError(f"delta must be a positive number; got {delta!r}; leave it out for 1.0")

    def one(prediction: Any, target: Any) -> Value:
        difference = sub(prediction, target)
        inner = clip(difference, -delta, delta)
        return mul(inner, sub(difference, mul(0.5, inner)))

    return mean([one(prediction, target) for prediction, target in _pairs(predictions, targets)])


def binary_crossentropy(predictions: Any, targets: Any, from_logits: bool = True) -> Value:
    """Mean of -(t log p + (1 - t) log(1 - p)) over all numbers, with p = sigmoid(prediction) from logits.

    Args:
        predictions: as for `mse`.
        targets: nested alike, probabilities from 0 to 1.
        from_logits: whether predictions are scores of any size; else probabilities.

    Raises:
        ValueError: as for `mse`.

    >>> round(binary_crossentropy([Value(0.0), Value(1000.0)], [1.0, 1.0]).data, 6)
    0.346574
    >>> round(binary_crossentropy(Value(0.0), 1.0, from_logits=False).data, 6)
    16.118096
    """

    def one(prediction: Any, target: Any) -> Value:
        if from_logits:
            chosen, other = log_sigmoid(prediction), log_sigmoid(neg(prediction))
        else:
            kept = clip(prediction, LEAST, 1 - LEAST)
            chosen, other = log(kept), log(sub(1.0, kept))
        return dot([target, sub(1.0, target)], [chosen, other])

    return neg(mean([one(prediction, target) for prediction, target in _pairs(predictions, targets)]))


def categorical_crossentropy(predictions: Any, targets: Any, from_logits: bool = True) -> Value:
    """-sum(t log p) over the classes, with p = softmax(prediction) from logits; the mean over examples.

    Args:
        predictions: a list of one Value for each class, or such lists nested.
        targets: nested alike, a probability for each class, such as 1 for the right one and 0 for the others.
        from_logits: whether predictions are scores of any size; else probabilities, which are divided by their sum.

    Raises:
        ValueError: as for `mse`; a prediction that is not a list.

    >>> round(categorical_crossentropy([Value(0.0), Value(0.0)], [1.0, 0.0]).data, 6)
    0.693147
    """

    return mean([_crossentropy(scores, target, from_logits) for scores, target in _rows(predictions, targets)])


def sparse_categorical_crossentropy(predictions: Any, targets: Any, from_logits: bool = True) -> Value:
    """-log p of the right class, with p = softmax(prediction) from logits; the mean over examples.

    Args:
        predictions: as for `categorical_crossentropy`.
        targets: for each list of classes the number of the right one, from 0, or a list of only that. One that is a
            Value, as in compiled functions, gives nan if there is no such class.
        from_logits: as for `categorical_crossentropy`.

    Raises:
        ValueError: a number that is no class; shapes that do not fit.

    >>> round(sparse_categorical_crossentropy([Value(0.0), Value(0.0)], 1).data, 6)
    0.693147
    """

    def one(scores: list[Any], target: Any) -> Value:
        if from_logits:
            return sub(logsumexp(scores), _chosen(scores, target))
        return neg(_chosen(_log_probabilities(scores), target))

    return mean([one(scores, target) for scores, target in _rows(predictions, targets, sparse=True)])


def kl_divergence(predictions: Any, targets: Any, from_logits: bool = True) -> Value:
    """sum(t log(t / p)) over the classes, with p = softmax(prediction) from logits; the mean over examples.

    Args and errors are those of `categorical_crossentropy`. A target of 0 adds 0.

    >>> abs(kl_divergence([Value(0.0), Value(0.0)], [0.5, 0.5]).data) < 1e-15
    True
    """

    def one(scores: list[Any], target: list[Any]) -> Value:
        logarithms = [log(where(greater(share, 0.0), share, 1.0)) for share in target]
        return add(dot(target, logarithms), _crossentropy(scores, target, from_logits))

    return mean([one(scores, target) for scores, target in _rows(predictions, targets)])


def hinge(predictions: Any, targets: Any) -> Value:
    """Mean of max(1 - target prediction, 0) over all numbers.

    Args:
        predictions: as for `mse`; their sign is the decision.
        targets: nested alike, 1 or -1; 0 counts as -1.

    Raises:
        ValueError: as for `mse`.

    >>> hinge([Value(0.5), Value(-3.0)], [1.0, 0.0]).data
    0.25
    """
    return mean([_shortfall(prediction, target) for prediction, target in _pairs(predictions, targets)])


def squared_hinge(predictions: Any, targets: Any) -> Value:
    """Mean of max(1 - target prediction, 0)^2 over all numbers.

    Args and errors are those of `hinge`.

    >>> squared_hinge([Value(0.5), Value(-3.0)], [1.0, 0.0]).data
    0.125
    """
    return mean([square(_shortfall(prediction, target)) for prediction, target in _pairs(predictions, targets)])


def _shortfall(prediction: Any, target: Any) -> Value:
    return relu(sub(1.0, mul(where(equal(target, 0.0), -1.0, target), prediction)))


def l1(parameters: Iterable[Value], strength: float = 0.01) -> Value:
    """A penalty to add to a loss: strength sum(|w|).

    >>> l1([Value(3.0), Value(-4.0)], 0.1).data
    0.7000000000000001
    """
    return mul(strength, functions.sum([functions.abs(parameter) for parameter in parameters]))


def l2(parameters: Iterable[Value], strength: float = 0.01) -> Value:
    """A penalty to add to a loss: strength sum(w^2).

    >>> l2([Value(3.0), Value(-4.0)], 0.1).data
    2.5
    """
    weights = list(parameters)
    return mul(strength, dot(weights, weights))


LOSSES: dict[str, Loss] = {
    loss.__name__: loss
    for loss in (mse, mae, huber, binary_crossentropy, categorical_crossentropy, sparse_categorical_crossentropy,
                 kl_divergence, hinge, squared_hinge)
}  # fmt: skip


def find(loss: str | Loss) -> Loss:
    """A loss by name, or the function as it is.

    Raises:
        ValueError: there is none of that name.
        TypeError: neither a name nor a function.

    >>> find("mse")(Value(1.0), 3.0).data
    4.0
    """
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise ValueError(f"no loss has this name; got {loss!r}; use one of {sorted(LOSSES)}")
        return LOSSES[loss]
    if not callable(loss):
        raise TypeError(f"a loss is a name or a function of prediction and target; got {loss!r}; use 'mse', say")
    return loss


def _crossentropy(scores: list[Any], target: list[Any], from_logits: bool) -> Value:
    if from_logits:
        return sub(mul(functions.sum(target), logsumexp(scores)), dot(target, scores))
    return neg(dot(target, _log_probabilities(scores)))


def _log_probabilities(shares: list[Any]) -> list[Value]:
    total = functions.sum(shares)
    return [log(clip(div(share, total), LEAST, 1 - LEAST)) for share in shares]


def _chosen(scores: list[Any], target: Any) -> Any:
    """The score of the class that the target counts, whose number may not be read if it is a Value."""
    if isinstance(target, Value):
        marks = [equal(target, k) for k in range(len(scores))]
        found = functions.sum([where(mark, score, 0.0) for mark, score in zip(marks, scores, strict=True)])
        return div(found, functions.sum(marks))
    if target not in range(len(scores)):
        raise ValueError(
            f"a target counts the classes from 0; got {target!r} with {len(scores)} classes; "
            "give each class its number, or use categorical_crossentropy for lists of probabilities"
        )
    return scores[int(target)]


def _pairs(predictions: Any, targets: Any, where: str = "") -> Iterator[tuple[Any, Any]]:
    """Each prediction that is a number, with its target."""
    if not _is_list(predictions) and not _is_list(targets):
        yield predictions, targets
        return
    for prediction, target, at in _entries(predictions, targets, where):
        yield from _pairs(prediction, target, at)


def _rows(predictions: Any, targets: Any, where: str = "", *, sparse: bool = False) -> Iterator[tuple[list[Any], Any]]:
    """Each prediction that is a list of numbers, one for each class, with its target."""
    scores = list(predictions) if _is_list(predictions) else []
    if not scores:
        raise ValueError(
            f"a prediction must be a list with a number for each class; got {predictions!r}{where}; "
            "of a single number take the binary_crossentropy"
        )
    if any(map(_is_list, scores)):
        for prediction, target, at in _entries(scores, targets, where):
            yield from _rows(prediction, target, at, sparse=sparse)
    elif sparse:
        target = list(targets) if _is_list(targets) else [targets]
        if len(target) == len(scores) != 1 and not any(map(_is_list, target)):
            raise ValueError(
                f"a target is the number of a class here; got {targets!r:.60}{where}; use categorical_crossentropy "
                "for a number of each class"
            )
        yield scores, next(_pairs(scores[:1], target, where))[1]
    elif not _is_list(targets):
        raise ValueError(
            f"a target has a number for each class here; got {targets!r:.60}{where}; use "
            "sparse_categorical_crossentropy for the number of the right one"
        )
    else:
        yield scores, [target for _, target in _pairs(scores, targets, where)]


def _entries(predictions: Any, targets: Any, where: str) -> Iterator[tuple[Any, Any, str]]:
    sides = [list(side) if _is_list(side) else None for side in (predictions, targets)]
    sizes = ["one number" if side is None else f"{len(side)} entries" for side in sides]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"predictions and targets must have the same shape; got {sizes[0]} and {sizes[1]}{where}; "
            "give each prediction its target"
        )
    for i, (prediction, target) in enumerate(zip(*sides, strict=True)):
        yield prediction, target, f" at {i}{where.replace(' at ', ' of ')}"


def _is_list(thing: Any) -> bool:
    return isinstance(thing, Iterable) and not isinstance(thing, (str, bytes)) and getattr(thing, "shape", None) != ()
