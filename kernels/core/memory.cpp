#include "kernels/core/memory.h"

#include <sys/resource.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <string>

#include "kernels/core/check.h"
#include "kernels/core/files.h"

namespace nystrom {
namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

std::uint64_t machine_bytes() {
  struct sysinfo machine {};
  if (::sysinfo(&machine) != 0) return kNoLimit;
  return (std::uint64_t{machine.totalram} + machine.totalswap) * machine.mem_unit;
}

std::uint64_t process_limit() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? limit.rlim_cur : kNoLimit;
}

/// The number in a file of a control group; "max" is none.
std::uint64_t limit_in(const std::string& path) {
  const std::string text = try_read_file(path, 64).value_or("");
  std::uint64_t bytes = 0;
  const auto error = std::from_chars(text.data(), text.data() + text.size(), bytes).ec;
  return error == std::errc() && bytes > 0 ? bytes : kNoLimit;
}

/// Of the control group that a line of /proc/self/cgroup names after `mark`, and of those above it.
std::uint64_t group_limit(const std::string& groups, std::string_view mark, const std::string& root,
                          const std::string& file) {
  const auto at = groups.find(mark);
  if (at == std::string::npos) return kNoLimit;
  const auto begin = at + mark.size();
  std::string path = groups.substr(begin, groups.find('\n', begin) - begin);
  std::uint64_t limit = kNoLimit;
  for (;;) {
    limit = std::min(limit, limit_in(root + path + file));
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return limit;
    path.resize(slash);
  }
}

/// Of both versions of control groups.
std::uint64_t group_limit() {
  const std::string groups = try_read_file("/proc/self/cgroup").value_or("");
  return std::min(group_limit(groups, "0::", "/sys/fs/cgroup", "/memory.max"),
                  group_limit(groups, ":memory:", "/sys/fs/cgroup/memory", "/memory.limit_in_bytes"));
}

double gibibytes(double bytes) {
  return bytes / (1U << 30U);
}

}  // namespace

std::uint64_t host_memory_bytes() {
  return std::min({machine_bytes(), process_limit(), group_limit()});
}

void require_host_memory(double bytes, std::string_view what, std::string_view remedy) {
  const auto most = static_cast<double>(host_memory_bytes());
  if (bytes > most)
    refuse("{} takes {:.1f} GiB, but this process can have {:.1f} GiB in all. {}", what, gibibytes(bytes),
           gibibytes(most), remedy);
}

}  // namespace nystrom
