// Batches: where the documents of a BSON array lie.
//
// For       Everything that goes over a batch document by document.
// Touches   The batch, which it reads.
// Promises  A document that is found lies whole inside the batch; what is in it is not looked at.
#pragma once

#include <vector>

#include "bson.hpp"

namespace landbridge {

// A document of the batch.
struct Span {
    std::size_t offset;
    std::size_t length;
};

// Forget the items; keep the memory unless it is more than is usually needed.
template <class Item>
inline void give_back(std::vector<Item>& items) {
    items.clear();
    if (items.capacity() * sizeof(Item) > kept_bytes_max) std::vector<Item>().swap(items);
}

// Find the documents of the array at `offset`; false where it is malformed.
inline bool find_documents(
    const Byte* data, std::size_t size, std::size_t offset, std::vector<Span>& found
) {
    give_back(found);
    if (offset > size) return false;
    if (document_extent(data + offset, static_cast<std::int64_t>(size - offset)) < 0) return false;
    const Byte* at = data + offset + 4;
    const Byte* const end = data + offset + load_int32(data + offset) - 1;
    while (at != end) {
        if (*at != 0x03) return false;
        const Byte* const key_end = find_nul(at + 1, end);
        if (key_end == nullptr || end - key_end - 1 < document_bytes_min) return false;
        at = key_end + 1;
        const std::int32_t length = load_int32(at);
        if (length < document_bytes_min || length > end - at) return false;
        found.push_back({static_cast<std::size_t>(at - data), static_cast<std::size_t>(length)});
        at += length;
    }
    return true;
}

}  // namespace landbridge
