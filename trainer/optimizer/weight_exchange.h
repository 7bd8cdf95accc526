#pragma once
// ZeRO-1: each rank has updated its shard of the weights; how the others get it.
//
// With bf16 activations, passes read weights of linear layers rounded, so these are all-gathered in bf16: a
// base model's ranks receive 2.4 bytes a weight instead of 4. Tables, biases and normalizations stay fp32.
// The fp32 weights of other ranks' linear layers are out of date then, until complete(); the bits of passes,
// updates and checkpoints are those of an exchange in fp32.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/tensor/buffer.h"
#include "model/parameters/parameters.h"
#include "trainer/comm/comm.h"
#include "trainer/comm/gpu_collectives.h"
#include "trainer/optimizer/zero_partition.h"

namespace nystrom {

class WeightExchange {
 public:
  /// All arguments must outlive it. `device`: for weights on a GPU, instead of `comm`. With one shard nothing
  /// is exchanged.
  WeightExchange(Context& context, Comm& comm, DeviceReduction* device, ParameterStore& store,
                 const ZeroPartition& partition);

  /// After an update or a swap of this rank's shard: every rank has what passes read, the rounded copy
  /// included. `step` is for messages. Collective.
  void share(std::int64_t step);
  /// Every rank has all weights; at once if it has. Before a checkpoint, or where fp32 weights are read in
  /// another way. Collective.
  void complete(std::int64_t step);

  /// The rounded copy of this rank's shard, where there is one: what share() begins with.
  void round_shard();

  /// What is the same on all ranks after share(): all weights, or all that passes read; until the next call.
  [[nodiscard]] std::vector<Tensor> shared();

 private:
  /// Elements [begin, end) of the flat tensors.
  struct Range {
    std::int64_t begin, end;
    [[nodiscard]] Tensor of(const Tensor& flat) const { return flat.rows(begin, end - begin); }
  };

  void plan();
  void list_small(const std::vector<Range>& small);
  void gather(const Tensor& values, std::span<const std::int64_t> begins);
  void gather_range(const Tensor& flat, const Range& range);
  void gather_small();
  [[nodiscard]] Tensor column() const { return store_.weights().reshaped({store_.flat_size(), 1}); }
  [[nodiscard]] bool rounds() const { return !rounded_.empty(); }

  Context& context_;
  Comm& comm_;
  DeviceReduction* device_;
  ParameterStore& store_;
  const ZeroPartition& partition_;
  std::vector<Range> rounded_;  // exchanged as the rounded copy; empty: everything is in fp32
  std::vector<Range> exact_;    // long runs without linear layers, in fp32
  /// Single values of fp32 within rounded_: where they are, and their shards.
  OwnedTensor small_rows_;                  // [S] int32
  OwnedTensor small_;                       // [S, 1]
  std::vector<std::int64_t> small_begins_;  // [ranks + 1]
  bool complete_ = true;
};

}  // namespace nystrom
