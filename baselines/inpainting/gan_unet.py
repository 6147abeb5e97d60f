"""`gan_unet`: a GAN with a U-Net as generator, a stand-in in the manner of pix2pix.

Paper B names "an ancient Chinese painting restoration method based on improved GAN with U-Net generator"
(2022), of which no details were to be found. What stands here in its place is pix2pix (Isola et al., arXiv
1611.07004), told where to fill: its results are not those of that method.

Generator: 4 x 4 convolutions of stride 2, 64 to 512 channels, eight levels, instance norm, LeakyReLU 0.2 on
the way down; the same transposed, ReLU, with skips on the way up; tanh. Critic: PatchGAN, of which each
answer sees 70 x 70 px. Loss: L1 x 100 + GAN, here divided by 100, which Adam does not notice and the clipping
of gradients does. Differences from pix2pix: no dropout, so that a filling is the same each time; the critic
sees the completed picture (the painting outside the mask) and the mask, and learns in the same step as the
generator.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from baselines.inpainting.losses import adversarial, l1
from baselines.inpainting.networks import InpaintingNetwork, composed
from baselines.networks import Habits

__all__ = ["PIX_HABITS", "GanUNet", "PatchCritic", "PixDecoder", "PixEncoder", "gan_loss"]

PIX_HABITS = Habits(lr=2e-4, final_lr=2e-6, weight_decay=0.0, optimiser="adam")


class GanUNet(InpaintingNetwork):
    """A stand-in in the manner of pix2pix, 54.4 M parameters; see the module.

    Parameters
    ----------
    width
        Channels of the first layer; the deepest have eight times as many.
    depth
        Levels: pictures are padded to multiples of 2^depth.
    """

    habits = PIX_HABITS

    def __init__(self, *, width: int = 64, depth: int = 8) -> None:
        super().__init__()
        self.stride = 2**depth
        self.encoder = PixEncoder(4, width, depth)
        self.decoder = PixDecoder(width, depth)
        self.critic = PatchCritic(width)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the picture; see `InpaintingNetwork.forward`."""
        filled: Tensor = self.decoder(self.encoder(torch.cat([image * 2 - 1, mask], 1)))
        return filled

    def loss(self, filled: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Return (100 L1 + GAN) / 100, and the critic's loss; see `InpaintingNetwork.loss`."""
        return l1(filled, target) + gan_loss(self.critic, filled, target, mask, 0.01)


def gan_loss(critic: nn.Module | None, filled: Tensor, target: Tensor, mask: Tensor, weight: float) -> Tensor:
    """Return `weight` times the generator's loss, and the critic's; 0 without a critic.

    Both see the completed picture and the mask; parameters as for `InpaintingNetwork.loss`.
    """
    if critic is None:
        return filled.new_zeros(())
    fake = torch.cat([composed(target, filled, mask), mask], 1)
    real = torch.cat([target, mask], 1)
    for_maker, for_critic = adversarial(critic, fake, real)
    return weight * for_maker + for_critic


def pix_widths(width: int, depth: int) -> list[int]:
    """Return the channels of all levels."""
    return [width << min(level, 3) for level in range(depth)]


class PixEncoder(nn.Module):
    """pix2pix's way down.

    Parameters
    ----------
    inside
        Channels of what is seen.
    width, depth
        As for `GanUNet`.
    """

    def __init__(self, inside: int, width: int, depth: int) -> None:
        super().__init__()
        widths = pix_widths(width, depth)
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.LeakyReLU(0.2) if level else nn.Identity(),
                nn.Conv2d(above, below, 4, 2, 1),
                nn.InstanceNorm2d(below) if 0 < level < depth - 1 else nn.Identity(),
            )
            for level, (above, below) in enumerate(zip([inside, *widths], widths, strict=False))
        )

    def forward(self, x: Tensor, levels: int | None = None) -> list[Tensor]:
        """Return the features of each level, (N, C, H / 2, W / 2) first; of all, or of the first so many."""
        found = []
        for level in self.levels[:levels]:
            x = level(x)
            found.append(x)
        return found


class PixDecoder(nn.Module):
    """pix2pix's way up.

    Parameters
    ----------
    width, depth
        As for `GanUNet`.
    third
        At which of the encoder's levels a third part joins features and skip; None: nowhere.
    """

    def __init__(self, width: int, depth: int, *, third: int | None = None) -> None:
        super().__init__()
        self.third = third
        widths = pix_widths(width, depth)
        outsides = [3, *widths]
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(),
                nn.ConvTranspose2d(self._parts(level, depth) * widths[level], outsides[level], 4, 2, 1),
                nn.InstanceNorm2d(outsides[level]) if level else nn.Identity(),
            )
            for level in range(depth)
        )

    def _parts(self, level: int, depth: int) -> int:
        """Return how many features are joined at a level."""
        return 1 if level == depth - 1 else 2 + (level == self.third)

    def forward(
        self, skips: list[Tensor], make_third: Callable[[Tensor, Tensor], Tensor] | None = None
    ) -> Tensor:
        """Return the picture, (N, 3, H, W) float32 in [0, 1].

        Parameters
        ----------
        skips
            What the encoder found.
        make_third
            Makes the third part from features and skip, all (N, C, h, w).
        """
        x, last = skips[-1], len(skips) - 1
        for number in reversed(range(len(self.levels))):
            parts = [x] if number == last else [x, skips[number]]
            if make_third is not None and number == self.third:
                parts.append(make_third(*parts))
            x = self.levels[number](torch.cat(parts, 1))
        return (torch.tanh(x.float()) + 1) / 2


class PatchCritic(nn.Module):
    """PatchGAN: says of each 70 x 70 px whether they are real, as a logit.

    Parameters
    ----------
    width
        Channels of the first layer.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(4, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for number, stride in enumerate((2, 2, 1)):
            inside, outside = width << number, width << number + 1
            layers += [
                nn.Conv2d(inside, outside, 4, stride, 1),
                nn.InstanceNorm2d(outside),
                nn.LeakyReLU(0.2),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, 1, 1))

    def forward(self, picture: Tensor) -> Tensor:
        """Return (N, 1, about H / 8, about W / 8) logits of (N, 4, H, W) colours and mask."""
        found: Tensor = self.layers(picture)
        return found
