#include "data/pretraining/loader.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "data/pretraining/batch_builder.h"
#include "kernels/core/check.h"

namespace nystrom {

// The builder, and a thread that runs ahead of `next` by a few steps. The builder belongs to the thread while
// there is one.
class Loader::Producer {
 public:
  explicit Producer(const LoaderOptions& options)
      : builder_(options), warnings_(builder_.source().warnings()) {}
  ~Producer() { stop(); }
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  StepBatch next();
  void seek(std::int64_t step);
  [[nodiscard]] std::int64_t step() const { return step_; }
  [[nodiscard]] const BatchBuilder& builder() const { return builder_; }
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  void stop();
  [[nodiscard]] bool failed() {
    const std::lock_guard held(mutex_);
    return error_ != nullptr;
  }
  void run(std::int64_t step);
  [[nodiscard]] bool has_room() const { return std::ssize(ready_) < builder_.options().prefetch; }

  BatchBuilder builder_;
  std::vector<std::string> warnings_;
  std::int64_t step_ = 1;

  std::thread thread_;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<StepBatch> ready_;  // guarded by mutex_
  std::exception_ptr error_;     // guarded by mutex_: the error that ended the thread
};

StepBatch Loader::Producer::next() {
  NYSTROM_CHECK(!builder_.options().one_pass || step_ <= builder_.steps(), "step {} of {}", step_,
                builder_.steps());
  if (builder_.options().prefetch == 0) {
    StepBatch batch = builder_.build(step_, stop_);
    ++step_;
    return batch;
  }
  if (!thread_.joinable()) thread_ = std::thread([this, step = step_] { run(step); });
  std::unique_lock held(mutex_);
  changed_.wait(held, [&] { return !ready_.empty() || error_ != nullptr; });
  if (ready_.empty()) std::rethrow_exception(error_);
  StepBatch batch = std::move(ready_.front());
  ready_.pop_front();
  ++step_;
  changed_.notify_all();
  return batch;
}

void Loader::Producer::seek(std::int64_t step) {
  NYSTROM_CHECK(step >= 1, "step {}", step);
  if (step == step_ && !failed()) return;
  stop();
  step_ = step;
}

void Loader::Producer::stop() {
  {
    const std::lock_guard held(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  stop_ = false;
  ready_.clear();
  error_ = nullptr;
}

void Loader::Producer::run(std::int64_t step) {
  try {
    const std::int64_t last = builder_.steps();
    for (; last == 0 || step <= last; ++step) {
      StepBatch batch;
      {
        const TraceSpan span(builder_.options().trace, Trace::Kind::kLoader, "batch", step);
        batch = builder_.build(step, stop_);
      }
      std::unique_lock held(mutex_);
      changed_.wait(held, [&] { return stop_ || has_room(); });
      if (stop_) return;
      ready_.push_back(std::move(batch));
      changed_.notify_all();
    }
  } catch (...) {
    const std::lock_guard held(mutex_);
    error_ = std::current_exception();
    changed_.notify_all();
  }
}

Loader::Loader(const LoaderOptions& options) : producer_(std::make_unique<Producer>(options)) {}
Loader::~Loader() = default;

StepBatch Loader::next() {
  return producer_->next();
}
void Loader::seek(std::int64_t step) {
  producer_->seek(step);
}
std::int64_t Loader::step() const {
  return producer_->step();
}
std::int64_t Loader::steps() const {
  return producer_->builder().steps();
}

std::int64_t Loader::samples_per_epoch() const {
  return static_cast<std::int64_t>(producer_->builder().source().samples());
}
std::int64_t Loader::tokens_per_epoch() const {
  return producer_->builder().source().tokens();
}
std::vector<SampledCorpus> Loader::corpora() const {
  return producer_->builder().corpora();
}

std::vector<std::pair<std::string, double>> Loader::epochs_of(std::int64_t samples) const {
  return producer_->builder().epochs_of(samples);
}
const ShardHeader* Loader::header() const {
  return producer_->builder().source().header();
}
const std::vector<std::string>& Loader::warnings() const {
  return producer_->warnings();
}

LoaderLimits Loader::limits() const {
  const BatchBuilder& builder = producer_->builder();
  const LoaderOptions& options = builder.options();
  const std::int64_t max_rows = (builder.sizes().largest() + options.ranks - 1) / options.ranks;
  const std::int64_t rows = options.micro_batch < max_rows ? options.micro_batch : max_rows;
  return {rows, rows * options.samples.sequence_length, rows * builder.source().max_masked()};
}

}  // namespace nystrom
