// JSON values of either side as 16 bytes, whatever the order of keys; `trees.py` says how.
//
// For       Comparing jsonb with the objects and arrays that it was made of.
// Touches   Memory of its own.
// Promises  The same bytes as the Python module; a value that only that one knows is `Unusual`.
#pragma once

#include <algorithm>

#include "bson.hpp"
#include "numbers.hpp"

namespace landbridge::verify {

// What the Python module does instead.
struct Unusual {};

inline const Hash128 tree_seed = seed_of("landbridge tree.");
constexpr int levels_max = 220;

class Trees {
  public:
    bool escapes = false;

    Hash128 leaf(char tag, Bytes content = {}) {
        scratch_.assign(1, tag);
        scratch_ += content;
        return hash(scratch_, tree_seed);
    }

    Hash128 number(const Number& number) {
        scratch_.assign(1, 'd');
        number.write(scratch_);
        return hash(scratch_, tree_seed);
    }

    // The tree of jsonb's text.
    Hash128 of_json(Bytes text) {
        text_ = text;
        at_ = 0;
        const Hash128 tree = parsed(0);
        skip_spaces();
        if (at_ != text_.size()) throw Broken("text follows a JSON value");
        return tree;
    }

    Hash128 of_document(Bytes document, bool extended, int level = 0) {
        if (level > levels_max) throw Unusual{};
        Members members(*this);
        Elements elements(document);
        Element element;
        std::vector<Bytes> names;
        while (elements.next(element)) {
            if (std::find(names.begin(), names.end(), element.name) != names.end()) throw Unusual{};
            if (names.size() > names_searched_max) throw Unusual{};
            names.push_back(element.name);
            members.add(element.name, of_value(element, extended, level));
        }
        return members.tree();
    }

    Hash128 of_value(const Element& value, bool extended, int level) {
        switch (value.kind) {
            case NULL_VALUE: return leaf('n');
            case BOOL: return leaf(value.raw[0] ? 't' : 'f');
            case STRING: return text(value.text());
            case OBJECT: return of_document(value.raw, extended, level + 1);
            case ARRAY: {
                if (level > levels_max) throw Unusual{};
                std::string trees;
                Elements elements(value.raw);
                Element element;
                while (elements.next(element)) put_hash(trees, of_value(element, extended, level + 1));
                return leaf('a', trees);
            }
            default: return extended ? in_words(value) : plain(value);
        }
    }

    Bytes escaped(Bytes raw) {
        if (!escapes) return raw;
        if (raw.find('\0') == Bytes::npos && raw.find("\xe2\x90\x80") == Bytes::npos) return raw;
        escaped_.clear();
        for (std::size_t i = 0; i < raw.size(); ++i) {
            if (raw[i] == '\0') {
                escaped_ += "\xe2\x90\x80" "0";
            } else if (raw.substr(i, 3) == "\xe2\x90\x80") {
                escaped_ += "\xe2\x90\x80" "1";
                i += 2;
            } else {
                escaped_ += raw[i];
            }
        }
        return escaped_;
    }

  private:
    static constexpr std::size_t names_searched_max = 256;

    // An object under way.
    class Members {
      public:
        explicit Members(Trees& trees) : trees_(trees) {}
        void add(Bytes key, Hash128 tree) {
            std::string& scratch = trees_.scratch_;
            scratch.assign(1, 'k');
            put_hash(scratch, tree);
            scratch += key;
            total_.add(hash(scratch, tree_seed));
            ++count_;
        }
        Hash128 tree() {
            std::string& scratch = trees_.scratch_;
            scratch.assign(1, 'o');
            put_little(scratch, count_);
            put_hash(scratch, {total_.low, total_.high});
            return hash(scratch, tree_seed);
        }

      private:
        Trees& trees_;
        Sum total_;
        std::uint32_t count_ = 0;
    };

    Hash128 text(Bytes raw) { return leaf('s', escaped(raw)); }

    Hash128 wrapped(Bytes key, Hash128 tree) {
        Members members(*this);
        members.add(key, tree);
        return members.tree();
    }

    Hash128 plain(const Element& value) {
        switch (value.kind) {
            case INT:
            case LONG: return number(of_integer(value.integer()));
            case DOUBLE: {
                const Number found = shown_in_json(value.real());
                return found.word ? in_words(value) : number(found);
            }
            case DECIMAL: {
                const Number found = of_decimal(value.raw);
                return found.word ? in_words(value) : number(found);
            }
            case OBJECT_ID: return leaf('s', hex(value.raw));
            case UUID: return leaf('s', uuid_text(value.payload()));
            case DATE: {
                const std::string moment = iso(value.integer());
                return moment.empty() ? in_words(value) : leaf('s', moment);
            }
            default: return in_words(value);
        }
    }

