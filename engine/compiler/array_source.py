"""Source under way: lines that call functions on arrays that exist. This module knows nothing of programs."""

from __future__ import annotations

import numpy as np

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Array = Any
    Axes = tuple[int, ...]


def address(array: Array) -> int:
    """Of its first number; `array.ctypes` takes longer."""
    found: int = array.__array_interface__["data"][0]
    return found


class Calls:
    """Source under way: lines that call functions on arrays, and the names of both."""

    def __init__(self, dtype: Any) -> None:
        self.lines: list[str] = []
        self.scope: dict[str, Any] = {}
        self._dtype = dtype
        self._names: dict[Any, str] = {}
        self.owned: list[Array] = []
        self._ones: dict[int, Array] = {}

    def name(self, thing: Any) -> str:
        """A name for an object; a number is an array without axes, which takes less time than a float: `c0_5`."""
        if isinstance(thing, float):
            name = "c" + repr(thing).removesuffix(".0").replace("-", "m").replace(".", "_").replace("+", "")
            self.scope.setdefault(name, np.array(thing, self._dtype))
            return name
        key = thing if callable(thing) else id(thing)
        if key not in self._names:
            name = getattr(thing, "__name__", "") if callable(thing) else ""
            if name == "reduce":
                name = f"{thing.__self__.__name__}_reduce"
            if not name.isidentifier() or name in self.scope:
                name = f"a{len(self.scope)}"
            self.scope[name] = thing
            self._names[key] = name
        return self._names[key]

    def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        """Write one call; options are literals or arrays."""
        self.lines.append(self.text(function, *arguments, **options))

    def text(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> str:
        texts = [self.name(argument) for argument in arguments]
        texts += [f"{key}={self.name(v) if isinstance(v, np.ndarray) else repr(v)}" for key, v in options.items()]
        return f"{self.name(function)}({', '.join(texts)})"

    def array(self, shape: Axes, dtype: Any) -> Array:
        """An array for numbers that this run of the calls computes; see `array_sharing`."""
        self.owned.append(np.empty(shape, dtype))
        return self.owned[-1]

    def ones(self, count: int) -> Array:
        """To multiply with them is to sum."""
        return self._ones.setdefault(count, np.ones(count, self._dtype))

    def views(self, array: Array) -> Callable[[Array], None]:
        """What makes the named views of an array views of another one of the same shape and type."""
        start = address(array)
        found = [
            (name, thing.shape, address(thing) - start, thing.strides)
            for name, thing in self.scope.items()
            if isinstance(thing, np.ndarray) and start <= address(thing) < start + array.nbytes
        ]
        scope, new = self.scope, np.ndarray

        def point(other: Array) -> None:
            for name, shape, offset, strides in found:
                scope[name] = new(shape, other.dtype, other, offset, strides)

        return point

    def function(self, title: str) -> Callable[[], None]:
        """The lines as a function without arguments."""
        import linecache

        text = "\n".join(["def run():", *(f"    {line}" for line in self.lines or ["pass"])])
        file = f"<glassgrad {title}>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        exec(compile(text, file, "exec"), self.scope)
        return self.scope.pop("run")  # type: ignore[no-any-return]
