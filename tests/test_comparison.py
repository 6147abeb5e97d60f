"""Comparisons: ranks, intervals and differences of the metrics, refusals, notes, and every format."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import numpy as np
import pytest
from evaluation_samples import (
    drawn_counts,
    drawn_inpainting,
    drawn_method,
    drawn_result,
    drawn_set,
    failed,
)
from metric_cases import draw

from craqbench.comparison import CEILING, Comparison, Row, compare
from craqbench.comparison_formats import FORMATS, cells, fitted, headers, write
from craqbench.errors import UsageError
from craqbench.figures import bootstrap_rng
from craqbench.metrics import match_f1, paired_difference, rank_methods, resampling_weights
from craqbench.metrics.filling import MEANS
from craqbench.metrics.widths import WIDTHS
from craqbench.results import DetectionResult, InpaintingResult, Score, SecondCounts, Threshold, TunedOn


@pytest.fixture(name="results", scope="module")
def several() -> list[DetectionResult]:
    """Return results of two close methods, a worse one and the sanity rows."""
    close = np.linspace(0.85, 0.95, 12)
    return [
        drawn_result("worse", right=0.3, paintings=12),
        drawn_result("one", right=close, paintings=12),
        drawn_result("other", right=close[::-1], paintings=12),
        drawn_result("none", right=0.0, paintings=12),
    ]


@pytest.fixture(name="table", scope="module")
def compared(results: list[DetectionResult]) -> Comparison:
    """Return their comparison."""
    return compare(results)


def f1_counts(result: DetectionResult) -> np.typing.NDArray[np.int64]:
    """Return the match counts at 2 px by painting."""
    return np.array([painting.counts.tolerance[2] for painting in result.paintings], np.int64)


def row_of(table: Comparison, label: str) -> Row:
    """Return a row by its label."""
    return next(row for row in table.rows if row.label == label)


def test_ranks_are_those_of_the_metrics(results: list[DetectionResult], table: Comparison) -> None:
    """Methods are ranked by F1@2px with ties, sanity rows not at all, and rows come best first."""
    methods = {r.method.label: f1_counts(r) for r in results if r.method.kind == "method"}
    expected = rank_methods(methods, match_f1, rng=bootstrap_rng())
    found = [(row.label, row.rank) for row in table.rows if row.kind == "method"]
    assert found == [(one.name, one.rank) for one in expected]
    assert sorted(rank or 0 for _, rank in found) == [1, 1, 3]
    assert row_of(table, "none").rank is None
    values = [row.scores["f1@2"].value or 0 for row in table.rows]
    assert values == sorted(values, reverse=True)


def test_differences_are_paired(results: list[DetectionResult], table: Comparison) -> None:
    """Every pair has the paired difference of the metrics; `behind` is that to the best method."""
    by_label = {result.method.label: result for result in results}
    weights = resampling_weights(12, rng=bootstrap_rng())
    assert len(table.pairs) == 6
    for pair in table.pairs:
        first, second = f1_counts(by_label[pair.first]), f1_counts(by_label[pair.second])
        assert pair.difference == paired_difference(first, second, match_f1, weights=weights)
    best = table.rows[0]
    assert best.behind is None
    for row in table.rows[1:]:
        gap = row.behind
        assert gap is not None
        expected = (best.scores["f1@2"].value or 0) - (row.scores["f1@2"].value or 0)
        assert gap.value == pytest.approx(expected)


def test_order_does_not_matter(results: list[DetectionResult], table: Comparison) -> None:
    """A table is a function of the results, not of the order of files."""
    again = compare(results[::-1])
    assert again.rows == table.rows
    assert again.notes == table.notes


def test_sorting(results: list[DetectionResult]) -> None:
    """Any figure sorts, lower first where lower is better; ranks stay."""
    by_name = compare(results, sort="method")
    assert [row.label for row in by_name.rows] == ["none", "one", "other", "worse"]
    betti = [row.scores["beta0_error"].value or 0 for row in compare(results, sort="beta0_error").rows]
    assert betti == sorted(betti)
    assert {r.label: r.rank for r in by_name.rows} == {r.label: r.rank for r in compare(results).rows}
    with pytest.raises(UsageError, match=r"no figure 'f2': expected method, or one of accuracy, .*f1@2"):
        compare(results, sort="f2")


DIFFERENCES: dict[str, tuple[dict[str, Any], str]] = {
    "set": (
        {"set": drawn_set(6, digest="b" * 64)},
        r"different sets: .* Got folder:drawn \(aaaaaaaa\): a; folder:drawn \(bbbbbbbb\): b",
    ),
    "policies": ({"policies": {"tolerance": "another"}}, "different policies: .*tolerance = another: b"),
    "benchmark": ({"benchmark": "2"}, "different benchmark versions: expected one. Got 1: a; 2: b"),
}


@pytest.mark.parametrize("case", DIFFERENCES)
def test_unlike_results_are_refused(case: str) -> None:
    """What cannot be compared is told apart by name."""
    changes, message = DIFFERENCES[case]
    with pytest.raises(UsageError, match=message):
        compare([drawn_result("a"), drawn_result("b", **changes)])


def test_further_policies_of_one_method() -> None:
    """What only one result has decided does not keep it from a table; what both have must agree."""
    maps = {"tolerance": "some", "label maps": "crack first"}
    table = compare([drawn_result("a", policies=maps), drawn_result("b")])
    assert {row.label for row in table.rows} == {"a", "b"}
    others = {**maps, "label maps": "most probable"}
    with pytest.raises(UsageError, match=r"different policies: .*label maps = most probable.*: b"):
        compare([drawn_result("a", policies=maps), drawn_result("b", policies=others)])


def test_figures_of_each_class() -> None:
    """On three classes every form shows F1 and IoU of the third, and a note says who never predicts it."""
    maps = drawn_result("maps", classes=3, predicted_classes=3, right=0.9)
    table = compare([maps, drawn_result("cracks", classes=3), drawn_result("none", right=0, classes=3)])
    heads, first = headers(table), cells(table)[0]
    assert heads[-5:] == ["MIoU", "IoU", "F1 paint loss", "IoU paint loss", "s/MP"]
    expected = [maps.scores[n].value or 0 for n in ("mean_iou", "iou", "f1:paint loss", "iou:paint loss")]
    assert first[-5:-1] == [f"{value:.3f}" for value in expected]
    assert any(note.startswith("Never predicted by cracks, none: paint loss") for note in table.notes)
    row = next(csv.DictReader(io.StringIO(write(table, "csv"))))
    assert float(row["iou:paint loss"]) == maps.scores["iou:paint loss"].value
    assert all("F1 paint loss" in write(table, form) for form in ("markdown", "latex"))
    two = compare([drawn_result("cracks"), drawn_result("none")])
    assert "IoU" not in headers(two)
    assert not any("Never predicted" in note for note in two.notes)


def test_no_results() -> None:
    """Nothing to compare is one message."""
    with pytest.raises(UsageError, match="no results to compare"):
        compare([])


def test_versions_of_a_method() -> None:
    """Two versions of a method are two rows; the same version twice is refused."""
    first = drawn_result("mine", right=0.4)
    second = drawn_result("mine", right=0.8, method=drawn_method("mine", version="2"))
    assert {row.label for row in compare([first, second]).rows} == {"mine 1", "mine 2"}
    with pytest.raises(
        UsageError, match="2 results are of 'mine 1': expected one of each method and version"
    ):
        compare([first, first])


def test_sanity_rows() -> None:
    """A method that is no better than one that looks at nothing is named; so is the lack of such rows."""
    useless, useful, blind = (
        drawn_result(n, right=r, paintings=12)
        for n, r in (("useless", 0.31), ("useful", 0.9), ("all", np.linspace(0.2, 0.4, 12)))
    )
    notes = "\n".join(compare([useless, useful, blind]).notes)
    assert "useless is not significantly better than all." in notes
    assert "useful is not" not in notes
    assert "No sanity rows" in "\n".join(compare([useful]).notes)


def test_incomplete_results(results: list[DetectionResult]) -> None:
    """An incomplete result stands last, without rank or scores, and the note says what failed."""
    table = compare([failed(drawn_result("broken", paintings=12)), *results])
    last = table.rows[-1]
    assert (last.label, last.kind, last.rank) == ("broken", "incomplete", None)
    assert set(last.scores) == {"seconds_per_megapixel"}
    assert "broken failed on 1 of 12 images and has no scores; first on image 11: raised" in "\n".join(
        table.notes
    )
    assert compare([failed(results[0])]).rows[0].kind == "incomplete"


def with_second(result: DetectionResult) -> DetectionResult:
    """Return a result of a set whose first two images have a second annotator."""
    counts = drawn_counts(draw("lines", (72, 96), 1), draw("lines", (72, 96), 1))
    second = tuple(
        SecondCounts(id=image.id, painting=image.painting, counts=counts) for image in result.images[:2]
    )
    return DetectionResult(**{**dict(result), "second": second})


def test_the_ceiling(results: list[DetectionResult]) -> None:
    """The second annotator stands first, unranked, and methods are told on the same images."""
    table = compare([with_second(result) for result in results])
    top = table.rows[0]
    assert (top.label, top.kind, top.rank) == (CEILING, "ceiling", None)
    assert top.scores["f1@2"].value == 1
    one = next(result for result in results if result.method.label == "one")
    alone = float(match_f1(f1_counts(one)[:2].sum(axis=0)))
    assert row_of(table, "one").on_second == pytest.approx(alone)
    assert re.search(rf"has 2 of 12 images. On these: .*one {alone:.3f}", "\n".join(table.notes))


def test_few_paintings_tuning_and_speed_are_noted() -> None:
    """The reader is told of few paintings, tuned thresholds and shared machines."""
    origin = TunedOn(spec="synthetic", given="synthetic", digest="c" * 64, images=4, f1=0.5)
    tuned = drawn_result("a", threshold=Threshold(value=0.3, origin="tuned", tuned_on=origin))
    parallel = drawn_result("b", speed=tuned.speed.model_copy(update={"workers": 2}))
    notes = "\n".join(compare([tuned, parallel]).notes)
    assert "With 6 paintings intervals are too narrow" in notes
    assert "Thresholds tuned on another set: a." in notes
    assert "Speeds were measured beside other work" in notes


def test_clean_sets() -> None:
    """On paintings without cracks less is better, in order, rank and difference."""
    loud = drawn_result("loud", right=np.linspace(0.4, 0.5, 12), paintings=12, clean=True)
    quiet = drawn_result("quiet", right=1.0, paintings=12, clean=True)
    table = compare([loud, quiet])
    values = [row.scores["false_share"].value or 0 for row in table.rows]
    assert values == sorted(values)
    assert table.ranking == "false_share"
    gap = table.rows[1].behind
    assert gap is not None
    assert gap.value == pytest.approx(values[1] - values[0])
    assert headers(table)[2] == "false px, share"
    assert all(write(table, form) for form in FORMATS)


def test_the_crack_class_stands_first(table: Comparison) -> None:
    """F1@2px with its interval comes right after the name, averages over classes come last."""
    heads = headers(table)
    assert heads[:3] == ["rank", "method", "F1@2px"]
    assert heads.index("Acc") > heads.index("clDice")
    first = cells(table)[0]
    assert re.fullmatch(r"0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]", first[2])


def test_a_narrow_terminal(table: Comparison) -> None:
    """What does not fit is left out from the least important on; name, rank and F1@2px always stay."""
    assert fitted(table, 1000) == (headers(table), cells(table))
    for width in range(150, 10, -10):
        heads, rows = fitted(table, width)
        assert heads[:3] == ["rank", "method", "F1@2px"]
        assert all(len(row) == len(heads) for row in rows)
        taken = sum(3 + max(map(len, column)) for column in zip(heads, *rows, strict=True))
        assert taken <= width or len(heads) == 3
    assert "behind best" in fitted(table, 80)[0]


def test_csv_has_every_figure(results: list[DetectionResult], table: Comparison) -> None:
    """CSV is read back with every digit, value, low and high."""
    rows = {row["method"]: row for row in csv.DictReader(io.StringIO(write(table, "csv")))}
    for result in results:
        for name, score in result.scores.items():
            row = rows[result.method.label]
            found = [row[f"{name}{end}"] for end in ("", "_low", "_high")]
            assert [float(x) if x else None for x in found] == [score.value, score.low, score.high]
    assert rows["none"]["rank"] == ""
    assert rows["one"]["kind"] == "method"


def test_json_has_everything(table: Comparison) -> None:
    """JSON has rows, pairs, notes and the set, and no number that JSON has not."""
    content = json.loads(write(table, "json"), parse_constant=pytest.fail)
    assert [row["method"] for row in content["rows"]] == [row.label for row in table.rows]
    assert len(content["pairs"]) == 6
    assert content["set"]["digest"] == "a" * 64
    assert content["notes"] == list(table.notes)


def test_names_are_escaped() -> None:
    """Characters that mean something in Markdown or LaTeX are written so that they mean themselves."""
    table = compare([drawn_result(r"a|b_c&d%e\f~g")])
    markdown, latex = write(table, "markdown"), write(table, "latex")
    assert r"a\|b_c&d%e\f~g" in markdown
    assert r"a|b\_c\&d\%e\textbackslash{}f\textasciitilde{}g" in latex
    for line in markdown.splitlines()[:3]:
        assert len(re.findall(r"(?<!\\)\|", line)) == len(headers(table)) + 1
    for line in latex.splitlines():
        if line.endswith(r"\\"):
            assert len(re.findall(r"(?<!\\)&", line)) == len(headers(table)) - 1


def test_markdown_and_latex_have_all_rows_and_notes(table: Comparison) -> None:
    """The short formats have a line for each row and each note."""
    markdown, latex = write(table, "markdown"), write(table, "latex")
    assert len(markdown.splitlines()) == 2 + len(table.rows) + 1 + len(table.notes)
    assert latex.count(r"\\") == 1 + len(table.rows)
    assert latex.count("\n% ") + latex.startswith("%") == len(table.notes)


@pytest.fixture(name="fillings", scope="module")
def inpainters() -> list[InpaintingResult]:
    """Return results of three inpainters, of which two cannot be told apart, and of the sanity rows."""
    near = np.arange(6, 18)
    return [
        drawn_inpainting("worse", off=20),
        drawn_inpainting("one", off=near),
        drawn_inpainting("other", off=near[::-1]),
        drawn_inpainting("none", off=60),
        drawn_inpainting("mean", off=40),
    ]


def test_inpainters_are_ranked_by_psnr_on_the_mask(fillings: list[InpaintingResult]) -> None:
    """Higher PSNR comes first, ties share a rank, sanity rows have none; differences are of PSNR, paired."""
    table = compare(fillings)
    assert table.ranking == "psnr:mask"
    assert [row.label for row in table.rows][2:] == ["worse", "mean", "none"]
    assert [row.rank for row in table.rows] == [1, 1, 3, None, None]
    best = table.rows[0]
    gap = row_of(table, "worse").behind
    assert gap is not None
    expected = (best.scores["psnr:mask"].value or 0) - (row_of(table, "worse").scores["psnr:mask"].value or 0)
    assert gap.value == pytest.approx(expected)
    assert gap.p < 0.05
    assert len(table.pairs) == 10
    assert not any("not significantly better" in note for note in table.notes)


def test_who_leads_by_crack_width(fillings: list[InpaintingResult]) -> None:
    """For each class of width the best, and whoever is not told apart; none where there is no crack."""
    table = compare(fillings)
    assert list(table.leaders) == list(WIDTHS)
    assert set(table.leaders["<=1.5px"]) == set(table.leaders["3-6px"]) == {"one", "other"}
    assert table.leaders["1.5-3px"] == table.leaders[">6px"] == ()
    told = [note for note in table.notes if note.startswith("Best where cracks are")]
    assert len(told) == 2
    first = table.leaders["<=1.5px"][0]
    value = row_of(table, first).scores["psnr:<=1.5px"].value
    assert told[0].startswith(f"Best where cracks are <=1.5px wide: {first} {value:.2f} dB; not told apart")


def test_formats_of_inpainters(fillings: list[InpaintingResult]) -> None:
    """The short table leads with PSNR on the mask; csv and json have every figure, and no LPIPS column."""
    table = compare([*fillings, drawn_inpainting("one dilated 1", off=9, dilations=1)])
    heads = headers(table)
    assert heads[:4] == ["rank", "method", "PSNR mask", "behind best"]
    assert "LPIPS mask" not in heads
    assert "LPIPS mask" in headers(compare([_with_lpips(fillings[0])]))
    assert fitted(table, 60)[0][:3] == ["rank", "method", "PSNR mask"]
    rows = {row["method"]: row for row in csv.DictReader(io.StringIO(write(table, "csv")))}
    assert rows["one dilated 1"]["dilations"] == "1"
    assert float(rows["one"]["mae:mask"]) == row_of(table, "one").scores["mae:mask"].value
    content = json.loads(write(table, "json"), parse_constant=pytest.fail)
    assert content["leaders"].keys() == set(WIDTHS)
    assert all(write(table, form) for form in FORMATS)
    assert "Given a dilated mask, and scored on the mask as it is: one dilated 1." in table.notes
    by_error = compare(fillings, sort="mae:mask").rows
    assert [row.label for row in by_error][-1] == "none"


def _with_lpips(result: InpaintingResult) -> InpaintingResult:
    """Return a result for which LPIPS was measured: 0.5 in each image."""
    places = [number for number, name in enumerate(MEANS) if name.startswith("lpips")]
    images, paintings = (
        tuple(
            part.model_copy(
                update={
                    "counts": part.counts.model_copy(
                        update={
                            "means": tuple(
                                (0.5, 1.0) if n in places else mean
                                for n, mean in enumerate(part.counts.means)
                            )
                        }
                    )
                }
            )
            for part in parts
        )
        for parts in (result.images, result.paintings)
    )
    scores = {**result.scores, **{MEANS[n]: Score(value=0.5) for n in places}}
    return InpaintingResult(**{**dict(result), "images": images, "paintings": paintings, "scores": scores})


def test_tasks_are_not_mixed(fillings: list[InpaintingResult]) -> None:
    """Detectors and inpainters are not put into one table."""
    with pytest.raises(UsageError, match=r"different tasks: expected one. Got detection: a; inpainting: "):
        compare([drawn_result("a", paintings=12), *fillings])


def test_nothing_to_fill() -> None:
    """Where no picture has damage nothing is ranked, and every format can be written."""
    clean = [drawn_inpainting(name, paintings=1) for name in ("a", "b", "none")]
    table = compare(clean)
    assert {row.rank for row in table.rows} == {None}
    assert not table.pairs
    assert all(row.behind is None for row in table.rows)
    assert all(write(table, form) for form in FORMATS)
