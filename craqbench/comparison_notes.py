"""What a reader of a comparison must know, a sentence each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from craqbench.comparison_rows import Comparison, Pair, Row
from craqbench.metrics import LEVEL
from craqbench.results import DetectionResult, InpaintingResult, Result, SetInfo

__all__ = ["notes_on"]

FEW_PAINTINGS = 10
"""With fewer, percentile intervals are known to be too narrow."""

SANITY = {"detection": "'none' and 'all'", "inpainting": "'none' and 'mean'"}
"""Methods that tell what a figure is worth, by task."""


def notes_on(table: Comparison, results: Sequence[Result]) -> Iterable[str]:
    """Yield the notes of a table without any, of these results."""
    rows, pairs, of = table.rows, table.pairs, table.set
    yield (
        f"{of.spec}, version {of.version}, digest {of.digest[:12]}: {_counted(of.images, 'image')} of "
        f"{_counted(of.paintings, 'painting')}. Benchmark {results[0].benchmark}. "
        "In brackets: 95 % intervals by painting."
    )
    yield (
        "Methods that share a rank cannot be told apart from the best of their group on these paintings "
        f"(paired bootstrap, p >= {1 - LEVEL:.2g})."
    )
    if of.paintings == 1:
        yield "With one painting there are no intervals, and ranks say nothing."
    elif of.paintings < FEW_PAINTINGS:
        yield f"With {of.paintings} paintings intervals are too narrow, and ranks say little."
    yield from _notes_on_sanity(rows, pairs, SANITY[results[0].task])
    yield from _notes_on_ceiling(rows, results)
    for row in rows:
        if row.result is not None and row.kind == "incomplete":
            failed = row.result.failures
            yield (
                f"{row.label} failed on {len(failed)} of {of.images} images and has no scores; first on "
                f"{failed[0].image}: {failed[0].reason}"
            )
    yield from _notes_on_detectors(rows, of)
    dilated = [r.label for r in rows if isinstance(r.result, InpaintingResult) and r.result.dilations]
    if dilated:
        yield f"Given a dilated mask, and scored on the mask as it is: {', '.join(dilated)}."
    if len({r.hardware for r in results}) > 1 or any(r.speed.workers > 1 for r in results):
        yield "Speeds were measured beside other work or on different machines: compare them with care."
    yield from _notes_on_widths(table)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _notes_on_sanity(rows: Sequence[Row], pairs: Sequence[Pair], names: str) -> Iterable[str]:
    sanity = [row.label for row in rows if row.kind == "sanity"]
    if not sanity:
        yield f"No sanity rows: evaluate {names}, too, to see what a figure is worth."
    for row in rows:
        beaten = [label for label in sanity if row.kind == "method" and _better(row.label, label, pairs)]
        rest = [label for label in sanity if label not in beaten]
        if row.kind == "method" and rest:
            yield f"{row.label} is not significantly better than {' and '.join(rest)}."


def _better(label: str, other: str, pairs: Sequence[Pair]) -> bool:
    for pair in pairs:
        if {pair.first, pair.second} == {label, other}:
            sign = 1 if pair.first == label else -1
            return sign * pair.difference.value > 0 and pair.difference.p < 1 - LEVEL
    return False


def _notes_on_detectors(rows: Sequence[Row], of: SetInfo) -> Iterable[str]:
    found = [(row.label, row.result) for row in rows if isinstance(row.result, DetectionResult)]
    further = of.classes[2:]
    blind = [label for label, result in found if result.predicted_classes == 2]
    if further and blind:
        yield (
            f"Never predicted by {', '.join(blind)}: {', '.join(further)}. Their averages over classes count "
            "it as missed."
        )
    tuned = [label for label, result in found if result.threshold.tuned_on is not None]
    if tuned:
        yield f"Thresholds tuned on another set: {', '.join(tuned)}. All others are the methods' own."


def _notes_on_widths(table: Comparison) -> Iterable[str]:
    """Say which inpainter is best where, and how far ahead of whom it is not."""
    scores = {row.label: row.scores for row in table.rows}
    for width, labels in table.leaders.items():
        told = [f"{label} {scores[label][f'psnr:{width}'].value:.2f} dB" for label in labels]
        if told:
            rest = f"; not told apart from it: {', '.join(told[1:])}" if told[1:] else ""
            yield f"Best where cracks are {width} wide: {told[0]}{rest}."


def _notes_on_ceiling(rows: Sequence[Row], results: Sequence[Result]) -> Iterable[str]:
    if any(row.kind == "ceiling" for row in rows):
        count = max(len(r.second) for r in results if isinstance(r, DetectionResult))
        found = ", ".join(
            f"{row.label} {row.on_second:.3f}"
            for row in rows
            if row.kind == "method" and row.on_second is not None
        )
        alone = f" On these: {found}." if found else ""
        yield f"The second annotator has {count} of {results[0].set.images} images.{alone}"
