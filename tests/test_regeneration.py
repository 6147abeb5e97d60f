"""Any row is made again with the same bytes, or the message says why not and what to install."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hub_datasets import FIRST, make_dataset
from hub_datasets import REPO as PUBLISHED
from hub_paintings import PICTURES, SOURCE, Shelf, rows_of, small_wikiart  # noqa: F401  one is a fixture
from local_hub import client_warnings, local_hub  # noqa: F401  one is a fixture
from tiny import write_paintings

from craqbench import cli, regeneration
from craqbench.codecs import decode_image
from craqbench.configuration import Shard, versions
from craqbench.dataset import load_manifest
from craqbench.errors import DatasetError, SourceError, UsageError
from craqbench.publishing import publish
from craqbench.pulling import pull
from craqbench.regeneration import regenerate, write_row
from craqbench.shards import Layout, columns, read_cells, write_shard

pytestmark = client_warnings

SPLITS = (("train", 0.75), ("test", 0.25))


@pytest.fixture(scope="module")
def paintings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of paintings."""
    return write_paintings(tmp_path_factory.mktemp("source") / "paintings")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, paintings: Path) -> Path:
    """Return a dataset of two splits on them."""
    folder = tmp_path_factory.mktemp("made") / "set"
    return make_dataset(folder, n=8, source=str(paintings), splits=SPLITS, shard_size=2, codec="png", seed=5)


