#include "launch/conversion.h"

#include "kernels/core/check.h"
#include "launch/model_source.h"
#include "trainer/checkpoint.h"

namespace nystrom {
namespace {

bool names_checkpoint(const std::string& path) {
  return path.ends_with(".h5") || path.ends_with(".hdf5");
}

/// The file that a checkpoint carries as its tokenizer.
RunIdentity identity_of(const ModelSource& source) {
  RunIdentity identity;
  identity.tokenizer = source.tokenizer_file().bytes;
  if (!identity.tokenizer.empty()) identity.tokenizer_kind = source.tokenizer().kind();
  return identity;
}

void write_as_checkpoint(const ModelSource& source, const std::string& path,
                         std::vector<std::string>& notes) {
  Network network(source.config(), source.head(), DType::kF32, /*training=*/true);
  const LoadNotes loaded = source.load(network.parameters());
  notes.insert(notes.end(), loaded.begin(), loaded.end());
  const auto optimizer = make_optimizer({}, network.parameters());
  write_checkpoint(path, network, *optimizer, {}, identity_of(source));
}

/// What the reader of the folder should know before transformers runs it.
std::string what_it_will_run(const HuggingFaceFolder& folder, const std::string& path) {
  const std::int64_t length = segment_means_length(folder), landmarks = folder.model.attention.landmarks;
  if (length == landmarks) return fmt::format("transformers will run {} with exact softmax attention.", path);
  return fmt::format(
      "transformers will run {} with {} landmarks on unpadded text of exactly {} tokens, with one "
      "pseudo-inverse scale for the whole batch.",
      path, landmarks, length);
}

void write_as_folder(const ModelSource& source, const ConvertOptions& options,
                     std::vector<std::string>& notes) {
  HuggingFaceFolder folder{.model = source.config(),
                           .head = source.head(),
                           .tensors = source.stored_tensors(),
                           .files = source.tokenizer_files(),
                           .sequence_length = options.sequence_length,
                           .base_config = source.folder_config()};
  if (options.sequence_length > source.config().max_positions)
    refuse("--sequence-length is {}; the model takes at most {} tokens.", options.sequence_length,
           source.config().max_positions);
  write_huggingface_folder(options.to, folder);
  notes.push_back(what_it_will_run(folder, options.to));
}

}  // namespace

std::vector<std::string> convert(const ConvertOptions& options) {
  refuse_existing_target(options.to);
  const ModelSource source(options.from);
  source.check();
  std::vector<std::string> notes = source.notes();
  if (names_checkpoint(options.to))
    write_as_checkpoint(source, options.to, notes);
  else
    write_as_folder(source, options, notes);
  notes.push_back(fmt::format("{} was written.", options.to));
  return notes;
}

}  // namespace nystrom
