"""Nearly black paint photographed from near: cracks that are dust in a furrow."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from generators import dust
from generators.appearance import SOFT_EDGE, Look, near
from generators.mixed import MIXED
from generators.recipes import triplet, with_settings
from generators.triplets import Image, Triplet


def painting() -> Image:
    """Return a smooth picture in many colours."""
    coarse = np.random.default_rng(0).integers(0, 256, (5, 6, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (300, 240), interpolation=cv2.INTER_LINEAR), np.uint8)


def several(n: int, **changed: Any) -> list[Triplet]:
    """Make the first n dusty close-ups."""
    recipe = with_settings(MIXED, {"close_ups": 1.0, "dusty_share": 1.0, "jpeg_share": 0.0, **changed})
    return [triplet(recipe, 0, index, painting(), (160, 128)) for index in range(n)]


def grey(image: Image) -> Any:
    """(H, W) float64."""
    return image.astype(float).mean(axis=2)


def test_dusty_close_ups_are_a_share() -> None:
    """Of the close-ups as many are dusty as are asked for."""
    views = [t.meta["view"] for t in several(200, dusty_share=0.4)]
    assert views.count("dusty") / 200 == pytest.approx(0.4, abs=4 * (0.4 * 0.6 / 200) ** 0.5)
    assert set(views) == {"dusty", "close-up"}
    assert "dusty" not in {t.meta["view"] for t in several(40, dusty_share=0.0)}


def test_what_is_not_dusty_is_as_it_was() -> None:
    """Views that are no close-ups do not change with the share."""
    for close_ups in (0.0, 0.5):
        plain = several(12, close_ups=close_ups, dusty_share=0.0)
        dusty = several(12, close_ups=close_ups)
        others = [(a, b) for a, b in zip(plain, dusty, strict=True) if b.meta["view"] != "dusty"]
        assert others
        for a, b in others:
            assert a.meta == b.meta
            assert np.array_equal(a.damaged, b.damaged)


def test_they_are_nearly_black_with_lighter_cracks() -> None:
    """The paint is dark, and what is seen of a crack is lighter than the paint, hardly or far."""
    made = several(40, clean_share=0.0)
    assert np.median([t.image.mean() for t in made]) < 45
    change = [np.median(grey(t.damaged)[t.mask] - grey(t.image)[t.mask]) for t in made if t.mask.sum() > 50]
    assert np.mean(np.array(change) > 0) > 0.95
    assert np.quantile(change, 0.2) < 15
    assert np.quantile(change, 0.8) > 25


def test_away_from_cracks_both_photographs_have_the_same_noise() -> None:
    """The camera's noise is one for both pictures: it lies on cracks and paint alike."""
    for t in several(15, clean_share=0.0, jpeg_share=1.0):
        away = ~near(t.mask, SOFT_EDGE)
        assert np.array_equal(t.damaged[away], t.image[away])
        steps = np.abs(np.diff(grey(t.damaged), axis=1))[:, ::2]
        assert steps[away[:, 1::2] & away[:, :-1:2]].mean() > 0.2


def test_dust_lies_in_beads() -> None:
    """From px to px and along a crack, dusty ones change more than those of other dark close-ups."""

    def unevenness(**changed: Any) -> float:
        found = []
        for t in several(40, clean_share=0.0, dark_share=1.0, **changed):
            inside = cv2.erode(t.mask.view(np.uint8), np.ones((2, 2), np.uint8)) > 0
            change = (grey(t.damaged) - grey(t.image))[inside]
            if len(change) > 50 and change.mean() > 5:
                found.append(change.std() / change.mean())
        assert len(found) > 10
        return float(np.median(found))

    assert unevenness() > 1.2 * unevenness(dusty_share=0.0)


def test_fibres_are_of_the_dust_in_the_cracks() -> None:
    """Fibres are lighter than the paint by the cracks' own hue, and cover a little of it."""
    paint = np.full((256, 256, 3), 20, np.uint8)
    look = Look(light=(80.0, 50.0, 10.0), flip=255.0)
    seeds = map(np.random.default_rng, range(12))
    changes = np.array([dust.scatter_fibres(paint, look, rng).astype(int) - paint for rng in seeds])
    assert changes.min() >= 0
    covered = (changes[..., 0] > 3).mean(axis=(1, 2))
    assert covered.max() < 0.4
    assert np.median(covered) > 0.002
    red, green, blue = changes.sum(axis=(0, 1, 2))
    assert red / green == pytest.approx(80 / 50, rel=0.15)
    assert blue / green == pytest.approx(10 / 50, abs=0.12)


def test_noise_is_grey_and_coloured() -> None:
    """Film has no mean, some levels of deviation, and as much or less of it is colour."""
    deviations = []
    for seed in range(12):
        noise = dust.film((96, 64), np.random.default_rng(seed))
        assert noise.shape == (64, 96, 3)
        assert noise.dtype == np.int16
        assert abs(noise.mean()) < 0.3
        deviations.append(noise.std())
    assert 0.3 < min(deviations) < max(deviations) < 7
    half = np.full((64, 96, 3), 254, np.uint8)
    assert dust.expose(half, noise).max() == 255  # clipped, not wrapped round
    assert dust.expose(half, noise).min() > 200
