"""copy, deepcopy and pickle: the same graph again, with what was shared still shared."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import pytest

from engine import Value, constant, functions, record_source
from engine.copying import _batch_of
from engine.graph import topological_order


def round_trips() -> list[Any]:
    protocols = [pytest.param(lambda x, p=p: pickle.loads(pickle.dumps(x, p)), id=f"pickle{p}") for p in range(6)]
    python = pytest.param(lambda x: pickle.loads(pickle._dumps(x)), id="pickle in Python")  # type: ignore[attr-defined]
    return [pytest.param(copy.deepcopy, id="deepcopy"), python, *protocols]


ROUND_TRIPS = pytest.mark.parametrize("again", round_trips())


def graph() -> dict[str, Any]:
    with record_source():
        a, b = Value(2.0, label="a"), Value(-3.0)
        h = a * b + 1
        loss = functions.sum([h, h, a.tanh(), constant(2)])
    loss.backward()
    return {"a": a, "h": h, "loss": loss, "all": [b, loss, {"h": h}]}


@ROUND_TRIPS
def test_everything_is_kept(again: Any) -> None:
    old, new = graph()["loss"], again(graph()["loss"])
    before, after = topological_order(old), topological_order(new)
    assert not set(before) & set(after)
    for x, y in zip(before, after, strict=True):
        assert (x.data, x.grad, x.op, x.label, x.partials) == (y.data, y.grad, y.op, y.label, y.partials)
        assert (x.source is None) == (y.source is None)
        assert len(x.parents) == len(y.parents)


@ROUND_TRIPS
def test_what_was_shared_is_shared(again: Any) -> None:
    new = again(graph())
    loss = new["loss"]
    assert new["all"][1] is loss
    assert new["all"][2]["h"] is new["h"] is loss.parents[0] is loss.parents[1]
    assert new["a"] in topological_order(loss)
    new["a"].grad = new["all"][0].grad = 0.0
    loss.backward()
    assert new["a"].grad == graph()["a"].grad
    assert new["all"][0].grad == 4.0


@ROUND_TRIPS
def test_many_nodes_of_one_graph(again: Any) -> None:
    """A list of a long chain's nodes, in either direction: linear, not one graph for each."""
    nodes = [Value(1.0)]
    for _ in range(3000):
        nodes.append(-nodes[-1])
    for items in (nodes, nodes[::-1], nodes[::2] + nodes[1::2]):
        new = again(items)
        assert len(topological_order(*new)) == 3001
        assert len(set(map(id, new))) == 3001


def test_a_shallow_copy_shares_its_parents() -> None:
    x = Value(2.0, label="x")
    y = x * x
    z = copy.copy(y)
    assert z is not y
    assert z.parents == y.parents
    assert copy.copy(x).label == "x"


def test_the_pickle_holds_the_data_of_its_moment() -> None:
    """Two dumps by one living pickler, data changed in between: never an old number."""
    x = Value(2.0)
    y = x * 3
    first = pickle.Pickler(io.BytesIO())
    first.dump(y)
    assert _batch_of, "the pickler keeps its batch alive"
    y.grad = 5.0
    assert pickle.loads(pickle.dumps(y)).grad == 5.0
    z = pickle.loads(pickle.dumps(y + 1))
    assert z.parents[0].grad == 5.0
    del first
    assert not _batch_of
    assert pickle.loads(pickle.dumps(y)).grad == 5.0


def test_an_unpicklable_part_leaves_nothing_behind() -> None:
    y = Value(2.0) * 3
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        pickle.dumps([y, lambda: None])
    assert not _batch_of
    assert pickle.loads(pickle.dumps(y)).data == 6.0
