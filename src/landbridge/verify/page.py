"""The page of a verification: one HTML file that says everything, to be kept.

For       `verify --html`, and the cutover, which archives it.
Touches   Nothing: a verdict in, text out.
Promises  It needs no other file and runs nothing. Whatever comes from a database is escaped. No
          password stands in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from landbridge.errors import redact
from landbridge.model.amounts import count_of, duration
from landbridge.model.verification import Aggregate, StreamVerdict, Verification

DIFFERENCES_MAX = 1000  # named of each kind and stream
METRICS = ("count", "nulls", "distinct", "min", "max", "sum")
WORDS = {"equal": "EQUAL", "different": "DIFFERENT", "failed": "FAILED"}

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #137333; --bad: #b3261e; --soft: #8881 }
@media (prefers-color-scheme: dark) { :root { --good: #6dd58c; --bad: #ff8a80 } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem }
table { border-collapse: collapse; margin: .3rem 0; display: block; overflow-x: auto }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: break-word }
th { font-weight: 600 }
.n { text-align: right; font-variant-numeric: tabular-nums }
@media screen { .n, .verdict { white-space: nowrap } }
code, .id { font: .9em ui-monospace, monospace; overflow-wrap: anywhere }
.equal { color: var(--good) } .different, .failed { color: var(--bad) }
tr.apart { background: var(--soft) } .verdict { font-weight: 700 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1.5rem; margin: 1rem 0 }
dt { font-weight: 600 } dd { margin: 0; overflow-wrap: anywhere } ul { padding-left: 1.2rem }
@page { size: A4 landscape; margin: 12mm }
@media print { body { margin: 0; max-width: none; padding: 0; font-size: 8pt }
  table { display: table } tr { break-inside: avoid } h2, h3 { break-after: avoid }
  td.n { overflow-wrap: anywhere } }
"""


def page_of(verification: Verification) -> str:
    """Return the page of a verification."""
    return "\n".join(_page(verification)) + "\n"


def _page(verification: Verification) -> Iterator[str]:
    status = verification.status
    title = f"Verification: {WORDS[status]}"
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
    yield " style-src 'unsafe-inline'\">"
    yield f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>"
    yield f'<h1>Verification: <span class="{status}">{WORDS[status]}</span></h1>'
    yield "<dl>"
    for label, value in _heading(verification):
        yield f"<dt>{_text(label)}</dt><dd>{_text(value)}</dd>"
    yield "</dl>"
    if verification.error:
        yield f'<p class="failed">{_text(verification.error.get("message", ""))}</p>'
    yield from _notes(verification.notes)
    yield from _overview(verification.streams)
    for number, stream in enumerate(verification.streams):
        yield from _stream(stream, f"s{number}")
    yield "</body>\n</html>"


def _heading(verification: Verification) -> Iterator[tuple[str, str]]:
    yield "source", redact(verification.source)
    yield "target", redact(verification.target)
    yield "begun", verification.started_at
    yield "ended", verification.finished_at
    yield "took", duration(verification.seconds)
    yield from verification.versions.items()


def _overview(streams: Sequence[StreamVerdict]) -> Iterator[str]:
    yield '<table><tr><th>collection</th><th>table</th><th>mode</th><th class="n">MongoDB</th>'
    yield '<th class="n">PostgreSQL</th><th class="n">Δ</th><th class="n">in quarantine</th>'
    yield '<th class="n">seconds</th><th>verdict</th></tr>'
    for number, one in enumerate(streams):
        counts = (one.source_count, one.target_count, one.delta, one.quarantined)
        cells = "".join(f'<td class="n">{count:,}</td>' for count in counts)
        yield (
            f'<tr><td><a href="#s{number}">{_text(one.stream)}</a></td><td>{_text(one.table)}</td>'
            f"<td>{_text(one.mode)}</td>{cells}"
            f'<td class="n">{one.seconds:.1f}</td>'
            f'<td class="verdict {one.status}">{WORDS[one.status]}</td></tr>'
        )
    yield "</table>"


