#pragma once
// Input of `predict`: examples in columns, read piece by piece.
//
//   lines    one text per line (the first column asked for)
//   tsv, csv a header, then one row per example
//   jsonl    one object per line; also rows of Parquet and Arrow
//   conll    one word per line, a blank line between sentences (for tags)
//   squad    SQuAD's JSON (for answers)
//   hdf5     a dataset of texts a column; or `input_ids` [N, S] with `input_mask` [N, S] and `segment_ids`
//            [N, S], both of which may be missing

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/tasks/encoding.h"
#include "data/tasks/records.h"

namespace nystrom {

/// A column of the input: its role for the model, and the names it may have; the first name found counts.
struct InputColumn {
  std::string role;
  std::vector<std::string> names;
  bool optional = false;
};

struct InputRows {
  std::int64_t first = 0;                       ///< number of the first example, from 0
  std::vector<bool> present = {};               ///< of each column
  std::vector<std::vector<std::string>> cells;  ///< [rows][columns], valid UTF-8
  std::vector<TaskSequence> encoded = {};       ///< instead of cells
  std::int64_t repaired_bytes = 0;              ///< that were not valid UTF-8
  std::int64_t skipped = 0;                     ///< malformed lines
  double share = -1;                            ///< of the input up to here; negative: not known

  [[nodiscard]] std::size_t size() const { return encoded.empty() ? cells.size() : encoded.size(); }
};

/// Serialization for other ranks.
[[nodiscard]] std::string packed_rows(const InputRows& rows);
[[nodiscard]] InputRows unpacked_rows(const std::string& text);

class InputReader {
 public:
  virtual ~InputReader() = default;
  InputReader() = default;
  InputReader(const InputReader&) = delete;
  InputReader& operator=(const InputReader&) = delete;
  /// The next examples; false at the end.
  virtual bool next(InputRows& rows) = 0;
};

struct InputOptions {
  std::string path;             ///< "-": standard input
  std::string format = "auto";  ///< by the ending: .tsv, .csv, .json(l), .h5, .hdf5, .conll(u), perhaps
                                ///< with .gz, .bz2, .xz or .zst behind it; else lines
  std::vector<InputColumn> columns = {};
  Malformed malformed = Malformed::kRefuse;
  std::string separator = ",";   ///< between the elements of an array that is no sentence's words
  std::int64_t word_column = 0;  ///< conll: from 0, or from -1 backwards
};

/// Validates in a child process what could crash a library: HDF5. Only path and format count. Call this
/// before MPI, and before open_input.
void check_input(const InputOptions& options);

/// Refuses (InputError) a format that is unknown or cannot hold the columns, and a file that cannot be read.
[[nodiscard]] std::unique_ptr<InputReader> open_input(const InputOptions& options);

}  // namespace nystrom
