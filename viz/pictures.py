"""The graph of a trace as SVG inside a page: every box and arrow can be found, and no style is baked in.

Graphviz lays the final moment out; afterwards each box carries the numbers of its nodes in the trace, and each arrow
those of its ends, so that the script finds them. Text stays text: it is moved as a tree, never as a string.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from engine.ops import CONSTANT
from viz.cards import Cards
from viz.collapsing import collapsed
from viz.diagram import draw
from viz.moment import Moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine import Trace
    from viz.collapsing import Group, Level

SVG = "{http://www.w3.org/2000/svg}"
MOST_BOXES = 400
"""More take minutes to lay out."""

_STATEMENT = re.compile(r"^(\t+)([ng]\d+)(?: -> ([ng]\d+))?(?: \[(.*)\])?$", re.MULTILINE)
_ROW = re.compile("(data|grad)\N{NO-BREAK SPACE}")
_BAKED = ("fill", "stroke", "stroke-width", "stroke-dasharray", "font-family", "style")


class View(NamedTuple):
    """One picture: what it is called on its button, and the SVG element."""

    name: str
    svg: str


def views(trace: Trace, rankdir: str = "LR", time_limit: float = 10.0) -> list[View]:
    """Pictures of a graph: of every node; with neurons, and with layers, as one box.

    A graph without neurons and layers that is too large to show every node has similar ones in one box. What is too
    large even so, or takes too long to lay out, is not among them: a page can be read without a picture.

    Raises:
        RuntimeError: there is no Graphviz on this machine.

    >>> from engine import Trace, Value
    >>> [view] = views(Trace(Value(2.0, label="a") * 3))
    >>> view.name, view.svg.count('class="node '), view.svg.count('class="edge')
    ('nodes', 3, 2)
    """
    root = Moment(trace, len(trace)).root
    found: list[View] = []
    sizes = set()
    for name, level in _levels(trace):
        groups, _ = collapsed(trace.nodes, [trace.root], level)
        if len(groups) in sizes or len(groups) > MOST_BOXES:
            continue
        sizes.add(len(groups))
        diagram = draw(root, collapse=level, show_grad=level is None, rankdir=rankdir, time_limit=time_limit)
        diagram.source, arrows = _with_names(diagram.source)
        try:
            tree = ElementTree.fromstring(diagram.picture("svg", time_limit))
        except TimeoutError:
            continue
        _Marks(trace, groups, arrows).put_on(tree)
        found.append(View(name, ElementTree.tostring(tree, encoding="unicode")))
    return found


def _levels(trace: Trace) -> Iterator[tuple[str, Level]]:
    is_small = len(trace.nodes) <= MOST_BOXES
    if is_small:
        yield "nodes", None
    if any(group.module for group in collapsed(trace.nodes, [trace.root], "layer")[0]):
        yield "neurons", "neuron"
        yield "layers", "layer"
    elif not is_small:
        yield "groups", "auto"


def _with_names(source: str) -> tuple[str, list[tuple[str, str]]]:
    """The DOT text with a name for each box and arrow, and the ends of the arrows, in order."""
    arrows: list[tuple[str, str]] = []

    def named(statement: re.Match[str]) -> str:
        indent, tail, head, attributes = statement.groups()
        if head is None:
            return f"{indent}{tail} [id=box_{tail} {attributes or ''}]"
        arrows.append((tail, head))
        return f"{indent}{tail} -> {head} [id=arrow_{len(arrows) - 1} {attributes or ''}]"

    return _STATEMENT.sub(named, source), arrows


class _Marks:
    """What the script and the style sheet need to know of a picture."""

    def __init__(self, trace: Trace, groups: list[Group], arrows: list[tuple[str, str]]) -> None:
        self.trace = trace
        self.cards = Cards(trace)
        self.arrows = arrows
        numbers = self.cards.numbers
        self.groups = {f"{'n' if group.is_one else 'g'}{numbers[group.last[0]]}": group for group in groups}
        self.times: Counter[tuple[str, str]] = Counter()  # of arrows between two boxes
        self.ranks: list[int] = []  # of each arrow among those between the same boxes
        for ends in arrows:
            self.ranks.append(self.times[ends])
            self.times[ends] += 1

    def put_on(self, root: Element) -> None:
        for group in root.iter(f"{SVG}g"):
            kind, _, name = group.get("id", "").rpartition("-")[2].partition("_")
            if kind == "box":
                self._mark_box(group, name)
            elif kind == "arrow":
                self._mark_arrow(group, int(name))
        for element in root.iter():
            for name in _BAKED:
                element.attrib.pop(name, None)
        self._describe(root)

    def _mark_box(self, element: Element, name: str) -> None:
        group = self.groups[name]
        [first, *others] = group.nodes
        kind = (
            "module"
            if group.module
            else "constant"
            if first.op is CONSTANT
            else "computed"
            if first.parents
            else "variable"
        )
        marks = [kind, "several" if others else "", "root" if self.trace.root in group.nodes else ""]
        element.set("class", " ".join(["node", *filter(None, marks)]))
        element.set("data-box", name)
        element.set("data-nodes", " ".join(str(self.cards.numbers[node] - 1) for node in group.nodes))
        element.set("role", "button")
        element.set("tabindex", "-1")
        texts = element.findall(f"{SVG}text")
        _set_title(element, " ".join(" ".join((text.text or "").split()) for text in texts))
        for text in texts:
            if row := _ROW.match(text.text or ""):
                text.set("class", row[1])

    def _mark_arrow(self, element: Element, place: int) -> None:
        ends = self.arrows[place]
        tail, head = (self.groups[end] for end in ends)
        [parent], [node] = tail.last[:1], head.last[:1]
        is_from_constant = all(node.op is CONSTANT for node in tail.nodes)
        element.set("class", "edge from-constant" if is_from_constant else "edge")
        element.set("data-tail", ends[0])
        element.set("data-head", ends[1])
        slots = [slot for slot, other in enumerate(node.parents) if other is parent]
        if tail.is_one and head.is_one and len(slots) == self.times[ends]:
            element.set("data-slot", str(slots[self.ranks[place]]))
        _set_title(element, f"{self._name(tail)} to {self._name(head)}")

    def _name(self, group: Group) -> str:
        return self.cards.name(group.nodes[0]) if group.is_one else group.module or f"{len(group.nodes)} nodes"

    def _describe(self, root: Element) -> None:
        """A title and a description for those who cannot see the picture."""
        graph = root.find(f"{SVG}g")
        if graph is not None:
            for tag in ("title", "polygon"):  # Graphviz's own title, and the background
                child = graph.find(f"{SVG}{tag}")
                if child is not None:
                    graph.remove(child)
        title, description = Element(f"{SVG}title"), Element(f"{SVG}desc")
        title.text = f"The graph of {self.cards.equation(self.trace.root)}"
        edges = sum(len(node.parents) for node in self.trace.nodes)
        description.text = (
            f"{len(self.trace.nodes)} nodes and {edges} edges in {len(self.groups)} boxes. "
            "The table of steps says the same as text."
        )
        root.insert(0, description)
        root.insert(0, title)
        root.set("role", "group")
        root.set("aria-label", title.text)


def _set_title(element: Element, text: str) -> None:
    title = element.find(f"{SVG}title")
    if title is not None:
        title.text = text


ElementTree.register_namespace("", SVG[1:-1])
