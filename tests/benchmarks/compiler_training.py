"""Training loops around one loss, each engine's own: what the rows of `bench_compiler` are made of.

A contender has `step()`, which is timed, and `result()`, the numbers that all contenders must agree on: the losses so
far and the parameters, or Adam's first moments (parameters divide by gradients there, and noise shows).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import cycle, pairwise
from typing import Any, NamedTuple

import numpy as np

import engine
from engine import Value

Array = Any
Batches = Sequence[tuple[Array, ...]]

CHANCE = np.random.default_rng(1)


class Row(NamedTuple):
    """One line of the table: makers of contenders by name; "ours" is held against `against`."""

    title: str
    contenders: dict[str, Callable[[], Any]]
    against: str
    aim: float  # ours / against, at most
    tolerance: float = 1e-10


def installed(*names: str) -> list[str]:
    return [name for name in names if importlib.util.find_spec(name)]


def layers_of(*sizes: int, dtype: str = "float64") -> list[Array]:
    """Weights and biases, layer by layer."""
    tables: list[Array] = []
    for inputs, outputs in pairwise(sizes):
        tables += [CHANCE.normal(0, inputs**-0.5, (outputs, inputs)).astype(dtype), np.zeros(outputs, dtype)]
    return tables


def pairs(tables: Any) -> list[tuple[Any, Any]]:
    """Weights with their biases."""
    return list(zip(tables[::2], tables[1::2], strict=True))


class Descent:
    """Gradient descent on flat numbers."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def start(self, size: int, dtype: str) -> None:
        self.change = np.empty(size, dtype)

    def step(self, numbers: Array, gradient: Array) -> None:
        if isinstance(numbers, list):
            rate = self.rate
            for k, slope in enumerate(gradient):
                numbers[k] -= rate * slope
        else:
            np.multiply(gradient, self.rate, out=self.change)
            np.subtract(numbers, self.change, out=numbers)


class Adam:
    """Adam on flat numbers, in place; averages without their constant factors take fewer passes."""

    rate = 1e-3

    def start(self, size: int, dtype: str) -> None:
        self.slopes, self.squares, self.work = (np.zeros(size, dtype) for _ in range(3))
        self.steps, self.anchor = 0, float(np.finfo(dtype).tiny / np.finfo(dtype).eps) * 1e8

    @property
    def first(self) -> Array:
        """The moment."""
        return self.slopes * 0.1

    def step(self, numbers: Array, gradient: Array) -> None:
        slopes, squares, work = self.slopes, self.squares, self.work
        self.steps += 1
        size = (0.001 / (1 - 0.999**self.steps)) ** 0.5
        np.multiply(slopes, 0.9, out=slopes)
        np.add(slopes, gradient, out=slopes)
        np.multiply(squares, 0.999, out=squares)
        np.multiply(gradient, gradient, out=work)
        np.add(squares, work, out=squares)
        np.sqrt(squares, out=work)
        np.add(work, 1e-8 / size, out=work)
        np.divide(slopes, work, out=work)
        np.multiply(work, self.rate * 0.1 / (1 - 0.9**self.steps) / size, out=work)
        np.subtract(numbers, work, out=numbers)
        if self.steps % 32 == 0:  # dead units' averages would decay to denormal numbers, which are slow
            for average in (slopes, squares):
                average += self.anchor
                average -= self.anchor


def as_values(table: Array) -> Any:
    return [as_values(row) for row in table] if table.ndim else Value(float(table))


def leaves(nested: Any) -> Iterable[Value]:
    if isinstance(nested, list):
        for part in nested:
            yield from leaves(part)
    else:
        yield nested


