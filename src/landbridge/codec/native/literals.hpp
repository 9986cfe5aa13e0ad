// Literals: numbers and times as extended JSON writes them, to what BSON holds.
//
// For       Lines that are parsed.
// Touches   The bytes it is lent.
// Promises  `false` where the text is not one, or where BSON could not hold it exactly; a double is
//           the nearest one, as everywhere.
#pragma once

#include <charconv>
#include <string_view>

#include "bytes.hpp"

namespace landbridge {

inline void store_little(Byte* to, std::uint64_t number, int bytes) {
    for (int i = 0; i < bytes; ++i, number >>= 8) to[i] = static_cast<Byte>(number);
}

inline bool is_digit(Byte byte) { return byte >= '0' && byte <= '9'; }

inline bool is_number_byte(Byte byte) {
    return is_digit(byte) || byte == '-' || byte == '+' || byte == '.' || byte == 'e' ||
           byte == 'E';
}

inline int hex_digit(Byte byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
    return -1;
}

// The six bits of a letter of base64, or -1.
inline int six_bits(Byte letter) {
    if (letter >= 'A' && letter <= 'Z') return letter - 'A';
    if (letter >= 'a' && letter <= 'z') return letter - 'a' + 26;
    if (is_digit(letter)) return letter - '0' + 52;
    return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}

// Whether the text is digits, with a fraction and an exponent where it has them.
inline bool is_decimal(std::string_view text) {
    std::size_t at = 0;
    const auto digits = [&] {
        const std::size_t from = at;
        while (at < text.size() && is_digit(static_cast<Byte>(text[at]))) ++at;
        return at > from;
    };
    if (at < text.size() && text[at] == '-') ++at;
    if (!digits()) return false;
    if (at < text.size() && text[at] == '.') {
        ++at;
        if (!digits()) return false;
    }
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
        ++at;
        if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
        if (!digits()) return false;
    }
    return at == text.size();
}

inline bool read_integer(std::string_view text, std::int64_t& integer) {
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, integer);
    return read.ec == std::errc() && read.ptr == end;
}

// What rounds to infinity, or to zero, is none.
inline bool read_double(std::string_view text, Byte* to) {
    double number = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    if (read.ec != std::errc() || read.ptr != end) return false;
    std::uint64_t bits;
    std::memcpy(&bits, &number, sizeof bits);
    store_little(to, bits, 8);
    return true;
}

inline std::int64_t exponent_of(std::string_view text) {
    const bool negative = text[0] == '-';
    std::int64_t number = 0;
    for (std::size_t i = text[0] == '-' || text[0] == '+'; i < text.size(); ++i) {
        // More than any line has digits.
        if (number < 1'000'000'000'000) number = number * 10 + (text[i] - '0');
    }
    return negative ? -number : number;
}

// Keep every digit and the exponent as they are written, as far as the format has room.
inline bool read_decimal(std::string_view text, Byte* to) {
    constexpr std::int64_t digits_max = 34, exponent_max = 6111, exponent_min = -6176;
    const bool negative = text[0] == '-';
    std::size_t at = negative ? 1 : 0;
    unsigned __int128 coefficient = 0;
    std::int64_t count = 0, zeros = 0, exponent = 0;  // zeros: held back behind the digits
    bool in_fraction = false;
    for (; at < text.size() && text[at] != 'e' && text[at] != 'E'; ++at) {
        if (text[at] == '.') {
            in_fraction = true;
            continue;
        }
        if (in_fraction) --exponent;
        if (text[at] == '0') {
            if (count) ++zeros;
            continue;
        }
        if (count + zeros >= digits_max) return false;
        for (; zeros; --zeros, ++count) coefficient *= 10;
        coefficient = coefficient * 10 + static_cast<unsigned>(text[at] - '0');
        ++count;
    }
    exponent += at < text.size() ? exponent_of(text.substr(at + 1)) : 0;
    if (count == 0) {
        exponent = exponent > exponent_max ? exponent_max : exponent;
        exponent = exponent < exponent_min ? exponent_min : exponent;
    }
    // The zeros at the end are digits as far as there is room, as they were written.
    for (; zeros && (count + zeros > digits_max || exponent < exponent_min); --zeros) ++exponent;
    for (; zeros; --zeros, ++count) coefficient *= 10;
    for (; exponent > exponent_max && count < digits_max; --exponent, ++count) coefficient *= 10;
    if (exponent > exponent_max || exponent < exponent_min) return false;
    store_little(to, static_cast<std::uint64_t>(coefficient), 8);
    store_little(
        to + 8,
        static_cast<std::uint64_t>(coefficient >> 64) |
            static_cast<std::uint64_t>(exponent + 6176) << 49 |
            static_cast<std::uint64_t>(negative) << 63,
        8);
    return true;
}

// `YYYY-MM-DDTHH:MM:SS[.fraction](Z|±HH:MM|±HHMM)`, no finer than a millisecond.
inline bool iso_milliseconds(std::string_view text, std::int64_t& ms) {
    std::size_t at = 0;
    bool good = true;
    const auto digits = [&](std::size_t count) {
        std::int64_t number = 0;
        for (; count; --count, ++at) {
            good = good && at < text.size() && is_digit(static_cast<Byte>(text[at]));
            number = good ? number * 10 + (text[at] - '0') : 0;
        }
        return number;
    };
    const auto sign = [&](char character) {
        good = good && at < text.size() && text[at] == character;
        ++at;
    };
    const std::int64_t year = digits(4);
    sign('-');
    const std::int64_t month = digits(2);
    sign('-');
    const std::int64_t day = digits(2);
    sign('T');
    const std::int64_t hour = digits(2);
    sign(':');
    const std::int64_t minute = digits(2);
    sign(':');
    const std::int64_t second = digits(2);
    if (!good || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    std::int64_t thousandths = 0;
    if (at < text.size() && text[at] == '.') {
        const std::size_t from = ++at;
        for (; at < text.size() && is_digit(static_cast<Byte>(text[at])); ++at) {
            if (at - from >= 3 && text[at] != '0') return false;
            if (at - from < 3) thousandths = thousandths * 10 + (text[at] - '0');
        }
        if (at == from) return false;
        for (std::size_t i = at - from; i < 3; ++i) thousandths *= 10;
    }
    std::int64_t offset_minutes = 0;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) {
        const bool west = text[at++] == '-';
        const std::int64_t hours = digits(2);
        if (at < text.size() && text[at] == ':') ++at;
        const std::int64_t minutes = digits(2);
        if (hours > 23 || minutes > 59) return false;
        offset_minutes = (west ? -1 : 1) * (hours * 60 + minutes);
    } else {
        sign('Z');
    }
    static constexpr std::int64_t month_days[] = {31, 28, 31, 30, 31, 30,
                                                  31, 31, 30, 31, 30, 31};
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (!good || at != text.size()) return false;
    if (day > month_days[month - 1] + (leap && month == 2)) return false;
    // Years that begin in March, in cycles of 400.
    const std::int64_t from_march = year - (month <= 2) + 400;
    const std::int64_t cycle = from_march / 400, of_cycle = from_march % 400;
    const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    const std::int64_t day_of_cycle =
        of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + day_of_year;
    const std::int64_t days = (cycle - 1) * 146097 + day_of_cycle - 719468;
    ms = ((days * 24 + hour) * 60 + minute - offset_minutes) * 60'000 + second * 1000 +
         thousandths;
    return true;
}

}  // namespace landbridge
