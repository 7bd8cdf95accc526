#include "launch/predict/input.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

#include "data/corpus/decompressors.h"
#include "data/hdf5/foreign_file.h"
#include "data/tasks/conll.h"
#include "data/tasks/examples.h"
#include "data/tasks/squad.h"
#include "kernels/core/check.h"
#include "kernels/core/json.h"
#include "launch/predict/hdf5_input.h"
#include "launch/predict/line_source.h"

namespace nystrom {
namespace {

using Json = nlohmann::json;
constexpr std::size_t kRowsAtOnce = 4096, kBytesAtOnce = 4U << 20U;

/// Lines that `source` gave, as valid UTF-8.
std::vector<std::string> repaired(std::vector<std::string> lines, LineSource& source, InputRows& rows) {
  Repairs repairs;
  for (auto& line : lines) line = repair_utf8(std::move(line), repairs);
  rows.repaired_bytes += repairs.invalid_bytes + repairs.nul_bytes + source.take_repaired_bytes();
  return lines;
}

/// A text a line.
class PlainReader final : public InputReader {
 public:
  explicit PlainReader(const InputOptions& options)
      : source_(options.path), columns_(options.columns.size()) {
    for (std::size_t c = 1; c < columns_; ++c)
      if (!options.columns[c].optional)
        refuse(
            "{}: plain lines hold one text each, but this model also needs {}; give it TSV or JSON Lines (with "
            "`--input-format` for standard input).",
            source_.name(), options.columns[c].role);
  }
  bool next(InputRows& rows) override {
    rows = {.first = count_, .present = {}, .cells = {}};
    rows.present.assign(columns_, false);
    rows.present[0] = true;
    for (auto& line : repaired(source_.next(kRowsAtOnce, kBytesAtOnce), source_, rows)) {
      std::vector<std::string> cells(columns_);
      cells[0] = std::move(line);
      rows.cells.push_back(std::move(cells));
    }
    count_ += static_cast<std::int64_t>(rows.cells.size());
    rows.share = source_.share();
    return !rows.cells.empty();
  }

 private:
  LineSource source_;
  std::size_t columns_;
  std::int64_t count_ = 0;
};

/// TSV and JSON-lines piece by piece; CSV, whose quotes may hold line breaks, at once.
class RecordReader final : public InputReader {
 public:
  RecordReader(const InputOptions& options, RecordFormat format)
      : source_(options.path, format == RecordFormat::kJsonLines), format_(format) {
    const bool words = options.columns[0].role == "words";
    request_.separator = words ? kElementSeparator : options.separator;
    request_.separator_first = words;
    request_.malformed = options.malformed;
    for (const auto& column : options.columns) request_.columns.push_back({column.names, column.optional});
  }
  bool next(InputRows& rows) override {
    rows = {.first = count_, .present = {}, .cells = {}};
    while (rows.cells.empty()) {
      const std::string text = piece(rows);
      if (text.empty()) return false;
      Records records = parse_records(source_.name(), text, format_, request_);
      rows.present = records.present;
      rows.skipped += std::ssize(records.malformed);
      rows.repaired_bytes += records.repairs.invalid_bytes + records.repairs.nul_bytes;
      for (auto& record : records.rows) rows.cells.push_back(std::move(record.cells));
    }
    count_ += static_cast<std::int64_t>(rows.cells.size());
    rows.share = source_.share();
    return true;
  }

