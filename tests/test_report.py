"""The report as a file: what is on it, what is escaped, and what it refuses."""

from __future__ import annotations

import base64
import io
import itertools
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from annotated_samples import crack_mask, save, write_set
from evaluation_samples import loaded, write_classes
from html_pages import Page
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pictures
from report_samples import EVIL, write_results
from skimage.color import deltaE_ciede2000, rgb2lab

from craqbench import cli
from craqbench.errors import AnnotationError, UsageError
from craqbench.evaluation import evaluate
from craqbench.metrics import RANKING_TAU, confusion_matrix, precision_recall, tolerance_counts
from craqbench.report import Written, write_report
from craqbench.report_curves import Axes, Curve, plot
from craqbench.report_markup import Markup, breakable, tag
from craqbench.report_pictures import (
    FALSE_ALARM,
    HIT,
    IGNORED,
    KINDS,
    LOSS,
    LOSS_FALSE,
    LOSS_HIT,
    LOSS_MISS,
    MISS,
    crop_uri,
    layer_uri,
    loss_outcome,
    outcome,
    truth_layer,
)
from craqbench.results import ResultError, find_results, load_result, scores_of


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of three results: a detector, one that fails, and a sanity row."""
    folder = tmp_path_factory.mktemp("report")
    return write_results(folder, "report_samples:Dark", "report_samples:Faulty", "none")


@pytest.fixture(scope="module")
def text(results: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the page of these results."""
    out = tmp_path_factory.mktemp("page") / "report.html"
    write_report([results], out, command="craqbench report <it>")
    return out.read_text("utf-8")


@pytest.fixture(scope="module")
def parsed(text: str) -> Page:
    """Return the page as elements."""
    return Page(text)


# -- the page ----------------------------------------------------------------------------------------------


def test_page_is_well_formed(text: str, parsed: Page) -> None:
    """Every element is closed where it should be, and the doctype is there."""
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert parsed.unclosed == []
    assert len(parsed.all("main")) == len(parsed.all("h1")) == 1


def test_ids_are_unique(parsed: Page) -> None:
    """No two elements share an id, and links within the page lead somewhere."""
    ids = [found["id"] for _, found, _ in parsed.elements if "id" in found]
    assert len(set(ids)) == len(ids)
    links = [(found["href"] or "") for found, _ in parsed.all("a")]
    assert links
    assert all(link.startswith("#") and link[1:] in ids for link in links)


def test_page_asks_for_nothing(parsed: Page) -> None:
    """No address but data, and a policy that forbids all others."""
    policy = parsed.all("meta", **{"http-equiv": "Content-Security-Policy"})[0][0]["content"] or ""
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert all((found["src"] or "").startswith("data:image/") for found, _ in parsed.all("img"))
    named = [found for _, found, _ in parsed.elements if {"src", "href", "srcset", "action"} & found.keys()]
    assert all(re.match(r"data:|#", found.get("src") or found.get("href") or "") for found in named)
    styles = [found["style"] or "" for _, found, _ in parsed.elements if "style" in found]
    assert all(url.startswith("data:") for style in styles for url in re.findall(r"url\((.*?)\)", style))


def test_names_are_escaped(text: str, parsed: Page) -> None:
    """A script in an attribute of an image, a card or a reason of failure is text."""
    assert EVIL not in text
    assert len(parsed.all("script")) == 1
    assert any(EVIL in (found.get("data-value") or "") for found, _ in parsed.all("button"))
    assert any(EVIL in told for _, told in parsed.all("dd"))


def test_page_tells_how_to_make_it_again(results: Path, parsed: Page) -> None:
    """The commands of each result and of the page are on it."""
    commands = [told for _, told in parsed.all("pre")]
    expected = {load_result(path).command for path in find_results([results])}
    assert set(commands) == expected | {"craqbench report <it>"}


def test_page_tells_policies_and_versions(results: Path, parsed: Page) -> None:
    """All policies stand there, and the versions of what was used."""
    told = [one for _, one in parsed.all("dd")]
    result = load_result(find_results([results])[0])
    assert set(result.policies.values()) <= set(told)
    assert any(f"numpy {result.versions['numpy']}" in one for one in told)


