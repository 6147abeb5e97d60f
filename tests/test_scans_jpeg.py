"""Segments of JPEG files: read, replaced, and refused where they are damaged."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scan_samples import pixels

from craqbench.scans_jpeg import Segment, read_segments, steps, subsampling, with_segments


def saved(**options: object) -> bytes:
    """Return a JPEG file."""
    out = io.BytesIO()
    PIL.Image.fromarray(pixels()).save(out, "JPEG", **options)
    return out.getvalue()


def replaced(data: bytes, *segments: Segment) -> bytes:
    """Return a JPEG file of the same pixels, with other segments."""
    out = io.BytesIO()
    with_segments(io.BytesIO(data), segments, out)
    return out.getvalue()


@pytest.mark.parametrize(("option", "factors"), [("4:4:4", (1, 1)), ("4:2:2", (2, 1)), ("4:2:0", (2, 2))])
def test_subsampling(option: str, factors: tuple[int, int]) -> None:
    """Sampling factors are those that the file was saved with."""
    assert subsampling(read_segments(io.BytesIO(saved(subsampling=option)))) == factors


@pytest.mark.parametrize("progressive", [False, True])
def test_steps_are_those_of_pillow(progressive: bool) -> None:  # noqa: FBT001  a case
    """The steps of each component are those that another reader finds, in the order of the file."""
    data = saved(quality=60, progressive=progressive)
    with PIL.Image.open(io.BytesIO(data)) as picture:
        tables = picture.quantization  # type: ignore[attr-defined]
    found = steps(read_segments(io.BytesIO(data)))
    assert [sorted(table) for table in found] == [sorted(tables[n]) for n in (0, 1, 1)]


def test_pixels_stay() -> None:
    """Whatever is put beside them, the coded pixels are the same."""
    data = saved(comment=b"old", dpi=(300, 300))
    copy = replaced(data, Segment(0xFE, b"new"), Segment(0xE0, b"JFIF\0\1\1\1\0\5\0\5\0\0"))
    with PIL.Image.open(io.BytesIO(data)) as old, PIL.Image.open(io.BytesIO(copy)) as new:
        np.testing.assert_array_equal(np.asarray(old), np.asarray(new))
        assert (new.info["comment"], new.info["dpi"]) == (b"new", (5, 5))


def test_fill_bytes() -> None:
    """Any number of 0xFF may stand before a marker."""
    data = saved()
    assert read_segments(io.BytesIO(data[:2] + b"\xff\xff" + data[2:])) == read_segments(io.BytesIO(data))


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.data())
def test_damage_is_a_value_error(data: st.DataObject) -> None:
    """Whatever bytes are changed or cut off: segments come out, or a ValueError."""
    content = bytearray(SAVED)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 700))] = data.draw(st.integers(0, 255))
    try:
        found = read_segments(io.BytesIO(content[: data.draw(st.integers(0, len(content)))]))
        steps(found)
        subsampling(found)
    except ValueError:
        pass


SAVED = saved()
