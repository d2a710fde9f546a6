"""How a model was built, as JSON, and models built from that: classes of this library with their arguments.

A module is {"class": name, "arguments": {...}}, or {"repeat": k} where module k (counted as they are met) stands again;
a function {"function": name}; numbers, strings, booleans, None and lists are themselves. Where weights come from
(initializers, generators, seeds) is left out, since the file has the weights.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from typing import Any

import nn
from engine import Value, functions
from engine.value import is_operand, real
from nn import activations
from nn.module import Module

DEEPEST = 50
"""Levels of modules and lists within each other."""

ALLOWANCE = 10_000
"""The counts in a description may add up to as many as the file has numbers, and this: for windows and such."""

FUNCTIONS: dict[str, Callable[..., Any]] = {"linear": activations.linear} | {
    name: getattr(functions, name) for name in functions.__all__
}
"""What a description can name as a function."""


def described(model: Module) -> dict[str, Any]:
    """How a model was built; or the reason, under "reason", why that cannot be said.

    >>> described(nn.Layer(2, 3, "tanh"))
    {'class': 'Layer', 'arguments': {'inputs': 2, 'outputs': 3, 'activation': 'tanh', 'bias': True}}
    """
    try:
        description: dict[str, Any] = _described(model, [])
        return description
    except _UndescribableError as error:
        return {"reason": str(error)}


class _UndescribableError(Exception):
    """Something that only a program can build."""


def _described(thing: Any, met: list[Module]) -> Any:
    if isinstance(thing, Module):
        return _described_module(thing, met)
    if thing is None or isinstance(thing, (bool, str)):
        return thing
    if isinstance(thing, (list, tuple)):
        return [_described(part, met) for part in thing]
    if hasattr(thing, "__index__"):
        return operator.index(thing)
    if is_operand(thing) and not isinstance(thing, Value):
        return real(thing)
    if name := function_name(thing):
        return {"function": name}
    raise _UndescribableError(f"an argument that is {thing!r:.60}")


def function_name(thing: Any) -> str | None:
    """The name of one of the library's own functions; None for anything else.

    >>> function_name(functions.tanh), function_name(Value.tanh), function_name(lambda x: x)
    ('tanh', 'tanh', None)
    """
    name = getattr(thing, "__name__", "")
    known = (FUNCTIONS.get(name), getattr(functions, name, None), getattr(Value, name, None))
    return name if name in FUNCTIONS and thing in known else None


def _described_module(module: Module, met: list[Module]) -> dict[str, Any]:
    for number, other in enumerate(met):
        if other is module:
            return {"repeat": number}
    kind = type(module)
    if _classes().get(kind.__name__) is not kind:
        raise _UndescribableError(f"the class {kind.__name__}, which is not the library's")
    met.append(module)
    args, keywords = ((module.layers,), {}) if isinstance(module, nn.Sequential) else module.built_with  # as they are
    bound = _signature(kind).bind(*args, **keywords)
    bound.apply_defaults()
    return {
        "class": kind.__name__,
        "arguments": {name: _described(thing, met) for name, thing in bound.arguments.items() if not _is_draw(name)},
    }


def _signature(kind: type[Module]) -> inspect.Signature:
    """Of what a class is called with; **options are what the class above it takes."""
    parameters: dict[str, inspect.Parameter] = {}
    for base in kind.__mro__[:-1]:  # but object, which takes nothing
        if "__init__" in vars(base):
            own = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
            parameters = {parameter.name: parameter for parameter in own} | parameters
            if parameters.pop("options", None) is None:
                break
    return inspect.Signature(sorted(parameters.values(), key=lambda parameter: parameter.kind))


def _is_draw(name: str) -> bool:
    """Whether an argument of this name says where weights come from."""
    return name in ("generator", "seed") or name.endswith("initializer")


def _classes() -> dict[str, type[Module]]:
    """The library's modules by name: nothing else is ever built."""
    public = {name: getattr(nn, name) for name in nn.__all__}
    return {
        name: thing
        for name, thing in public.items()
        if isinstance(thing, type) and issubclass(thing, Module) and thing is not Module and thing.__name__ == name
    }


def rebuilt(description: Any, numbers: int, name: str) -> Module:
    """A model built as described, its weights yet to be filled in.

    Args:
        description: as `described` gives it; it may come from anybody.
        numbers: how many the file holds; a model that needs more is not built.
        name: the file's, for messages.

    Raises:
        ValueError: no model can be built so.
    """
    try:
        model = _Builder(numbers).thing(description, 0)
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
        raise ValueError(
            f"{name} does not describe a model that can be built; got {error}; pass the model as model="
        ) from None
    if not isinstance(model, Module):
        raise ValueError(f"{name} does not describe a model; got {description!r:.60}; pass the model as model=")
    return model


class _Builder:
    """Builds what a description says, as far as the file's size justifies it."""

    def __init__(self, numbers: int) -> None:
        self.weights_left, self.counts_left = numbers, numbers + ALLOWANCE
        self.met: list[Module | None] = []

    def thing(self, description: Any, depth: int) -> Any:
        if depth > DEEPEST:
            raise ValueError(f"more than {DEEPEST} levels")
        if isinstance(description, list):
            return [self.thing(part, depth + 1) for part in description]
        if isinstance(description, dict):
            return self.named(description, depth)
        if isinstance(description, int):
            self.counts_left -= abs(description)
            if self.counts_left < 0:
                raise ValueError("counts that the file is too small for")
        return description

    def named(self, description: dict[str, Any], depth: int) -> Any:
        """A module, one met before, or a function."""
        match description:
            case {"function": str(name), **rest} if not rest and name in FUNCTIONS:
                return FUNCTIONS[name]
            case {"repeat": int(number), **rest} if not rest and number in range(len(self.met)) and self.met[number]:
                return self.met[number]
            case {"class": str(name), "arguments": dict(arguments), **rest} if not rest and name in _classes():
                return self.module(_classes()[name], arguments, depth)
        raise ValueError(f"{description!r:.80}, which is no module of the library")

    def module(self, kind: type[Module], arguments: dict[str, Any], depth: int) -> Module:
        signature = _signature(kind)
        unknown = [name for name in arguments if name not in signature.parameters or _is_draw(name)]
        if unknown:
            raise ValueError(f"the argument {unknown[0]!r:.60}, which {kind.__name__} has not")
        place = len(self.met)
        self.met.append(None)
        given = {name: self.thing(part, depth + 1) for name, part in arguments.items()}
        bound = inspect.BoundArguments(signature, given)
        draws = {name: self.draw for name in signature.parameters if name.endswith("initializer")}
        module = kind(*bound.args, **bound.kwargs, **draws)
        self.met[place] = module
        return module

    def draw(self, generator: object, fan_in: int, fan_out: int) -> float:
        """An initializer that gives out no more weights than the file has."""
        self.weights_left -= 1
        if self.weights_left < 0:
            raise ValueError("more weights than the file has")
        return 0.0
