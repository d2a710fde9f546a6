"""Nested inputs: taken apart and put together again."""

from __future__ import annotations

import types
from collections import OrderedDict, defaultdict
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Value
from engine.structure import flatten, grid_shape, path_name


class Line(NamedTuple):
    slope: float
    offset: Any


finite = st.floats(allow_nan=False)
trees = st.recursive(
    finite | st.integers(-9, 9),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=2), inner)
        | st.builds(Line, finite, inner)
    ),
    max_leaves=12,
)


@given(trees)
def test_a_tree_is_rebuilt_as_it_was(tree: Any) -> None:
    flat = flatten(tree)
    assert len(flat.leaves) == len(flat.paths) == len(set(flat.paths))
    again = flat.rebuild(flat.leaves)
    assert again == tree
    assert type(again) is type(tree)
    for leaf, path in zip(flat.leaves, flat.paths, strict=True):
        place = tree
        for key in path:
            place = place[key]
        assert place == leaf


@given(trees)
def test_it_shares_nothing_with_the_original(tree: Any) -> None:
    flat = flatten(tree)
    again = flat.rebuild(flat.leaves)
    assert again is not tree or not isinstance(tree, (list, dict))
    assert flatten(flat.rebuild(range(len(flat.leaves)))).leaves == list(range(len(flat.leaves)))


def test_mappings_keep_their_type() -> None:
    ordered = OrderedDict(b=1.0, a=2.0)
    again = flatten(ordered).rebuild([3.0, 4.0])
    assert type(again) is OrderedDict
    assert list(again.items()) == [("b", 3.0), ("a", 4.0)]
    default = flatten(defaultdict(list, w=1.0)).rebuild([2.0])
    assert default["w"] == 2.0
    assert default["new"] == []
    assert flatten(types.MappingProxyType({"w": 1.0})).rebuild([2.0]) == {"w": 2.0}


def test_a_mapping_without_copy_becomes_a_dict() -> None:
    class Bare:
        def keys(self) -> list[str]:
            return ["w"]

        def items(self) -> list[tuple[str, float]]:
            return [("w", 1.0)]

    assert flatten(Bare()).rebuild([2.0]) == {"w": 2.0}


def test_arrays_are_recognized_by_what_they_offer() -> None:
    array = np.arange(6).reshape(2, 3)
    flat = flatten({"w": array, "b": [1.0]})
    assert flat.leaves == [0, 1, 2, 3, 4, 5, 1.0]
    assert flat.paths == [*(("w", i, j) for i in range(2) for j in range(3)), ("b", 0)]
    again = flat.rebuild([float(i) for i in range(7)])["w"]
    assert again.dtype == np.float64
    assert again.tolist() == array.tolist()
    again[0, 0] = 9.0
    assert array[0, 0] == 0
    assert flatten(np.asfortranarray(array)).leaves == [0, 1, 2, 3, 4, 5]
    assert flatten(np.zeros((0, 3))).rebuild([]).shape == (0, 3)


def test_arrays_of_values() -> None:
    values = [Value(1.0), Value(2.0)]
    again = flatten(np.zeros(2)).rebuild(values)
    assert again.dtype == object
    assert list(again) == values
    objects = np.array(values, dtype=object)
    assert flatten(objects).leaves == values
    assert flatten(objects).rebuild([3.0, 4.0]).dtype == object


@pytest.mark.parametrize("kind", [int, float, bool, np.float64, np.float32, np.array, Value])
def test_numbers_are_trees(kind: Any) -> None:
    flat = flatten(kind(1))
    assert [float(leaf) for leaf in flat.leaves] == [1.0]
    assert flat.paths == [()]
    assert flat.shape == ()
    assert float(flat.rebuild([3.0])) == 3.0


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ("one", "inputs and gradients are made of numbers.*; got str; bind"),
        ([1.0, {"w": None}], r"got NoneType at \[1\]\['w'\]"),
        (np.array([1j]), "got complex"),
        (np.array(["a"]), "got str"),
    ],
)
def test_anything_else_is_an_error_that_says_where(tree: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        flatten(tree)


def test_other_arrays_can_be_read_but_not_made() -> None:
    class Tensor:
        shape, dtype = (2,), float

        def tolist(self) -> list[float]:
            return [1.0, 2.0]

    flat = flatten(Tensor())
    assert flat.leaves == [1.0, 2.0]
    with pytest.raises(TypeError, match="got Tensor, without astype.*; pass NumPy arrays"):
        flat.rebuild([3.0, 4.0])


def test_leaves_have_to_fit() -> None:
    for count in (1, 3):
        with pytest.raises(ValueError, match=f"a place for each of 2 leaves; got {count}; pass one for each"):
            flatten([1.0, 2.0]).rebuild([1.0] * count)


@pytest.mark.parametrize(
    ("tree", "shape"),
    [
        ([[1.0, 2.0], [3.0, 4.0]], (2, 2)),
        (np.zeros((2, 1, 3)), (2, 1, 3)),
        ([[1.0, 2.0], [3.0]], None),
        ([1.0, [2.0]], None),
        ([[1.0], [2.0, 3.0]], None),
        ({"w": 1.0}, None),
        ([], None),
        (5.0, ()),
    ],
)
def test_shapes(tree: Any, shape: tuple[int, ...] | None) -> None:
    assert flatten(tree).shape == shape


def test_a_grid_in_another_order_is_none() -> None:
    assert grid_shape([(0, 0), (1, 0), (0, 1), (1, 1)]) is None


def test_names_of_paths() -> None:
    assert path_name((0, 1, "w", 2)) == "[0, 1]['w'][2]"
