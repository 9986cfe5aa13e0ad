"""The nasty collections: one peculiarity each, and what must become of it.

A case says how many of its documents belong into quarantine, and for what reason; all others must
be found in the table by the independent reader. `columns` names what the peculiarity is about.
"""

from __future__ import annotations

import datetime as dt
import struct
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import bson
from bson import Binary, Code, DatetimeMS, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex
from bson.dbref import DBRef
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from tests.strategies import binary, code_with_scope, document, string
from tests.sync.reader import Mongo

Document = dict[str, Any] | bytes
NUMERIC, DOUBLE, BIGINT, TEXT, JSONB = "numeric", "double precision", "bigint", "text", "jsonb"
TIMESTAMPTZ = "timestamp with time zone"


@dataclass(frozen=True)
class Case:
    """A collection, and what must become of it."""

    collection: str
    make: Callable[[], Iterable[Document]]
    columns: dict[str, str] = field(default_factory=dict)  # that must be there, with their types
    quarantined: dict[str, int] = field(default_factory=dict)  # problem -> documents
    options: dict[str, Any] = field(default_factory=dict)  # of the collection
    table: str | None = None  # where it isn't named as the collection
    rest: bool = False  # whether `_rest` is needed

    def fill(self, mongo: Mongo) -> None:
        """Make the collection."""
        mongo.create_collection(self.collection, **self.options)
        batch: list[Any] = []
        size = 0
        for number, each in enumerate(self.make()):
            raw = each if isinstance(each, bytes) else bson.encode({"_id": number, **each})
            batch.append(RawBSONDocument(raw))
            size += len(raw)
            if size > 20 << 20:
                mongo[self.collection].insert_many(batch)
                batch, size = [], 0
        if batch:
            mongo[self.collection].insert_many(batch)


def values(*all_values: Any) -> Callable[[], Iterable[Document]]:
    """Make one document a value, in the field `v`."""
    return lambda: [{"v": value} for value in all_values]


def raws(*all_values: tuple[int, bytes], key: bytes = b"v") -> Callable[[], Iterable[Document]]:
    """Make one document for each BSON value that no driver would write."""
    return lambda: [
        document([(b"_id", (0x10, struct.pack("<i", n))), (key, value)])
        for n, value in enumerate(all_values)
    ]


def ids(*all_ids: Any) -> Callable[[], Iterable[Document]]:
    """Make one document an id."""
    return lambda: [{"_id": each, "n": n} for n, each in enumerate(all_ids)]


def raw_ids(*all_ids: tuple[int, bytes]) -> list[Document]:
    """Make one document for each id that no driver would write."""
    return [
        document([(b"_id", value), (b"n", (0x10, struct.pack("<i", n)))])
        for n, value in enumerate(all_ids)
    ]


def nested(levels: int) -> dict[str, Any]:
    """Make a document of that many levels, itself among them."""
    inside: dict[str, Any] = {"leaf": 1}
    for _ in range(levels - 1):
        inside = {"d": inside}
    return inside


def _late(early: Document, late: Document) -> Callable[[], Iterable[Document]]:
    return lambda: [*[early] * 2500, late]


def _keys(*names: str) -> Callable[[], Iterable[Document]]:
    """Make a document that has all names, and one for each alone."""
    return lambda: [
        {name: n for n, name in enumerate(names)},
        *({name: n} for n, name in enumerate(names)),
    ]


def _customers() -> Iterable[Document]:
    return [
        {
            "name": f"c{n}",
            "tiers": {
                f"{k:032x}": {"tier": "Gold", "active": True} for k in {n % 456, n * 7 % 456}
            },
        }
        for n in range(500)
    ]


NAN, INF = float("nan"), float("inf")
SNAN = Decimal128.from_bid((0x7E << 56 << 64).to_bytes(16, "little"))
UTC = dt.UTC
INVALID_UTF8 = b"caf\xe9 \xff"
PREFIX = "a_name_that_is_far_too_long_for_a_column_of_postgresql_which_ends_at_63"

