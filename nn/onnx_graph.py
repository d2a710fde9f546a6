"""An ONNX graph while it grows: nodes, constants, and the functions that both sides know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nn.descriptions import function_name
from nn.module import Module
from nn.nested import who


@dataclass(frozen=True)
class Flow:
    """What goes from node to node: a name, how many axes (batch, time) stand before an example's, and those."""

    name: str
    before: int
    shape: tuple[int, ...]

    def to(self, name: str, *shape: int) -> Flow:
        """What comes of it: examples of that shape."""
        return Flow(name, self.before, shape)

    def each(self) -> Flow:
        """The entries of its sequences, as examples."""
        return Flow(self.name, self.before + 1, self.shape[1:])


class Graph:
    """The nodes and constants of a graph.

    Args:
        forms: for each class of modules, what makes its nodes.
    """

    def __init__(self, forms: Mapping[type, Callable[[Graph, Any, Flow], Flow]]) -> None:
        self.forms = forms
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def traced(self, module: Module, x: Flow) -> Flow:
        """What a module makes of what comes in, as nodes.

        Raises:
            ValueError: it has no ONNX form, or takes another shape.
        """
        if type(module) not in self.forms:  # of a subclass nobody knows what it does
            known = ", ".join(sorted(kind.__name__ for kind in self.forms))
            raise ValueError(f"{who(module)} has no ONNX form; got a {type(module).__name__}; use one of {known}")
        return self.forms[type(module)](self, module, x)

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """Append a node; returns the name of its last output."""
        from onnx import helper

        name = f"{operator.lower()}_{len(self.nodes)}"
        names = [""] * (outputs - 1) + [name]
        self.nodes.append(helper.make_node(operator, list(inputs), names, name=name, **attributes))
        return name

    def constant(self, numbers: Any, dtype: str = "float32") -> str:
        """An array that belongs to the graph; returns its name."""
        import numpy as np
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(numbers, dtype), name))
        return name

    def applied(self, module: Module, function: Any, x: Flow) -> Flow:
        """What a module's activation makes of each number."""
        name = function_name(function)
        if name not in FUNCTIONS:
            known = ", ".join(map(str, FUNCTIONS))
            raise ValueError(f"{who(module)} has a function without ONNX form; got {function!r}; use one of {known}")
        result = x.name
        for operator, attributes in FUNCTIONS[name]:
            result = self.add(operator, result, **attributes)
        return x.to(self.add("Mul", x.name, result) if name == "silu" else result, *x.shape)


Operators = list[tuple[str, dict[str, Any]]]

_SAME_NAME = (
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "elu", "erf", "exp", "floor",
    "gelu", "log", "mish", "reciprocal", "relu", "selu", "sigmoid", "sign", "sin", "sinh", "softplus",
    "softsign", "sqrt", "tan", "tanh",
)  # fmt: skip

FUNCTIONS: dict[str | None, Operators] = {
    "linear": [],
    "leaky_relu": [("LeakyRelu", {"alpha": 0.01})],
    "log_sigmoid": [("Neg", {}), ("Softplus", {}), ("Neg", {})],
    "silu": [("Sigmoid", {})],  # times x
    **{name: [(name.capitalize(), {})] for name in _SAME_NAME},
}
"""Functions of one number by name, as operators one after the other."""


def expect(module: Module, x: Flow, shape: tuple[int | None, ...], before: int | None = None) -> None:
    """Raise a ValueError unless examples have this shape (None: any length), with so many axes before them."""
    fits = len(x.shape) == len(shape) and all(want in (None, have) for have, want in zip(x.shape, shape, strict=True))
    if not fits:
        wanted = " x ".join("any" if length is None else str(length) for length in shape)
        raise ValueError(
            f"{who(module)} takes examples of {wanted}; got the shape {x.shape}; match example_shape to it"
        )
    if before not in (None, x.before):
        raise ValueError(f"{who(module)} has no ONNX form inside TimeDistributed; got it there; take it out")
