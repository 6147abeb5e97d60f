"""Small sets and results that several test files evaluate and compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from annotated_samples import crack_mask, save
from metric_cases import lines
from tiny import smooth_picture

from craqbench.evaluation import Evaluated, Options, evaluate
from craqbench.figures import interval_figures
from craqbench.metrics import TAUS, detection_counts
from craqbench.metrics.filling import filling_counts
from craqbench.metrics.inputs import Mask
from craqbench.result_counts import Counts, ImageCounts, PaintingCounts, counts_of, tables_of
from craqbench.results import (
    CardInfo,
    Curves,
    DetectionResult,
    Failure,
    Fillings,
    Hardware,
    ImageFillings,
    InpaintingResult,
    MethodInfo,
    PaintingFillings,
    Score,
    SetInfo,
    Speed,
    Threshold,
    filling_tables,
    load_result,
)
from generators.triplets import CLASSES

HEIGHT, WIDTH = 72, 96


def write_images(folder: Path, count: int = 4, *, seed: int = 0) -> Path:
    """Write images, number N 96 + N px wide, and masks; each two are of one painting."""
    rows = ["id,painting,polarity,school"]
    for number in range(count):
        size = (WIDTH + number, HEIGHT)
        image, mask = smooth_picture(seed + number, size), crack_mask(seed + number, size)
        image[mask == 255] //= 3
        save(folder / "images" / f"{number}.png", image)
        save(folder / "masks" / f"{number}.png", mask)
        rows.append(f"{number},painting {number // 2},{'dark' if number % 2 else 'light'},Dutch")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return folder


def write_classes(folder: Path, count: int = 3) -> Path:
    """Write images of dark cracks and red paint loss, and masks of three classes with an ignored corner.

    Number N is 80 + N px wide. Of the cracks some are too pale, and some of the paint loss is not red.
    """
    for number in range(count):
        labels = np.zeros((70, 80 + number), np.uint8)
        labels[5 + number], labels[20:30], labels[40:50, :30] = 1, 2, 2
        image = np.array([(220, 220, 220), (0, 0, 0), (200, 30, 30)], np.uint8)[labels]
        image[5 + number, :20], image[40:50, :9], image[60, 9:30], image[65:, 70:] = (
            200,
            210,
            20,
            (200, 30, 30),
        )
        labels[:8, :8] = 128
        save(folder / "images" / f"{number}.png", image)
        save(folder / "masks" / f"{number}.png", labels)
    return folder


def one(method: str, folder: Path, out: Path, **options: Any) -> Evaluated[DetectionResult]:
    """Evaluate one method on a folder."""
    (made,) = evaluate([f"folder:{folder}"], [method], out, Options(**options))
    return made


def loaded(path: Path) -> DetectionResult:
    """Read the result of a detector."""
    result = load_result(path)
    assert isinstance(result, DetectionResult)
    return result


def untimed(path: Path) -> dict[str, Any]:
    """Return a result file's contents without what is measured in seconds."""
    content: dict[str, Any] = json.loads(path.read_bytes())
    del content["speed"]
    return content


def drawn_result(
    label: str,
    *,
    right: npt.ArrayLike = 0.5,
    paintings: int = 6,
    clean: bool = False,
    classes: int = 2,
    **changes: Any,
) -> DetectionResult:
    """Return a result on drawn masks: a share `right` of them is predicted as annotated.

    All results on as many classes have the same annotations; `right` may also be a value for each painting.
    Of the third class half is predicted as annotated, with predicted_classes=3.
    """
    shares = np.broadcast_to(right, paintings)
    asked = changes.get("predicted_classes", 2)
    images = [_image(number, float(share), label, classes, asked) for number, share in enumerate(shares)]
    counts = [image.counts for image in images]
    found = interval_figures(tables_of(counts, clean=clean), CLASSES[:classes], resamples=500)
    zeros = ((0, 0, 0, 1),) * 256
    fields: dict[str, Any] = {
        "format": 1,
        "benchmark": "1",
        "task": "detection",
        "complete": True,
        "set": drawn_set(paintings, clean=clean, classes=CLASSES[:classes]),
        "method": drawn_method(label),
        "threshold": Threshold(value=0.5, origin="method"),
        "scores": {name: Score.of(interval) for name, interval in found.items()},
        "groups": {},
        "speed": Speed(seconds=2.0, pixels=10**6, images=4, seconds_per_megapixel=2.0, fps=2.0, workers=1),
        "command": "craqbench evaluate",
        "policies": {"tolerance": "some"},
        "versions": {"numpy": "2"},
        "hardware": Hardware(
            cpu="any", cores=2, memory_gb=None, system="Linux", machine="x86_64", device="cpu"
        ),
        "predictions_digest": "0" * 64,
        "failures": (),
        "taus": TAUS,
        "paintings": tuple(
            PaintingCounts(painting=image.painting, images=1, counts=image.counts) for image in images
        ),
        "images": tuple(images),
        "second": (),
        "curves": Curves(exact=zeros, tolerant=zeros),
    }
    return DetectionResult(**{**fields, **changes})


