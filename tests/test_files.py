"""Models in files: what was saved comes back, and what does not fit is refused whole."""

from __future__ import annotations

import copy
import json
import math
import pickle
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from oracles import needs_torch
from test_exporting import stirred

import nn
from engine import Value, compile, functions
from nn import initializers
from nn.array_files import save_arrays
from nn.descriptions import _classes, described

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]


def numbers(model: nn.Module) -> dict[str, bytes]:
    """All numbers of a model, bit by bit."""
    return {name: array.tobytes() for name, array in nn.files.arrays_of(model).items()}


SHARED = nn.Layer(2, 2, "tanh", seed=0)

# a model and its description, without what is the same in all
MODELS: dict[str, Callable[[], Any]] = {
    "neuron": lambda: nn.Neuron(3, "tanh", seed=1, bias=False),
    "layer": lambda: nn.Layer(2, 3, activation="relu"),
    "layer, by functions": lambda: nn.Layer(2, 3, functions.gelu, initializer=partial(initializers.normal, mean=9.0)),
    "layer, by a method": lambda: nn.Layer(2, 3, Value.softplus),
    "layer, by numpy's sizes": lambda: nn.Layer(np.int64(2), np.int32(3)),  # type: ignore[arg-type]
    "mlp": lambda: nn.MLP(2, (3, 4, 1), "tanh", "sigmoid", bias=False, generator=random.Random(3)),
    "mlp, by an array": lambda: nn.MLP(2, [*np.array([3, 4])]),
    "sequential": lambda: nn.Sequential([nn.Flatten(), nn.Layer(4, 2), "relu", nn.Dropout(0.25), functions.softmax]),
    "nested": lambda: nn.Sequential([nn.Residual(nn.Residual("tanh")), nn.Sequential([nn.Layer(2, 2)])]),
    "shared": lambda: nn.Sequential([SHARED, nn.Sequential([SHARED, nn.Layer(2, 2)]), SHARED]),
    "cnn": lambda: nn.Sequential([
        nn.Conv2D(1, 2, (3, 2), stride=2, padding=(1, 0), activation="elu"), nn.BatchNorm(2, momentum=0.3, eps=1e-3),
        nn.MaxPool2D(2), nn.AvgPool2D((1, 2), 1),
    ]),
    "sequences": lambda: nn.Sequential([
        nn.TimeDistributed(nn.Embedding(5, 4)), nn.PositionEmbedding(6, 4), nn.TransformerBlock(4, 2, 8, dropout=0.5),
        nn.CausalSelfAttention(4, 1, bias=False), nn.TimeDistributed(nn.LayerNorm(4)),
        nn.TimeDistributed(nn.RMSNorm(4)),
        nn.Recurrent(nn.LSTMCell(4, 3, seed=0), return_sequences=True), nn.Recurrent(nn.GRUCell(3, 2), True),
        nn.Recurrent(nn.RNNCell(2, 3)), nn.Lambda(functions.log_softmax), nn.Activation("selu"),
    ]),
    "a cell": lambda: nn.Cell(2, 3),
}  # fmt: skip


@pytest.mark.parametrize("case", MODELS)
def test_what_was_saved_comes_back(case: str, tmp_path: Path) -> None:
    model = stirred(MODELS[case]())
    nn.save(model, tmp_path / "file")
    again = nn.load(tmp_path / "file")
    assert type(again) is type(model)
    assert repr(again) == repr(model)
    assert numbers(again) == numbers(model)
    assert [name for name, _ in again.named_parameters()] == [name for name, _ in model.named_parameters()]
    # other settings than those that a repr shows
    assert described(again) == described(model)
    nn.save(again, tmp_path / "other")
    assert (tmp_path / "other").read_bytes() == (tmp_path / "file").read_bytes()


def test_every_module_of_the_library_is_tested() -> None:
    assert {type(inner) for make in MODELS.values() for _, inner in make().named_modules()} >= set(_classes().values())


def test_loaded_models_compute_the_same(tmp_path: Path) -> None:
    image = np.random.default_rng(0).normal(size=(1, 9, 12)).tolist()
    for case, example in (("mlp", [0.5, -1.0]), ("sequences", [2, 0, 4]), ("shared", [1.0, -1.0]), ("cnn", image)):
        model = stirred(MODELS[case]()).eval()
        nn.save(model, tmp_path / case)
        pair = [str(one(example)) for one in (model, nn.load(tmp_path / case).eval())]
        assert pair[0] == pair[1]


