#pragma once
// Test case of an attention kind besides nystrom and softmax (attention_case.h): a packed batch of random
// projections with all arguments of its op, on the CPU or on a GPU.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/attention/linear.h"
#include "kernels/attention/linformer.h"
#include "kernels/attention/longformer.h"
#include "kernels/attention/performer.h"
#include "kernels/attention/reformer.h"
#include "kernels/attention/value.h"
#include "kernels/core/philox.h"
#include "kernels/tensor/buffer.h"
#include "kernels/tensor/device.h"

namespace nystrom::testing {

enum class Kind { kValue, kLinear, kLongformer, kLinformer, kPerformer, kReformer };
inline constexpr Kind kKinds[] = {Kind::kValue,     Kind::kLinear,    Kind::kLongformer,
                                  Kind::kLinformer, Kind::kPerformer, Kind::kReformer};

struct KindOptions {
  Kind kind = Kind::kValue;
  std::vector<std::int32_t> rows{23};
  std::int64_t heads = 2, width = 8, taps = 5;
  std::int64_t window = 8;
  bool global = false;
  std::int64_t projection = 6;
  bool shared = false;  ///< one projection of keys and values
  bool gaps = false;    ///< positions that are not the index
  std::int64_t features = 10;
  std::int64_t hashes = 2, chunk = 8, buckets = 5;
  double dropout = 0;
  int threads = 1;
};

/// T: activation dtype.
template <class T>
class KindCase {
 public:
  using C = Compute<T>;

  explicit KindCase(const KindOptions& options, const Device& device = {})
      : options_(options), device_(device), context_(device_.context(options.threads)) {
    describe_sequences();
    const std::int64_t tokens = sequences_.tokens, channels = options.heads * options.width;
    qkv_ = random<T>({tokens, projections() * channels}, 1.2, 1);
    out_ = OwnedTensor(dtype_of<T>(), {tokens, channels}, memory());
    d_out_ = random<T>({tokens, channels}, 1.0, 2);
    d_qkv_ = OwnedTensor(dtype_of<T>(), qkv_.view().shape, memory());
    if (options.taps > 0) {
      filter_ = random<C>({options.heads, options.taps}, 0.3, 3);
      d_filter_ = OwnedTensor(dtype_of<C>(), filter_.view().shape, memory());
    }
    if (options.kind == Kind::kLinformer) make_projections();
    if (options.kind == Kind::kPerformer)
      features_ = random<C>({options.heads, options.features, options.width}, 1.0, 6);
    if (options.kind == Kind::kReformer) draw_buckets();
    arena_ = Arena::planned([&](Planner& planner) { plan(planner); }, memory());
  }

  void forward() {
    switch (options_.kind) {
      case Kind::kValue:
        return value_attention_forward(context_, inputs());
      case Kind::kLinear:
        return linear_attention_forward(context_, {inputs(), state_});
      case Kind::kLongformer:
        return longformer_attention_forward(context_, longformer());
      case Kind::kLinformer:
        return linformer_attention_forward(context_, linformer());
      case Kind::kPerformer:
        return performer_attention_forward(context_, {inputs(), features_, performer_});
      case Kind::kReformer:
        return reformer_attention_forward(context_, reformer());
    }
  }
  void backward() {
    for (const OwnedTensor* gradient : {&d_filter_, &d_key_, &d_value_}) clear(gradient->view());
    const AttentionGradients gradients{d_out_, d_qkv_, d_filter_};
    switch (options_.kind) {
      case Kind::kValue:
        return value_attention_backward(context_, inputs(), gradients);
      case Kind::kLinear:
        return linear_attention_backward(context_, {inputs(), state_}, gradients);
      case Kind::kLongformer:
        return longformer_attention_backward(context_, longformer(), gradients);
      case Kind::kLinformer:
        return linformer_attention_backward(context_, linformer(), gradients, {d_key_, d_value_});
      case Kind::kPerformer:
        return performer_attention_backward(context_, {inputs(), features_, performer_}, gradients);
      case Kind::kReformer:
        return reformer_attention_backward(context_, reformer(), gradients);
    }
  }
  /// sum(out * d_out) after a forward, on the CPU.
  double loss() {
    forward();
    double sum = 0;
    const auto y = out().template span<T>(), g = d_out().template span<T>();
    for (std::size_t i = 0; i < y.size(); ++i) sum += static_cast<double>(y[i]) * static_cast<double>(g[i]);
    return sum;
  }
  /// Copies all random values of a case of the same shape on the CPU.
  template <class U>
  void copy_inputs(const KindCase<U>& from) {
    copy<U, T>(from.qkv(), qkv());
    copy<U, T>(from.d_out(), d_out());
    copy<Compute<U>, C>(from.filter(), filter());
    copy<Compute<U>, C>(from.key(), key());
    copy<Compute<U>, C>(from.value(), value());
    copy<Compute<U>, C>(from.features(), features());
  }

