"""Gradients cut to size, in lists and arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import nn


@pytest.mark.parametrize("kind", [list, np.array, lambda x: np.array(x, "float32")])
def test_clipping(kind: Any) -> None:
    gradient = kind([3.0, -4.0, 0.0])
    assert list(nn.clip_by_value(gradient, 3.5)) == [3.0, -3.5, 0.0]
    assert list(nn.clip_by_norm(gradient, 6.0)) == [3.0, -4.0, 0.0]
    assert list(nn.clip_by_norm(gradient, 1.0)) == pytest.approx([0.6, -0.8, 0.0], rel=1e-6)
    assert list(gradient) == [3.0, -4.0, 0.0]
    assert type(nn.clip_by_norm(gradient, 1.0)) is type(gradient)
    assert getattr(nn.clip_by_norm(gradient, 1.0), "dtype", None) == getattr(gradient, "dtype", None)
    broken = kind([math.nan, 10.0])
    assert [math.isnan(slope) for slope in nn.clip_by_value(broken, 1.0)] == [True, False]
    assert all(math.isnan(slope) for slope in nn.clip_by_norm(broken, 1.0))
    assert list(nn.clip_by_norm(kind([1e30, 0.0]), 1.0)) == pytest.approx([1.0, 0.0])
    for limit in (0.0, -1.0, math.nan, "1", True):
        for clip in (nn.clip_by_value, nn.clip_by_norm):
            with pytest.raises(ValueError, match="gradients are clipped to a positive limit; got .*; try 1.0"):
                clip(gradient, limit)  # type: ignore[arg-type]


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_squares_neither_overflow_nor_vanish(scale: float) -> None:
    gradient = [3.0 * scale, 4.0 * scale]
    for kind in (list, np.array):
        assert list(nn.clip_by_norm(kind(gradient), 2.5 * scale + 1e-6)) == pytest.approx(
            [1.5 * scale, 2.0 * scale] if scale >= 1.0 else gradient, rel=1e-5
        )
    assert all(map(math.isnan, nn.clip_by_norm([math.nan, math.inf, 1.0], 1.0)))
