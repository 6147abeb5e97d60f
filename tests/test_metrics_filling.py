"""Figures of fillings: against scikit-image and loops, by crack width, and what adds up."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays
from metric_cases import draw
from skimage.metrics import peak_signal_noise_ratio
from tiny import smooth_picture

from craqbench.figures import LOWER_IS_BETTER, figures
from craqbench.metrics import REGIONS, entropy, region_of, restoration_scores
from craqbench.metrics.filling import (
    ERRORS,
    HIGHEST_PSNR,
    MEANS,
    error_figures,
    filling_counts,
    mean_figures,
)
from craqbench.metrics.widths import EDGES, local_widths, of_widths

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


def case(seed: int, shape: tuple[int, int] = (60, 80)) -> tuple[Image, Image, Image, Mask]:
    """Return a filling, the undamaged and the damaged picture, and the mask."""
    rng = np.random.default_rng(seed)
    undamaged = smooth_picture(seed, shape[::-1])
    mask = draw("lines", shape, seed)
    damaged, filled = undamaged.copy(), undamaged.copy()
    damaged[mask] //= 3
    filled[mask] = np.clip(filled[mask].astype(int) + rng.integers(-30, 31, (mask.sum(), 3)), 0, 255)
    return filled, undamaged, damaged, mask


def theirs(undamaged: Image, filled: Image) -> float:
    """Return scikit-image's PSNR."""
    return float(peak_signal_noise_ratio(undamaged, filled))  # type: ignore[no-untyped-call]  # has no types


# -- crack widths ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turned", [False, True])
def test_bars_have_their_width(turned: bool) -> None:  # noqa: FBT001  a case
    """All px of a straight bar, but near its ends, have its width."""
    for width in range(1, 12):
        mask = np.zeros((60, 40), np.bool_)
        mask[5:55, 10 : 10 + width] = True
        found = local_widths(mask.T if turned else mask)
        found = found.T if turned else found
        assert set(np.unique(found[20:40, 10 : 10 + width])) == {width}
        assert not found[~mask].any()


@given(mask=arrays.arrays(np.bool_, arrays.array_shapes(min_dims=2, max_dims=2, max_side=24)))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_widths_divide_the_mask(mask: Mask) -> None:
    """Each px of any mask has a width of at least 1 px and is in one class, that of its width."""
    widths, classes = local_widths(mask), of_widths(mask)
    assert (widths[mask] >= 1).all()
    assert (np.sum(classes, axis=0) == mask).all()
    for (low, high), one in zip(pairwise((0, *EDGES, math.inf)), classes, strict=True):
        assert (widths[one] > low).all()
        assert (widths[one] <= high).all()


def test_each_crack_has_its_own_width() -> None:
    """A hairline beside a gaping crack keeps its width, and one of 3 px belongs to the class up to 3 px."""
    mask = np.zeros((60, 60), np.bool_)
    mask[5:55, 10], mask[5:55, 20:23], mask[5:55, 35:45] = True, True, True
    narrow, medium, _, wide = (one[30] for one in of_widths(mask))
    assert np.flatnonzero(narrow).tolist() == [10]
    assert np.flatnonzero(medium).tolist() == [20, 21, 22]
    assert np.flatnonzero(wide).tolist() == list(range(35, 45))


def test_widths_of_no_mask() -> None:
    """An empty mask has no widths; what is no mask is refused."""
    assert not local_widths(np.zeros((4, 5), np.bool_)).any()
    with pytest.raises(ValueError, match="expected mask of shape"):
        local_widths(np.zeros((4, 5), np.uint8))


# -- counts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_errors_are_those_of_loops(seed: int) -> None:
    """Sums of absolute and squared errors, and how many values, in every region and class of width."""
    filled, undamaged, damaged, mask = case(seed)
    counts = filling_counts(filled, undamaged, damaged, mask)
    parts = [region_of(mask, name) for name in REGIONS] + of_widths(mask)
    for row, part in zip(counts.errors.tolist(), parts, strict=True):
        off = [
            int(filled[y, x, c]) - int(undamaged[y, x, c])
            for y, x in np.argwhere(part).tolist()
            for c in range(3)
        ]
        assert row == [sum(map(abs, off)), sum(k * k for k in off), len(off)]
    assert counts.errors[len(REGIONS) :].sum(axis=0).tolist() == counts.errors[0].tolist()


