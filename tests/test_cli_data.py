"""`craqbench data`: list, fetch, import, verify, show; bad lines end in one message."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from annotated_samples import crack_mask, save, web_server, write_set
from local_hub import client_warnings
from test_annotated_artefact import rows, write_parquet
from tiny import smooth_picture, write_paintings

from craqbench import cli, downloads
from craqbench.annotated import open_set
from craqbench.annotated_sheet import CRACK, FIRST_ONLY, LOSS, SECOND_ONLY, annotated_sheet, overlay
from craqbench.annotations import Annotated, Annotation
from craqbench.cli import data
from craqbench.cli.parsing import Parser

pytestmark = client_warnings

Run = tuple[int, str, str]


@pytest.fixture(name="run")
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return a function that runs `craqbench data` in an empty folder with an empty cache."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("CRAQBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(downloads, "PAUSE", 0.001)

    def run(*arguments: object) -> Run:
        code = cli.main(["data", *map(str, arguments), *([] if "list" in arguments else ["--workers", "1"])])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_list(run: Any) -> None:
    """The list has every named set, whether it is here, its size, licence and how to get it."""
    code, out, _ = run("list")
    assert code == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert lines["synthetic"].endswith("here")
    assert re.search(
        r" 20 .*CC0-1.0.*20 images missing: run 'craqbench data fetch nga-val'", lines["nga-val"]
    )
    assert re.search(r" 418 .*AFL-3.0.*absent: run 'craqbench data fetch artefact'", lines["artefact"])
    assert "folder:DIR" in out
    assert "clean:DIR" in out


def test_the_real_set(run: Any, shared: Path) -> None:
    """The public crops are imported, listed, verified and shown."""
    code, out, _ = run("import", "nga-val", "--from", shared / "data" / "real" / "val" / "images")
    assert (code, out.split(" taken")[0]) == (0, "nga-val: 20 images")
    assert run("list")[1].count("here\n") == 2
    code, out, err = run("verify", "nga-val")
    assert (code, err) == (0, "")
    assert "nga-val, version 1: 20 images of 20 paintings" in out
    assert "1.31 megapixels: 87.10 % background, 8.12 % craquelure, 4.78 % ignored" in out
    assert re.search(r"digest: \w{64}", out)
    code, out, _ = run("show", "nga-val,school=Dutch", "--n", "4")
    assert (code, out.split(":")[0]) == (0, "nga-val-school-Dutch.png")
    with PIL.Image.open("nga-val-school-Dutch.png") as picture:
        assert picture.width > 4 * 256


def test_fetch_of_a_mirror(run: Any) -> None:
    """What a mirror lacks is an error with the address, and nothing is kept."""
    with web_server({}) as web:
        code, out, err = run("fetch", "nga-val", "--url", web.address)
    assert (code, out) == (2, "")
    assert f"craqbench: error: cannot download {web.address}/" in err
    assert "Cracks/Dutch/Dutch21.png: 404" in err
    assert not list(Path("../cache").glob("**/*.png"))


def test_artefact(run: Any, tmp_path: Path) -> None:
    """ARTeFACT's files are imported, listed and verified; other sets of options are other sets."""
    folder = write_parquet(tmp_path / "files", rows())
    code, out, _ = run("import", "artefact", "--from", folder)
    assert code == 0
    name = out.split()[0]
    assert f"here: {name}" in run("list")[1]
    code, out, _ = run("verify", f"{name},material=Wood")
    assert code == 0
    assert "2 images of 2 paintings" in out


def test_own_folders(run: Any, tmp_path: Path) -> None:
    """Folders of the user's own are verified and shown."""
    folder = write_set(tmp_path / "scans")
    code, out, err = run("verify", f"folder:{folder}")
    assert (code, err) == (0, "")
    assert "folder:scans, version 1: 3 images of 3 paintings" in out
    assert run("show", f"folder:{folder}")[1].startswith("folder-scans.png: ")
    clean = write_paintings(tmp_path / "clean", 2)
    (clean / "broken.png").write_bytes(b"no")
    code, out, err = run("verify", f"clean:{clean}")
    assert code == 0
    assert "100.00 % background, 0.00 % craquelure" in out
    assert "not used: broken.png: not a JPEG" in err


def test_inverted_masks_are_noticed(run: Any, tmp_path: Path) -> None:
    """Where most is crack, the user is asked whether the masks are inverted."""
    folder = write_set(tmp_path / "scans", 1)
    save(folder / "masks" / "0.png", np.where(crack_mask(0) == 255, 0, 255).astype(np.uint8))
    assert "more than half is crack: are the masks inverted?" in run("verify", f"folder:{folder}")[2]


def test_faults_of_a_set(run: Any, shared: Path) -> None:
    """Every fault of an image is listed, and the command fails."""
    run("import", "nga-val", "--from", shared / "data" / "real" / "val" / "images")
    for name in ("dutch_0021", "flemish_0021"):
        save(Path(f"../cache/nga-val/{name}.png"), smooth_picture(0, (256, 256)))
    code, _, err = run("verify", "nga-val")
    assert code == 2
    assert re.search(r"dutch_0021.png: pixels with sha256", err)
    assert re.search(r"flemish_0021.png: pixels with sha256", err)
    assert err.endswith("craqbench: error: 2 faults in nga-val\n")


