"""Annotated sets by name: reading the name, filtering, groups, and what a set that is absent says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from annotated_samples import write_set
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import write_paintings

from craqbench.annotated import KNOWN, NAMES, open_set, parse_spec
from craqbench.annotations import Annotated, AnnotatedSet, Annotation, Item, leave_one_group_out
from craqbench.errors import AnnotationError, UsageError

GROUPS = ("Canvas", "Canvas", "Wood", "Glass")


@dataclass(frozen=True)
class NoReader:
    """Reads black squares."""

    def read(self, item: Item) -> Annotated:
        """Return a square with one crack for each letter of the id."""
        labels = np.zeros((8, 8), np.uint8)
        labels[0, : len(item.id)] = 1
        return Annotated(np.zeros((8, 8, 3), np.uint8), Annotation(labels, labels > 1))


@pytest.fixture
def sample() -> AnnotatedSet:
    """Return a set of four items of three materials; the last has no school."""
    items = tuple(
        Item(name, name, {"material": group} | ({"school": "x"} if name != "dddd" else {}))
        for name, group in zip(("a", "bb", "ccc", "dddd"), GROUPS, strict=True)
    )
    return AnnotatedSet("s", "1", "s", ("background", "craquelure"), "MIT", items, tuple("1234"), NoReader())


def test_filters(sample: AnnotatedSet) -> None:
    """`where` keeps the items with one of the values of every attribute, in order, and enters the spec."""
    kept = sample.where(material=["Wood", "Canvas"], school="x")
    assert [item.id for item in kept] == ["a", "bb", "ccc"]
    assert kept.contents == ("1", "2", "3")
    assert kept.spec == "s,material=Wood,material=Canvas,school=x"
    assert kept.where() == kept
    assert kept.load("ccc").mask.sum() == 3


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"colour": "red"}, "s has no attribute 'colour': expected one of material, school"),
        ({"material": "Paper"}, "s has no image with material=Paper: expected one of Canvas, Glass, Wood"),
    ],
)
def test_faulty_filters(sample: AnnotatedSet, wanted: dict[str, str], words: str) -> None:
    """An unknown attribute or value is an error that lists those there are."""
    with pytest.raises(UsageError, match=words):
        sample.where(**wanted)


def test_filters_that_leave_nothing(sample: AnnotatedSet) -> None:
    """A second filter is told what the first has left; a set without attributes says so."""
    with pytest.raises(UsageError, match="s,material=Glass has no attribute 'school'"):
        sample.where(material="Glass", school="x")
    bare = replace(sample, items=tuple(replace(item, attributes={}) for item in sample))
    with pytest.raises(UsageError, match="expected none: its images have no attributes"):
        bare.where(school="x")


def test_digest_depends_on_all_that_is_scored(sample: AnnotatedSet) -> None:
    """Content, groups, attributes, classes and order change the digest; where it lies does not."""
    first = sample.items[0]
    others: list[AnnotatedSet] = [
        replace(sample, contents=("0", "2", "3", "4")),
        replace(sample, items=(replace(first, painting="p"), *sample.items[1:])),
        replace(sample, items=(replace(first, attributes={}), *sample.items[1:])),
        replace(sample, classes=("background", "craquelure", "paint loss")),
        replace(sample, version="2"),
        replace(sample, clean=True),
        replace(sample, items=sample.items[::-1], contents=sample.contents[::-1]),
        sample.where(material="Canvas"),
    ]
    digests = {other.digest for other in others}
    assert len(digests) == len(others)
    assert sample.digest not in digests
    assert replace(sample, origin="elsewhere", licence="unknown").digest == sample.digest


def test_load_by_id(sample: AnnotatedSet) -> None:
    """An item can be named; a wrong name lists some right ones."""
    assert sample.load("bb").mask.sum() == sample.load(sample.items[1]).mask.sum() == 2
    with pytest.raises(UsageError, match=r"s has no image 'e': expected one of a, bb, ccc, \.\.\."):
        sample.load("e")


def test_leave_one_group_out(sample: AnnotatedSet) -> None:
    """Each group is held out once, and shares nothing with the others; together they are the whole."""
    seen = []
    for group, others, held_out in leave_one_group_out(sample, "material"):
        assert {item.attributes["material"] for item in held_out} == {group}
        assert {i.id for i in others}.isdisjoint(i.id for i in held_out)
        assert len(others) + len(held_out) == len(sample)
        seen.append(group)
    assert seen == ["Canvas", "Glass", "Wood"]
    with pytest.raises(UsageError, match="has the one material 'Wood': expected two groups or more"):
        next(leave_one_group_out(sample.where(material="Wood"), "material"))


@given(st.lists(st.text(min_size=1, max_size=200), unique=True, max_size=6))
@settings(max_examples=60, derandomize=True)
def test_stems(ids: list[str]) -> None:
    """Stems are file names without surprises, another for each id."""
    stems = [Item(name, name).stem for name in ids if not any("\ud800" <= c <= "\udfff" for c in name)]
    assert len(set(stems)) == len(stems)
    for stem in stems:
        assert 0 < len(stem) <= 120
        assert stem.isascii()
        assert not set(stem) & set('/\\:*?"<>| ')
        assert not stem.startswith(".")


def test_specs() -> None:
    """A name is taken apart from the right: a folder may hold commas and colons."""
    spec = parse_spec(" artefact@v2,material=Oil on canvas,label=9,material=Wood ")
    assert (spec.name, spec.revision, spec.folder) == ("artefact", "v2", None)
    assert spec.options == {"material": ("Oil on canvas", "Wood"), "label": ("9",)}
    odd = parse_spec("folder:/data/a,b:c=1,school=Dutch")
    assert odd.folder == Path("/data/a,b:c=1")
    assert odd.options == {"school": ("Dutch",)}
    assert parse_spec("clean:~/x").folder == Path.home() / "x"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "set '': expected one of synthetic, nga-val, artefact, folder:DIR, synthetic:DIR, clean:DIR"),
        ("nga", "set 'nga': expected one of"),
        ("folder", "expected one of .*folder:DIR"),
        ("folder:", "expected one of"),
        ("nga-val:DIR", "expected one of"),
        ("artefact@", "expected one of"),
        ("nga-val@2", "nga-val has one version: expected no @"),
        ("synthetic,n=0", "expected a number of images from 1 to 1000"),
        ("synthetic,n=many", "expected a number of images from 1 to 1000"),
        ("synthetic,n=1,school=x", "has no attribute 'school': expected one of style, view"),
    ],
)
def test_faulty_specs(text: str, words: str) -> None:
    """A name that cannot be read is an error that says what can."""
    with pytest.raises(UsageError, match=words):
        open_set(text)


def test_absent_sets_say_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A set that is not here names the command that brings it, in a line, when opened and when listed."""
    monkeypatch.setenv("CRAQBENCH_CACHE", str(tmp_path))
    for name in ("nga-val", "artefact"):
        with pytest.raises(AnnotationError, match=f"run 'craqbench data fetch {name}'") as caught:
            open_set(name)
        assert "\n" not in str(caught.value)
    assert tuple(known.name for known in KNOWN) == NAMES
    states = {known.name: known.state() for known in KNOWN}
    assert states["synthetic"] == "here"
    assert states["nga-val"].startswith("20 images missing: run 'craqbench data fetch nga-val'")
    assert states["artefact"].startswith("absent: run 'craqbench data fetch artefact'")


