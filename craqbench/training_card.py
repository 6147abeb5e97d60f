"""What trained weights say of themselves: the card that lies beside them, and the README of the run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import craqbench
from baselines.encoders import RANDOM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from baselines.networks import Segmenter
    from baselines.training import Trainer
    from craqbench.results import Hardware
    from craqbench.training_data import Learnt
    from craqbench.training_options import TrainingOptions
    from craqbench.training_validation import Validated

__all__ = ["card_of", "origin_of", "readme"]

LICENCE = "Apache-2.0"

_OF_SOURCES = ("source", "recipe", "set", "size", "fit", "paintings")
"""Options that a dataset leaves without a use."""

_LABELS = {"base": "base that was asked for", "pretrained": "first weights of the encoder"}
"""What the README calls an entry of the card that its name explains badly."""


def card_of(
    options: TrainingOptions,
    learnt: Learnt,
    trainer: Trainer,
    validated: Validated,
    hardware: Hardware,
    run: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the card of weights, in JSON types: all that `baselines.weights` asks for, and more.

    Parameters
    ----------
    options, learnt, trainer
        The run.
    validated
        Of the weights.
    hardware
        Where they were trained.
    run
        What only the run knows: the name of the method, the command, the digest, the step of the weights,
        seconds.
    """
    platform, asked = trainer.platform, options.as_json()
    unused = _OF_SOURCES if options.data else ()
    where = f"{hardware.cpu}, {hardware.cores} cores, {hardware.memory_gb} GB"
    return {
        "method": run["method"],
        "classes": options.classes,
        "base": options.base,
        "pretrained": origin_of(trainer.network),
        "switches": dict(options.switches),
        "threshold": validated.threshold,
        "version": craqbench.__version__,
        "steps": trainer.step,
        "seed": options.seed,
        "recipe": learnt.recipe,
        "source": learnt.name,
        "data": f"synthetic cracks on {learnt.training} paintings ({learnt.validation} more for validation); "
        "no real annotation",
        "data_digest": learnt.digest,
        "hardware": f"{where}; {platform['device']}",
        "precision": platform["precision"],
        "torch": platform["torch"],
        "licence": LICENCE,
        "validation_iou": validated.iou,
        "validation_f1": validated.f1,
        **run,
        "options": {name: value for name, value in asked.items() if name not in unused},
    }


def origin_of(network: Segmenter) -> str:
    """Return where the first weights of a network's encoder came from.

    "random", "imagenet", "craqbench sha256:...", or a repository of the Hub and its commit.
    """
    return str(getattr(network, "pretrained", RANDOM))


def readme(card: Mapping[str, Any], epochs: Sequence[Mapping[str, str]]) -> str:
    """Return the model card in the Hub's format: how the weights were made, and how the run went.

    Parameters
    ----------
    card
        As `card_of` returns it.
    epochs
        The rows of ``epochs.csv``.
    """
    facts = "\n".join(
        f"| {_LABELS.get(name, name.replace('_', ' '))} | {_cell(value)} |"
        for name, value in card.items()
        if name not in ("command", "options")
    )
    return f"""---
license: apache-2.0
library_name: craqbench
pipeline_tag: image-segmentation
tags: [craquelure, cracks, paintings, conservation, synthetic-data]
---

# {card["method"]}: cracks in paintings, learnt from synthetic ones

Trained on synthetic craquelure alone: no real annotation was used for training, for tuning, for the threshold
or for choosing this checkpoint. The figures below are of synthetic pictures too, and say nothing of real
paintings: `craqbench evaluate` does.

Made by

```
{card["command"]}
```

| | |
|---|---|
{facts}

All options of the run:

```json
{json.dumps(card["options"], indent=2, ensure_ascii=False)}
```

## Curves

Loss on training triplets; loss, crack IoU and F1 of the averaged weights on triplets of other seeds and other
paintings, at the threshold that is best there. Each step is in `steps.csv`, predictions are in `pictures`.

| step | loss | validation loss | validation IoU | validation F1 | threshold |
|---|---|---|---|---|---|
{_curves(epochs)}
"""


def _curves(epochs: Sequence[Mapping[str, str]]) -> str:
    names = ("loss", "validation_loss", "validation_iou", "validation_f1", "threshold")
    return "\n".join(
        f"| {row['step']} | {' | '.join(f'{float(row[name]):.4f}' for name in names)} |" for row in epochs
    )


def _cell(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
    return text.strip('"').replace("|", "\\|")
