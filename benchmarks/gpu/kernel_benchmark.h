#pragma once
// Shared by the parts of kernel_benchmark: device tensors, and the measurement of one op.

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "kernels/core/philox.h"
#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/kernel_times.h"

namespace nystrom {

struct Options {
  std::int64_t tokens = 16384;
  int repeats = 20;
  std::string json;
  bool small = false;
};

struct Sizes {
  std::int64_t tokens, channels = 768, width = 3072, vocabulary = 30000, masked, sequence = 512;
  std::int64_t parameters = 110'000'000, flush_bytes = std::int64_t{256} << 20;
  std::vector<std::int64_t> lengths{512, 4096};  ///< of the sequences of attention

  explicit Sizes(const Options& o) : tokens(o.tokens), masked(std::min<std::int64_t>(2048, o.tokens)) {
    if (!o.small) return;
    tokens = 70, channels = 64, width = 128, vocabulary = 300, masked = 12, sequence = 35;
    parameters = 10'000, flush_bytes = 1 << 16, lengths = {70};
  }
};

struct Result {
  std::string name, shape;
  double median_us = 0, fastest_us = 0, slowest_us = 0;
  OpCount count = {};  ///< of one call: its operations and bytes; none of a kernel by name
};

class Benchmark {
 public:
  Benchmark(const Options& options, const Sizes& sizes)
      : options_(options),
        cuda_(0, /*time_products=*/true),
        context_(1, &cuda_),
        flush_(static_cast<std::size_t>(sizes.flush_bytes), cuda_.memory()) {}

  [[nodiscard]] Context& context() { return context_; }
  [[nodiscard]] CudaContext& cuda() { return cuda_; }
  [[nodiscard]] const CudaContext& cuda() const { return cuda_; }
  [[nodiscard]] const std::vector<Result>& results() const { return results_; }

  /// A tensor of the device, zeroed, that lives as long as this.
  Tensor tensor(DType type, Shape shape) {
    owned_.emplace_back(type, shape, cuda_.memory());
    return owned_.back();
  }
  /// One with normal numbers, a million of them again and again: a product of zeros would draw less power and
  /// run faster than one of numbers.
  Tensor random(DType type, Shape shape) {
    const Tensor out = tensor(type, shape);
    constexpr std::size_t kPattern = 1 << 20;
    if (pattern_.empty()) {
      Random random(1, Purpose::kTest, 0);
      for (std::size_t i = 0; i < kPattern; ++i) pattern_.push_back(static_cast<float>(random.normal()));
    }
    const std::size_t count = static_cast<std::size_t>(out.numel()), size = size_of(type);
    std::vector<BF16> narrow(pattern_.begin(), pattern_.end());
    const void* from = type == DType::kBF16 ? static_cast<const void*>(narrow.data()) : pattern_.data();
    for (std::size_t begin = 0; begin < count; begin += kPattern)
      cuda::copy_to_device(cuda_.stream(), static_cast<std::byte*>(out.address) + begin * size, from,
                           std::min(kPattern, count - begin) * size);
    cuda_.stream().synchronize();
    return out;
  }
  /// One with values in [0, limit).
  Tensor numbers(DType type, std::int64_t count, std::int64_t limit) {
    std::vector<std::int32_t> narrow(static_cast<std::size_t>(count));
    std::vector<std::int64_t> wide(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < narrow.size(); ++i) {
      wide[i] = static_cast<std::int64_t>(i) * 7919 % limit;
      narrow[i] = static_cast<std::int32_t>(wide[i]);
    }
    const Tensor out = tensor(type, {count});
    const void* from = type == DType::kI64 ? static_cast<const void*>(wide.data()) : narrow.data();
    cuda::copy_to_device(cuda_.stream(), out.address, from, out.bytes());
    cuda_.stream().synchronize();
    return out;
  }

  /// One with these values.
  Tensor values(const std::vector<std::int32_t>& host) {
    const Tensor out = tensor(DType::kI32, {static_cast<std::int64_t>(host.size())});
    cuda_.memory().write(out.address, host.data(), out.bytes());
    return out;
  }

  /// Measures `op`, whose bytes and operations are those of its OpScopes.
  void measure(const std::string& name, const std::string& shape, const std::function<void()>& op) {
    Profile profile;
    context_.set_profile(&profile);
    op();
    context_.set_profile(nullptr);
    OpCount all;
    for (const auto& [part, count] : profile) {
      all.bytes += count.bytes;
      all.flops += count.flops;
      all.fp32_flops += count.fp32_flops;
    }
    measure(name, shape, all, op);
  }
  void measure(const std::string& name, const std::string& shape, const OpCount& count,
               const std::function<void()>& op) {
    std::vector<double> times;
    for (int repeat = -3; repeat < options_.repeats; ++repeat) {
      cuda::check(cudaMemsetAsync(flush_.data(), 0, flush_.bytes(), cuda_.stream()),
                  "overwriting the L2 cache");
      cuda_.stream().record(start_);
      op();
      cuda_.stream().record(stop_);
      stop_.synchronize();
      if (repeat >= 0) times.push_back(1000 * stop_.milliseconds_since(start_));
    }
    std::ranges::sort(times);
    results_.push_back({name, shape, times[times.size() / 2], times.front(), times.back(), count});
  }
  /// The kernels and products that `op` starts, by name: the mean of the repeats, of all calls of one `op`
  /// together.
  void measure_kernels(const std::string& shape, const std::function<void()>& op) {
    KernelTimes times;
    {
      const KernelTiming timing(context_);
      for (int repeat = 0; repeat < options_.repeats; ++repeat) op();
      times = timing.read();
    }
    for (const auto& [name, time] : times) {
      const double us = 1e6 * time.seconds / options_.repeats;
      results_.push_back({"  " + name, shape, us, us, us});
    }
  }

 private:
  const Options& options_;
  CudaContext cuda_;
  Context context_;
  Buffer flush_;
  cuda::Event start_{cuda::Event::Timing::kOn}, stop_{cuda::Event::Timing::kOn};
  std::vector<OwnedTensor> owned_;
  std::vector<float> pattern_;
  std::vector<Result> results_;
};

/// Attention of each length, forward and backward, and its kernels by name.
void measure_attention(Benchmark& b, const Sizes& s);

}  // namespace nystrom
