#pragma once
// Run state (counters) and run identity (configuration, seed, tokenizer), both stored in every checkpoint.

#include <cstdint>
#include <map>
#include <string>

namespace nystrom {

/// Running statistics of the loss (trainer/guards/spike_guard.h).
struct LossStatistics {
  double mean = 0, variance = 0;
  std::int64_t count = 0;
  std::int64_t spikes_in_a_row = 0;
};

struct RunState {
  std::int64_t step = 0;     ///< steps done
  std::int64_t samples = 0;  ///< sequences read
  std::int64_t updates = 0;  ///< of the optimizer: steps minus skipped steps
  double seconds = 0;        ///< spent in the run so far
  /// Global batches skipped by rollbacks: step s + 1 reads batch s + batches_skipped.
  std::int64_t batches_skipped = 0;
  LossStatistics losses = {};
};

/// Flat configuration: dotted key -> value as text.
using Settings = std::map<std::string, std::string>;

struct RunIdentity {
  std::uint64_t seed = 1;
  std::string configuration;   ///< the whole resolved configuration, YAML
  Settings settings;           ///< the same, flat: what a resume is compared with
  std::string tokenizer;       ///< the tokenizer's file, byte for byte; may be empty
  std::string tokenizer_kind;  ///< "sentencepiece"; empty without tokenizer
  /// JSON: program, command and machine that wrote it. Binds nothing: neither ranks nor a resume compare it.
  std::string provenance = {};
};

}  // namespace nystrom
