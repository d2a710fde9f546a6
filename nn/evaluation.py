"""`evaluate` and `predict`, and the running averages that training shows: a model in evaluation mode, on batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import signature
from typing import Any

import engine
from nn import losses
from nn import metrics as metrics_
from nn.data import batches, examples
from nn.module import Module
from nn.nested import mapped
from nn.objective import fitted, rows

_FEW = 4  # examples that are computed before a program for them would be made
_BATCH = 1024


def evaluate(
    model: Module,
    x: Any,
    y: Any,
    *,
    loss: str | losses.Loss = "mse",
    metrics: Sequence[Any] = (),
    compile: bool = True,
    backend: str = "auto",
    dtype: str = "float64",
) -> dict[str, float]:
    """The mean loss and the metrics of a model in evaluation mode. Arguments are those of `fit`.

    >>> import nn
    >>> model = nn.MLP(1, [1], initializer="zeros")
    >>> nn.evaluate(model, [[1.0], [2.0]], [[3.0], [1.0]], metrics=["mae"])
    {'loss': 5.0, 'mae': 2.0}
    """
    options = {"backend": backend, "dtype": dtype} if compile else None
    return Evaluation(model, losses.find(loss), metrics, options)(x, y)


def predict(model: Module, x: Any, *, compile: bool = True, backend: str = "auto", dtype: str = "float64") -> Any:
    """The model's outputs for each example, in evaluation mode: lists, or arrays if `x` is one. Arguments as of `fit`.

    >>> import nn
    >>> nn.predict(nn.MLP(2, [1], initializer="zeros"), [[1.0, 2.0], [3.0, 4.0]])
    [[0.0], [0.0]]
    """
    x = examples(x, "x")
    options = {"backend": backend, "dtype": dtype} if compile and len(x) > _FEW else None
    outputs = Outputs(model, model, options)(x)
    if isinstance(outputs, list) and hasattr(x, "dtype"):
        import numpy as np

        return np.array(outputs)
    return outputs


class Outputs:
    """A function of examples that uses a model, over batches, in evaluation mode; compiled if there are `options`."""

    def __init__(self, model: Module, function: Callable[..., Any], options: dict[str, Any] | None) -> None:
        if not isinstance(model, Module):
            raise TypeError(f"a model is a Module; got {model!r}; make it the forward() of one, or use nn.Lambda")
        self.model, self.function = model, function
        self.compiled = None if options is None else engine.compile(function, **options)

    def __call__(self, *batch: Any) -> Any:
        with evaluating(self.model):
            if self.compiled is not None:
                return self.compiled(*batch)
            with engine.no_grad():
                return [mapped(float, self.function(*row)) for row in zip(*map(rows, batch), strict=True)]


class Evaluation:
    """The loss and metrics of a model on data, again and again."""

    def __init__(
        self, model: Module, loss: losses.Loss, metrics: Sequence[Any], options: dict[str, Any] | None
    ) -> None:
        def of_example(x: Any, y: Any) -> tuple[Any, Any]:
            outputs = model(x)
            return fitted(loss)(outputs, y), outputs

        self._outputs = Outputs(model, of_example, options)
        self._averages = Averages(metrics, loss)

    def __call__(self, x: Any, y: Any) -> dict[str, float]:
        self._averages.reset()
        for xs, ys in batches(x, y, _BATCH):
            found = self._outputs(xs, ys)
            values, outputs = found if isinstance(found, tuple) else zip(*found, strict=True)
            self._averages.add(sum(map(float, values)) / len(values), outputs, ys)
        return self._averages.results()


class Averages:
    """The mean loss and the metrics over the batches since `reset`; of logits and margins, if the loss is of them."""

    def __init__(self, metrics: Sequence[Any], loss: losses.Loss) -> None:
        if isinstance(metrics, str):
            raise TypeError(f"metrics come in a list; got {metrics!r}; pass [{metrics!r}]")
        # a number is a logit or a margin there, and 0 lies between the classes
        signed = loss in (losses.binary_crossentropy, losses.hinge, losses.squared_hinge)
        self._metrics: dict[str, metrics_.Running[Any]] = {}
        for found in map(metrics_.find, metrics):
            name = found.counts.__name__
            if name in (*self._metrics, "loss"):
                raise ValueError(
                    f"each metric has a name of its own; got two of {name!r}; give a function another __name__"
                )
            options = {"threshold": 0.0} if signed and "threshold" in signature(found.counts).parameters else {}
            self._metrics[name] = found.running(**options)
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self._total, self._count = 0.0, 0
        for metric in self._metrics.values():
            metric.reset()

    def add(self, value: float, outputs: Any, targets: Any) -> None:
        """A batch: its mean loss, its outputs and targets."""
        self._total += value * len(targets)
        self._count += len(targets)
        for metric in self._metrics.values():
            metric.update(outputs, targets)

    def results(self) -> dict[str, float]:
        """By name."""
        return {"loss": self._total / self._count} | {name: metric.result() for name, metric in self._metrics.items()}


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """The model in evaluation mode; each module is as it was afterwards."""
    modes = [(module, module.training) for _, module in model.named_modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
