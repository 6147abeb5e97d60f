"""Restoring files: what is written, what stays, what is refused, and what happens when it is interrupted."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest
from restoration_samples import read
from scan_samples import PROFILE, cracked, exif, pixels, tiff

from baselines.inpainting.diffusion import Diffusion
from craqbench import restoration_filling, restoration_finding, restoration_making
from craqbench.errors import CraqbenchError, SourceError, StorageError, UsageError
from craqbench.restoration import STAGE, Restoration, Settings, refuse_failures, restore
from craqbench.storage import leftovers

DARK = Settings(method="restoration_samples:Dark", dilate=0)
KINDS = ("restored.tif", "mask.png", "before-after.html", "restored.json")


def damaged(path: Path, **options: Any) -> Path:
    """Write a picture with cracks, in the format that its name tells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        return tiff(path, cracked(pixels())[0], **options)
    PIL.Image.fromarray(cracked(pixels())[0]).save(path, **options)
    return path


def everything(folder: Path) -> dict[str, str]:
    """Return the digests of all files under a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def failure(found: Restoration) -> str:
    """Return why the only picture failed."""
    assert not found.done
    return found.failed[0].reason


def record_of(folder: Path, name: str = "a") -> dict[str, Any]:
    """Return a sidecar."""
    found: dict[str, Any] = json.loads((folder / f"{name}-restored.json").read_text())
    return found


# -- what comes out -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg", "a.webp"])
def test_restored(tmp_path: Path, name: str) -> None:
    """Cracks are filled as the filler fills them, everything else is the original; so says the sidecar."""
    path = damaged(tmp_path / name, **({} if name == "a.tif" else {"exif": exif(), "icc_profile": PROFILE}))
    image = read(path)
    mask = (image[..., :3].max(axis=2) < 20) if name in ("a.tif", "a.png") else None
    settings = DARK if mask is not None else replace(DARK, method="tophat", lossless=True)
    found = restore([path], tmp_path / "out", settings)
    (one,) = found.done
    assert one.files.restored.name == ("a-restored.png" if name == "a.png" else "a-restored.tif")
    with PIL.Image.open(one.files.mask) as picture:
        holes = np.asarray(picture)
    after, record = read(one.files.restored), record_of(tmp_path / "out")
    np.testing.assert_array_equal(after, Diffusion().fill(image, holes))
    if mask is not None:
        np.testing.assert_array_equal(holes, mask)
    assert one.filled_px == record["filled_px"] == holes.sum()
    assert one.changed_px == record["changed_px"] == (after != image).any(axis=2).sum()
    assert record["filled_share"] == pytest.approx(holes.mean())
    assert record["output"]["identical_outside_the_mask"]
    for kind, file in (("output", one.files.restored), ("mask", one.files.mask), ("input", path)):
        assert record[kind]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert record[kind]["name"] == file.name
    assert ("without loss" in " ".join(one.remarks)) == (name in ("a.jpg", "a.webp"))


@pytest.mark.parametrize("subsampling", [0, 2])
def test_jpeg_stays_jpeg(tmp_path: Path, subsampling: int) -> None:
    """A JPEG file is saved as finely as it was; how it then differs outside the mask is told as it is."""
    image, mask = cracked(pixels(160, 200), share=0.01)
    path = tmp_path / "a.JPG"
    PIL.Image.fromarray(image).save(path, "JPEG", quality=83, subsampling=subsampling, exif=exif(6))
    PIL.Image.fromarray(mask).save(tmp_path / "m.png")
    PIL.Image.open(tmp_path / "m.png").transpose(PIL.Image.Transpose.ROTATE_270).save(tmp_path / "m.png")
    (one,) = restore([path], tmp_path / "out", Settings(mask=tmp_path / "m.png", dilate=1)).done
    assert one.files.restored.name == "a-restored.JPG"
    before, after = read(path).astype(int), read(one.files.restored)
    holes = cv2.dilate(mask.view(np.uint8), np.ones((3, 3), np.uint8)) > 0
    difference = np.abs(after - before)[~holes]
    output = record_of(tmp_path / "out")["output"]
    assert not output["identical_outside_the_mask"]
    assert output["saved_again"] == {
        "quality": 83,
        "subsampling": "4:2:0" if subsampling else "4:4:4",
        "other_px_changed": difference.any(axis=1).sum(),
        "other_px_share": pytest.approx(difference.any(axis=1).mean()),
        "mean_change": pytest.approx(difference.mean()),
        "largest_change": difference.max(),
    }
    want = Diffusion().fill(before.astype(np.uint8), holes)
    assert np.abs(after - want.astype(int))[holes].mean() < 4
    if not subsampling:  # blocks of 8 x 8 px without a filled one come out as they went in
        blocks = holes.reshape(20, 8, 25, 8).any(axis=(1, 3)).repeat(8, 0).repeat(8, 1)
        assert (after == before)[~blocks].mean() > 0.99
    assert failure(restore([one.files.restored], tmp_path, DARK)).startswith("made by craqbench restore")


def test_redo_in_another_format(tmp_path: Path) -> None:
    """A picture made again in another format replaces the one before, unless that was edited since."""
    path, out = damaged(tmp_path / "a.jpg"), tmp_path / "out"
    settings = replace(DARK, method="tophat")
    restore([path], out, settings)
    restore([path], out, replace(settings, lossless=True), redo=True)
    names = [f"a-{kind}" for kind in KINDS]
    assert sorted(path.name for path in out.iterdir()) == sorted(names)
    (out / "a-restored.tif").write_bytes(b"edited")
    restore([path], out, settings, redo=True)
    assert sorted(path.name for path in out.iterdir()) == sorted([*names, "a-restored.jpg"])


def test_the_sidecar_says_by_what(tmp_path: Path) -> None:
    """Names, versions, settings, dilations and libraries are told, and no folder of this machine."""
    settings = Settings(method="tophat,level=90", fill="diffusion,steps=7", dilate=2, threshold=0.5)
    restore([damaged(tmp_path / "in" / "a.tif")], tmp_path / "out", settings)
    record = record_of(tmp_path / "out")
    assert record["settings"]["find"]["settings"]["level"] == 90
    assert record["settings"]["fill"]["settings"]["steps"] == 7
    assert record["settings"]["fill"]["version"] == Diffusion.version
    assert (record["settings"]["dilations"], record["settings"]["threshold"]) == (2, 0.5)
    assert set(record["versions"]) == {"craqbench", "numpy", "opencv", "libvips"}
    assert str(tmp_path) not in json.dumps(record)
    assert record["statement"].startswith("VIRTUAL RESTORATION, not the original")


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    """The restored file's own description is the sidecar's statement."""
    restore([damaged(tmp_path / "a.tif")], tmp_path, DARK)
    with PIL.Image.open(tmp_path / "a-restored.tif") as picture:
        assert picture.getexif()[270] == record_of(tmp_path)["statement"]
        assert "virtual restoration" in picture.getexif()[305]


def test_nothing_to_fill(tmp_path: Path) -> None:
    """A picture without cracks comes out as it is, px by px; the sidecar says that nothing was filled."""
    path = tiff(tmp_path / "a.tif", pixels())
    (one,) = restore([path], tmp_path, DARK).done
    assert (one.filled_px, one.changed_px) == (0, 0)
    np.testing.assert_array_equal(read(one.files.restored), pixels())


def test_dilations(tmp_path: Path) -> None:
    """A mask that is found is dilated once, one that is given not at all, unless it is asked for."""
    image, mask = cracked(pixels())
    path = tiff(tmp_path / "a.tif", image)
    PIL.Image.fromarray(mask).save(tmp_path / "m.png")
    counts = []
    for number, settings in enumerate(
        (Settings(method=DARK.method), DARK, Settings(mask=tmp_path / "m.png"))
    ):
        (one,) = restore([path], tmp_path / str(number), settings).done
        counts.append(one.filled_px)
    (one,) = restore([path], tmp_path / "last", Settings(mask=tmp_path / "m.png", dilate=1)).done
    assert counts == [one.filled_px, mask.sum(), mask.sum()]
    assert one.filled_px > mask.sum()


def test_a_folder_of_masks(tmp_path: Path) -> None:
    """Each painting has its mask in a folder, called as `detect` and `restore` call it, or as itself."""
    for name, seed in (("a", 0), ("b", 1)):
        image, mask = cracked(pixels(seed=seed), seed=seed)
        tiff(tmp_path / f"{name}.tif", image)
        (tmp_path / "masks").mkdir(exist_ok=True)
        PIL.Image.fromarray(mask).save(tmp_path / "masks" / ("a-mask.png" if name == "a" else "b.tif"))
    paths = [tmp_path / "a.tif", tmp_path / "b.tif"]
    found = restore(paths, tmp_path / "out", Settings(mask=tmp_path / "masks"))
    assert [one.filled_px for one in found.done] == [cracked(pixels(), seed=seed)[1].sum() for seed in (0, 1)]
    with pytest.raises(UsageError, match=r"for 2 paintings: expected one painting, or a folder of masks"):
        restore(paths, tmp_path / "out", Settings(mask=tmp_path / "masks" / "b.tif"))
    (tmp_path / "masks" / "b.tif").unlink()
    with pytest.raises(UsageError, match=r"holds no mask of b: expected b-mask\.png or b\.png"):
        restore(paths, tmp_path / "out", Settings(mask=tmp_path / "masks"))


def test_16_bits(tmp_path: Path) -> None:
    """16 bits stay 16 bits; a filler that fills 8 of them is told of."""
    image, mask = cracked(pixels(bits=16))
    tiff(tmp_path / "a.tif", image)
    PIL.Image.fromarray(mask).save(tmp_path / "m.png")
    settings = Settings(mask=tmp_path / "m.png", fill="restoration_samples:Real")
    (one,) = restore([tmp_path / "a.tif"], tmp_path / "out", settings).done
    after = read(one.files.restored)
    assert after.dtype == np.uint16
    np.testing.assert_array_equal(after[~mask], image[~mask])
    assert not one.remarks
    (one,) = restore([tmp_path / "a.tif"], tmp_path / "2", replace(settings, fill="telea")).done
    assert one.remarks == ("filled with 8 of 16 bits: this filler knows no more; the rest keeps its 16 bits",)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("fill", ["mtm", "diffusion"])
def test_tiles_are_the_whole(tmp_path: Path, bits: int, fill: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found, dilated and filled in tiles, a picture comes out as in one piece, and the mask too."""
    path = tiff(tmp_path / "a.tif", cracked(pixels(200, 300, bits=bits))[0])
    settings = Settings(method="restoration_samples:Blurred", threshold=0.3, fill=fill)
    (whole,) = restore([path], tmp_path / "whole", settings).done
    for name, number in (("WHOLE", 0), ("TILE", 64), ("MARGIN", 15)):
        monkeypatch.setattr(restoration_finding, name, number)
    for name, number in (("WHOLE", 0), ("TILE", 64), ("_GRID", 1)):
        monkeypatch.setattr(restoration_filling, name, number)
    (tiled,) = restore([path], tmp_path / "tiled", settings).done
    assert tiled.filled_px == whole.filled_px > 0
    np.testing.assert_array_equal(read(tiled.files.restored), read(whole.files.restored))
    assert tiled.files.mask.read_bytes() == whole.files.mask.read_bytes()


