"""Arrays in files: of every type, and written as a whole or not at all."""

from __future__ import annotations

import math
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nn
from nn.array_files import load_arrays, save_arrays, write_atomically


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


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="'[^']*none.file'"):
        write_atomically(tmp_path / "none" / "file", b"")


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
