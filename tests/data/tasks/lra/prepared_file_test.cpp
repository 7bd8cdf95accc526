// The prepared file of a task of the Long Range Arena: the same examples, and corrupt or forged files.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "data/hdf5/hdf5_file.h"
#include "data/tasks/lra/prepared_file.h"
#include "data/tasks/task.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "lra_files.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::LongRangeArena;

TEST_F(LongRangeArena, a_prepared_file_gives_the_same_examples) {
  write_listops("listops", "[MAX 3 [MIN 1 2 ] ]\t3\n[SM 1 9 ]\t0\n");
  write_pathfinder("pathfinder", 20);
  for (const char* part : {"train", "eval", "test"})
    write(fmt::format("new_aan_pairs.{}.tsv", part), "1.0\ta\tb\tone\ttwo and more\n0.0\tc\td\tx\tz\n");
  for (const std::string name : {"listops", "pathfinder", "retrieval"}) {
    const std::string file = folder_ / (name + ".h5");
    (void)lra::write_prepared(config(name), 100, file);
    const auto official = open_task(config(name, folder_ / (name == "retrieval" ? "." : name)));
    const auto prepared = open_task(config(name, file));
    EXPECT_EQ(prepared->info().labels, official->info().labels);
    EXPECT_EQ(prepared->info().length, official->info().length);
    for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
      const auto a = load(*official, split, 100), b = load(*prepared, split, 100);
      ASSERT_EQ(a->rows(), b->rows()) << name;
      EXPECT_EQ(a->fingerprint(), b->fingerprint()) << name;
      for (std::size_t i = 0; i < a->sequence_count(); ++i) {
        EXPECT_EQ(a->sequence(i).ids, b->sequence(i).ids);
        EXPECT_EQ(a->label_of(i), b->label_of(i));
      }
    }
  }
  EXPECT_EQ(load(config("listops"))->rows(), 2);  // listops.h5 in the folder
  EXPECT_THAT(refusal(config("text", folder_ / "listops.h5")), HasSubstr("is the task listops"));
  EXPECT_THAT(refusal(config("retrieval"), Split::kTrain, 1000),
              HasSubstr("has sequences truncated to 100; prepare it again"));
  write("text.h5", "no HDF5");
  EXPECT_THAT(refusal(config("text")), HasSubstr("text.h5"));
}

TEST_F(LongRangeArena, a_corrupt_prepared_file_is_refused) {
  write_listops(".", "[MAX 3 [MIN 1 2 ] ]\t3\n[SM 1 9 ]\t0\n");
  const std::string file = folder_ / "listops.h5";
  (void)lra::write_prepared(config("listops"), 100, file);
  const std::string whole = read_file(file, kAnySize);
  int survived = 0;
  for (std::size_t at = 0; at < whole.size(); at += 97) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    write("listops.h5", damaged);
    try {
      if (at % 16 == 0) check_task_files(config("listops"));  // slow: a process each
      const auto task = open_task(config("listops"));
      for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest})
        if (const auto loaded = load(*task, split))
          for (std::size_t i = 0; i < loaded->sequence_count(); ++i) (void)loaded->sequence(i);
      ++survived;  // a byte that means nothing
    } catch (const Error&) {
    }
  }
  EXPECT_GT(survived, 0);
  write("listops.h5", whole.substr(0, whole.size() / 2));
  EXPECT_THAT(refusal(config("listops")), HasSubstr("listops.h5"));
}

/// A prepared file of one part as an attacker may write it.
struct Forged {
  std::string name = "pathfinder";
  std::vector<std::string> labels = {"apart", "connected"};
  std::int64_t pixels = 4;
  std::vector<std::uint8_t> symbols = {0, 7, 7, 0, 9, 0, 0, 9};
  std::vector<std::uint64_t> ends = {4, 8};
  std::vector<std::uint32_t> nonzero = {2, 2}, whole = {4, 4};
  std::vector<std::uint8_t> classes = {0, 1};

