#pragma once
// An op and its CUDA twin, given the same tensors: they must agree, and the device must give the same bits
// again when its work runs in another order.
//
//   Twins twins;
//   twins.input("x", normal(type, {n, c}, 1));
//   twins.output("y", type, {n, c});                       // poisoned on the device
//   twins.expect_alike(1e-6, [&](Context& context, const Tensors& t) { gelu_forward(context, kind, t["x"],
//   t["y"]); });

#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cuda/on_device.h"
#include "op_support.h"
#ifdef NYSTROM_EMULATION
#include "emulation.h"
#endif

namespace nystrom::testing {

/// Relative distance that a twin may have: sums in another order, other exponentials; in bf16 a few roundings
/// that fall to the other side.
inline double twin_tolerance(DType type) {
  return type == DType::kBF16 ? 5e-4 : 3e-6;
}

/// Tensors of an op by name.
class Tensors {
 public:
  Tensor operator[](const std::string& name) const {
    const auto found = views_.find(name);
    NYSTROM_CHECK(found != views_.end(), "no tensor is named {}", name);
    return found->second;
  }
  void set(const std::string& name, Tensor view) { views_[name] = view; }

 private:
  std::map<std::string, Tensor> views_;
};

class Twins {
 public:
  /// Every floating-point tensor begins `shift` elements beyond the start of its memory.
  explicit Twins(std::int64_t shift = 0) : shift_(shift) {}

  /// A tensor that the op reads.
  void input(const std::string& name, const Tensor& values) { add(name, values, Role::kInput); }
  template <class Integer>
  void integers(const std::string& name, const std::vector<Integer>& values) {
    input(name, ::nystrom::testing::integers(values));
  }
  /// One that it overwrites: its elements at first are not numbers.
  void output(const std::string& name, DType type, Shape shape) {
    const OwnedTensor zeros(type, shape);
    add(name, zeros, Role::kOutput);
  }
  /// One that it reads and writes, or adds to.
  void updated(const std::string& name, const Tensor& values) { add(name, values, Role::kUpdated); }
  /// Scratch: not compared.
  void scratch(const std::string& name, DType type, Shape shape) {
    const OwnedTensor zeros(type, shape);
    add(name, zeros, Role::kScratch);
  }

  /// Runs `op(context, tensors)` here, there, and there again.
  template <class Op>
  void expect_alike(double tolerance, const Op& op) {
    auto once = run_on_shared(1, op), again = run_on_shared(2, op);
    Context context(1);
    std::vector<OwnedTensor> memory;
    const Tensors here = host_tensors(memory);
    op(context, here);
    for (const Entry& entry : entries_) {
      if (entry.role == Role::kInput || entry.role == Role::kScratch) continue;
      EXPECT_LT(distance(once.at(entry.name), here[entry.name]), tolerance) << entry.name;
      EXPECT_TRUE(same_bits(once.at(entry.name), again.at(entry.name))) << entry.name;
    }
    host_memory_ = std::move(memory);
    results_ = std::move(once);
    host_ = here;
  }
  using Results = std::map<std::string, OwnedTensor>;
  /// Runs it on that device: all tensors afterwards.
  template <class Op>
  Results run_on(OnDevice& device, const Op& op) const {
    poison_workspace(device);
    std::vector<OwnedTensor> host_memory;
    const Tensors host = host_tensors(host_memory);
    std::vector<DeviceTensor> memory;
    Tensors tensors;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const bool poisoned = entries_[i].role == Role::kOutput || entries_[i].role == Role::kScratch;
      memory.push_back(poisoned ? device.like(host_memory[i]) : device.copy(host_memory[i]));
      tensors.set(entries_[i].name,
                  shifted(memory.back(), shift_of(entries_[i]), entries_[i].values.view().shape));
    }
    op(device.context(), std::as_const(tensors));
    Results results;
    for (const Entry& entry : entries_) results.emplace(entry.name, device.fetch(tensors[entry.name]));
    return results;
  }

  /// After expect_alike: the device's and the host's tensor.
  [[nodiscard]] const Tensor& there(const std::string& name) const { return results_.at(name).view(); }
  [[nodiscard]] Tensor here(const std::string& name) const { return host_[name]; }

 private:
  enum class Role { kInput, kOutput, kUpdated, kScratch };
  struct Entry {
    std::string name;
    OwnedTensor values;
    Role role;
  };
  void add(const std::string& name, const Tensor& values, Role role) {
    OwnedTensor copy(values.dtype, values.shape);
    if (values.bytes() > 0) std::memcpy(copy.view().address, values.address, values.bytes());
    entries_.push_back({name, std::move(copy), role});
  }
  [[nodiscard]] std::int64_t shift_of(const Entry& entry) const {
    const DType type = entry.values.view().dtype;
    return type == DType::kF32 || type == DType::kBF16 ? shift_ : 0;
  }
  /// The tensor that begins `shift` elements into flat memory.
  static Tensor shifted(const Tensor& flat, std::int64_t shift, Shape shape) {
    return flat.rows(shift, shape.numel()).reshaped(shape);
  }

  Tensors host_tensors(std::vector<OwnedTensor>& memory) const {
    Tensors tensors;
    for (const Entry& entry : entries_) {
      const Tensor& values = entry.values;
      memory.emplace_back(values.dtype, Shape{values.numel() + shift_of(entry)});
      const Tensor view = shifted(memory.back(), shift_of(entry), values.shape);
      if (values.bytes() > 0) std::memcpy(view.address, values.address, values.bytes());
      tensors.set(entry.name, view);
    }
    return tensors;
  }

  template <class Op>
  Results run_on_shared([[maybe_unused]] std::uint64_t seed, const Op& op) {
#ifdef NYSTROM_EMULATION
    emulation::set_seed(seed);
#endif
    return run_on(shared_device(), op);
  }

  /// One for all tests of a program: its workspace takes long to make.
  static OnDevice& shared_device() {
    static OnDevice& device = *std::make_unique<OnDevice>().release();
    return device;
  }
  /// So that an op that counts on what another left there is found out.
  static void poison_workspace(OnDevice& device) {
    constexpr std::size_t kBytes = std::size_t{1} << 20U;
    cuda::check(cudaMemsetAsync(device.cuda().workspace(kBytes), 0xff, kBytes, device.cuda().stream()),
                "poisoning");
  }

  std::int64_t shift_;
  std::vector<Entry> entries_;
  std::vector<OwnedTensor> host_memory_;
  Results results_;
  Tensors host_;
};

/// The keys of TestKeys as inputs "samples" and "positions".
inline void add_keys(Twins& twins, std::int64_t rows) {
  const TestKeys keys(rows);
  twins.input("samples", keys.samples);
  twins.input("positions", keys.positions);
}
inline RowKeys keys_of(const Tensors& t) {
  return {t["samples"], t["positions"]};
}

inline constexpr DType kDeviceTypes[] = {DType::kF32, DType::kBF16};

}  // namespace nystrom::testing
