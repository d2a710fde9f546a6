"""The prompt's commands that explain a node: its source, its gradient as a sum, the paths, a check, a picture."""

from __future__ import annotations

import ast
import linecache
import math

from engine.ops import CONSTANT
from viz.inspection import CommandError, Inspection, count
from viz.terminal import aligned, steps
from viz.wording import number, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.events import Contribution
    from engine.paths import Path

CONTEXT = 5  # lines of source on each side, as pdb
SHOWN = 20  # contributions
PATHS = 5
EDGES = 2_000_000  # of all paths that are listed, for time and memory


class Explanation(Inspection):
    """Commands that explain a node."""

    # --- list, ll

    def do_list(self, argument: str) -> None:
        """l(ist) [LINE]: the source around the line that made the node; again: the lines that follow."""
        file, line, lines = self._lines()
        middle = count(argument, "list") if argument else line
        first = self.listed + 1 if self.listed and not argument else middle - CONTEXT
        if first > len(lines):
            raise CommandError(f"{visible(file)} has {len(lines)} lines; `list {line}` shows the node's again")
        self._say_lines(lines, max(first, 1), first + 2 * CONTEXT, line)

    do_l = do_list

    def do_ll(self, argument: str) -> None:
        """ll: the whole function, or file, that made the node."""
        _, line, lines = self._lines()
        first, last = _function_around("".join(lines), line) or (1, len(lines))
        self._say_lines(lines, first, last, line)

    do_longlist = do_ll

    def _lines(self) -> tuple[str, int, list[str]]:
        node = self.here
        if node.source is None:
            raise CommandError(
                f"no source line is known for {self.name(node)}; build the graph under engine.record_source()"
            )
        file, line = node.source
        lines = linecache.getlines(file)
        if not 1 <= line <= len(lines):
            raise CommandError(f"{self.name(node)} was made at {visible(file)}:{line}, which cannot be read")
        return file, line, lines

    def _say_lines(self, lines: list[str], first: int, last: int, line: int) -> None:
        for k, text in enumerate(lines[first - 1 : last], first):
            mark = "->" if k == line else "  "
            shown = f"{k:4d} {mark} {visible(text.rstrip().expandtabs(4), 200)}".rstrip()
            self.say(self.paint(shown, "name") if k == line else shown)
        self.listed = last

    def do_steps(self, argument: str) -> None:
        """steps: the events around this one, as a table."""
        position = self.cursor.position
        self.say(steps(self.cursor.trace, max(position - 6, 0), position + 5))

    # --- why, paths

    def do_why(self, argument: str) -> None:
        """why [NODE]: its gradient as the sum of its contributions, those to come included."""
        node = self.named(argument)
        trace, name = self.cursor.trace, self.name(node)
        if node.op is CONSTANT:
            raise CommandError(f"{name} is a constant: it has no gradient")
        events = trace.why(node)
        if not events:
            self.say(f"d{self.cards.loss}/d{name} = {number(trace.upstream)}: it is where the backward sweep starts")
            return
        shown = events
        if len(events) > SHOWN:
            largest = sorted(events, key=lambda event: -_size(event.amount))[:SHOWN]
            shown = sorted(largest, key=lambda event: event.index)
        self.say(f"d{self.cards.loss}/d{name} = {_sum(events)}")
        self.say("\n".join(aligned([self._reason(event) for event in shown], "><<<")))
        if shown is not events:
            self.say(f"  ... the {SHOWN} largest of {len(events):,} contributions")

    def _reason(self, event: Contribution) -> tuple[str, str, str, str]:
        added = f"{number(event.upstream)} x {number(event.partial)} = {event.amount:+.5g}"
        when = "" if event.index < self.cursor.position else "(to come)"
        return f"  step {event.index + 1}", self.cards.equation(event.node), added, when

    def do_paths(self, argument: str) -> None:
        """paths [NODE] [k]: the k paths from the loss that matter most, and the share of all others."""
        name, _, most = argument.rpartition(" ")
        if not name and not most.isdecimal():
            name, most = most, ""
        node = self.named(name.strip())
        limit = max(PATHS, EDGES // self.cursor.trace.turn)
        found, left_out = self.cursor.trace.paths(node, min(count(most, "paths"), limit) if most else PATHS)
        title = f"d{self.cards.loss}/d{self.name(node)}"
        if not found:
            self.say(f"{title}: no path from the loss has a product other than zero")
            return
        self.say("\n".join(aligned([self._way(path) for path in found], "><<")))
        if math.isnan(left_out):
            self.say(f"{title}: the share of the other paths cannot be told: there are nan or inf")
        elif left_out:
            size = "path" if len(found) == 1 else f"{len(found)} paths"
            self.say(f"{title}: the largest {size}; all others together have {left_out:.2%} of the sum of sizes")
        else:
            ways = "the only path that matters" if len(found) == 1 else f"all {len(found)} paths that matter"
            self.say(f"{title}: {ways}")

    def _way(self, path: Path) -> tuple[str, str, str]:
        nodes = [self.name(node) for node in path.nodes]
        partials = [number(event.partial) for event in path.contributions]
        if len(nodes) > 9:
            nodes = [*nodes[:4], f"({len(nodes) - 7:,} more)", *nodes[-3:]]
        if len(partials) > 8:
            partials = [*partials[:4], "...", *partials[-3:]]
        factors = [number(self.cursor.trace.upstream), *partials]
        return f"  {path.product:+.5g}", " -> ".join(nodes), " x ".join(factors)

    # --- check, graph

    def do_check(self, argument: str) -> None:
        """check [NODE]: its gradient against finite differences of the loss."""
        from engine.replay import check_graph

        node = self.named(argument)
        if node.op is CONSTANT:
            raise CommandError(f"{self.name(node)} is a constant: it has no gradient to check")
        self.say(str(check_graph(self.cursor.trace.root, [node], self.cursor.trace.values)))

    def do_graph(self, argument: str) -> None:
        """g(raph) [FILE]: draw this moment to a file: svg, png, pdf or dot; without a name, step-7.svg or so."""
        from viz.diagram import draw

        position = self.cursor.position
        path = draw(self.cursor.trace, at=position, collapse="auto").save(argument or f"step-{position}.svg")
        self.say(f"drawn: {path}")

    do_g = do_graph


def _size(amount: float) -> float:
    return math.inf if math.isnan(amount) else abs(amount)


def _sum(events: list[Contribution]) -> str:
    """`36 + 0 = 36`, as far as it fits on a line."""
    total = number(events[-1].after)
    if len(events) == 1:
        return total
    if len(events) > 6:
        return f"{total}, the sum of {len(events):,} contributions"
    terms = "".join(f" {'-' if event.amount < 0 else '+'} {number(abs(event.amount))}" for event in events)
    return f"{terms[1:].removeprefix('+ ')} = {total}"


def _function_around(source: str, line: int) -> tuple[int, int] | None:
    """First and last line of the innermost function around a line."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    functions = [
        (node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return max(functions, default=None)
