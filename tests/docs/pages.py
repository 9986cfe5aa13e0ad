"""The pages of the documentation, taken apart: code blocks, links, headings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
RUN = ("bash", "sql", "python")

_BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_CODE_SPAN = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: what it is written in, what it says, and where it begins."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """Return the code blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(match["language"], match["text"], text.count("\n", 0, match.start()) + 1)
        for match in _BLOCK.finditer(text)
    ]


def links(page: Path) -> list[str]:
    """Return the targets of a page's links and pictures, outside code."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    return _LINK.findall(_CODE_SPAN.sub("", text))


def anchors(page: Path) -> set[str]:
    """Return what a link may name after `#`, as GitHub makes it of headings."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    slugs = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(text))
    return {slug.strip().replace(" ", "-") for slug in slugs}


def name_of(page: Path) -> str:
    """Return a page's path from the root, as the name of its test."""
    return str(page.relative_to(ROOT))
