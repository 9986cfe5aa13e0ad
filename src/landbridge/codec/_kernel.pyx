# cython: language_level=3
"""The compiled encoder: the same rows as the pure Python twin, without the GIL.

For       The hot path of every load; `codec.encoder_for` chooses between it and the twin.
Touches   Memory of its own. The work itself stands in `native/`; here a plan is compiled, and
          buffers and counts cross to Python.
Promises  Same bytes, same flagged documents, same profile as the twin. Any bytes may come in:
          nothing outside of them is read. A memoryview of an output keeps what it shows, also
          past the next `encode`.
"""

from cpython.buffer cimport PyBuffer_FillInfo
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy
from libcpp cimport bool as boolean
from libcpp.pair cimport pair
from libcpp.string cimport string
from libcpp.vector cimport vector

from landbridge.codec.key import canonical_key
from landbridge.codec.lines import Lines
from landbridge.codec.line_faults import FAULTS
from landbridge.codec.parsing import BrokenLine, Parsed
from landbridge.codec.picking import unreadable
from landbridge.codec.walk import Refused, documents
from landbridge.model.batch import Encoded, PathProfile
from landbridge.model.kinds import NUMBERS, Kind
from landbridge.model.plan import Op, Role


cdef extern from "native/encoder.hpp" namespace "landbridge" nogil:
    cdef cppclass Buffer:
        const uint8_t* data() const
        size_t size() const
        void clear()

    # Each in the order of its Python namesake, so that numbers cross.
    cdef enum NativeOp "landbridge::Op":
        pass
    cdef enum NativeRole "landbridge::Role":
        pass

    cdef enum Storage "landbridge::Storage":
        ONE_BYTE "landbridge::ONE_BYTE"
        FOUR_ALIGNED "landbridge::FOUR_ALIGNED"
        EIGHT_ALIGNED "landbridge::EIGHT_ALIGNED"
        SIXTEEN_BYTES "landbridge::SIXTEEN_BYTES"
        NUMERIC_DIGITS "landbridge::NUMERIC_DIGITS"
        ALWAYS_TOASTED "landbridge::ALWAYS_TOASTED"
        VARIABLE "landbridge::VARIABLE"

    cdef enum NativeKind "landbridge::Kind":
        NO_KIND "landbridge::NO_KIND"

    cdef cppclass Slot:
        NativeOp op
        int column

    cdef cppclass Field:
        Field()
        string name
        size_t id
        boolean descend
        size_t level
        int child
        Slot* slots
        vector[pair[uint8_t, Slot]] subtypes

    cdef cppclass Level:
        Level()
        vector[Field] fields

    cdef cppclass ColumnPlan:
        NativeRole role
        Storage storage

    cdef cppclass TablePlan:
        TablePlan()
        vector[ColumnPlan] columns
        size_t level
        int rest
        boolean full
        size_t fields_count

    cdef cppclass NativePlan "landbridge::Plan":
        vector[TablePlan] tables
        vector[Level] levels
        size_t fields_count
        boolean keyed
        int key_column
        boolean nested_extended
        boolean escape_nul
        uint64_t seed_low
        uint64_t seed_high

    cdef cppclass Span:
        size_t offset
        size_t length

    cdef cppclass Given:
        Given()
        boolean refused
        boolean null
        const uint8_t* data
        size_t size

    cdef cppclass Value:
        uint8_t type
        NativeKind kind
        const uint8_t* at
        const uint8_t* end

    cdef cppclass Integers "landbridge::Extremes<std::int64_t>":
        int64_t minimum
        int64_t maximum
        boolean any() const

    cdef cppclass Doubles "landbridge::Extremes<double>":
        double minimum
        double maximum
        boolean any() const

    cdef cppclass NativeProfile "landbridge::PathProfile":
        uint64_t* counts
        uint64_t by_value
        uint64_t escaped
        Integers ints
        Integers longs
        Integers dates
        Integers string_bytes
        Doubles doubles
        boolean any() const

    cdef cppclass NativeEncoder "landbridge::Encoder":
        NativePlan plan
        vector[Span] documents
        vector[Span] flagged
        vector[Given] keys
        vector[vector[Given]] constants
        vector[NativeProfile] profile
        void finish() except +
        void set_output(size_t table, Buffer* output)
        boolean scan(const uint8_t* data, size_t size, size_t offset) except +
        Value find_id(size_t document) const
        void encode() except +
        void forget_profile()

