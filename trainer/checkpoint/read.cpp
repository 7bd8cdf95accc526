#include <algorithm>
#include <cmath>
#include <set>

#include "data/hdf5/hdf5_file.h"
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

/// Differences between a group's tensors and the parameters.
std::vector<std::string> differences(const hdf5::File& file, const std::string& group,
                                     std::span<const Parameter> parameters) {
  std::vector<std::string> found;
  const auto names = file.names(group);
  std::set<std::string> unknown(names.begin(), names.end());
  for (const Parameter& parameter : parameters) {
    if (unknown.erase(parameter.name) == 0) {
      found.push_back(fmt::format("{} is missing", parameter.name));
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
                        std::span<const Parameter> parameters) {
  auto found = differences(file, group, parameters);
  if (found.empty()) return;
  const std::size_t all = found.size();
  found.resize(std::min(all, kMaxNamed));
  refuse("{} does not fit this model: {}{}. Use the configuration that it was written with.", file.path(),
         fmt::join(found, "; "), all > kMaxNamed ? fmt::format("; and {} more", all - kMaxNamed) : "");
}

/// Reads a group into a flat tensor.
void read_group(const hdf5::File& file, const std::string& group, const ParameterStore& store,
                const Tensor& flat, Memory& memory) {
  refuse_differences(file, group, store.all());
  for (const Parameter& parameter : store.all()) {
    const hdf5::Dataset dataset = file.dataset(group + "/" + parameter.name, 0);
    const HostValues part(flat.rows(parameter.offset, parameter.numel()), memory);
    if (part.view().dtype == DType::kF64)
      dataset.read_rows(0, dataset.rows(), part.view().span<double>());
    else
      dataset.read_rows(0, dataset.rows(), part.view().span<float>());
    part.write_back();
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

std::vector<CheckpointReader::TensorInfo> CheckpointReader::tensors() const {
  std::vector<TensorInfo> found;
  for (const auto& name : state_->file.names(kWeights)) {
    TensorInfo info{name, {}};
    const hdf5::Shape shape = state_->file.dataset(weight_path(name), 0).shape();
    info.shape.assign(shape.begin(), shape.end());
    found.push_back(std::move(info));
  }
  return found;
}

std::vector<float> CheckpointReader::read_tensor(const std::string& name) const {
  if (!state_->file.has(weight_path(name))) refuse("{} has no tensor {}.", path(), name);
  const hdf5::Dataset dataset = state_->file.dataset(weight_path(name), 0);
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

void CheckpointReader::check_weights(const ParameterStore& declared) const {
  refuse_differences(state_->file, kWeights, declared.all());
}

void CheckpointReader::check_optimizer(const ParameterStore& declared) const {
  const hdf5::File& file = state_->file;
  for (const std::string& state : file.names(kOptimizer)) {
    refuse_differences(file, state_group(state), declared.all());
    for (const Parameter& parameter : declared.all()) {
      const hdf5::Dataset dataset = file.dataset(state_path(state, parameter.name), 0);
      dataset.check_stored();
      std::vector<float> values(dataset.rows() * dataset.row_elements());
      dataset.read_rows(0, dataset.rows(), std::span(values));
    }
  }
}

void CheckpointReader::load_weights(ParameterStore& store) const {
  read_group(state_->file, kWeights, store, store.weights(), store.memory());
  store.refresh_copy();
}

void CheckpointReader::load_state(const ParameterStore& store, std::string_view name, const Tensor& flat,
                                  Memory& memory) const {
  const std::string group = state_group(name);
  if (!state_->file.has(group))
    refuse("{} has no optimizer state `{}`; it was written with another `optimizer.kind`.", path(), name);
  read_group(state_->file, group, store, flat, memory);
}

void CheckpointReader::load_optimizer(const ParameterStore& store, Optimizer& optimizer) const {
  NYSTROM_CHECK(!optimizer.partition().sharded(), "an optimizer of {} weights is given the state of {}",
                optimizer.partition().count(), store.flat_size());
  for (const OptimizerState& values : optimizer.states())
    load_state(store, values.name, values.values, store.memory());
  optimizer.set_updates(state_->state.updates);
}

}  // namespace nystrom
