"""Precision-recall curves, average precision, ODS and OIS."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from metric_cases import CASES, Mask, draw

from craqbench.metrics import (
    LEVELS,
    average_precision,
    level_counts,
    match_f1,
    optimal_dataset_scale,
    optimal_image_scale,
    precision_recall,
    tolerance_counts,
)

sklearn: Any = pytest.importorskip("sklearn.metrics")

Scores = npt.NDArray[np.float32]


def scored(seed: int, shape: tuple[int, int] = (40, 60)) -> tuple[Scores, Mask]:
    """Draw scores that have something to do with the annotation."""
    truth = draw("lines", shape, seed)
    noise = np.random.default_rng(seed).normal(0, 0.3, shape)
    return np.clip(0.5 * truth + noise, 0, 1).astype(np.float32), truth


@pytest.mark.parametrize(("prediction", "truth", "ignore"), CASES[::7])
@pytest.mark.parametrize("tau", [0, 2, 3.5])
def test_counts_are_those_of_each_threshold(
    prediction: Mask, truth: Mask, ignore: Mask | None, tau: float
) -> None:
    """The counts of all levels are the counts of the mask at each level, ignored pixels left out."""
    scores = np.random.default_rng(0).random(truth.shape) * np.where(prediction, 1, 0.5)
    counts = level_counts(scores, truth, tau=tau, ignore=ignore)
    for level in (0, 1, 2, 60, 127, 128, 200, 254, 255):
        mask = np.rint(scores * 255) >= level
        expected = tolerance_counts(mask, truth, taus=(tau,), ignore=ignore)[0]
        np.testing.assert_array_equal(counts[level], expected)


@pytest.mark.parametrize("seed", range(4))
def test_curve_agrees_with_scikit_learn(seed: int) -> None:
    """Of scores rounded to 255ths, curve and average precision are scikit-learn's."""
    scores, truth = scored(seed)
    counts = level_counts(scores, truth)
    rounded = np.rint(scores.ravel() * 255)
    assert average_precision(counts) == pytest.approx(sklearn.average_precision_score(truth.ravel(), rounded))
    curve = precision_recall(counts)
    precision, recall, thresholds = sklearn.precision_recall_curve(truth.ravel(), rounded)
    shown = np.isin(np.rint(curve.thresholds * 255), thresholds)
    np.testing.assert_allclose(curve.precision[shown], precision[-2::-1])
    np.testing.assert_allclose(curve.recall[shown], recall[-2::-1])


def test_best_thresholds_by_search() -> None:
    """ODS is the best F1 over one threshold for all, OIS that of the best threshold for each, pooled."""
    images = [scored(seed) for seed in range(3)]
    counts = np.stack([level_counts(*image, tau=2) for image in images])
    tables = [
        [tolerance_counts(np.rint(s * 255) >= k, t, taus=(2,))[0] for k in range(1, LEVELS)]
        for s, t in images
    ]
    together = [float(match_f1(np.sum(row, axis=0))) for row in zip(*tables, strict=True)]
    best = optimal_dataset_scale(counts.sum(axis=0))
    assert best.f1 == pytest.approx(max(together))
    assert together[round(best.threshold * 255) - 1] == pytest.approx(best.f1)
    chosen = [table[int(np.argmax([match_f1(row) for row in table]))] for table in tables]
    assert optimal_image_scale(counts) == pytest.approx(float(match_f1(np.sum(chosen, axis=0))), abs=2e-3)
    assert optimal_image_scale(counts) >= best.f1
    assert optimal_image_scale(counts[:1]) == optimal_dataset_scale(counts[0]).f1


def test_perfect_scores() -> None:
    """Scores that are the annotation have AP, ODS and OIS 1, at the highest threshold."""
    _, truth = scored(1)
    counts = level_counts(truth.astype(np.float64), truth)
    assert average_precision(counts) == 1
    assert optimal_dataset_scale(counts) == (1, 1)
    assert optimal_image_scale(counts[None]) == 1


def test_a_method_that_says_nothing() -> None:
    """Scores of 0 have ODS and OIS 0, and the annotated share as AP; the curve is the one point."""
    _, truth = scored(2)
    counts = level_counts(np.zeros(truth.shape), truth)
    assert optimal_dataset_scale(counts).f1 == 0
    assert optimal_image_scale(counts[None]) == 0
    assert average_precision(counts) == pytest.approx(truth.mean())
    assert precision_recall(counts).recall.tolist() == [1]


def test_no_annotated_crack() -> None:
    """Without cracks AP is undefined; ODS is 1 only if some threshold is silent."""
    nothing = np.zeros((5, 6), np.bool_)
    counts = level_counts(np.full((5, 6), 0.5), nothing)
    assert np.isnan(average_precision(counts))
    assert optimal_dataset_scale(counts) == (1, 1)
    assert optimal_dataset_scale(level_counts(np.ones((5, 6)), nothing)).f1 == 0
    ignored = level_counts(np.ones((5, 6)), ~nothing, ignore=~nothing)
    assert not ignored.any()


def test_bytes_and_floats() -> None:
    """Scores as bytes are scores as 255ths, for every level and float type."""
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    truth = draw("half", (16, 16), 0)
    kinds: tuple[type[np.floating], ...] = (np.float16, np.float32, np.float64)
    for kind in kinds:
        scores = (levels / 255).astype(kind)
        np.testing.assert_array_equal(level_counts(scores, truth), level_counts(levels, truth))


def test_leading_axes() -> None:
    """Average precision of stacked counts is that of each."""
    counts = np.stack([level_counts(*scored(seed)) for seed in range(3)])
    np.testing.assert_allclose(average_precision(counts), [average_precision(c) for c in counts])


def test_turned_pictures() -> None:
    """Turned scores and masks have the same counts."""
    scores, truth = scored(3)
    expected = level_counts(scores, truth, tau=2)
    for turned in (np.fliplr, np.flipud, np.rot90, np.transpose):
        np.testing.assert_array_equal(level_counts(turned(scores), turned(truth), tau=2), expected)


def test_faults() -> None:
    """Scores that are no scores are refused, with what they are."""
    truth = np.zeros((3, 4), np.bool_)
    with pytest.raises(ValueError, match=r"in \[0, 1\]. Got -0.5 to 0.0"):
        level_counts(np.where(np.eye(3, 4), -0.5, 0), truth)
    with pytest.raises(ValueError, match=r"in \[0, 1\]. Got nan to nan"):
        level_counts(np.full((3, 4), np.nan), truth)
    with pytest.raises(ValueError, match=r"float type in \[0, 1\], or uint8. Got int64"):
        level_counts(np.zeros((3, 4), np.int64), truth)
    with pytest.raises(ValueError, match=r"annotation's shape \(3, 4\). Got \(4, 3\)"):
        level_counts(np.zeros((4, 3)), truth)
