"""Derivatives that are graphs: gradients, Jacobians, Hessians and products with them, of any order.

`backward()` multiplies the partials that were stored as numbers. Here the same rules of the operation table are
evaluated in Values, so a result can be drawn, stepped through, compiled, and differentiated again. There is no second
set of derivatives.

Functions that take a function `f` call it as `check_gradients` does: a list or tuple of inputs goes in as positional
arguments, a mapping as keyword arguments, anything else (a number, a Value, an array) as the only argument. Results
have the structure of the inputs.
"""

from __future__ import annotations

from engine import functions
from engine.graph import topological_order
from engine.ops import OPS, Op
from engine.rules import graph_rule
from engine.structure import flatten, is_array, is_mapping
from engine.value import Value, constant, operand

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from engine.structure import Flat

    Number = Value | float


def grad(output: Value, inputs: Any, upstream: Number | None = None) -> Any:
    """The gradient d output / d input for each input, as Values: graphs that can be differentiated again.

    Nothing else changes: no `.grad` is read or written. An input that the output does not depend on gets zero.

    Args:
        output: the node to differentiate.
        inputs: a Value, or lists, tuples, mappings and arrays of Values, nested as one likes; leaves or inner nodes.
        upstream: the gradient of the output itself; 1 if left out.

    Returns:
        Values in the structure of `inputs`.

    Raises:
        TypeError: the output or an input is not a Value.

    >>> x = Value(2.0)
    >>> slope = grad(x**3, x)
    >>> slope.data, grad(slope, x).data
    (12.0, 12.0)
    """
    if not isinstance(output, Value):
        raise TypeError(f"grad differentiates a Value; got {output!r}; pass the node, as in grad(loss, [w, b])")
    flat = flatten(inputs)
    for leaf in flat.leaves:
        if not isinstance(leaf, Value):
            raise TypeError(f"grad differentiates with respect to Values; got {leaf!r}; pass the nodes themselves")
    start = constant(1.0) if upstream is None else operand(upstream)
    return flat.rebuild(_reverse([output], [start], flat.leaves))


def value_and_grad(f: Callable[..., Any], inputs: Any) -> tuple[Value, Any]:
    """f's value and its gradient.

    Raises:
        TypeError: f does not return one Value or number.

    >>> value, gradient = value_and_grad(lambda w, b: (w * 3 + b) ** 2, {"w": 1.0, "b": 2.0})
    >>> value.data, {name: g.data for name, g in gradient.items()}
    (25.0, {'w': 30.0, 'b': 10.0})
    """
    call = _Call(f, inputs)
    value = call.scalar()
    return value, call.flat.rebuild(_reverse([value], [constant(1.0)], call.leaves))


def jacobian(f: Callable[..., Any], inputs: Any) -> Any:
    """d output / d input: for each output, in the structure of f's result, the structure of the inputs.

    >>> rows = jacobian(lambda x, y: [x * y, x + y], [2.0, 3.0])
    >>> [[entry.data for entry in row] for row in rows]
    [[3.0, 2.0], [1.0, 1.0]]
    """
    call = _Call(f, inputs)
    rows = [_reverse([output], [constant(1.0)], call.leaves) for output in call.outputs]
    return call.result.rebuild([call.flat.rebuild(row) for row in rows])


def hessian(f: Callable[..., Any], inputs: Any) -> Any:
    """d2 f / d input d input: the structure of the inputs, and at each of its leaves that structure again.

    Raises:
        TypeError: f does not return one Value or number.

    >>> rows = hessian(lambda x, y: x**2 * y, [2.0, 3.0])
    >>> [[entry.data for entry in row] for row in rows]
    [[6.0, 4.0], [4.0, 0.0]]
    """
    call = _Call(f, inputs)
    gradient = _reverse([call.scalar()], [constant(1.0)], call.leaves)
    rows = [_reverse([slope], [constant(1.0)], call.leaves) for slope in gradient]
    return call.flat.rebuild([call.flat.rebuild(row) for row in rows])


