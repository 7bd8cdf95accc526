#pragma once
// Stages of work that may take long, such as reading a checkpoint or a validation: whoever does the work says
// how much of it is done, and whoever waits for it sees that through a view. Without a view a stage costs an
// addition for each advance.

#include <atomic>
#include <cstdint>
#include <string>

namespace nystrom {

class Stage;

/// Shows stages. Called by the thread whose stages it shows.
class StageView {
 public:
  virtual ~StageView() = default;
  /// The stage lives until end().
  virtual void begin(const Stage& stage) = 0;
  virtual void end() = 0;
};

/// From now on `view` shows the stages of the calling thread; null: none does. Of stages within stages it
/// sees the outermost. `view` must outlive them.
void show_stages(StageView* view);

/// All of it is thread-safe but the constructor and the destructor, which belong to one thread.
class Stage {
 public:
  /// `name`: "reading step-00001000.h5". `total`: what all advances add up to; 0: unknown. `unit`: of what is
  /// counted.
  explicit Stage(std::string name, double total = 0, std::string unit = {});
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  void advance(double amount = 1) { done_.fetch_add(amount, std::memory_order_relaxed); }
  /// Instead of advances: so much of the total is done; negative: unknown.
  void reach(double done) { done_.store(done, std::memory_order_relaxed); }
  /// So many units so far.
  void count(std::int64_t units) { units_.store(units, std::memory_order_relaxed); }

  [[nodiscard]] const std::string& name() const { return name_; }
  /// In [0, 1]; negative: unknown.
  [[nodiscard]] double share() const;
  /// "1234 examples"; empty where nothing was counted.
  [[nodiscard]] std::string counted() const;

 private:
  std::string name_, unit_;
  double total_;
  std::atomic<double> done_ = 0;
  std::atomic<std::int64_t> units_ = 0;
};

}  // namespace nystrom