def test_clean_paintings(tmp_path: Path) -> None:
    """`clean:DIR` has no crack anywhere, nothing to ignore, and tells what it could not use."""
    folder = write_paintings(tmp_path / "clean", 2)
    (folder / "broken.png").write_bytes(b"no")
    found = open_set(f"clean:{folder}")
    assert found.clean
    assert (found.spec, found.classes) == ("clean:clean", ("background", "craquelure"))
    assert [item.id for item in found] == ["painting-0.jpg", "painting-1.jpg"]
    assert [(skipped.path, skipped.reason[:12]) for skipped in found.skipped] == [
        ("broken.png", "not a JPEG, ")
    ]
    one = found.load("painting-1.jpg")
    assert one.image.shape == (90, 120, 3)
    assert one.image.flags.writeable
    assert not one.labels.any()
    assert not one.ignore.any()
    (folder / "painting-1.jpg").write_bytes((folder / "painting-0.jpg").read_bytes())
    with pytest.raises(AnnotationError, match=r"painting-1.jpg has changed since the set was opened"):
        found.load("painting-1.jpg")


def empty(folder: Path) -> Path:
    """Make an empty folder."""
    folder.mkdir()
    return folder


@pytest.mark.parametrize("make", [lambda folder: folder, empty])
def test_clean_sets_without_paintings(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """A folder that is absent or empty is no set."""
    with pytest.raises(AnnotationError, match="clean set"):
        open_set(f"clean:{make(tmp_path / 'x')}")


def test_options_of_folders(tmp_path: Path) -> None:
    """What is no option of a set is taken for an attribute, and refused where there is none."""
    folder = write_set(tmp_path / "x", 1)
    with pytest.raises(UsageError, match="folder:x has no attribute 'n'"):
        open_set(f"folder:{folder},n=3")
