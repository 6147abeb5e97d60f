"""Sound submissions are accepted however they are packed; what they predict has one digest."""

from __future__ import annotations

import hashlib
import io
import os
import unicodedata
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pandas as pd
import PIL.Image
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError
from submission_samples import (
    SIZES,
    as_json,
    chunk,
    flat,
    metadata,
    parquet,
    png,
    raw_png,
    small_board,
    sound_masks,
    table,
    write_submission,
)

from craqbench.evaluation_records import digest_of_answer
from leaderboard import submission_process
from leaderboard.board import board_bytes
from leaderboard.process_limits import Resources, child_environment
from leaderboard.submission import (
    METADATA,
    PREDICTIONS,
    Refused,
    check_parcel,
    peek,
    received,
    received_folder,
)
from leaderboard.submission_checking import check, digest_of_pixels
from leaderboard.submission_metadata import read_metadata
from leaderboard.submission_png import GREY, RGB, decode_png, most_bytes
from leaderboard.submission_process import check_apart, resources_for
from leaderboard.submission_rules import quoted
from leaderboard.submission_text import check_https, check_text


def rules_of(error: pytest.ExceptionInfo[Refused]) -> list[str]:
    """Return the codes of the rules that were broken."""
    return [refusal.rule for refusal in error.value.refusals]


def digest_of(masks: dict[str, Any]) -> str:
    """Return the digest of predictions from its definition, (H, W) class numbers for each id."""
    lines = "".join(f"{name} {digest_of_answer(labels)}\n" for name, labels in masks.items())
    return hashlib.sha256(lines.encode()).hexdigest()


def decoded() -> dict[str, Any]:
    """Return the class numbers of the sound masks."""
    masks = {name: np.asarray(PIL.Image.open(io.BytesIO(data))) for name, data in sound_masks().items()}
    return {name: (mask == 255).astype(np.uint8) for name, mask in masks.items()}


@pytest.mark.parametrize(
    "data",
    [
        parquet(table()),
        parquet(table(), compression="zstd", row_group_size=1),
        parquet(table(), compression="gzip", use_dictionary=False, data_page_version="2.0"),
        parquet(table().take([2, 0, 1])),
        parquet(table().cast(pa.schema([("image_id", pa.large_string()), ("mask_png", pa.large_binary())]))),
        parquet(table().cast(pa.schema([("image_id", pa.string_view()), ("mask_png", pa.binary_view())]))),
        table().to_pandas().to_parquet(),
        pd.DataFrame(table().to_pydict()).to_parquet(index=False, compression="brotli"),
    ],
    ids=["pyarrow", "zstd", "gzip", "any order", "large", "views", "pandas", "brotli"],
)
def test_however_it_is_packed(tmp_path: Path, data: bytes) -> None:
    """All writers' files are read, rows in any order, and have the digest that an evaluation would give."""
    folder = write_submission(tmp_path, None, data)
    found = check(small_board(), (folder / METADATA).read_bytes(), folder / PREDICTIONS)
    assert found.digest == digest_of(decoded())
    assert found.metadata.authors == ("Ada Lovelace", "Émilie du Châtelet")


def test_scores_do_not_change_the_digest(tmp_path: Path) -> None:
    """Scores may be given, of any value; what is predicted are the masks."""
    scores = [png(flat(range(256), size)) for size in SIZES.values()]
    folder = write_submission(tmp_path, None, parquet(table(score_png=scores)))
    with received_folder(folder, small_board()) as parcel:
        assert check_parcel(parcel, small_board()).digest == digest_of(decoded())


