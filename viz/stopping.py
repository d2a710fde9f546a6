"""The prompt's commands that set, list, change and delete breakpoints and watchpoints; they move nothing."""

from __future__ import annotations

from viz.explanation import Explanation
from viz.inspection import CommandError
from viz.stops import Stop, Stops
from viz.wording import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Stopping(Explanation):
    """Commands about stops."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.stops = Stops(self.cursor)

    def do_break(self, argument: str) -> None:
        """b(reak) NODE | op:tanh | FILE:LINE [, CONDITION]: stop when it is the node's turn; alone, list the stops."""
        if argument:
            self._say_stop(self.stops.add(argument))
        else:
            self.list_stops()

    do_b = do_break

    def do_tbreak(self, argument: str) -> None:
        """tbreak ...: a breakpoint that stops once."""
        self._say_stop(self.stops.add(argument, is_temporary=True))

    def do_watch(self, argument: str) -> None:
        """watch NODE: stop when its gradient changes, forwards or back."""
        if not argument:
            raise CommandError("watch needs a node, as in: watch a")
        self._say_stop(self.stops.watch(argument))

    def _say_stop(self, stop: Stop) -> None:
        places = "1 place" if len(stop.places) == 1 else f"{len(stop.places):,} places"
        self.say(f"{visible(str(stop), 100)} ({places})")

    def list_stops(self, kind: str = "") -> None:
        stops = [stop for stop in self.stops.all.values() if kind in ("", stop.kind)]
        if not stops:
            self.say(f"there are no {kind or 'stop'}s; use: {'watch NODE' if kind == 'watchpoint' else 'b NODE'}")
        for stop in stops:
            notes = [
                f"stopped {'once' if stop.hits == 1 else f'{stop.hits} times'}" if stop.hits else "",
                "" if stop.is_enabled else "disabled",
                "goes after one stop" if stop.is_temporary else "",
                f"ignores the next {stop.ignore}" if stop.ignore else "",
            ]
            self.say(", ".join([visible(str(stop), 100), *filter(None, notes)]))

    def do_info(self, argument: str) -> None:
        """i(nfo) [b|w|grads]: this moment; or the breakpoints, the watchpoints, the gradients of all variables."""
        if not argument:
            self.info_moment()
        elif argument.startswith("b"):
            self.list_stops("breakpoint")
        elif argument.startswith("w"):
            self.list_stops("watchpoint")
        elif argument.startswith("g"):
            self.info_gradients()
        else:
            raise CommandError(f"info knows b, w and grads; got {visible(argument)!r}; alone it tells of this moment")

    do_i = do_info

    def do_clear(self, argument: str) -> None:
        """cl(ear) N ... | all: delete breakpoints and watchpoints."""
        for stop in list(self.stops.all.values()) if argument == "all" else self._stops(argument, "clear"):
            del self.stops.all[stop.number]
            self.say(f"cleared {visible(str(stop), 100)}")

    do_cl = do_clear

    def do_enable(self, argument: str) -> None:
        """enable N ...: let stops stop again."""
        for stop in self._stops(argument, "enable"):
            stop.is_enabled = True

    def do_disable(self, argument: str) -> None:
        """disable N ...: let stops pass, and keep them."""
        for stop in self._stops(argument, "disable"):
            stop.is_enabled = False

    def do_ignore(self, argument: str) -> None:
        """ignore N COUNT: let a stop pass so many times."""
        numbers = argument.split()
        if len(numbers) != 2 or not numbers[1].isdecimal():
            raise CommandError("ignore takes a stop and a count, as in: ignore 1 3")
        for stop in self._stops(numbers[0], "ignore"):
            stop.ignore = int(numbers[1][:18])
            self.say(f"{visible(str(stop), 100)} lets {stop.ignore} pass")

    def do_condition(self, argument: str) -> None:
        """condition N [CONDITION]: give a breakpoint another condition, or none."""
        name, _, condition = argument.partition(" ")
        for stop in self._stops(name, "condition"):
            self.stops.restrict(stop, condition.strip())
            self._say_stop(stop)

    def _stops(self, argument: str, command: str) -> list[Stop]:
        if not argument:
            raise CommandError(f"{command} takes the number of a stop, as in: {command} 1; `break` lists them")
        known = {str(number): stop for number, stop in self.stops.all.items()}
        words = dict.fromkeys(argument.split())
        for word in words:
            if word not in known:
                raise CommandError(f"there is no stop {visible(word)!r}; `break` lists them")
        return [known[word] for word in words]
