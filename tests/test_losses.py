"""The losses against plain NumPy formulas, and their gradients against finite differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from baselines.losses import (
    cross_entropy,
    dice,
    focal,
    guided,
    hint_weights,
    masked_hybrid,
    mixed1,
    mixed2,
)

Array = npt.NDArray[np.float64]
Loss = Callable[[Tensor, Tensor], Tensor]


def sample(classes: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Return float64 logits, a target with ignored px, and a detector's map."""
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(0, 2, (2, classes, 3, 4)))
    target = torch.from_numpy(rng.integers(-1, classes, (2, 3, 4)))
    return logits, target, torch.from_numpy(rng.integers(0, 2, (2, 1, 3, 4)).astype(np.float64))


def shares(logits: Tensor) -> Array:
    """Return softmax by its definition."""
    powers = np.exp(logits.numpy())
    return np.asarray(powers / powers.sum(1, keepdims=True), np.float64)


def plain_focal(logits: Tensor, target: Tensor, alpha: float, gamma: float) -> float:
    """Return equation 4 of paper C, pixel by pixel."""
    p, costs = shares(logits), []
    for n, y, x in np.argwhere(target.numpy() >= 0):
        label = int(target[n, y, x])
        p_t = p[n, label, y, x]
        costs.append(-(alpha if label else 1 - alpha) * (1 - p_t) ** gamma * np.log(p_t))
    return float(np.mean(costs))


def plain_entropy(logits: Tensor, target: Tensor, weights: Array) -> float:
    """Return weighted cross entropy, pixel by pixel."""
    p, total, weight = shares(logits), 0.0, 0.0
    for n, y, x in np.argwhere(target.numpy() >= 0):
        total -= weights[n, y, x] * np.log(p[n, int(target[n, y, x]), y, x])
        weight += weights[n, y, x]
    return float(total / weight)


def plain_dice(logits: Tensor, target: Tensor, smooth: float = 1.0) -> float:
    """Return equation 5 of paper C, class by class."""
    p, labels = shares(logits), target.numpy()
    found = []
    for label in range(1, logits.shape[1]):
        x = p[:, label][labels >= 0]
        y = (labels == label)[labels >= 0]
        found.append(1 - (2 * (x * y).sum() + smooth) / (x.sum() + y.sum() + smooth))
    return float(np.mean(found))


@pytest.mark.parametrize("classes", [2, 3])
def test_the_five_of_paper_c(classes: int) -> None:
    """CE, Focal, Dice, Mixed1 and Mixed2 are what their formulas say, without ignored px."""
    logits, target, _ = sample(classes)
    entropy = plain_entropy(logits, target, np.ones(target.shape))
    focused, overlap = plain_focal(logits, target, 0.5, 2), plain_dice(logits, target)
    assert float(cross_entropy(logits, target)) == pytest.approx(entropy)
    assert float(focal(logits, target)) == pytest.approx(focused)
    assert float(dice(logits, target)) == pytest.approx(overlap)
    assert float(mixed1(logits, target, balance=0.7)) == pytest.approx(overlap + 0.7 * focused)
    assert float(mixed2(logits, target)) == pytest.approx(overlap + focused + entropy)


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 0.0), (0.9, 1.5)])
def test_focal_parameters(alpha: float, gamma: float) -> None:
    """Alpha weighs what is not background, gamma what is uncertain."""
    logits, target, _ = sample(3, seed=1)
    assert float(focal(logits, target, alpha=alpha, gamma=gamma)) == pytest.approx(
        plain_focal(logits, target, alpha, gamma)
    )


def test_cross_entropy_is_twice_the_focal_loss_without_focus() -> None:
    """With gamma = 0 and alpha = 0.5, focal loss is half of cross entropy."""
    logits, target, _ = sample(2)
    assert float(2 * focal(logits, target, gamma=0)) == pytest.approx(float(cross_entropy(logits, target)))


