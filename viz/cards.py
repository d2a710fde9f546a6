"""What a step of backpropagation says, as plain data: one card for each position of a `Trace`.

Every face shows the same card in the same words: the terminal lays it out in columns, a page in boxes. This module
knows nothing of columns, colours and cursors.
"""

from __future__ import annotations

import linecache
import math
from typing import NamedTuple, cast

from engine.events import Contribution, Forward
from engine.formulas import partial_formulas, value_formula
from engine.ops import CONSTANT
from viz.wording import file_name, formula, number, numbered, operand, title, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine import Trace, Value

# Of more edges than that only those at the ends and around the current one are shown.
EDGE_LIMIT = 8
EDGES_FIRST, EDGES_LAST = 3, 2

DONE, TO_COME, LEFT_OUT = "done", "to come", "left out"


class Edge(NamedTuple):
    """One edge of the node at work: a contribution, done or to come; or the edges that are left out here.

    Attributes:
        status: DONE, TO_COME or LEFT_OUT.
        parent: what the parent is called.
        partial: the partial as a symbol, `de/da`.
        rule: its formula, `b`; empty if that is just the number.
        number: its number, `-3`.
        arithmetic: `x -2 = +6`.
        gradient: `0 -> 6`, the parent's gradient before and after.
        arrival: `1 of 2; more to come`, or `final`.
        flag: what deserves attention: zeros, nan and inf.
        event: the event's place in the trace; of left-out edges, how many there are.
    """

    status: str
    parent: str
    partial: str
    rule: str
    number: str
    arithmetic: str
    gradient: str
    arrival: str
    flag: str
    event: int


class Card(NamedTuple):
    """What is to be said of a position: the last event that is done there.

    Attributes:
        step: how many events are done.
        steps: how many there are.
        sweep: `start`, `forward` or `backward`.
        equation: the node at work, `e = a * b`.
        place: file and line that made it, `model.py:12`, or empty.
        code: that line, or empty.
        value: `e = -6`; in the forward sweep with the numbers put in, `e = 2 * (-3) = -6`.
        operands: `a = 2`, `b = -3`; constants can be read in the equation.
        upstream: `dL/de = -2`, once the backward sweep has come to the node.
        note: what else deserves attention.
        edges: one for each contribution of the node.
    """

    step: int
    steps: int
    sweep: str
    equation: str
    place: str
    code: str
    value: str
    operands: tuple[str, ...]
    upstream: str
    note: str
    edges: tuple[Edge, ...]


