// The encoder: documents of a batch to COPY tuples, two passes for each.
//
// For       The hot loop. The first pass notes which value goes to which column, the second
//           writes the columns in their order.
// Touches   The batch, which it reads, and the output buffers that it is lent.
// Promises  A document that does not fit leaves no byte in any output and no count in the
//           profile. No byte of input is read before its bounds are known. Where memory is
//           short it throws std::bad_alloc; the batch's rows are gone then, not its counts.
#pragma once

#include "batch.hpp"
#include "json.hpp"
#include "murmur3.hpp"
#include "plan.hpp"
#include "profile.hpp"

namespace landbridge {

// The field of a column that is the same in every row, or of `_key`, which differs in each.
struct Given {
    bool refused = false;
    bool null = true;
    const Byte* data = nullptr;
    std::size_t size = 0;
};

class Encoder {
  public:
    Plan plan;
    std::vector<Span> documents;
    std::vector<Span> flagged;
    std::vector<Given> keys;                    // of each document, where the plan has a `_key`
    std::vector<std::vector<Given>> constants;  // of each column of each table
    std::vector<PathProfile> profile;           // of each field

    // Make the plan ready, once it is filled.
    void finish() {
        for (Level& level : plan.levels) level.finish();
        escape_nul_ = plan.escape_nul ? Nul::escape : Nul::quarantine;
        nested_ = plan.nested_extended ? Form::extended : Form::plain;
        const std::size_t tables = plan.tables.size();
        outputs_.resize(tables);
        starts_.resize(tables);
        constants.resize(tables);
        rows_.resize(2);
        std::size_t columns_max[2] = {0, 0}, fields_max[2] = {0, 0};
        for (std::size_t i = 0; i < tables; ++i) {
            const TablePlan& table = plan.tables[i];
            constants[i].resize(table.columns.size());
            can_overflow_.push_back(table.can_overflow());
            value_fields_.push_back(plan.levels[table.level].find("value"));
            const std::size_t row = i > 0;
            columns_max[row] = std::max(columns_max[row], table.columns.size());
            fields_max[row] = std::max(fields_max[row], table.fields_count);
        }
        for (std::size_t row = 0; row < 2; ++row) {
            rows_[row].cells.resize(columns_max[row]);
            rows_[row].notes.resize(fields_max[row]);
        }
        id_field_ = plan.levels[plan.tables[0].level].find("_id");
        seen_.assign(plan.fields_count, 0);
        forget_profile();
        if (tables > 1) child_profile_.assign(plan.fields_count, PathProfile());
        touched_.reserve(plan.fields_count);
    }

    void set_output(std::size_t table, Buffer* output) { outputs_[table] = output; }

    // Find the documents of the array at `offset`; false where it is malformed.
    bool scan(const Byte* data, std::size_t size, std::size_t offset) {
        give_back(flagged);
        give_back(rows_[0].rest);
        give_back(rows_[1].rest);
        data_ = data;
        return find_documents(data, size, offset, documents);
    }

    // The `_id` of a document, or a value of no kind where none can be found.
    Value find_id(std::size_t document) const {
        const Byte* const at = data_ + documents[document].offset;
        const Value none{0, NO_KIND, at, at};
        if (document_extent(at, static_cast<std::int64_t>(documents[document].length)) < 0) return none;
        Elements elements(at);
        while (elements.next()) {
            if (elements.key_end - elements.key == 3 && std::memcmp(elements.key, "_id", 3) == 0) {
                return elements.value;
            }
        }
        return none;
    }

    // Encode the documents that `scan` found.
    void encode() {
        for (std::size_t i = 0; i < documents.size(); ++i) {
            for (std::size_t table = 0; table < outputs_.size(); ++table) {
                starts_[table] = outputs_[table]->size();
            }
            if (__builtin_expect(encode_document(i), 1)) {
                count_in();
            } else {
                for (std::size_t table = 0; table < outputs_.size(); ++table) {
                    outputs_[table]->rewind(starts_[table]);
                }
                forget_children();
                flagged.push_back(documents[i]);
            }
        }
    }

