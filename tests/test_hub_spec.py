"""The name of a repository as a source: read, written, and refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craqbench.errors import SourceError
from craqbench.hub_spec import HubSpec, parse_hub

SHA = "0123456789abcdef0123456789abcdef01234567"

words = st.text(min_size=1, max_size=12)
columns = words.filter(lambda name: name not in {"column", "config", "split", "token"})


def test_parts() -> None:
    """Repository, revision, settings and filters are told apart; filters are sorted, and each counts once."""
    spec = parse_hub("hf://huggan/wikiart@v1.0?style=Baroque&split=test&column=photo&style=Art Nouveau")
    where = (("style", "Art Nouveau"), ("style", "Baroque"))
    assert spec == HubSpec("huggan/wikiart", "v1.0", "", "test", "photo", where)
    assert parse_hub("hf://huggan/wikiart") == HubSpec("huggan/wikiart")
    assert parse_hub("hf://datasets/huggan/wikiart") == HubSpec("huggan/wikiart")
    assert parse_hub("hf://mnist@refs/convert/parquet").revision == "refs/convert/parquet"


@pytest.mark.parametrize(
    ("revision", "pinned"), [(None, False), ("main", False), (SHA, True), (SHA[1:], False)]
)
def test_only_a_commit_is_pinned(revision: str | None, *, pinned: bool) -> None:
    """A branch, a tag and the beginning of a commit may come to mean something else."""
    assert HubSpec("a/b", revision).is_pinned is pinned


@settings(max_examples=60, deadline=None, derandomize=True)
@given(where=st.lists(st.tuples(columns, words), max_size=4), split=st.sampled_from(["", "train"]))
def test_written_and_read_again(where: list[tuple[str, str]], split: str) -> None:
    """Whatever is filtered for, the written form reads back as the same."""
    try:
        spec = HubSpec("lab/wikiart", SHA, "", split, "image", tuple(sorted(set(where))))
        written = str(spec)
    except UnicodeEncodeError:
        return
    assert parse_hub(written) == spec
    assert written.isascii()


@pytest.mark.parametrize(
    "text",
    ["hf://", "hf://a/b/c", "hf://a/b@", "hf://a b/c", "hf://a/b?style", "hf://a/b?split=",
     "hf://a/b?split=x&split=y", "hf://../b"],
)  # fmt: skip
def test_malformed(text: str) -> None:
    """A malformed name is quoted, with what was expected."""
    with pytest.raises(SourceError, match="expected") as caught:
        parse_hub(text)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["hf://lab/wikiart?x=hf_secretsecretsecretsecret", "hf://lab/wikiart?token=secret", "hf://me:secret@a/b"],
)
def test_tokens_are_refused_and_not_repeated(text: str) -> None:
    """A source with a token in it would be written into manifests: it is refused, without an echo."""
    with pytest.raises(SourceError, match="hf auth login") as caught:
        parse_hub(text)
    assert "secret" not in str(caught.value)
