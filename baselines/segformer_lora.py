"""`segformer_lora`: the refiner of "Synthetic Craquelure Generation" (arXiv 2602.12742, paper A), sec. III-B.

SegFormer-B0 with four input channels (RGB as ImageNet has it, and a detector's binary map), of which only
low-rank adapters (LoRA, r = 8, alpha = 16, dropout 0.1) on the projections of attention and feed-forward
layers, and the decode head, are trained, by the masked hybrid loss (eqs. 2-3) on guided logits (eq. 4).

Where the paper is silent, or contradicts itself:

- *The fourth channel.* The encoder has been trained on three, and is frozen: the fourth starts at zero, and
  would stay there, so that the map could never be seen. The first patch embedding carries an adapter too.
- *Without LoRA* (its Table III), all of the network is trained.
- *The scale of the input* is not told; ours is twice the picture's, see `baselines.segformer`.
- *Guided logits* are a matter of training: the map is added to no logit when the network is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from baselines.encoders import OWN_BASE, fill_encoder
from baselines.losses import masked_hybrid
from baselines.networks import Habits, Segmenter
from baselines.normalisation import as_imagenet
from baselines.segformer import ENLARGED, full_logits, mit_b0

__all__ = ["SegFormerLora", "adapter_targets"]

RANK, ALPHA, DROPOUT = 8, 16, 0.1
_DIGEST = "base_sha256"


class SegFormerLora(Segmenter):
    """Paper A's refiner; see the module.

    Parameters
    ----------
    classes
        2 or 3.
    base
        Where the encoder's weights come from, see `baselines.encoders.encoder_weights`; None: random.
    lora
        Adapters on a frozen encoder; otherwise all of it is trained.
    guide
        Equation 4.
    mask_loss
        Equation 2; otherwise every pixel weighs the same.
    detector_channel
        The map as a fourth channel of the input.

    Attributes
    ----------
    detector_channel
        Whether a map is wanted at all, as input or by the loss.
    channels
        Of the input: 4, or 3 without detector channel.
    pretrained
        Where the encoder's weights came from, for the card.

    Notes
    -----
    With the base of this package and LoRA, the state dict has adapters and head only, and a digest of the
    base, which is checked on loading: the base is there already.
    """

    stride = 32 // ENLARGED
    habits = Habits(lr=2e-4, final_lr=1e-6, crop=256 // ENLARGED)

    def __init__(
        self,
        *,
        classes: int = 2,
        base: str | None = None,
        lora: bool = True,
        guide: bool = True,
        mask_loss: bool = True,
        detector_channel: bool = True,
    ) -> None:
        super().__init__()
        self.classes = classes
        self.channels = 4 if detector_channel else 3
        self.detector_channel = detector_channel or guide or mask_loss
        self.gamma = 1.0 if guide else 0.0
        self.beta = 0.01 if mask_loss else 1.0
        self.model = mit_b0(classes, channels=self.channels)
        self.pretrained = fill_encoder(self.model.segformer, base)
        if lora:
            _adapt(self.model)
        if lora and base == OWN_BASE:
            _leave_out_base(self, self.pretrained.rpartition(":")[2])

    def forward(self, image: Tensor, hint: Tensor | None = None) -> Tensor:
        """Return logits; see `Segmenter.forward`.

        Raises
        ------
        ValueError
            If there is no map although there is a channel for it.
        """
        pixels = as_imagenet(image)
        if self.channels == 4:
            pixels = torch.cat([pixels, self._map(hint).to(pixels.dtype)], dim=1)
        return full_logits(self.model, pixels)

    def loss(self, logits: Tensor, target: Tensor, hint: Tensor | None = None) -> Tensor:
        """Return the masked hybrid loss; see `Segmenter.loss` and `baselines.losses.masked_hybrid`.

        Raises
        ------
        ValueError
            If there is no map although it counts.
        """
        wanted = self.gamma != 0 or self.beta != 1
        m = self._map(hint) if wanted else torch.zeros_like(logits[:, :1])
        return masked_hybrid(logits, target, m, beta=self.beta, gamma=self.gamma)

    @staticmethod
    def _map(hint: Tensor | None) -> Tensor:
        if hint is None:
            raise ValueError("segformer_lora got no hint: expected a detector's map of shape (N, 1, H, W)")
        return hint


def adapter_targets(encoder: nn.Module) -> list[str]:
    """Return the names, within a SegFormer encoder, of what carries an adapter.

    All projections of its attention and feed-forward layers, which are all its linear layers, and, where its
    input has more channels than three, the first patch embedding.
    """
    linear = [name for name, module in encoder.named_modules() if isinstance(module, nn.Linear)]
    first = next((name, module) for name, module in encoder.named_modules() if isinstance(module, nn.Conv2d))
    return [*([first[0]] if first[1].in_channels > 3 else []), *linear]


def _adapt(model: Any) -> None:
    """Put adapters into an encoder, and freeze all of it but them; the decode head stays free."""
    from peft import LoraConfig, inject_adapter_in_model  # noqa: PLC0415  seconds, and only here

    config = LoraConfig(
        r=RANK,
        lora_alpha=ALPHA,
        lora_dropout=DROPOUT,
        target_modules=[f"segformer.{name}" for name in adapter_targets(model.segformer)],
    )
    inject_adapter_in_model(config, model)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = "lora_" in name or name.startswith("decode_head.")


def _leave_out_base(network: SegFormerLora, sha256: str) -> None:
    """Keep what the package has already out of the state dict, but for its digest."""
    network.register_buffer(_DIGEST, torch.tensor(list(bytes.fromhex(sha256)), dtype=torch.uint8))
    network.register_state_dict_post_hook(_drop_base)  # type: ignore[no-untyped-call]
    network.register_load_state_dict_pre_hook(_add_base)  # type: ignore[no-untyped-call]


def _base_names(network: nn.Module) -> Iterable[str]:
    trained = {name for name, parameter in network.named_parameters() if "lora_" in name}
    return [
        name
        for name, _ in network.named_parameters()
        if name.startswith("model.segformer.") and name not in trained
    ]


def _drop_base(network: nn.Module, state: dict[str, Tensor], prefix: str, _metadata: Any) -> None:
    for name in _base_names(network):
        state.pop(prefix + name)


def _add_base(network: nn.Module, state: dict[str, Tensor], prefix: str, *_others: Any) -> None:
    stored = state.get(prefix + _DIGEST)
    own = getattr(network, _DIGEST)
    if stored is not None and not torch.equal(stored.to(own.device), own):
        raise ValueError(
            f"these adapters were trained on the base with sha256 {bytes(stored.tolist()).hex()}: "
            f"expected {bytes(own.tolist()).hex()}, the base of this package"
        )
    parameters = dict(network.named_parameters())
    for name in _base_names(network):
        state.setdefault(prefix + name, parameters[name].detach())
