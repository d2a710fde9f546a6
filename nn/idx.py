"""The IDX format of MNIST: a type, a shape and numbers, big-endian, often compressed by gzip."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import Any, BinaryIO

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""NumPy's name for each type that the third byte of a file can be."""

DENSEST = 1032
"""Bytes that one byte of gzip can become at most: what deflate makes of a run of equal bytes."""

PIECE = 1 << 20
"""How much is read at once."""


def read_idx(path: str | os.PathLike[str]) -> Any:
    """The array in an IDX file, compressed by gzip or not; its first bytes say which.

    Memory is taken as the file fills it, whatever size it claims.

    Raises:
        ValueError: it is not an IDX file, or one that is damaged, cut short or followed by something else.
        OSError: it cannot be read.

    Format: LeCun, Cortes and Burges, *The MNIST database*, 1998.
    """
    name = Path(path).name
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        packed = file.peek(2)[:2] == b"\x1f\x8b"
        if not packed:
            return _array(file, size, name)
        try:
            return _array(gzip.open(file), size * DENSEST, name)  # type: ignore[arg-type]  # it reads as files do
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{name} is damaged; got gzip that ends or goes wrong ({error}); get it again") from None


def _array(file: BinaryIO, most: int, name: str) -> Any:
    """The array that a stream of at most so many bytes holds."""
    import numpy as np

    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in TYPES or not 1 <= start[3] <= 64:
        raise ValueError(
            f"{name} is not an IDX file; got {start.hex(' ') or 'nothing'} at its start; "
            "that should be 00 00, a type (08, 09, 0b to 0e) and a number of axes"
        )
    lengths = file.read(4 * start[3])
    shape = tuple(int.from_bytes(lengths[i : i + 4], "big") for i in range(0, len(lengths), 4))
    kind = np.dtype(TYPES[start[2]])
    expected = math.prod(shape) * kind.itemsize
    content = bytearray()
    if len(lengths) == 4 * start[3] and expected <= most:
        while len(content) < expected and (piece := file.read(min(PIECE, expected - len(content)))):
            content += piece
    if len(lengths) < 4 * start[3] or len(content) < expected:
        raise ValueError(f"{name} is cut short; got fewer numbers than its shape {shape} has; get it again")
    if file.read(1):
        raise ValueError(f"{name} goes on after its numbers; got more than its shape {shape} has; get it again")
    try:
        return np.frombuffer(content, kind).reshape(shape).astype(kind.newbyteorder("="), copy=False)
    except ValueError:  # of no numbers, by a length of 0 among huge ones
        raise ValueError(f"{name} has a shape that no array can have; got {shape}; get it again") from None
