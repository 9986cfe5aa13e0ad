"""Links of the pages lead somewhere, and every page is led to."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.pages import PAGES, ROOT, anchors, links, name_of

PARTS = ("We need", "We chose", "We weighed", "It costs", "We look again when", "Proof")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_inside_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name_of(page)} links to {link}"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{name_of(page)} links to {link}"


def test_every_page_is_linked_from_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    pages = {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - {index}
    assert {name_of(page) for page in pages - listed} == set()


def test_decisions_have_the_form_of_a_record() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text(encoding="utf-8")
        assert text.startswith(f"# {record.name[:4]}  "), record.name
        for part in PARTS:
            assert f"**{part}**" in text, f"{record.name}: {part}"
