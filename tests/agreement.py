"""When a compiled number is the eager engine's: to 1e-12 of it, or of what 1e-12 in every number on its way would do.

Compiled sums are computed in another order than they were written in. How much of that is seen in the end depends on
what cancels later, and no tolerance is right for all graphs; so the graph itself is asked. It is computed again with
every operand and every partial changed by 1e-12 of itself, in plain floats and apart from both engines. Where that
changes little, little is allowed; where rounding decides, at a kink or for the sine of 1e15, nothing is claimed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

import pytest

import engine
from engine import Value
from engine.graph import topological_order
from engine.rules import evaluator
from engine.structure import flatten
from engine.value import operand

BACKENDS = ("python", "numpy")
both = pytest.mark.parametrize("backend", BACKENDS)

_WHOLE = {"pow": 1, "polygamma": 0, "floordiv": 1, "mod": 1}  # operands that have to stay whole numbers


def same(mine: float, true: float, size: float = 0.0, rtol: float = 1e-12) -> bool:
    """Equal to `rtol` of the true number or of the terms it is the sum of; nan and inf equal themselves."""
    if not (math.isfinite(mine) and math.isfinite(true)):
        return mine == true or (math.isnan(mine) and math.isnan(true))
    return abs(mine - true) <= rtol * max(abs(true), size) + 1e-300


class Truth:
    """What the eager engine finds for a batch.

    Attributes:
        numbers: for each output its value in each example, the mean of these, and the mean's gradient.
        allowed: how far a compiled number may be from that; inf where rounding decides.

    Args:
        results: what a function returned for each example.
        parameters: what gradients are over.
        relative: what every number on the way may be wrong by.
        largest: of the numbers that are not inf; what is smaller than 1 by that is 0.
    """

    def __init__(
        self, results: Sequence[Any], parameters: Sequence[Value], relative: float = 1e-12, largest: float = math.inf
    ) -> None:
        rows = [[operand(leaf) for leaf in flatten(result).leaves] for result in results]
        self.parameters, self.relative, self.largest = parameters, relative, largest
        self.outputs = [list(column) for column in zip(*rows, strict=True)]
        self.numbers = [number for column in self.outputs for number in self._by_backward(column)]
        self._order = topological_order(*[node for row in rows for node in row])
        changed = [self._changed(Random(seed)) for seed in range(2)]
        self.allowed = [self._between(*numbers) for numbers in zip(self.numbers, *changed, strict=True)]

    def _by_backward(self, column: Sequence[Value]) -> Iterator[float]:
        before = [p.grad for p in self.parameters]
        for p in self.parameters:
            p.grad = 0.0
        for node in column:
            if not node.is_constant:
                node.backward(1.0 / len(column))
        yield from (node.data for node in column)
        yield sum(node.data for node in column) / len(column)
        yield from (p.grad for p in self.parameters)
        for p, grad in zip(self.parameters, before, strict=True):
            p.grad = grad

    def _changed(self, chance: Random) -> list[float]:
        """The numbers, with everything on the way a little changed."""

        def near(number: float) -> float:
            size = abs(number)
            if size > self.largest or size * self.largest < 1.0:
                return math.copysign(math.inf, number) if size > 1.0 else 0.0
            return number * (1.0 + self.relative * chance.uniform(-1.0, 1.0))

        numbers: dict[Value, float] = {}
        partials: dict[Value, list[float]] = {}
        for node in self._order:
            numbers[node] = node.data
            if node.parents:
                op, kept = node.op, _WHOLE.get(node.op.name)
                operands = [numbers[p] if k == kept else near(numbers[p]) for k, p in enumerate(node.parents)]
                size = len(operands) // len(op.operands)
                lists = [operands[k : k + size] for k in range(0, len(operands), size)]
                numbers[node], slopes = evaluator(op)(*(lists if op.variadic else operands))
                partials[node] = [near(slope) for slope in slopes]
        found = []
        for column in self.outputs:
            values = [numbers[node] for node in column]
            found += [*values, sum(map(near, values)) / len(values), *self._swept(column, partials)]
        return found

    def _swept(self, column: Sequence[Value], partials: dict[Value, list[float]]) -> list[float]:
        slopes = dict.fromkeys(self._order, 0.0)
        for node in column:
            slopes[node] += 1.0 / len(column)
        for node in reversed(self._order):
            if slopes[node]:
                for parent, partial in zip(node.parents, partials.get(node, ()), strict=True):
                    slopes[parent] += slopes[node] * partial
        return [slopes.get(p, 0.0) for p in self.parameters]

    def _between(self, true: float, *near: float) -> float:
        if not math.isfinite(true) and all(same(number, true) for number in near):
            return 0.0
        moved = max(abs(number - true) for number in near)
        tiny = max(1e-300, 1.0 / self.largest)
        known = math.isfinite(moved) and moved <= 1e-3 * max(1.0, abs(true))
        return self.relative * abs(true) + 10.0 * moved + tiny if known else math.inf

    def share_that_is_known(self) -> float:
        """Of all numbers, those of which something is claimed."""
        return sum(math.isfinite(allowed) for allowed in self.allowed) / len(self.allowed)

    def differences(self, compiled: engine.Compiled, *batch: Any) -> list[tuple[int, float, float]]:
        """Which numbers a compiled function finds that are not these: where, its number, the true one."""
        found = zip(self._found(compiled, batch), self.numbers, self.allowed, strict=True)
        return [
            (k, mine, true)
            for k, (mine, true, allowed) in enumerate(found)
            if not (allowed == math.inf or same(mine, true) or abs(mine - true) <= allowed)
            # slopes inf and -inf are added up before or after they are multiplied by
            and not (math.isnan(true) and math.isinf(mine))
        ]

    def _found(self, compiled: engine.Compiled, batch: Sequence[Any]) -> Iterator[float]:
        results = compiled(*batch)
        rows = [flatten(_example(results, k)).leaves for k in range(len(self.outputs[0]))]
        for of in range(len(self.outputs)):
            value, gradient = compiled.value_and_grad(*batch, of=of)
            slopes = dict(zip(compiled.parameters, gradient, strict=True))
            yield from (float(row[of]) for row in rows)
            yield value
            yield from (float(slopes.get(p, 0.0)) for p in self.parameters)


def _example(results: Any, k: int) -> Any:
    """What belongs to one example, of grids whose first axis counts them."""
    if isinstance(results, dict):
        return {name: _example(part, k) for name, part in results.items()}
    return tuple(_example(part, k) for part in results) if isinstance(results, tuple) else results[k]


def eagerly(function: Callable[..., Any], *batch: Any) -> list[Any]:
    """What a function returns for each example of nested lists, with a Value for each number."""
    return [function(*map(_leaves, example)) for example in zip(*batch, strict=True)] if batch else [function()]


def _leaves(tree: Any) -> Any:
    return [_leaves(part) for part in tree] if isinstance(tree, list) else Value(tree)