cdef extern from "native/lines.hpp" namespace "landbridge" nogil:
    cdef cppclass NativeLineWriter "landbridge::LineWriter":
        vector[Span] documents
        vector[Span] refused
        boolean scan(const uint8_t* data, size_t size, size_t offset) except +
        void write(Buffer& out) except +

cdef extern from "native/pick.hpp" namespace "landbridge" nogil:
    cdef cppclass Picker:
        vector[vector[string]] paths
        vector[Value] found
        boolean look(const uint8_t* document, int64_t size) except +


cdef extern from "native/parsing.hpp" namespace "landbridge" nogil:
    cdef cppclass NativeBrokenLine "landbridge::BrokenLine":
        size_t line
        size_t offset
        size_t length
        size_t column
        uint8_t fault

    cdef cppclass LineParser:
        LineParser(boolean foreign)
        Buffer out
        size_t documents
        size_t lines
        vector[NativeBrokenLine] broken
        void parse(const uint8_t* data, const uint8_t* end) except +


cdef tuple _KINDS = tuple(Kind)
cdef dict _NUMBER_OF_KIND = {kind: number for number, kind in enumerate(Kind)}
cdef dict _NUMBER_OF_OP = {op: number for number, op in enumerate(Op)}
cdef dict _NUMBER_OF_ROLE = {role: number for number, role in enumerate(Role)}

# A plan that mixed up kinds or roles would have the kernel read bytes that are not there.
cdef dict _KINDS_OF_OP = {
    Op.FLOAT8: {Kind.DOUBLE},
    Op.INT8: {Kind.INT, Kind.LONG},
    Op.INT_FLOAT8: {Kind.INT, Kind.LONG},
    Op.NUMERIC: NUMBERS,
    Op.TEXT: {Kind.STRING, Kind.SYMBOL, Kind.CODE},
    Op.TEXT_KEY: {Kind.STRING, Kind.SYMBOL, Kind.CODE},
    Op.BOOL: {Kind.BOOL},
    Op.TIMESTAMP: {Kind.DATE},
    Op.OID_TEXT: {Kind.OBJECT_ID},
    Op.OID_BYTES: {Kind.OBJECT_ID},
    Op.BYTES: {Kind.BINARY, Kind.UUID},
    Op.UUID: {Kind.UUID},
    Op.COUNT: {Kind.ARRAY},
}

cdef set _CHILD_ROLES = {Role.VALUE, Role.ID, Role.PARENT, Role.ORDINAL, Role.REST}
cdef set _MAIN_ROLES = set(Role) - {Role.PARENT, Role.ORDINAL}

cdef dict _STORAGE = {
    "boolean": ONE_BYTE,
    "integer": FOUR_ALIGNED,
    "bigint": EIGHT_ALIGNED,
    "double precision": EIGHT_ALIGNED,
    "timestamp with time zone": EIGHT_ALIGNED,
    "timestamp without time zone": EIGHT_ALIGNED,
    "uuid": SIXTEEN_BYTES,
    "jsonb": ALWAYS_TOASTED,
}


cdef class _Output:
    """The rows of one table, lent out as memoryviews."""

    cdef Buffer buffer
    cdef int lent

    def __getbuffer__(self, Py_buffer* view, int flags):
        cdef const uint8_t* data = self.buffer.data()
        if data == NULL:
            data = <const uint8_t*> b""
        PyBuffer_FillInfo(view, self, <void*> data, <Py_ssize_t> self.buffer.size(), 1, flags)
        self.lent += 1

    def __releasebuffer__(self, Py_buffer* view):
        self.lent -= 1


