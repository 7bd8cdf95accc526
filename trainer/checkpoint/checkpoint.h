#pragma once
// Checkpoints: one HDF5 file each, with everything to resume a run and everything that other commands need of
// its model.
//
// Layout (docs/training.md): a header of 512 bytes (magic, size, validation loss, SHA-256), verified before
// HDF5 opens the file; `weights/<Hugging Face name>`; `optimizer/<state>/<name>`; `tokenizer`; `settings`;
// attributes for the counters, the seed, the configuration, and the model's shape (group `model`).

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/network.h"
#include "trainer/checkpoint/content.h"
#include "trainer/checkpoint/run_state.h"
#include "trainer/optimizer/optimizer.h"

namespace nystrom {

/// Reads the first bytes only. False if the file is not a checkpoint or cannot be read.
[[nodiscard]] bool is_checkpoint(const std::string& path);

/// Reads the whole file and compares its digest. Throws InputError, naming the file, if it is corrupt,
/// truncated, of a newer format, or not a checkpoint.
void verify_checkpoint(const std::string& path);

/// Validates the content of a checkpoint, except for its digest: attributes, model, names and sizes of
/// tensors, every value. Throws InputError where it is invalid. Memory: that of the largest tensor.
void check_checkpoint_content(const std::string& path);

/// Both, of a file that is not known to be ours: a digest detects corruption, not malice. The content is read
/// in a child process (data/hdf5/child_check.h), so call this before MPI. Throws InputError.
void check_foreign_checkpoint(const std::string& path);

/// Writes under a temporary name, flushes, reads back, calls `before_publishing`, renames. Throws Error if
/// any of it fails; the temporary file is removed then, and a previous file of that name is untouched. The
/// lock on HDF5 is released every megabyte, so that other threads can read.
void write_checkpoint(const std::string& path, const CheckpointContent& content,
                      const std::function<void()>& before_publishing = {});
void write_checkpoint(const std::string& path, const Network& network, const Optimizer& optimizer,
                      const RunState& state, const RunIdentity& identity);
/// The same, but a file that has come under that name meanwhile is not replaced: throws InputError.
void write_new_checkpoint(const std::string& path, const Network& network, const Optimizer& optimizer,
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

  /// From now on the averaged weights replace the weights. Refuses a checkpoint without them.
  void use_average();

  struct TensorInfo {
    std::string name;
    std::vector<std::int64_t> shape;
  };
  /// The stored weights, sorted by name.
  [[nodiscard]] std::vector<TensorInfo> tensors() const;
  /// One weight as fp32. Throws InputError if there is none of that name.
  [[nodiscard]] std::vector<float> read_tensor(const std::string& name) const;

  /// Validates names and shapes as load_weights does; the parameters need only be declared.
  void check_weights(const ParameterStore& declared) const;
  /// The same for the state of any optimizer, which some parameters may lack; reads all of it.
  void check_optimizer(const ParameterStore& declared) const;
  /// Fills the network's weights (and their rounded copy). Names and shapes must match exactly: throws
  /// InputError that names each tensor missing, unknown or of another shape.
  void load_weights(ParameterStore& store) const;
  /// Fills a flat tensor in `memory`, by the parameters' offsets, with one state of the optimizer, "exp_avg";
  /// same requirements.
  void load_state(std::string_view name, std::span<const Parameter> parameters, const Tensor& flat,
                  Memory& memory) const;
  /// Fills the optimizer's state, which must not be sharded, and its update count; same requirements.
  void load_optimizer(const ParameterStore& store, Optimizer& optimizer) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// "FOLDER/step-00000123.h5"
[[nodiscard]] std::string checkpoint_path(const std::string& folder, std::int64_t step);

struct CheckpointSearch {
  std::optional<std::string> path;    ///< the latest valid one
  std::vector<std::string> warnings;  ///< a sentence for each corrupt one that was skipped
  bool any = false;                   ///< there is at least one checkpoint file, valid or not
};
[[nodiscard]] CheckpointSearch find_newest_checkpoint(const std::string& folder);

/// Which checkpoints are kept.
struct KeepPolicy {
  std::int64_t newest = 3;  ///< the n newest
  std::int64_t every = 0;   ///< and every one whose step is a multiple; 0: none
  std::int64_t best = 0;    ///< and the n with the lowest validation loss
};

/// Removes the checkpoints up to `step`, which was just written, that the policy does not keep, and temporary
/// files that a killed process left. Corrupt ones, as far as their headers show, are not counted, so
/// that none goes before a good one has come in its place; files beyond `step` are left alone.
void prune_checkpoints(const std::string& folder, const KeepPolicy& keep, std::int64_t step);

}  // namespace nystrom
