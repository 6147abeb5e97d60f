"""Annotated sets by name: what detectors are scored on.

======================== ================================================================================
``synthetic``            a small fixed set, drawn on the spot: no network, no files
``nga-val``              close-ups of 17th-century oils with masks made for this project
``artefact[@REVISION]``  ARTeFACT, damaged analogue media, from the Hub
``folder:DIR``           anybody's ``DIR/images`` and ``DIR/masks``
``synthetic:DIR``        a dataset of ``craqbench generate``
``clean:DIR``            crack-free paintings, for false alarms
======================== ================================================================================

Options follow, each after a comma: ``nga-val,polarity=light`` keeps the images with that attribute; a name
given twice keeps either value. ``synthetic`` also takes ``n=``, ``artefact`` ``label=`` and ``ignore=``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from craqbench import artefact, nga
from craqbench.annotated_clean import open_clean_folder
from craqbench.annotated_folder import open_annotated_folder
from craqbench.annotated_synthetic import FIXED_SIZE, open_dataset, open_synthetic
from craqbench.errors import UsageError

if TYPE_CHECKING:
    from craqbench.annotations import AnnotatedSet
    from craqbench.engines import Progress

__all__ = ["KNOWN", "NAMES", "Known", "Spec", "open_set", "parse_spec"]

NAMES = ("synthetic", "nga-val", "artefact")
"""Sets that need no folder."""

FOLDERS = ("folder", "synthetic", "clean")
"""Sets that are named by a folder."""

_EXPECTED = ", ".join([*NAMES, *(f"{name}:DIR" for name in FOLDERS)])
_OPTION = re.compile(r",([A-Za-z_]\w*)=([^,]*)$")


@dataclass(frozen=True, slots=True)
class Spec:
    """A set as ``--set`` names it, taken apart.

    Attributes
    ----------
    name
        What kind of set.
    revision, folder
        None where not given.
    options
        (name, values) in the order of first mention.
    """

    name: str
    revision: str | None
    folder: Path | None
    options: dict[str, tuple[str, ...]]

    def take(self, option: str) -> tuple[str, ...]:
        """Remove an option and return its values."""
        return self.options.pop(option, ())


def parse_spec(text: str) -> Spec:
    """Read ``NAME[@REVISION][:DIR][,KEY=VALUE ...]``.

    Raises
    ------
    UsageError
        If there is no such set, or a part is missing or too many.

    Examples
    --------
    >>> parse_spec("artefact@main,material=Canvas,material=Wood").options
    {'material': ('Canvas', 'Wood')}
    >>> parse_spec("folder:scans").folder
    PosixPath('scans')
    """
    rest, options = _split_options(text.strip())
    name, colon, folder = rest.partition(":")
    name, at, revision = name.partition("@")
    known = FOLDERS if colon else NAMES
    if name not in known or (colon and not folder) or (at and not revision):
        raise UsageError(f"set {text!r}: expected one of {_EXPECTED}")
    if at and name != "artefact":
        raise UsageError(f"set {text!r}: {name} has one version: expected no @")
    return Spec(name, revision or None, Path(folder).expanduser() if colon else None, options)


def _split_options(text: str) -> tuple[str, dict[str, tuple[str, ...]]]:
    found: list[tuple[str, str]] = []
    while match := _OPTION.search(text):
        text = text[: match.start()]
        found.append((match[1], match[2].strip()))
    options: dict[str, tuple[str, ...]] = {}
    for name, value in reversed(found):
        options[name] = (*options.get(name, ()), value)
    return text, options


def open_set(spec: str, *, workers: int = 1, progress: Progress | None = None) -> AnnotatedSet:
    """Open an annotated set: list its images and what is known of them; pixels are read by `load`.

    Parameters
    ----------
    spec
        See the module.
    workers, progress
        A folder is read in full once, in parallel where it pays (stage "reading images"); the fixed
        synthetic set is drawn (stage "drawing images").

    Raises
    ------
    UsageError
        If the spec cannot be read, or an option leaves no image.
    AnnotationError
        If the set is absent: the message says how to get it; or if a file is broken.
    """
    wanted = parse_spec(spec)
    opened = (
        _open_folder(wanted, workers, progress) if wanted.folder else _open_named(wanted, workers, progress)
    )
    return opened.where(**wanted.options)


def _open_named(spec: Spec, workers: int, progress: Progress | None) -> AnnotatedSet:
    if spec.name == "nga-val":
        return nga.open_nga()
    if spec.name == "artefact":
        labels, ignore = spec.take("label"), spec.take("ignore")
        return artefact.open_artefact(spec.revision, labels=labels, ignore=ignore)
    counts = spec.take("n") or (str(FIXED_SIZE),)
    if not counts[-1].isdecimal() or not 1 <= int(counts[-1]) <= 1000:
        raise UsageError(f"set synthetic,n={counts[-1]}: expected a number of images from 1 to 1000")
    return open_synthetic(int(counts[-1]), workers, progress)


def _open_folder(spec: Spec, workers: int, progress: Progress | None) -> AnnotatedSet:
    folder = spec.folder or Path()
    if spec.name == "folder":
        return open_annotated_folder(folder, workers, progress)
    if spec.name == "clean":
        return open_clean_folder(folder, workers, progress)
    return open_dataset(folder, progress)


@dataclass(frozen=True, slots=True)
class Known:
    """A set that craqbench knows by name.

    Attributes
    ----------
    name, images, licence, summary
        For people.
    state
        Returns "here", or what is missing and how to get it.
    """

    name: str
    images: str
    licence: str
    summary: str
    state: Callable[[], str]


def _state_of_nga() -> str:
    absent = len(nga.missing(nga.Shipped.here()))
    return f"{absent} images missing: {nga.HOW}" if absent else "here"


def _state_of_artefact() -> str:
    here = artefact.present()
    if not here:
        return "absent: run 'craqbench data fetch artefact' (4.1 GB)"
    return "here" if here == [artefact.REVISION] else "here: " + ", ".join(f"artefact@{v}" for v in here)


KNOWN = (
    Known(
        "synthetic",
        str(FIXED_SIZE),
        "CC0-1.0",
        "drawn on the spot by recipe mixed, no network",
        lambda: "here",
    ),
    Known("nga-val", "20", nga.LICENCE, "close-ups of 17th-century Dutch and Flemish oils", _state_of_nga),
    Known(
        "artefact", "418", artefact.LICENCE, "ARTeFACT: damaged analogue media, WACV 2025", _state_of_artefact
    ),
)
"""The sets that `NAMES` lists."""
