"""Time of the metrics on one 1,500 x 1,000 px picture, and of the bootstrap: best of several turns in one run.

    python tests/benchmarks/bench_metrics.py

1. All detection metrics, with scores, and all restoration metrics. Wanted: at most 0.5 s for the suite.
2. F1@2px against a plain pair of ``scipy.ndimage.distance_transform_edt``. Wanted: at most 1.2 x.
3. 10,000 paired resamples of 60 paintings, for two methods and for the ranks of ten. Wanted: below 1 s.
"""

from __future__ import annotations

import sys
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

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

    from craqbench.metrics.inputs import Counts, Mask

SIZE = (1500, 1000)
TURNS = 7


def timed(call: Callable[[], object], turns: int = TURNS) -> float:
    """Return the time in ms of the fastest of some turns."""
    best = float("inf")
    for _ in range(turns):
        start = perf_counter()
        call()
        best = min(best, perf_counter() - start)
    return 1e3 * best


def plain_counts(prediction: Mask, truth: Mask) -> list[int]:
    """Count the matches of F1@2px with two distance transforms."""
    to_truth = ndimage.distance_transform_edt(~truth)
    to_prediction = ndimage.distance_transform_edt(~prediction)
    near_truth, near_prediction = to_truth[prediction] <= RANKING_TAU, to_prediction[truth] <= RANKING_TAU
    return [near_truth.sum(), prediction.sum(), near_prediction.sum(), truth.sum()]


def set_counts(methods: int, paintings: int = 60) -> dict[str, Counts]:
    """Draw match counts of methods that are a little better than one another."""
    rng = np.random.default_rng(0)
    totals = rng.integers(2_000, 9_000, (paintings, 2))
    hard = rng.normal(0.8, 0.08, paintings)
    shares = {f"method {m}": np.clip(hard - 0.01 * m + rng.normal(0, 0.03, (2, paintings)), 0, 1) for m in range(methods)}
    return {
        name: np.stack([p * totals[:, 0], totals[:, 0], r * totals[:, 1], totals[:, 1]], axis=1).astype(np.int64)
        for name, (p, r) in shares.items()
    }


def difference_of_two(counts: dict[str, Counts]) -> None:
    """Compare the first two methods."""
    first, second, *_ = counts.values()
    weights = resampling_weights(len(first), rng=np.random.default_rng(0))
    paired_difference(first, second, match_f1, weights=weights)


def main() -> None:
    """Measure and print."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 200, (30, 45, 3)).astype(np.uint8)
    made = triplet(RECIPES["dutch"], 0, 0, np.asarray(cv2.resize(coarse, SIZE), np.uint8), SIZE)
    truth = made.mask
    noisy = cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 1) + rng.normal(0, 0.1, truth.shape)
    scores = np.clip(noisy, 0, 1).astype(np.float32)
    prediction, ignore = scores >= 0.4, np.zeros_like(truth)
    ignore[:100, :100] = True
    restored = np.asarray(cv2.inpaint(made.damaged, truth.view(np.uint8), 3, cv2.INPAINT_TELEA), np.uint8)
    say = sys.stdout.write
    say(f"{SIZE[0]} x {SIZE[1]} px, {truth.mean():.1%} crack, {prediction.mean():.1%} predicted; ms\n")

    parts: dict[str, Callable[[], object]] = {
        "confusion": partial(confusion_matrix, prediction, truth, ignore=ignore),
        "F1@0,1,2,4": partial(tolerance_counts, prediction, truth, ignore=ignore),
        "clDice": partial(cldice_counts, prediction, truth, ignore=ignore),
        "beta errors": partial(betti_errors, prediction, truth, ignore=ignore),
        "curve, tau 0": partial(level_counts, scores, truth, ignore=ignore),
        "curve, tau 2": partial(level_counts, scores, truth, tau=2, ignore=ignore),
        "MAE": partial(mae, restored, made.image, truth),
        "PSNR": partial(psnr, restored, made.image, truth),
        "SSIM": partial(ssim, restored, made.image, truth),
        "VIF": partial(vif, restored, made.image, truth),
        "entropy": partial(entropy, restored),
    }
    for name, part in parts.items():
        say(f"  {name:14} {timed(part):7.1f}\n")
    detection = timed(lambda: detection_scores(detection_counts(prediction, truth, ignore=ignore, scores=scores)))
    restoration = timed(partial(restoration_scores, restored, made.image, truth))
    say(f"detection suite {detection:.0f}, restoration suite (3 regions) {restoration:.0f}: ")
    say(f"{(detection + restoration) / 1e3:.2f} s (wanted <= 0.5)\n")

    edt = timed(partial(plain_counts, prediction, truth), 3)
    for tau in (2.0, 4.0, 16.0, 64.0):
        ours = timed(partial(tolerance_counts, prediction, truth, taus=(tau,)))
        say(f"F1@{tau:g} {ours:.1f}, pair of distance transforms {edt:.0f}: {ours / edt:.3f} x (wanted <= 1.2 at 2)\n")

    two, ten = set_counts(2), set_counts(10)
    say(f"10,000 paired resamples of 60 paintings: {timed(partial(difference_of_two, two)) / 1e3:.3f} s (wanted < 1), ")
    ranks = timed(lambda: rank_methods(ten, match_f1, rng=np.random.default_rng(0)))
    say(f"ranks of 10 methods {ranks / 1e3:.3f} s\n")
    curves = np.stack([level_counts(scores[:200, i * 20 : i * 20 + 200], truth[:200, i * 20 : i * 20 + 200]) for i in range(60)])
    weights = resampling_weights(60, rng=rng)
    from craqbench.metrics import percentile_interval
    say(f"interval of AP {timed(lambda: percentile_interval(curves, average_precision, weights=weights), 1) / 1e3:.3f} s\n")


if __name__ == "__main__":
    main()
