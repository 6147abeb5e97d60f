"""What a training run is to be: its options, and the digest by which a run is known again."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from craqbench.configuration import code_digest, versions
from craqbench.errors import CraqbenchError, UsageError
from craqbench.storage import on_disk, write_file
from generators.recipes import RECIPES, with_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from generators.triplets import Recipe, Size

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "DETECT",
    "INPAINT",
    "RUN",
    "Claim",
    "Execution",
    "TrainingOptions",
    "claim_run",
    "options_of_run",
]

DETECT, INPAINT = "detect", "inpaint"

RUN = "run.json"
_KIND = "craqbench training run"
_MAKES_SAMPLES = {
    DETECT: ("augmentation", "gallery", "training_data", "training_samples"),
    INPAINT: ("augmentation", "gallery", "training_data", "training_pairs", "training_samples"),
}
_MAKES_STEPS = {
    DETECT: ("networks", "losses", "schedules", "training"),
    INPAINT: (
        "networks",
        "normalisation",
        "schedules",
        "training",
        "unet",
        "inpainting/gan_unet",
        "inpainting/losses",
        "inpainting/networks",
    ),
}


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """The options of a run that change what comes of it.

    Attributes
    ----------
    task
        `DETECT`, find cracks; or `INPAINT`, fill them.
    method
        A name of `baselines.architectures`, or ``package.module:Class`` for a subclass of
        `baselines.learned.LearnedDetector` that makes a network of its own; for filling, those of
        `baselines.inpainting`.
    recipe
        One of `generators.recipes.RECIPES`, perhaps with settings.
    source, data
        Clean paintings as `craqbench.sources.open_source` takes them; or the folder of a dataset, and then
        recipe and source are not used.
    steps, batch, crop
        Steps, triplets of a step, and the side of their squares in px; batch and crop None: as the network
        is used to.
    seed
        Of everything.
    classes, base, switches
        As for `baselines.architectures.make_network`; nothing that fills has classes.
    lr, final_lr
        None: as the network is used to.
    size, fit
        Of the triplets that squares are cut from. None: see `craqbench.training_data.triplet_size`.
    paintings
        How many to read at most. None: see `craqbench.training_data.from_source`.
    epoch
        Steps between two validations. None: a twentieth, 50 at least and 500 at most.
    patience
        Epochs without a better validation after which a run ends; 0: never.
    validation
        Triplets to validate on.
    precision
        One of `baselines.training.PRECISIONS`.
    """

    method: str
    recipe: Recipe
    task: str = DETECT
    source: str = "procedural"
    data: str | None = None
    steps: int = 2000
    batch: int | None = None
    crop: int | None = None
    seed: int = 0
    classes: int = 2
    base: str | None = None
    switches: Mapping[str, Any] = field(default_factory=dict)
    lr: float | None = None
    final_lr: float | None = None
    size: Size | None = None
    fit: str = "crop"
    paintings: int | None = None
    epoch: int | None = None
    patience: int = 0
    validation: int = 96
    precision: str = "auto"

    @property
    def steps_per_epoch(self) -> int:
        """Steps between two validations."""
        return self.epoch or min(500, max(50, math.ceil(self.steps / 20)))

    def as_json(self) -> dict[str, Any]:
        """Return the options in JSON types; the recipe as its name and settings."""
        found = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "recipe"}
        found["size"] = None if self.size is None else list(self.size)
        found["switches"] = dict(self.switches)
        return {**found, "recipe": self.recipe.name, "set": self.recipe.settings()}

    @classmethod
    def of_json(cls, found: Mapping[str, Any]) -> TrainingOptions:
        """Return the options that `as_json` wrote.

        Raises
        ------
        CraqbenchError
            If they are not such.
        """
        rest = dict(found)
        try:
            settings = {k: tuple(v) if isinstance(v, list) else v for k, v in rest.pop("set").items()}
            recipe = with_settings(RECIPES[rest.pop("recipe")], settings)
            rest["size"] = None if rest["size"] is None else tuple(rest["size"])
            return cls(recipe=recipe, **rest)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CraqbenchError(f"{RUN} is not of this version of craqbench: {error}") from error


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How a run is done; changes nothing, but for the last digits that another device computes.

    Attributes
    ----------
    device
        "auto", "cpu" or "cuda".
    workers
        Processes that make triplets; 0: the main process does.
    threads
        Of torch, on the CPU. None: as many as there are cores.
    minutes
        Stop after so many. None: never.
    command
        The command line, for the card.
    """

    device: str = "auto"
    workers: int = 1
    threads: int | None = None
    minutes: float | None = None
    command: str = ""


