"""The first neural-network package: modules find and name parameters, layers check, training trains."""

from __future__ import annotations

import math
import statistics
from functools import partial
from random import Random
from typing import Any

import numpy as np
import pytest
from oracles import needs_torch

import nn
from engine import Value, functions
from nn import activations, initializers

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]


class Tangle(nn.Module):
    """Everything a module may hold."""

    def __init__(self) -> None:
        self.scale = Value(2.0)
        self.layers = [nn.Layer(2, 1, seed=0), {"deep": (nn.Neuron(1, seed=0),)}]
        self.again = self.scale
        self.constant = self.scale.detach()
        self.computed = self.scale * 2
        self.number, self.text, self.parent = 3, "x", self

    def forward(self, x: float) -> Value:
        return self.scale * x


def test_parameters_are_found_once_and_named_by_their_path() -> None:
    module = Tangle()
    names = [name for name, _ in module.named_parameters()]
    assert names == [
        "scale", "layers.0.neurons.0.weight.0", "layers.0.neurons.0.weight.1", "layers.0.neurons.0.bias",
        "layers.1.deep.0.weight.0", "layers.1.deep.0.bias",
    ]  # fmt: skip
    assert [p.label for p in module.parameters()] == names
    assert [name for name, _ in module.named_modules()] == ["", "layers.0", "layers.0.neurons.0", "layers.1.deep.0"]
    assert module(3.0).data == 6.0
    assert repr(module) == "Tangle(6 parameters)"


def test_train_eval_and_zero_grad_reach_everything() -> None:
    module = Tangle()
    assert module.eval() is module
    assert not any(inner.training for _, inner in module.named_modules())
    assert all(inner.training for _, inner in module.train().named_modules())
    for p in module.parameters():
        p.grad = 1.0
    module.zero_grad()
    assert {p.grad for p in module.parameters()} == {0.0}


def test_a_module_without_forward_says_so() -> None:
    with pytest.raises(NotImplementedError, match=r"Module has no forward\(\); define what it computes"):
        nn.Module()(1)


def test_lists_in_lists_out_always() -> None:
    assert isinstance(nn.MLP(2, [1], seed=0)([1.0, 2.0]), list)
    assert isinstance(nn.Layer(2, 1, seed=0)((1.0, 2.0)), list)
    assert len(nn.MLP(2, [3, 4], seed=0)(np.array([1.0, 2.0]))) == 4
    neuron = nn.Neuron(2, bias=False, seed=0)
    assert neuron.bias is None
    assert neuron([1.0, 0.0]).data == neuron.weight[0].data
    assert len(nn.Neuron(2, bias=False, seed=0).parameters()) == 2


@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_wrong_sizes_name_the_layer(count: int) -> None:
    model = nn.MLP(2, [4, 1], seed=0)
    with pytest.raises(
        ValueError, match=rf"layers.0 Layer\(2 -> 4, relu\) takes 2 numbers; got {count}; match the list"
    ):
        model([1.0] * count)
    with pytest.raises(ValueError, match=rf"^Neuron\(2 inputs, linear\) takes 2 numbers; got {count}"):
        nn.Neuron(2, seed=0)([1.0] * count)


def test_wrong_inputs() -> None:
    model = nn.MLP(2, [1], seed=0)
    with pytest.raises(TypeError, match=r"layers.0 .* takes a list of 2 numbers; got 1.0; put it in a list"):
        model(1.0)
    with pytest.raises(ValueError, match="takes 2 numbers, one example; got 2 lists; give a batch to"):
        model([[1.0], [2.0]])
    with pytest.raises(TypeError, match="one real number"):
        model("ab")


@pytest.mark.parametrize("size", [0, -1, 2.0, "2", True, None])
def test_sizes_are_positive_whole_numbers(size: Any) -> None:
    for make in (
        lambda: nn.Neuron(size),
        lambda: nn.Layer(size, 1),
        lambda: nn.Layer(1, size),
        lambda: nn.MLP(1, [size]),
    ):
        with pytest.raises(ValueError, match=r"must be a positive whole number; got .*; use 1 or more"):
            make()


def test_an_mlp_needs_sizes() -> None:
    for sizes in ([], 3):
        with pytest.raises(ValueError, match=r"an MLP needs the sizes of its layers; got .*; pass a list"):
            nn.MLP(2, sizes)  # type: ignore[arg-type]


