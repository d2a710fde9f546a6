"""Arrays and a JSON object in one safetensors file, written so that nothing can break it halfway.

A new file is complete beside the old one before it takes its name; whenever a process is killed, either the old file is
there or the new one. (A killed process may leave its unfinished `.name.*.tmp` behind.)
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NOTES = "glassgrad"
"""The key of the metadata that holds the JSON object."""

TYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
"""Types of numbers in the file, and NumPy's names for them."""


def save_arrays(
    path: str | os.PathLike[str], arrays: Mapping[str, Any], notes: Mapping[str, Any] | None = None
) -> None:
    """Write named arrays, and notes that JSON can hold, into one file; it is replaced as a whole or not at all.

    Raises:
        TypeError: a name is not a string, an array does not hold numbers, or JSON cannot hold the notes.
        OSError: the file cannot be written.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     save_arrays(f"{folder}/state", {"moments": [0.5, 0.25]}, {"step": 7})
    ...     load_arrays(f"{folder}/state")
    ({'moments': array([0.5 , 0.25])}, {'step': 7})
    """
    import numpy as np
    from safetensors.numpy import save

    kept = {}
    for name, thing in arrays.items():
        array = np.asarray(thing, order="C")
        if not isinstance(name, str) or array.dtype.name not in TYPES.values():
            raise TypeError(
                f"a file keeps named arrays of numbers; got {array.dtype} for {name!r}; use float64 and a string"
            )
        kept[name] = array
    try:
        text = json.dumps(dict(notes or {}))
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"notes must be what JSON can hold; got {error}; use numbers, strings and lists") from None
    write_atomically(path, save(kept, {NOTES: text}))


def load_arrays(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays and the notes of a safetensors file; of one that others wrote, no notes.

    Raises:
        ValueError: it is not a safetensors file, or a damaged one.
        OSError: it cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    name = Path(path).name
    with Path(path).open("rb"):  # safetensors has messages of its own for folders and missing files
        pass
    try:
        with safe_open(os.fspath(path), framework="np") as file:
            kinds = {key: file.get_slice(key).get_dtype() for key in sorted(file.keys())}
            arrays = {key: file.get_tensor(key) for key, kind in kinds.items() if kind in TYPES}
            notes = json.loads((file.metadata() or {}).get(NOTES, "{}"))
    except (SafetensorError, ValueError, RecursionError) as error:
        raise ValueError(f"{name} is not a whole safetensors file; got {error}; write it again") from None
    foreign = [f"{kind} for {key!r}" for key, kind in kinds.items() if kind not in TYPES]
    if foreign:
        raise ValueError(f"{name} has numbers of types that NumPy has not; got {foreign[0]}; convert them")
    if not isinstance(notes, dict):
        raise ValueError(f"the notes in {name} are no object; got {type(notes).__name__}; write it again")
    return arrays, notes


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Replace a file as a whole: others see all of its old content, or all of the new.

    A link stays a link, and the file keeps its permissions.

    Raises:
        OSError: it cannot be written; then it is as before.
    """
    target = Path(path).resolve()
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    except OSError as error:
        if error.filename is not None:
            error.filename = os.fspath(target)  # nobody knows of the temporary one
        raise
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":  # the new name survives a loss of power, too
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
