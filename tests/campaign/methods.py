"""The ways of replicating that the campaign tries, as flags of the command.

For       Every fault, which is the same whatever the method.
Touches   Nothing.
Promises  Two runs with the flags of one method are "the same command".
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Method:
    """How a worker is started, and whether it ends by itself."""

    name: str
    flags: tuple[str, ...]
    follows: bool = False
    by_log: bool = False
    variants: tuple[str, ...] = ("tiny", "small")  # layouts that it takes for a copy


METHODS = {
    method.name: method
    for method in (
        Method("full", (), variants=("tiny", "small", "ranges")),
        Method("incremental", ("--method", "incremental", "--key", "at", "--sweep", "always")),
        Method("log", ("--method", "log"), by_log=True),
        Method("follow", ("--method", "log", "--follow"), follows=True, by_log=True),
    )
}
