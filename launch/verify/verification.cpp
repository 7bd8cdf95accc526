#include "launch/verify/verification.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "data/hdf5/child_check.h"
#include "data/hdf5/foreign_file.h"
#include "kernels/core/check.h"
#include "launch/models/model_source.h"
#include "launch/verify/case_run.h"
#include "launch/verify/reference_case.h"

namespace nystrom {
namespace {

/// Rows of a [.., width] reference for the packed tokens, counted from `first_row`.
Values packed_rows(const Values& all, const std::vector<std::int64_t>& source, std::size_t width,
                   std::size_t first_row) {
  Values rows;
  rows.reserve(source.size() * width);
  for (const std::int64_t row : source) {
    const auto begin =
        all.begin() + static_cast<std::ptrdiff_t>((first_row + static_cast<std::size_t>(row)) * width);
    rows.insert(rows.end(), begin, begin + static_cast<std::ptrdiff_t>(width));
  }
  return rows;
}

/// Our values of a reference output, and the layout of the reference: planes of [B, T, width] for values per
/// token, else the same as ours.
struct Computed {
  Values values;
  std::size_t token_planes = 0;
};

/// Distances of outputs from the reference, or from another run of the case.
class OutputDistances {
 public:
  OutputDistances(CaseRun& run, const ReferenceCase& reference, CaseRun* other)
      : run_(run), other_(other), reference_(reference), outputs_(reference.path, "outputs") {}

  Distance of(const std::string& name) {
    const Computed ours = computed(run_, name);
    const Values theirs = other_ != nullptr ? computed(*other_, name).values : expected(name, ours);
    return {name, quotient(difference(ours.values, theirs), norm_of(theirs)), 0};
  }
  [[nodiscard]] const std::vector<std::string>& names() const { return outputs_.names(); }

 private:
  Computed computed(CaseRun& run, const std::string& name) const {
    if (name == "loss") return {{total_loss(run)}};
    for (std::size_t i = 0; i < run.loss_count(); ++i)
      if (name == run.loss_name(i)) return {{run.loss(i)}};
    if (name == "hidden_states")
      return {run.hidden_states(), static_cast<std::size_t>(run.network().config().layers) + 1};
    const auto outputs = entry_of(reference_.head.kind).case_outputs;
    const auto output = std::ranges::find(outputs, name, &HeadOutput::name);
    if (output == outputs.end()) refuse("{}: the model's head has no output {}.", reference_.path, name);
    return {logits_of(run, *output), output->per_token ? 1U : 0U};
  }

  [[nodiscard]] static double total_loss(const CaseRun& run) {
    double sum = 0;
    for (std::size_t i = 0; i < run.loss_count(); ++i) sum += run.loss(i);
    return sum;
  }
  [[nodiscard]] static Values logits_of(CaseRun& run, const HeadOutput& output) {
    if (output.source == HeadOutput::Source::kTokenLogits) return run.token_logits();
    if (output.source == HeadOutput::Source::kOrderLogits) return run.order_logits();
    const Values all = run.head_logits();
    if (output.column < 0) return all;
    Values column;
    for (auto i = static_cast<std::size_t>(output.column); i < all.size(); i += 2) column.push_back(all[i]);
    return column;
  }

  /// Reference values in our order: without padding, for outputs per token.
  Values expected(const std::string& name, const Computed& ours) {
    if (ours.token_planes == 0) return outputs_.read(name, static_cast<std::int64_t>(ours.values.size()));
    const auto& source = run_.packed().source;
    const auto grid = static_cast<std::size_t>(reference_.sequences * reference_.length);
    const std::size_t width = ours.values.size() / ours.token_planes / source.size();
    const Values all = outputs_.read(name, static_cast<std::int64_t>(ours.token_planes * grid * width));
    Values rows;
    for (std::size_t plane = 0; plane < ours.token_planes; ++plane) {
      const Values part = packed_rows(all, source, width, plane * grid);
      rows.insert(rows.end(), part.begin(), part.end());
    }
    return rows;
  }

  CaseRun& run_;
  CaseRun* other_;
  const ReferenceCase& reference_;
  ReferenceTensors outputs_;
};

std::vector<Values> stored_gradients(const ReferenceCase& reference, const ParameterStore& store) {
  const ReferenceTensors stored(reference.path, "gradients");
  for (const std::string& name : stored.names())
    if (store.find(name) == nullptr) refuse("{}: the model has no parameter {}.", reference.path, name);
  std::vector<Values> all;
  for (ParameterId id = 0; id < store.count(); ++id) {
    if (!stored.has(store[id].name)) refuse("{}: gradients/{} is missing.", reference.path, store[id].name);
    all.push_back(stored.read(store[id].name, store[id].numel()));
  }
  return all;
}

std::vector<Values> computed_gradients(const CaseRun& run) {
  std::vector<Values> all;
  for (ParameterId id = 0; id < run.network().parameters().count(); ++id) all.push_back(run.gradient(id));
  return all;
}

std::vector<Distance> gradient_distances(const CaseRun& run, const std::vector<Values>& theirs) {
  const ParameterStore& store = run.network().parameters();
  const std::vector<Values> ours = computed_gradients(run);
  std::vector<std::pair<double, double>> parts;  // |ours - reference|, |reference|
  double all = 0;
  for (ParameterId id = 0; id < store.count(); ++id) {
    const double norm = norm_of(theirs[id]);
    parts.emplace_back(difference(ours[id], theirs[id]), norm);
    all += norm * norm;
  }
  std::vector<Distance> distances;
  for (ParameterId id = 0; id < store.count(); ++id)
    distances.push_back(
        {store[id].name, quotient(parts[id].first, std::max(parts[id].second, 1e-3 * std::sqrt(all))), 0});
  return distances;
}

}  // namespace

double default_tolerance(DType precision) {
  if (precision == DType::kF64) return 1e-7;  // limited by values that the reference keeps in fp32
  return precision == DType::kBF16 ? 5e-2 : 1e-5;
}

bool Verification::passed() const {
  return std::ranges::all_of(outputs, &Distance::within) && std::ranges::all_of(gradients, &Distance::within);
}

Verification verify(const VerifyOptions& options) {
  ModelSource source(options.model);
  source.use_as_it_is();
  check_in_child(std::span(&options.case_file, 1), {}, [&source](const std::string& path) {
    read_foreign_hdf5(path);
    (void)read_reference_case(path, source.config(), source.head());
  });
  const ReferenceCase reference = read_reference_case(options.case_file, source.config(), source.head());
  CaseSetup setup{.model = reference.applied_to(source.config()),
                  .load = [&source](Network& network) { return source.load(network); },
                  .device = options.device,
                  .threads = options.threads,
                  .precision = options.precision,
                  .gradients = options.gradients};
  CaseRun run(setup, reference);
  std::optional<CaseRun> other;
  setup.device = Device();
  if (options.against_cpu) other.emplace(setup, reference);
  Verification result;
  result.notes = run.notes();
  result.tolerance = options.tolerance > 0 ? options.tolerance : default_tolerance(options.precision);
  OutputDistances outputs(run, reference, other ? &*other : nullptr);
  for (const std::string& name : outputs.names()) result.outputs.push_back(outputs.of(name));
  if (options.gradients) {
    run.backward();
    if (other) other->backward();
    result.gradients = gradient_distances(
        run, other ? computed_gradients(*other) : stored_gradients(reference, run.network().parameters()));
  }
  for (Distance& distance : result.outputs) distance.limit = result.tolerance;
  for (Distance& distance : result.gradients) distance.limit = 10 * result.tolerance;
  return result;
}

}  // namespace nystrom