  [[nodiscard]] std::int64_t projections() const {
    return options_.kind == Kind::kValue ? 1 : options_.kind == Kind::kReformer ? 2 : 3;
  }
  [[nodiscard]] const KindOptions& options() const { return options_; }
  [[nodiscard]] const Tensor& qkv() const { return qkv_.view(); }
  [[nodiscard]] const Tensor& out() const { return out_.view(); }
  [[nodiscard]] const Tensor& d_out() const { return d_out_.view(); }
  [[nodiscard]] const Tensor& d_qkv() const { return d_qkv_.view(); }
  [[nodiscard]] const Tensor& filter() const { return filter_.view(); }
  [[nodiscard]] const Tensor& d_filter() const { return d_filter_.view(); }
  [[nodiscard]] const Tensor& key() const { return key_.view(); }
  [[nodiscard]] const Tensor& value() const { return value_.view(); }
  [[nodiscard]] const Tensor& d_key() const { return d_key_.view(); }
  [[nodiscard]] const Tensor& d_value() const { return d_value_.view(); }
  [[nodiscard]] const Tensor& features() const { return features_.view(); }
  [[nodiscard]] const std::vector<std::int32_t>& positions() const { return host_positions_; }
  /// [r, H, T]
  [[nodiscard]] std::vector<std::int32_t>& buckets() { return host_buckets_; }
  void upload_buckets() { put(host_buckets_, buckets_); }
  [[nodiscard]] const Sequences& sequences() const { return sequences_; }
  [[nodiscard]] Context& context() { return context_; }
  [[nodiscard]] Memory& memory() const { return context_.memory(); }

 private:
  template <class E>
  static void put_into(const Memory& memory, const std::vector<E>& values, const Tensor& to) {
    if (!values.empty()) memory.write(to.address, values.data(), to.bytes());
  }
  template <class E>
  void put(const std::vector<E>& values, OwnedTensor& to) {
    if (to.view().empty()) to = OwnedTensor(dtype_of<E>(), {std::ssize(values)}, memory());
    put_into(memory(), values, to);
  }
  void clear(const Tensor& tensor) {
    if (tensor.empty()) return;
    const std::vector<std::byte> zeros(tensor.bytes());
    memory().write(tensor.address, zeros.data(), zeros.size());
  }
  template <class From, class To>
  void copy(const Tensor& from, const Tensor& to) {
    if (from.empty()) return;
    std::vector<To> values;
    for (const From x : from.template span<From>())
      values.push_back(static_cast<To>(static_cast<Compute<To>>(static_cast<double>(x))));
    put_into(memory(), values, to);
  }
  template <class E>
  OwnedTensor random(Shape shape, double size, std::uint64_t what) {
    OwnedTensor x(dtype_of<E>(), shape, memory());
    Random draws(1, Purpose::kTest, what);
    std::vector<E> values(static_cast<std::size_t>(shape.numel()));
    for (E& value : values) value = static_cast<E>(static_cast<Compute<E>>(size * draws.normal()));
    put_into(memory(), values, x);
    return x;
  }

