"""Recurrent cells, one step each, and the layer that runs one over a sequence.

Weights are kept as PyTorch does: `weight_ih` (gates * hidden, inputs), `weight_hh` (gates * hidden, hidden), and two
vectors of biases, gate after gate in PyTorch's order.
"""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Any

from engine import Value
from engine.functions import dot, sigmoid, tanh
from nn import initializers
from nn.initializers import Initializer
from nn.module import Module
from nn.nested import positive, shaped, tensor, who

Vector = list[Value]


class Cell(Module):
    """One step of a recurrent network; subclasses say how many gates it has and what it makes of them.

    A cell is called with an input vector and the state that it gave before, without one at the start, when all of the
    state is 0.

    Args:
        inputs: how many numbers a step takes.
        hidden: how many it remembers and gives.
        initializer, generator, seed: as for `Layer`. Biases start at zero.

    Raises:
        ValueError: a count that is not a positive whole number, an unknown name; at the call, vectors of another
            length.
    """

    gates = 1

    def __init__(
        self,
        inputs: int,
        hidden: int,
        *,
        initializer: str | Initializer = "glorot_uniform",
        generator: Random | None = None,
        seed: int | None = None,
    ) -> None:
        self.inputs, self.hidden = positive(inputs, "inputs"), positive(hidden, "hidden")
        draw, source = initializers.find(initializer), initializers.random_generator(generator, seed)
        rows = self.gates * self.hidden
        self.weight_ih = tensor(partial(draw, source, self.inputs, self.hidden), rows, self.inputs)
        self.weight_hh = tensor(partial(draw, source, self.hidden, self.hidden), rows, self.hidden)
        self.bias_ih, self.bias_hh = tensor(float, rows), tensor(float, rows)

    def output(self, state: Any) -> Vector:
        """The part of a state that the cell shows to other layers."""
        return state  # type: ignore[no-any-return]  # of most cells all of it

    def _gates(self, inputs: Any, hidden: Any) -> tuple[list[Vector], list[Vector]]:
        """For each gate, what the input and what the hidden state (None: zeros) contribute."""
        size = self.hidden
        vector = shaped(self, inputs, (self.inputs,), f"vectors of {self.inputs} numbers")
        by_input = [dot(row, vector) + b for row, b in zip(self.weight_ih, self.bias_ih, strict=True)]
        by_hidden = list(self.bias_hh)
        if hidden is not None:
            vector = shaped(self, hidden, (size,), f"a state of {size} numbers")
            by_hidden = [dot(row, vector) + b for row, b in zip(self.weight_hh, self.bias_hh, strict=True)]
        starts = range(0, len(by_hidden), size)
        return [by_input[k : k + size] for k in starts], [by_hidden[k : k + size] for k in starts]

    def _sums(self, inputs: Any, hidden: Any) -> list[Vector]:
        """For each gate, both contributions together."""
        both = zip(*self._gates(inputs, hidden), strict=True)
        return [[x + h for x, h in zip(*parts, strict=True)] for parts in both]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inputs} -> {self.hidden})"


