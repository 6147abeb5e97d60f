"""Codecs: what comes back is what went in."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from craqbench import codecs

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40))
QUIET = settings(max_examples=25, deadline=None, derandomize=True)


@pytest.mark.parametrize("codec", codecs.CODECS)
@QUIET
@given(image=SHAPES.flatmap(lambda shape: arrays(np.uint8, (*shape, 3))))
def test_image_round_trip(codec: str, image: npt.NDArray[np.uint8]) -> None:
    """Every RGB picture survives every codec bit for bit."""
    assert np.array_equal(codecs.decode_image(codecs.encode_image(image, codec)), image)


@QUIET
@given(mask=SHAPES.flatmap(lambda shape: arrays(np.bool_, shape)))
def test_mask_round_trip(mask: npt.NDArray[np.bool_]) -> None:
    """Every mask survives, and comes back as real booleans: 0 and 1 in memory."""
    back = codecs.decode_mask(codecs.encode_mask(mask))
    assert np.array_equal(back, mask)
    assert back.view(np.uint8).max(initial=0) <= 1


@QUIET
@given(labels=SHAPES.flatmap(lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 2))))
def test_labels_round_trip(labels: npt.NDArray[np.uint8]) -> None:
    """Class numbers survive as they are."""
    assert np.array_equal(codecs.decode_labels(codecs.encode_labels(labels)), labels)


def test_mask_takes_one_bit_per_px() -> None:
    """A mask is stored as a bilevel PNG, white where damaged, for any viewer."""
    mask = np.zeros((8, 9), np.bool_)
    mask[2, 3] = True
    with PIL.Image.open(io.BytesIO(codecs.encode_mask(mask))) as picture:
        assert (picture.format, picture.mode) == ("PNG", "1")
        assert np.argwhere(np.asarray(picture.convert("L")) == 255).tolist() == [[2, 3]]


def test_unknown_codec() -> None:
    """A codec that does not exist is refused with the names of those that do."""
    with pytest.raises(ValueError, match="unknown codec 'jpeg': expected one of webp, png"):
        codecs.encode_image(np.zeros((4, 4, 3), np.uint8), "jpeg")


@pytest.mark.parametrize("codec", codecs.CODECS)
def test_broken_pictures(codec: str) -> None:
    """Bytes that are no picture, half a picture or another kind of picture raise `ValueError`."""
    data = codecs.encode_image(np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8), codec)
    for broken in (b"", b"nonsense", data[: len(data) // 2]):
        with pytest.raises(ValueError, match="picture"):
            codecs.decode_image(broken)
    with pytest.raises(ValueError, match="expected 1"):
        codecs.decode_mask(data)
