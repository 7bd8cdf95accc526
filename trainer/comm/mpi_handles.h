#pragma once
// RAII owners of MPI handles. For the mpi_*.cpp files only: includes mpi.h.

#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "kernels/tensor/dtype.h"
#include "trainer/process/watchdog.h"

namespace nystrom::mpi {

/// Throws Error with MPI's own words if `code` is not success.
void checked(int code, std::string_view what);

/// What to do where MPI's start or end hangs longer than `seconds`; nothing if `report` is empty.
struct HangReport {
  double seconds = 0;
  std::function<void(const std::string&)> report;
};

/// While it lives. `where` is MPI's "start" or "end".
[[nodiscard]] std::optional<Watchdog> watch(const HangReport& hang, const char* where);

/// MPI between its first call and its last.
class Environment {
 public:
  explicit Environment(HangReport hang = {});
  /// With an exception on its way the other ranks do not come, and finalizing would wait for them for ever:
  /// the job is ended instead.
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  HangReport hang_;
  int exceptions_ = std::uncaught_exceptions();
};

/// MPI's element type of a tensor's values, "bf16" being two bytes of no type that MPI knows.
[[nodiscard]] MPI_Datatype type_of(DType type);

/// What sums values: MPI's own sum, and for bf16 our own.
class Sums {
 public:
  Sums();
  ~Sums();
  Sums(const Sums&) = delete;
  Sums& operator=(const Sums&) = delete;
  [[nodiscard]] MPI_Op of(DType type) const { return type == DType::kBF16 ? bf16_ : MPI_SUM; }

 private:
  MPI_Op bf16_ = MPI_OP_NULL;
  int exceptions_ = std::uncaught_exceptions();
};

class Communicator {
 public:
  /// Made by make(&comm). Collective, as is the end of its life.
  explicit Communicator(const std::function<int(MPI_Comm*)>& make);
  ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  [[nodiscard]] MPI_Comm get() const { return comm_; }
  [[nodiscard]] int rank() const;
  [[nodiscard]] int size() const;

 private:
  MPI_Comm comm_ = MPI_COMM_NULL;
  int exceptions_ = std::uncaught_exceptions();
};

}  // namespace nystrom::mpi
