"""`shift_net`: Shift-Net (Yan et al., ECCV 2018, arXiv 1801.09392), as paper B's Dunhuang system has it.

The U-Net of pix2pix, of which the third level from the output (32 x 32 of 256 x 256) has a third part beside
features and skip: where it is masked, the *encoder's* feature of that known place whose feature is most alike
the decoder's, by the cosine of their angle. Masked px are shown to it as middle grey.

Loss: 100 L1 + 0.2 GAN + guidance, here divided by 100 (see `baselines.inpainting.gan_unet`). The guidance
wants the decoder's features in the mask to be what the encoder makes of the undamaged picture there.

What the sources leave open: a place of that level is masked if any of its 8 x 8 px is, and the third part is
0 where the picture is known, and everywhere if nothing is; the GAN is pix2pix's.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from baselines.inpainting.gan_unet import PIX_HABITS, PatchCritic, PixDecoder, PixEncoder, gan_loss
from baselines.inpainting.losses import l1
from baselines.inpainting.networks import InpaintingNetwork

__all__ = ["ShiftNet", "guidance", "shift"]

_LEVEL = 2
"""Of the shift: features of 1/8 of the size."""


class ShiftNet(InpaintingNetwork):
    """Shift-Net, 55.0 M parameters; see the module.

    Parameters
    ----------
    width
        Channels of the first layer; the deepest have eight times as many.
    depth
        Levels, at least four: pictures are padded to multiples of 2^depth.
    """

    habits = PIX_HABITS

    def __init__(self, *, width: int = 64, depth: int = 8) -> None:
        super().__init__()
        if depth <= _LEVEL + 1:
            raise ValueError(f"depth {depth} of shift_net: expected at least {_LEVEL + 2} levels")
        self.stride = 2**depth
        self.encoder = PixEncoder(3, width, depth)
        self.decoder = PixDecoder(width, depth, third=_LEVEL)
        self.critic = PatchCritic(width)
        self._decoded: Tensor | None = None

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the picture; see `InpaintingNetwork.forward`."""
        hidden = _hidden(mask)

        def make_third(decoded: Tensor, encoded: Tensor) -> Tensor:
            self._decoded = decoded  # the loss will want it
            return shift(decoded, encoded, hidden)

        filled: Tensor = self.decoder(self.encoder((image * 2 - 1) * (1 - mask)), make_third)
        return filled

    def loss(self, filled: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Return (100 L1 + 0.2 GAN + guidance) / 100, and the critic's loss; see `InpaintingNetwork.loss`."""
        decoded, self._decoded = self._decoded, None
        if decoded is None:
            raise RuntimeError("shift_net: expected forward before each loss")
        with torch.no_grad():
            wanted = self.encoder(target * 2 - 1, _LEVEL + 1)[-1]
        guided = guidance(decoded.float(), wanted, _hidden(mask))
        return l1(filled, target) + 0.01 * guided + gan_loss(self.critic, filled, target, mask, 0.002)


def guidance(decoded: Tensor, wanted: Tensor, hidden: Tensor) -> Tensor:
    """Return the mean over all values of (decoded - wanted)^2, which is 0 where the picture is known.

    Parameters
    ----------
    decoded, wanted
        (N, C, h, w): features of the decoder, and of the encoder for the undamaged picture.
    hidden
        (N, 1, h, w) bool, True where the picture is masked.
    """
    return ((decoded - wanted) ** 2 * hidden).mean()


def shift(decoded: Tensor, encoded: Tensor, hidden: Tensor) -> Tensor:
    """Return the encoder's feature of the most similar known place for each masked one, 0 for the others.

    Parameters
    ----------
    decoded, encoded
        (N, C, h, w).
    hidden
        (N, 1, h, w) bool, True where the picture is masked.

    Returns
    -------
    (N, C, h, w). Gradients reach `encoded` only: which place is the most similar has none.
    """
    parts = []
    for ours, theirs, masked in zip(decoded.flatten(2), encoded.flatten(2), hidden.flatten(1), strict=True):
        places, known = masked.nonzero()[:, 0], theirs[:, ~masked]
        empty = torch.zeros_like(theirs)
        if len(places) and known.shape[1]:
            best = _most_similar(ours[:, places], known)
            empty = empty.index_copy(1, places, known[:, best])
        parts.append(empty)
    return torch.stack(parts).view_as(encoded)


@torch.no_grad()
def _most_similar(ours: Tensor, known: Tensor) -> Tensor:
    """Return for each column of (C, m) the number of the most similar column of (C, k)."""
    with torch.autocast(ours.device.type, enabled=False):
        aims, choices = (functional.normalize(features.float(), dim=0) for features in (ours, known))
        return (aims.T @ choices).argmax(1)


def _hidden(mask: Tensor) -> Tensor:
    """Return (N, 1, H / 8, W / 8) bool: whether any px of a place is masked."""
    return functional.max_pool2d(mask, 2 ** (_LEVEL + 1)) > 0.5
