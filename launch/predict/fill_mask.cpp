#include "launch/predict/fill_mask.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>

#include "data/text/utf8.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

constexpr std::int64_t kMaxSequences = 64;
constexpr std::int64_t kMaxTokens = 4096;  // of a batch, unless one line has more
constexpr std::int64_t kMaxMasks = 128;    // whose logits are held at once

BatchLimits limits_of(const ModelConfig& config) {
  return {.sequences = kMaxSequences,
          .tokens = std::max(kMaxTokens, config.max_positions),
          .longest = config.max_positions,
          .labels = kMaxMasks};
}

HeadConfig usable_head(const ModelSource& source, bool fills_masks) {
  const HeadConfig head = source.head();
  if (fills_masks && !is_language_model(head.kind))
    refuse(
        "{} has the head {}, which cannot fill masks; name a pretrained model, or use `--task embeddings`.",
        source.path(), entry_of(head.kind).name);
  return head;
}

/// The mask may be spelled as this tokenizer spells it, or in either usual way.
void unify_masks(std::string& line, const std::string& mask) {
  for (const std::string_view spelling : {"<mask>", "[MASK]"}) {
    if (spelling == mask) continue;
    for (std::size_t at = line.find(spelling); at != std::string::npos;
         at = line.find(spelling, at + mask.size()))
      line.replace(at, spelling.size(), mask);
  }
}

std::vector<Guess> best_of(std::span<const float> logits, std::int64_t top) {
  std::vector<std::int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto end = order.begin() + std::min<std::ptrdiff_t>(top, static_cast<std::ptrdiff_t>(order.size()));
  std::partial_sort(order.begin(), end, order.end(), [&](std::int32_t a, std::int32_t b) {
    const float x = logits[static_cast<std::size_t>(a)], y = logits[static_cast<std::size_t>(b)];
    return x != y ? x > y : a < b;
  });
  const double largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  std::vector<Guess> guesses;
  for (auto id = order.begin(); id != end; ++id)
    guesses.push_back({*id, std::exp(logits[static_cast<std::size_t>(*id)] - largest) / sum});
  return guesses;
}

/// Lines of like length make batches that take like time; the order of answers is that of the lines.
template <class Encoded>
std::vector<std::size_t> longest_first(const std::vector<Encoded>& lines) {
  std::vector<std::size_t> order(lines.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(
      order, [&](std::size_t a, std::size_t b) { return lines[a].ids.size() > lines[b].ids.size(); });
  return order;
}

void take_mean(std::span<const float> states, std::span<float> to) {
  const auto tokens = static_cast<float>(states.size() / to.size());
  for (std::size_t at = 0; at < states.size(); ++at) to[at % to.size()] += states[at] / tokens;
}

void take_maximum(std::span<const float> states, std::span<float> to) {
  std::ranges::copy(states.first(to.size()), to.begin());
  for (std::size_t at = 0; at < states.size(); ++at)
    to[at % to.size()] = std::max(to[at % to.size()], states[at]);
}

void scale_to_unit(std::span<float> vector) {
  double squares = 0;
  for (const float x : vector) squares += static_cast<double>(x) * static_cast<double>(x);
  if (squares == 0) return;
  for (float& x : vector) x = static_cast<float>(static_cast<double>(x) / std::sqrt(squares));
}

/// Of hidden states [T, C] within the host's reach.
std::vector<float> vector_of(const Tensor& hidden, const EmbeddingForm& form) {
  std::vector<float> states(static_cast<std::size_t>(hidden.numel()));
  dispatch_float(hidden.dtype, [&]<class T>(T) {
    std::ranges::transform(hidden.span<const T>(), states.begin(), [](T x) { return static_cast<float>(x); });
  });
  std::vector<float> vector(static_cast<std::size_t>(hidden.dim(1)));
  if (form.pooling == Pooling::kFirst)
    std::copy_n(states.begin(), vector.size(), vector.begin());
  else
    (form.pooling == Pooling::kMean ? take_mean : take_maximum)(states, vector);
  if (form.size > 0) vector.resize(static_cast<std::size_t>(form.size));
  if (form.normalize) scale_to_unit(vector);
  return vector;
}

}  // namespace

LinePredictor::LinePredictor(const ModelSource& source, Tokenizer tokenizer, bool fills_masks, int threads,
                             DType precision, Device device)
    : tokenizer_(std::move(tokenizer)),
      session_(std::move(device), threads > 0 ? threads : Context().host_threads(),
               {.model = source.config(), .head = usable_head(source, fills_masks), .precision = precision}),
      notes_(source.load(session_.network)),
      rows_(DType::kI32, {kMaxMasks}, session_.context.memory()),
      logits_(DType::kF32, {kMaxMasks, source.config().vocabulary_size}, session_.context.memory()) {
  if (tokenizer_.vocabulary_size() > source.config().vocabulary_size)
    refuse("The tokenizer has {} tokens, but the model of {} embeds {}: they do not belong together.",
           tokenizer_.vocabulary_size(), source.path(), source.config().vocabulary_size);
  session_.plan(limits_of(source.config()));
}

