#include "data/tokenizer/sample.h"

#include <algorithm>
#include <string_view>

namespace nystrom {
namespace {

/// FNV-1a, then the finalizer of SplitMix64 to spread its upper bits.
std::uint64_t hash_of(std::string_view text, std::uint64_t seed) {
  std::uint64_t h = 0xCBF29CE484222325U ^ seed * 0x9E3779B97F4A7C15U;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  h = (h ^ h >> 30U) * 0xBF58476D1CE4E5B9U;
  h = (h ^ h >> 27U) * 0x94D049BB133111EBU;
  return h ^ h >> 31U;
}

}  // namespace

void TextSample::add(const std::string* begin, const std::string* end) {
  std::string text;
  for (const auto* sentence = begin; sentence != end; ++sentence) text.append(*sentence).push_back('\n');
  const auto size = static_cast<std::int64_t>(text.size());
  bytes_seen_ += size;
  const std::uint64_t hash = hash_of(text, seed_);
  if (hash >= cutoff_) return;
  bytes_ += size;
  heap_.push_back({hash, std::move(text)});
  std::push_heap(heap_.begin(), heap_.end());
  // One paragraph always stays, however long.
  while (bytes_ > limit_ && heap_.size() > 1) {
    std::pop_heap(heap_.begin(), heap_.end());
    bytes_ -= static_cast<std::int64_t>(heap_.back().text.size());
    cutoff_ = heap_.back().hash;
    heap_.pop_back();
  }
}

std::vector<std::string> TextSample::take() {
  std::sort_heap(heap_.begin(), heap_.end());
  std::vector<std::string> sentences;
  for (auto& paragraph : heap_) {
    std::string_view rest = paragraph.text;
    for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
      sentences.emplace_back(rest.substr(0, end));
      rest.remove_prefix(end + 1);
    }
    paragraph.text = {};
  }
  heap_.clear();
  bytes_ = 0;
  return sentences;
}

}  // namespace nystrom
