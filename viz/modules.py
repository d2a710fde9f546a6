"""Which module a node belongs to, told from the names of parameters alone: `layers.0.neurons.2.weight.1`.

The picture of a network is read by layers and neurons, which the engine does not know: there are only nodes. But a
parameter's label is its path, and what is computed from a parameter belongs where the parameter does.

This module knows labels and operations; it never sees a model.
"""

from __future__ import annotations

from itertools import takewhile

from engine.ops import CONSTANT, LEAF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine import Value

    Scope = tuple[str, ...]

LONGEST_PATH = 64
"""Components of a label; one of more is no path that anybody wrote, and gives no scope."""


def scopes(order: Sequence[Value]) -> dict[Value, Scope]:
    """For each node of a topological order, the modules it lies in, outermost first; `()` where it lies in none.

    - A parameter lies where its label says: `layers.0.neurons.2.weight.1` in layer 0 and its neuron 2.
    - A node computed from parameters lies where they do; if they differ, in what they have in common.
    - A function (not an operator) of one node that was computed from parameters, or of several, each in a module of its
      own, lies in what they have in common: tanh in its neuron, logsumexp of a layer's outputs in the layer. It is an
      activation, and there is one: in `log(sigmoid(w * x))`, the logarithm lies outside.

    >>> from engine import Value
    >>> from engine.graph import topological_order
    >>> w = Value(2.0, label="layers.0.neurons.1.weight.0")
    >>> loss = ((w * Value(3.0, label="x")).tanh() - 1) ** 2
    >>> for node, scope in scopes(topological_order(loss)).items():
    ...     print(node.label or node.op.name, *scope)
    layers.0.neurons.1.weight.0 layers.0 layers.0.neurons.1
    x
    mul layers.0 layers.0.neurons.1
    tanh layers.0 layers.0.neurons.1
    constant
    sub
    constant
    pow
    """
    found: dict[Value, Scope] = {}
    known: dict[str, Scope] = {}  # by label: weights that share one share its scope
    direct: dict[Value, Scope] = {}  # of nodes that were computed from parameters
    for node in order:
        if node.op is LEAF:
            label = node.label or ""
            if label not in known:
                known[label] = _scope(label)
            found[node] = known[label]
            continue
        parents = {parent for parent in node.parents if parent.op is not CONSTANT}
        parameters = {found[parent] for parent in parents if parent.op is LEAF} - {()}
        if parameters:
            found[node] = direct[node] = _common(parameters)
            continue
        places = {direct[parent] for parent in parents if parent in direct}
        activates = node.op.symbol == node.op.name and len(places) == len(parents)
        found[node] = _common(places) if activates else ()
    return found


def _scope(label: str) -> Scope:
    """The modules on a parameter's path: without its own name and indices, and without lists, which an index follows.

    >>> _scope("encoder.layers.0.weight.1.2"), _scope("w.0"), _scope("a..b")
    (('encoder', 'encoder.layers.0'), (), ())
    """
    parts = label.split(".", LONGEST_PATH)
    if len(parts) > LONGEST_PATH or not all(parts):
        return ()
    while parts and parts[-1].isdecimal():
        parts.pop()
    modules = parts[:-1]
    ends = [k for k in range(1, len(modules) + 1) if not parts[k].isdecimal()]
    return tuple(".".join(modules[:k]) for k in ends)


def _common(several: set[Scope]) -> Scope:
    """The modules that all have in common: in the order of tuples, what the first and the last have."""
    pairs = zip(min(several, default=()), max(several, default=()), strict=False)
    return tuple(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
