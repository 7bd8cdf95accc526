#pragma once
// Compute session: a network on a device, with the context that runs it and the buffer of its batches.
//
//   ComputeSession session(device, threads, {.model = model, .head = head});
//   session.plan(limits);
//   session.network.forward(session.context, session.upload(arrays), Pass{}, LossScales{});

#include <optional>

#include "kernels/tensor/device.h"
#include "model/network.h"

namespace nystrom {

struct NetworkOptions {
  const ModelConfig& model;
  HeadConfig head;
  DType precision = DType::kF32;
  bool training = false;  ///< with gradients
};

struct ComputeSession {
  Device device;
  Context context;
  Network network;
  BatchLimits limits = {};  ///< that plan() was called with

  ComputeSession(Device on, int threads, const NetworkOptions& options)
      : device(std::move(on)),
        context(device.context(threads)),
        network(options.model, options.head, options.precision, options.training, context.memory()) {}
  ComputeSession(const ComputeSession&) = delete;
  ComputeSession& operator=(const ComputeSession&) = delete;

  /// Allocates activations and batch buffer for micro-batches within `limits`.
  void plan(const BatchLimits& batch_limits, bool recompute = false) {
    limits = batch_limits;
    network.plan(limits, context.host_threads(), recompute);
    buffer_.emplace(limits, context);
  }
  /// Views of the batch, valid until the next upload. Precondition: plan().
  const Batch& upload(const BatchArrays& arrays) { return buffer_.value().upload(arrays); }
  [[nodiscard]] BatchBuffer& buffer() { return buffer_.value(); }

 private:
  std::optional<BatchBuffer> buffer_;
};

}  // namespace nystrom
