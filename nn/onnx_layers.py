"""What each layer is in ONNX."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from nn.attention import CausalSelfAttention, TransformerBlock
from nn.containers import Residual, Sequential, TimeDistributed
from nn.convolution import AvgPool2D, Conv2D, MaxPool2D
from nn.descriptions import function_name
from nn.embedding import Embedding, PositionEmbedding
from nn.files import numbers_of
from nn.layers import MLP, Layer
from nn.nested import who
from nn.normalization import BatchNorm, LayerNorm, RMSNorm
from nn.onnx_graph import Flow, Graph, expect
from nn.recurrent import GRUCell, LSTMCell, Recurrent, RNNCell
from nn.stateless import Activation, Dropout, Flatten, Lambda


def _sequential(graph: Graph, module: Sequential | MLP, x: Flow) -> Flow:
    for layer in module.layers:
        x = graph.traced(layer, x)
    return x


def _residual(graph: Graph, module: Residual, x: Flow) -> Flow:
    changed = graph.traced(module.module, x)
    expect(module, changed, x.shape)
    return x.to(graph.add("Add", x.name, changed.name), *x.shape)


def _time_distributed(graph: Graph, module: TimeDistributed, x: Flow) -> Flow:
    if not x.shape:
        expect(module, x, (None,))
    entries = graph.traced(module.module, x.each())
    return x.to(entries.name, x.shape[0], *entries.shape)


def _lambda(graph: Graph, module: Lambda, x: Flow) -> Flow:
    operator = {"softmax": "Softmax", "log_softmax": "LogSoftmax"}.get(function_name(module.function) or "")
    if operator is None:
        raise ValueError(
            f"{who(module)} has a function without ONNX form; got {module.function!r}; use softmax or log_softmax"
        )
    expect(module, x, (None,))
    return x.to(graph.add(operator, x.name, axis=-1), *x.shape)


def _flatten(graph: Graph, module: Flatten, x: Flow) -> Flow:
    lengths = graph.constant([0] * x.before + [-1], "int64")  # 0: as it is
    return x.to(graph.add("Reshape", x.name, lengths), math.prod(x.shape))


def _layer(graph: Graph, layer: Layer, x: Flow) -> Flow:
    expect(layer, x, (layer.inputs,))
    arrays = {name: numbers_of(tensor) for name, tensor in layer.tensors().items()}
    weight = graph.constant(arrays["weight"].T)
    bias = [graph.constant(arrays["bias"])] if "bias" in arrays else []
    if x.before == 1:
        name = graph.add("Gemm", x.name, weight, *bias)
    else:
        name = graph.add("MatMul", x.name, weight)
        name = graph.add("Add", name, *bias) if bias else name
    return graph.applied(layer, layer.neurons[0].activation, x.to(name, len(layer.neurons)))


def _convolution(graph: Graph, conv: Conv2D, x: Flow) -> Flow:
    expect(conv, x, (conv.inputs, None, None), before=1)
    arrays = [graph.constant(numbers_of(tensor)) for tensor in (conv.weight, conv.bias) if tensor is not None]
    name = graph.add("Conv", x.name, *arrays, strides=conv.stride, pads=conv.padding * 2)
    return graph.applied(conv, conv.activation, x.to(name, conv.outputs, *_windows(conv, x, conv.padding)))


def _pool(operator: str) -> Callable[[Graph, Any, Flow], Flow]:
    def form(graph: Graph, pool: MaxPool2D, x: Flow) -> Flow:
        expect(pool, x, (None, None, None), before=1)
        name = graph.add(operator, x.name, kernel_shape=pool.kernel, strides=pool.stride)
        return x.to(name, x.shape[0], *_windows(pool, x, (0, 0)))

    return form


def _windows(module: Conv2D | MaxPool2D, x: Flow, padding: tuple[int, int]) -> list[int]:
    """How many windows lie along each axis."""
    sizes = zip(x.shape[1:], module.kernel, module.stride, padding, strict=True)
    counts = [(have + 2 * around - reach) // step + 1 for have, reach, step, around in sizes]
    if min(counts) < 1:
        raise ValueError(f"{who(module)} takes images as large as its kernel; got {x.shape}; match example_shape to it")
    return counts


def _batch_norm(graph: Graph, norm: BatchNorm, x: Flow) -> Flow:
    expect(norm, x, (norm.features, None, None) if len(x.shape) == 3 else (norm.features,), before=1)
    tensors = norm.weight, norm.bias, norm.running_mean, norm.running_var
    arrays = [graph.constant(numbers_of(tensor)) for tensor in tensors]
    return x.to(graph.add("BatchNormalization", x.name, *arrays, epsilon=norm.eps), *x.shape)


def _layer_norm(graph: Graph, norm: LayerNorm, x: Flow) -> Flow:
    expect(norm, x, (norm.features,))
    arrays = [graph.constant(numbers_of(tensor)) for tensor in (norm.weight, norm.bias)]
    return x.to(graph.add("LayerNormalization", x.name, *arrays, axis=-1, epsilon=norm.eps), *x.shape)


def _rms_norm(graph: Graph, norm: RMSNorm, x: Flow) -> Flow:
    expect(norm, x, (norm.features,))
    squares = graph.add("Mul", x.name, x.name)
    mean = graph.add("ReduceMean", squares, graph.constant([-1], "int64"))
    root = graph.add("Sqrt", graph.add("Add", mean, graph.constant(norm.eps)))
    return x.to(graph.add("Mul", graph.add("Div", x.name, root), graph.constant(numbers_of(norm.weight))), *x.shape)


def _embedding(graph: Graph, embedding: Embedding, x: Flow) -> Flow:
    table = graph.constant(numbers_of(embedding.weight))
    if x.shape:
        expect(embedding, x, (embedding.count,))
        return x.to(graph.add("MatMul", x.name, table), embedding.size)
    from onnx import TensorProto

    number = graph.add("Cast", x.name, to=TensorProto.INT64)
    return x.to(graph.add("Gather", table, number), embedding.size)


def _position_embedding(graph: Graph, embedding: PositionEmbedding, x: Flow) -> Flow:
    expect(embedding, x, (None, embedding.size))
    if x.shape[0] > embedding.length:
        expect(embedding, x, (embedding.length, embedding.size))
    table = graph.constant(numbers_of(embedding.weight)[: x.shape[0]])
    return x.to(graph.add("Add", x.name, table), *x.shape)


GATES = {RNNCell: ("RNN", [0]), GRUCell: ("GRU", [1, 0, 2]), LSTMCell: ("LSTM", [0, 3, 1, 2])}
"""Each cell's operator, and where its gates stand in ours, in ONNX's order."""


def _recurrent(graph: Graph, layer: Recurrent, x: Flow) -> Flow:
    cell = layer.cell
    expect(layer, x, (None, cell.inputs), before=1)
    if type(cell) not in GATES:
        raise ValueError(
            f"{who(layer)} has a cell without ONNX form; got a {type(cell).__name__}; use an LSTMCell, say"
        )
    import numpy as np

    operator, order = GATES[type(cell)]
    tensors = cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh
    by_gate = [numbers_of(tensor).reshape(len(order), cell.hidden, -1)[order] for tensor in tensors]
    inputs, hidden, *biases = [array.reshape(1, len(order) * cell.hidden, -1) for array in by_gate]
    bias = np.concatenate(biases, axis=1)[:, :, 0]
    by_time = graph.add("Transpose", x.name, perm=[1, 0, 2])
    arrays = [graph.constant(array) for array in (inputs, hidden, bias)]
    reset = {"linear_before_reset": 1} if operator == "GRU" else {}  # as PyTorch has it
    outputs = 1 if layer.return_sequences else 2  # all steps, or the last
    name = graph.add(operator, by_time, *arrays, outputs=outputs, hidden_size=cell.hidden, **reset)
    name = graph.add("Squeeze", name, graph.constant([2 - outputs], "int64"))  # the axis of directions
    if not layer.return_sequences:
        return x.to(name, cell.hidden)
    return x.to(graph.add("Transpose", name, perm=[1, 0, 2]), x.shape[0], cell.hidden)


def _attention(graph: Graph, attention: CausalSelfAttention, x: Flow) -> Flow:
    expect(attention, x, (None, attention.width), before=1)
    import numpy as np

    time, heads, size = x.shape[0], attention.heads, attention.width // attention.heads
    split, joined = (graph.constant(shape, "int64") for shape in ([0, time, heads, size], [0, time, heads * size]))
    queries, keys, values = [
        graph.add("Transpose", graph.add("Reshape", _layer(graph, layer, x.each()).name, split), perm=perm)
        for layer, perm in (
            (attention.query, [0, 2, 1, 3]), (attention.key, [0, 2, 3, 1]), (attention.value, [0, 2, 1, 3])
        )
    ]  # fmt: skip
    scaled = graph.add("Mul", graph.add("MatMul", queries, keys), graph.constant(1 / math.sqrt(size)))
    later = graph.constant(np.triu(np.full((time, time), -np.inf), 1))
    weights = graph.add("Softmax", graph.add("Add", scaled, later), axis=-1)
    results = graph.add("Transpose", graph.add("MatMul", weights, values), perm=[0, 2, 1, 3])
    together = x.to(graph.add("Reshape", results, joined), *x.shape)
    return x.to(_layer(graph, attention.output, together.each()).name, *x.shape)


def _transformer_block(graph: Graph, block: TransformerBlock, x: Flow) -> Flow:
    normal = _layer_norm(graph, block.attention_norm, x.each())
    attended = _attention(graph, block.attention, x.to(normal.name, *x.shape))
    x = x.to(graph.add("Add", x.name, attended.name), *x.shape)
    changed = _sequential(graph, block.network, _layer_norm(graph, block.network_norm, x.each()))
    return x.to(graph.add("Add", x.name, changed.name), *x.shape)


FORMS: dict[type, Callable[[Graph, Any, Flow], Flow]] = {
    Activation: lambda graph, module, x: graph.applied(module, module.activation, x),
    AvgPool2D: _pool("AveragePool"),
    BatchNorm: _batch_norm,
    CausalSelfAttention: _attention,
    Conv2D: _convolution,
    Dropout: lambda graph, module, x: x,
    Embedding: _embedding,
    Flatten: _flatten,
    Lambda: _lambda,
    Layer: _layer,
    LayerNorm: _layer_norm,
    MLP: _sequential,
    MaxPool2D: _pool("MaxPool"),
    PositionEmbedding: _position_embedding,
    RMSNorm: _rms_norm,
    Recurrent: _recurrent,
    Residual: _residual,
    Sequential: _sequential,
    TimeDistributed: _time_distributed,
    TransformerBlock: _transformer_block,
}
"""The layers that have a form, and what makes it."""
