#include <algorithm>
#include <cmath>
#include <set>

#include "data/hdf5/child_check.h"
#include "data/hdf5/hdf5_file.h"
#include "kernels/core/stage.h"
#include "model/check.h"
#include "model/heads/head_registry.h"
#include "model/layers/encoder.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/header.h"
#include "trainer/checkpoint/layout.h"
#include "trainer/checkpoint/model_record.h"

namespace nystrom {
namespace {

using namespace checkpoint_layout;

constexpr std::size_t kMaxNamed = 5;  // differences in one sentence

std::string shape_text(const hdf5::Shape& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

hdf5::Shape disk_shape(const Shape& shape) {
  hdf5::Shape dims;
  for (const std::int64_t dim : shape.dims()) dims.push_back(static_cast<std::uint64_t>(dim));
  return dims;
}

/// May a group lack tensors of some parameters?
enum class Missing { kRefused, kAllowed };

/// Differences between a group's tensors and the parameters.
std::vector<std::string> differences(const hdf5::File& file, const std::string& group,
                                     std::span<const Parameter> parameters, Missing missing) {
  std::vector<std::string> found;
  const auto names = file.names(group);
  std::set<std::string> unknown(names.begin(), names.end());
  for (const Parameter& parameter : parameters) {
    if (unknown.erase(parameter.name) == 0) {
      if (missing == Missing::kRefused) found.push_back(fmt::format("{} is missing", parameter.name));
      continue;
    }
    const auto stored = file.dataset(group + "/" + parameter.name, 0).shape();
    if (stored != disk_shape(parameter.shape))
      found.push_back(
          fmt::format("{} is {}, not {}", parameter.name, shape_text(stored), parameter.shape.text()));
  }
  for (const auto& name : unknown) found.push_back(fmt::format("{} is unknown to this model", name));
  return found;
}

void refuse_differences(const hdf5::File& file, const std::string& group,
                        std::span<const Parameter> parameters, Missing missing = Missing::kRefused) {
  auto found = differences(file, group, parameters, missing);
  if (found.empty()) return;
  const std::size_t all = found.size();
  found.resize(std::min(all, kMaxNamed));
  refuse("{} does not fit this model: {}{}. Use the configuration that it was written with.", file.path(),
         fmt::join(found, "; "), all > kMaxNamed ? fmt::format("; and {} more", all - kMaxNamed) : "");
}

/// Reads a group into a flat tensor.
void read_group(const hdf5::File& file, const std::string& group, std::span<const Parameter> parameters,
                const Tensor& flat, Memory& memory) {
  refuse_differences(file, group, parameters);
  Stage stage(fmt::format("loading {} of {}", group, file.path()), static_cast<double>(flat.numel()));
  for (const Parameter& parameter : parameters) {
    const hdf5::Dataset dataset = file.dataset(group + "/" + parameter.name, 0);
    const HostValues part(flat.rows(parameter.offset, parameter.numel()), memory);
    if (part.view().dtype == DType::kF64)
      dataset.read_rows(0, dataset.rows(), part.view().span<double>());
    else
      dataset.read_rows(0, dataset.rows(), part.view().span<float>());
    part.write_back();
    stage.advance(static_cast<double>(parameter.numel()));
  }
}

// Checkpoints of earlier versions lack some counters.
std::int64_t integer_or_zero(const hdf5::File& file, const std::string& name) {
  return file.has_attribute(name) ? file.integer_attribute(name) : 0;
}
double number_or_zero(const hdf5::File& file, const std::string& name) {
  return file.has_attribute(name) ? file.number_attribute(name) : 0;
}

RunState read_state(const hdf5::File& file) {
  return {.step = file.integer_attribute("step"),
          .samples = file.integer_attribute("samples"),
          .updates = file.integer_attribute("updates"),
          .seconds = file.number_attribute("seconds"),
          .batches_skipped = integer_or_zero(file, "batches_skipped"),
          .losses = {.mean = number_or_zero(file, "loss_mean"),
                     .variance = number_or_zero(file, "loss_variance"),
                     .count = integer_or_zero(file, "loss_count"),
                     .spikes_in_a_row = integer_or_zero(file, "loss_spikes_in_a_row")}};
}

RunIdentity read_identity(const hdf5::File& file) {
  RunIdentity identity;
  identity.seed = static_cast<std::uint64_t>(file.integer_attribute("seed"));
  identity.configuration = file.string_attribute("configuration");
  if (file.has_attribute(kProvenance)) identity.provenance = file.string_attribute(kProvenance);
  for (const std::string& line : file.read_strings(kSettings)) {
    const auto middle = line.find('=');
    if (middle != std::string::npos) identity.settings[line.substr(0, middle)] = line.substr(middle + 1);
  }
  if (!file.has(kTokenizer)) return identity;
  const hdf5::Dataset dataset = file.dataset(kTokenizer);
  dataset.check_stored();
  identity.tokenizer.resize(dataset.rows() * dataset.row_elements());
  dataset.read_rows(
      0, dataset.rows(),
      std::span(reinterpret_cast<std::uint8_t*>(identity.tokenizer.data()), identity.tokenizer.size()));
  identity.tokenizer_kind = file.string_attribute("kind", kTokenizer);
  return identity;
}

}  // namespace

bool is_checkpoint(const std::string& path) {
  return has_checkpoint_header(path);
}

void verify_checkpoint(const std::string& path) {
  verify_checkpoint_header(path);
}

struct CheckpointReader::State {
  hdf5::File file;
  ModelRecord model;
  RunState state;
  RunIdentity identity;
  std::string weights = kWeights;  // the group of them
};

CheckpointReader::CheckpointReader(const std::string& path, bool verify) {
  if (verify) verify_checkpoint(path);
  hdf5::File file = hdf5::File::open(path);
  ModelRecord model = read_model_record(file);
  const RunState state = read_state(file);
  RunIdentity identity = read_identity(file);
  state_ = std::make_unique<State>(State{std::move(file), model, state, std::move(identity)});
}
CheckpointReader::~CheckpointReader() = default;
CheckpointReader::CheckpointReader(CheckpointReader&&) noexcept = default;
CheckpointReader& CheckpointReader::operator=(CheckpointReader&&) noexcept = default;

const std::string& CheckpointReader::path() const {
  return state_->file.path();
}
const ModelConfig& CheckpointReader::model() const {
  return state_->model.model;
}
const HeadConfig& CheckpointReader::head() const {
  return state_->model.head;
}
const RunState& CheckpointReader::state() const {
  return state_->state;
}
const RunIdentity& CheckpointReader::identity() const {
  return state_->identity;
}

void CheckpointReader::use_average() {
  const std::string average = state_group(kAverageState);
  if (!state_->file.has(average))
    refuse("{} has no averaged weights: it was trained without `training.ema_decay`.", path());
  state_->weights = average;
}

std::vector<CheckpointReader::TensorInfo> CheckpointReader::tensors() const {
  std::vector<TensorInfo> found;
  for (const auto& name : state_->file.names(state_->weights)) {
    TensorInfo info{name, {}};
    const hdf5::Shape shape = state_->file.dataset(state_->weights + "/" + name, 0).shape();
    info.shape.assign(shape.begin(), shape.end());
    found.push_back(std::move(info));
  }
  return found;
}

std::vector<float> CheckpointReader::read_tensor(const std::string& name) const {
  const std::string where = state_->weights + "/" + name;
  if (!state_->file.has(where)) refuse("{} has no tensor {}.", path(), name);
  const hdf5::Dataset dataset = state_->file.dataset(where, 0);
  dataset.check_stored();
  std::vector<float> values(dataset.rows() * dataset.row_elements());
  dataset.read_rows(0, dataset.rows(), std::span(values));
  return values;
}

void check_checkpoint_content(const std::string& path) {
  const CheckpointReader reader(path, false);
  check(reader.model());
  ParameterStore declared(DType::kF32);  // takes no memory
  const Encoder encoder(reader.model(), declared);
  const auto head = make_head(reader.head(), {reader.model(), declared, encoder.embeddings().word()});
  reader.check_weights(declared);
  reader.check_optimizer(declared);
  for (const auto& tensor : reader.tensors())
    for (const float value : reader.read_tensor(tensor.name))
      if (!std::isfinite(value)) refuse("{}: the tensor {} holds {}.", path, tensor.name, value);
}

void check_foreign_checkpoint(const std::string& path) {
  verify_checkpoint(path);
  check_in_child(std::span(&path, 1), {}, check_checkpoint_content);
}

void CheckpointReader::check_weights(const ParameterStore& declared) const {
  refuse_differences(state_->file, state_->weights, declared.all());
}

void CheckpointReader::check_optimizer(const ParameterStore& declared) const {
  const hdf5::File& file = state_->file;
  for (const std::string& state : file.names(kOptimizer)) {
    refuse_differences(file, state_group(state), declared.all(), Missing::kAllowed);
    for (const std::string& name : file.names(state_group(state))) {
      const hdf5::Dataset dataset = file.dataset(state_path(state, name), 0);
      dataset.check_stored();
      std::vector<float> values(dataset.rows() * dataset.row_elements());
      dataset.read_rows(0, dataset.rows(), std::span(values));
    }
  }
}

void CheckpointReader::load_weights(ParameterStore& store) const {
  read_group(state_->file, state_->weights, store.all(), store.weights(), store.memory());
  store.refresh_copy();
}

void CheckpointReader::load_state(std::string_view name, std::span<const Parameter> parameters,
                                  const Tensor& flat, Memory& memory) const {
  const std::string group = state_group(name);
  if (!state_->file.has(group))
    refuse("{} has no optimizer state `{}`; it was written {}.", path(), name,
           name == kAverageState ? "without `training.ema_decay`" : "with another `optimizer.kind`");
  read_group(state_->file, group, parameters, flat, memory);
}

void CheckpointReader::load_optimizer(const ParameterStore& store, Optimizer& optimizer) const {
  NYSTROM_CHECK(!optimizer.partition().sharded(), "an optimizer of {} weights is given the state of {}",
                optimizer.partition().count(), store.flat_size());
  for (const OptimizerState& values : optimizer.states())
    load_state(values.name, values.layout->parameters(), values.values, store.memory());
  optimizer.set_updates(state_->state.updates);
}

}  // namespace nystrom
