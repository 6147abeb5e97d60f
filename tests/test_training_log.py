"""What a run writes while it goes, and how it is scored on synthetic pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.training import Step
from craqbench.cli.train_progress import Bar, spelt
from craqbench.training_card import readme
from craqbench.training_log import Log, Table, prediction_sheet, read_table
from craqbench.training_run import State
from craqbench.training_validation import LEVELS, Validated, best_threshold


def test_a_table_forgets_what_will_be_done_again(tmp_path: Path) -> None:
    """Rows after the checkpoint go, half a line goes, the rest stays to the last digit."""
    path = tmp_path / "steps.csv"
    first = Table(path, ("step", "loss"), 0)
    for step in (1, 2, 3):
        first.add(step, step / 7)
    first.close()
    with path.open("a") as lines:
        lines.write("4,0.5\n5,0.1")
    second = Table(path, ("step", "loss"), 2)
    second.add(3, 0.25)
    second.close()
    assert read_table(path) == [
        {"step": "1", "loss": str(1 / 7)},
        {"step": "2", "loss": str(2 / 7)},
        {"step": "3", "loss": "0.25"},
    ]
    assert second.rows == read_table(path)


def test_tensorboard_gets_the_same_figures(tmp_path: Path) -> None:
    """Scalars of steps and epochs can be read back with TensorBoard's own reader."""
    events = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    log = Log(tmp_path, 0)
    log.step(1, Step(0.5, 2.0, 1e-3), 12.0, 0.1)
    log.epoch(1, 0.5, Validated(0.4, 0.3, 0.46, 0.25), 0.2)
    log.close()
    (file,) = (tmp_path / "tensorboard").iterdir()
    found = {
        value.tag: value.tensor.float_val[0] if value.HasField("tensor") else value.simple_value
        for event in events.EventFileLoader(str(file)).Load()
        for value in event.summary.value
    }
    assert found["loss"] == 0.5
    assert found["validation iou"] == pytest.approx(0.3)
    assert found["images per second"] == 12


@settings(max_examples=60, derandomize=True, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.05, 0.6))
def test_the_threshold_is_the_best_of_all(seed: int, share: float) -> None:
    """F1 and IoU at the chosen threshold are those of a plain count, and no threshold is better."""
    rng = np.random.default_rng(seed)
    truth = rng.random(400) < share
    truth[0] = True
    levels = np.clip(rng.normal(np.where(truth, 140, 90), 40), 0, LEVELS - 1).astype(int)
    cracks = np.bincount(levels[truth], minlength=LEVELS)
    others = np.bincount(levels[~truth], minlength=LEVELS)
    iou, f1, threshold = best_threshold(cracks, others)

    def scores(level: int) -> tuple[float, float]:
        found = levels >= level
        hits, either = np.count_nonzero(found & truth), np.count_nonzero(found | truth)
        return hits / either, 2 * hits / (np.count_nonzero(found) + np.count_nonzero(truth))

    assert (iou, f1) == pytest.approx(scores(round(threshold * LEVELS)))
    assert f1 == pytest.approx(max(scores(level)[1] for level in range(1, LEVELS)))
    assert 0 < threshold < 1


def test_pictures_without_cracks_have_a_threshold_too() -> None:
    """A validation set without a crack gives no figure, but no fault either."""
    zeros, many = np.zeros(LEVELS, np.int64), np.full(LEVELS, 3, np.int64)
    iou, f1, threshold = best_threshold(zeros, many)
    assert (iou, f1) == (0, 0)
    assert 0 < threshold < 1


def test_the_sheet_shows_hits_false_alarms_and_misses() -> None:
    """Columns: picture, truth, score, and the answer over the truth in three colours."""
    images = np.full((2, 8, 8, 3), 77, np.uint8)
    labels = np.zeros((2, 8, 8), np.uint8)
    labels[:, 0] = 1
    scores = np.zeros((2, 8, 8), np.float32)
    scores[:, :2, :4] = 0.9
    sheet = prediction_sheet(images, labels, scores, 0.5)
    assert sheet.shape == (2 * 12 - 4, 4 * 12 - 4, 3)
    assert (sheet[:8, :8] == 77).all()
    assert (sheet[0, 12:20] == 255).all()
    assert (sheet[0, 24:28] == round(0.9 * 255)).all()
    answer = sheet[12:20, 36:44]
    assert len(np.unique(answer.reshape(-1, 3), axis=0)) == 4
    assert (answer[0, :4] == 255).all()
    assert answer[0, 6, 2] > answer[0, 6, 0]
    assert answer[1, 1, 0] > answer[1, 1, 2]


def test_the_readme_tells_it_all() -> None:
    """Facts of the card, the command, all options and the curves."""
    card = {
        "method": "tiny",
        "command": "craqbench train",
        "threshold": 0.25,
        "options": {"lr": 0.1},
        "a|b": "c|d",
    }
    row = {
        "step": "4",
        "loss": "0.5",
        "validation_loss": "0.4",
        "validation_iou": "0.3",
        "validation_f1": "0.46",
        "threshold": "0.25",
    }
    text = readme(card, [row])
    assert "# tiny: cracks in paintings" in text
    assert "| threshold | 0.25 |" in text
    assert "c\\|d" in text
    assert '"lr": 0.1' in text
    assert "| 4 | 0.5000 | 0.4000 | 0.3000 | 0.4600 | 0.2500 |" in text


def test_progress_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Loss, the validation once there is one, images per second and the time left."""
    assert spelt(State(1, 9, 0.5, "", 20, 75)) == "loss 0.5000, 20.0 images/s, 1:15 left"
    assert spelt(State(1, 9, 0.5, "IoU 0.250", 20, 75)) == "loss 0.5000, IoU 0.250, 20.0 images/s, 1:15 left"
    with Bar() as bar:
        bar.show(State(9, 9, 0.5, "", 20, 0))
    assert "training: 9 of 9 steps" in capsys.readouterr().err
