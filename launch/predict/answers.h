#pragma once
// What `predict` writes: a table piece by piece, as TSV, JSON-lines or HDF5.

#include <memory>
#include <string>
#include <vector>

#include "data/tasks/task.h"

namespace nystrom {

struct AnswerPiece {
  PredictionTable table;
  std::vector<float> matrix = {};  ///< [rows, matrix_width] beside the table: vectors
  std::int64_t matrix_width = 0;
  std::vector<std::string> groups = {};   ///< of grouped JSON-lines: values of the first column, in order
  std::vector<std::string> objects = {};  ///< JSON-lines as they are to be written, instead of the table's
};

struct AnswerForm {
  std::string format = "tsv";               ///< tsv | jsonl | hdf5
  std::vector<std::string> number_columns;  ///< of the table; the others are text
  std::vector<std::string> labels = {};     ///< HDF5: what the column `prediction` is a number of
  bool grouped = false;  ///< JSON-lines: rows of one value of the first column are one object
  std::string matrix_name = {};
};

class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;
  AnswerWriter() = default;
  AnswerWriter(const AnswerWriter&) = delete;
  AnswerWriter& operator=(const AnswerWriter&) = delete;
  virtual void write(const AnswerPiece& piece) = 0;
  /// Makes the file appear under its name. Without it nothing is left behind.
  virtual void finish() = 0;
};

/// `path` empty: standard output. Refuses HDF5 without a path, and one that exists.
///
/// HDF5 holds a dataset a column: numbers as fp32, `prediction` as int32 where there are labels
/// (attribute-like dataset `labels`), columns `probability:X` together as `probabilities` [N, labels], the
/// matrix as [N, width], texts as strings.
[[nodiscard]] std::unique_ptr<AnswerWriter> open_answers(const std::string& path, const AnswerForm& form);

}  // namespace nystrom
