#include "trainer/comm/mpi_handles.h"

#include <array>
#include <csignal>
#include <cstddef>
#include <utility>

#include "kernels/core/check.h"

namespace nystrom::mpi {
namespace {
#ifdef NYSTROM_EMULATION
constexpr int kThreads = MPI_THREAD_MULTIPLE;  // the emulation of NCCL calls MPI too
#else
constexpr int kThreads = MPI_THREAD_SERIALIZED;
#endif

/// sum += more in bf16: each sum is computed in fp32 and rounded once.
void add_bf16(void* more, void* sum, int* count, MPI_Datatype*) {
  const auto* from = static_cast<const BF16*>(more);
  auto* to = static_cast<BF16*>(sum);
#pragma omp simd
  for (int i = 0; i < *count; ++i) to[i] = BF16(static_cast<float>(to[i]) + static_cast<float>(from[i]));
}
}  // namespace

std::optional<Watchdog> watch(const HangReport& hang, const char* where) {
  if (!hang.report) return std::nullopt;
  return std::optional<Watchdog>(std::in_place, hang.seconds, [hang, where] {
    hang.report(fmt::format(
        "This rank waited {:.0f} s in MPI's {} for the others: a rank is stopped, hangs or has not "
        "started. Inspect the job's processes on each machine, or raise `communication.timeout`.",
        hang.seconds, where));
  });
}

void checked(int code, std::string_view what) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  fail("MPI failed at {}: {}.", what, std::string_view(text.data(), static_cast<std::size_t>(length)));
}

namespace {

/// Restores the crash handlers of before MPI's initialization. Open MPI's own print a stack trace and, with a
/// corrupt heap, deadlock in malloc: a rank that crashes must end, so that the launcher ends the others.
class CrashHandlers {
 public:
  CrashHandlers() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], nullptr, &before_[i]);
  }
  ~CrashHandlers() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before_[i], nullptr);
  }
  CrashHandlers(const CrashHandlers&) = delete;
  CrashHandlers& operator=(const CrashHandlers&) = delete;

 private:
  static constexpr std::array kSignals{SIGABRT, SIGBUS, SIGFPE, SIGSEGV};
  std::array<struct sigaction, kSignals.size()> before_{};
};

}  // namespace

Environment::Environment(HangReport hang) : hang_(std::move(hang)) {
  const CrashHandlers kept;
  const auto watched = watch(hang_, "start");
  int provided = 0;
  checked(MPI_Init_thread(nullptr, nullptr, kThreads, &provided), "its start");
  if (provided < kThreads)
    fail(
        "This MPI library supports calls from one thread only (level {}); use one with "
        "MPI_THREAD_SERIALIZED.",
        provided);
}

Environment::~Environment() {
  if (std::uncaught_exceptions() > exceptions_) MPI_Abort(MPI_COMM_WORLD, 1);
  const auto watched = watch(hang_, "end");
  MPI_Finalize();
}

MPI_Datatype type_of(DType type) {
  switch (type) {
    case DType::kF32:
      return MPI_FLOAT;
    case DType::kF64:
      return MPI_DOUBLE;
    case DType::kBF16:
      return MPI_UINT16_T;
    default:
      throw InternalError(fmt::format("ranks do not exchange {}", name_of(type)));
  }
}

Sums::Sums() {
  checked(MPI_Op_create(add_bf16, /*commute=*/1, &bf16_), "making a sum of bf16");
}

Sums::~Sums() {
  if (std::uncaught_exceptions() == exceptions_) MPI_Op_free(&bf16_);
}

Communicator::Communicator(const std::function<int(MPI_Comm*)>& make) {
  checked(make(&comm_), "making a communicator");
  checked(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "making a communicator");
}

Communicator::~Communicator() {
  if (std::uncaught_exceptions() == exceptions_) MPI_Comm_free(&comm_);
}

int Communicator::rank() const {
  int value = 0;
  checked(MPI_Comm_rank(comm_, &value), "asking for the rank");
  return value;
}

int Communicator::size() const {
  int value = 0;
  checked(MPI_Comm_size(comm_, &value), "asking for the number of ranks");
  return value;
}

}  // namespace nystrom::mpi
