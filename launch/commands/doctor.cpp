#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/folders.h"
#include "kernels/core/processors.h"
#include "kernels/tensor/cpu_features.h"
#include "kernels/tensor/device.h"
#include "launch/bench/all_reduce_rate.h"
#include "launch/bench/machine.h"
#include "launch/cli/command.h"
#include "launch/cli/failure.h"
#include "launch/cli/option_parser.h"
#include "launch/cli/version.h"
#include "launch/setup/backend.h"
#include "launch/setup/provenance.h"
#include "trainer/comm/gpu_collectives.h"
#include "trainer/comm/launcher.h"
#include "trainer/comm/threads.h"
#include "trainer/run/heartbeat.h"

namespace nystrom {
namespace {

constexpr double kTimeoutSeconds = 60;

using OrderedJson = nlohmann::ordered_json;

/// What is found: a line of text for each, or all in one line of JSON.
class Findings {
 public:
  explicit Findings(bool json) : json_(json) {}

  void line(const std::string& what, const std::string& text) const {
    if (!json_) fmt::print("{:<18}{}\n", what, text);
  }
  /// The same; as JSON a member `key` with `value`.
  void add(const std::string& what, const std::string& text, const std::string& key, OrderedJson value) {
    line(what, text);
    all_[key] = std::move(value);
  }
  /// Adds to a list.
  void append(const std::string& what, const std::string& text, const std::string& key, OrderedJson value) {
    line(what, text);
    all_[key].push_back(std::move(value));
  }
  void end() const {
    if (json_) fmt::print("{}\n", all_.dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
  }

 private:
  bool json_;
  OrderedJson all_ = OrderedJson::object();
};

const char* yes(bool value) {
  return value ? "yes" : "no";
}

// Write test: a file is written, flushed and renamed, as checkpoints are.
void find_folder(const std::string& folder, Findings& found) {
  const std::string path = std::filesystem::absolute(folder).string();
  std::error_code problem;
  if (!std::filesystem::is_directory(folder, problem)) {
    const std::string reason =
        (problem ? problem : std::make_error_code(std::errc::not_a_directory)).message();
    return found.add("folder", fmt::format("{}: not accessible: {}", path, reason), "folder",
                     {{"path", path}, {"writable", false}, {"problem", reason}});
  }
  const auto free = free_disk_bytes(folder);
  const std::string free_text = fmt::format("{:.1f} GiB free", static_cast<double>(free) / (1 << 30));
  OrderedJson json{{"path", path}, {"writable", true}, {"free_bytes", free}};
  try {
    const std::string test = std::filesystem::path(folder) / "nystrom-doctor";
    const std::string temporary = temporary_name(test);
    std::ofstream(temporary) << "written by nystrom doctor\n";
    publish_file(temporary, temporary + "-renamed");
    std::filesystem::remove(temporary + "-renamed");
    found.add("folder", fmt::format("{}: writable, {}", path, free_text), "folder", json);
  } catch (const std::exception& error) {
    json["writable"] = false;
    json["problem"] = error.what();
    found.add("folder", fmt::format("{}: not writable ({}), {}", path, error.what(), free_text), "folder",
              json);
  }
}

/// "8 available to this process, with 16 hardware threads; the machine has 32 CPUs; the control group's
/// quota is 4.5 CPUs"
std::string cores_text(const Processors& processors) {
  const std::size_t cores = processors.cores.size(), cpus = processors.cpus().size();
  std::string text = fmt::format("{} available to this process", cores);
  if (cpus > cores) text += fmt::format(", with {} hardware threads", cpus);
  text += fmt::format("; the machine has {} CPUs", ::sysconf(_SC_NPROCESSORS_ONLN));
  if (processors.quota < kNoQuota)
    text += fmt::format("; the control group's quota is {:.1f} CPUs", processors.quota);
  return text;
}

/// Ranks and threads, by machine, and what is wrong with them. Collective.
void find_ranks(Comm& comm, Findings& found) {
  const int threads = threads_of_rank(comm);
  const auto shares = gather_shares(comm, share_of_rank(threads, 0));
  const auto warnings = thread_warnings(comm, threads, 0);
  if (comm.rank() != 0) return;
  found.add("ranks",
            comm.ranks() > 1 ? fmt::format("{}, {} on this machine", comm.ranks(), comm.local_ranks())
                             : "1 (for more: launch/mpirun.sh N nystrom doctor)",
            "ranks", comm.ranks());
  const char* name = "threads";
  for (const auto& usage : usage_by_machine(shares))
    found.append(std::exchange(name, ""), usage, "threads", usage);
  for (const auto& warning : warnings) found.append("warning", warning, "warnings", warning);
}

std::string cuda_version(int number) {
  return number > 0 ? fmt::format("CUDA {}.{}", number / 1000, number % 1000 / 10) : "unknown";
}

/// What the first GPU reaches; or why not: a library of CUDA's that is missing, say.
void find_rates(Findings& found) {
  try {
    const Device device = Device::gpu(0);
    Context context = device.context(1);
    const MachineCeiling rates = measure_machine(context, true);
    found.add("GPU 0 measured",
              fmt::format("matrix product {:.1f} TFLOP/s in fp32, {:.1f} in bf16; copy {:.0f} GB/s",
                          rates.fp32_flops / 1e12, rates.bf16_flops / 1e12, rates.copy_bytes / 1e9),
              "gpu_measured",
              {{"fp32_gflops", rates.fp32_flops / 1e9},
               {"bf16_gflops", rates.bf16_flops / 1e9},
               {"copy_gigabytes_per_second", rates.copy_bytes / 1e9}});
    found.add("wgmma", device.wgmma(), "wgmma", device.wgmma());
  } catch (const Error& error) {
    found.add("GPU 0 measured", error.what(), "gpu_measured", {{"problem", error.what()}});
  }
}

void find_all_gpus(Findings& found) {
  const GpuSearch search = find_gpus();
  if (search.gpus.empty()) found.add("GPU", search.problem, "gpus", OrderedJson::array());
  for (std::size_t i = 0; i < search.gpus.size(); ++i) {
    const GpuInfo& gpu = search.gpus[i];
    found.append(
        fmt::format("GPU {}", i),
        fmt::format(
            "{}, compute capability {}.{}, {:.1f} GiB{}", gpu.name, gpu.capability / 10, gpu.capability % 10,
            static_cast<double>(gpu.memory_bytes) / (1 << 30),
            gpu.peers.empty() ? "" : fmt::format(", peer access to GPU {}", fmt::join(gpu.peers, ", "))),
        "gpus",
        {{"name", gpu.name},
         {"capability", fmt::format("{}.{}", gpu.capability / 10, gpu.capability % 10)},
         {"memory_bytes", gpu.memory_bytes},
         {"peers", gpu.peers}});
  }
  if (!search.gpus.empty()) find_rates(found);
  if (search.built)
    found.add(
        "driver",
        fmt::format("{}; this program: {}", search.driver > 0 ? "for " + cuda_version(search.driver) : "none",
                    cuda_version(search.runtime)),
        "cuda", {{"driver", search.driver}, {"runtime", search.runtime}});
  const std::string nccl = nccl_status();
  found.add("NCCL", nccl, "nccl", nccl);
  const char* backend = search.gpus.empty() ? "cpu" : "cuda";
  found.add("backend: auto", backend, "backend", backend);
}

std::string rate_text(const AllReduceRate& rate) {
  return fmt::format("{:.0f} MiB in {:.2f} ms ({:.2f} GB/s on each link)",
                     mebibytes(static_cast<std::size_t>(rate.bytes)), 1e3 * rate.seconds,
                     rate.bus_bytes / 1e9);
}

/// All-reduce rate of these ranks, for one gradient bucket and for many. Collective.
void find_all_reduce(Comm& comm, Findings& found) {
  if (comm.ranks() == 1) return;
  const std::vector<std::int64_t> sizes{std::int64_t{4} << 20, std::int64_t{64} << 20};
  const auto tell = [&](const Device& device, CommKind kind) {
    const auto rates =
        measure_all_reduce(device, comm, sizes, {.kind = kind, .timeout_seconds = kTimeoutSeconds});
    if (comm.rank() != 0) return;
    std::string text = fmt::format("{} ranks over {}", comm.ranks(), rates.front().kind);
    OrderedJson json = OrderedJson::array();
    for (const AllReduceRate& rate : rates) {
      text += (&rate == &rates.front() ? ": " : ", ") + rate_text(rate);
      json.push_back({{"over", rate.kind},
                      {"bytes", rate.bytes},
                      {"seconds", rate.seconds},
                      {"bus_bytes_per_second", rate.bus_bytes}});
    }
    found.add(device.is_gpu() ? "all-reduce, GPUs" : "all-reduce", text,
              device.is_gpu() ? "all_reduce_gpus" : "all_reduce", std::move(json));
  };
  tell(Device(), CommKind::kMpi);
  double without = find_gpus().gpus.empty() ? 1 : 0;
  comm.all_reduce(std::span(&without, 1), "the search for GPUs");
  if (without > 0) return;
  tell(open_device({.cuda = true, .time_products = false, .notes = {}}, CommKind::kMpi, comm),
       CommKind::kAuto);
}

/// This machine, without MPI.
void find_machine(const std::string& folder, Findings& found) {
  const CpuFeatures cpu = CpuFeatures::detect();
  found.add("nystrom", program_version(), "version", program_version());
  found.add("CPU", cpu.model.empty() ? "unknown" : cpu.model, "cpu", cpu.model);
  const Processors processors = available_processors();
  found.add("cores", cores_text(processors), "cores",
            {{"available", processors.cores.size()},
             {"hardware_threads", processors.cpus().size()},
             {"machine", ::sysconf(_SC_NPROCESSORS_ONLN)},
             {"quota", processors.quota < kNoQuota ? OrderedJson(processors.quota) : OrderedJson()}});
  found.add("instructions",
            fmt::format("AVX2 and FMA {}, AVX-512 {}, AVX512-BF16 {}, AMX-BF16 {}", yes(cpu.avx2),
                        yes(cpu.avx512), yes(cpu.avx512_bf16), yes(cpu.amx_bf16)),
            "instructions",
            {{"avx2", cpu.avx2},
             {"avx512", cpu.avx512},
             {"avx512_bf16", cpu.avx512_bf16},
             {"amx_bf16", cpu.amx_bf16}});
  const bool bf16 = bf16_is_native();
  Context context(compute_threads(processors));
  const MachineCeiling machine = measure_machine(context, bf16);
  found.add(
      "precision: auto",
      bf16 ? fmt::format("bf16, multiplied by {}", machine.bf16_products) : "fp32 (no bf16 instructions)",
      "precision", bf16 ? "bf16" : "fp32");
  found.add("measured",
            fmt::format("matrix product {:.0f} GFLOP/s in fp32{}; memory copy {:.1f} GB/s; {} thread{}",
                        machine.fp32_flops / 1e9,
                        bf16 ? fmt::format(", {:.0f} in bf16", machine.bf16_flops / 1e9) : "",
                        machine.copy_bytes / 1e9, context.threads(), context.threads() == 1 ? "" : "s"),
            "measured",
            {{"fp32_gflops", machine.fp32_flops / 1e9},
             {"bf16_gflops", bf16 ? OrderedJson(machine.bf16_flops / 1e9) : OrderedJson()},
             {"copy_gigabytes_per_second", machine.copy_bytes / 1e9},
             {"threads", context.threads()}});
  found.add(
      "units",
      fmt::format("{:.0f} GFLOP/s in fp32{} without memory{}", machine.fp32_units / 1e9,
                  machine.bf16_units > 0 ? fmt::format(", {:.0f} in bf16", machine.bf16_units / 1e9) : "",
                  context.threads() > 1 ? fmt::format("; {} threads reach {:.2f} times as much as one",
                                                      context.threads(), machine.threads_ratio)
                                        : ""),
      "units",
      {{"fp32_gflops", machine.fp32_units / 1e9},
       {"bf16_gflops", machine.bf16_units > 0 ? OrderedJson(machine.bf16_units / 1e9) : OrderedJson()},
       {"threads_ratio", machine.threads_ratio},
       {"bf16_products", machine.bf16_products}});
  found.add("MPI", mpi_version(), "mpi", mpi_version());
  find_all_gpus(found);
  found.add("libraries", fmt::format("{}, {}", hdf5_version(), onednn_version()), "libraries",
            {hdf5_version(), onednn_version()});
  find_folder(folder, found);
}

}  // namespace

Command doctor_command() {
  auto folder = std::make_shared<std::string>(".");
  auto job = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  return {
      .name = "doctor",
      .summary = "Report CPU, GPUs, MPI, libraries and file system, and what a run would use.",
      .details =
          "Under mpirun it also measures the all-reduce rate between the ranks. With `--job` it reports what "
          "each rank of a running job is doing, and for how long.",
      .example =
          "nystrom doctor\nmpirun -n 2 nystrom doctor --folder /scratch/run\n"
          "nystrom doctor --job /scratch/run",
      .options =
          [folder, job, json](OptionParser& app) {
            app.add_option("--folder", *folder,
                           "Directory to test for writing. Default: the working directory.");
            app.add_option("--job", *job, "`run.directory` of a running job to report on.");
            app.add_flag("--json", *json, "Print one line of JSON instead.");
          },
      .run = [folder, job, json](const Invocation&) -> int {
        if (!job->empty()) {
          if (*json)
            refuse("`--json` and `--job` do not go together; `nystrom inspect {} --json` is for scripts.",
                   *job);
          if (launched_rank() == 0) fmt::print("{}", job_report(*job));
          return kDone;
        }
        Findings found(*json);
        if (launched_rank() == 0) find_machine(*folder, found);
        std::fflush(stdout);
        return with_comm({.timeout_seconds = kTimeoutSeconds}, [&](Comm& comm) -> int {
          find_ranks(comm, found);
          find_all_reduce(comm, found);
          if (comm.rank() == 0) found.end();
          return kDone;
        });
      }};
}

}  // namespace nystrom
