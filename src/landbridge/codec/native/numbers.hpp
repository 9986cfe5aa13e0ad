// Numbers and dates: doubles, integers and Decimal128 as text and as PostgreSQL `numeric`.
//
// For       Numeric columns, numbers inside JSON, dates inside JSON.
// Touches   The buffer it is given.
// Promises  A double is written as Python's `repr` writes it, a Decimal128 as its specification
//           does; a `numeric` is exact. Nothing is rounded.
#pragma once

#include <charconv>
#include <cmath>

#include "bytes.hpp"

namespace landbridge {

// A finite number, digits × 10^exponent, most significant digit first.
struct Decimal {
    char digits[36];
    int count = 0;
    int exponent = 0;
    bool negative = false;

    bool is_zero() const { return count == 1 && digits[0] == '0'; }
};

enum class Special { none, nan, infinity, minus_infinity };

inline Special special_of(double number) {
    if (std::isfinite(number)) return Special::none;
    if (std::isnan(number)) return Special::nan;
    return number > 0 ? Special::infinity : Special::minus_infinity;
}

// The shortest digits that give the same finite double back.
inline Decimal shortest(double number) {
    Decimal decimal;
    decimal.negative = std::signbit(number);
    char text[32];
    const char* const end =
        std::to_chars(text, text + sizeof text, std::fabs(number), std::chars_format::scientific).ptr;
    const char* at = text;
    for (; at != end && *at != 'e'; ++at) {
        if (*at != '.') decimal.digits[decimal.count++] = *at;
    }
    int exponent = 0;
    std::from_chars(at + (at[1] == '+' ? 2 : 1), end, exponent);
    decimal.exponent = exponent - (decimal.count - 1);
    return decimal;
}

constexpr std::size_t double_text_bytes_max = 32;

// As Python's `repr`.
inline Byte* write_double(Byte* to, double number) {
    const auto put = [&](char character) { *to++ = static_cast<Byte>(character); };
    if (number == std::trunc(number) && std::fabs(number) < 1e15) {
        if (std::signbit(number)) put('-');
        char* const from = reinterpret_cast<char*>(to);
        to += std::to_chars(from, from + 20, static_cast<std::uint64_t>(std::fabs(number))).ptr - from;
        put('.');
        put('0');
        return to;
    }
    const double magnitude = std::fabs(number);
    if (magnitude >= 1e-4 && magnitude < 1e15) {  // not whole, so there is a point
        char* const from = reinterpret_cast<char*>(to);
        char* const end = from + double_text_bytes_max;
        return to + (std::to_chars(from, end, number, std::chars_format::fixed).ptr - from);
    }
    const Decimal decimal = shortest(number);
    const int point = decimal.count + decimal.exponent;  // digits before the decimal point
    if (decimal.negative) put('-');
    if (point > 16 || point <= -4) {
        put(decimal.digits[0]);
        if (decimal.count > 1) put('.');
        for (int i = 1; i < decimal.count; ++i) put(decimal.digits[i]);
        put('e');
        int exponent = point - 1;
        put(exponent < 0 ? '-' : '+');
        exponent = exponent < 0 ? -exponent : exponent;
        if (exponent < 10) put('0');
        char* const from = reinterpret_cast<char*>(to);
        return to + (std::to_chars(from, from + 4, exponent).ptr - from);
    }
    if (point <= 0) {
        put('0');
        put('.');
        for (int i = point; i < 0; ++i) put('0');
        for (int i = 0; i < decimal.count; ++i) put(decimal.digits[i]);
        return to;
    }
    for (int i = 0; i < point; ++i) put(i < decimal.count ? decimal.digits[i] : '0');
    put('.');
    if (point >= decimal.count) put('0');
    for (int i = point; i < decimal.count; ++i) put(decimal.digits[i]);
    return to;
}

constexpr std::size_t int64_text_bytes_max = 20;

inline Byte* write_int64(Byte* to, std::int64_t number) {
    char* const from = reinterpret_cast<char*>(to);
    return to + (std::to_chars(from, from + int64_text_bytes_max, number).ptr - from);
}

// What 16 bytes of BSON Decimal128 (IEEE 754-2008, binary integer decimal) hold.
struct Decimal128 {
    Special special = Special::none;
    Decimal decimal;

