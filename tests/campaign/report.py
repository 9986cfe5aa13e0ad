"""What a campaign found, as a table for a terminal or between the marks of a page.

For       `make campaign`.
Touches   The page that it is told to write.
Promises  Text of the page outside the marks stays as it is.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from .runner import Result

BEGIN = "<!-- campaign (written by make campaign) -->"
END = "<!-- end of campaign -->"
HEAD = ("fault", "method", "tries", "survived", "how runs ended")
ENDINGS_MAX = 6


def rows_of(results: list[Result]) -> list[tuple[str, ...]]:
    """Return one row for each fault and method."""
    rows = []
    for result in results:
        if result.missing:
            rows.append((result.fault, result.method, "0", "–", f"not tried: {result.missing}"))
            continue
        codes: Counter[str] = sum((each.codes for each in result.tries), Counter())
        endings = ", ".join(f"{n} {name}" for name, n in codes.most_common(ENDINGS_MAX))
        failed = [str(each.seed) for each in result.tries if each.trouble]
        if failed:
            endings += f"; failed with seed {', '.join(failed)}"
        rows.append(
            (result.fault, result.method, str(len(result.tries)), str(result.survived), endings)
        )
    return rows


def table(results: list[Result]) -> str:
    """Return the table in Markdown, which a terminal shows well enough."""
    rows = [HEAD, tuple("---" for _ in HEAD), *rows_of(results)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def write(page: Path, results: list[Result]) -> None:
    """Put the table between the marks of a page; rows that were not tried now are kept."""
    text = page.read_text(encoding="utf-8")
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END, text.index(BEGIN))
    fresh = {(row[0], row[1]): row for row in rows_of(results)}
    kept = [
        tuple(cell.strip() for cell in line.strip("| ").split(" | "))
        for line in text[begin:end].strip().splitlines()[2:]
    ]
    rows = {(row[0], row[1]): row for row in kept if len(row) == len(HEAD)} | fresh
    lines = [HEAD, tuple("---" for _ in HEAD), *rows.values()]
    made = "\n".join("| " + " | ".join(row) + " |" for row in lines)
    page.write_text(f"{text[:begin]}\n{made}\n{text[end:]}", encoding="utf-8")
