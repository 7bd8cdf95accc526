// Pictures of the Long Range Arena: CIFAR-10, idx files, Pathfinder.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>

#include "data/pictures/png.h"
#include "data/tasks/lra/split.h"
#include "data/tasks/task.h"
#include "lra_files.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using testing::Ids;
using testing::LongRangeArena;

TEST_F(LongRangeArena, cifar_is_read_in_grey) {
  std::string record(1, '\3');
  record += std::string(1024, '\xFF') + std::string(2048, '\0');  // red
  for (int batch = 1; batch <= 5; ++batch) write(fmt::format("data_batch_{}.bin", batch), record + record);
  write("test_batch.bin", record);
  const auto task = open_task(config("image"));
  EXPECT_EQ(task->info().length, 1024);
  const auto train = load(*task, Split::kTrain);
  EXPECT_EQ(train->rows(), 9);
  EXPECT_EQ(train->sequence(0).ids, Ids(1024, 77));
  EXPECT_EQ(train->sequence(0).label, 3);
  EXPECT_THAT(refusal(config("image"), Split::kTrain, 1000),
              HasSubstr("`data.sequence_length` is 1000, but the images of CIFAR-10 in grey"));

  write("data_batch_2.bin", record + record.substr(0, 3000));
  EXPECT_THAT(refusal(config("image")),
              HasSubstr("data_batch_2.bin, record 1: it ends after 3000 of 3073 bytes"));
  record[0] = 10;
  write("data_batch_2.bin", record);
  EXPECT_THAT(refusal(config("image")), HasSubstr("data_batch_2.bin, record 0: the label is 10"));
  fs::remove(folder_ / "data_batch_4.bin");
  EXPECT_THAT(refusal(config("image")), HasSubstr("data_batch_4.bin is missing next to data_batch_1.bin"));
}

std::string idx(std::uint8_t dimensions, const std::vector<std::uint8_t>& sizes, const std::string& bytes) {
  std::string file{'\0', '\0', '\x08', static_cast<char>(dimensions)};
  for (const std::uint8_t size : sizes) file += std::string{'\0', '\0', '\0', static_cast<char>(size)};
  return file + bytes;
}

TEST_F(LongRangeArena, idx_files_are_read_and_corrupt_ones_refused) {
  const std::string pictures(20 * 4, '\x05');
  write("train-images-idx3-ubyte", idx(3, {20, 2, 2}, pictures));
  write("train-labels-idx1-ubyte", idx(1, {20}, std::string(20, '\7')));
  write("t10k-images.idx3-ubyte", idx(3, {1, 2, 2}, "abcd"));
  write("t10k-labels.idx1-ubyte", idx(1, {1}, "\1"));
  const auto task = open_task(config("image"));
  EXPECT_EQ(task->info().length, 4);
  EXPECT_EQ(load(*task, Split::kTrain)->rows(), 18);
  EXPECT_EQ(load(*task, Split::kTest)->sequence(0).ids, (Ids{'a' + 1, 'b' + 1, 'c' + 1, 'd' + 1}));
  write("train-labels-idx1-ubyte", idx(1, {19}, std::string(19, '\7')));
  EXPECT_THAT(refusal(config("image")), HasSubstr("has 20 pictures, but"));
  write("train-labels-idx1-ubyte", idx(1, {20}, std::string(19, '\7')));
  EXPECT_THAT(refusal(config("image")), HasSubstr("ends before the 20 items that it announces"));
  write("train-labels-idx1-ubyte", idx(1, {20}, std::string(20, '\12')));
  EXPECT_THAT(refusal(config("image")), HasSubstr("label 0: it is 10, which is not one of ten"));
  write("train-images-idx3-ubyte", idx(1, {20}, pictures));
  EXPECT_THAT(refusal(config("image")), HasSubstr("begins with the number 0x801"));
  fs::remove(folder_ / "train-images-idx3-ubyte");
  write("data_batch_1", "");
  write("batches.meta", "");
  EXPECT_THAT(refusal(config("image")), HasSubstr("has the Python version of CIFAR-10"));
}

TEST_F(LongRangeArena, pathfinder_skips_empty_files_and_names_broken_ones) {
  write_pathfinder("curv_contour_length_9", 30);
  write("curv_contour_length_9/imgs/0/sample_4.png", "");
  const auto task = open_task(config("pathfinder"));
  EXPECT_EQ(task->info().length, 4);
  const auto train = load(*task, Split::kTrain);
  EXPECT_EQ(train->rows() + load(*task, Split::kValidation)->rows() + load(*task, Split::kTest)->rows(), 29);
  EXPECT_THAT(train->notes(), Contains(HasSubstr("1 example was skipped: ")));
  EXPECT_THAT(train->notes(), Contains(HasSubstr("imgs/0/sample_4.png (the file is empty)")));
  EXPECT_EQ(train->sequence(0).ids, (Ids{1, 2, 2, 1}));
  EXPECT_EQ(task->info().labels, (std::vector<std::string>{"apart", "joined"}));

  write("curv_contour_length_9/imgs/0/sample_7.png", "no picture");
  EXPECT_THAT(refusal(config("pathfinder")), HasSubstr("metadata/0.npy, line 8: "));
  EXPECT_THAT(refusal(config("pathfinder")), HasSubstr("sample_7.png is not a valid PNG picture"));
  TaskConfig skipping = config("pathfinder");
  skipping.malformed = Malformed::kSkip;
  EXPECT_THAT(load(skipping)->notes(), Contains(HasSubstr("2 examples were skipped")));
  fs::remove(folder_ / "curv_contour_length_9/imgs/0/sample_7.png");
  EXPECT_THAT(refusal(config("pathfinder")), HasSubstr("sample_7.png"));
  write("curv_contour_length_9/imgs/0/sample_7.png", png_bytes({3, 3, std::vector<std::uint8_t>(9)}));
  EXPECT_THAT(refusal(config("pathfinder")), HasSubstr("has 3 x 3 pixels instead of 2 x 2"));
  write("curv_contour_length_9/metadata/0.npy", "imgs/0 sample_0.png 0 2 1.0\n");
  EXPECT_THAT(refusal(config("pathfinder")), HasSubstr("has no picture that can be read"));
  write("curv_contour_length_9/metadata/0.npy", "\x93NUMPY");
  EXPECT_THAT(refusal(config("pathfinder")), HasSubstr("is a NumPy array"));
}

TEST_F(LongRangeArena, a_pathfinder_folder_of_another_level_is_noted) {
  write_pathfinder("curv_contour_length_14", 20);  // whose metadata say 9
  EXPECT_THAT(load(config("pathfinder"))->notes(),
              Contains(HasSubstr("is named for another contour length")));
}

TEST_F(LongRangeArena, black_pixels_can_be_left_out) {
  const lra::Encoding encoding{.alphabet = lra::Alphabet::kPixels, .zero = Zero::kAbsent, .longest = 8};
  const TaskSequence sequence = encoding.tokens(std::array<std::uint8_t, 5>{0, 7, 0, 0, 255});
  EXPECT_EQ(sequence.ids, (Ids{7, 255}));
  EXPECT_EQ(sequence.positions, (Ids{1, 4}));
  EXPECT_EQ(encoding.vocabulary(), 256);
}

}  // namespace
}  // namespace nystrom
