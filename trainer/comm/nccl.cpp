#include "trainer/comm/nccl.h"

#include <dlfcn.h>
#include <nccl.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <utility>
#include <vector>

#include "trainer/comm/stripes.h"

namespace nystrom {
namespace {

/// The libnccl functions in use.
struct Nccl {
  decltype(&ncclGetVersion) get_version = nullptr;
  decltype(&ncclGetErrorString) error_string = nullptr;
  decltype(&ncclGetUniqueId) unique_id = nullptr;
  decltype(&ncclCommInitRank) init_rank = nullptr;
  decltype(&ncclCommDestroy) destroy = nullptr;
  decltype(&ncclCommAbort) abort = nullptr;
  decltype(&ncclCommGetAsyncError) async_error = nullptr;
  decltype(&ncclAllReduce) all_reduce = nullptr;
  decltype(&ncclReduceScatter) reduce_scatter = nullptr;
  decltype(&ncclAllGather) all_gather = nullptr;
  decltype(&ncclBroadcast) broadcast = nullptr;
  decltype(&ncclSend) send = nullptr;
  decltype(&ncclRecv) receive = nullptr;
  decltype(&ncclGroupStart) group_start = nullptr;
  decltype(&ncclGroupEnd) group_end = nullptr;
  std::string problem;
  // From 2.19 on, whatever headers this was built with; null in older libraries.
  ncclResult_t (*register_memory)(ncclComm_t, void*, std::size_t, void**) = nullptr;
  ncclResult_t (*deregister_memory)(ncclComm_t, void*) = nullptr;
};

constexpr const char* kMissing = "this machine has no libnccl.so.2 (NCCL) that the program could open";

#ifdef NYSTROM_EMULATION

Nccl open_nccl() {
  const char* there = std::getenv("NYSTROM_EMULATION_NCCL");
  if (there != nullptr && std::string_view(there) == "missing") return {.problem = kMissing};
  return {ncclGetVersion,    ncclGetErrorString, ncclGetUniqueId,       ncclCommInitRank,
          ncclCommDestroy,   ncclCommAbort,      ncclCommGetAsyncError, ncclAllReduce,
          ncclReduceScatter, ncclAllGather,      ncclBroadcast,         ncclSend,
          ncclRecv,          ncclGroupStart,     ncclGroupEnd,          {},
          ncclCommRegister,  ncclCommDeregister};
}

#else

template <class Function>
void find(void* library, const char* name, Function& function, std::string& problem) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function == nullptr) problem = fmt::format("its libnccl.so.2 has no {}", name);
}

Nccl open_nccl() {
  Nccl nccl;
  void* library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    nccl.problem = kMissing;
    return nccl;
  }
  find(library, "ncclGetVersion", nccl.get_version, nccl.problem);
  find(library, "ncclGetErrorString", nccl.error_string, nccl.problem);
  find(library, "ncclGetUniqueId", nccl.unique_id, nccl.problem);
  find(library, "ncclCommInitRank", nccl.init_rank, nccl.problem);
  find(library, "ncclCommDestroy", nccl.destroy, nccl.problem);
  find(library, "ncclCommAbort", nccl.abort, nccl.problem);
  find(library, "ncclCommGetAsyncError", nccl.async_error, nccl.problem);
  find(library, "ncclAllReduce", nccl.all_reduce, nccl.problem);
  find(library, "ncclReduceScatter", nccl.reduce_scatter, nccl.problem);
  find(library, "ncclAllGather", nccl.all_gather, nccl.problem);
  find(library, "ncclBroadcast", nccl.broadcast, nccl.problem);
  find(library, "ncclSend", nccl.send, nccl.problem);
  find(library, "ncclRecv", nccl.receive, nccl.problem);
  find(library, "ncclGroupStart", nccl.group_start, nccl.problem);
  find(library, "ncclGroupEnd", nccl.group_end, nccl.problem);
  std::string absent;
  find(library, "ncclCommRegister", nccl.register_memory, absent);
  find(library, "ncclCommDeregister", nccl.deregister_memory, absent);
  if (!absent.empty()) nccl.register_memory = nullptr;
  return nccl;
}

#endif

/// Loaded once and never unloaded.
const Nccl& nccl() {
  static const Nccl opened = open_nccl();
  return opened;
}

