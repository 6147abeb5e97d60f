"""Inpainters that were trained: a network of `baselines.inpainting.architectures`, weights, how it is run.

They are made without torch being imported before; where it is missing, they say how to get it. A painting is
filled in tiles, of which only those are looked at that have something to fill.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from baselines.inpainting.architectures import INPAINTING, make_inpainting_network
from baselines.inpainting.checks import Values, checked_mask, painted
from baselines.protocols import Image, Mask
from baselines.tiles import least_tile, round_up, spans
from baselines.trained import Trained, needs_torch
from baselines.weight_files import INPAINT

if TYPE_CHECKING:
    from baselines.inpainting.networks import Filler, InpaintingNetwork

__all__ = [
    "GanUNet",
    "LearnedInpainter",
    "PartialConv",
    "ShiftNet",
    "UNetInpaint",
    "UNetInpaintLarge",
    "UNetInpaintSmall",
    "URNet",
    "checked_tile",
    "fill_in_tiles",
]

TILE = 512
"""Largest side of what a network is given at once, in px."""

MARGIN = 64
"""Px at the inner edges of a tile that count for nothing.

The convolutions of `unet_inpaint_large` see 54 px far; local contrast looks further, with little weight:
measured after training, whole and tiled differ in 1.3 % of the filled px, by one level.
"""

_BLEND = 32
_GRID = 32
"""Tiles begin at multiples of a network's stride, or of this where the stride is larger."""

Fill = Callable[[Image, Mask], npt.NDArray[np.float32]]
"""Takes a piece, sides multiples of the stride; returns all of it as (H, W, 3) float32 in [0, 255]."""


@dataclass(frozen=True, kw_only=True)
class LearnedInpainter(Trained):
    """An inpainting network with its weights; a subclass gives it its name and, elsewhere, its network.

    Attributes
    ----------
    name
        What tables and cards call it.
    reference
        The paper or page that describes the network.
    weights
        None for the weights of this package, a safetensors file with its card beside it, or
        ``ORG/NAME@REVISION[:FILE][#SHA256]`` on the Hub.
    device
        "auto" (a GPU if torch sees one), "cpu", "cuda" or "cuda:NUMBER"; afterwards the one that is used.
    precision
        "auto", "float32" or "bfloat16"; afterwards the one that is used. "auto" is bfloat16 where the device
        computes with it natively.
    tile
        Larger images are tiled, px; a smaller one needs less memory.

    Raises
    ------
    MissingError
        If torch, or a library of this network, is not installed.
    WeightsError
        If there are no such weights, or they do not fit.
    ValueError
        If a setting cannot be used.

    Notes
    -----
    A U-Net's filling is the same in tiles and whole, but for a level at some px. Networks with instance norm,
    or with more than six levels, see all of what they are given: their fillings are defined by the tiles,
    which are the same on every machine.
    """

    task: ClassVar[str] = INPAINT

    device: str = "auto"
    precision: str = "auto"
    tile: int = TILE

    def __post_init__(self) -> None:
        """Find the weights, check that they fit, and settle on device and precision."""
        for setting in ("device", "precision"):
            value = getattr(self, setting)
            if not isinstance(value, str):
                raise ValueError(  # noqa: TRY004  as of all methods' settings
                    f"setting {setting!r} of method {self.name!r} is {value!r}: expected str"
                )
        _ = self.facts
        with needs_torch(self.name):
            filler = self._filler
        checked_tile(self.name, self.tile, self._stride)
        object.__setattr__(self, "device", str(filler.device))
        object.__setattr__(self, "precision", filler.precision)

    @classmethod
    def network(cls, **settings: Any) -> InpaintingNetwork:
        """Make the network with fresh weights.

        Parameters
        ----------
        settings
            ``base`` if one is asked for, and the network's own switches.

        Raises
        ------
        ValueError
            If it has no such setting.
        """
        return make_inpainting_network(cls.name, **settings)

    def fill(self, image: Image, mask: Mask) -> Image:
        """Fill (H, W, 3) uint8 RGB where (H, W) bool is True.

        Raises
        ------
        ValueError
            If `image` or `mask` is none, the mask covers all of the image, or a tile takes more memory than
            there is.
        """
        return fill_in_tiles(image, mask, self._filler, tile=self.tile, stride=self._stride)

    @property
    def _stride(self) -> int:
        return int(self._filler.network.stride)  # type: ignore[arg-type]

    @cached_property
    def _filler(self) -> Filler:
        """The network with its weights, on its device."""
        import torch  # noqa: PLC0415  seconds, and not everywhere

        from baselines.inference import PRECISIONS, best_precision, find_device  # noqa: PLC0415  the same
        from baselines.inpainting.networks import Filler, without_critic  # noqa: PLC0415  the same
        from baselines.weights import load_into, load_tensors  # noqa: PLC0415  the same

        if self.precision not in PRECISIONS:
            raise ValueError(f"precision {self.precision!r}: expected one of {', '.join(PRECISIONS)}")
        device = find_device(self.device)
        with torch.random.fork_rng(devices=[]):  # first weights, drawn to be replaced
            network = self.network(**self.facts["switches"])
        network.critic = None
        load_into(network, without_critic(load_tensors(self.path)), str(self.path))
        precision = best_precision(device) if self.precision == "auto" else self.precision
        return Filler(network=network, device=device, precision=precision)


