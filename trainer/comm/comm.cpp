#include "trainer/comm/comm.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "trainer/comm/launcher.h"
#include "trainer/comm/mpi_comm.h"

namespace nystrom {
namespace {

/// A single rank: collectives are no-ops.
class SoloComm final : public Comm {
 public:
  [[nodiscard]] int rank() const override { return 0; }
  [[nodiscard]] int ranks() const override { return 1; }
  [[nodiscard]] int local_rank() const override { return 0; }
  [[nodiscard]] int local_ranks() const override { return 1; }
  [[nodiscard]] std::string_view kind() const override { return "none"; }
  [[nodiscard]] Ticket start_all_reduce(const Tensor&, std::string_view) override { return 0; }
  void wait(Ticket) override {}
  void broadcast(std::span<std::byte>, int, std::string_view) override {}
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all, std::string_view what) override {
    NYSTROM_CHECK(mine.size() == all.size(), "{}: {} bytes gathered into {}", what, mine.size(), all.size());
    std::ranges::copy(mine, all.begin());
  }
  void all_gather_shards(const Tensor&, std::span<const std::int64_t>, std::string_view) override {}
  void gather_shards(const Tensor& mine, const Tensor& whole, std::span<const std::int64_t>,
                     std::string_view what) override {
    NYSTROM_CHECK(mine.bytes() == whole.bytes(), "{}: {} bytes gathered into {}", what, mine.bytes(),
                  whole.bytes());
    std::memcpy(whole.address, mine.address, mine.bytes());
  }
  void barrier(std::string_view) override {}
  void abort(int status) noexcept override { std::_Exit(status); }
};

std::unique_ptr<Comm> make_launched_comm(const CommOptions& options) {
  std::unique_ptr<Comm> comm = make_mpi_comm(options);
  const int launched = launched_ranks();
  if (comm->ranks() > 1 || launched == 1) return comm;
  comm.reset();  // an exception would end the job before it is printed
  refuse(
      "{} ranks were started, but MPI sees one: the launcher belongs to another MPI library than this program "
      "(see `nystrom doctor`), or variables of an earlier job are left in the environment (OMPI_COMM_WORLD_*, "
      "PMI_*, PMIX_*). Start it with that library's own mpirun or mpiexec, or unset them.",
      launched);
}

template <class T>
std::span<std::byte> bytes_of(T& object) {
  return std::as_writable_bytes(std::span(&object, 1));
}

}  // namespace

Comm::Ticket Comm::start_reduce_scatter(const Tensor& values, std::string_view what) {
  throw InternalError(fmt::format("{}: {} values between {} ranks", what, values.numel(), ranks()));
}

Comm::Ticket Comm::start_send(std::span<const std::byte> bytes, int to, std::string_view what) {
  throw InternalError(fmt::format("{}: {} bytes to rank {} of {}", what, bytes.size(), to, ranks()));
}

Comm::Ticket Comm::start_receive(std::span<std::byte> bytes, int from, std::string_view what) {
  throw InternalError(fmt::format("{}: {} bytes from rank {} of {}", what, bytes.size(), from, ranks()));
}

std::string Comm::broadcast_text(std::string text, int root, std::string_view what) {
  auto size = static_cast<std::uint64_t>(text.size());
  broadcast(bytes_of(size), root, what);
  text.resize(size);
  broadcast(std::as_writable_bytes(std::span(text)), root, what);
  return text;
}

std::vector<std::string> Comm::all_gather_text(const std::string& mine, std::string_view what) {
  const auto count = static_cast<std::size_t>(ranks());
  auto size = static_cast<std::uint64_t>(mine.size());
  std::vector<std::uint64_t> sizes(count);
  all_gather(bytes_of(size), std::as_writable_bytes(std::span(sizes)), what);
  // Texts are padded to the longest, since a gather takes equal sizes.
  const std::size_t longest = *std::ranges::max_element(sizes);
  std::string padded = mine, all(longest * count, '\0');
  padded.resize(longest);
  all_gather(std::as_bytes(std::span(padded)), std::as_writable_bytes(std::span(all)), what);
  std::vector<std::string> texts;
  for (std::size_t r = 0; r < count; ++r) texts.push_back(all.substr(r * longest, sizes[r]));
  return texts;
}

bool under_launcher() {
  // Open MPI's mpirun, PMIx (srun --mpi=pmix) and PMI-2 each leave one of these.
  constexpr std::array kMarks{"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"};
  return std::ranges::any_of(kMarks, [](const char* name) { return std::getenv(name) != nullptr; });
}

std::unique_ptr<Comm> make_comm(const CommOptions& options) {
  if (!(options.timeout_seconds > 0))
    refuse("`communication.timeout` is {}; it must be above 0 (seconds).", options.timeout_seconds);
  if (const int tasks = tasks_without_mpi(); tasks > 1)
    refuse(
        "srun started {} tasks of this program, but MPI does not know of them (`--mpi=none`): start them by `srun "
        "--mpi=pmix`, or one task by `-n 1`.",
        tasks);
  return under_launcher() ? make_launched_comm(options) : make_solo_comm();
}

std::unique_ptr<Comm> make_solo_comm() {
  return std::make_unique<SoloComm>();
}

}  // namespace nystrom
