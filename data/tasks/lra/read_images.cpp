// Image: CIFAR-10 in its binary form, in grey; or MNIST and its relatives (IDX files).

#include <array>
#include <filesystem>

#include "data/corpus/byte_stream.h"
#include "data/pictures/png.h"
#include "data/tasks/lra/find_folder.h"
#include "data/tasks/lra/reader.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"

namespace nystrom::lra {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> numbers_up_to(int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back(std::to_string(i));
  return names;
}

// CIFAR-10: records of a label, then 1,024 bytes each of red, green and blue.

constexpr std::size_t kSide = 32, kPlane = kSide * kSide, kRecord = 1 + 3 * kPlane;
constexpr int kCifarClasses = 10;

std::vector<std::string> cifar_files(Part part) {
  if (part == Part::kTest) return {"test_batch.bin"};
  std::vector<std::string> files;
  for (int batch = 1; batch <= 5; ++batch) files.push_back(fmt::format("data_batch_{}.bin", batch));
  return files;
}

class CifarReader final : public Reader {
 public:
  CifarReader(fs::path folder, Malformed malformed) : folder_(std::move(folder)), malformed_(malformed) {}

  [[nodiscard]] std::string found() const override {
    return fmt::format("CIFAR-10 in grey, {}", (folder_ / "{data_batch_1…5,test_batch}.bin").string());
  }
  [[nodiscard]] std::vector<Part> parts() const override { return {Part::kTrain, Part::kTest}; }
  [[nodiscard]] std::int64_t pixels() const override { return kPlane; }
  [[nodiscard]] std::int64_t width() const override { return kSide; }
  [[nodiscard]] std::vector<std::string> labels() const override {
    std::vector<std::string> names;
    for (const auto& name : split(try_read_file(folder_ / "batches.meta.txt").value_or(""), "\n"))
      if (!trimmed_cell(name).empty()) names.push_back(trimmed_cell(name));
    return names.size() == kCifarClasses ? names : numbers_up_to(kCifarClasses);
  }

  std::vector<std::string> read(Part part, const std::function<void(const Example&)>& take) const override {
    Skipped skipped(malformed_);
    for (const auto& name : cifar_files(part)) read_file_of((folder_ / name).string(), take, skipped);
    return skipped.sentences();
  }

 private:
  static void read_file_of(const std::string& path, const std::function<void(const Example&)>& take,
                           Skipped& skipped) {
    FileStream file(path);
    std::array<std::uint8_t, kRecord> record{};
    for (std::int64_t number = 0;; ++number) {
      const std::size_t count = read_fully(file, reinterpret_cast<char*>(record.data()), kRecord);
      if (count == 0) return;
      const std::string place = fmt::format("{}, record {}", path, number);
      if (count < kRecord)
        return skipped.add(
            place, fmt::format("it ends after {} of {} bytes, so the file is truncated", count, kRecord));
      if (record[0] >= kCifarClasses) {
        skipped.add(place, fmt::format("the label is {}, which is not one of ten", record[0]));
        continue;
      }
      const std::vector<std::uint8_t> grey = grey_of(record);
      take({.sequences = {grey}, .label = record[0]});
    }
  }
  static std::vector<std::uint8_t> grey_of(const std::array<std::uint8_t, kRecord>& record) {
    std::vector<std::uint8_t> grey;
    for (std::size_t i = 1; i <= kPlane; ++i)
      grey.push_back(grey_level(record[i], record[i + kPlane], record[i + 2 * kPlane]));
    return grey;
  }

  fs::path folder_;
  Malformed malformed_;
};

// IDX: a magic number, sizes (big-endian), then bytes.

std::string idx_name(Part part, bool images) {
  return fmt::format("{}-{}-ubyte", part == Part::kTest ? "t10k" : "train",
                     images ? "images-idx3" : "labels-idx1");
}

/// A part's file, as it is or compressed; also with a dot for the second hyphen, as some write it. Empty:
/// there is none.
fs::path idx_file(const fs::path& folder, Part part, bool images) {
  const std::string usual = idx_name(part, images);
  std::string dotted = usual;
  dotted[dotted.find("-idx")] = '.';
  for (const auto& name : {usual, usual + ".gz", dotted, dotted + ".gz"})
    if (fs::is_regular_file(folder / name)) return folder / name;
  return {};
}

/// A stream of bytes after a header.
class IdxFile {
 public:
  /// Refuses another file than one of `dimensions` dimensions.
  IdxFile(const fs::path& path, int dimensions)
      : path_(path.string()), file_(path_), content_(decompressed(file_)) {
    const std::uint32_t magic = number();
    if (magic != 0x800U + static_cast<std::uint32_t>(dimensions))
      refuse("{} begins with the number {:#x}; an IDX file of {} dimensions begins with {:#x}.", path_, magic,
             dimensions, 0x800 + dimensions);
    for (int i = 0; i < dimensions; ++i) sizes_.push_back(number());
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::int64_t size(std::size_t dimension) const { return sizes_.at(dimension); }

  /// Refuses a file that ends before.
  void read(std::vector<std::uint8_t>& bytes) {
    if (read_fully(*content_, reinterpret_cast<char*>(bytes.data()), bytes.size()) != bytes.size())
      refuse("{} ends before the {} items that it announces: it is truncated.", path_, sizes_.front());
  }

 private:
  std::uint32_t number() {
    std::array<unsigned char, 4> bytes{};
    if (read_fully(*content_, reinterpret_cast<char*>(bytes.data()), bytes.size()) != bytes.size())
      refuse("{} ends within its header: it is not an IDX file, or truncated.", path_);
    return std::uint32_t{bytes[0]} << 24U | std::uint32_t{bytes[1]} << 16U | std::uint32_t{bytes[2]} << 8U |
           bytes[3];
  }

  std::string path_;
  FileStream file_;
  std::unique_ptr<ByteStream> content_;
  std::vector<std::int64_t> sizes_;
};

class IdxReader final : public Reader {
 public:
  IdxReader(fs::path folder, Malformed malformed) : folder_(std::move(folder)), malformed_(malformed) {
    const IdxFile images = open(Part::kTrain, true);
    constexpr std::int64_t kMax = 4096;
    for (const std::size_t side : {1U, 2U})
      if (images.size(side) < 1 || images.size(side) > kMax)
        refuse("{} has pictures of {} x {} pixels; a side has 1 to {}.", images.path(), images.size(1),
               images.size(2), kMax);
    width_ = images.size(2);
    pixels_ = images.size(1) * width_;
  }