 private:
  /// Of one column, blank lines are empty texts if others follow: they wait for these.
  std::vector<std::string> next_lines(InputRows& rows) {
    for (;;) {
      auto lines = repaired(source_.next(kRowsAtOnce, kBytesAtOnce), source_, rows);
      if (!one_column_ || lines.empty()) return lines;
      const std::size_t waiting = std::exchange(blank_, 0);
      for (; !lines.empty() && lines.back().empty(); ++blank_) lines.pop_back();
      if (!lines.empty()) {
        lines.insert(lines.begin(), waiting, "");
        return lines;
      }
      blank_ += waiting;
    }
  }
  void read_header(InputRows& rows) {
    for (; header_.empty(); ++lines_) {
      const auto line = repaired(source_.next(1, kBytesAtOnce), source_, rows);
      if (line.empty()) refuse("{} is empty.", source_.name());
      header_ = line[0];
    }
    one_column_ = header_.find('\t') == std::string::npos;
    header_ += '\n';
  }
  /// The next lines below the header; empty at the end.
  std::string piece(InputRows& rows) {
    if (format_ == RecordFormat::kCsv) {
      auto whole = repaired({source_.rest()}, source_, rows);
      if (!std::exchange(begun_, true) && whole[0].empty()) refuse("{} is empty.", source_.name());
      return std::move(whole[0]);
    }
    if (format_ == RecordFormat::kTsv && header_.empty()) read_header(rows);
    const auto lines = next_lines(rows);
    if (lines.empty()) return {};
    request_.line_offset = lines_ - (header_.empty() ? 0 : 1);
    lines_ += static_cast<std::int64_t>(lines.size());
    return header_ + fmt::format("{}\n", fmt::join(lines, "\n"));
  }

  LineSource source_;
  RecordFormat format_;
  RecordRequest request_;
  std::string header_;
  bool one_column_ = false, begun_ = false;
  std::size_t blank_ = 0;  // lines that wait
  std::int64_t lines_ = 0, count_ = 0;
};

/// A word a line, in its column; the others are ignored.
class ConllReader final : public InputReader {
 public:
  explicit ConllReader(const InputOptions& options)
      : source_(options.path),
        columns_(options.columns.size()),
        word_(options.word_column),
        malformed_(options.malformed) {
    if (options.columns[0].role != "words")
      refuse("{}: only a model that tags words reads CoNLL columns.", source_.name());
  }
  bool next(InputRows& rows) override {
    rows = {.first = count_, .present = {}, .cells = {}};
    rows.present.assign(columns_, false);
    rows.present[0] = true;
    while (rows.cells.empty() && !ended_) {
      auto lines = repaired(source_.next(kRowsAtOnce, kBytesAtOnce), source_, rows);
      ended_ = lines.empty();
      for (auto& line : lines) {
        known_ = known_ || conll_.see(line);
        waiting_.push_back(std::move(line));
      }
      if (!known_ && !ended_) continue;
      for (const auto& line : std::exchange(waiting_, {})) take(line, rows);
      if (ended_) finish(rows);
    }
    count_ += static_cast<std::int64_t>(rows.cells.size());
    rows.share = source_.share();
    return !rows.cells.empty();
  }

 private:
  void take(const std::string& line, InputRows& rows) {
    ++lines_;
    const ConllLine kind = conll_.kind(line, word_, !sentence_.empty());
    if (kind == ConllLine::kEnd) return finish(rows);
    if (kind != ConllLine::kWord) return;
    const auto columns = conll_columns(line);
    const std::int64_t count = std::ssize(columns), word = word_ < 0 ? word_ + count : word_;
    const bool bad = word < 0 || word >= count || columns[static_cast<std::size_t>(word)].empty();
    if (bad && malformed_ == Malformed::kRefuse)
      refuse("{}, line {}: {} columns, no word in column {}. Fix the line, or set `task.malformed` to skip.",
             source_.name(), lines_, count, word_);
    if (bad)
      ++rows.skipped;
    else
      sentence_ += kElementSeparator + columns[static_cast<std::size_t>(word)];
  }
  void finish(InputRows& rows) {
    if (sentence_.empty()) return;
    std::vector<std::string> cells(columns_);
    cells[0] = std::move(sentence_);
    sentence_.clear();
    rows.cells.push_back(std::move(cells));
  }

