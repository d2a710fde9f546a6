"""Schedules: PyTorch's rates, step by step."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from oracles import needs_torch

import nn

try:
    import torch
    from torch.optim import lr_scheduler
except ImportError:
    torch = lr_scheduler = None  # type: ignore[assignment]

STEPS = 12

ROWS: dict[str, tuple[Callable[[int], float], Callable[[Any], Any]]] = {
    "constant": (nn.Constant(0.5), lambda o: lr_scheduler.LambdaLR(o, lambda step: 1.0)),
    "step": (nn.StepDecay(0.5, every=3, factor=0.2), lambda o: lr_scheduler.StepLR(o, 3, gamma=0.2)),
    "exponential": (nn.ExponentialDecay(0.5, 0.9), lambda o: lr_scheduler.ExponentialLR(o, 0.9)),
    "slow exponential": (nn.ExponentialDecay(0.5, 0.9**4, every=4), lambda o: lr_scheduler.ExponentialLR(o, 0.9)),
    "cosine": (nn.CosineDecay(0.5, STEPS, 0.1), lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, 0.1)),
    "warm-up": (nn.LinearWarmup(5, 0.5), lambda o: lr_scheduler.LinearLR(o, 1 / 5, total_iters=4)),
    "warm-up, then decay": (
        nn.LinearWarmup(5, nn.ExponentialDecay(0.5, 0.9)),
        lambda o: lr_scheduler.SequentialLR(
            o, [lr_scheduler.LinearLR(o, 1 / 5, total_iters=4), lr_scheduler.ExponentialLR(o, 0.9)], [5]
        ),
    ),
}


@needs_torch
@pytest.mark.filterwarnings("ignore::UserWarning")  # PyTorch's sequence uses what PyTorch deprecates
@pytest.mark.parametrize(("ours", "theirs"), ROWS.values(), ids=ROWS)
def test_rates_are_pytorchs(ours: Callable[[int], float], theirs: Callable[[Any], Any]) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    schedule = theirs(optimizer)
    for step in range(STEPS):
        assert ours(step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        schedule.step()
    assert pickle.loads(pickle.dumps(ours)) == ours


@needs_torch
@pytest.mark.parametrize("higher", [False, True])
def test_a_plateau_is_pytorchs(higher: bool) -> None:
    values = [5.0, 4.0, 4.0, 3.9999, 4.1, math.nan, 4.0, 3.0, 3.0, 6.0, 6.0, 6.0, 6.0, 6.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = lr_scheduler.ReduceLROnPlateau(
        optimizer, "max" if higher else "min", factor=0.3, patience=2, min_lr=0.05, threshold=1e-3
    )
    ours = nn.ReduceOnPlateau(1.0, factor=0.3, patience=2, threshold=1e-3, minimum=0.05, higher_is_better=higher)
    rates = set()
    for value in values:
        ours.observe(value)
        theirs.step(value)
        rates.add(ours(0))
        assert ours(0) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
    assert len(rates) >= 3


@pytest.mark.parametrize("first", [math.nan, math.inf])
def test_anything_is_better_than_no_number(first: float) -> None:
    rate = nn.ReduceOnPlateau(1.0, patience=1)
    for value in (first, 3.0, 2.0):
        rate.observe(value)
    assert rate(0) == 1.0


def test_a_plateau_scales_a_schedule() -> None:
    rate = nn.ReduceOnPlateau(nn.StepDecay(1.0, every=1, factor=0.5), factor=0.1, patience=0)
    rate.observe(-1.0)
    rate.observe(-1.00001)  # better by less than the threshold
    assert rate(2) == pytest.approx(0.025)
    rate.observe(-2.0)
    assert rate(2) == pytest.approx(0.025)


def test_wrong_settings() -> None:
    for make, complaint in (
        (lambda: nn.StepDecay(0.1, every=0), r"every must be a whole number from 1; got StepDecay\(.*; see help\(nn"),
        (lambda: nn.CosineDecay(0.1, steps=2.5), "steps must be a whole number"),  # type: ignore[arg-type]
        (lambda: nn.LinearWarmup(0, 0.1), "steps must be a whole number"),
        (lambda: nn.Constant(-0.1), "rate must be a number from 0"),
        (lambda: nn.Constant("0.1"), "rate must be"),  # type: ignore[arg-type]
        (lambda: nn.ExponentialDecay(math.inf, 0.9), "rate must be"),
        (lambda: nn.ReduceOnPlateau(0.1, factor=math.nan), "factor must be"),
        (
            lambda: nn.LinearWarmup(2, nn.ReduceOnPlateau(0.1)),
            r"a plateau is noticed by the outermost schedule; got LinearWarmup\(.*; put the others into it",
        ),
    ):
        with pytest.raises(ValueError, match=complaint):
            make()


@pytest.mark.parametrize("schedule", [nn.StepDecay(0.1, 1, 10.0), nn.ExponentialDecay(0.1, 10.0)])
def test_rates_that_grow_for_ever_are_told(schedule: Callable[[int], float]) -> None:
    assert schedule(5000) == float("inf")
    optimizer = nn.SGD(schedule)
    optimizer.iterations = 5000
    with pytest.raises(ValueError, match="a schedule gives learning rates from 0 on; got inf at step 5000"):
        optimizer.update([1.0], [1.0])
