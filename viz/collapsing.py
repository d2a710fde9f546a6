"""Which nodes of a graph are drawn as one box, so that real networks fit on a page.

Modules become boxes at some level of their nesting. What stands outside is repeated rather than nested, as losses over
many examples are: nodes of one operation whose operands stand in the same boxes are one box as well, if there are more
than a few, and so are chains of them.

This module knows graphs and the modules of nodes, not how boxes look. All is linear in the graph.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from engine.ops import CONSTANT
from viz.modules import is_neuron, scopes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine import Value
    from viz.modules import Scope

    Level = int | str | None
    Boxed = tuple[str, Scope]  # the path of a module that is one box, and the modules around it
    Edge = tuple[Value, Value, int]  # an operand, a node, and which of its operands that is

LEVELS = ("neuron", "layer", "auto")

SIMILAR = 4
"""From how many similar nodes on they are one box: three can be followed one by one."""
MOST_BOXES, MOST_ARROWS = 80, 160
"""What "auto" takes for a readable picture."""
MOST_TERMS = 8
"""From sums over more kinds of terms than that, running sums are not told apart from others."""
RUNNING = ("add", "mul", "maximum", "minimum")


class Group(NamedTuple):
    """The nodes of one box.

    Attributes:
        nodes: all of them.
        last: of a chain of similar nodes, those at its end; else the same.
        scope: the modules around the box, outermost first.
        module: the path of the module that the box is; "" if it is none.
    """

    nodes: list[Value]
    last: list[Value]
    scope: Scope
    module: str = ""

    @property
    def is_one(self) -> bool:
        """Whether it is a node alone, drawn as such."""
        return not self.module and len(self.nodes) == 1


def collapsed(order: Sequence[Value], roots: Iterable[Value], level: Level) -> tuple[list[Group], Level]:
    """The boxes of a graph, in order, and the level that was taken.

    Args:
        order: all nodes, in topological order.
        roots: nodes that have a box of their own, unless in a module.
        level: None for a box for each node; else similar nodes are one, and modules: "neuron" the innermost ones,
            "layer" those that have neurons in them or nothing, a number n those with n modules around. "auto" takes
            the finest of them with no more than `MOST_BOXES` and `MOST_ARROWS`, or the coarsest.

    >>> from engine import Value
    >>> from engine.graph import topological_order
    >>> w = Value(2.0, label="layers.0.neurons.0.weight.0")
    >>> loss = sum(((w * k).tanh() - 1) ** 2 for k in range(9))
    >>> order = topological_order(loss)
    >>> [(group.module, len(group.nodes)) for group in collapsed(order, [loss], "layer")[0]]
    [('layers.0', 19), ('', 9), ('', 36), ('', 9), ('', 1)]
    """
    homes = _homes(order)
    ends = frozenset(roots)
    if level != "auto":
        return _grouped(order, ends, homes, level), level
    depth = max(map(len, homes.values()), default=0)
    named: tuple[Level, ...] = ("neuron", "layer", *reversed(range(depth - 1))) if depth else ()
    for candidate in (None, depth, *named):
        groups = _grouped(order, ends, homes, candidate)
        if len(groups) <= MOST_BOXES and len(bundles(groups)) <= MOST_ARROWS:
            break
    return groups, candidate


def bundles(groups: list[Group]) -> dict[tuple[int, int], list[Edge]]:
    """The edges between each two boxes, called by their places in the list; those within a box are not among them."""
    place = _places(groups)
    found: dict[tuple[int, int], list[Edge]] = {}
    for k, group in enumerate(groups):
        for node in group.nodes:
            for slot, parent in enumerate(node.parents):
                if place[parent] != k:
                    found.setdefault((place[parent], k), []).append((parent, node, slot))
    return found


def loops(pairs: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Arrows to leave out, that no loop remains: those that lead back when all are followed, depth first.

    >>> sorted(loops([(1, 2), (2, 3), (3, 2), (1, 3)]))
    [(3, 2)]
    """
    heads: dict[int, list[int]] = {}
    targets = set()
    for tail, head in pairs:
        heads.setdefault(tail, []).append(head)
        targets.add(head)
    found = set()
    on_the_way: set[int] = set()
    done: set[int] = set()
    for start in sorted(heads, key=lambda k: (k in targets, k)):
        stack = [start]
        while stack:
            box = stack[-1]
            if box in done:
                stack.pop()
            elif box in on_the_way:
                on_the_way.remove(box)
                done.add(box)
            else:
                on_the_way.add(box)
                ahead = heads.get(box, [])
                found |= {(box, head) for head in ahead if head in on_the_way}
                stack += [head for head in reversed(ahead) if head not in on_the_way and head not in done]
    return found