    void forget_profile() { profile.assign(plan.fields_count, PathProfile()); }

  private:
    static constexpr int at_root = -1;      // frame of an element of the document itself
    static constexpr int bare_element = -2;  // frame of an array's element that is no object
    static constexpr std::uint32_t null_field = 0xFFFFFFFF;
    static constexpr std::size_t field_bytes_max = 0x3FFFFFFF;  // PostgreSQL's largest value
    static constexpr std::size_t fixed_field_bytes_max = 4 + numeric_bytes_max;
    static constexpr std::size_t short_text_bytes_max = 256;
    static constexpr std::size_t text_key_bytes_max = 1000;
    static constexpr std::int64_t float8_integer_max = std::int64_t{1} << 53;

    // A value that has a field, from the first pass.
    struct Note {
        const Field* field;
        const Slot* slot;  // null where it goes to no column
        Value value;
        int depth;  // level of the document around it
        bool by_value, escaped;
    };

    struct Cell {
        std::uint64_t row = 0;
        Note* note = nullptr;
    };

    // An object that was flattened: its key, and the frame around it.
    struct Frame {
        const Byte* key;
        const Byte* key_end;
        int parent;
        int depth;
    };

    // An element that goes to `_rest`.
    struct RestElement {
        const Byte* element;
        int frame;
    };

    // What the first pass found for one row.
    struct Row {
        std::size_t table = 0;
        std::uint64_t number = 0;
        const Byte* document = nullptr;
        const Byte* end = nullptr;
        int depth = 1;
        std::int64_t ordinal = 0;
        std::vector<Cell> cells;
        std::vector<Note> notes;
        std::size_t notes_count = 0;
        std::vector<RestElement> rest;
        std::vector<Frame> frames;
    };

    bool encode_document(std::size_t i) {
        const Span& span = documents[i];
        const Byte* const document = data_ + span.offset;
        if (document[span.length - 1] != 0) return false;
        Row& row = rows_[0];
        begin(row, 0, document, document + span.length, 1, 0);
        if (!walk(row, plan.tables[0].level, document + 4, row.end - 1, 1, at_root)) return false;
        if (plan.keyed) {
            if (!id_field_ || seen_[id_field_->id] != row.number) return false;
        }
        given_key_ = keys.empty() ? nullptr : &keys[i];
        if (given_key_ && given_key_->refused) return false;
        if (!emit(row)) return false;
        if (plan.tables.size() == 1) return true;
        for (std::size_t n = 0; n < row.notes_count; ++n) {
            const Note& note = row.notes[n];
            if (note.slot && note.slot->op == COUNT && note.field->child >= 0) {
                if (!encode_children(note)) return false;
            }
        }
        return true;
    }

    bool encode_children(const Note& note) {
        Row& row = rows_[1];
        const auto table = static_cast<std::size_t>(note.field->child);
        const std::size_t level = plan.tables[table].level;
        const int array_depth = note.depth + 1;
        Elements elements(note.value.at);
        for (std::int64_t ordinal = 0; elements.next(); ++ordinal) {
            const Value& value = elements.value;
            if (value.kind == OBJECT) {
                begin(row, table, value.at, value.end, array_depth + 1, ordinal);
                if (!walk(row, level, value.at + 4, value.end - 1, row.depth, at_root)) return false;
            } else {
                begin(row, table, elements.key - 1, value.end, array_depth, ordinal);
                const Field* const field = value_fields_[table];
                if (!note_value(row, field, elements.key - 1, value, array_depth, bare_element)) {
                    return false;
                }
            }
            if (!emit(row)) return false;
            for (std::size_t n = 0; n < row.notes_count; ++n) {
                const std::size_t id = row.notes[n].field->id;
                if (!child_profile_[id].any()) touched_.push_back(id);
                count(child_profile_[id], row.notes[n]);
            }
        }
        return !elements.malformed;
    }

