"""Table I, Fig. 5 and Fig. 6 on any picture: figures by other means, files, the page, bad input."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from annotated_samples import save
from html_pages import Page
from PIL import Image as Pictures
from skimage.measure import shannon_entropy
from tiny import smooth_picture

from baselines.inpainting.diffusion import Diffusion
from baselines.inpainting.mtm import Mtm
from baselines.protocols import Inpainter
from baselines.registry import get_detector
from baselines.tophat import luminance
from craqbench import cli
from craqbench.errors import SourceError, UsageError
from craqbench.paintings import read_painting
from craqbench.reproduction import DILATIONS, FILLERS, PUBLISHED, Filled, Measured, Timed, measure
from craqbench.reproduction_files import reproduce_tables
from craqbench.reproduction_page import WINDOW, window_of
from craqbench.reproduction_tables import as_csv, as_markdown, tables_of

Array = npt.NDArray[np.uint8]


def cracked(seed: int = 0, size: tuple[int, int] = (120, 90)) -> Array:
    """Draw a picture with dark and light lines."""
    rng = np.random.default_rng(seed)
    image = np.asarray(smooth_picture(seed, size) // 2 + 64, np.uint8)
    for level in (10, 10, 10, 245):
        row, column = (int(rng.integers(5, side - 5)) for side in image.shape[:2])
        image[row] = level
        image[:, column] = level
    return image


@pytest.fixture(name="measured", scope="module")
def one_picture() -> Measured:
    """Return what is measured of a picture."""
    return measure(Path("a") / "oil.png", cracked(), 2)


def test_what_is_filled_with_what(measured: Measured) -> None:
    """Pictures are those of the paper's top-hat, filled by the paper's fillers; entropy is scikit-image's."""
    image = measured.image
    fillers: dict[str, Inpainter] = {
        "MTM": Mtm(),
        "AD": Diffusion(start="damaged"),
        "AD from MTM": Diffusion(),
    }
    assert fillers == FILLERS
    for row in (*measured.removals, *measured.dilated):
        detector = get_detector(
            "tophat", polarity={"BCR": "dark", "B+WCR": "both"}[row.removal], dilations=row.dilations
        )
        mask = detector.predict(image) >= detector.threshold
        expected = fillers[row.filler].fill(image, np.asarray(mask, np.bool_))
        assert row.picture is not None
        assert (row.picture == expected).all()
        assert row.share == pytest.approx(mask.mean())
        assert row.entropy == pytest.approx(shannon_entropy(luminance(expected), base=2))  # type: ignore[no-untyped-call]  # has no types
    assert measured.entropy == pytest.approx(shannon_entropy(luminance(image), base=2))  # type: ignore[no-untyped-call]  # as above


def test_every_row_is_there(measured: Measured) -> None:
    """Fig. 5 has both removals, Fig. 6 three dilations, Table I both elements, for each filler."""
    assert {(row.filler, row.removal) for row in measured.removals} == {
        (filler, removal) for filler in FILLERS for removal in ("BCR", "B+WCR")
    }
    assert {(row.filler, row.dilations) for row in measured.dilated} == {
        (filler, times) for filler in FILLERS for times in DILATIONS
    }
    assert {(row.filler, row.element) for row in measured.times} == {
        (filler, element) for filler in FILLERS for element in ("square", "disk")
    }
    assert {(r.filler, r.element): r.published for r in measured.times if r.published} == PUBLISHED


def test_entropy_falls_as_in_the_paper(shared: Path) -> None:
    """On a real close-up, entropy falls when dark cracks are removed, and more when light ones are, too."""
    path = shared / "data" / "real" / "val" / "images" / "dutch_0181.png"
    measured = measure(path, read_painting(path), 1)
    found = {(row.filler, row.removal): row.entropy or 9 for row in measured.removals}
    for filler in FILLERS:
        assert found[filler, "B+WCR"] < found[filler, "BCR"] < measured.entropy


def test_ratios() -> None:
    """The paper's seconds over ours, where both are known."""
    row = Timed("MTM", "square", 0.1, 0.01, 0.05, 3.2565)
    assert row.ratio == pytest.approx(65.13)
    assert Timed("AD from MTM", "disk", 0.1, 0.01, 0.05, None).ratio is None
    assert Timed("MTM", "disk", 1.0, 0.01, None, 3.2378).ratio is None


def test_a_mask_of_everything() -> None:
    """Where the mask covers all of a picture there is nothing to fill from: it is told, not hidden."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (70, 80, 3), np.uint8)
    found = measure(Path("noise.png"), noise, 1)
    covered = [row for row in found.dilated if row.picture is None]
    assert covered
    assert all(row.share == 1 and row.entropy is None for row in covered)
    times, _, figure = tables_of([found], "any")
    told = [row for row in figure.rows if "mask covers all" in row]
    assert len(told) == len(covered)
    assert len(times.rows) == 6


def test_tables(measured: Measured) -> None:
    """Markdown and CSV have the same cells; the paper's numbers stand beside ours, or "not known"."""
    times, entropies, dilations = tables_of([measured], "a machine")
    assert "here on a machine" in times.title
    published = {(row[2], row[3]): row[7] for row in times.rows}
    assert published == {
        (f, e): f"{PUBLISHED[f, e]:.4f}" if (f, e) in PUBLISHED else "not known"
        for f in FILLERS
        for e in ("square", "disk")
    }
    assert {row[-1] for row in (*entropies.rows, *dilations.rows)} == {"not known"}
    text = as_markdown((times, entropies, dilations))
    for table in (times, entropies, dilations):
        read = list(csv.reader(as_csv(table).splitlines()))
        assert read == [list(table.heads), *map(list, table.rows)]
        assert all(f"| {' | '.join(row)} |" in text for row in read)


