"""Time and size of lossless codecs on paintings at 598 x 375 px: the table of docs/codecs.md.

    python tests/benchmarks/bench_codecs.py [PAINTINGS]

Each codec encodes and decodes the same pictures in turn, in one thread; medians of CPU time. The
ratios are to the default codec, so that they mean something on another machine.
"""

from __future__ import annotations

import io
import statistics
import sys
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import PIL.Image

from craqbench.codecs import encode_image
from craqbench.paintings import read_painting
from generators.framing import whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from generators.triplets import Image

SIZE = (598, 375)
PAINTINGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "paintings"


class Measured(NamedTuple):
    """Medians of one codec: ms to encode, ms to decode, mean kB of a picture."""

    encode: float
    decode: float
    size: float


def webp(quality: int, method: int) -> Callable[[Image], bytes]:
    """Lossless WebP by Pillow; quality and method are effort here."""
    return lambda image: _save(image, "WEBP", lossless=True, quality=quality, method=method)


def png(*flags: int) -> Callable[[Image], bytes]:
    """PNG by OpenCV."""
    return lambda image: cv2.imencode(".png", image[..., ::-1], flags)[1].tobytes()


def _save(image: Image, kind: str, **options: int) -> bytes:
    out = io.BytesIO()
    PIL.Image.fromarray(image).save(out, kind, **options)
    return out.getvalue()


CODECS: dict[str, Callable[[Image], bytes]] = {
    "`webp`: WebP, method 0, quality 0 (default)": encode_image,
    "WebP, method 0, quality 20": webp(20, 0),
    "WebP, method 1, quality 0": webp(0, 1),
    "WebP, method 4, quality 80 (Pillow's own default)": webp(80, 4),
    "`png`: PNG, Huffman only": lambda image: encode_image(image, "png"),
    "PNG, run lengths": png(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    "PNG, level 1": png(cv2.IMWRITE_PNG_COMPRESSION, 1),
    "PNG, level 6": png(cv2.IMWRITE_PNG_COMPRESSION, 6),
    "PNG, level 6, by Pillow": lambda image: _save(image, "PNG"),
    "TIFF, LZW": lambda image: _save_tiff(image, "tiff_lzw"),
}


def _save_tiff(image: Image, compression: str) -> bytes:
    out = io.BytesIO()
    PIL.Image.fromarray(image).save(out, "TIFF", compression=compression)
    return out.getvalue()


def measure(encode: Callable[[Image], bytes], pictures: list[Image]) -> Measured:
    """Encode and decode the pictures one after another, and check that nothing was lost."""
    encoding, decoding, sizes = [], [], []
    for picture in pictures:
        start = process_time()
        data = encode(picture)
        middle = process_time()
        back = np.asarray(PIL.Image.open(io.BytesIO(data)))
        decoding.append(process_time() - middle)
        encoding.append(middle - start)
        sizes.append(len(data))
        if not np.array_equal(back, picture):
            raise AssertionError("a lossless codec lost something")
    return Measured(
        statistics.median(encoding) * 1e3, statistics.median(decoding) * 1e3, statistics.mean(sizes) / 1e3
    )


def main() -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else PAINTINGS
    pictures = [_framed(read_painting(path)) for path in sorted(folder.glob("*.jpg"))[:60]]
    raw = SIZE[0] * SIZE[1] * 3 / 1e3
    found = {name: measure(encode, pictures) for name, encode in CODECS.items()}
    base = next(iter(found.values()))
    lines = [
        f"{len(pictures)} pictures of {SIZE[0]} x {SIZE[1]} px, {raw:.0f} kB each uncompressed\n",
        "| codec | encode, ms | x | decode, ms | kB | x | of uncompressed |\n|---|---|---|---|---|---|---|",
    ]
    for name, m in found.items():
        times = f"{m.encode:.1f} | {m.encode / base.encode:.1f} | {m.decode:.1f}"
        lines.append(f"| {name} | {times} | {m.size:.0f} | {m.size / base.size:.2f} | {m.size / raw:.0%} |")
    sys.stdout.write("\n".join(lines) + "\n")


def _framed(painting: Image) -> Image:
    return whole((painting.shape[1], painting.shape[0]), SIZE, "crop").image(painting)


if __name__ == "__main__":
    main()
