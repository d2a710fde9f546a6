"""What happens to examples on their way to a model: batches, splits, standardising, one-hot rows, characters.

Examples come as users have them, lists or NumPy arrays, and stay what they are; examples are counted along the first
axis. Tables, such as those of pandas, are taken as arrays.
"""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from random import Random
from typing import Any

from engine.value import is_operand
from nn.initializers import random_generator


def batches(x: Any, y: Any = None, size: int = 32, generator: Random | None = None) -> Iterator[tuple[Any, Any]]:
    """One epoch of mini-batches: pairs of a piece of x and the same piece of y. The last one may be short.

    Args:
        x, y: lists or arrays of as many examples; without y its pieces are None.
        size: examples in a batch.
        generator: shuffles the examples; one seeded alike shuffles alike. Without it they come in their order, and
            pieces of arrays are views.

    Raises:
        TypeError: x or y is neither a list nor an array, `generator` is not a `random.Random`.
        ValueError: there are no examples, or not as many of both, or `size` is not a positive whole number.

    >>> for piece, targets in batches([1.0, 2.0, 3.0], ["a", "b", "c"], 2, Random(0)):
    ...     print(piece, targets)
    [1.0, 3.0] ['a', 'c']
    [2.0] ['b']
    """
    x, y, count = _counted(x, y)
    size = whole(size, "the size of a batch", 1)
    order = None
    if generator is not None:
        order = list(range(count))
        random_generator(generator, None).shuffle(order)
    places = (slice(start, start + size) for start in range(0, count, size))
    return ((_taken(x, place, order), _taken(y, place, order)) for place in places)


