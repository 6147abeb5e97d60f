"""Recipe `paper`: the generator of Synthetic Craquelure Generation for Unsupervised Painting Restoration.

Section IV of arXiv 2602.12742, to the letter. The paper's symbols and the names here:
p0..p3 are `Trajectories.control_points`, t is `Trajectories.t`, r(t) is `Trajectories.radii`, and
sigma_p, rho, sigma_r, p_br are the `PaperParameters` of the same name.

Where the text is silent, this was chosen:

- "p1, p2 ~ N(0, 8^2 px)" cannot be positions. They are the displacements, per axis, of the points at 1/3
  and 2/3 of the chord.
- "80 to 180 points, depending on its length": one point per px of length, within these bounds, so that
  the disks of a crack touch as long as the bounds allow. On large paintings they do not: long cracks
  break up into dots, as the paper's numbers have it.
- Centres and radii are rounded to whole px, which is what ``cv2.circle`` takes. A negative radius counts as
  0, which is one px (the erosion then removes it where it stands alone).
  Drawn directly at 598 x 375 px, M then covers 43 % of the picture; with truncated radii it would be 32 %.
- A branch: each curve has at most one, with probability p_br, which is drawn once per image. It starts at
  t = `branch_position`, and its chord is B'(t) there, turned by `branch_rotation` to either side and
  scaled by `branch_scale`: |B'(t)| is near the length of the curve, so the scale is the branch's length
  as a share of its parent's. A branch bends and tapers like any curve, and does not branch.
- Erosion takes the minimum over the pixel and its left, upper and upper left neighbours (OpenCV's anchor
  of a 2x2 kernel); nothing beyond the border erodes.
- "thresholded at 50": M is where the blurred mask, 0-255, is above 50: it gives back what the erosion took.
- "crack-specific gray value": one value per image, drawn from `crack_grey`.
- Everything is drawn on the whole painting at its own size, then resized, the mask by area. I~ is composed
  after that, so that it equals I exactly outside M.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from generators import curves
from generators.disks import draw_disks
from generators.framing import whole
from generators.parameters import between, check
from generators.triplets import Image, Mask, Recipe, Size, Triplet

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PaperParameters:
    """The numbers of section IV. Pairs are ranges, both ends included, drawn from uniformly.

    Attributes
    ----------
    n_curves
        Range of the number of curves per image, branches not counted.
    n_samples
        Bounds of the number of points per curve.
    sample_spacing
        Distance between points in px where `n_samples` allows it.
    sigma_p
        Standard deviation of the displacement of p1 and p2, in px per axis.
    rho, sigma_r
        Mid-crack radius and its standard deviation, in px (eq. 7).
    p_br
        Range of the probability, drawn per image, that a curve has a branch.
    branch_position, branch_rotation, branch_scale
        Ranges of t on the parent, of the turn off its tangent in degrees, and of the share of its length.
    erosion
        Side of the square that erodes the raw mask, in px.
    blur_kernel, blur_sigma
        Side (odd) and standard deviation of the Gaussian, in px.
    threshold
        The blurred mask, 0-255, is crack above this.
    crack_grey
        Range of the grey value of the cracks, drawn per image.

    Raises
    ------
    ValueError
        If a value is not a number, not within its bounds, or a range is not (low, high).
    """

    n_curves: tuple[int, int] = between(1, 10_000, (80, 150))
    n_samples: tuple[int, int] = between(2, 10_000, (80, 180))
    sample_spacing: float = between(0.01, 1000.0, 1.0)
    sigma_p: float = between(0.0, 1000.0, 8.0)
    rho: float = between(0.0, 1000.0, 2.0)
    sigma_r: float = between(0.0, 1000.0, 0.5)
    p_br: tuple[float, float] = between(0.0, 1.0, (0.3, 0.5))
    branch_position: tuple[float, float] = between(0.0, 1.0, (0.2, 0.8))
    branch_rotation: tuple[float, float] = between(0.0, 180.0, (20.0, 70.0))
    branch_scale: tuple[float, float] = between(0.0, 10.0, (0.2, 0.5))
    erosion: int = between(1, 99, 2)
    blur_kernel: int = between(1, 99, 5)
    blur_sigma: float = between(0.01, 100.0, 2.0)
    threshold: int = between(0, 254, 50)
    crack_grey: tuple[int, int] = between(0, 255, (10, 40))

    def __post_init__(self) -> None:
        check(self)
        if self.blur_kernel % 2 == 0:
            raise ValueError(f"parameter 'blur_kernel' is {self.blur_kernel}: expected an odd number of px")


@dataclass(frozen=True, slots=True, eq=False)
class Trajectories:
    """All that chance decides about the cracks of one image.

    Attributes
    ----------
    control_points
        (n, 4, 2) float64: x, y of p0..p3 in px of the painting, first the curves, then their branches.
    counts
        (n,) int64: samples per curve.
    t
        (sum counts,) float64: the samples' parameters, curve after curve.
    radii
        (sum counts,) float64, >= 0: r(t) in px, not rounded.
    n_branches
        How many of the n are branches.
    p_br
        The probability that was drawn for this image.
    """

    control_points: Floats
    counts: Integers
    t: Floats
    radii: Floats
    n_branches: int
    p_br: float


def draw_trajectories(
    shape: tuple[int, int], parameters: PaperParameters, *, rng: np.random.Generator
) -> Trajectories:
    """Draw curves, branches and radii for a painting of shape (height, width), each kind in one call."""
    n = int(rng.integers(*parameters.n_curves, endpoint=True))
    p_br = float(rng.uniform(*parameters.p_br))
    p0, p3 = rng.uniform(0.0, (shape[1] - 1, shape[0] - 1), (2, n, 2))
    parents = curves.control_points(p0, p3, _displacements(n, parameters, rng))
    branches = _branches(parents[rng.random(n) < p_br], parameters, rng)
    control = np.concatenate([parents, branches])
    counts = _counts(curves.lengths(control), parameters)
    t = curves.uniform_parameters(counts)
    return Trajectories(control, counts, t, _radii(t, parameters, rng), len(branches), p_br)


def branch_chords(parents: Floats, t: Floats, angles: Floats, scales: Floats) -> tuple[Floats, Floats]:
    """Return where branches start and end.

    Parameters
    ----------
    parents
        (n, 4, 2) control points.
    t, angles, scales
        (n,): where on the parent, the turn off its tangent in radians, and the factor on its tangent.

    Returns
    -------
    starts, ends
        (n, 2) each, in px.
    """
    starts, tangents = curves.points_at(parents, t), curves.tangents_at(parents, t)
    x, y = tangents.T
    turned = np.stack(
        [x * np.cos(angles) - y * np.sin(angles), x * np.sin(angles) + y * np.cos(angles)], axis=1
    )
    return starts, starts + scales[:, None] * turned


def _branches(parents: Floats, parameters: PaperParameters, rng: np.random.Generator) -> Floats:
    """Give each of these curves a branch: (n, 4, 2) -> (n, 4, 2)."""
    n = len(parents)
    t = rng.uniform(*parameters.branch_position, n)
    angles = np.radians(rng.uniform(*parameters.branch_rotation, n)) * rng.choice((-1.0, 1.0), n)
    scales = rng.uniform(*parameters.branch_scale, n)
    starts, ends = branch_chords(parents, t, angles, scales)
    return curves.control_points(starts, ends, _displacements(n, parameters, rng))


def _displacements(n: int, parameters: PaperParameters, rng: np.random.Generator) -> Floats:
    return parameters.sigma_p * rng.standard_normal((n, 2, 2))


def _counts(lengths: Floats, parameters: PaperParameters) -> Integers:
    """Choose the number of samples by length in px: (n,) -> (n,)."""
    return np.clip(np.rint(lengths / parameters.sample_spacing), *parameters.n_samples).astype(np.int64)


def _radii(t: Floats, parameters: PaperParameters, rng: np.random.Generator) -> Floats:
    """Draw r(t) of eq. 7, clipped at 0: (m,) -> (m,)."""
    means = parameters.rho * (1.0 - np.abs(t - 0.5))
    return np.maximum(means + parameters.sigma_r * rng.standard_normal(t.size), 0.0)


def rasterise(shape: tuple[int, int], trajectories: Trajectories) -> Mask:
    """Draw one filled disk per sample: the raw mask, (height, width) bool."""
    points = curves.sample(trajectories.control_points, trajectories.counts, trajectories.t)
    return draw_disks(shape, np.rint(points).astype(np.int64), np.rint(trajectories.radii).astype(np.int64))


def refine(raw: Mask, parameters: PaperParameters) -> Mask:
    """Erode, blur and threshold the raw mask: (h, w) bool -> M, (h, w) bool."""
    grey = raw.view(np.uint8) * np.uint8(255)
    eroded = cv2.erode(grey, np.ones((parameters.erosion, parameters.erosion), np.uint8))
    blurred = cv2.GaussianBlur(eroded, (parameters.blur_kernel,) * 2, parameters.blur_sigma)
    return np.asarray(blurred > parameters.threshold)


def compose(image: Image, mask: Mask, grey: int) -> Image:
    """Return I~: the grey value inside M, the image elsewhere, (h, w, 3) uint8."""
    # 20 times as fast as boolean indexing, which stumbles over every edge of a crack.
    return np.asarray(cv2.copyTo(np.full_like(image, grey), mask.view(np.uint8), image.copy()), np.uint8)


def draw(
    painting: Image, size: Size, fit: str, parameters: PaperParameters, *, rng: np.random.Generator
) -> Triplet:
    """Crack the whole painting at its own size, then frame it (see `generators.triplets.Draw`).

    `meta` has n_curves, n_branches, p_br and crack_grey as they were drawn.
    """
    height, width = painting.shape[:2]
    framing = whole((width, height), size, fit)
    trajectories = draw_trajectories((height, width), parameters, rng=rng)
    grey = int(rng.integers(*parameters.crack_grey, endpoint=True))
    mask = framing.mask(refine(rasterise((height, width), trajectories), parameters))
    image = framing.image(painting)
    return Triplet(image, mask.astype(np.uint8), compose(image, mask, grey), _meta(trajectories, grey))


def _meta(trajectories: Trajectories, grey: int) -> dict[str, Any]:
    return {
        "n_curves": len(trajectories.counts) - trajectories.n_branches,
        "n_branches": trajectories.n_branches,
        "p_br": trajectories.p_br,
        "crack_grey": grey,
    }


PAPER = Recipe(
    name="paper",
    number=1,
    version=1,
    summary="the published generator: tapered Bezier curves with branches, one dark grey",
    explanation=(
        "Section IV of arXiv 2602.12742 to the letter: 80 to 150 tapered cubic Bezier curves with branches, "
        "drawn on the whole painting at its own size and resized with it. It is here to be compared with: "
        "its cracks run straight, cross each other, break into dots where they are long, cover a fifth of "
        "the picture, and are all dark and of one grey. Real craquelure is otherwise."
    ),
    parameters=PaperParameters(),
    draw=draw,
    soft_edge=0,
)
