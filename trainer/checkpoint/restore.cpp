#include "trainer/checkpoint/restore.h"

#include <optional>

#include "trainer/checkpoint/checkpoint.h"

namespace nystrom {
namespace {

constexpr std::string_view kContent = "the content of the checkpoint";

void broadcast_bytes(Comm& comm, void* address, std::size_t bytes) {
  comm.broadcast({static_cast<std::byte*>(address), bytes}, 0, kContent);
}

void broadcast_tensor(Comm& comm, const Tensor& tensor, Memory& memory) {
  if (comm.ranks() == 1) return;
  const HostValues values(tensor, memory);
  broadcast_bytes(comm, values.view().address, values.view().bytes());
  values.write_back();
}

/// Rank 0 reads one state after the other, so that it holds one whole state at a time.
void scatter_states(const std::optional<CheckpointReader>& reader, Comm& comm, const ParameterStore& store,
                    const Optimizer& optimizer) {
  for (const OptimizerState& state : optimizer.states()) {
    OwnedTensor whole;
    if (reader) {
      whole = OwnedTensor(state.values.dtype, {state.layout->partition().size()});
      reader->load_state(state.name, state.layout->parameters(), whole, Memory::host());
    }
    scatter_shards(comm, state.layout->partition(), whole, state.values, store.memory(), kContent);
  }
}

}  // namespace

RunState restore_checkpoint(const std::string& path, Comm& comm, ParameterStore& store,
                            Optimizer& optimizer) {
  const bool sharded = optimizer.partition().sharded();
  RunState state;
  std::optional<CheckpointReader> reader;  // on rank 0
  if (comm.rank() == 0) {
    reader.emplace(path);
    reader->load_weights(store);
    if (!sharded) reader->load_optimizer(store, optimizer);
    state = reader->state();
  }
  broadcast_bytes(comm, &state, sizeof state);
  broadcast_tensor(comm, store.weights(), store.memory());
  if (sharded)
    scatter_states(reader, comm, store, optimizer);
  else
    for (const OptimizerState& moment : optimizer.states())
      broadcast_tensor(comm, moment.values, store.memory());
  optimizer.set_updates(state.updates);
  store.refresh_copy();
  return state;
}

}  // namespace nystrom
