"""Networks by name, none of whose libraries is loaded before the network is asked for.

>>> sorted(ARCHITECTURES)[:2]
['craqnet', 'mc_dm']
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from baselines.networks import Segmenter

__all__ = ["ARCHITECTURES", "Architecture", "make_from", "make_network"]

Network = TypeVar("Network")


@dataclass(frozen=True)
class Architecture(Generic[Network]):
    """A network that can be had by its name.

    Attributes
    ----------
    name
        What `make_network`, or its like for inpainting, takes.
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
    def make(self) -> Callable[..., Network]:
        """What makes the network, from keyword arguments."""
        module, _, name = self.target.partition(":")
        maker: Callable[..., Network] = getattr(importlib.import_module(module), name)
        return maker


_PAPER_A = "arXiv 2602.12742"
_PAPER_C = "Res-UNet, Palace Museum, Beijing (npj/Heritage Science 2023)"

_KNOWN: tuple[Architecture[Segmenter], ...] = (
    Architecture(
        "craqnet",
        "residual U-Net on local contrast, ours",
        "craqbench",
        "baselines.craqnet:CraqNet",
    ),
    Architecture(
        "unet",
        "U-Net with a ResNet-34 as encoder",
        "segmentation_models_pytorch, Unet(resnet34)",
        "baselines.unet:UNet",
    ),
    Architecture(
        "unet_classic",
        "the U-Net of 2015, 64 to 1,024 channels",
        "arXiv 1505.04597",
        "baselines.unet:UNetClassic",
    ),
    Architecture(
        "unet_small",
        "the same with 16 to 112 channels, ours",
        "arXiv 1505.04597, narrowed for craqbench",
        "baselines.unet:UNetSmall",
    ),
    Architecture(
        "res_unet",
        "ResNet-50 encoder, U-Net decoder (paper C)",
        _PAPER_C,
        "baselines.res_unet:ResUNet",
    ),
    Architecture(
        "res_unet_small",
        "the same with an eighth of all widths, ours",
        f"{_PAPER_C}, narrowed for craqbench",
        "baselines.res_unet:ResUNetSmall",
    ),
    Architecture(
        "mc_dm",
        "DeepLabV3+ with MobileNetV2, rival of paper C",
        f"MC-DM as compared in {_PAPER_C}",
        "baselines.mc_dm:McDm",
    ),
    Architecture(
        "segformer",
        "SegFormer-B0, fully trained",
        "arXiv 2105.15203",
        "baselines.segformer:SegFormer",
    ),
    Architecture(
        "segformer_lora",
        "SegFormer-B0 with LoRA, guided by a top-hat (paper A)",
        _PAPER_A,
        "baselines.segformer_lora:SegFormerLora",
    ),
)

ARCHITECTURES: Mapping[str, Architecture[Segmenter]] = {one.name: one for one in _KNOWN}
"""All networks by name."""


def make_network(name: str, *, classes: int = 2, base: str | None = None, **switches: Any) -> Segmenter:
    """Make a network with fresh weights.

    Parameters
    ----------
    name
        One of `ARCHITECTURES`.
    classes
        2 (background, crack) or 3 (and paint loss).
    base
        Where the weights of the encoder come from, for networks that have a choice.
    switches
        Further arguments of the network.

    Raises
    ------
    ValueError
        If there is no such network, it has no such switch or no base, or `classes` is neither 2 nor 3.
    """
    if classes not in {2, 3}:
        raise ValueError(f"network {name!r} got {classes} classes: expected 2 or 3")
    return make_from(ARCHITECTURES, name, {"classes": classes}, base=base, **switches)


def make_from(
    table: Mapping[str, Architecture[Network]],
    name: str,
    given: Mapping[str, Any],
    *,
    base: str | None,
    **switches: Any,
) -> Network:
    """Make a network of a table, with fresh weights.

    Parameters
    ----------
    table
        Networks by name.
    name
        One of them.
    given
        Arguments that are no switches of the user's.
    base, switches
        As of `make_network`.

    Raises
    ------
    ValueError
        If there is no such network, or it has no such switch or no base.
    """
    if name not in table:
        near = difflib.get_close_matches(name, table, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(table)}"
        raise ValueError(f"no network {name!r}: {hint}")
    make = table[name].make
    if base is not None:
        switches["base"] = base
    known = set(inspect.signature(make).parameters) - set(given)
    for switch in switches:
        if switch not in known:
            raise ValueError(
                f"network {name!r} has no switch {switch!r}: expected one of {', '.join(sorted(known))}"
            )
    return make(**given, **switches)
