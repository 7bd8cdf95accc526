#pragma once
// Model card, the README.md of a Hugging Face folder: model, training, and what transformers will run.

#include <string>

#include "launch/models/model_source.h"

namespace nystrom {

/// Card of `folder`, which will be written. For a checkpoint in a run directory it has the figures of the
/// run: losses at its step from metrics.jsonl, results.json of a fine-tuned model.
[[nodiscard]] std::string model_card(const ModelSource& source, const HuggingFaceFolder& folder);

/// One sentence on how transformers will run the folder.
[[nodiscard]] std::string what_transformers_will_run(const HuggingFaceFolder& folder,
                                                     const std::string& path);

}  // namespace nystrom