  LineSource source_;
  std::size_t columns_;
  std::int64_t word_;
  Malformed malformed_;
  ConllLines conll_;
  std::vector<std::string> waiting_;  // for a line that shows the columns
  std::string sentence_;
  std::int64_t lines_ = 0, count_ = 0;
  bool known_ = false, ended_ = false;
};

/// All of the file at once. Columns: question, context, id.
class SquadReader final : public InputReader {
 public:
  explicit SquadReader(const InputOptions& options) : path_(options.path) {
    if (options.columns[0].role != "question")
      refuse("{}: only a model that answers questions reads SQuAD's JSON.", path_);
    if (path_ == "-") refuse("SQuAD's JSON is read from a file, not from standard input.");
  }
  bool next(InputRows& rows) override {
    if (done_) return false;
    done_ = true;
    const SquadFile file = read_squad(path_);
    rows = {.first = 0, .present = {true, true, true}, .cells = {}};
    for (const auto& question : file.questions)
      rows.cells.push_back({question.question, file.contexts[question.context], question.id});
    return true;
  }

 private:
  std::string path_;
  bool done_ = false;
};

std::string format_by_name(const InputOptions& options) {
  constexpr std::array<std::pair<std::string_view, const char*>, 10> kEndings{{{".tsv", "tsv"},
                                                                               {".csv", "csv"},
                                                                               {".jsonl", "jsonl"},
                                                                               {".json", "jsonl"},
                                                                               {".h5", "hdf5"},
                                                                               {".hdf5", "hdf5"},
                                                                               {".conll", "conll"},
                                                                               {".conllu", "conll"},
                                                                               {".parquet", "jsonl"},
                                                                               {".arrow", "jsonl"}}};
  const std::string_view path = without_packed_ending(options.path);
  const bool answers = !options.columns.empty() && options.columns[0].role == "question";
  if (answers && path.ends_with(".json")) return "squad";
  for (const auto& [ending, format] : kEndings)
    if (path.ends_with(ending)) return format;
  return "lines";
}

std::string format_of(const InputOptions& options) {
  return options.format == "auto" ? format_by_name(options) : options.format;
}

}  // namespace

void check_input(const InputOptions& options) {
  if (format_of(options) == "hdf5" && options.path != "-") check_foreign_hdf5(options.path);
}

std::unique_ptr<InputReader> open_input(const InputOptions& options) {
  const std::string format = format_of(options);
  if (format == "lines") return std::make_unique<PlainReader>(options);
  if (format == "tsv") return std::make_unique<RecordReader>(options, RecordFormat::kTsv);
  if (format == "csv") return std::make_unique<RecordReader>(options, RecordFormat::kCsv);
  if (format == "jsonl") return std::make_unique<RecordReader>(options, RecordFormat::kJsonLines);
  if (format == "conll") return std::make_unique<ConllReader>(options);
  if (format == "squad") return std::make_unique<SquadReader>(options);
  if (format == "hdf5") return open_hdf5_input(options);
  refuse("predict: `--input-format` is {}; it must be auto, lines, tsv, csv, jsonl, conll, squad or hdf5.",
         options.format);
}

std::string packed_rows(const InputRows& rows) {
  Json json = Json::object();
  json["first"] = rows.first;
  json["present"] = rows.present;
  json["cells"] = rows.cells;
  for (const auto& sequence : rows.encoded) {
    json["ids"].push_back(sequence.ids);
    json["seconds"].push_back(sequence.second);
  }
  return json.dump();
}

InputRows unpacked_rows(const std::string& text) {
  const Json json = parse_json<Json>(text);
  InputRows rows{.first = json["first"],
                 .present = json["present"].get<std::vector<bool>>(),
                 .cells = json["cells"].get<std::vector<std::vector<std::string>>>()};
  for (std::size_t i = 0; json.contains("ids") && i < json["ids"].size(); ++i) {
    rows.encoded.emplace_back();
    rows.encoded.back().ids = json["ids"][i].get<std::vector<std::int32_t>>();
    rows.encoded.back().second = json["seconds"][i];
  }
  return rows;
}

}  // namespace nystrom
