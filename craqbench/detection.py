"""Find cracks in one's own paintings: mask, probability and overlay of each, and one file of figures.

>>> from pathlib import Path
>>> detect([Path("scans")], "craqnet", Path("cracks"))  # doctest: +SKIP
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np

import craqbench
from baselines.protocols import Detector, Image, Mask, MethodError, Scores, checked_predict
from craqbench.engines import Progress
from craqbench.errors import CraqbenchError, SourceError, UsageError
from craqbench.evaluation_methods import describe_method, make_detector, parse_method
from craqbench.overlays import best_colour, overlay
from craqbench.paintings import SUFFIXES, decode_painting
from craqbench.storage import on_disk, write_file

__all__ = ["FIGURES", "STAGE", "Detected", "Detection", "Failure", "detect", "find_images"]

STAGE = "detecting"
"""Stage of `craqbench.engines.Progress`: units are paintings."""

FIGURES = "detection.json"
"""Name of the file of figures."""

KINDS = ("mask", "probability", "overlay")
"""What is drawn of each painting."""


@dataclass(frozen=True, slots=True)
class Detected:
    """What was found in a painting.

    Attributes
    ----------
    image, sha256
        The file as it was given, and its digest.
    width, height
        In px.
    crack_share
        Share of px that are cracks, 0 ... 1.
    crack_px, components
        Px that are cracks, and in how many 8-connected pieces.
    mean_probability
        Over all px.
    seconds
        That the detector took.
    colour
        Of the overlay.
    files
        Kind (mask, probability, overlay) -> name in the folder.
    """

    image: str
    sha256: str
    width: int
    height: int
    crack_share: float
    crack_px: int
    components: int
    mean_probability: float
    seconds: float
    colour: str
    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class Failure:
    """A painting that could not be done, and why."""

    image: str
    reason: str


@dataclass(frozen=True, slots=True)
class Detection:
    """What came of all paintings.

    Attributes
    ----------
    path
        The file of figures.
    done, failed
        In the order of the paintings.
    threshold
        From which score on a px is a crack.
    """

    path: Path
    done: tuple[Detected, ...]
    failed: tuple[Failure, ...]
    threshold: float


def detect(
    images: Sequence[Path],
    method: str,
    out: Path,
    *,
    device: str = "auto",
    threshold: float | None = None,
    progress: Progress | None = None,
) -> Detection:
    """Find cracks in paintings.

    Parameters
    ----------
    images
        Files of any kind that `craqbench.paintings` reads, and folders of such.
    method
        As `craqbench.evaluation_methods.parse_method` takes it.
    out
        Folder for ``NAME-mask.png`` (0 or 255), ``NAME-probability.png`` (16 bits, 65535 is 1),
        ``NAME-overlay.png`` and `FIGURES`; what it holds of other names stays.
    device
        For methods that have such a setting.
    threshold
        In place of the method's own.
    progress
        `STAGE`.

    Raises
    ------
    UsageError
        If the method cannot be used, two paintings would get the same name, or a path is none.
    SourceError
        If a folder cannot be read, or there is nothing to do.
    StorageError
        If the disk is full, read-only or gone. What is written is kept, and told in `FIGURES`.
    """
    spec = parse_method(method)
    if threshold is not None and not 0 <= threshold <= 1:
        raise UsageError(f"threshold {threshold:g}: expected a number from 0 to 1")
    named = _named(list(find_images(images)))
    try:
        detector = make_detector(spec, device)
    except ValueError as error:
        raise UsageError(str(error)) from error
    level = float(detector.threshold) if threshold is None else threshold
    head = {
        "craqbench": craqbench.__version__,
        "method": describe_method(spec, detector).model_dump(mode="json"),
        "device": str(getattr(detector, "device", "cpu")),
        "threshold": level,
    }
    return _Run(detector, level, out, head).do(named, progress)


def find_images(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Yield (file, name without ending) of what is given; of a folder, all images under it, sorted.

    Raises
    ------
    UsageError
        If a path is none.
    SourceError
        If a folder cannot be read, or holds no image.
    """
    for path in paths:
        if path.is_file():
            yield path, path.stem
        elif path.is_dir():
            yield from _inside(path)
        else:
            raise UsageError(f"painting {str(path)!r} does not exist: expected an image file, or a folder")


