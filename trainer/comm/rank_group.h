#pragma once
// Groups of neighbouring ranks that share the sequences of a batch (`communication.sequence_ranks`).

#include <cstdint>
#include <vector>

#include "kernels/sequence_group.h"
#include "trainer/comm/comm.h"
#include "trainer/comm/gpu_collectives.h"

namespace nystrom {

/// The group of this rank: ranks [i N, (i + 1) N) are group i. A message that does not come throws
/// CommTimeout, as a collective does.
class RankGroup final : public SequenceGroup {
 public:
  /// `ranks` N divides comm.ranks(). `comm` outlives this.
  RankGroup(Comm& comm, int ranks);
  /// From here on messages are of a GPU's memory, and `device` carries them; it outlives this. Null: of the
  /// host's.
  void use(DeviceReduction* device) { device_ = device; }

  [[nodiscard]] int rank() const override { return comm_.rank() - first_; }
  [[nodiscard]] int ranks() const override { return ranks_; }
  void send(std::span<const std::byte> bytes, int to) override;
  void receive(std::span<std::byte> bytes, int from) override;
  void finish() override;

  /// Number of this group, and how many there are.
  [[nodiscard]] int index() const { return first_ / ranks_; }
  [[nodiscard]] int groups() const { return comm_.ranks() / ranks_; }
  /// That this rank has sent so far.
  [[nodiscard]] std::int64_t bytes_sent() const { return bytes_sent_; }

 private:
  Comm& comm_;
  int ranks_, first_;
  DeviceReduction* device_ = nullptr;
  std::vector<Comm::Ticket> sent_;       // not waited for
  std::vector<DeviceMessage> messages_;  // of this exchange
  std::int64_t bytes_sent_ = 0;
};

}  // namespace nystrom
