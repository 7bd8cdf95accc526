#pragma once
// Reader of TSV, CSV, JSON Lines, Parquet and Arrow: rows with named columns.
//
//   const Records records = read_records("train.tsv", {.columns = {{{"sentence"}}, {{"label"}}}});
//   for (const Record& record : records.rows) use(record.line, record.cells[0], record.cells[1]);
//
// TSV: a TAB separates, quotes are data; blank lines are not rows, but empty cells in a file of one column,
// unless they end it. CSV: a comma separates, RFC 4180's quotes (line breaks within them too). JSON Lines:
// one object per line; numbers and booleans become text, an array of them is joined by `separator`; NaN and
// Infinity of Python may occur in members that are not requested. Parquet and Arrow, known
// by content, are read as the JSON lines of their rows. The file is UTF-8; bytes that are not are
// replaced and counted, as NULs are.

#include <cstdint>
#include <string>
#include <vector>

#include "data/text/utf8.h"
#include "kernels/core/names.h"

namespace nystrom {

enum class RecordFormat { kTsv, kCsv, kJsonLines };

/// By the name's ending: .csv, .json and .jsonl, perhaps followed by .gz, .bz2, .xz or .zst; everything
/// else is TSV.
[[nodiscard]] RecordFormat format_of(const std::string& path);

struct WantedColumn {
  std::vector<std::string> names;  ///< what it may be called, the first found counts
  bool optional = false;           ///< cells are empty where the file lacks it
  std::int64_t index = -1;         ///< which it is in a file without header, from 0
};

enum class Malformed {
  kRefuse,  ///< the first one ends the reading
  kSkip     ///< counted and named
};

template <>
struct EnumNames<Malformed> {
  static constexpr Named<Malformed> kAll[] = {{Malformed::kRefuse, "refuse"}, {Malformed::kSkip, "skip"}};
};

struct RecordRequest {
  std::vector<WantedColumn> columns;
  bool header = true;  ///< TSV and CSV: the first line names the columns
  Malformed malformed = Malformed::kRefuse;
  std::string separator = ",";   ///< of an array's elements
  bool separator_first = false;  ///< before the first element too, which distinguishes an array from text
  std::int64_t line_offset = 0;  ///< added to line numbers: of a piece of a longer file
};

struct Record {
  std::int64_t line = 0;           ///< of its beginning, from 1
  std::vector<std::string> cells;  ///< one a requested column
};

struct Records {
  std::string path;
  std::vector<Record> rows;
  std::vector<bool> present;            ///< of each requested column
  std::vector<std::int64_t> malformed;  ///< lines skipped
  Repairs repairs;

  /// "FILE, line 12"
  [[nodiscard]] std::string place(std::size_t row) const;
};

/// Refuses (InputError), naming file, line and what was expected: a file that cannot be read or holds no
/// rows, a missing column (with those that there are), a row of another number of cells than its header, an
/// unclosed quote, a line that is not a JSON object or lacks a member.
[[nodiscard]] Records read_records(const std::string& path, const RecordRequest& request);

/// The same of text that is in memory: a whole file, or a piece of one. `path` is named in messages. No
/// rows are not an error.
[[nodiscard]] Records parse_records(const std::string& path, const std::string& text, RecordFormat format,
                                    const RecordRequest& request);

/// The whole file, decompressed, as valid UTF-8, without byte order mark; UTF-16 by its byte order mark.
[[nodiscard]] std::string read_text_file(const std::string& path, Repairs& repairs);

/// The lines of a text, without their "\n" or "\r\n"; a last empty one is none.
[[nodiscard]] std::vector<std::string> split_lines(const std::string& text);

/// The parts of `text` between separators.
[[nodiscard]] std::vector<std::string> split(std::string_view text, std::string_view separator);

/// Before each element of a JSON array in a cell, and before each of a sentence's words where they are known.
inline constexpr const char* kElementSeparator = "\x1f";

/// Text as a number. False if it is anything else.
[[nodiscard]] bool parse_number(const std::string& text, double& value);

/// `text` without white space at its ends.
[[nodiscard]] std::string trimmed_cell(std::string_view text);

}  // namespace nystrom
