#pragma once
// What a preparation read, kept, dropped and wrote, as JSON. Nothing in it depends on time, directory or
// threads.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/prepare.h"
#include "data/shard_set.h"
#include "data/tokenizer/tokenizer.h"

namespace nystrom {

/// One entry of the corpus, summed. characters_in = characters_kept + all of characters_dropped.
struct SourceAccount {
  std::string name;  ///< in shards: the kind, with a number where it is not the first
  CorpusSpec spec;
  std::vector<SourceFile> files = {};
  std::int64_t documents = 0;  ///< that went into shards
  Reasons documents_skipped = {};
  std::int64_t characters_in = 0, characters_kept = 0, bytes_kept = 0;
  Reasons characters_dropped = {};
  Repairs repairs = {};
};

/// The folders' names, in Split's order.
inline constexpr std::array kSplitNames{"train", "validation", "test"};

struct ManifestContent {
  const PrepareOptions& options;
  const Tokenizer& tokenizer;
  std::int64_t sample_sentences = 0;  ///< 0: the tokenizer was given
  const std::vector<SourceAccount>& sources;
  const std::array<const ShardSet*, 3>& splits;
};

std::string manifest_text(const ManifestContent& content);

/// The part of the options that decides about the output, as JSON text.
std::string options_text(const PrepareOptions& options);

/// {"bos": {"id": 0, "piece": "<s>"}, ...}
std::string special_tokens_text(const Tokenizer& tokenizer);

/// What a manifest says, for a directory that is complete. Throws InputError, naming `path`, if it is none of
/// ours, if the options in it are others than `options`, or if a file that it lists is missing or has another
/// size.
PrepareReport report_of_manifest(const std::string& text, const std::string& path,
                                 const std::string& options);

}  // namespace nystrom
