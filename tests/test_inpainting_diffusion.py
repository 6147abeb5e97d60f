"""Anisotropic diffusion beside a slow version written from eq. 5 of paper A."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from inpainting_references import crack_mask, noisy_image, slow_diffusion, slow_mtm

from baselines.inpainting.diffusion import Diffusion
from baselines.protocols import Image, Mask
from baselines.registry import get_inpainter


def assert_exact(image: Image, mask: Mask, **equation: Any) -> None:
    """Compare values before rounding with the slow version, from either start."""
    for start, values in (("damaged", image), ("mtm", slow_mtm(image, mask))):
        method = Diffusion(start=start, **equation)
        found = method.values(image, mask)
        assert np.abs(found - slow_diffusion(values, mask, **equation)[mask]).max(initial=0) < 1e-6
        assert (method.fill(image, mask)[mask] == np.rint(found)).all()


@pytest.mark.parametrize("size", [(1, 2), (2, 1), (1, 30), (30, 1), (2, 2), (9, 14), (40, 60), (61, 33)])
@pytest.mark.parametrize("seed", range(2))
def test_cracks_equal_the_slow_version(size: tuple[int, int], seed: int) -> None:
    """Values before rounding are the slow version's, with cracks along the border and wide crossings."""
    assert_exact(noisy_image(*size, seed), crack_mask(*size, seed))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    data=st.data(),
    height=st.integers(1, 8),
    width=st.integers(1, 8),
    steps=st.integers(0, 25),
    rate=st.floats(0.001, 0.25),
    sensitivity=st.floats(0.1, 1000),
)
def test_any_mask_equals_the_slow_version(
    data: st.DataObject, height: int, width: int, steps: int, rate: float, sensitivity: float
) -> None:
    """Values before rounding are the slow version's for any picture, mask and setting."""
    mask = data.draw(arrays.arrays(np.bool_, (height, width)))
    assume(not mask.all())
    image = data.draw(arrays.arrays(np.uint8, (height, width, 3)))
    assert_exact(image, mask, steps=steps, rate=rate, sensitivity=sensitivity)


def test_defaults_are_the_papers() -> None:
    """Lambda 0.25, K 127, 20 steps; from the trimmed mean, as the paper does not say from what."""
    assert Diffusion() == Diffusion(steps=20, rate=0.25, sensitivity=127.0, start="mtm")


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    """However many px are computed at once, the values are the same to the last bit."""
    image, mask = noisy_image(40, 60), crack_mask(40, 60)
    whole = Diffusion().values(image, mask)
    monkeypatch.setattr("baselines.inpainting.diffusion._BATCH", batch)
    assert (Diffusion().values(image, mask) == whole).all()


def test_no_steps() -> None:
    """Without a step the filling is what it starts from."""
    image, mask = noisy_image(20, 30), crack_mask(20, 30)
    assert (Diffusion(steps=0, start="damaged").fill(image, mask) == image).all()
    assert (Diffusion(steps=0).fill(image, mask) == get_inpainter("mtm").fill(image, mask)).all()


def test_values_stay_in_range() -> None:
    """At the largest rate no value leaves the range of what is known, in black and white noise."""
    rng = np.random.default_rng(0)
    image = np.where(rng.random((30, 40, 1)) < 0.5, 40, 220).astype(np.uint8) + np.zeros(3, np.uint8)
    values = Diffusion(steps=300, sensitivity=1e6).values(image, rng.random((30, 40)) < 0.6)
    assert values.min() >= 40
    assert values.max() <= 220


def test_a_ramp_is_continued() -> None:
    """Where paint changes evenly from side to side, enough steps find the ramp again."""
    image = np.repeat(np.arange(40, 100, 3, dtype=np.uint8)[None], 9, axis=0)[..., None] + np.zeros(
        3, np.uint8
    )
    mask = np.zeros(image.shape[:2], np.bool_)
    mask[:, 8:12] = True
    damaged = image.copy()
    damaged[mask] = 0
    assert (Diffusion(steps=500).fill(damaged, mask) == image).all()


def test_edges_hold_it_up() -> None:
    """The smaller the sensitivity, the sharper an edge of the paint stays in the filling."""
    image = np.full((11, 40, 3), 60, np.uint8)
    image[:, 20:] = 200
    mask = np.zeros((11, 40), np.bool_)
    mask[4:7] = True
    steepness = [
        np.abs(np.diff(Diffusion(sensitivity=k, steps=200).fill(image, mask)[5, :, 0].astype(int))).max()
        for k in (5, 20, 60, 127)
    ]
    assert steepness[0] == 140
    assert all(sharper > softer for sharper, softer in pairwise(steepness))


def test_the_damage_shows_through_wide_cracks() -> None:
    """Why it starts from the trimmed mean: 20 steps from the damage leave its shadow in 9 px."""
    image = np.full((40, 40, 3), 180, np.uint8)
    image[15:24] = 40
    mask = (image == 40).all(axis=2)
    assert Diffusion(start="damaged").fill(image, mask)[19].max() < 100
    assert (Diffusion().fill(image, mask) == 180).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rate": 0.3}, "setting 'rate' of method 'diffusion' is 0.3: expected a number from 0.001 to 0.25"),
        ({"steps": -1}, "'steps' of method 'diffusion' is -1: expected a whole number from 0 to 1"),
        ({"steps": 2.5}, "is 2.5: expected a whole number"),
        ({"sensitivity": 0}, "is 0: expected a number from 0.1"),
        ({"start": "grey"}, "is 'grey': expected mtm or damaged"),
    ],
)
def test_wrong_settings(wrong: dict[str, Any], message: str) -> None:
    """A rate that is not stable, or a setting that makes no sense, is refused with its bounds."""
    with pytest.raises(ValueError, match=message):
        get_inpainter("diffusion", **wrong)
