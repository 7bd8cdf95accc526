#pragma once
// Shards of a run: their default paths, and their description in the log.

#include <cstdint>
#include <string>
#include <vector>

#include "launch/config/config.h"

namespace nystrom {

/// Default of `data.shards` and, with it, of `data.validation`: the shards that `prepare` writes to
/// `output.directory`, held-out ones only where there are some. Called right after reading, so that all that
/// follows (config.yaml, a resume's comparison) sees plain patterns.
void use_prepared_shards(Config& config);

/// Files of data.shards.
[[nodiscard]] std::vector<std::string> training_files(const Config& config);

/// What the shards of a split hold together.
struct ShardTotals {
  std::int64_t files = 0;
  std::int64_t documents = 0, tokens = 0;  ///< 0 in NVIDIA's format, which does not say
  std::vector<std::string> corpora = {};
};

struct ShardsReport {
  std::vector<std::string> notes, warnings;  ///< sentences for the log
  ShardTotals training, validation;
};

/// Folders, documents, tokens and corpora of both splits, and a warning where they are not those of
/// `output.directory`. Refuses shards of another format or tokenizer than `first`: the loader does too, but
/// only after the run directory was made.
[[nodiscard]] ShardsReport report_shards(const Config& config, const std::string& first,
                                         const std::vector<std::string>& training,
                                         const std::vector<std::string>& validation);

}  // namespace nystrom
