#pragma once
// From the configuration's sections to the options of the libraries.

#include <string>
#include <vector>

#include "data/pretraining/masking.h"
#include "data/tokenizer/training.h"
#include "launch/config/config.h"
#include "model/config/model_config.h"
#include "trainer/trainer.h"

namespace nystrom {

/// Section `model`. Keys that were not given take their values from `base` (a model started from), if there
/// is one. vocabulary_size must be known by now. Refuses what model/config/model_config.h refuses.
ModelConfig model_options(const Config& config, const ModelConfig* base);

/// Writes `model` back into the section, so that the resolved configuration says all of it.
void set_model(Config& config, const ModelConfig& model);

Masking masking_options(const Config& config);
TokenizerTraining tokenizer_options(const Config& config);
/// Spellings of an existing tokenizer's special tokens: those that the configuration gives; empty where it
/// leaves them to the tokenizer.
SpecialNames given_special_names(const Config& config);
Objective objective_options(const Config& config);

/// Everything of TrainerOptions but checkpoint_folder and identity. training.steps must be given.
TrainerOptions trainer_options(const Config& config);

/// The tokens of a sample: data.sequence_length or its default. Refuses one longer than `max_positions`.
std::int64_t sequence_length(const Config& config, const ModelConfig& model);

/// What a user should be told about a configuration that is allowed but surprising.
std::vector<std::string> notes_on(const ModelConfig& model, std::int64_t sequence_length);

}  // namespace nystrom
