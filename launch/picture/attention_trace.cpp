#include "launch/picture/attention_trace.h"

#include <algorithm>
#include <cmath>

#include "kernels/core/check.h"
#include "model/compute_session.h"

namespace nystrom {
namespace {

std::vector<double> numbers_of(const Tensor& tensor) {
  std::vector<double> numbers;
  dispatch_float(tensor.dtype, [&]<class T>(T) {
    for (const T x : tensor.span<const T>()) numbers.push_back(static_cast<double>(x));
  });
  return numbers;
}

/// Parameters of the attention of one layer, by name.
class LayerWeights {
 public:
  LayerWeights(const ParameterStore& store, std::int64_t layer)
      : store_(store), at_(fmt::format("nystromformer.encoder.layer.{}.attention.", layer)) {}

  [[nodiscard]] std::vector<double> numbers(const std::string& name) const {
    const Parameter* found = store_.find(at_ + name);
    NYSTROM_CHECK(found != nullptr, "no parameter {}{}", at_, name);
    return numbers_of(store_.weights().rows(found->offset, found->numel()));
  }

 private:
  const ParameterStore& store_;
  std::string at_;
};

/// Rows of x [n, C] normalized, as LayerNorm does.
void normalize(std::vector<double>& x, const LayerWeights& weights, double epsilon) {
  const std::vector<double> gamma = weights.numbers("output.LayerNorm.weight"),
                            beta = weights.numbers("output.LayerNorm.bias");
  const std::size_t c = gamma.size();
  for (std::size_t row = 0; row < x.size(); row += c) {
    double mean = 0, square = 0;
    for (std::size_t k = 0; k < c; ++k) mean += x[row + k] / static_cast<double>(c);
    for (std::size_t k = 0; k < c; ++k)
      square += (x[row + k] - mean) * (x[row + k] - mean) / static_cast<double>(c);
    const double scale = 1 / std::sqrt(square + epsilon);
    for (std::size_t k = 0; k < c; ++k) x[row + k] = (x[row + k] - mean) * scale * gamma[k] + beta[k];
  }
}

/// x W^T + b by head: [heads] of [n, D].
std::vector<Matrix> projected(const std::vector<double>& x, const LayerWeights& weights,
                              const std::string& name, const ModelConfig& model) {
  const std::vector<double> w = weights.numbers("self." + name + ".weight"),
                            b = weights.numbers("self." + name + ".bias");
  const auto c = static_cast<std::size_t>(model.hidden_size);
  const auto n = static_cast<std::int64_t>(x.size() / c);
  std::vector<Matrix> heads;
  for (std::int64_t h = 0; h < model.attention.heads; ++h) {
    Matrix& head = heads.emplace_back(n, model.head_size());
    for (std::int64_t d = 0; d < head.columns; ++d) {
      const auto out = static_cast<std::size_t>(h * head.columns + d);
      for (std::int64_t t = 0; t < n; ++t) {
        double sum = b[out];
        for (std::size_t k = 0; k < c; ++k) sum += x[static_cast<std::size_t>(t) * c + k] * w[out * c + k];
        head.at(t, d) = sum;
      }
    }
  }
  return heads;
}

/// Rotary positions: channels i and i + D / 2 are a pair (kernels/rotary.h).
void turn(Matrix& x) {
  const std::int64_t half = x.columns / 2;
  for (std::int64_t t = 0; t < x.rows; ++t)
    for (std::int64_t i = 0; i < half; ++i) {
      const double angle = static_cast<double>(t) /
                           std::pow(10000.0, static_cast<double>(2 * i) / static_cast<double>(x.columns));
      const double a = x.at(t, i), b = x.at(t, i + half);
      x.at(t, i) = a * std::cos(angle) - b * std::sin(angle);
      x.at(t, i + half) = b * std::cos(angle) + a * std::sin(angle);
    }
}

std::vector<HeadInput> heads_of(ComputeSession& session, std::size_t layer, std::int64_t tokens) {
  const ModelConfig& model = session.network.config();
  const LayerWeights weights(session.network.parameters(), static_cast<std::int64_t>(layer));
  std::vector<double> x = numbers_of(session.network.encoder().hidden_state(layer, tokens));
  if (model.network.norm == NormPlacement::kPre) normalize(x, weights, model.layer_norm_epsilon);
  std::vector<Matrix> q = projected(x, weights, "query", model), k = projected(x, weights, "key", model),
                      v = projected(x, weights, "value", model);
  std::vector<HeadInput> heads;
  for (std::size_t h = 0; h < q.size(); ++h) {
    if (model.network.positions == Positions::kRotary) turn(q[h]), turn(k[h]);
    heads.push_back({std::move(q[h]), std::move(k[h]), std::move(v[h])});
  }
  return heads;
}

std::vector<std::int32_t> ids_of(const Tokenizer& tokenizer, const std::string& text,
                                 const ModelSource& source) {
  std::vector<std::int32_t> ids{tokenizer.special().bos};
  for (const std::int32_t id : tokenizer.encode_marked(text)) ids.push_back(id);
  ids.push_back(tokenizer.special().eos);
  const std::int64_t most = std::min(kMaxTokensDrawn, source.config().max_positions);
  if (ids.size() == 2) refuse("inspect: `--attention` has no text.");
  if (std::ssize(ids) > most)
    refuse("inspect: the text of `--attention` has {} tokens; at most {} are drawn.", ids.size(), most);
  return ids;
}

}  // namespace

AttentionTrace trace_attention(const ModelSource& source, const std::string& text, Stage& stage) {
  const ModelConfig& model = source.config();
  if (const std::string& kind = model.attention.kind; kind != "nystrom" && kind != "softmax")
    refuse("{} has attention of kind `{}`; `--attention` draws `nystrom` and `softmax`.", source.path(),
           kind);
  const Tokenizer tokenizer = source.tokenizer();
  if (tokenizer.empty())
    refuse("{} has no tokenizer, which `--attention` needs for the text.", source.path());
  const std::vector<std::int32_t> ids = ids_of(tokenizer, text, source);
  const std::int64_t n = std::ssize(ids);

  ComputeSession session(Device(), Context().host_threads(), {.model = model, .head = source.head()});
  AttentionTrace trace{.pieces = {}, .heads = {}};
  trace.notes = source.load(session.network);
  session.plan({.sequences = 1, .tokens = n, .longest = n, .labels = 1});
  const std::vector<std::int32_t> types(ids.size()), offsets{0, static_cast<std::int32_t>(n)},
      lengths{static_cast<std::int32_t>(n)};
  const std::vector<std::int64_t> samples{0};
  const Batch& batch = session.upload({.input_ids = ids,
                                       .token_type_ids = types,
                                       .offsets = offsets,
                                       .lengths = lengths,
                                       .samples = samples,
                                       .label_rows = {},
                                       .token_labels = {}});
  (void)session.network.encoder().forward(session.context, batch, {.training = false, .seed = 0});
  for (const std::int32_t id : ids) trace.pieces.push_back(tokenizer.piece(id));
  for (std::size_t layer = 0; layer < static_cast<std::size_t>(model.layers); ++layer) {
    trace.heads.push_back(heads_of(session, layer, n));
    stage.advance();
  }
  return trace;
}

}  // namespace nystrom
