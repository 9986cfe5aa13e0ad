// Records of documents and rows, and their join; `records.py` and `expected.py` say how.
//
// For       The kernel of the comparison.
// Touches   Memory of its own.
// Promises  The same bytes as the Python modules. A document that only those can judge is handed
//           back, its place told.
#pragma once

#include <unordered_map>

#include "trees.hpp"

namespace landbridge::verify {

inline const Hash128 cell_seed = seed_of("landbridge cells");
constexpr std::uint16_t row_of_array = 0xffff;

enum Form : std::uint8_t { BIGINT, FLOAT8, NUMERIC, TEXT, BOOLEAN, TIMESTAMPS, BYTES, UUIDS, JSON };
enum Mode : std::uint8_t {
    VALUE, PLAIN_JSON, EXTENDED_JSON, PLAIN_TEXT, EXTENDED_TEXT, COUNT, REST, NOTHING, NO_PLACE
};
enum Part : std::uint8_t { PART_VALUE, PART_ID, PART_REST, PART_BSON, PART_DOCUMENT, PART_HASH };

struct Place {
    Mode mode = NO_PLACE;
    int column = -1;
    int table = 0;
};

struct Node {
    std::string name;
    Place places[KINDS];
    std::vector<std::pair<std::uint8_t, Place>> binaries;
    std::vector<int> below;
    std::unordered_map<Bytes, int> by_name;  // of what is below, filled in once all are there
    std::size_t next = 0;                    // of what is below, where the last one was found
    std::uint64_t seen_in = 0;               // the row that had a value here last

    Place place_of(const Element& value) const {
        if (value.kind != BINARY) return places[value.kind];
        for (const auto& [subtype, place] : binaries)
            if (subtype == static_cast<std::uint8_t>(value.raw[4])) return place;
        return {};
    }
};

struct Column {
    Form form;
    Part part;
};

struct Table {
    std::vector<Column> columns;
    int root = 0;
    bool rest = false;
};

struct Span {
    std::size_t offset, size;
};

class Records {
  public:
    std::vector<Table> tables;
    std::vector<Node> nodes;
    int flatten_depth = 0;
    bool extended = false, discards = false, walks = true, mixes = false;
    Hash128 seed{0, 0};
    std::string output;
    std::vector<Span> unusual;
    std::size_t documents_seen = 0;

    void finish(bool escapes) {
        trees_.escapes = escapes;
        for (Node& node : nodes)
            for (const int below : node.below)
                node.by_name.emplace(nodes[static_cast<std::size_t>(below)].name, below);
        for (std::size_t i = 0; i < tables[0].columns.size(); ++i)
            if (tables[0].columns[i].part == PART_ID) ids_.push_back(static_cast<int>(i));
    }

    // Append the records of the documents in the array at `data[offset:]`.
    void documents(Bytes data, std::size_t offset) {
        output.clear();
        unusual.clear();
        documents_seen = 0;
        const Bytes array = part(data, offset, little<std::uint32_t>(data, offset));
        Elements elements(array);
        Element element;
        while (elements.next(element)) {
            if (element.kind != OBJECT) throw Broken("a batch holds something else than documents");
            ++documents_seen;
            try {
                document(element.raw);
            } catch (const Unusual&) {
                unusual.push_back({offset + elements.place(element), element.raw.size()});
            } catch (const Broken&) {
                unusual.push_back({offset + elements.place(element), element.raw.size()});
            }
        }
    }

    // Append the records of the tuples of a binary COPY.
    void rows(std::size_t table, Bytes copied) {
        static const Bytes signature("PGCOPY\n\xff\r\n\0", 11);
        output.clear();
        std::size_t at = copied.substr(0, signature.size()) == signature ? signature.size() + 8 : 0;
        while (at < copied.size()) {
            const auto count = static_cast<std::int16_t>(big<std::uint16_t>(copied, at));
            at += 2;
            if (count < 0) return;
            fields_.clear();
            for (int i = 0; i < count; ++i) {
                const auto size = static_cast<std::int32_t>(big<std::uint32_t>(copied, at));
                at += 4;
                fields_.push_back(size < 0 ? Bytes{} : part(copied, at, static_cast<std::size_t>(size)));
                if (size < 0) continue;
                if (fields_.back().data() == nullptr) throw Broken("a field is nowhere");
                at += static_cast<std::size_t>(size);
            }
            row(table);
        }
    }

