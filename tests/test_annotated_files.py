"""What the numbers in a mask file mean, and which image files are refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest
from annotated_samples import bomb, crack_mask
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tiny import smooth_picture

from craqbench.annotated_files import decode_image, decode_values, guess_code, read_code, read_table
from craqbench.errors import AnnotationError
from generators.triplets import CLASSES

Array = npt.NDArray[np.uint8]


def encoded(picture: PIL.Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Return a picture as a file."""
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


MASK = crack_mask(0)
PLAIN = PIL.Image.fromarray(MASK)


def with_palette(indices: Array, colours: list[int]) -> PIL.Image.Image:
    """Return a picture with a palette."""
    picture = PIL.Image.fromarray(indices, "P")
    picture.putpalette(colours)
    return picture


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_grey_masks_keep_their_numbers(kind: str) -> None:
    """A grey mask means the same in every lossless format."""
    assert (decode_values(encoded(PLAIN, kind)) == MASK).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_grey_masks_in_colour_modes(mode: str) -> None:
    """A mask saved in colour mode is read where all channels are equal and alpha is opaque."""
    assert (decode_values(encoded(PLAIN.convert(mode))) == MASK).all()


def test_masks_of_one_bit() -> None:
    """White of a 1-bit mask is 255, as in an 8-bit one."""
    assert set(np.unique(decode_values(encoded(PIL.Image.fromarray(MASK > 0))))) == {0, 255}


def test_masks_of_16_bit() -> None:
    """A 16-bit mask keeps its numbers."""
    deep = PIL.Image.fromarray(MASK.astype(np.uint16) * 257)
    assert (decode_values(encoded(deep)) == MASK.astype(np.uint16) * 257).all()


def test_grey_palettes_are_looked_up() -> None:
    """An optimised palette of greys hides 0, 128, 255 behind 0, 1, 2: the greys count."""
    indices = np.searchsorted([0, 128, 255], MASK).astype(np.uint8)
    picture = with_palette(indices, [0, 0, 0, 128, 128, 128, 255, 255, 255])
    assert (decode_values(encoded(picture)) == MASK).all()


def test_indices_of_coloured_palettes_count() -> None:
    """A palette of colours, as labelling tools write it, is for the eye only: the indices are the classes."""
    indices = (MASK > 0).astype(np.uint8)
    assert (decode_values(encoded(with_palette(indices, [0, 0, 0, 128, 0, 0]))) == indices).all()


def test_coloured_masks_are_refused() -> None:
    """A mask drawn in colour is refused, with the first coloured px."""
    colour = np.zeros((70, 80, 3), np.uint8)
    colour[5, 7] = (255, 0, 0)
    with pytest.raises(ValueError, match=r"in colour \(RGB; 255, 0, 0 at x 7, y 5\): expected a number"):
        decode_values(encoded(PIL.Image.fromarray(colour)))


def test_transparent_masks_are_refused() -> None:
    """A mask of strokes on transparency is refused."""
    picture = PLAIN.convert("RGBA")
    picture.putpixel((0, 0), (0, 0, 0, 0))
    with pytest.raises(ValueError, match="transparent mask"):
        decode_values(encoded(picture))


def test_masks_of_floats_are_refused() -> None:
    """A mask of probabilities is no mask."""
    with pytest.raises(ValueError, match="pixel type F: expected whole numbers"):
        decode_values(encoded(PIL.Image.fromarray(MASK.astype(np.float32)), "TIFF"))


@pytest.mark.parametrize("data", [b"", b"not an image", encoded(PLAIN)[:60], encoded(PLAIN)[:-40]])
def test_broken_files(data: bytes) -> None:
    """A broken mask or image ends in a ValueError, whatever Pillow raises."""
    for decode in (decode_values, decode_image):
        with pytest.raises(ValueError, match=r"broken|not an image|not a JPEG"):
            decode(data)


def test_bombs_are_refused_by_their_header() -> None:
    """400 million px in 60 kB are refused before they are decoded, as image and as mask."""
    data = bomb()
    assert len(data) < 300_000
    for decode in (decode_values, decode_image):
        with pytest.raises(ValueError, match="20,000 x 20,000 px: expected at most 179 million px"):
            decode(data)


