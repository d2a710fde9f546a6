"""From boxes and arrows to DOT text, the language of Graphviz.

Text comes from users: it is escaped, and stands on plain boxes only, because Graphviz's record and HTML labels are
languages. No name in the text is a user's, and everything has an order: the same picture has the same bytes.

This module knows boxes, arrows and the modules they stand in; it knows nothing of Values.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Attributes = dict[str, str]

# Widths are measured with the first font of the list that is installed, and viewers use theirs: all are of equal width.
FONT = "DejaVu Sans Mono,Menlo,Consolas,monospace"

INK, LINE, LIGHT = "#1b1f24", "#57606a", "#c4cbd3"
GRAPH = {"nodesep": "0.3", "ranksep": "0.4"}
NODE = {
    "shape": "box", "style": "rounded,filled", "fillcolor": "#ffffff", "color": LINE, "fontname": FONT,
    "fontsize": "11", "fontcolor": INK, "margin": "0.13,0.08", "height": "0", "width": "0",
}  # fmt: skip
EDGE = {"color": LINE, "fontname": FONT, "fontsize": "10", "fontcolor": LINE, "arrowsize": "0.6"}
NETWORK = {"ranksep": "2", "splines": "line"}
# Straight lines go from side to side, else they would cross the boxes.
PORTS = {
    rankdir: {"tailport": tail, "headport": head, "penwidth": "0.6", "arrowsize": "0.4"}
    for rankdir, tail, head in [("LR", "e", "w"), ("RL", "w", "e"), ("TB", "s", "n"), ("BT", "n", "s")]
}
CAPTION = {"labeljust": "l", "fontname": FONT, "fontsize": "12", "fontcolor": INK}
CLUSTER = {"style": "rounded,filled", "color": LIGHT, "fontname": FONT, "fontcolor": LINE, "labeljust": "l"}
CLUSTER_FILLS = ("#f4f6f8", "#e9edf1")  # by turns, from the outermost


class Box(NamedTuple):
    """A box: its name in the text, the lines on it, how it looks, and the modules it stands in, outermost first."""

    name: str
    lines: list[str]
    look: Attributes
    scope: tuple[str, ...] = ()


class Arrow(NamedTuple):
    """An arrow between two boxes, and the lines beside it; a line back in a loop does not pull its boxes about."""

    tail: str
    head: str
    lines: list[str]
    look: Attributes


class Picture(NamedTuple):
    """What a diagram shows; `titles` are those of modules around boxes. Arrows of a network are straight."""

    boxes: list[Box]
    arrows: list[Arrow]
    titles: dict[str, str]
    caption: list[str]
    is_network: bool = False


def source(picture: Picture, rankdir: str) -> str:
    r"""The DOT text.

    >>> boxes = [Box("n1", ["a"], {}), Box("n2", ["#2", "a < b"], {"penwidth": "2.5"}, ("m",))]
    >>> picture = Picture(boxes, [Arrow("n1", "n2", [], {})], {"m": "m"}, [])
    >>> print(source(picture, "TB").expandtabs(4))  # doctest: +ELLIPSIS
    digraph glassgrad {
    ...
        n1 [label=a]
        subgraph cluster1 {
            graph [... label=m ...]
            n2 [label="#2\na < b" penwidth=2.5]
        }
        n1 -> n2
    }
    <BLANKLINE>
    """
    digraph = package().Digraph
    caption = {"label": label(["", *picture.caption]), **CAPTION} if picture.caption else {}
    network = NETWORK if picture.is_network else {}
    graph = digraph(
        "glassgrad", graph_attr={**GRAPH, "rankdir": rankdir, **network, **caption}, node_attr=NODE, edge_attr=EDGE
    )
    ports = PORTS[rankdir] if picture.is_network else {}
    clusters: dict[tuple[str, ...], Any] = {(): graph}
    for box in picture.boxes:
        for depth in range(1, len(box.scope) + 1):
            scope = box.scope[:depth]
            if scope not in clusters:
                fill = CLUSTER_FILLS[(depth - 1) % len(CLUSTER_FILLS)]
                title = {"label": label([picture.titles[scope[-1]]]), "fontsize": "12" if depth == 1 else "10"}
                look = {**CLUSTER, **title, "fillcolor": fill}
                clusters[scope] = digraph(f"cluster{len(clusters)}", graph_attr=look)
        clusters[box.scope].node(box.name, label=label(box.lines), _attributes=box.look)
    # a cluster's text is copied into the one around it: the innermost first
    for scope in sorted(filter(None, clusters), key=len, reverse=True):
        clusters[scope[:-1]].subgraph(clusters[scope])
    for arrow in picture.arrows:
        text = {"label": label(arrow.lines)} if any(arrow.lines) else {}
        graph.edge(arrow.tail, arrow.head, _attributes={**ports, **text, **arrow.look})
    return graph.source  # type: ignore[no-any-return]


def package() -> Any:
    """The Python package graphviz.

    Raises:
        ImportError: it is not installed; the message says what to do.
    """
    try:
        import graphviz
    except ImportError as error:
        from viz.layout import PIP_INSTALL

        raise ImportError(
            f"drawing needs the Python package graphviz; {sys.executable or 'this Python'} has none; "
            f"install it with: {PIP_INSTALL}; until then viz.tree(value) shows the graph as text"
        ) from error
    return graphviz


def label(lines: Iterable[str]) -> str:
    r"""A label that shows just these lines.

    >>> print(label(["<b>", r"\N &lt;"]))
    <b>\n\\N &amp;lt;
    """
    graphviz = package()
    # Graphviz reads character references in every label, and `graphviz.escape` leaves them.
    # An empty line makes some releases of Graphviz 14 read memory that is not theirs.
    escaped = graphviz.escape("\n".join(line or NO_TEXT for line in lines).replace("&", "&amp;"))
    return graphviz.nohtml(escaped.replace("\n", r"\n"))  # type: ignore[no-any-return]


NO_TEXT = "\u00a0"


def kept(text: str) -> str:
    """The same with spaces that count: SVG collapses ordinary ones."""
    return text.replace(" ", "\u00a0")


def justified(lines: Iterable[str], side: str = "<") -> list[str]:
    """All of one width: Graphviz centres every line on its own."""
    texts = list(lines)
    width = max(map(len, texts), default=0)
    return [kept(f"{text:{side}{width}}") for text in texts]
