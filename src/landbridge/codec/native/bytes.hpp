// Bytes: a buffer that grows, and numbers in the byte order of either side.
//
// For       Everything that reads BSON (little-endian) or writes COPY fields (big-endian).
// Touches   Memory of its own.
// Promises  A buffer never writes past its capacity; where memory is short it throws
//           std::bad_alloc and keeps what it held.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace landbridge {

using Byte = std::uint8_t;

// What a buffer may keep from one batch to the next; a larger one was for a rare large document.
constexpr std::size_t kept_bytes_max = std::size_t{32} << 20;

template <class Number>
inline Number load(const Byte* from) {
    Number number;
    std::memcpy(&number, from, sizeof number);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    if constexpr (sizeof number == 8) number = __builtin_bswap64(number);
    if constexpr (sizeof number == 4) number = __builtin_bswap32(number);
#endif
    return number;
}

inline std::int32_t load_int32(const Byte* from) {
    return static_cast<std::int32_t>(load<std::uint32_t>(from));
}

inline std::int64_t load_int64(const Byte* from) {
    return static_cast<std::int64_t>(load<std::uint64_t>(from));
}

inline double load_double(const Byte* from) {
    const auto bits = load<std::uint64_t>(from);
    double number;
    std::memcpy(&number, &bits, sizeof number);
    return number;
}

inline void store_big(Byte* to, std::uint16_t number) {
    to[0] = static_cast<Byte>(number >> 8);
    to[1] = static_cast<Byte>(number);
}

inline void store_big(Byte* to, std::uint32_t number) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    number = __builtin_bswap32(number);
#endif
    std::memcpy(to, &number, sizeof number);
}

inline void store_big(Byte* to, std::uint64_t number) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    number = __builtin_bswap64(number);
#endif
    std::memcpy(to, &number, sizeof number);
}

inline void store_little(Byte* to, std::uint64_t number) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    number = __builtin_bswap64(number);
#endif
    std::memcpy(to, &number, sizeof number);
}

class Buffer {
  public:
    Buffer() = default;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    Buffer(Buffer&& other) noexcept { swap(other); }
    Buffer& operator=(Buffer&& other) noexcept {
        swap(other);
        return *this;
    }
    ~Buffer() { std::free(data_); }

    void swap(Buffer& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

    const Byte* data() const { return data_; }
    std::size_t size() const { return size_; }

    // Forget the content; keep the memory unless it is more than is usually needed.
    void clear() {
        size_ = 0;
        if (capacity_ > kept_bytes_max) {
            std::free(data_);
            data_ = nullptr;
            capacity_ = 0;
        }
    }

    void rewind(std::size_t size) { size_ = size; }

    // Make room for `count` more bytes and return where they go; `took` says how many were used.
    Byte* room(std::size_t count) {
        if (__builtin_expect(capacity_ - size_ < count, 0)) grow(count);
        return data_ + size_;
    }

    void took(std::size_t count) { size_ += count; }
    void end_at(const Byte* end) { size_ = static_cast<std::size_t>(end - data_); }

    void append(const void* from, std::size_t count) {
        if (count == 0) return;
        std::memcpy(room(count), from, count);
        size_ += count;
    }

    template <std::size_t N>
    void append(const char (&literal)[N]) {
        append(literal, N - 1);
    }

    void append(char character) {
        *room(1) = static_cast<Byte>(character);
        ++size_;
    }

    Byte last() const { return data_[size_ - 1]; }

    template <class Number>
    void append_big(Number number) {
        store_big(room(sizeof number), number);
        size_ += sizeof number;
    }

    template <class Number>
    void patch_big(std::size_t at, Number number) {
        store_big(data_ + at, number);
    }

  private:
    void grow(std::size_t count) {
        if (count > SIZE_MAX / 4 || size_ > SIZE_MAX / 4) throw std::bad_alloc();
        std::size_t capacity = size_ + count;
#ifndef __SANITIZE_ADDRESS__  // which is to see the first byte too many
        if (capacity < capacity_ + capacity_ / 2 + 4096) capacity = capacity_ + capacity_ / 2 + 4096;
#endif
        void* data = std::realloc(data_, capacity);
        if (data == nullptr) throw std::bad_alloc();
        data_ = static_cast<Byte*>(data);
        capacity_ = capacity;
    }

    Byte* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace landbridge
