"""What a terminal can show: `tree`, the graph; `card`, one step of backpropagation; `steps`, all of them.

It needs the engine and the standard library alone, so it is there when nothing else is installed.
"""

from __future__ import annotations

from itertools import chain

from engine import Value
from engine.graph import topological_order
from engine.ops import CONSTANT
from viz.cards import LEFT_OUT, TO_COME, Cards
from viz.colors import paint
from viz.wording import NUMBER_WIDTH, formula, number, numbered, results, title, width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO

    from engine import Trace
    from viz.cards import Card, Edge

    Row = tuple[str, str, str, str]
    Line = tuple[Value, float | None, str, str, int]  # a node to print: with its partial, indent, branch and level

# Deeper levels are drawn in the same columns and carry their number: a chain of a million must not be as wide.
INDENTED_LEVELS = 16
NAME_COLUMN_LIMIT = 90

UNICODE_BRANCHES = ("├─ ", "└─ ", "│  ", "   ")
ASCII_BRANCHES = ("|- ", "`- ", "|  ", "   ")


def tree(
    value: Value | list[Value] | tuple[Value, ...],
    *,
    depth: int | None = None,
    ascii: bool = False,
    max_nodes: int = 100,
) -> str:
    """The graph as text, from the result down to its leaves: name and formula, data, gradient, partial.

    The partial is d consumer / d node, the consumer being the line it hangs from. A node without a label is called by
    its number in topological order, the same as in `draw`. A node with several consumers is printed once; the others
    refer to it. Numbers that entered an expression stand in its formula; constants have no gradient and no partial.

    Args:
        value: the result, or a list or tuple of several.
        depth: how many levels below the result to show; None for all.
        ascii: draw with ASCII characters only, and escape all others.
        max_nodes: how many lines to show at most; the last line says how many nodes are left out.

    Raises:
        TypeError: it is not a Value, nor a list or tuple of them; a limit is not a whole number.
        ValueError: the list is empty, or a limit too small.

    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> loss = (a * b + 10).tanh()
    >>> loss.label = "loss"
    >>> loss.backward()
    >>> print(tree(loss, ascii=True))
    node                     data         grad      partial
    loss = tanh(#5)       0.99933            1
    `- #5 = #3 + 10             4     0.001341     0.001341
       `- #3 = a * b           -6     0.001341            1
          |- a                  2   -0.0040229           -3
          `- b                 -3    0.0026819            2
    """
    depth = None if depth is None else _limit("depth", depth, 0)
    max_nodes = _limit("max_nodes", max_nodes, 1)
    outline = _Outline(results(value, "tree"), ASCII_BRANCHES if ascii else UNICODE_BRANCHES)
    rows = outline.rows(depth, max_nodes)
    if ascii:
        rows = [(in_ascii(name), data, grad, partial) for name, data, grad, partial in rows]
    lines = _columns([("node", "data", "grad", "partial"), *rows])
    if outline.left_out:
        nodes = "node" if outline.left_out == 1 else "nodes"
        lines.append(f"... {outline.left_out:,} more {nodes} (depth={depth}, max_nodes={max_nodes})")
    return "\n".join(lines)


def in_ascii(text: str) -> str:
    return text.replace("…", "...").encode("ascii", "backslashreplace").decode()


