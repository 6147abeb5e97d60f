from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators import curves
from generators.framing import FITS, whole
from generators.paper import (
    PAPER,
    PaperParameters,
    Trajectories,
    branch_chords,
    draw_trajectories,
    rasterise,
    refine,
)
from generators.triplets import Image, Mask, Triplet, random_stream

SHAPES = [(64, 64), (375, 598), (1000, 843), (300, 1200)]


def painting(height: int, width: int, seed: int = 0) -> Image:
    """Return a smooth picture in colour."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def trajectories(shape: tuple[int, int], seed: int = 0, **changed: Any) -> Trajectories:
    """Draw trajectories with some parameters changed."""
    return draw_trajectories(shape, PaperParameters(**changed), rng=random_stream(seed, PAPER.number, 0))


def draw(
    picture: Image, size: tuple[int, int] = (598, 375), fit: str = "crop", seed: int = 0, **changed: Any
) -> Triplet:
    """Draw a triplet with some parameters changed."""
    return PAPER.draw(
        picture, size, fit, PaperParameters(**changed), rng=random_stream(seed, PAPER.number, 0)
    )


def mask_of(cracks: Trajectories, shape: tuple[int, int]) -> Mask:
    """Return M for the default parameters."""
    return refine(rasterise(shape, cracks), PAPER.parameters)


@pytest.fixture(scope="module")
def reference() -> Any:
    """Return the slow reference, which needs the bezier package."""
    pytest.importorskip("bezier")
    return importlib.import_module("reference_paper")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(8))
def test_fast_path_draws_what_the_reference_draws(reference: Any, shape: tuple[int, int], seed: int) -> None:
    """Same points to 1e-9 px, same raw mask and same M as bezier curves and single circles."""
    cracks = trajectories(shape, seed)
    points = curves.sample(cracks.control_points, cracks.counts, cracks.t)
    np.testing.assert_allclose(points, reference.curve_points(cracks), atol=1e-9)
    np.testing.assert_array_equal(rasterise(shape, cracks), reference.raw_mask(shape, cracks))
    np.testing.assert_array_equal(
        mask_of(cracks, shape), reference.crack_mask(shape, cracks, PAPER.parameters)
    )


@pytest.mark.parametrize("rho", [0.0, 6.0, 15.0])
def test_fast_path_draws_what_the_reference_draws_at_any_width(reference: Any, rho: float) -> None:
    """Hairlines and cracks wider than any stamp are pixel for pixel the same."""
    cracks = trajectories((200, 160), rho=rho, sigma_r=2.0, n_curves=(5, 5))
    np.testing.assert_array_equal(rasterise((200, 160), cracks), reference.raw_mask((200, 160), cracks))


def test_refinement_is_erosion_blur_and_threshold() -> None:
    """M agrees with the same three steps in floating point wherever rounding does not decide."""
    raw = rasterise((300, 400), trajectories((300, 400)))
    padded = np.pad(raw, ((1, 0), (1, 0)), constant_values=True)
    eroded = padded[1:, 1:] & padded[:-1, 1:] & padded[1:, :-1] & padded[:-1, :-1]
    weights = np.exp(-(np.arange(-2.0, 3.0) ** 2) / (2 * 2.0**2))
    weights /= weights.sum()
    framed = np.pad(eroded * 255.0, 2, mode="reflect")
    rows = sum(w * framed[:, i : i + 400] for i, w in enumerate(weights))
    blurred = np.asarray(sum(w * np.asarray(rows)[i : i + 300] for i, w in enumerate(weights)))
    sure = np.abs(blurred - 50.0) > 1.5
    assert sure.mean() > 0.95
    np.testing.assert_array_equal(refine(raw, PAPER.parameters)[sure], (blurred > 50.0)[sure])


def test_refinement_can_be_turned_off() -> None:
    """A 1x1 erosion and a 1x1 blur leave the raw mask."""
    raw = rasterise((100, 120), trajectories((100, 120)))
    np.testing.assert_array_equal(refine(raw, PaperParameters(erosion=1, blur_kernel=1)), raw)


def test_counts_radii_and_probabilities_are_as_the_paper_says() -> None:
    """80-150 curves, 80-180 samples, p_br in [0.3, 0.5], radii never negative, ends in the image."""
    for seed in range(30):
        cracks = trajectories((1000, 843), seed)
        n_curves = len(cracks.counts) - cracks.n_branches
        assert 80 <= n_curves <= 150
        assert 0.3 <= cracks.p_br <= 0.5
        assert cracks.counts.min() >= 80
        assert cracks.counts.max() <= 180
        assert cracks.radii.min() >= 0
        ends = cracks.control_points[:n_curves, [0, 3]]
        assert ends.min() >= 0
        assert (ends <= (842, 999)).all()


def test_numbers_of_curves_reach_both_ends_of_the_range() -> None:
    """The range is inclusive."""
    numbers = {len(trajectories((50, 50), s, n_curves=(3, 5), p_br=(0.0, 0.0)).counts) for s in range(40)}
    assert numbers == {3, 4, 5}


def test_branches_come_with_probability_p_br() -> None:
    """Over many images the share of curves with a branch is the mean of p_br."""
    drawn = [trajectories((200, 200), seed) for seed in range(100)]
    branches = sum(d.n_branches for d in drawn)
    share = branches / (sum(len(d.counts) for d in drawn) - branches)
    assert share == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize(("p_br", "per_curve"), [(0.0, 0), (1.0, 1)])
def test_no_and_all_curves_can_branch(p_br: float, per_curve: int) -> None:
    """Probabilities 0 and 1 are meant."""
    cracks = trajectories((200, 200), p_br=(p_br, p_br), n_curves=(20, 20))
    assert cracks.n_branches == 20 * per_curve


def test_branch_is_the_local_direction_rotated_and_scaled(reference: Any) -> None:
    """A branch starts on its parent; its chord makes the asked angle with the tangent, at the asked scale."""
    parents = trajectories((500, 500), p_br=(0.0, 0.0)).control_points
    n, rng = len(parents), np.random.default_rng(0)
    t, angles, scales = rng.uniform(0, 1, n), rng.uniform(-1.2, 1.2, n), rng.uniform(0.2, 0.5, n)
    starts, ends = branch_chords(parents, t, angles, scales)
    for i in range(n):
        parent = reference.as_bezier(parents[i])
        np.testing.assert_allclose(starts[i], parent.evaluate(float(t[i]))[:, 0], atol=1e-9)
        tangent = complex(*parent.evaluate_hodograph(float(t[i]))[:, 0])
        expected = tangent * scales[i] * np.exp(1j * angles[i])
        np.testing.assert_allclose(complex(*(ends[i] - starts[i])), expected, atol=1e-9)


def test_inner_control_points_scatter_with_sigma_p() -> None:
    """p1 and p2 lie at 1/3 and 2/3 of the chord, give or take 8 px per axis."""
    control = np.concatenate([trajectories((800, 800), seed).control_points for seed in range(20)])
    third = (control[:, 3] - control[:, 0]) / 3
    off = np.stack([control[:, 1] - control[:, 0] - third, control[:, 2] - control[:, 3] + third])
    assert np.abs(off.mean(axis=(0, 1))).max() < 0.5
    np.testing.assert_allclose(off.std(axis=(0, 1)), 8.0, rtol=0.05)


def test_radii_follow_equation_7() -> None:
    """The mean of r(t) is rho (1 - |t - 0.5|) and its deviation sigma_r."""
    drawn = [trajectories((800, 800), seed) for seed in range(20)]
    t, radii = np.concatenate([d.t for d in drawn]), np.concatenate([d.radii for d in drawn])
    for low in np.arange(0.0, 1.0, 0.1):
        here = (t >= low) & (t < low + 0.1)
        assert radii[here].mean() == pytest.approx(2.0 * (1 - abs(low + 0.05 - 0.5)), abs=0.06)
        assert radii[here].std() == pytest.approx(0.5, abs=0.06)


def test_longer_curves_have_more_samples(reference: Any) -> None:
    """One sample per px of length, from 80 to 180."""
    cracks = trajectories((500, 500))
    expected = np.clip(reference.curve_lengths(cracks), 80, 180)
    np.testing.assert_allclose(cracks.counts, expected, rtol=0.01, atol=1)


def test_cracks_are_thinner_at_their_ends() -> None:
    """In M a crack's half-width at its extremities is below two thirds of that of its middle."""
    ends, middles = [], []
    for seed in range(60):
        cracks = trajectories((220, 220), seed, n_curves=(1, 1), p_br=(0.0, 0.0))
        points = np.rint(curves.sample(cracks.control_points, cracks.counts, cracks.t)).astype(int)
        depth = cv2.distanceTransform(mask_of(cracks, (220, 220)).view(np.uint8), cv2.DIST_L2, 5)
        along = depth[points[:, 1], points[:, 0]]
        ends.append(along[np.abs(cracks.t - 0.5) > 0.45].mean())
        middles.append(along[np.abs(cracks.t - 0.5) < 0.05].mean())
    assert np.mean(ends) < np.mean(middles) * 2 / 3


