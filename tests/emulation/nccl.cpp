// NCCL's collectives over MPI. A collective begins when its stream comes to it and is asked after until it
// ends, so that a rank that runs ahead does not keep the others' streams from going on.

#include <mpi.h>
#include <nccl.h>

#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "machine.h"

struct ncclComm {
  MPI_Comm ranks = MPI_COMM_NULL;
  bool aborted = false;  // what streams have of it ends at once, as NCCL's kernels do
};

namespace {

struct Type {
  std::size_t bytes;
  MPI_Datatype mpi;
};
std::optional<Type> type_of(ncclDataType_t type) {
  switch (type) {
    case ncclUint8:
      return Type{1, MPI_BYTE};
    case ncclFloat32:
      return Type{4, MPI_FLOAT};
    case ncclFloat64:
      return Type{8, MPI_DOUBLE};
    case ncclBfloat16:
      return Type{2, MPI_UINT16_T};
  }
  return std::nullopt;
}

/// sum += more in bf16, each sum rounded.
void add_bf16(void* more, void* sum, int* count, MPI_Datatype*) {
  const auto load = [](std::uint16_t bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
  };
  const auto* from = static_cast<const std::uint16_t*>(more);
  auto* to = static_cast<std::uint16_t*>(sum);
  for (int i = 0; i < *count; ++i) {
    const auto exact = std::bit_cast<std::uint32_t>(load(to[i]) + load(from[i]));
    to[i] = static_cast<std::uint16_t>((exact + 0x7fffU + ((exact >> 16U) & 1U)) >> 16U);
  }
}

MPI_Op sum_of(ncclDataType_t type) {
  static const MPI_Op bf16 = [] {
    MPI_Op made = MPI_OP_NULL;
    MPI_Op_create(add_bf16, 1, &made);
    return made;
  }();
  return type == ncclBfloat16 ? bf16 : MPI_SUM;
}

/// Begins a collective of MPI, in place; its result is at the beginning of the values.
using Begin = std::function<void(void* values, MPI_Request*)>;

/// Bytes in device memory.
struct Source {
  const void* bytes;
  std::size_t count;
};
struct Result {
  void* bytes;
  std::size_t count;
};

/// When the stream comes to it. The bytes go through the host's memory: MPI may read them from another
/// process, where the guards of device memory would stop it.
ncclResult_t enqueue(cudaStream_t stream, const char* name, ncclComm_t comm, Source from, Result to,
                     const Begin& begin) {
  if (emulation::is_capturing(stream))
    return ncclInvalidUsage;  // NCCL can; the stand-in's calls run but once
  if (!emulation::is_device_memory(from.bytes, from.count) ||
      !emulation::is_device_memory(to.bytes, to.count))
    return ncclInvalidArgument;
  struct Flight {
    MPI_Request request = MPI_REQUEST_NULL;
    std::vector<std::byte> values;
    bool begun = false;
  };
  auto flight = std::make_shared<Flight>();
  const cudaError_t error = emulation::enqueue(stream, name, [=] {
    if (comm->aborted) return true;
    if (!flight->begun) {
      flight->begun = true;
      const auto* first = static_cast<const std::byte*>(from.bytes);
      flight->values.assign(first, first + from.count);
      begin(flight->values.data(), &flight->request);
    }
    int done = 0;
    MPI_Test(&flight->request, &done, MPI_STATUS_IGNORE);
    if (done != 0) std::memcpy(to.bytes, flight->values.data(), to.count);
    return done != 0;
  });
  return error == cudaSuccess ? ncclSuccess : ncclUnhandledCudaError;
}

/// A send or a receive of the group that is open; of one stream, and of bytes alone, as it is used here.
struct Message {
  void* bytes;
  std::size_t count;
  int peer;
  ncclComm_t comm;
  cudaStream_t stream;
  bool is_sent;
  MPI_Request request = MPI_REQUEST_NULL;
  std::vector<std::byte> values = {};
};
bool group_open = false;
std::vector<Message> messages;

ncclResult_t add_message(Message message, ncclDataType_t type) {
  if (!group_open || type != ncclUint8 || emulation::is_capturing(message.stream)) return ncclInvalidUsage;
  if (!emulation::is_device_memory(message.bytes, message.count)) return ncclInvalidArgument;
  messages.push_back(std::move(message));
  return ncclSuccess;
}

/// All of a group at once, when the stream comes to it.
ncclResult_t enqueue_messages() {
  struct Group {
    std::vector<Message> messages;
    bool begun = false;
  };
  auto group = std::make_shared<Group>();
  group->messages.swap(messages);
  const cudaError_t error = emulation::enqueue(group->messages.front().stream, "ncclGroup", [=] {
    if (group->messages.front().comm->aborted) return true;
    for (Message& each : group->messages) {
      if (group->begun) break;
      const auto* first = static_cast<const std::byte*>(each.bytes);
      each.values.assign(first, first + each.count);
      const int count = static_cast<int>(each.count);
      if (each.is_sent)
        MPI_Isend(each.values.data(), count, MPI_BYTE, each.peer, 0, each.comm->ranks, &each.request);
      else
        MPI_Irecv(each.values.data(), count, MPI_BYTE, each.peer, 0, each.comm->ranks, &each.request);
    }
    group->begun = true;
    bool all_done = true;
    for (Message& each : group->messages) {
      int done = 0;
      MPI_Test(&each.request, &done, MPI_STATUS_IGNORE);
      all_done = all_done && done != 0;
    }
    if (all_done)
      for (const Message& each : group->messages)
        if (!each.is_sent) std::memcpy(each.bytes, each.values.data(), each.count);
    return all_done;
  });
  return error == cudaSuccess ? ncclSuccess : ncclUnhandledCudaError;
}

struct Registered {
  void* memory;
  std::size_t bytes;
};

/// NYSTROM_EMULATION_NCCL=PLACE:RANK: this rank comes no further than that place.
void hang_at(std::string_view place) {
  const char* text = std::getenv("NYSTROM_EMULATION_NCCL");
  if (text == nullptr) return;
  int mine = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &mine);
  while (std::string_view(text) == std::string(place) + ":" + std::to_string(mine))
    std::this_thread::sleep_for(std::chrono::seconds(1));
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
  int mine = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &mine);
  *id = {};
  id->internal[0] = 42;
  std::memcpy(id->internal + 4, &mine, sizeof mine);  // whose it is
  return ncclSuccess;
}
ncclResult_t ncclCommInitRank(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank) {
  hang_at("start");
  // All ranks of the job join some communicator at once: those that have been given the same id, one.
  int all = 0, mine = 0, owner = 0;
  std::memcpy(&owner, id.internal + 4, sizeof owner);
  auto made = std::make_unique<ncclComm>();
  MPI_Comm_split(MPI_COMM_WORLD, owner, rank, &made->ranks);
  MPI_Comm_size(made->ranks, &all);
  MPI_Comm_rank(made->ranks, &mine);
  if (ranks != all || rank != mine || id.internal[0] != 42) return ncclInvalidUsage;
  *comm = made.release();
  return ncclSuccess;
}
ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  hang_at("destroy");
  int over = 0;
  MPI_Finalized(&over);
  if (over == 0) MPI_Comm_free(&comm->ranks);
  delete comm;
  return ncclSuccess;
}
ncclResult_t ncclCommAbort(ncclComm_t comm) {
  static std::vector<std::unique_ptr<ncclComm>> kept;  // streams may refer to it
  kept.emplace_back(comm)->aborted = true;
  return ncclSuccess;
}
ncclResult_t ncclCommGetAsyncError(ncclComm_t, ncclResult_t* error) {
  *error = ncclSuccess;
  return ncclSuccess;
}
ncclResult_t ncclAllReduce(const void* from, void* to, std::size_t count, ncclDataType_t type,
                           ncclRedOp_t operation, ncclComm_t comm, cudaStream_t stream) {
  hang_at("first");
  const auto element = type_of(type);
  if (operation != ncclSum || !element) return ncclInvalidArgument;
  const std::size_t bytes = count * element->bytes;
  return enqueue(stream, "ncclAllReduce", comm, {from, bytes}, {to, bytes},
                 [=](void* values, MPI_Request* request) {
                   MPI_Iallreduce(MPI_IN_PLACE, values, static_cast<int>(count), element->mpi, sum_of(type),
                                  comm->ranks, request);
                 });
}
ncclResult_t ncclReduceScatter(const void* from, void* to, std::size_t count, ncclDataType_t type,
                               ncclRedOp_t operation, ncclComm_t comm, cudaStream_t stream) {
  const auto element = type_of(type);
  if (operation != ncclSum || !element) return ncclInvalidArgument;
  int ranks = 0;
  MPI_Comm_size(comm->ranks, &ranks);
  const std::size_t bytes = count * element->bytes;
  return enqueue(stream, "ncclReduceScatter", comm, {from, bytes * static_cast<std::size_t>(ranks)},
                 {to, bytes}, [=](void* values, MPI_Request* request) {
                   MPI_Ireduce_scatter_block(MPI_IN_PLACE, values, static_cast<int>(count), element->mpi,
                                             sum_of(type), comm->ranks, request);
                 });
}
// In place alone, as it is used here.
ncclResult_t ncclAllGather(const void* from, void* to, std::size_t count, ncclDataType_t type,
                           ncclComm_t comm, cudaStream_t stream) {
  const auto element = type_of(type);
  int ranks = 0, mine = 0;
  MPI_Comm_size(comm->ranks, &ranks);
  MPI_Comm_rank(comm->ranks, &mine);
  const std::size_t bytes = count * (element ? element->bytes : 0),
                    all = bytes * static_cast<std::size_t>(ranks);
  if (!element || from != static_cast<std::byte*>(to) + bytes * static_cast<std::size_t>(mine))
    return ncclInvalidArgument;
  return enqueue(stream, "ncclAllGather", comm, {to, all}, {to, all},
                 [=](void* values, MPI_Request* request) {
                   MPI_Iallgather(MPI_IN_PLACE, 0, element->mpi, values, static_cast<int>(count),
                                  element->mpi, comm->ranks, request);
                 });
}
// In place alone, as it is used here.
ncclResult_t ncclBroadcast(const void* from, void* to, std::size_t count, ncclDataType_t type, int root,
                           ncclComm_t comm, cudaStream_t stream) {
  const auto element = type_of(type);
  if (from != to || !element) return ncclInvalidArgument;
  const std::size_t bytes = count * element->bytes;
  return enqueue(stream, "ncclBroadcast", comm, {from, bytes}, {to, bytes},
                 [=](void* values, MPI_Request* request) {
                   MPI_Ibcast(values, static_cast<int>(count), element->mpi, root, comm->ranks, request);
                 });
}
ncclResult_t ncclSend(const void* from, std::size_t count, ncclDataType_t type, int to, ncclComm_t comm,
                      cudaStream_t stream) {
  return add_message({const_cast<void*>(from), count, to, comm, stream, true}, type);
}
ncclResult_t ncclRecv(void* to, std::size_t count, ncclDataType_t type, int from, ncclComm_t comm,
                      cudaStream_t stream) {
  return add_message({to, count, from, comm, stream, false}, type);
}
ncclResult_t ncclCommRegister(ncclComm_t, void* memory, std::size_t bytes, void** handle) {
  const char* text = std::getenv("NYSTROM_EMULATION_NCCL");
  if (text != nullptr && std::string_view(text) == "registers-nothing") return ncclInvalidUsage;
  if (!emulation::is_device_memory(memory, bytes)) return ncclInvalidArgument;
  ++emulation::mutable_statistics().registered;
  *handle = new Registered{memory, bytes};
  return ncclSuccess;
}
ncclResult_t ncclCommDeregister(ncclComm_t, void* handle) {
  const std::unique_ptr<Registered> registered(static_cast<Registered*>(handle));
  ++emulation::mutable_statistics().deregistered;
  if (!emulation::is_device_memory(registered->memory, registered->bytes))
    emulation::set_fault("memory that was registered with NCCL is freed before it is deregistered");
  return ncclSuccess;
}
ncclResult_t ncclGroupStart() {
  group_open = true;
  return ncclSuccess;
}
ncclResult_t ncclGroupEnd() {
  group_open = false;
  if (!messages.empty()) hang_at("exchange");
  return messages.empty() ? ncclSuccess : enqueue_messages();
}
