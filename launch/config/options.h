#pragma once
// Options of the libraries, from the configuration's sections.

#include <string>
#include <vector>

#include "data/preparation/prepare.h"
#include "data/pretraining/masking.h"
#include "data/tasks/task.h"
#include "launch/config/config.h"
#include "model/config/model_config.h"
#include "trainer/pretrain.h"

namespace nystrom {

/// Section `model`. Keys that were not given take their values from `base` (a model started from), if there
/// is one. vocabulary_size must be known by now. Refuses what model/config/model_config.h refuses.
ModelConfig model_options(const Config& config, const ModelConfig* base);

/// Writes `model` back into the section, so that the resolved configuration says all of it.
void set_model(Config& config, const ModelConfig& model);

/// Section `data.masking`. Refuses shares that are more than 1 together.
Masking masking_options(const Config& config);
/// Sections `corpus`, `tokenizer`, `cleaning` and `output`.
PrepareOptions prepare_options(const Config& config);
/// Section `task` (docs/finetuning.md).
TaskConfig task_options(const Config& config);
/// Spellings of an existing tokenizer's special tokens: those that the configuration gives; empty where it
/// leaves them to the tokenizer.
SpecialNames given_special_names(const Config& config);
Objective objective_options(const Config& config);

/// What pretraining and fine-tuning take from the configuration alike: everything of RunOptions and
/// PretrainOptions but the network, its data, the device, precision and identity.
PretrainOptions run_options(const Config& config);

/// Tokens of a sample: data.sequence_length or its default. Refuses one above model.max_positions.
std::int64_t sequence_length(const Config& config, const ModelConfig& model);

/// Sentences about a configuration that is allowed but surprising.
std::vector<std::string> notes_on(const ModelConfig& model, std::int64_t sequence_length);

}  // namespace nystrom
