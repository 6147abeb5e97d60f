"""Score detectors on annotated sets: any number of both, in parallel, resumed image by image.

>>> from pathlib import Path
>>> evaluate(["nga-val"], ["tophat", "ridge"], Path("results"))  # doctest: +SKIP

Each method on each set has a folder, see `craqbench.evaluation_records`, and in the end a result there, see
`craqbench.results`. A result does not depend on the number of workers, nor on how often the run was
interrupted, but for its `speed`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from baselines.protocols import Detector
from craqbench.annotated import open_set
from craqbench.annotations import AnnotatedSet, Item
from craqbench.engines import Failed, Progress, run_each
from craqbench.errors import AnnotationError, StorageError, UsageError
from craqbench.evaluation_methods import (
    DEVICES,
    MethodSpec,
    describe_hardware,
    describe_method,
    describe_versions,
    make_detector,
    parse_method,
    takes_device,
)
from craqbench.evaluation_paths import from_here
from craqbench.evaluation_records import claim, forget, is_done, is_kept, locked, slug
from craqbench.evaluation_summary import Facts, describe_set, summarise
from craqbench.evaluation_task import Block, Job, Missed, Task, blocks_of, predicted_classes
from craqbench.evaluation_tuning import refuse_overlap, tuned_threshold
from craqbench.results import RESULT, Failure, MethodInfo, Result, Threshold, save_result

__all__ = ["STAGE", "Evaluated", "Options", "evaluate"]

STAGE = "evaluating"
"""Stage of `craqbench.engines.Progress`: units are predictions, one for each image and method."""

_LARGEST_BLOCK = 8
_BLOCKS_PER_WORKER = 4
_LONGEST_REASON = 1000
_FATAL = (AnnotationError, StorageError)
"""Errors that no method is to blame for: the set or the disk cannot be relied on, and the run ends."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A result and its file."""

    path: Path
    result: Result


@dataclass(frozen=True, slots=True)
class Options:
    """How to evaluate.

    Attributes
    ----------
    workers
        Processes. With one, a method that brings its process down brings this one down.
    device
        One of `DEVICES`, for methods with such a setting. Unless it is "cpu" these methods run in this
        process, one image at a time.
    keep_scores
        Keep each image's scores as a picture, too.
    tune_on
        A set to choose thresholds on; otherwise each method has its own.
    fresh
        Do again what was done before.
    """

    workers: int = 1
    device: str = "auto"
    keep_scores: bool = False
    tune_on: str | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class _Method:
    """A method, made once to see that it can be made and to ask it about itself."""

    spec: MethodSpec
    detector: Detector
    info: MethodInfo


@dataclass(frozen=True, slots=True)
class _Opened:
    """A set, and what was typed."""

    given: str
    annotated: AnnotatedSet


@dataclass(frozen=True, slots=True)
class _Plan:
    """One method on one set."""

    annotated: AnnotatedSet
    facts: Facts
    job: Job
    here: bool


