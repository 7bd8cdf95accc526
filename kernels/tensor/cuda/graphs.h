#pragma once
// Ops of a context as CUDA graphs (kernels/tensor/graphs.h), by capture of its stream.
// Checked against runs without through the emulation; not yet run on a GPU.

#include <type_traits>
#include <vector>

#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/graphs.h"

namespace nystrom::cuda {

class DeviceGraphs final : public OpGraphs {
 public:
  explicit DeviceGraphs(const Context& context) : context_(context) {}
  ~DeviceGraphs() override { abandon(); }

  void begin(std::size_t slot) override;
  void end() override;
  void abandon() noexcept override;

 private:
  struct Destroy {
    void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }
    void operator()(cudaGraphExec_t graph) const { cudaGraphExecDestroy(graph); }
  };
  template <class Handle>
  using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy>;
  using Recorded = Owned<cudaGraph_t>;
  /// What was recorded before with so many nodes.
  struct Made {
    std::size_t nodes = 0;
    Owned<cudaGraphExec_t> graph;
  };
  struct Slot {
    bool used = false;
    std::vector<Made> made;  // the latest used last; no two have as many nodes
  };
  /// Ops depend on the batch: whether a sequence attends exactly, is long, or which kernels a library takes.
  static constexpr std::size_t kMadeOfSlot = 4;

  [[nodiscard]] const Stream& stream() const { return context_.cuda()->stream(); }
  /// The slot's graph that does what was recorded.
  [[nodiscard]] static cudaGraphExec_t graph_of(Slot& slot, const Recorded& recorded);
  [[nodiscard]] static bool update(cudaGraphExec_t graph, const Recorded& recorded);

  const Context& context_;
  std::vector<Slot> slots_;
  Slot* recording_ = nullptr;
};

}  // namespace nystrom::cuda
