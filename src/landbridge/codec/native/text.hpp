// Text: strict UTF-8, the reversible escape of NUL, and JSON strings.
//
// For       Every string and every key that leaves BSON.
// Touches   The buffer it is given.
// Promises  Nothing but valid UTF-8 without NUL is written; `false` where that can't be.
#pragma once

#include "bytes.hpp"

namespace landbridge {

constexpr std::uint64_t every_byte(std::uint64_t byte) { return byte * 0x0101010101010101ULL; }
constexpr std::uint64_t high_bits = every_byte(0x80);

// Length of the multi-byte sequence at `at` (2 to 4), or 0 where it is not valid UTF-8.
inline int utf8_sequence(const Byte* at, const Byte* end) {
    const auto continues = [&](int i) { return (at[i] & 0xC0) == 0x80; };
    const std::ptrdiff_t available = end - at;
    const Byte lead = at[0];
    if (lead < 0xC2) return 0;
    if (lead < 0xE0) return available >= 2 && continues(1) ? 2 : 0;
    if (lead < 0xF0) {
        if (available < 3 || !continues(1) || !continues(2)) return 0;
        if (lead == 0xE0 && at[1] < 0xA0) return 0;   // overlong
        if (lead == 0xED && at[1] >= 0xA0) return 0;  // surrogate
        return 3;
    }
    if (lead > 0xF4 || available < 4 || !continues(1) || !continues(2) || !continues(3)) return 0;
    if (lead == 0xF0 && at[1] < 0x90) return 0;   // overlong
    if (lead == 0xF4 && at[1] >= 0x90) return 0;  // beyond U+10FFFF
    return 4;
}

// `json` is for JSON that PostgreSQL never sees: NUL is the escape that JSON has for it.
enum class Nul { quarantine, escape, json };

// U+2400, the sign that stands for NUL and, doubled up, for itself.
constexpr Byte nul_sign[3] = {0xE2, 0x90, 0x80};

inline bool is_nul_sign(const Byte* at) { return std::memcmp(at, nul_sign, sizeof nul_sign) == 0; }

// How a string is written: `escaped` is set where the reversible escape changed it.
struct Escape {
    Nul nul = Nul::quarantine;
    bool escaped = false;
};

namespace detail {

// Length of the multi-byte sequence at `at` if it is written as it is, else 0.
inline int kept_sequence(const Byte* at, const Byte* end, const Escape& escape) {
    const int length = utf8_sequence(at, end);
    return length == 3 && escape.nul == Nul::escape && is_nul_sign(at) ? 0 : length;
}

// Write what the escape changes, one character; return what follows it, or null where it is
// refused or not UTF-8.
inline const Byte* write_escaped(Buffer& out, const Byte* at, const Byte* end, Escape& escape) {
    if (escape.nul == Nul::quarantine) return nullptr;
    const bool is_nul = *at == 0;
    if (escape.nul == Nul::json) {
        if (!is_nul) return nullptr;
        out.append("\\u0000");
        return at + 1;
    }
    if (!is_nul && (end - at < 3 || !is_nul_sign(at))) return nullptr;
    escape.escaped = true;
    out.append(nul_sign, sizeof nul_sign);
    out.append(is_nul ? '0' : '1');
    return at + (is_nul ? 1 : 3);
}

}  // namespace detail

// Write a string as it is, NUL escaped or refused.
inline bool write_text(Buffer& out, const Byte* at, const Byte* end, Escape& escape) {
    while (at != end) {
        const Byte* kept = at;
        for (;;) {
            while (end - kept >= 8) {
                const auto word = load<std::uint64_t>(kept);
                if (((word - every_byte(1)) | word) & high_bits) break;
                kept += 8;
            }
            while (kept != end && *kept != 0 && *kept < 0x80) ++kept;
            if (kept == end || *kept == 0) break;
            const int length = detail::kept_sequence(kept, end, escape);
            if (length == 0) break;
            kept += length;
        }
        out.append(at, static_cast<std::size_t>(kept - at));
        if (kept == end) return true;
        at = detail::write_escaped(out, kept, end, escape);
        if (at == nullptr) return false;
    }
    return true;
}

namespace detail {

// Nonzero where a byte needs a second look in JSON; its lowest set bit is exact.
inline std::uint64_t json_specials(std::uint64_t word) {
    const std::uint64_t quote = word ^ every_byte('"');
    const std::uint64_t slash = word ^ every_byte('\\');
    const std::uint64_t control = word - every_byte(0x20);
    return (word | control | (quote - every_byte(1)) | (slash - every_byte(1))) & high_bits;
}

inline bool is_json_special(Byte byte) {
    return byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\';
}

// The `count` (1 to 7) bytes at `at`, the first one lowest, without a look past them.
inline std::uint64_t load_few(const Byte* at, int count) {
    if (count >= 4) {
        const std::uint64_t first = load<std::uint32_t>(at);
        return first | std::uint64_t{load<std::uint32_t>(at + count - 4)} << 8 * (count - 4);
    }
    const int middle = count >> 1;
    return std::uint64_t{at[0]} | std::uint64_t{at[middle]} << 8 * middle |
           std::uint64_t{at[count - 1]} << 8 * (count - 1);
}

inline void write_json_escape(Buffer& out, Byte byte) {
    constexpr char hex[] = "0123456789abcdef";
    char short_form = 0;
    switch (byte) {
        case '"': case '\\': short_form = static_cast<char>(byte); break;
        case '\b': short_form = 'b'; break;
        case '\f': short_form = 'f'; break;
        case '\n': short_form = 'n'; break;
        case '\r': short_form = 'r'; break;
        case '\t': short_form = 't'; break;
    }
    Byte* to = out.room(6);
    to[0] = '\\';
    if (short_form) {
        to[1] = static_cast<Byte>(short_form);
        out.took(2);
    } else {
        std::memcpy(to + 1, "u00", 3);
        to[4] = static_cast<Byte>(hex[byte >> 4]);
        to[5] = static_cast<Byte>(hex[byte & 15]);
        out.took(6);
    }
}

}  // namespace detail

// Write the inside of a JSON string, without its quotes.
inline bool write_json_text(Buffer& out, const Byte* at, const Byte* end, Escape& escape) {
    while (at != end) {
        // A piece at a time, so that one long string doesn't ask for much more than it needs.
        const std::ptrdiff_t piece = end - at < 4096 ? end - at : 4096;
        const Byte* const piece_end = at + piece;
        Byte* to = out.room(static_cast<std::size_t>(piece) + 8);
        while (at < piece_end) {
            if (piece_end - at >= 8) {
                const std::uint64_t specials = detail::json_specials(load<std::uint64_t>(at));
                std::memcpy(to, at, 8);
                const int plain = specials ? __builtin_ctzll(specials) / 8 : 8;
                at += plain;
                to += plain;
                if (plain == 8) continue;
            } else {
                const auto left = static_cast<int>(piece_end - at);
                const std::uint64_t word = detail::load_few(at, left);
                const std::uint64_t mask = (std::uint64_t{1} << 8 * left) - 1;
                const std::uint64_t specials = detail::json_specials(word) & mask;
                store_little(to, word);  // of which only the plain bytes count
                const int plain = specials ? __builtin_ctzll(specials) / 8 : left;
                at += plain;
                to += plain;
                if (plain == left) continue;
            }
            if (*at < 0x80) break;
            const int length = detail::kept_sequence(at, end, escape);
            if (length == 0) break;
            for (int i = 0; i < length; ++i) *to++ = *at++;
        }
        out.end_at(to);
        if (at >= piece_end) continue;
        if (*at != 0 && *at < 0x80) {
            detail::write_json_escape(out, *at++);
        } else {
            at = detail::write_escaped(out, at, end, escape);
            if (at == nullptr) return false;
        }
    }
    return true;
}

inline bool write_json_string(Buffer& out, const Byte* at, const Byte* end, Escape& escape) {
    out.append('"');
    if (!write_json_text(out, at, end, escape)) return false;
    out.append('"');
    return true;
}

inline Byte* write_hex(Byte* to, const Byte* from, std::size_t count) {
    constexpr char hex[] = "0123456789abcdef";
    for (std::size_t i = 0; i < count; ++i) {
        *to++ = static_cast<Byte>(hex[from[i] >> 4]);
        *to++ = static_cast<Byte>(hex[from[i] & 15]);
    }
    return to;
}

constexpr std::size_t uuid_text_bytes = 36;

inline Byte* write_uuid(Byte* to, const Byte* from) {
    to = write_hex(to, from, 4);
    for (int group = 0; group < 4; ++group) {
        *to++ = '-';
        to = write_hex(to, from + 4 + 2 * group, group == 3 ? 6 : 2);
    }
    return to;
}

inline void write_base64(Buffer& out, const Byte* at, std::size_t count) {
    constexpr char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const std::size_t written = (count + 2) / 3 * 4;
    Byte* to = out.room(written);
    for (; count >= 3; count -= 3, at += 3) {
        const std::uint32_t bits = std::uint32_t{at[0]} << 16 | std::uint32_t{at[1]} << 8 | at[2];
        for (int shift = 18; shift >= 0; shift -= 6) *to++ = static_cast<Byte>(letters[bits >> shift & 63]);
    }
    if (count) {
        const std::uint32_t bits = std::uint32_t{at[0]} << 16 | (count == 2 ? std::uint32_t{at[1]} << 8 : 0);
        *to++ = static_cast<Byte>(letters[bits >> 18 & 63]);
        *to++ = static_cast<Byte>(letters[bits >> 12 & 63]);
        *to++ = static_cast<Byte>(count == 2 ? letters[bits >> 6 & 63] : '=');
        *to++ = '=';
    }
    out.took(written);
}

}  // namespace landbridge
