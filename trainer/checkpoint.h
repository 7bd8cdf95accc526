#pragma once
// A checkpoint is one HDF5 file: all that a run needs to go on, and all that other commands need of its
// model.
//
// Layout (docs/training.md): user block of 512 bytes (magic, size, SHA-256 of all that follows), checked
// before HDF5 sees the file; `weights/<Hugging Face name>`; `optimizer/<state>/<name>`; `tokenizer`;
// `settings`; attributes for the counters, the seed, the configuration, and the model's shape (group
// `model`).

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/network.h"
#include "trainer/optimizer.h"
#include "trainer/run_state.h"

namespace nystrom {

/// Cheap: looks at the first bytes only. False for what is no checkpoint or cannot be read.
[[nodiscard]] bool is_checkpoint(const std::string& path);

/// Reads the whole file and compares its digest. Throws InputError, naming the file, if it is damaged,
/// truncated, of a newer format, or no checkpoint.
void verify_checkpoint(const std::string& path);

/// Writes under a temporary name, flushes, reads back, renames. Throws Error if any of it fails; the
/// temporary file is removed then, and what had the name before is untouched.
void write_checkpoint(const std::string& path, const Network& network, const Optimizer& optimizer,
                      const RunState& state, const RunIdentity& identity);

/// An open checkpoint.
class CheckpointReader {
 public:
  /// Verifies the digest first, unless the caller has just done so. Throws InputError.
  explicit CheckpointReader(const std::string& path, bool verify = true);
  ~CheckpointReader();
  CheckpointReader(CheckpointReader&&) noexcept;
  CheckpointReader& operator=(CheckpointReader&&) noexcept;

  [[nodiscard]] const std::string& path() const;
  [[nodiscard]] const ModelConfig& model() const;
  [[nodiscard]] const HeadConfig& head() const;
  [[nodiscard]] const RunState& state() const;
  [[nodiscard]] const RunIdentity& identity() const;

  struct TensorInfo {
    std::string name;
    std::vector<std::int64_t> shape;
  };
  /// The stored weights, sorted by name.
  [[nodiscard]] std::vector<TensorInfo> tensors() const;
  /// One weight as fp32. Throws InputError if there is none of that name.
  [[nodiscard]] std::vector<float> read_tensor(const std::string& name) const;

  /// Fills the network's weights (and their rounded copy). Names and shapes must match exactly: throws
  /// InputError that names each tensor missing, unknown or of another shape.
  void load_weights(ParameterStore& store) const;
  /// Fills the optimizer's state and update count; same demands.
  void load_optimizer(const ParameterStore& store, Optimizer& optimizer) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// "FOLDER/step-00000123.h5"
[[nodiscard]] std::string checkpoint_path(const std::string& folder, std::int64_t step);

struct CheckpointSearch {
  std::optional<std::string> path;    ///< the newest whole one
  std::vector<std::string> warnings;  ///< a sentence for each damaged one that was passed over
  bool any = false;                   ///< there was at least one file of that name
};
[[nodiscard]] CheckpointSearch find_newest_checkpoint(const std::string& folder);

/// Removes all checkpoints but the `keep` newest, and temporary files that a killed process left.
void prune_checkpoints(const std::string& folder, std::int64_t keep);

}  // namespace nystrom
