"""What a run writes while it goes: tables, TensorBoard, pictures of predictions."""

from __future__ import annotations

import csv
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from craqbench.storage import on_disk, write_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from baselines.training import Step
    from craqbench.training_validation import Filled, Validated

__all__ = [
    "EPOCHS",
    "STEPS",
    "Log",
    "Table",
    "epoch_columns",
    "filling_sheet",
    "prediction_sheet",
    "read_table",
]

STEPS, EPOCHS = "steps.csv", "epochs.csv"
STEP_COLUMNS = ("step", "loss", "gradient", "lr", "images_per_second", "seconds")
FIGURES = ("loss", "iou", "f1", "threshold")
"""Of `craqbench.training_validation.Validated`."""

GAP = 4
"""Px between the pictures of a sheet."""

CONTRAST = 4
"""How much larger than they are differences are shown."""


def epoch_columns(figures: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of the table of epochs, for these figures of a validation."""
    named = (name if name == "threshold" else f"validation_{name}" for name in figures)
    return ("step", "loss", *named, "seconds")


class Table:
    """A CSV file that grows by a row at a time, and of which no row of a step to come is kept.

    Parameters
    ----------
    path
        Of the file; made if it is not there.
    columns
        The first is the step.
    after
        Rows of later steps are removed: they will be written again.
    """

    def __init__(self, path: Path, columns: Sequence[str], after: int) -> None:
        rows = [row for row in read_table(path) if int(row[columns[0]]) <= after]
        lines = [",".join(columns), *(",".join(row[name] for name in columns) for row in rows)]
        write_file(path, ("\n".join(lines) + "\n").encode())
        self.rows = rows
        self._columns, self._path = tuple(columns), path
        with on_disk(path):
            self._file = path.open("a", encoding="utf-8", newline="")

    def add(self, *values: float) -> None:
        """Add a row, and hand it to the system at once."""
        written = [str(value) for value in values]
        self.rows.append(dict(zip(self._columns, written, strict=True)))
        with on_disk(self._path):
            self._file.write(",".join(written) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the whole rows of a table of `Table`; none if there is no such file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as lines:
        text = lines.read()
    # A killed process may leave half a line.
    whole = text[: text.rfind("\n") + 1]
    reader = csv.DictReader(whole.splitlines())
    return [row for row in reader if None not in row.values()]


class _Board:
    """TensorBoard's log, if TensorBoard is installed; nothing if not.

    Parameters
    ----------
    folder
        Of the log.
    after
        What an earlier session wrote of later steps is to be overlooked.
    """

    def __init__(self, folder: Path, after: int) -> None:
        self._writer: Any = None
        try:
            self._events = import_module("tensorboard.compat.proto.event_pb2")
            self._summaries = import_module("tensorboard.compat.proto.summary_pb2")
            writers = import_module("tensorboard.summary.writer.event_file_writer")
        except ImportError:
            return
        with on_disk(folder):
            self._writer = writers.EventFileWriter(str(folder))
        if after:
            start = self._events.SessionLog(status=self._events.SessionLog.START)
            event = self._events.Event(wall_time=time.time(), step=after + 1, session_log=start)
            self._writer.add_event(event)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        if self._writer is None:
            return
        kinds = self._summaries.Summary
        written = [kinds.Value(tag=name, simple_value=value) for name, value in values.items()]
        event = self._events.Event(wall_time=time.time(), step=step, summary=kinds(value=written))
        self._writer.add_event(event)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class Log:
    """All tables of a run, and TensorBoard; `figures` are the names of what a validation gives."""

    def __init__(self, out: Path, after: int, figures: Sequence[str] = FIGURES) -> None:
        self.steps = Table(out / STEPS, STEP_COLUMNS, after)
        self.epochs = Table(out / EPOCHS, epoch_columns(figures), after)
        self._board = _Board(out / "tensorboard", after)

    def step(self, step: int, done: Step, rate: float, seconds: float) -> None:
        """Log a step."""
        self.steps.add(step, *done, round(rate, 2), round(seconds, 2))
        self._board.add(step, {**done._asdict(), "images per second": rate})

    def epoch(self, step: int, loss: float, validated: Validated | Filled, seconds: float) -> None:
        """Log an epoch."""
        self.epochs.add(step, loss, *(float(value) for value in validated), round(seconds, 2))
        self._board.add(step, {f"validation {k}": v for k, v in validated._asdict().items()})

    def close(self) -> None:
        """Close all files."""
        self.steps.close()
        self.epochs.close()
        self._board.close()


def prediction_sheet(
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.uint8],
    scores: npt.NDArray[np.float32],
    threshold: float,
) -> npt.NDArray[np.uint8]:
    """Compose a row for each picture: what was seen, the truth, the score, and the answer over the truth.

    In the last one hits are white, false alarms red, and what was missed blue.

    Parameters
    ----------
    images, labels, scores
        (N, H, W, 3) uint8, (N, H, W) uint8 and (N, H, W) float32 in [0, 1].
    threshold
        From which score on the answer is a crack.
    """
    truth, found = labels == 1, scores >= threshold
    answer = np.zeros_like(images)
    answer[truth & found] = (255, 255, 255)
    answer[~truth & found] = (226, 74, 51)
    answer[truth & ~found] = (64, 130, 220)
    grey = np.rint(scores * 255).astype(np.uint8)
    return _sheet(images, _rgb(truth.view(np.uint8) * np.uint8(255)), _rgb(grey), answer)


def filling_sheet(
    damaged: npt.NDArray[np.uint8],
    masks: npt.NDArray[np.uint8],
    filled: npt.NDArray[np.uint8],
    clean: npt.NDArray[np.uint8],
) -> npt.NDArray[np.uint8]:
    """Compose a row for each picture: damaged, where to fill, filled, undamaged, and what differs.

    The last one is middle grey where the last but one and the filling are equal, and `CONTRAST` times their
    difference brighter or darker elsewhere.

    Parameters
    ----------
    damaged, filled, clean
        (N, H, W, 3) uint8 RGB.
    masks
        (N, H, W) uint8, 0 or 1.
    """
    difference = CONTRAST * (filled.astype(np.int16) - clean) + 128
    return _sheet(
        damaged, _rgb(masks * np.uint8(255)), filled, clean, difference.clip(0, 255).astype(np.uint8)
    )


def _sheet(*columns: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    padded = [np.pad(c, ((0, 0), (0, GAP), (0, GAP), (0, 0)), constant_values=158) for c in columns]
    rows = np.concatenate(padded, axis=2)
    return np.ascontiguousarray(rows.reshape(-1, *rows.shape[2:])[:-GAP, :-GAP])


def _rgb(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.repeat(grey[..., None], 3, axis=-1)
