"""`page`: backpropagation as one HTML file to step through in a browser, forwards and back.

Everything is computed here, once: the layout of the graph, the card and the sentence of every step, the gradients in
between. The script in the page (`viz/page/page.js`) moves a cursor over these records and knows no derivative. The file
is self-contained: a content-security policy forbids it the network and any script but its own.

Names come from users. They reach the page as JSON, where no `<` is left, or escaped in HTML; the script sets text only.
"""

from __future__ import annotations

import json
import linecache
from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import Path

from engine import Trace, Value
from engine.events import Contribution
from engine.ops import CONSTANT
from viz.cards import Card, Cards, Edge, sentence
from viz.pictures import View, views
from viz.wording import counted, file_name, number, shortened, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Sequence
    from os import PathLike
    from string import Template
    from typing import Any

    from engine.stepping import Event

STEP_LIMIT = 20_000
PATHS, NODES_WITH_PATHS = 3, 400
MARGIN = 4  # lines of source around those that made a node
FRAME_HEIGHT = 760
NO_PICTURE = '<p class="hint">The graph is too large to be drawn. The cards and the table say it all in words.</p>'


def page(value: Value | Trace, *, title: str | None = None, rankdir: str = "LR", time_limit: float = 10.0) -> Page:
    """A page to step through backpropagation in a browser: the graph, the step's card, the source, all steps.

    Arrow keys step, with Shift by nodes; `?` lists all keys. A link that ends in `#step=7` opens that step. The page
    works without a network, and without JavaScript it shows the final gradients.

    Args:
        value: the node to go back from, or a recorded `Trace`.
        title: the heading; the equation of the node, if it is not given.
        rankdir: the direction of the arrows, as in `draw`.
        time_limit: seconds that the layout of a picture may take; one that takes longer is left out.

    Raises:
        TypeError: it is neither a Value nor a Trace.
        ValueError: there are more steps than a page can hold.
        RuntimeError: there is no Graphviz on this machine. The message says what to install.

    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> page((a * b).tanh())
    <Page of 7 steps: .save("steps.html"), .html>
    """
    if not isinstance(value, (Value, Trace)):
        raise TypeError(f"a page is made of a Value or a Trace; got {type(value).__name__}; pass the loss")
    trace = value if isinstance(value, Trace) else Trace(value)
    if len(trace) > STEP_LIMIT:
        raise ValueError(
            f"a page holds at most {STEP_LIMIT:,} steps; got {len(trace):,}; make one of a smaller part of the graph, "
            "or step at the prompt: viz.debug(loss)"
        )
    return Page(_html(trace, title, views(trace, rankdir, time_limit)), len(trace))


class Page:
    """A page ready to be saved. A notebook shows it in a frame of its own.

    Attributes:
        html: the whole file.
        steps: how many steps it has.
    """

    def __init__(self, html: str, steps: int) -> None:
        self.html = html
        self.steps = steps

    def __repr__(self) -> str:
        return f'<Page of {counted(self.steps, "step")}: .save("steps.html"), .html>'

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the page to a file, whole or not at all.

        Raises:
            ValueError: the file is called neither .html nor .htm.
            FileNotFoundError: there is no such folder.
        """
        from viz.diagram import write

        path = Path(path)
        if path.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"a page is saved as .html; got {str(path)!r}; use {path.stem + '.html'!r}")
        if not path.parent.is_dir():
            raise FileNotFoundError(f"no such folder to save in; got {str(path)!r}; make {str(path.parent)!r} first")
        return write(path, self.html.encode())

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        """For notebooks: a frame, so that pages cannot disturb each other; and text."""
        frame = (
            f'<iframe sandbox="allow-scripts" srcdoc="{escape(self.html)}" title="steps of backpropagation" '
            f'style="width: 100%; height: {FRAME_HEIGHT}px; border: 1px solid #c4cbd3"></iframe>'
        )
        bundle = {"text/plain": repr(self), "text/html": frame}
        return {
            kind: content
            for kind, content in bundle.items()
            if (not include or kind in include) and not (exclude and kind in exclude)
        }


def _html(trace: Trace, title: str | None, pictures: list[View]) -> str:
    """The file: template, style, script, picture and records."""
    cards = Cards(trace)
    heading = visible(title, 120) if title else cards.equation(trace.root)
    style, script = _asset("page.css"), _asset("page.js")
    records = json.dumps(_records(trace, cards), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return _template().substitute(
        policy="default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"script-src '{_hash(script)}'; style-src '{_hash(style)}'",
        title=escape(heading),
        style=style,
        script=script,
        views=NO_PICTURE if not pictures else "\n".join(_view(view, k > 0) for k, view in enumerate(pictures)),
        choices="\n".join(map(_choice, pictures)) if len(pictures) > 1 else "",
        size=counted(len(trace), "step"),
        steps=len(trace),
        forward=f"{trace.turn:,}",
        backward=f"{len(trace) - trace.turn:,}",
        rows="\n".join(_table_row(cards, k) for k in range(len(trace))),
        # in a script element nothing but a `<` can end it or open a comment
        records=records.replace("<", "\\u003c"),
    )


def _view(view: View, is_hidden: bool) -> str:
    return f'<div class="view" data-view="{view.name}"{" hidden" if is_hidden else ""}>{view.svg}</div>'


def _choice(view: View) -> str:
    return f'<button type="button" data-show="{view.name}" aria-pressed="false">{view.name.capitalize()}</button>'


def _asset(name: str) -> str:
    return (files("viz") / "page" / name).read_text(encoding="utf-8")


def _template() -> Template:
    from string import Template

    return Template(_asset("page.html"))


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()


def _table_row(cards: Cards, k: int) -> str:
    """Event k in the table: readable without the script, which makes the step's number a button."""
    step, *cells = cards.row(k)
    return f'<tr><th scope="row">{step}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'


