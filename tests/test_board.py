"""A board tells everybody what to submit, and nobody what the labels are."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from evaluation_samples import write_classes, write_images
from hypothesis import given
from hypothesis import strategies as st
from submission_samples import small_board

from craqbench.annotated import open_set
from craqbench.annotations import AnnotatedSet, Item, sha256_of
from craqbench.errors import AnnotationError, UsageError
from craqbench.evaluation import Options, evaluate
from leaderboard.board import BOARD, Board, BoardError, board_bytes, load_board, read_board
from leaderboard.board_labels import FINAL, NOW, load_labels, open_side
from leaderboard.board_making import Plan, board_of, default_name, make_board, split_paintings


@pytest.fixture(name="annotated")
def scans(tmp_path: Path) -> AnnotatedSet:
    """Return eight images of four paintings."""
    return open_set(f"folder:{write_images(tmp_path / 'scans', 8)}")


def test_what_everybody_may_have(annotated: AnnotatedSet, tmp_path: Path) -> None:
    """The public folder has the description and the images, with digests, and no label, group or side."""
    public = tmp_path / "public"
    board = make_board(annotated, public, tmp_path / "private", Plan(name="scans", version="1", key="secret"))
    assert load_board(public) == load_board(public / BOARD) == board
    assert board.label == "scans 1"
    assert {path.relative_to(public).as_posix() for path in public.rglob("*.*")} == {
        BOARD,
        *(f"images/{image.id}.png" for image in board.images),
    }
    for image, item in zip(board.images, annotated, strict=True):
        data = (public / "images" / f"{image.id}.png").read_bytes()
        assert image.sha256 == sha256_of(data)
        pixels = np.asarray(PIL.Image.open(public / "images" / f"{image.id}.png"))
        np.testing.assert_array_equal(pixels, annotated.load(item).image)
        assert (image.width, image.height) == pixels.shape[1::-1]
    told = (public / BOARD).read_text()
    assert "painting" not in told
    assert not {NOW, FINAL, "secret", "dark", "Dutch"} & {*json.loads(told)}


def test_the_labels_are_annotated_sets(annotated: AnnotatedSet, tmp_path: Path) -> None:
    """Both sides open as sets with the same pictures, labels, paintings and attributes, each image in one."""
    private = tmp_path / "private"
    make_board(annotated, tmp_path / "public", private)
    labels = load_labels(private)
    sides = {side: open_side(private, side) for side in (NOW, FINAL)}
    assert {side: tuple(item.id for item in found) for side, found in sides.items()} == labels.sides
    paintings = [{item.painting for item in found} for found in sides.values()]
    assert not paintings[0] & paintings[1]
    assert Counter(i.id for found in sides.values() for i in found) == Counter(i.stem for i in annotated)
    for found in sides.values():
        for item in found:
            original = next(one for one in annotated if one.stem == item.id)
            assert (item.painting, item.attributes) == (original.painting, original.attributes)
            np.testing.assert_array_equal(found.load(item).image, annotated.load(original).image)
            np.testing.assert_array_equal(found.load(item).labels, annotated.load(original).labels)
            np.testing.assert_array_equal(found.load(item).ignore, annotated.load(original).ignore)


def test_scores_on_the_labels_are_those_of_the_set(tmp_path: Path) -> None:
    """A method scores on the labels of a board, all at once, what it scores on the set, to the last digit."""
    folder = write_images(tmp_path / "scans", 6)
    annotated = open_set(f"folder:{folder}")
    make_board(annotated, tmp_path / "public", tmp_path / "private", Plan(final_share=0))
    assert not (tmp_path / "private" / FINAL).exists()
    results = [
        evaluate([f"folder:{where}"], ["toy_detectors:Dark"], tmp_path / f"results{number}", Options())[
            0
        ].result
        for number, where in enumerate((folder, tmp_path / "private" / NOW))
    ]
    assert results[0].scores == results[1].scores
    assert results[0].predictions_digest == results[1].predictions_digest


def test_three_classes_and_ignored_corners(tmp_path: Path) -> None:
    """Class numbers and what is ignored come back, even where a side has no paint loss."""
    annotated = open_set(f"folder:{write_classes(tmp_path / 'scans')}")
    board = make_board(annotated, tmp_path / "public", tmp_path / "private")
    assert board.classes == annotated.classes
    for side in (NOW, FINAL):
        found = open_side(tmp_path / "private", side)
        assert found.classes == annotated.classes
        for item in found:
            np.testing.assert_array_equal(found.load(item).labels, annotated.load(item.id).labels)
            np.testing.assert_array_equal(found.load(item).ignore, annotated.load(item.id).ignore)


def test_restoration(tmp_path: Path) -> None:
    """Of restoration everybody has the damaged image and where to fill; the undamaged one is hidden."""
    annotated = open_set("synthetic,n=3")
    public, private = tmp_path / "public", tmp_path / "private"
    board = make_board(annotated, public, private, Plan(task="restoration"))
    assert (board.task, board.classes) == ("restoration", ())
    for image, item in zip(board.images, annotated, strict=True):
        loaded = annotated.load(item)
        mask = np.asarray(PIL.Image.open(public / "masks" / f"{image.id}.png"))
        np.testing.assert_array_equal(mask == 255, loaded.damage)
        side = next(s for s, names in load_labels(private).sides.items() if image.id in names)
        undamaged = open_side(private, side).load(image.id).undamaged
        assert undamaged is not None
        assert loaded.undamaged is not None
        np.testing.assert_array_equal(undamaged, loaded.undamaged)
    assert not [path for path in public.rglob("*") if "undamaged" in path.name]
    (private / NOW / "undamaged" / f"{load_labels(private).sides[NOW][0]}.png").unlink()
    with pytest.raises(AnnotationError, match="expected all undamaged pictures"):
        open_side(private, NOW)


def test_changed_undamaged_pictures_are_noticed(tmp_path: Path) -> None:
    """A hidden picture that changes while it is used is told, and another is another revision."""
    public, private = tmp_path / "public", tmp_path / "private"
    make_board(open_set("synthetic,n=2"), public, private, Plan(task="restoration"))
    found = open_side(private, NOW)
    path = private / NOW / "undamaged" / f"{found.items[0].id}.png"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(AnnotationError, match="has changed since the set was opened"):
        found.load(found.items[0])
    assert open_side(private, NOW).digest != found.digest


@given(
    st.lists(st.integers(1, 5), min_size=2, max_size=12),
    st.floats(0.05, 0.95),
    st.text(max_size=8),
)
def test_splits(counts: list[int], share: float, key: str) -> None:
    """Whole paintings are dealt out, some to each side, the same for the same key, in any order of images."""
    items = [Item(f"{p}-{n}", f"p{p}") for p, count in enumerate(counts) for n in range(count)]
    final = split_paintings(items, share, key)
    assert 0 < len(final) < len(counts)
    assert final == split_paintings(items[::-1], share, key)
    taken = sum(item.painting in final for item in items)
    assert abs(taken - share * len(items)) <= max(counts) * 2


def test_another_key_deals_otherwise() -> None:
    """Without the key the sides cannot be told: other keys give other sides."""
    items = [Item(f"{n}", f"p{n}") for n in range(40)]
    found = {split_paintings(items, 0.5, f"key {k}") for k in range(20)}
    assert len(found) == 20
    assert {len(one) for one in found} == {20}


def test_one_painting_cannot_be_split() -> None:
    """Images of one painting stay together; with a share of 0 nothing is split."""
    items = [Item("a", "p"), Item("b", "p")]
    with pytest.raises(UsageError, match="expected two or more to be split, or a share of 0"):
        split_paintings(items, 0.5, "")
    assert split_paintings(items, 0, "") == frozenset()
    with pytest.raises(UsageError, match="share 1: expected"):
        split_paintings(items, 1, "")


def test_the_same_board_again(annotated: AnnotatedSet, tmp_path: Path) -> None:
    """The same set and plan give the same bytes, and the description is had without writing anything."""
    for name in ("1", "2"):
        make_board(annotated, tmp_path / f"public{name}", tmp_path / f"private{name}", Plan(key="k"))
    one, two = (_contents(tmp_path / name) for name in ("public1", "public2"))
    assert one == two
    assert load_labels(tmp_path / "private1") == load_labels(tmp_path / "private2")
    assert board_of(annotated) == load_board(tmp_path / "public1")


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_other_labels_are_another_revision(tmp_path: Path) -> None:
    """A changed label changes the revision, and nothing that everybody sees."""
    folder = write_images(tmp_path / "scans")
    make_board(open_set(f"folder:{folder}"), tmp_path / "public1", tmp_path / "private1")
    mask = np.array(PIL.Image.open(folder / "masks" / "0.png"))
    mask[-1, :9] = 255 - 255 * (mask[-1, :9] == 255)
    PIL.Image.fromarray(mask).save(folder / "masks" / "0.png")
    make_board(open_set(f"folder:{folder}"), tmp_path / "public2", tmp_path / "private2")
    assert (tmp_path / "public1" / BOARD).read_bytes() == (tmp_path / "public2" / BOARD).read_bytes()
    assert load_labels(tmp_path / "private1").revision != load_labels(tmp_path / "private2").revision


def test_refused_places_and_sets(annotated: AnnotatedSet, tmp_path: Path) -> None:
    """Occupied folders, one in the other, and sets unfit for a board are refused; nothing is left."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "x").touch()
    with pytest.raises(UsageError, match="is there already"):
        make_board(annotated, tmp_path / "there", tmp_path / "private")
    with pytest.raises(UsageError, match="neither in the other: labels are hidden"):
        make_board(annotated, tmp_path / "board", tmp_path / "board" / "private")
    with pytest.raises(UsageError, match="without their cracks is not known"):
        make_board(annotated, tmp_path / "public", tmp_path / "private", Plan(task="restoration"))
    with pytest.raises(UsageError, match="name: String should match pattern"):
        make_board(annotated, tmp_path / "public", tmp_path / "private", Plan(name="../x"))
    clean = tmp_path / "clean"
    clean.mkdir()
    (tmp_path / "scans" / "images" / "0.png").rename(clean / "0.png")
    with pytest.raises(UsageError, match="has no cracks"):
        make_board(open_set(f"clean:{clean}"), tmp_path / "public", tmp_path / "private")
    assert {path.name for path in tmp_path.iterdir()} == {"there", "scans", "clean"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": ("background",)}, "classes: expected two or three"),
        ({"images": ()}, "images: Tuple should have at least 1 item"),
        ({"name": "Small"}, "name: String should match pattern"),
        ({"labels": 1}, "labels: Extra inputs are not permitted"),
    ],
)
def test_broken_descriptions(change: dict[str, Any], message: str) -> None:
    """A description that is none is told with the first fault."""
    content = {**small_board().model_dump(mode="json", exclude_none=True), **change}
    with pytest.raises(BoardError, match=message):
        read_board(json.dumps(content).encode(), "board.json")


