"""Scores of restored pictures: MAE, PSNR, SSIM, VIF and entropy, in regions."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from metric_cases import TURNS, Mask, draw
from scipy import ndimage, signal
from skimage import measure, metrics

from craqbench.metrics import (
    REGIONS,
    Fidelity,
    entropy,
    mae,
    psnr,
    region_of,
    restoration_scores,
    ssim,
    ssim_map,
    vif,
)
from craqbench.metrics.information import luminance

MEASURE: Any = measure
METRICS: Any = metrics
"""scikit-image, whose types are not complete."""

Picture = npt.NDArray[np.uint8]

SHAPES = [(11, 11), (41, 41), (64, 97), (150, 200), (97, 64, 3), (140, 41, 3)]


def picture(shape: tuple[int, ...], seed: int, detail: int = 6) -> Picture:
    """Draw something with structure at several scales."""
    rng = np.random.default_rng(seed)
    total = np.zeros(shape)
    for cells in (3, 12, 48):
        coarse = rng.random((cells, cells, *shape[2:])).astype(np.float32)
        total += np.asarray(cv2.resize(coarse, shape[1::-1], interpolation=cv2.INTER_CUBIC)).reshape(shape)
    return np.clip(60 * total + rng.normal(0, detail, shape), 0, 255).astype(np.uint8)


def worn(original: Picture, seed: int) -> Picture:
    """Blur and roughen a picture."""
    blurred = ndimage.gaussian_filter(original.astype(float), (1.2, 1.2, 0)[: original.ndim])
    noise = np.random.default_rng(seed).normal(0, 5, original.shape)
    return np.clip(blurred + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["empty", "pixel", "lines", "full", None])
def test_errors_by_region(shape: tuple[int, ...], kind: str | None) -> None:
    """MAE and PSNR are NumPy's and scikit-image's over the pixels of the region; NaN over none."""
    reference = picture(shape, 0)
    restored = worn(reference, 1)
    region = None if kind is None else draw(kind, shape[:2], 2)
    a, b = (x if region is None else x[region] for x in (restored, reference))
    if not a.size:
        assert math.isnan(mae(restored, reference, region))
        assert math.isnan(psnr(restored, reference, region))
        return
    assert mae(restored, reference, region) == pytest.approx(np.abs(a.astype(int) - b).mean(), abs=1e-9)
    same = METRICS.mean_squared_error(a, b) == 0
    expected = math.inf if same else METRICS.peak_signal_noise_ratio(b, a, data_range=255)
    assert psnr(restored, reference, region) == pytest.approx(expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_ssim_agrees_with_scikit_image(shape: tuple[int, ...]) -> None:
    """The map is scikit-image's at all pixels with a whole window, and scores are its means by region."""
    reference = picture(shape, 3)
    restored = worn(reference, 4)
    _, expected = METRICS.structural_similarity(
        reference,
        restored,
        data_range=255,
        gaussian_weights=True,
        use_sample_covariance=False,
        full=True,
        channel_axis=2 if len(shape) == 3 else None,
    )
    expected = expected.mean(axis=2) if len(shape) == 3 else expected
    inner = np.zeros(shape[:2], np.bool_)
    inner[5:-5, 5:-5] = True
    similarity = ssim_map(restored, reference)
    np.testing.assert_allclose(similarity[inner], expected[inner], atol=2e-4)
    assert np.isnan(similarity[~inner]).all()
    assert ssim(restored, reference) == pytest.approx(expected[inner].mean(), abs=1e-5)
    region = draw("half", shape[:2], 5)
    if (region & inner).any():
        assert ssim(restored, reference, region) == pytest.approx(expected[inner & region].mean(), abs=1e-5)


def published_vif(reference: Picture, restored: Picture) -> float:
    """Transcribe the authors' vifp_mscale, with SciPy's convolution in float64."""
    x, y = (luminance(image).astype(np.float64) for image in (reference, restored))
    kept = held = 0.0
    for scale in range(1, 5):
        size = 2 ** (4 - scale + 1) + 1
        axis = np.arange(size) - size // 2
        window = np.exp(-(axis[:, None] ** 2 + axis**2) / (2 * (size / 5) ** 2))
        window /= window.sum()
        if scale > 1:
            x, y = (signal.convolve2d(image, window, mode="valid")[::2, ::2] for image in (x, y))
        mx, my, xx, yy, xy = (
            signal.convolve2d(image, window, mode="valid") for image in (x, y, x * x, y * y, x * y)
        )
        vx, vy, cov = np.maximum(xx - mx * mx, 0), np.maximum(yy - my * my, 0), xy - mx * my
        gain = cov / (vx + 1e-10)
        rest = vy - gain * cov
        gain[vx < 1e-10], rest[vx < 1e-10] = 0, vy[vx < 1e-10]
        vx[vx < 1e-10] = 0
        gain[vy < 1e-10] = rest[vy < 1e-10] = 0
        rest[gain < 0] = vy[gain < 0]
        gain[gain < 0] = 0
        rest = np.maximum(rest, 1e-10)
        kept += float(np.log10(1 + gain**2 * vx / (rest + 2)).sum())
        held += float(np.log10(1 + vx / 2).sum())
    return kept / held