def drawn_set(images: int, *, clean: bool = False, **changes: Any) -> SetInfo:
    """Return what a drawn result says of its set."""
    fields: dict[str, Any] = {
        "spec": "clean:drawn" if clean else "folder:drawn",
        "given": "folder:drawn",
        "name": "folder",
        "version": "1",
        "digest": "a" * 64,
        "classes": CLASSES[:2],
        "licence": "CC0-1.0",
        "images": images,
        "paintings": images,
        "clean": clean,
    }
    return SetInfo(**{**fields, **changes})


def drawn_method(label: str, *, version: str = "1", kind: str | None = None) -> MethodInfo:
    """Return what a drawn result says of its method."""
    return MethodInfo(
        label=label,
        name=label,
        version=version,
        given=label,
        settings={},
        card=CardInfo(training_data="none", licence="CC0-1.0", reference="a toy"),
        source_sha256=None,
        kind="sanity" if kind == "sanity" or label in ("none", "all") else "method",
    )


def failed(result: DetectionResult) -> DetectionResult:
    """Return the result of a method that failed on the last image."""
    last = result.images[-1]
    return DetectionResult(
        **{
            **dict(result),
            "complete": False,
            "scores": {},
            "groups": {},
            "failures": (Failure(image=last.id, reason="raised ZeroDivisionError"),),
            "images": result.images[:-1],
            "paintings": result.paintings[:-1],
        }
    )


def _image(number: int, right: float, label: str, classes: int, asked: int) -> ImageCounts:
    rng = np.random.default_rng(number)
    truth = lines((HEIGHT, WIDTH), rng)
    truth[0, :9] = True
    found = _prediction(truth, right, np.random.default_rng([number, len(label)]))
    counts = drawn_counts(found, truth) if classes == 2 else _counts_of_three(found, truth, asked)
    return ImageCounts(
        id=f"image {number}",
        painting=f"painting {number:02}",
        file=f"image{number}",
        attributes={},
        height=HEIGHT,
        width=WIDTH,
        counts=counts,
        prediction_sha256="0" * 64,
    )


def _prediction(truth: Mask, right: float, rng: np.random.Generator) -> Mask:
    """Keep a share of the columns as annotated; the rest is shifted far away."""
    keep = rng.permutation(WIDTH) < right * WIDTH
    return np.where(keep, truth, np.roll(truth, HEIGHT // 2, axis=0))


def drawn_counts(prediction: Mask, truth: Mask) -> Counts:
    """Return the counts of a mask."""
    return counts_of(detection_counts(prediction, truth), int(prediction.any()))


def _counts_of_three(prediction: Mask, truth: Mask, asked: int) -> Counts:
    """Return counts with a band of paint loss below, whose upper half is predicted if asked for."""
    labels, found = truth.view(np.uint8).copy(), prediction.view(np.uint8).copy()
    labels[-20:] = 2
    found[-20:-10] = 2 if asked == 3 else 0
    return counts_of(detection_counts(found, labels, classes=3), 1)


def drawn_inpainting(
    label: str, *, off: npt.ArrayLike = 10, paintings: int = 12, **changes: Any
) -> InpaintingResult:
    """Return a result of an inpainter on drawn masks that is so many levels off in each filled px.

    All results have the same masks; `off` may also be a value for each painting. Every third painting has
    cracks of 1 px only, the last one has none.
    """
    levels = np.broadcast_to(off, paintings)
    images = [_filled(number, int(level), paintings) for number, level in enumerate(levels)]
    found = interval_figures(filling_tables([image.counts for image in images]), (), resamples=500)
    fields: dict[str, Any] = {
        **{name: getattr(drawn_result(label, paintings=paintings), name) for name in _SHARED},
        "task": "inpainting",
        "method": drawn_method(label, kind="sanity" if label in ("none", "mean") else None),
        "scores": {name: Score.of(interval) for name, interval in found.items()},
        "dilations": 0,
        "paintings": tuple(
            PaintingFillings(painting=image.painting, images=1, counts=image.counts) for image in images
        ),
        "images": tuple(images),
    }
    return InpaintingResult(**{**fields, **changes})


_SHARED = (
    *("format", "benchmark", "complete", "set", "groups", "speed", "command", "policies", "versions"),
    *("hardware", "predictions_digest", "failures"),
)


def _filled(number: int, off: int, paintings: int) -> ImageFillings:
    undamaged = smooth_picture(number, (WIDTH, HEIGHT)) // 2 + 64
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    if number < paintings - 1:
        mask[5 + number] = True
        mask[40:44] = number % 3 > 0
    filled, damaged = undamaged.copy(), undamaged.copy()
    filled[mask] += np.uint8(off)
    damaged[mask] //= 3
    return ImageFillings(
        id=f"image {number}",
        painting=f"painting {number:02}",
        file=f"image{number}",
        attributes={},
        height=HEIGHT,
        width=WIDTH,
        counts=Fillings.of(filling_counts(filled, undamaged, damaged, mask)),
        prediction_sha256="0" * 64,
    )
