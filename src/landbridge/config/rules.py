"""The patterns of `select` in a project file: which collections they take.

For       `run`, `select`, `config test`.
Touches   Nothing.
Promises  `*`, `?` and `[…]` match as in file names; `!` leaves out, and goes before what takes
          in. `!*.*` beside other patterns is passed over, aloud: those who write it mean to begin
          with nothing. A pattern for single fields is refused, never widened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from landbridge.errors import UnsupportedError
from landbridge.model.project import Plugin, SelectRule, StreamMetadata

ALL = "*"
SYSTEM_PREFIX = "system."

Names = tuple[str, ...]  # of one collection


@dataclass(frozen=True, slots=True)
class StreamRule:
    """A pattern, taken apart."""

    stream: str
    fields: str
    takes: bool  # else it leaves out
    origin: str

    @property
    def text(self) -> str:
        """The pattern as a file has it."""
        stream = self.stream.replace(".", "\\.") if self.fields != ALL else self.stream
        return f"{'' if self.takes else '!'}{stream}.{self.fields}"

    @property
    def is_blanket(self) -> bool:
        """Whether it leaves out everything."""
        return not self.takes and self.stream == ALL and self.fields == ALL


@dataclass(frozen=True, slots=True)
class Selection:
    """What a plugin's patterns come to."""

    rules: tuple[StreamRule, ...]
    notes: tuple[str, ...]

    def takes(self, stream: Names) -> bool:
        """Whether a collection is taken."""
        if stream[0].startswith(SYSTEM_PREFIX):
            return False
        return any(matches(one.stream, stream) for one in self.rules if one.takes) and not any(
            matches(one.stream, stream) for one in self.rules if not one.takes
        )

    def idle(self, streams: Iterable[Names]) -> list[StreamRule]:
        """Return the patterns that take in, and match nothing of what there is."""
        there = list(streams)
        return [
            one
            for one in self.rules
            if one.takes and not any(matches(one.stream, stream) for stream in there)
        ]


def names_of(database: str, collection: str) -> Names:
    """Return the names that the variants of the extractor give a collection, its own first."""
    return collection, f"{database}-{collection}", f"{database}_{collection}"


def matches(pattern: str, stream: Names) -> bool:
    """Whether a pattern stands for one of the names of a collection."""
    return any(pattern == name or fnmatchcase(name, pattern) for name in stream)


def read_rule(rule: SelectRule) -> StreamRule:
    """Take a pattern apart: `!orders.*`, `fs.files.*`, `orders`."""
    text = rule.text.strip()
    takes = not text.startswith("!")
    text = text.removeprefix("!")
    if text.endswith(".*"):
        return StreamRule(text[:-2].replace("\\.", "."), ALL, takes, rule.origin)
    marked = text.replace("\\.", "\0")
    stream, dot, fields = marked.partition(".")
    return StreamRule(
        stream.replace("\0", "."), fields.replace("\0", ".") if dot else ALL, takes, rule.origin
    )


def selection_of(plugin: Plugin) -> Selection:
    """Return what the patterns of an extractor come to; without any it is everything.

    Raises:
        UnsupportedError: a pattern is for single fields.

    """
    given = plugin.select
    if given is None:
        return Selection((StreamRule(ALL, ALL, True, "default"),), ())
    rules = [read_rule(rule) for rule in given]
    for one in rules:
        if one.fields != ALL:
            raise UnsupportedError(
                f"cannot select single fields: {one.text}",
                why=f"{one.origin} selects fields of a collection; this version copies whole "
                "documents, and would copy what is meant to stay out",
                fix="select the collection: landbridge select "
                f"{plugin.name} {one.stream!r} '*', or leave it out",
            )
    notes: tuple[str, ...] = ()
    blanket = [one for one in rules if one.is_blanket]
    if blanket and any(one.takes for one in rules):
        notes = (
            f"{blanket[0].origin}: !*.* would leave out everything that the other patterns take "
            "in; it is passed over",
        )
        rules = [one for one in rules if not one.is_blanket]
    return Selection(tuple(rules), notes)


def passes(filter_: Sequence[SelectRule], stream: Names) -> bool:
    """Whether `select_filter` lets a collection through: names, and with `!` all but these."""
    if any(matches(one.text[1:], stream) for one in filter_ if one.text.startswith("!")):
        return False
    only = [one.text for one in filter_ if not one.text.startswith("!")]
    return not only or any(matches(text, stream) for text in only)


def metadata_of(metadata: Sequence[StreamMetadata], stream: Names) -> dict[str, StreamMetadata]:
    """Return what `metadata` says of a collection, by name; what comes later goes first."""
    return {one.name: one for one in metadata if matches(one.pattern, stream)}
