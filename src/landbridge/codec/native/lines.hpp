// Lines: each document of a batch as one line of canonical extended JSON.
//
// For       Archives, which must read back as the documents that they were.
// Touches   The batch, which it reads, and the buffer that it is lent.
// Promises  A document that has no line leaves no byte of one, and is among `refused`.
#pragma once

#include "batch.hpp"
#include "json.hpp"

namespace landbridge {

class LineWriter {
  public:
    std::vector<Span> documents;
    std::vector<Span> refused;

    // Find the documents of the array at `offset`; false where it is malformed.
    bool scan(const Byte* data, std::size_t size, std::size_t offset) {
        give_back(refused);
        data_ = data;
        return find_documents(data, size, offset, documents);
    }

    // Write the documents that `scan` found.
    void write(Buffer& out) {
        Escape escape;
        escape.nul = Nul::json;
        Json json(out, escape);
        for (const Span& document : documents) {
            const std::size_t before = out.size();
            const Byte* const at = data_ + document.offset;
            const auto length = static_cast<std::int64_t>(document.length);
            if (document_extent(at, length) == length && json.write_document(Form::lines, at, 1)) {
                out.append('\n');
            } else {
                out.rewind(before);
                refused.push_back(document);
            }
        }
    }

  private:
    const Byte* data_ = nullptr;
};

}  // namespace landbridge
