"""Verification finds every fault that is put into a dataset, and none in a sound one."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tiny import SIZE, draw_lines, three_class_recipe, tiny_config, write_paintings

from craqbench import codecs
from craqbench.configuration import Shard, shards
from craqbench.dataset import load_manifest
from craqbench.errors import DatasetError
from craqbench.generation import generate
from craqbench.shards import Layout, columns, read_cells, write_shard
from craqbench.verification import Fault, verify
from generators.triplets import CLASSES, Image, Recipe, Size, Triplet

if TYPE_CHECKING:
    from collections.abc import Callable

SPLITS = (("train", 0.75), ("test", 0.25))
Cells = dict[str, Any]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Make a dataset of 8 rows, three classes and two splits."""
    config = tiny_config(
        write_paintings(tmp_path / "paintings"), n=8, recipe=three_class_recipe(), splits=SPLITS, shard_size=2
    )
    generate(config, tmp_path / "out")
    return tmp_path / "out"


def rewrite(folder: Path, number: int, change: Callable[[list[Cells]], list[Cells]]) -> str:
    """Rewrite a shard with changed rows, and the manifest so that it agrees; return the file."""
    manifest = load_manifest(folder)
    item = manifest["shards"][number]
    rows = change(list(read_cells(folder / item["file"])))
    shard = Shard(item["file"], item["split"], item["first"], len(rows))
    layout = Layout(columns(CLASSES), SIZE, manifest["fingerprint"])
    manifest["shards"][number] = dataclasses.asdict(write_shard(folder / item["file"], shard, rows, layout))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return str(item["file"])


def repaint(cell: str, change: Callable[[Image], Image]) -> Callable[[list[Cells]], list[Cells]]:
    """Return a change to a picture of the second row."""
    kind = {
        "mask": (codecs.decode_mask, codecs.encode_mask),
        "labels": (codecs.decode_labels, codecs.encode_labels),
    }
    decode, encode = kind.get(cell, (codecs.decode_image, codecs.encode_image))

    def apply(rows: list[Cells]) -> list[Cells]:
        picture: Any = decode(rows[1][cell])
        return [rows[0], {**rows[1], cell: encode(change(picture))}]  # type: ignore[operator]

    return apply


def with_cell(cell: str, value: object) -> Callable[[list[Cells]], list[Cells]]:
    """Return a change to a cell of the second row."""
    return lambda rows: [rows[0], {**rows[1], cell: value}]


def brighten(picture: Image) -> Image:
    """Change one px."""
    changed = picture.copy()
    changed[0, 0] ^= 1
    return changed


@pytest.mark.parametrize("workers", [1, 2])
def test_a_sound_dataset(workers: int, dataset: Path) -> None:
    """A dataset as it was made has no fault; all rows are read; progress runs to the end."""
    seen: list[tuple[str, int, int]] = []
    report = verify(dataset, workers=workers, progress=lambda *args: seen.append(args))
    assert (report.ok, report.rows, report.shards, report.recipe) == (True, 8, 4, "tiny3")
    assert seen[0] == ("verifying", 0, 8)
    assert seen[-1] == ("verifying", 8, 8)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (with_cell("id", "tiny3-0-0000007"), "id 'tiny3-0-0000007': expected 'tiny3-0-0000003'"),
        (with_cell("index", 9), "index 9: expected 3"),
        (with_cell("seed", 1), "seed 1: expected 0"),
        (with_cell("licence", "CC0-1.0"), "licence 'CC0-1.0': expected 'unknown'"),
        (
            with_cell("painting", "elsewhere.jpg"),
            "painting 'elsewhere.jpg': expected 'one that the manifest names'",
        ),
        (with_cell("image", b"nonsense"), "cannot be decoded: no PNG or WebP picture"),
        (with_cell("meta", "{"), "cannot be decoded"),
        (repaint("mask", lambda mask: ~mask), "the mask differs from labels > 0 in 6144 px"),
        (repaint("labels", lambda labels: labels * 9), "labels up to 18: expected 3 classes"),
        (repaint("damaged", lambda image: image[:-1]), "damaged is 96 x 63 px: expected 96 x 64"),
        (repaint("mask", lambda mask: mask[:, 1:]), "mask is 95 x 64 px: expected 96 x 64"),
    ],
)
def test_faulty_rows(change: Callable[[list[Cells]], list[Cells]], problem: str, dataset: Path) -> None:
    """A faulty row is named with what is wrong, though file and manifest agree."""
    file = rewrite(dataset, 1, change)
    faults = verify(dataset).faults
    row = "tiny3-0-0000007" if "0000007" in problem else "tiny3-0-0000003"
    assert [
        fault for fault in faults if fault.file == file and fault.row == row and problem in fault.problem
    ], faults


