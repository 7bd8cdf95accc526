#pragma once
// HDF5 files that reach for other files or claim more than they hold, made with the library itself.

#include <hdf5.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace nystrom::testing {

/// An HDF5 handle; closed at the end of its life. A call that failed is an exception.
class Hdf5Handle {
 public:
  Hdf5Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {
    if (id < 0) throw std::runtime_error("an HDF5 call of a test failed");
  }
  ~Hdf5Handle() { close_(id_); }
  Hdf5Handle(const Hdf5Handle&) = delete;
  Hdf5Handle& operator=(const Hdf5Handle&) = delete;
  operator hid_t() const { return id_; }  // NOLINT: as HDF5's own functions take it

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// Where a dataset of `file` gets its values from.
enum class Reach { kExternalStorage, kVirtual, kExternalLink, kSoftLink };

/// Opens an HDF5 file to be changed; makes it if it is not there.
inline hid_t open_to_change(const std::string& path) {
  const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
  const hid_t there = H5Fopen(path.c_str(), H5F_ACC_RDWR, access);
  return there >= 0 ? there : H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
}

/// Puts the dataset `name` (`count` elements of `type`) into `path`, replacing an existing one, whose
/// values are those of `target`: the bytes of any file, or the dataset `x` of an HDF5 file (for kSoftLink:
/// the dataset of that name in the same file).
inline void add_reaching(const std::string& path, const std::string& name, Reach reach,
                         const std::string& target, hid_t type, std::vector<hsize_t> shape) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  const Hdf5Handle file(open_to_change(path), H5Fclose);
  H5Ldelete(file, name.c_str(), H5P_DEFAULT);
  const Hdf5Handle create(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  const Hdf5Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose);
  hsize_t bytes = H5Tget_size(type);
  for (const hsize_t extent : shape) bytes *= extent;
  switch (reach) {
    case Reach::kExternalStorage:
      H5Pset_external(create, target.c_str(), 0, bytes);
      break;
    case Reach::kVirtual:
      H5Pset_virtual(create, space, target.c_str(), "x", space);
      break;
    case Reach::kExternalLink:
      if (H5Lcreate_external(target.c_str(), "/x", file, name.c_str(), H5P_DEFAULT, H5P_DEFAULT) < 0)
        throw std::runtime_error("no external link");
      return;
    case Reach::kSoftLink:
      if (H5Lcreate_soft(target.c_str(), file, name.c_str(), H5P_DEFAULT, H5P_DEFAULT) < 0)
        throw std::runtime_error("no soft link");
      return;
  }
  const Hdf5Handle dataset(H5Dcreate2(file, name.c_str(), type, space, H5P_DEFAULT, create, H5P_DEFAULT),
                           H5Dclose);
}

/// An HDF5 file whose only dataset, `x`, holds `count` times 0.25 as float.
inline void write_x(const std::string& path, hsize_t count) {
  const Hdf5Handle file(open_to_change(path), H5Fclose);
  const Hdf5Handle space(H5Screate_simple(1, &count, nullptr), H5Sclose);
  const Hdf5Handle dataset(
      H5Dcreate2(file, "x", H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Dclose);
  const std::vector<float> values(count, 0.25F);
  H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
}

/// Adds a compressed dataset of `type` in one chunk, of which nothing, or only zeros, is stored.
struct Compressed {
  std::string name;
  hid_t type;
  std::vector<hsize_t> shape, chunk;
  bool shuffle = false;
  bool written = false;  ///< zeros, in every chunk (small ones); else nothing is stored
};
inline void add_compressed(const std::string& path, const Compressed& of) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  const Hdf5Handle file(open_to_change(path), H5Fclose);
  H5Ldelete(file, of.name.c_str(), H5P_DEFAULT);
  const Hdf5Handle create(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_chunk(create, static_cast<int>(of.chunk.size()), of.chunk.data());
  if (of.shuffle) H5Pset_shuffle(create);
  H5Pset_deflate(create, 9);
  const std::vector<hsize_t> any(of.shape.size(), H5S_UNLIMITED);  // chunks may be larger than the dataset
  const Hdf5Handle space(H5Screate_simple(static_cast<int>(of.shape.size()), of.shape.data(), any.data()),
                         H5Sclose);
  const Hdf5Handle dataset(
      H5Dcreate2(file, of.name.c_str(), of.type, space, H5P_DEFAULT, create, H5P_DEFAULT), H5Dclose);
  if (!of.written) return;
  hsize_t bytes = H5Tget_size(of.type);
  for (const hsize_t extent : of.shape) bytes *= extent;
  const std::vector<char> zeros(bytes);
  if (H5Dwrite(dataset, of.type, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros.data()) < 0)
    throw std::runtime_error("no zeros");
}

/// The dataset `text` of `count` texts of variable length, all `text`.
inline void write_texts(const std::string& path, const std::string& text, hsize_t count) {
  const Hdf5Handle file(open_to_change(path), H5Fclose), type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, H5T_VARIABLE);
  const Hdf5Handle space(H5Screate_simple(1, &count, nullptr), H5Sclose);
  const Hdf5Handle dataset(H5Dcreate2(file, "text", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                           H5Dclose);
  const std::vector<const char*> texts(count, text.c_str());
  H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts.data());
}

/// The bytes of an HDF5 file with three bytes of the heap of its texts changed, by a number: over some of
/// them the library crashes.
inline std::string with_damaged_heap(std::string bytes, std::size_t number) {
  const std::size_t heap = bytes.find("GCOL");
  if (heap == std::string::npos) throw std::runtime_error("no heap of texts");
  for (std::size_t k = 0; k < 3; ++k)
    bytes[heap + (number * 131 + k * 977) % 1800] = static_cast<char>(number * 37 + k * 91);
  return bytes;
}

}  // namespace nystrom::testing
