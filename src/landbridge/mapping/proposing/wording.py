"""How alike two names are: `listedAt` and `listed_at`, `images` and `PropertyImage`.

For       Finding the table of a collection and the field of a column.
Touches   Nothing.
Promises  1 where two names say the same in any spelling, 0 where they have nothing in common.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import lru_cache

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
Words = tuple[str, ...]

# Words that people use for one another, each group by itself.
_SYNONYMS = (
    {"body", "text", "content", "message"},
    {"created", "inserted"},
    {"updated", "modified", "changed", "update"},
    {"user", "customer", "client", "person", "account", "member"},
    {"mail", "email"},
    {"phone", "telephone", "tel", "mobile"},
    {"url", "link", "uri", "href", "src"},
    {"postcode", "zip", "postal", "zipcode"},
    {"name", "title", "label"},
    {"description", "desc", "summary"},
    {"latitude", "lat"},
    {"longitude", "lng", "lon"},
    {"quantity", "qty", "count"},
    {"amount", "price", "cost", "total"},
    {"image", "photo", "picture", "img"},
    {"position", "order", "ordinal", "rank", "sort", "index", "sequence"},
    {"at", "date", "time", "on"},
    {"password", "pass", "pwd"},
    {"number", "no", "num"},
    {"enabled", "active"},
    {"state", "status"},
    {"type", "kind", "category"},
)
_PLAIN = {"is", "has"}  # say nothing that the rest doesn't


@lru_cache(maxsize=10_000)
def words(name: str) -> Words:
    """Return the words of a name, lower-case and singular: `saved_searches` is saved, search."""
    return tuple(singular(word.lower()) for word in _WORD.findall(name))


@lru_cache(maxsize=10_000)
def spellings(name: str) -> frozenset[str]:
    """Return what the spellings of a name have in common, with and without `id` at its end."""
    found = words(name)
    return frozenset({"".join(found), "".join(_without_id(found))} - {""})


def singular(word: str) -> str:
    """Return an English noun in the singular; good enough to compare two names."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "xes", "sses", "zes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def table_likeness(collection: str, table: str) -> float:
    """Return how well the name of a table fits that of a collection, 0 to 1."""
    left, right = words(collection), words(table)
    if not left or not right:
        return 0.0
    if left == right or "".join(left) == "".join(right):
        return 1.0
    if len(left) != len(right):
        longer, shorter = (left, right) if len(left) > len(right) else (right, left)
        if longer[-len(shorter) :] == shorter:
            return 0.8  # `searches` and `saved_searches`
        if longer[: len(shorter)] == shorter:
            return 0.6
    if _same_but_synonyms(left, right):
        return 0.7
    ratio = SequenceMatcher(None, "".join(left), "".join(right)).ratio()
    return 0.7 * ratio if ratio > 0.85 else 0.0


@lru_cache(maxsize=50_000)
def field_likeness(path: str, column: str, *, reference: bool = False) -> float:
    """Return how well a column fits a path, 0 to 1.

    Of a `reference` the column's last word `id` is left out, and the path's.
    """
    parts = [words(part) for part in path.split(".")]
    whole: Words = tuple(word for part in parts for word in part)
    leaf, wanted = parts[-1], words(column)
    if reference:
        whole, leaf, wanted = _without_id(whole), _without_id(leaf), _without_id(wanted)
    if not wanted or not leaf:
        return 0.0
    nested = len(parts) > 1
    if whole == wanted or "".join(whole) == "".join(wanted):
        return 1.0
    if nested and leaf == wanted:
        return 0.9  # `address.city` and `city`
    if sorted(whole) == sorted(wanted):
        return 0.9  # `name.first` and `firstName`
    best = max(
        _words_likeness(leaf, wanted) * (0.9 if nested else 1), _words_likeness(whole, wanted)
    )
    return round(best, 3)


def _words_likeness(left: Words, right: Words) -> float:
    left, right = _plain(left), _plain(right)
    if left == right:
        return 0.9
    if _same_but_synonyms(left, right):
        return 0.75
    shorter, longer = sorted((left, right), key=len)
    if len(longer) > len(shorter):
        if longer[: len(shorter)] == shorter:
            return 0.75  # `area` and `areaSqm`
        if longer[-len(shorter) :] == shorter:
            return 0.6  # `date` and `launchDate`
    ratio = SequenceMatcher(None, "".join(left), "".join(right)).ratio()
    return 0.7 * ratio if ratio > 0.85 else 0.0


def _plain(found: Words) -> Words:
    return tuple(word for word in found if word not in _PLAIN) or found


def _without_id(found: Words) -> Words:
    return found[:-1] if len(found) > 1 and found[-1] in ("id", "ref", "fk") else found


def _same_but_synonyms(left: Words, right: Words) -> bool:
    return len(left) == len(right) and all(
        one == other or any({one, other} <= group for group in _SYNONYMS)
        for one, other in zip(left, right, strict=True)
    )


def label_key(text: str) -> str:
    """Return what the spellings of a label have in common: `For Sale` is `FOR_SALE`."""
    return "".join(c for c in text.casefold() if c.isalnum())
