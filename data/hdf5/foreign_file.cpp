#include "data/hdf5/foreign_file.h"

#include <algorithm>
#include <vector>

#include "data/hdf5/child_check.h"
#include "data/hdf5/hdf5_file.h"

namespace nystrom {
namespace {

constexpr std::size_t kBytesAtOnce = std::size_t{64} << 20U;

void read_texts(const hdf5::File& file, const std::string& name, std::uint64_t rows) {
  constexpr std::uint64_t kRowsAtOnce = 4096;
  for (std::uint64_t at = 0; at < rows;)
    at += file.read_text(name, at, std::min(rows - at, kRowsAtOnce), kBytesAtOnce).size();
}

/// Values that HDF5 converts to T.
template <class T>
void read_numbers(const hdf5::Dataset& dataset) {
  const std::uint64_t width = dataset.row_elements();
  if (width == 0) return;
  const std::uint64_t at_once = std::max<std::uint64_t>(kBytesAtOnce / sizeof(T) / width, 1);
  std::vector<T> values;
  for (std::uint64_t at = 0; at < dataset.rows(); at += at_once) {
    const std::uint64_t count = std::min(at_once, dataset.rows() - at);
    values.resize(count * width);
    dataset.read_rows<T>(at, count, values);
  }
}

}  // namespace

void read_foreign_hdf5(const std::string& path) {
  const hdf5::File file = hdf5::File::open(path, hdf5::Filters::kCompression);
  for (const std::string& name : file.datasets()) {
    const hdf5::Dataset dataset = file.dataset(name);
    const hdf5::Content content = dataset.content();
    if (content == hdf5::Content::kTexts && dataset.shape().size() == 1)
      read_texts(file, name, dataset.rows());
    if (content == hdf5::Content::kIntegers) read_numbers<std::int32_t>(dataset);
    if (content == hdf5::Content::kFloats) read_numbers<float>(dataset);
    if (content == hdf5::Content::kIntegers || content == hdf5::Content::kFloats)
      read_numbers<double>(dataset);
  }
}

void check_foreign_hdf5(const std::string& path) {
  check_in_child(std::span(&path, 1), {}, read_foreign_hdf5);
}

}  // namespace nystrom
