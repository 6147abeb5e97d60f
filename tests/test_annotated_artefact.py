"""`artefact`: a small dataset of ARTeFACT's schema goes through the same code, from a hub or a folder."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from annotated_samples import bomb
from local_hub import (
    Account,
    LocalHub,
    client_warnings,
    local_hub,  # noqa: F401  a fixture
)
from tiny import smooth_picture

from craqbench import artefact
from craqbench.annotated import KNOWN, open_set
from craqbench.annotations import leave_one_group_out
from craqbench.artefact import REPOSITORY, REVISION, fetch, import_files, open_artefact, present
from craqbench.errors import AnnotationError, UsageError

pytestmark = client_warnings

OWNER = "hf_localowner"
KIND: dict[str, Any] = {"repo_type": "dataset"}
MATERIALS = ("Canvas", "Canvas", "Wood", "Glass", "Wood", "Glass")


def annotation(number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return (80, 100) uint8 with clean px, cracks (9), peel (2) and what is no part of the object (255)."""
    labels = np.zeros((80, 100), np.uint8)
    labels[10 + number, 5:60] = 9
    labels[40:50, 20:30] = 2
    labels[:, 90:] = 255
    return labels


def rows(count: int = 6) -> list[dict[str, Any]]:
    """Return rows with pictures as arrays."""
    return [
        {
            "id": f"{MATERIALS[k].lower()}_{k}",
            "image": smooth_picture(k, (100, 80)),
            "annotation": annotation(k),
            "annotation_rgb": np.repeat(annotation(k)[..., None], 3, axis=2),
            "material": MATERIALS[k],
            "content": ("Artistic depiction", "Line art")[k % 2],
            "type": "Painting",
        }
        for k in range(count)
    ]


FEATURES = datasets.Features(
    {
        "id": datasets.Value("string"),
        **{name: datasets.Image() for name in ("image", "annotation", "annotation_rgb")},
        **{name: datasets.Value("string") for name in ("material", "content", "type")},
    }
)


def write_parquet(folder: Path, made: list[dict[str, Any]], parts: int = 2) -> Path:
    """Write rows as `datasets` uploads them: ``data/train-00000-of-00002.parquet`` and so on."""
    columns = {name: [row[name] for row in made] for name in FEATURES}
    data = datasets.Dataset.from_dict(columns, features=FEATURES)
    (folder / "data").mkdir(parents=True)
    for part in range(parts):
        name = f"train-{part:05d}-of-{parts:05d}.parquet"
        data.shard(parts, part).to_parquet(folder / "data" / name)
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the cache of the user out of the tests."""
    monkeypatch.setenv("CRAQBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the files of the dataset."""
    return write_parquet(tmp_path / "files", rows())


@pytest.fixture
def published(
    hub: LocalHub, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[LocalHub, str]:
    """Publish it on the local hub, tag it, and change it; return the hub and the tagged commit."""
    hub.accounts[OWNER] = Account(REPOSITORY.split("/")[0], "write")
    hub.adopt(monkeypatch, tmp_path / "home", OWNER)
    api = hub.api(OWNER)
    api.create_repo(REPOSITORY, **KIND)
    api.upload_folder(repo_id=REPOSITORY, folder_path=folder, **KIND)
    api.create_tag(REPOSITORY, tag="v1", **KIND)
    commit = api.dataset_info(REPOSITORY).sha
    api.delete_file("data/train-00001-of-00002.parquet", REPOSITORY, **KIND)
    hub.calls.clear()
    assert commit
    return hub, commit


def test_import(folder: Path) -> None:
    """Parquet files of a folder become a set: cracks against all else, what is no object ignored."""
    version = import_files(folder)
    assert version.startswith("import-")
    assert present() == [version]
    found = open_set(f"artefact@{version}")
    made = {row["id"]: row for row in rows()}
    assert [item.id for item in found] == list(made)
    assert (found.version, found.licence, found.classes) == (version, "AFL-3.0", ("background", "craquelure"))
    for item in found:
        one, row = found.load(item), made[item.id]
        assert (one.image == row["image"]).all()
        assert (one.mask == (row["annotation"] == 9)).all()
        assert (one.ignore == (row["annotation"] == 255)).all()
        assert dict(item.attributes) == {name: row[name] for name in ("material", "content", "type")}
    assert import_files(folder / "data") == version


def test_labels_and_ignored_labels(folder: Path) -> None:
    """Other damage can count as cracks or be ignored, by number or name; each choice has its own digest."""
    name = f"artefact@{import_files(folder)}"
    both, other, ignored = (
        open_set(f"{name},{options}") for options in ("label=9,label=peel", "label=2", "ignore=Peel")
    )
    truth = annotation(0)
    assert (both.load(both.items[0]).mask == np.isin(truth, (2, 9))).all()
    assert (other.load(other.items[0]).mask == (truth == 2)).all()
    assert (ignored.load(ignored.items[0]).ignore == np.isin(truth, (2, 255))).all()
    assert both.spec == f"{name},label=9,label=peel"
    assert len({found.digest for found in (both, other, ignored, open_set(name))}) == 4
    assert (
        open_set(f"{name},label=9").digest == open_set(f"{name},label=Cracks").digest == open_set(name).digest
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("label=16", "label '16' of artefact: expected 0 to 15 or one of Clean, Material loss"),
        ("label=rust", "label 'rust' of artefact: expected"),
        ("ignore=9", "label 9 of artefact: expected either label or ignore, not both"),
    ],
)
def test_faulty_labels(folder: Path, options: str, words: str) -> None:
    """A label that there is not, or that is asked for twice, is an error."""
    with pytest.raises(UsageError, match=words):
        open_set(f"artefact@{import_files(folder)},{options}")