@pytest.mark.parametrize("shape", SHAPES[1:])
@pytest.mark.parametrize("change", ["worn", "inverted", "noise", "flat", "contrast"])
def test_vif_agrees_with_the_authors(shape: tuple[int, ...], change: str) -> None:
    """The score is that of the authors' algorithm for blur, noise, inversion, loss and gain of contrast."""
    reference = picture(shape, 6)
    noise = np.random.default_rng(7).integers(0, 256, shape).astype(np.uint8)
    changed = {
        "worn": worn(reference, 8),
        "inverted": 255 - reference,
        "noise": noise,
        "flat": np.full(shape, 99, np.uint8),
        "contrast": np.clip(1.4 * reference.astype(float) - 40, 0, 255).astype(np.uint8),
    }[change]
    assert vif(changed, reference) == pytest.approx(published_vif(reference, changed), abs=2e-4)


def test_vif_at_its_ends() -> None:
    """Equal pictures have 1, more contrast more; a flat reference 1 or 0; a small or empty one NaN."""
    reference = picture((60, 70), 9)
    assert vif(reference, reference) == pytest.approx(1, abs=1e-5)
    assert vif(np.clip(1.3 * (reference.astype(float) - 90) + 90, 0, 255).astype(np.uint8), reference) > 1
    flat = np.full((60, 70), 180, np.uint8)
    assert vif(flat, flat) == 1
    assert vif(flat - np.uint8(60), flat) == 1
    assert vif(reference, flat) == 0
    assert math.isnan(vif(reference[:40], reference[:40]))
    assert math.isnan(vif(reference, reference, np.zeros((60, 70), np.bool_)))


def test_vif_by_region() -> None:
    """In a picture half of which is lost, VIF is near 1 in the one half and near 0 in the other."""
    reference = picture((120, 200), 10)
    restored = reference.copy()
    restored[:, 100:] = 128
    left = np.zeros((120, 200), np.bool_)
    left[:, :60] = True
    assert vif(restored, reference, left) == pytest.approx(1, abs=1e-3)
    assert vif(restored, reference, np.fliplr(left)) < 0.01
    whole = np.ones((120, 200), np.bool_)
    assert vif(restored, reference, whole) == pytest.approx(vif(restored, reference), abs=1e-6)
    assert 0.3 < vif(restored, reference) < 0.7


@pytest.mark.parametrize("shape", [(1, 1), (30, 40), (25, 31, 3)])
def test_entropy_agrees_with_scikit_image(shape: tuple[int, ...]) -> None:
    """Entropy is scikit-image's of the luminance, in all pixels or a region."""
    image = picture(shape, 11)
    grey = image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    assert entropy(image) == pytest.approx(MEASURE.shannon_entropy(grey), abs=1e-12)
    region = draw("half", shape[:2], 1)
    if region.any():
        assert entropy(image, region) == pytest.approx(MEASURE.shannon_entropy(grey[region]), abs=1e-12)


def test_entropy_at_its_ends() -> None:
    """One value has 0 bits, all values alike 8, no pixel 0; filling cracks lowers it (paper A, Fig. 5)."""
    assert entropy(np.full((9, 9), 7, np.uint8)) == 0
    assert entropy(np.arange(256, dtype=np.uint8)[None]) == 8
    assert entropy(np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.bool_)) == 0
    painting = np.full((64, 64), 120, np.uint8)
    cracked = np.where(draw("lines", (64, 64), 2), np.uint8(20), painting)
    assert entropy(cracked) > entropy(painting)


def test_luminance_weighs_colours() -> None:
    """Luminance is BT.601's of an RGB picture: green tells most, blue least."""
    assert luminance(np.eye(3, dtype=np.uint8)[None] * np.uint8(255)).tolist() == [[76, 150, 29]]


@pytest.mark.parametrize("kind", ["empty", "pixel", "lines", "full"])
def test_regions(kind: str) -> None:
    """The ring is what is within its width of the mask and not in it; the whole is everything."""
    mask = draw(kind, (40, 50), 3)
    near = ndimage.distance_transform_edt(~mask) <= 4 if mask.any() else mask
    np.testing.assert_array_equal(region_of(mask, "ring"), near & ~mask)
    np.testing.assert_array_equal(region_of(mask, "mask"), mask)
    assert region_of(mask, "whole").all()


