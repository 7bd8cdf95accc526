// The kinds of attention besides nystrom and softmax on the GPU, against the CPU.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <string>

#include "attention/kind_case.h"

namespace nystrom::testing {
namespace {

std::vector<KindOptions> all_kinds() {
  std::vector<KindOptions> all;
  for (const Kind kind : kKinds) all.push_back({.kind = kind, .rows = {70, 9, 1, 131, 8}});
  all.push_back({.kind = Kind::kLongformer, .rows = {200, 5, 64, 1}, .window = 20, .global = true});
  all.push_back({.kind = Kind::kLongformer, .rows = {71, 13}, .window = 40, .dropout = 0.3});
  all.push_back(
      {.kind = Kind::kLinformer, .rows = {70, 9, 130}, .projection = 40, .shared = true, .gaps = true});
  all.push_back({.kind = Kind::kReformer, .rows = {150, 70, 2}, .hashes = 3, .chunk = 70, .buckets = 300});
  all.push_back({.kind = Kind::kPerformer, .rows = {600, 40}, .heads = 1, .taps = 0, .features = 70});
  all.push_back({.kind = Kind::kLinear, .rows = {600, 40}, .heads = 1, .width = 40, .taps = 0});
  return all;
}

template <class T>
double distance(const Tensor& a, const Tensor& b, const Memory& memory_of_b) {
  if (a.empty()) return 0;
  std::vector<T> y(static_cast<std::size_t>(b.numel()));
  memory_of_b.read(y.data(), b.address, b.bytes());
  const auto x = a.span<T>();
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double difference = static_cast<double>(x[i]) - static_cast<double>(y[i]);
    error += difference * difference;
    norm += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  return std::sqrt(error / norm);
}

template <class T>
void expect_like_the_cpu(const KindOptions& options, double out, double gradient, double parameters) {
  KindCase<T> host(options), device(options, Device::gpu(0));
  for (KindCase<T>* one : {&host, &device}) {
    one->forward();
    one->backward();
  }
  device.context().synchronize();
  EXPECT_LT(distance<T>(host.out(), device.out(), device.memory()), out);
  EXPECT_LT(distance<T>(host.d_qkv(), device.d_qkv(), device.memory()), gradient);
  EXPECT_LT(distance<Compute<T>>(host.d_filter(), device.d_filter(), device.memory()), parameters);
  EXPECT_LT(distance<Compute<T>>(host.d_key(), device.d_key(), device.memory()), parameters);
  EXPECT_LT(distance<Compute<T>>(host.d_value(), device.d_value(), device.memory()), parameters);
}

class KindsOnDevice : public ::testing::TestWithParam<KindOptions> {};

TEST_P(KindsOnDevice, in_fp32_are_those_of_the_cpu) {
  expect_like_the_cpu<float>(GetParam(), 3e-6, 1e-5, 1e-5);
}

TEST_P(KindsOnDevice, in_bf16_are_near_those_of_the_cpu) {
  expect_like_the_cpu<BF16>(GetParam(), 3e-3, 1e-2, 1e-2);
}

template <class T>
std::vector<T> values(const Tensor& x, const Memory& memory) {
  std::vector<T> copy(static_cast<std::size_t>(x.numel()));
  if (!x.empty()) memory.read(copy.data(), x.address, x.bytes());
  return copy;
}

TEST_P(KindsOnDevice, give_the_same_bits_twice) {
  KindCase<float> one(GetParam(), Device::gpu(0));
  std::vector<std::vector<float>> results[2];
  for (auto& kept : results) {
    one.forward();
    one.backward();
    one.context().synchronize();
    for (const Tensor* x : {&one.out(), &one.d_qkv(), &one.d_filter(), &one.d_key(), &one.d_value()})
      kept.push_back(values<float>(*x, one.memory()));
  }
  EXPECT_EQ(results[0], results[1]);
}

std::string name_of(const ::testing::TestParamInfo<KindOptions>& kind) {
  constexpr std::array kNames{"value", "linear", "longformer", "linformer", "performer", "reformer"};
  return kNames[static_cast<std::size_t>(kind.param.kind)] + std::to_string(kind.index);
}
INSTANTIATE_TEST_SUITE_P(, KindsOnDevice, ::testing::ValuesIn(all_kinds()), name_of);

TEST(ReformerOnDevice, finds_the_buckets_of_the_cpu) {
  const KindOptions options{.kind = Kind::kReformer, .rows = {100, 3, 17, 260}, .chunk = 8};
  std::vector<std::int32_t> found[2];
  for (const bool on_device : {false, true}) {
    KindCase<float> one(options, on_device ? Device::gpu(0) : Device());
    Memory& memory = one.memory();
    const std::int64_t most = reformer_buckets(260, 8) / 2, tokens = one.sequences().tokens;
    const OwnedTensor rotations(DType::kF32, {2, options.heads, most, options.width}, memory),
        buckets(DType::kI32, {2, options.heads, tokens}, memory), workspace(DType::kF32, {20000}, memory);
    std::vector<float> drawn(static_cast<std::size_t>(rotations.view().numel()));
    Random draws(1, Purpose::kTest, 9);
    for (float& x : drawn) x = static_cast<float>(draws.normal());
    memory.write(rotations.view().address, drawn.data(), rotations.view().bytes());
    reformer_hash(one.context(), {.heads = options.heads,
                                  .chunk = 8,
                                  .sequences = one.sequences(),
                                  .qkv = one.qkv(),
                                  .rotations = rotations,
                                  .workspace = workspace,
                                  .buckets = buckets});
    one.context().synchronize();
    found[on_device] = values<std::int32_t>(buckets, memory);
  }
  EXPECT_EQ(found[0], found[1]);
}

}  // namespace
}  // namespace nystrom::testing
