"""`draw`: a graph as a picture, one box for each node.

The picture is DOT text first, built without any program, then laid out by Graphviz (`viz/layout.py`). Text comes from
users: it is escaped, and stands on plain boxes only, because Graphviz's record and HTML labels are languages.
"""

from __future__ import annotations

import math
import sys

from engine.graph import topological_order
from engine.ops import CONSTANT
from engine.stepping import Trace
from viz.moment import Moment
from viz.terminal import tree
from viz.wording import NUMBER_WIDTH, formula, number, numbered, results, title

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from os import PathLike
    from pathlib import Path
    from typing import Any

    from engine import Value

    Attributes = dict[str, str]

RANKDIRS = ("LR", "RL", "TB", "BT")
PICTURES = ("svg", "png", "pdf")
TEXTS = ("dot", "gv")

# Widths are measured with the first font of the list that is installed, and viewers use theirs: all are of equal width.
FONT = "DejaVu Sans Mono,Menlo,Consolas,monospace"

# Blue and grey of Okabe and Ito's palette for all kinds of sight; kinds of node differ by shape and line as well.
INK, LINE, BLUE = "#1b1f24", "#57606a", "#0072b2"
GRAPH = {"nodesep": "0.3", "ranksep": "0.4"}
NODE = {
    "shape": "box", "style": "rounded,filled", "fillcolor": "#ffffff", "color": LINE, "fontname": FONT,
    "fontsize": "11", "fontcolor": INK, "margin": "0.13,0.08", "height": "0", "width": "0",
}  # fmt: skip
EDGE = {"color": LINE, "fontname": FONT, "fontsize": "10", "fontcolor": LINE, "arrowsize": "0.6"}
LEAF_LOOK = {"style": "filled", "fillcolor": "#e3f0fa", "color": BLUE, "penwidth": "1.5"}
CONSTANT_LOOK = {"shape": "oval", "style": "dashed", "fontcolor": LINE, "margin": "0.05,0.03"}
CONSTANT_EDGE = {"style": "dashed"}
RESULT_LOOK = {"penwidth": "2.5"}
CAPTION = {"labeljust": "l", "fontname": FONT, "fontsize": "12", "fontcolor": INK}

ROW_WIDTH = len("data ") + NUMBER_WIDTH


def draw(
    value: Value | list[Value] | tuple[Value, ...] | Trace,
    *,
    at: int | None = None,
    rankdir: str = "LR",
    show_constants: bool = True,
    show_grad: bool = True,
    time_limit: float = 10.0,
) -> Diagram:
    """The graph as a diagram: what is recorded now, whatever is computed afterwards.

    One box for each node, with its label or its number in topological order, its formula, data and gradient. Arrows
    lead from operand to result and carry the partial, d result / d operand; a repeated operand has one for each time.
    Leaves have square corners, constants are dashed ovals and carry no partial, results have a thick border.

    Of a trace, the moment after its first `at` events: with the numbers that were recorded, the gradients of that
    moment and nothing yet where the forward sweep has not come. The node at work is marked `now`. Arrows carry the
    partial and, once a contribution has been passed on, how much it was; they lead back then. Boxes stay where they
    are through all moments.

    Args:
        value: the result, or a list or tuple of several, or a trace.
        at: which moment of a trace, from 0 to its number of events; None for the end.
        rankdir: the direction of the arrows: LR (left to right), RL, TB (top to bottom) or BT.
        show_constants: whether numbers that entered an expression have boxes; short formulas show them in any case.
        show_grad: whether boxes show gradients.
        time_limit: seconds that the layout may take, `math.inf` for any time.

    Raises:
        TypeError: it is not a Value, nor a list or tuple of them, nor a trace; `at` is given without a trace, or is
            not a whole number; the time limit is not a number.
        ValueError: the list is empty, or an option has no such choice.
        IndexError: the trace has fewer than `at` events.
        ImportError: the Python package graphviz is not installed.

    >>> from engine import Value
    >>> a = Value(3.0, label="a")
    >>> print(draw(a * a).source.replace("\\u00a0", " ").expandtabs(4))  # doctest: +ELLIPSIS
    digraph glassgrad {
        graph [nodesep=0.3 rankdir=LR ranksep=0.4]
        ...
        n1 [label="a\\ndata           3\\ngrad           0" color="#0072b2" ...]
        n2 [label="#2\\na * a\\ndata           9\\ngrad           0" penwidth=2.5]
        n1 -> n2 [label=3]
        n1 -> n2 [label=3]
    }
    <BLANKLINE>
    """
    moment = _moment(value, at)
    roots = results(moment.root if moment else value, "draw")
    if rankdir not in RANKDIRS:
        raise ValueError(f"rankdir must be one of {', '.join(RANKDIRS)}; got {rankdir!r}; use rankdir='LR'")
    seconds = _seconds(time_limit)
    order, ends = topological_order(*roots), frozenset(roots)
    numbers = numbered(order)
    nodes = [node for node in order if show_constants or node.op is not CONSTANT or node in ends]
    caption = {"label": _label(f"\n{moment.caption}"), **CAPTION} if moment else {}
    whole = {**GRAPH, "rankdir": rankdir, **caption}
    graph = _graphviz().Digraph("glassgrad", graph_attr=whole, node_attr=NODE, edge_attr=EDGE)
    edges = 0
    for node in nodes:
        name = f"n{numbers[node]}"
        lines = _lines(node, numbers, show_grad, moment)
        text = "\n".join(_justified(lines, "^" if node.op is CONSTANT else "<") if moment else lines)
        graph.node(name, label=_label(text), _attributes=_appearance(node, node in ends, moment))
        for parent, attributes in _edges(node, show_constants, moment):
            graph.edge(f"n{numbers[parent]}", name, _attributes=attributes)
            edges += 1
    text = tree(list(roots))
    return Diagram(graph.source, f"{moment.caption}\n{text}" if moment else text, len(nodes), edges, seconds)


