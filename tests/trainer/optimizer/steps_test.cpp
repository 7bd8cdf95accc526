// Steps of every optimizer in fp64, against the formulas of docs/training.md written down plainly; layer
// decay and groups by patterns.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "kernels/core/philox.h"
#include "trainer/optimizer/optimizer.h"
#include "trainer/optimizer/tensor_rates.h"

namespace nystrom {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kLayer = "nystromformer.encoder.layer.0.", kSelf = kLayer + "attention.self.";
const std::string kWords = "nystromformer.embeddings.word_embeddings.weight";

/// A network's parameters in small, in fp64, drawn at random; q, k and v are together, of sizes that no
/// vector divides.
struct DrawnParameters {
  DrawnParameters() {
    (void)store.add(kWords, {5, 3}, Init::kNormal);
    (void)store.add_group({kSelf + "query.weight", kSelf + "key.weight", kSelf + "value.weight"}, {3, 3},
                          Init::kNormal);
    (void)store.add_group({kSelf + "query.bias", kSelf + "key.bias", kSelf + "value.bias"}, {3},
                          Init::kNormal);
    (void)store.add(kSelf + "conv.weight", {2, 1, 3, 1}, Init::kNormal);
    (void)store.add(kLayer + "intermediate.dense.weight", {7, 3}, Init::kNormal);
    (void)store.add(kLayer + "output.dense.weight", {3, 7}, Init::kNormal);
    (void)store.add("nystromformer.encoder.layer.1.output.dense.weight", {3, 7}, Init::kNormal);
    (void)store.add("cls.predictions.bias", {5}, Init::kZero);
    store.allocate(true);
    store.initialize(1, 0.5, store.count(), 0);
  }

  /// Some tensors' gradients grow suddenly, so that second moments lag behind.
  void draw_gradients(std::int64_t step) const {
    Random random(9, Purpose::kTest, static_cast<std::uint64_t>(step));
    for (ParameterId id = 0; id < store.count(); ++id)
      for (double& g : store.gradient(id).span<double>())
        g = random.normal() * (id % 2 == 0 ? 1 : std::pow(3.0, static_cast<double>(step)));
  }

  ParameterStore store{DType::kF64};
  Context context{2};
};

using Values = std::vector<double>;

/// One tensor, as the formulas have it.
struct Plain {
  Values w, m, v, b;
  std::int64_t rows = 1, columns = 1;
  double rate = 1, decay = 0;
  bool matrix = false, of_block = false;  // of two or more dimensions; a matrix that Muon takes
};

struct Step {
  const OptimizerOptions& o;
  double s;      // counted from 1
  double share;  // of the schedule
};

double norm(const Values& x) {
  double sum = 0;
  for (const double value : x) sum += value * value;
  return std::sqrt(sum);
}

/// m^ / (sqrt(v^) + epsilon), after moving m and v; `hat` takes v^.
Values adam(const Step& at, const Values& g, Plain& t, Values& hat) {
  Values u;
  for (std::size_t i = 0; i < g.size(); ++i) {
    t.m[i] = at.o.beta1 * t.m[i] + (1 - at.o.beta1) * g[i];
    t.v[i] = at.o.beta2 * t.v[i] + (1 - at.o.beta2) * g[i] * g[i];
    hat.push_back(t.v[i] / (1 - std::pow(at.o.beta2, at.s)));
    u.push_back(t.m[i] / (1 - std::pow(at.o.beta1, at.s)) / (std::sqrt(hat.back()) + at.o.epsilon));
  }
  return u;
}

void move(Plain& t, double rate, const Values& u) {
  for (std::size_t i = 0; i < u.size(); ++i) t.w[i] -= rate * (t.decay * t.w[i] + u[i]);
}

void adamw(const Step& at, const Values& g, Plain& t) {
  Values hat;
  const Values u = adam(at, g, t, hat);
  move(t, at.o.learning_rate * at.share * t.rate, u);
}

void stable_adamw(const Step& at, const Values& g, Plain& t) {
  Values hat;
  const Values u = adam(at, g, t, hat);
  double mean = 0;
  for (std::size_t i = 0; i < g.size(); ++i)
    mean += g[i] * g[i] / std::max(hat[i], at.o.epsilon * at.o.epsilon) / static_cast<double>(g.size());
  move(t, at.o.learning_rate * at.share * t.rate / std::max(1.0, std::sqrt(mean)), u);
}

void lamb(const Step& at, const Values& g, Plain& t) {
  Values hat, r = adam(at, g, t, hat);
  for (std::size_t i = 0; i < r.size(); ++i) r[i] += t.decay * t.w[i];
  const bool adapts = (t.matrix || at.o.all_tensors) && norm(t.w) > 0 && norm(r) > 0;
  const double rate = at.o.learning_rate * at.share * t.rate * (adapts ? norm(t.w) / norm(r) : 1);
  for (std::size_t i = 0; i < r.size(); ++i) t.w[i] -= rate * r[i];
}

/// x (x^T x) or, as it comes to the same, (x x^T) x.
Values cube(const Values& x, const Values& y, std::int64_t rows, std::int64_t columns) {
  Values out(x.size());
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < rows; ++j) {
      double dot = 0;
      for (std::int64_t c = 0; c < columns; ++c)
        dot += x[static_cast<std::size_t>(i * columns + c)] * x[static_cast<std::size_t>(j * columns + c)];
      for (std::int64_t c = 0; c < columns; ++c)
        out[static_cast<std::size_t>(i * columns + c)] += dot * y[static_cast<std::size_t>(j * columns + c)];
    }
  return out;
}

