#pragma once
// Output of `predict`: a table, written piece by piece as TSV, CSV, JSON Lines, a JSON array or HDF5; or its
// matrix alone as NumPy's NPY.

#include <memory>
#include <string>
#include <vector>

#include "data/tasks/task.h"

namespace nystrom {

struct AnswerPiece {
  PredictionTable table;
  std::vector<float> matrix = {};  ///< [rows, matrix_width] in addition to the table: vectors
  std::int64_t matrix_width = 0;
  std::vector<std::string> groups = {};   ///< grouped JSON: values of the first column, in order
  std::vector<std::string> objects = {};  ///< JSON objects to write instead of the table's
};

struct AnswerForm {
  std::string format = "tsv";  ///< tsv | csv | jsonl | json | hdf5 | npy
  std::vector<std::string> number_columns = {};
  std::vector<std::string> integer_columns = {};  ///< the other columns are text
  std::vector<std::string> labels = {};           ///< HDF5: the column `prediction` is an index into them
  bool grouped = false;  ///< JSON: consecutive rows with the same first cell are one object
  std::string matrix_name = {};
};

class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;
  AnswerWriter() = default;
  AnswerWriter(const AnswerWriter&) = delete;
  AnswerWriter& operator=(const AnswerWriter&) = delete;
  virtual void write(const AnswerPiece& piece) = 0;
  /// Publishes the file under its name. Without it nothing is left behind.
  virtual void finish() = 0;
};

/// `path` empty: standard output. An existing file is replaced (check_output() refuses it before). Refuses
/// HDF5 and NPY without a file.
///
/// HDF5 has a dataset per column: integers as int64, numbers as fp32, `prediction` as int32 where there are
/// labels (attribute-like dataset `labels`), columns `probability:X` together as `probabilities` [N, labels],
/// the matrix as [N, width], texts as strings.
[[nodiscard]] std::unique_ptr<AnswerWriter> open_answers(const std::string& path, const AnswerForm& form);

}  // namespace nystrom
