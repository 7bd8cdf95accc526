#include "trainer/in_batch_pass.h"

#include <numeric>

namespace nystrom {
namespace {

constexpr std::string_view kExchange = "the all-gather of embeddings";

EmbeddingHead& head_of(Network& network) {
  EmbeddingHead* const head = network.embedding_head();
  NYSTROM_CHECK(head != nullptr, "head {} computes no embeddings", static_cast<int>(network.head_kind()));
  return *head;
}

}  // namespace

InBatchPass::InBatchPass(Context& context, Comm& comm, Network& network, const InBatchOptions& options)
    : context_(context),
      comm_(comm),
      head_(head_of(network)),
      loss_(options, network.config().hidden_size, compute_dtype(network.parameters().activation()),
            context.memory()),
      other_sums_(DType::kF64, {3}, context.memory()),
      begins_(static_cast<std::size_t>(comm.ranks()) + 1) {
  const DType type = compute_dtype(network.parameters().activation());
  const Shape shape{options.max_rows * options.row_sequences, network.config().hidden_size};
  gathered_ = OwnedTensor(type, shape);
  vectors_ = OwnedTensor(type, shape, context.memory());
  d_vectors_ = OwnedTensor(type, shape, context.memory());
}

std::size_t InBatchPass::planned_bytes(const Network& network, const InBatchOptions& options) {
  const DType type = compute_dtype(network.parameters().activation());
  const std::int64_t width = network.config().hidden_size;
  const std::int64_t vectors = options.max_rows * options.row_sequences * width;
  return InBatchLoss::planned_bytes(options, width, type) +
         3 * static_cast<std::size_t>(vectors) * size_of(type) + 3 * sizeof(double);
}

void InBatchPass::begin(std::int64_t sequences) {
  comm_.all_gather(std::as_bytes(std::span(&sequences, 1)),
                   std::as_writable_bytes(std::span(begins_).subspan(1)), kExchange);
  std::partial_sum(begins_.begin(), begins_.end(), begins_.begin());
  NYSTROM_CHECK(begins_.back() <= gathered_.view().dim(0), "{} vectors, of at most {}", begins_.back(),
                gathered_.view().dim(0));
  collected_ = next_gradient_ = begins_[static_cast<std::size_t>(comm_.rank())];
}

void InBatchPass::collect() {
  const Tensor vectors = head_.logits();
  context_.read(vectors, gathered_.view().rows(collected_, vectors.dim(0)).address);
  collected_ += vectors.dim(0);
}

void InBatchPass::finish() {
  const std::int64_t width = gathered_.view().dim(1), count = begins_.back();
  std::vector<std::int64_t> elements;
  for (const std::int64_t begin : begins_) elements.push_back(begin * width);
  const Tensor gathered = gathered_.view().first(count), vectors = vectors_.view().first(count);
  comm_.all_gather_shards(gathered.reshaped({count * width}), elements, kExchange);
  context_.memory().write(vectors.address, gathered.address, gathered.bytes());
  const Tensor sums = head_.sums().rows(0, 1).reshaped({3});
  loss_.compute(context_, vectors, d_vectors_.view().first(count), comm_.rank() == 0 ? sums : other_sums_);
}

void InBatchPass::set_gradient(std::int64_t sequences) {
  head_.set_gradient(context_, d_vectors_.view().rows(next_gradient_, sequences));
  next_gradient_ += sequences;
}

}  // namespace nystrom