void muon(const Step& at, const Values& g, Plain& t) {
  if (!t.of_block) {
    OptimizerOptions others = at.o;
    others.learning_rate = at.o.adamw_learning_rate;
    return adamw({others, at.s, at.share}, g, t);
  }
  const double mu = at.o.momentum;
  Values x;
  for (std::size_t i = 0; i < g.size(); ++i) {
    t.b[i] = mu * t.b[i] + (1 - mu) * g[i];
    x.push_back(at.o.nesterov ? (1 - mu) * g[i] + mu * t.b[i] : t.b[i]);
  }
  const double length = std::max(norm(x), 1e-7);
  for (double& value : x) value /= length;
  for (std::int64_t step = 0; step < at.o.newton_schulz_steps; ++step) {
    const Values ax = cube(x, x, t.rows, t.columns), aax = cube(x, ax, t.rows, t.columns);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = 3.4445 * x[i] - 4.7750 * ax[i] + 2.0315 * aax[i];
  }
  const auto rows = static_cast<double>(t.rows), columns = static_cast<double>(t.columns);
  const double c = at.o.scale == MuonScale::kOriginal ? std::sqrt(std::max(1.0, rows / columns))
                                                      : 0.2 * std::sqrt(std::max(rows, columns));
  const double rate = at.o.learning_rate * at.share * t.rate;
  for (std::size_t i = 0; i < x.size(); ++i) t.w[i] -= rate * (t.decay * t.w[i] + c * x[i]);
}

Plain plain(const ParameterStore& store, ParameterId id, const OptimizerOptions& o) {
  const auto values = store.weight(id).span<double>();
  const Values zero(values.size());
  const Shape& shape = store[id].shape;
  Plain t{.w = {values.begin(), values.end()}, .m = zero, .v = zero, .b = zero};
  t.matrix = shape.rank() > 1;
  t.of_block = shape.rank() == 2 && store[id].name.starts_with("nystromformer.encoder.layer.");
  t.rows = shape[0];
  t.columns = shape.numel() / shape[0];
  t.decay = t.matrix || o.all_tensors ? o.weight_decay : 0;
  return t;
}

using Rule = std::function<void(const Step&, const Values&, Plain&)>;

