#pragma once
// What is fuzzed: every reader of files that others make. A target takes any bytes; it may throw Error (the
// reader refused them, in a sentence) and must do nothing else: no other exception, no crash, no memory
// beyond what the bytes can account for.
//
// The targets run under libFuzzer (fuzz_main.cpp, preset `fuzz`), and, on a few thousand mutations of their
// seeds and on all that was ever found, as an ordinary test (fuzz_test.cpp).

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nystrom::fuzz {

struct Target {
  std::string_view name;
  void (*run)(std::string_view input);
  /// Whole files (or recipes for one) to start from, and what was found by earlier fuzzing: made, not stored.
  std::vector<std::string> (*seeds)();
  std::string_view words = {};  ///< of the format, separated by blanks
};

[[nodiscard]] std::span<const Target> targets();

// Parts of that list, each in its own file.
[[nodiscard]] std::vector<Target> model_targets();
[[nodiscard]] std::vector<Target> text_targets();
[[nodiscard]] std::vector<Target> picture_targets();
[[nodiscard]] std::vector<Target> hdf5_targets();
[[nodiscard]] std::vector<Target> reach_targets();

/// Runs the target; swallows Error, but for InternalError, which is a finding.
void survive(const Target& target, std::string_view input);

/// A folder of this process in memory, made once and removed at its end.
[[nodiscard]] const std::string& scratch();
/// Writes a file of that name there; gives its path.
std::string scratch_file(const std::string& name, std::string_view bytes);
/// Removes all that is there.
void clear_scratch();

/// Numbers out of a fuzzer's bytes; zeros when they are used up.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  std::uint8_t byte() {
    if (bytes_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return value;
  }
  std::uint64_t below(std::uint64_t bound) { return (std::uint64_t{byte()} << 8U | byte()) % bound; }
  /// Numbers that break things: around powers of two, negative, huge; now and then just a byte.
  std::int64_t wild();
  std::string text(std::size_t most);
  [[nodiscard]] std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

}  // namespace nystrom::fuzz
