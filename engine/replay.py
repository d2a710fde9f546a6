"""Compute a recorded graph again with other numbers, and check its recorded gradients that way.

What if this weight, or that node in the middle, had another number? Only what depends on it is computed again; all
else keeps its recorded number, and nothing recorded is changed. Finite differences ask that question many times, of
any node of a graph, however it was made: so they can be held against the gradients that the graph recorded.

This module knows nothing of how the graph is shown, nor of traces.
"""

from __future__ import annotations

from array import array

from engine.gradcheck import check_gradients
from engine.graph import topological_order
from engine.operators import node_of
from engine.ops import CONSTANT, LEAF
from engine.report import GradientReport
from engine.rules import evaluator
from engine.value import Value, constant, operand

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any


def replay(root: Value, changed: Mapping[Value, float], values: Mapping[Value, float] | None = None) -> float:
    """The number of the root if these nodes had these numbers; an inner node's own operation is then not executed.

    Args:
        root: the node to compute.
        changed: nodes of its graph, each with a number.
        values: the recorded numbers, as `Trace.values`; what is not in it has its `data`.

    Raises:
        TypeError: the root is not a Value, or a number is none.
        ValueError: a changed node is a constant, or not in the graph.

    >>> a = Value(2.0)
    >>> square = a * a
    >>> loss = square + a
    >>> replay(loss, {a: 3.0}), replay(loss, {square: 100.0}), loss.data
    (12.0, 102.0, 6.0)
    """
    return Replay(root, changed, values)(*changed.values()).data


class Replay:
    """The root of a graph as a function of some of its nodes, to be called many times.

    A call takes a number or a Value for each node, in their order, and gives the root as a Value. Of Values the result
    is a graph: there a node whose operands have their recorded numbers keeps its recorded partials, right or wrong.

    Args and errors are those of `replay`.

    >>> a = Value(2.0)
    >>> f = Replay(a.square() + 1, [a])
    >>> f(3.0).data, f(Value(5.0)).data
    (10.0, 26.0)
    """

    __slots__ = ("_fixed", "_steps", "nodes", "root")

    def __init__(self, root: Value, nodes: Iterable[Value], values: Mapping[Value, float] | None = None) -> None:
        order = _graph(root)
        known = values or {}
        numbers = {node: known.get(node, node._data) for node in order}
        self.root, self.nodes = root, tuple(nodes)
        for node in self.nodes:
            _check_changeable(node, numbers)
        affected = set(self.nodes)
        self._steps: list[tuple[Value, bytes, float]] = []  # node, recorded numbers of its operands, and its own
        for node in order:
            if node not in affected and not affected.isdisjoint(node.parents):
                affected.add(node)
                self._steps.append((node, _bits([numbers[parent] for parent in node.parents]), numbers[node]))
        operands = {parent for node, *_ in self._steps for parent in node.parents}
        self._fixed = {node: constant(numbers[node]) for node in (operands | {root}) - affected}

    def __call__(self, *numbers: Value | float) -> Value:
        if len(numbers) != len(self.nodes):
            raise TypeError(
                f"a replay takes a number for each of {len(self.nodes)} nodes; got {len(numbers)}; pass all"
            )
        made = self._fixed | dict(zip(self.nodes, map(operand, numbers), strict=True))
        for node, recorded, data in self._steps:
            parents = tuple([made[parent] for parent in node.parents])
            now = [parent._data for parent in parents]
            partials: Sequence[float] = node.partials
            if _bits(now) != recorded:
                data, partials = _computed(node, now)
            made[node] = node_of(node.op, parents, data, tuple(partials))
        return made[self.root]


def _graph(root: Value) -> list[Value]:
    if not isinstance(root, Value):
        raise TypeError(f"only a Value can be computed again; got {root!r}; pass the root of a graph")
    return topological_order(root)


def _check_changeable(node: Value, graph: Mapping[Value, float]) -> None:
    if node not in graph:
        raise ValueError(f"the graph has no such node; got {node!r}; choose one that the root was computed from")
    if node.op is CONSTANT:
        raise ValueError(f"a constant stays what it is; got {node!r}; choose a variable or a computed node")


def _bits(numbers: list[float]) -> bytes:
    """Numbers to compare exactly: 1 / 0.0 is not 1 / -0.0, and nan is nan."""
    return array("d", numbers).tobytes()


def _computed(node: Value, numbers: list[float]) -> tuple[float, list[float]]:
    """The number of a node and its partials, from the numbers of its operands."""
    if not node.op.variadic:
        return evaluator(node.op)(*numbers)
    size = len(numbers) // len(node.op.operands)
    return evaluator(node.op)(*[numbers[k : k + size] for k in range(0, len(numbers), size)])


def check_graph(
    root: Value, nodes: Iterable[Value] | None = None, values: Mapping[Value, float] | None = None, **options: Any
) -> GradientReport:
    """Hold the gradients of a recorded graph against finite differences, one node at a time.

    The gradient checked is the one `root.backward()` gives, from the partials as they were recorded; no `.grad` is
    touched. Inputs are called by their labels, else x1, x2, ... by position; of equal names each later one gets a
    number.

    Args:
        root: the node to go back from.
        nodes: variables and computed nodes of its graph; None for all its variables.
        values: the recorded numbers, as for `replay`.
        options: `rtol`, `atol`, `min_resolution` and `at_kink` of `check_gradients`.

    Raises:
        TypeError: the root is not a Value.
        ValueError: there is nothing to check, or a node is a constant, or not in the graph.

    >>> a, b = Value(2.0, label="a"), Value(3.0, label="b")
    >>> product = a * b
    >>> print(check_graph(product.sin()))  # doctest: +ELLIPSIS
    gradient check passed: 2 inputs agree with finite differences of root()  (rtol=1e-07)
      a: ok  verified to ... relative
      b: ok  verified to ... relative
    """
    graph = _graph(root)
    chosen = [node for node in graph if node.op is LEAF] if nodes is None else list(nodes)
    if not chosen:
        raise ValueError(f"there is no gradient to check; got no variables for {root!r}; compute it from Values")
    reports = [
        check_gradients(_named(Replay(root, [node], values)), {name: (values or {}).get(node, node._data)}, **options)
        for name, node in zip(_names(chosen), chosen, strict=True)
    ]
    first = reports[0]
    entries = [entry for report in reports for entry in report.entries]
    return GradientReport(first.function, entries, first.rtol, first.min_resolution)


_NAME_LIMIT = 100


def _names(nodes: Sequence[Value]) -> Iterable[str]:
    names: dict[str, Value] = {}
    for k, node in enumerate(nodes, 1):
        label = node.label or f"x{k}"
        if not label.isprintable():
            label = repr(label)[1:-1]  # a report has lines
        if len(label) > _NAME_LIMIT:
            label = f"{label[:_NAME_LIMIT]}..."
        name = label
        count = 1
        while name in names:
            count += 1
            name = f"{label} ({count})"
        names[name] = node
    return names


def _named(f: Replay) -> Callable[..., Value]:
    """The same function under the name that reports shall have, taking its one number under any name."""

    def moved(**numbers: Value) -> Value:
        return f(*numbers.values())

    moved.__name__ = next(iter(_names([f.root]))) if f.root.label else "root"
    return moved