class RNNCell(Cell):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh).

    Args and errors are those of `Cell`.

    Reference: Elman, *Finding Structure in Time*, 1990.

    >>> cell = RNNCell(2, 3, seed=0)
    >>> state = cell([1.0, -1.0])
    >>> len(cell([0.5, 0.0], state)), cell
    (3, RNNCell(2 -> 3))
    """

    def forward(self, inputs: Any, state: Any = None) -> Vector:
        [sums] = self._sums(inputs, state)
        return [tanh(x) for x in sums]


class LSTMCell(Cell):
    """Long short-term memory: a state (hidden, cell), of which gates forget, write and show parts.

    The gates are i, f, g, o: c' = sigmoid(f) c + sigmoid(i) tanh(g) and h' = sigmoid(o) tanh(c'). The forget gate's
    bias starts at 1, so that at first nothing is forgotten (Jozefowicz et al., 2015).

    Args and errors are those of `Cell`.

    Reference: Hochreiter and Schmidhuber, *Long Short-Term Memory*, 1997.

    >>> cell = LSTMCell(2, 3, seed=0)
    >>> hidden, memory = cell([1.0, -1.0])
    >>> hidden, memory = cell([0.5, 0.0], (hidden, memory))
    >>> len(hidden), len(memory), len(cell.weight_ih)
    (3, 3, 12)
    """

    gates = 4

    def __init__(self, inputs: int, hidden: int, **options: Any) -> None:
        super().__init__(inputs, hidden, **options)
        for bias in self.bias_ih[self.hidden : 2 * self.hidden]:
            bias.data = 1.0

    def forward(self, inputs: Any, state: Any = None) -> tuple[Vector, Vector]:
        if state is not None and len(state) != 2:
            raise ValueError(
                f"{who(self)} takes a state of two vectors, hidden and cell; got {state!r:.60}; pass what the cell gave"
            )
        hidden, memory = (None, None) if state is None else state
        i, f, g, o = self._sums(inputs, hidden)
        cells = [sigmoid(x) * tanh(y) for x, y in zip(i, g, strict=True)]
        if memory is not None:
            memory = shaped(self, memory, (self.hidden,), f"a state of twice {self.hidden} numbers")
            cells = [sigmoid(x) * old + new for x, old, new in zip(f, memory, cells, strict=True)]
        return [sigmoid(x) * tanh(c) for x, c in zip(o, cells, strict=True)], cells

    def output(self, state: Any) -> Vector:
        return state[0]  # type: ignore[no-any-return]  # the hidden half


class GRUCell(Cell):
    """Gated recurrent unit: a state that is partly kept and partly replaced.

    The gates are r, z, n: with x' = W_ih x + b_ih and h' = W_hh h + b_hh, n = tanh(x'_n + sigmoid(x'_r + h'_r) h'_n),
    z = sigmoid(x'_z + h'_z), and the new state is (1 - z) n + z h.

    Args and errors are those of `Cell`.

    Reference: Cho et al., *Learning Phrase Representations using RNN Encoder-Decoder*, 2014.

    >>> cell = GRUCell(2, 3, seed=0)
    >>> len(cell([1.0, -1.0])), len(cell.weight_hh)
    (3, 9)
    """

    gates = 3

    def forward(self, inputs: Any, state: Any = None) -> Vector:
        (r, z, n), (r_hidden, z_hidden, n_hidden) = self._gates(inputs, state)
        resets = [sigmoid(x + h) for x, h in zip(r, r_hidden, strict=True)]
        updates = [sigmoid(x + h) for x, h in zip(z, z_hidden, strict=True)]
        news = [tanh(x + reset * h) for x, reset, h in zip(n, resets, n_hidden, strict=True)]
        if state is None:
            return [(1.0 - update) * new for update, new in zip(updates, news, strict=True)]
        return [(1.0 - update) * new + update * old for update, new, old in zip(updates, news, state, strict=True)]


class Recurrent(Module):
    """A cell run over a sequence of vectors: what it shows after the last, or after each.

    Its tensors are named as those of PyTorch's recurrent layers: `weight_ih_l0` and so on.

    Args:
        cell: an `RNNCell`, `LSTMCell` or `GRUCell`, or another `Cell`.
        return_sequences: whether it gives a vector for each step, as the next recurrent layer takes.

    Raises:
        TypeError: not a cell.
        ValueError: at the call, another shape.

    >>> layer = Recurrent(LSTMCell(2, 3, seed=0))
    >>> len(layer([[1.0, 2.0], [3.0, 4.0]])), layer
    (3, Recurrent(LSTMCell(2 -> 3), the last step))
    >>> len(Recurrent(layer.cell, return_sequences=True)([[1.0, 2.0], [3.0, 4.0]]))
    2
    """

    def __init__(self, cell: Cell, return_sequences: bool = False) -> None:
        if not isinstance(cell, Cell):
            raise TypeError(f"a Recurrent runs a cell; got {cell!r}; pass an LSTMCell, say")
        self.cell, self.return_sequences = cell, return_sequences

    def forward(self, sequence: Any) -> list[Any]:
        width = self.cell.inputs
        steps = shaped(self, sequence, (None, width), f"a sequence of vectors of {width} numbers")
        state, shown = None, []
        for step in steps:
            state = self.cell(step, state)
            shown.append(self.cell.output(state))
        return shown if self.return_sequences else shown[-1]

    def tensors(self) -> dict[str, Any]:
        return {f"{name}_l0": tensor for name, tensor in self.cell.tensors().items()}

    def __repr__(self) -> str:
        return f"Recurrent({self.cell!r}, {'each step' if self.return_sequences else 'the last step'})"
