#include "data/preparation/sources.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernels/core/check.h"
#include "kernels/core/json.h"
#include "kernels/core/sha256.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

using Json = nlohmann::json;

SourceFile note(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) refuse("{} cannot be read: {}.", path, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) refuse("{} is not a regular file; text is read several times.", path);
  return {path, status.st_size, status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec, {}};
}

[[noreturn]] void changed(const std::string& path, const char* how) {
  throw SourceChanged(fmt::format(
      "{} {} since the preparation began, so the finished stages do not match it. Restore the file, or remove "
      "the output directory and prepare again when nothing writes to the sources.",
      path, how));
}

}  // namespace

std::vector<std::string> source_names(const std::vector<CorpusSpec>& corpora) {
  std::vector<std::string> names;
  std::map<std::string, int> count;
  for (const auto& spec : corpora) {
    const int n = ++count[spec.kind];
    names.push_back(n == 1 ? spec.kind : fmt::format("{}-{}", spec.kind, n));
  }
  return names;
}

std::vector<std::vector<SourceFile>> note_sources(const std::vector<CorpusListing>& listings, int threads) {
  std::vector<std::vector<SourceFile>> sources(listings.size());
  std::vector<SourceFile*> all;
  double bytes = 0;
  for (std::size_t i = 0; i < listings.size(); ++i) {
    for (const auto& path : listings[i].files) sources[i].push_back(note(path));
    for (auto& file : sources[i]) {
      all.push_back(&file);
      bytes += static_cast<double>(file.bytes);
    }
  }
  Stage stage("hashing the sources", bytes);
  parallel_for_each(threads, all.size(), [&](std::size_t i, int) {
    all[i]->sha256 = sha256_of_file(all[i]->path);
    stage.advance(static_cast<double>(all[i]->bytes));
  });
  return sources;
}

std::string sources_text(const std::vector<std::vector<SourceFile>>& sources) {
  Json json = Json::array();
  for (const auto& files : sources) {
    Json list = Json::array();
    for (const auto& file : files)
      list.push_back({std::vector<std::uint8_t>(file.path.begin(), file.path.end()), file.bytes,
                      file.modified, file.sha256});
    json.push_back(std::move(list));
  }
  return json.dump();
}

std::vector<std::vector<SourceFile>> sources_of_text(const std::string& text) {
  try {
    std::vector<std::vector<SourceFile>> sources;
    for (const auto& list : parse_json<Json>(text)) {
      auto& files = sources.emplace_back();
      for (const auto& entry : list) {
        const auto path = entry.at(0).get<std::vector<std::uint8_t>>();
        files.push_back({{path.begin(), path.end()}, entry.at(1), entry.at(2), entry.at(3)});
      }
    }
    return sources;
  } catch (const Json::exception& error) {
    fail("The list of sources in `.preparing` is corrupt ({}). Remove that folder and prepare again.",
         error.what());
  }
}

void check_unchanged(const std::vector<std::vector<SourceFile>>& noted,
                     const std::vector<CorpusListing>& listings) {
  NYSTROM_CHECK(noted.size() == listings.size(), "{} sources noted, {} listed", noted.size(),
                listings.size());
  for (std::size_t i = 0; i < noted.size(); ++i) {
    const auto& files = listings[i].files;
    for (const auto& file : noted[i]) {
      if (!std::binary_search(files.begin(), files.end(), file.path)) changed(file.path, "was removed");
      const auto now = note(file.path);
      if (now.bytes != file.bytes) changed(file.path, "changed its size");
      if (now.modified != file.modified && sha256_of_file(file.path) != file.sha256)
        changed(file.path, "changed");
    }
    for (const auto& path : files) {
      const bool known =
          std::any_of(noted[i].begin(), noted[i].end(), [&](const auto& file) { return file.path == path; });
      if (!known) changed(path, "was added");
    }
  }
}

}  // namespace nystrom