def test_table_has_every_result(results: Path, parsed: Page) -> None:
    """Each method has a row, with its F1@2px; the one that failed has none, and its failures are told."""
    heads = [told.strip() for _, told in parsed.all("th", scope="row")]
    assert {"dark", "faulty", "none"} == set(heads)
    value = load_result(results / "folder-set" / "dark" / "result.json").scores["f1@2"].value
    assert f"{value:.3f}" in [told for _, told in parsed.all("td")]
    assert sum("faulty on" in told and "cannot do" in told for _, told in parsed.all("li")) == 4


def test_images_come_worst_first(results: Path, parsed: Page) -> None:
    """Images are ordered by the mean F1@2px of methods; a failure counts 0, sanity rows count nothing."""
    result = load_result(results / "folder-set" / "dark" / "result.json")
    expected = sorted(result.images, key=lambda image: scores_of(image.counts)["f1@2"])
    assert [told for _, told in parsed.all("h4")] == [image.id for image in expected]


def test_sanity_rows_are_shown_when_asked_for(parsed: Page) -> None:
    """Pictures of methods that see nothing are there, but hidden at first."""
    figures = [found for found, _ in parsed.all("figure") if "data-method" in found]
    assert {("hidden" in found) == ("data-sanity" in found) for found in figures} == {True}
    assert sum("hidden" in found for found in figures) == 4


def test_every_picture_has_words(parsed: Page) -> None:
    """All pictures have a text for those who cannot see them; ornaments are hidden from them."""
    assert all(found.get("alt") for found, _ in parsed.all("img"))
    assert all(found.get("aria-label") for found, _ in parsed.all("span", role="img"))
    for found, _ in parsed.all("svg"):
        assert found.get("role") == "img" or found.get("aria-hidden") == "true"


def test_page_is_the_same_twice(results: Path, text: str, tmp_path: Path) -> None:
    """The same results make the same bytes."""
    write_report([results], tmp_path / "again.html", command="craqbench report <it>")
    assert (tmp_path / "again.html").read_text("utf-8") == text


def test_worst_limits_the_images(results: Path, tmp_path: Path) -> None:
    """With --worst 2 the two worst are shown, and the page says that these are not all."""
    written = write_report([results], tmp_path / "two.html", worst=2)
    page = Page((tmp_path / "two.html").read_text("utf-8"))
    assert written[:3] == Written(1, 3, 2, 0)[:3]
    assert written.size == (tmp_path / "two.html").stat().st_size
    assert len(page.all("article")) == 2
    assert any("the 2 worst of 4 images" in told for _, told in page.all("p"))


def test_no_pictures_need_no_set(results: Path, tmp_path: Path) -> None:
    """With --worst 0 results are enough: neither the set nor a prediction is opened."""
    alone = tmp_path / "alone" / "result.json"
    alone.parent.mkdir()
    shutil.copy(results / "folder-set" / "dark" / "result.json", alone)
    write_report([alone], tmp_path / "bare.html", worst=0)
    assert "made without pictures" in (tmp_path / "bare.html").read_text("utf-8")
    with pytest.raises(ResultError, match=r"predictions.*--worst 0"):
        write_report([alone], tmp_path / "bare.html")


