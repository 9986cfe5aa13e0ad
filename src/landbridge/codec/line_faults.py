"""What can be wrong with a line of extended JSON, in words.

For       `parsing` and the kernel, which tell of the same faults.
Touches   Nothing.
Promises  The order is that of `Fault` in native/line_text.hpp.
"""

from __future__ import annotations

from landbridge.codec.walk import LEVELS_MAX

FAULTS = (
    "",
    "the line ends in the middle of a document",
    "here stands what JSON does not allow",
    "the line is no JSON object",
    "something follows the document",
    "text that is not UTF-8",
    "a control character inside text",
    "an escape that JSON does not know",
    "half of a surrogate pair",
    "a NUL where BSON can't hold one",
    "a number beyond what a double holds",
    f"more than {LEVELS_MAX} levels of objects and arrays",
    "more than the 16 MB of a document",
    "$oid is not 24 hex digits",
    "$numberInt is no whole number of 32 bits",
    "$numberLong is no whole number of 64 bits",
    "$numberDouble is no double",
    "$numberDecimal is no decimal128",
    "$date is no date of whole milliseconds",
    "$binary is not base64 with a subtype",
    "$regularExpression is not pattern and options",
    "$timestamp is not t and i, each of 32 bits",
    "$code is not text, alone or with a $scope",
    "$symbol is not text",
    "$dbPointer is not $ref and $id",
    "$undefined is not true",
    "$minKey is not 1",
    "$maxKey is not 1",
    "$uuid is no UUID",
)
(
    TRUNCATED,
    UNEXPECTED,
    NO_OBJECT,
    FOLLOWS,
    UTF8,
    CONTROL,
    ESCAPE,
    SURROGATE,
    NUL,
    RANGE,
    DEPTH,
    SIZE,
    OID,
    NUMBER_INT,
    NUMBER_LONG,
    NUMBER_DOUBLE,
    NUMBER_DECIMAL,
    DATE,
    BINARY,
    REGULAR_EXPRESSION,
    TIMESTAMP,
    CODE,
    SYMBOL,
    DB_POINTER,
    UNDEFINED,
    MIN_KEY,
    MAX_KEY,
    UUID,
) = FAULTS[1:]
