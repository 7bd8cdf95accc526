#include "kernels/core/processors.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <sstream>
#include <tuple>

#include "kernels/core/files.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

std::string text_of(const std::string& path) {
  return try_read_file(path).value_or("");
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// The CPUs in /proc/PROCESS/status.
std::vector<int> allowed_cpus(const std::string& root, const std::string& process) {
  constexpr std::string_view kKey = "Cpus_allowed_list:";
  for (const std::string& line : lines_of(text_of(root + "/proc/" + process + "/status")))
    if (line.starts_with(kKey)) return parse_cpu_list(line.substr(kKey.size()));
  return {};
}

/// The NUMA node of a CPU, from the link "node1" in its folder; 0 if there is none.
int node_of(const std::string& folder) {
  constexpr std::string_view kNode = "node";
  std::error_code problem;
  for (fs::directory_iterator it(folder, problem), end; !problem && it != end; it.increment(problem)) {
    const std::string name = it->path().filename();
    if (name.starts_with(kNode) && name.size() > kNode.size() &&
        name.find_first_not_of("0123456789", kNode.size()) == std::string::npos)
      return std::atoi(name.c_str() + kNode.size());
  }
  return 0;
}

std::vector<std::vector<int>> cores_of(const std::vector<int>& cpus, const std::string& root) {
  std::map<std::pair<int, int>, std::vector<int>> cores;  // by node and first CPU of the core
  for (const int cpu : cpus) {
    const std::string folder = root + "/sys/devices/system/cpu/cpu" + std::to_string(cpu);
    const auto siblings = parse_cpu_list(text_of(folder + "/topology/thread_siblings_list"));
    const int first = siblings.empty() ? cpu : siblings.front();
    cores[{node_of(folder), first}].push_back(cpu);
  }
  std::vector<std::vector<int>> found;
  for (auto& [place, core] : cores) found.push_back(std::move(core));
  return found;
}

/// A mounted hierarchy of control groups that limits processor time.
struct Hierarchy {
  std::string root, mount;  ///< the group that is mounted, and where
  bool unified = false;     ///< version 2
};

bool has_word(const std::string& list, std::string_view word) {
  std::istringstream stream(list);
  for (std::string each; std::getline(stream, each, ',');)
    if (each == word) return true;
  return false;
}

/// proc(5), mountinfo: "36 35 98:0 ROOT MOUNT OPTIONS [TAGS] - TYPE SOURCE OPTIONS".
std::vector<Hierarchy> hierarchies(const std::string& root) {
  std::vector<Hierarchy> found;
  for (const std::string& line : lines_of(text_of(root + "/proc/self/mountinfo"))) {
    const auto dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line), after(line.substr(dash + 3));
    std::string ignored, type, options;
    Hierarchy hierarchy;
    before >> ignored >> ignored >> ignored >> hierarchy.root >> hierarchy.mount;
    after >> type >> ignored >> options;
    hierarchy.unified = type == "cgroup2";
    if (hierarchy.unified || (type == "cgroup" && has_word(options, "cpu"))) found.push_back(hierarchy);
  }
  return found;
}

/// The path of this process's group in the hierarchy; /proc/self/cgroup has "NUMBER:CONTROLLERS:PATH".
std::string group_in(const Hierarchy& hierarchy, const std::string& root) {
  for (const std::string& line : lines_of(text_of(root + "/proc/self/cgroup"))) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (hierarchy.unified ? controllers.empty() : has_word(controllers, "cpu"))
      return line.substr(second + 1);
  }
  return "";
}

/// CPUs' worth of time of one group; no quota if its files are not there or say none.
double quota_of(const std::string& folder, bool unified) {
  const std::string text =
      unified ? text_of(folder + "/cpu.max")
              : text_of(folder + "/cpu.cfs_quota_us") + " " + text_of(folder + "/cpu.cfs_period_us");
  std::istringstream numbers(text);
  double microseconds = 0, period = 0;
  numbers >> microseconds >> period;  // "max 100000" and "-1 100000" mean none
  return numbers && microseconds > 0 && period > 0 ? microseconds / period : kNoQuota;
}

