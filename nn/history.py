"""What happened in training: the numbers of each epoch, and why it ended."""

from __future__ import annotations

from collections.abc import Iterator


class History:
    """The loss and the metrics of each epoch; of validation data as `val_loss` and so on.

    Attributes:
        history: by name, a list with a number for each epoch.
        stopped: why training ended before its last epoch, as a sentence; empty if it did not.

    >>> history = History({"loss": [0.5, 0.25]})
    >>> history["loss"][-1], history.epochs, history
    (0.25, 2, History(2 epochs, loss 0.25))
    """

    def __init__(self, history: dict[str, list[float]] | None = None) -> None:
        self.history = {name: list(numbers) for name, numbers in (history or {}).items()}
        self.stopped = ""

    @property
    def epochs(self) -> int:
        """How many epochs were finished."""
        return max(map(len, self.history.values()), default=0)

    @property
    def last(self) -> dict[str, float]:
        """The numbers of the last epoch."""
        return {name: numbers[-1] for name, numbers in self.history.items()}

    def append(self, numbers: dict[str, float]) -> None:
        """Add the numbers of an epoch."""
        for name, number in numbers.items():
            self.history.setdefault(name, []).append(number)

    def __getitem__(self, name: str) -> list[float]:
        if name not in self.history:
            raise KeyError(f"no such number was kept; got {name!r}; there are {', '.join(self.history) or 'none yet'}")
        return self.history[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.history)

    def __contains__(self, name: object) -> bool:
        return name in self.history

    def __repr__(self) -> str:
        parts = [f"{self.epochs} epochs", *(f"{name} {shown(number)}" for name, number in self.last.items())]
        return f"History({', '.join(parts)}{'; ' + self.stopped if self.stopped else ''})"


def shown(number: object) -> str:
    """A metric for people, short; what is no number as it is."""
    return f"{number:.4g}" if isinstance(number, (int, float)) else str(number)