def test_numbers_are_exact(tmp_path: Path) -> None:
    model = nn.Layer(3, 2)
    for parameter, number in zip(
        model.parameters(),
        [math.nan, -math.inf, -0.0, 5e-324, 0.1, 1.7976931348623157e308, 1 / 3, math.pi],
        strict=True,
    ):
        parameter.data = number
    nn.save(model, tmp_path / "file")
    assert numbers(nn.load(tmp_path / "file")) == numbers(model)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_know_how_they_were_built(copied: Any, tmp_path: Path) -> None:
    for model in (nn.MLP(2, [3, 1], "tanh"), nn.Sequential([nn.BatchNorm(2)])):
        nn.save(copied(model), tmp_path / "file")
        assert repr(nn.load(tmp_path / "file")) == repr(model)


def test_models_are_saved_as_they_are_not_as_they_were(tmp_path: Path) -> None:
    """Lists that they were built from may have changed since, and so may their layers."""
    sizes, layers = [3, 1], [nn.Layer(1, 2), "tanh"]
    model = nn.Sequential([nn.MLP(2, sizes), nn.Sequential(layers)])
    sizes[0] = 5
    layers.append(nn.Layer(2, 2))
    model.layers[1].layers[1] = nn.Activation("relu")  # type: ignore[attr-defined]
    model.layers.append(nn.Dropout(0.1))
    nn.save(model, tmp_path / "file")
    assert repr(nn.load(tmp_path / "file")) == repr(model)


def test_arguments_are_no_parameters() -> None:
    """Building keeps them, and they are not walked."""
    model = nn.Sequential([nn.Layer(1, 1), nn.Layer(1, 1)])
    assert [name for name, _ in model.named_modules()][:2] == ["", "layers.0"]
    assert "built_with" not in vars(model)


# --- with other libraries, and models of one's own


class Own(nn.Module):
    """A class that no file can build."""

    def __init__(self, width: int = 3) -> None:
        self.body = nn.MLP(2, [width, 1], "tanh", seed=0)
        self.scale = Value(2.0)
        self.table = np.array([[Value(1.0), Value(2.0)]], dtype=object)
        self.ragged = [[Value(3.0)], [Value(4.0), Value(5.0)]]
        self.overlapping = [self.scale, Value(6.0)]
        self.running = [[Value(0.0), Value(1.0)]]

    buffers = ("running",)


UNBUILDABLE: dict[str, tuple[Callable[[], Any], str]] = {
    "own": (Own, "the class Own, which is not the library's"),
    "own inside": (lambda: nn.Sequential([nn.Layer(2, 2), Own()]), "the class Own, which is not the library's"),
    "a function": (lambda: nn.Layer(2, 2, lambda x: x), "an argument that is <function .*"),
    "a mapping": (lambda: nn.Layer(2, 2, activation=json.loads), "an argument that is <function loads"),
}


@pytest.mark.parametrize("case", UNBUILDABLE)
def test_models_of_ones_own_are_loaded_into(case: str, tmp_path: Path) -> None:
    make, reason = UNBUILDABLE[case]
    model = stirred(make())
    nn.save(model, tmp_path / "file.st")
    with pytest.raises(
        ValueError, match=f"file.st does not say how to build its model; got {reason}.*; build it, and pass"
    ):
        nn.load(tmp_path / "file.st")
    other = make()
    assert numbers(other) != numbers(model)
    assert nn.load(tmp_path / "file.st", other) is other
    assert numbers(other) == numbers(model)
    assert [p.data for p in other.parameters()] == [p.data for p in model.parameters()]


def test_buffers_are_kept_too(tmp_path: Path) -> None:
    model, other = Own(), Own()
    model.running[0][1].data = 8.0
    running = other.running[0]
    nn.save(model, tmp_path / "file")
    nn.load(tmp_path / "file", other)
    assert [value.data for value in running] == [0.0, 8.0]


def test_loading_reaches_numbers_that_a_compiled_function_has_taken(tmp_path: Path) -> None:
    model = nn.Layer(2, 1, seed=1)
    nn.save(nn.Layer(2, 1, seed=0), tmp_path / "file")
    compiled = compile(lambda x: model(x)[0])
    compiled(np.zeros((3, 2)))
    flat = compiled.take()
    nn.load(tmp_path / "file", model)
    assert list(flat) == [parameter.data for parameter in nn.Layer(2, 1, seed=0).parameters()]


