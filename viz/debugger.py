"""The prompt: step through backpropagation, forwards and back, with pdb's habits and gdb's words for going back.

The commands that move are here, those about stops in `viz/stopping.py`, those that only look in `viz/inspection.py`
and `viz/explanation.py`. Nothing is executed again: a cursor moves over a recorded `Trace`, and no gradient of the
engine is touched.
"""

from __future__ import annotations

import re
from difflib import get_close_matches

from engine import Trace, Value
from engine.events import Contribution
from viz.inspection import MISTAKES, CommandError, count, problem
from viz.stopping import Stopping
from viz.syntax import ExpressionError
from viz.wording import number, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

    from engine.stepping import Event
    from viz.stops import Stop

AT_END = "this is the end: every gradient is final; rs, rn and rc go back"
AT_START = "this is the start: nothing is computed yet; s, n and c go on"

HELP = """\
Moving (a number repeats; an empty line repeats the last command)
  s(tep) [n]      one contribution on             rs [n]   one back
  n(ext) [n]      one node on, all its edges      rn [n]   one back
  c(ontinue)      on to the next stop             rc       back to it
  unt(il) NODE    until its gradient is final     r(eturn) until the neuron or layer is done
  j(ump) K        to step K                       start, end
Stopping
  b(reak) NODE | op:tanh | FILE:LINE [, CONDITION]         tbreak: stops once
  watch NODE      when its gradient changes, either way
  cl(ear) N | all     enable N    disable N    ignore N COUNT    condition N [CONDITION]
Looking
  p EXPRESSION    display [EXPRESSION]   undisplay [EXPRESSION]   steps
  w(here)  u(p)  d(own)      the route from the loss to here
  l(ist) [LINE]  ll          the source that made the node
  i(nfo) [b|w|grads]         this moment, breakpoints, watchpoints, gradients
  why [NODE]      its gradient as a sum           paths [NODE] [k]   the paths that matter most
  check [NODE]    against finite differences      g(raph) [FILE]     draw this moment
  h(elp) [COMMAND]    q(uit)
A NODE is a label (a), the end of a dotted one (neurons.0.bias), or a number (#5).
Conditions and expressions: b op:relu, abs(grad) < 1e-12      p a.grad * 2      p node("w.1").data
  fields of a node: data grad op label number final
  of a contribution: upstream partial amount before after slot arrived expected parent"""


def debug(
    value: Value | Trace,
    upstream: float = 1.0,
    *,
    stdin: IO[str] | None = None,
    stdout: IO[str] | None = None,
    ascii: bool = False,
    color: bool | None = None,
) -> None:
    """Step through the backpropagation of a node at a prompt, forwards and back. `help` there lists the commands.

    Nothing is executed again, and no `.grad` is read or written.

    Args:
        value: the node to go back from, or a recorded `Trace`.
        upstream: the gradient of that node itself.
        stdin, stdout: where commands come from and answers go; the terminal, if they are not given.
        ascii: print ASCII characters only.
        color: whether to use colours; None: on terminals, unless NO_COLOR is set.

    Raises:
        TypeError: it is neither a Value nor a Trace.
        RuntimeError: it is a constant.

    >>> import io, sys
    >>> a = Value(3.0, label="a")
    >>> debug(a * a, stdin=io.StringIO("until a\\nquit\\n"), stdout=sys.stdout)
    #2 = a * a, 4 steps: 2 forward, 2 backward. h for help, s to step, q to leave.
    step 4/4  backward  #2 = a * a
      value      #2 = 9   operands a = 3
      upstream   dL/d#2 = 1  (final)
      -> a   d#2/da = a = 3   x 1 = +3   grad 0 -> 3   (1 of 2; more to come)
      -> a   d#2/da = a = 3   x 1 = +3   grad 3 -> 6   (2 of 2; final)
    """
    if not isinstance(value, (Value, Trace)):
        raise TypeError(f"debug steps through a Value or a Trace; got {type(value).__name__}; pass the loss")
    trace = value if isinstance(value, Trace) else Trace(value, upstream)
    Debugger(trace, stdin, stdout, ascii=ascii, color=color).run()


