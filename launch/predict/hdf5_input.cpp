#include "launch/predict/hdf5_input.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "data/hdf5/hdf5_file.h"
#include "data/text/utf8.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

constexpr std::uint64_t kMaxRows = 4096;
constexpr std::size_t kMaxBytes = std::size_t{64} << 20U;
constexpr std::uint64_t kMaxWidth = std::uint64_t{1} << 24U;  // tokens of a row

class TextReader final : public InputReader {
 public:
  TextReader(hdf5::File file, const std::vector<InputColumn>& columns) : file_(std::move(file)) {
    for (const auto& column : columns) {
      const auto found = std::ranges::find_if(column.names, [&](const auto& n) { return file_.has(n); });
      datasets_.push_back(found == column.names.end() ? std::string() : *found);
      if (datasets_.back().empty() && !column.optional)
        refuse("{} has neither a dataset `input_ids` nor one of texts called `{}`; it has `{}`.",
               file_.path(), fmt::join(column.names, "` or `"), fmt::join(file_.names(), "`, `"));
      if (datasets_.back().empty()) continue;
      const std::uint64_t rows = file_.dataset(datasets_.back()).rows();
      if (rows_ && *rows_ != rows)
        refuse("{}: `{}` has {} rows, the datasets before it {}.", file_.path(), datasets_.back(), rows,
               *rows_);
      rows_ = rows;
    }
  }

  bool next(InputRows& rows) override {
    rows = {.first = static_cast<std::int64_t>(at_), .present = {}, .cells = {}};
    std::uint64_t count = std::min(kMaxRows, rows_.value_or(0) - at_);
    if (count == 0) return false;
    std::vector<std::vector<std::string>> columns(datasets_.size());
    for (std::size_t c = 0; c < datasets_.size(); ++c) {
      rows.present.push_back(!datasets_[c].empty());
      if (datasets_[c].empty()) continue;
      columns[c] = file_.read_text(datasets_[c], at_, count, kMaxBytes);
      count = columns[c].size();  // long texts come in fewer rows
    }
    rows.cells.assign(count, std::vector<std::string>(datasets_.size()));
    Repairs repairs;
    for (std::size_t c = 0; c < datasets_.size(); ++c)
      for (std::size_t i = 0; i < count && !columns[c].empty(); ++i)
        rows.cells[i][c] = repair_utf8(std::move(columns[c][i]), repairs);
    rows.repaired_bytes = repairs.invalid_bytes + repairs.nul_bytes;
    at_ += count;
    return true;
  }

 private:
  hdf5::File file_;
  std::vector<std::string> datasets_;  // of each column; empty: none
  std::optional<std::uint64_t> rows_;
  std::uint64_t at_ = 0;
};

class IdReader final : public InputReader {
 public:
  explicit IdReader(hdf5::File file)
      : file_(std::move(file)),
        ids_(file_.dataset("input_ids")),
        mask_(companion("input_mask")),
        segments_(companion("segment_ids")) {
    if (ids_.shape().size() != 2 || !ids_.is_integer())
      refuse("{}: input_ids is not [examples, tokens] of integers.", file_.path());
    if (ids_.row_elements() > kMaxWidth)
      refuse("{}: input_ids has rows of {} tokens; at most {} are read.", file_.path(), ids_.row_elements(),
             kMaxWidth);
    for (const auto* other : {&mask_, &segments_})
      if (*other && ((*other)->shape() != ids_.shape() || !(*other)->is_integer()))
        refuse("{}: the shape of {} is not that of input_ids.", file_.path(), (*other)->name());
  }

  bool next(InputRows& rows) override {
    rows = {.first = static_cast<std::int64_t>(at_), .present = {}, .cells = {}};
    const std::uint64_t width = ids_.row_elements();
    if (at_ == ids_.rows() || width == 0) return false;
    const std::uint64_t count =
        std::min(ids_.rows() - at_, std::clamp<std::uint64_t>(kMaxWidth / width, 1, kMaxRows));
    const auto ids = read(ids_, count), mask = mask_ ? read(*mask_, count) : std::vector<std::int32_t>();
    const auto segments = segments_ ? read(*segments_, count) : std::vector<std::int32_t>();
    for (std::uint64_t row = 0; row < count; ++row) {
      TaskSequence sequence;
      const std::size_t begin = row * width;
      std::size_t length = width;
      if (mask_)
        length = static_cast<std::size_t>(std::ranges::count_if(std::span(mask).subspan(begin, width),
                                                                [](std::int32_t m) { return m != 0; }));
      if (length == 0) refuse("{}: example {} has no tokens.", file_.path(), at_ + row);
      const auto first = ids.begin() + static_cast<std::ptrdiff_t>(begin);
      sequence.ids.assign(first, first + static_cast<std::ptrdiff_t>(length));
      sequence.second = static_cast<std::int32_t>(length);
      if (segments_)
        for (std::size_t t = length; t-- > 0 && segments[begin + t] != 0;)
          sequence.second = static_cast<std::int32_t>(t);
      rows.encoded.push_back(std::move(sequence));
    }
    at_ += count;
    return true;
  }

 private:
  [[nodiscard]] std::optional<hdf5::Dataset> companion(const std::string& name) const {
    if (!file_.has(name)) return std::nullopt;
    return file_.dataset(name);
  }
  [[nodiscard]] std::vector<std::int32_t> read(const hdf5::Dataset& dataset, std::uint64_t count) const {
    std::vector<std::int32_t> values(count * dataset.row_elements());
    dataset.read_rows<std::int32_t>(at_, count, values);
    return values;
  }

  hdf5::File file_;
  hdf5::Dataset ids_;
  std::optional<hdf5::Dataset> mask_, segments_;
  std::uint64_t at_ = 0;
};

}  // namespace

std::unique_ptr<InputReader> open_hdf5_input(const InputOptions& options) {
  if (options.path == "-") refuse("HDF5 is read from a file, not from standard input.");
  hdf5::File file = hdf5::File::open(options.path, hdf5::Filters::kCompression);
  if (file.has("input_ids")) return std::make_unique<IdReader>(std::move(file));
  return std::make_unique<TextReader>(std::move(file), options.columns);
}

}  // namespace nystrom