def test_seeds_and_generators() -> None:
    def weights(**how: Any) -> list[float]:
        return [p.data for p in nn.MLP(3, [4, 2], **how).parameters()]

    assert weights(seed=1) == weights(seed=1) == weights(generator=Random(1))
    assert weights(seed=1) != weights(seed=2)
    assert weights() != weights()
    with pytest.raises(ValueError, match="say the same twice; got generator=.*, seed=1; give one"):
        weights(seed=1, generator=Random(1))
    with pytest.raises(TypeError, match=r"generator must be a random.Random; got 3; use random.Random\(0\), or seed=0"):
        weights(generator=3)


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("glorot_uniform", 2 / 50), ("glorot_normal", 2 / 50), ("he_uniform", 2 / 20), ("he_normal", 2 / 20),
        ("lecun_uniform", 1 / 20), ("lecun_normal", 1 / 20), ("normal", 0.05**2), ("uniform", 0.05**2 / 3),
        ("zeros", 0.0),
    ],
)  # fmt: skip
def test_initializers_have_the_variance_they_promise(name: str, variance: float) -> None:
    draw, generator = initializers.find(name), Random(0)
    numbers = [draw(generator, 20, 30) for _ in range(20_000)]
    assert abs(statistics.fmean(numbers)) < 0.01
    assert statistics.pvariance(numbers) == pytest.approx(variance, rel=0.05)
    if "uniform" in name:
        assert max(map(abs, numbers)) <= math.sqrt(3 * variance)


def test_initializers_are_all_listed_and_replaceable() -> None:
    assert len(initializers.INITIALIZERS) == 9
    wide = partial(initializers.normal, deviation=10.0)
    assert nn.Neuron(1, initializer=wide, seed=0).weight[0].data == Random(0).gauss(0.0, 10.0)
    assert nn.Layer(1, 1, initializer="zeros")([5.0])[0].data == 0.0
    with pytest.raises(ValueError, match=r"no initializer has this name; got 'glorot'; use one of \['glorot_normal'"):
        nn.Neuron(1, initializer="glorot")
    with pytest.raises(TypeError, match="an initializer is a name or a function"):
        nn.Neuron(1, initializer=3)  # type: ignore[arg-type]


def test_activations_by_name_or_function() -> None:
    for name in ("linear", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus",
                 "softsign", "hardtanh"):  # fmt: skip
        assert math.isfinite(nn.Neuron(2, name, seed=0)([1.0, 2.0]).data)
    assert nn.Neuron(1, lambda x: x * 0 + 7, seed=0)([1.0]).data == 7.0
    assert "max" not in activations.NAMES
    with pytest.raises(
        ValueError, match=r"softmax sees them all; got 'softmax'; put engine.functions.softmax into a Seq"
    ):
        nn.Layer(1, 1, "softmax")
    with pytest.raises(ValueError, match=r"no activation has this name; got 'rely'; use one of \['linear', "):
        nn.Layer(1, 1, "rely")
    with pytest.raises(TypeError, match="an activation is a name or a function of a Value; got 3"):
        nn.Layer(1, 1, 3)  # type: ignore[arg-type]


def test_mse() -> None:
    x = Value(1.0)
    assert nn.mse(x, 3.0).data == 4.0
    assert nn.mse([[x, 2.0], [0.0, x]], [[0.0, 2.0], [2.0, 1.0]]).data == 1.25
    nn.mse([x, x], np.array([0.0, 3.0])).backward()
    assert x.grad == -1.0
    for predictions, targets, complaint in (
        ([x], [1.0, 2.0], "got 1 entries and 2 entries; give each"),
        ([[x], [x]], [[1.0], [1.0, 2.0]], "got 1 entries and 2 entries at 1;"),
        ([[[x]]], [[[1.0, 2.0]]], "at 0 of 0;"),
        ([x], 1.0, "got 1 entries and one number"),
        ([x], [[1.0]], "got one number and 1 entries at 0"),
    ):
        with pytest.raises(ValueError, match=f"same shape; .*{complaint}"):
            nn.mse(predictions, targets)
    with pytest.raises(ValueError, match="mean of no operands"):
        nn.mse([], [])


def test_mse_takes_generators_and_refuses_what_is_no_number() -> None:
    assert nn.mse((Value(x) for x in (1.0, 2.0)), (x for x in (1.0, 4.0))).data == 2.0
    assert nn.mse(Value(1.0), np.array(3.0)[()]).data == 4.0
    with pytest.raises(TypeError):
        nn.mse(Value(1.0), None)


