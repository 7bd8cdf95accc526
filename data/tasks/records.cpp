#include "data/tasks/records.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>

#include "data/corpus/arrow_rows.h"
#include "data/corpus/binary_check.h"
#include "data/corpus/decompressors.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/json.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

using Json = nlohmann::json;

struct Line {
  std::int64_t number;
  std::vector<std::string> cells;
};

/// Reading one file: its request, its result, and how a malformed line is handled.
struct Reading {
  const RecordRequest& request;
  Records& records;

  template <class... Args>
  void malformed(std::int64_t line, fmt::format_string<Args...> format, Args&&... args) {
    if (request.malformed == Malformed::kRefuse)
      refuse("{}, line {}: {}. Fix the line, or set `task.malformed` to skip.", records.path, place(line),
             fmt::format(format, std::forward<Args>(args)...));
    records.malformed.push_back(place(line));
  }
  /// A line's number in the whole file.
  [[nodiscard]] std::int64_t place(std::int64_t line) const { return line + request.line_offset; }
};

std::string names_of(const WantedColumn& column) {
  return fmt::format("`{}`", fmt::join(column.names, "` or `"));
}

/// The index of each requested column in `header`; -1: absent.
std::vector<std::int64_t> find_columns(const Reading& reading, const std::vector<std::string>& header) {
  std::vector<std::int64_t> found;
  for (const WantedColumn& column : reading.request.columns) {
    std::int64_t at = -1;
    for (const auto& name : column.names) {
      const auto it = std::ranges::find(header, name);
      if (it == header.end() || at >= 0) continue;
      at = it - header.begin();
    }
    if (at < 0 && !column.optional)
      refuse("{} has no column {}; it has `{}`. Is it the file of another task?", reading.records.path,
             names_of(column), fmt::join(header, "`, `"));
    found.push_back(at);
  }
  return found;
}

std::vector<std::int64_t> fixed_columns(const RecordRequest& request) {
  std::vector<std::int64_t> found;
  for (const WantedColumn& column : request.columns) found.push_back(column.index);
  return found;
}

