#include "trainer/comm/mpi_peers.h"

#include <algorithm>
#include <thread>

namespace nystrom::mpi {
namespace {

using namespace std::chrono_literals;

constexpr int kRollCall = 1, kAreYouThere = 2, kHere = 3;  // tags
constexpr auto kGrace = 5s;
constexpr char kNothing = 0;  // content of every message

}  // namespace

Peers::Peers(MPI_Comm comm) : comm_(comm) {
  checked(MPI_Comm_rank(comm_, &rank_), "asking for the rank");
  checked(MPI_Comm_size(comm_, &ranks_), "asking for the number of ranks");
}

void Peers::answer() noexcept {
  int there = 0;
  MPI_Status status;
  while (MPI_Iprobe(MPI_ANY_SOURCE, kAreYouThere, comm_, &there, &status) == MPI_SUCCESS && there != 0) {
    char ignored = 0;
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Recv(&ignored, 1, MPI_CHAR, status.MPI_SOURCE, kAreYouThere, comm_, MPI_STATUS_IGNORE);
    MPI_Isend(&kNothing, 1, MPI_CHAR, status.MPI_SOURCE, kHere, comm_, &request);
    if (request != MPI_REQUEST_NULL) MPI_Request_free(&request);
  }
}

// Such small messages are sent eagerly; their completion is not waited for.
void Peers::send_to_all(int tag) {
  for (int to = 0; to < ranks_; ++to) {
    if (to == rank_) continue;
    MPI_Request request = MPI_REQUEST_NULL;
    checked(MPI_Isend(&kNothing, 1, MPI_CHAR, to, tag, comm_, &request), "asking the other ranks");
    if (request != MPI_REQUEST_NULL) MPI_Request_free(&request);
  }
}

bool Peers::receive(int tag, std::vector<bool>& from) {
  int there = 0;
  MPI_Status status;
  checked(MPI_Iprobe(MPI_ANY_SOURCE, tag, comm_, &there, &status), "hearing the other ranks");
  if (there == 0) return false;
  char ignored = 0;
  checked(MPI_Recv(&ignored, 1, MPI_CHAR, status.MPI_SOURCE, tag, comm_, MPI_STATUS_IGNORE),
          "hearing the other ranks");
  from[static_cast<std::size_t>(status.MPI_SOURCE)] = true;
  return true;
}

std::vector<int> Peers::missing(const std::vector<bool>& heard) const {
  std::vector<int> found;
  for (int rank = 0; rank < ranks_; ++rank)
    if (rank != rank_ && !heard[static_cast<std::size_t>(rank)]) found.push_back(rank);
  return found;
}

bool Peers::roll_called() const {
  int there = 0;
  checked(MPI_Iprobe(MPI_ANY_SOURCE, kRollCall, comm_, &there, MPI_STATUS_IGNORE), "hearing the other ranks");
  return there != 0;
}

std::vector<int> Peers::absent_at_roll_call(std::chrono::milliseconds grace) {
  std::vector<bool> here(static_cast<std::size_t>(ranks_), false);
  send_to_all(kRollCall);
  const auto end = Clock::now() + grace;
  while (Clock::now() < end && !missing(here).empty())
    if (!receive(kRollCall, here)) std::this_thread::sleep_for(1ms);
  return missing(here);
}

std::vector<int> Peers::silent() {
  if (!asking_) {
    answered_.assign(static_cast<std::size_t>(ranks_), false);
    asked_ = Clock::now();
    asking_ = true;
    send_to_all(kAreYouThere);
  }
  while (receive(kHere, answered_)) {
  }
  if (Clock::now() < asked_ + kGrace) return {};
  asking_ = false;
  return missing(answered_);
}

}  // namespace nystrom::mpi
