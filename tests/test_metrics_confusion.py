"""Confusion matrices and the scores that paper C takes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from metric_cases import CASES, TURNS, Mask, pairs

from craqbench.metrics import (
    accuracy,
    class_counts,
    confusion_matrix,
    f1,
    harmonic_mean,
    iou,
    macro_scores,
    match_f1,
    matthews,
    mean_iou,
    precision,
    recall,
)

Labels = npt.NDArray[np.int64]

sklearn: Any = pytest.importorskip("sklearn.metrics")


def label_image(seed: int, shares: tuple[float, ...], shape: tuple[int, int] = (31, 47)) -> Labels:
    """Draw labels with given shares of the classes."""
    return np.random.default_rng(seed).choice(len(shares), shape, p=shares)


LABELS = [
    (label_image(0, (0.9, 0.08, 0.02)), label_image(1, (0.9, 0.08, 0.02))),
    (label_image(2, (0.4, 0.3, 0.3)), label_image(2, (0.4, 0.3, 0.3))),
    (label_image(3, (1, 0, 0)), label_image(4, (0.5, 0.5, 0))),
    (label_image(5, (0, 0, 1)), label_image(6, (0, 1, 0))),
    (label_image(7, (0.2, 0.2, 0.6), (1, 1)), label_image(8, (0.2, 0.2, 0.6), (1, 1))),
]


@pytest.mark.parametrize(("prediction", "truth", "ignore"), CASES)
def test_matrix_of_masks(prediction: Mask, truth: Mask, ignore: Mask | None) -> None:
    """The matrix of two masks counts what NumPy counts, and nothing that is ignored."""
    keep = np.ones_like(truth) if ignore is None else ~ignore
    expected = [[(keep & (truth == t) & (prediction == p)).sum() for p in (0, 1)] for t in (0, 1)]
    np.testing.assert_array_equal(confusion_matrix(prediction, truth, ignore=ignore), expected)


@pytest.mark.parametrize(("prediction", "truth"), LABELS)
def test_three_classes_agree_with_scikit_learn(prediction: Labels, truth: Labels) -> None:
    """Matrix and per-class scores are scikit-learn's, but that a class nobody has scores 1."""
    matrix = confusion_matrix(prediction, truth, classes=3)
    flat = {"y_true": truth.ravel(), "y_pred": prediction.ravel()}
    np.testing.assert_array_equal(matrix, sklearn.confusion_matrix(**flat, labels=[0, 1, 2]))
    absent = matrix.sum(axis=0) + matrix.sum(axis=1) == 0
    theirs = {"labels": [0, 1, 2], "average": None, "zero_division": 0}
    for ours, score in (
        (precision, sklearn.precision_score),
        (recall, sklearn.recall_score),
        (f1, sklearn.f1_score),
        (iou, sklearn.jaccard_score),
    ):
        np.testing.assert_allclose(ours(matrix), np.where(absent, 1, score(**flat, **theirs)), atol=1e-12)
    assert accuracy(matrix) == pytest.approx(sklearn.accuracy_score(**flat))


@pytest.mark.parametrize(("prediction", "truth"), LABELS[:4])
@pytest.mark.parametrize("classes", [2, 3])
def test_matthews_agrees_with_scikit_learn(prediction: Labels, truth: Labels, classes: int) -> None:
    """The correlation coefficient is scikit-learn's; 0 where it is undefined and labels are wrong."""
    first, second = np.minimum(prediction, classes - 1), np.minimum(truth, classes - 1)
    matrix = confusion_matrix(first, second, classes=classes)
    right = np.trace(matrix) == matrix.sum()
    expected = 1 if right else sklearn.matthews_corrcoef(second.ravel(), first.ravel())
    assert matthews(matrix) == pytest.approx(expected, abs=1e-12)


def test_mean_iou_of_paper_c() -> None:
    """Classes with IoU 0.98, 0.71 and 0.94 (paper C, table 2) have MIoU 0.8767."""
    matrix = np.array([[2940, 28, 2], [28, 142, 1], [2, 1, 94]])
    matrix[1, 1] = 142
    np.testing.assert_allclose(iou(matrix), [0.98, 0.71, 0.94], atol=1e-12)
    assert round(float(mean_iou(matrix)), 4) == 0.8767
    assert macro_scores(matrix).mean_iou == mean_iou(matrix)


def test_f1_of_paper_c() -> None:
    """Precision 93.18 and recall 93.67 have F1 93.42, and IoU 0.71 is F1 0.83."""
    assert round(float(harmonic_mean(93.18, 93.67)), 2) == 93.42
    matrix = np.array([[900, 10], [19, 71]])
    assert iou(matrix)[1] == pytest.approx(0.71)
    assert round(float(f1(matrix)[1]), 2) == 0.83


