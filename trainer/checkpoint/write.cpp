#include <algorithm>
#include <filesystem>

#include "data/hdf5/hdf5_file.h"
#include "kernels/core/files.h"
#include "kernels/core/stage.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/header.h"
#include "trainer/checkpoint/layout.h"
#include "trainer/checkpoint/model_record.h"

namespace nystrom {
namespace {

using namespace checkpoint_layout;

constexpr std::uint64_t kSliceBytes = std::uint64_t{1} << 20U;  // written while holding HDF5's lock

void write_tensor(hdf5::File& file, const std::string& name, const Tensor& tensor,
                  const CheckpointContent& content, Stage& stage) {
  hdf5::Shape shape;
  for (const std::int64_t dim : tensor.shape.dims()) shape.push_back(static_cast<std::uint64_t>(dim));
  // One chunk without HDF5 checksums: the digest in the header covers the whole file.
  const auto write = [&]<class T>(std::span<const T> values) {
    hdf5::Dataset dataset = file.create_dataset(name, hdf5::TypeOf<T>::value, shape, {});
    const std::uint64_t row = dataset.row_elements();
    const std::uint64_t slice = std::max<std::uint64_t>(kSliceBytes / (row * sizeof(T)), 1);
    for (std::uint64_t first = 0; first < dataset.rows(); first += slice) {
      const std::uint64_t count = std::min(slice, dataset.rows() - first);
      dataset.write_rows(first, count, values.subspan(first * row, count * row));
      if (content.moved_on) content.moved_on();
      stage.advance(static_cast<double>(count * row));
      hdf5::give_way();  // the loader reads concurrently
    }
    dataset.close();  // HDF5 buffers small datasets until they are closed
  };
  if (tensor.dtype == DType::kF64)
    write(std::span<const double>(tensor.span<double>()));
  else
    write(std::span<const float>(tensor.span<float>()));
}

/// The slice of a flat tensor that belongs to a parameter.
Tensor part_of(const Tensor& flat, const Parameter& parameter) {
  return flat.rows(parameter.offset, parameter.numel()).reshaped(parameter.shape);
}

void write_tokenizer(hdf5::File& file, const RunIdentity& identity) {
  if (identity.tokenizer.empty()) return;
  const auto& bytes = identity.tokenizer;
  hdf5::Dataset dataset = file.create_dataset(kTokenizer, hdf5::Type::kU8, {bytes.size()}, {});
  dataset.write_rows(0, bytes.size(),
                     std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
  dataset.close();
  file.set_attribute("kind", identity.tokenizer_kind, kTokenizer);
}

void write_counters(hdf5::File& file, const RunState& state, const RunIdentity& identity) {
  file.set_attribute("format", std::string(kFormat));
  file.set_attribute("format_version", kCheckpointVersion);
  file.set_attribute("step", state.step);
  file.set_attribute("samples", state.samples);
  file.set_attribute("updates", state.updates);
  file.set_attribute("seconds", state.seconds);
  file.set_attribute("batches_skipped", state.batches_skipped);
  file.set_attribute("loss_mean", state.losses.mean);
  file.set_attribute("loss_variance", state.losses.variance);
  file.set_attribute("loss_count", state.losses.count);
  file.set_attribute("loss_spikes_in_a_row", state.losses.spikes_in_a_row);
  file.set_attribute("seed", static_cast<std::int64_t>(identity.seed));  // the same 64 bits
  file.set_attribute("configuration", identity.configuration);
  if (!identity.provenance.empty()) file.set_attribute(kProvenance, identity.provenance);
  std::vector<std::string> settings;
  for (const auto& [key, value] : identity.settings) settings.push_back(key + "=" + value);
  file.write_strings(kSettings, settings);
}

void write_content(const std::string& path, const CheckpointContent& content) {
  hdf5::File file = hdf5::File::create(path, kCheckpointHeaderBytes);
  write_counters(file, content.state, content.identity);
  file.create_group(kModel);
  write_model_record(file, content.model, content.head);
  write_tokenizer(file, content.identity);
  double all = static_cast<double>(content.weights.numel());
  for (const OptimizerState& state : content.states) all += static_cast<double>(state.values.numel());
  Stage stage(fmt::format("writing {}", path), all);
  file.create_group(kWeights);
  for (const Parameter& parameter : content.parameters)
    write_tensor(file, weight_path(parameter.name),
                 HostValues(part_of(content.weights, parameter), content.memory), content, stage);
  file.create_group(kOptimizer);
  for (const OptimizerState& values : content.states) {
    file.create_group(state_group(values.name));
    for (const Parameter& parameter : values.layout->parameters())
      write_tensor(file, state_path(values.name, parameter.name),
                   HostValues(part_of(values.values, parameter), content.memory), content, stage);
  }
  file.close();
}

/// Removes a file unless it was published.
class Temporary {
 public:
  explicit Temporary(std::string path) : path_(std::move(path)) {}
  ~Temporary() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

 private:
  std::string path_;
};

/// `publish`: publish_file or publish_new_file.
void write_and_publish(const std::string& path, const CheckpointContent& content,
                       const std::function<void()>& before_publishing,
                       void (*publish)(const std::string& temporary, const std::string& path)) {
  const std::string name = temporary_name(path);
  const Temporary temporary(name);  // removing it after its renaming removes nothing
  write_content(name, content);
  if (content.moved_on) content.moved_on();
  write_checkpoint_header(name, content.validation);
  if (content.moved_on) content.moved_on();
  if (before_publishing) before_publishing();
  publish(name, path);
}

}  // namespace

void write_checkpoint(const std::string& path, const CheckpointContent& content,
                      const std::function<void()>& before_publishing) {
  write_and_publish(path, content, before_publishing, publish_file);
}

void write_checkpoint(const std::string& path, const Network& network, const Optimizer& optimizer,
                      const RunState& state, const RunIdentity& identity) {
  write_checkpoint(path, content_of(network, optimizer, state, identity));
}

void write_new_checkpoint(const std::string& path, const Network& network, const Optimizer& optimizer,
                          const RunState& state, const RunIdentity& identity) {
  write_and_publish(path, content_of(network, optimizer, state, identity), {}, publish_new_file);
}

}  // namespace nystrom
