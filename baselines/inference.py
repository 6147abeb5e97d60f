"""Run a network over an image of any size: whole if it is small, otherwise in tiles that fade into another.

A network that looks not much further than the margin of a tile, see `baselines.tiles`, answers the same for
an image whole and in tiles. One that looks at the whole image (attention, global pooling) does not: its
answer for a large image is defined by its tiles, which are the same on every machine.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from baselines.networks import Segmenter
from baselines.protocols import Image, checked_image
from baselines.tiles import TILE, least_tile, round_up, spans
from baselines.tophat import TopHat

__all__ = [
    "FLIPS",
    "PRECISIONS",
    "Runner",
    "best_precision",
    "find_device",
    "hint_of",
    "is_out_of_memory",
]

FLIPS = (1, 2, 4, 8)
"""How many views of the image may be averaged: as it is, mirrored, also upside down, also transposed."""

PRECISIONS = ("auto", "float32", "bfloat16")

Probabilities = npt.NDArray[np.float32]
"""(classes - 1, H, W) float32 in [0, 1]: of crack and, in three-class networks, of paint loss."""

Kind = TypeVar("Kind", bound=np.generic)

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "alloc_failed", "bad_alloc", "bad allocation")
"""What CUDA and its libraries, torch's allocator and C++ say then."""

_LEAST = 2
"""Strides that an image is padded to at least: padding by reflection inside a network needs 2 px."""


def find_device(wanted: str) -> torch.device:
    """Return the device that "auto", "cpu", "cuda" or "cuda:1" means here.

    Raises
    ------
    ValueError
        If there is no such device.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise ValueError(f"device {wanted!r}: expected auto, cpu, cuda or cuda:NUMBER") from None
    if device.type not in {"cpu", "cuda"}:
        raise ValueError(f"device {wanted!r}: expected auto, cpu, cuda or cuda:NUMBER")
    count = torch.cuda.device_count() if device.type == "cuda" else 0
    if device.type == "cuda" and (device.index or 0) >= count:
        raise ValueError(f"device {wanted!r}: torch sees {count} of that kind here: expected auto or cpu")
    return device


def best_precision(device: torch.device) -> str:
    """Return "bfloat16" where the device computes with it natively, otherwise "float32"."""
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    able = torch.cpu.get_capabilities()
    return "bfloat16" if able.get("amx_bf16") or able.get("avx512_bf16") else "float32"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a device or here."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    told = str(error).lower()
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and any(words in told for words in _OUT_OF_MEMORY)
    )


def hint_of(image: Image) -> npt.NDArray[np.bool_]:
    """Return what a network with a detector channel is told: the mask of paper A's top-hat, (H, W) bool."""
    detector = TopHat()
    return np.asarray(detector.predict(image) >= detector.threshold)


