"""Every layer of nn with its twin in PyTorch: sizes, weights, examples, and a number that all outputs move."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import pytest
from oracles import torch

import nn
from engine import Value, functions
from engine.compiler.batches import nested
from nn.nested import flattened, mapped


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


def twin_of(row: Row, model: nn.Module) -> Any:
    twin = eval(f"nn.{row.theirs}", {"nn": torch.nn}).double()
    tensors = {name: torch.tensor(numbers_of(tensor), dtype=torch.float64) for name, tensor in model.named_tensors()}
    missing, unexpected = twin.load_state_dict(row.state(tensors), strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    return twin


def examples(shape: tuple[int, ...], count: int = 3) -> Any:
    random = Random(1)
    return nested(iter([random.gauss(0.0, 1.0) for _ in range(count * math.prod(shape))]), (count, *shape))


def weighted(outputs: Any) -> Value:
    """A number that every output moves, each at its own rate."""
    numbers = list(flattened(outputs))
    random = Random(2)
    return functions.dot([random.gauss(0.0, 1.0) for _ in numbers], numbers)


def numbers_of(grid: Any, attribute: str = "data") -> Any:
    return mapped(lambda x: getattr(x, attribute) if isinstance(x, Value) else x, grid)