void check(ncclResult_t result, int rank, std::string_view what) {
  if (result != ncclSuccess)
    fail("NCCL failed on rank {} at {}: {}. Set NCCL_DEBUG=INFO for details.", rank, what,
         nccl().error_string(result));
}

ncclDataType_t type_of(const Tensor& values) {
  NYSTROM_CHECK(values.dtype == DType::kF32 || values.dtype == DType::kF64 || values.dtype == DType::kBF16,
                "NCCL is given {}", name_of(values.dtype));
  if (values.dtype == DType::kF64) return ncclFloat64;
  return values.dtype == DType::kF32 ? ncclFloat32 : ncclBfloat16;
}

std::size_t bytes_sent(std::span<const DeviceMessage> messages) {
  std::size_t sent = 0;
  for (const DeviceMessage& message : messages)
    if (message.way == DeviceMessage::Way::kSend) sent += message.bytes.size();
  return sent;
}

ncclResult_t enqueue(const DeviceMessage& message, int peer, ncclComm_t comm, cudaStream_t stream) {
  std::byte* const bytes = message.bytes.data();
  const std::size_t count = message.bytes.size();
  if (message.way == DeviceMessage::Way::kSend)
    return nccl().send(bytes, count, ncclUint8, peer, comm, stream);
  return nccl().receive(bytes, count, ncclUint8, peer, comm, stream);
}

}  // namespace

std::string nccl_problem() {
  return nccl().problem;
}

std::string nccl_version() {
  int version = 0;
  if (!nccl().problem.empty() || nccl().get_version(&version) != ncclSuccess) return {};
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

struct NcclReduction::Communicator {
  ncclComm_t comm = nullptr;
};

NcclReduction::NcclReduction(CudaContext& context, Comm& comm, const ReductionOptions& options)
    : context_(context),
      comm_(comm),
      timeout_seconds_(options.timeout_seconds),
      group_ranks_(options.group_ranks),
      communicator_(std::make_unique<Communicator>()),
      neighbours_(std::make_unique<Communicator>()) {
  join_ranks();
  if (group_ranks_ > 1) join_neighbours();
  // Ranks are connected when they first talk, and the host waits for that: here, and not in a step.
  const OwnedTensor one(DType::kF32, {1}, context.memory());
  const Watchdog watched(timeout_seconds_, hang_report("NCCL's first sum"));
  try {
    enqueue_sum(one, "NCCL's first sum");
    finish();
    synchronize(0, "NCCL's first sum");
  } catch (...) {
    abort();
    throw;
  }
}

void NcclReduction::join_ranks() {
  ncclUniqueId id{};
  if (comm_.rank() == 0) check(nccl().unique_id(&id), 0, "making the job's id");
  comm_.broadcast(std::as_writable_bytes(std::span(&id, 1)), 0, "the id of NCCL's job");
  const Watchdog watched(timeout_seconds_, hang_report("NCCL's start"));
  check(nccl().init_rank(&communicator_->comm, comm_.ranks(), id, comm_.rank()), comm_.rank(),
        "joining the other ranks");
}

// Each group takes the id that its first rank has made.
void NcclReduction::join_neighbours() {
  ncclUniqueId mine{};
  const int in_group = comm_.rank() % group_ranks_;
  if (in_group == 0) check(nccl().unique_id(&mine), comm_.rank(), "making its group's id");
  std::vector<ncclUniqueId> all(static_cast<std::size_t>(comm_.ranks()));
  comm_.all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)),
                   "the ids of NCCL's groups");
  const Watchdog watched(timeout_seconds_, hang_report("the start of its group in NCCL"));
  check(nccl().init_rank(&neighbours_->comm, group_ranks_,
                         all[static_cast<std::size_t>(comm_.rank() - in_group)], in_group),
        comm_.rank(), "joining its group");
}

NcclReduction::~NcclReduction() {
  if (communicator_->comm == nullptr) return;
  if (std::uncaught_exceptions() > exceptions_) {
    abort();
    return;
  }
  const Watchdog watched(timeout_seconds_, hang_report("NCCL's end"));
  forget_memory();
  if (neighbours_->comm != nullptr) (void)nccl().destroy(neighbours_->comm);
  (void)nccl().destroy(communicator_->comm);
}

