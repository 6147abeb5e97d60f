"""Samples: pure functions of their number, made in any process, cut from paintings that are kept apart."""

from __future__ import annotations

import multiprocessing
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hub_paintings import (
    PICTURES,
    SOURCE,
    Shelf,
    rows_of,
    small_wikiart,  # noqa: F401  a fixture
)
from local_hub import client_warnings, local_hub  # noqa: F401  a fixture
from tiny_network import paintings

from baselines.tophat import TopHat
from craqbench.augmentation import Augmentation
from craqbench.configuration import Config
from craqbench.dataset import read_rows
from craqbench.errors import CraqbenchError, DatasetError, SourceError, UsageError
from craqbench.gallery import Gallery, hang
from craqbench.generation import generate
from craqbench.paintings import decode_painting
from craqbench.sources import open_source
from craqbench.training_data import (
    VALIDATION,
    Learnt,
    RowMaker,
    Sample,
    SampleMaker,
    TripletMaker,
    Wanted,
    from_dataset,
    from_source,
    triplet_size,
)
from craqbench.training_feed import AHEAD, Feed, Stack, make_stack
from generators.recipes import RECIPES

pytestmark = client_warnings

WANTED = Wanted(seed=5, crop=64)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of paintings."""
    return paintings(tmp_path_factory.mktemp("source") / "small", 12)


@pytest.fixture(scope="module")
def learnt(source: Path) -> Learnt:
    """What is learnt from that folder."""
    return from_source(str(source), RECIPES["mixed"], WANTED)


def same(one: Sample, other: Sample) -> bool:
    """Whether two samples are equal."""
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_sample_is_a_function_of_its_number(learnt: Learnt) -> None:
    """Made in any order, the same number gives the same sample, and others are different."""
    first = [learnt.maker(number) for number in (3, 4, VALIDATION)]
    again = [learnt.maker(number) for number in (VALIDATION, 4, 3)][::-1]
    assert all(same(a, b) for a, b in zip(first, again, strict=True))
    assert not same(first[0], first[1])


def test_samples_have_the_wanted_form(learnt: Learnt) -> None:
    """Squares of uint8; two classes; no hint unless it is wanted."""
    for number in range(6):
        sample = learnt.maker(number)
        assert (sample.image.shape, sample.labels.shape) == ((64, 64, 3), (64, 64))
        assert sample.image.dtype == sample.labels.dtype == np.uint8
        assert set(np.unique(sample.labels)) <= {0, 1}
        assert sample.hint.shape == (0, 0)


def test_hints_are_the_top_hats(source: Path) -> None:
    """With hints, a sample has the map of the detector as it is."""
    wanted = Wanted(seed=5, crop=64, hinted=True)
    sample = from_source(str(source), RECIPES["mixed"], wanted).maker(1)
    detector = TopHat()
    assert np.array_equal(sample.hint, detector.predict(sample.image) >= detector.threshold)


def test_paint_loss_is_no_crack(source: Path) -> None:
    """Where two classes are wanted, paint loss is background; where three are, it is itself."""
    how = Augmentation(rescaled=0)
    three = from_source(str(source), RECIPES["polychrome"], Wanted(seed=1, crop=64, classes=3, how=how))
    two = from_source(str(source), RECIPES["polychrome"], Wanted(seed=1, crop=64, how=how))
    found = [(three.maker(number).labels, two.maker(number).labels) for number in range(12)]
    assert any((labels == 2).any() for labels, _ in found)
    assert all(np.array_equal(labels == 1, cracks == 1) for labels, cracks in found)


def test_validation_is_the_same_for_all_seeds(source: Path) -> None:
    """Or the figures of two runs could not be compared; training samples differ."""
    one, other = (
        from_source(str(source), RECIPES["mixed"], Wanted(seed=seed, crop=64)).maker for seed in (1, 2)
    )
    assert same(one(VALIDATION + 3), other(VALIDATION + 3))
    assert not same(one(3), other(3))


def test_paintings_for_validation_are_never_trained_on(source: Path) -> None:
    """The two sets of paintings have nothing in common, and which is which depends on their bytes alone."""
    opened = open_source(str(source), size=(64, 64))
    hung = hang(opened, None, workers=1)
    assert len(hung.training) == 11
    assert set(hung.training) | set(hung.validation) == set(range(12))
    assert not set(hung.training) & set(hung.validation)
    pictures = [hung.gallery[number] for number in hung.validation]
    again = hang(opened, None, workers=1)
    assert all(np.array_equal(a, again.gallery[n]) for a, n in zip(pictures, again.validation, strict=True))


def test_procedural_canvases_serve_too() -> None:
    """Without any painting at hand there are canvases; as many as were asked for."""
    found = from_source("procedural", RECIPES["mixed"], WANTED, paintings=3)
    assert (found.training, found.validation) == (2, 1)
    assert found.maker(0).image.shape == (64, 64, 3)


def test_one_painting_is_not_enough(tmp_path: Path) -> None:
    """Validation needs one of its own."""
    with pytest.raises(SourceError, match="one usable painting: expected two"):
        from_source(str(paintings(tmp_path / "one", 1)), RECIPES["mixed"], WANTED)


def test_large_paintings_are_reduced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paintings of more px than are of use take less memory."""
    monkeypatch.setattr("craqbench.gallery.MOST_PX", 2500)
    gallery = hang(open_source(str(paintings(tmp_path / "some", 2)), size=(64, 64)), None, workers=1).gallery
    assert {gallery[number].shape for number in range(2)} == {(47, 53, 3)}