    explicit Decimal128(const Byte* from) {
        const auto low = load<std::uint64_t>(from);
        const auto high = load<std::uint64_t>(from + 8);
        decimal.negative = high >> 63;
        const unsigned combination = high >> 58 & 0x1F;
        if (combination == 0x1F) {
            special = Special::nan;
        } else if (combination == 0x1E) {
            special = decimal.negative ? Special::minus_infinity : Special::infinity;
        } else if (combination >= 0x18) {
            // Its coefficient would begin beyond 10^34, which the specification reads as zero.
            set(0, static_cast<int>(high >> 47 & 0x3FFF));
        } else {
            const auto coefficient =
                static_cast<unsigned __int128>(high & 0x1FFFFFFFFFFFFULL) << 64 | low;
            set(coefficient, static_cast<int>(high >> 49 & 0x3FFF));
        }
    }

  private:
    void set(unsigned __int128 coefficient, int biased_exponent) {
        constexpr std::uint64_t ten_17 = 100'000'000'000'000'000ULL;
        constexpr unsigned __int128 ten_34 = static_cast<unsigned __int128>(ten_17) * ten_17;
        decimal.exponent = biased_exponent - 6176;
        if (coefficient >= ten_34) coefficient = 0;
        const auto upper = static_cast<std::uint64_t>(coefficient / ten_17);
        auto lower = static_cast<std::uint64_t>(coefficient % ten_17);
        char* end = std::to_chars(decimal.digits, decimal.digits + 20, upper ? upper : lower).ptr;
        if (upper) {
            for (int i = 16; i >= 0; --i, lower /= 10) end[i] = static_cast<char>('0' + lower % 10);
            end += 17;
        }
        decimal.count = static_cast<int>(end - decimal.digits);
    }
};

constexpr std::size_t decimal_text_bytes_max = 64;

// As the Decimal128 specification and Python's `decimal` write it.
inline Byte* write_decimal(Byte* to, const Decimal& decimal) {
    const auto put = [&](char character) { *to++ = static_cast<Byte>(character); };
    const int adjusted = decimal.exponent + decimal.count - 1;
    if (decimal.negative) put('-');
    if (decimal.exponent <= 0 && adjusted >= -6) {
        const int point = decimal.count + decimal.exponent;
        if (point <= 0) {
            put('0');
            put('.');
            for (int i = point; i < 0; ++i) put('0');
        }
        for (int i = 0; i < decimal.count; ++i) {
            if (i == point && i > 0) put('.');
            put(decimal.digits[i]);
        }
        return to;
    }
    put(decimal.digits[0]);
    if (decimal.count > 1) put('.');
    for (int i = 1; i < decimal.count; ++i) put(decimal.digits[i]);
    put('E');
    if (adjusted >= 0) put('+');
    return write_int64(to, adjusted);
}

inline const char* name_of(Special special) {
    return special == Special::nan ? "NaN" : special == Special::infinity ? "Infinity" : "-Infinity";
}

// The header of a COPY field of type `numeric`, then `groups` digits in base 10,000.
inline Byte* begin_numeric(
    Byte* to, std::size_t groups, int weight, std::uint16_t sign, int scale) {
    store_big(to, static_cast<std::uint16_t>(groups));
    store_big(to + 2, static_cast<std::uint16_t>(weight));
    store_big(to + 4, sign);
    store_big(to + 6, static_cast<std::uint16_t>(scale));
    return to + 8;
}

constexpr std::size_t numeric_bytes_max = 8 + 2 * 11;

inline Byte* write_numeric(Byte* to, Special special) {
    const std::uint16_t sign =
        special == Special::nan ? 0xC000 : special == Special::infinity ? 0xD000 : 0xF000;
    return begin_numeric(to, 0, 0, sign, 0);
}

inline Byte* write_numeric(Byte* to, const Decimal& decimal) {
    const int scale = decimal.exponent < 0 ? -decimal.exponent : 0;
    if (decimal.is_zero()) return begin_numeric(to, 0, 0, 0, scale);
    int count = decimal.count;
    while (decimal.digits[count - 1] == '0') --count;
    // Groups of four digits, counted from the decimal point in both directions.
    const int point = decimal.count + decimal.exponent;
    const int weight = (point - 1 >= 0 ? point - 1 : point - 4) / 4;
    const int in_first = point - 4 * weight;
    const int groups = count <= in_first ? 1 : 1 + (count - in_first + 3) / 4;
    to = begin_numeric(to, static_cast<std::size_t>(groups), weight,
                       decimal.negative ? 0x4000 : 0, scale);
    for (int group = 0; group < groups; ++group, to += 2) {
        int value = 0;
        for (int i = in_first + 4 * (group - 1); i < in_first + 4 * group; ++i) {
            value = value * 10 + (i >= 0 && i < count ? decimal.digits[i] - '0' : 0);
        }
        store_big(to, static_cast<std::uint16_t>(value));
    }
    return to;
}

inline Byte* write_numeric(Byte* to, std::int64_t number) {
    std::uint64_t rest = number < 0 ? 0 - static_cast<std::uint64_t>(number)
                                    : static_cast<std::uint64_t>(number);
    std::uint16_t groups[5];
    int count = 0;
    for (; rest; rest /= 10000) groups[count++] = static_cast<std::uint16_t>(rest % 10000);
    int low = 0;
    while (low < count && groups[low] == 0) ++low;
    to = begin_numeric(to, static_cast<std::size_t>(count - low), count ? count - 1 : 0,
                       number < 0 ? 0x4000 : 0, 0);
    for (int i = count - 1; i >= low; --i, to += 2) store_big(to, groups[i]);
    return to;
}

// PostgreSQL's range of timestamps, in milliseconds since 1970, and its epoch.
constexpr std::int64_t date_min = -210866803200000;
constexpr std::int64_t date_end = 9224318016000000;
constexpr std::int64_t date_epoch = 946684800000;

// Dates of the years 0 to 9999, which ISO 8601 writes with four digits.
constexpr std::int64_t iso_date_min = -62167219200000;
constexpr std::int64_t iso_date_end = 253402300800000;
constexpr std::size_t iso_date_bytes = 24;

inline bool has_iso_date(std::int64_t ms) { return ms >= iso_date_min && ms < iso_date_end; }

// "YYYY-MM-DDTHH:MM:SS.mmmZ", in the proleptic Gregorian calendar.
inline Byte* write_iso_date(Byte* to, std::int64_t ms) {
    constexpr std::int64_t ms_per_day = 86'400'000;
    const auto since_min = static_cast<std::uint64_t>(ms - iso_date_min);
    auto of_day = static_cast<std::uint32_t>(since_min % ms_per_day);
    // Counted from 1 March of the year 0; what is before it belongs to a year -1.
    const auto days = static_cast<std::int64_t>(since_min / ms_per_day) - 60;
    const std::int64_t era = days < 0 ? -1 : days / 146097;
    const auto of_era = static_cast<std::uint32_t>(days - era * 146097);
    const std::uint32_t year_of_era =
        (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const std::uint32_t of_year =
        of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::uint32_t month_from_march = (5 * of_year + 2) / 153;
    const std::uint32_t day = of_year - (153 * month_from_march + 2) / 5 + 1;
    const std::uint32_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    const auto year = static_cast<std::uint32_t>(era * 400 + year_of_era + (month <= 2));

    const auto put = [&](std::uint32_t number, int width, char after) {
        for (int i = width - 1; i >= 0; --i, number /= 10) to[i] = static_cast<Byte>('0' + number % 10);
        to += width;
        *to++ = static_cast<Byte>(after);
    };
    const std::uint32_t ms_of_second = of_day % 1000;
    of_day /= 1000;
    put(year, 4, '-');
    put(month, 2, '-');
    put(day, 2, 'T');
    put(of_day / 3600, 2, ':');
    put(of_day / 60 % 60, 2, ':');
    put(of_day % 60, 2, '.');
    put(ms_of_second, 3, 'Z');
    return to;
}

}  // namespace landbridge
