"""Named aggregates: what a file asks of both sides, each written once.

For       `verify --aggregates FILE`.
Touches   Nothing.
Promises  What can't be understood is refused with its line before anything is read.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from bson import ObjectId
from bson.errors import InvalidId
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from landbridge.errors import UsageError

Metric = Literal["count", "sum", "avg", "min", "max"]
Operator = Literal["eq", "ne", "in", "nin", "gt", "gte", "lt", "lte", "exists"]
Operand = None | bool | int | float | str | dt.datetime | ObjectId

METRICS: tuple[Metric, ...] = ("count", "sum", "avg", "min", "max")
OPERATORS: tuple[Operator, ...] = ("eq", "ne", "in", "nin", "gt", "gte", "lt", "lte", "exists")
KEYS = ("name", "collection", "match", "group", "metric")
EXAMPLE = "write {name: top cities, collection: properties, group: [address.city], metric: count}"

_METRIC = re.compile(r"(\w+)\s*[:\s]\s*(\S.*)")


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on one field; `operands` are several for `in` and `nin`."""

    path: str
    operator: Operator
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class NamedAggregate:
    """One entry of the file."""

    name: str
    collection: str
    match: tuple[Condition, ...]
    group: tuple[str, ...]
    metric: Metric
    of: str | None  # the field of sum, avg, min and max
    place: str  # `file, line n`

    @property
    def label(self) -> str:
        """The metric, with its field."""
        return self.metric if self.of is None else f"{self.metric} {self.of}"


def read_aggregates(text: str, name: str) -> list[NamedAggregate]:
    """Read a file of named aggregates.

    Raises:
        UsageError: it can't be understood; says the line.

    """
    try:
        content = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise _refused(f"{name}{line}", str(error.problem or error)) from None
    except YAMLError as error:
        raise _refused(name, str(error)) from None
    if not isinstance(content, CommentedSeq):
        raise _refused(name, "it is not a list")
    found: list[NamedAggregate] = []
    for number, entry in enumerate(content):
        line = content.lc.item(number)[0] + 1
        found.append(_aggregate(entry, f"{name}, line {line}"))
        if found[-1].name in {one.name for one in found[:-1]}:
            raise _refused(found[-1].place, f"there are two named {found[-1].name}")
    return found


def check_collections(named: Sequence[NamedAggregate], names: Sequence[str]) -> None:
    """Make sure that the source has the collections that are asked about.

    Raises:
        UsageError: it lacks one; says the line.

    """
    for one in named:
        if one.collection not in names:
            why = f"the aggregate {one.name}: the source has no collection {one.collection}"
            raise _refused(one.place, why)


def _refused(place: str, why: str) -> UsageError:
    return UsageError(f"the aggregates of {place} cannot be read", why=why, fix=EXAMPLE)


def _aggregate(entry: Any, place: str) -> NamedAggregate:
    if not isinstance(entry, Mapping):
        raise _refused(place, "an aggregate is a mapping")
    for key in entry:
        if key not in KEYS:
            raise _refused(place, f"{key} is not known; there are {', '.join(KEYS)}")
    for key in ("name", "collection"):
        if not isinstance(entry.get(key), str) or not entry[key]:
            raise _refused(place, f"{key} is missing, or is no text")
    group = entry.get("group") or []
    if isinstance(group, str):
        group = [group]
    if not isinstance(group, Sequence) or not all(isinstance(path, str) for path in group):
        raise _refused(place, "group is not a list of fields")
    match = entry.get("match") or {}
    if not isinstance(match, Mapping):
        raise _refused(place, "match is not a mapping of fields to values")
    conditions = [one for path, wanted in match.items() for one in _conditions(path, wanted, place)]
    metric, of = _metric(entry.get("metric", "count"), place)
    return NamedAggregate(
        str(entry["name"]),
        str(entry["collection"]),
        tuple(conditions),
        tuple(map(str, group)),
        metric,
        of,
        place,
    )


def _metric(wanted: Any, place: str) -> tuple[Metric, str | None]:
    name, of = wanted, None
    if isinstance(wanted, Mapping) and len(wanted) == 1:
        name, of = next(iter(wanted.items()))
    elif isinstance(wanted, str) and (match := _METRIC.fullmatch(wanted)):
        name, of = match[1], match[2]
    if name not in METRICS:
        raise _refused(place, f"metric {name} is not known; there are {', '.join(METRICS)}")
    if (of is None) is not (name == "count") or (of is not None and not isinstance(of, str)):
        raise _refused(place, "count takes no field, and sum, avg, min and max take one: sum price")
    return cast("Metric", str(name)), of


def _conditions(path: Any, wanted: Any, place: str) -> list[Condition]:
    if not isinstance(path, str) or path.startswith("$"):
        raise _refused(place, f"match: {path} is no field; conditions on fields are all to hold")
    if not isinstance(wanted, Mapping) or "$oid" in wanted or "$date" in wanted:
        if isinstance(wanted, Sequence) and not isinstance(wanted, str):
            raise _refused(place, f"match: {path} is a list; write {{$in: [...]}}")
        return [Condition(path, "eq", (_operand(wanted, path, place),))]
    found = []
    for key, value in wanted.items():
        operator = next((one for one in OPERATORS if f"${one}" == key), None)
        if operator is None:
            known = ", ".join(f"${one}" for one in OPERATORS)
            raise _refused(place, f"match: {path} has {key}; there are {known}")
        found.append(_condition(path, operator, value, place))
    return found


def _condition(path: str, operator: Operator, value: Any, place: str) -> Condition:
    if operator in ("in", "nin"):
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise _refused(place, f"match: ${operator} of {path} is not a list")
        return Condition(path, operator, tuple(_operand(one, path, place) for one in value))
    operand = _operand(value, path, place)
    if operator == "exists" and not isinstance(operand, bool):
        raise _refused(place, f"match: $exists of {path} is neither true nor false")
    if operator in ("gt", "gte", "lt", "lte") and (operand is None or isinstance(operand, bool)):
        raise _refused(place, f"match: ${operator} of {path} needs a number, a text or a date")
    return Condition(path, operator, (operand,))


def _operand(value: Any, path: str, place: str) -> Operand:
    match value:
        case None | bool():
            return value
        case int() | float():
            return int(value) if isinstance(value, int) else float(value)
        case str():
            return str(value)
        case dt.datetime():
            moment = dt.datetime(*value.timetuple()[:6], value.microsecond)
            return moment.replace(tzinfo=value.tzinfo or dt.UTC)
        case dt.date():
            return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
        case {"$oid": str(digits)}:
            try:
                return ObjectId(digits)
            except InvalidId:
                raise _refused(place, f"match: {path} has an $oid that is none") from None
        case {"$date": str(text)}:
            try:
                moment = dt.datetime.fromisoformat(text)
            except ValueError:
                raise _refused(place, f"match: {path} has a $date that is none") from None
            return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    raise _refused(place, f"match: {path} is held against something that is no scalar")
