"""The table of a model's layers: what each is, what comes out of it, and how many parameters it has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from engine import no_grad
from nn.layers import Neuron
from nn.module import Module
from nn.nested import shape_of, tensor


def summary(model: Module, example: Any = None) -> str:
    """A line for each layer right below the model, and the totals.

    See `Module.summary`.
    """
    layers = _layers(model)
    shapes = _output_shapes(model, layers, example)
    rows = [("layer (type)", "output shape", "parameters")]
    rows += [
        (f"{path or 'model'} ({type(layer).__name__})", shapes.get(path, "?"), f"{len(layer.parameters()):,}")
        for path, layer in layers.items()
    ]
    total = len(model.parameters())
    counted = {id(parameter) for layer in layers.values() for parameter in layer.parameters()}
    if total > len(counted):
        rows.append(("(the model's own)", "", f"{total - len(counted):,}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"{name:{widths[0]}}  {shape:{widths[1]}}  {count:>{widths[2]}}" for name, shape, count in rows]
    return "\n".join([repr(model), *lines, f"{total:,} parameters"])


def _layers(model: Module) -> dict[str, Module]:
    """The modules right below a model, by path; of a model without any, itself: neurons are no layers."""
    found: dict[str, Module] = {}
    for path, module in model.named_modules():
        if path and not isinstance(module, Neuron) and not any(path.startswith(f"{outer}.") for outer in found):
            found[path] = module
    return found or {"": model}


def _output_shapes(model: Module, layers: dict[str, Module], example: Any) -> dict[str, str]:
    """What comes out of each layer that is called for the example, without a trace in the model."""
    if example is None:
        if model.input_shape is None:
            return {}
        example = tensor(float, *model.input_shape)
    shapes: dict[str, str] = {}
    modes = [(module, module.training) for _, module in model.named_modules()]
    try:
        with no_grad(), _watched(layers, shapes):
            model.eval()(example)
    finally:
        for module, training in modes:
            module.training = training
    return shapes


@contextmanager
def _watched(layers: dict[str, Module], shapes: dict[str, str]) -> Iterator[None]:
    """Let each layer note the shape of what it gives."""

    def watch(path: str, layer: Module) -> None:
        forward = layer.forward

        def noting(*inputs: Any, **options: Any) -> Any:
            outputs = forward(*inputs, **options)
            shapes[path] = str(shape_of(outputs))
            return outputs

        vars(layer)["forward"] = noting  # hides the class's own

    try:
        for path, layer in layers.items():
            watch(path, layer)
        yield
    finally:
        for layer in layers.values():
            vars(layer).pop("forward", None)
