"""`synthetic` and `synthetic:DIR`: cracks whose place is known exactly."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
from tiny import SIZE, three_class_recipe, tiny_config, write_paintings

from craqbench import annotated_synthetic
from craqbench.annotated import open_set
from craqbench.annotated_synthetic import SEED, SIDE
from craqbench.dataset import read_rows
from craqbench.errors import AnnotationError
from craqbench.generation import generate
from craqbench.sources import ProceduralSource
from generators.recipes import RECIPES, triplet


def test_fixed_set() -> None:
    """The set on the spot is recipe `mixed` on procedural canvases, the same whenever drawn."""
    found, again = open_set("synthetic,n=2"), open_set("synthetic,n=3")
    assert found.spec == "synthetic,n=2"
    assert found.contents == again.contents[:2]
    assert found.digest != again.digest
    canvas = ProceduralSource(SEED, (SIDE, SIDE)).painting(1)
    made = triplet(RECIPES["mixed"], SEED, 1, canvas, (SIDE, SIDE))
    one = found.load(found.items[1])
    assert (one.image == made.damaged).all()
    assert (one.labels == made.labels).all()
    assert one.undamaged is not None
    assert (one.undamaged == made.image).all()
    assert (one.damage == made.mask).all()
    assert found.undamaged
    assert not one.ignore.any()
    assert found.items[1].attributes["style"] == made.meta["style"]
    assert len({item.painting for item in found}) == 2
    assert pickle.loads(pickle.dumps(found)).digest == found.digest  # noqa: S301  our own


def test_fixed_set_by_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several processes draw the same, and tell how far they are."""
    monkeypatch.setattr(annotated_synthetic, "_PARALLEL_FROM", 2)
    calls: list[tuple[str, int, int]] = []
    parallel = open_set(
        "synthetic,n=3", workers=2, progress=lambda stage, done, total: calls.append((stage, done, total))
    )
    assert parallel.digest == open_set("synthetic,n=3").digest
    assert calls[0] == ("drawing images", 0, 3)
    assert calls[-1] == ("drawing images", 3, 3)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset of 24 tiny rows of three classes in two splits."""
    folder = tmp_path_factory.mktemp("made")
    paintings = write_paintings(folder / "paintings")
    splits = (("train", 0.75), ("test", 0.25))
    config = tiny_config(paintings, recipe=three_class_recipe(), splits=splits)
    generate(config, folder / "set", workers=1)
    return folder / "set"


@pytest.fixture
def dataset(made: Path, tmp_path: Path) -> Path:
    """Return a copy of the dataset that a test may spoil."""
    copy = tmp_path / "set"
    for path in made.rglob("*"):
        if path.is_file():
            target = copy / path.relative_to(made)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return copy


def test_datasets(made: Path) -> None:
    """A dataset's damaged paintings and labels are a set; images of one painting are one group."""
    found = open_set(f"synthetic:{made}")
    rows = list(read_rows(made))
    assert found.spec == "synthetic:set"
    assert found.classes == ("background", "craquelure", "paint loss")
    assert [item.id for item in found] == [row.id for row in rows]
    assert [item.painting for item in found] == [row.painting for row in rows]
    for item, row in zip(found, rows, strict=True):
        one = found.load(item)
        assert one.image.shape == (*SIZE[::-1], 3)
        assert (one.image == row.damaged).all()
        assert (one.labels == row.labels).all()
        assert one.undamaged is not None
        assert (one.undamaged == row.image).all()
    assert found.undamaged
    assert len(pickle.dumps(found)) < 20_000


def test_splits(made: Path) -> None:
    """The split is an attribute to choose by."""
    found = open_set(f"synthetic:{made},split=test")
    assert [item.id for item in found] == [row.id for row in read_rows(made, split="test")]
    assert found.spec == "synthetic:set,split=test"


def test_any_order(made: Path) -> None:
    """Rows are read in any order."""
    found = open_set(f"synthetic:{made}")
    rows = list(read_rows(made))
    for number in (17, 2, 17, 23, 0):
        assert (found.load(found.items[number]).labels == rows[number].labels).all()


def test_tampered_datasets(dataset: Path) -> None:
    """A file that is not the one of the manifest is found when the set is opened."""
    shard = next(iter(sorted(dataset.glob("data/*.parquet"))))
    data = bytearray(shard.read_bytes())
    data[200] ^= 1
    shard.write_bytes(data)
    with pytest.raises(AnnotationError, match=rf"{shard.name} has sha256 \w+: expected \w+, as the manifest"):
        open_set(f"synthetic:{dataset}")
    shard.unlink()
    with pytest.raises(
        AnnotationError, match=rf"{shard.name}: No such file .* expected the file of the manifest"
    ):
        open_set(f"synthetic:{dataset}")


def test_changes_under_the_run(dataset: Path) -> None:
    """A file that changes afterwards, or goes, is an error for its rows and no others."""
    found = open_set(f"synthetic:{dataset}")
    shard = min(dataset.glob("data/train*.parquet"))
    found.load(found.items[0])
    os.utime(shard, (1, 1))
    with pytest.raises(AnnotationError, match=rf"{shard.name} has changed since the set was opened"):
        found.load(found.items[0])
    shard.unlink()
    with pytest.raises(AnnotationError, match=rf"{shard.name}, row .*: .*No such file"):
        found.load(found.items[0])
    found.load(found.items[-1])


def test_unfinished_datasets(dataset: Path, tmp_path: Path) -> None:
    """A dataset that is not finished, or none at all, is refused."""
    path = dataset / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "complete": False}))
    with pytest.raises(AnnotationError, match="is not complete: run its 'craqbench generate' again"):
        open_set(f"synthetic:{dataset}")
    with pytest.raises(AnnotationError, match="does not exist"):
        open_set(f"synthetic:{tmp_path / 'none'}")
