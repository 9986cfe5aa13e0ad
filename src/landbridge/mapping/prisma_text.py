"""The text of a Prisma schema file as blocks, fields and attributes; what they mean is not asked.

For       `prisma`, which makes tables of them.
Touches   Nothing.
Promises  Every piece knows its line. What can't be read is an error that names the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from landbridge.errors import SchemaFileError

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r]+)
  | (?P<comment>//[^\n]*|/\*.*?\*/)
  | (?P<newline>\n)
  | (?P<string>"(?:\\.|[^"\\\n])*")
  | (?P<number>-?\d+(?:\.\d+)?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_-]*)
  | (?P<mark>@@|[@{}()\[\]?,:.=!])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
BLOCKS = ("model", "view", "enum", "type", "datasource", "generator")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Word:
    """A name that stands for itself: a field, a label, `true`, `Cascade`."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function, such as `now()` or `dbgenerated("…")`; or a field with arguments of an index."""

    name: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """`@id`, `@db.VarChar(20)`, `@@unique([a, b], map: "…")`; a value is str, number, Word, Call
    or a list of them.
    """

    name: str  # without the signs
    at: Place
    values: tuple[Any, ...] = ()
    named: dict[str, Any] = field(default_factory=dict)

    def value(self, name: str, place: int | None = None) -> Any:
        """Return a named argument, or the one of a place among those without names."""
        if name in self.named:
            return self.named[name]
        return self.values[place] if place is not None and place < len(self.values) else None


@dataclass(frozen=True, slots=True)
class Field:
    """A line of a model (`type` and its signs), or a label of an enum (`type` is empty)."""

    name: str
    at: Place
    type: str = ""
    optional: bool = False
    many: bool = False
    attributes: tuple[Attribute, ...] = ()

    def attribute(self, name: str) -> Attribute | None:
        """Return the attribute of a name, if there is one."""
        return next((one for one in self.attributes if one.name == name), None)


