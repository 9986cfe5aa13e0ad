// The text of one line, read from left to right: what JSON is made of.
//
// For       Lines that are parsed.
// Touches   The buffers it is lent.
// Promises  Nothing past the end of the line is read. A string is UTF-8 when it has been read. Where
//           something is missing at the end of the line, that is the fault.
#pragma once

#include <string_view>

#include "literals.hpp"
#include "text.hpp"

namespace landbridge {

// In the order of `codec.line_faults.FAULTS`.
enum class Fault : std::uint8_t {
    none, truncated, unexpected, no_object, follows, utf8, control, escape, surrogate, nul, range,
    depth, size,
    oid, number_int, number_long, number_double, number_decimal, date, binary, regular_expression,
    timestamp, code, symbol, db_pointer, undefined, min_key, max_key, uuid,
};

class LineText {
  protected:
    void begin(const Byte* at, const Byte* end) {
        at_ = at;
        end_ = end;
        fault_ = Fault::none;
    }

    bool fail(Fault fault) {
        fault_ = at_ == end_ ? Fault::truncated : fault;
        return false;
    }

    bool fail_at(const Byte* place, Fault fault) {
        at_ = place;
        return fail(fault);
    }

    void skip_space() {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r')) ++at_;
    }

    bool nothing_follows() {
        skip_space();
        return at_ == end_ || fail(Fault::follows);
    }

    // Whether the next thing in the line is this character; it is consumed.
    bool takes(char character) {
        skip_space();
        if (at_ == end_ || *at_ != static_cast<Byte>(character)) return false;
        ++at_;
        return true;
    }

    bool expect(char character, Fault fault = Fault::unexpected) {
        return takes(character) || fail(fault);
    }

    bool word(std::string_view text) {
        if (static_cast<std::size_t>(end_ - at_) < text.size() ||
            std::memcmp(at_, text.data(), text.size()) != 0) {
            return false;
        }
        at_ += text.size();
        return true;
    }

    bool expect_key(std::string_view quoted, Fault fault) {
        skip_space();
        return (word(quoted) || fail(fault)) && expect(':', fault);
    }

    // What was read since that place.
    std::string_view since(const Byte* place) const {
        return {reinterpret_cast<const char*>(place), static_cast<std::size_t>(at_ - place)};
    }

    // The rest of a string, after its first quote.
    bool text(Buffer& into, bool takes_nul) {
        for (;;) {
            const std::ptrdiff_t piece = end_ - at_ < 4096 ? end_ - at_ : 4096;
            const Byte* const piece_end = at_ + piece;
            Byte* to = into.room(static_cast<std::size_t>(piece) + 8);
            while (at_ < piece_end) {
                if (piece_end - at_ >= 8) {
                    const std::uint64_t specials = detail::json_specials(load<std::uint64_t>(at_));
                    std::memcpy(to, at_, 8);
                    const int plain = specials ? __builtin_ctzll(specials) / 8 : 8;
                    at_ += plain;
                    to += plain;
                    if (plain == 8) continue;
                } else if (!detail::is_json_special(*at_)) {
                    *to++ = *at_++;
                    continue;
                }
                if (*at_ < 0x80) break;
                const int length = utf8_sequence(at_, end_);
                if (length == 0) return fail(Fault::utf8);
                for (int i = 0; i < length; ++i) *to++ = *at_++;
            }
            into.end_at(to);
            if (at_ == end_) return fail(Fault::truncated);
            if (at_ >= piece_end) continue;
            if (*at_ == '"') {
                ++at_;
                return true;
            }
            if (*at_ != '\\') return fail(Fault::control);
            if (!escaped(into, takes_nul)) return false;
        }
    }

    bool escaped(Buffer& into, bool takes_nul) {
        const Byte* const slash = at_++;
        if (at_ == end_) return fail(Fault::truncated);
        switch (*at_++) {
            case '"': into.append('"'); return true;
            case '\\': into.append('\\'); return true;
            case '/': into.append('/'); return true;
            case 'b': into.append('\b'); return true;
            case 'f': into.append('\f'); return true;
            case 'n': into.append('\n'); return true;
            case 'r': into.append('\r'); return true;
            case 't': into.append('\t'); return true;
            case 'u': break;
            default: return fail_at(slash, Fault::escape);
        }
        std::uint32_t code = 0;
        if (!unit(slash, code)) return false;
        if (code == 0 && !takes_nul) return fail_at(slash, Fault::nul);
        if (code >= 0xD800 && code < 0xE000) {
            if (code >= 0xDC00) return fail_at(slash, Fault::surrogate);
            if (end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u') {
                return fail_at(slash, Fault::surrogate);
            }
            at_ += 2;
            std::uint32_t low = 0;
            if (!unit(slash, low)) return false;
            if (low < 0xDC00 || low >= 0xE000) return fail_at(slash, Fault::surrogate);
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
        Byte* to = into.room(4);
        if (code < 0x80) {
            *to++ = static_cast<Byte>(code);
        } else if (code < 0x800) {
            *to++ = static_cast<Byte>(0xC0 | code >> 6);
            *to++ = static_cast<Byte>(0x80 | (code & 0x3F));
        } else if (code < 0x10000) {
            *to++ = static_cast<Byte>(0xE0 | code >> 12);
            *to++ = static_cast<Byte>(0x80 | (code >> 6 & 0x3F));
            *to++ = static_cast<Byte>(0x80 | (code & 0x3F));
        } else {
            *to++ = static_cast<Byte>(0xF0 | code >> 18);
            *to++ = static_cast<Byte>(0x80 | (code >> 12 & 0x3F));
            *to++ = static_cast<Byte>(0x80 | (code >> 6 & 0x3F));
            *to++ = static_cast<Byte>(0x80 | (code & 0x3F));
        }
        into.end_at(to);
        return true;
    }

    // The four hex digits of an escape.
    bool unit(const Byte* slash, std::uint32_t& code) {
        for (int i = 0; i < 4; ++i) {
            if (at_ == end_) return fail(Fault::truncated);
            const int digit = hex_digit(*at_);
            if (digit < 0) return fail_at(slash, Fault::escape);
            code = code << 4 | static_cast<std::uint32_t>(digit);
            ++at_;
        }
        return true;
    }

    const Byte* at_ = nullptr;
    const Byte* end_ = nullptr;
    Fault fault_ = Fault::none;
};

}  // namespace landbridge
