"""Leaderboards for tests: boards with hidden labels, and submissions that are right in parts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from annotated_samples import crack_mask, save
from submission_samples import as_json, metadata
from tiny import smooth_picture

from craqbench.annotated import open_set
from craqbench.annotations import AnnotatedSet
from craqbench.codecs import encode_image, encode_labels
from leaderboard.board import Board
from leaderboard.board_making import Plan, make_board
from leaderboard.store import Store, create_store
from leaderboard.store_records import Accepted, Settings
from leaderboard.submission import METADATA, PREDICTIONS, check_parcel, received_folder
from leaderboard.submission_writing import Prediction, write_predictions

CANARY = "canary"
"""In all names that nobody may learn: of paintings, groups, files of masks."""

SIZE = (80, 64)
SETTINGS = Settings(per_day=1000, per_quarter=1000, operators=("olga",))

Labels = npt.NDArray[np.uint8]


class Leaderboard(NamedTuple):
    """A leaderboard with one board, and the set that it was made of."""

    store: Store
    board: Board
    public: Path
    private: Path
    annotated: AnnotatedSet


def write_set(folder: Path, paintings: int) -> Path:
    """Write two images of each painting, with masks."""
    rows = ["id,painting,school"]
    for number in range(2 * paintings):
        image, mask = smooth_picture(number, SIZE), crack_mask(number, SIZE)
        image[mask == 255] //= 3
        name = f"picture-{number:02} left"
        save(folder / "images" / f"{name}.png", image)
        save(folder / "masks" / f"{name}.png", mask)
        rows.append(f"{name},{CANARY} painting {number // 2},{CANARY} school {number % 2}")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return folder


def new_leaderboard(
    folder: Path, paintings: int = 6, *, plan: Plan | None = None, spec: str = ""
) -> Leaderboard:
    """Make a board of a set, by default a written one, and a store for it."""
    annotated = open_set(spec or f"folder:{write_set(folder / 'set', paintings)}")
    plan = plan or Plan(name="small", version="1", key="secret")
    board = make_board(annotated, folder / "public", folder / "private", plan)
    store = create_store(str(folder / "store"), SETTINGS)
    store.add_board(board)
    return Leaderboard(store, board, folder / "public", folder / "private", annotated)


def found(annotated: AnnotatedSet, right: float, seed: int = 0) -> dict[str, Labels]:
    """Return masks that have so many of the annotated px, and a few others: stem -> labels."""
    rng = np.random.default_rng(seed)
    masks = {}
    for item in annotated:
        labels = annotated.load(item).labels
        chance = rng.random(labels.shape)
        masks[item.stem] = (((labels == 1) & (chance < right)) | (chance < 0.003)).view(np.uint8)
    return masks


def write(folder: Path, board: Board, predictions: Mapping[str, npt.NDArray[np.uint8]], **told: Any) -> Path:
    """Write a submission of masks (0 and 1), or of restored images."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        Prediction(name, encode_image(p, "png") if p.ndim == 3 else encode_labels(p * np.uint8(255)))
        for name, p in predictions.items()
    ]
    write_predictions(folder / PREDICTIONS, rows, board.task)
    fields = {
        "board": board.name,
        "board_version": board.version,
        "task": board.task,
        "classes": 2 if board.task == "detection" else None,
    }
    (folder / METADATA).write_bytes(as_json(metadata(**{**fields, **told})))
    return folder


def accept(leaderboard: Leaderboard, folder: Path, account: str = "ada") -> Accepted:
    """Check a submission, and keep it."""
    with received_folder(folder, leaderboard.board) as parcel:
        return leaderboard.store.accept(parcel, check_parcel(parcel, leaderboard.board), account)


def submit(
    leaderboard: Leaderboard, home: Path, name: str, right: float, account: str = "ada", **told: Any
) -> Accepted:
    """Submit masks that are right in so many px, under the name of a method."""
    masks = found(leaderboard.annotated, right, seed=sum(name.encode()))
    folder = write(home / name, leaderboard.board, masks, method=name, **told)
    return accept(leaderboard, folder, account)
