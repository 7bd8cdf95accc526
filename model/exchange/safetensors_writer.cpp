#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/json.h"
#include "kernels/core/stage.h"
#include "model/exchange/safetensors.h"

namespace nystrom {
namespace {

/// File under a temporary name; removed unless it is published.
class NewFile {
 public:
  explicit NewFile(const std::string& path) : path_(path), temporary_(temporary_name(path)) {
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail("{} cannot be created: {}.", temporary_, std::strerror(errno));
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t put = ::write(descriptor_, bytes.data(), bytes.size());
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) fail("{} cannot be written: {}.", path_, std::strerror(errno));
      bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
  }
  void publish() {
    if (::close(std::exchange(descriptor_, -1)) != 0)
      fail("{} cannot be written: {}.", path_, std::strerror(errno));
    publish_file(temporary_, path_);
    temporary_.clear();
  }

 private:
  std::string path_, temporary_;
  int descriptor_ = -1;
};

std::uint64_t bytes_of(const TensorToWrite& tensor) {
  std::uint64_t count = size_of(tensor.type);
  for (const std::int64_t extent : tensor.shape) count *= static_cast<std::uint64_t>(extent);
  return count;
}

std::string header_of(const std::vector<TensorToWrite>& tensors) {
  nlohmann::ordered_json header;
  header["__metadata__"] = {{"format", "pt"}};
  std::uint64_t at = 0;
  for (const TensorToWrite& tensor : tensors) {
    const std::uint64_t end = at + bytes_of(tensor);
    append_member(
        header, tensor.name,
        {{"dtype", std::string(name_of(tensor.type))}, {"shape", tensor.shape}, {"data_offsets", {at, end}}});
    at = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // aligns the data
  return text;
}

}  // namespace

TensorToWrite as_fp32(std::string name, const Tensor& values) {
  const auto dims = values.shape.dims();
  return {std::move(name), StoredType::kF32, {dims.begin(), dims.end()}, [values] {
            std::vector<std::byte> bytes(static_cast<std::size_t>(values.numel()) * sizeof(float));
            dispatch_float(values.dtype, [&]<class T>(T) {
              const auto from = values.span<T>();
              for (std::size_t i = 0; i < from.size(); ++i) {
                const auto value = static_cast<float>(from[i]);
                std::memcpy(bytes.data() + i * sizeof value, &value, sizeof value);
              }
            });
            return bytes;
          }};
}

void write_safetensors(const std::string& path, std::vector<TensorToWrite> tensors) {
  std::ranges::sort(tensors, [](const TensorToWrite& a, const TensorToWrite& b) {
    const std::size_t wide = size_of(a.type), narrow = size_of(b.type);
    return wide != narrow ? wide > narrow : a.name < b.name;
  });
  NewFile file(path);
  const std::string header = header_of(tensors);
  const std::uint64_t length = header.size();
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(std::as_bytes(std::span(header)));
  Stage stage(fmt::format("writing {}", path),
              std::accumulate(tensors.begin(), tensors.end(), 0.0, [](double sum, const auto& t) {
                return sum + static_cast<double>(bytes_of(t));
              }));
  for (const TensorToWrite& tensor : tensors) {
    const std::vector<std::byte> bytes = tensor.bytes();
    NYSTROM_CHECK(bytes.size() == bytes_of(tensor), "{} gives {} bytes, not {}", tensor.name, bytes.size(),
                  bytes_of(tensor));
    file.write(bytes);
    stage.advance(static_cast<double>(bytes.size()));
  }
  file.publish();
}

void write_weight_files(const std::string& folder, std::vector<TensorToWrite> tensors,
                        std::uint64_t shard_bytes) {
  std::uint64_t total = 0;
  for (const auto& tensor : tensors) total += bytes_of(tensor);
  if (shard_bytes == 0 || total <= shard_bytes)
    return write_safetensors(folder + "/model.safetensors", std::move(tensors));
  std::ranges::sort(tensors, {}, &TensorToWrite::name);
  std::vector<std::vector<TensorToWrite>> shards(1);
  std::uint64_t filled = 0;
  for (auto& tensor : tensors) {
    if (!shards.back().empty() && filled + bytes_of(tensor) > shard_bytes) {
      shards.emplace_back();
      filled = 0;
    }
    filled += bytes_of(tensor);
    shards.back().push_back(std::move(tensor));
  }
  nlohmann::ordered_json index;
  index["metadata"]["total_size"] = total;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    for (const auto& tensor : shards[i]) index["weight_map"][tensor.name] = name;
    write_safetensors(folder + "/" + name, std::move(shards[i]));
  }
  NewFile file(folder + "/model.safetensors.index.json");
  const std::string text = index.dump(2) + "\n";
  file.write(std::as_bytes(std::span(text)));
  file.publish();
}

}  // namespace nystrom
