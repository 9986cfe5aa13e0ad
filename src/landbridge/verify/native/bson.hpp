// BSON, read for the comparison: elements, their bounds checked, and how people write some values.
//
// For       Deriving what a document's row should hold without the code that made the row.
// Touches   Nothing.
// Promises  An element lies inside its document; else `Broken`.
#pragma once

#include <cstdio>

#include "bytes.hpp"

namespace landbridge::verify {

// The type byte where there is one kind to it; the others have numbers that no type has.
enum Kind : std::uint8_t {
    DOUBLE = 0x01, STRING, OBJECT, ARRAY, BINARY, UNDEFINED, OBJECT_ID, BOOL, DATE, NULL_VALUE,
    REGEX, DB_POINTER, CODE, SYMBOL, CODE_WITH_SCOPE, INT, TIMESTAMP, LONG, DECIMAL,
    UUID, MIN_KEY, MAX_KEY,
    KINDS
};

struct Element {
    Kind kind;
    Bytes name;
    Bytes raw;

    std::uint8_t type_byte() const {
        if (kind == UUID) return BINARY;
        if (kind == MIN_KEY) return 0xff;
        return kind == MAX_KEY ? 0x7f : kind;
    }
    Bytes text() const { return raw.substr(4, raw.size() - 5); }
    Bytes payload() const { return raw.substr(5); }
    std::int64_t integer() const {
        return kind == INT ? static_cast<std::int32_t>(little<std::uint32_t>(raw, 0))
                           : static_cast<std::int64_t>(little<std::uint64_t>(raw, 0));
    }
    double real() const {
        const auto bits = little<std::uint64_t>(raw, 0);
        double value;
        std::memcpy(&value, &bits, sizeof value);
        return value;
    }
};

// The elements of a document or array, one after the other.
class Elements {
  public:
    explicit Elements(Bytes document) : document_(document) {
        if (document.size() < 5 || little<std::uint32_t>(document, 0) != document.size())
            throw Broken("a length is wrong");
    }

    bool next(Element& element) {
        const std::size_t end = document_.size() - 1;
        if (at_ >= end) return false;
        const auto type = static_cast<std::uint8_t>(document_[at_]);
        const auto name_end = document_.find('\0', at_ + 1);
        if (name_end == Bytes::npos || name_end >= end) throw Broken("an element has no name");
        element.name = document_.substr(at_ + 1, name_end - at_ - 1);
        const std::size_t start = name_end + 1;
        element.kind = kind_of(type);
        element.raw = part(document_.substr(0, end), start, width(element.kind, start));
        if (element.kind == BINARY && element.raw[4] == 4 && element.raw.size() == 21)
            element.kind = UUID;
        at_ = start + element.raw.size();
        return true;
    }

    // Where the value of the element that came last begins, from the document's begin.
    std::size_t place(const Element& element) const {
        return static_cast<std::size_t>(element.raw.data() - document_.data());
    }

  private:
    static Kind kind_of(std::uint8_t type) {
        if (type == 0xff) return MIN_KEY;
        if (type == 0x7f) return MAX_KEY;
        if (type == 0 || type > DECIMAL) throw Broken("a type that BSON does not have");
        return static_cast<Kind>(type);
    }

    std::size_t prefixed(std::size_t at, std::size_t more, std::size_t least) const {
        const auto size = static_cast<std::int32_t>(little<std::uint32_t>(document_, at));
        if (size < 0 || static_cast<std::size_t>(size) + more < least)
            throw Broken("a length is wrong");
        return static_cast<std::size_t>(size) + more;
    }

    std::size_t width(Kind kind, std::size_t at) const {
        switch (kind) {
            case UNDEFINED: case NULL_VALUE: case MIN_KEY: case MAX_KEY: return 0;
            case BOOL: return 1;
            case INT: return 4;
            case DOUBLE: case DATE: case TIMESTAMP: case LONG: return 8;
            case OBJECT_ID: return 12;
            case DECIMAL: return 16;
            case STRING: case SYMBOL: case CODE: return prefixed(at, 4, 5);
            case BINARY: return prefixed(at, 5, 5);
            case DB_POINTER: return prefixed(at, 16, 17);
            case REGEX: {
                const auto pattern = document_.find('\0', at);
                if (pattern == Bytes::npos) throw Broken("a regular expression has no end");
                const auto options = document_.find('\0', pattern + 1);
                if (options == Bytes::npos) throw Broken("a regular expression has no end");
                return options + 1 - at;
            }
            default: return prefixed(at, 0, 5);
        }
    }

    Bytes document_;
    std::size_t at_ = 4;
};

inline std::string hex(Bytes raw) {
    static const char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(2 * raw.size());
    for (const char byte : raw) {
        text.push_back(digits[static_cast<Byte>(byte) >> 4]);
        text.push_back(digits[byte & 0xf]);
    }
    return text;
}

inline std::string uuid_text(Bytes raw) {
    std::string text = hex(raw);
    for (const std::size_t place : {8, 13, 18, 23}) text.insert(place, 1, '-');
    return text;
}

inline std::string base64(Bytes raw) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < raw.size(); i += 3) {
        unsigned bits = 0;
        const std::size_t count = std::min<std::size_t>(3, raw.size() - i);
        for (std::size_t j = 0; j < 3; ++j)
            bits = bits << 8 | (j < count ? static_cast<Byte>(raw[i + j]) : 0u);
        for (std::size_t j = 0; j < 4; ++j)
            text.push_back(j <= count ? digits[bits >> (18 - 6 * j) & 0x3f] : '=');
    }
    return text;
}

// `YYYY-MM-DDTHH:MM:SS.mmmZ`, or nothing where the year has no four digits.
inline std::string iso(std::int64_t milliseconds) {
    constexpr std::int64_t day = 86'400'000;
    constexpr std::int64_t year_0 = -62'167'219'200'000, year_10000 = 253'402'300'800'000;
    if (milliseconds < year_0 || milliseconds >= year_10000) return {};
    std::int64_t days = (milliseconds - year_0) / day;
    const std::int64_t rest = (milliseconds - year_0) % day;
    // Counted from the first day of the year 0, which is a leap year, as those after 400 years are.
    std::int64_t year = days / 146'097 * 400;
    days %= 146'097;
    const auto leap = [](std::int64_t y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; };
    while (days >= (leap(year) ? 366 : 365)) days -= leap(year++) ? 366 : 365;
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int month = 0;
    for (;; ++month) {
        const int length = lengths[month] + (month == 1 && leap(year));
        if (days < length) break;
        days -= length;
    }
    char text[40];
    std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", static_cast<int>(year),
                  month + 1, static_cast<int>(days) + 1, static_cast<int>(rest / 3'600'000),
                  static_cast<int>(rest / 60'000 % 60), static_cast<int>(rest / 1000 % 60),
                  static_cast<int>(rest % 1000));
    return text;
}

}  // namespace landbridge::verify