def _inside(folder: Path) -> Iterator[tuple[Path, str]]:
    def fail(error: OSError) -> None:
        raise SourceError(f"folder {error.filename}: {error.strerror}") from error

    found = []
    for where, folders, files in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(where, n) for n in files if n.lower().endswith(SUFFIXES) and not n.startswith(".")]
    if not found:
        raise SourceError(
            f"folder {str(folder)!r} holds no image: expected files ending in {', '.join(SUFFIXES)}"
        )
    for path in sorted(found):
        yield path, "-".join(path.relative_to(folder).with_suffix("").parts)


def _named(found: Sequence[tuple[Path, str]]) -> list[tuple[Path, str]]:
    """Give each painting a name of its own: its file's, with the ending where two differ in nothing else."""
    if not found:
        raise SourceError("no painting: expected image files, or folders of such")
    once: dict[Path, tuple[Path, str]] = {}
    for path, name in found:
        once.setdefault(path.resolve(), (path, name))
    often = Counter(name.lower() for _, name in once.values())
    named = [
        (path, f"{name}-{path.suffix[1:]}" if often[name.lower()] > 1 else name)
        for path, name in once.values()
    ]
    name, count = Counter(name.lower() for _, name in named).most_common(1)[0]
    if count > 1:
        same = ", ".join(str(path) for path, other in named if other.lower() == name)
        raise UsageError(f"paintings {same} would all be called {name!r}: expected one folder each in --out")
    return named


@dataclass(frozen=True)
class _Run:
    """A detector, and where everything goes."""

    detector: Detector
    threshold: float
    out: Path
    head: dict[str, Any]

    def do(self, named: Sequence[tuple[Path, str]], progress: Progress | None) -> Detection:
        """Do all paintings; figures are written even if it is interrupted."""
        done: list[Detected] = []
        failed: list[Failure] = []
        with on_disk(self.out):
            self.out.mkdir(parents=True, exist_ok=True)
        try:
            for number, (path, name) in enumerate(named):
                if progress:
                    progress(STAGE, number, len(named))
                try:
                    done.append(self._one(path, name))
                except (SourceError, MethodError) as error:
                    failed.append(Failure(str(path), str(error)))
            if progress:
                progress(STAGE, len(named), len(named))
        finally:
            figures = {
                **self.head,
                "images": [asdict(d) for d in done],
                "failed": [asdict(f) for f in failed],
            }
            text = json.dumps(figures, indent=2, ensure_ascii=False)
            write_file(self.out / FIGURES, f"{text}\n".encode())
        return Detection(self.out / FIGURES, tuple(done), tuple(failed), self.threshold)

    def _one(self, path: Path, name: str) -> Detected:
        """Do one painting."""
        try:
            data = path.read_bytes()
            image = decode_painting(data)
        except OSError as error:
            raise SourceError(error.strerror or str(error)) from error
        start = perf_counter()
        scores = checked_predict(self.detector, image, path.name)
        seconds = perf_counter() - start
        mask = scores >= self.threshold
        colour = best_colour(image)
        files = self._write(name, image, scores, mask, colour)
        return Detected(
            image=str(path),
            sha256=hashlib.sha256(data).hexdigest(),
            width=image.shape[1],
            height=image.shape[0],
            crack_share=float(mask.mean()),
            crack_px=int(mask.sum()),
            components=int(cv2.connectedComponents(mask.view(np.uint8), connectivity=8)[0]) - 1,
            mean_probability=float(scores.mean(dtype=np.float64)),
            seconds=round(seconds, 4),
            colour=colour,
            files=files,
        )

    def _write(self, name: str, image: Image, scores: Scores, mask: Mask, colour: str) -> dict[str, str]:
        """Write the pictures of a painting, and return their names by kind."""
        drawn = cv2.cvtColor(overlay(image, mask, colour), cv2.COLOR_RGB2BGR)
        levels = np.rint(scores * np.float32(65535)).astype(np.uint16)
        files = {kind: f"{name}-{kind}.png" for kind in KINDS}
        for kind, picture in zip(KINDS, (mask.view(np.uint8) * np.uint8(255), levels, drawn), strict=True):
            encoded = cv2.imencode(".png", np.asarray(picture))[1]
            write_file(self.out / files[kind], encoded.tobytes())
        return files


def refuse_failures(found: Detection) -> None:
    """Fail if any painting did.

    Raises
    ------
    CraqbenchError
        Naming the first.
    """
    if found.failed:
        first, count = found.failed[0], len(found.failed)
        more = f" (and {count - 1:,} more, see {found.path})" if count > 1 else ""
        raise CraqbenchError(
            f"{count:,} of {count + len(found.done):,} paintings failed: {first.image}: {first.reason}{more}"
        )
