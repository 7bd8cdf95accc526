#pragma once
// Listing of a checkpoint as text, by HDF5's own calls: every group, attribute and dataset with its type and
// shape, one per line, sorted. What depends on the machine (times, losses, tokenizer) is without value.
//
//   / attribute step int64 = 4
//   /weights/cls.predictions.bias dataset float32 [80]

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace nystrom::testing {

class CheckpointListing {
 public:
  explicit CheckpointListing(const std::string& path) {
    const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0) throw std::runtime_error(path + " is not an HDF5 file");
    const hid_t root = H5Gopen2(file, "/", H5P_DEFAULT);
    list_group(root, "/");
    H5Gclose(root);
    H5Fclose(file);
    std::ranges::sort(lines_);
  }
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }

 private:
  void list_group(hid_t group, const std::string& path) {
    lines_.push_back(path + " group");
    list_attributes(group, path);
    std::vector<std::string> names;
    H5Literate(
        group, H5_INDEX_NAME, H5_ITER_INC, nullptr,
        [](hid_t, const char* name, const H5L_info_t*, void* to) {
          static_cast<std::vector<std::string>*>(to)->emplace_back(name);
          return herr_t{0};
        },
        &names);
    for (const std::string& name : names) {
      const hid_t member = H5Oopen(group, name.c_str(), H5P_DEFAULT);
      const std::string inside = (path == "/" ? "" : path) + "/" + name;
      if (H5Iget_type(member) == H5I_GROUP)
        list_group(member, inside);
      else
        list_dataset(member, inside);
      H5Oclose(member);
    }
  }

  void list_dataset(hid_t dataset, const std::string& path) {
    const hid_t space = depends_on_machine(path) ? H5Screate(H5S_SCALAR) : H5Dget_space(dataset);
    lines_.push_back(path + " dataset " + described(H5Dget_type(dataset), space));
    list_attributes(dataset, path);
  }

  void list_attributes(hid_t object, const std::string& path) {
    std::vector<std::string> names;
    H5Aiterate2(
        object, H5_INDEX_NAME, H5_ITER_INC, nullptr,
        [](hid_t, const char* name, const H5A_info_t*, void* to) {
          static_cast<std::vector<std::string>*>(to)->emplace_back(name);
          return herr_t{0};
        },
        &names);
    for (const std::string& name : names) {
      const hid_t attribute = H5Aopen(object, name.c_str(), H5P_DEFAULT);
      lines_.push_back(path + " attribute " + name + " " +
                       described(H5Aget_type(attribute), H5Aget_space(attribute)) +
                       (depends_on_machine(name) ? "" : value_of(attribute)));
      H5Aclose(attribute);
    }
  }

  /// Type and shape; closes both.
  static std::string described(hid_t type, hid_t space) {
    std::vector<hsize_t> shape(static_cast<std::size_t>(std::max(0, H5Sget_simple_extent_ndims(space))));
    H5Sget_simple_extent_dims(space, shape.data(), nullptr);
    std::string text = name_of(type);
    if (!shape.empty()) text += fmt::format(" [{}]", fmt::join(shape, ", "));
    H5Tclose(type);
    H5Sclose(space);
    return text;
  }

  static std::string name_of(hid_t type) {
    const std::size_t bits = 8 * H5Tget_size(type);
    switch (H5Tget_class(type)) {
      case H5T_INTEGER:
        return fmt::format("{}int{}", H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "", bits);
      case H5T_FLOAT:
        return fmt::format("float{}", bits);
      case H5T_STRING:
        return "string";
      default:
        return "unknown";
    }
  }

  static bool depends_on_machine(const std::string& name) {
    constexpr std::array kNames{"configuration", "loss_mean",  "loss_variance",
                                "seconds",       "provenance", "/tokenizer"};
    return std::ranges::find(kNames, name) != kNames.end();
  }

  static std::string value_of(hid_t attribute) {
    const hid_t type = H5Aget_type(attribute);
    std::int64_t integer = 0;
    double number = 0;
    std::string text(H5Tget_size(type), '\0');
    std::string value;
    if (H5Tget_class(type) == H5T_INTEGER && H5Aread(attribute, H5T_NATIVE_INT64, &integer) >= 0)
      value = fmt::format(" = {}", integer);
    else if (H5Tget_class(type) == H5T_FLOAT && H5Aread(attribute, H5T_NATIVE_DOUBLE, &number) >= 0)
      value = fmt::format(" = {}", number);
    else if (H5Tis_variable_str(type) == 0 && H5Aread(attribute, type, text.data()) >= 0)
      value = fmt::format(" = {}", text.c_str());
    H5Tclose(type);
    return value;
  }

  std::vector<std::string> lines_;
};

}  // namespace nystrom::testing
