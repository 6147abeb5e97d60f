"""Losses: the five of paper C (Res-UNet, Palace Museum), and the masked hybrid loss of paper A.

In all of them logits z are (N, classes, H, W) of any floating type, targets (N, H, W) int64 class numbers
with 0 the background, pixels of class -1 count nowhere, and p is the softmax of z, p_t at a pixel that of its
true class. A batch without one valid pixel costs 0.

>>> logits = torch.zeros(1, 2, 1, 2)
>>> target = torch.tensor([[[0, 1]]])
>>> round(float(cross_entropy(logits, target)), 4)
0.6931
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "IGNORED",
    "cross_entropy",
    "dice",
    "focal",
    "guided",
    "hint_weights",
    "masked_hybrid",
    "mixed1",
    "mixed2",
]

IGNORED = -1
"""The class number of pixels that count nowhere."""


def cross_entropy(logits: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return sum(w * -log p_t) / sum(w), by default with w = 1: the mean over pixels.

    Equation 1 of paper C with alpha = 1 (it names no value), and the L_CE(p, y; w) of paper A's equation 3,
    which does not say by what the sum is divided: here by that of the weights, as PyTorch does, so that a map
    without candidates gives the plain loss and not a hundredth of it.

    Parameters
    ----------
    logits, target
        As the module says.
    weights
        (N, H, W), at least 0.
    """
    return _mean(-_log_true(logits, target), target, weights)


def focal(logits: Tensor, target: Tensor, *, alpha: float = 0.5, gamma: float = 2.0) -> Tensor:
    """Return the mean of -alpha_t (1 - p_t)^gamma log p_t: equations 2-4 of paper C.

    alpha_t is `alpha` for cracks and paint loss, 1 - `alpha` for the background.
    """
    log_true = _log_true(logits, target)
    alpha_t = torch.where(target > 0, alpha, 1 - alpha)
    return _mean(-alpha_t * (1 - log_true.exp()) ** gamma * log_true, target)


def dice(logits: Tensor, target: Tensor, *, smooth: float = 1.0) -> Tensor:
    """Return 1 - (2 sum(p y) + s) / (sum(p) + sum(y) + s), averaged over all classes but the background.

    Equation 5 of paper C. Sums run over the whole batch, so that an image without cracks is judged together
    with those that have some; s, in px, keeps a batch without any defined and is none of the paper's.
    """
    valid = target != IGNORED
    shares = torch.softmax(logits, dim=1)[:, 1:] * valid[:, None]
    truth = torch.stack([target == label for label in range(1, logits.shape[1])], dim=1).to(shares.dtype)
    every = (0, 2, 3)
    overlap = (shares * truth).sum(every)
    return (1 - (2 * overlap + smooth) / (shares.sum(every) + truth.sum(every) + smooth)).mean()


def mixed1(
    logits: Tensor, target: Tensor, *, balance: float = 1.0, alpha: float = 0.5, gamma: float = 2.0
) -> Tensor:
    """Return Dice + lambda Focal: equation 6 of paper C, its best.

    `balance` is lambda, of which the paper gives no value.
    """
    return dice(logits, target) + balance * focal(logits, target, alpha=alpha, gamma=gamma)


def mixed2(logits: Tensor, target: Tensor, *, alpha: float = 0.5, gamma: float = 2.0) -> Tensor:
    """Return Dice + Focal + CE: equation 7 of paper C."""
    return mixed1(logits, target, alpha=alpha, gamma=gamma) + cross_entropy(logits, target)


def hint_weights(hint: Tensor, *, beta: float = 0.01) -> Tensor:
    """Return w = m + beta (1 - m): equation 2 of paper A. m is `hint`, of any shape, 0 or 1."""
    return hint + beta * (1 - hint)


def guided(logits: Tensor, hint: Tensor, *, gamma: float = 1.0) -> Tensor:
    """Return p~ = p + gamma m: equation 4 of paper A, where p are logits and m the detector's map.

    "A soft bias toward predicting cracks": of the logits, only the crack's (channel 1) is raised.

    Parameters
    ----------
    logits
        (N, classes, H, W).
    hint
        (N, 1, H, W), 0 or 1.
    """
    raised = logits[:, 1:2] + gamma * hint.to(logits.dtype)
    return torch.cat([logits[:, :1], raised, logits[:, 2:]], dim=1)


def masked_hybrid(
    logits: Tensor,
    target: Tensor,
    hint: Tensor,
    *,
    beta: float = 0.01,
    balance: float = 2.0,
    gamma: float = 1.0,
) -> Tensor:
    """Return L = L_CE(p~, y; w) + lambda L_Dice(p, y): equations 2-4 of paper A.

    Parameters
    ----------
    logits, target
        As the module says.
    hint
        (N, 1, H, W), 0 or 1: the detector's map m.
    beta, balance, gamma
        The paper's beta, lambda and gamma. beta = 1 switches the mask off, gamma = 0 the guide.
    """
    weights = hint_weights(hint[:, 0].to(logits.dtype), beta=beta)
    entropy = cross_entropy(guided(logits, hint, gamma=gamma), target, weights)
    return entropy + balance * dice(logits, target)


def _log_true(logits: Tensor, target: Tensor) -> Tensor:
    """Return (N, H, W) log p_t; that of the background where a pixel is ignored."""
    return -functional.cross_entropy(logits, target.clamp(min=0), reduction="none")


def _mean(costs: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the weighted mean of (N, H, W) costs over the pixels that count; 0 if there are none."""
    valid = (target != IGNORED).to(costs.dtype)
    counted = valid if weights is None else valid * weights
    return (costs * counted).sum() / counted.sum().clamp(min=torch.finfo(costs.dtype).tiny)
