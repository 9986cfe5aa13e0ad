"""Edits of YAML where it stands: one value, one item, one key; all else stays as it is written.

For       Commands that change a project file.
Touches   Nothing: text in, text out.
Promises  Comments, order, quotes and indentation stay. An edited text is read again, and one that
          does not say what it should is an error, not a file.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from landbridge.config.tree import Tree, read_tree
from landbridge.errors import ProjectError, UnsupportedError

Path = Sequence[str | int]

_STEP = 2
# What some reader of YAML takes for something else than text.
_RESERVED = re.compile(r"(?i)y|n|yes|no|on|off|~")
_FLOW_SIGNS = frozenset(",[]{}")


def with_value(text: str, path: Path, value: Any) -> str:
    """Return the text with a value at a path of keys and indexes; keys on the way are made."""
    changed = _data(text)
    _put(changed, path, value)
    return _checked(_with_value(text, path, value), changed)


def with_item(text: str, path: Path, item: Any) -> str:
    """Return the text with one more item at the end of the list at a path, which may be new."""
    changed = _data(text)
    there = _at(changed, path)
    _put(changed, path, [*(there or []), item])
    return _checked(_with_item(text, path, item), changed)


def without(text: str, path: Path) -> str:
    """Return the text without what is at a path; a list that had nothing else becomes `[]`."""
    changed = _data(text)
    del _at(changed, path[:-1])[path[-1]]
    return _checked(_without(text, path), changed)


def find(tree: Tree | None, path: Path) -> Tree | None:
    """Return what is at a path."""
    for step in path:
        if tree is None:
            return None
        if isinstance(step, int):
            tree = tree.items()[step] if tree.kind == "list" else None
        else:
            tree = tree.get(step)
    return tree


def _with_value(text: str, path: Path, value: Any) -> str:
    tree = read_tree(text, "")
    found = find(tree, path)
    if found is not None:
        return _replaced(text, tree, path, value)
    depth = next(n for n in range(len(path) - 1, -1, -1) if n == 0 or find(tree, path[:n]))
    for name in reversed(path[depth + 1 :]):
        value = {name: value}
    parent = find(tree, path[:depth]) if tree is not None else None
    name = str(path[depth])
    if parent is None:
        return _line_end(text) + "\n".join(_block({name: value}, 0, _list_offset(tree))) + "\n"
    if parent.kind == "scalar" or not parent.node.value:
        return _replaced(text, tree, path[:depth], {name: value})
    if parent.is_flow:
        return f"{text[: parent.end - 1]}, {_scalar(name)}: {_flow(value)}{text[parent.end - 1 :]}"
    lines = _block({name: value}, parent.column, _list_offset(tree))
    return _after_line(text, parent.end, lines)


def _with_item(text: str, path: Path, item: Any) -> str:
    tree = read_tree(text, "")
    found = find(tree, path)
    if found is None or found.kind == "scalar" or not found.node.value:
        return _with_value(text, path, [item])
    if found.is_flow:
        return f"{text[: found.end - 1]}, {_flow(item)}{text[found.end - 1 :]}"
    lines = _block([item], found.column, _list_offset(tree))
    return _after_line(text, found.end, lines)


def _without(text: str, path: Path) -> str:
    tree = read_tree(text, "")
    parent = find(tree, path[:-1])
    assert tree is not None and parent is not None
    if parent.kind == "list" and len(parent.node.value) == 1:
        return _replaced(text, tree, path[:-1], [])
    if parent.kind == "mapping":
        entries = list(parent.entries().values())
        number = list(parent.entries()).index(str(path[-1]))
        if len(entries) == 1 and len(path) > 1:
            return _replaced(text, tree, path[:-1], {})
        starts = [key.start for key, _ in entries]
        ends = [value.end for _, value in entries]
        ends[number] = max(ends[number], entries[number][0].end)
    else:
        number = int(path[-1])
        starts = [one.start for one in parent.items()]
        ends = [one.end for one in parent.items()]
    if parent.is_flow:
        if number + 1 < len(starts):
            return text[: starts[number]] + text[starts[number + 1] :]
        return text[: ends[number - 1]] + text[ends[number] :]
    first = text.rfind("\n", 0, starts[number]) + 1
    before = text[first : starts[number]]
    if parent.kind == "mapping" and before.strip():  # the first key of an item: after its dash
        return text[: starts[number]] + text[starts[number + 1] :]
    last = text.find("\n", ends[number])
    return text[:first] + (text[last + 1 :] if last >= 0 else "")


def _replaced(text: str, tree: Tree | None, path: Path, value: Any) -> str:
    """Return the text with another value where one is."""
    found = find(tree, path)
    assert found is not None
    simple = not isinstance(value, (dict, list)) or not value
    if not path:
        return "\n".join(_block(value, 0, _STEP)) + "\n"
    parent = find(tree, path[:-1])
    assert parent is not None
    stands_alone = found.kind == "scalar" and found.node.value and simple
    if stands_alone or parent.kind == "list" or (found.is_flow and found.node.value):
        return text[: found.start] + _flow(value) + text[found.end :]
    key = parent.entries()[str(path[-1])][0]
    colon = text.index(":", key.end) + 1
    end = max(found.end, colon) if found.node.value or found.is_flow else colon
    if simple or parent.is_flow:
        return f"{text[:colon]} {_flow(value)}{text[end:]}"
    head = text[:colon] + (text[end:].partition("\n")[0] if end == colon else "")
    rest = text[end:].partition("\n")[2] if end == colon else text[end:].removeprefix("\n")
    column = key.column + (_list_offset(tree) if isinstance(value, list) else _STEP)
    lines = _block(value, column, _list_offset(tree))
    return head.rstrip() + "\n" + "\n".join(lines) + "\n" + rest


def _after_line(text: str, index: int, lines: Sequence[str]) -> str:
    """Return the text with lines after the one that holds an index, a comment at its end kept."""
    end = text.find("\n", index)
    if end < 0:
        return _line_end(text) + "\n".join(lines) + "\n"
    return text[: end + 1] + "\n".join(lines) + "\n" + text[end + 1 :]


def _line_end(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"


def _list_offset(tree: Tree | None) -> int:
    """Return by how much the lists of a file stand to the right of their keys."""

    def found(tree: Tree) -> int | None:
        if tree.kind == "scalar" or tree.is_flow:
            return None
        if tree.kind == "list":
            return next((n for one in tree.items() if (n := found(one)) is not None), None)
        for key, value in tree.entries().values():
            if value.kind == "list" and not value.is_flow:
                return value.column - key.column
            if (offset := found(value)) is not None:
                return offset
        return None

    offset = None if tree is None else found(tree)
    return _STEP if offset is None else offset


def _block(value: Any, column: int, list_offset: int) -> list[str]:
    """Return the lines of a mapping or a list that begins at a column."""
    lines: list[str] = []
    margin = " " * column
    if isinstance(value, Mapping):
        for name, part in value.items():
            if isinstance(part, (dict, list)) and part:
                offset = list_offset if isinstance(part, list) else _STEP
                lines.append(f"{margin}{_scalar(name)}:")
                lines += _block(part, column + offset, list_offset)
            else:
                lines.append(f"{margin}{_scalar(name)}: {_flow(part)}")
        return lines
    for item in value:
        if isinstance(item, Mapping) and item:
            first, *rest = _block(item, column + _STEP, list_offset)
            lines += [f"{margin}- {first.lstrip()}", *rest]
        else:
            lines.append(f"{margin}- {_flow(item)}")
    return lines


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    """Return a value as YAML in one line, in quotes only where it needs them."""
    if not isinstance(value, str):
        return json.dumps(value)
    if not value.isprintable():
        return '"' + "".join(_escaped(sign) for sign in value) + '"'
    quoted = "'" + value.replace("'", "''") + "'"
    if not value.strip() or _RESERVED.fullmatch(value) or _FLOW_SIGNS & set(value):
        return quoted
    try:
        tree = read_tree(f"- {value}\n", "")
    except ProjectError:
        return quoted
    same = tree is not None and tree.kind == "list" and tree.items()[0].kind == "scalar"
    return value if same and tree is not None and tree.plain() == [value] else quoted


def _escaped(sign: str) -> str:
    if sign in '"\\':
        return f"\\{sign}"
    return sign if sign.isprintable() else f"\\U{ord(sign):08x}"


def _data(text: str) -> Any:
    tree = read_tree(text, "")
    return {} if tree is None else copy.deepcopy(tree.plain())


def _at(data: Any, path: Path) -> Any:
    for step in path:
        if data is None or (isinstance(step, str) and step not in data):
            return None
        data = data[step]
    return data


def _put(data: Any, path: Path, value: Any) -> None:
    """Set a value in plain data, making the mappings on the way."""
    for step in path[:-1]:
        if isinstance(step, str) and data.get(step) is None:
            data[step] = {}
        data = data[step]
    data[path[-1]] = value


def _checked(text: str, wanted: Any) -> str:
    try:
        found = _data(text)
    except (ProjectError, ValueError):
        found = None
    if found != wanted:
        raise UnsupportedError(
            "cannot edit the file by itself",
            why="what is to be changed is written in a way that one line does not change",
            fix="edit it by hand; landbridge config check reads it again",
        )
    return text
