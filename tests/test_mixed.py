from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np
import pytest

from generators.appearance import SOFT_EDGE, near
from generators.craquelure import STYLES
from generators.framing import whole
from generators.mixed import MIXED, YOUNG, MixedParameters, tone
from generators.recipes import triplet, with_settings
from generators.triplets import Image, Triplet

SIZE = (128, 96)


def painting(seed: int = 0) -> Image:
    """Return a smooth picture in many colours."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (300, 240), interpolation=cv2.INTER_LINEAR), np.uint8)


def make(index: int, fit: str = "crop", size: tuple[int, int] = SIZE, **changed: Any) -> Triplet:
    """Make a mixed triplet with some parameters changed."""
    return triplet(with_settings(MIXED, changed), 0, index, painting(), size, fit)


def several(n: int, **options: Any) -> list[Triplet]:
    """Make the first n triplets."""
    return [make(index, **options) for index in range(n)]


def luminance(image: Image) -> Any:
    """(H, W) float64."""
    return image.astype(float).mean(axis=2)


def test_some_triplets_are_whole_paint() -> None:
    """The share without any crack is near `clean_share`; there both pictures are equal, and meta says so."""
    for share, n in ((0.08, 300), (0.5, 200)):
        made = several(n, size=(64, 64), clean_share=share)
        clean = [t for t in made if t.meta["cracks"] == 0]
        # Four standard deviations of a binomial share.
        assert len(clean) / n == pytest.approx(share, abs=4 * (share * (1 - share) / n) ** 0.5)
        for t in clean:
            assert not t.mask.any()
            assert np.array_equal(t.image, t.damaged)
            assert not np.shares_memory(t.image, t.damaged)
        cracked = [t.mask.any() for t in made if t.meta["cracks"]]
        assert np.mean(cracked) > 0.95


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_none_or_all_can_be_whole_paint(share: float) -> None:
    """Shares of 0 and 1 are kept strictly."""
    assert {t.meta["cracks"] == 0 for t in several(25, size=(192, 192), clean_share=share)} == {share == 1}


def test_close_ups_need_a_crop() -> None:
    """Padding and stretching ask for the whole painting: close-ups and details are there with crop only."""
    views = {fit: [t.meta["view"] for t in several(30, fit=fit)] for fit in ("crop", "pad", "stretch")}
    assert {"close-up", "dusty", "detail", "whole"} == set(views["crop"])
    assert set(views["pad"]) == set(views["stretch"]) == {"whole"}
    assert {t.meta["view"] for t in several(20, close_ups=1.0)} == {"close-up", "dusty"}
    assert {t.meta["view"] for t in several(20, close_ups=0.0, details=1.0)} == {"detail"}
    assert {t.meta["view"] for t in several(20, close_ups=0.0, details=0.0)} == {"whole"}


def test_all_styles_occur() -> None:
    """Triplets draw among the five styles."""
    assert {t.meta["style"] for t in several(60, size=(64, 64))} == set(STYLES)


def test_both_polarities_occur() -> None:
    """Of the close-ups at least a quarter crack mostly dark, and at least a quarter mostly light."""
    lighter = []
    for t in several(120, close_ups=1.0, clean_share=0.0, jpeg_share=0.0):
        change = luminance(t.damaged)[t.mask] - luminance(t.image)[t.mask]
        if change.size:
            lighter.append(np.median(change) > 0)
    assert 0.25 < np.mean(lighter) < 0.75


def test_cracks_can_be_seen() -> None:
    """Nearly all cracked triplets show their cracks: the mask's px change by some levels."""
    seen = [
        np.abs(luminance(t.damaged)[t.mask] - luminance(t.image)[t.mask]).mean()
        for t in several(60, clean_share=0.0)
        if t.mask.any()
    ]
    assert np.median(seen) > 12
    assert np.mean(np.array(seen) > 4) > 0.95


def test_the_clean_picture_of_a_whole_view_is_the_painting() -> None:
    """Nothing is added to a whole painting."""
    for t in several(10, close_ups=0.0, details=0.0):
        assert np.array_equal(t.image, whole((300, 240), SIZE, "crop").image(painting()))


def test_a_detail_is_a_passage_of_the_painting_as_it_is() -> None:
    """Where no JPEG or sharpening wore it, a detail is found again in the painting at its own scale."""
    same = {"close_ups": 0.0, "details": 1.0, "detail_zoom": (1.0, 1.0), "jpeg_share": 0.0}
    found = [
        cv2.matchTemplate(painting(), t.image, cv2.TM_SQDIFF).min() == 0
        for t in several(12, size=(64, 48), **same)
    ]
    assert 0.2 < np.mean(found) < 0.9  # the others were sharpened


