#include "data/shards/shard_layout.h"

#include <array>
#include <utility>

#include "kernels/core/check.h"

namespace nystrom::shard_layout {
namespace {

using Member = std::int32_t SpecialIds::*;
constexpr std::array<std::pair<const char*, Member>, 5> kSpecial = {{{"bos_id", &SpecialIds::bos},
                                                                     {"pad_id", &SpecialIds::pad},
                                                                     {"eos_id", &SpecialIds::eos},
                                                                     {"unk_id", &SpecialIds::unk},
                                                                     {"mask_id", &SpecialIds::mask}}};

std::int64_t count(const hdf5::File& file, const char* name) {
  const std::int64_t value = file.integer_attribute(name);
  if (value < 0)
    refuse("{}: attribute `{}` is {}. The file is corrupt; prepare it again.", file.path(), name, value);
  return value;
}

}  // namespace

void write_attributes(hdf5::File& file, const ShardHeader& header, const ShardCounts& counts) {
  file.set_attribute("format", std::string(kShardFormat));
  file.set_attribute("format_version", kShardVersion);
  file.set_attribute("tokenizer_sha256", header.tokenizer_sha256);
  file.set_attribute("vocabulary_size", header.vocabulary_size);
  for (const auto& [name, member] : kSpecial) file.set_attribute(name, std::int64_t{header.special.*member});
  file.set_attribute("documents", counts.documents);
  file.set_attribute("sentences", counts.sentences);
  file.set_attribute("tokens", counts.tokens);
}

ShardHeader read_header(const hdf5::File& file) {
  if (!file.has_attribute("format") || file.string_attribute("format") != kShardFormat)
    refuse("{} is not a shard: its attribute `format` is not {}.", file.path(), kShardFormat);
  const std::int64_t version = file.integer_attribute("format_version");
  if (version != kShardVersion)
    refuse(
        "{} is a shard of format version {}, but this program reads version {}. Prepare it again, or use a {} "
        "program.",
        file.path(), version, kShardVersion, version > kShardVersion ? "newer" : "older");
  ShardHeader header;
  header.vocabulary_size = file.integer_attribute("vocabulary_size");
  if (header.vocabulary_size <= 0 || header.vocabulary_size > INT32_MAX)
    refuse("{}: attribute `vocabulary_size` is {}. The file is corrupt; prepare it again.", file.path(),
           header.vocabulary_size);
  for (const auto& [name, member] : kSpecial) {
    const std::int64_t id = file.integer_attribute(name);
    if (id < 0 || id >= header.vocabulary_size)
      refuse("{}: attribute `{}` is {}, outside the vocabulary of {}. The file is corrupt; prepare it again.",
             file.path(), name, id, header.vocabulary_size);
    header.special.*member = static_cast<std::int32_t>(id);
  }
  header.tokenizer_sha256 = file.string_attribute("tokenizer_sha256");
  header.sources = file.read_strings(kSources);
  return header;
}

ShardCounts read_counts(const hdf5::File& file) {
  return {count(file, "documents"), count(file, "sentences"), count(file, "tokens")};
}

}  // namespace nystrom::shard_layout