@dataclass(frozen=True, eq=False, kw_only=True)
class Runner:
    """A network, ready to be run.

    Attributes
    ----------
    network
        Is moved to the device and set to evaluation; its weights stay as they are.
    device
        See `find_device`.
    precision
        "float32" or "bfloat16".
    flips
        One of `FLIPS`.
    tile
        Largest side of a tile in px; larger images are tiled.
    """

    network: Segmenter
    device: torch.device
    precision: str = "float32"
    flips: int = 1
    tile: int = TILE

    def __post_init__(self) -> None:
        """Make the network ready."""
        if self.flips not in FLIPS:
            raise ValueError(f"flips {self.flips!r}: expected one of {', '.join(map(str, FLIPS))}")
        if self.precision not in PRECISIONS[1:]:
            raise ValueError(f"precision {self.precision!r}: expected {' or '.join(PRECISIONS[1:])}")
        least = least_tile(self.network.stride)
        if self.tile < least:
            raise ValueError(f"tile {self.tile!r}: expected at least {least} px")
        self.network.to(self.device).to(memory_format=torch.channels_last).eval().requires_grad_(False)

    def run(self, image: Image) -> Probabilities:
        """Return the probability of each class but the background at each pixel.

        Parameters
        ----------
        image
            (H, W, 3) uint8 RGB of any H and W from 1 px on; left as it is.

        Returns
        -------
        (classes - 1, H, W) float32 in [0, 1].

        Raises
        ------
        ValueError
            If `image` is none, or it takes more memory than there is.
        """
        height, width = checked_image(image).shape[:2]
        hint = hint_of(image) if self.network.detector_channel else None
        stride = self.network.stride
        rows, columns = (max(round_up(side, stride), _LEAST * stride) for side in (height, width))
        try:
            padded = _padded(image, rows, columns)
            hinted = None if hint is None else _padded(hint, rows, columns)
            with torch.inference_mode(), self._exactly():
                found = self._tiled(padded, hinted)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            least = least_tile(stride)
            raise ValueError(
                f"out of memory on {self.device} with tiles of {self.tile} px: expected a smaller tile "
                f"(setting tile, {least} at least)"
            ) from error
        return np.ascontiguousarray(found[:, :height, :width])

    def _tiled(self, image: Image, hint: npt.NDArray[np.bool_] | None) -> Probabilities:
        """Run over an image whose sides are multiples of the stride."""
        height, width = image.shape[:2]
        down, across = (spans(side, self.tile, self.network.stride) for side in (height, width))
        if len(down) == len(across) == 1:
            return self._piece(image, hint)
        total = np.zeros((self.network.classes - 1, height, width), np.float32)
        for rows, fade_down in down:
            for columns, fade_across in across:
                part = None if hint is None else hint[rows, columns]
                piece = self._piece(image[rows, columns], part)
                piece *= fade_down[:, None]
                piece *= fade_across
                total[:, rows, columns] += piece
        return total

    def _piece(self, image: Image, hint: npt.NDArray[np.bool_] | None) -> Probabilities:
        """Run over what is small enough, in all views."""
        # Height, width, channels in memory, as the image has them, suits convolutions best.
        tensor = self._tensor(image).permute(2, 0, 1)[None].float().div_(255)
        told = None if hint is None else self._tensor(hint)[None, None].float()
        total = self._view(tensor, told, 0)
        for view in range(1, self.flips):
            total += self._view(tensor, told, view)
        if self.flips > 1:
            total /= self.flips
        return total.clamp_(0, 1).cpu().numpy()

    def _view(self, image: Tensor, hint: Tensor | None, view: int) -> Tensor:
        """Return (classes - 1, H, W) as the network sees it in one of eight views, turned back."""
        seen = _turned(image, view).contiguous(memory_format=torch.channels_last)
        told = None if hint is None else _turned(hint, view)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            logits = self.network(seen, told)
        found = self.network.probabilities(logits)[:, 1:]
        return _turned_back(found, view)[0].float().contiguous()

    def _tensor(self, array: npt.NDArray[np.uint8] | npt.NDArray[np.bool_]) -> Tensor:
        """Return an array on the device, as it is: whole numbers travel."""
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    @contextlib.contextmanager
    def _exactly(self) -> Iterator[None]:
        """Let a GPU give the same answer each time, in float32 where it is asked for: TF32 has 10 bits."""
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield


def _padded(array: npt.NDArray[Kind], height: int, width: int) -> npt.NDArray[Kind]:
    """Return an image or a mask, mirrored into the rows and columns that it lacks below and to the right."""
    lacking = [(0, height - array.shape[0]), (0, width - array.shape[1])] + [(0, 0)] * (array.ndim - 2)
    return np.pad(array, lacking, mode="reflect") if any(more for _, more in lacking) else array


def _turned(tensor: Tensor, view: int) -> Tensor:
    """Mirror (bit 0), turn upside down (bit 1), then transpose (bit 2) the last two axes."""
    axes = [axis for bit, axis in ((1, -1), (2, -2)) if view & bit]
    flipped = tensor.flip(axes) if axes else tensor
    return flipped.transpose(-1, -2) if view & 4 else flipped


def _turned_back(tensor: Tensor, view: int) -> Tensor:
    """Undo `_turned`."""
    straight = tensor.transpose(-1, -2) if view & 4 else tensor
    axes = [axis for bit, axis in ((1, -1), (2, -2)) if view & bit]
    return straight.flip(axes) if axes else straight
