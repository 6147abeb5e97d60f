"""`folder:DIR`: anybody's images and masks; every fault is found when the set is opened."""

from __future__ import annotations

import csv
import hashlib
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from annotated_samples import SIZE, bomb, crack_mask, save, write_set
from tiny import smooth_picture

from craqbench.annotated import open_set
from craqbench.annotations import AnnotatedSet
from craqbench.errors import AnnotationError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a sound set of three images."""
    return write_set(tmp_path / "scans")


def opened(folder: Path) -> AnnotatedSet:
    """Open a folder."""
    return open_set(f"folder:{folder}")


def write_manifest(folder: Path, **columns: list[str]) -> None:
    """Write manifest.csv."""
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def test_a_plain_folder(folder: Path) -> None:
    """Images and masks of equal stems make a set, each image a painting of its own."""
    found = opened(folder)
    assert (found.name, found.spec, found.classes) == (
        "folder",
        "folder:scans",
        ("background", "craquelure"),
    )
    assert [(i.id, i.painting, dict(i.attributes), i.licence) for i in found] == [
        (str(k), str(k), {}, "unknown") for k in range(3)
    ]
    one = found.load("1")
    assert (one.image == smooth_picture(1, SIZE)).all()
    assert one.image.flags.writeable
    assert one.image.flags.c_contiguous
    assert (one.mask == (crack_mask(1) == 255)).all()
    assert (one.ignore == (crack_mask(1) == 128)).all()
    assert one.second is None


def test_equal_content_has_an_equal_digest(folder: Path, tmp_path: Path) -> None:
    """The digest depends on the content, not on where it lies; a changed mask changes it."""
    digest = opened(folder).digest
    copy = shutil.copytree(folder, tmp_path / "elsewhere" / "scans")
    assert opened(copy).digest == digest
    save(copy / "masks" / "0.png", crack_mask(7))
    assert opened(copy).digest != digest


def test_formats_and_subfolders(folder: Path) -> None:
    """Formats may differ, files may lie in subfolders; hidden and other files do not count."""
    save(folder / "images" / "left" / "a.b.JPG", smooth_picture(5, SIZE), format="JPEG")
    save(folder / "masks" / "left" / "a.b.bmp", crack_mask(5))
    (folder / "images" / ".hidden.png").write_bytes(b"no image")
    (folder / "images" / "notes.txt").write_text("nothing")
    assert [item.id for item in opened(folder)] == ["0", "1", "2", "left/a.b"]


def test_three_classes(folder: Path) -> None:
    """Masks of 0, 1 and 2 make a set with paint loss, though one mask alone would look like two classes."""
    for number in range(3):
        save(folder / "masks" / f"{number}.png", (crack_mask(number) == 255).astype(np.uint8))
    two = opened(folder)
    assert two.classes == ("background", "craquelure")
    labels = (crack_mask(2) == 255).astype(np.uint8)
    labels[-5:] = 2
    save(folder / "masks" / "2.png", labels)
    three = opened(folder)
    assert three.classes == ("background", "craquelure", "paint loss")
    assert (three.load("2").labels == labels).all()
    assert three.digest != two.digest


def test_declared_numbers(folder: Path) -> None:
    """classes.csv says what other numbers mean, and is part of the digest; a number beyond it is a fault."""
    table = folder / "classes.csv"
    table.write_text("value,class\n0,background\n128,craquelure\n255,ignore\n")
    found = opened(folder)
    assert (found.load("0").mask == (crack_mask(0) == 128)).all()
    table.write_text("value,class\n0,background\n128,craquelure\n255,background\n")
    assert opened(folder).digest != found.digest
    table.write_text("value,class\n0,background\n128,craquelure\n")
    with pytest.raises(
        AnnotationError, match=r"3 faults: .*masks/0.png: mask value 255 is not in classes.csv"
    ):
        opened(folder)


def test_second_annotator(folder: Path) -> None:
    """masks_second holds another annotator's masks of some of the images."""
    plain = opened(folder).digest
    save(folder / "masks_second" / "1.png", crack_mask(9))
    found = opened(folder)
    second = found.load("1").second
    assert second is not None
    assert (second.mask == (crack_mask(9) == 255)).all()
    assert found.load("0").second is None
    assert found.digest != plain