    Hash128 in_words(const Element& value) {
        switch (value.kind) {
            case INT: return wrapped("$numberInt", leaf('s', std::to_string(value.integer())));
            case LONG: return wrapped("$numberLong", leaf('s', std::to_string(value.integer())));
            case DOUBLE: return wrapped("$numberDouble", leaf('s', double_words(value.real())));
            case DECIMAL: return wrapped("$numberDecimal", leaf('s', decimal_words(value.raw)));
            case OBJECT_ID: return wrapped("$oid", leaf('s', hex(value.raw)));
            case DATE: {
                const std::string moment = std::to_string(value.integer());
                return wrapped("$date", wrapped("$numberLong", leaf('s', moment)));
            }
            case BINARY:
            case UUID: {
                Members members(*this);
                members.add("base64", leaf('s', base64(value.payload())));
                members.add("subType", leaf('s', hex(value.raw.substr(4, 1))));
                return wrapped("$binary", members.tree());
            }
            case TIMESTAMP: {
                Members members(*this);
                members.add("t", number(of_integer(little<std::uint32_t>(value.raw, 4))));
                members.add("i", number(of_integer(little<std::uint32_t>(value.raw, 0))));
                return wrapped("$timestamp", members.tree());
            }
            default: throw Unusual{};
        }
    }

    void skip_spaces() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t'))
            ++at_;
    }

    char look() {
        skip_spaces();
        if (at_ >= text_.size()) throw Broken("a JSON value has no end");
        return text_[at_];
    }

    void expect(char sign) {
        if (look() != sign) throw Broken("a JSON value is not as jsonb prints it");
        ++at_;
    }

    Hash128 parsed(int level) {
        if (level > 2 * levels_max) throw Unusual{};
        switch (look()) {
            case '{': return parsed_object(level);
            case '[': {
                ++at_;
                std::string trees;
                if (look() == ']') {
                    ++at_;
                    return leaf('a');
                }
                for (;;) {
                    put_hash(trees, parsed(level + 1));
                    if (look() == ']') break;
                    expect(',');
                }
                ++at_;
                return leaf('a', trees);
            }
            case '"': {
                unescape(string_);
                return leaf('s', string_);
            }
            case 'n': return word("null", 'n');
            case 't': return word("true", 't');
            case 'f': return word("false", 'f');
            default: return parsed_number();
        }
    }

    Hash128 word(Bytes word, char tag) {
        if (text_.substr(at_, word.size()) != word) throw Broken("a word that JSON does not have");
        at_ += word.size();
        return leaf(tag);
    }

    Hash128 parsed_object(int level) {
        ++at_;
        Members members(*this);
        if (look() == '}') {
            ++at_;
            return members.tree();
        }
        std::string key;
        for (;;) {
            look();
            unescape(key);
            expect(':');
            members.add(key, parsed(level + 1));
            if (look() == '}') break;
            expect(',');
        }
        ++at_;
        return members.tree();
    }

    Hash128 parsed_number() {
        Number found;
        bool behind = false;
        if (text_[at_] == '-') {
            found.negative = true;
            ++at_;
        }
        const std::size_t start = at_;
        for (; at_ < text_.size(); ++at_) {
            const char sign = text_[at_];
            if (sign >= '0' && sign <= '9') {
                found.digits.push_back(sign);
                if (behind) ++found.scale;
            } else if (sign == '.' && !behind) {
                behind = true;
            } else {
                break;
            }
        }
        if (start == at_) throw Broken("a JSON value that is none");
        found.exponent = -static_cast<std::int32_t>(found.scale);
        found.normalize();
        return number(found);
    }

    void unescape(std::string& to) {
        expect('"');
        to.clear();
        for (;;) {
            const auto end = text_.find_first_of("\"\\", at_);
            if (end == Bytes::npos) throw Broken("a JSON string has no end");
            to += text_.substr(at_, end - at_);
            at_ = end + 1;
            if (text_[end] == '"') return;
            if (at_ >= text_.size()) throw Broken("a JSON string has no end");
            switch (const char sign = text_[at_++]) {
                case 'b': to += '\b'; break;
                case 'f': to += '\f'; break;
                case 'n': to += '\n'; break;
                case 'r': to += '\r'; break;
                case 't': to += '\t'; break;
                case 'u': put_utf8(to, code_point()); break;
                default: to += sign;
            }
        }
    }

    unsigned code_unit() {
        const Bytes digits = part(text_, at_, 4);
        unsigned unit = 0;
        if (std::from_chars(digits.begin(), digits.end(), unit, 16).ptr != digits.end())
            throw Broken("an escape that JSON does not have");
        at_ += 4;
        return unit;
    }

    unsigned code_point() {
        const unsigned unit = code_unit();
        if (unit < 0xd800 || unit > 0xdbff || text_.substr(at_, 2) != "\\u") return unit;
        at_ += 2;
        return 0x10000 + ((unit - 0xd800) << 10) + (code_unit() - 0xdc00);
    }

    static void put_utf8(std::string& to, unsigned point) {
        const auto byte = [&to](unsigned bits) { to.push_back(static_cast<char>(bits)); };
        if (point < 0x80) return byte(point);
        if (point < 0x800) return byte(0xc0 | point >> 6), byte(0x80 | (point & 0x3f));
        if (point < 0x10000) {
            byte(0xe0 | point >> 12);
        } else {
            byte(0xf0 | point >> 18);
            byte(0x80 | (point >> 12 & 0x3f));
        }
        byte(0x80 | (point >> 6 & 0x3f));
        byte(0x80 | (point & 0x3f));
    }

    std::string scratch_, escaped_, string_;
    Bytes text_;
    std::size_t at_ = 0;
};

}  // namespace landbridge::verify
