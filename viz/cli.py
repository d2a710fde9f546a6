"""The command line: `glassgrad step`, `page`, `draw`, `check`, `tree` on an expression, or on a Value in a file."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

from viz.targets import value_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from engine import Value

OPTION = re.compile(r"--|--[A-Za-z][\w-]*(=.*)?|-[ho]", re.DOTALL)

EPILOG = """\
TARGET is one of
  an expression       "tanh(w*x + b)" w=0.5 x=2 b=-1
                      with numbers for its variables; it may name its parts: "h = w*x; tanh(h) + h" w=0.5 x=2
                      functions are those of the operation table: exp, log, tanh, relu, maximum, sum([a, b]), ...
  a Value in a file   path/to/model.py:loss
                      a Value, or a function of no arguments that returns one. THIS RUNS THE FILE, as python would
                      (but not what stands under `if __name__ == "__main__"`).
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 if it went well, 1 if a check failed, 2 if it could not be carried out, 130 if interrupted.

    >>> main(["tree", "w * x", "w=3", "x=2", "--ascii"])
    node               data         grad      partial
    #3 = w * x            6            1
    |- w                  3            2            2
    `- x                  2            3            3
    0
    """
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        reconfigure(errors="backslashreplace")  # a label may have characters that the terminal has not
    options = _parsed(sys.argv[1:] if arguments is None else arguments)
    try:
        return options.run(value_of(options.target, options.variables, modules=options.run is run_draw), options)  # type: ignore[no-any-return]
    except (ValueError, LookupError, RuntimeError, OSError, ImportError) as error:
        if isinstance(error, BrokenPipeError):
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123  # the reader has gone: nothing more to say
            return 0
        print(f"glassgrad: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nglassgrad: interrupted", file=sys.stderr)
        return 130


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Options may stand among the variables, and an expression may start with a minus."""
    parser = _parser()
    words = [f" {word}" if word.startswith("-") and not OPTION.fullmatch(word) else word for word in arguments]
    options, rest = parser.parse_known_args(words)
    unknown = [word for word in rest if word.startswith("-")]
    if unknown:
        parser.error(f"there is no option {unknown[0]}; glassgrad COMMAND --help lists them")
    options.variables += rest
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glassgrad",
        description="See through backpropagation: step through it, draw it, check it.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EPILOG + '\nglassgrad COMMAND --help tells more, as in: glassgrad step "a*b + a" a=2 b=-3',
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    step = _command(
        commands,
        "step",
        run_step,
        "open a prompt to step through backpropagation, forwards and back",
        "A prompt like pdb's: s steps, rs steps back, b sets breakpoints, why explains; h lists all.",
    )
    step.add_argument("--ascii", action="store_true", help="print ASCII characters only")

    page = _command(
        commands,
        "page",
        run_page,
        "write a page to step through backpropagation in a browser",
        "One file that needs no network. A link that ends in #step=7 opens that step.",
    )
    page.add_argument("-o", "--output", type=Path, default=Path("steps.html"), help="the file (default: %(default)s)")
    page.add_argument("--title", help="the heading (default: the equation)")

    draw = _command(
        commands,
        "draw",
        run_draw,
        "draw the graph with its gradients to a file",
        "The format is the extension of the file: svg, png, pdf or dot.",
    )
    draw.add_argument("-o", "--output", type=Path, default=Path("graph.svg"), help="the file (default: %(default)s)")
    draw.add_argument("--at", type=int, metavar="K", help="draw the moment after K steps of backpropagation")
    draw.add_argument("--rankdir", choices=("LR", "RL", "TB", "BT"), help="direction (default: LR; of modules TB)")
    draw.add_argument(
        "--collapse", type=_level, metavar="LEVEL", help="one box for each layer or neuron, a number of levels, or auto"
    )
    draw.add_argument("--color", choices=("grad",), help="fill boxes by their gradient: blue below 0, orange above")
    draw.add_argument(
        "--edge-labels", choices=("number", "formula", "both", "none"), default="number",
        help="how partials stand on arrows (default: number)",
    )  # fmt: skip
    draw.add_argument("--hide-constants", action="store_true", help="leave out numbers that entered the expression")

    check = _command(
        commands,
        "check",
        run_check,
        "check all gradients against finite differences",
        "The exit code is 0 if every gradient agrees, 1 if one does not or cannot be checked.",
    )
    check.add_argument("--rtol", type=float, default=1e-7, help="further relative tolerance (default: %(default)g)")

    tree = _command(commands, "tree", run_tree, "print the graph as text", "From the result down to its leaves.")
    tree.add_argument("--depth", type=int, help="how many levels to show (default: all)")
    tree.add_argument("--max-nodes", type=int, default=100, help="how many lines at most (default: %(default)s)")
    tree.add_argument("--ascii", action="store_true", help="print ASCII characters only")
    return parser


def _level(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def _command(commands: Any, name: str, run: Callable[..., int], summary: str, details: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=f"{summary.capitalize()}.\n{details}", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    command.add_argument("target", metavar="TARGET", help="an expression, or FILE.py:NAME (this runs the file)")
    command.add_argument("variables", metavar="NAME=NUMBER", nargs="*", help="a number for each variable")
    command.set_defaults(run=run)
    return command


def run_step(value: Value, options: argparse.Namespace) -> int:
    from viz.debugger import debug

    debug(value, ascii=options.ascii)
    return 0


def run_page(value: Value, options: argparse.Namespace) -> int:
    from viz.pages import page

    made = page(value, title=options.title)
    print(f"{made.save(options.output)}: {made.steps:,} steps")
    return 0


def run_draw(value: Any, options: argparse.Namespace) -> int:
    from engine import Trace, Value
    from viz.diagram import draw

    target = value
    if options.at is not None:
        if not isinstance(value, Value):
            raise ValueError(f"a moment needs a Value; got {type(value).__name__}; leave --at out to draw a module")
        target = Trace(value)
    elif isinstance(value, Value):
        _backward(value)
    diagram = draw(
        target,
        at=options.at,
        collapse=options.collapse,
        color=options.color,
        edge_labels=options.edge_labels,
        rankdir=options.rankdir,
        show_constants=not options.hide_constants,
    )
    print(f"{diagram.save(options.output)}: {diagram.size}")
    return 0


def run_check(value: Value, options: argparse.Namespace) -> int:
    from engine.replay import check_graph

    report = check_graph(value, rtol=options.rtol)
    print(report)
    return 0 if report else 1


def run_tree(value: Value, options: argparse.Namespace) -> int:
    from viz.terminal import can_write, tree

    _backward(value)
    ascii = options.ascii or not can_write("├─…", sys.stdout)
    print(tree(value, depth=options.depth, ascii=ascii, max_nodes=options.max_nodes))
    return 0


def _backward(value: Value) -> None:
    """Gradients of this value alone, whatever a file did before."""
    value.zero_grad()
    value.backward()


if __name__ == "__main__":
    raise SystemExit(main())