# --- what the script reads


def _records(trace: Trace, cards: Cards) -> dict[str, Any]:
    sources = _Sources(trace)
    all_cards = [cards.at(k) for k in range(len(trace) + 1)]
    heads, edges = _Table(), _Table()
    return {
        "turn": trace.turn,
        "loss": cards.loss,
        "root": len(trace.nodes) - 1,
        "upstream": _both(trace.upstream),
        "nodes": [_node(trace, cards, node, sources) for node in trace.nodes],
        "events": [_event(cards, event) for event in trace],
        "cards": [[heads.place(card[:-1][2:]), [edges.place(edge) for edge in card.edges]] for card in all_cards],
        "headFields": Card._fields[2:-1],
        "heads": list(heads.places),
        "edgeFields": Edge._fields,
        "edges": list(edges.places),
        "sentences": [sentence(card) for card in all_cards],
        "files": sources.files,
    }


def _both(amount: float) -> list[str]:
    """A number as it is shown, and exactly."""
    return [number(amount), repr(amount)]


def _node(trace: Trace, cards: Cards, node: Value, sources: _Sources) -> dict[str, Any]:
    has_paths = node.op is not CONSTANT and len(trace.nodes) <= NODES_WITH_PATHS
    return {
        "name": cards.name(node),
        "equation": cards.equation(node),
        "kind": "constant" if node.op is CONSTANT else "computed" if node.parents else "variable",
        "data": _both(trace.values[node]),
        "parents": sorted({cards.numbers[parent] - 1 for parent in node.parents}),
        "arrivals": [] if node.op is CONSTANT else trace.arrivals(node),
        "paths": [[event.index for event in path.contributions] for path in trace.paths(node, PATHS)[0]]
        if has_paths
        else [],
        "source": sources.place(node),
    }


def _event(cards: Cards, event: Event) -> list[Any]:
    """The node at work; of a contribution also slot, parent, the parent's gradient before and after, and the amount.

    Each of these numbers as it is shown, and exactly.
    """
    node = cards.numbers[event.node] - 1
    if not isinstance(event, Contribution):
        return [node]
    before, after = _both(event.before), _both(event.after)
    return [
        node,
        event.slot,
        cards.numbers[event.parent] - 1,
        *before,
        *after,
        f"{event.amount:+.5g}",
        repr(event.amount),
    ]


class _Table:
    """Records that many cards share, each once."""

    def __init__(self) -> None:
        self.places: dict[tuple[object, ...], int] = {}

    def place(self, record: tuple[object, ...]) -> int:
        return self.places.setdefault(tuple(record), len(self.places))


class _Sources:
    """The lines that made nodes, with those around them, by file."""

    def __init__(self, trace: Trace) -> None:
        made: dict[str, set[int]] = {}
        for node in trace.nodes:
            if node.source and linecache.getline(*node.source):
                made.setdefault(node.source[0], set()).add(node.source[1])
        self._numbers = {file: k for k, file in enumerate(made)}
        self.files = [
            {"name": file_name(file), "lines": _excerpt(linecache.getlines(file), made[file])} for file in made
        ]

    def place(self, node: Value) -> Sequence[int]:
        """Which file, and which line of it; nothing if that is not known."""
        if node.source is None or node.source[0] not in self._numbers:
            return ()
        return self._numbers[node.source[0]], node.source[1]


def _excerpt(lines: list[str], made: set[int]) -> list[tuple[int, str]]:
    """The numbered lines near those that made nodes."""
    near = sorted({k for line in made for k in range(line - MARGIN, line + MARGIN + 1) if 1 <= k <= len(lines)})
    return [
        (k, shortened("".join(c if c.isprintable() else " " for c in lines[k - 1].rstrip().expandtabs(4)), 160))
        for k in near
    ]