    void begin(Row& row, std::size_t table, const Byte* document, const Byte* end, int depth,
               std::int64_t ordinal) {
        row.table = table;
        row.number = ++rows_begun_;
        row.document = document;
        row.end = end;
        row.depth = depth;
        row.ordinal = ordinal;
        row.notes_count = 0;
        row.rest.clear();
        row.frames.clear();
    }

    // First pass: note what each element between `at` and `end` becomes.
    bool walk(Row& row, std::size_t level_number, const Byte* at, const Byte* end, int depth,
              int frame) {
        if (depth > depth_max) return false;
        const Level& level = plan.levels[level_number];
        std::size_t guess = 0;
        while (at != end) {
            const Byte* const element = at++;
            const Byte* const key = at;
            const Field* const field = level.find(key, end, guess);
            const Byte* key_end;
            if (__builtin_expect(field != nullptr, 1)) {
                key_end = key + field->name.size();
            } else {
                key_end = find_nul(key, end);
                if (key_end == nullptr) return false;
            }
            at = key_end + 1;
            const std::int64_t size = extent(*element, at, end);
            if (size < 0) return false;
            const Value value{*element, kind_of_value(*element, at), at, at + size};
            at += size;
            if (field && value.kind == OBJECT && field->descend && size > document_bytes_min) {
                if (!note_once(row, field, nullptr, value, depth)) return false;
                int inner = frame;
                if (plan.tables[row.table].rest >= 0) {
                    inner = static_cast<int>(row.frames.size());
                    row.frames.push_back({key, key_end, frame, depth + 1});
                }
                if (!walk(row, field->level, value.at + 4, value.end - 1, depth + 1, inner)) return false;
                continue;
            }
            if (!note_value(row, field, element, value, depth, frame)) return false;
        }
        return true;
    }

    bool note_once(Row& row, const Field* field, const Slot* slot, const Value& value, int depth) {
        if (seen_[field->id] == row.number) return false;
        seen_[field->id] = row.number;
        Note& note = row.notes[row.notes_count++];
        note = {field, slot, value, depth, false, false};
        if (slot && slot->column >= 0) {
            row.cells[static_cast<std::size_t>(slot->column)] = {row.number, &note};
        }
        return true;
    }

    bool note_value(Row& row, const Field* field, const Byte* element, const Value& value, int depth,
                    int frame) {
        const TablePlan& table = plan.tables[row.table];
        const Slot* const slot = field ? field->slot_for(value) : nullptr;
        if (__builtin_expect(slot && slot->op != REST, 1)) {
            if (slot->op == COUNT && slot->column < 0 && !count_elements(value, depth)) return false;
            return note_once(row, field, slot, value, depth);
        }
        // An id that is the key never goes to `_rest`.
        const bool is_key = plan.keyed && row.table == 0 && depth == 1 &&
                            std::strncmp(reinterpret_cast<const char*>(element + 1), "_id", 4) == 0;
        if (table.rest < 0 || !(slot || (table.full && !is_key))) return false;
        row.rest.push_back({element, frame});
        return !field || note_once(row, field, nullptr, value, depth);
    }

