"""Keys, made here once more of the ids of documents.

For       Finding the row of a document, and the row that a reference means.
Touches   Nothing.
Promises  As the mapping's documentation fixes it: one id gives one key.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass
from functools import cache

from landbridge.mapping.rules import IdForm
from landbridge.model.kinds import Kind
from landbridge.verify import trees
from landbridge.verify.bson import Value
from landbridge.verify.mapped.casts import Unfit, text_of, uuid_of

_HEX = re.compile(r"[0-9a-f]{24}", re.I)
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def canonical(identity: Value) -> str:
    """Return the text that stands for an id in the id map, and in what is made of it."""
    whole = _whole(identity)
    if whole is not None:
        return f'{{"$numberLong":"{whole}"}}'
    if identity.kind is Kind.STRING:
        text_of(identity)  # one that is no text has no name
    return trees.words_of(identity, escapes=False)


def _whole(identity: Value) -> int | None:
    if identity.kind in (Kind.INT, Kind.LONG):
        return identity.integer
    if identity.kind is Kind.DOUBLE and identity.double.is_integer():
        return int(identity.double)
    return None


@cache
def _space(place: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"landbridge:{place}")


@dataclass(frozen=True, slots=True)
class KeyMaker:
    """How the ids of a collection become keys."""

    place: str  # `database.collection`
    form: IdForm

    def key(self, identity: Value) -> str | None:
        """Return the key of a document's row, as text; None where the id map knows it.

        Raises:
            Unfit: the id has no such form.

        """
        match self.form:
            case "serial":
                return None
            case "hex":
                if identity.kind is Kind.OBJECT_ID:
                    return identity.raw.hex()
                if identity.kind is Kind.STRING and _HEX.fullmatch(text_of(identity)):
                    return text_of(identity).lower()
                raise Unfit
            case "same":
                whole = _whole(identity)
                if whole is not None:
                    return str(whole)
                return text_of(identity) if identity.kind is Kind.STRING else uuid_of(identity)
            case "uuid":
                try:
                    return uuid_of(identity)
                except Unfit:
                    return self.made(canonical(identity))
            case "cuid":
                return self.made(canonical(identity))

    def child(self, form: IdForm, parent: str, path: str, ordinal: int) -> str:
        """Return the key of an element of an array; `parent` is its document's canonical id."""
        return KeyMaker(self.place, form).made(f"{parent}#{path}#{ordinal}")

    def made(self, name: str) -> str:
        """Return the key that is made of a text."""
        if self.form != "cuid":
            return str(uuid.uuid5(_space(self.place), name))
        digest = hashlib.sha256(f"landbridge:{self.place}:{name}".encode()).digest()
        number, digits = int.from_bytes(digest), ""
        for _ in range(24):
            number, digit = divmod(number, 36)
            digits = _DIGITS[digit] + digits
        return "c" + digits


def meant(reference: Value) -> list[Value]:
    """Return the ids that a reference may mean: 24 hex digits are an ObjectId, or themselves."""
    if reference.kind is Kind.STRING and _HEX.fullmatch(text := text_of(reference)):
        return [Value(Kind.OBJECT_ID, bytes.fromhex(text)), reference]
    return [reference]