def can_write(text: str, stream: IO[str]) -> bool:
    """Whether the encoding of a stream has all the characters."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):  # of an encoding that is not known
        return False
    return True


def _limit(name: str, number: int, least: int) -> int:
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError(f"{name} must be a whole number; got {number!r}; use {name}={max(least, 10)}")
    if number < least:
        raise ValueError(f"{name} must be at least {least}; got {number}; use {name}={max(least, 10)}")
    return number


class _Outline:
    """The lines of a tree, and how many nodes got none."""

    def __init__(self, roots: tuple[Value, ...], branches: tuple[str, ...]) -> None:
        self.roots = roots
        self.branches = branches
        order = topological_order(*roots)
        self.numbers = numbered(order)
        self.uses = dict.fromkeys(roots, 1)
        for parent, _ in chain.from_iterable(map(_listed, order)):
            self.uses[parent] = self.uses.get(parent, 0) + 1
        self.left_out = 0

    def rows(self, depth: int | None, max_nodes: int) -> list[Row]:
        """One row for each node, depth first; the stack holds what is still to print, the next line on top."""
        rows: list[Row] = []
        shown: set[Value] = set()
        in_full: set[Value] = set()
        stack: list[Line] = [(root, None, "", "", 0) for root in reversed(self.roots)]
        while stack and len(rows) < max_nodes:
            node, partial, indent, branch, level = stack.pop()
            below = [] if node in in_full else _listed(node)
            cut = bool(below) and level == depth
            rows.append(self._row(node, partial, _margin(indent, level) + branch, node in in_full, cut))
            shown.add(node)
            if not cut:
                in_full.add(node)
                stack += self._lines_below(below, indent, branch, level)
        self.left_out = len(self.uses) - len(shown)
        return rows

    def _row(self, node: Value, partial: float | None, margin: str, again: bool, cut: bool) -> Row:
        slope = "" if partial is None or node.op is CONSTANT else number(partial)
        name = self._name(node)
        if again:
            return (f"{margin}{name} (see above)", "", "", slope)
        made = f" = {formula(node, self.numbers)}" if node.parents else ""
        grad = "" if node.op is CONSTANT else number(node.grad)
        return (f"{margin}{name}{made}{' …' if cut else ''}", number(node.data), grad, slope)

    def _name(self, node: Value) -> str:
        """What it is called; with its number where another line refers to it."""
        name = title(node, self.numbers)
        if node.label and self.uses[node] > 1:
            name += f" #{self.numbers[node]}"
        return f"{name} (constant)" if node.op is CONSTANT else name

    def _lines_below(self, below: list[tuple[Value, float]], indent: str, branch: str, level: int) -> Iterator[Line]:
        fork, last, bar, blank = self.branches
        deeper = (indent + {"": "", fork: bar, last: blank}[branch])[-3 * INDENTED_LEVELS :]
        for k, (parent, partial) in enumerate(reversed(below)):
            yield parent, partial, deeper, fork if k else last, level + 1


def _listed(node: Value) -> list[tuple[Value, float]]:
    """The parents that get a line of their own, with the partials; the other numbers can be read in the formula."""
    variadic = node.op.variadic
    return [
        (parent, partial)
        for parent, partial in zip(node.parents, node.partials, strict=True)
        if variadic or parent.op is not CONSTANT or parent.label
    ]


def _margin(indent: str, level: int) -> str:
    return indent if level <= INDENTED_LEVELS + 1 else f"{level}… {indent}"


def _columns(rows: list[Row]) -> list[str]:
    column = min(NAME_COLUMN_LIMIT, max(width(name) for name, *_ in rows))
    return [
        (name + " " * (column - width(name)) + "".join(f"  {cell:>{NUMBER_WIDTH}}" for cell in cells)).rstrip()
        for name, *cells in rows
    ]


def card(trace: Trace, at: int | None = None, *, ascii: bool = False, color: bool = False) -> str:
    """One step of a trace: the node at work, its gradient, and what it passes on along each edge.

    Args:
        trace: the recorded sweeps.
        at: how many events are done, from 0 to `len(trace)`; None for all. The card is of the last one done.
        ascii: use ASCII characters only.
        color: use the colours of the terminal.

    Raises:
        TypeError: it is not a Trace.
        IndexError: the trace has fewer events.

    >>> from engine import Trace
    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> e = a * b
    >>> e.label = "e"
    >>> print(card(Trace(a - 2 * e), 11))
    step 11/11  backward  e = a * b
      value      e = -6   operands a = 2, b = -3
      upstream   dL/de = -2  (final)
      -> a   de/da = b = -3   x -2 = +6   grad 1 -> 7    (2 of 2; final)
      -> b   de/db = a = 2    x -2 = -4   grad 0 -> -4   (final)
    """
    k = position(trace, at, "card")
    text = render(Cards(trace).at(k), color=color)
    return in_ascii(text) if ascii else text


def position(trace: object, at: int | None, caller: str) -> int:
    """A position of a trace, checked.

    Raises:
        TypeError: it is not a Trace.
        IndexError: the trace has fewer events.
    """
    from engine import Trace

    if not isinstance(trace, Trace):
        raise TypeError(f"{caller} shows a Trace; got {type(trace).__name__}; record one with engine.Trace(loss)")
    if at is None:
        return len(trace)
    if not 0 <= at <= len(trace):
        raise IndexError(f"the trace has positions 0 to {len(trace)}; got {at!r}; use one of these")
    return at


def render(card: Card, *, color: bool = False) -> str:
    """A card in lines and columns."""
    head = f"{paint(f'step {card.step}/{card.steps}', 'title', color)}  {card.sweep}  "
    lines = [head + paint(card.equation, "name", color)]
    if card.place:
        lines[0] += f"      {paint(card.place, 'place', color)}  {paint(card.code, 'faint', color)}".rstrip()
    if card.value:
        operands = f"   operands {', '.join(card.operands)}" if card.operands else ""
        lines.append(f"  value      {card.value}{operands}")
    if card.upstream:
        start = "  (final)" if card.edges else "  (the backward sweep starts here)"
        lines.append(f"  upstream   {card.upstream}{start}")
    if card.note:
        lines.append(f"  note       {paint(card.note, _urgency(card.note), color)}")
    return "\n".join([*lines, *_edge_lines(card.edges, color)])


def _urgency(text: str) -> str:
    return "bad" if "nan" in text or "inf" in text else "warn"


def _edge_lines(edges: tuple[Edge, ...], color: bool) -> Iterator[str]:
    real = [edge for edge in edges if edge.status != LEFT_OUT]
    cells = [
        (edge.parent, f"{edge.partial} = {edge.rule + ' = ' if edge.rule else ''}{edge.number}", edge.arithmetic,
         f"grad {edge.gradient}" if edge.gradient else "")
        for edge in real
    ]  # fmt: skip
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)] if cells else []
    rows = iter(cells)
    for edge in edges:
        if edge.status == LEFT_OUT:
            yield paint(f"     ... {edge.event:,} more edges ...", "faint", color)
            continue
        padded = [cell + " " * (column - width(cell)) for cell, column in zip(next(rows), widths, strict=True)]
        if edge.status == TO_COME:
            yield paint(f"  .. {padded[0]}   {padded[1]}   (to come)", "faint", color)
            continue
        arrival = paint(f"({edge.arrival})", "good" if edge.arrival.endswith("final") else "faint", color)
        flag = "  " + paint(edge.flag, _urgency(edge.flag), color) if edge.flag else ""
        yield f"  -> {paint(padded[0], 'name', color)}   {'   '.join(padded[1:])}   {arrival}{flag}"


def steps(trace: Trace, start: int = 0, stop: int | None = None, *, ascii: bool = False) -> str:
    """The events of a trace as a table, one line each: what is computed, then what is added to which gradient.

    Args:
        trace: the recorded sweeps.
        start, stop: which events, as in a slice.
        ascii: use ASCII characters only.

    Raises:
        TypeError: it is not a Trace.

    >>> from engine import Trace
    >>> x = Value(3.0, label="x")
    >>> print(steps(Trace(x.square())))
    step  node            value  to  upstream x partial  gradient
       1  x = 3               3
       2  #2 = square(x)      9
       3  #2 = square(x)         x   1 x 6 = +6          0 -> 6    final
    """
    position(trace, None, "steps")
    cards = Cards(trace)
    rows = [("step", "node", "value", "to", "upstream x partial", "gradient", "")]
    rows += [cards.row(k) for k in range(len(trace))[start:stop]]
    text = "\n".join(aligned(rows, "><><<<<"))
    return in_ascii(text) if ascii else text


def aligned(rows: Sequence[Sequence[str]], sides: str) -> Iterator[str]:
    """Cells in columns, each as wide as its widest."""
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padding = [" " * (column - width(cell)) for cell, column in zip(row, widths, strict=True)]
        cells = [p + cell if side == ">" else cell + p for cell, p, side in zip(row, padding, sides, strict=True)]
        yield "  ".join(cells).rstrip()
