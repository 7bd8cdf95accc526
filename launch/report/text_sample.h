#pragma once
// A sample of prepared text: what its tokens are like.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace nystrom {

struct SampleStatistics {
  std::int64_t documents = 0, tokens = 0;
  std::int64_t words = 0;                                    ///< what white space separates
  std::int64_t characters = 0;                               ///< of the decoded text
  std::int64_t unknown = 0;                                  ///< tokens that are the unknown one
  std::vector<std::pair<std::string, std::int64_t>> pieces;  ///< how often each occurs; most frequent first
  std::vector<std::string> passages;                         ///< beginnings of some of the documents
};

/// Whose the shards are. The structure of anybody's is checked in a child process first: before MPI.
enum class ShardsOf { kThisProcess, kAnybody };

/// Some hundred documents of the training shards in `directory`, the same in every call, each up to its first
/// tokens. Empty where there is no training shard. Throws InputError.
[[nodiscard]] SampleStatistics sample_text(const std::string& directory, ShardsOf whose);

}  // namespace nystrom