def test_progress(tmp_path: Path) -> None:
    """One bar counts the rows of all pictures, never back, and ends at all of them."""
    seen = list[tuple[str, int, int]]()
    paths = [damaged(tmp_path / "a.tif"), damaged(tmp_path / "b.png"), tmp_path / "c.tif"]
    paths[2].write_text("none")
    restore(paths, tmp_path / "out", DARK, progress=lambda *one: seen.append(one))
    assert {(stage, total) for stage, _, total in seen} == {(STAGE, 140)}
    counts = [done for _, done, _ in seen]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 140)


# -- originals are never touched ----------------------------------------------------------------------------


def test_the_folder_of_the_originals(tmp_path: Path) -> None:
    """Restored pictures may lie among their originals, which stay, and are no originals next time."""
    for name in ("a.tif", "b.png"):
        damaged(tmp_path / name)
    before = everything(tmp_path)
    assert len(restore([tmp_path], tmp_path, DARK).done) == 2
    after = everything(tmp_path)
    assert {name: after[name] for name in before} == before
    again = restore([tmp_path], tmp_path, DARK)
    assert [one.seconds for one in again.done] == [None, None]
    assert everything(tmp_path) == after


def test_a_restored_picture_is_no_original(tmp_path: Path) -> None:
    """Given by name, a restored picture is refused."""
    restore([damaged(tmp_path / "a.tif")], tmp_path, DARK)
    found = restore([tmp_path / "a-restored.tif"], tmp_path / "out", DARK)
    assert failure(found) == "made by craqbench restore: expected the original, or the scan of one"


