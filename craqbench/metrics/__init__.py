"""Scores of crack detectors and of restorations: pure functions of arrays.

Every detection metric comes in two steps: counts of one image, which add up, and a score of the sum. That is
what makes sets, resamples of sets and groups of paintings cost nothing, and averages unambiguous.

| file | what |
|---|---|
| `confusion` | Acc, Precision, Recall, F1, IoU, MIoU (paper C), MCC, of any number of classes |
| `tolerance` | F1@tau, the ranking metric |
| `cldice`, `topology` | centre-line Dice; errors of the Betti numbers |
| `curves` | precision-recall, AP, ODS, OIS |
| `suite` | all of these for an image or a set, and the policies in words |
| `bootstrap`, `ranks` | intervals, paired differences, ties |
| `restoration`, `information`, `regions` | MAE, PSNR, SSIM; VIF, entropy; where they are taken |
| `speed` | seconds per megapixel, FPS |
| `matches`, `inputs`, `skeletons` | what they share |
"""

from craqbench.metrics.bootstrap import (
    LEVEL,
    RESAMPLES,
    Difference,
    Interval,
    Score,
    Weights,
    counts_by_painting,
    mean_counts,
    mean_of_counts,
    paired_difference,
    percentile_interval,
    resampled_scores,
    resampling_weights,
)
from craqbench.metrics.cldice import cldice_counts
from craqbench.metrics.confusion import (
    Macro,
    accuracy,
    class_counts,
    confusion_matrix,
    f1,
    iou,
    macro_scores,
    matthews,
    mean_iou,
    precision,
    recall,
)
from craqbench.metrics.curves import (
    LEVELS,
    Optimum,
    PrecisionRecall,
    average_precision,
    level_counts,
    optimal_dataset_scale,
    optimal_image_scale,
    precision_recall,
)
from craqbench.metrics.information import entropy, vif
from craqbench.metrics.matches import harmonic_mean, match_f1, match_precision, match_recall
from craqbench.metrics.ranks import Ranked, rank_methods
from craqbench.metrics.regions import REGIONS, RING, region_of
from craqbench.metrics.restoration import Fidelity, mae, psnr, restoration_scores, ssim, ssim_map
from craqbench.metrics.skeletons import SKELETONISER
from craqbench.metrics.speed import Timing
from craqbench.metrics.suite import CRACK, POLICIES, DetectionCounts, detection_counts, detection_scores
from craqbench.metrics.tolerance import RANKING_TAU, TAUS, tolerance_counts
from craqbench.metrics.topology import Betti, betti_errors, betti_numbers

__all__ = [
    "CRACK",
    "LEVEL",
    "LEVELS",
    "POLICIES",
    "RANKING_TAU",
    "REGIONS",
    "RESAMPLES",
    "RING",
    "SKELETONISER",
    "TAUS",
    "Betti",
    "DetectionCounts",
    "Difference",
    "Fidelity",
    "Interval",
    "Macro",
    "Optimum",
    "PrecisionRecall",
    "Ranked",
    "Score",
    "Timing",
    "Weights",
    "accuracy",
    "average_precision",
    "betti_errors",
    "betti_numbers",
    "class_counts",
    "cldice_counts",
    "confusion_matrix",
    "counts_by_painting",
    "detection_counts",
    "detection_scores",
    "entropy",
    "f1",
    "harmonic_mean",
    "iou",
    "level_counts",
    "macro_scores",
    "mae",
    "match_f1",
    "match_precision",
    "match_recall",
    "matthews",
    "mean_counts",
    "mean_iou",
    "mean_of_counts",
    "optimal_dataset_scale",
    "optimal_image_scale",
    "paired_difference",
    "percentile_interval",
    "precision",
    "precision_recall",
    "psnr",
    "rank_methods",
    "recall",
    "region_of",
    "resampled_scores",
    "resampling_weights",
    "restoration_scores",
    "ssim",
    "ssim_map",
    "tolerance_counts",
    "vif",
]
