"""The losses of inpainting networks against plain NumPy formulas, and their gradients."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from baselines.inpainting.losses import (
    adversarial,
    l1,
    masked_l1,
    partial_conv_loss,
    perceptual,
    style,
    total_variation,
)

Array = npt.NDArray[np.float64]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def sample(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Return float64 pictures, filled and undamaged, and a mask."""
    rng = np.random.default_rng(seed)
    filled, target = (torch.from_numpy(rng.random((2, 3, 5, 7))) for _ in range(2))
    return filled, target, torch.from_numpy((rng.random((2, 1, 5, 7)) < 0.2).astype(np.float64))


class Features(nn.Module):
    """Two layers that are easily computed by hand."""

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Return the squares, and the picture without its last column."""
        return [picture**2, picture[..., :-1]]


def plain_variation(picture: Array, mask: Array) -> float:
    """Return the total variation pair by pair, in the mask grown by 1 px."""
    n, _, h, w = picture.shape
    grown = np.zeros(mask.shape, np.bool_)
    for i, _, y, x in np.argwhere(mask > 0):
        grown[i, 0, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = True
    total = 0.0
    for i in range(n):
        for y in range(h):
            for x in range(w):
                for dy, dx in ((0, 1), (1, 0)):
                    if y + dy < h and x + dx < w and grown[i, 0, y, x] and grown[i, 0, y + dy, x + dx]:
                        total += float(np.abs(picture[i, :, y + dy, x + dx] - picture[i, :, y, x]).sum())
    return total / picture.size


def plain_gram(features: Array) -> Array:
    """Return sums of products of channels, one by one."""
    n, c, h, w = features.shape
    return np.array(
        [
            [[(features[i, a] * features[i, b]).sum() / (c * h * w) for b in range(c)] for a in range(c)]
            for i in range(n)
        ]
    )


def plain_style(found: list[Array], wanted: list[Array]) -> float:
    """Return the sum of mean differences of Gram matrices."""
    pairs = zip(found, wanted, strict=True)
    return float(sum(np.abs(plain_gram(a) - plain_gram(b)).mean() for a, b in pairs))


def test_l1() -> None:
    """L1 is the mean over all values, or over those in the mask, and 0 without any."""
    filled, target, mask = sample()
    difference = np.abs(filled.numpy() - target.numpy())
    inside = np.broadcast_to(mask.numpy() > 0, difference.shape)
    assert float(l1(filled, target)) == pytest.approx(difference.mean())
    assert float(masked_l1(filled, target, mask)) == pytest.approx(difference[inside].mean())
    assert float(masked_l1(filled, target, torch.zeros_like(mask))) == 0


def test_total_variation() -> None:
    """Total variation counts the pairs within the mask grown by 1 px."""
    filled, _, mask = sample(1)
    expected = plain_variation(filled.numpy(), mask.numpy())
    assert float(total_variation(filled, mask)) == pytest.approx(expected)
    assert expected > 0
    assert float(total_variation(filled, torch.zeros_like(mask))) == 0


def test_perceptual_and_style() -> None:
    """Perceptual loss compares features, style loss their Gram matrices, layer by layer."""
    filled, target, _ = sample(2)
    found, wanted = Features()(filled), Features()(target)
    arrays = [layer.numpy() for layer in found], [layer.numpy() for layer in wanted]
    expected = sum(np.abs(a - b).mean() for a, b in zip(*arrays, strict=True))
    assert float(perceptual(found, wanted)) == pytest.approx(expected)
    assert float(style(found, wanted)) == pytest.approx(plain_style(*arrays))


@pytest.mark.parametrize("with_features", [True, False])
def test_partial_conv_loss(*, with_features: bool) -> None:
    """The five terms have the paper's weights; without features the two that need them are left out."""
    filled, target, mask = sample(3)
    out, truth, hole = filled.numpy(), target.numpy(), mask.numpy()
    completed = np.where(hole > 0, out, truth)
    expected = np.abs((1 - hole) * (out - truth)).mean() + 6 * np.abs(hole * (out - truth)).mean()
    expected += 0.1 * plain_variation(completed, hole)
    if with_features:
        wanted = [truth**2, truth[..., :-1]]
        for picture in (out, completed):
            found = [picture**2, picture[..., :-1]]
            expected += 0.05 * sum(np.abs(a - b).mean() for a, b in zip(found, wanted, strict=True))
            expected += 120 * plain_style(found, wanted)
    features = Features() if with_features else None
    assert float(partial_conv_loss(filled, target, mask, features)) == pytest.approx(expected)


def test_gradients() -> None:
    """Gradients are those of finite differences."""
    filled, target, mask = sample(4)
    filled.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: partial_conv_loss(x, target, mask, Features()), filled)
    assert torch.autograd.gradcheck(lambda x: masked_l1(x, target, mask), filled)


# -- both sides of a GAN ------------------------------------------------------------------------------------


def test_adversarial() -> None:
    """Each side's loss is the cross entropy that pix2pix has."""
    fake, real, _ = sample(5)
    critic = nn.Conv2d(3, 1, 3).double()
    for_maker, for_critic = adversarial(critic, fake, real)
    on_fake, on_real = (1 / (1 + np.exp(-critic(x).detach().numpy())) for x in (fake, real))
    assert float(for_maker.detach()) == pytest.approx(-np.log(on_fake).mean())
    expected = -(np.log(on_real).mean() + np.log(1 - on_fake).mean()) / 2
    assert float(for_critic.detach()) == pytest.approx(expected)


def test_neither_side_moves_the_other() -> None:
    """The maker's loss has no gradient in the critic, the critic's none in what was made."""
    fake, real, _ = sample(6)
    fake.requires_grad_()
    critic = nn.Sequential(nn.Conv2d(3, 4, 3), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 3)).double()
    for_maker, for_critic = adversarial(critic, fake, real)
    for_maker.backward()  # type: ignore[no-untyped-call]
    assert fake.grad is not None
    assert fake.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in critic.parameters())
    fake.grad = None
    for_critic.backward()  # type: ignore[no-untyped-call]
    assert fake.grad is None
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in critic.parameters())
