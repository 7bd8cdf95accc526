// Files of the Long Range Arena: rows, pictures, metadata.

#include <algorithm>
#include <array>
#include <stdexcept>

#include "data/pictures/png.h"
#include "data/tasks/task.h"
#include "fuzz_target.h"

namespace nystrom::fuzz {
namespace {

/// A task, the file that is fuzzed, and the others that it needs.
struct LraLayout {
  const char *name, *file;
  std::vector<std::pair<const char*, std::string>> others;
};

std::string tiny_png() {
  return png_bytes({2, 2, {0, 1, 2, 255}});
}

std::string idx(char dimensions, const std::string& sizes, const std::string& bytes) {
  return std::string{'\0', '\0', '\x08', dimensions} + sizes + bytes;
}
std::string idx_pictures() {
  return idx(3, std::string{0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2}, "abcdefgh");
}
std::string idx_labels() {
  return idx(1, std::string{0, 0, 0, 2}, "\1\2");
}

const std::vector<LraLayout>& layouts() {
  static const std::string row = "Source\tTarget\n1\t1\n", pair = "1.0\ta\tb\tone\ttwo\n",
                           metadata = "imgs/0 a.png 0 1 1.0 9\n", record(3073, '\1');
  static const std::vector<LraLayout> all{
      {"listops", "basic_train.tsv", {{"basic_val.tsv", row}, {"basic_test.tsv", row}}},
      {"retrieval",
       "new_aan_pairs.train.tsv",
       {{"new_aan_pairs.eval.tsv", pair}, {"new_aan_pairs.test.tsv", pair}}},
      {"image", "train-images-idx3-ubyte", {{"train-labels-idx1-ubyte", idx_labels()}}},
      {"image", "train-labels-idx1-ubyte", {{"train-images-idx3-ubyte", idx_pictures()}}},
      {"image",
       "data_batch_1.bin",
       {{"data_batch_2.bin", record},
        {"data_batch_3.bin", record},
        {"data_batch_4.bin", record},
        {"data_batch_5.bin", record},
        {"test_batch.bin", record}}},
      {"pathfinder", "metadata/0.npy", {{"imgs/0/a.png", tiny_png()}}},
      {"pathfinder", "imgs/0/a.png", {{"metadata/0.npy", metadata}}}};
  return all;
}

/// The first two bytes choose the file, the rest is its content.
void run_lra(std::string_view input) {
  Bytes bytes(input);
  const LraLayout& layout = layouts().at(bytes.below(layouts().size()));
  clear_scratch();
  for (const auto& [name, content] : layout.others) scratch_file(name, content);
  scratch_file(layout.file, bytes.rest());
  TaskConfig config;
  config.kind = "lra";
  config.name = layout.name;
  config.path = scratch();
  const auto task = open_task(config);
  const std::int64_t longest = task->info().length;
  for (const auto& split : task->load(Split::kTrain, TextEncoder({}, std::max<std::int64_t>(longest, 8))))
    for (std::size_t i = 0; i < split->sequence_count(); ++i)
      for (const std::int32_t id : split->sequence(i).ids)
        if (id < 1 || id >= task->info().vocabulary)
          throw std::runtime_error("a token outside the vocabulary");
}

std::vector<std::string> lra_seeds() {
  const std::array<std::string, 7> contents{
      "Source\tTarget\r\n( ( ( [MAX 3 ) 4 ) ] )\t4\r\n[MED 1 2 X\t1\r\n",
      "0.0\ta\tb\t\"one\tt\"wo\r\n1\tc\td\tx\ry\tz\n",
      idx_pictures(),
      idx_labels(),
      std::string(2 * 3073, '\2'),
      "imgs/0 a.png 0 1 1.0 9 3 2 0.5 1 1\nimgs/0 b.png 1 0 1.0 9 3 2 0.5 1 1\n",
      tiny_png()};
  std::vector<std::string> seeds;
  for (std::size_t i = 0; i < contents.size(); ++i)
    seeds.push_back(std::string{'\0', static_cast<char>(i)} + contents.at(i));
  return seeds;
}

}  // namespace

std::vector<Target> picture_targets() {
  return {{"lra", run_lra, lra_seeds, "[MIN [MAX [MED [SM ] imgs/ IDAT IHDR"}};
}

}  // namespace nystrom::fuzz
