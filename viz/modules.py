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
    - A sum of such nodes of one module lies in it: `w0 * x0 + w1 * x1`. If they start from the same parameter, as the
      outputs for two examples do, the sum lies outside.
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
    starts: dict[Value, Value] = {}  # the first parameter of each of them
    for node in order:
        if node.op is LEAF:
            label = node.label or ""
            if label not in known:
                known[label] = _scope(label)
            found[node] = known[label]
            continue
        parents = dict.fromkeys(parent for parent in node.parents if parent.op is not CONSTANT)
        parameters = [parent for parent in parents if parent.op is LEAF and found[parent]]
        if parameters:
            found[node] = direct[node] = _common({found[parameter] for parameter in parameters})
            starts[node] = parameters[0]
            continue
        places = {direct[parent] for parent in parents if parent in direct}
        if len(places) == 1 and _is_sum_of_parts(node, [starts.get(parent) for parent in parents]):
            found[node] = direct[node] = places.pop()
            starts[node] = starts[next(iter(parents))]
            continue
        activates = node.op.symbol == node.op.name and len(places) == len(parents)
        found[node] = _common(places) if activates else ()
    return found


def _is_sum_of_parts(node: Value, starts: list[Value | None]) -> bool:
    """Whether it adds up what starts from different parameters; the 0 that Python's `sum` begins with is no part."""
    if node.op.name not in ("add", "sum") or None in starts or len(set(starts)) < len(starts):
        return False
    return all(parent.data == 0.0 for parent in node.parents if parent.op is CONSTANT)


def is_neuron(path: str) -> bool:
    """Whether a module is one of a list that is called `neurons`.

    >>> is_neuron("layers.0.neurons.2"), is_neuron("layers.0")
    (True, False)
    """
    *_, name, index = ("", *path.split("."))[-3:]
    return name == "neurons" and index.isdecimal()


def module_title(path: str, outer: str = "") -> str:
    """What a module is called within another one: `neuron 2`, `attention`, `layers.0`.

    >>> module_title("layers.0.neurons.2", "layers.0"), module_title("layers.0")
    ('neuron 2', 'layers.0')
    """
    name = path.removeprefix(f"{outer}.") if outer else path
    return f"neuron {name.removeprefix('neurons.')}" if is_neuron(name) and name.count(".") == 1 else name


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
