#include "data/preparation/input_splits.h"

#include <algorithm>
#include <filesystem>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

constexpr std::int64_t kSmall = std::int64_t{2} << 20U;  // bytes; smaller files are grouped up to this size
// Ranges of a divisible file: enough of them to keep all threads busy with a small dump, each large enough
// that reading on to the end of a page (and of its bzip2 block) costs little.
constexpr std::int64_t kRanges = 64;
constexpr std::int64_t kMinRange = std::int64_t{1} << 20U, kMaxRange = std::int64_t{8} << 20U;

std::int64_t size_of(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) refuse("{} cannot be read: {}.", path, error.message());
  return static_cast<std::int64_t>(size);
}

void add_ranges(std::size_t source, const std::string& path, std::int64_t size,
                std::vector<InputSplit>& out) {
  const std::int64_t step = std::clamp(size / kRanges, kMinRange, kMaxRange);
  for (std::int64_t begin = 0; begin < size; begin += step) {
    const std::int64_t left = size - begin;
    const bool last = left < step + step / 2;
    const FileRange range{begin, last ? ByteStream::kNowhere : begin + step};
    out.push_back({source, {{path}, range}, false, last ? left : step});
    if (last) break;
  }
}

}  // namespace

std::vector<InputSplit> make_input_splits(const std::vector<CorpusSpec>& corpora,
                                          const std::vector<CorpusListing>& listings) {
  std::vector<InputSplit> out;
  for (std::size_t source = 0; source < corpora.size(); ++source) {
    InputSplit group{.source = source};
    const auto close = [&] {
      if (!group.share.files.empty()) out.push_back(std::move(group));
      group = {.source = source};
    };
    for (const auto& path : listings[source].files) {
      const std::int64_t size = size_of(path);
      if (size <= kSmall) {
        if (group.bytes + size > kSmall) close();
        group.share.files.push_back(path);
        group.bytes += size;
        continue;
      }
      close();
      if (is_divisible_kind(corpora[source].kind) && is_divisible(path))
        add_ranges(source, path, size, out);
      else
        out.push_back({source, {{path}}, true, size});
    }
    close();
  }
  return out;
}

}  // namespace nystrom
