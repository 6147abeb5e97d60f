"""Ridges beside eigenvalues of NumPy and propagation of SciPy."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy import ndimage

from baselines.protocols import Image, Mask
from baselines.ridge import Ridge, dominant, local_contrast, ridges


def scene(seed: int = 0, *, ground: int = 120, crack: int = 60) -> tuple[Image, Mask]:
    """Draw a crooked crack on ground whose grain is a tenth as strong; return it with where it runs."""
    rng = np.random.default_rng(seed)
    line = np.zeros((120, 160), np.uint8)
    points = np.stack([np.linspace(5, 154, 12), 60 + rng.normal(0, 12, 12)], axis=1)
    cv2.polylines(line, [np.rint(points).astype(np.int32)], False, 1, 2)
    grey = np.where(line > 0, crack, ground) + rng.normal(0, abs(ground - crack) / 10, line.shape)
    image = np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    return image, line > 0


def found_by(detector: Ridge, image: Image) -> Mask:
    """Return the mask of a detector."""
    return np.asarray(detector.predict(image) >= detector.threshold, np.bool_)


def recall(found: Mask, truth: Mask) -> float:
    """Return the share of a crack that is found within 1 px."""
    return float(ndimage.binary_dilation(found, np.ones((3, 3), np.bool_))[truth].mean())


def precision(found: Mask, truth: Mask) -> float:
    """Return the share of what is found that is within 2 px of a crack."""
    return float((ndimage.distance_transform_edt(~truth) <= 2)[found].mean())


@pytest.mark.parametrize(
    ("ground", "crack"), [(120, 60), (60, 120), (230, 200), (20, 34), (8, 18), (14, 4), (250, 30)]
)
def test_cracks_of_either_polarity_and_any_contrast(ground: int, crack: int) -> None:
    """Dark and light cracks are found, bold ones on light paint and faint ones on nearly black paint."""
    image, truth = scene(ground=ground, crack=crack)
    found = found_by(Ridge(), image)
    assert recall(found, truth) > 0.95
    assert precision(found, truth) > 0.95


@pytest.mark.parametrize(("polarity", "ground", "crack"), [("dark", 60, 120), ("light", 120, 60)])
def test_the_wrong_polarity(polarity: str, ground: int, crack: int) -> None:
    """Who asks for the other polarity does not get the crack itself."""
    image, truth = scene(ground=ground, crack=crack)
    assert found_by(Ridge(polarity=polarity), image)[truth].mean() < 0.05


def test_measure_is_of_the_eigenvalues() -> None:
    """At one scale, the measure is s^1.25 times the larger eigenvalue less half the smaller one's size."""
    rng = np.random.default_rng(0)
    contrast = cv2.GaussianBlur(rng.normal(size=(40, 50)).astype(np.float32), (0, 0), 2)
    dark, light = ridges(np.asarray(contrast, np.float32), (1.5,), 0.5)
    smooth = ndimage.gaussian_filter(contrast.astype(np.float64), 1.5, mode="reflect", radius=6)
    padded = np.pad(smooth, 1, mode="edge")
    xx = padded[1:-1, 2:] - 2 * smooth + padded[1:-1, :-2]
    yy = padded[2:, 1:-1] - 2 * smooth + padded[:-2, 1:-1]
    xy = (padded[2:, 2:] - padded[2:, :-2] - padded[:-2, 2:] + padded[:-2, :-2]) / 4
    hessian = np.stack([np.stack([xx, xy], -1), np.stack([xy, yy], -1)], -1)
    smaller, larger = np.moveaxis(np.linalg.eigvalsh(hessian), -1, 0) * 1.5**1.25
    assert dark == pytest.approx(np.maximum(0, larger - 0.5 * abs(smaller)), abs=2e-3)
    assert light == pytest.approx(np.maximum(0, -smaller - 0.5 * abs(larger)), abs=2e-3)


def test_measures_mirror_each_other() -> None:
    """The dark measure of a negative is the light measure of the picture."""
    contrast = np.random.default_rng(0).normal(size=(30, 40)).astype(np.float32)
    dark, light = ridges(contrast, (1.0, 2.0), 0.5)
    other_dark, other_light = ridges(-contrast, (1.0, 2.0), 0.5)
    assert other_dark == pytest.approx(light, abs=1e-6)
    assert other_light == pytest.approx(dark, abs=1e-6)


