"""Neurons, layers of them, and multi-layer perceptrons: lists in, lists out, always."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

from engine import Value
from engine.functions import dot
from engine.value import operand
from nn import activations, initializers
from nn.activations import Activation
from nn.initializers import Initializer
from nn.module import Module
from nn.nested import Number, name_of, positive, who


class Neuron(Module):
    """One neuron: activation(w1 x1 + ... + wn xn + bias).

    Args:
        inputs: how many numbers it takes, at least 1.
        activation: a name (`"sigmoid"`) or a function of a Value.
        bias: whether it adds a bias.
        initializer: for the weights, a name or a function; see `nn.initializers`. Biases start at zero.
        generator, seed: where random weights come from; give one of them to have the same weights on every run.
        fan_out: how many neurons stand beside it, for initialisers that ask.

    Raises:
        ValueError: a count that is not a positive whole number, an unknown name; at the call, a wrong number of inputs.

    >>> neuron = Neuron(2, "tanh", seed=0)
    >>> len(neuron.parameters()), neuron([1.0, 2.0]).op.name
    (3, 'tanh')
    """

    def __init__(
        self,
        inputs: int,
        activation: str | Activation = "linear",
        *,
        bias: bool = True,
        initializer: str | Initializer = "glorot_uniform",
        generator: Random | None = None,
        seed: int | None = None,
        fan_out: int = 1,
    ) -> None:
        size = positive(inputs, "inputs")
        draw, source = initializers.find(initializer), initializers.random_generator(generator, seed)
        # a tuple: the same object in every graph, so a walk looks through it once
        self.weight = tuple([Value(draw(source, size, fan_out)) for _ in range(size)])
        self.bias = Value(0.0) if bias else None
        self.activation = activations.find(activation)

    def forward(self, inputs: Iterable[Number]) -> Value:
        return self.respond(_checked(self, inputs, len(self.weight)))

    def respond(self, inputs: Sequence[Value]) -> Value:
        """The output for inputs that were checked already: a layer checks once for all its neurons."""
        total = dot(self.weight, inputs)
        return self.activation(total if self.bias is None else total + self.bias)

    def __repr__(self) -> str:
        return f"Neuron({len(self.weight)} inputs, {name_of(self.activation)})"


class Layer(Module):
    """Neurons side by side on the same inputs: a dense layer.

    Args and errors are those of `Neuron`; `outputs` is the number of neurons.

    >>> layer = Layer(2, 3, "relu", seed=0)
    >>> len(layer([1.0, -1.0])), layer
    (3, Layer(2 -> 3, relu))
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        activation: str | Activation = "linear",
        *,
        bias: bool = True,
        initializer: str | Initializer = "glorot_uniform",
        generator: Random | None = None,
        seed: int | None = None,
    ) -> None:
        width = positive(outputs, "outputs")
        source = initializers.random_generator(generator, seed)
        self.inputs = positive(inputs, "inputs")
        self.neurons = [
            Neuron(inputs, activation, bias=bias, initializer=initializer, generator=source, fan_out=width)
            for _ in range(width)
        ]

    def forward(self, inputs: Iterable[Number]) -> list[Value]:
        checked = _checked(self, inputs, self.inputs)
        return [neuron.respond(checked) for neuron in self.neurons]

    def tensors(self) -> dict[str, Any]:
        """A matrix with a row for each neuron, and a vector of biases."""
        biases = [neuron.bias for neuron in self.neurons if neuron.bias is not None]
        return {"weight": [neuron.weight for neuron in self.neurons]} | ({"bias": biases} if biases else {})

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.inputs,)

    def __repr__(self) -> str:
        return f"Layer({self.inputs} -> {len(self.neurons)}, {name_of(self.neurons[0].activation)})"


Dense = Layer
"""What Keras calls a layer of neurons."""


class MLP(Module):
    """Layers one after the other: a multi-layer perceptron.

    Args:
        inputs: how many numbers it takes.
        sizes: the width of each layer, at least one layer.
        activation: of all layers but the last.
        output_activation: of the last.
        bias, initializer, generator, seed: as for `Neuron`.

    Raises:
        ValueError: as for `Neuron`, and for no sizes at all. A wrong number of inputs names the layer.

    >>> model = MLP(2, [16, 16, 1], seed=0)
    >>> model
    MLP(2 -> 16 relu -> 16 relu -> 1 linear, 337 parameters)
    >>> [name for name, _ in model.named_parameters()][17]
    'layers.0.neurons.5.bias'
    """

    def __init__(
        self,
        inputs: int,
        sizes: Sequence[int],
        activation: str | Activation = "relu",
        output_activation: str | Activation = "linear",
        *,
        bias: bool = True,
        initializer: str | Initializer = "glorot_uniform",
        generator: Random | None = None,
        seed: int | None = None,
    ) -> None:
        if isinstance(sizes, int) or not len(sizes):
            raise ValueError(f"an MLP needs the sizes of its layers; got {sizes!r}; pass a list such as [16, 16, 1]")
        source = initializers.random_generator(generator, seed)
        names = [activation] * (len(sizes) - 1) + [output_activation]
        self.layers = [
            Layer(fan_in, width, name, bias=bias, initializer=initializer, generator=source)
            for fan_in, width, name in zip([inputs, *sizes[:-1]], sizes, names, strict=True)
        ]

    def forward(self, inputs: Iterable[Number]) -> list[Value]:
        outputs = inputs
        for layer in self.layers:
            outputs = layer(outputs)
        return list(outputs)  # type: ignore[arg-type]  # a layer's outputs are Values

    def forward_batch(self, examples: Sequence[Any]) -> list[Any]:
        outputs = list(examples)
        for layer in self.layers:
            outputs = layer.forward_batch(outputs)
        return outputs

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.layers[0].input_shape

    def __repr__(self) -> str:
        steps = [f"{len(layer.neurons)} {name_of(layer.neurons[0].activation)}" for layer in self.layers]
        return f"MLP({' -> '.join([str(self.layers[0].inputs), *steps])}, {len(self.parameters())} parameters)"


def _checked(module: Module, inputs: Iterable[Number], expected: int) -> tuple[Value, ...]:
    """The inputs as Values, numbers as constants, when there are as many as the module takes."""
    try:
        iterator = iter(inputs)
    except TypeError:
        taker = who(module)
        raise TypeError(f"{taker} takes a list of {expected} numbers; got {inputs!r}; put it in a list") from None
    things = list(iterator)
    try:
        if len(things) == expected:
            return tuple([operand(thing) for thing in things])
    except TypeError:
        if not any(map(_is_list, things)):
            raise
    if any(map(_is_list, things)):
        raise ValueError(
            f"{who(module)} takes {expected} numbers, one example; got {len(things)} lists; give a batch to "
            "forward_batch(), or to nn.predict()"
        )
    raise ValueError(
        f"{who(module)} takes {expected} numbers; got {len(things)}; match the list to the layer, or the layer to it"
    )


def _is_list(thing: Any) -> bool:
    return isinstance(thing, (list, tuple)) or bool(getattr(thing, "shape", None))