class Debugger(Stopping):
    """The prompt over a trace; `onecmd` runs one command, `run` all that come."""

    prompt = "(glass) "

    def __init__(self, trace: Trace, stdin: IO[str] | None = None, stdout: IO[str] | None = None, *,
                 ascii: bool = False, color: bool | None = None) -> None:  # fmt: skip
        super().__init__(trace, stdin, stdout, ascii=ascii, color=color)
        if stdin is not None:
            self.prompt = ""

    def run(self) -> None:
        """Read commands until one quits, or there are no more."""
        trace = self.cursor.trace
        self.say(
            f"{self.cards.equation(trace.root)}, {len(trace):,} steps: {trace.turn:,} forward, "
            f"{len(trace) - trace.turn:,} backward. h for help, s to step, q to leave."
        )
        while True:
            try:
                self.cmdloop()
                return
            except KeyboardInterrupt:
                self.say("\ninterrupted; q leaves")
            except (OSError, RuntimeError, ValueError) as error:  # a closed stream, bytes that are no text
                self.say(f"*** commands cannot be read: {problem(error)}")
                return

    # --- reading a command

    def onecmd(self, line: str) -> bool:
        """Carry out a command; what is wrong with it is said in a line."""
        if re.match(r"\s*#(?!\d)", line):  # a comment in a script; `#5` is a node
            return False
        try:
            return bool(super().onecmd(line))
        except MISTAKES as error:
            self.say(f"*** {problem(error)}")
        return False

    def default(self, line: str) -> None:
        word = line.split()[0]
        known = [name[3:] for name in self.get_names() if name.startswith("do_")]
        close = get_close_matches(word, known, n=2)
        if self.cursor.labels.get(word) or word.startswith("#"):
            raise CommandError(f"{visible(word)} is a node, not a command; use: p {visible(word)}")
        meant = f"did you mean {' or '.join(close)}?" if close else "h lists the commands"
        raise CommandError(f"there is no command {visible(word)!r}; {meant}")

    def do_help(self, argument: str) -> None:
        """h(elp) [COMMAND]: what there is, or what a command does."""
        if not argument:
            self.say(HELP)
            return
        command = getattr(self, f"do_{argument}", None)
        if command is None or not command.__doc__:
            raise CommandError(f"there is no command {visible(argument)!r}; h lists the commands")
        self.say(" ".join(command.__doc__.split()))

    do_h = do_help

    def do_quit(self, argument: str) -> bool:
        """q(uit): leave; nothing was changed."""
        return True

    do_q = do_exit = do_quit

    def do_EOF(self, argument: str) -> bool:  # noqa: N802  # the name that `cmd` looks for
        """End of input: leave."""
        if self.prompt:
            self.say("")
        return True

    def completedefault(self, text: str, *_: object) -> list[str]:
        """Names of nodes, wherever a command takes one."""
        return [label for label in self.cursor.labels if label.startswith(text) and label.isprintable()]

    # --- moving

    def arrive(self, before: int, *notes: str) -> None:
        """Say where one is after moving from a position."""
        cursor = self.cursor
        self.route, self.frame, self.listed = [], 0, 0
        if before - cursor.position > 1:
            self.say(f"undone: {before - cursor.position:,} steps")
        elif cursor.position < before:
            self.say(f"undone: {self._undone(cursor.trace[cursor.position])}")
        for note in notes:
            self.say(self.paint(note, "warn"))
        self.show_card()
        self.show_displays()

    def _undone(self, event: Event) -> str:
        if isinstance(event, Contribution):
            again = number(self.cursor.state[event.parent])
            return f"{self.name(event.node)} -> {self.name(event.parent)}, whose gradient is {again} again"
        return f"{self.cards.equation(event.node)} is not computed yet"

    def move(self, position: int, *notes: str) -> None:
        """Go to a position, or say that one is at an end."""
        before = self.cursor.position
        if position == before:
            self.say(AT_END if position else AT_START)
            return
        self.cursor.go(position)
        self.arrive(before, *notes)

    def do_step(self, argument: str) -> None:
        """s(tep) [n]: one event on: a node is computed, or a contribution is made."""
        self.move(min(self.cursor.position + count(argument, "step"), len(self.cursor.trace)))

    do_s = do_step

    def do_rs(self, argument: str) -> None:
        """rs [n], reverse-step: one event back."""
        self.move(max(self.cursor.position - count(argument, "rs"), 0))

    def do_next(self, argument: str) -> None:
        """n(ext) [n]: one node on, with all its edges."""
        position = self.cursor.position
        for _ in range(min(count(argument, "next"), len(self.cursor.trace))):
            if position < len(self.cursor.trace):
                position = self.cursor.after_node(position)
        self.move(position)

    do_n = do_next

    def do_rn(self, argument: str) -> None:
        """rn [n], reverse-next: one node back, with all its edges."""
        position = self.cursor.position
        for _ in range(min(count(argument, "rn"), len(self.cursor.trace))):
            if position:
                position = self.cursor.before_node(position)
        self.move(position)

    def do_until(self, argument: str) -> None:
        """unt(il) NODE: on until its gradient is final."""
        if not argument:
            raise CommandError("until needs a node, as in: until a")
        node = self.cursor.node(argument)
        if node.is_constant:
            raise CommandError(f"{self.name(node)} is a constant: it has no gradient")
        if self.cursor.is_final(node):
            self.say(f"{self.name(node)} has its final gradient already: {number(self.cursor.state[node])}")
            return
        self.move(self.cursor.final(node))

    do_unt = do_until

    def do_return(self, argument: str) -> None:
        """r(eturn): on until the neuron or layer around the node has done its part in this sweep."""
        found = self.cursor.out_of_module()
        if found is None:
            if self.cursor.scope(self.here):
                raise CommandError(f"the modules around {self.name(self.here)} are done in this sweep; use n or c")
            raise CommandError(
                f"{self.name(self.here)} belongs to no neuron or layer; labels of parameters such as "
                "layers.0.neurons.2.bias tell; use n or c"
            )
        module, position = found
        self.move(position, f"{visible(module)} is done")

    do_r = do_return

    def do_jump(self, argument: str) -> None:
        """j(ump) K: to the moment after K steps; values never change."""
        last = len(self.cursor.trace)
        if not argument.isdecimal() or len(argument) > 18 or int(argument) > last:
            raise CommandError(
                f"jump needs a step from 0 to {last}; got {visible(argument)!r}; as in: jump {last // 2}"
            )
        self.move(int(argument)) if int(argument) != self.cursor.position else self.show_card()

    do_j = do_jump

    def do_start(self, argument: str) -> None:
        """start: to the beginning, where nothing is computed."""
        self.move(0)

    def do_end(self, argument: str) -> None:
        """end: to the end, where every gradient is final."""
        self.move(len(self.cursor.trace))

    def do_continue(self, argument: str) -> None:
        """c(ontinue): on to the next stop, or to the end."""
        self._run(forwards=True)

    do_c = do_cont = do_continue

    def do_rc(self, argument: str) -> None:
        """rc, reverse-continue: back to the next stop, or to the start."""
        self._run(forwards=False)

    def _run(self, *, forwards: bool) -> None:
        before = self.cursor.position
        if before == (len(self.cursor.trace) if forwards else 0):
            self.say(AT_END if forwards else AT_START)
            return
        try:
            reached = self.stops.run(forwards=forwards)
        except (ExpressionError, LookupError) as error:
            self.arrive(before, f"*** a condition cannot be told here: {problem(error)}")
            return
        except KeyboardInterrupt:
            self.arrive(before, "\ninterrupted; c goes on")
            return
        self.arrive(before, *map(self._hit, reached) if reached else [AT_END if forwards else AT_START])

    def _hit(self, hit: tuple[Stop, Value]) -> str:
        stop, node = hit
        times = "once" if stop.hits == 1 else f"{stop.hits} times"
        name = "" if self.name(node) == stop.text else f": {self.name(node)}"
        return f"{visible(str(stop), 100)}{name}, {times} so far"