def jvp(f: Callable[..., Any], inputs: Any, tangents: Any) -> tuple[Any, Any]:
    """f's result, and how it moves when the inputs move along `tangents`: Jacobian times vector, in one forward sweep.

    Raises:
        ValueError: the tangents have another structure than the inputs.

    >>> result, change = jvp(lambda x, y: x * y, [2.0, 3.0], [1.0, 10.0])
    >>> result.data, change.data
    (6.0, 23.0)
    """
    call = _Call(f, inputs)
    moves = _like("tangents", tangents, call.flat)
    return call.result.rebuild(call.outputs), call.result.rebuild(_forward(call.outputs, call.leaves, moves))


def vjp(f: Callable[..., Any], inputs: Any, cotangents: Any) -> tuple[Any, Any]:
    """f's result, and the gradient of its sum weighted by `cotangents`: vector times Jacobian, in one reverse sweep.

    Raises:
        ValueError: the cotangents have another structure than f's result.

    >>> result, gradient = vjp(lambda x: [x, x**2], 3.0, [1.0, 10.0])
    >>> gradient.data
    61.0
    """
    call = _Call(f, inputs)
    weights = _like("cotangents", cotangents, call.result)
    return call.result.rebuild(call.outputs), call.flat.rebuild(_reverse(call.outputs, weights, call.leaves))


def hvp(f: Callable[..., Any], inputs: Any, vector: Any) -> tuple[Value, Any]:
    """f's value, and its Hessian times a vector: the gradient of gradient . vector, without the Hessian.

    Reference: Pearlmutter, *Fast exact multiplication by the Hessian*, 1994.

    Raises:
        TypeError: f does not return one Value or number.
        ValueError: the vector has another structure than the inputs.

    >>> value, product = hvp(lambda x, y: x**2 * y, [2.0, 3.0], [1.0, 0.0])
    >>> [entry.data for entry in product]
    [6.0, 4.0]
    """
    call = _Call(f, inputs)
    value = call.scalar()
    along = functions.dot(_reverse([value], [constant(1.0)], call.leaves), _like("vector", vector, call.flat))
    return value, call.flat.rebuild(_reverse([along], [constant(1.0)], call.leaves))


class _Call:
    """f, called on its inputs as Values: those that are Values already stay themselves."""

    def __init__(self, f: Callable[..., Any], inputs: Any) -> None:
        self.f = f
        self.flat = flatten(inputs)
        self.leaves = [leaf if isinstance(leaf, Value) else Value(leaf) for leaf in self.flat.leaves]
        arguments = self.flat.rebuild(self.leaves)
        if is_mapping(arguments):
            returned = f(**arguments)
        elif isinstance(arguments, (list, tuple)) and not is_array(arguments):
            returned = f(*arguments)
        else:
            returned = f(arguments)
        self.result = flatten(returned)
        self.outputs = [operand(leaf) for leaf in self.result.leaves]

    def scalar(self) -> Value:
        """The one number that f returns."""
        if self.result.paths != [()]:
            raise TypeError(
                f"this derivative needs a function of one number; {getattr(self.f, '__name__', self.f)} returns "
                f"{len(self.outputs)} of them in a structure; return one Value, or use jacobian, jvp or vjp"
            )
        return self.outputs[0]


def _like(name: str, given: Any, flat: Flat) -> list[Value]:
    """The numbers of a structure that has to match another."""
    numbers = flatten(given)
    if numbers.paths != flat.paths:
        raise ValueError(
            f"{name} must have one number for each of {len(flat.paths)} places; got {len(numbers.paths)} in another "
            "structure; give them the same nesting, names and lengths"
        )
    return [operand(leaf) for leaf in numbers.leaves]


# --- sweeps in Values


