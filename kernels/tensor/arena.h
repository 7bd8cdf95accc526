#pragma once
// Memory of a training step, planned once. Every layer books its tensors before anything runs; nothing is
// allocated afterwards and addresses never change.
//
//   auto plan = [&](Planner& p) { encoder.plan(p, limits); head.plan(p, limits); };
//   Arena arena = Arena::planned(plan);          // runs plan twice: to measure, then to hand out
//
// Two lifetimes: `saved` tensors live from forward to backward; `scratch` tensors live until the ScratchScope
// that encloses their booking closes, and share memory with the scratch of other scopes.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/tensor/buffer.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

struct Booking {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  bool saved = false;
};

class Planner {
 public:
  /// A planner that only measures: its tensors have shapes but no address.
  Planner() = default;
  /// A planner that hands out memory of `base`; scratch begins `saved_bytes` after it.
  Planner(std::byte* base, std::size_t saved_bytes) : base_(base), scratch_base_(saved_bytes) {}

  /// Books a tensor that forward writes and backward reads. `shape` is the largest it will have.
  Tensor saved(std::string_view name, DType dtype, Shape shape);
  /// Books a tensor that lives until the enclosing ScratchScope ends.
  Tensor scratch(std::string_view name, DType dtype, Shape shape);

  /// Position in the saved region; `rewind_saved` gives back what was booked since, so that blocks that are
  /// recomputed in backward (activation checkpointing) share one region.
  [[nodiscard]] std::size_t mark_saved() const { return saved_; }
  void rewind_saved(std::size_t mark) { saved_ = mark; }

  [[nodiscard]] std::size_t saved_bytes() const { return saved_peak_; }
  [[nodiscard]] std::size_t scratch_bytes() const { return scratch_peak_; }
  [[nodiscard]] std::size_t total_bytes() const { return saved_peak_ + scratch_peak_; }
  [[nodiscard]] const std::vector<Booking>& bookings() const { return bookings_; }

 private:
  friend class ScratchScope;
  Tensor book(std::string_view name, DType dtype, Shape shape, bool saved);

  std::byte* base_ = nullptr;
  std::size_t scratch_base_ = 0;
  std::size_t saved_ = 0, saved_peak_ = 0;
  std::size_t scratch_ = 0, scratch_peak_ = 0;
  std::vector<Booking> bookings_;
};

/// Scratch booked while this object lives is free for others after it.
class ScratchScope {
 public:
  explicit ScratchScope(Planner& planner) : planner_(planner), mark_(planner.scratch_) {}
  ~ScratchScope() { planner_.scratch_ = mark_; }
  ScratchScope(const ScratchScope&) = delete;
  ScratchScope& operator=(const ScratchScope&) = delete;

 private:
  Planner& planner_;
  std::size_t mark_;
};

class Arena {
 public:
  Arena() = default;

  /// Plans twice: `plan(Planner&)` must book the same tensors both times. What the tensors hold at first is
  /// undefined on a device.
  template <class Plan>
  static Arena planned(Plan&& plan, Memory& memory = Memory::host()) {
    Planner measure;
    plan(measure);
    Arena arena;
    arena.memory_ = Buffer(measure.total_bytes(), memory, Contents::kUndefined);
    arena.saved_bytes_ = measure.saved_bytes();
    Planner hand_out(arena.memory_.data(), measure.saved_bytes());
    plan(hand_out);
    NYSTROM_CHECK(hand_out.total_bytes() == measure.total_bytes(), "the plan booked {} bytes, then {}",
                  measure.total_bytes(), hand_out.total_bytes());
    arena.bookings_ = hand_out.bookings();
    return arena;
  }

  [[nodiscard]] std::size_t bytes() const { return memory_.bytes(); }
  [[nodiscard]] std::size_t saved_bytes() const { return saved_bytes_; }
  [[nodiscard]] const std::vector<Booking>& bookings() const { return bookings_; }

 private:
  Buffer memory_;
  std::size_t saved_bytes_ = 0;
  std::vector<Booking> bookings_;
};

}  // namespace nystrom
