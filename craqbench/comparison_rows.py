"""What a comparison is made of: rows, pairs, and the whole table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from craqbench.metrics import Difference
from craqbench.results import Result, Score, SetInfo

__all__ = ["SPEED", "Comparison", "Pair", "Row"]

SPEED = "seconds_per_megapixel"

Kind = Literal["ceiling", "method", "sanity", "incomplete"]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table.

    Attributes
    ----------
    label
        Of the method, with its version where two rows would be called the same.
    kind
        "method"; "sanity", which does not look at the image; "ceiling", a second annotator; "incomplete",
        a method that failed on some image.
    rank
        Among methods; those that cannot be told apart from the best of their group share one. None for the
        other kinds.
    scores
        By name, see `craqbench.figures`; and `SPEED`.
    behind
        The best method's figure minus this one's, paired by painting; None for the best itself, and where
        paintings are not the same.
    on_second
        The ranking figure on the images that have a second annotator.
    result
        None for the ceiling.
    """

    label: str
    kind: Kind
    rank: int | None
    scores: Mapping[str, Score]
    behind: Difference | None = None
    on_second: float | None = None
    result: Result | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """How much better the first row's ranking figure is than the second's."""

    first: str
    second: str
    difference: Difference


@dataclass(frozen=True, slots=True)
class Comparison:
    """A table.

    Attributes
    ----------
    set
        What was scored on.
    ranking
        Name of the figure that ranks.
    rows
        The ceiling first, incomplete results last, the others best first.
    pairs
        Every two rows of methods and sanity rows.
    leaders
        Of inpainters: class of crack width -> the methods that are best there, or cannot be told from the
        best, best first. A class without cracks has none.
    notes
        What a reader must know, a sentence each.
    """

    set: SetInfo
    ranking: str
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]
    leaders: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]