def test_other_libraries_read_the_file(tmp_path: Path) -> None:
    model = nn.Layer(2, 3, seed=0)
    nn.save(model, tmp_path / "file")
    arrays = safetensors.numpy.load_file(tmp_path / "file")
    assert {name: (array.shape, array.dtype) for name, array in arrays.items()} == {
        "weight": ((3, 2), np.float64), "bias": ((3,), np.float64)
    }  # fmt: skip
    assert arrays["weight"].tolist() == [[weight.data for weight in neuron.weight] for neuron in model.neurons]


@needs_torch
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_files_of_pytorch_are_read(dtype: str, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    theirs = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1)).to(
        getattr(torch, dtype)
    )
    save_file(theirs.state_dict(), tmp_path / "file")
    model = nn.Sequential([nn.Layer(2, 3, seed=0), "tanh", nn.Layer(3, 1, seed=0)])
    nn.load(tmp_path / "file", model)
    assert {name: array.tolist() for name, array in nn.files.arrays_of(model).items()} == {
        name: tensor.double().tolist() for name, tensor in theirs.state_dict().items()
    }
    with pytest.raises(ValueError, match="does not say how to build its model; got tensors only; build it"):
        nn.load(tmp_path / "file")


# --- what does not fit


ZEROS = {"weight": np.zeros((3, 2)), "bias": np.zeros(3)}

MISFITS: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"bias": np.zeros(3)}, "file.st lacks tensors of the model; got 'weight'; pass model="),
    "all missing": ({}, "lacks tensors of the model; got 'bias', 'weight'; pass"),
    "extra": (ZEROS | {"c": np.zeros(1)}, "file.st has tensors that the model has not; got 'c'; pass"),
    "many extra": (ZEROS | {c: np.zeros(1) for c in "stuvw"}, "got 's', 't', 'u' and 2 more; pass"),
    "renamed": ({"weights": np.zeros((3, 2)), "bias": np.zeros(3)}, "lacks tensors of the model; got 'weight';"),
    "turned": (ZEROS | {"weight": np.zeros((2, 3))}, r"of other shapes; got 'weight' of shape \(2, 3\) for \(3, 2\);"),
    "flat": (ZEROS | {"weight": np.zeros(6)}, r"got 'weight' of shape \(6,\) for \(3, 2\)"),
    "a number": (ZEROS | {"bias": np.array(0.0)}, r"got 'bias' of shape \(\) for \(3,\)"),
    "whole numbers": (ZEROS | {"bias": np.zeros(3, "i8")}, "tensors that are not floats; got 'bias' of int64; convert"),
    "truths": (ZEROS | {"bias": np.zeros(3, "?")}, "got 'bias' of bool;"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISFITS)
def test_misfits_are_named_and_nothing_is_loaded(case: str, tmp_path: Path) -> None:
    arrays, message = MISFITS[case]
    model = nn.Layer(2, 3, seed=0)
    before = numbers(model)
    for notes in ({}, {"model": described(model)}):
        save_arrays(tmp_path / "file.st", arrays, notes)
        with pytest.raises(ValueError, match=message):
            nn.load(tmp_path / "file.st", model)
        assert numbers(model) == before
    with pytest.raises(ValueError, match=r".+; got .+; .+"):
        nn.load(tmp_path / "file.st")


def test_a_model_changed_after_it_was_built_is_loaded_into(tmp_path: Path) -> None:
    model = nn.MLP(2, [3, 1])
    model.layers.append(nn.Layer(1, 1))
    nn.save(model, tmp_path / "file")
    with pytest.raises(ValueError, match=r"has tensors that the model has not; got 'layers.2.bias', .*; pass model="):
        nn.load(tmp_path / "file")
    other = nn.MLP(2, [3, 1])
    other.layers.append(nn.Layer(1, 1))
    assert numbers(nn.load(tmp_path / "file", other)) == numbers(model)


def test_wrong_calls(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"only modules are saved; got \[1.0\]; save arrays with"):
        nn.save([1.0], tmp_path / "file")  # type: ignore[arg-type]
    with pytest.raises(
        TypeError, match="a model to load into is a module; got <class 'nn.layers.Layer'>; build it first"
    ):
        nn.load(tmp_path / "none", nn.Layer)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        nn.load(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        nn.load(tmp_path)
    for place in (tmp_path / "none" / "file", tmp_path):
        with pytest.raises(OSError):
            nn.save(nn.Layer(1, 1), place)
    assert not list(tmp_path.iterdir())
