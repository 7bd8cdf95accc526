#pragma once
// Readers of the Long Range Arena's official files. Each finds its files at or below a path, says which,
// and passes examples on one by one, in memory that does not grow with the files.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/tasks/lra/examples.h"
#include "data/tasks/task.h"

namespace nystrom::lra {

/// A part of a dataset as its files divide it.
enum class Part : std::uint8_t { kTrain, kValidation, kTest, kAll };

[[nodiscard]] const char* part_name(Part part);

/// The meaning of a byte.
enum class Alphabet : std::uint8_t { kListOps, kBytes, kPixels };

class Reader {
 public:
  virtual ~Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// Which files these are: "listops/basic_train.tsv, basic_val.tsv and basic_test.tsv".
  [[nodiscard]] virtual std::string found() const = 0;
  /// In the order in which they are read.
  [[nodiscard]] virtual std::vector<Part> parts() const = 0;
  /// Names of the classes.
  [[nodiscard]] virtual std::vector<std::string> labels() const = 0;
  /// Pixels of a picture; 0 where examples are texts.
  [[nodiscard]] virtual std::int64_t pixels() const { return 0; }
  /// Those of a row.
  [[nodiscard]] virtual std::int64_t width() const { return 0; }

  /// Calls take(example) for each example of a part, in the order of the files. Refuses (InputError), naming
  /// file and line, what is malformed, unless `malformed` says to skip it. Returns sentences for the log:
  /// what was skipped.
  virtual std::vector<std::string> read(Part part, const std::function<void(const Example&)>& take) const = 0;

 protected:
  Reader() = default;
};

/// Places in files where examples are malformed: refuses the first, or names them afterwards.
class Skipped {
 public:
  explicit Skipped(Malformed malformed) : malformed_(malformed) {}

  /// `place`: "FILE, line 3"; `problem`: "the label is 12"
  void add(const std::string& place, const std::string& problem);
  /// One that is always skipped, since the official files have such.
  void add_known(const std::string& place, const std::string& problem);
  [[nodiscard]] std::vector<std::string> sentences() const;

 private:
  Malformed malformed_;
  std::vector<std::string> places_;
  std::int64_t count_ = 0;
};

using ReaderPtr = std::unique_ptr<Reader>;
[[nodiscard]] ReaderPtr open_listops(const TaskConfig& config);
[[nodiscard]] ReaderPtr open_text(const TaskConfig& config);
[[nodiscard]] ReaderPtr open_retrieval(const TaskConfig& config);
[[nodiscard]] ReaderPtr open_images(const TaskConfig& config);
[[nodiscard]] ReaderPtr open_pathfinder(const TaskConfig& config);

}  // namespace nystrom::lra
