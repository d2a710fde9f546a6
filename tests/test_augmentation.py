"""Pictures changed as SciPy changes them, each in its own way."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from scipy import ndimage, stats

import nn
from nn import augmentation


def image(*shape: int) -> Any:
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize("shape", [(5, 5), (4, 7), (3, 6, 5), (1, 1)])
@pytest.mark.parametrize("degrees", [0.0, 90.0, 180.0, -90.0, 17.0, 360.0, -123.4])
def test_rotation_is_scipys(shape: tuple[int, ...], degrees: float) -> None:
    picture = image(*shape)
    wanted = ndimage.rotate(
        picture, degrees, axes=(-1, -2), reshape=False, order=1, mode="grid-constant", prefilter=False
    )
    ours = augmentation.rotate(picture.tolist(), degrees)
    assert ours.shape == shape
    assert ours == pytest.approx(wanted, abs=1e-9)
    if degrees == 90.0 and shape[-1] == shape[-2]:
        assert ours == pytest.approx(np.rot90(picture, axes=(-2, -1)), abs=1e-12)


@pytest.mark.parametrize("shape", [(5, 5), (2, 6, 4)])
@pytest.mark.parametrize("by", [(0, 0), (1, 0), (0, -2), (0.5, 0.25), (-1.75, 3.0), (99, 0)])
def test_shifting_is_scipys(shape: tuple[int, ...], by: tuple[float, float]) -> None:
    picture = image(*shape)
    wanted = ndimage.shift(picture, (*(0,) * (len(shape) - 2), *by), order=1, mode="grid-constant", prefilter=False)
    assert augmentation.shift(picture, *by) == pytest.approx(wanted, abs=1e-12)


def test_whole_pixels_and_right_angles_are_exact() -> None:
    picture = image(4, 4)
    assert np.array_equal(augmentation.shift(picture, 1, -1)[1:, :-1], picture[:-1, 1:])
    assert np.array_equal(augmentation.rotate(picture, 0), picture)
    assert np.array_equal(picture, image(4, 4))  # the given one stays


def test_noise_has_its_deviation() -> None:
    drawn = augmentation.noise(np.zeros((100, 100)), 0.5, seed=1)
    assert stats.kstest(drawn.ravel() / 0.5, "norm").pvalue > 0.01
    assert np.array_equal(drawn, augmentation.noise(np.zeros((100, 100)), 0.5, generator=Random(1)))


@pytest.mark.parametrize("channels", [(), (2,)])
def test_every_picture_changes_its_own_way(channels: tuple[int, ...]) -> None:
    pictures = np.broadcast_to(image(*channels, 8, 8), (50, *channels, 8, 8))
    changed = nn.augment(pictures, shift=2, degrees=10.0, noise=0.01, seed=0)
    assert changed.shape == pictures.shape
    assert len({picture.tobytes() for picture in changed}) == 50
    assert np.array_equal(changed, nn.augment(list(pictures), shift=2, degrees=10.0, noise=0.01, generator=Random(0)))
    assert np.array_equal(nn.augment(pictures, seed=0), pictures)


def test_shifts_reach_both_ends_and_no_further() -> None:
    spot = np.zeros((300, 9, 9))
    spot[:, 4, 4] = 1.0
    places = np.argwhere(nn.augment(spot, shift=2, seed=0) > 0.999)[:, 1:] - 4
    assert len(places) == 300
    assert {tuple(place) for place in places.tolist()} == {(i, j) for i in range(-2, 3) for j in range(-2, 3)}
