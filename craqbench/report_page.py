"""The page of a report: one HTML file, laid out for a desk and for a phone, for eyes and for a keyboard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from craqbench import __version__
from craqbench.comparison import Comparison
from craqbench.report_markup import Child, Markup, document, fragment, tag
from craqbench.report_shots import Shot, pictures
from craqbench.report_tables import (
    Method,
    curve_figures,
    group_tables,
    leaderboard,
    methods_of,
    width_table,
)
from craqbench.results import DetectionResult, InpaintingResult, Result

__all__ = ["Section", "page"]


@dataclass(frozen=True, slots=True)
class Section:
    """A set: the table of its results, and the images shown, worst first, with methods as in the table."""

    comparison: Comparison
    shots: tuple[Shot, ...]

    @property
    def methods(self) -> tuple[Method, ...]:
        """Return the results in the order of the table."""
        return methods_of(self.comparison)

    @property
    def is_filling(self) -> bool:
        """Whether it is about inpainters."""
        return isinstance(self.methods[0].result, InpaintingResult)


DETECTION = fragment(
    "Detectors are ranked by ",
    tag("strong", "F1@2px"),
    ": the harmonic mean of precision (the share of predicted px with an annotated crack within 2 px) and "
    "recall (the share of annotated px with a prediction within 2 px). Counts are added over all images of a "
    "set, then one score is taken. ",
)

FILLING = fragment(
    "Inpainters are ranked by ",
    tag("strong", "PSNR on the mask"),
    ": how near the filled px are to the undamaged picture, in dB, higher is better, from the squared errors "
    "of all images of a set. The ring is what lies within 4 px of the mask. ",
)

INTERVALS = "Intervals hold 95 % of resamples of the paintings."


def page(sections: Sequence[Section], command: str = "") -> str:
    """Return the page.

    Parameters
    ----------
    sections
        One for each set.
    command
        Makes the page again.
    """
    specs = dict.fromkeys(section.comparison.set.spec for section in sections)
    tasks = dict.fromkeys("filling" if section.is_filling else "detection" for section in sections)
    title = f"Crack {' and '.join(tasks)} on {' and '.join(specs)}"
    return document(
        title,
        tag("a", "Skip to the results", class_="skip", href="#results"),
        tag("header", tag("h1", title), _introduction(sections)),
        tag("main", *(_section(number, one) for number, one in enumerate(sections)), id="results"),
        _footer(command),
        styles=["report.css"],
        script="report.js",
    )


def _introduction(sections: Sequence[Section]) -> Markup:
    methods = len({method.label for section in sections for method in section.methods})
    told = [FILLING if any(section.is_filling for section in sections) else None]
    told += [DETECTION if not all(section.is_filling for section in sections) else None]
    links = [
        tag("li", tag("a", _heading(section), href=f"#set-{number}"))
        for number, section in enumerate(sections)
    ]
    return fragment(
        tag("p", f"{_plural(methods, 'method')}, {_plural(len(sections), 'table')}. ", *told, INTERVALS),
        tag("nav", tag("ul", *links), aria_label="Sets") if len(links) > 1 else None,
    )


def _heading(section: Section) -> str:
    return f"{section.comparison.set.spec}{', cracks filled' if section.is_filling else ''}"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _section(number: int, section: Section) -> Markup:
    """Return a set: what it is, tables, curves, pictures, and how to make it again."""
    info = section.comparison.set
    facts = (
        f"{_plural(info.images, 'image')} of {_plural(info.paintings, 'painting')}, version {info.version}. "
        f"Licence: {info.licence}. Digest {info.digest[:12]}."
    )
    return tag(
        "section",
        tag("h2", _heading(section), id=f"set-{number}"),
        tag("p", facts, class_="quiet"),
        leaderboard(section.comparison),
        _failures(section.methods),
        *_closer(section),
        group_tables(section.comparison),
        *pictures(section.comparison, section.methods, section.shots),
        *_details(section.methods),
        class_="set",
        aria_labelledby=f"set-{number}",
    )


def _closer(section: Section) -> Iterator[Markup]:
    """Yield what tells more than one figure for each method."""
    if section.is_filling:
        yield tag("h3", "By crack width")
        yield width_table(section.comparison)
    elif not section.comparison.set.clean:
        yield tag("h3", "Curves")
        yield curve_figures(section.methods)


def _failures(methods: Sequence[Method]) -> Markup | None:
    failed = [(method.label, failure) for method in methods for failure in method.result.failures]
    if not failed:
        return None
    rows = [tag("li", f"{label} on {failure.image}: {failure.reason}") for label, failure in failed]
    summary = f"{_plural(len(failed), 'image')} could not be done: a method that fails has no score"
    return tag("details", tag("summary", summary), tag("ul", *rows))


# -- how it was made ---------------------------------------------------------------------------------------


def _details(methods: Sequence[Method]) -> Iterator[Markup]:
    yield tag("h3", "How this was measured")
    yield tag("details", tag("summary", "Policies"), _definitions(methods[0].result.policies))
    for method in methods:
        result = method.result
        facts = _definitions(dict(_facts(result)))
        again = fragment(tag("p", "To make this result again:"), tag("pre", result.command))
        yield tag("details", tag("summary", f"{method.label}: settings, sources, speed"), facts, again)


def _definitions(pairs: Mapping[str, Child]) -> Markup:
    return tag("dl", *(fragment(tag("dt", name), tag("dd", value)) for name, value in pairs.items()))


def _facts(result: Result) -> Iterator[tuple[str, str]]:
    method, hardware = result.method, result.hardware
    yield "method", f"{method.name} {method.version} ({method.given})"
    yield "settings", ", ".join(f"{name}={value}" for name, value in method.settings.items()) or "none"
    yield from _task_facts(result)
    yield "training data", method.card.training_data
    yield "licence", method.card.licence
    yield "reference", method.card.reference
    pace = result.speed.seconds_per_megapixel
    yield (
        "speed",
        "not timed" if pace is None else f"{pace:.3g} s per megapixel, {result.speed.workers} at once",
    )
    device = f"{hardware.device} ({hardware.accelerator})" if hardware.accelerator else hardware.device
    yield "hardware", f"{hardware.cpu}, {_plural(hardware.cores, 'core')}, {device}, {hardware.system}"
    yield "versions", ", ".join(f"{name} {version}" for name, version in result.versions.items())
    yield "benchmark", f"version {result.benchmark}"
    yield "predictions", f"digest {result.predictions_digest[:12]}"


def _task_facts(result: Result) -> Iterator[tuple[str, str]]:
    if isinstance(result, InpaintingResult):
        yield "mask", f"dilated {_plural(result.dilations, 'time')}" if result.dilations else "as it is"
    elif isinstance(result, DetectionResult):
        yield "predicts", ", ".join(result.set.classes[1 : result.predicted_classes])
        tuned = result.threshold.tuned_on
        origin = f"best on {tuned.spec}, where F1@2px is {tuned.f1:.3f}" if tuned else "the method's own"
        yield "threshold", f"{result.threshold.value:.4g}, {origin}"


def _footer(command: str) -> Markup:
    again = fragment(tag("p", "To make this page again:"), tag("pre", command)) if command else None
    return tag("footer", again, tag("p", f"Made by craqbench {__version__}.", class_="quiet"))
