#pragma once
// Source of a task's examples: official files, or an HDF5 file that was prepared from them.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/tasks/lra/examples.h"
#include "data/tasks/lra/reader.h"

namespace nystrom::lra {

/// The constants of each of the five tasks.
struct Kind {
  std::string_view name;   ///< "listops", as `task.name` has it
  std::string_view title;  ///< "LRA ListOps"
  Alphabet alphabet;
  std::size_t classes;
  int pieces;           ///< sequences of an example
  std::int64_t length;  ///< usual number of tokens; 0: that of a picture
  ReaderPtr (*open)(const TaskConfig& config);
};
/// Refuses a `task.name` that is not one of them.
[[nodiscard]] const Kind& kind_of(const TaskConfig& config);

/// Are these symbols of the task's alphabet?
[[nodiscard]] bool all_known(const Kind& kind, std::span<const std::uint8_t> symbols);

/// Stored sequences that share one of the network's: two where the texts of a pair are joined.
[[nodiscard]] std::int64_t joined_sequences(const Kind& kind, const TaskConfig& config);

/// Symbols of a stored sequence that are worth keeping for `data.sequence_length`, or for the usual one.
[[nodiscard]] std::int64_t symbols_to_keep(const Kind& kind, const TaskConfig& config,
                                           std::optional<std::int64_t> sequence_length);

class Source {
 public:
  virtual ~Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  [[nodiscard]] virtual std::string found() const = 0;
  [[nodiscard]] virtual std::vector<Part> parts() const = 0;
  [[nodiscard]] virtual std::vector<std::string> labels() const = 0;
  [[nodiscard]] virtual std::int64_t pixels() const = 0;
  /// Pixels of a picture's row; 0: there are none, or a prepared file does not say.
  [[nodiscard]] virtual std::int64_t width() const = 0;
  /// The number of symbols that sequences were truncated to; 0: they were not.
  [[nodiscard]] virtual std::int64_t cut() const { return 0; }
  /// A part's examples; sentences for the log are added to `notes`. Of official files, sequences of `longest`
  /// symbols.
  [[nodiscard]] virtual std::shared_ptr<const Examples> load(Part part, std::int64_t longest,
                                                             std::vector<std::string>& notes) const = 0;

 protected:
  Source() = default;
};

/// Official files are read into memory, at most 2 GiB of symbols; more are refused.
[[nodiscard]] std::unique_ptr<Source> open_source(const Kind& kind, const TaskConfig& config);

}  // namespace nystrom::lra
