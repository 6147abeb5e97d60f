"""Pictures of public images on entries' pages: of the entry's own predictions, never of hidden sets."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import PIL.Image
import pytest
from app_samples import OPERATORS, serving
from html_pages import Page
from submission_samples import as_json, metadata, parquet, png, small_board, table, write_submission

from craqbench.errors import UsageError
from leaderboard.app_pictures import Pictures
from leaderboard.board import BoardImage, limits_of
from leaderboard.store import Store, create_store
from leaderboard.store_records import Accepted
from leaderboard.submission import check_parcel, received_folder
from leaderboard.submission_metadata import read_metadata

SIZES = {"first": (90, 70), "second": (64, 80), "third": (70, 70)}
IMAGES = tuple(BoardImage(id=name, width=w, height=h, sha256="0" * 64) for name, (w, h) in SIZES.items())
BOARD = small_board(images=IMAGES, limits=limits_of(IMAGES, "detection"))
FOUND = {name: np.uint8(255) * np.eye(h, w, 3, dtype=np.uint8) for name, (w, h) in SIZES.items()}
"""What the entry predicts: a line beside the annotated one."""


def public_set(folder: Path) -> Path:
    """Write an annotated set of the small board's images."""
    rng = np.random.default_rng(5)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for name, (width, height) in SIZES.items():
        (folder / "images" / f"{name}.png").write_bytes(
            png(rng.integers(0, 256, (height, width, 3), np.uint8))
        )
        (folder / "masks" / f"{name}.png").write_bytes(
            png(np.uint8(255) * np.eye(height, width, dtype=np.uint8))
        )
    return folder


def entered(store: Store, folder: Path) -> Accepted:
    """Submit."""
    columns: dict[str, list[Any]] = {
        "image_id": list(FOUND),
        "mask_png": [png(mask) for mask in FOUND.values()],
    }
    with received_folder(write_submission(folder, predictions=parquet(table(columns))), BOARD) as parcel:
        return store.accept(parcel, check_parcel(parcel, BOARD), "ada")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Make an empty store."""
    made = create_store(str(tmp_path / "store"), OPERATORS)
    made.add_board(BOARD)
    return made


def test_an_entry_shows_what_it_finds(store: Store, tmp_path: Path) -> None:
    """Each public image three times: as it is, annotated, found; found is what the entry has predicted."""
    one = entered(store, tmp_path / "mine")
    with serving(store, images=public_set(tmp_path / "public")) as address:
        page = Page(httpx2.get(f"{address}/entry/{one.entry}").text)
        shown = [str(found["src"]) for found, _ in page.all("img")]
        assert len(shown) == 9
        pictures = {path.rpartition("/")[2]: _pixels(httpx2.get(f"{address}{path}")) for path in shown}
        assert httpx2.get(f"{address}/entry/{one.entry}/9-found.webp").status_code == 404
        assert httpx2.get(f"{address}/entry/{one.entry}/store.json").status_code == 404
    found = pictures["1-found.webp"].astype(int) - pictures["1-painting.webp"]
    wanted = FOUND["second"] > 0
    changed = np.abs(found).mean(2)
    assert changed[wanted].mean() > 3 * changed[~wanted].mean()


def _pixels(answer: httpx2.Response) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    assert answer.headers["content-type"] == "image/webp"
    return np.asarray(PIL.Image.open(io.BytesIO(answer.content)).convert("RGB"))


def test_a_method_may_have_pictures_of_another_set(store: Store, tmp_path: Path) -> None:
    """What the operator has put beside the set under a method's name is shown; it must fit."""
    folder = public_set(tmp_path / "public")
    (folder / "predictions" / "ridge-1.0").mkdir(parents=True)
    (folder / "predictions" / "ridge-1.0" / "third.png").write_bytes(png(np.zeros((70, 70), np.uint8)))
    (folder / "predictions" / "ridge-1.0" / "first.png").write_bytes(png(np.zeros((3, 3), np.uint8)))
    pictures, told = Pictures(folder, store), read_metadata(as_json(metadata()))
    assert len(pictures.figures("01M00000000000000000000000", BOARD, told)) == 2
    assert pictures.read("01M00000000000000000000000", "2-found.webp")
    assert pictures.figures("x", small_board(task="restoration"), told) == []


def test_hidden_labels_are_no_pictures(store: Store, tmp_path: Path) -> None:
    """The private folder of a board is refused, and so is any folder in it."""
    folder = public_set(tmp_path / "private" / "board")
    (tmp_path / "private" / "labels.json").write_text("{}")
    with pytest.raises(UsageError, match="hidden labels"):
        Pictures(folder, store)


def test_without_annotations_there_are_none(store: Store, tmp_path: Path) -> None:
    """Public images alone are no reason for pictures."""
    one = entered(store, tmp_path / "mine")
    (tmp_path / "public" / "images").mkdir(parents=True)
    with serving(store, images=tmp_path / "public") as address:
        assert "<img" not in httpx2.get(f"{address}/entry/{one.entry}").text