/// Five steps of both, with `prepare(store, tensors)` first; every weight, every step.
void expect_formula(const OptimizerOptions& o, const Rule& rule,
                    const std::function<void(const ParameterStore&, std::vector<Plain>&)>& prepare = {}) {
  DrawnParameters p;
  std::vector<Plain> tensors;
  for (ParameterId id = 0; id < p.store.count(); ++id) tensors.push_back(plain(p.store, id, o));
  if (prepare) prepare(p.store, tensors);
  const auto optimizer = make_optimizer(o, p.store);
  for (std::int64_t step = 1; step <= 5; ++step) {
    p.draw_gradients(step);
    const double share = 1.0 / static_cast<double>(step), clip = 0.7;
    optimizer->step(p.context, {.share = share}, clip);
    for (ParameterId id = 0; id < p.store.count(); ++id) {
      Values g;
      for (const double value : p.store.gradient(id).span<double>()) g.push_back(clip * value);
      rule({o, static_cast<double>(step), share}, g, tensors[id]);
      const auto ours = p.store.weight(id).span<double>();
      for (std::size_t i = 0; i < g.size(); ++i)
        ASSERT_NEAR(ours[i], tensors[id].w[i], 1e-11) << p.store[id].name << ", step " << step;
    }
  }
}

OptimizerOptions options(const char* kind) {
  return {.kind = kind,
          .learning_rate = 0.05,
          .beta1 = 0.8,
          .beta2 = 0.95,
          .epsilon = 1e-3,
          .weight_decay = 0.2,
          .adamw_learning_rate = 0.01};
}

TEST(OptimizerSteps, of_adamw_follow_the_formula) {
  expect_formula(options("adamw"), adamw);
}

TEST(OptimizerSteps, of_stable_adamw_follow_the_formula) {
  expect_formula(options("stable_adamw"), stable_adamw);
}

TEST(OptimizerSteps, of_lamb_follow_the_formula) {
  OptimizerOptions o = options("lamb");
  expect_formula(o, lamb);
  o.all_tensors = true;
  expect_formula(o, lamb);
}

TEST(OptimizerSteps, of_muon_follow_the_formula) {
  OptimizerOptions o = options("muon");
  expect_formula(o, muon);
  o.nesterov = false;
  o.momentum = 0.5;
  o.newton_schulz_steps = 3;
  o.scale = MuonScale::kMatchRmsAdamW;
  expect_formula(o, muon);
}

const std::map<std::string, Rule>& rules() {
  static const std::map<std::string, Rule> all{
      {"adamw", adamw}, {"stable_adamw", stable_adamw}, {"lamb", lamb}, {"muon", muon}};
  return all;
}

TEST(OptimizerSteps, take_layer_decay_and_groups_whatever_the_kind) {
  for (const OptimizerKind& kind : optimizer_kinds()) {
    OptimizerOptions o = options(std::string(kind.name).c_str());
    o.layer_decay = 0.5;
    o.groups = {{.match = "*.key.*", .rate = 0.1},
                {.match = "*.bias", .weight_decay = 0.3},
                {.match = "*.key.bias", .rate = 7, .weight_decay = 8},  // the entries before it decide
                {.match = kWords, .weight_decay = 0}};
    const auto prepare = [](const ParameterStore& store, std::vector<Plain>& tensors) {
      for (ParameterId id = 0; id < store.count(); ++id) {
        const std::string& name = store[id].name;
        if (name == kWords) tensors[id].rate = 0.125, tensors[id].decay = 0;
        if (name.starts_with("nystromformer.encoder.layer.0.")) tensors[id].rate = 0.25;
        if (name.starts_with("nystromformer.encoder.layer.1.")) tensors[id].rate = 0.5;
        if (name.find(".key.") != std::string::npos) tensors[id].rate *= 0.1;
        if (name.ends_with(".bias")) tensors[id].decay = 0.3;
      }
    };
    expect_formula(o, rules().at(o.kind), prepare);
  }
}

