// NCCL's collectives over MPI. A collective begins when its stream comes to it and is asked after until it
// ends, so that a rank that runs ahead does not keep the others' streams from going on.

#include <mpi.h>
#include <nccl.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

#include "emulation.h"

struct ncclComm {
  MPI_Comm ranks = MPI_COMM_NULL;
};

namespace {

/// One all-reduce under way.
struct Flight {
  MPI_Request request = MPI_REQUEST_NULL;
  bool begun = false;
  /// MPI may read it from another process, where the guards of device memory would stop it.
  std::vector<std::byte> values;
};

bool carry_on(Flight& flight, ncclComm* comm, const void* from, void* to, std::size_t count,
              MPI_Datatype type) {
  if (!flight.begun) {
    flight.begun = true;
    int size = 0;
    MPI_Type_size(type, &size);
    const auto* first = static_cast<const std::byte*>(from);
    flight.values.assign(first, first + count * static_cast<std::size_t>(size));
    MPI_Iallreduce(MPI_IN_PLACE, flight.values.data(), static_cast<int>(count), type, MPI_SUM, comm->ranks,
                   &flight.request);
  }
  int done = 0;
  MPI_Test(&flight.request, &done, MPI_STATUS_IGNORE);
  if (done != 0) std::memcpy(to, flight.values.data(), flight.values.size());
  return done != 0;
}

}  // namespace

ncclResult_t ncclGetVersion(int* version) {
  *version = 22707;
  return ncclSuccess;
}
const char* ncclGetErrorString(ncclResult_t result) {
  return result == ncclSuccess ? "no error" : "an error of the stand-in";
}
ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  *id = {};
  id->internal[0] = 42;
  return ncclSuccess;
}
ncclResult_t ncclCommInitRank(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank) {
  int all = 0, mine = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &all);
  MPI_Comm_rank(MPI_COMM_WORLD, &mine);
  if (ranks != all || rank != mine || id.internal[0] != 42) return ncclInvalidUsage;
  auto made = std::make_unique<ncclComm>();
  MPI_Comm_dup(MPI_COMM_WORLD, &made->ranks);
  *comm = made.release();
  return ncclSuccess;
}
ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  int over = 0;
  MPI_Finalized(&over);
  if (over == 0) MPI_Comm_free(&comm->ranks);
  delete comm;
  return ncclSuccess;
}
ncclResult_t ncclCommAbort(ncclComm_t comm) {
  delete comm;
  return ncclSuccess;
}
ncclResult_t ncclCommGetAsyncError(ncclComm_t, ncclResult_t* error) {
  *error = ncclSuccess;
  return ncclSuccess;
}
ncclResult_t ncclAllReduce(const void* from, void* to, std::size_t count, ncclDataType_t type,
                           ncclRedOp_t operation, ncclComm_t comm, cudaStream_t stream) {
  if (operation != ncclSum || (type != ncclFloat32 && type != ncclFloat64)) return ncclInvalidArgument;
  const std::size_t bytes = count * (type == ncclFloat32 ? 4 : 8);
  if (!emulation::is_device_memory(from, bytes) || !emulation::is_device_memory(to, bytes))
    return ncclInvalidArgument;
  auto flight = std::make_shared<Flight>();
  const MPI_Datatype mpi_type = type == ncclFloat32 ? MPI_FLOAT : MPI_DOUBLE;
  const cudaError_t error = emulation::enqueue(
      stream, "ncclAllReduce", [=] { return carry_on(*flight, comm, from, to, count, mpi_type); });
  return error == cudaSuccess ? ncclSuccess : ncclUnhandledCudaError;
}
