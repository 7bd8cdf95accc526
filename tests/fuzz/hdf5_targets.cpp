// Shards of both kinds and checkpoints: as proper HDF5 files with wild content, read in this process; and as
// wild bytes, which can crash the HDF5 library and are therefore read by a child.

#include <array>
#include <filesystem>
#include <stdexcept>

#include "data/hdf5/child_check.h"
#include "data/hdf5/foreign_file.h"
#include "data/pretraining/bert_samples.h"
#include "data/pretraining/samples.h"
#include "data/shards/inspect.h"
#include "data/shards/shard_check.h"
#include "file_bytes.h"
#include "fuzz_target.h"
#include "hdf5_model.h"
#include "hostile_hdf5.h"
#include "kernels/core/check.h"
#include "small_network.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/header.h"

namespace nystrom::fuzz {
namespace {

using Values = std::vector<std::int64_t>;

/// Two documents of two sentences.
FileModel shard_model() {
  FileModel file;
  file.arrays = {{.name = "tokens",
                  .type = hdf5::Type::kU16,
                  .shape = {12},
                  .values = {5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
                  .chunked = true},
                 {.name = "sentence_offsets",
                  .type = hdf5::Type::kU64,
                  .shape = {5},
                  .values = {0, 3, 6, 9, 12},
                  .chunked = true},
                 {.name = "document_offsets",
                  .type = hdf5::Type::kU64,
                  .shape = {3},
                  .values = {0, 2, 4},
                  .chunked = true},
                 {.name = "document_sources",
                  .type = hdf5::Type::kU32,
                  .shape = {2},
                  .values = {0, 1},
                  .chunked = true}};
  file.strings = {{.name = "sources", .values = {"wiki", "books"}}};
  for (const auto& [name, value] : {std::pair{"format_version", 1},
                                    {"vocabulary_size", 100},
                                    {"bos_id", 0},
                                    {"pad_id", 1},
                                    {"eos_id", 2},
                                    {"unk_id", 3},
                                    {"mask_id", 4},
                                    {"documents", 2},
                                    {"sentences", 4},
                                    {"tokens", 12}})
    file.attributes.push_back({.object = "/", .name = name, .value = std::int64_t{value}});
  file.attributes.push_back({.object = "/", .name = "format", .value = std::string("nystrom shard")});
  file.attributes.push_back({.object = "/", .name = "tokenizer_sha256", .value = std::string(64, 'a')});
  return file;
}

/// Two rows of width 6, at most 3 masked.
FileModel bert_model() {
  FileModel file;
  const auto add = [&](const char* name, hdf5::Type type, const hdf5::Shape& shape, const Values& values) {
    file.arrays.push_back({.name = name, .type = type, .shape = shape, .values = values, .chunked = true});
  };
  add("input_ids", hdf5::Type::kI32, {2, 6}, {10, 11, 4, 13, 14, 15, 10, 21, 22, 0, 0, 0});
  add("input_mask", hdf5::Type::kI8, {2, 6}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0});
  add("segment_ids", hdf5::Type::kI8, {2, 6}, {0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0});
  add("masked_lm_positions", hdf5::Type::kI32, {2, 3}, {4, 2, 0, 1, 0, 0});
  add("masked_lm_ids", hdf5::Type::kI32, {2, 3}, {44, 42, 0, 71, 0, 0});
  add("next_sentence_labels", hdf5::Type::kI8, {2}, {0, 1});
  file.attributes.push_back({.object = "/", .name = "made_by", .value = std::string("x")});
  return file;
}

void read_shard(const std::string& path) {
  (void)summarize_shard(path);
  SampleOptions options;
  options.shards = {path};
  options.sequence_length = 16;
  options.vocabulary_size = 200;
  const auto samples = open_samples(options);
  Sample sample;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(samples->samples(), 4); ++i) {
    samples->read(i, i, sample);
    for (const std::int32_t id : sample.ids)
      if (id < 0 || id >= 200) throw std::runtime_error("an id outside the vocabulary");
    for (const std::int32_t at : sample.mlm_positions)
      if (at < 0 || at >= std::ssize(sample.ids)) throw std::runtime_error("a position outside the sample");
  }
}

template <FileModel (*model)()>
void run_shard(std::string_view input) {
  FileModel file = model();
  Bytes bytes(input);
  file.mutate(bytes);
  const std::string path = scratch() + "/shard.h5";
  file.write(path);
  read_shard(path);
}

/// Recipes that spoil each part once; among them data sets of 2^60 rows.
std::vector<std::string> recipes(const FileModel& file) {
  std::vector<std::string> seeds{""};
  const std::size_t parts = file.attributes.size() + file.arrays.size() + file.strings.size();
  for (std::size_t which = 0; which < parts; ++which) {
    const std::string part{'\0', static_cast<char>(which)};
    for (char how = 0; how < 8; ++how) {
      seeds.push_back(part + how + std::string{0, 60, 0, 0});
      seeds.push_back(part + how + std::string{1, 33, 1, 7});
      seeds.push_back(part + how + std::string{3, 5, 9, 2});
    }
  }
  return seeds;
}
std::vector<std::string> shard_seeds() {
  return recipes(shard_model());
}
std::vector<std::string> bert_seeds() {
  return recipes(bert_model());
}

/// A checkpoint of a small network, as its writer lays it out.
const std::string& small_checkpoint() {
  static const std::string bytes = [] {
    ModelConfig config = testing::small_model();
    config.layers = 1;
    ParameterStore store(DType::kF32);
    const Encoder encoder(config, store);
    const HeadConfig head(HeadKind::kMaskedLm);
    const auto made = make_head(head, {config, store, encoder.embeddings().word()});
    store.allocate(false);
    const RunIdentity identity{.seed = 1,
                               .configuration = "seed: 1\n",
                               .settings = {{"seed", "1"}},
                               .tokenizer = "bytes",
                               .tokenizer_kind = "toy"};
    const ZeroPartition whole(store.flat_size());
    const StateLayout layout(store, whole, nullptr);
    const std::string path = scratch() + "/whole.h5";
    write_checkpoint(path, CheckpointContent{.model = config,
                                             .head = head,
                                             .parameters = store.all(),
                                             .weights = store.weights(),
                                             .states = {{"exp_avg", store.weights(), &layout}},
                                             .identity = identity});
    return testing::read_bytes(path);
  }();
  return bytes;
}

/// The same checkpoint as a model that can be spoilt, read out of it.
FileModel checkpoint_model() {
  const std::string path = scratch_file("model.h5", small_checkpoint());
  const hdf5::File whole = hdf5::File::open(path);
  FileModel file;
  file.user_block = kCheckpointHeaderBytes;
  file.groups = {"weights", "optimizer", "optimizer/exp_avg", "model"};
  for (const char* group : {"weights", "optimizer/exp_avg"})
    for (const auto& name : whole.names(group)) {
      const std::string full = std::string(group) + "/" + name;
      file.arrays.push_back(
          {.name = full, .type = hdf5::Type::kF32, .shape = whole.dataset(full).shape(), .values = {}});
    }
  file.arrays.push_back(
      {.name = "tokenizer", .type = hdf5::Type::kU8, .shape = {5}, .values = {1, 2, 3, 4, 5}});
  file.strings = {{.name = "settings", .values = {"seed=1"}}};
  for (const char* name : {"format_version", "step", "samples", "updates", "seed"})
    file.attributes.push_back({.object = "/", .name = name, .value = whole.integer_attribute(name)});
  file.attributes.push_back({.object = "/", .name = "seconds", .value = 1.5});
  file.attributes.push_back({.object = "/", .name = "configuration", .value = std::string("seed: 1\n")});
  file.attributes.push_back({.object = "tokenizer", .name = "kind", .value = std::string("toy")});
  for (const char* name :
       {"vocabulary_size", "hidden_size", "layers", "heads", "intermediate_size", "max_positions",
        "token_types", "pad_token_id", "landmarks", "convolution", "pinv_iterations", "head_labels"})
    file.attributes.push_back(
        {.object = "model", .name = name, .value = whole.integer_attribute(name, "model")});
  for (const char* name : {"dropout", "attention_dropout", "layer_norm_epsilon", "initializer_range"})
    file.attributes.push_back(
        {.object = "model", .name = name, .value = whole.number_attribute(name, "model")});
  for (const char* name : {"activation", "attention", "pinv_init", "padding", "head", "head_problem"})
    file.attributes.push_back(
        {.object = "model", .name = name, .value = whole.string_attribute(name, "model")});
  return file;
}

void run_checkpoint(std::string_view input) {
  static const FileModel whole = checkpoint_model();
  FileModel file = whole;
  Bytes bytes(input);
  file.mutate(bytes);
  const std::string path = scratch() + "/checkpoint.h5";
  // An attribute of a tokenizer that is absent cannot be written: as if the recipe had left it out too.
  for (const Array& array : file.arrays)
    if (array.absent)
      for (Attribute& attribute : file.attributes)
        if (attribute.object == array.name) attribute.absent = true;
  file.write(path);
  write_checkpoint_header(path);
  verify_checkpoint(path);
  check_checkpoint_content(path);
}
std::vector<std::string> checkpoint_seeds() {
  return recipes(checkpoint_model());
}

/// Flips and cuts: two bytes say where, one how; the first of all chooses among the files.
std::string spoilt(std::string bytes, Bytes& how) {
  while (!how.empty() && !bytes.empty()) {
    const std::size_t at =
        (std::size_t{how.byte()} << 16U | std::size_t{how.byte()} << 8U | how.byte()) % bytes.size();
    const std::uint8_t value = how.byte();
    if (value == 255)
      bytes.resize(at);
    else
      bytes[at] = static_cast<char>(bytes[at] ^ (value == 0 ? 1 : value));
  }
  return bytes;
}

const std::string& texts() {
  static const std::string bytes = [] {
    const std::string path = scratch() + "/texts.h5";
    testing::write_texts(path, "hello world the cat", 50);
    return testing::read_bytes(path);
  }();
  return bytes;
}

void run_hdf5_bytes(std::string_view input) {
  static const std::array<std::string, 2> shards = [] {
    shard_model().write(scratch() + "/a.h5");
    bert_model().write(scratch() + "/b.h5");
    return std::array{testing::read_bytes(scratch() + "/a.h5"), testing::read_bytes(scratch() + "/b.h5")};
  }();
  Bytes how(input);
  const std::uint8_t which = how.byte() % 4;
  if (which == 3) {  // texts of variable length, the input of `predict`
    const std::string path = scratch_file("spoilt.h5", spoilt(texts(), how));
    check_foreign_hdf5(path);
    read_foreign_hdf5(path);
    return;
  }
  if (which < 2) {
    const std::string path = scratch_file("spoilt.h5", spoilt(shards.at(which), how));
    check_shards(std::span(&path, 1), ShardCheck::kAll);
    read_shard(path);  // what a child could read can be read here
    return;
  }
  std::string bytes = small_checkpoint();
  const std::string path = scratch_file("spoilt.h5", bytes.substr(0, kCheckpointHeaderBytes) +
                                                         spoilt(bytes.substr(kCheckpointHeaderBytes), how));
  if (std::filesystem::file_size(path) <= kCheckpointHeaderBytes) return;
  write_checkpoint_header(path);  // somebody meant it
  check_in_child(std::span(&path, 1), {.seconds = 10}, check_checkpoint_content);
  check_checkpoint_content(path);
}
std::vector<std::string> hdf5_bytes_seeds() {
  std::vector<std::string> seeds;
  for (char which = 0; which < 4; ++which)
    for (int at = 0; at < 1024; at += 16)
      seeds.push_back(std::string{which, 0, static_cast<char>(at >> 8), static_cast<char>(at), 1});
  for (int at = 2048; at < 6144; at += 64)  // the heap of the texts
    seeds.push_back(std::string{3, 0, static_cast<char>(at >> 8), static_cast<char>(at), 90});
  return seeds;
}

}  // namespace

std::vector<Target> hdf5_targets() {
  return {{"shard", run_shard<shard_model>, shard_seeds},
          {"bert_shard", run_shard<bert_model>, bert_seeds},
          {"checkpoint", run_checkpoint, checkpoint_seeds},
          {"hdf5_bytes", run_hdf5_bytes, hdf5_bytes_seeds}};
}

}  // namespace nystrom::fuzz
