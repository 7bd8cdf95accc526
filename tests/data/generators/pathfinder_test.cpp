// Pathfinder: labels against what the pictures show, and whether pictures are distributed as the original's
// rule says.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "data/generators/pathfinder.h"
#include "data/generators/pathfinder_files.h"
#include "data/pictures/png.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "pathfinder_tracer.h"
#include "rank_threads.h"
#include "shared_folder.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const Segments& segments_of(const PathfinderGenerator& generator, const PathfinderPicture& picture) {
  return *std::ranges::find(generator.segments(), picture.margin, &Segments::margin);
}

struct Tracing {
  double found = 0;  // share of pictures whose discs are found
  double seen = 0,
         wrong = 0;  // of pictures with label 1, and with label 0: how many show a contour between the discs
};

Tracing trace(int size, int contour, int count) {
  const PathfinderGenerator generator(pathfinder_rule(size, contour), 7);
  Tracing tracing;
  std::array<double, 2> pictures{}, joined{};
  for (int i = 0; i < count; ++i) {
    const auto picture = generator.draw(static_cast<std::uint64_t>(i));
    const testing::PathfinderTracer tracer(generator.rule(), segments_of(generator, picture), picture.pixels);
    const auto [a, b] = tracer.discs();
    tracing.found += std::minmax(a, b) == std::minmax(picture.origin, picture.terminal) ? 1.0 / count : 0;
    ++pictures[static_cast<std::size_t>(picture.label)];
    if (tracer.joined()) ++joined[static_cast<std::size_t>(picture.label)];
  }
  tracing.seen = joined[1] / pictures[1];
  tracing.wrong = joined[0] / pictures[0];
  return tracing;
}

// Where two contours come near, a chain may change from one to the other: that happens in a few of a hundred
// pictures.
TEST(Pathfinder, labels_say_what_the_picture_shows) {
  for (const auto& [size, contour, count] :
       {std::array{32, 6, 150}, {32, 9, 150}, {32, 14, 150}, {64, 14, 40}}) {
    const Tracing tracing = trace(size, contour, count);
    EXPECT_GE(tracing.found, 0.98) << size << ' ' << contour;
    EXPECT_GE(tracing.seen, 0.98) << size << ' ' << contour;
    EXPECT_LE(tracing.wrong, 0.06) << size << ' ' << contour;
  }
}

TEST(Pathfinder, an_example_depends_only_on_its_index) {
  const PathfinderGenerator generator(pathfinder_rule(32, 9), 5);
  std::vector<PathfinderPicture> forward;
  for (std::uint64_t i = 0; i < 10; ++i) forward.push_back(generator.draw(i));
  for (std::size_t i = 10; i-- > 0;) EXPECT_EQ(generator.draw(i).pixels, forward[i].pixels);
  EXPECT_NE(PathfinderGenerator(generator.rule(), 6).draw(0).pixels, forward[0].pixels);
}

// The figures are those of 300 pictures a level that another program drew by the same rule.
TEST(Pathfinder, pictures_are_distributed_as_those_of_another_program) {
  struct Level {
    int contour;
    double restarts, distractors;
  };
  for (const Level level : {Level{6, 2.23, 10.0}, Level{9, 7.31, 5.98}, Level{14, 27.96, 4.74}}) {
    constexpr int kPictures = 1000;
    const PathfinderGenerator generator(pathfinder_rule(32, level.contour), 1);
    double restarts = 0, distractors = 0, ones = 0;
    for (int i = 0; i < kPictures; ++i) {
      const auto picture = generator.draw(static_cast<std::uint64_t>(i));
      restarts += picture.restarts / double{kPictures};
      distractors += picture.distractors / double{kPictures};
      ones += picture.label / double{kPictures};
      EXPECT_EQ(*std::ranges::min_element(picture.pixels), 0);
      EXPECT_EQ(*std::ranges::max_element(picture.pixels), 255);
    }
    // Restarts are geometric: their standard deviation is about their mean.
    EXPECT_NEAR(restarts, level.restarts, 3.5 * level.restarts * std::sqrt(1.0 / 300 + 1.0 / kPictures));
    EXPECT_NEAR(distractors, level.distractors, 0.12) << level.contour;
    EXPECT_NEAR(ones, 0.5, 0.055);
  }
}

TEST(Pathfinder, pictures_are_as_bright_as_those_of_another_program) {
  const auto folder = testing::shared_folder("data/lra/pathfinder32/curv_contour_length_14/imgs");
  if (folder.empty()) GTEST_SKIP() << "There is no ../shared/data/lra/pathfinder32.";
  const auto bright = [](const std::vector<std::uint8_t>& pixels) {
    return static_cast<double>(std::ranges::count_if(pixels, [](std::uint8_t level) { return level > 32; }));
  };
  double theirs = 0, ours = 0, count = 0;
  const PathfinderGenerator generator(pathfinder_rule(32, 14), 1);
  for (const auto& file : fs::recursive_directory_iterator(folder))
    if (file.path().extension() == ".png") {
      theirs += bright(read_png(file.path()).pixels);
      ours += bright(generator.draw(static_cast<std::uint64_t>(count++)).pixels);
    }
  EXPECT_EQ(count, 300);
  EXPECT_NEAR(ours / theirs, 1, 0.02);
}

