"""Restore one picture, in passes over its rows: find, dilate, fill, write, check.

Between the passes, mask and pixels lie in the folder that is written to, in files that go when the picture is
finished. Names are given at the end, the sidecar's last.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from craqbench.engines import Progress
from craqbench.errors import StorageError, UsageError
from craqbench.restoration_checking import Outside, check
from craqbench.restoration_filling import Change, fill, fills_16_bits, reach
from craqbench.restoration_finding import MOST_SHARE, TILE, WHOLE, Beat, dilate, find, take
from craqbench.restoration_page import page
from craqbench.restoration_records import (
    FORMAT,
    Files,
    describe_libraries,
    digest,
    outdated,
    properties_of,
    statement_of,
)
from craqbench.restoration_settings import Tools
from craqbench.scans import Scan
from craqbench.scans_carrying import Notes
from craqbench.scans_opening import open_scan
from craqbench.scans_rows import Store, scratch, spans
from craqbench.scans_writing import jpeg_settings, write_mask, write_picture
from craqbench.storage import new_file, on_disk, remove_leftovers, write_file

__all__ = ["STAGE", "Meter", "Picture", "make"]

STAGE = "restoring"
"""Stage of `craqbench.engines.Progress`: units are rows of px of all pictures together."""

_SHARES = {"find": 0.8, "fill": 0.1, "write": 0.05, "check": 0.05}
"""Roughly what share of the time goes where."""

_SHARES_WITH_MASK = {"find": 0.0, "fill": 0.4, "write": 0.3, "check": 0.3}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is to be restored.

    Attributes
    ----------
    scan
        The original.
    mask
        What to fill, where that is given.
    files
        What is to be written.
    """

    scan: Scan
    mask: Path | None
    files: Files


