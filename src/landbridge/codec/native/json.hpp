// JSON: BSON values as the text of a `jsonb` field, plain for people or canonical extended.
//
// For       Nested values, kinds that no column type fits, `_rest` and `_source_document`.
// Touches   The buffer it is given.
// Promises  What is written is JSON that PostgreSQL takes; a value that is malformed, too deep or
//           not UTF-8 gives `false`, and what was written of it is to be thrown away.
#pragma once

#include <string_view>

#include "bson.hpp"
#include "numbers.hpp"
#include "text.hpp"

namespace landbridge {

// `lines` is the extended form of an archive: it reads back as the document that it was.
enum class Form { plain, extended, lines };

// Whether extended JSON takes an object with this key for a value of another kind.
inline bool is_reserved_key(const Byte* key, const Byte* key_end) {
    static constexpr std::string_view names[] = {
        "oid", "symbol", "numberInt", "numberLong", "numberDouble", "numberDecimal", "binary",
        "uuid", "code", "timestamp", "regularExpression", "regex", "dbPointer", "date", "minKey",
        "maxKey", "undefined",
    };
    if (key == key_end || *key != '$') return false;
    const std::string_view name(
        reinterpret_cast<const char*>(key + 1), static_cast<std::size_t>(key_end - key - 1)
    );
    for (const std::string_view reserved : names) {
        if (name == reserved) return true;
    }
    return false;
}

class Json {
  public:
    bool by_value = false;  // -0 or an order of keys was written that `jsonb` doesn't keep

    Json(Buffer& out, Escape& escape) : out_(out), escape_(escape) {}

    // `depth` is the level of the document that holds the value.
    bool write(Form form, const Value& value, int depth) {
        return form == Form::plain ? write<Form::plain>(value, depth)
                                   : write<Form::extended>(value, depth);
    }

    // `depth` is the level of the document itself.
    bool write_document(Form form, const Byte* document, int depth) {
        return form == Form::plain   ? write_object<Form::plain>(document, depth)
               : form == Form::lines ? write_object<Form::lines>(document, depth)
                                     : write_object<Form::extended>(document, depth);
    }

    // An object's key and its colon.
    bool write_key(const Byte* key, const Byte* key_end) {
        Escape none;  // a key holds no NUL, and is not escaped
        if (!write_json_string(out_, key, key_end, none)) return false;
        out_.append(':');
        return true;
    }

  private:
    static constexpr Byte old_binary = 2;

    template <Form form>
    bool write(const Value& value, int depth) {
        switch (value.kind) {
            case OBJECT: return write_object<form>(value.at, depth + 1);
            case ARRAY: return write_array<form>(value.at, depth + 1);
            case STRING: return write_string(value.text(), value.text_end());
            case BOOL:
                if (*value.at) out_.append("true");
                else out_.append("false");
                return true;
            case NULL_: out_.append("null"); return true;
            case INT:
                return form == Form::plain ? write_integer(load_int32(value.at))
                                           : tagged_integer("{\"$numberInt\":\"", load_int32(value.at));
            case LONG:
                return form == Form::plain ? write_integer(load_int64(value.at))
                                           : tagged_integer("{\"$numberLong\":\"", load_int64(value.at));
            case DOUBLE: return write_number<form>(load_double(value.at));
            case DECIMAL: return write_number<form>(Decimal128(value.at));
            case OBJECT_ID: return write_object_id<form>(value.at);
            case DATE: return write_date<form>(load_int64(value.at));
            case UUID:
                if (form != Form::plain) return write_binary<form>(value);
                out_.append('"');
                write_uuid(out_.room(uuid_text_bytes), value.payload());
                out_.took(uuid_text_bytes);
                out_.append('"');
                return true;
            case BINARY: return write_binary<form>(value);
            case REGEX: return write_regex(value);
            case CODE: return tagged_text("{\"$code\":", value.text(), value.text_end());
            case SYMBOL: return tagged_text("{\"$symbol\":", value.text(), value.text_end());
            case CODE_WITH_SCOPE: return write_code_with_scope<form>(value, depth);
            case TIMESTAMP:
                out_.append("{\"$timestamp\":{\"t\":");
                write_integer(load<std::uint32_t>(value.at + 4));
                out_.append(",\"i\":");
                write_integer(load<std::uint32_t>(value.at));
                out_.append("}}");
                return true;
            case DB_POINTER: return write_db_pointer(value);
            case MIN_KEY: out_.append("{\"$minKey\":1}"); return true;
            case MAX_KEY: out_.append("{\"$maxKey\":1}"); return true;
            case UNDEFINED: out_.append("{\"$undefined\":true}"); return true;
            case NO_KIND: return false;
        }
        return false;
    }

    template <Form form>
    bool write_object(const Byte* document, int depth) {
        if (depth > depth_max) return false;
        const Byte* last_key = nullptr;
        std::ptrdiff_t last_size = 0;
        out_.append('{');
        Elements elements(document);
        while (elements.next()) {
            const std::ptrdiff_t size = elements.key_end - elements.key;
            if (last_key != nullptr) {
                out_.append(',');
                // The order that jsonb keeps: shorter keys first, then by byte, none twice.
                if (form == Form::lines) {
                    // kept in any case
                } else if (size < last_size ||
                    (size == last_size &&
                     std::memcmp(elements.key, last_key, static_cast<std::size_t>(size)) <= 0)) {
                    by_value = true;
                }
            }
            last_key = elements.key;
            last_size = size;
            if (form == Form::lines && is_reserved_key(elements.key, elements.key_end)) return false;
            if (!write_key(elements.key, elements.key_end)) return false;
            if (!write<form>(elements.value, depth)) return false;
        }
        out_.append('}');
        return !elements.malformed;
    }