def test_figures_are_those_of_others() -> None:
    """PSNR is scikit-image's, SSIM and VIF are those of `restoration_scores`, entropies are those there."""
    filled, undamaged, damaged, mask = case(1)
    counts = filling_counts(filled, undamaged, damaged, mask, distances=(0.1, 0.2, 0.3))
    found = {
        **{k: float(v) for k, v in figures("errors", counts.errors, ()).items()},
        **{k: float(v) for k, v in figures("means", counts.means, ()).items()},
    }
    assert found["psnr:mask"] == pytest.approx(theirs(undamaged[mask], filled[mask]))
    assert found["mae:mask"] == pytest.approx(np.abs(filled.astype(float) - undamaged)[mask].mean())
    for region, fidelity in restoration_scores(filled, undamaged, mask).items():
        expected = min(fidelity.psnr, HIGHEST_PSNR)
        assert found[f"psnr:{region}"] == found[f"mean_psnr:{region}"] == pytest.approx(expected)
        assert found[f"ssim:{region}"] == fidelity.ssim
        assert found[f"vif:{region}"] == fidelity.vif
    assert [found[f"lpips:{region}"] for region in REGIONS] == [0.1, 0.2, 0.3]
    pictures = {"damaged": damaged, "filled": filled, "undamaged": undamaged}
    assert all(found[f"entropy:{k}"] == pytest.approx(entropy(v), abs=1e-12) for k, v in pictures.items())
    names = {f"{kind}:{place}" for kind in ("psnr", "mae") for place in ERRORS} | set(MEANS)
    assert set(found) == names
    assert {name for name in names if name.startswith(("mae", "lpips"))} < LOWER_IS_BETTER


@pytest.mark.parametrize("seed", range(3))
def test_counts_add_up(seed: int) -> None:
    """PSNR of two pictures is that of all their px; SSIM is the mean of the two."""
    cases = [case(seed), case(seed + 9, (50, 70))]
    counts = [filling_counts(*one) for one in cases]
    whole = counts[0] + counts[1]
    filled, undamaged = (np.concatenate([one[k][one[3]] for one in cases]) for k in (0, 1))
    psnr = error_figures(whole.errors)["psnr"][0]
    assert psnr == pytest.approx(theirs(undamaged, filled))
    alone = [mean_figures(one.means) for one in counts]
    np.testing.assert_allclose(mean_figures(whole.means), np.mean(alone, axis=0))


def test_without_damage_nothing_counts() -> None:
    """A picture without damage changes no figure of a set; alone it has none."""
    filled, undamaged, damaged, mask = case(2)
    empty = filling_counts(undamaged, undamaged, undamaged, np.zeros_like(mask))
    assert not empty.errors.any()
    assert not empty.means.any()
    assert np.isnan(error_figures(empty.errors)["psnr"]).all()
    assert np.isnan(mean_figures(empty.means)).all()
    counts = filling_counts(filled, undamaged, damaged, mask)
    assert ((counts + empty).errors == counts.errors).all()
    assert ((counts + empty).means == counts.means).all()


def test_a_perfect_filling() -> None:
    """What equals the undamaged picture has 100 dB and no error; nothing is infinite."""
    _, undamaged, damaged, mask = case(3)
    found = figures("errors", filling_counts(undamaged, undamaged, damaged, mask).errors, ())
    assert float(found["psnr:mask"]) == HIGHEST_PSNR
    assert float(found["mae:whole"]) == 0


def test_without_lpips_it_is_not_defined() -> None:
    """Where LPIPS was not measured it is NaN, and so are SSIM and VIF of a picture too small for them."""
    filled, undamaged, damaged, mask = case(4, (9, 9))
    mask = np.zeros((9, 9), np.bool_)
    mask[4] = True
    found = figures("means", filling_counts(filled, undamaged, damaged, mask).means, ())
    assert all(np.isnan(found[f"{name}:mask"]) for name in ("lpips", "ssim", "vif"))
    assert not np.isnan(found["mean_psnr:mask"])


@pytest.mark.parametrize(
    "change",
    [
        lambda a: (a[0][1:], *a[1:]),
        lambda a: (*a[:2], a[2][1:], a[3]),
        lambda a: (*a[:3], a[3].astype(np.uint8)),
        lambda a: (a[0].astype(float), *a[1:]),
    ],
)
def test_wrong_input(change: object) -> None:
    """Pictures of other shapes or types, and what is no mask, are refused."""
    arguments = change(case(0))  # type: ignore[operator]  # a function of the case
    with pytest.raises(ValueError, match="expected"):
        filling_counts(*arguments)