# The collections of the comparison with other tools, in the order of its table.
COMPARED: Sequence[Case] = [
    Case("double_special", values(1.5, NAN, INF, -INF, -0.0), {"v": DOUBLE}),
    Case("decimals", values(Decimal128("1.10"), Decimal128("-0.00"), Decimal128("12E+3")),
         {"v": NUMERIC}),
    Case(
        "decimal_extremes",
        values(
            Decimal128("NaN"), Decimal128("-NaN"), SNAN, Decimal128("Infinity"),
            Decimal128("-Infinity"), Decimal128("9.999999999999999999999999999999999E+6144"),
            Decimal128("1E-6176"), Decimal128("-1E-6176"), Decimal128("0E+6000"),
            Decimal128("1.0000"), Decimal128("1"),
        ),
        {"v": NUMERIC},
    ),
    Case("nul_in_string", values("a\0b", "plain", "\0", "␀0"), {"v": TEXT}, {"nul": 2}),
    Case(
        "nul_nested",
        values({"x": [{"y": "a\0b"}]}, {"x": []}, ["\0"], [Code("a\0b")]),
        {"v": JSONB},
        {"nul": 3},
    ),
    Case(
        "one_field_of_every_kind",
        values(1, "s", {"x": 1}, [1, "x"], True, dt.datetime(2026, 1, 2, tzinfo=UTC), 2.5, None),
        {"v": DOUBLE, "v__string": TEXT, "v__json": JSONB, "v_x": BIGINT, "v__bool": "boolean",
         "v__date": TIMESTAMPTZ},
    ),
    Case("numbers_mixed", values(1, 1.5, Int64(2**40), Decimal128("0.1")), {"v": NUMERIC}),
    Case("int_then_long", values(1, Int64(2**63 - 1), Int64(-(2**63)), Int64(2**53 + 1)),
         {"v": BIGINT}),
    Case(
        "dates",
        values(
            dt.datetime(2026, 11, 21, 9, 8, 7, 654000, UTC), dt.datetime(1901, 12, 13, tzinfo=UTC),
            dt.datetime(1, 1, 1, tzinfo=UTC), DatetimeMS(-1),
        ),
        {"v": TIMESTAMPTZ},
    ),
    Case("dates_far", values(DatetimeMS(253_402_300_800_000), DatetimeMS(-62_167_219_200_000)),
         {"v": TIMESTAMPTZ}),
    Case("names_by_case", _keys("Name", "name", "NAME"), {"name": BIGINT}),
    Case("names_by_style", _keys("userId", "user_id", "UserID"),
         {"userid": BIGINT, "user_id": BIGINT}),
    Case("odd_keys", _keys("a.b", "$x", "", "sp ace", 'q"u\'o', "ünï"),
         {"a_b": BIGINT, "_x": BIGINT, "_": BIGINT, "sp_ace": BIGINT, "ünï": BIGINT}),
    Case(
        "nested_beside_flat",
        lambda: [{"a": {"b": 1}, "a_b": 2, "a__b": 3, "a.b": 4}, {"a_b": 5}, {"a": {"b": 6}}],
        {"a_b": BIGINT, "a__b": BIGINT},
    ),
    Case("long_names", _keys(PREFIX + "1", PREFIX + "2"), {}),
    Case(
        "binaries",
        values(
            b"\x00\xff", b"", Binary(b"old", 3), Binary(b"md5", 5), Binary(b"mine", 128),
            Binary(uuid.UUID(int=7).bytes, 4), Binary(b"short", 4), Binary(b"ob", 2),
        ),
        {"v": "bytea", "v__uuid": "uuid", "v__binary_5": "bytea", "v__binary_128": "bytea",
         "v__binary_4": "bytea"},
    ),
    Case(
        "rare_kinds",
        lambda: [
            {"v": value}
            for value in (
                Timestamp(5, 6), Regex("^a", "im"), Code("f()"), Code("g()", {"x": [1.0]}),
                MinKey(), MaxKey(), DBRef("other", ObjectId("0" * 24)),
            )
        ] + [
            document([(b"_id", (0x10, struct.pack("<i", 100 + n))), (b"v", value)])
            for n, value in enumerate(
                [
                    (0x06, b""), (0x0E, string(b"sym")), (0x0C, string(b"ref") + bytes(12)),
                    (0x0F, code_with_scope(b"h()", document([(b"y", (0x0A, b""))]))),
                ]
            )
        ],
        {},
    ),
    Case("null_first", lambda: [{"v": None}, {}, {"v": 3}, {"w": None}], {"v": BIGINT}),
    Case("late_field", _late({"a": 1}, {"a": 1, "late": {"x": "here"}}), {"late_x": TEXT}),
    Case("late_type", _late({"v": 1}, {"v": "text"}), {"v": BIGINT, "v__string": TEXT}),
    Case("empty_nested", lambda: [{"o": {}, "a": []}, {"o": {"x": 1}, "a": [1]}, {"o": None}, {}],
         {"o": JSONB, "o_x": BIGINT, "a": JSONB}),
    Case("mixed_arrays", values([1, "x", {"y": None}, [2.5, []], None], ["s"], []), {"v": JSONB}),
    Case("levels_60", lambda: [nested(60)], {"d_d": JSONB}),
    Case("ids_strings", ids("a", "b", "", "A", "ü", "z" * 999), {"_id": TEXT}),
    Case("ids_ints", ids(1, Int64(2**62), -5, 0), {"_id": BIGINT}),
    Case("ids_documents", ids({"a": 1}, {"a": 2, "b": None}, {"b": None, "a": 2}, {}),
         {"_id": TEXT, "_key": "bytea"}),
    Case("ids_of_four_kinds", ids(1, "1", ObjectId("0" * 23 + "1"), {"x": 1}),
         {"_id": TEXT, "_key": "bytea"}),
    Case(
        "invalid_utf8",
        lambda: [*raws((0x02, string(INVALID_UTF8)), (0x02, string(b"fine")),
                       (0x03, document([(b"x", (0x02, string(b"\xed\xa0\x80")))])))(),
                 document([(b"_id", (0x10, struct.pack("<i", 90))), (b"\xff", (0x0A, b""))])],
        {"v": TEXT},
        {"utf8": 3},
    ),
    Case(
        "repeated_keys",
        lambda: [
            document([(b"_id", (0x10, struct.pack("<i", n))), *inside])
            for n, inside in enumerate(
                [
                    [(b"v", (0x10, struct.pack("<i", 1))), (b"v", (0x10, struct.pack("<i", 2)))],
                    [(b"v", (0x10, struct.pack("<i", 3)))],
                ]
            )
        ],
        {"v": BIGINT},
        {"duplicate_key": 1},
    ),
    Case("text_traps", values("\\N", "\\.", "\t\n\r", '"', "'", "", "NULL",
                              "𝄞 名前 👩‍🚒", "x" * (2 << 20)),
         {"v": TEXT}),
    Case("texts_like_numbers", values("007", "2024-01-01", "true", "1e5", "0" * 24), {"v": TEXT}),
    Case("system_columns", _keys("ctid", "xmin", "xmax", "tableoid", "oid", "cmin"), {}),
    Case("fields_1700", lambda: [{f"f{n}": n for n in range(1700)}, {"f1699": 5}], {"f0": BIGINT},
         rest=True),
    Case("nothing_in_it", lambda: [], {}),
]  # fmt: skip

