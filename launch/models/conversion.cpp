#include "launch/models/conversion.h"

#include <algorithm>

#include "data/tasks/records.h"
#include "data/tokenizer/huggingface_files.h"
#include "kernels/core/check.h"
#include "kernels/core/json.h"
#include "launch/config/config.h"
#include "launch/config/options.h"
#include "launch/models/folder_tokenizer.h"
#include "launch/models/model_card.h"
#include "launch/models/model_source.h"
#include "launch/models/transformers_code.h"
#include "model/attention/registry.h"
#include "model/exchange/tensor_edits.h"
#include "model/exchange/warm_start.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/tasks/task_results.h"

namespace nystrom {
namespace {

bool names_checkpoint(const std::string& path) {
  return path.ends_with(".h5") || path.ends_with(".hdf5");
}

/// Content of the target: model and tensors of the source, as changed by the options.
struct Converted {
  ModelConfig model;
  HeadConfig head;
  std::vector<TensorToWrite> tensors;
};

ModelConfig with_overrides(const ModelSource& source, const std::vector<std::string>& overrides) {
  const Config config = read_config("", overrides);
  for (const auto& key : config.given)
    if (!key.starts_with("model.attention."))
      refuse("`--set {}`: `nystrom convert` can only change keys of `model.attention`.", key);
  return with_attention(source, config);
}

/// Tensors that a foreign model lacks are initialized from a fixed seed.
void complete(const ModelSource& source, Converted& converted, std::vector<std::string>& notes) {
  auto network = std::make_shared<Network>(converted.model, converted.head, DType::kF32, /*training=*/false);
  network->initialize(1);
  const WarmStart options{.first_of_head = network->head().first_parameter(),
                          .reinitialize_head = false,
                          .reinitialized_layers = 0,
                          .path = source.path()};
  for (auto& note : start_warm(network->parameters(), converted.tensors, options)) notes.push_back(note);
  converted.tensors = tensors_of(network->parameters());
  for (auto& tensor : converted.tensors)  // keep the network alive for as long as its weights are read
    tensor.bytes = [network, bytes = std::move(tensor.bytes)] { return bytes(); };
}

/// Refuses invalid lengths, before anything is read or allocated.
void check_lengths(const ConvertOptions& options, const ModelSource& source) {
  constexpr std::int64_t kMaxPositions = std::int64_t{1} << 20U;
  const std::int64_t old = source.config().max_positions;
  if (const auto positions = options.positions) {
    if (*positions < old)
      refuse("`--positions` is {}, but {} already has {}. For shorter sequences, set `data.sequence_length`.",
             *positions, source.path(), old);
    if (*positions != old && source.config().network.positions == Positions::kRowColumn)
      refuse("`--positions` is {}, but {} has positions of pictures of {} pixels.", *positions, source.path(),
             old);
    if (*positions > kMaxPositions)
      refuse("`--positions` is {}; the maximum is {}.", *positions, kMaxPositions);
  }
  const std::int64_t max_length = options.positions.value_or(old);
  if (const auto length = options.sequence_length; length && (*length < 1 || *length > max_length))
    refuse("`--sequence-length` is {}; the model takes 1 to {} tokens.", *length, max_length);
}

void lengthen(std::int64_t positions, const ModelSource& source, Converted& converted,
              std::vector<std::string>& notes) {
  const std::int64_t old = source.config().max_positions;
  if (positions == old) {
    notes.push_back(
        fmt::format("{} already has {} positions; its position table is unchanged.", source.path(), old));
    return;
  }
  for (auto& tensor : converted.tensors)
    if (tensor.name == kPositionTable && tensor.shape.size() == 2 && tensor.shape[0] == old + kPositionOffset)
      tensor = with_tiled_rows(std::move(tensor), kPositionOffset, positions + kPositionOffset);
  converted.model.max_positions = positions;
  if (converted.model.network.positions == Positions::kLearned)
    notes.push_back(
        fmt::format("The position table was extended from {} to {} positions by tiling.", old, positions));
  else
    notes.push_back(fmt::format("The model takes {} positions instead of {}.", positions, old));
}

Converted converted_model(const ConvertOptions& options, const ModelSource& source,
                          std::vector<std::string>& notes) {
  Converted converted{with_overrides(source, options.overrides), source.head(), {}};
  notes = source.notes(converted.model);
  converted.tensors = source.stored_tensors(&converted.model, &notes);
  if (options.positions) lengthen(*options.positions, source, converted, notes);
  if (source.is_foreign()) complete(source, converted, notes);
  return converted;
}

/// Setting of a checkpoint that was converted from a folder: the sequence length of transformers.
constexpr const char* kFolderLength = "segment_means_seq_len";

/// Sequence length of the source: a folder's for transformers, a checkpoint's in training. 0 if it is not
/// known, or if the position table is extended, which is done for longer texts.
std::int64_t known_length(const ConvertOptions& options, const ModelSource& source) {
  if (options.positions > source.config().max_positions || source.lacks_convolution()) return 0;
  if (source.is_folder()) return nystrom_length(source.folder_config());
  for (const char* key : {kFolderLength, "data.sequence_length"})
    if (double length = 0; parse_number(source.setting(key), length) && length >= 1)
      return static_cast<std::int64_t>(std::min(length, static_cast<double>(source.config().max_positions)));
  return 0;
}

/// Content of a checkpoint besides weights: tokenizer, settings of the fine-tuning task, sequence length.
RunIdentity identity_of(const ModelSource& source, std::int64_t length) {
  RunIdentity identity;
  if (const Tokenizer tokenizer = source.tokenizer(); !tokenizer.empty()) {
    identity.tokenizer = tokenizer.bytes();
    identity.tokenizer_kind = tokenizer.kind();
  }
  for (const auto& [key, value] : source.task_settings()) identity.settings[key] = value;
  if (const auto labels = source.label_names(); !labels.empty())
    identity.settings["task.label_names"] = label_names_text(labels);
  if (length > 0) identity.settings[kFolderLength] = std::to_string(length);
  return identity;
}

/// Of the conversion, with that of the training as its member `source`: through several conversions the same.
std::string provenance_of(const ModelSource& source, const std::string& conversion) {
  using OrderedJson = nlohmann::ordered_json;
  OrderedJson json = try_parse_json<OrderedJson>(conversion);
  const OrderedJson of_source = try_parse_json<OrderedJson>(source.provenance());
  if (!json.is_object() || !of_source.is_object()) return conversion;
  json["source"] = of_source.contains("source") ? of_source["source"] : of_source;
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

void write_as_checkpoint(const ModelSource& source, const Converted& converted, const ConvertOptions& options,
                         std::vector<std::string>& notes) {
  Network network(converted.model, converted.head, DType::kF32, /*training=*/true);
  network.initialize(1);
  const WarmStart start{.first_of_head = network.head().first_parameter(),
                        .reinitialize_head = false,
                        .reinitialized_layers = 0,
                        .path = source.path()};
  for (auto& note : start_warm(network.parameters(), converted.tensors, start)) notes.push_back(note);
  const auto optimizer = make_optimizer({}, network.parameters());
  RunIdentity identity = identity_of(source, known_length(options, source));
  identity.provenance = provenance_of(source, options.provenance);
  write_new_checkpoint(options.to, network, *optimizer, {}, identity);
}

StoredType type_of(const std::string& dtype) {
  if (dtype == "fp32") return StoredType::kF32;
  if (dtype == "fp16") return StoredType::kF16;
  if (dtype == "bf16") return StoredType::kBF16;
  refuse("`--dtype` is {}; it must be fp32, fp16 or bf16.", dtype);
}

/// The widest type among the tensors, for `dtype` of config.json.
StoredType widest_type(const std::vector<TensorToWrite>& tensors) {
  for (const StoredType type : {StoredType::kF64, StoredType::kF32, StoredType::kBF16, StoredType::kF16})
    if (std::ranges::find(tensors, type, &TensorToWrite::type) != tensors.end()) return type;
  return StoredType::kF32;
}

/// A tokenizer_config.json for a model of `longest` positions.
std::string with_length(const std::string& config, std::int64_t longest) {
  auto json = try_parse_json<nlohmann::ordered_json>(config);
  if (!json.is_object()) return config;
  json["model_max_length"] = longest;
  return json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

/// Files of the tokenizer: those of the source, or those that AutoTokenizer needs, made from the model.
std::vector<FolderFile> tokenizer_files(const ModelSource& source, std::int64_t longest,
                                        std::vector<std::string>& notes) {
  std::vector<FolderFile> files = source.tokenizer_files();
  const auto find = [&files](const char* name) { return std::ranges::find(files, name, &FolderFile::name); };
  if (const auto config = find("tokenizer_config.json");
      config != files.end() && find("tokenizer.json") != files.end()) {
    if (longest > source.config().max_positions) config->bytes = with_length(config->bytes, longest);
    return files;
  }
  const Tokenizer tokenizer = source.tokenizer();
  if (tokenizer.empty()) return files;
  const auto made = huggingface_tokenizer_files(tokenizer, longest);
  if (made.empty())
    notes.push_back(fmt::format(
        "The SentencePiece model {}, so no tokenizer.json can be made from it. AutoTokenizer will not load "
        "the folder; use the SentencePiece model itself.",
        why_not_imitated(tokenizer)));
  if (tokenizer.is_json())  // a SentencePiece model next to it would be another tokenizer
    std::erase_if(files, [](const auto& file) { return is_sentencepiece_file(file.name); });
  for (const auto& file : made) {
    std::erase_if(files, [&](const auto& f) { return f.name == file.name; });
    files.push_back({file.name, file.bytes});
  }
  return files;
}

/// Refuses a folder without code of a model that transformers alone cannot run.
void check_plain(const ModelSource& source, const Converted& converted) {
  const std::string more = beyond_transformers(converted.model, converted.head);
  if (!more.empty())
    refuse(
        "{} has {}, which transformers alone cannot run; without `--plain` the folder brings the code for it.",
        source.path(), more);
}

/// Refuses a kind of attention, or a length, whose weights are not those of the source.
void check_attention_weights(const ModelSource& source, const Converted& converted) {
  constexpr std::string_view kAttention = ".attention.self.";
  ParameterStore declared(DType::kF32);  // allocates nothing
  const Encoder encoder(converted.model, declared);
  for (const TensorToWrite& tensor : converted.tensors)
    if (tensor.name.find(kAttention) != std::string::npos && declared.find(tensor.name) == nullptr)
      refuse("{} has {}, for which attention of kind `{}` has no use.", source.path(), tensor.name,
             converted.model.attention.kind);
  for (const Parameter& parameter : declared.all()) {
    if (parameter.name.find(kAttention) == std::string::npos) continue;
    const auto found = std::ranges::find(converted.tensors, parameter.name, &TensorToWrite::name);
    if (found == converted.tensors.end() || !std::ranges::equal(found->shape, parameter.shape.dims()))
      refuse("{} has no {} {}, which attention of kind `{}` with {} positions needs.", source.path(),
             parameter.name, parameter.shape.text(), converted.model.attention.kind,
             converted.model.max_positions);
  }
}

void write_as_folder(const ModelSource& source, Converted converted, const ConvertOptions& options,
                     std::vector<std::string>& notes) {
  HuggingFaceFolder folder{.model = converted.model,
                           .head = converted.head,
                           .tensors = std::move(converted.tensors),
                           .files = tokenizer_files(source, converted.model.max_positions, notes),
                           .sequence_length = options.sequence_length.value_or(0),
                           .base_config = source.lacks_convolution() ? std::string() : source.folder_config(),
                           .labels = source.label_names(),
                           .task = source.task_settings()};
  if (!options.sequence_length) {
    folder.sequence_length = known_length(options, source);
    // Rounded down to the landmarks, transformers would run softmax where training ran Nystrom attention.
    if (const std::int64_t landmarks = folder.model.attention.landmarks; folder.sequence_length > landmarks)
      folder.sequence_length = std::max(folder.sequence_length, 2 * landmarks);
  }
  if (const Tokenizer tokenizer = source.tokenizer(); !tokenizer.empty()) {
    folder.bos_id = tokenizer.special().bos;
    folder.eos_id = tokenizer.special().eos;
  }
  if (!options.shard_size.empty()) folder.shard_bytes = parse_size(options.shard_size, "--shard-size");
  folder.type = widest_type(folder.tensors);
  if (!options.dtype.empty()) {
    folder.type = type_of(options.dtype);
    for (auto& tensor : folder.tensors) tensor = as_type(std::move(tensor), folder.type);
  }
  if (!options.plain) {
    folder.has_code = true;
    std::ranges::copy(transformers_code(folder), std::back_inserter(folder.files));
  }
  folder.files.push_back({"README.md", model_card(source, folder)});
  write_huggingface_folder(options.to, folder);
  if (folder.has_code)
    notes.push_back(
        "With `trust_remote_code=True` transformers runs the folder as nystrom does, on text of any length. "
        "Without it:");
  notes.push_back(what_transformers_will_run(folder, options.to));
}

}  // namespace

std::vector<std::string> convert(const ConvertOptions& options) {
  if (options.to.empty()) refuse("`--to` is empty; it must be a checkpoint (.h5) or a folder to write.");
  refuse_existing_target(options.to);
  if (names_checkpoint(options.to) &&
      (!options.dtype.empty() || !options.shard_size.empty() || options.plain))
    refuse(
        "`--dtype`, `--shard-size` and `--plain` apply to folders only; a checkpoint is one file in fp32.");
  ModelSource source(options.from);
  source.use_weights(parse<EvaluatedWeights>("`--weights`", options.weights));
  source.check();
  check_lengths(options, source);
  std::vector<std::string> notes;
  Converted converted = converted_model(options, source, notes);
  if (names_checkpoint(options.to)) {
    write_as_checkpoint(source, converted, options, notes);
  } else {
    if (options.plain) check_plain(source, converted);
    check_attention_weights(source, converted);
    write_as_folder(source, std::move(converted), options, notes);
  }
  notes.push_back(fmt::format("{} was written.", options.to));
  return notes;
}

}  // namespace nystrom