@pytest.fixture(scope="module")
def procedural(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset on procedural canvases."""
    return make_dataset(tmp_path_factory.mktemp("made") / "set", n=4)


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Path:
    """Return a copy that may be changed."""
    return shutil.copytree(dataset, tmp_path / "copy")


def change_manifest(folder: Path, **changes: Any) -> None:
    """Change keys of a manifest; a value that is a function is applied."""
    manifest = load_manifest(folder)
    for name, change in changes.items():
        manifest[name] = change(manifest[name]) if callable(change) else change
    (folder / "manifest.json").write_text(json.dumps(manifest))


# -- the same bytes -----------------------------------------------------------------------------------------


def test_every_row(dataset: Path, paintings: Path) -> None:
    """Every row of every split comes out as it is in its shard, by id and by index."""
    count = 0
    for item in load_manifest(dataset)["shards"]:
        for cells in read_cells(dataset / item["file"]):
            for row in (cells["id"], str(cells["index"])):
                made = regenerate(dataset, row, source=str(paintings))
                assert made.cells == cells
                assert (made.id, made.index, made.split) == (cells["id"], cells["index"], item["split"])
                assert (made.compared, made.changed) == (item["file"], ())
            count += 1
    assert count == 8


def test_the_manifest_is_enough(procedural: Path, tmp_path: Path) -> None:
    """Without any shard a row of procedural canvases is made again, the same."""
    shutil.copy(procedural / "manifest.json", tmp_path)
    file = load_manifest(procedural)["shards"][1]["file"]
    expected = next(iter(read_cells(procedural / file)))
    made = regenerate(tmp_path, expected["id"])
    assert made.cells == expected
    assert made.compared == ""


def test_only_the_painting_of_the_row_is_needed(dataset: Path, paintings: Path, tmp_path: Path) -> None:
    """A row needs its own painting and no other, wherever the folder is now."""
    wanted = regenerate(dataset, "3", source=str(paintings)).cells["painting"]
    shutil.copy(paintings / wanted, tmp_path)
    (tmp_path / "another.jpg").write_bytes(b"no image")
    assert regenerate(dataset, "3", source=str(tmp_path)).compared


def test_settings_that_are_pairs(tmp_path: Path) -> None:
    """Parameters that JSON keeps as lists are pairs again, and unchanged ones are the recipe's own."""
    folder = make_dataset(tmp_path / "set", n=1)
    assert load_manifest(folder)["options"]["set"] == {"n_curves": [3, 5]}
    assert regenerate(folder, "0").compared


def test_paintings_of_the_hub(shelf: Shelf, tmp_path: Path) -> None:
    """A row on a painting of the Hub is made again from the pinned commit, whatever came later."""
    dataset = make_dataset(tmp_path / "set", n=6, source=SOURCE)
    publish(dataset, PUBLISHED, FIRST)
    shelf.put({name: cells[::-1] for name, cells in rows_of(PICTURES).items()})
    folder = pull(PUBLISHED, FIRST, tmp_path / "got").folder
    for row in ("0", "paper-0-0000005"):
        made = regenerate(folder, row)
        assert made.compared
        assert "@" in str(made.cells["painting"])


# -- what differs -------------------------------------------------------------------------------------------


def test_another_installation_with_the_same_bytes(copy: Path, paintings: Path) -> None:
    """Where versions differ, and the bytes do not, the row is the same and the differences are told."""
    change_manifest(copy, fingerprint="0" * 64, versions=lambda old: {**old, "numpy": "1.0"})
    made = regenerate(copy, "0", source=str(paintings))
    (difference,) = made.changed
    assert difference.startswith("numpy: 1.0 there, ")


def test_another_installation_without_the_shard(copy: Path, paintings: Path) -> None:
    """With other versions and nothing to compare with nothing is claimed: it is said what to install."""
    there = {"numpy": "1.0", "opencv": "4.9.0"}
    change_manifest(copy, fingerprint="0" * 64, versions=lambda old: {**old, **there}, code="f" * 64)
    shutil.rmtree(copy / "data")
    with pytest.raises(DatasetError) as refused:
        regenerate(copy, "0", source=str(paintings))
    message = str(refused.value)
    version = load_manifest(copy)["versions"]["craqbench"]
    assert "row paper-5-0000000" in message
    assert "numpy: 1.0 there" in message
    assert f"code of craqbench {version}: ffffffffffff there" in message
    assert f"pip install 'craqbench=={version}' 'numpy==1.0' 'opencv-python-headless==4.9.0.*'" in message


def test_a_row_that_differs(copy: Path, paintings: Path) -> None:
    """A stored row that was changed is found out; with other versions they are given as the reason."""
    manifest = load_manifest(copy)
    item = manifest["shards"][0]
    rows = list(read_cells(copy / item["file"]))
    rows[1] = {**rows[1], "damaged": rows[1]["image"], "title": "Another"}
    layout = Layout(columns(manifest["recipe"]["classes"]), (96, 64), manifest["fingerprint"])
    write_shard(copy / item["file"], Shard(item["file"], item["split"], 0, 2), rows, layout)
    with pytest.raises(DatasetError, match=r"differs from .* in damaged, title: expected the same bytes"):
        regenerate(copy, "1", source=str(paintings))
    assert regenerate(copy, "0", source=str(paintings)).compared
    change_manifest(copy, fingerprint="0" * 64, versions=lambda old: {**old, "pillow": "1.0"})
    with pytest.raises(DatasetError, match=r"not the installation that made it:\n  pillow: 1.0 there"):
        regenerate(copy, "1", source=str(paintings))


def test_a_broken_shard(copy: Path, paintings: Path) -> None:
    """A shard that cannot be read is told as such, and so is one that is too short."""
    item = load_manifest(copy)["shards"][0]
    whole = (copy / item["file"]).read_bytes()
    (copy / item["file"]).write_bytes(whole[:-9])
    with pytest.raises(DatasetError, match=r"cannot be read: .* 'craqbench verify' lists all faults"):
        regenerate(copy, "0", source=str(paintings))
    (copy / item["file"]).write_bytes(whole)
    change_manifest(copy, shards=lambda old: [{**old[0], "rows": 9}, *old[1:]])
    with pytest.raises(DatasetError, match="has fewer rows than the manifest says"):
        regenerate(copy, "7", source=str(paintings))


def test_other_paintings(dataset: Path, paintings: Path, tmp_path: Path) -> None:
    """A painting that is missing or another one is named, with both digests."""
    with pytest.raises(
        SourceError, match=r"made from 5 paintings in a folder 'paintings': expected --source"
    ):
        regenerate(dataset, "0")
    with pytest.raises(SourceError, match="No such file or directory: expected --source with where"):
        regenerate(dataset, "0", source=str(tmp_path))
    for path in paintings.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes() + b"!")
    with pytest.raises(SourceError, match=r"has sha256 [0-9a-f]{64}: expected [0-9a-f]{64}, as at the time"):
        regenerate(dataset, "0", source=str(tmp_path))


