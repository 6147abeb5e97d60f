"""Train a network on synthetic cracks alone, made while it learns: to find them, or (--task inpaint) to fill.

Run the same command again after an interruption of any kind (or `craqbench train --resume DIR`): it goes on
from its last checkpoint, and does the very same steps. The weights, their card, tables, pictures and
TensorBoard's log lie in --out.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from craqbench.cli import choices
from craqbench.cli.parsing import nearest, one_of, some_path, some_text, whole
from craqbench.cli.terminal import note, plural, program, spell_seconds, watch
from craqbench.cli.train_progress import Bar
from craqbench.configuration import parse_size
from craqbench.errors import UsageError
from craqbench.training_options import DETECT, INPAINT, Execution, TrainingOptions, options_of_run
from generators.framing import FITS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from craqbench.training import Trained

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "bf16", "fp16", "fp32")
SWITCHES = {DETECT: ("lora", "guide", "mask_loss", "detector_channel"), INPAINT: ("mask_channel",)}
"""What may be left out of some networks, by task."""

EXAMPLES = {DETECT: "craqnet", INPAINT: "unet_inpaint"}
OTHERS = {DETECT: INPAINT, INPAINT: DETECT}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--task",
        type=one_of(DETECT, INPAINT),
        default=DETECT,
        metavar=f"{DETECT}|{INPAINT}",
        help="find cracks, or fill them",
    )
    parser.add_argument(
        "--method",
        type=some_text,
        metavar="NAME|package.module:Class",
        help="which network, such as craqnet (to fill: unet_inpaint), or one of your own",
    )
    choices.add_recipe_options(parser)
    _add_data_options(parser)
    _add_schedule_options(parser)
    _add_network_options(parser)
    _add_execution_options(parser)


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--source",
        type=some_text,
        default="procedural",
        metavar="procedural|FOLDER|hf://...",
        help="clean paintings, as for generate",
    )
    parser.add_argument(
        "--cache-gb", type=_gigabytes, metavar="GB", help="room for pictures of the Hub, as for generate"
    )
    parser.add_argument(
        "--data",
        type=some_path,
        metavar="DIR",
        help="a dataset of `craqbench generate`, in place of recipe and source",
    )
    parser.add_argument(
        "--paintings",
        type=whole(2),
        metavar="N",
        help="read so many at most (default: 64 procedural, 1024 others)",
    )
    parser.add_argument(
        "--size",
        type=parse_size,
        metavar="WIDTHxHEIGHT",
        help="of the triplets that squares are cut from (default: 1.125 times the crop for recipes with "
        "close-ups, 598x375 for others)",
    )
    parser.add_argument(
        "--fit", type=one_of(*FITS), default="crop", metavar="|".join(FITS), help="as for generate"
    )
    parser.add_argument("--seed", type=whole(0), default=0, help="of everything")


def _add_schedule_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=whole(1), default=2000, metavar="N", help="how many")
    parser.add_argument(
        "--batch", type=whole(1), metavar="N", help="triplets of a step (default: the network's)"
    )
    parser.add_argument(
        "--crop", type=whole(64), metavar="PX", help="side of the squares (default: the network's)"
    )
    parser.add_argument("--lr", type=_rate, metavar="RATE", help="after warm-up (default: the network's)")
    parser.add_argument("--final-lr", type=_rate, metavar="RATE", help="in the end (default: the network's)")
    parser.add_argument(
        "--epoch", type=whole(1), metavar="STEPS", help="steps between validations (default: a twentieth)"
    )
    parser.add_argument(
        "--patience", type=whole(0), default=0, metavar="EPOCHS", help="end without a better one; 0: never"
    )
    parser.add_argument(
        "--validation", type=whole(1), default=96, metavar="N", help="triplets to validate on"
    )
    parser.add_argument(
        "--precision",
        type=one_of(*PRECISIONS),
        default="auto",
        metavar="|".join(PRECISIONS),
        help="of the forward pass",
    )


def _add_network_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--classes", type=whole(2), metavar="2|3", help="3 tells paint loss apart (default: 2)"
    )
    parser.add_argument("--base", type=some_text, metavar="NAME", help="weights of the encoder to begin with")
    for name in (*SWITCHES[DETECT], *SWITCHES[INPAINT]):
        parser.add_argument(_flag(name), action="store_true", help=f"leave out the {name.replace('_', ' ')}")


def _flag(switch: str) -> str:
    return f"--no-{switch.replace('_', '-')}"


def _add_execution_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=some_path, metavar="DIR", help="folder of the run (default: trained-METHOD)"
    )
    parser.add_argument(
        "--resume", type=some_path, metavar="DIR", help="go on with the run in DIR, with its options"
    )
    parser.add_argument(
        "--device",
        type=one_of(*DEVICES),
        default="auto",
        metavar="|".join(DEVICES),
        help="auto takes a GPU if any",
    )
    parser.add_argument(
        "--workers",
        type=whole(0),
        default=max(1, _cores() - 1),
        metavar="N",
        help="processes that make triplets; any number, same result",
    )
    parser.add_argument(
        "--threads", type=whole(1), metavar="N", help="of torch on the CPU (default: one per core)"
    )
    parser.add_argument("--minutes", type=_positive, metavar="M", help="stop cleanly after so long")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number above 0")
    return number


def _rate(text: str) -> float:
    rate = _positive(text)
    if rate > 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number above 0, 1 at most")
    return rate


def _gigabytes(text: str) -> str:
    return str(_positive(text))


def run(arguments: argparse.Namespace) -> int:
    """Train."""
    # Threads of torch that spin while they wait for each other keep the workers from the processor. It is
    # read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        from craqbench.training import train  # noqa: PLC0415  --help needs no torch
    except ImportError as error:
        if (error.name or "").split(".")[0] not in ("torch", "safetensors"):
            raise
        missing = isinstance(error, ModuleNotFoundError)
        told = "pip install 'craqbench[models]'" if missing else f"it cannot be loaded: {error}"
        raise UsageError(f"training needs torch: {told}") from error
    if arguments.resume:
        out, options = arguments.resume, options_of_run(arguments.resume)
    else:
        options = _read_options(arguments)
        out = arguments.out or Path(f"trained-{options.method.rpartition(':')[2]}")
    execution = Execution(
        device=arguments.device,
        workers=arguments.workers,
        threads=arguments.threads,
        minutes=arguments.minutes,
        command=shlex.join(["craqbench", *sys.argv[1:]]),
    )
    with watch() as progress, Bar() as bar, _warnings_in_a_line():
        trained = train(options, out, execution, report=bar.show, progress=progress)
    _show(trained, options, out)
    return 0


@contextlib.contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Show a warning without the place in the code that it came from."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        note(f"craqbench: warning: {message}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _read_options(arguments: argparse.Namespace) -> TrainingOptions:
    task = arguments.task
    if arguments.method is None:
        raise UsageError(f"--method: expected the name of a network, such as {EXAMPLES[task]}")
    _check_method(arguments.method, task)
    _check_switches(arguments)
    return TrainingOptions(
        method=arguments.method,
        task=task,
        recipe=choices.read_recipe(arguments),
        source=choices.read_source(arguments),
        data=None if arguments.data is None else str(arguments.data),
        steps=arguments.steps,
        batch=arguments.batch,
        crop=arguments.crop,
        seed=arguments.seed,
        classes=arguments.classes or 2,
        base=arguments.base,
        switches={name: False for name in SWITCHES[task] if getattr(arguments, f"no_{name}")},
        lr=arguments.lr,
        final_lr=arguments.final_lr,
        size=arguments.size,
        fit=arguments.fit,
        paintings=arguments.paintings,
        epoch=arguments.epoch,
        patience=arguments.patience,
        validation=arguments.validation,
        precision=arguments.precision,
    )


def _networks(task: str) -> Collection[str]:
    from baselines.architectures import ARCHITECTURES  # noqa: PLC0415  --help needs none
    from baselines.inpainting.architectures import INPAINTING  # noqa: PLC0415  the same

    return INPAINTING if task == INPAINT else ARCHITECTURES


def _check_method(name: str, task: str) -> None:
    known, other = _networks(task), OTHERS[task]
    if ":" in name or name in known:
        return
    if name in _networks(other):
        raise UsageError(f"network {name!r} is not for --task {task}: expected --task {other}")
    hint = nearest(name, known) or f"; expected one of {', '.join(known)}"
    raise UsageError(f"unknown network {name!r}{hint}")


def _check_switches(arguments: argparse.Namespace) -> None:
    """Refuse what only networks of another task have."""
    task, other = arguments.task, OTHERS[arguments.task]
    given = [_flag(name) for name in SWITCHES[other] if getattr(arguments, f"no_{name}")]
    if task == INPAINT and arguments.classes is not None:
        given.insert(0, "--classes")
    if given:
        raise UsageError(f"{given[0]} is of no use with --task {task}: expected it with --task {other} only")


def _show(trained: Trained, options: TrainingOptions, out: Path) -> None:
    reason = {
        "finished": "all steps done",
        "patience": "it no longer became better",
        "minutes": "time is up; run the command again to go on",
    }[trained.ended]
    weights = shlex.quote(str(trained.weights))
    print(f"\nrun           {out}")
    print(f"steps         {trained.step:,} of {trained.steps:,}: {reason}")
    print(f"time          {spell_seconds(trained.seconds)}")
    print(f"validation    {_validated(trained)} (after {plural(trained.best_step, 'step')})")
    for name, found in trained.peers.items():
        print(f"{name:13} PSNR {found['psnr']:.2f} dB, MAE {found['mae']:.2f}, the same pictures")
    print(f"weights       {trained.weights}")
    if options.task == INPAINT:
        print(f"\nnext: {program()} restore PAINTING --mask MASK --fill {options.method},weights={weights}")
    else:
        print(f"\nnext: {program()} evaluate --set nga-val --method {options.method},weights={weights}")


def _validated(trained: Trained) -> str:
    found = trained.best._asdict()
    if "iou" in found:
        iou, f1, threshold = found["iou"], found["f1"], found["threshold"]
        return f"IoU {iou:.4f}, F1 {f1:.4f} at threshold {threshold:.3f}, synthetic cracks"
    return f"PSNR {found['psnr']:.2f} dB, MAE {found['mae']:.2f} of 255 in the masks of synthetic cracks"