def test_coverage_drawn_directly_at_598x375_is_implausible() -> None:
    """M covers two fifths of so small a picture; with truncated radii a third (measured elsewhere: 31 %)."""
    shape, drawn = (375, 598), [trajectories((375, 598), seed) for seed in range(40)]
    rounded = np.mean([mask_of(d, shape).mean() for d in drawn])
    floored = [dataclasses.replace(d, radii=np.floor(d.radii)) for d in drawn]
    truncated = np.mean([mask_of(d, shape).mean() for d in floored])
    assert rounded == pytest.approx(0.44, abs=0.03)
    assert truncated == pytest.approx(0.32, abs=0.03)


def test_coverage_at_native_size_is_about_a_fifth() -> None:
    """Drawn at 843 x 1000 px the same curves cover half as much, and resizing does not change that."""
    framing = whole((843, 1000), (598, 375), "stretch")
    native = [mask_of(trajectories((1000, 843), seed), (1000, 843)) for seed in range(15)]
    assert np.mean([m.mean() for m in native]) == pytest.approx(0.20, abs=0.03)
    assert np.mean([framing.mask(m).mean() for m in native]) == pytest.approx(0.20, abs=0.03)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    native=st.tuples(st.integers(8, 300), st.integers(8, 300)),
    size=st.tuples(st.integers(32, 200), st.integers(32, 200)),
    fit=st.sampled_from(FITS),
)
def test_damaged_painting_is_clean_outside_m_and_grey_inside(
    seed: int, native: tuple[int, int], size: tuple[int, int], fit: str
) -> None:
    """I~ is I where M is not, and one grey where it is, at any size and fit."""
    made = draw(painting(*native), size, fit, seed)
    assert made.image.shape == made.damaged.shape == (size[1], size[0], 3)
    assert made.image.dtype == made.damaged.dtype == made.labels.dtype == np.uint8
    np.testing.assert_array_equal(made.damaged[~made.mask], made.image[~made.mask])
    assert (made.damaged[made.mask] == made.meta["crack_grey"]).all()
    assert made.labels.max(initial=0) <= 1


