#include <algorithm>
#include <filesystem>
#include <utility>

#include "data/shards/shard.h"
#include "data/shards/shard_layout.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"

namespace nystrom {

template <class T>
void ShardWriter::Column<T>::add(T value) {
  buffer.push_back(value);
  if (buffer.size() == dataset.chunk()[0]) flush();
}

template <class T>
void ShardWriter::Column<T>::flush() {
  if (!buffer.empty()) dataset.append(std::span<const T>(buffer));
  buffer.clear();
}

ShardWriter::ShardWriter(std::string path, ShardHeader header)
    : path_(std::move(path)), temporary_(temporary_name(path_)), header_(std::move(header)) {
  NYSTROM_CHECK(header_.vocabulary_size > 0, "a shard's vocabulary has {} tokens", header_.vocabulary_size);
  NYSTROM_CHECK(!header_.sources.empty(), "a shard needs the name of at least one source");
  for (auto id : header_.special.ids())
    NYSTROM_CHECK(id < header_.vocabulary_size, "special token {} of {} tokens", id, header_.vocabulary_size);
  try {
    create();
  } catch (...) {
    discard();
    throw;
  }
}

ShardWriter::~ShardWriter() {
  discard();
}
void ShardWriter::create() {
  file_ = hdf5::File::create(temporary_);
  const auto column = [&](const char* name, hdf5::Type type, std::uint64_t chunk) {
    return file_.create_dataset(name, type, {0}, {.chunk = {chunk}, .extendible = true});
  };
  const auto token_type = header_.vocabulary_size <= 65536 ? hdf5::Type::kU16 : hdf5::Type::kU32;
  tokens_.dataset = column(shard_layout::kTokens, token_type, shard_layout::kTokenChunk);
  sentence_offsets_.dataset =
      column(shard_layout::kSentenceOffsets, hdf5::Type::kU64, shard_layout::kOffsetChunk);
  document_offsets_.dataset =
      column(shard_layout::kDocumentOffsets, hdf5::Type::kU64, shard_layout::kOffsetChunk);
  document_sources_.dataset =
      column(shard_layout::kDocumentSources, hdf5::Type::kU32, shard_layout::kOffsetChunk);
  sentence_offsets_.add(0);
  document_offsets_.add(0);
}

bool ShardWriter::add_document(std::int64_t source, std::span<const std::vector<std::int32_t>> sentences) {
  NYSTROM_CHECK(file_.is_open(), "{} is finished", path_);
  NYSTROM_CHECK(source >= 0 && source < static_cast<std::int64_t>(header_.sources.size()), "source {} of {}",
                source, header_.sources.size());
  const std::int64_t sentences_before = counts_.sentences;
  for (const auto& sentence : sentences) {
    if (sentence.empty()) continue;
    for (std::int32_t id : sentence) {
      if (id < 0 || id >= header_.vocabulary_size)
        fail("Token id {} is outside the vocabulary of {} (writing {}).", id, header_.vocabulary_size, path_);
      tokens_.add(id);
    }
    counts_.tokens += static_cast<std::int64_t>(sentence.size());
    ++counts_.sentences;
    sentence_offsets_.add(static_cast<std::uint64_t>(counts_.tokens));
  }
  if (counts_.sentences == sentences_before) return false;
  ++counts_.documents;
  document_offsets_.add(static_cast<std::uint64_t>(counts_.sentences));
  document_sources_.add(static_cast<std::uint32_t>(source));
  return true;
}

void ShardWriter::finish() {
  NYSTROM_CHECK(file_.is_open(), "{} is finished already", path_);
  try {
    tokens_.flush();
    sentence_offsets_.flush();
    document_offsets_.flush();
    document_sources_.flush();
    tokens_.dataset.close();
    sentence_offsets_.dataset.close();
    document_offsets_.dataset.close();
    document_sources_.dataset.close();
    file_.write_strings(shard_layout::kSources, header_.sources);
    shard_layout::write_attributes(file_, header_, counts_);
    file_.close();
    publish_file(temporary_, path_);
  } catch (...) {
    discard();
    throw;
  }
  temporary_.clear();
}

void ShardWriter::discard() noexcept {
  if (temporary_.empty()) return;
  tokens_.dataset = {};
  sentence_offsets_.dataset = {};
  document_offsets_.dataset = {};
  document_sources_.dataset = {};
  file_ = {};
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
  temporary_.clear();
}

}  // namespace nystrom
