"""What a module is made of: a box for each module inside, with its kind, sizes and number of parameters.

Nothing is computed, so the order in which modules are defined stands for the flow, where the sizes fit.

This module knows no library of layers. A module is what has `named_modules()` and `named_parameters()`, from which
every module and parameter comes once, with its dotted path; what else it tells is read from its `repr`.
"""

from __future__ import annotations

import re
from itertools import pairwise

from viz.boxes import LEAF_LOOK, MODULE_LOOK
from viz.dot import Arrow, Box, Picture, justified
from viz.modules import is_neuron, module_title
from viz.wording import counted, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from typing import Any

KIND_LIMIT = 60
MANY_ARROWS = 100
PORT_LOOK = {**LEAF_LOOK, "shape": "oval", "margin": "0.05,0.03"}


def is_module(thing: object) -> bool:
    """Whether it has what a module needs here; a class of modules is none.

    >>> is_module(3.0), is_module(type)
    (False, False)
    """
    return not isinstance(thing, type) and all(
        callable(getattr(thing, name, None)) for name in ("named_modules", "named_parameters")
    )


def architecture(root: Any, depth: int | None) -> tuple[Picture, str]:
    """The boxes of a module, and the same as text.

    Args:
        root: the module.
        depth: how many levels of modules inside are opened, 0 for one box; None for all but neurons.
    """
    found = _Architecture(root, depth)
    return found.picture(), "\n".join(found.lines())


class _Architecture:
    def __init__(self, root: Any, depth: int | None) -> None:
        self.root = root
        modules = dict(root.named_modules())
        modules.setdefault("", root)
        outer = {path: _outer(path, modules) for path in modules if path}
        levels = {"": 0}
        self.inner: dict[str, list[str]] = {"": []}
        for path in sorted(outer, key=lambda path: path.count(".")):
            levels[path] = levels.get(outer[path], 0) + 1
        for path in outer:
            is_open = levels[path] <= depth if depth is not None else not is_neuron(path)
            if is_open and outer[path] in self.inner:
                self.inner[outer[path]].append(path)
                self.inner[path] = []
        self.modules = {path: modules[path] for path in self.inner}
        self.outer = {path: outer[path] for path in self.inner if path}
        self.sizes = {path: _sizes(module) for path, module in self.modules.items()}
        self.parameters = dict.fromkeys(self.inner, 0)
        for name, parameter in root.named_parameters():
            self._count(name, int(parameter.numel()) if callable(getattr(parameter, "numel", None)) else 1)

    def _count(self, name: str, size: int) -> None:
        """Add a parameter to the modules around it."""
        path: str | None = _outer(name, self.inner)
        while path is not None:
            self.parameters[path] += size
            path = self.outer.get(path)

    def picture(self) -> Picture:
        names = {path: f"m{k}" for k, path in enumerate(self.inner) if not self.inner[path]}
        boxes = [
            Box(name, justified(self._texts(path)), MODULE_LOOK, self._scope(path)) for path, name in names.items()
        ]
        pairs = list(self._flow())
        arrows = [Arrow(names[tail], names[head], [], {}) for tail, head in pairs]
        size_in, size_out = self.sizes[""] or (0, 0)
        if self.sizes[""]:
            heads, tails = {head for _, head in pairs}, {tail for tail, _ in pairs}
            boxes = [Box("input", [counted(size_in, "input")], PORT_LOOK), *boxes]
            boxes.append(Box("output", [counted(size_out, "output")], PORT_LOOK))
            arrows = [Arrow("input", names[path], [], {}) for path in names if path not in heads] + arrows
            arrows += [Arrow(names[path], "output", [], {}) for path in names if path not in tails]
        own = self.parameters[""] - sum(self.parameters[path] for path in names)
        rest = f", {own:,} of them outside these boxes" if own else ""
        caption = [f"{_kind(self.root)}: {counted(self.parameters[''], 'parameter')}{rest}"]
        if pairs:
            caption.append("arrows: from module to module in the order of definition, where sizes fit")
        titles = {path: visible(module_title(path, self.outer[path])) for path in self.outer if self.inner[path]}
        return Picture(boxes, arrows, titles, justified(caption), len(arrows) > MANY_ARROWS)

    def lines(self) -> Iterator[str]:
        """One line for each module, indented."""
        for path in self.inner:
            yield "  " * len(self._scope(path)) + "  ".join(self._texts(path))

    def _texts(self, path: str) -> list[str]:
        title = [visible(module_title(path, self.outer[path]))] if path else []
        return [*title, _described(self.modules[path]), counted(self.parameters[path], "parameter")]

    def _scope(self, path: str) -> tuple[str, ...]:
        around = []
        while self.outer.get(path):
            path = self.outer[path]
            around.append(path)
        return tuple(reversed(around))

    def _flow(self) -> Iterator[tuple[str, str]]:
        """Arrows between boxes. Of a module that is open they start and end at the boxes inside, innermost first."""
        starts: dict[str, list[str]] = {}
        ends: dict[str, list[str]] = {}
        for path in sorted(self.inner, key=lambda path: len(self._scope(path)) + bool(path), reverse=True):
            inner = self.inner[path]
            fits = [self._fits(first, second) for first, second in pairwise(inner)]
            for (first, second), fit in zip(pairwise(inner), fits, strict=True):
                if fit:
                    yield from ((tail, head) for tail in ends[first] for head in starts[second])
            opening = [name for name, fit in zip(inner, [False, *fits], strict=False) if not fit]
            closing = [name for name, fit in zip(inner, [*fits, False], strict=False) if not fit]
            starts[path] = [box for name in opening for box in starts[name]] or [path]
            ends[path] = [box for name in closing for box in ends[name]] or [path]

    def _fits(self, first: str, second: str) -> bool:
        """Whether one module may pass its outputs on to the other: neurons stand side by side."""
        if is_neuron(first) or is_neuron(second):
            return False
        before, after = self.sizes[first], self.sizes[second]
        if before and after:
            return before[1] == after[0]
        return first.rpartition(".")[0] == second.rpartition(".")[0] and first.rpartition(".")[2].isdecimal()


def _outer(path: str, modules: Container[str]) -> str:
    """The innermost of these modules that a path leads through."""
    while path:
        path = path.rpartition(".")[0]
        if path in modules:
            return path
    return ""


def _kind(module: object) -> str:
    return visible(type(module).__name__)


def _described(module: object) -> str:
    """Its `repr` on one line, without the number of parameters: `Layer(2 -> 16, relu)`; of several lines, the kind."""
    text = repr(module)
    if "\n" in text:
        return _kind(module)
    return visible(re.sub(r"(, )?[\d,]+ parameters?(?=\))", "", text).removesuffix("()"), KIND_LIMIT)


def _sizes(module: object) -> tuple[int, int] | None:
    """How many numbers go in and come out, if it says so."""
    for names in (("in_features", "out_features"), ("inputs", "outputs")):
        sizes = [getattr(module, name, None) for name in names]
        if all(isinstance(size, int) for size in sizes):
            return sizes[0], sizes[1]  # type: ignore[return-value]
    text = repr(module)
    first, rest = re.search(r"(\d+) -> ", text), re.findall(r" -> (\d+)", text)
    return (int(first[1]), int(rest[-1])) if first and rest else None
