"""The layers of nn: each against PyTorch's in float64 with the same weights, compiled against eager, and its errors."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import needs_torch

import engine
import nn
from engine import Value, functions, no_grad
from engine.compiler.batches import nested
from nn.nested import flattened, mapped, shape_of

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

BACKENDS = pytest.mark.parametrize("backend", ["numpy", "python"])


class Row(NamedTuple):
    """A layer, its twin in PyTorch (text, so that the table needs no PyTorch), and the shape of an example."""

    ours: Callable[[], nn.Module]
    theirs: str
    shape: tuple[int, ...]
    run: Callable[[Any, Any], Any] = lambda twin, batch: twin(batch)
    state: Callable[[dict[str, Any]], dict[str, Any]] = dict


def _first(twin: Any, batch: Any) -> Any:
    return twin(batch)[0]


def _last(twin: Any, batch: Any) -> Any:
    return twin(batch)[0][:, -1]


def _one_step(twin: Any, batch: Any) -> Any:
    state = twin(batch)
    return state[0] if isinstance(state, tuple) else state


def _causal(twin: Any, batch: Any) -> Any:
    mask = torch.full((batch.shape[1],) * 2, -math.inf, dtype=torch.float64).triu(1)
    if isinstance(twin, torch.nn.MultiheadAttention):
        return twin(batch, batch, batch, attn_mask=mask, need_weights=False)[0]
    return twin(batch, src_mask=mask)


def _attention_state(ours: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    parts = [f"{prefix}{name}" for name in ("query", "key", "value")]
    return {
        "in_proj_weight": torch.cat([ours[f"{part}.weight"] for part in parts]),
        "in_proj_bias": torch.cat([ours[f"{part}.bias"] for part in parts]),
        "out_proj.weight": ours[f"{prefix}output.weight"],
        "out_proj.bias": ours[f"{prefix}output.bias"],
    }


def _block_state(ours: dict[str, Any]) -> dict[str, Any]:
    names = {
        "attention_norm": "norm1", "network_norm": "norm2",
        "network.layers.0": "linear1", "network.layers.1": "linear2",
    }  # fmt: skip
    attention = _attention_state(ours, "attention.").items()
    return {f"self_attn.{name}": tensor for name, tensor in attention} | {
        f"{theirs}.{part}": ours[f"{mine}.{part}"] for mine, theirs in names.items() for part in ("weight", "bias")
    }


ROWS = {
    "dense": Row(lambda: nn.Dense(3, 4), "Linear(3, 4)", (3,)),
    "multi-layer perceptron": Row(
        lambda: nn.MLP(3, [4, 2], "tanh"), "Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))", (3,),
        state=lambda ours: {name[7:].replace("1.", "2."): tensor for name, tensor in ours.items()},
    ),
    "batch norm": Row(lambda: nn.BatchNorm(3), "BatchNorm1d(3)", (3,)),
    "batch norm of images": Row(lambda: nn.BatchNorm(2), "BatchNorm2d(2)", (2, 3, 4)),
    "batch norm, other numbers": Row(
        lambda: nn.BatchNorm(2, momentum=0.3, eps=0.1), "BatchNorm1d(2, eps=0.1, momentum=0.3)", (2,)
    ),
    "layer norm": Row(lambda: nn.LayerNorm(5), "LayerNorm(5)", (5,)),
    "rms norm": Row(lambda: nn.RMSNorm(5), "RMSNorm(5, eps=1e-5)", (5,)),
    "convolution": Row(lambda: nn.Conv2D(2, 3, 3), "Conv2d(2, 3, 3)", (2, 5, 6)),
    "padding": Row(lambda: nn.Conv2D(2, 3, 3, padding=1), "Conv2d(2, 3, 3, padding=1)", (2, 4, 5)),
    "stride": Row(lambda: nn.Conv2D(1, 2, 2, 2), "Conv2d(1, 2, 2, 2)", (1, 5, 5)),
    "oblong": Row(lambda: nn.Conv2D(2, 2, (2, 3), (2, 1), (3, 2)), "Conv2d(2, 2, (2, 3), (2, 1), (3, 2))", (2, 4, 3)),
    "no bias": Row(lambda: nn.Conv2D(2, 2, 2, bias=False, padding=2), "Conv2d(2, 2, 2, bias=False, padding=2)",
                   (2, 3, 3)),
    "max pool": Row(lambda: nn.MaxPool2D(2), "MaxPool2d(2)", (2, 5, 4)),
    "overlapping": Row(lambda: nn.MaxPool2D((3, 2), 1), "MaxPool2d((3, 2), 1)", (1, 4, 4)),
    "average pool": Row(lambda: nn.AvgPool2D((2, 3), (1, 2)), "AvgPool2d((2, 3), (1, 2))", (2, 4, 5)),
    "flatten": Row(lambda: nn.Flatten(), "Flatten()", (2, 3, 2)),
    "rnn cell": Row(lambda: nn.RNNCell(3, 2), "RNNCell(3, 2)", (3,)),
    "lstm cell": Row(lambda: _Shown(nn.LSTMCell(3, 2)), "LSTMCell(3, 2)", (3,), _one_step),
    "gru cell": Row(lambda: nn.GRUCell(3, 2), "GRUCell(3, 2)", (3,)),
    "rnn": Row(lambda: nn.Recurrent(nn.RNNCell(3, 2), True), "RNN(3, 2, batch_first=True)", (4, 3), _first),
    "lstm": Row(lambda: nn.Recurrent(nn.LSTMCell(3, 2), True), "LSTM(3, 2, batch_first=True)", (4, 3), _first),
    "gru": Row(lambda: nn.Recurrent(nn.GRUCell(3, 2), True), "GRU(3, 2, batch_first=True)", (4, 3), _first),
    "last of lstm": Row(lambda: nn.Recurrent(nn.LSTMCell(3, 2)), "LSTM(3, 2, batch_first=True)", (4, 3), _last),
    "attention": Row(
        lambda: nn.CausalSelfAttention(6, 2), "MultiheadAttention(6, 2, batch_first=True)", (4, 6), _causal,
        _attention_state,
    ),
    "transformer": Row(
        lambda: nn.TransformerBlock(4, 2, 8),
        "TransformerEncoderLayer(4, 2, 8, dropout=0.0, activation='gelu', batch_first=True, norm_first=True)",
        (3, 4), _causal, _block_state,
    ),
    "each step": Row(lambda: nn.TimeDistributed(nn.Dense(3, 2)), "Linear(3, 2)", (4, 3)),
    "positions": Row(
        lambda: nn.PositionEmbedding(4, 2), "Embedding(4, 2)", (3, 2), lambda twin, x: x + twin(torch.arange(3))
    ),
    "one of several": Row(
        lambda: nn.Embedding(4, 3), "Embedding(4, 3)", (4,), lambda twin, x: x @ twin.weight
    ),
    "residual": Row(
        lambda: nn.Residual(nn.Dense(3, 3)), "Linear(3, 3)", (3,), lambda twin, x: x + twin(x),
        lambda ours: {name.removeprefix("module."): tensor for name, tensor in ours.items()},
    ),
    "network": Row(
        lambda: nn.Sequential([
            nn.Conv2D(1, 2, 3, padding=1), nn.BatchNorm(2), "relu", nn.MaxPool2D(2), nn.Flatten(), nn.Dense(8, 5),
            nn.BatchNorm(5), "tanh", nn.Dropout(0.0), nn.Dense(5, 2),
        ]),
        "Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), "
        "nn.Linear(8, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Dropout(0.0), nn.Linear(5, 2))",
        (1, 4, 4),
    ),
}  # fmt: skip
ALL = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)


class _Shown(nn.Module):
    """A cell, of whose state only the output leaves."""

    def __init__(self, cell: nn.Cell) -> None:
        self.cell = cell

    def forward(self, inputs: Any) -> Any:
        return self.cell.output(self.cell(inputs))

    def tensors(self) -> dict[str, Any]:
        return self.cell.tensors()


def made(row: Row) -> nn.Module:
    """The layer with weights, biases and running statistics that are all different."""
    model, random = row.ours(), Random(0)
    for parameter in model.parameters():
        parameter.data = random.gauss(0.3, 0.5)
    for _, statistic in model.named_buffers():
        statistic.data = random.uniform(0.5, 2.0)
    return model


def examples(shape: tuple[int, ...], count: int = 3) -> Any:
    random = Random(1)
    return nested(iter([random.gauss(0.0, 1.0) for _ in range(count * math.prod(shape))]), (count, *shape))


def weighted(outputs: Any) -> Value:
    """A number that every output moves, each at its own rate."""
    numbers = list(flattened(outputs))
    random = Random(2)
    return functions.dot([random.gauss(0.0, 1.0) for _ in numbers], numbers)


def twin_of(row: Row, model: nn.Module) -> Any:
    twin = eval(f"nn.{row.theirs}", {"nn": torch.nn}).double()
    tensors = {
        name: torch.tensor(mapped(lambda x: x.data if isinstance(x, Value) else x, tensor), dtype=torch.float64)
        for name, tensor in model.named_tensors()
    }
    missing, unexpected = twin.load_state_dict(row.state(tensors), strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    return twin


def numbers_of(grid: Any, attribute: str = "data") -> Any:
    return mapped(lambda x: getattr(x, attribute) if isinstance(x, Value) else x, grid)


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


@BACKENDS
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


@BACKENDS
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


@pytest.mark.parametrize("kind", [nn.Conv2D, nn.RNNCell, nn.GRUCell, nn.LSTMCell, nn.Embedding, nn.PositionEmbedding,
                                  nn.CausalSelfAttention, nn.TransformerBlock])  # fmt: skip
def test_seeds(kind: Any) -> None:
    def weights(**how: Any) -> list[float]:
        sizes = {nn.Conv2D: (1, 2, 3), nn.TransformerBlock: (4, 2, 8)}.get(kind, (4, 2))
        return [p.data for p in kind(*sizes, **how).parameters()]

    assert weights(seed=1) == weights(seed=1) == weights(generator=Random(1))
    assert weights(seed=1) != weights(seed=2)
    with pytest.raises(ValueError, match="say the same twice"):
        weights(seed=1, generator=Random(1))


# --- what single layers promise


def test_dropout_drops_at_its_rate_and_keeps_the_mean() -> None:
    outputs = [x.data for x in nn.Dropout(0.25)([3.0] * 5_000)]
    assert set(outputs) == {0.0, 4.0}
    assert outputs.count(0.0) / len(outputs) == pytest.approx(0.25, abs=0.04)  # 6 standard deviations
    x = Value(1.0)
    assert nn.Dropout(0.9).eval()([x]) == [x] == nn.Dropout(0.0)([x])
    [[kept]] = nn.Dropout(0.0)([[x]])
    assert kept is x


@BACKENDS
def test_compiled_dropout_draws_for_every_example_and_call(backend: str) -> None:
    model = nn.Sequential([nn.Dropout(0.5)])
    compiled = engine.compile(lambda x: model(x), backend=backend, seed=0)
    batch = [[1.0] * 50] * 20
    first, second = (np.array(compiled(batch)) for _ in range(2))
    assert {0.0, 2.0} == set(first.ravel())
    assert not (first == first[0]).all() and not (first == second).all()
    assert abs(first.mean() - 1.0) < 0.2  # 6 standard deviations
    model.eval()
    assert np.array(engine.compile(lambda x: model(x), backend=backend)(batch)).min() == 1.0


@BACKENDS
def test_dropout_has_the_gradient_of_what_it_kept(backend: str) -> None:
    w = Value(1.0)
    dropout = nn.Dropout(0.5)
    compiled = engine.compile(lambda x: dropout([w * x])[0], backend=backend, seed=0)
    value, [slope] = compiled.value_and_grad([1.0] * 64)
    assert value == slope
    assert value not in (0.0, 2.0)


def test_batch_norm_couples_examples_only_in_training() -> None:
    norm = nn.Sequential([nn.BatchNorm(1)])
    complaint = r"layers.0 BatchNorm\(1 features\) .* in training; got a single example; use forward_batch, or eval"
    with pytest.raises(RuntimeError, match=complaint):
        norm([1.0])
    with pytest.raises(ValueError, match="takes the variance of each feature in training; got 1 number of each; give"):
        norm.forward_batch([[1.0]])
    with pytest.raises(ValueError, match="got 0 number of each"):
        norm.forward_batch([])
    alone = norm.eval()([1.0])[0].data
    assert alone == norm.forward_batch([[1.0], [5.0]])[0][0].data
    assert any(module.couples_examples for _, module in norm.named_modules())
    assert numbers_of(norm.layers[0].running_mean) == [0.0]
    assert norm.layers[0].observed == ()


def test_batch_norm_over_the_steps_of_sequences() -> None:
    norm, flat = nn.TimeDistributed(nn.BatchNorm(2)), nn.BatchNorm(2)
    batch = examples((3, 2), 4)
    together = numbers_of(norm.forward_batch(batch))
    assert together == nested(flattened(numbers_of(flat.forward_batch([x for xs in batch for x in xs]))), (4, 3, 2))
    assert numbers_of(dict(norm.named_tensors())["running_mean"]) == numbers_of(flat.running_mean)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=6), st.floats(-1e3, 1e3))
def test_layer_norm_does_not_see_where_its_input_lies(numbers: list[float], shift: float) -> None:
    norm = nn.LayerNorm(len(numbers), eps=1.0)
    here, there = (numbers_of(norm([x + by for x in numbers])) for by in (0.0, shift))
    assert here == pytest.approx(there, abs=1e-8)
    assert sum(here) == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(3, 6), st.integers(3, 6))
def test_convolutions_have_the_size_they_promise(
    kernel: int, stride: int, padding: int, rows: int, columns: int
) -> None:
    conv = nn.Conv2D(1, 1, kernel, stride, padding, seed=0)
    sizes = [(size + 2 * padding - kernel) // stride + 1 for size in (rows, columns)]
    assert shape_of(conv([[[1.0] * columns] * rows])) == (1, *sizes)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 4))
def test_attention_does_not_see_the_future(step: int) -> None:
    block = nn.TransformerBlock(4, 2, 4, seed=0)
    inputs = mapped(Value, examples((5, 4), 1)[0])
    weighted(block(inputs)[step]).backward()
    assert [any(x.grad for x in vector) for vector in inputs] == [t <= step for t in range(5)]


@BACKENDS
def test_embeddings_pick_rows_by_any_kind_of_number(backend: str) -> None:
    embedding = nn.Embedding(4, 3, seed=0)
    rows = [numbers_of(row) for row in embedding.weight]
    one_hot = np.eye(4).tolist()
    for index in (2, 2.0, np.int64(2), np.array(2), engine.constant(2.0), Value(2.0), one_hot[2], np.eye(4)[2]):
        assert numbers_of(embedding(index)) == rows[2]
    assert embedding(2)[0] is embedding.weight[2][0]
    compiled = engine.compile(lambda k: embedding(k), backend=backend)
    assert np.array(compiled([3, 0, 1, 1])).tolist() == [rows[3], rows[0], rows[1], rows[1]]
    assert np.array(compiled([-1, 4, 0.5])).tolist() == [[0.0] * 3] * 3
    sequences = nn.TimeDistributed(embedding)
    assert np.array(engine.compile(lambda k: sequences(k), backend=backend)([[0, 3]])).tolist() == [[rows[0], rows[3]]]
    gradients = engine.compile(lambda k: weighted(embedding(k)), backend=backend)
    _, slopes = gradients.value_and_grad([3, 3])
    by_row = {p.label.split(".")[2]: slope for p, slope in zip(gradients.parameters, slopes, strict=True) if slope}
    assert by_row.keys() == {"3"}


def test_tied_largest_numbers_share_the_gradient() -> None:
    x, y = Value(1.0), Value(1.0)
    nn.MaxPool2D((1, 2))([[[x, y]]])[0][0][0].backward()
    assert (x.grad, y.grad) == (0.5, 0.5)


def test_a_cells_state_goes_on() -> None:
    for cell in (nn.RNNCell(2, 3, seed=0), nn.GRUCell(2, 3, seed=0), nn.LSTMCell(2, 3, seed=0)):
        zeros: Any = ([0.0] * 3, [0.0] * 3) if cell.gates == 4 else [0.0] * 3
        first = cell([1.0, 2.0])
        assert numbers_of(cell.output(first)) == numbers_of(cell.output(cell([1.0, 2.0], zeros)))
        steps = nn.Recurrent(cell, return_sequences=True)([[1.0, 2.0], [3.0, 4.0]])
        assert numbers_of(steps[1]) == numbers_of(cell.output(cell([3.0, 4.0], first)))
        with pytest.raises(ValueError, match="a state of (twice )?3 numbers; got 2 numbers"):
            cell([1.0, 2.0], ([0.0] * 3, [0.0] * 2) if cell.gates == 4 else [0.0] * 2)
    assert [b.data for b in nn.LSTMCell(1, 2).bias_ih] == [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]


def test_activations_and_functions_as_layers() -> None:
    assert numbers_of(nn.Activation("relu")([[-1.0], [2.0]])) == [[0.0], [2.0]]
    assert nn.Activation(lambda x: x * 2)(3.0).data == 6.0
    model = nn.Sequential(["tanh", functions.softmax, lambda xs: xs[:1]])
    assert len(model(np.array([1.0, 2.0]))) == 1
    assert repr(model) == "Sequential(Activation(tanh), Lambda(softmax), Lambda(<lambda>))"
    assert [repr(layer) for layer in model.layers] == [repr(layer) for layer in nn.Sequential(model.layers).layers]


def test_a_sequential_shares_a_layer_that_stands_in_it_twice() -> None:
    layer = nn.Dense(2, 2, seed=0)
    model = nn.Sequential([layer, "tanh", layer])
    assert len(model.parameters()) == 6
    assert [name for name, _ in model.named_tensors()] == ["0.weight", "0.bias"]


# --- summaries


def test_summary_of_an_image_network() -> None:
    model = ROWS["network"].ours()
    lines = model.summary(examples((1, 4, 4), 1)[0]).splitlines()
    assert lines[0] == repr(model)
    assert lines[1:-1] == [
        "layer (type)           output shape  parameters",
        "layers.0 (Conv2D)      (2, 4, 4)             20",
        "layers.1 (BatchNorm)   (2, 4, 4)              4",
        "layers.2 (Activation)  (2, 4, 4)              0",
        "layers.3 (MaxPool2D)   (2, 2, 2)              0",
        "layers.4 (Flatten)     (8,)                   0",
        "layers.5 (Layer)       (5,)                  45",
        "layers.6 (BatchNorm)   (5,)                  10",
        "layers.7 (Activation)  (5,)                   0",
        "layers.8 (Dropout)     (5,)                   0",
        "layers.9 (Layer)       (2,)                  12",
    ]
    assert lines[-1] == "91 parameters"
    assert all(module.training for _, module in model.named_modules())
    assert numbers_of(model.layers[1].running_mean) == [0.0, 0.0]
    assert "layers.0 (Conv2D)      ?" in model.summary()


def test_summaries_count_what_is_shared_once_and_what_lies_between() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            self.scale = Value(2.0)
            self.first = nn.Dense(2, 2, seed=0)
            self.again = nn.Residual(self.first)

        def forward(self, x: Any) -> Any:
            return [self.scale * y for y in self.first(x)]

    lines = Scaled().summary([1.0, 2.0]).splitlines()
    assert [line.split()[-1] for line in lines[2:-1]] == ["6", "6", "1"]
    assert lines[-1] == "7 parameters"
    for layer, cells in (
        (nn.LayerNorm(3), ["(LayerNorm)", "(3,)", "6"]), (nn.Dense(2, 4), ["(Layer)", "(4,)", "12"]),
        (nn.RMSNorm(3), ["(RMSNorm)", "(3,)", "3"]),
    ):  # fmt: skip
        assert [line.split() for line in layer.summary().splitlines()[2:-1]] == [["model", *cells]]
    assert nn.Residual(nn.Dense(2, 2)).summary().splitlines()[2].split() == ["module", "(Layer)", "(2,)", "6"]
    with pytest.raises(ValueError, match="takes 2 numbers"), no_grad():
        Scaled().summary([1.0])