def test_the_clean_picture_of_a_close_up_has_hard_negatives() -> None:
    """Strokes, weave, specks and grain belong to the clean image: it is rough, the painting smooth."""

    def roughness(image: Image) -> float:
        return float(np.abs(cv2.Laplacian(luminance(image), cv2.CV_64F)).mean())

    smooth = roughness(whole((300, 240), SIZE, "crop").image(painting()))
    rough = [roughness(t.image) for t in several(30, close_ups=1.0)]
    assert np.median(rough) > 4 * smooth
    assert np.std(rough) > 1


def test_grounds_are_dark_and_light() -> None:
    """About `dark_share` of the close-ups are nearly black, the others anything from there to light."""
    made = several(150, close_ups=1.0, dusty_share=0.0, size=(64, 64))
    levels = np.array([t.image.mean() for t in made])
    assert (levels < 50).mean() == pytest.approx(MixedParameters().dark_share, abs=0.15)
    assert (levels > 110).mean() > 0.2


def test_widths_range_from_hairlines_to_gaping_cracks() -> None:
    """In close-ups that are not dusty the widest cracks of a triplet measure from 3 px to several."""
    widths = [
        2 * cv2.distanceTransform(t.mask.view(np.uint8), cv2.DIST_L2, 5).max()
        for t in several(80, close_ups=1.0, dusty_share=0.0, clean_share=0.0, size=(256, 256))
    ]
    assert np.percentile(widths, 5) < 4
    assert max(widths) > 6
    assert max(widths) < 30


def test_away_from_cracks_both_photographs_are_the_same() -> None:
    """JPEG and sharpening wear both pictures, and must not tell them apart where nothing is cracked."""
    worn = several(20, close_ups=1.0, clean_share=0.0, jpeg_share=1.0)
    for t in worn:
        away = ~near(t.mask, SOFT_EDGE)
        assert np.array_equal(t.damaged[away], t.image[away])
    assert any(not np.array_equal(t.damaged, t.image) for t in worn)


def test_jpeg_is_a_share() -> None:
    """A worn picture has the steps of JPEG's 8 x 8 blocks, one that was not worn has none."""

    def blocks(t: Triplet) -> float:
        steps = np.abs(np.diff(luminance(t.image), axis=1)).mean(axis=0)
        # Every second column only: grain may come in pairs of px.
        return float(steps[7::8].mean() / np.mean([steps[k::8].mean() for k in (1, 3, 5)]))

    options: dict[str, Any] = {"close_ups": 1.0, "size": (256, 96)}
    plain, worn = (np.mean([blocks(t) for t in several(25, jpeg_share=s, **options)]) for s in (0.0, 1.0))
    assert plain == pytest.approx(1, abs=0.03)
    assert worn > plain + 0.03


@pytest.mark.parametrize("dark_share", [0.0, 1.0])
def test_tones_keep_low_contrast(dark_share: float) -> None:
    """A passage is shifted to its tone, dark or not, and its contrast is at most halved."""
    view = painting()
    for seed in range(20):
        toned = tone(view, dark_share, np.random.default_rng(seed))
        assert toned.dtype == np.uint8
        assert toned.shape == view.shape
        assert (toned.mean() < 45) == (dark_share == 1)
        assert luminance(toned).std() < 0.7 * luminance(view).std()


def test_young_networks_are_sparse() -> None:
    """A young network is part of what is there in full age, about half of it, on the same picture."""
    shares = []
    for index in range(60):
        young, old = (
            make(index, size=(192, 192), close_ups=1.0, clean_share=0.0, young_share=share)
            for share in (1.0, 0.0)
        )
        assert np.array_equal(young.image, old.image)
        assert not (young.mask & ~old.mask).any()
        assert YOUNG[0] <= young.meta["age"] <= YOUNG[1]
        shares.append(young.mask.sum() / old.mask.sum())
    assert 0.3 < np.median(shares) < 0.7
    assert np.quantile(shares, 0.1) < 0.45


def test_ageing_takes_cracks_away_and_nothing_else() -> None:
    """A younger mixed triplet is the same picture with fewer cracks."""
    for index in range(8):
        young, old = make(index, age=0.3), make(index)
        assert np.array_equal(young.image, old.image)
        assert not (young.mask & ~old.mask).any()


@pytest.mark.parametrize(
    ("name", "value"),
    [("clean_share", 1.5), ("zoom", (0.01, 2.0)), ("spacing", 40.0), ("age", 0), ("jpeg_share", "half")],
)
def test_wrong_values_are_named(name: str, value: Any) -> None:
    """Parameters are checked when they are set."""
    with pytest.raises(ValueError, match=f"parameter '{name}'"):
        dataclasses.replace(MIXED.parameters, **{name: value})
