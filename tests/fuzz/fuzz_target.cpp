#include "fuzz_target.h"

#include <filesystem>
#include <fstream>
#include <limits>

#include "kernels/core/check.h"
#include "temporary_folder.h"

namespace nystrom::fuzz {

namespace fs = std::filesystem;

const std::string& scratch() {
  static const testing::TemporaryFolder folder(testing::fast_place());
  return folder.path();
}

std::string scratch_file(const std::string& name, std::string_view bytes) {
  const fs::path path = fs::path(scratch()) / name;
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return path.string();
}

void clear_scratch() {
  for (const auto& entry : fs::directory_iterator(scratch())) fs::remove_all(entry.path());
}

std::span<const Target> targets() {
  static const std::vector<Target> all = [] {
    std::vector<Target> list = model_targets();
    for (const auto& more : {text_targets(), picture_targets(), hdf5_targets(), reach_targets()})
      list.insert(list.end(), more.begin(), more.end());
    return list;
  }();
  return all;
}

void survive(const Target& target, std::string_view input) {
  try {
    target.run(input);
  } catch (const InternalError&) {
    throw;
  } catch (const Error&) {
  }
}

std::int64_t Bytes::wild() {
  const std::uint8_t how = byte();
  const auto power = static_cast<std::int64_t>(std::uint64_t{1} << (byte() % 63U));
  switch (how % 8) {
    case 0:
      return power;
    case 1:
      return power - 1;
    case 2:
      return -power;
    case 3:
      return std::numeric_limits<std::int64_t>::max() - byte();
    case 4:
      return std::numeric_limits<std::int64_t>::min() + byte();
    default:
      return byte();
  }
}

std::string Bytes::text(std::size_t most) {
  const std::size_t wanted = below(most + 1);  // before the size is checked: it takes bytes
  const std::size_t length = std::min(wanted, bytes_.size());
  std::string value(bytes_.substr(0, length));
  bytes_.remove_prefix(length);
  return value;
}

}  // namespace nystrom::fuzz
