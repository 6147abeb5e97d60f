"""Inpainting networks by name, none of which is loaded before it is asked for.

>>> list(INPAINTING)[:2]
['unet_inpaint', 'unet_inpaint_large']
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from baselines.architectures import Architecture, make_from

if TYPE_CHECKING:
    from baselines.inpainting.networks import InpaintingNetwork

__all__ = ["INPAINTING", "make_inpainting_network"]

_PAPER_B = "Reviving Masterpieces: U-Net-Based Deep Learning as the Future of Digital Art Conservation"

_KNOWN: tuple[Architecture[InpaintingNetwork], ...] = (
    Architecture(
        "unet_inpaint",
        "U-Net of 64, 128 and 256 channels (paper B, sec. 2.3)",
        f"{_PAPER_B}, sec. 2.3",
        "baselines.inpainting.unet:UNetInpaint",
    ),
    Architecture(
        "unet_inpaint_large",
        "the same with a level more, that adds detail to a smooth filling, ours",
        f"{_PAPER_B}, sec. 2.3, enlarged for craqbench",
        "baselines.inpainting.unet:UNetInpaintLarge",
    ),
    Architecture(
        "unet_inpaint_small",
        "the larger one with fewer channels, ours",
        f"{_PAPER_B}, sec. 2.3, changed and narrowed for craqbench",
        "baselines.inpainting.unet:UNetInpaintSmall",
    ),
    Architecture(
        "ur_net",
        "the first with residual blocks, after UR-Net",
        "UR-Net, Applied Sciences 14 (21), 10005, 2024 (for segmentation), as named in paper B",
        "baselines.inpainting.unet:URNet",
    ),
    Architecture(
        "partial_conv",
        "U-Net of partial convolutions (NVIDIA)",
        "arXiv 1804.07723",
        "baselines.inpainting.partial_conv:PartialConv",
    ),
    Architecture(
        "shift_net",
        "Shift-Net, a U-Net that moves known features into the mask",
        "arXiv 1801.09392, as the Dunhuang system named in paper B uses it",
        "baselines.inpainting.shift_net:ShiftNet",
    ),
    Architecture(
        "gan_unet",
        "stand-in in the manner of pix2pix for the GAN named in paper B",
        "arXiv 1611.07004, in place of a method whose details were not found",
        "baselines.inpainting.gan_unet:GanUNet",
    ),
)

INPAINTING: Mapping[str, Architecture[InpaintingNetwork]] = {one.name: one for one in _KNOWN}
"""All inpainting networks by name."""


def make_inpainting_network(name: str, *, base: str | None = None, **switches: Any) -> InpaintingNetwork:
    """Make an inpainting network with fresh weights.

    Parameters
    ----------
    name
        One of `INPAINTING`.
    base
        What judges in training, for networks that have a choice: "imagenet" for `partial_conv`.
    switches
        Further arguments of the network.

    Raises
    ------
    ValueError
        If there is no such network, or it has no such switch or no base.
    """
    return make_from(INPAINTING, name, {}, base=base, **switches)
