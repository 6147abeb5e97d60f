"""The name of a dataset repository as a source of paintings: ``hf://ORG/NAME[@REVISION][?COLUMN=VALUE&...]``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode

from craqbench.errors import SourceError

__all__ = ["SCHEME", "HubSpec", "parse_hub"]

SCHEME = "hf://"

_SETTINGS = ("column", "config", "split")
_PART = r"\w[\w.-]*"
_FORM = "hf://ORG/NAME[@REVISION][?COLUMN=VALUE&...]"


@dataclass(frozen=True, slots=True)
class HubSpec:
    """Which pictures of which repository.

    Attributes
    ----------
    repository
        ORG/NAME.
    revision
        Branch, tag or commit; None is the main branch.
    config, split, column
        Configuration, split, and column of images; empty for the default ones.
    where
        (column, value), sorted: only rows that have, for each column named, one of the values named.
    """

    repository: str
    revision: str | None = None
    config: str = ""
    split: str = ""
    column: str = ""
    where: tuple[tuple[str, str], ...] = ()

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a commit, which never moves."""
        return re.fullmatch(r"[0-9a-f]{40}", self.revision or "") is not None

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        settings = [(name, getattr(self, name)) for name in _SETTINGS if getattr(self, name)]
        query = urlencode([*settings, *self.where], quote_via=quote)
        return f"{SCHEME}{self.repository}{revision}{'?' if query else ''}{query}"


def parse_hub(text: str) -> HubSpec:
    """Read ``hf://ORG/NAME[@REVISION][?COLUMN=VALUE&...]``.

    In the query, ``column``, ``config`` and ``split`` choose the column of images, the configuration and
    the split of the repository; every other name is that of a column, and filters: only rows with this
    value (of a class label, its name) are used. Repeated, a name offers several values. Values are
    written as in any URL (``%26`` for ``&``); a plain space will do.

    Raises
    ------
    SourceError
        If the text is none.

    Examples
    --------
    >>> spec = parse_hub("hf://huggan/wikiart@v1.0?style=Baroque&style=Early Renaissance&split=train")
    >>> spec.repository, spec.revision, spec.where
    ('huggan/wikiart', 'v1.0', (('style', 'Baroque'), ('style', 'Early Renaissance')))
    >>> str(spec)
    'hf://huggan/wikiart@v1.0?split=train&style=Baroque&style=Early%20Renaissance'
    """
    head, mark, query = text.removeprefix(SCHEME).partition("?")
    repository, at, revision = head.removeprefix("datasets/").partition("@")
    _refuse_secrets(text)
    if not re.fullmatch(rf"{_PART}(/{_PART})?", repository, re.ASCII) or (at and not revision):
        raise SourceError(f"source {text!r}: expected {_FORM}")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if mark else []
    except ValueError:
        raise SourceError(f"source {text!r}: expected COLUMN=VALUE&... after the question mark") from None
    settings: dict[str, str] = {}
    for name, value in pairs:
        if name in _SETTINGS and (settings.setdefault(name, value) != value or not value):
            raise SourceError(f"source {text!r}: expected one value for {name!r}")
    where = tuple(sorted({pair for pair in pairs if pair[0] not in _SETTINGS}))
    return HubSpec(repository, revision or None, where=where, **settings)


def _refuse_secrets(text: str) -> None:
    """Refuse a token in a source, without repeating it: the name of a source goes into manifests."""
    if re.search(r"hf_[A-Za-z0-9]{20}|[?&]token=|//[^/@]*:[^/@]*@", text):
        raise SourceError("source hf://...: it holds a token: expected none, log in instead: hf auth login")
