"""The page of a board in one file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from app_samples import filled_store

from craqbench import cli
from leaderboard.app_alone import alone
from leaderboard.app_tables import take_snapshot
from leaderboard.ranking import export


def page_of(folder: Path, **texts: Any) -> str:
    """Return the page of a board with thirty entries."""
    found = take_snapshot(filled_store(folder, 30, **texts)).first
    assert found
    return alone(found)


def test_all_is_in_the_file(tmp_path: Path) -> None:
    """Every scored entry stands in the table, and nothing is fetched, run, or linked to."""
    page = page_of(tmp_path / "store")
    assert page.count("<tr") == 31
    assert "<script" not in page
    assert re.findall(r'(?:href|src)="(?!https?://)[^"]*"', page) == []
    assert 'content="default-src &#x27;none&#x27;' in page


def test_texts_of_strangers(tmp_path: Path) -> None:
    """Names are shown as they are written, and never run."""
    wild = '<img src=x onerror=alert(1)> href="/x"'
    page = page_of(tmp_path / "store", method=wild, authors=(wild,))
    assert "<img" not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt; href=&quot;/x&quot;") >= 60


def test_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`leaderboard export --format html` writes it; the figures are those of the other formats."""
    store, page = filled_store(tmp_path / "store", 5), tmp_path / "page.html"
    line = ["leaderboard", "export", str(tmp_path), "--format", "html", "--out", str(page)]
    assert cli.main(line) == 0
    assert capsys.readouterr().out == f"{page}: 5 rows\n"
    found = take_snapshot(store).first
    assert found
    assert page.read_text() == alone(found)
    for row in found.ranking.rows:
        figure = row.metrics["f1@2"]
        if figure.value is not None:
            assert f"<b>{figure.value:.3f}</b>" in page.read_text()
            assert f"{figure.value:.3f}" in export(found.ranking, "markdown")