def test_macro_f1_is_of_the_averages() -> None:
    """As in paper C, macro F1 is the harmonic mean of mean precision and mean recall."""
    matrix = confusion_matrix(*LABELS[0], classes=3)
    macro = macro_scores(matrix)
    assert macro.precision == pytest.approx(precision(matrix).mean())
    assert macro.f1 == pytest.approx(2 * macro.precision * macro.recall / (macro.precision + macro.recall))
    assert macro.f1 != pytest.approx(f1(matrix).mean(), abs=1e-4)


def test_a_set_has_one_matrix() -> None:
    """The score of summed matrices is that of all pixels together, not the mean of the images' scores."""
    images = [(label_image(n, (0.9, 0.1)), label_image(n + 9, (1 - n / 10, n / 10))) for n in range(3)]
    summed = sum(confusion_matrix(p, t) for p, t in images)
    together = confusion_matrix(*(np.vstack(side) for side in zip(*images, strict=True)))
    np.testing.assert_array_equal(summed, together)
    per_image = np.mean([mean_iou(confusion_matrix(p, t)) for p, t in images])
    assert mean_iou(together) != pytest.approx(per_image, abs=1e-3)


def test_empty_masks() -> None:
    """Both empty score 1, one empty 0; everything ignored is both empty."""
    nothing, crack = np.zeros((4, 5), bool), np.eye(4, 5, dtype=bool)
    for score in (precision, recall, f1, iou):
        assert score(confusion_matrix(nothing, nothing))[1] == 1
        assert score(confusion_matrix(nothing, crack))[1] == 0
        assert score(confusion_matrix(crack, nothing))[1] == 0
    ignored = confusion_matrix(crack, nothing, ignore=np.ones((4, 5), bool))
    assert all(score(ignored) == 1 for score in (accuracy, mean_iou, matthews))


def test_void_labels_may_be_anything() -> None:
    """Labels in the ignored region are not looked at, and do not count."""
    truth, prediction = np.array([[0, 1, 255, 7]], np.uint8), np.array([[0, 0, 1, 9]], np.uint8)
    matrix = confusion_matrix(prediction, truth, ignore=truth > 1)
    np.testing.assert_array_equal(matrix, [[1, 0], [1, 0]])


def test_leading_axes() -> None:
    """Scores of a stack of matrices are the stacked scores of each."""
    stack = np.random.default_rng(0).integers(0, 99, (2, 5, 3, 3))
    stack[0, 0] = 0
    for score in (precision, recall, f1, iou, accuracy, mean_iou, matthews, *_macro_parts()):
        for place in np.ndindex(2, 5):
            np.testing.assert_allclose(score(stack)[place], score(stack[place]))


def _macro_parts() -> list[Any]:
    return [lambda m, part=part: macro_scores(m)[part] for part in range(5)]


@settings(derandomize=True, max_examples=60, deadline=None)
@given(pairs())
def test_laws(pair: tuple[Mask, Mask]) -> None:
    """Identity scores 1; overlap is symmetric; precision is the recall of the exchanged pair."""
    matrix, exchanged = confusion_matrix(*pair), confusion_matrix(*pair[::-1])
    np.testing.assert_array_equal(matrix, exchanged.T)
    for score in (f1, iou, mean_iou, accuracy, matthews):
        np.testing.assert_allclose(score(matrix), score(exchanged))
        np.testing.assert_allclose(score(confusion_matrix(pair[0], pair[0])), 1)
    np.testing.assert_allclose(precision(matrix), recall(exchanged))
    np.testing.assert_allclose(match_f1(class_counts(matrix)), f1(matrix))


@pytest.mark.parametrize("turn", TURNS)
def test_turned_pictures(turn: str) -> None:
    """A flipped or turned pair has the same matrix."""
    first, second = (p > 0 for p in LABELS[0])
    np.testing.assert_array_equal(
        confusion_matrix(TURNS[turn](first), TURNS[turn](second)), confusion_matrix(first, second)
    )


def test_faults() -> None:
    """Wrong shapes, types and labels are named."""
    mask = np.zeros((3, 4), bool)
    with pytest.raises(ValueError, match=r"Got \(3, 4\) and \(4, 3\)"):
        confusion_matrix(mask, mask.T)
    with pytest.raises(ValueError, match=r"one shape \(H, W\)"):
        confusion_matrix(mask[0], mask[0])
    with pytest.raises(ValueError, match=r"prediction of bool or integer type. Got float64"):
        confusion_matrix(mask.astype(float), mask)
    with pytest.raises(ValueError, match=r"labels 0 to 1 in truth. Got 255"):
        confusion_matrix(mask, mask.astype(np.uint8) + np.uint8(255))
    with pytest.raises(ValueError, match=r"labels 0 to 2 in prediction. Got -1"):
        confusion_matrix(mask.astype(int) - 1, mask, classes=3)
    with pytest.raises(ValueError, match="ignore of the annotation's shape"):
        confusion_matrix(mask, mask, ignore=mask.T)
    with pytest.raises(ValueError, match=r"ignore of shape .* type bool"):
        confusion_matrix(mask, mask, ignore=mask.astype(np.uint8))