def _inpainter_of(name: str) -> type[LearnedInpainter]:
    """Return the class of a network's inpainter; it is called as the class of the network is."""
    known = INPAINTING[name]
    module, _, called = known.target.partition(":")
    text = f"{known.summary}, see `{module}`."
    own = {"name": name, "reference": known.reference, "__doc__": text, "__module__": __name__}
    return type(called, (LearnedInpainter,), own)


UNetInpaint = _inpainter_of("unet_inpaint")
UNetInpaintLarge = _inpainter_of("unet_inpaint_large")
UNetInpaintSmall = _inpainter_of("unet_inpaint_small")
URNet = _inpainter_of("ur_net")
PartialConv = _inpainter_of("partial_conv")
ShiftNet = _inpainter_of("shift_net")
GanUNet = _inpainter_of("gan_unet")


# --- tiles -----------------------------------------------------------------------------------------------


def checked_tile(name: str, tile: object, stride: int) -> int:
    """Return a setting `tile` if a network with this stride can be run on tiles of it.

    Raises
    ------
    ValueError
        If it cannot, or is no whole number.
    """
    least = least_tile(min(stride, _GRID), MARGIN, _BLEND)
    if not isinstance(tile, int) or isinstance(tile, bool) or tile < least or tile % stride:
        raise ValueError(
            f"setting 'tile' of method {name!r} is {tile!r}: expected a multiple of {stride} px, "
            f"at least {round_up(least, stride)}"
        )
    return tile


def fill_in_tiles(image: Image, mask: Mask, fill: Fill, *, tile: int, stride: int) -> Image:
    """Return a copy of an image that is filled in its mask, tile by tile.

    Parameters
    ----------
    image
        (H, W, 3) uint8 RGB.
    mask
        (H, W) bool, True where to fill; what is False stays as it is, bit for bit.
    fill
        Fills a piece.
    tile
        Longest side of a piece in px, see `checked_tile`.
    stride
        Pieces have sides that are multiples of this; what they lack below and to the right is mirrored.

    Raises
    ------
    ValueError
        As `baselines.inpainting.checks.checked_mask`.
    """
    height, width = checked_mask(mask, image).shape
    places = np.flatnonzero(mask)
    values: Values = np.zeros((len(places), 3))
    grid = min(stride, _GRID)
    down, across = (
        spans(round_up(side, grid), tile, grid, margin=MARGIN, blend=_BLEND) for side in (height, width)
    )
    for rows, fade_down in down:
        for columns, fade_across in across:
            hidden = mask[rows, columns]
            y, x = np.nonzero(hidden)
            weights = fade_down[y] * fade_across[x]
            if not weights.any():
                continue
            where = np.searchsorted(places, (y + rows.start) * width + x + columns.start)
            piece = fill(*(_padded(part, stride) for part in (image[rows, columns], hidden)))
            values[where] += piece[y, x] * weights[:, None]
    return painted(image, mask, values)


def _padded(piece: npt.NDArray[Any], stride: int) -> npt.NDArray[Any]:
    """Return a piece, mirrored into the rows and columns that it lacks."""
    lacking = [(0, round_up(max(side, _GRID), stride) - side) for side in piece.shape[:2]]
    if not any(more for _, more in lacking):
        return piece
    return np.pad(piece, lacking + [(0, 0)] * (piece.ndim - 2), mode="reflect")
