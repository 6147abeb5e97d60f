"""Figures of a set from counts per painting, with intervals: what a result's scores are and are called.

Counts come in tables, (paintings, ...) each, by kind:

============== ================ =============================================================================
kind           shape of a row   figures
============== ================ =============================================================================
``tolerance``  (taus, 4)        f1@0 ... f1@4, precision@..., recall@...: crack class, px of tolerance
``pixels``     (C, C)           precision, recall, f1, iou of the crack class; accuracy, mcc, mean_iou,
                                macro_precision, macro_recall, macro_f1; of a third class also f1:CLASS, ...
``lines``      (4,)             cldice, topology_precision, topology_sensitivity
``betti``      (3,)             beta0_error, beta1_error
``levels``     (2, 256, 4)      ap, ods; ap@2, ods@2
``best``       (2, 4)           ois, ois@2
``alarms``     (3,)             false_alarms_per_megapixel, false_share
``errors``     (regions, 3)     of fillings: mae:REGION, psnr:REGION
``means``      (names, 2)       of fillings: mean_psnr:REGION, ssim:REGION, vif:REGION, ..., entropy:WHICH
============== ================ =============================================================================

All are those of `craqbench.metrics.detection_scores`, but for arrays of any leading axes, so that thousands
of resamples cost one product of matrices. ``alarms`` is for paintings without cracks: predicted components,
predicted px, scored px. The last two kinds are those of `craqbench.metrics.filling`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from craqbench.metrics import (
    CRACK,
    LEVEL,
    RANKING_TAU,
    RESAMPLES,
    TAUS,
    Interval,
    Weights,
    accuracy,
    average_precision,
    f1,
    iou,
    macro_scores,
    match_f1,
    match_precision,
    match_recall,
    matthews,
    mean_iou,
    precision,
    recall,
    resampled_scores,
    resampling_weights,
)
from craqbench.metrics.filling import ERRORS, MEANS, error_figures, mean_figures
from craqbench.metrics.inputs import Counts, Floats
from craqbench.metrics.matches import share

__all__ = [
    "BOOTSTRAP",
    "CLEAN_RANKING",
    "DETAIL",
    "FILLING_RANKING",
    "LOWER_IS_BETTER",
    "RANKING",
    "bootstrap_rng",
    "figures",
    "interval_figures",
]

RANKING = f"f1@{RANKING_TAU:g}"
"""The figure that methods are ranked by."""

CLEAN_RANKING = "false_share"
"""The figure that methods are ranked by on paintings without cracks; lower is better."""

FILLING_RANKING = "psnr:mask"
"""The figure that inpainters are ranked by: they change the mask alone, and its squared errors add up.

