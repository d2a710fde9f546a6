"""`Module`: something with parameters. It finds them, names them, and switches between training and evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from engine import Value
from engine.ops import LEAF


class _Named(type):
    """Names a module's parameters when it has been built; of nested modules the outermost is built last, and wins."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        module = super().__call__(*args, **kwargs)
        module.name_parameters()
        return module


class Module(metaclass=_Named):
    """A callable with parameters: assign Values, modules, or lists, dicts and arrays of them; define `forward`.

    Every Value leaf that is not a constant is a parameter. Its name is the path to it, `layers.0.neurons.2.weight.1`,
    which is its label as well.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Value(2.0), Value(1.0)
    ...     def forward(self, x):
    ...         return self.slope * x + self.offset
    >>> line = Line()
    >>> line(3).data, [name for name, _ in line.named_parameters()], line.slope.label
    (7.0, ['slope', 'offset'], 'slope')
    """

    training = True
    """Whether layers that behave differently in training do so: see `train` and `eval`."""
    path = ""
    """The path to this module from the outermost one."""

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What the module computes; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(); define what it computes from its inputs")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self.forward(*inputs, **options)

    def named_parameters(self) -> Iterator[tuple[str, Value]]:
        """Every parameter once, with the first path that leads to it."""
        return ((path, thing) for path, thing in _walk(self) if isinstance(thing, Value))

    def parameters(self) -> list[Value]:
        """Every parameter once, in the order of attributes."""
        return [parameter for _, parameter in self.named_parameters()]

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """This module and all inside it, each once, with paths."""
        return ((path, thing) for path, thing in _walk(self) if isinstance(thing, Module))

    def name_parameters(self) -> None:
        """Label every parameter, and name every module inside, by its path from here."""
        for path, thing in _walk(self):
            if isinstance(thing, Value):
                thing.label = path
            elif thing is not self:
                vars(thing)["path"] = path

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to zero."""
        for parameter in self.parameters():
            parameter.grad = 0.0

    def train(self, mode: bool = True) -> Module:
        """Switch this module and all inside it to training, or to evaluation with `mode=False`; returns itself."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Switch this module and all inside it to evaluation; returns itself."""
        return self.train(False)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.parameters())} parameters)"


def _walk(root: Module) -> Iterator[tuple[str, Any]]:
    """Modules and parameters below a module, and it, each once, with dotted paths, in the order of attributes."""
    seen: set[int] = set()
    pending: list[tuple[str, Any]] = [("", root)]
    items: Iterable[tuple[Any, Any]]
    while pending:
        path, thing = pending.pop()
        if id(thing) in seen:
            continue
        if isinstance(thing, Value):
            if thing.op is LEAF:
                seen.add(id(thing))
                yield path, thing
            continue
        if isinstance(thing, Module):
            yield path, thing
            items = vars(thing).items()
        elif isinstance(thing, dict):
            items = thing.items()
        elif isinstance(thing, (list, tuple)):
            items = enumerate(thing)
        elif hasattr(thing, "dtype") and thing.dtype == object and thing.shape:  # NumPy's array of Values
            items = enumerate(thing.tolist())
        else:
            continue
        seen.add(id(thing))
        pending += [(f"{path}.{key}" if path else str(key), item) for key, item in reversed(list(items))]
