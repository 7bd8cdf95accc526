#pragma once
// A network's outputs for a split: a span of logits per entry.

#include <cstddef>
#include <span>
#include <vector>

namespace nystrom {

/// Entry i: [labels] logits of a sequence; [words, labels] of its labelled tokens; [tokens, 2] of starts and
/// ends; [choices] or [labels] of a row; [sequences, C] embeddings of a row.
class Outputs {
 public:
  void append(std::span<const float> values) {
    values_.insert(values_.end(), values.begin(), values.end());
    ends_.push_back(values_.size());
  }
  [[nodiscard]] std::size_t size() const { return ends_.size(); }
  [[nodiscard]] std::span<const float> operator[](std::size_t i) const {
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::span(values_).subspan(begin, ends_[i] - begin);
  }

 private:
  std::vector<float> values_;
  std::vector<std::size_t> ends_;
};

/// Index of the largest value (the first, on ties).
[[nodiscard]] std::size_t argmax(std::span<const float> values);
/// exp(x - max) / sum
[[nodiscard]] std::vector<double> softmax(std::span<const float> logits);
[[nodiscard]] double sigmoid(double x);

}  // namespace nystrom
