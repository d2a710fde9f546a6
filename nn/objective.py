"""What is trained: the mean loss of a model over batches, with its gradient, compiled or eagerly. Both give the same.

This module knows nothing of epochs or optimizers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import engine
from engine import Value
from engine.functions import mean
from engine.graph import leaves
from nn.losses import Loss
from nn.module import Module
from nn.nested import listed, mapped

Penalty = Callable[[Sequence[Value]], Value]


class Objective:
    """A model's mean loss over a batch, plus a penalty on its parameters.

    Args:
        model: maps an example to outputs.
        loss: of an example's outputs and target.
        penalty: of the model's parameters, or None.
    """

    def __init__(self, model: Module, loss: Loss, penalty: Penalty | None = None) -> None:
        self.model, self.loss, self.penalty = model, loss, penalty
        self.parameters = model.parameters()
        modules = [module for _, module in model.named_modules()]
        self.observers = [module for module in modules if module.couples_examples and module.training]

    def of_example(self, x: Any, y: Any) -> tuple[Value, Any]:
        """The loss of one example, and the model's outputs."""
        outputs = self.model(x)
        return self._penalized(self.loss(outputs, y)), outputs

    def of_batch(self, xs: Sequence[Any], ys: Sequence[Any]) -> tuple[Value, list[Any], tuple[Any, ...]]:
        """The mean loss of a whole batch, the model's outputs, and what its layers saw of the batch."""
        outputs = self.model.forward_batch(xs)
        losses = [self.loss(output, y) for output, y in zip(outputs, ys, strict=True)]
        return self._penalized(mean(losses)), outputs, tuple(module.observed for module in self.observers)

    def _penalized(self, value: Value) -> Value:
        return value if self.penalty is None else value + self.penalty(self.parameters)


def fitted(loss: Loss) -> Loss:
    """The loss, where the only output of a model may have a target that is a number, not a list of one."""

    def of_outputs(outputs: Any, target: Any) -> Value:
        if isinstance(outputs, list) and len(outputs) == 1 and not isinstance(target, (list, tuple)):
            return loss(outputs[0], target)
        return loss(outputs, target)

    return of_outputs


class Eager:
    """The objective, computed node by node.

    Attributes:
        numbers: those of the parameters that the loss uses.
        order: which of the model's parameters each of them is.
    """

    def __init__(self, objective: Objective, draws: Random, xs: Any, ys: Any) -> None:
        self.objective, self._draws = objective, draws
        buffers = [(buffer, buffer.data) for _, buffer in objective.model.named_buffers()]
        used = self._used(xs, ys)
        for buffer, number in buffers:  # that batch was only looked at
            buffer.data = number
        self.order = [k for k, parameter in enumerate(objective.parameters) if parameter in used]
        self._parameters = [objective.parameters[k] for k in self.order]
        self._others = [(path, it) for path, it in objective.model.named_parameters() if it not in used]
        self.numbers: list[float] = []

    def _used(self, xs: Any, ys: Any) -> set[Value]:
        """The leaves behind the loss, also of what other numbers would look up: as the compiler would see it."""
        try:
            return set(leaves(self._computed([mapped(Value, listed(x)) for x in rows(xs)], ys)[0]))
        except Exception:  # a model that takes nothing but numbers; if it takes none either, that says why
            return set(leaves(self._computed(xs, ys)[0]))

    def _computed(self, xs: Any, ys: Any) -> tuple[Value, list[Any]]:
        objective = self.objective
        with engine.drawing_from(self._draws):
            if objective.observers:
                return objective.of_batch(rows(xs), rows(ys))[:2]
            pairs = [objective.of_example(x, y) for x, y in zip(rows(xs), rows(ys), strict=True)]
            return mean([value for value, _ in pairs]), [outputs for _, outputs in pairs]

    def value_and_grad(self, xs: Any, ys: Any) -> tuple[float, list[Any], list[float]]:
        """The mean loss over a batch, the outputs for each example, the gradient.

        Raises:
            ValueError: a parameter has a slope that the first batch did not use.
        """
        self.numbers = [parameter.data for parameter in self._parameters]  # anybody may have set them
        for parameter in self.objective.parameters:
            parameter.grad = 0.0
        value, outputs = self._computed(xs, ys)
        value.backward()
        for path, parameter in self._others:
            if parameter.grad:
                raise ValueError(
                    f"fit finds the parameters that it trains by the first batch; got another one, {path!r}, later; "
                    "let every example use it, or write the loop by hand"
                )
        return value.data, mapped(float, outputs), [parameter.grad for parameter in self._parameters]

    def write_back(self) -> None:
        """Put the numbers into the Values."""
        for parameter, number in zip(self._parameters, self.numbers, strict=True):
            parameter.data = number

    def finish(self) -> None:
        """Nothing is held back: `write_back` has put everything into the Values."""


class Compiled:
    """The objective, compiled when the first batch is seen. The numbers are the parameters' own, until `finish`.

    Raises:
        ValueError: the loss closes over Values that are no parameters of the model.
    """

    def __init__(self, objective: Objective, draws: Random, xs: Any, ys: Any, **options: Any) -> None:
        self.objective = objective
        self._whole = bool(objective.observers)
        self._compiled = engine.compile(
            objective.of_batch if self._whole else objective.of_example, seed=draws, **options
        )
        before = draws.getstate()
        self.value_and_grad(xs, ys, observe=False)  # tells the parameters and their order
        draws.setstate(before)
        places = {parameter: k for k, parameter in enumerate(objective.parameters)}
        foreign = [parameter for parameter in self._compiled.parameters if parameter not in places]
        if foreign:
            raise ValueError(
                f"training moves the model's parameters alone; got a loss that uses {foreign[0]!r} as well; make it an "
                "attribute of the model, or a number by detach()"
            )
        self.order = [places[parameter] for parameter in self._compiled.parameters]
        self.numbers = self._compiled.take()

    def value_and_grad(self, xs: Any, ys: Any, observe: bool = True) -> tuple[float, Any, Any]:
        """The mean loss over a batch, the outputs for each example, the gradient."""
        batch = ([xs], [ys]) if self._whole else (xs, ys)
        (value, results), gradient = self._compiled.value_and_grad(*batch, has_aux=True, copy=False)
        if not self._whole:
            return value, results[1], gradient
        _, outputs, observed = results
        if observe:
            for module, numbers in zip(self.objective.observers, observed, strict=True):
                module.observe([part[0] for part in numbers])
        return value, outputs[0], gradient

    def write_back(self) -> None:
        """Nothing is to be done: the Values look their numbers up."""

    def finish(self) -> None:
        """Give the numbers back to the Values."""
        self._compiled.give_back()


def rows(batch: Any) -> list[Any]:
    """The examples of a batch, as a compiled function would see them: numbers or nested lists."""
    return batch.tolist() if hasattr(batch, "tolist") else list(batch)
