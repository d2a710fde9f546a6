"""Models in files: what was saved comes back, what does not fit is refused whole, and nothing breaks a file halfway."""

from __future__ import annotations

import copy
import json
import math
import os
import pickle
import random
import signal
import stat
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
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
from nn.array_files import load_arrays, save_arrays, write_atomically
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


# --- what is damaged or wants to harm


def layered(**arguments: Any) -> dict[str, Any]:
    return {"class": "Layer", "arguments": {"inputs": 2, "outputs": 3} | arguments}


def deep(levels: int) -> Any:
    thing: Any = "relu"
    for _ in range(levels):
        thing = {"class": "Residual", "arguments": {"module": thing}}
    return thing


HOSTILE: dict[str, Any] = {
    "no object": [1, 2], "a string": "Layer", "a number": 3, "nothing": None, "an empty object": {},
    "no arguments": {"class": "Layer"}, "arguments in a list": {"class": "Layer", "arguments": [2, 3]},
    "more than that": layered() | {"module": "os"}, "unknown": {"class": "Nothing", "arguments": {}},
    "a dotted name": {"class": "os.system", "arguments": {"command": "touch pwned"}},
    "a builtin": {"class": "eval", "arguments": {"source": "1"}}, "a dunder": {"class": "__import__", "arguments": {}},
    "a function as class": {"class": "save", "arguments": {"model": 1, "path": "pwned"}},
    "the base": {"class": "Module", "arguments": {}}, "the metaclass": {"class": "_Named", "arguments": {}},
    "a class of other kind": {"class": "SGD", "arguments": {"learning_rate": 0.1}},
    "an alias": {"class": "Dense", "arguments": {"inputs": 2, "outputs": 3}},
    "a class that is no string": {"class": ["Layer"], "arguments": {}}, "an unknown argument": layered(path="/etc"),
    "self": layered(self=1), "an initializer": layered(initializer="normal"), "a generator": layered(generator=1),
    "a seed": layered(seed=1), "**": layered(**{"**": 1}), "a dunder argument": layered(__class__="x"),
    "a missing argument": {"class": "Layer", "arguments": {"inputs": 2}}, "text for a size": layered(inputs="2"),
    "a list for a size": layered(inputs=[2]), "none for a size": layered(inputs=None), "zero": layered(inputs=0),
    "negative": layered(outputs=-1), "a fraction": layered(inputs=2.5), "nan": layered(inputs=math.nan),
    "true": layered(inputs=True), "an activation that is none": layered(activation="system"),
    "an activation by dunder": layered(activation="__class__"), "a number for it": layered(activation=3),
    "a function that is none": layered(activation={"function": "system"}),
    "a function by dunder": layered(activation={"function": "__class__"}),
    "a function and more": layered(activation={"function": "relu", "x": 1}),
    "a repeat of nothing": layered(activation={"repeat": 5}), "a repeat of itself": layered(activation={"repeat": 0}),
    "a negative repeat": {"class": "Sequential", "arguments": {"layers": ["relu", {"repeat": -1}]}},
    "only a function": {"function": "relu"}, "only a repeat": {"repeat": 0}, "too deep": deep(60),
    "no layers": {"class": "Sequential", "arguments": {"layers": []}},
    "layers of numbers": {"class": "Sequential", "arguments": {"layers": [1, 2]}},
    "more weights than the file has": layered(inputs=300), "huge": layered(inputs=10**5, outputs=10**5),
    "a huge count": layered(inputs=10**18), "a very huge count": layered(inputs=10**4000),
    "a huge network": {"class": "MLP", "arguments": {"inputs": 9, "sizes": [10**9] * 9}},
    "a huge cell": {"class": "LSTMCell", "arguments": {"inputs": 4 * 10**4, "hidden": 4 * 10**4}},
    "many huge norms": {
        "class": "Sequential",
        "arguments": {"layers": [{"class": "LayerNorm", "arguments": {"features": 9_900}}] * 99},
    },
    "a huge convolution": {"class": "Conv2D", "arguments": {"inputs": 99, "outputs": 99, "kernel": [999, 999]}},
    "other sizes": layered(outputs=2),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_descriptions_build_nothing(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_arrays("file.st", ZEROS, {"model": HOSTILE[case]})
    tracemalloc.start()
    refusal = "has tensors of other shapes" if case == "other sizes" else "does not (describe|say how)"
    with pytest.raises(ValueError, match=rf"^file.st {refusal}.*; got [^;]+.*; (pass|build)") as caught:
        nn.load("file.st")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(str(caught.value)) < 1200
    assert peak < 20_000_000
    assert [path.name for path in tmp_path.iterdir()] == ["file.st"]
    model = nn.Layer(2, 3, seed=0)  # it is not asked how to build one that exists
    nn.load("file.st", model)
    assert {parameter.data for parameter in model.parameters()} == {0.0}


def with_header(header: bytes, data: bytes = b"", size: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if size is None else size) + header + data


def with_notes(notes: str) -> bytes:
    header = {"__metadata__": {"glassgrad": notes}, "a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}}
    return with_header(json.dumps(header).encode(), bytes(8))


def entry(kind: str = "F64", shape: Any = (1,), ends: Any = (0, 8), data: bytes = bytes(8), name: str = "a") -> bytes:
    return with_header(json.dumps({name: {"dtype": kind, "shape": shape, "data_offsets": ends}}).encode(), data)


BROKEN: dict[str, bytes] = {
    "empty": b"", "short": b"1234", "no header": bytes(8), "a pickle": pickle.dumps({"a": 1}),
    "a huge header": with_header(b"{}", size=2**63), "a header beyond the file": with_header(b"{}", size=100),
    "nonsense": with_header(b"nonsense"), "a list": with_header(b"[]"), "deep": with_header(b"[" * 100_000),
    "deep object": with_header(b'{"a":' * 100_000), "not text": with_header(b'{"\xff": 1}'),
    "metadata that is no text": with_header(b'{"__metadata__": {"glassgrad": 3}}'),
    "trailing": entry() + b"x", "data missing": entry(data=b""), "beyond the data": entry(ends=(0, 16)),
    "backwards": entry(ends=(8, 0)), "negative": entry(ends=(-8, 0)), "a gap": entry(ends=(8, 16), data=bytes(16)),
    "another size": entry(shape=(2,)), "a negative shape": entry(shape=(-1,)), "a shape that overflows":
    entry(shape=[2**33] * 4), "a huge shape of nothing": entry(shape=(2**63, 0), ends=(0, 0), data=b""),
    "too many axes": entry(shape=[1] * 100), "an unknown type": entry("F99"), "bfloat16":
    entry("BF16", (4,)), "float8": entry("F8_E4M3", (8,)),
    "notes that are no json": with_notes("{"), "notes that are a list": with_notes("[]"), "notes, deep":
    with_notes("[" * 100_000), "notes, a huge number": with_notes('{"model": ' + "9" * 5000 + "}"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_refused(case: str, tmp_path: Path) -> None:
    (tmp_path / "file.st").write_bytes(BROKEN[case])
    model = nn.Layer(2, 3, seed=0)
    before = numbers(model)
    for load in (load_arrays, nn.load, partial(nn.load, model=model)):
        with pytest.raises(ValueError, match=r"file.st .+; got .+; .+"):
            load(tmp_path / "file.st")
    assert numbers(model) == before


@pytest.mark.parametrize("name", ["../../evil", "/etc/passwd", "a/b", "__class__", "", "x" * 10_000, "\0", "ü\n"])
def test_names_of_tensors_are_only_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    Path("file.st").write_bytes(entry(name=name))
    assert list(load_arrays("file.st")[0]) == [name]
    with pytest.raises(ValueError, match="lacks tensors of the model"):
        nn.load("file.st", nn.Layer(1, 1))
    assert {path.name for path in tmp_path.rglob("*")} == {"inner", "file.st"}


def test_damage_anywhere_is_refused_or_harmless(tmp_path: Path) -> None:
    """Cut anywhere, the file is refused; with a byte changed it is refused, or is one of other numbers."""
    model = nn.Sequential([nn.Layer(2, 2, "tanh", seed=0), nn.BatchNorm(2)])
    nn.save(model, tmp_path / "good")
    content, generator = (tmp_path / "good").read_bytes(), random.Random(0)
    for end in range(0, len(content), 7):
        (tmp_path / "file").write_bytes(content[:end])
        with pytest.raises(ValueError, match="is not a whole safetensors file"):
            nn.load(tmp_path / "file")
    for _ in range(600):
        changed = bytearray(content)
        for _ in range(generator.choice((1, 1, 5))):
            changed[generator.randrange(len(content))] = generator.randrange(256)
        (tmp_path / "file").write_bytes(changed)
        try:
            again = nn.load(tmp_path / "file")
        except ValueError as error:
            assert str(error).count("; ") >= 2
        else:
            assert numbers(again).keys() == numbers(model).keys()


# --- arrays, and writing


def test_arrays_of_every_type_come_back(tmp_path: Path) -> None:
    kinds = ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?"]
    generator = np.random.default_rng(0)
    arrays = {kind: generator.integers(0, 2, (3, 4)).astype(kind) for kind in kinds}
    arrays |= {"a number": np.array(3.5), "nothing": np.zeros((0, 3)), "big-endian": np.arange(3.0).astype(">f8")}
    arrays |= {"turned": np.arange(6.0).reshape(2, 3).T, "sparse": np.arange(9.0)[::3], "a list": [1.0, 2.0]}
    notes = {"step": 7, "rate": 0.1, "names": ["ä", None], "nested": {"x": [math.inf]}}
    save_arrays(tmp_path / "file", arrays, notes)
    again, told = load_arrays(tmp_path / "file")
    assert told == notes
    assert again.keys() == arrays.keys()
    for name, array in arrays.items():
        assert np.array_equal(again[name], array)
        assert again[name].shape == np.shape(array)
        assert again[name].dtype == np.asarray(array).dtype.newbyteorder("=")
    again["f8"][...] = 0  # it is one's own


@pytest.mark.parametrize(
    ("arrays", "notes", "message"),
    [
        ({"a": np.array([None])}, {}, "a file keeps named arrays of numbers; got object for 'a'; use"),
        ({"a": ["x"]}, {}, "got <U1 for 'a'"),
        ({"a": [1j]}, {}, "got complex128 for 'a'"),
        ({3: [1.0]}, {}, "got float64 for 3"),
        ({}, {"a": object()}, "notes must be what JSON can hold; got .*; use numbers"),
        ({}, {"a": np.zeros(2)}, "notes must be what JSON can hold"),
    ],
)
def test_what_a_file_cannot_keep(arrays: Any, notes: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=message):
        save_arrays(tmp_path / "file", arrays, notes)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("step", ["fsync", "replace", "copymode"])
def test_a_write_that_fails_leaves_the_old_file(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError("the disk is full")

    write_atomically(tmp_path / "file", b"old")
    monkeypatch.setattr(*{
        "fsync": (os, "fsync"), "replace": (Path, "replace"), "copymode": (nn.array_files.shutil, "copymode")
    }[step], full)  # fmt: skip
    with pytest.raises(OSError, match="the disk is full"):
        write_atomically(tmp_path / "file", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"old"}


@pytest.mark.skipif(os.name != "posix", reason="links and permissions are POSIX's")
def test_links_and_permissions_stay(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    target, link = tmp_path / "deep" / "target", tmp_path / "link"
    link.symlink_to(target)
    write_atomically(link, b"one")
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~umask
    target.chmod(0o640)
    write_atomically(link, b"two")
    assert link.is_symlink()
    assert target.read_bytes() == b"two"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_writers_at_once_do_not_mix(tmp_path: Path) -> None:
    contents = [bytes([number]) * 300_000 for number in range(8)]

    def write(content: bytes) -> None:
        for _ in range(5):
            write_atomically(tmp_path / "file", content)

    write(contents[0])
    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert (tmp_path / "file").read_bytes() in contents
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


WRITER = """
import sys
import numpy as np
from nn.array_files import save_arrays
print("ready", flush=True)
number = int(sys.argv[2])
while True:
    number += 1
    save_arrays(sys.argv[1], {"state": np.full(200_000, float(number))}, {"number": number})
    print(number, flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_killed_at_any_moment_the_file_is_whole(tmp_path: Path) -> None:
    path, generator, number, killed = tmp_path / "file", random.Random(0), 0, 0
    save_arrays(path, {"state": np.full(200_000, 0.0)}, {"number": 0})
    for _ in range(8):
        command = [sys.executable, "-c", WRITER, str(path), str(number)]
        with subprocess.Popen(command, cwd=Path(__file__).parent.parent, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            time.sleep(generator.uniform(0.0, 0.05))
            writer.send_signal(signal.SIGKILL)
            told = [int(line) for line in writer.stdout.read().split("\n")[:-1]]
        arrays, notes = load_arrays(path)
        last = told[-1] if told else number
        assert notes["number"] in (last, last + 1)  # what it told of was there; what it was writing may be
        assert set(arrays["state"].tolist()) == {float(notes["number"])}
        number = notes["number"]
        killed += any(other != path for other in tmp_path.iterdir())
    assert number > 0
    assert killed  # in the middle of writing, at least once
