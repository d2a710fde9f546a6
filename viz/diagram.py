"""`draw`: a graph or a module as a picture.

A picture is made in three steps: which nodes are one box (`viz/collapsing.py`), what stands on the boxes
(`viz/boxes.py`), and how that is said in DOT (`viz/dot.py`), which needs no program. Then Graphviz lays it out
(`viz/layout.py`).
"""

from __future__ import annotations

import math

from engine.graph import topological_order
from engine.ops import CONSTANT
from engine.stepping import Trace
from viz import dot
from viz.architecture import architecture, is_module
from viz.boxes import EDGE_LABELS, Boxes, Shown
from viz.collapsing import LEVELS, collapsed
from viz.heat import Heat, amounts
from viz.moment import Moment
from viz.terminal import tree
from viz.wording import counted, numbered, results, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping
    from os import PathLike
    from pathlib import Path
    from typing import Any

    from engine import Value
    from viz.collapsing import Group, Level

    Module = Any
    Color = str | Callable[[Value], object] | None

RANKDIRS = ("LR", "RL", "TB", "BT")
PICTURES = ("svg", "png", "pdf")
TEXTS = ("dot", "gv")


def draw(
    value: Value | list[Value] | tuple[Value, ...] | Trace | Module,
    *,
    at: int | None = None,
    collapse: Level = None,
    color: Color = None,
    depth: int | None = None,
    edge_labels: str = "number",
    rankdir: str | None = None,
    show_constants: bool = True,
    show_grad: bool = True,
    show_modules: bool = True,
    time_limit: float = 10.0,
) -> Diagram:
    """The graph as a diagram: what is recorded now, whatever is computed afterwards. Of a module, what it is made of.

    One box for each node, with its label or its number in topological order, its formula, data and gradient. Arrows
    lead from operand to result and carry the partial, d result / d operand; a repeated operand has one for each time.
    Leaves have square corners, constants are dashed ovals and carry no partial, results have a thick border. Layers
    and neurons are frames, told from the labels of parameters: `layers.0.neurons.2.weight.1`.

    Of a large graph, `collapse` makes one box of a layer or neuron, with the norm of its parameters' gradients, and one
    of similar nodes outside, as those of many examples are. Such a box has a double border and says how many nodes it
    hides; what was computed ten times in the same way is marked "× 10".

    Of a trace, the moment after its first `at` events: with the numbers that were recorded, the gradients of that
    moment and nothing yet where the forward sweep has not come. The node at work is marked `now`. Arrows carry the
    partial and, once a contribution has been passed on, how much it was; they lead back then. Boxes stay where they
    are through all moments.

    Of a module, one box for each module inside, with its sizes and number of parameters. What is shared counts once.

    Args:
        value: the result, or a list or tuple of several, or a trace; or a module, that is what has `named_modules()`
            and `named_parameters()`.
        at: which moment of a trace, from 0 to its number of events; None for the end.
        collapse: what is one box: None, nothing; "neuron", the innermost modules; "layer", those around neurons; a
            whole number, the modules inside that many others; "auto", the finest of these that can be read.
        color: "grad" fills boxes by their gradient, blue below zero and orange above, on a logarithmic scale; a
            function of a node by the number it returns, or with the colour: "gold", "#ffd700". None for no fill.
        depth: of a module, how many levels inside are opened; None for all but neurons.
        edge_labels: partials as "number", "formula", "both" or "none".
        rankdir: the direction of the arrows: LR (left to right), RL, TB (top to bottom) or BT; without it LR, and TB
            for modules.
        show_constants: whether numbers that entered an expression have boxes; short formulas show them in any case.
        show_grad: whether boxes show gradients.
        show_modules: whether there are frames for layers and neurons.
        time_limit: seconds that the layout may take, `math.inf` for any time.

    Raises:
        TypeError: it is none of these; `at` is given without a trace, `depth` without a module, or `collapse` with one;
            `at` or `depth` is not a whole number; the time limit is not a number; `color` returns something else.
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
    seconds = _seconds(time_limit)
    _check("rankdir", rankdir, (None, *RANKDIRS))
    _check("edge_labels", edge_labels, EDGE_LABELS)
    _check_level(collapse)
    if is_module(value):
        given = {"at": at, "collapse": collapse, "color": color}
        return _of_module(value, depth, rankdir or "TB", seconds, given)
    if depth is not None:
        raise TypeError(f'only a module has a depth; got depth={depth!r} without one; for a graph use collapse="auto"')
    moment = _moment(value, at)
    roots = results(moment.root if moment else value, "draw")
    order = topological_order(*roots)
    groups, level = collapsed(order, roots, collapse)
    heat = _heat(color, order, moment)
    captions = [
        moment.caption if moment else "",
        _words(level, collapse, groups, len(order)),
        heat.legend() if heat else "",
    ]
    shown = Shown(show_constants, show_grad, show_modules, edge_labels)
    boxes = Boxes(groups, numbered(order), frozenset(roots), shown, moment, heat)
    picture = boxes.picture([caption for caption in captions if caption])
    text = tree(list(roots))
    return Diagram(
        dot.source(picture, rankdir or "LR"),
        f"{moment.caption}\n{text}" if moment else text,
        len(picture.boxes),
        len(picture.arrows),
        seconds,
        _smaller(level),
    )


def _of_module(module: object, depth: int | None, rankdir: str, seconds: float, given: Mapping[str, object]) -> Diagram:
    for name, option in given.items():
        if option is not None:
            raise TypeError(
                f"{name} is for graphs; got {name}={option!r} with a module; draw what it computed, such as the loss"
            )
    if depth is not None and (not isinstance(depth, int) or isinstance(depth, bool)):
        raise TypeError(f"depth must be a whole number of levels; got {depth!r}; use depth=1")
    picture, text = architecture(module, depth)
    source = dot.source(picture, rankdir)
    return Diagram(source, text, len(picture.boxes), len(picture.arrows), seconds, "draw it with depth=1")


def _moment(value: object, at: int | None) -> Moment | None:
    if isinstance(value, Trace):
        return Moment(value, len(value) if at is None else at)
    if at is not None:
        raise TypeError(f"only a trace has moments; got at={at!r} without one; draw(Trace(loss), at=...) shows one")
    return None


def _check(name: str, choice: object, choices: tuple[str | None, ...]) -> None:
    if choice not in choices:
        known = [text for text in choices if text]
        raise ValueError(f"{name} must be one of {', '.join(known)}; got {choice!r}; use {name}={known[0]!r}")


def _check_level(collapse: object) -> None:
    is_number = isinstance(collapse, int) and not isinstance(collapse, bool)
    if collapse is not None and collapse not in LEVELS and not (is_number and collapse >= 0):  # type: ignore[operator]
        raise ValueError(
            f"collapse must be one of None, {', '.join(LEVELS)}, or a number of levels from 0 on; "
            f'got {collapse!r}; use collapse="auto"'
        )


def _words(level: Level, asked: Level, groups: list[Group], nodes: int) -> str:
    """What was collapsed, for the caption."""
    if asked is None:
        return ""
    what = {"neuron": "every neuron", "layer": "every layer", 0: "every outermost module"}.get(
        level or 0, f"every module inside {level} others"
    )
    several = [what] * any(group.module for group in groups) + ["all similar nodes"] * (level is not None)
    name = f'"{level}"' if isinstance(level, str) else level
    chosen = f' (collapse="auto" chose {name})' if asked == "auto" else ""
    size = f"{counted(len(groups), 'box')} for {counted(nodes, 'node')}{chosen}"
    return f"one box for {' and '.join(several) or 'every node'}: {size}"


def _smaller(level: Level) -> str:
    """What to do if the layout takes too long."""
    if level is None:
        return 'draw it with collapse="auto" or collapse="layer", or a smaller part of the graph'
    return (
        "draw it with collapse=0, or a smaller part of the graph" if level != 0 else "draw a smaller part of the graph"
    )


def _heat(color: Color, order: list[Value], moment: Moment | None) -> Heat | None:
    if color is None:
        return None
    if color == "grad":
        gradients = {node: node.grad for node in order if node.op is not CONSTANT}
        return Heat("grad", gradients, moment.largest_gradient if moment else None)
    if not callable(color):
        raise ValueError(
            f'color must be None, "grad" or a function of a node; got {color!r}; '
            "for one colour use color=lambda node: 'gold'"
        )
    name = str(getattr(color, "__name__", ""))
    is_told = name.isidentifier() and name not in ("data", "grad")  # else a lambda, or as other rows are called
    return Heat(visible(name, 12) if is_told else "color", amounts(order, color))


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
        advice: what to do if it takes longer.
    """

    def __init__(
        self,
        source: str,
        text: str,
        nodes: int,
        edges: int,
        time_limit: float = 10.0,
        advice: str = "draw a smaller part of the graph",
    ) -> None:
        self.source = source
        self.text = text
        self.nodes = nodes
        self.edges = edges
        self.time_limit = time_limit
        self.advice = advice

    def __repr__(self) -> str:
        return f'<Diagram of {self.size}: .save("graph.svg"), .source>'

    @property
    def size(self) -> str:
        """How many boxes and arrows, in words."""
        return f"{counted(self.nodes, 'box')} and {counted(self.edges, 'arrow')}"

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
                f"the layout took longer than {time_limit:g} s; the diagram has {self.size}; {self.advice}, "
                "pass a longer time_limit=, save as .dot, or read it as text: viz.tree(value)"
            ) from None
        return _with_own_ids(picture, self.source) if format == "svg" else picture


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