  [[nodiscard]] std::string found() const override {
    return fmt::format("pictures of {} pixels, {}", pixels_,
                       (folder_ / "{train,t10k}-{images-idx3,labels-idx1}-ubyte").string());
  }
  [[nodiscard]] std::vector<Part> parts() const override { return {Part::kTrain, Part::kTest}; }
  [[nodiscard]] std::int64_t pixels() const override { return pixels_; }
  [[nodiscard]] std::int64_t width() const override { return width_; }
  [[nodiscard]] std::vector<std::string> labels() const override { return numbers_up_to(10); }

  std::vector<std::string> read(Part part, const std::function<void(const Example&)>& take) const override {
    IdxFile images = open(part, true), labels = open(part, false);
    if (images.size(0) != labels.size(0))
      refuse("{} has {} pictures, but {} has {} labels.", images.path(), images.size(0), labels.path(),
             labels.size(0));
    if (images.size(1) * images.size(2) != pixels_ || images.size(2) != width_)
      refuse("{} has pictures of {} x {} pixels, but the training pictures have {} pixels, {} a row.",
             images.path(), images.size(1), images.size(2), pixels_, width_);
    Skipped skipped(malformed_);
    std::vector<std::uint8_t> picture(static_cast<std::size_t>(pixels_)), label(1);
    for (std::int64_t i = 0; i < images.size(0); ++i) {
      images.read(picture);
      labels.read(label);
      if (label[0] < 10)
        take({.sequences = {picture}, .label = label[0]});
      else
        skipped.add(fmt::format("{}, label {}", labels.path(), i),
                    fmt::format("it is {}, which is not one of ten", label[0]));
    }
    return skipped.sentences();
  }

 private:
  [[nodiscard]] IdxFile open(Part part, bool images) const {
    const fs::path path = idx_file(folder_, part, images);
    if (path.empty()) refuse("{} (or .gz) is missing.", (folder_ / idx_name(part, images)).string());
    return IdxFile(path, images ? 3 : 1);
  }

  fs::path folder_;
  Malformed malformed_;
  std::int64_t pixels_ = 0, width_ = 0;
};

bool is_cifar(const fs::path& folder) {
  return fs::exists(folder / "data_batch_1.bin");
}
bool is_idx(const fs::path& folder) {
  return !idx_file(folder, Part::kTrain, true).empty();
}
bool is_pickled_cifar(const fs::path& folder) {
  return fs::exists(folder / "data_batch_1") && fs::exists(folder / "batches.meta");
}

}  // namespace

ReaderPtr open_images(const TaskConfig& config) {
  const fs::path folder = find_folder(
      config.path,
      {.what = "pictures",
       .contents = "CIFAR-10's data_batch_1.bin to data_batch_5.bin and test_batch.bin, or IDX files such as "
                   "train-images-idx3-ubyte",
       .matches = [](const fs::path& f) { return is_cifar(f) || is_idx(f) || is_pickled_cifar(f); }});
  if (is_cifar(folder) && is_idx(folder))
    refuse("{} has CIFAR-10's files and IDX files; put them into two folders.", folder.string());
  if (is_idx(folder)) return std::make_unique<IdxReader>(folder, config.malformed);
  if (!is_cifar(folder))
    refuse(
        "{} has the Python version of CIFAR-10; give the binary version, whose files are data_batch_1.bin and so on.",
        folder.string());
  for (const Part part : {Part::kTrain, Part::kTest})
    for (const auto& name : cifar_files(part))
      if (!fs::exists(folder / name))
        refuse("{} is missing next to data_batch_1.bin.", (folder / name).string());
  return std::make_unique<CifarReader>(folder, config.malformed);
}

}  // namespace nystrom::lra
