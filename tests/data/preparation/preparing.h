#pragma once
// Small data preparations for tests.

#include <map>
#include <string>
#include <vector>

#include "corpus_folder.h"
#include "data/preparation/prepare.h"
#include "kernels/core/check.h"
#include "kernels/core/json.h"
#include "made_up_text.h"

namespace nystrom::testing {

inline std::string made_up_lines(std::size_t count, std::uint64_t seed) {
  std::string text;
  Random random(seed, Purpose::kTest, 0);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::uint64_t n = 1 + random.below(6); n > 0; --n) text += made_up_sentence(random) + " ";
    text += "\n";
  }
  return text;
}

inline PrepareOptions small_options(const fs::path& folder) {
  PrepareOptions options;
  options.corpora = {{.kind = "lines", .path = write_file(folder / "lines.txt", made_up_lines(600, 1))},
                     {.kind = "books", .path = write_file(folder / "book.txt", made_up_lines(50, 2))}};
  options.tokenizer.training.vocabulary_size = 90;
  options.directory = (folder / "out").string();
  options.shard_tokens = 8000;
  options.validation_fraction = 0.05;
  options.test_fraction = 0.02;
  options.threads = 2;
  return options;
}

inline std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files[fs::relative(entry.path(), folder).string()] = read_file(entry.path());
  }
  return files;
}

/// Names of the files that differ between two of those. (To compare the maps by EXPECT_EQ would print a diff
/// of their bytes, for which GoogleTest takes memory by the square of them.)
inline std::vector<std::string> differences(const std::map<std::string, std::string>& a,
                                            const std::map<std::string, std::string>& b) {
  std::vector<std::string> names;
  for (const auto& [name, bytes] : a)
    if (!b.contains(name) || b.at(name) != bytes) names.push_back(name);
  for (const auto& [name, bytes] : b)
    if (!a.contains(name)) names.push_back(name);
  return names;
}

inline nlohmann::json manifest(const PrepareOptions& options) {
  return parse_json<nlohmann::json>(read_file(fs::path(options.directory) / "manifest.json"));
}

inline std::string message_of(const PrepareOptions& options) {
  try {
    (void)prepare(options);
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was refused";
}

}  // namespace nystrom::testing
