"""Random plans, documents and broken bytes, for comparing the compiled kernel with its twin.

For       The property tests of the kernel and the fuzz loop under sanitizers.
Touches   Nothing but the `random.Random` it is given: one seed, one case.
Promises  Every kind, operation, role and setting comes up; plans are such as the kernel takes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from random import Random

from landbridge.model.kinds import NUMBERS, Kind
from landbridge.model.plan import Column, Field, Op, Path, Plan, Role, Slot, TablePlan
from landbridge.model.settings import Nested, Nul, Settings

NAMES = ["_id", "a", "b", "value", "name", "städte", "", "longer_name", "longer_name_2", "c.d"]
UNKNOWN_NAMES = [*NAMES, "unknown", "x" * 70, 'quote"d', "back\\slash", "line\nbreak", "zoë"]

CONSTANTS: dict[str, bytes | None] = {"_sdc_null": None, "_sdc_text": b"constant"}

TYPE_BYTES = {
    Kind.DOUBLE: 0x01,
    Kind.STRING: 0x02,
    Kind.OBJECT: 0x03,
    Kind.ARRAY: 0x04,
    Kind.BINARY: 0x05,
    Kind.UNDEFINED: 0x06,
    Kind.OBJECT_ID: 0x07,
    Kind.BOOL: 0x08,
    Kind.DATE: 0x09,
    Kind.NULL: 0x0A,
    Kind.REGEX: 0x0B,
    Kind.DB_POINTER: 0x0C,
    Kind.CODE: 0x0D,
    Kind.SYMBOL: 0x0E,
    Kind.CODE_WITH_SCOPE: 0x0F,
    Kind.INT: 0x10,
    Kind.TIMESTAMP: 0x11,
    Kind.LONG: 0x12,
    Kind.DECIMAL: 0x13,
    Kind.MIN_KEY: 0xFF,
    Kind.MAX_KEY: 0x7F,
    Kind.UUID: 0x05,
}
_SPLICED = (
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\n", b"0", b"-", b"e", b".", b"null",
    b"\\u0000", b"\\ud83d", b'"$regex":"', b'"$options":"', b'{"$date":"2024-01-01T00:00:00Z"}',
    b'{"$binary":"AQI=","$type":"00"}', b"1e999", b"[" * 200, b'{"a":' * 200,
)  # fmt: skip
SUBTYPES = [0, 2, 3, 4, 5, 128]

_TYPES = {
    Op.FLOAT8: "double precision",
    Op.INT8: "bigint",
    Op.INT_FLOAT8: "double precision",
    Op.NUMERIC: "numeric",
    Op.TEXT: "text",
    Op.TEXT_KEY: "text",
    Op.BOOL: "boolean",
    Op.TIMESTAMP: "timestamp with time zone",
    Op.OID_TEXT: "character varying(24)",
    Op.OID_BYTES: "bytea",
    Op.BYTES: "bytea",
    Op.UUID: "uuid",
    Op.JSON: "jsonb",
    Op.EXTENDED: "jsonb",
    Op.PLAIN_TEXT: "text",
    Op.EXTENDED_TEXT: "text",
    Op.COUNT: "bigint",
}
_ANY = (Op.JSON, Op.EXTENDED, Op.PLAIN_TEXT, Op.EXTENDED_TEXT, Op.REST, Op.DISCARD)
_OPS: dict[Kind, tuple[Op, ...]] = {
    Kind.DOUBLE: (Op.FLOAT8,),
    Kind.INT: (Op.INT8, Op.INT_FLOAT8),
    Kind.LONG: (Op.INT8, Op.INT_FLOAT8),
    Kind.STRING: (Op.TEXT, Op.TEXT_KEY),
    Kind.BOOL: (Op.BOOL,),
    Kind.DATE: (Op.TIMESTAMP,),
    Kind.OBJECT_ID: (Op.OID_TEXT, Op.OID_BYTES),
    Kind.BINARY: (Op.BYTES,),
    Kind.UUID: (Op.UUID, Op.BYTES),
    Kind.ARRAY: (Op.COUNT,),
    Kind.NULL: (Op.NOTHING,),
}


# Plans ------------------------------------------------------------------------------------------


def plan(random: Random) -> Plan:
    """Return a plan that takes much of what `document` makes, and refuses some."""
    nested: Nested = random.choice(("plain", "extended"))
    nul: Nul = random.choice(("quarantine", "escape"))
    settings = Settings(nested=nested, nul=nul)
    main = _table(random, (), 0)
    arrays = [
        path
        for path, field in main.walk()
        if any(slot.op is Op.COUNT for slot in field.slots) and random.random() < 0.8
    ]
    children = [_table(random, path, number) for number, path in enumerate(arrays, 1)]
    return Plan(random.randrange(100), settings, (main, *children), random.random() < 0.7)


def _table(random: Random, array_path: Path, number: int) -> TablePlan:
    columns: list[Column] = []
    roles = []
    rest = random.random() < 0.5
    if number:
        roles += [Role.PARENT, Role.ORDINAL]
    else:
        roles += random.sample(
            [Role.KEY, Role.SOURCE_BSON, Role.SOURCE_DOCUMENT, Role.HASH], random.randrange(4)
        )
    types = {
        Role.PARENT: "text",
        Role.ORDINAL: "bigint",
        Role.KEY: "bytea",
        Role.SOURCE_BSON: "bytea",
        Role.SOURCE_DOCUMENT: "jsonb",
        Role.HASH: "uuid",
    }
    columns += [Column(f"_{role}", types[role], role) for role in roles]
    if not number:
        columns += [Column(name, "text", Role.CONSTANT) for name in CONSTANTS]
    fields = _fields(random, columns, (), deep=random.choice((0, 1, 3)))
    if rest:
        columns.append(Column("_rest", "jsonb", Role.REST))
    if random.random() < 0.1:
        # Never filled by most documents; together they may pass the page.
        filler = random.choice((300, 900))
        fields = (*fields, _filler(columns, filler))
    return TablePlan(
        tuple(columns),
        fields,
        array_path,
        f"child{number}" if number else "",
        rest and random.random() < 0.7,
    )


def _filler(columns: list[Column], count: int) -> Field:
    below = []
    for index in range(count):
        name = f"f{index}"
        columns.append(Column(name, ("text", "bigint", "boolean")[index % 3], Role.VALUE))
        place = len(columns) - 1
        slot = (
            Slot(Kind.STRING, Op.TEXT, place),
            Slot(Kind.INT, Op.INT8, place),
            Slot(Kind.BOOL, Op.BOOL, place),
        )[index % 3]
        below.append(Field(name, (slot,)))
    return Field("filler", (), tuple(below), descend=True)


def _fields(random: Random, columns: list[Column], prefix: Path, deep: int) -> tuple[Field, ...]:
    fields = []
    for name in random.sample(NAMES, random.randint(1, 3 if prefix else len(NAMES))):
        path = (*prefix, name)
        first_column = len(columns)
        slots = [
            _slot(random, columns, first_column, path, kind, subtype)
            for kind in Kind
            for subtype in (SUBTYPES if kind is Kind.BINARY else [0])
            if random.random() < 0.95
        ]
        descend = deep > 0 and random.random() < 0.4
        below = _fields(random, columns, path, deep - 1) if descend else ()
        fields.append(Field(name, tuple(slots), below, descend))
    return tuple(fields)


def _slot(
    random: Random,
    columns: list[Column],
    first_column: int,
    path: Path,
    kind: Kind,
    subtype: int,
) -> Slot:
    usual = _OPS.get(kind, ()) + ((Op.NUMERIC,) if kind in NUMBERS else ())
    op = random.choice(usual) if usual and random.random() < 0.6 else random.choice(_ANY)
    if op not in _TYPES:
        return Slot(kind, op, -1, subtype)
    # Kinds of one field meet in a column where its type allows.
    for place in range(first_column, len(columns)):
        if columns[place].type == _TYPES[op]:
            return Slot(kind, op, place, subtype)
    role = Role.ID if path == ("_id",) else Role.VALUE
    columns.append(Column(f"c{len(columns)}", _TYPES[op], role, path))
    return Slot(kind, op, len(columns) - 1, subtype)


# Documents --------------------------------------------------------------------------------------


def document(random: Random, plan: Plan) -> bytes:
    """Return a valid document, most of its keys known to the plan."""
    names = random.sample(UNKNOWN_NAMES, random.randint(0, 8))
    if random.random() < 0.8:
        names = [name for name in names if name not in ("_id", "c.d")]
        if not plan.main.full:
            known = {field.name for field in plan.main.fields}
            names = [name for name in names if name in known]
        names.insert(random.choice((0, 0, 0, len(names))), "_id")
    members = [_element(random, name, 0) for name in names]
    if random.random() < 0.05 and members:
        members.append(random.choice(members))
    if any(field.name == "filler" for field in plan.main.fields) and random.random() < 0.5:
        count = random.choice((200, 600, 900))
        members.append(b"\x03filler\0" + pack(_filling(random, index) for index in range(count)))
    return pack(members)


def _filling(random: Random, index: int) -> bytes:
    name = f"f{index}\0".encode()
    if index % 3 == 0:
        return b"\x02" + name + _string(b"y" * random.choice((0, 5, 22, 23, 24, 40)))
    if index % 3 == 1:
        return b"\x10" + name + struct.pack("<i", index)
    return b"\x08" + name + b"\1"


def pack(members: Iterable[bytes]) -> bytes:
    """Return a document of elements that are bytes already."""
    body = b"".join(members)
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def _element(random: Random, name: str, depth: int) -> bytes:
    kind = random.choice(list(Kind))
    return bytes((TYPE_BYTES[kind],)) + name.encode() + b"\0" + value(random, kind, depth)


def value(random: Random, kind: Kind, depth: int = 0) -> bytes:
    """Return the bytes of a value of that kind."""
    match kind:
        case Kind.DOUBLE:
            return _double(random)
        case Kind.STRING | Kind.CODE | Kind.SYMBOL:
            return _string(text(random))
        case Kind.OBJECT:
            return _object(random, depth)
        case Kind.ARRAY:
            count = 0 if depth > 3 else random.randrange(4)
            same = random.choice([None, Kind.OBJECT])
            return pack(
                bytes((TYPE_BYTES[inner],))
                + str(i).encode()
                + b"\0"
                + value(random, inner, depth + 1)
                for i in range(count)
                for inner in [same or random.choice(list(Kind))]
            )
        case Kind.BINARY:
            subtype = random.choice(SUBTYPES)
            payload = random.randbytes(random.choice((0, 1, 2, 3, 15, 17, 100)))
            return struct.pack("<iB", len(payload), subtype) + payload
        case Kind.UUID:
            return struct.pack("<iB", 16, 4) + random.randbytes(16)
        case Kind.OBJECT_ID:
            return random.randbytes(12)
        case Kind.BOOL:
            return random.choice((b"\0", b"\1"))
        case Kind.DATE:
            return struct.pack("<q", _date(random))
        case Kind.REGEX:
            return text(random).replace(b"\0", b"") + b"\0" + random.choice((b"\0", b"im\0"))
        case Kind.DB_POINTER:
            return _string(text(random)) + random.randbytes(12)
        case Kind.CODE_WITH_SCOPE:
            body = _string(text(random)) + _object(random, depth)
            return struct.pack("<i", len(body) + 4) + body
        case Kind.INT:
            return struct.pack("<i", _integer(random, 31))
        case Kind.LONG:
            return struct.pack("<q", _integer(random, 63))
        case Kind.TIMESTAMP:
            return random.randbytes(8)
        case Kind.DECIMAL:
            return _decimal(random)
    return b""


def _object(random: Random, depth: int) -> bytes:
    count = 0 if depth > 3 else random.randrange(5)
    names = random.sample(UNKNOWN_NAMES, count)
    if random.random() < 0.5:
        names.sort(key=lambda name: (len(name.encode()), name.encode()))
    return pack([_element(random, name, depth + 1) for name in names])


def _string(raw: bytes) -> bytes:
    return struct.pack("<i", len(raw) + 1) + raw + b"\0"


def text(random: Random) -> bytes:
    """Return UTF-8, short or long, with what makes escaping work now and then."""
    pieces = [
        "plain",
        " ",
        "é",
        "漢字",
        "😀",
        '"',
        "\\",
        "\n\t",
        "\x1f",
        "/",
        "\x7f",
        "\u2028",
        "\ufffe",
    ]
    if random.random() < 0.1:
        pieces += ["\0", "\u2400"]
    length = random.choice((0, 1, 3, 8, 300))
    return "".join(random.choice(pieces) for _ in range(length)).encode()


def _integer(random: Random, bits: int) -> int:
    limit = 1 << bits
    near = random.choice((0, 10 ** random.randrange(9), 1 << 30, 1 << 53, limit))
    number = near + random.randint(-2, 2) if random.random() < 0.6 else random.getrandbits(bits)
    number *= random.choice((1, -1))
    return max(-limit, min(limit - 1, number))


def _double(random: Random) -> bytes:
    match random.randrange(6):
        case 0:
            return random.randbytes(8)
        case 1:
            special = (
                0.0,
                -0.0,
                float("nan"),
                float("inf"),
                float("-inf"),
                5e-324,
                1.7976931348623157e308,
            )
            return struct.pack("<d", random.choice(special))
        case 2:
            return struct.pack("<d", 2.0 ** random.randint(-1074, 1023))
        case 3:
            return struct.pack("<d", float(f"{random.randrange(10**6)}e{random.randint(-20, 20)}"))
        case 4:
            return struct.pack("<d", random.randint(-(10**17), 10**17))
    return struct.pack("<d", round(random.uniform(-1000, 1000), random.randrange(6)))


def _decimal(random: Random) -> bytes:
    if random.random() < 0.2:
        return random.randbytes(16)
    coefficient = random.choice(
        (0, random.randrange(10**34), random.randrange(1000) * 10 ** random.randrange(31))
    )
    exponent = random.choice((0, -2, random.randint(-40, 40), random.randint(-6176, 6111)))
    high = (exponent + 6176) << 49 | coefficient >> 64 | random.getrandbits(1) << 63
    return struct.pack("<QQ", coefficient & (1 << 64) - 1, high)


def _date(random: Random) -> int:
    edges = (
        0,
        -62167219200000,
        253402300800000,
        -210866803200000,
        9224318016000000,
        -(1 << 63),
        (1 << 63) - 1,
        951782400000,
    )
    if random.random() < 0.5:
        return max(-(1 << 63), min((1 << 63) - 1, random.choice(edges) + random.randint(-1, 1)))
    return random.randint(-62167219200000, 253402300800000)


# Broken bytes -----------------------------------------------------------------------------------


def mutated(random: Random, raw: bytes) -> bytes:
    """Return a document damaged in one to four places, its own length left plausible."""
    damaged = bytearray(raw)
    for _ in range(random.choice((1, 1, 2, 4))):
        _damage(random, damaged)
    if len(damaged) < 5:
        damaged = bytearray(b"\5\0\0\0\0")
    if random.random() < 0.9:
        damaged[:4] = struct.pack("<i", len(damaged))
    return bytes(damaged)


def damaged_text(random: Random, text: bytes) -> bytes:
    """Return lines damaged in one to four places."""
    damaged = bytearray(text)
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(len(damaged) + 1)
        match random.randrange(4):
            case 0:
                del damaged[at : at + random.randrange(1, 20)]
            case 1:
                damaged[at : at + 1] = bytes((random.randrange(256),))
            case 2:
                damaged[at:at] = random.choice(_SPLICED)
            case _:
                damaged[at:at] = damaged[random.randrange(len(damaged) + 1) :][:20]
    return bytes(damaged)


def _damage(random: Random, raw: bytearray) -> None:
    at = random.randrange(len(raw)) if raw else 0
    match random.randrange(7):
        case 0 if raw:
            raw[at] ^= 1 << random.randrange(8)
        case 1 if raw:
            raw[at] = random.choice((0, 1, 2, 3, 4, 5, 0x0F, 0x7F, 0x80, 0xC0, 0xED, 0xFF))
        case 2:
            lengths = (0, -1, 1, 4, 5, 6, 2**31 - 1, -(2**31), len(raw), random.randrange(64))
            raw[at : at + 4] = struct.pack("<i", random.choice(lengths))
        case 3:
            del raw[at : at + random.choice((1, 1, 4, 16))]
        case 4:
            raw[at:at] = random.randbytes(random.choice((1, 4, 16)))
        case 5:
            start = random.randrange(len(raw)) if raw else 0
            raw[at:at] = raw[start : start + random.randrange(32)]
        case 6:
            raw[at:at] = random.choice(
                (b"\0", b"\xe2\x90\x80", b"\xed\xa0\x80", b"\xf0\x9f", b"\xc0\x80")
            )


def nested(random: Random, levels: int) -> bytes:
    """Return a document of that many levels, itself the first."""
    inner = pack([b"\x10a\0\1\0\0\0"])
    for _ in range(levels - 1):
        name = random.choice((b"a", b"b"))
        inner = pack([random.choice((b"\x03", b"\x04")) + name + b"\0" + inner])
    return inner


def batch(random: Random, documents: list[bytes]) -> tuple[bytes, int]:
    """Return data and the offset of the array in it."""
    before = random.randbytes(random.choice((0, 0, 1, 7)))
    array = pack(
        b"\x03" + random.choice((b"", str(index).encode(), b"\xff")) + b"\0" + raw
        for index, raw in enumerate(documents)
    )
    return before + array + random.randbytes(random.choice((0, 0, 3))), len(before)
