"""Augmentation: labels follow the picture, light and camera leave the labels alone."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craqbench.augmentation import Augmentation, augment, cut, develop, turn
from generators.triplets import Image, Labels, random_stream

STILL = Augmentation(
    rescaled=0,
    toned=0,
    darkened=0,
    inverted=0,
    blurred=0,
    sharpened=0,
    coarsened=0,
    noisy=0,
    compressed=0,
)
"""Nothing but place and turn."""


def always(*names: str) -> Augmentation:
    """Return what does these and nothing else."""
    shares: dict[str, Any] = dict.fromkeys(names, 1.0)
    return dataclasses.replace(STILL, **shares)


SHARES = tuple(f.name for f in dataclasses.fields(STILL) if getattr(STILL, f.name) == 0)
EVERYTHING = always(*SHARES)


def marked(height: int, width: int, seed: int = 0) -> tuple[Image, Labels]:
    """Return a picture that shows its own labels: black, dark grey and white."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 3, (height // 6 + 1, width // 6 + 1), dtype=np.uint8)
    labels = np.kron(coarse, np.ones((6, 6), np.uint8))[:height, :width]
    return np.repeat((labels * np.uint8(100))[..., None], 3, axis=2), labels


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    height=st.integers(40, 120),
    width=st.integers(40, 120),
    number=st.integers(0, 1000),
    crop=st.integers(8, 40),
)
def test_labels_follow_every_move(height: int, width: int, number: int, crop: int) -> None:
    """After cropping, quarter turns and mirroring, each px still shows its label."""
    image, labels = marked(height, width)
    seen, known = augment(image, labels, crop, STILL, rng=random_stream(0, 1, number))
    assert (seen.shape, known.shape) == ((crop, crop, 3), (crop, crop))
    assert np.array_equal(seen[..., 0], known * 100)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(number=st.integers(0, 1000), scale=st.floats(0.7, 1.6))
def test_labels_follow_every_scale(number: int, scale: float) -> None:
    """Enlarged or reduced, labels agree with the picture away from the edges of what they mark."""
    labels = np.zeros((100, 90), np.uint8)
    labels[:, 30:60] = 1
    image = np.repeat((labels * np.uint8(200))[..., None], 3, axis=2)
    how = dataclasses.replace(STILL, rescaled=1.0, scale=(scale, scale))
    seen, known = cut(image, labels, 48, how, rng=random_stream(0, 1, number))
    assert (seen.shape, known.shape) == ((48, 48, 3), (48, 48))
    certain = (seen[..., 0] < 40) | (seen[..., 0] > 160)
    assert np.array_equal(known[certain] == 1, seen[certain, 0] > 100)
    assert np.count_nonzero(~certain) <= 4 * 48


def test_hairlines_survive_scaling() -> None:
    """A line of one px is unbroken after any scaling that is done."""
    labels = np.zeros((288, 288), np.uint8)
    labels[:, 140] = 1
    image = np.zeros((288, 288, 3), np.uint8)
    for scale in (0.89, 0.95, 1.05, 1.3):
        how = dataclasses.replace(STILL, rescaled=1.0, scale=(scale, scale))
        for number in range(20):
            _, known = cut(image, labels, 250, how, rng=random_stream(0, 1, number))
            if known.any():
                assert known.any(axis=1).all(), scale


def test_all_eight_turns_are_made() -> None:
    """Quarter turns and mirrorings are all there, about equally often."""
    labels = np.arange(144, dtype=np.uint8).reshape(12, 12)
    image = np.repeat(labels[..., None], 3, axis=2)
    found: dict[bytes, int] = {}
    for number in range(400):
        seen, known = turn(image, labels, rng=random_stream(0, 1, number))
        assert np.array_equal(seen[..., 1], known)
        found[known.tobytes()] = found.get(known.tobytes(), 0) + 1
    assert len(found) == 8
    assert min(found.values()) > 25


@settings(max_examples=80, derandomize=True, deadline=None)
@given(number=st.integers(0, 10_000), how=st.sampled_from([Augmentation(), EVERYTHING]))
def test_any_sample_is_a_picture_with_labels(number: int, how: Augmentation) -> None:
    """Type, shape and classes hold whatever is drawn; the same stream gives the same sample."""
    image, labels = marked(80, 70)
    given_image, given_labels = image.copy(), labels.copy()
    seen, known = augment(image, labels, 64, how, rng=random_stream(1, 2, number))
    assert (seen.shape, known.shape) == ((64, 64, 3), (64, 64))
    assert seen.dtype == known.dtype == np.uint8
    assert set(np.unique(known)) <= {0, 1, 2}
    assert seen.flags.c_contiguous
    assert known.flags.c_contiguous
    again = augment(image, labels, 64, how, rng=random_stream(1, 2, number))
    assert np.array_equal(seen, again[0])
    assert np.array_equal(known, again[1])
    assert np.array_equal(image, given_image)
    assert np.array_equal(labels, given_labels)


@pytest.mark.parametrize(
    "name", ["toned", "darkened", "inverted", "blurred", "sharpened", "coarsened", "noisy", "compressed"]
)
def test_each_change_of_light_and_camera_changes_the_picture(name: str) -> None:
    """And none of them moves anything: the picture stays alike where it is even."""
    image = np.full((64, 64, 3), 120, np.uint8)
    image[:, 30:34] = 40
    seen = develop(image, always(name), rng=random_stream(0, 1, 3))
    assert seen.shape == image.shape
    assert seen.dtype == np.uint8
    assert not np.array_equal(seen, image)
    contrast = seen[:, 31:33].mean() - seen[:, :20].mean()
    assert (contrast > 5) if name == "inverted" else (contrast < -5)


def test_nothing_asked_for_changes_nothing() -> None:
    """With all shares at 0 the picture is what it was."""
    image, _ = marked(64, 64)
    assert np.array_equal(develop(image, STILL, rng=random_stream(0, 1, 3)), image)


def test_darkening_reaches_its_tone_and_spares_what_is_dark() -> None:
    """A light picture comes near to the tone that was drawn; a dark one is never made darker."""
    how = dataclasses.replace(
        STILL, darkened=1.0, darkness=(20.0, 20.0), gamma=(1.0, 1.0), contrast=(1.0, 1.0), cast=0.0
    )
    light, dark = np.full((64, 64, 3), 180, np.uint8), np.full((64, 64, 3), 25, np.uint8)
    assert develop(light, how, rng=random_stream(0, 1, 0)).mean() == pytest.approx(20, abs=1)
    assert np.array_equal(develop(dark, how, rng=random_stream(0, 1, 0)), dark)


def test_faint_cracks_on_dark_paint_stay_visible() -> None:
    """Changing the tones of nearly black paint never brings a crack and its surroundings together."""
    image = np.full((64, 64, 3), 12, np.uint8)
    image[:, 30:33] = 22
    how = dataclasses.replace(STILL, toned=1.0, darkened=0.5)
    for number in range(100):
        seen = develop(image, how, rng=random_stream(0, 1, number)).astype(int)
        assert seen[:, 31].mean() - seen[:, 5].mean() >= 6
