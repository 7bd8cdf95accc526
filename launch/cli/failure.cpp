#include "launch/cli/failure.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <system_error>

#include "kernels/core/printable.h"
#include "launch/cli/colour.h"
#include "launch/cli/command.h"
#include "launch/cli/console.h"
#include "trainer/comm/launcher.h"

namespace nystrom {
namespace {

void print(const std::string& sentence) {
  const int rank = launched_rank();
  if (rank > 0) ::usleep(static_cast<useconds_t>(1'500'000 + 50'000 * std::min(rank, 100)));
  const std::string who = rank > 0 ? fmt::format("rank {}: ", rank) : "";
  print_error(fmt::format("{} {}{}\n", coloured(Colour::kRed, "nystrom:"), who, printable_lines(sentence)));
  std::fflush(nullptr);
}

void end_by_sigpipe() {
  std::signal(SIGPIPE, SIG_DFL);
  (void)std::raise(SIGPIPE);
}

}  // namespace

void survive_failed_writes() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

int report_failure(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const InputError& error) {
    print(error.what());
    return kRefused;
  } catch (const Error& error) {
    print(error.what());
  } catch (const std::bad_alloc&) {
    print("The machine is out of memory. End other programs or, in training, lower `training.micro_batch`.");
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::broken_pipe) end_by_sigpipe();
    print(fmt::format("Unexpected error: {}.", error.what()));
  } catch (const std::exception& error) {
    print(fmt::format("Unexpected error: {}", error.what()));
  } catch (...) {
    print("Unexpected error of an unknown type.");
  }
  return kFailed;
}

int with_comm(const CommOptions& options, const std::function<int(Comm&)>& work) {
  CommOptions own = options;
  if (!own.on_hang)
    own.on_hang = [](const std::string& sentence) {
      print(sentence);
      std::_Exit(kFailed);  // the launcher ends the other ranks
    };
  const std::unique_ptr<Comm> comm = make_comm(own);
  try {
    return work(*comm);
  } catch (...) {
    if (comm->ranks() == 1) throw;
    const int status = report_failure(std::current_exception());
    comm->abort(status);
    std::_Exit(status);
  }
}

}  // namespace nystrom
