"""The page of a report: one HTML file, laid out for a desk and for a phone, for eyes and for a keyboard."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from craqbench import __version__
from craqbench.comparison import Comparison
from craqbench.report_curves import swatch
from craqbench.report_markup import Child, Markup, breakable, fragment, tag
from craqbench.report_pictures import (
    CRACK,
    FALSE_ALARM,
    HIT,
    IGNORED,
    KINDS,
    LOSS,
    LOSS_FALSE,
    LOSS_HIT,
    LOSS_MISS,
    MISS,
)
from craqbench.report_tables import Method, curve_figures, group_tables, leaderboard, methods_of
from craqbench.results import Result

__all__ = ["Prediction", "Section", "Shot", "page"]

MOST_VALUES = 12
"""An attribute of more values, such as an inventory number, is no filter."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a method predicted for an image.

    Attributes
    ----------
    layer
        ``data:`` address of the coloured px; None if the method failed.
    score
        What the image is sorted by, higher is better.
    told
        The figures in one line, or why it failed.
    seen
        The picture in words.
    """

    layer: str | None
    score: float
    told: str
    seen: str


@dataclass(frozen=True, slots=True)
class Shot:
    """An image, its annotation, and what each method of the section predicted.

    Attributes
    ----------
    size
        Height and width in px of the image itself.
    crop, truth
        ``data:`` addresses.
    share
        Of the scored px, how much is annotated as crack.
    """

    id: str
    painting: str
    attributes: Mapping[str, str]
    size: tuple[int, int]
    crop: str
    truth: str
    share: float
    predictions: tuple[Prediction, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A set: the table of its results, and the images shown, worst first, with methods as in the table."""

    comparison: Comparison
    shots: tuple[Shot, ...]

    @property
    def methods(self) -> tuple[Method, ...]:
        """Return the results in the order of the table."""
        return methods_of(self.comparison)


def page(sections: Sequence[Section], command: str = "") -> str:
    """Return the page.

    Parameters
    ----------
    sections
        One for each set.
    command
        Makes the page again.
    """
    title = f"Crack detection on {' and '.join(section.comparison.set.spec for section in sections)}"
    script = Markup(_text("report.js"))
    body = tag(
        "body",
        tag("a", "Skip to the results", class_="skip", href="#results"),
        tag("header", tag("h1", title), _introduction(sections)),
        tag("main", *(_section(number, one) for number, one in enumerate(sections)), id="results"),
        _footer(command),
        tag("script", script),
    )
    head = tag("head", *_head(title, script))
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _text(name: str) -> str:
    return resources.files("craqbench").joinpath(name).read_text("utf-8")