def test_arrays_of_values_are_parameters() -> None:
    class Rows(nn.Module):
        def __init__(self) -> None:
            self.w = np.array([[Value(1.0), Value(2.0)]], dtype=object)
            self.fixed = np.ones(3)
            self.name = Value(3.0)

        def forward(self, x: float, *, scale: float = 1.0) -> Any:
            return self.w[0, 0] * x * scale

    rows = Rows()
    assert [name for name, _ in rows.named_parameters()] == ["w.0.0", "w.0.1", "name"]
    assert rows(2.0, scale=3.0).data == 6.0
    outer = nn.Module()
    outer.inner = rows  # type: ignore[attr-defined]
    outer.name_parameters()
    assert rows.name.label == "inner.name"
    assert rows.path == "inner"
    assert nn.Layer(np.int64(2), 1, seed=0)([1.0, 2.0])
    assert nn.SGD(np.float32(0.5)).learning_rate == 0.5  # type: ignore[arg-type]


def test_temporary_lists_hide_nothing() -> None:
    """What is made on the way and thrown away may leave its address to the next: nothing may be taken for seen."""

    class Arrays(nn.Module):
        def __init__(self) -> None:
            for i in range(20):
                setattr(self, f"w{i}", np.array([[Value(1.0), Value(2.0)] for _ in range(5)], dtype=object))

    assert len(Arrays().parameters()) == 200
    assert [name for name, _ in Arrays().named_tensors()] == [f"w{i}" for i in range(20)]
    assert len([name for name, _ in nn.MLP(2, [3] * 12, seed=0).named_tensors()]) == 24


def test_an_error_inside_the_users_generator_stays_itself() -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        nn.Neuron(1, seed=0)(1 + "a" for _ in range(1))  # type: ignore[operator]


def test_sgd() -> None:
    w = Value(3.0)
    w.grad = 2.0
    nn.SGD(0.5).step([w])
    assert w.data == 2.0
    assert w.grad == 2.0
    assert repr(nn.SGD(0.5)) == "SGD(learning_rate=0.5)"
    for rate in (0, -1.0, math.nan, math.inf, "0.1", None):
        with pytest.raises(ValueError, match=r"the learning rate must be a positive number; got .*; try 0.1"):
            nn.SGD(rate)  # type: ignore[arg-type]


@needs_torch
def test_an_mlp_has_pytorchs_outputs_and_gradients() -> None:
    model = nn.MLP(3, [5, 4, 2], "tanh", "sigmoid", seed=3)
    inputs, targets = [[0.5, -1.0, 2.0], [1.5, 0.0, -0.3]], [[0.0, 1.0], [1.0, 0.5]]
    loss = nn.mse([model(x) for x in inputs], targets)
    loss.backward()
    hidden = torch.tensor(inputs, dtype=torch.float64)
    tensors = []
    for layer, activation in zip(model.layers, (torch.tanh, torch.tanh, torch.sigmoid), strict=True):
        rows = [[*(w.data for w in n.weight), n.bias.data] for n in layer.neurons if n.bias is not None]
        both = torch.tensor(rows, dtype=torch.float64, requires_grad=True)
        tensors.append(both)
        hidden = activation(hidden @ both[:, :-1].T + both[:, -1])
    theirs = torch.nn.functional.mse_loss(hidden, torch.tensor(targets, dtype=torch.float64))
    theirs.backward()
    assert loss.data == pytest.approx(theirs.item(), rel=1e-13)
    for both, layer in zip(tensors, model.layers, strict=True):
        ours = [p.grad for neuron in layer.neurons for p in neuron.parameters()]
        assert ours == pytest.approx(both.grad.reshape(-1).tolist(), rel=1e-11, abs=1e-15)


def test_training_a_line() -> None:
    model = nn.MLP(1, [1], seed=0)
    optimizer = nn.SGD(0.1)
    for _ in range(300):
        loss = nn.mse([model([x]) for x in (-1.0, 0.0, 1.0, 2.0)], [[-1.0], [1.0], [3.0], [5.0]])
        model.zero_grad()
        loss.backward()
        optimizer.step(model.parameters())
    weight, bias = model.parameters()
    assert (weight.data, bias.data) == pytest.approx((2.0, 1.0), abs=1e-4)
    assert functions.sum(model([1.0])).data == pytest.approx(3.0, abs=1e-4)
