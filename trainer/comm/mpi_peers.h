#pragma once
// Liveness probe: which ranks still respond. Small messages on a separate communicator, so that they get
// through while a collective hangs. For mpi_comm.cpp, which calls it under its lock.

#include <chrono>
#include <vector>

#include "trainer/comm/mpi_handles.h"

namespace nystrom::mpi {

class Peers {
 public:
  explicit Peers(MPI_Comm comm);

  /// Answers those who ask whether this rank is alive. Cheap; to be called several times a second.
  void answer() noexcept;

  /// Another rank has waited too long and counts who waits with it.
  [[nodiscard]] bool roll_called() const;
  /// Sends to all ranks that this one waits, and returns those that have not done so within `grace`: they are
  /// not in a collective. Once in a life.
  [[nodiscard]] std::vector<int> absent_at_roll_call(std::chrono::milliseconds grace);

  /// Asks all ranks whether they are alive, again and again; to be called repeatedly. Gives those that did
  /// not answer within the grace: they are dead, stopped or cut off.
  [[nodiscard]] std::vector<int> silent();

 private:
  using Clock = std::chrono::steady_clock;
  void send_to_all(int tag);
  bool receive(int tag, std::vector<bool>& from);
  [[nodiscard]] std::vector<int> missing(const std::vector<bool>& heard) const;

  MPI_Comm comm_;
  int rank_ = 0, ranks_ = 0;
  std::vector<bool> answered_;
  Clock::time_point asked_;
  bool asking_ = false;
};

}  // namespace nystrom::mpi
