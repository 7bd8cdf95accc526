#include "data/tasks/lra/examples.h"

#include <algorithm>

#include "kernels/core/check.h"

namespace nystrom::lra {

ExampleBuilder::ExampleBuilder(int pieces, std::int64_t longest)
    : table_{.pieces = pieces, .ends = {}, .nonzero = {}, .whole = {}, .labels = {}, .sha256 = {}},
      longest_(static_cast<std::size_t>(longest)) {}

Example ExampleBuilder::add(const Example& example) {
  Example kept = example;
  const auto label = static_cast<std::uint8_t>(example.label);
  hash_.update(&label, 1);
  for (std::size_t piece = 0; piece < static_cast<std::size_t>(table_.pieces); ++piece) {
    std::span<const std::uint8_t>& symbols = kept.sequences[piece];
    const std::uint64_t length = symbols.size();
    hash_.update(&length, sizeof length);
    hash_.update(symbols.data(), symbols.size());
    symbols = symbols.first(std::min(symbols.size(), longest_));
    table_.whole.push_back(static_cast<std::uint32_t>(length));
    table_.nonzero.push_back(static_cast<std::uint32_t>(symbols.size()) -
                             static_cast<std::uint32_t>(std::ranges::count(symbols, 0)));
    table_.ends.push_back(this->symbols() + symbols.size());
  }
  table_.labels.push_back(label);
  return kept;
}

ExampleTable ExampleBuilder::finish() {
  table_.sha256 = hash_.hex();
  return std::move(table_);
}

Examples::Examples(ExampleTable table, std::vector<std::uint8_t> symbols)
    : table_(std::move(table)), symbols_(std::move(symbols)) {}

Examples::Examples(ExampleTable table, hdf5::Dataset symbols)
    : table_(std::move(table)), stored_(std::move(symbols)) {}

std::vector<std::uint8_t> Examples::symbols(std::size_t sequence, std::int64_t most) const {
  const std::uint64_t begin = table_.begin(sequence);
  const auto count = static_cast<std::uint64_t>(std::min(table_.length(sequence), most));
  if (stored_.shape().empty()) {
    const auto first = symbols_.begin() + static_cast<std::ptrdiff_t>(begin);
    return {first, first + static_cast<std::ptrdiff_t>(count)};
  }
  std::vector<std::uint8_t> symbols(count);
  if (count > 0) stored_.read_rows<std::uint8_t>(begin, count, symbols);
  return symbols;
}

}  // namespace nystrom::lra
