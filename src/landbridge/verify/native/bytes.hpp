// Bytes as they come from the two servers, and what is written of them to be compared.
//
// For       The rest of this folder, which shares no code with what writes rows but the hash.
// Touches   Memory of its own.
// Promises  Nothing outside of the bytes given is read: `Broken` is thrown instead.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "../../codec/native/murmur3.hpp"

namespace landbridge::verify {

using Bytes = std::string_view;

struct Broken : std::runtime_error {
    using std::runtime_error::runtime_error;
};

template <class Number>
inline Number little(Bytes bytes, std::size_t at) {
    if (at + sizeof(Number) > bytes.size()) throw Broken("a number passes the end");
    return load<Number>(reinterpret_cast<const Byte*>(bytes.data()) + at);
}

template <class Number>
inline Number big(Bytes bytes, std::size_t at) {
    if (at + sizeof(Number) > bytes.size()) throw Broken("a number passes the end");
    Number number = 0;
    for (std::size_t i = 0; i < sizeof(Number); ++i)
        number = static_cast<Number>(number << 8 | static_cast<Byte>(bytes[at + i]));
    return number;
}

inline Bytes part(Bytes bytes, std::size_t at, std::size_t size) {
    if (at > bytes.size() || size > bytes.size() - at) throw Broken("a value passes the end");
    return bytes.substr(at, size);
}

template <class Number>
inline void put_little(std::string& to, Number number) {
    char bytes[sizeof(Number)];
    for (std::size_t i = 0; i < sizeof(Number); ++i)
        bytes[i] = static_cast<char>(static_cast<std::uint64_t>(number) >> (8 * i));
    to.append(bytes, sizeof bytes);
}

template <class Number>
inline void put_big(std::string& to, Number number) {
    char bytes[sizeof(Number)];
    for (std::size_t i = 0; i < sizeof(Number); ++i)
        bytes[i] = static_cast<char>(static_cast<std::uint64_t>(number) >>
                                     (8 * (sizeof(Number) - 1 - i)));
    to.append(bytes, sizeof bytes);
}

// A number of 128 bits that is added to, modulo 2^128.
struct Sum {
    std::uint64_t low = 0, high = 0;

    void add(Hash128 hash) {
        low += hash.low;
        high += hash.high + (low < hash.low);
    }
    void add(const Sum& other) { add(Hash128{other.low, other.high}); }
    bool operator==(const Sum& other) const { return low == other.low && high == other.high; }
    bool operator!=(const Sum& other) const { return !(*this == other); }
};

inline Hash128 seed_of(const char (&text)[17]) {
    const auto* bytes = reinterpret_cast<const Byte*>(text);
    return {load<std::uint64_t>(bytes), load<std::uint64_t>(bytes + 8)};
}

inline Hash128 hash(Bytes bytes, Hash128 seed) {
    return murmur3_128(reinterpret_cast<const Byte*>(bytes.data()), bytes.size(), seed);
}

inline void put_hash(std::string& to, Hash128 hash) {
    put_little(to, hash.low);
    put_little(to, hash.high);
}

}  // namespace landbridge::verify
