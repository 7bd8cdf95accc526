#include "data/hdf5/hdf5_calls.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <type_traits>
#include <utility>

namespace nystrom::hdf5 {
namespace {

static_assert(std::is_same_v<Handle, hid_t> || sizeof(Handle) == sizeof(hid_t));

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
  // A file names the filters of its chunks; HDF5 would load those that it does not know from a folder.
  static const bool no_plugins = H5PLset_loading_state(0) >= 0;
  (void)no_plugins;
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

std::string reason() {
  std::string text;
  const auto visit = [](unsigned depth, const H5E_error2_t* error, void* out) -> herr_t {
    if (depth == 0 && error->desc != nullptr) {
      std::string& innermost = *static_cast<std::string*>(out);
      innermost = error->desc;
      std::ranges::replace(innermost, '\n', ' ');  // our messages are one line
    }
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, visit, &text);
  H5Eclear2(H5E_DEFAULT);
  return text.empty() ? "no reason given" : text;
}

Identifier owned(hid_t id, herr_t (*close)(hid_t), const char* what, const std::string& file,
                 const std::string& name) {
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
    // The last chunk is zero beyond the data, not uninitialized memory.
    checked(H5Pset_fill_time(create.get(), H5D_FILL_TIME_ALLOC), "prepare", path, name);
    if (layout.checksum) checked(H5Pset_fletcher32(create.get()), "prepare", path, name);
  }
  Identifier links = owned(H5Pcreate(H5P_LINK_CREATE), H5Pclose, "prepare", path, name);
  const std::vector<hsize_t> now(shape.begin(), shape.end());
  std::vector<hsize_t> max_shape = now;
  if (layout.extendible) max_shape[0] = H5S_UNLIMITED;
  Identifier space = owned(H5Screate_simple(static_cast<int>(now.size()), now.data(), max_shape.data()),
                           H5Sclose, "prepare", path, name);
  return owned(H5Dcreate2(file, name.c_str(), type, space.get(), links.get(), create.get(), H5P_DEFAULT),
               H5Dclose, "create dataset", path, name);
}

}  // namespace nystrom::hdf5
