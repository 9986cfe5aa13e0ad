"""Text: BSON strings to PostgreSQL text, which holds UTF-8 without NUL.

For       Reading strings strictly, and applying the policy for NUL that the user chose.
Touches   Nothing.
Promises  What is returned is valid UTF-8 without NUL, or `Refused`. Under `escape` two strings
          that differ stay different, and `␀0`, `␀1` can be turned back.
"""

from __future__ import annotations

from landbridge.codec.marks import Marks
from landbridge.codec.walk import Element, Refused
from landbridge.model.batch import Problem
from landbridge.model.settings import Nul

KEY_BYTES_MAX = 1000  # of a primary key; PostgreSQL's index entries end at some 2,700

_SIGN_OF_NUL = "\u2400"


def utf8(raw: bytes) -> str:
    """Decode strictly: no surrogates, no overlong forms, nothing past U+10FFFF."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Refused(Problem.UTF8, f"byte {error.start} is not UTF-8") from error


def written(raw: bytes, nul: Nul, marks: Marks) -> str:
    """Return `raw` as it is written to PostgreSQL under the policy `nul`."""
    text = utf8(raw)
    if nul == "quarantine":
        if "\0" in text:
            raise Refused(Problem.NUL, f"NUL at byte {raw.index(0)}")
    elif "\0" in text or _SIGN_OF_NUL in text:
        marks.escaped = True
        return text.replace(_SIGN_OF_NUL, _SIGN_OF_NUL + "1").replace("\0", _SIGN_OF_NUL + "0")
    return text


def raw_string(element: Element) -> bytes:
    """Return the bytes of a string, symbol or code, without length and NUL."""
    return element.data[element.start + 4 : element.end - 1]


def text(element: Element, nul: Nul, marks: Marks) -> bytes:
    """Encode a string for a `text` column."""
    return written(raw_string(element), nul, marks).encode()


def text_key(element: Element, nul: Nul, marks: Marks) -> bytes:
    """Encode a string for a primary key, which may not be long."""
    field = text(element, nul, marks)
    if len(field) > KEY_BYTES_MAX:
        raise Refused(Problem.LONG_ID, f"{len(field)} bytes")
    return field
