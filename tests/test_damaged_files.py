"""Files that are damaged or want to harm: refused, or harmless."""

from __future__ import annotations

import json
import math
import pickle
import random
import struct
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from test_files import ZEROS, numbers

import nn
from nn.array_files import load_arrays, save_arrays


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