def test_more_scales_never_less() -> None:
    """The measure over scales is the largest of them."""
    contrast = np.random.default_rng(0).normal(size=(30, 40)).astype(np.float32)
    several = ridges(contrast, (1.0, 2.0, 3.0), 0.5)
    each = [ridges(contrast, (scale,), 0.5) for scale in (1.0, 2.0, 3.0)]
    for polarity in (0, 1):
        assert (several[polarity] == np.max([one[polarity] for one in each], axis=0)).all()


@pytest.mark.parametrize(("width", "scale"), [(1, 0.8), (3, 1.0), (5, 2.0), (9, 4.0)])
def test_scale_follows_width(width: int, scale: float) -> None:
    """A line answers best to the scale that the docstring gives for its width."""
    contrast = np.zeros((61, 61), np.float32)
    contrast[30 - width // 2 : 30 + width // 2 + 1] = -1
    scales = [0.8, 1.0, 1.4, 2.0, 2.8, 4.0]
    measures = [ridges(contrast, (s,), 0.5)[0][30, 30] for s in scales]
    assert 0.2 * width <= scales[int(np.argmax(measures))] <= 0.8 * width
    assert measures[scales.index(scale)] > 0.8 * max(measures)


def test_spots_count_less_than_lines() -> None:
    """A spot as dark and as wide as a line has about half its measure, or less."""
    contrast = np.zeros((60, 60), np.float32)
    contrast[15, :] = -1
    contrast[45, 30] = -1
    measure, _ = ridges(contrast, (1.0,), 1.0)
    assert measure[45, 30] < 0.1 * measure[15, 30]


def test_contrast_is_local() -> None:
    """The same pattern, four times as bold, has the same local contrast but for the floor."""
    rng = np.random.default_rng(0)
    pattern = rng.integers(0, 40, (60, 80), dtype=np.uint8)
    faint = local_contrast(pattern + np.uint8(10), 8, 0.01)
    bold = local_contrast(pattern * np.uint8(4) + np.uint8(50), 8, 0.01)
    assert bold == pytest.approx(faint, abs=5e-3)
    assert abs(float(faint.mean())) < 0.05
    assert float(faint.std()) == pytest.approx(1, abs=0.05)


def test_side_lines_are_not_cracks() -> None:
    """Beside a dark line the light measure answers; where dark dominates, only dark counts."""
    dark, light = np.zeros((40, 200), np.float32), np.zeros((40, 200), np.float32)
    dark[20, :100], light[18, :100] = 1.0, 0.5
    light[20, 100:], dark[18, 100:] = 1.0, 0.5
    taken = dominant(dark, light, 21)
    assert (taken[20, :80] == 1).all()
    assert (taken[20, 120:] == 1).all()
    assert not taken[18, :80].any()
    assert not taken[18, 120:].any()


def test_hysteresis() -> None:
    """What is found is what hysteresis at the two thresholds leaves, without small pieces."""
    image, _ = scene()
    detector = Ridge(polarity="dark", min_size=1)
    measure, _ = ridges(
        local_contrast(image[..., 0], detector.window, detector.floor), detector.scales, detector.blob
    )
    expected = ndimage.binary_propagation(
        measure >= detector.high, np.ones((3, 3), np.bool_), mask=measure >= detector.low
    )
    assert (found_by(detector, image) == expected).all()


def test_small_pieces_are_removed() -> None:
    """A piece of fewer than `min_size` px is no crack."""
    image = np.full((60, 80, 3), 200, np.uint8)
    image[20, 10:70], image[40, 10:15] = 60, 60
    found = found_by(Ridge(), image)
    assert found[20, 10:70].all()
    assert not found[38:43].any()
    assert found_by(Ridge(min_size=1), image)[40, 10:15].any()


def test_scores_rise_with_the_measure() -> None:
    """Scores are r / (r + low), but for what hysteresis lifts or lowers to the threshold."""
    image, _ = scene()
    detector = Ridge(polarity="dark")
    measure, _ = ridges(
        local_contrast(image[..., 0], detector.window, detector.floor), detector.scales, detector.blob
    )
    scores = detector.predict(image)
    plain = measure / (measure + np.float32(detector.low))
    changed = scores != plain
    assert set(scores[changed].tolist()) <= {float(np.float32(127 / 255)), float(np.float32(128 / 255))}
    assert changed.mean() < 0.2