def test_manifest(folder: Path) -> None:
    """manifest.csv gives paintings, licences, sources, digests; other columns are attributes."""
    digest = hashlib.sha256((folder / "masks" / "1.png").read_bytes()).hexdigest()
    write_manifest(
        folder,
        id=["0", "1", "2"],
        painting=["a", "a", ""],
        licence=["CC0-1.0", "CC0-1.0", "MIT"],
        polarity=["dark", "light", ""],
        sha256_mask=["", digest.upper(), ""],
    )
    found = opened(folder)
    assert [item.painting for item in found] == ["a", "a", "2"]
    assert found.licence == "CC0-1.0, MIT"
    assert found.values("polarity") == {"": 1, "dark": 1, "light": 1}
    assert [item.id for item in open_set(f"folder:{folder},polarity=dark,polarity=light")] == ["0", "1"]


def remove(path: str) -> Callable[[Path], object]:
    """Return what removes a file."""
    return lambda folder: (folder / path).unlink()


def put(path: str, data: bytes) -> Callable[[Path], object]:
    """Return what writes a file."""
    return lambda folder: (folder / path).write_bytes(data)


def draw(path: str, picture: object, **options: object) -> Callable[[Path], object]:
    """Return what draws a file."""
    return lambda folder: save(folder / path, np.asarray(picture, np.uint8), **options)


def manifest(**columns: list[str]) -> Callable[[Path], object]:
    """Return what writes a manifest."""
    return lambda folder: write_manifest(folder, **columns)