@pytest.mark.parametrize(
    "row", ["8", "paper-5-0000008", "paper-0-0000001", "mixed-5-0000001", "-1", "one", ""]
)
def test_no_such_row(dataset: Path, row: str) -> None:
    """A row that is not there is refused, with those that are."""
    with pytest.raises(UsageError, match=r"expected paper-5-0000000 to paper-5-0000007, or 0 to 7"):
        regenerate(dataset, row)


@pytest.mark.parametrize(
    "changes",
    [
        {"recipe": lambda old: {**old, "name": "gone"}},
        {"options": lambda old: {**old, "set": {"gone": 1}}},
        {"options": lambda old: {**old, "codec": "gone"}},
        {"options": lambda old: {key: value for key, value in old.items() if key != "fit"}},
    ],
)
def test_manifests_of_other_times(copy: Path, changes: dict[str, Any]) -> None:
    """What this craqbench no longer knows is told, with the version to install."""
    change_manifest(copy, **changes)
    row = "gone-5-0000000" if "recipe" in changes else "0"
    with pytest.raises(
        DatasetError, match=r"cannot do what the manifest says \(.*\):\n  to install: pip install"
    ):
        regenerate(copy, row)


# -- files --------------------------------------------------------------------------------------------------


def test_files_are_the_cells(dataset: Path, paintings: Path, tmp_path: Path) -> None:
    """What is written is what the dataset holds, byte for byte, and opens."""
    made = regenerate(dataset, "2", source=str(paintings))
    files = write_row(made, tmp_path / "row")
    names = {f"{made.id}{rest}" for rest in ("-image.png", "-mask.png", "-damaged.png", ".json")}
    assert {path.name for path in files} == names == {path.name for path in (tmp_path / "row").iterdir()}
    assert (tmp_path / "row" / f"{made.id}-damaged.png").read_bytes() == made.cells["damaged"]
    texts = json.loads((tmp_path / "row" / f"{made.id}.json").read_text())
    assert texts == {name: cell for name, cell in made.cells.items() if not isinstance(cell, bytes)}


def test_png(procedural: Path, tmp_path: Path) -> None:
    """Pictures in another codec become PNG of the same pixels if that is wanted."""
    made = regenerate(procedural, "0")
    assert {path.suffix for path in write_row(made, tmp_path / "cells")} == {".webp", ".png", ".json"}
    assert {path.suffix for path in write_row(made, tmp_path / "png", png=True)} == {".png", ".json"}
    with PIL.Image.open(io.BytesIO((tmp_path / "png" / f"{made.id}-image.png").read_bytes())) as picture:
        assert (np.asarray(picture) == decode_image(made.cells["image"])).all()


def test_command(dataset: Path, paintings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says what was compared and what was written; a fault is one message and exit code 2."""
    line = ["regenerate", str(dataset), "--row", "paper-5-0000007"]
    assert cli.main([*line, "--source", str(paintings), "--out", str(tmp_path / "row")]) == 0
    out = capsys.readouterr().out
    assert "all 14 cells are those in data/test-00000-of-00001.parquet, byte for byte" in out
    assert "written       4 files" in out
    assert cli.main(line) == 2
    assert capsys.readouterr().err.startswith("craqbench: error: the dataset is made from 5 paintings")


def test_command_tells_what_changed(copy: Path, paintings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Other versions without effect are told on stderr."""
    change_manifest(copy, fingerprint="0" * 64, versions=lambda old: {**old, "numpy": "1.0"})
    assert cli.main(["regenerate", str(copy), "--row", "0", "--source", str(paintings)]) == 0
    assert "without effect on this row: numpy: 1.0 there" in capsys.readouterr().err


def test_packages_have_versions() -> None:
    """Each package that may have to be installed is one that the manifest gives the version of."""
    assert set(regeneration._PACKAGES) <= set(versions())