  private:
    void document(Bytes raw) {
        row_ = ++rows_;
        total_ = {};
        key_.clear();
        has_id_ = false;
        const Table& main = tables[0];
        if (walks) {
            members(raw, 0, 0, main.root, 1);
        } else {
            Elements elements(raw);
            Element element;
            while (elements.next(element))
                if (element.name == "_id") {
                    place(element, 0, 0, below(main.root, element.name), 1);
                    break;
                }
        }
        for (std::size_t i = 0; i < main.columns.size(); ++i) {
            const Part what = main.columns[i].part;
            if (what < PART_BSON) continue;
            open(0, 0, static_cast<int>(i));
            if (what == PART_BSON) {
                cell_ += 'x';
                cell_ += raw;
            } else if (what == PART_DOCUMENT) {
                cell_ += 'j';
                put_hash(cell_, trees_.of_document(raw, extended));
            } else {
                cell_ += 'u';
                put_hash(cell_, hash(raw, seed));
            }
            close();
        }
        if (has_id_ && key_.empty()) throw Unusual{};  // no row can have this id
        put_record(false);
    }

    int below(int node, Bytes name) {
        Node& above = nodes[static_cast<std::size_t>(node)];
        if (above.below.empty()) return -1;
        if (above.next >= above.below.size()) above.next = 0;
        const int guess = above.below[above.next];
        if (nodes[static_cast<std::size_t>(guess)].name == name) {
            ++above.next;
            return guess;
        }
        const auto found = above.by_name.find(name);
        if (found == above.by_name.end()) return -1;
        const auto place = std::find(above.below.begin(), above.below.end(), found->second);
        above.next = static_cast<std::size_t>(place - above.below.begin()) + 1;
        return found->second;
    }

    void members(Bytes raw, int table, std::uint32_t ordinal, int above, int level) {
        Elements elements(raw);
        Element element;
        while (elements.next(element)) {
            const int node = above < 0 ? -1 : below(above, element.name);
            if (element.kind == OBJECT && element.raw.size() > 5 && level <= flatten_depth &&
                !(level == 1 && element.name == "_id")) {
                members(element.raw, table, ordinal, node, level + 1);
            } else {
                place(element, table, ordinal, node, level);
            }
        }
    }

    void place(const Element& value, int table, std::uint32_t ordinal, int node, int level) {
        Place where;
        if (node >= 0) {
            Node& known = nodes[static_cast<std::size_t>(node)];
            if (known.seen_in == row_) throw Unusual{};  // the same name twice
            known.seen_in = row_;
            where = known.place_of(value);
        }
        if (table == 0 && level == 1 && value.name == "_id") has_id_ = true;
        switch (where.mode) {
            case NO_PLACE:
                if (value.kind == NULL_VALUE) return;
                if (discards && !tables[static_cast<std::size_t>(table)].rest) return;
                throw Unusual{};
            case REST: throw Unusual{};
            case NOTHING: return;
            case COUNT: return array(value, table, ordinal, where);
            default: break;
        }
        const Column& column =
            tables[static_cast<std::size_t>(table)].columns[static_cast<std::size_t>(where.column)];
        open(table, ordinal, where.column);
        const std::size_t begin = cell_.size();
        write(value, where.mode, column.form, level);
        if (table == 0 && column.part == PART_ID) {
            put_little(key_, static_cast<std::uint16_t>(where.column));
            key_.append(cell_, begin + 1);
        }
        close();
    }

    void array(const Element& value, int table, std::uint32_t ordinal, Place where) {
        std::int64_t count = 0;
        std::uint32_t number = 0;
        const std::uint64_t row = row_;
        const int root = tables[static_cast<std::size_t>(where.table)].root;
        Elements elements(value.raw);
        Element element;
        while (elements.next(element)) {
            ++count;
            row_ = ++rows_;
            open(where.table, number, row_of_array);
            close();
            if (element.kind == OBJECT) {
                members(element.raw, where.table, number, root, 1);
            } else {
                element.name = "value";
                place(element, where.table, number, below(root, element.name), 1);
            }
            ++number;
        }
        row_ = row;
        open(table, ordinal, where.column);
        cell_ += 'i';
        put_big(cell_, count);
        close();
    }