    // Second pass: one COPY tuple, its columns in their order. `to` is where the next byte goes;
    // the buffer learns of it only before something that may grow it.
    bool emit(Row& row) {
        const TablePlan& table = plan.tables[row.table];
        Buffer& out = *outputs_[row.table];
        const std::size_t columns_count = table.columns.size();
        const bool can_overflow = can_overflow_[row.table];
        std::size_t stored = table.header_bytes();
        Byte* to = out.room(2 + columns_count * fixed_field_bytes_max);
        store_big(to, static_cast<std::uint16_t>(columns_count));
        to += 2;
        for (std::size_t c = 0; c < columns_count; ++c) {
            const std::size_t fixed_room = (columns_count - c) * fixed_field_bytes_max;
            const std::size_t at = static_cast<std::size_t>(to - out.data());
            const Role role = table.columns[c].role;
            if (__builtin_expect(role == VALUE || role == ID, 1)) {
                const Cell& cell = row.cells[c];
                if (cell.row != row.number) {
                    store_big(to, null_field);
                    to += 4;
                } else if (!emit_fixed(to, *cell.note) && !emit_short_text(out, to, *cell.note, fixed_room)) {
                    out.end_at(to);
                    if (!emit_value(out, *cell.note)) return false;
                    to = out.room(fixed_room);
                }
            } else {
                out.end_at(to);
                if (!emit_role(out, row, role, c)) return false;
                to = out.room(fixed_room);
            }
            if (row.table == 0 && static_cast<int>(c) == plan.key_column) {
                key_at_ = at;
                key_end_ = static_cast<std::size_t>(to - out.data());
            }
            if (__builtin_expect(can_overflow, 0)) {
                const std::size_t size = static_cast<std::size_t>(to - out.data()) - at - 4;
                const bool null = size == 0 && load<std::uint32_t>(out.data() + at) == null_field;
                if (!null) stored = TablePlan::stored_after(stored, table.columns[c].storage, size);
            }
        }
        out.end_at(to);
        return stored <= row_bytes_max;
    }

    // Write a field of few bytes, which always fits; false where it is another sort or a misfit.
    static bool emit_fixed(Byte*& to, Note& note) {
        const Value& value = note.value;
        switch (note.slot->op) {
            case FLOAT8: to = write_8(to, load<std::uint64_t>(value.at)); return true;
            case INT8: to = write_8(to, static_cast<std::uint64_t>(integer(value))); return true;
            case INT_FLOAT8: {
                const std::int64_t number = integer(value);
                if (number > float8_integer_max || number < -float8_integer_max) return false;
                const auto exact = static_cast<double>(number);
                std::uint64_t bits;
                std::memcpy(&bits, &exact, sizeof bits);
                to = write_8(to, bits);
                return true;
            }
            case TIMESTAMP8: {
                const std::int64_t ms = load_int64(value.at);
                if (ms < date_min || ms >= date_end) return false;
                to = write_8(to, static_cast<std::uint64_t>((ms - date_epoch) * 1000));
                return true;
            }
            case NUMERIC: {
                Byte* const end = write_numeric(to + 4, note);
                store_big(to, static_cast<std::uint32_t>(end - to - 4));
                to = end;
                return true;
            }
            case BOOL_BYTE:
                store_big(to, std::uint32_t{1});
                to[4] = *value.at;
                to += 5;
                return true;
            case OID_TEXT:
                store_big(to, std::uint32_t{24});
                to = write_hex(to + 4, value.at, 12);
                return true;
            case OID_BYTES:
                store_big(to, std::uint32_t{12});
                std::memcpy(to + 4, value.at, 12);
                to += 16;
                return true;
            case UUID_BYTES:
                store_big(to, std::uint32_t{16});
                std::memcpy(to + 4, value.payload(), 16);
                to += 20;
                return true;
            case NOTHING: case DISCARD:
                store_big(to, null_field);
                to += 4;
                return true;
            default: return false;
        }
    }

    // Write plain ASCII text, the commonest of all fields, in one go; false where it is not that.
    static bool emit_short_text(Buffer& out, Byte*& to, const Note& note, std::size_t fixed_room) {
        if (note.slot->op != TEXT) return false;
        const Byte* at = note.value.text();
        const Byte* const end = note.value.text_end();
        const auto size = static_cast<std::size_t>(end - at);
        if (size > short_text_bytes_max) return false;
        out.end_at(to);
        to = out.room(4 + short_text_bytes_max + fixed_room);
        store_big(to, static_cast<std::uint32_t>(size));
        Byte* copy = to + 4;
        std::uint64_t specials = 0;
        const auto take = [&](std::uint64_t word) { specials |= ((word - every_byte(1)) | word) & high_bits; };
        for (; end - at >= 8; at += 8, copy += 8) {
            std::memcpy(copy, at, 8);
            take(load<std::uint64_t>(at));
        }
        for (; at != end; ++at, ++copy) {
            *copy = *at;
            take(every_byte(*at));
        }
        if (specials) return false;
        to = copy;
        return true;
    }