class Cards:
    """The cards of a trace.

    >>> from engine import Trace, Value
    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> cards = Cards(Trace(a * b))
    >>> cards.at(2).equation, cards.at(3).value
    ('b = -3', '#3 = 2 * (-3) = -6')
    >>> [edge.status for edge in cards.at(4).edges], cards.at(4).edges[0].arithmetic
    (['done', 'to come'], 'x 1 = -3')
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.numbers = numbered(trace.nodes)
        self.loss = visible(trace.root.label, 12) if trace.root.label else "L"

    def name(self, node: Value) -> str:
        """The node's label, or its number in topological order."""
        return title(node, self.numbers)

    def equation(self, node: Value) -> str:
        """`e = a * b`, or `b = -3` for a leaf."""
        made = formula(node, self.numbers) if node.parents else number(self.trace.values[node])
        return f"{self.name(node)} = {made}"

    def at(self, k: int) -> Card:
        """The card of the position after k events."""
        event = self.trace[k - 1] if k else None
        if event is None:
            backward = len(self.trace) - self.trace.turn
            note = f"nothing is computed yet: {self.trace.turn:,} steps forward, then {backward:,} backward"
            return Card(0, len(self.trace), "start", self.equation(self.trace.root), *source(self.trace.root),
                        "", (), "", note, ())  # fmt: skip
        node, is_forward = event.node, isinstance(event, Forward)
        return Card(
            k,
            len(self.trace),
            "forward" if is_forward else "backward",
            self.equation(node),
            *source(node),
            self._substituted(node) if is_forward else f"{self.name(node)} = {number(self.trace.values[node])}",
            () if is_forward else tuple(self._operands(node)),
            self._upstream(k, event),
            self._note(event),
            tuple(self._edges(event)) if isinstance(event, Contribution) else (),
        )

    def row(self, k: int) -> tuple[str, str, str, str, str, str, str]:
        """Event k in a line of a table: step, node, value, parent, what is added, gradient, whether that is final."""
        event = self.trace[k]
        made = self.equation(event.node)
        if isinstance(event, Forward):
            return str(k + 1), made, number(event.value), "", "", "", ""
        edge = self._edge(event, "", is_done=True)
        added = f"{number(event.upstream)} x {edge.number} = {event.amount:+.5g}"
        return str(k + 1), made, "", edge.parent, added, edge.gradient, "final" if event.is_final else ""

    def _substituted(self, node: Value) -> str:
        """The equation with numbers in place of names."""
        values, result = self.trace.values, number(self.trace.values[node])
        if not node.parents:
            kind = "a constant" if node.op is CONSTANT else "a variable"
            return f"{self.name(node)} = {result} ({kind})"
        numbers = value_formula(node, [number(values[parent]) for parent in node.parents])
        if len(numbers) > 60:
            numbers = formula(node, self.numbers)
        return f"{self.name(node)} = {numbers} = {result}"

    def _operands(self, node: Value) -> Iterator[str]:
        variables = [parent for parent in dict.fromkeys(node.parents) if parent.op is not CONSTANT or parent.label]
        shown = variables if len(variables) <= 4 else variables[:3]
        for parent in shown:
            yield f"{operand(parent, self.numbers)} = {number(self.trace.values[parent])}"
        if shown is not variables:
            yield f"... {len(variables) - 3:,} more"

    def _upstream(self, k: int, event: Forward | Contribution) -> str:
        if isinstance(event, Contribution):
            return f"d{self.loss}/d{self.name(event.node)} = {number(event.upstream)}"
        if k == self.trace.turn:
            return f"d{self.loss}/d{self.name(event.node)} = {number(self.trace.upstream)}"
        return ""

    def _note(self, event: Forward | Contribution) -> str:
        if isinstance(event, Contribution):
            return "" if event.upstream else "a gradient of zero: nothing to pass on"
        if math.isfinite(event.value):
            return ""
        operands = [self.trace.values[parent] for parent in event.node.parents]
        return _origin(event.value, operands or [event.value])

    def _edges(self, event: Contribution) -> Iterator[Edge]:
        slots = [slot for slot, parent in enumerate(event.node.parents) if parent.op is not CONSTANT]
        place = slots.index(event.slot)
        first = event.index - place  # where the node's contributions begin in the trace
        names = [operand(parent, self.numbers) for parent in event.node.parents]
        rules = partial_formulas(event.node, self.name(event.node), names)
        left_out = 0
        for k in range(len(slots)):
            if len(slots) <= EDGE_LIMIT or _is_shown(k, place, len(slots)):
                if left_out:
                    yield Edge(LEFT_OUT, "", "", "", "", "", "", "", "", left_out)
                    left_out = 0
                contribution = cast("Contribution", self.trace[first + k])
                yield self._edge(contribution, rules[slots[k]], is_done=k <= place)
            else:
                left_out += 1

    def _edge(self, event: Contribution, rule: str, is_done: bool) -> Edge:
        parent, partial = self.name(event.parent), number(event.partial)
        symbol = f"d{self.name(event.node)}/d{operand(event.parent, self.numbers)}"
        rule = "" if rule == partial else rule
        if not is_done:
            return Edge(TO_COME, parent, symbol, rule, partial, "", "", "", "", event.index)
        more = "final" if event.is_final else "more to come"
        arrival = more if event.expected == 1 else f"{event.arrived} of {event.expected}; {more}"
        return Edge(
            DONE,
            parent,
            symbol,
            rule,
            partial,
            f"x {number(event.upstream)} = {event.amount:+.5g}",
            f"{number(event.before)} -> {number(event.after)}",
            arrival,
            _flag(event),
            event.index,
        )


def sentence(card: Card) -> str:
    """The card as a sentence, for those who listen.

    >>> from engine import Trace, Value
    >>> trace = Trace(Value(3.0, label="x") * 2)
    >>> sentence(Cards(trace).at(len(trace)))
    'Step 4 of 4, backward. #3 = x * 2 passes 1 x 2 = +2 on to x; its gradient goes from 0 to 2, final.'
    """
    head = f"Step {card.step} of {card.steps}, {card.sweep}."
    done = [edge for edge in card.edges if edge.status == DONE]
    if not done:
        return " ".join(filter(None, [head, f"{card.value or card.equation}.", card.upstream and f"{card.upstream}.",
                                      card.note and f"{card.note.capitalize()}."]))  # fmt: skip
    edge = done[-1]
    upstream = card.upstream.rpartition(" = ")[2]
    before, _, after = edge.gradient.partition(" -> ")
    flag = f" {edge.flag.capitalize()}." if edge.flag else ""
    return (
        f"{head} {card.equation} passes {upstream} x {edge.number} = {edge.arithmetic.rpartition(' = ')[2]} on to "
        f"{edge.parent}; its gradient goes from {before} to {after}, {edge.arrival}.{flag}"
    )


def _is_shown(k: int, place: int, count: int) -> bool:
    return k < EDGES_FIRST or k >= count - EDGES_LAST or abs(k - place) <= 1


def _flag(event: Contribution) -> str:
    """What deserves attention on an edge."""
    if not math.isfinite(event.amount):
        return _origin(event.amount, (event.upstream, event.partial))
    if not math.isfinite(event.after):
        return _origin(event.after, (event.before, event.amount))
    if event.partial == 0.0 and event.upstream != 0.0:
        return "partial 0: the gradient stops here"
    return "underflow to 0" if not event.amount and event.upstream and event.partial else ""


def _origin(result: float, operands: Iterable[float]) -> str:
    """Whether a nan or inf came in or appears; the first nan may come of inf and 0."""
    came_in = any(math.isnan(x) or (math.isinf(x) and math.isinf(result)) for x in operands)
    return f"{number(result)}!" if came_in else f"{number(result)} appears here"


def source(node: Value) -> tuple[str, str]:
    """`model.py:12` and the line there, if they are known."""
    if node.source is None:
        return "", ""
    file, line = node.source
    return f"{file_name(file)}:{line}", visible(linecache.getline(file, line).strip(), 72)
