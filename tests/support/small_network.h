#pragma once
// Small network for tests with central differences, and packed batches of random text.

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/core/philox.h"
#include "model/network.h"

namespace nystrom::testing {

inline ModelConfig small_model() {
  ModelConfig config;
  config.vocabulary_size = 23;
  config.hidden_size = 8;
  config.layers = 2;
  config.intermediate_size = 12;
  config.max_positions = 16;
  config.dropout = 0.2;
  config.attention.heads = 2;
  config.attention.landmarks = 3;
  config.attention.taps = 3;
  return config;
}

/// Sequences of the given lengths. The content of a sequence depends only on its sample number.
struct TextBatch {
  std::vector<std::int32_t> ids, types, offsets{0}, lengths, rows, labels, order;
  std::vector<std::int64_t> samples;

  /// `rows_each` above 0: rows are padded to that many (padding: huggingface).
  TextBatch(std::span<const std::int32_t> sequence_lengths, std::int64_t first_sample,
            std::int32_t rows_each = 0) {
    for (const std::int32_t length : sequence_lengths) {
      const std::int64_t sample = first_sample + static_cast<std::int64_t>(lengths.size());
      Random random(1, Purpose::kTest, static_cast<std::uint64_t>(sample));
      for (std::int32_t t = 0; t < std::max(length, rows_each); ++t) {
        const bool real = t < length;
        if (real && t % 3 == 1) {
          rows.push_back(static_cast<std::int32_t>(ids.size()));
          labels.push_back(static_cast<std::int32_t>(random.below(23)));
        }
        ids.push_back(real ? static_cast<std::int32_t>(2 + random.below(21)) : 1);
        types.push_back(real && 2 * t >= length ? 1 : 0);
      }
      lengths.push_back(length);
      offsets.push_back(static_cast<std::int32_t>(ids.size()));
      samples.push_back(sample);
      order.push_back(sample % 3 == 2 ? -1 : static_cast<std::int32_t>(sample % 2));
    }
  }

  [[nodiscard]] BatchArrays arrays() const {
    return {.input_ids = ids,
            .token_type_ids = types,
            .offsets = offsets,
            .lengths = lengths,
            .samples = samples,
            .label_rows = rows,
            .token_labels = labels,
            .sequence_labels = order};
  }
};

inline constexpr BatchLimits kSmallLimits{.sequences = 4, .tokens = 48, .longest = 16, .labels = 48};

/// A planned network with weights far from the linear range, and what runs it.
struct SmallNetwork {
  Context context;
  Network network;
  BatchBuffer buffer;
  Batch batch;
  Pass pass{.training = true, .seed = 11};
  LossScales scales{0.3, 0.7};

  explicit SmallNetwork(const ModelConfig& config, DType precision = DType::kF64, bool recompute = false,
                        HeadKind head = HeadKind::kPretraining, int threads = 1)
      : context(threads), network(config, head, precision, true), buffer(kSmallLimits) {
    network.initialize(5);
    dispatch_float(network.parameters().weights().dtype, [&]<class T>(T) {
      if constexpr (!std::is_same_v<T, BF16>)
        for (T& w : network.parameters().weights().span<T>()) w *= T(10);
    });
    network.parameters().refresh_copy();
    network.plan(kSmallLimits, context.threads(), recompute);
  }

  /// The scaled sum of the losses; the batch must have been uploaded.
  double loss() {
    network.head().reset_sums(context);
    network.forward(context, batch, pass, scales);
    const auto sums = network.head().sums().span<double>();
    return scales[0] * sums[0] + (network.head().losses().size() > 1 ? scales[1] * sums[3] : 0);
  }
  void upload(const TextBatch& text) { batch = buffer.upload(text.arrays()); }
  /// Adds the batch's gradients.
  double step() {
    const double value = loss();
    network.backward(context, batch, pass, scales);
    return value;
  }
};

}  // namespace nystrom::testing