double min_quota(const Hierarchy& hierarchy, const std::string& root) {
  // A container may see its group's path from outside, while only that group is mounted.
  fs::path group = group_in(hierarchy, root);
  const std::string outside = hierarchy.root == "/" ? "" : hierarchy.root;
  if (!outside.empty() && group.string().starts_with(outside)) group = group.string().substr(outside.size());
  double quota = kNoQuota;
  for (fs::path part = group.relative_path();; part = part.parent_path()) {
    quota = std::min(quota, quota_of(root + hierarchy.mount + "/" + part.string(), hierarchy.unified));
    if (part.empty()) return quota;
  }
}

int bounded(std::size_t threads, double quota) {
  const double whole = std::floor(std::min(quota, static_cast<double>(threads)));
  return std::max(1, static_cast<int>(whole));
}

}  // namespace

std::vector<int> Processors::cpus() const {
  std::vector<int> all;
  for (const auto& core : cores) all.insert(all.end(), core.begin(), core.end());
  return all;
}

Processors available_processors(const std::string& root) {
  Processors found{.cores = cores_of(allowed_cpus(root, "self"), root)};
  for (const Hierarchy& hierarchy : hierarchies(root))
    found.quota = std::min(found.quota, min_quota(hierarchy, root));
  return found;
}

std::vector<std::vector<int>> cores_of_parent(const std::string& root) {
  return cores_of(allowed_cpus(root, std::to_string(::getppid())), root);
}

int compute_threads(const Processors& processors) {
  return bounded(processors.cores.size(), processors.quota);
}

int hardware_threads(const Processors& processors) {
  return bounded(processors.cpus().size(), processors.quota);
}

int requested_threads() {
  const char* given = std::getenv("OMP_NUM_THREADS");
  const long threads = given == nullptr ? 0 : std::strtol(given, nullptr, 10);
  return threads > 0 && threads <= std::numeric_limits<int>::max() ? static_cast<int>(threads) : 0;
}

std::vector<int> share_of(const Processors& processors, int rank, int ranks) {
  const auto part = [&](std::size_t whole, int n) {
    return whole * static_cast<std::size_t>(n) / static_cast<std::size_t>(ranks);
  };
  const std::size_t cores = processors.cores.size();
  const std::vector<int> cpus = processors.cpus();
  std::vector<int> mine;
  if (static_cast<std::size_t>(ranks) <= cores) {
    for (std::size_t i = part(cores, rank); i < part(cores, rank + 1); ++i)
      mine.insert(mine.end(), processors.cores[i].begin(), processors.cores[i].end());
  } else {
    for (std::size_t i = part(cpus.size(), rank); i < part(cpus.size(), rank + 1); ++i)
      mine.push_back(cpus[i]);
  }
  return static_cast<std::size_t>(ranks) <= cpus.size() ? mine : std::vector<int>();
}

bool bind_to(const std::vector<int>& cpus) {
  if (cpus.empty()) return false;
  const auto count = static_cast<std::size_t>(*std::ranges::max_element(cpus)) + 1;
  const std::size_t bytes = CPU_ALLOC_SIZE(count);
  const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(CPU_ALLOC(count),
                                                             [](cpu_set_t* s) { CPU_FREE(s); });
  if (!set) return false;
  CPU_ZERO_S(bytes, set.get());
  for (const int cpu : cpus) CPU_SET_S(static_cast<std::size_t>(cpu), bytes, set.get());
  return ::sched_setaffinity(0, bytes, set.get()) == 0;
}

std::vector<int> parse_cpu_list(const std::string& text) {
  constexpr int kMaxCpu = 1 << 20;
  std::vector<int> cpus;
  std::istringstream ranges(text);
  for (std::string range; std::getline(ranges, range, ',');) {
    std::istringstream numbers(range);
    int first = 0, last = 0;
    char dash = 0;
    if (!(numbers >> first)) return {};
    last = numbers >> dash >> last && dash == '-' ? last : first;
    if (first < 0 || last < first || last > kMaxCpu) return {};
    for (int cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

std::string control_groups(const std::string& root) {
  std::error_code ignored;
  return fs::read_symlink(root + "/proc/self/ns/cgroup", ignored).string() + "\n" +
         text_of(root + "/proc/self/cgroup");
}

}  // namespace nystrom
