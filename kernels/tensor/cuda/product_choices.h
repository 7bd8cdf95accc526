#pragma once
// Which algorithm multiplies matrices fastest, by kind of product, in a file that outlives the process:
// measured once on a GPU with a library, and read from then on.

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace nystrom::cuda {

class ProductChoices {
 public:
  /// A library's description of an algorithm: opaque, and good for the same library on the same kind of GPU.
  using Algorithm = std::array<std::uint64_t, 8>;
  /// The choice where the library said that it has no algorithm. In the file: "none".
  static constexpr Algorithm kNone{};

  /// In memory alone.
  ProductChoices() = default;
  /// Reads `path`; a file that is not there, or is of another GPU or library or damaged, counts as empty.
  ProductChoices(std::string path, std::string gpu, const std::string& library);
  /// $XDG_CACHE_HOME/nystrom/products-GPU-LIBRARY.txt, else under ~/.cache; empty where neither is set.
  [[nodiscard]] static std::string path_for(const std::string& gpu, const std::string& library);

  [[nodiscard]] std::optional<Algorithm> find(const std::string& product) const;
  /// Keeps it, and rewrites the file with what other processes have put there meanwhile. A file that
  /// cannot be written is done without.
  void add(const std::string& product, const Algorithm& algorithm);

  [[nodiscard]] std::size_t size() const { return choices_.size(); }

 private:
  using Choices = std::map<std::string, Algorithm>;
  [[nodiscard]] Choices read() const;
  void write() const;

  std::string path_, title_;  // path_ is empty: in memory alone
  Choices choices_;
};

}  // namespace nystrom::cuda
