"""The prompt's commands that look at the moment the cursor is at: nodes, displays, the route from the loss.

They move no cursor and change nothing but which node of the route is looked at.
"""

from __future__ import annotations

import cmd

from engine.ops import CONSTANT, LEAF
from viz.cards import Cards, source
from viz.colors import paint, wanted
from viz.conditions import Condition
from viz.cursor import Cursor
from viz.names import NODE_FIELDS, Names
from viz.syntax import ExpressionError
from viz.terminal import aligned, can_write, in_ascii, render
from viz.wording import number, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

    from engine import Trace, Value

ROUTE_LIMIT = 12
ROW_LIMIT = 20
MESSAGE_LIMIT = 380


class CommandError(Exception):
    """A command that cannot be carried out; the message is for the one who typed it."""


MISTAKES = (CommandError, LookupError, ValueError, OSError, ImportError, RuntimeError)


class Inspection(cmd.Cmd):
    """Commands that look at the moment a cursor is at."""

    def __init__(
        self,
        trace: Trace,
        stdin: IO[str] | None = None,
        stdout: IO[str] | None = None,
        *,
        ascii: bool = False,
        color: bool | None = None,
    ) -> None:
        super().__init__(stdin=stdin, stdout=stdout)
        self.use_rawinput = stdin is None
        self.cursor = Cursor(trace)
        self.cards = Cards(trace)
        self.color = wanted(self.stdout) if color is None else color
        self.ascii = ascii
        self.route: list[Value] = []
        self.frame = 0
        self.listed = 0
        self.displays: dict[str, tuple[Condition, str]] = {}

    # --- saying

    def say(self, text: str) -> None:
        """Print lines."""
        as_it_is = not self.ascii and can_write(text, self.stdout)
        self.stdout.write((text if as_it_is else in_ascii(text)) + "\n")

    def paint(self, text: str, role: str) -> str:
        return paint(text, role, self.color)

    def show_card(self) -> None:
        self.say(render(self.cards.at(self.cursor.position), color=self.color))

    # --- which node

    @property
    def here(self) -> Value:
        """The node that is looked at: the one at work, or where `up` and `down` have led."""
        if self.route:
            return self.route[self.frame]
        event = self.cursor.event
        return event.node if event else self.cursor.trace.root

    def named(self, name: str) -> Value:
        return self.cursor.node(name) if name else self.here

    def name(self, node: Value) -> str:
        return self.cards.name(node)

    # --- p, info, display

    def do_p(self, argument: str) -> None:
        """p EXPRESSION: print a number, a field or a node: `p a`, `p #5.grad`, `p abs(upstream * partial)`."""
        if not argument:
            raise CommandError(f"p needs something to print, as in: p a.grad * 2; fields are {', '.join(NODE_FIELDS)}")
        self.say(self.evaluated(Condition(argument)))

    do_print = do_p

    def evaluated(self, expression: Condition) -> str:
        names = Names(self.cursor, self.here)
        answer = expression.evaluate(names.resolve, known=self.cursor.labels)
        if not isinstance(answer, dict):
            return visible(str(answer), 200)
        return self.summary(self.cursor.node(f"#{answer['number']}"))

    def summary(self, node: Value) -> str:
        """A node in one line: equation, number, gradient and what is still to come of it."""
        made = self.cards.equation(node)
        if not self.cursor.is_computed(node):
            return f"{made.partition(' = ')[0] if node.op is LEAF else made}, not computed yet"
        data = f" = {number(self.cursor.trace.values[node])}" if node.parents else ""
        return f"{made}{data}, {self.gradient(node)}"

    def gradient(self, node: Value) -> str:
        """`grad 6 (1 of 2 contributions)`."""
        if node.op is CONSTANT:
            return "a constant without a gradient"
        arrivals = self.cursor.trace.arrivals(node)
        arrived = sum(k < self.cursor.position for k in arrivals)
        received = "final" if self.cursor.is_final(node) else f"{arrived} of {len(arrivals)} contributions"
        return f"grad {number(self.cursor.state[node])} ({received})"

    def info_moment(self) -> None:
        cursor, trace = self.cursor, self.cursor.trace
        final = sum(cursor.is_final(node) for node in trace.nodes if node.op is not CONSTANT)
        variables = sum(node.op is not CONSTANT for node in trace.nodes)
        self.say(f"step {cursor.position} of {len(trace)}: {trace.turn} forward, {len(trace) - trace.turn} backward")
        self.say(f"node {self.summary(self.here)}")
        self.say(f"{final} of {variables} gradients are final")
        if modules := cursor.scope(self.here):
            self.say(f"in {visible(modules[-1])}")

    def info_gradients(self) -> None:
        """All variables, as a table."""
        leaves = [node for node in self.cursor.trace.nodes if node.op is LEAF]
        rows = [("node", "data", "grad", "")]
        for node in leaves[:ROW_LIMIT]:
            data = number(self.cursor.trace.values[node]) if self.cursor.is_computed(node) else ""
            _, gradient, received = self.gradient(node).split(" ", 2)
            rows.append((self.name(node), data, gradient, received))
        self.say("\n".join(aligned(rows, "<>><")))
        if len(leaves) > ROW_LIMIT:
            self.say(f"... {len(leaves) - ROW_LIMIT:,} more variables")

    def do_display(self, argument: str) -> None:
        """display [EXPRESSION]: show it now, and after each command that changes it; alone, list what is displayed."""
        if argument:
            condition = Condition(argument)
            Names(self.cursor).check(condition.names)
            self.displays[argument] = condition, self._displayed(condition)
        elif not self.displays:
            self.say("nothing is displayed; use: display a.grad")
        for text in [argument] if argument else self.displays:
            self.say(f"display {text}: {self.displays[text][1]}")

    def do_undisplay(self, argument: str) -> None:
        """undisplay [EXPRESSION]: display it no longer; alone, nothing any longer."""
        if argument and argument not in self.displays:
            raise CommandError(f"{argument!r} is not displayed; `display` lists what is")
        for text in [argument] if argument else list(self.displays):
            del self.displays[text]

    def show_displays(self) -> None:
        """What has changed of what is displayed."""
        for text, (condition, before) in self.displays.items():
            now = self._displayed(condition)
            if now != before:
                self.displays[text] = condition, now
                self.say(f"display {text}: {now}  [was {before}]")

    def _displayed(self, condition: Condition) -> str:
        """Its value; fields of contributions have none in the forward sweep."""
        try:
            return self.evaluated(condition)
        except MISTAKES as error:
            return f"({problem(error)})"

    # --- where, up, down

    def do_where(self, argument: str) -> None:
        """w(here): the route from the loss to here, against the largest contribution at each node."""
        route = self._route()
        shown = [k for k in range(len(route)) if k < 3 or k >= len(route) - 3 or abs(k - self.frame) <= 3]
        if len(route) <= ROUTE_LIMIT:
            shown = list(range(len(route)))
        for before, k in zip([-1, *shown], shown, strict=False):
            if k > before + 1:
                self.say(f"  ... {k - before - 1:,} more ...")
            self._say_frame(k)

    do_w = do_bt = do_where

    def do_up(self, argument: str) -> None:
        """u(p) [n]: look at the node that used this one, towards the loss."""
        self._move_frame(-count(argument, "up"), "the loss: nothing is above it")

    do_u = do_up

    def do_down(self, argument: str) -> None:
        """d(own) [n]: look at the next node of the route, back towards the node at work."""
        self._move_frame(count(argument, "down"), "the node at work: use `up`")

    do_d = do_down

    def _route(self) -> list[Value]:
        if not self.route:
            self.route = self.cursor.route(self.here)
            self.frame = len(self.route) - 1
        return self.route

    def _move_frame(self, change: int, end: str) -> None:
        last = len(self._route()) - 1
        frame = min(max(self.frame + change, 0), last)
        if frame == self.frame:
            self.say(f"this is {end}")
        self.frame, self.listed = frame, 0
        self._say_frame(frame)

    def _say_frame(self, k: int) -> None:
        node = self.route[k]
        place, code = source(node)
        made = f"   {self.paint(place, 'place')}  {self.paint(code, 'faint')}" if place else ""
        mark = ">" if k == self.frame else " "
        self.say(f"{mark} {self.summary(node)}{made}")


def problem(error: Exception) -> str:
    """What is wrong, in one line, whatever it quotes: labels may have line breaks, commands thousands of characters."""
    said: object = error
    if isinstance(error, ExpressionError):
        said = error.problem
    elif isinstance(error, LookupError):
        said = error.args[0]
    return visible(str(said), MESSAGE_LIMIT)


def count(argument: str, command: str) -> int:
    """How many times; once if nothing is said."""
    if not argument:
        return 1
    if not argument.isdecimal() or len(argument) > 18 or int(argument) < 1:
        raise CommandError(
            f"{command} takes a number of times, at least 1; got {visible(argument)!r}; as in: {command} 3"
        )
    return int(argument)
