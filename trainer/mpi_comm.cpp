#include "trainer/mpi_comm.h"

#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <condition_variable>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nystrom {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;
using namespace std::chrono_literals;

constexpr int kRollCall = 1;                               // tag on the control communicator
constexpr auto kGrace = 5s;                                // that ranks have to answer a roll call
constexpr std::size_t kMostBytes = std::size_t{1} << 30U;  // of one broadcast: MPI counts in int

void checked(int code, std::string_view what) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  fail("MPI failed at {}: {}", what, std::string_view(text.data(), static_cast<std::size_t>(length)));
}

/// MPI between its first call and its last.
class Environment {
 public:
  Environment() {
    int provided = 0;
    checked(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided), "its start");
    if (provided < MPI_THREAD_SERIALIZED)
      fail(
          "This MPI lets only one thread of a process call it (level {}); use one with "
          "MPI_THREAD_SERIALIZED.",
          provided);
  }
  /// With an exception on its way the other ranks do not come: finalizing would wait for them for ever.
  ~Environment() {
    if (std::uncaught_exceptions() > exceptions_) MPI_Abort(MPI_COMM_WORLD, 1);
    MPI_Finalize();
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  int exceptions_ = std::uncaught_exceptions();
};

class Communicator {
 public:
  using Make = std::function<int(MPI_Comm*)>;
  explicit Communicator(const Make& make) {
    checked(make(&comm_), "making a communicator");
    checked(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "making a communicator");
  }
  ~Communicator() {
    if (std::uncaught_exceptions() == 0) MPI_Comm_free(&comm_);  // collective
  }
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  [[nodiscard]] MPI_Comm get() const { return comm_; }
  [[nodiscard]] int rank() const {
    int value = 0;
    checked(MPI_Comm_rank(comm_, &value), "asking for the rank");
    return value;
  }
  [[nodiscard]] int size() const {
    int value = 0;
    checked(MPI_Comm_size(comm_, &value), "asking for the number of ranks");
    return value;
  }

 private:
  MPI_Comm comm_ = MPI_COMM_NULL;
};

class MpiComm final : public Comm {
 public:
  explicit MpiComm(const CommOptions& options)
      : timeout_(options.timeout_seconds),
        data_([](MPI_Comm* to) { return MPI_Comm_dup(MPI_COMM_WORLD, to); }),
        control_([](MPI_Comm* to) { return MPI_Comm_dup(MPI_COMM_WORLD, to); }),
        local_([](MPI_Comm* to) {
          return MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, to);
        }),
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
  }

  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int ranks() const override { return ranks_; }
  [[nodiscard]] int local_rank() const override { return local_.rank(); }
  [[nodiscard]] int local_ranks() const override { return local_.size(); }
  [[nodiscard]] std::string_view kind() const override { return "mpi"; }

  [[nodiscard]] Ticket start_all_reduce(const Tensor& values, std::string_view what) override;
  void wait(Ticket ticket) override;
  void broadcast(std::span<std::byte> bytes, int root, std::string_view what) override;
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all, std::string_view what) override;
  void barrier(std::string_view what) override;
  void abort(int) noexcept override;

 private:
  struct Flight {
    MPI_Request request = MPI_REQUEST_NULL;
    int error = MPI_SUCCESS;
    bool done = false;
    std::string_view what;
  };
  template <class Start>
  Ticket start(std::string_view what, const Start& start);
  void test_all();
  void carry_on(const std::stop_token& stop);
  [[nodiscard]] bool others_gave_up();
  [[noreturn]] void give_up(std::string_view what, Seconds waited);
  [[nodiscard]] std::vector<bool> call_the_roll();

  Seconds timeout_;
  Environment environment_;
  Communicator data_, control_, local_;
  int rank_, ranks_;
  std::vector<std::string> hosts_;

  std::mutex mutex_;  // held around every call of MPI, and for what follows
  std::condition_variable_any changed_;
  std::map<Ticket, Flight> flights_;
  Ticket next_ = 1;
  int waiting_ = 0;  // threads in wait(), which carry on by themselves

  std::jthread progress_;  // last: it uses all of the above
};

template <class Start>
Comm::Ticket MpiComm::start(std::string_view what, const Start& start) {
  Ticket ticket = 0;
  {
    const std::scoped_lock held(mutex_);
    ticket = next_++;
    Flight& flight = flights_[ticket];
    flight.what = what;
    checked(start(&flight.request), what);
  }
  changed_.notify_one();
  return ticket;
}

void MpiComm::test_all() {
  for (auto& [ticket, flight] : flights_) {
    if (flight.done) continue;
    int done = 0;
    flight.error = MPI_Test(&flight.request, &done, MPI_STATUS_IGNORE);
    flight.done = done != 0 || flight.error != MPI_SUCCESS;
  }
}

