"""Models in files: one safetensors file with the tensors, and in its metadata how the model was built.

Nothing in a file is ever run: a description names classes of this library and holds numbers and names for them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nn.array_files import load_arrays, save_arrays
from nn.descriptions import described, rebuilt
from nn.module import Module

LOSSLESS = ("float64", "float32", "float16")
"""The types of tensors that a model takes: each of their numbers is a float."""


def save(model: Module, path: str | os.PathLike[str]) -> None:
    """Write a model into one safetensors file: its tensors as `named_tensors` has them, and how it was built.

    The file is replaced as a whole, or not at all, whatever happens meanwhile.

    Raises:
        TypeError: it is not a module.
        OSError: the file cannot be written.

    >>> from tempfile import TemporaryDirectory
    >>> from nn import MLP
    >>> model = MLP(2, [3, 1], "tanh", seed=0)
    >>> with TemporaryDirectory() as folder:
    ...     save(model, f"{folder}/model.safetensors")
    ...     again = load(f"{folder}/model.safetensors")
    >>> again, again([1.0, 2.0])[0].data == model([1.0, 2.0])[0].data
    (MLP(2 -> 3 tanh -> 1 linear, 13 parameters), True)
    """
    if not isinstance(model, Module):
        raise TypeError(f"only modules are saved; got {model!r}; save arrays with nn.files.save_arrays")
    save_arrays(path, arrays_of(model), {"model": described(model)})


def load(path: str | os.PathLike[str], model: Module | None = None) -> Module:
    """Read a model from a file that `save` wrote; or read the tensors of any safetensors file into a model.

    Args:
        path: the file.
        model: takes the numbers, and is returned; needed where the file does not say how to build one, as for classes
            of your own. It stays as it was if they do not fit. Without it, a new one is built.

    Raises:
        ValueError: the file is damaged, does not say how to build its model, or its tensors are not those of the model;
            the message names the difference.
        TypeError: `model` is not a module.
        OSError: it cannot be read.
    """
    if model is not None and not isinstance(model, Module):
        raise TypeError(f"a model to load into is a module; got {model!r}; build it first")
    name = Path(path).name
    arrays, notes = load_arrays(path)
    if "of" in notes:
        raise ValueError(
            f"{name} is a checkpoint, not a model; got a run of {notes.get('epoch')} epochs; go on with it by "
            "nn.Checkpoint, and save the model then"
        )
    if model is None:
        description = notes.get("model")
        if not isinstance(description, dict) or "class" not in description:
            reason = description.get("reason") if isinstance(description, dict) else None
            raise ValueError(
                f"{name} does not say how to build its model; got {reason or 'tensors only'}; build it, and pass it as "
                "model="
            )
        model = rebuilt(description, sum(array.size for array in arrays.values()), name)
    for key, tensor in _fitting(model, arrays, name).items():
        _fill(tensor, iter(arrays[key].ravel().tolist()))
    return model


def arrays_of(model: Module) -> dict[str, Any]:
    """A model's parameters and buffers as arrays of float64, by the names of `named_tensors`.

    >>> from nn import Layer
    >>> {name: array.shape for name, array in arrays_of(Layer(2, 3)).items()}
    {'weight': (3, 2), 'bias': (3,)}
    """
    return {name: numbers_of(tensor) for name, tensor in model.named_tensors()}


def numbers_of(tensor: Any) -> Any:
    """The numbers of nested lists of Values, as an array of float64."""
    import numpy as np

    return np.array([leaf.data for leaf in _leaves(tensor)]).reshape(_shape(tensor))


def _fitting(model: Module, arrays: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The model's tensors, if the arrays are as many, of the same names and shapes, and of floats."""
    tensors = dict(model.named_tensors())
    for problem, keys in (
        ("lacks tensors of the model", tensors.keys() - arrays.keys()),
        ("has tensors that the model has not", arrays.keys() - tensors.keys()),
    ):
        if keys:
            raise ValueError(f"{name} {problem}; got {_some(keys)}; pass model= as it was when saved")
    shapes = {key: (arrays[key].shape, _shape(tensor)) for key, tensor in tensors.items()}
    wrong = [f"{key!r} of shape {have} for {want}" for key, (have, want) in shapes.items() if have != want]
    if wrong:
        raise ValueError(f"{name} has tensors of other shapes; got {_some(wrong)}; pass model= as it was when saved")
    foreign = [f"{key!r} of {array.dtype}" for key, array in arrays.items() if array.dtype.name not in LOSSLESS]
    if foreign:
        raise ValueError(f"{name} has tensors that are not floats; got {_some(foreign)}; convert them to float64")
    return tensors


def _some(things: Any) -> str:
    """A few things for a message, and how many more there are."""
    texts = [thing if " " in thing else repr(thing) for thing in sorted(things)]
    return ", ".join(texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")


def _shape(tensor: Any) -> tuple[int, ...]:
    return (len(tensor), *(_shape(tensor[0]) if tensor else ())) if isinstance(tensor, (list, tuple)) else ()


def _leaves(tensor: Any) -> Iterator[Any]:
    if isinstance(tensor, (list, tuple)):
        for part in tensor:
            yield from _leaves(part)
    else:
        yield tensor


def _fill(tensor: Any, numbers: Iterator[float]) -> None:
    """Set parameters and buffers to numbers."""
    for leaf in _leaves(tensor):
        leaf.data = next(numbers)