def test_three_classes(tmp_path: Path) -> None:
    """Of three classes masks hold class numbers; a board of three takes masks of two, too."""
    labels = {name: flat([0, 1, 2], size) for name, size in SIZES.items()}
    masks = table({"image_id": list(SIZES), "mask_png": [png(one) for one in labels.values()]})
    folder = write_submission(tmp_path / "three", metadata(classes=3), parquet(masks))
    board = small_board(classes=3)
    found = check(board, (folder / METADATA).read_bytes(), folder / PREDICTIONS)
    assert found.digest == digest_of(labels)
    folder = write_submission(tmp_path / "two")
    found = check(board, (folder / METADATA).read_bytes(), folder / PREDICTIONS)
    assert found.digest == digest_of(decoded())


def test_restorations(tmp_path: Path) -> None:
    """Restored images are RGB, in a column of their own."""
    rng = np.random.default_rng(0)
    images = {name: rng.integers(0, 256, (*size[::-1], 3), np.uint8) for name, size in SIZES.items()}
    content = pa.table({"image_id": list(images), "image_png": [png(image) for image in images.values()]})
    folder = write_submission(tmp_path, metadata(task="restoration", classes=None), parquet(content))
    with received_folder(folder, small_board(task="restoration")) as parcel:
        assert check_parcel(parcel, small_board(task="restoration")).digest == digest_of(images)


def test_self_reported(tmp_path: Path) -> None:
    """Self-reported figures come without predictions, and have no digest."""
    told = metadata(track="self-reported", reported={"f1@2": 0.5})
    (write_submission(tmp_path, told) / PREDICTIONS).unlink()
    with received_folder(tmp_path, small_board()) as parcel:
        assert [*parcel.files] == [METADATA]
        assert check_parcel(parcel, small_board()).digest is None


def test_predictions_are_missed(tmp_path: Path) -> None:
    """Without predictions any other track is refused."""
    (write_submission(tmp_path) / PREDICTIONS).unlink()
    with pytest.raises(Refused) as error, received_folder(tmp_path, small_board()) as parcel:
        check_parcel(parcel, small_board())
    assert rules_of(error) == ["file-missing"]


def test_all_faults_of_fields_are_told() -> None:
    """Every faulty field is told at once, by its place and what was expected."""
    told = metadata(method=1, seeds=[0, -1], more=True, authors=["A", "<b>"], **{"a b": 1})
    with pytest.raises(Refused) as error:
        read_metadata(as_json(told))
    assert [str(refusal) for refusal in error.value.refusals] == [
        "[field-type] method: expected a valid string, got 1",
        "[text-markup] authors[1]: it holds '<': expected plain text, without < > ` \\ and links",
        "[field-value] seeds[1]: expected greater than or equal to 0, got -1",
        "[field-unknown] more: Extra inputs are not permitted, got True",
        "[field-unknown] 'a b': Extra inputs are not permitted, got 1",
    ]
    assert "the submission is refused:\n  [field-type] method" in str(error.value)


def test_several_pictures_are_told(tmp_path: Path) -> None:
    """All faulty pictures are told, up to ten."""
    masks = {"first": b"", "second": raw_png(SIZES["second"], interlace=1), "third": sound_masks()["third"]}
    content = table({"image_id": list(masks), "mask_png": list(masks.values())})
    folder = write_submission(tmp_path, None, parquet(content))
    with pytest.raises(Refused) as error:
        check(small_board(), (folder / METADATA).read_bytes(), folder / PREDICTIONS)
    assert [(r.rule, r.image) for r in error.value.refusals] == [
        ("png-format", "first"),
        ("png-interlaced", "second"),
    ]


def turn_into_pipe(path: Path) -> None:
    """Replace a file by a pipe that nobody writes to."""
    path.unlink()
    os.mkfifo(path)