std::string LinePredictor::text_of(std::int32_t id) const {
  if (id >= tokenizer_.vocabulary_size()) return fmt::format("#{}", id);  // an embedding without a token
  const std::string text = tokenizer_.is_special(id) ? std::string{} : tokenizer_.decode({&id, 1});
  return text.empty() ? tokenizer_.piece(id) : text;
}

LinePredictor::Encoded LinePredictor::encode(std::string line) const {
  Repairs ignored;
  line = repair_utf8(std::move(line), ignored);
  const SpecialIds& special = tokenizer_.special();
  unify_masks(line, tokenizer_.piece(special.mask));
  Encoded encoded{{special.bos}, false};
  const std::vector<std::int32_t> ids = tokenizer_.encode_marked(line);
  encoded.ids.insert(encoded.ids.end(), ids.begin(), ids.end());
  const auto max_ids = static_cast<std::size_t>(session_.limits.longest - 1);
  encoded.truncated = encoded.ids.size() > max_ids;
  if (encoded.truncated) encoded.ids.resize(max_ids);
  encoded.ids.push_back(special.eos);
  return encoded;
}

std::size_t LinePredictor::run_batch(const std::vector<Encoded>& lines, std::span<const std::size_t> order) {
  std::vector<std::int32_t> ids, lengths;
  std::vector<std::int64_t> samples;
  offsets_.assign(1, 0);
  for (const std::size_t index : order) {
    const auto& line = lines[index].ids;
    if (lengths.size() == static_cast<std::size_t>(session_.limits.sequences)) break;
    if (!ids.empty() && ids.size() + line.size() > static_cast<std::size_t>(session_.limits.tokens)) break;
    ids.insert(ids.end(), line.begin(), line.end());
    lengths.push_back(static_cast<std::int32_t>(line.size()));
    offsets_.push_back(static_cast<std::int32_t>(ids.size()));
    samples.push_back(static_cast<std::int64_t>(samples.size()));
  }
  const std::vector<std::int32_t> types(ids.size(), 0);
  const Batch& batch = session_.upload({.input_ids = ids,
                                        .token_type_ids = types,
                                        .offsets = offsets_,
                                        .lengths = lengths,
                                        .samples = samples,
                                        .label_rows = {},
                                        .token_labels = {}});
  hidden_ = session_.network.encoder().forward(session_.context, batch, {.training = false, .seed = 0});
  return lengths.size();
}

void LinePredictor::guess(const std::vector<std::int32_t>& rows, std::int64_t top,
                          std::vector<std::vector<Guess>>& guesses) {
  for (std::size_t begin = 0; begin < rows.size(); begin += kMaxMasks) {
    const auto count = static_cast<std::int64_t>(std::min<std::size_t>(kMaxMasks, rows.size() - begin));
    const Tensor part = rows_.view().first(count), logits = logits_.view().first(count);
    session_.context.memory().write(part.address, rows.data() + begin, part.bytes());
    session_.network.pretraining_head().token_logits(session_.context, hidden_, part, logits);
    const HostValues values(logits, session_.context.memory());
    for (std::int64_t i = 0; i < count; ++i)
      guesses.push_back(best_of(values.view().rows(i, 1).span<const float>(), top));
  }
}

std::vector<FilledLine> LinePredictor::fill(const std::vector<std::string>& lines, std::int64_t top) {
  std::vector<Encoded> encoded;
  for (const std::string& line : lines) encoded.push_back(encode(line));
  std::vector<FilledLine> filled(lines.size());
  const std::vector<std::size_t> order = longest_first(encoded);
  for (std::span<const std::size_t> left = order; !left.empty();) {
    const std::size_t count = run_batch(encoded, left);
    for (std::size_t i = 0; i < count; ++i) {
      const auto& ids = encoded[left[i]].ids;
      std::vector<std::int32_t> rows;
      for (std::size_t t = 0; t < ids.size(); ++t)
        if (ids[t] == tokenizer_.special().mask) rows.push_back(offsets_[i] + static_cast<std::int32_t>(t));
      guess(rows, top, filled[left[i]].masks);
      filled[left[i]].truncated = encoded[left[i]].truncated;
    }
    left = left.subspan(count);
  }
  return filled;
}

std::vector<LinePredictor::Embedded> LinePredictor::embed(const std::vector<std::string>& lines,
                                                          const EmbeddingForm& form) {
  std::vector<Encoded> encoded;
  for (const std::string& line : lines) encoded.push_back(encode(line));
  std::vector<Embedded> embedded(lines.size());
  const std::vector<std::size_t> order = longest_first(encoded);
  for (std::span<const std::size_t> left = order; !left.empty();) {
    const std::size_t count = run_batch(encoded, left);
    const HostValues hidden(hidden_, session_.context.memory());
    for (std::size_t i = 0; i < count; ++i) {
      embedded[left[i]].values =
          vector_of(hidden.view().rows(offsets_[i], offsets_[i + 1] - offsets_[i]), form);
      embedded[left[i]].truncated = encoded[left[i]].truncated;
    }
    left = left.subspan(count);
  }
  return embedded;
}

}  // namespace nystrom
