// Numbers of either side as sign, digits, exponent and scale; `numbers.py` says how.
//
// For       Holding a BSON number against a `numeric`, in a column or inside jsonb.
// Touches   Nothing.
// Promises  The same bytes as the Python module.
#pragma once

#include <charconv>
#include <cmath>

#include "bytes.hpp"

namespace landbridge::verify {

struct Number {
    const char* word = nullptr;  // of what is no number: NaN, Infinity, -Infinity
    bool negative = false;
    std::string digits;
    std::int32_t exponent = 0;
    std::uint16_t scale = 0;

    // Bring into the one form: no zeros at either end.
    void normalize() {
        const auto first = digits.find_first_not_of('0');
        if (first == std::string::npos) {
            digits.clear();
            negative = false;
            exponent = 0;
            return;
        }
        const auto last = digits.find_last_not_of('0');
        exponent += static_cast<std::int32_t>(digits.size() - 1 - last);
        digits.erase(last + 1);
        digits.erase(0, first);
    }

    void write(std::string& to) const {
        to.push_back(negative ? '-' : '+');
        put_little(to, scale);
        put_little(to, exponent);
        to += digits;
    }
};

inline std::uint16_t scale_of(std::int32_t exponent) {
    return static_cast<std::uint16_t>(exponent < 0 ? -exponent : 0);
}

inline Number of_integer(std::int64_t value) {
    Number number;
    char text[24];
    const std::uint64_t size = value < 0 ? 0 - static_cast<std::uint64_t>(value)
                                         : static_cast<std::uint64_t>(value);
    const auto end = std::to_chars(text, text + sizeof text, size).ptr;
    number.negative = value < 0;
    number.digits.assign(text, end);
    number.normalize();
    return number;
}

inline const char* word_of(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
    return nullptr;
}

// The shortest digits that read back as the value, and the power of ten of the first of them.
struct Shortest {
    std::string digits;
    int power = 0;
};

inline Shortest shortest(double value) {
    char text[40];
    const auto end =
        std::to_chars(text, text + sizeof text, std::fabs(value), std::chars_format::scientific).ptr;
    Shortest found;
    const char* at = text;
    for (; at != end && *at != 'e'; ++at)
        if (*at != '.') found.digits.push_back(*at);
    if (at != end) {
        ++at;
        if (*at == '+') ++at;
        std::from_chars(at, end, found.power);
    }
    return found;
}

inline Number of_double(double value) {
    Number number;
    number.word = word_of(value);
    if (number.word) return number;
    Shortest found = shortest(value);
    number.negative = std::signbit(value);
    number.exponent = found.power - static_cast<int>(found.digits.size()) + 1;
    if (value == 0) number.exponent = 0;
    number.scale = scale_of(number.exponent);
    number.digits = std::move(found.digits);
    number.normalize();
    return number;
}

constexpr int fixed_from = -4, fixed_below = 16;  // powers of ten that are shown without exponent

// As JSON shows it: a whole number has `.0`, unless it has an exponent.
inline Number shown_in_json(double value) {
    Number number = of_double(value);
    if (number.word || number.scale) return number;
    const int power = value == 0 ? 0 : shortest(value).power;
    if (power >= fixed_from && power < fixed_below) number.scale = 1;
    return number;
}

// As Python's repr writes it.
inline std::string double_words(double value) {
    if (const char* word = word_of(value)) return word;
    const Shortest found = shortest(value);
    const std::string& digits = found.digits;
    std::string text = std::signbit(value) ? "-" : "";
    const int power = value == 0 ? 0 : found.power;
    if (power < fixed_from || power >= fixed_below) {
        text += digits[0];
        if (digits.size() > 1) text += "." + digits.substr(1);
        const std::string size = std::to_string(power < 0 ? -power : power);
        return text + "e" + (power < 0 ? "-" : "+") + (size.size() < 2 ? "0" : "") + size;
    }
    if (power < 0) return text + "0." + std::string(static_cast<std::size_t>(-power - 1), '0') + digits;
    const auto whole = static_cast<std::size_t>(power) + 1;
    if (digits.size() <= whole) return text + digits + std::string(whole - digits.size(), '0') + ".0";
    return text + digits.substr(0, whole) + "." + digits.substr(whole);
}

struct Decimal128 {
    const char* word = nullptr;
    bool negative = false;
    std::string digits;
    std::int32_t exponent = 0;
};

inline Decimal128 decimal128(Bytes raw) {
    constexpr int bias = 6176;
    const auto low = little<std::uint64_t>(raw, 0), high = little<std::uint64_t>(raw, 8);
    Decimal128 found;
    found.negative = high >> 63;
    const auto combination = high >> 58 & 0x1f;
    if (combination == 0x1f) found.word = "NaN";
    if (combination == 0x1e) found.word = found.negative ? "-Infinity" : "Infinity";
    if (found.word) return found;
    if ((high >> 61 & 3) == 3) {
        found.digits = "0";
        found.exponent = static_cast<std::int32_t>(high >> 47 & 0x3fff) - bias;
        return found;
    }
    unsigned __int128 coefficient =
        static_cast<unsigned __int128>(high & ((std::uint64_t{1} << 49) - 1)) << 64 | low;
    unsigned __int128 most = 1;
    for (int i = 0; i < 34; ++i) most *= 10;
    if (coefficient >= most) coefficient = 0;
    do {
        found.digits.insert(found.digits.begin(), static_cast<char>('0' + static_cast<int>(coefficient % 10)));
        coefficient /= 10;
    } while (coefficient);
    found.exponent = static_cast<std::int32_t>(high >> 49 & 0x3fff) - bias;
    return found;
}

inline Number of_decimal(Bytes raw) {
    Decimal128 found = decimal128(raw);
    Number number;
    number.word = found.word;
    if (found.word) return number;
    number.negative = found.negative;
    number.digits = std::move(found.digits);
    number.exponent = found.exponent;
    number.scale = scale_of(found.exponent);
    number.normalize();
    return number;
}

inline std::string decimal_words(Bytes raw) {
    const Decimal128 found = decimal128(raw);
    if (found.word) return found.word;
    std::string text = found.negative ? "-" : "";
    const std::string& digits = found.digits;
    const int power = found.exponent + static_cast<int>(digits.size()) - 1;
    if (found.exponent > 0 || power < -6) {
        text += digits[0];
        if (digits.size() > 1) text += "." + digits.substr(1);
        return text + "E" + (power >= 0 ? "+" : "") + std::to_string(power);
    }
    if (!found.exponent) return text + digits;
    const auto behind = static_cast<std::size_t>(-found.exponent);
    std::string padded = digits;
    if (padded.size() <= behind) padded.insert(0, behind + 1 - padded.size(), '0');
    return text + padded.substr(0, padded.size() - behind) + "." + padded.substr(padded.size() - behind);
}

// PostgreSQL's binary numeric: groups of four digits.
inline Number of_numeric(Bytes field) {
    const auto count = big<std::uint16_t>(field, 0);
    const auto weight = static_cast<std::int16_t>(big<std::uint16_t>(field, 2));
    const auto sign = big<std::uint16_t>(field, 4);
    Number number;
    number.scale = big<std::uint16_t>(field, 6);
    if (sign == 0xc000) number.word = "NaN";
    if (sign == 0xd000) number.word = "Infinity";
    if (sign == 0xf000) number.word = "-Infinity";
    if (number.word) return number;
    number.negative = sign == 0x4000;
    number.digits.reserve(std::size_t{4} * count);
    for (std::size_t i = 0; i < count; ++i) {
        const auto group = big<std::uint16_t>(field, 8 + 2 * i);
        for (int power = 1000; power; power /= 10)
            number.digits.push_back(static_cast<char>('0' + group / power % 10));
    }
    number.exponent = (weight - count + 1) * 4;
    number.normalize();
    return number;
}

}  // namespace landbridge::verify
