"""What stands on the boxes of a diagram and beside its arrows, for nodes and for groups of nodes alike.

This module knows how to say things about nodes; which of them are one box it is told, and DOT is none of its business.
"""

from __future__ import annotations

import math
from collections import Counter
from textwrap import wrap
from typing import NamedTuple

from engine.formulas import partial_formulas
from engine.ops import CONSTANT, LEAF
from viz.collapsing import bundles, loops
from viz.dot import LINE, Arrow, Box, Picture, justified, kept
from viz.modules import module_title
from viz.wording import (
    FORMULA_LIMIT,
    NUMBER_WIDTH,
    OPERAND_LIMIT,
    counted,
    formula,
    number,
    operand,
    short,
    title,
    visible,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from engine import Value
    from viz.collapsing import Edge, Group
    from viz.heat import Heat
    from viz.moment import Moment

    Attributes = dict[str, str]

EDGE_LABELS = ("number", "formula", "both", "none")

# Blue and green of Okabe and Ito's palette for all kinds of sight; kinds of box differ by shape and line as well.
LEAF_LOOK = {"style": "filled", "fillcolor": "#e3f0fa", "color": "#0072b2", "penwidth": "1.5"}
CONSTANT_LOOK = {"shape": "oval", "style": "dashed", "fontcolor": LINE, "margin": "0.05,0.03"}
CONSTANTS_LOOK = {"style": "dashed", "fontcolor": LINE}
CONSTANT_EDGE = {"style": "dashed"}
RESULT_LOOK = {"penwidth": "2.5"}
SEVERAL_LOOK = {"peripheries": "2"}
MODULE_LOOK = {"fillcolor": "#e6f4ef", "color": "#00785a", "penwidth": "1.5", "margin": "0.2,0.12"}
BACK = {"constraint": "false"}

ROW_WIDTH = len("data ") + NUMBER_WIDTH
RANGE_WIDTH = len("data -1.23e-12 … -1.23e-12")
CONTENTS_WIDTH = 34
"""Of the lines that list what a module has."""
FEWEST_WITHOUT_LABELS = 100
"""From how many arrows on a collapsed picture has no text beside them: it would take minutes to place, and hide all."""


class Shown(NamedTuple):
    """What is to be seen: options of `draw`."""

    constants: bool
    grad: bool
    modules: bool
    edge_labels: str


class Boxes:
    """The boxes and arrows of a graph.

    Args:
        groups: the nodes of each box.
        numbers: each node's number in topological order.
        ends: the results.
        shown: what is to be seen.
        moment: of a trace, or None.
        heat: what fills the boxes, or None.
    """

    def __init__(
        self,
        groups: list[Group],
        numbers: Mapping[Value, int],
        ends: frozenset[Value],
        shown: Shown,
        moment: Moment | None,
        heat: Heat | None,
    ) -> None:
        self._groups = groups
        self._numbers = numbers
        self._ends = ends
        self._shown = shown
        self._moment = moment
        self._heat = heat
        self._place = {node: k for k, group in enumerate(groups) for node in group.nodes}
        self._bundles = bundles(groups)
        self._feeding = {tail for tail, head in self._bundles if not groups[head].module}
        self._has_labels = shown.edge_labels != "none"
        self._partials: dict[Value, list[str]] = {}
        self._outputs = {parent for edges in self._bundles.values() for parent, *_ in edges} | set(ends)

    def picture(self, caption: list[str]) -> Picture:
        """All of it, with these lines beneath."""
        hidden = {k for k, group in enumerate(self._groups) if not self._shown.constants and self._is_constant(group)}
        pairs = {pair: edges for pair, edges in self._bundles.items() if pair[0] not in hidden}
        back = loops(pairs)
        is_dense = len(pairs) >= FEWEST_WITHOUT_LABELS and not all(group.is_one for group in self._groups)
        is_network = is_dense and any(group.module for group in self._groups)
        if is_dense and self._has_labels:
            self._has_labels = False
            caption = [*caption, f"{len(pairs):,} arrows are too many for partials beside them"]
        arrows = [arrow for pair, edges in pairs.items() for arrow in self._arrows(*pair, edges, pair in back)]
        boxes = [self._box(k) for k in range(len(self._groups)) if k not in hidden]
        outer = {path: around for box in boxes for around, path in zip(("", *box.scope), box.scope, strict=False)}
        titles = {path: visible(module_title(path, around)) for path, around in outer.items()}
        return Picture(boxes, arrows, titles, justified(caption), is_network)

    def _is_constant(self, group: Group) -> bool:
        return all(node.op is CONSTANT and node not in self._ends for node in group.nodes)

    def _name(self, k: int) -> str:
        """Of a box in the text: of a user's names there is none."""
        group = self._groups[k]
        return f"{'n' if group.is_one else 'g'}{self._numbers[group.last[0]]}"

    def _box(self, k: int) -> Box:
        group = self._groups[k]
        nodes, moment = group.nodes, self._moment
        lines = list(self._of_one(nodes[0]) if group.is_one else self._of_several(k))
        if moment or not group.is_one:
            lines = justified(lines, "^" if nodes[0].op is CONSTANT and group.is_one else "<")
        look = self._look(group)
        if moment:
            look |= moment.box(nodes)
        if self._heat and not (moment and moment.is_waiting(nodes)):
            fill = self._heat.look(nodes)
            style = {"style": "filled,dashed"} if fill and look.get("style") == "dashed" else {}
            look |= style | fill
        return Box(self._name(k), lines, look, group.scope if self._shown.modules else ())

    def _look(self, group: Group) -> Attributes:
        look: Attributes = {}
        if group.module:
            look |= MODULE_LOOK
        elif group.nodes[0].op is CONSTANT and self._is_leafy(group):
            look |= CONSTANT_LOOK if group.is_one else CONSTANTS_LOOK
        elif self._is_leafy(group):
            look |= LEAF_LOOK
        if not group.module and not group.is_one:
            look |= SEVERAL_LOOK
        if any(node in self._ends for node in group.nodes):
            look |= RESULT_LOOK
        return look

    @staticmethod
    def _is_leafy(group: Group) -> bool:
        return not group.last[0].parents

    # --- one node

    def _of_one(self, node: Value) -> Iterator[str]:
        moment, waiting = self._moment, self._is_waiting([node])
        if node.op is CONSTANT:
            if node.label:
                yield title(node, self._numbers)
            yield " " * len(number(node.data)) if waiting else number(node.data)
            if moment:
                yield moment.word([node])
        else:
            name = title(node, self._numbers)
            yield f"{name:<{ROW_WIDTH - 4}} {moment.word([node])}" if moment else name
            if node.parents:
                yield formula(node, self._numbers, self._operands(node))
            yield _row("data", "" if waiting else number(node.data))
            if self._shown.grad and not self._is_heat_of_gradients():
                yield _row("grad", "" if waiting else number(node.grad))
        if self._heat and (heat := self._heat.row([node])):
            yield _row(self._heat.name, "" if waiting else heat)

    def _is_waiting(self, nodes: Iterable[Value]) -> bool:
        return self._moment is not None and self._moment.is_waiting(nodes)

    def _is_heat_of_gradients(self) -> bool:
        return self._heat is not None and self._heat.name == "grad"

    def _operands(self, node: Value) -> list[str]:
        return [self._operand(node, slot, parent) for slot, parent in enumerate(node.parents)]

    def _operand(self, node: Value, slot: int, parent: Value, k: int | None = None) -> str:
        """A short name for an operand; of box k, one that stands for the operands of all nodes there.

        What stands on no box of its own is called after its module, or by a letter.
        """
        place = self._place[parent]
        group = self._groups[place]
        if group.module:
            return short(group.module)
        if group.is_one and (k is None or len(self._bundles[place, k]) == len(self._groups[k].last)):
            return operand(parent, self._numbers)
        return f"x{slot + 1}" if node.op.variadic else node.op.operands[slot]

    # --- several nodes

    def _of_several(self, k: int) -> Iterator[str]:
        group = self._groups[k]
        now = self._moment.word(group.nodes) if self._moment else ""
        first, *rest = self._of_module(group) if group.module else self._of_similar(k)
        yield f"{first:<{RANGE_WIDTH - 4}} {now}" if self._moment else first
        yield from rest
        if self._heat and (peak := self._heat.row(group.nodes)):
            yield _row(f"peak {self._heat.name}", "" if self._is_waiting(group.nodes) else peak, RANGE_WIDTH)

    def _of_module(self, group: Group) -> Iterator[str]:
        inside = set(group.nodes)
        parameters = [node for node in group.nodes if node.op is LEAF]
        operations = Counter(node.op.name for node in group.nodes if node.parents)
        times = math.gcd(*_uses(group.nodes, inside), *operations.values()) or 1
        outer = group.scope[-1] if group.scope and self._shown.modules else ""
        name = visible(module_title(group.module, outer))
        yield f"{name} × {times:,}" if times > 1 else name
        yield self._flow(group.nodes, inside, times)
        contents = [f"{count // times:,} {name}" for name, count in operations.items()]
        contents = [kept(text) for text in (counted(len(parameters), "parameter"), *contents)]
        yield from wrap(", ".join(contents), CONTENTS_WIDTH)
        yield counted(len(group.nodes), "node")
        if self._shown.grad and parameters:
            norm = math.hypot(*(node.grad for node in parameters))
            yield _row("|grad|", "" if self._is_waiting(group.nodes) else number(norm), RANGE_WIDTH)

    def _flow(self, nodes: list[Value], inside: set[Value], times: int) -> str:
        """How many numbers go in and come out, by each use if that can be told, and the activation: `2 -> 16 relu`."""
        outside = len({parent for node in nodes for parent in node.parents if parent not in inside})
        outputs = [node for node in nodes if node in self._outputs]
        kinds = {node.op for node in outputs}
        op = kinds.pop() if len(kinds) == 1 else None
        activation = f" {op.name}" if op and op.symbol == op.name and not op.variadic else ""
        if outside % times or len(outputs) % times:
            return f"{outside:,} -> {len(outputs):,}{activation} in all"
        return f"{outside // times:,} -> {len(outputs) // times:,}{activation}"

    def _of_similar(self, k: int) -> Iterator[str]:
        """The lines for similar nodes, after the last of each chain of them."""
        group = self._groups[k]
        last, op = group.last, group.last[0].op
        data = {node.data for node in last}
        if last[0].label:
            yield f"{visible(last[0].label, OPERAND_LIMIT)} … {visible(last[-1].label or '', OPERAND_LIMIT)}"
        if last[0].parents:
            yield f"{len(last):,} times {self._formula(k)}"
            if len(group.nodes) > len(last):
                yield counted(len(group.nodes), "node")
        elif op is CONSTANT and len(data) == 1:
            text = number(last[0].data)
            yield f"{len(last):,} times {' ' * len(text) if self._is_waiting(last) else text}"
            return
        else:
            yield counted(len(last), "input" if k not in self._feeding else "constant" if op is CONSTANT else "leaf")
        known = [node for node in last if not self._is_waiting([node])]
        yield _range("data", [node.data for node in known])
        if self._shown.grad and op is not CONSTANT:
            yield _range("grad", [node.grad for node in known])

    def _formula(self, k: int) -> str:
        """How the last nodes of a chain follow from what stands on other boxes: `(layers.2 - y) ** 2`."""
        group = self._groups[k]
        inside = set(group.nodes) - set(group.last)
        steps = [group.last[-1]]  # of running sums not the first, which starts from something else
        while before := [parent for parent in steps[-1].parents if parent in inside and parent.parents]:
            steps.append(before[0])
        text = ""
        for node in reversed(steps):
            nested = f"({text})" if " " in text and node.op.symbol != node.op.name else text
            names = [
                self._operand(node, slot, parent, k) if parent not in inside
                else nested if parent.parents
                else number(parent.data)
                for slot, parent in enumerate(node.parents)
            ]  # fmt: skip
            text = formula(node, self._numbers, names)
        return text

    # --- arrows

    def _arrows(self, tail: int, head: int, edges: list[Edge], is_back: bool) -> Iterator[Arrow]:
        """One for all edges between two boxes, but one for each between two nodes."""
        groups = self._groups[tail], self._groups[head]
        singly = len(edges) == 1 or all(group.is_one for group in groups)
        for some in [[edge] for edge in edges] if singly else [edges]:
            lines, look = self._beside(some)
            if all(parent.op is CONSTANT for parent, *_ in some):
                look = CONSTANT_EDGE | look
            if is_back:
                look = look | BACK
            yield Arrow(self._name(tail), self._name(head), lines, look)

    def _beside(self, edges: list[Edge]) -> tuple[list[str], Attributes]:
        parent, node, slot = edges[0]
        if len(edges) > 1:
            count = counted(len(edges), "edge")
            places = [(node, slot) for _, node, slot in edges]
            lines, look = self._moment.arrows(places, count) if self._moment else ([count], {})
        elif self._moment:
            lines, look = self._moment.arrow(node, slot, self._partial(node, slot))
        else:
            lines, look = [] if parent.op is CONSTANT else [self._partial(node, slot)], {}
        return [kept(line) for line in lines] if self._has_labels else [], look

    def _partial(self, node: Value, slot: int) -> str:
        """What stands for d node / d operand: kept for each node, as it may have a thousand operands."""
        if node not in self._partials:
            texts = [number(partial) for partial in node.partials]
            if self._shown.edge_labels in ("formula", "both"):
                name = operand(node, self._numbers)
                rules = partial_formulas(node, name, self._operands(node))
                rules = [visible(rule, FORMULA_LIMIT) for rule in rules]
                both = self._shown.edge_labels == "both"
                texts = [f"{r} = {t}" if both and r != t else r for r, t in zip(rules, texts, strict=True)]
            self._partials[node] = texts
        return self._partials[node][slot]


def _row(name: str, text: str, width: int = ROW_WIDTH) -> str:
    """A number, or room for one, at a fixed width: boxes stay where they are when it changes."""
    return kept(f"{name} {text:>{width - len(name) - 1}}")


def _range(name: str, amounts: list[float]) -> str:
    """From the smallest to the largest; nan if there is one."""
    if any(map(math.isnan, amounts)):
        return _row(name, "nan", RANGE_WIDTH)
    return _row(name, f"{min(amounts):.3g} … {max(amounts):.3g}" if amounts else "", RANGE_WIDTH)


def _uses(nodes: list[Value], inside: Container[Value]) -> list[int]:
    """How often each parameter is used there."""
    counts = Counter(parent for node in nodes for parent in node.parents if parent.op is LEAF and parent in inside)
    return list(counts.values())
