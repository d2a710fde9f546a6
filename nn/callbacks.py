"""What happens after each epoch: stop early, stop when it is good enough, keep checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nn.array_files import load_arrays, save_arrays
from nn.data import whole

if TYPE_CHECKING:
    from nn.training import Training


class Callback:
    """Called by `fit`: subclasses define what they need."""

    def begin(self, training: Training) -> None:
        """Before the first step."""

    def epoch_ended(self, training: Training) -> None:
        """After each epoch, when its numbers are in `training.history`."""

    def end(self, training: Training) -> None:
        """After the last epoch, unless training was interrupted."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it: numbers, texts and lists of them."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""


class EarlyStopping(Callback):
    """Stop when a number has not improved for some epochs, and go back to the best parameters.

    Args:
        monitor: which number, such as "val_loss" or "val_accuracy".
        patience: how many epochs in a row may bring nothing.
        least: by how much it must improve to count.
        larger_is_better: by default for everything that is no loss or error.
        restore_best: whether the parameters of the best epoch are put back.
    """

    def __init__(
        self, monitor: str = "val_loss", patience: int = 5, *, least: float = 0.0, larger_is_better: bool | None = None,
        restore_best: bool = True,
    ) -> None:  # fmt: skip
        self.monitor, self.least, self.restore_best = monitor, least, restore_best
        self.patience = whole(patience, "patience", 0)
        self.sign = -1.0 if larger_is_better or (larger_is_better is None and not is_error(monitor)) else 1.0

    def begin(self, training: Training) -> None:
        self._best: dict[str, Any] = {"number": math.inf, "epoch": 1, "numbers": []}

    def epoch_ended(self, training: Training) -> None:
        number, best = self.sign * training.history[self.monitor][-1], self._best
        if number < best["number"] - self.least:
            self._best = {"number": number, "epoch": training.epoch, "numbers": training.numbers}
        elif training.epoch - best["epoch"] >= self.patience:
            training.stop(f"{self.monitor} has not improved since epoch {best['epoch']}")

    def end(self, training: Training) -> None:
        if self.restore_best and self._best["numbers"]:
            training.numbers = self._best["numbers"]

    def state(self) -> dict[str, Any]:
        return self._best

    def restore(self, state: dict[str, Any]) -> None:
        self._best = state


class StopWhen(Callback):
    """Stop when a number is good enough: the convergence criterion.

    Args:
        monitor: which number, such as "loss".
        below, above: stop when it is below, or above, this; give one of them.

    Raises:
        ValueError: neither is given, or both.
    """

    def __init__(self, monitor: str = "loss", *, below: float | None = None, above: float | None = None) -> None:
        if (below is None) == (above is None):
            raise ValueError(f"a criterion has one side; got below={below!r}, above={above!r}; give one of them")
        self.monitor, self.below, self.above = monitor, below, above

    def epoch_ended(self, training: Training) -> None:
        number = training.history[self.monitor][-1]
        if self.below is not None and number < self.below:
            training.stop(f"{self.monitor} is below {self.below:g} after epoch {training.epoch}")
        if self.above is not None and number > self.above:
            training.stop(f"{self.monitor} is above {self.above:g} after epoch {training.epoch}")


class Checkpoint(Callback):
    """Keep everything that a run needs to go on, in one file that is always complete.

    A run that finds the file goes on from it, to the same numbers as if it had never been interrupted: parameters,
    optimizer, running statistics, history, random numbers and the state of other callbacks. Once the loss or a number
    is nan or inf, the file stays as it was.

    Args:
        path: the file.
        every: after how many epochs it is written.
        resume: whether to go on from a file that is there; otherwise it is replaced.

    Raises:
        ValueError: the file belongs to another model, optimizer or seed, or is damaged; the message says what differs.
        FileNotFoundError: there is no folder for it.
    """

    def __init__(self, path: str | Path, *, every: int = 1, resume: bool = True) -> None:
        self.path, self.resume = Path(path), resume
        self.every = whole(every, "the epochs between two checkpoints", 1)

    def begin(self, training: Training) -> None:
        folder = self.path.parent
        if not folder.is_dir():
            raise FileNotFoundError(f"a checkpoint needs its folder; got none at {str(folder)!r}; make it first")
        if self.resume and self.path.exists():
            arrays, notes = load_arrays(self.path)
            if "of" not in notes:
                raise ValueError(f"{self.path.name} is no checkpoint; got none of its notes; give another path")
            training.restore(arrays, notes)

    def epoch_ended(self, training: Training) -> None:
        if training.epoch % self.every == 0 or training.epoch == training.epochs or training.history.stopped:
            arrays, notes = training.state()
            if all(map(math.isfinite, [training.history["loss"][-1], *arrays["numbers"]])):  # else nobody can go on
                save_arrays(self.path, arrays, notes)


class _Call(Callback):
    def __init__(self, function: Callable[[Training], object]) -> None:
        self.function = function

    def epoch_ended(self, training: Training) -> None:
        self.function(training)


def called(callback: Callback | Callable[[Training], object]) -> Callback:
    """A callback, or a function that is called after each epoch, as a callback.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(callback, Callback):
        return callback
    if not callable(callback) or isinstance(callback, type):
        raise TypeError(f"a callback is a Callback or a function of the Training; got {callback!r}; pass an object")
    return _Call(callback)


def is_error(monitor: str) -> bool:
    """Whether less of it is better: a loss or an error, by its name."""
    return any(word in monitor for word in ("loss", "error", "mse", "mae", "entropy"))