class Endless(io.RawIOBase):
    """A stream without an end, which counts what is read of it."""

    def __init__(self) -> None:
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes."""
        self.count += size
        return bytes(size)


def test_streams_are_read_no_further_than_allowed() -> None:
    """A stream that does not end is left after the bytes that a board allows."""
    board, stream = small_board(), Endless()
    with (
        pytest.raises(Refused, match="more than 64,000 bytes") as error,
        received(cast("BinaryIO", stream), None, board),
    ):
        pass
    assert rules_of(error) == ["file-size"]
    assert stream.count <= board.limits.metadata_bytes + 1
    sound, stream = io.BytesIO(as_json(metadata())), Endless()
    with pytest.raises(Refused) as error, received(sound, cast("BinaryIO", stream), board):
        pass
    assert stream.count <= board.limits.predictions_bytes + (1 << 20)


def test_received_files_are_what_was_sent() -> None:
    """What arrives lies in a private folder with its size and digest, and is gone afterwards."""
    data = parquet(table())
    with received(io.BytesIO(b"{}"), io.BytesIO(data), small_board()) as parcel:
        file = parcel.files[PREDICTIONS]
        assert file.path.read_bytes() == data
        assert (file.size, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert parcel.folder.stat().st_mode & 0o077 == 0
    assert not parcel.folder.exists()


@pytest.mark.parametrize(
    ("name", "spoil", "rule"),
    [
        (METADATA, lambda path: path.unlink(), "file-missing"),
        (METADATA, lambda path: path.write_bytes(b""), "file-size"),
        (METADATA, lambda path: (path.unlink(), path.mkdir()), "file-kind"),
        (METADATA, turn_into_pipe, "file-kind"),
        (PREDICTIONS, lambda path: (path.unlink(), path.symlink_to("/dev/zero")), "file-kind"),
        (PREDICTIONS, lambda path: (path.unlink(), path.symlink_to(path.name)), "file-kind"),
        (PREDICTIONS, lambda path: (path.unlink(), path.symlink_to("nothing")), "file-missing"),
        (PREDICTIONS, lambda path: path.write_bytes(b""), "file-size"),
    ],
)
def test_files_that_are_none(tmp_path: Path, name: str, spoil: Any, rule: str) -> None:
    """Pipes, devices, folders and loops are refused, and nobody waits for them."""
    folder = write_submission(tmp_path / "mine")
    spoil(folder / name)
    with pytest.raises(Refused) as error, received_folder(folder, small_board()):
        pass
    assert rules_of(error) == [rule]


def test_other_files_are_not_looked_at(tmp_path: Path) -> None:
    """What else lies in the folder, such as a forged result, does not come along."""
    folder = write_submission(tmp_path)
    (folder / "result.json").write_text('{"scores": {"f1@2": 1.0}}')
    with received_folder(folder, small_board()) as parcel:
        assert sorted(parcel.files) == [PREDICTIONS, METADATA]
        assert sorted(path.name for path in parcel.folder.iterdir()) == [PREDICTIONS, METADATA]


def test_peek(tmp_path: Path) -> None:
    """What a submission says of itself is read within the same limits."""
    assert peek(write_submission(tmp_path)).board == "small"
    (tmp_path / METADATA).write_bytes(b"[" * 1_000_000)
    with pytest.raises(Refused) as error:
        peek(tmp_path)
    assert rules_of(error) == ["file-size"]


def test_the_process_takes_no_secrets_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that reads submissions has none of this one's variables but where Python code is."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert "hf_secret" not in str(child_environment())
    assert check_apart(small_board(), write_submission(tmp_path)).digest == digest_of(decoded())


def test_the_process_is_not_waited_for(tmp_path: Path) -> None:
    """A process that does not end in time is ended, and the submission refused."""
    folder = write_submission(tmp_path)
    with pytest.raises(Refused, match="took more than 0 s") as error:
        check_apart(small_board(), folder, Resources(patience=0.01))
    assert rules_of(error) == ["resources"]


@pytest.mark.parametrize("code", [-24, -9, -11, 1])
def test_a_process_that_ends_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Whatever ends the process that reads a submission refuses that submission, and nothing else."""
    monkeypatch.setattr(submission_process, "_run", lambda *_: code)
    with pytest.raises(Refused) as error:
        check_apart(small_board(), write_submission(tmp_path))
    assert rules_of(error) == ["resources"]


