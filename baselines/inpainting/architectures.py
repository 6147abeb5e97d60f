"""Inpainting networks by name, none of which is loaded before it is asked for.

>>> list(INPAINTING)[:2]
['unet_inpaint', 'unet_inpaint_large']
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from baselines.inpainting.networks import InpaintingNetwork

__all__ = ["INPAINTING", "InpaintingArchitecture", "make_inpainting_network"]


@dataclass(frozen=True)
class InpaintingArchitecture:
    """An inpainting network that can be had by its name.

    Attributes
    ----------
    name
        What `make_inpainting_network` takes.
    summary
        One line.
    reference
        The paper or page that describes it.
    target
        ``module:Class``; imported only when the network is asked for.
    """

    name: str
    summary: str
    reference: str
    target: str

    @property
    def make(self) -> Callable[..., InpaintingNetwork]:
        """What makes the network, from keyword arguments."""
        module, _, name = self.target.partition(":")
        maker: Callable[..., InpaintingNetwork] = getattr(importlib.import_module(module), name)
        return maker


_PAPER_B = "Reviving Masterpieces: U-Net-Based Deep Learning as the Future of Digital Art Conservation"

INPAINTING: Mapping[str, InpaintingArchitecture] = {
    architecture.name: architecture
    for architecture in (
        InpaintingArchitecture(
            "unet_inpaint",
            "U-Net of 64, 128 and 256 channels (paper B, sec. 2.3)",
            f"{_PAPER_B}, sec. 2.3",
            "baselines.inpainting.unet:UNetInpaint",
        ),
        InpaintingArchitecture(
            "unet_inpaint_large",
            "the same with a level more, that adds detail to a smooth filling, ours",
            f"{_PAPER_B}, sec. 2.3, enlarged for craqbench",
            "baselines.inpainting.unet:UNetInpaintLarge",
        ),
        InpaintingArchitecture(
            "unet_inpaint_small",
            "the larger one with fewer channels, ours",
            f"{_PAPER_B}, sec. 2.3, changed and narrowed for craqbench",
            "baselines.inpainting.unet:UNetInpaintSmall",
        ),
        InpaintingArchitecture(
            "ur_net",
            "the first with residual blocks, after UR-Net",
            "UR-Net, Applied Sciences 14 (21), 10005, 2024 (for segmentation), as named in paper B",
            "baselines.inpainting.unet:URNet",
        ),
        InpaintingArchitecture(
            "partial_conv",
            "U-Net of partial convolutions (NVIDIA)",
            "arXiv 1804.07723",
            "baselines.inpainting.partial_conv:PartialConv",
        ),
        InpaintingArchitecture(
            "shift_net",
            "Shift-Net, a U-Net that moves known features into the mask",
            "arXiv 1801.09392, as the Dunhuang system named in paper B uses it",
            "baselines.inpainting.shift_net:ShiftNet",
        ),
        InpaintingArchitecture(
            "gan_unet",
            "stand-in in the manner of pix2pix for the GAN named in paper B",
            "arXiv 1611.07004, in place of a method whose details were not found",
            "baselines.inpainting.gan_unet:GanUNet",
        ),
    )
}
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
    if name not in INPAINTING:
        near = difflib.get_close_matches(name, INPAINTING, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(INPAINTING)}"
        raise ValueError(f"no inpainting network {name!r}: {hint}")
    make = INPAINTING[name].make
    if base is not None:
        switches["base"] = base
    known = inspect.signature(make).parameters
    for switch in switches:
        if switch not in known:
            raise ValueError(
                f"network {name!r} has no switch {switch!r}: expected one of {', '.join(sorted(known))}"
            )
    return make(**switches)
