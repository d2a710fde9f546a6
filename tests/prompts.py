"""A prompt that a test types at, and a graph to step through."""

from __future__ import annotations

import io

from engine import Trace, Value, functions, record_source
from viz.debugger import Debugger


def network() -> Value:
    """Two neurons of a layer, and one of the next."""
    with record_source():
        x = [Value(0.5, label="x"), Value(-1.0, label="y")]
        for layer, width in enumerate((2, 1)):
            x = [
                (
                    functions.dot(
                        [Value(0.1 * k + j + 0.5, label=f"layers.{layer}.neurons.{j}.weight.{k}") for k in (0, 1)], x
                    )
                    + Value(0.1, label=f"layers.{layer}.neurons.{j}.bias")
                ).tanh()
                for j in range(width)
            ]
        loss = (x[0] - 1.0) ** 2
    loss.label = "loss"
    return loss


class Prompt(Debugger):
    """A prompt that is typed at by a test."""

    def __init__(self, loss: Value) -> None:
        self.shown = io.StringIO()
        super().__init__(Trace(loss), io.StringIO(), self.shown)

    def type(self, *commands: str) -> str:
        """What the last of them answers."""
        for command in commands:
            self.shown.seek(0)
            self.shown.truncate()
            self.onecmd(command)
        return self.shown.getvalue()
