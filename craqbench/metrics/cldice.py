"""Centre-line Dice: whether a prediction follows the cracks, whatever their width.

After Shit et al., "clDice - a novel topology-preserving loss function for tubular structure segmentation"
(CVPR 2021): with masks V and their skeletons S, of the prediction (P) and the annotation (L),

- Tprec = |S_P and V_L| / |S_P|, topology precision,
- Tsens = |S_L and V_P| / |S_L|, topology sensitivity,
- clDice = their harmonic mean.
"""

from __future__ import annotations

import numpy as np

from craqbench.metrics.inputs import Counts, Mask, cut
from craqbench.metrics.skeletons import skeletonize

__all__ = ["cldice_counts"]


def cldice_counts(prediction: Mask, truth: Mask, *, ignore: Mask | None = None) -> Counts:
    """Count centre-line pixels, and those of them that lie inside the other mask.

    Skeletons are taken of the whole masks and then cut with the ignored regions: the edge of an ignored
    region makes no new ends. The skeletoniser is `craqbench.metrics.skeletons.SKELETONISER`.

    Parameters
    ----------
    prediction, truth
        (H, W) bool.
    ignore
        (H, W) bool, True where nothing is scored.

    Returns
    -------
    (4,) int64 : |S_P and V_L|, |S_P|, |S_L and V_P|, |S_L|: match counts, see `craqbench.metrics.matches`,
    whose precision, recall and F1 are Tprec, Tsens and clDice.

    Raises
    ------
    ValueError
        If a mask is not bool, or shapes differ.
    """
    found, sought = cut(prediction, truth, ignore)
    found_lines, sought_lines = cut(skeletonize(prediction), skeletonize(truth), ignore)
    pixels = (found_lines & sought, found_lines, sought_lines & found, sought_lines)
    return np.array([np.count_nonzero(p) for p in pixels], np.int64)
