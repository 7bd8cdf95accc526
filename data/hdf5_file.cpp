#include "data/hdf5_file.h"

#include <hdf5.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <thread>
#include <type_traits>
#include <utility>

#include "kernels/core/check.h"

namespace nystrom::hdf5 {
namespace {

static_assert(std::is_same_v<Handle, hid_t> || sizeof(Handle) == sizeof(hid_t));

constexpr std::uint64_t kMostElements = std::uint64_t{1} << 60U;

// HDF5's innermost complaint, the one nearest to the cause.
std::string reason() {
  std::string text;
  const auto visit = [](unsigned depth, const H5E_error2_t* error, void* out) -> herr_t {
    if (depth == 0 && error->desc != nullptr) {
      std::string& innermost = *static_cast<std::string*>(out);
      innermost = error->desc;
      std::ranges::replace(innermost, '\n', ' ');  // a sentence of ours is one line
    }
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, visit, &text);
  H5Eclear2(H5E_DEFAULT);
  return text.empty() ? "no reason given" : text;
}

template <class Result>
Result checked(Result result, const char* what, const std::string& file, const std::string& name = {}) {
  if (result < 0) {
    const std::string why = reason();
    if (name.empty()) fail("cannot {} {}: {}", what, file, why);
    fail("cannot {} `{}` of {}: {}", what, name, file, why);
  }
  return result;
}

Identifier owned(hid_t id, herr_t (*close)(hid_t), const char* what, const std::string& file,
                 const std::string& name = {}) {
  return {checked(id, what, file, name), close};
}

hid_t native(Type type) {
  switch (type) {
    case Type::kI8:
      return H5T_NATIVE_INT8;
    case Type::kU8:
      return H5T_NATIVE_UINT8;
    case Type::kI16:
      return H5T_NATIVE_INT16;
    case Type::kU16:
      return H5T_NATIVE_UINT16;
    case Type::kI32:
      return H5T_NATIVE_INT32;
    case Type::kU32:
      return H5T_NATIVE_UINT32;
    case Type::kI64:
      return H5T_NATIVE_INT64;
    case Type::kU64:
      return H5T_NATIVE_UINT64;
    case Type::kF32:
      return H5T_NATIVE_FLOAT;
    case Type::kF64:
      return H5T_NATIVE_DOUBLE;
  }
  return -1;
}

// The type on the disk: little-endian on every machine, so that equal content is equal bytes.
hid_t stored(Type type) {
  switch (type) {
    case Type::kI8:
      return H5T_STD_I8LE;
    case Type::kU8:
      return H5T_STD_U8LE;
    case Type::kI16:
      return H5T_STD_I16LE;
    case Type::kU16:
      return H5T_STD_U16LE;
    case Type::kI32:
      return H5T_STD_I32LE;
    case Type::kU32:
      return H5T_STD_U32LE;
    case Type::kI64:
      return H5T_STD_I64LE;
    case Type::kU64:
      return H5T_STD_U64LE;
    case Type::kF32:
      return H5T_IEEE_F32LE;
    case Type::kF64:
      return H5T_IEEE_F64LE;
  }
  return -1;
}

Identifier access_properties(const std::string& path) {
  Identifier list = owned(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "prepare access to", path);
  checked(H5Pset_libver_bounds(list.get(), H5F_LIBVER_V110, H5F_LIBVER_V110), "prepare access to", path);
  checked(H5Pset_fclose_degree(list.get(), H5F_CLOSE_STRONG), "prepare access to", path);
#if H5_VERSION_GE(1, 12, 1) || (H5_VERSION_GE(1, 10, 7) && !H5_VERSION_GE(1, 12, 0))
  checked(H5Pset_file_locking(list.get(), 0, 1), "prepare access to", path);
#endif
  return list;
}

Identifier string_type(std::size_t bytes, const std::string& file, const std::string& name) {
  Identifier type = owned(H5Tcopy(H5T_C_S1), H5Tclose, "make a type for", file, name);
  checked(H5Tset_size(type.get(), std::max<std::size_t>(bytes, 1)), "make a type for", file, name);
  checked(H5Tset_strpad(type.get(), H5T_STR_NULLPAD), "make a type for", file, name);
  checked(H5Tset_cset(type.get(), H5T_CSET_UTF8), "make a type for", file, name);
  return type;
}

Identifier create_object(hid_t file, const std::string& path, const std::string& name, hid_t type,
                         const Shape& shape, const Layout& layout) {
  NYSTROM_CHECK(layout.chunk.empty() ? !layout.extendible : layout.chunk.size() == shape.size(),
                "dataset {} has {} dimensions, its chunks {}", name, shape.size(), layout.chunk.size());
  Identifier create = owned(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "prepare", path, name);
  checked(H5Pset_obj_track_times(create.get(), false), "prepare", path, name);
  if (!layout.chunk.empty()) {
    const std::vector<hsize_t> chunk(layout.chunk.begin(), layout.chunk.end());
    checked(H5Pset_chunk(create.get(), static_cast<int>(chunk.size()), chunk.data()), "prepare", path, name);
    // What lies in the last chunk beyond the data is zero, not what memory happened to hold.
    checked(H5Pset_fill_time(create.get(), H5D_FILL_TIME_ALLOC), "prepare", path, name);
    if (layout.checksum) checked(H5Pset_fletcher32(create.get()), "prepare", path, name);
  }
  Identifier links = owned(H5Pcreate(H5P_LINK_CREATE), H5Pclose, "prepare", path, name);
  const std::vector<hsize_t> now(shape.begin(), shape.end());
  std::vector<hsize_t> most = now;
  if (layout.extendible) most[0] = H5S_UNLIMITED;
  Identifier space = owned(H5Screate_simple(static_cast<int>(now.size()), now.data(), most.data()), H5Sclose,
                           "prepare", path, name);
  return owned(H5Dcreate2(file, name.c_str(), type, space.get(), links.get(), create.get(), H5P_DEFAULT),
               H5Dclose, "create dataset", path, name);
}

// One attribute of an object, opened.
Identifier open_attribute(hid_t file, const std::string& path, const std::string& object,
                          const std::string& name) {
  Identifier id(H5Aopen_by_name(file, object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (!id.open()) refuse("cannot read attribute `{}` of {}: {}", name, path, reason());
  Identifier space = owned(H5Aget_space(id.get()), H5Sclose, "read attribute", path, name);
  if (H5Sget_simple_extent_npoints(space.get()) != 1)
    refuse("attribute `{}` of {} is not a single value; the file is damaged", name, path);
  return id;
}

void write_attribute(hid_t file, const std::string& path, const std::string& object, const std::string& name,
                     hid_t disk_type, hid_t memory_type, const void* value) {
  Identifier space = owned(H5Screate(H5S_SCALAR), H5Sclose, "write attribute", path, name);
  Identifier id = owned(H5Acreate_by_name(file, object.c_str(), name.c_str(), disk_type, space.get(),
                                          H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                        H5Aclose, "write attribute", path, name);
  checked(H5Awrite(id.get(), memory_type, value), "write attribute", path, name);
}

H5T_class_t attribute_class(hid_t attribute, const std::string& path, const std::string& name,
                            Identifier& type) {
  type = owned(H5Aget_type(attribute), H5Tclose, "read attribute", path, name);
  return H5Tget_class(type.get());
}

}  // namespace

namespace {

/// The one mutable thing of this program that is global, because the library that it guards is.
struct Library {
  std::recursive_mutex mutex;
  std::atomic<int> waiting{0};
  std::atomic<std::uint64_t> served{0};  // times that the lock was taken
};
Library& library() {
  static Library only;
  return only;
}

}  // namespace

std::unique_lock<std::recursive_mutex> lock() {
  Library& hdf5 = library();
  ++hdf5.waiting;
  std::unique_lock held(hdf5.mutex);
  --hdf5.waiting;
  ++hdf5.served;
  // HDF5 would close at exit what it could not close before (files of a full disk), and crashes over it.
  static const bool no_exit_handler = H5dont_atexit() >= 0;
  (void)no_exit_handler;
  thread_local const bool quiet = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0;
  (void)quiet;
  return held;
}

void give_way() {
  const Library& hdf5 = library();
  const std::uint64_t before = hdf5.served;
  while (hdf5.waiting > 0 && hdf5.served == before)
    std::this_thread::sleep_for(std::chrono::microseconds(20));
}

Identifier::Identifier(Identifier&& other) noexcept
    : handle_(std::exchange(other.handle_, -1)), close_(other.close_) {}

Identifier& Identifier::operator=(Identifier&& other) noexcept {
  if (this != &other) {
    (void)release();
    handle_ = std::exchange(other.handle_, -1);
    close_ = other.close_;
  }
  return *this;
}

bool Identifier::release() noexcept {
  if (handle_ < 0) return true;
  const auto held = lock();
  return close_(std::exchange(handle_, -1)) >= 0;
}

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
    if (d != 0 && elements > kMostElements / d)
      refuse("dataset `{}` of {} claims an impossible size; the file is damaged", name_, file_);
    elements *= d;
  }
  Identifier type = owned(H5Dget_type(id_.get()), H5Tclose, "read dataset", file_, name_);
  is_integer_ = H5Tget_class(type.get()) == H5T_INTEGER;
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
    refuse("dataset `{}` of {} claims {} rows of {}, but {} bytes are stored; the file is damaged", name_,
           file_, rows(), row_elements(), stored_bytes());
}

void Dataset::check_chunks() const {
  if (chunk_.empty()) return;
  const auto held = lock();
  Identifier space = owned(H5Dget_space(id_.get()), H5Sclose, "read dataset", file_, name_);
  hsize_t chunks = 0;
  if (H5Dget_num_chunks(id_.get(), space.get(), &chunks) < 0)
    refuse("cannot find the chunks of dataset `{}` of {}: {}; the file is damaged", name_, file_, reason());
  Identifier file = owned(H5Iget_file_id(id_.get()), H5Fclose, "read dataset", file_, name_);
  hsize_t bytes = 0;
  checked(H5Fget_filesize(file.get(), &bytes), "read dataset", file_, name_);
  std::vector<hsize_t> offset(shape_.size());
  for (hsize_t i = 0; i < chunks; ++i) {
    unsigned skipped_filters = 0;
    haddr_t at = 0;
    hsize_t size = 0;
    if (H5Dget_chunk_info(id_.get(), space.get(), i, offset.data(), &skipped_filters, &at, &size) < 0)
      refuse("cannot find chunk {} of dataset `{}` of {}: {}; the file is damaged", i, name_, file_,
             reason());
    if (at > bytes || size > bytes - at)
      refuse("chunk {} of dataset `{}` of {} lies outside the file; the file is damaged", i, name_, file_);
  }
}

void Dataset::extend(std::uint64_t rows) {
  const auto held = lock();
  std::vector<hsize_t> dims(shape_.begin(), shape_.end());
  dims[0] = rows;
  checked(H5Dset_extent(id_.get(), dims.data()), "extend dataset", file_, name_);
  shape_[0] = rows;
}

namespace {

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

}  // namespace

void Dataset::read(std::uint64_t first, std::uint64_t count, Type type, void* to,
                   std::size_t elements) const {
  NYSTROM_CHECK(first + count <= rows() && elements == count * row_elements(),
                "rows [{}, {}) of {} in `{}` of {}, {} elements", first, first + count, rows(), name_, file_,
                elements);
  if (elements == 0) return;
  const auto held = lock();
  const auto [space, memory] = select(id_.get(), shape_, first, count, file_, name_);
  if (H5Dread(id_.get(), native(type), memory.get(), space.get(), H5P_DEFAULT, to) < 0)
    refuse("cannot read rows {} to {} of dataset `{}` of {}: {}; the file may be damaged, make it again",
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
  if (!id_.release()) fail("cannot write dataset `{}` of {}: {}", name_, file_, reason());
}

File File::create(const std::string& path, std::uint64_t user_block_bytes) {
  const auto held = lock();
  Identifier access = access_properties(path);
  Identifier create = owned(H5Pcreate(H5P_FILE_CREATE), H5Pclose, "prepare", path);
  checked(H5Pset_obj_track_times(create.get(), false), "prepare", path);
  checked(H5Pset_userblock(create.get(), user_block_bytes), "prepare", path);
  File file;
  file.path_ = path;
  file.id_ =
      owned(H5Fcreate(path.c_str(), H5F_ACC_EXCL, create.get(), access.get()), H5Fclose, "create", path);
  return file;
}

File File::open(const std::string& path) {
  const auto held = lock();
  Identifier access = access_properties(path);
  File file;
  file.path_ = path;
  file.id_ = Identifier(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
  if (!file.id_.open()) refuse("cannot open {} as an HDF5 file: {}", path, reason());
  return file;
}

bool File::has(const std::string& name) const {
  const auto held = lock();
  const bool found = H5Lexists(id_.get(), name.c_str(), H5P_DEFAULT) > 0;
  H5Eclear2(H5E_DEFAULT);
  return found;
}

bool File::is_dataset(const std::string& name) const {
  const auto held = lock();
  const Identifier id(H5Oopen(id_.get(), name.c_str(), H5P_DEFAULT), H5Oclose);
  const bool found = id.open() && H5Iget_type(id.get()) == H5I_DATASET;
  H5Eclear2(H5E_DEFAULT);
  return found;
}

std::vector<std::string> File::names(const std::string& group) const {
  const auto held = lock();
  Identifier id =
      owned(H5Gopen2(id_.get(), group.c_str(), H5P_DEFAULT), H5Gclose, "open group", path_, group);
  std::vector<std::string> found;
  const auto visit = [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  checked(H5Literate(id.get(), H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, visit, &found), "list group", path_,
          group);
  std::sort(found.begin(), found.end());
  return found;
}

void File::create_group(const std::string& name) {
  const auto held = lock();
  Identifier create = owned(H5Pcreate(H5P_GROUP_CREATE), H5Pclose, "prepare", path_, name);
  checked(H5Pset_obj_track_times(create.get(), false), "prepare", path_, name);
  owned(H5Gcreate2(id_.get(), name.c_str(), H5P_DEFAULT, create.get(), H5P_DEFAULT), H5Gclose, "create group",
        path_, name);
}

Dataset File::dataset(const std::string& name, std::size_t cache_bytes) const {
  const auto held = lock();
  Identifier access = owned(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose, "open dataset", path_, name);
  checked(H5Pset_chunk_cache(access.get(), 521, cache_bytes, H5D_CHUNK_CACHE_W0_DEFAULT), "open dataset",
          path_, name);
  Dataset dataset;
  dataset.file_ = path_;
  dataset.name_ = name;
  dataset.id_ = Identifier(H5Dopen2(id_.get(), name.c_str(), access.get()), H5Dclose);
  if (!dataset.id_.open()) refuse("cannot open dataset `{}` of {}: {}", name, path_, reason());
  dataset.inspect();
  return dataset;
}

Dataset File::create_dataset(const std::string& name, Type type, const Shape& shape, const Layout& layout) {
  const auto held = lock();
  Dataset dataset;
  dataset.file_ = path_;
  dataset.name_ = name;
  dataset.id_ = create_object(id_.get(), path_, name, stored(type), shape, layout);
  dataset.inspect();
  return dataset;
}

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
  if (!id.release()) fail("cannot write dataset `{}` of {}: {}", name, path_, reason());
}

std::vector<std::string> File::read_strings(const std::string& name) const {
  constexpr std::uint64_t kMost = 1U << 24U;  // bytes; a damaged header must not take all memory
  const auto held = lock();
  const Dataset dataset = this->dataset(name);
  Identifier type = owned(H5Dget_type(dataset.id_.get()), H5Tclose, "read dataset", path_, name);
  const std::size_t size = H5Tget_size(type.get());
  if (H5Tget_class(type.get()) != H5T_STRING || H5Tis_variable_str(type.get()) > 0 ||
      dataset.shape().size() != 1 || size == 0 || dataset.rows() > kMost / size)
    refuse("dataset `{}` of {} is not a list of fixed-length strings; the file is damaged", name, path_);
  std::string flat(size * dataset.rows(), '\0');
  Identifier memory = string_type(size, path_, name);
  if (!flat.empty())
    checked(H5Dread(dataset.id_.get(), memory.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, flat.data()),
            "read dataset", path_, name);
  std::vector<std::string> values;
  for (std::size_t i = 0; i < dataset.rows(); ++i) {
    std::string value = flat.substr(i * size, size);
    value.resize(std::min(value.find('\0'), value.size()));
    values.push_back(std::move(value));
  }
  return values;
}

std::vector<std::string> File::read_text(const std::string& name, std::uint64_t first,
                                         std::uint64_t count) const {
  const auto held = lock();
  const Dataset dataset = this->dataset(name);
  const hid_t id = dataset.id_.get();
  Identifier type = owned(H5Dget_type(id), H5Tclose, "read dataset", path_, name);
  if (H5Tget_class(type.get()) != H5T_STRING || dataset.shape().size() != 1)
    refuse("dataset `{}` of {} is not a list of texts", name, path_);
  if (count > dataset.rows() || first > dataset.rows() - count)
    refuse("dataset `{}` of {} has {} rows; more were expected", name, path_, dataset.rows());
  std::vector<std::string> values;
  if (count == 0) return values;
  Identifier file_space = owned(H5Dget_space(id), H5Sclose, "read dataset", path_, name);
  const hsize_t start = first, rows = count;
  checked(H5Sselect_hyperslab(file_space.get(), H5S_SELECT_SET, &start, nullptr, &rows, nullptr),
          "read dataset", path_, name);
  Identifier memory_space = owned(H5Screate_simple(1, &rows, nullptr), H5Sclose, "read dataset", path_, name);
  if (H5Tis_variable_str(type.get()) > 0) {
    std::vector<char*> texts(count, nullptr);
    Identifier memory = owned(H5Tcopy(type.get()), H5Tclose, "read dataset", path_, name);
    const herr_t status = H5Dread(id, memory.get(), memory_space.get(), file_space.get(), H5P_DEFAULT,
                                  static_cast<void*>(texts.data()));
    if (status >= 0)
      for (const char* text : texts) values.emplace_back(text == nullptr ? "" : text);
    (void)H5Dvlen_reclaim(memory.get(), memory_space.get(), H5P_DEFAULT, static_cast<void*>(texts.data()));
    checked(status, "read dataset", path_, name);
    return values;
  }
  const std::size_t size = H5Tget_size(type.get());
  std::string flat(size * count, '\0');
  checked(H5Dread(id, type.get(), memory_space.get(), file_space.get(), H5P_DEFAULT, flat.data()),
          "read dataset", path_, name);
  for (std::size_t i = 0; i < count; ++i) {
    std::string value = flat.substr(i * size, size);
    value.resize(std::min(value.find('\0'), value.size()));
    values.push_back(std::move(value));
  }
  return values;
}

bool File::has_attribute(const std::string& name, const std::string& object) const {
  const auto held = lock();
  const bool found = H5Aexists_by_name(id_.get(), object.c_str(), name.c_str(), H5P_DEFAULT) > 0;
  H5Eclear2(H5E_DEFAULT);
  return found;
}

void File::set_attribute(const std::string& name, std::int64_t value, const std::string& object) {
  const auto held = lock();
  write_attribute(id_.get(), path_, object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

void File::set_attribute(const std::string& name, double value, const std::string& object) {
  const auto held = lock();
  write_attribute(id_.get(), path_, object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
}

void File::set_attribute(const std::string& name, const std::string& value, const std::string& object) {
  const auto held = lock();
  Identifier type = string_type(value.size(), path_, name);
  const std::string bytes = value.empty() ? std::string(1, '\0') : value;
  write_attribute(id_.get(), path_, object, name, type.get(), type.get(), bytes.data());
}

std::int64_t File::integer_attribute(const std::string& name, const std::string& object) const {
  const auto held = lock();
  Identifier id = open_attribute(id_.get(), path_, object, name);
  Identifier type;
  if (attribute_class(id.get(), path_, name, type) != H5T_INTEGER)
    refuse("attribute `{}` of {} is not an integer", name, path_);
  std::int64_t value = 0;
  checked(H5Aread(id.get(), H5T_NATIVE_INT64, &value), "read attribute", path_, name);
  return value;
}

double File::number_attribute(const std::string& name, const std::string& object) const {
  const auto held = lock();
  Identifier id = open_attribute(id_.get(), path_, object, name);
  Identifier type;
  const auto kind = attribute_class(id.get(), path_, name, type);
  if (kind != H5T_INTEGER && kind != H5T_FLOAT) refuse("attribute `{}` of {} is not a number", name, path_);
  double value = 0;
  checked(H5Aread(id.get(), H5T_NATIVE_DOUBLE, &value), "read attribute", path_, name);
  return value;
}

std::string File::string_attribute(const std::string& name, const std::string& object) const {
  const auto held = lock();
  Identifier id = open_attribute(id_.get(), path_, object, name);
  Identifier type;
  if (attribute_class(id.get(), path_, name, type) != H5T_STRING)
    refuse("attribute `{}` of {} is not a string", name, path_);
  if (H5Tis_variable_str(type.get()) > 0) {  // what h5py writes
    char* text = nullptr;
    Identifier memory = owned(H5Tcopy(type.get()), H5Tclose, "read attribute", path_, name);
    checked(H5Aread(id.get(), memory.get(), static_cast<void*>(&text)), "read attribute", path_, name);
    std::string value = text == nullptr ? "" : text;
    H5free_memory(text);
    return value;
  }
  std::string value(H5Tget_size(type.get()), '\0');
  checked(H5Aread(id.get(), type.get(), value.data()), "read attribute", path_, name);
  value.resize(std::min(value.find('\0'), value.size()));
  return value;
}

void File::flush() {
  const auto held = lock();
  checked(H5Fflush(id_.get(), H5F_SCOPE_GLOBAL), "write", path_);
}

void File::close() {
  if (!id_.open()) return;
  const auto held = lock();
  flush();
  if (!id_.release()) fail("cannot close {}: {}", path_, reason());
}

}  // namespace nystrom::hdf5
