"""The function under test: how it is called, what it returns, and which gradient is claimed for it.

The function sees its inputs in the structure they came in, copied for every call; this module turns that into a
function of a flat list of floats, and gradients of any nesting into a flat list of claims. Nothing that belongs to
the user is changed: not the inputs, not the `.grad` of any Value the function uses.

This module knows Values and how to go back through them; not how a claim is verified.
"""

from __future__ import annotations

import math

from engine.graph import topological_order
from engine.structure import flatten, is_array, is_mapping, path_name
from engine.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from engine.structure import Flat


class Block:
    """One input of the function: a number, or a structure of numbers."""

    __slots__ = ("flat", "name", "start")

    def __init__(self, name: str, flat: Flat, start: int) -> None:
        self.name = name
        self.flat = flat
        self.start = start  # where its numbers begin in the flat list of all

    @property
    def size(self) -> int:
        return len(self.flat.leaves)

    @property
    def indices(self) -> range:
        return range(self.start, self.start + self.size)


class Claim:
    """The gradient claimed for one block.

    Attributes:
        values: one number for each of the block's, or None if it has another structure.
        flat: what was claimed, as it came.
        paths: for each number, the sum of |contributions| over the paths of the graph it came from; zeros if unknown.
    """

    __slots__ = ("flat", "paths", "values")

    def __init__(self, flat: Flat, values: list[float] | None, paths: list[float]) -> None:
        self.flat = flat
        self.values = values
        self.paths = paths


class Subject:
    """A function of nested inputs, as a function of one list of floats.

    Args:
        f: takes `inputs` positionally if they are a list or a tuple, by keyword if they are a mapping; anything else,
            a number or an array, is its only argument.
        grad: returns the gradient in the same form; None lets the engine differentiate f.

    Attributes:
        name: of the function, with its brackets.
        blocks: the inputs.
        point: their numbers, one after the other.
        labels: a name for each of these.
        notes: what the functions did that they should not.
    """

    def __init__(self, f: Callable[..., Any], inputs: Any, grad: Callable[..., Any] | None) -> None:
        self.f = f
        self.grad = grad
        self.name = f"{_name_of(f)}()"
        self.notes: list[str] = []
        self._unwatched = [f, grad]
        self._keys: list[str] | None = list(inputs) if is_mapping(inputs) else None
        parts = _parts(inputs)
        names = self._keys or _parameter_names(f, len(parts))
        self.blocks: list[Block] = []
        self.point: list[float] = []
        self._likes: list[Any] = []
        for name, part in zip(names, parts, strict=True):
            flat = flatten(part)
            self.blocks.append(Block(name, flat, len(self.point)))
            self.point.extend(float(leaf) for leaf in flat.leaves)
            self._likes.extend(flat.leaves)
        self.labels = [block.name + path_name(path) for block in self.blocks for path in block.flat.paths]
        if not self.point:
            raise ValueError(f"there is nothing to differentiate; got inputs {inputs!r}; pass at least one number")

    # --- calling

    def __call__(self, point: Sequence[float]) -> float | complex:
        """The value of f; a complex one is left to who asked."""
        return self._number(self._call(self.f, self._leaves(point)))

    def call(self, function: Callable[..., Any]) -> Any:
        """What another function makes of copies of the inputs."""
        return self._call(function, self._leaves(self.point))

    def along(self, index: int) -> Callable[[float], float | complex]:
        """f as a function of one of its numbers."""

        def moved(x: float) -> float | complex:
            point = self.point.copy()
            point[index] = x
            return self(point)

        return moved

    def in_direction(self, direction: Sequence[float]) -> Callable[[float], float | complex]:
        """f as a function of the distance along a direction."""

        def moved(t: float) -> float | complex:
            return self([x + t * v for x, v in zip(self.point, direction, strict=True)])

        return moved

    def _leaves(self, point: Sequence[float]) -> list[Any]:
        if self.grad is None:
            return [Value(x, label) for x, label in zip(point, self.labels, strict=True)]
        return [
            Value(x, like.label) if isinstance(like, Value) else x for x, like in zip(point, self._likes, strict=True)
        ]

    def _call(self, function: Callable[..., Any], leaves: Sequence[Any]) -> Any:
        parts = [block.flat.rebuild(leaves[i] for i in block.indices) for block in self.blocks]
        named = {} if self._keys is None else dict(zip(self._keys, parts, strict=True))
        if function not in self._unwatched:
            return function(**named) if named else function(*parts)
        self._unwatched.remove(function)
        before = [float(leaf) for leaf in leaves]
        result = function(**named) if named else function(*parts)
        self._watch(function, parts, before)
        return result

    def _watch(self, function: Callable[..., Any], parts: list[Any], before: list[float]) -> None:
        """Note which of its inputs a function has changed in place."""
        changed = []
        for block, part in zip(self.blocks, parts, strict=True):
            now = flatten(part)
            numbers = [float(leaf) for leaf in now.leaves]
            same = all(a == b or b != b for a, b in zip(numbers, before[block.start :], strict=False))
            if now.paths != block.flat.paths or not same:
                changed.append(block.name)
        if changed:
            name = self.name if function is self.f else "the gradient function"
            self.notes.append(f"{name} changes its inputs in place: {', '.join(changed)}; work on copies of them")

    def _number(self, result: Any) -> float | complex:
        result = _unboxed(result)
        if isinstance(result, complex):
            return result
        try:
            return float(result)
        except (TypeError, ValueError):
            raise TypeError(
                f"{self.name} must return one real number; got {_described(result)}; "
                "return a scalar, for example the sum of the outputs"
            ) from None

    # --- what is claimed

    def claims(self, point: Sequence[float] | None = None) -> list[Claim]:
        """The claimed gradient, block by block: of the gradient function, or of the engine.

        Raises:
            TypeError: f leaves the graph, or what grad returns is not made of numbers.
            ValueError: grad returns another number of gradients than f has inputs, or other names.
        """
        leaves = self._leaves(self.point if point is None else point)
        if self.grad is None:
            return self._engine_claims(leaves)
        return [
            _claim(block, part) for block, part in zip(self.blocks, self._gradients(self.grad, leaves), strict=True)
        ]

    def _engine_claims(self, leaves: list[Value]) -> list[Claim]:
        output = _unboxed(self._call(self.f, leaves))
        if not isinstance(output, Value):
            raise TypeError(
                f"the engine can only differentiate what is computed from Values; {self.name} returned "
                f"{_described(output)} for Values; use their methods and engine.functions, not math and float(), "
                "or pass the gradient as grad="
            )
        gradients, paths = reverse(output, leaves)
        claims = []
        for block in self.blocks:
            mine = slice(block.start, block.start + block.size)
            claims.append(Claim(block.flat, gradients[mine], paths[mine]))
        return claims

    def _gradients(self, grad: Callable[..., Any], leaves: list[Any]) -> list[Any]:
        """What the gradient function returns, one part for each block."""
        result = self._call(grad, leaves)
        names = [block.name for block in self.blocks]
        if is_mapping(result) and set(result) == set(names):
            return [result[name] for name in names]
        if is_mapping(result) and len(names) > 1:
            raise ValueError(
                f"the gradient must name the inputs of {self.name}: {', '.join(names)}; "
                f"got {', '.join(map(str, result))}; return one gradient for each, under its name"
            )
        if isinstance(result, (list, tuple)) and len(result) == len(names) and not self._only(result):
            return list(result)
        if len(names) == 1:
            return [result]
        raise ValueError(
            f"the gradient must have one part for each of the {len(names)} inputs of {self.name}; "
            f"got {_described(result)}; return them in a list, in the order of the inputs, or in a mapping by name"
        )

    def _only(self, result: Sequence[Any]) -> bool:
        """Whether a list of one is itself the gradient of the only input, a list of one."""
        return len(self.blocks) == 1 and flatten(result).paths == self.blocks[0].flat.paths