@dataclass(frozen=True)
class Claim:
    """A folder that is the home of a run, and of one process at a time.

    Attributes
    ----------
    out
        The folder.
    digest
        Of the run.
    command
        That began it.
    pretrained
        Where the encoder's first weights came from when it began.
    """

    out: Path
    digest: str
    command: str
    pretrained: str


@contextlib.contextmanager
def claim_run(
    out: Path,
    options: TrainingOptions,
    data_digest: str,
    code: Sequence[Path],
    *,
    command: str = "",
    pretrained: str = "",
) -> Iterator[Claim]:
    """Make a folder the home of a run, or check that it is already, and keep others out of it.

    Parameters
    ----------
    out
        Folder of the run.
    options
        All settled.
    data_digest
        Of the paintings, or of the dataset.
    code
        Files beside our own that make the steps.
    command, pretrained
        For the card, if the run begins. They are no part of the digest.

    Raises
    ------
    UsageError
        If it is that of another run (each difference is named), holds other files, or is in use.
    StorageError
        If it cannot be written to.
    """
    content = {
        "kind": _KIND,
        "options": options.as_json(),
        "data digest": data_digest,
        "code": _code(options, code),
        "versions": versions(),
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    path = out / RUN
    if not path.exists():
        _refuse_strangers(out)
        rest = {"command": command or "craqbench.training.train", "pretrained": pretrained}
        write_file(path, (json.dumps({**content, "digest": digest, **rest}, indent=2) + "\n").encode())
    found = _read(path)
    if found.get("digest") != digest:
        lines = [f"  {name}: {then} there, {now} now" for name, then, now in _differences(found, content)]
        told = (
            f"{str(out)!r} holds a run of other options or code: expected the same command, or another --out"
        )
        raise UsageError("\n".join([told, *lines]))
    with _alone(out):
        yield Claim(out, digest, str(found.get("command")), str(found.get("pretrained", pretrained)))


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep a second process out, where the platform can."""
    if fcntl is None:
        yield
        return
    with on_disk(out), (out / ".lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"another process trains in {str(out)!r}: expected one at a time") from None
        yield


def options_of_run(out: Path) -> TrainingOptions:
    """Return the options of the run in a folder.

    Raises
    ------
    UsageError
        If there is none.
    """
    if not (out / RUN).exists():
        raise UsageError(f"{str(out)!r} holds no run: expected the --out of 'craqbench train'")
    return TrainingOptions.of_json(_read(out / RUN)["options"])


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict) or found.get("kind") != _KIND:
        raise UsageError(f"{path} is not of ours: expected the file of a {_KIND}")
    return found


def _refuse_strangers(out: Path) -> None:
    if out.is_dir():
        names = sorted(path.name for path in out.iterdir() if not path.name.startswith("."))
        if names:
            shown = ", ".join(names[:3])
            raise UsageError(
                f"folder {str(out)!r} is not empty ({shown}): expected a new folder, or one of a run"
            )


def _code(options: TrainingOptions, sources: Sequence[Path]) -> str:
    here = Path(__file__).parent
    files = [
        *(here / f"{name}.py" for name in _MAKES_SAMPLES[options.task]),
        *(here.parent / "baselines" / f"{name}.py" for name in _MAKES_STEPS[options.task]),
        *sources,
    ]
    digest = hashlib.sha256(code_digest(options.recipe).encode())
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, object, object]]:
    """Yield (what, then, now) for everything that the digest is made of."""
    old, new = _flat(then), _flat(now)
    for name in dict.fromkeys([*new, *old]):
        if old.get(name) != new.get(name):
            yield name, old.get(name, "nothing"), new.get(name, "nothing")


def _flat(run: Mapping[str, Any]) -> dict[str, object]:
    options = dict(run.get("options", {}))
    settings, switches = options.pop("set", {}), options.pop("switches", {})
    return {
        **{f"--{name.replace('_', '-')}": value for name, value in options.items()},
        **{f"switch {name}": value for name, value in switches.items()},
        **{f"--set {name}": value for name, value in settings.items()},
        "data (digest)": str(run.get("data digest"))[:12],
        "code (digest)": str(run.get("code"))[:12],
        **{f"version of {name}": value for name, value in run.get("versions", {}).items()},
    }