  void write(const std::string& path) const {
    fs::remove(path);
    hdf5::File file = hdf5::File::create(path);
    file.set_attribute("format", std::string("nystrom lra"));
    file.set_attribute("version", std::int64_t{1});
    file.set_attribute("name", name);
    file.set_attribute("found", std::string("\x1b[31m\xff somewhere"));
    file.set_attribute("pixels", pixels);
    file.set_attribute("cut", INT64_MAX);
    file.write_strings("label_names", labels);
    file.create_group("train");
    put<std::uint8_t>(file, "train/symbols", symbols);
    put<std::uint64_t>(file, "train/ends", ends);
    put<std::uint32_t>(file, "train/nonzero", nonzero);
    put<std::uint32_t>(file, "train/whole", whole);
    put<std::uint8_t>(file, "train/labels", classes);
    file.set_attribute("sha256", std::string(64, 'a'), "train");
    file.close();
  }

 private:
  template <class T>
  static void put(hdf5::File& file, const std::string& name, const std::vector<T>& values) {
    hdf5::Dataset column =
        file.create_dataset(name, hdf5::TypeOf<T>::value, {0}, {.chunk = {16}, .extendible = true});
    column.append<T>(values);
    column.close();
  }
};

TEST_F(LongRangeArena, an_inconsistent_prepared_file_is_refused_before_and_while_it_is_read) {
  const auto refusals = [&](const Forged& forged) {
    const std::string file = folder_ / (forged.name + ".h5");
    forged.write(file);
    TaskConfig c = config(forged.name, file);
    c.validation_fraction = 0;
    c.zero = Zero::kAbsent;
    std::string before = "not refused", while_read = "not refused";
    try {
      check_task_files(c);
    } catch (const InputError& error) {
      before = error.what();
    }
    try {
      const auto task = open_task(c);  // whose file the split reads
      const auto split = load(*task, Split::kTrain, 1 << 20);
      for (std::size_t i = 0; i < split->sequence_count(); ++i) (void)split->sequence(i);
    } catch (const InputError& error) {
      while_read = error.what();
    }
    return std::pair{before, while_read};
  };
  EXPECT_EQ(refusals({}), (std::pair<std::string, std::string>{"not refused", "not refused"}));
  EXPECT_EQ(open_task(config("pathfinder", folder_ / "pathfinder.h5"))->data().find('\x1b'),
            std::string::npos);

  Forged forged;
  const auto both = [&](const char* in) {
    const auto [before, while_read] = refusals(forged);
    EXPECT_THAT(before, HasSubstr(std::string("inconsistent data in ") + in));
    EXPECT_THAT(while_read, HasSubstr(std::string("inconsistent data in ") + in));
    forged = {};
  };
  forged.pixels = 3;  // the fourth pixel would have a position that the network has not
  both("the pixels of its pictures");
  forged.pixels = std::int64_t{1} << 40U;
  EXPECT_THAT(refusals(forged).first, HasSubstr("inconsistent data in the pixels of its pictures"));
  forged.pixels = 0;
  both("its number of pixels");
  forged.whole = {9, 4};
  both("the pixels of its pictures");
  forged.ends = {5, 8};
  both("the lengths of its sequences");
  forged.ends = {4, 7};
  both("its numbers of sequences");
  forged.nonzero = {5, 2};
  both("the lengths of its sequences");
  forged.classes = {0, 2};
  both("its labels");
  forged.labels = {"one"};
  both("its number of classes");

  forged.nonzero = {2, 3};
  const auto [before, while_read] = refusals(forged);
  EXPECT_THAT(before, HasSubstr("inconsistent data in sequence 1 of train"));
  EXPECT_THAT(while_read, HasSubstr("example 1 of the train split does not match the file's table"));

  Forged listops{.name = "listops",
                 .labels = std::vector<std::string>(10, "x"),
                 .pixels = 0,
                 .symbols = {10, 1, 15, 14},  // token 15 is none: its embedding is not there
                 .ends = {2, 4},
                 .nonzero = {2, 2},
                 .whole = {2, 2}};
  const auto [unknown_before, unknown_while_read] = refusals(listops);
  EXPECT_THAT(unknown_before, HasSubstr("inconsistent data in sequence 1 of train"));
  EXPECT_THAT(unknown_while_read, HasSubstr("example 1 of the train split does not match"));
  listops.ends = {5, 4};
  listops.whole = {5, 2};
  forged = listops;
  both("where its sequences end");
}

}  // namespace
}  // namespace nystrom
