"""Picture files of every kind that scanners, cameras and programs write, small ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageCms
import tifffile

__all__ = ["PROFILE", "XMP", "cracked", "exif", "pixels", "tiff"]

Pixels = npt.NDArray[Any]

PROFILE = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()

XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description r:about="" '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:creator="Ada"/></r:RDF></x:xmpmeta><?xpacket end="w"?>'
)


def pixels(height: int = 70, width: int = 90, channels: int = 3, bits: int = 8, seed: int = 0) -> Pixels:
    """Return smooth colours with a little noise, of 8 or 16 bits."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [100 + 40 * np.sin(x / (9 + c)) + 40 * np.cos(y / (7 + c)) for c in range(channels)]
    levels = np.stack(waves, -1) + rng.normal(0, 3, (height, width, channels))
    levels = levels.clip(1, 254) if bits == 8 else (levels * 257).clip(1, 65534)
    return levels.astype(np.uint8 if bits == 8 else np.uint16)


def cracked(image: Pixels, share: float = 0.08, seed: int = 0) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """Draw dark lines over a picture, but not over an alpha channel; return it and where they are."""
    rng = np.random.default_rng(seed)
    height, width = image.shape[:2]
    mask = np.zeros((height, width), np.bool_)
    while mask.mean() < share:
        y, x = int(rng.integers(0, height)), int(rng.integers(0, width))
        for _ in range(40):
            mask[y : y + 2, x : x + 2] = True
            y, x = max(0, min(height - 1, y + int(rng.integers(-1, 2)))), min(width - 1, x + 1)
    damaged = image.copy()
    colours = 3 if image.shape[2] >= 3 else 1
    damaged[mask, :colours] = 10 if image.dtype == np.uint8 else 2570
    return damaged, mask


def exif(orientation: int = 1) -> PIL.Image.Exif:
    """Return an EXIF block as a camera writes it."""
    block = PIL.Image.Exif()
    block[271], block[274], block[306], block[315] = "Maker", orientation, "2020:01:02 03:04:05", "Ada"
    block.get_ifd(0x8769)[0x829A] = (1, 200)
    block.get_ifd(0x8825)[1] = "N"
    return block


def tiff(path: Path, image: Pixels, *, planes: bool = False, **options: Any) -> Path:
    """Write a TIFF file by tifffile, which has a say in every tag; nothing of its own goes into it.

    `planes` says that channels come first.
    """
    if image.ndim == 3 and image.shape[2] == 1 and not planes:
        image = image[..., 0]
    channels = 1 if image.ndim == 2 else image.shape[0 if planes else 2]
    kind = "minisblack" if channels < 3 else "rgb"
    extra = {"extrasamples": ["unassalpha", "unspecified"][: channels - (1 if channels < 3 else 3)]}
    settings = {"photometric": kind, "metadata": None, "software": False, **extra, **options}
    tifffile.imwrite(path, image, **settings)
    return path
