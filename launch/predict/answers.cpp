#include "launch/predict/answers.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/hdf5/hdf5_file.h"
#include "data/tasks/records.h"
#include "kernels/core/check.h"
#include "launch/predict/output.h"
#include "trainer/tasks/task_results.h"

namespace nystrom {
namespace {

using OrderedJson = nlohmann::ordered_json;
constexpr std::string_view kProbability = "probability:";

/// A field of CSV (RFC 4180).
std::string csv_field(const std::string& cell) {
  if (cell.find_first_of(",\"\r\n") == std::string::npos) return cell;
  std::string field = "\"";
  for (const char c : cell) field += c == '"' ? std::string("\"\"") : std::string(1, c);
  return field + "\"";
}

std::string csv_text(const PredictionTable& table, bool header) {
  std::string text;
  const auto add = [&text](const std::vector<std::string>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) text += (i > 0 ? "," : "") + csv_field(cells[i]);
    text += '\n';
  };
  if (header) add(table.columns);
  for (const auto& row : table.rows) add(row);
  return text;
}

/// TSV or CSV, with one header.
class TableWriter final : public AnswerWriter {
 public:
  TableWriter(const std::string& path, bool csv) : output_(path), csv_(csv) {}
  void write(const AnswerPiece& piece) override {
    std::string text = csv_ ? csv_text(piece.table, !begun_) : tsv_text(piece.table);
    if (!csv_ && begun_) text.erase(0, text.find('\n') + 1);
    output_.write(text);
    begun_ = true;
  }
  void finish() override { output_.finish(); }

 private:
  TextOutput output_;
  bool csv_, begun_ = false;
};

/// JSON Lines, or one array of the same objects.
class JsonWriter final : public AnswerWriter {
 public:
  JsonWriter(const std::string& path, AnswerForm form) : output_(path), form_(std::move(form)) {}

  void write(const AnswerPiece& piece) override {
    std::string text;
    for (const auto& object : piece.objects) text += element(object);
    const auto& rows = piece.table.rows;
    std::size_t begin = 0;
    for (const auto& name : piece.groups) {  // one without rows is an object too
      std::size_t end = begin;
      while (end < rows.size() && rows[end][0] == name) ++end;
      text += element(text_of(group(piece.table, name, begin, end)));
      begin = end;
    }
    for (std::size_t i = 0; i < rows.size() && piece.objects.empty() && !form_.grouped; ++i)
      text += element(text_of(object(piece, i)));
    output_.write(text);
  }
  void finish() override {
    if (form_.format == "json") output_.write(begun_ ? "\n]\n" : "[]\n");
    output_.finish();
  }

 private:
  static std::string text_of(const OrderedJson& object) {
    return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  std::string element(const std::string& object) {
    if (form_.format == "jsonl") return object + "\n";
    return (std::exchange(begun_, true) ? ",\n" : "[\n") + object;
  }
  [[nodiscard]] bool is_number(const std::string& column) const {
    return column.starts_with(kProbability) || std::ranges::count(form_.number_columns, column) > 0 ||
           std::ranges::count(form_.integer_columns, column) > 0;
  }
  [[nodiscard]] OrderedJson value(const std::string& column, const std::string& cell) const {
    double number = 0;
    if (!is_number(column)) return cell;
    if (!parse_number(cell, number)) return nullptr;
    if (number == std::floor(number) && std::abs(number) < 1e15 && cell.find('.') == std::string::npos)
      return static_cast<std::int64_t>(number);
    return number;
  }
  [[nodiscard]] OrderedJson object(const AnswerPiece& piece, std::size_t row) const {
    OrderedJson json = OrderedJson::object();
    const auto& table = piece.table;
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      const std::string& column = table.columns[c];
      if (column.starts_with(kProbability))
        json["probabilities"][column.substr(kProbability.size())] = value(column, table.rows[row][c]);
      else
        json[column] = value(column, table.rows[row][c]);
    }
    const auto width = static_cast<std::size_t>(piece.matrix_width);
    if (width > 0)
      json[form_.matrix_name] =
          std::vector<float>(piece.matrix.begin() + static_cast<std::ptrdiff_t>(row * width),
                             piece.matrix.begin() + static_cast<std::ptrdiff_t>((row + 1) * width));
    return json;
  }
  [[nodiscard]] OrderedJson group(const PredictionTable& table, const std::string& name, std::size_t begin,
                                  std::size_t end) const {
    OrderedJson json = OrderedJson::object();
    json[table.columns[0]] = value(table.columns[0], name);
    for (std::size_t c = 1; c < table.columns.size(); ++c) {
      OrderedJson list = OrderedJson::array();
      for (std::size_t row = begin; row < end; ++row)
        list.push_back(value(table.columns[c], table.rows[row][c]));
      json[table.columns[c] + "s"] = std::move(list);
    }
    return json;
  }

  TextOutput output_;
  AnswerForm form_;
  bool begun_ = false;  // the array
};

class Hdf5Writer final : public AnswerWriter {
 public:
  Hdf5Writer(const std::string& path, AnswerForm form)
      : pending_(path), file_(hdf5::File::create(pending_.temporary())), form_(std::move(form)) {}

