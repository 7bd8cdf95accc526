#include "trainer/comm/threads.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <cmath>
#include <cstdlib>
#include <map>
#include <sstream>

#include "kernels/core/processors.h"
#include "kernels/core/sha256.h"

namespace nystrom {
namespace {

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> host{};
  (void)::gethostname(host.data(), host.size() - 1);
  return host.data();
}

/// How many ranks have what this one has. Digests, since a gather pads every text to the longest.
int sharing(Comm& comm, const std::string& mine, std::string_view what) {
  const std::string digest = sha256_hex(mine);
  return static_cast<int>(std::ranges::count(comm.all_gather_text(digest, what), digest));
}

/// The CPUs that Slurm granted this job on this machine; it may bind ranks without narrowing its own mask.
int granted_by_slurm() {
  const char* text = std::getenv("SLURM_CPUS_ON_NODE");
  const int cpus = text == nullptr ? 0 : std::atoi(text);
  return cpus > 0 ? cpus : INT_MAX;
}

std::string counted(int count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

/// The ranks of one machine.
struct Machine {
  RankShare first;
  int ranks = 0, threads = 0;
};

std::vector<Machine> machines_of(const std::vector<RankShare>& shares) {
  std::vector<Machine> machines;
  std::map<std::string, std::size_t> places;
  for (const RankShare& share : shares) {
    const auto [place, is_new] = places.emplace(share.host, machines.size());
    if (is_new) machines.push_back({share, 0, 0});
    Machine& machine = machines[place->second];
    ++machine.ranks;
    machine.threads += share.threads;
  }
  return machines;
}

/// "2 ranks with 1 thread each"
std::string ranks_of(const Machine& machine) {
  return fmt::format("{} with {}{}", counted(machine.ranks, "rank"), counted(machine.first.threads, "thread"),
                     machine.ranks > 1 ? " each" : "");
}

/// " (and so on 3 more machines)"
std::string also_on(std::size_t machines) {
  return machines == 0 ? ""
                       : fmt::format(" (and so on {})", counted(static_cast<int>(machines), "more machine"));
}

std::string cause_of_idleness(const RankShare& share) {
  if (!share.decides.empty())
    return fmt::format("{} is {}; remove or raise it", share.decides, share.threads);
  return fmt::format(
      "each rank is bound to {}; start the job by launch/mpirun.sh, give each rank its share of the cores "
      "(`--cpus-per-task` of Slurm, `--map-by slot:PE=N` of Open MPI), or do not bind them (`--bind-to none`)",
      counted(share.bound_cores, "core"));
}

// "HOST\nTHREADS BOUND CORES CPUS\nDECIDES"
std::string text_of(const RankShare& share) {
  return fmt::format("{}\n{} {} {} {}\n{}", share.host, share.threads, share.bound_cores, share.cores,
                     share.cpus, share.decides);
}

RankShare share_in(const std::string& text) {
  RankShare share;
  std::istringstream lines(text);
  std::getline(lines, share.host);
  lines >> share.threads >> share.bound_cores >> share.cores >> share.cpus;
  lines.ignore();
  std::getline(lines, share.decides);
  return share;
}

}  // namespace

int threads_of_rank(Comm& comm) {
  const Processors mine = available_processors();
  const std::string host = host_name();
  const int on_these_cores =
      sharing(comm, fmt::format("{} {}", host, fmt::join(mine.cpus(), " ")), "the sharing of cores");
  const int in_this_group = sharing(comm, host + " " + control_groups(), "the sharing of a quota");
  if (const int requested = requested_threads(); requested > 0) return requested;
  const int by_cores = static_cast<int>(mine.cores.size()) / on_these_cores;
  const double by_quota = std::floor(mine.quota / in_this_group);
  return std::max(1, by_quota < by_cores ? static_cast<int>(by_quota) : by_cores);
}

int threads_of_rank(Comm& comm, std::int64_t given) {
  return given > 0 ? static_cast<int>(given) : threads_of_rank(comm);
}

RankShare share_of_rank(int threads, std::int64_t given) {
  const Processors mine = available_processors();
  Processors all = mine;
  if (under_launcher()) all.cores = cores_of_parent();
  if (all.cores.size() < mine.cores.size()) all.cores = mine.cores;
  const int granted = granted_by_slurm();
  return {.host = host_name(),
          .threads = threads,
          .bound_cores = static_cast<int>(mine.cores.size()),
          .cores = std::min(compute_threads(all), granted),
          .cpus = std::min(hardware_threads(all), granted),
          .decides = given > 0                 ? "`run.threads`"
                     : requested_threads() > 0 ? "OMP_NUM_THREADS"
                                               : ""};
}

std::vector<std::string> usage_by_machine(const std::vector<RankShare>& shares) {
  std::vector<std::string> lines;
  for (const Machine& machine : machines_of(shares))
    lines.push_back(fmt::format("{} on {}, which has {}", ranks_of(machine), machine.first.host,
                                counted(machine.first.cores, "core")));
  return lines;
}

std::string idle_warning(const std::vector<RankShare>& shares) {
  std::vector<Machine> idle = machines_of(shares);
  std::erase_if(idle, [](const Machine& m) { return 2 * m.threads > m.first.cores; });
  if (idle.empty()) return "";
  const Machine& machine = idle.front();
  return fmt::format("{} use{} {} of the {} of {}{}: {}.", ranks_of(machine), machine.ranks > 1 ? "" : "s",
                     machine.threads, counted(machine.first.cores, "core"), machine.first.host,
                     also_on(idle.size() - 1), cause_of_idleness(machine.first));
}

std::string overcommit_warning(const std::vector<RankShare>& shares) {
  std::vector<Machine> full = machines_of(shares);
  std::erase_if(full, [](const Machine& m) { return m.threads <= m.first.cpus; });
  if (full.empty()) return "";
  const Machine& machine = full.front();
  const std::string& decides = machine.first.decides;
  return fmt::format(
      "{} threads of {} share {} of {}{}, and wait for each other: start fewer ranks{}.", machine.threads,
      counted(machine.ranks, "rank"), counted(machine.first.cpus, "CPU"), machine.first.host,
      also_on(full.size() - 1),
      decides.empty() ? "" : fmt::format(", or lower {} ({})", decides, machine.first.threads));
}

std::vector<RankShare> gather_shares(Comm& comm, const RankShare& mine) {
  std::vector<RankShare> shares;
  for (const auto& text : comm.all_gather_text(text_of(mine), "the use of the machines"))
    shares.push_back(share_in(text));
  return shares;
}

std::vector<std::string> thread_warnings(Comm& comm, int threads, std::int64_t given, bool on_gpu) {
  const auto shares = gather_shares(comm, share_of_rank(threads, given));
  std::vector<std::string> warnings{overcommit_warning(shares)};
  if (!on_gpu) warnings.push_back(idle_warning(shares));
  std::erase(warnings, "");
  return warnings;
}

}  // namespace nystrom