def _places(groups: list[Group]) -> dict[Value, int]:
    return {node: k for k, group in enumerate(groups) for node in group.nodes}


def _homes(order: Sequence[Value]) -> dict[Value, Scope]:
    """The modules of each node; a number lies where it is used, if the node beside it was computed there as well."""
    found = scopes(order)
    used: dict[Value, set[Scope]] = {}
    for node in order:
        if any(parent.op is CONSTANT for parent in node.parents):
            scope = found[node]
            beside = any(parent.parents and found[parent] == scope for parent in node.parents)
            for parent in node.parents:
                if parent.op is CONSTANT:
                    used.setdefault(parent, set()).add(scope if beside else ())
    return found | {number: next(iter(places)) for number, places in used.items() if len(places) == 1}


def _grouped(order: Sequence[Value], ends: frozenset[Value], homes: dict[Value, Scope], level: Level) -> list[Group]:
    if level is None:
        return [Group([node], [node], homes[node]) for node in order]
    boxed = _boxing(set(homes.values()), level)
    boxes = {node: boxed[homes[node]] for node in order}
    groups: list[Group] = []
    for nodes in _similar(order, ends, homes, boxes):
        module, around = boxes[nodes[0]] or ("", homes[nodes[0]])
        if module or len(nodes) >= SIMILAR:
            groups.append(Group(nodes, nodes, around, module))
        else:
            groups += [Group([node], [node], around) for node in nodes]
    groups = _chained(_with_numbers(groups))
    number = {node: k for k, node in enumerate(order)}
    return sorted(groups, key=lambda group: number[group.last[0]])


def _boxing(found: Iterable[Scope], level: Level) -> dict[Scope, Boxed | None]:
    """For each scope, the module that is a box at this level."""
    found = set(found)
    containers = {outer for scope in found for outer in scope[:-1]}
    branches = {outer for scope in found for outer, inner in pairwise(scope) if not is_neuron(inner)}

    def boxed(scope: Scope) -> Boxed | None:
        if isinstance(level, int):
            return (scope[level], scope[:level]) if len(scope) > level else None
        if level == "neuron":
            return (scope[-1], scope[:-1]) if scope and scope[-1] not in containers else None
        k = next((k for k, path in enumerate(scope) if path not in branches), None)
        if k is None:
            return None
        return (scope[k].rpartition(".")[0] if is_neuron(scope[k]) else scope[k]), scope[:k]

    return {scope: boxed(scope) for scope in found}


