#include "trainer/comm/mpi_comm.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/tensor/buffer.h"
#include "trainer/comm/mpi_handles.h"
#include "trainer/comm/mpi_peers.h"
#include "trainer/comm/tree_sum.h"
#include "trainer/process/signals.h"

namespace nystrom {
namespace {

using mpi::checked;
using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;
using namespace std::chrono_literals;

constexpr std::size_t kMaxBytes = std::size_t{1} << 30U;  // per broadcast: MPI counts in int
constexpr int kMessage = 1, kPart = 2;                    // tags: from rank to rank; of a reduce-scatter
constexpr std::size_t kScatters = 4;                      // reduce-scatters that messages are under way for
constexpr auto kLookAround = 50ms;                        // between two liveness probes
constexpr auto kPatience = 2s;                            // for other ranks, after a signal
constexpr Seconds kGrace = 5s;                            // maximum time to answer a roll call

/// For the watchdogs of MPI calls that cannot be interrupted.
mpi::HangReport hang_report(const CommOptions& options) {
  if (!options.on_hang) return {};
  return {.seconds = options.timeout_seconds, .report = options.on_hang};
}

/// Counts and displacements of each rank's shard, as MPI takes them.
struct Layout {
  Layout(std::span<const std::int64_t> all, int ranks, std::string_view what) {
    NYSTROM_CHECK(all.size() == static_cast<std::size_t>(ranks) + 1 && all.back() <= INT_MAX,
                  "{}: {} values in {} parts of {} ranks", what, all.back(), all.size() - 1, ranks);
    for (std::size_t r = 0; r + 1 < all.size(); ++r) {
      begins.push_back(static_cast<int>(all[r]));
      counts.push_back(static_cast<int>(all[r + 1] - all[r]));
    }
  }
  std::vector<int> begins, counts;  // [ranks]
};

class MpiComm final : public Comm {
 public:
  explicit MpiComm(const CommOptions& options)
      : timeout_(options.timeout_seconds),
        grace_(std::min(kGrace, timeout_ / 4)),
        on_hang_(options.on_hang),
        environment_(hang_report(options)),
        starting_(mpi::watch(hang_report(options), "start")),
        data_([](MPI_Comm* to) { return MPI_Comm_dup(MPI_COMM_WORLD, to); }),
        control_([](MPI_Comm* to) { return MPI_Comm_dup(MPI_COMM_WORLD, to); }),
        local_([](MPI_Comm* to) {
          return MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, to);
        }),
        peers_(control_.get()),
        rank_(data_.rank()),
        ranks_(data_.size()),
        progress_([this](const std::stop_token& stop) { carry_on(stop); }) {
    std::array<char, MPI_MAX_PROCESSOR_NAME> name{};
    int length = 0;
    {
      const std::scoped_lock held(mutex_);
      checked(MPI_Get_processor_name(name.data(), &length), "asking for the machine's name");
    }
    hosts_ =
        all_gather_text(std::string(name.data(), static_cast<std::size_t>(length)), "the machines' names");
    starting_.reset();
  }

  void report_hang(const std::string& message) const override {
    if (on_hang_) on_hang_(message);
  }
  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int ranks() const override { return ranks_; }
  [[nodiscard]] int local_rank() const override { return local_.rank(); }
  [[nodiscard]] int local_ranks() const override { return local_.size(); }
  [[nodiscard]] std::string_view kind() const override { return "mpi"; }
  [[nodiscard]] std::string rank_name(int rank) const override {
    if (hosts_.empty()) return Comm::rank_name(rank);  // before initialization is complete
    return fmt::format("rank {} on {}", rank, hosts_.at(static_cast<std::size_t>(rank)));
  }

  [[nodiscard]] Ticket start_all_reduce(const Tensor& values, std::string_view what) override;
  [[nodiscard]] Ticket start_reduce_scatter(const Tensor& values, std::string_view what) override;
  void wait(Ticket ticket) override;
  [[nodiscard]] Ticket start_send(std::span<const std::byte> bytes, int to, std::string_view what) override;
  [[nodiscard]] Ticket start_receive(std::span<std::byte> bytes, int from, std::string_view what) override;
  void broadcast(std::span<std::byte> bytes, int root, std::string_view what) override;
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all, std::string_view what) override;
  void all_gather_shards(const Tensor& values, std::span<const std::int64_t> begins,
                         std::string_view what) override;
  void gather_shards(const Tensor& mine, const Tensor& whole, std::span<const std::int64_t> begins,
                     std::string_view what) override;
  void barrier(std::string_view what) override;
  void abort(int) noexcept override;

