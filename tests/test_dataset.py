"""A dataset on disk: it loads with the datasets library and with ours; other folders are refused."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tiny import SIZE, three_class_recipe, tiny_config, write_paintings

from craqbench.dataset import load_manifest, read_rows
from craqbench.errors import DatasetError
from craqbench.generation import generate

if TYPE_CHECKING:
    from pathlib import Path

SPLITS = (("train", 0.75), ("test", 0.25))

LOAD = """
import sys, json
import numpy as np, datasets
data = datasets.load_dataset(sys.argv[1], cache_dir=sys.argv[2])
row = data["train"][0]
print(json.dumps({
    "splits": {name: len(rows) for name, rows in data.items()},
    "features": {name: type(kind).__name__ for name, kind in data["train"].features.items()},
    "index": data["test"]["index"][:],
    "modes": [row[name].mode for name in ("image", "mask", "damaged", "labels")],
    "sums": [int(np.asarray(row[name].convert("RGB"), int).sum()) for name in ("image", "damaged")],
    "labels": int((np.asarray(row["labels"]) > 0).sum()),
    "mask": int(np.asarray(row["mask"]).sum()),
    "meta": json.loads(row["meta"]),
}))
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a dataset of three classes and two splits."""
    folder = tmp_path_factory.mktemp("dataset")
    config = tiny_config(write_paintings(folder / "paintings"), recipe=three_class_recipe(), splits=SPLITS)
    generate(config, folder / "out")
    return folder / "out"


def test_rows(dataset: Path) -> None:
    """Rows come in the order of their index, decoded, of one split or all."""
    rows = list(read_rows(dataset))
    assert [row.index for row in rows] == list(range(24))
    assert [row.split for row in rows] == ["train"] * 18 + ["test"] * 6
    assert rows[3].id == "tiny3-0-0000003"
    assert rows[3].image.shape == rows[3].damaged.shape == (*SIZE[::-1], 3)
    assert set(np.unique(rows[3].labels)) == {0, 1, 2}
    assert np.array_equal(rows[3].mask, rows[3].labels > 0)
    assert np.array_equal(rows[3].damaged[~rows[3].mask], rows[3].image[~rows[3].mask])
    assert rows[3].meta["lines"] == 3
    assert [row.index for row in read_rows(dataset, split="test", limit=2)] == [18, 19]


def test_two_class_rows_take_labels_from_the_mask(tmp_path: Path) -> None:
    """Without a column of labels, labels are the mask."""
    generate(tiny_config(write_paintings(tmp_path / "paintings"), n=2), tmp_path / "out")
    row = next(read_rows(tmp_path / "out"))
    assert set(np.unique(row.labels)) == {0, 1}


def test_datasets_library(dataset: Path, tmp_path: Path) -> None:
    """`datasets.load_dataset` finds the splits without any script, and pictures decode as pictures."""
    command = [sys.executable, "-c", LOAD, str(dataset), str(tmp_path)]
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home"), "PATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    found, row = json.loads(done.stdout), next(read_rows(dataset))
    assert found["splits"] == {"train": 18, "test": 6}
    assert [name for name, kind in found["features"].items() if kind == "Image"] == [
        "image",
        "mask",
        "damaged",
        "labels",
    ]
    assert found["index"] == list(range(18, 24))
    assert found["modes"] == ["RGB", "1", "RGB", "L"]
    assert found["sums"] == [int(row.image.sum()), int(row.damaged.sum())]
    assert found["labels"] == found["mask"] == int(row.mask.sum())
    assert found["meta"] == row.meta


def test_manifest(dataset: Path) -> None:
    """The manifest says what was made, from what, with what, and where each row is."""
    manifest = load_manifest(dataset)
    assert manifest["complete"] is True
    assert manifest["recipe"]["name"] == "tiny3"
    assert manifest["recipe"]["settings"]["lines"] == 3
    assert manifest["splits"] == {"train": 18, "test": 6}
    assert sum(shard["rows"] for shard in manifest["shards"]) == manifest["rows"] == 24
    assert len(manifest["source"]["paintings"]) == 5
    assert {"numpy", "opencv", "pillow", "pyarrow", "craqbench"} <= manifest["versions"].keys()
    text = (dataset / "manifest.json").read_text()
    assert str(dataset.parent) not in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "is not of ours"),
        ('{"kind": "something"}', "is not of ours"),
        ('{"kind": "craqbench dataset", "format": 99}', "has format 99: this craqbench reads 1"),
    ],
)
def test_other_manifests(text: str, message: str, tmp_path: Path) -> None:
    """A manifest that is broken, somebody else's or of another format is refused."""
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DatasetError, match=message):
        load_manifest(tmp_path)


def test_folders_that_are_no_dataset(dataset: Path, tmp_path: Path) -> None:
    """A folder that is missing, strange or incomplete, and a split that is not there, are errors."""
    with pytest.raises(DatasetError, match="does not exist"):
        load_manifest(tmp_path / "missing")
    with pytest.raises(DatasetError, match=r"is no craqbench dataset: expected manifest\.json"):
        load_manifest(tmp_path)
    with pytest.raises(DatasetError, match=r"split 'dev' of .*: expected one of train, test"):
        next(read_rows(dataset, split="dev"))
    manifest = load_manifest(dataset) | {"complete": False}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DatasetError, match="is not complete"):
        next(read_rows(tmp_path))


def test_reading_a_broken_shard(tmp_path: Path) -> None:
    """A shard that cannot be read is an error that names it."""
    generate(tiny_config(write_paintings(tmp_path / "paintings"), n=2), tmp_path / "out")
    (tmp_path / "out/data/train-00000-of-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(
        DatasetError, match=r"train-00000-of-00001\.parquet cannot be read: .*craqbench verify"
    ):
        next(read_rows(tmp_path / "out"))
