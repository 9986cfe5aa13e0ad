"""One line over time, as an SVG that a page shows.

For       The picture of the lag in `docs/`.
Touches   Nothing.
Promises  Readable on a light and on a dark page.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 860, 300, 56, 40, 36
POINTS_MAX = 800


def plot(times: Sequence[float], values: Sequence[float], title: str) -> str:
    """Return the picture; `times` are in seconds from 0."""
    step = max(1, len(times) // POINTS_MAX)
    points = [(times[i], max(values[i : i + step])) for i in range(0, len(times), step)]
    last, highest = max(times), max(max(values), 1.0)
    wide, high = WIDTH - LEFT - 16, HEIGHT - TOP - BOTTOM

    def place(time: float, value: float) -> str:
        return f"{LEFT + time / last * wide:.1f},{TOP + (1 - value / highest) * high:.1f}"

    line = " ".join(place(*point) for point in points)
    marks = []
    for part in range(5):
        value, time = highest * part / 4, last * part / 4
        y = TOP + (1 - part / 4) * high
        marks.append(f'<path d="M{LEFT} {y:.1f}h{wide}" stroke="#8888" stroke-width="0.5"/>')
        marks.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.2f}</text>')
        x = LEFT + part / 4 * wide
        marks.append(
            f'<text x="{x:.1f}" y="{HEIGHT - 14}" text-anchor="middle">{time:.0f} s</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="12" fill="#888">\n'
        f'<text x="{LEFT}" y="20" font-size="14">{escape(title)}</text>\n'
        + "\n".join(marks)
        + f'\n<polyline points="{line}" fill="none" stroke="#2f7ed8" stroke-width="1.5"/>\n</svg>\n'
    )
