"""`fit`: mini-batches through the compiler by default, or eagerly, with the same numbers.

Every random number of a run follows from its seed and from how far it is: a run that goes on from a checkpoint is the
run that was never interrupted.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from operator import index
from random import Random
from typing import Any

from tqdm import tqdm

from engine import Value
from engine.compiler.randomness import generator_of
from nn import losses, optimizers
from nn.callbacks import Callback, Checkpoint, called
from nn.data import batches, whole
from nn.evaluation import Averages, Evaluation
from nn.history import History, shown
from nn.module import Module
from nn.nested import mapped
from nn.objective import Compiled, Eager, Objective, Penalty, fitted, rows
from nn.optimizer import Optimizer
from nn.schedules import ReduceOnPlateau


def fit(
    model: Module,
    x: Any,
    y: Any,
    *,
    loss: str | losses.Loss = "mse",
    optimizer: str | Optimizer = "adam",
    epochs: int = 1,
    batch_size: int = 32,
    metrics: Sequence[Any] = (),
    validation_data: tuple[Any, Any] | None = None,
    callbacks: Sequence[Callback | Callable[[Training], object]] = (),
    penalty: Penalty | None = None,
    shuffle: bool = True,
    seed: int | Random | None = None,
    compile: bool = True,
    backend: str = "auto",
    dtype: str = "float64",
    progress: bool | None = None,
) -> History:
    """Train a model on mini-batches: forward, loss, backward, a step of the optimizer, again and again.

    Args:
        model: maps one example to its outputs; trained in place.
        x, y: the examples and their targets: arrays or lists with an entry for each example.
        loss: of one example's outputs and target, by name or function, see `nn.losses`.
        optimizer: by name, or one with its settings; it goes on from the state it has.
        epochs: how often all examples are seen.
        batch_size: how many examples make a step; the last batch of an epoch may be smaller.
        metrics: what else is measured, by name or as objects, see `nn.metrics`.
        validation_data: examples and targets, evaluated after each epoch and never trained on.
        callbacks: called after each epoch, see `nn.callbacks`; functions are given the `Training`.
        penalty: added to the loss: a function of the parameters, such as `partial(nn.l2, strength=1e-4)`.
        shuffle: whether each epoch has the examples in an order of its own.
        seed: makes the run reproducible: the order of examples, the numbers of dropout. A number, or a generator that
            draws it.
        compile: whether steps are compiled (`engine.compile`), or computed node by node.
        backend, dtype: those of `engine.compile`.
        progress: whether a bar is shown; by default where somebody looks at a terminal.

    Returns:
        The numbers of each epoch. Ctrl-C, and a loss that becomes nan, end training early and keep the best numbers so
        far; `stopped` says so.

    Raises:
        ValueError: no examples, more examples than targets, an unknown name, counts that are not positive, an optimizer
            with the state of another model.
        TypeError: something is of the wrong kind.

    >>> import nn
    >>> model = nn.MLP(2, [4, 1], "tanh", "sigmoid", seed=1)
    >>> x, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
    >>> history = nn.fit(model, x, y, optimizer=nn.Adam(0.1), epochs=150, batch_size=4, seed=0)
    >>> [round(p[0]) for p in nn.predict(model, x)]
    [0, 1, 1, 0]
    """
    if penalty is not None and not callable(penalty):
        raise TypeError(
            f"a penalty is a function of the parameters; got {penalty!r}; use partial(nn.l2, strength=1e-4), say"
        )
    options = {"backend": backend, "dtype": dtype} if compile else None
    training = Training(model, losses.find(loss), penalty, optimizers.find(optimizer), metrics, seed, options)
    return training.run(x, y, epochs, batch_size, shuffle, validation_data, list(map(called, callbacks)), progress)


class Training:
    """A run of `fit`, as callbacks see it.

    Attributes:
        model, optimizer: what is trained, and how.
        history: the numbers of the epochs that are over.
        epoch, step: how many epochs are over, and how many steps of the optimizer.
        epochs: how many epochs there shall be.
        best: the epoch with the lowest validation loss (without validation: loss), that loss, and `numbers` after it.
    """

    def __init__(
        self, model: Module, loss: losses.Loss, penalty: Penalty | None, optimizer: Optimizer,
        metrics: Sequence[Any], seed: Any, options: dict[str, Any] | None,
    ) -> None:  # fmt: skip
        self.model, self.optimizer, self.history = model, optimizer, History()
        self.epoch = self.step = self.epochs = 0
        self.best: tuple[int, float, list[float]] = (0, math.inf, [])
        self._chosen = seed is not None
        self._seed = index(seed) if hasattr(seed, "__index__") else generator_of(seed).getrandbits(64)
        self._draws, self._options = Random(0), options
        self._averages, self._validation = Averages(metrics, loss), Evaluation(model, loss, metrics, options)
        self._objective = Objective(model.train(), fitted(loss), penalty)
        self._values = [*self._objective.parameters, *[buffer for _, buffer in model.named_buffers()]]
        self._callbacks: list[Callback] = []
        self._steps: Eager | Compiled

    def stop(self, reason: str) -> None:
        """End after this epoch."""
        self.history.stopped = self.history.stopped or reason

    @property
    def numbers(self) -> list[float]:
        """Those of the model's parameters and buffers, in its order."""
        return [value.data for value in self._values]

    @numbers.setter
    def numbers(self, numbers: Sequence[float]) -> None:
        for value, number in zip(self._values, numbers, strict=True):
            value.data = number

    def run(
        self, x: Any, y: Any, epochs: int, batch_size: int, shuffle: bool, validation: tuple[Any, Any] | None,
        callbacks: list[Callback], progress: bool | None,
    ) -> History:  # fmt: skip
        """All epochs; whatever happens, the Values own their numbers afterwards."""
        self.epochs = whole(epochs, "the number of epochs", 1)
        self._check(validation)
        self._start(*next(batches(x, y, batch_size)))
        # checkpoints last: they keep the state of the others
        self._callbacks = sorted(callbacks, key=lambda callback: isinstance(callback, Checkpoint))
        try:
            for callback in self._callbacks:
                callback.begin(self)
            total = self.epochs * -(-len(x) // batch_size)
            with tqdm(total=total, initial=self.step, disable=None if progress is None else not progress) as bar:
                while self.epoch < self.epochs and not self.history.stopped:
                    order = Random(f"{self._seed}: order of epoch {self.epoch}") if shuffle else None
                    self._run_epoch(batches(x, y, batch_size, order), validation, bar)
                    for callback in self._callbacks:
                        callback.epoch_ended(self)
            for callback in self._callbacks:
                callback.end(self)
        except KeyboardInterrupt:
            self.stop(f"interrupted in epoch {self.epoch + 1}")
            self._keep_best()
        finally:
            self.optimizer.load_state_dict(self._state_by_parameter(), self._objective.parameters)
            self._steps.finish()
        return self.history

    def _check(self, validation: Any) -> None:
        """Find out before the first epoch what would be an error after it."""
        if validation is not None:
            if not isinstance(validation, (tuple, list)) or len(validation) != 2:
                raise ValueError(
                    f"validation data are examples and their targets; got {validation!r:.60}; pass (x, y), as nn.split "
                    "gives"
                )
            batches(*validation)
        self.optimizer.state_dict(self._objective.parameters)

    def _start(self, xs: Any, ys: Any) -> None:
        """Know the order of the numbers, and bring the optimizer's state into it."""
        if self._options is None:
            self._steps = Eager(self._objective, self._draws, xs, ys)
        else:
            self._steps = Compiled(self._objective, self._draws, xs, ys, **self._options)
        self._load(self.optimizer.state_dict(self._objective.parameters))

    def _load(self, state: dict[str, Any]) -> None:
        """Bring an optimizer's state from the order of the model's parameters into that of the numbers."""
        slots = {name: state[name] for name in self.optimizer.state_names if name in state}
        order = self._steps.order
        self.optimizer.load_state_dict(state | {name: [slot[k] for k in order] for name, slot in slots.items()})

    def _state_by_parameter(self) -> dict[str, Any]:
        """The optimizer's state in the order of the model's parameters; zero for those that the loss does not use."""
        state = self.optimizer.state_dict()
        for name in self.optimizer.state_names:
            if name in state:
                slot = [0.0] * len(self._objective.parameters)
                for place, number in zip(self._steps.order, state[name], strict=True):
                    slot[place] = float(number)
                state[name] = slot
        return state

    def _run_epoch(self, steps: Iterable[tuple[Any, Any]], validation: tuple[Any, Any] | None, bar: Any) -> None:
        self._averages.reset()
        bar.set_description(f"epoch {self.epoch + 1}/{self.epochs}", refresh=False)
        for xs, ys in steps:
            self._draws.seed(f"{self._seed}: step {self.step}")
            value, outputs, gradient = self._steps.value_and_grad(xs, ys)
            self.step += 1
            self._averages.add(value, outputs, ys)
            bar.update()
            if value != value:
                self._stop_at_nan(outputs, ys)
                break
            self.optimizer.update(self._steps.numbers, gradient)
            self._steps.write_back()
        numbers = self._averages.results()
        if validation is not None:
            numbers |= {f"val_{name}": number for name, number in self._validation(*validation).items()}
        self.history.append(numbers)
        self.epoch += 1
        if not bar.disable:
            bar.set_postfix({name: shown(number) for name, number in numbers.items()}, refresh=False)
        monitored = numbers.get("val_loss", numbers["loss"])
        if isinstance(self.optimizer.learning_rate, ReduceOnPlateau):
            self.optimizer.learning_rate.observe(monitored)
        if numbers["loss"] != numbers["loss"]:
            self._keep_best()
        elif monitored < self.best[1]:
            self.best = self.epoch, monitored, self.numbers

    def _stop_at_nan(self, outputs: Any, ys: Any) -> None:
        for output, y in zip(rows(outputs), rows(ys), strict=True):
            self._objective.loss(mapped(Value, output), y)  # a compiled loss cannot complain of a target, but this can
        reason = f"the loss became nan in epoch {self.epoch + 1}, at step {self.step}"
        self.stop(reason)
        warnings.warn(
            f"training stopped, since nothing comes of nan; {reason}; lower the learning rate, clip the gradient, or "
            "look where it appears with engine.detect_anomaly()",
            RuntimeWarning,
            stacklevel=5,
        )

    def _keep_best(self) -> None:
        epoch, _, numbers = self.best
        if numbers:
            self.numbers = numbers
            self.history.stopped += f"; the numbers after epoch {epoch}, the best so far, were kept"

    # --- checkpoints

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Everything that a run needs to go on: arrays, and notes that JSON can hold."""
        optimizer = self._state_by_parameter()
        slots = {name: optimizer.pop(name) for name in self.optimizer.state_names if name in optimizer}
        arrays = {"numbers": self.numbers, "best": self.best[2], **slots}
        notes = {
            "of": self._identity(), "seed": self._seed, "epoch": self.epoch, "step": self.step,
            "history": self.history.history, "stopped": self.history.stopped, "best": self.best[:2],
            "optimizer": optimizer, "callbacks": [callback.state() for callback in self._callbacks],
        }  # fmt: skip
        return arrays, notes

    def _identity(self) -> dict[str, Any]:
        """What must be the same for a run to go on."""
        kinds = [type(callback).__name__ for callback in self._callbacks]
        return {
            "model": repr(self.model), "numbers": len(self.numbers), "optimizer": type(self.optimizer).__name__,
            "callbacks": kinds,
        }  # fmt: skip

    def restore(self, arrays: dict[str, Any], notes: dict[str, Any]) -> None:
        """Go on from a state.

        Raises:
            ValueError: it is that of another run: of another model, optimizer or seed, or with other callbacks.
        """
        mine = self._identity() | ({"seed": self._seed} if self._chosen else {})
        its = notes["of"] | {"seed": notes["seed"]}
        for name, wanted in mine.items():
            if its.get(name) != wanted:
                raise ValueError(
                    f"a checkpoint goes on with the run it was made in; got {name} {its.get(name)!r}, this run has "
                    f"{wanted!r}; train alike, or give another path"
                )
        self._seed, self.epoch, self.step = notes["seed"], notes["epoch"], notes["step"]
        self.history = History(notes["history"])
        self.history.stopped = notes["stopped"]
        self.best = (*notes["best"], arrays["best"].tolist())
        self.numbers = arrays["numbers"].tolist()
        slots = {name: arrays[name].tolist() for name in self.optimizer.state_names if name in arrays}
        self._load(notes["optimizer"] | slots)
        for callback, state in zip(self._callbacks, notes["callbacks"], strict=True):
            callback.restore(state)