def _stream(stream: StreamVerdict, anchor: str) -> Iterator[str]:
    yield f'<h2 id="{anchor}">{_text(stream.stream)} → {_text(stream.table or "no table")}</h2>'
    if stream.error:
        message = f"{stream.error.get('message', '')} ({stream.error.get('fix', '')})"
        yield f'<p class="failed">{_text(redact(message))}</p>'
    if stream.source_hash is not None:
        yield "<dl>"
        for label, value in (("source", stream.source_hash), ("target", stream.target_hash)):
            yield f"<dt>hash of the {label}</dt><dd><code>{_text(value)}</code></dd>"
        yield "</dl>"
    facts = []
    if stream.rechecked:
        facts.append(f"{count_of(stream.rechecked, 'document')} looked at again")
    if stream.repaired:
        facts.append(f"{count_of(stream.repaired, 'document')} repaired")
    yield from _notes([*facts, *stream.notes])
    for word, ids in (("missing", stream.missing), ("extra", stream.extra)):
        yield from _listed(word, [(one, ()) for one in ids])
    yield from _listed("different", [(one.id, one.fields) for one in stream.different])
    yield from _figures([one for one in stream.aggregates if not one.group])
    yield from _groups([one for one in stream.aggregates if one.group])


def _notes(notes: Iterable[str]) -> Iterator[str]:
    lines = [f"<li>{_text(redact(note))}</li>" for note in notes]
    if lines:
        yield "<ul>" + "".join(lines) + "</ul>"


def _listed(word: str, found: Sequence[tuple[str, Sequence[str]]]) -> Iterator[str]:
    if not found:
        return
    yield f'<h3 class="different">{_text(word)}: {count_of(len(found), "document")}</h3>'
    yield "<table><tr><th>_id</th><th>fields</th></tr>"
    for identity, fields in found[:DIFFERENCES_MAX]:
        shown = _text(", ".join(fields))
        yield f'<tr><td class="id">{_text(identity)}</td><td class="id">{shown}</td></tr>'
    yield "</table>"
    if len(found) > DIFFERENCES_MAX:
        yield f"<p>… and {len(found) - DIFFERENCES_MAX:,} more: they are in the JSON report.</p>"


def _figures(columns: Sequence[Aggregate]) -> Iterator[str]:
    if not columns:
        return
    yield "<h3>columns</h3><table><tr><th>column</th><th></th>"
    yield "".join(f'<th class="n">{metric}</th>' for metric in METRICS) + "<th>others</th></tr>"
    for name, members in _by_name(columns).items():
        apart = any(not one.equal for one in members)
        sides = (("source", "MongoDB"), ("target", "PostgreSQL")) if apart else (("source", ""),)
        for side, label in sides:
            found = {one.metric: one for one in members}
            cells = "".join(_cell(found.get(metric), side) for metric in METRICS)
            others = "; ".join(
                f"{one.metric} {_written(getattr(one, side))}{_sign(one)}"
                for one in members
                if one.metric not in METRICS
            )
            style = ' class="apart"' if apart else ""
            yield (
                f"<tr{style}><td>{_text(name)}</td><td>{label}</td>{cells}<td>{_text(others)}</td></tr>"
            )
    yield "</table>"


def _cell(one: Aggregate | None, side: str) -> str:
    if one is None:
        return "<td></td>"
    estimate = "" if one.judged else "≈ "
    style = "n" if one.equal else "n different"
    text = f"{estimate}{_written(getattr(one, side))}{_sign(one)}"
    return f'<td class="{style}">{_text(text)}</td>'


def _sign(one: Aggregate) -> str:
    return "" if one.equal else " ≠"


def _groups(members: Sequence[Aggregate]) -> Iterator[str]:
    for name, found in _by_name(members).items():
        yield f"<h3>{_text(name)}</h3><table><tr>"
        yield "".join(f"<th>{_text(key)}</th>" for key in found[0].group)
        yield '<th>figure</th><th class="n">MongoDB</th><th class="n">PostgreSQL</th><th></th></tr>'
        for one in found:
            keys = "".join(f"<td>{_text(_written(value))}</td>" for value in one.group.values())
            style = "" if one.equal else ' class="apart"'
            yield (
                f"<tr{style}>{keys}<td>{_text(one.metric)}</td>"
                f'<td class="n">{_text(_written(one.source))}</td>'
                f'<td class="n">{_text(_written(one.target))}</td>'
                f'<td class="different">{_sign(one)}</td></tr>'
            )
        yield "</table>"


def _by_name(members: Iterable[Aggregate]) -> dict[str, list[Aggregate]]:
    found: dict[str, list[Aggregate]] = {}
    for one in members:
        found.setdefault(one.name, []).append(one)
    return found


def _written(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return json.dumps(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _text(value: Any) -> str:
    """Return a value as text of the page: escaped, its control characters made visible."""
    shown = "".join(
        char if char.isprintable() or char in "\n\t" else f"\\x{ord(char):02x}"
        for char in str(value)
    )
    return escape(shown)
