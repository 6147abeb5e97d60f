"""The pictures of detectors in a report: hits, misses and false alarms over a pale image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from baselines.protocols import Labels
from craqbench.annotations import Annotated, AnnotatedSet
from craqbench.codecs import decode_labels
from craqbench.evaluation_records import PREDICTIONS
from craqbench.figures import RANKING, figures
from craqbench.metrics import CRACK, RANKING_TAU
from craqbench.report_answers import Found, read_answer
from craqbench.report_pictures import (
    FALSE_ALARM,
    HIT,
    KINDS,
    LOSS_FALSE,
    LOSS_HIT,
    LOSS_MISS,
    MISS,
    Layer,
    crop_uri,
    layer_uri,
    loss_outcome,
    outcome,
    truth_layer,
)
from craqbench.report_shots import Picture, Prediction, Shot
from craqbench.results import DetectionResult, ImageCounts, scores_of

__all__ = ["detection_score", "detection_shot"]


def detection_score(image: ImageCounts, *, clean: bool) -> float:
    """Return what an image is ranked by; higher is better."""
    if not clean:
        return scores_of(image.counts)[RANKING]
    return 1 - _false_share(image)


def _false_share(image: ImageCounts) -> float:
    confusion = np.array(image.counts.confusion)
    return float(confusion[:, 1:].sum() / max(1, confusion.sum()))


def detection_shot(opened: AnnotatedSet, name: str, found: Sequence[Found]) -> Shot:
    """Return an image with what detectors found in it.

    Parameters
    ----------
    opened
        The set.
    name
        Of the image.
    found
        Results on the set.

    Raises
    ------
    ResultError
        If a prediction is gone, broken, or not the one that was scored.
    """
    one = opened.load(name)
    item = next(item for item in opened.items if item.id == name)
    height, width = one.image.shape[:2]
    share = float(one.mask.sum() / max(1, (~one.ignore).sum()))
    truth = layer_uri(truth_layer(one.labels, one.ignore))
    return Shot(
        id=name,
        painting=item.painting,
        attributes=dict(item.attributes),
        size=(height, width),
        told=f"{width:,} x {height:,} px · {100 * share:.1f} % crack",
        crop=crop_uri(one.image),
        known=(
            Picture(None, "image", f"The image {name}"),
            Picture(truth, "truth", f"Annotation of {name}"),
        ),
        predictions=tuple(_prediction(one, name, method) for method in found),
    )


def _prediction(one: Annotated, name: str, found: Found) -> Prediction:
    result = cast("DetectionResult", found.result)
    image = next((image for image in result.images if image.id == name), None)
    if image is None:
        return Prediction((), 0.0, found.reason(name))
    layer = _layer(_predicted(found, image), one, is_map=result.predicted_classes > 2)
    seen = f"{result.method.label} on {name}: {_seen(layer)}"
    score = detection_score(image, clean=result.set.clean)
    return Prediction((Picture(layer_uri(layer), "", seen),), score, _told(image, result))


def _layer(labels: Labels, one: Annotated, *, is_map: bool) -> Layer:
    """Return what each px counts as: cracks over paint loss, where that is predicted, too."""
    layer = outcome(labels == CRACK, one.mask, one.ignore)
    return np.where(layer == 0, loss_outcome(labels, one.labels, one.ignore), layer) if is_map else layer


def _seen(layer: Layer) -> str:
    """Return a layer in words."""
    counts = np.bincount(layer.ravel(), minlength=len(KINDS)).tolist()
    told = {HIT: "hit", MISS: "missed", FALSE_ALARM: "false alarm"}
    further = {LOSS_HIT: "of paint loss hit", LOSS_MISS: "of it missed", LOSS_FALSE: "of false loss"}
    if any(counts[kind] for kind in further):
        told |= further
    return ", ".join(f"{counts[kind]:,} px {words}" for kind, words in told.items())


def _told(image: ImageCounts, result: DetectionResult) -> str:
    """Return the figures of an image in one line."""
    if result.set.clean:
        return f"{100 * _false_share(image):.2f} % false alarm, in {image.counts.components:,} pieces"
    scores = scores_of(image.counts)
    f1, precision, recall = (scores[f"{kind}@{RANKING_TAU:g}"] for kind in ("f1", "precision", "recall"))
    told = [f"F1@{RANKING_TAU:g}px {f1:.3f}", f"P {precision:.3f}", f"R {recall:.3f}"]
    pixels = figures("pixels", np.array(image.counts.confusion), result.set.classes)
    told += [f"IoU {name} {float(pixels[f'iou:{name}']):.3f}" for name in _further(result)]
    return " · ".join(one.replace(" ", "\N{NO-BREAK SPACE}") for one in told)


def _further(result: DetectionResult) -> tuple[str, ...]:
    """Return the names of the predicted classes but background and cracks."""
    return result.set.classes[2 : result.predicted_classes]


def _predicted(found: Found, image: ImageCounts) -> Labels:
    """Read a prediction: class numbers, or 0 and 255."""
    is_map = cast("DetectionResult", found.result).predicted_classes > 2

    def decode(data: bytes) -> Labels:
        labels = decode_labels(data)
        return labels if is_map else (labels > 0).view(np.uint8)

    return read_answer(found.folder / PREDICTIONS / f"{image.file}.png", image, decode)