TEST(OptimizerSteps, have_the_same_bits_for_any_thread_count) {
  for (const OptimizerKind& kind : optimizer_kinds()) {
    const auto train = [&](int threads) {
      ParameterStore store{DType::kF32};
      (void)store.add(kLayer + "output.dense.weight", {200, 300}, Init::kNormal);
      (void)store.add(kLayer + "output.dense.bias", {200}, Init::kNormal);
      (void)store.add(kWords, {300, 200}, Init::kNormal);
      store.allocate(true);
      store.initialize(1, 0.5, store.count(), 0);
      Context context(threads);
      const auto optimizer = make_optimizer({.kind = std::string(kind.name), .ema_decay = 0.9}, store);
      for (int step = 0; step < 3; ++step) {
        const auto g = store.gradients().span<float>(), w = store.weights().span<float>();
        for (std::size_t i = 0; i < g.size(); ++i)
          g[i] = w[i] * static_cast<float>(static_cast<int>(i) % 5 - 2);
        optimizer->step(context, {}, 1.0);
      }
      std::vector<float> all;
      const auto keep = [&](const Tensor& x) {
        all.insert(all.end(), x.span<float>().begin(), x.span<float>().end());
      };
      keep(store.weights());
      for (const OptimizerState& state : optimizer->states()) keep(state.values);
      return all;
    };
    EXPECT_EQ(train(1), train(3)) << kind.name;
  }
}

TEST(OptimizerSteps, a_cycled_beta1_takes_the_place_of_the_fixed_one) {
  for (const OptimizerKind& kind : optimizer_kinds()) {
    DrawnParameters a, b;
    OptimizerOptions o = options(std::string(kind.name).c_str());
    const auto cycled = make_optimizer(o, a.store);
    o.beta1 = 0.6;
    const auto fixed = make_optimizer(o, b.store);
    a.draw_gradients(1);
    b.draw_gradients(1);
    cycled->step(a.context, {.share = 1, .beta1 = 0.6}, 1.0);
    fixed->step(b.context, {}, 1.0);
    EXPECT_TRUE(std::ranges::equal(a.store.weights().span<double>(), b.store.weights().span<double>()))
        << kind.name;
  }
}

TEST(OptimizerGroups, a_pattern_that_matches_nothing_is_refused) {
  DrawnParameters p;
  try {
    (void)make_optimizer({.groups = {{.match = "*.biass", .rate = 0.1}}}, p.store);
    FAIL() << "was accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("`optimizer.groups`"), HasSubstr("*.biass matches no tensor")));
  }
}

TEST(AveragedWeights, follow_the_weights_by_their_share) {
  DrawnParameters p;
  const double d = 0.75;
  Values expected;
  for (const double w : p.store.weights().span<double>()) expected.push_back(w);
  const auto optimizer = make_optimizer({.learning_rate = 0.1, .ema_decay = d}, p.store);
  EXPECT_FALSE(optimizer->has_average());
  for (std::int64_t step = 1; step <= 4; ++step) {
    p.draw_gradients(step);
    optimizer->step(p.context, {}, 1.0);
    const auto w = p.store.weights().span<double>();
    for (std::size_t i = 0; i < w.size(); ++i) expected[i] = d * expected[i] + (1 - d) * w[i];
  }
  const auto states = optimizer->states();
  ASSERT_EQ(states.back().name, "ema");
  const auto ours = states.back().values.span<double>();
  for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(ours[i], expected[i], 1e-14);
}

TEST(AveragedWeights, change_places_with_the_weights_and_back) {
  DrawnParameters p;
  const auto optimizer = make_optimizer({.learning_rate = 0.1, .ema_decay = 0.5}, p.store);
  p.draw_gradients(1);
  optimizer->step(p.context, {}, 1.0);
  const auto copy = [](const Tensor& x) { return Values(x.span<double>().begin(), x.span<double>().end()); };
  const Values weights = copy(p.store.weights()), average = copy(optimizer->states().back().values);
  EXPECT_NE(weights, average);
  optimizer->swap_average(p.context);
  EXPECT_EQ(copy(p.store.weights()), average);
  optimizer->swap_average(p.context);
  EXPECT_EQ(copy(p.store.weights()), weights);
  EXPECT_EQ(copy(optimizer->states().back().values), average);
}

}  // namespace
}  // namespace nystrom
