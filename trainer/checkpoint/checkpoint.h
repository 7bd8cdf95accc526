#pragma once
// A checkpoint is one HDF5 file: all that a run needs to go on, and all that other commands need of its
// model.
//
// Layout (docs/training.md): user block of 512 bytes (magic, size, validation loss, SHA-256 of all), checked
// before HDF5 sees the file; `weights/<Hugging Face name>`; `optimizer/<state>/<name>`; `tokenizer`;
// `settings`; attributes for the counters, the seed, the configuration, and the model's shape (group
// `model`).

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/network.h"
#include "trainer/checkpoint/content.h"
#include "trainer/checkpoint/run_state.h"
#include "trainer/optimizer/optimizer.h"

namespace nystrom {

/// Cheap: looks at the first bytes only. False for what is no checkpoint or cannot be read.
[[nodiscard]] bool is_checkpoint(const std::string& path);

/// Reads the whole file and compares its digest. Throws InputError, naming the file, if it is damaged,
/// truncated, of a newer format, or no checkpoint.
void verify_checkpoint(const std::string& path);

/// Reads all that is in a checkpoint, but for its digest, and refuses what is not as it should be:
/// attributes, model, names and sizes of tensors, every value. Takes no more memory than the largest tensor.
void check_checkpoint_content(const std::string& path);

/// Writes under a temporary name, flushes, reads back, calls `before_publishing`, renames. Throws Error if
/// any of it fails; the temporary file is removed then, and what had the name before is untouched. Other
/// threads that use HDF5 have their turn every megabyte.
void write_checkpoint(const std::string& path, const CheckpointContent& content,
                      const std::function<void()>& before_publishing = {});
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

  /// Refuses, as load_weights does, weights that do not fit; the parameters need only be declared.
  void check_weights(const ParameterStore& declared) const;
  /// The same for the optimizer's state, whatever optimizer it is of; reads all of it.
  void check_optimizer(const ParameterStore& declared) const;
  /// Fills the network's weights (and their rounded copy). Names and shapes must match exactly: throws
  /// InputError that names each tensor missing, unknown or of another shape.
  void load_weights(ParameterStore& store) const;
  /// Fills a flat tensor in `memory` with one state of the optimizer, "exp_avg"; same demands.
  void load_state(const ParameterStore& store, std::string_view name, const Tensor& flat,
                  Memory& memory) const;
  /// Fills the optimizer's state, which must be whole, and update count; same demands.
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

/// Which checkpoints stay.
struct KeepPolicy {
  std::int64_t newest = 3;  ///< so many of the newest
  std::int64_t every = 0;   ///< and those of steps that this divides, for ever; 0: none
  std::int64_t best = 0;    ///< and so many with the least validation loss
};

/// Removes the checkpoints up to `step`, which was just written, that the policy does not keep, and temporary
/// files that a killed process left. Corrupt ones, as far as their headers tell, are not counted, so
/// that none goes before a good one has come in its place; files beyond `step` are left alone.
void prune_checkpoints(const std::string& folder, const KeepPolicy& keep, std::int64_t step);

}  // namespace nystrom