@pytest.mark.parametrize("fit", FITS)
def test_image_is_the_framed_painting(fit: str) -> None:
    """I is the painting, framed as asked and otherwise untouched."""
    picture = painting(250, 180)
    framing = whole((180, 250), (200, 120), fit)
    np.testing.assert_array_equal(draw(picture, (200, 120), fit).image, framing.image(picture))


def test_padding_has_no_cracks() -> None:
    """With fit="pad" M stays inside the painting."""
    made = draw(painting(300, 200), (598, 375), "pad")
    inside = whole((200, 300), (598, 375), "pad").inside()
    assert made.mask[inside].any()
    assert not made.mask[~inside].any()


def test_painting_is_neither_changed_nor_shared() -> None:
    """Without any resizing the painting still keeps its pixels."""
    picture = painting(120, 150)
    before = picture.copy()
    made = draw(picture, (150, 120))
    made.damaged[:] = 0
    np.testing.assert_array_equal(picture, before)


def test_tiny_paintings_are_cracked_too() -> None:
    """64 x 64 px is enough to draw on and to enlarge."""
    made = draw(painting(64, 64), (598, 375))
    assert 0 < made.mask.mean() <= 1
    np.testing.assert_array_equal(made.damaged[~made.mask], made.image[~made.mask])


def test_same_stream_same_triplet_and_another_seed_another() -> None:
    """A triplet is a pure function of recipe, seed, index and painting."""
    picture = painting(200, 200)
    first, again, other = draw(picture, seed=0), draw(picture, seed=0), draw(picture, seed=1)
    np.testing.assert_array_equal(first.damaged, again.damaged)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert first.meta == again.meta
    assert (first.labels != other.labels).any()