cdef class Kernel:
    """The compiled `model.batch.Encoder`; one instance a thread."""

    cdef readonly object plan
    cdef NativeEncoder _native
    cdef list _outputs  # of each table, its `_Output`
    cdef list _fields  # of each field by its id: (table index, path)
    cdef list _constants  # (table index, column index, name)
    cdef boolean _has_keys
    cdef boolean _busy

    def __cinit__(self, plan):
        self.plan = plan
        self._outputs = []
        self._fields = []
        self._constants = []
        self._compile(plan)

    def encode(self, bytes data not None, Py_ssize_t offset, constants):
        """Encode the BSON array at `data[offset:]`; documents that do not fit are flagged."""
        self._refuse_company()
        self._busy = True
        try:
            return self._encode(data, offset, constants)
        finally:
            self._busy = False

    def output(self, int table):
        """Return the COPY tuples of one table, made by the last `encode`."""
        self._refuse_company()
        return memoryview(self._outputs[table])

    def take_profile(self):
        """Return what was seen in rows encoded since the last call, and forget it."""
        self._refuse_company()
        profile = {}
        cdef size_t i
        for i in range(self._native.profile.size()):
            if self._native.profile[i].any():
                profile[self._fields[i]] = _path_profile(self._native.profile[i])
        self._native.forget_profile()
        return profile

    cdef int _refuse_company(self) except -1:
        if self._busy:
            raise RuntimeError("an encoder serves one thread at a time")
        return 0

    cdef object _encode(self, bytes data, Py_ssize_t offset, object constants):
        cdef const uint8_t* start = <const uint8_t*> PyBytes_AS_STRING(data)
        self._take_outputs_back()
        if offset < 0 or not self._native.scan(start, <size_t> PyBytes_GET_SIZE(data), offset):
            documents(data, offset)  # says what is wrong with it
            raise AssertionError("kernel and twin disagree about a batch")
        # Both lists keep the bytes alive that the encoder points at.
        given = [constants[name] for _, _, name in self._constants]
        for (table, column, _), field in zip(self._constants, given):
            self._native.constants[<size_t> table][<size_t> column] = _given(field)
        keys = self._find_keys() if self._has_keys else None
        try:
            with nogil:
                self._native.encode()
        except BaseException:
            self._take_outputs_back()
            raise
        del keys, given
        cdef size_t total = self._native.documents.size()
        flagged = tuple([(span.offset, span.length) for span in self._native.flagged])
        return Encoded(total, total - len(flagged), flagged)

    cdef _take_outputs_back(self):
        """Empty every output; one that somebody still looks at is left to them."""
        cdef _Output output
        cdef size_t table
        for table in range(<size_t> len(self._outputs)):
            output = self._outputs[table]
            if output.lent:
                output = self._outputs[table] = _Output()
                self._native.set_output(table, &output.buffer)
            output.buffer.clear()

    cdef list _find_keys(self):
        """Hand the canonical key of each document's `_id` to the encoder, and return them."""
        cdef size_t i
        cdef Value value
        cdef Given given
        keys = []
        self._native.keys.clear()
        for i in range(self._native.documents.size()):
            value = self._native.find_id(i)
            if value.kind == NO_KIND:
                given = Given()
            else:
                raw = PyBytes_FromStringAndSize(<const char*> value.at, value.end - value.at)
                try:
                    key = canonical_key(value.type, raw)
                    keys.append(key)
                    given = _given(key)
                except Refused:
                    given = Given()
                    given.refused = True
            self._native.keys.push_back(given)
        return keys

    cdef _compile(self, plan):
        cdef NativePlan* native = &self._native.plan
        cdef TablePlan table_plan
        cdef ColumnPlan column_plan
        cdef _Output output
        seed = plan.settings.fingerprint
        native.seed_low = int.from_bytes(seed[:8], "little")
        native.seed_high = int.from_bytes(seed[8:], "little")
        native.nested_extended = plan.settings.nested == "extended"
        native.escape_nul = plan.settings.nul == "escape"
        native.keyed = plan.keyed
        key_column = plan.key_column
        children = {table.array_path: i for i, table in enumerate(plan.tables) if i}
        for index, table in enumerate(plan.tables):
            table_plan = TablePlan()
            table_plan.rest = table.rest
            table_plan.full = table.full
            for i, column in enumerate(table.columns):
                if column.role not in (_CHILD_ROLES if index else _MAIN_ROLES):
                    raise ValueError(f"no place for {column.role} in table {index}")
                if index == 0 and column.role is Role.KEY:
                    self._has_keys = True
                if index == 0 and column.name == key_column and native.key_column < 0:
                    native.key_column = i
                if column.role is Role.CONSTANT:
                    self._constants.append((index, i, column.name))
                column_plan.role = <NativeRole> <int> _NUMBER_OF_ROLE[column.role]
                column_plan.storage = _storage(column.type)
                table_plan.columns.push_back(column_plan)
            before = len(self._fields)
            table_plan.level = self._compile_level(
                index, table.fields, (), len(table.columns), {} if index else children
            )
            table_plan.fields_count = len(self._fields) - before
            native.tables.push_back(table_plan)
        native.fields_count = len(self._fields)
        self._native.finish()
        for index in range(len(plan.tables)):
            output = _Output()
            self._outputs.append(output)
            self._native.set_output(index, &output.buffer)

    cdef size_t _compile_level(self, int table, fields, prefix, int columns, children) except? 0:
        """Add a level and those below it; return its place."""
        cdef size_t level = self._native.plan.levels.size()
        cdef Field native
        cdef pair[uint8_t, Slot] of_subtype
        cdef Slot native_slot
        self._native.plan.levels.push_back(Level())
        for field in fields:
            path = (*prefix, field.name)
            native = Field()
            native.name = field.name.encode()
            native.id = len(self._fields)
            native.descend = field.descend
            native.child = children.get(path, -1)
            self._fields.append((table, path))
            for slot in field.slots:
                if slot.kind not in _KINDS_OF_OP.get(slot.op, _NUMBER_OF_KIND):
                    raise ValueError(f"{slot.op} does not take {slot.kind}, at {path}")
                if not -1 <= slot.column < columns:
                    raise ValueError(f"no column {slot.column}, at {path}")
                native_slot.op = <NativeOp> <int> _NUMBER_OF_OP[slot.op]
                native_slot.column = slot.column
                if slot.kind is Kind.BINARY:
                    of_subtype.first = slot.subtype
                    of_subtype.second = native_slot
                    native.subtypes.push_back(of_subtype)
                else:
                    native.slots[<size_t> _NUMBER_OF_KIND[slot.kind]] = native_slot
            if field.fields or field.descend:
                native.level = self._compile_level(table, field.fields, path, columns, children)
            self._native.plan.levels[level].fields.push_back(native)
        return level