@pytest.mark.parametrize("redo", [False, True])
def test_what_others_made_stays(tmp_path: Path, redo: bool) -> None:  # noqa: FBT001  a case
    """A file that another program made is not written over, whatever it is called."""
    path = damaged(tmp_path / "a.tif")
    for name in ("a-restored.tif", "a-mask.png"):
        other = damaged(tmp_path / "out" / name)
        before = everything(tmp_path)
        with pytest.raises(UsageError, match=f"{name} is there, and was not made by craqbench restore"):
            restore([path], tmp_path / "out", DARK, redo=redo)
        assert everything(tmp_path) == before
        other.unlink()


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_links_to_originals(tmp_path: Path, link: Any) -> None:
    """A name that leads to an original or to a mask that is read is never written to."""
    path = damaged(tmp_path / "a.tif")
    (tmp_path / "out").mkdir()
    link(path, tmp_path / "out" / "a-restored.tif")
    before = everything(tmp_path)
    with pytest.raises(UsageError, match="is to be read, and would be written over: expected another --out"):
        restore([path], tmp_path / "out", DARK, redo=True)
    assert everything(tmp_path) == before


def test_an_edited_mask_stays(tmp_path: Path) -> None:
    """A mask that is given is not replaced by what becomes of it."""
    path = damaged(tmp_path / "a.tif")
    restore([path], tmp_path / "out", DARK)
    mask = tmp_path / "out" / "a-mask.png"
    with pytest.raises(UsageError, match=r"a-mask\.png is to be read, and would be written over"):
        restore([path], tmp_path / "out", Settings(mask=mask, dilate=3), redo=True)