 private:
  struct Flight {
    std::vector<MPI_Request> requests;
    int error = MPI_SUCCESS;
    bool done = false;
    std::string_view what;
    std::size_t bytes = 0;  // of this rank
    Clock::time_point started = Clock::now();
    Tensor scattered;        // of a reduce-scatter
    Buffer* room = nullptr;  // what it receives; null: it waits for one
  };
  template <class Start>
  Ticket start(std::string_view what, std::size_t bytes, const Start& start);
  void begin_scatters();
  void begin_scatter(Flight& flight);
  void end_scatter(Flight& flight);
  void test_all();
  void record(const Flight& flight);
  void carry_on(const std::stop_token& stop);
  void look_around(std::string_view what, Seconds waited);
  [[noreturn]] void give_up(std::string_view what, Seconds waited);
  [[nodiscard]] std::string names_of(const std::vector<int>& some) const;

  Seconds timeout_, grace_;
  std::function<void(const std::string&)> on_hang_;
  mpi::Environment environment_;
  std::optional<Watchdog> starting_;  // until initialization is complete
  mpi::Communicator data_, control_, local_;
  mpi::Sums sums_;
  mpi::Peers peers_;
  int rank_, ranks_;
  std::vector<std::string> hosts_;

  std::mutex mutex_;  // guards every MPI call and the members below
  std::condition_variable_any changed_;
  std::map<Ticket, Flight> flights_;
  std::array<Buffer, kScatters> rooms_;
  std::vector<Buffer*> free_rooms_{&rooms_[0], &rooms_[1], &rooms_[2], &rooms_[3]};
  Ticket next_ = 1;
  int waiting_ = 0;  // threads in wait(), which drive progress themselves

  std::jthread progress_;  // last: uses all of the above
};

template <class Start>
Comm::Ticket MpiComm::start(std::string_view what, std::size_t bytes, const Start& start) {
  Ticket ticket = 0;
  {
    const std::scoped_lock held(mutex_);
    ticket = next_++;
    Flight& flight = flights_[ticket];
    flight.what = what;
    flight.bytes = bytes;
    checked(start(&flight.requests.emplace_back(MPI_REQUEST_NULL)), what);
  }
  changed_.notify_one();
  return ticket;
}

void MpiComm::test_all() {
  for (auto& [ticket, flight] : flights_) {
    if (flight.done || flight.requests.empty()) continue;
    int done = 0;
    flight.error = MPI_Testall(static_cast<int>(flight.requests.size()), flight.requests.data(), &done,
                               MPI_STATUSES_IGNORE);
    flight.done = done != 0 || flight.error != MPI_SUCCESS;
    if (!flight.done) continue;
    if (flight.room != nullptr) end_scatter(flight);
    record(flight);
  }
  begin_scatters();
}

void MpiComm::record(const Flight& flight) {
  if (Trace* trace = activity().trace(); trace != nullptr)
    trace->add({.name = flight.what,
                .kind = Trace::Kind::kCollective,
                .begin_ns = Trace::nanoseconds(flight.started),
                .end_ns = Trace::now(),
                .bytes = static_cast<double>(flight.bytes)});
}

// Progress thread, while the rank computes. MPI moves data only inside its calls, so it is called in bursts
// (a message is transferred in segments, each of which takes a call on both sides), with short sleeps in
// between.
void MpiComm::carry_on(const std::stop_token& stop) {
  const auto needed = [this] {
    return waiting_ == 0 &&
           std::ranges::any_of(flights_, [](const auto& entry) { return !entry.second.done; });
  };
  auto looked = Clock::now();
  std::unique_lock held(mutex_);
  while (!stop.stop_requested()) {
    changed_.wait_for(held, stop, kLookAround, needed);
    for (int burst = 0; burst < 8 && needed(); ++burst) test_all();
    if (waiting_ == 0 && Clock::now() - looked > kLookAround) {
      looked = Clock::now();
      peers_.answer();
    }
    held.unlock();
    std::this_thread::sleep_for(50us);
    held.lock();
  }
}

void MpiComm::wait(Ticket ticket) {
  std::unique_lock held(mutex_);
  const auto found = flights_.find(ticket);
  NYSTROM_CHECK(found != flights_.end(), "ticket {} is waited for twice", ticket);
  Flight& flight = found->second;
  const WaitScope waiting(activity(), flight.what);
  ++waiting_;
  Seconds waited{0};
  auto last = Clock::now(), looked = last;
  for (test_all(); !flight.done; test_all()) {
    const auto now = Clock::now();
    waited += std::min<Seconds>(now - last, 1s);  // a whole job may be suspended and resumed
    last = now;
    if (now - looked > kLookAround) {
      looked = now;
      look_around(flight.what, waited);
    }
    held.unlock();
    if (waited < 2ms)
      std::this_thread::yield();
    else
      std::this_thread::sleep_for(waited < 100ms ? 20us : 200us);
    held.lock();
  }
  --waiting_;
  const Flight ended = std::move(flight);
  flights_.erase(found);
  held.unlock();
  changed_.notify_one();
  checked(ended.error, ended.what);
}

