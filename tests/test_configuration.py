"""Options: what is accepted, how rows fall into shards, what a fingerprint covers."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import draw_lines, three_class_recipe, tiny_recipe

from craqbench import configuration
from craqbench.configuration import Config, fingerprint, parse_piece, parse_size, parse_splits, shards
from craqbench.errors import UsageError
from generators.recipes import RECIPES, with_settings

QUIET = settings(max_examples=60, deadline=None, derandomize=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "n 0: expected 1 or more"),
        ({"n": -3}, "n -3: expected 1 or more"),
        ({"seed": -1}, r"seed -1: expected 0 to 2\^63 - 1"),
        ({"seed": 2**63}, "seed 9223372036854775808"),
        ({"size": (63, 100)}, "size 63x100: expected sides of 64 to 8192 px"),
        ({"size": (100, 8193)}, "size 100x8193"),
        ({"fit": "squash"}, "fit squash: expected one of crop, pad, stretch"),
        ({"codec": "jpeg"}, "codec jpeg: expected one of webp, png"),
        ({"shard_size": 0}, "shard-size 0: expected 1 or more"),
        ({"splits": ()}, "split"),
        ({"splits": (("train", 0.5), ("train", 0.5))}, "expected each name once"),
        ({"splits": (("train", 0.5), ("test", 0.4))}, "expected fractions above 0 that sum to 1"),
        ({"splits": (("train", 1.5), ("test", -0.5))}, "expected fractions above 0"),
        ({"splits": (("../train", 1.0),)}, "expected a name of letters and digits, got '../train'"),
        ({"n": 3, "splits": (("train", 0.9), ("test", 0.1))}, "split test: .* gets none of n = 3 rows"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], message: str) -> None:
    """Each option out of range names its value and what was expected."""
    with pytest.raises(UsageError, match=message):
        Config(**{"n": 10, "recipe": tiny_recipe(), **options})


@QUIET
@given(
    n=st.integers(4, 3000),
    size=st.sampled_from([(64, 64), (598, 375), (8192, 8192)]),
    shard_size=st.none() | st.integers(1, 700),
    splits=st.sampled_from([(("train", 1.0),), (("train", 0.5), ("validation", 0.25), ("test", 0.25))]),
)
def test_shards_hold_every_row_once(
    n: int, size: tuple[int, int], shard_size: int | None, splits: configuration.Splits
) -> None:
    """Shards follow one another without a gap, in one split each, of nearly equal size and none too big."""
    config = Config(n, tiny_recipe(), size=size, shard_size=shard_size, splits=splits)
    layout = shards(config)
    assert [shard.first for shard in layout] == [sum(s.rows for s in layout[:i]) for i in range(len(layout))]
    assert sum(shard.rows for shard in layout) == n
    assert len({shard.file for shard in layout}) == len(layout)
    for name, rows in config.rows_of_splits():
        of_split = [shard for shard in layout if shard.split == name]
        counts = [shard.rows for shard in of_split]
        assert sum(counts) == rows
        assert max(counts) <= config.rows_per_shard
        assert max(counts) - min(counts) <= 1
        assert of_split[-1].file == f"data/{name}-{len(counts) - 1:05d}-of-{len(counts):05d}.parquet"


def test_default_shards() -> None:
    """There are some sixteen shards at first, then shards of 250 rows, fewer for huge pictures."""
    counts = {n: len(shards(Config(n, tiny_recipe()))) for n in (1, 8, 24, 4000, 20_000)}
    assert counts == {1: 1, 8: 8, 24: 12, 4000: 16, 20_000: 80}
    assert Config(4000, tiny_recipe(), size=(8192, 8192)).rows_per_shard == 2


def test_fingerprint_covers_every_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other option, setting, recipe, source, code or library version is another fingerprint."""
    config = Config(24, tiny_recipe())
    others: list[dict[str, Any]] = [
        {"n": 25},
        {"recipe": tiny_recipe(lines=4)},
        {"recipe": three_class_recipe()},
        {"recipe": dataclasses.replace(tiny_recipe(), version=2)},
        {"seed": 1},
        {"size": (598, 376)},
        {"fit": "pad"},
        {"codec": "png"},
        {"shard_size": 5},
        {"splits": (("train", 0.5), ("test", 0.5))},
    ]
    digests = [fingerprint(dataclasses.replace(config, **other), "s") for other in others]
    digests += [fingerprint(config, "s"), fingerprint(config, "t")]
    monkeypatch.setattr(configuration, "versions", lambda: {"numpy": "0"})
    digests.append(fingerprint(config, "s"))
    monkeypatch.setattr(configuration, "code_digest", lambda _: "other")
    digests.append(fingerprint(config, "s"))
    assert len(set(digests)) == len(digests)
    assert fingerprint(dataclasses.replace(config, source="elsewhere"), "s") == digests[-1]


def test_code_of_foreign_recipes_counts() -> None:
    """The digest covers the file of a recipe from outside, also behind `functools.partial`."""
    foreign = configuration.code_digest(tiny_recipe())
    partial = dataclasses.replace(tiny_recipe(), draw=functools.partial(draw_lines))
    assert configuration.code_digest(partial) == foreign
    assert len(foreign) == 64


def test_only_changed_settings_are_options() -> None:
    """The options name those parameters of a registered recipe that are not its defaults."""
    for recipe in RECIPES.values():
        assert Config(10, recipe).options()["set"] == {}
    changed = with_settings(tiny_recipe(), {"lines": 7})
    assert Config(10, changed).options()["set"]["lines"] == 7


@pytest.mark.parametrize("text", ["", "598", "598x", "x375", "598*375", "-1x5", "598x375x3", "1e3x5"])
def test_sizes_that_are_none(text: str) -> None:
    """A malformed size is an error that shows the right form."""
    with pytest.raises(UsageError, match="expected WIDTHxHEIGHT in px, such as 598x375"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train=x", "'x' is no fraction"),
        ("train=0.9", "sum to 1"),
        ("train,test", "sum to 1"),
        ("", "a name of letters"),
        ("train=nan", "sum to 1"),
    ],
)
def test_splits_that_are_none(text: str, message: str) -> None:
    """A malformed split is an error."""
    with pytest.raises(UsageError, match=message):
        parse_splits(text)


@pytest.mark.parametrize("text", ["", "1", "a/b", "-1/4", "4/4", "0/0", "1/4/2"])
def test_pieces_that_are_none(text: str) -> None:
    """A malformed piece is an error that shows the right form."""
    with pytest.raises(UsageError, match=r"expected (i/N, counted from 0|0/4 to 3/4)"):
        parse_piece(text)


def test_forms_that_are_read() -> None:
    """The right forms are read."""
    assert parse_size(" 598X375 ") == (598, 375)
    assert parse_splits("train=0.9, test=0.1") == (("train", 0.9), ("test", 0.1))
    assert parse_piece("0/1") == (0, 1)