// While the rank computes. MPI moves data only inside its calls, so it is called in bursts (a message is
// handed over in pieces, each of which takes a call on both sides), with short sleeps between.
void MpiComm::carry_on(const std::stop_token& stop) {
  std::unique_lock held(mutex_);
  const auto needed = [this] {
    return waiting_ == 0 &&
           std::ranges::any_of(flights_, [](const auto& entry) { return !entry.second.done; });
  };
  while (changed_.wait(held, stop, needed)) {
    for (int burst = 0; burst < 8 && needed(); ++burst) test_all();
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
  ++waiting_;
  const auto start = Clock::now();
  for (int polls = 0;; ++polls) {
    test_all();
    if (flight.done) break;
    const Seconds waited = Clock::now() - start;
    if (waited > timeout_ || (polls % 1024 == 1023 && others_gave_up())) give_up(flight.what, waited);
    held.unlock();
    if (waited < 2ms)
      std::this_thread::yield();
    else
      std::this_thread::sleep_for(waited < 100ms ? 20us : 200us);
    held.lock();
  }
  --waiting_;
  const Flight ended = flight;
  flights_.erase(found);
  held.unlock();
  changed_.notify_one();
  checked(ended.error, ended.what);
}

bool MpiComm::others_gave_up() {
  int there = 0;
  checked(MPI_Iprobe(MPI_ANY_SOURCE, kRollCall, control_.get(), &there, MPI_STATUS_IGNORE), "the roll call");
  return there != 0;
}

// Each rank that waits tells all others so; who has said nothing after the grace is missing. Called under the
// lock, at the end of a job's life: the sends are never waited for.
std::vector<bool> MpiComm::call_the_roll() {
  std::vector<bool> here(static_cast<std::size_t>(ranks_), false);
  here[static_cast<std::size_t>(rank_)] = true;
  static constexpr char kHere = 1;
  for (int to = 0; to < ranks_; ++to) {
    MPI_Request request = MPI_REQUEST_NULL;
    if (to != rank_)
      checked(MPI_Isend(&kHere, 1, MPI_CHAR, to, kRollCall, control_.get(), &request), "the roll call");
    if (request != MPI_REQUEST_NULL) MPI_Request_free(&request);
  }
  const auto end = Clock::now() + kGrace;
  while (Clock::now() < end && std::ranges::find(here, false) != here.end()) {
    int there = 0;
    MPI_Status status;
    checked(MPI_Iprobe(MPI_ANY_SOURCE, kRollCall, control_.get(), &there, &status), "the roll call");
    if (there == 0) {
      std::this_thread::sleep_for(1ms);
      continue;
    }
    char ignored = 0;
    checked(MPI_Recv(&ignored, 1, MPI_CHAR, status.MPI_SOURCE, kRollCall, control_.get(), MPI_STATUS_IGNORE),
            "the roll call");
    here[static_cast<std::size_t>(status.MPI_SOURCE)] = true;
  }
  return here;
}

void MpiComm::give_up(std::string_view what, Seconds waited) {
  const auto here = call_the_roll();
  std::string missing;
  for (std::size_t r = 0; r < here.size(); ++r)
    if (!here[r]) missing += fmt::format("{}rank {} on {}", missing.empty() ? "" : ", ", r, hosts_[r]);
  throw CommTimeout(
      fmt::format("Rank {} of {} waited {:.0f} s at step {} for {}; {}. Look at what it does there (a "
                  "stopped process, a slow "
                  "disk), or raise communication.timeout ({:.0f} s).",
                  rank_, ranks_, waited.count(), step(), what,
                  missing.empty() ? "every rank is waiting, so the ranks disagree or the network is down"
                                  : missing + " did not take part",
                  timeout_.count()));
}

Comm::Ticket MpiComm::start_all_reduce(const Tensor& values, std::string_view what) {
  NYSTROM_CHECK(values.numel() <= INT_MAX && (values.dtype == DType::kF32 || values.dtype == DType::kF64),
                "{}: {} values of {}", what, values.numel(), name_of(values.dtype));
  const MPI_Datatype type = values.dtype == DType::kF32 ? MPI_FLOAT : MPI_DOUBLE;
  return start(what, [&](MPI_Request* request) {
    return MPI_Iallreduce(MPI_IN_PLACE, values.address, static_cast<int>(values.numel()), type, MPI_SUM,
                          data_.get(), request);
  });
}

void MpiComm::broadcast(std::span<std::byte> bytes, int root, std::string_view what) {
  for (std::size_t begin = 0; begin < bytes.size(); begin += kMostBytes) {
    const auto part = bytes.subspan(begin, std::min(kMostBytes, bytes.size() - begin));
    wait(start(what, [&](MPI_Request* request) {
      return MPI_Ibcast(part.data(), static_cast<int>(part.size()), MPI_BYTE, root, data_.get(), request);
    }));
  }
}

void MpiComm::all_gather(std::span<const std::byte> mine, std::span<std::byte> all, std::string_view what) {
  NYSTROM_CHECK(mine.size() * static_cast<std::size_t>(ranks_) == all.size() && mine.size() <= kMostBytes,
                "{}: {} bytes of {} ranks gathered into {}", what, mine.size(), ranks_, all.size());
  wait(start(what, [&](MPI_Request* request) {
    const int count = static_cast<int>(mine.size());
    return MPI_Iallgather(mine.data(), count, MPI_BYTE, all.data(), count, MPI_BYTE, data_.get(), request);
  }));
}

void MpiComm::barrier(std::string_view what) {
  wait(start(what, [&](MPI_Request* request) { return MPI_Ibarrier(data_.get(), request); }));
}

// Without the lock: the thread that holds it may never give it back.
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
