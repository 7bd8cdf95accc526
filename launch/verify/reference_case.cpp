#include "launch/verify/reference_case.h"

#include <algorithm>
#include <span>

#include "kernels/core/check.h"
#include "kernels/core/numbers.h"
#include "model/attention/registry.h"
#include "model/check.h"

namespace nystrom {
namespace {

class CaseFile {
 public:
  explicit CaseFile(const std::string& path) : file_(hdf5::File::open(path, hdf5::Filters::kCompression)) {
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
  [[nodiscard]] bool has_attribute(const std::string& name) const { return file_.has_attribute(name); }
  [[nodiscard]] const std::string& path() const { return file_.path(); }
  [[nodiscard]] bool has(const std::string& name) const { return file_.has(name); }
  [[nodiscard]] hdf5::Shape shape(const std::string& name) const { return dataset(name).shape(); }
  /// All values of a dataset, whose number must be `count`.
  template <class T>
  [[nodiscard]] std::vector<T> values(const std::string& name, std::int64_t count) const {
    const hdf5::Dataset stored = dataset(name);
    std::uint64_t elements = 1;
    for (const auto extent : stored.shape()) elements *= extent;
    if (elements != static_cast<std::uint64_t>(count))
      refuse("{}: {} has {} values instead of {}.", file_.path(), name, elements, count);
    std::vector<T> values(static_cast<std::size_t>(count));
    stored.read_rows<T>(0, stored.rows(), values);
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
        refuse("{}: {} has the value {}; the model takes 0 to {}.", file_.path(), name, value, limit - 1);
  }

 private:
  void require(const std::string& name) const {
    if (!file_.has_attribute(name)) refuse("{} lacks the attribute `{}`.", file_.path(), name);
  }
  [[nodiscard]] hdf5::Dataset dataset(const std::string& name) const {
    if (!has(name)) refuse("{} lacks the dataset {}.", file_.path(), name);
    return file_.dataset(name);
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

/// Reads the attributes that are options of attention; the convolution's size is the model's.
class OptionReader {
 public:
  explicit OptionReader(const CaseFile& file) : file_(file) {}

  void operator()(const std::string& key, std::int64_t& value) const {
    const std::string name = key == "landmarks" ? "num_landmarks" : key;
    if (reads(name)) value = file_.integer(name);
  }
  void operator()(const std::string& key, std::int32_t& value) const {
    if (reads(key))
      value = narrowed<std::int32_t>(file_.integer(key), file_.path() + ": the attribute " + key);
  }
  template <HasNames E>
  void operator()(const std::string& key, E& value) const {
    if (reads(key)) value = parse<E>(file_.path() + ": the attribute " + key, file_.text(key));
  }

 private:
  /// Every case has those of Nystrom attention.
  [[nodiscard]] bool reads(const std::string& name) const {
    return name == "num_landmarks" || name.starts_with("pinv_") || file_.has_attribute(name);
  }

  const CaseFile& file_;
};

void read_arithmetic(const CaseFile& file, ReferenceCase& c) {
  c.attention.kind = attention_entry(file.text("attention"), c.path + ": the attribute attention").name;
  AttentionConfig::visit_options(OptionReader(file), c.attention);
  c.padding = parse<Padding>(c.path + ": the attribute padding", file.text("padding"));
}

/// The group `random`, of the kinds that have random numbers.
void read_random(const CaseFile& file, const ModelConfig& model, ReferenceCase& c) {
  const AttentionConfig& a = c.attention;
  if (file.has("random/features"))
    c.features =
        file.values<float>("random/features", model.layers * a.heads * a.features * model.head_size());
  if (!file.has("random/buckets")) return;
  c.buckets =
      file.values<std::int32_t>("random/buckets", model.layers * a.hashes * c.sequences * a.heads * c.length);
  const std::int64_t rows = std::ssize(c.buckets) / c.length;
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int32_t length = c.lengths[static_cast<std::size_t>(row / a.heads % c.sequences)];
    for (std::int32_t t = 0; t < length; ++t)
      if (const std::int32_t bucket = c.buckets[static_cast<std::size_t>(row * c.length + t)];
          bucket < 0 || bucket >= 2 * length + 2)
        refuse("{}: random/buckets has the value {}; a sequence of {} tokens takes 0 to {}.", c.path, bucket,
               length, 2 * length + 1);
  }
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
    return file_.labels("inputs/" + name, count, classes);
  }
  [[nodiscard]] std::vector<float> numbers(const std::string& name, std::int64_t count) const override {
    return file_.values<float>("inputs/" + name, count);
  }
  [[nodiscard]] std::int64_t count(const std::string& name) const override {
    const hdf5::Shape shape = file_.shape("inputs/" + name);
    return shape.size() == 1 ? static_cast<std::int64_t>(shape[0]) : 0;
  }
  [[nodiscard]] const std::string& path() const override { return path_; }

 private:
  const CaseFile& file_;
  const std::string& path_;
};

}  // namespace

ModelConfig ReferenceCase::applied_to(ModelConfig config) const {
  config.attention = attention;
  config.padding = padding;
  config.dropout = config.attention_dropout = 0;
  return config;
}

ReferenceCase read_reference_case(const std::string& path, const ModelConfig& model, const HeadConfig& head) {
  const CaseFile file(path);
  ReferenceCase c;
  c.path = path;
  c.head = head_of(path, file.text("head"), head);
  c.attention = model.attention;
  read_arithmetic(file, c);
  check_of_file(path, c.applied_to(model));
  const hdf5::Shape shape = file.shape("inputs/input_ids");
  if (shape.size() != 2 || shape[0] == 0 || shape[1] == 0)
    refuse("{}: inputs/input_ids must have the shape [sequences, tokens].", path);
  c.sequences = static_cast<std::int64_t>(shape[0]);
  c.length = static_cast<std::int64_t>(shape[1]);
  if (c.length > model.max_positions)
    refuse("{} has sequences of {} tokens; the model takes {}.", path, c.length, model.max_positions);
  const std::int64_t tokens = c.sequences * c.length;
  c.input_ids = file.values<std::int32_t>("inputs/input_ids", tokens);
  c.token_type_ids = file.values<std::int32_t>("inputs/token_type_ids", tokens);
  c.lengths = lengths_of(c, file.values<std::int32_t>("inputs/attention_mask", tokens));
  file.check_below("inputs/input_ids", c.input_ids, model.vocabulary_size, false);
  file.check_below("inputs/token_type_ids", c.token_type_ids, model.token_types, false);
  if (file.has("inputs/position_ids")) {
    c.position_ids = file.values<std::int32_t>("inputs/position_ids", tokens);
    file.check_below("inputs/position_ids", c.position_ids, model.max_positions, false);
  }
  read_random(file, model, c);
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
      if (!reference.position_ids.empty()) positions.push_back(reference.position_ids[at]);
      source.push_back(static_cast<std::int64_t>(at));
    }
    offsets.push_back(static_cast<std::int32_t>(input_ids.size()));
    lengths.push_back(real);
    samples.push_back(b);
  }
}