def test_version_1_draws_these_pixels() -> None:
    """If this fails, the recipe's output has changed: it needs a new version."""
    assert PAPER.version == 1
    mask = draw(painting(500, 400), (400, 500)).mask
    assert hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()[:16] == "05c7d76e93323e97"


def test_meta_tells_what_was_drawn_in_json() -> None:
    """Counts, probability and grey are in meta, as plain numbers within the parameters' ranges."""
    made = draw(painting(100, 100), n_curves=(7, 9), p_br=(1.0, 1.0), crack_grey=(33, 33))
    assert json.loads(json.dumps(made.meta)) == made.meta
    assert made.meta["n_curves"] == made.meta["n_branches"]
    assert 7 <= made.meta["n_curves"] <= 9
    assert made.meta["p_br"] == 1.0
    assert made.meta["crack_grey"] == 33


def test_settings_are_json() -> None:
    """The recipe's parameters survive a round trip through a manifest."""
    listed = PAPER.settings()
    assert json.loads(json.dumps(listed)) == listed
    again: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in listed.items()}
    assert PaperParameters(**again) == PAPER.parameters


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (
            "n_curves",
            (150, 80),
            r"'n_curves' is \(150, 80\): expected a range \(low, high\), each a whole number",
        ),
        ("n_curves", (0, 5), "from 1 to 10000"),
        ("n_curves", (80.5, 90.0), "whole number"),
        ("n_curves", (80, 90, 100), "a range"),
        ("n_curves", 80, "a range"),
        ("n_samples", (1, 180), "from 2 to 10000"),
        ("sample_spacing", 0.0, "from 0.01 to 1000"),
        ("sigma_p", -8.0, r"'sigma_p' is -8.0: expected a number from 0 to 1000"),
        ("sigma_p", float("nan"), "'sigma_p' is nan"),
        ("rho", "2", "'rho' is '2'"),
        ("sigma_r", (0.5, 0.6), r"'sigma_r' is \(0.5, 0.6\): expected a number"),
        ("p_br", (0.3, 1.5), "from 0 to 1"),
        ("branch_position", (-0.1, 0.5), "from 0 to 1"),
        ("branch_rotation", (20.0, 270.0), "from 0 to 180"),
        ("branch_scale", (0.5, 0.2), "a range"),
        ("erosion", 0, "from 1 to 99"),
        ("erosion", 2.5, "whole number"),
        ("blur_kernel", 4, "'blur_kernel' is 4: expected an odd number"),
        ("blur_sigma", 0.0, "from 0.01 to 100"),
        ("threshold", 255, "from 0 to 254"),
        ("crack_grey", (0, 256), "from 0 to 255"),
    ],
)
def test_impossible_parameter_is_refused(name: str, value: Any, expected: str) -> None:
    """The message names the parameter, its value and what was expected."""
    with pytest.raises(ValueError, match=expected):
        PaperParameters(**{name: value})


def test_parameters_cannot_be_changed_afterwards() -> None:
    """A recipe keeps the parameters that were checked."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        PAPER.parameters.rho = 3.0
