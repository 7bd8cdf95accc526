#include "launch/verify/reference_case.h"

#include <algorithm>
#include <span>

#include "data/hdf5/hdf5_file.h"
#include "kernels/core/check.h"
#include "model/attention/registry.h"

namespace nystrom {
namespace {

class CaseFile {
 public:
  explicit CaseFile(const std::string& path) : file_(hdf5::File::open(path)) {
    if (!file_.has("inputs") || !file_.has("outputs") || !file_.has_attribute("head"))
      refuse("{} is not a reference case: it lacks the group `inputs` or `outputs`, or the attribute `head`.",
             path);
  }

  [[nodiscard]] std::string text(const std::string& name) const {
    require(name);
    return file_.string_attribute(name);
  }
  [[nodiscard]] std::int64_t integer(const std::string& name) const {
    require(name);
    return file_.integer_attribute(name);
  }
  [[nodiscard]] bool has_input(const std::string& name) const { return file_.has("inputs/" + name); }
  [[nodiscard]] hdf5::Shape shape(const std::string& name) const { return input(name).shape(); }
  /// All values of inputs/`name`, whose number must be `count`.
  template <class T>
  [[nodiscard]] std::vector<T> values(const std::string& name, std::int64_t count) const {
    const hdf5::Dataset dataset = input(name);
    std::uint64_t elements = 1;
    for (const auto extent : dataset.shape()) elements *= extent;
    if (elements != static_cast<std::uint64_t>(count))
      refuse("{}: inputs/{} has {} values instead of {}.", file_.path(), name, elements, count);
    std::vector<T> values(static_cast<std::size_t>(count));
    dataset.read_rows<T>(0, dataset.rows(), values);
    return values;
  }
  [[nodiscard]] std::vector<std::int32_t> labels(const std::string& name, std::int64_t count,
                                                 std::int64_t classes) const {
    auto read = values<std::int32_t>(name, count);
    check_below(name, read, classes, true);
    return read;
  }
  void check_below(const std::string& name, const std::vector<std::int32_t>& read, std::int64_t limit,
                   bool negative_is_none) const {
    for (const std::int32_t value : read)
      if (value >= limit || (value < 0 && !negative_is_none))
        refuse("{}: inputs/{} has the value {}; the model takes 0 to {}.", file_.path(), name, value,
               limit - 1);
  }

 private:
  void require(const std::string& name) const {
    if (!file_.has_attribute(name)) refuse("{} lacks the attribute `{}`.", file_.path(), name);
  }
  [[nodiscard]] hdf5::Dataset input(const std::string& name) const {
    if (!has_input(name)) refuse("{} lacks the dataset inputs/{}.", file_.path(), name);
    return file_.dataset("inputs/" + name);
  }

  hdf5::File file_;
};

/// "regression" is a sequence classification's problem.
HeadConfig head_of(const std::string& path, const std::string& name, const HeadConfig& model) {
  const bool regression = name == "regression";
  const HeadEntry* entry = find_head(regression ? "sequence_classification" : name);
  if (entry == nullptr) refuse("{} has a `{}` head, which this program does not know.", path, name);
  return {entry->kind, model.labels, regression ? Problem::kRegression : Problem::kSingleLabel};
}

void read_arithmetic(const CaseFile& file, ReferenceCase& c) {
  c.attention = attention_entry(file.text("attention"), c.path + ": the attribute attention").name;
  c.landmarks = file.integer("num_landmarks");
  c.pinv_iterations = static_cast<int>(file.integer("pinv_iterations"));
  c.pinv_init = parse<PinvInit>(c.path + ": the attribute pinv_init", file.text("pinv_init"));
  c.padding = parse<Padding>(c.path + ": the attribute padding", file.text("padding"));
}

/// Lengths from the attention mask, whose rows must be ones followed by zeros.
std::vector<std::int32_t> lengths_of(const ReferenceCase& c, const std::vector<std::int32_t>& mask) {
  std::vector<std::int32_t> lengths;
  for (std::int64_t b = 0; b < c.sequences; ++b) {
    const auto row =
        std::span(mask).subspan(static_cast<std::size_t>(b * c.length), static_cast<std::size_t>(c.length));
    const auto length = std::ranges::find(row, 0) - row.begin();
    if (length == 0 || std::ranges::any_of(row.subspan(static_cast<std::size_t>(length)),
                                           [](std::int32_t m) { return m != 0; }))
      refuse("{}: row {} of inputs/attention_mask is not ones followed by zeros.", c.path, b);
    lengths.push_back(static_cast<std::int32_t>(length));
  }
  return lengths;
}

/// The group `inputs`, for the head's own reader of labels.
class FileInputs final : public CaseInputs {
 public:
  FileInputs(const CaseFile& file, const std::string& path) : file_(file), path_(path) {}
  [[nodiscard]] std::vector<std::int32_t> labels(const std::string& name, std::int64_t count,
                                                 std::int64_t classes) const override {
    return file_.labels(name, count, classes);
  }
  [[nodiscard]] std::vector<float> numbers(const std::string& name, std::int64_t count) const override {
    return file_.values<float>(name, count);
  }
  [[nodiscard]] std::int64_t count(const std::string& name) const override {
    const hdf5::Shape shape = file_.shape(name);
    return shape.size() == 1 ? static_cast<std::int64_t>(shape[0]) : 0;
  }
  [[nodiscard]] const std::string& path() const override { return path_; }

