"""What a user chose for a stream: everything that shapes its tables and its load.

For       Carrying the choices of the command line or a project file to every room.
Touches   Nothing.
Promises  Frozen; `fingerprint` changes exactly when a choice changes a row's values.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Literal

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

# What decides a table's columns: a table loaded under others is replaced.
SHAPING = ("types", "names", "separator", "flatten_depth", "arrays", "nested", "ids", "raw")


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

    load: Load = "overwrite"
    soft_delete: bool = False
    max_delete_share_percent: float = 20.0
    compare: Compare | None = None
    rewrite_limit_bytes: int = 1 << 30
    indexes: tuple[str, ...] = ()
    take_over: bool = False
    full_refresh: bool = False
    ranges: bool = False

    @property
    def fingerprint(self) -> bytes:
        """16 bytes that seed every row hash; equal for settings that give equal rows."""
        # Of the contracts only `discard` changes the values of a row that is loaded.
        shaping = {name: getattr(self, name) for name in SHAPING}
        shaping |= {"nul": self.nul, "discards": self.contract == "discard"}
        text = json.dumps(shaping, sort_keys=True).encode()
        return hashlib.blake2b(text, digest_size=16).digest()
