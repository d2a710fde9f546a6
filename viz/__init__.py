"""glassgrad's faces: a prompt to step through backpropagation, diagrams, plots, and texts for the terminal.

They read what the engine recorded and change nothing in it; they know nothing of layers and losses. Imported at an
interactive prompt, `viz` lets Values remember the line that made them: see `engine.record_source.always`.

>>> from engine import Value
>>> import viz
>>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
>>> loss = (a * b + 10).tanh()
>>> viz.draw(loss)
<Diagram of 6 boxes and 5 arrows: .save("graph.svg"), .source>
"""

import sys

from engine import record_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from viz import plots
    from viz.debugger import debug
    from viz.diagram import Diagram, draw
    from viz.pages import Page, page
    from viz.terminal import card, steps, tree

__all__ = ["Diagram", "Page", "card", "debug", "draw", "page", "plots", "steps", "tree"]

if hasattr(sys, "ps1") or sys.flags.interactive:
    record_source.always()


def __getattr__(name: str) -> object:
    """Each face is imported when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if name == "plots":
        return import_module("viz.plots")
    home = {"debug": "debugger", "draw": "diagram", "Diagram": "diagram", "Page": "pages", "page": "pages"}.get(
        name, "terminal"
    )
    return getattr(import_module(f"viz.{home}"), name)
