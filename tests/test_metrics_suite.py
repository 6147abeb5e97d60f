"""All figures in one go, the package's front, timings, and examples in docstrings."""

from __future__ import annotations

import doctest
import math
import pkgutil
from importlib import import_module

import numpy as np
import pytest
from metric_cases import CASES, Mask, draw

from craqbench import metrics
from craqbench.metrics import (
    POLICIES,
    DetectionCounts,
    Timing,
    betti_errors,
    cldice_counts,
    confusion_matrix,
    detection_counts,
    detection_scores,
    f1,
    level_counts,
    match_f1,
    matthews,
    mean_iou,
    tolerance_counts,
)

MODULES = [
    import_module(f"craqbench.metrics.{found.name}") for found in pkgutil.iter_modules(metrics.__path__)
]


@pytest.mark.parametrize(("prediction", "truth", "ignore"), CASES[::9])
def test_suite_is_its_parts(prediction: Mask, truth: Mask, ignore: Mask | None) -> None:
    """Counts and figures of the suite are those of each metric by itself."""
    scores = 0.5 * prediction + 0.2
    counts = detection_counts(prediction, truth, ignore=ignore, scores=scores)
    figures = detection_scores(counts)
    matrix = confusion_matrix(prediction, truth, ignore=ignore)
    tolerant = match_f1(tolerance_counts(prediction, truth, ignore=ignore))
    np.testing.assert_array_equal(counts.levels[1], level_counts(scores, truth, tau=2, ignore=ignore))
    assert [figures[f"f1@{tau}"] for tau in (0, 1, 2, 4)] == tolerant.tolist()
    assert figures["f1"] == f1(matrix)[1] == pytest.approx(figures["f1@0"])
    assert figures["mean_iou"] == mean_iou(matrix)
    assert figures["mcc"] == matthews(matrix)
    assert figures["cldice"] == match_f1(cldice_counts(prediction, truth, ignore=ignore))
    errors = betti_errors(prediction, truth, ignore=ignore)
    assert (figures["beta0_error"], figures["beta1_error"]) == errors


def test_figures_are_within_their_ranges() -> None:
    """All figures but the beta errors lie in [0, 1], the correlation in [-1, 1]."""
    rng = np.random.default_rng(0)
    counts = detection_counts(
        rng.random((40, 40)) < 0.3, draw("lines", (40, 40), 1), scores=rng.random((40, 40))
    )
    figures = detection_scores(counts)
    assert len(figures) == 32
    for name, value in figures.items():
        assert type(value) is float, name
        assert "beta" in name or (-1 if name == "mcc" else 0) <= value <= 1, name


def test_counts_add_up() -> None:
    """Figures of a set are those of the added counts, beta errors their mean over images."""
    images = [(draw("lines", (40, 60), n), draw("lines", (40, 60), n + 3)) for n in range(3)]
    counts = [detection_counts(*image) for image in images]
    summed: DetectionCounts = counts[0] + counts[1] + counts[2]
    figures = detection_scores(summed)
    assert figures["f1@2"] == match_f1(np.sum([tolerance_counts(*i)[2] for i in images], axis=0))
    assert figures["beta0_error"] == pytest.approx(np.mean([betti_errors(*i).beta0 for i in images]))
    assert "ap" not in figures


def test_three_classes() -> None:
    """Of three classes, the crack class is scored as a structure, and all of them in MIoU."""
    rng = np.random.default_rng(0)
    truth, prediction = rng.integers(0, 3, (2, 30, 40))
    figures = detection_scores(detection_counts(prediction, truth, classes=3))
    assert figures["f1@2"] == match_f1(tolerance_counts(prediction == 1, truth == 1))[2]
    assert figures["mean_iou"] == mean_iou(confusion_matrix(prediction, truth, classes=3))
    assert figures["iou"] != figures["mean_iou"]


def test_policies_are_words() -> None:
    """Policies are text for a result file, and name the skeletoniser's version."""
    assert all(text.strip() for text in POLICIES.values())
    assert "scikit-image" in POLICIES["skeletoniser"]


def test_public_surface() -> None:
    """The package's names are those that it imports, and each has a docstring or is a constant."""
    public = {name for name in vars(metrics) if not name.startswith("_")}
    modules = {module.__name__.rpartition(".")[2] for module in MODULES}
    assert public - modules == set(metrics.__all__)
    assert not modules & set(metrics.__all__)
    for name in metrics.__all__:
        thing = getattr(metrics, name)
        assert not callable(thing) or name == "Score" or thing.__doc__, name


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_examples_in_docstrings(module: object) -> None:
    """Examples print what they say."""
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]  # a module, by construction


def test_timings() -> None:
    """Timings add up; paper C's FPS and seconds per megapixel are ratios of the sums."""
    total = sum([Timing(0.5, 1_000_000, 1), Timing(1.5, 3_000_000, 1)], Timing())
    assert total == Timing(2.0, 4_000_000, 2)
    assert (total.frames_per_second, total.seconds_per_megapixel) == (1, 0.5)
    assert math.isnan(Timing().frames_per_second)
    assert math.isnan(Timing().seconds_per_megapixel)
