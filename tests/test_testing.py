"""The strategies for users: what they promise holds for everything they draw."""

from __future__ import annotations

import math
import runpy
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st
from oracles import ALL_OPS, flat

import engine.testing
from engine import OPS, Op, Value
from engine.graph import topological_order
from engine.rules import evaluator
from engine.testing import (
    FUNCTIONS,
    REGIMES,
    Program,
    graphs,
    kink_distance,
    regime_floats,
    safe_inputs,
    special_points,
)

quickly = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@quickly
@given(graphs(max_ops=8))
def test_programs_run_and_use_earlier_results_only(program: Program) -> None:
    values = program.run(FUNCTIONS, [Value(x) for x in program.leaves])
    assert len(values) == len(program.leaves) + len(program.steps)
    for k, (_, positions) in enumerate(program.steps):
        assert all(0 <= position < len(program.leaves) + k for position in positions)


def test_sharing_is_found_where_it_is_allowed() -> None:
    def shares(program: Program) -> bool:
        used = [position for _, positions in program.steps for position in positions]
        return len(used) > len(set(used))

    assert find(graphs(["add", "mul"]), shares)

    @quickly
    @given(graphs(["add", "mul", "neg", "sum"], share=False))
    def never(program: Program) -> None:
        assert not shares(program)

    never()


def test_graphs_draw_their_leaves_from_a_strategy() -> None:
    program = find(graphs(["exp"], max_ops=1, leaves=st.just(7.0)), lambda program: True)
    assert set(program.leaves) == {7.0}
    output = program.run(FUNCTIONS, [Value(x) for x in program.leaves])[-1]
    assert topological_order(output)[-1].data == math.exp(7.0)


def test_regimes_are_all_drawn() -> None:
    for number in REGIMES:
        assert find(regime_floats(), lambda x, number=number: x == number) == number


@ALL_OPS
def test_safe_inputs_are_smooth_and_special_points_are_the_tables(op: Op) -> None:
    @settings(quickly, max_examples=25)
    @given(safe_inputs(op))
    def smooth(operands: Any) -> None:
        value, partials = evaluator(op)(*operands)
        assert math.isfinite(value)
        assert all(map(math.isfinite, partials)) or op.name == "polygamma"
        assert kink_distance(op, *operands) >= 0.05
        for k, number in enumerate(flat(operands)):
            low, high = op.domain[k if not op.variadic else k * len(op.operands) // len(flat(operands))]
            assert low <= number <= high

    smooth()
    first = find(special_points(op), lambda operands: True)
    assert repr(first) in map(repr, op.special)


def test_hypothesis_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(ImportError, match="engine.testing needs hypothesis.*; got .*; pip install"):
        runpy.run_path(engine.testing.__file__)


def test_a_kink_has_distance_zero() -> None:
    for name, operands in (("relu", (0.0,)), ("maximum", (2.0, 2.0)), ("floor", (3.0,)), ("div", (1.0, 0.0))):
        assert kink_distance(OPS[name], *operands) == 0.0
    assert kink_distance(OPS["log"], math.nan) == 0.0