 private:
  const CaseFile& file_;
  const std::string& path_;
};

}  // namespace

ModelConfig ReferenceCase::applied_to(ModelConfig config) const {
  config.attention.kind = attention;
  config.attention.landmarks = landmarks;
  config.attention.pinv_iterations = pinv_iterations;
  config.attention.pinv_init = pinv_init;
  config.padding = padding;
  config.dropout = config.attention_dropout = 0;
  return config;
}

ReferenceCase read_reference_case(const std::string& path, const ModelConfig& model, const HeadConfig& head) {
  const CaseFile file(path);
  ReferenceCase c;
  c.path = path;
  c.head = head_of(path, file.text("head"), head);
  read_arithmetic(file, c);
  const hdf5::Shape shape = file.shape("input_ids");
  if (shape.size() != 2 || shape[0] == 0 || shape[1] == 0)
    refuse("{}: inputs/input_ids must have the shape [sequences, tokens].", path);
  c.sequences = static_cast<std::int64_t>(shape[0]);
  c.length = static_cast<std::int64_t>(shape[1]);
  if (c.length > model.max_positions)
    refuse("{} has sequences of {} tokens; the model takes {}.", path, c.length, model.max_positions);
  const std::int64_t tokens = c.sequences * c.length;
  c.input_ids = file.values<std::int32_t>("input_ids", tokens);
  c.token_type_ids = file.values<std::int32_t>("token_type_ids", tokens);
  c.lengths = lengths_of(c, file.values<std::int32_t>("attention_mask", tokens));
  file.check_below("input_ids", c.input_ids, model.vocabulary_size, false);
  file.check_below("token_type_ids", c.token_type_ids, model.token_types, false);
  c.labels = entry_of(c.head.kind)
                 .read_case_labels(FileInputs(file, path),
                                   {c.sequences, c.length, model.vocabulary_size, c.lengths}, c.head);
  return c;
}

PackedCase::PackedCase(const ReferenceCase& reference) {
  // Of a language model only labelled tokens are decoded; other heads over tokens answer for all.
  const std::vector<std::int32_t>& token_labels = reference.labels.token_labels;
  const bool all_rows = !token_labels.empty() && !is_language_model(reference.head.kind);
  offsets.push_back(0);
  for (std::int64_t b = 0; b < reference.sequences; ++b) {
    const std::int32_t real = reference.lengths[static_cast<std::size_t>(b)];
    const std::int64_t rows = reference.padding == Padding::kHuggingFace ? reference.length : real;
    for (std::int64_t t = 0; t < rows; ++t) {
      const auto at = static_cast<std::size_t>(b * reference.length + t);
      const std::int32_t label = token_labels.empty() ? -1 : token_labels[at];
      if (all_rows || label >= 0) {
        label_rows.push_back(static_cast<std::int32_t>(input_ids.size()));
        labels.push_back(label);
      }
      input_ids.push_back(reference.input_ids[at]);
      token_type_ids.push_back(reference.token_type_ids[at]);
      source.push_back(static_cast<std::int64_t>(at));
    }
    offsets.push_back(static_cast<std::int32_t>(input_ids.size()));
    lengths.push_back(real);
    samples.push_back(b);
  }
}

BatchArrays PackedCase::arrays(const ReferenceCase& reference) const {
  return {.input_ids = input_ids,
          .token_type_ids = token_type_ids,
          .offsets = offsets,
          .lengths = lengths,
          .samples = samples,
          .label_rows = label_rows,
          .token_labels = labels,
          .sequence_labels = reference.labels.sequence_labels,
          .sequence_ends = reference.labels.sequence_ends,
          .sequence_values = reference.labels.sequence_values};
}

ReferenceTensors::ReferenceTensors(const std::string& path, std::string group)
    : path_(path), group_(std::move(group)) {
  const hdf5::File file = hdf5::File::open(path_);
  if (!file.has(group_)) refuse("{} has no group {}.", path_, group_);
  names_ = file.names(group_);
}

bool ReferenceTensors::has(const std::string& name) const {
  return std::ranges::find(names_, name) != names_.end();
}

std::vector<double> ReferenceTensors::read(const std::string& name, std::int64_t count) const {
  const hdf5::File file = hdf5::File::open(path_);
  const hdf5::Dataset dataset = file.dataset(group_ + "/" + name);
  std::uint64_t elements = 1;
  for (const auto extent : dataset.shape()) elements *= extent;
  if (elements != static_cast<std::uint64_t>(count))
    refuse("{}: {}/{} has {} values; the model gives {}.", path_, group_, name, elements, count);
  std::vector<double> values(static_cast<std::size_t>(count));
  dataset.read_rows<double>(0, dataset.rows(), values);
  return values;
}

}  // namespace nystrom
