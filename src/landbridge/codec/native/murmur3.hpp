// MurmurHash3, x64, 128 bits (Austin Appleby, public domain), with a seed for each half.
//
// For       The hash of a row's source document.
// Touches   Nothing.
// Promises  The same 16 bytes as the pure Python twin, on every machine.
#pragma once

#include "bytes.hpp"

namespace landbridge {

struct Hash128 {
    std::uint64_t low, high;
};

inline std::uint64_t rotate_left(std::uint64_t bits, int by) {
    return (bits << by) | (bits >> (64 - by));
}

inline std::uint64_t murmur3_finish(std::uint64_t bits) {
    bits ^= bits >> 33;
    bits *= 0xff51afd7ed558ccdULL;
    bits ^= bits >> 33;
    bits *= 0xc4ceb9fe1a85ec53ULL;
    bits ^= bits >> 33;
    return bits;
}

inline Hash128 murmur3_128(const Byte* data, std::size_t size, Hash128 seed) {
    constexpr std::uint64_t c1 = 0x87c37b91114253d5ULL;
    constexpr std::uint64_t c2 = 0x4cf5ad432745937fULL;
    std::uint64_t h1 = seed.low, h2 = seed.high;

    const Byte* const blocks_end = data + (size & ~std::size_t{15});
    for (const Byte* block = data; block != blocks_end; block += 16) {
        h1 ^= rotate_left(load<std::uint64_t>(block) * c1, 31) * c2;
        h1 = (rotate_left(h1, 27) + h2) * 5 + 0x52dce729;
        h2 ^= rotate_left(load<std::uint64_t>(block + 8) * c2, 33) * c1;
        h2 = (rotate_left(h2, 31) + h1) * 5 + 0x38495ab5;
    }

    // A missing tail is zeros, which mix to zero and change nothing.
    Byte tail[16] = {};
    std::memcpy(tail, blocks_end, size & 15);
    h2 ^= rotate_left(load<std::uint64_t>(tail + 8) * c2, 33) * c1;
    h1 ^= rotate_left(load<std::uint64_t>(tail) * c1, 31) * c2;

    h1 ^= size;
    h2 ^= size;
    h1 += h2;
    h2 += h1;
    h1 = murmur3_finish(h1);
    h2 = murmur3_finish(h2);
    h1 += h2;
    h2 += h1;
    return {h1, h2};
}

}  // namespace landbridge
