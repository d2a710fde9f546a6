"""`Optimizer`: a rule for one number, applied to Values, lists and arrays; learning rate, clipping, and state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypedDict

from engine import Value
from engine.structure import is_array
from engine.value import is_operand
from nn.clipping import check_limit, clip_by_norm, clip_by_value
from nn.schedules import ReduceOnPlateau, Schedule

Rule = Callable[..., tuple[Any, ...]]

ARRAY_BLOCK = 131_072
"""How many bytes of an array are moved at once: what is computed in between stays in the processor's cache."""
LIST_BLOCK = 256
"""How many numbers of a list are moved at once: their results are gone before the collector looks at them."""
FLUSH_EVERY = 32
"""Steps after which state too small to matter is set to zero: arithmetic on denormal numbers is slow."""


class Options(TypedDict, total=False):
    """What every optimizer takes by name."""

    weight_decay: float
    clip_value: float | None
    clip_norm: float | None


class Optimizer:
    """What all optimizers have in common; each defines `state_names` and `rule`.

    Args:
        learning_rate: a positive number, or a schedule (see `nn.schedules`); it may be set between steps.
        weight_decay: this times the parameter is added to its slope: the gradient of an L2 penalty of half as much.
        clip_value: the largest size of a slope; see `clip_by_value`.
        clip_norm: the largest length of the gradient; see `clip_by_norm`. Slopes are clipped before, decay comes after.

    Raises:
        ValueError: one of them is out of range.

    `iterations` counts the steps so far.
    """

    usual_weight_decay = 0.0

    def __init__(
        self,
        learning_rate: float | Schedule,
        *,
        weight_decay: float | None = None,
        clip_value: float | None = None,
        clip_norm: float | None = None,
    ) -> None:
        self.learning_rate = learning_rate
        self.weight_decay = within("weight decay", self.usual_weight_decay if weight_decay is None else weight_decay)
        for limit in (clip_value, clip_norm):
            if limit is not None:
                check_limit(limit)
        self.clip_value, self.clip_norm = clip_value, clip_norm
        self.iterations = 0
        self._state: list[Any] = []  # a flat list or array for each of `state_names`
        self._places: dict[Value, int] = {}

    @property
    def state_names(self) -> tuple[str, ...]:
        """What is kept of each parameter from step to step; it starts at zero."""
        return ()

    def rule(self, rate: float, iteration: int) -> Rule:
        """The update at step `iteration`, from 1: a function of number, slope and state that gives number and state.

        It is called with floats, and with arrays, of which it may change all but the slope in place.
        """
        raise NotImplementedError(f"{type(self).__name__} has no rule(); define how a number moves")

    @property
    def learning_rate(self) -> float | Schedule:
        """As it was given; `rate` is the number for the next step."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: float | Schedule) -> None:
        if not callable(rate):
            if isinstance(rate, bool) or not is_operand(rate) or not 0 < rate < math.inf:
                raise ValueError(f"the learning rate must be a positive number; got {rate!r}; try 0.1")
            rate = float(rate)
        self._learning_rate = rate

    @property
    def rate(self) -> float:
        """The learning rate of the next step.

        Raises:
            ValueError: a schedule gives a negative number, inf or nan.
        """
        rate = self._learning_rate(self.iterations) if callable(self._learning_rate) else self._learning_rate
        if not 0 <= rate < math.inf:
            raise ValueError(
                f"a schedule gives learning rates from 0 on; got {rate!r} at step {self.iterations}; check its formula"
            )
        return float(rate)

    def step(self, parameters: Iterable[Value]) -> None:
        """Move each parameter against its gradient, once, however often it is listed.

        State belongs to the Value, whatever the order. Gradients stay: zero them yourself.

        Raises:
            TypeError: something else than Values is listed.
        """
        values = list(parameters) if isinstance(parameters, Iterable) else [parameters]
        try:
            places = [self._places[value] for value in values]
        except (KeyError, TypeError):
            places = self._new_places(values)
        if len(set(places)) < len(places):
            values = list(dict.fromkeys(values))
            places = list(dict.fromkeys(places))
        self._state = [_as_list(slot) for slot in self._state] or [[] for _ in self.state_names]
        for slot in self._state:
            slot += [0.0] * (len(self._places) - len(slot))
        numbers = [value.data for value in values]
        state = [[slot[place] for place in places] for slot in self._state]
        self._move(numbers, [value.grad for value in values], state)
        for value, number in zip(values, numbers, strict=True):
            value.data = number
        for slot, moved in zip(self._state, state, strict=True):
            for place, number in zip(places, moved, strict=True):
                slot[place] = number

    def _new_places(self, values: list[Value]) -> list[int]:
        for value in values:
            if not isinstance(value, Value):
                raise TypeError(f"an optimizer moves a list of Values; got {value!r} in it; pass model.parameters()")
        return [self._places.setdefault(value, len(self._places)) for value in values]

    def update(self, numbers: Any, gradient: Any) -> None:
        """Move numbers against their gradient, in place: the same numbers, in the same order, at every call.

        Args:
            numbers: a list of floats, or an array of floats of any precision, such as `compiled.take()` gives.
            gradient: as many numbers, a list or an array; it is not changed.

        Raises:
            TypeError: `numbers` is neither.
            ValueError: there are not as many slopes, or not as many numbers as the state is for.

        >>> from nn import SGD
        >>> numbers = [3.0, 1.0]
        >>> SGD(0.5).update(numbers, [2.0, -2.0])
        >>> numbers
        [2.0, 2.0]
        """
        arrays = is_array(numbers) and numbers.dtype.kind == "f"
        if not arrays and not isinstance(numbers, list):
            raise TypeError(
                "numbers move in place, in a list or an array of floats; "
                f"got {getattr(numbers, 'dtype', type(numbers).__name__)}; convert them"
            )
        if len(numbers) != len(gradient):
            raise ValueError(
                f"each number has its slope; got {len(numbers)} numbers and {len(gradient)} slopes; "
                "give the gradient in the order of the numbers"
            )
        state = self._state or [[0.0] * len(numbers) for _ in self.state_names]
        if state and len(state[0]) != len(numbers):
            raise ValueError(
                f"an optimizer moves the same numbers at every update; got {len(numbers)}, its state is of "
                f"{len(state[0])}; make another optimizer for others"
            )
        gradient, *self._state = [_like(numbers, part) for part in (gradient, *state)]
        self._move(numbers, gradient, self._state)

    def _move(self, numbers: Any, gradient: Any, state: list[Any]) -> None:
        """One step on flat lists, or on arrays, in place."""
        if self.clip_value is not None:
            gradient = clip_by_value(gradient, self.clip_value)
        if self.clip_norm is not None:
            gradient = clip_by_norm(gradient, self.clip_norm)
        rate = self.rate
        self.iterations += 1
        rule = self.rule(rate, self.iterations)
        lists, moving = isinstance(numbers, list), (numbers, *state)
        for part in _blocks(len(numbers), LIST_BLOCK if lists else ARRAY_BLOCK // numbers.itemsize):
            number, *kept = before = [whole[part] for whole in moving]
            operands = number, gradient[part], *kept
            after = zip(*map(rule, *operands), strict=True) if lists else rule(*operands)
            for whole, old, new in zip(moving, before, after, strict=True):
                if new is not old:
                    whole[part] = new
        if not lists and self.iterations % FLUSH_EVERY == 0:
            _flush(state)

    def state_dict(self, parameters: Sequence[Value] | None = None) -> dict[str, Any]:
        """What an exact resume takes: `iterations`, `learning_rate`, and the state by name, in lists or arrays.

        State is in the order of `parameters`; without them in that of `update`'s numbers, or in that in which `step`
        saw the parameters first. Of schedules only `ReduceOnPlateau` has anything to keep.

        Raises:
            ValueError: it has moved others than these parameters.

        >>> from nn import SGD
        >>> optimizer = SGD(0.1, momentum=0.9)
        >>> optimizer.update([1.0], [2.0])
        >>> optimizer.state_dict()
        {'iterations': 1, 'learning_rate': 0.1, 'velocity': [2.0]}
        """
        rate: Any = self._learning_rate
        if callable(rate):
            rate = rate.state_dict() if isinstance(rate, ReduceOnPlateau) else None
        names = self.state_names if self._state else ()
        slots = [slot.copy() for slot in self._state] if parameters is None else self._slots(parameters)
        state = dict(zip(names, slots, strict=True))
        return {"iterations": self.iterations, "learning_rate": rate, **state}

    def _slots(self, parameters: Sequence[Value]) -> list[Any]:
        """The state of these parameters; 0 of those that have never moved."""
        places = self._places
        fits = all(len(slot) == len(parameters) for slot in self._state)
        if not (places.keys() <= set(parameters) if places else fits):
            raise ValueError(
                f"an optimizer goes on with the parameters that it has moved; got {len(parameters)} others; "
                "make another optimizer for another model"
            )
        if not places:
            return [slot.copy() for slot in self._state]
        return [
            [slot[places[parameter]] if parameter in places else 0.0 for parameter in parameters]
            for slot in self._state
        ]

    def load_state_dict(self, state: dict[str, Any], parameters: Sequence[Value] = ()) -> None:
        """Go on where the optimizer with that `state_dict` stood; a schedule stays this optimizer's own.

        The state is that of `parameters`; without them, the first `step` takes the parameters in the order of the
        state.

        Raises:
            ValueError: it is the state of another kind of optimizer.
        """
        names = [name for name in self.state_names if name in state]
        if state.keys() != {"iterations", "learning_rate", *names} or names not in ([], list(self.state_names)):
            raise ValueError(
                f"the state must be that of such an optimizer as {self!r}; got {list(state)}; "
                f"it has {['iterations', 'learning_rate', *self.state_names]}"
            )
        own, rate = self._learning_rate, state["learning_rate"]
        if isinstance(own, ReduceOnPlateau) and isinstance(rate, dict):
            own.load_state_dict(rate)
        elif not callable(own) and is_operand(rate):
            self.learning_rate = rate
        self.iterations = int(state["iterations"])
        self._state = [state[name].copy() for name in names]
        self._places = {parameter: place for place, parameter in enumerate(parameters)}

    def __getstate__(self) -> dict[str, Any]:
        """A copy has the state, but not the parameters: the copy of a model takes it in its order."""
        return vars(self) | {"_places": {}}

    def __repr__(self) -> str:
        options = {"learning_rate": self._learning_rate} | vars(self)
        shown = [f"{k}={v!r}" for k, v in options.items() if v and not k.startswith("_") and k != "iterations"]
        return f"{type(self).__name__}({', '.join(shown)})"


def _as_list(numbers: Any) -> Any:
    return numbers.tolist() if is_array(numbers) else numbers


def _like(numbers: Any, others: Any) -> Any:
    """Others as a list, or as an array of the same precision; themselves if they are that."""
    if isinstance(numbers, list):
        return _as_list(others)
    import numpy as np

    return np.asarray(others, numbers.dtype)


def _blocks(count: int, most: int) -> Iterator[slice]:
    """Even parts, none longer than that."""
    size = max(1, -(-count // max(1, -(-count // most))))
    return (slice(start, start + size) for start in range(0, count, size))


def _flush(state: list[Any]) -> None:
    import numpy as np

    for slot in state:
        limits = np.finfo(slot.dtype)
        least = float(limits.tiny) * 1e8  # averages with decay 0.9 take 170 steps from here to a denormal
        anchor = least / float(limits.eps)
        slot += anchor  # rounds to multiples of `least`, in two passes; larger numbers, inf and nan stay as they are
        slot -= anchor


def within(name: str, number: float, end: float = math.inf) -> float:
    """A hyperparameter that may be from 0 to below its end.

    Raises:
        ValueError: it is not.
    """
    if isinstance(number, bool) or not is_operand(number) or not 0 <= number < end:
        bound = "" if end == math.inf else f" and below {end:g}"
        raise ValueError(f"{name} must be a number from 0{bound}; got {number!r}; leave it out for the usual one")
    return float(number)
