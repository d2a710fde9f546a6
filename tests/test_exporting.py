"""Models in other programs: onnxruntime and PyTorch compute what the model does."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from oracles import needs_torch

import nn
from engine import Value, functions
from nn.onnx_graph import FUNCTIONS
from nn.onnx_layers import FORMS

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]


def stirred(model: Any) -> Any:
    """The model with numbers of its own everywhere, also where layers begin with 0 or 1, and in buffers."""
    generator = Random(0)
    for parameter in model.parameters():
        parameter.data = generator.uniform(-0.8, 0.8)
    for _, statistic in model.named_buffers():
        statistic.data = generator.uniform(0.5, 2)
    return model


def numbers(outputs: Any) -> Any:
    return [numbers(part) for part in outputs] if isinstance(outputs, list) else Value.__float__(outputs)


def examples(count: int, shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(1).normal(size=(count, *shape))


def ran(path: Path, x: Any) -> Any:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["output"], {"input": x.astype(np.float32)})[0]


def dense(*sizes: int, **options: Any) -> nn.MLP:
    return nn.MLP(sizes[0], sizes[1:], seed=0, **options)


# a model, and the shape of an example (None: the model tells it)
MODELS: dict[str, tuple[Callable[[], Any], tuple[int, ...] | None]] = {
    "layer": (lambda: nn.Layer(3, 2, "tanh"), None),
    "layer without bias": (lambda: nn.Layer(3, 2, bias=False), (3,)),
    "mlp": (lambda: dense(4, 8, 8, 3, output_activation="sigmoid"), None),
    "sequential": (lambda: nn.Sequential([nn.Layer(3, 4), "relu", nn.Dropout(0.5), dense(4, 2)]), None),
    "softmax": (lambda: nn.Sequential([nn.Layer(3, 4), functions.softmax]), None),
    "log_softmax": (lambda: nn.Sequential([nn.Layer(3, 4), nn.Lambda(functions.log_softmax)]), None),
    "nothing": (lambda: nn.Sequential([nn.Dropout(0.3), "linear"]), (2, 3)),
    "flatten": (lambda: nn.Sequential([nn.Flatten(), nn.Layer(24, 2)]), (2, 3, 4)),
    "residual": (lambda: nn.Residual(nn.Sequential([nn.Layer(3, 5, "gelu"), nn.Layer(5, 3)])), None),
    "batch norm": (lambda: nn.Sequential([nn.Layer(3, 4), nn.BatchNorm(4, eps=0.1), "relu"]), None),
    "layer norm": (lambda: nn.Sequential([nn.LayerNorm(6, eps=0.1), nn.Layer(6, 2)]), None),
    "rms norm": (lambda: nn.RMSNorm(6, eps=0.1), None),
    "convolution": (lambda: nn.Conv2D(2, 3, 3, activation="relu"), (2, 5, 6)),
    "convolution, uneven": (lambda: nn.Conv2D(2, 3, (3, 2), (2, 1), (0, 1), bias=False), (2, 8, 5)),
    "max pool": (lambda: nn.MaxPool2D(2), (3, 5, 4)),
    "max pool, overlapping": (lambda: nn.MaxPool2D((3, 2), (1, 2)), (1, 5, 5)),
    "average pool": (lambda: nn.AvgPool2D(2, 1), (2, 4, 4)),
    "cnn": (
        lambda: nn.Sequential([
            nn.Conv2D(1, 4, 3, padding=1), nn.BatchNorm(4), "relu", nn.MaxPool2D(2),
            nn.Residual(nn.Conv2D(4, 4, 3, padding=1, activation="tanh")), nn.AvgPool2D(2), nn.Flatten(),
            nn.Dropout(0.2), nn.Layer(16, 10),
        ]),
        (1, 8, 8),
    ),
    "each step": (lambda: nn.TimeDistributed(nn.Sequential([nn.Layer(3, 4, "selu"), nn.LayerNorm(4)])), (5, 3)),
    "each step, without bias": (lambda: nn.TimeDistributed(nn.Layer(3, 4, bias=False)), (5, 3)),
    "each pixel row": (lambda: nn.TimeDistributed(nn.TimeDistributed(nn.Layer(3, 2))), (2, 4, 3)),
    "each step, flattened": (lambda: nn.TimeDistributed(nn.Flatten()), (2, 3, 4)),
    "embedding by weights": (lambda: nn.Embedding(4, 3), (4,)),
    "positions": (lambda: nn.PositionEmbedding(9, 3), (5, 3)),
    "rnn": (lambda: nn.Recurrent(nn.RNNCell(3, 4)), (5, 3)),
    "gru": (lambda: nn.Recurrent(nn.GRUCell(3, 4)), (5, 3)),
    "lstm": (lambda: nn.Recurrent(nn.LSTMCell(3, 4)), (5, 3)),
    "deep lstm": (
        lambda: nn.Sequential([
            nn.Recurrent(nn.LSTMCell(3, 4), return_sequences=True), nn.Recurrent(nn.GRUCell(4, 2)), nn.Layer(2, 2),
        ]),
        (5, 3),
    ),
    "attention": (lambda: nn.CausalSelfAttention(6, 3), (5, 6)),
    "transformer": (
        lambda: nn.Sequential([
            nn.PositionEmbedding(7, 4), nn.TransformerBlock(4, 2, 8, dropout=0.5), nn.TransformerBlock(4, 1, 5, "silu"),
            nn.TimeDistributed(nn.Layer(4, 3)),
        ]),
        (7, 4),
    ),
} | {
    f"activation {name}": (lambda name=name: nn.Sequential([nn.Activation(name), nn.Layer(6, 3, name)]), (6,))  # type: ignore[misc]
    for name in FUNCTIONS
}  # fmt: skip

ENDS = {"acosh": (1.1, 3.0), "log": (0.1, 3.0), "sqrt": (0.1, 3.0)} | dict.fromkeys(("acos", "asin", "atanh"), (0, 0.4))


@pytest.mark.parametrize("case", MODELS)
def test_onnxruntime_computes_the_same(case: str, tmp_path: Path) -> None:
    make, shape = MODELS[case]
    model = stirred(make())
    if shape is None:
        shape = model.input_shape
    x = examples(4, shape)
    function = case.removeprefix("activation ")
    if function in ENDS:  # where it is defined
        low, high = ENDS[function]
        x = low + (high - low) / (1 + np.exp(-x))
        for parameter in model.parameters():
            parameter.data = 0.05 if function == "acos" else 0.3
    nn.export_onnx(model, tmp_path / "model.onnx", MODELS[case][1])
    assert model.training  # exporting changes nothing
    wanted = np.array([numbers(model.eval()(example.tolist())) for example in x])
    assert np.isfinite(wanted).all()
    outputs = ran(tmp_path / "model.onnx", x)
    assert outputs.shape == wanted.shape
    assert outputs == pytest.approx(wanted, rel=1e-5, abs=1e-5)
    assert ran(tmp_path / "model.onnx", x[:1]) == pytest.approx(wanted[:1], rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("shape", [(), (6,)])
def test_embeddings_take_numbers_of_things(shape: tuple[int, ...], tmp_path: Path) -> None:
    table = nn.Embedding(5, 3, seed=0)
    nn.export_onnx(nn.TimeDistributed(table) if shape else table, tmp_path / "model.onnx", shape)
    things = np.random.default_rng(0).integers(0, 5, (4, *shape))
    rows = np.array([[weight.data for weight in row] for row in table.weight])
    assert ran(tmp_path / "model.onnx", things) == pytest.approx(rows[things], abs=1e-7)


def test_every_form_is_tested() -> None:
    tested = {type(inner) for make, _ in MODELS.values() for _, inner in make().named_modules()}
    assert set(FORMS) <= tested


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    nn.export_onnx(dense(3, 2), tmp_path / "model.onnx", 3)
    made = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(made, full_check=True)
    assert (made.ir_version, [(o.domain, o.version) for o in made.opset_import]) == (10, [("", 21)])
    shapes = [
        [axis.dim_param or axis.dim_value for axis in end.type.tensor_type.shape.dim]
        for end in (*made.graph.input, *made.graph.output)
    ]
    assert shapes == [["batch", 3], ["batch", 2]]
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


class Own(nn.Layer):
    """Nobody knows what it does."""


class OwnCell(nn.RNNCell):
    pass


def relu(x: Any) -> Any:
    return x


REFUSED: list[tuple[Any, Any, str]] = [
    (Own(2, 1), 2, r"Layer\(2 -> 1, linear\) has no ONNX form; got a Own; use one of Activation, AvgPool2D"),
    (nn.Sequential([nn.Layer(2, 2), Own(2, 1)]), 2, r"layers.1 Layer\(2 -> 1, linear\) has no ONNX form; got a Own"),
    (nn.Neuron(2), 2, r"Neuron\(2 inputs, linear\) has no ONNX form"),
    (nn.Recurrent(OwnCell(2, 1)), (3, 2), "has a cell without ONNX form; got a OwnCell; use"),
    (nn.Layer(2, 1, relu), 2, "has a function without ONNX form; got <function relu.*; use one of linear,"),
    (nn.Layer(2, 1, "hardtanh"), 2, "has a function without ONNX form; got <function Value.hardtanh"),
    (nn.Lambda(list), 2, "has a function without ONNX form; got <class 'list'>; use softmax or log_softmax"),
    (nn.Lambda(functions.softmax), (2, 2), r"Lambda\(softmax\) takes examples of any; got the shape \(2, 2\); match"),
    (nn.Layer(2, 1), 3, r"Layer\(2 -> 1, linear\) takes examples of 2; got the shape \(3,\); match example_shape"),
    (nn.Conv2D(1, 1, 3), (2, 4, 4), r"takes examples of 1 x any x any; got the shape \(2, 4, 4\)"),
    (nn.Conv2D(1, 1, 3), (1, 4, 2), r"takes images as large as its kernel; got \(1, 4, 2\)"),
    (nn.MaxPool2D(3), (1, 2, 3), "takes images as large as its kernel"),
    (nn.TimeDistributed(nn.Conv2D(1, 1, 1)), (2, 1, 4, 4), "has no ONNX form inside TimeDistributed; got it"),
    (nn.TimeDistributed("relu"), (), r"takes examples of any; got the shape \(\)"),
    (nn.PositionEmbedding(3, 2), (4, 2), r"takes examples of 3 x 2; got the shape \(4, 2\)"),
    (nn.Residual(nn.Layer(2, 1)), 2, r"Residual.* takes examples of 2; got the shape \(1,\)"),
    (nn.Flatten(), None, "the model does not tell the shape of an example; got none; pass example_shape="),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_what_has_no_form_is_refused(case: int, tmp_path: Path) -> None:
    model, shape, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        nn.export_onnx(model, tmp_path / "model.onnx", shape)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("package", "extra", "call"), [
    ("onnx", "onnx", lambda: nn.export_onnx(nn.Layer(1, 1), "none")),
    ("torch", "torch", lambda: nn.to_torch_state_dict(nn.Layer(1, 1))),
])  # fmt: skip
def test_without_the_package(package: str, extra: str, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=re.escape(f"install it with pip install 'glassgrad[{extra}]'")):
        call()


def equivalents() -> Iterator[tuple[str, Any, Any, tuple[int, ...]]]:
    """Our models, and PyTorch's of the same state dict."""
    if torch is None:
        return
    net = torch.nn
    yield "linear", nn.Layer(3, 2), net.Linear(3, 2), (3,)
    yield "embedding", nn.Embedding(4, 3), net.Embedding(4, 3), ()
    yield (
        "mlp",
        nn.Sequential([nn.Layer(3, 4), "tanh", nn.BatchNorm(4), nn.Layer(4, 2, bias=False)]),
        net.Sequential(net.Linear(3, 4), net.Tanh(), net.BatchNorm1d(4), net.Linear(4, 2, bias=False)),
        (3,),
    )
    yield (
        "cnn",
        nn.Sequential([nn.Conv2D(2, 3, 3, padding=1), "relu", nn.BatchNorm(3), nn.MaxPool2D(2), nn.Flatten(),
                       nn.LayerNorm(12)]),
        net.Sequential(net.Conv2d(2, 3, 3, padding=1), net.ReLU(), net.BatchNorm2d(3), net.MaxPool2d(2), net.Flatten(),
                       net.LayerNorm(12)),
        (2, 4, 4),
    )  # fmt: skip
    for kind in ("RNN", "GRU", "LSTM"):
        ours = nn.Recurrent(getattr(nn, f"{kind}Cell")(3, 4), return_sequences=True)
        yield kind, ours, getattr(net, kind)(3, 4, batch_first=True), (5, 3)


@needs_torch
@pytest.mark.parametrize("case", range(7))
def test_pytorch_takes_the_state_dict(case: int) -> None:
    _, model, theirs, shape = list(equivalents())[case]
    stirred(model).eval()
    state = nn.to_torch_state_dict(model)
    assert {tensor.dtype for tensor in state.values()} == {torch.float64}
    theirs = theirs.double().eval()
    theirs.load_state_dict(state, strict=True)
    x = examples(3, shape) if shape else np.array([0, 3, 1])
    outputs = theirs(torch.from_numpy(x))
    outputs = outputs[0] if isinstance(outputs, tuple) else outputs
    wanted = np.array([numbers(model(example.tolist())) for example in x])
    assert outputs.detach().numpy() == pytest.approx(wanted, abs=1e-12)


@needs_torch
def test_the_state_dict_is_a_copy() -> None:
    model = nn.Layer(2, 1, seed=0)
    before = model([1.0, 1.0])[0].data
    nn.to_torch_state_dict(model)["weight"].zero_()
    assert model([1.0, 1.0])[0].data == before
