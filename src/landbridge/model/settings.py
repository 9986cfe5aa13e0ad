"""What a user chose for a stream: everything that shapes its tables and its load.

For       Carrying the choices of the command line or a project file to every room.
Touches   Nothing.
Promises  Frozen; `fingerprint` changes exactly when a choice changes a row's values.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, cast

Types = Literal["precise", "simple"]
Names = Literal["lower", "snake", "preserve"]
Arrays = Literal["jsonb", "table"]
Nested = Literal["plain", "extended"]
Nul = Literal["quarantine", "escape"]
Ids = Literal["text", "bytea"]
Raw = Literal["off", "bson", "jsonb"]
Contract = Literal["evolve", "freeze", "quarantine", "discard"]
Load = Literal["overwrite", "upsert", "append"]
Compare = Literal["hash", "values"]
Method = Literal["full", "incremental", "log"]
MissingKey = Literal["by-id", "full"]
OnDdl = Literal["follow", "stop"]

# What a change stream calls the writes that change a document.
OPERATIONS = ("insert", "update", "replace", "delete")

# What decides a table's columns: a table loaded under others is replaced.
SHAPING = ("types", "names", "separator", "flatten_depth", "arrays", "nested", "ids", "raw")

_BY_METHOD = cast("Load", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The choices for one stream; the defaults are those of the command line."""

    types: Types = "precise"
    names: Names = "lower"
    separator: str = "_"
    flatten_depth: int = 1
    arrays: Arrays = "jsonb"
    nested: Nested = "plain"
    nul: Nul = "quarantine"
    ids: Ids = "text"
    raw: Raw = "off"
    contract: Contract = "evolve"
    metadata: bool = False
    columns_max: int = 1000

    method: Method = "full"
    load: Load = _BY_METHOD  # overwrite for the method full, upsert for the others
    key: str = "_id"  # the replication key of `incremental`, dotted where it is nested
    lookback_seconds: float | None = None  # None: 300 for kinds that hold a time, else none
    sweep: int = 1  # deletes are looked for in every Nth incremental run; 0: never
    missing_key: MissingKey = "by-id"
    operations: tuple[str, ...] = OPERATIONS  # what `log` applies
    on_ddl: OnDdl = "follow"
    heal: bool = False
    soft_delete: bool = False
    max_delete_share_percent: float = 20.0
    compare: Compare | None = None
    rewrite_limit_bytes: int = 1 << 30
    indexes: tuple[str, ...] = ()
    take_over: bool = False
    full_refresh: bool = False
    ranges: bool = False

    def __post_init__(self) -> None:
        if self.load is _BY_METHOD:
            chosen: Load = "overwrite" if self.method == "full" else "upsert"
            object.__setattr__(self, "load", chosen)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Settings:
        """Return the settings that `dataclasses.asdict` described, by this version or another."""
        known = {field.name for field in fields(cls)}
        chosen: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in stored.items()
            if name in known
        }
        return cls(**chosen)

    @property
    def keeps_history(self) -> bool:
        """Whether each change is a row of its own, with its operation and its cluster time."""
        return self.method == "log" and self.load == "append"

    @property
    def fingerprint(self) -> bytes:
        """16 bytes that seed every row hash; equal for settings that give equal rows."""
        # Of the contracts only `discard` changes the values of a row that is loaded.
        shaping = {name: getattr(self, name) for name in SHAPING}
        shaping |= {"nul": self.nul, "discards": self.contract == "discard"}
        text = json.dumps(shaping, sort_keys=True).encode()
        return hashlib.blake2b(text, digest_size=16).digest()