def test_many_faults(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of very many faults the first are listed."""
    folder = write_set(tmp_path / "scans", 23)
    opened = open_set(f"folder:{folder}")
    for path in (folder / "masks").iterdir():
        path.unlink()
    monkeypatch.setattr(data, "open_set", lambda *_, **__: opened)
    code, _, err = run("verify", f"folder:{folder}")
    assert code == 2
    assert err.count("was there when the set was opened") == 20
    assert "23 faults in folder:scans, the first 20 are shown" in err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "the following arguments are required"),
        ("get nga-val", "got 'get', expected one of list, fetch, import, verify, show"),
        ("list nga-val", "got 'nga-val', expected no SET"),
        ("show", "data show: expected a SET"),
        ("fetch nga", "set 'nga': expected one of"),
        ("fetch folder:x", "set 'folder:x' is a folder of yours: there is nothing to fetch"),
        ("fetch synthetic", "set 'synthetic' is drawn on the spot: there is nothing to fetch"),
        ("fetch nga-val,school=Dutch", "expected no options: a set is always taken whole"),
        ("fetch artefact --url http://x", "argument --url: expected with nga-val"),
        ("import nga-val", "data import nga-val: expected --from DIR"),
        ("import artefact@main --from .", "nobody can tell the revision of a folder: expected no @"),
        ("verify nga-val --from .", "argument --from: expected with `craqbench data import`, not verify"),
        ("verify nga-val", "set nga-val: 20 of 20 images are not here: run 'craqbench data fetch nga-val'"),
        ("show synthetic --n 61", "argument --n: got 61, expected at most 60 on a sheet"),
        ("show synthetic --out a.jpg", "argument --out: got 'a.jpg', expected a name that ends in .png"),
        ("verify folder:none", "annotated set 'none' does not exist"),
    ],
)
def test_bad_lines(run: Any, line: str, words: str) -> None:
    """A line that cannot be obeyed ends in one message and code 2."""
    code, out, err = run(*line.split())
    assert (code, out) == (2, "")
    assert err.startswith("craqbench: error: ")
    assert words in err
    assert err.count("\n") == 1


def test_help_tells_all() -> None:
    """The help names every action and every option."""
    parser = Parser("craqbench data", data.__doc__ or "")
    data.add_arguments(parser)
    told = parser.format_help()
    assert all(word in told for word in (*data.ACTIONS, "--from", "--url", "--out", "--n", "SET"))
    assert isinstance(parser.parse(["list"]), argparse.Namespace)


def sample(*, second: bool = False) -> Annotated:
    """Return a grey image with a crack, loss and an ignored corner; the second annotator moved the crack."""
    labels = np.zeros((80, 100), np.uint8)
    labels[20, 10:90] = 1
    labels[60:70, 40:50] = 2
    other = np.roll(np.where(labels == 1, 1, 0).astype(np.uint8), 5, axis=1)
    ignore = np.zeros((80, 100), np.bool_)
    ignore[:10, :10] = True
    image = np.full((80, 100, 3), 40, np.uint8)
    return Annotated(image, Annotation(labels, ignore), Annotation(other, ignore) if second else None)


def test_overlay() -> None:
    """Each class has its colour, what is ignored is faded, all else is the image."""
    one = sample()
    drawn = overlay(one)
    assert (drawn[one.mask] == CRACK).all()
    assert (drawn[one.labels == 2] == LOSS).all()
    assert (drawn[one.ignore] > 80).all()
    assert (drawn[(one.labels == 0) & ~one.ignore] == 40).all()
    assert (overlay(one, widen=3)[21, 10:90] == CRACK).all()
    assert (one.image == 40).all()


def test_overlay_of_two_annotators() -> None:
    """What only one of two annotators saw has the colour of that one."""
    drawn = overlay(sample(second=True))
    assert (drawn[20, 10:15] == FIRST_ONLY).all()
    assert (drawn[20, 15:90] == CRACK).all()
    assert (drawn[20, 90:95] == SECOND_ONLY).all()


def test_sheet_of_many_sizes(tmp_path: Path) -> None:
    """Images of several sizes fit on one sheet, and cracks one px wide outlast being scaled down."""
    folder = tmp_path / "scans"
    labels = np.zeros((900, 1600), np.uint8)
    labels[450] = 255
    save(folder / "images" / "large.png", smooth_picture(1, (1600, 900)))
    save(folder / "masks" / "large.png", labels)
    save(folder / "images" / "small.png", smooth_picture(2, (80, 200)))
    save(folder / "masks" / "small.png", np.zeros((200, 80), np.uint8))
    found = open_set(f"folder:{folder}")
    sheet = annotated_sheet(found, found.items, "title")
    assert sheet.shape[1] < 2000
    near = np.abs(sheet.astype(int) - np.array(CRACK)).sum(axis=2) < 60
    assert near.sum(axis=1).max() > 350
