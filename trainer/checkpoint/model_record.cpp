#include "trainer/checkpoint/model_record.h"

#include <optional>
#include <string>

#include "kernels/core/numbers.h"
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
  void operator()(const char* name, const bool& value) { (*this)(name, std::int64_t{value ? 1 : 0}); }
  void operator()(const char* name, const std::optional<std::int64_t>& value) {
    (*this)(name, value.value());
  }
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
    value = narrowed<std::int32_t>(file_.integer_attribute(name, kGroup),
                                   [&] { return fmt::format("{}: the model's {}", file_.path(), name); });
  }
  void operator()(const char* name, double& value) { value = file_.number_attribute(name, kGroup); }
  void operator()(const char* name, std::string& value) { value = file_.string_attribute(name, kGroup); }
  void operator()(const char* name, bool& value) { value = file_.integer_attribute(name, kGroup) != 0; }
  void operator()(const char* name, std::optional<std::int64_t>& value) {
    value = file_.integer_attribute(name, kGroup);
  }
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

/// The list of stored fields, for writer and reader. `visit_option` is called for the options of attention.
template <class Visit, class VisitOption, class Model, class Head>
void visit_fields(Visit&& visit, VisitOption&& visit_option, Model& m, Head& head) {
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
  AttentionConfig::visit_options(visit_option, m.attention);
  visit("padding", m.padding);
  visit("head_labels", head.labels);
  visit("head_problem", head.problem);
}

}  // namespace

void write_model_record(hdf5::File& file, const ModelConfig& model, const HeadConfig& head) {
  file.set_attribute("head", std::string(entry_of(head.kind).name), kGroup);
  Writer write(file);
  const AttentionEntry* const kind = find_attention(model.attention.kind);
  const auto write_option = [&](const char* name, const auto& value) {
    if (kind == nullptr || stores_option(*kind, name)) write(name, value);
  };
  visit_fields(write, write_option, model, head);
  NetworkConfig::visit_options(
      [&](const char* name, const auto& value, const auto& otherwise) {
        if (value != otherwise) write(name, value);
      },
      model.network, kDefaultNetwork);
}

ModelRecord read_model_record(const hdf5::File& file) {
  ModelRecord record;
  const std::string name = file.string_attribute("head", kGroup);
  const HeadEntry* entry = find_head(name);
  if (entry == nullptr)
    refuse("{} has a model whose head is {}, which this program does not know; use a newer program.",
           file.path(), name);
  record.head.kind = entry->kind;
  Reader read(file);
  const auto read_option = [&](const char* option, auto& value) {
    const AttentionEntry& kind =
        attention_entry(record.model.attention.kind, file.path() + ": the model's attention");
    if (stores_option(kind, option)) read(option, value);
  };
  visit_fields(read, read_option, record.model, record.head);
  NetworkConfig::visit_options(
      [&](const char* option, auto& value) {
        if (file.has_attribute(option, kGroup)) read(option, value);
      },
      record.model.network);
  return record;
}

}  // namespace nystrom
