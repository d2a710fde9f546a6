"""The layers of nn: each against PyTorch's in float64 with the same weights, compiled against eager, and its errors."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest
from agreement import both
from layers import ALL, ROWS, Row, examples, made, numbers_of, twin_of, weighted
from oracles import needs_torch, torch

import engine
import nn
from engine import Value, functions
from nn.nested import mapped


@needs_torch
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@ALL
def test_pytorchs_outputs_and_gradients(row: Row, training: bool) -> None:
    model = made(row).train(training)
    twin = twin_of(row, model).train(training)
    inputs = mapped(Value, examples(row.shape))
    batch = torch.tensor(numbers_of(inputs), dtype=torch.float64, requires_grad=True)
    outputs = model.forward_batch(inputs)
    weighted(outputs).backward()
    theirs = row.run(twin, batch)
    flat = theirs.reshape(-1)
    random = Random(2)
    (flat * torch.tensor([random.gauss(0.0, 1.0) for _ in flat], dtype=torch.float64)).sum().backward()

    close = {"rtol": 1e-10, "atol": 1e-12}
    np.testing.assert_allclose(numbers_of(outputs), theirs.detach().numpy(), **close)
    np.testing.assert_allclose(numbers_of(inputs, "grad"), batch.grad.numpy(), **close)
    is_trained = {
        name: torch.tensor(numbers_of(tensor, "grad"), dtype=torch.float64)
        for name, tensor in model.named_tensors()
        if "running" not in name
    }
    slopes = {name: parameter.grad for name, parameter in twin.named_parameters()}
    ours = row.state(is_trained)
    assert ours.keys() == slopes.keys()
    for name, slope in slopes.items():
        want = torch.zeros_like(ours[name]) if slope is None else slope
        np.testing.assert_allclose(ours[name].numpy(), want.numpy(), **close, err_msg=name)
    running = dict(twin.named_buffers())
    for name, tensor in model.named_tensors():
        if "running" in name:
            np.testing.assert_allclose(numbers_of(tensor), running[name].numpy(), **close)


@both
@ALL
def test_compiled_equals_eager(row: Row, backend: str) -> None:
    model = made(row).eval()
    batch = examples(row.shape)
    close = {"rtol": 1e-12, "atol": 1e-13}
    compiled = engine.compile(lambda x: model(x), backend=backend)
    np.testing.assert_allclose(compiled(batch), [numbers_of(model(x)) for x in batch], **close)

    loss = engine.compile(lambda x: weighted(model(x)), backend=backend)
    _, gradient = loss.value_and_grad(batch)
    functions.mean([weighted(model(x)) for x in batch]).backward()
    np.testing.assert_allclose(gradient, [p.grad for p in loss.parameters], **close)
    moved = {id(p) for p in loss.parameters}
    assert all(p.grad == 0.0 for p in model.parameters() if id(p) not in moved)


def batch_norms(model: nn.Module) -> list[nn.BatchNorm]:
    return [module for _, module in model.named_modules() if isinstance(module, nn.BatchNorm)]


@both
@ALL
def test_compiled_batches_equal_eager_ones(row: Row, backend: str) -> None:
    """The whole batch as one example, in training, as statistics over the batch ask for."""
    batch = examples(row.shape)
    eager, model = made(row), made(row)
    value = weighted(eager.forward_batch(mapped(Value, batch)))
    value.backward()

    def whole(xs: Any) -> Any:
        return weighted(model.forward_batch(xs)), tuple([norm.observed for norm in batch_norms(model)])

    compiled = engine.compile(whole, backend=backend)
    _, observed = compiled([batch])
    for norm, statistics, other in zip(batch_norms(model), observed, batch_norms(eager), strict=True):
        assert numbers_of(norm.running_mean) != numbers_of(other.running_mean)  # recording moves nothing
        norm.observe([numbers[0] for numbers in statistics])
        np.testing.assert_allclose(numbers_of(norm.running_mean), numbers_of(other.running_mean), rtol=1e-12)
        np.testing.assert_allclose(numbers_of(norm.running_var), numbers_of(other.running_var), rtol=1e-12)
    assert all(norm.observed and not copy.deepcopy(norm).observed for norm in batch_norms(model))
    total, gradient = compiled.value_and_grad([batch])
    slopes = {parameter.label: parameter.grad for parameter in eager.parameters()}
    assert total == pytest.approx(value.data, rel=1e-12)
    np.testing.assert_allclose(gradient, [slopes[p.label] for p in compiled.parameters], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ["convolution", "padding", "attention", "transformer", "lstm", "network"])
def test_products_are_found_as_matrices(name: str) -> None:
    row = ROWS[name]
    model = made(row).eval()
    compiled = engine.compile(lambda x: model(x), backend="numpy")
    compiled(examples(row.shape))
    matrices = [line for line in str(compiled.program).splitlines() if " @ " in line]
    assert len(matrices) >= 2 if name in ("transformer", "network") else matrices


@ALL
def test_arrays_and_plain_numbers_go_in_and_lists_come_out(row: Row) -> None:
    model = made(row).eval()
    [example] = examples(row.shape, 1)
    outputs = model(np.array(example))
    assert isinstance(outputs, list)
    assert numbers_of(outputs) == numbers_of(model(example)) == numbers_of(model(mapped(Value, example)))


@ALL
def test_batches_are_examples_in_evaluation(row: Row) -> None:
    model = made(row).eval()
    batch = examples(row.shape)
    assert numbers_of(model.forward_batch(batch)) == [numbers_of(model(example)) for example in batch]


@ALL
def test_layers_are_copied_and_say_what_they_are(row: Row) -> None:
    model = made(row)
    model.forward_batch(examples(row.shape))
    batch = examples(row.shape)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert numbers_of(other.eval().forward_batch(batch)) == numbers_of(model.eval().forward_batch(batch))
    text = repr(model)
    assert "\n" not in text and " at 0x" not in text


# --- shapes


WRONG = {
    "dense": (lambda: nn.Dense(2, 3), [1.0], r"Layer\(2 -> 3, linear\) takes 2 numbers; got 1; match"),
    "a batch": (lambda: nn.Dense(2, 3), [[1.0, 2.0]] * 2,
                r"Layer\(2 -> 3, linear\) takes 2 numbers, one example; got 2 lists; give a batch to for"),
    "an array": (lambda: nn.Dense(2, 3), np.zeros((5, 2)), "takes 2 numbers, one example; got 5 lists; give"),
    "half a state": (lambda: lambda x: nn.LSTMCell(2, 1)([1.0, 2.0], x), [1.0],
                     r"LSTMCell\(2 -> 1\) takes a state of two vectors, hidden and cell; got \[1.0\]; pass what"),
    "batch norm": (lambda: nn.BatchNorm(2).eval(), [1.0], r"BatchNorm\(2 features\) takes 2 numbers, or 2 channels"),
    "two axes": (lambda: nn.BatchNorm(2).eval(), [[1.0], [2.0]], r"BatchNorm.* got 2 x 1 numbers; match the input"),
    "layer norm": (lambda: nn.LayerNorm(2), [[1.0, 2.0]], r"LayerNorm\(2 features\) takes 2 numbers; got 1 x 2 num"),
    "rms norm": (lambda: nn.RMSNorm(2), 3.0, r"RMSNorm\(2 features\) takes 2 numbers; got 3.0; match the input"),
    "channels": (lambda: nn.Conv2D(2, 1, 1), [[[1.0]]],
                 r"Conv2D\(2 -> 1, kernel 1x1, linear\) takes an image of 2 channels of rows; got 1 x 1 x 1 numbers;"),
    "ragged": (lambda: nn.Conv2D(1, 1, 1), [[[1.0], [1.0, 2.0]]], "Conv2D.*; got lists of unlike lengths; match"),
    "small": (lambda: nn.Conv2D(1, 1, 3), [[[1.0] * 3] * 2], "images as large as its kernel; got 2x3 pixels; use a"),
    "pool": (lambda: nn.MaxPool2D(2), [1.0], r"MaxPool2D\(kernel 2x2, stride 2x2\) takes an image .*; got 1 numbers"),
    "small pool": (lambda: nn.AvgPool2D(2), [[[1.0]]], "AvgPool2D.* as large as its kernel; got 1x1 pixels"),
    "no rows": (lambda: nn.MaxPool2D(2), [[]], "takes an image .*; got 1 x 0 numbers"),
    "cell": (lambda: nn.RNNCell(2, 3), [1.0], r"RNNCell\(2 -> 3\) takes vectors of 2 numbers; got 1 numbers"),
    "recurrent": (lambda: nn.Recurrent(nn.GRUCell(2, 3)), [1.0, 2.0],
                  r"Recurrent\(GRUCell\(2 -> 3\), the last step\) takes a sequence of vectors of 2 numbers; got 2 num"),
    "empty": (lambda: nn.Recurrent(nn.GRUCell(2, 3)), [], "takes a sequence of vectors of 2 numbers; got 0 numbers"),
    "attention": (lambda: nn.CausalSelfAttention(4, 2), [[1.0]], "takes a sequence of vectors of 4 numbers; got 1 x 1"),
    "block": (lambda: nn.TransformerBlock(4, 2, 4), [[1.0]], r"TransformerBlock\(4 -> 4, 2 heads, hidden 4\) takes"),
    "embedding": (lambda: nn.Embedding(3, 2), [1.0], r"Embedding\(3 things -> 2\) takes the number of a thing, or wei"),
    "thing": (lambda: nn.Embedding(3, 2), 3, "has things 0 to 2; got 3; number them from 0"),
    "negative": (lambda: nn.Embedding(3, 2), -1.0, "has things 0 to 2; got -1.0; number them from 0"),
    "half": (lambda: nn.Embedding(3, 2), 0.5, "has things 0 to 2; got 0.5; number them from 0, in whole numbers"),
    "positions": (lambda: nn.PositionEmbedding(1, 2), [[1.0, 2.0]] * 2, "knows 1 positions; got 2 steps; make it"),
    "wide positions": (lambda: nn.PositionEmbedding(1, 2), [[1.0]], "takes a sequence of vectors of 2 numbers"),
    "each": (lambda: nn.TimeDistributed("relu"), 1.0, "takes a list of inputs of its module; got 1.0; put them in"),
    "residual": (lambda: nn.Residual(nn.Dense(2, 3)), [1.0, 2.0],
                 r"Residual\(Layer.* adds what it takes .*; got shapes \(2,\) and \(3,\); let the module keep"),
    "inside": (lambda: nn.Sequential([nn.Flatten(), nn.LayerNorm(2)]), [1.0],
               r"layers.1 LayerNorm\(2 features\) takes 2 numbers; got 1 numbers"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "inputs", "complaint"), WRONG.values(), ids=WRONG)
def test_wrong_shapes_name_the_layer(make: Callable[[], nn.Module], inputs: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        make()(inputs)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: nn.Sequential([]), r"needs a list of layers; got \[\]; pass a list such as"),
        (lambda: nn.Sequential(nn.Dense(1, 1)), r"needs a list of layers; got Layer.*; pass a list"),
        (lambda: nn.Sequential(["rely"]), "no activation has this name; got 'rely'; use one of"),
        (lambda: nn.Sequential([nn.Flatten]), "a layer is a module, .*; got <class .*Flatten'>; use Layer"),
        (lambda: nn.Sequential([3]), "a layer is a module, an activation's name or a function; got 3; use Layer"),
        (lambda: nn.Lambda(3), "a Lambda is made of a function; got 3; pass one of an example"),
        (lambda: nn.Dropout(1.0), "rate of dropout is a probability below 1; got 1.0; try 0.5"),
        (lambda: nn.Dropout("0.5"), "rate of dropout is a probability below 1; got '0.5'; try 0.5"),
        (lambda: nn.BatchNorm(0), "features must be a positive whole number; got 0; use 1 or more"),
        (lambda: nn.BatchNorm(1, momentum=2.0), "momentum must be a number from 0 to 1; got 2.0; leave it out"),
        (lambda: nn.LayerNorm(1, eps=-1.0), "eps must be a number from 0 to inf; got -1.0; leave it out"),
        (lambda: nn.Conv2D(1, 1, 0), "kernel must be whole numbers from 1 on; got 0; give one for both axes, or two"),
        (lambda: nn.Conv2D(1, 1, (1, 2, 3)), r"kernel must be whole numbers from 1 on; got \(1, 2, 3\); give one"),
        (lambda: nn.Conv2D(1, 1, 1, stride=1.5), "stride must be whole numbers from 1 on; got 1.5; give one"),
        (lambda: nn.Conv2D(1, 1, 1, padding=-1), "padding must be whole numbers from 0 on; got -1; give one"),
        (lambda: nn.MaxPool2D("33"), "kernel must be whole numbers from 1 on; got '33'; give one"),
        (lambda: nn.Recurrent(nn.Dense(1, 1)), "a Recurrent runs a cell; got Layer.*; pass an LSTMCell, say"),
        (lambda: nn.GRUCell(1, 0), "hidden must be a positive whole number; got 0"),
        (lambda: nn.CausalSelfAttention(4, 3), "heads must divide the width; got 3 and 4; make width a multiple"),
        (lambda: nn.Embedding(3, 1, initializer="glorot"), "no initializer has this name; got 'glorot'; use one of"),
    ],
)
def test_wrong_sizes(make: Callable[[], nn.Module], complaint: str) -> None:
    with pytest.raises((ValueError, TypeError), match=complaint):
        make()
