#include <utility>

#include "data/hdf5/hdf5_calls.h"

namespace nystrom::hdf5 {
namespace {

constexpr std::uint64_t kMaxElements = std::uint64_t{1} << 60U;

/// The file's rows [first, first + count) and the memory that goes with them.
std::pair<Identifier, Identifier> select(hid_t dataset, const Shape& shape, std::uint64_t first,
                                         std::uint64_t count, const std::string& file,
                                         const std::string& name) {
  Identifier space = owned(H5Dget_space(dataset), H5Sclose, "select rows of dataset", file, name);
  std::vector<hsize_t> start(shape.size(), 0), size(shape.begin(), shape.end());
  if (!shape.empty()) {
    start[0] = first;
    size[0] = count;
    checked(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr),
            "select rows of dataset", file, name);
  }
  Identifier memory = owned(H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr), H5Sclose,
                            "select rows of dataset", file, name);
  return {std::move(space), std::move(memory)};
}

Content content_of(H5T_class_t type) {
  return type == H5T_INTEGER  ? Content::kIntegers
         : type == H5T_FLOAT  ? Content::kFloats
         : type == H5T_STRING ? Content::kTexts
                              : Content::kOther;
}

}  // namespace

std::uint64_t Dataset::row_elements() const {
  std::uint64_t elements = 1;
  for (std::size_t i = 1; i < shape_.size(); ++i) elements *= shape_[i];
  return elements;
}

void Dataset::inspect() {
  Identifier space = owned(H5Dget_space(id_.get()), H5Sclose, "read dataset", file_, name_);
  const int rank = checked(H5Sget_simple_extent_ndims(space.get()), "read dataset", file_, name_);
  std::vector<hsize_t> dims(static_cast<std::size_t>(rank));
  checked(H5Sget_simple_extent_dims(space.get(), dims.data(), nullptr), "read dataset", file_, name_);
  shape_.assign(dims.begin(), dims.end());
  std::uint64_t elements = 1;
  for (auto d : dims) {
    if (d != 0 && elements > kMaxElements / d)
      refuse("Dataset `{}` of {} claims an impossible size; the file is corrupt.", name_, file_);
    elements *= d;
  }
  Identifier type = owned(H5Dget_type(id_.get()), H5Tclose, "read dataset", file_, name_);
  content_ = content_of(H5Tget_class(type.get()));
  element_bytes_ = H5Tget_size(type.get());
  Identifier create = owned(H5Dget_create_plist(id_.get()), H5Pclose, "read dataset", file_, name_);
  chunk_.clear();
  if (H5Pget_layout(create.get()) == H5D_CHUNKED) {
    checked(H5Pget_chunk(create.get(), rank, dims.data()), "read dataset", file_, name_);
    chunk_.assign(dims.begin(), dims.end());
  }
  unsigned flags = 0;
  std::size_t values = 0;
  has_checksum_ = H5Pget_filter_by_id2(create.get(), H5Z_FILTER_FLETCHER32, &flags, &values, nullptr, 0,
                                       nullptr, nullptr) >= 0;
  H5Eclear2(H5E_DEFAULT);
}

std::uint64_t Dataset::stored_bytes() const {
  const auto held = lock();
  return H5Dget_storage_size(id_.get());
}

void Dataset::check_stored() const {
  if (stored_bytes() / element_bytes_ < rows() * row_elements())
    refuse("Dataset `{}` of {} claims {} rows of {}, but {} bytes are stored; the file is corrupt.", name_,
           file_, rows(), row_elements(), stored_bytes());
}

void Dataset::check_chunks() const {
  if (chunk_.empty()) return;
  const auto held = lock();
  Identifier space = owned(H5Dget_space(id_.get()), H5Sclose, "read dataset", file_, name_);
  hsize_t chunks = 0;
  if (H5Dget_num_chunks(id_.get(), space.get(), &chunks) < 0)
    refuse("The chunks of dataset `{}` of {} cannot be found: {}. The file is corrupt.", name_, file_,
           reason());
  Identifier file = owned(H5Iget_file_id(id_.get()), H5Fclose, "read dataset", file_, name_);
  hsize_t bytes = 0;
  checked(H5Fget_filesize(file.get(), &bytes), "read dataset", file_, name_);
  std::vector<hsize_t> offset(shape_.size());
  for (hsize_t i = 0; i < chunks; ++i) {
    unsigned skipped_filters = 0;
    haddr_t at = 0;
    hsize_t size = 0;
    if (H5Dget_chunk_info(id_.get(), space.get(), i, offset.data(), &skipped_filters, &at, &size) < 0)
      refuse("Chunk {} of dataset `{}` of {} cannot be found: {}. The file is corrupt.", i, name_, file_,
             reason());
    if (at > bytes || size > bytes - at)
      refuse("Chunk {} of dataset `{}` of {} is outside the file; the file is corrupt.", i, name_, file_);
  }
}

void Dataset::extend(std::uint64_t rows) {
  const auto held = lock();
  std::vector<hsize_t> dims(shape_.begin(), shape_.end());
  dims[0] = rows;
  checked(H5Dset_extent(id_.get(), dims.data()), "extend dataset", file_, name_);
  shape_[0] = rows;
}

void Dataset::read(std::uint64_t first, std::uint64_t count, Type type, void* to,
                   std::size_t elements) const {
  NYSTROM_CHECK(first + count <= rows() && elements == count * row_elements(),
                "rows [{}, {}) of {} in `{}` of {}, {} elements", first, first + count, rows(), name_, file_,
                elements);
  if (elements == 0) return;
  const auto held = lock();
  const auto [space, memory] = select(id_.get(), shape_, first, count, file_, name_);
  if (H5Dread(id_.get(), native(type), memory.get(), space.get(), H5P_DEFAULT, to) < 0)
    refuse("Rows {} to {} of dataset `{}` of {} cannot be read: {}. The file may be corrupt; make it again.",
           first, first + count, name_, file_, reason());
}

void Dataset::write(std::uint64_t first, std::uint64_t count, Type type, const void* from,
                    std::size_t elements) {
  NYSTROM_CHECK(first + count <= rows() && elements == count * row_elements(),
                "rows [{}, {}) of {} in `{}` of {}, {} elements", first, first + count, rows(), name_, file_,
                elements);
  if (elements == 0) return;
  const auto held = lock();
  const auto [space, memory] = select(id_.get(), shape_, first, count, file_, name_);
  checked(H5Dwrite(id_.get(), native(type), memory.get(), space.get(), H5P_DEFAULT, from), "write dataset",
          file_, name_);
}

void Dataset::close() {
  const auto held = lock();
  if (!id_.release()) fail("Dataset `{}` of {} cannot be written: {}.", name_, file_, reason());
}

}  // namespace nystrom::hdf5
