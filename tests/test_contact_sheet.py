"""Contact sheets: what lies where, and that a picture is written whole or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pictures

from craqbench.contact_sheet import GROUND, ages_sheet, mask_picture, triplet_sheet, write_png
from craqbench.errors import StorageError
from generators.triplets import Triplet

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

WHITE = (255, 255, 255)


def plain_triplet(shade: int, size: tuple[int, int] = (64, 40), *, loss: bool = False) -> Triplet:
    """Return a triplet of one colour, with one crack and perhaps a loss."""
    image = np.full((size[1], size[0], 3), (shade, 10, 200 - shade), np.uint8)
    labels = np.zeros(size[::-1], np.uint8)
    labels[10:12, 5:30] = 1
    if loss:
        labels[20:30, 40:50] = 2
    damaged = image.copy()
    damaged[labels > 0] = (250, 250, 10)
    return Triplet(image, labels, damaged, {})


def places(sheet: npt.NDArray[np.uint8], picture: npt.NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Return x, y of every exact copy of a picture in a sheet, by brute force over its first px."""
    height, width = picture.shape[:2]
    ys, xs = np.nonzero((sheet == picture[0, 0]).all(-1))
    found = [(int(x), int(y)) for y, x in zip(ys, xs, strict=True)]
    return [(x, y) for x, y in found if np.array_equal(sheet[y : y + height, x : x + width], picture)]


def test_pictures_are_shown_unchanged_and_in_order() -> None:
    """Each row holds I, M and I~ pixel for pixel, from left to right, at one height."""
    t = plain_triplet(40)
    sheet = triplet_sheet([t], ["caption"])
    (clean,) = places(sheet, t.image)
    (mask,) = places(sheet, mask_picture(t.labels))
    (damaged,) = places(sheet, t.damaged)
    assert clean[0] < mask[0] < damaged[0]
    assert clean[1] == mask[1] == damaged[1]


def test_every_triplet_is_on_the_sheet() -> None:
    """No triplet is left out, and columns are aligned."""
    triplets = [plain_triplet(10 * k) for k in range(1, 8)]
    sheet = triplet_sheet(triplets, [f"index {k}" for k in range(7)])
    corners = [places(sheet, t.image) for t in triplets]
    assert all(len(corner) == 1 for corner in corners)
    columns = {corner[0][0] for corner in corners}
    rows = {corner[0][1] for corner in corners}
    assert len(columns) * len(rows) >= 7
    assert len(set(map(tuple, corners))) == 7


@given(n=st.integers(1, 12), width=st.integers(32, 90), height=st.integers(32, 90))
@settings(max_examples=15, derandomize=True, deadline=None)
def test_pictures_lie_inside_a_margin(n: int, width: int, height: int) -> None:
    """For any number and shape of triplets the plate's border is bare ground."""
    sheet = triplet_sheet([plain_triplet(50, (width, height))] * n, ["c"] * n, "title")
    assert sheet.dtype == np.uint8
    assert (sheet[:20] == GROUND).all()
    assert (sheet[-20:] == GROUND).all()
    assert (sheet[:, :20] == GROUND).all()
    assert (sheet[:, -20:] == GROUND).all()


def test_mask_colours_tell_classes_apart() -> None:
    """Background is black, craquelure white, and paint loss neither."""
    picture = mask_picture(np.array([[0, 1, 2]], np.uint8))
    assert picture[0, 0].tolist() == [0, 0, 0]
    assert picture[0, 1].tolist() == [255, 255, 255]
    assert picture[0, 2].tolist() not in ([0, 0, 0], [255, 255, 255])


def test_captions_and_headers_are_written() -> None:
    """Beside the pictures and the ground there is ink: beneath each picture, and above the first row."""
    t = plain_triplet(40)
    captioned, bare = (triplet_sheet([t], [caption]) for caption in ("index 3", ""))
    ((_, y),) = places(captioned, t.image)
    assert not np.array_equal(captioned[y + 40 :], bare[y + 40 :])
    assert (captioned[:y] != GROUND).any()


def test_header_explains_paint_loss_where_there_is_one() -> None:
    """A sheet with paint loss explains the colours, another does not."""
    wide = (400, 40)
    with_loss, without = (triplet_sheet([plain_triplet(40, wide, loss=loss)], [""]) for loss in (True, False))
    assert with_loss.shape == without.shape
    ((_, y),) = places(without, plain_triplet(40, wide).image)
    assert not np.array_equal(with_loss[:y], without[:y])


def test_text_the_font_lacks_and_text_too_long_do_no_harm() -> None:
    """A title in another script, with a line break, or far too long leaves the layout as it is."""
    t = plain_triplet(40)
    usual = triplet_sheet([t], ["x"], "title")
    for text in ("油絵\nの", "x" * 1000, "\0", "é" * 300):
        assert triplet_sheet([t], [text], text).shape == usual.shape


def test_accents_are_dropped_rather_than_the_letter() -> None:
    """An accented title reads as the plain one, decomposed or not."""
    t = plain_triplet(40, (200, 40))
    plain = triplet_sheet([t], ["Tete-a-tete"])
    for text in ("Tête-à-tête", "Te\u0302te-a\u0300-te\u0302te"):
        assert np.array_equal(triplet_sheet([t], [text]), plain)


def test_ages_begin_with_the_clean_painting() -> None:
    """An ages sheet shows the clean painting once and each age once, its mask right beneath it."""
    triplets = [plain_triplet(40), plain_triplet(40)]
    triplets[1].labels[15:17, 5:60] = 1
    triplets[1].damaged[15:17, 5:60] = 0
    sheet = ages_sheet(triplets, ["age 1", "age 2"])
    (clean,) = places(sheet, triplets[0].image)
    damaged = [places(sheet, t.damaged)[0] for t in triplets]
    masks = [places(sheet, mask_picture(t.labels))[0] for t in triplets]
    assert min(clean[1], *(y for _, y in damaged)) == clean[1]
    assert all(d[0] == m[0] and m[1] > d[1] for d, m in zip(damaged, masks, strict=True))


def test_png_is_what_was_composed(tmp_path: Path) -> None:
    """A written picture reads back equal, folders are made for it, and nothing else is left there."""
    sheet = triplet_sheet([plain_triplet(40)], ["x"])
    file = tmp_path / "new" / "sheet.png"
    write_png(file, sheet)
    with Pictures.open(file) as picture:
        assert picture.format == "PNG"
        assert np.array_equal(np.asarray(picture), sheet)
    assert [p.name for p in file.parent.iterdir()] == ["sheet.png"]


def test_failed_write_keeps_the_old_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk fills up while writing, the old file stays, and no temporary one does."""
    file = tmp_path / "sheet.png"
    file.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"sheet\.png: No space left"):
        write_png(file, np.zeros((4, 4, 3), np.uint8))
    assert file.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["sheet.png"]  # noqa: PTH208 - hidden files count, too


def test_unwritable_place_is_named(tmp_path: Path) -> None:
    """A folder that cannot be made is one message with the path in it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file/sheet\.png"):
        write_png(tmp_path / "file" / "sheet.png", np.zeros((4, 4, 3), np.uint8))
