#include "model/exchange/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/core/json.h"
#include "model/exchange/half.h"

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

namespace nystrom {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // limit of the format

struct TypeName {
  StoredType type;
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array<TypeName, 10> kTypes{{{StoredType::kF64, "F64", 8},
                                           {StoredType::kF32, "F32", 4},
                                           {StoredType::kF16, "F16", 2},
                                           {StoredType::kBF16, "BF16", 2},
                                           {StoredType::kI64, "I64", 8},
                                           {StoredType::kI32, "I32", 4},
                                           {StoredType::kI16, "I16", 2},
                                           {StoredType::kI8, "I8", 1},
                                           {StoredType::kU8, "U8", 1},
                                           {StoredType::kBool, "BOOL", 1}}};

const TypeName& described(StoredType type) {
  return kTypes[static_cast<std::size_t>(type)];
}

template <class Stored, class T>
T converted(const std::byte* from, StoredType type) {
  Stored value;
  std::memcpy(&value, from, sizeof value);
  if constexpr (std::is_same_v<Stored, std::uint16_t>)
    return static_cast<T>(type == StoredType::kF16 ? half_to_float(value)
                                                   : static_cast<float>(std::bit_cast<BF16>(value)));
  else
    return static_cast<T>(value);
}

template <class Stored, class T>
void convert_all(const std::byte* from, StoredType type, std::span<T> to) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = converted<Stored, T>(from + i * sizeof(Stored), type);
}

Json parse_header(const std::string& path, const std::string& text) {
  Json header = try_parse_json<Json>(text);
  if (header.is_discarded()) refuse("{} is corrupt or not a safetensors file: its header is not JSON.", path);
  if (!header.is_object()) refuse("{} is not a safetensors file: its header is not a JSON object.", path);
  if (const auto twice = twice_given_key(text))
    refuse("{}: the header describes the tensor {} twice.", path, *twice);
  return header;
}

std::uint64_t unsigned_value(const std::string& path, const std::string& tensor, const char* what,
                             const Json& value) {
  if (!value.is_number_unsigned())
    refuse("{}: {} of the tensor {} has a value that is not an unsigned integer.", path, what, tensor);
  return value.get<std::uint64_t>();
}

/// Number of elements of a shape; refuses more than can be addressed.
std::uint64_t elements_of(const std::string& path, const StoredTensor& tensor) {
  std::uint64_t count = 1;
  constexpr std::uint64_t kMaxElements = std::numeric_limits<std::int64_t>::max() / 8;
  for (const std::int64_t extent : tensor.shape) {
    const auto n = static_cast<std::uint64_t>(extent);
    if (n != 0 && count > kMaxElements / n)
      refuse("{}: the tensor {} has the invalid shape {}.", path, tensor.name, tensor.shape_text());
    count *= n;
  }
  return count;
}

StoredTensor parse_tensor(const std::string& path, const std::string& name, const Json& entry,
                          std::uint64_t data_begin, std::uint64_t data_bytes) {
  StoredTensor tensor;
  tensor.name = name;
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") ||
      !entry.contains("data_offsets") || !entry["dtype"].is_string() || !entry["shape"].is_array() ||
      !entry["data_offsets"].is_array() || entry["data_offsets"].size() != 2)
    refuse("{}: the entry of the tensor {} must have `dtype`, `shape` and two `data_offsets`.", path, name);
  const auto type = entry["dtype"].get<std::string>();
  const auto* known = std::ranges::find(kTypes, type, &TypeName::name);
  if (known == kTypes.end()) refuse("{}: the tensor {} has the unknown dtype {}.", path, name, type);
  tensor.type = known->type;
  for (const Json& extent : entry["shape"]) {
    const std::uint64_t value = unsigned_value(path, name, "the shape", extent);
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      refuse("{}: the tensor {} has an invalid shape.", path, name);
    tensor.shape.push_back(static_cast<std::int64_t>(value));
  }
  const std::uint64_t begin = unsigned_value(path, name, "data_offsets", entry["data_offsets"][0]);
  const std::uint64_t end = unsigned_value(path, name, "data_offsets", entry["data_offsets"][1]);
  if (begin > end || end > data_bytes)
    refuse(
        "{}: the tensor {} has the byte range {} to {} of {}; the file is truncated or its header is "
        "corrupt. Copy or download it again.",
        path, name, begin, end, data_bytes);
  tensor.offset = data_begin + begin;
  tensor.bytes = end - begin;
  if (elements_of(path, tensor) * known->bytes != tensor.bytes)
    refuse("{}: the tensor {} has shape {} and dtype {}, but {} bytes.", path, name, tensor.shape_text(),
           type, tensor.bytes);
  return tensor;
}

