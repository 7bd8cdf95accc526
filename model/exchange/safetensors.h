#pragma once
// Safetensors files (huggingface/safetensors): an 8-byte length, a JSON header of names, types, shapes and
// byte ranges, then the data. Headers are untrusted: each value is validated against the size of the file,
// and a refusal is an InputError that names file and tensor.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/tensor/tensor.h"

namespace nystrom {

/// Element types of the format. Only the first four can be read as weights here.
enum class StoredType : std::uint8_t { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };

std::size_t size_of(StoredType type);
std::string_view name_of(StoredType type);  ///< as in the header: "F32"

struct StoredTensor {
  std::string name;
  StoredType type = StoredType::kF32;
  std::vector<std::int64_t> shape;
  std::uint64_t offset = 0;  ///< bytes from the beginning of the file
  std::uint64_t bytes = 0;

  [[nodiscard]] std::uint64_t elements() const { return bytes / size_of(type); }
  [[nodiscard]] std::string shape_text() const;  ///< "[8, 512, 768]"
};

/// Move-only owner of a file descriptor, for reads at given offsets; thread-safe.
class ReadOnlyFile {
 public:
  explicit ReadOnlyFile(std::string path);  ///< InputError if it cannot be opened or is not a regular file
  ReadOnlyFile(ReadOnlyFile&& other) noexcept;
  ReadOnlyFile& operator=(ReadOnlyFile&& other) noexcept;
  ~ReadOnlyFile();
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  /// Fills `to` from `offset`; InputError if the file ends before.
  void read(std::uint64_t offset, std::span<std::byte> to) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t bytes_ = 0;
};

class SafetensorsFile {
 public:
  /// Opens the file and validates its header: its size, JSON without duplicate names, known types, shapes
  /// that match their byte ranges, and ranges that cover the file without overlaps or gaps.
  explicit SafetensorsFile(const std::string& path);

  [[nodiscard]] const std::string& path() const { return file_.path(); }
  [[nodiscard]] const std::map<std::string, StoredTensor, std::less<>>& tensors() const { return tensors_; }
  [[nodiscard]] const StoredTensor* find(std::string_view name) const;  ///< nullptr: no such tensor

  /// Reads all of a tensor as float or double, converted from F64, F32, F16 or BF16 (other types are
  /// refused).
  template <class T>
  void read(const StoredTensor& tensor, std::span<T> to) const;
  /// Reads the bytes of a tensor as they are stored.
  [[nodiscard]] std::vector<std::byte> read_bytes(const StoredTensor& tensor) const;

 private:
  ReadOnlyFile file_;
  std::map<std::string, StoredTensor, std::less<>> tensors_;
};

/// Weights of a Hugging Face folder: `model.safetensors`, or the files that
/// `model.safetensors.index.json` lists. A pickled `.bin` is refused: reading one can run code.
class WeightFiles {
 public:
  explicit WeightFiles(const std::string& folder);

  struct Entry {
    const SafetensorsFile* file = nullptr;
    const StoredTensor* tensor = nullptr;
  };
  [[nodiscard]] const std::map<std::string, Entry, std::less<>>& tensors() const { return tensors_; }
  [[nodiscard]] const Entry* find(std::string_view name) const;

 private:
  void read_index(const std::string& folder, const std::string& index);

  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string, Entry, std::less<>> tensors_;
};

/// Are two stored tensors the same in type, shape and bits?
[[nodiscard]] bool same_values(const WeightFiles::Entry& a, const WeightFiles::Entry& b);

/// Tensor to be written. Its bytes are requested when its turn comes, so that only one is in memory at a
/// time.
struct TensorToWrite {
  std::string name;
  StoredType type = StoredType::kF32;
  std::vector<std::int64_t> shape;
  std::function<std::vector<std::byte>()> bytes;
};

/// `values` (fp32, fp64 or bf16; read when the file is written) under `name`, as fp32.
TensorToWrite as_fp32(std::string name, const Tensor& values);

/// Writes `path` atomically, with metadata {"format": "pt"}. Equal tensors give equal bytes: they are ordered
/// by element size, largest first, then by name.
void write_safetensors(const std::string& path, std::vector<TensorToWrite> tensors);

/// Writes `folder`/model.safetensors; or, where the tensors take more than `shard_bytes` (0: no limit), files
/// model-00001-of-0000N.safetensors of at most that size (a larger tensor gets its own file), in the order
/// of names, and model.safetensors.index.json.
void write_weight_files(const std::string& folder, std::vector<TensorToWrite> tensors,
                        std::uint64_t shard_bytes);

}  // namespace nystrom
