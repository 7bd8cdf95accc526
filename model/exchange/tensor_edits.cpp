#include "model/exchange/tensor_edits.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "kernels/core/check.h"
#include "kernels/tensor/dtype.h"
#include "model/exchange/half.h"

namespace nystrom {
namespace {

template <class From>
From element(std::span<const std::byte> bytes, std::size_t i) {
  From value;
  std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
  return value;
}

template <class To>
void put(std::vector<std::byte>& bytes, std::size_t i, To value) {
  std::memcpy(bytes.data() + i * sizeof value, &value, sizeof value);
}

}  // namespace

double stored_number(std::string_view name, StoredType type, std::span<const std::byte> bytes,
                     std::size_t i) {
  switch (type) {
    case StoredType::kF64:
      return element<double>(bytes, i);
    case StoredType::kF32:
      return static_cast<double>(element<float>(bytes, i));
    case StoredType::kF16:
      return static_cast<double>(half_to_float(element<std::uint16_t>(bytes, i)));
    case StoredType::kBF16:
      return static_cast<double>(element<BF16>(bytes, i));
    default:
      refuse("The tensor {} is stored as {}; weights are F64, F32, F16 or BF16.", name, name_of(type));
  }
}

TensorToWrite as_stored(std::string name, const WeightFiles::Entry& entry) {
  const StoredType type = entry.tensor->type;
  if (type != StoredType::kF64 && type != StoredType::kF32 && type != StoredType::kF16 &&
      type != StoredType::kBF16)
    refuse("{}: the tensor {} has the dtype {}; weights must be F64, F32, F16 or BF16.", entry.file->path(),
           entry.tensor->name, name_of(type));
  return {std::move(name), type, entry.tensor->shape,
          [entry] { return entry.file->read_bytes(*entry.tensor); }};
}

bool is_zero(const WeightFiles::Entry& entry) {
  const TensorToWrite stored = as_stored(entry.tensor->name, entry);
  const std::vector<std::byte> bytes = stored.bytes();
  for (std::size_t i = 0; i < entry.tensor->elements(); ++i)
    if (stored_number(stored.name, stored.type, bytes, i) != 0) return false;
  return true;
}

void check_fits(std::string_view name, double stored, double rounded, std::string_view type) {
  if (std::isfinite(stored) && !std::isfinite(rounded))
    refuse("The tensor {} has the value {:.6g}, which overflows {}; choose a wider type.", name, stored,
           type);
}

TensorToWrite as_type(TensorToWrite tensor, StoredType type) {
  if (tensor.type == type) return tensor;
  TensorToWrite changed{tensor.name, type, tensor.shape, {}};
  changed.bytes = [from = std::move(tensor), type] {
    const std::vector<std::byte> bytes = from.bytes();
    const std::size_t count = bytes.size() / size_of(from.type);
    std::vector<std::byte> to(count * size_of(type));
    for (std::size_t i = 0; i < count; ++i) {
      const double stored = stored_number(from.name, from.type, bytes, i);
      const auto value = static_cast<float>(stored);
      if (type == StoredType::kF32) put(to, i, value);
      if (type == StoredType::kF16) put(to, i, float_to_half(value));
      if (type == StoredType::kBF16) put(to, i, BF16(value));
      check_fits(from.name, stored, stored_number(from.name, type, to, i), name_of(type));
    }
    return to;
  };
  return changed;
}

TensorToWrite with_tiled_rows(TensorToWrite table, std::int64_t head, std::int64_t rows) {
  const std::int64_t old = table.shape.at(0);
  NYSTROM_CHECK(old > head && rows >= old, "{} rows from {}", rows, old);
  TensorToWrite longer{table.name, table.type, {rows, table.shape.at(1)}, {}};
  longer.bytes = [from = std::move(table), head, rows, old] {
    const std::vector<std::byte> bytes = from.bytes();
    const std::size_t row_bytes = bytes.size() / static_cast<std::size_t>(old);
    std::vector<std::byte> to(row_bytes * static_cast<std::size_t>(rows));
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t source = row < old ? row : head + (row - head) % (old - head);
      std::memcpy(to.data() + static_cast<std::size_t>(row) * row_bytes,
                  bytes.data() + static_cast<std::size_t>(source) * row_bytes, row_bytes);
    }
    return to;
  };
  return longer;
}

TensorToWrite zeros(std::string name, StoredType type, std::vector<std::int64_t> shape) {
  std::size_t bytes = size_of(type);
  for (const std::int64_t extent : shape) bytes *= static_cast<std::size_t>(extent);
  return {std::move(name), type, std::move(shape), [bytes] { return std::vector<std::byte>(bytes); }};
}

std::uint64_t parse_size(const std::string& text, const std::string& what) {
  constexpr std::array<std::pair<std::string_view, std::uint64_t>, 5> kUnits{
      {{"", 1}, {"KB", 1'000}, {"MB", 1'000'000}, {"GB", 1'000'000'000}, {"TB", 1'000'000'000'000}}};
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  const std::string_view unit(stop, static_cast<std::size_t>(end - stop));
  for (const auto& [name, bytes] : kUnits)
    if (error == std::errc{} && number > 0 && number < 1'000'000'000'000 / bytes * 1'000'000 && unit == name)
      return number * bytes;
  refuse("`{}` is {}; write it as 500MB or 2GB.", what, text);
}

}  // namespace nystrom
