"""`mc_dm`: paper C's rival MC-DM, DeepLabV3+ with MobileNetV2 (output stride 16, ASPP rates 6, 12 and 18).

The network is that of segmentation_models_pytorch; its logits have a quarter of the resolution and are
enlarged bilinearly. Paper C does not say by which loss it trained its rivals: here by Mixed1, as its own.
"""

from __future__ import annotations

from torch import nn

from baselines.unet import LibraryNetwork

__all__ = ["McDm"]


class McDm(LibraryNetwork):
    """DeepLabV3+ with MobileNetV2, 4.4 M parameters."""

    stride = 16

    def made(self, weights: str | None) -> nn.Module:
        """Return it; see `LibraryNetwork.made`."""
        import segmentation_models_pytorch as smp  # noqa: PLC0415  seconds, and only here

        network: nn.Module = smp.DeepLabV3Plus(
            "mobilenet_v2",
            encoder_weights=weights,
            encoder_output_stride=16,
            decoder_atrous_rates=(6, 12, 18),
            classes=self.classes,
        )
        return network