TEST(Pathfinder, rules_are_those_of_the_benchmark) {
  const auto rule = pathfinder_rule(128, 14);
  EXPECT_EQ(rule.distractor_length, 4);
  EXPECT_EQ(rule.distractors, 8);
  EXPECT_EQ(rule.margins, (std::vector{2, 3}));
  EXPECT_EQ(pathfinder_rule(32, 9).distractors, 6);
  EXPECT_EQ(pathfinder_rule(40, 14).seed_distance, 7);
  EXPECT_EQ(pathfinder_folder(6), "curv_baseline");
  EXPECT_EQ(pathfinder_folder(14), "curv_contour_length_14");
  EXPECT_THROW((void)pathfinder_rule(31, 14), InputError);
  EXPECT_THROW((void)pathfinder_rule(32, 2), InputError);
  try {
    (void)PathfinderGenerator(pathfinder_rule(32, 60), 1).draw(0);
    ADD_FAILURE() << "contours of 60 segments fit into 32 pixels";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("did not fit in 100000 images of 32 pixels"));
  }
}

class PathfinderFiles : public ::testing::Test {
 protected:
  /// All files below a folder, with their names.
  [[nodiscard]] std::string bytes(const std::string& folder) const {
    std::vector<fs::path> files;
    for (const auto& file : fs::recursive_directory_iterator(folder_ / folder))
      if (file.is_regular_file()) files.push_back(file.path());
    std::ranges::sort(files);
    std::string all;
    for (const auto& file : files) all += fs::relative(file, folder_ / folder).string() + read_file(file);
    return all;
  }

  testing::TemporaryFolder folder_{testing::fast_place()};
  PathfinderGenerator generator_{pathfinder_rule(32, 6), 1};
};

TEST_F(PathfinderFiles, have_the_official_layout) {
  write_pathfinder(generator_, 1003, folder_ / "a", {.threads = 2});
  const auto picture = generator_.draw(1002);
  const auto read = read_png(folder_ / "a/imgs/1/sample_2.png");
  EXPECT_EQ(read.width, 32);
  EXPECT_EQ(read.height, 32);
  EXPECT_EQ(read.pixels, picture.pixels);
  const std::string metadata = read_file(folder_ / "a/metadata/1.npy");
  EXPECT_TRUE(
      metadata.ends_with(fmt::format("\nimgs/1 sample_2.png 2 {} 1.0 6 2 2 0.5 1 1\n", picture.label)));
  EXPECT_EQ(std::ranges::count(metadata, '\n'), 3);
  EXPECT_EQ(std::ranges::distance(fs::directory_iterator(folder_ / "a/imgs/0"), fs::directory_iterator()),
            1000);
  EXPECT_THROW(write_pathfinder(generator_, 5, folder_ / "a", {}), InputError);
  EXPECT_EQ(std::ranges::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 1);
}

TEST_F(PathfinderFiles, are_the_same_for_any_number_of_ranks_and_threads) {
  constexpr std::int64_t kPictures = 2030;
  write_pathfinder(generator_, kPictures, folder_ / "one", {});
  testing::run_ranks(4, 2, [&](const Workers& workers) {  // one rank has no batch
    write_pathfinder(generator_, kPictures, folder_ / "many", workers);
  });
  EXPECT_EQ(bytes("many"), bytes("one"));
}

class Png : public ::testing::Test {
 protected:
  std::string refusal(const std::string& bytes) {
    write_file(folder_ / "p.png", bytes);
    try {
      (void)read_png(folder_ / "p.png");
    } catch (const InputError& error) {
      return error.what();
    }
    return "not refused";
  }
  testing::TemporaryFolder folder_;
};

TEST_F(Png, pictures_round_trip_and_corrupt_ones_are_refused) {
  const GreyPicture picture{.width = 3, .height = 2, .pixels = {0, 1, 2, 127, 254, 255}};
  const std::string bytes = png_bytes(picture);
  write_file(folder_ / "a.png", bytes);
  EXPECT_EQ(read_png(folder_ / "a.png").pixels, picture.pixels);
  EXPECT_EQ(read_png(folder_ / "a.png").width, 3);
  EXPECT_THAT(refusal(""), HasSubstr("p.png is empty."));
  EXPECT_THAT(refusal("GIF89a"), HasSubstr("p.png is not a valid PNG picture: "));
  EXPECT_THAT(refusal(bytes.substr(0, bytes.size() - 20)), HasSubstr("p.png is not a valid PNG picture: "));
  std::string damaged = bytes;
  damaged[damaged.find("IDAT") + 6] ^= 0x40;
  EXPECT_THAT(refusal(damaged), HasSubstr("p.png is not a valid PNG picture: "));
}

TEST(Grey, levels_are_those_of_the_benchmark) {
  EXPECT_EQ(grey_level(0, 0, 0), 0);
  EXPECT_EQ(grey_level(255, 255, 255), 255);
  EXPECT_EQ(grey_level(255, 0, 0), 76);   // 76.2
  EXPECT_EQ(grey_level(0, 255, 0), 149);  // 149.7 + 0.3
  EXPECT_EQ(grey_level(0, 0, 255), 29);
}

}  // namespace
}  // namespace nystrom