def test_groups(folder: Path) -> None:
    """Material and content filter, and each material is left out once."""
    name = f"artefact@{import_files(folder)}"
    wood = open_set(f"{name},material=Wood,content=Artistic depiction")
    assert [item.id for item in wood] == ["wood_2", "wood_4"]
    groups = {group: (len(o), len(h)) for group, o, h in leave_one_group_out(open_set(name), "material")}
    assert groups == {"Canvas": (4, 2), "Glass": (4, 2), "Wood": (4, 2)}


def test_fetch(published: tuple[LocalHub, str]) -> None:
    """A tag is resolved to its commit, downloaded once, unpacked, and opened by that commit offline."""
    hub, commit = published
    assert fetch("v1") == commit
    found = open_artefact(commit)
    assert len(found) == 6
    assert found.items[0].source == f"{REPOSITORY}@{commit}"
    asked = hub.calls.count("GET /large/")
    assert asked >= 2
    assert fetch("v1") == commit
    assert hub.calls.count("GET /large/") == asked
    newest = fetch("main")
    assert newest != commit
    assert len(open_artefact(newest)) == 3
    assert present() == sorted([commit, newest])
    with hub.down():
        assert open_set(f"artefact@{commit}").digest == found.digest
    assert not hub.outside


def test_the_pinned_revision(published: tuple[LocalHub, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a revision the pinned one is meant, never the newest."""
    assert len(REVISION) == 40
    with pytest.raises(AnnotationError, match=f"cannot fetch set artefact@{REVISION}: .* no revision"):
        fetch()
    monkeypatch.setattr(artefact, "REVISION", published[1])
    assert fetch() == published[1]
    assert len(open_set("artefact")) == 6
    assert next(known for known in KNOWN if known.name == "artefact").state() == "here"


def test_fetch_survives_a_cut_connection(published: tuple[LocalHub, str]) -> None:
    """A download that breaks off goes on; nothing is unpacked before it is whole."""
    hub, commit = published
    fault = hub.faults.cut("GET /large/", where="download", after=2000)
    assert fetch("v1") == commit
    assert fault.struck == 1
    assert len(open_artefact(commit)) == 6


def test_fetch_without_a_hub(published: tuple[LocalHub, str], cache: Path) -> None:
    """A Hub that is away is said to be, and nothing half done can be opened."""
    hub, commit = published
    with hub.down(), pytest.raises(AnnotationError, match="cannot fetch set artefact@v1: "):
        fetch("v1")
    assert present() == []
    hub.faults.answer(500, "GET /large/", times=100)
    with pytest.raises(AnnotationError, match="cannot fetch set artefact@v1: "):
        fetch("v1")
    with pytest.raises(
        AnnotationError, match=f"set artefact@{commit} is not here: run 'craqbench data fetch"
    ):
        open_artefact(commit)
    assert not list(cache.glob("artefact/*/index.csv"))


def test_other_revisions_are_named(folder: Path) -> None:
    """Where another revision is here, the message says so."""
    version = import_files(folder)
    with pytest.raises(
        AnnotationError, match=rf"set artefact@{REVISION} is not here \(here: artefact@{version}\)"
    ):
        open_set("artefact")
    assert next(k for k in KNOWN if k.name == "artefact").state() == f"here: artefact@{version}"


def png(array: Any) -> bytes:
    """Return an array as PNG."""
    out = io.BytesIO()
    PIL.Image.fromarray(array).save(out, "PNG")
    return out.getvalue()


def test_rows_that_cannot_be_used(tmp_path: Path) -> None:
    """Broken rows of somebody else's dataset are left out, each with its reason, and the rest is used."""
    good: dict[str, bytes | None] = {
        "image": png(smooth_picture(0, (100, 80))),
        "annotation": png(annotation(0)),
    }
    faults: dict[str, dict[str, bytes | None]] = {
        "good": {},
        "broken": {"image": b"no image"},
        "small": {"annotation": png(annotation(0)[:50])},
        "strange": {"annotation": png(annotation(0) + 30)},
        "empty": {"annotation": None},
        "nothing": {"image": None},
        "bomb": {"image": bomb()},
    }
    cells = [(name, good | fault) for name, fault in faults.items()] + [("good", good)]
    write_cells(tmp_path / "files", cells)
    found = open_set(f"artefact@{import_files(tmp_path / 'files')}")
    assert [item.id for item in found] == ["good"]
    reasons = {skipped.path: skipped.reason for skipped in found.skipped}
    assert list(reasons) == ["broken", "small", "strange", "empty", "nothing", "bomb", "good"]
    assert reasons["small"] == "mask of 100 x 50 px: expected 100 x 80 px like its image"
    assert reasons["strange"].startswith("annotation values 29, 30, 32, 39: expected 0 to 15 and 255")
    assert (reasons["empty"], reasons["nothing"]) == ("no annotation", "no image")
    assert reasons["bomb"] == "20,000 x 20,000 px: expected at most 250 million px"
    assert reasons["good"] == "a second row with id 'good'"


def write_cells(folder: Path, cells: list[tuple[str, dict[str, bytes | None]]]) -> None:
    """Write a Parquet file with raw bytes of pictures."""
    texts = pa.array([name for name, _ in cells])
    columns: dict[str, pa.Array] = dict.fromkeys(("id", "material", "content", "type"), texts)
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    for name in ("image", "annotation"):
        values = [None if row[name] is None else {"bytes": row[name], "path": None} for _, row in cells]
        columns[name] = pa.array(values, kind)
    folder.mkdir()
    pq.write_table(pa.table(columns), folder / "part.parquet")


def test_folders_without_the_dataset(tmp_path: Path, cache: Path) -> None:
    """Folders without Parquet files, with broken ones or with other columns are refused; nothing is left."""
    with pytest.raises(AnnotationError, match=r"holds no \*.parquet and no data/\*.parquet"):
        import_files(tmp_path / "none")
    other = tmp_path / "other"
    other.mkdir()
    pq.write_table(pa.table({"id": ["a"], "text": ["b"]}), other / "a.parquet")
    with pytest.raises(
        AnnotationError, match="expected also columns image, annotation, material, content, type"
    ):
        import_files(other)
    (other / "a.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(AnnotationError, match=r"a\.parquet cannot be read"):
        import_files(other)
    write_cells(tmp_path / "useless", [("a", {"image": b"no", "annotation": b"no"})])
    with pytest.raises(AnnotationError, match=r"has no usable row of .*: a: not an image"):
        import_files(tmp_path / "useless")
    assert not list(cache.glob("artefact/*"))


def test_tampered_files(folder: Path, cache: Path) -> None:
    """A file of the cache that has changed is found when it is loaded."""
    found = open_set(f"artefact@{import_files(folder)}")
    path = next(iter(sorted(cache.glob("artefact/*/annotations/00000"))))
    path.write_bytes(png(annotation(3)))
    with pytest.raises(AnnotationError, match="annotations/00000 has changed since the set was opened"):
        found.load("canvas_0")
    found.load("canvas_1")