def test_a_gallery_gives_back_what_it_was_given() -> None:
    """Pictures of any shapes, read-only."""
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((3, 4, 3), (5, 2), (1, 1, 3))]
    gallery = Gallery.of(pictures)
    assert len(gallery) == 3
    for number, picture in enumerate(pictures):
        assert np.array_equal(gallery[number], picture)
        assert not gallery[number].flags.writeable


def test_a_gallery_has_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """More pictures than memory should hold are refused before it is taken."""
    monkeypatch.setattr("craqbench.gallery.MOST_BYTES", 10)
    with pytest.raises(UsageError, match="1 pictures take 12 bytes: expected 10 at most"):
        Gallery([(2, 2, 3)])


def test_more_pictures_than_memory() -> None:
    """Where the system has not so much memory, it is said how much was asked for."""
    code = """
import resource, sys
from craqbench.errors import UsageError
from craqbench.gallery import Gallery
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 200_000_000,) * 2)
try:
    Gallery([(10_000, 10_000, 3)] * 2)
except UsageError as error:
    print(error)
"""
    if not Path("/proc/self/statm").exists():
        pytest.skip("only Linux tells how much memory a process uses")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout == "2 pictures take 600,000,000 bytes, more than are free: expected fewer\n"


def test_triplets_are_made_at_training_size() -> None:
    """Where a recipe draws close-ups; whole paintings are drawn larger, and squares cut from them."""
    assert triplet_size(RECIPES["mixed"], 256) == (288, 288)
    assert triplet_size(RECIPES["paper"], 256) == (598, 375)
    assert triplet_size(RECIPES["paper"], 512) == (598, 512)


def test_a_dataset_is_cut_from(source: Path, tmp_path: Path) -> None:
    """Samples of ``--data`` show the rows, and the paintings held out are in no training sample."""
    generate(Config(n=24, recipe=RECIPES["paper"], source=str(source), size=(96, 80)), tmp_path / "data")
    found = from_dataset(tmp_path / "data", WANTED)
    assert (found.training, found.validation, found.recipe) == (11, 1, "paper version 1")
    assert found.maker(0).labels.any()
    assert not same(found.maker(0), found.maker(VALIDATION))


def test_of_a_dataset_with_splits_one_is_trained_on(source: Path, tmp_path: Path) -> None:
    """The rows of "train" alone: what is kept for a test is not looked at."""
    splits = (("train", 0.5), ("test", 0.5))
    config = Config(n=24, recipe=RECIPES["paper"], source=str(source), size=(96, 80), splits=splits)
    generate(config, tmp_path / "data")
    found = from_dataset(tmp_path / "data", WANTED)
    rows = list(read_rows(tmp_path / "data"))
    assert isinstance(found.maker, RowMaker)
    assert len(found.maker.images) == 12
    assert all(np.array_equal(found.maker.images[n], row.damaged) for n, row in enumerate(rows[:12]))
    assert all(np.array_equal(found.maker.labels[n], row.labels) for n, row in enumerate(rows[:12]))
    assert {row.split for row in rows[:12]} == {"train"}


def test_a_dataset_that_has_changed(source: Path, tmp_path: Path) -> None:
    """A file that is no longer what was made is refused, as is one that is gone."""
    generate(Config(n=4, recipe=RECIPES["paper"], source=str(source), size=(96, 80)), tmp_path / "data")
    shard = min((tmp_path / "data" / "data").iterdir())
    shard.write_bytes(shard.read_bytes()[:-1] + b"!")
    with pytest.raises(DatasetError, match=rf"{shard.name} has changed since it was made: expected sha256"):
        from_dataset(tmp_path / "data", WANTED)
    shard.unlink()
    with pytest.raises(DatasetError, match=rf"{shard.name} cannot be read"):
        from_dataset(tmp_path / "data", WANTED)


