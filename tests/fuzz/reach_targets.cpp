// What reaches for other files: HDF5 files whose values are elsewhere, the input of `predict`, and the tree
// of a model's folder, with links and pipes in the places of files.

#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "data/hdf5/foreign_file.h"
#include "data/shards/inspect.h"
#include "file_bytes.h"
#include "fuzz_target.h"
#include "hdf5_model.h"
#include "hostile_hdf5.h"
#include "kernels/core/check.h"
#include "launch/models/model_source.h"
#include "launch/predict/input.h"
#include "small_network.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/header.h"

namespace nystrom::fuzz {
namespace {

namespace fs = std::filesystem;
using testing::Reach;

constexpr const char* kSecret = "TOP-SECRET-KEY-0123456789\n";

std::string write_secret() {
  std::string text;
  for (int i = 0; i < 400; ++i) text += kSecret;
  return scratch_file("secret", text);
}

void read_input(const std::string& path) {
  const auto input = open_input({.path = path, .columns = {{"text", {"text"}}, {"id", {"id"}, true}}});
  InputRows rows;
  while (input->next(rows))
    if (rows.size() > 4096) throw std::runtime_error("more rows than asked for");
}

/// Ids of two sequences of four tokens, and texts.
FileModel input_model() {
  FileModel file;
  file.arrays = {{.name = "input_ids",
                  .type = hdf5::Type::kI32,
                  .shape = {2, 4},
                  .values = {5, 6, 7, 8, 5, 6, 0, 0},
                  .chunked = true},
                 {.name = "input_mask",
                  .type = hdf5::Type::kI8,
                  .shape = {2, 4},
                  .values = {1, 1, 1, 1, 1, 1, 0, 0},
                  .chunked = true},
                 {.name = "segment_ids",
                  .type = hdf5::Type::kI8,
                  .shape = {2, 4},
                  .values = {0, 0, 1, 1, 0, 1, 0, 0},
                  .chunked = true}};
  file.strings = {{.name = "text", .values = {"the cat", "sat"}}, {.name = "id", .values = {"a", "b"}}};
  file.attributes.push_back({.object = "/", .name = "made_by", .value = std::string("x")});
  return file;
}

void run_predict_input(std::string_view input) {
  FileModel file = input_model();
  Bytes bytes(input);
  file.mutate(bytes);
  const std::string path = scratch() + "/input.h5";
  file.write(path);
  read_foreign_hdf5(path);
  read_input(path);
}
std::vector<std::string> predict_input_seeds() {
  std::vector<std::string> seeds{""};
  for (char which = 0; which < 6; ++which)
    for (char how = 0; how < 8; ++how) {
      const std::string part{'\0', which, how};
      seeds.push_back(part + std::string{0, 60, 0, 0});
      seeds.push_back(part + std::string{1, 33, 1, 7});
    }
  seeds.push_back(std::string{0, 1, 0, 0, 4, 0});  // no ids: the texts are read
  return seeds;
}

/// The first bytes choose the reader, the name of a dataset that reaches out, and how it does.
void run_hdf5_reach(std::string_view input) {
  constexpr std::array kNames{"text", "input_ids", "tokens", "x", "group/deep"};
  constexpr std::array kReaches{Reach::kExternalStorage, Reach::kVirtual, Reach::kExternalLink,
                                Reach::kSoftLink};
  Bytes bytes(input);
  const std::uint8_t reader = bytes.byte() % 3;
  const std::string path = scratch() + "/reach.h5", name = kNames.at(bytes.below(kNames.size()));
  const Reach reach = kReaches.at(bytes.below(kReaches.size()));
  FileModel file = input_model();
  file.user_block = reader == 2 ? kCheckpointHeaderBytes : 0;
  file.groups = {"group"};
  file.mutate(bytes);
  file.write(path);
  fs::remove(scratch() + "/other.h5");
  testing::write_x(scratch() + "/other.h5", 8);
  const std::string target = reach == Reach::kExternalStorage ? write_secret() : scratch() + "/other.h5";
  testing::add_reaching(path, name, reach, target, H5T_STD_U8LE, {8});
  try {
    if (reader == 0) read_input(path);
    if (reader == 1) (void)summarize_shard(path);
    if (reader == 2) check_checkpoint_content(path);
  } catch (const InputError&) {
    return;
  }
  throw std::runtime_error("a file was read that reaches out by " + name);
}
std::vector<std::string> hdf5_reach_seeds() {
  std::vector<std::string> seeds;
  for (char reader = 0; reader < 3; ++reader)
    for (char name = 0; name < 5; ++name)
      for (char reach = 0; reach < 4; ++reach) seeds.push_back(std::string{reader, 0, name, 0, reach});
  return seeds;
}

constexpr std::array kFolderNames{"config.json",
                                  "model.safetensors",
                                  "model.safetensors.index.json",
                                  "vocab.txt",
                                  "vocab.json",
                                  "merges.txt",
                                  "tokenizer.json",
                                  "spiece.model",
                                  "tokenizer_config.json",
                                  "added_tokens.json",
                                  "special_tokens_map.json"};

/// A small model with a WordPiece vocabulary.
void write_model(const std::string& folder) {
  static const auto files = [] {
    const std::string made = scratch() + "/made";
    ModelConfig config = testing::small_model();
    config.layers = 1;
    config.vocabulary_size = 8;
    Network network(config, HeadKind::kMaskedLm, DType::kF32, false);
    write_huggingface_folder(made,
                             {.model = config,
                              .tensors = tensors_of(network.parameters()),
                              .files = {{"vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##c\n"}}});
    std::vector<std::pair<std::string, std::string>> all;
    for (const auto& entry : fs::directory_iterator(made))
      all.emplace_back(entry.path().filename().string(), testing::read_bytes(entry.path()));
    return all;
  }();
  for (const auto& [name, bytes] : files) scratch_file(folder + "/" + name, bytes);
}

/// Puts something else in the place of a file of the folder.
void change_place(const fs::path& path, Bytes& bytes) {
  fs::remove_all(path);
  switch (bytes.byte() % 8) {
    case 0:
      break;  // absent
    case 1:
      fs::create_symlink("../secret", path);
      break;
    case 2:
      fs::create_symlink("../other", path);  // a link to a link
      break;
    case 3:
      fs::create_symlink(path.filename(), path);  // to itself
      break;
    case 4:
      ::mkfifo(path.c_str(), 0600);
      break;
    case 5:
      fs::create_directory(path);
      break;
    case 6:
      fs::create_symlink(path.parent_path() / kFolderNames.at(bytes.below(kFolderNames.size())), path);
      break;
    default:
      std::ofstream(path, std::ios::binary) << bytes.text(200);
  }
}

void refuse_secret(std::string_view text, const std::string& where) {
  if (text.find("TOP-SECRET") != std::string_view::npos)
    throw std::runtime_error("the secret is in " + where);
}

/// Two bytes for each change of the tree: which file, and what replaces it.
void run_folder(std::string_view input) {
  clear_scratch();
  write_secret();
  fs::create_symlink("secret", scratch() + "/other");
  write_model("folder");
  const std::string folder = scratch() + "/folder";
  for (Bytes bytes(input); !bytes.empty();)
    change_place(fs::path(folder) / kFolderNames.at(bytes.byte() % kFolderNames.size()), bytes);
  const ModelSource source(folder);
  refuse_secret(source.folder_config(), "config.json");
  for (const FolderFile& file : source.tokenizer_files()) refuse_secret(file.bytes, file.name);
  if (const Tokenizer tokenizer = source.tokenizer(); !tokenizer.empty())
    refuse_secret(tokenizer.bytes(), "the tokenizer");
  source.check();
}
std::vector<std::string> folder_seeds() {
  std::vector<std::string> seeds{""};
  for (char name = 0; name < static_cast<char>(kFolderNames.size()); ++name)
    for (char how = 0; how < 8; ++how) seeds.push_back(std::string{name, how});
  return seeds;
}

}  // namespace

std::vector<Target> reach_targets() {
  return {{"predict_input", run_predict_input, predict_input_seeds},
          {"hdf5_reach", run_hdf5_reach, hdf5_reach_seeds},
          {"folder", run_folder, folder_seeds}};
}

}  // namespace nystrom::fuzz
