#include "data/tasks/lra/prepared_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <span>
#include <system_error>

#include "data/hdf5/child_check.h"
#include "data/hdf5/hdf5_file.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/printable.h"
#include "kernels/core/stage.h"

namespace nystrom::lra {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "nystrom lra";
constexpr std::int64_t kVersion = 1;
constexpr std::uint64_t kSymbolChunk = 16384, kTableChunk = 4096;
constexpr std::array kParts{Part::kTrain, Part::kValidation, Part::kTest, Part::kAll};

std::string inside(Part part, const char* name) {
  return fmt::format("{}/{}", part_name(part), name);
}

template <class T>
std::vector<T> read_column(const hdf5::File& file, const std::string& name) {
  const hdf5::Dataset column = file.dataset(name);
  column.check_stored();
  std::vector<T> values(column.rows());
  if (!values.empty()) column.read_rows<T>(0, column.rows(), values);
  return values;
}

template <class T>
void write_column(hdf5::File& file, const std::string& name, const std::vector<T>& values) {
  hdf5::Dataset column =
      file.create_dataset(name, hdf5::TypeOf<T>::value, {0}, {.chunk = {kTableChunk}, .extendible = true});
  if (!values.empty()) column.append<T>(values);
  column.close();
}

/// The width of pictures in files without it, if they are squares; else 0.
std::int64_t square_side(std::int64_t pixels) {
  const auto side = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(pixels))));
  return side * side == pixels ? side : 0;
}

class PreparedFile final : public Source {
 public:
  PreparedFile(const Kind& kind, const std::string& path) : kind_(kind), file_(hdf5::File::open(path)) {
    const std::int64_t version = file_.integer_attribute("version");
    if (version != kVersion)
      refuse("{} has version {} of its format; this program reads version {}.", path, version, kVersion);
    if (const std::string name = file_.string_attribute("name"); name != kind.name)
      refuse("{} is the task {} of the Long Range Arena, but `task.name` is {}.", path, name, kind.name);
    labels_ = file_.read_strings("label_names");
    pixels_ = file_.integer_attribute("pixels");
    cut_ = file_.integer_attribute("cut");
    const bool pictures = kind.alphabet == Alphabet::kPixels;
    require(labels_.size() == kind.classes, "its number of classes");
    require(pictures ? pixels_ > 0 : pixels_ == 0, "its number of pixels");
    require(cut_ > 0, "what sequences were cut to");
    width_ = file_.has_attribute("width") ? file_.integer_attribute("width") : square_side(pixels_);
    require(width_ == 0 || (width_ > 0 && pixels_ % width_ == 0), "the width of its pictures");
    found_ = fmt::format("{} (from {})", path, printable(file_.string_attribute("found")));
    for (std::string& label : labels_) label = printable(label);
  }

  [[nodiscard]] std::string found() const override { return found_; }
  [[nodiscard]] std::vector<std::string> labels() const override { return labels_; }
  [[nodiscard]] std::int64_t pixels() const override { return pixels_; }
  [[nodiscard]] std::int64_t width() const override { return width_; }
  [[nodiscard]] std::int64_t cut() const override { return cut_; }
  [[nodiscard]] std::vector<Part> parts() const override {
    std::vector<Part> parts;
    for (const Part part : kParts)
      if (file_.has(part_name(part))) parts.push_back(part);
    return parts;
  }

  [[nodiscard]] std::shared_ptr<const Examples> load(Part part, std::int64_t,
                                                     std::vector<std::string>&) const override {
    const std::string group = part_name(part);
    ExampleTable table{.pieces = kind_.pieces,
                       .ends = read_column<std::uint64_t>(file_, inside(part, "ends")),
                       .nonzero = read_column<std::uint32_t>(file_, inside(part, "nonzero")),
                       .whole = read_column<std::uint32_t>(file_, inside(part, "whole")),
                       .labels = read_column<std::uint8_t>(file_, inside(part, "labels")),
                       .sha256 = printable(file_.string_attribute("sha256", group))};
    hdf5::Dataset symbols = file_.dataset(inside(part, "symbols"));
    check(table, symbols);
    return std::make_shared<Examples>(std::move(table), std::move(symbols));
  }

 private:
  void check(const ExampleTable& table, const hdf5::Dataset& symbols) const {
    const std::size_t sequences = table.labels.size() * static_cast<std::size_t>(table.pieces);
    require(table.ends.size() == sequences && table.nonzero.size() == sequences &&
                table.whole.size() == sequences && sequences > 0 && symbols.shape().size() == 1 &&
                table.ends.back() == symbols.rows(),
            "its numbers of sequences");
    for (std::size_t i = 0; i < sequences; ++i) {
      require(table.begin(i) <= table.ends[i], "where its sequences end");
      const auto length = static_cast<std::uint64_t>(table.length(i));
      require(length <= static_cast<std::uint64_t>(cut_) && length <= table.whole[i] &&
                  table.nonzero[i] <= length,
              "the lengths of its sequences");
      require(pixels_ == 0 || (length == static_cast<std::uint64_t>(pixels_) && length == table.whole[i]),
              "the pixels of its pictures");
    }
    for (const std::uint8_t label : table.labels) require(label < labels_.size(), "its labels");
  }

  void require(bool holds, const char* what) const {
    if (!holds) refuse("{} is corrupt: inconsistent data in {}. Prepare it again.", file_.path(), what);
  }

