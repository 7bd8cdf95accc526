#include "hdf5_model.h"

#include <algorithm>
#include <array>
#include <filesystem>

namespace nystrom::fuzz {
namespace {

constexpr std::uint64_t kMaxElements = 4096;  // that are really written
constexpr std::array kTypes{hdf5::Type::kI8,  hdf5::Type::kU8,  hdf5::Type::kI16, hdf5::Type::kU16,
                            hdf5::Type::kI32, hdf5::Type::kU32, hdf5::Type::kI64, hdf5::Type::kU64,
                            hdf5::Type::kF32, hdf5::Type::kF64};

std::uint64_t product(const hdf5::Shape& shape, std::size_t from) {
  std::uint64_t elements = 1;
  for (std::size_t i = from; i < shape.size(); ++i) elements *= shape[i];
  return elements;
}

void write_array(hdf5::File& file, const Array& array) {
  hdf5::Shape shape = array.shape;
  hdf5::Layout layout;
  if (array.chunked && !shape.empty()) {
    layout.chunk = shape;
    for (auto& extent : layout.chunk) extent = std::max<std::uint64_t>(extent, 1);
    layout.extendible = true;
    if (array.claimed_rows > 0) shape[0] = array.claimed_rows;
  }
  hdf5::Dataset dataset = file.create_dataset(array.name, array.type, shape, layout);
  const std::uint64_t rows = array.shape.empty() ? 1 : std::min(array.shape[0], dataset.rows());
  std::vector<std::int64_t> values = array.values;
  values.resize(rows * product(array.shape, 1));
  dataset.write_rows(0, rows, std::span<const std::int64_t>(values));
}

void write_attribute(hdf5::File& file, const Attribute& attribute) {
  std::visit([&](const auto& value) { file.set_attribute(attribute.name, value, attribute.object); },
             attribute.value);
}

void mutate(Attribute& attribute, Bytes& bytes) {
  switch (bytes.byte() % 8) {
    case 0:
      attribute.absent = true;
      break;
    case 1:
      attribute.value = bytes.text(20);
      break;
    case 2:
      attribute.value = static_cast<double>(bytes.wild()) / 3;
      break;
    default:
      attribute.value = bytes.wild();
  }
}

void mutate(Array& array, Bytes& bytes) {
  switch (bytes.byte() % 8) {
    case 0:
      array.absent = true;
      break;
    case 1:
      array.type = kTypes.at(bytes.below(kTypes.size()));
      break;
    case 2: {
      array.chunked = true;
      const auto claimed = static_cast<std::uint64_t>(bytes.wild());
      array.claimed_rows = claimed >> (bytes.byte() % 64U);
      break;
    }
    case 3:
      array.shape.resize(bytes.below(4), 1 + bytes.below(4));
      if (product(array.shape, 0) > kMaxElements) array.shape.assign(array.shape.size(), 2);
      break;
    case 4:
      if (!array.shape.empty()) {
        array.shape[bytes.below(array.shape.size())] = bytes.below(40);
        if (product(array.shape, 0) > kMaxElements) array.shape.assign(array.shape.size(), 3);
      }
      break;
    default:
      if (!array.values.empty()) array.values[bytes.below(array.values.size())] = bytes.wild();
  }
}

void mutate(Strings& strings, Bytes& bytes) {
  if (bytes.byte() % 4 == 0) {
    strings.absent = true;
  } else if (!strings.values.empty()) {
    strings.values[bytes.below(strings.values.size())] = bytes.text(40);
  }
}

}  // namespace

void FileModel::write(const std::string& path) const {
  std::filesystem::remove(path);
  hdf5::File file = hdf5::File::create(path, user_block);
  for (const std::string& group : groups) file.create_group(group);
  for (const Array& array : arrays)
    if (!array.absent) write_array(file, array);
  for (const Strings& list : strings)
    if (!list.absent) file.write_strings(list.name, list.values);
  for (const Attribute& attribute : attributes)
    if (!attribute.absent) write_attribute(file, attribute);
  file.close();
}

void FileModel::mutate(Bytes& bytes) {
  while (!bytes.empty()) {
    const std::uint64_t all = attributes.size() + arrays.size() + strings.size();
    std::uint64_t which = bytes.below(all);
    if (which < attributes.size()) {
      fuzz::mutate(attributes[which], bytes);
    } else if ((which -= attributes.size()) < arrays.size()) {
      fuzz::mutate(arrays[which], bytes);
    } else {
      fuzz::mutate(strings[which - arrays.size()], bytes);
    }
  }
}

}  // namespace nystrom::fuzz
