#include "data/generators/pathfinder_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "data/pictures/png.h"
#include "data/preparation/worker_pool.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kBatch = 1'000;

/// Not flushed to the disk: the folder is, when it is complete.
void write_piece(const fs::path& path, const std::string& bytes) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  bool written = file != nullptr && std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  if (file != nullptr && std::fclose(file) != 0) written = false;
  if (!written) fail("{} cannot be written: {}.", path.string(), std::strerror(errno));
}

/// To the disk, with all that is on the same file system.
void flush_folder(const std::string& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool flushed = descriptor >= 0 && ::syncfs(descriptor) == 0;
  const int reason = errno;
  if (descriptor >= 0) (void)::close(descriptor);
  if (!flushed) fail("{} cannot be flushed to the disk: {}.", folder, std::strerror(reason));
}

/// Pictures [first, first + count) as batch number first / kBatch.
void write_batch(const PathfinderGenerator& generator, std::int64_t first, std::int64_t count,
                 const fs::path& folder, int threads, Stage& stage) {
  const std::int64_t batch = first / kBatch;
  const PathfinderRule& rule = generator.rule();
  const fs::path pictures = folder / "imgs" / std::to_string(batch);
  fs::create_directories(pictures);
  std::vector<std::string> lines(static_cast<std::size_t>(count));
  const auto write = [&](std::size_t i, int) {
    const auto number = static_cast<std::int64_t>(i);
    const PathfinderPicture picture = generator.draw(static_cast<std::uint64_t>(first + number));
    write_piece(pictures / fmt::format("sample_{}.png", i),
                png_bytes({rule.size, rule.size, picture.pixels}));
    lines[i] = pathfinder_metadata(rule, picture, batch, number);
    stage.advance();
  };
  parallel_for_each(threads, lines.size(), write);
  std::string text;
  for (const auto& line : lines) text += line;
  fs::create_directories(folder / "metadata");
  write_piece(folder / "metadata" / fmt::format("{}.npy", batch), text);
}

}  // namespace

std::string pathfinder_metadata(const PathfinderRule& rule, const PathfinderPicture& picture,
                                std::int64_t batch, std::int64_t number) {
  return fmt::format("imgs/{0} sample_{1}.png {1} {2} {3:.1f} {4} {5} {6} {7} {8} 1\n", batch, number,
                     picture.label, rule.continuity, rule.contour, rule.distractor_length,
                     rule.segment_length, rule.thickness, picture.margin);
}

void write_pathfinder(const PathfinderGenerator& generator, std::int64_t count, const std::string& folder,
                      const Workers& workers) {
  if (fs::exists(folder)) refuse("{} exists; remove it, or name another directory.", folder);
  const std::string temporary = workers.gather(temporary_name(folder)).front();
  try {
    Stage stage("generating Pathfinder", static_cast<double>(count) / workers.ranks);
    for (std::int64_t batch = workers.rank; batch * kBatch < count; batch += workers.ranks) {
      const std::int64_t first = batch * kBatch;
      write_batch(generator, first, std::min(kBatch, count - first), temporary, workers.threads, stage);
    }
    fs::create_directories(temporary);  // of a rank without a batch
    flush_folder(temporary);
    (void)workers.gather("");  // all are written
    if (workers.rank == 0) fs::rename(temporary, folder);
    (void)workers.gather("");
  } catch (...) {
    std::error_code ignored;
    if (workers.rank == 0) fs::remove_all(temporary, ignored);
    throw;
  }
}

}  // namespace nystrom