SSIM and VIF look through windows that are mostly paint which no filler has touched; LPIPS needs weights.
"""

LOWER_IS_BETTER = frozenset(
    {
        *("beta0_error", "beta1_error", "false_alarms_per_megapixel", "false_share"),
        *(f"mae:{place}" for place in ERRORS),
        *(name for name in MEANS if name.startswith("lpips:")),
    }
)

DETAIL = ("tolerance", "lines")
"""Kinds of figures that are given for groups of paintings."""

SEED = 0
ENOUGH = {"levels": 2_000}
"""Resamples of the kinds that take long."""

BOOTSTRAP = (
    f"{RESAMPLES:,} resamples of paintings (ap and ods: {ENOUGH['levels']:,}), seed {SEED}; "
    f"intervals hold the middle {100 * LEVEL:g} %"
)

_FEW_WEIGHTS = 500_000

Figures = dict[str, Floats]
Kind = Callable[[Floats, Sequence[str]], Figures]


def _tolerance(counts: Floats, classes: Sequence[str]) -> Figures:  # noqa: ARG001  all kinds are called alike
    functions = {"f1": match_f1, "precision": match_precision, "recall": match_recall}
    return {
        f"{name}@{tau:g}": function(counts[..., row, :])
        for name, function in functions.items()
        for row, tau in enumerate(TAUS)
    }


def _pixels(counts: Floats, classes: Sequence[str]) -> Figures:
    per_class = {"precision": precision, "recall": recall, "f1": f1, "iou": iou}
    macro = macro_scores(counts)
    return {
        **{name: function(counts)[..., CRACK] for name, function in per_class.items()},
        "accuracy": accuracy(counts),
        "mcc": matthews(counts),
        "mean_iou": mean_iou(counts),
        "macro_precision": macro.precision,
        "macro_recall": macro.recall,
        "macro_f1": macro.f1,
        **{
            f"{name}:{label}": function(counts)[..., CRACK + 1 + number]
            for number, label in enumerate(classes[CRACK + 1 :])
            for name, function in per_class.items()
        },
    }


def _lines(counts: Floats, classes: Sequence[str]) -> Figures:  # noqa: ARG001  as above
    return {
        "cldice": match_f1(counts),
        "topology_precision": match_precision(counts),
        "topology_sensitivity": match_recall(counts),
    }


def _betti(counts: Floats, classes: Sequence[str]) -> Figures:  # noqa: ARG001  as above
    return {
        name: share(counts[..., column], counts[..., 2], np.nan)
        for column, name in enumerate(("beta0_error", "beta1_error"))
    }


def _levels(counts: Floats, classes: Sequence[str]) -> Figures:  # noqa: ARG001  as above
    found: Figures = {}
    for row, suffix in enumerate(("", f"@{RANKING_TAU:g}")):
        found[f"ap{suffix}"] = average_precision(counts[..., row, :, :])
        found[f"ods{suffix}"] = match_f1(counts[..., row, 1:, :]).max(axis=-1)
    return found


def _best(counts: Floats, classes: Sequence[str]) -> Figures:  # noqa: ARG001  as above
    return {"ois": match_f1(counts[..., 0, :]), f"ois@{RANKING_TAU:g}": match_f1(counts[..., 1, :])}


def _alarms(counts: Floats, classes: Sequence[str]) -> Figures:  # noqa: ARG001  as above
    return {
        "false_alarms_per_megapixel": 1e6 * share(counts[..., 0], counts[..., 2], np.nan),
        "false_share": share(counts[..., 1], counts[..., 2], np.nan),
    }


def _errors(counts: Floats, classes: Sequence[str]) -> Figures:  # noqa: ARG001  as above
    return {
        f"{name}:{place}": found[..., row]
        for name, found in error_figures(counts).items()
        for row, place in enumerate(ERRORS)
    }


def _means(counts: Floats, classes: Sequence[str]) -> Figures:  # noqa: ARG001  as above
    return dict(zip(MEANS, np.moveaxis(mean_figures(counts), -1, 0), strict=True))


_KINDS: Mapping[str, Kind] = {
    "tolerance": _tolerance,
    "pixels": _pixels,
    "lines": _lines,
    "betti": _betti,
    "levels": _levels,
    "best": _best,
    "alarms": _alarms,
    "errors": _errors,
    "means": _means,
}


def figures(kind: str, counts: Counts | Floats, classes: Sequence[str]) -> Figures:
    """Return the figures of one kind by name.

    Parameters
    ----------
    kind
        See the module.
    counts
        (..., counts of the kind), summed over the images of a set, or of many resamples of it.
    classes
        Names of the classes, background and craquelure first.

    Returns
    -------
    (...) float64 each; NaN where a figure is not defined.
    """
    return _KINDS[kind](np.asarray(counts, np.float64), classes)


def bootstrap_rng() -> np.random.Generator:
    """Return the stream of chance of all bootstraps: equal numbers of paintings get equal resamples."""
    return np.random.Generator(np.random.PCG64DXSM(SEED))


def interval_figures(
    tables: Mapping[str, Counts | Floats], classes: Sequence[str], *, resamples: int = RESAMPLES
) -> dict[str, Interval]:
    """Return all figures of a set with intervals.

    Parameters
    ----------
    tables
        Kind -> (paintings, ...) counts, paintings in the same order for all; or (1, ...), already summed.
    classes
        Names of the classes.
    resamples
        How many.

    Returns
    -------
    Figures by name. A figure that is not defined is NaN; `low` and `high` are NaN where there is no
    interval: with fewer than two paintings, and for what is already summed.
    """
    values = {kind: figures(kind, np.asarray(table).sum(axis=0), classes) for kind, table in tables.items()}
    drawn = {kind: np.asarray(table, np.float64) for kind, table in tables.items() if len(table) > 1}
    pieces: dict[str, list[Floats]] = {kind: [] for kind in drawn}
    paintings, done = max(map(len, drawn.values()), default=0), 0
    for weights in _weights(paintings, resamples) if drawn else ():
        for kind, table in drawn.items():
            enough = weights[: max(0, ENOUGH.get(kind, resamples) - done)]
            if len(enough):
                pieces[kind].append(_resampled(kind, table, classes, enough))
        done += len(weights)
    return {
        name: _interval(float(value), [piece[:, column] for piece in pieces.get(kind, ())])
        for kind, found in values.items()
        for column, (name, value) in enumerate(found.items())
    }


def _weights(paintings: int, resamples: int) -> Iterator[Weights]:
    """Yield the weights of `resampling_weights` in pieces: those of many paintings would fill the memory."""
    rng = bootstrap_rng()
    rows = max(1, _FEW_WEIGHTS // paintings)
    for start in range(0, resamples, rows):
        yield resampling_weights(paintings, rng=rng, resamples=min(rows, resamples - start))


def _resampled(kind: str, table: Floats, classes: Sequence[str], weights: Weights) -> Floats:
    """Return (resamples, figures)."""

    def all_figures(sums: Floats) -> Floats:
        return np.stack(list(figures(kind, sums, classes).values()), axis=-1)

    return resampled_scores(table, all_figures, weights=weights)


def _interval(value: float, pieces: Sequence[Floats]) -> Interval:
    resampled = np.concatenate(pieces) if pieces else np.empty(0)
    defined = resampled[np.isfinite(resampled)]
    if not defined.size:
        return Interval(value, np.nan, np.nan)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(defined, (tail, 1 - tail))
    return Interval(value, float(low), float(high))
