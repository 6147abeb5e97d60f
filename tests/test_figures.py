"""Figures of counts: the names and values of the metrics, for one sum or for thousands of resamples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craqbench.figures import BOOTSTRAP, ENOUGH, bootstrap_rng, figures, interval_figures
from craqbench.metrics import (
    RESAMPLES,
    DetectionCounts,
    detection_counts,
    detection_scores,
    match_f1,
    optimal_image_scale,
    percentile_interval,
    resampling_weights,
)

TWO, THREE = ("background", "craquelure"), ("background", "craquelure", "paint loss")
Array = npt.NDArray[np.int64]


def drawn(seed: int, classes: int = 2) -> DetectionCounts:
    """Count a random prediction of a random annotation."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, (20, 30)).astype(np.uint8)
    scores = rng.random((20, 30)).astype(np.float32)
    prediction = np.where(scores > 0.5, truth, rng.integers(0, classes, truth.shape)).astype(np.uint8)
    return detection_counts(prediction, truth, classes=classes, scores=scores)


def tables(counts: list[DetectionCounts]) -> dict[str, Array]:
    """Return counts by kind, a row for each painting."""
    return {
        "tolerance": np.stack([c.tolerance for c in counts]),
        "pixels": np.stack([c.confusion for c in counts]),
        "lines": np.stack([c.cldice for c in counts]),
        "betti": np.stack([c.betti for c in counts]),
        "levels": np.stack([c.levels for c in counts]),
    }


@pytest.mark.parametrize("classes", [TWO, THREE])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, derandomize=True, deadline=None)
def test_names_and_values_are_those_of_the_metrics(classes: tuple[str, ...], seed: int) -> None:
    """Every figure of `detection_scores` is there under its name with its value."""
    counts = drawn(seed, len(classes))
    found = {k: v for kind, t in tables([counts]).items() for k, v in figures(kind, t[0], classes).items()}
    expected = {k: v for k, v in detection_scores(counts).items() if k != "ods_threshold@2"}
    assert {name: float(found[name]) for name in expected} == pytest.approx(expected, nan_ok=True)
    extra = {f"{name}:paint loss" for name in ("f1", "iou", "precision", "recall")}
    assert set(found) - set(expected) == (extra if classes == THREE else set())


def test_leading_axes_are_kept() -> None:
    """Many sums at once give what they give one by one."""
    found = [drawn(seed) for seed in range(6)]
    for kind, table in tables(found).items():
        together = figures(kind, table.reshape(2, 3, *table.shape[1:]), TWO)
        for name, values in together.items():
            alone = [float(figures(kind, row, TWO)[name]) for row in table]
            assert values.ravel().tolist() == pytest.approx(alone, nan_ok=True)


def test_intervals_are_those_of_the_bootstrap() -> None:
    """An interval is that of `percentile_interval` on the same resamples, all figures on the same draws."""
    found = tables([drawn(seed) for seed in range(7)])
    intervals = interval_figures(found, TWO)
    weights = resampling_weights(7, rng=bootstrap_rng())
    expected = percentile_interval(found["tolerance"][:, 2], match_f1, weights=weights)
    assert intervals["f1@2"] == expected
    few = percentile_interval(
        found["levels"][:, 0, 1:], lambda c: match_f1(c).max(axis=-1), weights=weights[: ENOUGH["levels"]]
    )
    assert intervals["ods"].low == pytest.approx(few.low)
    assert intervals["ods"].high == pytest.approx(few.high)
    assert f"{RESAMPLES:,}" in BOOTSTRAP


def test_resamples_come_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn in many small pieces, the resamples are the same."""
    found = tables([drawn(seed) for seed in range(5)])
    whole = interval_figures(found, TWO, resamples=300)
    monkeypatch.setattr("craqbench.figures._FEW_WEIGHTS", 35)
    assert interval_figures(found, TWO, resamples=300) == whole


def test_what_is_not_defined_is_nan() -> None:
    """Average precision without annotated cracks, and an interval of one painting, are NaN."""
    empty = detection_counts(
        np.zeros((5, 5), np.bool_), np.zeros((5, 5), np.bool_), scores=np.zeros((5, 5), np.float32)
    )
    found = interval_figures(tables([empty, empty]), TWO, resamples=10)
    assert np.isnan(found["ap"].value)
    assert np.isnan(found["ap"].low)
    assert found["f1"] == (found["f1"].__class__)(1, 1, 1)
    alone = interval_figures(tables([drawn(0)]), TWO, resamples=10)
    assert np.isnan(alone["f1"].low)
    assert not np.isnan(alone["f1"].value)


def test_best_levels() -> None:
    """OIS of counts at each image's best level is that of the metrics."""
    levels = [drawn(seed).levels for seed in range(5)]
    best = [[one[row][255 - match_f1(one[row][:0:-1]).argmax()] for row in range(2)] for one in levels]
    found = figures("best", np.sum(best, axis=0), TWO)
    for row, name in enumerate(("ois", "ois@2")):
        assert float(found[name]) == pytest.approx(
            optimal_image_scale(np.stack([one[row] for one in levels]))
        )


def test_false_alarms() -> None:
    """Components per million px and share of px; nothing scored is not defined."""
    found = figures("alarms", np.array([[3, 20, 1000], [0, 0, 0]]), TWO)
    assert found["false_alarms_per_megapixel"][0] == pytest.approx(3000)
    assert found["false_share"][0] == pytest.approx(0.02)
    assert np.isnan(found["false_share"][1])
