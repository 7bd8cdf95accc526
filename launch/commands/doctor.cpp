#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

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

void line(const char* what, const std::string& value) {
  fmt::print("{:<18}{}\n", what, value);
}

const char* yes(bool value) {
  return value ? "yes" : "no";
}

// Write test: a file is written, flushed and renamed, as checkpoints are.
std::string folder_text(const std::string& folder) {
  std::error_code problem;
  if (!std::filesystem::is_directory(folder, problem))
    return "not accessible: " +
           (problem ? problem : std::make_error_code(std::errc::not_a_directory)).message();
  const std::string free_text =
      fmt::format("{:.1f} GiB free", static_cast<double>(free_disk_bytes(folder)) / (1 << 30));
  try {
    const std::string path = std::filesystem::path(folder) / "nystrom-doctor";
    const std::string temporary = temporary_name(path);
    std::ofstream(temporary) << "written by nystrom doctor\n";
    publish_file(temporary, temporary + "-renamed");
    std::filesystem::remove(temporary + "-renamed");
    return "writable, " + free_text;
  } catch (const std::exception& error) {
    return fmt::format("not writable ({}), {}", error.what(), free_text);
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
void print_ranks(Comm& comm) {
  const int threads = threads_of_rank(comm);
  const auto shares = gather_shares(comm, share_of_rank(threads, 0));
  const auto warnings = thread_warnings(comm, threads, 0);
  if (comm.rank() != 0) return;
  line("ranks", comm.ranks() > 1 ? fmt::format("{}, {} on this machine", comm.ranks(), comm.local_ranks())
                                 : "1 (for more: launch/mpirun.sh N nystrom doctor)");
  const char* name = "threads";
  for (const auto& usage : usage_by_machine(shares)) line(std::exchange(name, ""), usage);
  for (const auto& warning : warnings) line("warning", warning);
}

std::string cuda_version(int number) {
  return number > 0 ? fmt::format("CUDA {}.{}", number / 1000, number % 1000 / 10) : "unknown";
}

void print_gpus() {
  const GpuSearch search = find_gpus();
  if (search.gpus.empty()) line("GPU", search.problem);
  for (std::size_t i = 0; i < search.gpus.size(); ++i) {
    const GpuInfo& gpu = search.gpus[i];
    line(fmt::format("GPU {}", i).c_str(),
         fmt::format(
             "{}, compute capability {}.{}, {:.1f} GiB{}", gpu.name, gpu.capability / 10, gpu.capability % 10,
             static_cast<double>(gpu.memory_bytes) / (1 << 30),
             gpu.peers.empty() ? "" : fmt::format(", peer access to GPU {}", fmt::join(gpu.peers, ", "))));
  }
  if (search.built)
    line("driver",
         fmt::format("for {}; this program: {}", cuda_version(search.driver), cuda_version(search.runtime)));
  const std::string nccl = nccl_status();
  line("NCCL", nccl);
  line("backend: auto", search.gpus.empty() ? "cpu" : "cuda");
}

std::string rate_text(const AllReduceRate& rate) {
  return fmt::format("{:.0f} MiB in {:.2f} ms ({:.2f} GB/s on each link)",
                     mebibytes(static_cast<std::size_t>(rate.bytes)), 1e3 * rate.seconds,
                     rate.bus_bytes / 1e9);
}

/// All-reduce rate of these ranks, for one gradient bucket and for many. Collective.
void print_all_reduce(Comm& comm) {
  if (comm.ranks() == 1) return;
  const std::vector<std::int64_t> sizes{std::int64_t{4} << 20, std::int64_t{64} << 20};
  const auto tell = [&](const Device& device, CommKind kind) {
    const auto rates =
        measure_all_reduce(device, comm, sizes, {.kind = kind, .timeout_seconds = kTimeoutSeconds});
    if (comm.rank() != 0) return;
    std::string text = fmt::format("{} ranks over {}", comm.ranks(), rates.front().kind);
    for (const AllReduceRate& rate : rates) text += (&rate == &rates.front() ? ": " : ", ") + rate_text(rate);
    line(device.is_gpu() ? "all-reduce, GPUs" : "all-reduce", text);
  };
  tell(Device(), CommKind::kMpi);
  double without = find_gpus().gpus.empty() ? 1 : 0;
  comm.all_reduce(std::span(&without, 1), "the search for GPUs");
  if (without > 0) return;
  tell(open_device({.cuda = true, .time_products = false, .notes = {}}, CommKind::kMpi, comm),
       CommKind::kAuto);
}

void print_report(const std::string& folder) {
  const CpuFeatures cpu = CpuFeatures::detect();
  line("nystrom", program_version());
  line("CPU", cpu.model.empty() ? "unknown" : cpu.model);
  const Processors processors = available_processors();
  line("cores", cores_text(processors));
  line("instructions", fmt::format("AVX2 and FMA {}, AVX-512 {}, AVX512-BF16 {}, AMX-BF16 {}", yes(cpu.avx2),
                                   yes(cpu.avx512), yes(cpu.avx512_bf16), yes(cpu.amx_bf16)));
  const bool bf16 = bf16_is_native();
  line("precision: auto", bf16 ? "bf16" : "fp32 (no bf16 instructions)");
  Context context(compute_threads(processors));
  const MachineCeiling machine = measure_machine(context, bf16);
  line("measured",
       fmt::format("matrix product {:.0f} GFLOP/s in fp32{}; memory copy {:.1f} GB/s; {} thread{}",
                   machine.fp32_flops / 1e9,
                   bf16 ? fmt::format(", {:.0f} in bf16", machine.bf16_flops / 1e9) : "",
                   machine.copy_bytes / 1e9, context.threads(), context.threads() == 1 ? "" : "s"));
  line("MPI", mpi_version());
  print_gpus();
  line("libraries", fmt::format("{}, {}", hdf5_version(), onednn_version()));
  line("folder", fmt::format("{}: {}", std::filesystem::absolute(folder).string(), folder_text(folder)));
}

}  // namespace

Command doctor_command() {
  auto folder = std::make_shared<std::string>(".");
  auto job = std::make_shared<std::string>();
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
          [folder, job](OptionParser& app) {
            app.add_option("--folder", *folder,
                           "Directory to test for writing. Default: the working directory.");
            app.add_option("--job", *job, "`run.directory` of a running job to report on.");
          },
      .run = [folder, job](const Invocation&) -> int {
        if (!job->empty()) {
          if (launched_rank() == 0) fmt::print("{}", job_report(*job));
          return kDone;
        }
        if (launched_rank() == 0) print_report(*folder);
        std::fflush(stdout);
        return with_comm({.timeout_seconds = kTimeoutSeconds}, [](Comm& comm) -> int {
          print_ranks(comm);
          print_all_reduce(comm);
          return kDone;
        });
      }};
}

}  // namespace nystrom