_ID_OBJECT = ObjectId("65f000000000000000000000")

# The rest of the list of bad input that landbridge must stand.
FURTHER: Sequence[Case] = [
    Case(
        "ids_of_every_kind",
        lambda: raw_ids(
            (0x07, bytes(11) + b"\x01"), (0x02, string(b"000000000000000000000001")),
            (0x10, struct.pack("<i", 5)), (0x02, string(b"5")),
            (0x02, string(b'{"$numberInt":"5"}')),
            (0x03, document([(b"a", (0x10, struct.pack("<i", 1)))])),
            (0x03, document([(b"b", (0x0A, b"")), (b"a", (0x0A, b""))])),
            (0x03, document([(b"a", (0x0A, b"")), (b"b", (0x0A, b""))])),
            (0x0A, b""), (0x09, struct.pack("<q", 1_700_000_000_000)),
            (0x01, struct.pack("<d", 0.1)), (0x01, struct.pack("<d", NAN)),
            (0x01, struct.pack("<d", -0.0)), (0x01, struct.pack("<d", INF)),
            (0x13, Decimal128("1.10").bid), (0x12, struct.pack("<q", 2**53 + 1)),
            (0x12, struct.pack("<q", 2**53)), (0x08, b"\x01"), (0x08, b"\x00"),
            (0x05, binary(b"xy", 0)), (0x05, binary(b"xy", 5)), (0x05, binary(bytes(16), 4)),
            (0x11, struct.pack("<II", 1, 2)), (0xFF, b""), (0x7F, b""), (0x0D, string(b"f()")),
            (0x0E, string(b"symbol")), (0x02, string(b"")), (0x02, string(b"y" * 5000)),
            (0x0C, string(b"ref") + bytes(12)),
        ),
        {"_id": TEXT, "_key": "bytea"},
    ),
    Case("ids_dates", ids(DatetimeMS(0), DatetimeMS(-1), DatetimeMS(253_402_300_800_000)),
         {"_id": TIMESTAMPTZ}),
    Case("ids_uuids", ids(*(Binary(uuid.UUID(int=n).bytes, 4) for n in (0, 7, 2**127))),
         {"_id": "uuid"}),
    Case("ids_binary", ids(b"a", b"", b"\xff" * 40), {"_id": "bytea"}),
    Case("ids_objects_first", lambda: [{"_id": _ID_OBJECT}, {"_id": None}], {"_key": "bytea"}),
    Case("ids_long_strings", ids("a", "b" * 1000, "c" * 1001, "d" * 100_000),
         {"_id": TEXT, "_key": "bytea"}),
    Case("ids_with_nul", ids("a\0b", "a", "b"), {"_id": TEXT}, {"nul": 1}),
    Case(
        "ids_invalid_utf8",
        lambda: raw_ids((0x02, string(b"a")), (0x02, string(INVALID_UTF8))),
        {"_id": TEXT},
        {"utf8": 1},
    ),
    Case("ids_doubles", ids(1.5, NAN, INF, -0.0, 1e300), {"_id": TEXT, "_key": "bytea"}),
    Case("ids_beside_hex", ids(ObjectId("a" * 24), "a" * 24, "A" * 24), {"_key": "bytea"}),
    Case(
        "dates_out_of_range",
        lambda: [
            {"v": DatetimeMS(ms), "nested": {"deep": {"v": DatetimeMS(ms)}}}
            for ms in (
                -219_993_494_400_000, 9_404_856_691_200_000, 2**63 - 1, -(2**63),
                9_224_318_015_999_999, -210_866_803_200_000, 0,
            )
        ],
        {"v": TIMESTAMPTZ, "nested_deep": JSONB},
        {"date": 4},
    ),
    Case(
        "dates_out_of_range_nested",
        values(*([DatetimeMS(ms)] for ms in (2**63 - 1, -(2**63), -219_993_494_400_000, 1))),
        {"v": JSONB},
    ),
    Case("numbers_nested", values([NAN, INF, -INF, -0.0, 1e300, 5e-324, 0.1, 1e22],
                                  [Decimal128("NaN"), SNAN, Decimal128("1.10"), Int64(2**63 - 1)],
                                  {"x": Decimal128("9E+6144"), "y": Decimal128("1E-6176")}),
         {"v": JSONB, "v_x": NUMERIC, "v_y": NUMERIC}),
    Case("long_beyond_double", values(1.5, Int64(2**53), Int64(2**53 + 1), 0.1), {"v": NUMERIC}),
    Case("long_then_double", values(Int64(2**53 + 1), 0.5), {"v": NUMERIC}),
    Case("double_nan_then_decimal", values(NAN, 0.1, INF, Decimal128("0.1"), 1e-320, 1e308),
         {"v": NUMERIC}),
    Case("int_then_double", values(3, 0.5, -7), {"v": DOUBLE}),
    Case(
        "names_hostile",
        _keys(
            "select", "user", "table", "order", "a b", "a  b", "a'b", 'a"b',
            'x"; DROP TABLE y; --', "'; DROP SCHEMA raw CASCADE; --",
            "%s", "%(x)s", "{}", "{0}", "\\", "\n", "\t",
            "😀", "👩‍🚒",
            "1st", "9", "$", "$$", ".", "..", "-", "_", "__", "ID", "_ID", "_Id", "_id ",
            "$id", "*",
            "é", "e\u0301", "É", "ß", "SS", "İ", "ı", "ﬁ", "ﬀ", "名前", "x" * 1000,
            "ü" * 500, "x" * 63, "x" * 64, "_key", "_rest", "_lb_hash",
            "_source_bson", "_sdc_deleted_at",
            "_imported_at",
            "_parent_id", "_ordinal", "true", "null", "__proto__", "constructor", "\u202e",
            "\u200b",
        ),
        {"select": BIGINT, "user": BIGINT, "_1st": BIGINT, "名前": BIGINT},
    ),
    Case(
        "names_hostile_nested",
        lambda: [
            {"v": {name: name for name in ("", ".", "a.b", "$x", "'", '"', "😀", "x" * 1000)}}
        ],
        {},
    ),
    Case(
        "repeated_keys_nested",
        lambda: raws((0x03, document([(b"d", (0x03, document([
            (b"x", (0x10, struct.pack("<i", 1))), (b"x", (0x10, struct.pack("<i", 2)))])))])))(),
        {"v_d": JSONB},
    ),
    Case("levels_100", lambda: [nested(100), {"d": []}], {"d_d": JSONB, "d": JSONB}),
    Case("fields_5000", lambda: [{f"f{n * 10 + k}": n for k in range(10)} for n in range(500)],
         {"f0": BIGINT}, rest=True),
    Case("strings_900", lambda: [{f"s{n}": "short text" for n in range(900)}, {"s1": "x"}],
         {"s1": TEXT}, rest=True),
    Case("keys_as_ids", _customers, {"name": TEXT, f"tiers__{0:032x}": JSONB}),
    Case("documents_16mb",
         lambda: [{"v": "x" * ((16 << 20) - 50)}, {"v": ["y" * 1024] * 16000},
                  {"v": b"z" * 16000000}],
         {"v": TEXT, "v__json": JSONB, "v__binary": "bytea"}),
    Case("empty_documents", lambda: [{}, {}, {}], {"_id": BIGINT}),
    Case("null_everywhere", values(None, None), {}),
    Case("one_field_often", values(1, "s", {"x": 1}, [], None, {}, [{}]),
         {"v": BIGINT, "v__string": TEXT, "v__json": JSONB, "v_x": BIGINT}),
    Case("capped", values(1, 2, 3), {"v": BIGINT}, options={"capped": True, "size": 100_000}),
    Case("clustered", values(1, 2, 3), {"v": BIGINT},
         options={"clusteredIndex": {"key": {"_id": 1}, "unique": True}}),
    Case("collated", ids("a", "b", "Ä", "1"), {"_id": TEXT},
         options={"collation": {"locale": "de", "strength": 2}}),
    Case("fire extinguishers", values(1), {"v": BIGINT}, table="fire_extinguishers"),
    Case('x"; drop table y; --', values(1), {"v": BIGINT}, table="x___drop_table_y____"),
    Case("Größe.名前 😀", values(1), {"v": BIGINT}, table="größe_名前__"),
    Case("select", values(1), {"v": BIGINT}),
    Case("t" * 120, values(1), {"v": BIGINT}, table=""),
    Case("9lives", values(1), {"v": BIGINT}, table="_9lives"),
]  # fmt: skip

CASES: Sequence[Case] = [*COMPARED, *FURTHER]