def _head(title: str, script: str) -> Iterator[Markup]:
    """Yield what the browser must know; it is forbidden to fetch anything, and to run any other script."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    yield tag("meta", charset="utf-8")
    yield tag("meta", http_equiv="Content-Security-Policy", content=policy)
    yield tag("meta", name_="viewport", content="width=device-width, initial-scale=1")
    yield tag("title", title)
    yield tag("style", Markup(_text("report.css")))


def _introduction(sections: Sequence[Section]) -> Markup:
    methods = len({method.label for section in sections for method in section.methods})
    kinds = fragment(
        "Methods are ranked by ",
        tag("strong", "F1@2px"),
        ": the harmonic mean of precision (the share of predicted px with an annotated crack within 2 px) "
        "and recall (the share of annotated px with a prediction within 2 px). Counts are added over all "
        "images of a set, then one score is taken. Intervals hold 95 % of resamples of the paintings.",
    )
    links = [
        tag("li", tag("a", section.comparison.set.spec, href=f"#set-{number}"))
        for number, section in enumerate(sections)
    ]
    return fragment(
        tag("p", f"{_plural(methods, 'method')}, {_plural(len(sections), 'set')}. ", kinds),
        tag("nav", tag("ul", *links), aria_label="Sets") if len(links) > 1 else None,
    )


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
        tag("h2", info.spec, id=f"set-{number}"),
        tag("p", facts, class_="quiet"),
        leaderboard(section.comparison),
        _failures(section.methods),
        tag("h3", "Curves") if not info.clean else None,
        curve_figures(section.methods) if not info.clean else None,
        group_tables(section.methods),
        *_pictures(section),
        *_details(section.methods),
        class_="set",
        aria_labelledby=f"set-{number}",
    )


def _failures(methods: Sequence[Method]) -> Markup | None:
    failed = [(method.label, failure) for method in methods for failure in method.result.failures]
    if not failed:
        return None
    rows = [tag("li", f"{label} on {failure.image}: {failure.reason}") for label, failure in failed]
    summary = f"{_plural(len(failed), 'image')} could not be done: a method that fails has no score"
    return tag("details", tag("summary", summary), tag("ul", *rows))


# -- pictures ----------------------------------------------------------------------------------------------


def _pictures(section: Section) -> Iterator[Markup]:
    info = section.comparison.set
    shown = len(section.shots)
    yield tag("h3", "Pictures, worst first")
    if not shown:
        yield tag("p", "This report was made without pictures.")
        return
    which = "all images" if shown == info.images else f"the {shown:,} worst of {info.images:,} images"
    by = "share of false alarms" if info.clean else "F1@2px"
    yield tag("p", f"Shown are {which}, sorted by the mean {by} of the methods that look at the image.")
    yield _legend(section)
    yield _filters(section)
    yield tag("p", f"{shown:,} of {info.images:,} images shown, worst first", role="status", class_="quiet")
    methods = section.methods
    yield tag("div", *(_shot(shot, methods) for shot in section.shots), class_="shots")


def _legend(section: Section) -> Markup:
    kinds = [HIT, MISS, FALSE_ALARM, IGNORED, CRACK]
    if len(section.comparison.set.classes) > 2:
        kinds.append(LOSS)
    if any(method.result.predicted_classes > 2 for method in section.methods):
        kinds += [LOSS_HIT, LOSS_MISS, LOSS_FALSE]
    return tag("ul", *map(_key, kinds), class_="legend", aria_label="Colours")


def _key(number: int) -> Markup:
    kind = KINDS[number]
    red, green, blue, alpha = kind.colour
    colour = f"rgba({red},{green},{blue},{alpha / 255:.2f})"
    box = tag("span", class_="key", style=f"background:{colour}", aria_hidden="true")
    return tag("li", box, tag("span", tag("strong", kind.name), f": {kind.meaning}"))


def _filters(section: Section) -> Markup:
    """Return the buttons, hidden until the script shows them: without it they could do nothing."""
    methods = [("every", ""), *((method.label, str(n)) for n, method in enumerate(section.methods))]
    groups = [_buttons("Method", [(label, {"data_method": value}) for label, value in methods])]
    for attribute, counts in _attributes(section.shots).items():
        choices = [("every", {"data_attribute": attribute})]
        choices += [
            (f"{value or 'unknown'} ({count})", {"data_attribute": attribute, "data_value": value})
            for value, count in counts.items()
        ]
        groups.append(_buttons(attribute.capitalize(), choices))
    groups.append(_buttons("Size", [("small", {"data_view": ""}), ("large", {"data_view": "large"})]))
    groups.append(_buttons("Image", [("as it is", {"data_view": ""}), ("brighter", {"data_view": "bright"})]))
    return tag("div", *groups, class_="filters", hidden="", role="group", aria_label="Filter the pictures")


def _buttons(name: str, choices: Sequence[tuple[str, Mapping[str, str]]]) -> Markup:
    """Return buttons of which one is pressed, at first the first."""
    buttons = [
        Markup(_button(label, str(number == 0).lower(), data)) for number, (label, data) in enumerate(choices)
    ]
    return tag("fieldset", tag("legend", name), *buttons)


def _button(label: str, pressed: str, data: Mapping[str, str]) -> Markup:
    # An empty value is a value here: `tag` would write the bare name, which a browser reads alike.
    return tag("button", label, type="button", aria_pressed=pressed, **data)


def _attributes(shots: Sequence[Shot]) -> dict[str, dict[str, int]]:
    """Count the values of each attribute that tells images apart."""
    found: dict[str, dict[str, int]] = {}
    for name in dict.fromkeys(name for shot in shots for name in shot.attributes):
        values = Counter(shot.attributes.get(name, "") for shot in shots)
        found[name] = dict(sorted(values.items()))
    return {name: counts for name, counts in found.items() if 2 <= len(counts) <= MOST_VALUES}


def _shot(shot: Shot, methods: Sequence[Method]) -> Markup:
    height, width = shot.size
    size = f"{width:,} x {height:,} px"
    told = [
        shot.painting if shot.painting != shot.id else "",
        *shot.attributes.values(),
        size,
        f"{100 * shot.share:.1f} % crack",
    ]
    figures = [
        _crop(shot),
        _figure(tag("figcaption", "truth"), shot.truth, f"Annotation of {shot.id}", shot.size),
        *(
            _predicted(number, shot, methods[number], prediction)
            for number, prediction in enumerate(shot.predictions)
        ),
    ]
    return tag(
        "article",
        tag("h4", shot.id),
        tag("p", " · ".join(filter(None, told)), class_="quiet"),
        tag("div", *figures, class_="pictures"),
        class_="shot",
        data_attributes=json.dumps(dict(shot.attributes), ensure_ascii=False),
        style=f"--crop:url({shot.crop})",
    )


def _crop(shot: Shot) -> Markup:
    height, width = shot.size
    box = tag(
        "span",
        class_="picture crop",
        role="img",
        aria_label=f"The image {shot.id}",
        style=f"aspect-ratio:{width}/{height}",
    )
    return tag("figure", box, tag("figcaption", "image"))


def _figure(
    caption: Markup, layer: str, seen: str, size: tuple[int, int], **attributes: str | float | None
) -> Markup:
    height, width = size
    picture = tag("img", class_="picture", src=layer, alt=seen, width=width, height=height)
    return tag("figure", picture, caption, **attributes)


def _predicted(number: int, shot: Shot, method: Method, prediction: Prediction) -> Markup:
    name = tag("strong", breakable(method.label))
    caption = tag("figcaption", swatch(method.style), " ", name, tag("br"), prediction.told)
    data: dict[str, str | float | None] = {
        "data_method": number,
        "data_f1": f"{prediction.score:.6f}",
        "data_sanity": "" if method.is_sanity else None,
        "hidden": "" if method.is_sanity else None,
    }
    if prediction.layer is None:
        return tag("figure", caption, **data)
    seen = f"{method.label} on {shot.id}: {prediction.seen}"
    return _figure(caption, prediction.layer, seen, shot.size, **data)


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
    method, threshold, hardware = result.method, result.threshold, result.hardware
    yield "method", f"{method.name} {method.version} ({method.given})"
    yield "settings", ", ".join(f"{name}={value}" for name, value in method.settings.items()) or "none"
    yield "predicts", ", ".join(result.set.classes[1 : result.predicted_classes])
    tuned = threshold.tuned_on
    origin = f"best on {tuned.spec}, where F1@2px is {tuned.f1:.3f}" if tuned else "the method's own"
    yield "threshold", f"{threshold.value:.4g}, {origin}"
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


def _footer(command: str) -> Markup:
    again = fragment(tag("p", "To make this page again:"), tag("pre", command)) if command else None
    return tag("footer", again, tag("p", f"Made by craqbench {__version__}.", class_="quiet"))
