#include "model/heads/in_batch_loss.h"

#include <algorithm>

#include "kernels/fill.h"
#include "kernels/linear.h"
#include "kernels/losses/cross_entropy.h"
#include "kernels/rows.h"
#include "kernels/unit_rows.h"

namespace nystrom {
namespace {

constexpr std::int64_t kBlockRows = 1024;  // anchors compared at a time

void write(const OwnedTensor& to, const std::vector<std::int32_t>& values, Memory& memory) {
  memory.write(to.view().address, values.data(), to.view().bytes());
}

/// The memory of `rows`' first elements as [count, size].
Tensor cut(const Tensor& rows, std::int64_t count, std::int64_t size) {
  return {rows.address, rows.dtype, {count, size}};
}

}  // namespace

InBatchLoss::Side::Side(std::int64_t count, std::int64_t width, DType type, Memory& memory)
    : rows(DType::kI32, {count}, memory),
      x(type, {count, width}, memory),
      d_x(type, {count, width}, memory),
      units(type, {count, width}, memory),
      d_units(type, {count, width}, memory),
      norms(type, {count}, memory) {}

InBatchLoss::InBatchLoss(InBatchOptions options, std::int64_t width, DType type, Memory& memory)
    : options_(std::move(options)),
      width_(width),
      anchors_(options_.max_rows, width, type, memory),
      texts_(options_.max_rows * (options_.row_sequences - 1), width, type, memory),
      labels_(DType::kI32, {options_.max_rows}, memory),
      logits_(type,
              {std::min(kBlockRows, options_.max_rows), options_.max_rows * (options_.row_sequences - 1)},
              memory),
      row_losses_(type, {std::min(kBlockRows, options_.max_rows)}, memory) {
  if (options_.sizes.empty()) options_.sizes = {width};
  NYSTROM_CHECK(options_.row_sequences >= 2 && options_.temperature > 0 &&
                    std::ranges::max(options_.sizes) <= width && std::ranges::min(options_.sizes) >= 1,
                "rows of {} sequences at temperature {}", options_.row_sequences, options_.temperature);
  std::vector<std::int32_t> anchors, texts, labels;
  for (std::int64_t row = 0; row < options_.max_rows; ++row) {
    const auto first = static_cast<std::int32_t>(row * options_.row_sequences);
    anchors.push_back(first);
    labels.push_back(static_cast<std::int32_t>(std::ssize(texts)));
    for (std::int32_t s = 1; s < options_.row_sequences; ++s) texts.push_back(first + s);
  }
  write(anchors_.rows, anchors, memory);
  write(texts_.rows, texts, memory);
  write(labels_, labels, memory);
}

std::size_t InBatchLoss::planned_bytes(const InBatchOptions& options, std::int64_t width, DType type) {
  const std::int64_t rows = options.max_rows, texts = rows * (options.row_sequences - 1);
  const std::int64_t block = std::min(kBlockRows, rows);
  const std::int64_t indices = rows + texts + rows;  // of both sides, and labels
  const std::int64_t numbers = (rows + texts) * (4 * width + 1) + block * texts + block;
  return static_cast<std::size_t>(indices) * sizeof(std::int32_t) +
         static_cast<std::size_t>(numbers) * size_of(type);
}

void InBatchLoss::compute(Context& context, const Tensor& vectors, const Tensor& d_vectors,
                          const Tensor& sums) {
  const std::int64_t rows = vectors.dim(0) / options_.row_sequences;
  NYSTROM_CHECK(vectors.dim(0) % options_.row_sequences == 0 && rows <= options_.max_rows &&
                    vectors.dim(1) == width_ && vectors.shape == d_vectors.shape,
                "vectors {} of at most {} rows", vectors.shape.text(), options_.max_rows);
  fill_zero(context, d_vectors);
  if (rows == 0) return;
  const auto each = [&](const auto& body) {
    body(anchors_, rows);
    body(texts_, rows * (options_.row_sequences - 1));
  };
  each([&](const Side& side, std::int64_t count) {
    gather_rows(context, vectors, side.rows.view().first(count), side.x.view().first(count));
    fill_zero(context, side.d_x.view().first(count));
  });
  for (const std::int64_t size : options_.sizes) compare(context, rows, size, sums);
  each([&](const Side& side, std::int64_t count) {
    scatter_add_rows(context, side.d_x.view().first(count), side.rows.view().first(count), d_vectors);
  });
}

void InBatchLoss::compare(Context& context, std::int64_t rows, std::int64_t size, const Tensor& sums) {
  const std::int64_t count = rows * (options_.row_sequences - 1);
  const UnitRows anchors{.x = anchors_.x.view().first(rows),
                         .length = 1 / options_.temperature,
                         .norms = anchors_.norms.view().first(rows),
                         .y = cut(anchors_.units, rows, size)};
  const UnitRows texts{.x = texts_.x.view().first(count),
                       .norms = texts_.norms.view().first(count),
                       .y = cut(texts_.units, count, size)};
  unit_rows_forward(context, anchors);
  unit_rows_forward(context, texts);
  const Tensor d_anchors = cut(anchors_.d_units, rows, size), d_texts = cut(texts_.d_units, count, size);
  fill_zero(context, d_texts);
  for (std::int64_t begin = 0; begin < rows; begin += kBlockRows) {
    const std::int64_t block = std::min(kBlockRows, rows - begin);
    const Tensor logits = cut(logits_, block, count), some = anchors.y.rows(begin, block);
    linear_forward(context, some, texts.y, {}, logits);
    cross_entropy(context, {.logits = logits,
                            .labels = labels_.view().rows(begin, block),
                            .scale = 1 / static_cast<double>(rows),
                            .row_losses = row_losses_.view().first(block),
                            .d_logits = logits,
                            .sums = sums});
    linear_backward_input(context, logits, texts.y, d_anchors.rows(begin, block));
    linear_backward_weight(context, logits, some, d_texts);
  }
  unit_rows_backward(context, {.y = anchors.y,
                               .norms = anchors.norms,
                               .length = anchors.length,
                               .d_y = d_anchors,
                               .d_x = anchors_.d_x.view().first(rows)});
  unit_rows_backward(context, {.y = texts.y,
                               .norms = texts.norms,
                               .length = texts.length,
                               .d_y = d_texts,
                               .d_x = texts_.d_x.view().first(count)});
}

}  // namespace nystrom