def test_another_prediction_is_refused(results: Path, tmp_path: Path) -> None:
    """A prediction that is not the one that was scored is no evidence."""
    copy = shutil.copytree(results, tmp_path / "results")
    changed = next((copy / "folder-set" / "dark" / "predictions").glob("*.png"))
    save(changed, crack_mask(77) // 255 * 255)
    with pytest.raises(ResultError, match=f"{changed.name}: expected the prediction that was scored"):
        write_report([copy], tmp_path / "report.html")
    changed.write_bytes(b"no picture")
    with pytest.raises(ResultError, match=changed.name):
        write_report([copy], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_another_set_is_refused(tmp_path: Path) -> None:
    """Images that have changed since they were scored are not shown as if they had been."""
    made = write_results(tmp_path)
    save(tmp_path / "set" / "masks" / "1.png", crack_mask(5))
    with pytest.raises(AnnotationError, match="has changed since it was scored"):
        write_report([made], tmp_path / "report.html")


def test_same_method_twice_is_refused(results: Path, tmp_path: Path) -> None:
    """Two results of one method on one set cannot stand in one table."""
    copy = shutil.copytree(results, tmp_path / "results")
    with pytest.raises(UsageError, match="expected one of each method"):
        write_report([results, copy], tmp_path / "report.html")


@pytest.fixture(scope="module")
def of_three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return results on a set of three classes: of label maps, of cracks only, and a sanity row."""
    folder = tmp_path_factory.mktemp("three")
    images = write_classes(folder / "set")
    methods = [f"toy_detectors:{name}" for name in ("Coloured", "Dark")]
    evaluate([f"folder:{images}"], [*methods, "none"], folder / "results")
    return folder / "results"


def test_three_classes(of_three: Path, tmp_path: Path) -> None:
    """Figures of paint loss stand in the table, and beside the pictures of whoever predicts it."""
    write_report([of_three], tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    heads = [told for _, told in page.all("th", scope="col")]
    assert {"F1 paint loss", "IoU paint loss", "MIoU"} <= set(heads)
    result = loaded(of_three / "folder-set" / "coloured" / "result.json")
    assert f"{result.scores['iou:paint loss'].value:.3f}" in [told for _, told in page.all("td")]
    told = [told.replace("\N{NO-BREAK SPACE}", " ") for _, told in page.all("figcaption")]
    for image in result.images:
        matrix = np.array(image.counts.confusion)
        share = matrix[2, 2] / (matrix[2].sum() + matrix[:2, 2].sum())
        assert any(one.endswith(f"IoU paint loss {share:.3f}") for one in told)
    assert sum("IoU paint loss" in one for one in told) == 3
    colours = [told for _, told in page.all("strong")]
    assert {"paint loss", "paint loss hit", "paint loss missed", "false paint loss"} <= set(colours)
    seen = [
        found["alt"] or "" for found, _ in page.all("img") if "px of paint loss hit" in (found["alt"] or "")
    ]
    assert len(seen) == 3
    assert all(one.startswith("coloured on") for one in seen)
    assert "craquelure, paint loss" in [told for _, told in page.all("dd")]


def test_two_classes_need_no_colours_of_paint_loss(parsed: Page, of_three: Path, tmp_path: Path) -> None:
    """Colours are explained where they are used: where paint loss is annotated, and where it is predicted."""
    assert not any("paint loss" in told for _, told in parsed.all("strong"))
    write_report([of_three / "folder-set" / "dark"], tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    named = {told for _, told in page.all("strong") if "paint loss" in told}
    assert named == {"paint loss"}


def test_another_label_map_is_refused(of_three: Path, tmp_path: Path) -> None:
    """A label map in which paint loss has become background is no evidence."""
    copy = shutil.copytree(of_three, tmp_path / "results")
    path = copy / "folder-set" / "coloured" / "predictions" / "0.png"
    with Pictures.open(path) as picture:
        labels = np.array(picture)
    save(path, np.where(labels == 2, np.uint8(0), labels))
    with pytest.raises(ResultError, match=r"0.png: expected the prediction that was scored"):
        write_report([copy], tmp_path / "report.html")


def test_paintings_without_cracks(tmp_path: Path) -> None:
    """On crack-free paintings false alarms are told and sorted by; there are no curves."""
    images = write_set(tmp_path / "set", 3) / "images"
    evaluate([f"clean:{images}"], ["report_samples:Dark", "none"], tmp_path / "results")
    write_report([tmp_path / "results"], tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    assert "Curves" not in [told for _, told in page.all("h3")]
    told = [told for _, told in page.all("figcaption") if "false alarm" in told]
    shares = [
        float(match[1]) for one in told if (match := re.search(r"([\d.]+) % false", one)) and float(match[1])
    ]
    assert len(shares) == 3
    assert shares == sorted(shares, reverse=True)


# -- the command -------------------------------------------------------------------------------------------


def test_command_writes_the_page(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`craqbench report DIR` writes report.html and says how much is on it."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["report", str(results), "--worst", "3", "--workers", "1"]) == 0
    assert capsys.readouterr().out.startswith("report.html: 3 results on 1 set, 3 images, ")
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    assert f"craqbench report {results} --out report.html --worst 3" in [t for _, t in page.all("pre")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "RESULT"),
        (("nowhere",), "nowhere"),
        (("RESULTS", "--out", "report.pdf"), "ends in .html"),
        (("RESULTS", "--worst", "-1"), "at least 0"),
    ],
)
def test_command_refuses(
    results: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    """What cannot be done is one message and exit code 2."""
    words = [str(results) if word == "RESULTS" else word for word in arguments]
    assert cli.main(["report", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


# -- pictures ----------------------------------------------------------------------------------------------


def masks(seed: int) -> tuple[npt.NDArray[np.bool_], ...]:
    """Return a prediction, an annotation, and what is ignored."""
    rng = np.random.default_rng(seed)
    return rng.random((20, 25)) < 0.1, rng.random((20, 25)) < 0.1, rng.random((20, 25)) < 0.2


@given(st.integers(0, 10_000), st.sampled_from((0.0, 1.0, 2.0, 4.0)))
@settings(max_examples=25, derandomize=True, deadline=None)
def test_outcome_counts_what_the_metric_counts(seed: int, tau: float) -> None:
    """Coloured px add up to the match counts of F1@tau."""
    prediction, truth, ignore = masks(seed)
    layer = outcome(prediction, truth, ignore, tau=tau)
    matched, predicted, found, annotated = tolerance_counts(prediction, truth, taus=(tau,), ignore=ignore)[
        0
    ].tolist()
    assert np.count_nonzero(layer == HIT) == matched
    assert np.count_nonzero(layer == FALSE_ALARM) == predicted - matched
    assert np.count_nonzero(layer == MISS) == annotated - found
    assert np.array_equal(layer == IGNORED, ignore)


@given(st.integers(0, 10_000))
@settings(max_examples=25, derandomize=True, deadline=None)
def test_loss_outcome_counts_what_the_matrix_counts(seed: int) -> None:
    """Coloured px add up to the row and the column of paint loss in the confusion matrix."""
    rng = np.random.default_rng(seed)
    found, truth = (rng.integers(0, 3, (20, 25), dtype=np.uint8) for _ in range(2))
    ignore = rng.random((20, 25)) < 0.2
    layer = loss_outcome(found, truth, ignore)
    matrix = confusion_matrix(found, truth, classes=3, ignore=ignore)
    assert np.count_nonzero(layer == LOSS_HIT) == matrix[2, 2]
    assert np.count_nonzero(layer == LOSS_MISS) == matrix[2, :2].sum()
    assert np.count_nonzero(layer == LOSS_FALSE) == matrix[:2, 2].sum()
    assert np.array_equal(layer == IGNORED, ignore)


def test_outcome_refuses_other_shapes() -> None:
    """Masks of two shapes are an error that names them."""
    prediction, truth, ignore = masks(0)
    with pytest.raises(ValueError, match=r"one shape\. Got \(19, 25\)"):
        outcome(prediction[1:], truth, ignore)


def decoded(uri: str) -> npt.NDArray[np.uint8]:
    """Return a data address as (H, W, 4) uint8."""
    data = base64.b64decode(uri.partition("base64,")[2])
    return np.array(Pictures.open(io.BytesIO(data)).convert("RGBA"))


def test_layers_keep_their_colours() -> None:
    """Each px of a layer has the colour of its kind, and 0 is transparent."""
    layer = np.arange(7 * 8, dtype=np.uint8).reshape(7, 8) % len(KINDS)
    assert np.array_equal(decoded(layer_uri(layer)), np.array([k.colour for k in KINDS], np.uint8)[layer])


@pytest.mark.parametrize("ground", [0, LOSS, LOSS_HIT, LOSS_MISS, LOSS_FALSE])
def test_large_layers_keep_thin_lines(ground: int) -> None:
    """A line one px wide outlasts scaling to a quarter, in its own colour, over paint loss, too."""
    layer = np.full((1024, 2560), ground, np.uint8)
    layer[513] = MISS
    seen = decoded(layer_uri(layer))
    assert seen.shape == (256, 640, 4)
    assert (seen == KINDS[MISS].colour).all(axis=2).any(axis=0).all()
    assert {tuple(c) for c in seen.reshape(-1, 4)} == {KINDS[ground].colour, KINDS[MISS].colour}
    assert decoded(crop_uri(np.zeros((1024, 2560, 3), np.uint8))).shape == seen.shape


def test_annotation_shows_classes() -> None:
    """Cracks, paint loss and what is ignored are told apart."""
    labels = np.array([[0, 1, 2, 1]], np.uint8)
    ignore = np.array([[False, False, False, True]])
    assert [KINDS[k].name for k in truth_layer(labels, ignore)[0]] == [
        "nothing",
        "crack",
        "paint loss",
        "ignored",
    ]
    assert KINDS[LOSS].name == "paint loss"


BLINDNESS = {
    "none": np.eye(3),
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}
"""Of linear RGB, after Machado, Oliveira and Fernandes 2009, severity 1."""


@pytest.mark.parametrize("kind", BLINDNESS)
def test_colours_are_told_apart(kind: str) -> None:
    """Hits, misses and false alarms differ from each other and the pale ground for every eye (CIEDE2000)."""
    ground = [np.full(3, grey) for grey in (0.72, 0.86, 1.0)]  # the page's veil leaves nothing darker
    kinds = (HIT, MISS, FALSE_ALARM, LOSS_HIT, LOSS_MISS, LOSS_FALSE)
    colours = [np.array(KINDS[number].colour[:3]) / 255 for number in kinds]
    seen = [rgb2lab(np.clip(_simulated(c, BLINDNESS[kind]), 0, 1)) for c in (*colours, *ground)]
    distance: Any = deltaE_ciede2000
    for a, b in itertools.combinations(range(9), 2):
        lines_only = a < 3 and (b < 3 or b >= 6)
        least = 20 if lines_only else 14  # areas of paint loss are large: paler colours do
        assert a >= 6 or float(distance(seen[a], seen[b])) > least, (a, b)


def _simulated(colour: npt.NDArray[np.float64], matrix: Any) -> npt.NDArray[np.float64]:
    linear = np.asarray(matrix) @ np.where(
        colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4
    )
    linear = np.clip(linear, 0, 1)
    return np.asarray(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


# -- markup and curves -------------------------------------------------------------------------------------


@given(st.text(), st.text())
@settings(max_examples=50, derandomize=True, deadline=None)
def test_text_comes_back_from_markup(content: str, value: str) -> None:
    """A parser reads the text and the attribute that went in, whatever they are."""
    content, value = (re.sub(r"[\x00\r]", "", one) for one in (content, value))
    attributes, told = Page(tag("p", content, title=value)).all("p")[0]
    assert (told, attributes["title"] or "") == (content, value)


@given(st.text())
@settings(max_examples=50, derandomize=True, deadline=None)
def test_labels_break_between_their_parts(label: str) -> None:
    """A label comes back whole, whatever it is, and may be broken after commas and equals signs."""
    label = re.sub(r"[\x00\r]", "", label)
    page = Page(tag("p", breakable(label)))
    assert page.all("p")[0][1] == label
    assert breakable("a,b=c#d").split("<wbr>") == ["a,", "b=", "c", "#d"]


def test_markup_is_escaped_once() -> None:
    """What is HTML already is left alone; what is absent is left out."""
    inner = tag("b", "<")
    assert isinstance(inner, Markup)
    assert tag("p", inner, None, 3, class_="x", hidden="", id=None) == '<p class="x" hidden><b>&lt;</b>3</p>'


def test_plot_places_points_on_its_axes() -> None:
    """(low, 0) and (high, 1) are the corners of the frame, and a point beyond is moved to its edge."""
    axes = Axes("x", "y", (0, 4), high=4)
    left, bottom = axes.place((0, 0))
    right, top = axes.place((4, 1))
    assert left < right
    assert top < bottom
    assert axes.place((9, -1)) == (right, bottom)
    assert axes.place((2, 0.5)) == ((left + right) / 2, (top + bottom) / 2)


def test_plot_is_xml_with_a_name() -> None:
    """The picture of a curve is sound XML, has a title, and names whose curve it is."""
    curve = Curve("a < b", 0, [(0, 0), (1, 1)], [(0.5, 0.5)], [(0.5, 0.4, 0.6)])
    root = ET.fromstring(plot("P & R", Axes("r", "p", (0, 1), f1_lines=True), [curve]))  # noqa: S314  ours
    titles = [found.text for found in root.iter("title")]
    assert titles == ["P & R", "a < b"]


def test_precision_recall_curve_passes_the_own_threshold(results: Path) -> None:
    """The dot of a method's own threshold lies on its curve: both count the same px."""
    result = loaded(results / "folder-set" / "dark" / "result.json")
    assert result.curves is not None
    curve = precision_recall(np.array(result.curves.tolerant))
    own = [result.scores[f"{name}@{RANKING_TAU:g}"].value for name in ("precision", "recall")]
    gaps = np.abs(curve.precision - (own[0] or 0)) + np.abs(curve.recall - (own[1] or 0))
    assert gaps.min() < 1e-9
