"""Losses of inpainting networks: of partial convolutions (Liu et al. 2018), and of GANs (pix2pix).

In all of them `filled`, `target` and `picture` are (N, 3, H, W) float32 in [0, 1], and masks (N, 1, H, W), 1
where to fill. The paper of partial convolutions has its masks the other way round: 1 where the picture is
valid.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

__all__ = ["adversarial", "l1", "masked_l1", "partial_conv_loss", "perceptual", "style", "total_variation"]


def l1(filled: Tensor, target: Tensor) -> Tensor:
    """Return the mean of |filled - target| over all values."""
    return (filled - target).abs().mean()


def masked_l1(filled: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of |filled - target| over the values in the mask; 0 without any."""
    return ((filled - target).abs() * mask).sum() / (3 * mask.sum()).clamp(min=1)


def total_variation(picture: Tensor, mask: Tensor) -> Tensor:
    """Return the sum of |difference to the next px|, across and down, over the number of values.

    L_tv of partial convolutions: only pairs count of which both px lie in the mask grown by 1 px.
    """
    region = functional.max_pool2d(mask, 3, 1, 1)
    across = (picture[..., 1:] - picture[..., :-1]).abs() * region[..., 1:] * region[..., :-1]
    down = (picture[..., 1:, :] - picture[..., :-1, :]).abs() * region[..., 1:, :] * region[..., :-1, :]
    return (across.sum() + down.sum()) / picture.numel()


def perceptual(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Return the sum over layers of the mean of |found - wanted|.

    Parameters
    ----------
    found, wanted
        Features, (N, C, H, W) for each layer.
    """
    return torch.stack([(one - other).abs().mean() for one, other in zip(found, wanted, strict=True)]).sum()


def style(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Return the sum over layers of the mean of |G(found) - G(wanted)|, G = F F^T / (C H W).

    L_style of partial convolutions: its factors 1 / C^2 and K = 1 / (C H W) are this mean and this division.
    F is (C, H W): the features of one picture. Parameters as for `perceptual`.
    """
    return perceptual([_gram(layer) for layer in found], [_gram(layer) for layer in wanted])


def _gram(features: Tensor) -> Tensor:
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])


def partial_conv_loss(
    filled: Tensor, target: Tensor, mask: Tensor, features: nn.Module | None = None
) -> Tensor:
    """Return valid + 6 hole + 0.05 perceptual + 120 style + 0.1 TV: equation 8 of partial convolutions.

    Parameters
    ----------
    filled, target, mask
        As the module says.
    features
        Makes features of a picture, by layers; both terms that need them are left out where it is None.

    Notes
    -----
    Valid and hole are means over *all* values, as the paper divides, so that a narrow crack weighs little.
    The completed picture is `filled` in the mask and `target` elsewhere.
    """
    completed = torch.where(mask > 0.5, filled, target)
    difference = (filled - target).abs()
    total = (difference * (1 - mask)).mean() + 6 * (difference * mask).mean()
    total = total + 0.1 * total_variation(completed, mask)
    if features is None:
        return total
    with torch.no_grad():
        wanted = features(target)
    pairs = [(features(picture), wanted) for picture in (filled, completed)]
    seen = torch.stack([0.05 * perceptual(*pair) + 120 * style(*pair) for pair in pairs])
    return total + seen.sum()


def adversarial(critic: nn.Module, fake: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Return the losses of both sides of a GAN, which may be added and minimised in one step.

    -log D(fake) for what made `fake`, and -(log D(real) + log(1 - D(fake))) / 2 for the critic, each a mean,
    as pix2pix has them; D is the sigmoid of what the critic answers. Neither moves the other's parameters.

    Parameters
    ----------
    critic
        Takes such pictures.
    fake, real
        (N, C, H, W).
    """
    held = {name: parameter.detach() for name, parameter in critic.named_parameters()}
    for_maker = functional.softplus(-functional_call(critic, held, (fake,))).mean()
    on_fake = functional.softplus(critic(fake.detach())).mean()
    on_real = functional.softplus(-critic(real)).mean()
    return for_maker, (on_fake + on_real) / 2