def _moment(value: object, at: int | None) -> Moment | None:
    if isinstance(value, Trace):
        return Moment(value, len(value) if at is None else at)
    if at is not None:
        raise TypeError(f"only a trace has moments; got at={at!r} without one; draw(Trace(loss), at=...) shows one")
    return None


def _graphviz() -> Any:
    try:
        import graphviz
    except ImportError as error:
        from viz.layout import PIP_INSTALL

        raise ImportError(
            f"drawing needs the Python package graphviz; {sys.executable or 'this Python'} has none; "
            f"install it with: {PIP_INSTALL}; until then viz.tree(value) shows the graph as text"
        ) from error
    return graphviz


def _lines(node: Value, numbers: dict[Value, int], show_grad: bool, moment: Moment | None) -> Iterator[str]:
    """The lines on a node's box."""
    waiting = moment is not None and moment.is_waiting(node)
    if node.op is CONSTANT:
        if node.label:
            yield title(node, numbers)
        yield " " * len(number(node.data)) if waiting else number(node.data)
        if moment:
            yield moment.word(node)
        return
    yield f"{title(node, numbers):<{ROW_WIDTH - 4}} {moment.word(node)}" if moment else title(node, numbers)
    if node.parents:
        yield formula(node, numbers)
    yield _row("data", node.data, waiting)
    if show_grad:
        yield _row("grad", node.grad, waiting)


def _row(name: str, amount: float, waiting: bool) -> str:
    """A number, or room for one, at a fixed width: boxes stay where they are when it changes."""
    return _kept(f"{name} {'' if waiting else number(amount):>{NUMBER_WIDTH}}")


def _justified(lines: Iterator[str], side: str) -> list[str]:
    """All of one width: Graphviz centres every line on its own."""
    texts = list(lines)
    width = max(map(len, texts))
    return [_kept(f"{text:{side}{width}}") for text in texts]


def _kept(text: str) -> str:
    """The same with spaces that count: SVG collapses ordinary ones."""
    return text.replace(" ", "\u00a0")


def _label(text: str) -> str:
    r"""A label that shows just this text.

    >>> print(_label("<b>\n" r"\N &lt;"))
    <b>\n\\N &amp;lt;
    """
    graphviz = _graphviz()
    # Graphviz reads character references in every label, and `graphviz.escape` leaves them.
    escaped = graphviz.escape(text.replace("&", "&amp;"))
    return graphviz.nohtml(escaped.replace("\n", r"\n"))  # type: ignore[no-any-return]


def _appearance(node: Value, is_result: bool, moment: Moment | None) -> Attributes:
    kind = CONSTANT_LOOK if node.op is CONSTANT else {} if node.parents else LEAF_LOOK
    return {**kind, **(RESULT_LOOK if is_result else {}), **(moment.node(node) if moment else {})}


def _edges(node: Value, show_constants: bool, moment: Moment | None) -> Iterator[tuple[Value, Attributes]]:
    for slot, (parent, partial) in enumerate(zip(node.parents, node.partials, strict=True)):
        text, look = moment.edge(node, slot) if moment else (number(partial), {})
        if parent.op is not CONSTANT:
            yield parent, {"label": _label(_kept(text)), **look}
        elif show_constants:
            yield parent, {**CONSTANT_EDGE, **look}


