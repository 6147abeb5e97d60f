"""Time of the metrics on one 1,500 x 1,000 px picture, and of the bootstrap: best of some turns in one run.

    python tests/benchmarks/bench_metrics.py

1. All detection metrics, with scores, and all restoration metrics. Wanted: at most 0.5 s for the suite.
2. F1@2px against a plain pair of ``scipy.ndimage.distance_transform_edt``. Wanted: at most 1.2 x.
3. 10,000 paired resamples of 60 paintings, for two methods and for the ranks of ten. Wanted: below 1 s.
"""

from __future__ import annotations

import sys
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from scipy import ndimage

from craqbench.metrics import (
    RANKING_TAU,
    average_precision,
    betti_errors,
    cldice_counts,
    confusion_matrix,
    detection_counts,
    detection_scores,
    entropy,
    level_counts,
    mae,
    match_f1,
    paired_difference,
    percentile_interval,
    psnr,
    rank_methods,
    resampling_weights,
    restoration_scores,
    ssim,
    tolerance_counts,
    vif,
)
from generators.recipes import RECIPES, triplet

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from craqbench.metrics.inputs import Counts, Mask
    from generators.triplets import Image

SIZE = (1500, 1000)
TURNS = 7
PAINTINGS = 60


class Case(NamedTuple):
    """A picture, its cracks, a detector's answer, and an inpainted copy."""

    image: Image
    truth: Mask
    ignore: Mask
    scores: npt.NDArray[np.float32]
    prediction: Mask
    restored: Image