def test_names_are_escaped() -> None:
    """A file's name that means something in Markdown means itself."""
    row = Filled("MTM", "BCR", 1, 0.0, 1.0, None)
    image = cracked()
    odd = Measured("a|b.png", image, np.zeros(image.shape[:2], np.bool_), 1.0, (), (row,), ())
    assert r"| a\|b.png |" in as_markdown(tables_of([odd], "any"))


def test_window() -> None:
    """The window with most of a mask is shown; of a small picture all."""
    mask = np.zeros((50, 60), np.bool_)
    mask[30:40, 45:55] = True
    rows, columns = window_of(mask, 20)
    assert mask[rows, columns].sum() == 100
    assert (rows.stop - rows.start, columns.stop - columns.start) == (20, 20)
    assert window_of(mask, 100) == (slice(0, 50), slice(0, 60))


@pytest.fixture(name="folder")
def pictures(tmp_path: Path) -> Path:
    """Return a folder with two pictures, one of them in a subfolder."""
    save(tmp_path / "scans" / "a<b>.png", cracked(1))
    save(tmp_path / "scans" / "wing" / "c.jpg", cracked(2, (WINDOW + 40, 100)), quality=95)
    return tmp_path / "scans"


def test_files(folder: Path, tmp_path: Path) -> None:
    """All tables, all pictures at full size, and a page that needs nothing else."""
    seen: list[tuple[int, int]] = []
    out = tmp_path / "out"
    made = reproduce_tables(
        [folder, folder / "a<b>.png"],
        out,
        repeats=1,
        command="craqbench <it>",
        progress=lambda _, done, total: seen.append((done, total)),
    )
    assert seen == [(0, 2), (1, 2), (2, 2)]
    files = sorted(path for path in out.rglob("*") if path.is_file())
    assert len(files) == made.files
    assert made.images == 2
    assert {path.name for path in files if path.parent == out} == {
        *("index.html", "tables.md", "table-1.csv", "fig-5.csv", "fig-6.csv"),
    }
    with Pictures.open(out / "pictures" / "2-c-ad-from-mtm-bcr-dilated-3.png") as picture:
        assert picture.size == (WINDOW + 40, 100)
    page = Page(made.path.read_text("utf-8"))
    assert page.unclosed == []
    assert not page.all("script")
    assert {told for _, told in page.all("h3")} == {"a<b>.png", "c.jpg"}
    assert len(page.all("img")) == 2 * (2 + 3 * 4)
    assert all(
        (found["src"] or "").startswith("data:image/webp") and found["alt"] for found, _ in page.all("img")
    )
    assert page.all("pre")[0][1] == "craqbench <it>"
    assert any(re.search(r"shown at full size from \d+ px", told) for _, told in page.all("p"))


def run(*arguments: object) -> int:
    """Run the command."""
    return cli.main(["reproduce", *map(str, arguments)])


def test_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`craqbench reproduce tables` says where the page is; the page says how to make it again."""
    out = tmp_path / "out"
    assert run("tables", folder / "a<b>.png", "--repeats", 1, "--out", out) == 0
    assert capsys.readouterr().out == f"{out / 'index.html'}: 1 picture, 17 files in all\n"
    again = Page((out / "index.html").read_text("utf-8")).all("pre")[0][1]
    assert again.endswith(f"--repeats 1 --out {out}")


BAD: dict[str, tuple[list[Any], str]] = {
    "nothing": ([], "the following arguments are required: tables, IMAGE|DIR"),
    "another paper": (["figures", "FOLDER"], "got 'figures', expected one of tables"),
    "no such file": (["tables", "FOLDER/none.png"], "none.png' does not exist"),
    "no image": (["tables", "FOLDER/text.png"], "text.png: not a JPEG, PNG, TIFF or WebP image"),
    "no repeats": (["tables", "FOLDER", "--repeats", "0"], "got '0', expected a whole number of at least 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(
    case: str,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What cannot be done is one message and exit code 2."""
    monkeypatch.chdir(tmp_path)
    (folder / "text.png").write_text("no picture")
    words, message = BAD[case]
    assert run(*(str(word).replace("FOLDER", str(folder)) for word in words)) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "reproduction" / "index.html").exists()


def test_bad_arguments(tmp_path: Path) -> None:
    """The function refuses what the command does."""
    with pytest.raises(UsageError, match="0 repeats: expected 1 or more"):
        reproduce_tables([tmp_path], tmp_path / "out", repeats=0)
    with pytest.raises(SourceError, match="no painting"):
        reproduce_tables([], tmp_path / "out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without permission is one message."""
    out = tmp_path / "locked"
    out.mkdir(mode=0o500)
    assert run("tables", folder, "--repeats", 1, "--out", out / "in") == 2
    assert "locked" in capsys.readouterr().err


def test_a_file_in_the_way(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file where the folder should be is one message, before anything is measured."""
    out = tmp_path / "out"
    out.write_text("")
    assert run("tables", folder, "--out", out) == 2
    assert "expected a folder" in capsys.readouterr().err