# -- again --------------------------------------------------------------------------------------------------


def test_what_is_finished_is_kept(tmp_path: Path) -> None:
    """The same command again does nothing; what is missing is made again."""
    path = damaged(tmp_path / "a.tif")
    restore([path], tmp_path / "out", DARK)
    before = everything(tmp_path)
    assert restore([path], tmp_path / "out", DARK).done[0].seconds is None
    assert everything(tmp_path) == before
    (tmp_path / "out" / "a-before-after.html").unlink()
    assert restore([path], tmp_path / "out", DARK).done[0].seconds is not None
    after = everything(tmp_path)
    assert after["out/a-mask.png"] == before["out/a-mask.png"]
    assert set(after) == set(before)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (replace(DARK, dilate=2), "was made with dilations 0, not 2"),
        (replace(DARK, fill="mtm"), r"was made with fill diffusion .*, not mtm \(version"),
        (replace(DARK, fill="diffusion,steps=5"), r"not diffusion,steps=5 \(version"),
        (replace(DARK, threshold=0.25), r"was made with threshold 0\.5, not 0\.25"),
        (replace(DARK, pyramid=True), "was made with pyramid False, not True"),
        (replace(DARK, lossless=True), "was made with lossless False, not True"),
    ],
)
def test_other_settings_are_refused(tmp_path: Path, other: Settings, words: str) -> None:
    """What was made otherwise is not written over unless it is asked for; before anything is done."""
    path = damaged(tmp_path / "a.tif")
    restore([path], tmp_path / "out", DARK)
    before = everything(tmp_path)
    with pytest.raises(UsageError, match=f"{words}.*: expected another --out, or --redo to make it again"):
        restore([path], tmp_path / "out", other)
    assert everything(tmp_path) == before
    assert restore([path], tmp_path / "out", other, redo=True).done[0].seconds is not None


def test_another_original_of_the_same_name(tmp_path: Path) -> None:
    """A painting that was scanned anew is not taken for the one that was restored."""
    path = damaged(tmp_path / "a.tif")
    restore([path], tmp_path / "out", DARK)
    tiff(path, cracked(pixels(seed=5))[0])
    assert "another painting, or of another version of this one" in failure(
        restore([path], tmp_path / "out", DARK)
    )


def test_a_restored_picture_that_was_touched_up(tmp_path: Path) -> None:
    """A restored picture that has been edited since is not written over."""
    path = damaged(tmp_path / "a.tif")
    (one,) = restore([path], tmp_path / "out", DARK).done
    with one.files.restored.open("ab") as file:
        file.write(b"\0")
    assert "has been changed since it was made" in failure(restore([path], tmp_path / "out", DARK))


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "craqbench restoration 0"}', "\0"])
def test_a_sidecar_that_is_none(tmp_path: Path, text: str) -> None:
    """A file in the sidecar's place is refused."""
    path = damaged(tmp_path / "a.tif")
    (tmp_path / "a-restored.json").write_text(text)
    with pytest.raises(UsageError, match="is no sidecar of this version of craqbench"):
        restore([path], tmp_path, DARK)