    bool emit_role(Buffer& out, Row& row, Role role, std::size_t column) {
        switch (role) {
            case KEY:
                emit_given(out, given_key_ ? *given_key_ : Given());
                return true;
            case CONSTANT:
                emit_given(out, constants[row.table][column]);
                return true;
            case PARENT: {
                if (plan.key_column < 0) {
                    out.append_big(null_field);
                    return true;
                }
                const std::size_t size = key_end_ - key_at_;
                Byte* const to = out.room(size);
                std::memcpy(to, outputs_[0]->data() + key_at_, size);
                out.took(size);
                return true;
            }
            case ORDINAL:
                write_8(out.room(12), static_cast<std::uint64_t>(row.ordinal));
                out.took(12);
                return true;
            case HASH: {
                const Hash128 hash = murmur3_128(
                    row.document, static_cast<std::size_t>(row.end - row.document),
                    {plan.seed_low, plan.seed_high});
                Byte* const to = out.room(20);
                store_big(to, std::uint32_t{16});
                store_little(to + 4, hash.low);
                store_little(to + 12, hash.high);
                out.took(20);
                return true;
            }
            case SOURCE_BSON: {
                const auto size = static_cast<std::size_t>(row.end - row.document);
                out.append_big(static_cast<std::uint32_t>(size));
                out.append(row.document, size);
                return true;
            }
            case SOURCE_DOCUMENT: {
                const std::size_t at = begin_jsonb(out);
                Escape escape{escape_nul_};
                return Json(out, escape).write_document(nested_, row.document, row.depth) &&
                       end_field(out, at);
            }
            case REST_COLUMN: return emit_rest(out, row);
            case VALUE: case ID: break;
        }
        return false;
    }

    static void emit_given(Buffer& out, const Given& given) {
        if (given.null) {
            out.append_big(null_field);
            return;
        }
        out.append_big(static_cast<std::uint32_t>(given.size));
        out.append(given.data, given.size);
    }

    // A field whose length is known once it is written.
    static std::size_t begin_field(Buffer& out) {
        const std::size_t at = out.size();
        out.append_big(std::uint32_t{0});
        return at;
    }

    static std::size_t begin_jsonb(Buffer& out) {
        const std::size_t at = begin_field(out);
        out.append('\x01');
        return at;
    }

    static bool end_field(Buffer& out, std::size_t at) {
        const std::size_t size = out.size() - at - 4;
        if (size > field_bytes_max) return false;
        out.patch_big(at, static_cast<std::uint32_t>(size));
        return true;
    }

    static Byte* write_8(Byte* to, std::uint64_t bits) {
        store_big(to, std::uint32_t{8});
        store_big(to + 4, bits);
        return to + 12;
    }

    // Write a field of any length.
    bool emit_value(Buffer& out, Note& note) {
        const Value& value = note.value;
        switch (note.slot->op) {
            case BYTES:
                emit_bytes(out, value.payload(), static_cast<std::size_t>(value.end - value.payload()));
                return true;
            case COUNT: {
                std::uint64_t elements_count = 0;
                if (!count_elements(value, note.depth, &elements_count)) return false;
                write_8(out.room(12), elements_count);
                out.took(12);
                return true;
            }
            case TEXT: case TEXT_KEY: {
                const std::size_t at = begin_field(out);
                Escape escape{escape_nul_};
                if (!write_text(out, value.text(), value.text_end(), escape)) return false;
                note.escaped = escape.escaped;
                if (note.slot->op == TEXT_KEY && out.size() - at - 4 > text_key_bytes_max) return false;
                return end_field(out, at);
            }
            case JSON: return emit_json(out, begin_jsonb(out), nested_, note, note.by_value);
            case EXTENDED: return emit_json(out, begin_jsonb(out), Form::extended, note, note.by_value);
            case EXTENDED_TEXT: {
                bool unused;  // text keeps what jsonb doesn't
                return emit_json(out, begin_field(out), Form::extended, note, unused);
            }
            case PLAIN_TEXT: return emit_plain_text(out, note);
            default: return false;  // what `emit_fixed` refused
        }
    }

