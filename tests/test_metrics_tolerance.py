"""F1 within some pixels, against distance transforms."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_cases import CASES, TURNS, Mask, draw, pairs, without_ignored
from scipy import ndimage

from craqbench.metrics import (
    TAUS,
    class_counts,
    confusion_matrix,
    match_f1,
    match_precision,
    match_recall,
    tolerance_counts,
)
from craqbench.metrics.tolerance import LARGE_TAU, disk, grow

MANY_TAUS = (0.0, 0.9, 1.0, math.sqrt(2), 2.0, math.sqrt(5), 3.0, math.sqrt(13), 4.0, 7.5, LARGE_TAU, 20.5)


def near(mask: Mask, tau: float) -> Mask:
    """Return where a pixel of a mask is within tau px, by a distance transform."""
    if not mask.any():
        return mask
    return np.asarray(ndimage.distance_transform_edt(~mask) <= tau)


def reference(prediction: Mask, truth: Mask, ignore: Mask | None, tau: float) -> list[int]:
    """Count matches with a pair of distance transforms."""
    p, t = without_ignored(prediction, ignore), without_ignored(truth, ignore)
    return [int(x.sum()) for x in (p & near(t, tau), p, t & near(p, tau), t)]


@pytest.mark.parametrize(("prediction", "truth", "ignore"), CASES)
def test_counts_are_those_of_distance_transforms(prediction: Mask, truth: Mask, ignore: Mask | None) -> None:
    """For small and large tolerances, ties included, counts equal those of exact distance transforms."""
    expected = [reference(prediction, truth, ignore, tau) for tau in MANY_TAUS]
    counts = tolerance_counts(prediction, truth, taus=MANY_TAUS, ignore=ignore)
    np.testing.assert_array_equal(counts, expected)


def test_brute_force() -> None:
    """Counts equal those of all distances between all pairs of pixels."""
    prediction, truth = draw("sparse", (30, 41), 1), draw("lines", (30, 41), 2)
    a, b = np.argwhere(prediction), np.argwhere(truth)
    distances = np.sqrt(((a[:, None] - b) ** 2).sum(axis=2))
    for tau in MANY_TAUS:
        within = distances <= tau
        expected = [within.any(axis=1).sum(), len(a), within.any(axis=0).sum(), len(b)]
        np.testing.assert_array_equal(tolerance_counts(prediction, truth, taus=(tau,))[0], expected)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.integers(0, 500), st.sampled_from([-1, 0, 1]))
def test_ties(square: int, step: int) -> None:
    """Tolerances at, and one float beside, the square root of a whole number cut where the transform cuts."""
    tau = math.sqrt(square)
    tau = max(0.0, math.nextafter(tau, step * math.inf)) if step else tau
    mask = np.zeros((51, 51), np.bool_)
    mask[25, 25] = True
    np.testing.assert_array_equal(grow(mask, tau), near(mask, tau))


@settings(derandomize=True, max_examples=80, deadline=None)
@given(pairs())
def test_laws(pair: tuple[Mask, Mask]) -> None:
    """Identity scores 1; F1 is symmetric; scores rise with tau; tau 0 is the plain F1."""
    counts, exchanged = tolerance_counts(*pair, taus=MANY_TAUS), tolerance_counts(*pair[::-1], taus=MANY_TAUS)
    np.testing.assert_array_equal(match_precision(counts), match_recall(exchanged))
    np.testing.assert_allclose(match_f1(counts), match_f1(exchanged))
    for score in (match_precision, match_recall, match_f1):
        assert (np.diff(score(counts)) >= -1e-12).all()
    assert (match_f1(tolerance_counts(pair[0], pair[0])) == 1).all()
    np.testing.assert_array_equal(counts[0], class_counts(confusion_matrix(*pair))[1])


@pytest.mark.parametrize("turn", TURNS)
def test_turned_pictures(turn: str) -> None:
    """A flipped or turned pair has the same counts."""
    first, second, ignore = (draw(kind, (40, 61), n) for n, kind in enumerate(("lines", "lines", "sparse")))
    turned = tolerance_counts(TURNS[turn](first), TURNS[turn](second), ignore=TURNS[turn](ignore))
    np.testing.assert_array_equal(turned, tolerance_counts(first, second, ignore=ignore))


def test_a_line_beside_the_annotation() -> None:
    """A line one pixel off is missed by F1@0 and found by F1@1."""
    truth = np.zeros((9, 30), np.bool_)
    truth[4] = True
    counts = tolerance_counts(np.roll(truth, 1, axis=0), truth)
    np.testing.assert_array_equal(match_f1(counts), [0, 1, 1, 1])
    assert counts.shape == (len(TAUS), 4)


def test_ignored_pixels_match_nothing() -> None:
    """What is predicted in an ignored region neither counts nor finds a crack beside it."""
    truth, prediction = np.zeros((1, 6), np.bool_), np.zeros((1, 6), np.bool_)
    truth[0, 2] = prediction[0, 3] = True
    np.testing.assert_array_equal(
        tolerance_counts(prediction, truth, taus=(1,), ignore=prediction), [[0, 0, 0, 1]]
    )


def test_empty_masks() -> None:
    """Both empty score 1, one empty 0, at any tolerance."""
    nothing, crack = np.zeros((4, 5), bool), np.eye(4, 5, dtype=bool)
    for score in (match_precision, match_recall, match_f1):
        assert (score(tolerance_counts(nothing, nothing)) == 1).all()
        assert (score(tolerance_counts(nothing, crack)) == 0).all()
        assert (score(tolerance_counts(crack, nothing)) == 0).all()
        assert (score(tolerance_counts(crack, crack, ignore=crack | True)) == 1).all()


def test_counts_add_up() -> None:
    """Counts of two pictures are those of one picture with both far apart."""
    far: npt.NDArray[np.bool_] = np.zeros((20, 40), np.bool_)
    images = [(draw("lines", (20, 30), n), draw("lines", (20, 30), n + 5)) for n in range(2)]
    together = [np.hstack([first, far, second]) for first, second in zip(*images, strict=True)]
    np.testing.assert_array_equal(
        sum(tolerance_counts(*image) for image in images), tolerance_counts(together[0], together[1])
    )


def test_no_picture_and_no_tolerance() -> None:
    """A picture of no pixels has counts of 0, and no tolerance no row."""
    nothing = np.zeros((0, 7), np.bool_)
    assert not tolerance_counts(nothing, nothing).any()
    assert tolerance_counts(nothing, nothing, taus=()).shape == (0, 4)


def test_faults() -> None:
    """Masks of a wrong type or shape and impossible tolerances are refused."""
    mask = np.ones((3, 4), bool)
    with pytest.raises(ValueError, match=r"prediction of shape .* type bool. Got .* uint8"):
        tolerance_counts(mask.astype(np.uint8), mask)
    with pytest.raises(ValueError, match=r"annotation's shape \(4, 3\). Got \(3, 4\)"):
        tolerance_counts(mask, mask.T)
    with pytest.raises(ValueError, match="ignore of the annotation's shape"):
        tolerance_counts(mask, mask, ignore=mask.T)
    for tau in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"at least 0 px. Got"):
            tolerance_counts(mask, mask, taus=(tau,))
    assert disk(2.0).sum() == 13
