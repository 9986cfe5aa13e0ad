"""What a benchmark found: figures with their unit, and the aim they are read against.

For       Printing one table for people and one JSON for machines.
Touches   Nothing but the stream that is printed to.
Promises  Ratios are of medians of pairs measured in turn; nothing is judged.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One number."""

    part: str
    case: str
    what: str
    value: float
    unit: str
    aim: str = ""
    low: float | None = None
    high: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as an object of the JSON report."""
        return asdict(self)

    @property
    def text(self) -> str:
        """The number for people."""
        return f"{_short(self.value)} {self.unit}"

    @property
    def range(self) -> str:
        """Smallest and largest of several, for people."""
        if self.low is None or self.high is None:
            return ""
        return f"{_short(self.low)} – {_short(self.high)}"


def of_several(
    part: str, case: str, what: str, values: list[float], unit: str, aim: str = ""
) -> Figure:
    """Return the median of several measurements as a figure."""
    return Figure(part, case, what, median(values), unit, aim, min(values), max(values))


def show(figures: list[Figure], console: Console) -> None:
    """Print figures as a table."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("part", "case", "what"):
        table.add_column(column)
    for column in ("median", "range", "aim"):
        table.add_column(column, justify="right")
    for figure in figures:
        table.add_row(figure.part, figure.case, figure.what, figure.text, figure.range, figure.aim)
    console.print(table)


def _short(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