    template <Form form>
    bool write_array(const Byte* array, int depth) {
        if (depth > depth_max) return false;
        bool first = true;
        out_.append('[');
        Elements elements(array);
        while (elements.next()) {
            if (!first) out_.append(',');
            first = false;
            if (!write<form>(elements.value, depth)) return false;
        }
        out_.append(']');
        return !elements.malformed;
    }

    bool write_string(const Byte* at, const Byte* end) {
        return write_json_string(out_, at, end, escape_);
    }

    bool write_integer(std::int64_t number) {
        Byte* const from = out_.room(int64_text_bytes_max);
        out_.took(static_cast<std::size_t>(write_int64(from, number) - from));
        return true;
    }

    template <std::size_t N>
    bool tagged_integer(const char (&tag)[N], std::int64_t number) {
        out_.append(tag);
        write_integer(number);
        out_.append("\"}");
        return true;
    }

    template <std::size_t N>
    bool tagged_text(const char (&tag)[N], const Byte* at, const Byte* end) {
        out_.append(tag);
        if (!write_string(at, end)) return false;
        out_.append('}');
        return true;
    }

    template <std::size_t N>
    bool tagged_special(const char (&tag)[N], Special special) {
        const char* const name = name_of(special);
        out_.append(tag);
        out_.append(name, std::strlen(name));
        out_.append("\"}");
        return true;
    }

    template <Form form>
    bool write_number(double number) {
        const Special special = special_of(number);
        if (special != Special::none) return tagged_special("{\"$numberDouble\":\"", special);
        if (form != Form::plain) out_.append("{\"$numberDouble\":\"");
        else if (number == 0 && std::signbit(number)) by_value = true;
        Byte* const from = out_.room(double_text_bytes_max);
        out_.took(static_cast<std::size_t>(write_double(from, number) - from));
        if (form != Form::plain) out_.append("\"}");
        return true;
    }

    template <Form form>
    bool write_number(const Decimal128& number) {
        if (number.special != Special::none) {
            return tagged_special("{\"$numberDecimal\":\"", number.special);
        }
        const Decimal& decimal = number.decimal;
        if (form != Form::plain) out_.append("{\"$numberDecimal\":\"");
        else if (decimal.is_zero() && decimal.negative) by_value = true;
        Byte* const from = out_.room(decimal_text_bytes_max);
        out_.took(static_cast<std::size_t>(write_decimal(from, decimal) - from));
        if (form != Form::plain) out_.append("\"}");
        return true;
    }

    template <Form form>
    bool write_object_id(const Byte* at) {
        if (form != Form::plain) out_.append("{\"$oid\":");
        Byte* to = out_.room(26);
        *to = '"';
        *write_hex(to + 1, at, 12) = '"';
        out_.took(26);
        if (form != Form::plain) out_.append('}');
        return true;
    }

    template <Form form>
    bool write_date(std::int64_t ms) {
        if (form != Form::plain || !has_iso_date(ms)) {
            out_.append("{\"$date\":");
            tagged_integer("{\"$numberLong\":\"", ms);
            out_.append('}');
            return true;
        }
        Byte* to = out_.room(iso_date_bytes + 2);
        *to = '"';
        *write_iso_date(to + 1, ms) = '"';
        out_.took(iso_date_bytes + 2);
        return true;
    }

    template <Form form>
    bool write_binary(const Value& value) {
        const Byte* at = value.payload();
        const Byte subtype = value.subtype();
        if (form == Form::lines && subtype == old_binary) {
            // It begins with a length of its own, which extended JSON leaves out.
            if (value.end - at < 4 || load_int32(at) != value.end - at - 4) return false;
            at += 4;
        }
        out_.append("{\"$binary\":{\"base64\":\"");
        write_base64(out_, at, static_cast<std::size_t>(value.end - at));
        out_.append("\",\"subType\":\"");
        write_hex(out_.room(2), &subtype, 1);
        out_.took(2);
        out_.append("\"}}");
        return true;
    }

    bool write_regex(const Value& value) {
        const Byte* const pattern_end = find_nul(value.at, value.end);
        out_.append("{\"$regularExpression\":{\"pattern\":");
        if (!write_string(value.at, pattern_end)) return false;
        out_.append(",\"options\":");
        if (!write_string(pattern_end + 1, value.end - 1)) return false;
        out_.append("}}");
        return true;
    }

    template <Form form>
    bool write_code_with_scope(const Value& value, int depth) {
        const Byte* const code = value.at + 8;
        const Byte* const scope = code + load_int32(value.at + 4);
        out_.append("{\"$code\":");
        if (!write_string(code, scope - 1)) return false;
        out_.append(",\"$scope\":");
        constexpr Form inside = form == Form::plain ? Form::extended : form;
        if (!write_object<inside>(scope, depth + 1)) return false;
        out_.append('}');
        return true;
    }

    bool write_db_pointer(const Value& value) {
        const Byte* const id = value.end - 12;
        out_.append("{\"$dbPointer\":{\"$ref\":");
        if (!write_string(value.text(), id - 1)) return false;
        out_.append(",\"$id\":");
        write_object_id<Form::extended>(id);
        out_.append("}}");
        return true;
    }

    Buffer& out_;
    Escape& escape_;
};

}  // namespace landbridge
