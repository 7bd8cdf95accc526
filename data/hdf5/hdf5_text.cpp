#include <algorithm>
#include <memory>
#include <optional>

#include "data/hdf5/hdf5_calls.h"

namespace nystrom::hdf5 {
namespace {

/// Memory of texts of variable length, up to a limit: any number of rows can name the same long text.
class TextMemory {
 public:
  explicit TextMemory(std::size_t bytes) : left_(bytes) {}
  [[nodiscard]] bool ran_out() const { return ran_out_; }

  static void* take(std::size_t bytes, void* memory) {
    auto& self = *static_cast<TextMemory*>(memory);
    self.ran_out_ = bytes > self.left_;
    if (self.ran_out_) return nullptr;
    self.left_ -= bytes;
    return self.blocks_.emplace_back(std::make_unique<char[]>(bytes)).get();
  }
  static void give_back(void* /*block*/, void* /*memory*/) {}  // all at once, at the end

 private:
  std::size_t left_;
  bool ran_out_ = false;
  std::vector<std::unique_ptr<char[]>> blocks_;
};

/// Rows of a one-dimensional dataset of strings.
struct TextRows {
  const std::string& file;
  const std::string& name;
  hid_t dataset, type;
  std::uint64_t first, count;
};

herr_t read(const TextRows& rows, hid_t transfer, void* to) {
  Identifier space = owned(H5Dget_space(rows.dataset), H5Sclose, "read dataset", rows.file, rows.name);
  const hsize_t start = rows.first, count = rows.count;
  checked(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, &start, nullptr, &count, nullptr), "read dataset",
          rows.file, rows.name);
  Identifier memory =
      owned(H5Screate_simple(1, &count, nullptr), H5Sclose, "read dataset", rows.file, rows.name);
  return H5Dread(rows.dataset, rows.type, memory.get(), space.get(), transfer, to);
}

[[noreturn]] void refuse_rows(const TextRows& rows) {
  refuse("Rows {} to {} of dataset `{}` of {} cannot be read: {}. The file may be corrupt; make it again.",
         rows.first, rows.first + rows.count, rows.name, rows.file, reason());
}

/// Strings of `size` bytes each, up to their first zero.
std::vector<std::string> cut(const std::string& flat, std::size_t size) {
  std::vector<std::string> values;
  for (std::size_t at = 0; at < flat.size(); at += size) {
    std::string value = flat.substr(at, size);
    value.resize(std::min(value.find('\0'), value.size()));
    values.push_back(std::move(value));
  }
  return values;
}

std::vector<std::string> read_fixed(const TextRows& rows, std::size_t size) {
  std::string flat(size * rows.count, '\0');
  if (read(rows, H5P_DEFAULT, flat.data()) < 0) refuse_rows(rows);
  return cut(flat, size);
}

/// None if they take more than `max_bytes`.
std::optional<std::vector<std::string>> read_variable(const TextRows& rows, std::size_t max_bytes) {
  TextMemory memory(max_bytes);
  const Identifier transfer =
      owned(H5Pcreate(H5P_DATASET_XFER), H5Pclose, "read dataset", rows.file, rows.name);
  checked(H5Pset_vlen_mem_manager(transfer.get(), TextMemory::take, &memory, TextMemory::give_back, &memory),
          "read dataset", rows.file, rows.name);
  std::vector<const char*> texts(rows.count, nullptr);
  const bool done = read(rows, transfer.get(), static_cast<void*>(texts.data())) >= 0;
  if (!done && !memory.ran_out()) refuse_rows(rows);
  H5Eclear2(H5E_DEFAULT);
  if (!done) return std::nullopt;
  std::vector<std::string> values;
  for (const char* text : texts) values.emplace_back(text == nullptr ? "" : text);
  return values;
}

}  // namespace

void File::write_strings(const std::string& name, const std::vector<std::string>& values) {
  std::size_t longest = 1;
  for (const auto& value : values) longest = std::max(longest, value.size());
  std::string flat;
  for (auto value : values) {
    value.resize(longest, '\0');
    flat += value;
  }
  const auto held = lock();
  Identifier type = string_type(longest, path_, name);
  const std::uint64_t chunk = std::max<std::uint64_t>(values.size(), 1);
  Identifier id = create_object(id_.get(), path_, name, type.get(), {values.size()}, {.chunk = {chunk}});
  if (!values.empty())
    checked(H5Dwrite(id.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, flat.data()), "write dataset",
            path_, name);
  if (!id.release()) fail("Dataset `{}` of {} cannot be written: {}.", name, path_, reason());
}

std::vector<std::string> File::read_strings(const std::string& name) const {
  constexpr std::uint64_t kMax = 1U << 24U;  // bytes; a corrupt header must not take all memory
  const auto held = lock();
  const Dataset dataset = this->dataset(name);
  Identifier type = owned(H5Dget_type(dataset.id_.get()), H5Tclose, "read dataset", path_, name);
  const std::size_t size = H5Tget_size(type.get());
  if (dataset.content() != Content::kTexts || H5Tis_variable_str(type.get()) > 0 ||
      dataset.shape().size() != 1 || size == 0 || dataset.rows() > kMax / size)
    refuse("Dataset `{}` of {} is not a list of fixed-length strings; the file is corrupt.", name, path_);
  if (dataset.rows() == 0) return {};
  Identifier memory = string_type(size, path_, name);
  return read_fixed({path_, name, dataset.id_.get(), memory.get(), 0, dataset.rows()}, size);
}

std::vector<std::string> File::read_text(const std::string& name, std::uint64_t first, std::uint64_t count,
                                         std::size_t max_bytes) const {
  const auto held = lock();
  const Dataset dataset = this->dataset(name);
  Identifier type = owned(H5Dget_type(dataset.id_.get()), H5Tclose, "read dataset", path_, name);
  if (dataset.content() != Content::kTexts || dataset.shape().size() != 1)
    refuse("Dataset `{}` of {} is not a list of texts.", name, path_);
  if (count > dataset.rows() || first > dataset.rows() - count)
    refuse("Dataset `{}` of {} has {} rows; more were expected.", name, path_, dataset.rows());
  if (count == 0) return {};
  TextRows rows{path_, name, dataset.id_.get(), type.get(), first, count};
  const auto refuse_length = [&] {
    refuse("Row {} of dataset `{}` of {} is a text of more than {} bytes, too long to be read.", first, name,
           path_, max_bytes);
  };
  if (H5Tis_variable_str(type.get()) > 0) {
    for (;; rows.count /= 2) {
      if (auto texts = read_variable(rows, max_bytes)) return std::move(*texts);
      if (rows.count == 1) refuse_length();
    }
  }
  const std::size_t size = H5Tget_size(type.get());
  if (size > max_bytes) refuse_length();
  rows.count = std::min<std::uint64_t>(count, max_bytes / size);
  return read_fixed(rows, size);
}

}  // namespace nystrom::hdf5