@pytest.mark.parametrize("classes", [2, 3])
def test_masked_hybrid_of_paper_a(classes: int) -> None:
    """Equations 2-4: weights m + beta (1 - m), the crack's logit raised by m, 2 Dice on plain logits."""
    logits, target, hint = sample(classes, seed=2)
    m = hint.numpy()
    raised = logits.clone()
    raised[:, 1] += 1.0 * hint[:, 0]
    weights = m[:, 0] + 0.01 * (1 - m[:, 0])
    expected = plain_entropy(raised, target, weights) + 2 * plain_dice(logits, target)
    assert float(masked_hybrid(logits, target, hint)) == pytest.approx(expected)


def test_switches_of_the_hybrid() -> None:
    """With beta = 1 and gamma = 0 remain cross entropy + lambda Dice, whatever the map."""
    logits, target, hint = sample(2)
    found = masked_hybrid(logits, target, hint, beta=1.0, gamma=0.0, balance=3.0)
    assert float(found) == pytest.approx(float(cross_entropy(logits, target) + 3 * dice(logits, target)))


def test_hint_weights_and_guide() -> None:
    """A candidate weighs 1, the rest beta; only the logit of cracks is raised."""
    hint = torch.tensor([[[[1.0, 0.0]]]])
    assert hint_weights(hint).flatten().tolist() == pytest.approx([1.0, 0.01])
    assert guided(torch.zeros(1, 3, 1, 2), hint)[0, :, 0].tolist() == [[0, 0], [1, 0], [0, 0]]


LOSSES: dict[str, Callable[[Tensor], Loss]] = {
    "cross_entropy": lambda _: cross_entropy,
    "weighted": lambda hint: lambda z, y: cross_entropy(z, y, hint_weights(hint[:, 0])),
    "focal": lambda _: focal,
    "dice": lambda _: dice,
    "mixed1": lambda _: mixed1,
    "mixed2": lambda _: mixed2,
    "masked_hybrid": lambda hint: lambda z, y: masked_hybrid(z, y, hint),
}


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", LOSSES)
def test_gradients(name: str, classes: int) -> None:
    """The gradient by the logits is that of finite differences, in float64."""
    logits, target, hint = sample(classes, seed=3)
    loss = LOSSES[name](hint)
    assert torch.autograd.gradcheck(lambda z: loss(z, target), (logits.requires_grad_(),))


@pytest.mark.parametrize("name", LOSSES)
def test_ignored_pixels_have_no_say(name: str) -> None:
    """What is predicted at an ignored px changes neither the loss nor gets a gradient."""
    logits, target, hint = sample(3, seed=4)
    loss = LOSSES[name](hint)
    ignored = (target == -1)[:, None].expand_as(logits)
    other = torch.where(ignored, logits + 5 * torch.randn_like(logits), logits)
    assert float(loss(other, target)) == pytest.approx(float(loss(logits, target)))
    torch.autograd.backward(loss(logits.requires_grad_(), target))
    assert logits.grad is not None
    assert not logits.grad[ignored].any()


@pytest.mark.parametrize("name", LOSSES)
def test_nothing_valid_is_no_fault(name: str) -> None:
    """A batch of ignored px only has a finite loss without gradient."""
    logits, target, hint = sample(2)
    loss = LOSSES[name](hint)(logits.requires_grad_(), torch.full_like(target, -1))
    torch.autograd.backward(loss)
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("name", LOSSES)
def test_extremes_stay_finite(name: str) -> None:
    """Very sure answers, right or wrong, give finite losses and gradients in float32."""
    logits, target, hint = sample(2)
    sure = (logits.float() * 1e4).requires_grad_()
    loss = LOSSES[name](hint.float())(sure, target)
    torch.autograd.backward(loss)
    assert torch.isfinite(loss)
    assert sure.grad is not None
    assert torch.isfinite(sure.grad).all()
