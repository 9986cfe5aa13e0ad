"""Pages that say what the code says are compared with it."""

from __future__ import annotations

import re
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from types import ModuleType

import psycopg
from tests.docs.pages import ROOT

from landbridge.model.cutover import CutoverPlan, Outcome, Quiet, Watch
from landbridge.model.report import QuarantineEntry, StreamPlan
from landbridge.model.summary import StreamSummary, Summary

REFERENCE = ROOT / "docs" / "reference"


def script(name: str) -> ModuleType:
    """Return one of scripts/ as a module."""
    loader = SourceFileLoader(name.replace("-", "_"), str(ROOT / "scripts" / name))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_tables_are_those_of_the_code(postgres: psycopg.Connection) -> None:
    tables = script("reference-tables")
    stale = tables.stale(tables.tables(postgres))
    assert [page.name for page in stale] == [], "run scripts/reference-tables"


def test_the_page_on_json_names_every_key() -> None:
    text = (REFERENCE / "json.md").read_text(encoding="utf-8")
    known = {
        "The report of a run": Summary().to_json(),
        "A stream": StreamSummary("d", "c", "s", "t").to_json(),
        "A planned stream": StreamPlan.__dataclass_fields__,
        "A quarantine entry": QuarantineEntry.__dataclass_fields__,
        "A quiet source": Quiet("", (), "log", 0.0).to_json(),
        "A cutover": Outcome("GO", ()).to_json(),
        "A watch": Watch(0).to_json(),
        "A plan of a cutover": CutoverPlan("", "", "", "", "primary", False, (), ()).to_json(),
    }
    for heading, keys in known.items():
        section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
        assert section is not None, heading
        rows = re.findall(r"^\| (`.+?`) \|", section[1], re.MULTILINE)
        assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == list(keys), heading
