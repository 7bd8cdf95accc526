#pragma once
// Sample of the text that a tokenizer is trained on.

#include <cstdint>
#include <string>
#include <vector>

namespace nystrom {

/// Keeps the paragraphs of the smallest hashes, as many as fit: a sample spread evenly over all that was
/// added, which does not depend on the order.
class TextSample {
 public:
  TextSample(std::int64_t limit_bytes, std::uint64_t seed) : limit_(limit_bytes), seed_(seed) {}

  /// Adds one paragraph: sentences [begin, end).
  void add(const std::string* begin, const std::string* end);

  /// The sample's sentences, in the order of their paragraphs' hashes. Empties the sample.
  [[nodiscard]] std::vector<std::string> take();

  [[nodiscard]] std::int64_t bytes_seen() const { return bytes_seen_; }

 private:
  struct Paragraph {
    std::uint64_t hash;
    std::string text;  // its sentences, with line ends between
    bool operator<(const Paragraph& other) const {
      return hash != other.hash ? hash < other.hash : text < other.text;
    }
  };
  std::int64_t limit_, bytes_ = 0, bytes_seen_ = 0;
  std::uint64_t seed_;
  std::uint64_t cutoff_ = ~std::uint64_t{0};  // what has this hash or a larger one did not fit
  std::vector<Paragraph> heap_;
};

}  // namespace nystrom