void NcclReduction::abort() noexcept {
  for (Communicator* each : {neighbours_.get(), communicator_.get()})
    if (ncclComm_t comm = std::exchange(each->comm, nullptr)) (void)nccl().abort(comm);
}

std::function<void()> NcclReduction::hang_report(std::string what) const {
  return [this, what = std::move(what)] {
    comm_.report_hang(fmt::format(
        "Rank {} of {} waited {:.0f} s for {}; another rank did not take part. Inspect the other ranks "
        "(with NCCL_DEBUG=INFO), or raise `communication.timeout`.",
        comm_.rank(), comm_.ranks(), timeout_seconds_, what));
  };
}

template <class Enqueue>
void NcclReduction::traced(const cuda::Stream& stream, std::string_view what, std::size_t bytes,
                           const Enqueue& enqueue) {
  const Trace* const trace = comm_.activity().trace();
  const bool is_traced = trace != nullptr && trace->active();
  if (is_traced) times_.begin(stream, what, bytes);
  enqueue();
  if (is_traced) times_.end(stream);
}

void NcclReduction::follow_ops() {
  context_.stream().record(final_);
  stream_.wait(final_);
}

std::optional<Watchdog> NcclReduction::watch_first(bool& connected, std::string what) const {
  if (std::exchange(connected, true)) return std::nullopt;
  return std::optional<Watchdog>(std::in_place, timeout_seconds_, hang_report(std::move(what)));
}

void NcclReduction::enqueue_sum(const Tensor& values, std::string_view what) {
  follow_ops();
  traced(stream_, what, values.bytes(), [&] {
    check(nccl().all_reduce(values.address, values.address, static_cast<std::size_t>(values.numel()),
                            type_of(values), ncclSum, communicator_->comm, stream_),
          comm_.rank(), what);
  });
}

// Memory that NCCL does not take is copied, as all was before.
void NcclReduction::register_memory(const Tensor& values) {
  if (nccl().register_memory == nullptr) return;
  void* handle = nullptr;
  if (nccl().register_memory(communicator_->comm, values.address, values.bytes(), &handle) == ncclSuccess)
    registered_.push_back(handle);
}

void NcclReduction::forget_memory() noexcept {
  if (communicator_->comm != nullptr)
    for (void* const handle : registered_) (void)nccl().deregister_memory(communicator_->comm, handle);
  registered_.clear();
}

void NcclReduction::start(const Tensor& values) {
  enqueue_sum(values, kGradientSum);
}

void NcclReduction::start_scatter(const Tensor& values) {
  const std::int64_t part = values.numel() / comm_.ranks();
  NYSTROM_CHECK(part * comm_.ranks() == values.numel(), "{} values of {} ranks", values.numel(),
                comm_.ranks());
  follow_ops();
  const auto watched = watch_first(scattered_, "NCCL's first reduce-scatter");
  traced(stream_, kGradientScatter, values.bytes(), [&] {
    check(nccl().reduce_scatter(values.address, values.rows(comm_.rank() * part, part).address,
                                static_cast<std::size_t>(part), type_of(values), ncclSum, communicator_->comm,
                                stream_),
          comm_.rank(), kGradientScatter);
  });
}

void NcclReduction::sum(const Tensor& values) {
  enqueue_sum(values, kOptimizerSum);
  finish();
}

void NcclReduction::finish() {
  stream_.record(summed_);
  context_.stream().wait(summed_);
}

void NcclReduction::move(std::span<const DeviceMessage> messages) {
  follow_ops();
  enqueue_messages(messages, kShardExchange);
  finish();
}

void NcclReduction::enqueue_messages(std::span<const DeviceMessage> messages, std::string_view what) {
  if (messages.empty()) return;
  const auto asked = [&](ncclResult_t result) { check(result, comm_.rank(), what); };
  const auto watched = watch_first(moved_, "NCCL's first messages");
  traced(stream_, what, bytes_sent(messages), [&] {
    asked(nccl().group_start());
    for (const DeviceMessage& message : messages)
      asked(enqueue(message, message.rank, communicator_->comm, stream_));
    asked(nccl().group_end());
  });
}