def _similar(
    order: Sequence[Value], ends: frozenset[Value], homes: dict[Value, Scope], boxes: dict[Value, Boxed | None]
) -> list[list[Value]]:
    """Nodes in lists: those of a module that is a box, and those that do the same with operands of the same lists.

    What has no operands is told by who uses it instead. Running sums and products are taken for one, however long.
    """
    uses = _uses(order, boxes)
    places: dict[object, int] = {}
    found: list[list[Value]] = []
    place: dict[Value, int] = {}
    terms: dict[Value, frozenset[int]] = {}  # of sums outside boxes, what they add up in the end
    for node in order:
        key: object = boxes[node]
        if node in ends:
            key = key or node
        elif key is None:
            kind = (node.op.name, _stem(node.label), homes[node])
            operands: object = tuple([place[parent] for parent in node.parents])
            if not node.parents:
                operands = frozenset(uses.get(node, ()))
            elif node.op.variadic:
                operands = frozenset(place[parent] for parent in node.parents)
            elif node.op.name in RUNNING:
                alike = [(p, terms.get(p) if p.op is node.op else None) for p in node.parents]
                sums = frozenset().union(*(added or {place[p]} for p, added in alike))
                if len(sums) <= MOST_TERMS:
                    operands = terms[node] = sums
            key = (kind, operands)
        place[node] = places.setdefault(key, len(places))
        if place[node] == len(found):
            found.append([])
        found[place[node]].append(node)
    return found


def _uses(order: Sequence[Value], boxes: dict[Value, Boxed | None]) -> dict[Value, set[object]]:
    """For what has no operands, who uses it: boxes, and operations on results of boxes."""
    found: dict[Value, set[object]] = {}
    for node in order:
        use: object = boxes[node]
        beside = None if use or node.op.variadic else tuple([boxes[parent] for parent in node.parents])
        for slot, parent in enumerate(node.parents):
            if not parent.parents:
                found.setdefault(parent, set()).add(use or (node.op.name, beside and slot, beside))
    return found


def _stem(label: str | None) -> str | None:
    """A label without the numbers in it: `x.0` and `x.1` are similar, `a` and `b` are not."""
    return re.sub(r"\d+", "#", label) if label else None


def _with_numbers(groups: list[Group]) -> list[Group]:
    """Numbers join the similar nodes that use them if they are all the same one: the formula shows it."""
    users = _users(groups)
    joined: dict[int, list[Value]] = {}
    rest = []
    for k, group in enumerate(groups):
        user = users[k].pop() if len(users[k]) == 1 else k
        if (
            user != k
            and _is_computed(groups[user])
            and not groups[user].last[0].op.variadic
            and _is_number(group.nodes)
        ):
            joined.setdefault(user, []).extend(group.nodes)
        else:
            rest.append(k)
    return [groups[k]._replace(nodes=joined.get(k, []) + groups[k].nodes) for k in rest]


def _is_computed(group: Group) -> bool:
    """Whether it is of similar nodes that have operands."""
    return not group.module and len(group.last) > 1 and bool(group.last[0].parents)


def _is_number(nodes: list[Value]) -> bool:
    return (
        all(node.op is CONSTANT and not node.label for node in nodes) and len({repr(node.data) for node in nodes}) == 1
    )


def _chained(groups: list[Group]) -> list[Group]:
    """Similar nodes join those that use them one by one and use nothing else: `(x - y) ** 2`."""
    users = _users(groups)
    edges = bundles(groups)
    used: dict[int, set[int]] = {}
    for tail, head in edges:
        used.setdefault(head, set()).add(tail)
    chained = list(groups)
    gone = set()
    for k in sorted(used):
        tail = next(iter(used[k]))
        before, group = chained[tail], chained[k]
        if (
            len(used[k]) == 1
            and users[tail] == {k}
            and before.scope == group.scope
            and all(_is_computed(part) and not _is_running(part) for part in (before, group))
            and len(edges[tail, k]) == len(before.last) == len(group.last)
        ):
            chained[k] = group._replace(nodes=before.nodes + group.nodes)
            gone.add(tail)
    return [group for k, group in enumerate(chained) if k not in gone]


def _is_running(group: Group) -> bool:
    last = set(group.last)
    return any(parent in last for node in group.last for parent in node.parents)


def _users(groups: list[Group]) -> list[set[int]]:
    """For each box, the boxes that use its nodes."""
    place = _places(groups)
    found: list[set[int]] = [set() for _ in groups]
    for k, group in enumerate(groups):
        for node in group.nodes:
            for parent in node.parents:
                if place[parent] != k:
                    found[place[parent]].add(k)
    return found
