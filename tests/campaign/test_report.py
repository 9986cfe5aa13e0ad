"""The table of a campaign goes between the marks of its page, and tells failed seeds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests.campaign import report
from tests.campaign.runner import Result, Try
from tests.docs.pages import ROOT


@pytest.fixture
def page(tmp_path: Path) -> Path:
    page = tmp_path / "page.md"
    page.write_text(f"before\n\n{report.BEGIN}\n{report.END}\n\nafter\n")
    return page


def result(fault: str, *troubles: str) -> Result:
    tries = [
        Try(seed, "struck", trouble, 1.0, Counter({"ok": 2}))
        for seed, trouble in enumerate(troubles)
    ]
    return Result(fault, "full", tries=tries)


def test_a_table_is_written_and_other_rows_are_kept(page: Path) -> None:
    report.write(page, [result("cut", "", "lost: orders 'int 5'"), result("killed", "")])
    report.write(page, [result("killed", "", ""), Result("disk", "full", "needs root")])
    text = page.read_text()
    assert text.startswith("before\n\n") and text.endswith("\n\nafter\n")
    assert text.count("| fault |") == 1
    assert "| cut | full | 2 | 1 | 4 ok; failed with seed 1 |" in text
    assert "| killed | full | 2 | 2 | 4 ok |" in text
    assert "| disk | full | 0 | – | not tried: needs root |" in text


def test_the_page_on_reliability_has_the_marks() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert text.index(report.BEGIN) < text.index(report.END, text.index(report.BEGIN))