def split(
    x: Any,
    y: Any = None,
    fraction: float = 0.2,
    *,
    stratify: bool = False,
    generator: Random | None = None,
    seed: int | None = None,
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Shuffle examples and hold a part of them back: ((x, y) to train on, (x, y) to validate with).

    Args:
        x, y: lists or arrays of as many examples; without y its parts are None.
        fraction: held back, between 0 and 1; at least one example is on either side.
        stratify: hold back this fraction of each class; y are labels or one-hot rows.
        generator, seed: make the split reproducible; give one of them.

    Raises:
        TypeError: x or y is neither a list nor an array.
        ValueError: fewer than two examples, not as many of both, a fraction that is none, no labels to stratify by.

    >>> split(["a", "b", "c", "d"], [0, 0, 1, 1], 0.5, stratify=True, seed=1)
    ((['c', 'b'], [1, 0]), (['d', 'a'], [1, 0]))
    """
    x, y, count = _counted(x, y)
    if isinstance(fraction, bool) or not is_operand(fraction) or not 0 < fraction < 1:
        raise ValueError(f"the fraction to hold back lies between 0 and 1; got {fraction!r}; use 0.2, say")
    if count < 2:
        raise ValueError("a split needs two examples; got 1; give more")
    if stratify and y is None:
        raise ValueError("labels say what to stratify by; got no y; give the labels, or leave stratify out")
    labels = [_key(label) for label in _listed(y)] if stratify else [None] * count
    left = _shares(Counter(labels), min(max(round(count * fraction), 1), count - 1))
    order = list(range(count))
    random_generator(generator, seed).shuffle(order)
    parts: tuple[list[int], list[int]] = [], []
    for place in order:
        held = left[labels[place]] > 0
        left[labels[place]] -= held
        parts[held].append(place)
    everything = slice(None)
    kept, held_back = [(_taken(x, everything, part), _taken(y, everything, part)) for part in parts]
    return kept, held_back


def _shares(counts: Counter[Any], total: int) -> dict[Any, int]:
    """A total dealt out in proportion to counts, the whole parts first, then the largest remainders."""
    exact = {key: Fraction(count * total, counts.total()) for key, count in counts.items()}
    shares = {key: math.floor(share) for key, share in exact.items()}
    by_remainder = sorted(exact, key=lambda key: shares[key] - exact[key])
    for key in by_remainder[: total - sum(shares.values())]:
        shares[key] += 1
    return shares


def _key(label: Any) -> Any:
    return tuple(map(_key, label)) if isinstance(label, (list, tuple)) else label


class Standardizer:
    """Columns moved and scaled to mean 0 and deviation 1 in the data it was fitted to: (x - mean) / deviation.

    Lists give lists, arrays arrays. A column that is constant there stays, as zeros. The deviation is that of the data
    (divided by n).

    >>> scaled = Standardizer().fit([[1.0, 5.0], [3.0, 5.0]])
    >>> scaled.transform([[1.0, 5.0], [5.0, 6.0]])
    [[-1.0, 0.0], [3.0, 1.0]]
    >>> scaled.inverse([[-1.0, 0.0]])
    [[1.0, 5.0]]
    """

    mean: Any = None
    """Of each column, an array."""
    deviation: Any = None
    """Of each column, 1 where it is constant."""

    def fit(self, x: Any) -> Standardizer:
        """Measure the columns of training data; returns itself.

        Raises:
            ValueError: there are no examples, they are not of one length, or a number is not finite.
        """
        import numpy as np

        numbers = _numbers(_counted(x, None)[0])
        if not np.isfinite(numbers).all():
            where = np.argwhere(~np.isfinite(numbers))[0]
            raise ValueError(
                f"a mean needs finite numbers; got {numbers[tuple(where)]} in example {where[0]}; leave it out"
            )
        # measured from the first example: a constant column has deviation 0 exactly, whatever rounding does to means
        away = numbers - numbers[0]
        offset = away.mean(axis=0)
        away -= offset
        largest = abs(away).max(axis=0)
        unit = np.where(largest > 0, largest, 1.0)  # squares of numbers up to 1 neither overflow nor vanish
        self.mean = numbers[0] + offset
        self.deviation = np.where(largest > 0, unit * np.sqrt(((away / unit) ** 2).mean(axis=0)), 1.0)
        return self

    def transform(self, x: Any) -> Any:
        """(x - mean) / deviation, of one example or of many.

        Raises:
            RuntimeError: it has not been fitted.
            ValueError: the examples have other columns.
        """
        return self._like(x, (self._matched(x) - self.mean) / self.deviation)

    def inverse(self, x: Any) -> Any:
        """x * deviation + mean: what `transform` was given. Raises what it raises."""
        return self._like(x, self._matched(x) * self.deviation + self.mean)

    def _matched(self, x: Any) -> Any:
        if self.mean is None:
            raise RuntimeError("a Standardizer measures training data first; got none so far; call fit(x)")
        numbers, shape = _numbers(x), self.mean.shape
        if shape not in (numbers.shape, numbers.shape[1:]):
            raise ValueError(
                f"examples must have the columns that were fitted, of shape {shape}; got {numbers.shape}; "
                "give one example, or a list of them"
            )
        return numbers

    def _like(self, x: Any, numbers: Any) -> Any:
        return numbers if hasattr(x, "__array__") else numbers.tolist()


def _numbers(x: Any) -> Any:
    import numpy as np

    try:
        return np.asarray(x, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise ValueError(f"examples must be numbers, as many in each; got {error}; make them alike") from None


def one_hot(labels: Any, classes: int | None = None) -> Any:
    """A row for each label, 1 in the label's place and 0 elsewhere; an array if the labels are one.

    Args:
        labels: whole numbers from 0.
        classes: the length of a row; one more than the largest label unless given.

    Raises:
        ValueError: a label is not a whole number, or not below `classes`.

    >>> one_hot([0, 2])
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    numbers = [whole(label, "a label", 0) for label in _listed(labels)]
    width = max(numbers, default=-1) + 1 if classes is None else whole(classes, "the number of classes", 1)
    if numbers and max(numbers) >= width:
        raise ValueError(f"labels lie below the number of classes, {width}; got {max(numbers)}; give more classes")
    rows = [[float(place == number) for place in range(width)] for number in numbers]
    if not hasattr(labels, "dtype"):
        return rows
    import numpy as np

    return np.array(rows).reshape(len(rows), width)


class Alphabet:
    """The characters of some words, numbered, for models that read and write character by character.

    Symbol 0 is the boundary: where a word begins and where it ends. The characters follow in sorted order.

    >>> alphabet = Alphabet(["neon", "zinc"])
    >>> alphabet.encode("zinc"), alphabet.decode([5, 2, 1]), len(alphabet)
    ([6, 3, 4, 1], 'oec', 7)
    """

    def __init__(self, words: Iterable[str], boundary: str = ".") -> None:
        characters = sorted({character for word in words for character in word})
        if boundary in characters:
            raise ValueError(
                f"the boundary must not occur in the words; got {boundary!r}; choose another with boundary="
            )
        self.symbols = [boundary, *characters]
        self._numbers = {symbol: number for number, symbol in enumerate(self.symbols)}

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str) -> list[int]:
        """The number of each character.

        Raises:
            ValueError: a character is not in the alphabet.
        """
        for character in text:
            if character not in self._numbers:
                raise ValueError(
                    f"a character is not in the alphabet; got {character!r} in {text!r}; "
                    f"it has {''.join(self.symbols)!r}"
                )
        return [self._numbers[character] for character in text]

    def decode(self, numbers: Iterable[int]) -> str:
        """The text of numbers; the boundary is written as it is.

        Raises:
            ValueError: a number is not that of a symbol.
        """
        places = [whole(number, "a symbol", 0) for number in numbers]
        if places and max(places) >= len(self):
            raise ValueError(f"symbols are numbered below {len(self)}; got {max(places)}; use what encode() gives")
        return "".join([self.symbols[place] for place in places])

    def contexts(self, words: Iterable[str], length: int) -> tuple[list[list[int]], list[int]]:
        """Every symbol of some words with the `length` symbols before it: inputs and targets of a model.

        >>> Alphabet(["he"]).contexts(["he"], 2)
        ([[0, 0], [0, 2], [2, 1]], [2, 1, 0])
        """
        width = whole(length, "the length of a context", 1)
        contexts, targets = [], []
        for word in words:
            symbols = [0] * width + self.encode(word) + [0]
            contexts += [symbols[place : place + width] for place in range(len(word) + 1)]
            targets += symbols[width:]
        return contexts, targets


