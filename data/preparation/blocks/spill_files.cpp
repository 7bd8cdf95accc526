#include "data/preparation/blocks/spill_files.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBufferRecords = 2048;

std::string path_of(const std::string& folder, std::size_t index) {
  return (fs::path(folder) / fmt::format("{:03}", index)).string();
}

}  // namespace

SpillFiles::SpillFiles(std::string folder, std::size_t count) : folder_(std::move(folder)), buffers_(count) {
  std::error_code error;
  fs::remove_all(folder_, error);
  fs::create_directories(folder_, error);
  if (error) fail("{} cannot be made: {}.", folder_, error.message());
}

void SpillFiles::add(std::size_t index, const Record& record) {
  auto& buffer = buffers_.at(index);
  buffer.push_back(record);
  if (buffer.size() >= kBufferRecords) flush(index);
}

void SpillFiles::flush(std::size_t index) {
  auto& buffer = buffers_.at(index);
  if (buffer.empty()) return;
  const auto path = path_of(folder_, index);
  std::ofstream file(path, std::ios::binary | std::ios::app);
  file.write(reinterpret_cast<const char*>(buffer.data()),
             static_cast<std::streamsize>(buffer.size() * sizeof(Record)));
  file.close();
  if (!file) fail("{} cannot be written: {}.", path, std::strerror(errno));
  buffer.clear();
}

void SpillFiles::flush() {
  for (std::size_t index = 0; index < buffers_.size(); ++index) flush(index);
}

std::vector<SpillFiles::Record> SpillFiles::read(const std::string& folder, std::size_t index) {
  const auto path = path_of(folder, index);
  std::error_code error;
  const auto bytes = fs::file_size(path, error);
  if (error) return {};
  std::vector<Record> records(bytes / sizeof(Record));
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(records.data()),
            static_cast<std::streamsize>(records.size() * sizeof(Record)));
  if (!file) fail("{} cannot be read: {}.", path, std::strerror(errno));
  return records;
}

std::vector<SpillFiles::Record> SpillFiles::take(std::size_t index) {
  flush(index);
  return read(folder_, index);
}

}  // namespace nystrom
