"""Models for other programs: ONNX files, and the state dicts of PyTorch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from nn.array_files import write_atomically
from nn.files import arrays_of
from nn.module import Module
from nn.onnx_graph import Flow, Graph
from nn.onnx_layers import FORMS

OPSET, IR = 21, 10
"""Versions of operators and files that onnxruntime takes since 1.18; the newest are refused by runtimes in use."""


def export_onnx(model: Module, path: str | os.PathLike[str], example_shape: int | Sequence[int] | None = None) -> None:
    """Write a model as an ONNX file: float32, from an `input` [batch, *example_shape] to an `output`, in evaluation.

    Dropout does nothing there and BatchNorm uses its running statistics, whatever mode the model is in.

    Args:
        model: of the library's layers, in containers, with the library's functions.
        path: the file, replaced as a whole or not at all.
        example_shape: the lengths of the nested lists of one example, or of one list; may be left out where the first
            layer tells it.

    Raises:
        ValueError: a layer or a function has no ONNX form, or examples of this shape do not fit.
        ImportError: onnx is not installed.
        OSError: the file cannot be written.

    >>> from tempfile import TemporaryDirectory
    >>> from pathlib import Path
    >>> from nn import MLP
    >>> with TemporaryDirectory() as folder:
    ...     export_onnx(MLP(2, [3, 1], seed=0), f"{folder}/model.onnx")
    ...     Path(folder, "model.onnx").stat().st_size > 0
    True
    """
    try:
        from onnx import TensorProto, checker, helper
    except ImportError as error:
        raise ImportError(
            f"export_onnx() writes with the package onnx; got {error}; install it with pip install 'glassgrad[onnx]'"
        ) from None
    if example_shape is None and model.input_shape is None:
        raise ValueError("the model does not tell the shape of an example; got none; pass example_shape=")
    lengths = model.input_shape if example_shape is None else example_shape
    shape = (lengths,) if isinstance(lengths, int) else tuple(lengths or ())
    graph = Graph(FORMS)
    result = graph.traced(model, Flow("input", 1, shape))
    nodes = [*graph.nodes, helper.make_node("Identity", [result.name], ["output"])]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *lengths])
        for name, lengths in (("input", shape), ("output", result.shape))
    ]
    made = helper.make_model(
        helper.make_graph(nodes, type(model).__name__, ends[:1], ends[1:], graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="glassgrad",
    )
    checker.check_model(made, full_check=True)
    write_atomically(path, made.SerializeToString())


def to_torch_state_dict(model: Module) -> dict[str, Any]:
    """The model's tensors as PyTorch's, float64, by name: what `load_state_dict` of the equivalent module takes.

    Raises:
        ImportError: PyTorch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"tensors of PyTorch take PyTorch; got {error}; install it with pip install 'glassgrad[torch]'"
        ) from None
    return {name: torch.from_numpy(array) for name, array in arrays_of(model).items()}
