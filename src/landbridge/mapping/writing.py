"""Rules written as the mapping file that people edit, with comments where they should look.

For       `mapping propose`.
Touches   Nothing.
Promises  What is written reads back as the same rules. A line is one column while it fits.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from landbridge.mapping.rules import ChildRule, CollectionRule, ColumnRule, KeyRule
from landbridge.mapping.rules import Mapping as Rules

WIDTH = 100
INDENT = "  "

Comments = Mapping[tuple[str, ...], Sequence[str]]  # by path of keys

_PLAIN = re.compile(r"[A-Za-z_][\w-]*(?:[ .][\w-]+)*", re.ASCII)
# What some reader of YAML takes for something else than text.
_RESERVED = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null|nan|inf|~")


def write_mapping(
    mapping: Rules, comments: Comments | None = None, head: Sequence[str] = ()
) -> str:
    """Return the text of a mapping file.

    Args:
        mapping: the rules.
        comments: lines for the key at a path, such as `("collections", "users", "columns",
            "email")`; the last part is empty for what stands after the last of the keys, and
            `("end",)` is the end of the file.
        head: lines before everything.

    """
    said = comments or {}
    lines = [f"# {line}" if line else "" for line in _clean(head)]
    lines += [f"version: {mapping.version}", f"schema: {scalar(mapping.schema)}"]
    lines += _skip(mapping, said)
    if mapping.collections:
        lines.append("collections:")
        for rule in mapping.collections:
            lines += _collection(rule, said)
    else:
        lines.append("collections: {}")
    lines += _said(said, ("end",), "")
    return "\n".join(lines) + "\n"


def scalar(value: Any) -> str:
    """Return a value as YAML 1.2 reads it back, on one line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return ".nan"
        if math.isinf(value):
            return ".inf" if value > 0 else "-.inf"
        text = repr(value)
        return text if "e" not in text or "." in text else text.replace("e", ".0e")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return _flow([(str(name), scalar(one)) for name, one in value.items()])
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(scalar(one) for one in value)}]"
    text = str(value)
    if _PLAIN.fullmatch(text) and not _RESERVED.fullmatch(text):
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(sign: str) -> str:
    if sign in '"\\':
        return "\\" + sign
    if sign.isprintable() and sign != "\ufeff":
        return sign
    if sign in "\n\r\t":
        return json.dumps(sign)[1:-1]
    code = ord(sign)
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else (f"\\U{code:08x}")
    )


def _clean(lines: Sequence[str]) -> Iterator[str]:
    """Yield lines that hold no line break: what documents hold stands in them."""
    for line in lines:
        yield "".join(c if c.isprintable() else " " for c in line).rstrip()


def _said(said: Comments, place: tuple[str, ...], indent: str) -> list[str]:
    return [f"{indent}# {line}" for line in _clean(said.get(place, ()))]


def _flow(members: Sequence[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{scalar(name)}: {value}" for name, value in members) + "}"


def _skip(mapping: Rules, said: Comments) -> list[str]:
    if not mapping.skip:
        return []
    if not any(place[0] == "skip" for place in said):
        return [f"skip: {scalar(mapping.skip)}"]
    lines = ["skip:"]
    for name in mapping.skip:
        notes = "; ".join(_clean(said.get(("skip", name), ())))
        lines.append(f"{INDENT}- {scalar(name)}" + (f"  # {notes}" if notes else ""))
    return lines


def _collection(rule: CollectionRule, said: Comments) -> list[str]:
    place = ("collections", rule.collection)
    indent = INDENT * 2
    lines = [
        *_said(said, place, INDENT),
        f"{INDENT}{scalar(rule.collection)}:",
        f"{indent}table: {scalar(rule.table)}",
        *_said(said, (*place, "key"), indent),
        f"{indent}key: {_key(rule.key)}",
        *_columns(rule.columns, (*place, "columns"), indent, said),
    ]
    if rule.children:
        lines.append(f"{indent}children:")
        for child in rule.children:
            lines += _child(child, (*place, "children", child.source), indent + INDENT, said)
    if rule.ignore:
        lines += _said(said, (*place, "ignore"), indent)
        lines += _list("ignore", rule.ignore, indent)
    return lines


def _list(name: str, values: Sequence[str], indent: str) -> list[str]:
    line = f"{indent}{name}: {scalar(tuple(values))}"
    if len(line) <= WIDTH:
        return [line]
    return [f"{indent}{name}:", *(f"{indent}{INDENT}- {scalar(value)}" for value in values)]


def _key(key: KeyRule) -> str:
    return _flow([("column", scalar(key.column)), ("as", key.form)])


def _child(child: ChildRule, place: tuple[str, ...], indent: str, said: Comments) -> list[str]:
    inner = indent + INDENT
    lines = [
        *_said(said, place, indent),
        f"{indent}{scalar(child.source)}:",
        f"{inner}table: {scalar(child.table)}",
        f"{inner}parent: {scalar(child.parent)}",
    ]
    if child.key:
        lines.append(f"{inner}key: {_key(child.key)}")
    if child.ordinal:
        lines.append(f"{inner}ordinal: {scalar(child.ordinal)}")
    return [*lines, *_columns(child.columns, (*place, "columns"), inner, said)]


def _columns(
    rules: Sequence[ColumnRule], place: tuple[str, ...], indent: str, said: Comments
) -> list[str]:
    inner = indent + INDENT
    lines = [f"{indent}columns:" if rules else f"{indent}columns: {{}}"]
    for rule in rules:
        lines += _said(said, (*place, rule.column), inner)
        lines += _column(rule, inner)
    return [*lines, *_said(said, (*place, ""), inner)]


def _column(rule: ColumnRule, indent: str) -> list[str]:
    members: list[tuple[str, str]] = []
    if rule.source is not None:
        members.append(("from", scalar(rule.source)))
    if rule.source is not None or rule.cast != "text":
        members.append(("as", rule.cast))
    if rule.of:
        members.append(("of", rule.of))
    if rule.to:
        members.append(("to", scalar(rule.to)))
    if rule.dangling:
        members.append(("dangling", scalar(rule.dangling)))
    if rule.values:
        members.append(("values", scalar(rule.values)))
    if rule.default is not None or rule.source is None:
        members.append(("default", scalar(rule.default)))
    if rule.required:
        members.append(("required", "true"))
    if rule.confidence is not None:
        members.append(("confidence", scalar(rule.confidence)))
    line = f"{indent}{scalar(rule.column)}: {_flow(members)}"
    if len(line) <= WIDTH:
        return [line]
    inner = indent + INDENT
    lines = [f"{indent}{scalar(rule.column)}:"]
    for name, value in members:
        if name == "values" and len(inner) + len(name) + 2 + len(value) > WIDTH:
            lines.append(f"{inner}values:")
            lines += [
                f"{inner}{INDENT}{scalar(seen)}: {scalar(label)}"
                for seen, label in rule.values.items()
            ]
        else:
            lines.append(f"{inner}{name}: {value}")
    return lines