// When a rank dies, the launcher signals the others before it kills them: they probe for dead ranks at once.
void MpiComm::look_around(std::string_view what, Seconds waited) {
  peers_.answer();
  if (waited > timeout_ - grace_ || peers_.roll_called()) give_up(what, waited);
  if (!SignalWatch::peers_in_doubt() || waited < kPatience) return;
  const auto silent = peers_.silent();
  if (!silent.empty())
    throw CommTimeout(fmt::format(
        "Rank {} of {} waited {:.0f} s at step {} for {}; {} did not answer and is presumed dead, so the "
        "job cannot continue. Resume it from its last checkpoint.",
        rank_, ranks_, waited.count(), step(), what, names_of(silent)));
}

std::string MpiComm::names_of(const std::vector<int>& some) const {
  std::string names;
  for (const int rank : some) names += fmt::format("{}{}", names.empty() ? "" : ", ", rank_name(rank));
  return names;
}

void MpiComm::give_up(std::string_view what, Seconds waited) {
  const auto asked = Clock::now();
  const auto absent =
      peers_.absent_at_roll_call(std::chrono::duration_cast<std::chrono::milliseconds>(grace_));
  waited += Clock::now() - asked;
  const std::string why = absent.empty()
                              ? "every rank is waiting, so the ranks disagree or the network is down"
                              : names_of(absent) + " did not take part";
  throw CommTimeout(fmt::format(
      "Rank {} of {} waited {:.0f} s at step {} for {}; {}. Inspect that process (it may be stopped, "
      "or wait for a slow disk), or raise `communication.timeout` ({:.0f} s).",
      rank_, ranks_, waited.count(), step(), what, why, timeout_.count()));
}

Comm::Ticket MpiComm::start_all_reduce(const Tensor& values, std::string_view what) {
  NYSTROM_CHECK(values.numel() <= INT_MAX, "{}: {} values of {}", what, values.numel(),
                name_of(values.dtype));
  return start(what, values.bytes(), [&](MPI_Request* request) {
    return MPI_Iallreduce(MPI_IN_PLACE, values.address, static_cast<int>(values.numel()),
                          mpi::type_of(values.dtype), sums_.of(values.dtype), data_.get(), request);
  });
}

// Parts travel directly between any two ranks, and each rank adds up its own: MPI_Ireduce_scatter of Open MPI
// would reduce everything on one rank and scatter it from there.
Comm::Ticket MpiComm::start_reduce_scatter(const Tensor& values, std::string_view what) {
  NYSTROM_CHECK(
      values.numel() % ranks_ == 0 && values.bytes() / static_cast<std::size_t>(ranks_) <= kMaxBytes,
      "{}: {} values of {} ranks", what, values.numel(), ranks_);
  Ticket ticket = 0;
  {
    const std::scoped_lock held(mutex_);
    ticket = next_++;
    Flight& flight = flights_[ticket];
    flight.what = what;
    flight.bytes = values.bytes();
    flight.scattered = values;
    begin_scatters();
  }
  changed_.notify_one();
  return ticket;
}

// In the order in which they were started, on every rank: so the messages of two ranks meet.
void MpiComm::begin_scatters() {
  if (free_rooms_.empty()) return;
  for (auto& [ticket, flight] : flights_) {
    if (flight.scattered.empty() || !flight.requests.empty() || flight.done) continue;
    begin_scatter(flight);
    if (free_rooms_.empty()) return;
  }
}

void MpiComm::begin_scatter(Flight& flight) {
  const std::int64_t part = flight.scattered.numel() / ranks_;
  const std::size_t bytes = flight.scattered.bytes() / static_cast<std::size_t>(ranks_);
  flight.room = free_rooms_.back();
  free_rooms_.pop_back();
  const std::size_t received = bytes * static_cast<std::size_t>(ranks_ - 1);
  if (flight.room->bytes() < received) *flight.room = Buffer(received);
  std::byte* room = flight.room->data();
  const int count = static_cast<int>(bytes);
  const auto note = [&](int error) {
    if (error != MPI_SUCCESS) flight.error = error;
  };
  for (int i = 1; i < ranks_; ++i, room += bytes)
    note(MPI_Irecv(room, count, MPI_BYTE, (rank_ + i) % ranks_, kPart, data_.get(),
                   &flight.requests.emplace_back(MPI_REQUEST_NULL)));
  for (int i = 1; i < ranks_; ++i) {
    const int to = (rank_ + ranks_ - i) % ranks_;
    note(MPI_Isend(flight.scattered.rows(to * part, part).address, count, MPI_BYTE, to, kPart, data_.get(),
                   &flight.requests.emplace_back(MPI_REQUEST_NULL)));
  }
  flight.done = flight.error != MPI_SUCCESS;
}