def test_the_limit_can_be_lowered_and_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is the caller's, exactly; Pillow's own guard is not heard, and is left as it was."""
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 1000)
    data = encoded(PIL.Image.fromarray(smooth_picture(0, (100, 80))))
    assert decode_image(data, 8000).shape == (80, 100, 3)
    with pytest.raises(ValueError, match="100 x 80 px"):
        decode_image(data, 7999)
    assert decode_values(encoded(PLAIN), 10_000).shape == MASK.shape
    assert PIL.Image.MAX_IMAGE_PIXELS == 1000


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_turned_images_are_refused(kind: str) -> None:
    """An image that EXIF turns may lie across its mask: it is refused."""
    exif = PIL.Image.Exif()
    exif[0x0112] = 3
    data = encoded(PIL.Image.fromarray(smooth_picture(0)), kind, exif=exif)
    with pytest.raises(ValueError, match="EXIF orientation 3: expected an image saved upright"):
        decode_image(data)


@pytest.mark.parametrize(
    ("values", "cracks", "classes"),
    [
        ({0, 255}, {255}, 2),
        ({0, 128, 255}, {255}, 2),
        ({0, 1}, {1}, 2),
        ({1, 128}, {1}, 2),
        ({0, 1, 2}, {1}, 3),
        ({2, 128}, {1}, 3),
        ({0}, {255}, 2),
        (set(), {255}, 2),
    ],
)
def test_meaning_of_the_usual_numbers(values: set[int], cracks: set[int], classes: int) -> None:
    """0/255, 0/1 and 0/1/2 are told apart, with 128 to ignore in each."""
    code = guess_code(values)
    assert {value for value, label in code.meaning.items() if label == 1} == cracks
    assert code.classes == CLASSES[:classes]
    assert code.meaning[128] == -1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({0, 1, 255}, r"mask values 0, 1, 255: expected 0 and 255, or 0 and 1 .* classes.csv .* can declare"),
        ({0, 3}, "mask values 0, 3: expected"),
        ({0, 65535}, "mask values 0, 65535: expected"),
        (set(range(40)), r"mask values 0, 1, 2, 3, 4, 5, 6, 7 and 32 more: .* JPEG"),
    ],
)
def test_senseless_numbers_are_explained(values: set[int], words: str) -> None:
    """Numbers that make no sense are shown with those that do, and what to do."""
    with pytest.raises(ValueError, match=words):
        guess_code(values)


@given(arrays(np.uint16, (5, 6), elements=st.sampled_from([0, 1, 2, 128])))
@settings(max_examples=40, derandomize=True)
def test_translation_is_px_by_px(values: npt.NDArray[np.uint16]) -> None:
    """Each px gets the class of its number, and is ignored exactly where the number says so."""
    annotation = guess_code({0, 1, 2, 128}).annotation(values)
    assert (annotation.ignore == (values == 128)).all()
    assert (annotation.labels == np.where(values == 128, 0, values)).all()
    assert (annotation.mask == (values == 1)).all()
    assert annotation.labels.dtype == np.uint8


def test_translation_of_an_unknown_number() -> None:
    """A number without a meaning is an error, not background."""
    with pytest.raises(ValueError, match="mask values 7, 300: expected 0, 255, 128"):
        guess_code({0, 255}).annotation(np.array([[0, 7, 300]], np.uint16))


def test_declared_classes(tmp_path: Path) -> None:
    """classes.csv gives any number any class; several numbers may share one."""
    path = tmp_path / "classes.csv"
    path.write_text("value,class\n0,background\n9,cracks\n65535,Craquelure\n3,paint loss\n4,ignore\n")
    code = read_code(path)
    assert code.classes == CLASSES
    annotation = code.annotation(np.array([[0, 9, 65535, 3, 4]], np.uint16))
    assert annotation.labels.tolist() == [[0, 1, 1, 2, 0]]
    assert annotation.ignore.tolist() == [[False, False, False, False, True]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("value\n0\n", "columns value: expected also class"),
        ("value,class\n0,background\n", "expected a value for background and one for craquelure"),
        ("value,class\n0,background\n0,crack\n", "line 3: 0,crack: expected a new number"),
        ("value,class\nx,background\n", "line 2: x,background: expected a new number"),
        ("value,class\n0,paint\n", "one of background, craquelure, paint loss, ignore"),
        ("value,class\n0\n", "line 2: expected 2 cells"),
        ("value,class\n0,background,1\n", "line 2: expected 2 cells"),
        ('value,class\n"0,background\n', "cannot be read"),
    ],
)
def test_faults_in_declared_classes(tmp_path: Path, text: str, words: str) -> None:
    """A faulty classes.csv is named, with the line."""
    path = tmp_path / "classes.csv"
    path.write_text(text)
    with pytest.raises(AnnotationError, match=words) as caught:
        read_code(path)
    assert str(path) in str(caught.value)


def test_tables_from_spreadsheets(tmp_path: Path) -> None:
    """A byte order mark does not spoil the first column; other encodings are an error."""
    path = tmp_path / "table.csv"
    path.write_bytes("id,artist\na,Vermeer\n".encode("utf-8-sig"))
    assert read_table(path, ("id",)) == [{"id": "a", "artist": "Vermeer"}]
    path.write_bytes(b"id\n\xff\xfe\n")
    with pytest.raises(AnnotationError, match="cannot be read"):
        read_table(path, ("id",))
    with pytest.raises(AnnotationError, match="cannot be read"):
        read_table(tmp_path / "none.csv", ("id",))
