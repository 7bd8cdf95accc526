#pragma once
// Examples of the Long Range Arena as they are stored: a byte a token, letter or pixel. In memory, or in an
// HDF5 file from which sequences are read as they are needed.

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "data/hdf5/hdf5_file.h"
#include "kernels/core/sha256.h"

namespace nystrom::lra {

/// One example, as a reader returns it.
struct Example {
  std::array<std::span<const std::uint8_t>, 2> sequences = {};  ///< the second only where the task has pairs
  int label = 0;
};

/// All but the symbols themselves.
struct ExampleTable {
  int pieces = 1;                      ///< sequences of an example
  std::vector<std::uint64_t> ends;     ///< [examples * pieces] in the symbols
  std::vector<std::uint32_t> nonzero;  ///< [examples * pieces] symbols that are not 0
  std::vector<std::uint32_t> whole;    ///< [examples * pieces] symbols before truncation
  std::vector<std::uint8_t> labels;    ///< [examples]
  std::string sha256;                  ///< of every example, before truncation

  [[nodiscard]] std::uint64_t begin(std::size_t sequence) const {
    return sequence == 0 ? 0 : ends[sequence - 1];
  }
  [[nodiscard]] std::int64_t length(std::size_t sequence) const {
    return static_cast<std::int64_t>(ends.at(sequence) - begin(sequence));
  }
};

/// Takes examples one by one: keeps the table, passes each sequence's symbols on.
class ExampleBuilder {
 public:
  /// Sequences are truncated to `longest` symbols.
  ExampleBuilder(int pieces, std::int64_t longest);

  /// Returns what is kept of the example.
  Example add(const Example& example);
  [[nodiscard]] std::uint64_t symbols() const { return table_.ends.empty() ? 0 : table_.ends.back(); }
  [[nodiscard]] ExampleTable finish();

 private:
  ExampleTable table_;
  std::size_t longest_;
  Sha256 hash_;
};

class Examples {
 public:
  Examples(ExampleTable table, std::vector<std::uint8_t> symbols);
  /// `symbols` u8 [N] of an open file.
  Examples(ExampleTable table, hdf5::Dataset symbols);

  [[nodiscard]] const ExampleTable& table() const { return table_; }
  [[nodiscard]] std::size_t count() const { return table_.labels.size(); }
  /// The symbols of sequence `sequence` of all, at most `most`. Any thread may call it.
  [[nodiscard]] std::vector<std::uint8_t> symbols(std::size_t sequence, std::int64_t most) const;

 private:
  ExampleTable table_;
  std::vector<std::uint8_t> symbols_;
  hdf5::Dataset stored_;
};

}  // namespace nystrom::lra
