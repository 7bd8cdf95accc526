#include "data/shards/bert_shard_reader.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

// Maximum expansion of a byte by deflate: a header that claims more is corrupt (or malicious).
constexpr std::uint64_t kMaxInflation = 1100;
constexpr std::uint64_t kMaxWidth = std::uint64_t{1} << 24U;

}  // namespace

BertShardReader::BertShardReader(const std::string& path, ChunkCache* cache)
    : path_(path),
      input_ids_(*cache),
      input_mask_(*cache),
      segment_ids_(*cache),
      masked_lm_positions_(*cache),
      masked_lm_ids_(*cache),
      next_sentence_labels_(*cache) {
  open();
}

hdf5::Dataset BertShardReader::open_dataset(const char* name, std::size_t rank) {
  hdf5::Dataset dataset = file_.dataset(name, 0);
  if (dataset.shape().size() != rank || !dataset.is_integer())
    refuse("{}: dataset `{}` does not hold integers in {} dimension{}, as in NVIDIA's BERT shards.", path_,
           name, rank, rank == 1 ? "" : "s");
  if (dataset.row_elements() > kMaxWidth ||
      dataset.rows() * dataset.row_elements() / kMaxInflation > dataset.stored_bytes())
    refuse("{}: dataset `{}` claims {} rows of {}, but {} bytes are stored; the file is corrupt.", path_,
           name, dataset.rows(), dataset.row_elements(), dataset.stored_bytes());
  stored_bytes_ += dataset.stored_bytes();
  return dataset;
}

void BertShardReader::open() {
  const auto held = hdf5::lock();
  file_ = hdf5::File::open(path_, hdf5::Filters::kCompression);
  stored_bytes_ = 0;
  input_ids_.attach(open_dataset("input_ids", 2));
  input_mask_.attach(open_dataset("input_mask", 2));
  segment_ids_.attach(open_dataset("segment_ids", 2));
  masked_lm_positions_.attach(open_dataset("masked_lm_positions", 2));
  masked_lm_ids_.attach(open_dataset("masked_lm_ids", 2));
  next_sentence_labels_.attach(open_dataset("next_sentence_labels", 1));
  const hdf5::Shape& ids = input_ids_.dataset().shape();
  const hdf5::Shape& positions = masked_lm_positions_.dataset().shape();
  if (input_mask_.dataset().shape() != ids || segment_ids_.dataset().shape() != ids ||
      positions[0] != ids[0] || masked_lm_ids_.dataset().shape() != positions ||
      next_sentence_labels_.rows() != ids[0])
    refuse("{}: its datasets do not have the same number of rows and columns; the file is corrupt.", path_);
  if (ids[1] == 0 || positions[1] == 0)
    refuse("{}: its sequences have {} tokens, of which {} can be masked; there is nothing to learn.", path_,
           ids[1], positions[1]);
  sequences_ = ids[0];
  width_ = ids[1];
  masked_ = positions[1];
}

void BertShardReader::suspend() {
  for (auto* column : {&input_ids_, &masked_lm_positions_, &masked_lm_ids_}) column->detach();
  for (auto* column : {&input_mask_, &segment_ids_, &next_sentence_labels_}) column->detach();
  file_ = {};
}

void BertShardReader::resume() {
  if (is_open()) return;
  const auto before = std::array{sequences_, width_, masked_};
  open();
  if (before != std::array{sequences_, width_, masked_})
    refuse("{} was replaced while it was in use. Start again when nothing writes to the shards.", path_);
}

void BertShardReader::bad_row(std::uint64_t row, const std::string& what) const {
  refuse("{}: row {}: {}.", path_, row, what);
}

std::size_t BertShardReader::read_length(std::uint64_t row) {
  mask_.clear();
  input_mask_.read(row, 1, mask_);
  const auto zero = std::find(mask_.begin(), mask_.end(), std::int8_t{0});
  if (std::any_of(zero, mask_.end(), [](auto m) { return m != 0; }))
    bad_row(row, "`input_mask` is not ones followed by zeros");
  if (zero == mask_.begin()) bad_row(row, "`input_mask` leaves no token");
  return static_cast<std::size_t>(zero - mask_.begin());
}

void BertShardReader::read(std::uint64_t row, std::int64_t sequence_length, std::int64_t vocabulary_size,
                           Sample& sample) {
  const std::size_t length = read_length(row);
  if (static_cast<std::int64_t>(length) > sequence_length)
    bad_row(row, fmt::format("{} tokens are more than `data.sequence_length`, which is {}", length,
                             sequence_length));
  sample.ids.clear();
  input_ids_.read(row, 1, sample.ids);
  sample.ids.resize(length);
  types_.clear();
  segment_ids_.read(row, 1, types_);
  sample.token_types.assign(types_.begin(), types_.begin() + static_cast<std::ptrdiff_t>(length));
  for (std::int32_t id : sample.ids)
    if (id < 0 || id >= vocabulary_size)
      bad_row(row, fmt::format("`input_ids` has the id {}, outside the model's vocabulary of {}", id,
                               vocabulary_size));
  for (std::int32_t type : sample.token_types)
    if (type < 0 || type > 1) bad_row(row, fmt::format("`segment_ids` has {}, neither 0 nor 1", type));
  read_labels(row, vocabulary_size, sample);
  types_.clear();
  next_sentence_labels_.read(row, 1, types_);
  sample.sop_label = types_[0];
  if (sample.sop_label != 0 && sample.sop_label != 1)
    bad_row(row, fmt::format("`next_sentence_labels` is {}, neither 0 nor 1", sample.sop_label));
}

void BertShardReader::read_labels(std::uint64_t row, std::int64_t vocabulary_size, Sample& sample) {
  positions_.clear();
  labels_.clear();
  masked_lm_positions_.read(row, 1, positions_);
  masked_lm_ids_.read(row, 1, labels_);
  const auto end = std::find(positions_.begin(), positions_.end(), 0) - positions_.begin();
  order_.resize(static_cast<std::size_t>(end));
  std::iota(order_.begin(), order_.end(), 0U);
  std::sort(order_.begin(), order_.end(), [&](auto a, auto b) { return positions_[a] < positions_[b]; });
  sample.mlm_positions.clear();
  sample.mlm_labels.clear();
  std::int32_t before = 0;
  for (const auto i : order_) {
    const std::int32_t position = positions_[i], label = labels_[i];
    if (position <= before || position >= static_cast<std::int32_t>(sample.ids.size()))
      bad_row(row, fmt::format("`masked_lm_positions` has {}: twice, or outside the {} tokens", position,
                               sample.ids.size()));
    if (label < 0 || label >= vocabulary_size)
      bad_row(row, fmt::format("`masked_lm_ids` has the id {}, outside the model's vocabulary of {}", label,
                               vocabulary_size));
    sample.mlm_positions.push_back(position);
    sample.mlm_labels.push_back(label);
    before = position;
  }
}

}  // namespace nystrom
