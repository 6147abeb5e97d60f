"""Virtual restoration of one's own paintings, of any size: find the cracks, fill them, and say so.

>>> from pathlib import Path
>>> restore([Path("scan.tif")], Path("restored"))  # doctest: +SKIP

For each picture there is the restored one (like its original in format, depth, colour profile, resolution
and EXIF, and bit by bit outside the mask, unless that is JPEG), the mask, a before/after page, and a sidecar
that says what was changed, by what, and how much. An original is never written to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from baselines.protocols import MethodError
from craqbench.detection import Failure, _named, find_images
from craqbench.engines import Progress
from craqbench.errors import CraqbenchError, SourceError, UsageError
from craqbench.restoration_making import STAGE, Meter, Picture, make
from craqbench.restoration_records import Files, digest, refuse_others, settled
from craqbench.restoration_settings import Settings, Tools, make_tools
from craqbench.scans import Scan
from craqbench.scans_opening import is_ours, open_scan
from craqbench.scans_rows import SCRATCH
from craqbench.scans_writing import output_format
from craqbench.storage import on_disk, remove_leftovers

__all__ = ["STAGE", "Restoration", "Restored", "Settings", "refuse_failures", "restore"]


@dataclass(frozen=True, slots=True)
class Restored:
    """A restored picture.

    Attributes
    ----------
    image
        The original as it was given.
    width, height
        In px, as stored.
    filled_px, changed_px
        Px in the mask, and how many of them have another colour now.
    seconds
        That it took; None if it was there already.
    files
        What was written.
    remarks
        What a user ought to know, such as what could not be carried to the new file.
    """

    image: str
    width: int
    height: int
    filled_px: int
    changed_px: int
    seconds: float | None
    files: Files
    remarks: tuple[str, ...] = ()

    @property
    def filled_share(self) -> float:
        """Share of all px that are in the mask, 0 to 1."""
        return self.filled_px / (self.width * self.height)


@dataclass(frozen=True, slots=True)
class Restoration:
    """What came of all pictures, in their order."""

    out: Path
    done: tuple[Restored, ...]
    failed: tuple[Failure, ...]


def restore(
    images: Sequence[Path],
    out: Path,
    settings: Settings | None = None,
    *,
    redo: bool = False,
    progress: Progress | None = None,
) -> Restoration:
    """Restore pictures.

    Parameters
    ----------
    images
        TIFF, PNG, JPEG and WebP files, and folders of such, of which what this program made is left out.
    out
        Folder for ``NAME-restored.*``, ``NAME-mask.png``, ``NAME-before-after.html`` and
        ``NAME-restored.json``; what it holds of other names stays. It may be the folder of the originals.
    settings
        How.
    redo
        Whether pictures are made again that are there, whatever their settings were. Otherwise those of the
        same settings are kept, and those of others are refused.
    progress
        `STAGE`.

    Raises
    ------
    UsageError
        If a method, a setting, a path or a mask cannot be used, or a picture is there that was made
        otherwise.
    SourceError
        If a folder cannot be read, or there is nothing to do.
    StorageError
        If the disk is full, read-only or gone. What is finished is kept.
    """
    settings = settings or Settings()
    jobs = _jobs(images, settings.mask)
    tools = make_tools(settings)
    with on_disk(out):
        out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out / SCRATCH)
    return _Run(tools, out, redo, progress).do(jobs)


def refuse_failures(found: Restoration) -> None:
    """Fail if any picture did.

    Raises
    ------
    CraqbenchError
        Naming the first.
    """
    if found.failed:
        first, count = found.failed[0], len(found.failed)
        raise CraqbenchError(
            f"{count:,} of {count + len(found.done):,} paintings failed: {first.image}: {first.reason}"
        )


@dataclass(frozen=True, slots=True)
class _Job:
    """A picture that was asked for."""

    path: Path
    name: str
    mask: Path | None


def _jobs(images: Sequence[Path], mask: Path | None) -> list[_Job]:
    """Return what is to be done."""
    if mask is not None and not mask.exists():
        raise UsageError(f"mask {str(mask)!r} does not exist: expected a picture, or a folder of such")
    given = {path for path in images if path.is_file()}
    found = [(path, name) for path, name in find_images(images) if path in given or not is_ours(path)]
    named = _named(found)
    if mask is None:
        return [_Job(path, name, None) for path, name in named]
    if mask.is_dir():
        return [_Job(path, name, _mask_of(name, mask)) for path, name in named]
    if len(named) > 1:
        raise UsageError(
            f"mask {mask} for {len(named)} paintings: expected one painting, or a folder of masks"
        )
    return [_Job(path, name, mask) for path, name in named]


def _mask_of(name: str, folder: Path) -> Path:
    """Return the mask of a picture: ``NAME-mask.*``, as `detect` and `restore` write it, or ``NAME.*``."""
    for stem in (f"{name}-mask", name):
        for suffix in (".png", ".tif", ".tiff"):
            if (path := folder / f"{stem}{suffix}").is_file():
                return path
    raise UsageError(f"folder {folder} holds no mask of {name}: expected {name}-mask.png or {name}.png")


@dataclass(frozen=True)
class _Run:
    """What restores all pictures, and where everything goes."""

    tools: Tools
    out: Path
    redo: bool
    progress: Progress | None

    def do(self, jobs: Sequence[_Job]) -> Restoration:
        """Restore all pictures; one that fails does not stop the others."""
        pictures = [self._picture(job) for job in jobs]
        self._refuse(jobs, pictures)
        heights = [picture.scan.height if isinstance(picture, Picture) else 0 for picture in pictures]
        meter = Meter(self.progress, sum(heights))
        done, failed = list[Restored](), list[Failure]()
        for job, picture, end in zip(jobs, pictures, accumulate(heights), strict=True):
            try:
                done.append(self._one(job, picture, meter))
            except (SourceError, UsageError, MethodError) as error:
                failed.append(Failure(str(job.path), str(error)))
            meter.reach(end)
        return Restoration(self.out, tuple(done), tuple(failed))

    def _refuse(self, jobs: Sequence[_Job], pictures: Sequence[Picture | SourceError]) -> None:
        """Refuse to write over what must not be lost, before any work is done."""
        read = [path for job in jobs for path in (job.path, job.mask) if path]
        inodes = {(status.st_dev, status.st_ino) for status in (path.stat() for path in read)}
        for picture in pictures:
            if isinstance(picture, SourceError):
                continue
            for path in picture.files.all:
                if path.exists() and (path.stat().st_dev, path.stat().st_ino) in inodes:
                    raise UsageError(
                        f"{path} is to be read, and would be written over: expected another --out"
                    )
            refuse_others(picture.files, self._told(picture), redo=self.redo)

    def _picture(self, job: _Job) -> Picture | SourceError:
        """Open a picture, or return why that cannot be."""
        if is_ours(job.path):
            return SourceError("made by craqbench restore: expected the original, or the scan of one")
        try:
            scan = open_scan(job.path)
        except SourceError as error:
            return error
        return Picture(scan, job.mask, Files.of(self.out, job.name, self._suffix(scan)))

    def _suffix(self, scan: Scan) -> str:
        """Return the ending of a restored picture: that of its original, if the format is the same."""
        told = self.tools.told
        kind = output_format(scan, pyramid=told["pyramid"], lossless=told["lossless"])
        known = {"TIFF": (".tif", ".tiff"), "PNG": (".png",), "JPEG": (".jpg", ".jpeg")}[kind]
        return scan.path.suffix if scan.path.suffix.lower() in known else known[0]

    def _told(self, picture: Picture) -> Mapping[str, Any]:
        """Return what the result depends on."""
        given = {"mask": digest(picture.mask)} if picture.mask else {}
        return {**self.tools.told, **given}

    def _one(self, job: _Job, picture: Picture | SourceError, meter: Meter) -> Restored:
        """Restore a picture, unless it is there."""
        if isinstance(picture, SourceError):
            raise picture
        told, sha256 = self._told(picture), digest(job.path)
        record = None if self.redo else settled(picture.files, told, sha256)
        made = record is None
        if record is None:
            record = make(picture, self.tools, told, sha256, meter)
        return Restored(
            image=str(job.path),
            width=picture.scan.width,
            height=picture.scan.height,
            filled_px=record["filled_px"],
            changed_px=record["changed_px"],
            seconds=record["seconds"] if made else None,
            files=picture.files,
            remarks=tuple(record["remarks"]),
        )