def _counted(x: Any, y: Any) -> tuple[Any, Any, int]:
    """The examples, their targets, and how many there are, the same of both."""
    x, y = examples(x, "x"), None if y is None else examples(y, "y")
    if y is not None and len(x) != len(y):
        raise ValueError(f"each example needs its target; got {len(x)} in x and {len(y)} in y; make them as many")
    if not len(x):
        raise ValueError("there are no examples; got 0 of them; give at least one")
    return x, y, len(x)


def examples(things: Any, name: str) -> Any:
    """A list or an array as it is; a table as an array, for it finds rows by labels, not by their places.

    Raises:
        TypeError: it is something else.
    """
    if hasattr(things, "to_numpy"):
        things = things.to_numpy()
    is_array = hasattr(things, "dtype") and getattr(things, "shape", ()) != ()
    if not is_array and (not isinstance(things, Sequence) or isinstance(things, (str, bytes))):
        raise TypeError(f"examples come in a list or an array; got {things!r} for {name}; put them into a list")
    return things


def _taken(things: Any, place: slice, order: list[int] | None) -> Any:
    """A piece of examples, or of a reordering of them, of the kind they are."""
    if things is None:
        return None
    if order is None:
        return things[place]
    return things[order[place]] if hasattr(things, "dtype") else [things[i] for i in order[place]]


def _listed(things: Any) -> list[Any]:
    return things.tolist() if hasattr(things, "tolist") else list(things)


def whole(number: Any, what: str, least: int) -> int:
    """A count as an int.

    Raises:
        ValueError: it is not a whole number, or less than the least.
    """
    if isinstance(number, bool) or not hasattr(number, "__index__") or operator.index(number) < least:
        raise ValueError(f"{what} must be a whole number; got {number!r}; use {least} or more")
    return operator.index(number)
