"""IDX files: read as they were written, refused when damaged, and no memory for what is not there."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn.idx import read_idx

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx(array: Any) -> bytes:
    """An IDX file's bytes."""
    head = bytes([0, 0, CODES[array.dtype.str[1:]], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (0,), (0, 5), (1, 1, 1, 1, 1), (1 << 21,)])
@pytest.mark.parametrize("packed", [False, True])
def test_idx_of_every_type(tmp_path: Path, kind: str, shape: tuple[int, ...], packed: bool) -> None:
    array = np.random.default_rng(0).integers(-100 * (kind != "u1"), 100, shape).astype(kind)
    (tmp_path / "file").write_bytes(gzip.compress(idx(array), 1) if packed else idx(array))
    read = read_idx(tmp_path / "file")
    assert read.dtype == np.dtype(kind)
    assert read.dtype.isnative
    assert np.array_equal(read, array)
    assert read.shape == shape
    read[...] = 0  # it is one's own


GOOD = idx(np.arange(24, dtype="i2").reshape(2, 3, 4))
HUGE = bytes([0, 0, 8, 3]) + struct.pack(">3I", *[2**32 - 1] * 3)

BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "file is not an IDX file; got nothing at its start; that should be 00 00, a type"),
    "short magic": (GOOD[:3], "not an IDX file; got 00 00 0b at its start"),
    "foreign": (b"\x89PNG\r\n", "not an IDX file; got 89 50 4e 47 at its start"),
    "wrong first byte": (b"\x01" + GOOD[1:], "not an IDX file; got 01 00 0b 03"),
    "unknown type": (b"\0\0\x0a\x01" + GOOD[4:], "not an IDX file; got 00 00 0a 01"),
    "no axes": (b"\0\0\x08\0a", "not an IDX file; got 00 00 08 00"),
    "too many axes": (b"\0\0\x08\xff" + b"\0" * 1020, "not an IDX file; got 00 00 08 ff"),
    "no shape": (GOOD[:4], r"file is cut short; got fewer numbers than its shape \(\) has; get it again"),
    "half a shape": (GOOD[:9], "cut short"),
    "no numbers": (GOOD[:16], r"cut short; got fewer numbers than its shape \(2, 3, 4\) has"),
    "one byte less": (GOOD[:-1], "cut short"),
    "one byte more": (
        GOOD + b"\0",
        r"goes on after its numbers; got more than its shape \(2, 3, 4\) has; get it again",
    ),
    "two files": (GOOD + GOOD, "goes on after"),
    "a huge shape": (HUGE, "cut short"),
    "a huge shape of nothing": (HUGE[:4] + bytes(4) + HUGE[8:], "a shape that no array can have; got"),
    "gzip of nothing": (gzip.compress(b""), "not an IDX file; got nothing"),
    "gzip of a huge shape": (gzip.compress(HUGE), "cut short"),
    "gzip, one byte less": (gzip.compress(GOOD[:-1]), "cut short"),
    "gzip, one byte more": (gzip.compress(GOOD + b"\0"), "goes on after"),
    "gzip cut": (gzip.compress(GOOD)[:-9], r"file is damaged; got gzip that ends or goes wrong \(.*\); get it again"),
    "gzip without checksum": (gzip.compress(GOOD)[:-8], "is damaged"),
    "gzip with a wrong checksum": (gzip.compress(GOOD)[:-8] + bytes(8), "is damaged"),
    "gzip of two letters": (b"\x1f\x8b", "is damaged"),
    "gzip with something behind": (gzip.compress(GOOD) + b"more", "is damaged"),
    "gzip garbage": (gzip.compress(GOOD)[:10] + b"\xff" * 40, "is damaged"),
}


@pytest.mark.parametrize("case", BAD)
def test_damaged_idx_files_are_refused(tmp_path: Path, case: str) -> None:
    content, message = BAD[case]
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_idx(tmp_path / "file")


@pytest.mark.parametrize("start", range(len(GOOD)))
def test_no_cut_is_read(tmp_path: Path, start: int) -> None:
    for content in (GOOD[:start], gzip.compress(GOOD)[:start]):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(ValueError, match=r".+; got .+; .+"):
            read_idx(tmp_path / "file")


BOMBS = {
    "claims": HUGE + b"\0" * 1000,
    "claims, gzip": gzip.compress(HUGE[:8] + struct.pack(">2I", 2**8, 2**8)),
    "claims and goes on": gzip.compress(HUGE + bytes(100_000_000)),
    "goes on": gzip.compress(idx(np.zeros(10, "u1")) + bytes(100_000_000)),
}


@pytest.mark.parametrize("case", BOMBS)
def test_memory_is_what_the_file_justifies(tmp_path: Path, case: str) -> None:
    (tmp_path / "file").write_bytes(BOMBS[case])
    tracemalloc.start()
    with pytest.raises(ValueError):
        read_idx(tmp_path / "file")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


def test_missing_files_are_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        read_idx(tmp_path)
