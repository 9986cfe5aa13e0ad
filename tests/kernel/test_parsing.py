"""Lines of extended JSON: what they are read as, and that kernel and twin agree on it."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime
from uuid import UUID

import bson
import pytest
from bson import json_util
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests import strategies

from landbridge.codec import _kernel as kernel
from landbridge.codec import batch_of, documents_in, line_faults, parsing
from landbridge.codec.json import JsonWriter
from landbridge.codec.parsing import Parsed
from landbridge.codec.walk import Refused
from landbridge.model.batch import Batch

SPLICED = (
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b" ", b"$", b"\n", b"\r\n", b"0", b"-", b"e",
    b".", b"null", b"\\u0000", b"\\ud83d", b"\\ude00", b'"$regex":', b'"$options":', b'"$uuid":',
    b"\xff", b"\xc3",
)  # fmt: skip


def parsed(text: bytes, foreign: bool = True) -> Parsed:
    """Read text by both, and hold them against each other."""
    fast = kernel.parse_lines(text, 0, len(text), foreign)
    assert fast == parsing.parse_lines(text, 0, len(text), foreign)
    return fast


def documents_of(done: Parsed) -> list[bytes]:
    return list(documents_in(Batch(done.array, 0, len(done.array))))


def document_of(text: str, foreign: bool = True) -> bytes:
    done = parsed(text.encode(), foreign)
    assert not done.broken
    return documents_of(done)[0]


def value_of(text: str, foreign: bool = True) -> tuple[int, bytes]:
    """Return type byte and bytes of the value that `text` is read as."""
    document = document_of(f'{{"a":{text}}}', foreign)
    return document[4], document[7:-1]


def fault_of(text: bytes, foreign: bool = True) -> tuple[str, int]:
    done = parsed(text, foreign)
    assert len(done.broken) == 1 and done.documents == 0
    return done.broken[0].reason, done.broken[0].column


def canonical(document: bytes) -> str:
    try:
        return JsonWriter("extended", "quarantine").document(document, 0, len(document))
    except Refused:
        assume(False)
        raise


@settings(max_examples=400)
@given(strategies.documents(deep=False))
def test_lines_are_read_as_what_was_written(document: bytes) -> None:
    text = bytes(kernel.LineWriter().write(batch_of([document]).data, 0).text)
    assume(text)
    done = parsed(text, foreign=False)
    assert not done.broken and (done.documents, done.lines) == (1, 1)
    again = documents_of(done)
    assert bytes(kernel.LineWriter().write(batch_of(again).data, 0).text) == text
    # Here several BSON values have one text; those of decimals have a test of their own.
    if b'"NaN"' not in text and b'"$numberDecimal"' not in text:
        assert again == [document]


@given(strategies.nests(st.integers(90, 110)).filter(lambda value: value[0] == 0x03))
def test_a_hundred_levels_are_read_as_what_was_written(value: strategies.Value) -> None:
    document = strategies.document([(b"a", (0x03, value[1]))])
    text = bytes(kernel.LineWriter().write(batch_of([document]).data, 0).text)
    assert documents_of(parsed(text, foreign=False)) == [document]


@settings(max_examples=600, suppress_health_check=list(HealthCheck))
@given(strategies.documents(), st.booleans(), st.data())
def test_kernel_and_twin_agree_about_broken_lines(
    document: bytes, foreign: bool, data: st.DataObject
) -> None:
    raw = bytearray(canonical(document).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw)))
        match data.draw(st.sampled_from(("cut", "set", "splice", "end"))):
            case "cut":
                del raw[place : place + data.draw(st.integers(1, 5))]
            case "set":
                raw[place : place + 1] = bytes((data.draw(st.integers(0, 255)),))
            case "splice":
                raw[place:place] = data.draw(st.sampled_from(SPLICED))
            case "end":
                del raw[place:]
    parsed(bytes(raw), foreign)


@given(st.lists(st.sampled_from(SPLICED) | st.binary(max_size=3), max_size=20), st.booleans())
def test_kernel_and_twin_agree_about_anything(parts: list[bytes], foreign: bool) -> None:
    parsed(b'{"a":' + b"".join(parts), foreign)


@given(st.floats(allow_nan=False) | st.sampled_from(strategies.DOUBLE_EDGES))
def test_doubles_are_the_nearest(number: float) -> None:
    expected = struct.pack("<d", number)
    text = json.dumps(number)
    assert value_of(f'{{"$numberDouble":"{text}"}}') == (0x01, expected)
    if text not in ("Infinity", "-Infinity"):
        assert value_of(text) == (0x01, expected)


@given(st.integers(-(10**25), 10**25) | st.sampled_from(strategies.INT64_EDGES))
def test_bare_numbers_are_the_narrowest_that_holds_them(number: int) -> None:
    type_byte, raw = value_of(str(number))
    if -(2**31) <= number < 2**31:
        assert (type_byte, raw) == (0x10, struct.pack("<i", number))
    elif -(2**63) <= number < 2**63:
        assert (type_byte, raw) == (0x12, struct.pack("<q", number))
    else:
        assert (type_byte, raw) == (0x01, struct.pack("<d", float(number)))


@given(strategies.decimals())
def test_decimals_keep_digits_and_exponent(value: tuple[int, bytes]) -> None:
    text = str(bson.Decimal128.from_bid(value[1]))
    assume(text not in ("NaN", "sNaN", "-NaN", "-sNaN"))
    type_byte, raw = value_of(f'{{"$numberDecimal":"{text}"}}')
    assert (type_byte, str(bson.Decimal128.from_bid(raw))) == (0x13, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1000000000000000000000000000000000000", "1.000000000000000000000000000000000E+36"),
        ("1E6144", "1.000000000000000000000000000000000E+6144"),
        ("10E-6177", "1E-6176"),
        ("0E-9999999999999999999", "0E-6176"),
        ("-0.00", "-0.00"),
    ],
)
def test_decimals_shift_zeros_where_there_is_room(text: str, expected: str) -> None:
    raw = value_of(f'{{"$numberDecimal":"{text}"}}')[1]
    assert str(bson.Decimal128.from_bid(raw)) == expected


@pytest.mark.parametrize("text", ["1E-6177", "1E6145", "12345678901234567890123456789012345", "1."])
def test_decimals_are_never_rounded(text: str) -> None:
    line = f'{{"a":{{"$numberDecimal":"{text}"}}}}'
    assert fault_of(line.encode())[0] == line_faults.NUMBER_DECIMAL


@given(
    st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)),
    st.sampled_from(("Z", "+00:00", "+0530", "-11:45")),
)
def test_dates_in_iso_form(moment: datetime, zone: str) -> None:
    ms = moment.microsecond // 1000
    text = moment.strftime("%Y").zfill(4) + moment.strftime("-%m-%dT%H:%M:%S") + f".{ms:03}{zone}"
    hours = {"Z": 0, "+00:00": 0, "+0530": 5.5, "-11:45": -11.75}[zone]
    whole = moment.replace(microsecond=0, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    expected = whole.days * 86_400_000 + whole.seconds * 1000 + ms - round(hours * 3_600_000)
    assert value_of(f'{{"$date":"{text}"}}') == (0x09, struct.pack("<q", expected))


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("0000-01-01T00:00:00Z", -62_167_219_200_000),
        ("2024-02-29T23:59:59.1Z", 1_709_251_199_100),
        ("2024-02-29T23:59:59.100000Z", 1_709_251_199_100),
    ],
)
def test_dates_at_the_edges(text: str, ms: int) -> None:
    assert value_of(f'{{"$date":"{text}"}}')[1] == struct.pack("<q", ms)


@pytest.mark.parametrize(
    "text",
    ["2023-02-29T00:00:00Z", "2024-01-01", "2024-01-01T00:00:00.0001Z", "2024-01-01T24:00:00Z",
     "2024-01-01T00:00:60Z", "2024-13-01T00:00:00Z", "2024-01-01T00:00:00+24:00", ""],
)  # fmt: skip
def test_what_is_no_date(text: str) -> None:
    assert fault_of(f'{{"a":{{"$date":"{text}"}}}}'.encode()) == (line_faults.DATE, 14)


@pytest.mark.parametrize(
    ("text", "type_byte", "raw"),
    [
        ('{"$date":1500}', 0x09, struct.pack("<q", 1500)),
        ('{"$date":{"$numberLong":"-1"}}', 0x09, struct.pack("<q", -1)),
        ('{"$numberLong":7}', 0x12, struct.pack("<q", 7)),
        ('{"$numberDouble":1.5}', 0x01, struct.pack("<d", 1.5)),
        ('{"$binary":"AQI=","$type":"00"}', 0x05, b"\2\0\0\0\0\1\2"),
        ('{"$binary":"AQI=","$type":128}', 0x05, b"\2\0\0\0\x80\1\2"),
        ('{"$binary":{"subType":"4","base64":""}}', 0x05, b"\0\0\0\0\4"),
        ('{"$binary":{"base64":"AQI=","subType":"02"}}', 0x05, b"\6\0\0\0\2\2\0\0\0\1\2"),
        (
            '{"$uuid":"00112233-4455-6677-8899-aAbBcCdDeEfF"}',
            0x05,
            b"\x10\0\0\0\4" + UUID("00112233445566778899aabbccddeeff").bytes,
        ),
        ('{"$regex":"a\\"b","$options":"i"}', 0x0B, b'a"b\0i\0'),
        ('{"$regularExpression":{"options":"","pattern":"x"}}', 0x0B, b"x\0\0"),
        ('{"$timestamp":{"i":2,"t":1}}', 0x11, struct.pack("<II", 2, 1)),
        ('{"$undefined":true}', 0x06, b""),
        ('{"$oid":"0123456789aBcDeF01234567"}', 0x07, bytes.fromhex("0123456789abcdef01234567")),
        ("-0", 0x10, bytes(4)),
        ("-0.0", 0x01, struct.pack("<d", -0.0)),
        ("1e2", 0x01, struct.pack("<d", 100.0)),
    ],
)
def test_relaxed_and_older_forms(text: str, type_byte: int, raw: bytes) -> None:
    assert value_of(text) == (type_byte, raw)


@pytest.mark.parametrize(
    "text",
    [
        '{"$regex":"^a","$options":"i"}',
        '{"$uuid":"00112233-4455-6677-8899-aabbccddeeff"}',
        '{"$ref":"users","$id":{"$oid":"0123456789abcdef01234567"}}',
        '{"$gt":{"$numberInt":"5"}}',
        '{"$":1}',
        '{"$oidx":1}',
    ],
)
def test_our_own_lines_keep_what_only_looks_like_a_type(text: str) -> None:
    assert value_of(text, foreign=False)[0] == 0x03


@pytest.mark.parametrize("text", ['{"$regex":{"$regularExpression":{"pattern":"a","options":""}}}',
                                  '{"$regex":"a"}', '{"$regex":"a","$options":1}'])  # fmt: skip
def test_a_stored_query_stays_one(text: str) -> None:
    assert value_of(text)[0] == 0x03


def test_the_first_level_is_always_a_document() -> None:
    document = document_of('{"$oid":"0123456789abcdef01234567"}')
    assert bson.decode(document) == {"$oid": "0123456789abcdef01234567"}


def test_escapes_and_text() -> None:
    text = '"\\u00e9\\ud83d\\ude92\\/\\b\\f\\n\\r\\t\\u0000\\"\\\\ é🚒"'
    raw = 'é🚒/\b\f\n\r\t\0"\\ é🚒'.encode()
    assert value_of(text) == (0x02, struct.pack("<i", len(raw) + 1) + raw + b"\0")


def test_key_order_and_repeated_keys_are_kept() -> None:
    document = document_of('{"b":1,"a":2,"b":3}')
    one, two, three = (b"%c%b\0%b" % (0x10, k, struct.pack("<i", v)) for k, v in
                       ((b"b", 1), (b"a", 2), (b"b", 3)))  # fmt: skip
    assert document[4:-1] == one + two + three


@pytest.mark.parametrize(
    ("line", "reason", "column"),
    [
        (b'{"a":1', line_faults.TRUNCATED, 6),
        (b'{"a":"x', line_faults.TRUNCATED, 7),
        (b'{"a":', line_faults.TRUNCATED, 5),
        (b'{"a":1}x', line_faults.FOLLOWS, 7),
        (b"[1]", line_faults.NO_OBJECT, 0),
        (b"a,b", line_faults.NO_OBJECT, 0),
        (b'{"a":nul}', line_faults.UNEXPECTED, 5),
        (b"{'a':1}", line_faults.UNEXPECTED, 1),
        (b'{"a":01}', line_faults.UNEXPECTED, 6),
        (b'{"a":1,}', line_faults.UNEXPECTED, 7),
        (b'{"a":"\xff"}', line_faults.UTF8, 6),
        (b'{"a":"\x01"}', line_faults.CONTROL, 6),
        (b'{"a":"\\x"}', line_faults.ESCAPE, 6),
        (b'{"a":"\\ud83d"}', line_faults.SURROGATE, 6),
        (b'{"a":"\\ude00"}', line_faults.SURROGATE, 6),
        (b'{"a\\u0000":1}', line_faults.NUL, 3),
        (b'{"a":1e999}', line_faults.RANGE, 5),
        (b'{"a":1e-999}', line_faults.RANGE, 5),
        (b'{"a":{"$oid":"xyz"}}', line_faults.OID, 13),
        (b'{"a":{"$numberInt":"2147483648"}}', line_faults.NUMBER_INT, 19),
        (b'{"a":{"$oid":"0123456789abcdef01234567","b":1}}', line_faults.OID, 39),
        (b'{"a":{"$binary":{"base64":"A","subType":"00"}}}', line_faults.BINARY, 26),
    ],
)
def test_what_is_wrong_and_where(line: bytes, reason: str, column: int) -> None:
    assert fault_of(line) == (reason, column)


def test_a_broken_line_costs_no_other() -> None:
    text = b'{"a":1}\r\n\n  \t\n{"a":\n{"a":2}\n{"a":3}'
    done = parsed(text)
    assert [bson.decode(one)["a"] for one in documents_of(done)] == [1, 2, 3]
    assert (done.documents, done.lines) == (3, 6)
    (broken,) = done.broken
    assert broken.line == 3
    assert text[broken.offset : broken.offset + broken.length] == b'{"a":'


@pytest.mark.parametrize("opening", [b'{"a":', b"["])
def test_levels(opening: bytes) -> None:
    closing = b"}" if opening.startswith(b"{") else b"]"
    for levels, broken in ((199, 0), (200, 1)):
        inner = opening * levels + b"1" + closing * levels
        done = parsed(b'{"a":' + inner + b"}")
        assert len(done.broken) == broken
        assert not broken or done.broken[0].reason == line_faults.DEPTH


def test_a_document_that_is_too_large() -> None:
    line = b'{"a":"' + b"x" * (17 << 20) + b'"}'
    done = kernel.parse_lines(line, 0, len(line), True)
    assert done.broken[0].reason == line_faults.SIZE


def test_what_the_driver_writes() -> None:
    document = {
        "_id": bson.ObjectId(),
        "n": [1, 2**40, 1.5, bson.Decimal128("1.10")],
        "t": datetime(2024, 1, 2, 3, 4, 5, 678000),
        "x": {"y": bson.Binary(b"abc", 5), "z": bson.Timestamp(1, 2)},
        "c": bson.Code("f()", {"a": bson.Int64(1)}),
        "m": [bson.MinKey(), bson.MaxKey(), None, True, bson.Regex("a", "ix")],
    }
    for options in (
        json_util.CANONICAL_JSON_OPTIONS,
        json_util.RELAXED_JSON_OPTIONS,
        json_util.LEGACY_JSON_OPTIONS,
    ):
        text = json_util.dumps(document, json_options=options)
        assert bson.decode(document_of(text)) == bson.decode(bson.encode(document))


def test_a_part_of_the_data_is_read() -> None:
    data = b'xx{"a":1}\n{"a":\nyy'
    done = kernel.parse_lines(data, 2, 16, True)
    assert (done.documents, done.broken[0].offset) == (1, 10)
    with pytest.raises(ValueError, match="not inside"):
        kernel.parse_lines(data, 2, 99, True)
