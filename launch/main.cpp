// The program: runs a command, prints what went wrong as one sentence, picks the exit status.

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "kernels/core/check.h"
#include "launch/command.h"
#include "launch/rank.h"

namespace {

// What is wrong for all ranks (a misspelled key) all of them find at once, and one sentence is enough: rank
// 0 prints and ends, whereupon the launcher ends the others. They wait for that, and then, still alive, are
// the ones that something is wrong with.
void print_failure(const std::string& sentence) {
  const int rank = nystrom::launched_rank();
  if (rank > 0) {
    ::usleep(static_cast<useconds_t>(1'500'000 + 50'000 * std::min(rank, 100)));
    fmt::print(stderr, "nystrom: rank {}: {}\n", rank, sentence);
  } else {
    fmt::print(stderr, "nystrom: {}\n", sentence);
  }
  std::fflush(nullptr);
}

int fail_with(int status, const std::string& sentence) {
  print_failure(sentence);
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  int status = nystrom::kFailed;
  try {
    status = nystrom::run_command_line({argv + 1, argv + argc});
  } catch (const nystrom::InputError& error) {
    status = fail_with(nystrom::kRefused, error.what());
  } catch (const nystrom::Error& error) {
    status = fail_with(nystrom::kFailed, error.what());
  } catch (const std::bad_alloc&) {
    status =
        fail_with(nystrom::kFailed, "the machine has no memory left; try a smaller training.micro_batch");
  } catch (const std::exception& error) {
    status = fail_with(nystrom::kFailed, fmt::format("unexpected error: {}", error.what()));
  }
  // What was printed must have arrived: a full disk behind a redirect is a failure too.
  if (std::fflush(stdout) != 0 && status == nystrom::kDone)
    status = fail_with(nystrom::kFailed, "standard output cannot be written; is the disk full?");
  return status;
}
