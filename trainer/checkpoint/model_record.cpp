#include "trainer/checkpoint/model_record.h"

#include <optional>
#include <string>

#include "model/attention/registry.h"
#include "model/heads/head_registry.h"

namespace nystrom {
namespace {

constexpr const char* kGroup = "model";

/// Writes one attribute after the other.
class Writer {
 public:
  explicit Writer(hdf5::File& file) : file_(file) {}

  void operator()(const char* name, const std::int64_t& value) { file_.set_attribute(name, value, kGroup); }
  void operator()(const char* name, const std::int32_t& value) { (*this)(name, std::int64_t{value}); }
  void operator()(const char* name, const double& value) { file_.set_attribute(name, value, kGroup); }
  void operator()(const char* name, const std::string& value) { file_.set_attribute(name, value, kGroup); }
  template <HasNames E>
  void operator()(const char* name, const E& value) {
    file_.set_attribute(name, std::string(name_of(value)), kGroup);
  }

 private:
  hdf5::File& file_;
};

/// Reads the same attributes.
class Reader {
 public:
  explicit Reader(const hdf5::File& file) : file_(file) {}

  void operator()(const char* name, std::int64_t& value) { value = file_.integer_attribute(name, kGroup); }
  void operator()(const char* name, std::int32_t& value) {
    value = static_cast<std::int32_t>(file_.integer_attribute(name, kGroup));
  }
  void operator()(const char* name, double& value) { value = file_.number_attribute(name, kGroup); }
  void operator()(const char* name, std::string& value) { value = file_.string_attribute(name, kGroup); }
  template <HasNames E>
  void operator()(const char* name, E& value) {
    const std::string text = file_.string_attribute(name, kGroup);
    const std::optional<E> found = find_named<E>(text);
    if (!found)
      refuse("{} has a model whose {} is {}, which this program does not know; use a newer program.",
             file_.path(), name, text);
    value = *found;
  }

 private:
  const hdf5::File& file_;
};

/// The list of stored fields, for writer and reader.
template <class Visit, class Model, class Head>
void visit_fields(Visit&& visit, Model& m, Head& head) {
  visit("vocabulary_size", m.vocabulary_size);
  visit("hidden_size", m.hidden_size);
  visit("layers", m.layers);
  visit("heads", m.attention.heads);
  visit("intermediate_size", m.intermediate_size);
  visit("max_positions", m.max_positions);
  visit("token_types", m.token_types);
  visit("pad_token_id", m.pad_token_id);
  visit("activation", m.activation);
  visit("dropout", m.dropout);
  visit("attention_dropout", m.attention_dropout);
  visit("layer_norm_epsilon", m.layer_norm_epsilon);
  visit("initializer_range", m.initializer_range);
  visit("attention", m.attention.kind);
  visit("landmarks", m.attention.landmarks);
  visit("convolution", m.attention.taps);
  visit("pinv_iterations", m.attention.pinv_iterations);
  visit("pinv_init", m.attention.pinv_init);
  visit("padding", m.padding);
  visit("head_labels", head.labels);
  visit("head_problem", head.problem);
}

}  // namespace

void write_model_record(hdf5::File& file, const ModelConfig& model, const HeadConfig& head) {
  file.set_attribute("head", std::string(entry_of(head.kind).name), kGroup);
  visit_fields(Writer(file), model, head);
}

ModelRecord read_model_record(const hdf5::File& file) {
  ModelRecord record;
  const std::string name = file.string_attribute("head", kGroup);
  const HeadEntry* entry = find_head(name);
  if (entry == nullptr)
    refuse("{} has a model whose head is {}, which this program does not know; use a newer program.",
           file.path(), name);
  record.head.kind = entry->kind;
  visit_fields(Reader(file), record.model, record.head);
  static_cast<void>(attention_entry(record.model.attention.kind, file.path() + ": the model's attention"));
  return record;
}

}  // namespace nystrom