def test_damage_outside_the_mask(dataset: Path) -> None:
    """One px of damage that the mask does not show is found."""
    clean = next(iter(read_cells(dataset / load_manifest(dataset)["shards"][1]["file"])))
    assert not codecs.decode_mask(clean["mask"])[0, 0]
    file = rewrite(
        dataset, 1, lambda rows: [{**rows[0], **repaint("damaged", brighten)([rows[1], rows[0]])[1]}, rows[1]]
    )
    problem = "damaged differs from image in 1 px outside the mask and its soft edge"
    assert verify(dataset).faults == (Fault(file, "tiny3-0-0000002", problem),)


def draw_soft(painting: Image, size: Size, fit: str, parameters: Any, *, rng: np.random.Generator) -> Triplet:
    """Draw lines, and darken a border of two px around them."""
    made = draw_lines(painting, size, fit, parameters, rng=rng)
    near = np.zeros_like(made.mask)
    for dy, dx in np.ndindex(5, 5):
        near |= np.roll(made.mask, (dy - 2, dx - 2), (0, 1))
    damaged = np.where(near[..., None], made.image ^ 1, made.image)
    return Triplet(made.image, made.labels, damaged, made.meta)


@pytest.mark.parametrize(("soft_edge", "ok"), [(0, False), (1, False), (2, True)])
def test_soft_edges(soft_edge: int, *, ok: bool, tmp_path: Path) -> None:
    """Damage may reach as far beyond the mask as the recipe says, and no farther."""
    recipe: Recipe = dataclasses.replace(three_class_recipe(), draw=draw_soft, soft_edge=soft_edge)
    generate(tiny_config(write_paintings(tmp_path / "paintings"), n=2, recipe=recipe), tmp_path / "out")
    assert verify(tmp_path / "out").ok is ok


def test_all_faults_are_listed(dataset: Path) -> None:
    """Faults of several kinds and files are all found, not just the first; both row and file are named."""
    files = [item["file"] for item in load_manifest(dataset)["shards"]]
    (dataset / files[0]).unlink()
    os.truncate(dataset / files[1], 700)
    data = bytearray((dataset / files[2]).read_bytes())
    data[len(data) // 3] ^= 4
    (dataset / files[2]).write_bytes(data)
    (dataset / "README.md").unlink()
    (dataset / "data/train-00009-of-00009.parquet").touch()
    report = verify(dataset, workers=2)
    text = "\n".join(map(str, report.faults))
    for line in (
        "README.md: missing",
        "data/train-00009-of-00009.parquet: not in the manifest",
        f"{files[0]}: missing",
        f"{files[1]}: 700 bytes: expected",
        f"{files[1]}: cannot be read",
        f"{files[2]}: sha256",
        f"{files[2]}: the rows have the digest",
    ):
        assert line in text
    assert files[3] not in text
    assert not report.ok


def test_missing_rows(dataset: Path) -> None:
    """Rows that are not there are missed, in the file and in the whole."""
    file = rewrite(dataset, 0, lambda rows: rows[:1])
    manifest = load_manifest(dataset)
    assert str(verify(dataset).faults[0]) == "manifest.json: its shards have 7 rows: expected 8"
    manifest["shards"][0]["rows"] = 2
    (dataset / "manifest.json").write_text(json.dumps(manifest))
    problems = [fault.problem for fault in verify(dataset).faults if fault.file == file]
    assert problems == ["its footer does not say what the manifest says", "1 rows: expected 2"]


def test_a_painting_in_two_splits(dataset: Path) -> None:
    """A painting that leaks from one split into another is found."""
    first = next(iter(read_cells(dataset / load_manifest(dataset)["shards"][0]["file"])))
    file = rewrite(dataset, 3, with_cell("painting", first["painting"]))
    assert (
        Fault(file, "", f"painting {first['painting']!r} is also in split 'train'") in verify(dataset).faults
    )


def test_an_incomplete_dataset(tmp_path: Path) -> None:
    """A dataset of which pieces are missing says so."""
    generate(tiny_config(write_paintings(tmp_path / "paintings")), tmp_path / "out", piece=(0, 2))
    report = verify(tmp_path / "out")
    assert [fault.problem for fault in report.faults] == [
        "the dataset is not complete: run its 'craqbench generate' again to go on"
    ]


def test_no_dataset(tmp_path: Path) -> None:
    """A folder without a manifest cannot be verified."""
    with pytest.raises(DatasetError, match="is no craqbench dataset"):
        verify(tmp_path)


def test_layout_helper_agrees() -> None:
    """The helper above writes shards as the configuration lays them out."""
    config = tiny_config(Path(), n=8, splits=SPLITS, shard_size=2)
    assert [shard.rows for shard in shards(config)] == [2, 2, 2, 2]