def evaluate(
    sets: Sequence[str],
    methods: Sequence[str],
    out: Path,
    options: Options | None = None,
    *,
    progress: Progress | None = None,
) -> list[Evaluated]:
    """Score every method on every set, or go on with it.

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
    if options.workers < 1:
        raise UsageError(f"workers {options.workers}: expected 1 or more")
    made = _make(methods, options.device)
    opened = _open(sets, options.workers, progress)
    own = {m.spec: Threshold(value=float(m.detector.threshold), origin="method") for m in made}
    if options.tune_on is not None:
        own = _tune(opened, made, own, out, options, progress)
    plans = [_plan(o, m, own[m.spec], out, options) for o in opened for m in made]
    return _evaluate(plans, options, progress)


def _make(methods: Sequence[str], device: str) -> list[_Method]:
    specs = [parse_method(method) for method in methods]
    _check_unique("method", [spec.given for spec in specs])
    if device not in DEVICES:
        raise UsageError(f"device {device!r}: expected one of {', '.join(DEVICES)}")
    if device == "cuda" and not any(takes_device(spec) for spec in specs):
        raise UsageError("device 'cuda': none of the methods can use it: expected auto or cpu")
    try:
        detectors = [make_detector(spec, device) for spec in specs]
    except ValueError as error:
        raise UsageError(str(error)) from error
    return [_Method(s, d, describe_method(s, d)) for s, d in zip(specs, detectors, strict=True)]


def _open(sets: Sequence[str], workers: int, progress: Progress | None) -> list[_Opened]:
    opened = [_Opened(given, open_set(given, workers=workers, progress=progress)) for given in sets]
    _check_unique("set", [slug(one.annotated.spec) for one in opened])
    return opened


def _check_unique(kind: str, names: Sequence[str]) -> None:
    if not names:
        raise UsageError(f"no {kind}: expected one or more")
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise UsageError(f"{count} {kind}s would be called {name!r}: expected different names in one run")


def _tune(
    opened: Sequence[_Opened],
    made: Sequence[_Method],
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


def _plan(opened: _Opened, method: _Method, threshold: Threshold, out: Path, options: Options) -> _Plan:
    info = method.info
    if threshold.tuned_on is not None:
        info = info.model_copy(update={"label": f"{info.label} tuned on {threshold.tuned_on.spec}"})
    facts = Facts(
        set=describe_set(opened.annotated, opened.given),
        method=info,
        threshold=threshold,
        versions=describe_versions(method.detector),
        hardware=describe_hardware(method.detector),
        workers=options.workers,
        command=_command(opened.given, method.spec, out, options),
        predicted_classes=predicted_classes(method.detector, len(opened.annotated.classes)),
    )
    folder = out / slug(opened.annotated.spec) / slug(info.label)
    return _Plan(
        opened.annotated,
        facts,
        Job(0, method.spec, threshold.value, folder, options.keep_scores),
        here=takes_device(method.spec) and options.device != "cpu",
    )


def _command(given: str, method: MethodSpec, out: Path, options: Options) -> str:
    words = ["craqbench", "evaluate", "--method", from_here(method.given, method.settings), "--set", given]
    words += ["--tune-on", options.tune_on] if options.tune_on is not None else []
    words += ["--device", options.device] if takes_device(method) else []
    words += ["--scores"] if options.keep_scores else []
    return shlex.join([*words, "--out", str(out)])


def _evaluate(plans: Sequence[_Plan], options: Options, progress: Progress | None) -> list[Evaluated]:
    _check_unique("method", [str(plan.job.folder) for plan in plans])
    with contextlib.ExitStack() as stack:
        for plan in plans:
            stack.enter_context(locked(plan.job.folder))
        for plan in plans:
            claim(plan.job.folder, plan.facts.identity(), fresh=options.fresh)
        missed = _Run(plans, options, progress).do()
        return [_conclude(plan, missed[number]) for number, plan in enumerate(plans)]


def _conclude(plan: _Plan, missed: Sequence[Missed]) -> Evaluated:
    reasons = {one.image: " ".join(one.reason.split())[:_LONGEST_REASON] for one in missed}
    failures = [
        Failure(image=item.id, reason=reasons[item.id]) for item in plan.annotated if item.id in reasons
    ]
    result = summarise(plan.facts, plan.annotated, plan.job.folder, failures)
    path = plan.job.folder / RESULT
    save_result(path, result)
    return Evaluated(path, result)


class _Run:
    """Does what is not done yet, and counts."""

    def __init__(self, plans: Sequence[_Plan], options: Options, progress: Progress | None) -> None:
        self._sets = tuple({id(plan.annotated): plan.annotated for plan in plans}.values())
        numbers = {id(one): number for number, one in enumerate(self._sets)}
        self._plans = plans
        jobs = (dataclasses.replace(p.job, set_number=numbers[id(p.annotated)]) for p in plans)
        self._task = Task(self._sets, tuple(jobs), options.device)
        self._workers = options.workers
        self._progress = progress
        self._done = 0
        self._total = sum(len(plan.annotated) for plan in plans)

    def do(self) -> dict[int, list[Missed]]:
        """Return what each job could not do."""
        pending = [self._pending(number) for number in range(len(self._plans))]
        self._done = self._total - sum(map(len, pending))
        self._report(0)
        missed: dict[int, list[Missed]] = defaultdict(list)
        for here in (False, True):
            wanted = {n: items for n, items in enumerate(pending) if items and self._plans[n].here == here}
            for one in self._do(wanted, 1 if here else self._workers):
                missed[one.job].append(one)
        return missed

    def _pending(self, number: int) -> list[Item]:
        """Return the images that a job has not done, and remove what is left of their records."""
        plan, job = self._plans[number], self._task.jobs[number]
        items = [i for i in plan.annotated if not is_done(job.folder, i.stem, i.id, job.kinds)]
        for item in items:
            forget(job.folder, item.stem)
        return items

    def _do(self, wanted: dict[int, list[Item]], workers: int) -> list[Missed]:
        blocks = self._blocks(wanted, workers)
        found = run_each(self._task, blocks, workers=workers, fatal=_FATAL, on_beat=self._report)
        missed = [one for block in found if not isinstance(block, Failed) for one in block]
        # A block fails if its process is killed, or by an error of ours: one by one, the guilty are found.
        alone = list(
            self._alone(b for b, what in zip(blocks, found, strict=True) if isinstance(what, Failed))
        )
        self._done += sum(map(len, wanted.values())) - len(alone)
        again = run_each(self._task, alone, workers=workers, fatal=_FATAL, on_beat=self._report)
        self._done += len(alone)
        for block, what in zip(alone, again, strict=True):
            ((item, (number,)),) = block.images
            missed += [Missed(number, item.id, what.reason)] if isinstance(what, Failed) else what
        return missed

    def _blocks(self, wanted: dict[int, list[Item]], workers: int) -> list[Block]:
        """Cut what is wanted into blocks: an image is read once for all methods."""
        blocks: list[Block] = []
        for set_number, annotated in enumerate(self._sets):
            jobs_of: dict[str, list[int]] = defaultdict(list)
            for number, items in wanted.items():
                if self._task.jobs[number].set_number == set_number:
                    for item in items:
                        jobs_of[item.id].append(number)
            images = [(item, tuple(jobs_of[item.id])) for item in annotated if item.id in jobs_of]
            size = math.ceil(len(images) / (workers * _BLOCKS_PER_WORKER))
            blocks += blocks_of(set_number, images, min(_LARGEST_BLOCK, max(1, size)))
        return blocks

    def _alone(self, blocks: Iterable[Block]) -> Iterable[Block]:
        for block in blocks:
            for item, numbers in block.images:
                for number in numbers:
                    if not is_kept(self._task.jobs[number].folder, item.stem):
                        yield Block(block.set_number, ((item, (number,)),))

    def _report(self, done: int) -> None:
        if self._progress:
            self._progress(STAGE, self._done + done, self._total)
