#include <algorithm>

#include "data/hdf5/hdf5_calls.h"

namespace nystrom::hdf5 {
namespace {

constexpr std::size_t kMaxTextBytes = std::size_t{16} << 20U;

// One attribute of an object, opened.
Identifier open_attribute(hid_t file, const std::string& path, const std::string& object,
                          const std::string& name) {
  Identifier id(H5Aopen_by_name(file, object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (!id.open()) refuse("Attribute `{}` of {} cannot be read: {}.", name, path, reason());
  Identifier space = owned(H5Aget_space(id.get()), H5Sclose, "read attribute", path, name);
  if (H5Sget_simple_extent_npoints(space.get()) != 1)
    refuse("Attribute `{}` of {} is not a single value; the file is corrupt.", name, path);
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
    refuse("Attribute `{}` of {} is not an integer.", name, path_);
  std::int64_t value = 0;
  checked(H5Aread(id.get(), H5T_NATIVE_INT64, &value), "read attribute", path_, name);
  return value;
}

double File::number_attribute(const std::string& name, const std::string& object) const {
  const auto held = lock();
  Identifier id = open_attribute(id_.get(), path_, object, name);
  Identifier type;
  const auto kind = attribute_class(id.get(), path_, name, type);
  if (kind != H5T_INTEGER && kind != H5T_FLOAT) refuse("Attribute `{}` of {} is not a number.", name, path_);
  double value = 0;
  checked(H5Aread(id.get(), H5T_NATIVE_DOUBLE, &value), "read attribute", path_, name);
  return value;
}

std::string File::string_attribute(const std::string& name, const std::string& object) const {
  const auto held = lock();
  Identifier id = open_attribute(id_.get(), path_, object, name);
  Identifier type;
  if (attribute_class(id.get(), path_, name, type) != H5T_STRING)
    refuse("Attribute `{}` of {} is not a string.", name, path_);
  if (H5Tis_variable_str(type.get()) > 0) {  // what h5py writes
    char* text = nullptr;
    Identifier memory = owned(H5Tcopy(type.get()), H5Tclose, "read attribute", path_, name);
    checked(H5Aread(id.get(), memory.get(), static_cast<void*>(&text)), "read attribute", path_, name);
    std::string value = text == nullptr ? "" : text;
    H5free_memory(text);
    return value;
  }
  if (H5Tget_size(type.get()) > kMaxTextBytes)
    refuse("Attribute `{}` of {} claims {} bytes; the file is corrupt.", name, path_,
           H5Tget_size(type.get()));
  std::string value(H5Tget_size(type.get()), '\0');
  checked(H5Aread(id.get(), type.get(), value.data()), "read attribute", path_, name);
  value.resize(std::min(value.find('\0'), value.size()));
  return value;
}

}  // namespace nystrom::hdf5
