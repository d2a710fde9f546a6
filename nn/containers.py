"""Modules made of modules: one after the other, around each other, for each entry of a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from typing import Any

from engine.functions import add
from nn.module import Module
from nn.nested import listed, mapped, shape_of, who
from nn.stateless import Activation, Lambda


class Sequential(Module):
    """Layers one after the other: each takes what the one before it gives.

    Args:
        layers: modules; names of activations, which act on each number; functions, which take a whole example.

    Raises:
        ValueError: no layers, or a name that is no activation's.
        TypeError: something else among them.

    Its tensors are named by the numbers of the layers, as PyTorch does.

    >>> from nn import Layer
    >>> from engine.functions import softmax
    >>> model = Sequential([Layer(2, 3, seed=0), "relu", Layer(3, 2, seed=1), softmax])
    >>> model
    Sequential(Layer(2 -> 3, linear), Activation(relu), Layer(3 -> 2, linear), Lambda(softmax))
    >>> round(sum(value.data for value in model([1.0, -1.0])), 9), [name for name, _ in model.named_tensors()]
    (1.0, ['0.weight', '0.bias', '2.weight', '2.bias'])
    """

    def __init__(self, layers: Sequence[Module | str | Callable[[Any], Any]]) -> None:
        if not isinstance(layers, (list, tuple)) or not layers:
            raise ValueError(f"a Sequential needs a list of layers; got {layers!r}; pass a list such as [Layer(2, 1)]")
        self.layers = [_module(thing) for thing in layers]

    def forward(self, inputs: Any) -> Any:
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs

    def forward_batch(self, examples: Sequence[Any]) -> list[Any]:
        outputs = list(examples)
        for layer in self.layers:
            outputs = layer.forward_batch(outputs)
        return outputs

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        return self.layers[0].input_shape

    def tensors(self) -> dict[str, Any]:
        return {str(number): layer for number, layer in enumerate(self.layers)}

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"


class Residual(Module):
    """x + module(x): what the module computes is added to what went in.

    Args:
        module: gives the shape that it takes; modules, names and functions as in `Sequential`.

    Raises:
        ValueError: at the call, the two have different shapes.

    Reference: He et al., *Deep Residual Learning for Image Recognition*, 2015.

    >>> [value.data for value in Residual("relu")([1.0, -1.0])]
    [2.0, -1.0]
    """

    def __init__(self, module: Module | str | Callable[[Any], Any]) -> None:
        self.module = _module(module)

    def forward(self, inputs: Any) -> Any:
        return self._sum(inputs, self.module(inputs))

    def forward_batch(self, examples: Sequence[Any]) -> list[Any]:
        return [self._sum(*pair) for pair in zip(examples, self.module.forward_batch(examples), strict=True)]

    def _sum(self, inputs: Any, outputs: Any) -> Any:
        inputs = listed(inputs)
        shapes = shape_of(inputs), shape_of(outputs)
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"{who(self)} adds what it takes to what its module gives; got shapes {shapes[0]} and {shapes[1]}; "
                "let the module keep the shape"
            )
        return mapped(add, inputs, outputs)

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        return self.module.input_shape

    def __repr__(self) -> str:
        return f"Residual({self.module!r})"


class TimeDistributed(Module):
    """A module for each entry of a list: a layer of vectors for a sequence of them, with the same weights.

    In a batch, the entries of all examples are one batch of the module. Its tensors are the module's.

    Args:
        module: takes one entry; modules, names and functions as in `Sequential`.

    Raises:
        ValueError: at the call, the input is no list.

    >>> from nn import Layer
    >>> model = TimeDistributed(Layer(2, 3, seed=0))
    >>> len(model([[1.0, 2.0], [3.0, 4.0]])), model
    (2, TimeDistributed(Layer(2 -> 3, linear)))
    """

    def __init__(self, module: Module | str | Callable[[Any], Any]) -> None:
        self.module = _module(module)
        self.buffers = self.module.buffers

    def forward(self, inputs: Any) -> list[Any]:
        return [self.module(entry) for entry in self._entries(inputs)]

    def forward_batch(self, examples: Sequence[Any]) -> list[Any]:
        lists = [self._entries(example) for example in examples]
        outputs = iter(self.module.forward_batch(list(chain.from_iterable(lists))))
        return [list(islice(outputs, len(entries))) for entries in lists]

    def _entries(self, inputs: Any) -> list[Any]:
        if not isinstance(inputs, Iterable):
            raise ValueError(f"{who(self)} takes a list of inputs of its module; got {inputs!r}; put them in a list")
        return list(inputs)

    def tensors(self) -> dict[str, Any]:
        return self.module.tensors()

    def __repr__(self) -> str:
        return f"TimeDistributed({self.module!r})"


def _module(thing: Module | str | Callable[[Any], Any]) -> Module:
    if isinstance(thing, Module):
        return thing
    if isinstance(thing, str):
        return Activation(thing)
    if not callable(thing) or isinstance(thing, type):
        raise TypeError(f"a layer is a module, an activation's name or a function; got {thing!r}; use Layer(2, 1), say")
    return Lambda(thing)
