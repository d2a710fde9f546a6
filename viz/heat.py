"""Boxes filled by a number: blue below zero, orange above, the stronger the further from it.

The scale is logarithmic, so that small numbers are seen beside large ones, and symmetric, so that white is zero. No
number is told by its colour alone: it stands on the box with its sign.

This module knows numbers and colours, not what they are drawn on.
"""

from __future__ import annotations

import math
import re

from viz.wording import number, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from engine import Value

    Amount = float | str
    Attributes = dict[str, str]

# Sky blue and orange of Okabe and Ito's palette for all kinds of sight: dark text has a contrast of 7 on either.
NEGATIVE, POSITIVE = (0x56, 0xB4, 0xE9), (0xE6, 0x9F, 0x00)
DECADES = 4
"""How far below the largest a number can be and still be told from zero."""

NOT_FINITE = {"style": "filled,dashed", "color": "#000000", "penwidth": "2.5"}
NAN = {**NOT_FINITE, "fillcolor": "#d5d5d5", "fontcolor": "#000000"}

NAMES = {
    "white": "#ffffff", "black": "#000000", "gray": "#808080", "lightgray": "#d3d3d3", "red": "#ff0000",
    "tomato": "#ff6347", "pink": "#ffc0cb", "brown": "#a52a2a", "orange": "#ffa500", "gold": "#ffd700",
    "yellow": "#ffff00", "lightyellow": "#ffffe0", "green": "#008000", "lightgreen": "#90ee90", "teal": "#008080",
    "cyan": "#00ffff", "blue": "#0000ff", "lightblue": "#add8e6", "navy": "#000080", "purple": "#800080",
    "lavender": "#e6e6fa", "magenta": "#ff00ff",
}  # fmt: skip


def amounts(nodes: Iterable[Value], function: Callable[[Value], object]) -> dict[Value, Amount]:
    """What the function gives for each node: a number, or a colour as #rrggbb; nodes without either are left out.

    Raises:
        TypeError: it gives something else.
        ValueError: it gives a text that is no colour.
    """
    found: dict[Value, Amount] = {}
    for node in nodes:
        amount = function(node)
        if isinstance(amount, str):
            found[node] = _hexadecimal(amount)
        elif amount is not None:
            try:
                found[node] = float(amount)  # type: ignore[arg-type]
            except (TypeError, ValueError):
                raise TypeError(
                    f"color must give a number, a colour or None for each node; got {amount!r} for {node!r}; "
                    "use color=lambda node: node.data, say"
                ) from None
    return found


def _hexadecimal(name: str) -> str:
    if re.fullmatch("#[0-9a-fA-F]{6}", name):
        return name
    if name not in NAMES:
        raise ValueError(f"there is no such colour; got {visible(name)!r}; use '#rrggbb' or one of {', '.join(NAMES)}")
    return NAMES[name]


class Heat:
    """The fills for boxes of one or several nodes.

    Args:
        name: of what the numbers are.
        amounts: a number or a colour for each node.
        largest: where the scale ends; without it, at the number furthest from zero.

    >>> from engine import Value
    >>> a, b = Value(1.0), Value(-0.01)
    >>> heat = Heat("data", {a: a.data, b: b.data})
    >>> heat.row([a, b]), heat.look([a])["fillcolor"], heat.look([b])["fillcolor"]
    ('+1', '#e69f00', '#aad9f4')
    >>> heat.legend()
    'fill: data, from -1 (blue) through 0 (white) to +1 (orange), logarithmic'
    """

    def __init__(self, name: str, amounts: Mapping[Value, Amount], largest: float | None = None) -> None:
        self.name = name
        self._amounts = amounts
        numbers = [abs(amount) for amount in amounts.values() if not isinstance(amount, str)]
        self._has_numbers = bool(numbers)
        self._largest = max(filter(math.isfinite, numbers), default=0.0) if largest is None else largest

    def _amount(self, nodes: Iterable[Value]) -> Amount | None:
        """Of several nodes the number furthest from zero, nan being further than any; a colour is out of the race."""
        found = [self._amounts[node] for node in nodes if node in self._amounts]
        numbers = [amount for amount in found if not isinstance(amount, str)]
        if numbers:
            return max(numbers, key=lambda amount: (math.isnan(amount), abs(amount)))
        return found[0] if found else None

    def row(self, nodes: Iterable[Value]) -> str:
        """The number that a box is filled by, with its sign; nothing if there is none."""
        amount = self._amount(nodes)
        return "" if amount is None or isinstance(amount, str) else signed(amount)

    def look(self, nodes: Iterable[Value]) -> Attributes:
        """The fill of a box, and a colour for text that can be read on it; dashed and thick for nan and inf."""
        amount = self._amount(nodes)
        if amount is None:
            return {}
        if isinstance(amount, str):
            return {"fillcolor": amount, "fontcolor": "#ffffff" if _luminance(amount) < 0.179 else "#000000"}
        if math.isnan(amount):
            return NAN
        look = {"fillcolor": _shade(amount, self._largest), "fontcolor": "#000000"}
        return look if math.isfinite(amount) else {**NOT_FINITE, **look}

    def legend(self) -> str:
        """A line that says what the fills mean; nothing if there are colours only."""
        if not self._has_numbers:
            return ""
        if not self._largest:
            return f"fill: {self.name}; every one is 0 or not finite"
        end = number(self._largest)
        return f"fill: {self.name}, from -{end} (blue) through 0 (white) to +{end} (orange), logarithmic"


def signed(amount: float) -> str:
    """A number with its sign, also a plus; zero and nan have none.

    >>> signed(2.0), signed(-0.5), signed(-0.0), signed(math.nan)
    ('+2', '-0.5', '0', 'nan')
    """
    return "0" if not amount else f"{amount:+.5g}" if amount == amount else "nan"


def _shade(amount: float, largest: float) -> str:
    share = min(abs(amount) / largest, 1.0) if largest else float(amount != 0.0)
    strength = math.log1p(share * 10**DECADES) / math.log1p(10**DECADES)
    end = NEGATIVE if amount < 0 else POSITIVE
    return "#" + "".join(f"{round(255 + (channel - 255) * strength):02x}" for channel in end)


def _luminance(color: str) -> float:
    """Relative luminance (WCAG 2.1): black and white text have equal contrast on 0.179, and 4.58 it is then."""
    channels = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    red, green, blue = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