def _claim(block: Block, part: Any) -> Claim:
    flat = flatten(part)
    given = dict(zip(flat.paths, map(float, flat.leaves), strict=True))
    values = None
    if given.keys() == set(block.flat.paths):
        values = [given[path] for path in block.flat.paths]
    elif block.flat.paths == [()] and len(given) == 1:  # an array of one number for a number
        values = list(given.values())
    return Claim(flat, values, [0.0] * block.size)


def reverse(output: Value, inputs: Sequence[Value]) -> tuple[list[float], list[float]]:
    """The gradient by `backward()`, and for each input the sum of |contributions| over all paths to it.

    Every `.grad` of the graph is as it was afterwards.

    >>> x = Value(3.0)
    >>> reverse(x * x - x, [x])
    ([5.0], [7.0])
    """
    if output.is_constant:
        return [0.0] * len(inputs), [0.0] * len(inputs)
    order = topological_order(output)
    before = [node.grad for node in order]
    try:
        for node in order:
            node.grad = 0.0
        output.backward()
        gradients = [x.grad for x in inputs]
    finally:
        for node, grad in zip(order, before, strict=True):
            node.grad = grad
    sums = dict.fromkeys(order, 0.0)
    sums[output] = 1.0
    for node in reversed(order):
        for parent, partial in zip(node.parents, node.partials, strict=True):
            if partial:  # an infinite sum times zero is no contribution
                sums[parent] += sums[node] * abs(partial)
    paths = [sums.get(x, 0.0) for x in inputs]
    return gradients, [path if math.isfinite(path) else 0.0 for path in paths]


# --- forms


def _parts(inputs: Any) -> list[Any]:
    if is_mapping(inputs):
        return list(inputs.values())
    return list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]


def _unboxed(result: Any) -> Any:
    """The number in an array of one number; anything else as it is."""
    if is_array(result) and math.prod(result.shape) == 1:
        return result.reshape(-1)[0]
    return result


def _described(thing: Any) -> str:
    if is_array(thing):
        return f"an array of shape {tuple(thing.shape)}"
    if isinstance(thing, (list, tuple)) or is_mapping(thing):
        return f"a {type(thing).__name__} of {len(thing)}"
    return f"{type(thing).__name__} {thing!r}"


def _name_of(f: Callable[..., Any]) -> str:
    name = getattr(f, "__name__", None) or type(f).__name__
    return "f" if name == "<lambda>" else str(name)


def _parameter_names(f: Callable[..., Any], count: int) -> list[str]:
    """The names of the first parameters; x0, x1, ... where they have none."""
    from inspect import Parameter, signature

    try:
        parameters = list(signature(f).parameters.values())
    except (TypeError, ValueError):  # some functions written in C have no signature
        parameters = []
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in parameters if p.kind in positional][:count]
    if len(names) == count:
        return names
    return [f"x{i}" for i in range(count)] if count > 1 else ["x"]
