#pragma once
// manifest.json: what a preparation read, kept, dropped and wrote. Independent of time, directory and number
// of threads.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/preparation/blocks/source_stats.h"
#include "data/preparation/options.h"
#include "data/shards/inspect.h"
#include "data/shards/shard.h"
#include "data/tokenizer/tokenizer.h"

namespace nystrom {

/// A source file as it was when the preparation began.
struct SourceFile {
  std::string path;
  std::int64_t bytes = 0;     ///< compressed size on disk
  std::int64_t modified = 0;  ///< nanoseconds; not part of the manifest
  std::string sha256;
};

/// One entry of the corpus, summed.
struct SourceAccount {
  std::string name;  ///< in shards: the kind, with a number where it is not the first
  CorpusSpec spec;
  std::vector<SourceFile> files = {};
  SourceStats stats = {};
};

struct WrittenShard {
  std::string file;  ///< name inside the split's folder
  std::int64_t bytes = 0;
  std::string sha256 = {};
  ShardCounts counts = {};
};

struct SplitResult {
  std::vector<WrittenShard> shards;
  std::vector<ShardCounts> by_source;
  LengthHistogram document_tokens = {};

  [[nodiscard]] ShardCounts total() const {
    ShardCounts total;
    for (const auto& counts : by_source) {
      total.documents += counts.documents;
      total.sentences += counts.sentences;
      total.tokens += counts.tokens;
    }
    return total;
  }
};

/// The folders' names, in Split's order.
inline constexpr std::array kSplitNames{"train", "validation", "test"};

struct ManifestContent {
  const PrepareOptions& options;
  const Tokenizer& tokenizer;
  std::string tokenizer_file;         ///< its name in the directory
  std::int64_t sample_sentences = 0;  ///< 0: the tokenizer was given
  const std::vector<SourceAccount>& sources;
  const std::array<SplitResult, 3>& splits;
};

std::string manifest_text(const ManifestContent& content);

/// The options that decide about the output, as JSON.
std::string options_text(const PrepareOptions& options);

/// {"bos": {"id": 0, "piece": "<s>"}, ...}
std::string special_tokens_text(const Tokenizer& tokenizer);

/// The report of a complete directory, from its manifest. Throws InputError, naming `path`, if it is not a
/// manifest, if its options differ from `options`, or if a file that it lists is missing or has another size.
PrepareReport report_of_manifest(const std::string& text, const std::string& path,
                                 const std::string& options);

}  // namespace nystrom