def _seconds(time_limit: object) -> float:
    if not isinstance(time_limit, (int, float)) or isinstance(time_limit, bool):
        raise TypeError(f"time_limit must be a number of seconds; got {time_limit!r}; use time_limit=10")
    if math.isnan(time_limit) or time_limit <= 0:
        raise ValueError(f"time_limit must be positive; got {time_limit!r}; use time_limit=10, or math.inf")
    return float(time_limit)


class Diagram:
    """A graph ready to be laid out. A notebook shows it; `save` writes it to a file.

    Attributes:
        source: the DOT text.
        text: the same graph as `viz.tree` shows it.
        nodes: how many boxes there are.
        edges: how many arrows.
        time_limit: how many seconds the layout may take.
    """

    def __init__(self, source: str, text: str, nodes: int, edges: int, time_limit: float = 10.0) -> None:
        self.source = source
        self.text = text
        self.nodes = nodes
        self.edges = edges
        self.time_limit = time_limit

    def __repr__(self) -> str:
        size = f"{_count(self.nodes, 'node')} and {_count(self.edges, 'edge')}"
        return f'<Diagram of {size}: .save("graph.svg"), .source>'

    def save(self, path: str | PathLike[str], *, time_limit: float | None = None) -> Path:
        """Write the picture to a file, whole or not at all.

        Args:
            path: the file; its extension is the format: svg, png, pdf, or dot (gv) for DOT text.
            time_limit: seconds that the layout may take, if other than the diagram's own.

        Returns:
            The path.

        Raises:
            ValueError: the extension is none of these.
            FileNotFoundError: there is no such folder.
            RuntimeError: there is no Graphviz on this machine, or it failed. The message says what to install.
            TimeoutError: the layout took too long. The DOT text is then in a file beside, `graph.svg.dot`.

        >>> import tempfile
        >>> from engine import Value
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     draw(Value(1.0) + 2).save(f"{folder}/graph.gv").name
        'graph.gv'
        """
        from pathlib import Path

        path = Path(path)
        format = path.suffix[1:].lower()
        if format not in PICTURES + TEXTS:
            choices = ", ".join(f".{name}" for name in PICTURES + TEXTS)
            raise ValueError(f"a diagram is saved as one of {choices}; got {str(path)!r}; use {path.stem + '.svg'!r}")
        if not path.parent.is_dir():
            raise FileNotFoundError(f"no such folder to save in; got {str(path)!r}; make {str(path.parent)!r} first")
        if format in TEXTS:
            return write(path, self.source.encode())
        try:
            picture = self.picture(format, self.time_limit if time_limit is None else _seconds(time_limit))
        except TimeoutError as error:
            kept = write(path.with_name(path.name + ".dot"), self.source.encode())
            raise TimeoutError(f"{error}; its DOT text is kept in {str(kept)!r}") from None
        return write(path, picture)

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        """For notebooks: text always, the picture if it can be laid out; never an exception."""
        bundle = {"text/plain": f"{self!r}\n{self.text}"}
        try:
            bundle["image/svg+xml"] = self.picture("svg", self.time_limit).decode()
        except Exception as error:
            bundle["text/plain"] += f"\n\nThere is no picture: {error}"
        return {
            kind: content
            for kind, content in bundle.items()
            if (not include or kind in include) and not (exclude and kind in exclude)
        }

    def picture(self, format: str, time_limit: float) -> bytes:
        from subprocess import TimeoutExpired

        from viz.layout import lay_out

        try:
            picture = lay_out(self.source, format, time_limit)
        except TimeoutExpired:
            raise TimeoutError(
                f"the layout took longer than {time_limit:g} s; the diagram has {_count(self.nodes, 'node')} and "
                f"{_count(self.edges, 'edge')}; draw a smaller part of the graph, pass a longer time_limit=, save as "
                ".dot, or read it as text: viz.tree(value)"
            ) from None
        return _with_own_ids(picture, self.source) if format == "svg" else picture


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _with_own_ids(svg: bytes, source: str) -> bytes:
    """The same SVG with ids that another diagram on the page does not have: Graphviz calls every first node `node1`.

    Text cannot be mistaken for a tag: in it `<` is always `&lt;`.
    """
    import re
    from hashlib import sha256

    prefix = f"g{sha256(source.encode()).hexdigest()[:10]}-"
    return re.sub(rb'(<\w+ id=")', rb"\1" + prefix.encode(), svg)


def write(path: Path, content: bytes) -> Path:
    """Write to a file beside and rename it: a full disk or an interrupt leaves the old file, not half of a new one."""
    import os

    target = path.resolve()  # of a symbolic link, write what it points to
    part = target.with_name(f".glassgrad-{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return path
