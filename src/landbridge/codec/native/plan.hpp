// The plan, compiled: fields that are found by their keys, and columns in their order.
//
// For       The encoder, which asks for a field once an element.
// Touches   Nothing once it is built.
// Promises  A key finds its field whatever the order of a document's elements is.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "bson.hpp"

namespace landbridge {

// In the order of `model.plan.Op`.
enum Op : std::uint8_t {
    FLOAT8, INT8, INT_FLOAT8, NUMERIC, TEXT, TEXT_KEY, BOOL_BYTE, TIMESTAMP8, OID_TEXT, OID_BYTES,
    BYTES, UUID_BYTES, JSON, EXTENDED, PLAIN_TEXT, EXTENDED_TEXT, COUNT, REST, DISCARD, NOTHING,
    NO_OP,
};

// In the order of `model.plan.Role`.
enum Role : std::uint8_t {
    VALUE, ID, KEY, PARENT, ORDINAL, REST_COLUMN, SOURCE_BSON, SOURCE_DOCUMENT, HASH, CONSTANT,
};

// How PostgreSQL stores a column's values on a page.
enum Storage : std::uint8_t {
    ONE_BYTE, FOUR_ALIGNED, EIGHT_ALIGNED, SIXTEEN_BYTES, NUMERIC_DIGITS, ALWAYS_TOASTED, VARIABLE,
};

constexpr std::size_t row_bytes_max = 8160;
constexpr std::size_t toasted_bytes = 24;  // the most that a value needs once it is moved out

struct Slot {
    Op op = NO_OP;
    int column = -1;
};

struct Field {
    std::string name;
    std::size_t id = 0;  // its place among all fields of the plan
    bool descend = false;
    std::size_t level = 0;  // of the fields below it
    int child = -1;         // the table of its elements
    Slot slots[kinds_count];
    std::vector<std::pair<Byte, Slot>> subtypes;  // slots of binaries

    // Its slot for a value, or null.
    const Slot* slot_for(const Value& value) const {
        if (value.kind == BINARY) {
            for (const auto& [subtype, slot] : subtypes) {
                if (subtype == value.subtype()) return &slot;
            }
            return nullptr;
        }
        const Slot& slot = slots[value.kind];
        return slot.op == NO_OP ? nullptr : &slot;
    }
};

// The fields of one document or flattened object.
class Level {
  public:
    std::vector<Field> fields;

    // The field of a key whose NUL is looked for before `end`. `guess` is where the field after
    // the last one found is expected: documents of a collection resemble each other.
    const Field* find(const Byte* key, const Byte* end, std::size_t& guess) const {
        const auto available = static_cast<std::size_t>(end - key);
        std::uint64_t word = 0;
        if (available >= 8) std::memcpy(&word, key, 8);
        else std::memcpy(&word, key, available);
        const std::size_t last = guess + 4 < probes_.size() ? guess + 4 : probes_.size();
        for (std::size_t i = guess; i < last; ++i) {
            if (matches(probes_[i], word, key, available)) {
                guess = i + 1;
                return &fields[i];
            }
        }
        return find_by_hash(word, key, available, guess);
    }

    const Field* find(const std::string& name) const {
        for (const Field& field : fields) {
            if (field.name == name) return &field;
        }
        return nullptr;
    }

    // Make the fields findable, once all are there.
    void finish() {
        std::size_t size = 8;
        while (size < 2 * fields.size()) size *= 2;
        buckets_.assign(size, 0);
        probes_.clear();
        for (const Field& field : fields) {
            const auto* const name = reinterpret_cast<const Byte*>(field.name.data());
            const std::size_t length = field.name.size();
            std::uint64_t mask = ~std::uint64_t{0}, head = 0;
            if (length < 8) {
                Byte bytes[8] = {};
                std::memset(bytes, 0xFF, length + 1);
                std::memcpy(&mask, bytes, 8);
            }
            std::memcpy(&head, name, length < 8 ? length : 8);
            probes_.push_back({head, mask, name, length});
            std::size_t at = hash(name, length) & (size - 1);
            while (buckets_[at]) at = (at + 1) & (size - 1);
            buckets_[at] = static_cast<std::uint32_t>(probes_.size());
        }
    }