def draw_case() -> Case:
    """Draw a network of cracks on a smooth ground, a noisy detection and a filling of it."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 200, (30, 45, 3)).astype(np.uint8)
    made = triplet(RECIPES["dutch"], 0, 0, np.asarray(cv2.resize(coarse, SIZE), np.uint8), SIZE)
    truth = made.mask
    noise = rng.normal(0, 0.1, truth.shape)
    blurred = cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 1)
    scores = np.clip(blurred + noise, 0, 1).astype(np.float32)
    ignore = np.zeros_like(truth)
    ignore[:100, :100] = True
    restored = np.asarray(cv2.inpaint(made.damaged, truth.view(np.uint8), 3, cv2.INPAINT_TELEA), np.uint8)
    return Case(made.image, truth, ignore, scores, scores >= 0.4, restored)


def timed(call: Callable[[], object], turns: int = TURNS) -> float:
    """Return the time in ms of the fastest of some turns."""
    best = float("inf")
    for _ in range(turns):
        start = perf_counter()
        call()
        best = min(best, perf_counter() - start)
    return 1e3 * best


def parts(case: Case) -> dict[str, Callable[[], object]]:
    """Return a call for each metric."""
    pair, restoration = (case.prediction, case.truth), (case.restored, case.image, case.truth)
    return {
        "confusion": partial(confusion_matrix, *pair, ignore=case.ignore),
        "F1@0,1,2,4": partial(tolerance_counts, *pair, ignore=case.ignore),
        "clDice": partial(cldice_counts, *pair, ignore=case.ignore),
        "beta errors": partial(betti_errors, *pair, ignore=case.ignore),
        "curve, tau 0": partial(level_counts, case.scores, case.truth, ignore=case.ignore),
        "curve, tau 2": partial(level_counts, case.scores, case.truth, tau=2, ignore=case.ignore),
        "MAE": partial(mae, *restoration),
        "PSNR": partial(psnr, *restoration),
        "SSIM": partial(ssim, *restoration),
        "VIF": partial(vif, *restoration),
        "entropy": partial(entropy, case.restored),
    }


def detect(case: Case) -> dict[str, float]:
    """Take all figures of a detection."""
    counts = detection_counts(case.prediction, case.truth, ignore=case.ignore, scores=case.scores)
    return detection_scores(counts)


def plain_counts(case: Case) -> list[int]:
    """Count the matches of F1@2px with two distance transforms."""
    to_truth = ndimage.distance_transform_edt(~case.truth)
    to_prediction = ndimage.distance_transform_edt(~case.prediction)
    near = to_truth[case.prediction] <= RANKING_TAU, to_prediction[case.truth] <= RANKING_TAU
    return [int(x.sum()) for x in (near[0], case.prediction, near[1], case.truth)]


def set_counts(methods: int) -> dict[str, Counts]:
    """Draw match counts of methods that are a little better than one another."""
    rng = np.random.default_rng(0)
    totals = rng.integers(2_000, 9_000, (PAINTINGS, 1, 2))
    difficulty = rng.normal(0.8, 0.08, (PAINTINGS, 1, 1))
    shares = difficulty - 0.01 * np.arange(methods)[:, None] + rng.normal(0, 0.03, (PAINTINGS, methods, 2))
    matched = np.clip(shares, 0, 1) * totals
    counts = np.stack([matched, np.broadcast_to(totals, matched.shape)], axis=-1).astype(np.int64)
    return {f"method {m}": counts[:, m].reshape(PAINTINGS, 4) for m in range(methods)}


def curve_counts(case: Case) -> Counts:
    """Count matches at all levels on strips of the picture, as if each were a painting."""
    strips = [slice(i * 16, i * 16 + 16) for i in range(PAINTINGS)]
    return np.stack([level_counts(case.scores[s], case.truth[s]) for s in strips])


def difference_of_two(counts: dict[str, Counts]) -> None:
    """Compare the first two methods."""
    first, second, *_ = counts.values()
    weights = resampling_weights(len(first), rng=np.random.default_rng(0))
    paired_difference(first, second, match_f1, weights=weights)


def report_suite(case: Case) -> None:
    """Print the time of each metric and of all together."""
    sys.stdout.write(f"{SIZE[0]} x {SIZE[1]} px, {case.truth.mean():.1%} cracks; ms:\n")
    for name, part in parts(case).items():
        sys.stdout.write(f"  {name:14} {timed(part):7.1f}\n")
    detection = timed(partial(detect, case))
    restoration = timed(partial(restoration_scores, case.restored, case.image, case.truth))
    sys.stdout.write(
        f"detection suite {detection:.0f}, restoration suite (3 regions) {restoration:.0f}: "
        f"{(detection + restoration) / 1e3:.2f} s (wanted <= 0.5)\n"
    )


def report_tolerance(case: Case) -> None:
    """Print how F1@tau compares with distance transforms."""
    plain = timed(partial(plain_counts, case), 3)
    for tau in (2.0, 4.0, 16.0, 64.0):
        ours = timed(partial(tolerance_counts, case.prediction, case.truth, taus=(tau,)), 3)
        sys.stdout.write(
            f"F1@{tau:g} {ours:.1f} ms, pair of distance transforms {plain:.0f} ms: "
            f"{ours / plain:.3f} x (wanted <= 1.2)\n"
        )


def report_bootstrap(case: Case) -> None:
    """Print the time of intervals, differences and ranks."""
    weights = resampling_weights(PAINTINGS, rng=np.random.default_rng(0))
    ten, curves = set_counts(10), curve_counts(case)
    times: dict[str, Callable[[], object]] = {
        "paired difference of two methods": partial(difference_of_two, ten),
        "ranks of ten methods": partial(rank_methods, ten, match_f1, rng=np.random.default_rng(0)),
        "interval of AP": partial(percentile_interval, curves, average_precision, weights=weights),
    }
    for name, call in times.items():
        sys.stdout.write(f"10,000 resamples of {PAINTINGS} paintings, {name}: {timed(call, 3) / 1e3:.3f} s\n")


def main() -> None:
    """Measure and print."""
    case = draw_case()
    report_suite(case)
    report_tolerance(case)
    report_bootstrap(case)


if __name__ == "__main__":
    main()
