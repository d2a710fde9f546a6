"""The graph of a trace as SVG inside a page: every box and arrow can be found, and no style is baked in.

Graphviz lays the final moment out; afterwards each node and edge carries its number in the trace, so that the script
finds it, and a description for those who cannot see it. Text stays text: it is moved as a tree, never as a string.
"""

from __future__ import annotations

import re
from collections import Counter
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from engine.ops import CONSTANT
from viz.cards import Cards
from viz.diagram import draw
from viz.moment import Moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine import Trace

SVG = "{http://www.w3.org/2000/svg}"
_STATEMENT = re.compile(r"^\t+(n\d+)(?: -> (n\d+))? \[", re.MULTILINE)
BAKED = ("fill", "stroke", "stroke-width", "stroke-dasharray", "font-family", "style")


def picture(trace: Trace, rankdir: str = "LR", time_limit: float = 10.0) -> str:
    """The SVG element.

    Raises:
        RuntimeError: there is no Graphviz on this machine.
        TimeoutError: the layout took too long.

    >>> from engine import Trace, Value
    >>> svg = picture(Trace(Value(2.0, label="a") * 3))
    >>> svg.count('class="node '), svg.count('class="edge')
    (3, 2)
    """
    cards = Cards(trace)
    diagram = draw(Moment(trace, len(trace)).root, rankdir=rankdir, time_limit=time_limit)
    diagram.source = _with_names(diagram.source)
    root = ElementTree.fromstring(diagram.picture("svg", time_limit))
    for group in root.iter(f"{SVG}g"):
        kind, _, name = group.get("id", "").rpartition("-")[2].partition("_")
        if kind == "node":
            _mark_node(group, trace, cards, int(name))
        elif kind == "edge":
            child, _, slot = name.partition("_")
            _mark_edge(group, trace, cards, int(child), int(slot))
    _strip(root)
    _describe(root, trace, cards)
    ElementTree.register_namespace("", SVG[1:-1])
    return ElementTree.tostring(root, encoding="unicode")


def _with_names(source: str) -> str:
    """The DOT text with a name for each node, and for each edge: whose operand, and which."""
    slots: Counter[str] = Counter()

    def named(statement: re.Match[str]) -> str:
        tail, head = statement.groups()
        if head is None:
            return f"{statement[0]}id=node_{tail[1:]} "
        slots[head] += 1
        return f"{statement[0]}id=edge_{head[1:]}_{slots[head] - 1} "

    return _STATEMENT.sub(named, source)


def _mark_node(group: Element, trace: Trace, cards: Cards, number: int) -> None:
    node = trace.nodes[number - 1]
    kind = "constant" if node.op is CONSTANT else "computed" if node.parents else "variable"
    group.set("class", f"node {kind}{' root' if node is trace.root else ''}")
    group.set("data-node", str(number - 1))
    group.set("role", "button")
    group.set("tabindex", "-1")
    group.set("aria-label", cards.equation(node))
    _set_title(group, cards.equation(node))
    texts = group.findall(f"{SVG}text")
    if node.op is not CONSTANT:
        texts[-2].set("class", "data")
        texts[-1].set("class", "grad")


def _mark_edge(group: Element, trace: Trace, cards: Cards, child: int, slot: int) -> None:
    node = trace.nodes[child - 1]
    parent = node.parents[slot]
    is_constant = parent.op is CONSTANT
    group.set("class", f"edge{' from-constant' if is_constant else ''}")
    group.set("data-node", str(child - 1))
    group.set("data-slot", str(slot))
    group.set("data-parent", str(cards.numbers[parent] - 1))
    _set_title(group, f"{cards.name(parent)} to {cards.name(node)}")


def _set_title(group: Element, text: str) -> None:
    title = group.find(f"{SVG}title")
    if title is not None:
        title.text = text


def _strip(root: Element) -> None:
    """Leave looks to the style sheet, which knows light and dark, and print."""
    for element in root.iter():
        for name in BAKED:
            element.attrib.pop(name, None)
    graph = root.find(f"{SVG}g")
    background = graph.find(f"{SVG}polygon") if graph is not None else None
    if graph is not None and background is not None:
        graph.remove(background)


def _describe(root: Element, trace: Trace, cards: Cards) -> None:
    graph = root.find(f"{SVG}g")
    if graph is not None:
        _set_title(graph, "")
        graph.remove(graph.find(f"{SVG}title"))  # type: ignore[arg-type]  # every Graphviz graph has one
    title, description = Element(f"{SVG}title"), Element(f"{SVG}desc")
    title.text = f"The graph of {cards.equation(trace.root)}"
    edges = sum(len(node.parents) for node in trace.nodes)
    description.text = (
        f"{len(trace.nodes)} nodes and {edges} edges, from variables and constants to the result. The table of steps "
        "below says the same as text."
    )
    root.insert(0, description)
    root.insert(0, title)
    root.set("role", "group")
    root.set("aria-label", title.text)
