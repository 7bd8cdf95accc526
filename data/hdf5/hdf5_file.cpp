#include "data/hdf5/hdf5_file.h"

#include <algorithm>
#include <filesystem>

#include "data/hdf5/hdf5_calls.h"

namespace nystrom::hdf5 {
namespace {

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

}  // namespace

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

File File::open(const std::string& path, Filters allowed) {
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored))
    refuse("{} is not a regular file.", path);  // to open a named pipe would wait for its writer
  const auto held = lock();
  Identifier access = access_properties(path);
  File file;
  file.path_ = path;
  file.id_ = Identifier(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
  if (!file.id_.open()) refuse("{} cannot be opened as an HDF5 file: {}.", path, reason());
  file.datasets_ = check_contents(file.id_.get(), path, allowed);
  return file;
}

bool File::has(const std::string& name) const {
  const auto held = lock();
  const bool found = H5Lexists(id_.get(), name.c_str(), H5P_DEFAULT) > 0;
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
  if (!dataset.id_.open()) refuse("Dataset `{}` of {} cannot be opened: {}.", name, path_, reason());
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

void File::flush() {
  const auto held = lock();
  checked(H5Fflush(id_.get(), H5F_SCOPE_GLOBAL), "write", path_);
}

void File::close() {
  if (!id_.open()) return;
  const auto held = lock();
  flush();
  if (!id_.release()) fail("{} cannot be closed: {}.", path_, reason());
}

}  // namespace nystrom::hdf5