class Ours:
    """A compiled function of one example, or of none."""

    def __init__(
        self, make: Callable[..., Any], tables: Sequence[Array], batches: Batches, optimizer: Any, **options: Any
    ) -> None:
        values = [as_values(table) for table in tables]
        self.compiled = engine.compile(make(*values), **options)
        self.compiled.value_and_grad(*batches[0])
        self.numbers, self.optimizer, self.losses = self.compiled.take(), optimizer, []
        optimizer.start(len(self.numbers), options.get("dtype", "float64"))
        place = {parameter: k for k, parameter in enumerate(self.compiled.parameters)}
        self.order = [place.get(value, -1) for value in leaves(values)]  # what the function does not use has no slope
        self.batches = cycle(batches)
        self.bound = self.compiled.bind(*batches[0]) if len(batches) == 1 else None

    def step(self) -> None:
        bound = self.bound
        if bound:
            value, gradient = bound.value_and_grad(copy=False)
        else:
            value, gradient = self.compiled.value_and_grad(*next(self.batches), copy=False)
        self.optimizer.step(self.numbers, gradient)
        self.losses.append(value)

    def result(self) -> Array:
        last = getattr(self.optimizer, "first", self.numbers)
        return np.concatenate([self.losses, np.append(last, 0.0)[self.order]])


class Hand:
    """`make(flat, gradient)` gives a function of a batch that writes the gradient and returns the loss."""

    def __init__(self, make: Callable[..., Any], tables: Sequence[Array], batches: Batches, optimizer: Any) -> None:
        self.numbers = np.concatenate([table.ravel() for table in tables])
        self.gradient = np.zeros_like(self.numbers)
        self.compute = make(parted(self.numbers, tables), parted(self.gradient, tables))
        self.optimizer, self.batches, self.losses = optimizer, cycle(batches), []
        optimizer.start(len(self.numbers), self.numbers.dtype)

    def step(self) -> None:
        value = self.compute(*next(self.batches))
        self.optimizer.step(self.numbers, self.gradient)
        self.losses.append(float(value))

    def result(self) -> Array:
        return np.concatenate([self.losses, getattr(self.optimizer, "first", self.numbers)])


def parted(flat: Array, tables: Sequence[Array]) -> list[Array]:
    """Views of a flat array in the shapes of the tables."""
    ends = np.cumsum([table.size for table in tables])
    return [
        flat[end - table.size : end].reshape(table.shape) for end, table in zip(ends, tables, strict=True)
    ]  # fmt: skip


# --- peers; `loss(xp, tables, batch)` is written once for all of them


@cache
def torch_module() -> Any:
    import torch

    torch.set_num_threads(1)
    return torch


@cache
def jax_module() -> Any:
    import jax

    jax.config.update("jax_enable_x64", True)
    return jax


class Torch:
    def __init__(self, loss: Callable[..., Any], tables: Sequence[Array], batches: Batches, optimizer: Any) -> None:
        torch = torch_module()
        self.loss, self.losses = loss, []
        self.tables = [torch.tensor(table, requires_grad=True) for table in tables]
        self.batches = cycle([tuple(map(torch.tensor, batch)) for batch in batches])
        kind = torch.optim.Adam if isinstance(optimizer, Adam) else torch.optim.SGD
        self.optimizer = kind(self.tables, lr=optimizer.rate, fused=True)

    def step(self) -> None:
        loss = self.loss(torch_module(), self.tables, next(self.batches))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.losses.append(loss.item())

    def result(self) -> Array:
        states = self.optimizer.state
        tables = [states[t]["exp_avg"] if "exp_avg" in states[t] else t.detach() for t in self.tables]
        return np.concatenate([self.losses, *[table.numpy().ravel() for table in tables]])