# -- bad input ----------------------------------------------------------------------------------------------


def test_one_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    """What can be done is done; the rest is told, and is an error in the end."""
    paths = [damaged(tmp_path / "a.tif"), tmp_path / "b.tif", damaged(tmp_path / "c.png")]
    PIL.Image.fromarray(pixels()).convert("CMYK").save(paths[1])
    found = restore(paths, tmp_path / "out", DARK)
    assert [Path(one.image).name for one in found.done] == ["a.tif", "c.png"]
    with pytest.raises(
        CraqbenchError, match=r"1 of 3 paintings failed: .*b\.tif: CMYK: expected RGB or grey"
    ):
        refuse_failures(found)


def test_a_picture_that_is_cut_off(tmp_path: Path) -> None:
    """Damage that shows only while px are read leaves nothing behind."""
    damaged(tmp_path / "whole.png")
    data = (tmp_path / "whole.png").read_bytes()
    for name, end in (("a.png", len(data) // 2), ("b.png", -4)):
        (tmp_path / name).write_bytes(data[:end])
        assert "damaged" in failure(restore([tmp_path / name], tmp_path / "out", DARK))
    PIL.Image.fromarray(pixels(400, 500)).save(tmp_path / "c.tif", compression="tiff_lzw")
    content = bytearray((tmp_path / "c.tif").read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4000] = bytes(4000)
    (tmp_path / "c.tif").write_bytes(content)
    assert "damaged picture, at row" in failure(restore([tmp_path / "c.tif"], tmp_path / "out", DARK))
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            replace(DARK, method="restoration_samples:Half", dilate=1),
            r"covers 100 % .* found by another method",
        ),
        (replace(DARK, method="restoration_samples:Broken"), "no idea of"),
        (replace(DARK, fill="restoration_samples:Broken"), "is no inpainter: Broken has no fill"),
        (replace(DARK, fill="difusion"), r"unknown inpainter 'difusion'; did you mean diffusion\?"),
        (replace(DARK, fill="diffusion,stepps=3"), "has no setting 'stepps'"),
        (replace(DARK, fill="diffusion,steps=x"), "steps=x: expected a value like 20"),
        (replace(DARK, method="tohat"), "did you mean tophat"),
        (replace(DARK, threshold=2), "threshold 2: expected a number from 0 to 1"),
        (replace(DARK, dilate=65), "65 dilations: expected a number from 0 to 64"),
        (Settings(mask=Path(__file__), threshold=0.5), "a mask and a threshold: expected one of them"),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, settings: Settings, words: str) -> None:
    """What cannot be used is told, and nothing is written."""
    path = damaged(tmp_path / "a.tif")
    try:
        reason = failure(restore([path], tmp_path / "out", settings))
    except UsageError as error:
        reason = str(error)
    assert re.search(words, reason)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "a.tif"]


def test_an_inverted_mask(tmp_path: Path) -> None:
    """A mask that covers most of the picture is refused."""
    image, mask = cracked(pixels())
    tiff(tmp_path / "a.tif", image)
    PIL.Image.fromarray(~mask).save(tmp_path / "m.png")
    reason = failure(restore([tmp_path / "a.tif"], tmp_path / "out", Settings(mask=tmp_path / "m.png")))
    assert "of the picture: expected cracks, white on black; is it inverted?" in reason


def test_nothing_to_do(tmp_path: Path) -> None:
    """No painting, and a path that is none, are told before anything is made."""
    (tmp_path / "in").mkdir()
    with pytest.raises(SourceError, match="holds no image"):
        restore([tmp_path / "in"], tmp_path / "out", DARK)
    with pytest.raises(UsageError, match="does not exist"):
        restore([tmp_path / "none.tif"], tmp_path / "out", DARK)
    path = damaged(tmp_path / "a.tif")
    with pytest.raises(UsageError, match=r"mask '.*none\.png' does not exist: expected a picture"):
        restore([path], tmp_path / "out", Settings(mask=tmp_path / "none.png"))
    assert not (tmp_path / "out").exists()