/// The format allows neither overlaps nor gaps.
void check_ranges(const std::string& path, const std::map<std::string, StoredTensor, std::less<>>& tensors,
                  std::uint64_t data_begin, std::uint64_t file_bytes) {
  std::vector<const StoredTensor*> order;
  for (const auto& [name, tensor] : tensors) order.push_back(&tensor);
  std::ranges::sort(order, [](const StoredTensor* a, const StoredTensor* b) {
    return std::pair(a->offset, a->bytes) < std::pair(b->offset, b->bytes);
  });
  std::uint64_t at = data_begin;
  for (const StoredTensor* tensor : order) {
    if (tensor->offset < at) refuse("{}: the tensor {} overlaps the one before it.", path, tensor->name);
    if (tensor->offset > at) refuse("{}: there is a gap before the tensor {}.", path, tensor->name);
    at += tensor->bytes;
  }
  if (at != file_bytes)
    refuse("{}: {} bytes follow the last tensor; the header does not match this file.", path,
           file_bytes - at);
}

}  // namespace

std::size_t size_of(StoredType type) {
  return described(type).bytes;
}
std::string_view name_of(StoredType type) {
  return described(type).name;
}

std::string StoredTensor::shape_text() const {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

SafetensorsFile::SafetensorsFile(const std::string& path) : file_(path) {
  if (file_.bytes() < kLengthBytes)
    refuse("{} is not a safetensors file: it has only {} bytes.", path, file_.bytes());
  std::uint64_t header_bytes = 0;
  file_.read(0, std::as_writable_bytes(std::span(&header_bytes, 1)));
  if (header_bytes > kMaxHeaderBytes || header_bytes > file_.bytes() - kLengthBytes)
    refuse(
        "{} is truncated or not a safetensors file: its header should have {} bytes, the whole file has {}.",
        path, header_bytes, file_.bytes());
  std::string text(header_bytes, '\0');
  file_.read(kLengthBytes, std::as_writable_bytes(std::span(text)));
  const std::uint64_t data_begin = kLengthBytes + header_bytes;
  const Json header = parse_header(path, text);
  for (const auto& [name, entry] : header.items())
    if (name != "__metadata__")
      tensors_.emplace(name, parse_tensor(path, name, entry, data_begin, file_.bytes() - data_begin));
  check_ranges(path, tensors_, data_begin, file_.bytes());
}

const StoredTensor* SafetensorsFile::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

std::vector<std::byte> SafetensorsFile::read_bytes(const StoredTensor& tensor) const {
  std::vector<std::byte> bytes(tensor.bytes);
  file_.read(tensor.offset, bytes);
  return bytes;
}

template <class T>
void SafetensorsFile::read(const StoredTensor& tensor, std::span<T> to) const {
  NYSTROM_CHECK(to.size() == tensor.elements(), "{} values were requested of {}, which has {}", to.size(),
                tensor.name, tensor.elements());
  const std::vector<std::byte> bytes = read_bytes(tensor);
  switch (tensor.type) {
    case StoredType::kF64:
      return convert_all<double>(bytes.data(), tensor.type, to);
    case StoredType::kF32:
      return convert_all<float>(bytes.data(), tensor.type, to);
    case StoredType::kF16:
    case StoredType::kBF16:
      return convert_all<std::uint16_t>(bytes.data(), tensor.type, to);
    default:
      break;
  }
  refuse("{}: the tensor {} has the dtype {}; weights must be F64, F32, F16 or BF16.", path(), tensor.name,
         name_of(tensor.type));
}
template void SafetensorsFile::read(const StoredTensor&, std::span<float>) const;
template void SafetensorsFile::read(const StoredTensor&, std::span<double>) const;

}  // namespace nystrom