class Jax:
    """Loss, gradient and optimizer in one jitted step."""

    def __init__(self, loss: Callable[..., Any], tables: Sequence[Array], batches: Batches, optimizer: Any) -> None:
        jax = jax_module()
        self.tables = [jax.numpy.asarray(table) for table in tables]
        self.batches, self.losses, self.count = cycle(batches), [], 0
        both, xp = jax.value_and_grad(lambda tables, batch: loss(jax.numpy, tables, batch)), jax.numpy

        def descend(tables: Any, state: Any, count: Any, batch: Any) -> Any:
            value, slopes = both(tables, batch)
            return value, [t - optimizer.rate * g for t, g in zip(tables, slopes, strict=True)], state

        def adam(tables: Any, state: Any, count: Any, batch: Any) -> Any:
            value, slopes = both(tables, batch)
            first = [0.9 * m + 0.1 * g for m, g in zip(state[0], slopes, strict=True)]
            second = [0.999 * v + 0.001 * g * g for v, g in zip(state[1], slopes, strict=True)]
            rate, size = optimizer.rate / (1 - 0.9**count), (1 - 0.999**count) ** -0.5
            rate, size = rate.astype(slopes[0].dtype), size.astype(slopes[0].dtype)
            new = [t - rate * m / (xp.sqrt(v) * size + 1e-8) for t, m, v in zip(tables, first, second, strict=True)]
            return value, new, (first, second)

        self.adam = isinstance(optimizer, Adam)
        zeros = [xp.zeros_like(table) for table in self.tables]
        self.state = (zeros, [xp.copy(zero) for zero in zeros]) if self.adam else ()
        self.compute = jax.jit(adam if self.adam else descend, donate_argnums=(0, 1))

    def step(self) -> None:
        self.count += 1
        batch = next(self.batches)
        value, self.tables, self.state = self.compute(self.tables, self.state, float(self.count), batch)
        self.losses.append(float(value))

    def result(self) -> Array:
        tables = self.state[0] if self.adam else self.tables
        return np.concatenate([self.losses, *[np.ravel(table) for table in tables]])


class Autograd:
    def __init__(self, loss: Callable[..., Any], tables: Sequence[Array], batches: Batches, optimizer: Any) -> None:
        import autograd

        self.tables, self.losses = [table.copy() for table in tables], []
        self.batches, self.rate = cycle(batches), optimizer.rate
        self.compute = autograd.value_and_grad(lambda tables, batch: loss(autograd.numpy, tables, batch))

    def step(self) -> None:
        value, slopes = self.compute(self.tables, next(self.batches))
        for table, slope in zip(self.tables, slopes, strict=True):
            table -= self.rate * slope
        self.losses.append(float(value))

    def result(self) -> Array:
        return np.concatenate([self.losses, *[table.ravel() for table in self.tables]])


class Casadi:
    """One expression over SX symbols, value and gradient in one function of its virtual machine."""

    def __init__(self, loss: Callable[..., Any], table: Array, optimizer: Any) -> None:
        import casadi

        x = casadi.SX.sym("x", len(table))
        value = loss(casadi, x)
        self.function = casadi.Function("f", [x], [value, casadi.densify(casadi.gradient(value, x))])
        self.numbers, self.value, self.slopes = table.copy(), np.zeros(1), np.zeros(len(table))
        self.buffer, self.compute = self.function.buffer()
        self.buffer.set_arg(0, memoryview(self.numbers))
        self.buffer.set_res(0, memoryview(self.value))
        self.buffer.set_res(1, memoryview(self.slopes))
        self.optimizer, self.losses = optimizer, []
        optimizer.start(len(table), "float64")

    def step(self) -> None:
        self.compute()
        self.losses.append(float(self.value[0]))
        self.optimizer.step(self.numbers, self.slopes)

    def result(self) -> Array:
        return np.concatenate([self.losses, self.numbers])


def peers(
    loss: Callable[..., Any], tables: Sequence[Array], batches: Batches, optimizer: Callable[[], Any], *more: str
) -> dict[str, Callable[[], Any]]:
    """Those that are installed, of torch and jax and the names given."""
    kinds = {"torch": Torch, "jax": Jax, "autograd": Autograd}
    return {
        name: lambda kind=kinds[name]: kind(loss, tables, batches, optimizer())
        for name in installed("torch", "jax", *more)
    }
