#include "kernels/core/files.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "kernels/core/check.h"
#include "kernels/core/memory.h"
#include "kernels/core/sha256.h"
#include "refusal.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::refusal;
using testing::TemporaryFolder;

std::size_t files_in(const TemporaryFolder& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder.path()), {}));
}

TEST(ReadFile, gives_every_byte) {
  const TemporaryFolder folder;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{65535}, std::size_t{200'001}}) {
    std::string content(size, '\0');
    for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 31 >> 3U);
    std::ofstream(folder / "a", std::ios::binary) << content;
    EXPECT_TRUE(read_file(folder / "a") == content) << size;
    EXPECT_TRUE(try_read_file(folder / "a") == content) << size;
  }
}

TEST(ReadFile, does_not_wait_for_a_pipe) {
  const TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(refusal([&] { return read_file(folder / "pipe"); }), HasSubstr("pipe is not a regular file"));
  EXPECT_FALSE(try_read_file(folder / "pipe"));
  EXPECT_THAT(refusal([&] { return sha256_of_file(folder / "pipe"); }),
              HasSubstr("pipe is not a regular file"));
}

TEST(ReadFile, reads_a_pipe_that_was_named_to_its_end) {
  const TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  const std::string content(300'000, 'x');
  std::thread writer([&] { std::ofstream(folder / "pipe") << content; });
  EXPECT_TRUE(read_file_or_pipe(folder / "pipe") == content);
  writer.join();
}

TEST(ReadFile, names_the_file_in_its_errors) {
  const TemporaryFolder folder;
  EXPECT_THAT(refusal([&] { return read_file(folder / "none"); }),
              AllOf(HasSubstr(folder / "none"), HasSubstr("No such file")));
  EXPECT_THAT(refusal([&] { return read_file(folder.path()); }),
              AllOf(HasSubstr(folder.path()), HasSubstr("is a folder")));
  EXPECT_FALSE(try_read_file(folder / "none"));
}

TEST(ReadFile, refuses_a_file_above_the_limit) {
  const TemporaryFolder folder;
  std::ofstream(folder / "a") << std::string(1000, 'x');
  EXPECT_EQ(read_file(folder / "a", 1000).size(), 1000U);
  EXPECT_THAT(refusal([&] { return read_file(folder / "a", 999); }),
              AllOf(HasSubstr(folder / "a"), HasSubstr("larger than 999 bytes")));
  EXPECT_TRUE(try_read_file(folder / "a", 1000));
  EXPECT_FALSE(try_read_file(folder / "a", 999));
}

TEST(LinkOutOf, is_refused_unless_it_leads_to_a_blob) {
  const TemporaryFolder outer;
  const std::string folder = outer / "model", blob(64, 'a');
  fs::create_directories(folder + "/below");
  fs::create_directories(outer / "blobs");
  std::ofstream(outer / "secret") << "s";
  std::ofstream(folder + "/below/file") << "s";
  std::ofstream(outer / "blobs/" + blob) << "s";
  std::ofstream(outer / "blobs/id_rsa") << "s";
  const auto linked = [&](const std::string& target) {
    fs::remove(folder + "/link");
    fs::create_symlink(target, folder + "/link");
    return refusal([&] {
      refuse_link_out_of(folder, folder + "/link");
      return 0;
    });
  };
  refuse_link_out_of(folder, folder + "/below/file");
  EXPECT_EQ(linked("below/file"), "accepted");
  EXPECT_EQ(linked("../blobs/" + blob), "accepted");
  EXPECT_THAT(linked("../secret"), AllOf(HasSubstr("link is a link to"), HasSubstr("secret")));
  EXPECT_THAT(linked("../blobs/id_rsa"), HasSubstr("id_rsa"));
  EXPECT_THAT(linked(outer / "model-and-more"), HasSubstr("cannot be read"));
  fs::create_directories(outer / "model-and-more");
  std::ofstream(outer / "model-and-more/file") << "s";
  EXPECT_THAT(linked("../model-and-more/file"), HasSubstr("outside of its folder"));
  fs::create_symlink("../blobs", folder + "/inner");
  EXPECT_THAT(linked("inner/id_rsa"), HasSubstr("id_rsa")) << "a link through a link";
}

TEST(PublishNewFile, replaces_nothing) {
  const TemporaryFolder folder;
  std::ofstream(folder / "t") << "new";
  std::ofstream(folder / "a") << "old";
  const auto publish = [&](const std::string& to) {
    return refusal([&] {
      publish_new_file(folder / "t", to);
      return 0;
    });
  };
  EXPECT_THAT(publish(folder / "a"), AllOf(HasSubstr(folder / "a"), HasSubstr("was not replaced")));
  EXPECT_EQ(read_file(folder / "a"), "old");
  EXPECT_EQ(publish(folder / "b"), "accepted");
  EXPECT_EQ(read_file(folder / "b"), "new");
  EXPECT_FALSE(fs::exists(folder / "t"));
}

TEST(HostMemory, more_than_any_machine_has_is_refused) {
  EXPECT_GT(host_memory_bytes(), std::uint64_t{1} << 26U);
  require_host_memory(1 << 20, "A megabyte", "");
  EXPECT_THAT(refusal([] {
                require_host_memory(1e18, "`a.key` is 1: reading", "Lower it.");
                return 0;
              }),
              AllOf(HasSubstr("`a.key` is 1: reading takes 931322574.6 GiB, but this process can have"),
                    HasSubstr("Lower it.")));
}

TEST(WriteFile, replaces_what_was_there) {
  const TemporaryFolder folder;
  write_file(folder / "a", "one");
  write_file(folder / "a", std::string_view("two\0", 4));
  EXPECT_EQ(read_file(folder / "a"), std::string_view("two\0", 4));
  EXPECT_EQ(files_in(folder), 1U);
}

TEST(WriteFile, leaves_nothing_behind_if_it_fails) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "a/b");  // a file cannot take the name of a folder
  const auto message = [](const std::string& path) -> std::string {
    try {
      write_file(path, "content");
    } catch (const Error& error) {
      return error.what();
    }
    return "written";
  };
  EXPECT_THAT(message(folder / "a"), HasSubstr(folder / "a"));
  EXPECT_THAT(message(folder / "none/a"), AllOf(HasSubstr(folder / "none/a"), HasSubstr("No such file")));
  EXPECT_EQ(files_in(folder), 1U);
}

TEST(TemporaryNames, are_recognized) {
  EXPECT_TRUE(is_temporary_name(temporary_name("folder/00001.h5")));
  EXPECT_NE(temporary_name("a"), temporary_name("a"));
  EXPECT_FALSE(is_temporary_name("folder/00001.h5"));
  EXPECT_FALSE(is_temporary_name("a.tmp-12"));
}

}  // namespace
}  // namespace nystrom