  private:
    // A name's first eight bytes, its NUL among them, beside those that count.
    struct Probe {
        std::uint64_t head, mask;
        const Byte* name;
        std::size_t length;
    };

    static bool matches(
        const Probe& probe, std::uint64_t word, const Byte* key, std::size_t available) {
        if ((word & probe.mask) != probe.head || available <= probe.length) return false;
        return probe.length < 8 ||
               std::memcmp(key + 8, probe.name + 8, probe.length - 8 + 1) == 0;
    }

    const Field* find_by_hash(
        std::uint64_t word, const Byte* key, std::size_t available, std::size_t& guess) const {
        if (fields.empty()) return nullptr;
        const Byte* const key_end = find_nul(key, key + available);
        if (key_end == nullptr) return nullptr;
        const std::size_t mask = buckets_.size() - 1;
        std::size_t at = hash(key, static_cast<std::size_t>(key_end - key)) & mask;
        for (; buckets_[at]; at = (at + 1) & mask) {
            const std::size_t i = buckets_[at] - 1;
            if (matches(probes_[i], word, key, available)) {
                guess = i + 1;
                return &fields[i];
            }
        }
        return nullptr;
    }

    static std::size_t hash(const Byte* at, std::size_t size) {
        std::uint64_t state = size * 0x9E3779B97F4A7C15ULL;
        for (; size > 0; at += 8) {
            std::uint64_t word = 0;
            const std::size_t count = size < 8 ? size : 8;
            std::memcpy(&word, at, count);
            state = (state ^ word) * 0xD6E8FEB86659FD93ULL;
            state ^= state >> 32;
            size -= count;
        }
        return static_cast<std::size_t>(state);
    }

    std::vector<Probe> probes_;
    std::vector<std::uint32_t> buckets_;  // 1 + place of the field, 0 where empty
};

struct ColumnPlan {
    Role role;
    Storage storage;
};

struct TablePlan {
    std::vector<ColumnPlan> columns;
    std::size_t level = 0;
    int rest = -1;      // the `_rest` column
    bool full = false;  // what has no slot goes to `_rest`
    std::size_t fields_count = 0;

    std::size_t header_bytes() const { return (24 + (columns.size() + 7) / 8 + 7) & ~std::size_t{7}; }

    // Whether a row can ever pass PostgreSQL's page.
    bool can_overflow() const {
        std::size_t bytes = header_bytes();
        for (const ColumnPlan& column : columns) bytes = stored_after(bytes, column.storage, SIZE_MAX / 2);
        return bytes > row_bytes_max;
    }

    // Where the next value begins after one of `size` bytes in COPY's format at `bytes`.
    static std::size_t stored_after(std::size_t bytes, Storage storage, std::size_t size) {
        switch (storage) {
            case ONE_BYTE: return bytes + 1;
            case FOUR_ALIGNED: return ((bytes + 3) & ~std::size_t{3}) + 4;
            case EIGHT_ALIGNED: return ((bytes + 7) & ~std::size_t{7}) + 8;
            case SIXTEEN_BYTES: return bytes + 16;
            case ALWAYS_TOASTED: return bytes + toasted_bytes;
            // COPY's numeric has a header of 8 bytes, the stored one of up to 5.
            case NUMERIC_DIGITS: size = size - 8 + 5; break;
            case VARIABLE: size += 1; break;
        }
        return bytes + (size < toasted_bytes ? size : toasted_bytes);
    }
};

struct Plan {
    std::vector<TablePlan> tables;  // the first is the stream's own
    std::vector<Level> levels;
    std::size_t fields_count = 0;
    bool keyed = true;
    int key_column = -1;  // of the first table: what child rows copy
    bool nested_extended = false;
    bool escape_nul = false;
    std::uint64_t seed_low = 0, seed_high = 0;
};

}  // namespace landbridge
