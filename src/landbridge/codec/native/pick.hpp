// Picking: a few values out of a document, by path, the rest left unread.
//
// For       Events of a change stream, which are told apart by some fields and carry a document.
// Touches   Nothing.
// Promises  A value that is found lies whole inside its document.
#pragma once

#include <string>
#include <vector>

#include "bson.hpp"

namespace landbridge {

class Picker {
  public:
    std::vector<std::vector<std::string>> paths;
    std::vector<Value> found;  // of each path; of no kind where there is none

    // Look for all paths in the `size` bytes at `document`; false where it is malformed.
    bool look(const Byte* document, std::int64_t size) {
        found.assign(paths.size(), Value{0, NO_KIND, document, document});
        return document_extent(document, size) == size && look_below(document, 0, all());
    }

  private:
    std::vector<std::size_t> all() const {
        std::vector<std::size_t> numbers(paths.size());
        for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = i;
        return numbers;
    }

    bool look_below(
        const Byte* document, std::size_t level, const std::vector<std::size_t>& wanted
    ) {
        Elements elements(document);
        std::vector<std::size_t> deeper;
        while (elements.next()) {
            const std::size_t length = static_cast<std::size_t>(elements.key_end - elements.key);
            deeper.clear();
            for (const std::size_t number : wanted) {
                const std::string& name = paths[number][level];
                if (name.size() != length || std::memcmp(name.data(), elements.key, length) != 0) {
                    continue;
                }
                if (paths[number].size() == level + 1) {
                    found[number] = elements.value;
                } else if (elements.value.kind == OBJECT) {
                    deeper.push_back(number);
                }
            }
            if (!deeper.empty() && !look_below(elements.value.at, level + 1, deeper)) return false;
        }
        return !elements.malformed;
    }
};

}  // namespace landbridge
