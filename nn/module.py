"""`Module`: something with parameters. It finds them, names them, and switches between training and evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

from engine import Value
from engine.ops import LEAF
from nn.nested import flattened


class _Named(type):
    """Names a module's parameters when it has been built; of nested modules the outermost is built last, and wins.

    Those that are built in another's constructor are named with it, once. The module remembers what it was built with,
    for files.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        outer = _built_inside.get()
        built: list[Module] = [] if outer is None else outer
        before = _built_inside.set(built)
        try:
            module = super().__call__(*args, **kwargs)
        finally:
            _built_inside.reset(before)
        module.built_with = _copied(args), _copied(kwargs)
        built.append(module)
        if outer is None:
            module.name_parameters()
            apart = [part for part in built[:-1] if "path" not in vars(part)]  # built there, but not kept
            for part in [*apart, *([module] if apart else [])]:
                part.name_parameters()
        return module


def _copied(arguments: Any) -> Any:
    """Arguments with lists of their own: whose they are may change them."""
    if isinstance(arguments, dict):
        return {name: _copied(argument) for name, argument in arguments.items()}
    return type(arguments)(map(_copied, arguments)) if type(arguments) in (list, tuple) else arguments


_built_inside: ContextVar[list[Module] | None] = ContextVar("built inside", default=None)
"""The modules built since the outermost constructor began."""


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

    # a slot, and so not in vars(): what is only an argument is no part of the module
    __slots__ = ("__dict__", "__weakref__", "built_with")
    built_with: tuple[tuple[Any, ...], dict[str, Any]]
    """The arguments of the call that made it; files keep those of the library's own modules."""

    training = True
    """Whether layers that behave differently in training do so: see `train` and `eval`."""
    path = ""
    """The path to this module from the outermost one."""
    buffers: tuple[str, ...] = ()
    """Attributes with Values that belong to the model but are not trained, such as running means."""
    couples_examples = False
    """Whether in training an example's output depends on the others of its batch, as in batch normalisation."""
    observed: Any = ()
    """What it saw of the batches that were recorded, in nested lists of Values, when it couples examples."""

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """The shape of an example, where the module's own sizes tell it."""
        return None

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What the module computes; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(); define what it computes from its inputs")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self.forward(*inputs, **options)

    def forward_batch(self, examples: Sequence[Any]) -> list[Any]:
        """What the module computes for each example of a batch; modules that hand batches on define it."""
        return [self.forward(example) for example in examples]

    def observe(self, numbers: Sequence[Any]) -> None:
        """Take note of a batch: the numbers of what was `observed`."""

    def named_parameters(self) -> Iterator[tuple[str, Value]]:
        """Every parameter once, with the first path that leads to it."""
        return ((path, thing) for path, thing in _walk(self) if isinstance(thing, Value))

    def parameters(self) -> list[Value]:
        """Every parameter once, in the order of attributes."""
        return [parameter for _, parameter in self.named_parameters()]

    def named_buffers(self) -> Iterator[tuple[str, Value]]:
        """Every Value that belongs to the model and is not trained, with its path."""
        for path, module in self.named_modules():
            for name in module.buffers:
                kept = _walk(vars(module).get(name, ()), f"{path}.{name}" if path else name)
                yield from ((inner, thing) for inner, thing in kept if isinstance(thing, Value))

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """This module and all inside it, each once, with paths."""
        return ((path, thing) for path, thing in _walk(self, values=False) if isinstance(thing, Module))

    def tensors(self) -> dict[str, Any]:
        """What files keep of this module: its attributes, unless it stacks them as other libraries do."""
        return vars(self)

    def named_tensors(self) -> Iterator[tuple[str, Any]]:
        """Parameters and buffers as nested lists, the arrays that files and other libraries keep; each once, by path.

        >>> from nn import Layer
        >>> [(name, len(tensor)) for name, tensor in Layer(2, 3).named_tensors()]
        [('weight', 3), ('bias', 3)]
        """
        seen: dict[int, Any] = {}  # with the things: the id of a list that is gone may be another's
        given: set[Value] = set()
        pending: list[tuple[str, Any]] = [("", self)]
        while pending:
            path, thing = pending.pop()
            prefix = f"{path}." if path else ""
            if id(thing) in seen:
                continue
            seen[id(thing)] = thing
            if isinstance(thing, Module):
                pending += [(prefix + name, part) for name, part in reversed(thing.tensors().items())]
            elif _is_tensor(thing):
                if not given.issuperset(flattened(thing)):
                    given.update(flattened(thing))
                    yield path, thing
            elif _is_array(thing):
                pending.append((path, thing.tolist()))
            elif isinstance(thing, (list, tuple, dict)):
                items = thing.items() if isinstance(thing, dict) else enumerate(thing)
                pending += [(f"{prefix}{key}", part) for key, part in reversed(list(items))]

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

    def summary(self, example: Any = None) -> str:
        """A table of the layers, their outputs' shapes and how many parameters they have.

        Args:
            example: what the module is called with to see the shapes; for a network whose first layer is dense,
                zeros will do.

        >>> from nn import MLP
        >>> print(MLP(2, [16, 1], seed=0).summary())
        MLP(2 -> 16 relu -> 1 linear, 65 parameters)
        layer (type)      output shape  parameters
        layers.0 (Layer)  (16,)                 48
        layers.1 (Layer)  (1,)                  17
        65 parameters
        """
        from nn.summary import summary

        return summary(self, example)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.parameters())} parameters)"


def _is_tensor(thing: Any) -> bool:
    """Whether it is a parameter, or nested lists of nothing but parameters, as many in each."""
    return _shape(thing) is not None


def _shape(thing: Any) -> tuple[int, ...] | None:
    if isinstance(thing, Value):
        return () if thing.op is LEAF else None
    shapes = set(map(_shape, thing)) if isinstance(thing, (list, tuple)) else set()
    shape = shapes.pop() if len(shapes) == 1 else None
    return None if shape is None else (len(thing), *shape)


def _is_array(thing: Any) -> bool:
    """Whether it is NumPy's array of Values, or of other objects."""
    return hasattr(thing, "dtype") and thing.dtype == object and bool(thing.shape)


def _walk(root: Any, at: str = "", values: bool = True) -> Iterator[tuple[str, Any]]:
    """Modules and parameters below something, and it, each once, with dotted paths, in the order of attributes."""
    seen: dict[int, Any] = {}  # with the things, as above
    pending: list[tuple[str, Any]] = [(at, root)]
    items: Iterable[tuple[Any, Any]]
    while pending:
        path, thing = pending.pop()
        if id(thing) in seen:
            continue
        if isinstance(thing, Value):
            if values and thing.op is LEAF:
                seen[id(thing)] = thing
                yield path, thing
            continue
        if isinstance(thing, Module):
            yield path, thing
            items = [(name, part) for name, part in vars(thing).items() if name not in thing.buffers]
        elif isinstance(thing, dict):
            items = thing.items()
        elif isinstance(thing, (list, tuple)):
            if not values and set(map(type, thing)) == {Value}:  # most of a model: many weights, and no module
                continue
            items = enumerate(thing)
        elif _is_array(thing):
            items = enumerate(thing.tolist())
        else:
            continue
        seen[id(thing)] = thing
        prefix = f"{path}." if path else ""
        pending += [(f"{prefix}{key}", item) for key, item in reversed(list(items))]
