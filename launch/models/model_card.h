#pragma once
// README.md of a Hugging Face folder: what the model is, how it was trained, what transformers will run.

#include <string>

#include "launch/models/model_source.h"

namespace nystrom {

/// `folder` is what will be written. Of a checkpoint within a run's directory the run's figures are told:
/// losses of its step from metrics.jsonl, results.json of a fine-tuned model.
[[nodiscard]] std::string model_card(const ModelSource& source, const HuggingFaceFolder& folder);

/// How transformers will run the folder, in a sentence.
[[nodiscard]] std::string what_transformers_will_run(const HuggingFaceFolder& folder,
                                                     const std::string& path);

}  // namespace nystrom