@pytest.mark.parametrize("kind", ["empty", "pixel", "lines", "full"])
def test_all_scores_are_each_score(kind: str) -> None:
    """The scores of all regions are those of one call for each."""
    reference = picture((70, 90, 3), 12)
    restored, mask = worn(reference, 13), draw(kind, (70, 90), 14)
    scores = restoration_scores(restored, reference, mask)
    assert tuple(scores) == REGIONS
    for region, fidelity in scores.items():
        pixels = region_of(mask, region)
        each = [metric(restored, reference, pixels) for metric in (mae, psnr, ssim, vif)]
        found = [getattr(fidelity, name) for name in Fidelity.__dataclass_fields__]
        np.testing.assert_allclose(found, each, rtol=1e-6)


def test_equal_pictures() -> None:
    """A perfect restoration has MAE 0, infinite PSNR, SSIM 1 and VIF 1 in every region."""
    reference = picture((80, 60, 3), 15)
    for fidelity in restoration_scores(reference, reference, draw("lines", (80, 60), 1)).values():
        assert (fidelity.mae, fidelity.psnr) == (0, math.inf)
        assert fidelity.ssim == pytest.approx(1, abs=1e-6)
        assert fidelity.vif == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("turn", TURNS)
def test_turned_pictures(turn: str) -> None:
    """Symmetric metrics of turned pictures are the same; MAE, PSNR and SSIM are symmetric in their pair."""
    reference = picture((73, 89), 16)
    restored, region = worn(reference, 17), draw("lines", (73, 89), 18)
    turned = [TURNS[turn](x) for x in (restored, reference, region)]
    for metric in (mae, psnr, ssim):
        value = metric(restored, reference, region)
        assert metric(turned[0], turned[1], turned[2]) == pytest.approx(value, abs=1e-5)
        assert metric(reference, restored, region) == pytest.approx(value, abs=1e-5)
    assert entropy(turned[1]) == entropy(reference)


def test_worse_is_worse() -> None:
    """More noise lowers PSNR, SSIM and VIF and raises MAE."""
    reference = picture((90, 90), 19)
    noise = np.random.default_rng(20).normal(0, 1, (90, 90))
    steps = [np.clip(reference + amount * noise, 0, 255).astype(np.uint8) for amount in (2, 6, 15, 40)]
    for metric, sign in ((psnr, -1), (ssim, -1), (vif, -1), (mae, 1)):
        assert (sign * np.diff([metric(step, reference) for step in steps]) > 0).all()


def test_a_picture_smaller_than_a_window() -> None:
    """SSIM of a picture without a whole window is NaN."""
    assert math.isnan(ssim(picture((10, 40), 0), picture((10, 40), 1)))


def test_faults() -> None:
    """Pictures and regions of a wrong type or shape are refused by every metric."""
    grey, mask = picture((50, 60), 0), np.ones((50, 60), np.bool_)
    for metric in (mae, psnr, ssim, vif):
        with pytest.raises(ValueError, match=r"reference's shape \(60, 50\). Got \(50, 60\)"):
            metric(grey, grey.T)
        with pytest.raises(ValueError, match=r"picture of shape .* uint8. Got .* float64"):
            metric(grey / 255, grey)  # type: ignore[arg-type]  # the fault
        with pytest.raises(ValueError, match=r"uint8. Got \(50, 60, 4\)"):
            metric(np.dstack([grey] * 4), np.dstack([grey] * 4))
        with pytest.raises(ValueError, match="region of the pictures' shape"):
            metric(grey, grey, mask.T)
    with pytest.raises(ValueError, match=r"Got \(50, 60\) bool"):
        entropy(mask)  # type: ignore[arg-type]  # the fault
    with pytest.raises(ValueError, match="region of the picture's shape"):
        entropy(grey, mask.T)
    with pytest.raises(ValueError, match="unknown region 'edge': expected one of mask, ring, whole"):
        region_of(mask, "edge")
    with pytest.raises(ValueError, match=r"region of shape .* type bool"):
        mae(grey, grey, mask.astype(np.uint8))


def test_ring_of_a_mask_that_is_all() -> None:
    """A mask that fills the picture has no ring, and its scores there are NaN."""
    reference = picture((50, 50), 0)
    everything: Mask = np.ones((50, 50), np.bool_)
    ring = restoration_scores(worn(reference, 1), reference, everything)["ring"]
    assert all(math.isnan(value) for value in (ring.mae, ring.psnr, ring.ssim, ring.vif))
