"""Centre-line Dice and Betti numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from metric_cases import CASES, TURNS, Mask, draw, pairs, without_ignored
from scipy import ndimage
from skimage import measure, morphology

from craqbench.metrics import (
    betti_errors,
    betti_numbers,
    cldice_counts,
    match_f1,
    match_precision,
    match_recall,
)

SOME_CASES = CASES[::5]


def thin(mask: Mask) -> Mask:
    """Thin with scikit-image itself."""
    thinner: Any = morphology.skeletonize
    return np.asarray(thinner(mask, method="lee") > 0) if mask.any() else mask


@pytest.mark.parametrize(("prediction", "truth", "ignore"), SOME_CASES)
def test_cldice_by_its_definition(prediction: Mask, truth: Mask, ignore: Mask | None) -> None:
    """Counts and score follow the formula, with sets of pixels, skeletons taken before cutting."""
    v_p, v_l, s_p, s_l = (
        set(map(tuple, np.argwhere(without_ignored(mask, ignore)).tolist()))
        for mask in (prediction, truth, thin(prediction), thin(truth))
    )
    counts = cldice_counts(prediction, truth, ignore=ignore)
    assert counts.tolist() == [len(s_p & v_l), len(s_p), len(s_l & v_p), len(s_l)]
    if s_p and s_l:
        precision, sensitivity = len(s_p & v_l) / len(s_p), len(s_l & v_p) / len(s_l)
        both = precision + sensitivity
        assert match_f1(counts) == pytest.approx(2 * precision * sensitivity / both if both else 0)


def test_width_does_not_matter() -> None:
    """A crack drawn too wide has clDice 1, though its F1 is poor."""
    truth = np.zeros((40, 80), np.bool_)
    truth[20, 5:75] = True
    wide = ndimage.binary_dilation(truth, np.ones((5, 1), np.bool_))
    assert match_f1(cldice_counts(np.asarray(wide), truth)) == 1


def test_a_gap_costs_its_length() -> None:
    """Of a crack with a tenth of its length missing, nine tenths are found, and nothing is false."""
    truth = np.zeros((9, 100), np.bool_)
    truth[4] = True
    broken = truth.copy()
    broken[4, 40:50] = False
    counts = cldice_counts(broken, truth)
    assert match_precision(counts) == 1
    assert match_recall(counts) == pytest.approx(0.9)


def test_skeletons_are_taken_before_cutting() -> None:
    """An ignored half of a wide bar does not move the centre line of the other half."""
    bar = np.zeros((12, 60), np.bool_)
    bar[2:11, 5:55] = True
    ignore = np.zeros_like(bar)
    ignore[7:] = True
    line = np.zeros_like(bar)
    line[6, 15:45] = True
    assert match_precision(cldice_counts(bar, line, ignore=ignore)) > 0.6
    cut_first = cldice_counts(bar & ~ignore, line)
    assert match_precision(cut_first) == 0


@settings(derandomize=True, max_examples=40, deadline=None)
@given(pairs())
def test_cldice_laws(pair: tuple[Mask, Mask]) -> None:
    """Identity scores 1; the score is symmetric; precision is the sensitivity of the exchanged pair."""
    counts, exchanged = cldice_counts(*pair), cldice_counts(*pair[::-1])
    np.testing.assert_array_equal(counts, exchanged[[2, 3, 0, 1]])
    assert match_f1(counts) == match_f1(exchanged)
    assert match_f1(cldice_counts(pair[0], pair[0])) == 1


@pytest.mark.parametrize("turn", TURNS)
def test_cldice_of_turned_pictures(turn: str) -> None:
    """Thinning visits sides in an order, so a turned pair scores the same only to a few per cent."""
    first, second = draw("lines", (64, 200), 3), draw("lines", (64, 200), 9)
    both = first | second
    turned = cldice_counts(TURNS[turn](first), TURNS[turn](both))
    assert match_f1(turned) == pytest.approx(float(match_f1(cldice_counts(first, both))), abs=0.03)


def parts_and_holes(mask: Mask) -> tuple[int, int]:
    """Count parts and holes with SciPy."""
    parts = ndimage.label(mask, np.ones((3, 3)))[1]
    return int(parts), int(ndimage.label(np.pad(~mask, 1, constant_values=True))[1]) - 1


@pytest.mark.parametrize(("prediction", "truth", "ignore"), SOME_CASES)
def test_betti_errors_agree_with_scipy(prediction: Mask, truth: Mask, ignore: Mask | None) -> None:
    """Errors are differences of SciPy's counts, after cutting."""
    p, t = (parts_and_holes(without_ignored(mask, ignore)) for mask in (prediction, truth))
    assert betti_errors(prediction, truth, ignore=ignore) == (abs(p[0] - t[0]), abs(p[1] - t[1]))


@settings(derandomize=True, max_examples=60, deadline=None)
@given(pairs())
def test_betti_laws(pair: tuple[Mask, Mask]) -> None:
    """beta0 - beta1 is the Euler number; errors are symmetric, 0 for equal masks, the same when turned."""
    euler_number: Any = measure.euler_number
    for mask in pair:
        numbers = betti_numbers(mask)
        assert numbers.beta0 - numbers.beta1 == euler_number(mask, connectivity=2)
        assert all(betti_numbers(turn(mask)) == numbers for turn in TURNS.values())
        assert betti_errors(mask, mask) == (0, 0)
    assert betti_errors(*pair) == betti_errors(*pair[::-1])


def test_known_shapes() -> None:
    """A figure of eight has two holes, a diagonal line is one part, an island at the frame is no hole."""
    eight = np.ones((3, 5), np.bool_)
    eight[1, [1, 3]] = False
    assert betti_numbers(eight) == (1, 2)
    assert betti_numbers(np.eye(6, dtype=np.bool_)) == (1, 0)
    corner = np.zeros((5, 5), np.bool_)
    corner[[0, 1, 2, 2, 2], [2, 2, 2, 1, 0]] = True
    assert betti_numbers(corner) == (1, 0)
    assert betti_numbers(np.zeros((0, 3), np.bool_)) == (0, 0)


def test_faults() -> None:
    """Masks of a wrong type or shape are refused."""
    mask = np.ones((3, 4), bool)
    for metric in (cldice_counts, betti_errors):
        with pytest.raises(ValueError, match=r"annotation's shape \(4, 3\)"):
            metric(mask, mask.T)
        with pytest.raises(ValueError, match="type bool"):
            metric(mask, mask.astype(float))
    with pytest.raises(ValueError, match=r"mask of shape \(H, W\) and type bool. Got \(4,\)"):
        betti_numbers(mask[0])