COLOUR = np.zeros((*SIZE[::-1], 3))
COLOUR[3, 4] = (200, 10, 10)
GREY = np.linspace(0, 255, SIZE[0] * SIZE[1]).reshape(SIZE[::-1])
FAULTS = {
    "corrupt image": (put("images/1.png", b"\x89PNG\r\n\x1a\n rubbish"), r"images/1.png: "),
    "truncated image": (
        lambda f: (f / "images/1.png").write_bytes((f / "images/1.png").read_bytes()[:-300]),
        r"images/1.png: broken image",
    ),
    "small mask": (
        draw("masks/1.png", np.zeros((50, 60))),
        r"masks/1.png: mask of 60 x 50 px: expected 96 x 72 px like its image",
    ),
    "coloured mask": (draw("masks/1.png", COLOUR), r"masks/1.png: a mask in colour"),
    "missing mask": (remove("masks/1.png"), r"image .*images/1.png has no mask: expected masks/1.png"),
    "missing image": (remove("images/1.png"), r"mask .*masks/1.png has no image: expected images/1 with"),
    "missing image of the second": (
        draw("masks_second/7.png", crack_mask(7)),
        r"mask .*masks_second/7.png has no image",
    ),
    "duplicate id": (
        draw("images/1.jpg", smooth_picture(8, SIZE)),
        r"images/1.png has the id of 1.jpg: expected one file",
    ),
    "copied image": (
        draw("images/1.png", smooth_picture(0, SIZE)),
        r"images/1.png is a copy of .*images/0.png: expected each image once",
    ),
    "bomb": (
        put("images/1.png", bomb()),
        r"images/1.png: 20,000 x 20,000 px: expected at most 179 million px",
    ),
    "bomb of a mask": (put("masks/1.png", bomb()), r"masks/1.png: 20,000 x 20,000 px"),
    "tiny image": (draw("images/1.png", np.zeros((9, 9, 3))), r"images/1.png: 9 x 9 px: shorter side below"),
    "soft mask": (draw("masks/1.png", GREY), r"masks: mask values .* and \d+ more: expected 0 and 255"),
    "mixed masks": (draw("masks/1.png", crack_mask(1) == 255), r"mask values 0, 1, 128, 255: expected"),
    "empty folder": (lambda f: shutil.rmtree(f / "images"), r"images: No such file or directory: expected"),
    "no pictures": (lambda f: [p.unlink() for p in (f / "masks").iterdir()], r"masks holds no picture"),
    "manifest with a stranger": (
        manifest(id=["0", "1", "2", "3"]),
        r"1 fault: manifest.csv: 3 is not among the images",
    ),
    "manifest with a gap": (manifest(id=["0", "1"]), r"image .*images/2.png is not in manifest.csv"),
    "manifest with a duplicate": (manifest(id=["0", "1", "1"]), r"line 4: id '1': expected an id of its own"),
    "manifest without rows": (manifest(id=[]), r"has no rows"),
    "manifest without ids": (manifest(name=["0"]), r"expected also id"),
    "manifest of other files": (
        manifest(id=["0", "1", "2"], sha256_image=["", "ab", ""]),
        r"images/1.png has sha256 \w{64}: expected ab, as manifest.csv says",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(folder: Path, fault: str) -> None:
    """A fault is found at once; the message names the file, what it is, and what was expected."""
    spoil, words = FAULTS[fault]
    spoil(folder)
    with pytest.raises(AnnotationError, match=words):
        opened(folder)


def test_many_faults_are_counted(tmp_path: Path) -> None:
    """Of many faults three are shown and all are counted."""
    folder = write_set(tmp_path / "scans", 6)
    for path in sorted((folder / "masks").iterdir())[:5]:
        path.write_bytes(b"no")
    with pytest.raises(AnnotationError, match=r"5 faults: .*masks/0.*masks/1.*masks/2.*; and 2 more$"):
        opened(folder)


def test_no_folder(tmp_path: Path) -> None:
    """A folder that is not there is named."""
    with pytest.raises(AnnotationError, match=r"'.*none' does not exist"):
        opened(tmp_path / "none")


CHANGES = {
    "image": (
        draw("images/1.png", smooth_picture(6, SIZE)),
        r"images/1.png has changed since the set was opened",
    ),
    "mask": (
        draw("masks/1.png", crack_mask(6)),
        r"masks/1.png has changed .* expected sha256 \w{64}, got \w{64}",
    ),
    "gone": (remove("masks/1.png"), r"masks/1.png was there when the set was opened, now: No such file"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes_under_the_run(folder: Path, change: str) -> None:
    """A file that changes after the set was opened is an error for its image, and for no other."""
    found = opened(folder)
    spoil, words = CHANGES[change]
    spoil(folder)
    with pytest.raises(AnnotationError, match=words):
        found.load("1")
    found.load("0")
    found.load("2")


def test_travels_to_workers(folder: Path) -> None:
    """A set is small when pickled, and reads the same afterwards."""
    found = opened(folder)
    data = pickle.dumps(found)
    assert len(data) < 4000
    copy = pickle.loads(data)  # noqa: S301  our own
    assert copy.digest == found.digest
    assert (copy.load("2").labels == found.load("2").labels).all()


def test_many_images_are_read_by_workers(tmp_path: Path) -> None:
    """From 64 images on, several processes read them, with the same result and with progress."""
    folder = write_set(tmp_path / "scans", 64)
    calls: list[tuple[str, int, int]] = []
    parallel = open_set(
        f"folder:{folder}", workers=2, progress=lambda stage, done, total: calls.append((stage, done, total))
    )
    assert parallel.digest == opened(folder).digest
    assert calls[0] == ("reading images", 0, 64)
    assert calls[-1] == ("reading images", 64, 64)


def test_the_public_crops_are_such_a_folder(shared: Path) -> None:
    """The folder of annotated crops is read as it is, with schools, polarities and second masks."""
    found = open_set(f"folder:{shared / 'data' / 'real' / 'val'},polarity=light")
    assert found.values("school") == {"Dutch": 6, "Flemish": 5}
    assert sum(found.load(item).second is not None for item in found) == 3


def test_lossy_masks_are_explained(folder: Path) -> None:
    """A mask that went through JPEG is refused with its cause."""
    PIL.Image.fromarray(crack_mask(1)).save(folder / "masks" / "1.jpg", quality=60)
    (folder / "masks" / "1.png").unlink()
    with pytest.raises(AnnotationError, match="so many values come from JPEG"):
        opened(folder)