  void write(const AnswerPiece& piece) override {
    const auto& table = piece.table;
    std::vector<float> probabilities;
    std::uint64_t classes = 0;
    for (const auto& column : table.columns) classes += column.starts_with(kProbability) ? 1 : 0;
    for (const auto& row : table.rows)
      for (std::size_t c = 0; c < row.size(); ++c)
        if (table.columns[c].starts_with(kProbability)) probabilities.push_back(number(row[c]));
    if (classes > 0) append<float>("probabilities", probabilities, classes);
    for (std::size_t c = 0; c < table.columns.size(); ++c)
      if (!table.columns[c].starts_with(kProbability)) write_column(table, c);
    if (piece.matrix_width > 0)
      append<float>(form_.matrix_name, piece.matrix, static_cast<std::uint64_t>(piece.matrix_width));
  }

  void finish() override {
    for (const auto& [name, values] : texts_) file_.write_strings(name, values);
    if (!form_.labels.empty()) file_.write_strings("labels", form_.labels);
    datasets_.clear();
    file_.close();
    pending_.publish();
  }

 private:
  static float number(const std::string& cell) {
    double value = 0;
    return parse_number(cell, value) ? static_cast<float>(value) : std::nanf("");
  }

  void write_column(const PredictionTable& table, std::size_t c) {
    const std::string& name = table.columns[c];
    if (name == "prediction" && !form_.labels.empty()) {
      std::vector<std::int32_t> classes;
      for (const auto& row : table.rows)
        classes.push_back(
            static_cast<std::int32_t>(std::ranges::find(form_.labels, row[c]) - form_.labels.begin()));
      append<std::int32_t>(name, classes, 1);
    } else if (std::ranges::count(form_.integer_columns, name) > 0) {
      std::vector<std::int64_t> values;
      for (const auto& row : table.rows) values.push_back(std::stoll(row[c]));
      append<std::int64_t>(name, values, 1);
    } else if (std::ranges::count(form_.number_columns, name) > 0) {
      std::vector<float> values;
      for (const auto& row : table.rows) values.push_back(number(row[c]));
      append<float>(name, values, 1);
    } else {
      for (const auto& row : table.rows) texts_[name].push_back(row[c]);
    }
  }

  template <class T>
  void append(const std::string& name, const std::vector<T>& values, std::uint64_t width) {
    auto found = datasets_.find(name);
    if (found == datasets_.end()) {
      const std::uint64_t rows = std::clamp<std::uint64_t>((1U << 16U) / width, 1, 1U << 14U);
      const hdf5::Shape shape = width == 1 ? hdf5::Shape{0} : hdf5::Shape{0, width};
      const hdf5::Shape chunk = width == 1 ? hdf5::Shape{rows} : hdf5::Shape{rows, width};
      found = datasets_
                  .emplace(name, file_.create_dataset(name, hdf5::TypeOf<T>::value, shape,
                                                      {.chunk = chunk, .extendible = true}))
                  .first;
    }
    if (!values.empty()) found->second.template append<T>(std::span<const T>(values));
  }

  PendingFile pending_;
  hdf5::File file_;
  AnswerForm form_;
  std::map<std::string, hdf5::Dataset> datasets_;
  std::map<std::string, std::vector<std::string>> texts_;
};

/// The matrix alone, [N, width] fp32, in NumPy's format 1.0. The header is of a fixed size, so that the
/// number of rows can be written at the end.
class NpyWriter final : public AnswerWriter {
 public:
  explicit NpyWriter(const std::string& path)
      : pending_(path), file_(pending_.temporary(), std::ios::binary) {
    write_header();
  }

  void write(const AnswerPiece& piece) override {
    if (piece.matrix_width == 0) return;
    width_ = piece.matrix_width;
    rows_ += std::ssize(piece.matrix) / width_;
    file_.write(reinterpret_cast<const char*>(piece.matrix.data()),
                static_cast<std::streamsize>(piece.matrix.size() * sizeof(float)));
    require_good();
  }

  void finish() override {
    file_.seekp(0);
    write_header();
    file_.close();
    require_good();
    pending_.publish();
  }

 private:
  void write_header() {
    constexpr std::size_t kSize = 128, kBefore = 10;  // magic, version and length precede the text
    std::string text =
        fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows_, width_);
    text.resize(kSize - kBefore - 1, ' ');
    file_ << std::string_view("\x93NUMPY\x01\x00", 8) << static_cast<char>(kSize - kBefore) << '\0' << text
          << '\n';
    require_good();
  }
  void require_good() const {
    if (!file_) fail("{} cannot be written.", pending_.path());
  }

  PendingFile pending_;
  std::ofstream file_;
  std::int64_t rows_ = 0, width_ = 0;
};

}  // namespace

std::unique_ptr<AnswerWriter> open_answers(const std::string& path, const AnswerForm& form) {
  if (form.format == "jsonl" || form.format == "json") return std::make_unique<JsonWriter>(path, form);
  if (form.format == "tsv" || form.format == "csv") {
    NYSTROM_CHECK(form.matrix_name.empty(), "a matrix in {}", form.format);
    return std::make_unique<TableWriter>(path, form.format == "csv");
  }
  const bool npy = form.format == "npy";
  if (path.empty() || is_written_through(path))
    refuse("predict: {} needs a file; name it with `--output`.", npy ? "NPY" : "HDF5");
  if (npy) return std::make_unique<NpyWriter>(path);
  return std::make_unique<Hdf5Writer>(path, form);
}

}  // namespace nystrom