// RFC 4180: a cell that begins with a quote ends at the next single one; two stand for one.
std::vector<Line> csv_lines(Reading& reading, const std::string& text) {
  std::vector<Line> lines;
  std::int64_t number = 1;
  std::size_t at = 0;
  while (at < text.size()) {
    Line line{number, {}};
    bool more = true, closed = true;
    while (more) {
      std::string cell;
      if (at < text.size() && text[at] == '"') {
        closed = false;
        for (++at; at < text.size(); ++at) {
          if (text[at] == '\n') ++number;
          if (text[at] != '"') {
            cell += text[at];
          } else if (at + 1 < text.size() && text[at + 1] == '"') {
            cell += text[++at];
          } else {
            closed = true;
            ++at;
            break;
          }
        }
      }
      while (at < text.size() && text[at] != ',' && text[at] != '\n') cell += text[at++];
      more = at < text.size() && text[at] == ',';
      ++at;
      if (!more && !cell.empty() && cell.back() == '\r') cell.pop_back();
      line.cells.push_back(std::move(cell));
    }
    ++number;
    if (!closed) reading.malformed(line.number, "a quote is opened and never closed");
    const bool blank = line.cells.size() == 1 && line.cells[0].empty();
    if (closed && !blank) lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<Line> tsv_lines(const std::string& text, bool header) {
  std::vector<std::string> texts = split_lines(text);
  while (!texts.empty() && texts.back().empty()) texts.pop_back();
  std::vector<Line> lines;
  std::int64_t number = 0;
  for (const auto& line : texts) {
    ++number;
    const bool one_column = header && !lines.empty() && lines[0].cells.size() == 1;
    if (!line.empty() || one_column) lines.push_back({number, split(line, "\t")});
  }
  return lines;
}

void take_rows(Reading& reading, std::vector<Line> lines) {
  const bool header = reading.request.header;
  if (lines.empty()) refuse("{} is empty.", reading.records.path);
  const auto columns = header ? find_columns(reading, lines[0].cells) : fixed_columns(reading.request);
  for (const auto at : columns) reading.records.present.push_back(at >= 0);
  std::size_t width = lines[0].cells.size();
  if (!header) width = static_cast<std::size_t>(std::ranges::max(columns)) + 1;
  for (std::size_t i = header ? 1 : 0; i < lines.size(); ++i) {
    const Line& line = lines[i];
    if (header ? line.cells.size() != width : line.cells.size() < width) {
      reading.malformed(line.number, "{} columns where {} were expected{}", line.cells.size(), width,
                        header || i > 0 ? "" : " (is it the file of another task?)");
      continue;
    }
    Record record{reading.place(line.number), {}};
    for (const auto at : columns)
      record.cells.push_back(at < 0 ? std::string() : line.cells[static_cast<std::size_t>(at)]);
    reading.records.rows.push_back(std::move(record));
  }
}

/// False where the value has no form as text.
bool text_of(const Json& value, const RecordRequest& request, std::string& text) {
  if (value.is_string()) {
    text = value.get<std::string>();
  } else if (value.is_number_float() && !std::isfinite(value.get<double>())) {
    return false;
  } else if (value.is_number() || value.is_boolean()) {
    text = value.dump();
  } else if (value.is_null()) {
    text.clear();
  } else if (value.is_array()) {
    text.clear();
    for (std::size_t i = 0; i < value.size(); ++i) {
      std::string element;
      if (value[i].is_array() || !text_of(value[i], request, element)) return false;
      if (i > 0 || request.separator_first) text += request.separator;
      text += element;
    }
  } else {
    return false;
  }
  return true;
}

void take_object(Reading& reading, std::int64_t number, const std::string& line) {
  std::int64_t lone_surrogates = 0;
  const Json object = try_parse_python_json(line, lone_surrogates);
  reading.records.repairs.invalid_bytes += kSurrogateBytes * lone_surrogates;
  if (!object.is_object()) return reading.malformed(number, "the line is not a JSON object");
  Record record{reading.place(number), {}};
  for (std::size_t c = 0; c < reading.request.columns.size(); ++c) {
    const WantedColumn& column = reading.request.columns[c];
    const auto name = std::ranges::find_if(column.names, [&](const auto& n) { return object.contains(n); });
    std::string cell;
    if (name == column.names.end()) {
      if (!column.optional) return reading.malformed(number, "the object has no member {}", names_of(column));
    } else {
      reading.records.present[c] = true;
      if (!text_of(object[*name], reading.request, cell))
        return reading.malformed(number, "`{}` is neither text nor a finite number", *name);
    }
    record.cells.push_back(std::move(cell));
  }
  reading.records.rows.push_back(std::move(record));
}

void take_objects(Reading& reading, const std::string& text) {
  reading.records.present.assign(reading.request.columns.size(), false);
  std::int64_t number = 0;
  for (const auto& line : split_lines(text)) {
    ++number;
    if (!trimmed_cell(line).empty()) take_object(reading, number, line);
  }
}

}  // namespace

namespace {

/// Decompressed, if it is compressed.
std::string content_of(const std::string& path) {
  std::string text;
  if (std::error_code unknown; std::filesystem::is_regular_file(path, unknown)) {
    FileStream file(path);
    read_up_to(*decompressed(file), std::numeric_limits<std::size_t>::max(), text);
    return text;
  }
  text = read_file_or_pipe(path, kAnySize);
  if (is_packed(text)) refuse("{} is compressed, and no file. Decompress it on the way (`zcat`).", path);
  return text;
}

/// Rows of Parquet or Arrow as JSON lines.
std::string text_of_rows(const std::string& path, Repairs& repairs) {
  std::string text;
  read_up_to(*arrow_rows(path), std::numeric_limits<std::size_t>::max(), text);
  return decode_text(std::move(text), Encoding::kUtf8, repairs);
}

}  // namespace

RecordFormat format_of(const std::string& file) {
  const std::string_view path = without_packed_ending(file);
  if (path.ends_with(".csv")) return RecordFormat::kCsv;
  if (path.ends_with(".json") || path.ends_with(".jsonl")) return RecordFormat::kJsonLines;
  return RecordFormat::kTsv;
}

std::string Records::place(std::size_t row) const {
  return fmt::format("{}, line {}", path, rows[row].line);
}

Records parse_records(const std::string& path, const std::string& text, RecordFormat format,
                      const RecordRequest& request) {
  Records records;
  records.path = path;
  Reading reading{request, records};
  switch (format) {
    case RecordFormat::kTsv:
      take_rows(reading, tsv_lines(text, request.header));
      break;
    case RecordFormat::kCsv:
      take_rows(reading, csv_lines(reading, text));
      break;
    case RecordFormat::kJsonLines:
      take_objects(reading, text);
      break;
  }
  return records;
}

Records read_records(const std::string& path, const RecordRequest& request) {
  const Stage stage(fmt::format("reading {}", path));
  Repairs repairs;
  const bool rows = is_arrow_file(path);
  const std::string text = rows ? text_of_rows(path, repairs) : read_text_file(path, repairs);
  Records records = parse_records(path, text, rows ? RecordFormat::kJsonLines : format_of(path), request);
  records.repairs += repairs;
  if (records.rows.empty()) refuse("{} has no rows.", path);
  return records;
}

std::string read_text_file(const std::string& path, Repairs& repairs) {
  std::string text = content_of(path);
  check_is_no_binary(std::string_view(text).substr(0, kCheckedBytes), path);
  if (text.starts_with("\xFE\xFF")) return decode_text(std::move(text), Encoding::kUtf16Big, repairs);
  if (text.starts_with("\xFF\xFE")) return decode_text(std::move(text), Encoding::kUtf16Little, repairs);
  return decode_text(std::move(text), Encoding::kUtf8, repairs);
}

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::size_t stop = end > at && text[end - 1] == '\r' ? end - 1 : end;
    lines.push_back(text.substr(at, stop - at));
    at = end + 1;
  }
  return lines;
}

std::vector<std::string> split(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  for (std::size_t at = 0;;) {
    const std::size_t end = separator.empty() ? text.npos : text.find(separator, at);
    parts.emplace_back(text.substr(at, end == text.npos ? end : end - at));
    if (end == text.npos) return parts;
    at = end + separator.size();
  }
}

bool parse_number(const std::string& text, double& value) {
  const std::string plain = trimmed_cell(text);
  const char *begin = plain.data(), *end = begin + plain.size();
  if (plain.starts_with('+') && !plain.starts_with("+-")) ++begin;
  const auto [stop, error] = std::from_chars(begin, end, value);
  return error == std::errc{} && stop == end && std::isfinite(value);
}

std::string trimmed_cell(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == text.npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(kBlank) - begin + 1));
}

}  // namespace nystrom