def _reverse(outputs: Sequence[Value], upstreams: Sequence[Value], inputs: Sequence[Value]) -> list[Value]:
    """The gradient of sum(upstream * output) with respect to each input: the sweep of `backward()`, in Values."""
    order = topological_order(*outputs)
    moving = _moving(order, inputs)
    received: dict[Value, list[Value]] = {}
    for output, upstream in zip(outputs, upstreams, strict=True):
        received.setdefault(output, []).append(upstream)
    finished: dict[Value, Value] = {}
    for node in reversed(order):
        if node not in received or node not in moving:
            continue
        finished[node] = upstream = _total(received.pop(node))
        for parent, partial in _partials(node, moving):
            received.setdefault(parent, []).append(_product(upstream, partial))
    return [finished[node] if node in finished else constant(0.0) for node in inputs]


def _forward(outputs: Sequence[Value], inputs: Sequence[Value], tangents: Sequence[Value]) -> list[Value]:
    """How each output moves when the inputs move along their tangents."""
    order = topological_order(*outputs)
    moving = _moving(order, inputs)
    given: dict[Value, list[Value]] = {}
    for node, tangent in zip(inputs, tangents, strict=True):
        given.setdefault(node, []).append(tangent)
    moves: dict[Value, Value] = {node: _total(parts) for node, parts in given.items()}
    for node in order:
        if node in moving and node not in moves:
            moves[node] = _total([_product(moves[parent], partial) for parent, partial in _partials(node, moving)])
    return [moves[node] if node in moves else constant(0.0) for node in outputs]


def _moving(order: Iterable[Value], inputs: Iterable[Value]) -> set[Value]:
    """The nodes that depend on an input, and the inputs."""
    moving = set(inputs)
    for node in order:
        if not moving.isdisjoint(node.parents):
            moving.add(node)
    return moving


_FUNCTIONS: dict[str, object] = {}


def _partials(node: Value, moving: set[Value]) -> list[tuple[Value, Number]]:
    """The parents that move, each with its partial as a Value; an edge whose partial is the number 0 is left out."""
    if not _FUNCTIONS:
        _FUNCTIONS.update({name: getattr(functions, name) for name in OPS})
        _FUNCTIONS.update(prod_of_others=_prod_of_others, shares=functions.softmax)
    op, parents = node.op, node.parents
    lists = _lists(op, parents)
    pairs: list[tuple[Value, Number]] = []
    for k, part in enumerate(lists):
        if moving.isdisjoint(part):
            continue
        rule = graph_rule(op, k, _FUNCTIONS)
        partials = rule(*lists, node) if op.variadic else [rule(*parents, node)]
        zipped = zip(part, partials, strict=True)
        pairs += [(p, d) for p, d in zipped if p in moving and (isinstance(d, Value) or d != 0.0)]
    return pairs


def _lists(op: Op, parents: tuple[Value, ...]) -> list[tuple[Value, ...]]:
    """The operands, list by list; of an operation of a fixed number of operands each is a list of one."""
    size = len(parents) // len(op.operands) if op.variadic else 1
    return [parents[k : k + size] for k in range(0, len(parents), size)]


def _prod_of_others(xs: Sequence[Value]) -> list[Value]:
    """For each of the operands the product of the others, by products from both ends."""
    one = constant(1.0)
    before, after = [one], [one]
    for x in xs[:-1]:
        before.append(_product(before[-1], x))
    for x in xs[:0:-1]:
        after.append(_product(after[-1], x))
    return [b if a is one else _product(b, a) for b, a in zip(before, reversed(after), strict=True)]


def _product(upstream: Value, partial: Number) -> Value:
    """upstream * partial, without a node for a factor of 1 or -1, or for an upstream gradient that is just 1."""
    if isinstance(partial, Value):
        return partial if upstream.is_constant and upstream.data == 1.0 else upstream * partial
    if partial in (1.0, -1.0):
        return upstream if partial == 1.0 else -upstream
    return upstream * partial


def _total(contributions: list[Value]) -> Value:
    if len(contributions) == 1:
        return contributions[0]
    return contributions[0] + contributions[1] if len(contributions) == 2 else functions.sum(contributions)
