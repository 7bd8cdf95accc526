#include "data/shards/shard_reader.h"

#include <algorithm>

#include "data/shards/shard_layout.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

constexpr std::size_t kNoCache = 0;  // we read whole chunks and keep them ourselves

hdf5::Dataset open_column(const hdf5::File& file, const char* name, std::uint64_t rows) {
  hdf5::Dataset dataset = file.dataset(name, kNoCache);
  if (dataset.shape().size() != 1 || !dataset.is_integer())
    refuse("{}: dataset `{}` is not a list of integers. The file is corrupt; prepare it again.", file.path(),
           name);
  if (dataset.rows() != rows)
    refuse("{}: dataset `{}` has {} elements where the counts say {}. The file is corrupt; prepare it again.",
           file.path(), name, dataset.rows(), rows);
  // A header may claim anything; what is stored cannot be less than what it claims (nothing is compressed).
  if (dataset.stored_bytes() / dataset.element_bytes() < rows)
    refuse(
        "{}: dataset `{}` claims {} elements but {} bytes are stored. The file is corrupt; prepare it again.",
        file.path(), name, rows, dataset.stored_bytes());
  return dataset;
}

}  // namespace

ShardKind shard_kind(const std::string& path) {
  const hdf5::File file = hdf5::File::open(path, hdf5::Filters::kCompression);
  if (file.has_attribute("format")) return ShardKind::kNystrom;
  if (file.has("input_ids") && file.has("masked_lm_positions")) return ShardKind::kBert;
  refuse(
      "{} is not a shard: it has neither our attribute `format` nor the dataset `input_ids` of NVIDIA's BERT "
      "shards.",
      path);
}

std::size_t SourceCursor::next() {
  const std::size_t source = scan_.next();
  if (source >= sources_)
    refuse(
        "{}: dataset `document_sources` holds {}, but there are {} sources. The file is corrupt; prepare it "
        "again.",
        path_, source, sources_);
  return source;
}

SourceCursor ShardReader::sources() const {
  return {document_sources_, path_, header_.sources.size()};
}

ShardReader::ShardReader(const std::string& path, ChunkCache* cache) : path_(path) {
  if (cache == nullptr) {
    own_cache_ = std::make_unique<ChunkCache>(kOwnCacheBytes);
    cache = own_cache_.get();
  }
  tokens_ = Column<std::int32_t>(*cache);
  sentence_offsets_ = Column<std::uint64_t>(*cache);
  open();
}

void ShardReader::open() {
  const auto held = hdf5::lock();
  file_ = hdf5::File::open(path_);
  header_ = shard_layout::read_header(file_);
  counts_ = shard_layout::read_counts(file_);
  const auto count = [](std::int64_t n) { return static_cast<std::uint64_t>(n); };
  tokens_.attach(open_column(file_, shard_layout::kTokens, count(counts_.tokens)));
  sentence_offsets_.attach(open_column(file_, shard_layout::kSentenceOffsets, count(counts_.sentences) + 1));
  document_offsets_ = open_column(file_, shard_layout::kDocumentOffsets, count(counts_.documents) + 1);
  document_sources_ = open_column(file_, shard_layout::kDocumentSources, count(counts_.documents));
  stored_bytes_ = tokens_.dataset().stored_bytes() + sentence_offsets_.dataset().stored_bytes();
}

void ShardReader::suspend() {
  tokens_.detach();
  sentence_offsets_.detach();
  document_offsets_ = {};
  document_sources_ = {};
  file_ = {};
}

void ShardReader::resume() {
  if (is_open()) return;
  const ShardHeader header = header_;
  const ShardCounts counts = counts_;
  open();
  if (header != header_ || counts != counts_)
    refuse("{} was replaced while it was in use. Start again when nothing writes to the shards.", path_);
}

void ShardReader::check_ids(std::span<const std::int32_t> ids) const {
  const auto vocabulary = static_cast<std::uint32_t>(header_.vocabulary_size);
  std::uint32_t largest = 0;
  for (std::int32_t id : ids) largest = std::max(largest, static_cast<std::uint32_t>(id));
  if (largest >= vocabulary)
    refuse(
        "{}: dataset `tokens` holds the id {}, outside the vocabulary of {}. The file is corrupt; prepare it "
        "again.",
        path_, largest, vocabulary);
}

void ShardReader::read_tokens(std::uint64_t first, std::uint64_t count, std::vector<std::int32_t>& to) {
  const std::size_t before = to.size();
  tokens_.read(first, count, to);
  check_ids(std::span<const std::int32_t>(to).subspan(before));
}

void ShardReader::read_sentence_offsets(std::uint64_t first, std::uint64_t count,
                                        std::vector<std::uint64_t>& to) {
  const std::size_t before = to.size();
  sentence_offsets_.read(first, count, to);
  check_offsets("sentence_offsets", first, std::span(to).subspan(before), counts_.tokens);
}

void ShardReader::read_document_offsets(std::uint64_t first, std::uint64_t count,
                                        std::vector<std::uint64_t>& to) const {
  const std::size_t before = to.size();
  to.resize(before + count);
  document_offsets_.read_rows<std::uint64_t>(first, count, std::span(to).subspan(before));
  check_offsets("document_offsets", first, std::span(to).subspan(before), counts_.sentences);
}

void ShardReader::check_offsets(const char* dataset, std::uint64_t first,
                                std::span<const std::uint64_t> offsets, std::int64_t end) const {
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    const bool ascends = i == 0 || offsets[i] > offsets[i - 1];
    if (!ascends || offsets[i] > static_cast<std::uint64_t>(end)) bad_offsets(dataset, first + i);
  }
}

void ShardReader::bad_offsets(const char* dataset, std::uint64_t index) const {
  refuse("{}: dataset `{}` is wrong at element {}. The file is corrupt; prepare it again.", path_, dataset,
         index);
}

}  // namespace nystrom
