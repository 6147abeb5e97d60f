"""What an annotated set is: images of paintings, each with an annotation, read one by one and checked."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

import numpy as np

from craqbench.errors import UsageError

if TYPE_CHECKING:
    from craqbench.paintings import Skipped
    from generators.triplets import Image, Labels, Mask

__all__ = [
    "Annotated",
    "AnnotatedSet",
    "Annotation",
    "Item",
    "Reader",
    "digest_of_pixels",
    "leave_one_group_out",
    "sha256_of",
]

_LONGEST_STEM = 120


@dataclass(frozen=True, slots=True)
class Item:
    """What is known of an image without opening it.

    Attributes
    ----------
    id
        Unique in its set. May hold "/" where the set has subfolders: for a file's name use `stem`.
    painting
        Which painting it shows: images of one painting stay together when a bootstrap resamples.
    attributes
        What the set can be filtered by, such as school, polarity or material.
    licence, source
        Of the image; "unknown" where nobody said.
    """

    id: str
    painting: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    licence: str = "unknown"
    source: str = "unknown"

    @property
    def stem(self) -> str:
        """The id as the name of a file: other ids have other stems.

        >>> Item("left wing/saint 3", "altar").stem
        'left%20wing%2Fsaint%203'
        """
        name = quote(self.id, safe="")
        if name.startswith("."):
            name = f"%2E{name[1:]}"
        if len(name) <= _LONGEST_STEM:
            return name
        return f"{name[: _LONGEST_STEM - 17]}-{sha256_of(self.id.encode())[:16]}"


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """Where one annotator saw cracks.

    Attributes
    ----------
    labels
        (H, W) uint8 class numbers, see `AnnotatedSet.classes`; 0 where `ignore` is True.
    ignore
        (H, W) bool: where nobody could tell, and nothing is scored.
    """

    labels: Labels
    ignore: Mask

    @property
    def mask(self) -> Mask:
        """(H, W) bool: class 1, craquelure."""
        return np.equal(self.labels, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Annotated:
    """An image and its annotation.

    Attributes
    ----------
    image
        (H, W, 3) uint8 RGB, contiguous and writable.
    annotation
        What predictions are scored against, (H, W).
    second
        By another annotator who has not seen the first; None for most images.
    undamaged
        Like `image`, but without the damage: of synthetic cracks this is known, of others it is None.
    """

    image: Image
    annotation: Annotation
    second: Annotation | None = None
    undamaged: Image | None = None

    @property
    def labels(self) -> Labels:
        """(H, W) uint8 class numbers of the annotation."""
        return self.annotation.labels

    @property
    def ignore(self) -> Mask:
        """(H, W) bool: where nothing is scored."""
        return self.annotation.ignore

    @property
    def mask(self) -> Mask:
        """(H, W) bool: class 1, craquelure."""
        return self.annotation.mask

    @property
    def damage(self) -> Mask:
        """(H, W) bool: any class but the background."""
        return np.greater(self.labels, 0)


class Reader(Protocol):
    """Reads the images of a set. It travels to worker processes: paths and digests, no pixels."""

    def read(self, item: Item) -> Annotated:
        """Read an image and its annotation.

        Raises
        ------
        AnnotationError
            If a file is gone, broken, or not the one it was when the set was opened.
        """


@dataclass(frozen=True)
class AnnotatedSet:
    """Images with annotations, by name. Made by `craqbench.annotated.open_set`.

    Attributes
    ----------
    name, version
        Such as "nga-val" and "1"; the version of a set on the Hub is a commit.
    origin
        The set as ``--set`` names it, without filters, and without the path on this machine.
    classes
        What the labels mean; class 0 is the background, class 1 craquelure.
    licence
        Of the set as a whole, in a line.
    items
        In a fixed order.
    contents
        A digest for each item over its image and its annotations.
    reader
        What reads them.
    clean
        Whether these are paintings without cracks: only false alarms can be counted.
    undamaged
        Whether every image is known without its damage, see `Annotated`: fillings can be scored.
    skipped
        What lies in the set's folder and cannot be used, and why.
    filters
        The (attribute, values) that `where` has chosen by.
    """

    name: str
    version: str
    origin: str
    classes: tuple[str, ...]
    licence: str
    items: tuple[Item, ...]
    contents: tuple[str, ...]
    reader: Reader
    clean: bool = False
    undamaged: bool = False
    skipped: tuple[Skipped, ...] = ()
    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def spec(self) -> str:
        """The set as ``--set`` names it, with its filters."""
        chosen = (f",{name}={value}" for name, values in self.filters for value in values)
        return self.origin + "".join(chosen)

    @property
    def digest(self) -> str:
        """sha256 (hex): equal digests mean equal images, annotations, classes, groups and attributes."""
        rows = [
            [item.id, item.painting, dict(item.attributes), content]
            for item, content in zip(self.items, self.contents, strict=True)
        ]
        content = [self.name, self.version, self.classes, self.clean, rows]
        return sha256_of(json.dumps(content, sort_keys=True).encode())

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    def load(self, item: Item | str) -> Annotated:
        """Read an item, or the item of an id.

        Raises
        ------
        AnnotationError
            If a file is gone, broken, or not the one it was when the set was opened.
        UsageError
            If the set has no such id.
        """
        if isinstance(item, Item):
            return self.reader.read(item)
        found = next((i for i in self.items if i.id == item), None)
        if found is None:
            raise UsageError(f"{self.spec} has no image {item!r}: expected one of {_few(self.items)}")
        return self.reader.read(found)

    def values(self, attribute: str) -> dict[str, int]:
        """Count the items by the value of an attribute; those without a value count as "".

        Raises
        ------
        UsageError
            If no item has the attribute.
        """
        known = sorted({name for item in self.items for name in item.attributes})
        if attribute not in known:
            expected = f"one of {', '.join(known)}" if known else "none: its images have no attributes"
            raise UsageError(f"{self.spec} has no attribute {attribute!r}: expected {expected}")
        return dict(sorted(Counter(item.attributes.get(attribute, "") for item in self.items).items()))

    def where(self, **values: str | Sequence[str]) -> AnnotatedSet:
        """Return the set of the items whose attributes have one of the given values each.

        Raises
        ------
        UsageError
            If the set has no such attribute or value, or nothing is left.
        """
        chosen = self
        for name, wanted in values.items():
            chosen = chosen._having(name, (wanted,) if isinstance(wanted, str) else tuple(wanted))
        return chosen

    def _having(self, attribute: str, wanted: tuple[str, ...]) -> AnnotatedSet:
        known = self.values(attribute)
        for value in wanted:
            if value not in known:
                expected = ", ".join(known)
                raise UsageError(
                    f"{self.spec} has no image with {attribute}={value}: expected one of {expected}"
                )
        filters = (*self.filters, (attribute, wanted))
        return self._keep([item.attributes.get(attribute, "") in wanted for item in self.items], filters)

    def _keep(self, kept: Sequence[bool], filters: tuple[tuple[str, tuple[str, ...]], ...]) -> AnnotatedSet:
        pairs = [
            pair for pair, keep in zip(zip(self.items, self.contents, strict=True), kept, strict=True) if keep
        ]
        items, contents = zip(*pairs, strict=True)
        return dataclasses.replace(self, items=items, contents=contents, filters=filters)


def leave_one_group_out(
    annotated: AnnotatedSet, attribute: str
) -> Iterator[tuple[str, AnnotatedSet, AnnotatedSet]]:
    """Yield (group, the other groups, the group) for each value of an attribute.

    The protocol of ARTeFACT, by "material" or by "content": what is fitted or tuned sees the others only,
    and is scored on the group.

    Raises
    ------
    UsageError
        If no item has the attribute, or all have the same value.
    """
    groups = annotated.values(attribute)
    if len(groups) < 2:
        raise UsageError(
            f"{annotated.spec} has the one {attribute} {next(iter(groups))!r}: expected two groups or more"
        )
    for group in groups:
        others = [other for other in groups if other != group]
        yield group, annotated.where(**{attribute: others}), annotated.where(**{attribute: group})


def sha256_of(data: bytes) -> str:
    """Return sha256 (hex), as ``sha256sum`` prints it."""
    return hashlib.sha256(data).hexdigest()


def digest_of_pixels(image: Image) -> str:
    """Return sha256 (hex) over the values of (H, W, 3) uint8, row by row, however a file may encode them."""
    return sha256_of(image.tobytes())


def _few(items: Sequence[Item]) -> str:
    names = ", ".join(item.id for item in items[:3])
    return f"{names}, ..." if len(items) > 3 else names