@dataclass(frozen=True, slots=True)
class Block:
    """A model, an enum or another block with braces."""

    kind: str
    name: str
    at: Place
    fields: tuple[Field, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)  # of a datasource or generator

    def attribute(self, name: str) -> Attribute | None:
        """Return the attribute of a name, if there is one."""
        return next((one for one in self.attributes if one.name == name), None)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text."""

    kind: str
    text: str
    line: int


def parse(text: str, name: str) -> list[Block]:
    """Return the blocks of a file.

    Raises:
        SchemaFileError: the text is not a Prisma schema.

    """
    return list(_Parser(text, name).blocks())


def refuse(at: Place, why: str, fix: str = "mend that line") -> NoReturn:
    """Raise the error that tells what is wrong in a line of a schema file."""
    raise SchemaFileError(f"cannot read {at.file}, line {at.line}", why=why, fix=fix)


class _Parser:
    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self._tokens = list(self._split(text))
        self._at = 0

    def blocks(self) -> Iterator[Block]:
        while True:
            self._skip_lines()
            if self._next.kind == "end":
                return
            opening = self._take("name")
            if opening.text not in BLOCKS:
                self._refuse(opening, f"one of {', '.join(BLOCKS)}")
            yield self._block(opening)

    def _split(self, text: str) -> Iterator[Token]:
        line, at = 1, 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                sign = text[at]
                why = "a string that doesn't end" if sign == '"' else f"the sign {sign!r}"
                refuse(Place(self._name, line), f"{why} has no meaning in a Prisma schema")
            kind = match.lastgroup or ""
            if kind not in ("space", "comment"):
                yield Token(kind, match[0], line)
            line += match[0].count("\n")
            at = match.end()
        yield Token("newline", "\n", line)
        yield Token("end", "", line)

    def _place(self, token: Token) -> Place:
        return Place(self._name, token.line)

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self, kind: str, text: str | None = None) -> Token:
        token = self._next
        if token.kind != kind or (text is not None and token.text != text):
            self._refuse(token, f"`{text}`" if text else f"a {kind}")
        self._at += 1
        return token

    def _took(self, mark: str) -> bool:
        if self._next.kind == "mark" and self._next.text == mark:
            self._at += 1
            return True
        return False

    def _refuse(self, token: Token, wanted: str) -> NoReturn:
        found = {"end": "the end of the file", "newline": "the end of the line"}.get(
            token.kind, f"`{token.text}`"
        )
        refuse(self._place(token), f"{found} stands where {wanted} should")

    def _skip_lines(self) -> None:
        while self._next.kind == "newline":
            self._at += 1

    def _block(self, opening: Token) -> Block:
        name = self._take("name").text
        self._take("mark", "{")
        fields: list[Field] = []
        attributes: list[Attribute] = []
        settings: dict[str, Any] = {}
        while True:
            self._skip_lines()
            if self._took("}"):
                break
            if self._took("@@"):
                attributes.append(self._attribute())
            elif opening.text in ("datasource", "generator"):
                key = self._take("name").text
                self._take("mark", "=")
                settings[key] = self._value()
            else:
                fields.append(self._field(opening.text == "enum"))
            if not (self._next.kind == "mark" and self._next.text == "}"):
                self._take("newline")
        return Block(
            opening.text, name, self._place(opening), tuple(fields), tuple(attributes), settings
        )

    def _field(self, label: bool) -> Field:
        name = self._take("name")
        kind, many, optional = "", False, False
        if not label:
            kind = self._take("name").text
            if self._took("("):  # Unsupported("…")
                kind = f"{kind}:{_unquoted(self._take('string').text)}"
                self._take("mark", ")")
            if self._took("["):
                self._take("mark", "]")
                many = True
            optional = self._took("?")
            self._took("!")
        attributes = []
        while self._took("@"):
            attributes.append(self._attribute())
        return Field(name.text, self._place(name), kind, optional, many, tuple(attributes))

    def _attribute(self) -> Attribute:
        first = self._take("name")
        name = first.text
        while self._took("."):
            name += "." + self._take("name").text
        values, named = self._arguments() if self._took("(") else ((), {})
        return Attribute(name, self._place(first), values, named)

    def _arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Read what stands between brackets; the opening one is read."""
        values: list[Any] = []
        named: dict[str, Any] = {}
        self._skip_lines()
        while not self._took(")"):
            following = self._tokens[self._at + 1]
            if self._next.kind == "name" and following.kind == "mark" and following.text == ":":
                key = self._take("name").text
                self._take("mark", ":")
                named[key] = self._value()
            else:
                values.append(self._value())
            self._skip_lines()
            if not self._took(","):
                self._take("mark", ")")
                break
            self._skip_lines()
        return tuple(values), named

    def _value(self) -> Any:
        token = self._next
        if token.kind == "string":
            self._at += 1
            return _unquoted(token.text)
        if token.kind == "number":
            self._at += 1
            return float(token.text) if "." in token.text else int(token.text)
        if self._took("["):
            return self._list()
        if token.kind != "name":
            self._refuse(token, "a value")
        self._at += 1
        name = token.text
        while self._took("."):
            name += "." + self._take("name").text
        if self._took("("):
            values, named = self._arguments()
            return Call(name, (*values, *named.values()))
        return Word(name)

    def _list(self) -> list[Any]:
        values: list[Any] = []
        self._skip_lines()
        while not self._took("]"):
            values.append(self._value())
            self._skip_lines()
            if not self._took(","):
                self._take("mark", "]")
                break
            self._skip_lines()
        return values


def _unquoted(text: str) -> str:
    def plain(match: re.Match[str]) -> str:
        sign = match[1]
        return chr(int(sign[1:], 16)) if len(sign) == 5 else _ESCAPED.get(sign, sign)

    return _ESCAPE.sub(plain, text[1:-1])