    static std::int64_t integer(const Value& value) {
        return value.kind == INT ? load_int32(value.at) : load_int64(value.at);
    }

    static void emit_bytes(Buffer& out, const Byte* from, std::size_t size) {
        out.append_big(static_cast<std::uint32_t>(size));
        out.append(from, size);
    }

    static Byte* write_numeric(Byte* to, Note& note) {
        if (note.value.kind == DOUBLE) {
            const double number = load_double(note.value.at);
            const Special special = special_of(number);
            if (special != Special::none) return landbridge::write_numeric(to, special);
            note.by_value = number == 0 && std::signbit(number);
            return landbridge::write_numeric(to, shortest(number));
        }
        if (note.value.kind == DECIMAL) {
            const Decimal128 number(note.value.at);
            if (number.special != Special::none) return landbridge::write_numeric(to, number.special);
            note.by_value = number.decimal.is_zero() && number.decimal.negative;
            return landbridge::write_numeric(to, number.decimal);
        }
        return landbridge::write_numeric(to, integer(note.value));
    }

    bool emit_json(Buffer& out, std::size_t at, Form form, Note& note, bool& by_value) {
        Escape escape{escape_nul_};
        Json json(out, escape);
        if (!json.write(form, note.value, note.depth)) return false;
        by_value = json.by_value;
        note.escaped = escape.escaped;
        return end_field(out, at);
    }

    // The first kind of a mixed `_id`, as people write it.
    bool emit_plain_text(Buffer& out, Note& note) {
        const Value& value = note.value;
        const std::size_t at = begin_field(out);
        const auto text = [&](std::size_t room, auto write) {
            Byte* const from = out.room(room);
            out.took(static_cast<std::size_t>(write(from) - from));
            return end_field(out, at);
        };
        const auto name = [&](Special special) {
            out.append(name_of(special), std::strlen(name_of(special)));
            return end_field(out, at);
        };
        switch (value.kind) {
            case STRING: {
                Escape escape{escape_nul_};
                if (!write_text(out, value.text(), value.text_end(), escape)) return false;
                note.escaped = escape.escaped;
                return end_field(out, at);
            }
            case OBJECT_ID: return text(24, [&](Byte* to) { return write_hex(to, value.at, 12); });
            case INT: case LONG:
                return text(int64_text_bytes_max, [&](Byte* to) { return write_int64(to, integer(value)); });
            case DOUBLE: {
                const double number = load_double(value.at);
                if (special_of(number) != Special::none) return name(special_of(number));
                return text(double_text_bytes_max, [&](Byte* to) { return write_double(to, number); });
            }
            case DECIMAL: {
                const Decimal128 number(value.at);
                if (number.special != Special::none) return name(number.special);
                return text(decimal_text_bytes_max,
                            [&](Byte* to) { return write_decimal(to, number.decimal); });
            }
            case DATE: {
                const std::int64_t ms = load_int64(value.at);
                return text(iso_date_bytes, [&](Byte* to) {
                    return has_iso_date(ms) ? write_iso_date(to, ms) : write_int64(to, ms);
                });
            }
            case UUID:
                return text(uuid_text_bytes, [&](Byte* to) { return write_uuid(to, value.payload()); });
            case BINARY: {
                const auto size = static_cast<std::size_t>(value.end - value.payload());
                return text(2 * size, [&](Byte* to) { return write_hex(to, value.payload(), size); });
            }
            default: {
                bool unused;
                return emit_json(out, at, Form::extended, note, unused);
            }
        }
    }