void MpiComm::end_scatter(Flight& flight) {
  const std::int64_t part = flight.scattered.numel() / ranks_;
  const Tensor mine = flight.scattered.rows(rank_ * part, part);
  std::vector<Tensor> parts(static_cast<std::size_t>(ranks_), mine);  // by rank
  std::byte* room = flight.room->data();
  for (int i = 1; i < ranks_; ++i, room += mine.bytes())
    parts[static_cast<std::size_t>((rank_ + i) % ranks_)] = Tensor(room, mine.dtype, mine.shape);
  if (flight.error == MPI_SUCCESS) {
    tree_sum(parts);
    if (rank_ != 0) std::memcpy(mine.address, parts.front().address, mine.bytes());
  }
  free_rooms_.push_back(std::exchange(flight.room, nullptr));
}

Comm::Ticket MpiComm::start_send(std::span<const std::byte> bytes, int to, std::string_view what) {
  NYSTROM_CHECK(bytes.size() <= kMaxBytes, "{}: {} bytes in one message", what, bytes.size());
  return start(what, bytes.size(), [&](MPI_Request* request) {
    return MPI_Isend(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, to, kMessage, data_.get(),
                     request);
  });
}

Comm::Ticket MpiComm::start_receive(std::span<std::byte> bytes, int from, std::string_view what) {
  NYSTROM_CHECK(bytes.size() <= kMaxBytes, "{}: {} bytes in one message", what, bytes.size());
  return start(what, bytes.size(), [&](MPI_Request* request) {
    return MPI_Irecv(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, from, kMessage, data_.get(),
                     request);
  });
}

void MpiComm::broadcast(std::span<std::byte> bytes, int root, std::string_view what) {
  for (std::size_t begin = 0; begin < bytes.size(); begin += kMaxBytes) {
    const auto part = bytes.subspan(begin, std::min(kMaxBytes, bytes.size() - begin));
    wait(start(what, part.size(), [&](MPI_Request* request) {
      return MPI_Ibcast(part.data(), static_cast<int>(part.size()), MPI_BYTE, root, data_.get(), request);
    }));
  }
}

void MpiComm::all_gather(std::span<const std::byte> mine, std::span<std::byte> all, std::string_view what) {
  NYSTROM_CHECK(mine.size() * static_cast<std::size_t>(ranks_) == all.size() && mine.size() <= kMaxBytes,
                "{}: {} bytes of {} ranks gathered into {}", what, mine.size(), ranks_, all.size());
  wait(start(what, all.size(), [&](MPI_Request* request) {
    const int count = static_cast<int>(mine.size());
    return MPI_Iallgather(mine.data(), count, MPI_BYTE, all.data(), count, MPI_BYTE, data_.get(), request);
  }));
}

void MpiComm::all_gather_shards(const Tensor& values, std::span<const std::int64_t> begins,
                                std::string_view what) {
  const Layout layout(begins, ranks_, what);
  const MPI_Datatype type = mpi::type_of(values.dtype);
  wait(start(what, values.bytes(), [&](MPI_Request* request) {
    return MPI_Iallgatherv(MPI_IN_PLACE, 0, type, values.address, layout.counts.data(), layout.begins.data(),
                           type, data_.get(), request);
  }));
}

void MpiComm::gather_shards(const Tensor& mine, const Tensor& whole, std::span<const std::int64_t> begins,
                            std::string_view what) {
  const Layout layout(begins, ranks_, what);
  const MPI_Datatype type = mpi::type_of(mine.dtype);
  wait(start(what, mine.bytes(), [&](MPI_Request* request) {
    return MPI_Igatherv(mine.address, layout.counts[static_cast<std::size_t>(rank_)], type, whole.address,
                        layout.counts.data(), layout.begins.data(), type, 0, data_.get(), request);
  }));
}

void MpiComm::barrier(std::string_view what) {
  wait(start(what, 0, [&](MPI_Request* request) { return MPI_Ibarrier(data_.get(), request); }));
}

// Without the lock: the thread that holds it may never release it.
void MpiComm::abort(int status) noexcept {
  MPI_Abort(MPI_COMM_WORLD, status);
}

}  // namespace

std::unique_ptr<Comm> make_mpi_comm(const CommOptions& options) {
  int running = 0;
  checked(MPI_Initialized(&running), "its start");
  NYSTROM_CHECK(running == 0, "MPI is started twice in one process ({})", running);
  return std::make_unique<MpiComm>(options);
}

}  // namespace nystrom