cdef class LineWriter:
    """The compiled `codec.lines.LineWriter`; one instance a thread."""

    cdef NativeLineWriter _native
    cdef _Output _output
    cdef boolean _busy

    def __cinit__(self):
        self._output = _Output()

    def write(self, bytes data not None, Py_ssize_t offset):
        """Write the BSON array at `data[offset:]`; documents without a line are told."""
        if self._busy:
            raise RuntimeError("a line writer serves one thread at a time")
        self._busy = True
        try:
            return self._write(data, offset)
        finally:
            self._busy = False

    cdef object _write(self, bytes data, Py_ssize_t offset):
        cdef const uint8_t* start = <const uint8_t*> PyBytes_AS_STRING(data)
        if self._output.lent:  # somebody still looks at it
            self._output = _Output()
        self._output.buffer.clear()
        if offset < 0 or not self._native.scan(start, <size_t> PyBytes_GET_SIZE(data), offset):
            documents(data, offset)  # says what is wrong with it
            raise AssertionError("kernel and twin disagree about a batch")
        with nogil:
            self._native.write(self._output.buffer)
        refused = tuple([(span.offset, span.length) for span in self._native.refused])
        cdef size_t total = self._native.documents.size()
        last = None
        if total:
            last = (self._native.documents[total - 1].offset, self._native.documents[total - 1].length)
        return Lines(total, memoryview(self._output), refused, last)