    void write(const Element& value, Mode mode, Form form, int level) {
        if (mode == PLAIN_JSON || mode == EXTENDED_JSON) {
            const Hash128 tree = trees_.of_value(value, mode == EXTENDED_JSON, level);
            cell_ += 'j';
            put_hash(cell_, tree);
        } else if (mode == EXTENDED_TEXT) {
            throw Unusual{};
        } else if (mode == PLAIN_TEXT) {
            cell_ += 't';
            switch (value.kind) {
                case STRING: cell_ += trees_.escaped(value.text()); break;
                case OBJECT_ID: cell_ += hex(value.raw); break;
                case INT: case LONG: cell_ += std::to_string(value.integer()); break;
                case UUID: cell_ += uuid_text(value.payload()); break;
                default: throw Unusual{};
            }
        } else if (!simple(value, form)) {
            cell_ += '!';
            cell_ += static_cast<char>(value.type_byte());
            cell_ += value.raw;
        }
    }

    bool simple(const Element& value, Form form) {
        constexpr std::int64_t ms_of_2000 = 946'684'800'000, exact_in_double = std::int64_t{1} << 53;
        const bool whole = value.kind == INT || value.kind == LONG;
        switch (form) {
            case BIGINT:
                if (!whole) return false;
                cell_ += 'i';
                put_big(cell_, value.integer());
                return true;
            case FLOAT8: {
                double real = 0;
                if (whole) {
                    if (value.integer() > exact_in_double || value.integer() < -exact_in_double)
                        return false;
                    real = static_cast<double>(value.integer());
                } else if (value.kind == DOUBLE) {
                    real = value.real();
                } else {
                    return false;
                }
                std::uint64_t bits;
                std::memcpy(&bits, &real, sizeof bits);
                cell_ += 'f';
                put_big(cell_, bits);
                return true;
            }
            case NUMERIC:
                if (whole) return numeric(of_integer(value.integer()));
                if (value.kind == DOUBLE) return numeric(of_double(value.real()));
                return value.kind == DECIMAL && numeric(of_decimal(value.raw));
            case TEXT:
                if (value.kind != STRING && value.kind != OBJECT_ID) return false;
                cell_ += 't';
                if (value.kind == STRING) cell_ += trees_.escaped(value.text());
                else cell_ += hex(value.raw);
                return true;
            case BOOLEAN:
                if (value.kind != BOOL) return false;
                cell_ += 'b';
                cell_ += value.raw;
                return true;
            case TIMESTAMPS: {
                if (value.kind != DATE) return false;
                const __int128 microseconds = (__int128{value.integer()} - ms_of_2000) * 1000;
                if (microseconds > INT64_MAX || microseconds < -INT64_MAX) return false;
                cell_ += 'd';
                put_big(cell_, static_cast<std::int64_t>(microseconds));
                return true;
            }
            case BYTES:
                if (value.kind != OBJECT_ID && value.kind != BINARY && value.kind != UUID) return false;
                cell_ += 'x';
                cell_ += value.kind == OBJECT_ID ? value.raw : value.payload();
                return true;
            case UUIDS:
                if (value.kind != UUID) return false;
                cell_ += 'u';
                cell_ += value.payload();
                return true;
            default: return false;
        }
    }

    bool numeric(const Number& number) {
        cell_ += number.word ? 'N' : 'n';
        if (number.word) cell_ += number.word;
        else number.write(cell_);
        return true;
    }

    void field(Form form, Bytes content) {
        static const char tags[] = "if tbdxu";
        if (form == NUMERIC) {
            numeric(of_numeric(content));
        } else if (form == JSON) {
            if (content.empty() || content[0] != 1) throw Broken("a jsonb of another version");
            const Hash128 tree = trees_.of_json(content.substr(1));
            cell_ += 'j';
            put_hash(cell_, tree);
        } else {
            cell_ += tags[form];
            cell_ += content;
        }
    }