def test_descriptions_contradict_themselves() -> None:
    """Ids that differ in capitals only, pictures too large to check, and masks of detection are refused."""
    image = small_board().images[0]
    faults: dict[str, Any] = {
        "expected ids that differ": (image, image.model_copy(update={"id": "FIRST"})),
        "expected at most 32,000,000": (image.model_copy(update={"width": 10**7}),),
        "expected a mask for restoration, and only then": (
            image.model_copy(update={"mask_sha256": "0" * 64}),
        ),
    }
    for message, images in faults.items():
        with pytest.raises(ValueError, match=message):
            small_board(images=images)


@pytest.mark.parametrize("name", ["../x", "a/b", "/x", ".x", "", "a b", "a" * 121, "a\n", "é"])
def test_ids_are_names_of_files(name: str) -> None:
    """An id is the name of a file anywhere, and of nothing else."""
    content = small_board().model_dump(mode="json", exclude_none=True)
    content["images"][0]["id"] = name
    with pytest.raises(BoardError, match=r"images\.0\.id"):
        read_board(json.dumps(content).encode(), "board.json")


def test_descriptions_come_back(tmp_path: Path) -> None:
    """What is written is read; large ones and missing ones are refused."""
    board: Board = small_board(classes=3)
    assert read_board(board_bytes(board), "here") == board
    (tmp_path / BOARD).write_bytes(b" " * 4_000_001)
    with pytest.raises(BoardError, match="expected at most 4,000,000"):
        load_board(tmp_path)
    with pytest.raises(BoardError, match="No such file"):
        load_board(tmp_path / "nowhere")
    with pytest.raises(BoardError, match="expected the labels of a board"):
        load_labels(tmp_path)


@pytest.mark.parametrize(
    ("spec", "name"),
    [("synthetic,n=3", "synthetic-n-3")],
)
def test_names_of_boards(spec: str, name: str) -> None:
    """A board is called as its set, in small letters."""
    assert default_name(open_set(spec)) == name