  void describe_sequences() {
    std::vector<std::int32_t> offsets{0};
    std::vector<std::int64_t> samples;
    sequences_.count = std::ssize(options_.rows);
    for (const std::int32_t rows : options_.rows) {
      for (std::int32_t i = 0; i < rows; ++i) {
        samples.push_back(7 + std::ssize(offsets));
        indexes_host_.push_back(i);
        host_positions_.push_back(options_.gaps ? 3 * i / 2 + 1 : i);
      }
      offsets.push_back(offsets.back() + rows);
      sequences_.longest = std::max<std::int64_t>(sequences_.longest, rows);
    }
    sequences_.tokens = offsets.back();
    put(offsets, offsets_);
    put(options_.rows, lengths_);
    put(samples, samples_);
    put(indexes_host_, indexes_);
    put(host_positions_, positions_);
    sequences_.offsets = offsets_;
    sequences_.lengths = lengths_;
  }
  void make_projections() {
    const Shape shape{options_.heads, options_.projection, 3 * sequences_.longest / 2 + 2};
    key_ = random<C>(shape, 0.3, 4);
    d_key_ = OwnedTensor(dtype_of<C>(), shape, memory());
    if (options_.shared) return;
    value_ = random<C>(shape, 0.3, 5);
    d_value_ = OwnedTensor(dtype_of<C>(), shape, memory());
  }
  void draw_buckets() {
    Random draws(1, Purpose::kTest, 7);
    host_buckets_.resize(static_cast<std::size_t>(options_.hashes * options_.heads * sequences_.tokens));
    auto to = host_buckets_.begin();
    for (std::int64_t table = 0; table < options_.hashes * options_.heads; ++table)
      for (const std::int32_t rows : options_.rows)
        for (std::int32_t i = 0; i < rows; ++i)
          *to++ = static_cast<std::int32_t>(draws.below(
              static_cast<std::uint64_t>(std::min<std::int64_t>(options_.buckets, 2 * rows + 2))));
    upload_buckets();
  }

  [[nodiscard]] AttentionLimits limits() const {
    return {.batch = sequences_.count,
            .tokens = sequences_.tokens,
            .longest = sequences_.longest,
            .channels = options_.heads * options_.width,
            .heads = options_.heads,
            .taps = options_.taps,
            .threads = options_.threads,
            .cuda = device_.is_gpu()};
  }
  void plan(Planner& planner) {
    const DType type = dtype_of<T>();
    switch (options_.kind) {
      case Kind::kValue:
        workspace_ = plan_value_attention_workspace(planner, type, limits());
        return;
      case Kind::kLinear:
        state_ = plan_linear_attention_state(planner, type, limits());
        workspace_ = plan_linear_attention_workspace(planner, type, limits());
        return;
      case Kind::kLongformer:
        row_stats_ = plan_longformer_attention_stats(planner, type, limits());
        workspace_ = plan_longformer_attention_workspace(planner, type, limits());
        return;
      case Kind::kLinformer:
        linformer_ = LinformerSaved::plan(planner, options_.projection, type, limits());
        workspace_ = plan_linformer_attention_workspace(planner, options_.projection, type, limits());
        return;
      case Kind::kPerformer:
        performer_ = PerformerSaved::plan(planner, options_.features, type, limits());
        workspace_ = plan_performer_attention_workspace(planner, options_.features, type, limits());
        return;
      case Kind::kReformer:
        row_stats_ = plan_reformer_attention_stats(planner, type, limits());
        workspace_ =
            plan_reformer_attention_workspace(planner, options_.hashes, options_.chunk, type, limits());
        return;
    }
  }

  [[nodiscard]] AttentionInputs inputs() const {
    return {.heads = options_.heads,
            .sequences = sequences_,
            .qkv = qkv_,
            .conv_weight = filter_,
            .dropout = {options_.dropout, 1, 3},
            .keys = {samples_, indexes_},
            .workspace = workspace_,
            .out = out_};
  }
  [[nodiscard]] LongformerAttention longformer() const {
    return {.window = options_.window,
            .global_tokens = options_.global ? GlobalTokens::kFirst : GlobalTokens::kNone,
            .inputs = inputs(),
            .row_stats = row_stats_};
  }
  [[nodiscard]] LinformerAttention linformer() const {
    return {.inputs = inputs(),
            .positions = positions_,
            .projection_key = key_,
            .projection_value = value_,
            .saved = linformer_};
  }
  [[nodiscard]] ReformerAttention reformer() const {
    return {.chunk = options_.chunk,
            .inputs = inputs(),
            .buckets = buckets_.view().reshaped({options_.hashes, options_.heads, sequences_.tokens}),
            .row_stats = row_stats_};
  }

  KindOptions options_;
  Device device_;
  Context context_;
  Sequences sequences_;
  std::vector<std::int32_t> indexes_host_, host_positions_, host_buckets_;
  OwnedTensor offsets_, lengths_, samples_, indexes_, positions_, buckets_;
  OwnedTensor qkv_, out_, d_out_, d_qkv_, filter_, d_filter_, key_, value_, d_key_, d_value_, features_;
  Arena arena_;
  Tensor state_, row_stats_, workspace_;
  LinformerSaved linformer_;
  PerformerSaved performer_;
};

}  // namespace nystrom::testing
