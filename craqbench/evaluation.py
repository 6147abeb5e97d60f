"""Score detectors, or inpainters, on annotated sets: any number of both, in parallel, resumed by image.

>>> from pathlib import Path
>>> evaluate(["nga-val"], ["tophat", "ridge"], Path("results"))  # doctest: +SKIP
>>> evaluate_inpainting(["synthetic"], ["mtm", "diffusion"], Path("results"))  # doctest: +SKIP

Each method on each set has a folder, see `craqbench.evaluation_records`, and in the end a result there, see
`craqbench.results`. A result does not depend on the number of workers, nor on how often the run was
interrupted, but for its `speed`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from baselines.protocols import Detector, Inpainter, Method
from baselines.registry import DETECTORS, INPAINTERS, Family
from craqbench.annotated import open_set
from craqbench.annotations import AnnotatedSet
from craqbench.engines import Progress
from craqbench.errors import UsageError
from craqbench.evaluation_detection import DetectionJob, predicted_classes
from craqbench.evaluation_detection_summary import DetectionFacts
from craqbench.evaluation_inpainting import InpaintingJob, open_lpips
from craqbench.evaluation_inpainting_summary import InpaintingFacts
from craqbench.evaluation_methods import (
    DEVICES,
    MethodSpec,
    describe_hardware,
    describe_method,
    describe_versions,
    make_detector,
    make_inpainter,
    parse_method,
    takes_device,
)
from craqbench.evaluation_paths import from_here
from craqbench.evaluation_records import claim, locked, slug
from craqbench.evaluation_run import STAGE, Plan, Run, conclude
from craqbench.evaluation_summary import describe_set
from craqbench.evaluation_tuning import refuse_overlap, tuned_threshold
from craqbench.results import (
    RESULT,
    DetectionResult,
    InpaintingResult,
    MethodInfo,
    Result,
    Threshold,
    save_result,
)

__all__ = [
    "MOST_DILATIONS",
    "STAGE",
    "Evaluated",
    "Execution",
    "InpaintingOptions",
    "Options",
    "evaluate",
    "evaluate_inpainting",
]

MOST_DILATIONS = 64

M = TypeVar("M", bound=Method)
R = TypeVar("R", bound=Result)
R_co = TypeVar("R_co", bound=Result, covariant=True)


@dataclass(frozen=True, slots=True)
class Evaluated(Generic[R_co]):
    """A result and its file."""

    path: Path
    result: R_co


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """How to evaluate, whatever the task.

    Attributes
    ----------
    workers
        Processes. With one, a method that brings its process down brings this one down.
    device
        One of `DEVICES`, for methods with such a setting. Unless it is "cpu" these methods run in this
        process, one image at a time.
    fresh
        Do again what was done before.
    """

    workers: int = 1
    device: str = "auto"
    fresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(Execution):
    """How to evaluate detectors.

    Attributes
    ----------
    keep_scores
        Keep each image's scores as a picture, too.
    tune_on
        A set to choose thresholds on; otherwise each method has its own.
    """

    keep_scores: bool = False
    tune_on: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InpaintingOptions(Execution):
    """How to evaluate inpainters.

    Attributes
    ----------
    dilate
        How often masks are dilated by a 3 x 3 square before they are filled. Figures are of the masks as they
        are, and of the ring around them.
    lpips
        Folder with the weights of LPIPS, see `baselines.lpips`; without it LPIPS is not measured.
    """

    dilate: int = 0
    lpips: Path | None = None


@dataclass(frozen=True, slots=True)
class _Method(Generic[M]):
    """A method, made once to see that it can be made and to ask it about itself."""

    spec: MethodSpec
    method: M
    info: MethodInfo


@dataclass(frozen=True, slots=True)
class _Opened:
    """A set, and what was typed."""

    given: str
    annotated: AnnotatedSet


def evaluate(
    sets: Sequence[str],
    methods: Sequence[str],
    out: Path,
    options: Options | None = None,
    *,
    progress: Progress | None = None,
) -> list[Evaluated[DetectionResult]]:
    """Score every detector on every set, or go on with it.

    Parameters
    ----------
    sets
        As `craqbench.annotated.open_set` takes them.
    methods
        As `craqbench.evaluation_methods.parse_method` takes them.
    out
        Folder of all results.
    options
        How.
    progress
        Stages of `open_set`, and `STAGE`.

    Returns
    -------
    Sets and methods in the given order. A result with failures is not complete, and has no scores.

    Raises
    ------
    UsageError
        If a set, method or option cannot be used, `out` holds other evaluations under the same names, is
        being written to, or a method would be tuned on what is scored.
    AnnotationError
        If a set is absent or broken, or changes meanwhile.
    StorageError
        If the disk is full, read-only or gone. What is done is kept.
    """
    options = options or Options()
    made = _make(methods, DETECTORS, make_detector, options)
    opened = _open(sets, options.workers, progress)
    own = {m.spec: Threshold(value=float(m.method.threshold), origin="method") for m in made}
    if options.tune_on is not None:
        own = _tune(opened, made, own, out, options, progress)
    plans = [_plan(o, m, own[m.spec], out, options) for o in opened for m in made]
    return _evaluate(plans, options, progress)


def evaluate_inpainting(
    sets: Sequence[str],
    methods: Sequence[str],
    out: Path,
    options: InpaintingOptions | None = None,
    *,
    progress: Progress | None = None,
) -> list[Evaluated[InpaintingResult]]:
    """Score every inpainter on every set, or go on with it.

    Parameters, what is returned and errors are as for `evaluate`; sets are those whose images are known
    without their damage, as of synthetic cracks, and others are a `UsageError`.
    """
    options = options or InpaintingOptions()
    if not 0 <= options.dilate <= MOST_DILATIONS:
        raise UsageError(f"{options.dilate} dilations: expected 0 to {MOST_DILATIONS}")
    if options.lpips is not None:
        open_lpips(options.lpips)
    made = _make(methods, INPAINTERS, make_inpainter, options)
    opened = _open(sets, options.workers, progress)
    _refuse_unknown(opened)
    return _evaluate([_inpainting_plan(o, m, out, options) for o in opened for m in made], options, progress)


def _make(
    methods: Sequence[str], family: Family, make: Callable[[MethodSpec, str], M], options: Execution
) -> list[_Method[M]]:
    if options.workers < 1:
        raise UsageError(f"workers {options.workers}: expected 1 or more")
    specs = [parse_method(method, family) for method in methods]
    _check_unique("method", [spec.given for spec in specs])
    device = options.device
    if device not in DEVICES:
        raise UsageError(f"device {device!r}: expected one of {', '.join(DEVICES)}")
    if device == "cuda" and not any(takes_device(spec) for spec in specs):
        raise UsageError("device 'cuda': none of the methods can use it: expected auto or cpu")
    try:
        made = [make(spec, device) for spec in specs]
    except ValueError as error:
        raise UsageError(str(error)) from error
    return [_Method(s, m, describe_method(s, m)) for s, m in zip(specs, made, strict=True)]


def _open(sets: Sequence[str], workers: int, progress: Progress | None) -> list[_Opened]:
    opened = [_Opened(given, open_set(given, workers=workers, progress=progress)) for given in sets]
    _check_unique("set", [slug(one.annotated.spec) for one in opened])
    return opened


def _refuse_unknown(opened: Sequence[_Opened]) -> None:
    for one in opened:
        if not one.annotated.undamaged:
            raise UsageError(
                f"set {one.given!r}: what its pictures look like without their cracks is not known, so that "
                "no filling of them can be scored: expected synthetic, or synthetic:DIR"
            )


def _check_unique(kind: str, names: Sequence[str]) -> None:
    if not names:
        raise UsageError(f"no {kind}: expected one or more")
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise UsageError(f"{count} {kind}s would be called {name!r}: expected different names in one run")


def _tune(
    opened: Sequence[_Opened],
    made: Sequence[_Method[Detector]],
    own: dict[MethodSpec, Threshold],
    out: Path,
    options: Options,
    progress: Progress | None,
) -> dict[MethodSpec, Threshold]:
    """Evaluate the methods on the tuning set, and return the thresholds that are best there."""
    given = options.tune_on or ""
    tuning = _Opened(given, open_set(given, workers=options.workers, progress=progress))
    scored = [one.annotated for one in opened]
    refuse_overlap(tuning.annotated, scored, workers=options.workers, progress=progress)
    on_tuning_set = dataclasses.replace(options, tune_on=None)
    plans = [_plan(tuning, method, own[method.spec], out, on_tuning_set) for method in made]
    results = _evaluate(plans, on_tuning_set, progress)
    return {m.spec: tuned_threshold(e.result) for m, e in zip(made, results, strict=True)}


def _plan(
    opened: _Opened, method: _Method[Detector], threshold: Threshold, out: Path, options: Options
) -> Plan[DetectionResult]:
    info = method.info
    if threshold.tuned_on is not None:
        info = info.model_copy(update={"label": f"{info.label} tuned on {threshold.tuned_on.spec}"})
    classes = len(opened.annotated.classes)
    words = ["--tune-on", options.tune_on] if options.tune_on is not None else []
    words += ["--scores"] if options.keep_scores else []
    facts = DetectionFacts(
        **_common(opened, method, info, options),
        command=_command(opened, method, words, out, options),
        threshold=threshold,
        predicted_classes=predicted_classes(method.method, classes),
    )
    job = DetectionJob(
        method=method.spec,
        folder=out / slug(opened.annotated.spec) / slug(info.label),
        classes=classes,
        threshold=threshold.value,
        keep_scores=options.keep_scores,
    )
    return Plan(opened.annotated, facts, job, _is_here(method, options))


def _inpainting_plan(
    opened: _Opened, method: _Method[Inpainter], out: Path, options: InpaintingOptions
) -> Plan[InpaintingResult]:
    info = method.info
    if options.dilate:
        info = info.model_copy(update={"label": f"{info.label} dilated {options.dilate}"})
    words = ["--task", "inpaint"]
    words += ["--dilate", str(options.dilate)] if options.dilate else []
    words += [] if options.lpips is None else ["--lpips", str(options.lpips)]
    common = _common(opened, method, info, options)
    if options.lpips is not None:  # runs on torch, whatever the method runs on
        common["versions"] = describe_versions(cast("Method", open_lpips(options.lpips)))
    facts = InpaintingFacts(
        **common,
        command=_command(opened, method, words, out, options),
        dilations=options.dilate,
        lpips=options.lpips is not None,
    )
    # There are detectors and inpainters of the same name: they are kept apart.
    folder = out / f"{slug(opened.annotated.spec)}-inpainting" / slug(info.label)
    job = InpaintingJob(method=method.spec, folder=folder, dilations=options.dilate, lpips=options.lpips)
    return Plan(opened.annotated, facts, job, _is_here(method, options))


def _common(opened: _Opened, method: _Method[M], info: MethodInfo, options: Execution) -> dict[str, Any]:
    return {
        "set": describe_set(opened.annotated, opened.given),
        "method": info,
        "versions": describe_versions(method.method),
        "hardware": describe_hardware(method.method),
        "workers": options.workers,
    }


def _is_here(method: _Method[M], options: Execution) -> bool:
    """Whether a method runs in this process: a GPU is not shared with workers."""
    return takes_device(method.spec) and options.device != "cpu"


def _command(opened: _Opened, method: _Method[M], words: Sequence[str], out: Path, options: Execution) -> str:
    """Return what makes a result again; `words` are the options of its task."""
    spec = method.spec
    named = ["--method", from_here(spec.given, spec.settings), "--set", opened.given]
    device = ["--device", options.device] if takes_device(spec) else []
    return shlex.join(["craqbench", "evaluate", *named, *words, *device, "--out", str(out)])


def _evaluate(plans: Sequence[Plan[R]], options: Execution, progress: Progress | None) -> list[Evaluated[R]]:
    _check_unique("method", [str(plan.job.folder) for plan in plans])
    with contextlib.ExitStack() as stack:
        for plan in plans:
            stack.enter_context(locked(plan.job.folder))
        for plan in plans:
            claim(plan.job.folder, plan.facts.identity(), fresh=options.fresh)
        missed = Run(plans, options.workers, options.device, progress).do()
        return [_save(plan, conclude(plan, missed[number])) for number, plan in enumerate(plans)]


def _save(plan: Plan[R], result: R) -> Evaluated[R]:
    path = plan.job.folder / RESULT
    save_result(path, result)
    return Evaluated(path, result)
