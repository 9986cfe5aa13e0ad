"""The mapping file: YAML that people edit, read into rules.

For       `import --mapping`, and everything else that goes by a mapping.
Touches   Nothing: text in, rules out.
Promises  All that is wrong with a file is told at once, each with its line and its key path.
          What is not understood is an error, never skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from landbridge.errors import MappingError
from landbridge.mapping import rules
from landbridge.mapping.rules import (
    Cast,
    ChildRule,
    CollectionRule,
    ColumnRule,
    Dangling,
    IdForm,
    KeyRule,
)

VERSION = 1

_CASTS: tuple[str, ...] = get_args(Cast)
_ELEMENT_CASTS = tuple(cast for cast in _CASTS if cast not in ("array", "id", "json"))
_FORMS: tuple[str, ...] = get_args(IdForm)
_POLICIES: tuple[str, ...] = get_args(Dangling)
_CHILD_FORMS = ("uuid", "cuid")

_COLUMN_KEYS = (
    "from",
    "as",
    "values",
    "of",
    "to",
    "dangling",
    "default",
    "required",
    "confidence",
)


def read_mapping(text: str, name: str) -> rules.Mapping:
    """Return the rules of a mapping file; `name` is what messages call the file.

    Raises:
        MappingError: it is not YAML, or says something that is not understood.

    """
    reader = YAML(typ="rt")
    try:
        tree = reader.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise _invalid(name, [f"{line}{error.problem or error.context}"]) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise _invalid(name, [" ".join(str(error).split())]) from None
    reading = _Reading()
    mapping = reading.mapping(tree)
    if reading.problems:
        raise _invalid(name, reading.problems)
    return mapping


def _invalid(name: str, problems: Sequence[str]) -> MappingError:
    return MappingError(
        f"the mapping {name} cannot be used",
        problems,
        fix="mend these lines; landbridge mapping propose writes a file to start from",
    )


class _Reading:
    """One pass over a file; problems are gathered, and reading goes on."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def mapping(self, tree: Any) -> rules.Mapping:
        empty = rules.Mapping("", ())
        if not isinstance(tree, Mapping):
            self.problems.append("line 1: it should be a mapping with version and collections")
            return empty
        self._known(tree, "", ("version", "schema", "skip", "collections"))
        version = tree.get("version")
        if version != VERSION:
            self._add(tree, "version", "version", f"it should be {VERSION}, and is {version!r}")
        schema = self._text(tree, "", "schema", "public")
        skip = self._names(tree, "", "skip")
        collections = self._each(tree, "", "collections", self._collection)
        if not collections and "collections" not in tree:
            self._add(tree, "", "collections", "it is missing")
        for name in skip:
            if any(one.collection == name for one in collections):
                self._add(tree, "skip", "skip", f"{name} is also among the collections")
        return rules.Mapping(schema, tuple(collections), skip, VERSION)

    def _collection(self, node: Mapping[str, Any], path: str, name: str) -> CollectionRule:
        self._known(node, path, ("table", "key", "columns", "children", "ignore"))
        key = self._key(node, path, _FORMS)
        if key is None and "key" not in node:
            self._add(node, "", f"{path}.key", "it is missing")
        return CollectionRule(
            collection=name,
            table=self._text(node, path, "table"),
            key=key or KeyRule("", "uuid"),
            columns=tuple(self._each(node, path, "columns", self._column)),
            children=tuple(self._each(node, path, "children", self._child)),
            ignore=self._names(node, path, "ignore"),
        )

    def _child(self, node: Mapping[str, Any], path: str, name: str) -> ChildRule:
        self._known(node, path, ("table", "parent", "key", "ordinal", "columns"))
        ordinal = self._text(node, path, "ordinal") if "ordinal" in node else None
        return ChildRule(
            source=name,
            table=self._text(node, path, "table"),
            parent=self._text(node, path, "parent"),
            columns=tuple(self._each(node, path, "columns", self._column)),
            key=self._key(node, path, _CHILD_FORMS),
            ordinal=ordinal,
        )

    def _key(self, node: Mapping[str, Any], path: str, forms: Sequence[str]) -> KeyRule | None:
        if "key" not in node:
            return None
        key, place = node["key"], f"{path}.key"
        if not isinstance(key, Mapping):
            self._add(node, "key", place, "it should be {column: …, as: …}")
            return None
        self._known(key, place, ("column", "as"))
        form: Any = self._word(key, place, "as", forms, "")
        if not form and "as" not in key:
            self._add(node, "key", f"{place}.as", f"it is missing: {', '.join(forms)}")
        return KeyRule(self._text(key, place, "column"), form or "uuid")

    def _column(self, node: Mapping[str, Any], path: str, name: str) -> ColumnRule:
        self._known(node, path, _COLUMN_KEYS)
        source = self._text(node, path, "from") if "from" in node else None
        if source is None and "default" not in node:
            self._add(node, "", path, "it has neither from nor default")
        cast: Any = self._word(node, path, "as", _CASTS, "text")
        of: Any = self._word(node, path, "of", _ELEMENT_CASTS, "")
        if cast == "array" and not of:
            self._add(node, "as", f"{path}.of", "it is missing: what each element is")
        if "values" in node and cast != "enum" and of != "enum":
            self._add(node, "values", f"{path}.values", "only as: enum has values")
        if cast != "id":
            for key in ("to", "dangling"):
                if key in node:
                    self._add(node, key, f"{path}.{key}", f"only as: id has {key}")
        return ColumnRule(
            column=name,
            source=source,
            cast=cast,
            values=self._values(node, path),
            of=of or None,
            to=self._text(node, path, "to") if "to" in node else "",
            dangling=self._policy(node, path),
            default=_plain(node.get("default")),
            required=self._truth(node, path, "required"),
            confidence=self._share(node, path, "confidence"),
        )

    def _policy(self, node: Mapping[str, Any], path: str) -> Dangling | None:
        if "dangling" not in node:
            return None
        if node["dangling"] is None:  # `null` without its quotes
            return "null"
        policy: Any = self._word(node, path, "dangling", _POLICIES, "")
        return policy or None

    def _values(self, node: Mapping[str, Any], path: str) -> dict[str, str]:
        values = node.get("values")
        if values is None:
            return {}
        if not isinstance(values, Mapping):
            self._add(node, "values", f"{path}.values", "it should be {value: LABEL, …}")
            return {}
        found = {}
        for value, label in values.items():
            if not isinstance(label, str):
                self._add(values, value, f"{path}.values.{value}", "its label should be text")
                continue
            found[_written(value)] = label
        return found

    # -- the small parts --------------------------------------------------------------------

    def _each(
        self,
        node: Mapping[str, Any],
        path: str,
        key: str,
        read: Callable[[Mapping[str, Any], str, str], Any],
    ) -> list[Any]:
        members = node.get(key)
        place = _below(path, key)
        if members is None:
            return []
        if not isinstance(members, Mapping):
            self._add(node, key, place, "it should be a mapping of names")
            return []
        found = []
        for name, member in members.items():
            below = _below(place, str(name))
            if not isinstance(name, str):
                self._add(members, name, below, "a name should be text: put it in quotes")
            elif not isinstance(member, Mapping):
                self._add(members, name, below, "it should be a mapping, such as {from: …}")
            else:
                found.append(read(member, below, name))
        return found

    def _known(self, node: Mapping[str, Any], path: str, keys: Sequence[str]) -> None:
        for key in node:
            if key not in keys:
                expected = ", ".join(keys)
                self._add(node, key, _below(path, str(key)), f"unknown; there are {expected}")

    def _text(self, node: Mapping[str, Any], path: str, key: str, default: str = "") -> str:
        value = node.get(key, default)
        if key not in node and not default:
            self._add(node, "", _below(path, key), "it is missing")
        elif not isinstance(value, str) or not value:
            self._add(node, key, _below(path, key), f"it should be text, and is {value!r}")
        else:
            return str(value)
        return default

    def _word(
        self, node: Mapping[str, Any], path: str, key: str, words: Sequence[str], default: str
    ) -> str:
        if key not in node:
            return default
        value = node[key]
        if value not in words:
            self._add(
                node, key, _below(path, key), f"{value!r} is unknown; there are {', '.join(words)}"
            )
            return default
        return str(value)

    def _names(self, node: Mapping[str, Any], path: str, key: str) -> tuple[str, ...]:
        value = node.get(key)
        if value is None:
            return ()
        if not isinstance(value, Sequence) or isinstance(value, str):
            self._add(node, key, _below(path, key), "it should be a list of names")
            return ()
        if wrong := [one for one in value if not isinstance(one, str)]:
            self._add(node, key, _below(path, key), f"{wrong[0]!r} should be text")
        return tuple(str(one) for one in value)

    def _truth(self, node: Mapping[str, Any], path: str, key: str) -> bool:
        value = node.get(key, False)
        if not isinstance(value, bool):
            self._add(node, key, _below(path, key), f"it should be true or false, not {value!r}")
        return value is True

    def _share(self, node: Mapping[str, Any], path: str, key: str) -> float | None:
        value = node.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            self._add(node, key, _below(path, key), f"it should be from 0 to 1, not {value!r}")
            return None
        return float(value)

    def _add(self, node: Mapping[Any, Any], key: Any, path: str, what: str) -> None:
        """Note a problem; its line is that of the key, or else where the node begins."""
        place = getattr(node, "lc", None)
        line = 1
        if place is not None and place.line is not None:
            line = place.line + 1
            if key in (place.data or {}):
                line = place.data[key][0] + 1
        self.problems.append(f"line {line}: {path}: {what}")


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _written(value: Any) -> str:
    """Return a key of `values` as a document's value is compared with it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _plain(value: Any) -> Any:
    """Return a YAML value without what its reader adds to remember comments and places."""
    if isinstance(value, Mapping):
        return {str(key): _plain(member) for key, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(member) for member in value]
    if isinstance(value, bool) or value is None:
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return str(value)
