"""`segformer`: SegFormer with the encoder MiT-B0 (Xie et al. 2021), fully trained, without a detector's help.

Its logits have a quarter of the resolution of its input, at which a crack of 1-3 px is lost: the picture is
enlarged twofold before the network sees it, and logits are brought to the picture's size bilinearly, as its
authors do. Encoders trained before come from the Hub or from this package, see `baselines.encoders`.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from baselines.encoders import fill_encoder
from baselines.losses import cross_entropy, dice
from baselines.networks import Habits, Segmenter
from baselines.normalisation import as_imagenet

__all__ = ["SegFormer", "full_logits", "mit_b0"]

ENLARGED = 2
"""How much larger than the picture the network's input is."""

DICE_SHARE = 2.0
"""Weight of Dice beside cross entropy: paper A's lambda."""


class SegFormer(Segmenter):
    """SegFormer-B0, fully trained, with cross entropy + 2 Dice.

    Parameters
    ----------
    classes
        2 or 3.
    base
        Where the encoder's weights come from, see `baselines.encoders.encoder_weights`; None: random.

    Attributes
    ----------
    pretrained
        Where they came from, for the card.
    """

    stride = 32 // ENLARGED
    habits = Habits(lr=6e-4, final_lr=1e-6, crop=256 // ENLARGED)

    def __init__(self, *, classes: int = 2, base: str | None = None) -> None:
        super().__init__()
        self.classes = classes
        self.model = mit_b0(classes, channels=3)
        self.pretrained = fill_encoder(self.model.segformer, base)

    def forward(self, image: Tensor, hint: Tensor | None = None) -> Tensor:
        """Return logits; see `Segmenter.forward`."""
        del hint
        return full_logits(self.model, as_imagenet(image))

    def loss(self, logits: Tensor, target: Tensor, hint: Tensor | None = None) -> Tensor:
        """Return cross entropy + 2 Dice; see `Segmenter.loss`."""
        del hint
        return cross_entropy(logits, target) + DICE_SHARE * dice(logits, target)


def mit_b0(classes: int, *, channels: int) -> Any:
    """Return transformers' SegFormer of the size B0 with random weights.

    Its `segformer` is the encoder (3.3 M parameters), its `decode_head` the all-MLP head (0.4 M).
    """
    from transformers import (  # noqa: PLC0415  seconds of imports that other networks do not need
        SegformerConfig,
        SegformerForSemanticSegmentation,
    )

    return SegformerForSemanticSegmentation(SegformerConfig(num_labels=classes, num_channels=channels))


def full_logits(model: nn.Module, pixels: Tensor) -> Tensor:
    """Return (N, classes, H, W) float32 logits of normalised (N, C, H, W) pixels."""
    larger = functional.interpolate(pixels, scale_factor=ENLARGED, mode="bilinear", align_corners=False)
    coarse = model(pixel_values=larger).logits.float()
    return functional.interpolate(coarse, size=pixels.shape[2:], mode="bilinear", align_corners=False)
