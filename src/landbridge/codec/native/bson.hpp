// BSON: what an element is, and how many bytes it takes.
//
// For       Walking documents that nobody has checked.
// Touches   Nothing.
// Promises  `extent` never looks past `end`; a value that it measures can be read without another
//           check of bounds, down to the documents inside it, whose elements it leaves unread.
#pragma once

#include "bytes.hpp"

namespace landbridge {

// In the order of `model.kinds.Kind`; the last one is what no kind is.
enum Kind : std::uint8_t {
    DOUBLE, STRING, OBJECT, ARRAY, BINARY, UNDEFINED, OBJECT_ID, BOOL, DATE, NULL_, REGEX,
    DB_POINTER, CODE, SYMBOL, CODE_WITH_SCOPE, INT, TIMESTAMP, LONG, DECIMAL, MIN_KEY, MAX_KEY,
    UUID, NO_KIND,
};
constexpr std::size_t kinds_count = NO_KIND;

constexpr int depth_max = 200;  // levels; the document is the first
constexpr std::int32_t document_bytes_min = 5;

inline Kind kind_of_type(Byte type) {
    static constexpr Kind kinds[] = {
        NO_KIND, DOUBLE, STRING, OBJECT, ARRAY, BINARY, UNDEFINED, OBJECT_ID, BOOL, DATE, NULL_,
        REGEX, DB_POINTER, CODE, SYMBOL, CODE_WITH_SCOPE, INT, TIMESTAMP, LONG, DECIMAL,
    };
    if (type < sizeof kinds) return kinds[type];
    return type == 0x7F ? MAX_KEY : type == 0xFF ? MIN_KEY : NO_KIND;
}

// The kind of a value whose extent was measured.
inline Kind kind_of_value(Byte type, const Byte* value) {
    const Kind kind = kind_of_type(type);
    return kind == BINARY && value[4] == 4 && load_int32(value) == 16 ? UUID : kind;
}

inline const Byte* find_nul(const Byte* at, const Byte* end) {
    return static_cast<const Byte*>(std::memchr(at, 0, static_cast<std::size_t>(end - at)));
}

// The bytes of a document at `at`, or -1 where its length or its last byte can't be right.
inline std::int64_t document_extent(const Byte* at, std::int64_t available) {
    if (available < document_bytes_min) return -1;
    const std::int32_t length = load_int32(at);
    if (length < document_bytes_min || length > available || at[length - 1] != 0) return -1;
    return length;
}

inline std::int64_t string_extent(const Byte* at, std::int64_t available) {
    if (available < 5) return -1;
    const std::int32_t length = load_int32(at);
    if (length < 1 || length > available - 4 || at[4 + length - 1] != 0) return -1;
    return 4 + static_cast<std::int64_t>(length);
}

inline std::int64_t scope_extent(const Byte* at, std::int64_t available) {
    if (available < 4) return -1;
    const std::int32_t total = load_int32(at);
    if (total < 4 || total > available) return -1;
    const std::int64_t code = string_extent(at + 4, total - 4);
    if (code < 0) return -1;
    const std::int64_t scope = document_extent(at + 4 + code, total - 4 - code);
    return scope >= 0 && 4 + code + scope == total ? total : -1;
}

// The bytes of a value that begins at `at` and may not pass `end`, or -1 where it is malformed.
inline std::int64_t extent(Byte type, const Byte* at, const Byte* end) {
    const std::int64_t available = end - at;
    const auto fixed = [&](std::int64_t size) { return size <= available ? size : -1; };
    switch (kind_of_type(type)) {
        case DOUBLE: case DATE: case TIMESTAMP: case LONG: return fixed(8);
        case INT: return fixed(4);
        case STRING: case CODE: case SYMBOL: return string_extent(at, available);
        case BOOL: return available >= 1 && *at <= 1 ? 1 : -1;
        case OBJECT_ID: return fixed(12);
        case OBJECT: case ARRAY: return document_extent(at, available);
        case UNDEFINED: case NULL_: case MIN_KEY: case MAX_KEY: return 0;
        case DECIMAL: return fixed(16);
        case BINARY: {
            if (available < 5) return -1;
            const std::int32_t length = load_int32(at);
            return length >= 0 && length <= available - 5 ? 5 + static_cast<std::int64_t>(length) : -1;
        }
        case REGEX: {
            const Byte* const pattern_end = find_nul(at, end);
            if (pattern_end == nullptr) return -1;
            const Byte* const options_end = find_nul(pattern_end + 1, end);
            return options_end == nullptr ? -1 : options_end + 1 - at;
        }
        case DB_POINTER: {
            const std::int64_t name = string_extent(at, available);
            return name >= 0 && name + 12 <= available ? name + 12 : -1;
        }
        case CODE_WITH_SCOPE: return scope_extent(at, available);
        default: return -1;
    }
}

// A value inside a document, its bounds checked.
struct Value {
    Byte type;
    Kind kind;
    const Byte* at;
    const Byte* end;

    // The content of a string, code or symbol, or of a binary.
    const Byte* text() const { return at + 4; }
    const Byte* text_end() const { return end - 1; }
    const Byte* payload() const { return at + 5; }
    Byte subtype() const { return at[4]; }
};

// One element after another of a document or array; `malformed` is set where one is broken.
class Elements {
  public:
    const Byte* key = nullptr;
    const Byte* key_end = nullptr;
    Value value{};
    bool malformed = false;

    // `document` has been measured.
    explicit Elements(const Byte* document)
        : at_(document + 4), end_(document + load_int32(document) - 1) {}

    bool next() {
        if (at_ == end_) return false;
        malformed = true;
        const Byte type = *at_;
        key = at_ + 1;
        key_end = find_nul(key, end_);
        if (key_end == nullptr) return false;
        const Byte* const value_at = key_end + 1;
        const std::int64_t size = extent(type, value_at, end_);
        if (size < 0) return false;
        at_ = value_at + size;
        value = {type, kind_of_value(type, value_at), value_at, at_};
        malformed = false;
        return true;
    }

  private:
    const Byte* at_;
    const Byte* end_;
};

}  // namespace landbridge
