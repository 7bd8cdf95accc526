#include "launch/predict/answers.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "data/hdf5/hdf5_file.h"
#include "data/tasks/records.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "trainer/tasks/task_results.h"

namespace nystrom {
namespace {

using Json = nlohmann::ordered_json;
constexpr std::string_view kProbability = "probability:";

/// A name that becomes the real one at the end.
class PendingFile {
 public:
  explicit PendingFile(std::string path) : path_(std::move(path)), temporary_(temporary_name(path_)) {}
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;
  ~PendingFile() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }
  [[nodiscard]] const std::string& temporary() const { return temporary_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  void publish() {
    publish_file(temporary_, path_);
    temporary_.clear();
  }

 private:
  std::string path_, temporary_;
};

/// Standard output, or a file that appears when it is complete.
class TextOutput {
 public:
  explicit TextOutput(const std::string& path) {
    if (path.empty()) return;
    file_.emplace(path);
    stream_.open(file_->temporary(), std::ios::binary);
    if (!stream_) fail("{} cannot be created: {}.", file_->temporary(), std::strerror(errno));
  }
  void write(const std::string& text) {
    if (!file_) {
      if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        fail("Standard output cannot be written: {}.", std::strerror(errno));
    } else if (!stream_.write(text.data(), static_cast<std::streamsize>(text.size()))) {
      fail("{} cannot be written: {}.", file_->path(), std::strerror(errno));
    }
  }
  void finish() {
    if (!file_) return;
    stream_.close();
    if (!stream_) fail("{} cannot be written: {}.", file_->path(), std::strerror(errno));
    file_->publish();
  }

 private:
  std::optional<PendingFile> file_;
  std::ofstream stream_;
};

class TsvWriter final : public AnswerWriter {
 public:
  explicit TsvWriter(const std::string& path) : output_(path) {}
  void write(const AnswerPiece& piece) override {
    std::string text = tsv_text(piece.table);
    if (begun_) text.erase(0, text.find('\n') + 1);
    begun_ = true;
    output_.write(text);
  }
  void finish() override { output_.finish(); }

 private:
  TextOutput output_;
  bool begun_ = false;
};

class JsonWriter final : public AnswerWriter {
 public:
  JsonWriter(const std::string& path, AnswerForm form) : output_(path), form_(std::move(form)) {}

  void write(const AnswerPiece& piece) override {
    std::string text;
    for (const auto& object : piece.objects) text += object + "\n";
    const auto& rows = piece.table.rows;
    std::size_t begin = 0;
    for (const auto& name : piece.groups) {  // one without rows is an object too
      std::size_t end = begin;
      while (end < rows.size() && rows[end][0] == name) ++end;
      text += line_of(group(piece.table, name, begin, end));
      begin = end;
    }
    for (std::size_t i = 0; i < rows.size() && piece.objects.empty() && !form_.grouped; ++i)
      text += line_of(object(piece, i));
    output_.write(text);
  }
  void finish() override { output_.finish(); }

 private:
  static std::string line_of(const Json& object) {
    return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  }
  [[nodiscard]] bool is_number(const std::string& column) const {
    return column.starts_with(kProbability) || std::ranges::count(form_.number_columns, column) > 0;
  }
  [[nodiscard]] Json value(const std::string& column, const std::string& cell) const {
    double number = 0;
    if (!is_number(column)) return cell;
    if (!parse_number(cell, number)) return nullptr;
    if (number == std::floor(number) && std::abs(number) < 1e15 && cell.find('.') == std::string::npos)
      return static_cast<std::int64_t>(number);
    return number;
  }
  [[nodiscard]] Json object(const AnswerPiece& piece, std::size_t row) const {
    Json json = Json::object();
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
  [[nodiscard]] Json group(const PredictionTable& table, const std::string& name, std::size_t begin,
                           std::size_t end) const {
    Json json = Json::object();
    json[table.columns[0]] = value(table.columns[0], name);
    for (std::size_t c = 1; c < table.columns.size(); ++c) {
      Json list = Json::array();
      for (std::size_t row = begin; row < end; ++row)
        list.push_back(value(table.columns[c], table.rows[row][c]));
      json[table.columns[c] + "s"] = std::move(list);
    }
    return json;
  }

  TextOutput output_;
  AnswerForm form_;
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

}  // namespace

std::unique_ptr<AnswerWriter> open_answers(const std::string& path, const AnswerForm& form) {
  if (form.format == "jsonl") return std::make_unique<JsonWriter>(path, form);
  if (form.format == "tsv") {
    if (!form.matrix_name.empty())
      refuse("predict: {}s are written as jsonl or hdf5, not tsv.", form.matrix_name);
    return std::make_unique<TsvWriter>(path);
  }
  if (path.empty()) refuse("predict: HDF5 needs a file; name it with `--output`.");
  if (std::filesystem::exists(path))
    refuse("{} exists already; name another output, or remove it first.", path);
  return std::make_unique<Hdf5Writer>(path, form);
}

}  // namespace nystrom
