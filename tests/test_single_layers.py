"""What single layers promise: seeds, dropout, statistics, sizes, states, embeddings; and the summaries of models."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from agreement import both
from hypothesis import given, settings
from hypothesis import strategies as st
from layers import ROWS, examples, numbers_of, weighted

import engine
import nn
from engine import Value, functions, no_grad
from engine.compiler.batches import nested
from nn.nested import flattened, mapped, shape_of


@pytest.mark.parametrize("kind", [nn.Conv2D, nn.RNNCell, nn.GRUCell, nn.LSTMCell, nn.Embedding, nn.PositionEmbedding,
                                  nn.CausalSelfAttention, nn.TransformerBlock])  # fmt: skip
def test_seeds(kind: Any) -> None:
    def weights(**how: Any) -> list[float]:
        sizes = {nn.Conv2D: (1, 2, 3), nn.TransformerBlock: (4, 2, 8)}.get(kind, (4, 2))
        return [p.data for p in kind(*sizes, **how).parameters()]

    assert weights(seed=1) == weights(seed=1) == weights(generator=Random(1))
    assert weights(seed=1) != weights(seed=2)
    with pytest.raises(ValueError, match="say the same twice"):
        weights(seed=1, generator=Random(1))


def test_dropout_drops_at_its_rate_and_keeps_the_mean() -> None:
    outputs = [x.data for x in nn.Dropout(0.25)([3.0] * 5_000)]
    assert set(outputs) == {0.0, 4.0}
    assert outputs.count(0.0) / len(outputs) == pytest.approx(0.25, abs=0.04)  # 6 standard deviations
    x = Value(1.0)
    assert nn.Dropout(0.9).eval()([x]) == [x] == nn.Dropout(0.0)([x])
    [[kept]] = nn.Dropout(0.0)([[x]])
    assert kept is x


@both
def test_compiled_dropout_draws_for_every_example_and_call(backend: str) -> None:
    model = nn.Sequential([nn.Dropout(0.5)])
    compiled = engine.compile(lambda x: model(x), backend=backend, seed=0)
    batch = [[1.0] * 50] * 20
    first, second = (np.array(compiled(batch)) for _ in range(2))
    assert {0.0, 2.0} == set(first.ravel())
    assert not (first == first[0]).all() and not (first == second).all()
    assert abs(first.mean() - 1.0) < 0.2  # 6 standard deviations
    model.eval()
    assert np.array(engine.compile(lambda x: model(x), backend=backend)(batch)).min() == 1.0


@both
def test_dropout_has_the_gradient_of_what_it_kept(backend: str) -> None:
    w = Value(1.0)
    dropout = nn.Dropout(0.5)
    compiled = engine.compile(lambda x: dropout([w * x])[0], backend=backend, seed=0)
    value, [slope] = compiled.value_and_grad([1.0] * 64)
    assert value == slope
    assert value not in (0.0, 2.0)


def test_batch_norm_couples_examples_only_in_training() -> None:
    norm = nn.Sequential([nn.BatchNorm(1)])
    complaint = r"layers.0 BatchNorm\(1 features\) .* in training; got a single example; use forward_batch, or eval"
    with pytest.raises(RuntimeError, match=complaint):
        norm([1.0])
    with pytest.raises(ValueError, match="takes the variance of each feature in training; got 1 number of each; give"):
        norm.forward_batch([[1.0]])
    with pytest.raises(ValueError, match="got 0 number of each"):
        norm.forward_batch([])
    alone = norm.eval()([1.0])[0].data
    assert alone == norm.forward_batch([[1.0], [5.0]])[0][0].data
    assert any(module.couples_examples for _, module in norm.named_modules())
    assert numbers_of(norm.layers[0].running_mean) == [0.0]
    assert norm.layers[0].observed == ()


def test_batch_norm_over_the_steps_of_sequences() -> None:
    norm, flat = nn.TimeDistributed(nn.BatchNorm(2)), nn.BatchNorm(2)
    batch = examples((3, 2), 4)
    together = numbers_of(norm.forward_batch(batch))
    assert together == nested(flattened(numbers_of(flat.forward_batch([x for xs in batch for x in xs]))), (4, 3, 2))
    assert numbers_of(dict(norm.named_tensors())["running_mean"]) == numbers_of(flat.running_mean)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=6), st.floats(-1e3, 1e3))
def test_layer_norm_does_not_see_where_its_input_lies(numbers: list[float], shift: float) -> None:
    norm = nn.LayerNorm(len(numbers), eps=1.0)
    here, there = (numbers_of(norm([x + by for x in numbers])) for by in (0.0, shift))
    assert here == pytest.approx(there, abs=1e-8)
    assert sum(here) == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(3, 6), st.integers(3, 6))
def test_convolutions_have_the_size_they_promise(
    kernel: int, stride: int, padding: int, rows: int, columns: int
) -> None:
    conv = nn.Conv2D(1, 1, kernel, stride, padding, seed=0)
    sizes = [(size + 2 * padding - kernel) // stride + 1 for size in (rows, columns)]
    assert shape_of(conv([[[1.0] * columns] * rows])) == (1, *sizes)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 4))
def test_attention_does_not_see_the_future(step: int) -> None:
    block = nn.TransformerBlock(4, 2, 4, seed=0)
    inputs = mapped(Value, examples((5, 4), 1)[0])
    weighted(block(inputs)[step]).backward()
    assert [any(x.grad for x in vector) for vector in inputs] == [t <= step for t in range(5)]


@both
def test_embeddings_pick_rows_by_any_kind_of_number(backend: str) -> None:
    embedding = nn.Embedding(4, 3, seed=0)
    rows = [numbers_of(row) for row in embedding.weight]
    one_hot = np.eye(4).tolist()
    for index in (2, 2.0, np.int64(2), np.array(2), engine.constant(2.0), Value(2.0), one_hot[2], np.eye(4)[2]):
        assert numbers_of(embedding(index)) == rows[2]
    assert embedding(2)[0] is embedding.weight[2][0]
    compiled = engine.compile(lambda k: embedding(k), backend=backend)
    assert np.array(compiled([3, 0, 1, 1])).tolist() == [rows[3], rows[0], rows[1], rows[1]]
    assert np.array(compiled([-1, 4, 0.5])).tolist() == [[0.0] * 3] * 3
    sequences = nn.TimeDistributed(embedding)
    assert np.array(engine.compile(lambda k: sequences(k), backend=backend)([[0, 3]])).tolist() == [[rows[0], rows[3]]]
    gradients = engine.compile(lambda k: weighted(embedding(k)), backend=backend)
    _, slopes = gradients.value_and_grad([3, 3])
    by_row = {p.label.split(".")[2]: slope for p, slope in zip(gradients.parameters, slopes, strict=True) if slope}
    assert by_row.keys() == {"3"}


def test_tied_largest_numbers_share_the_gradient() -> None:
    x, y = Value(1.0), Value(1.0)
    nn.MaxPool2D((1, 2))([[[x, y]]])[0][0][0].backward()
    assert (x.grad, y.grad) == (0.5, 0.5)


def test_a_cells_state_goes_on() -> None:
    for cell in (nn.RNNCell(2, 3, seed=0), nn.GRUCell(2, 3, seed=0), nn.LSTMCell(2, 3, seed=0)):
        zeros: Any = ([0.0] * 3, [0.0] * 3) if cell.gates == 4 else [0.0] * 3
        first = cell([1.0, 2.0])
        assert numbers_of(cell.output(first)) == numbers_of(cell.output(cell([1.0, 2.0], zeros)))
        steps = nn.Recurrent(cell, return_sequences=True)([[1.0, 2.0], [3.0, 4.0]])
        assert numbers_of(steps[1]) == numbers_of(cell.output(cell([3.0, 4.0], first)))
        with pytest.raises(ValueError, match="a state of (twice )?3 numbers; got 2 numbers"):
            cell([1.0, 2.0], ([0.0] * 3, [0.0] * 2) if cell.gates == 4 else [0.0] * 2)
    assert [b.data for b in nn.LSTMCell(1, 2).bias_ih] == [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]


def test_activations_and_functions_as_layers() -> None:
    assert numbers_of(nn.Activation("relu")([[-1.0], [2.0]])) == [[0.0], [2.0]]
    assert nn.Activation(lambda x: x * 2)(3.0).data == 6.0
    model = nn.Sequential(["tanh", functions.softmax, lambda xs: xs[:1]])
    assert len(model(np.array([1.0, 2.0]))) == 1
    assert repr(model) == "Sequential(Activation(tanh), Lambda(softmax), Lambda(<lambda>))"
    assert [repr(layer) for layer in model.layers] == [repr(layer) for layer in nn.Sequential(model.layers).layers]


def test_a_sequential_shares_a_layer_that_stands_in_it_twice() -> None:
    layer = nn.Dense(2, 2, seed=0)
    model = nn.Sequential([layer, "tanh", layer])
    assert len(model.parameters()) == 6
    assert [name for name, _ in model.named_tensors()] == ["0.weight", "0.bias"]


# --- summaries


def test_summary_of_an_image_network() -> None:
    model = ROWS["network"].ours()
    lines = model.summary(examples((1, 4, 4), 1)[0]).splitlines()
    assert lines[0] == repr(model)
    assert lines[1:-1] == [
        "layer (type)           output shape  parameters",
        "layers.0 (Conv2D)      (2, 4, 4)             20",
        "layers.1 (BatchNorm)   (2, 4, 4)              4",
        "layers.2 (Activation)  (2, 4, 4)              0",
        "layers.3 (MaxPool2D)   (2, 2, 2)              0",
        "layers.4 (Flatten)     (8,)                   0",
        "layers.5 (Layer)       (5,)                  45",
        "layers.6 (BatchNorm)   (5,)                  10",
        "layers.7 (Activation)  (5,)                   0",
        "layers.8 (Dropout)     (5,)                   0",
        "layers.9 (Layer)       (2,)                  12",
    ]
    assert lines[-1] == "91 parameters"
    assert all(module.training for _, module in model.named_modules())
    assert numbers_of(model.layers[1].running_mean) == [0.0, 0.0]
    assert "layers.0 (Conv2D)      ?" in model.summary()


def test_summaries_count_what_is_shared_once_and_what_lies_between() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            self.scale = Value(2.0)
            self.first = nn.Dense(2, 2, seed=0)
            self.again = nn.Residual(self.first)

        def forward(self, x: Any) -> Any:
            return [self.scale * y for y in self.first(x)]

    lines = Scaled().summary([1.0, 2.0]).splitlines()
    assert [line.split()[-1] for line in lines[2:-1]] == ["6", "6", "1"]
    assert lines[-1] == "7 parameters"
    for layer, cells in (
        (nn.LayerNorm(3), ["(LayerNorm)", "(3,)", "6"]), (nn.Dense(2, 4), ["(Layer)", "(4,)", "12"]),
        (nn.RMSNorm(3), ["(RMSNorm)", "(3,)", "3"]),
    ):  # fmt: skip
        assert [line.split() for line in layer.summary().splitlines()[2:-1]] == [["model", *cells]]
    assert nn.Residual(nn.Dense(2, 2)).summary().splitlines()[2].split() == ["module", "(Layer)", "(2,)", "6"]
    with pytest.raises(ValueError, match="takes 2 numbers"), no_grad():
        Scaled().summary([1.0])
