"""Every demo and every model: compiled it is what it is eagerly, from one training step to the next."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import models
import pytest
from agreement import Truth, eagerly

import engine
import nn
from engine import Value, functions
from engine.graph import leaves

Case = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function of one example, and a batch in nested lists."""

DEMOS = Path(__file__).parent.parent / "demos"


def demo(name: str) -> Any:
    specification = importlib.util.spec_from_file_location(name, DEMOS / f"{name}.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def of(function: Callable[..., Any], *shapes: Sequence[int], size: int = 4) -> Case:
    """With a batch of normal numbers."""
    chance = random.Random(0)

    def grid(shape: Sequence[int]) -> Any:
        return [grid(shape[1:]) for _ in range(shape[0])] if shape else chance.gauss(0.0, 1.0)

    return function, tuple(grid((size, *shape)) for shape in shapes)


def letters(size: int, length: int) -> list[list[list[float]]]:
    """Texts of one-hot letters."""
    chance = random.Random(1)
    texts = [[chance.randrange(27) for _ in range(length)] for _ in range(size)]
    return [[[float(k == letter) for k in range(27)] for letter in text] for text in texts]


def xor_demo() -> Case:
    model = nn.MLP(2, [3, 1], "sigmoid", "sigmoid", seed=0)
    return lambda: demo("xor").half_squared_error(model), ()


def neuron_demo() -> Case:
    module = demo("neuron")
    weights = [Value(w) for w in module.WEIGHTS]
    return lambda: module.forward(weights), ()


def tour() -> Case:
    a, b = Value(2.0), Value(-3.0)
    return lambda: (a * b + 10).tanh(), ()


def perceptron(activation: str, last: Callable[..., Any] = functions.mean) -> Case:
    model = nn.MLP(3, [4, 2], activation, seed=1)
    return of(lambda x: last(model(x)), (3,), size=7)


MODELS: dict[str, Callable[[], Case]] = {
    "demos/xor": xor_demo,
    "demos/neuron": neuron_demo,
    "README": tour,
    "xor": lambda: (models.xor(), ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0.0, 1.0, 1.0, 0.0])),
    "moons": lambda: of(models.moons(5, leaves=False)),
    "moons of Values": lambda: of(models.moons(5, leaves=True)),
    "classifier": lambda: of(models.classifier([6, 5, 4, 3]), (6,), (3,)),
    "transformer": lambda: (models.transformer(), (letters(2, 4), letters(2, 4))),
    "Lotka-Volterra": lambda: of(models.lotka_volterra(12)),
    "logistic": lambda: of(models.logistic(5), (5,), (), size=64),
    "Rosenbrock": lambda: of(models.rosenbrock(12)),
    "recurrence": lambda: of(models.recurrence(3), (5, 2), ()),
    "convolution": lambda: of(models.convolution(2), (6, 5), ()),
    "option": lambda: (models.option(), ([90.0, 100.0, 110.0], [100.0, 100.0, 95.0], [0.5, 1.0, 2.0])),
    "MLP of tanh": lambda: perceptron("tanh"),
    "MLP of relu": lambda: perceptron("relu"),
    "MLP of gelu": lambda: perceptron("gelu"),
    "MLP of softmax": lambda: perceptron("silu", functions.softmax),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_model_is_what_it_is_eagerly(model: Callable[[], Case]) -> None:
    function, batch = model()
    results = eagerly(function, *batch)
    compiled = [engine.compile(function, backend=backend) for backend in ("python", "numpy", "auto")]
    compiled[0](*batch)
    parameters = compiled[0].parameters
    for _ in range(3):
        truth = Truth(results, parameters)
        assert truth.share_that_is_known() == 1.0
        for one in compiled:
            assert truth.differences(one, *batch) == []
        _, gradient = compiled[0].value_and_grad(*batch)
        length = max(1.0, sum(slope * slope for slope in gradient) ** 0.5)
        for parameter, slope in zip(parameters, gradient, strict=True):
            parameter.data -= 0.05 * slope / length
        results = eagerly(function, *batch)


@pytest.mark.parametrize("name", ["stepping", "neuron"])
def test_the_graph_of_a_demo(name: str) -> None:
    """As it is: all its leaves are parameters."""
    loss = demo(name).loss()
    parameters = [leaf for leaf in leaves(loss) if not leaf.is_constant]
    truth = Truth([loss], parameters)
    for backend in ("python", "numpy"):
        compiled = engine.compile(loss, backend=backend)
        assert set(compiled.parameters) == set(parameters)
        assert truth.differences(compiled) == []


@pytest.mark.parametrize("name", ["xor", "logistic", "Rosenbrock", "recurrence", "option"])
def test_derivatives_of_a_model_are_graphs_that_compile(name: str) -> None:
    """The gradient's own values, and its derivatives: the second ones of the model."""
    function, batch = MODELS[name]()
    batch = tuple(argument[:3] for argument in batch)
    [first, *_] = eagerly(function, *batch)
    parameters = [leaf for leaf in leaves(first) if leaf in engine_parameters(function, batch)][:3]

    def slopes(*example: Any) -> list[Value]:
        return engine.grad(function(*example), parameters)

    truth = Truth(eagerly(slopes, *batch), parameters)
    for backend in ("python", "numpy"):
        assert truth.differences(engine.compile(slopes, backend=backend), *batch) == []


def engine_parameters(function: Callable[..., Any], batch: tuple[Any, ...]) -> set[Value]:
    compiled = engine.compile(function)
    compiled(*batch)
    return set(compiled.parameters)