def test_faults_of_ours_are_not_blamed_on_the_submission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the check itself is answered as such, with its trace for a log."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(submission_process, "check", fail)
    answer = submission_process._answer(write_submission(tmp_path), board_bytes(small_board()))
    assert "ZeroDivisionError" in cast("str", answer["error"])


def test_time_grows_with_the_board() -> None:
    """The seconds that checking may take grow with the px of a board, and with nothing of a submission."""
    assert resources_for(small_board()).seconds == 10
    large = small_board(images=tuple(i.model_copy(update={"width": 300_000}) for i in small_board().images))
    assert resources_for(large).seconds > 15


def test_digest_of_pixels_is_that_of_evaluations() -> None:
    """The digest of a prediction is the same here and in a result, of labels and of images."""
    labels = flat([0, 1, 2], (5, 4))
    assert digest_of_pixels(labels) == digest_of_answer(labels)


@given(
    st.integers(1, 40),
    st.integers(1, 30),
    st.sampled_from([GREY, RGB]),
    st.integers(0, 2**32),
    st.integers(0, 9),
)
@settings(max_examples=60, deadline=None)
def test_sound_pictures_are_read(width: int, height: int, channels: int, seed: int, level: int) -> None:
    """Any picture of 8 bits comes back as it was, however well it is packed, and is within the limit."""
    shape = (height, width, 3) if channels == RGB else (height, width)
    values = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    out = io.BytesIO()
    PIL.Image.fromarray(values).save(out, "PNG", compress_level=level, dpi=(72, 72))
    assert len(out.getvalue()) <= most_bytes(width, height, channels)
    np.testing.assert_array_equal(decode_png(out.getvalue(), (width, height), channels, "one"), values)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_other_byte_is_noticed(data: st.DataObject) -> None:
    """A picture with one byte changed, or cut anywhere, is refused: nothing of it is outside a check sum."""
    sound = raw_png((9, 7), before=chunk(b"pHYs", bytes(9)))
    place = data.draw(st.integers(0, len(sound) - 1))
    if data.draw(st.booleans()):
        spoilt = sound[:place]
    else:
        value = data.draw(st.integers(0, 255).filter(lambda value: value != sound[place]))
        spoilt = sound[:place] + bytes([value]) + sound[place + 1 :]
    with pytest.raises(Refused):
        decode_png(spoilt, (9, 7), GREY, "one")


@given(st.text(max_size=40))
@settings(max_examples=300, deadline=None)
def test_texts_that_pass_are_plain(text: str) -> None:
    """A text that passes is what it was: printable, normal, in one line, without brackets of markup."""
    try:
        found = check_text(text)
    except PydanticCustomError:
        return
    assert found == text == text.strip() == unicodedata.normalize("NFC", text)
    assert text.isprintable()
    assert not {*text} & {*"<>`\\"}


@pytest.mark.parametrize(
    "text",
    [
        "Émilie du Châtelet",
        "Nguyễn Văn An",
        "李白",
        "Ἀριστοτέλης",
        "Владимир",
        "O'Brien-Smith, Jr.",
        "राम",
        "2 x A100 (40 GB) & 1 TB",
    ],
)
def test_ordinary_texts_pass(text: str) -> None:
    """Names of people of all alphabets, and plain prose, pass."""
    assert check_text(text) == text


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/lab/ridge",
        "https://huggingface.co/lab/ridge/tree/v1.0?x=1&y=%20#readme",
        "https://arxiv.org/abs/2602.12742",
    ],
)
def test_ordinary_addresses_pass(url: str) -> None:
    """Addresses of code and papers pass."""
    assert check_https(url) == url


@given(st.text(max_size=200))
def test_what_is_quoted_is_safe_to_print(text: str) -> None:
    """Whatever is quoted in a message is printable ASCII, and short."""
    shown = quoted(text)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) <= 80
