#pragma once
// An attention case of the host (tests/support/attention/attention_case.h) run on the device.

#include "attention/attention_case.h"
#include "on_device.h"

namespace nystrom::testing {

template <class T>
class AttentionOnDevice {
 public:
  /// Takes over the inputs of `host`; its convolution's gradient begins as `d_filter`.
  explicit AttentionOnDevice(const AttentionCase<T>& host, float d_filter = 0) : options_(host.options()) {
    const AttentionInputs args = host.arguments().inputs;
    sequences_ = args.sequences;
    offsets_ = device_.copy(args.sequences.offsets);
    lengths_ = device_.copy(args.sequences.lengths);
    sequences_.offsets = offsets_;
    sequences_.lengths = lengths_;
    samples_ = device_.copy(args.keys.samples);
    positions_ = device_.copy(args.keys.positions);
    dropout_ = args.dropout;
    qkv_ = device_.copy(args.qkv);
    filter_ = device_.copy(args.conv_weight);
    out_ = device_.like(args.out);
    d_out_ = device_.copy(host.d_out());
    d_qkv_ = device_.like(host.d_qkv());
    if (options_.config.taps > 0)
      d_filter_ =
          device_.copy(std::vector<float>(static_cast<std::size_t>(args.conv_weight.numel()), d_filter));
    AttentionLimits limits = host.limits();
    limits.cuda = true;
    arena_ = Arena::planned(
        [&](Planner& planner) {
          plan_case(planner, options_.config, dtype_of<T>(), limits, saved_, workspace_);
        },
        device_.cuda().memory());
  }

  void forward() { arguments().forward(device_.context()); }
  void backward() { arguments().backward(device_.context()); }

  OwnedTensor out() { return device_.fetch(out_); }
  OwnedTensor d_qkv() { return device_.fetch(d_qkv_); }
  OwnedTensor d_filter() { return device_.fetch(d_filter_); }
  OwnedTensor residuals() { return device_.fetch(saved_.residuals); }
  OwnedTensor pinv() { return device_.fetch(saved_.pinv); }
  Context& context() { return device_.context(); }
  [[nodiscard]] CudaContext& cuda() { return device_.cuda(); }

 private:
  [[nodiscard]] CaseArguments arguments() const {
    return {.config = options_.config,
            .inputs = {.heads = options_.config.heads,
                       .sequences = sequences_,
                       .qkv = qkv_,
                       .conv_weight = filter_,
                       .dropout = dropout_,
                       .keys = {samples_, positions_},
                       .workspace = workspace_,
                       .out = out_,
                       .spans = options_.spans},
            .saved = saved_,
            .gradients = {.d_out = d_out_, .d_qkv = d_qkv_, .d_conv_weight = d_filter_}};
  }

  CaseOptions options_;
  OnDevice device_;
  Sequences sequences_;
  Dropout dropout_;
  DeviceTensor offsets_, lengths_, samples_, positions_, qkv_, filter_, out_, d_out_, d_qkv_, d_filter_;
  Arena arena_;
  NystromSaved saved_;
  Tensor workspace_;
};

}  // namespace nystrom::testing