def test_paintings_of_the_hub(shelf: Shelf) -> None:
    """Paintings come from the Hub, each once; workers have them from memory, and need no network."""
    found = from_source(f"{SOURCE}?style=Baroque", RECIPES["mixed"], WANTED)
    assert (found.training, found.validation) == (10, 1)
    assert re.fullmatch(rf"{SOURCE}@[0-9a-f]{{40}}\?.*style=Baroque", found.name)
    assert isinstance(found.maker, TripletMaker)
    shown = {found.maker.paintings[number].tobytes() for number in range(11)}
    assert shown == {decode_painting(data).tobytes() for n, data in enumerate(PICTURES) if n % 4 % 3 == 0}
    with shelf.hub.down(), Feed(found.maker, 2, 0, workers=1) as feed:
        assert_same_stack(feed.take(), make_stack(found.maker, [0, 1]))


def test_so_many_paintings_of_the_hub(shelf: Shelf) -> None:
    """No more are fetched than are wanted; which they are depends on the commit alone."""
    one, other = (from_source(SOURCE, RECIPES["mixed"], WANTED, paintings=5) for _ in range(2))
    assert (one.training, one.validation, one.digest) == (4, 1, other.digest)
    assert same(one.maker(0), other.maker(0))
    shelf.put(rows_of(PICTURES[1:]))
    assert from_source(SOURCE, RECIPES["mixed"], WANTED, paintings=5).digest != one.digest


def test_datasets_that_cannot_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dataset of one painting, or one too large for memory, is refused in words."""
    one = str(paintings(tmp_path / "one", 1))
    generate(Config(n=2, recipe=RECIPES["paper"], source=one, size=(96, 80)), tmp_path / "data")
    with pytest.raises(DatasetError, match="shows one painting"):
        from_dataset(tmp_path / "data", WANTED)
    monkeypatch.setattr("craqbench.training_data.MOST_BYTES", 40_000)
    with pytest.raises(UsageError, match="has 2 rows: expected 1 at most"):
        from_dataset(tmp_path / "data", WANTED)


def assert_same_stack(one: Stack, other: Stack) -> None:
    """Two batches are equal."""
    for a, b in zip(one, other, strict=True):
        assert a is b or np.array_equal(a, b)


def test_workers_make_the_batches_in_order(source: Path) -> None:
    """Batches of worker processes are those of this one: for validation first, then from `first` on."""
    maker = from_source(str(source), RECIPES["mixed"], Wanted(seed=5, crop=64, hinted=True)).maker
    with Feed(maker, 2, 3, workers=2, lead=1) as feed:
        taken = [feed.take() for _ in range(2 * AHEAD + 2)]
    assert_same_stack(taken[0], make_stack(maker, [VALIDATION, VALIDATION + 1]))
    for turn, stack in enumerate(taken[1:]):
        first = 2 * (3 + turn)
        assert_same_stack(stack, make_stack(maker, [first, first + 1]))


@dataclass(frozen=True)
class OddMaker:
    """Makes empty samples; at number 5 something happens."""

    fate: str
    wanted: Wanted = field(default_factory=lambda: Wanted(seed=0, crop=64))

    def __call__(self, number: int) -> Sample:
        """Make a sample, or not."""
        if number == 5 and self.fate == "raise":
            raise ValueError("the paint is wet")
        if number == 5 and self.fate == "die":
            os._exit(7)
        blank = np.zeros((64, 64), np.uint8)
        return Sample(np.full((64, 64, 3), number % 256, np.uint8), blank, blank[:0, :0])


def take_many(maker: SampleMaker, workers: int = 1) -> None:
    """Take more batches than there are before number 5."""
    with Feed(maker, 2, 0, workers=workers) as feed:
        for _ in range(9):
            feed.take()


def test_a_worker_that_fails_says_why() -> None:
    """An error in a worker is raised where the batch is taken, and names the sample."""
    with pytest.raises(CraqbenchError, match="could not be made: number 5: ValueError: the paint is wet"):
        take_many(OddMaker("raise"))


def test_a_worker_that_dies_is_noticed() -> None:
    """A worker that was killed is reported, not waited for."""
    with pytest.raises(CraqbenchError, match=r"worker processes died \(exit code 7\)"):
        take_many(OddMaker("die"), workers=2)


def test_workers_run_ahead_so_far_and_no_farther() -> None:
    """Memory for a few batches is all that is ever taken; and no worker is left behind."""
    with Feed(OddMaker("live"), 2, 0, workers=1) as feed:
        feed.take()
        deadline = time.monotonic() + 20
        while feed._shared.next.value < 2 * (AHEAD + 1) and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.1)
        assert feed._shared.next.value == 2 * (AHEAD + 1)
        workers = [process.pid for process in feed._processes.values()]
    assert not {process.pid for process in multiprocessing.active_children()} & set(workers)
