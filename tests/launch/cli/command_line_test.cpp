// The command line of the built program: help, version, what it refuses; the scripts beside it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "kernels/core/check.h"
#include "launch/program_case.h"

namespace nystrom {
namespace {

using ::testing::AllOf;
using testing::expect_refused;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using testing::Outcome;
using testing::read_bytes;
using testing::run_in;
using testing::TemporaryFolder;

TEST(CommandLine, help_and_version_are_there_for_all) {
  const TemporaryFolder folder;
  const Outcome help = run_in(folder, "$nystrom --help");
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(run_in(folder, "$nystrom --version").out,
              MatchesRegex("nystrom [0-9]+\\.[0-9]+\\.[0-9]+( \\([0-9a-f]+\\))?\n"));
  for (const char* command : {"prepare", "pretrain", "finetune", "evaluate", "predict", "convert", "verify",
                              "inspect", "doctor", "bench", "check", "lra", "table", "report", "watch"}) {
    EXPECT_THAT(help.out, HasSubstr(fmt::format("\n  {} ", command)));
    const Outcome own = run_in(folder, fmt::format("$nystrom {} --help", command));
    EXPECT_EQ(own.status, 0) << command;
    EXPECT_THAT(own.out, AllOf(HasSubstr("Example:"), HasSubstr("--set"))) << command;
  }
}

// libgomp itself says for how many turns of its loop a waiting thread spins.
TEST(CommandLine, threads_spin_for_a_short_time_unless_the_environment_says_otherwise) {
  const TemporaryFolder folder;
  const auto said = [&](const std::string& command) {
    return run_in(folder,
                  "unset GOMP_SPINCOUNT OMP_WAIT_POLICY; export OMP_DISPLAY_ENV=verbose "
                  "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; " +
                      command)
        .err;
  };
  if (said("$nystrom --version").find("GOMP_SPINCOUNT") == std::string::npos)
    GTEST_SKIP() << "OpenMP is not GCC's.";
  EXPECT_THAT(said("$nystrom --version"), HasSubstr("GOMP_SPINCOUNT = '4000'"));
  EXPECT_THAT(said("mpirun --oversubscribe -n 1 $nystrom --version"), HasSubstr("GOMP_SPINCOUNT = '4000'"));
  EXPECT_THAT(said("GOMP_SPINCOUNT=7 $nystrom --version"), HasSubstr("GOMP_SPINCOUNT = '7'"));
  EXPECT_THAT(said("OMP_WAIT_POLICY=passive $nystrom --version"), HasSubstr("GOMP_SPINCOUNT = '0'"));
}

// The file that the build generates for a source tree at `root`.
std::string generated_version(const TemporaryFolder& folder, const std::string& root) {
  const std::string script = std::filesystem::absolute("cmake/WriteVersion.cmake");
  const Outcome made = run_in(
      folder, fmt::format("cmake -DROOT={} -DVERSION=1.2.3 -DOUTPUT=$PWD/version.cpp -P '{}'", root, script));
  EXPECT_EQ(made.status, 0) << made.err;
  return read_bytes(folder / "version.cpp");
}

TEST(Version, has_the_commit_of_a_checkout) {
  const TemporaryFolder folder;
  const Outcome commit = run_in(folder,
                                "git init -q . && git -c user.name=a -c user.email=a commit -q --allow-empty "
                                "-m first && git rev-parse --short=7 HEAD && mkdir below");
  if (commit.status != 0) GTEST_SKIP() << "skipped: there is no git here: " << commit.err;
  const std::string hash = commit.out.substr(0, commit.out.find('\n'));
  EXPECT_THAT(generated_version(folder, "."), HasSubstr("\"1.2.3 (" + hash + ")\""));
  const auto written = std::filesystem::last_write_time(folder / "version.cpp");
  (void)generated_version(folder, ".");
  EXPECT_EQ(std::filesystem::last_write_time(folder / "version.cpp"), written) << "nothing to compile again";
  EXPECT_THAT(generated_version(folder, "below"), HasSubstr("\"1.2.3\""))
      << "that is another project's commit";
}

TEST(Version, is_the_number_alone_outside_a_checkout) {
  const TemporaryFolder folder;
  EXPECT_THAT(generated_version(folder, "."), HasSubstr("\"1.2.3\""));
}

TEST(CommandLine, what_is_not_known_is_refused_with_the_nearest_known) {
  const TemporaryFolder folder;
  expect_refused(run_in(folder, "$nystrom pretrian"), "did you mean `pretrain`?");
  expect_refused(run_in(folder, "$nystrom pretrain --resum auto x.yaml"), "did you mean `--resume`?");
  expect_refused(run_in(folder, "$nystrom pretrain a.yaml b.yaml"), "does not take the argument b.yaml");
  expect_refused(run_in(folder, "$nystrom pretrain"), "CONFIG");
  expect_refused(run_in(folder, "$nystrom pretrain a.yaml seed=2"), "write `--set seed=2`");
  expect_refused(run_in(folder, "$nystrom pretrain a.yaml --dry-run"), "use `nystrom check`");
  expect_refused(run_in(folder, "$nystrom pretrain none.yaml"), "none.yaml");
  expect_refused(run_in(folder, "$nystrom finetune none.yaml"), "none.yaml");
}

TEST(CommandLine, a_report_on_a_job_needs_a_job) {
  const TemporaryFolder folder;
  expect_refused(run_in(folder, "$nystrom doctor --job ."), "has no heartbeats: no job is running there");
}

TEST(CommandLine, the_doctor_of_several_ranks_measures_their_all_reduce) {
  const TemporaryFolder folder;
  const Outcome outcome = run_in(folder,
                                 "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun "
                                 "--oversubscribe -n 2 $nystrom doctor");
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("2 ranks over mpi: 4 MiB in "));
  EXPECT_EQ(outcome.out.find("all-reduce"), outcome.out.rfind("all-reduce")) << "reported once";
}

TEST(CommandLine, a_full_disk_behind_standard_output_is_a_failure) {
  const TemporaryFolder folder;
  expect_refused(run_in(folder, "$nystrom --help >/dev/full"), "Standard output", 1);
}

TEST(Scripts, are_scripts) {
  const TemporaryFolder folder;
  int scripts = 0;
  for (const auto& entry : std::filesystem::directory_iterator("launch")) {
    if (entry.path().extension() != ".sh") continue;
    ++scripts;
    const std::string path = std::filesystem::absolute(entry.path());
    EXPECT_EQ(run_in(folder, fmt::format("bash -n '{}'", path)).status, 0) << path;
    EXPECT_EQ(::access(path.c_str(), X_OK), 0) << path;
  }
  EXPECT_GE(scripts, 5);
}

}  // namespace
}  // namespace nystrom