std::vector<std::int32_t> PackedCase::buckets(const ReferenceCase& reference, std::int64_t layer) const {
  std::vector<std::int32_t> packed;
  if (reference.buckets.empty()) return packed;
  const std::int64_t heads = reference.attention.heads, rounds = reference.attention.hashes;
  for (std::int64_t round = layer * rounds; round < (layer + 1) * rounds; ++round)
    for (std::int64_t head = 0; head < heads; ++head)
      for (const std::int64_t at : source) {
        const std::int64_t b = at / reference.length, t = at % reference.length;
        const std::int64_t row = (round * reference.sequences + b) * heads + head;
        packed.push_back(reference.buckets[static_cast<std::size_t>(row * reference.length + t)]);
      }
  return packed;
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
          .sequence_values = reference.labels.sequence_values,
          .positions = positions};
}

ReferenceTensors::ReferenceTensors(const std::string& path, std::string group)
    : file_(hdf5::File::open(path, hdf5::Filters::kCompression)), group_(std::move(group)) {
  if (!file_.has(group_)) refuse("{} has no group {}.", path, group_);
  names_ = file_.names(group_);
}

bool ReferenceTensors::has(const std::string& name) const {
  return std::ranges::find(names_, name) != names_.end();
}

std::vector<double> ReferenceTensors::read(const std::string& name, std::int64_t count) const {
  const hdf5::Dataset dataset = file_.dataset(group_ + "/" + name);
  std::uint64_t elements = 1;
  for (const auto extent : dataset.shape()) elements *= extent;
  if (elements != static_cast<std::uint64_t>(count))
    refuse("{}: {}/{} has {} values; the model gives {}.", file_.path(), group_, name, elements, count);
  std::vector<double> values(static_cast<std::size_t>(count));
  dataset.read_rows<double>(0, dataset.rows(), values);
  return values;
}

}  // namespace nystrom
