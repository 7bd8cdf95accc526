#pragma once
// Pool of shard readers that keeps only some of the files open.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace nystrom {

/// Reader has suspend(), resume() and is_open(). Readers are added open.
template <class Reader>
class ReaderPool {
 public:
  static constexpr std::size_t kMaxOpen = 64;

  void add(std::unique_ptr<Reader> reader) {
    make_room();
    entries_.push_back({std::move(reader), ++clock_});
    ++open_;
  }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  /// The reader, open.
  Reader& use(std::size_t index) {
    Entry& entry = entries_[index];
    entry.used = ++clock_;
    if (!entry.reader->is_open()) {
      make_room();
      entry.reader->resume();
      ++open_;
    }
    return *entry.reader;
  }
  /// The reader, open or not.
  [[nodiscard]] const Reader& peek(std::size_t index) const { return *entries_[index].reader; }

 private:
  struct Entry {
    std::unique_ptr<Reader> reader;
    std::uint64_t used;
  };

  void make_room() {
    if (open_ < kMaxOpen) return;
    Entry* oldest = nullptr;
    for (Entry& entry : entries_)
      if (entry.reader->is_open() && (oldest == nullptr || entry.used < oldest->used)) oldest = &entry;
    if (oldest == nullptr) return;
    oldest->reader->suspend();
    --open_;
  }

  std::vector<Entry> entries_;
  std::size_t open_ = 0;
  std::uint64_t clock_ = 0;
};

}  // namespace nystrom
