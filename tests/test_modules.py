"""`scopes`: nodes are found in the neurons and layers of real models, and hostile labels do no harm."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nn
from engine import Value, constant, functions, label
from engine.graph import topological_order
from viz.modules import LONGEST_PATH, scopes

LABELS = {
    "layers.0.neurons.2.weight.1": ("layers.0", "layers.0.neurons.2"),
    "layers.0.neurons.2.bias": ("layers.0", "layers.0.neurons.2"),
    "neurons.10.weight.0": ("neurons.10",),
    "encoder.head.bias": ("encoder", "encoder.head"),
    "encoder.layers.0.gain.3.4": ("encoder", "encoder.layers.0"),
    "blocks.0.1.w": ("blocks.0.1",),  # a list of lists: an index follows a list, never a module
    "h1.w2": ("h1",),
    "0.w": ("0",),
    "学習.重み.0": ("学習",),
    # no module
    "w1": (), "w": (), "w.0": (), "w.0.1": (), "0": (), "0.0": (), "0.0.0": (),
    # no path
    "": (), ".": (), "..": (), "...": (), ".w": (), "a.": (), "a..b": (), ".0.w": (),
    ".".join("a" * LONGEST_PATH): tuple(".".join("a" * k) for k in range(1, LONGEST_PATH)),
    ".".join("a" * (LONGEST_PATH + 1)): (),
    "layers.0." * 10_000 + "w": (),
    "." * 1_000_000: (),
}  # fmt: skip


@pytest.mark.parametrize(("label", "scope"), LABELS.items(), ids=[label[:30] for label in LABELS])
def test_a_label_says_where_a_parameter_lies(label: str, scope: tuple[str, ...]) -> None:
    parameter = Value(1.0, label=label)
    assert scopes([parameter]) == {parameter: scope}


def test_what_has_no_label_and_constants_lie_nowhere() -> None:
    number = constant(2.0)
    number.label = "layers.0.weight.0"
    assert set(scopes(topological_order(Value(3.0) * number)).values()) == {()}


@given(st.lists(st.text("a.0é²٣", max_size=12), min_size=1, max_size=6))
def test_every_scope_is_made_of_prefixes_each_inside_the_one_before(labels: list[str]) -> None:
    leaves = [Value(1.0, label=label) for label in labels]
    order = topological_order(functions.sum([functions.exp(leaf) for leaf in leaves]))
    found = scopes(order)
    assert list(found) == order
    for leaf, text in zip(leaves, labels, strict=True):
        for outer, inner in zip(("", *found[leaf]), found[leaf], strict=False):
            assert inner.startswith(f"{outer}." if outer else "")
            assert text.startswith(f"{inner}.")


# --- computed nodes


def weight(path: str) -> Value:
    return Value(2.0, label=f"{path}.weight.0")


A, B, C = "layers.0.neurons.0", "layers.0.neurons.1", "layers.1.neurons.0"
X, W = Value(3.0, label="x"), weight(A)
IN_A, IN_LAYER = ("layers.0", A), ("layers.0",)
EXPRESSIONS = {
    "a product with the input": (weight(A) * X, IN_A),
    "two parameters of a neuron": (weight(A) * X + Value(0.0, label=f"{A}.bias"), IN_A),
    "parameters of two neurons": (weight(A) * weight(B), IN_LAYER),
    "parameters of two layers": (weight(A) * weight(C), ()),
    "a parameter without a module among them": (weight(A) * Value(1.0, label="scale"), IN_A),
    "a parameter of the layer as slope": ((weight(A) * X).leaky_relu(Value(0.1, label="layers.0.slope")), IN_LAYER),
    "a sum of products": (functions.sum([weight(A) * X, weight(A) * X]) + Value(0.0, label=f"{A}.bias"), IN_A),
    "a sum of products only": (functions.sum([weight(A) * X, weight(A) * X]), IN_A),
    "a running sum": (sum([weight(A) * X, weight(A) * X, weight(A) * X]), IN_A),
    "its activation": (sum([weight(A) * X, weight(A) * X]).relu(), IN_A),
    "a sum of one neuron's outputs for two examples": (W * X + W * Value(1.0), ()),
    "a running sum of them": (sum([W * X, W * Value(1.0)]), ()),
    "a sum with a number": (weight(A) * X + 1, ()),
    "a sum with an input": (weight(A) * X + X, ()),
    "an activation": ((weight(A) * X).tanh(), IN_A),
    "an activation with a constant": ((weight(A) * X).leaky_relu(0.2), IN_A),
    "a second function": ((weight(A) * X).sigmoid().log(), ()),
    "an operator": (weight(A) * X - 1, ()),
    "minus": (-(weight(A) * X), ()),
    "what follows an operator": ((weight(A) * X - 1).square(), ()),
    "a function of a layer's outputs": (functions.logsumexp([weight(A) * X, weight(B) * X]), IN_LAYER),
    "of two outputs": (functions.maximum(weight(A) * X, weight(B) * X), IN_LAYER),
    "of outputs of two layers": (functions.logsumexp([weight(A) * X, weight(C) * X]), ()),
    "of an output and something else": (functions.logsumexp([weight(A) * X, X]), ()),
    "of activations": (functions.mean([(weight(A) * X).tanh(), (weight(B) * X).tanh()]), ()),
    "of one neuron's outputs for two examples": (functions.mean([weight(A) * X, weight(A) * Value(1.0)]), ()),
    "an operator of a layer's outputs": (weight(A) * X + weight(B) * X, ()),
    "of inputs": (X.exp(), ()),
}


@pytest.mark.parametrize(("node", "scope"), EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_a_computed_node_lies_where_its_parameters_do(node: Value, scope: tuple[str, ...]) -> None:
    assert scopes(topological_order(node))[node] == scope


def counted(root: Value) -> dict[str, Counter[str]]:
    """How many nodes of which operation lie in which innermost module."""
    found: dict[str, Counter[str]] = {}
    for node, scope in scopes(topological_order(root)).items():
        found.setdefault(scope[-1] if scope else "", Counter())[node.op.name] += 1
    return found


def test_a_perceptron_and_its_squared_error() -> None:
    """Two examples through the same weights."""
    model = nn.MLP(2, [2, 1], "tanh", seed=0)
    loss = nn.mse([model([1.0, 2.0])[0], model([0.5, 0.0])[0]], [1.0, 0.0])
    neuron = {"leaf": 3, "dot": 2, "add": 2, "tanh": 2}
    assert counted(loss) == {
        A: neuron,
        B: neuron,
        C: {"leaf": 3, "dot": 2, "add": 2},
        "": {"sub": 2, "square": 2, "mean": 1, "constant": 6},
    }


def test_softmax_and_cross_entropy() -> None:
    layer = nn.Layer(2, 3, seed=0)
    scores = functions.log_softmax(layer([Value(1.0), Value(2.0)]))
    neuron = {"leaf": 3, "dot": 1, "add": 1}
    assert counted(-scores[1]) == {
        **{f"neurons.{k}": neuron for k in range(3)},
        "": {"leaf": 2, "logsumexp": 1, "sub": 1, "neg": 1},
    }
    model = nn.MLP(2, [3], seed=0)
    found = counted(-functions.log_softmax(model([Value(1.0), Value(2.0)]))[1])
    assert found["layers.0"] == {"logsumexp": 1}
    assert found[""] == {"leaf": 2, "sub": 1, "neg": 1}


def test_weights_that_users_label_have_no_module() -> None:
    w = [Value(1.0), Value(2.0)]
    b, x = Value(0.5), Value(3.0)
    label(w=w, b=b, x=x)
    assert set(scopes(topological_order((functions.dot(w, [x, x]) + b).tanh())).values()) == {()}


def test_long_graphs_and_wide_nodes() -> None:
    weights = [weight(f"layers.{k}") for k in range(20_000)]
    node = functions.dot(weights, weights)
    assert scopes(topological_order(node))[node] == ()
    chain = weight(A)
    for _ in range(20_000):
        chain = chain.tanh()
    order = topological_order(chain)
    assert sum(map(bool, scopes(order).values())) == 3  # the weight, what is computed from it, and one activation


def test_modules_built_inside_another_are_named_whether_it_keeps_them_or_not() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            self.dropped = [nn.Dense(2, 1).neurons[0].weight]
            self.kept, self.other = nn.Dense(2, 1), {}
            self.other["apart"] = Keeper(nn.Dense(3, 1))

    class Keeper:
        def __init__(self, module: nn.Module) -> None:
            self.module = module

    pair = Pair()
    assert [name for name, _ in pair.named_parameters()] == [p.label for p in pair.parameters()]
    assert pair.kept.neurons[0].path == "kept.neurons.0"
    apart = pair.other["apart"].module
    assert [p.label for p in apart.parameters()] == [name for name, _ in apart.named_parameters()]
    assert apart.neurons[0].path == "neurons.0"