# -- disks --------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 200 kB; skip where that is not allowed."""
    where = tmp_path / "disk"
    where.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(where)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"no tmpfs may be mounted here: {done.stderr.decode().strip()}")
    yield where
    gc.collect()  # a caught error keeps libvips' files open
    subprocess.run(["umount", where], check=True)


def test_a_disk_that_is_too_small(tmp_path: Path, small_disk: Path) -> None:
    """A disk that could not hold what is needed is refused before any work is done."""
    path = tiff(tmp_path / "a.tif", pixels(300, 300))
    with pytest.raises(StorageError, match=r"a\.tif needs about 0\.00\d+ GB in .*disk while it is restored"):
        restore([path], small_disk, DARK)
    assert not list(small_disk.iterdir())


@pytest.mark.parametrize("side", [280, 200, 150])
@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_a_disk_that_is_full_half_way(
    tmp_path: Path, small_disk: Path, side: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it gets full, that is told, the original stays, and nothing is left."""
    path = tmp_path / name
    PIL.Image.fromarray(np.random.default_rng(0).integers(30, 256, (side, side, 3), dtype=np.uint8)).save(
        path
    )
    before = path.read_bytes()
    monkeypatch.setattr(restoration_making, "_refuse_small_disk", lambda *_, **__: None)
    with pytest.raises(StorageError, match="No space left on device: expected free space"):
        restore([path], small_disk, DARK)
    assert path.read_bytes() == before
    assert not list(small_disk.iterdir())


def test_a_folder_that_cannot_be_written_to(tmp_path: Path, small_disk: Path) -> None:
    """A read-only disk, and a file in the folder's place, are told."""
    path = damaged(tmp_path / "a.tif")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="expected a folder"):
        restore([path], tmp_path / "file", DARK)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(StorageError, match="Read-only file system"):
        restore([path], small_disk / "out", DARK)
    with pytest.raises(StorageError, match="Read-only file system"):
        restore([path], small_disk, DARK)


# -- interrupted --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [1, 20, 40, 62, 67, 69])
def test_ctrl_c(tmp_path: Path, at: int) -> None:
    """Wherever Ctrl-C is pressed, nothing is left but finished pictures; the same command then goes on."""
    paths = [damaged(tmp_path / "a.tif"), damaged(tmp_path / "b.png")]

    def press(_: str, done: int, __: int) -> None:
        if done >= 70 + at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(paths, tmp_path / "out", DARK, progress=press)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == sorted(f"a-{kind}" for kind in KINDS)
    found = restore(paths, tmp_path / "out", DARK)
    assert [one.seconds is None for one in found.done] == [True, False]


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from craqbench.restoration import Settings, restore
def show(stage, done, total):
    print(done, flush=True)
    time.sleep(0.02)
restore([Path(sys.argv[1])], Path(sys.argv[2]), Settings(method="restoration_samples:Dark"), progress=show)
"""


@pytest.mark.parametrize("after", [1, 300, 880])
def test_sigkill(tmp_path: Path, after: int) -> None:
    """Killed at any time, nothing half-written has a final name, and the next run cleans up and finishes."""
    path = tiff(tmp_path / "a.tif", cracked(pixels(1000, 300), share=0.01)[0])
    before = path.read_bytes()
    script = KILLED.format(tests=str(Path(__file__).parent))
    command = [sys.executable, "-c", script, str(path), str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            if int(line) >= after:
                process.send_signal(signal.SIGKILL)
                break
        process.wait()
    out = tmp_path / "out"
    assert path.read_bytes() == before
    assert not [path for path in out.iterdir() if not path.name.startswith(".")]
    assert leftovers(out)
    time.sleep(0.05)
    (one,) = restore([path], out, Settings(method=DARK.method)).done
    assert one.seconds is not None
    assert sorted(path.name for path in out.iterdir()) == sorted(f"a-{kind}" for kind in KINDS)


def test_killed_between_two_names(tmp_path: Path) -> None:
    """Pictures without a sidecar are what an interrupted run has left: they are made again."""
    path = damaged(tmp_path / "a.tif")
    (one,) = restore([path], tmp_path / "out", DARK).done
    one.files.record.unlink()
    assert restore([path], tmp_path / "out", DARK).done[0].seconds is not None
    assert one.files.record.exists()