class Meter:
    """Counts rows of all pictures, each a little for each thing that is done to it."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0.0
        self.reach(0)

    def beat(self, share: float) -> Beat:
        """Return what counts rows of which a share is done."""
        return lambda rows: self.reach(self._done + share * rows)

    def part(self, rows: float) -> Callable[[float], None]:
        """Return what is told how much of some rows is done, 0 to 1."""
        start = self._done
        return lambda share: self.reach(start + share * rows)

    def reach(self, done: float) -> None:
        """Say that so many rows are done."""
        self._done = done
        if self._progress:
            self._progress(STAGE, min(self._total, round(done)), self._total)


def make(
    picture: Picture, tools: Tools, told: Mapping[str, Any], sha256: str, meter: Meter
) -> dict[str, Any]:
    """Restore a picture, and return its sidecar.

    Parameters
    ----------
    picture
        What is restored, and where to.
    tools
        What finds and fills.
    told
        What the result depends on, for the sidecar.
    sha256
        Of the original.
    meter
        Told of rows that are done.

    Raises
    ------
    SourceError
        If the picture is damaged.
    UsageError
        If a given mask cannot be used, or a mask covers too much.
    MethodError
        If the detector or the filler fails.
    StorageError
        If the disk is full, read-only or gone.
    """
    start = perf_counter()
    remove_leftovers(*picture.files.all)
    before = outdated(picture.files)
    _refuse_small_disk(picture.scan, picture.files.restored.parent, pyramid=tools.told["pyramid"])
    with ExitStack() as stack:
        making = _Making(picture, tools, meter, stack)
        mask = making.mask()
        pixels, change = making.fill(mask)
        record = making.record(change, told, sha256)
        making.write(pixels, mask, change, record)
    record["seconds"] = round(perf_counter() - start, 2)
    text = json.dumps(record, indent=2, ensure_ascii=False)
    write_file(picture.files.record, f"{text}\n".encode())
    if before:
        with on_disk(before):
            before.unlink()
    return record


@dataclass(frozen=True)
class _Making:
    """A picture in the making; what it needs meanwhile goes with the stack."""

    picture: Picture
    tools: Tools
    meter: Meter
    stack: ExitStack

    @property
    def scan(self) -> Scan:
        return self.picture.scan

    def share(self, what: str) -> float:
        """Return the share of the time that something takes."""
        return (_SHARES_WITH_MASK if self.tools.detector is None else _SHARES)[what]

    def store(self, channels: int = 1, bits: int = 8) -> Store:
        """Return rows on the disk."""
        return self.stack.enter_context(
            _stored(self.picture.files.restored.parent, self.scan.width, channels, bits)
        )

    def mask(self) -> Store:
        """Return what is to be filled."""
        mask = self.store()
        if self.picture.mask:
            take(self.picture.mask, self.scan, mask)
        elif self.tools.detector:
            find(
                self.scan,
                self.tools.detector,
                self.tools.threshold,
                mask,
                self.meter.beat(self.share("find")),
            )
        if times := self.tools.told["dilations"]:
            dilated = self.store()
            dilate(self.scan, mask, dilated, times)
            mask = dilated
        _refuse_most(self.scan, mask, given=self.picture.mask is not None)
        return mask

    def fill(self, mask: Store) -> tuple[Store, Change]:
        """Return the filled pixels."""
        pixels = self.store(self.scan.channels, self.scan.bits)
        return pixels, fill(self.scan, mask, self.tools.filler, pixels, self.meter.beat(self.share("fill")))

    def record(self, change: Change, told: Mapping[str, Any], sha256: str) -> dict[str, Any]:
        """Return the sidecar, but what is known only after writing."""
        scan, given = self.scan, self.picture.mask
        record = {
            "format": FORMAT,
            "statement": "",
            "input": {
                "name": scan.path.name,
                "sha256": sha256,
                "format": scan.format,
                "width": scan.width,
                "height": scan.height,
                "channels": scan.channels,
                "bits": scan.bits,
                "orientation": scan.orientation,
            },
            "filled_px": change.filled,
            "filled_share": change.filled / (scan.width * scan.height),
            "changed_px": change.changed,
            "given_mask": given.name if given else None,
            "settings": dict(told),
            "tiles": self.tiles(),
            "versions": describe_libraries(),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        record["statement"] = statement_of(record, self.tools.labels)
        return record

    def tiles(self) -> dict[str, Any]:
        """Return whether tiles had a say in the result."""
        small = self.scan.width * self.scan.height <= WHOLE
        found = None if self.tools.detector is None or small else TILE
        exact = reach(self.tools.filler, 0) is not None
        return {"found_in_tiles_of": found, "filling_same_as_whole": exact or small}

    def write(self, pixels: Store, mask: Store, change: Change, record: dict[str, Any]) -> None:
        """Write picture, mask and page, and complete the sidecar."""
        scan, files, labels = self.scan, self.picture.files, self.tools.labels
        notes = Notes(record["statement"], properties_of(record, labels))
        pixels.finish(scan.colours)
        mask.finish()
        with new_file(files.restored) as restored, new_file(files.mask) as drawn:
            left_out = write_picture(
                scan,
                pixels.path,
                restored,
                notes,
                pyramid=self.tools.told["pyramid"],
                lossless=self.tools.told["lossless"],
                share=self.meter.part(self.share("write") * scan.height),
            )
            write_mask(scan, mask.path, drawn)
            written = open_scan(Path(str(restored.name)))
            views, outside = check(
                scan, written, pixels, mask, change.cells, self.meter.beat(self.share("check"))
            )
            record["output"] = {
                "name": files.restored.name,
                "format": written.format,
                "sha256": digest(Path(str(restored.name))),
                "identical_outside_the_mask": not outside.changed,
            }
            if written.format == "JPEG":
                record["output"]["saved_again"] = self.saved_again(outside, change)
            record["mask"] = {"name": files.mask.name, "sha256": digest(Path(str(drawn.name)))}
            record["left_out"] = list(left_out)
            record["remarks"] = self.remarks(record["output"], left_out)
            files.record.unlink(missing_ok=True)
            write_file(
                files.page, page(scan.path.name, record["statement"], _facts(record, labels), views).encode()
            )

    def saved_again(self, outside: Outside, change: Change) -> dict[str, Any]:
        """Return how a JPEG file was saved, and how it differs from its original outside the mask."""
        quality, halved = jpeg_settings(self.scan.segments)
        known = self.scan.width * self.scan.height - change.filled
        return {
            "quality": quality,
            "subsampling": "4:2:0" if halved else "4:4:4",
            "other_px_changed": outside.changed,
            "other_px_share": outside.changed / known,
            "mean_change": outside.total / known,
            "largest_change": outside.largest,
        }

    def remarks(self, output: Mapping[str, Any], left_out: tuple[str, ...]) -> list[str]:
        """Return what a user ought to know."""
        found, scan = [f"left out: {what}" for what in left_out], self.scan
        if output["format"] != scan.format:
            loss = scan.format in ("JPEG", "WebP")
            why = f": {scan.format} would change every px when it is saved again" if loss else ""
            found.append(f"written as {output['format']}, without loss{why}")
        if "saved_again" in output:
            found.append(
                "JPEG, saved again as finely as before: other px differ a little, too, and the page says how "
                "much; --lossless writes a TIFF file, where none does"
            )
        if scan.bits == 16 and not fills_16_bits(self.tools.filler):
            found.append("filled with 8 of 16 bits: this filler knows no more; the rest keeps its 16 bits")
        return found


@contextmanager
def _stored(folder: Path, width: int, channels: int, bits: int) -> Iterator[Store]:
    """Yield rows in a file that goes when they are no longer needed."""
    with scratch(folder) as path, Store(path, width, channels, bits) as store:
        yield store


def _refuse_small_disk(scan: Scan, folder: Path, *, pyramid: bool) -> None:
    """Refuse a disk that would be full half-way, after hours perhaps."""
    pixels = scan.width * scan.height
    needed = scan.size + 2 * pixels
    needed += int(scan.size * (4 / 3 if pyramid else 1) * (1 if scan.layout.compression == "none" else 0.5))
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(
            f"{scan.path.name} needs about {needed / 1e9:.2g} GB in {folder} while it is restored: "
            f"{free / 1e9:.2g} GB are free there"
        )


def _refuse_most(scan: Scan, mask: Store, *, given: bool) -> None:
    """Refuse a mask that covers most of a picture."""
    pixels = scan.width * scan.height
    filled = sum(int(mask.mask(rows.top, rows.bottom).sum()) for rows in spans(scan.height, TILE, 0))
    if filled > MOST_SHARE * pixels:
        mend = (
            "white on black; is it inverted?" if given else "found by another method, or a higher --threshold"
        )
        raise UsageError(
            f"the mask covers {100 * filled / pixels:.0f} % of the picture: expected cracks, {mend}"
        )


def _facts(record: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, str]:
    """Return what the page tells."""
    original, output, settings = record["input"], record["output"], record["settings"]
    facts = {
        "original": f"{original['name']}, {original['format']}, {original['width']:,} x "
        f"{original['height']:,} px, {original['channels']} channels of {original['bits']} bits",
        "sha256 of the original": original["sha256"],
        "restored": f"{output['name']}, {output['format']}",
        "sha256 of the restored": output["sha256"],
        "filled": f"{record['filled_px']:,} px, {100 * record['filled_share']:.3g} %; "
        f"{record['changed_px']:,} have another colour than before",
        "elsewhere": _elsewhere(output.get("saved_again")),
        "filled by": labels["filled by"],
        "cracks": f"found by {labels['found by']}"
        if labels["found by"]
        else f"given as {record['given_mask']}",
        "mask": f"{record['mask']['name']}, grown by {settings['dilations']} px all around",
        "remarks": "; ".join(record["remarks"]),
        "made": f"{record['time']} with craqbench {record['versions']['craqbench']}",
    }
    return {name: fact for name, fact in facts.items() if fact}


def _elsewhere(again: Mapping[str, Any] | None) -> str:
    """Return what became of the px outside the mask."""
    if again is None:
        return "every px is that of the original: the file was read again and compared"
    return (
        f"saved again as JPEG of quality {again['quality']}, {again['subsampling']}: "
        f"{100 * again['other_px_share']:.3g} % of the other px differ; the mean of all by "
        f"{again['mean_change']:.2g} of 255 levels, the most by {again['largest_change']}"
    )
