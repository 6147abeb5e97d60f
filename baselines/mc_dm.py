"""`mc_dm`: paper C's rival MC-DM, DeepLabV3+ with MobileNetV2 (output stride 16, ASPP rates 6, 12 and 18).

The network is that of segmentation_models_pytorch; its logits have a quarter of the resolution and are
enlarged bilinearly. Paper C does not say by which loss it trained its rivals: here by Mixed1, as its own.
"""

from __future__ import annotations

from torch import Tensor

from baselines.encoders import with_imagenet
from baselines.losses import mixed1
from baselines.networks import Habits, Segmenter
from baselines.normalisation import as_imagenet

__all__ = ["McDm"]


class McDm(Segmenter):
    """DeepLabV3+ with MobileNetV2, 4.4 M parameters.

    Parameters
    ----------
    classes
        2 or 3.
    base
        "imagenet" for an encoder from the Hub where it is reachable; None: random.

    Attributes
    ----------
    pretrained
        "imagenet" or "random", for the card.
    """

    stride = 16
    habits = Habits(lr=5e-4)

    def __init__(self, *, classes: int = 2, base: str | None = None) -> None:
        super().__init__()
        import segmentation_models_pytorch as smp  # noqa: PLC0415  seconds, and only here

        self.classes = classes
        self.model, self.pretrained = with_imagenet(
            base,
            lambda trained: smp.DeepLabV3Plus(
                "mobilenet_v2",
                encoder_weights="imagenet" if trained else None,
                encoder_output_stride=16,
                decoder_atrous_rates=(6, 12, 18),
                classes=classes,
            ),
        )

    def forward(self, image: Tensor, hint: Tensor | None = None) -> Tensor:
        """Return logits; see `Segmenter.forward`."""
        del hint
        logits: Tensor = self.model(as_imagenet(image))
        return logits.float()

    def loss(self, logits: Tensor, target: Tensor, hint: Tensor | None = None) -> Tensor:
        """Return Mixed1; see `Segmenter.loss`."""
        del hint
        return mixed1(logits, target)
