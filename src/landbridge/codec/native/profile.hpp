// The profile: what was seen at each path over the rows that were written.
//
// For       Schema decisions and the catalog, without a second look at the documents.
// Touches   Nothing.
// Promises  Adding one value is a handful of instructions.
#pragma once

#include <limits>

#include "bson.hpp"

namespace landbridge {

template <class Number>
struct Extremes {
    Number minimum, maximum;

    void add(Number number) {
        if (number < minimum) minimum = number;
        if (number > maximum) maximum = number;
    }

    void add(const Extremes& other) {
        if (other.minimum < minimum) minimum = other.minimum;
        if (other.maximum > maximum) maximum = other.maximum;
    }

    bool any() const { return minimum <= maximum; }
};

struct PathProfile {
    std::uint64_t counts[kinds_count] = {};
    std::uint64_t by_value = 0, escaped = 0;
    Extremes<std::int64_t> ints = empty, longs = empty, dates = empty, string_bytes = empty;
    Extremes<double> doubles = {
        std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};

    void add(const Value& value) {
        ++counts[value.kind];
        switch (value.kind) {
            case INT: ints.add(load_int32(value.at)); break;
            case LONG: longs.add(load_int64(value.at)); break;
            case DATE: dates.add(load_int64(value.at)); break;
            case STRING: string_bytes.add(value.text_end() - value.text()); break;
            case DOUBLE: {
                const double number = load_double(value.at);
                if (number - number == 0) doubles.add(number);
                break;
            }
            default: break;
        }
    }

    void add(const PathProfile& other) {
        for (std::size_t kind = 0; kind < kinds_count; ++kind) counts[kind] += other.counts[kind];
        by_value += other.by_value;
        escaped += other.escaped;
        ints.add(other.ints);
        longs.add(other.longs);
        dates.add(other.dates);
        string_bytes.add(other.string_bytes);
        doubles.add(other.doubles);
    }

    bool any() const {
        for (const std::uint64_t count : counts) {
            if (count) return true;
        }
        return false;
    }

  private:
    static constexpr Extremes<std::int64_t> empty = {
        std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()};
};

}  // namespace landbridge