    // The elements of an array that has a table of its own.
    static bool count_elements(const Value& array, int depth, std::uint64_t* count = nullptr) {
        if (depth + 1 > depth_max) return false;
        std::uint64_t seen = 0;
        Elements elements(array.at);
        while (elements.next()) ++seen;
        if (count) *count = seen;
        return !elements.malformed;
    }

    bool emit_rest(Buffer& out, Row& row) {
        if (row.rest.empty()) {
            out.append_big(null_field);
            return true;
        }
        const std::size_t at = begin_jsonb(out);
        Escape escape{escape_nul_};
        Json json(out, escape);
        out.append('{');
        int open = at_root;
        for (const RestElement& rest : row.rest) {
            static constexpr Byte value_key[] = {'v', 'a', 'l', 'u', 'e'};
            const bool bare = rest.frame == bare_element;
            const int frame = bare ? at_root : rest.frame;
            for (; !encloses(row, open, frame); open = row.frames[static_cast<std::size_t>(open)].parent) {
                out.append('}');
            }
            if (!open_frames(out, json, row, open, frame)) return false;
            open = frame;

            const Byte* const key = rest.element + 1;
            const Byte* const key_end = find_nul(key, row.end);
            const Byte* const value_at = key_end + 1;
            const Value value{*rest.element, kind_of_value(*rest.element, value_at), value_at,
                              value_at + extent(*rest.element, value_at, row.end)};
            if (out.last() != '{') out.append(',');
            if (!(bare ? json.write_key(value_key, value_key + 5) : json.write_key(key, key_end))) {
                return false;
            }
            if (!json.write(nested_, value, depth_of(row, frame))) return false;
        }
        for (; open != at_root; open = row.frames[static_cast<std::size_t>(open)].parent) out.append('}');
        out.append('}');
        return end_field(out, at);
    }

    static int depth_of(const Row& row, int frame) {
        return frame == at_root ? row.depth : row.frames[static_cast<std::size_t>(frame)].depth;
    }

    // Whether `outer` is `inner` or around it.
    static bool encloses(const Row& row, int outer, int inner) {
        while (inner > outer) inner = row.frames[static_cast<std::size_t>(inner)].parent;
        return inner == outer;
    }

    static bool open_frames(Buffer& out, Json& json, const Row& row, int open, int frame) {
        if (frame == open) return true;
        const Frame& opened = row.frames[static_cast<std::size_t>(frame)];
        if (!open_frames(out, json, row, open, opened.parent)) return false;
        if (out.last() != '{') out.append(',');
        if (!json.write_key(opened.key, opened.key_end)) return false;
        out.append('{');
        return true;
    }

    static void count(PathProfile& path, const Note& note) {
        path.add(note.value);
        path.by_value += note.by_value;
        path.escaped += note.escaped;
    }

    // The document is written: what was noted of it counts.
    void count_in() {
        const Row& row = rows_[0];
        for (std::size_t n = 0; n < row.notes_count; ++n) {
            count(profile[row.notes[n].field->id], row.notes[n]);
        }
        for (const std::size_t id : touched_) profile[id].add(child_profile_[id]);
        forget_children();
    }

    void forget_children() {
        for (const std::size_t id : touched_) child_profile_[id] = PathProfile();
        touched_.clear();
    }

    const Byte* data_ = nullptr;
    std::vector<Buffer*> outputs_;
    std::vector<std::size_t> starts_;  // of each output, where the document's rows begin
    std::vector<Row> rows_;            // the document's own, and a child's
    std::vector<std::uint64_t> seen_;  // of each field, the last row that had it
    std::vector<bool> can_overflow_;
    std::vector<const Field*> value_fields_;
    std::vector<PathProfile> child_profile_;  // of the children of one document
    std::vector<std::size_t> touched_;        // fields with a child profile
    const Field* id_field_ = nullptr;
    const Given* given_key_ = nullptr;
    std::uint64_t rows_begun_ = 0;
    std::size_t key_at_ = 0, key_end_ = 0;
    Nul escape_nul_ = Nul::quarantine;
    Form nested_ = Form::plain;
};

}  // namespace landbridge
