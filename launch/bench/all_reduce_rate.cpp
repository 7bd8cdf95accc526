#include "launch/bench/all_reduce_rate.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace nystrom {
namespace {

constexpr int kWarmUps = 2;  // the first connects NCCL
constexpr std::size_t kTimes = 7;

double seconds_of_one(const Context& context, Comm& comm, DeviceReduction* reduction, const Tensor& values) {
  comm.barrier("the measurement of the all-reduce");
  const auto start = std::chrono::steady_clock::now();
  if (reduction == nullptr) {
    comm.all_reduce(values, "the measurement of the all-reduce");
  } else {
    reduction->start(values);
    reduction->finish();
    reduction->synchronize(0, "the measurement of the all-reduce");
    context.synchronize();
  }
  const double mine = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::vector<double> all(static_cast<std::size_t>(comm.ranks()));
  comm.all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)),
                  "the times of an all-reduce");
  return *std::ranges::max_element(all);
}

}  // namespace

std::vector<AllReduceRate> measure_all_reduce(const Device& device, Comm& comm,
                                              const std::vector<std::int64_t>& sizes,
                                              const ReductionOptions& options) {
  NYSTROM_CHECK(comm.ranks() > 1, "an all-reduce needs several ranks, not {}", comm.ranks());
  const Context context = device.context(1);
  std::vector<AllReduceRate> rates;
  for (const std::int64_t bytes : sizes) {
    // One reduction per size: it allocates staging memory for the first size that it gets.
    const auto reduction = make_device_reduction(device, comm, options);
    const OwnedTensor values(DType::kF32, {bytes / 4}, context.memory());  // zeros stay zeros
    for (int i = 0; i < kWarmUps; ++i) (void)seconds_of_one(context, comm, reduction.get(), values);
    std::array<double, kTimes> times{};
    for (double& time : times) time = seconds_of_one(context, comm, reduction.get(), values);
    std::ranges::sort(times);
    const double seconds = times[kTimes / 2], ranks = comm.ranks();
    const std::string kind = reduction == nullptr         ? std::string(comm.kind())
                             : reduction->kind() == "mpi" ? "mpi through the host"
                                                          : std::string(reduction->kind());
    rates.push_back({kind, bytes, seconds, 2 * (ranks - 1) / ranks * static_cast<double>(bytes) / seconds});
  }
  return rates;
}

}  // namespace nystrom
