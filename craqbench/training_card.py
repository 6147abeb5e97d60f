"""What trained weights say of themselves: the card that lies beside them, and the README of the run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import craqbench
from baselines.encoders import RANDOM
from baselines.weight_files import INPAINT
from craqbench.training_validation import Validated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from baselines.training import Network, Trainer
    from craqbench.results import Hardware
    from craqbench.training_data import Learnt
    from craqbench.training_options import TrainingOptions
    from craqbench.training_tasks import Figures
    from craqbench.training_validation import Peers

__all__ = ["card_of", "origin_of", "readme"]

LICENCE = "Apache-2.0"

_OF_SOURCES = ("source", "recipe", "set", "size", "fit", "paintings")
"""Options that a dataset leaves without a use."""

_HIDDEN = ("command", "options", "task", "validation_peers")
"""What the README does not list, or shows elsewhere."""

_LABELS = {"base": "base that was asked for", "pretrained": "first weights of the encoder"}
"""What the README calls an entry of the card that its name explains badly."""


def card_of(
    options: TrainingOptions,
    learnt: Learnt,
    trainer: Trainer,
    validated: tuple[Figures, Peers],
    hardware: Hardware,
    run: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the card of weights, in JSON types: all that `baselines.weights` asks for, and more.

    Parameters
    ----------
    options, learnt, trainer
        The run.
    validated
        Of the weights, and of those that they are shown beside.
    hardware
        Where they were trained.
    run
        What only the run knows: the name of the method, the command, the digest, the step of the weights,
        seconds.
    """
    platform, asked = trainer.platform, options.as_json()
    unused = (*(_OF_SOURCES if options.data else ()), *(["classes"] if options.task == INPAINT else ()))
    figures, peers = validated
    where = f"{hardware.cpu}, {hardware.cores} cores, {hardware.memory_gb} GB"
    return {
        "method": run["method"],
        **({"task": INPAINT} if options.task == INPAINT else {"classes": options.classes}),
        "base": options.base,
        "pretrained": origin_of(trainer.network),
        "switches": dict(options.switches),
        **({"threshold": figures.threshold} if isinstance(figures, Validated) else {}),
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
        **_figures_of(figures, peers),
        **run,
        "options": {name: value for name, value in asked.items() if name not in unused},
    }


def _figures_of(figures: Figures, peers: Peers) -> dict[str, Any]:
    if isinstance(figures, Validated):
        return {"validation_iou": figures.iou, "validation_f1": figures.f1}
    return {"validation_mae": figures.mae, "validation_psnr": figures.psnr, "validation_peers": peers}


def origin_of(network: Network) -> str:
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
        if name not in _HIDDEN
    )
    told = _FILLS if card.get("task") == INPAINT else _FINDS
    return f"""---
license: apache-2.0
library_name: craqbench
pipeline_tag: {told.tag}
tags: [craquelure, cracks, paintings, conservation, synthetic-data]
---

# {card["method"]}: {told.title}

{told.honesty}

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

{_beside(card)}## Curves

{told.curves}
| step | {" | ".join(_spelt(name) for name in told.columns)} |
|---|{"---|" * len(told.columns)}
{_curves(epochs, told.columns)}
"""


@dataclass(frozen=True, kw_only=True)
class _Told:
    """What the README says of a task; `tag` is the Hub's word for it."""

    tag: str
    title: str
    honesty: str
    curves: str
    columns: tuple[str, ...]


_FINDS = _Told(
    tag="image-segmentation",
    title="cracks in paintings, learnt from synthetic ones",
    honesty="""\
Trained on synthetic craquelure alone: no real annotation was used for training, for tuning, for the threshold
or for choosing this checkpoint. The figures below are of synthetic pictures too, and say nothing of real
paintings: `craqbench evaluate` does.""",
    curves="""\
Loss on training triplets; loss, crack IoU and F1 of the averaged weights on triplets of other seeds and other
paintings, at the threshold that is best there. Each step is in `steps.csv`, predictions are in `pictures`.
""",
    columns=("loss", "validation_loss", "validation_iou", "validation_f1", "threshold"),
)

_FILLS = _Told(
    tag="image-to-image",
    title="cracks in paintings, filled",
    honesty="""\
It says what a painting may look like where a mask is drawn, and changes nothing elsewhere; what was there
before it cannot know. Trained on synthetic craquelure alone, of which the undamaged picture is known. The
figures below are of synthetic pictures too: what is made of a real painting, eyes must judge.""",
    curves="""\
Loss on training triplets; loss, MAE (of 255) and PSNR (dB) in the masks of the averaged weights on triplets
of other seeds and other paintings. Each step is in `steps.csv`; `pictures` has, of some, the damaged picture,
the mask, the filling, the undamaged picture, and their difference.
""",
    columns=("loss", "validation_loss", "validation_mae", "validation_psnr"),
)


def _beside(card: Mapping[str, Any]) -> str:
    """Return a table of the network and others on the same pictures; nothing without any."""
    peers = card.get("validation_peers")
    if not peers:
        return ""
    own = {"mae": card["validation_mae"], "psnr": card["validation_psnr"]}
    rows = "\n".join(
        f"| `{name}` | {found['psnr']:.2f} | {found['mae']:.2f} |"
        for name, found in {card["method"]: own, **peers}.items()
    )
    return f"""## Beside others

On the triplets for validation, in their masks:

| | PSNR, dB | MAE, of 255 |
|---|---|---|
{rows}

"""


def _spelt(column: str) -> str:
    """Return a name of `epochs.csv` as a heading."""
    *words, last = column.split("_")
    return " ".join([*words, last.upper() if last in ("iou", "f1", "mae", "psnr") else last])


def _curves(epochs: Sequence[Mapping[str, str]], names: Sequence[str]) -> str:
    return "\n".join(
        f"| {row['step']} | {' | '.join(f'{float(row[name]):.4f}' for name in names)} |" for row in epochs
    )


def _cell(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
    return text.strip('"').replace("|", "\\|")
