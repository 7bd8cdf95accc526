#pragma once
// Graphs of recorded ops: on a GPU a CUDA graph, which is launched at once.
//
//   const auto graphs = make_op_graphs(context);     // null: nothing is recorded here
//   {
//     RecordedOps ops(graphs.get(), 0);
//     network.forward(context, ...);                 // recorded
//     ops.interrupt([&] { ... });                    // what came before is started; this is not recorded
//     network.backward(context, ...);
//     ops.finish();
//   }
//
// A piece has a slot, by its place in a step. A slot's ops are recorded each time, since their sizes and
// addresses differ; a graph that was made of as many kernels is updated to them, and where there is none, or
// the kernels are others, a new one is made. A slot keeps a few. The first time they run unrecorded, so that
// libraries have loaded what they need. While ops are recorded the host must wait for nothing of the device
// and upload nothing.

#include <cstddef>
#include <memory>

#include "kernels/tensor/context.h"

namespace nystrom {

class OpGraphs {
 public:
  OpGraphs() = default;
  virtual ~OpGraphs() = default;
  OpGraphs(const OpGraphs&) = delete;
  OpGraphs& operator=(const OpGraphs&) = delete;

  /// Ops of the context are recorded from here on, as those of this slot.
  virtual void begin(std::size_t slot) = 0;
  /// They are started. The same work, in the same order, as if they had not been recorded.
  virtual void end() = 0;
  /// What is being recorded, if anything, is thrown away.
  virtual void abandon() noexcept = 0;
};

/// For ops of this context, which must outlive it. Null on the CPU, and where
/// NYSTROM_CUDA_SYNCHRONOUS makes the host wait after each kernel. While the context has a profile nothing is
/// recorded.
[[nodiscard]] std::unique_ptr<OpGraphs> make_op_graphs(const Context& context);

/// Ops recorded in one piece, or in several with something else in between. Without graphs they just run.
class RecordedOps {
 public:
  /// The pieces take the slots from `first_slot` on.
  RecordedOps(OpGraphs* graphs, std::size_t first_slot) : graphs_(graphs), slot_(first_slot) { begin(); }
  ~RecordedOps() {
    if (graphs_ != nullptr) graphs_->abandon();  // after finish() there is nothing
  }
  RecordedOps(const RecordedOps&) = delete;
  RecordedOps& operator=(const RecordedOps&) = delete;

  template <class Function>
  void interrupt(const Function& function) {
    finish();
    function();
    begin();
  }
  void finish() {
    if (graphs_ != nullptr) graphs_->end();
  }

 private:
  void begin() {
    if (graphs_ != nullptr) graphs_->begin(slot_++);
  }

  OpGraphs* graphs_;
  std::size_t slot_;
};

}  // namespace nystrom
