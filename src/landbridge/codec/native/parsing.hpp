// Lines: extended JSON, one document a line, to a BSON array of the documents.
//
// For       `import`: files of JSON lines, whoever wrote them.
// Touches   The buffers it holds.
// Promises  The same documents and the same faults as `codec.parsing`, its twin in Python. A line that
//           is no document costs no other line.
#pragma once

#include <string_view>
#include <vector>

#include "bson.hpp"
#include "line_text.hpp"
#include "numbers.hpp"

namespace landbridge {

struct BrokenLine {
    std::size_t line;    // counted from 0 among the lines of the chunk
    std::size_t offset;  // in the chunk
    std::size_t length;  // without the end of the line
    std::size_t column;  // byte in the line where reading stopped
    Fault fault;
};

class LineParser : LineText {
  public:
    Buffer out;
    std::size_t documents = 0;
    std::size_t lines = 0;
    std::vector<BrokenLine> broken;

    // `foreign`: another tool wrote the lines, so its older forms are looked for as well.
    explicit LineParser(bool foreign) : foreign_(foreign) {}

    void parse(const Byte* const data, const Byte* const end) {
        out.append("\0\0\0\0");
        for (const Byte* at = data; at != end; ++lines) {
            const auto* line_end =
                static_cast<const Byte*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)));
            const Byte* const next = line_end == nullptr ? end : line_end + 1;
            if (line_end == nullptr) line_end = end;
            if (line_end != at && line_end[-1] == '\r') --line_end;
            parse_line(data, at, line_end);
            at = next;
        }
        out.append('\0');
        patch_length(0);
    }

  private:
    enum class Known : std::uint8_t { no, yes, failed };

    void parse_line(const Byte* const data, const Byte* const begin, const Byte* const end) {
        LineText::begin(begin, end);
        skip_space();
        if (at_ == end_) return;
        const std::size_t mark = out.size();
        out.append("\3\0");
        size_max_ = out.size() + document_bytes_max;
        const bool whole = *at_ == '{' ? document(1) && nothing_follows() : fail(Fault::no_object);
        if (whole && out.size() <= size_max_) {
            ++documents;
            return;
        }
        if (whole) fault_ = Fault::size;
        out.rewind(mark);
        broken.push_back(
            {lines, static_cast<std::size_t>(begin - data), static_cast<std::size_t>(end - begin),
             static_cast<std::size_t>(at_ - begin), fault_});
    }

    // -- BSON --------------------------------------------------------------------------------

    void patch_length(std::size_t start) {
        store_little(const_cast<Byte*>(out.data()) + start, out.size() - start, 4);
    }

    void put(std::uint64_t number, int bytes) {
        store_little(out.room(8), number, bytes);
        out.took(static_cast<std::size_t>(bytes));
    }

    bool took(std::size_t bytes) {
        out.took(bytes);
        return true;
    }

    bool typed(std::size_t type_at, Byte type) {
        const_cast<Byte*>(out.data())[type_at] = type;
        return true;
    }

    // -- values ------------------------------------------------------------------------------

    // A value in a document or array at `level`; its type is written to `type_at`.
    bool value(std::size_t type_at, int level) {
        skip_space();
        if (at_ == end_) return fail(Fault::truncated);
        if (out.size() > size_max_) return fail(Fault::size);  // a comma may become many bytes
        switch (*at_) {
            case '"': return typed(type_at, 0x02) && string();
            case '{': return object(type_at, level + 1);
            case '[': return typed(type_at, 0x04) && array(level + 1);
            case 't': return word("true") ? boolean(type_at, true) : fail(Fault::unexpected);
            case 'f': return word("false") ? boolean(type_at, false) : fail(Fault::unexpected);
            case 'n':
                return word("null") ? typed(type_at, 0x0A) : fail(Fault::unexpected);
            default: return number(type_at);
        }
    }

    bool boolean(std::size_t type_at, bool truth) {
        out.append(truth ? '\1' : '\0');
        return typed(type_at, 0x08);
    }

    bool string() {
        const std::size_t start = out.size();
        out.append("\0\0\0\0");
        ++at_;
        if (!text(out, true)) return false;
        out.append('\0');
        store_little(const_cast<Byte*>(out.data()) + start, out.size() - start - 4, 4);
        return true;
    }

    // A document whose first key says nothing of its type; at its brace.
    bool document(int level) {
        const std::size_t start = out.size();
        ++at_;
        out.append("\0\0\0\0");
        skip_space();
        return members(start, level);
    }

    bool object(std::size_t type_at, int level) {
        const Byte* const brace = at_++;
        skip_space();
        if (end_ - at_ >= 2 && at_[0] == '"' && at_[1] == '$') {
            switch (tagged(type_at, level)) {
                case Known::yes: return true;
                case Known::failed: return false;
                case Known::no: break;
            }
        }
        typed(type_at, 0x03);
        if (level > depth_max) return fail_at(brace, Fault::depth);
        const std::size_t start = out.size();
        out.append("\0\0\0\0");
        return members(start, level);
    }

    bool members(std::size_t start, int level) {
        if (!takes('}')) {
            do {
                const std::size_t type_at = out.size();
                out.append('\0');
                if (!expect('"') || !text(out, false)) return false;
                out.append('\0');
                if (!expect(':') || !value(type_at, level)) return false;
            } while (takes(','));
            if (!expect('}')) return false;
        }
        out.append('\0');
        patch_length(start);
        return true;
    }

    bool array(int level) {
        if (level > depth_max) return fail(Fault::depth);
        const std::size_t start = out.size();
        out.append("\0\0\0\0");
        ++at_;
        if (!takes(']')) {
            std::int64_t place = 0;
            do {
                const std::size_t type_at = out.size();
                Byte* const to = out.room(int64_text_bytes_max + 2);
                Byte* const key_end = write_int64(to + 1, place++);
                *key_end = 0;
                out.end_at(key_end + 1);
                if (!value(type_at, level)) return false;
            } while (takes(','));
            if (!expect(']')) return false;
        }
        out.append('\0');
        patch_length(start);
        return true;
    }

    // -- numbers -----------------------------------------------------------------------------

    // A JSON number: int or long where it is whole and fits, else double.
    bool number(std::size_t type_at) {
        const Byte* const begin = at_;
        if (*at_ == '-') ++at_;
        if (at_ == end_ || !is_digit(*at_)) {
            return at_ == end_ ? fail(Fault::truncated) : fail_at(begin, Fault::unexpected);
        }
        if (*at_ == '0') ++at_;
        else while (at_ != end_ && is_digit(*at_)) ++at_;
        bool whole = true;
        if (at_ != end_ && *at_ == '.') {
            whole = false;
            if (!digits_after(1)) return fail(Fault::unexpected);
        }
        if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
            whole = false;
            const bool is_signed = end_ - at_ >= 2 && (at_[1] == '+' || at_[1] == '-');
            if (!digits_after(is_signed ? 2 : 1)) return fail(Fault::unexpected);
        }
        std::int64_t integer = 0;
        if (whole && read_integer(since(begin), integer)) {
            const bool is_short = integer >= INT32_MIN && integer <= INT32_MAX;
            put(static_cast<std::uint64_t>(integer), is_short ? 4 : 8);
            return typed(type_at, is_short ? 0x10 : 0x12);
        }
        typed(type_at, 0x01);
        return (read_double(since(begin), out.room(8)) && took(8)) || fail_at(begin, Fault::range);
    }

    bool digits_after(int skipped) {
        at_ += skipped;
        if (at_ == end_ || !is_digit(*at_)) return false;
        while (at_ != end_ && is_digit(*at_)) ++at_;
        return true;
    }

    // -- tags --------------------------------------------------------------------------------

    struct Tag {
        std::string_view quoted;
        Fault fault;
        bool (LineParser::*read)(std::size_t type_at, int level);
    };

    // An object whose first key names a type: at that key, or where it turns out to be none.
    Known tagged(std::size_t type_at, int level) {
        static constexpr Tag tags[] = {
            {"\"$oid\"", Fault::oid, &LineParser::oid},
            {"\"$date\"", Fault::date, &LineParser::date},
            {"\"$numberInt\"", Fault::number_int, &LineParser::number_int},
            {"\"$numberLong\"", Fault::number_long, &LineParser::number_long},
            {"\"$numberDouble\"", Fault::number_double, &LineParser::number_double},
            {"\"$numberDecimal\"", Fault::number_decimal, &LineParser::number_decimal},
            {"\"$binary\"", Fault::binary, &LineParser::binary},
            {"\"$regularExpression\"", Fault::regular_expression, &LineParser::regular_expression},
            {"\"$timestamp\"", Fault::timestamp, &LineParser::timestamp},
            {"\"$code\"", Fault::code, &LineParser::code},
            {"\"$symbol\"", Fault::symbol, &LineParser::symbol},
            {"\"$dbPointer\"", Fault::db_pointer, &LineParser::db_pointer},
            {"\"$undefined\"", Fault::undefined, &LineParser::undefined},
            {"\"$minKey\"", Fault::min_key, &LineParser::min_key},
            {"\"$maxKey\"", Fault::max_key, &LineParser::max_key},
            {"\"$uuid\"", Fault::uuid, &LineParser::uuid},
        };
        for (const Tag& tag : tags) {
            if (!word(tag.quoted)) continue;
            if (tag.fault == Fault::uuid && !foreign_) {
                at_ -= tag.quoted.size();
                return Known::no;
            }
            tag_ = tag.fault;
            if (!expect(':', tag.fault)) return Known::failed;
            skip_space();
            if (at_ == end_) return fail(Fault::truncated), Known::failed;
            if (!(this->*tag.read)(type_at, level)) return Known::failed;
            return expect('}', tag.fault) ? Known::yes : Known::failed;
        }
        return foreign_ ? old_regex(type_at) : Known::no;
    }

    // The content of a string, at its first quote. It lives until the next token is read.
    bool token(std::string_view& content) {
        const Fault tag = tag_;
        if (at_ == end_ || *at_ != '"') return fail(tag);
        const Byte* const from = at_ + 1;
        const auto* to =
            static_cast<const Byte*>(std::memchr(from, '"', static_cast<std::size_t>(end_ - from)));
        if (to != nullptr &&
            std::memchr(from, '\\', static_cast<std::size_t>(to - from)) == nullptr) {
            at_ = to + 1;
            content = {reinterpret_cast<const char*>(from), static_cast<std::size_t>(to - from)};
            return true;
        }
        ++at_;
        scratch_.clear();
        if (!text(scratch_, true)) return false;
        content = view(scratch_);
        return true;
    }

    static std::string_view view(const Buffer& buffer) {
        return {reinterpret_cast<const char*>(buffer.data()), buffer.size()};
    }

    static const Byte* bytes(std::string_view text) {
        return reinterpret_cast<const Byte*>(text.data());
    }

    // A whole number, in a string or by itself.
    bool integer(std::int64_t low, std::int64_t high, std::int64_t& number) {
        const Byte* const begin = at_;
        std::string_view content;
        if (*at_ == '"') {
            if (!token(content)) return false;
        } else {
            while (at_ != end_ && (is_digit(*at_) || *at_ == '-')) ++at_;
            content = since(begin);
        }
        const bool good = read_integer(content, number);
        return (good && number >= low && number <= high) || fail_at(begin, tag_);
    }

    bool oid(std::size_t type_at, int) {
        const Byte* const begin = at_;
        std::string_view content;
        if (!token(content)) return false;
        if (content.size() != 24) return fail_at(begin, tag_);
        Byte* const to = out.room(12);
        for (std::size_t i = 0; i < 12; ++i) {
            const int high = hex_digit(bytes(content)[2 * i]);
            const int low = hex_digit(bytes(content)[2 * i + 1]);
            if (high < 0 || low < 0) return fail_at(begin, tag_);
            to[i] = static_cast<Byte>(high << 4 | low);
        }
        out.took(12);
        return typed(type_at, 0x07);
    }

    bool number_int(std::size_t type_at, int) {
        std::int64_t number = 0;
        if (!integer(INT32_MIN, INT32_MAX, number)) return false;
        put(static_cast<std::uint64_t>(number), 4);
        return typed(type_at, 0x10);
    }

    bool number_long(std::size_t type_at, int) {
        std::int64_t number = 0;
        if (!integer(INT64_MIN, INT64_MAX, number)) return false;
        put(static_cast<std::uint64_t>(number), 8);
        return typed(type_at, 0x12);
    }

    bool number_double(std::size_t type_at, int) {
        const Byte* const begin = at_;
        typed(type_at, 0x01);
        std::string_view content;
        if (*at_ != '"') {
            while (at_ != end_ && is_number_byte(*at_)) ++at_;
            content = since(begin);
        } else if (!token(content)) {
            return false;
        }
        if (content == "NaN") return put(0x7FF8000000000000ULL, 8), true;
        if (content == "Infinity") return put(0x7FF0000000000000ULL, 8), true;
        if (content == "-Infinity") return put(0xFFF0000000000000ULL, 8), true;
        const bool good = is_decimal(content) && read_double(content, out.room(8)) && took(8);
        return good || fail_at(begin, tag_);
    }

    bool number_decimal(std::size_t type_at, int) {
        const Byte* const begin = at_;
        typed(type_at, 0x13);
        std::string_view content;
        if (!token(content)) return false;
        const auto special = [&](std::uint64_t high) { return put(0, 8), put(high, 8), true; };
        if (content == "NaN") return special(0x7C00000000000000ULL);
        if (content == "Infinity") return special(0x7800000000000000ULL);
        if (content == "-Infinity") return special(0xF800000000000000ULL);
        const bool good = is_decimal(content) && read_decimal(content, out.room(16)) && took(16);
        return good || fail_at(begin, tag_);
    }

    bool date(std::size_t type_at, int) {
        typed(type_at, 0x09);
        std::int64_t ms = 0;
        if (*at_ == '"') {
            const Byte* const begin = at_;
            std::string_view content;
            if (!token(content)) return false;
            if (!iso_milliseconds(content, ms)) return fail_at(begin, tag_);
        } else if (*at_ == '{') {
            ++at_;
            if (!expect_key("\"$numberLong\"", tag_)) return false;
            skip_space();
            if (at_ == end_) return fail(tag_);
            if (!integer(INT64_MIN, INT64_MAX, ms) || !expect('}', tag_)) return false;
        } else if (!integer(INT64_MIN, INT64_MAX, ms)) {
            return false;
        }
        put(static_cast<std::uint64_t>(ms), 8);
        return true;
    }

    bool binary(std::size_t type_at, int) {
        typed(type_at, 0x05);
        const std::size_t start = out.size();
        out.append("\0\0\0\0\0");
        std::int64_t subtype = -1;
        if (*at_ == '"') {
            if (!base64() || !expect(',', tag_) || !expect_key("\"$type\"", tag_)) return false;
            skip_space();
            if (at_ == end_) return fail(tag_);
            if (*at_ == '"' ? !hex_byte(subtype) : !integer(0, 255, subtype)) return false;
        } else {
            bool has_payload = false;
            if (!expect('{', tag_)) return false;
            for (int i = 0; i < 2; ++i) {
                if (i && !expect(',', tag_)) return false;
                skip_space();
                const bool is_payload = !has_payload && word("\"base64\"");
                if (!is_payload && (subtype >= 0 || !word("\"subType\""))) return fail(tag_);
                if (!expect(':', tag_)) return false;
                skip_space();
                if (is_payload ? !base64() : !hex_byte(subtype)) return false;
                has_payload = has_payload || is_payload;
            }
            if (!expect('}', tag_)) return false;
        }
        if (subtype == 2) {  // holds its length once more
            out.append("\0\0\0\0");
            Byte* const payload = const_cast<Byte*>(out.data()) + start + 5;
            const std::size_t size = out.size() - start - 9;
            std::memmove(payload + 4, payload, size);
            store_little(payload, size, 4);
        }
        Byte* const head = const_cast<Byte*>(out.data()) + start;
        store_little(head, out.size() - start - 5, 4);
        head[4] = static_cast<Byte>(subtype);
        return true;
    }

    bool base64() {
        const Byte* const begin = at_;
        std::string_view content;
        if (!token(content)) return false;
        if (content.size() % 4) return fail_at(begin, tag_);
        std::size_t size = content.size();
        for (int i = 0; i < 2 && size && content[size - 1] == '='; ++i) --size;
        Byte* to = out.room(content.size() / 4 * 3 + 3);
        std::uint32_t bits = 0;
        for (std::size_t i = 0; i < size; ++i) {
            const int six = six_bits(bytes(content)[i]);
            if (six < 0) return fail_at(begin, tag_);
            bits = bits << 6 | static_cast<std::uint32_t>(six);
            if (i % 4 == 3) {
                *to++ = static_cast<Byte>(bits >> 16);
                *to++ = static_cast<Byte>(bits >> 8);
                *to++ = static_cast<Byte>(bits);
            }
        }
        if (size % 4 == 2) {
            *to++ = static_cast<Byte>(bits >> 4);
        } else if (size % 4 == 3) {
            *to++ = static_cast<Byte>(bits >> 10);
            *to++ = static_cast<Byte>(bits >> 2);
        }
        out.end_at(to);
        return true;
    }

    bool hex_byte(std::int64_t& number) {
        const Byte* const begin = at_;
        std::string_view content;
        if (!token(content)) return false;
        if (content.empty() || content.size() > 2) return fail_at(begin, tag_);
        number = 0;
        for (const char digit : content) {
            const int four = hex_digit(static_cast<Byte>(digit));
            if (four < 0) return number = -1, fail_at(begin, tag_);
            number = number << 4 | four;
        }
        return true;
    }

    bool uuid(std::size_t type_at, int) {
        const Byte* const begin = at_;
        typed(type_at, 0x05);
        std::string_view content;
        if (!token(content)) return false;
        out.append("\x10\0\0\0\4");
        if (content.size() != uuid_text_bytes) return fail_at(begin, tag_);
        Byte* to = out.room(16);
        for (std::size_t i = 0; i < content.size();) {
            if (i == 8 || i == 13 || i == 18 || i == 23) {
                if (content[i++] != '-') return fail_at(begin, tag_);
                continue;
            }
            const int high = hex_digit(bytes(content)[i]), low = hex_digit(bytes(content)[i + 1]);
            if (high < 0 || low < 0) return fail_at(begin, tag_);
            *to++ = static_cast<Byte>(high << 4 | low);
            i += 2;
        }
        out.took(16);
        return true;
    }

    bool regular_expression(std::size_t type_at, int) {
        typed(type_at, 0x0B);
        if (!expect('{', tag_)) return false;
        bool has_pattern = false, has_options = false;
        for (int i = 0; i < 2; ++i) {
            if (i && !expect(',', tag_)) return false;
            skip_space();
            const bool is_pattern = !has_pattern && word("\"pattern\"");
            if (!is_pattern && (has_options || !word("\"options\""))) return fail(tag_);
            if (!expect(':', tag_) || !expect('"', tag_)) return false;
            Buffer& into = is_pattern ? pattern_ : options_;
            into.clear();
            if (!text(into, false)) return false;
            (is_pattern ? has_pattern : has_options) = true;
        }
        if (!expect('}', tag_)) return false;
        put_regex();
        return true;
    }

    void put_regex() {
        out.append(pattern_.data(), pattern_.size());
        out.append('\0');
        out.append(options_.data(), options_.size());
        out.append('\0');
    }

    // `{"$regex": "…", "$options": "…"}`, an older form; anything else of that key is a query that
    // somebody stored.
    Known old_regex(std::size_t type_at) {
        const Byte* const begin = at_;
        pattern_.clear();
        options_.clear();
        const bool is_one = word("\"$regex\"") && takes(':') && takes('"') && text(pattern_, false) &&
                            takes(',') && takes_key("\"$options\"") && takes('"') &&
                            text(options_, false) && takes('}');
        if (!is_one) {
            at_ = begin;
            return Known::no;
        }
        put_regex();
        typed(type_at, 0x0B);
        return Known::yes;
    }

    bool takes_key(std::string_view quoted) {
        skip_space();
        return word(quoted) && takes(':');
    }

    bool timestamp(std::size_t type_at, int) {
        typed(type_at, 0x11);
        if (!expect('{', tag_)) return false;
        std::int64_t time = -1, increment = -1;
        for (int i = 0; i < 2; ++i) {
            if (i && !expect(',', tag_)) return false;
            skip_space();
            const bool is_time = time < 0 && word("\"t\"");
            if (!is_time && (increment >= 0 || !word("\"i\""))) return fail(tag_);
            if (!expect(':', tag_)) return false;
            skip_space();
            if (at_ == end_) return fail(tag_);
            if (!integer(0, UINT32_MAX, is_time ? time : increment)) return false;
        }
        if (!expect('}', tag_)) return false;
        put(static_cast<std::uint64_t>(increment), 4);
        put(static_cast<std::uint64_t>(time), 4);
        return true;
    }

    bool code(std::size_t type_at, int level) {
        if (*at_ != '"') return fail(tag_);
        ++at_;
        code_.clear();
        if (!text(code_, true)) return false;
        const bool has_scope = takes(',');
        const std::size_t start = out.size();
        if (has_scope) out.append("\0\0\0\0");
        put(code_.size() + 1, 4);
        out.append(code_.data(), code_.size());
        out.append('\0');
        if (!has_scope) return typed(type_at, 0x0D);
        typed(type_at, 0x0F);
        if (!expect_key("\"$scope\"", tag_)) return false;
        skip_space();
        if (at_ == end_ || *at_ != '{') return fail(tag_);
        // `level` is the one that an object here would have had, and the scope's too.
        if (level > depth_max) return fail(Fault::depth);
        if (!document(level)) return false;
        patch_length(start);
        return true;
    }

    bool symbol(std::size_t type_at, int) {
        if (*at_ != '"') return fail(tag_);
        return typed(type_at, 0x0E) && string();
    }

    bool db_pointer(std::size_t type_at, int) {
        typed(type_at, 0x0C);
        if (!expect('{', tag_) || !expect_key("\"$ref\"", tag_)) return false;
        skip_space();
        if (at_ == end_ || *at_ != '"') return fail(tag_);
        if (!string() || !expect(',', tag_) || !expect_key("\"$id\"", tag_)) return false;
        if (!expect('{', tag_) || !expect_key("\"$oid\"", tag_)) return false;
        skip_space();
        if (!oid(type_at, 0)) return false;
        typed(type_at, 0x0C);
        return expect('}', tag_) && expect('}', tag_);
    }

    bool undefined(std::size_t type_at, int) {
        return word("true") ? typed(type_at, 0x06) : fail(tag_);
    }

    bool min_key(std::size_t type_at, int) { return word("1") ? typed(type_at, 0xFF) : fail(tag_); }

    bool max_key(std::size_t type_at, int) { return word("1") ? typed(type_at, 0x7F) : fail(tag_); }

    static constexpr std::size_t document_bytes_max = (std::size_t{16} << 20) + (16 << 10);

    const bool foreign_;
    Fault tag_ = Fault::none;
    std::size_t size_max_ = 0;  // of `out`, for the document under way
    Buffer scratch_, pattern_, options_, code_;
};

}  // namespace landbridge
