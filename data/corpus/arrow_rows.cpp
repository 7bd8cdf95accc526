#include "data/corpus/arrow_rows.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "kernels/core/check.h"

namespace nystrom {

/// data/corpus/arrow_rows.py
extern const char* const kArrowRowsScript;

namespace {

constexpr int kRefused = 3, kNoPyarrow = 4;  // exit statuses of the script
constexpr std::size_t kMaxErrorText = 4000;

/// An open file, closed at the end.
class Handle {
 public:
  Handle() = default;
  explicit Handle(int number) : number_(number) {}
  ~Handle() { close(); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  void set(int number) {
    close();
    number_ = number;
  }
  void close() {
    if (number_ >= 0) ::close(number_);
    number_ = -1;
  }
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_ = -1;
};

const char* python() {
  const char* given = std::getenv("NYSTROM_PYTHON");
  return given != nullptr && *given != '\0' ? given : "python3";
}

[[noreturn]] void refuse_without(const std::string& path, std::string_view what) {
  refuse(
      "{} is read by Python's pyarrow: {}. Install it (`python3 -m pip install pyarrow`), name the Python that has it "
      "(`export NYSTROM_PYTHON=...`), or convert the file to JSON Lines.",
      path, what);
}

/// What a child process writes.
class ArrowRows final : public ByteStream {
 public:
  ArrowRows(const std::string& path, const std::string& column) : path_(path) {
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
      fail("A pipe to a child process could not be created: {}.", std::strerror(errno));
    rows_.set(ends[0]);
    const Handle writing(ends[1]);
    said_.set(::memfd_create("nystrom", MFD_CLOEXEC));
    if (said_.number() < 0) fail("Memory for messages of a child process: {}.", std::strerror(errno));
    start(column, writing.number());
  }
  ~ArrowRows() override {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    (void)wait();
  }

  std::size_t read(char* to, std::size_t count) override {
    if (child_ <= 0) return 0;
    ssize_t got = -1;
    do got = ::read(rows_.number(), to, count);
    while (got < 0 && errno == EINTR);
    if (got < 0) fail("{}: rows of a child process cannot be read: {}.", path_, std::strerror(errno));
    if (got == 0) check_end(wait());
    return static_cast<std::size_t>(got);
  }

 private:
  void start(const std::string& column, int writing) {
    // A name that begins with "-" is not taken for an option of Python's: those end at the script.
    const std::array<const char*, 8> arguments{python(),         "-W",          "ignore",       "-c",
                                               kArrowRowsScript, path_.c_str(), column.c_str(), nullptr};
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, writing, 1);
    posix_spawn_file_actions_adddup2(&files, said_.number(), 2);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    const int problem = ::posix_spawnp(&child_, arguments[0], &files, &attributes,
                                       const_cast<char* const*>(arguments.data()), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (problem == 0) return;
    child_ = 0;
    refuse_without(path_, fmt::format("{} cannot be run ({})", python(), std::strerror(problem)));
  }

  /// The child's status, once it has ended.
  int wait() {
    int status = 0;
    while (::waitpid(child_, &status, 0) < 0)
      if (errno != EINTR) fail("A child process was lost: {}.", std::strerror(errno));
    child_ = 0;
    return status;
  }

  [[nodiscard]] std::string said() const {
    std::string text(kMaxErrorText, '\0');
    const ssize_t got = ::pread(said_.number(), text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }

  void check_end(int status) const {
    if (status == 0) return;
    if (WIFEXITED(status) && WEXITSTATUS(status) == kRefused) throw InputError(said());
    if (WIFEXITED(status) && WEXITSTATUS(status) == kNoPyarrow)
      refuse_without(path_, fmt::format("{} has none ({})", python(), said()));
    if (WIFEXITED(status))
      refuse_without(path_,
                     fmt::format("{} ends with status {} ({})", python(), WEXITSTATUS(status), said()));
    refuse(
        "{} makes pyarrow crash ({}); it is corrupt or malicious. It was read in a child process, so nothing else was "
        "affected. Get it again, or leave it out.",
        path_, ::strsignal(WTERMSIG(status)));
  }

  std::string path_;
  Handle rows_, said_;
  pid_t child_ = 0;
};

}  // namespace

bool is_arrow(std::string_view head) {
  return head.starts_with("PAR1") || head.starts_with("ARROW1") || head.starts_with("\xFF\xFF\xFF\xFF");
}

bool is_arrow_file(const std::string& path) {
  if (std::error_code unknown; !std::filesystem::is_regular_file(path, unknown)) return false;
  FileStream file(path);
  std::string head(6, '\0');
  head.resize(read_fully(file, head.data(), head.size()));
  return is_arrow(head);
}

std::unique_ptr<ByteStream> arrow_rows(const std::string& path, const std::string& column) {
  return std::make_unique<ArrowRows>(path, column);
}

}  // namespace nystrom
