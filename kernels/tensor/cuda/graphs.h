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
  struct Slot {
    bool used = false;
    Owned<cudaGraphExec_t> graph;
  };
  [[nodiscard]] const Stream& stream() const { return context_.cuda()->stream(); }
  /// Whether the slot's graph now does what was recorded.
  [[nodiscard]] static bool update(const Slot& slot, const Recorded& recorded);

  const Context& context_;
  std::vector<Slot> slots_;
  Slot* recording_ = nullptr;
};

}  // namespace nystrom::cuda
