"""Marks: what PostgreSQL doesn't keep of a value that it takes, noted while it is written.

For       Counting, path by path, each value that is equal only by value or was escaped.
Touches   Nothing.
Promises  A mark is set and never taken back.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Marks:
    """What writing one value brought about."""

    by_value: bool = False  # -0.0 became 0, or jsonb reorders or merges keys
    escaped: bool = False  # a string held NUL, or the sign that stands for it