  const Kind& kind_;
  hdf5::File file_;
  std::vector<std::string> labels_;
  std::int64_t pixels_ = 0, width_ = 0, cut_ = 0;
  std::string found_;
};

/// A part, while it is written: symbols in pieces, the table at the end.
class PartWriter {
 public:
  PartWriter(hdf5::File& file, Part part, const Kind& kind, std::int64_t longest)
      : file_(file), part_(part), builder_(kind.pieces, longest) {
    file_.create_group(part_name(part));
    symbols_ = file_.create_dataset(inside(part, "symbols"), hdf5::Type::kU8, {0},
                                    {.chunk = {kSymbolChunk}, .extendible = true});
  }

  void add(const Example& example) {
    for (const auto& sequence : builder_.add(example).sequences)
      buffer_.insert(buffer_.end(), sequence.begin(), sequence.end());
    if (buffer_.size() >= 64 * kSymbolChunk) flush();
  }

  /// Returns the number of examples.
  std::size_t finish() {
    flush();
    symbols_.close();
    const ExampleTable table = builder_.finish();
    const std::string group = part_name(part_);
    write_column(file_, inside(part_, "ends"), table.ends);
    write_column(file_, inside(part_, "nonzero"), table.nonzero);
    write_column(file_, inside(part_, "whole"), table.whole);
    write_column(file_, inside(part_, "labels"), table.labels);
    file_.set_attribute("sha256", table.sha256, group);
    return table.labels.size();
  }

 private:
  void flush() {
    if (!buffer_.empty()) symbols_.append<std::uint8_t>(buffer_);
    buffer_.clear();
  }

  hdf5::File& file_;
  Part part_;
  ExampleBuilder builder_;
  hdf5::Dataset symbols_;
  std::vector<std::uint8_t> buffer_;
};

void write_parts(hdf5::File& file, const Kind& kind, const Reader& reader, std::int64_t longest,
                 std::vector<std::string>& notes) {
  Stage stage("reading examples", 0, "examples");
  std::int64_t examples = 0;
  for (const Part part : reader.parts()) {
    PartWriter writer(file, part, kind, longest);
    const auto take = [&](const Example& example) {
      writer.add(example);
      stage.count(++examples);
    };
    for (auto& note : reader.read(part, take)) notes.push_back(std::move(note));
    const std::size_t count = writer.finish();
    if (count == 0) refuse("{} has no {} examples.", reader.found(), part_name(part));
    notes.push_back(fmt::format("{}: {} examples.", part_name(part), count));
  }
}

/// The file that `path` names if it is a prepared one; else empty.
std::string candidate(const Kind& kind, const std::string& path) {
  const fs::path file =
      fs::is_directory(path) ? fs::path(path) / fmt::format("{}.h5", kind.name) : fs::path(path);
  return fs::is_regular_file(file) && file.extension() == ".h5" ? file.string() : std::string();
}

void read_all(const Kind& kind, const std::string& path) {
  const std::unique_ptr<Source> source = open_prepared(kind, find_prepared(kind, path));
  std::vector<std::string> notes;
  for (const Part part : source->parts()) {
    const std::shared_ptr<const Examples> examples = source->load(part, INT64_MAX, notes);
    for (std::size_t i = 0; i < examples->table().ends.size(); ++i) {
      const std::vector<std::uint8_t> symbols = examples->symbols(i, INT64_MAX);
      const auto zeros = static_cast<std::uint64_t>(std::ranges::count(symbols, 0));
      if (!all_known(kind, symbols) || symbols.size() - zeros != examples->table().nonzero[i])
        refuse("{} is corrupt: inconsistent data in sequence {} of {}. Prepare it again.", path, i,
               part_name(part));
    }
  }
}

}  // namespace

std::string find_prepared(const Kind& kind, const std::string& path) {
  const std::string file = candidate(kind, path);
  if (file.empty()) return {};
  const hdf5::File opened = hdf5::File::open(file);
  if (opened.has_attribute("format") && opened.string_attribute("format") == kFormat) return file;
  refuse("{} is an HDF5 file, but was not written by `nystrom prepare` from the Long Range Arena.", file);
}

void check_prepared(const Kind& kind, const std::string& path) {
  const std::string file = candidate(kind, path);
  if (file.empty()) return;
  check_in_child(std::span(&file, 1), {}, [&kind](const std::string& of) { read_all(kind, of); });
}

std::unique_ptr<Source> open_prepared(const Kind& kind, const std::string& path) {
  return std::make_unique<PreparedFile>(kind, path);
}

std::vector<std::string> write_prepared(const TaskConfig& config, std::int64_t longest,
                                        const std::string& path) {
  const Kind& kind = kind_of(config);
  const ReaderPtr reader = kind.open(config);
  std::vector<std::string> notes{reader->found() + "."};
  const std::string temporary = temporary_name(path);
  try {
    hdf5::File file = hdf5::File::create(temporary);
    file.set_attribute("format", std::string(kFormat));
    file.set_attribute("version", kVersion);
    file.set_attribute("name", std::string(kind.name));
    file.set_attribute("found", reader->found());
    file.set_attribute("pixels", reader->pixels());
    file.set_attribute("width", reader->width());
    file.set_attribute("cut", longest);
    file.write_strings("label_names", reader->labels());
    write_parts(file, kind, *reader, longest, notes);
    file.close();
    publish_file(temporary, path);
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
  return notes;
}

}  // namespace nystrom::lra