    void row(std::size_t table) {
        const Table& shape = tables[table];
        const std::size_t before = table ? ids_.size() + 1 : 0;
        if (fields_.size() != before + shape.columns.size())
            throw Broken("a row has another number of columns");
        total_ = {};
        key_.clear();
        for (std::size_t i = 0; i < ids_.size(); ++i) {
            const Bytes id = fields_[table ? i : static_cast<std::size_t>(ids_[i])];
            if (id.data() == nullptr) continue;
            put_little(key_, static_cast<std::uint16_t>(ids_[i]));
            key_ += id;
        }
        std::uint32_t ordinal = 0;
        if (table) {
            ordinal = static_cast<std::uint32_t>(big<std::uint64_t>(fields_[ids_.size()], 0));
            open(static_cast<int>(table), ordinal, row_of_array);
            close();
        }
        for (std::size_t i = 0; i < shape.columns.size(); ++i) {
            const Bytes content = fields_[before + i];
            if (content.data() == nullptr) continue;
            open(static_cast<int>(table), ordinal, static_cast<int>(i));
            field(shape.columns[i].form, content);
            close();
        }
        put_record(table > 0);
    }

    void open(int table, std::uint32_t ordinal, int column) {
        cell_.clear();
        put_little(cell_, static_cast<std::uint16_t>(table));
        put_little(cell_, ordinal);
        put_little(cell_, static_cast<std::uint16_t>(column));
    }

    void close() { total_.add(hash(cell_, cell_seed)); }

    void put_record(bool of_array) {
        put_little(output, static_cast<std::uint32_t>(key_.size()));
        output += key_;
        if (mixes) {
            cell_.clear();
            put_hash(cell_, {total_.low, total_.high});
            put_hash(output, hash(cell_, cell_seed));
        } else {
            put_hash(output, {total_.low, total_.high});
        }
        output.push_back(of_array);
    }

    bool has_id_ = false;               // the document under way, whatever becomes of its id
    std::uint64_t row_ = 0, rows_ = 0;  // the one under way, and how many there were
    std::vector<int> ids_;
    std::vector<Bytes> fields_;
    Trees trees_;
    Sum total_;
    std::string key_, cell_;
};

// Deal records out, those of one key to the same part.
inline std::vector<std::string> split(Bytes records, std::size_t parts) {
    std::vector<std::string> dealt(parts);
    std::size_t at = 0;
    while (at < records.size()) {
        const auto size = little<std::uint32_t>(records, at);
        const auto place = hash(part(records, at + 4, size), cell_seed).low % parts;
        dealt[place] += part(records, at, size + std::size_t{21});
        at += size + std::size_t{21};
    }
    return dealt;
}

struct Side {
    std::uint32_t documents = 0, rows = 0;
    bool any = false;  // a row of the document or of its arrays
    Sum wanted, have;
};

struct Joined {
    std::uint64_t equal = 0;
    Sum source, target;
    std::vector<Bytes> missing, extra, different;
};

inline void take(std::unordered_map<Bytes, Side>& sides, Bytes records, bool target) {
    std::size_t at = 0;
    while (at < records.size()) {
        const auto size = little<std::uint32_t>(records, at);
        Side& side = sides[part(records, at + 4, size)];
        at += 4 + size;
        Sum& sum = target ? side.have : side.wanted;
        sum.add(Hash128{little<std::uint64_t>(records, at), little<std::uint64_t>(records, at + 8)});
        const bool of_array = part(records, at + 16, 1)[0];
        side.any |= target;
        if (!of_array) ++(target ? side.rows : side.documents);
        at += 17;
    }
}

inline Joined join(Bytes source, Bytes target) {
    Joined joined;
    std::unordered_map<Bytes, Side> sides;
    sides.reserve(source.size() / 33 + target.size() / 66);
    take(sides, source, false);
    take(sides, target, true);
    for (const auto& [key, side] : sides) {
        if (!side.documents) {
            joined.extra.push_back(key);
        } else if (!side.any) {
            joined.missing.push_back(key);
        } else if (side.documents != side.rows || side.wanted != side.have) {
            joined.different.push_back(key);
        } else {
            joined.equal += side.documents;
            joined.source.add(side.wanted);
            joined.target.add(side.have);
        }
    }
    return joined;
}

}  // namespace landbridge::verify
