// Opening untrusted HDF5 files: only the file itself is read, and memory is bounded by its size.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <fstream>

#include "data/hdf5/foreign_file.h"
#include "data/hdf5/hdf5_file.h"
#include "file_bytes.h"
#include "hostile_hdf5.h"
#include "kernels/core/check.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

using namespace nystrom::testing;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// The sentence with which a file is refused; empty if it is not.
std::string refusal(const std::string& path, hdf5::Filters allowed = hdf5::Filters::kCompression) {
  try {
    (void)hdf5::File::open(path, allowed);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

class Hdf5Contents : public ::testing::Test {
 protected:
  const TemporaryFolder folder_;
  const std::string path_ = folder_ / "a.h5";
};

TEST_F(Hdf5Contents, another_file_is_not_reached) {
  const std::string secret = folder_ / "secret";
  std::ofstream(secret) << std::string(4096, 's');
  write_x(folder_ / "other.h5", 8);
  const struct {
    Reach reach;
    std::string target;
    const char* what;
  } cases[] = {{Reach::kExternalStorage, secret, "external storage"},
               {Reach::kVirtual, folder_ / "other.h5", "is virtual"},
               {Reach::kExternalLink, folder_ / "other.h5", "link to another file"},
               {Reach::kSoftLink, "/x", "soft link"}};
  for (const auto& each : cases) {
    std::filesystem::remove(path_);
    write_x(path_, 8);
    EXPECT_EQ(refusal(path_), "");
    add_reaching(path_, "reach", each.reach, each.target, H5T_IEEE_F32LE, {8});
    EXPECT_THAT(refusal(path_), AllOf(HasSubstr(path_), HasSubstr("`reach`"), HasSubstr(each.what)));
  }
}

TEST_F(Hdf5Contents, another_file_is_not_reached_from_a_group_or_as_text) {
  std::ofstream(folder_ / "secret") << std::string(4096, 's');
  const Hdf5Handle text(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(text, 43);
  { hdf5::File::create(path_).create_group("weights"); }
  add_reaching(path_, "weights/deep", Reach::kExternalStorage, folder_ / "secret", text, {20});
  EXPECT_THAT(refusal(path_), HasSubstr("`weights/deep`"));
  EXPECT_THAT(refusal(path_, hdf5::Filters::kChecksum), HasSubstr("`weights/deep`"));
}

TEST_F(Hdf5Contents, groups_that_hold_themselves_end) {
  hdf5::File::create(path_).create_group("a");
  {
    const Hdf5Handle file(open_to_change(path_), H5Fclose);
    ASSERT_GE(H5Lcreate_hard(file, "/", file, "a/again", H5P_DEFAULT, H5P_DEFAULT), 0);
  }
  EXPECT_THAT(refusal(path_), HasSubstr("more than 8 levels deep"));
}

TEST_F(Hdf5Contents, filters_are_those_that_are_known) {
  add_compressed(
      path_,
      {.name = "zip", .type = H5T_STD_I32LE, .shape = {64}, .chunk = {64}, .shuffle = true, .written = true});
  EXPECT_EQ(refusal(path_), "");
  EXPECT_THAT(refusal(path_, hdf5::Filters::kChecksum), AllOf(HasSubstr("`zip`"), HasSubstr("uncompressed")));
  std::filesystem::remove(path_);
  {
    const Hdf5Handle file(open_to_change(path_), H5Fclose), create(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    const hsize_t count = 64;
    H5Pset_chunk(create, 1, &count);
    H5Pset_deflate(create, 9);
    H5Pset_deflate(create, 9);
    const Hdf5Handle space(H5Screate_simple(1, &count, nullptr), H5Sclose);
    const Hdf5Handle dataset(
        H5Dcreate2(file, "twice", H5T_STD_I32LE, space, H5P_DEFAULT, create, H5P_DEFAULT), H5Dclose);
  }
  EXPECT_THAT(refusal(path_), HasSubstr("`twice`"));
}

TEST_F(Hdf5Contents, filters_of_plug_ins_are_not_loaded) {
  hdf5::File::create(path_).close();
  unsigned allowed = 1;
  ASSERT_GE(H5PLget_loading_state(&allowed), 0);
  EXPECT_EQ(allowed, 0U);
}

TEST_F(Hdf5Contents, claims_are_compared_with_the_size_of_the_file) {
  {
    const Hdf5Handle file(open_to_change(path_), H5Fclose), create(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    const hsize_t rows = hsize_t{1} << 40U, chunk = 1024;
    H5Pset_chunk(create, 1, &chunk);
    const Hdf5Handle space(H5Screate_simple(1, &rows, nullptr), H5Sclose);
    const Hdf5Handle dataset(H5Dcreate2(file, "many", H5T_STD_I32LE, space, H5P_DEFAULT, create, H5P_DEFAULT),
                             H5Dclose);
  }
  EXPECT_THAT(refusal(path_), AllOf(HasSubstr("`many`"), HasSubstr("claims 4398046511104 bytes")));
  std::filesystem::remove(path_);
  add_compressed(
      path_, {.name = "wide", .type = H5T_STD_I32LE, .shape = {8, hsize_t{1} << 33U}, .chunk = {1, 1024}});
  EXPECT_THAT(refusal(path_), AllOf(HasSubstr("`wide`"), HasSubstr("claims 274877906944 bytes")));
  std::filesystem::remove(path_);
  add_compressed(path_, {.name = "chunk", .type = H5T_STD_I32LE, .shape = {8}, .chunk = {hsize_t{1} << 28U}});
  EXPECT_THAT(refusal(path_), AllOf(HasSubstr("`chunk`"), HasSubstr("smaller chunks")));
}

TEST_F(Hdf5Contents, a_pipe_is_not_waited_for) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(refusal(path_), HasSubstr("is not a regular file"));
}

TEST_F(Hdf5Contents, datasets_are_listed_with_their_groups) {
  {
    hdf5::File file = hdf5::File::create(path_);
    file.create_group("g");
    file.create_group("g/h");
    file.create_dataset("g/h/b", hdf5::Type::kI8, {1}, {})
        .write_rows<std::int8_t>(0, 1, std::vector<std::int8_t>{1});
    file.write_strings("a", {"text"});
  }
  EXPECT_THAT(hdf5::File::open(path_).datasets(), ElementsAre("a", "g/h/b"));
}

TEST_F(Hdf5Contents, texts_come_in_as_many_rows_as_memory_allows) {
  write_texts(path_, std::string(1000, 'x'), 64);
  const hdf5::File file = hdf5::File::open(path_);
  EXPECT_EQ(file.read_text("text", 0, 64, 1U << 20U).size(), 64U);
  EXPECT_EQ(file.read_text("text", 0, 64, 10'000).size(), 8U);
  EXPECT_EQ(file.read_text("text", 63, 1, 10'000).front(), std::string(1000, 'x'));
  EXPECT_THROW((void)file.read_text("text", 0, 64, 500), InputError);
}

TEST_F(Hdf5Contents, texts_of_fixed_length_come_in_as_many_rows_as_memory_allows) {
  hdf5::File::create(path_).write_strings("text", std::vector<std::string>(64, std::string(1000, 'x')));
  const hdf5::File file = hdf5::File::open(path_);
  EXPECT_EQ(file.read_text("text", 0, 64, 10'000).size(), 10U);
  EXPECT_THROW((void)file.read_text("text", 0, 64, 500), InputError);
}

/// Files over which the library crashes: the heap of the texts is overwritten, a few bytes at a time.
TEST_F(Hdf5Contents, a_corrupt_heap_of_strings_is_refused_in_a_child) {
  write_texts(path_, "hello world the cat", 50);
  const std::string whole = read_bytes(path_);
  int refused = 0;
  for (std::size_t i = 0; i < 60; ++i) {
    std::ofstream(path_, std::ios::binary) << with_damaged_heap(whole, i);
    try {
      check_foreign_hdf5(path_);
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(path_));
      ++refused;
    }
  }
  EXPECT_GT(refused, 10);
}

}  // namespace
}  // namespace nystrom
