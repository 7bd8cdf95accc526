#include "trainer/process/process_info.h"

#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

namespace nystrom {
namespace {

std::string line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

struct Stat {
  char state = 0;
  std::int64_t started = 0;
};

/// proc(5): fields after the name, which is in parentheses and may contain anything.
std::optional<Stat> stat_of(std::int64_t process) {
  const std::string line = line_of("/proc/" + std::to_string(process) + "/stat");
  const auto bracket = line.rfind(')');
  if (bracket == std::string::npos) return std::nullopt;
  std::istringstream rest(line.substr(bracket + 1));
  Stat stat;
  rest >> stat.state;
  constexpr int kBetween = 18;  // fields 4 to 21; 22 is the start time
  std::string ignored;
  for (int i = 0; i < kBetween; ++i) rest >> ignored;
  rest >> stat.started;
  if (!rest) return std::nullopt;
  return stat;
}

std::string machine_name() {
  std::error_code ignored;
  const std::string boot = line_of("/proc/sys/kernel/random/boot_id"),
                    space = std::filesystem::read_symlink("/proc/self/ns/pid", ignored).string();
  return boot.empty() || space.empty() ? "" : boot + " " + space;
}

}  // namespace

ProcessInfo this_process() {
  std::array<char, HOST_NAME_MAX + 1> host{};
  (void)::gethostname(host.data(), host.size() - 1);
  const auto stat = stat_of(::getpid());
  return {.host = host.data(),
          .machine = machine_name(),
          .process = ::getpid(),
          .started = stat ? stat->started : 0};
}

bool same_machine(const ProcessInfo& a, const ProcessInfo& b) {
  return !a.machine.empty() && a.machine == b.machine && a.host == b.host;
}

Life life_of(const ProcessInfo& process) {
  const auto stat = stat_of(process.process);
  if (!stat || process.started == 0) {
    const bool exists = ::kill(static_cast<pid_t>(process.process), 0) == 0 || errno == EPERM;
    return exists ? Life::kHidden : Life::kDead;
  }
  const bool lives = stat->started == process.started && stat->state != 'Z' && stat->state != 'X';
  return lives ? Life::kAlive : Life::kDead;
}

double process_seconds() {
  timespec now{};
  const auto stat = stat_of(::getpid());
  if (!stat || ::clock_gettime(CLOCK_BOOTTIME, &now) != 0) return 0;
  const double started = static_cast<double>(stat->started) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec) - started;
}

}  // namespace nystrom
