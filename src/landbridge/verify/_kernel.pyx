# cython: language_level=3
"""The compiled comparison: records of documents and rows, and their join, without the GIL.

For       `verify.kernel`, which chooses between it and the Python modules.
Touches   Memory of its own. The work itself stands in `native/`.
Promises  The same records as `records.py`; documents that only that can judge are handed to it.
"""

from libc.stdint cimport uint8_t, uint64_t
from libcpp cimport bool as boolean
from libcpp.pair cimport pair
from libcpp.string cimport string
from libcpp.vector cimport vector

from landbridge.model.kinds import KIND_OF_TYPE_BYTE, Kind
from landbridge.verify import records
from landbridge.verify.shape import Part


cdef extern from "<string_view>" namespace "std" nogil:
    cdef cppclass string_view:
        string_view()
        string_view(const char*, size_t)
        const char* data()
        size_t size()

cdef extern from "native/records.hpp" namespace "landbridge" nogil:
    cdef cppclass Hash128:
        uint64_t low
        uint64_t high

cdef extern from "native/records.hpp" namespace "landbridge::verify" nogil:
    cdef enum NativeForm "landbridge::verify::Form":
        pass
    cdef enum NativeMode "landbridge::verify::Mode":
        pass
    cdef enum NativePart "landbridge::verify::Part":
        pass

    cdef cppclass Place:
        NativeMode mode
        int column
        int table

    cdef cppclass Node:
        Node()
        string name
        Place* places
        vector[pair[uint8_t, Place]] binaries
        vector[int] below

    cdef cppclass Column:
        Column()
        NativeForm form
        NativePart part

    cdef cppclass Table:
        Table()
        vector[Column] columns
        int root
        boolean rest

    cdef cppclass Span:
        size_t offset
        size_t size

    cdef cppclass Sum:
        uint64_t low
        uint64_t high

    cdef cppclass NativeRecords "landbridge::verify::Records":
        vector[Table] tables
        vector[Node] nodes
        int flatten_depth
        boolean extended
        boolean discards
        boolean walks
        boolean mixes
        Hash128 seed
        string output
        vector[Span] unusual
        size_t documents_seen
        void finish(boolean escapes) except +
        void documents(string_view data, size_t offset) except +
        void rows(size_t table, string_view copied) except +

    cdef cppclass NativeJoined "landbridge::verify::Joined":
        uint64_t equal
        Sum source
        Sum target
        vector[string_view] missing
        vector[string_view] extra
        vector[string_view] different

    NativeJoined native_join "landbridge::verify::join"(string_view source, string_view target) except +
    vector[string] native_split "landbridge::verify::split"(string_view records, size_t parts) except +


cdef dict _CODE_OF_KIND = {kind: code for code, kind in KIND_OF_TYPE_BYTE.items() if code <= 0x13}
_CODE_OF_KIND.update({Kind.UUID: 0x14, Kind.MIN_KEY: 0x15, Kind.MAX_KEY: 0x16})


cdef class Kernel:
    """Makes records under one shape; one instance a thread."""

    cdef NativeRecords native
    cdef object shape

    def __init__(self, shape):
        self.shape = shape
        self.native.flatten_depth = shape.flatten_depth
        self.native.extended = shape.extended
        self.native.discards = shape.discards
        self.native.walks = shape.walks
        self.native.mixes = shape.mixes
        self.native.seed.low = int.from_bytes(shape.seed[:8], "little")
        self.native.seed.high = int.from_bytes(shape.seed[8:], "little")
        cdef Table table
        cdef Column column
        for one in shape.tables:
            table = Table()
            for compared in one.columns:
                column.form = <NativeForm> <int> compared.form
                column.part = <NativePart> <int> compared.part
                table.columns.push_back(column)
            table.rest = one.column_of(Part.REST) >= 0
            table.root = self._add(b"", one.root)
            self.native.tables.push_back(table)
        self.native.finish(shape.escapes)

    cdef int _add(self, bytes name, object node):
        cdef Node made
        cdef Place place
        made.name = name
        for (kind, subtype), where in node.places.items():
            place.mode = <NativeMode> <int> where.mode
            place.column = where.column
            place.table = where.table
            if kind is Kind.BINARY:
                made.binaries.push_back(pair[uint8_t, Place](<uint8_t> <int> subtype, place))
            else:
                made.places[<int> _CODE_OF_KIND[kind]] = place
        for below, child in node.below.items():
            made.below.push_back(self._add(below, child))
        self.native.nodes.push_back(made)
        return <int> self.native.nodes.size() - 1

    def documents(self, bytes data, size_t offset):
        """Return (records, number) of the documents in the BSON array at `data[offset:]`."""
        cdef string_view view = string_view(<const char*> data, len(data))
        with nogil:
            self.native.documents(view, offset)
        made = <bytes> self.native.output
        for span in self.native.unusual:
            made += records.of_document(self.shape, data[span.offset : span.offset + span.size])
        return made, self.native.documents_seen

    def rows(self, int table, bytes copied):
        """Return the records of the tuples of a binary COPY."""
        cdef string_view view = string_view(<const char*> copied, len(copied))
        with nogil:
            self.native.rows(table, view)
        return <bytes> self.native.output


def join(bytes source, bytes target):
    """Hold the records of documents against those of rows; as `records.join`."""
    cdef NativeJoined found
    cdef string_view documents = string_view(<const char*> source, len(source))
    cdef string_view rows = string_view(<const char*> target, len(target))
    with nogil:
        found = native_join(documents, rows)
    return records.Joined(
        found.equal,
        (<object> found.source.high) << 64 | <object> found.source.low,
        (<object> found.target.high) << 64 | <object> found.target.low,
        _keys(found.missing),
        _keys(found.extra),
        _keys(found.different),
    )


def split(bytes dealt, size_t parts):
    """Deal records out, those of one key to the same part; as `records.split`."""
    return [<bytes> part for part in native_split(string_view(<const char*> dealt, len(dealt)), parts)]


cdef list _keys(vector[string_view]& found):
    return [key.data()[: key.size()] for key in found]