// NCCL's all-gather takes equal parts, which shards are only nearly: what is in another rank's part is sent
// there first.
void NcclReduction::gather(const Tensor& values, std::span<const std::int64_t> begins) {
  const Stripes stripes = cut_stripes(values.numel(), values.numel(), comm_.ranks());
  const auto parts = parts_elsewhere(stripes, begins, comm_.rank());
  follow_ops();
  const auto watched = watch_first(gathered_, "NCCL's first exchange of weights");
  enqueue_messages(messages_of(parts, values, comm_.rank(), Course::kToHolders), kWeightExchange);
  for (const auto& [begin, part] : stripes.all) {
    const Tensor all = values.rows(begin, part * comm_.ranks()), mine = all.rows(comm_.rank() * part, part);
    traced(stream_, kWeightExchange, all.bytes(), [&] {
      check(nccl().all_gather(mine.address, all.address, static_cast<std::size_t>(mine.numel()), type_of(all),
                              communicator_->comm, stream_),
            comm_.rank(), kWeightExchange);
    });
  }
  if (stripes.rest > 0) enqueue_broadcasts(values.first(stripes.rest), begins);
  finish();
}

void NcclReduction::enqueue_broadcasts(const Tensor& rest, std::span<const std::int64_t> begins) {
  const auto asked = [this](ncclResult_t result) { check(result, comm_.rank(), kWeightExchange); };
  asked(nccl().group_start());
  for (std::size_t rank = 0; rank + 1 < begins.size(); ++rank) {
    const std::int64_t begin = std::min(begins[rank], rest.numel()),
                       end = std::min(begins[rank + 1], rest.numel());
    if (begin == end) continue;
    const Tensor part = rest.rows(begin, end - begin);
    asked(nccl().broadcast(part.address, part.address, static_cast<std::size_t>(part.numel()), type_of(part),
                           static_cast<int>(rank), communicator_->comm, stream_));
  }
  asked(nccl().group_end());
}

void NcclReduction::exchange(std::span<const DeviceMessage> messages) {
  const auto asked = [this](ncclResult_t result) { check(result, comm_.rank(), kSequenceExchange); };
  const auto watched = watch_first(exchanged_, "NCCL's first exchange in its group");
  traced(context_.stream(), kSequenceExchange, bytes_sent(messages), [&] {
    asked(nccl().group_start());
    for (const DeviceMessage& message : messages)
      asked(enqueue(message, message.rank % group_ranks_, neighbours_->comm, context_.stream()));
    asked(nccl().group_end());
  });
  context_.stream().record(received_);
}

void NcclReduction::report_times() {
  if (Trace* const trace = comm_.activity().trace(); trace != nullptr) times_.report(stream_, *trace);
}

void NcclReduction::synchronize(std::int64_t step, std::string_view what) {
  wait_for(summed_, step, what);
  report_times();
}

void NcclReduction::settle(std::int64_t step) {
  wait_for(received_, step, kSequenceExchange);
}

void NcclReduction::wait_for(const cuda::Event& event, std::int64_t step, std::string_view what) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  for (std::int64_t look = 0;; ++look) {
    const cudaError_t state = cudaEventQuery(event.get());
    if (state == cudaSuccess) return;
    if (state != cudaErrorNotReady) cuda::check(state, what);
    ncclResult_t error = ncclSuccess;
    for (const Communicator* each : {communicator_.get(), neighbours_.get()})
      if (each->comm != nullptr && error == ncclSuccess)
        check(nccl().async_error(each->comm, &error), comm_.rank(), what);
    const double waited = std::chrono::duration<double>(Clock::now() - start).count();
    if (error != ncclSuccess || waited > timeout_seconds_) {
      if (!received_.happened()) what = kSequenceExchange;  // what is waited for comes after it
      abort();
      if (error != ncclSuccess)
        fail("Rank {} of {} got an error from NCCL at step {}, in {}: {}. Resume from the last checkpoint.",
             comm_.rank(), comm_.ranks(), step, what, nccl().error_string(error));
      throw CommTimeout(fmt::format(
          "Rank {} of {} waited {:.0f} s at step {} for {} over NCCL; another rank did not take part. "
          "Inspect the other ranks, or raise `communication.timeout` ({:.0f} s).",
          comm_.rank(), comm_.ranks(), waited, step, what, timeout_seconds_));
    }
    if (look > 1000) std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

}  // namespace nystrom
