"""The pictures of inpainters in a report: what was filled, and how it differs from the undamaged picture.

An inpainter leaves all px outside its mask as they are: only what it has changed is laid over the damaged
picture. So all is shown at full size and without loss, and the page stays small.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as Pictures

from baselines.protocols import Image, Mask
from craqbench.annotations import AnnotatedSet
from craqbench.codecs import decode_image
from craqbench.errors import AnnotationError
from craqbench.evaluation_records import FILLINGS
from craqbench.metrics.filling import HIGHEST_PSNR
from craqbench.report_answers import Found, read_answer
from craqbench.report_shots import Picture, Prediction, Shot
from craqbench.results import ImageFillings, InpaintingResult, filling_scores_of

__all__ = ["GAIN", "WINDOW", "difference", "filling_score", "filling_shot", "window_of"]

WINDOW = 320
"""Longest side in px of what is shown of a picture: where most is wrong."""

GAIN = 2
"""How much differences are enlarged."""

GREY = 128

EFFORT = 20
"""Of 100: more makes the page hardly smaller, and takes much longer."""


def filling_score(image: ImageFillings) -> float:
    """Return what an image is ranked by; higher is better, and one without damage is as good as can be."""
    value = filling_scores_of(image.counts)["psnr:mask"]
    return HIGHEST_PSNR if np.isnan(value) else value


def filling_shot(opened: AnnotatedSet, name: str, found: Sequence[Found]) -> Shot:
    """Return an image with what inpainters made of it.

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
        If a filling is gone, broken, or not the one that was scored.
    AnnotationError
        If the image is not known without its damage.
    """
    item = next(item for item in opened.items if item.id == name)
    one = opened.load(item)
    if one.undamaged is None:
        raise AnnotationError(f"image {name!r} is not known without its damage: expected it to be")
    answers = [_answer(method, name) for method in found]
    filled = [answer for answer in answers if answer is not None]
    window = window_of(filled or [one.image], one.undamaged, WINDOW)
    damaged, undamaged, mask = one.image[window], one.undamaged[window], one.damage[window]
    changed = _layer(undamaged, np.asarray((undamaged != damaged).any(axis=2)))
    return Shot(
        id=name,
        painting=item.painting,
        attributes=dict(item.attributes),
        size=(damaged.shape[0], damaged.shape[1]),
        told=_told_of(one.image, one.damage, window),
        crop=_webp(damaged),
        known=(
            Picture(None, "damaged", f"{name} with its damage"),
            Picture(changed, "undamaged", f"{name} without its damage", "over"),
        ),
        predictions=tuple(
            _failed(method, name)
            if answer is None
            else _prediction(method, name, answer[window], damaged, undamaged, mask)
            for method, answer in zip(found, answers, strict=True)
        ),
    )


def _answer(found: Found, name: str) -> Image | None:
    image = next((image for image in found.result.images if image.id == name), None)
    if image is None:
        return None
    return read_answer(found.folder / FILLINGS / f"{image.file}.png", image, decode_image)


def _failed(found: Found, name: str) -> Prediction:
    return Prediction((), 0.0, found.reason(name))


def _prediction(
    found: Found, name: str, filled: Image, damaged: Image, undamaged: Image, mask: Mask
) -> Prediction:
    result = cast("InpaintingResult", found.result)
    image = next(image for image in result.images if image.id == name)
    label = f"{result.method.label} on {name}"
    changed = np.asarray((filled != damaged).any(axis=2))
    error = float(np.abs(filled.astype(int) - undamaged)[mask].mean()) if mask.any() else 0.0
    seen = f"{label}: in the mask {error:.1f} levels off on average"
    pictures = (
        Picture(_layer(filled, changed), "", f"{label}, filled", "over"),
        Picture(difference(filled, undamaged, changed | mask), "", seen, "alone"),
    )
    return Prediction(pictures, filling_score(image), _told(image))


def _told_of(image: Image, damage: Mask, window: tuple[slice, slice]) -> str:
    """Return the size of an image, what of it is shown, and how much is damaged."""
    height, width = image.shape[:2]
    told = [f"{width:,} x {height:,} px"]
    rows, columns = window
    if (rows.stop - rows.start, columns.stop - columns.start) != (height, width):
        told.append(f"shown from {columns.start:,} px from the left and {rows.start:,} px from the top on")
    return " · ".join([*told, f"{100 * damage.mean():.1f} % damaged"])


def _told(image: ImageFillings) -> str:
    """Return the figures of an image in one line."""
    scores = filling_scores_of(image.counts)
    if np.isnan(scores["psnr:mask"]):
        return "nothing to fill"
    told = {"PSNR": f"{scores['psnr:mask']:.2f} dB", "MAE": f"{scores['mae:mask']:.2f}"}
    told |= {name.upper(): f"{scores[f'{name}:mask']:.3f}" for name in ("ssim", "vif", "lpips")}
    shown = [f"{name} {value}" for name, value in told.items() if value != "nan"]
    return " · ".join(one.replace(" ", "\N{NO-BREAK SPACE}") for one in shown)


def window_of(filled: Sequence[Image], undamaged: Image, longest: int) -> tuple[slice, slice]:
    """Return the window of a picture, at most so many px high and wide, with the largest squared error.

    Parameters
    ----------
    filled
        (H, W, 3) uint8 each; errors are added.
    undamaged
        (H, W, 3) uint8.
    longest
        In px.
    """
    height, width = undamaged.shape[:2]
    rows, columns = min(height, longest), min(width, longest)
    if (rows, columns) == (height, width):
        return slice(0, height), slice(0, width)
    error = sum(np.square(one.astype(np.float64) - undamaged).sum(axis=2) for one in filled)
    sums = cv2.integral(np.asarray(error, np.float64))
    inside = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    top, left = np.unravel_index(int(np.argmax(inside)), inside.shape)
    return slice(int(top), int(top) + rows), slice(int(left), int(left) + columns)


def difference(filled: Image, undamaged: Image, where: Mask) -> str:
    """Return a ``data:`` address of grey + `GAIN` times the difference, transparent but for some px."""
    signed = filled.astype(np.int16) - undamaged
    return _layer(np.clip(GREY + GAIN * signed, 0, 255).astype(np.uint8), where)


def _layer(picture: Image, where: Mask) -> str:
    return _webp(np.dstack([np.where(where[..., None], picture, 0), where * np.uint8(255)]))


def _webp(picture: npt.NDArray[np.uint8]) -> str:
    encoded = io.BytesIO()
    Pictures.fromarray(picture).save(encoded, "WEBP", lossless=True, quality=EFFORT, method=2, exact=True)
    return f"data:image/webp;base64,{base64.b64encode(encoded.getvalue()).decode('ascii')}"