def pick(bytes data not None, Py_ssize_t offset, paths):
    """Return, for each document of the BSON array at `data[offset:]`, the value at each path."""
    cdef Picker picker
    cdef Value value
    cdef size_t i, count = len(paths)
    cdef const uint8_t* start = <const uint8_t*> PyBytes_AS_STRING(data)
    cdef Py_ssize_t begin, end
    cdef bytes raw
    cdef char* into
    for path in paths:
        picker.paths.push_back(path)
    picked = []
    for begin, end in documents(data, offset):
        if not picker.look(start + begin, end - begin):
            raise unreadable()
        values = []
        for i in range(count):
            value = picker.found[i]
            if value.kind == NO_KIND:
                values.append(None)
                continue
            raw = PyBytes_FromStringAndSize(NULL, value.end - value.at + 1)
            into = PyBytes_AS_STRING(raw)
            into[0] = <char> value.type
            memcpy(into + 1, value.at, value.end - value.at)
            values.append(raw)
        picked.append(tuple(values))
    return picked


def parse_lines(bytes data not None, Py_ssize_t start, Py_ssize_t end, boolean foreign):
    """Read the lines `data[start:end]`, each a document in extended JSON, without the GIL."""
    if not 0 <= start <= end <= PyBytes_GET_SIZE(data):
        raise ValueError("the lines are not inside the data")
    cdef const uint8_t* at = <const uint8_t*> PyBytes_AS_STRING(data)
    cdef LineParser* parser = new LineParser(foreign)
    try:
        with nogil:
            parser.parse(at + start, at + end)
        array = PyBytes_FromStringAndSize(
            <const char*> parser.out.data(), <Py_ssize_t> parser.out.size()
        )
        broken = tuple([
            BrokenLine(
                one.line, start + one.offset, one.length, one.column, FAULTS[<size_t> one.fault]
            )
            for one in parser.broken
        ])
        return Parsed(array, parser.documents, parser.lines, broken)
    finally:
        del parser


cdef Given _given(field):
    """Point at a field's bytes, which must outlive what is returned; None is NULL."""
    cdef Given given = Given()
    if field is not None:
        given.null = False
        given.data = <const uint8_t*> PyBytes_AS_STRING(<bytes?> field)
        given.size = <size_t> PyBytes_GET_SIZE(field)
    return given


cdef Storage _storage(str column_type):
    if column_type.startswith("numeric"):
        return NUMERIC_DIGITS
    return _STORAGE.get(column_type, VARIABLE)


cdef object _path_profile(const NativeProfile& native):
    profile = PathProfile()
    cdef size_t kind
    for kind in range(<size_t> len(_KINDS)):
        if native.counts[kind]:
            profile.counts[_KINDS[kind].value] = native.counts[kind]
    profile.by_value = native.by_value
    profile.escaped = native.escaped
    _add_integers(profile, Kind.INT, native.ints)
    _add_integers(profile, Kind.LONG, native.longs)
    _add_integers(profile, Kind.DATE, native.dates)
    _add_integers(profile, Kind.STRING, native.string_bytes)
    if native.doubles.any():
        profile.minimum[Kind.DOUBLE.value] = native.doubles.minimum
        profile.maximum[Kind.DOUBLE.value] = native.doubles.maximum
    return profile


cdef _add_integers(profile, kind, const Integers& extremes):
    if extremes.any():
        profile.minimum[kind.value] = extremes.minimum
        profile.maximum[kind.value] = extremes.maximum
