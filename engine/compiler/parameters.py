"""Who owns the numbers of a compiled function's parameters: the Values, or one flat list or array.

They stay in the Values until `take()` moves them into a flat array, for optimizers that work on arrays. From then on
each Value looks its number up there, and setting its data writes there: neither side is ever stale. `give_back()`
ends it.
"""

from __future__ import annotations

from engine.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any


_lent: dict[type[Value], type[Value]] = {}


def _lent_kind(kind: type[Value]) -> type[Value]:
    """The class of a parameter while its number lies in a flat array: `_to_first` is the array, `_to_second` where."""

    def read(self: Value) -> float:
        return float(self._to_first[self._to_second])

    def write(self: Value, number: float) -> None:
        self._to_first[self._to_second] = number

    if kind not in _lent:
        _lent[kind] = type(kind.__name__, (kind,), {"__slots__": (), "_data": property(read, write), "kept_as": kind})
    return _lent[kind]


class Parameters:
    """The parameters of a compiled function, in order.

    Attributes:
        values: the parameters.
        flat: their numbers, while they are taken; else None.

    >>> a, b = Value(1.0), Value(2.0)
    >>> parameters = Parameters()
    >>> parameters.places([a, b])
    [0, 1]
    >>> flat = parameters.take(list)
    >>> flat[1] = 5.0
    >>> b.data, parameters.take(list) is flat
    (5.0, True)
    >>> parameters.give_back()
    >>> b
    Value(5.0, grad=0.0)
    """

    def __init__(self) -> None:
        self.values: list[Value] = []
        self._place: dict[Value, int] = {}
        self.flat: Any = None

    def places(self, parameters: Iterable[Value]) -> list[int]:
        """Where these are among all; new ones come last."""
        new = [parameter for parameter in parameters if parameter not in self._place]
        if new:
            taken = self.flat is not None
            self.give_back()
            for parameter in new:
                self._place[parameter] = len(self.values)
                self.values.append(parameter)
            if taken:
                raise RuntimeError(
                    f"examples of another shape use other parameters; got {len(new)} new ones while the numbers are "
                    "taken; call the function once with every shape before take()"
                )
        return [self._place[parameter] for parameter in parameters]

    def numbers(self) -> Any:
        """The numbers now, to read: an array, or a list of Python's floats."""
        if self.flat.__class__ is list:
            return list(map(float, self.flat))  # somebody may have put NumPy's there, which warn
        return self.flat if self.flat is not None else [parameter._data for parameter in self.values]

    def take(self, made_of: Callable[[list[float]], Any]) -> Any:
        """Move the numbers into a flat sequence made from a list of them; the same one until `give_back`."""
        if self.flat is None:
            flat = made_of([parameter._data for parameter in self.values])
            for place, parameter in enumerate(self.values):
                if hasattr(parameter, "kept_as"):
                    self._return(range(place))
                    raise RuntimeError(
                        f"another compiled function has taken the numbers of parameters; got {parameter!r}; "
                        "let it give_back() first"
                    )
                parameter._to_first, parameter._to_second = flat, place
                parameter.__class__ = _lent_kind(type(parameter))
            self.flat = flat
        return self.flat

    def give_back(self) -> None:
        """Move the numbers back into the Values."""
        if self.flat is not None:
            self.flat = None
            self._return(range(len(self.values)))

    def _return(self, places: Iterable[int]) -> None:
        for parameter in map(self.values.__getitem__, places):
            number = parameter._data
            parameter.__class__ = parameter.kept_as  # type: ignore[attr-defined]  # a lent one has it
            parameter._to_first = parameter._to_second = 0.0
            parameter._data = number
